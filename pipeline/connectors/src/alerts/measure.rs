//! What an alert costs, on the disk that `TMPDIR` is on:
//! `cargo test -p rasid-connectors --lib alerts::measure -- --ignored --nocapture`
//!
//! 2026-11-30, two cores, ext4, dev profile, JSON of 700 bytes; the file grows in steps, so its bytes are an upper bound:
//!
//! ```text
//! 100,000 alerts, 1,000 a transaction       21 s     2.7 kB an alert on disk
//! the same at the bound, as many removed    44 s     2.7 kB
//! one alert                                 3.0 (p99 4.1) ms
//! opened after a kill, 268 MB               0.8 s
//! a page of 50 of a rule                    1.7 ms
//! ```

use std::fs;
use std::time::Instant;

use rasid_compiler::ruleset::{Mode, Severity};

use super::*;

/// An alert as the engine writes it, of usual length.
fn opened(number: u64) -> Changed {
    let id = format!("al_{}", data_encoding::BASE32_NOPAD.encode(&blake3::hash(&number.to_le_bytes()).as_bytes()[..16]).to_lowercase());
    let (rule, entity) = (format!("auth.rule_{}", number % 100), format!("phone:p1_{:026}", number % 50_000));
    let padding = "x".repeat(560);
    let json = format!(r#"{{"id":"{id}","rule":"{rule}","entity":"{entity}","position":{number},"explanation":"{padding}"}}"#);
    let opened_at_ms = 1_795_341_600_000 + i64::try_from(number).unwrap() * 1_000;
    let opened = Opened { id, rule, severity: Severity::Sev2, mode: Mode::Active, entity, opened_at_ms, json };
    Changed { position: number, change: Change::Opened(opened) }
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement is of the clock")]
fn alerts_on_disk() {
    const GROUP: u64 = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.redb");
    let store = AlertStore::open(&path, Retention { age_ms: i64::MAX, count_max: 100_000 }).unwrap();
    store.begin(0).unwrap();
    for stage in ["filled", "at its bound"] {
        let (start, from) = (Instant::now(), store.position().unwrap());
        for group in 0..100 {
            let first = from + group * GROUP + 1;
            let changes: Vec<Changed> = (first..first + GROUP).map(opened).collect();
            store.apply(first + GROUP - 1, &changes).unwrap();
        }
        let (took, length) = (start.elapsed(), fs::metadata(&path).unwrap().len());
        eprintln!("{stage}: 100,000 alerts in {took:?}, {} bytes an alert on disk", length / 100_000);
    }
    let last = store.position().unwrap();
    let mut took: Vec<_> = (1..=100)
        .map(|number| {
            let start = Instant::now();
            store.apply(last + number, &[opened(last + number)]).unwrap();
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    eprintln!("one alert: {:?}, p99 {:?}", took[50], took[98]);
    // As a process that was killed leaves it: nobody has closed it.
    let killed = folder.path().join("killed.redb");
    fs::copy(&path, &killed).unwrap();
    let start = Instant::now();
    drop(AlertStore::open(&killed, Retention { age_ms: i64::MAX, count_max: 100_000 }).unwrap());
    eprintln!("opened after a kill: {:?}", start.elapsed());
    let start = Instant::now();
    let page = store.list(&Filter { rule: Some("auth.rule_7".to_owned()), ..Filter::default() }, None, 50).unwrap();
    eprintln!("a page of {} of a rule: {:?}", page.alerts.len(), start.elapsed());
}
