//! `let`: bindings, resolved against the event types that feed and read them.

use std::collections::BTreeSet;
use std::ops::Range;

use rasid_detectors::detector::{DETECTORS, DetectorParams, DetectorSpec};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, Privacy};

use crate::aggregate::AGGREGATES;
use crate::canonical;
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::key::KeySpec;
use crate::list::Lists;
use crate::names::Bound;
use crate::reader::{self, MapReader};
use crate::ruleset::{Binding, BindingKind, Feed, KeyPart, Sides};
use crate::ty::Ty;
use crate::yaml::{Key, Node, NodeValue};

/// A binding of one rule, before equal ones of other rules are found.
pub(crate) struct Draft {
    pub(crate) name: Key,
    /// `None` where it has a fault.
    pub(crate) binding: Option<(Binding, Shape)>,
    /// The fields outside the vocabulary that its `where` reads.
    pub(crate) unknowns: BTreeSet<String>,
}

impl Draft {
    /// A name without a binding.
    pub(crate) fn nothing(name: &Key) -> Self {
        Self { name: name.clone(), binding: None, unknowns: BTreeSet::new() }
    }
}

/// What conditions see of a binding.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Aggregate(Ty, Privacy),
    Detector(&'static DetectorSpec),
}

impl Shape {
    pub(crate) fn bound(self, read: usize) -> Bound {
        match self {
            Self::Aggregate(ty, privacy) => Bound::Aggregate { read, ty, privacy },
            Self::Detector(spec) => Bound::Detector { read, spec },
        }
    }
}

/// Reads the rule's `let`. `on`: the types that read the bindings.
pub(crate) fn lower(file: &str, node: &Node, on: &[EventType], lists: &Lists, faults: &mut Vec<Fault>) -> Vec<Draft> {
    let NodeValue::Map(entries) = &node.value else {
        faults.push(reader::wrong(node, "`let`", "a map of names and bindings"));
        return Vec::new();
    };
    let mut drafts = Vec::new();
    for (name, node) in entries {
        let named = reader::identifier(name, "a binding", faults);
        let draft = one(file, name, node, on, lists, faults);
        drafts.push(Draft { binding: draft.binding.filter(|_| named), ..draft });
    }
    drafts
}

/// Reads one binding.
pub(crate) fn one(file: &str, name: &Key, node: &Node, on: &[EventType], lists: &Lists, faults: &mut Vec<Fault>) -> Draft {
    let mut lowering = Lowering { file, on, lists, unknowns: BTreeSet::new(), faults };
    let binding = lowering.binding(node);
    Draft { name: name.clone(), binding, unknowns: lowering.unknowns }
}

pub(crate) struct Lowering<'a> {
    pub(crate) file: &'a str,
    on: &'a [EventType],
    pub(crate) lists: &'a Lists,
    pub(crate) unknowns: BTreeSet<String>,
    pub(crate) faults: &'a mut Vec<Fault>,
}

