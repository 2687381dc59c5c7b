//! Absence: an event that another should have followed, and did not.
//!
//! ```text
//! Input    the `after` types arm a wait, the `absence` types answer it              Key  as the rule says
//! Formula  a wait of an event at a is answered by one at b ≥ a that comes before the log's clock has passed
//!          clock at arming + window, or the time in its field `from` + window where that is later
//! Fires    at that instant, on the event that armed it, where nothing answered; `others` more of the key wait still
//! State    the newest answer and at most 16 waits, each with its event's record; an answer ends all that it is not before
//! Misses   what is armed while 16 waits are open; of a record of more than 8 KiB its long text and lists; an answer that comes late stops nothing that has fired
//! Alarms   wrongly where the stream of answers stands still: a source that lags makes all its answers absent
//! Source   a pattern with a negated end, as in SASE+ (Agrawal et al., SIGMOD 2008) and Elastic EQL's missing events
//! ```
//!
//! An answer belongs to when it happened: one that was delayed on its way, and came before the wait was over, counts, and
//! so does one that came before what it answers. How long is waited goes by the log's clock, which nobody can set back.

use serde::{Deserialize, Serialize};

use crate::event::field::FieldType;
use crate::operator::{Beside, Fact, Feeds, Form, HeapBounds, Named, NoParams, OfField, Operator, Second, Setup, Wait, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::{OwnedValue, Value};

/// Waits that one key may have at once: an adversary who opens more is told of 16 times.
const WAITS_MAX: usize = 16;
/// Longest record that is kept for a wait, bytes: some ten times an honest one. A longer one is kept without what pads it: padding
/// must neither hide an event nor cost all others their place.
const RECORD_BYTES_MAX: usize = 8_192;
/// How far ahead of the log's clock a time may lie from which is waited, ms: as far as anything is remembered.
const AHEAD_MS_MAX: i64 = 90 * 86_400_000;
/// The length of an honest record, bytes, for what is said of memory beforehand.
const RECORD_BYTES_USUAL: usize = 512;

const FIELDS: &[SignalField] = &[SignalField { name: "others", ty: SignalType::Int, doc: "how many more of the key wait still" }];

/// See the module's header.
pub struct Absence;

/// What one key waits for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    waits: Vec<Wait>,
    /// The event clock of the newest answer, ms.
    answered_ms: Option<i64>,
}

impl Operator for Absence {
    const NAME: &'static str = "absence";
    const VERSION: u16 = 1;
    const GIVES: &'static str =
        "An event that no other followed within the window: it fires when that is over, on the event that was not followed.";
    const FEEDS: Feeds = Feeds::Named(Named {
        types: "The event types that should have followed.",
        of: OfField::Beside(Beside {
            key: "from",
            means: "A time of the event that begins the wait, from which it is waited, where that is later: a booking's `scheduled_at`. An event without it begins no wait, nor one of more than 90d ahead.",
            example: "scheduled_at",
            takes: "a time",
            is: |ty| ty == FieldType::Time,
            second_alone: true,
        }),
        by: "What they have in common, as a kind of entity or several.",
        window: "How long is waited, 1m to 30d. Longer waits keep more events.",
        filter: "Which of the events that should have followed will do, in CEL over their `data`, parameters and lists; of firings, over the signal too.",
        second: Some(Second {
            key: "after",
            types: "The event types that begin a wait. All of them do; which of them matter is said by the rule's `when`.",
            required: true,
        }),
        ..Named::USUAL
    });
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const FORM: Form = Form::Timer;
    type Params = NoParams;
    type State = State;

    fn ttl_ms(setup: &Setup<NoParams>) -> i64 {
        setup.window_ms + 1 // the state is there when the wait is over
    }

    fn heap_bytes(state: &State) -> usize {
        state.waits.iter().map(|wait| size_of::<Wait>() + wait.event.heap_bytes()).sum()
    }

    fn heap_bounds(_: &Setup<NoParams>) -> HeapBounds {
        let wait = |record: usize| size_of::<Wait>() + record;
        HeapBounds { first: wait(RECORD_BYTES_USUAL), most: WAITS_MAX * wait(RECORD_BYTES_MAX) }
    }

    fn feed(setup: &Setup<NoParams>, fact: &Fact<'_, '_>, state: &mut State) -> Option<Signal> {
        let answered_ms = state.answered_ms;
        if fact.above {
            state.waits.retain(|wait| wait.at_ms > fact.at_ms);
            state.answered_ms = answered_ms.max(Some(fact.at_ms));
        }
        // An event of both sorts does not answer itself, nor another of its instant what that one has just answered.
        let is_answered = answered_ms.is_some_and(|answer_ms| answer_ms > fact.at_ms || (answer_ms == fact.at_ms && !fact.above));
        // The log's clock, which nobody can set back, or the time that the event names.
        let from_ms = match fact.value() {
            Value::Time(at_ms) => at_ms.max(fact.clock_ms),
            _ => fact.clock_ms,
        };
        let is_near = from_ms.saturating_sub(fact.clock_ms) <= AHEAD_MS_MAX;
        if fact.below
            && !is_answered
            && is_near
            && state.waits.len() < WAITS_MAX
            && let Some(event) = fact.stored_within(RECORD_BYTES_MAX)
        {
            let due_ms = from_ms.saturating_add(setup.window_ms);
            state.waits.push(Wait { due_ms, at_ms: fact.at_ms, identity: fact.identity, event });
        }
        None
    }

    fn waits(state: &State) -> &[Wait] {
        &state.waits
    }

    fn due(_: &Setup<NoParams>, identity: u64, state: &mut State) -> Option<Signal> {
        let place = state.waits.iter().position(|wait| wait.identity == identity)?;
        state.waits.remove(place);
        let others = i64::try_from(state.waits.len()).unwrap_or(i64::MAX);
        Some(Signal::new(FIELDS, [OwnedValue::Int(others)]))
    }
}
