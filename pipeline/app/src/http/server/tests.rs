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
    type Io = DuplexStream;

    async fn accept(&self) -> io::Result<DuplexStream> {
        let next = self.0.lock().expect("whole").pop_front();
        match next {
            Some(next) => next,
            None => std::future::pending().await,
        }
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
        let mut answer = [0; 64];
        let read = tokio::time::timeout(PATIENCE, from.read(&mut answer)).await.expect("in time").expect("an answer");
        let said = String::from_utf8_lossy(&answer[..read]);
        assert_eq!(said.lines().next(), Some(expected), "{bytes}");
        drop(writing.await);
    }
}
