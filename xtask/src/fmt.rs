//! `cargo xtask fmt`: cargo's formatter, and then the files that it does not reach: the modules of operators and of commands are
//! declared by lists, macros that it does not look into.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::step;

/// Folders of modules that a list declares: `detectors/src/lib.rs`, `pipeline/app/src/command.rs`.
const LISTED: [&str; 2] = ["detectors/src", "pipeline/app/src/command"];

pub(crate) fn run(check: bool) -> Result<()> {
    let mut all = step::cargo(["fmt", "--all"]);
    let mut listed = step::command("rustfmt");
    listed.args(["--edition", "2024"]);
    if check {
        all.arg("--check");
        listed.arg("--check");
    }
    let mut found = Vec::new();
    for folder in LISTED {
        files(&step::root().join(folder), &mut found)?;
    }
    listed.args(found);
    step::run("fmt", all)?;
    step::run("fmt of what is listed", listed)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}
