//! `POST /v1/events` as an axum router.
//!
//! What is asked of a request, in order, each before anything that costs more: its token, where it shows one, its headers (there once each, in form, of
//! now, no longer than allowed), its body ([`bodies`](super::bodies) says how strangers are kept from taking what honest
//! senders need), its signature, its records, its id, its sender's rate, a permit, the log. From the signature or the token on it is a
//! producer's, and is counted, limited and remembered as one of that producer's alone.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::bodies::{Bodies, BodiesConfig, Coming};
use super::body::records;
use super::bucket::Bucket;
use super::deliveries::{Claim, Content, Deliveries, Known, Outcome, delivery_offset};
use super::head::{self, Announced, Whose};
use super::media::{self, Encoding, Format};
use super::problem::{ACCEPT_POST, Busy, Exposed, METHODS, PATH, Problem, Unusable};
use super::refusals::Refusals;
use super::unpack::unpacked;
use super::{Proof, Wire};
use crate::clock::Clock;
use crate::source::{Appender, Incoming};
use crate::tokens::{Scope, TokenFile};
use crate::webhook::{Claimed, VerifyError, Webhook};

/// A larger body is hashed for one secret, and then for the next after others had their turn.
const HASHED_BYTES: usize = 64 << 10;

/// What the ingester takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestConfig {
    /// Largest body, bytes, as it comes. 4 MiB.
    pub body_bytes_max: usize,
    /// Largest body, bytes, once it is unpacked. 8 MiB.
    pub unpacked_bytes_max: usize,
    /// Bytes of all bodies that are held at once, of those that still come and of requests under way. 64 MiB.
    pub bodies_bytes_max: usize,
    /// Most events in one request. 10,000.
    pub events_max: usize,
    /// Events a second that one sender may send in the long run. 20,000.
    pub events_per_s: u32,
    /// Events that it may send at once after a pause. 200,000.
    pub burst: u32,
    /// Requests under way at once, of all senders, their signatures verified. 64; others wait for one to end.
    pub concurrent: usize,
    /// How long the largest body may take to come; a smaller one has less, at least half. 10 s.
    pub body_timeout: Duration,
    /// How long a request waits for its turn, and again to become durable, before it is answered 503. 10 s; what has begun
    /// is appended all the same, and its copy is answered 202 then.
    pub append_timeout: Duration,
    /// Ids of one sender remembered at once, about 100 bytes each; its new ones are refused beyond. 1,000,000.
    pub ids_max: usize,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 << 20,
            unpacked_bytes_max: 8 << 20,
            bodies_bytes_max: 64 << 20,
            events_max: 10_000,
            events_per_s: 20_000,
            burst: 200_000,
            concurrent: 64,
            body_timeout: Duration::from_secs(10),
            append_timeout: Duration::from_secs(10),
            ids_max: 1_000_000,
        }
    }
}

/// How many requests were taken, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Appended and durable.
    pub accepted: u64,
    /// Events in them.
    pub accepted_events: u64,
    /// Known already, and answered as the first was.
    pub repeated: u64,
}

/// Requests of one producer that were refused, since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its stream, `http:<name>`; [`UNKNOWN`](super::UNKNOWN) in the place of the name where no signature tells it.
    pub stream: String,
    /// How many, by reason; every reason there is.
    pub by_reason: BTreeMap<&'static str, u64>,
}

/// A record as the log has it.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'r> {
    /// Its stream.
    pub stream: &'r str,
    /// Its offset in the stream.
    pub offset: u64,
    /// When it arrived, Unix ms.
    pub arrival_ms: i64,
    /// The record.
    pub bytes: &'r [u8],
}

#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    accepted_events: AtomicU64,
    repeated: AtomicU64,
}

struct Sender {
    name: String,
    stream: Arc<str>,
    /// What verifies its signatures, where it has a secret.
    webhook: Option<Webhook>,
    bucket: Mutex<Bucket>,
}

/// Takes events from senders that have a secret or a token.
pub struct Ingest<A> {
    config: IngestConfig,
    senders: Vec<Sender>,
    tokens: TokenFile,
    bodies: Arc<Bodies>,
    deliveries: Arc<Deliveries>,
    concurrent: Arc<Semaphore>,
    /// Turns to unpack: it is work, and takes memory beside the body.
    unpacking: Arc<Semaphore>,
    counters: Counters,
    refusals: Refusals,
    stopping: AtomicBool,
    appender: A,
    clock: Clock,
}

