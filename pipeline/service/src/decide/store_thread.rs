//! The thread that puts into the alert store what was committed.
//!
//! It has a thread of its own, so that alerts leave as soon as the outbox has them: an fsync here, or the removal of what is
//! too old, holds nobody up. What waits is put in together, in one durable transaction, and nothing where nothing was said
//! about alerts. The queue before it is bounded: a store that cannot be written for long holds the commits up in the end, and
//! nothing is lost.

use std::sync::Arc;

use rasid_connectors::alerts::{AlertStore, Changed, Error};
use tokio::sync::{mpsc, watch};

use crate::health::hindrance::{Area, Hindrances};

/// Most changes put in at once.
const GROUP_MAX: usize = 4_096;

/// What the thread is told.
pub(crate) enum ToStore {
    /// So far the log was gone through and what came of it is committed.
    Step {
        /// To this position.
        position: u64,
        /// What it says about alerts.
        changes: Vec<Changed>,
    },
    /// Somebody waits until the store says durably that it has come to this position.
    UpTo(u64),
}

pub(crate) struct StoreThread {
    pub(crate) store: Arc<AlertStore>,
    pub(crate) messages: mpsc::Receiver<ToStore>,
    /// The position up to which the store has everything, durably.
    pub(crate) stored: watch::Sender<u64>,
    pub(crate) hindrances: Hindrances,
}

impl StoreThread {
    /// Puts in until nobody can tell anything any more.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let mut reached = self.store.position().unwrap_or(0);
        let (mut written, mut wanted) = (reached, 0);
        while let Some(first) = self.messages.blocking_recv() {
            let mut changes = Vec::new();
            let mut message = Some(first);
            while let Some(next) = message.take() {
                match next {
                    ToStore::Step { position, changes: more } => {
                        reached = reached.max(position);
                        changes.extend(more);
                    }
                    ToStore::UpTo(position) => wanted = wanted.max(position),
                }
                if changes.len() < GROUP_MAX {
                    message = self.messages.try_recv().ok();
                }
            }
            if !changes.is_empty() || (written < wanted && wanted <= reached) {
                self.put(reached, &changes)?;
                written = reached;
            }
        }
        self.put(reached, &[])
    }

    fn put(&self, position: u64, changes: &[Changed]) -> Result<(), Error> {
        self.hindrances.until_done(Area::Alerts, Error::disposition, || self.store.apply(position, changes))?;
        tracing::trace!(position, changes = changes.len(), "alerts kept");
        self.stored.send_replace(position);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rasid_connectors::alerts::{Change, Retention};
    use rasid_connectors::latest;
    use rasid_connectors::outbox::backend::Memory;

    use super::*;

    #[tokio::test]
    async fn what_was_said_is_put_in_at_once_and_a_position_when_it_is_reached_and_asked_for() {
        let retention = Retention { age_ms: i64::MAX, count_max: 10 };
        let store = Arc::new(AlertStore::with_backend(Memory::new().backend(), retention).expect("memory"));
        store.begin(0).expect("memory");
        let (sender, messages) = mpsc::channel(8);
        let (stored, mut is_stored) = watch::channel(0);
        let thread = StoreThread { store: Arc::clone(&store), messages, stored, hindrances: Hindrances::default() };
        let thread = std::thread::spawn(move || thread.run());
        let step = async |position, changes| sender.send(ToStore::Step { position, changes }).await.expect("it runs");

        step(5, Vec::new()).await;
        step(7, vec![Changed { position: 6, change: Change::Retracted { rule: "a.b".to_owned(), since_ms: 0 } }]).await;
        is_stored.wait_for(|stored| *stored == 7).await.expect("it runs");
        assert_eq!(store.position(), Some(7));
        step(8, Vec::new()).await;
        sender.send(ToStore::UpTo(9)).await.expect("it runs");
        step(10, Vec::new()).await;
        assert!(*is_stored.wait_for(|stored| *stored >= 9).await.expect("it runs") == 10, "as far as is known");
        step(12, Vec::new()).await;
        drop(sender);
        thread.join().expect("no panic").expect("memory");
        assert_eq!((latest(&is_stored), store.position()), (12, Some(12)), "the next start need not go through it again");
    }
}
