//! `let`: bindings, resolved against the event types that feed and read them.

use std::ops::Range;

use rasid_detectors::detector::{DETECTORS, DetectorParams, DetectorSpec};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldSpec, FieldType, Privacy};

use crate::canonical;
use crate::cel::Source;
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::key::KeySpec;
use crate::names::{Bound, Mentions, Names};
use crate::reader::{self, MapReader};
use crate::ruleset::{Binding, BindingKind, Feed, KeyPart, Of};
use crate::ty::Ty;
use crate::typecheck::Checker;
use crate::yaml::{Key, Node, NodeValue};

/// Windows: one second to thirty days.
const WINDOW_MS: std::ops::RangeInclusive<i64> = 1_000..=2_592_000_000;

/// A binding of one rule, before equal ones of other rules are found.
pub(crate) struct Draft {
    pub(crate) name: Key,
    /// `None` where it has a fault.
    pub(crate) binding: Option<(Binding, Shape)>,
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

const AGGREGATES: [(&str, BindingKind); 5] = [
    ("count", BindingKind::Count),
    ("sum", BindingKind::Sum),
    ("distinct", BindingKind::Distinct),
    ("last", BindingKind::Last),
    ("previous", BindingKind::Previous),
];

/// Reads the rule's `let`. `on`: the types that read the bindings.
pub(crate) fn lower(file: &str, node: &Node, on: &[EventType], faults: &mut Vec<Fault>) -> Vec<Draft> {
    let NodeValue::Map(entries) = &node.value else {
        faults.push(reader::wrong(node, "`let`", "a map of names and bindings"));
        return Vec::new();
    };
    let mut drafts = Vec::new();
    for (name, node) in entries {
        let named = reader::identifier(name, "a binding", faults);
        let binding = Lowering { file, on, faults }.binding(node);
        drafts.push(Draft { name: name.clone(), binding: binding.filter(|_| named) });
    }
    drafts
}

struct Lowering<'a> {
    file: &'a str,
    on: &'a [EventType],
    faults: &'a mut Vec<Fault>,
}

