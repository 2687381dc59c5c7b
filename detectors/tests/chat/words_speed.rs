//! How long a message takes, over the mix of both generators' sentences: run before and after a change.

use std::time::Instant;

use crate::support::Sender;

#[test]
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
    let mut best = f64::INFINITY;
    for _ in 0..9 {
        let start = Instant::now();
        for (at, text) in (0..).zip(texts.iter().cycle().take(texts.len() * 50)) {
            std::hint::black_box(sender.writes(text, at));
        }
        best = best.min(start.elapsed().as_secs_f64() / (50 * texts.len()) as f64);
    }
    println!("{:.0} ns a message, {:.2} million a second", best * 1e9, 1e-6 / best);
}
