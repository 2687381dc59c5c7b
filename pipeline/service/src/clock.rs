//! The clocks that the service is given. What decides sees neither: it has the stamps that are in the log.

pub use rasid_connectors::clock::{Clock, Now, age_ms};
