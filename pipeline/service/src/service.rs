//! The service as its program sees it.

use crate::clock::Clock;
use crate::error::StartError;
use crate::health::hindrance::Hindrances;
use crate::running::Running;
use crate::settings::Settings;

/// The live service, not yet running.
#[derive(Debug)]
pub struct Service;

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
