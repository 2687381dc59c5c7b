//! What an archive takes: run by hand, `cargo test --release -p rasid-archive --test measure -- --ignored --nocapture`.
//!
//! 2026-11-30, two cores that others used too, dev profile, a simulated week: 378,873 events, 144 MB as JSON Lines:
//!
//! ```text
//! on disk                   23.5 MB in 2,109 parts, 61 bytes a row
//! peak of memory            98 MiB to write, 120 MiB to read for one rule, 227 MiB for the shipped ones
//! written, read three times 130 s of CPU in all
//! a backtest of one rule    4.7 s of CPU
//! ```

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a stopwatch for a person")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rasid_archive::{Options, Origin, Reader, Stretch, Writer};
use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{SourceFile, compile};
use rasid_engine::{Config, Engine, Opened, Pseudonymizer, Record};

const CODES: &str = "rule: auth.codes\ntitle: t\non: auth.otp_requested\nentity: phone\nlet: {n: {count: auth.otp_requested, by: phone, window: 10m}}\nwhen: n > 5\nsuppress: 0s\nexplain: '{n}'\n";

fn pseudonymizer() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough")
}

/// Most memory that this process has had, MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it has one");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

#[expect(clippy::cast_precision_loss, reason = "for a person")]
fn told(what: &str, events: u64, took: Duration) {
    println!(
        "{what}: {events} events in {:.2} s, {:.0} a second; peak {} MiB",
        took.as_secs_f64(),
        events as f64 / took.as_secs_f64(),
        peak_mib()
    );
}

/// Writes an archive of so many simulated hours; `RASID_HOURS` and `RASID_ARCHIVE` say how many and where.
#[test]
#[ignore = "a measurement, of minutes"]
fn what_an_archive_takes() {
    let hours: u32 = std::env::var("RASID_HOURS").map_or(168, |hours| hours.parse().expect("a number"));
    let threads = std::env::var("RASID_THREADS").map_or(1, |threads| threads.parse().expect("a number"));
    let folder =
        std::env::var("RASID_ARCHIVE").map_or_else(|_| tempfile::tempdir().expect("a folder").keep().join("archive"), PathBuf::from);
    let config = rasid_simulate::Config { hours, ..Default::default() };
    let engine = |rules: Ruleset| Engine::new(rules, Config { threads, ..Config::default() }, pseudonymizer()).expect("threads");
    let none = || compile(&[]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let mut decoder = engine(none());
    let mut writer = Writer::create(&folder, &pseudonymizer(), Origin::Lines, 1, Options::default()).expect("an empty folder");
    let mut simulation = rasid_simulate::simulate(&config);
    let (mut position, mut json, mut decoding, mut writing) = (0, 0, Duration::ZERO, Duration::ZERO);
    loop {
        let lines: Vec<_> = simulation.by_ref().take(8_192).collect();
        if lines.is_empty() {
            break;
        }
        let record = |(position, record): (u64, &rasid_simulate::Record)| (position, record.arrival_ms);
        let places: Vec<(u64, i64)> = (position + 1..).zip(&lines).map(record).collect();
        let records = places.iter().zip(&lines).map(|((position, arrival_ms), record)| Record {
            position: *position,
            arrival_ms: *arrival_ms,
            bytes: record.line.as_bytes(),
        });
        let records: Vec<Record<'_>> = records.collect();
        position += records.len() as u64;
        json += records.iter().map(|record| record.bytes.len() as u64 + 1).sum::<u64>();
        let started = Instant::now();
        let opened = Opened::default();
        let batch = decoder.decode(&records, &opened);
        let archived = decoder.archived(&batch);
        decoder.recycle(batch);
        decoding += started.elapsed();
        let started = Instant::now();
        for record in &archived {
            writer.event(record).expect("a disk");
        }
        writer.reach(position);
        writing += started.elapsed();
    }
    let started = Instant::now();
    let (manifest, _) = writer.finish().expect("a disk");
    writing += started.elapsed();
    told("decoded and pseudonymised", position, decoding);
    told("written", position, writing);
    let (rows, bytes) = (manifest.rows(), manifest.bytes());
    println!("{rows} rows, {bytes} bytes, {} a row; as JSON Lines {json}; in {}", bytes / rows.max(1), folder.display());

    read("no rules", &folder, engine(none()));
    let codes = compile(&[SourceFile { name: "auth/codes.yaml".to_owned(), text: CODES.to_owned() }]);
    read("one rule", &folder, engine(codes.unwrap_or_else(|report| panic!("{}", report.render(false)))));
    read("the shipped rules", &folder, engine(rasid_compiler::load(Path::new("../../rules")).unwrap_or_else(|error| panic!("{error}"))));
}

fn read(what: &str, folder: &Path, mut engine: Engine) {
    let started = Instant::now();
    let mut reader = Reader::open(folder, &pseudonymizer()).expect("whole").of_types(|event| engine.reads_columns_of(event));
    let (mut events, mut alerts) = (0, 0);
    while let Some(stretch) = reader.stretch().expect("whole") {
        let Stretch::Events(records) = stretch else { continue };
        let batch = engine.columns(&records);
        events += records.len() as u64;
        alerts += engine.step(&batch).alerts.len();
        engine.recycle(batch);
    }
    told(&format!("{what}, {alerts} alerts"), events, started.elapsed());
}
