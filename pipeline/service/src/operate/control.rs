//! What an operator can ask of a running service. The program serves it on `control.sock` in the data folder; whoever may
//! open that socket may ask.

use async_trait::async_trait;
use rasid_compiler::ruleset::Severity;
pub use rasid_connectors::sink::alertmanager::PageShown;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::health::stats::Stats;
use rasid_engine::Score;

mod alerts;
mod any;
mod groups;
mod rules;

pub use rasid_connectors::alerts::{Happened, Said, Status as AlertStatus};
pub use rasid_connectors::log::{Act, Verdict};

pub use alerts::{AckRequest, AlertFilter, AlertInfo, AlertList, AlertRequest, AlertShown, AlertsChanged, CloseRequest, VerdictRequest};
pub use any::Any;
pub use groups::{AlertChange, AlertChanges, AlertGroup, AlertGroups, ChangesRequest, GroupBy, GroupFilter, RetractionInfo};
pub use rules::{
    EntityRequest, EntityShown, FireRate, Judged, Precision, Related, RiskRequest, RuleInfo, RuleList, RuleRequest, RuleShown, RuleState,
    RulesRequest,
};

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// GET, the question in the query: something is looked at.
    Get,
    /// POST, the question as JSON in the body: something is done.
    Post,
}

/// One thing that can be asked: where it goes, what comes back, and who answers.
pub trait Question: Serialize + DeserializeOwned + Send + 'static {
    /// How it travels.
    const WAY: Way;
    /// Where it goes.
    const PATH: &'static str;
    /// What it does, for the reference.
    const ABOUT: &'static str;
    /// What comes back.
    type Answer: Serialize + Send;

    /// Has it answered.
    fn ask(self, control: &dyn Control) -> impl Future<Output = Result<Self::Answer, ControlError>> + Send;

    /// Where it says who asks; `None` for what leaves no trace.
    fn who(&mut self) -> Option<&mut Who> {
        None
    }
}

/// Goes through the questions.
pub trait Visitor {
    /// One of them.
    fn question<Q: Question>(&mut self);
}

