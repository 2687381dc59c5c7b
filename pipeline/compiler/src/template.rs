//! Explanations: text with `{names}` in braces.

use std::ops::Range;

use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, Privacy};

use crate::binding::{called, measured, named_of};
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::format::Format;
use crate::hint;
use crate::names::{Bound, Mentions, Names, Param};
use crate::ty::Ty;
use crate::yaml::TextMap;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// A name, how its value is to be written, and where both stand in the file.
    Name(String, Option<String>, Range<usize>),
}

const FORM: &str = "a name stands in braces, {sends} or {params.sends_max}; a brace itself is written {{ or }}";

/// Splits a template at its braces.
pub(crate) fn parse(text: &str, map: &TextMap, faults: &mut Vec<Fault>) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut open: Option<(usize, String)> = None;
    let mut chars = text.char_indices().peekable();
    let before = faults.len();
    while let Some((at, c)) = chars.next() {
        let doubled = chars.peek().is_some_and(|(_, next)| *next == c);
        match (c, &mut open) {
            ('{' | '}', None) if doubled => {
                plain.push(c);
                chars.next();
            }
            ('{', None) => {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                open = Some((at, String::new()));
            }
            ('}', Some((start, name))) => {
                let span = map.range(&(*start..at + 1));
                let name = name.trim();
                if name.is_empty() {
                    faults.push(Fault::new(Code::BadTemplate, span, "braces with nothing in them").help(FORM));
                } else {
                    let (name, format) = match name.split_once(':') {
                        Some((name, format)) => (name.trim_end(), Some(format.trim().to_owned())),
                        None => (name, None),
                    };
                    parts.push(Part::Name(name.to_owned(), format, span));
                }
                open = None;
            }
            ('{', Some(_)) | ('}', None) => {
                faults.push(Fault::new(Code::BadTemplate, map.range(&(at..at + 1)), format!("a `{c}` that belongs to no pair")).help(FORM));
            }
            (c, Some((_, name))) => name.push(c),
            (c, None) => plain.push(c),
        }
    }
    if let Some((start, _)) = open {
        faults.push(Fault::new(Code::BadTemplate, map.range(&(start..text.len())), "a `{` that is never closed").help(FORM));
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    (faults.len() == before).then_some(parts)
}

/// Checks that a name may be shown in events of this type, and notes that it is; gives the type of its value.
pub(crate) fn check(
    name: &str,
    span: &Range<usize>,
    event: EventType,
    names: &Names<'_>,
    mentions: &mut Mentions,
    faults: &mut Vec<Fault>,
) -> Option<Ty> {
    let mut refuse = |code, message: String, help: String| {
        faults.push(Fault::new(code, span.clone(), message).help(help));
        None
    };
    if let Some(name) = name.strip_prefix("data.") {
        let Some((path, spec)) = field::find(event.fields(), name) else {
            return refuse(
                Code::UnknownField,
                format!("{} has no field `{name}`", event.name()),
                suggest(name, event.fields().iter().map(|field| field.name)),
            );
        };
        if spec.privacy == Privacy::Hidden {
            return refuse(
                Code::Hidden,
                format!("`data.{name}` never leaves the engine"),
                "free text and exact places stay out of explanations; say what was seen in them instead".to_owned(),
            );
        }
        mentions.field(path, name);
        return Some(Ty::of_field(spec.ty).unwrap_or(Ty::Text(None)));
    }
    if let Some(name) = name.strip_prefix("params.") {
        let Some((index, param)) = names.param(name) else {
            return refuse(
                Code::UnknownParameter,
                format!("the rule has no parameter `{name}`"),
                hint::param(name, names.params.iter().map(|(name, _)| name.as_str())),
            );
        };
        mentions.params.insert(index);
        return Some(if let Param::Scalar(value) = param { Ty::of_value(value) } else { Ty::Text(None) });
    }
    if name.starts_with("data[") {
        return refuse(
            Code::Hidden,
            format!("`{name}` is outside the contract"),
            "nothing is known of how personal it is, so it stays out of explanations".to_owned(),
        );
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')) {
        return refuse(
            Code::BadTemplate,
            format!("`{name}` is no name"),
            "braces take a name, not an expression: {sends}, {travel.speed_mps}, {params.sends_max}, {data.purpose}".to_owned(),
        );
    }
    if name == "score" {
        if let Some(kind) = names.scoreless {
            return refuse(
                Code::TypeMismatch,
                format!("the rule is about `{}`, which has no score", kind.name()),
                "`score` is that of the rule's own entity: a user, a phone, a device".to_owned(),
            );
        }
        mentions.score = true;
        return Some(Ty::Int);
    }
    let (outer, inner) = name.split_once('.').map_or((name, None), |(outer, inner)| (outer, Some(inner)));
    let Some((index, bound)) = names.find(outer) else {
        if names.unsure {
            return None;
        }
        return refuse(Code::UnknownName, format!("there is no `{outer}`"), meant(name, event, names));
    };
    mentions.lets.insert(index);
    match (bound?, inner) {
        (Bound::Aggregate { privacy: Privacy::Hidden, .. } | Bound::Measure { privacy: Privacy::Hidden, .. }, _) => refuse(
            Code::Hidden,
            format!("`{name}` holds what never leaves the engine"),
            "free text and exact places stay out of explanations".to_owned(),
        ),
        (Bound::Aggregate { ty, .. }, None) => Some(*ty),
        (Bound::Aggregate { .. }, Some(inner)) => {
            refuse(Code::UnknownField, format!("`{outer}` is a value and has no field `{inner}`"), format!("write {{{outer}}}"))
        }
        (Bound::Measure { spec, of, .. }, None) => measured(spec, *of, 0),
        (Bound::Signal { .. }, Some("fired")) => Some(Ty::Bool),
        (Bound::Signal { spec, .. } | Bound::Measure { spec, .. }, Some(inner)) => {
            let of = if let Bound::Measure { of, .. } = bound? { *of } else { None };
            if let Some(place) = spec.fields().iter().position(|field| field.name == inner) {
                return measured(spec, of, place);
            }
            let known = spec.fields().iter().map(|field| field.name).chain(spec.yields.fires().then_some("fired"));
            refuse(Code::UnknownField, format!("{}, has no field `{inner}`", called(outer, spec)), suggest(inner, known))
        }
        (Bound::Signal { spec, .. }, None) => {
            refuse(Code::BadTemplate, format!("{}, is no value", called(outer, spec)), named_of(outer, spec))
        }
    }
}

