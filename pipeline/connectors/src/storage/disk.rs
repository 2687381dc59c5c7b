//! Files on a real disk.
//!
//! What is promised to be durable is synced: a file's bytes with `fdatasync` or `fsync`, a name with an `fsync` of its
//! folder, without which a crash may forget that the file was ever made, renamed or removed. Files are made for their
//! owner alone (0600, folders 0700). A system that has no descriptor for a file just now is waited for: the service must not
//! end because somebody else has opened too many.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use super::shortage::waited_out;
use super::{AppendFile, BESIDE, Storage};

const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Files below one folder of the disk.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Below `root`, which is made if it is not there, readable by its owner alone.
    ///
    /// # Errors
    /// The system's answer when the folder cannot be made.
    pub fn open(root: &Path) -> io::Result<Self> {
        make_folder(root)?;
        Ok(Self { root: root.to_owned() })
    }

    /// Below `root` as it is, for those who only read; nothing is made.
    pub fn existing(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, relative: &str) -> io::Result<PathBuf> {
        if Path::new(relative).components().all(|component| matches!(component, Component::Normal(_))) {
            return Ok(self.root.join(relative));
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leads out of its folder"))
    }
}

impl Storage for Disk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = self.path(path)?;
        waited_out(|| fs::read(&path))
    }

    fn read_at(&self, path: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let path = self.path(path)?;
        let file = waited_out(|| File::open(&path))?;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(path)?)?.len())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let dir = self.path(dir)?;
        let entries = match waited_out(|| fs::read_dir(&dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // Every name we make is UTF-8; what is not was put here by somebody else.
            if let Ok(name) = entry?.file_name().into_string()
                && !name.ends_with(BESIDE)
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn AppendFile>> {
        let path = self.path(path)?;
        make_folder(folder_of(&path))?;
        let file = waited_out(|| OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(&path))?;
        let length = file.metadata()?.len();
        Ok(Box::new(Appending { file, length, named: false, path }))
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(path)?;
        make_folder(folder_of(&path))?;
        let mut beside = path.clone().into_os_string();
        beside.push(BESIDE);
        let mut file = waited_out(|| OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&beside))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        sync_folder(folder_of(&path))
    }

    fn truncate(&self, path: &str, length: u64) -> io::Result<()> {
        let path = self.path(path)?;
        let file = waited_out(|| OpenOptions::new().write(true).open(&path))?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = self.path(path)?;
        fs::remove_file(&path)?;
        sync_folder(folder_of(&path))
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        let path = self.path(dir)?;
        match waited_out(|| fs::remove_dir_all(&path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed?,
        }
        sync_folder(folder_of(&path))
    }
}

struct Appending {
    file: File,
    path: PathBuf,
    length: u64,
    /// Its name is known to be durable.
    named: bool,
}

impl AppendFile for Appending {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if !self.named {
            sync_folder(folder_of(&self.path))?;
            self.named = true;
        }
        Ok(())
    }

    fn length(&self) -> u64 {
        self.length
    }
}

/// The folder a path is in; the working folder for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder and those above it where they are not there, each name durable.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder_of(folder);
    make_folder(above)?;
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(above),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    waited_out(|| File::open(folder))?.sync_all()
}
