//! What the ingester tells whoever holds the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// That a request was signed by one of the producers, or showed a token of one. Whoever serves a connection puts one into each request's extensions,
/// the same for all of a connection; it is given as soon as that is known, while the request is still under way.
#[derive(Clone, Debug, Default)]
pub struct Proof(Arc<AtomicBool>);

impl Proof {
    /// It is.
    pub fn give(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether one was.
    pub fn is_given(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Who else can read what comes over a connection. Whoever serves it puts one into each request's extensions; where there is none,
/// anybody can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// Nobody: both its ends are on this machine, or it is TLS.
    Private,
    /// Whoever is on the way.
    #[default]
    Open,
}
