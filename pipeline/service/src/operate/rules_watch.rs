//! The rules folder while the service runs: a change is compiled, its tests are run, and only then the log is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{LoadError, Look, Report};

use crate::error::{BoxError, StartError};

/// A file that was changed longer ago is not being written any more, ms.
const WRITTEN_MS: i64 = 2_000;
/// How long a folder that was changed a moment ago must stay as it is before it is read at the start.
const REST: Duration = Duration::from_millis(250);
/// How often a start waits for that.
const RESTS_MAX: usize = 40;
/// Looks in a row that find the folder changed again, after which people are told.
const RESTLESS_MAX: u32 = 60;

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
    /// Judging it has failed, which says nothing about the rules.
    #[error("the rules could not be judged")]
    Outside(#[source] BoxError),
}

impl From<Refusal> for StartError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Load(error) => Self::Rules(error),
            Refusal::Tests(report) => Self::RuleTests(report),
            Refusal::Engine(error) => Self::outside(error),
            other @ Refusal::Outside(_) => Self::outside(other),
        }
    }
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
fn load_tested(dir: &Path) -> Result<Ruleset, Refusal> {
    let ruleset = rasid_compiler::load(dir)?;
    match rasid_engine::run_tests(&ruleset)?.failures {
        None => Ok(ruleset),
        Some(mut report) => {
            report.dir = Some(dir.to_owned());
            Err(Refusal::Tests(Box::new(report)))
        }
    }
}

/// What a look at the folder found.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Nothing new, or what may still be being written.
    Nothing,
    /// It does not come to rest, and so is not read; said once until it does.
    Restless,
    /// It has changed and is at rest: the ruleset as it is now, or why it is refused.
    Judged(Result<Box<Ruleset>, Refusal>),
}

/// Watches one folder.
#[derive(Clone)]
pub(crate) struct RulesWatch {
    dir: PathBuf,
    /// The look that was last judged; `None`: none, so that what is there counts as new.
    judged: Option<Look>,
    /// The look before this one: only a folder that has come to rest is read, not one that is being written.
    before: Option<Look>,
    /// Looks in a row that found it changed again.
    restless: u32,
}

