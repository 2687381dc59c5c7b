//! What every command takes that goes through the past.

use rasid_backtest::pass::Period;
use rasid_compiler::ruleset::Ruleset;
use rasid_engine::{Config, events_per_s_max};

use super::{Failure, say};
use crate::clock::now_ms;
use crate::{memory, past};

/// Which part of the past, and what may be spent on it.
#[derive(clap::Args)]
pub(crate) struct PastOptions {
    /// Alerts count from then on, RFC 3339; what comes before warms up what looks back [default: all]
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    since: Option<i64>,
    /// Alerts count until then, RFC 3339 [default: all]
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    until: Option<i64>,
    #[command(flatten)]
    walk: WalkOptions,
}

/// What may be spent on going through it.
#[derive(clap::Args)]
pub(crate) struct WalkOptions {
    /// Threads that share the work; the answer is the same with any number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Bound on the state of each ruleset, in bytes or with KiB, MiB, GiB; it is not taken before it is needed
    #[arg(long, value_name = "BYTES", default_value = "4GiB", value_parser = memory::bytes)]
    memory: u64,
    /// When the records of files arrived, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    now: Option<i64>,
}

impl PastOptions {
    /// The period in which alerts count.
    pub(super) fn period(&self) -> Result<Period, Failure> {
        let period = Period { since_ms: self.since.unwrap_or(i64::MIN), until_ms: self.until.unwrap_or(i64::MAX) };
        if period.since_ms >= period.until_ms {
            return Err(Failure::Configuration("--until is not after --since: no alert would count".to_owned()));
        }
        Ok(period)
    }

    /// How engines are set up.
    pub(super) fn config(&self) -> Config {
        self.walk.config()
    }

    /// The events in `files`, to be gone through more than once.
    pub(super) fn again<'f>(&self, files: &'f [String]) -> Result<past::Again<'f>, Failure> {
        self.walk.again(files)
    }

    /// The events in `files`.
    pub(super) fn open(&self, files: &[String]) -> Result<past::Past, Failure> {
        past::Past::open(files, self.walk.now.unwrap_or_else(now_ms), self.walk.threads)
    }
}

impl WalkOptions {
    /// How engines are set up.
    pub(super) fn config(&self) -> Config {
        let memory_max = usize::try_from(self.memory).unwrap_or(usize::MAX);
        let events_per_s = Config::default().events_per_s.min(events_per_s_max(self.memory));
        Config { threads: usize::from(self.threads), memory_max, events_per_s, ..Config::default() }
    }

    /// How many threads share the work.
    pub(super) fn threads(&self) -> u16 {
        self.threads
    }

    /// The events in `files`, to be gone through more than once.
    pub(super) fn again<'f>(&self, files: &'f [String]) -> Result<past::Again<'f>, Failure> {
        past::Again::new(files, self.now.unwrap_or_else(now_ms), self.threads)
    }
}

/// Says where tests of a ruleset fail: it would never be active as it is.
pub(super) fn note_failing(ruleset: &Ruleset, place: &str) -> Result<(), Failure> {
    let outcome = rasid_engine::run_tests(ruleset).map_err(|error| Failure::Outside(Box::new(error)))?;
    if let Some(failures) = outcome.failures {
        let count = failures.faults.len();
        say(format_args!("note: {count} tests of {place} fail, so that it would not become active; `rasid check` shows them"));
    }
    Ok(())
}

/// Names the rules that an archive, which was read, does not suffice for.
pub(super) fn note_beyond(rules: &[String]) {
    if !rules.is_empty() {
        say(format_args!(
            "note: {} rules need more than an archive has, or read what such rules open, so that what they say here is not what they say live: {}",
            rules.len(),
            rules.join(", ")
        ));
    }
}
