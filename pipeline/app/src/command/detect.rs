//! `rasid detect`: files, stdin or a service's log in, alerts out.

mod replay;
mod set_aside;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use rasid_backtest::text::grouped;
use rasid_connectors::sink::{DeadLetter, JsonLinesSink};
use rasid_connectors::source::{Batch, JsonLines};
use rasid_detectors::shown::json;
use rasid_engine::{Config, Counters, Engine, Record, RuleCounters, events_per_s_max};
use serde::Serialize;

use self::set_aside::SetAside;
use super::{Command, Failure, OutputFormat, colour, json_text, say, say_block};
use crate::clock::{Stopwatch, now_ms};
use crate::{key, memory, past};

/// Events in, alerts out: as fast as the machine allows, without a network
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rasid detect fixtures/sample.jsonl\n  zcat day.jsonl.gz | rasid detect > alerts.jsonl\n  \
    rasid detect mon.jsonl.zst tue.jsonl.zst --alerts alerts.jsonl --scores scores.jsonl --dead-letters refused.jsonl\n  \
    RASID_KEY_FILE=key rasid detect /var/lib/rasid --alerts again.jsonl\n\n\
    FILE may be the data folder of a service, running or not: its log is gone through again from the beginning, with the\n\
    arrivals, rulesets, retractions and settings that it holds, and gives the alerts and scores that the service gave.\n\
    Nothing in the folder is changed. The secret is the one that `rasid run` would use here.")]
pub(crate) struct Args {
    /// Events, one JSON object a line, also .gz and .zst; read one after another; - is stdin. Or the data folder of a
    /// service, alone
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<String>,
    /// Folder of rule files; a data folder has its own [default: rules]
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Where alerts go, one JSON object a line; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    alerts: String,
    /// Where the scores of all entities go at the end
    #[arg(long, value_name = "FILE")]
    scores: Option<String>,
    /// Where records that are no events go, with position, field and reason
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<String>,
    /// Threads that share the work; the alerts are the same with any number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Bound on the state of all entities, in bytes or with KiB, MiB, GiB: at it the least valuable are forgotten early,
    /// and counted. The same events give the same alerts only under the same bound, so the default is no share of this
    /// machine; it is not taken before it is needed. A data folder has its own [default: 4GiB]
    #[arg(long, value_name = "BYTES", value_parser = memory::bytes)]
    memory: Option<u64>,
    /// An alert on every hit, whatever the rules say
    #[arg(long)]
    no_suppress: bool,
    /// When the records arrived, RFC 3339; what claims to be over 5 min later is set aside as from the future
    /// [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::instant)]
    now: Option<i64>,
    /// How the summary on stderr is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl Args {
    /// Refuses what would destroy what it is to read or write: an output that is an input, or another output.
    fn check_files(&self) -> Result<(), Failure> {
        let known =
            |path: &str| if path == "-" { None } else { std::path::absolute(path).ok().map(|path| path.canonicalize().unwrap_or(path)) };
        let outputs =
            [("--alerts", Some(&self.alerts)), ("--scores", self.scores.as_ref()), ("--dead-letters", self.dead_letters.as_ref())];
        let mut taken: Vec<(String, PathBuf)> =
            self.files.iter().filter_map(|file| Some((format!("input {file}"), known(file)?))).collect();
        for (option, path) in outputs.into_iter().filter_map(|(option, path)| Some((option, path?))) {
            // What is no file of its own (/dev/null, a pipe) may be written to by several.
            let Some(place) = known(path).filter(|place| place.metadata().map_or(true, |meta| meta.is_file())) else { continue };
            if let Some((other, _)) = taken.iter().find(|(_, known)| *known == place) {
                return Err(Failure::Configuration(format!("{option} {path} would overwrite {other}")));
            }
            taken.push((format!("what {option} writes"), place));
        }
        Ok(())
    }
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        if let Some(dir) = replay::folder(&self.files)? {
            return replay::run(self, &dir);
        }
        self.check_files()?;
        let rules = self.rules.clone().unwrap_or_else(|| PathBuf::from("rules"));
        let ruleset = rasid_compiler::load(&rules)?;
        // A rule whose tests fail is never active (R1).
        if let Some(mut report) = rasid_engine::run_tests(&ruleset).map_err(|error| Failure::Outside(Box::new(error)))?.failures {
            report.dir = Some(rules);
            say_block(report.render(colour()).trim_end());
            return Err(Failure::Said(2));
        }
        let threads = usize::from(self.threads);
        let memory_max = memory_max(self.memory);
        // As the service has it, as far as the memory given goes.
        let events_per_s = Config::default().events_per_s.min(events_per_s_max(memory_max as u64));
        let config = Config { suppress: !self.no_suppress, threads, memory_max, events_per_s, ..Config::default() };
        let engine = Engine::new(ruleset, config, key::pseudonymizer()?).map_err(|error| Failure::Outside(Box::new(error)))?;
        let limits = past::limits(self.threads);
        past::look_at(&self.files, limits)?;
        let scores = self.scores.as_deref().map(JsonLinesSink::create).transpose()?;
        let mut run = Run {
            engine,
            alerts: JsonLinesSink::create(&self.alerts)?,
            dead_letters: self.dead_letters.as_deref().map(JsonLinesSink::create).transpose()?,
            arrival_ms: self.now.unwrap_or_else(now_ms),
            position: 0,
            set_aside: SetAside::default(),
            progress: Progress::start(),
        };
        for file in &self.files {
            run.source(JsonLines::open_with(file, limits)?)?;
        }
        let Run { engine, alerts, dead_letters, set_aside, progress, .. } = run;
        let elapsed = progress.end();
        alerts.finish()?;
        dead_letters.map(JsonLinesSink::finish).transpose()?;
        let lead = set_aside.lead(engine.counters().records, false);
        finish(&engine, scores, elapsed, (self.output, &lead))
    }
}

