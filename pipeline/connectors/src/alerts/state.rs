//! What is kept of one alert besides its JSON, and how that goes on.

use rasid_compiler::ruleset::{Mode, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::{Act, Feedback, Verdict};

/// Entries of one alert's history that are kept: the newest. Nobody reads more, and nobody shall fill the disk with one alert.
const HISTORY_MAX: usize = 100;
/// Alerts are counted by the hour, ms.
pub(super) const HOUR_MS: i64 = 3_600_000;

/// How far people have come with an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has looked at it.
    Open,
    /// Somebody looks at it.
    Acknowledged,
    /// Nobody needs to look at it any more.
    Closed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Closed];

    /// As it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

/// An alert as the engine opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether people were told of it.
    pub mode: Mode,
    /// Whom it is about, `kind:id`.
    pub entity: String,
    /// Event clock of the opening event, Unix ms.
    pub opened_at_ms: i64,
    /// The alert, byte for byte.
    pub json: String,
}

/// Who said something, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// Its place in the log.
    pub position: u64,
    /// When, Unix ms.
    pub at_ms: i64,
    /// The user or token, by name, as it was proven.
    pub who: String,
    /// Whom they say they are; empty where they do not say.
    pub claimed: String,
    /// The reason given; empty where none was asked for.
    pub why: String,
}

/// One entry of an alert's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Happened {
    /// What was said.
    pub act: Act,
    /// By whom.
    pub said: Said,
}

/// What is known of an alert besides its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The log position that opened it.
    pub position: u64,
    /// Event clock of the opening event, Unix ms.
    pub opened_at_ms: i64,
    /// The rule.
    pub rule: String,
    /// Whom it is about, `kind:id`.
    pub entity: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether people were told of it.
    pub mode: Mode,
    /// How far people have come with it.
    pub status: Status,
    /// Who looks at it, or did last.
    pub assignee: Option<String>,
    /// The first acknowledgement, which tells how long it waited for one.
    pub acknowledged: Option<Said>,
    /// The newest closing; `None` while it is not closed.
    pub closed: Option<Said>,
    /// The newest verdict.
    pub verdict: Option<(Verdict, Said)>,
    /// What was said about it, oldest first.
    pub history: Vec<Happened>,
    /// Entries of the history that are no longer kept: they were the oldest.
    pub forgotten: u64,
}

impl State {
    pub(super) fn new(position: u64, opened: &Opened) -> Self {
        let Opened { id: _, rule, severity, mode, entity, opened_at_ms, json: _ } = opened;
        Self {
            position,
            opened_at_ms: *opened_at_ms,
            rule: rule.clone(),
            entity: entity.clone(),
            severity: *severity,
            mode: *mode,
            status: Status::Open,
            assignee: None,
            acknowledged: None,
            closed: None,
            verdict: None,
            history: Vec::new(),
            forgotten: 0,
        }
    }

    /// Takes what somebody said about it at that position.
    pub(super) fn take(&mut self, position: u64, feedback: &Feedback) {
        let Feedback { alerts: _, act, who, claimed, why, at_ms } = feedback;
        let said = Said { position, at_ms: *at_ms, who: who.clone(), claimed: claimed.clone(), why: why.clone() };
        match act {
            Act::Acknowledge { assignee } => {
                let speaker = if claimed.is_empty() { who } else { claimed };
                self.assignee = Some(assignee.as_ref().unwrap_or(speaker).clone());
                self.acknowledged.get_or_insert_with(|| said.clone());
                (self.status, self.closed) = (Status::Acknowledged, None);
            }
            Act::Close => (self.status, self.closed) = (Status::Closed, Some(said.clone())),
            Act::Verdict(verdict) => self.verdict = Some((*verdict, said.clone())),
        }
        if self.history.len() >= HISTORY_MAX {
            self.history.remove(0);
            self.forgotten += 1;
        }
        self.history.push(Happened { act: act.clone(), said });
    }

    /// The log position of what changed it last: its opening, or the newest that was said about it.
    pub fn changed(&self) -> u64 {
        self.history.last().map_or(self.position, |happened| happened.said.position)
    }

    /// The orders that it stands in, and its place in each.
    pub(super) fn orders(&self) -> Vec<(String, i64)> {
        let mut orders = vec![all(), of_rule(&self.rule), of_entity(&self.entity), of_status(self.status)];
        orders.extend(self.verdict.is_some().then(judged));
        let mut orders: Vec<_> = orders.into_iter().map(|order| (order, self.opened_at_ms)).collect();
        orders.push((by_change(), place_of(self.changed())));
        orders
    }

    /// Where it is counted: the hour of its opening, Unix ms, and the class.
    pub(super) fn counted(&self) -> (i64, u8) {
        (hour_of(self.opened_at_ms), Class { status: self.status, severity: self.severity, mode: self.mode }.code())
    }
}

/// What alerts of a rule and an hour are told apart by where they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// How far people have come.
    pub status: Status,
    /// How bad they are.
    pub severity: Severity,
    /// Whether people were told of them.
    pub mode: Mode,
}

impl Class {
    const SEVERITIES: [Severity; 4] = [Severity::Sev0, Severity::Sev1, Severity::Sev2, Severity::Sev3];
    const MODES: [Mode; 3] = [Mode::Active, Mode::Shadow, Mode::Off];

    fn all() -> impl Iterator<Item = Self> {
        let of = |status| Self::SEVERITIES.into_iter().flat_map(move |severity| Self::MODES.map(|mode| Self { status, severity, mode }));
        Status::ALL.into_iter().flat_map(of)
    }

    fn code(self) -> u8 {
        let found = (0_u8..).zip(Self::all()).find(|(_, class)| *class == self);
        found.map(|(code, _)| code).expect("every class is among all")
    }

    /// `None` for what no version has written.
    pub(super) fn of(code: u8) -> Option<Self> {
        Self::all().nth(usize::from(code))
    }
}

/// The hour in which an instant lies, Unix ms.
pub(super) fn hour_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(HOUR_MS).saturating_mul(HOUR_MS)
}

/// A log position as a place in an order.
pub(super) fn place_of(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// The order of all alerts by what changed them last.
pub(super) fn by_change() -> String {
    "c".to_owned()
}

/// The order of all alerts.
pub(super) fn all() -> String {
    String::new()
}

/// The order of a rule's.
pub(super) fn of_rule(rule: &str) -> String {
    format!("r{rule}")
}

/// The order of those about an entity.
pub(super) fn of_entity(entity: &str) -> String {
    format!("e{entity}")
}

/// The order of those of a status.
pub(super) fn of_status(status: Status) -> String {
    format!("s{}", status.name())
}

/// The order of those that have a verdict.
pub(super) fn judged() -> String {
    "v".to_owned()
}
