//! Why a part has ended before its time, the first of them.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::chain::Chain;
use crate::error::BoxError;
use crate::held::held;

/// Why a part has ended before its time, the first of them.
#[derive(Clone, Default)]
pub(crate) struct Ended {
    first: Arc<Mutex<Option<BoxError>>>,
    why: Arc<Mutex<Option<String>>>,
    told: Arc<Notify>,
}

impl Ended {
    /// Keeps the error of the part called `name`.
    pub(crate) fn unless_ok<E: Into<BoxError>>(&self, name: &str, result: Result<(), E>) {
        let Err(error) = result else { return };
        let error = error.into();
        tracing::error!(part = name, error = %Chain(&*error), "a part of the service has stopped");
        let mut first = held(&self.first);
        if first.is_none() {
            *held(&self.why) = Some(format!("{name} has stopped: {}", Chain(&*error)));
            *first = Some(error);
        }
        self.told.notify_one();
    }

    /// The first, unless it was taken before.
    pub(crate) fn take(&self) -> Option<BoxError> {
        held(&self.first).take()
    }

    /// Whether there is one that was not taken.
    pub(crate) fn is_some(&self) -> bool {
        held(&self.first).is_some()
    }

    /// In words, for health.
    pub(crate) fn why(&self) -> Arc<Mutex<Option<String>>> {
        Arc::clone(&self.why)
    }

    /// Waits for the first.
    pub(crate) async fn wait(&self) -> BoxError {
        loop {
            if let Some(error) = self.take() {
                return error;
            }
            self.told.notified().await;
        }
    }
}
