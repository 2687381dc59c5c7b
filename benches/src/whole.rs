//! The whole engine, one thread, from records to alerts: the reference workload under the reference rules, and under those
//! that are shipped.

use rasid_engine::{Config, Engine, Pseudonymizer, Record};

use crate::{Case, keep, workload};

/// Records in a batch.
const BATCH: usize = 1_000;

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    [("reference", "benches/reference"), ("shipped", "rules")].into_iter().map(|(name, folder)| {
        let ruleset = rasid_compiler::load(&workload::root().join(folder)).unwrap_or_else(|error| panic!("{error}"));
        let records: Vec<Record<'static>> =
            (1..).zip(workload::records()).map(|(position, bytes)| Record { position, arrival_ms: i64::MAX, bytes }).collect();
        let records: &'static [Record<'static>] = keep(records);
        let pseudonymizer = Pseudonymizer::new(b"the key of the benchmarks", 1).expect("long enough");
        Case::new(format!("whole/{name}"), records.len(), move || {
            let mut engine = Engine::new(ruleset.clone(), Config::default(), pseudonymizer.clone()).expect("one thread");
            move || {
                let outputs: Vec<_> = records.chunks(BATCH).map(|batch| engine.process(batch)).collect();
                assert!(outputs.iter().all(|output| output.dead_letters.is_empty()), "every record is an event");
                assert!(outputs.iter().any(|output| !output.alerts.is_empty()), "the rules fire");
                (outputs, engine)
            }
        })
    })
}
