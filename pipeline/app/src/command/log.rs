//! `rasid log`: what of a data folder is whole, and mending what is not.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use rasid_connectors::log::{Positions, Segment};
use rasid_service::recover::damage::{Act, DamageError, Folder, Looked, Lost, Means, Report};
use rasid_service::settings::Secret;

use super::{Command, Failure, OutputFormat, is_owner, print_json, print_line, reason, say, who};
use crate::clock::now_ms;
use crate::config::{self, Layers};
use crate::user;

/// What of a data folder is whole, and mending what is not
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Go through a data folder: what is whole, what is damaged, and what mending it would lose
    #[command(after_help = "Example:\n  RASID_KEY_FILE=key rasid log check /var/lib/rasid\n\n\
        Exit status: 0 all is whole, 1 something is damaged, 3 it could not be read.\n\n\
        It changes nothing, and may run beside the service; it then does not know how far effects\n\
        were committed.")]
    Check {
        /// The data folder; by default the configuration's
        #[arg(value_name = "DATA")]
        folder: Option<PathBuf>,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
    /// Give up what is damaged, so that the service can start: said first, audited after
    #[command(after_help = "Example:\n  RASID_KEY_FILE=key rasid log mend /var/lib/rasid --reason \"INC-2041, a bad disk\"\n\n\
        Only while no service runs, and as the user whose folder it is. What is damaged is kept aside in\n\
        damaged/ within the folder, what is whole stays as it is. docs/runbooks/log_damaged.md says what\n\
        to try first.")]
    Mend {
        /// The data folder; by default the configuration's
        #[arg(value_name = "DATA")]
        folder: Option<PathBuf>,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        layers: Layers,
        /// How the result is written
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        output: OutputFormat,
    },
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        match &self.what {
            What::Check { folder, layers, output } => check(folder.as_deref(), layers, *output),
            What::Mend { folder, reason: why, yes, layers, output } => mend(folder.as_deref(), &reason(why)?, *yes, layers, *output),
        }
    }
}

fn check(data: Option<&Path>, layers: &Layers, output: OutputFormat) -> Result<(), Failure> {
    let (data, secret) = folder(data, layers)?;
    let folder = Folder::check(&data, &secret).map_err(outside)?;
    tell(folder.report(), output)?;
    if folder.report().is_whole() { Ok(()) } else { Err(Failure::Said(1)) }
}

fn mend(data: Option<&Path>, why: &str, yes: bool, layers: &Layers, output: OutputFormat) -> Result<(), Failure> {
    let (data, secret) = folder(data, layers)?;
    is_owner(&data, "mend it")?;
    let folder = Folder::take(&data, &secret).map_err(outside)?;
    tell(folder.report(), output)?;
    if !folder.report().needs_mending() {
        say(format_args!("nothing to mend"));
        return Ok(());
    }
    if !yes && !agreed()? {
        say(format_args!("nothing was changed"));
        return Err(Failure::Said(1));
    }
    let act = Act { now_ms: now_ms(), who: &user::named_or_numbered(user::own()), claimed: &who().claimed, why };
    let aside = folder.mend(&act).map_err(outside)?;
    for path in &aside {
        say(format_args!("kept aside: {}/{path}", data.display()));
    }
    say(format_args!("mended; the audit says what was given up"));
    Ok(())
}

/// The folder, and the secret that it is sealed under.
fn folder(data: Option<&Path>, layers: &Layers) -> Result<(PathBuf, Secret), Failure> {
    let loaded = layers.load()?;
    let data = data.map_or_else(|| PathBuf::from(&loaded.config.data.dir), Path::to_owned);
    match config::key(&loaded)? {
        Some(key) => Ok((data, key.secret)),
        None => Err(Failure::Configuration(format!(
            "the log in {} is sealed: set RASID_KEY or RASID_KEY_FILE to the pseudonym secret of the service",
            data.display()
        ))),
    }
}

