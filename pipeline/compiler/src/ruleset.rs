//! What rule files compile to: typed programs over typed events, and the bindings that feed them. Plain data; the
//! engine plans and runs it.

use std::collections::HashSet;
use std::sync::Arc;

use rasid_detectors::currency::rates::Exchange;
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::field::{FieldPath, Privacy};
use rasid_detectors::event::{Event, EventType};
use rasid_detectors::operator::{AnyOperator, Of};
use rasid_detectors::value::Value;

use crate::diagnostic::Diagnostic;
use crate::expression::{Expr, List};
pub use crate::format::Format;
use crate::terms::Terms;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub enum Severity {
    /// Funds at risk or a breach.
    #[serde(rename = "SEV0")]
    Sev0,
    /// A wave of account takeovers.
    #[serde(rename = "SEV1")]
    Sev1,
    /// Local abuse.
    #[serde(rename = "SEV2")]
    Sev2,
    /// Worth a notice.
    #[serde(rename = "SEV3")]
    Sev3,
}

/// What becomes of a rule's hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Alerts are delivered and weigh on scores.
    #[default]
    Active,
    /// Alerts are recorded and counted, never delivered, and weigh on nothing.
    Shadow,
    /// The rule does not run.
    Off,
}

/// What a rule does while something that it reads is younger than its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhileWarming {
    /// It runs in shadow: half a window makes people look other than they are.
    #[default]
    Shadow,
    /// It is active at once.
    Active,
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Receiver {
    /// The marketplace's core API.
    Core,
    /// The person on call.
    Oncall,
}

/// What a rule's author would have the marketplace do; the later the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Advice {
    /// Look more closely.
    Watch,
    /// Ask for a proof: a code, a picture, a call.
    Challenge,
    /// Let nothing leave until somebody has looked.
    Hold,
    /// Refuse.
    Block,
}

impl Advice {
    /// Every one, the weakest first.
    pub const ALL: [Self; 4] = [Self::Watch, Self::Challenge, Self::Hold, Self::Block];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Challenge => "challenge",
            Self::Hold => "hold",
            Self::Block => "block",
        }
    }

    /// The one that is written so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|advice| advice.name() == name)
    }
}

/// When a rule opens more alerts than people can be told of: more than both in one hour of the log's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// So many alerts.
    pub alerts: u64,
    /// That share of the events that it watches, percent.
    pub share: u64,
}

impl Brake {
    /// Where a rule says nothing. A hundred an hour is more than anybody reads; a rule that alerts on one event in twenty is
    /// either wrong or under attack.
    pub const USUAL: Self = Self { alerts: 100, share: 5 };

    /// Whether so many alerts of so many events are too many.
    pub fn holds(self, alerts: u64, events: u64) -> bool {
        alerts > self.alerts && alerts.saturating_mul(100) > events.saturating_mul(self.share)
    }
}

/// Everything that is in force at once.
#[derive(Clone, Debug)]
pub struct Ruleset {
    /// Ordered by id.
    pub rules: Vec<Rule>,
    /// What the rules' programs read; equal definitions are one binding.
    pub bindings: Vec<Binding>,
    /// `sha256:` and 64 hex digits over the names and bytes of the rule files, shared bindings and lists.
    pub hash: String,
    /// The files, for messages that point into them.
    pub sources: Vec<crate::SourceFile>,
    /// What an analyst should look at and what refuses nothing, by file and place. [`Ruleset::warnings_at`] has what hangs on the
    /// day, too.
    pub warnings: Vec<Diagnostic>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `area.name`.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// What becomes of its hits.
    pub mode: Mode,
    /// What becomes of its hits until all that it reads is as old as its window.
    pub while_warming: WhileWarming,
    /// The kind of entity whom its alerts and scores are about.
    pub entity: EntityKind,
    /// One program for each event type that it watches, in the order of `on`.
    pub triggers: Vec<Trigger>,
    /// How long until that doubt has halved, ms.
    pub half_life_ms: i64,
    /// How long its advice stands, ms.
    pub advice_for_ms: i64,
    /// How long after an alert opens further hits are only counted, ms; 0: an alert on every event.
    pub suppress_ms: i64,
    /// When people are told of its alerts together.
    pub brake: Brake,
    /// The page that says what to do.
    pub runbook: Option<String>,
    /// What its file says to people.
    pub prose: Prose,
    /// The tests in the rule's file.
    pub tests: Vec<Scenario>,
    /// The file that the rule stands in, by its index in [`Ruleset::sources`].
    pub source: usize,
    /// Where the terms of its conditions stand in that file.
    pub terms: Terms,
}

