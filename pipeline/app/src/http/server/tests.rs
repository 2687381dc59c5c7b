use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Extension;
use axum::routing::{get, post};
use rasid_connectors::ingest::Proof;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::http::Times;

/// What a busy machine may take at most for what should be immediate.
const PATIENCE: Duration = Duration::from_secs(30);

/// `/healthz` for anyone; `/v1/events` proves whoever asks.
fn router() -> Router {
    let events = |Extension(proof): Extension<Proof>| async move { proof.give() };
    Router::new().route("/healthz", get(|| async { "alive" })).route("/v1/events", post(events))
}

async fn listening(connections: &Connections) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(serve("http", listener, router(), connections.clone(), |_| Extensions::new()));
    address
}

/// Asks over a connection; the status line, `None` where the connection is closed instead.
async fn ask<Io: AsyncRead + AsyncWrite + Unpin>(io: &mut Io, method: &str, path: &str) -> Option<String> {
    let request = format!("{method} {path} HTTP/1.1\r\nhost: rasid\r\ncontent-length: 0\r\n\r\n");
    io.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let whole = async {
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            if io.read_buf(&mut answer).await.ok()? == 0 {
                return None;
            }
        }
        Some(())
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("an answer or an end")?;
    String::from_utf8_lossy(&answer).lines().next().map(str::to_owned)
}

async fn connect(address: SocketAddr) -> TcpStream {
    tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await.expect("accepted").expect("connected")
}

const OK: Option<&str> = Some("HTTP/1.1 200 OK");

#[tokio::test]
async fn a_crowd_of_idle_strangers_keeps_nobody_out() {
    let connections = Connections::new(40, Times::default());
    let address = listening(&connections).await;
    let mut producer = connect(address).await;
    assert_eq!(ask(&mut producer, "POST", "/v1/events").await.as_deref(), OK);
    let mut strangers = Vec::new();
    for number in 0..400 {
        let mut stranger = connect(address).await;
        match number % 3 {
            0 => {}
            1 => stranger.write_all(b"POST /v1/events HTT").await.expect("written"),
            _ => drop(ask(&mut stranger, "GET", "/healthz").await),
        }
        strangers.push(stranger);
        if number % 40 == 39 {
            // A probe and a producer that were not there before, and the one that was.
            for (method, path) in [("GET", "/healthz"), ("POST", "/v1/events")] {
                assert_eq!(ask(&mut connect(address).await, method, path).await.as_deref(), OK, "after {number} strangers");
            }
            assert_eq!(ask(&mut producer, "POST", "/v1/events").await.as_deref(), OK, "after {number} strangers");
        }
    }
    let stats = connections.stats();
    assert!(stats.open <= 41, "{stats:?}");
    assert!(stats.closed_total.iter().any(|(why, times)| *why == "shed" && *times > 300), "{stats:?}");
    assert_eq!(stats.accepted_total, 421);
}

#[tokio::test]
async fn heads_that_do_not_end_and_connections_that_do_nothing_are_closed() {
    let short = Duration::from_millis(200);
    let connections = Connections::new(10, Times { head: short, idle: short, serving: PATIENCE });
    let address = listening(&connections).await;
    let (silent, mut dripping, mut idle) = (connect(address).await, connect(address).await, connect(address).await);
    assert_eq!(ask(&mut idle, "GET", "/healthz").await.as_deref(), OK);
    let drip = async {
        while dripping.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drip).await.expect("whoever drips is cut off");
    for mut stream in [silent, idle] {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("closed");
        assert_eq!(read.unwrap_or(0), 0);
    }
}

/// Connections as told, and then none.
struct Told(Mutex<VecDeque<io::Result<DuplexStream>>>);

impl Listen for Told {
    type Raw = DuplexStream;
    type Io = DuplexStream;

