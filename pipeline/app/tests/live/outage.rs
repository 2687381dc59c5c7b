//! Receivers that are away, forget everything or answer nonsense, and the end that a service is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use rasid_connectors::sink::redis;
use rasid_testbed::{Alertmanager, Fault};
use serde_json::Value;

use crate::judge;
use crate::service::{PATIENCE, POLL, Service};
use crate::site::{Site, until};
use crate::traffic::{Traffic, now_ms};

/// How long a receiver is away; `RASID_OUTAGE_S` says another time.
fn away() -> Duration {
    let seconds = std::env::var("RASID_OUTAGE_S").map_or(5, |text| text.parse().expect("RASID_OUTAGE_S is a number"));
    Duration::from_secs(seconds)
}

async fn up(site: &Site) -> Service {
    let service = site.start(None);
    service.heard("up", PATIENCE).await;
    service
}

/// Settles, drains and judges.
async fn end(site: &Site, mut service: Service) -> judge::Detected {
    site.settle(PATIENCE).await;
    let status = site.status().expect("it answers");
    assert_eq!(status.pointer("/stats/worker/divergence_total"), Some(&0.into()));
    assert!(service.drain().await.success());
    service.assert_sound();
    judge::assert_whole(site).await
}

fn each<'a>(status: &'a Value, list: &str, number: &str) -> BTreeMap<&'a str, u64> {
    let entries = status.pointer(list).and_then(Value::as_array).expect("a list").iter();
    entries
        .map(|entry| {
            let name = entry.get("name").and_then(Value::as_str).expect("a name");
            (name, entry.get(number).and_then(Value::as_u64).expect("a number"))
        })
        .collect()
}