/// What a rule's file says to people alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Prose {
    /// What it looks for, and why.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Honest life that it may take for something else.
    pub false_positives: Option<String>,
    /// What it does not see.
    pub known_gaps: Option<String>,
    /// Where its idea comes from.
    pub references: Vec<String>,
}

impl Ruleset {
    /// The place of the rule of that id among [`Ruleset::rules`].
    pub fn place(&self, id: &str) -> Option<usize> {
        self.rules.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok()
    }

    /// The files that are no rule: lists with their entries, zones, rates, shared bindings.
    pub fn shared_files(&self) -> impl Iterator<Item = &crate::SourceFile> {
        let rules: HashSet<usize> = self.rules.iter().map(|rule| rule.source).collect();
        self.sources.iter().enumerate().filter(move |(index, _)| !rules.contains(index)).map(|(_, source)| source)
    }

    /// The bindings that those of these numbers are made of: themselves and the detectors whose firings they are fed, in order.
    pub fn with_sources(&self, bindings: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut all: Vec<usize> = bindings.into_iter().collect();
        let sources = |number: &usize| self.bindings.get(*number).into_iter().flat_map(|binding| &binding.feeds);
        let sources: Vec<usize> = all.iter().flat_map(sources).filter_map(|feed| feed.firings_of).collect();
        all.extend(sources);
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Rule {
    /// Whether its alerts go to the person on call.
    pub fn pages(&self) -> bool {
        let programs = self.triggers.iter().flat_map(|trigger| &trigger.programs);
        self.mode == Mode::Active && programs.flat_map(|program| &program.weight.deliver).any(|told| *told == Receiver::Oncall)
    }
}

/// A test in a rule file: events at times, and the alerts that the rule must open, no more and no fewer.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, in the analyst's words.
    pub name: String,
    /// Where it stands in its file, bytes.
    pub span: std::ops::Range<usize>,
    /// Every event, in the order of the file; `every` and `times` are written out.
    pub events: Vec<ScenarioEvent>,
    /// Alerts in the order in which they must open.
    pub alerts: Vec<ExpectedAlert>,
    /// The score of every entity, from other rules, 0 to 100: what a condition reads as `score`.
    pub score: u8,
}

/// One event of a test.
#[derive(Clone, Debug)]
pub struct ScenarioEvent {
    /// When, ms after the test's beginning; both clocks of the event.
    pub at_ms: i64,
    /// The device's clock where the test sets it apart (`time: -1h`), ms after the test's beginning.
    pub time_ms: Option<i64>,
    /// Its type.
    pub event: EventType,
    /// Its data, as JSON.
    pub data: Arc<str>,
    /// Where it stands in its file, bytes.
    pub span: std::ops::Range<usize>,
}

/// One alert that a test expects.
#[derive(Clone, Debug)]
pub struct ExpectedAlert {
    /// When the event that opens it happens, ms after the test's beginning.
    pub at_ms: i64,
    /// Whom it is about: `kind`, or `kind:id` with the identifier as the events have it.
    pub entity: String,
    /// How bad it is, where the test says so.
    pub severity: Option<Severity>,
    /// How much doubt it casts, where the test says so.
    pub risk: Option<u8>,
    /// What it advises, where the test says so; inside: nothing.
    pub advice: Option<Option<Advice>>,
    /// Where it stands in its file, bytes.
    pub span: std::ops::Range<usize>,
}

/// A rule compiled for one event type.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The type.
    pub event: EventType,
    /// The field that names the rule's entity.
    pub entity: EntityField,
    /// What the programs below read; they name it by its index in this list.
    pub reads: Vec<Read>,
    /// The rule's overrides in order, then its own condition; the first that applies is the one that runs.
    pub programs: Vec<Program>,
}

/// How much a hit weighs, what should be done, and who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// How bad it is.
    pub severity: Severity,
    /// The share of doubt that the alert casts on the entity, 0..=100.
    pub risk: u8,
    /// What the marketplace should do.
    pub advice: Option<Advice>,
    /// Who is told.
    pub deliver: Vec<Receiver>,
}

/// A condition under one set of parameters.
#[derive(Clone, Debug)]
pub struct Program {
    /// When it applies: an override's `if`, of type bool, over the event alone; `None` for the rule's own, which always does.
    pub applies: Option<Expr>,
    /// The condition; of type bool.
    pub when: Expr,
    /// What a hit weighs.
    pub weight: Weight,
    /// The explanation's pieces, in order.
    pub explain: Vec<Piece>,
    /// What the alert's `values` shows: every let name (a detector's as `name.fired`, `name.field`), every parameter
    /// and every event field that the condition or the explanation names, in that order.
    pub shown: Vec<Shown>,
}