macro_rules! questions {
    ($($(#[doc = $doc:literal])* $way:ident $path:literal $request:ident -> $answer:ty: $method:ident $(by $who:ident)?,)*) => {
        /// What an operator can ask. Every answer is given once what it says is durable.
        #[async_trait]
        pub trait Control: Send + Sync {
            $(
                $(#[doc = $doc])*
                async fn $method(&self, request: $request) -> Result<$answer, ControlError>;
            )*

            /// Its figures. Called for every scrape and every probe: cheap, and never waits.
            fn stats(&self) -> Stats;

            /// The log position up to which everything about alerts is known, as it rises.
            fn known(&self) -> tokio::sync::watch::Receiver<u64>;
        }

        $(
            impl Question for $request {
                const WAY: Way = Way::$way;
                const PATH: &'static str = $path;
                const ABOUT: &'static str = concat!($($doc),*);
                type Answer = $answer;

                fn ask(self, control: &dyn Control) -> impl Future<Output = Result<$answer, ControlError>> + Send {
                    control.$method(self)
                }

                $(fn who(&mut self) -> Option<&mut Who> {
                    Some(&mut self.$who)
                })?
            }
        )*

        /// Shows every question.
        pub fn each(visitor: &mut impl Visitor) {
            $(visitor.question::<$request>();)*
        }
    };
}

// The list: paths, the client, [`Control`] and docs/http.md are made from it. Whoever asks for something to be done says who
// they are (`by`), for the audit.
questions! {
    /// Takes a rule's alerts since some time back: a control record in the log, an entry in the audit, and a notice to
    /// every receiver of alerts. The rule's reasons leave all scores.
    Post "/retract" RetractRequest -> Retracted: retract by who,
    /// Dead letters, oldest first. Never the records themselves.
    Get "/dead-letters" DeadLetterFilter -> DeadLetterList: dead_letters,
    /// Appends dead letters to the log once more, as new entries with the arrival of now; those that are good this time
    /// are processed, the others become dead letters again.
    Post "/dead-letters/retry" RetryRequest -> Retried: retry by who,
    /// What receivers refused for good, with their answers, oldest first.
    Get "/parked" ParkedFilter -> Vec<Parked>: parked,
    /// Offers parked items to their sinks once more.
    Post "/parked/retry" UnparkRequest -> Unparked: unpark by who,
    /// Posts a page that is marked as a test, and says what Alertmanager makes of it; or takes such pages back.
    Post "/page/test" PageTestRequest -> PageTested: page_test by who,
    /// Alerts that are kept, newest first, page after page.
    Get "/alerts" AlertFilter -> AlertList: alerts,
    /// One of them, as it was opened, with what was said about it.
    Get "/alerts/show" AlertRequest -> AlertShown: alert,
    /// The same in groups: by rule, by entity; how many, how bad, when.
    Get "/alerts/groups" GroupFilter -> AlertGroups: groups,
    /// What changed behind a position of the log: alerts that were opened or spoken of, and what was taken back.
    Get "/alerts/changes" ChangesRequest -> AlertChanges: changes,
    /// Says that somebody looks at alerts: a control record in the log, an entry in the audit. What was closed is taken up again.
    Post "/alerts/ack" AckRequest -> AlertsChanged: acknowledge by who,
    /// Says that nobody needs to look at alerts any more: a control record in the log, an entry in the audit.
    Post "/alerts/close" CloseRequest -> AlertsChanged: close by who,
    /// Says whether alerts were right: a control record in the log, an entry in the audit. The newest verdict stands.
    Post "/alerts/verdict" VerdictRequest -> AlertsChanged: judge by who,
    /// The rules in force: what they do at the moment, how often they fire, how often they were right.
    Get "/rules" RulesRequest -> RuleList: rules,
    /// One of them, with the text of its file.
    Get "/rules/show" RuleRequest -> RuleShown: rule,
    /// An entity: its risk, the alerts about it, whom they name beside it.
    Get "/entity" EntityRequest -> EntityShown: entity,
    /// An entity's risk as of the event clock.
    Get "/risk" RiskRequest -> Option<Score>: risk,
    /// Where the service stands.
    Get "/status" StatusRequest -> Status: status,
}

/// Why the service did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// What was asked for is wrong, and stays wrong.
    #[error("{0}")]
    Refused(String),
    /// It is draining, or not yet up.
    #[error("the service is {0}; ask again later")]
    NotNow(&'static str),
    /// Something outside failed, the disk most likely.
    #[error("{0}")]
    Outside(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Longest claim that is kept, characters.
const CLAIM_MAX: usize = 64;

/// Who asks. What travels in a request is the claim alone; who it is, the system says where the request arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Who {
    /// The user from whom the request came; empty until it has arrived.
    pub user: String,
    /// Whom they say they are, which nobody checked.
    pub claimed: String,
    /// Where they came in.
    pub door: Door,
}

/// Where somebody asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// The socket in the data folder: `user` is a user of this machine.
    #[default]
    ControlSocket,
    /// HTTP with a token: `user` is the token's owner.
    Http {
        /// The token's name.
        token: String,
    },
}

impl Door {
    /// As the audit calls it.
    pub fn name(&self) -> String {
        match self {
            Self::ControlSocket => "control socket".to_owned(),
            Self::Http { token } => format!("http, {token}"),
        }
    }
}

impl JsonSchema for Who {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Who".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<String>()
    }
}

impl JsonSchema for Status {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "description": "As `rasid status --output json` shows it."})
    }
}

impl From<String> for Who {
    fn from(claimed: String) -> Self {
        Self { user: String::new(), door: Door::default(), claimed: claimed.chars().take(CLAIM_MAX).collect() }
    }
}

impl From<Who> for String {
    fn from(who: Who) -> Self {
        who.claimed
    }
}

/// Takes a rule's alerts back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetractRequest {
    /// The rule, `area.name`.
    pub rule: String,
    /// Alerts opened from this event clock on, Unix ms.
    pub since_ms: i64,
    /// Who asks, for the audit.
    pub who: Who,
    /// Why, for the audit.
    pub why: String,
}

/// A rule's alerts were taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retracted {
    /// Of the control record in the log.
    pub position: u64,
    /// What receivers know it by: `retract_<position>`.
    pub id: String,
    /// Whether the rule is still in force, and so may open further alerts.
    pub in_force: bool,
}

/// Which dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterFilter {
    /// Those behind this position of the log.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
    /// Those that arrived from then on, Unix ms.
    pub since_ms: Option<i64>,
    /// Those with this field at fault.
    pub field: Option<String>,
}

impl Default for DeadLetterFilter {
    fn default() -> Self {
        Self { after: 0, limit: 100, since_ms: None, field: None }
    }
}

/// Dead letters, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterList {
    /// What was asked for.
    pub dead_letters: Vec<DeadLetterInfo>,
    /// Ask again with `after` set to this for what the limit left off.
    pub next_after: Option<u64>,
}

