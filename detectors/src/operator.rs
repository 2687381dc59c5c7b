//! What a keyed operator is: whatever a rule can bind that has a state for each key, be it a count or a detector.
//!
//! An operator is one file: a header that states its formula, `Params`, `State`, `feed`, `read` and tests. To add one,
//! copy one and add its line to the list in `lib.rs`: tables, snapshots, the rule files' schema, the type checker and the
//! reference pages come from that list.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::entity::{EntityKind, KeyHasher};
use crate::event::columns::{ColumnsEvent, KeptEvent};
use crate::event::compact::compacted;
use crate::event::field::{FieldPath, FieldType};
use crate::event::{Data, Event, EventType};
use crate::near::Near;
use crate::signal::{Signal, SignalField};
use crate::value::{OwnedValue, Value};

/// A day, ms.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// A keyed operator. Pure: what it says is a function of its parameters and of what it was fed, and time comes from the
/// events alone.
pub trait Operator: 'static {
    /// Its name in rule files. A detector's is the bad pattern that it sees.
    const NAME: &'static str;
    /// Raised when a state is stored otherwise, or means something else: a state of another version is not read, and the
    /// operator starts anew.
    const VERSION: u16;
    /// An older version whose states [`Operator::former`] reads, so that they go on.
    const FORMER_VERSION: Option<u16> = None;
    /// What it gives, in one line, for people.
    const GIVES: &'static str;
    /// Which events it is fed.
    const FEEDS: Feeds;
    /// What a condition sees of it.
    const YIELDS: Yields;
    /// Whose state there is, and whether time alone makes it say something.
    const FORM: Form = Form::Keyed;
    /// Of a detector: those of its inputs at which it may fire, all of them where none is named. The others only teach it.
    const FIRES_ON: &'static [EventType] = &[];
    /// At which events it has a value.
    const HEARD: Heard = Heard::Anywhere;
    /// Whether an event that feeds it reads it as it was before.
    const READS_BEFORE: bool = false;
    /// Whether it may leave the newest of its window out: `offset`.
    const TAKES_OFFSET: bool = false;
    /// The longest window that a rule may ask of it where it has a state for each key, ms. Whoever comes once is kept so long: more
    /// than ninety days only where that is a few bytes.
    const WINDOW_MS_MAX: i64 = 90 * DAY_MS;
    /// Whether it looks into raw values: texts, addresses, exact places. It is fed no events out of an archive's columns.
    const NEEDS_RAW: bool = false;
    /// The number that its values are never below, whatever it is fed; `None` where there is none.
    const LEAST: Option<i64> = None;
    /// What an analyst may set beside what [`Feeds`] says. Every parameter has a default.
    type Params: Clone + Send + Sync + Serialize + DeserializeOwned + JsonSchema + 'static;
    /// What is remembered of one key. Bounded, and saved with the engine's state: what it serialises to is all there is
    /// of it.
    type State: Clone + Default + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// How far back a value looks, ms: a rule waits in shadow for as long after it was changed.
    fn reach_ms(setup: &Setup<Self::Params>) -> i64 {
        setup.window_ms
    }

    /// How long after its newest event a key is forgotten, ms of event clock.
    fn ttl_ms(setup: &Setup<Self::Params>) -> i64 {
        setup.window_ms
    }

    /// Reads a state as [`Operator::FORMER_VERSION`] saved it. Where there is none, but versions before this one were: as the first
    /// did, of which snapshots of old formats hold tables that have to be passed over.
    ///
    /// # Errors
    /// Whatever the bytes are wrong in.
    fn former<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::State, D::Error> {
        Self::State::deserialize(deserializer)
    }

    /// Heap memory of a state, bytes, for the bound on memory. A function of what the state holds, never of a
    /// collection's capacity: a state that was saved and restored must count the same.
    fn heap_bytes(_: &Self::State) -> usize {
        0
    }

    /// How much [`Operator::heap_bytes`] is after a key's first event, and at the most: what an analyst is told that a binding costs.
    fn heap_bounds(_: &Setup<Self::Params>) -> HeapBounds {
        HeapBounds::default()
    }

    /// The newest event clock that a state was fed, ms, where it is over a window: an event that lies a window or more
    /// behind it has no value there.
    fn newest_ms(_: &Self::State) -> Option<i64> {
        None
    }

    /// Takes in one event of the key that `state` belongs to; a detector says what it sees in it, and a measure of events what
    /// this one's is.
    fn feed(setup: &Setup<Self::Params>, fact: &Fact<'_, '_>, state: &mut Self::State) -> Option<Signal>;

    /// The value at an event of that key; [`OwnedValue::Absent`] where there is none, and always for what yields none.
    fn read(setup: &Setup<Self::Params>, at_ms: i64, state: &Self::State) -> OwnedValue {
        let _ = (setup, at_ms, state);
        OwnedValue::Absent
    }

    /// Of what yields a [`Yields::Measure`]: the same, with all its fields. At an event that feeds it, what [`Operator::feed`] says
    /// of the event goes before it.
    fn measure(setup: &Setup<Self::Params>, at_ms: i64, state: &Self::State) -> Option<Signal> {
        let _ = (setup, at_ms, state);
        None
    }

    /// Where it has no value and can tell how far it is from one: that.
    fn lacks(setup: &Setup<Self::Params>, state: &Self::State) -> Option<Lacking> {
        let _ = (setup, state);
        None
    }

    /// Of a [`Form::Timer`]: what the state waits for, by due time, and in the order in which it was armed.
    fn waits(_: &Self::State) -> &[Wait] {
        &[]
    }

    /// Of a [`Form::Timer`]: the log's clock has passed the due time of the wait of that identity, which is over by it; what
    /// is to be said of that, if anything.
    fn due(setup: &Setup<Self::Params>, identity: u64, state: &mut Self::State) -> Option<Signal> {
        let _ = (setup, identity, state);
        None
    }

    /// Why it never gives a value as it is set up, where it never does: a rule with it would be silent.
    fn never(setup: &Setup<Self::Params>) -> Option<&'static str> {
        let _ = setup;
        None
    }

    /// Of a [`Form::Graph`]: the kinds of entity whose keys it knows. It is read under keys of those, and near entries of a list of one.
    fn kinds(setup: &Setup<Self::Params>) -> Vec<EntityKind> {
        let _ = setup;
        Vec::new()
    }

    /// Of what has one state for all keys: adds what a shard took in during a minute to the state of all, as of `closed_ms`, the
    /// instant that closed it, and forgets what has left the window by then. The order of parts must change nothing.
    fn fold(setup: &Setup<Self::Params>, closed_ms: i64, whole: &mut Self::State, part: &Self::State) {
        let _ = (setup, closed_ms, whole, part);
    }

    /// Of what has one state for all keys: forgets the oldest of what that keeps, as memory is short; whether there was any.
    fn forget(_: &mut Self::State) -> bool {
        false
    }

    /// Of a [`Form::Graph`], when parts were added up, something was forgotten, or there is another list: works out what is read
    /// from now on. That is a function of what is saved and of the list alone, so that a restart changes nothing.
    fn settle(setup: &Setup<Self::Params>, closed_ms: i64, whole: &mut Self::State, near: &Near) {
        let _ = (setup, closed_ms, whole, near);
    }

    /// Of a [`Form::Graph`]: what is read under a key. `fed`: the current event, where that feeds it, and what makes its keys.
    fn read_under(setup: &Setup<Self::Params>, whole: &Self::State, key: u64, fed: Option<(&Event<'_>, &KeyHasher)>) -> Option<Signal> {
        let _ = (setup, whole, key, fed);
        None
    }
}