    async fn accept(&self) -> io::Result<DuplexStream> {
        let next = self.0.lock().expect("whole").pop_front();
        match next {
            Some(next) => next,
            None => std::future::pending().await,
        }
    }

    fn open(&self, raw: DuplexStream) -> impl Future<Output = io::Result<DuplexStream>> + Send + 'static {
        ready(Ok(raw))
    }
}

#[tokio::test(start_paused = true)]
async fn a_system_without_descriptors_is_waited_out() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let no_descriptor = || Err(io::Error::from_raw_os_error(24));
    let reset = Err(io::ErrorKind::ConnectionAborted.into());
    let told = Told(Mutex::new([no_descriptor(), reset, no_descriptor(), Ok(theirs)].into()));
    let connections = Connections::new(10, Times::default());
    tokio::spawn(serve("http", told, router(), connections.clone(), |_| Extensions::new()));
    let (mut ours, began) = (ours, Instant::now());
    assert_eq!(ask(&mut ours, "GET", "/healthz").await.as_deref(), OK);
    assert!(began.elapsed() >= PAUSE * 3, "it does not spin");
    assert_eq!(connections.stats().accept_errors_total, 2);
}

#[tokio::test(start_paused = true)]
async fn an_end_lets_answers_be_written() {
    let (mut ours, theirs) = tokio::io::duplex(4096);
    let told = Told(Mutex::new([Ok(theirs)].into()));
    let connections = Connections::new(10, Times::default());
    let router = Router::new().route("/slow", get(|| async { tokio::time::sleep(Duration::from_millis(500)).await }));
    let serving = tokio::spawn(serve("http", told, router, connections.clone(), |_| Extensions::new()));
    let (answer, ()) = tokio::join!(ask(&mut ours, "GET", "/slow"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        connections.end(Duration::from_secs(1)).await;
    });
    assert_eq!(answer.as_deref(), OK);
    assert_eq!(connections.stats().open, 0);
    serving.await.expect("it ends");
}

/// A head of exactly so many bytes, one header filling it up.
fn head_of(bytes: usize) -> Vec<u8> {
    let (before, after) = ("GET /healthz HTTP/1.1\r\nhost: rasid\r\nx-filler: ", "\r\n\r\n");
    [before.as_bytes(), &vec![b'x'; bytes - before.len() - after.len()], after.as_bytes()].concat()
}

#[tokio::test]
async fn a_head_has_64_kib_and_not_a_byte_more() {
    let address = listening(&Connections::new(4, Times::default())).await;
    for (bytes, expected) in [
        (HEAD_BYTES_MAX, "HTTP/1.1 200 OK"),
        (HEAD_BYTES_MAX + 1, "HTTP/1.1 431 Request Header Fields Too Large"),
        (98_000, "HTTP/1.1 431 Request Header Fields Too Large"),
        (400_000, "HTTP/1.1 431 Request Header Fields Too Large"),
    ] {
        let (mut from, mut to) = connect(address).await.into_split();
        // The server may have answered and closed before all of it is written.
        let writing = tokio::spawn(async move {
            drop(to.write_all(&head_of(bytes)).await);
            to
        });
        let mut answer = [0; 1024];
        let read = tokio::time::timeout(PATIENCE, from.read(&mut answer)).await.expect("in time").expect("an answer");
        let said = String::from_utf8_lossy(&answer[..read]);
        assert_eq!(said.lines().next(), Some(expected), "{bytes}");
        if expected.contains("431") {
            assert_problem(&said, 431);
        }
        drop(writing.await);
    }
}

