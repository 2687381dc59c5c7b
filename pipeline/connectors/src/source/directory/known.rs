//! What is known of the files of one folder, over restarts: which content each is, and how far it was read.
//!
//! A file of lines, one content each, the last of a content counts; written anew when most of them are old. The log's
//! offsets are what counts for where reading goes on; this says which file they are offsets of.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use super::super::generation::parts_of;
use super::content::{Content, Stored};
use super::print::{Identity, Print, Shape, hash};
use crate::storage::{AppendFile, Storage};

/// Folder of these files in the data folder.
pub const FOLLOWED_DIR: &str = "followed";
/// How many contents are known whose files are gone: what may still come back, renamed or compressed.
const GONE_MAX: usize = 10_000;

/// What a content lies in whose file is another content now.
pub(super) const NO_FILE: Identity = (0, 0);

/// Stream and generation.
type Key = (Arc<str>, u64);

pub(super) struct Known {
    all: BTreeMap<Key, Arc<Content>>,
    by_identity: HashMap<Identity, Key>,
    /// By length and hash of the head.
    by_head: HashMap<(usize, u64), Vec<Key>>,
    /// How many are known by a head of that length: all but young ones by the longest.
    head_lens: BTreeMap<usize, usize>,
    /// How each is found in `by_head`.
    heads: HashMap<Key, (usize, u64)>,
    /// What was last kept of each.
    written: HashMap<Key, u64>,
    file: Option<Lines>,
}

struct Lines {
    storage: Arc<dyn Storage>,
    path: String,
    file: Box<dyn AppendFile>,
    count: usize,
    /// Something could not be written.
    failed: bool,
}