/// At which events an operator has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// At every event that has its key.
    Anywhere,
    /// At those alone that feed it: it says something of the event itself.
    WhereFed,
}

/// Whose state an operator has, and whether time alone makes it say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One state a key, which events change and read.
    Keyed,
    /// The same, and it has waits: when the log's clock has passed one's due time, the event that armed it is seen once
    /// more, as of then. It fires by that and not by events.
    Timer,
    /// One state for all keys: shards take in parts, which are added up when a minute of the log's clock closes; every event
    /// of the next minute reads the same.
    Population,
    /// The same, and it is read under a key of the current event: what all keys are to each other.
    Graph,
}

impl Form {
    /// Whether there is one state for all keys.
    pub fn is_of_all(self) -> bool {
        matches!(self, Self::Population | Self::Graph)
    }
}

/// What a timer waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The instant of the log's clock after which it is over, ms: its clock at arming and a window.
    pub due_ms: i64,
    /// The event clock of the event that armed it, ms.
    pub at_ms: i64,
    /// That event's identity.
    pub identity: u64,
    /// What is seen once more.
    pub event: Stored,
}

/// An event, so that it may be seen once more. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub enum Stored {
    /// Its record, as it came, or without what padded it.
    Record(Box<[u8]>),
    /// Out of columns.
    Columns(Box<ColumnsEvent>),
    /// Out of columns of a type that this version does not know: it cannot be seen once more.
    Lost,
}

