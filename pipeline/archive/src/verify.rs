//! Whether an archive is what was written, all of it.

use std::path::Path;

use rasid_engine::Pseudonymizer;

use crate::error::Error;
use crate::folder::{UNFINISHED, is_ended, strays};
use crate::manifest::Manifest;
use crate::reader::{is_as_written, is_of};

/// What was found.
#[derive(Debug)]
pub struct Verified {
    /// What it is made of; `None` where that cannot be read.
    pub manifest: Option<Manifest>,
    /// All that is wrong.
    pub faults: Vec<Error>,
}

/// Goes through all of the archive in `folder`: its manifest, its positions, the bytes of every part, and parts that nobody knows of; and
/// whether the secret of `pseudonymizer` made it, where one is given.
pub fn verify(folder: &Path, pseudonymizer: Option<&Pseudonymizer>) -> Verified {
    let manifest = match Manifest::read(folder) {
        Ok(manifest) => manifest,
        Err(fault) => return Verified { manifest: None, faults: vec![fault] },
    };
    let mut faults: Vec<Error> =
        pseudonymizer.and_then(|pseudonymizer| is_of(folder, &manifest, pseudonymizer).err()).into_iter().collect();
    faults.extend(is_ended(folder).err());
    faults.extend(manifest.hours.iter().flat_map(|hour| &hour.parts).filter_map(|part| is_as_written(folder, part).err()));
    match strays(folder, &manifest) {
        // Beside a service there are parts of the hour that is not over.
        Ok(strays) => {
            let whole = strays.into_iter().filter(|path| path.extension().is_none_or(|extension| extension != UNFINISHED));
            faults.extend(whole.map(|path| Error::Stray { path }));
        }
        Err(fault) => faults.push(fault),
    }
    Verified { manifest: Some(manifest), faults }
}
