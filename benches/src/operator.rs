//! Every operator of the list, fed and read by itself, over some keys.

use std::hint::black_box;

use rasid_detectors::entity::{EntityKind, KeyHasher};
use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::event::field::{self, FieldPath, FieldType};
use rasid_detectors::event::{Event, EventType};
use rasid_detectors::near::Near;
use rasid_detectors::operator::{
    Fact, Feeds, Form, OPERATORS, Of, OfField, Operator, OperatorSpec, OperatorVisitor, Setup, Yields, is_scalar,
};
use rasid_detectors::value::Value;
use serde_json::json;

use crate::{Case, keep, sample, workload};

/// Events in one run, of each type at most.
const EVENTS: usize = rasid_engine::EVENTS_COUNTED;
/// Keys that they fall on.
const KEYS: u64 = 50;
const WINDOW_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;
/// What stands for an event's record: its length is what a wait copies.
const RECORD: &[u8] = &[b' '; 400];
/// Fields that most aggregates are over; where one takes neither, the first that it takes.
const FIELDS: [(EventType, &str); 2] = [(EventType::PaymentCaptured, "amount"), (EventType::OtpRequested, "phone")];

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    OPERATORS.iter().flat_map(|spec| {
        let (types, of) = input(spec);
        let ty = of.and_then(|(event_type, path)| field::at(event_type.fields(), path)).map(|spec| spec.ty);
        let window_ms = if spec.named().is_some() { WINDOW_MS } else { 0 };
        let steps = json!({ "steps": vec![json!({ "times": 1, "within_ms": null }); 3] });
        let given = if spec.named().is_some_and(|named| named.steps) { steps } else { json!({}) };
        let operator = (spec.setup)((window_ms, 0), ty, given).expect("defaults suffice");
        operator.accept(Made { spec, input: keep(Input::new(&types, of)) })
    })
}

/// The event types that it is fed, and the field that it looks at.
fn input(spec: &OperatorSpec) -> (Vec<EventType>, Option<(EventType, FieldPath)>) {
    let named = match &spec.feeds {
        Feeds::Fixed { inputs, .. } => return (inputs.to_vec(), None),
        Feeds::Named(named) => named,
    };
    if !matches!(named.of, OfField::Of { .. }) {
        return (vec![EventType::PaymentCaptured], None);
    }
    let takes = |ty: FieldType| is_scalar(ty) && spec.yields.takes(ty);
    let all = EventType::PRODUCED.iter().flat_map(|of| of.fields().iter().map(|field| (*of, field.name)));
    let found = FIELDS.into_iter().chain(all).find_map(|(event_type, name)| {
        field::find(event_type.fields(), name).filter(|(_, field)| takes(field.ty)).map(|(path, _)| (event_type, path))
    });
    let (event_type, path) = found.unwrap_or_else(|| panic!("some field is one that {} takes", spec.name));
    (vec![event_type], Some((event_type, path)))
}

/// What an operator is fed, in order: events of the workload; of types that it lacks, samples.
struct Input {
    /// Events, each with the number of its key.
    events: Vec<(Event<'static>, usize)>,
    of: Option<Of>,
    hasher: KeyHasher,
}

impl Input {
    fn new(types: &[EventType], of: Option<(EventType, FieldPath)>) -> Self {
        let hasher = KeyHasher::new([7; 16]);
        let mut events: Vec<Event<'static>> = types.iter().flat_map(|event_type| self::events(*event_type)).collect();
        events.sort_by_key(Event::clock);
        let keyed = |event: Event<'static>| {
            let named = event.data.event_type().fields().iter().position(|field| !field.entities.is_empty());
            let path = named.map(|index| FieldPath { field: u8::try_from(index).expect("few fields"), child: None });
            let key = match path.map(|path| event.data.get(path)) {
                Some(Value::Str(id)) => hasher.hash(&[id.as_bytes()]) % KEYS,
                _ => 0,
            };
            (event, usize::try_from(key).expect("few keys"))
        };
        let of = of.and_then(|(event_type, path)| {
            let kind = field::at(event_type.fields(), path)?.entities.first().copied();
            Some(Of::Field { path, kind })
        });
        Self { events: events.into_iter().map(keyed).collect(), of, hasher }
    }

