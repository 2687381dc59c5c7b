//! Field cases: what people of the trade reported about other systems, retold with invented values, through the shipped rules.
//!
//! `fixtures/field/cases.jsonl`, a case a line. It holds when
//!
//! ```text
//! accused       exactly these entities have an alert, and no other. Operational alerts accuse nobody. What leaves under a pseudonym is
//!               written as its kind alone
//! some          an entity of one of these kinds has an alert
//! alerts_max    there are no more alerts than that
//! dead_letters  so many records are set aside
//! ```
//!
//! Cases that are open yet stand in `fixtures/field/open.txt`; one that comes to hold must leave it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rasid_compiler::ruleset::Mode;
use rasid_engine::{Config, Engine, Pseudonymizer, Record};
use serde::Deserialize;

/// When everything arrives: 2026-11-27T12:00:00Z, hours after the newest event, Unix ms.
const ARRIVAL_MS: i64 = 1_795_780_800_000;

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    what: String,
    expect: Expect,
    events: Vec<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expect {
    accused: Option<BTreeSet<String>>,
    some: Option<BTreeSet<String>>,
    alerts_max: Option<usize>,
    dead_letters: Option<usize>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join("fixtures/field").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// An entity as cases name it.
fn name(entity: &str) -> &str {
    let (kind, id) = entity.split_once(':').expect("kind:id");
    let is_pseudonym =
        id.strip_prefix('p').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.get(1..2) == Some("_"));
    if is_pseudonym { kind } else { entity }
}

fn kind(entity: &str) -> &str {
    entity.split(':').next().unwrap_or_default()
}

/// Whether an alert tells how the platform fares.
fn is_operational(rule: &str, entity: &str) -> bool {
    rule.starts_with("ops.") || rule.starts_with("wave.") || ["region", "provider", "all"].contains(&kind(entity))
}

/// What does not hold of a case.
fn fault_of(case: &Case, engine: &mut Engine) -> Option<String> {
    let lines: Vec<String> = case.events.iter().map(|event| event.as_str().map_or_else(|| event.to_string(), str::to_owned)).collect();
    let records: Vec<Record<'_>> =
        (1..).zip(&lines).map(|(position, line)| Record { position, arrival_ms: ARRIVAL_MS, bytes: line.as_bytes() }).collect();
    let output = engine.process(&records);
    let alerts: Vec<(&str, &str)> =
        output.alerts.iter().filter(|alert| alert.mode == Mode::Active).map(|alert| (alert.rule.as_str(), alert.entity.as_str())).collect();
    let accused: BTreeSet<String> =
        alerts.iter().filter(|(rule, entity)| !is_operational(rule, entity)).map(|(_, entity)| name(entity).to_owned()).collect();
    let Expect { accused: wanted, some, alerts_max, dead_letters } = &case.expect;
    let holds = wanted.as_ref().is_none_or(|wanted| *wanted == accused)
        && some.as_ref().is_none_or(|kinds| alerts.iter().any(|(_, entity)| kinds.contains(kind(entity))))
        && alerts_max.is_none_or(|most| alerts.len() <= most)
        && dead_letters.is_none_or(|wanted| output.dead_letters.len() == wanted);
    (!holds).then(|| format!("{}: {}: {alerts:?}, {} set aside", case.name, case.what, output.dead_letters.len()))
}

#[test]
fn cases_of_the_field_hold_but_those_that_are_open() {
    let open: BTreeSet<String> =
        read("open.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect();
    let ruleset = rasid_compiler::load(&root().join("rules")).unwrap_or_else(|report| panic!("{report}"));
    let (mut faults, mut known, mut count) = (Vec::new(), BTreeSet::new(), 0);
    for line in read("cases.jsonl").lines() {
        let case: Case = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:.60}: {error}"));
        let pseudonymizer = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
        let mut engine = Engine::new(ruleset.clone(), Config::default(), pseudonymizer).expect("one thread");
        let (fault, is_open) = (fault_of(&case, &mut engine), open.contains(&case.name));
        if is_open && fault.is_none() {
            faults.push(format!("{}: holds by now, and stands among the open ones", case.name));
        }
        faults.extend(fault.filter(|_| !is_open));
        known.insert(case.name);
        count += 1;
    }
    faults.extend(open.difference(&known).map(|name| format!("{name}: no such case")));
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
}
