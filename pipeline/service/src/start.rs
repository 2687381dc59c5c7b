//! The service put together: what the data folder holds is taken up, then every part is started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rasid_compiler::ruleset::Ruleset;
use rasid_connectors::audit::Audit;
use rasid_connectors::ingest::http::Ingest;
use rasid_connectors::log::{LogConfig, Settings as LogMeaning};
use rasid_connectors::outbox::Outbox;
use rasid_connectors::seal::{self, Change, Given, Keyring, Secrets};
use rasid_connectors::sink::Sink as _;
use rasid_connectors::storage::{Disk, Storage};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::StartError;
use crate::clock::{Clock, JUMP_MS};
use crate::decide::commit::Committer;
use crate::decide::commit_thread::CommitThread;
use crate::decide::engine_thread::{EngineFigures, EngineThread};
use crate::decide::log_thread::log_thread;
use crate::decide::progress::Progress;
use crate::decide::route::Routes;
use crate::decide::set_aside::SetAsides;
use crate::decide::snapshot_task::SnapshotTask;
use crate::decide::ticker::Ticker;
use crate::decide::worker::{EngineSetup, Rulesets as _};
use crate::deliver::delivery::{Delivery, Said};
use crate::deliver::dispatch::Queue;
use crate::deliver::redis_task::RedisTask;
use crate::deliver::redis_watch::Watch;
use crate::deliver::sinks::{self, Built};
use crate::health::hindrance::{Area, Hindrances};
use crate::health::stats::{RedisStats, RulesetStats, SinkStats, SnapshotStats};
use crate::operate::control::Restored;
use crate::operate::operator::Operator;
use crate::operate::rules_watch::{Refusal, RulesWatch};
use crate::operate::switching::{REFUSED, Switching};
use crate::operate::tally::{self, Beats, LogFigures, Tally};
use crate::operate::watchman::{Conditions, OWN, Watchman};
use crate::receive::sources;
use crate::recover::exposure;
use crate::recover::take_up::{CannotTakeUp, FolderLock, Layout, Recovered, TakeUpError, layout, recover};
use crate::running::{Ended, Parts, Running};
use crate::settings::{Secret, Settings};

/// Steps that wait between engine and committer.
const STEPS_MAX: usize = 256;
/// Groups of changed scores that wait for Redis.
const AHEAD_MAX: usize = 256;
/// How often the outbox is compared with its bound, ms.
const PAUSE_CHECK_MS: u64 = 500;