/// The same as any version may have kept it.
#[derive(Deserialize)]
enum Kept {
    Record(Box<[u8]>),
    Columns(Box<KeptEvent>),
    Lost,
}

impl From<Kept> for Stored {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Record(record) => Self::Record(record),
            Kept::Columns(event) => event.today().map_or(Self::Lost, |event| Self::Columns(Box::new(event))),
            Kept::Lost => Self::Lost,
        }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.heap_bytes())
    }
}

impl Stored {
    /// What it costs, bytes.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Record(record) => record.len(),
            Self::Columns(event) => size_of::<ColumnsEvent>() + event.heap_bytes(),
            Self::Lost => 0,
        }
    }
}

/// What a state holds on the heap, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapBounds {
    /// After a key's first event.
    pub first: usize,
    /// At the most, however many events there are.
    pub most: usize,
}

impl HeapBounds {
    /// Those of two states side by side.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { first: self.first + other.first, most: self.most + other.most }
    }
}

/// How far an operator is from having a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// What it has.
    pub have: u64,
    /// The parameter that says how much it takes.
    pub param: &'static str,
    /// How much that is.
    pub need: u64,
}

/// `50 of at_least 100`.
impl std::fmt::Display for Lacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} {}", self.have, self.param, self.need)
    }
}

/// How a rule's binding sets an operator up.
#[derive(Clone, Debug)]
pub struct Setup<P> {
    /// How far back is remembered, ms. 0 for detectors, which keep their own time.
    pub window_ms: i64,
    /// How much of that, from now back, is left out: values are over (T − window, T − offset]. 0 for all that take none.
    pub offset_ms: i64,
    /// The type of the field that it looks at, the same in every event type.
    pub of: Option<FieldType>,
    /// Its own parameters.
    pub params: P,
}

/// The parameters of an operator that has none of its own.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// An event, as the operator of one of its keys sees it.
#[derive(Clone, Copy)]
pub struct Fact<'f, 'a> {
    /// The event.
    pub event: &'f Event<'a>,
    /// Its event clock, ms.
    pub at_ms: i64,
    /// The log's clock at it, ms: the newest event clock so far.
    pub clock_ms: i64,
    /// Its record, as it came.
    pub record: &'f [u8],
    /// A hash that tells events of one instant apart.
    pub identity: u64,
    /// The field that the binding looks at.
    pub of: Option<Of>,
    /// Its amount in another currency, which then stands for the field's value.
    pub amount: Option<i64>,
    /// What [`Fact::value_key`] gives, where somebody has worked it out before.
    pub known_key: Option<u64>,
    /// The firing that is fed, where the binding is fed those of a detector.
    pub firing: Option<&'f Signal>,
    /// For an operator that sets two sorts of events against each other: it is one of the first sort.
    pub above: bool,
    /// The same: it is one of the second. An event may be both.
    pub below: bool,
    /// For an operator of steps: those that it is, one bit each, the first the lowest.
    pub steps: u8,
    /// Makes keys and hashes.
    pub hasher: &'f KeyHasher,
}

