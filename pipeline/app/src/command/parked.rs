//! `rasid parked`: what receivers refused for good, and once more to them with it.

use rasid_detectors::event::time::format_rfc3339;
use rasid_service::operate::control::{Parked, ParkedFilter, UnparkAll, UnparkRequest};

use super::{Command, Failure, OutputFormat, print_json, print_line, say};
use crate::config::Layers;
use crate::http::Client;

/// What receivers refused for good
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List what receivers refused for good, with their answers
    #[command(
        after_help = "Examples:\n  rasid parked list --sink core\n  rasid parked list --rule auth.otp_flood --since 2026-11-21T10:00:00Z"
    )]
    List {
        /// Of this sink
        #[arg(long, value_name = "SINK")]
        sink: Option<String>,
        /// Alerts of this rule, and their retractions
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
        /// Those that were committed from then on, RFC 3339
        #[arg(long, value_name = "TIME", value_parser = super::instant)]
        since: Option<i64>,
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
    #[command(after_help = "Examples:\n  rasid parked retry core 17 18 --reason \"core accepts the new rule now\"\n  \
        rasid parked retry core --rule auth.otp_flood --reason \"core knows the rule now\"\n  \
        rasid parked retry core --all --reason \"core answers again\"\n\n\
        They go to the end of the sink's queue. What is refused again while this runs is not offered a third time.")]
    #[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["seqs", "all", "rule", "since"]))]
    Retry {
        /// The sink
        #[arg(value_name = "SINK")]
        sink: String,
        /// Their places in its queue, as `list` shows them
        #[arg(value_name = "SEQ", num_args = 1..=10_000, conflicts_with_all = ["all", "rule", "since"])]
        seqs: Vec<u64>,
        /// All of them
        #[arg(long, conflicts_with_all = ["rule", "since"])]
        all: bool,
        /// Alerts of this rule, and their retractions
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
        /// Those that were committed from then on, RFC 3339
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
    },
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        match &self.what {
            What::List { sink, rule, since, limit, layers, output } => {
                let filter = ParkedFilter { sink: sink.clone(), limit: *limit as usize, rule: rule.clone(), since_ms: *since };
                let list = Client::of(layers)?.ask(&filter)?;
                if *output == OutputFormat::Json { print_json(&list) } else { show(&list) }
            }
            What::Retry { sink, seqs, all: _, rule, since, reason, layers, output } => {
                let all = UnparkAll { rule: rule.clone(), since_ms: *since, ..UnparkAll::default() };
                let all = seqs.is_empty().then_some(all);
                let request = UnparkRequest { sink: sink.clone(), seqs: seqs.clone(), all, who: super::who(), why: super::reason(reason)? };
                retry(&Client::of(layers)?, request, *output)
            }
        }
    }
}

/// Page after page, as there may be a million.
fn retry(client: &Client, mut request: UnparkRequest, output: OutputFormat) -> Result<(), Failure> {
    let paged = request.all.is_some();
    let (mut offered, mut missing) = (Vec::new(), Vec::new());
    loop {
        let page = client.ask(&request)?;
        offered.extend(page.offered);
        missing.extend(page.missing);
        let Some(next) = page.next else { break };
        say(format_args!("{} offered to {} so far", offered.len(), request.sink));
        request.all = Some(next);
    }
    match output {
        OutputFormat::Json if paged => print_json(&serde_json::json!({"offered": offered.len()}))?,
        OutputFormat::Json => print_json(&serde_json::json!({"offered": offered, "missing": missing}))?,
        OutputFormat::Text => print_line(&format!("{} offered to {} once more", offered.len(), request.sink))?,
    }
    // Of a page, what is missing was replaced by something newer on the way.
    if paged || missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = missing.iter().map(u64::to_string).collect();
    say(format_args!("nothing is parked at {}", missing.join(", ")));
    Err(Failure::Said(1))
}

fn show(list: &[Parked]) -> Result<(), Failure> {
    for item in list {
        let Parked { sink, seq, id, rule, committed_ms, answer } = item;
        let rule = rule.as_deref().unwrap_or("-");
        print_line(&format!("{sink:<14}{seq:>10}  {}  {rule}  {id}  {answer}", format_rfc3339(*committed_ms)))?;
    }
    say(format_args!("{} parked", list.len()));
    Ok(())
}
