//! JSON Lines from a file or standard input, plain or compressed with gzip or zstd.
//!
//! Every line that ends in `\n` is a record, an empty one too; a `\r` before the `\n` belongs to the line end. What
//! follows the last `\n` is a record if there is any. Compression is known by the first bytes, never by the name:
//!
//! ```text
//! 1f 8b         gzip, any number of members one after another
//! 28 b5 2f fd   zstd, any number of frames; also behind a skippable frame (5x 2a 4d 18), as pzstd writes them
//! ```
//!
//! What is compressed otherwise (xz, bzip2, zip) is refused by that name. NUL bytes behind a gzip member are the padding of
//! tapes and blocks, and its end. A byte order mark before the first line is none of it.
//!
//! Bytes are read straight into the batch. Only what follows the last whole line is copied, once, to begin the next
//! one; where a read gave more lines than a batch takes, its rest is copied as later batches ask for it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use super::Batch;
use crate::Error;

/// How much a batch and a line may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one read asks for, so about the size of a batch. 256 KiB: some 800 events; a larger batch costs
    /// memory and cache, a smaller one more handing over.
    pub bytes_max: usize,
    /// Most lines in a batch.
    pub lines_max: usize,
    /// Longest line, its end not counted. What is longer is cut here and marked ([`Batch::cut`]). 16 MiB: far more
    /// than any event, and what a hostile line may cost.
    pub line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 256 << 10, lines_max: 4096, line_bytes_max: 16 << 20 }
    }
}

/// Least bytes a read asks for (unless the whole batch is to be smaller): what a pipe holds on Linux.
const READ_MIN: usize = 64 * 1024;

/// Compressed bytes read at once. At the usual ratio of four to ten they fill a batch.
const COMPRESSED_READ: usize = 256 * 1024;

pub(super) type Bytes = Box<dyn Read + Send>;

/// Reads the lines of one input.
pub struct JsonLines {
    path: String,
    limits: Limits,
    input: Input,
    /// What the last read left beyond the batch it went to.
    rest: Vec<u8>,
    /// How much of `rest` has been handed over since.
    taken: usize,
}

enum Input {
    /// Nothing is read before the first batch is asked for, so that opening never waits.
    Unread(Bytes),
    Open(Bytes, Option<&'static str>),
    Ended,
}

impl JsonLines {
    /// Opens the file at `path`, or standard input for `-`.
    pub fn open(path: &str) -> Result<Self, Error> {
        Self::open_with(path, Limits::default())
    }

    /// Opens with other limits than the default ones.
    pub fn open_with(path: &str, limits: Limits) -> Result<Self, Error> {
        if path == "-" {
            return Ok(Self::new("standard input", io::stdin(), limits));
        }
        let file = File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
        Ok(Self::new(path, file, limits))
    }

    /// Reads any bytes; `name` is what messages call them.
    pub fn new(name: &str, bytes: impl Read + Send + 'static, limits: Limits) -> Self {
        Self { path: name.to_owned(), limits, input: Input::Unread(Box::new(bytes)), rest: Vec::new(), taken: 0 }
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.path
    }

    /// Fills `batch` with the next lines, replacing what it held. Waits until at least one whole line is there, and
    /// for no more than that. `false`: there are no more.
    pub fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.clear();
        if self.take_rest(batch) {
            return Ok(true);
        }
        if let Input::Unread(_) = self.input {
            self.begin()?;
        }
        self.fill(batch)?;
        Ok(!batch.is_empty())
    }

    /// Hands over what an earlier read left. `false`: there was no whole line in it, and it now begins the batch.
    fn take_rest(&mut self, batch: &mut Batch) -> bool {
        let rest = self.rest.get(self.taken..).unwrap_or_default();
        let whole = memchr::memchr_iter(b'\n', rest).take(self.limits.lines_max.max(1)).last().map_or(0, |newline| newline + 1);
        if whole > 0 {
            batch.extend(rest.get(..whole).unwrap_or_default());
            self.taken += whole;
            split(batch, 0, 0, &self.limits);
            return true;
        }
        batch.extend(rest);
        self.rest.clear();
        self.taken = 0;
        false
    }

