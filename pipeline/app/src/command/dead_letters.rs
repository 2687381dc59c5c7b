//! `rasid dead-letters`: what was set aside by a running service, and once more into the log with it.

use std::path::PathBuf;

use rasid_detectors::event::time::format_rfc3339;
use rasid_service::operate::control::{DeadLetterList, Retried, RetryRequest};

use super::{Failure, OutputFormat, print_json, print_line, say};
use crate::config::Layers;
use crate::http::Client;

/// See `--help`.
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

/// Runs it.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::List { after, since, field, limit, layers, output } => {
            let mut query = vec![("after", after.to_string()), ("limit", limit.to_string())];
            query.extend(since.map(|since| ("since_ms", since.to_string())));
            query.extend(field.clone().map(|field| ("field", field)));
            let list: DeadLetterList = client(layers)?.get("/dead-letters", &query)?;
            if *output == OutputFormat::Json { print_json(&list) } else { show(&list) }
        }
        What::Retry { positions, reason, layers, output } => {
            let request = RetryRequest { positions: positions.clone(), who: super::who(), why: super::reason(reason)? };
            let retried: Retried = client(layers)?.post("/dead-letters/retry", &request)?;
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

fn client(layers: &Layers) -> Result<Client, Failure> {
    Client::new(&PathBuf::from(layers.load()?.config.data.dir))
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
