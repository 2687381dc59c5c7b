//! An ingester over loopback before a log in memory, and what a sender asks of it.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rasid_connectors::Error;
use rasid_connectors::clock::Clock;
use rasid_connectors::ingest::Wire;
use rasid_connectors::ingest::drain::answered;
use rasid_connectors::ingest::http::{Counts, Ingest, IngestConfig, Logged};
use rasid_connectors::source::{Appender, Incoming};
use rasid_connectors::tokens::TokenFile;
use rasid_connectors::webhook::Webhook;
use reqwest::{Client, Response};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

pub(crate) const EVENT: &str = "application/cloudevents+json";
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";
pub(crate) const LINES: &str = "application/x-ndjson";
/// 2026-11-21T10:00:00Z.
pub(crate) const NOW_MS: i64 = 1_795_255_200_000;

/// A log in memory that lets through as many appends as it has permits.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) written: Arc<Mutex<Vec<Incoming>>>,
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) broken: bool,
    pub(crate) hindered: bool,
}

impl Book {
    pub(crate) fn open() -> Self {
        Self { written: Arc::default(), gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)), broken: false, hindered: false }
    }

    pub(crate) fn stalled() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), ..Self::open() }
    }

    pub(crate) fn records(&self) -> Vec<(String, u64, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.written.lock().expect("no panic").iter().map(|one| (one.stream.to_string(), one.offset, text(&one.bytes))).collect()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
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

    fn hindrance(&self) -> Option<&'static str> {
        self.hindered.then_some("the disk has no room")
    }
}

pub(crate) struct Service {
    pub(crate) book: Book,
    pub(crate) ingest: Arc<Ingest<Book>>,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) now_ms: Arc<AtomicI64>,
    /// Its data folder.
    pub(crate) folder: TempDir,
}

pub(crate) fn webhook(secret: u8) -> Webhook {
    use data_encoding::BASE64;
    Webhook::new(&[format!("whsec_{}", BASE64.encode(&[secret; 32]))]).expect("a good secret")
}

pub(crate) fn config() -> IngestConfig {
    IngestConfig { body_bytes_max: 2000, events_max: 20, append_timeout: Duration::from_mins(1), ..IngestConfig::default() }
}

impl Service {
    pub(crate) async fn start(config: IngestConfig, book: Book) -> Self {
        Self::start_on(Wire::Private, config, book).await
    }

    /// Over connections that others can read, or cannot.
    pub(crate) async fn start_on(wire: Wire, config: IngestConfig, book: Book) -> Self {
        // Without TLS; the provider is only asked for.
        rustls::crypto::ring::default_provider().install_default().ok();
        let now_ms = Arc::new(AtomicI64::new(NOW_MS));
        let (wall, monotonic) = (now_ms.clone(), now_ms.clone());
        let clock = Clock::new(move || wall.load(SeqCst), move || monotonic.load(SeqCst));
        let senders = [("checkout", Some(webhook(1))), ("shipper", None), ("telco", Some(webhook(2)))];
        let senders = senders.map(|(name, webhook)| (name.to_owned(), webhook)).into();
        let folder = tempfile::tempdir().expect("a folder");
        let ingest = Ingest::new(config, senders, TokenFile::of(folder.path()), book.clone(), clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/v1/events", listener.local_addr().expect("bound"));
        let router = ingest.clone().router().layer(axum::Extension(wire));
        // As the service has it: who is still writing can read its answer.
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let router = router.clone();
            let serve = async |request| router.oneshot(request).await.unwrap_or_else(|never| match never {});
            async move { answered(request, serve, || {}).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { book, ingest, url, client: Client::new(), now_ms, folder }
    }

    /// Sends as the sender with this secret.
    pub(crate) async fn send(&self, secret: u8, id: &str, content_type: &str, body: &str) -> Response {
        let timestamp_s = self.now_ms.load(SeqCst) / 1000;
        self.send_signed(id, timestamp_s, &webhook(secret).sign(id, timestamp_s, body.as_bytes()), content_type, body).await
    }

    pub(crate) async fn send_signed(&self, id: &str, timestamp_s: i64, signature: &str, content_type: &str, body: &str) -> Response {
        let request = self.client.post(&self.url).header("webhook-id", id).header("webhook-timestamp", timestamp_s.to_string());
        let request = request.header("webhook-signature", signature).header("content-type", content_type);
        request.body(body.to_owned()).send().await.expect("an answer")
    }

    /// Sends bytes as `checkout`, with more headers.
    pub(crate) async fn post(&self, id: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
        let (body, timestamp_s) = (body.into(), self.now_ms.load(SeqCst) / 1000);
        let signature = webhook(1).sign(id, timestamp_s, &body);
        let request = self.client.post(&self.url).header("webhook-id", id).header("webhook-timestamp", timestamp_s.to_string());
        let request = request.header("webhook-signature", signature).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("an answer")
    }

    pub(crate) fn counts(&self) -> Counts {
        self.ingest.counts()
    }

    /// What was refused: producer, reason, how many.
    pub(crate) fn refused(&self) -> Vec<(String, &'static str, u64)> {
        let each = self
            .ingest
            .refused()
            .into_iter()
            .flat_map(|of| of.by_reason.into_iter().map(move |(why, count)| (of.stream.clone(), why, count)));
        each.filter(|(.., count)| *count > 0).collect()
    }

    /// Tells it of records, as a start does from the log.
    pub(crate) fn told(&self, records: &[(String, u64, String)]) {
        for (stream, offset, text) in records {
            let logged = Logged { stream, offset: *offset, arrival_ms: NOW_MS, bytes: text.as_bytes() };
            self.ingest.remember(&logged, 0);
        }
    }
}

pub(crate) fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(crate) async fn problem(response: Response, status: u16) -> serde_json::Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    let document: serde_json::Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    let field = |name| document.get(name).expect("a field of every problem document");
    assert_eq!(*field("status"), status);
    assert!(field("type").as_str().is_some_and(|kind| kind.starts_with("urn:rasid:problem:")));
    assert!(field("title").is_string() && field("detail").is_string());
    document
}
