//! The reference workload: `workload/gen_events.py`, of which a small part is enough here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{fs, io};

use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::event::{Event, EventType};

/// How many events.
const EVENTS: usize = 20_000;
/// What they are drawn from.
const SEED: usize = 7;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file() -> PathBuf {
    root().join(format!("target/bench/events_{EVENTS}_{SEED}.jsonl"))
}

/// Writes the workload to where the benchmarks read it, a process before: so that they do the same at every run.
///
/// # Errors
/// When Python does not start or fails, or the file cannot be written.
pub fn write_workload() -> io::Result<()> {
    let file = file();
    fs::create_dir_all(file.parent().unwrap_or(&file))?;
    let mut python = Command::new("python3");
    python.arg(root().join("benches/workload/gen_events.py")).args([EVENTS, SEED].map(|number| number.to_string()));
    let status = python.stdout(Stdio::from(fs::File::create(&file)?)).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("gen_events.py: {status}"))) }
}

/// Its records in order.
pub(crate) fn records() -> &'static [&'static [u8]] {
    static RECORDS: OnceLock<Vec<&'static [u8]>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let file = file();
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let records: Vec<&[u8]> = bytes.leak().split(|byte| *byte == b'\n').filter(|record| !record.is_empty()).collect();
        assert_eq!(records.len(), EVENTS, "events in {}", file.display());
        records
    })
}

/// Its events of some types, the first `count`, each with its record.
pub(crate) fn events(types: &[EventType], count: usize) -> Vec<(Event<'static>, &'static [u8])> {
    static EVENTS: OnceLock<Vec<(Event<'static>, &'static [u8])>> = OnceLock::new();
    let events = EVENTS.get_or_init(|| {
        let event = |record: &&'static [u8]| match decode(record, &Limits::default()) {
            Ok(Decoded::Event(event)) => (event, *record),
            other => panic!("an event of the workload is {other:?}"),
        };
        records().iter().map(event).collect()
    });
    events.iter().filter(|(event, _)| types.contains(&event.data.event_type())).take(count).cloned().collect()
}
