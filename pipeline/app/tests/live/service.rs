//! `rasid run` as a child, what it says, and how it is ended: by a signal, or by a trap that kills it in a phase.
//!
//! There are no failpoints in the program. It says when it begins and ends each phase, and the thread that reads along
//! kills it upon the beginning.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How often something that is waited for is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(5);
/// What must come is waited for this long: a machine may be busy with other things for a while. What does not come by then
/// hangs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// A phase of the service's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Append,
    Commit,
    Send,
    Acknowledge,
    Snapshot,
    Switch,
}

impl Phase {
    pub(crate) const ALL: [Self; 6] = [Self::Append, Self::Commit, Self::Send, Self::Acknowledge, Self::Snapshot, Self::Switch];

    /// What the service says at its beginning and at its end.
    fn messages(self) -> (&'static str, &'static str) {
        match self {
            Self::Append => ("append", "durable"),
            Self::Commit => ("commit", "committed"),
            Self::Send => ("send", "acknowledged"),
            Self::Acknowledge => ("acknowledged", "settled"),
            Self::Snapshot => ("snapshot", "snapshot written"),
            Self::Switch => ("ruleset switch", "ruleset switched"),
        }
    }
}

/// Kills the service when it begins a phase for the time after `skip` others, after `delay`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trap {
    pub(crate) phase: Phase,
    pub(crate) skip: usize,
    pub(crate) delay: Duration,
}

/// A line that the service said.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) message: String,
    pub(crate) fields: Value,
}

impl Line {
    fn new(text: &str) -> Self {
        let fields: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let message = fields.get("message").and_then(Value::as_str).unwrap_or(text).to_owned();
        Self { message, fields }
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.fields.get(name).and_then(Value::as_u64)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }
}

#[derive(Default)]
struct Said {
    lines: Vec<Line>,
    /// What a kill has left of a line.
    cut: String,
    trap: Option<Trap>,
    /// Which phase the trap caught, and the line that began it.
    caught: Option<(Phase, usize)>,
    /// Nothing more will come: the process is gone.
    ended: bool,
}

/// A running service. Dropping it kills it.
pub(crate) struct Service {
    child: Arc<Mutex<Child>>,
    said: Arc<Mutex<Said>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Service {
    /// Starts `command`, with a trap.
    pub(crate) fn start(command: &mut Command, trap: Option<Trap>) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = child.stderr.take().expect("piped");
        let child = Arc::new(Mutex::new(child));
        let said = Arc::new(Mutex::new(Said { trap, ..Said::default() }));
        let (of_child, of_said) = (Arc::clone(&child), Arc::clone(&said));
        let reader = thread::spawn(move || read_along(stderr, &of_child, &of_said));
        Self { child, said, reader: Some(reader) }
    }

    /// Waits until it has said that; the line. `None` where it ended before.
    pub(crate) async fn heard_or_gone(&self, message: &str, patience: Duration) -> Option<Line> {
        let heard = tokio::time::timeout(patience, async {
            loop {
                {
                    let said = held(&self.said);
                    let line = said.lines.iter().find(|line| line.message == message);
                    if line.is_some() || said.ended {
                        return line.cloned();
                    }
                }
                tokio::time::sleep(POLL).await;
            }
        });
        heard.await.unwrap_or_else(|_| panic!("it has not said {message:?} in {patience:?}:\n{}", self.last_lines()))
    }

    /// Waits until it has said that; the line.
    pub(crate) async fn heard(&self, message: &str, patience: Duration) -> Line {
        let line = self.heard_or_gone(message, patience).await;
        line.unwrap_or_else(|| panic!("it ended before it said {message:?}:\n{}", self.last_lines()))
    }

