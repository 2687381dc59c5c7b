//! The functions of the subset, membership, and fields outside the vocabulary.

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr as Ast, IdedExpr, LiteralValue};
use rasid_detectors::event::{field, time};
use rasid_detectors::value::OwnedValue;

use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::expression::{Expr, StringTest};
use crate::names::Param;
use crate::presence::Facts;
use crate::ty::Ty;
use crate::typecheck::{Checker, Typed, dotted};

const FUNCTIONS: [&str; 8] = ["size", "startsWith", "endsWith", "contains", "matches", "duration", "timestamp", "has"];
/// Largest compiled pattern, bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

impl Checker<'_> {
    pub(crate) fn function(&mut self, node: &IdedExpr, call: &CallExpr, facts: &Facts) -> Option<Typed> {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            ("size", None, [text]) | ("size", Some(text), []) => {
                let typed = self.text(text, "size", facts)?;
                Typed::new(Expr::Size(Box::new(typed)), Ty::Int)
            }
            ("startsWith" | "endsWith" | "contains", Some(subject), [other]) => {
                let (subject, other) = (self.text(subject, name, facts), self.text(other, name, facts));
                let (subject, other) = (Box::new(subject?), Box::new(other?));
                let test = match name {
                    "startsWith" => StringTest::StartsWith(other),
                    "endsWith" => StringTest::EndsWith(other),
                    _ => StringTest::Contains(other),
                };
                Typed::new(Expr::Text(subject, test), Ty::Bool)
            }
            ("matches", Some(subject), [pattern]) | ("matches", None, [subject, pattern]) => {
                let (subject, regex) = (self.text(subject, name, facts), self.pattern(pattern));
                Typed::new(Expr::Text(Box::new(subject?), StringTest::Matches(regex?)), Ty::Bool)
            }
            ("duration", None, [text]) => {
                let written = self.fixed(text, Code::BadDuration, "duration() takes a fixed text: duration(\"10m\")")?;
                let Some(millis) = go_duration(&written) else {
                    let fault = self.at(Code::BadDuration, text, format!("`{written}` is no duration in CEL"));
                    return self.fault(fault.help("numbers with h, m, s or ms, to the millisecond: 24h, 1h30m, 1.5s (CEL has no d)"));
                };
                Typed::new(Expr::Const(OwnedValue::Duration(millis)), Ty::Duration)
            }
            ("timestamp", None, [text]) => {
                let written =
                    self.fixed(text, Code::TypeMismatch, "timestamp() takes a fixed text: timestamp(\"2026-11-21T10:00:00Z\")")?;
                let Some(millis) = time::parse_rfc3339(&written).filter(|_| whole_millis(&written)) else {
                    let fault = self.at(Code::TypeMismatch, text, format!("`{written}` is no instant"));
                    return self.fault(fault.help("RFC 3339 with a zone, 1970 to 9999, to the millisecond: 2026-11-21T10:00:00Z"));
                };
                Typed::new(Expr::Const(OwnedValue::Time(millis)), Ty::Time)
            }
            _ if FUNCTIONS.contains(&name) => {
                let fault = self.at(Code::TypeMismatch, node, format!("`{name}` does not take these arguments"));
                self.fault(fault.help(usage(name)))
            }
            _ => self.outside(node, &format!("`{}`", name.trim_matches(['_', '@'])), suggest(name, FUNCTIONS)),
        }
    }

    fn text(&mut self, node: &IdedExpr, function: &str, facts: &Facts) -> Option<Expr> {
        let typed = self.check(node, facts)?;
        if typed.ty.is(Ty::Text(None)) { Some(typed.expr) } else { self.mismatch(node, function, &[typed.ty], usage(function)) }
    }

    /// A text that is the same on every event: a literal or a parameter.
    fn fixed(&mut self, node: &IdedExpr, code: Code, help: &str) -> Option<String> {
        if let Ast::Literal(LiteralValue::String(text)) = &node.expr {
            return Some(text.inner().to_owned());
        }
        if let Some(["params", name]) = dotted(node).as_deref()
            && let Param::Scalar(OwnedValue::Str(text)) = self.param(node, name)?
        {
            return Some(text.to_string());
        }
        let fault = self.at(code, node, "not a fixed text");
        self.fault(fault.help(help))
    }

    fn pattern(&mut self, node: &IdedExpr) -> Option<Arc<regex::Regex>> {
        let pattern = self.fixed(node, Code::BadPattern, "the pattern is a literal or a parameter, so that it is compiled once")?;
        match regex::RegexBuilder::new(&pattern).size_limit(PATTERN_BYTES_MAX).build() {
            Ok(regex) => Some(Arc::new(regex)),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let fault = self.at(Code::BadPattern, node, format!("not a regular expression: {reason}"));
                self.fault(
                    fault.help("the syntax is that of the regex crate (https://docs.rs/regex), without look-around and back-references"),
                )
            }
        }
    }

    /// `item in list.name`.
    fn in_list(&mut self, item: &IdedExpr, list: &IdedExpr, name: &str, facts: &Facts) -> Option<Typed> {
        let typed = self.check(item, facts);
        let lists = self.names.lists;
        let Some(found) = lists.get(name) else {
            let fault = self.at(Code::UnknownList, list, format!("there is no list `{name}`"));
            let help = match suggest(name, lists.keys().map(String::as_str)) {
                meant if meant.starts_with("did") => meant,
                _ => format!("write it as lists/{name}.yaml"),
            };
            return self.fault(fault.help(help));
        };
        let (typed, found) = (typed?, found.as_ref()?);
        if !typed.ty.is(Ty::Text(None)) {
            return self.mismatch(item, "in", &[typed.ty], "lists hold text");
        }
        if let (Expr::Field(path), Some(kind)) = (&typed.expr, found.kind) {
            let spec = self.event.fields().get(usize::from(path.field));
            let spec = spec.and_then(|spec| path.child.map_or(Some(spec), |child| spec.children.get(usize::from(child))));
            let kinds = spec.map_or(&[][..], |spec| spec.entities);
            if !kinds.is_empty() && !kinds.contains(&kind) {
                let fault = self.at(Code::WrongList, item, format!("`list.{name}` holds the kind `{}`", kind.name()));
                let known = listed(kinds.iter().map(|kind| kind.name()));
                return self.fault(fault.help(format!("this field names {known}: look for it in a list of that kind")));
            }
        }
        Typed::new(Expr::InList(Box::new(typed.expr), Arc::clone(found)), Ty::Bool)
    }

    /// `item in list`, `"name" in data`.
    pub(crate) fn member(&mut self, node: &IdedExpr, item: &IdedExpr, list: &IdedExpr, facts: &Facts) -> Option<Typed> {
        if dotted(list).as_deref() == Some(&["data"]) {
            let name = self.unknown_name(node, item, "has(data.", ")")?;
            return Typed::new(Expr::HasUnknown(name.into()), Ty::Bool);
        }
        if let Some(["list", name]) = dotted(list).as_deref() {
            return self.in_list(item, list, name, facts);
        }
        let typed = self.check(item, facts);
        let items = match (&list.expr, dotted(list).as_deref()) {
            (Ast::List(list), _) if list.optional_indices.is_empty() => {
                let items: Vec<Option<(&IdedExpr, Typed)>> =
                    list.elements.iter().map(|other| Some((other, self.check(other, facts)?))).collect();
                items.into_iter().collect::<Option<Vec<_>>>()?
            }
            (_, Some(["params", name])) => match self.param(list, name)?.clone() {
                Param::List(values) => {
                    values.into_iter().map(|value| (list, Typed { ty: Ty::of_value(&value), expr: Expr::Const(value) })).collect()
                }
                Param::Scalar(_) => {
                    let fault = self.at(Code::TypeMismatch, list, format!("`params.{name}` is no list"));
                    return self.fault(fault.help("write it as [a, b] under `params`"));
                }
            },
            _ => {
                let fault = self.at(Code::NotInSubset, list, "`in` takes a list that is written out");
                return self.fault(fault.help("[\"a\", \"b\"], a list under `params`, list.name, or \"name\" in data"));
            }
        };
        let typed = typed?;
        let mut good = Some(());
        for (place, other) in &items {
            if !typed.ty.compares_with(other.ty) {
                good = self.mismatch(place, "in", &[typed.ty, other.ty], "the list holds values of the type that is looked for");
            } else if self.word(place, typed.ty, &other.expr).is_none() {
                good = None;
            }
        }
        good?;
        Typed::new(Expr::In(Box::new(typed.expr), items.into_iter().map(|(_, other)| other.expr).collect()), Ty::Bool)
    }

    /// `data["name"]`.
    pub(crate) fn unknown(&mut self, node: &IdedExpr, map: &IdedExpr, key: &IdedExpr) -> Option<Typed> {
        if dotted(map).as_deref() != Some(&["data"]) {
            return self.outside(node, "an index", "only data[\"name\"] takes one");
        }
        let name = self.unknown_name(node, key, "data.", "")?;
        Typed::new(Expr::Unknown(name.into()), Ty::Dyn)
    }

    fn unknown_name(&mut self, node: &IdedExpr, key: &IdedExpr, before: &str, after: &str) -> Option<String> {
        let Ast::Literal(LiteralValue::String(name)) = &key.expr else {
            return self.outside(key, "a field's name that is not written out", "write it as \"name\"");
        };
        let name = name.inner().to_owned();
        if !name.contains('.') && field::find(self.event.fields(), &name).is_some() {
            let fault: Fault = self.at(Code::NotInSubset, node, format!("`{name}` is a field of {}", self.event.name()));
            return self.fault(fault.help(format!("write {before}{name}{after}")));
        }
        self.mentions.unknowns.insert(name.clone());
        Some(name)
    }
}

