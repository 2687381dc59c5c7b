//! What more than one part has in its hands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rasid_connectors::alerts::AlertStore;
use rasid_connectors::audit::Audit;
use rasid_connectors::outbox::Outbox;
use tokio::sync::{mpsc, watch};

use crate::clock::{Clock, Now};
use crate::decide::commit_thread::ToCommit;
use crate::decide::engine_thread::Ask;
use crate::decide::figures::EngineFigures;
use crate::decide::progress::Progress;
use crate::decide::route::Routes;
use crate::decide::store_thread::ToStore;
use crate::deliver::redis_task::Beats;
use crate::health::conditions::Conditions;
use crate::health::ended::Ended;
use crate::health::hindrance::Hindrances;
use crate::held::held;
use crate::operate::tally::Figures;
use crate::recover::take_up::Recovered;

/// Steps that wait between engine and committer.
const STEPS_MAX: usize = 256;
/// Commits that wait between committer and alert store.
const COMMITS_MAX: usize = 256;

/// What more than one part has in its hands.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) started: Now,
    pub(super) routes: Routes,
    pub(super) outbox: Arc<Outbox>,
    pub(super) store: Arc<AlertStore>,
    pub(super) audit: Arc<Mutex<Audit>>,
    pub(super) progress: Arc<Progress>,
    pub(super) figures: Figures,
    pub(super) hindrances: Hindrances,
    pub(super) conditions: Conditions,
    pub(super) ended: Ended,
    pub(super) commits: mpsc::Sender<ToCommit>,
    pub(super) to_store: mpsc::Sender<ToStore>,
    pub(super) asks: mpsc::Sender<Ask>,
    /// The committed position.
    pub(super) committed: watch::Receiver<u64>,
    /// The position up to which the alert store has everything.
    pub(super) stored: watch::Receiver<u64>,
    /// Becomes true when sinks shall end as soon as they can.
    pub(super) draining: watch::Receiver<bool>,
    /// Set when nothing more is accepted.
    pub(super) stopping: Arc<AtomicBool>,
}

/// The other ends of what is shared.
pub(super) struct Ends {
    pub(super) messages: mpsc::Receiver<ToCommit>,
    pub(super) asked: mpsc::Receiver<Ask>,
    pub(super) for_store: mpsc::Receiver<ToStore>,
    pub(super) committed: watch::Sender<u64>,
    pub(super) stored: watch::Sender<u64>,
    pub(super) draining: watch::Sender<bool>,
}

/// What the parts share, as it is before any of them runs.
pub(super) fn share(
    recovered: &Recovered,
    audit: Audit,
    (clock, started): (Clock, Now),
    routes: Routes,
    hindrances: Hindrances,
) -> (Shared, Ends) {
    let Recovered { opened, outbox, store, worker, snapshot, .. } = recovered;
    let figures = Figures::default();
    figures.log.first.store(opened.first, Ordering::Relaxed);
    *held(&figures.engine) = EngineFigures { position: worker.position(), ..EngineFigures::default() };
    *held(&figures.beats) = Beats { since_ms: started.monotonic_ms, as_of_ms: None };
    held(&figures.snapshot).position = *snapshot;
    let (commits, messages) = mpsc::channel(STEPS_MAX);
    let (to_store, for_store) = mpsc::channel(COMMITS_MAX);
    let (asks, asked) = mpsc::channel(4);
    let (committed, is_committed) = watch::channel(outbox.position());
    let (stored, is_stored) = watch::channel(store.position().unwrap_or(0));
    let (draining, is_draining) = watch::channel(false);
    let shared = Shared {
        clock,
        started,
        routes,
        outbox: Arc::clone(outbox),
        store: Arc::clone(store),
        audit: Arc::new(Mutex::new(audit)),
        progress: Arc::new(Progress::new(opened.next - 1)),
        figures,
        hindrances,
        conditions: Conditions::default(),
        ended: Ended::default(),
        commits,
        to_store,
        asks,
        committed: is_committed,
        stored: is_stored,
        draining: is_draining,
        stopping: Arc::default(),
    };
    (shared, Ends { messages, asked, for_store, committed, stored, draining })
}
