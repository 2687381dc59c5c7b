//! One file a command, the list of them, and how they end when they cannot go on.
//!
//! A command is declared in its file alone: `Args` is what it takes (clap; its doc comment is the line in `rasid --help`, its
//! `after_help` the examples), and [`Command`] what it does. Help, completions and `docs/commands.md` are made from that.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

use rasid_compiler::LoadError;
use rasid_detectors::event::time::parse_rfc3339;
use rasid_detectors::shown::{block, json, shown};
use rasid_service::Chain;
use rasid_service::operate::control::Who;

use crate::user;

mod label_options;
mod past_options;

pub(crate) use self::detect::Progress;

/// What a command does.
pub(crate) trait Command {
    /// Whether it sets its log up by itself, as the configuration says; else it is what `RASID_LOG` says, on stderr.
    const LOGS_AS_CONFIGURED: bool = false;

    /// Does it.
    ///
    /// # Errors
    /// Why not.
    fn run(&self) -> Result<(), Failure>;
}

macro_rules! commands {
    ($($module:ident: $name:ident,)*) => {
        $(mod $module;)*

        /// The command that was given.
        #[derive(clap::Subcommand)]
        pub(crate) enum Given { $($name($module::Args),)* }

        impl Given {
            /// Does what was asked for.
            pub(crate) fn run(&self) -> Result<(), Failure> {
                match self {
                    $(Self::$name(args) => {
                        if !<$module::Args as Command>::LOGS_AS_CONFIGURED {
                            crate::telemetry::init();
                        }
                        args.run()
                    })*
                }
            }
        }
    };
}

commands! {
    demo: Demo,
    detect: Detect,
    run: Run,
    check: Check,
    diff: Diff,
    backtest: Backtest,
    why_not: WhyNot,
    explain: Explain,
    suggest: Suggest,
    archive: Archive,
    simulate: Simulate,
    config: Config,
    status: Status,
    dead_letters: DeadLetters,
    parked: Parked,
    alerts: Alerts,
    page: Page,
    log: Log,
    score: Score,
    pseudonym: Pseudonym,
    explain_text: ExplainText,
    retract: Retract,
    token: Token,
    schema: Schema,
    completions: Completions,
    reference: Reference,
}

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The rule files have faults.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// A setting is wrong.
    #[error("{0}")]
    Configuration(String),
    /// The configuration has faults; the text says which, a line each.
    #[error("{0}")]
    ConfigurationFaults(String),
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
            Self::Rules(LoadError::Faults(report)) => say_block(report.render(colour()).trim_end()),
            Self::ConfigurationFaults(faults) => say_block(faults),
            Self::Said(_) => {}
            // `transparent` variants already say what their source says, so the chain begins behind it.
            other => say(format_args!("error: {}", Chain(other))),
        }
    }

    /// 2 bad usage, rule file or configuration; 3 something outside.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::ReaderGone => ExitCode::SUCCESS,
            Self::Said(status) => ExitCode::from(*status),
            Self::Rules(_) | Self::Configuration(_) | Self::ConfigurationFaults(_) => ExitCode::from(2),
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

/// A line on stdout. What is in it may come from anywhere: a terminal sees all of it, and obeys none of it.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    print(&shown(line))
}

/// Several lines on stdout that were put together here; `coloured` where colours are part of it.
pub(crate) fn print_block(text: &str, coloured: bool) -> Result<(), Failure> {
    print(&block(text, coloured))
}

/// A result for programs: one JSON value on stdout. A terminal obeys nothing in it either.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print(&json(&json_text(value)?))
}

/// A value as JSON.
pub(crate) fn json_text(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Outside(Box::new(error)))
}

fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::ReaderGone),
        Err(error) => Err(Failure::Outside(Box::new(error))),
        Ok(()) => Ok(()),
    }
}

/// An instant on the command line.
pub(crate) fn instant(text: &str) -> Result<i64, String> {
    parse_rfc3339(text).ok_or_else(|| "expected RFC 3339 with a zone, such as 2026-11-21T10:00:00Z".to_owned())
}

/// Why something is done, for the audit: somebody reads it in a year.
pub(crate) fn reason(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Failure::Configuration("the reason is one line that is not empty: it goes into the audit".to_owned()));
    }
    Ok(text.to_owned())
}

/// Who asks, by their own word: behind `sudo` it is the person. The service has the user from the system, and keeps both.
pub(crate) fn who() -> Who {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    Who::from(named.unwrap_or_default())
}

/// Whether what is written into a data folder will belong to whoever the folder belongs to: else the service could not read it.
pub(crate) fn is_owner(data: &Path, act: &str) -> Result<(), Failure> {
    let Ok(owner) = std::fs::metadata(data).map(|folder| folder.uid()) else { return Ok(()) };
    if owner == user::own() {
        return Ok(());
    }
    let name = user::named_or_numbered(owner);
    Err(Failure::Configuration(format!("{} belongs to {name}: {act} as that user, or the service cannot read it", data.display())))
}

/// A span of time for people: `3.2 s`, `5 min`, `7 h`, `12 d`.
pub(crate) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// Whether stderr is to be coloured: a terminal, and `NO_COLOR` (<https://no-color.org>) is not set.
pub(crate) fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A line to the person at stderr, with nothing in it that a terminal would obey. Nobody may be there any more, which is no
/// reason to stop.
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    drop(writeln!(std::io::stderr(), "{}", shown(&line.to_string())));
}

/// Several lines to the person at stderr that were put together here, coloured where stderr is.
pub(crate) fn say_block(text: &str) {
    drop(writeln!(std::io::stderr(), "{}", block(text, colour())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_readable_and_reasons_are_one_line() {
        for (ms, text) in [(0, "0 ms"), (999, "999 ms"), (1_550, "1.5 s"), (60_000, "1 min"), (7_200_000, "2 h"), (172_800_000, "2 d")] {
            assert_eq!(span(ms), text);
        }
        assert_eq!(reason(" wrong limit ").expect("a reason"), "wrong limit");
        assert!(reason("  ").is_err() && reason("two\nlines").is_err());
        assert_eq!((instant("1970-01-01T00:00:01Z"), instant("2026-11-21T10:00:00").is_err()), (Ok(1000), true));
    }
}
