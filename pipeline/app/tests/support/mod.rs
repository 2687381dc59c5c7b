//! What the tests of the program share: running it, making its input, and randomness from a seed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Later than every event in these tests: the arrival stamp, so that no answer depends on the day the tests run.
const NOW: &str = "2026-12-31T00:00:00Z";

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What one run of `rasid detect` said.
pub(crate) struct Run {
    /// The alerts' lines as they were written.
    pub(crate) alerts: String,
    /// The dead letters, in order.
    pub(crate) dead_letters: Vec<Value>,
    /// The summary.
    pub(crate) summary: Value,
}

impl Run {
    /// The alerts, in order.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        self.alerts.lines().map(|line| serde_json::from_str(line).expect("an alert is one JSON object a line")).collect()
    }

    /// A count of the summary.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.summary.get(name).and_then(Value::as_u64).unwrap_or_else(|| panic!("the summary counts {name}: {}", self.summary))
    }
}

/// Runs `rasid detect` with the reference rules over a file, in a folder of the caller's.
pub(crate) fn detect(folder: &Path, events: &Path, arguments: &[&str]) -> Run {
    let (alerts, dead_letters) = (folder.join("alerts.jsonl"), folder.join("dead_letters.jsonl"));
    let output = Command::new(env!("CARGO_BIN_EXE_rasid"))
        .arg("detect")
        .arg(events)
        .arg("--rules")
        .arg(root().join("benches/reference"))
        .arg("--alerts")
        .arg(&alerts)
        .arg("--dead-letters")
        .arg(&dead_letters)
        .args(["--output", "json", "--now", NOW])
        .args(arguments)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "exit status {}, and it said:\n{said}", output.status);
    let dead_letters = fs::read_to_string(dead_letters).expect("dead letters were written, if none");
    Run {
        alerts: fs::read_to_string(alerts).expect("alerts were written"),
        dead_letters: dead_letters.lines().map(|line| serde_json::from_str(line).expect("a dead letter is JSON")).collect(),
        summary: summary(&said),
    }
}

/// The JSON object that standard error ends with; notices may stand before it.
fn summary(said: &str) -> Value {
    let start = said.rfind("\n{").map_or(0, |newline| newline + 1);
    let object = said.get(start..).unwrap_or_default();
    serde_json::from_str(object).unwrap_or_else(|error| panic!("no summary at the end of standard error ({error}):\n{said}"))
}

/// Writes the seeded benchmark workload to a file.
pub(crate) fn generate(path: &Path, count: usize, seed: u64) {
    let status = Command::new("python3")
        .arg(root().join("benches/workload/gen_events.py"))
        .args([count.to_string(), seed.to_string()])
        .stdout(File::create(path).expect("a temporary file"))
        .status()
        .expect("python3 is there");
    assert!(status.success(), "gen_events.py: {status}");
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014): small, and the same everywhere.
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`; near enough to evenly spread for a test.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let index = self.below(choices.len());
        choices.get(index).expect("below their number")
    }
}
