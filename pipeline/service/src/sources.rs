//! The sources that the settings ask for, brought together into the log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rasid_connectors::source::{
    DirectoryConfig, FileConfig, FileOpener, Lags, Merge, MergeConfig, MergeHandle, Notice, Observer, State, StdinOpener, follow_directory,
};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::log_writer::LogAppender;
use crate::running::Ended;
use crate::settings::SourcesSettings;
use crate::start::held;
use crate::tally::Notices;
use crate::watchman::{Condition, Conditions};

/// What runs of them.
pub(crate) struct Sources {
    lags: Lags,
    merge: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    followers: JoinSet<()>,
}

impl Sources {
    /// Where each stream stands.
    pub(crate) fn lags(&self) -> Lags {
        self.lags.clone()
    }

    /// Says whether every stream has given all it has.
    pub(crate) fn quiet(&self) -> impl Fn() -> bool + Send + use<> {
        let lags = self.lags.clone();
        move || lags.each().iter().all(|lag| matches!(lag.state, State::AtHead | State::Ended))
    }

    /// Stops reading; what was handed over is waited for.
    pub(crate) async fn stop(mut self) {
        self.followers.shutdown().await;
        if let Some((stop, merging)) = self.merge.take() {
            drop(stop);
            drop(merging.await); // a merge that failed has said why
        }
    }
}

/// Starts what the settings ask for, each stream behind the newest offset that the log has of it.
pub(crate) async fn start(
    settings: &SourcesSettings,
    offsets: BTreeMap<String, u64>,
    log: LogAppender,
    notices: &Arc<Notices>,
    conditions: &Conditions,
    ended: &Ended,
) -> Sources {
    let observer: Arc<dyn Observer> =
        Arc::new(Watching { notices: Arc::clone(notices), conditions: conditions.clone(), said: Mutex::default() });
    let (merge, handle) = Merge::new(MergeConfig::default(), offsets, Arc::clone(&observer));
    let lags = handle.lags().clone();
    let mut followers = JoinSet::new();
    add_files(settings, &handle, &observer, &mut followers, ended).await;
    drop(handle);
    let (stop, stopped) = oneshot::channel::<()>();
    let of_merge = ended.clone();
    let merging = tokio::spawn(async move {
        let stop = async { drop(stopped.await) };
        of_merge.unless_ok(
            "the sources",
            merge.run(log, stop).await.map(|merged| {
                tracing::info!(records = merged.records, "no source is left to read");
            }),
        );
    });
    Sources { lags, merge: Some((stop, merging)), followers }
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
            summary: format!("Records are lost, or a stream is given up: {summary}; the service's log says which offsets"),
            runbook: Some("docs/runbooks/stream_gap.md".to_owned()),
        });
    }
}
