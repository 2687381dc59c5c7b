use std::collections::BTreeMap;
use std::time::Duration;

use rasid_compiler::ruleset::Advice;
use rasid_connectors::effect::{Body, Fate};
use rasid_connectors::sink::redis::{CHANGES, Config, Epoch, Error, Heartbeat, META, Place, Written, key, read_score};
use rasid_connectors::sink::{Answer, Batch, RedisSink, Sink as _};
use rasid_engine::{Level, ScoreChange};
use rasid_testbed::{RedisServer, Wire};
use tokio::time::timeout;

use super::{HOUR, advised, carry, change, courier, delivered, due, item, now_ms};

/// Longer than a busy machine takes.
const SOON: Duration = Duration::from_mins(1);

type Hash = BTreeMap<String, String>;

fn config(server: &RedisServer) -> Config {
    Config { place: Place::Server(server.url()), timeout: SOON, connect_timeout: SOON, ..Config::default() }
}

fn sink(server: &RedisServer) -> RedisSink {
    RedisSink::new("sink", config(server)).expect("an address")
}

async fn hash(server: &RedisServer, entity: &str) -> Hash {
    server.command(&["HGETALL", &key(entity)]).await
}

/// Entity, version and level of every rise in the stream.
async fn rises(server: &RedisServer) -> Vec<(String, String, String)> {
    let entries: Vec<(String, Vec<String>)> = server.command(&["XRANGE", CHANGES, "-", "+"]).await;
    let rise = |(_, fields): (String, Vec<String>)| match fields.as_slice() {
        [_, entity, _, version, _, level, ..] => (entity.clone(), version.clone(), level.clone()),
        other => panic!("no rise: {other:?}"),
    };
    entries.into_iter().map(rise).collect()
}

fn rise(entity: &str, version: i64, level: &str) -> (String, String, String) {
    (entity.to_owned(), version.to_string(), level.to_owned())
}

fn gone(entity: &str, version: i64) -> ScoreChange {
    ScoreChange { score: None, ..change(entity, version, 50, now_ms()) }
}

fn beat(as_of: i64) -> Heartbeat {
    Heartbeat { as_of, lag_ms: 12, ruleset: "sha256:9b1f".to_owned(), instance: "rasid-1".to_owned() }
}

