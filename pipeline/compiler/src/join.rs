//! `by` and `match`: under which key events change a binding, and under which key the current event reads it.

use std::ops::Range;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldType};

use crate::binding::Lowering;
use crate::diagnostic::{Code, Fault, listed};
use crate::key::{self, KeySpec, called, kind_of};
use crate::reader::{self, MapReader};
use crate::ruleset::KeyPart;
use crate::yaml::{Key, Node, NodeValue};

/// Ways to join that an error shows.
const SHOWN_MAX: usize = 4;

/// What the events that are counted and the current one have in common.
pub(crate) struct Join {
    /// Parts that are called the same on both sides.
    same: Vec<KeySpec>,
    /// Parts that are not.
    pairs: Pairs,
}

/// Theirs, ours.
type Pair = (KeySpec, KeySpec);

/// The pairs of each type that is counted.
type PairsOfTypes<'j> = Vec<(EventType, Vec<&'j Pair>)>;

/// `match`.
enum Pairs {
    /// For every event type that is counted.
    Of(Vec<Pair>),
    /// For each its own.
    ByType(Vec<OfType>),
}

/// `match` for one event type.
struct OfType {
    event: EventType,
    span: Range<usize>,
    pairs: Vec<Pair>,
}

/// Which side of a join events of a type stand on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// They are counted.
    Theirs,
    /// They read the binding, or what fires on them does.
    Ours,
}

/// The keys of a binding.
pub(crate) struct Keys {
    /// Of each type that changes it, as they were asked for.
    pub(crate) feeds: Vec<Vec<KeyPart>>,
    /// Of each type that reads it.
    pub(crate) reads: Vec<(EventType, Vec<KeyPart>)>,
}

