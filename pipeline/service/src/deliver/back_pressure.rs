//! What receivers have not taken holds ingestion up before it fills the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rasid_connectors::outbox::Outbox;
use tokio::sync::watch;

use crate::decide::route::Routes;
use crate::health::hindrance::Hindrances;

/// How often the outbox is compared with its bound.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Holds ingestion up while effects fill the disk space that they may have, or the disk has none; they are dropped by nobody.
/// A drain lets in what had been handed over by then, else it would wait for a sink that may never come back.
pub(crate) async fn pause(
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
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

/// Whether effects fill what they may, and waiting can make room: what no sink of this configuration is to get any more, or
/// was parked, goes by its retention alone.
pub(crate) fn is_full(outbox: &Outbox, bytes_max: u64, routes: Routes) -> bool {
    outbox.bytes() >= bytes_max && routes.names().any(|sink| outbox.depth(sink) > 0)
}
