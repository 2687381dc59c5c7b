//! What somebody else tells, as it was told last.

use tokio::sync::watch;

/// The newest value. Never a reference to it: that holds a lock until its statement ends, and where a statement has two of them
/// and a writer comes in between, the second waits for the writer, who waits for the first.
#[expect(clippy::disallowed_methods, reason = "here the lock is given back at once")]
pub fn latest<T: Copy>(told: &watch::Receiver<T>) -> T {
    *told.borrow()
}