    /// Reads until the batch holds a whole line or the input ends.
    fn fill(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let line_bytes_max = self.limits.line_bytes_max;
        loop {
            let before = batch.filled;
            // Past this length it is cut, whether or not its last byte turns out to be the `\r` of its line end.
            if before > line_bytes_max.saturating_add(1) {
                return self.skip(batch);
            }
            if self.read(batch)? == 0 {
                if before > 0 {
                    batch.push(0..before, before as u64, line_bytes_max);
                }
                return Ok(());
            }
            let end = split(batch, 0, before, &self.limits);
            if !batch.is_empty() {
                self.keep(batch, end);
                return Ok(());
            }
        }
    }

    /// Passes over the rest of a line that is too long, keeping its beginning. The batch holds nothing else yet.
    fn skip(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let line_bytes_max = self.limits.line_bytes_max;
        let mut length = batch.filled as u64;
        let mut last = batch.bytes().last().copied();
        loop {
            batch.filled = line_bytes_max;
            let read = self.read(batch)?;
            let found = batch.bytes().get(line_bytes_max..).unwrap_or_default();
            let newline = memchr::memchr(b'\n', found);
            let line = found.get(..newline.unwrap_or(read)).unwrap_or_default();
            length += line.len() as u64;
            last = line.last().copied().or(last);
            if newline.is_some() && last == Some(b'\r') {
                length -= 1;
            }
            if read == 0 || newline.is_some() {
                self.keep(batch, line_bytes_max + newline.map_or(read, |newline| newline + 1));
                batch.push(0..line_bytes_max, length, line_bytes_max);
                return Ok(());
            }
        }
    }

    /// Keeps what lies behind the batch's last line for the next batch.
    fn keep(&mut self, batch: &mut Batch, end: usize) {
        self.rest.clear();
        self.taken = 0;
        self.rest.extend_from_slice(batch.bytes().get(end..).unwrap_or_default());
        batch.filled = end.min(batch.filled);
    }

    /// One read to the end of what the batch holds. 0: the input has ended.
    fn read(&mut self, batch: &mut Batch) -> Result<usize, Error> {
        let bytes_max = self.limits.bytes_max.max(1);
        let length = bytes_max.saturating_sub(batch.filled).max(bytes_max.min(READ_MIN));
        let Input::Open(bytes, format) = &mut self.input else { return Ok(0) };
        match read_some(bytes, batch.room(length)) {
            Ok(0) => {
                self.input = Input::Ended;
                Ok(0)
            }
            Ok(read) => {
                batch.filled += read;
                Ok(read)
            }
            Err(source) => {
                // What the system answers has a number; what is left is the decompressor's own finding.
                let damaged = format.filter(|_| source.raw_os_error().is_none());
                self.input = Input::Ended;
                batch.clear();
                let path = self.path.clone();
                Err(match damaged {
                    Some(format) => Error::Corrupt { path, format, source },
                    None => Error::Read { path, source },
                })
            }
        }
    }

    /// Reads the first bytes and puts the decompressor they ask for before the rest.
    fn begin(&mut self) -> Result<(), Error> {
        let Input::Unread(bytes) = std::mem::replace(&mut self.input, Input::Ended) else { return Ok(()) };
        let (bytes, format) = decoded(bytes).map_err(|source| Error::Read { path: self.path.clone(), source })?;
        let bytes = unmarked(bytes).map_err(|source| Error::Read { path: self.path.clone(), source })?;
        self.input = Input::Open(bytes, format);
        Ok(())
    }
}

