//! `rasid dead-letters`: what was set aside by a running service, and once more into the log with it.

use rasid_detectors::event::time::format_rfc3339;
use rasid_service::operate::control::{DeadLetterFilter, DeadLetterList, RetryRequest};

use super::{Command, Failure, OutputFormat, print_json, print_line, say};
use crate::config::Layers;
use crate::http::Client;

/// What a running service set aside because it is no event
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List dead letters, oldest first: position, reason, arrival, length; never the records
    #[command(
        after_help = "Examples:\n  rasid dead-letters list --since 2026-11-21T10:00:00Z\n  rasid dead-letters list --field data.amount --output json"
    )]
    List {
        /// Those behind this position of the log
        #[arg(long, value_name = "POSITION", default_value_t = 0)]
        after: u64,
        /// Those that arrived from then on, RFC 3339
        #[arg(long, value_name = "TIME", value_parser = super::instant)]
        since: Option<i64>,
        /// Those with this field at fault
        #[arg(long, value_name = "FIELD")]
        field: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
    /// Append dead letters to the log once more, after what refused them was mended
    #[command(after_help = "Example:\n  rasid dead-letters retry 48213 48220 --reason \"the gateway's clock was wrong\"")]
    Retry {
        /// Their positions
        #[arg(value_name = "POSITION", required = true, num_args = 1..=10_000)]
        positions: Vec<u64>,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        match &self.what {
            What::List { after, since, field, limit, layers, output } => {
                let filter = DeadLetterFilter { after: *after, limit: *limit as usize, since_ms: *since, field: field.clone() };
                let list = Client::of(layers)?.ask(&filter)?;
                if *output == OutputFormat::Json { print_json(&list) } else { show(&list) }
            }
            What::Retry { positions, reason, layers, output } => {
                let request = RetryRequest { positions: positions.clone(), who: super::who(), why: super::reason(reason)? };
                let retried = Client::of(layers)?.ask(&request)?;
                match output {
                    OutputFormat::Json => print_json(&retried)?,
                    OutputFormat::Text => {
                        for (old, new) in &retried.appended {
                            print_line(&format!("{old} is in the log once more, at position {new}"))?;
                        }
                    }
                }
                if retried.missing.is_empty() {
                    return Ok(());
                }
                let missing: Vec<String> = retried.missing.iter().map(u64::to_string).collect();
                say(format_args!("no dead letter at {}", missing.join(", ")));
                Err(Failure::Said(1))
            }
        }
    }
}

fn show(list: &DeadLetterList) -> Result<(), Failure> {
    for letter in &list.dead_letters {
        let field = letter.field.as_deref().map_or_else(String::new, |field| format!("{field}: "));
        let arrival = format_rfc3339(letter.arrival_ms);
        print_line(&format!("{:>12}  {arrival}  {:>7} bytes  {}  {field}{}", letter.position, letter.bytes, letter.stream, letter.reason))?;
    }
    match list.next_after {
        Some(after) => say(format_args!("there are more: --after {after}")),
        None => say(format_args!("{} dead letters", list.dead_letters.len())),
    }
    Ok(())
}
