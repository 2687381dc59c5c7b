//! The sources that the settings ask for, brought together into the log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rasid_connectors::ingest::http::{Ingest, IngestConfig};
use rasid_connectors::seal::Keyring;
use rasid_connectors::source::{
    DirectoryConfig, FileConfig, FileOpener, Footing, Lags, Merge, MergeConfig, MergeHandle, Notice, Observer, State, StdinOpener,
    follow_directory,
};
use rasid_connectors::storage::Storage;
use rasid_connectors::tokens::TokenFile;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::Clock;
use crate::decide::log_thread::LogAppender;
use crate::deliver::sinks;
use crate::operate::tally::Notices;
use crate::operate::watchman::{Condition, Conditions};
use crate::recover::remembered;
use crate::running::Ended;
use crate::settings::SourcesSettings;
use crate::start::held;
use crate::{Chain, StartError};

/// The condition that a stream is not read.
const STOPPED: &str = "rasid_stream_stopped";

/// Most followed files that are open at once, in all folders; others wait for their turn. Half of the descriptors that
/// connections leave to everything else.
const OPEN_FILES_MAX: usize = 128;

/// What runs of them.
pub(crate) struct Sources {
    lags: Lags,
    merge: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    followers: JoinSet<()>,
    ingest: Option<Arc<Ingest<LogAppender>>>,
}

impl Sources {
    /// Where each stream stands.
    pub(crate) fn lags(&self) -> Lags {
        self.lags.clone()
    }

    /// What receives events over HTTP.
    pub(crate) fn ingest(&self) -> Option<Arc<Ingest<LogAppender>>> {
        self.ingest.clone()
    }

    /// Says whether every stream has given all it has.
    pub(crate) fn quiet(&self) -> impl Fn() -> bool + Send + use<> {
        let lags = self.lags.clone();
        move || lags.each().iter().all(|lag| matches!(lag.state, State::AtHead | State::Ended))
    }

    /// Stops reading; what was handed over is waited for.
    pub(crate) async fn stop(mut self) {
        if let Some(ingest) = &self.ingest {
            ingest.stop();
        }
        self.followers.shutdown().await;
        if let Some((stop, merging)) = self.merge.take() {
            drop(stop);
            drop(merging.await); // a merge that failed has said why
        }
    }
}

/// What sources are started with.
pub(crate) struct Surroundings<'a> {
    pub(crate) log: &'a LogAppender,
    pub(crate) storage: &'a Arc<dyn Storage>,
    pub(crate) keys: &'a Keyring,
    pub(crate) notices: &'a Arc<Notices>,
    pub(crate) conditions: &'a Conditions,
    pub(crate) ended: &'a Ended,
    pub(crate) clock: &'a Clock,
}

/// Starts what the settings ask for, each stream behind the newest offset that the log has of it.
pub(crate) async fn start(
    settings: &SourcesSettings,
    offsets: BTreeMap<String, u64>,
    around: Surroundings<'_>,
) -> Result<Sources, StartError> {
    let Surroundings { log, notices, conditions, ended, .. } = around;
    let ingest = http(settings, &around)?;
    let observer: Arc<dyn Observer> = Arc::new(Watching::new(notices, conditions));
    let (merge, handle) = Merge::new(MergeConfig::default(), offsets, Arc::clone(&observer));
    let lags = handle.lags().clone();
    let mut followers = JoinSet::new();
    fluvio(settings, &handle, &observer, &mut followers)?;
    // The merge runs before it is given files, because it takes only so many at once.
    let (stop, stopped) = oneshot::channel::<()>();
    let (of_merge, log) = (ended.clone(), log.clone());
    // Who sends over HTTP is no stream of the merge: where nobody else is, nothing has ended.
    let reads = settings.fluvio.is_some() || settings.jsonl.reads();
    let merging = tokio::spawn(async move {
        let merged = merge.run(log, async { drop(stopped.await) }).await;
        let merged = merged.map(|merged| {
            if reads {
                tracing::info!(records = merged.records, "no source is left to read");
            }
        });
        of_merge.unless_ok("the sources", merged);
    });
    add_files(settings, &handle, &observer, around.storage, &mut followers).await;
    Ok(Sources { lags, merge: Some((stop, merging)), followers, ingest })
}

/// What the names of a followed folder's streams begin with, before the `/`.
pub(crate) fn folder_stream(dir: &Path) -> String {
    format!("jsonl:{}", dir.display())
}