    /// The clock of the last event, ms.
    fn end_ms(&self) -> i64 {
        self.events.iter().map(|(event, _)| event.clock()).max().unwrap_or(0)
    }

    fn facts(&self) -> impl Iterator<Item = (Fact<'_, 'static>, usize)> {
        (0_u64..).zip(&self.events).map(|(number, (event, key))| {
            let fact = Fact {
                amount: None,
                known_key: None,
                event,
                at_ms: event.clock(),
                clock_ms: event.clock(),
                record: RECORD,
                identity: number,
                of: self.of,
                firing: None,
                above: number % 2 == 0,
                below: true,
                steps: 1 << (number % 3),
                hasher: &self.hasher,
            };
            (fact, *key)
        })
    }
}

fn events(event_type: EventType) -> Vec<Event<'static>> {
    let events = workload::events(&[event_type], EVENTS);
    if !events.is_empty() {
        return events.into_iter().map(|(event, _)| event).collect();
    }
    let records: &'static [String] = keep(sample::records(event_type, EVENTS, false).expect("clean ones there are of every type"));
    let event = |record: &'static String| match decode(record.as_bytes(), &Limits::default()) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("a sample of {} is {other:?}", event_type.name()),
    };
    records.iter().map(event).collect()
}

struct Made {
    spec: &'static OperatorSpec,
    input: &'static Input,
}

impl OperatorVisitor for Made {
    type Output = Vec<Case>;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> Vec<Case> {
        let Self { spec, input } = self;
        let states = || -> Vec<O::State> { (0..KEYS).map(|_| O::State::default()).collect() };
        let feed_all = |setup: &Setup<O::Params>, states: &mut Vec<O::State>| {
            let firings = input.facts().filter_map(|(fact, key)| O::feed(setup, &fact, states.get_mut(key)?));
            firings.count()
        };
        let elements = input.events.len();
        let fed = Case::new(format!("operator/{}/feed", spec.name), elements, {
            let setup = setup.clone();
            move || {
                let (setup, mut states) = (setup.clone(), states());
                move || (feed_all(&setup, &mut states), states)
            }
        });
        if spec.yields.fires() {
            return vec![fed];
        }
        let read = Case::new(format!("operator/{}/read", spec.name), elements, {
            let setup = setup.clone();
            move || {
                let (setup, mut states) = (setup.clone(), states());
                feed_all(&setup, &mut states);
                if O::FORM.is_of_all() {
                    // What shards took in is read where it is added up, of what is closed by then.
                    let mut whole = O::State::default();
                    for part in &states {
                        O::fold(&setup, input.end_ms(), &mut whole, part);
                    }
                    O::settle(&setup, input.end_ms() + HOUR_MS, &mut whole, &Near::default());
                    states.fill(whole);
                }
                // What is read is let go at once: kept, it would be the growth of a list, and what the allocator has free, that is counted.
                move || {
                    for (fact, key) in input.facts() {
                        let Some(state) = states.get(key) else { continue };
                        if O::FORM == Form::Graph {
                            let (user, _) = field::find(fact.event.data.event_type().fields(), "user_id").expect("a payment has one");
                            let Some(key) = fact.event.data.get(user).key(EntityKind::User, &input.hasher) else { continue };
                            drop(black_box(O::read_under(&setup, state, key, Some((fact.event, &input.hasher)))));
                        } else if let Yields::Measure(_) = O::YIELDS {
                            drop(black_box(O::measure(&setup, fact.at_ms, state)));
                        } else {
                            drop(black_box(O::read(&setup, fact.at_ms, state)));
                        }
                    }
                    states
                }
            }
        });
        vec![fed, read]
    }
}
