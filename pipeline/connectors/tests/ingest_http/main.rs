//! The HTTP ingester over loopback, as a sender sees it.

mod bearer;
mod forms;
mod service;

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rasid_connectors::ingest::http::{Counts, IngestConfig};
use rasid_connectors::ingest::{REMEMBERED_MS, delivery_offset};
use reqwest::StatusCode;
use rstest::rstest;
use tokio::net::TcpStream;

use service::{BATCH, Book, EVENT, LINES, NOW_MS, Service, config, header, problem, webhook};

#[rstest]
#[case::event(EVENT, "{\"id\":\n\"1\"}", &["{\"id\": \"1\"}"])]
#[case::batch(BATCH, "[{\"id\":\"1\"}, {\"id\":\"2\"}]", &["{\"id\":\"1\"}", "{\"id\":\"2\"}"])]
#[case::lines(LINES, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n", &["{\"id\":\"1\"}", "{\"id\":\"2\"}"])]
#[case::nothing(BATCH, "[]", &[])]
#[tokio::test]
async fn what_is_accepted_is_in_the_log(#[case] content_type: &str, #[case] body: &str, #[case] expected: &[&str]) {
    let service = Service::start(config(), Book::open()).await;
    assert_eq!(service.send(2, "msg_1", content_type, body).await.status(), StatusCode::ACCEPTED);
    assert_eq!(service.book.texts(), expected);
    let last = expected.len().saturating_sub(1);
    for (index, (stream, offset, _)) in service.book.records().into_iter().enumerate() {
        assert_eq!((stream.as_str(), offset), ("http:telco", delivery_offset("msg_1", index == last)));
    }
    assert_eq!(service.counts(), Counts { accepted: 1, accepted_events: expected.len() as u64, ..Counts::default() });
}

#[tokio::test]
async fn who_has_no_secret_gets_nowhere() {
    let service = Service::start(config(), Book::open()).await;
    problem(service.send(3, "msg_1", EVENT, "{}").await, 401).await;
    let signature = webhook(1).sign("msg_1", NOW_MS / 1000, b"{}");
    problem(service.send_signed("msg_1", NOW_MS / 1000, &signature, EVENT, "{\"id\":\"other\"}").await, 401).await;
    problem(service.send_signed("msg_2", NOW_MS / 1000, &signature, EVENT, "{}").await, 401).await;
    for off_s in [-301, 301] {
        let timestamp_s = NOW_MS / 1000 + off_s;
        let signature = webhook(1).sign("msg_1", timestamp_s, b"{}");
        problem(service.send_signed("msg_1", timestamp_s, &signature, EVENT, "{}").await, 401).await;
    }
    let unsigned = service.client.post(&service.url).header("content-type", EVENT).body("{}").send().await.expect("an answer");
    let document = problem(unsigned, 401).await;
    assert_eq!(document["detail"], "expected one header webhook-id");
    assert!(service.book.texts().is_empty());
    let unknown = |reason, count| ("http:unknown".to_owned(), reason, count);
    assert_eq!(service.refused(), [unknown("header", 1), unknown("signature", 3), unknown("timestamp", 2)]);
    for off_s in [-300, 300] {
        let timestamp_s = NOW_MS / 1000 + off_s;
        let signature = webhook(1).sign(&format!("ok{off_s}"), timestamp_s, b"{}");
        assert_eq!(service.send_signed(&format!("ok{off_s}"), timestamp_s, &signature, EVENT, "{}").await.status(), 202);
    }
}

#[tokio::test]
async fn a_copy_is_answered_the_same_and_appended_once() {
    let service = Service::start(config(), Book::open()).await;
    for _ in 0..3 {
        assert_eq!(service.send(1, "msg_1", EVENT, "{}").await.status(), 202);
    }
    assert_eq!(service.send(2, "msg_1", EVENT, "{}").await.status(), 202, "another sender's ids are its own");
    assert_eq!(service.book.texts().len(), 2);
    service.now_ms.fetch_add(10 * 60 * 1000, SeqCst);
    assert_eq!(service.send(1, "msg_1", EVENT, "{}").await.status(), 202);
    assert_eq!(service.book.texts().len(), 2, "ten minutes later still");
    assert_eq!(service.counts().repeated, 3);
}

