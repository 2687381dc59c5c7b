//! What is checked together: folders by themselves, files with what their rules folder shares.

use std::path::{Path, PathBuf};

use rasid_compiler::LoadError;
use rasid_compiler::ruleset::Ruleset;

use crate::command::Failure;

/// What is checked together.
pub(super) struct Part {
    pub(super) dir: PathBuf,
    /// Its files by their paths below it; `None`: all.
    names: Option<Vec<String>>,
}

impl Part {
    pub(super) fn load(&self) -> Result<Ruleset, LoadError> {
        match &self.names {
            None => rasid_compiler::load(&self.dir),
            Some(names) => rasid_compiler::load_some(&self.dir, names),
        }
    }
}

/// Each folder by itself; files by the rules folder that they lie in, less those of a folder that is checked whole.
pub(super) fn parts(paths: &[PathBuf]) -> Result<Vec<Part>, Failure> {
    let known = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let has = |path: &Path, wanted: &[&str]| path.extension().is_some_and(|extension| wanted.iter().any(|wanted| extension == *wanted));
    // Plain files of entries, and zones, are checked with the list that takes them in, which comes with every rule of the folder.
    let is_entries = |path: &Path| has(path, &["txt", "csv", "geojson"]) && path.parent().is_some_and(|parent| parent.ends_with("lists"));
    let is_file = |path: &Path| (has(path, &["yaml", "yml"]) || is_entries(path)) && !path.is_dir();
    let mut parts: Vec<Part> = Vec::new();
    for dir in paths.iter().filter(|path| !is_file(path)) {
        if dir.is_file() {
            let message = format!("{} is no rule file: the name of one ends in .yaml or .yml", dir.display());
            return Err(Failure::Configuration(message));
        }
        if parts.iter().all(|part| known(&part.dir) != known(dir)) {
            parts.push(Part { dir: dir.clone(), names: None });
        }
    }
    for file in paths.iter().filter(|path| is_file(path)) {
        let (dir, name) = rasid_compiler::place_of(file);
        match parts.iter_mut().find(|part| known(&part.dir) == known(&dir)) {
            None => parts.push(Part { dir, names: Some(vec![name]) }),
            Some(Part { names: Some(names), .. }) => names.push(name),
            Some(Part { names: None, .. }) => {}
        }
    }
    Ok(parts)
}
