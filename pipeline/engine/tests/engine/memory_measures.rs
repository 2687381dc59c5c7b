//! Measures of the memory budget under floods:
//! `cargo test --release -p rasid-engine --test memory_measures -- --ignored --nocapture --test-threads 1 NAME`
//! Each in a process of its own, as the most memory that a process ever had is told.

#![expect(clippy::print_stdout, reason = "a measure is shown")]

use std::path::Path;
use std::time::Duration;

use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Config, Engine, Pseudonymizer, Record};

use crate::common::{ARRIVAL_MS, START_MS, ruleset};

const BATCH: u64 = 4_096;

/// Of the process, MiB: at the moment, and at the most so far.
fn resident_mib() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let of = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).expect("it tells");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    };
    (of("VmRSS") >> 10, of("VmHWM") >> 10)
}

/// How long this thread has had a processor: what others do on the machine is no part of it.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number"))
}

fn mib(bytes: usize) -> usize {
    bytes >> 20
}

fn code(id: u64, at_ms: i64, phone: u64, ip: u64) -> String {
    let time = format_rfc3339(START_MS + at_ms);
    let ip = format!("{}.{}.{}.{}", 10 + (ip >> 24), ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"auth.otp_requested","time":"{time}","data":{{"phone":"+20{}","ip":"{ip}","purpose":"login"}}}}"#,
        1_000_000_000 + phone
    )
}

/// Feeds events in batches; how many alerts there were, and how long the engine had a processor.
fn feed(engine: &mut Engine, first: u64, events: impl Iterator<Item = String>) -> (usize, Duration) {
    let (mut alerts, mut took, mut next, mut events) = (0, Duration::ZERO, first, events.peekable());
    while events.peek().is_some() {
        let texts: Vec<String> = events.by_ref().take(usize::try_from(BATCH).expect("small")).collect();
        let records: Vec<Record<'_>> =
            (next..).zip(&texts).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
        let begun = on_cpu();
        alerts += engine.process(&records).alerts.len();
        took += on_cpu().saturating_sub(begun);
        next += texts.len() as u64;
    }
    (alerts, took)
}

fn engine_of(rules: rasid_compiler::ruleset::Ruleset, memory_max: usize) -> Engine {
    let config = Config { memory_max, ..Config::default() };
    Engine::new(rules, config, Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough")).expect("an engine")
}

/// A million phones and a million addresses in ten minutes, under the shipped rules and the default bound.
#[test]
#[ignore = "a measure"]
fn a_million_phones_and_addresses() {
    let rules = rasid_compiler::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules")).expect("the shipped rules");
    let mut engine = engine_of(rules, Config::default().memory_max);
    let count = 1_000_000_u64;
    let at_ms = |id: u64| i64::try_from(id * 600_000 / count).expect("small");
    let (alerts, took) = feed(&mut engine, 1, (0..count).map(|id| code(id, at_ms(id), id, id)));
    let (_, most) = resident_mib();
    println!(
        "a million phones and addresses: {:?} evicted, {} MiB of state, {} MiB counted in all, {most} MiB resident at the most, {alerts} alerts, {:.0} events/s",
        engine.counters().evicted,
        mib(engine.state_bytes()),
        mib(engine.memory_bytes()),
        1e6 / took.as_secs_f64()
    );
    assert_eq!(engine.counters().evicted, 0, "{:?}", engine.evictions());
}

const FLOOD: (&str, &str) = (
    "auth/otp_flood.yaml",
    "rule: auth.otp_flood\ntitle: t\non: auth.otp_requested\nentity: phone\nlet:\n  sends: {count: auth.otp_requested, by: phone, window: 1h}\n  addresses: {distinct: auth.otp_requested, of: ip, by: phone, window: 1h}\nwhen: sends == 5 && addresses == 5\nrisk: 30\nsuppress: 1h\nexplain: e\n",
);

/// Thirty million phones in an hour within 1 GiB: of those that are asked for a code five times within a million events, how
/// many are known as such. Where nothing is forgotten all of them are, and no others.
#[test]
#[ignore = "a measure"]
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn thirty_million_keys_in_a_gibibyte() {
    const STRANGERS: u64 = 30_000_000;
    /// One of so many events is of a phone that is asked five times, each this many events after the one before.
    const ONE_IN: u64 = 100;
    const APART: u64 = 249_900;
    let bound = 1 << 30;
    let mut engine = engine_of(ruleset(&[FLOOD]), bound);
    let total = STRANGERS + STRANGERS / (ONE_IN - 1) + 1;
    let at_ms = |id: u64| i64::try_from(id * 3_600_000 / total).expect("small");
    // Every hundredth event is of a victim: victims come in rounds of 2,499, each seen once a round and five rounds long.
    let round = APART / ONE_IN;
    let event = |id: u64| {
        if !id.is_multiple_of(ONE_IN) {
            return code(id, at_ms(id), 1_000_000_000 + id, id);
        }
        let number = id / ONE_IN;
        let victim = number / (round * 5) * round + number % round;
        code(id, at_ms(id), victim, id)
    };
    let victims = total / ONE_IN / (round * 5) * round;
    let whole = victims * 5 * ONE_IN;
    let (alerts, took) = feed(&mut engine, 1, (0..whole).map(event));
    let (_, most) = resident_mib();
    println!(
        "{whole} events, {victims} victims: {alerts} alerts ({:.3} % missed), {:?}, {} MiB of state, {} MiB counted, {most} MiB resident at the most, {:.0} events/s",
        100.0 * (victims as f64 - alerts as f64) / victims as f64,
        engine.evictions(),
        mib(engine.state_bytes()),
        mib(engine.memory_bytes()),
        whole as f64 / took.as_secs_f64()
    );
    assert!(engine.memory_bytes() <= bound, "M1");
    assert!(alerts as u64 <= victims && alerts as u64 * 1_000 >= victims * 999);
}

/// Events a second with so many live entities, from ten thousand to ten million. Each has an event an hour, as long as the windows
/// are, so that states are alike and only their number differs.
#[test]
#[ignore = "a measure"]
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn ten_million_entities() {
    const PART: u64 = 250_000;
    let mut first = None;
    for entities in [10_000_u64, 100_000, 1_000_000, 10_000_000] {
        let mut engine = engine_of(ruleset(&[FLOOD]), 4 << 30);
        let at_ms = |id: u64| i64::try_from(id * 3_600_000 / entities).expect("small");
        feed(&mut engine, 1, (0..entities).map(|id| code(id, at_ms(id), id, id)));
        let (filled, evicted) = (mib(engine.memory_bytes()), engine.counters().evicted);
        let mut state = 42_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % entities
        };
        // The fastest of several parts: others that use the machine only make it slower.
        let part = |part: u64| entities + part * PART..entities + (part + 1) * PART;
        let took =
            (0..12).map(|number| feed(&mut engine, part(number).start + 1, part(number).map(|id| code(id, at_ms(id), draw(), id))).1);
        let rate = PART as f64 / took.min().expect("several").as_secs_f64();
        let (now, _) = resident_mib();
        println!(
            "{entities:>10} entities: {rate:.0} events/s ({:.0} % of the first), {filled} MiB counted when filled, {} at the end, {now} MiB resident, {evicted} evicted",
            100.0 * rate / *first.get_or_insert(rate),
            mib(engine.memory_bytes()),
        );
    }
}
