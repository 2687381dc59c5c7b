//! A task for each sink that the settings ask for.

use std::sync::{Arc, Mutex};

use rasid_connectors::courier;
use rasid_connectors::sink::alertmanager::AlertmanagerSink;
use rasid_connectors::sink::{RedisSink, Sink};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::decide::commit_thread::Ahead;
use crate::decide::route::REDIS;
use crate::deliver::delivery::{Delivery, Said};
use crate::deliver::dispatch::Queue;
use crate::deliver::redis_task::RedisTask;
use crate::deliver::redis_watch::Watch;
use crate::deliver::sinks::{self, Built, OWN};
use crate::error::StartError;
use crate::health::stats::{RedisStats, SinkStats};
use crate::settings::Settings;
use crate::start::shared::Shared;

/// Groups of changed scores that wait for Redis.
const AHEAD_MAX: usize = 256;

/// What runs of them.
#[derive(Default)]
pub(super) struct SinkTasks {
    pub(super) tasks: JoinSet<()>,
    /// Each to be told that the outbox has more.
    pub(super) notifies: Vec<Arc<Notify>>,
    pub(super) stats: Vec<Arc<Mutex<SinkStats>>>,
    /// Where changed scores go ahead of their commit; `None` without Redis.
    pub(super) ahead: Option<mpsc::Sender<Ahead>>,
    pub(super) redis: Option<Arc<Mutex<RedisStats>>>,
    /// Tells the person on call about the service itself; `None` where nobody is on call.
    pub(super) pager: Option<AlertmanagerSink>,
}

/// Starts them, each with what stood at its receiver when the service last ran.
pub(super) fn start(settings: &Settings, shared: &Shared) -> Result<SinkTasks, StartError> {
    let Built { redis, others, pager } = sinks::build(&settings.sinks)?;
    let mut started = SinkTasks { pager, ..SinkTasks::default() };
    for (mut sink, config) in others {
        let standing = shared.outbox.standing(sink.name()).map_err(StartError::outside)?;
        sink.take_up(standing);
        let delivery = started.delivery(sink, config, shared);
        let ended = shared.ended.clone();
        started.tasks.spawn(async move { ended.unless_ok("a sink", delivery.run().await) });
    }
    if let Some((sink, config)) = redis {
        started.redis(sink, config, settings, shared);
    }
    if let Some(pager) = &mut started.pager {
        pager.take_up(shared.outbox.standing(OWN).map_err(StartError::outside)?);
        shared.conditions.inherit(pager.standing_names());
    }
    Ok(started)
}

impl SinkTasks {
    fn delivery<S: Sink + ?Sized>(&mut self, sink: Box<S>, config: courier::Config, shared: &Shared) -> Delivery<S> {
        let (more, stats) =
            (Arc::new(Notify::new()), Arc::new(Mutex::new(SinkStats { name: sink.name().to_owned(), ..SinkStats::default() })));
        self.notifies.push(Arc::clone(&more));
        self.stats.push(Arc::clone(&stats));
        let seed = shared.started.wall_ms.unsigned_abs(); // jitter only: instances that start together shall not knock together
        Delivery {
            queue: Queue::new(sink.name(), Arc::clone(&shared.outbox), config, seed),
            sink,
            more,
            commits: shared.commits.clone(),
            stats,
            clock: shared.clock.clone(),
            draining: shared.draining.clone(),
            until_ms: None,
            said: Said::default(),
        }
    }

    fn redis(&mut self, sink: RedisSink, config: courier::Config, settings: &Settings, shared: &Shared) {
        let stats: Arc<Mutex<RedisStats>> = Arc::default();
        self.redis = Some(Arc::clone(&stats));
        let (sender, ahead) = mpsc::channel(AHEAD_MAX);
        self.ahead = Some(sender);
        let (clock, figures) = (&shared.clock, &shared.figures);
        let task = RedisTask {
            delivery: self.delivery(Box::new(sink), config, shared),
            ahead,
            asks: shared.asks.clone(),
            progress: Arc::clone(&shared.progress),
            figures: Arc::clone(&figures.engine),
            latency: Arc::clone(&figures.latency),
            beats: Arc::clone(&figures.beats),
            committed: shared.committed.clone(),
            watch: Watch::new(clock.clone(), stats),
            instance: settings.instance.clone(),
            jumps: clock.seen().jumps_total,
            known: shared.outbox.held().iter().any(|held| held.sink == REDIS),
            missed: 0,
        };
        let ended = shared.ended.clone();
        self.tasks.spawn(async move { ended.unless_ok("the Redis sink", task.run().await) });
    }
}
