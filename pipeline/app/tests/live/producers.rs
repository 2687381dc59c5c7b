//! Producers that send events over HTTP as docs/core-api.md's side of Standard Webhooks has it: one request after another,
//! each signed, and sent again under its id until it is answered with 202.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use standardwebhooks::Webhook;
use tokio::task::JoinHandle;

use crate::traffic::{Lines, Random, now_ms};

/// Names, secrets, and how far behind the clock their events are, ms.
pub(crate) const PRODUCERS: [(&str, &str, i64); 2] = [
    ("checkout", "whsec_Y2hlY2tvdXQsIGEgc2VjcmV0IGZvciB0aGUgdGVzdHM=", 0),
    ("telco", "whsec_dGVsY28sIGFub3RoZXIgc2VjcmV0IGZvciB0aGUgdGVzdA==", 700),
];
/// Between a producer's requests, ms at most.
const PAUSE_MS: u64 = 60;
/// Before a request that was not answered, or with a status that passes, is sent again.
const AGAIN: Duration = Duration::from_millis(20);
/// How long most requests wait for their answer, and how long one in some gives its answer up.
const ANSWER: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(2));
/// Events in a request, at most.
const EVENTS: u64 = 6;

/// What one producer sent.
#[derive(Default)]
pub(crate) struct Sent {
    /// The events of its requests, in order; every request was answered with 202.
    pub(crate) events: Vec<String>,
    pub(crate) requests: u64,
    /// Times that a request was sent again.
    pub(crate) repeats: u64,
}

/// Producers at work.
pub(crate) struct Producers {
    stop: Arc<AtomicBool>,
    tasks: Vec<(&'static str, JoinHandle<Sent>)>,
}

impl Producers {
    /// Begins to send to the service on that port, which need not be up. `world` is as for [`Traffic`](crate::traffic::Traffic).
    pub(crate) fn start(port: u16, seed: u64, world: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = PRODUCERS.iter().enumerate().map(|(index, (name, secret, lag_ms))| {
            let producer = Producer {
                name,
                url: format!("http://127.0.0.1:{port}/v1/events"),
                webhook: Webhook::new(secret).expect("a good secret"),
                client: client(),
                // Beside the partitions of the files, which are numbered from 0.
                lines: Lines::new(4 + index, *lag_ms, world),
                random: Random(seed ^ (index as u64 + 1)),
                sent: Sent::default(),
            };
            (*name, tokio::spawn(producer.run(Arc::clone(&stop))))
        });
        Self { tasks: tasks.collect(), stop }
    }

    /// Ends it once every request is answered; what was sent, by stream.
    pub(crate) async fn stop(self) -> BTreeMap<String, Sent> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for (name, task) in self.tasks {
            all.insert(format!("http:{name}"), task.await.expect("it does not panic"));
        }
        all
    }
}

/// Without TLS; the provider is only asked for.
fn client() -> Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder().no_proxy().build().expect("a client")
}

struct Producer {
    name: &'static str,
    url: String,
    webhook: Webhook,
    client: Client,
    lines: Lines,
    random: Random,
    sent: Sent,
}

impl Producer {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Sent {
        while !stop.load(Ordering::Relaxed) {
            let count = 1 + self.random.below(EVENTS);
            let events: Vec<String> = (0..count).map(|_| self.lines.next(&mut self.random).trim_end().to_owned()).collect();
            let (content_type, body) = match self.random.below(3) {
                0 => ("application/x-ndjson", events.join("\n")),
                1 if count == 1 => ("application/cloudevents+json", events.concat()),
                _ => ("application/cloudevents-batch+json", format!("[{}]", events.join(", "))),
            };
            self.sent.requests += 1;
            let id = format!("{}_{}", self.name, self.sent.requests);
            // Until it is answered; one in a few is sent once more for nothing, by a producer that lost the answer.
            for _ in 0..=u64::from(self.random.once_in(9)) {
                self.deliver(&id, content_type, &body).await;
            }
            self.sent.events.extend(events);
            tokio::time::sleep(Duration::from_millis(self.random.below(PAUSE_MS))).await;
        }
        self.sent
    }

    async fn deliver(&mut self, id: &str, content_type: &str, body: &str) {
        loop {
            let timestamp_s = now_ms() / 1000;
            let signature = self.webhook.sign(id, timestamp_s, body.as_bytes()).expect("text");
            let (usual, hasty) = ANSWER;
            let request = self
                .client
                .post(&self.url)
                .timeout(if self.random.once_in(12) { hasty } else { usual })
                .header("webhook-id", id)
                .header("webhook-timestamp", timestamp_s)
                .header("webhook-signature", signature)
                .header("content-type", content_type)
                .body(body.to_owned());
            match request.send().await.map(|answer| answer.status()) {
                Ok(StatusCode::ACCEPTED) => return,
                // Those of a service that starts, drains or is behind; what is lost on the way has no answer.
                Ok(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) | Err(_) => {}
                Ok(status) => panic!("{id} of {} was answered with {status}", self.name),
            }
            self.sent.repeats += 1;
            tokio::time::sleep(AGAIN).await;
        }
    }
}
