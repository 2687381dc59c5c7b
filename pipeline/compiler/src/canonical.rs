//! Programs as text: equal text, equal program. (Their `Debug` shows no values, because those may be personal.)

use std::fmt::Write as _;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath};
use rasid_detectors::signal::SignalField;
use rasid_detectors::value::Value;

use crate::expression::{Expr, List, StringTest};
use crate::zone::Zone;

/// How a field stands in a text.
#[derive(Clone, Copy)]
pub(crate) enum Fields {
    /// By its name in events of that type, and one of a firing by its name in the signal.
    Named(EventType, &'static [SignalField]),
    /// By its number, as up to 0.3.0.
    Numbered,
}

impl Fields {
    /// The field of a key or a binding.
    pub(crate) fn text(self, path: FieldPath) -> String {
        match self {
            Self::Named(event, _) => name(event, path),
            Self::Numbered => path.child.map_or_else(|| path.field.to_string(), |child| format!("{}.{child}", path.field)),
        }
    }

    /// The same in a program, whose text had it by its `Debug`.
    fn of_program(self, what: &str, path: FieldPath) -> String {
        match self {
            Self::Named(event, _) => format!("({what} {})", name(event, path)),
            Self::Numbered => format!("{what}({path:?})"),
        }
    }

    /// The name of a signal's field.
    fn of_signal(self, field: usize) -> Option<&'static str> {
        match self {
            Self::Named(_, signal) => signal.get(field).map(|field| field.name),
            Self::Numbered => None,
        }
    }
}

fn name(event: EventType, path: FieldPath) -> String {
    let outer = event.fields().get(usize::from(path.field));
    let inner = path.child.and_then(|child| outer?.children.get(usize::from(child)));
    let name = |spec: Option<&field::FieldSpec>| spec.map_or("?", |spec| spec.name);
    path.child.map_or_else(|| name(outer).to_owned(), |_| format!("{}.{}", name(outer), name(inner)))
}

/// The program as text.
pub(crate) fn text(expr: &Expr, fields: Fields) -> String {
    let mut out = String::new();
    write(expr, fields, &mut out);
    out
}

fn write(expr: &Expr, fields: Fields, out: &mut String) {
    let mut all = |name: &str, parts: &[&Expr]| {
        out.push('(');
        out.push_str(name);
        for part in parts {
            out.push(' ');
            write(part, fields, out);
        }
        out.push(')');
    };
    match expr {
        Expr::Not(a) => all("!", &[a]),
        Expr::Negate(a) => all("-", &[a]),
        Expr::And(a, b) => all("&&", &[a, b]),
        Expr::Or(a, b) => all("||", &[a, b]),
        Expr::Compare(comparison, a, b) => all(&format!("{comparison:?}"), &[a, b]),
        Expr::Arithmetic(operation, a, b) => all(&format!("{operation:?}"), &[a, b]),
        Expr::Conditional(a, b, c) => all("?", &[a, b, c]),
        Expr::In(a, list) => all("in", &std::iter::once(a.as_ref()).chain(list).collect::<Vec<_>>()),
        Expr::InList(a, list) => all(&format!("in {}", list_text(list)), &[a]),
        Expr::InZone(_, zone) => all(&format!("in {}", zone_text(zone)), &expr.parts()),
        Expr::Time => put(out, "time"),
        Expr::Score => put(out, "score"),
        Expr::Size(a) => all("size", &[a]),
        Expr::Text(a, StringTest::StartsWith(b)) => all("startsWith", &[a, b]),
        Expr::Text(a, StringTest::EndsWith(b)) => all("endsWith", &[a, b]),
        Expr::Text(a, StringTest::Contains(b)) => all("contains", &[a, b]),
        Expr::Text(a, StringTest::Matches(regex)) => all(&format!("matches {:?}", regex.as_str()), &[a]),
        Expr::Const(value) => constant(value.borrow(), out),
        Expr::Field(path) => put(out, &fields.of_program("Field", *path)),
        Expr::Has(path) => put(out, &fields.of_program("Has", *path)),
        Expr::Signal(read, field) => match fields.of_signal(*field) {
            Some(name) => put(out, &format!("(Signal {read} {name})")),
            None => put(out, &format!("{expr:?}")),
        },
        Expr::Call(function, _) => all(&format!("call {function:?}"), &expr.parts()),
        Expr::List(_) => all("list", &expr.parts()),
        Expr::At(..) => all("at", &expr.parts()),
        Expr::Part(_, field) => all(&format!("part {field}"), &expr.parts()),
        Expr::HasPart(_, field) => all(&format!("has part {field}"), &expr.parts()),
        Expr::Loop(repeat) => all(&format!("loop {:?} {}", repeat.kind, repeat.slot), &expr.parts()),
        Expr::Elements(path) => put(out, &fields.of_program("Elements", *path)),
        Expr::Item(slot) => put(out, &format!("item {slot}")),
        // Their Debug says all there is to say.
        Expr::Unknown(_) | Expr::HasUnknown(_) | Expr::Binding(_) | Expr::HasBinding(_) | Expr::Fired(_) => put(out, &format!("{expr:?}")),
    }
}

/// A list by its name and a digest of what it holds: its entries may be many, and personal.
fn list_text(list: &List) -> String {
    let kind = list.kind.map_or("text", EntityKind::name);
    with_digest(format!("list {} {kind} ", list.name), &list.digest)
}

/// A zone by its name and a digest of its corners.
fn zone_text(zone: &Zone) -> String {
    with_digest(format!("zone {} ", zone.name), &zone.digest)
}

fn with_digest(text: String, digest: &[u8]) -> String {
    digest.iter().fold(text, |hex, byte| hex + &format!("{byte:02x}"))
}

fn constant(value: Value<'_>, out: &mut String) {
    let text = match value {
        Value::Absent => "absent".to_owned(),
        Value::Object => "object".to_owned(),
        Value::StandIn(stand_in) => stand_in.pseudonym.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => format!("double {:016x}", value.to_bits()),
        Value::Str(value) => format!("{value:?}"),
        Value::Time(value) => format!("time {value}"),
        Value::Duration(value) => format!("duration {value}"),
    };
    put(out, &text);
}

fn put(out: &mut String, text: &str) {
    write!(out, "{text}").expect("writing to a String cannot fail");
}
