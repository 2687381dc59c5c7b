//! The sources that the settings ask for, brought together into the log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rasid_connectors::ingest::http::{Ingest, IngestConfig};
use rasid_connectors::seal::Keyring;
use rasid_connectors::source::{
    DirectoryConfig, FileConfig, FileOpener, Lags, Merge, MergeConfig, MergeHandle, Notice, Observer, State, StdinOpener, follow_directory,
};
use rasid_connectors::storage::Storage;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::Clock;
use crate::log_writer::LogAppender;
use crate::remembered;
use crate::running::Ended;
use crate::settings::SourcesSettings;
use crate::start::held;
use crate::tally::Notices;
use crate::watchman::{Condition, Conditions};
use crate::{StartError, sinks};

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
    let observer: Arc<dyn Observer> =
        Arc::new(Watching { notices: Arc::clone(notices), conditions: conditions.clone(), said: Mutex::default() });
    let (merge, handle) = Merge::new(MergeConfig::default(), offsets, Arc::clone(&observer));
    let lags = handle.lags().clone();
    let mut followers = JoinSet::new();
    fluvio(settings, &handle, &observer, &mut followers, ended)?;
    // The merge runs before it is given files, because it takes only so many at once.
    let (stop, stopped) = oneshot::channel::<()>();
    let (of_merge, log) = (ended.clone(), log.clone());
    let merging = tokio::spawn(async move {
        let merged = merge.run(log, async { drop(stopped.await) }).await;
        let merged = merged.map(|merged| tracing::info!(records = merged.records, "no source is left to read"));
        of_merge.unless_ok("the sources", merged);
    });
    add_files(settings, &handle, &observer, &mut followers, ended).await;
    Ok(Sources { lags, merge: Some((stop, merging)), followers, ingest })
}

async fn add_files(
    settings: &SourcesSettings,
    handle: &MergeHandle,
    observer: &Arc<dyn Observer>,
    followers: &mut JoinSet<()>,
    ended: &Ended,
) {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    for path in &settings.jsonl.files {
        handle.add(Arc::new(FileOpener::once(&text(path), FileConfig::default(), Arc::clone(observer)))).await;
    }
    if settings.jsonl.stdin {
        handle.add(Arc::new(StdinOpener::new(FileConfig::default(), Arc::clone(observer)))).await;
    }
    for dir in &settings.jsonl.follow_dirs {
        let (dir, handle, observer, ended) = (text(dir), handle.clone(), Arc::clone(observer), ended.clone());
        followers.spawn(async move {
            ended.unless_ok("a followed folder", follow_directory(&dir, DirectoryConfig::default(), handle, observer).await);
        });
    }
}

/// Counts what streams tell, and says what a person must know.
struct Watching {
    notices: Arc<Notices>,
    conditions: Conditions,
    /// Streams that have lost records, with how often.
    said: Mutex<BTreeMap<String, u64>>,
}

impl Observer for Watching {
    fn notice(&self, stream: &str, notice: &Notice<'_>) {
        let alert = notice.is_ops_alert();
        self.notices.count(stream, alert, matches!(notice, Notice::Fault { .. }));
        if !alert {
            tracing::info!(stream, kind = notice.kind(), ?notice, "a stream has news");
            return;
        }
        tracing::error!(stream, kind = notice.kind(), ?notice, "a stream has lost records, or cannot be read");
        let mut said = held(&self.said);
        *said.entry(stream.to_owned()).or_default() += 1;
        let summary = said.iter().map(|(stream, times)| format!("{stream} ({times})")).collect::<Vec<_>>().join(", ");
        self.conditions.raise(Condition {
            name: "rasid_stream_gap".to_owned(),
            summary: format!("Records are lost, or a stream is given up, since the start: {summary}; the service's log says which offsets"),
            runbook: Some("docs/runbooks/stream_gap.md".to_owned()),
        });
    }
}

/// `POST /v1/events`, if it is on. What the log's tail holds of deliveries is known again.
fn http(settings: &SourcesSettings, around: &Surroundings<'_>) -> Result<Option<Arc<Ingest<LogAppender>>>, StartError> {
    let Surroundings { log, storage, keys, clock, .. } = *around;
    let Some(http) = &settings.http else { return Ok(None) };
    let producers = http.producers.iter().map(|(name, secrets)| {
        let webhook = sinks::webhook(&format!("the secret of the producer {name}"), secrets)?;
        Ok((name.clone(), webhook))
    });
    let config = IngestConfig {
        body_bytes_max: http.body_bytes_max,
        bodies_bytes_max: http.bodies_bytes_max,
        events_max: http.request_events_max,
        events_per_s: http.events_per_s_max,
        burst: http.events_burst_max,
        concurrent: http.requests_max,
        ids_max: http.webhook_ids_max,
        ..IngestConfig::default()
    };
    let ingest = Ingest::new(config, producers.collect::<Result<_, StartError>>()?, log.clone(), clock.clone());
    remembered::tell(storage, keys, clock.wall_ms(), |logged, age_ms| ingest.remember(logged, age_ms))
        .map_err(|error| StartError::Outside(Box::new(error)))?;
    Ok(Some(ingest))
}

/// Reads every partition of the configured topics.
#[cfg(feature = "fluvio")]
fn fluvio(
    settings: &SourcesSettings,
    handle: &MergeHandle,
    observer: &Arc<dyn Observer>,
    followers: &mut JoinSet<()>,
    ended: &Ended,
) -> Result<(), StartError> {
    use rasid_connectors::source::fluvio::{FluvioConfig, Topic};
    let Some(fluvio) = &settings.fluvio else { return Ok(()) };
    for topic in &fluvio.topics {
        let config = FluvioConfig { max_bytes: fluvio.fetch_bytes_max, ..FluvioConfig::new(&fluvio.endpoint, topic) };
        let following = Topic::new(config, Arc::clone(observer)).follow(handle.clone());
        let ended = ended.clone();
        followers.spawn(async move { ended.unless_ok("a Fluvio topic", following.await) });
    }
    Ok(())
}

/// Says that this program cannot.
#[cfg(not(feature = "fluvio"))]
fn fluvio(settings: &SourcesSettings, _: &MergeHandle, _: &Arc<dyn Observer>, _: &mut JoinSet<()>, _: &Ended) -> Result<(), StartError> {
    match &settings.fluvio {
        None => Ok(()),
        Some(_) => Err(StartError::Configuration(
            "sources.fluvio is set, but this rasid was built without Fluvio: build it with `--features fluvio`".to_owned(),
        )),
    }
}
