//! What is known of the past, as commands take it.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use rasid_backtest::label::{LabelError, Labels};
use rasid_engine::Pseudonymizer;
use rasid_service::operate::control::AlertFilter;
use rasid_service::recover::layout::is_data_folder;

use super::{Failure, alerts, say};
use crate::http::Client;

/// What is known of the past.
#[derive(clap::Args)]
pub(crate) struct LabelOptions {
    /// What is known of the past: labels of your own, of `rasid simulate`, or verdicts of `rasid alerts`
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Take the verdicts that the service on the data folder keeps
    #[arg(long, conflicts_with = "labels")]
    verdicts: bool,
    /// Whoever has no label is honest: so it is in a simulation, where everything is known
    #[arg(long, requires = "labels")]
    all_else_honest: bool,
}

impl LabelOptions {
    /// Whether there are any.
    pub(super) fn are_given(&self) -> bool {
        self.labels.is_some() || self.verdicts
    }

    /// Reads them; `events` is what is gone through.
    pub(super) fn read(&self, events: &[String], pseudonymizer: &Pseudonymizer) -> Result<Labels, Failure> {
        if self.verdicts {
            let [dir] = events else { return Err(no_folder()) };
            if !is_data_folder(Path::new(dir)) {
                return Err(no_folder());
            }
            let (text, count) = alerts::verdicts(&Client::new(Path::new(dir))?, AlertFilter::default())?;
            say(format_args!("{count} verdicts"));
            return Labels::read(text.as_bytes(), pseudonymizer, false).map_err(|error| Failure::Outside(Box::new(error)));
        }
        let Some(path) = &self.labels else { return Ok(Labels::default()) };
        let named = |error: String| Failure::Configuration(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(|error| named(error.to_string()))?;
        Labels::read(BufReader::new(file), pseudonymizer, self.all_else_honest).map_err(|error: LabelError| named(error.to_string()))
    }
}

fn no_folder() -> Failure {
    Failure::Configuration(
        "--verdicts are those that a service keeps: name its data folder as EVENTS, or give a file by --labels".to_owned(),
    )
}