#[tokio::test]
async fn after_a_restart_the_log_tells_what_came() {
    let before = Service::start(config(), Book::open()).await;
    assert_eq!(before.send(1, "msg_1", BATCH, "[{},{}]").await.status(), 202);
    let after = Service::start(config(), Book::open()).await;
    let mut records = before.book.records();
    after.told(&records);
    assert_eq!(after.send(1, "msg_1", BATCH, "[{},{}]").await.status(), 202);
    problem(after.send(1, "msg_1", BATCH, "[{},{\"other\":1}]").await, 409).await;
    problem(after.send(1, "msg_1", BATCH, "[{}]").await, 409).await;
    assert!(after.book.texts().is_empty());
    after.now_ms.fetch_add(REMEMBERED_MS + 1, SeqCst);
    assert_eq!(after.send(1, "msg_1", BATCH, "[{},{}]").await.status(), 202);
    assert_eq!(after.book.texts().len(), 2, "its time is over");
    // A crash cut the request in two: what is there comes again, rather than half of it never.
    let half = Service::start(config(), Book::open()).await;
    records.pop();
    half.told(&records);
    assert_eq!(half.send(1, "msg_1", BATCH, "[{},{}]").await.status(), 202);
    assert_eq!(half.book.texts().len(), 2);
}

#[tokio::test]
async fn a_log_that_stalls_holds_senders_off() {
    let service =
        Service::start(IngestConfig { concurrent: 2, append_timeout: Duration::from_millis(300), ..config() }, Book::stalled()).await;
    let (first, copy) = tokio::join!(service.send(1, "msg_1", EVENT, "{\"n\":1}"), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        service.send(1, "msg_1", EVENT, "{\"n\":1}").await
    });
    for response in [first, copy] {
        assert_eq!(header(&response, "retry-after"), "5");
        problem(response, 503).await;
    }
    problem(service.send(1, "msg_2", EVENT, "{\"n\":2}").await, 503).await;
    assert_eq!(service.ingest.under_way(), (2, 2));
    let crowd = service.send(1, "msg_3", EVENT, "{\"n\":3}").await;
    assert_eq!(header(&crowd, "retry-after"), "1", "two are under way");
    problem(crowd, 503).await;
    let checkout = |reason, count| ("http:checkout".to_owned(), reason, count);
    assert_eq!(service.refused(), [checkout("log", 3), checkout("requests", 1)]);
    assert_eq!(service.ingest.pressed(), Some("too many requests are under way"), "whoever asks for readiness is told");
    service.book.gate.add_permits(100);
    for (id, body) in [("msg_1", "{\"n\":1}"), ("msg_2", "{\"n\":2}"), ("msg_3", "{\"n\":3}")] {
        assert_eq!(service.send(1, id, EVENT, body).await.status(), 202);
    }
    let mut texts = service.book.texts();
    texts.sort();
    assert_eq!(texts, ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"], "each once");
}

#[tokio::test]
async fn a_copy_waits_for_the_first() {
    let service = Service::start(config(), Book::stalled()).await;
    let (first, copy, ()) = tokio::join!(service.send(1, "msg_1", EVENT, "{}"), service.send(1, "msg_1", EVENT, "{}"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(service.book.texts().is_empty());
        service.book.gate.add_permits(1);
    });
    assert_eq!((first.status().as_u16(), copy.status().as_u16()), (202, 202));
    assert_eq!(service.book.texts(), ["{}"]);
    assert_eq!(service.counts(), Counts { accepted: 1, accepted_events: 1, repeated: 1 });
}

#[tokio::test]
async fn what_the_log_refuses_may_come_again() {
    let service = Service::start(config(), Book { broken: true, ..Book::open() }).await;
    problem(service.send(1, "msg_1", EVENT, "{}").await, 503).await;
    problem(service.send(1, "msg_1", EVENT, "{}").await, 503).await;
    assert_eq!(service.refused(), [("http:checkout".to_owned(), "log", 2)]);
}

#[tokio::test]
async fn who_sends_while_nothing_can_be_written_is_sent_away_at_once() {
    let service = Service::start(config(), Book { hindered: true, ..Book::stalled() }).await;
    let document = problem(service.send(1, "msg_1", EVENT, "{}").await, 503).await;
    assert_eq!(document["detail"], "the disk has no room; try again in 5 s with the same webhook-id");
    assert_eq!((service.refused(), service.book.texts().len()), (vec![("http:checkout".to_owned(), "hindered", 1)], 0));
}

#[tokio::test]
async fn too_much_is_refused() {
    let service = Service::start(config(), Book::open()).await;
    let document = problem(service.send(1, "msg_1", LINES, &"x".repeat(2001)).await, 413).await;
    assert_eq!(document["type"], "urn:rasid:problem:too-large");
    problem(service.send(1, "msg_1", LINES, &"x\n".repeat(21)).await, 413).await;
    assert_eq!(service.send(1, "msg_1", LINES, &"x\n".repeat(20)).await.status(), 202, "refused, it had never come");
    // Without a length before it, too.
    let raw = chunked(&service.url, vec![b'x'; 2500]).await;
    assert!(raw.starts_with("HTTP/1.1 413"), "{raw}");
    // What is too large by its length has not been read, and is nobody's.
    let refused = [("http:checkout".to_owned(), "too_large", 1), ("http:unknown".to_owned(), "too_large", 2)];
    assert_eq!(service.refused(), refused);
}