impl<'f> Fact<'f, '_> {
    /// The event, so that it may be seen once more.
    pub fn stored(&self) -> Stored {
        match &self.event.data {
            Data::Columns(columns) => Stored::Columns(Box::new(ColumnsEvent::of(self.event, columns.as_ref().clone()))),
            _ => Stored::Record(self.record.into()),
        }
    }

    /// The same, without what pads its record where that has more than so many bytes; `None` where it has more all the same.
    pub fn stored_within(&self, bytes_max: usize) -> Option<Stored> {
        if self.record.len() <= bytes_max || matches!(self.event.data, Data::Columns(_)) {
            return Some(self.stored());
        }
        compacted(self.record, self.event.data.event_type(), bytes_max).map(|record| Stored::Record(record.into()))
    }

    /// The value of the field that the binding looks at.
    pub fn value(&self) -> Value<'f> {
        match (self.of, self.amount) {
            (None, _) => Value::Absent,
            (Some(_), Some(amount)) => Value::Int(amount),
            (Some(of), None) => of.value(self.event, self.firing),
        }
    }

    /// A hash that tells the field's values apart; two spellings of one entity are one value.
    pub fn value_key(&self) -> Option<u64> {
        let (of, hasher) = (self.of?, self.hasher);
        if self.known_key.is_some() {
            return self.known_key;
        }
        let kind = match of {
            Of::Field { kind, .. } => kind,
            Of::Signal { .. } => None,
        };
        match self.value() {
            Value::Str(text) => Some(kind.map_or_else(|| hasher.hash(&[b"s", text.as_bytes()]), |kind| hasher.key(kind, text))),
            Value::StandIn(stand_in) => {
                let by_kind = kind.and_then(|kind| stand_in.key(kind));
                Some(by_kind.unwrap_or_else(|| hasher.hash(&[b"s", stand_in.pseudonym.as_bytes()])))
            }
            Value::Int(number) => Some(hasher.hash(&[b"i", &number.to_le_bytes()])),
            Value::Double(number) => Some(hasher.hash(&[b"d", &number.to_bits().to_le_bytes()])),
            Value::Bool(truth) => Some(hasher.hash(&[b"b", &[u8::from(truth)]])),
            Value::Time(instant) => Some(hasher.hash(&[b"t", &instant.to_le_bytes()])),
            Value::Absent | Value::Duration(_) | Value::Object => None,
        }
    }
}

/// A field that a binding looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Of {
    /// Of the event.
    Field {
        /// Where it is.
        path: FieldPath,
        /// The kind of entity it names, so that two spellings of one phone count as one.
        kind: Option<EntityKind>,
    },
    /// Of the detector's signal.
    Signal {
        /// Its place among the fields that the detector declares.
        field: usize,
        /// Its name.
        name: &'static str,
    },
}

impl Of {
    /// The field of the event that is looked at.
    pub fn path(&self) -> Option<FieldPath> {
        match self {
            Self::Field { path, .. } => Some(*path),
            Self::Signal { .. } => None,
        }
    }

    /// Its value, in an event or in the firing that is fed.
    #[inline]
    pub fn value<'f>(&self, event: &'f Event<'_>, firing: Option<&'f Signal>) -> Value<'f> {
        match self {
            Self::Field { path, .. } => event.data.get(*path),
            Self::Signal { field, .. } => firing.and_then(|signal| signal.get(*field)).map_or(Value::Absent, OwnedValue::borrow),
        }
    }
}

/// Which events an operator is fed.
#[derive(Clone, Copy, Debug)]
pub enum Feeds {
    /// Those that the rule names: `{NAME: types, of: field, by: kind, window: 10m, where: …}`. It is an aggregate. What
    /// has one state for all keys takes no `by`.
    Named(Named),
    /// Always the same: `{detector: NAME, by: kind, …}`. It is a detector.
    Fixed {
        /// The event types.
        inputs: &'static [EventType],
        /// The fields of those that it looks at, beside those that name its key.
        reads: &'static [&'static str],
    },
}

/// What the keys of an aggregate mean, each in one line for people.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The event types.
    pub types: &'static str,
    /// The field.
    pub of: OfField,
    /// What has a value of its own.
    pub by: &'static str,
    /// The window.
    pub window: &'static str,
    /// The filter.
    pub filter: &'static str,
    /// A second sort of events, for an operator that sets two against each other.
    pub second: Option<Second>,
    /// Whether its own key lists steps, each of event types with a filter of its own, in place of event types: it looks for one
    /// after the other. It then takes no `where`, and its parameters get `steps` besides.
    pub steps: bool,
    /// Whether a list may be named under `near`, from whose entries it counts how far somebody is, and what that means, in one line for
    /// people.
    pub near: Option<&'static str>,
}

