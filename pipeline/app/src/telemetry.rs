//! Logs, on stderr: silent unless `RASID_LOG` asks (`info`, `debug`, `trace`, or a filter such as `rasid=debug`), and as the
//! configuration says under `run`. A log line is a constant message with fields; it never holds a record or any part of
//! one.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// The variable that sets the filter.
const VARIABLE: &str = "RASID_LOG";

/// Starts logging as `RASID_LOG` says.
pub(crate) fn init() {
    start(LogFormat::Text, "off");
}

/// Starts logging for the service: `filter` counts unless `RASID_LOG` is set.
pub(crate) fn init_service(format: LogFormat, filter: &str) {
    start(format, filter);
}

fn start(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(filter));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(true);
    match format {
        LogFormat::Text => lines.with_ansi(crate::command::colour()).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
}