/// The head of a request that looks as if it were signed, as anybody can write it.
fn head(content_type: &str, length: &str) -> String {
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: rasid\r\ncontent-type: {content_type}\r\n{length}\r\nwebhook-id: stranger\r\n\
         webhook-timestamp: {}\r\nwebhook-signature: v1,{}=\r\n\r\n",
        NOW_MS / 1000,
        "A".repeat(43)
    )
}

/// Sends text over a connection of its own.
async fn write(url: &str, text: &str) -> TcpStream {
    use tokio::io::AsyncWriteExt as _;
    let address = url.trim_start_matches("http://").split('/').next().expect("a host");
    let mut socket = TcpStream::connect(address).await.expect("connected");
    socket.write_all(text.as_bytes()).await.expect("written");
    socket
}

/// The beginning of an answer.
async fn answer(socket: &mut TcpStream) -> String {
    use tokio::io::AsyncReadExt as _;
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(20), socket.read(&mut answer)).await.expect("in time").expect("an answer");
    answer.truncate(read);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request whose length is not announced, as text over a socket.
async fn chunked(url: &str, body: Vec<u8>) -> String {
    // In one piece and without an end, so that nothing is under way any more when the answer comes.
    let chunks = body.chunks(500).map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)));
    let mut socket = write(url, &(head(LINES, "transfer-encoding: chunked") + &chunks.collect::<String>())).await;
    answer(&mut socket).await
}

#[rstest]
#[case::not_ours("text/plain", None, 415)]
#[case::not_compressed_as_it_says(EVENT, Some("gzip"), 400)]
#[case::compressed_otherwise(EVENT, Some("br"), 415)]
#[case::said_to_be_plain(EVENT, Some("identity"), 202)]
#[case::not_one_object(BATCH, None, 400)]
#[tokio::test]
async fn other_bodies_are_refused(#[case] content_type: &str, #[case] encoding: Option<&str>, #[case] status: u16) {
    let service = Service::start(config(), Book::open()).await;
    let signature = webhook(1).sign("msg_1", NOW_MS / 1000, b"{}");
    let mut request = service.client.post(&service.url).header("content-type", content_type).body("{}");
    for (name, value) in [("webhook-id", "msg_1"), ("webhook-timestamp", "1795255200"), ("webhook-signature", &signature)] {
        request = request.header(name, value);
    }
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    let response = request.send().await.expect("an answer");
    if status == 202 {
        assert_eq!(response.status(), 202);
    } else {
        problem(response, status).await;
    }
}

#[tokio::test]
async fn the_rate_is_each_senders_own() {
    let service = Service::start(IngestConfig { events_per_s: 2, burst: 3, ..config() }, Book::open()).await;
    assert_eq!(service.send(1, "msg_1", LINES, "1\n2\n3\n").await.status(), 202);
    let limited = service.send(1, "msg_2", LINES, "4\n").await;
    assert_eq!(header(&limited, "retry-after"), "1");
    problem(limited, 429).await;
    assert_eq!(service.send(1, "msg_1", LINES, "1\n2\n3\n").await.status(), 202, "a copy costs nothing");
    assert_eq!(service.send(2, "msg_2", LINES, "5\n").await.status(), 202);
    service.now_ms.fetch_add(1000, SeqCst);
    assert_eq!(service.send(1, "msg_2", LINES, "4\n").await.status(), 202, "limited, it had never come");
    assert_eq!(service.book.texts(), ["1", "2", "3", "5", "4"]);
    assert_eq!(service.refused(), [("http:checkout".to_owned(), "rate", 1)]);
}

#[tokio::test]
async fn an_id_stands_for_one_body() {
    let service = Service::start(config(), Book::open()).await;
    assert_eq!(service.send(1, "msg_1", LINES, "1\n2\n").await.status(), 202);
    let document = problem(service.send(1, "msg_1", LINES, "1\n3\n").await, 409).await;
    assert_eq!(document["type"], "urn:rasid:problem:webhook-id-reused");
    assert_eq!(service.send(1, "msg_1", LINES, "1\r\n2").await.status(), 202, "the same events in another dress");
    assert_eq!(service.send(2, "msg_1", LINES, "1\n3\n").await.status(), 202, "another sender's ids are its own");
    assert_eq!(service.book.texts(), ["1", "2", "1", "3"]);
    assert_eq!(service.refused(), [("http:checkout".to_owned(), "id_reused", 1)]);
}