/// A record that was set aside, without the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterInfo {
    /// Its place in the log.
    pub position: u64,
    /// The field at fault, where it is known.
    pub field: Option<String>,
    /// What is wrong, in one line that quotes nothing of it.
    pub reason: String,
    /// When it arrived, Unix ms.
    pub arrival_ms: i64,
    /// The stream it came from.
    pub stream: String,
    /// Length of the record.
    pub bytes: u64,
}

/// Which dead letters to append once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// Their places in the log.
    pub positions: Vec<u64>,
    /// Who asks, for the audit.
    pub who: Who,
    /// Why, for the audit.
    pub why: String,
}

/// What came of a retry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// Old position and new position of each that was appended.
    pub appended: Vec<(u64, u64)>,
    /// Positions at which there is no dead letter (any more).
    pub missing: Vec<u64>,
}

/// Which parked items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ParkedFilter {
    /// Of this sink.
    pub sink: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Alerts of this rule, and their retractions.
    pub rule: Option<String>,
    /// Those that were committed from then on, Unix ms.
    pub since_ms: Option<i64>,
}

impl Default for ParkedFilter {
    fn default() -> Self {
        Self { sink: None, limit: 100, rule: None, since_ms: None }
    }
}

/// An item that its receiver refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parked {
    /// The sink.
    pub sink: String,
    /// Its place in the sink's queue.
    pub seq: u64,
    /// What receivers know it by.
    pub id: String,
    /// The rule, of an alert and of a retraction.
    pub rule: Option<String>,
    /// When it was committed, Unix ms.
    pub committed_ms: i64,
    /// What the receiver said.
    pub answer: String,
}

/// Which parked items to offer once more: those at `seqs`, or a page of those that are as `all` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnparkRequest {
    /// The sink.
    pub sink: String,
    /// Their places in its queue.
    #[serde(default)]
    pub seqs: Vec<u64>,
    /// How they are; not beside `seqs`.
    #[serde(default)]
    pub all: Option<UnparkAll>,
    /// Who asks, for the audit.
    pub who: Who,
    /// Why, for the audit.
    pub why: String,
}

/// How parked items are that are offered once more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnparkAll {
    /// Alerts of this rule, and their retractions.
    pub rule: Option<String>,
    /// Committed from then on, Unix ms.
    pub since_ms: Option<i64>,
    /// Behind this place in the queue; 0 at first, then as the page before said.
    pub after: u64,
    /// Not behind this place: what is parked meanwhile is not offered again. Left out at first, then as the page before said.
    pub upto: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unparked {
    /// Places in the queue of those that are offered again.
    pub offered: Vec<u64>,
    /// Places at which nothing is parked (any more).
    pub missing: Vec<u64>,
    /// The next page, where there may be more.
    pub next: Option<UnparkAll>,
}

/// Asks for a test page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageTestRequest {
    /// The severity that it has.
    pub severity: Severity,
    /// Take test pages back instead.
    pub resolve: bool,
    /// Who asks, for the audit and the page.
    pub who: Who,
    /// Why, for the audit and the page.
    pub why: String,
}

/// What became of a test page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageTested {
    /// Its `alertname`.
    pub name: String,
    /// Why Alertmanager did not take it; `None` where it did.
    pub not_taken: Option<String>,
    /// What it makes of it; `None` where it does not show it, and of pages that are taken back.
    pub shown: Option<PageShown>,
}

/// Asks where the service stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusRequest {}

/// Where the service stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// This process's name.
    pub instance: String,
    /// When it started, Unix ms.
    pub started_ms: i64,
    /// How long ago that was, ms.
    pub up_ms: u64,
    /// What it took up.
    pub restored: Restored,
    /// Its figures.
    pub stats: Stats,
}

/// What a start took up from the data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Position of the snapshot; `None` where there was none and the log was read from its beginning.
    pub snapshot: Option<u64>,
    /// Snapshots that were passed over, newest first, each with the reason.
    pub refused: Vec<String>,
    /// Rules that read what the snapshot lacked, as another version of the program wrote it: that starts anew, and they run in
    /// shadow until it is as old as its window.
    pub anew: Vec<String>,
    /// The position that the outbox had committed.
    pub committed: u64,
    /// The newest position in the log: `log_last - snapshot` entries are replayed.
    pub log_last: u64,
    /// Bytes of a torn block at the log's end that were cut: written, never acknowledged.
    pub cut_bytes: Option<u64>,
    /// Entries that are replayed without a comparison: the alerts that came of them before are forgotten.
    pub uncompared: u64,
    /// Items that wait in the outbox.
    pub pending: u64,
    /// The ruleset in force, `sha256:…`.
    pub ruleset: String,
    /// Time from the newest entry's arrival to the start, ms: how far behind it is.
    pub behind_ms: Option<i64>,
}
