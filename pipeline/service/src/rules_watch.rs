//! The rules folder while the service runs: a change is compiled, its tests are run, and only then the log is told.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rasid_rules::ruleset::Ruleset;
use rasid_rules::{LoadError, Report};

/// What the folder looks like from outside, so that it is read again only when something has changed: path, length and
/// time of change of every file. A mounted configuration that is swapped by a link changes all three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look(Vec<(PathBuf, u64, u128)>);

impl Look {
    fn at(dir: &Path) -> std::io::Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                // A file that has gone since is a change that the next look sees.
                let Ok(meta) = std::fs::metadata(&path) else { continue };
                if meta.is_dir() {
                    folders.push(path);
                } else {
                    let changed = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                    files.push((path, meta.len(), changed.map_or(0, |since| since.as_nanos())));
                }
            }
        }
        files.sort_unstable();
        Ok(Self(files))
    }
}

/// What is wrong with a ruleset that was to be switched to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It cannot be read, or has faults.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its tests fail (invariant R1).
    #[error("{} of its tests fail, the first: {}", .0.faults.len(), first(.0))]
    Tests(Box<Report>),
    /// The tests could not be run.
    #[error(transparent)]
    Engine(#[from] rasid_engine::EngineError),
}

/// The first fault of a report in one line.
fn first(report: &Report) -> String {
    report.faults.first().map_or_else(String::new, |fault| {
        let (line, column) = report.position(fault);
        format!("{}:{line}:{column}: {}", report.path(fault), fault.message)
    })
}

/// Compiles the folder and runs the tests in it.
///
/// # Errors
/// [`Refusal`]; such a ruleset is never active.
pub(crate) fn load_tested(dir: &Path) -> Result<Ruleset, Refusal> {
    let ruleset = rasid_rules::load(dir)?;
    match rasid_engine::run_tests(&ruleset)?.failures {
        None => Ok(ruleset),
        Some(mut report) => {
            report.dir = Some(dir.to_owned());
            Err(Refusal::Tests(Box::new(report)))
        }
    }
}

/// Watches one folder.
pub(crate) struct RulesWatch {
    dir: PathBuf,
    /// The look that was last judged.
    judged: Look,
    /// The look before this one: only a folder that has come to rest is read, not one that is being written.
    before: Look,
}

impl RulesWatch {
    /// Watches `dir`; what is in it now counts as new.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), judged: Look::default(), before: Look::default() }
    }

    /// What is in it now has been judged.
    pub(crate) fn judged(&mut self) {
        self.judged = Look::at(&self.dir).unwrap_or_default();
        self.before = self.judged.clone();
    }

    /// Looks again: `None` while nothing has changed since the last judgement or the change is still going on; else the
    /// ruleset as it is now, or why it is refused.
    pub(crate) fn look(&mut self) -> Option<Result<Ruleset, Refusal>> {
        let now = match Look::at(&self.dir) {
            Ok(now) => now,
            Err(source) => {
                // The folder is gone: said once, as one change.
                let gone = Look::default();
                let first = self.judged != gone;
                self.judged = gone.clone();
                self.before = gone;
                return first.then(|| Err(Refusal::Load(LoadError::Io { path: self.dir.clone(), source })));
            }
        };
        let at_rest = now == self.before;
        self.before = now.clone();
        if now == self.judged || !at_rest {
            return None;
        }
        self.judged = now;
        Some(load_tested(&self.dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "rule: auth.any
title: Any login
severity: SEV3
on: auth.login_succeeded
entity: user
when: RISKY
risk: 10
half_life: 1h
explain: a login
";

    fn write(dir: &Path, condition: &str) {
        std::fs::create_dir_all(dir.join("auth")).expect("writable");
        std::fs::write(dir.join("auth/any.yaml"), RULE.replace("RISKY", condition)).expect("writable");
    }

    #[test]
    fn a_change_is_judged_once_it_has_come_to_rest_and_only_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "has(data.method)");
        let mut watch = RulesWatch::new(folder.path());
        watch.judged();
        assert!(watch.look().is_none(), "nothing has changed");
        write(folder.path(), "has(data.asn_type)");
        assert!(watch.look().is_none(), "it may still be being written");
        let ruleset = watch.look().expect("at rest").expect("good");
        assert_eq!(ruleset.rules.len(), 1);
        assert!(watch.look().is_none() && watch.look().is_none(), "judged");
    }

    #[test]
    fn a_fault_is_told_once_and_its_repair_is_seen() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "has(data.method)");
        let mut watch = RulesWatch::new(folder.path());
        watch.judged();
        write(folder.path(), "nonsense > 3");
        assert!(watch.look().is_none());
        assert!(matches!(watch.look(), Some(Err(Refusal::Load(LoadError::Faults(_))))));
        assert!(watch.look().is_none());
        write(folder.path(), "has(data.country)");
        assert!(watch.look().is_none());
        assert!(matches!(watch.look(), Some(Ok(_))));
    }

    #[test]
    fn a_folder_that_went_away_is_told_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("rules");
        write(&dir, "has(data.method)");
        let mut watch = RulesWatch::new(&dir);
        watch.judged();
        std::fs::remove_dir_all(&dir).expect("removable");
        assert!(matches!(watch.look(), Some(Err(_))));
        assert!(watch.look().is_none());
        write(&dir, "has(data.method)");
        assert!(watch.look().is_none());
        assert!(matches!(watch.look(), Some(Ok(_))));
    }
}
