//! Who has no secret and means no good: idle connections, heads and bodies that never end, more of them than there are
//! descriptors. The service goes on, and no honest request is refused.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::receiver::{Connection, Receiver, client, events, newcomer, refused, send, stream};
use crate::site::Site;
use crate::traffic::{Traffic, now_ms};

/// A number from the environment, for longer and faster runs.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The strangers are in this process, which needs a descriptor for each.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("up to the hard limit");
}

/// What a stranger does.
#[derive(Clone, Copy, Debug)]
enum Stranger {
    /// Connects.
    Idle,
    /// Sends a head, a byte at a time.
    Head,
    /// Announces a body, and sends a byte of it at a time.
    Body,
    /// The same with headers as a producer's.
    SignedBody,
    /// Asks for something that is free, and stays.
    Prober,
}

impl Stranger {
    const ALL: [Self; 5] = [Self::Idle, Self::Head, Self::Body, Self::SignedBody, Self::Prober];

    fn opening(self) -> String {
        let head = "POST /v1/events HTTP/1.1\r\nhost: rasid\r\ncontent-type: application/x-ndjson\r\ncontent-length: 1000000\r\n";
        match self {
            Self::Idle => String::new(),
            Self::Head => "POST /v1/events HTTP/1.1\r\nx-".to_owned(),
            Self::Body => format!("{head}\r\n{{"),
            Self::SignedBody => format!(
                "{head}webhook-id: stranger\r\nwebhook-timestamp: {}\r\nwebhook-signature: v1,{}=\r\n\r\n{{",
                now_ms() / 1000,
                "A".repeat(43)
            ),
            Self::Prober => "GET /healthz HTTP/1.1\r\nhost: rasid\r\n\r\n".to_owned(),
        }
    }

    /// Until the connection is closed.
    async fn act(self, address: &str) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(self.opening().as_bytes()).await?;
        let mut answer = [0; 512];
        loop {
            tokio::select! {
                read = stream.read(&mut answer) => if read? == 0 {
                    return Ok(());
                },
                () = tokio::time::sleep(Duration::from_millis(500)) => if matches!(self, Self::Head | Self::Body | Self::SignedBody) {
                    stream.write_all(b"x").await?;
                },
            }
        }
    }
}

/// Strangers, each of whom comes again when it is sent away; how often they were is counted.
struct Crowd {
    tasks: JoinSet<()>,
    sent_away: Arc<AtomicU64>,
}

