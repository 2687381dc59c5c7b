//! What happens to alerts, as it happens: server-sent events whose ids are positions of the log, so that who was away hears all
//! that he has missed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use rasid_connectors::latest;
use rasid_service::operate::control::{AlertChanges, ChangesRequest, Control};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout};

use crate::http::{Problem, Shared};

/// Streams at once, of all tokens.
pub(crate) const STREAMS_MAX: usize = 128;
/// How long one is: shorter than a connection may take for one answer. The client asks again from where it was.
const LENGTH: Duration = Duration::from_secs(50);
/// How often a word is said where there is nothing to say, so that both sides know that the other is there.
const WORD_EVERY: Duration = Duration::from_secs(10);
/// What comes within that time is told together: an alert is there as fast as the eye sees it, and a storm is no storm of reads.
const TOGETHER: Duration = Duration::from_millis(100);
/// Alerts that are read at once.
const PART: usize = 500;

pub(super) const ABOUT: &str = "Alerts as they open and as people speak of them: server-sent events `alert`, `change` and `retraction`, each with \
    the alert as it is now or what was taken back, and `here` with the position when there is nothing to say. An event's id is the log position \
    up to which all is told; `Last-Event-ID` or `after` goes on behind it, without either it begins now. A stream ends after 50 s: ask again.";

/// Where a stream begins.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    /// Behind this position of the log, where there is no header `Last-Event-ID`.
    after: Option<u64>,
}

pub(super) async fn stream(
    State(shared): State<Shared>,
    headers: HeaderMap,
    after: Result<Query<After>, QueryRejection>,
) -> Result<Response, Problem> {
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let Query(After { after }) = after.map_err(|error| bad(error.body_text()))?;
    let last = headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.parse::<u64>().ok()));
    if last == Some(None) {
        return Err(bad("found another `Last-Event-ID`, expected the id of an event of this stream".to_owned()));
    }
    let control = shared.control()?;
    let streams = shared.access().map(|access| Arc::clone(&access.streams));
    let Some(permit) = streams.and_then(|streams| streams.try_acquire_owned().ok()) else {
        return Err(Problem::unavailable(format!("{STREAMS_MAX} streams are open, which is the most there may be")));
    };
    let known = control.known();
    let told = last.flatten().or(after).unwrap_or_else(|| latest(&known));
    let listener =
        Listener { control, known, told, waiting: VecDeque::new(), ends: Instant::now() + LENGTH, begun: false, _permit: permit };
    let events =
        futures_util::stream::unfold(listener, |mut listener| async move { Some((Ok::<_, Infallible>(listener.next().await?), listener)) });
    Ok(Sse::new(events).into_response())
}

/// One who listens.
struct Listener {
    control: Arc<dyn Control>,
    known: watch::Receiver<u64>,
    /// All up to this position is told, or waits to be.
    told: u64,
    waiting: VecDeque<Event>,
    ends: Instant,
    begun: bool,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    /// What is to be said next; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        if !self.begun {
            self.begun = true;
            return Some(self.here());
        }
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let left = self.ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let told = self.told;
            let more = timeout(left.min(WORD_EVERY), self.known.wait_for(|known| *known > told)).await.map(|more| more.is_ok());
            match more {
                Ok(true) => {}
                // The service ends, or this does.
                Ok(false) => return None,
                Err(_) if left <= WORD_EVERY => return None,
                Err(_) => return Some(self.here()),
            }
            tokio::time::sleep(TOGETHER).await;
            match self.control.changes(ChangesRequest { after: self.told, limit: PART }).await {
                Ok(changes) => self.tell(changes),
                Err(error) => {
                    tracing::warn!(%error, "what happened to alerts cannot be told; who listens asks again");
                    return None;
                }
            }
        }
    }

    /// Nothing is to be said; all up to here is.
    fn here(&self) -> Event {
        let now_ms = crate::clock::now_ms();
        let event_ms = self.control.stats().engine.event_clock_ms;
        event("here", &json!({"position": self.told, "now_ms": now_ms, "event_ms": event_ms})).id(self.told.to_string())
    }

    /// Puts into words what changed. Only the last of it has an id: what was told in part is told again.
    fn tell(&mut self, changes: AlertChanges) {
        let AlertChanges { alerts, retractions, upto, more: _ } = changes;
        for change in alerts {
            self.waiting.push_back(event(if change.opened { "alert" } else { "change" }, &change.alert));
        }
        for retraction in retractions {
            self.waiting.push_back(event("retraction", &retraction));
        }
        self.told = upto.max(self.told);
        if let Some(last) = self.waiting.pop_back() {
            self.waiting.push_back(last.id(self.told.to_string()));
        }
    }
}

fn event(name: &str, value: &impl serde::Serialize) -> Event {
    let text = serde_json::to_string(value).unwrap_or_default();
    Event::default().event(name).data(text)
}