/// Why a request was not taken, and whose it was where that is known.
struct Refusal {
    sender: Option<usize>,
    problem: Problem,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { sender: None, problem }
    }
}

impl<A: Appender> Ingest<A> {
    /// `senders` are their names, which become the streams `http:<name>`, and what verifies their requests where they sign them;
    /// `tokens` are what they may show instead.
    pub fn new(
        config: IngestConfig,
        senders: BTreeMap<String, Option<Webhook>>,
        tokens: TokenFile,
        appender: A,
        clock: Clock,
    ) -> Arc<Self> {
        let now_ms = clock.monotonic_ms();
        let refusals = Refusals::new(senders.keys().map(|name| Arc::from(name.as_str())));
        let sender = |(name, webhook): (String, Option<Webhook>)| Sender {
            stream: format!("http:{name}").into(),
            name,
            webhook,
            bucket: Mutex::new(Bucket::new(config.events_per_s, config.burst, now_ms)),
        };
        let (body_bytes_max, bytes_max, time) = (config.body_bytes_max, config.bodies_bytes_max, config.body_timeout);
        Arc::new(Self {
            deliveries: Deliveries::new(senders.len(), config.ids_max),
            senders: senders.into_iter().map(sender).collect(),
            bodies: Bodies::new(BodiesConfig { body_bytes_max, bytes_max, time }),
            concurrent: Arc::new(Semaphore::new(config.concurrent.max(1))),
            unpacking: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get))),
            counters: Counters::default(),
            refusals,
            stopping: AtomicBool::new(false),
            config,
            tokens,
            appender,
            clock,
        })
    }

    /// Tells of a record that came `age_ms` ago and is in the log, so that what became durable before a restart is known
    /// after it: every record of the last [`REMEMBERED_MS`](super::REMEMBERED_MS), in the log's order, before the first
    /// request. Records of other streams are passed over.
    pub fn remember(&self, logged: &Logged<'_>, age_ms: u64) {
        if let Some(sender) = self.senders.iter().position(|sender| &*sender.stream == logged.stream) {
            let at_ms = self.clock.monotonic_ms().saturating_sub_unsigned(age_ms);
            self.deliveries.remember(sender, logged.offset, logged.arrival_ms, logged.bytes, at_ms);
        }
    }

    /// What was taken so far.
    pub fn counts(&self) -> Counts {
        let Counters { accepted, accepted_events, repeated } = &self.counters;
        Counts { accepted: accepted.load(Relaxed), accepted_events: accepted_events.load(Relaxed), repeated: repeated.load(Relaxed) }
    }

    /// What was refused so far: of each producer, and last of those that no signature tells.
    pub fn refused(&self) -> Vec<Refused> {
        let counts = self.refusals.counts().into_iter();
        counts.map(|(name, by_reason)| Refused { stream: format!("http:{name}"), by_reason }).collect()
    }

    /// Bytes of bodies that are held now, and the most that may be.
    pub fn bodies_bytes(&self) -> (usize, usize) {
        self.bodies.bytes()
    }

    /// Verified requests under way, and the most that may be.
    pub fn under_way(&self) -> (usize, usize) {
        let max = self.config.concurrent.max(1);
        (max - self.concurrent.available_permits().min(max), max)
    }

    /// Why producers with good signatures have been sent away a moment ago, where they were.
    pub fn pressed(&self) -> Option<&'static str> {
        self.refusals.pressed()
    }

    /// Whether the file of tokens as it is now is not what is in force.
    pub fn tokens_unusable(&self) -> bool {
        self.tokens.is_unusable()
    }

    /// Producers that can send nothing: they have no secret, and no token for events.
    pub fn unheard(&self) -> Vec<&str> {
        let tokens = self.tokens.current();
        let has_token = |name: &str| tokens.iter().any(|token| token.owner == name && token.allows(Scope::WriteEvents));
        let unheard = self.senders.iter().filter(|sender| sender.webhook.is_none() && !has_token(&sender.name));
        unheard.map(|sender| sender.name.as_str()).collect()
    }

    /// Takes no more; what is under way is appended.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// `POST /v1/events`. A [`Proof`] in a request's extensions is given when its signature fits or its token is good; a
    /// [`Wire`] says whether a token may have come.
    pub fn router(self: Arc<Self>) -> Router {
        let events = post(events::<A>).options(options).fallback(other_method::<A>);
        Router::new().route(PATH, events).fallback(other_path::<A>).with_state(self)
    }

    async fn take(self: &Arc<Self>, parts: &Parts, body: Body) -> Result<(), Refusal> {
        let Parts { headers, extensions, .. } = parts;
        let (wire, wall_ms) = (extensions.get().copied().unwrap_or_default(), self.clock.now().wall_ms);
        let prove = || extensions.get::<Proof>().into_iter().for_each(Proof::give);
        if self.stopping.load(Relaxed) {
            return Err(Problem::Busy(Busy::Stopping).into());
        }
        let shown = self.shown(headers, wire, wall_ms)?;
        if shown.is_some() {
            prove();
        }
        let of_shown = |problem| Refusal { sender: shown, problem };
        let Announced { format, encoding, whose } = self.announced(headers, wire, shown, wall_ms).map_err(of_shown)?;
        let (body, coming) = self.bodies.whole(body, shown.is_some()).await.map_err(of_shown)?;
        let (index, id) = match whose {
            Whose::Shown { index, id } => (index, id),
            Whose::Signed(claimed) => {
                let index = self.sender(&claimed, &body).await.ok_or(Problem::Unverified(VerifyError::Signature))?;
                prove();
                if !coming.keep() {
                    return Err(Refusal { sender: Some(index), problem: Problem::Busy(Busy::Shed) });
                }
                (index, claimed.id().to_owned())
            }
        };
        let known = |problem| Refusal { sender: Some(index), problem };
        let (body, room) = match encoding {
            None => (body, coming),
            Some(encoding) => self.unpacked(encoding, body, coming).await.map_err(known)?,
        };
        self.verified(index, &id, &format, body, room).await.map_err(known)
    }

    /// Whose bearer token a request shows; `None` where it shows none. It is good or not by the head alone.
    fn shown(&self, headers: &HeaderMap, wire: Wire, wall_ms: i64) -> Result<Option<usize>, Refusal> {
        let Some(text) = head::bearer(headers).map_err(Problem::from)? else { return Ok(None) };
        let tokens = self.tokens.current();
        let token = tokens.find(&text);
        let sender = token.and_then(|token| self.senders.iter().position(|sender| sender.name == token.owner));
        let refused = |problem| Err(Refusal { sender, problem });
        match (token, sender) {
            _ if wire == Wire::Open => refused(Problem::Unprotected(Exposed::Token)),
            (None, _) => refused(Problem::Token(Unusable::Unknown)),
            (Some(token), _) if token.is_expired(wall_ms) => refused(Problem::Token(Unusable::Expired)),
            (Some(token), _) if !token.allows(Scope::WriteEvents) => refused(Problem::Scope),
            (Some(_), None) => refused(Problem::Token(Unusable::Unconfigured)),
            (Some(_), Some(index)) => Ok(Some(index)),
        }
    }

    /// What a request's headers say, before anything of its body is read.
    fn announced<'h>(&self, headers: &'h HeaderMap, wire: Wire, shown: Option<usize>, wall_ms: i64) -> Result<Announced<'h>, Problem> {
        let (format, encoding) = media::announced(headers)?;
        let whose = match shown {
            Some(index) => Whose::Shown { index, id: head::delivery(headers)? },
            None if wire == Wire::Open && matches!(format, Format::Data(_)) => return Err(Problem::Unprotected(Exposed::Attributes)),
            None => Whose::Signed(head::claimed(headers, wall_ms)?),
        };
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.config.body_bytes_max) {
            return Err(self.bodies.too_large());
        }
        Ok(Announced { format, encoding, whose })
    }

    /// Whose secret signed this body.
    async fn sender(&self, claimed: &Claimed<'_>, body: &[u8]) -> Option<usize> {
        for (index, sender) in self.senders.iter().enumerate() {
            let Some(webhook) = &sender.webhook else { continue };
            if webhook.fits(claimed, body) {
                return Some(index);
            }
            if body.len() > HASHED_BYTES {
                tokio::task::yield_now().await;
            }
        }
        None
    }

    /// What a known sender's body holds, with the room for both.
    async fn unpacked(&self, encoding: Encoding, packed: Vec<u8>, room: Coming) -> Result<(Vec<u8>, Coming), Problem> {
        let turn = timeout(self.config.append_timeout, self.unpacking.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Problem::Busy(Busy::Requests)) };
        let bytes_max = self.config.unpacked_bytes_max;
        let work = tokio::task::spawn_blocking(move || {
            let bytes = unpacked(encoding, &packed, bytes_max, |more| room.more(more));
            drop(turn);
            bytes.map(|bytes| (bytes, room))
        });
        // It does not panic; a runtime that ends takes it along.
        work.await.unwrap_or(Err(Problem::Busy(Busy::Stopping)))
    }

    /// A whole body of a sender that is known.
    async fn verified(
        self: &Arc<Self>,
        index: usize,
        webhook_id: &str,
        format: &Format,
        body: Vec<u8>,
        room: Coming,
    ) -> Result<(), Problem> {
        let Some(sender) = self.senders.get(index) else { return Ok(()) };
        let records = records(format, &body, self.config.events_max)?;
        drop(body);
        let content = Content::of(records.iter().map(Vec::as_slice));
        let now_ms = self.clock.monotonic_ms();
        let claim = match self.deliveries.arrived(index, webhook_id, content, now_ms) {
            Known::Done => {
                self.repeated();
                return Ok(());
            }
            Known::UnderWay(outcome) => return self.durable(outcome).await.map(|()| self.repeated()),
            Known::Other => return Err(Problem::OtherBody),
            Known::Full => return Err(Problem::Busy(Busy::Ids)),
            Known::New(claim) => claim,
        };
        // Whatever is wrong from here on, the claim is dropped, and the same id may come again. An empty request is one too.
        if let Some(why) = self.appender.hindrance() {
            return Err(Problem::Busy(Busy::Hindered(why)));
        }
        let taken = sender.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(records.len().max(1), now_ms);
        taken.map_err(|retry_after_s| Problem::Limited { retry_after_s })?;
        let permit = timeout(self.config.append_timeout, self.concurrent.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(Problem::Busy(Busy::Requests)) };
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
            drop((permit, room));
        });
        self.durable(outcome).await
    }

    async fn append(&self, incoming: Vec<Incoming>, claim: Claim) {
        let events = incoming.len() as u64;
        if events > 0
            && let Err(error) = self.appender.append(incoming).await
        {
            if self.stopping.load(Relaxed) {
                tracing::info!(events, "events that came over HTTP as the service stopped are not taken; they come again");
            } else {
                tracing::error!(%error, "events that came over HTTP cannot be appended");
            }
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
            _ if self.stopping.load(Relaxed) => Err(Problem::Busy(Busy::Stopping)),
            _ => Err(Problem::Busy(self.appender.hindrance().map_or(Busy::Log, Busy::Hindered))),
        }
    }

    fn nothing_there(&self, problem: Problem) -> Response {
        self.refusals.count(None, &problem);
        problem.into_response()
    }

    fn repeated(&self) {
        self.counters.repeated.fetch_add(1, Relaxed);
    }
}

async fn events<A: Appender>(State(ingest): State<Arc<Ingest<A>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match ingest.take(&parts, body).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(Refusal { sender, problem }) => {
            ingest.refusals.count(sender, &problem);
            problem.into_response()
        }
    }
}

/// For whoever asks what is taken.
async fn options() -> Response {
    (StatusCode::NO_CONTENT, [(header::ALLOW, METHODS), (ACCEPT_POST, media::TYPES)]).into_response()
}

async fn other_method<A: Appender>(State(ingest): State<Arc<Ingest<A>>>) -> Response {
    ingest.nothing_there(Problem::Method)
}

async fn other_path<A: Appender>(State(ingest): State<Arc<Ingest<A>>>, uri: Uri) -> Response {
    ingest.nothing_there(Problem::Path { slash: uri.path().strip_suffix('/') == Some(PATH) })
}