impl Crowd {
    fn gather(url: &str, count: usize) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        let sent_away = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for stranger in Stranger::ALL.into_iter().cycle().take(count) {
            let (address, sent_away) = (address.clone(), Arc::clone(&sent_away));
            tasks.spawn(async move {
                loop {
                    drop(stranger.act(&address).await); // whichever way it ends
                    sent_away.fetch_add(1, Relaxed);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        Self { tasks, sent_away }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_strangers_keep_no_honest_request_out() {
    raise_descriptors();
    let site = Site::new("").await;
    // The usual limit; what connections may take of it is less than there are strangers.
    let receiver = Receiver::start(&site, 1_024).await;
    let traffic = Traffic::start(&site.path("events"), 11, "1");
    let crowd = Crowd::gather(&receiver.url, 1_100);
    // The crowd is there: somebody had to go for others.
    let crowded = tokio::time::timeout(Duration::from_mins(1), async {
        while crowd.sent_away.load(Relaxed) < 100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    crowded.await.expect("strangers are sent away");

    let seconds = number("RASID_STRANGERS_S", 6);
    let per_s = number("RASID_STRANGERS_EVENTS_PER_S", 1_000);
    let (batch, senders) = (100_u64, 4_u64);
    let mut honest = JoinSet::new();
    let began = tokio::time::Instant::now();
    for sender in 0..senders {
        let url = receiver.url.clone();
        honest.spawn(async move {
            let mut turns = tokio::time::interval(Duration::from_millis(1000 * batch * senders / per_s));
            let (kept, newcomer) = (client(), newcomer());
            let (mut sent, mut slowest) = (0_u64, Duration::ZERO);
            while began.elapsed() < Duration::from_secs(seconds) {
                turns.tick().await;
                // Over a new connection now and then.
                let client = if sent.is_multiple_of(16) { &newcomer } else { &kept };
                let id = format!("honest-{sender}-{sent}");
                let lines = events(sender * 1_000_000 + sent, batch);
                let asked = tokio::time::Instant::now();
                let (status, body) = send(client, &url, &id, &lines).await;
                assert_eq!(status, 202, "{body}");
                slowest = slowest.max(asked.elapsed());
                sent += 1;
            }
            (sent, slowest)
        });
    }
    let done = Arc::new(AtomicBool::new(false));
    let (enough, url) = (Arc::clone(&done), receiver.url.clone());
    let probing = tokio::spawn(async move {
        let (mut probes, newcomer) = (0, newcomer());
        while !enough.load(Relaxed) {
            for path in ["/healthz", "/readyz", "/metrics"] {
                let answer = newcomer.get(format!("{url}{path}")).send().await.expect("a probe gets through");
                assert_eq!(answer.status(), 200, "{path}");
                probes += 1;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        probes
    });
    let (mut requests, mut slowest) = (0, Duration::ZERO);
    for (sent, took) in honest.join_all().await {
        requests += sent;
        slowest = slowest.max(took);
    }
    let took = began.elapsed();
    done.store(true, Relaxed);
    let probes = probing.await.expect("every probe gets through");
    let accepted = requests * batch;
    let took_ms = u64::try_from(took.as_millis()).expect("small");
    eprintln!(
        "{accepted} events in {took:?}, {} a second, the slowest request {slowest:?}; {probes} probes; {} strangers sent away",
        accepted * 1000 / took_ms.max(1),
        crowd.sent_away.load(Relaxed)
    );
    let status = site.status().expect("it answers");
    assert_eq!(stream(&status, "http:checkout").get("records_total").and_then(serde_json::Value::as_u64), Some(accepted), "each once");
    let of_checkout = stream(&status, "http:checkout").get("refused").and_then(serde_json::Value::as_object).expect("reasons");
    assert!(of_checkout.values().all(|count| count == 0), "{of_checkout:?}");
    assert!(refused(&status, "http:unknown", "header") > 0, "bodies without a signature");
    drop(crowd.tasks);
    traffic.stop().await;
    site.settle(Duration::from_secs(90)).await;
    let mut service = receiver.service;
    assert!(service.drain().await.success());
    service.assert_sound();
}

/// Somebody else has taken every descriptor of the machine for a while: the log is read on when there are some again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passing_lack_of_descriptors_ends_nothing() {
    let site = Site::new("").await;
    let mut receiver = Receiver::start(&site, 512).await;
    let limit = |soft: u32| {
        let id = receiver.service.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &id, &format!("--nofile={soft}:512")]).status().expect("prlimit is there");
        assert!(set.success());
    };
    let mut connection = Connection::open(&receiver.url).await;
    let answer = connection.send("before", &events(1, 10)).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    limit(8);
    // Over the connection that stands: the log's file is open, but to read it a new descriptor is needed.
    let answer = connection.send("meanwhile", &events(2, 10)).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    receiver.service.heard("a file cannot be opened; it is waited for", Duration::from_secs(30)).await;
    limit(512);
    let (status, body) = send(&client(), &receiver.url, "after", &events(3, 10)).await;
    assert_eq!(status, 202, "{body}");
    site.settle(Duration::from_mins(1)).await;
    let figures = site.status().expect("it answers");
    assert_eq!(figures.pointer("/stats/engine/counters/events").and_then(serde_json::Value::as_u64), Some(30));
    assert!(receiver.service.drain().await.success());
}
