//! A rule file as documented types. The compiler reads the file by hand, because it must find every fault with its
//! place; these types are the reference for people and editors, and a test holds the two together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::ruleset::{Advice, Mode, Receiver, Severity, WhileWarming};

mod binding;
mod companion;

pub use binding::BindingFile;
pub(crate) use binding::own_properties;
pub use companion::{
    AdviceOrNone, AlertFile, BrakeFile, EntryFile, EventFile, ListFile, ListKind, OverrideFile, RateFile, RatesFile, SharedFile,
    SignedSpan, TestFile,
};

/// One rule: a condition over events and what is remembered of them, and the alert it opens.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RuleFile {
    /// The rule's id, `area.name`. The file is `area/name.yaml`.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"), example = &"auth.otp_flood")]
    pub rule: String,
    /// One line for people: what is going on.
    #[schemars(length(min = 1), example = &"One phone is sent too many codes")]
    pub title: String,
    /// What the rule is for, and which rules stand beside it.
    pub description: Option<String>,
    /// How bad it is: SEV0 funds or breach, SEV1 takeover wave, SEV2 local abuse, SEV3 notice. Default SEV2.
    #[schemars(default = "default_severity")]
    pub severity: Severity,
    /// active; shadow: recorded and counted, never delivered, no score; off: not run. Default active.
    #[schemars(default)]
    pub mode: Mode,
    /// What an active rule does after a change of rules, until all that it reads is as old as its window. shadow: nobody
    /// is accused on half a window; active: hits count at once, for rules that only look for more than they see.
    /// Default shadow.
    #[schemars(default)]
    pub while_warming: WhileWarming,
    /// The event types whose events may open an alert: one, or a list.
    pub on: OneOrMore<EventName>,
    /// Whom the alert and the score are about: `kind`, or `kind(field)` where several fields name that kind.
    pub entity: EntityKey,
    /// Numbers, words, and lists of them, named in conditions as `params.name`.
    pub params: Option<BTreeMap<String, ParamValue>>,
    /// Other parameters, severity, risk or advice for some events: the first whose `if` holds. The rule's own where none does.
    #[schemars(length(min = 1))]
    pub overrides: Option<Vec<OverrideFile>>,
    /// Lists of those who are spared: entries of the rule's kind of entity, each with a reason and perhaps an end.
    #[schemars(example = &"trusted_phones")]
    pub except: Option<OneOrMore<String>>,
    /// What the condition may name, beside the bindings of `shared.yaml`. Equal definitions are computed once for all
    /// rules.
    pub r#let: Option<BTreeMap<String, BindingFile>>,
    /// The condition, in CEL: over `data`, `params`, the names of `let` and of `shared.yaml`, `list.name` to the right of
    /// `in`, `time`, the event clock, and `score`, what the rules that do not read it have made of the rule's entity, 0 to 100.
    #[schemars(length(min = 1, max = 4096), example = &"sends > params.sends_max && verified == 0")]
    pub when: String,
    /// The share of doubt that one alert casts on the entity, percent, 0 to 100. Higher raises scores faster.
    /// Default 0: the alert weighs on no score.
    #[schemars(default, range(min = 0, max = 100), example = 60)]
    pub risk: u8,
    /// How long until that doubt has halved; whole seconds, 1s to 365d. Longer keeps scores up. Default 24h.
    #[schemars(default = "default_half_life")]
    pub half_life: Span,
    /// What the marketplace should do about the entity: watch, challenge, hold, block. It is told in the alert and stands in
    /// Redis; the strongest that stands counts.
    pub advice: Option<Advice>,
    /// How long that stands, from the opening event on; 1s to 365d. Default the half-life.
    pub advice_for: Option<Span>,
    /// Hits on the entity that lie closer to an alert than this, before or after it in event time, are only counted; up to
    /// 30d. 0s: an alert on every event. Default 1h.
    #[schemars(default = "default_suppress")]
    pub suppress: Span,
    /// From when on people are told of its alerts together: more in an hour than `alerts` (default 100) and than `share` percent
    /// (default 5) of the events that it watches. In the hour after such a one they are told of the first alert alone, which says
    /// so; scores and the core go on. Within 24 h of a change of its file the rule goes to shadow instead, until it is changed again.
    pub brake: Option<BrakeFile>,
    /// Who is told: core, oncall. Default core, for SEV0 and SEV1 both.
    pub deliver: Option<OneOrMore<Receiver>>,
    /// What the alert says: text with names in braces, each perhaps with the way in which its number is written: money, a
    /// currency, km, km/h, %. Personal fields show as pseudonyms; free text and exact places are refused.
    #[schemars(
        length(min = 1),
        example = &"{sends} codes in 10 min, limit {params.sends_max}",
        example = &"{data.amount:money} after {travel.distance_m:km}"
    )]
    pub explain: String,
    /// The page that says what to do.
    #[schemars(example = &"docs/runbooks/otp.md")]
    pub runbook: Option<String>,
    /// Papers, standards, incidents.
    pub references: Option<OneOrMore<String>>,
    /// Who sets it off without doing harm.
    pub false_positives: Option<String>,
    /// What it does not see.
    pub known_gaps: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What the rule must do: a ruleset with a failing test is never activated.
    pub tests: Option<Vec<TestFile>>,
}

