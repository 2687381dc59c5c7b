//! Redis that is more than one server: a cluster whose slots move and whose masters die, and a master that sentinels name.

use std::collections::BTreeMap;
use std::time::Duration;

use rasid_connectors::sink::RedisSink;
use rasid_connectors::sink::redis::{CHANGES, Config, Epoch, Heartbeat, KEEPS, Login, Looked, META, Place, Sentinels, key, read_score};
use rasid_engine::ScoreChange;
use rasid_testbed::{Node, RedisCluster, RedisSentinel};
use rstest::rstest;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{change, now_ms};

/// For a failover on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);
const ENTITIES: i64 = 90;

fn config(place: Place) -> Config {
    Config { place, ..Config::default() }
}

fn sentinels(site: &RedisSentinel, master: &str) -> Place {
    // The first is away.
    let urls = vec!["redis://127.0.0.1:1".to_owned(), site.sentinel.url()];
    Place::Sentinel(Sentinels { urls, master: master.to_owned(), login: Login::default() })
}

fn batch(version: i64) -> Vec<ScoreChange> {
    let now = now_ms();
    (0..ENTITIES).map(|n| change(&format!("user:u_{n}"), version, u8::try_from(1 + (n + version) % 99).expect("small"), now)).collect()
}

fn beat() -> Heartbeat {
    Heartbeat { as_of: now_ms(), lag_ms: 0, ruleset: "sha256:9b1f".to_owned(), instance: "rasid-1".to_owned() }
}

/// What the service does upon a loss: all live scores once more, until they are vouched for.
async fn republish(sink: &mut RedisSink, live: &[ScoreChange]) {
    let whole = async {
        loop {
            if let Ok(Epoch::Gone { token }) = sink.heartbeat(&beat()).await
                && sink.write(live).await.is_ok()
                && matches!(sink.republished(&token, &beat()).await, Ok(Epoch::Same))
            {
                return;
            }
            sleep(POLL).await;
        }
    };
    timeout(PATIENCE, whole).await.expect("scores are published again");
}

async fn assert_there(config: &Config, live: &[ScoreChange]) {
    for change in live {
        let reading = read_score(config, &change.entity).await.expect("it answers");
        assert_eq!(reading.score, change.score, "{}", change.entity);
        assert!(reading.as_of.is_some(), "and is vouched for");
    }
}

/// Writes version after version, each until it is taken, while `disturb` goes on and for ten versions after; the last
/// batch, and how many writes failed.
async fn write_through(sink: &mut RedisSink, disturb: impl Future<Output = ()>) -> (Vec<ScoreChange>, usize) {
    let written = watch::Sender::new(0);
    let over = watch::Sender::new(false);
    let writer = async {
        let (mut version, mut failed, mut after) = (1, 0, 0);
        loop {
            version += 1;
            let batch = batch(version);
            while sink.write(&batch).await.is_err() {
                failed += 1;
                sleep(POLL).await;
            }
            written.send_replace(version);
            after += i64::from(*over.borrow());
            if after > 10 {
                return (batch, failed);
            }
            tokio::task::yield_now().await;
        }
    };
    let disturber = async {
        written.subscribe().wait_for(|version| *version > 10).await.expect("the writer is here");
        disturb.await;
        over.send_replace(true);
    };
    timeout(PATIENCE, async { tokio::join!(writer, disturber).0 }).await.expect("writes are taken again")
}

#[tokio::test]
async fn slots_that_move_are_followed_key_by_key() {
    let cluster = RedisCluster::start().await;
    let config = config(Place::Cluster(cluster.urls()));
    let mut sink = RedisSink::new("sink", config.clone()).expect("addresses");
    republish(&mut sink, &batch(1)).await;
    // Of keys that are there, of one that is not, of the stream and of the heartbeat.
    let mut moves = Vec::new();
    for key in [&key("user:u_1"), &key("user:u_2"), &key("user:new"), CHANGES, META] {
        let slot = cluster.slot(key).await;
        let from = RedisCluster::master_of(slot);
        let to = (from + 1) % RedisCluster::MASTERS;
        cluster.begin_to_move(slot, from, to).await;
        moves.push((slot, from, to));
    }
    let (slot, _, to) = moves[2];
    let new = change("user:new", 1, 70, now_ms());
    assert_eq!(sink.write(std::slice::from_ref(&new)).await.expect("it is asked for where it is to be").rises, 1);
    assert_eq!(cluster.nodes[to].command::<i64>(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]).await, 1);
    assert_there(&config, std::slice::from_ref(&new)).await;
    // Every one of these is taken at once, whatever moves in between.
    let moving = async {
        for (slot, from, to) in moves {
            cluster.finish_moving(slot, from, to).await;
        }
    };
    let (mut live, failed) = Box::pin(write_through(&mut sink, moving)).await;
    assert_eq!(failed, 0);
    live.push(new);
    assert_eq!(sink.heartbeat(&beat()).await.expect("it is there"), Epoch::Same, "nothing was lost");
    assert_there(&config, &live).await;
    // Who knows only the newest, and an old map of it, finds everything too.
    let urls = vec![cluster.nodes[RedisCluster::MASTERS].url()];
    assert_there(&self::config(Place::Cluster(urls)), &live[..5]).await;
}

#[tokio::test]
async fn a_master_that_dies_in_the_midst_of_it_is_followed_and_its_scores_published_again() {
    let mut cluster = RedisCluster::start().await;
    let config = config(Place::Cluster(cluster.urls()));
    let mut sink = RedisSink::new("sink", config.clone()).expect("addresses");
    republish(&mut sink, &batch(1)).await;
    let victim = RedisCluster::master_of(cluster.slot(&key("user:u_1")).await);
    let (live, failed) = Box::pin(write_through(&mut sink, async { cluster.nodes[victim].kill() })).await;
    assert!(failed > 0, "it was noticed");
    cluster.is_whole().await;
    assert!(matches!(sink.heartbeat(&beat()).await.expect("it is there"), Epoch::Gone { .. }), "a failover may lose the newest writes");
    republish(&mut sink, &live).await;
    assert_there(&config, &live).await;
}

