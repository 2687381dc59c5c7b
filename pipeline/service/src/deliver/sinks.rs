//! The sinks that the settings ask for.

use std::time::Duration;

use rasid_connectors::courier;
use rasid_connectors::sink::{
    AlertmanagerSink, AlertsFile, CoreApiSink, Reach, RedisSink, Sink, TlsFiles, alertmanager, core_api, install_tls,
};

use crate::decide::route::{CORE, JSONL, ONCALL, REDIS};
use crate::error::StartError;
use crate::settings::{self, AlertmanagerSettings, CoreSettings, SinksSettings};

/// The name under which the outbox keeps what stands at Alertmanager about the service itself.
pub(crate) const OWN: &str = "rasid";
/// Time for a connection, whatever the time for an answer.
const CONNECT: Duration = Duration::from_secs(3);

/// Sinks, each with how its courier goes about it.
pub(crate) struct Built {
    pub(crate) redis: Option<(RedisSink, courier::Config)>,
    pub(crate) others: Vec<(Box<dyn Sink>, courier::Config)>,
    /// Tells the person on call about Rasid itself.
    pub(crate) pager: Option<AlertmanagerSink>,
}

/// Builds them; connections are made when they are first needed.
pub(crate) fn build(settings: &SinksSettings) -> Result<Built, StartError> {
    install_tls();
    let mut built = Built { redis: None, others: Vec::new(), pager: None };
    if let Some(redis) = &settings.redis {
        let sink = RedisSink::new(REDIS, redis.clone()).map_err(|error| StartError::wrong("redis", &error))?;
        built.redis = Some((sink, batches(redis.batch_max)));
    }
    if let Some(core) = &settings.core {
        let CoreSettings { url, secrets, batch_max, .. } = core;
        let webhook = settings::webhook("the core API's secret", secrets)?;
        let config =
            core_api::Config { url: url.clone(), reach: reach(core.timeout_ms, core.proxy.as_deref(), &core.tls), batch_max: *batch_max };
        let sink = CoreApiSink::new(CORE, &config, webhook).map_err(|error| StartError::wrong("core", &error))?;
        built.others.push((Box::new(sink), batches(*batch_max)));
    }
    if let Some(settings) = &settings.alertmanager {
        let make =
            |name| AlertmanagerSink::new(name, alertmanager_config(settings)).map_err(|error| StartError::wrong("alertmanager", &error));
        built.others.push((Box::new(make(ONCALL)?), batches(settings.batch_max)));
        built.pager = Some(make(OWN)?);
    }
    if let Some(path) = &settings.jsonl {
        let sink = AlertsFile::new(JSONL, path);
        let config = batches(sink.batch_max());
        built.others.push((Box::new(sink), config));
    }
    Ok(built)
}

fn batches(batch_items_max: usize) -> courier::Config {
    courier::Config { batch_items_max, ..courier::Config::default() }
}

fn reach(timeout_ms: u64, proxy: Option<&str>, tls: &TlsFiles) -> Reach {
    Reach { proxy: proxy.map(str::to_owned), tls: tls.clone(), ..Reach::within(CONNECT, Duration::from_millis(timeout_ms)) }
}

fn alertmanager_config(settings: &AlertmanagerSettings) -> alertmanager::Config {
    let AlertmanagerSettings { url, batch_max, timeout_ms, proxy, tls, hold_ms, catch_up_ms, external_url, runbook_url } = settings;
    let positive = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    alertmanager::Config {
        url: url.clone(),
        reach: reach(*timeout_ms, proxy.as_deref(), tls),
        batch_max: *batch_max,
        hold: positive(*hold_ms),
        catch_up_after: positive(*catch_up_ms),
        external_url: external_url.clone(),
        runbook_url: runbook_url.clone(),
    }
}