/// The bound on keyed state. Where nobody chose it and the machine is too small for it, that is said.
fn memory_max(chosen: Option<u64>) -> usize {
    let default = Config::default().memory_max;
    if let (None, Some(have)) = (chosen, memory::short_of(default as u64)) {
        let (default, have) = (default >> 20, have >> 20);
        say(format_args!("note: state may grow to {default} MiB, and there are {have} MiB of memory here: --memory sets another bound"));
    }
    chosen.map_or(default, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Writes what stands at the end, and says what the run came to, with `lead` before all else.
fn finish(
    engine: &Engine,
    scores: Option<JsonLinesSink>,
    elapsed: Duration,
    (output, lead): (OutputFormat, &[String]),
) -> Result<(), Failure> {
    if let Some(mut sink) = scores {
        for score in engine.scores() {
            sink.write(&score)?;
        }
        sink.finish()?;
    }
    let summary = Summary::new(engine, elapsed);
    match output {
        OutputFormat::Text => {
            for line in lead {
                say(format_args!("{line}"));
            }
            summary.print();
        }
        OutputFormat::Json => {
            let summary = json_text(&summary)?;
            say(format_args!("{}", json(&summary)));
        }
    }
    Ok(())
}

/// A run on its way.
struct Run {
    engine: Engine,
    alerts: JsonLinesSink,
    dead_letters: Option<JsonLinesSink>,
    arrival_ms: i64,
    /// Of the newest record; the first record of the first file is 1.
    position: u64,
    set_aside: SetAside,
    progress: Progress,
}

impl Run {
    fn source(&mut self, mut source: JsonLines) -> Result<(), Failure> {
        let mut batch = Batch::new();
        while source.next_batch(&mut batch)? {
            self.batch(&batch)?;
            self.alerts.flush()?; // somebody may be reading along
            self.progress.show(self.position);
        }
        Ok(())
    }

    fn batch(&mut self, batch: &Batch) -> Result<(), Failure> {
        let mut records = Vec::with_capacity(batch.len());
        for bytes in batch.iter() {
            self.position += 1;
            records.push(Record { position: self.position, arrival_ms: self.arrival_ms, bytes });
        }
        let output = self.engine.process(&records);
        let (alerts, dead_letters) = (output.alerts.len(), output.dead_letters.len());
        tracing::debug!(records = records.len(), alerts, dead_letters, "batch processed");
        for alert in &output.alerts {
            self.alerts.write(alert)?;
        }
        output.dead_letters.iter().for_each(|letter| self.set_aside.add(letter.field.as_deref(), &letter.reason));
        let Some(sink) = &mut self.dead_letters else { return Ok(()) };
        for letter in output.dead_letters {
            let reason = match batch.cut(letter.record) {
                Some(length) => format!("record of {length} bytes, of which the beginning is kept here: {}", letter.reason),
                None => letter.reason,
            };
            let record = batch.get(letter.record).unwrap_or_default();
            sink.write(&DeadLetter { position: letter.position, field: letter.field, reason, record })?;
        }
        Ok(())
    }
}

/// A line on stderr each second, if a person is there to see it.
pub(crate) struct Progress {
    watch: Stopwatch,
    shown: Option<Duration>,
    terminal: bool,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self { watch: Stopwatch::start(), shown: None, terminal: std::io::stderr().is_terminal() }
    }

    pub(crate) fn show(&mut self, records: u64) {
        let elapsed = self.watch.elapsed();
        if self.terminal && elapsed.saturating_sub(self.shown.unwrap_or_default()) >= Duration::from_secs(1) {
            eprint!("\r{} records", grouped(records));
            self.shown = Some(elapsed);
        }
    }

    pub(crate) fn end(self) -> Duration {
        if self.shown.is_some() {
            eprint!("\r{:40}\r", "");
        }
        self.watch.elapsed()
    }
}

/// What a run came to.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    counters: Counters,
    /// What the memory bound has cost, by operator and other holders of state; those that it has cost nothing are left out.
    evicted_by: BTreeMap<&'a str, u64>,
    seconds: f64,
    events_per_s: f64,
    ruleset: &'a str,
    rules: &'a [RuleCounters],
    /// Waits that were open at the end.
    waits_open: usize,
}

