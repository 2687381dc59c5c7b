//! `rasid retract`: takes a bad rule's effect back.

use rasid_detectors::event::time::format_rfc3339;
use rasid_service::operate::control::RetractRequest;

use super::{Command, Failure, OutputFormat, print_line, say};
use crate::config::Layers;
use crate::http::Client;

/// Take a rule's alerts and their effect on scores back
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  rasid retract auth.otp_flood --since 2026-11-21T10:00:00Z --reason \"the limit was 1 instead of 10\"\n\n\
    The rule's reasons leave all scores; receivers of its alerts are told. A rule that is in force stays so: change or\n\
    delete its file first. One that is gone can be taken back all the same. The retraction is in the log and in the audit, with who and why."
)]
pub(crate) struct Args {
    /// The rule, area.name
    #[arg(value_name = "RULE")]
    rule: String,
    /// Alerts opened from then on, by their event's time, RFC 3339 [default: all]
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    since: Option<i64>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    layers: Layers,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let why = super::reason(&self.reason)?;
        let since_ms = self.since.unwrap_or(0);
        let request = RetractRequest { rule: self.rule.clone(), since_ms, who: super::who(), why };
        let done = Client::of(&self.layers)?.ask(&request)?;
        match self.output {
            OutputFormat::Json => super::print_json(&done),
            OutputFormat::Text => {
                let since = self.since.map_or_else(String::new, |since| format!(" opened from {} on", format_rfc3339(since)));
                let line = format!("{}: alerts of {}{since} are taken back, at position {} of the log", done.id, self.rule, done.position);
                print_line(&line)?;
                if done.in_force {
                    say(format_args!("note: {} is still in force and may open alerts again: change or delete its file", self.rule));
                }
                Ok(())
            }
        }
    }
}
