//! Why the service cannot start.

use rasid_compiler::{LoadError, Report};

/// What a part outside said.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

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

impl StartError {
    /// Something outside failed.
    pub(crate) fn outside(error: impl Into<BoxError>) -> Self {
        Self::Outside(error.into())
    }

    /// A setting of `what` cannot be used.
    pub(crate) fn wrong(what: &str, error: &dyn std::error::Error) -> Self {
        Self::Configuration(format!("{what}: {error}"))
    }
}
