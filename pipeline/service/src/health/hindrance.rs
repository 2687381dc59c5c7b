//! What hinders the service though it runs: a disk without room, above all. Whoever meets it says so here, waits and tries
//! the same again, until there is room or the service is to stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rasid_connectors::Disposition;
use serde::Serialize;

use crate::chain::Chain;
use crate::health::stats::HindranceStats;

/// Time before the second try, and the longest between two.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// The data folder, at the start.
    Start,
    /// The log.
    Log,
    /// The dead letters.
    DeadLetters,
    /// The outbox.
    Outbox,
    /// The alert store.
    Alerts,
    /// Snapshots: the service goes on, and a start would replay more.
    Snapshot,
    /// A ruleset's bundle: the rules before it stay in force.
    Ruleset,
    /// The archive: the service goes on, and the archive takes up what it lacks as long as the log has it.
    Archive,
}

impl Area {
    const ALL: [Self; 8] =
        [Self::Start, Self::Log, Self::DeadLetters, Self::Outbox, Self::Alerts, Self::Snapshot, Self::Ruleset, Self::Archive];

    /// As it stands in figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Log => "log",
            Self::DeadLetters => "dead_letters",
            Self::Outbox => "outbox",
            Self::Alerts => "alerts",
            Self::Snapshot => "snapshot",
            Self::Ruleset => "ruleset",
            Self::Archive => "archive",
        }
    }

    /// Whether nothing can be accepted meanwhile.
    fn blocks(self) -> bool {
        !matches!(self, Self::Snapshot | Self::Ruleset | Self::Archive)
    }
}

/// What hinders now, shared by all parts. Clones are the same.
#[derive(Clone, Default)]
pub struct Hindrances(Arc<Shared>);

#[derive(Default)]
struct Shared {
    folder: PathBuf,
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    /// In words, by what is hindered.
    now: BTreeMap<Area, String>,
    failures: BTreeMap<Area, u64>,
    stopping: bool,
}

impl Hindrances {
    /// None so far. What is met is said to be within `folder`.
    pub fn within(folder: &Path) -> Self {
        Self(Arc::new(Shared { folder: folder.to_owned(), ..Shared::default() }))
    }

    /// As [`Hindrances::until_done`], for tasks; `attempt` gives a future each time.
    ///
    /// # Errors
    /// What was met last.
    pub async fn until_done_async<T, E: std::error::Error + 'static>(
        &self,
        area: Area,
        disposition: impl Fn(&E) -> Disposition,
        mut attempt: impl AsyncFnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut pause = PAUSE;
        loop {
            match attempt().await {
                Ok(done) => {
                    self.over(area);
                    return Ok(done);
                }
                Err(error) if disposition(&error) == Disposition::Retry && !self.is_stopping() => self.meet(area, &error),
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Tries until it is done. Between two tries of what may pass, it waits; what may not, and what still fails when the
    /// service is to stop, is an error. It blocks the thread.
    ///
    /// # Errors
    /// What was met last.
    pub fn until_done<T, E: std::error::Error + 'static>(
        &self,
        area: Area,
        disposition: impl Fn(&E) -> Disposition,
        mut attempt: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut pause = PAUSE;
        loop {
            match attempt() {
                Ok(done) => {
                    self.over(area);
                    return Ok(done);
                }
                Err(error) if disposition(&error) == Disposition::Retry && !self.is_stopping() => self.meet(area, &error),
                Err(error) => return Err(error),
            }
            self.wait(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Something could not be written, and will be tried again.
    pub fn meet(&self, area: Area, error: &(dyn std::error::Error + 'static)) {
        let words = format!("in {}: {}", self.0.folder.display(), Chain(error));
        let mut state = self.lock();
        *state.failures.entry(area).or_default() += 1;
        if state.now.insert(area, words.clone()).is_none() {
            drop(state);
            tracing::error!(area = area.name(), error = words, "cannot write; tried again until it can");
        }
    }

    /// It could be written.
    pub fn over(&self, area: Area) {
        if self.lock().now.remove(&area).is_some() {
            tracing::info!(area = area.name(), "can write again");
        }
    }

    /// What keeps the service from accepting anything, in words; `None` where nothing does.
    pub fn blocking(&self) -> Option<String> {
        let state = self.lock();
        let blocking: Vec<&str> = state.now.iter().filter(|(area, _)| area.blocks()).map(|(_, words)| words.as_str()).collect();
        (!blocking.is_empty()).then(|| blocking.join("; "))
    }

    /// Everything that hinders now, in words; `None` where nothing does.
    pub fn all(&self) -> Option<String> {
        let state = self.lock();
        (!state.now.is_empty()).then(|| state.now.values().cloned().collect::<Vec<_>>().join("; "))
    }

    /// Whoever waits for room, now or later, gives up after his next try.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.0.stopped.notify_all();
    }

    /// Whether [`Hindrances::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    pub(crate) fn stats(&self) -> Vec<HindranceStats> {
        let state = self.lock();
        let of = |area: &Area| HindranceStats {
            area: area.name(),
            now: state.now.contains_key(area),
            failures_total: state.failures.get(area).copied().unwrap_or(0),
        };
        Area::ALL.iter().map(of).collect()
    }

    /// Waits so long, or until the service is to stop. It blocks the thread.
    pub(crate) fn wait(&self, pause: Duration) {
        let waited = self.0.stopped.wait_timeout_while(self.lock(), pause, |state| !state.stopping);
        drop(waited);
    }

    /// Words and counts are whole whoever panicked while he held them.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Hindrances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Hindrances").field(&self.lock().now).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn full() -> io::Error {
        io::Error::new(io::ErrorKind::StorageFull, "no room in log/1.seg")
    }

    #[test]
    fn what_may_pass_is_tried_until_it_is_done_and_said_meanwhile() {
        let hindrances = Hindrances::within(Path::new("/var/lib/rasid"));
        let mut tries = 0;
        let done = hindrances.until_done(Area::Log, rasid_connectors::of_io, || {
            tries += 1;
            if tries > 1 {
                assert_eq!(hindrances.blocking().as_deref(), Some("in /var/lib/rasid: no room in log/1.seg"));
            }
            if tries < 4 { Err(full()) } else { Ok(tries) }
        });
        assert_eq!((done.expect("in the end"), hindrances.blocking(), hindrances.all()), (4, None, None));
        let log = hindrances.stats().into_iter().find(|stats| stats.area == "log").expect("one of them");
        assert_eq!((log.now, log.failures_total), (false, 3));
    }

    #[test]
    fn what_may_not_pass_is_an_error_at_once_and_a_stop_ends_the_waiting() {
        let hindrances = Hindrances::default();
        let refused = || io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
        hindrances.until_done(Area::Log, rasid_connectors::of_io, || Err::<(), _>(refused())).expect_err("it stays so");
        assert_eq!(hindrances.blocking(), None);
        let stopping = hindrances.clone();
        let waiting = std::thread::spawn(move || stopping.until_done(Area::Outbox, rasid_connectors::of_io, || Err::<(), _>(full())));
        while hindrances.blocking().is_none() {
            std::thread::yield_now();
        }
        hindrances.stop();
        waiting.join().expect("no panic").expect_err("it gave up");
    }

    #[test]
    fn what_only_costs_a_replay_keeps_nobody_out() {
        let hindrances = Hindrances::default();
        hindrances.meet(Area::Snapshot, &full());
        assert_eq!((hindrances.blocking(), hindrances.all().is_some()), (None, true));
        hindrances.over(Area::Snapshot);
        assert_eq!(hindrances.all(), None);
    }
}