/// While a receiver is away the service is ready, and what waits inside stays within its bounds.
fn assert_bounded(site: &Site) {
    let status = site.status().expect("it answers");
    assert_eq!(status.pointer("/stats/readiness/state"), Some(&"ready".into()), "{status:#}");
    let capacities = each(&status, "/stats/queues", "capacity");
    for (queue, depth) in each(&status, "/stats/queues", "depth") {
        assert!(capacities.get(queue).is_some_and(|capacity| depth <= *capacity), "{queue}: {depth}");
    }
    let lag = status.pointer("/stats/worker/lag_records").and_then(Value::as_u64).expect("a number");
    assert!(lag < 1_000, "the engine goes on: {lag} records behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scores_that_redis_has_lost_are_published_again() {
    let site = Site::new("").await;
    let service = up(&site).await;
    let traffic = Traffic::start(&site.path("events"), 1, "1");
    traffic.rounds(200).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    let before = judge::reasons_in_redis(&site).await;
    assert!(before.len() > 10, "there is something to lose");
    // Others go on meanwhile.
    let traffic = Traffic::start(&site.path("events"), 2, "2");
    traffic.rounds(25).await;
    let flushed_ms = now_ms();
    let answer: String = site.redis.command(&["FLUSHALL"]).await;
    assert_eq!(answer, "OK");
    loop {
        let now = judge::reasons_in_redis(&site).await;
        if before.iter().all(|(entity, reasons)| now.get(entity) == Some(reasons)) {
            break;
        }
        assert!(
            u128::try_from(now_ms() - flushed_ms).is_ok_and(|waited_ms| waited_ms < PATIENCE.as_millis()),
            "{} of {} are back",
            now.len(),
            before.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eprintln!("{} scores were back after {} ms", before.len(), now_ms() - flushed_ms);
    traffic.stop().await;
    end(&site, service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scores_that_redis_takes_away_come_back_and_a_value_of_others_stops_its_key_alone() {
    let site = Site::new("").await;
    let set = async |option: &str, value: &str| {
        assert_eq!(site.redis.command::<String>(&["CONFIG", "SET", option, value]).await, "OK");
    };
    set("maxmemory-policy", "volatile-lru").await;
    let service = up(&site).await;
    let warned = service.heard("redis may take scores away: its maxmemory-policy is not noeviction", PATIENCE).await;
    assert_eq!(warned.text("policy"), Some("volatile-lru"));
    let traffic = Traffic::start(&site.path("events"), 8, "1");
    traffic.rounds(200).await;
    traffic.stop().await;
    site.settle(PATIENCE).await;
    let before = judge::reasons_in_redis(&site).await;
    assert!(before.len() > 10, "there is something to take away");
    // The heartbeat does not end by itself, so nothing tells readers that scores are away.
    set("maxmemory", "1").await;
    until("all are taken away", async || judge::reasons_in_redis(&site).await.is_empty()).await;
    set("maxmemory", "0").await;
    let gone_ms = now_ms();
    until("all are back", async || {
        let now = judge::reasons_in_redis(&site).await;
        before.iter().all(|(entity, reasons)| now.get(entity) == Some(reasons))
    })
    .await;
    eprintln!("{} scores were back after {} ms", before.len(), now_ms() - gone_ms);
    service.heard("scores were gone from redis, and were published again", PATIENCE).await;

    let of = |index: usize| before.keys().nth(index).map(|entity| (entity.clone(), redis::key(entity))).expect("some");
    let ((entity, theirs), (_, ours)) = (of(0), of(1));
    assert_eq!(site.redis.command::<String>(&["SET", &theirs, "mine"]).await, "OK");
    let said = service.heard("redis holds somebody else's value under a key of ours, which alone is not written", PATIENCE).await;
    assert_eq!((said.text("key"), said.number("keys")), (Some(format!("{{{entity}}}").as_str()), Some(1)));
    let kind = async |key: &str| site.redis.command::<String>(&["TYPE", key]).await;
    site.redis.command::<i64>(&["DEL", &ours]).await;
    until("another is written meanwhile", async || kind(&ours).await == "hash").await;
    assert_eq!(site.redis.command::<String>(&["GET", &theirs]).await, "mine");
    let foreign = || site.status().and_then(|status| status.pointer("/stats/redis/foreign_keys").and_then(Value::as_u64));
    until("it is counted", async || foreign() == Some(1)).await;
    site.redis.command::<i64>(&["DEL", &theirs]).await;
    until("it is written once it may be", async || kind(&theirs).await == "hash").await;
    until("it is counted no more", async || foreign() == Some(0)).await;
    let missing = site.status().and_then(|status| status.pointer("/stats/redis/missing_total").and_then(Value::as_u64));
    assert!(missing.is_some_and(|missing| missing >= before.len() as u64 + 2), "{missing:?}");
    assert!(service.lines().iter().all(|line| !line.message.starts_with("redis was flushed")), "no loss of all was seen");
    end(&site, service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_redis_is_away() {
    let mut site = Site::new("").await;
    let service = up(&site).await;
    let traffic = Traffic::start(&site.path("events"), 3, "1");
    traffic.rounds(50).await;
    site.redis.kill();
    tokio::time::sleep(away()).await;
    traffic.rounds(300).await;
    assert_bounded(&site);
    let status = site.status().expect("it answers");
    // One change an entity waits, however often it changed: of 12 phones and 12 users.
    let waiting = each(&status, "/stats/sinks", "depth").get("redis").copied();
    assert!(waiting.is_some_and(|waiting| (1..=24).contains(&waiting)), "{waiting:?} changes wait");
    site.redis.restart().await;
    traffic.rounds(350).await;
    traffic.stop().await;
    end(&site, service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_core_api_fails() {
    let mut site = Site::new("").await;
    let service = up(&site).await;
    let traffic = Traffic::start(&site.path("events"), 4, "1");
    traffic.rounds(50).await;
    for fault in [Fault::LostAck, Fault::Status(503), Fault::Silence] {
        site.core.fail(fault);
        tokio::time::sleep(away() / 4).await;
    }
    site.core.stop().await;
    tokio::time::sleep(away() / 4).await;
    traffic.rounds(300).await;
    assert_bounded(&site);
    let taken = judge::accepted(&site).len();
    site.core.restart().await;
    site.core.heal();
    traffic.stop().await;
    let detected = end(&site, service).await;
    assert!(taken < detected.for_core.len(), "something waited: {taken} of {} were taken before", detected.for_core.len());
    assert!(!site.core.duplicates().is_empty(), "an acknowledgement was lost, so it came again");
}

fn rules(standing: &[Value]) -> Vec<&str> {
    standing.iter().filter_map(|alert| alert.pointer("/labels/rule").and_then(Value::as_str)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_for_the_person_on_call_is_in_alertmanager() {
    let alertmanager = Alertmanager::start().await;
    let site = Site::new(&format!("alertmanager.url = {:?}", alertmanager.url())).await;
    let service = up(&site).await;
    let traffic = Traffic::start(&site.path("events"), 5, "1");
    traffic.rounds(150).await;
    traffic.stop().await;
    end(&site, service).await;
    let mut standing = Vec::new();
    // Alerts become visible a moment after they were taken.
    let visible = tokio::time::timeout(PATIENCE, async {
        loop {
            standing = alertmanager.alerts().await;
            let rules = rules(&standing);
            if rules.contains(&"payment.refunds") && rules.contains(&"auth.guess") {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    });
    assert!(visible.await.is_ok(), "{standing:#?}");
    let rules = rules(&standing);
    assert!(!rules.contains(&"auth.burst") && !rules.contains(&"chat.any"), "nobody is woken for those: {standing:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_with_0_and_leaves_nothing_to_replay() {
    let site = Site::new("").await;
    let mut service = up(&site).await;
    let traffic = Traffic::start(&site.path("events"), 6, "1");
    traffic.rounds(150).await;
    // In the midst of it, and with a receiver that does not answer.
    site.core.fail(Fault::Silence);
    assert!(service.drain().await.success());
    service.assert_sound();
    judge::assert_nothing_made_up(&site);
    site.core.heal();
    let service = up(&site).await;
    let restored = service.heard("restored", PATIENCE).await;
    assert_eq!(restored.number("to_replay"), Some(0), "{}", restored.fields);
    assert_eq!(restored.number("snapshot"), restored.number("log_last"), "{}", restored.fields);
    traffic.stop().await;
    end(&site, service).await;
}
