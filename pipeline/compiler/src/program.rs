//! A rule's condition and explanation for each event type and each set of parameters.

use std::collections::BTreeSet;
use std::ops::Range;

use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, Privacy};
use rasid_detectors::value::OwnedValue;

use crate::binding::{Draft, Shape};
use crate::cel::Source;
use crate::diagnostic::{Code, Fault, suggest};
use crate::expression::Expr;
use crate::key::KeySpec;
use crate::lower::{self, Library};
use crate::names::{Bound, Mentions, Names, Param};
use crate::reader::{self, MapReader};
use crate::ruleset::{Piece, Program, Shown, Trigger};
use crate::template::{self, Part};
use crate::ty::Ty;
use crate::typecheck::Checker;
use crate::yaml::{Key, Node, NodeValue};

/// The text of a condition and where it stands.
pub(crate) struct Condition {
    span: Range<usize>,
    text: String,
}

/// The text of the condition; YAML reads a bare `true` or `5` as something else.
pub(crate) fn condition(node: &Node, what: &str, faults: &mut Vec<Fault>) -> Option<Condition> {
    let text = match &node.value {
        NodeValue::Bool(value) => value.to_string(),
        NodeValue::Int(value) => value.to_string(),
        _ => reader::text(node, what, faults)?.to_owned(),
    };
    Some(Condition { span: node.span.clone(), text })
}

impl Condition {
    pub(crate) fn parse(&self, file: &str, faults: &mut Vec<Fault>) -> Option<Source<'_>> {
        Source::parse(file, &self.span, &self.text).map_err(|fault| faults.push(fault)).ok()
    }
}

/// Other parameters for some events.
pub(crate) struct Override {
    /// `None` where it has a fault.
    applies: Option<Condition>,
    /// Every parameter of the rule, those that it does not name with their usual value.
    params: Vec<(String, Param)>,
    /// Where its parameters stand.
    span: Range<usize>,
}

/// The rule's `overrides`, in file order. `own`: the rule's parameters.
pub(crate) fn overrides(node: &Node, own: &[(Key, Param)], faults: &mut Vec<Fault>) -> Vec<Override> {
    let NodeValue::Seq(items) = &node.value else {
        let fault = reader::wrong(node, "`overrides`", "a list");
        faults.push(fault.help("- {if: data.purpose == \"payout\", params: {sends_max: 3}}"));
        return Vec::new();
    };
    let mut overrides = Vec::new();
    for item in items {
        let Some(mut map) = MapReader::new(item, "an override", faults) else { continue };
        let applies = map.required("if", faults).and_then(|node| condition(node, "`if`", faults));
        let given = map.required("params", faults);
        map.finish(faults);
        let mut params = plain_names(own);
        for (key, param) in given.map(|node| lower::params(node, faults)).unwrap_or_default() {
            let Some((_, slot)) = params.iter_mut().find(|(name, _)| *name == key.name) else {
                let fault = Fault::new(Code::UnknownParameter, key.span.clone(), format!("the rule has no parameter `{}`", key.name));
                faults.push(fault.help(suggest(&key.name, own.iter().map(|(key, _)| key.name.as_str()))));
                continue;
            };
            if kind(slot) == kind(&param) {
                *slot = param;
            } else if param != Param::Scalar(OwnedValue::Absent) {
                let message = format!("`{}` is {} here and {} in `params`", key.name, kind(&param), kind(slot));
                faults.push(
                    Fault::new(Code::TypeMismatch, key.span.clone(), message).help("an override keeps the type: 2.0 is a double, 2 an int"),
                );
            }
        }
        overrides.push(Override { applies, params, span: given.unwrap_or(item).span.clone() });
    }
    overrides
}

fn plain_names(params: &[(Key, Param)]) -> Vec<(String, Param)> {
    params.iter().map(|(key, param)| (key.name.clone(), param.clone())).collect()
}

fn kind(param: &Param) -> &'static str {
    match param {
        Param::Scalar(value) => Ty::of_value(value).name(),
        Param::List(_) => "a list",
    }
}

