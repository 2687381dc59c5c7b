//! Decides which file is which, and which are read. It blocks: it looks at files.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::super::file::stream_of;
use super::super::generation::parts_of;
use super::super::{MergeHandle, Notice, Observer};
use super::content::{Content, End, Named, State};
use super::known::{Known, NO_FILE};
use super::listing::{Kind, Listed, list, shown};
use super::print::{HEAD, Identity, Print, Shape, Text, hash};
use super::recognise::{Found, recognise};
use super::source::{ContentOpener, Shared};
use super::{DirectoryConfig, Footing};
use crate::Error;

mod orphans;

use orphans::LOOKS;

pub(super) struct Follower {
    dir: PathBuf,
    config: DirectoryConfig,
    handle: MergeHandle,
    observer: Arc<dyn Observer>,
    places: Arc<Semaphore>,
    shared: Arc<Shared>,
    known: Known,
    /// Contents that are read, or were when this was last kept.
    reading: Vec<Arc<Content>>,
    /// Files that cannot be opened, and that was told.
    refused: HashSet<PathBuf>,
    /// Names under which files are read, each with when the newest of them was last written.
    names: HashMap<String, i64>,
    /// What was listed and not looked at yet, for want of a place.
    pending: VecDeque<Listed>,
    /// Compressed files that are not read yet: how they were, and since when.
    settling: HashMap<Identity, (Shape, Instant)>,
    /// Contents that are no more and whose rest is looked for, and for how many looks more.
    orphans: Vec<(Arc<Content>, u32)>,
    /// Compressed files that end in their middle: since when, and whether that was told.
    torn: HashMap<Identity, (Instant, bool)>,
    first: bool,
}

impl Follower {
    pub(super) fn open(dir: &std::path::Path, config: &DirectoryConfig, footing: &Footing) -> io::Result<Self> {
        let handle = footing.handle.clone();
        let known = Known::open(footing.storage.clone(), dir.as_os_str().as_bytes(), |stream| handle.offset(stream))?;
        let shared = Shared {
            file: config.file.clone(),
            rotate_wait: config.rotate_wait,
            idle_close: config.idle_close,
            observer: Arc::clone(&footing.observer),
            wake: Notify::new(),
            crowded: AtomicBool::new(false),
        };
        Ok(Self {
            dir: dir.to_owned(),
            config: config.clone(),
            handle,
            observer: Arc::clone(&footing.observer),
            places: Arc::clone(&footing.places),
            shared: Arc::new(shared),
            known,
            reading: Vec::new(),
            refused: HashSet::new(),
            names: HashMap::new(),
            pending: VecDeque::new(),
            settling: HashMap::new(),
            orphans: Vec::new(),
            torn: HashMap::new(),
            first: true,
        })
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Looks at the folder, anew if `lists` or at what was left of the last look, and begins to read what is to be read.
    pub(super) fn look(&mut self, lists: bool) -> io::Result<Vec<ContentOpener>> {
        if lists {
            self.list()?;
        }
        self.known.find_by_heads(&self.reading);
        let mut starts = Vec::new();
        while let Some(listed) = self.pending.pop_front() {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                self.pending.push_front(listed);
                break;
            };
            match self.one(&listed, place, &mut starts) {
                Ok(()) => self.opened(&listed),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // What was read and is packed in a way that is not read is no matter.
                Err(error) if error.kind() == io::ErrorKind::Unsupported && listed.kind == Kind::Other => {}
                Err(error) => self.fault(&listed, error),
            }
        }
        self.shared.crowded.store(!self.pending.is_empty(), Relaxed);
        if self.pending.is_empty() {
            self.settle_orphans(&mut starts)?;
        }
        self.known.keep(&self.reading, !starts.is_empty())?;
        self.reading.retain(|content| {
            let mut state = content.state();
            // What has ended lies in its file; only of one that was cut is that no more so.
            if !state.live && state.end != End::Cut {
                state.settle();
            }
            state.live
        });
        Ok(starts)
    }

    fn opened(&mut self, listed: &Listed) {
        if self.refused.remove(&listed.path) {
            self.observer.notice(&self.stream(&listed.name, 0), &Notice::Recovered { attempts: 1 });
        }
    }

