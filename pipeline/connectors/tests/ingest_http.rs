//! The HTTP ingester over loopback, as a sender sees it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::Error;
use rasid_connectors::clock::Clock;
use rasid_connectors::ingest::http::{Counts, Ingest, IngestConfig};
use rasid_connectors::ingest::{REMEMBERED_MS, delivery_offset};
use rasid_connectors::source::{Appender, Incoming};
use rasid_connectors::webhook::Webhook;
use reqwest::{Client, Response, StatusCode};
use rstest::rstest;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const EVENT: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const LINES: &str = "application/x-ndjson";
/// 2026-11-21T10:00:00Z.
const NOW_MS: i64 = 1_795_255_200_000;

/// A log in memory that lets through as many appends as it has permits.
#[derive(Clone)]
struct Book {
    written: Arc<Mutex<Vec<Incoming>>>,
    gate: Arc<Semaphore>,
    broken: bool,
}

impl Book {
    fn open() -> Self {
        Self { written: Arc::default(), gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)), broken: false }
    }

    fn stalled() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), ..Self::open() }
    }

    fn records(&self) -> Vec<(String, u64, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        self.written.lock().expect("no panic").iter().map(|one| (one.stream.to_string(), one.offset, text(&one.bytes))).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.records().into_iter().map(|(.., text)| text).collect()
    }
}

#[async_trait]
impl Appender for Book {
    async fn append(&self, records: Vec<Incoming>) -> Result<u64, Error> {
        if self.broken {
            return Err(Error::Append { source: "as told".into() });
        }
        self.gate.acquire().await.expect("not closed").forget();
        let mut written = self.written.lock().expect("no panic");
        written.extend(records);
        Ok(written.len() as u64)
    }
}

struct Service {
    book: Book,
    ingest: Arc<Ingest<Book>>,
    url: String,
    client: Client,
    now_ms: Arc<AtomicI64>,
}

fn webhook(secret: u8) -> Webhook {
    use data_encoding::BASE64;
    Webhook::new(&[format!("whsec_{}", BASE64.encode(&[secret; 32]))]).expect("a good secret")
}

fn config() -> IngestConfig {
    IngestConfig { body_bytes_max: 2000, events_max: 20, append_timeout: Duration::from_mins(1), ..IngestConfig::default() }
}

impl Service {
    async fn start(config: IngestConfig, book: Book) -> Self {
        // Without TLS; the provider is only asked for.
        rustls::crypto::ring::default_provider().install_default().ok();
        let now_ms = Arc::new(AtomicI64::new(NOW_MS));
        let (wall, monotonic) = (now_ms.clone(), now_ms.clone());
        let clock = Clock::new(move || wall.load(SeqCst), move || monotonic.load(SeqCst));
        let senders = BTreeMap::from([("checkout".to_owned(), webhook(1)), ("telco".to_owned(), webhook(2))]);
        let ingest = Ingest::new(config, senders, book.clone(), clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/v1/events", listener.local_addr().expect("bound"));
        let router = ingest.clone().router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { book, ingest, url, client: Client::new(), now_ms }
    }

    /// Sends as the sender with this secret.
    async fn send(&self, secret: u8, id: &str, content_type: &str, body: &str) -> Response {
        let timestamp_s = self.now_ms.load(SeqCst) / 1000;
        self.send_signed(id, timestamp_s, &webhook(secret).sign(id, timestamp_s, body.as_bytes()), content_type, body).await
    }

    async fn send_signed(&self, id: &str, timestamp_s: i64, signature: &str, content_type: &str, body: &str) -> Response {
        let request = self.client.post(&self.url).header("webhook-id", id).header("webhook-timestamp", timestamp_s.to_string());
        let request = request.header("webhook-signature", signature).header("content-type", content_type);
        request.body(body.to_owned()).send().await.expect("an answer")
    }

    fn counts(&self) -> Counts {
        self.ingest.counts()
    }
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn problem(response: Response, status: u16) -> serde_json::Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    let document: serde_json::Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    let field = |name| document.get(name).expect("a field of every problem document");
    assert_eq!(*field("status"), status);
    assert!(field("type").as_str().is_some_and(|kind| kind.starts_with("urn:rasid:problem:")));
    assert!(field("title").is_string() && field("detail").is_string());
    document
}

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
    assert_eq!(service.counts(), Counts { unauthorized: 6, ..Counts::default() });
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
    for (stream, offset, _) in &records {
        after.ingest.remember(stream, *offset, 0);
    }
    assert_eq!(after.send(1, "msg_1", BATCH, "[{},{}]").await.status(), 202);
    assert!(after.book.texts().is_empty());
    after.now_ms.fetch_add(REMEMBERED_MS + 1, SeqCst);
    assert_eq!(after.send(1, "msg_1", BATCH, "[{},{}]").await.status(), 202);
    assert_eq!(after.book.texts().len(), 2, "its time is over");
    // A crash cut the request in two: what is there comes again, rather than half of it never.
    let half = Service::start(config(), Book::open()).await;
    records.pop();
    for (stream, offset, _) in &records {
        half.ingest.remember(stream, *offset, 0);
    }
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
    let crowd = service.send(1, "msg_3", EVENT, "{\"n\":3}").await;
    assert_eq!(header(&crowd, "retry-after"), "1", "two are under way");
    problem(crowd, 503).await;
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
    assert_eq!(service.counts(), Counts { accepted: 1, accepted_events: 1, repeated: 1, ..Counts::default() });
}

#[tokio::test]
async fn what_the_log_refuses_may_come_again() {
    let service = Service::start(config(), Book { broken: true, ..Book::open() }).await;
    problem(service.send(1, "msg_1", EVENT, "{}").await, 503).await;
    problem(service.send(1, "msg_1", EVENT, "{}").await, 503).await;
    assert_eq!(service.counts(), Counts { busy: 2, ..Counts::default() });
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
    assert_eq!(service.counts().invalid, 3);
}

/// A request whose length is not announced, as text over a socket.
async fn chunked(url: &str, body: Vec<u8>) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = url.trim_start_matches("http://").split('/').next().expect("a host");
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("connected");
    let head = format!("POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-type: {LINES}\r\ntransfer-encoding: chunked\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("written");
    // In one piece and without an end, so that nothing is under way any more when the answer comes.
    let chunks: Vec<u8> =
        body.chunks(500).flat_map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).collect();
    socket.write_all(&chunks).await.expect("written");
    let mut answer = vec![0; 4096];
    let read = socket.read(&mut answer).await.expect("an answer");
    answer.truncate(read);
    String::from_utf8_lossy(&answer).into_owned()
}

#[rstest]
#[case::not_ours("application/json", None, 415)]
#[case::compressed(EVENT, Some("gzip"), 415)]
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
    assert_eq!(service.counts().limited, 1);
}

#[tokio::test]
async fn a_body_that_does_not_come_ends() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let service = Service::start(IngestConfig { body_timeout: Duration::from_millis(100), ..config() }, Book::open()).await;
    let address = service.url.trim_start_matches("http://").split('/').next().expect("a host");
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("connected");
    let head = format!("POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-type: {EVENT}\r\ncontent-length: 10\r\n\r\n{{");
    socket.write_all(head.as_bytes()).await.expect("written");
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_mins(1), socket.read(&mut answer)).await.expect("in time").expect("an answer");
    assert!(answer[..read].starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&answer[..read]));
}
