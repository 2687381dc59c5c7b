//! The sinks that the settings ask for.

use rasid_connectors::courier;
use rasid_connectors::sink::{AlertmanagerSink, RedisSink, Sink, Sinks, install_tls};

use crate::decide::route::REDIS;
use crate::error::StartError;

/// The name under which the outbox keeps what stands at Alertmanager about the service itself.
pub(crate) const OWN: &str = "rasid";

/// Sinks, each with how its courier goes about it.
pub(crate) struct Built {
    /// Told by a task of its own, ahead of the commit.
    pub(crate) redis: Option<(RedisSink, courier::Config)>,
    pub(crate) others: Vec<(Box<dyn Sink>, courier::Config)>,
    /// Tells the person on call about Rasid itself.
    pub(crate) pager: Option<AlertmanagerSink>,
}

/// Builds them; connections are made when they are first needed.
pub(crate) fn build(sinks: &Sinks) -> Result<Built, StartError> {
    install_tls();
    let redis = sinks.redis.config().map(|config| {
        let batch_max = config.batch_max;
        RedisSink::new(REDIS, config).map(|sink| (sink, batches(batch_max)))
    });
    let others = sinks.make(|name| name != REDIS).map_err(|(name, error)| StartError::wrong(name, error.as_ref()))?;
    Ok(Built {
        redis: redis.transpose().map_err(|error| StartError::wrong(REDIS, &error))?,
        others: others.into_iter().map(|sink| (batches(sink.batch_max()), sink)).map(|(config, sink)| (sink, config)).collect(),
        pager: sinks.alertmanager.pager(OWN).map_err(|error| StartError::wrong("alertmanager", &error))?,
    })
}

fn batches(batch_items_max: usize) -> courier::Config {
    courier::Config { batch_items_max, ..courier::Config::default() }
}