/// The second of two sorts of events that an aggregate sets against each other.
#[derive(Clone, Copy, Debug)]
pub struct Second {
    /// The key that names its types.
    pub key: &'static str,
    /// What the key means, in one line for people.
    pub types: &'static str,
    /// Whether it must stand there; where it need not, both sorts are of the same types.
    pub required: bool,
}

impl Named {
    /// What most aggregates say.
    pub const USUAL: Self = Self {
        types: "The event types that it looks at.",
        of: OfField::None { because: "counts events", instead: "remove it" },
        by: "The kind of entity that has a value of its own; several for each combination.",
        window: "How far back, 1s to 90d. Longer sees slower abuse and keeps more state.",
        filter: "Which of those events, in CEL over their `data`, parameters and lists; of firings, over the signal too.",
        second: None,
        steps: false,
        near: None,
    };
}

/// Whether an aggregate looks at a field.
#[derive(Clone, Copy, Debug)]
pub enum OfField {
    /// At none.
    None {
        /// What it does instead, after its name.
        because: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// At one beside what it counts, under a key of its own; it may be left out.
    Beside(Beside),
    /// At one.
    Of {
        /// What it takes: "a field of numbers".
        takes: &'static str,
        /// A field that it may be of.
        example: &'static str,
        /// Whether a value says little of any one event's, so that it may leave whatever the field is.
        clears: bool,
    },
}

/// A field that an aggregate may look at beside what it counts.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// The key that names it.
    pub key: &'static str,
    /// What it means, in one line for people.
    pub means: &'static str,
    /// A field that it may be.
    pub example: &'static str,
    /// What it takes: "a time".
    pub takes: &'static str,
    /// Which types of fields that is.
    pub is: fn(FieldType) -> bool,
    /// Whether only the second sort of events has it.
    pub second_alone: bool,
}

/// What a condition sees of an operator.
#[derive(Clone, Copy, Debug)]
pub enum Yields {
    /// A value of the type that the function gives for the field's type; `None`: it does not take such a field. What
    /// looks at no field is asked with [`FieldType::Object`].
    Value(fn(FieldType) -> Option<FieldType>),
    /// A value with others beside it: the first of the fields is read by the binding's own name, and each by its own.
    Measure(Measure),
    /// Whether it fired at this event, and then these fields.
    Signal(&'static [SignalField]),
}

/// A value with others beside it.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Which types of fields it looks at. What looks at no field is asked with [`FieldType::Object`].
    pub of: fn(FieldType) -> bool,
    /// Its fields, the value itself first.
    pub fields: &'static [SignalField],
}

impl Yields {
    /// Whether it is something that fires.
    pub fn fires(&self) -> bool {
        matches!(self, Self::Signal(_))
    }

    /// Whether it takes a field of that type.
    pub fn takes(&self, ty: FieldType) -> bool {
        match self {
            Self::Value(of) => of(ty).is_some(),
            Self::Measure(measure) => (measure.of)(ty),
            Self::Signal(_) => false,
        }
    }
}

/// A field of numbers, for [`Measure::of`].
pub fn is_number(ty: FieldType) -> bool {
    matches!(ty, FieldType::Int | FieldType::Double)
}

/// Whether conditions can hold a value of that type.
pub fn is_scalar(ty: FieldType) -> bool {
    !matches!(ty, FieldType::Object | FieldType::List)
}

/// Something to be done with an operator's type, whichever it is.
pub trait OperatorVisitor {
    /// What comes of it.
    type Output;

    /// Does it, with the setup in force.
    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> Self::Output;
}

/// Why parameters were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamsError {
    /// The parameter, where it is known.
    pub param: Option<String>,
    /// serde's words.
    pub message: String,
}

