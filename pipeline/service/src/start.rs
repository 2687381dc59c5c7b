//! The service put together: what the data folder holds is taken up, then every part is started.

mod rules;
mod shared;
mod sinks;
mod threads;

use std::path::Path;
use std::sync::Arc;

use rasid_connectors::ingest::http::Ingest;
use rasid_connectors::snapshot::SnapshotStore;
#[cfg(feature = "archive")]
use rasid_connectors::{
    seal::{Keyring, Secrets},
    storage::Storage,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

#[cfg(feature = "archive")]
use crate::archive::thread::ArchiveThread;
use crate::clock::{Clock, JUMP_MS, Now};
use crate::decide::engine_thread::SnapshotJob;
use crate::decide::figures::Queue;
use crate::decide::log_thread::{LogAppender, log_thread};
use crate::decide::route::Routes;
use crate::decide::snapshot_task::SnapshotTask;
use crate::decide::ticker::Ticker;
use crate::deliver::back_pressure;
use crate::error::StartError;
use crate::health::hindrance::Hindrances;
use crate::operate::control::Restored;
use crate::operate::operator::Operator;
use crate::operate::rules::Catalogue;
use crate::operate::tally::Tally;
use crate::operate::watchman::Watchman;
use crate::receive::sources::{self, Sources};
use crate::recover::open::{Opened, open};
use crate::recover::take_up::Recovered;
use crate::running::{Parts, Running};
use crate::settings::Settings;
use crate::start::rules::FirstRules;
use crate::start::shared::{Ends, Shared, share};
use crate::start::sinks::SinkTasks;
use crate::start::threads::Threads;

/// Takes up what the data folder holds and starts all parts.
///
/// # Errors
/// [`StartError`]: nothing was started.
pub(crate) async fn start(settings: Settings, clock: Clock, hindrances: Hindrances) -> Result<Running, StartError> {
    let routes = Routes::of(&settings.sinks);
    // The folder first: a second service must not even read what the first one writes.
    let Opened { lock, storage, keys, secrets, audit, recovered } = open(&settings, routes, &hindrances).await?;
    let rules = FirstRules::judged(&settings, &secrets, &recovered, &clock).await?;
    let (started, behind_ms) = begin(&clock, recovered.opened.newest_ms);
    let restored = restored(&recovered, routes, rules.hash(), behind_ms);
    let (shared, ends) = share(&recovered, audit, (clock, started), routes, hindrances);
    let Recovered { log, opened, reader, worker, outbox, store, dead_letters, snapshots, rulesets, .. } = recovered;

    let (paused, is_paused) = watch::channel(false);
    let (progress, figures) = (Arc::clone(&shared.progress), &shared.figures);
    let (appender, log) = log_thread(log, progress, is_paused, Arc::clone(&figures.log), shared.hindrances.clone(), shared.clock.clone());
    let sinks = sinks::start(&settings, &shared)?;
    let (snapshot_jobs, jobs) = mpsc::channel(1);
    let Ends { messages, asked, for_store, committed, stored, draining } = ends;
    let threads = Threads {
        log,
        reader,
        worker,
        dead_letters,
        messages,
        asked,
        for_store,
        committed,
        stored,
        snapshots: snapshot_jobs,
        snapshot_every_ms: i64::try_from(settings.snapshot.interval_ms()).unwrap_or(i64::MAX),
        ahead: sinks.ahead.clone(),
        sinks: sinks.notifies.clone(),
        #[cfg(feature = "archive")]
        archive: archive(&settings, &shared, (&storage, &keys), &secrets, (opened.first, opened.next - 1))?,
    };
    let threads = threads.start(&shared)?;

    let switching = rules.into_force(&shared, &appender).await?;
    let around = sources::Surroundings {
        data_dir: &settings.data_dir,
        log: &appender,
        storage: &storage,
        keys: &keys,
        notices: &shared.figures.notices,
        conditions: &shared.conditions,
        ended: &shared.ended,
        clock: &shared.clock,
    };
    let sources = sources::start(&settings.sources, opened.offsets, around).await?;
    let tally = Arc::new(tally(&settings, &shared, &appender, &sinks, &sources));
    let snapshot_task = tokio::spawn(snapshots_task(&settings, &shared, &appender, snapshots, jobs).run());
    let mut tasks = lookers(&settings, &shared, &appender, &sinks, &sources, &tally);
    tasks.spawn(switching.run(settings.rules.poll_ms()));
    let pausing = back_pressure::pause(
        Arc::clone(&outbox),
        settings.outbox.bytes_max,
        routes,
        shared.hindrances.clone(),
        Arc::clone(&shared.stopping),
        paused,
    );
    let pausing = tokio::spawn(pausing);
    let receiving = sources.ingest().map(Ingest::router);
    let Shared { clock, started, progress, figures, audit, asks, stored, stopping, hindrances, ended, .. } = shared;
    let operator = Operator {
        storage,
        keys,
        log: appender.clone(),
        outbox,
        store,
        stored,
        audit,
        figures: figures.engine,
        tally,
        catalogue: Catalogue::new(rulesets),
        asks: asks.clone(),
        progress: Arc::clone(&progress),
        sinks: sinks.notifies,
        pager: sinks.pager,
        instance: settings.instance,
        started,
        restored: restored.clone(),
        draining: Arc::clone(&stopping),
        clock,
    };
    Ok(Running::new(Parts {
        operator: Arc::new(operator),
        restored,
        sources,
        router: receiving,
        appender,
        progress,
        asks,
        tasks,
        pausing,
        sink_tasks: sinks.tasks,
        snapshot_task,
        threads,
        draining,
        stopping,
        hindrances,
        ended,
        lock,
    }))
}

/// What archives the log, whose first and last positions those are, where it is on.
#[cfg(feature = "archive")]
fn archive(
    settings: &Settings,
    shared: &Shared,
    (storage, keys): (&Arc<dyn Storage>, &Keyring),
    secrets: &Secrets,
    (first, last): (u64, u64),
) -> Result<Option<ArchiveThread>, StartError> {
    let Some(folder) = &settings.archive.dir else { return Ok(None) };
    let known = secrets.pseudonymizers().map_err(StartError::outside)?;
    let current = known.last().cloned().ok_or_else(|| StartError::Configuration("there is no pseudonym secret".to_owned()))?;
    let thread = ArchiveThread {
        folder: folder.into(),
        retention_ms: settings.archive.retention_ms(),
        storage: Arc::clone(storage),
        keys: keys.clone(),
        current,
        known,
        committed: shared.committed.clone(),
        runtime: tokio::runtime::Handle::current(),
        figures: Arc::clone(&shared.figures.archive),
        hindrances: shared.hindrances.clone(),
    };
    thread.check(first, last)?;
    Ok(Some(thread))
}

/// When it starts, and how far the log's newest entry lies behind that, ms.
fn begin(clock: &Clock, newest_ms: Option<i64>) -> (Now, Option<i64>) {
    if let Some(newest_ms) = newest_ms {
        clock.was(newest_ms);
    }
    let started = clock.now();
    let behind_ms = newest_ms.map(|newest_ms| started.wall_ms.saturating_sub(newest_ms));
    if let Some(ahead_ms) = behind_ms.map(i64::wrapping_neg).filter(|ahead_ms| *ahead_ms > JUMP_MS) {
        tracing::warn!(ahead_ms, "the log's newest entry was stamped by a clock that is ahead of the one now");
    }
    (started, behind_ms.map(|behind_ms| behind_ms.max(0)))
}

/// What is taken up, for people.
fn restored(recovered: &Recovered, routes: Routes, ruleset: &str, behind_ms: Option<i64>) -> Restored {
    let Recovered { opened, outbox, snapshot, refused, anew, uncompared, .. } = recovered;
    Restored {
        snapshot: *snapshot,
        refused: refused.clone(),
        anew: anew.clone(),
        committed: outbox.position(),
        log_last: opened.next - 1,
        cut_bytes: opened.cut.as_ref().map(|cut| cut.bytes),
        uncompared: *uncompared,
        pending: routes.names().map(|sink| outbox.depth(sink)).sum(),
        ruleset: ruleset.to_owned(),
        behind_ms,
    }
}

/// The figures of all parts.
fn tally(settings: &Settings, shared: &Shared, log: &LogAppender, sinks: &SinkTasks, sources: &Sources) -> Tally {
    let mut queues = vec![log.queue(), Queue::behind("commit", &shared.commits)];
    queues.extend(sinks.ahead.as_ref().map(|ahead| Queue::behind("redis", ahead)));
    Tally {
        figures: shared.figures.clone(),
        progress: Arc::clone(&shared.progress),
        committed: shared.committed.clone(),
        outbox: Arc::clone(&shared.outbox),
        store: Arc::clone(&shared.store),
        outbox_bytes_max: settings.outbox.bytes_max,
        routes: shared.routes,
        queues,
        sinks: sinks.stats.clone(),
        redis: sinks.redis.clone(),
        lags: sources.lags(),
        folders: settings.sources.jsonl.follow_dirs.iter().map(|dir| sources::folder_stream(Path::new(dir))).collect(),
        ingest: sources.ingest(),
        draining: Arc::clone(&shared.stopping),
        broken: shared.ended.why(),
        hindrances: shared.hindrances.clone(),
    }
}

fn snapshots_task(
    settings: &Settings,
    shared: &Shared,
    log: &LogAppender,
    snapshots: SnapshotStore,
    jobs: mpsc::Receiver<SnapshotJob>,
) -> SnapshotTask {
    SnapshotTask {
        snapshots,
        jobs,
        committed: shared.committed.clone(),
        store: shared.to_store.downgrade(),
        stored: shared.stored.clone(),
        outbox: Arc::clone(&shared.outbox),
        log: log.clone(),
        stats: Arc::clone(&shared.figures.snapshot),
        hindrances: shared.hindrances.clone(),
        parked_retention_ms: settings.log.dead_letter_retention_ms(),
        clock: shared.clock.clone(),
    }
}

/// Starts the tasks that only look: they are dropped when the rest ends.
fn lookers(
    settings: &Settings,
    shared: &Shared,
    log: &LogAppender,
    sinks: &SinkTasks,
    sources: &Sources,
    tally: &Arc<Tally>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let ticker = Ticker {
        log: log.clone(),
        quiet: sources.quiet(),
        figures: Arc::clone(&shared.figures.engine),
        lateness_ms: settings.engine.lateness_ms(),
        clock: shared.clock.clone(),
    };
    tasks.spawn(ticker.run());
    if let Some(pager) = &sinks.pager {
        let (conditions, commits) = (shared.conditions.clone(), shared.commits.clone());
        tasks.spawn(Watchman::new(pager.clone(), conditions, Arc::clone(tally), commits, shared.clock.clone()).run());
    }
    tasks
}
