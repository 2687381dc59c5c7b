//! What a detector is, and the list of them.
//!
//! A detector is one file: a header that states its formula, `Params`, `State`, `observe` and tests. To add one, copy
//! one, and add its line to the list below; rules name it as `{detector: name, by: kind, …params}`.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::{Event, EventType};
use crate::signal::{Signal, SignalField};

/// Code that turns events of one key into signals. Pure: `observe` takes time from the event alone.
pub trait Detector: 'static {
    /// Its name in rule files: the bad pattern that it sees.
    const NAME: &'static str;
    /// The event types that it looks at.
    const INPUTS: &'static [EventType];
    /// The fields of those that it looks at, beside those that name its key.
    const READS: &'static [&'static str];
    /// What its signals carry.
    const FIELDS: &'static [SignalField];
    /// What an analyst may set. Every parameter has a default.
    type Params: Clone + Send + Sync + Serialize + DeserializeOwned + JsonSchema + 'static;
    /// What is remembered of one key. Bounded, and saved with the engine's state: what it serialises to is all there is
    /// of it.
    type State: Clone + Default + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// How long after its newest event a key is forgotten, ms of event clock.
    fn ttl_ms(params: &Self::Params) -> i64;

    /// Heap memory of a state, bytes, for the bound on memory. A function of what the state holds, never of a
    /// collection's capacity: a state that was saved and restored must count the same.
    fn heap_bytes(_: &Self::State) -> usize {
        0
    }

    /// Looks at one event of the key that `state` belongs to.
    fn observe(params: &Self::Params, event: &Event<'_>, state: &mut Self::State) -> Option<Signal>;
}

/// Something to be done with a detector's type, whichever it is.
pub trait DetectorVisitor {
    /// What comes of it.
    type Output;

    /// Does it, with the parameters in force.
    fn visit<D: Detector>(self, params: &D::Params) -> Self::Output;
}

/// Why parameters were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamsError {
    /// The parameter, where it is known.
    pub param: Option<String>,
    /// serde's words.
    pub message: String,
}

/// What can be known of a detector without running it.
#[derive(Clone, Copy, Debug)]
pub struct DetectorSpec {
    /// Its name in rule files.
    pub name: &'static str,
    /// The event types that it looks at.
    pub inputs: &'static [EventType],
    /// The fields of those that it looks at, beside those that name its key.
    pub reads: &'static [&'static str],
    /// What its signals carry, beside `fired`.
    pub fields: &'static [SignalField],
    /// The JSON Schema of its parameters.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    /// Reads parameters out of a JSON object; what it lacks takes its default.
    pub parse: fn(serde_json::Value) -> Result<DetectorParams, ParamsError>,
}

macro_rules! detectors {
    ($($variant:ident => $module:path,)*) => {
        /// A detector with its parameters.
        #[derive(Clone)]
        pub enum DetectorParams {
            $(
                #[doc = concat!("Parameters of `", stringify!($module), "`.")]
                $variant(<$module as Detector>::Params),
            )*
        }

        /// Every detector.
        pub const DETECTORS: &[DetectorSpec] = &[$(DetectorSpec {
            name: <$module as Detector>::NAME,
            inputs: <$module as Detector>::INPUTS,
            reads: <$module as Detector>::READS,
            fields: <$module as Detector>::FIELDS,
            schema: |generator| generator.subschema_for::<<$module as Detector>::Params>(),
            parse: |json| parse(json).map(DetectorParams::$variant),
        },)*];

        impl DetectorParams {
            /// What can be known of the detector without running it.
            pub fn spec(&self) -> &'static DetectorSpec {
                let name = match self { $(Self::$variant(_) => <$module as Detector>::NAME,)* };
                DETECTORS.iter().find(|spec| spec.name == name).expect("the list and the enum are made together")
            }

            /// Does something with the detector's type.
            pub fn accept<V: DetectorVisitor>(&self, visitor: V) -> V::Output {
                match self { $(Self::$variant(params) => visitor.visit::<$module>(params),)* }
            }

            /// Name and parameters as text: equal text, equal behaviour.
            pub fn canonical(&self) -> String {
                match self {
                    $(Self::$variant(params) => format!(
                        "{} {}",
                        <$module as Detector>::NAME,
                        serde_json::to_string(params).expect("parameters are plain numbers and words"),
                    ),)*
                }
            }
        }
    };
}

detectors! {
    ImpossibleTravel => crate::auth::impossible_travel::ImpossibleTravel,
    ImpossibleSpeed => crate::gps::impossible_speed::ImpossibleSpeed,
    ContactLeak => crate::chat::contact_leak::ContactLeak,
}

impl std::fmt::Debug for DetectorParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.canonical())
    }
}

impl PartialEq for DetectorParams {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

fn parse<P: DeserializeOwned>(json: serde_json::Value) -> Result<P, ParamsError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        let named = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()).map(str::to_owned);
        ParamsError { param: named.or((path != ".").then_some(path)), message }
    })
}

/// The detector of that name.
pub fn find(name: &str) -> Option<&'static DetectorSpec> {
    DETECTORS.iter().find(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_suffice() {
        for (index, spec) in DETECTORS.iter().enumerate() {
            assert!(DETECTORS.iter().skip(index + 1).all(|other| other.name != spec.name));
            for name in spec.reads {
                assert!(spec.inputs.iter().any(|of| crate::event::field::find(of.fields(), name).is_some()), "{name} of {}", spec.name);
            }
            assert_eq!((spec.parse)(serde_json::json!({})).expect("defaults").spec().name, spec.name);
        }
    }

    #[test]
    fn a_parameter_nobody_knows_is_named() {
        let spec = find("impossible_travel").expect("listed");
        let error = (spec.parse)(serde_json::json!({ "speed_max": 3 })).expect_err("unknown");
        assert_eq!(error.param.as_deref(), Some("speed_max"));
    }
}