/// The JSON Schema of a rule file (draft 2020-12). The files that rules share are `#/$defs/ListFile`,
/// `#/$defs/SharedFile` and `#/$defs/RatesFile`.
pub fn rule_schema() -> serde_json::Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<ListFile>();
    generator.subschema_for::<SharedFile>();
    generator.subschema_for::<RatesFile>();
    let mut schema = generator.into_root_schema_for::<RuleFile>();
    schema.insert("title".to_owned(), "Rasid rule".into());
    schema.to_value()
}

/// One item, or a list of them.
#[derive(Clone, Debug, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    /// One.
    One(T),
    /// Several.
    More(#[schemars(length(min = 1))] Vec<T>),
}

/// A parameter's value.
#[derive(Clone, Debug, JsonSchema)]
#[serde(untagged)]
pub enum ParamValue {
    /// One value.
    One(Scalar),
    /// A list, for `in`.
    More(Vec<Scalar>),
}

/// A number, a word, true or false.
#[derive(Clone, Debug, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// CEL `int`.
    Int(i64),
    /// CEL `double`.
    Double(f64),
    /// CEL `string`.
    Text(String),
}

/// A type whose schema is written by hand, because it is a text of a fixed form.
macro_rules! text_schema {
    ($(#[$meta:meta])* $name:ident, $schema:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Serialize)]
        pub struct $name(
            /// As it is written.
            pub String,
        );

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}
pub(crate) use text_schema;

text_schema!(
    /// A span of time: whole numbers with ms, s, m, h or d, largest first.
    Span,
    json_schema!({
        "type": "string",
        "description": "A span of time: whole numbers with ms, s, m, h or d, largest first.",
        "pattern": "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        "examples": ["10m", "24h", "1h30m"],
    })
);
text_schema!(
    /// An event type of the contract.
    EventName,
    json_schema!({
        "type": "string",
        "description": "An event type of the contract.",
        "enum": EventType::ALL.iter().map(|event| event.name()).collect::<Vec<_>>(),
    })
);
text_schema!(
    /// An event type, or a detector whose firings are counted.
    CountedName,
    json_schema!({
        "description": "An event type of the contract, or a detector that is bound beside it: then its firings are counted.",
        "anyOf": [
            { "type": "string", "enum": EventType::ALL.iter().map(|event| event.name()).collect::<Vec<_>>() },
            { "type": "string", "pattern": "^[a-z][a-z0-9_]*$" },
        ],
    })
);
text_schema!(
    /// `kind`, `kind(field)`, `all` or `data.field`.
    StateKey,
    json_schema!({
        "description": "A kind of entity; kind(field) where several fields of the event name that kind; all, the whole stream; or a field that is not personal, data.field.",
        "anyOf": [
            { "type": "string", "enum": EntityKind::ALL.map(EntityKind::name) },
            { "type": "string", "pattern": format!("^({})\\([a-z_]+\\)$", EntityKind::ALL.map(EntityKind::name).join("|")) },
            { "type": "string", "pattern": "^data\\.[a-z_]+$" },
        ],
    })
);
text_schema!(
    /// `kind`, or `kind(field)`.
    EntityKey,
    json_schema!({
        "description": "A kind of entity; kind(field) where several fields of the event name that kind.",
        "anyOf": [
            { "type": "string", "enum": EntityKind::ALL.map(EntityKind::name) },
            { "type": "string", "pattern": format!("^({})\\([a-z_]+\\)$", EntityKind::ALL.map(EntityKind::name).join("|")) },
        ],
    })
);

fn default_severity() -> Severity {
    Severity::Sev2
}

fn default_half_life() -> Span {
    Span("24h".to_owned())
}

fn default_suppress() -> Span {
    Span("1h".to_owned())
}
