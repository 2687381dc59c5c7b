//! `rasid config show`: every option as it is in force, and where its value comes from.

use serde::Serialize;
use serde_json::Value;

use super::{Command, Failure, OutputFormat, print_line};
use crate::config::{Layers, Loaded, Origin};

/// The configuration as `run` would have it
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Print every option with its value and its origin; secrets as [set]
    #[command(
        after_help = "Examples:\n  rasid config show\n  RASID_ENGINE__THREADS=4 rasid config show --config /etc/rasid/rasid.toml --output json\n\n\
        The command line is over the environment (RASID_SECTION__OPTION) is over the file is over the defaults.\n\
        docs/configuration.md says what each option does."
    )]
    Show {
        #[command(flatten)]
        layers: Layers,
        /// How it is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
}

#[derive(Serialize)]
struct Shown<'a> {
    option: &'a str,
    value: &'a Option<Value>,
    origin: &'a Origin,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let What::Show { layers, output } = &self.what;
        let loaded = layers.load()?;
        match output {
            OutputFormat::Text => text(&loaded),
            OutputFormat::Json => {
                let options = loaded.options();
                let shown: Vec<Shown<'_>> = options.iter().map(|(option, value, origin)| Shown { option, value, origin }).collect();
                super::print_json(&shown)
            }
        }
    }
}

fn text(loaded: &Loaded) -> Result<(), Failure> {
    let options = loaded.options();
    let lines: Vec<(String, &Origin)> = options
        .iter()
        .map(|(option, value, origin)| {
            let value = match value {
                None => "(not set)".to_owned(),
                Some(Value::String(text)) if text == "[set]" => text.clone(),
                Some(value) => value.to_string(),
            };
            (format!("{option} = {value}"), *origin)
        })
        .collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    for (line, origin) in lines {
        print_line(&format!("{line:width$}  {origin}"))?;
    }
    Ok(())
}
