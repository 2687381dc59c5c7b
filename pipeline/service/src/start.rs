//! The service put together: what the data folder holds is taken up, then every part is started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rasid_connectors::audit::Audit;
use rasid_connectors::ingest::http::Ingest;
use rasid_connectors::log::{Control as ControlRecord, LogConfig, Settings as LogMeaning};
use rasid_connectors::outbox::Outbox;
use rasid_connectors::seal::Keyring;
use rasid_connectors::storage::{Disk, Storage};
use rasid_engine::Pseudonymizer;
use rasid_rules::ruleset::Ruleset;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::clock::{Clock, Now, age_ms};
use crate::commit::Committer;
use crate::commit_thread::CommitThread;
use crate::control::Restored;
use crate::delivery::Delivery;
use crate::dispatch::Queue;
use crate::engine_thread::{EngineFigures, EngineThread};
use crate::log_writer::{LogAppender, log_thread};
use crate::operator::Operator;
use crate::progress::Progress;
use crate::recover::{FolderLock, Layout, Recovered, layout, recover};
use crate::redis_task::RedisTask;
use crate::route::Routes;
use crate::rules_watch::{Refusal, RulesWatch};
use crate::running::{Ended, Parts, Running};
use crate::settings::Settings;
use crate::sinks::{self, Built};
use crate::snapshot_task::SnapshotTask;
use crate::sources;
use crate::stats::{RulesetStats, SinkStats, SnapshotStats};
use crate::switching::Switching;
use crate::tally::{self, LogFigures, Tally};
use crate::watchman::{Conditions, Watchman};
use crate::worker::EngineSetup;
use crate::{BoxError, StartError};

/// Steps that wait between engine and committer.
const STEPS_MAX: usize = 256;
/// Groups of changed scores that wait for Redis.
const AHEAD_MAX: usize = 256;
/// How often the outbox is compared with its bound, ms.
const PAUSE_CHECK_MS: u64 = 500;
/// Silence after which a tick is appended, ms.
const TICK_MS: u64 = 1_000;

