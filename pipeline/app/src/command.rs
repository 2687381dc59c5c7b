//! One file a subcommand, and how they end when they cannot go on.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod detect;
pub(crate) mod schema;
pub(crate) mod simulate;

use std::error::Error as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use rasid_rules::LoadError;

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The rule files have faults.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// A setting is wrong.
    #[error("{0}")]
    Configuration(String),
    /// Something outside failed.
    #[error(transparent)]
    Outside(#[from] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is no, or something is wrong, and it was said; the exit status is left.
    #[error("said")]
    Said(u8),
    /// Whoever read our output has gone, as `head` does: the usual way to end, and quiet.
    #[error("the reader of the output has gone")]
    ReaderGone,
}

impl From<rasid_connectors::Error> for Failure {
    fn from(error: rasid_connectors::Error) -> Self {
        match error {
            rasid_connectors::Error::Closed { .. } => Self::ReaderGone,
            other => Self::Outside(Box::new(other)),
        }
    }
}

impl Failure {
    /// Says on stderr what is wrong.
    pub(crate) fn report(&self) {
        match self {
            Self::Rules(LoadError::Faults(report)) => say(format_args!("{}", report.render(colour()).trim_end())),
            Self::Said(_) => {}
            other => {
                let mut text = format!("error: {other}");
                // `transparent` variants already say what their source says, so the chain begins behind it.
                let mut source = other.source();
                while let Some(cause) = source {
                    text.push_str(": ");
                    text.push_str(&cause.to_string());
                    source = cause.source();
                }
                say(format_args!("{text}"));
            }
        }
    }

    /// 2 bad usage, rule file or configuration; 3 something outside.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::ReaderGone => ExitCode::SUCCESS,
            Self::Said(status) => ExitCode::from(*status),
            Self::Rules(_) | Self::Configuration(_) => ExitCode::from(2),
            Self::Outside(_) => ExitCode::from(3),
        }
    }
}

/// How a result is written.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

/// A line on stdout.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::ReaderGone),
        Err(error) => Err(Failure::Outside(Box::new(error))),
        Ok(()) => Ok(()),
    }
}

/// Whether stderr is to be coloured: a terminal, and `NO_COLOR` (<https://no-color.org>) is not set.
pub(crate) fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A line to the person at stderr. Nobody may be there any more, which is no reason to stop.
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
