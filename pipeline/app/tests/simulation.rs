//! Ten simulated days through the shipped rules: every campaign that does not hide well is caught, and honest people are
//! mostly left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rasid_engine::{Config, Engine, Pseudonymizer, Record};
use rasid_simulate::{Level, simulate};

/// False alerts for each 1 000 honest people and day that the shipped rules may give together. Measured: see
/// docs/detection-quality.md; this is the bound past which something broke.
const FALSE_ALARMS_MAX: f64 = 6.0;

#[test]
#[expect(clippy::print_stdout, reason = "the figures that docs/detection-quality.md quotes")]
fn blatant_and_moderate_campaigns_of_ten_days_are_caught() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let (mut missed, mut false_alarms, mut days) = (Vec::new(), BTreeMap::<String, u64>::new(), 0.0);
    let mut caught_of: BTreeMap<(String, String), (u32, u32)> = BTreeMap::new();
    for seed in 1..=10 {
        let config = rasid_simulate::Config { seed, ..rasid_simulate::Config::default() };
        let ruleset = rasid_compiler::load(&rules).unwrap_or_else(|error| panic!("{error}"));
        let pseudonymizer = Pseudonymizer::new(b"a secret for the tests", 0).expect("long enough");
        let mut engine = Engine::new(ruleset, Config::default(), pseudonymizer).expect("one thread");
        let mut simulation = simulate(&config);
        let records: Vec<rasid_simulate::Record> = simulation.by_ref().collect();
        let batch: Vec<Record<'_>> = (1..)
            .zip(&records)
            .map(|(position, record)| Record { position, arrival_ms: record.arrival_ms, bytes: record.line.as_bytes() })
            .collect();
        let output = engine.process(&batch);
        assert_eq!((output.dead_letters.len(), engine.counters().unknown_types), (0, 0), "seed {seed}: the contract is kept");
        let mut caught = BTreeSet::new();
        for alert in &output.alerts {
            let record = usize::try_from(alert.position - 1).ok().and_then(|index| records.get(index)).expect("an alert is about a record");
            match record.campaign {
                Some(campaign) => _ = caught.insert(campaign),
                None => *false_alarms.entry(alert.rule.clone()).or_default() += 1,
            }
        }
        for (number, label) in (0..).zip(simulation.labels()) {
            let cell = caught_of.entry((label.kind.to_string(), label.level.to_string())).or_default();
            cell.0 += u32::from(caught.contains(&number));
            cell.1 += 1;
            if !caught.contains(&number) && label.level != Level::Careful {
                missed.push(format!("seed {seed}: {} {}", label.level, label.kind));
            }
        }
        days += f64::from(config.honest_users()) / 1000.0 * f64::from(config.hours) / 24.0;
    }
    for ((kind, level), (caught, of)) in &caught_of {
        println!("{kind} {level}: {caught} of {of}");
    }
    let mut total = 0.0;
    for (rule, alerts) in &false_alarms {
        let rate = f64::from(u32::try_from(*alerts).expect("few")) / days;
        println!("{rule}: {alerts} false, {rate:.2} for each 1 000 honest people and day");
        total += rate;
    }
    assert!(missed.is_empty(), "missed: {}", missed.join("; "));
    assert!(total < FALSE_ALARMS_MAX, "{total:.2} false alerts for each 1 000 honest people and day");
}
