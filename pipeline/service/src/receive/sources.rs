//! The sources that the settings ask for, brought together into the log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rasid_connectors::ingest::http::{Ingest, IngestConfig};
use rasid_connectors::seal::Keyring;
use rasid_connectors::source::{
    DirectoryConfig, FileConfig, FileOpener, Footing, Lags, Merge, MergeConfig, MergeHandle, Observer, State, StdinOpener, follow_directory,
};
use rasid_connectors::storage::Storage;
use rasid_connectors::tokens::TokenFile;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::Clock;
use crate::decide::log_thread::LogAppender;
use crate::error::StartError;
use crate::health::conditions::Conditions;
use crate::health::ended::Ended;
use crate::receive::streams::{Notices, Watching};
use crate::recover::remembered;
use crate::settings;

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
    pub(crate) data_dir: &'a Path,
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
    settings: &settings::Sources,
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
    let reads = settings.fluvio.endpoint.is_some() || settings.jsonl.reads();
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
    settings: &settings::Sources,
    handle: &MergeHandle,
    observer: &Arc<dyn Observer>,
    storage: &Arc<dyn Storage>,
    followers: &mut JoinSet<()>,
) {
    for path in &settings.jsonl.files {
        handle.add(Arc::new(FileOpener::once(path, FileConfig::default(), Arc::clone(observer)))).await;
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
        let (dir, rotate_wait) = (PathBuf::from(dir), Duration::from_secs(settings.jsonl.rotate_wait_s.into()));
        followers
            .spawn(async move { follow_directory(&dir, DirectoryConfig { rotate_wait, ..DirectoryConfig::default() }, footing).await });
    }
}

/// `POST /v1/events`, if it is on. What the log's tail holds of deliveries is known again.
fn http(settings: &settings::Sources, around: &Surroundings<'_>) -> Result<Option<Arc<Ingest<LogAppender>>>, StartError> {
    let Surroundings { log, storage, keys, clock, data_dir, .. } = *around;
    let http = &settings.http;
    if !http.enabled {
        return Ok(None);
    }
    let producers = http.producers.iter().map(|(name, producer)| {
        let webhook = |secret| settings::webhook(&format!("the secret of the producer {name}"), secret);
        Ok((name.clone(), producer.secret.as_ref().map(webhook).transpose()?))
    });
    let config = IngestConfig {
        body_bytes_max: http.body_bytes_max as usize,
        unpacked_bytes_max: http.unpacked_bytes_max as usize,
        bodies_bytes_max: http.bodies_bytes_max as usize,
        events_max: http.request_events_max as usize,
        events_per_s: http.events_per_s_max,
        burst: http.events_burst_max,
        concurrent: http.requests_max as usize,
        ids_max: http.webhook_ids_max as usize,
        ..IngestConfig::default()
    };
    let tokens = TokenFile::of(data_dir);
    let ingest = Ingest::new(config, producers.collect::<Result<_, StartError>>()?, tokens, log.clone(), clock.clone());
    for producer in ingest.unheard() {
        tracing::warn!(producer, "a producer has neither a secret nor a token: nothing that it sends is taken");
    }
    remembered::tell(storage, keys, clock.wall_ms(), |logged, age_ms| ingest.remember(logged, age_ms)).map_err(StartError::outside)?;
    Ok(Some(ingest))
}

/// Reads every partition of the configured topics. A topic that is not there or unfit stops alone.
#[cfg(feature = "fluvio")]
fn fluvio(
    settings: &settings::Sources,
    handle: &MergeHandle,
    observer: &Arc<dyn Observer>,
    followers: &mut JoinSet<()>,
) -> Result<(), StartError> {
    use rasid_connectors::source::fluvio::{FluvioConfig, Topic};
    let fluvio = &settings.fluvio;
    let Some(endpoint) = &fluvio.endpoint else { return Ok(()) };
    for topic in &fluvio.topics {
        let config = FluvioConfig { max_bytes: fluvio.fetch_bytes_max, ..FluvioConfig::new(endpoint, topic) };
        followers.spawn(Topic::new(config, Arc::clone(observer)).follow(handle.clone()));
    }
    Ok(())
}

/// Says that this program cannot.
#[cfg(not(feature = "fluvio"))]
fn fluvio(settings: &settings::Sources, _: &MergeHandle, _: &Arc<dyn Observer>, _: &mut JoinSet<()>) -> Result<(), StartError> {
    match &settings.fluvio.endpoint {
        None => Ok(()),
        Some(_) => Err(StartError::Configuration(
            "sources.fluvio is set, but this rasid was built without Fluvio: build it with `--features fluvio`".to_owned(),
        )),
    }
}