/// An answer is a problem document of that status, and the last on its connection.
fn assert_problem(answer: &str, status: u16) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a head in {answer}"));
    assert!(head.contains("content-type: application/problem+json") && head.contains("connection: close"), "{answer}");
    assert!(
        head.contains(&format!("content-length: {}\r\n", body.len())) || head.ends_with(&format!("content-length: {}", body.len())),
        "{answer}"
    );
    let document: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert_eq!(document["status"], status);
    assert!(document["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}

/// All that comes until the connection is closed.
async fn until_closed(mut from: impl AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, from.read_to_end(&mut answer)).await.expect("closed in time").expect("an end, and no reset");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_no_http_is_told_so() {
    let address = listening(&Connections::new(4, Times::default())).await;
    for (bytes, status) in [
        (b"GET\r\n\r\n".to_vec(), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nhost: rasid\r\nbad header\r\n\r\n".to_vec(), 400),
        (b"POST /v1/events HTTP/1.1\r\nhost: rasid\r\ncontent-length: x\r\n\r\n".to_vec(), 400),
        ([b"GET /", &vec![b'x'; 70_000][..], b" HTTP/1.1\r\n\r\n"].concat(), 414),
        ([b"GET / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(101), b"\r\n".to_vec()].concat(), 431),
        // What comes behind it is read, so that it is no reset.
        ([b"GET\r\n\r\n", &vec![b'x'; 300_000][..]].concat(), 400),
    ] {
        let mut stream = connect(address).await;
        stream.write_all(&bytes).await.expect("written");
        stream.shutdown().await.expect("written");
        assert_problem(&until_closed(stream).await, status);
    }
}

/// Says no to everything, before anything of a body is read.
fn refusing() -> Router {
    Router::new().fallback(|| async { Problem::new(axum::http::StatusCode::PAYLOAD_TOO_LARGE, "no") })
}

/// Most clients write all of a body before they look for an answer.
#[tokio::test]
async fn who_is_refused_may_write_to_the_end_and_reads_why() {
    let connections = Connections::new(4, Times::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(serve("http", listener, refusing(), connections.clone(), |_| Extensions::new()));
    for bytes in [0, 1, 100_000, 20 << 20] {
        let mut stream = connect(address).await;
        stream.write_all(format!("POST / HTTP/1.1\r\nhost: rasid\r\ncontent-length: {bytes}\r\n\r\n").as_bytes()).await.expect("written");
        tokio::time::timeout(PATIENCE, stream.write_all(&vec![b'x'; bytes])).await.expect("in time").expect("all of it is read");
        if bytes > 0 {
            assert_problem(&until_closed(stream).await, 413);
        } else {
            // Nothing is left, so the connection stands.
            assert_eq!(ask(&mut stream, "POST", "/").await.as_deref(), Some("HTTP/1.1 413 Payload Too Large"));
        }
    }
    // The answer does not wait for what is to come.
    let mut stream = connect(address).await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: rasid\r\ncontent-length: 1000\r\n\r\nx").await.expect("written");
    assert_problem(&until_closed(stream).await, 413);
}

/// Who is refused and goes on without an end is cut off, by time or by silence; and who asks before it sends is not waited for.
#[tokio::test(start_paused = true)]
async fn the_rest_is_read_for_a_while_only() {
    for (head, drips) in [("", false), ("", true), ("expect: 100-continue\r\n", false)] {
        let (ours, theirs) = tokio::io::duplex(4096);
        let told = Told(Mutex::new([Ok(theirs)].into()));
        tokio::spawn(serve("http", told, refusing(), Connections::new(4, Times::default()), |_| Extensions::new()));
        let (from, mut to) = tokio::io::split(ours);
        let began = Instant::now();
        to.write_all(format!("POST / HTTP/1.1\r\nhost: rasid\r\ncontent-length: 1000000\r\n{head}\r\n").as_bytes()).await.expect("written");
        if drips {
            tokio::spawn(async move {
                while to.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            });
        }
        assert_problem(&until_closed(from).await, 413);
        let took = began.elapsed().as_secs_f64();
        let expected = if drips {
            9.0..11.0
        } else if head.is_empty() {
            1.5..3.0
        } else {
            0.0..0.1
        };
        assert!(expected.contains(&took), "{took} s with {head:?}, dripping {drips}");
    }
}