    /// Waits until it is gone; `None` where it goes on.
    pub(crate) async fn gone(&mut self, patience: Duration) -> Option<ExitStatus> {
        let gone = tokio::time::timeout(patience, async {
            while !held(&self.said).ended {
                tokio::time::sleep(POLL).await;
            }
        });
        gone.await.ok()?;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("whoever reads along does not panic");
        }
        Some(held(&self.child).wait().expect("a child of ours"))
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        held(&self.child).id()
    }

    /// Kills it now.
    pub(crate) async fn kill(&mut self) {
        drop(held(&self.child).kill()); // it may be gone already
        self.gone(PATIENCE).await.expect("what is killed is gone");
    }

    /// Asks it to drain; its exit status.
    pub(crate) async fn drain(&mut self) -> ExitStatus {
        let id = self.id();
        let sent = Command::new("kill").args(["-TERM", &id.to_string()]).status().expect("kill is there");
        assert!(sent.success(), "it runs still");
        let status = self.gone(PATIENCE).await;
        status.unwrap_or_else(|| panic!("it does not end:\n{}", self.last_lines()))
    }

    /// The phase in which the trap killed it; `None` where the trap was not sprung, or the phase was over before the kill.
    pub(crate) fn killed_in(&self) -> Option<Phase> {
        let said = held(&self.said);
        let (phase, begun) = said.caught?;
        let first = said.lines.get(begun)?;
        let (_, end) = phase.messages();
        let over = said.lines.iter().skip(begun + 1).any(|line| line.message == end && line.text("sink") == first.text("sink"));
        // What becomes of an acknowledgement is said by the committer, for all sinks.
        let over = over || (phase == Phase::Acknowledge && said.lines.iter().skip(begun + 1).any(|line| line.message == end));
        (!over).then_some(phase)
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        held(&self.said).lines.clone()
    }

    /// It said no error, did not panic and ended, if at all, by SIGKILL or with 0. A line that the kill has cut says nothing.
    pub(crate) fn assert_sound(&self) {
        for line in &self.lines() {
            let level = line.text("level");
            let fine = level.is_some() && level != Some("ERROR");
            assert!(fine, "it said {:?} {}, and last:\n{}", line.message, line.fields, self.last_lines());
        }
        if let Ok(Some(status)) = held(&self.child).try_wait() {
            assert!(status.signal() == Some(9) || status.success(), "it ended with {status}:\n{}", self.last_lines());
        }
    }

    fn last_lines(&self) -> String {
        let said = held(&self.said);
        let from = said.lines.len().saturating_sub(20);
        let shown = |line: &Line| if line.fields.is_null() { line.message.clone() } else { line.fields.to_string() };
        let mut shown: Vec<String> = said.lines.iter().skip(from).map(shown).collect();
        shown.extend((!said.cut.is_empty()).then(|| said.cut.clone()));
        shown.join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let mut child = held(&self.child);
        drop(child.kill()); // it may be gone already
        drop(child.wait());
    }
}

fn read_along(stderr: impl Read, child: &Mutex<Child>, said: &Mutex<Said>) {
    let cut = whole_lines(stderr, |text| {
        let line = Line::new(&String::from_utf8_lossy(text));
        let mut now = held(said);
        if let Some(trap) = &mut now.trap
            && trap.phase.messages().0 == line.message
        {
            if trap.skip > 0 {
                trap.skip -= 1;
            } else {
                if !trap.delay.is_zero() {
                    thread::park_timeout(trap.delay);
                }
                drop(held(child).kill()); // it may be gone already
                let phase = trap.phase;
                now.caught = Some((phase, now.lines.len()));
                now.trap = None;
            }
        }
        now.lines.push(line);
    });
    let mut now = held(said);
    now.cut = String::from_utf8_lossy(&cut).into_owned();
    now.ended = true;
}

/// Hands over each line without its line end. What stands behind the last line end is no line: whoever wrote it was killed
/// in the midst of it. It is given back.
fn whole_lines(from: impl Read, mut each: impl FnMut(&[u8])) -> Vec<u8> {
    let (mut from, mut text) = (BufReader::new(from), Vec::new());
    while from.read_until(b'\n', &mut text).is_ok_and(|read| read > 0) {
        let Some(line) = text.strip_suffix(b"\n") else { break };
        each(line);
        text.clear();
    }
    text
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pipe holds 64 KiB and takes a longer line in pieces, so that a kill may fall between two of them.
#[test]
fn a_line_that_a_kill_has_cut_is_no_line() {
    let whole = "{\"level\":\"INFO\",\"message\":\"up\"}\n\n{\"level\":\"INFO\",\"message\":\"append\"}\n";
    for (cut, count) in [("", 3), ("{\"level\":\"IN", 3), ("null", 3), ("\n", 4)] {
        let mut lines = Vec::new();
        let rest = whole_lines(format!("{whole}{cut}").as_bytes(), |line| lines.push(Line::new(&String::from_utf8_lossy(line))));
        assert_eq!((lines.len(), String::from_utf8_lossy(&rest)), (count, cut.trim_end_matches('\n').into()), "{cut:?}");
        assert_eq!((lines[0].message.as_str(), lines[2].message.as_str()), ("up", "append"));
    }
}

/// The same by a process that is killed in the midst of a line, through all that watches over the service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_killed_in_the_midst_of_a_line_is_sound() {
    let script = "echo '{\"level\":\"INFO\",\"message\":\"up\"}' >&2; printf '{\"level\":\"INFO\",\"mess' >&2; kill -9 $$";
    let mut service = Service::start(Command::new("sh").args(["-c", script]), None);
    service.heard("up", PATIENCE).await;
    assert_eq!(service.gone(PATIENCE).await.and_then(|status| status.signal()), Some(9));
    service.assert_sound();
    assert_eq!(service.lines().len(), 1);
    assert!(service.last_lines().ends_with("\"mess"), "the rest is shown to whoever looks for a fault: {}", service.last_lines());
}