/// What a rule's programs are made from.
pub(crate) struct Programs<'a> {
    pub(crate) text: &'a str,
    pub(crate) library: &'a Library<'a>,
    /// The rule's own bindings, then the shared ones.
    pub(crate) lets: &'a [Draft],
    /// How many are its own.
    pub(crate) own: usize,
    pub(crate) params: &'a [(Key, Param)],
    pub(crate) overrides: &'a [Override],
    pub(crate) on: &'a [EventType],
    pub(crate) entity: Option<&'a KeySpec>,
    /// `None` where it could not be parsed; the same for the explanation.
    pub(crate) when: Option<&'a Source<'a>>,
    pub(crate) parts: Option<&'a [Part]>,
}

impl Programs<'_> {
    /// The programs for each type, fewer than types where something has a fault, and the fields outside the vocabulary
    /// that the rule reads.
    pub(crate) fn lower(&self, faults: &mut Vec<Fault>) -> (Vec<Trigger>, BTreeSet<String>) {
        let lets: Vec<(String, Option<Bound>)> = self
            .lets
            .iter()
            .enumerate()
            .map(|(index, draft)| (draft.name.name.clone(), draft.binding.as_ref().map(|(_, shape)| shape.bound(index))))
            .collect();
        let params = plain_names(self.params);
        let lists = &self.library.lists;
        let scoreless = self.entity.and_then(|entity| entity.kind).filter(|kind| kind.is_operational());
        let names = Names { lets: &lets, params: &params, event_only: None, scoreless, unsure: self.library.shared.unread, lists };
        let sources: Vec<Option<Source<'_>>> =
            self.overrides.iter().map(|other| other.applies.as_ref().and_then(|applies| applies.parse(self.text, faults))).collect();

        let mut triggers = Vec::new();
        let mut all = Mentions::default();
        for event in self.on {
            let entity = self.entity.and_then(|entity| entity.entity(*event).map_err(|fault| faults.push(fault)).ok());
            let usual = self.program(*event, &names, &mut all, faults);
            let mut programs = Vec::new();
            for (other, source) in self.overrides.iter().zip(&sources) {
                let applies = source.as_ref().and_then(|source| {
                    let names = Names::event_only("if", lists);
                    let mut mentions = Mentions::default();
                    let applies =
                        Checker { source, event: *event, names: &names, mentions: &mut mentions, faults, locals: Vec::new() }.condition();
                    all.unknowns.append(&mut mentions.unknowns);
                    applies
                });
                let names = Names { lets: &lets, params: &other.params, event_only: None, scoreless, unsure: false, lists };
                let changed = usual.as_ref().and_then(|_| self.changed(other, *event, &names, faults));
                programs.extend(applies.zip(changed).map(|(applies, program)| Program { applies: Some(applies), ..program }));
            }
            if let (Some(entity), Some(usual), true) = (entity, usual, programs.len() == self.overrides.len()) {
                programs.push(usual);
                triggers.push(Trigger { event: *event, entity, reads: Vec::new(), programs });
            }
        }
        if self.when.is_some() && self.parts.is_some() && !self.on.is_empty() {
            self.unused(&all, faults);
        }
        for draft in self.lets {
            all.unknowns.extend(draft.unknowns.iter().cloned());
        }
        (triggers, all.unknowns)
    }

    fn program(&self, event: EventType, names: &Names<'_>, all: &mut Mentions, faults: &mut Vec<Fault>) -> Option<Program> {
        let mut mentions = Mentions::default();
        let when =
            self.when.and_then(|source| Checker { source, event, names, mentions: &mut mentions, faults, locals: Vec::new() }.condition());
        let mut explained = self.parts.is_some();
        for part in self.parts.unwrap_or_default() {
            if let Part::Name(name, span) = part {
                explained &= template::check(name, span, event, names, &mut mentions, faults).is_some();
            }
        }
        all.lets.extend(&mentions.lets);
        all.params.extend(&mentions.params);
        all.unknowns.extend(mentions.unknowns.iter().cloned());
        let (when, parts, true) = (when?, self.parts?, explained) else { return None };
        let shown = shown(event, names, &mentions);
        let explain = pieces(parts, &shown);
        Some(Program { applies: None, when, explain, shown })
    }

    /// The program under an override's parameters. The usual one has no fault, so one that shows here is the
    /// override's, and is said there.
    fn changed(&self, other: &Override, event: EventType, names: &Names<'_>, faults: &mut Vec<Fault>) -> Option<Program> {
        let mut here = Vec::new();
        let program = self.program(event, names, &mut Mentions::default(), &mut here);
        faults.extend(here.into_iter().map(|fault| Fault {
            also: Some((fault.span.clone(), "with these parameters".to_owned())),
            span: other.span.clone(),
            ..fault
        }));
        program
    }

    fn unused(&self, mentioned: &Mentions, faults: &mut Vec<Fault>) {
        let feeds = self.lets.iter().filter_map(|draft| draft.binding.as_ref()).flat_map(|(binding, _)| &binding.feeds);
        let counted: BTreeSet<usize> = feeds.filter_map(|feed| feed.firings_of).collect();
        // What has a fault of its own may be what counts a detector's firings.
        let doubtful = self.lets.iter().take(self.own).any(|draft| draft.binding.is_none());
        for (index, draft) in self.lets.iter().enumerate().take(self.own) {
            if doubtful && matches!(draft.binding, Some((_, Shape::Signal(_)))) {
                continue;
            }
            if draft.binding.is_some() && !mentioned.lets.contains(&index) && !counted.contains(&index) {
                let fault = Fault::new(Code::Unused, draft.name.span.clone(), format!("nothing reads `{}`", draft.name.name));
                faults.push(fault.help("name it in `when` or `explain`, or remove it: a binding costs memory"));
            }
        }
        for (index, (key, _)) in self.params.iter().enumerate() {
            if !mentioned.params.contains(&index) {
                let fault = Fault::new(Code::Unused, key.span.clone(), format!("nothing reads the parameter `{}`", key.name));
                faults.push(fault.help(format!("name it as params.{} in `when` or `explain`, or remove it", key.name)));
            }
        }
    }
}