/// Takes up what the data folder holds and starts all parts.
///
/// # Errors
/// [`StartError`]: nothing was started.
#[expect(clippy::too_many_lines, reason = "the parts in the order in which they start; cut up, each piece would hand a dozen of them on")]
pub(crate) async fn start(settings: Settings, clock: Clock) -> Result<Running, StartError> {
    let routes = routes(&settings);
    // The folder first: a second service must not even read what the first one writes.
    let opening = settings.clone();
    let opened = tokio::task::spawn_blocking(move || open(&opening, routes)).await;
    let Opened { lock, storage, keys, recovered } = opened.map_err(|error| StartError::Outside(Box::new(error)))??;
    let Recovered { log, opened, reader, worker, outbox, dead_letters, snapshots, rulesets, snapshot, refused } = recovered;

    // The rules, tested. A log that has none in force cannot begin without them; one that has goes on under those.
    let mut watch = RulesWatch::new(&settings.rules.dir);
    let loaded = watch.first(|| clock.wall_ms()).await;
    let in_force = opened.ruleset.clone();
    let meaning = LogMeaning {
        lateness_ms: settings.engine.lateness_ms,
        future_ms: settings.engine.future_ms,
        memory_max: settings.engine.memory_bytes_max,
    };
    let rules = loaded.as_ref().map_or(0, |ruleset| ruleset.rules.len() as u64);
    let (first_switch, refusal): (Option<Ruleset>, Option<Refusal>) = match (loaded, &in_force) {
        (Ok(ruleset), Some(switched)) if switched.ruleset == ruleset.hash && switched.settings == meaning => (None, None),
        (Ok(ruleset), _) => (Some(ruleset), None),
        (Err(refusal), Some(_)) => (None, Some(refusal)),
        (Err(refusal), None) => return Err(refusal.into()),
    };

    let in_force_hash = in_force.as_ref().map(|switched| switched.ruleset.clone());
    let started = clock.now();
    let last = opened.next - 1;
    let restored = Restored {
        snapshot,
        refused,
        committed: outbox.position(),
        log_last: last,
        cut_bytes: opened.cut.as_ref().map(|cut| cut.bytes),
        pending: routes.names().map(|sink| outbox.depth(sink)).sum(),
        ruleset: first_switch
            .as_ref()
            .map(|ruleset| ruleset.hash.clone())
            .or(in_force.map(|switched| switched.ruleset))
            .unwrap_or_default(),
        behind_ms: opened.newest_ms.map(|newest_ms| (started.wall_ms - newest_ms).max(0)),
    };

    let progress = Arc::new(Progress::new(last));
    let (paused, is_paused) = watch::channel(false);
    let (draining, is_draining) = watch::channel(false);
    let stopping = Arc::new(AtomicBool::new(false));
    let log_figures: Arc<LogFigures> = Arc::default();
    log_figures.first.store(opened.first, Ordering::Relaxed);
    let (appender, log_thread) = log_thread(log, Arc::clone(&progress), is_paused, Arc::clone(&log_figures), clock.clone());
    let (commits, messages) = mpsc::channel(STEPS_MAX);
    let mut queues = vec![appender.queue(), tally::Queue::behind("commit", &commits)];
    let (asks, asked) = mpsc::channel(4);
    let (snapshot_jobs, jobs) = mpsc::channel(1);
    let (committed, is_committed) = watch::channel(outbox.position());
    let figures = Arc::new(Mutex::new(EngineFigures { position: worker.position(), ..EngineFigures::default() }));
    let (latency, commits_total) = (Arc::default(), Arc::default());
    let snapshot_stats: Arc<Mutex<SnapshotStats>> = Arc::new(Mutex::new(SnapshotStats { position: snapshot, ..SnapshotStats::default() }));
    let ended = Ended::default();

    // Sinks.
    let Built { redis, others, pager } = sinks::build(&settings.sinks)?;
    let (mut notifies, mut sink_stats) = (Vec::new(), Vec::new());
    let mut sink_tasks = JoinSet::new();
    let mut next_sink = |name: &str| {
        let (more, stats) = (Arc::new(Notify::new()), Arc::new(Mutex::new(SinkStats { name: name.to_owned(), ..SinkStats::default() })));
        notifies.push(Arc::clone(&more));
        sink_stats.push(Arc::clone(&stats));
        (more, stats)
    };
    let seed = started.wall_ms.unsigned_abs(); // jitter only: instances that start together shall not knock together
    for (sink, config) in others {
        let (more, stats) = next_sink(sink.name());
        let queue = Queue::new(sink.name(), Arc::clone(&outbox), config, seed);
        let delivery = Delivery {
            sink,
            queue,
            more,
            commits: commits.clone(),
            stats,
            clock: clock.clone(),
            draining: is_draining.clone(),
            until_ms: None,
        };
        let ended = ended.clone();
        sink_tasks.spawn(async move { ended.unless_ok("a sink", delivery.run().await) });
    }
    let mut ahead = None;
    if let Some((sink, config)) = redis {
        let (sender, receiver) = mpsc::channel(AHEAD_MAX);
        queues.push(tally::Queue::behind("redis", &sender));
        ahead = Some(sender);
        let (more, stats) = next_sink(crate::route::REDIS);
        let queue = Queue::new(crate::route::REDIS, Arc::clone(&outbox), config, seed);
        let delivery = Delivery {
            sink: Box::new(sink),
            queue,
            more,
            commits: commits.clone(),
            stats,
            clock: clock.clone(),
            draining: is_draining.clone(),
            until_ms: None,
        };
        let task = RedisTask {
            delivery,
            ahead: receiver,
            asks: asks.clone(),
            progress: Arc::clone(&progress),
            figures: Arc::clone(&figures),
            latency: Arc::clone(&latency),
            instance: settings.instance.clone(),
        };
        let ended = ended.clone();
        sink_tasks.spawn(async move { ended.unless_ok("the Redis sink", task.run().await) });
    }

    // The three threads.
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| StartError::Outside(Box::new(error)))
    };
    let engine = EngineThread {
        worker,
        reader,
        progress: Arc::clone(&progress),
        commits,
        asks: asked,
        snapshots: snapshot_jobs,
        snapshot_every_ms: i64::try_from(settings.snapshot.interval_ms).unwrap_or(i64::MAX),
        figures: Arc::clone(&figures),
        clock: clock.clone(),
    };
    let commit = CommitThread {
        committer: Committer::new(Arc::clone(&outbox), dead_letters),
        messages,
        progress: Arc::clone(&progress),
        ahead,
        sinks: notifies.clone(),
        commits: Arc::clone(&commits_total),
        committed,
        clock: clock.clone(),
    };
    let (of_log, of_engine, of_commit) = (ended.clone(), ended.clone(), ended.clone());
    let threads = vec![
        spawn("log", Box::new(move || of_log.unless_ok("the log", log_thread.run())))?,
        spawn("engine", Box::new(move || of_engine.unless_ok("the engine", engine.run())))?,
        spawn("commit", Box::new(move || of_commit.unless_ok("the outbox", commit.run())))?,
    ];

    // Rules.
    let ruleset_stats = Arc::new(Mutex::new(RulesetStats { rules, ..RulesetStats::default() }));
    let conditions = Conditions::default();
    let mut switching =
        Switching::new(watch, rulesets, appender.clone(), meaning, in_force_hash, Arc::clone(&ruleset_stats), conditions.clone());
    if let Some(ruleset) = first_switch {
        switching.switch(ruleset).await.map_err(|error| StartError::Outside(Box::new(error)))?;
    }
    if let Some(refusal) = refusal {
        switching.refuse(&refusal);
    }

    let notices = Arc::default();
    let around = sources::Surroundings {
        log: &appender,
        storage: &storage,
        keys: &keys,
        notices: &notices,
        conditions: &conditions,
        ended: &ended,
        clock: &clock,
    };
    let sources = sources::start(&settings.sources, opened.offsets, around).await?;

    let tally = Arc::new(Tally {
        progress: Arc::clone(&progress),
        log: log_figures,
        figures: Arc::clone(&figures),
        committed: is_committed.clone(),
        snapshot: Arc::clone(&snapshot_stats),
        outbox: Arc::clone(&outbox),
        outbox_bytes_max: settings.outbox_bytes_max,
        routes,
        commits: commits_total,
        queues,
        sinks: sink_stats,
        ruleset: ruleset_stats,
        latency,
        lags: sources.lags(),
        ingest: sources.ingest(),
        notices,
        draining: Arc::clone(&stopping),
        broken: ended.why(),
    });

    let receiving = sources.ingest().map(Ingest::router);
    let mut tasks = JoinSet::new();
    let snapshots = SnapshotTask {
        store: snapshots,
        jobs,
        committed: is_committed,
        outbox: Arc::clone(&outbox),
        log: appender.clone(),
        stats: snapshot_stats,
        parked_retention_ms: settings.log.dead_letter_retention_ms,
        clock: clock.clone(),
    };
    let snapshot_task = tokio::spawn(snapshots.run());
    tasks.spawn(switching.run(settings.rules.poll_ms));
    let pausing = tokio::spawn(pause(Arc::clone(&outbox), settings.outbox_bytes_max, routes, Arc::clone(&stopping), paused));
    tasks.spawn(tick(appender.clone(), sources.quiet(), Arc::clone(&figures), settings.engine.lateness_ms, clock.clone()));
    if let Some(pager) = pager {
        let watchman = Watchman { pager, conditions, tally: Arc::clone(&tally), clock: clock.clone() };
        tasks.spawn(watchman.run());
    }
    let audit = Audit::open(&storage, layout::AUDIT).map_err(|error| StartError::Outside(Box::new(error)))?;
    let operator = Arc::new(Operator {
        storage,
        keys,
        log: appender.clone(),
        outbox,
        audit: Mutex::new(audit),
        figures,
        tally,
        sinks: notifies,
        instance: settings.instance.clone(),
        started,
        restored: restored.clone(),
        draining: Arc::clone(&stopping),
        clock,
    });
    Ok(Running::new(Parts {
        operator,
        restored,
        sources,
        router: receiving,
        appender,
        progress,
        asks,
        tasks,
        pausing,
        sink_tasks,
        snapshot_task,
        threads,
        draining,
        stopping,
        ended,
        lock,
    }))
}