#[tokio::test]
async fn an_id_stands_for_one_body_while_that_is_under_way() {
    let service = Service::start(IngestConfig { append_timeout: Duration::from_secs(20), ..config() }, Book::stalled()).await;
    let (first, ()) = tokio::join!(service.send(1, "msg_1", EVENT, "{}"), async {
        while service.ingest.under_way().0 == 0 {
            tokio::task::yield_now().await;
        }
        problem(service.send(1, "msg_1", EVENT, "{\"other\":1}").await, 409).await;
        service.book.gate.add_permits(1);
    });
    assert_eq!(first.status(), 202);
    assert_eq!(service.book.texts(), ["{}"]);
}

#[tokio::test]
async fn one_senders_ids_take_no_room_of_anothers() {
    let service = Service::start(IngestConfig { ids_max: 2, ..config() }, Book::open()).await;
    for id in ["a", "b"] {
        assert_eq!(service.send(1, id, EVENT, "{}").await.status(), 202);
    }
    let full = service.send(1, "c", EVENT, "{}").await;
    assert_eq!(header(&full, "retry-after"), "60");
    problem(full, 503).await;
    for id in ["a", "b"] {
        assert_eq!(service.send(2, id, EVENT, "{}").await.status(), 202);
    }
    assert_eq!(service.refused(), [("http:checkout".to_owned(), "ids", 1)]);
    assert_eq!(service.ingest.pressed(), None, "that is the sender's own doing");
}

/// A stranger can write every header; none of what honest senders need may hang on the body behind them.
#[tokio::test]
async fn bodies_of_strangers_hold_up_nobody() {
    let service = Service::start(IngestConfig { concurrent: 1, ..config() }, Book::open()).await;
    let mut strangers = Vec::new();
    for _ in 0..100 {
        strangers.push(write(&service.url, &format!("{}x", head(LINES, "content-length: 2000"))).await);
    }
    while service.ingest.bodies_bytes().0 < 100 {
        tokio::task::yield_now().await;
    }
    for number in 0..20 {
        assert_eq!(service.send(1, &format!("msg_{number}"), EVENT, "{}").await.status(), 202);
    }
    assert_eq!((service.ingest.under_way(), service.refused()), ((0, 1), vec![]));
}

#[tokio::test]
async fn where_there_is_no_room_the_slowest_body_goes() {
    let service = Service::start(IngestConfig { bodies_bytes_max: 8000, ..config() }, Book::open()).await;
    let mut strangers = Vec::new();
    for number in 1..=5 {
        strangers.push(write(&service.url, &format!("{}{}", head(LINES, "content-length: 2000"), "x".repeat(1500))).await);
        while service.ingest.bodies_bytes().0 < number * 1500 {
            tokio::task::yield_now().await;
        }
    }
    let lines = "x\n".repeat(10) + &"x".repeat(1900);
    assert_eq!(service.send(1, "msg_1", LINES, &lines).await.status(), 202);
    let given_up = answer(&mut strangers[0]).await;
    assert!(given_up.starts_with("HTTP/1.1 503") && given_up.contains("retry-after: 1"), "{given_up}");
    assert_eq!(service.refused(), [("http:unknown".to_owned(), "shed", 1)]);
    drop(strangers);
    while service.ingest.bodies_bytes().0 > 0 {
        tokio::task::yield_now().await;
    }
}

/// Who is refused by its headers has most of its body still to write, and reads the answer all the same.
#[tokio::test]
async fn a_refusal_is_read_by_who_still_writes() {
    let service = Service::start(IngestConfig { body_bytes_max: 4 << 20, ..config() }, Book::open()).await;
    let request = service.client.post(&service.url).header("content-type", LINES).body("x".repeat(2 << 20));
    problem(request.send().await.expect("an answer, and no reset"), 401).await;
}

#[tokio::test]
async fn a_service_that_stops_takes_nothing_new() {
    let service = Service::start(config(), Book::open()).await;
    service.ingest.stop();
    let response = service.send(1, "msg_1", EVENT, "{}").await;
    assert_eq!(header(&response, "retry-after"), "5");
    assert!(problem(response, 503).await["detail"].as_str().is_some_and(|detail| detail.contains("stopping")));
    assert!(service.book.texts().is_empty());
}

#[tokio::test]
async fn a_body_that_does_not_come_ends() {
    let service = Service::start(IngestConfig { body_timeout: Duration::from_millis(100), ..config() }, Book::open()).await;
    let mut socket = write(&service.url, &format!("{}{{", head(EVENT, "content-length: 10"))).await;
    let answer = answer(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(service.refused(), [("http:unknown".to_owned(), "too_slow", 1)]);
    assert_eq!(service.ingest.bodies_bytes().0, 0);
}
