//! The service as its program sees it.

use rasid_compiler::{LoadError, Report};

use crate::clock::Clock;
use crate::health::hindrance::Hindrances;
use crate::running::Running;
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
    /// Takes up what the data folder holds, replays what the snapshot does not cover and starts all parts. Arrivals are
    /// stamped by `clock`'s wall clock; its other one, which nobody sets, measures every wait and age. What is met on the
    /// way and later that may pass, such as a disk without room, is waited for, and said in `hindrances` meanwhile.
    ///
    /// # Errors
    /// [`StartError`]: nothing was started.
    pub async fn start(settings: Settings, clock: Clock, hindrances: Hindrances) -> Result<Running, StartError> {
        crate::start::start(settings, clock, hindrances).await
    }
}