async fn add_files(
    settings: &SourcesSettings,
    handle: &MergeHandle,
    observer: &Arc<dyn Observer>,
    storage: &Arc<dyn Storage>,
    followers: &mut JoinSet<()>,
) {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    for path in &settings.jsonl.files {
        handle.add(Arc::new(FileOpener::once(&text(path), FileConfig::default(), Arc::clone(observer)))).await;
    }
    if settings.jsonl.stdin {
        handle.add(Arc::new(StdinOpener::new(FileConfig::default(), Arc::clone(observer)))).await;
    }
    let places = Arc::new(Semaphore::new(OPEN_FILES_MAX));
    for dir in &settings.jsonl.follow_dirs {
        let footing = Footing {
            handle: handle.clone(),
            observer: Arc::clone(observer),
            places: Arc::clone(&places),
            storage: Some(Arc::clone(storage)),
        };
        let (dir, rotate_wait) = (dir.clone(), Duration::from_secs(settings.jsonl.rotate_wait_s.into()));
        followers
            .spawn(async move { follow_directory(&dir, DirectoryConfig { rotate_wait, ..DirectoryConfig::default() }, footing).await });
    }
}

/// Counts what streams tell, and says what a person must know.
struct Watching {
    notices: Arc<Notices>,
    conditions: Conditions,
    /// Streams that have lost records, with how often.
    lost: Mutex<BTreeMap<String, u64>>,
    /// Streams that are not read until somebody does something about it, and why.
    stopped: Mutex<BTreeMap<String, String>>,
}

impl Watching {
    fn new(notices: &Arc<Notices>, conditions: &Conditions) -> Self {
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

/// `POST /v1/events`, if it is on. What the log's tail holds of deliveries is known again.
fn http(settings: &SourcesSettings, around: &Surroundings<'_>) -> Result<Option<Arc<Ingest<LogAppender>>>, StartError> {
    let Surroundings { log, storage, keys, clock, .. } = *around;
    let Some(http) = &settings.http else { return Ok(None) };
    let producers = http.producers.iter().map(|(name, secrets)| {
        let webhook = || sinks::webhook(&format!("the secret of the producer {name}"), secrets);
        Ok((name.clone(), if secrets.is_empty() { None } else { Some(webhook()?) }))
    });
    let config = IngestConfig {
        body_bytes_max: http.body_bytes_max,
        unpacked_bytes_max: http.unpacked_bytes_max,
        bodies_bytes_max: http.bodies_bytes_max,
        events_max: http.request_events_max,
        events_per_s: http.events_per_s_max,
        burst: http.events_burst_max,
        concurrent: http.requests_max,
        ids_max: http.webhook_ids_max,
        ..IngestConfig::default()
    };
    let tokens = TokenFile::of(&http.tokens_dir);
    let ingest = Ingest::new(config, producers.collect::<Result<_, StartError>>()?, tokens, log.clone(), clock.clone());
    for producer in ingest.unheard() {
        tracing::warn!(producer, "a producer has neither a secret nor a token: nothing that it sends is taken");
    }
    remembered::tell(storage, keys, clock.wall_ms(), |logged, age_ms| ingest.remember(logged, age_ms))
        .map_err(|error| StartError::Outside(Box::new(error)))?;
    Ok(Some(ingest))
}

/// Reads every partition of the configured topics. A topic that is not there or unfit stops alone.
#[cfg(feature = "fluvio")]
fn fluvio(
    settings: &SourcesSettings,
    handle: &MergeHandle,
    observer: &Arc<dyn Observer>,
    followers: &mut JoinSet<()>,
) -> Result<(), StartError> {
    use rasid_connectors::source::fluvio::{FluvioConfig, Topic};
    let Some(fluvio) = &settings.fluvio else { return Ok(()) };
    for topic in &fluvio.topics {
        let config = FluvioConfig { max_bytes: fluvio.fetch_bytes_max, ..FluvioConfig::new(&fluvio.endpoint, topic) };
        followers.spawn(Topic::new(config, Arc::clone(observer)).follow(handle.clone()));
    }
    Ok(())
}

/// Says that this program cannot.
#[cfg(not(feature = "fluvio"))]
fn fluvio(settings: &SourcesSettings, _: &MergeHandle, _: &Arc<dyn Observer>, _: &mut JoinSet<()>) -> Result<(), StartError> {
    match &settings.fluvio {
        None => Ok(()),
        Some(_) => Err(StartError::Configuration(
            "sources.fluvio is set, but this rasid was built without Fluvio: build it with `--features fluvio`".to_owned(),
        )),
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