impl Lowering<'_> {
    /// Reads what a binding says of its key; `None` where that has a fault.
    pub(crate) fn join(&mut self, by: Option<&Node>, matched: Option<&Node>) -> Option<Join> {
        let same = match by {
            None => Some(Vec::new()),
            Some(node) => self.specs(node),
        };
        let pairs = match matched {
            None => Some(Pairs::Of(Vec::new())),
            Some(node) => self.pairs(node),
        };
        let (same, pairs) = (same?, pairs?);
        let is_all = |spec: &KeySpec| spec.kind == Some(EntityKind::All);
        if let Some(all) = same.iter().find(|spec| is_all(spec))
            && (same.len() > 1 || matched.is_some())
        {
            let fault = Fault::new(Code::BadBinding, all.span.clone(), "`all` is the whole stream, and stands by itself");
            return self.fault(fault.help("remove it to tell keys apart, or what stands beside it"));
        }
        Some(Join { same, pairs })
    }

    fn specs(&mut self, node: &Node) -> Option<Vec<KeySpec>> {
        let items = reader::one_or_more(node, "`by`", self.faults);
        let read: Vec<KeySpec> = items.iter().map(|item| KeySpec::read(item, "`by`", self.faults)).collect::<Option<_>>()?;
        let mut specs: Vec<KeySpec> = Vec::new();
        for spec in read {
            if specs.iter().any(|other| other.order() == spec.order()) {
                self.faults.push(Fault::new(Code::DuplicateKey, spec.span, "`by` names this twice").help("remove one of the two"));
            } else {
                specs.push(spec);
            }
        }
        // Their order is no part of what a key is, so equal bindings meet however they are written.
        specs.sort_by(|a, b| a.order().cmp(&b.order()));
        (!specs.is_empty()).then_some(specs)
    }

    fn pairs(&mut self, node: &Node) -> Option<Pairs> {
        let NodeValue::Map(entries) = &node.value else {
            let fault = reader::wrong(node, "`match`", "a map of fields, theirs to ours");
            return self.fault(fault.help("the events that are counted on the left, the current event on the right: {user_id: client_id}"));
        };
        if !entries.iter().any(|(_, node)| matches!(node.value, NodeValue::Map(_))) {
            return self.pairs_of(entries).map(Pairs::Of);
        }
        let mut by_type = Vec::new();
        for (key, node) in entries {
            let NodeValue::Map(pairs) = &node.value else {
                let fault = reader::wrong(node, &format!("`{}` of `match`", key.name), "a map of fields, theirs to ours");
                return self.fault(fault.help("either all of `match` is told apart by event type, or nothing of it"));
            };
            let Some(event) = EventType::from_name(&key.name) else {
                let fault = Fault::new(Code::UnknownEventType, key.span.clone(), format!("there is no event type `{}`", key.name));
                return self.fault(fault.help("name the types that the binding counts"));
            };
            by_type.push(OfType { event, span: key.span.clone(), pairs: self.pairs_of(pairs)? });
        }
        Some(Pairs::ByType(by_type))
    }

    fn pairs_of(&mut self, entries: &[(Key, Node)]) -> Option<Vec<Pair>> {
        let mut pairs: Vec<Pair> = Vec::new();
        for (key, node) in entries {
            let theirs = KeySpec::side(&key.name, &key.span, self.faults);
            let text = reader::text(node, &format!("`{}` of `match`", key.name), self.faults);
            let ours = text.and_then(|text| KeySpec::side(text, &node.span, self.faults));
            pairs.push((theirs?, ours?));
        }
        // As with `by`: what is counted under one key is one binding, whoever reads it.
        pairs.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
        (!pairs.is_empty()).then_some(pairs)
    }

    /// What must stand under `by` in a binding that those types feed.
    pub(crate) fn by<'n>(&mut self, map: &mut MapReader<'n>, feeds: impl Iterator<Item = EventType>) -> Option<&'n Node> {
        map.required_as("by", || key::by(feeds.chain(self.on.iter().copied())), self.faults)
    }

    /// The key in each type that changes the binding, and in each that reads it.
    pub(crate) fn keys(&mut self, join: &Join, feeds: &[(EventType, Side)], on: &[EventType]) -> Option<Keys> {
        let pairs = self.pairs_by_type(join, feeds)?;
        let before = self.faults.len();
        let mut keys =
            Keys { feeds: feeds.iter().map(|_| Vec::new()).collect(), reads: on.iter().map(|event| (*event, Vec::new())).collect() };
        let count = join.same.len() + pairs.first().map_or(0, |(_, pairs)| pairs.len());
        for index in 0..count {
            let of = |event: EventType, side: Side| match join.same.get(index) {
                Some(spec) => spec,
                None => pair_of(&pairs, event, side, index - join.same.len()),
            };
            let sides = feeds.iter().copied().chain(on.iter().map(|event| (*event, Side::Ours)));
            let specs: Vec<(EventType, Side, &KeySpec)> = sides.map(|(event, side)| (event, side, of(event, side))).collect();
            let parts = self.part(&specs, index < join.same.len());
            let places = keys.feeds.iter_mut().chain(keys.reads.iter_mut().map(|(_, key)| key));
            places.zip(parts.into_iter().flatten()).for_each(|(key, part)| key.push(part));
        }
        (self.faults.len() == before).then_some(keys)
    }

    /// The pairs of each type that is counted, in one order: that of ours.
    fn pairs_by_type<'j>(&mut self, join: &'j Join, feeds: &[(EventType, Side)]) -> Option<PairsOfTypes<'j>> {
        let counted = feeds.iter().filter(|(_, side)| *side == Side::Theirs).map(|(event, _)| *event);
        let by_type = match &join.pairs {
            Pairs::Of(pairs) => {
                let mut all: Vec<_> = counted.map(|event| (event, pairs.iter().collect())).collect();
                if all.is_empty() {
                    // Nothing is counted but what fires on our side.
                    all.extend(feeds.first().map(|(event, _)| (*event, pairs.iter().collect())));
                }
                return Some(all);
            }
            Pairs::ByType(by_type) => by_type,
        };
        if let Some(OfType { event, span, .. }) = by_type.iter().find(|of| !feeds.iter().any(|(other, _)| *other == of.event)) {
            let fault = Fault::new(Code::BadBinding, span.clone(), format!("the binding does not count {}", event.name()));
            return self.fault(fault.help("name the types that it counts"));
        }
        let mut all: PairsOfTypes<'j> = Vec::new();
        for event in counted {
            let Some(OfType { span, pairs, .. }) = by_type.iter().find(|of| of.event == event) else {
                let OfType { span, .. } = by_type.first()?;
                let fault = Fault::new(Code::BadBinding, span.clone(), format!("`match` says nothing of {}", event.name()));
                return self.fault(fault.help("say it for each type that the binding counts"));
            };
            let Some((_, first)) = all.first() else {
                all.push((event, pairs.iter().collect()));
                continue;
            };
            let same = |(_, ours): &&Pair| pairs.iter().find(|(_, other)| other.order() == ours.order());
            let ordered: Vec<_> = first.iter().filter_map(same).collect();
            if ordered.len() != first.len() || pairs.len() != first.len() {
                let ours = listed(first.iter().map(|(_, ours)| ours.field.as_deref().unwrap_or_default()));
                let fault = Fault::new(
                    Code::BadBinding,
                    span.clone(),
                    format!("the right side of {} is another than that of the first type", event.name()),
                );
                return self.fault(fault.help(format!("every type is joined with the same fields of the current event: {ours}")));
            }
            all.push((event, ordered));
        }
        Some(all)
    }

    /// One part in each of the types: of one kind in all of them.
    fn part(&mut self, specs: &[(EventType, Side, &KeySpec)], is_by: bool) -> Option<Vec<KeyPart>> {
        let mut may_be: Vec<Vec<KeyPart>> = Vec::new();
        let before = self.faults.len();
        for (event, side, spec) in specs {
            match spec.parts(*event) {
                Ok(parts) => may_be.push(parts),
                Err(mut fault) => {
                    if *side == Side::Ours {
                        fault.message = format!("{}, where the rule reads this binding", fault.message);
                    }
                    if is_by && let Some(help) = ways(specs, *event, spec) {
                        fault.help = Some(help);
                    }
                    self.faults.push(fault);
                }
            }
        }
        if self.faults.len() > before {
            if let Some((theirs, ours)) = turned_round(specs).filter(|_| !is_by) {
                self.faults.truncate(before);
                let text = |spec: &KeySpec| spec.field.clone().unwrap_or_else(|| spec.text());
                let message =
                    format!("`{}: {}` is the wrong way round: the events that are counted stand on the left", text(theirs), text(ours));
                let help = format!("swap them: {}: {}", text(ours), text(theirs));
                return self.fault(Fault::new(Code::UnknownField, theirs.span.start..ours.span.end, message).help(help));
            }
            return None;
        }
        let is_in = |kind: Option<EntityKind>, parts: &[KeyPart]| parts.iter().any(|part| kind_of(*part) == kind);
        let first = may_be.first()?;
        let common = first.iter().map(|part| kind_of(*part)).find(|kind| may_be.iter().all(|parts| is_in(*kind, parts)));
        let of_type = |event: EventType, part: KeyPart| match part {
            KeyPart::Value(path) => {
                field::at(event.fields(), path).map(|spec| if let FieldType::Enum(_) = spec.ty { FieldType::String } else { spec.ty })
            }
            KeyPart::Entity(_) => None,
        };
        let found = common.and_then(|kind| {
            let parts: Vec<KeyPart> = may_be.iter().filter_map(|parts| parts.iter().copied().find(|part| kind_of(*part) == kind)).collect();
            let mut types = specs.iter().zip(&parts).map(|((event, ..), part)| of_type(*event, *part));
            let of_first = types.next();
            types.all(|ty| Some(ty) == of_first).then_some(parts)
        });
        if found.is_some() {
            return found;
        }
        let different = specs.iter().zip(&may_be).find(|((event, ..), parts)| {
            let theirs = first.iter().map(|part| kind_of(*part)).any(|kind| is_in(kind, parts));
            !theirs
                || parts.iter().zip(first).any(|(a, b)| of_type(*event, *a) != specs.first().and_then(|(event, ..)| of_type(*event, *b)))
        });
        let (((event, _, spec), parts), (first_event, _, first_spec)) = (different.or(specs.last().zip(may_be.last()))?, specs.first()?);
        let say = |spec: &KeySpec, event: EventType, parts: &[KeyPart]| {
            let what = parts.first().map_or_else(String::new, |part| called(*part, event));
            format!("`{}` of {} is of the kind {what}", spec.field.as_deref().unwrap_or_default(), event.name())
        };
        let message = format!("{}, and {}", say(first_spec, *first_event, first), say(spec, *event, parts));
        self.fault(Fault::new(Code::KindsDiffer, spec.span.clone(), message).help("join fields of one kind: both users, both devices"))
    }
}

