//! Thousands of rules: what checking them takes.

use std::path::Path;
use std::time::Instant;

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{SourceFile, compile};
use rasid_engine::run_tests;

/// The shipped rules over and over under other names, so many in all: every second one with windows that are somewhat shorter, so
/// that half of them share their bindings with all others and half with a few.
fn many(count: usize) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut shipped: Vec<(String, String)> = Vec::new();
    for area in ["auth", "chat", "gps", "payment"] {
        let entries = std::fs::read_dir(root.join(area)).expect("the shipped rules");
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
            shipped.push((format!("{area}.{stem}"), std::fs::read_to_string(&path).expect("a rule")));
        }
    }
    shipped.sort();
    let copy = |number: usize| {
        let (id, text) = &shipped[number % shipped.len()];
        let (area, stem) = id.split_once('.').expect("area.name");
        let mut text = text.replace(&format!("rule: {id}"), &format!("rule: {id}_{number}"));
        if number % 2 == 1 {
            for (from, to_ms) in
                [("window: 10m", 600_000), ("window: 1h", 3_600_000), ("window: 24h", 86_400_000), ("window: 7d", 604_800_000)]
            {
                text = text.replace(from, &format!("window: {}ms", to_ms - number / 8));
            }
        }
        SourceFile { name: format!("{area}/{stem}_{number}.yaml"), text }
    };
    let list = std::fs::read_to_string(root.join("lists/trusted_phones.yaml")).expect("the shipped list");
    (0..count).map(copy).chain([SourceFile { name: "lists/trusted_phones.yaml".to_owned(), text: list }]).collect()
}

fn compiled(count: usize) -> Ruleset {
    compile(&many(count)).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

#[test]
#[ignore = "a measure: cargo test --release -p rasid-engine --test many_rules -- --ignored --nocapture"]
fn checking_five_thousand_rules() {
    let files = many(std::env::var("RULES").map_or(5_000, |count| count.parse().expect("a number")));
    let start = Instant::now();
    let ruleset = compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let compiled = start.elapsed();
    let outcome = run_tests(&ruleset).expect("an engine");
    let bindings = ruleset.bindings.len();
    println!(
        "{} rules, {bindings} bindings, {} tests: compiled in {compiled:.1?}, checked in {:.1?}",
        ruleset.rules.len(),
        outcome.tests,
        start.elapsed()
    );
    assert!(outcome.failures.is_none(), "{}", outcome.failures.expect("some").render(false));
}

#[test]
fn what_they_share_is_kept_once() {
    let (few, many) = (compiled(24), compiled(240));
    assert_eq!((few.rules.len(), many.rules.len()), (24, 240));
    assert!(many.bindings.len() < 10 * few.bindings.len(), "{} and {}", few.bindings.len(), many.bindings.len());
    assert!(run_tests(&few).expect("an engine").failures.is_none());
}