/// Takes up what the data folder holds and starts all parts.
///
/// # Errors
/// [`StartError`]: nothing was started.
#[expect(clippy::too_many_lines, reason = "the parts in the order in which they start; cut up, each piece would hand a dozen of them on")]
pub(crate) async fn start(settings: Settings, clock: Clock, hindrances: Hindrances) -> Result<Running, StartError> {
    let routes = routes(&settings);
    // The folder first: a second service must not even read what the first one writes.
    let (opening, hindering) = (settings.clone(), hindrances.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let opened = hindering.until_done(Area::Start, TakeUpError::disposition, || open(&opening, routes));
        opened.map_err(|source| CannotTakeUp { dir: opening.data_dir, source })
    });
    let opened = opened.await.map_err(|error| StartError::Outside(Box::new(error)))?;
    let Opened { lock, storage, keys, secrets, audit, recovered } = opened.map_err(not_taken_up)?;
    let Recovered { log, opened, reader, worker, outbox, dead_letters, snapshots, rulesets, snapshot, refused, anew, uncompared } =
        recovered;

    // The rules, tested. A log that has none in force cannot begin without them; one that has goes on under those.
    let mut watch = RulesWatch::new(&settings.rules.dir);
    let loaded = watch.first(|| clock.wall_ms()).await;
    let in_force = opened.ruleset.clone();
    let meaning = LogMeaning {
        lateness_ms: settings.engine.lateness_ms,
        future_ms: settings.engine.future_ms,
        memory_max: settings.engine.memory_bytes_max,
        events_per_s: settings.engine.events_per_s,
        keys: secrets.keys(),
    };
    let rules: Rules = match (loaded, &in_force) {
        (Ok(ruleset), Some(switched)) if switched.ruleset == ruleset.hash && switched.settings == meaning => Rules::AsBefore(ruleset),
        (Ok(ruleset), _) => Rules::Changed(ruleset),
        (Err(refusal), Some(switched)) => {
            let (rulesets, hash) = (rulesets.clone(), switched.ruleset.clone());
            let before = tokio::task::spawn_blocking(move || rulesets.load(&hash)).await;
            let before = before.map_err(|error| StartError::Outside(Box::new(error)))?.map_err(StartError::Outside)?;
            Rules::Refused(refusal, before)
        }
        (Err(refusal), None) => return Err(refusal.into()),
    };

    let is_meant_otherwise = in_force.as_ref().is_some_and(|switched| switched.settings != meaning);
    let in_force_hash = in_force.as_ref().map(|switched| switched.ruleset.clone());
    if let Some(newest_ms) = opened.newest_ms {
        clock.was(newest_ms);
    }
    let started = clock.now();
    let behind_ms = opened.newest_ms.map(|newest_ms| started.wall_ms.saturating_sub(newest_ms));
    if let Some(ahead_ms) = behind_ms.map(i64::wrapping_neg).filter(|ahead_ms| *ahead_ms > JUMP_MS) {
        tracing::warn!(ahead_ms, "the log's newest entry was stamped by a clock that is ahead of the one now");
    }
    let last = opened.next - 1;
    let restored = Restored {
        snapshot,
        refused,
        anew,
        committed: outbox.position(),
        log_last: last,
        cut_bytes: opened.cut.as_ref().map(|cut| cut.bytes),
        uncompared,
        pending: routes.names().map(|sink| outbox.depth(sink)).sum(),
        ruleset: rules.in_force().hash.clone(),
        behind_ms: behind_ms.map(|behind_ms| behind_ms.max(0)),
    };

    let progress = Arc::new(Progress::new(last));
    let (paused, is_paused) = watch::channel(false);
    let (draining, is_draining) = watch::channel(false);
    let stopping = Arc::new(AtomicBool::new(false));
    let log_figures: Arc<LogFigures> = Arc::default();
    log_figures.first.store(opened.first, Ordering::Relaxed);
    let (appender, log_thread) =
        log_thread(log, Arc::clone(&progress), is_paused, Arc::clone(&log_figures), hindrances.clone(), clock.clone());
    let (commits, messages) = mpsc::channel(STEPS_MAX);
    let mut queues = vec![appender.queue(), tally::Queue::behind("commit", &commits)];
    let (asks, asked) = mpsc::channel(4);
    let (snapshot_jobs, jobs) = mpsc::channel(1);
    let (committed, is_committed) = watch::channel(outbox.position());
    let figures = Arc::new(Mutex::new(EngineFigures { position: worker.position(), ..EngineFigures::default() }));
    let (latency, commits_total, set_aside) = (Arc::default(), Arc::default(), SetAsides::default());
    let set_aside_total = set_aside.total();
    let beats = Arc::new(Mutex::new(Beats { since_ms: started.monotonic_ms, as_of_ms: None }));
    let snapshot_stats: Arc<Mutex<SnapshotStats>> = Arc::new(Mutex::new(SnapshotStats { position: snapshot, ..SnapshotStats::default() }));
    let ended = Ended::default();

    // Sinks.
    let Built { redis, others, mut pager } = sinks::build(&settings.sinks)?;
    let (mut notifies, mut sink_stats) = (Vec::new(), Vec::new());
    let mut sink_tasks = JoinSet::new();
    let mut next_sink = |name: &str| {
        let (more, stats) = (Arc::new(Notify::new()), Arc::new(Mutex::new(SinkStats { name: name.to_owned(), ..SinkStats::default() })));
        notifies.push(Arc::clone(&more));
        sink_stats.push(Arc::clone(&stats));
        (more, stats)
    };
    let seed = started.wall_ms.unsigned_abs(); // jitter only: instances that start together shall not knock together
    for (mut sink, config) in others {
        let (more, stats) = next_sink(sink.name());
        let standing = outbox.standing(sink.name()).map_err(|error| StartError::Outside(Box::new(error)))?;
        sink.take_up(standing);
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
            said: Said::default(),
        };
        let ended = ended.clone();
        sink_tasks.spawn(async move { ended.unless_ok("a sink", delivery.run().await) });
    }
    let (mut ahead, mut redis_stats) = (None, None);
    if let Some((sink, config)) = redis {
        let stats_of_redis: Arc<Mutex<RedisStats>> = Arc::default();
        redis_stats = Some(Arc::clone(&stats_of_redis));
        let (sender, receiver) = mpsc::channel(AHEAD_MAX);
        queues.push(tally::Queue::behind("redis", &sender));
        ahead = Some(sender);
        let (more, stats) = next_sink(crate::decide::route::REDIS);
        let queue = Queue::new(crate::decide::route::REDIS, Arc::clone(&outbox), config, seed);
        let delivery = Delivery {
            sink: Box::new(sink),
            queue,
            more,
            commits: commits.clone(),
            stats,
            clock: clock.clone(),
            draining: is_draining.clone(),
            until_ms: None,
            said: Said::default(),
        };
        let task = RedisTask {
            delivery,
            ahead: receiver,
            asks: asks.clone(),
            progress: Arc::clone(&progress),
            figures: Arc::clone(&figures),
            latency: Arc::clone(&latency),
            beats: Arc::clone(&beats),
            committed: is_committed.clone(),
            watch: Watch::new(clock.clone(), stats_of_redis),
            instance: settings.instance.clone(),
            jumps: clock.seen().jumps_total,
            known: outbox.held().iter().any(|held| held.sink == crate::decide::route::REDIS),
            missed: 0,
        };
        let ended = ended.clone();
        sink_tasks.spawn(async move { ended.unless_ok("the Redis sink", task.run().await) });
    }

    let of_watchman = commits.clone();

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
        hindrances: hindrances.clone(),
        set_aside,
        clock: clock.clone(),
    };
    let (of_log, of_engine, of_commit) = (ended.clone(), ended.clone(), ended.clone());
    let threads = vec![
        spawn("log", Box::new(move || of_log.unless_ok("the log", log_thread.run())))?,
        spawn("engine", Box::new(move || of_engine.unless_ok("the engine", engine.run())))?,
        spawn("commit", Box::new(move || of_commit.unless_ok("the outbox", commit.run())))?,
    ];

    // Rules.
    let ruleset_stats: Arc<Mutex<RulesetStats>> = Arc::default();
    let conditions = Conditions::default();
    if let Some(pager) = &mut pager {
        pager.take_up(outbox.standing(OWN).map_err(|error| StartError::Outside(Box::new(error)))?);
        conditions.inherit(pager.standing_names());
    }
    let audit = Arc::new(Mutex::new(audit));
    let mut switching = Switching {
        watch,
        rulesets,
        log: appender.clone(),
        meaning,
        told: in_force_hash,
        listing: None,
        stats: Arc::clone(&ruleset_stats),
        conditions: conditions.clone(),
        audit: Arc::clone(&audit),
        clock: clock.clone(),
        oncall: routes.oncall,
        hindrances: appender.hindrances(),
    };
    match rules {
        Rules::AsBefore(ruleset) => switching.in_force(&ruleset),
        Rules::Changed(ruleset) => switching.begin(ruleset).await.map_err(|error| StartError::Outside(Box::new(error)))?,
        Rules::Refused(refusal, before) => {
            // What the log means is the configuration's; the rules in force stay as they are.
            if is_meant_otherwise {
                switching.begin(before).await.map_err(|error| StartError::Outside(Box::new(error)))?;
            } else {
                switching.in_force(&before);
            }
            switching.refuse(&refusal);
        }
    }
    if !held(&ruleset_stats).refused {
        conditions.end(REFUSED);
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
    let folders = settings.sources.jsonl.follow_dirs.iter().map(|dir| sources::folder_stream(dir)).collect();
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
        set_aside: set_aside_total,
        queues,
        sinks: sink_stats,
        ruleset: ruleset_stats,
        latency,
        beats,
        redis: redis_stats,
        lags: sources.lags(),
        folders,
        ingest: sources.ingest(),
        notices,
        draining: Arc::clone(&stopping),
        broken: ended.why(),
        hindrances: hindrances.clone(),
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
        hindrances: hindrances.clone(),
        parked_retention_ms: settings.log.dead_letter_retention_ms,
        clock: clock.clone(),
    };
    let snapshot_task = tokio::spawn(snapshots.run());
    tasks.spawn(switching.run(settings.rules.poll_ms));
    let pausing =
        tokio::spawn(pause(Arc::clone(&outbox), settings.outbox_bytes_max, routes, hindrances.clone(), Arc::clone(&stopping), paused));
    let ticker = Ticker {
        log: appender.clone(),
        quiet: sources.quiet(),
        figures: Arc::clone(&figures),
        lateness_ms: settings.engine.lateness_ms,
        clock: clock.clone(),
    };
    tasks.spawn(ticker.run());
    if let Some(pager) = &pager {
        tasks.spawn(Watchman::new(pager.clone(), conditions, Arc::clone(&tally), of_watchman, clock.clone()).run());
    }
    let operator = Arc::new(Operator {
        storage,
        keys,
        log: appender.clone(),
        outbox,
        audit,
        figures,
        tally,
        sinks: notifies,
        pager,
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
        hindrances,
        ended,
        lock,
    }))
}

