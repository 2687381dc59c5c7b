//! What the ingester tells whoever holds the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// That a request was signed by one of the producers. Whoever serves a connection puts one into each request's extensions,
/// the same for all of a connection; it is given as soon as a signature fits, while the request is still under way.
#[derive(Clone, Debug, Default)]
pub struct Proof(Arc<AtomicBool>);

impl Proof {
    /// A signature fits.
    pub fn give(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether one did.
    pub fn is_given(&self) -> bool {
        self.0.load(Relaxed)
    }
}