    fn fault(&mut self, listed: &Listed, source: io::Error) {
        if !self.refused.insert(listed.path.clone()) {
            return;
        }
        let error = Error::Open { path: listed.path.display().to_string(), source };
        self.observer.notice(&self.stream(&listed.name, 0), &Notice::Fault { error: &error, attempt: 1, retry_in_ms: None });
    }

    fn list(&mut self) -> io::Result<()> {
        let ends_in = |name: &OsStr, endings: &[String]| endings.iter().any(|ending| name.as_bytes().ends_with(ending.as_bytes()));
        let kind = |name: &OsStr| {
            if ends_in(name, &self.config.plain) {
                Kind::Plain
            } else if ends_in(name, &self.config.compressed) {
                Kind::Compressed
            } else {
                Kind::Other
            }
        };
        let device = fs::metadata(&self.dir)?.dev();
        self.names.clear();
        for content in self.known.all() {
            let seen_ns = content.state().seen_ns;
            match self.names.get_mut(&content.name) {
                Some(newest) => *newest = seen_ns.max(*newest),
                None => drop(self.names.insert(content.name.clone(), seen_ns)),
            }
        }
        let stems: Vec<String> = self.orphans.iter().map(|(orphan, _)| self.stem(&orphan.name)).collect();
        let wanted = |inode: u64, name: &OsStr| {
            let name = shown(name);
            self.known.has((device, inode)) || self.rotated_of(&name).is_some() || stems.iter().any(|stem| name.starts_with(stem))
        };
        let listed = list(&self.dir, kind, wanted)?;
        // Which contents are still here, and under which name.
        let mut here: HashMap<Identity, Named> = HashMap::new();
        for Listed { name, path, shape, .. } in &listed {
            let Some(content) = self.known.of(shape.identity) else { continue };
            let own = content.name == *name;
            let named = here.entry(shape.identity).or_insert(Named::Otherwise);
            if own {
                *named = Named::Own;
            }
            if own || *named == Named::Otherwise {
                content.state().path.clone_from(path);
            }
        }
        let mut gone = Vec::new();
        for content in self.known.all() {
            let mut state = content.state();
            let named = here.get(&state.shape.identity).copied().unwrap_or(Named::Gone);
            let vanished = self.first && named == Named::Gone && state.named == Named::Own && state.was_live;
            state.named = named;
            if self.first && named != Named::Gone {
                self.handle.stands(&content.stream);
            }
            if vanished && !state.live {
                self.orphans.push((Arc::clone(content), LOOKS));
            }
            if named == Named::Gone && !state.live && state.shape.identity != NO_FILE {
                gone.push(Arc::clone(content));
            }
        }
        // Its inode is another file's from now on; if it comes back, it is known by its content.
        for content in gone {
            self.known.let_go(&content);
            self.reading.push(content);
        }
        self.first = false;
        let mut seen = HashSet::new();
        self.pending = listed.into_iter().filter(|listed| seen.insert(listed.shape.identity)).collect();
        self.pending.retain(|listed| match self.known.of(listed.shape.identity) {
            // What is read, or was read and has not changed, need not be looked at.
            Some(content) => {
                let state = content.state();
                let unread = state.resume != state.print.position && state.end != End::Broken;
                !state.live && (state.shape != listed.shape || unread || matches!(state.end, End::Cut | End::Torn))
            }
            None => listed.shape.length > 0,
        });
        self.known.forget(|content| content.state().named == Named::Gone && !content.state().live);
        Ok(())
    }

    /// The name that a file had before it was rotated to `name`, if files of that name are read: `app.jsonl` of `app.jsonl.1`.
    fn rotated_of(&self, name: &str) -> Option<&str> {
        let before = |ending: &String| {
            let at = name.find(&format!("{ending}.")).or_else(|| name.find(&format!("{ending}-")))?;
            self.names.get_key_value(name.get(..at + ending.len())?).map(|(name, _)| name.as_str())
        };
        self.config.plain.iter().find_map(before)
    }

