//! The clocks that the service is given. What decides sees neither: it has the stamps that are in the log.

pub use rasid_connectors::clock::{CONFIRM_MS, Clock, JUMP_MS, Now, Seen, age_ms};
