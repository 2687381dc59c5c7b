//! `rasid parked`: what receivers refused for good, and once more to them with it.

use std::path::PathBuf;

use rasid_detectors::event::time::format_rfc3339;
use rasid_service::control::{Parked, UnparkRequest, Unparked};

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
    /// List what receivers refused for good, with their answers
    #[command(after_help = "Example:\n  rasid parked list --sink core")]
    List {
        /// Of this sink
        #[arg(long, value_name = "SINK")]
        sink: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
    /// Offer parked items to their receiver once more
    #[command(after_help = "Example:\n  rasid parked retry core 17 18 --reason \"core accepts the new rule now\"")]
    Retry {
        /// The sink
        #[arg(value_name = "SINK")]
        sink: String,
        /// Their places in its queue, as `list` shows them
        #[arg(value_name = "SEQ", required = true, num_args = 1..=10_000)]
        seqs: Vec<u64>,
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
        What::List { sink, limit, layers, output } => {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(sink.clone().map(|sink| ("sink", sink)));
            let list: Vec<Parked> = client(layers)?.get("/parked", &query)?;
            if *output == OutputFormat::Json { print_json(&list) } else { show(&list) }
        }
        What::Retry { sink, seqs, reason, layers, output } => {
            let request = UnparkRequest { sink: sink.clone(), seqs: seqs.clone(), who: super::who(), why: super::reason(reason)? };
            let unparked: Unparked = client(layers)?.post("/parked/retry", &request)?;
            match output {
                OutputFormat::Json => print_json(&unparked)?,
                OutputFormat::Text => print_line(&format!("{} offered to {sink} once more", unparked.offered.len()))?,
            }
            if unparked.missing.is_empty() {
                return Ok(());
            }
            let missing: Vec<String> = unparked.missing.iter().map(u64::to_string).collect();
            say(format_args!("nothing is parked at {}", missing.join(", ")));
            Err(Failure::Said(1))
        }
    }
}

fn client(layers: &Layers) -> Result<Client, Failure> {
    Client::new(&PathBuf::from(layers.load()?.config.data.dir))
}

fn show(list: &[Parked]) -> Result<(), Failure> {
    for item in list {
        let Parked { sink, seq, id, committed_ms, answer } = item;
        print_line(&format!("{sink:<14}{seq:>10}  {}  {id}  {answer}", format_rfc3339(*committed_ms)))?;
    }
    say(format_args!("{} parked", list.len()));
    Ok(())
}