/// The rules to start with.
enum Rules {
    /// Those that are in force.
    AsBefore(Ruleset),
    /// Others, which the log is told of.
    Changed(Ruleset),
    /// Those in the folder have faults: what is in force stays.
    Refused(Refusal, Ruleset),
}

impl Rules {
    fn in_force(&self) -> &Ruleset {
        match self {
            Self::AsBefore(ruleset) | Self::Changed(ruleset) | Self::Refused(_, ruleset) => ruleset,
        }
    }
}

struct Opened {
    lock: FolderLock,
    storage: Arc<dyn Storage>,
    keys: Keyring,
    secrets: Secrets,
    audit: Audit,
    recovered: Recovered,
}

/// The folder's secrets, held to the configuration's and changed where it says so, and the keys that they open.
fn secrets(settings: &Settings, storage: &Arc<dyn Storage>) -> Result<(Secrets, Keyring), seal::Error> {
    let owned = |secret: &Secret| secret.reveal().to_vec().into();
    let given = Given {
        secret: owned(&settings.secret),
        number: settings.secret_number,
        former: settings.former_secret.as_ref().map(|(secret, number)| (*number, owned(secret))),
    };
    let (secrets, change) = Secrets::open(storage, layout::KEYS, &given, &seal::system_random())?;
    let keys = Keyring::open(Arc::clone(storage), layout::KEYS, settings.secret.reveal())?;
    let rewrapped = keys.rewrap()?;
    match change {
        Change::None => {}
        Change::Bound => tracing::info!(number = settings.secret_number, "the data folder is bound to the pseudonym secret and its number"),
        Change::Rotated { from } => tracing::warn!(from, to = settings.secret_number, "the pseudonym secret is changed"),
    }
    if rewrapped > 0 {
        tracing::info!(keys = rewrapped, "day keys are wrapped under the secret in force");
    }
    Ok((secrets, keys))
}

