//! `rasid alerts`: what was opened and is kept, and what people say about it.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use rasid_compiler::ruleset::{Mode, Severity};
use rasid_service::operate::control::{
    AckRequest, AlertFilter, AlertRequest, AlertStatus, AlertsChanged, CloseRequest, Question, Verdict, VerdictRequest,
};
use serde::de::DeserializeOwned;

use super::{Command, Failure, OutputFormat, print_json, print_line};
use crate::config::Layers;
use crate::http::Client;

mod export;
mod list;
mod precision;
mod show;

pub(super) use export::verdicts;

/// Alerts that are kept: list them, acknowledge and close them, say whether they were right
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List alerts, newest first
    #[command(
        after_help = "Examples:\n  rasid alerts list --status open --severity SEV1\n  rasid alerts list --entity user:u_42 --since 2026-11-21T10:00:00Z\n  \
        rasid alerts list --rule auth.otp_flood --export labels.jsonl\n\n\
        Ids are shown by their beginning, which the other commands take. An export holds the alerts that have a verdict, one JSON\n\
        object a line: alert, rule, ruleset, entity, opened_at, verdict, who, claimed, why, at."
    )]
    List(Box<ListArgs>),
    /// How often each rule was right, by the verdicts that were given
    #[command(
        after_help = "Examples:\n  rasid alerts precision\n  rasid alerts precision --rule auth.otp_flood --by-ruleset --since 2026-11-01T00:00:00Z\n\n\
        Of the alerts that are kept and have a verdict: true ones and false ones, those that are unsure aside, with Wilson's interval\n\
        of 95 %. Fewer than thirty say little, and are marked. Prometheus has the counts: rasid_alerts_judged."
    )]
    Precision(precision::Args),
    /// Show one alert: as it was opened, how far people have come with it, what was said about it
    #[command(after_help = "Example:\n  rasid alerts show al_5f0c2k3m")]
    Show {
        /// The alert, by its id or a beginning of it that no other has
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
    /// Say that somebody looks at alerts; what was closed is taken up again
    #[command(
        after_help = "Examples:\n  rasid alerts ack al_5f0c2k3m\n  rasid alerts ack al_5f0c2k3m al_7zq1 --assignee noor --why \"same campaign\""
    )]
    Ack {
        /// The alerts, by their ids or beginnings of them that no others have
        #[arg(value_name = "ID", required = true, num_args = 1..=1_000)]
        ids: Vec<String>,
        /// Who looks at them [default: you]
        #[arg(long, value_name = "NAME")]
        assignee: Option<String>,
        /// Why, where there is something to say
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
    /// Say that nobody needs to look at alerts any more
    #[command(after_help = "Example:\n  rasid alerts close al_5f0c2k3m al_7zq1 --why \"the phone belongs to our call centre\"")]
    Close {
        /// The alerts, by their ids or beginnings of them that no others have
        #[arg(value_name = "ID", required = true, num_args = 1..=1_000)]
        ids: Vec<String>,
        /// Why, for the audit and the history
        #[arg(long, value_name = "TEXT")]
        why: String,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
    /// Say whether alerts were right; the newest verdict stands
    #[command(after_help = "Examples:\n  rasid alerts verdict al_5f0c2k3m true_positive --why \"the owner confirmed it\"\n  \
        rasid alerts verdict al_5f0c2k3m al_7zq1 false_positive --why \"a call centre\"\n\n\
        Verdicts are what rules are tuned by: rasid alerts list --export writes them for rasid backtest --labels. They change no\n\
        score; a bad rule's effect is taken back by rasid retract.")]
    Verdict {
        /// The alerts, by their ids or beginnings of them that no others have
        #[arg(value_name = "ID", required = true, num_args = 1..=1_000)]
        ids: Vec<String>,
        /// Whether they were right
        #[arg(value_name = "VERDICT", required = true, value_parser = word::<Verdict>(&VERDICTS))]
        verdict: Verdict,
        /// Why, for the audit and the history
        #[arg(long, value_name = "TEXT")]
        why: String,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
}

