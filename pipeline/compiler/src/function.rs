//! Calls of the library's functions, membership, and fields outside the vocabulary.

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr as Ast, IdedExpr, LiteralValue};
use rasid_detectors::currency::rates::Exchange;
use rasid_detectors::event::field;
use rasid_detectors::value::OwnedValue;

use crate::catalogue::{self, FUNCTIONS};
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::expression::{Expr, Function, StringTest};
use crate::library::Part;
use crate::names::Param;
use crate::presence::Facts;
use crate::ty::{Element, Ty};
use crate::typecheck::{Checker, Typed, dotted};

/// Largest compiled pattern, bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 1 << 20;

impl Checker<'_> {
    pub(crate) fn function(&mut self, node: &IdedExpr, call: &CallExpr, facts: &Facts) -> Option<Typed> {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            ("size", None, [of]) | ("size", Some(of), []) => {
                let typed = self.check(of, facts)?;
                match typed.ty {
                    Ty::List(_) => Typed::new(Expr::Call(Function::Length, vec![typed.expr]), Ty::Int),
                    ty if ty.is(Ty::Text(None)) => Typed::new(Expr::Size(Box::new(typed.expr)), Ty::Int),
                    ty => self.mismatch(of, "size", &[ty], usage("size")),
                }
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
            ("duration", None, [of]) => self.duration(of, facts),
            ("timestamp", None, [of]) => self.timestamp(of, facts),
            ("int" | "double" | "string" | "bool", None, [of]) => self.convert(name, of, facts),
            ("dyn", None, [of]) => {
                let typed = self.check(of, facts)?;
                let ty = if typed.ty.is_scalar() { Ty::Dyn } else { typed.ty };
                Typed::new(typed.expr, ty)
            }
            ("distance_m", None, [from, to]) => {
                let (from, to) = (self.place(from, "distance_m", facts), self.place(to, "distance_m", facts));
                Typed::new(Expr::Call(Function::Distance, from?.into_iter().chain(to?).collect()), Ty::Double)
            }
            ("in_currency", None, [amount, currency, to]) => {
                let (amount, currency) = (self.argument(amount, name, Ty::Int, facts), self.text(currency, name, facts));
                let exchange = self.exchange(to);
                Typed::new(Expr::Call(Function::InCurrency(exchange?), vec![amount?, currency?]), Ty::Int)
            }
            ("join", Some(list), rest @ ([] | [_])) => {
                let parts = self.list(list, name, facts);
                let rest = rest.iter().map(|other| self.text(other, name, facts)).collect::<Option<Vec<_>>>();
                let (parts, element) = parts?;
                if !matches!(element, Element::Text | Element::Dyn | Element::Nothing) {
                    return self.mismatch(list, name, &[element.ty()], "join takes a list of text: list.map(x, string(x)).join(\",\")");
                }
                Typed::new(Expr::Call(Function::Join, std::iter::once(parts).chain(rest?).collect()), Ty::Text(None))
            }
            (_, Some(subject), rest) if Part::of(name).is_some() && rest.len() < 2 => {
                self.calendar(node, name, Part::of(name)?, subject, rest.first(), facts)
            }
            (_, Some(subject), rest) if method(name, rest.len()).is_some() => {
                let (function, takes, gives) = method(name, rest.len())?;
                let subject = self.text(subject, name, facts);
                let rest = rest.iter().zip(takes).map(|(other, ty)| self.argument(other, name, *ty, facts)).collect::<Vec<_>>();
                let arguments = std::iter::once(subject).chain(rest).collect::<Option<Vec<_>>>()?;
                Typed::new(Expr::Call(function, arguments), gives)
            }
            _ if catalogue::find(name).is_some() => {
                let fault = self.at(Code::TypeMismatch, node, format!("`{name}` does not take these arguments"));
                self.fault(fault.help(usage(name)))
            }
            _ => {
                let help = catalogue::refused(name).map_or_else(|| suggest(name, FUNCTIONS.iter().map(|known| known.name)), str::to_owned);
                self.outside(node, &format!("`{}`", name.trim_matches(['_', '@'])), help)
            }
        }
    }

    fn argument(&mut self, node: &IdedExpr, function: &str, ty: Ty, facts: &Facts) -> Option<Expr> {
        let typed = self.check(node, facts)?;
        if typed.ty.is(ty) { Some(typed.expr) } else { self.mismatch(node, function, &[typed.ty], usage(function)) }
    }

    pub(crate) fn text(&mut self, node: &IdedExpr, function: &str, facts: &Facts) -> Option<Expr> {
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

    /// What converts into the currency of that name.
    fn exchange(&mut self, node: &IdedExpr) -> Option<Exchange> {
        let to = self.fixed(
            node,
            Code::NoRate,
            "the currency is a literal or a parameter, so that its rates are known when the rule is checked",
        )?;
        match self.names.tables.rates.exchange(&to) {
            Ok(exchange) => Some(exchange),
            Err(wrong) => {
                let (message, help) = wrong?;
                let fault = self.at(Code::NoRate, node, message);
                self.fault(fault.help(help))
            }
        }
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
        let lists = &self.names.tables.lists;
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

    /// `place in zone.name`.
    fn in_zone(&mut self, place: &IdedExpr, zone: &IdedExpr, name: &str, facts: &Facts) -> Option<Typed> {
        let place = self.place(place, "in", facts);
        let zones = &self.names.tables.zones;
        let Some(found) = zones.get(name) else {
            let fault = self.at(Code::UnknownList, zone, format!("there is no zone `{name}`"));
            let help = match suggest(name, zones.keys().map(String::as_str)) {
                meant if meant.starts_with("did") => meant,
                _ => format!("draw it as lists/{name}.geojson"),
            };
            return self.fault(fault.help(help));
        };
        Typed::new(Expr::InZone(Box::new(place?), Arc::clone(found.as_ref()?)), Ty::Bool)
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
        if let Some(["zone", name]) = dotted(list).as_deref() {
            return self.in_zone(item, list, name, facts);
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
                let found = self.list(list, "in", facts);
                let (typed, (found, element)) = (typed?, found?);
                if element != Element::Nothing && !typed.ty.compares_with(element.ty()) {
                    return self.mismatch(list, "in", &[typed.ty, element.ty()], "the list holds values of the type that is looked for");
                }
                return Typed::new(Expr::Call(Function::Holds, vec![typed.expr, found]), Ty::Bool);
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
    pub(crate) fn unknown(&mut self, node: &IdedExpr, key: &IdedExpr) -> Option<Typed> {
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
        if self.event.is_alert() {
            let fault: Fault =
                self.at(Code::UnknownField, node, format!("{} has no field `{name}`, and no others than it has", self.event.name()));
            return self.fault(fault.help(suggest(&name, self.event.fields().iter().map(|field| field.name))));
        }
        self.mentions.unknowns.insert(name.clone());
        Some(name)
    }
}

pub(crate) fn usage(function: &str) -> &'static str {
    catalogue::find(function).map_or("", |found| found.usage)
}

/// A method of texts with so many arguments: what it takes and gives.
fn method(name: &str, arguments: usize) -> Option<(Function, &'static [Ty], Ty)> {
    const TEXT: Ty = Ty::Text(None);
    Some(match (name, arguments) {
        ("charAt", 1) => (Function::CharAt, &[Ty::Int], TEXT),
        ("indexOf", 1 | 2) => (Function::IndexOf, &[TEXT, Ty::Int], Ty::Int),
        ("lastIndexOf", 1 | 2) => (Function::LastIndexOf, &[TEXT, Ty::Int], Ty::Int),
        ("lowerAscii", 0) => (Function::LowerAscii, &[], TEXT),
        ("upperAscii", 0) => (Function::UpperAscii, &[], TEXT),
        ("replace", 2 | 3) => (Function::Replace, &[TEXT, TEXT, Ty::Int], TEXT),
        ("split", 1 | 2) => (Function::Split, &[TEXT, Ty::Int], Ty::List(Element::Text)),
        ("substring", 1 | 2) => (Function::Substring, &[Ty::Int, Ty::Int], TEXT),
        ("trim", 0) => (Function::Trim, &[], TEXT),
        ("reverse", 0) => (Function::Reverse, &[], TEXT),
        _ => return None,
    })
}
