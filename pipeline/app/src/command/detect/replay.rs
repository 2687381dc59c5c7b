//! `rasid detect DATA_FOLDER`: what a service's log comes to.

use std::path::{Path, PathBuf};

use rasid_connectors::sink::{DeadLetter, JsonLinesSink, RawLines};
use rasid_service::recover::layout::is_data_folder;
use rasid_service::recover::replay::Replay;

use super::set_aside::SetAside;
use super::{Args, Progress, finish};
use crate::command::{Failure, say};
use crate::config::{self, Key, Layers};
use crate::past::failure;

/// The data folder among what is to be read; it is read alone.
pub(super) fn folder(files: &[String]) -> Result<Option<PathBuf>, Failure> {
    match files {
        [file] if is_data_folder(Path::new(file)) => Ok(Some(PathBuf::from(file))),
        files => match files.iter().find(|file| is_data_folder(Path::new(file.as_str()))) {
            Some(folder) => Err(Failure::Configuration(format!(
                "{folder} is the data folder of a service, and such a folder is read alone: its log is one order of events"
            ))),
            None => Ok(None),
        },
    }
}

/// Goes through the log in `dir`.
pub(super) fn run(args: &Args, dir: &Path) -> Result<(), Failure> {
    check_outputs(args, dir)?;
    for (given, option, instead) in [
        (args.rules.is_some(), "--rules", "the log names its rulesets"),
        (args.now.is_some(), "--now", "the log holds every arrival"),
        (args.memory.is_some(), "--memory", "the log holds the bound"),
        (args.no_suppress, "--no-suppress", "the log is gone through as the service did"),
    ] {
        if given {
            say(format_args!("note: {option} is not used with a data folder: {instead}"));
        }
    }
    let Some(Key { secret, number, .. }) = config::key(&Layers::surrounding().load()?)? else {
        return Err(Failure::Configuration(format!(
            "the log in {} is sealed: set RASID_KEY or RASID_KEY_FILE to the pseudonym secret of the service",
            dir.display()
        )));
    };
    let mut replay = Replay::open(dir, &secret, number, args.threads.into()).map_err(failure)?;
    let scores = args.scores.as_deref().map(JsonLinesSink::create).transpose()?;
    let mut alerts = RawLines::create(&args.alerts)?;
    let mut dead_letters = args.dead_letters.as_deref().map(JsonLinesSink::create).transpose()?;
    let (mut set_aside, mut progress) = (SetAside::default(), Progress::start());
    while let Some(step) = replay.step().map_err(failure)? {
        for alert in &step.alerts {
            alerts.write(&alert.json)?;
        }
        step.dead_letters.iter().for_each(|letter| set_aside.add(letter.field.as_deref(), &letter.reason));
        if let Some(sink) = &mut dead_letters {
            for letter in step.dead_letters {
                let record = letter.record.as_slice();
                sink.write(&DeadLetter { position: letter.position, field: letter.field, reason: letter.reason, record })?;
            }
        }
        progress.show(step.position);
    }
    let elapsed = progress.end();
    if replay.lost() > 0 {
        say(format_args!(
            "note: {} entries of this log were lost to damage and given up: what they opened, or changed in what follows, is not here",
            replay.lost()
        ));
    }
    alerts.finish()?;
    dead_letters.map(JsonLinesSink::finish).transpose()?;
    let Some(engine) = replay.engine() else {
        say(format_args!("note: the log in {} is empty", dir.display()));
        scores.map(JsonLinesSink::finish).transpose()?;
        return Ok(());
    };
    let lead = set_aside.lead(engine.counters().records, true);
    finish(engine, scores, elapsed, (args.output, &lead))
}

/// Nothing is written into the folder, which is somebody's only log, nor twice to one file.
fn check_outputs(args: &Args, dir: &Path) -> Result<(), Failure> {
    args.check_files()?;
    let outputs = [("--alerts", Some(&args.alerts)), ("--scores", args.scores.as_ref()), ("--dead-letters", args.dead_letters.as_ref())];
    let Ok(dir) = dir.canonicalize() else { return Ok(()) };
    for (option, path) in outputs.into_iter().filter_map(|(option, path)| Some((option, path.filter(|path| *path != "-")?))) {
        let folder = std::path::absolute(path).ok().and_then(|path| path.parent()?.canonicalize().ok());
        if folder.is_some_and(|folder| folder.starts_with(&dir)) {
            return Err(Failure::Configuration(format!("{option} {path} would write into the data folder that is read")));
        }
    }
    Ok(())
}
