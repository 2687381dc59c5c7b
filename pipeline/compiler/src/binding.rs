//! `let`: bindings, resolved against the event types that feed and read them.

use std::collections::BTreeSet;
use std::ops::Range;

use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{FieldType, Privacy};
use rasid_detectors::operator::{AnyOperator, Form, Of, OperatorSpec, aggregates, detectors};
use rasid_detectors::span;
use rasid_detectors::value::OwnedValue;

use crate::canonical::{self, Fields};
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::hint;
use crate::join::Side;
use crate::names::{Bound, Param, Tables};
use crate::reader::{self, MapReader};
use crate::ruleset::{Binding, EntityField, Feed, KeyPart, Sides};
use crate::ty::Ty;
use crate::yaml::{Key, Node, NodeValue};

/// A binding of one rule, before equal ones of other rules are found.
pub(crate) struct Draft {
    pub(crate) name: Key,
    /// `None` where it has a fault.
    pub(crate) binding: Option<(Binding, Shape)>,
    /// The key under which each event type of the rule reads it.
    pub(crate) reads: Vec<(EventType, Vec<KeyPart>)>,
    /// The fields outside the vocabulary that its `where` reads.
    pub(crate) unknowns: BTreeSet<String>,
    /// The rule's parameters that it is made with, by their place.
    pub(crate) params: BTreeSet<usize>,
}

impl Draft {
    /// A name without a binding.
    pub(crate) fn nothing(name: &Key) -> Self {
        Self { name: name.clone(), binding: None, reads: Vec::new(), unknowns: BTreeSet::new(), params: BTreeSet::new() }
    }
}

/// What conditions see of a binding.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Aggregate(Ty, Privacy),
    /// With the type of the field that it looks at.
    Measure(&'static OperatorSpec, Option<FieldType>, Privacy),
    Signal(&'static OperatorSpec),
}

impl Shape {
    pub(crate) fn bound(self, read: usize) -> Bound {
        match self {
            Self::Aggregate(ty, privacy) => Bound::Aggregate { read, ty, privacy },
            Self::Measure(spec, of, privacy) => Bound::Measure { read, spec, of, privacy },
            Self::Signal(spec) => Bound::Signal { read, spec },
        }
    }
}

/// What a `let` stands beside.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    /// The types that read the bindings.
    pub(crate) on: &'a [EventType],
    pub(crate) tables: &'a Tables,
    /// The rule's parameters, with the values that the bindings are made with.
    pub(crate) params: &'a [(String, Param)],
    /// What fires among the shared bindings.
    pub(crate) fires: &'a [Source],
}

/// Reads the rule's `let`.
pub(crate) fn lower(file: &str, node: &Node, beside: Beside<'_>, faults: &mut Vec<Fault>) -> Vec<Draft> {
    let NodeValue::Map(entries) = &node.value else {
        faults.push(reader::wrong(node, "`let`", "a map of names and bindings"));
        return Vec::new();
    };
    let counted = counted(entries);
    let mut drafts: Vec<Draft> = entries.iter().map(|(name, _)| Draft::nothing(name)).collect();
    // What fires comes first, as what counts firings must know it; of that, what takes no others'.
    let fires: BTreeSet<&str> =
        entries.iter().filter(|(_, node)| Rank::of(node) == Rank::Fires).map(|(name, _)| name.name.as_str()).collect();
    let rank_of = |node: &Node| match Rank::of(node) {
        Rank::Fires if !named_in(node).is_disjoint(&fires) => Rank::FiresByFirings,
        rank => rank,
    };
    for rank in [Rank::Detector, Rank::Fires, Rank::FiresByFirings, Rank::Value] {
        for (index, (name, node)) in entries.iter().enumerate().filter(|(_, (_, node))| rank_of(node) == rank) {
            let named = reader::identifier(name, "a binding", faults);
            let (mut sources, broken) = (sources(&drafts), broken(entries, &drafts));
            sources.extend(beside.fires.iter().filter(|shared| entries.iter().all(|(own, _)| own.name != shared.name)).cloned());
            let is_counted = counted.contains(name.name.as_str());
            let among = Among { beside, sources: &sources, broken: &broken, is_counted };
            let draft = one(file, name, node, &among, faults);
            if let Some(place) = drafts.get_mut(index) {
                *place = Draft { binding: draft.binding.filter(|_| named), ..draft };
            }
        }
    }
    drafts
}

