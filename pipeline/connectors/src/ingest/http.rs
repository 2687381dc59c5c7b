//! `POST /v1/events` as an axum router.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::body::{Format, records};
use super::bucket::Bucket;
use super::deliveries::{Claim, Deliveries, Known, Outcome, delivery_offset};
use super::problem::Problem;
use crate::clock::{Clock, Now};
use crate::source::{Appender, Incoming};
use crate::webhook::{self, VerifyError, Webhook};

/// What the ingester takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestConfig {
    /// Largest body, bytes. 1 MiB.
    pub body_bytes_max: usize,
    /// Most events in one request. 1,000.
    pub events_max: usize,
    /// Events a second that one sender may send in the long run. 2,000.
    pub events_per_s: u32,
    /// Events that it may send at once after a pause. 10,000.
    pub burst: u32,
    /// Requests under way at once, of all senders. 64; each may hold a body.
    pub concurrent: usize,
    /// How long a body may take to come. 10 s.
    pub body_timeout: Duration,
    /// How long a request waits to become durable before it is answered 503. 10 s; it is appended all the same, and
    /// its copy is answered 202 then.
    pub append_timeout: Duration,
    /// Ids remembered at once, about 50 bytes each; new ones are refused beyond. 1,000,000.
    pub ids_max: usize,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            events_max: 1000,
            events_per_s: 2000,
            burst: 10_000,
            concurrent: 64,
            body_timeout: Duration::from_secs(10),
            append_timeout: Duration::from_secs(10),
            ids_max: 1_000_000,
        }
    }
}

/// How many requests ended how, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Appended and durable.
    pub accepted: u64,
    /// Events in them.
    pub accepted_events: u64,
    /// Known already, and answered as the first was.
    pub repeated: u64,
    /// 400, 408, 413, 415.
    pub invalid: u64,
    /// 401.
    pub unauthorized: u64,
    /// 429.
    pub limited: u64,
    /// 503.
    pub busy: u64,
}

#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    accepted_events: AtomicU64,
    repeated: AtomicU64,
    invalid: AtomicU64,
    unauthorized: AtomicU64,
    limited: AtomicU64,
    busy: AtomicU64,
}

struct Sender {
    stream: Arc<str>,
    webhook: Webhook,
    bucket: Mutex<Bucket>,
}

/// Takes events from senders that have a secret.
pub struct Ingest<A> {
    config: IngestConfig,
    senders: Vec<Sender>,
    deliveries: Arc<Deliveries>,
    concurrent: Arc<Semaphore>,
    counters: Counters,
    appender: A,
    clock: Clock,
}

impl<A: Appender> Ingest<A> {
    /// `senders` are their names, which become the streams `http:<name>`, and what verifies their requests.
    pub fn new(config: IngestConfig, senders: BTreeMap<String, Webhook>, appender: A, clock: Clock) -> Arc<Self> {
        let now_ms = clock.monotonic_ms();
        let sender = |(name, webhook): (String, Webhook)| Sender {
            stream: format!("http:{name}").into(),
            webhook,
            bucket: Mutex::new(Bucket::new(config.events_per_s, config.burst, now_ms)),
        };
        Arc::new(Self {
            senders: senders.into_iter().map(sender).collect(),
            deliveries: Deliveries::new(config.ids_max),
            concurrent: Arc::new(Semaphore::new(config.concurrent.max(1))),
            counters: Counters::default(),
            config,
            appender,
            clock,
        })
    }

    /// Tells of a record that came `age_ms` ago and is in the log, so that what became durable before a restart is known
    /// after it: every record of the last [`REMEMBERED_MS`](super::REMEMBERED_MS), in the log's order, before the first
    /// request. Records of other streams are passed over.
    pub fn remember(&self, stream: &str, offset: u64, age_ms: u64) {
        if let Some(sender) = self.senders.iter().position(|sender| &*sender.stream == stream) {
            self.deliveries.remember(sender, offset, self.clock.monotonic_ms().saturating_sub_unsigned(age_ms));
        }
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        let Counters { accepted, accepted_events, repeated, invalid, unauthorized, limited, busy } = &self.counters;
        Counts {
            accepted: accepted.load(Relaxed),
            accepted_events: accepted_events.load(Relaxed),
            repeated: repeated.load(Relaxed),
            invalid: invalid.load(Relaxed),
            unauthorized: unauthorized.load(Relaxed),
            limited: limited.load(Relaxed),
            busy: busy.load(Relaxed),
        }
    }

