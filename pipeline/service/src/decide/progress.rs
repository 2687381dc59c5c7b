//! How far the log has come: written, and durable. The engine follows the first, effects wait for the second.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Positions of the log that threads and tasks wait for.
#[derive(Debug)]
pub(crate) struct Progress {
    now: Mutex<Reached>,
    moved: Condvar,
    durable: tokio::sync::watch::Sender<u64>,
}

/// Positions reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Written: readable, and gone if the machine stops now.
    pub appended: u64,
    /// Durable.
    pub durable: u64,
    /// Nothing more will come.
    pub closed: bool,
    /// Somebody who waits is asked for something else.
    pub asked: bool,
}

impl Progress {
    /// A log that is durable up to `position`.
    pub(crate) fn new(position: u64) -> Self {
        let now = Mutex::new(Reached { appended: position, durable: position, ..Reached::default() });
        Self { now, moved: Condvar::new(), durable: tokio::sync::watch::Sender::new(position) }
    }

    /// What has been reached.
    pub(crate) fn now(&self) -> Reached {
        *self.lock()
    }

    pub(crate) fn appended(&self, position: u64) {
        self.lock().appended = position;
        self.moved.notify_all();
    }

    pub(crate) fn durable(&self, position: u64) {
        self.lock().durable = position;
        self.moved.notify_all();
        self.durable.send_replace(position);
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.moved.notify_all();
    }

    pub(crate) fn ask(&self) {
        self.lock().asked = true;
        self.moved.notify_all();
    }

    /// Waits until something is written beyond `position`, somebody asks, or the log is closed; for `patience` at most.
    pub(crate) fn wait_appended(&self, position: u64, patience: Duration) -> Reached {
        let stay = |now: &mut Reached| now.appended <= position && !now.closed && !now.asked;
        let (mut now, _) = self.moved.wait_timeout_while(self.lock(), patience, stay).unwrap_or_else(PoisonError::into_inner);
        let reached = *now;
        now.asked = false;
        reached
    }

    /// Waits until the log is durable up to `position`; false if it was closed before.
    pub(crate) fn wait_durable(&self, position: u64) -> bool {
        let now = self.moved.wait_while(self.lock(), |now| now.durable < position && !now.closed);
        now.unwrap_or_else(PoisonError::into_inner).durable >= position
    }

    /// A watch on what is durable, for tasks.
    pub(crate) fn watch_durable(&self) -> tokio::sync::watch::Receiver<u64> {
        self.durable.subscribe()
    }

    /// Two numbers and two flags are whole whoever panicked while he held them.
    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
