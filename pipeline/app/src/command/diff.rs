//! `rasid diff`: what a change of rules adds, removes and moves.

use rasid_backtest::pass::Diff;
use rasid_backtest::taken::{Taken, beyond_archives};
use rasid_backtest::text::comparison_text;
use rasid_detectors::event::EventType;
use serde::Serialize;

use super::past_options::{PastOptions, note_beyond, note_failing};
use super::{Command, Failure, OutputFormat, print_block, print_json, say};
use crate::rulesets::Place;

/// What a change of rules adds, removes and moves, alert by alert
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rasid diff git:main rules week.jsonl.zst\n  rasid diff rules tried /var/lib/rasid --since 2026-11-14T00:00:00Z\n  \
    rasid diff git:HEAD~1 rules day.jsonl --output json > changes.json\n\n\
    Both rulesets go over the same events in one pass, by the engine that runs live. An alert has moved where another event\n\
    opens it while the other one's alert still covered its hits (the rule's suppress). Where a rule's own file differs, both\n\
    conditions are shown as they came out at the event. Exit status 0: no difference; 1: there are some."
)]
pub(crate) struct Args {
    /// The rules of before: a folder, git:REVISION or git:REVISION:FOLDER
    #[arg(value_name = "OLD")]
    old: Place,
    /// The rules of after
    #[arg(value_name = "NEW")]
    new: Place,
    /// Events, one JSON object a line, also .gz and .zst; - is stdin. Or the data folder of a service, or an archive, alone
    #[arg(value_name = "EVENTS", required = true)]
    events: Vec<String>,
    #[command(flatten)]
    past: PastOptions,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

/// The result for programs.
#[derive(Serialize)]
struct Written<'a> {
    old: &'a str,
    new: &'a str,
    events: u64,
    changed_rules: &'a [String],
    total: rasid_backtest::compare::Counts,
    #[serde(flatten)]
    comparison: &'a rasid_backtest::compare::Comparison,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let period = self.past.period()?;
        let usual = std::path::Path::new("rules");
        let (old_dir, new_dir) = (self.old.folder().unwrap_or(usual), self.new.folder().unwrap_or(usual));
        let (old, new) = (self.old.load(new_dir)?, self.new.load(old_dir)?);
        note_failing(&new, &self.new.shown())?;
        let mut beyond = beyond_archives(&old);
        beyond.extend(beyond_archives(&new));
        beyond.sort();
        beyond.dedup();
        let (old_hash, new_hash) = (old.hash.clone(), new.hash.clone());
        let past = self.past.open(&self.events)?;
        let diff = Diff::new((old, new), &self.past.config(), past.pseudonymizer(), period);
        let mut diff = diff.map_err(|error| Failure::Outside(Box::new(error)))?;
        let wanted: Vec<bool> = EventType::ALL.iter().map(|event| diff.reads_columns_of(*event)).collect();
        let mut of_columns = false;
        past.read(
            |event| wanted.get(event as usize).copied().unwrap_or(true),
            |taken| {
                of_columns |= matches!(taken, Taken::Columns(_));
                diff.take(taken);
            },
        )?;
        if of_columns {
            note_beyond(&beyond);
        }
        let counters = diff.engine().counters();
        if counters.dead_letters > 0 {
            say(format_args!("note: {} of {} records are no events; `rasid detect` says why", counters.dead_letters, counters.records));
        }
        let changed_rules = diff.changed().to_vec();
        let (comparison, _) = diff.finish();
        match self.output {
            OutputFormat::Json => print_json(&Written {
                old: &old_hash,
                new: &new_hash,
                events: counters.events,
                changed_rules: &changed_rules,
                total: comparison.total(),
                comparison: &comparison,
            })?,
            OutputFormat::Text => print_block(comparison_text(&comparison).trim_end(), false)?,
        }
        if comparison.is_same() { Ok(()) } else { Err(Failure::Said(1)) }
    }
}