    /// `POST /v1/events`.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new().route("/v1/events", post(events::<A>)).with_state(self)
    }

    async fn take(self: &Arc<Self>, headers: &HeaderMap, body: Body) -> Result<(), Problem> {
        let busy = Problem::Busy { why: "too many requests at once", retry_after_s: 1 };
        let permit = self.concurrent.clone().try_acquire_owned().map_err(|_| busy)?;
        let format = format_of(headers)?;
        let body = timeout(self.config.body_timeout, whole(headers, body, self.config.body_bytes_max));
        let body = body.await.map_err(|_| Problem::TooSlow)??;
        let Now { wall_ms, monotonic_ms } = self.clock.now();
        let (index, webhook_id) = self.verified(headers, &body, wall_ms)?;
        let claim = match self.deliveries.arrived(index, webhook_id, monotonic_ms) {
            Known::Done => {
                self.repeated();
                return Ok(());
            }
            Known::UnderWay(outcome) => return self.durable(outcome).await.map(|()| self.repeated()),
            Known::Full => return Err(Problem::Busy { why: "too many webhook-ids within a quarter of an hour", retry_after_s: 60 }),
            Known::New(claim) => claim,
        };
        // Whatever is wrong from here on, the claim is dropped, and the same id may come again.
        let records = records(format, &body, self.config.events_max)?;
        drop(body);
        let Some(sender) = self.senders.get(index) else { return Ok(()) };
        let taken = sender.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(records.len(), monotonic_ms);
        taken.map_err(|retry_after_s| Problem::Limited { retry_after_s })?;
        let last = records.len().saturating_sub(1);
        let offset = |index| delivery_offset(webhook_id, index == last);
        let incoming: Vec<Incoming> = records
            .into_iter()
            .enumerate()
            .map(|(index, bytes)| Incoming { stream: sender.stream.clone(), offset: offset(index), bytes })
            .collect();
        let outcome = claim.outcome();
        // A task of its own: whether the sender waits for the answer or hangs up, all of it is appended, and known.
        let ingest = self.clone();
        tokio::spawn(async move {
            ingest.append(incoming, claim).await;
            drop(permit);
        });
        self.durable(outcome).await
    }

    async fn append(&self, incoming: Vec<Incoming>, claim: Claim) {
        let events = incoming.len() as u64;
        if events > 0
            && let Err(error) = self.appender.append(incoming).await
        {
            tracing::error!(%error, "events that came over HTTP cannot be appended");
            return;
        }
        self.counters.accepted.fetch_add(1, Relaxed);
        self.counters.accepted_events.fetch_add(events, Relaxed);
        claim.durable(self.clock.monotonic_ms());
    }

    /// Waits until a delivery is durable.
    async fn durable(&self, mut outcome: tokio::sync::watch::Receiver<Outcome>) -> Result<(), Problem> {
        let ended = timeout(self.config.append_timeout, outcome.wait_for(|outcome| *outcome != Outcome::UnderWay)).await;
        match ended.map(|ended| ended.map(|outcome| *outcome)) {
            Ok(Ok(Outcome::Durable)) => Ok(()),
            _ => Err(Problem::Busy { why: "the log does not keep up", retry_after_s: 5 }),
        }
    }

    fn repeated(&self) {
        self.counters.repeated.fetch_add(1, Relaxed);
    }

    /// Who signed the request, and its id.
    fn verified<'h>(&self, headers: &'h HeaderMap, body: &[u8], wall_ms: i64) -> Result<(usize, &'h str), Problem> {
        let unauthorized = |why: String| Problem::Unauthorized { why };
        let header = |name: &'static str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next().and_then(|value| value.to_str().ok()).filter(|_| values.next().is_none());
            value.ok_or_else(|| unauthorized(format!("expected one header {name}")))
        };
        let (id, timestamp, signature) = (header(webhook::ID)?, header(webhook::TIMESTAMP)?, header(webhook::SIGNATURE)?);
        let mut why = VerifyError::Signature;
        for (index, sender) in self.senders.iter().enumerate() {
            match sender.webhook.verify(id, timestamp, signature, body, wall_ms) {
                Ok(()) => return Ok((index, id)),
                Err(error) => why = error,
            }
        }
        Err(unauthorized(why.to_string()))
    }
}

async fn events<A: Appender>(State(ingest): State<Arc<Ingest<A>>>, headers: HeaderMap, body: Body) -> Response {
    let problem = match ingest.take(&headers, body).await {
        Ok(()) => return StatusCode::ACCEPTED.into_response(),
        Err(problem) => problem,
    };
    let counter = match &problem {
        Problem::Unauthorized { .. } => &ingest.counters.unauthorized,
        Problem::Limited { .. } => &ingest.counters.limited,
        Problem::Busy { .. } => &ingest.counters.busy,
        Problem::Invalid { .. } | Problem::TooSlow | Problem::TooLarge { .. } | Problem::MediaType => &ingest.counters.invalid,
    };
    counter.fetch_add(1, Relaxed);
    problem.into_response()
}

fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if text(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Problem::MediaType);
    }
    text(header::CONTENT_TYPE).and_then(Format::of).ok_or(Problem::MediaType)
}

/// All of a body, if it is no larger than it may be.
async fn whole(headers: &HeaderMap, mut body: Body, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let too_large = Problem::TooLarge { what: "bytes", max: bytes_max };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > bytes_max) {
        return Err(too_large);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Problem::Invalid { why: "the body did not come whole".to_owned() })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_large);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
