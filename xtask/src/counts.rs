//! `cargo xtask counts`: the instructions of everything that is benchmarked, as callgrind counts them, held to those on record.
//!
//! A count is one of one machine's tools, so what they depend on is fixed: callgrind shows programs a processor of its own, glibc is told
//! which of its functions not to choose, and seeds are constant. What is left (compiler, glibc, valgrind) stands on record too.

mod record;
mod run;

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use self::record::{Record, Verdict};
use crate::step;

/// The record, from the repository's root.
const FILE: &str = "benches/records/instructions.txt";

pub(crate) fn run(options: &[&str]) -> Result<()> {
    match options {
        [] => check(),
        ["--record", "--reason", reason] => write(reason),
        _ => bail!("`cargo xtask counts` checks, `cargo xtask counts --record --reason \"why\"` records"),
    }
}

fn check() -> Result<()> {
    step::timed("counts", || {
        let (tools, counts) = (run::tools()?, run::counts()?);
        let record = read()?.with_context(|| format!("there is no {FILE}; `cargo xtask counts --record --reason \"first\"` makes it"))?;
        let mut rises = 0;
        for (id, verdict) in record.compare(&counts) {
            match verdict {
                Verdict::Rose { from, to } => {
                    rises += 1;
                    eprintln!("{id} rose by {}: {from} to {to} instructions", percent(from, to));
                }
                Verdict::Fell { from, to } => eprintln!("{id} fell by {}: {from} to {to} instructions", percent(to, from)),
                Verdict::Unrecorded { count } => eprintln!("{id} is not on record: {count} instructions"),
                Verdict::Gone => eprintln!("{id} is on record and is measured no more"),
                Verdict::Same => {}
            }
        }
        if record.tools != tools {
            eprintln!("the record was made with {}; here it is {}: counts may differ by that alone", record.tools, tools);
        }
        eprintln!("{} counts, {rises} of them too far over {FILE}", counts.len());
        if rises == 0 {
            return Ok(());
        }
        eprintln!("if that must be, `cargo xtask counts --record --reason \"why\"` records it");
        Err(step::Failed::new("counts", 1).into())
    })
}

/// Records what has changed by more than the tolerance, with the reason; with other tools than before, everything.
fn write(reason: &str) -> Result<()> {
    let reason = reason.trim();
    ensure!(!reason.is_empty() && !reason.contains('\n'), "a reason is one line, and says why the counts are others");
    step::timed("counts", || {
        let (tools, counts) = (run::tools()?, run::counts()?);
        let record = read()?.unwrap_or_default().updated(tools, &counts, reason);
        fs::write(step::root().join(FILE), record.to_string()).with_context(|| format!("cannot write {FILE}"))?;
        eprintln!("wrote {FILE}");
        Ok(())
    })
}

fn read() -> Result<Option<Record>> {
    let path = step::root().join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
    text.parse().map(Some).with_context(|| FILE.to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "for people, to a tenth of a per cent")]
fn percent(from: u64, to: u64) -> String {
    format!("{:.1} %", (to as f64 / from.max(1) as f64 - 1.0) * 100.0)
}
