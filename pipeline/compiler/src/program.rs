//! A rule's condition and explanation for each event type and each set of parameters.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldType, Privacy};
use rasid_detectors::operator::{OfField, Yields};
use rasid_detectors::signal::SignalType;
use rasid_detectors::value::OwnedValue;

use crate::binding::{self, Beside, Draft};
use crate::cel::Source;
use crate::diagnostic::{Code, Fault, listed};
use crate::expression::Expr;
use crate::hint;
use crate::key::KeySpec;
use crate::lower::{self, Library, Spared};
use crate::names::{Bound, Mentions, Names, Param};
use crate::reader::{self, MapReader};
use crate::ruleset::{Advice, EntityField, Format, Piece, Program, Receiver, Severity, Shown, Trigger, Weight};
use crate::severity;
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
    /// Where they are others than the rule's.
    severity: Option<Severity>,
    risk: Option<u8>,
    /// Inside: `None` where it takes the advice away.
    #[expect(clippy::option_option, reason = "outside: whether it is another; inside: whether there is any")]
    advice: Option<Option<Advice>>,
    /// Where its parameters stand.
    span: Range<usize>,
}

impl Override {
    /// Whether it says what should be done.
    pub(crate) fn advises(&self) -> bool {
        self.advice.flatten().is_some()
    }
}

/// What an override or a test may say of `advice`: also that there is none.
pub(crate) const ADVICE_OR_NONE: [(&str, Option<Advice>); 5] = [
    ("watch", Some(Advice::Watch)),
    ("challenge", Some(Advice::Challenge)),
    ("hold", Some(Advice::Hold)),
    ("block", Some(Advice::Block)),
    ("none", None),
];