/// The text of an input, with a decompressor before it if its first bytes ask for one, and that one's name.
pub(super) fn decoded(mut bytes: Bytes) -> io::Result<(Bytes, Option<&'static str>)> {
    let mut first = Vec::with_capacity(4);
    // Byte by byte and only as long as it may still be compressed: a plain line must not wait for a fourth byte.
    let format = loop {
        match format_of(&first) {
            Guess::Unclear => {
                let mut byte = [0];
                if read_some(&mut bytes, &mut byte)? == 0 {
                    break Guess::Plain;
                }
                first.extend_from_slice(&byte);
            }
            clear => break clear,
        }
    };
    let whole = io::Cursor::new(first).chain(bytes);
    Ok(match format {
        Guess::Gzip => {
            let compressed = BufReader::with_capacity(COMPRESSED_READ, whole);
            (Box::new(Members::Between { rest: Some(compressed) }), Some("gzip"))
        }
        Guess::Zstd => {
            let compressed = BufReader::with_capacity(COMPRESSED_READ, whole);
            (Box::new(zstd::stream::read::Decoder::with_buffer(compressed)?), Some("zstd"))
        }
        Guess::Other(format) => {
            let why = format!("it is {format} data, and only gzip and zstd are read: compress it anew");
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        Guess::Plain | Guess::Unclear => (Box::new(whole), None),
    })
}

/// A byte order mark, which some programs write before UTF-8.
pub(crate) const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The text without the mark, if it begins with one.
fn unmarked(mut bytes: Bytes) -> io::Result<Bytes> {
    let mut first = Vec::with_capacity(MARK.len());
    while first.len() < MARK.len() && MARK.starts_with(&first) {
        let mut byte = [0];
        match read_some(&mut bytes, &mut byte) {
            Ok(0) => break,
            Ok(_) => first.extend_from_slice(&byte),
            // It comes again with the next read.
            Err(_) if first.is_empty() => return Ok(bytes),
            Err(error) => return Err(error),
        }
    }
    Ok(if first == MARK { bytes } else { Box::new(io::Cursor::new(first).chain(bytes)) })
}

/// Members of gzip one after another, and NUL bytes behind the last.
enum Members<R> {
    Member(Option<Box<flate2::bufread::GzDecoder<R>>>),
    Between { rest: Option<R> },
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Member(member) => {
                    let Some(decoder) = member else { return Ok(0) };
                    let read = decoder.read(room)?;
                    if read > 0 || room.is_empty() {
                        return Ok(read);
                    }
                    let rest = member.take().map(|decoder| decoder.into_inner());
                    *self = Self::Between { rest };
                }
                Self::Between { rest } => {
                    let Some(input) = rest else { return Ok(0) };
                    let mut padded = false;
                    loop {
                        let available = input.fill_buf()?;
                        if available.is_empty() {
                            return Ok(0);
                        }
                        let zeros = available.iter().take_while(|byte| **byte == 0).count();
                        let whole = zeros == available.len();
                        input.consume(zeros);
                        padded |= zeros > 0;
                        if !whole {
                            break;
                        }
                    }
                    if padded {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "something follows the NUL bytes behind a member"));
                    }
                    let next = rest.take().map(|rest| Box::new(flate2::bufread::GzDecoder::new(rest)));
                    *self = Self::Member(next);
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    Unclear,
    Plain,
    Gzip,
    Zstd,
    /// What is not read.
    Other(&'static str),
}

/// How compressed data begin, the skippable frames of zstd aside.
const BEGINNINGS: [&[u8]; 5] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"PK\x03\x04"];

fn format_of(first: &[u8]) -> Guess {
    match first {
        [0x1f, 0x8b, ..] => Guess::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Guess::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Guess::Other("xz"),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Guess::Other("bzip2"),
        [b'P', b'K', 3, 4, ..] => Guess::Other("zip"),
        [0x50..=0x5f] | [0x50..=0x5f, 0x2a] | [0x50..=0x5f, 0x2a, 0x4d] => Guess::Unclear,
        _ if BEGINNINGS.iter().any(|beginning| beginning.starts_with(first)) => Guess::Unclear,
        _ => Guess::Plain,
    }
}

pub(super) fn read_some(bytes: &mut Bytes, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match bytes.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Adds the whole lines of a batch that holds none yet, up to the most it takes. The first line begins at `start`, and
/// there is no line end before `from`. Returns where the last one ends.
fn split(batch: &mut Batch, mut start: usize, from: usize, limits: &Limits) -> usize {
    let bytes = std::mem::take(&mut batch.bytes); // out of the way of `push`
    let unseen = bytes.get(from..batch.filled).unwrap_or_default();
    for newline in memchr::memchr_iter(b'\n', unseen).take(limits.lines_max.max(1)) {
        let newline = from + newline;
        let end = if newline > start && bytes.get(newline - 1) == Some(&b'\r') { newline - 1 } else { newline };
        batch.push(start..end, (end - start) as u64, limits.line_bytes_max);
        start = newline + 1;
    }
    batch.bytes = bytes;
    start
}

#[cfg(test)]
mod tests;