impl Lowering<'_> {
    pub(crate) fn fault<T>(&mut self, fault: Fault) -> Option<T> {
        self.faults.push(fault);
        None
    }

    fn binding(&mut self, node: &Node) -> Option<(Binding, Shape)> {
        let mut map = MapReader::new(node, "a binding", self.faults)?;
        let detector = map.optional("detector");
        let mut given = Vec::new();
        for (name, kind) in AGGREGATES {
            if let Some(types) = map.optional(name) {
                given.push((name, kind, types));
            }
        }
        match (detector, given.as_slice()) {
            (Some(name), []) => self.detector(name, map),
            (None, [(name, kind, types)]) => self.aggregate(name, kind, types, map),
            _ => {
                let names = AGGREGATES.map(|(name, _)| name);
                let several = given.len() + usize::from(detector.is_some()) > 1;
                let message =
                    if several { "a binding that is several things at once" } else { "a binding that says nothing of what it computes" };
                let unknown: Vec<&Key> = map
                    .rest()
                    .map(|(key, _)| key)
                    .filter(|key| !["of", "per", "by", "window", "where"].contains(&key.name.as_str()))
                    .collect();
                if let (false, [key]) = (several, unknown.as_slice()) {
                    let fault = Fault::new(Code::UnknownKey, key.span.clone(), format!("there is no aggregate `{}`", key.name));
                    return self.fault(fault.help(suggest(&key.name, names.into_iter().chain(["detector"]))));
                }
                let help = format!("name exactly one of {}", listed(names.into_iter().chain(["detector"])));
                self.fault(Fault::new(Code::BadBinding, map.span(), message).help(help))
            }
        }
    }

    fn detector(&mut self, name: &Node, mut map: MapReader<'_>) -> Option<(Binding, Shape)> {
        let by = map.required("by", self.faults);
        let specs = by.and_then(|node| self.specs(node));
        let word = reader::text(name, "`detector`", self.faults)?;
        let Some(spec) = rasid_detectors::detector::find(word) else {
            let fault = Fault::new(Code::UnknownDetector, name.span.clone(), format!("there is no detector `{word}`"));
            return self.fault(fault.help(suggest(word, DETECTORS.iter().map(|spec| spec.name))));
        };
        let params = self.params(spec, &map, &name.span);
        let keys = specs.and_then(|specs| self.keys(&specs, spec.inputs));
        if !self.on.is_empty() && !self.on.iter().any(|event| spec.inputs.contains(event)) {
            let inputs = listed(spec.inputs.iter().map(|event| event.name()));
            let fault = Fault::new(Code::NeverFires, name.span.clone(), format!("{word} looks at {inputs}, and the rule at none of them"));
            return self.fault(fault.help(format!("add one of {inputs} to the rule's `on`")));
        }
        let (params, keys) = (params?, keys?);
        let mut feeds: Vec<Feed> =
            spec.inputs.iter().map(|event| Feed { event: *event, filter: None, of: None, sides: Sides::default() }).collect();
        feeds.sort_by_key(|feed| feed.event);
        let canonical = canonical_text(&format!("detector {}", params.canonical()), &feeds, &keys);
        Some((Binding { kind: BindingKind::Detector(params), window_ms: 0, feeds, keys, canonical }, Shape::Detector(spec)))
    }

    /// The detector's parameters out of the keys that are left.
    fn params(&mut self, spec: &'static DetectorSpec, map: &MapReader<'_>, at: &Range<usize>) -> Option<DetectorParams> {
        let properties = crate::schema::detector_properties(spec);
        let mut json = serde_json::Map::new();
        let before = self.faults.len();
        for (key, node) in map.rest() {
            let Some(property) = properties.get(&key.name) else {
                let fault = Fault::new(
                    Code::UnknownParameter,
                    key.span.clone(),
                    format!("the detector {} has no parameter `{}`", spec.name, key.name),
                );
                self.faults.push(fault.help(suggest(&key.name, properties.keys().map(String::as_str))));
                continue;
            };
            let Some(value) = json_of(node) else {
                self.faults.push(reader::wrong(node, &format!("`{}`", key.name), "a number or a word"));
                continue;
            };
            let (low, high) =
                (property.get("minimum").and_then(serde_json::Value::as_f64), property.get("maximum").and_then(serde_json::Value::as_f64));
            if let Some(number) = value.as_f64()
                && (low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high))
            {
                let expected = match (low, high) {
                    (Some(low), Some(high)) => format!("{low} to {high}"),
                    (Some(low), None) => format!("{low} or more"),
                    (_, high) => format!("{} or less", high.unwrap_or_default()),
                };
                self.faults.push(Fault::new(
                    Code::OutOfRange,
                    node.span.clone(),
                    format!("`{}` is {number}, expected {expected}", key.name),
                ));
            }
            json.insert(key.name.clone(), value);
        }
        if self.faults.len() > before {
            return None;
        }
        match (spec.parse)(serde_json::Value::Object(json)) {
            Ok(params) => Some(params),
            Err(error) => {
                let named = error.param.as_deref().and_then(|param| map.rest().find(|(key, _)| key.name == param));
                let span = named.map_or(at.clone(), |(_, node)| node.span.clone());
                self.fault(Fault::new(
                    Code::WrongType,
                    span,
                    format!("a parameter of {}: {}", spec.name, error.message.replace("f64", "a number").replace("u32", "a whole number")),
                ))
            }
        }
    }

    pub(crate) fn specs(&mut self, node: &Node) -> Option<Vec<KeySpec>> {
        let items = reader::one_or_more(node, "`by`", self.faults);
        let read: Vec<KeySpec> = items.iter().map(|item| KeySpec::read(item, "`by`", self.faults)).collect::<Option<_>>()?;
        let order = |spec: &KeySpec| spec.order().0;
        let mut specs: Vec<KeySpec> = Vec::new();
        for spec in read {
            if specs.iter().any(|other| other.order() == spec.order()) {
                self.faults.push(Fault::new(Code::DuplicateKey, spec.span, "`by` names this twice").help("remove one of the two"));
            } else {
                specs.push(spec);
            }
        }
        // Their order is no part of what a key is, so equal bindings meet however they are written.
        specs.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.order().cmp(&b.order())));
        (!specs.is_empty()).then_some(specs)
    }

    /// The key in each type that feeds or reads the binding.
    pub(crate) fn keys(&mut self, specs: &[KeySpec], feeds: &[EventType]) -> Option<Vec<(EventType, Vec<KeyPart>)>> {
        let mut events: Vec<EventType> = feeds.iter().chain(self.on).copied().collect();
        events.sort_unstable();
        events.dedup();
        let mut keys = Vec::new();
        let mut good = true;
        for event in events {
            let mut parts = Vec::new();
            for spec in specs {
                match spec.resolve(event) {
                    Ok(part) => parts.push(part),
                    Err(mut fault) => {
                        if !feeds.contains(&event) {
                            fault.message = format!("{}, where the rule reads this binding", fault.message);
                        }
                        self.faults.push(fault);
                        good = false;
                    }
                }
            }
            keys.push((event, parts));
        }
        good.then_some(keys)
    }
}