/// The rule's `overrides`, in file order. `own`: the rule's parameters; `entity`: whom it is about.
pub(crate) fn overrides(node: &Node, own: &[(Key, Param)], entity: Option<EntityKind>, faults: &mut Vec<Fault>) -> Vec<Override> {
    let NodeValue::Seq(items) = &node.value else {
        let fault = reader::wrong(node, "`overrides`", "a list");
        faults.push(fault.help("- {if: data.purpose == \"payout\", params: {sends_max: 3}}"));
        return Vec::new();
    };
    let mut overrides = Vec::new();
    for item in items {
        let Some(mut map) = MapReader::new(item, "an override", faults) else { continue };
        let applies = map.required("if", faults).and_then(|node| condition(node, "`if`", faults));
        let given = map.optional("params");
        let severity = map.optional("severity").map(|node| severity::read(node, faults));
        let risk = map.optional("risk").map(|node| lower::risk(node, entity, faults));
        let advice = map.optional("advice").map(|node| lower::advice(node, entity, &ADVICE_OR_NONE, faults));
        map.finish(faults);
        if given.is_none() && severity.is_none() && risk.is_none() && advice.is_none() {
            let fault = Fault::new(Code::MissingKey, item.span.clone(), "an override that changes nothing");
            faults.push(fault.help("add `params: {…}`, `severity`, `risk` or `advice`"));
        }
        let mut params = plain_names(own);
        for (key, param) in given.map(|node| lower::params(node, faults)).unwrap_or_default() {
            let Some((_, slot)) = params.iter_mut().find(|(name, _)| *name == key.name) else {
                let fault = Fault::new(Code::UnknownParameter, key.span.clone(), format!("the rule has no parameter `{}`", key.name));
                faults.push(fault.help(hint::param(&key.name, own.iter().map(|(key, _)| key.name.as_str()))));
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
        let risk = risk.flatten().and_then(|risk| u8::try_from(risk).ok());
        let span = given.unwrap_or(item).span.clone();
        overrides.push(Override { applies, params, severity: severity.flatten(), risk, advice: advice.flatten(), span });
    }
    overrides
}

pub(crate) fn plain_names(params: &[(Key, Param)]) -> Vec<(String, Param)> {
    params.iter().map(|(key, param)| (key.name.clone(), param.clone())).collect()
}

/// Makes the bindings once more for each override that changes a parameter they are made with: each value keeps state of its
/// own. They are appended to `lets`, where equal ones meet again; gives where those of each override begin.
pub(crate) fn lets_of_overrides(
    text: &str,
    node: &Node,
    beside: Beside<'_>,
    overrides: &[Override],
    lets: &mut Vec<Draft>,
    faults: &mut Vec<Fault>,
) -> Vec<usize> {
    let mut begins = Vec::new();
    for other in overrides {
        let changes = |index: &usize| beside.params.get(*index) != other.params.get(*index);
        if !lets.iter().any(|draft| draft.params.iter().any(changes)) {
            begins.push(0);
            continue;
        }
        let mut here = Vec::new();
        let mut drafts = binding::lower(text, node, Beside { params: &other.params, ..beside }, &mut here);
        // What is wrong with the usual values too has been said.
        here.retain(|fault| !faults.contains(fault));
        faults.extend(here.into_iter().map(|fault| Fault {
            also: Some((fault.span.clone(), "with these parameters".to_owned())),
            span: other.span.clone(),
            ..fault
        }));
        // What fires may be a shared binding, which stands where it stood.
        let (begin, own) = (lets.len(), drafts.len());
        for feed in drafts.iter_mut().filter_map(|draft| draft.binding.as_mut()).flat_map(|(binding, _)| &mut binding.feeds) {
            feed.firings_of = feed.firings_of.map(|source| if source < own { source + begin } else { source });
        }
        begins.push(begin);
        lets.append(&mut drafts);
    }
    begins
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
    /// The rule's own bindings, then the shared ones, then its own again as overrides change them.
    pub(crate) lets: &'a [Draft],
    /// How many are its own.
    pub(crate) own: usize,
    /// How many have a name: its own and the shared ones.
    pub(crate) named: usize,
    /// Where those of each override begin.
    pub(crate) others: &'a [usize],
    /// What a hit weighs; told are nobody where the rule does not say who.
    pub(crate) usual: &'a Weight,
    /// The lists whose entries are spared.
    pub(crate) except: &'a [Spared],
    pub(crate) params: &'a [(Key, Param)],
    pub(crate) overrides: &'a [Override],
    pub(crate) on: &'a [EventType],
    pub(crate) entity: Option<&'a KeySpec>,
    /// `None` where it could not be parsed; the same for the explanation.
    pub(crate) when: Option<&'a Source<'a>>,
    pub(crate) parts: Option<&'a [Part]>,
    /// The whole rule.
    pub(crate) root: &'a Node,
}

impl Programs<'_> {
    /// The programs for each type, fewer than types where something has a fault, and the fields outside the vocabulary
    /// that the rule reads.
    pub(crate) fn lower(&self, faults: &mut Vec<Fault>) -> (Vec<Trigger>, BTreeSet<String>) {
        let lets = self.bound(0);
        let params = plain_names(self.params);
        let tables = &self.library.tables;
        let scoreless = self.entity.and_then(|entity| entity.kind).filter(|kind| kind.is_operational());
        let names = Names { lets: &lets, params: &params, event_only: None, scoreless, unsure: self.library.shared.unread, tables };
        let sources: Vec<Option<Source<'_>>> =
            self.overrides.iter().map(|other| other.applies.as_ref().and_then(|applies| applies.parse(self.text, faults))).collect();

        let mut triggers = Vec::new();
        let mut all = Mentions::default();
        for event in self.on {
            let entity = self.entity.and_then(|entity| entity.entity(*event).map_err(|fault| faults.push(fault)).ok());
            let mut usual = self.program(*event, &names, &mut all, faults);
            let spared = entity.map(|entity| self.spared(*event, entity, faults)).unwrap_or_default();
            let mut programs = Vec::new();
            for ((number, other), source) in self.overrides.iter().enumerate().zip(&sources) {
                let applies = source.as_ref().and_then(|source| {
                    let names = Names::event_only("if", tables);
                    let mut mentions = Mentions::default();
                    let applies =
                        Checker { source, event: *event, names: &names, mentions: &mut mentions, faults, locals: Vec::new() }.condition();
                    all.unknowns.append(&mut mentions.unknowns);
                    applies
                });
                let lets = self.bound(self.others.get(number).copied().unwrap_or_default());
                let names = Names { lets: &lets, params: &other.params, event_only: None, scoreless, unsure: false, tables };
                let changed = usual.as_ref().and_then(|_| self.changed(other, *event, &names, faults));
                let weight = self.weight(other.severity, other.risk, other.advice);
                let changed = changed.map(|program| Program { weight, when: but(&spared, program.when), ..program });
                programs.extend(applies.zip(changed).map(|(applies, program)| Program { applies: Some(applies), ..program }));
            }
            usual = usual.map(|program| Program { when: but(&spared, program.when), ..program });
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

    /// What a hit weighs where an override says so; where nobody is named who is told, that goes by the severity.
    #[expect(clippy::option_option, reason = "outside: whether it is another; inside: whether there is any")]
    fn weight(&self, severity: Option<Severity>, risk: Option<u8>, advice: Option<Option<Advice>>) -> Weight {
        let severity = severity.unwrap_or(self.usual.severity);
        let deliver = match (self.usual.deliver.as_slice(), severity) {
            ([], Severity::Sev0 | Severity::Sev1) => vec![Receiver::Core, Receiver::Oncall],
            ([], _) => vec![Receiver::Core],
            (named, _) => named.to_vec(),
        };
        Weight { severity, risk: risk.unwrap_or(self.usual.risk), advice: advice.unwrap_or(self.usual.advice), deliver }
    }

    /// Whether the rule's entity is in one of the lists whose entries are spared.
    fn spared(&self, event: EventType, entity: EntityField, faults: &mut Vec<Fault>) -> Vec<Expr> {
        let mut found = Vec::new();
        for Spared { list, span } in self.except {
            let spec = entity.path.and_then(|path| Some((path, field::at(event.fields(), path)?)));
            let Some((path, spec)) = spec else {
                let message = format!("an alert about `{}` is about nobody whom a list could spare", entity.kind.name());
                faults.push(Fault::new(Code::WrongList, span.clone(), message).help("remove it, or put the test into `when`"));
                continue;
            };
            if list.kind.is_none_or(|kind| !spec.entities.contains(&kind)) {
                let kind = list.kind.map_or("text", EntityKind::name);
                let message = format!("`list.{}` holds the kind `{kind}`, and the rule is about `{}`", list.name, entity.kind.name());
                let known = listed(spec.entities.iter().map(|kind| kind.name()));
                faults.push(Fault::new(Code::WrongList, span.clone(), message).help(format!("name a list of one of {known}")));
                continue;
            }
            found.push(Expr::InList(Box::new(Expr::Field(path)), Arc::clone(list)));
        }
        found
    }

    /// What the names are bound to, with the rule's own bindings from that place on.
    fn bound(&self, begin: usize) -> Vec<(String, Option<Bound>)> {
        let place = |index: usize| if index < self.own { begin + index } else { index };
        let bound = |index: usize| {
            let draft = self.lets.get(place(index))?;
            Some((draft.name.name.clone(), draft.binding.as_ref().map(|(_, shape)| shape.bound(place(index)))))
        };
        (0..self.named).filter_map(bound).collect()
    }

    /// The operator of a binding that counts, whatever it looks at.
    fn counts(&self, name: &str) -> Option<&'static str> {
        let draft = self.lets.iter().find(|draft| draft.name.name == name)?;
        let spec = draft.binding.as_ref()?.0.operator.spec();
        // What makes a number of a text makes one that is no amount.
        let of_text = matches!(spec.yields, Yields::Value(of) if of(FieldType::String) == Some(FieldType::Int));
        let of_none = spec.named().is_some_and(|named| !matches!(named.of, OfField::Of { .. }));
        (of_text || of_none).then_some(spec.name)
    }

    fn program(&self, event: EventType, names: &Names<'_>, all: &mut Mentions, faults: &mut Vec<Fault>) -> Option<Program> {
        let mut mentions = Mentions::default();
        let when =
            self.when.and_then(|source| Checker { source, event, names, mentions: &mut mentions, faults, locals: Vec::new() }.condition());
        let mut explained = self.parts.is_some();
        let mut formats = Vec::new();
        for part in self.parts.unwrap_or_default() {
            if let Part::Name(name, format, span) = part {
                let ty = template::check(name, span, event, names, &mut mentions, faults);
                let format = ty.and_then(|ty| template::format(format.as_deref(), ty, event, span, faults));
                if let (Some(format), Some(operator)) = (&format, self.counts(name))
                    && format.is_of_amounts()
                {
                    let message = format!("`{name}` is a {operator}, and no amount");
                    let help = "leave the colon and what follows out".to_owned();
                    faults.push(Fault::new(Code::BadTemplate, span.clone(), message).help(help));
                    explained = false;
                }
                explained &= format.is_some();
                formats.push(format.unwrap_or_default());
            }
        }
        all.lets.extend(&mentions.lets);
        all.params.extend(&mentions.params);
        all.unknowns.extend(mentions.unknowns.iter().cloned());
        let (when, parts, true) = (when?, self.parts?, explained) else { return None };
        let shown = shown(event, names, &mentions);
        let explain = pieces(parts, formats, &shown);
        Some(Program { applies: None, when, weight: self.weight(None, None, None), explain, shown })
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
}

/// What the alert shows: every binding, the parameters and fields that are named.
fn shown(event: EventType, names: &Names<'_>, mentions: &Mentions) -> Vec<Shown> {
    let mut shown = Vec::new();
    for (name, bound) in names.lets {
        match bound {
            Some(Bound::Aggregate { read, privacy, .. }) if *privacy != Privacy::Hidden => {
                shown.push(Shown { name: name.clone(), value: Expr::Binding(*read), privacy: *privacy });
            }
            Some(Bound::Measure { read, spec, privacy, .. }) if *privacy != Privacy::Hidden => {
                shown.push(Shown { name: name.clone(), value: Expr::Binding(*read), privacy: *privacy });
                shown.extend(spec.fields().iter().enumerate().skip(1).map(|(index, field)| Shown {
                    name: format!("{name}.{}", field.name),
                    value: Expr::Signal(*read, index),
                    privacy: if matches!(field.ty, SignalType::OfField) { *privacy } else { Privacy::Clear },
                }));
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

/// `formats`: how each of the names is written, in their order.
fn pieces(parts: &[Part], formats: Vec<Format>, shown: &[Shown]) -> Vec<Piece> {
    let mut formats = formats.into_iter();
    let named = |name: &str| shown.iter().position(|shown| shown.name == name);
    // A measure's first field is shown under its binding's name alone.
    let place_of = |name: &str| named(name).or_else(|| named(name.split_once('.')?.0));
    let piece = |part: &Part| match part {
        Part::Text(text) => Piece::Text(text.clone()),
        Part::Name(name, ..) => {
            let place = place_of(name).expect("the check has let every name into the list");
            Piece::Value(place, formats.next().unwrap_or_default())
        }
    };
    parts.iter().map(piece).collect()
}

/// The condition for all but those of whom one of the tests holds.
fn but(spared: &[Expr], when: Expr) -> Expr {
    spared.iter().fold(when, |when, spared| Expr::And(Box::new(Expr::Not(Box::new(spared.clone()))), Box::new(when)))
}
