//! `rasid completions`: what a shell has to know to complete a command line.

use clap::CommandFactory as _;

use super::{Command, Failure};

/// Print a completion script for a shell
#[derive(clap::Args)]
#[command(after_help = "Example:\n  rasid completions bash > /etc/bash_completion.d/rasid")]
pub(crate) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        clap_complete::generate(self.shell, &mut crate::Cli::command(), "rasid", &mut std::io::stdout());
        Ok(())
    }
}