/// The two sides of a pair that would be good the other way round.
fn turned_round<'s>(specs: &[(EventType, Side, &'s KeySpec)]) -> Option<(&'s KeySpec, &'s KeySpec)> {
    let of = |wanted: Side| specs.iter().find(|(_, side, _)| *side == wanted).map(|(.., spec)| *spec);
    let (theirs, ours) = (of(Side::Theirs)?, of(Side::Ours)?);
    let other = |side: Side| if side == Side::Theirs { ours } else { theirs };
    specs.iter().all(|(event, side, _)| other(*side).parts(*event).is_ok()).then_some((theirs, ours))
}

fn pair_of<'j>(pairs: &[(EventType, Vec<&'j Pair>)], event: EventType, side: Side, index: usize) -> &'j KeySpec {
    let of_type = pairs.iter().find(|(other, _)| *other == event && side == Side::Theirs).or(pairs.first());
    let pair = of_type.and_then(|(_, pairs)| pairs.get(index)).expect("every type has as many pairs");
    if side == Side::Theirs { &pair.0 } else { &pair.1 }
}

/// What to write in place of a part of `by` that is no key in events of `at`.
fn ways(specs: &[(EventType, Side, &KeySpec)], at: EventType, spec: &KeySpec) -> Option<String> {
    let kind = spec.kind.or_else(|| spec.parts(specs.first()?.0).ok()?.first().copied().and_then(kind_of))?;
    let spec = KeySpec { kind: Some(kind), ..spec.clone() };
    let everywhere = |field: &&str| {
        let named = KeySpec { field: Some((*field).to_owned()), ..spec.clone() };
        specs.iter().all(|(event, ..)| named.parts(*event).is_ok())
    };
    let here = spec.candidates(at);
    let mut found: Vec<String> =
        here.iter().filter(|field| everywhere(field)).map(|field| format!("by: {}({field})", kind.name())).collect();
    if found.is_empty() {
        // The side that has the fault in each of its ways, the other in each of its.
        let of = |wanted: Side| {
            let mut types: Vec<EventType> = specs.iter().filter(|(_, side, _)| *side == wanted).map(|(event, ..)| *event).collect();
            types.sort_unstable_by_key(|event| (*event != at, *event));
            types.into_iter().map(|event| spec.candidates(event)).find(|fields| !fields.is_empty()).unwrap_or_default()
        };
        let (theirs, ours) = (of(Side::Theirs), of(Side::Ours));
        found = theirs.iter().flat_map(|theirs| ours.iter().map(move |ours| format!("match: {{{theirs}: {ours}}}"))).collect();
    }
    let more = found.len().saturating_sub(SHOWN_MAX);
    found.truncate(SHOWN_MAX);
    let rest = if more > 0 { format!(", or {more} more") } else { String::new() };
    (!found.is_empty()).then(|| format!("say who is meant: {}{rest}", found.join(", or ")))
}