/// A piece of an explanation.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// A value, by index into [`Program::shown`], and how it is written.
    Value(usize, Format),
}

/// A value that an alert shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its name as the rule writes it: `sends`, `params.sends_max`, `data.purpose`, `travel.speed_mps`.
    pub name: String,
    /// How to compute it: a constant, a field, a binding or a signal's field.
    pub value: Expr,
    /// Whether it may leave as it is.
    pub privacy: Privacy,
}

/// A binding at one event type, read under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The binding, by its index into [`Ruleset::bindings`].
    pub binding: usize,
    /// Whose state is read; `None` where events of the type never have a value: a detector looks at others.
    pub key: Option<Vec<KeyPart>>,
}

/// What names an entity in events of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityField {
    /// The kind of entity.
    pub kind: EntityKind,
    /// The field that names it; `None` for [`EntityKind::Region`], which is the H3 cell of the event's place.
    pub path: Option<FieldPath>,
}

/// Where one part of a key comes from. A key of no parts is that of the whole stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPart {
    /// An entity.
    Entity(EntityField),
    /// A field's value, which names nobody: a country, a method.
    Value(FieldPath),
}

/// One piece of keyed state and what it computes. Conditions and parameters of rules never change its layout.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What it computes.
    pub operator: AnyOperator,
    /// The window, ms; values are over (T − window, T]. 0 for detectors, which keep their own time.
    pub window_ms: i64,
    /// The event types that change it.
    pub feeds: Vec<Feed>,
    /// The list from whose entries it counts how far somebody is. Its name is a part of what the binding is; what it holds is not, so
    /// that state outlives another entry.
    pub near: Option<Arc<List>>,
    /// Equal text, equal binding. Types and fields stand in it by their names, so that it outlives changes of the vocabulary.
    pub canonical: String,
    /// The same as versions up to 0.3.0 wrote it, with fields by their numbers: what their snapshots name it by.
    pub former: String,
}

/// How one event type changes a binding.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The type.
    pub event: EventType,
    /// Whose state it changes.
    pub key: Vec<KeyPart>,
    /// Only the firings at such events of this detector, by its index into [`Ruleset::bindings`], and not the events themselves.
    pub firings_of: Option<usize>,
    /// Only events for which this holds; of type bool, over the event's own fields and, of a firing, its signal's.
    pub filter: Option<Expr>,
    /// Of an operator of steps: those that the event may be. Else none.
    pub steps: Vec<Step>,
    /// The field that is summed, compared, told apart or remembered.
    pub of: Option<Of>,
    /// Into which currency that is converted, and the field that says which one it is in.
    pub exchange: Option<(Exchange, FieldPath)>,
    /// For an operator with `per`: which side the event counts on. An event may count on both.
    pub sides: Sides,
}

impl Feed {
    /// Whether every event of the type feeds the binding, whatever it says.
    pub fn is_plain(&self) -> bool {
        self.firings_of.is_none() && self.filter.is_none() && self.steps.is_empty() && self.exchange.is_none()
    }

    /// Every filter: its own, and those of its steps.
    pub fn filters(&self) -> impl Iterator<Item = &Expr> {
        self.filter.iter().chain(self.steps.iter().filter_map(|step| step.filter.as_ref()))
    }

    /// What an event's amount is in the feed's currency by the rates of its time: `None` where the feed converts nothing, or
    /// there is no amount; `Some(None)` where it cannot be converted, and then the event does not feed the binding.
    #[inline]
    pub fn amount(&self, event: &Event<'_>, at_ms: i64) -> Option<Option<i64>> {
        let (exchange, currency) = self.exchange.as_ref()?;
        let Value::Int(amount) = event.data.get(self.of?.path()?) else { return None };
        Some(match event.data.get(*currency) {
            Value::Str(from) => exchange.of(amount, from, at_ms),
            _ => None,
        })
    }
}

/// A step that an event may be.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which one; the first is 0, the last 7 at the most.
    pub number: u8,
    /// Only where this holds; as a feed's filter.
    pub filter: Option<Expr>,
}

/// The sides of a line that an event counts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sides {
    /// It is one of the types above it; it counts above the line if the feed's filter holds.
    pub above: bool,
    /// It is one of the `per` types; it counts below the line whether or not the filter holds.
    pub below: bool,
}
