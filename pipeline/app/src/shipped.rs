//! The shipped rules, inside the binary: `demo` needs nothing beside it.

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{Report, SourceFile};

/// The files' names below `rules/`, and their texts, as `build.rs` found them.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/shipped_rules.rs"));

/// The shipped rules, compiled.
///
/// # Errors
/// A [`Report`] of their faults; there are none in a released binary.
pub(crate) fn ruleset() -> Result<Ruleset, Report> {
    let files: Vec<SourceFile> = FILES.iter().map(|&(name, text)| SourceFile { text: text.to_owned(), name: name.to_owned() }).collect();
    rasid_compiler::compile(&files)
}