/// What must be read before what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Detector,
    /// An aggregate that fires.
    Fires,
    /// One that another one's firings feed.
    FiresByFirings,
    Value,
}

impl Rank {
    fn of(node: &Node) -> Self {
        let NodeValue::Map(entries) = &node.value else { return Self::Value };
        let has = |name: &str| entries.iter().any(|(key, _)| key.name == name);
        match aggregates().find(|spec| spec.yields.fires() && has(spec.name)) {
            _ if has("detector") => Self::Detector,
            Some(_) => Self::Fires,
            None => Self::Value,
        }
    }
}

/// Whether a key names the second sort of events that some aggregate sets against a first.
fn is_second_key(key: &Key) -> bool {
    aggregates().filter_map(|spec| spec.named()?.second).any(|second| second.key == key.name)
}

/// The names that stand where event types do and are none: what fires, and is counted.
fn counted(entries: &[(Key, Node)]) -> BTreeSet<&str> {
    entries.iter().flat_map(|(_, node)| named_in(node)).collect()
}

/// The bindings of a `let`, with faults or without.
pub(crate) fn entries(node: Option<&Node>) -> &[(Key, Node)] {
    if let Some(NodeValue::Map(entries)) = node.map(|node| &node.value) { entries } else { &[] }
}

/// The names that stand where event types do in one binding.
pub(crate) fn named_in(node: &Node) -> BTreeSet<&str> {
    let aggregate = |key: &Key| aggregates().any(|spec| spec.name == key.name) || is_second_key(key);
    let keys = if let NodeValue::Map(keys) = &node.value { keys.as_slice() } else { &[] };
    keys.iter().filter(|(key, _)| aggregate(key)).flat_map(|(_, node)| named_under(node)).collect()
}

/// The names that stand where event types do under one key.
pub(crate) fn named_under(node: &Node) -> impl Iterator<Item = &str> {
    // A step's types may stand under a key of their own.
    let types = one_or_more(node).iter().flat_map(|node| types_of_step(node).unwrap_or(std::slice::from_ref(node)));
    types.filter_map(|node| if let NodeValue::Str(name) = &node.value { Some(name.as_str()) } else { None })
}

fn types_of_step(node: &Node) -> Option<&[Node]> {
    entries(Some(node)).iter().find(|(key, _)| key.name == "on").map(|(_, node)| one_or_more(node))
}

fn one_or_more(node: &Node) -> &[Node] {
    if let NodeValue::Seq(items) = &node.value { items } else { std::slice::from_ref(node) }
}

/// What fires, among drafts; what is fed firings itself is no source of them, as there are two stages and no third.
fn sources(drafts: &[Draft]) -> Vec<Source> {
    drafts.iter().enumerate().filter_map(|(place, draft)| source(place, draft)).collect()
}

/// A draft as what fires, by its place among the rule's bindings.
pub(crate) fn source(place: usize, entry: &Draft) -> Option<Source> {
    match &entry.binding {
        Some((binding, Shape::Signal(spec))) if binding.feeds.iter().all(|feed| feed.firings_of.is_none()) => {
            let fires_on = binding.feeds.iter().filter(|feed| spec.form == Form::Keyed || feed.sides.below).map(|feed| feed.event);
            let fires_on = fires_on.filter(|event| spec.fires_on.is_empty() || spec.fires_on.contains(event));
            let (inputs, canonical) = (fires_on.collect(), binding.canonical.clone());
            Some(Source { name: entry.name.name.clone(), draft: place, spec, inputs, canonical })
        }
        _ => None,
    }
}

/// The names of what fires and has a fault of its own: nothing more is said of what counts it.
fn broken<'a>(entries: &'a [(Key, Node)], drafts: &[Draft]) -> Vec<&'a str> {
    let of_both = entries.iter().zip(drafts);
    of_both
        .filter(|((_, node), draft)| Rank::of(node) != Rank::Value && draft.binding.is_none())
        .map(|((name, _), _)| name.name.as_str())
        .collect()
}

/// The events that begin a wait of one of the bindings, and how long that is, ms; `None` where the event says from when.
pub(crate) fn waits(drafts: &[Draft]) -> Vec<(EventType, Option<i64>)> {
    let bindings = drafts.iter().filter_map(|draft| draft.binding.as_ref()).map(|(binding, _)| binding);
    let timers = bindings.filter(|binding| binding.operator.spec().form == Form::Timer);
    let begun = |binding: &Binding| {
        let window_ms = binding.window_ms;
        let begins = binding.feeds.iter().filter(|feed| feed.sides.below);
        begins.map(|feed| (feed.event, feed.of.is_none().then_some(window_ms))).collect::<Vec<_>>()
    };
    timers.flat_map(begun).collect()
}