#[tokio::test]
async fn a_score_is_written_as_readers_expect_it() {
    let server = RedisServer::start().await;
    let now = now_ms();
    let score = change("user:u_42", 7, 90, now);
    let done = sink(&server).write(std::slice::from_ref(&score)).await.expect("it runs");
    assert_eq!(done, Written { written: 1, rises: 1, ..Written::default() });
    let expected: Hash = [
        ("score", "90".to_owned()),
        ("level", "critical".to_owned()),
        ("as_of", now.to_string()),
        ("low_until", (now + 4 * HOUR).to_string()),
        ("medium_until", (now + 3 * HOUR).to_string()),
        ("high_until", (now + 2 * HOUR).to_string()),
        ("critical_until", (now + HOUR).to_string()),
        ("reasons", format!(r#"[{{"rule":"auth.otp_flood","risk":90.0,"at":{now},"half_life_s":21600}}]"#)),
        ("version", "7".to_owned()),
        ("ruleset", "sha256:9b1f".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    assert_eq!(hash(&server, "user:u_42").await, expected);
    assert_eq!(server.command::<i64>(&["PEXPIRETIME", "rasid:risk:v1:{user:u_42}"]).await, now + 4 * HOUR);
    let reading = read_score(&config(&server), "user:u_42").await.expect("it runs");
    assert_eq!(reading.score, score.score);
    for (hours, level) in [(0, Level::Critical), (1, Level::Critical), (2, Level::High), (3, Level::Medium)] {
        assert_eq!(reading.level(now + hours * HOUR), Some(level));
        assert!(reading.level(now + hours * HOUR + 1).is_some_and(|after| hours == 0 || after < level));
    }
    let nobody = read_score(&config(&server), "user:u_1").await.expect("it runs");
    assert_eq!((nobody.score, nobody.as_of), (None, None));
}

#[tokio::test]
async fn advice_stands_beside_a_score_and_outlives_it() {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    let now = now_ms();
    let both = advised("user:u_1", 3, 20, now);
    let only = advised("user:u_2", 3, 0, now);
    let done = sink.write(&[both.clone(), only.clone()]).await.expect("it runs");
    assert_eq!(done, Written { written: 2, rises: 1, ..Written::default() });
    assert_eq!(rises(&server).await, [rise("user:u_1", 3, "low")], "advice is no level");
    for (change, names) in [
        (&both, "advice advice_until as_of challenge_until hold_until level low_until reasons ruleset score version watch_until"),
        (&only, "advice advice_until as_of challenge_until hold_until reasons ruleset score version watch_until"),
    ] {
        let hash = hash(&server, &change.entity).await;
        assert_eq!(hash.keys().map(String::as_str).collect::<Vec<_>>().join(" "), names);
        assert_eq!((hash["advice"].as_str(), hash["advice_until"].as_str()), ("hold", (now + 2 * HOUR).to_string().as_str()));
        let reading = read_score(&config(&server), &change.entity).await.expect("it runs");
        assert_eq!(reading.score, change.score);
        for (at, advice) in [(0, Some((Advice::Hold, 2))), (2, Some((Advice::Hold, 2))), (3, Some((Advice::Watch, 4))), (5, None)] {
            let expected = advice.map(|(advice, until)| (advice, now + until * HOUR));
            assert_eq!(reading.advice(now + at * HOUR), expected, "after {at} h");
        }
    }
    let reading = read_score(&config(&server), "user:u_1").await.expect("it runs");
    assert_eq!([0, 1, 2].map(|hours| reading.level(now + hours * HOUR)), [Some(Level::Low), Some(Level::Low), None]);

    // A score that had ended rises again from nothing, and what is over of the advice goes.
    sink.write(&[advised("user:u_1", 4, 20, now - 2 * HOUR - 1)]).await.expect("it runs");
    sink.write(&[change("user:u_1", 5, 20, now)]).await.expect("it runs");
    assert_eq!(rises(&server).await, [rise("user:u_1", 3, "low"), rise("user:u_1", 5, "low")]);
    let left = hash(&server, "user:u_1").await;
    assert_eq!(
        left.keys().map(String::as_str).collect::<Vec<_>>(),
        ["as_of", "level", "low_until", "reasons", "ruleset", "score", "version"]
    );
}

#[tokio::test]
async fn an_older_version_changes_nothing_and_the_same_one_nothing_more() {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    let now = now_ms();
    let newest = change("user:u_1", 10, 90, now);
    sink.write(std::slice::from_ref(&newest)).await.expect("it runs");
    let before = hash(&server, "user:u_1").await;
    for older in [change("user:u_1", 9, 99, now), gone("user:u_1", 9), ScoreChange { live_until: 1, ..change("user:u_1", 9, 99, now) }] {
        assert_eq!(sink.write(&[older]).await.expect("it runs"), Written { older: 1, ..Written::default() });
    }
    assert_eq!(sink.write(&[newest]).await.expect("it runs"), Written { written: 1, ..Written::default() });
    assert_eq!(hash(&server, "user:u_1").await, before);
    assert_eq!(rises(&server).await, [rise("user:u_1", 10, "critical")]);

    // A newer one takes everything of the older away, ends of levels too.
    sink.write(&[change("user:u_1", 11, 20, now)]).await.expect("it runs");
    let after = hash(&server, "user:u_1").await;
    assert_eq!(
        after.keys().map(String::as_str).collect::<Vec<_>>(),
        ["as_of", "level", "low_until", "reasons", "ruleset", "score", "version"]
    );
}

#[tokio::test]
async fn what_is_over_is_deleted_and_what_ends_expires() {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    let now = now_ms();
    let ended = |version| ScoreChange { live_until: now - 1, ..change("user:u_1", version, 90, now) };
    for over in [gone("user:u_1", 2), ended(2)] {
        sink.write(&[change("user:u_1", 1, 90, now)]).await.expect("it runs");
        assert_eq!(sink.write(&[over]).await.expect("it runs"), Written { deleted: 1, ..Written::default() });
        // Readers find no score; the version stays for a while, lest an older write bring the score back.
        assert_eq!(hash(&server, "user:u_1").await, Hash::from([("version".to_owned(), "2".to_owned())]));
        let reading = read_score(&config(&server), "user:u_1").await.expect("it runs");
        assert_eq!((reading.score, reading.live_for_ms), (None, None));
        let stays_ms: i64 = server.command(&["PTTL", &key("user:u_1")]).await;
        assert!((29 * 60_000..=30 * 60_000).contains(&stays_ms), "{stays_ms} ms");
        assert_eq!(sink.write(&[change("user:u_1", 1, 90, now)]).await.expect("it runs"), Written { older: 1, ..Written::default() });
        server.command::<i64>(&["DEL", &key("user:u_1")]).await;
    }
    // What comes after it is a rise from nothing.
    sink.write(&[gone("user:u_1", 2)]).await.expect("it runs");
    assert_eq!(
        sink.write(&[change("user:u_1", 3, 5, now)]).await.expect("it runs"),
        Written { written: 1, rises: 1, ..Written::default() }
    );
    let soon = ScoreChange { live_until: now_ms() + 300, ..change("user:u_1", 4, 90, now) };
    sink.write(&[soon]).await.expect("it runs");
    let expired = async {
        while server.command::<i64>(&["EXISTS", &key("user:u_1")]).await == 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, expired).await.expect("it expires");
}

#[tokio::test]
async fn a_write_that_arrives_after_the_deletion_brings_nothing_back() {
    let server = RedisServer::start().await;
    let wire = Wire::to(server.port()).await;
    let place = Place::Server(format!("redis://127.0.0.1:{}/", wire.port()));
    let mut sink = RedisSink::new("sink", Config { place, timeout: Duration::from_millis(500), ..config(&server) }).expect("an address");
    let now = now_ms();
    sink.write(&[change("user:u_1", 1, 50, now), change("user:u_2", 1, 50, now)]).await.expect("it runs");
    wire.hold_first(1);
    let late = [change("user:u_1", 2, 90, now), change("user:u_2", 2, 90, now), change("user:u_3", 2, 90, now)];
    sink.write(&late).await.expect_err("nothing arrives");
    // On another connection: one is deleted, one has ended, one was never there.
    let ended = ScoreChange { live_until: now - 1, ..change("user:u_2", 3, 40, now) };
    let done = sink.write(&[gone("user:u_1", 3), ended, gone("user:u_3", 3)]).await.expect("it runs");
    assert_eq!(done, Written { deleted: 3, ..Written::default() });
    timeout(Duration::from_secs(30), wire.release()).await.expect("the late writes are answered");
    for entity in ["user:u_1", "user:u_2", "user:u_3"] {
        assert_eq!(read_score(&config(&server), entity).await.expect("it runs").score, None, "{entity}");
    }
}

#[tokio::test]
async fn rises_of_level_are_told_whatever_was_left_out_between() {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    let now = now_ms();
    let score = |version, score| change("user:u_1", version, score, now);
    // Written together, only the newest is; it rises above what was there, and that is told.
    let done = sink.write(&[score(1, 10), score(3, 70), score(2, 40), change("user:u_2", 1, 5, now)]).await.expect("it runs");
    assert_eq!(done, Written { written: 2, rises: 2, ..Written::default() });
    assert_eq!(hash(&server, "user:u_1").await["version"], "3");
    for next in [score(4, 75), score(5, 40), score(6, 65)] {
        sink.write(&[next]).await.expect("it runs");
    }
    let mut expected = vec![rise("user:u_1", 3, "high"), rise("user:u_2", 1, "low"), rise("user:u_1", 6, "high")];
    assert_eq!(rises(&server).await, expected);
    // A level that has run out by now is none to rise from.
    let faded = ScoreChange { live_until: now + HOUR, ..change("user:u_3", 1, 90, now - 3 * HOUR) };
    sink.write(&[faded, change("user:u_3", 1, 90, now - 3 * HOUR)]).await.expect("it runs");
    sink.write(&[change("user:u_3", 2, 70, now)]).await.expect("it runs");
    expected.extend([rise("user:u_3", 1, "critical"), rise("user:u_3", 2, "high")]);
    assert_eq!(rises(&server).await, expected);
    // We died after the score and before the stream: the mark is still there, and the next write tells.
    server.command::<i64>(&["HSET", &key("user:u_1"), "announce", "6"]).await;
    assert_eq!(sink.write(&[score(6, 65)]).await.expect("it runs").rises, 1);
    expected.push(rise("user:u_1", 6, "high"));
    assert_eq!(rises(&server).await, expected);
    assert!(!hash(&server, "user:u_1").await.contains_key("announce"));
}

#[tokio::test]
async fn the_stream_of_rises_is_capped() {
    let server = RedisServer::start().await;
    let mut sink = RedisSink::new("sink", Config { changes_max: 100, ..config(&server) }).expect("an address");
    let now = now_ms();
    for round in 0..5 {
        let many: Vec<ScoreChange> = (0..200).map(|n| change(&format!("user:u_{round}_{n}"), 1, 50, now)).collect();
        assert_eq!(sink.write(&many).await.expect("it runs").rises, 200);
    }
    let length: usize = server.command(&["XLEN", CHANGES]).await;
    assert!((100..=300).contains(&length), "{length} entries; Redis trims by nodes of 100");
}

#[tokio::test]
async fn a_server_that_forgot_the_script_is_told_again() {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    for version in 1..=3 {
        assert_eq!(sink.write(&[change("user:u_1", version, 50, now_ms())]).await.expect("it runs").written, 1);
        server.command::<String>(&["SCRIPT", "FLUSH"]).await;
    }
    assert_eq!(hash(&server, "user:u_1").await["version"], "3");
}

#[tokio::test]
async fn the_heartbeat_vouches_only_for_what_is_there() {
    let mut server = RedisServer::start().await;
    let mut sink = sink(&server);
    let meta = async |server: &RedisServer| server.command::<Hash>(&["HGETALL", META]).await;
    let lost = |epoch: Epoch| match epoch {
        Epoch::Gone { token } => token,
        Epoch::Same => panic!("it is gone"),
    };
    // Never written: nothing vouches until all live scores are there.
    let token = lost(sink.heartbeat(&beat(1_000)).await.expect("it runs"));
    assert_eq!(lost(sink.heartbeat(&beat(1_000)).await.expect("it runs")), token, "the same loss");
    assert!(!meta(&server).await.contains_key("as_of"));
    assert_eq!(sink.republished(&token, &beat(2_000)).await.expect("it runs"), Epoch::Same);
    assert_eq!(sink.heartbeat(&beat(3_000)).await.expect("it runs"), Epoch::Same);
    let said = meta(&server).await;
    assert_eq!((said["as_of"].as_str(), said["lag_ms"].as_str(), said["instance"].as_str()), ("3000", "12", "rasid-1"));
    assert_eq!(said["ruleset"], "sha256:9b1f");
    let epoch = said["epoch"].clone();
    // Another instance on the same data finds it whole.
    assert_eq!(self::sink(&server).heartbeat(&beat(4_000)).await.expect("it runs"), Epoch::Same);
    let reading = read_score(&config(&server), "user:u_1").await.expect("it runs");
    assert_eq!((reading.as_of, reading.lag_ms, reading.instance.as_deref()), (Some(4_000), Some(12), Some("rasid-1")));

    // Flushed, and flushed again while everything is published: that does not count.
    server.command::<String>(&["FLUSHALL"]).await;
    let first = lost(sink.heartbeat(&beat(5_000)).await.expect("it runs"));
    server.command::<String>(&["FLUSHALL"]).await;
    let second = lost(sink.republished(&first, &beat(6_000)).await.expect("it runs"));
    assert_ne!(first, second);
    server.command::<String>(&["FLUSHALL"]).await;
    let third = lost(sink.heartbeat(&beat(6_000)).await.expect("it runs"));
    lost(sink.republished(&second, &beat(6_000)).await.expect("it runs"));
    let fourth = lost(sink.heartbeat(&beat(6_000)).await.expect("it runs"));
    assert_ne!(third, fourth);
    assert_eq!(sink.republished(&fourth, &beat(7_000)).await.expect("it runs"), Epoch::Same);
    assert_ne!(meta(&server).await["epoch"], epoch);

    // Another server that holds an older copy: the epoch is there, but is not this server's.
    let copy = meta(&server).await;
    server.restart().await;
    for (name, value) in &copy {
        server.command::<i64>(&["HSET", META, name, value]).await;
    }
    assert!(sink.heartbeat(&beat(8_000)).await.is_err(), "the connection broke");
    lost(sink.heartbeat(&beat(8_000)).await.expect("it runs"));
    assert!(!meta(&server).await.contains_key("as_of"));
}

#[tokio::test]
async fn a_server_killed_in_the_midst_of_it_loses_nothing() {
    let mut server = RedisServer::start().await;
    let mut sink = sink(&server);
    let now = now_ms();
    let changes: Vec<ScoreChange> = (1..=400).map(|n| change(&format!("user:u_{}", n % 90), n, 50, now)).collect();
    let mut courier = courier(16);
    for (seq, change) in (1..).zip(&changes) {
        assert!(courier.offer(item(seq, Body::Score(change.clone()))));
    }
    let mut clock = now;
    let mut settled = Vec::new();
    for attempt in 0..20 {
        match attempt {
            5 => server.kill(),
            9 => server.restart().await,
            _ => {}
        }
        let parcel = due(&mut courier, &mut clock);
        let answer = sink.deliver(&parcel.batch(clock)).await;
        settled.extend(courier.answered(clock, answer));
        assert!(!(5..9).contains(&attempt) || settled.len() == 5 * 16, "nothing counts as delivered while it is away");
    }
    settled.extend(carry(&mut courier, &mut sink, &mut clock, 40).await);
    assert_eq!(delivered(&settled), (1..=400).collect::<Vec<_>>());
    // It came back empty, which the heartbeat tells; then everything live is written again.
    let Epoch::Gone { token } = sink.heartbeat(&beat(now)).await.expect("it runs") else { panic!("it is gone") };
    let newest: Vec<ScoreChange> = changes[changes.len() - 90..].to_vec();
    for part in newest.chunks(32) {
        sink.write(part).await.expect("it runs");
    }
    assert_eq!(sink.republished(&token, &beat(now)).await.expect("it runs"), Epoch::Same);
    for change in &newest {
        assert_eq!(read_score(&config(&server), &change.entity).await.expect("it runs").score, change.score);
    }
}

#[tokio::test]
async fn somebody_else_s_value_under_our_key_parks_that_score_alone() {
    let server = RedisServer::start().await;
    server.command::<String>(&["SET", &key("user:u_2"), "mine"]).await;
    let mut courier = courier(10);
    for (seq, entity) in [(1, "user:u_1"), (2, "user:u_2"), (3, "user:u_3")] {
        assert!(courier.offer(item(seq, Body::Score(change(entity, 1, 50, now_ms())))));
    }
    let settled = carry(&mut courier, &mut sink(&server), &mut now_ms(), 1).await;
    assert_eq!(delivered(&settled), [1, 3]);
    assert!(matches!(&settled[1].fate, Fate::Parked { answer } if answer.contains("somebody else's value")), "{settled:?}");
    assert_eq!(server.command::<String>(&["GET", &key("user:u_2")]).await, "mine");
    assert!(matches!(read_score(&config(&server), "user:u_2").await, Err(Error::Command(_))));
}

#[tokio::test]
async fn a_full_memory_changes_nothing_and_is_waited_out() {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    let now = now_ms();
    sink.write(&[change("user:u_1", 1, 90, now)]).await.expect("it runs");
    let before = hash(&server, "user:u_1").await;
    server.command::<String>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let items = [item(1, Body::Score(change("user:u_1", 2, 20, now)))];
    let batch = Batch { id: "dl_1", now_ms: now, items: &items };
    let answer = sink.deliver(&batch).await;
    assert!(matches!(&answer, Answer::Unavailable { error, .. } if error.contains("OOM")), "{answer:?}");
    assert_eq!(hash(&server, "user:u_1").await, before);
    server.command::<String>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(sink.deliver(&batch).await, Answer::TAKEN);
    assert_eq!(hash(&server, "user:u_1").await["version"], "2");
}

#[tokio::test]
async fn silence_and_absence_are_answered_in_bounded_time() {
    let mut server = RedisServer::start().await;
    // What a busy machine answers in, and not so long that this takes for ever.
    let quick = Config { timeout: Duration::from_secs(3), connect_timeout: Duration::from_secs(3), ..config(&server) };
    let mut sink = RedisSink::new("sink", quick).expect("an address");
    let items = [item(1, Body::Score(change("user:u_1", 1, 50, now_ms())))];
    let batch = Batch { id: "dl_1", now_ms: now_ms(), items: &items };
    assert_eq!(sink.deliver(&batch).await, Answer::TAKEN);
    server.command::<String>(&["CLIENT", "PAUSE", "600000", "ALL"]).await;
    let answer = timeout(SOON, sink.deliver(&batch)).await.expect("bounded");
    assert!(matches!(answer, Answer::Unknown { .. }), "{answer:?}");
    server.kill();
    let answer = timeout(SOON, sink.deliver(&batch)).await.expect("bounded");
    assert!(matches!(answer, Answer::Unavailable { .. }), "{answer:?}");
    server.restart().await;
    assert_eq!(sink.deliver(&batch).await, Answer::TAKEN);
}

#[test]
fn an_address_with_a_password_is_not_shown() {
    let at = |url: &str| Config { place: Place::Server(url.to_owned()), ..Config::default() };
    let error = RedisSink::new("sink", at("rediss://:hunter2@h:x")).err().expect("no address");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(!format!("{:?}", at("redis://:hunter2@h")).contains("hunter2"));
}