/// The event types that a key names; those that do not exist are faults.
pub(crate) fn event_types(node: &Node, what: &str, faults: &mut Vec<Fault>) -> Vec<EventType> {
    let mut types = Vec::new();
    for item in reader::one_or_more(node, &format!("`{what}`"), faults) {
        let Some(name) = reader::text(item, &format!("`{what}`"), faults) else { continue };
        if let Some(event) = EventType::from_name(name) {
            types.push((item.span.clone(), event));
        } else {
            let fault = Fault::new(Code::UnknownEventType, item.span.clone(), format!("there is no event type `{name}`"));
            faults.push(fault.help(suggest(name, EventType::ALL.iter().map(|event| event.name()))));
        }
    }
    reader::set(types, &format!("`{what}`"), faults)
}

fn json_of(node: &Node) -> Option<serde_json::Value> {
    match &node.value {
        NodeValue::Bool(value) => Some((*value).into()),
        NodeValue::Int(value) => Some((*value).into()),
        NodeValue::Float(value) => Some((*value).into()),
        NodeValue::Str(value) => Some(value.as_str().into()),
        NodeValue::Seq(items) => items.iter().map(json_of).collect::<Option<Vec<_>>>().map(Into::into),
        NodeValue::Null | NodeValue::Map(_) => None,
    }
}

/// Equal text, equal state: everything that changes what is kept, by its resolved parts. How types that only read it
/// find their key is no part of it.
pub(crate) fn canonical_text(kind: &str, feeds: &[Feed], keys: &[(EventType, Vec<KeyPart>)]) -> String {
    let mut out = vec![kind.to_owned()];
    for feed in feeds {
        let key: Vec<String> =
            keys.iter().filter(|(event, _)| *event == feed.event).flat_map(|(_, parts)| parts).map(|part| part_text(*part)).collect();
        out.push(format!("{}[{}]", feed.event.name(), key.join(" ")));
        out.extend(feed.sides.above.then(|| "above".to_owned()));
        out.extend(feed.sides.below.then(|| "below".to_owned()));
        out.extend(feed.of.map(|of| format!("of={}", path_text(of.path))));
        out.extend(feed.filter.as_ref().map(|filter| format!("where={}", canonical::text(filter))));
    }
    out.join(" ")
}

fn part_text(part: KeyPart) -> String {
    format!("{}({})", part.kind.name(), part.path.map(path_text).unwrap_or_default())
}

fn path_text(path: field::FieldPath) -> String {
    path.child.map_or_else(|| path.field.to_string(), |child| format!("{}.{child}", path.field))
}
