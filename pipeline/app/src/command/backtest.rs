//! `rasid backtest`: what rules would have done over a period.

use std::path::{Path, PathBuf};

use rasid_backtest::act;
use rasid_backtest::backtest::{Backtest, BacktestError, Question};
use rasid_backtest::found::Found;
use rasid_backtest::gate::Gate;
use rasid_backtest::sweep::Sweep;
use rasid_backtest::{html, text};
use rasid_connectors::sink::JsonLinesSink;
use rasid_detectors::event::EventType;

use super::label_options::LabelOptions;
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
    #[command(flatten)]
    known: LabelOptions,
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
    /// Where the alerts go as labels, one JSON object a line: with what is known of each, else with an empty verdict for a person to
    /// fill in. --labels reads it
    #[arg(long, value_name = "FILE")]
    write_labels: Option<PathBuf>,
    /// Where the entities go that a rule found, as a list of rules/lists: RULE=FILE. Of kinds alone that alerts name as events do
    #[arg(long, value_name = "RULE=FILE")]
    write_list: Vec<ListFile>,
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
        let labels = self.known.read(&self.events, past.pseudonymizer())?;
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
        self.act_on(&found)?;
        if let Some(path) = &self.html {
            let page = html::page(&report, &found).map_err(|error| Failure::Outside(Box::new(error)))?;
            write_out(path, &page)?;
        }
        match self.output {
            OutputFormat::Json => print_json(&report)?,
            OutputFormat::Text => print_block(text::report(&report).trim_end(), false)?,
        }
        if report.is_refused() { Err(Failure::Said(1)) } else { Ok(()) }
    }
}

impl Args {
    /// Writes down what was found, for whoever goes on from there.
    fn act_on(&self, found: &[Found]) -> Result<(), Failure> {
        if let Some(path) = &self.write_labels {
            let labels = act::labels(found).map_err(|error| Failure::Outside(Box::new(error)))?;
            write_out(path, &labels)?;
        }
        for ListFile { rule, path } in &self.write_list {
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let list = act::list(name, rule, found).map_err(|error| Failure::Configuration(format!("--write-list: {error}")))?;
            write_out(path, &list)?;
        }
        Ok(())
    }
}

/// A list that is to be written of what a rule found.
#[derive(Clone, Debug)]
struct ListFile {
    rule: String,
    path: PathBuf,
}

impl std::str::FromStr for ListFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split_once('=').filter(|(rule, path)| rule.contains('.') && !path.is_empty());
        let (rule, path) = named.ok_or("expected RULE=FILE, such as booking.ring=rules/lists/ring_taskers.yaml")?;
        Ok(Self { rule: rule.to_owned(), path: PathBuf::from(path) })
    }
}

fn write_out(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::Outside(format!("{}: {error}", path.display()).into()))
}