/// Makes an operator of window and offset, the type of the field, and parameters.
pub type SetUp = fn((i64, i64), Option<FieldType>, serde_json::Value) -> Result<AnyOperator, ParamsError>;

/// What can be known of an operator without running it.
#[derive(Clone, Copy, Debug)]
pub struct OperatorSpec {
    /// See [`Operator::NAME`].
    pub name: &'static str,
    /// See [`Operator::VERSION`].
    pub version: u16,
    /// See [`Operator::FORMER_VERSION`].
    pub former_version: Option<u16>,
    /// See [`Operator::GIVES`].
    pub gives: &'static str,
    /// See [`Operator::FEEDS`].
    pub feeds: Feeds,
    /// See [`Operator::YIELDS`].
    pub yields: Yields,
    /// See [`Operator::FIRES_ON`].
    pub fires_on: &'static [EventType],
    /// See [`Operator::HEARD`].
    pub heard: Heard,
    /// See [`Operator::FORM`].
    pub form: Form,
    /// See [`Operator::NEEDS_RAW`].
    pub needs_raw: bool,
    /// See [`Operator::READS_BEFORE`].
    pub reads_before: bool,
    /// See [`Operator::TAKES_OFFSET`].
    pub takes_offset: bool,
    /// See [`Operator::WINDOW_MS_MAX`].
    pub window_ms_max: i64,
    /// See [`Operator::LEAST`].
    pub least: Option<i64>,
    /// Its file, from the repository's root.
    pub file: &'static str,
    /// The JSON Schema of its own parameters.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    /// Sets it up: window and offset in ms, the type of the field, its own parameters as a JSON object, of which what lacks takes
    /// its default.
    pub setup: SetUp,
}

impl OperatorSpec {
    /// Its aggregate's keys; `None` for a detector.
    pub fn named(&self) -> Option<&Named> {
        match &self.feeds {
            Feeds::Named(named) => Some(named),
            Feeds::Fixed { .. } => None,
        }
    }

    /// The event types that a detector looks at; none for an aggregate.
    pub fn inputs(&self) -> &'static [EventType] {
        match self.feeds {
            Feeds::Named(_) => &[],
            Feeds::Fixed { inputs, .. } => inputs,
        }
    }

    /// The event types at which a detector may fire; none for an aggregate.
    pub fn may_fire_on(&self) -> &'static [EventType] {
        if self.fires_on.is_empty() { self.inputs() } else { self.fires_on }
    }

    /// The fields that a detector looks at, beside those that name its key.
    pub fn reads(&self) -> &'static [&'static str] {
        match self.feeds {
            Feeds::Named(_) => &[],
            Feeds::Fixed { reads, .. } => reads,
        }
    }

    /// The fields of what it says; none where it yields a value alone.
    pub fn fields(&self) -> &'static [SignalField] {
        match self.yields {
            Yields::Value(_) => &[],
            Yields::Measure(measure) => measure.fields,
            Yields::Signal(fields) => fields,
        }
    }
}

pub use crate::listed::{AnyOperator, OPERATORS};

/// The aggregates, in the order of the list.
pub fn aggregates() -> impl Iterator<Item = &'static OperatorSpec> {
    OPERATORS.iter().filter(|spec| spec.named().is_some())
}

/// The detectors, in the order of the list.
pub fn detectors() -> impl Iterator<Item = &'static OperatorSpec> {
    OPERATORS.iter().filter(|spec| spec.named().is_none())
}

impl AnyOperator {
    /// How far back its values look, ms; 0 for a detector.
    pub fn window_ms(&self) -> i64 {
        self.accept(WindowOf)
    }

    /// How much of that, from now back, is left out, ms.
    pub fn offset_ms(&self) -> i64 {
        self.accept(OffsetOf)
    }

    /// Why it never gives a value, where it never does.
    pub fn never(&self) -> Option<&'static str> {
        self.accept(NeverOf)
    }

    /// The kinds of entity whose keys it knows, of a [`Form::Graph`].
    pub fn kinds(&self) -> Vec<EntityKind> {
        self.accept(KindsOf)
    }

    /// Name and setup as text: equal text, equal behaviour on equal events.
    pub fn canonical(&self) -> String {
        self.accept(Canonical)
    }
}