    /// What names of one file that is rotated begin with.
    fn stem(&self, name: &str) -> String {
        let endings = self.config.plain.iter().chain(&self.config.compressed);
        endings.filter_map(|ending| name.strip_suffix(ending.as_str())).min().unwrap_or(name).to_owned()
    }

    /// Looks at one file that is new or has changed. What is not decided yet is listed again.
    fn one(&mut self, listed: &Listed, place: OwnedSemaphorePermit, starts: &mut Vec<ContentOpener>) -> io::Result<()> {
        let before = self.known.of(listed.shape.identity).cloned();
        // A name that is not followed is of a file that was rotated before it was ever seen, or of no concern.
        let rotated =
            self.rotated_of(&listed.name).filter(|name| self.names.get(*name).is_some_and(|newest| *newest < listed.shape.changed_ns));
        let name = if listed.kind == Kind::Other { rotated.map(str::to_owned) } else { Some(listed.name.clone()) };
        if before.is_none() && (name.is_none() || (listed.kind == Kind::Compressed && !self.is_settled(listed))) {
            return Ok(());
        }
        let text = Text::open(&listed.path)?;
        if text.shape.identity != listed.shape.identity {
            return Ok(());
        }
        if let Some(before) = before {
            let state = before.state().clone();
            if state.live {
                return Ok(());
            }
            if state.end == End::Torn && self.is_torn(&before, listed) {
                return Ok(());
            }
            if state.end != End::Cut && text.fits(&state.print)? {
                return self.go_on(&before, &text, listed, place, starts);
            }
            // It was cut, or made again in the same inode.
            self.known.let_go(&before);
            self.reading.push(Arc::clone(&before));
            before.state().end = End::Cut;
            if state.end != End::Over && (before.name == listed.name || state.was_live) {
                self.orphans.push((before, LOOKS));
            }
        }
        let Some(name) = name else { return Ok(()) };
        match recognise(&self.known, &text)? {
            Found::Later => return Ok(()),
            Found::Copy { of, upto, whole } => {
                of.state().copied = upto;
                self.observer.notice(&self.stream(&name, 0), &Notice::Recognised { of: &of.name, bytes: upto });
                let content = self.take_up(&name, listed, &text, upto, None)?;
                if whole {
                    content.state().shape = text.shape;
                } else {
                    self.start(content, place, starts);
                }
            }
            Found::New => {
                let content = self.first_of(&name, listed, &text)?;
                self.start(content, place, starts);
            }
        }
        Ok(())
    }

    /// A compressed file that is still being written would be found damaged.
    fn is_settled(&mut self, listed: &Listed) -> bool {
        let identity = listed.shape.identity;
        let (shape, since) = self.settling.entry(identity).or_insert((listed.shape, Instant::now()));
        if *shape != listed.shape {
            (*shape, *since) = (listed.shape, Instant::now());
        }
        let settled = since.elapsed() >= self.config.settle;
        if settled {
            self.settling.remove(&identity);
        }
        settled
    }

    /// Whether it still ends in its middle as it did; told once that has lasted.
    fn is_torn(&mut self, content: &Content, listed: &Listed) -> bool {
        if content.state().shape != listed.shape {
            self.torn.remove(&listed.shape.identity);
            return false;
        }
        let (since, told) = self.torn.entry(listed.shape.identity).or_insert((Instant::now(), false));
        if since.elapsed() >= self.config.rotate_wait && !*told {
            *told = true;
            let source = io::Error::from(io::ErrorKind::UnexpectedEof);
            let error = Error::Corrupt { path: listed.path.display().to_string(), format: "gzip or zstd", source };
            self.observer.notice(&content.stream, &Notice::Fault { error: &error, attempt: 1, retry_in_ms: None });
        }
        true
    }

