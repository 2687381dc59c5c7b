//! `rasid why-not`: why a rule said nothing of somebody.

use rasid_backtest::label::leave;
use rasid_backtest::taken::{Taken, beyond_archives};
use rasid_backtest::why_not::WhyNot;
use rasid_detectors::event::EventType;

use super::past_options::{PastOptions, note_beyond};
use super::{Command, Failure, OutputFormat, print_block, print_json};
use crate::rulesets::Place;

/// Why a rule said nothing of somebody: how near it came, and which of its terms was false
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rasid why-not phone:+201001234567 auth.otp_flood day.jsonl\n  \
    rasid why-not user:u_42 payment.payout_velocity /var/lib/rasid --since 2026-11-21T00:00:00Z --until 2026-11-22T00:00:00Z\n\n\
    The rule goes over the events by itself, and every time that it is asked about the entity is looked into. The entity is raw,\n\
    or the pseudonym that an alert or a score has. Exit status 1: the rule was never asked about it.")]
pub(crate) struct Args {
    /// Whom it is about, kind:id
    #[arg(value_name = "ENTITY")]
    entity: String,
    /// The rule, area.name
    #[arg(value_name = "RULE")]
    rule: String,
    /// Events, one JSON object a line, also .gz and .zst; - is stdin. Or the data folder of a service, or an archive, alone
    #[arg(value_name = "EVENTS", required = true)]
    events: Vec<String>,
    /// The rules: a folder, git:REVISION or git:REVISION:FOLDER
    #[arg(long, value_name = "RULES", default_value = "rules")]
    rules: Place,
    #[command(flatten)]
    past: PastOptions,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let period = self.past.period()?;
        let ruleset = self.rules.load(std::path::Path::new("rules"))?;
        let past = self.past.open(&self.events)?;
        let entity = leave(&self.entity, past.pseudonymizer()).map_err(Failure::Configuration)?;
        let beyond = beyond_archives(&ruleset);
        let question = WhyNot::new(ruleset, &self.rule, &entity, &self.past.config(), past.pseudonymizer(), period);
        let question = question.map_err(|error| Failure::Outside(Box::new(error)))?;
        let Some(mut question) = question else {
            return Err(Failure::Configuration(format!("there is no rule `{}` in {}", self.rule, self.rules.shown())));
        };
        let wanted: Vec<bool> = EventType::ALL.iter().map(|event| question.reads_columns_of(*event)).collect();
        let mut of_columns = false;
        past.read(
            |event| wanted.get(event as usize).copied().unwrap_or(true),
            |taken| {
                of_columns |= matches!(taken, Taken::Columns(_));
                question.step(taken);
            },
        )?;
        if of_columns && beyond.contains(&self.rule) {
            note_beyond(&beyond);
        }
        let answer = question.finish();
        match self.output {
            OutputFormat::Json => print_json(&answer)?,
            OutputFormat::Text => print_block(&answer.lines().join("\n"), false)?,
        }
        if answer.asked == 0 { Err(Failure::Said(1)) } else { Ok(()) }
    }
}
