//! What a keyed operator is: whatever a rule can bind that has a state for each key, be it a count or a detector.
//!
//! An operator is one file: a header that states its formula, `Params`, `State`, `feed`, `read` and tests. To add one,
//! copy one and add its line to the list in `lib.rs`: tables, snapshots, the rule files' schema, the type checker and the
//! reference pages come from that list.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::entity::{EntityKind, KeyHasher};
use crate::event::field::{FieldPath, FieldType};
use crate::event::{Event, EventType};
use crate::signal::{Signal, SignalField};
use crate::value::{OwnedValue, Value};

/// A keyed operator. Pure: what it says is a function of its parameters and of what it was fed, and time comes from the
/// events alone.
pub trait Operator: 'static {
    /// Its name in rule files. A detector's is the bad pattern that it sees.
    const NAME: &'static str;
    /// Raised when a state is stored otherwise, or means something else: a state of another version is not read, and the
    /// operator starts anew.
    const VERSION: u16;
    /// What it gives, in one line, for people.
    const GIVES: &'static str;
    /// Which events it is fed.
    const FEEDS: Feeds;
    /// What a condition sees of it.
    const YIELDS: Yields;
    /// Whether an event that feeds it reads it as it was before.
    const READS_BEFORE: bool = false;
    /// What an analyst may set beside what [`Feeds`] says. Every parameter has a default.
    type Params: Clone + Send + Sync + Serialize + DeserializeOwned + JsonSchema + 'static;
    /// What is remembered of one key. Bounded, and saved with the engine's state: what it serialises to is all there is
    /// of it.
    type State: Clone + Default + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// How long after its newest event a key is forgotten, ms of event clock.
    fn ttl_ms(setup: &Setup<Self::Params>) -> i64 {
        setup.window_ms
    }

    /// Heap memory of a state, bytes, for the bound on memory. A function of what the state holds, never of a
    /// collection's capacity: a state that was saved and restored must count the same.
    fn heap_bytes(_: &Self::State) -> usize {
        0
    }

    /// The newest event clock that a state was fed, ms, where it is over a window: an event that lies a window or more
    /// behind it has no value there.
    fn newest_ms(_: &Self::State) -> Option<i64> {
        None
    }

    /// Takes in one event of the key that `state` belongs to; a detector says what it sees in it.
    fn feed(setup: &Setup<Self::Params>, fact: &Fact<'_, '_>, state: &mut Self::State) -> Option<Signal>;

    /// The value at an event of that key; [`OwnedValue::Absent`] where there is none, and always for a detector.
    fn read(setup: &Setup<Self::Params>, at_ms: i64, state: &Self::State) -> OwnedValue {
        let _ = (setup, at_ms, state);
        OwnedValue::Absent
    }
}

/// How a rule's binding sets an operator up.
#[derive(Clone, Debug)]
pub struct Setup<P> {
    /// The window, ms; values are over (T − window, T]. 0 for detectors, which keep their own time.
    pub window_ms: i64,
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
    /// A hash that tells events of one instant apart.
    pub identity: u64,
    /// The field that the binding looks at.
    pub of: Option<Of>,
    /// The firing that is fed, where the binding is fed those of a detector.
    pub firing: Option<&'f Signal>,
    /// For an operator with `per`: it counts above the line.
    pub above: bool,
    /// The same: it counts below the line.
    pub below: bool,
    /// Makes keys and hashes.
    pub hasher: &'f KeyHasher,
}

