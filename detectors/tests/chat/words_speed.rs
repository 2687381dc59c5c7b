//! How long a message takes, over the mix of both generators' sentences: run before and after a change.

use std::time::Instant;

use crate::support::Sender;

/// How often all of them are looked at in one measurement.
const ROUNDS: usize = 50;

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
#[ignore = "a measurement, for a release build: cargo test --release -p rasid-detectors --test chat -- --ignored --nocapture"]
fn a_message_takes() {
    let files = [
        include_str!("proposals.tsv"),
        include_str!("honest_words.tsv"),
        include_str!("honest_addresses.tsv"),
        include_str!("address_carriers.tsv"),
    ];
    let texts: Vec<&str> = files
        .iter()
        .flat_map(|file| file.lines())
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split('\t').next_back())
        .collect();
    let mut sender = Sender::new();
    let count = u128::try_from(texts.len() * ROUNDS).expect("a count");
    let mut best_ns = u128::MAX;
    for _ in 0..9 {
        let start = Instant::now();
        for (at, text) in (0..).zip(texts.iter().cycle().take(texts.len() * ROUNDS)) {
            std::hint::black_box(sender.writes(text, at));
        }
        best_ns = best_ns.min(start.elapsed().as_nanos() / count);
    }
    println!("{best_ns} ns a message");
}
