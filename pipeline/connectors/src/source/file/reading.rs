//! Reads files on the runtime's blocking threads, one piece at a time.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use tokio::task::JoinHandle;

use super::super::jsonl::{Bytes, decoded, read_some};
use crate::Error;

/// Which file it is, whatever its name: device and inode.
pub(super) type Identity = (u64, u64);

pub(super) enum Input {
    Plain(File),
    Compressed(Bytes, &'static str),
}

/// A file opened where reading goes on.
pub(super) struct Begun {
    pub(super) file: Input,
    pub(super) identity: Identity,
    pub(super) length: u64,
    pub(super) compressed: bool,
    /// Whether it can be the file that `from` bytes of were read.
    pub(super) fits: bool,
}

/// Opens `path` behind its first `from` bytes. If `checked`, they must end in a line end; if they do not, or are not
/// all there, it is opened at its beginning.
pub(super) async fn begin(path: &str, from: u64, checked: bool) -> Result<Begun, Error> {
    let name = path.to_owned();
    blocking(move || {
        let open = |source| Error::Open { path: name.clone(), source };
        let read = |source| Error::Read { path: name.clone(), source };
        let mut file = File::open(&name).map_err(open)?;
        let metadata = file.metadata().map_err(read)?;
        if metadata.is_dir() {
            return Err(open(io::ErrorKind::IsADirectory.into()));
        }
        let (identity, length) = (identity_of(&metadata), metadata.len());
        let (bytes, format) = decoded(Box::new(file.try_clone().map_err(read)?)).map_err(read)?;
        if let Some(format) = format {
            return Ok(Begun { file: Input::Compressed(bytes, format), identity, length, compressed: true, fits: true });
        }
        let fits = length >= from && (!checked || from == 0 || ends_line(&file, from).map_err(read)?);
        file.seek(SeekFrom::Start(if fits { from } else { 0 })).map_err(read)?;
        Ok(Begun { file: Input::Plain(file), identity, length, compressed: false, fits })
    })
    .await
    .map_err(|source| Error::Read { path: path.to_owned(), source })?
}

fn ends_line(file: &File, at: u64) -> io::Result<bool> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at - 1)?;
    Ok(byte == *b"\n")
}

/// Which file has this name, and its length; `None`: there is none.
pub(super) async fn stat(path: &str) -> Result<Option<(Identity, u64)>, Error> {
    match tokio::fs::metadata(path).await {
        Ok(metadata) => Ok(Some((identity_of(&metadata), metadata.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Unavailable { stream: super::stream_of(path), source: source.into() }),
    }
}

/// Whether reading it may wait for somebody to write.
pub(super) async fn is_pipe(path: &str) -> bool {
    tokio::fs::metadata(path).await.is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn identity_of(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// What a read leaves: the input, and the bytes with the file's length then if it is plain.
type Read = (Input, io::Result<(Vec<u8>, Option<u64>)>);

/// An open file.
pub(super) struct Reading {
    path: String,
    pub(super) identity: Identity,
    read_bytes: usize,
    /// Out of here while a read is under way.
    input: Option<Input>,
    /// Kept here so that whoever stops waiting for it finds it again.
    under_way: Option<JoinHandle<Read>>,
}

impl Reading {
    pub(super) fn new(path: &str, input: Input, identity: Identity, read_bytes: usize) -> Self {
        Self { path: path.to_owned(), identity, read_bytes: read_bytes.max(1), input: Some(input), under_way: None }
    }

    /// The next bytes, none at the end, and the file's length if it is plain.
    pub(super) async fn next(&mut self) -> Result<(Vec<u8>, Option<u64>), Error> {
        if let Some(mut input) = self.input.take() {
            let read_bytes = self.read_bytes;
            self.under_way = Some(tokio::task::spawn_blocking(move || {
                let read = input.read(read_bytes);
                (input, read)
            }));
        }
        let lost = |source: io::Error| Error::Read { path: self.path.clone(), source };
        let Some(under_way) = &mut self.under_way else { return Err(lost(io::ErrorKind::NotConnected.into())) };
        let done = under_way.await;
        self.under_way = None;
        let (input, read) = done.map_err(|error| lost(io::Error::other(error)))?;
        let format = if let Input::Compressed(_, format) = &input { Some(*format) } else { None };
        self.input = Some(input);
        read.map_err(|source| match format {
            // What the system answers has a number; what is left is the decompressor's own finding.
            Some(format) if source.raw_os_error().is_none() => Error::Corrupt { path: self.path.clone(), format, source },
            _ => Error::Unavailable { stream: super::stream_of(&self.path), source: source.into() },
        })
    }
}

impl Input {
    fn read(&mut self, read_bytes: usize) -> io::Result<(Vec<u8>, Option<u64>)> {
        let mut bytes = Vec::new();
        match self {
            Self::Plain(file) => {
                file.by_ref().take(read_bytes as u64).read_to_end(&mut bytes)?;
                Ok((bytes, Some(file.metadata()?.len())))
            }
            Self::Compressed(text, _) => {
                bytes.resize(read_bytes, 0);
                let read = read_some(text, &mut bytes)?;
                bytes.truncate(read);
                Ok((bytes, None))
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