fn outside(error: DamageError) -> Failure {
    match error {
        error @ DamageError::NoLog { .. } => Failure::Configuration(error.to_string()),
        error => Failure::Outside(Box::new(error)),
    }
}

/// Asks the person at the terminal; without one, nothing is given up.
fn agreed() -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::Configuration("nobody is there to be asked: say --yes if that is what shall be lost".to_owned()));
    }
    say(format_args!("give this up? Type \"yes\":"));
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(|error| Failure::Outside(Box::new(error)))?;
    Ok(line.trim() == "yes")
}

fn tell(report: &Report, output: OutputFormat) -> Result<(), Failure> {
    match output {
        OutputFormat::Json => print_json(report),
        OutputFormat::Text => lines(report).iter().try_for_each(|line| print_line(line)),
    }
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.in_use {
        lines.push(format!(
            "a service may run on {}: what it is writing can look torn, and how far effects were committed is not known",
            report.data
        ));
    }
    report.log.iter().for_each(|one| segment(one, "positions", &mut lines));
    report.dead_letters.iter().for_each(|one| segment(one, "letters", &mut lines));
    for Looked { path, damaged } in report.keys.iter().chain(&report.snapshots).chain(&report.rulesets) {
        lines.push(format!("{path}: {}", damaged.as_ref().map_or_else(|| "whole".to_owned(), |why| format!("DAMAGED: {why}"))));
    }
    if let Some(committed) = report.committed {
        lines.push(format!("effects were committed up to position {committed}"));
    }
    lines.push(report.snapshot.map_or_else(
        || "there is no whole snapshot: a start goes through all of the log".to_owned(),
        |snapshot| format!("a start begins behind the snapshot at position {snapshot}, and needs nothing of the log before it"),
    ));
    lines.extend(report.lost.iter().map(lost));
    if report.lost_dead_letters > 0 {
        lines.push(format!("mending loses {} dead letters: they can be listed and retried no more", report.lost_dead_letters));
    }
    if report.is_whole() {
        lines.push("all is whole".to_owned());
    }
    lines
}

fn segment(segment: &Segment, of: &str, lines: &mut Vec<String>) {
    let Segment { path, missing, bytes, positions, damage, torn_tail, lost_before } = segment;
    let held = positions.map_or_else(|| format!("no {of} yet"), |positions| format!("{of} {}", range(positions)));
    let state = match (*missing, damage.is_empty()) {
        (true, _) => "MISSING",
        (false, true) => "whole",
        (false, false) => "DAMAGED",
    };
    let before = if *lost_before > 0 { format!(", {lost_before} of them lost and mended before") } else { String::new() };
    lines.push(format!("{path}: {bytes} bytes, {held}{before}: {state}"));
    for damage in damage {
        let lost = damage.positions.map_or_else(|| format!("no {of} are lost by it"), |positions| format!("{of} {}", range(positions)));
        lines.push(format!("  at byte {}, {} bytes: {}; {lost}", damage.offset, damage.bytes, damage.reason));
    }
    if let Some(torn) = torn_tail {
        lines.push(format!(
            "  from byte {} on, {} bytes: torn by a crash, never acknowledged; the next start cuts them",
            torn.offset, torn.bytes
        ));
    }
}

fn range(positions: Positions) -> String {
    if positions.first == positions.last { positions.first.to_string() } else { format!("{} to {}", positions.first, positions.last) }
}

fn lost(lost: &Lost) -> String {
    let means = match lost.means {
        Means::Covered => "the snapshot has what came of them, and no state is lost; `rasid detect` over this folder goes on without them",
        Means::Judged => {
            "what they opened was sent; the state that the next start makes lacks them, so what follows may differ from what it would have been"
        }
        Means::Unjudged => "they were not judged, and never will be: who sent them may have them still",
    };
    format!("mending loses positions {} ({}): {means}", range(lost.positions), lost.positions.count())
}
