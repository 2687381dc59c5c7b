//! One content of one file: what is read of it and known of it. A file that is cut or made again is another content.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::print::{Identity, Print, Shape, TAIL, hash, tail_of};

/// How much of what was read last is kept of a content that is being read, bytes: a copy that was made a moment ago ends in it.
const RECENT: usize = 256 << 10;

/// A content, shared by the folder's follower and the source that reads it.
pub(super) struct Content {
    /// The stream that its records are of.
    pub(super) stream: Arc<str>,
    /// Which content of that stream: the higher bits of its offsets.
    pub(super) generation: u64,
    /// The name that it was found under, as streams show it.
    pub(super) name: String,
    /// Text before this was read as another content: of a file that this is a copy of, or goes on.
    pub(super) from: u64,
    state: Mutex<State>,
}

#[derive(Clone)]
pub(super) struct State {
    /// Where it lies.
    pub(super) path: PathBuf,
    pub(super) named: Named,
    /// Whether a source reads it.
    pub(super) live: bool,
    /// Whether one did when the service last stopped.
    pub(super) was_live: bool,
    pub(super) end: End,
    /// What it was when it was last looked at; while it is not read, what it was when it was read to its end.
    pub(super) shape: Shape,
    /// As far as it is read.
    pub(super) print: Print,
    /// The text before `recent_end` while it is being read, and until what became of it is settled.
    pub(super) recent: Vec<u8>,
    pub(super) recent_end: u64,
    /// When it was last seen to have been written, ns since 1970.
    pub(super) seen_ns: i64,
    /// How far a copy of it is known to reach.
    pub(super) copied: u64,
    /// Where reading goes on: below `print.position` only after a crash, where less was durable than had been read.
    pub(super) resume: u64,
}

/// Under which name a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The one it was found under.
    Own,
    /// Another one of the folder.
    Otherwise,
    /// None of the folder: it was removed, or moved away.
    Gone,
}

/// Why it is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    /// It is at its end as far as is known, and goes on if it grows.
    Idle,
    /// It was read to its end after it had lost its name; what has its inode later is no concern of it.
    Over,
    /// It was cut in place: this content is no more.
    Cut,
    /// What is there of a compressed file ends in the middle.
    Torn,
    /// It cannot be read; not tried again before it changes.
    Broken,
}

/// What is kept of a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) stream: String,
    pub(super) generation: u64,
    pub(super) name: String,
    pub(super) from: u64,
    pub(super) path: PathBuf,
    pub(super) live: bool,
    pub(super) end: End,
    pub(super) shape: Shape,
    pub(super) seen_ns: i64,
    pub(super) print: Print,
}

impl Content {
    pub(super) fn new(stream: Arc<str>, generation: u64, name: String, from: u64, state: State) -> Self {
        Self { stream, generation, name, from, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn identity(&self) -> Identity {
        self.state().shape.identity
    }

    pub(super) fn stored(&self) -> Stored {
        let state = self.state();
        Stored {
            stream: self.stream.to_string(),
            generation: self.generation,
            name: self.name.clone(),
            from: self.from,
            path: state.path.clone(),
            live: state.live,
            end: state.end,
            shape: state.shape,
            seen_ns: state.seen_ns,
            print: state.print,
        }
    }

    /// As it was kept, of which the log has records up to `resume`.
    pub(super) fn restored(stored: Stored, resume: u64) -> Self {
        let Stored { stream, generation, name, from, path, live: was_live, end, shape, seen_ns, print } = stored;
        let state = State { was_live, end, seen_ns, ..State::new(path, shape, print, resume) };
        Self::new(stream.into(), generation, name, from, state)
    }
}

impl State {
    /// A content that is to be taken up at `resume`, of which `print` is known.
    pub(super) fn new(path: PathBuf, shape: Shape, print: Print, resume: u64) -> Self {
        let (live, end, named) = (false, End::Idle, Named::Own);
        Self {
            path,
            named,
            live,
            was_live: false,
            end,
            shape,
            print,
            recent: Vec::new(),
            recent_end: 0,
            copied: 0,
            seen_ns: shape.changed_ns,
            resume,
        }
    }

    /// It is read as far as `print`.
    pub(super) fn read(&mut self, print: Print) {
        self.print = print;
        self.resume = print.position;
    }

    /// More of its text was read, up to `end`.
    pub(super) fn remember(&mut self, text: &[u8], end: u64) {
        if self.recent_end != end - text.len() as u64 {
            self.recent.clear();
        }
        self.recent.extend_from_slice(text);
        self.recent_end = end;
        if self.recent.len() > 2 * RECENT {
            let over = self.recent.len() - RECENT;
            self.recent.drain(..over);
        }
    }

    /// Nobody will ask what was read last.
    pub(super) fn settle(&mut self) {
        self.recent = Vec::new();
    }

    /// The hash of what lies before `position`, if that is still at hand.
    pub(super) fn tail_at(&self, position: u64) -> Option<u64> {
        let start = self.recent_end - self.recent.len() as u64;
        let upto = usize::try_from(position.checked_sub(start)?).ok()?;
        let whole = start == 0 || upto >= TAIL;
        self.recent.get(..upto).filter(|_| whole).map(|before| hash(tail_of(before)))
    }
}
