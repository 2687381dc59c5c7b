//! Benchmarks and what they measure on.
//!
//! ```text
//! src/           what is measured, once for both: decoding, operators, conditions, the whole engine
//! walltime/      criterion: time.          cargo bench -p rasid-benches [-- FILTER]
//! instructions/  callgrind: instructions.  cargo xtask counts
//! latency/       from an event to its score in Redis, a crate of its own
//! workload/      gen_events.py: seeded events of every family; oracle.py: the exact number of events that meet each
//!                reference condition
//! reference/     those conditions as rule files, for `rasid detect --rules benches/reference`
//! records/       results by date and machine; instructions.txt: the counts that later ones are held to
//! ```
//!
//! A speed without the right answer is none: a run counts only if its alerts are the oracle's.

mod condition;
mod decode;
mod operator;
mod sample;
mod whole;
mod workload;

use std::any::Any;

pub use workload::write_workload;

/// The work of one run. What it returns is what would be dropped at its end, so that the dropping is not measured.
pub type Run = Box<dyn FnOnce() -> Box<dyn Any>>;

/// One thing that is measured.
pub struct Case {
    /// `what/which/how`.
    pub id: String,
    /// Records, events or evaluations in one run.
    pub elements: u64,
    prepare: Box<dyn Fn() -> Run>,
}

impl Case {
    fn new<T: 'static, R: FnOnce() -> T + 'static>(id: String, elements: usize, prepare: impl Fn() -> R + 'static) -> Self {
        let prepare = move || -> Run {
            let run = prepare();
            Box::new(move || Box::new(run()))
        };
        Self { id, elements: elements as u64, prepare: Box::new(prepare) }
    }

    /// All that a run needs, made anew.
    pub fn prepare(&self) -> Run {
        (self.prepare)()
    }
}

/// Everything that is measured, over the workload that [`write_workload`] has written. Event types and operators are those of the lists that the program itself is made from.
///
/// # Panics
/// When there is no workload, or what is measured does not do what it should.
pub fn cases() -> impl Iterator<Item = Case> {
    decode::cases().chain(operator::cases()).chain(condition::cases()).chain(whole::cases())
}

/// For inputs: kept to the end, so that what is measured may borrow from them.
fn keep<T>(input: T) -> &'static T {
    Box::leak(Box::new(input))
}
