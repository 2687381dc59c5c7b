//! Who was refused how often, and why: for metrics, for the log (now and then) and for health.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::problem::{Busy, Problem, Reason};

/// A producer is said to be refused for a reason this often at most.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// A request that was refused for want of room, or of a log that keeps up, is news for this long.
const PRESSED_FOR: Duration = Duration::from_secs(10);

/// The name of whoever no signature tells.
pub const UNKNOWN: &str = "unknown";

/// Refusals of one producer.
struct Of {
    producer: Arc<str>,
    counts: [AtomicU64; Reason::NAMES.len()],
}

impl Of {
    fn new(producer: Arc<str>) -> Self {
        Self { producer, counts: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

/// When something was last said, and how often it was not since.
struct Said {
    at: Instant,
    unsaid: u64,
}

/// All of them, since the start.
pub(super) struct Refusals {
    /// The producers in their order, and whoever is none.
    producers: Vec<Of>,
    unknown: Of,
    said: Mutex<BTreeMap<(Option<usize>, Reason), Said>>,
    pressed: Mutex<Option<(Instant, Busy)>>,
}

impl Refusals {
    pub(super) fn new(producers: impl IntoIterator<Item = Arc<str>>) -> Self {
        let producers = producers.into_iter().map(Of::new).collect();
        Self { producers, unknown: Of::new(UNKNOWN.into()), said: Mutex::default(), pressed: Mutex::default() }
    }

    /// A request was refused; `producer` is whose it was, where a signature has told that.
    pub(super) fn count(&self, producer: Option<usize>, problem: &Problem) {
        let reason = problem.reason();
        let of = producer.and_then(|producer| self.producers.get(producer)).unwrap_or(&self.unknown);
        if let Some(count) = of.counts.get(reason.index()) {
            count.fetch_add(1, Relaxed);
        }
        // None of these can be brought about without a secret: only verified requests fill the memory for good.
        if let Problem::Busy(busy @ (Busy::Memory | Busy::Requests | Busy::Log)) = problem {
            *self.pressed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), *busy));
        }
        if let Some(unsaid) = self.due((producer, reason)) {
            let status = problem.status().as_u16();
            tracing::warn!(producer = &*of.producer, reason = reason.name(), status, unsaid, "a request was refused");
        }
    }

    /// Whether it is to be said, with how many were not said since the last.
    fn due(&self, what: (Option<usize>, Reason)) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let Some(last) = said.get_mut(&what) else {
            said.insert(what, Said { at: now, unsaid: 0 });
            return Some(0);
        };
        if now - last.at < SAID_EVERY {
            last.unsaid += 1;
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.unsaid))
    }

    /// What requests have lately been sent away for though nothing was wrong with them.
    pub(super) fn pressed(&self) -> Option<&'static str> {
        let pressed = *self.pressed.lock().unwrap_or_else(PoisonError::into_inner);
        pressed.filter(|(at, _)| at.elapsed() < PRESSED_FOR).map(|(_, busy)| busy.what())
    }

    /// By producer, those that no signature tells last: how many, by reason.
    pub(super) fn counts(&self) -> Vec<(Arc<str>, BTreeMap<&'static str, u64>)> {
        let counts = |of: &Of| Reason::NAMES.into_iter().zip(&of.counts).map(|(name, count)| (name, count.load(Relaxed))).collect();
        self.producers.iter().chain([&self.unknown]).map(|of| (of.producer.clone(), counts(of))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_is_a_line_a_minute() {
        let refusals = Refusals::new(["checkout".into()]);
        let limited = Problem::Limited { retry_after_s: 1 };
        let due = |producer| refusals.due((producer, limited.reason()));
        assert_eq!(due(Some(0)), Some(0));
        assert_eq!(due(None), Some(0), "somebody else");
        for _ in 0..1000 {
            assert_eq!(due(Some(0)), None);
        }
        tokio::time::advance(SAID_EVERY).await;
        assert_eq!(due(Some(0)), Some(1000));
        assert_eq!(due(Some(0)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_counted_where_it_belongs() {
        let refusals = Refusals::new(["checkout".into(), "telco".into()]);
        refusals.count(Some(1), &Problem::OtherBody);
        refusals.count(Some(1), &Problem::OtherBody);
        refusals.count(None, &Problem::TooSlow);
        refusals.count(None, &Problem::Busy(Busy::Shed));
        assert_eq!(refusals.pressed(), None, "strangers cannot make it look unready");
        refusals.count(Some(0), &Problem::Busy(Busy::Requests));
        assert_eq!(refusals.pressed(), Some("too many requests are under way"));
        tokio::time::advance(PRESSED_FOR).await;
        assert_eq!(refusals.pressed(), None, "it is over");
        let counts = refusals.counts();
        let of = |index: usize| {
            let (name, reasons): &(Arc<str>, BTreeMap<_, _>) = &counts[index];
            let some: Vec<_> = reasons.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (*name, *count)).collect();
            (name.to_string(), some)
        };
        assert_eq!(of(0), ("checkout".to_owned(), vec![("requests", 1)]));
        assert_eq!(of(1), ("telco".to_owned(), vec![("id_reused", 2)]));
        assert_eq!(of(2), ("unknown".to_owned(), vec![("shed", 1), ("too_slow", 1)]));
    }
}
