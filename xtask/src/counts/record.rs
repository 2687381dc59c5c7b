//! Counts on record: a line each, its instructions and why they are as many.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, ensure};

/// How far a count may be off the one on record, per cent.
const TOLERANCE_PERCENT: u64 = 5;
/// The same of a single operator. It is some hundred instructions an event, and whether the compiler joins one function more to them or
/// one fewer comes and goes with what else is in the crate and with the machine that builds: one and the same `last_n` has been counted
/// 916, 1,124 and 1,354.
const OPERATOR_TOLERANCE_PERCENT: u64 = 25;

/// How far that benchmark's count may be off the one on record, per cent.
fn tolerance_percent(id: &str) -> u64 {
    if id.starts_with("operator/") { OPERATOR_TOLERANCE_PERCENT } else { TOLERANCE_PERCENT }
}

const HEAD: &str = "\
# Instructions of one run of each benchmark (benches/src), as `cargo xtask counts` finds them, and why they were recorded anew.
# Made by `cargo xtask counts --record --reason \"why\"`, which keeps every line that is
# less than 5 % off, of a single operator 25 %.
";
const TOOLS: &str = "# tools: ";

/// What is on record.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Record {
    /// Compiler, glibc and valgrind.
    pub(crate) tools: String,
    /// By benchmark.
    lines: BTreeMap<String, Line>,
}

#[derive(Clone, Debug, PartialEq)]
struct Line {
    count: u64,
    reason: String,
}

/// What a count is beside the one on record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Within the tolerance.
    Same,
    /// More than that over it.
    Rose { from: u64, to: u64 },
    /// More than that under it: recorded anew, the gain is kept.
    Fell { from: u64, to: u64 },
    /// A benchmark that is new.
    Unrecorded { count: u64 },
    /// One that is gone.
    Gone,
}

impl Record {
    /// A verdict for each benchmark, in the order of their names.
    pub(crate) fn compare(&self, counts: &BTreeMap<String, u64>) -> BTreeMap<String, Verdict> {
        let judged = counts.iter().map(|(id, count)| (id.clone(), self.verdict(id, *count)));
        let gone = self.lines.keys().filter(|id| !counts.contains_key(*id)).map(|id| (id.clone(), Verdict::Gone));
        judged.chain(gone).collect()
    }

    fn verdict(&self, id: &str, count: u64) -> Verdict {
        let tolerance = tolerance_percent(id);
        match self.lines.get(id) {
            None => Verdict::Unrecorded { count },
            Some(line) if count * 100 > line.count * (100 + tolerance) => Verdict::Rose { from: line.count, to: count },
            Some(line) if count * 100 < line.count * (100 - tolerance) => Verdict::Fell { from: line.count, to: count },
            Some(_) => Verdict::Same,
        }
    }

    /// The record with these counts. A line within the tolerance stays as it is, so that small rises do not add up unseen;
    /// with other tools none does.
    pub(crate) fn updated(&self, tools: String, counts: &BTreeMap<String, u64>, reason: &str) -> Self {
        let line = |(id, count): (&String, &u64)| {
            let kept = self.lines.get(id).filter(|_| self.tools == tools && self.verdict(id, *count) == Verdict::Same);
            (id.clone(), kept.cloned().unwrap_or_else(|| Line { count: *count, reason: reason.to_owned() }))
        };
        Self { lines: counts.iter().map(line).collect(), tools }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}{TOOLS}{}", self.tools)?;
        let width = self.lines.keys().map(String::len).max().unwrap_or(0);
        self.lines.iter().try_for_each(|(id, Line { count, reason })| writeln!(f, "{id:width$} {count:>12}  {reason}"))
    }
}

impl FromStr for Record {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut record = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(tools) = line.strip_prefix(TOOLS) {
                tools.clone_into(&mut record.tools);
            } else if !line.starts_with('#') && !line.trim().is_empty() {
                let (id, line) = parse(line).with_context(|| format!("line {number}"))?;
                ensure!(record.lines.insert(id.to_owned(), line).is_none(), "line {number}: {id} stands there twice");
            }
        }
        Ok(record)
    }
}

fn parse(line: &str) -> Result<(&str, Line)> {
    let expected = "expected a benchmark, its instructions and the reason";
    let (id, rest) = line.split_once(' ').context(expected)?;
    let (count, reason) = rest.trim().split_once(' ').context(expected)?;
    let count = count.parse().with_context(|| format!("instructions are {count}, expected a whole number"))?;
    Ok((id, Line { count, reason: reason.trim().to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts.iter().map(|(id, count)| ((*id).to_owned(), *count)).collect()
    }

    fn recorded() -> Record {
        Record::default().updated("a compiler".to_owned(), &counts(&[("a/b", 1_000), ("a/c", 200)]), "first")
    }

    #[test]
    fn a_rise_or_a_fall_of_over_five_per_cent_is_one() {
        for (count, expected) in [
            (1_000, Verdict::Same),
            (1_050, Verdict::Same),
            (1_051, Verdict::Rose { from: 1_000, to: 1_051 }),
            (950, Verdict::Same),
            (949, Verdict::Fell { from: 1_000, to: 949 }),
        ] {
            assert_eq!(recorded().compare(&counts(&[("a/b", count)])).get("a/b"), Some(&expected), "{count}");
        }
        let operators = Record::default().updated("a compiler".to_owned(), &counts(&[("operator/b", 1_000)]), "first");
        for (count, expected) in [(1_250, Verdict::Same), (1_251, Verdict::Rose { from: 1_000, to: 1_251 })] {
            assert_eq!(operators.compare(&counts(&[("operator/b", count)])).get("operator/b"), Some(&expected), "{count}");
        }
        let others = recorded().compare(&counts(&[("a/d", 7)]));
        assert_eq!(others.get("a/d"), Some(&Verdict::Unrecorded { count: 7 }));
        assert_eq!(others.get("a/b"), Some(&Verdict::Gone));
    }

    #[test]
    fn what_is_written_is_read_and_names_its_reason() {
        let record = recorded();
        assert_eq!(record.to_string().parse::<Record>().expect("as written"), record);
        for bad in ["a/b", "a/b 1000", "a/b 1000 ", "a/b many why", "a/b 1 why\na/b 2 why"] {
            assert!(bad.parse::<Record>().is_err(), "{bad}");
        }
    }

    #[test]
    fn small_changes_are_not_recorded_and_so_do_not_add_up() {
        let after = recorded().updated("a compiler".to_owned(), &counts(&[("a/b", 1_040), ("a/c", 100), ("a/d", 3)]), "half of it");
        let expected: Record = "# tools: a compiler\na/b 1000 first\na/c 100 half of it\na/d 3 half of it".parse().expect("a record");
        assert_eq!(after, expected);
        assert_eq!(
            recorded().updated("another".to_owned(), &counts(&[("a/b", 1_040)]), "a new compiler").to_string().lines().last(),
            Some("a/b         1040  a new compiler")
        );
    }
}
