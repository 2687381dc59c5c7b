//! What streams tell on the way: counted, said, and where records are lost or a stream is not read, a condition.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rasid_connectors::source::{Notice, Observer};

use crate::chain::Chain;
use crate::health::conditions::{Condition, Conditions};
use crate::health::stats::SourceStats;
use crate::held::held;

/// The condition that a stream is not read.
const STOPPED: &str = "rasid_stream_stopped";

/// What streams have told, counted by stream.
#[derive(Default)]
pub(crate) struct Notices {
    by_stream: Mutex<BTreeMap<String, Told>>,
    by_kind: Mutex<BTreeMap<&'static str, u64>>,
}

/// What one stream has told.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub(crate) lost: u64,
    pub(crate) faults: u64,
    /// Why it is not read until somebody does something about it.
    pub(crate) stopped: Option<String>,
}

impl Notices {
    /// Counts what a stream told. Faults and losses are counted by stream as well.
    pub(crate) fn count(&self, stream: &str, kind: &'static str, lost: bool, fault: bool) {
        *held(&self.by_kind).entry(kind).or_default() += 1;
        if !lost && !fault {
            return;
        }
        let mut by_stream = held(&self.by_stream);
        let told = by_stream.entry(stream.to_owned()).or_default();
        told.lost += u64::from(lost);
        told.faults += u64::from(fault);
    }

    /// How often each kind of thing was told, by all streams together.
    pub(crate) fn by_kind(&self) -> BTreeMap<&'static str, u64> {
        let counted = held(&self.by_kind);
        Notice::KINDS.into_iter().map(|kind| (kind, counted.get(kind).copied().unwrap_or(0))).collect()
    }

    /// It is not read any more, because; or it is again.
    pub(crate) fn stopped(&self, stream: &str, why: Option<String>) {
        held(&self.by_stream).entry(stream.to_owned()).or_default().stopped = why;
    }

    /// What that stream has told.
    pub(crate) fn of(&self, stream: &str) -> Told {
        held(&self.by_stream).get(stream).cloned().unwrap_or_default()
    }

    /// What is stopped that is no stream itself: a topic, whose partitions are.
    pub(crate) fn stopped_besides(&self, streams: &[SourceStats]) -> Vec<SourceStats> {
        let by_stream = held(&self.by_stream);
        let besides = by_stream.iter().filter(|(name, _)| !streams.iter().any(|source| source.stream == **name));
        let stopped = besides.filter(|(_, told)| told.stopped.is_some());
        stopped
            .map(|(name, told)| SourceStats {
                stream: name.clone(),
                errors_total: told.faults,
                stopped: told.stopped.clone(),
                ..SourceStats::default()
            })
            .collect()
    }
}

/// Counts what streams tell, and says what a person must know.
pub(crate) struct Watching {
    notices: Arc<Notices>,
    conditions: Conditions,
    /// Streams that have lost records, with how often.
    lost: Mutex<BTreeMap<String, u64>>,
    /// Streams that are not read until somebody does something about it, and why.
    stopped: Mutex<BTreeMap<String, String>>,
}

impl Watching {
    pub(crate) fn new(notices: &Arc<Notices>, conditions: &Conditions) -> Self {
        Self { notices: Arc::clone(notices), conditions: conditions.clone(), lost: Mutex::default(), stopped: Mutex::default() }
    }

    fn lost(&self, stream: &str) {
        let mut lost = held(&self.lost);
        *lost.entry(stream.to_owned()).or_default() += 1;
        let summary = lost.iter().map(|(stream, times)| format!("{stream} ({times})")).collect::<Vec<_>>().join(", ");
        self.conditions.raise(Condition {
            name: "rasid_stream_gap".to_owned(),
            summary: format!("Records are lost since the start: {summary}; the service's log says which offsets"),
            runbook: Some("docs/runbooks/stream_gap.md".to_owned()),
        });
    }