/// A secret that is not the folder's is the configuration's fault; trying again does not help.
fn not_taken_up(error: CannotTakeUp) -> StartError {
    match error.source {
        TakeUpError::Keys(source) if source.is_configuration() => StartError::Configuration(source.to_string()),
        _ => StartError::Outside(Box::new(error)),
    }
}

fn open(settings: &Settings, routes: Routes) -> Result<Opened, TakeUpError> {
    // The disk makes the folder for its owner alone; nothing in it is read before the lock is taken.
    let storage: Arc<dyn Storage> = Arc::new(Disk::open(&settings.data_dir).map_err(TakeUpError::Folder)?);
    let lock = FolderLock::take(&settings.data_dir)?;
    exposure::tighten(&settings.data_dir).say();
    let (secrets, keys) = secrets(settings, &storage)?;
    let pseudonymizers = secrets.pseudonymizers()?;
    let audit = Audit::open(&storage, layout::AUDIT)?;
    let outbox = Arc::new(Outbox::open(&settings.data_dir.join(layout::OUTBOX))?);
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
        setup: EngineSetup { pseudonymizers, threads: settings.engine.threads },
        routes,
    };
    let recovered = recover(layout, outbox)?;
    Ok(Opened { lock, storage, keys, secrets, audit, recovered })
}

fn routes(settings: &Settings) -> Routes {
    let sinks = &settings.sinks;
    Routes { core: sinks.core.is_some(), oncall: sinks.alertmanager.is_some(), redis: sinks.redis.is_some(), jsonl: sinks.jsonl.is_some() }
}

/// Holds ingestion up while effects fill the disk space that they may have, or the disk has none; they are dropped by nobody.
/// A drain lets in what had been handed over by then, else it would wait for a sink that may never come back.
async fn pause(
    outbox: Arc<Outbox>,
    bytes_max: u64,
    routes: Routes,
    hindrances: Hindrances,
    stopping: Arc<AtomicBool>,
    paused: watch::Sender<bool>,
) {
    let mut was_full = false;
    loop {
        let drains = stopping.load(Ordering::Relaxed);
        let full = is_full(&outbox, bytes_max, routes) && !drains;
        paused.send_replace(full || (hindrances.blocking().is_some() && !drains));
        if std::mem::replace(&mut was_full, full) != full {
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
