//! Folders and files below the data folder.

use std::path::Path;

/// Segments of the log.
pub const LOG: &str = "log";
/// Day keys, wrapped.
pub const KEYS: &str = "keys";
/// Segments of dead letters.
pub const DEAD_LETTERS: &str = "dead-letters";
/// One folder a snapshot, and one of parts that they share.
pub const SNAPSHOTS: &str = "snapshots";
/// Bundles by hash.
pub const RULESETS: &str = "rulesets";
/// The outbox.
pub const OUTBOX: &str = "outbox.redb";
/// Every alert, and what people said about it.
pub const ALERTS: &str = "alerts.redb";
/// Held by the process that runs here.
pub const LOCK: &str = "lock";
/// Who did what, when and why.
pub const AUDIT: &str = "audit.jsonl";
/// Which followed file is which, a file a folder.
pub const FOLLOWED: &str = rasid_connectors::source::FOLLOWED_DIR;
/// Where an operator asks.
pub const CONTROL: &str = "control.sock";

/// Whether a folder looks like the data folder of a service.
pub fn is_data_folder(dir: &Path) -> bool {
    dir.join(LOG).is_dir()
}
