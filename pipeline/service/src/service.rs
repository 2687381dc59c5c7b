//! The service as its program sees it.

use std::sync::Arc;

use rasid_rules::{LoadError, Report};

use crate::control::{Control, Restored};
use crate::settings::Settings;

/// What a part outside said.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The live service, not yet running.
#[derive(Debug)]
pub struct Service;

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The rule files cannot be read or have faults.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// The tests in the rule files do not pass.
    #[error("rule tests failed")]
    RuleTests(Box<Report>),
    /// A setting cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// Something outside failed: the disk, a lock that another process holds.
    #[error(transparent)]
    Outside(BoxError),
}

impl Service {
    /// Takes up what the data folder holds, replays what the snapshot does not cover and starts all parts.
    pub async fn start(settings: Settings) -> Result<Running, StartError> {
        std::future::ready(Err(StartError::Configuration(format!("{}: this build has no service", settings.instance)))).await
    }
}

/// The live service at work.
pub struct Running {
    control: Arc<dyn Control>,
    router: Option<axum::Router>,
    restored: Restored,
}

impl Running {
    /// What an operator can ask of it, its figures included.
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.control)
    }

    /// What receives events over HTTP, if that is on.
    pub fn router(&self) -> Option<axum::Router> {
        self.router.clone()
    }

    /// What it took up.
    pub fn restored(&self) -> &Restored {
        &self.restored
    }

    /// Until it cannot go on: what a part outside said. Never while all is well, at the end of a finite source neither.
    pub async fn stopped(&mut self) -> BoxError {
        std::future::pending().await
    }

    /// Accepts nothing new, processes and commits what is in the log, gives the sinks a last turn, writes a snapshot.
    pub async fn drain(self) -> Result<(), BoxError> {
        std::future::ready(Ok(())).await
    }
}