impl RulesWatch {
    /// Watches `dir`; what is in it now counts as new.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), judged: None, before: None, restless: 0 }
    }

    /// Reads the folder for the first time, once it is at rest: a start in the midst of a checkout must not take half of
    /// the rules for all of them. A folder that stays restless for ten seconds is read as it is.
    pub(crate) async fn first(&mut self, now_ms: impl Fn() -> i64) -> Result<Ruleset, Refusal> {
        for _ in 0..RESTS_MAX {
            let look = self.at()?;
            let written_lately = look.newest_ms().is_some_and(|newest_ms| (now_ms() - newest_ms).abs() < WRITTEN_MS);
            if written_lately {
                tokio::time::sleep(REST).await;
                if self.at()? != look {
                    continue;
                }
            }
            let loaded = self.load().await;
            if self.at().ok().as_ref() == Some(&look) {
                self.settle(Some(look));
                return loaded;
            }
        }
        tracing::warn!(dir = %self.dir.display(), "the rules folder does not come to rest; it is read as it is");
        self.settle(self.at().ok());
        self.load().await
    }

    fn at(&self) -> Result<Look, LoadError> {
        Look::at(&self.dir).map_err(|source| LoadError::Io { path: self.dir.clone(), source })
    }

    async fn load(&self) -> Result<Ruleset, Refusal> {
        let dir = self.dir.clone();
        // Compiling and testing takes its time; it shall not take the runtime's.
        tokio::task::spawn_blocking(move || load_tested(&dir)).await.map_err(|error| Refusal::Outside(Box::new(error)))?
    }

    fn settle(&mut self, look: Option<Look>) {
        self.before.clone_from(&look);
        self.judged = look;
        self.restless = 0;
    }

    /// What is in it now has been judged, however that ended.
    pub(crate) fn judged(&mut self) {
        self.settle(self.at().ok());
    }

    /// What was judged last is to be judged once more: it could not be switched to.
    pub(crate) fn again(&mut self) {
        self.judged = None;
    }

    /// Looks again.
    pub(crate) fn look(&mut self) -> Seen {
        let now = match self.at() {
            Ok(now) => now,
            Err(gone) => {
                // Said once, as one change; what comes back counts as new.
                let first = self.judged.is_some();
                self.settle(None);
                return if first { Seen::Judged(Err(gone.into())) } else { Seen::Nothing };
            }
        };
        let at_rest = self.before.as_ref() == Some(&now);
        self.before = Some(now.clone());
        if at_rest && self.judged.as_ref() == Some(&now) {
            self.restless = 0;
            return Seen::Nothing;
        }
        if at_rest {
            let loaded = load_tested(&self.dir);
            // What changed while it was read is neither the one nor the other.
            let after = self.at().ok();
            if after.as_ref() == Some(&now) {
                self.settle(after);
                return Seen::Judged(loaded.map(Box::new));
            }
            self.before = after;
        }
        self.restless += 1;
        if self.restless == RESTLESS_MAX { Seen::Restless } else { Seen::Nothing }
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

    fn nothing(watch: &mut RulesWatch) -> bool {
        matches!(watch.look(), Seen::Nothing)
    }

    #[test]
    fn a_pipe_a_dangling_link_and_a_loop_are_faults_that_are_seen_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "has(data.method)");
        let mut watch = RulesWatch::new(folder.path());
        watch.judged();
        let pipe = folder.path().join("auth/pipe.yaml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there");
        assert!(made.success());
        std::os::unix::fs::symlink("nowhere", folder.path().join("auth/gone.yaml")).expect("a link");
        std::os::unix::fs::symlink(".", folder.path().join("here")).expect("a link");
        assert!(nothing(&mut watch));
        let Seen::Judged(Err(Refusal::Load(LoadError::Faults(report)))) = watch.look() else { panic!("refused") };
        let mut codes: Vec<&str> = report.faults.iter().map(|fault| fault.code.as_str()).collect();
        codes.sort_unstable();
        assert_eq!(codes, ["R0042", "R0043", "R0045"]);
        assert!(nothing(&mut watch));
        for name in ["auth/pipe.yaml", "auth/gone.yaml", "here"] {
            std::fs::remove_file(folder.path().join(name)).expect("removable");
        }
        assert!(nothing(&mut watch));
        assert!(matches!(watch.look(), Seen::Judged(Ok(_))), "whole again");
    }

    #[test]
    fn a_folder_that_never_rests_is_told_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut watch = RulesWatch::new(folder.path());
        watch.judged();
        let mut told = 0;
        for number in 0..RESTLESS_MAX + 5 {
            write(folder.path(), &format!("size(data.user_id) > {number}"));
            std::fs::write(folder.path().join(format!("auth/{number}.yaml")), "half").expect("writable");
            told += u32::from(matches!(watch.look(), Seen::Restless));
        }
        assert_eq!(told, 1);
    }

    #[tokio::test]
    async fn a_start_in_the_midst_of_a_checkout_waits_until_it_is_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "has(data.method)");
        let dir = folder.path().to_owned();
        let watched = dir.clone();
        // It is always just now that a file was written.
        let now_ms = move || Look::at(&watched).ok().and_then(|look| look.newest_ms()).unwrap_or_default();
        let (started, begun) = tokio::sync::oneshot::channel();
        let writer = tokio::spawn(async move {
            for number in 0..3 {
                let rule = RULE.replace("RISKY", "has(data.method)").replace("auth.any", &format!("auth.any_{number}"));
                std::fs::write(dir.join(format!("auth/any_{number}.yaml")), rule).expect("writable");
                tokio::time::sleep(REST / 5).await;
            }
            started.send(()).expect("awaited below");
        });
        let mut watch = RulesWatch::new(folder.path());
        let ruleset = watch.first(now_ms).await.expect("good");
        writer.await.expect("written");
        assert!(begun.await.is_ok());
        assert_eq!(ruleset.rules.len(), 4, "all of them and not half");
        assert!(nothing(&mut watch), "and they are judged");
    }

    #[test]
    fn a_change_is_judged_once_it_has_come_to_rest_and_only_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "has(data.method)");
        let mut watch = RulesWatch::new(folder.path());
        watch.judged();
        assert!(nothing(&mut watch), "nothing has changed");
        write(folder.path(), "has(data.asn_type)");
        assert!(nothing(&mut watch), "it may still be being written");
        let Seen::Judged(Ok(ruleset)) = watch.look() else { panic!("at rest, and good") };
        assert_eq!(ruleset.rules.len(), 1);
        assert!(nothing(&mut watch) && nothing(&mut watch), "judged");
        watch.again();
        assert!(matches!(watch.look(), Seen::Judged(Ok(_))), "it could not be switched to");
    }

    #[test]
    fn a_fault_is_told_once_and_its_repair_is_seen() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "has(data.method)");
        let mut watch = RulesWatch::new(folder.path());
        watch.judged();
        write(folder.path(), "nonsense > 3");
        assert!(nothing(&mut watch));
        assert!(matches!(watch.look(), Seen::Judged(Err(Refusal::Load(LoadError::Faults(_))))));
        assert!(nothing(&mut watch));
        write(folder.path(), "has(data.country)");
        assert!(nothing(&mut watch));
        assert!(matches!(watch.look(), Seen::Judged(Ok(_))));
    }

    #[test]
    fn a_folder_that_went_away_is_told_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("rules");
        write(&dir, "has(data.method)");
        let mut watch = RulesWatch::new(&dir);
        watch.judged();
        std::fs::remove_dir_all(&dir).expect("removable");
        assert!(matches!(watch.look(), Seen::Judged(Err(Refusal::Load(LoadError::Io { .. })))));
        assert!(nothing(&mut watch));
        write(&dir, "has(data.method)");
        assert!(nothing(&mut watch));
        assert!(matches!(watch.look(), Seen::Judged(Ok(_))));
    }
}