struct Opened {
    lock: FolderLock,
    storage: Arc<dyn Storage>,
    keys: Keyring,
    recovered: Recovered,
}

fn open(settings: &Settings, routes: Routes) -> Result<Opened, StartError> {
    fn outside(error: impl Into<BoxError>) -> StartError {
        StartError::Outside(error.into())
    }
    let pseudonymizer = Pseudonymizer::new(settings.secret.reveal(), settings.secret_number)
        .map_err(|error| StartError::Configuration(format!("the pseudonym secret: {error}")))?;
    // The disk makes the folder for its owner alone; nothing in it is read before the lock is taken.
    let storage: Arc<dyn Storage> = Arc::new(Disk::open(&settings.data_dir).map_err(outside)?);
    let lock = FolderLock::take(&settings.data_dir).map_err(outside)?;
    let keys = Keyring::open(Arc::clone(&storage), layout::KEYS, settings.secret.reveal()).map_err(outside)?;
    let outbox = Arc::new(Outbox::open(&settings.data_dir.join(layout::OUTBOX)).map_err(outside)?);
    let log = &settings.log;
    let layout = Layout {
        storage: Arc::clone(&storage),
        keys: keys.clone(),
        log: LogConfig { segment_bytes: log.segment_bytes, retention_ms: log.retention_ms, bytes_max: log.bytes_max },
        dead_letters: LogConfig {
            segment_bytes: log.segment_bytes,
            retention_ms: log.dead_letter_retention_ms,
            bytes_max: log.dead_letter_bytes_max,
        },
        snapshots_keep: settings.snapshot.keep,
        setup: EngineSetup { pseudonymizer, threads: settings.engine.threads },
        routes,
    };
    let recovered = recover(layout, outbox).map_err(outside)?;
    Ok(Opened { lock, storage, keys, recovered })
}