fn usage(function: &str) -> &'static str {
    match function {
        "size" => "size(text) counts the characters of a string",
        "startsWith" => "text.startsWith(\"beginning\")",
        "endsWith" => "text.endsWith(\"end\")",
        "contains" => "text.contains(\"part\")",
        "matches" => "text.matches(\"pattern\")",
        "duration" => "duration(\"10m\")",
        "timestamp" => "timestamp(\"2026-11-21T10:00:00Z\")",
        _ => "has(data.field)",
    }
}

/// CEL's durations, which are Go's: signed decimal numbers, each with a unit. To the millisecond.
fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut nanos = 0_i128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let length = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, tail) = rest.split_at_checked(length)?;
        let length = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(length)?;
        let unit: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > 15 || fraction.len() > 15 {
            return None;
        }
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        nanos += digits(whole)? * unit + digits(fraction)? * unit / scale;
        rest = tail;
    }
    let millis = i64::try_from(nanos / 1_000_000).ok().filter(|_| nanos % 1_000_000 == 0)?;
    (millis <= 315_576_000_000_000).then_some(if negative { -millis } else { millis })
}

/// Whether an instant says nothing finer than milliseconds, which is what the engine keeps.
fn whole_millis(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    fraction.chars().take_while(char::is_ascii_digit).skip(3).all(|digit| digit == '0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10m", Some(600_000))]
    #[case("1h30m", Some(5_400_000))]
    #[case("1.5h", Some(5_400_000))]
    #[case("-2s", Some(-2_000))]
    #[case("0", Some(0))]
    #[case("1500us", None)]
    #[case("2000us", Some(2))]
    #[case("1d", None)]
    #[case("", None)]
    #[case("-", None)]
    #[case("5", None)]
    #[case(".s", None)]
    #[case("1.2.3s", None)]
    #[case("99999999999999h", None)]
    fn durations_are_those_of_cel(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(go_duration(text), expected);
    }
}