impl<'a> Summary<'a> {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn new(engine: &'a Engine, elapsed: Duration) -> Self {
        let counters = engine.counters();
        let seconds = elapsed.as_secs_f64();
        let events_per_s = (counters.events as f64 / seconds.max(1e-9)).round();
        let (ruleset, rules, waits_open) = (engine.ruleset_hash(), engine.rule_counters(), engine.open_waits());
        let evicted_by = engine.evictions().into_iter().filter(|(_, count)| *count > 0).collect();
        Self { counters, evicted_by, seconds, events_per_s, ruleset, rules, waits_open }
    }

    fn print(&self) {
        let Counters {
            records,
            events,
            dead_letters,
            duplicates,
            duplicate_conflicts,
            unknown_types,
            late,
            filter_errors,
            evicted,
            alerts,
            oversized_ids,
            bad_events,
            waits_lost,
        } = &self.counters;
        say(format_args!("{:>14} records in {:.2} s ({} events/s)", grouped(*records), self.seconds, grouped_rate(self.events_per_s)));
        let kinds: Vec<String> = self.evicted_by.iter().map(|(kind, count)| format!("{kind} {}", grouped(*count))).collect();
        let evicted_what = format!("states evicted, as memory was full ({})", kinds.join(", "));
        let lines = [
            (*events, "events"),
            (*dead_letters, "dead letters"),
            (*duplicates, "duplicates"),
            (*duplicate_conflicts, "of them with other content under the same id"),
            (*unknown_types, "of unknown type"),
            (*late, "late"),
            (*bad_events, "with a field that is not as the contract says"),
            (*oversized_ids, "identifiers of more than 256 bytes, which read as absent"),
            (*filter_errors, "where conditions without a value, or amounts without a rate"),
            (*evicted, evicted_what.as_str()),
            (*waits_lost, "waits given up, as the event that armed them cannot be read any more"),
            (*alerts, "alerts"),
        ];
        for (count, what) in lines {
            if count > 0 || matches!(what, "events" | "dead letters" | "duplicates" | "late" | "alerts") {
                say(format_args!("{:>14} {what}", grouped(count)));
            }
        }
        for rule in self.rules {
            let RuleCounters { rule, alerts, suppressed, errors, entity_missing, key_missing, behind, shadow, shadow_alone, shadow_beside } =
                rule;
            let counted = |count: &u64, what: &str| (*count > 0).then(|| format!("{} {what}", grouped(*count)));
            let mut notes: Vec<String> = [
                (shadow, "in shadow"),
                (shadow_alone, "of them about whom no other rule doubts"),
                (suppressed, "suppressed"),
                (errors, "without a value"),
                (behind, "a window behind"),
            ]
            .into_iter()
            .filter_map(|(count, what)| counted(count, what))
            .collect();
            notes.extend(shadow_beside.iter().filter_map(|(other, count)| counted(count, &format!("beside {other}"))));
            notes.extend(entity_missing.iter().filter_map(|(field, count)| counted(count, &format!("without the entity's {field}"))));
            notes.extend(key_missing.iter().filter_map(|(field, count)| counted(count, &format!("without the {field} of a key"))));
            let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
            say(format_args!("{:>14}   {rule}{notes}", grouped(*alerts)));
        }
        if self.waits_open > 0 {
            let waits = if self.waits_open == 1 { "wait was" } else { "waits were" };
            let open = grouped(self.waits_open as u64);
            say(format_args!("{open} {waits} still open at the end of the input: no alert is opened after the last event"));
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is small and not negative")]
fn grouped_rate(rate: f64) -> String {
    grouped(rate as u64)
}
