//! The shipped rules, inside the binary: `demo` needs nothing beside it.

use std::path::Path;

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{Report, SourceFile};

/// The files' names below `rules/`, and their texts, as `build.rs` found them.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/shipped_rules.rs"));

/// Writes the shipped rules into a folder that is not there yet, for a service that watches one.
///
/// # Errors
/// The system's answer.
pub(crate) fn unpack(folder: &Path) -> std::io::Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// The shipped rules, compiled.
///
/// # Errors
/// A [`Report`] of their faults; there are none in a released binary.
pub(crate) fn ruleset() -> Result<Ruleset, Report> {
    let files: Vec<SourceFile> = FILES.iter().map(|&(name, text)| SourceFile { text: text.to_owned(), name: name.to_owned() }).collect();
    rasid_compiler::compile(&files)
}
