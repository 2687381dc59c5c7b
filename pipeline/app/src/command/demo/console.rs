//! `rasid demo --console`: the service itself, with a marketplace's day that ends now and runs by while one looks.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rasid_connectors::source::{Appender as _, Incoming};
use rasid_connectors::tokens::{Lock, Scope};
use rasid_service::LogAppender;
use rasid_simulate::{Config, simulate};

use crate::clock::{Stopwatch, now_ms};
use crate::command::run::{Up, serve};
use crate::command::{Failure, print_line, say};
use crate::config::{self, Layers};
use crate::shipped;

/// How often events are appended.
const STEP: Duration = Duration::from_millis(100);
/// Most events that are appended at once.
const PART: usize = 1_000;
/// The stream that they come from.
const STREAM: &str = "demo";
const HOUR_MS: i64 = 3_600_000;

/// Serves until it is stopped; what it has written is gone then.
pub(super) fn run(config: Config, listen: &str, took: Duration) -> Result<(), Failure> {
    let outside = |error: std::io::Error| Failure::Outside(Box::new(error));
    let folder = Folder::new().map_err(outside)?;
    shipped::unpack(&folder.0.join("rules")).map_err(outside)?;
    let loaded = Layers::alone(&folder.0, listen)?;
    let (settings, server) = config::service(&loaded)?;
    let token = token(&settings.data_dir)?;
    serve(settings, &server, async |up: Up| {
        // Behind `#`: what stands there a browser sends to nobody.
        let page = format!("http://{}/#token={token}", up.listen);
        let hours = config.hours;
        drop(print_line(&page));
        say(format_args!(
            "open it: the last {hours} h of a marketplace run by in {} s; Ctrl-C ends it and removes what it wrote",
            took.as_secs()
        ));
        match feed(&up.appender, config, took).await {
            Ok(events) => say(format_args!("{events} events have run by; the console stays until Ctrl-C")),
            Err(error) => return Failure::Outside(Box::new(error)),
        }
        std::future::pending().await
    })
}

/// A folder that nobody else may look into, for as long as this is.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("rasid-demo-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        for inside in ["data", "events"] {
            std::fs::DirBuilder::new().mode(0o700).create(path.join(inside))?;
        }
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            say(format_args!("cannot remove {}: {error}", self.0.display()));
        }
    }
}

/// A token that may do everything but send events.
fn token(data: &Path) -> Result<String, Failure> {
    let failed = |error: rasid_connectors::tokens::TokensError| Failure::Outside(Box::new(error));
    let lock = Lock::take(data).map_err(failed)?;
    let mut tokens = lock.read().map_err(failed)?;
    let scopes = [Scope::ReadAlerts, Scope::WriteFeedback, Scope::ReadRisk, Scope::Admin];
    let (_, text) = tokens.create(STREAM, &scopes, now_ms(), None).map_err(failed)?;
    lock.write(&tokens).map_err(failed)?;
    Ok(text.reveal().to_owned())
}

/// Appends the events of hours that end now, as if they had come in `took`; how many there were.
async fn feed(log: &LogAppender, config: Config, took: Duration) -> Result<u64, rasid_connectors::Error> {
    let hours_ms = i64::from(config.hours) * HOUR_MS;
    let start_ms = now_ms().saturating_sub(hours_ms);
    let watch = Stopwatch::start();
    let mut simulation = simulate(&Config { start_ms, ..config });
    let mut next = simulation.next();
    let mut turns = tokio::time::interval(STEP);
    let (stream, mut offset): (Arc<str>, u64) = (STREAM.into(), 0);
    while next.is_some() {
        turns.tick().await;
        let share = watch.elapsed().as_secs_f64() / took.as_secs_f64().max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a fraction of a year, in ms")]
        let until_ms = start_ms.saturating_add((share * hours_ms as f64) as i64);
        let mut records = Vec::new();
        while let Some(record) = next.take_if(|record| record.arrival_ms <= until_ms) {
            records.push(Incoming { stream: Arc::clone(&stream), offset, bytes: record.line.into_bytes() });
            offset += 1;
            next = simulation.next();
            if records.len() >= PART {
                log.append(std::mem::take(&mut records)).await?;
            }
        }
        if !records.is_empty() {
            log.append(records).await?;
        }
    }
    Ok(offset)
}