/// What people call something that fires: `leak, the detector contact_leak`, `unused, an absence`.
pub(crate) fn called(name: &str, spec: &OperatorSpec) -> String {
    let article = if spec.name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    match spec.named() {
        Some(_) => format!("`{name}`, {article} {}", spec.name),
        None => format!("`{name}`, the detector {}", spec.name),
    }
}

/// What conditions and explanations may name of something that fires.
pub(crate) fn named_of(name: &str, spec: &OperatorSpec) -> String {
    let fields: Vec<String> = spec.fields().iter().map(|field| format!("{name}.{}", field.name)).collect();
    format!("write {name}.fired, or one of {}", listed(fields.iter().map(String::as_str)))
}

/// The type of a field of what an operator says.
pub(crate) fn measured(spec: &OperatorSpec, of: Option<FieldType>, place: usize) -> Option<Ty> {
    Ty::of_field(spec.fields().get(place)?.ty.field_type(of))
}

/// What fires, and whose firings may be counted.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// Its place among the rule's bindings.
    pub(crate) draft: usize,
    pub(crate) spec: &'static OperatorSpec,
    /// The types of the events that it fires on.
    inputs: Vec<EventType>,
    canonical: String,
}

/// What a binding stands among.
pub(crate) struct Among<'a> {
    pub(crate) beside: Beside<'a>,
    /// The detectors beside it.
    pub(crate) sources: &'a [Source],
    /// The names of those beside it that have a fault.
    pub(crate) broken: &'a [&'a str],
    /// Whether another binding counts its firings, so that a rule may have it without looking at its events.
    pub(crate) is_counted: bool,
}

/// Reads one binding.
pub(crate) fn one(file: &str, name: &Key, node: &Node, among: &Among<'_>, faults: &mut Vec<Fault>) -> Draft {
    let Among { beside: Beside { on, tables, params, fires: _ }, sources, broken, is_counted } = *among;
    let mut lowering = Lowering {
        file,
        on,
        tables,
        sources,
        broken,
        is_counted,
        params,
        reads: Vec::new(),
        unknowns: BTreeSet::new(),
        used: BTreeSet::new(),
        faults,
    };
    let binding = lowering.binding(node);
    Draft { name: name.clone(), binding, reads: lowering.reads, unknowns: lowering.unknowns, params: lowering.used }
}

pub(crate) struct Lowering<'a> {
    pub(crate) file: &'a str,
    pub(crate) on: &'a [EventType],
    pub(crate) tables: &'a Tables,
    pub(crate) sources: &'a [Source],
    pub(crate) broken: &'a [&'a str],
    pub(crate) is_counted: bool,
    pub(crate) params: &'a [(String, Param)],
    /// Filled on the way: the key under which each of the types that read it does.
    pub(crate) reads: Vec<(EventType, Vec<KeyPart>)>,
    pub(crate) unknowns: BTreeSet<String>,
    /// The parameters that were named.
    pub(crate) used: BTreeSet<usize>,
    pub(crate) faults: &'a mut Vec<Fault>,
}