impl Known {
    /// Of the folder `dir`; `offset` is where the log stands of a stream.
    pub(super) fn open(storage: Option<Arc<dyn Storage>>, dir: &[u8], offset: impl Fn(&str) -> Option<u64>) -> io::Result<Self> {
        let mut known = Self {
            all: BTreeMap::new(),
            by_identity: HashMap::new(),
            by_head: HashMap::new(),
            head_lens: BTreeMap::new(),
            heads: HashMap::new(),
            written: HashMap::new(),
            file: None,
        };
        let Some(storage) = storage else { return Ok(known) };
        let path = format!("{FOLLOWED_DIR}/{:016x}.jsonl", hash(dir));
        let text = match storage.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let mut of_key = BTreeMap::new();
        // A line that a crash tore is one that was not needed yet.
        for stored in text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Stored>(line).ok()) {
            of_key.insert((stored.stream.clone(), stored.generation), stored);
        }
        for stored in of_key.into_values() {
            let resume = match offset(&stored.stream).map(parts_of) {
                Some((of_log, position)) if of_log == stored.generation => position.max(stored.from),
                Some((of_log, _)) if of_log > stored.generation => stored.print.position,
                _ => stored.from,
            };
            known.insert(Arc::new(Content::restored(stored, resume)));
        }
        known.rewrite(&storage, &path)?;
        Ok(known)
    }

    /// Knows one more. What was its file before has none any more; that one comes back.
    pub(super) fn insert(&mut self, content: Arc<Content>) -> Option<Arc<Content>> {
        let key = (Arc::clone(&content.stream), content.generation);
        let (identity, print) = (content.identity(), content.state().print);
        self.all.insert(key.clone(), content);
        self.index(&key, &print);
        if identity == NO_FILE {
            return None;
        }
        let before = self.by_identity.insert(identity, key.clone()).filter(|before| *before != key)?;
        let before = self.all.get(&before)?;
        before.state().shape.identity = NO_FILE;
        Some(Arc::clone(before))
    }

    pub(super) fn of(&self, identity: Identity) -> Option<&Arc<Content>> {
        self.all.get(self.by_identity.get(&identity)?)
    }

    /// Its file is another content now.
    pub(super) fn let_go(&mut self, content: &Content) {
        self.by_identity.remove(&content.identity());
        content.state().shape.identity = NO_FILE;
    }

    /// Whether a file of that device and inode is known.
    pub(super) fn has(&self, identity: Identity) -> bool {
        self.by_identity.contains_key(&identity)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Content>> {
        self.all.values()
    }

    /// The newest content of a stream.
    pub(super) fn newest(&self, stream: &str) -> Option<&Arc<Content>> {
        let stream: Arc<str> = stream.into();
        self.all.range((Arc::clone(&stream), 0)..=(stream, u64::MAX)).next_back().map(|(_, content)| content)
    }

    /// Contents that begin like `head`, furthest read first.
    pub(super) fn beginning_like(&self, head: &[u8]) -> Vec<Arc<Content>> {
        let lens = self.head_lens.keys().take_while(|len| **len <= head.len());
        let keys = lens.filter_map(|len| self.by_head.get(&(*len, hash(head.get(..*len)?)))).flatten();
        let mut found: Vec<Arc<Content>> = keys.filter_map(|key| self.all.get(key).cloned()).collect();
        found.sort_by_key(|content| std::cmp::Reverse(content.state().print.position));
        found
    }

    /// Finds these contents by their heads as they are now.
    pub(super) fn find_by_heads(&mut self, contents: &[Arc<Content>]) {
        for content in contents {
            let print = content.state().print;
            self.index(&(Arc::clone(&content.stream), content.generation), &print);
        }
    }

    /// Keeps what is new of the `changed` contents. `durably`: a content is about to be read that a crash must not forget.
    pub(super) fn keep(&mut self, changed: &[Arc<Content>], durably: bool) -> io::Result<()> {
        let (mut lines, mut count) = (Vec::new(), 0);
        for content in changed {
            let key = (Arc::clone(&content.stream), content.generation);
            let Stored { live, end, shape, print, .. } = content.stored();
            let Shape { identity, length, changed_ns } = shape;
            let numbers = [identity.1, print.position, length, changed_ns.cast_unsigned(), u64::from(live), end as u64];
            let mark = hash(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>());
            if self.file.is_some() && self.written.insert(key, mark) != Some(mark) {
                lines.extend(line(content)?);
                count += 1;
            }
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if count > 0 && !file.failed {
            // After a failure it is not known how much of a line is there: the whole is written anew.
            file.failed = true;
            file.file.append(&lines)?;
            file.count += count;
            if durably {
                file.file.sync()?;
            }
            file.failed = false;
        }
        if file.failed || file.count > 2 * self.all.len() + 1_000 {
            let (storage, path) = (Arc::clone(&file.storage), file.path.clone());
            self.rewrite(&storage, &path)?;
        }
        Ok(())
    }

    /// Forgets contents whose files are gone, the oldest generations first, beyond the most that are known.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&Content) -> bool) {
        let gone: Vec<Key> = self.all.iter().filter(|(_, content)| is_gone(content)).map(|(key, _)| key.clone()).collect();
        let Some(over) = gone.len().checked_sub(GONE_MAX) else { return };
        let mut oldest = gone;
        oldest.sort_by_key(|key| self.all.get(key).map(|content| content.state().shape.changed_ns));
        for key in oldest.into_iter().take(over) {
            self.remove(&key);
        }
    }

    fn index(&mut self, key: &Key, print: &Print) {
        let head = (print.head_len, print.head);
        if print.position == 0 || self.heads.get(key) == Some(&head) {
            return;
        }
        self.unindex(key);
        self.heads.insert(key.clone(), head);
        self.by_head.entry(head).or_default().push(key.clone());
        *self.head_lens.entry(head.0).or_default() += 1;
    }

    fn unindex(&mut self, key: &Key) {
        let Some(head) = self.heads.remove(key) else { return };
        if let Some(keys) = self.by_head.get_mut(&head) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.by_head.remove(&head);
            }
        }
        if let Some(count) = self.head_lens.get_mut(&head.0) {
            *count -= 1;
            if *count == 0 {
                self.head_lens.remove(&head.0);
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        self.unindex(key);
        if let Some(content) = self.all.remove(key) {
            let identity = content.identity();
            if self.by_identity.get(&identity) == Some(key) {
                self.by_identity.remove(&identity);
            }
            self.written.remove(key);
        }
    }

    fn rewrite(&mut self, storage: &Arc<dyn Storage>, path: &str) -> io::Result<()> {
        let mut text = Vec::new();
        for content in self.all.values() {
            text.extend(line(content)?);
        }
        storage.replace(path, &text)?;
        let file = storage.append(path)?;
        self.file = Some(Lines { storage: Arc::clone(storage), path: path.to_owned(), file, count: self.all.len(), failed: false });
        Ok(())
    }
}

fn line(content: &Content) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&content.stored()).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}