impl<'f> Fact<'f, '_> {
    /// The value of the field that the binding looks at.
    pub fn value(&self) -> Value<'f> {
        match self.of {
            None => Value::Absent,
            Some(Of::Field { path, .. }) => self.event.data.get(path),
            Some(Of::Signal { field, .. }) => self.firing.and_then(|signal| signal.get(field)).map_or(Value::Absent, OwnedValue::borrow),
        }
    }

    /// A hash that tells the field's values apart; two spellings of one entity are one value.
    pub fn value_key(&self) -> Option<u64> {
        let hasher = self.hasher;
        let kind = match self.of? {
            Of::Field { kind, .. } => kind,
            Of::Signal { .. } => None,
        };
        match self.value() {
            Value::Str(text) => Some(kind.map_or_else(|| hasher.hash(&[b"s", text.as_bytes()]), |kind| hasher.key(kind, text))),
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
}

/// Which events an operator is fed.
#[derive(Clone, Copy, Debug)]
pub enum Feeds {
    /// Those that the rule names: `{NAME: types, of: field, by: kind, window: 10m, where: …}`. It is an aggregate.
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
    /// Event types below a line, for an operator that sets two counts against each other.
    pub per: Option<&'static str>,
}

impl Named {
    /// What most aggregates say.
    pub const USUAL: Self = Self {
        types: "The event types that it looks at.",
        of: OfField::None { because: "counts events", instead: "remove it" },
        by: "The kind of entity that has a value of its own; several for each combination.",
        window: "How far back, 1s to 30d. Longer sees slower abuse and keeps more state.",
        filter: "Which of those events, in CEL over `data` alone.",
        per: None,
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

/// What a condition sees of an operator.
#[derive(Clone, Copy, Debug)]
pub enum Yields {
    /// A value of the type that the function gives for the field's type; `None`: it does not take such a field. What
    /// looks at no field is asked with [`FieldType::Object`].
    Value(fn(FieldType) -> Option<FieldType>),
    /// Whether it fired at this event, and then these fields.
    Signal(&'static [SignalField]),
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

/// What can be known of an operator without running it.
#[derive(Clone, Copy, Debug)]
pub struct OperatorSpec {
    /// See [`Operator::NAME`].
    pub name: &'static str,
    /// See [`Operator::VERSION`].
    pub version: u16,
    /// See [`Operator::GIVES`].
    pub gives: &'static str,
    /// See [`Operator::FEEDS`].
    pub feeds: Feeds,
    /// See [`Operator::YIELDS`].
    pub yields: Yields,
    /// Its file, from the repository's root.
    pub file: &'static str,
    /// The JSON Schema of its own parameters.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    /// Sets it up: the window in ms, the type of the field, its own parameters as a JSON object, of which what lacks takes
    /// its default.
    pub setup: fn(i64, Option<FieldType>, serde_json::Value) -> Result<AnyOperator, ParamsError>,
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

    /// The fields that a detector looks at, beside those that name its key.
    pub fn reads(&self) -> &'static [&'static str] {
        match self.feeds {
            Feeds::Named(_) => &[],
            Feeds::Fixed { reads, .. } => reads,
        }
    }

    /// The fields of its signal; none for an aggregate.
    pub fn fields(&self) -> &'static [SignalField] {
        match self.yields {
            Yields::Value(_) => &[],
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
    /// The window, ms; 0 for a detector.
    pub fn window_ms(&self) -> i64 {
        self.accept(WindowOf)
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
        setup.window_ms
    }
}

struct Canonical;

impl OperatorVisitor for Canonical {
    type Output = String;

    fn visit<O: Operator>(self, setup: &Setup<O::Params>) -> String {
        let params = serde_json::to_string(&setup.params).expect("parameters are plain numbers and words");
        match O::FEEDS {
            Feeds::Fixed { .. } => format!("detector {} {params}", O::NAME),
            Feeds::Named(_) if params == "{}" => format!("{} window={}", O::NAME, setup.window_ms),
            Feeds::Named(_) => format!("{} window={} {params}", O::NAME, setup.window_ms),
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
            let set_up = (spec.setup)(1_000, None, serde_json::json!({})).expect("defaults");
            assert_eq!(set_up.spec().name, spec.name);
        }
    }

    #[test]
    fn a_parameter_nobody_knows_is_named() {
        let spec = find("impossible_travel").expect("listed");
        let error = (spec.setup)(0, None, serde_json::json!({ "speed_max": 3 })).expect_err("unknown");
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
