//! Senders that show a bearer token in place of signing.

use std::time::Duration;

use rasid_connectors::ingest::Wire;
use rasid_connectors::ingest::http::IngestConfig;
use rasid_connectors::tokens::{Lock, Scope, TokenText};
use reqwest::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::service::{Book, EVENT, LINES, NOW_MS, Service, config, header, problem};

/// Makes a token in the service's file.
fn token(service: &Service, producer: &str, scope: Scope, expires_ms: Option<i64>) -> TokenText {
    let lock = Lock::take(service.folder.path()).expect("a folder");
    let mut tokens = lock.read().expect("whole");
    let (_, text) = tokens.create(producer, &[scope], NOW_MS, expires_ms).expect("random bytes");
    lock.write(&tokens).expect("written");
    text
}

async fn show(service: &Service, token: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let request = service.client.post(&service.url).header("authorization", format!("Bearer {token}")).header("content-type", LINES);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.to_owned()).send().await.expect("an answer")
}

#[tokio::test]
async fn a_token_is_a_producer() {
    let service = Service::start(config(), Book::open()).await;
    // Made while the service runs: it is taken up by itself. `shipper` has no secret, `telco` has one as well.
    let (shipper, telco) = (token(&service, "shipper", Scope::WriteEvents, None), token(&service, "telco", Scope::WriteEvents, None));
    assert_eq!(show(&service, shipper.reveal(), &[], "1\n2\n").await.status(), 202);
    assert_eq!(show(&service, telco.reveal(), &[], "3\n").await.status(), 202);
    assert_eq!(service.send(2, "msg_1", LINES, "4\n").await.status(), 202, "and it may sign all the same");
    let streams: Vec<_> = service.book.records().into_iter().map(|(stream, _, text)| format!("{stream} {text}")).collect();
    assert_eq!(streams, ["http:shipper 1", "http:shipper 2", "http:telco 3", "http:telco 4"]);
    let lower = service.client.post(&service.url).header("authorization", format!("bearer  {} ", shipper.reveal()));
    assert_eq!(lower.header("content-type", EVENT).body("{}").send().await.expect("an answer").status(), 202);
    assert!(service.refused().is_empty());
}

#[tokio::test]
async fn two_tokens_stand_at_once_and_one_that_is_revoked_does_not() {
    let service = Service::start(config(), Book::open()).await;
    let (old, new) = (token(&service, "shipper", Scope::WriteEvents, None), token(&service, "shipper", Scope::WriteEvents, None));
    for text in [&old, &new] {
        assert_eq!(show(&service, text.reveal(), &[], "1\n").await.status(), 202);
    }
    let lock = Lock::take(service.folder.path()).expect("a folder");
    let mut tokens = lock.read().expect("whole");
    let gone = tokens.find(old.reveal()).expect("there").id.clone();
    assert_eq!(tokens.revoke(|token| token.id == gone).len(), 1);
    lock.write(&tokens).expect("written");
    let response = show(&service, old.reveal(), &[], "2\n").await;
    assert_eq!(header(&response, "www-authenticate"), "Bearer realm=\"rasid\", error=\"invalid_token\"");
    problem(response, 401).await;
    assert_eq!(show(&service, new.reveal(), &[], "2\n").await.status(), 202);
    // A file that cannot be used changes nothing.
    std::fs::write(service.folder.path().join("tokens.json"), "{").expect("ours");
    assert_eq!(show(&service, new.reveal(), &[], "3\n").await.status(), 202);
    problem(show(&service, old.reveal(), &[], "3\n").await, 401).await;
    assert!(service.ingest.tokens_unusable());
}

#[tokio::test]
async fn what_is_no_good_token_is_refused_and_counted() {
    let service = Service::start(config(), Book::open()).await;
    let expires = token(&service, "shipper", Scope::WriteEvents, Some(NOW_MS + 1000));
    let (other, nobody) = (token(&service, "shipper", Scope::ReadRisk, None), token(&service, "nosuch", Scope::WriteEvents, None));
    assert_eq!(show(&service, expires.reveal(), &[], "1\n").await.status(), 202);
    service.now_ms.fetch_add(1000, std::sync::atomic::Ordering::SeqCst);
    for (text, status, part) in [
        (expires.reveal(), 401, "expired"),
        (other.reveal(), 403, "write:events"),
        (nobody.reveal(), 401, "configuration"),
        ("rsd_0000000000000000000000000000000000000000000000000000000000000000", 401, "none"),
        ("another kind", 401, "none"),
    ] {
        let document = problem(show(&service, text, &[], "2\n").await, status).await;
        assert!(document["detail"].as_str().is_some_and(|detail| detail.contains(part)), "{document}");
    }
    let twice = show(&service, expires.reveal(), &[("authorization", "Bearer x")], "2\n").await;
    problem(twice, 401).await;
    let basic = service.client.post(&service.url).basic_auth("shipper", Some("x")).header("content-type", EVENT).body("{}");
    let response = basic.send().await.expect("an answer");
    assert_eq!(header(&response, "www-authenticate"), "Bearer realm=\"rasid\"");
    assert_eq!(problem(response, 401).await["detail"], "expected one header webhook-id", "another scheme is as good as none");
    assert_eq!(service.book.texts(), ["1"]);
    let of = |name: &str, reason, count| (format!("http:{name}"), reason, count);
    let expected = [of("shipper", "scope", 1), of("shipper", "token", 1), of("unknown", "header", 2), of("unknown", "token", 3)];
    assert_eq!(service.refused(), expected);
}