/// What a name that there is none of may mean.
fn meant(name: &str, event: EventType, names: &Names<'_>) -> String {
    let outer = name.split_once('.').map_or(name, |(outer, _)| outer);
    if outer == "time" {
        "an alert says its time by itself; `time` is for conditions".to_owned()
    } else if field::find(event.fields(), name).is_some() {
        format!("did you mean `data.{name}`?")
    } else if names.param(name).is_some() {
        format!("did you mean `params.{name}`?")
    } else if name == "n" {
        let known = names.lets.iter().map(|(name, _)| name.as_str()).chain(["params.name", "data.field"]);
        format!("`{{n}}` numbers the events of a test; an explanation names {}", listed(known))
    } else {
        suggest(outer, names.lets.iter().map(|(name, _)| name.as_str()))
    }
}

/// How a value of that type is written in events of that type.
pub(crate) fn format(name: Option<&str>, ty: Ty, event: EventType, span: &Range<usize>, faults: &mut Vec<Fault>) -> Option<Format> {
    let Some(name) = name else { return Some(Format::Plain) };
    let read = Format::read(name, ty, event);
    read.map_err(|(message, help)| faults.push(Fault::new(Code::BadTemplate, span.clone(), message).help(help))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("plain", "plain")]
    #[case("{sends} codes", "<sends> codes")]
    #[case("a {b}{c.d} e", "a <b><c.d> e")]
    #[case("{{}}", "{}")]
    #[case("{{{a}}}", "{<a>}")]
    #[case("{ a }", "<a>")]
    #[case("{a.b:money} or { c : % }", "<a.b as money> or <c as %>")]
    fn a_template_splits_at_its_braces(#[case] text: &str, #[case] expected: &str) {
        let mut faults = Vec::new();
        let map = TextMap::new(text, &(0..text.len()), text);
        let parts = parse(text, &map, &mut faults).expect("a template");
        let shown: String = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Name(name, None, _) => format!("<{name}>"),
                Part::Name(name, Some(format), _) => format!("<{name} as {format}>"),
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[rstest]
    #[case("{")]
    #[case("}")]
    #[case("{}")]
    #[case("{a")]
    #[case("a}")]
    #[case("{a{b}}")]
    fn lone_braces_are_faults(#[case] text: &str) {
        let mut faults = Vec::new();
        assert!(parse(text, &TextMap::new(text, &(0..text.len()), text), &mut faults).is_none());
        assert!(faults.iter().all(|fault| fault.code == Code::BadTemplate));
    }
}