#[derive(clap::Args)]
struct ListArgs {
    /// Of this rule
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Of the rules of this area
    #[arg(long, value_name = "AREA")]
    area: Option<String>,
    /// About this entity, as alerts name it
    #[arg(long, value_name = "KIND:ID")]
    entity: Option<String>,
    /// As bad as this
    #[arg(long, value_name = "SEVERITY", value_parser = word::<Severity>(&["SEV0", "SEV1", "SEV2", "SEV3"]))]
    severity: Option<Severity>,
    /// Those with which people have come so far
    #[arg(long, value_name = "STATUS", value_parser = word::<AlertStatus>(&["open", "acknowledged", "closed"]))]
    status: Option<AlertStatus>,
    /// Those that were delivered, or those in shadow
    #[arg(long, value_name = "MODE", value_parser = word::<Mode>(&["active", "shadow"]))]
    mode: Option<Mode>,
    /// With this verdict
    #[arg(long, value_name = "VERDICT", value_parser = ["true_positive", "false_positive", "unsure", "any", "none"])]
    verdict: Option<String>,
    /// Those that were taken back with their rule's others
    #[arg(long)]
    retracted: bool,
    /// Opened from then on, by their event's time, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    since: Option<i64>,
    /// Opened before then, by their event's time, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    until: Option<i64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Go on behind what was listed before, as that said
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Write the verdicts of all of them to this file instead, `-` for stdout, as JSON Lines
    #[arg(long, value_name = "FILE", conflicts_with_all = ["limit", "after", "output"])]
    export: Option<String>,
    #[command(flatten)]
    layers: Layers,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

/// The words of verdicts.
const VERDICTS: [&str; 3] = ["true_positive", "false_positive", "unsure"];

/// One of some words, as the type that they are written for.
fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value(word.into()))
}

impl ListArgs {
    fn filter(&self) -> AlertFilter {
        let (verdict, judged) = match self.verdict.as_deref() {
            None => (None, None),
            Some("any") => (None, Some(true)),
            Some("none") => (None, Some(false)),
            Some(name) => (Verdict::named(name), None),
        };
        AlertFilter {
            rule: self.rule.clone(),
            area: self.area.clone(),
            entity: self.entity.clone(),
            severity: self.severity.into(),
            status: self.status.into(),
            mode: self.mode,
            verdict,
            judged,
            retracted: self.retracted.then_some(true),
            since_ms: self.since,
            until_ms: self.until,
            cursor: self.after.clone(),
            limit: self.limit as usize,
        }
    }
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        match &self.what {
            What::List(args) => match &args.export {
                Some(file) => export::write(&Client::of(&args.layers)?, args.filter(), file),
                None => list::list(&Client::of(&args.layers)?, args.filter(), args.output),
            },
            What::Precision(args) => precision::run(args),
            What::Show { id, layers, output } => {
                let shown = Client::of(layers)?.ask(&AlertRequest { id: id.clone() })?;
                show::show(&shown, *output)
            }
            What::Ack { ids, assignee, why, layers, output } => {
                let why = why.as_deref().map(super::reason).transpose()?.unwrap_or_default();
                let request = AckRequest { ids: ids.clone(), assignee: assignee.clone(), who: super::who(), why };
                say(&request, "acknowledged", layers, *output)
            }
            What::Close { ids, why, layers, output } => {
                let request = CloseRequest { ids: ids.clone(), who: super::who(), why: super::reason(why)? };
                say(&request, "closed", layers, *output)
            }
            What::Verdict { ids, verdict, why, layers, output } => {
                let request = VerdictRequest { ids: ids.clone(), verdict: *verdict, who: super::who(), why: super::reason(why)? };
                say(&request, verdict.name(), layers, *output)
            }
        }
    }
}

/// Says something about alerts, and what came of it.
fn say(request: &impl Question<Answer = AlertsChanged>, what: &str, layers: &Layers, output: OutputFormat) -> Result<(), Failure> {
    let done = Client::of(layers)?.ask(request)?;
    if output == OutputFormat::Json {
        return print_json(&done);
    }
    done.alerts.iter().try_for_each(|id| print_line(&format!("{id} {what}, at position {} of the log", done.position)))
}