#[tokio::test]
async fn a_part_of_a_cluster_that_was_flushed_is_seen() {
    let cluster = RedisCluster::start().await;
    let config = config(Place::Cluster(cluster.urls()));
    let mut sink = RedisSink::new("sink", config.clone()).expect("addresses");
    let live = batch(1);
    republish(&mut sink, &live).await;
    let of_meta = RedisCluster::master_of(cluster.slot(META).await);
    for (index, master) in cluster.nodes.iter().enumerate().take(RedisCluster::MASTERS).filter(|(index, _)| *index != of_meta) {
        assert_eq!(sink.heartbeat(&beat()).await.expect("it is there"), Epoch::Same);
        assert_eq!(master.command::<String>(&["FLUSHALL"]).await, "OK");
        let seen = sink.heartbeat(&beat()).await.expect("it is there");
        assert!(matches!(seen, Epoch::Gone { .. }), "master {index}");
        let vouched = read_score(&config, "user:u_1").await.expect("it answers").as_of;
        assert_eq!(vouched, None, "nobody takes silence for low risk meanwhile");
        republish(&mut sink, &live).await;
    }
    assert_there(&config, &live).await;
}

#[tokio::test]
async fn a_cluster_s_masters_are_asked_and_looked_through() {
    let cluster = RedisCluster::start().await;
    let config = config(Place::Cluster(cluster.urls()));
    let mut sink = RedisSink::new("sink", config.clone()).expect("addresses");
    let live = batch(1);
    republish(&mut sink, &live).await;
    assert_eq!(sink.look(&live).await.expect("it answers"), Looked::default());
    assert_eq!(sink.policies(false).await.expect("it answers").into_iter().collect::<Vec<_>>(), [KEEPS]);
    cluster.nodes[1].command::<String>(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]).await;
    let policies = sink.policies(true).await.expect("it answers");
    assert_eq!(policies.into_iter().collect::<Vec<_>>(), [KEEPS, "volatile-ttl"], "one of three is enough");
    // One score of each master is gone, and another is somebody else's.
    let mut gone = Vec::new();
    for master in 0..RedisCluster::MASTERS {
        for (index, change) in live.iter().enumerate() {
            let key = key(&change.entity);
            if RedisCluster::master_of(cluster.slot(&key).await) == master {
                cluster.nodes[master].command::<i64>(&["DEL", &key]).await;
                gone.push(index);
                break;
            }
        }
    }
    gone.sort_unstable();
    let looked = sink.look(&live).await.expect("it answers");
    assert_eq!((looked.missing, looked.foreign), (gone.clone(), Vec::new()));
    let lost: Vec<ScoreChange> = gone.iter().map(|index| live[*index].clone()).collect();
    assert_eq!(sink.write(&lost).await.expect("it answers").written, 3);
    assert_there(&config, &live).await;
}

/// Asks for a failover until it begins: a sentinel that has not heard of its replica for some seconds, on a machine that is busy,
/// knows of none that it would promote.
async fn demote(sentinel: &Node) {
    let words = ["SENTINEL", "FAILOVER", RedisSentinel::MASTER];
    let begins = async {
        while let Err(error) = sentinel.try_command::<String>(&words).await {
            assert_eq!(error.code(), Some("NOGOODSLAVE"), "{error}");
            sleep(POLL).await;
        }
    };
    timeout(PATIENCE, begins).await.expect("it has a replica");
}

#[rstest]
#[case::dies(true)]
#[case::is_demoted(false)]
#[tokio::test]
async fn the_master_that_sentinels_name_is_followed(#[case] dies: bool) {
    let mut site = RedisSentinel::start().await;
    let config = config(sentinels(&site, RedisSentinel::MASTER));
    let mut sink = RedisSink::new("sink", config.clone()).expect("addresses");
    republish(&mut sink, &batch(1)).await;
    let [old, new] = &mut site.servers;
    let sentinel = &site.sentinel;
    let failover = async {
        if dies {
            old.kill();
        } else {
            demote(sentinel).await;
            old.says("replication", "role:slave").await;
        }
        named(sentinel, new).await;
    };
    let (live, failed) = Box::pin(write_through(&mut sink, failover)).await;
    assert!(failed > 0, "it was noticed");
    republish(&mut sink, &live).await;
    assert_there(&config, &live).await;
    new.command::<String>(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]).await;
    assert_eq!(sink.policies(true).await.expect("it answers").into_iter().collect::<Vec<_>>(), ["volatile-lru"], "of the new master");
    let there: BTreeMap<String, String> = new.command(&["HGETALL", &key("user:u_1")]).await;
    assert_eq!(there["version"], live[1].version.to_string(), "on the new master");
    let nobody = RedisSink::new("sink", self::config(sentinels(&site, "another"))).expect("addresses").write(&batch(1)).await;
    let error = nobody.expect_err("no such master").to_string();
    assert!(error.contains("\"another\"") && error.contains("does not know it") && error.contains("127.0.0.1:1"), "{error}");
}

/// Waits until the sentinel names that server.
async fn named(sentinel: &Node, server: &Node) {
    let named = async {
        loop {
            let (_, port): (String, u16) = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", RedisSentinel::MASTER]).await;
            if port == server.port() {
                return;
            }
            sleep(POLL).await;
        }
    };
    timeout(PATIENCE, named).await.expect("a failover");
}