/// What the alert shows: every binding, the parameters and fields that are named.
fn shown(event: EventType, names: &Names<'_>, mentions: &Mentions) -> Vec<Shown> {
    let mut shown = Vec::new();
    for (name, bound) in names.lets {
        match bound {
            Some(Bound::Aggregate { read, privacy, .. }) if *privacy != Privacy::Hidden => {
                shown.push(Shown { name: name.clone(), value: Expr::Binding(*read), privacy: *privacy });
            }
            Some(Bound::Signal { read, spec }) => {
                shown.push(Shown { name: format!("{name}.fired"), value: Expr::Fired(*read), privacy: Privacy::Clear });
                shown.extend(spec.fields().iter().enumerate().map(|(index, field)| Shown {
                    name: format!("{name}.{}", field.name),
                    value: Expr::Signal(*read, index),
                    privacy: Privacy::Clear,
                }));
            }
            _ => {}
        }
    }
    for index in &mentions.params {
        if let Some((name, param)) = names.params.get(*index) {
            let value = match param {
                Param::Scalar(value) => value.clone(),
                Param::List(values) => OwnedValue::Str(values.iter().map(plain).collect::<Vec<_>>().join(", ").into()),
            };
            shown.push(Shown { name: format!("params.{name}"), value: Expr::Const(value), privacy: Privacy::Clear });
        }
    }
    if mentions.score {
        shown.push(Shown { name: "score".to_owned(), value: Expr::Score, privacy: Privacy::Clear });
    }
    for (path, name) in &mentions.fields {
        let Some((_, spec)) = field::find(event.fields(), name) else { continue };
        if spec.privacy != Privacy::Hidden && Ty::of_field(spec.ty).is_some() {
            shown.push(Shown { name: format!("data.{name}"), value: Expr::Field(*path), privacy: spec.privacy });
        }
    }
    shown
}

fn plain(value: &OwnedValue) -> String {
    match value {
        OwnedValue::Bool(value) => value.to_string(),
        OwnedValue::Int(value) => value.to_string(),
        OwnedValue::Double(value) => value.to_string(),
        OwnedValue::Str(value) => value.to_string(),
        OwnedValue::Absent | OwnedValue::Time(_) | OwnedValue::Duration(_) | OwnedValue::Object | OwnedValue::StandIn(_) => String::new(),
    }
}

fn pieces(parts: &[Part], shown: &[Shown]) -> Vec<Piece> {
    let piece = |part: &Part| match part {
        Part::Text(text) => Piece::Text(text.clone()),
        Part::Name(name, _) => {
            Piece::Value(shown.iter().position(|shown| shown.name == *name).expect("the check has let every name into the list"))
        }
    };
    parts.iter().map(piece).collect()
}
