//! `rasid schema`: JSON Schemas on stdout.

use clap::ValueEnum;

use super::{Command, Failure, print_block};

/// Print a JSON Schema, for editors, producers and receivers
#[derive(clap::Args)]
#[command(after_help = "Example:\n  rasid schema rules > rules/rule.schema.json")]
pub(crate) struct Args {
    /// Of what
    #[arg(value_enum)]
    of: Subject,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// One event, as producers publish it
    Events,
    /// One rule file
    Rules,
    /// One alert, as every receiver gets it
    Alerts,
    /// The configuration of `rasid run`
    Config,
    /// What may be asked over HTTP with a token: an `OpenAPI` document
    Openapi,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let schema = match self.of {
            Subject::Events => rasid_detectors::event::schema::event_schema(),
            Subject::Rules => rasid_compiler::rule_schema(),
            Subject::Alerts => rasid_engine::alert_schema(),
            Subject::Config => crate::config::schema(),
            Subject::Openapi => crate::http::openapi_document(),
        };
        let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::Outside(Box::new(error)))?;
        print_block(&text, false)
    }
}
