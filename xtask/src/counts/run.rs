//! Counting: the benchmarks built and run under callgrind.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};

use crate::step;

/// What glibc is told not to choose its functions by, and sizes that it would take from the processor's caches.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM,-RTM,-BMI2:\
    glibc.cpu.x86_non_temporal_threshold=0xc0000:glibc.cpu.x86_rep_movsb_threshold=0x800:glibc.cpu.x86_rep_stosb_threshold=0x800";
/// The function of `benches/instructions` inside which is counted.
const COUNTED: &str = "counts::counted";

/// What counts depend on beside the code.
pub(super) fn tools() -> Result<String> {
    let mut rustc = step::command(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.arg("-vV");
    let rustc = text("rustc -vV", rustc)?;
    let of = |key: &str| rustc.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("unknown");
    let mut valgrind = step::command("valgrind");
    valgrind.arg("--version");
    let valgrind = text("valgrind --version", valgrind)?;
    let mut glibc = step::command("getconf");
    glibc.arg("GNU_LIBC_VERSION");
    let glibc = text("getconf", glibc)?;
    Ok(format!("rustc {} {}, {}, {}", of("release: "), of("host: "), glibc.trim(), valgrind.trim()))
}

/// The instructions of every benchmark.
pub(super) fn counts() -> Result<BTreeMap<String, u64>> {
    let mut build = step::cargo(["build", "--quiet", "--profile", "counts", "--package", "rasid-benches", "--bin", "counts"]);
    // ahash takes a seed of its own at each build.
    build.env("CONST_RANDOM_SEED", "rasid");
    step::run("build the benchmarks", build)?;
    let target = step::target()?;
    let (program, profile) = (target.join("counts/counts"), target.join("counts/callgrind.out"));
    let mut prepare = step::command(&program);
    prepare.arg("--prepare");
    step::run("write the workload", prepare)?;
    let said = step::timed("count", || text("valgrind", callgrind(&program, &profile)))?;
    let written = fs::read_to_string(&profile).with_context(|| format!("cannot read {}", profile.display()))?;
    let (ids, counts): (Vec<&str>, Vec<u64>) = (said.lines().collect(), totals(&written)?);
    ensure!(ids.len() == counts.len(), "{} benchmarks ran, and callgrind has counted {}", ids.len(), counts.len());
    Ok(ids.into_iter().map(str::to_owned).zip(counts).collect())
}

/// The program under callgrind, with an environment of its own: what it finds there decides where its stack begins.
fn callgrind(program: &Path, profile: &Path) -> Command {
    let mut valgrind = step::command("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--combine-dumps=yes", "--dump-line=no"]);
    valgrind.args([format!("--toggle-collect={COUNTED}"), format!("--dump-after={COUNTED}")]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display())).arg(program);
    valgrind.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).env("GLIBC_TUNABLES", TUNABLES);
    valgrind
}

/// The instructions of each part of what callgrind has written, in order. The last part is what came after the last benchmark.
fn totals(profile: &str) -> Result<Vec<u64>> {
    let numbers = profile.lines().filter_map(|line| line.strip_prefix("totals: "));
    let mut totals: Vec<u64> = numbers.map(|number| number.trim().parse().context("callgrind's totals")).collect::<Result<_>>()?;
    let rest = totals.pop();
    ensure!(rest == Some(0), "callgrind has counted {rest:?} instructions after the last benchmark, expected none");
    Ok(totals)
}

fn text(name: &str, command: Command) -> Result<String> {
    String::from_utf8(step::output(name, command)?).with_context(|| format!("what {name} says is not UTF-8"))
}
