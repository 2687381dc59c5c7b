//! A rule's overrides and tests, lists and shared bindings, as documented types.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{BindingFile, EventName, ParamValue, Span, text_schema};
use crate::list::listed_kinds;
use crate::ruleset::Severity;

/// Other parameters, or another weight, for some events.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OverrideFile {
    /// Which events, in CEL over `data` and lists alone.
    #[schemars(length(min = 1, max = 4096), example = &"data.purpose == \"payout\"")]
    pub r#if: String,
    /// Parameters of the rule, of the same types; those that are not named keep their value. A binding that is made with one of
    /// them keeps state of its own for each value.
    pub params: Option<BTreeMap<String, ParamValue>>,
    /// How bad it is then.
    pub severity: Option<Severity>,
    /// The share of doubt that an alert casts then, 0 to 100.
    #[schemars(range(min = 0, max = 100), example = 80)]
    pub risk: Option<u8>,
    /// What the marketplace should do then; none: nothing.
    pub advice: Option<AdviceOrNone>,
}

/// From when on people are told of a rule's alerts together.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct BrakeFile {
    /// So many alerts in one hour of the log's clock, up to 1000000. Default 100.
    #[schemars(range(min = 0, max = 1_000_000), example = 100)]
    pub alerts: Option<u32>,
    /// That share of the events that the rule watches, percent, 0 to 100. Default 5.
    #[schemars(range(min = 0, max = 100), example = 5)]
    pub share: Option<u8>,
}

/// What an override may advise.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "of a rule's `advice`, but for the last")]
pub enum AdviceOrNone {
    Watch,
    Challenge,
    Hold,
    Block,
    /// Nothing is advised.
    None,
}

/// A test: events at times, and the alerts that the rule must open, no more and no fewer.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TestFile {
    /// What it shows.
    #[schemars(length(min = 1), example = &"the sixth code within ten minutes")]
    pub name: String,
    /// What happens; at most 10,000 events, repetitions counted.
    #[schemars(length(min = 1))]
    pub events: Vec<EventFile>,
    /// The alerts, in the order in which they open; `[]`: none.
    pub alerts: Vec<AlertFile>,
    /// What the condition reads as `score`, all through the test: what other rules have made of everybody. Default 0.
    #[schemars(default, range(min = 0, max = 100), example = 60)]
    pub score: u8,
}

/// An event of a test, or several alike.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EventFile {
    /// When it happens, after the test's beginning; up to 365d.
    pub at: Span,
    /// How long after one repetition the next happens; with `times`.
    pub every: Option<Span>,
    /// How many times it happens in all; with `every`.
    #[schemars(range(min = 1, max = 10_000), example = 6)]
    pub times: Option<u32>,
    /// Its type.
    pub r#type: EventName,
    /// Its data. In text, `{n}` stands for the repetition's number, from 0: distinct identifiers are `u-{n}`.
    pub data: BTreeMap<String, serde_json::Value>,
    /// How far the device's clock is off the time at which it happens: -1h is an hour slow. Default 0s.
    pub time: Option<SignedSpan>,
}

/// An alert that a test expects.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AlertFile {
    /// When the event that opens it happens, after the test's beginning; where an `absence` opens it, when the wait is over.
    pub at: Span,
    /// Whom it is about: the rule's kind of entity, or `kind:id`.
    #[schemars(example = &"phone", example = &"phone:+201000000001")]
    pub entity: String,
    /// How bad it is; left out, the test asks for none.
    pub severity: Option<Severity>,
    /// The share of doubt that it casts; left out, the test asks for none.
    #[schemars(range(min = 0, max = 100), example = 80)]
    pub risk: Option<u8>,
    /// What it advises; none: nothing. Left out, the test asks for none.
    pub advice: Option<AdviceOrNone>,
}

/// `lists/<name>.yaml`: values with reasons, that conditions look for by `data.field in list.name`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListFile {
    /// The list's name, which is its file's.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]*$"), example = &"trusted_phones")]
    pub list: String,
    /// What its values identify, so that two spellings of one are equal. Default text, compared as it stands.
    pub kind: Option<ListKind>,
    /// What the list is for.
    pub description: Option<String>,
    /// Its values. A list has these, or `entries_from`, or both.
    pub entries: Option<Vec<EntryFile>>,
    /// A plain file beside the list with more values, up to two million: `value`, `value,expires` or `value,expires,reason`, one a
    /// line; a value with commas in quotes; `#` begins a comment. Equal ones are one, which ends with the last of them.
    #[schemars(regex(pattern = r"^[^./][^/]*\.(txt|csv)$"), example = &"blocked_ips.txt")]
    pub entries_from: Option<String>,
    /// Why values are in the list that have no reason of their own; required with `entries_from`.
    #[schemars(length(min = 1), example = &"hosting networks, from the weekly export")]
    pub reason: Option<String>,
}

/// An entry of a list.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EntryFile {
    /// The value. In a list of the kind `ip` it may be a network of any length, which holds its addresses; in one of the kind
    /// `phone_prefix` it is the digits that numbers begin with, however many.
    #[schemars(length(min = 1), example = &"+201000000001")]
    pub value: String,
    /// Why it is in the list; required where the list has no `reason` of its own.
    #[schemars(length(min = 1), example = &"call centre")]
    pub reason: Option<String>,
    /// When it is no longer in it: an instant, or a date, which ends as that day begins in UTC. Default never.
    #[schemars(example = &"2026-12-31", example = &"2026-12-31T18:00:00+02:00")]
    pub expires: Option<String>,
}

/// `rates.yaml`: what currencies are worth, as the operator keeps it.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RatesFile {
    /// The currency that rates are told in, ISO 4217.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"), example = &"EGP")]
    pub base: String,
    /// The rates; of a currency the newest counts that began by the event's time.
    pub rates: Vec<RateFile>,
}

/// What a currency is worth from an instant on.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RateFile {
    /// The currency, ISO 4217.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"), example = &"USD")]
    pub currency: String,
    /// How much of the base one is worth: a plain decimal of 12 digits at most, 9 of them behind the point.
    #[schemars(example = 47.85)]
    pub per_unit: f64,
    /// From when on: an instant, or a date, which is its beginning in UTC. Default always.
    #[schemars(example = &"2026-01-01", example = &"2026-01-01T12:00:00+02:00")]
    pub since: Option<String>,
}

/// `shared.yaml`: bindings that any rule may name.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SharedFile {
    /// The bindings. A rule has those that it names.
    pub r#let: BTreeMap<String, BindingFile>,
}

text_schema!(
    /// A kind of entity, or `text`.
    ListKind,
    json_schema!({
        "type": "string",
        "description": "A kind of entity, or text.",
        "enum": listed_kinds().chain(["text"]).collect::<Vec<_>>(),
    })
);
text_schema!(
    /// A span of time, which may be backwards.
    SignedSpan,
    json_schema!({
        "type": "string",
        "description": "A span of time, which may be backwards: whole numbers with ms, s, m, h or d, largest first.",
        "pattern": "^-?(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        "examples": ["-1h", "5s"],
    })
);