impl Lowering<'_> {
    pub(crate) fn fault<T>(&mut self, fault: Fault) -> Option<T> {
        self.faults.push(fault);
        None
    }

    fn binding(&mut self, node: &Node) -> Option<(Binding, Shape)> {
        let mut map = MapReader::new(node, "a binding", self.faults)?;
        let detector = map.if_there("detector");
        let mut given = Vec::new();
        for spec in aggregates() {
            if let Some(types) = map.if_there(spec.name) {
                given.push((spec, types));
            }
        }
        match (detector, given.as_slice()) {
            (Some(name), []) => self.detector(name, map),
            (None, [(spec, types)]) => self.aggregate(spec, types, map),
            _ => {
                let names = || aggregates().map(|spec| spec.name).chain(["detector"]);
                let several = given.len() + usize::from(detector.is_some()) > 1;
                let message =
                    if several { "a binding that is several things at once" } else { "a binding that says nothing of what it computes" };
                let unknown: Vec<&Key> = map
                    .rest()
                    .map(|(key, _)| key)
                    .filter(|key| !["of", "by", "match", "window", "where"].contains(&key.name.as_str()) && !is_second_key(key))
                    .collect();
                if let (false, [key]) = (several, unknown.as_slice()) {
                    let fault = Fault::new(Code::UnknownKey, key.span.clone(), format!("there is no aggregate `{}`", key.name));
                    return self.fault(fault.help(suggest(&key.name, names())));
                }
                let help = format!("name exactly one of {}", listed(names()));
                self.fault(Fault::new(Code::BadBinding, map.span(), message).help(help))
            }
        }
    }

    fn detector(&mut self, name: &Node, mut map: MapReader<'_>) -> Option<(Binding, Shape)> {
        let word = reader::text(name, "`detector`", self.faults);
        let spec = word.and_then(|word| detectors().find(|spec| spec.name == word));
        let by = self.by(&mut map, spec.map_or(&[][..], OperatorSpec::inputs).iter().copied());
        let join = by.and_then(|node| self.join(Some(node), None));
        let word = word?;
        let Some(spec) = spec else {
            let fault = Fault::new(Code::UnknownDetector, name.span.clone(), format!("there is no detector `{word}`"));
            return self.fault(fault.help(suggest(word, detectors().map(|spec| spec.name))));
        };
        let operator = self.set_up(spec, &map, &name.span, (0, 0), None);
        let looks = self.on.is_empty() || self.on.iter().any(|event| spec.inputs().contains(event));
        let readers = if looks || !self.is_counted { self.on } else { &[] };
        let inputs: Vec<(EventType, Side)> = spec.inputs().iter().map(|event| (*event, Side::Theirs)).collect();
        let keys = join.and_then(|join| self.keys(&join, &inputs, readers));
        let fires_on = spec.may_fire_on();
        if !self.is_counted && !self.on.is_empty() && !self.on.iter().any(|event| fires_on.contains(event)) {
            let events = listed(fires_on.iter().map(|event| event.name()));
            let message = format!("{word} fires on {events}, and the rule looks at none of them");
            let help = format!("add one of them to the rule's `on`: {events}");
            return self.fault(Fault::new(Code::NeverFires, name.span.clone(), message).help(help));
        }
        let (operator, keys) = (operator?, keys?);
        let feed = |(event, key): (&EventType, Vec<KeyPart>)| Feed {
            exchange: None,
            event: *event,
            key,
            firings_of: None,
            filter: None,
            steps: Vec::new(),
            of: None,
            sides: Sides::default(),
        };
        let feeds = spec.inputs().iter().zip(keys.feeds).map(feed).collect();
        self.reads = keys.reads;
        Some((binding_of(operator, feeds, &[]), Shape::Signal(spec)))
    }

    /// What stands for `params.name` in a binding: the parameter's value, in its place.
    pub(crate) fn param(&mut self, node: &Node) -> Option<Node> {
        let NodeValue::Str(text) = &node.value else { return None };
        let name = text.strip_prefix(PARAMS)?;
        let Some(index) = self.params.iter().position(|(other, _)| other == name) else {
            let fault = Fault::new(Code::UnknownParameter, node.span.clone(), format!("the rule has no parameter `{name}`"));
            return self.fault(fault.help(hint::param(name, self.params.iter().map(|(name, _)| name.as_str()))));
        };
        self.used.insert(index);
        let value = match &self.params.get(index)?.1 {
            Param::Scalar(OwnedValue::Bool(value)) => NodeValue::Bool(*value),
            Param::Scalar(OwnedValue::Int(value)) => NodeValue::Int(*value),
            Param::Scalar(OwnedValue::Double(value)) => NodeValue::Float(*value),
            Param::Scalar(OwnedValue::Str(value)) => NodeValue::Str(value.to_string()),
            Param::Scalar(_) => return None, // it has a fault of its own
            Param::List(_) => {
                let fault = Fault::new(Code::WrongType, node.span.clone(), format!("`params.{name}` is a list, expected one value"));
                return self.fault(fault.help("lists stand to the right of `in`"));
            }
        };
        Some(Node { span: node.span.clone(), value })
    }

    /// The operator with its own parameters out of the keys that are left. `span_ms`: window and offset.
    pub(crate) fn set_up(
        &mut self,
        spec: &'static OperatorSpec,
        map: &MapReader<'_>,
        at: &Range<usize>,
        span_ms: (i64, i64),
        of: Option<FieldType>,
    ) -> Option<AnyOperator> {
        self.set_up_with(spec, map, at, (span_ms, of), [])
    }

    /// The same with parameters that stand elsewhere than under their own key.
    pub(crate) fn set_up_with<const N: usize>(
        &mut self,
        spec: &'static OperatorSpec,
        map: &MapReader<'_>,
        at: &Range<usize>,
        (span_ms, of): ((i64, i64), Option<FieldType>),
        given: [(&str, serde_json::Value); N],
    ) -> Option<AnyOperator> {
        let properties = crate::schema::own_properties(spec);
        let mut json: serde_json::Map<_, _> = given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let before = self.faults.len();
        // What is left of an aggregate's keys has been told already.
        for (key, node) in map.rest().filter(|(key, _)| spec.named().is_none() || properties.contains_key(&key.name)) {
            let Some(property) = properties.get(&key.name) else {
                let fault = Fault::new(
                    Code::UnknownParameter,
                    key.span.clone(),
                    format!("the {} {} has no parameter `{}`", sort(spec), spec.name, key.name),
                );
                self.faults.push(fault.help(suggest(&key.name, properties.keys().map(String::as_str))));
                continue;
            };
            let named = self.param(node);
            if named.is_none() && is_param(node) {
                continue; // it has been told
            }
            if property.get("format").and_then(serde_json::Value::as_str) == Some(span::FORMAT) {
                let what = format!("`{}`", key.name);
                let millis = reader::duration(named.as_ref().unwrap_or(node), &what, span::Span::RANGE_MS, self.faults);
                json.extend(millis.map(|millis| (key.name.clone(), millis.into())));
                continue;
            }
            let Some(value) = json_of(named.as_ref().unwrap_or(node)) else {
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
        match (spec.setup)(span_ms, of, serde_json::Value::Object(json)) {
            Ok(operator) => match operator.never() {
                None => Some(operator),
                Some(why) => self.fault(Fault::new(Code::NeverFires, at.clone(), format!("this {} never gives a value: {why}", spec.name))),
            },
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
}

/// What an aggregate counts: events of a type, or the firings of a detector.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) event: EventType,
    /// The detector, by its place among the sources.
    pub(crate) firings_of: Option<usize>,
}

/// What a key names: event types, and detectors whose firings at their events are meant.
/// What has a fault of its own is left out.
pub(crate) fn counted_types(node: &Node, what: &str, sources: &[Source], broken: &[&str], faults: &mut Vec<Fault>) -> Vec<Counted> {
    let mut counted: Vec<(Range<usize>, Counted)> = Vec::new();
    let mut others = Vec::new();
    for item in reader::one_or_more(node, &format!("`{what}`"), faults) {
        let name = if let NodeValue::Str(name) = &item.value { Some(name) } else { None };
        match sources.iter().position(|source| Some(&source.name) == name) {
            Some(source) => {
                let inputs = sources.get(source).map_or(&[][..], |source| &source.inputs);
                counted.extend(inputs.iter().map(|event| (item.span.clone(), Counted { event: *event, firings_of: Some(source) })));
            }
            None if name.is_some_and(|name| broken.contains(&name.as_str())) => {}
            None => others.push(item),
        }
    }
    let plain = types_of(others, what, sources, faults);
    counted.extend(plain.into_iter().map(|(span, event)| (span, Counted { event, firings_of: None })));
    let both = |one: &Counted| counted.iter().filter(|(_, other)| other.event == one.event).count() > 1;
    if let Some((span, one)) = counted.iter().find(|(_, one)| one.firings_of.is_some() && both(one)) {
        let message = format!("{} counts here by itself and by a detector that looks at it, or by two", one.event.name());
        faults.push(Fault::new(Code::BadBinding, span.clone(), message).help("use two bindings"));
        return Vec::new();
    }
    let events: Vec<(Range<usize>, EventType)> = counted.iter().map(|(span, one)| (span.clone(), one.event)).collect();
    let events = reader::set(events, &format!("`{what}`"), faults);
    events.into_iter().filter_map(|event| counted.iter().map(|(_, one)| *one).find(|one| one.event == event)).collect()
}

/// The event types that a rule looks at; those that do not exist are faults. `lets`: what it binds.
pub(crate) fn looked_at(node: &Node, lets: Option<&Node>, faults: &mut Vec<Fault>) -> Vec<EventType> {
    let (bound, others): (Vec<_>, Vec<_>) = reader::one_or_more(node, "`on`", faults)
        .iter()
        .map(|item| (item, hint::bound(item, lets)))
        .partition(|(_, fault)| fault.is_some());
    faults.extend(bound.into_iter().filter_map(|(_, fault)| fault));
    let types = types_of(others.into_iter().map(|(item, _)| item), "on", &[], faults);
    if let Some((span, _)) = types.iter().find(|(_, event)| event.is_alert())
        && types.iter().any(|(_, event)| !event.is_alert())
    {
        let fault = Fault::new(Code::AlertsApart, span.clone(), "a rule that looks at alerts looks at nothing else");
        faults.push(fault.help("make two rules of it: alerts are looked at when all else has been"));
    }
    reader::set(types, "`on`", faults)
}

fn types_of<'n>(
    items: impl IntoIterator<Item = &'n Node>,
    what: &str,
    sources: &[Source],
    faults: &mut Vec<Fault>,
) -> Vec<(Range<usize>, EventType)> {
    let mut types = Vec::new();
    for item in items {
        let Some(name) = hint::type_name(item, what, faults) else { continue };
        if let Some(event) = EventType::from_name(name) {
            types.push((item.span.clone(), event));
        } else {
            let fault = Fault::new(Code::UnknownEventType, item.span.clone(), format!("there is no event type `{name}`"));
            let known = EventType::ALL.iter().map(|event| event.name()).chain(sources.iter().map(|source| source.name.as_str()));
            faults.push(fault.help(suggest(name, known)));
        }
    }
    types
}

/// How a binding names one of the rule's parameters.
const PARAMS: &str = "params.";

/// Whether it names one.
pub(crate) fn is_param(node: &Node) -> bool {
    matches!(&node.value, NodeValue::Str(text) if text.starts_with(PARAMS))
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

/// Whether people call it an aggregate or a detector.
fn sort(spec: &OperatorSpec) -> &'static str {
    if spec.named().is_some() { "aggregate" } else { "detector" }
}

/// The binding of an operator; `sources` are what its feeds' `firings_of` count among.
pub(crate) fn binding_of(operator: AnyOperator, mut feeds: Vec<Feed>, sources: &[Source]) -> Binding {
    feeds.sort_by_key(|feed| feed.event);
    let named = |feed: &Feed| {
        let source = feed.firings_of.and_then(|source| sources.get(source));
        Fields::Named(feed.event, source.map_or(&[], |source| source.spec.fields()))
    };
    let canonical = canonical_text(&operator, &feeds, sources, named);
    let former = canonical_text(&operator, &feeds, sources, |_| Fields::Numbered);
    // From here on by the place among the rule's bindings.
    for feed in &mut feeds {
        feed.firings_of = feed.firings_of.and_then(|source| sources.get(source)).map(|source| source.draft);
    }
    Binding { window_ms: operator.window_ms(), operator, feeds, near: None, canonical, former }
}

/// Equal text, equal state: everything that changes what is kept, by its resolved parts. Under which key it is read is no part
/// of it.
fn canonical_text(operator: &AnyOperator, feeds: &[Feed], sources: &[Source], fields: impl Fn(&Feed) -> Fields) -> String {
    let mut out = vec![operator.canonical()];
    for feed in feeds {
        let fields = fields(feed);
        let part = |part: &KeyPart| match *part {
            KeyPart::Entity(EntityField { kind, path }) => {
                format!("{}({})", kind.name(), path.map(|path| fields.text(path)).unwrap_or_default())
            }
            KeyPart::Value(path) => format!("value({})", fields.text(path)),
        };
        let key: Vec<String> = feed.key.iter().map(part).collect();
        out.push(format!("{}[{}]", feed.event.name(), key.join(" ")));
        let source = feed.firings_of.and_then(|source| sources.get(source));
        out.extend(source.map(|source| format!("firings=({})", source.canonical)));
        out.extend(feed.sides.above.then(|| "above".to_owned()));
        out.extend(feed.sides.below.then(|| "below".to_owned()));
        out.extend(feed.of.map(|of| match of {
            Of::Field { path, .. } => format!("of={}", fields.text(path)),
            Of::Signal { name, .. } => format!("of=signal.{name}"),
        }));
        out.extend(feed.exchange.as_ref().map(|(exchange, _)| format!("in={exchange:?}")));
        out.extend(feed.filter.as_ref().map(|filter| format!("where={}", canonical::text(filter, fields))));
        out.extend(feed.steps.iter().map(|step| {
            let filter = step.filter.as_ref().map(|filter| canonical::text(filter, fields));
            format!("step {}={}", step.number, filter.unwrap_or_default())
        }));
    }
    out.join(" ")
}