impl Lowering<'_> {
    fn fault<T>(&mut self, fault: Fault) -> Option<T> {
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
                let unknown: Vec<&Key> =
                    map.rest().map(|(key, _)| key).filter(|key| !["of", "by", "window", "where"].contains(&key.name.as_str())).collect();
                if let (false, [key]) = (several, unknown.as_slice()) {
                    let fault = Fault::new(Code::UnknownKey, key.span.clone(), format!("there is no aggregate `{}`", key.name));
                    return self.fault(fault.help(suggest(&key.name, names.into_iter().chain(["detector"]))));
                }
                let help = format!("name exactly one of {}", listed(names.into_iter().chain(["detector"])));
                self.fault(Fault::new(Code::BadBinding, map.span(), message).help(help))
            }
        }
    }

    fn aggregate(&mut self, name: &'static str, kind: &BindingKind, types: &Node, mut map: MapReader<'_>) -> Option<(Binding, Shape)> {
        let feeds = event_types(types, name, self.faults);
        let of = if *kind == BindingKind::Count { map.optional("of") } else { map.required("of", self.faults) };
        let by = map.required("by", self.faults);
        let window = map.required("window", self.faults);
        let filter = map.optional("where");
        map.finish(self.faults);

        let window = window.and_then(|node| reader::duration(node, "`window`", WINDOW_MS, self.faults));
        let by = by.and_then(|node| self.specs(node));
        let keys = by.and_then(|by| self.keys(&by, &feeds));
        let of = if *kind == BindingKind::Count { self.no_of(of) } else { of.and_then(|node| self.of(name, kind, node, &feeds)) };
        let filters = match filter {
            None => Some(vec![None; feeds.len()]),
            Some(node) => self.filters(node, &feeds),
        };
        let ((fields, shape), keys, window_ms, filters) = (of?, keys?, window?, filters?);
        if feeds.is_empty() {
            return None;
        }
        let mut feeds: Vec<Feed> = feeds
            .into_iter()
            .zip(filters)
            .enumerate()
            .map(|(index, (event, filter))| Feed { event, filter, of: fields.get(index).copied() })
            .collect();
        feeds.sort_by_key(|feed| feed.event);
        let canonical = canonical_text(&format!("{name} window={window_ms}"), &feeds, &keys);
        Some((Binding { kind: kind.clone(), window_ms, feeds, keys, canonical }, shape))
    }

    fn no_of(&mut self, of: Option<&Node>) -> Option<(Vec<Of>, Shape)> {
        match of {
            None => Some((Vec::new(), Shape::Aggregate(Ty::Int, Privacy::Clear))),
            Some(node) => {
                let fault = Fault::new(Code::BadOf, node.span.clone(), "`count` counts events and takes no `of`");
                self.fault(fault.help("remove it, or write `distinct` to count the different values of a field"))
            }
        }
    }

    /// The field that the aggregate looks at, in each feeding type, and what comes of it.
    fn of(&mut self, name: &str, kind: &BindingKind, node: &Node, feeds: &[EventType]) -> Option<(Vec<Of>, Shape)> {
        let text = reader::text(node, "`of`", self.faults)?;
        let text = text.strip_prefix("data.").unwrap_or(text);
        let mut fields = Vec::new();
        let mut shape: Option<(Ty, Privacy)> = None;
        for event in feeds {
            let Some((path, spec)) = field::find(event.fields(), text) else {
                let fault = Fault::new(Code::UnknownField, node.span.clone(), format!("{} has no field `{text}`", event.name()));
                return self.fault(fault.help(suggest(text, event.fields().iter().map(|field| field.name))));
            };
            let ty = match (kind, Ty::of_field(spec.ty)) {
                (BindingKind::Sum, Some(Ty::Int)) | (BindingKind::Distinct, Some(_)) => Ty::Int,
                (BindingKind::Sum, _) => {
                    return self
                        .fault(bad_of(node, text, spec, "`sum` takes a field of whole numbers", *event, &|ty| ty == FieldType::Int));
                }
                (_, None) => {
                    return self.fault(bad_of(node, text, spec, &format!("`{name}` takes a scalar field"), *event, &|ty| {
                        Ty::of_field(ty).is_some()
                    }));
                }
                (_, Some(ty)) => ty,
            };
            let privacy = if matches!(kind, BindingKind::Last | BindingKind::Previous) { spec.privacy } else { Privacy::Clear };
            shape = match shape {
                None => Some((ty, privacy)),
                Some((other, shown)) => {
                    let Some(ty) = ty.join(other) else {
                        let message = format!("`{text}` is {} in {} and {} elsewhere", ty.name(), event.name(), other.name());
                        return self.fault(Fault::new(Code::BadOf, node.span.clone(), message).help("use two bindings"));
                    };
                    Some((ty, strictest(privacy, shown)))
                }
            };
            fields.push(Of { path, kind: spec.entities.first().copied() });
        }
        shape.map(|(ty, privacy)| (fields, Shape::Aggregate(ty, privacy)))
    }

    fn filters(&mut self, node: &Node, feeds: &[EventType]) -> Option<Vec<Option<crate::expression::Expr>>> {
        let text = reader::text(node, "`where`", self.faults)?;
        let source = match Source::parse(self.file, &node.span, text) {
            Ok(source) => source,
            Err(fault) => return self.fault(fault),
        };
        let mut filters = Vec::new();
        for event in feeds {
            let mut mentions = Mentions::default();
            let checker = Checker { source: &source, event: *event, names: &Names::FILTER, mentions: &mut mentions, faults: self.faults };
            filters.push(checker.condition());
        }
        filters.into_iter().map(|filter| filter.map(Some)).collect()
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
        let mut feeds: Vec<Feed> = spec.inputs.iter().map(|event| Feed { event: *event, filter: None, of: None }).collect();
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

    fn specs(&mut self, node: &Node) -> Option<Vec<KeySpec>> {
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
    fn keys(&mut self, specs: &[KeySpec], feeds: &[EventType]) -> Option<Vec<(EventType, Vec<KeyPart>)>> {
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

fn bad_of(node: &Node, name: &str, spec: &FieldSpec, message: &str, event: EventType, takes: &dyn Fn(FieldType) -> bool) -> Fault {
    let found = Ty::of_field(spec.ty).map_or("an object or a list", Ty::name);
    let fields: Vec<&str> = event.fields().iter().filter(|field| takes(field.ty)).map(|field| field.name).collect();
    let help = if fields.is_empty() { format!("{} has none", event.name()) } else { format!("{} has {}", event.name(), listed(fields)) };
    Fault::new(Code::BadOf, node.span.clone(), format!("{message}, and `{name}` is {found}")).help(help)
}

/// What may be shown of a value that has either privacy.
fn strictest(a: Privacy, b: Privacy) -> Privacy {
    match (a, b) {
        _ if a == b => a,
        (Privacy::Clear, other) | (other, Privacy::Clear) => other,
        _ => Privacy::Hidden,
    }
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
fn canonical_text(kind: &str, feeds: &[Feed], keys: &[(EventType, Vec<KeyPart>)]) -> String {
    let mut out = vec![kind.to_owned()];
    for feed in feeds {
        let key: Vec<String> =
            keys.iter().filter(|(event, _)| *event == feed.event).flat_map(|(_, parts)| parts).map(|part| part_text(*part)).collect();
        out.push(format!("{}[{}]", feed.event.name(), key.join(" ")));
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