struct WindowOf;

impl OperatorVisitor for WindowOf {
    type Output = i64;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> i64 {
        O::reach_ms(setup)
    }
}

struct OffsetOf;

impl OperatorVisitor for OffsetOf {
    type Output = i64;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> i64 {
        setup.offset_ms
    }
}

struct NeverOf;

impl OperatorVisitor for NeverOf {
    type Output = Option<&'static str>;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> Option<&'static str> {
        O::never(setup)
    }
}

struct KindsOf;

impl OperatorVisitor for KindsOf {
    type Output = Vec<EntityKind>;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> Vec<EntityKind> {
        O::kinds(setup)
    }
}

struct Canonical;

impl OperatorVisitor for Canonical {
    type Output = String;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> String {
        let params = serde_json::to_string(&setup.params).expect("parameters are plain numbers and words");
        match O::FEEDS {
            Feeds::Fixed { .. } => format!("detector {} {params}", O::NAME),
            Feeds::Named(_) => {
                let offset = if setup.offset_ms == 0 { String::new() } else { format!(" offset={}", setup.offset_ms) };
                let params = if params == "{}" { String::new() } else { format!(" {params}") };
                format!("{} window={}{offset}{params}", O::NAME, setup.window_ms)
            }
        }
    }
}

impl std::fmt::Debug for AnyOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.canonical())
    }
}

impl PartialEq for AnyOperator {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

/// Reads parameters out of JSON.
pub(crate) fn parse<P: DeserializeOwned>(json: serde_json::Value) -> Result<P, ParamsError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        let named = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()).map(str::to_owned);
        ParamsError { param: named.or((path != ".").then_some(path)), message }
    })
}

/// The operator of that name.
pub fn find(name: &str) -> Option<&'static OperatorSpec> {
    OPERATORS.iter().find(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_are_unique_and_defaults_suffice() {
        for (index, spec) in OPERATORS.iter().enumerate() {
            assert!(OPERATORS.iter().skip(index + 1).all(|other| other.name != spec.name));
            for name in spec.reads() {
                assert!(spec.inputs().iter().any(|of| crate::event::field::find(of.fields(), name).is_some()), "{name} of {}", spec.name);
            }
            let set_up = (spec.setup)((1_000, 0), None, serde_json::json!({})).expect("defaults");
            assert_eq!(set_up.spec().name, spec.name);
        }
    }

    #[test]
    fn a_parameter_nobody_knows_is_named() {
        let spec = find("impossible_travel").expect("listed");
        let error = (spec.setup)((0, 0), None, serde_json::json!({ "speed_max": 3 })).expect_err("unknown");
        assert_eq!(error.param.as_deref(), Some("speed_max"));
    }

    /// An operator is one file and one line: no other code names its type.
    #[test]
    fn nothing_beside_the_list_knows_an_operator() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut code = Vec::new();
        for folder in [
            "detectors/src",
            "pipeline/compiler/src",
            "pipeline/engine/src",
            "pipeline/connectors/src",
            "pipeline/service/src",
            "pipeline/app/src",
            "xtask/src",
        ] {
            files(&root.join(folder), &mut code);
        }
        for spec in OPERATORS {
            let own = root.join(spec.file);
            assert!(own.is_file(), "{}", spec.file);
            let module = own.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
            let folder = own.with_extension("");
            for (path, text) in &code {
                let its = path.ends_with(spec.file) || path.starts_with(&folder) || path.ends_with("detectors/src/lib.rs");
                let family = own.parent().and_then(|of| of.file_name()).and_then(|of| of.to_str()).expect("a folder");
                let mut names = vec![format!("{family}::{module}"), format!("{module}.rs")];
                // One word may be said of many things.
                names.extend(spec.name.contains('_').then(|| format!("\"{}\"", spec.name)));
                // What tests say of an operator they may.
                let said = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
                assert!(its || !names.iter().any(|name| said.contains(name)), "{} knows the operator {module}", path.display());
            }
        }
    }

    fn files(folder: &Path, found: &mut Vec<(std::path::PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("a folder of code") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).expect("code");
                found.push((path, text));
            }
        }
    }
}