#[tokio::test]
async fn what_others_can_read_is_not_believed() {
    let service = Service::start_on(Wire::Open, config(), Book::open()).await;
    let good = token(&service, "shipper", Scope::WriteEvents, None);
    for text in [good.reveal(), "rsd_no"] {
        let document = problem(show(&service, text, &[], "1\n").await, 403).await;
        assert_eq!(document["type"], "urn:rasid:problem:unprotected");
        assert!(document["detail"].as_str().is_some_and(|detail| detail.contains("TLS")), "{document}");
    }
    assert_eq!(service.send(1, "msg_1", LINES, "1\n").await.status(), 202, "a signature tells nobody its secret");
    let attributes =
        [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t"), ("content-type", "application/json")];
    problem(service.post("msg_2", &attributes, "{}").await, 403).await;
    let of = |name: &str, count| (format!("http:{name}"), "unprotected", count);
    assert_eq!(service.refused(), [of("shipper", 1), of("unknown", 2)]);
}

#[tokio::test]
async fn a_name_makes_a_delivery_known_and_without_one_each_is_new() {
    let service = Service::start(config(), Book::open()).await;
    let token = token(&service, "shipper", Scope::WriteEvents, None);
    let token = token.reveal();
    for (name, value) in [("webhook-id", "a"), ("svix-id", "b"), ("idempotency-key", "c"), ("idempotency-key", "\"c\"")] {
        for _ in 0..2 {
            assert_eq!(show(&service, token, &[(name, value)], "1\n").await.status(), 202, "{name}: {value}");
        }
        problem(show(&service, token, &[(name, value)], "2\n").await, 409).await;
    }
    assert_eq!(service.book.texts(), ["1", "1", "1"]);
    problem(show(&service, token, &[("idempotency-key", "with a blank")], "1\n").await, 401).await;
    for _ in 0..2 {
        assert_eq!(show(&service, token, &[], "3\n").await.status(), 202);
    }
    assert_eq!(service.book.texts()[3..], ["3", "3"], "what makes them one is their events' ids");
}

#[tokio::test]
async fn a_producer_has_one_rate_however_it_sends() {
    let service = Service::start(IngestConfig { events_per_s: 1, burst: 3, ..config() }, Book::open()).await;
    let token = token(&service, "telco", Scope::WriteEvents, None);
    assert_eq!(show(&service, token.reveal(), &[], "1\n2\n").await.status(), 202);
    assert_eq!(service.send(2, "msg_1", LINES, "3\n").await.status(), 202);
    problem(show(&service, token.reveal(), &[], "4\n").await, 429).await;
    problem(service.send(2, "msg_2", LINES, "5\n").await, 429).await;
}

/// What a token's head says is known before its body: it takes a place that nobody without one can take, and keeps it.
#[tokio::test]
async fn a_known_body_is_not_given_up_and_a_strangers_is_not_read() {
    let service = Service::start(IngestConfig { bodies_bytes_max: 8000, ..config() }, Book::open()).await;
    let token = token(&service, "shipper", Scope::WriteEvents, None);
    let address = service.url.trim_start_matches("http://").split('/').next().expect("a host").to_owned();
    let open = async |token: &str| {
        let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connected");
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: rasid\r\nauthorization: Bearer {token}\r\ncontent-type: {LINES}\r\ncontent-length: 1600\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        stream.write_all(&[b'x'; 1500]).await.expect("written");
        stream
    };
    let mut known = open(token.reveal()).await;
    while service.ingest.bodies_bytes().0 < 1500 {
        tokio::task::yield_now().await;
    }
    let mut strangers = Vec::new();
    for _ in 0..10 {
        strangers.push(open("rsd_no").await);
    }
    for stranger in &mut strangers {
        let mut answer = [0; 12];
        tokio::time::timeout(Duration::from_mins(1), stranger.read_exact(&mut answer)).await.expect("in time").expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 401");
    }
    assert_eq!(service.ingest.bodies_bytes().0, 1500, "nothing of theirs is held");
    known.write_all(&[b'x'; 100]).await.expect("written");
    let mut answer = [0; 12];
    tokio::time::timeout(Duration::from_mins(1), known.read_exact(&mut answer)).await.expect("in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 202");
}
