//! `cargo xtask quality`: simulated weeks through the shipped rules. `--page docs/detection-quality.md` writes the page's part about them.
//! `cargo xtask quality tracks` does the same with the bus tracks that attacks were put into, and draws some into `docs/tracks`.

use anyhow::Result;

use crate::step;

pub(crate) fn run(options: &[&str]) -> Result<()> {
    if let ["tracks", rest @ ..] = options {
        return tracks(rest);
    }
    quality(options)
}

/// Puts attacks into the tracks, by a script of the fixtures, and runs them.
fn tracks(options: &[&str]) -> Result<()> {
    let mut python = step::command("python3");
    python.args(["fixtures/make/attacked.py", "target/tracks"]);
    step::run("put attacks into the bus tracks", python)?;
    let files = ["--tracks", "target/tracks/attacked.jsonl", "--labels", "target/tracks/attacked.labels.jsonl", "--draw", "docs/tracks"];
    quality(&[&files[..], options].concat())
}

fn quality(options: &[&str]) -> Result<()> {
    let mut cargo = step::cargo(["run", "--release", "--quiet", "--package", "rasid-quality", "--"]);
    cargo.args(options);
    step::run("quality", cargo)
}
