//! Many rules: what checking them takes, and what one more costs an event.

#![expect(clippy::indexing_slicing, reason = "what is out of range fails the test")]
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measure is timed, and shown")]

use std::path::Path;
use std::time::Instant;

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{SourceFile, compile};
use rasid_engine::{Config, Engine, Pseudonymizer, Record, run_tests};

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
    let lists = std::fs::read_dir(root.join("lists")).expect("the shipped lists").map(|entry| entry.expect("an entry").file_name());
    let beside = lists.map(|name| format!("lists/{}", name.to_string_lossy())).chain(["rates.yaml".to_owned()]);
    let beside = beside.map(|name| SourceFile { text: std::fs::read_to_string(root.join(&name)).expect("a file"), name });
    (0..count).map(copy).chain(beside).collect()
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

const EVENTS: usize = 40_000;

/// Codes that are asked for, by phones and addresses of which a few are busy.
fn codes() -> Vec<String> {
    let mut state = 42_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let code = |number: usize| {
        let time = rasid_detectors::event::time::format_rfc3339(1_790_000_000_000 + i64::try_from(number).expect("few") * 20);
        let (phone, ip) = (draw(2_000), draw(1_000));
        format!(
            r#"{{"specversion":"1.0","id":"e{number}","source":"/test","type":"auth.otp_requested","time":"{time}","data":{{"phone":"+2010{phone:08}","ip":"10.0.{}.{}","purpose":"login"}}}}"#,
            ip / 250,
            ip % 250
        )
    };
    (0..EVENTS).map(code).collect()
}

/// A rule about what those events are, or about what they are not.
fn rule(number: usize, on: &str, of: &str, by: &str, window_s: usize, limit: usize) -> SourceFile {
    let text = format!(
        "rule: many.r{number}\ntitle: t\non: {on}\nentity: {by}\nlet:\n  n: {{count: {of}, by: {by}, window: {window_s}s}}\nwhen: n > {limit}\nexplain: '{{n}}'\n"
    );
    SourceFile { name: format!("many/r{number}.yaml"), text }
}

/// Ten rules about the events, and so many others.
fn with(others: usize, other: impl Fn(usize) -> SourceFile) -> Ruleset {
    let own = (0..10).map(|number| rule(number, "auth.otp_requested", "auth.otp_requested", "phone", 600 + number, 100));
    let files: Vec<SourceFile> = own.chain((10..10 + others).map(other)).collect();
    compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

/// Nanoseconds an event, one thread, the best of three of each, taken in turn so that a busy machine is busy for all.
fn measured(rulesets: &[Ruleset]) -> Vec<f64> {
    let lines = codes();
    let records: Vec<Record<'_>> =
        (1..).zip(&lines).map(|(position, line)| Record { position, arrival_ms: i64::MAX, bytes: line.as_bytes() }).collect();
    let mut best = vec![f64::MAX; rulesets.len()];
    for _ in 0..3 {
        for (ruleset, best) in rulesets.iter().zip(&mut best) {
            let pseudonymizer = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
            let mut engine = Engine::new(ruleset.clone(), Config::default(), pseudonymizer).expect("an engine");
            let start = Instant::now();
            for batch in records.chunks(8_192) {
                engine.process(batch);
            }
            #[expect(clippy::cast_precision_loss, reason = "few enough")]
            let each = start.elapsed().as_nanos() as f64 / EVENTS as f64;
            *best = best.min(each);
        }
    }
    best
}

#[test]
#[ignore = "a measure: cargo test --release -p rasid-engine --test many_rules -- --ignored --nocapture --test-threads 1"]
fn what_one_more_rule_costs_an_event() {
    let (on, of) = ("auth.otp_requested", "auth.otp_requested");
    let counts = [0, 90, 990];
    let kinds: [(&str, &dyn Fn(usize) -> SourceFile); 3] = [
        ("about other events", &|number| rule(number, "review.submitted", "review.submitted", "user(reviewer_id)", 600 + number, 100)),
        ("that share a binding", &|number| rule(number, on, of, "phone", 600, 100 + number)),
        ("each with a binding of its own", &|number| {
            rule(number, on, of, if number % 2 == 0 { "phone" } else { "ip" }, 600 + number, 1_000)
        }),
    ];
    for (kind, other) in kinds {
        let rulesets: Vec<Ruleset> = counts.iter().map(|count| with(*count, other)).collect();
        let found = measured(&rulesets);
        let each: Vec<String> = counts.iter().zip(&found).map(|(count, ns)| format!("{}: {ns:.0} ns", count + 10)).collect();
        println!("rules {kind}: {} an event, {:.3} times from 10 to 1,000", each.join(", "), found[2] / found[0]);
    }
}

#[test]
#[ignore = "a measure: cargo test --release -p rasid-engine --test many_rules -- --ignored --nocapture --test-threads 1"]
fn what_a_rule_that_looks_at_alerts_costs_an_alert() {
    let loud = "rule: many.loud\ntitle: t\non: auth.otp_requested\nentity: phone\nwhen: 'true'\nsuppress: 0s\nexplain: e\n";
    let wave = "rule: ops.wave\ntitle: t\non: rasid.alert\nentity: all\nlet:\n  n: {count: rasid.alert, by: all, window: 10m}\n  m: {count: rasid.alert, by: data.rule, window: 10m}\nwhen: n < 0 && m < 0\nexplain: '{n} {m}'\n";
    let file = |name: &str, text: &str| SourceFile { name: name.to_owned(), text: text.to_owned() };
    let of = |files: &[SourceFile]| compile(files).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let (loud, wave) = (file("many/loud.yaml", loud), file("ops/wave.yaml", wave));
    let found = measured(&[of(std::slice::from_ref(&loud)), of(&[loud, wave])]);
    println!("an event that opens an alert: {:.0} ns, where a rule looks at alerts {:.0} ns", found[0], found[1]);
}

/// Codes that are asked for at once, then another of the same phone: a rule about that in a window of its own, or in everybody's.
fn sequence(number: usize, window_s: usize) -> SourceFile {
    let text = format!(
        "rule: many.r{number}\ntitle: t\non: auth.otp_requested\nentity: phone\nlet:\n  taken: {{sequence: [{{on: auth.otp_requested, times: 3, where: data.purpose == \"login\"}}, auth.otp_verified, {{on: auth.otp_requested, within: 1m}}], by: phone, window: {window_s}s}}\nwhen: taken.fired && taken.span_s > {number}.5\nexplain: x\n"
    );
    SourceFile { name: format!("many/r{number}.yaml"), text }
}

#[test]
#[ignore = "a measure: cargo test --release -p rasid-engine --test many_rules -- --ignored --nocapture --test-threads 1"]
fn what_fifty_sequences_cost_an_event() {
    let of = |count: usize, window_s: &dyn Fn(usize) -> usize| {
        let files: Vec<SourceFile> = (0..count).map(|number| sequence(number, window_s(number))).collect();
        compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)))
    };
    let rulesets = [of(1, &|_| 600), of(50, &|_| 600), of(50, &|number| 600 + number)];
    let took = measured(&rulesets);
    for (what, took_ns) in ["one", "fifty rules over one sequence", "fifty sequences"].iter().zip(&took) {
        println!("{what}: {took_ns:.0} ns an event, {:.2} times one", took_ns / took[0]);
    }
}
