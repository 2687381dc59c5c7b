//! Files and folders.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::family;
use crate::manifest::Manifest;

/// What a part is called before it is whole.
pub(crate) const UNFINISHED: &str = "part";

/// Stands in the folder of an archive that is written at once until all of it is.
const UNDER_WAY: &str = "unfinished";

/// Says that more is to come, whatever the manifest has.
///
/// # Errors
/// The disk.
pub fn begin(folder: &Path) -> Result<(), Error> {
    let mark = folder.join(UNDER_WAY);
    File::create(&mark).and_then(|file| file.sync_all()).map_err(Error::io(&mark))?;
    sync_folder(folder)
}

/// Says that all is there.
///
/// # Errors
/// The disk.
pub fn end(folder: &Path) -> Result<(), Error> {
    let mark = folder.join(UNDER_WAY);
    std::fs::remove_file(&mark).map_err(Error::io(&mark))?;
    sync_folder(folder)
}

/// Refuses an archive that whoever wrote it did not come to the end of.
pub(crate) fn is_ended(folder: &Path) -> Result<(), Error> {
    if folder.join(UNDER_WAY).exists() { Err(Error::Unfinished { folder: folder.to_owned() }) } else { Ok(()) }
}

/// Makes what was renamed in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
}

/// Parts that the manifest does not name, whole or not, in order.
pub(crate) fn strays(folder: &Path, manifest: &Manifest) -> Result<Vec<PathBuf>, Error> {
    let named: std::collections::BTreeSet<&str> =
        manifest.hours.iter().flat_map(|hour| &hour.parts).map(|part| part.file.as_str()).collect();
    let mut strays = Vec::new();
    for name in family::names() {
        let of_family = folder.join(name);
        let entries = match std::fs::read_dir(&of_family) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(Error::io(&of_family))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::io(&of_family))?;
            let file = entry.file_name();
            let is_part = Path::new(&file).extension().is_some_and(|extension| extension == "parquet" || extension == UNFINISHED);
            if is_part && !file.to_str().is_some_and(|file| named.contains(format!("{name}/{file}").as_str())) {
                strays.push(entry.path());
            }
        }
    }
    strays.sort();
    Ok(strays)
}