fn routes(settings: &Settings) -> Routes {
    let sinks = &settings.sinks;
    Routes { core: sinks.core.is_some(), oncall: sinks.alertmanager.is_some(), redis: sinks.redis.is_some(), jsonl: sinks.jsonl.is_some() }
}

/// Holds ingestion up while effects fill the disk space that they may have; they are dropped by nobody. A drain lets in
/// what had been handed over by then, else it would wait for a sink that may never come back.
async fn pause(outbox: Arc<Outbox>, bytes_max: u64, routes: Routes, stopping: Arc<AtomicBool>, paused: watch::Sender<bool>) {
    loop {
        let full = is_full(&outbox, bytes_max, routes) && !stopping.load(Ordering::Relaxed);
        if paused.send_if_modified(|paused| std::mem::replace(paused, full) != full) {
            if full {
                tracing::error!(bytes_max, "the outbox is full; ingestion is paused until a sink takes something");
            } else {
                tracing::info!("the outbox has room again; ingestion goes on");
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(PAUSE_CHECK_MS)).await;
    }
}

/// Whether effects fill what they may, and waiting can make room: what no sink of this configuration is to get any more, or
/// was parked, goes by its retention alone.
pub(crate) fn is_full(outbox: &Outbox, bytes_max: u64, routes: Routes) -> bool {
    outbox.bytes() >= bytes_max && routes.names().any(|sink| outbox.depth(sink) > 0)
}

/// Appends a tick for each second of silence, so that time passes without events too. Not while a source is away or
/// behind, nor when the events are old news themselves (a file of last week): a tick would make all that follows late.
async fn tick(log: LogAppender, quiet: impl Fn() -> bool, figures: Arc<Mutex<EngineFigures>>, lateness_ms: i64, clock: Clock) {
    let mut interval = tokio::time::interval(std::time::Duration::from_millis(TICK_MS));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Now { wall_ms, monotonic_ms } = clock.now();
        let live = {
            let figures = held(&figures);
            figures.arrival_ms > 0 && figures.arrival_ms - figures.clock_ms <= lateness_ms
        };
        let silent = log.last_ms().is_none_or(|last_ms| age_ms(monotonic_ms, last_ms) >= TICK_MS);
        if silent && live && quiet() && log.control(ControlRecord::Tick { at_ms: wall_ms }).await.is_err() {
            return; // the log has ended
        }
    }
}

impl From<Refusal> for StartError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Load(error) => Self::Rules(error),
            Refusal::Tests(report) => Self::RuleTests(report),
            Refusal::Engine(error) => Self::Outside(Box::new(error)),
            other @ Refusal::Outside(_) => Self::Outside(Box::new(other)),
        }
    }
}

/// What a mutex holds, whoever panicked while he held it: the values here are whole at any time.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
