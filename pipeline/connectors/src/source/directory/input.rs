//! Reads the bytes of one content, plain or compressed. It blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::super::jsonl::{Bytes, decoded, read_some};
use super::content::{Content, End};
use super::print::{HEAD, Print, Shape, TAIL, hash, tail_of};

pub(super) enum Input {
    /// With where the next byte lies, and what lay before it.
    Plain {
        file: File,
        at: u64,
        before: Vec<u8>,
    },
    Compressed {
        text: Bytes,
        file: File,
        format: &'static str,
    },
}

/// What one read found.
pub(super) enum Step {
    Bytes {
        bytes: Vec<u8>,
        shape: Shape,
    },
    /// What was read is not there any more as it was.
    Cut {
        length: u64,
    },
    /// The compressed text is at its end; `torn`: in the middle of what its compressor writes.
    End {
        shape: Shape,
        torn: bool,
    },
}

pub(super) struct Opened {
    pub(super) input: Input,
    pub(super) head: Vec<u8>,
    pub(super) compressed: bool,
}

/// Opens the file, behind its first `from` bytes of text.
pub(super) fn begin(path: &Path, content: &Content, from: u64) -> io::Result<Option<Opened>> {
    let file = File::open(path)?;
    let shape = Shape::of(&file.metadata()?);
    if shape.identity != content.identity() {
        return Ok(None); // it was renamed since it was looked for
    }
    // The same file, whoever has its name by now; what is plain is read from where it is asked for, whatever this has read.
    let (text, format) = decoded(Box::new(file.try_clone()?))?;
    if let Some(format) = format {
        content.state().end = End::Idle;
        return Ok(Some(Opened { input: Input::Compressed { text, file, format }, head: Vec::new(), compressed: true }));
    }
    let read_at = |at: u64, most: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let read = file.read_at(&mut bytes, at)?;
        bytes.truncate(read);
        Ok(bytes)
    };
    let upto = |most: usize| usize::try_from(from).unwrap_or(most).min(most);
    let (head, before) = (read_at(0, upto(HEAD))?, read_at(from - upto(TAIL) as u64, upto(TAIL))?);
    let print = Print { head_len: head.len(), head: hash(&head), position: from, tail: hash(&before) };
    let mut state = content.state();
    if (state.print.position == from && from > 0 && state.print.tail != print.tail) || shape.length < from {
        state.end = End::Cut; // since it was looked for
        return Ok(None);
    }
    state.end = End::Idle;
    state.read(print);
    drop(state);
    Ok(Some(Opened { input: Input::Plain { file, at: from, before }, head, compressed: false }))
}

impl Input {
    /// One read of what is behind the last.
    pub(super) fn step(&mut self, read_bytes: usize) -> io::Result<Step> {
        match self {
            Self::Plain { file, at, before } => {
                // What was read last is read again with what is new, so that a file that was cut and written anew, even
                // further than before, is seen to be another. Room is made for what there is: most files stand still.
                let new = file.metadata()?.len().saturating_sub(*at);
                let mut bytes = vec![0; before.len() + usize::try_from(new).unwrap_or(read_bytes).min(read_bytes)];
                let mut filled = 0;
                while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
                    match file.read_at(room, *at - before.len() as u64 + filled as u64) {
                        Ok(0) => break,
                        Ok(read) => filled += read,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                bytes.truncate(filled);
                let shape = Shape::of(&file.metadata()?);
                if !bytes.starts_with(before) || shape.length < *at {
                    return Ok(Step::Cut { length: shape.length });
                }
                let new = bytes.split_off(before.len());
                *at += new.len() as u64;
                bytes.extend_from_slice(&new);
                *before = tail_of(&bytes).to_vec();
                Ok(Step::Bytes { bytes: new, shape })
            }
            Self::Compressed { text, file, .. } => {
                let mut bytes = vec![0; read_bytes];
                let shape = Shape::of(&file.metadata()?);
                match read_some(text, &mut bytes) {
                    Ok(0) => Ok(Step::End { shape, torn: false }),
                    Ok(read) => {
                        bytes.truncate(read);
                        Ok(Step::Bytes { bytes, shape })
                    }
                    // Its writer may not be done.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Step::End { shape, torn: true }),
                    Err(error) => Err(error),
                }
            }
        }
    }
}
