//! `cargo xtask fixtures`: every fixture that a script made is byte for byte what the script makes.

use anyhow::Result;

use crate::step;

pub(crate) fn run(check: bool) -> Result<()> {
    let mut make = step::command("python3");
    make.arg("fixtures/make/make.py");
    if check {
        make.arg("--check");
    }
    step::run("fixtures", make)
}
