//! What docs/redis.md and docs/core-api.md show in Python runs as it stands there.

use std::path::Path;
use std::process::Command;

use rasid_connectors::sink::RedisSink;
use rasid_connectors::sink::redis::{Config, Epoch, Heartbeat, Place};
use rasid_connectors::webhook::Webhook;
use rasid_engine::ScoreChange;
use rasid_testbed::RedisServer;

use super::{HOUR, advised, change, now_ms};

/// As much of redis-py as the page uses, over a plain socket.
const CLIENT: &str = r#"
import socket

class Redis:
    def __init__(self, port):
        self.file = socket.create_connection(("127.0.0.1", port)).makefile("rwb")
        self.queued = []

    def pipeline(self, transaction):
        assert transaction is False
        return self

    def hmget(self, key, fields):
        self.queued.append(["HMGET", key, *fields])

    def hget(self, key, field):
        self.queued.append(["HGET", key, field])

    def execute(self):
        for words in self.queued:
            self.file.write(b"*%d\r\n" % len(words))
            for word in words:
                self.file.write(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()))
        self.file.flush()
        answers = [self.answer() for _ in self.queued]
        self.queued = []
        return answers

    def answer(self):
        line = self.file.readline().decode().strip()
        size = int(line[1:])
        if line[0] == "*":
            return [self.answer() for _ in range(size)]
        assert line[0] == "$", line
        return None if size < 0 else self.file.read(size + 2)[:-2].decode()
"#;

/// The first block in that language on a page.
fn block(page: &str, language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, after) = text.split_once(&format!("```{language}\n")).expect("the page shows it");
    after.split_once("```").expect("a block ends").0.to_owned()
}

/// Runs a program and gives what it printed.
fn python(program: &str) -> String {
    let output = Command::new("python3").args(["-c", program]).output().expect("python3 is installed: cargo xtask test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test]
async fn the_page_s_reader_tells_every_level_and_low_risk_from_a_dead_pipeline() {
    let server = RedisServer::start().await;
    let mut sink = RedisSink::new("sink", Config { place: Place::Server(server.url()), ..Config::default() }).expect("an address");
    let now = now_ms();
    // Each was critical once; the level now hangs on how long ago that was.
    let aged = |entity: &str, hours: i64| {
        let as_of = now - hours * HOUR - HOUR / 2;
        ScoreChange { live_until: now + HOUR, ..change(entity, 1, 90, as_of) }
    };
    let scores = [
        aged("user:u_1", 0),
        aged("user:u_2", 1),
        aged("user:u_3", 2),
        aged("user:u_4", 3),
        change("user:u_5", 1, 5, now),
        advised("user:u_7", 1, 60, now - 2 * HOUR),
    ];
    sink.write(&scores).await.expect("it runs");
    let reader = block("redis.md", "python");
    let ask = || {
        let ask = format!("redis = Redis({})\nprint(*[risk_level(redis, f'user:u_{{n}}') for n in range(1, 8)])\n", server.port());
        python(&format!("{CLIENT}\n{reader}\n{ask}"))
    };
    assert_eq!(ask(), "critical high medium low low unknown none\n", "nothing vouches yet");
    let beat = |as_of| Heartbeat { as_of, lag_ms: 0, ruleset: String::new(), instance: String::new() };
    let Epoch::Gone { token } = sink.heartbeat(&beat(now)).await.expect("it runs") else { panic!("never written") };
    sink.republished(&token, &beat(now)).await.expect("it runs");
    assert_eq!(ask(), "critical high medium low low none none\n");
    sink.heartbeat(&beat(now - 120_000)).await.expect("it runs");
    assert_eq!(ask(), "critical high medium low low unknown none\n", "the heartbeat is old");
}

#[test]
fn the_page_s_check_takes_our_signatures_and_no_others() {
    let (new, old) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    let webhook = Webhook::new(&[new, old]).expect("good secrets");
    let body = "[{\"data\":\"اختبار\"}]";
    let now = now_ms() / 1000;
    let check = |secret: &str, seconds: i64, body: &str| {
        let signature = webhook.sign("dl_1", seconds, "[{\"data\":\"اختبار\"}]".as_bytes());
        let headers = format!("{{'webhook-id': 'dl_1', 'webhook-timestamp': '{seconds}', 'webhook-signature': '{signature}'}}");
        format!("print(verify('{secret}', {headers}, '{body}'.encode()))\n")
    };
    let program = [
        block("core-api.md", "python"),
        check(new, now, body),
        check(old, now, body),
        check("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", now, body),
        check(new, now, "[]"),
        check(new, now - 400, body),
    ];
    assert_eq!(python(&program.concat()), "True\nTrue\nFalse\nFalse\nFalse\n");
}
