//! Logs, on stderr: silent unless `RASID_LOG` asks (`info`, `debug`, `trace`, or a filter such as `rasid=debug`). A log
//! line is a constant message with numbers; it never holds a record or any part of one.

use tracing_subscriber::EnvFilter;

/// Starts logging as `RASID_LOG` says.
pub(crate) fn init() {
    let filter = EnvFilter::try_from_env("RASID_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(crate::command::colour())
        .with_target(true)
        .init();
}