    fn stopped(&self, stream: &str, why: Option<String>) {
        let mut stopped = held(&self.stopped);
        self.notices.stopped(stream, why.clone());
        match why {
            Some(why) => drop(stopped.insert(stream.to_owned(), why)),
            None => drop(stopped.remove(stream)),
        }
        if stopped.is_empty() {
            self.conditions.end(STOPPED);
            return;
        }
        self.conditions.raise(Condition {
            name: STOPPED.to_owned(),
            summary: format!("Not read any more, the other streams are: {}", stopped.values().cloned().collect::<Vec<_>>().join("; ")),
            runbook: Some("docs/runbooks/stream_stopped.md".to_owned()),
        });
    }
}

impl Observer for Watching {
    fn notice(&self, stream: &str, notice: &Notice<'_>) {
        let alert = notice.is_ops_alert();
        let fault = matches!(notice, Notice::Fault { .. });
        self.notices.count(stream, notice.kind(), alert && !fault, fault);
        match notice {
            Notice::Fault { error, .. } if alert => self.stopped(stream, Some(Chain(*error).to_string())),
            Notice::Recovered { .. } => self.stopped(stream, None),
            _ if alert => self.lost(stream),
            _ => {}
        }
        if alert {
            tracing::error!(stream, kind = notice.kind(), ?notice, "a stream has lost records, or cannot be read");
        } else {
            tracing::info!(stream, kind = notice.kind(), ?notice, "a stream has news");
        }
    }
}

#[cfg(test)]
mod tests {
    use rasid_connectors::Error;
    use rasid_connectors::source::Missing;

    use super::*;

    fn unfit(stream: &str, why: &str) -> Error {
        Error::Unfit { stream: stream.to_owned(), why: why.to_owned() }
    }

    #[test]
    fn a_stream_that_stops_is_a_condition_until_it_is_read_again() {
        let (notices, conditions) = (Arc::new(Notices::default()), Conditions::default());
        let watching = Watching::new(&notices, &conditions);
        let fault = |stream: &str, error: &Error| watching.notice(stream, &Notice::Fault { error, attempt: 1, retry_in_ms: Some(1_000) });
        let said = || conditions.holding().into_iter().map(|condition| (condition.name, condition.summary)).collect::<Vec<_>>();
        fault("fluvio:auth/0", &Error::Unavailable { stream: "fluvio:auth/0".to_owned(), source: "an outage".into() });
        assert_eq!(said(), [], "an outage is waited out");
        fault("fluvio:auth", &unfit("fluvio:auth", "there is no such topic"));
        fault("fluvio:gps", &unfit("fluvio:gps", "its segments are too large"));
        let (name, summary) = said().pop().expect("a condition");
        assert_eq!((name.as_str(), said().len()), (STOPPED, 1));
        assert!(summary.contains("fluvio:auth") && summary.contains("no such topic") && summary.contains("too large"), "{summary}");
        assert_eq!(notices.of("fluvio:auth").stopped.as_deref(), Some("fluvio:auth cannot be read: there is no such topic"));
        watching.notice("fluvio:auth", &Notice::Recovered { attempts: 1 });
        assert!(said().pop().is_some_and(|(_, summary)| !summary.contains("fluvio:auth")), "the other one stands");
        watching.notice("fluvio:gps", &Notice::Recovered { attempts: 1 });
        assert_eq!(said(), []);
        assert_eq!(notices.of("fluvio:auth").stopped, None);
    }

    #[test]
    fn what_is_lost_is_counted_and_stands() {
        let (notices, conditions) = (Arc::new(Notices::default()), Conditions::default());
        let watching = Watching::new(&notices, &conditions);
        watching.notice("fluvio:auth/0", &Notice::Remade { read: 41 });
        watching.notice("fluvio:auth/0", &Notice::Lost(Missing { from: 42, to: 50 }));
        watching.notice("fluvio:auth/0", &Notice::Recovered { attempts: 1 });
        let standing = conditions.holding();
        assert_eq!(standing.iter().map(|condition| condition.name.as_str()).collect::<Vec<_>>(), ["rasid_stream_gap"]);
        assert!(standing[0].summary.contains("fluvio:auth/0 (2)"), "{}", standing[0].summary);
        assert_eq!((notices.of("fluvio:auth/0").lost, notices.of("fluvio:auth/0").faults), (2, 0));
    }
}
