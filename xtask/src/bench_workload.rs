//! `cargo xtask bench-workload`: the events that throughput is measured on, and how many of them meet each reference
//! condition.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::step;

pub(crate) fn run(count: &str, seed: &str) -> Result<()> {
    ensure!(
        [count, seed].iter().all(|number| number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty()),
        "COUNT and SEED are whole numbers"
    );
    let folder = step::root().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let events = folder.join(format!("events_{count}_{seed}.jsonl"));
    let counts = folder.join(format!("events_{count}_{seed}.counts.json"));

    let mut generate = step::command("python3");
    generate.args(["benches/workload/gen_events.py", count, seed]).stdout(create(&events)?);
    step::run("generate", generate)?;

    let mut oracle = step::command("python3");
    let input = File::open(&events).with_context(|| format!("cannot open {}", events.display()))?;
    oracle.arg("benches/workload/oracle.py").stdin(input).stdout(create(&counts)?);
    step::run("count", oracle)?;
    eprintln!("wrote {} and {}", events.display(), counts.display());
    Ok(())
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}
