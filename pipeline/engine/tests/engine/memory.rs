//! One memory budget: what nobody uses is lent to whoever wants it, all bindings of a stage compete for what it has, and what is
//! forgotten is told.

use std::collections::BTreeMap;

use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{Config, Engine, Part, Pseudonymizer, Record};
use rstest::rstest;

use crate::common::{ARRIVAL_MS, FORM_RULES, RULES, START_MS, Saved, engine, ruleset};

/// Memory is dealt at each position that this divides.
const DEAL_EVERY: u64 = 65_536;
const BOUND: usize = 8 << 20;

fn config(memory_max: usize) -> Config {
    Config { memory_max, events_per_s: 0, ..Config::default() }
}

fn record(id: u64, at_ms: i64, event_type: &str, data: &str) -> String {
    let time = format_rfc3339(START_MS + at_ms);
    format!(r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"{event_type}","time":"{time}","data":{data}}}"#)
}

fn code(id: u64, at_ms: i64, phone: u64, ip: u64) -> String {
    let ip = format!("10.{}.{}.{}", ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    record(id, at_ms, "auth.otp_requested", &format!(r#"{{"phone":"+20{:010}","ip":"{ip}","purpose":"login"}}"#, 1_000_000_000 + phone))
}

/// A log whose positions are so far apart that memory is dealt every so many events.
struct Log {
    engine: Engine,
    next: u64,
    stride: u64,
    alerts: BTreeMap<String, usize>,
}

impl Log {
    fn new(engine: Engine, events_a_deal: u64) -> Self {
        Self { engine, next: 1, stride: DEAL_EVERY / events_a_deal, alerts: BTreeMap::new() }
    }

    fn take(&mut self, texts: &[String]) {
        let records = (self.next..).zip(texts);
        let records: Vec<Record<'_>> = records
            .map(|(number, text)| Record { position: number * self.stride, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() })
            .collect();
        for alert in self.engine.process(&records).alerts {
            *self.alerts.entry(alert.rule).or_default() += 1;
        }
        self.next += texts.len() as u64;
    }
}

const ONE_COUNT: (&str, &str) = (
    "auth/flood.yaml",
    "rule: auth.flood\ntitle: t\non: auth.otp_requested\nentity: phone\nlet:\n  sends: {count: auth.otp_requested, by: phone, window: 1h}\nwhen: sends > 2\nsuppress: 0s\nexplain: e\n",
);

#[test]
fn one_binding_has_nearly_all_of_it_when_nobody_else_wants_it() {
    let mut log = Log::new(engine(&[ONE_COUNT], config(BOUND)), 256);
    let mut most = 0;
    for batch in 0..200 {
        let texts: Vec<String> = (batch * 256..(batch + 1) * 256).map(|id| code(id, 0, id, 1)).collect();
        log.take(&texts);
        most = most.max(log.engine.state_bytes());
        assert!(log.engine.memory_bytes() <= BOUND, "M1");
    }
    let evictions = log.engine.evictions();
    assert!(evictions["count"] > 0, "{evictions:?}");
    // Its own share is half of it; duplicates keep theirs, and the others what they may grow by.
    assert!(most > BOUND / 4 * 3, "{most} of {BOUND}");
}

#[test]
fn what_was_lent_comes_back() {
    // Codes fill memory with phones while nobody is scored; then there are alerts of all of them.
    let weighed = ONE_COUNT.1.replace("suppress: 0s", "suppress: 1m\nrisk: 40");
    let mut log = Log::new(engine(&[("auth/flood.yaml", &weighed)], config(BOUND)), 128);
    let mut id = 0;
    let mut flood = |log: &mut Log, phones: std::ops::Range<u64>, times: u64| {
        for phone in phones {
            let texts: Vec<String> = (0..times).map(|again| code(id + again, 0, phone, 1)).collect();
            id += times;
            log.take(&texts);
            assert!(log.engine.memory_bytes() <= BOUND, "M1");
        }
    };
    flood(&mut log, 0..40_000, 1);
    let lent = log.engine.state_bytes();
    assert!(lent > BOUND * 3 / 5, "{lent}");
    flood(&mut log, 50_000..65_000, 3);
    assert!(log.engine.live_scores().len() > 1_000);
    let others = log.engine.memory_bytes() - log.engine.state_bytes();
    assert!(log.engine.state_bytes() < lent && others > BOUND / 8 * 3, "{} and {others}", log.engine.state_bytes());
    // What is never more than its share has lost nothing: suppression, issued alerts and scores have a seventh each of what is not
    // owed to duplicates.
    let evictions: BTreeMap<String, u64> = log.engine.evictions().into_iter().map(|(of, count)| (of.to_owned(), count)).collect();
    let saved = Saved::of(&log.engine.snapshot());
    let mut part = |part: Part<'_>| saved.get(part);
    let pseudonymizer = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
    let rules = ruleset(&[("auth/flood.yaml", &weighed)]);
    let restored = Engine::restore(rules, config(BOUND), pseudonymizer, &mut part).expect("what was saved");
    assert_eq!(restored.evictions().into_iter().map(|(of, count)| (of.to_owned(), count)).collect::<BTreeMap<_, _>>(), evictions);
}

/// Somebody floods what one rule counts or waits for, under keys that nobody has seen; what another rule has counted much of
/// stays, and be the flood's events ever so long.
#[rstest]
#[case::of_counts(ONE_COUNT, "count", 60, 0)]
#[case::of_waits(FORM_RULES[0], "absence", 20, 4_000)]
fn a_flood_on_one_binding_costs_no_other_what_counts_more(
    #[case] rule: (&str, &str),
    #[case] operator: &str,
    #[case] thousands: u64,
    #[case] padding: usize,
) {
    let refunds = "rule: payment.many\ntitle: t\non: payment.refund_issued\nentity: user(user_id)\nlet:\n  all: {count: payment.refund_issued, by: user(user_id), window: 6h}\nwhen: all > 11\nsuppress: 0s\nexplain: e\n";
    let mut log = Log::new(engine(&[rule, ("payment/many.yaml", refunds)], config(BOUND)), 1_000);
    let refund = |id: u64, at_ms: i64, user: u64| {
        record(id, at_ms, "payment.refund_issued", &format!(r#"{{"user_id":"u_{user}","amount":500,"currency":"EGP","method":"card"}}"#))
    };
    let mut id = 0;
    for again in 0..11 {
        let texts: Vec<String> = (0..1_000).map(|user| refund(id + user, again * 1_000, user)).collect();
        id += 1_000;
        log.take(&texts);
    }
    let note = format!(r#""note":"{}","phone""#, "x".repeat(padding));
    for _ in 0..thousands {
        let texts: Vec<String> = (id..id + 1_000).map(|id| code(id, 60_000, id, 1).replace(r#""phone""#, &note)).collect();
        id += 1_000;
        log.take(&texts);
    }
    assert!(log.engine.evictions()[operator] > 10_000, "{:?}", log.engine.evictions());
    let texts: Vec<String> = (0..1_000).map(|user| refund(id + user, 120_000, user)).collect();
    log.take(&texts);
    assert_eq!(log.alerts.get("payment.many"), Some(&1_000), "of each all twelve are known");
}

#[test]
fn what_is_forgotten_is_told_by_operator_over_switches_and_restarts() {
    let config = config(1 << 20);
    let mut log = Log::new(engine(&RULES[..2], config.clone()), 500);
    for batch in 0..40 {
        let texts: Vec<String> = (batch * 500..(batch + 1) * 500).map(|id| code(id, 0, id, id)).collect();
        log.take(&texts);
    }
    let told =
        |engine: &Engine| -> BTreeMap<String, u64> { engine.evictions().into_iter().map(|(of, count)| (of.to_owned(), count)).collect() };
    let before = told(&log.engine);
    assert!(before["count"] > 0 && before["distinct"] > 0, "{before:?}");
    assert_eq!(
        before.keys().map(String::as_str).collect::<Vec<_>>(),
        ["alerts", "count", "distinct", "duplicates", "scores", "suppression"]
    );
    assert_eq!(before.values().sum::<u64>(), log.engine.counters().evicted);
    // A rule that goes takes its bindings with it, and what they had lost stays counted.
    log.engine.switch(log.next * log.stride, ruleset(&RULES[..1]));
    assert_eq!(told(&log.engine)["distinct"], before["distinct"]);
    let after = told(&log.engine);
    let saved = Saved::of(&log.engine.snapshot());
    let mut part = |part: Part<'_>| saved.get(part);
    let pseudonymizer = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
    let restored = Engine::restore(ruleset(&RULES[..1]), config, pseudonymizer, &mut part).expect("what was saved");
    assert_eq!((told(&restored), restored.counters()), (after, log.engine.counters()));
}
