//! `rasid suggest`: which single limit of a rule would have spared most people.

use rasid_backtest::suggest::{Looking, SuggestError};

use super::label_options::LabelOptions;
use super::past_options::PastOptions;
use super::{Command, Failure, OutputFormat, print_block, print_json};
use crate::rulesets::Place;

/// Which single limit of a rule, set otherwise, would have opened fewest false alerts, and at what loss
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rasid suggest auth.otp_flood week.jsonl --labels labels.jsonl\n  \
    rasid suggest auth.otp_flood /var/lib/rasid --verdicts --since 2026-11-01T00:00:00Z\n\n\
    Each parameter that is a number or a time is tried by itself: one that is a limit in `when` under the values to which alerts\n\
    went, any other under halves and multiples. The events are gone through twice. With labels over two weeks and more\n\
    each week is judged with the value that is best in the others. Nothing is changed: the line to be changed is shown.\n\
    Exit status 1: no other value is better by what is known.")]
pub(crate) struct Args {
    /// The rule, area.name
    #[arg(value_name = "RULE")]
    rule: String,
    /// Events, one JSON object a line, also .gz and .zst; - is stdin. Or the data folder of a service, alone
    #[arg(value_name = "EVENTS", required = true)]
    events: Vec<String>,
    /// The rules: a folder, git:REVISION or git:REVISION:FOLDER
    #[arg(long, value_name = "RULES", default_value = "rules")]
    rules: Place,
    #[command(flatten)]
    known: LabelOptions,
    #[command(flatten)]
    past: PastOptions,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        if !self.known.are_given() {
            return Err(Failure::Configuration(
                "nobody knows which alerts were false without labels: give them by --labels, or --verdicts of a service".to_owned(),
            ));
        }
        let period = self.past.period()?;
        let ruleset = self.rules.load(std::path::Path::new("rules"))?;
        let again = self.past.again(&self.events)?;
        let past = again.open()?;
        let labels = self.known.read(&self.events, past.pseudonymizer())?;
        let (config, pseudonymizer) = (self.past.config(), past.pseudonymizer().clone());
        let failed = |error: SuggestError| match error {
            SuggestError::Engine(error) => Failure::Outside(Box::new(error)),
            error => Failure::Configuration(error.to_string()),
        };
        let mut looking = Looking::new(ruleset, &self.rule, &config, &pseudonymizer, period).map_err(failed)?;
        past.read(|_| true, |taken| looking.step(taken))?;
        let mut trying = looking.finish(labels, &config, &pseudonymizer).map_err(failed)?;
        again.open()?.read(|_| true, |taken| trying.step(taken))?;
        let suggested = trying.finish();
        match self.output {
            OutputFormat::Json => print_json(&suggested)?,
            OutputFormat::Text => print_block(suggested.text().trim_end(), false)?,
        }
        if suggested.suggestions.is_empty() { Err(Failure::Said(1)) } else { Ok(()) }
    }
}
