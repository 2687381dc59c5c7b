//! A Redis that forgets: what it says of that, scores that it took away, and values of others where ours should be.

use std::collections::BTreeSet;
use std::time::Duration;

use rasid_connectors::sink::RedisSink;
use rasid_connectors::sink::redis::{CHANGES, Config, Error, Heartbeat, KEEPS, Login, Looked, META, Place, UNKNOWN, Written, key};
use rasid_engine::ScoreChange;
use rasid_testbed::RedisServer;
use rstest::rstest;

use super::{change, now_ms};

/// Longer than a busy machine takes.
const SOON: Duration = Duration::from_mins(1);

fn config(server: &RedisServer) -> Config {
    Config { place: Place::Server(server.url()), timeout: SOON, connect_timeout: SOON, ..Config::default() }
}

fn sink(server: &RedisServer) -> RedisSink {
    RedisSink::new("sink", config(server)).expect("an address")
}

fn beat() -> Heartbeat {
    Heartbeat { as_of: now_ms(), lag_ms: 0, ruleset: "sha256:9b1f".to_owned(), instance: "rasid-1".to_owned() }
}

async fn set(server: &RedisServer, option: &str, value: &str) {
    assert_eq!(server.command::<String>(&["CONFIG", "SET", option, value]).await, "OK");
}

async fn policies(sink: &mut RedisSink, anew: bool) -> Vec<&'static str> {
    sink.policies(anew).await.expect("it answers").into_iter().collect()
}

#[tokio::test]
async fn every_new_connection_is_asked_for_its_policy_and_all_when_it_is_time() {
    let mut server = RedisServer::start().await;
    let mut sink = sink(&server);
    assert_eq!(policies(&mut sink, false).await, [KEEPS]);
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        set(&server, "maxmemory-policy", policy).await;
        assert_eq!(policies(&mut sink, true).await, [policy]);
    }
    set(&server, "maxmemory-policy", KEEPS).await;
    assert_eq!(policies(&mut sink, false).await, ["volatile-ttl"], "as it was last said");
    server.restart().await;
    set(&server, "maxmemory-policy", "volatile-lru").await;
    sink.policies(true).await.expect_err("the connection broke");
    assert_eq!(policies(&mut sink, false).await, ["volatile-lru"], "of the new connection");
}

#[rstest]
#[case::neither(&["-info", "-config"], UNKNOWN)]
#[case::configuration_alone(&["-info"], "volatile-lru")]
#[case::information_alone(&["-config"], "volatile-lru")]
#[tokio::test]
async fn what_our_user_may_not_ask_is_not_known(#[case] but: &[&str], #[case] expected: &str) {
    let server = RedisServer::start().await;
    set(&server, "maxmemory-policy", "volatile-lru").await;
    let user = [&["ACL", "SETUSER", "rasid", "on", ">narrow", "~*", "&*", "+@all"], but].concat();
    assert_eq!(server.command::<String>(&user).await, "OK");
    let login = Login { username: Some("rasid".to_owned()), password: Some("narrow".to_owned()) };
    let mut sink = RedisSink::new("sink", Config { login, ..config(&server) }).expect("an address");
    assert_eq!(policies(&mut sink, false).await, [expected]);
    assert_eq!(sink.write(&[change("user:u_1", 1, 50, now_ms())]).await.expect("the connection is of use").written, 1);
}

#[tokio::test]
async fn scores_that_a_full_memory_took_away_are_found_and_come_back() {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    let scores: Vec<ScoreChange> = (0..50).map(|n| change(&format!("user:u_{n}"), 1, 50, now_ms())).collect();
    assert_eq!(sink.write(&scores).await.expect("it runs").written, 50);
    assert_eq!(sink.look(&scores).await.expect("it runs"), Looked::default());
    set(&server, "maxmemory-policy", "volatile-lru").await;
    set(&server, "maxmemory", "1").await;
    let emptied = async {
        while server.command::<Vec<String>>(&["KEYS", "rasid:risk:v1:{*"]).await != Vec::<String>::new() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, emptied).await.expect("they are taken away");
    let looked = sink.look(&scores).await.expect("it runs");
    assert_eq!(looked, Looked { missing: (0..50).collect(), foreign: Vec::new() });
    set(&server, "maxmemory", "0").await;
    let lost: Vec<ScoreChange> = looked.missing.iter().map(|index| scores[*index].clone()).collect();
    assert_eq!(sink.write(&lost).await.expect("it runs").written, lost.len());
    assert_eq!(sink.look(&scores).await.expect("it runs"), Looked::default());
    // What was taken away on purpose, or ended, is not missing.
    let gone = ScoreChange { version: 2, score: None, ..scores[0].clone() };
    assert_eq!(sink.write(&[gone]).await.expect("it runs").deleted, 1);
    assert_eq!(sink.look(&scores).await.expect("it runs"), Looked::default());
}

