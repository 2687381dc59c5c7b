//! `cargo xtask quality`: simulated weeks through the shipped rules. `--page docs/detection-quality.md` writes the page's part about them.

use anyhow::Result;

use crate::step;

pub(crate) fn run(options: &[&str]) -> Result<()> {
    let mut cargo = step::cargo(["run", "--release", "--quiet", "--package", "rasid-quality", "--"]);
    cargo.args(options);
    step::run("quality", cargo)
}
