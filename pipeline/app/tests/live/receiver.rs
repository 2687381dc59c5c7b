//! A service that takes events over HTTP, with as many descriptors as it is given, and what a test asks and sends it.

use std::process::Command;
use std::time::Duration;

use rasid_connectors::webhook::Webhook;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::producers::PRODUCERS;
use crate::service::Service;
use crate::site::Site;
use crate::traffic::now_ms;

const UP: Duration = Duration::from_mins(1);
/// Every answer comes, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(1);
/// The secret of the producer `checkout`.
pub(crate) const CHECKOUT: &str = PRODUCERS[0].1;

/// A service that takes events of the producer `checkout`.
pub(crate) struct Receiver {
    pub(crate) service: Service,
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
}

impl Receiver {
    /// With at most `descriptors` open files.
    pub(crate) async fn start(site: &Site, descriptors: u32) -> Self {
        let rasid = site.rasid(&["run"]);
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={descriptors}:{descriptors}")).arg(rasid.get_program()).args(rasid.get_args());
        command.current_dir(rasid.get_current_dir().expect("the site's folder"));
        for (name, value) in rasid.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let service = Service::start(&mut command, None);
        let up = service.heard("up", UP).await;
        let url = format!("http://{}", up.text("listen").expect("an address"));
        Self { service, url }
    }

    /// What is at a path: status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let client = client();
        let answer = client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }
}

/// Over connections of its own, which it keeps.
pub(crate) fn client() -> reqwest::Client {
    keeping(usize::MAX)
}

/// Over a new connection for each request.
pub(crate) fn newcomer() -> reqwest::Client {
    keeping(0)
}

fn keeping(idle_max: usize) -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default()); // an earlier choice stands
    reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(idle_max).no_proxy().build().expect("a client")
}

/// Sends lines as `checkout`: status and body of the answer.
pub(crate) async fn send(client: &reqwest::Client, url: &str, id: &str, lines: &str) -> (u16, String) {
    send_signed(client, url, id, lines, now_ms() / 1000).await
}

/// The same by a clock that said `timestamp_s` when it was signed.
pub(crate) async fn send_signed(client: &reqwest::Client, url: &str, id: &str, lines: &str, timestamp_s: i64) -> (u16, String) {
    let headers = signed(id, lines, timestamp_s);
    let request = headers.into_iter().fold(client.post(format!("{url}/v1/events")), |request, (name, value)| request.header(name, value));
    let answer = request.body(lines.to_owned()).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

fn signed(id: &str, lines: &str, timestamp_s: i64) -> [(&'static str, String); 4] {
    let signature = Webhook::new(&[CHECKOUT]).expect("a good secret").sign(id, timestamp_s, lines.as_bytes());
    let (media, timestamp) = ("application/x-ndjson".to_owned(), timestamp_s.to_string());
    [("content-type", media), ("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]
}

/// One connection, and never another in its place: a client with a pool may open one while the first is on its way back to it.
pub(crate) struct Connection(TcpStream);

impl Connection {
    /// Opens it.
    pub(crate) async fn open(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("an address");
        Self(TcpStream::connect(address).await.expect("it listens"))
    }

    /// Sends lines as `checkout`: head and body of the answer.
    pub(crate) async fn send(&mut self, id: &str, lines: &str) -> String {
        let headers = signed(id, lines, now_ms() / 1000).map(|(name, value)| format!("{name}: {value}\r\n")).concat();
        let length = lines.len();
        let request = format!("POST /v1/events HTTP/1.1\r\nhost: rasid\r\ncontent-length: {length}\r\n{headers}\r\n{lines}");
        self.0.write_all(request.as_bytes()).await.expect("it takes a request");
        tokio::time::timeout(PATIENCE, self.answer()).await.expect("an answer")
    }

    async fn answer(&mut self) -> String {
        let (mut answer, mut part) = (String::new(), [0; 4_096]);
        loop {
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
                    return answer;
                }
            }
            let read = self.0.read(&mut part).await.expect("an answer");
            assert!(read > 0, "the connection is closed after {answer:?}");
            answer.push_str(std::str::from_utf8(part.get(..read).expect("what was read")).expect("text"));
        }
    }
}

/// Good events, different ones for each number.
pub(crate) fn events(number: u64, count: u64) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(now_ms());
    let event = |index: u64| {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"h-{number}-{index}\",\"source\":\"/live/http\",\"type\":\"auth.login_failed\",\"time\":\"{time}\",\
             \"data\":{{\"user_id\":\"u_h_{}\",\"ip\":\"192.0.2.7\"}}}}\n",
            (number + index) % 500
        )
    };
    (0..count).map(event).collect()
}

/// The figures of a stream in `rasid status`.
pub(crate) fn stream<'s>(status: &'s Value, name: &str) -> &'s Value {
    let sources = status.pointer("/stats/sources").and_then(Value::as_array).expect("sources");
    let found = sources.iter().find(|source| source.get("stream").and_then(Value::as_str) == Some(name));
    found.unwrap_or_else(|| panic!("no stream {name} in {sources:#?}"))
}

/// How many requests of a stream were refused for that reason.
pub(crate) fn refused(status: &Value, name: &str, reason: &str) -> u64 {
    stream(status, name).pointer(&format!("/refused/{reason}")).and_then(Value::as_u64).expect("a count")
}