    /// Reads on what has grown.
    fn go_on(
        &mut self,
        before: &Arc<Content>,
        text: &Text,
        listed: &Listed,
        place: OwnedSemaphorePermit,
        starts: &mut Vec<ContentOpener>,
    ) -> io::Result<()> {
        let (resume, position) = {
            let state = before.state();
            (state.resume, state.print.position)
        };
        let upto = match recognise(&self.known, text)? {
            Found::Copy { upto, .. } => upto,
            Found::Later => return Ok(()),
            Found::New => 0,
        };
        let newest = self.known.newest(&before.stream).is_some_and(|newest| Arc::ptr_eq(newest, before));
        if upto <= resume && newest && self.handle.is_over(&before.stream) {
            self.start(Arc::clone(before), place, starts);
        } else {
            let known = (resume == position).then(|| before.state().print);
            let content = self.take_up(&before.name, listed, text, resume.max(upto), known)?;
            self.start(content, place, starts);
        }
        Ok(())
    }

    /// The content of a file that nothing is known of but, perhaps, an offset in a log that was written before this was kept.
    fn first_of(&mut self, name: &str, listed: &Listed, text: &Text) -> io::Result<Arc<Content>> {
        let stream = self.stream(name, 0);
        let logged = self.handle.offset(&stream).map(parts_of).filter(|_| self.known.newest(&stream).is_none());
        let Some((generation, position)) = logged else { return self.take_up(name, listed, text, 0, None) };
        let length = if text.compressed { u64::MAX } else { text.shape.length };
        if length < position || !text.ends_line(position)? {
            self.observer.notice(&stream, &Notice::Truncated { read: position, length: text.shape.length });
            return self.take_up(name, listed, text, 0, None);
        }
        let print = if text.compressed { Print::default() } else { print_at(text, position)? };
        let shape = Shape { length: 0, changed_ns: 0, ..text.shape };
        let state = State { seen_ns: text.shape.changed_ns, ..State::new(listed.path.clone(), shape, print, position) };
        Ok(self.know(Content::new(stream.into(), generation, name.to_owned(), 0, state)))
    }

    /// A content that is read from `from` on, in the first stream of its name that is free.
    fn take_up(&mut self, name: &str, listed: &Listed, text: &Text, from: u64, known: Option<Print>) -> io::Result<Arc<Content>> {
        let mut slot = 0;
        let (stream, generation) = loop {
            let stream = self.stream(name, slot);
            let newest = self.known.newest(&stream);
            if newest.is_none_or(|newest| !newest.state().live) && self.handle.is_over(&stream) {
                let logged = self.handle.offset(&stream).map(|offset| parts_of(offset).0);
                let last = newest.map(|newest| newest.generation).max(logged);
                break (stream, last.map_or(0, |last| last + 1));
            }
            slot += 1;
        };
        let print = match known {
            Some(print) => print,
            None => print_at(text, from)?,
        };
        let shape = Shape { length: 0, changed_ns: 0, ..text.shape };
        let state = State { seen_ns: text.shape.changed_ns, ..State::new(listed.path.clone(), shape, print, from) };
        Ok(self.know(Content::new(stream.into(), generation, name.to_owned(), from, state)))
    }

    fn know(&mut self, content: Content) -> Arc<Content> {
        let content = Arc::new(content);
        self.reading.extend(self.known.insert(Arc::clone(&content)));
        self.reading.push(Arc::clone(&content));
        content
    }

    fn start(&mut self, content: Arc<Content>, place: OwnedSemaphorePermit, starts: &mut Vec<ContentOpener>) {
        if !self.reading.iter().any(|other| Arc::ptr_eq(other, &content)) {
            self.reading.push(Arc::clone(&content));
        }
        starts.push(ContentOpener::new(content, Arc::clone(&self.shared), place));
    }

    fn stream(&self, name: &str, slot: u32) -> String {
        let stream = stream_of(&format!("{}/{name}", shown(self.dir.as_os_str())));
        if slot == 0 { stream } else { format!("{stream}#{slot}") }
    }
}

/// What is known of a text that is read up to `position`.
fn print_at(text: &Text, position: u64) -> io::Result<Print> {
    if position == 0 {
        return Ok(Print::default());
    }
    let head = text.head()?;
    let head = head.get(..head.len().min(usize::try_from(position).unwrap_or(HEAD))).unwrap_or_default();
    let tail = text.tails(&[position])?.hashes.first().copied().flatten().unwrap_or_default();
    Ok(Print { head_len: head.len(), head: hash(head), position, tail })
}