/// `true`: looking alone tells, else the next write does.
#[rstest]
#[case::text(&["SET", "KEY", "mine"], true)]
#[case::a_list(&["RPUSH", "KEY", "mine"], true)]
#[case::a_hash(&["HSET", "KEY", "name", "Amal"], false)]
#[case::a_hash_with_a_score(&["HSET", "KEY", "score", "50"], true)]
#[case::a_version_in_words(&["HSET", "KEY", "version", "v7", "score", "50"], true)]
#[case::an_endless_version(&["HSET", "KEY", "version", "inf"], true)]
#[case::a_version_beyond_all_times(&["HSET", "KEY", "version", "999999999999999999999"], true)]
#[tokio::test]
async fn a_value_of_others_stops_its_key_alone(#[case] theirs: &[&str], #[case] seen: bool) {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    let place = key("phone:p1_5gwpr7cpwuatoj6s57p62m3uza");
    let theirs: Vec<&str> = theirs.iter().map(|word| if *word == "KEY" { place.as_str() } else { *word }).collect();
    server.command::<::redis::Value>(&theirs).await;
    let before: Vec<u8> = server.command(&["DUMP", &place]).await;
    let scores: Vec<ScoreChange> =
        ["user:u_1", "phone:p1_5gwpr7cpwuatoj6s57p62m3uza", "user:u_3"].iter().map(|entity| change(entity, 1, 50, now_ms())).collect();
    for _ in 0..2 {
        let done = sink.write(&scores).await.expect("the others are written");
        assert_eq!((done.written, done.refused.len(), done.older), (2, 1, 0));
        assert_eq!(done.refused[0], (1, "somebody else's value stands under the score's key".to_owned()));
        assert_eq!(sink.take_foreign(), BTreeSet::from([place.clone()]));
    }
    let gone = ScoreChange { version: 2, score: None, ..scores[1].clone() };
    assert_eq!(sink.write(&[gone]).await.expect("it runs").refused.len(), 1, "nor is it deleted");
    assert_eq!(server.command::<Vec<u8>>(&["DUMP", &place]).await, before, "it is left as it is");
    assert_eq!(server.command::<i64>(&["PTTL", &place]).await, -1);
    sink.take_foreign();
    let looked = sink.look(&scores).await.expect("it runs");
    let (missing, foreign) = if seen { (vec![], vec![1]) } else { (vec![1], vec![]) };
    assert_eq!((looked.missing, looked.foreign), (missing, foreign));
    assert_eq!(sink.take_foreign().len(), usize::from(seen));
    // Once it is gone the score is missing, and then there.
    server.command::<i64>(&["DEL", &place]).await;
    assert_eq!(sink.look(&scores).await.expect("it runs").missing, [1]);
    assert_eq!(sink.write(&scores).await.expect("it runs").written, 3);
    assert_eq!(sink.look(&scores).await.expect("it runs"), Looked::default());
}

#[tokio::test]
async fn a_value_of_others_in_place_of_the_stream_or_the_heartbeat_stops_no_score() {
    let server = RedisServer::start().await;
    let mut sink = sink(&server);
    server.command::<String>(&["SET", CHANGES, "mine"]).await;
    server.command::<String>(&["SET", META, "mine"]).await;
    let score = change("user:u_1", 1, 90, now_ms());
    let done = sink.write(std::slice::from_ref(&score)).await.expect("the score is written");
    assert_eq!(done, Written { written: 1, rises: 1, untold: 1, ..Written::default() });
    assert_eq!(sink.take_foreign(), BTreeSet::from([CHANGES.to_owned()]));
    let error = sink.heartbeat(&beat()).await.expect_err("nothing vouches");
    assert!(matches!(&error, Error::Foreign { key, .. } if key == META), "{error}");
    assert_eq!(sink.look(std::slice::from_ref(&score)).await.expect("it runs"), Looked::default());
    // The rise is told with the next write after the stream's key is free again.
    server.command::<i64>(&["DEL", CHANGES]).await;
    assert_eq!(sink.write(&[score]).await.expect("it runs"), Written { written: 1, rises: 1, ..Written::default() });
    assert_eq!(server.command::<i64>(&["XLEN", CHANGES]).await, 1);
}
