//! By what a file's text is known again, under whatever name, inode or compression it comes back.
//!
//! ```text
//! text  |── head ──|······ read ······|── tail ──| position, where a line ends
//! ```
//!
//! The head is hashed up to its first KiB, the tail is what was read last. Both at one position are the same in two
//! files only where one is a copy of the other: events carry ids and times of their own.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::jsonl::{Bytes, decoded, read_some};

/// Most bytes of the beginning that are hashed.
pub(super) const HEAD: usize = 1024;
/// Most bytes before the position that are hashed.
pub(super) const TAIL: usize = 512;

/// Which file it is, whatever its name: device and inode.
pub(super) type Identity = (u64, u64);

/// A text, known up to a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Print {
    /// How much of the beginning `head` stands for.
    pub(super) head_len: usize,
    pub(super) head: u64,
    /// Bytes of text.
    pub(super) position: u64,
    /// Hash of the bytes before it.
    pub(super) tail: u64,
}

/// 64 bits of BLAKE3: nobody writes a file by chance that has them.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    blake3::hash(bytes).as_bytes().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// The last of `bytes`, as far as the tail goes.
pub(super) fn tail_of(bytes: &[u8]) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default()
}

/// What a file is, from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// Device and inode.
    pub(super) identity: Identity,
    /// Stored bytes.
    pub(super) length: u64,
    /// When it was last written, ns since 1970.
    pub(super) changed_ns: i64,
}

impl Shape {
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        let changed_ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { identity: (metadata.dev(), metadata.ino()), length: metadata.len(), changed_ns }
    }
}

/// A file whose text is looked at here and there.
pub(super) struct Text {
    file: File,
    pub(super) shape: Shape,
    pub(super) compressed: bool,
}

/// What a text has at some positions.
pub(super) struct Tails {
    /// Of each position the hash before it; `None`: it is not as long.
    pub(super) hashes: Vec<Option<u64>>,
    /// Length of the text, as far as it can be read.
    pub(super) length: u64,
}

impl Text {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let shape = Shape::of(&file.metadata()?);
        let (_, format) = decoded(Box::new(At { file: file.try_clone()?, at: 0 }))?;
        Ok(Self { file, shape, compressed: format.is_some() })
    }

    /// The text from its beginning.
    fn text(&self) -> io::Result<Bytes> {
        Ok(decoded(Box::new(At { file: self.file.try_clone()?, at: 0 }))?.0)
    }

    /// The first bytes of the text, at most [`HEAD`].
    pub(super) fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        match self.text()?.take(HEAD as u64).read_to_end(&mut head) {
            // What is compressed may not be whole yet: what there is, is in `head`.
            Err(error) if error.raw_os_error().is_some() => Err(error),
            _ => Ok(head),
        }
    }

    /// What lies before each of the `positions`, which rise.
    pub(super) fn tails(&self, positions: &[u64]) -> io::Result<Tails> {
        if self.compressed {
            return self.tails_through(positions);
        }
        let length = self.file.metadata()?.len();
        let mut hashes = Vec::with_capacity(positions.len());
        for position in positions {
            let size = usize::try_from(*position).unwrap_or(TAIL).min(TAIL);
            let mut bytes = vec![0; size];
            hashes.push(match self.file.read_exact_at(&mut bytes, position - size as u64) {
                _ if *position > length => None,
                Ok(()) => Some(hash(&bytes)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
                Err(error) => return Err(error),
            });
        }
        Ok(Tails { hashes, length })
    }

    /// The same for what cannot be entered in the middle.
    fn tails_through(&self, positions: &[u64]) -> io::Result<Tails> {
        let (mut text, mut window, mut end) = (self.text()?, Vec::new(), 0_u64);
        let (mut hashes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let read = match read_some(&mut text, &mut piece) {
                Ok(read) => read,
                Err(error) if error.raw_os_error().is_some() => return Err(error),
                Err(_) => 0, // not whole yet, or damaged: it ends here
            };
            if read == 0 {
                break;
            }
            window.extend_from_slice(piece.get(..read).unwrap_or_default());
            end += read as u64;
            let start = end - window.len() as u64;
            while let Some(position) = positions.get(hashes.len()).filter(|position| **position <= end) {
                let before = usize::try_from(position.saturating_sub(start)).ok().and_then(|upto| window.get(..upto));
                hashes.push(before.map(|before| hash(tail_of(before))));
            }
            let over = window.len().saturating_sub(TAIL);
            window.drain(..over);
        }
        hashes.resize(positions.len(), None);
        Ok(Tails { hashes, length: end })
    }

    /// Whether it can be what `print` was taken of.
    pub(super) fn fits(&self, print: &Print) -> io::Result<bool> {
        if print.position == 0 {
            return Ok(true);
        }
        let head = self.head()?;
        let same_head = head.get(..print.head_len).is_some_and(|head| hash(head) == print.head);
        Ok(same_head && self.tails(&[print.position])?.hashes.first() == Some(&Some(print.tail)))
    }

    /// Whether a line ends at `position`, which is what older logs knew of a file.
    pub(super) fn ends_line(&self, position: u64) -> io::Result<bool> {
        if self.compressed || position == 0 {
            return Ok(true);
        }
        let mut byte = [0];
        match self.file.read_exact_at(&mut byte, position - 1) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| byte == *b"\n"),
        }
    }
}

/// Reads a file from a place of its own, whoever else reads it.
struct At {
    file: File,
    at: u64,
}

impl io::Read for At {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(room, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write as _;

    #[test]
    fn a_text_is_the_same_plain_and_compressed() {
        let dir = tempfile::tempdir().expect("a folder");
        let text = (0..20_000).fold(String::new(), |text, n| text + &format!("line {n} of many\n"));
        let (plain, gzip) = (dir.path().join("plain"), dir.path().join("gzip"));
        fs::write(&plain, &text).expect("written");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        fs::write(&gzip, encoder.finish().expect("memory")).expect("written");
        let (plain, gzip) = (Text::open(&plain).expect("opened"), Text::open(&gzip).expect("opened"));
        assert!(gzip.compressed && !plain.compressed);
        assert_eq!(plain.head().expect("read"), gzip.head().expect("read"));
        let length = text.len() as u64;
        let positions = [1, 100, 65_535, 65_536, 65_537, 200_000, length, length + 1];
        let (of_plain, of_gzip) = (plain.tails(&positions).expect("read"), gzip.tails(&positions).expect("read"));
        assert_eq!((of_plain.length, of_gzip.length), (length, length));
        assert_eq!(of_plain.hashes, of_gzip.hashes);
        assert_eq!(of_plain.hashes.iter().filter(|hash| hash.is_some()).count(), 7);
        let print =
            Print { head_len: HEAD, head: hash(&text.as_bytes()[..HEAD]), position: length, tail: of_plain.hashes[6].expect("there") };
        assert!(plain.fits(&print).expect("read") && gzip.fits(&print).expect("read"));
        assert!(!plain.fits(&Print { tail: 1, ..print }).expect("read"));
        assert!(!gzip.fits(&Print { head: 1, ..print }).expect("read"));
    }
}
