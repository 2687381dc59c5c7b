//! The sinks against what they write to: a real Redis, a real Alertmanager, and a core API that fails on command.

mod alertmanager;
mod core_api;
mod forgets;
mod pages;
mod places;
mod proxy;
mod redis;
mod tls;

use rasid_compiler::ruleset::{Advice, Severity};
use rasid_connectors::courier::{Config, Courier, Next, Parcel};
use rasid_connectors::effect::{AlertItem, Body, Item, RetractedItem, Settled};
use rasid_connectors::sink::Sink;
use rasid_engine::{Level, Reason, Score, ScoreChange};

const HOUR: i64 = 3_600_000;

/// The servers' own clock.
#[expect(clippy::disallowed_methods, reason = "the servers that stand beside the tests run on the wall clock")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("of this era")
}

fn item(seq: u64, body: Body) -> Item {
    Item { sink: "sink".to_owned(), seq, position: seq, committed_ms: now_ms(), body }
}

fn alert(seq: u64, rule: &str, opened_at_ms: i64) -> Item {
    item(
        seq,
        Body::Alert(AlertItem {
            id: format!("al_{seq}"),
            rule: rule.to_owned(),
            severity: Severity::Sev1,
            entity: format!("user:u_{}", seq % 7),
            opened_at_ms,
            title: "One phone is sent too many codes".to_owned(),
            explanation: format!("{seq} codes"),
            runbook: None,
            json: format!("{{\"id\":\"al_{seq}\",  \"n\":{seq}.0,\"t\":\"\\u0627 ا\"}}"),
        }),
    )
}

fn retracted(seq: u64, rule: &str) -> Item {
    item(seq, Body::Retracted(RetractedItem { id: format!("retract_{seq}"), rule: rule.to_owned(), since_ms: 0 }))
}

/// A score that stands for some hours; levels end an hour after one another.
fn change(entity: &str, version: i64, score: u8, as_of: i64) -> ScoreChange {
    let level = Level::of(score).expect("1 or more");
    let until = |least: Level, hours: i64| (level >= least).then_some(as_of + hours * HOUR);
    let reasons = vec![Reason { rule: "auth.otp_flood".to_owned(), risk: f64::from(score), at: as_of, half_life_s: 21_600 }];
    ScoreChange {
        position: 1,
        entity: entity.to_owned(),
        version,
        score: Some(Score {
            entity: entity.to_owned(),
            score,
            level: Some(level),
            as_of,
            low_until: Some(as_of + 4 * HOUR),
            medium_until: until(Level::Medium, 3),
            high_until: until(Level::High, 2),
            critical_until: until(Level::Critical, 1),
            reasons,
            version,
            ruleset: "sha256:9b1f".to_owned(),
            ..Score::default()
        }),
        live_until: as_of + 4 * HOUR,
    }
}

/// The same, of which nothing but advice is left an hour after `as_of`; to hold for two hours, and then to watch for two.
fn advised(entity: &str, version: i64, score: u8, as_of: i64) -> ScoreChange {
    let change = change(entity, version, score.max(1), as_of);
    let of = |hours: i64| Some(as_of + hours * HOUR);
    let score = change.score.map(|standing| Score {
        score,
        level: Level::of(score),
        low_until: (score > 0).then_some(as_of + HOUR),
        medium_until: None,
        high_until: None,
        critical_until: None,
        advice: Some(Advice::Hold),
        advice_until: of(2),
        watch_until: of(4),
        challenge_until: of(2),
        hold_until: of(2),
        ..standing
    });
    ScoreChange { score, ..change }
}

fn courier(batch_items_max: usize) -> Courier {
    Courier::new("sink", Config { batch_items_max, ..Config::default() }, 1)
}

/// Carries everything that the courier holds, without waiting between tries: the clock jumps to where it would wait.
async fn carry(courier: &mut Courier, sink: &mut impl Sink, now: &mut i64, tries_max: usize) -> Vec<Settled> {
    let mut settled = Vec::new();
    let mut tries = 0;
    loop {
        match courier.next(*now) {
            Next::Send(parcel) => {
                tries += 1;
                assert!(tries <= tries_max, "{tries} tries, {:?}", courier.trouble());
                let answer = sink.deliver(&parcel.batch(*now)).await;
                settled.extend(courier.answered(*now, answer));
            }
            Next::Wait { until_ms } => *now = until_ms,
            Next::Idle => return settled,
        }
    }
}

/// The next batch, at the time when it is due.
fn due(courier: &mut Courier, now: &mut i64) -> Parcel {
    loop {
        match courier.next(*now) {
            Next::Send(parcel) => return parcel,
            Next::Wait { until_ms } => *now = until_ms,
            Next::Idle => panic!("nothing to send"),
        }
    }
}

fn delivered(settled: &[Settled]) -> Vec<u64> {
    settled.iter().filter(|settled| settled.fate == rasid_connectors::effect::Fate::Delivered).map(|settled| settled.seq).collect()
}
