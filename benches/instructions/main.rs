//! Runs each thing that is measured once, for callgrind to count its instructions: `cargo xtask counts`. Says on standard
//! output what was run, in order. `counts --prepare` writes the workload, before.

use std::any::Any;
use std::io::{self, Write as _};

use rasid_benches::{Run, cases, write_workload};

fn main() -> io::Result<()> {
    if std::env::args().any(|argument| argument == "--prepare") {
        return write_workload();
    }
    let mut said = io::stdout().lock();
    for case in cases() {
        // What is made once, at the first use, is no part of what an event costs. The whole engine comes last, when all is made.
        if !case.id.starts_with("whole/") {
            drop(case.prepare()());
        }
        drop(counted(case.prepare()));
        writeln!(said, "{}", case.id)?;
    }
    said.flush()
}

/// Callgrind collects inside this function alone, and writes down what it has at its end.
#[inline(never)]
fn counted(run: Run) -> Box<dyn Any> {
    std::hint::black_box(run())
}
