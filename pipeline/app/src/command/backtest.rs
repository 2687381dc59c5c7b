//! `rasid backtest`: what rules would have done over a period.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use rasid_backtest::backtest::{Backtest, BacktestError, Question};
use rasid_backtest::gate::Gate;
use rasid_backtest::label::Labels;
use rasid_backtest::sweep::Sweep;
use rasid_backtest::{html, text};
use rasid_connectors::sink::JsonLinesSink;
use rasid_detectors::event::EventType;
use rasid_engine::Pseudonymizer;

use super::past_options::{PastOptions, note_beyond, note_failing};
use super::{Command, Failure, OutputFormat, print_block, print_json};
use crate::rulesets::Place;

/// What rules would have done over a period: how loud, how right, and how with other limits
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rasid simulate --seed 7 --hours 168 --labels labels.jsonl > week.jsonl\n  \
    rasid backtest week.jsonl --labels labels.jsonl --all-else-honest --html report.html\n  \
    rasid backtest week.jsonl --sweep auth.otp_flood.sends_max=4..12:1 --labels labels.jsonl\n  \
    rasid backtest /var/lib/rasid --baseline git:main --fail-if 'alerts_per_day.auth.otp_flood > 200' --fail-if 'gone.all > 0'\n\n\
    The engine that runs live goes over the events, so that the alerts are those that live opens. Labels are JSON Lines: those of\n\
    `rasid simulate`, verdicts of `rasid alerts`, or {\"label\": \"harm\"|\"honest\", \"entity\": \"user:u_1\", \"from\": …, \"to\": …}.\n\
    Exit status 1: something is as --fail-if says that it must not be.")]
pub(crate) struct Args {
    /// Events, one JSON object a line, also .gz and .zst; - is stdin. Or the data folder of a service, or an archive, alone
    #[arg(value_name = "EVENTS", required = true)]
    events: Vec<String>,
    /// The rules: a folder, git:REVISION or git:REVISION:FOLDER
    #[arg(long, value_name = "RULES", default_value = "rules")]
    rules: Place,
    /// Rules to hold them against: what is new, gone and moved
    #[arg(long, value_name = "RULES")]
    baseline: Option<Place>,
    /// What is known of the past
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Whoever has no label is honest: so it is in a simulation, where everything is known
    #[arg(long, requires = "labels")]
    all_else_honest: bool,
    /// Try other values of a parameter: RULE.PARAM=FROM..TO:STEP or RULE.PARAM=3,5,8; several of one rule in all combinations
    #[arg(long, value_name = "SWEEP")]
    sweep: Vec<Sweep>,
    /// What must not be: METRIC.RULE > NUMBER or < NUMBER, of alerts, `alerts_per_day`, entities, precision, recall, new, gone, moved,
    /// changed; RULE may be `all`
    #[arg(long, value_name = "GATE")]
    fail_if: Vec<Gate>,
    /// Where a page goes that a browser shows and prints
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Where the alerts go that would have been opened, one JSON object a line
    #[arg(long, value_name = "FILE")]
    alerts: Option<String>,
    #[command(flatten)]
    past: PastOptions,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let period = self.past.period()?;
        let usual = std::path::Path::new("rules");
        let ruleset = self.rules.load(usual)?;
        let beside = self.rules.folder().unwrap_or(usual);
        let baseline = self.baseline.as_ref().map(|baseline| baseline.load(beside)).transpose()?;
        note_failing(&ruleset, &self.rules.shown())?;
        let past = self.past.open(&self.events)?;
        let labels = self.labels(past.pseudonymizer())?;
        let question = Question { ruleset, baseline, sweeps: self.sweep.clone(), period, labels, gates: self.fail_if.clone() };
        let backtest = Backtest::new(question, &self.past.config(), past.pseudonymizer());
        let mut backtest = backtest.map_err(|error| match error {
            BacktestError::Engine(error) => Failure::Outside(Box::new(error)),
            error => Failure::Configuration(error.to_string()),
        })?;
        let alerts = self.alerts.as_deref().map(JsonLinesSink::create).transpose()?;
        let wanted: Vec<bool> = EventType::ALL.iter().map(|event| backtest.reads_columns_of(*event)).collect();
        past.read(|event| wanted.get(event as usize).copied().unwrap_or(true), |taken| backtest.step(taken))?;
        let (report, found) = backtest.finish();
        note_beyond(&report.not_asked);
        if let Some(mut sink) = alerts {
            found.iter().try_for_each(|alert| sink.write(alert))?;
            sink.finish()?;
        }
        if let Some(path) = &self.html {
            let page = html::page(&report, &found).map_err(|error| Failure::Outside(Box::new(error)))?;
            let failed = |error: std::io::Error| Failure::Outside(format!("{}: {error}", path.display()).into());
            std::fs::write(path, page).map_err(failed)?;
        }
        match self.output {
            OutputFormat::Json => print_json(&report)?,
            OutputFormat::Text => print_block(text::report(&report).trim_end(), false)?,
        }
        if report.is_refused() { Err(Failure::Said(1)) } else { Ok(()) }
    }
}

impl Args {
    fn labels(&self, pseudonymizer: &Pseudonymizer) -> Result<Labels, Failure> {
        let Some(path) = &self.labels else { return Ok(Labels::default()) };
        let named = |error: String| Failure::Configuration(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(|error| named(error.to_string()))?;
        Labels::read(BufReader::new(file), pseudonymizer, self.all_else_honest).map_err(|error| named(error.to_string()))
    }
}
