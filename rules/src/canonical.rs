//! Programs as text: equal text, equal program. (Their `Debug` shows no values, because those may be personal.)

use std::fmt::Write as _;

use rasid_detectors::value::Value;

use crate::expression::{Expr, StringTest};

/// The program as text.
pub(crate) fn text(expr: &Expr) -> String {
    let mut out = String::new();
    write(expr, &mut out);
    out
}

fn write(expr: &Expr, out: &mut String) {
    let mut all = |name: &str, parts: &[&Expr]| {
        out.push('(');
        out.push_str(name);
        for part in parts {
            out.push(' ');
            write(part, out);
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
        Expr::Size(a) => all("size", &[a]),
        Expr::Text(a, StringTest::StartsWith(b)) => all("startsWith", &[a, b]),
        Expr::Text(a, StringTest::EndsWith(b)) => all("endsWith", &[a, b]),
        Expr::Text(a, StringTest::Contains(b)) => all("contains", &[a, b]),
        Expr::Text(a, StringTest::Matches(regex)) => all(&format!("matches {:?}", regex.as_str()), &[a]),
        Expr::Const(value) => constant(value.borrow(), out),
        // Their Debug says all there is to say.
        Expr::Field(_) | Expr::Has(_) | Expr::Unknown(_) | Expr::HasUnknown(_) | Expr::Binding(_) | Expr::Fired(_) | Expr::Signal(..) => {
            put(out, &format!("{expr:?}"));
        }
    }
}

fn constant(value: Value<'_>, out: &mut String) {
    let text = match value {
        Value::Absent => "absent".to_owned(),
        Value::Object => "object".to_owned(),
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
