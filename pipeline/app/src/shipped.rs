//! The shipped rules, inside the binary: `demo` needs nothing beside it. (rust-embed: MIT, released this autumn, the most
//! used of its kind.)

use rasid_rules::ruleset::Ruleset;
use rasid_rules::{Report, SourceFile};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../rules/"]
#[include = "*.yaml"]
#[exclude = "src/*"]
#[exclude = "tests/*"]
struct Files;

/// The shipped rules, compiled.
///
/// # Errors
/// A [`Report`] of their faults; there are none in a released binary.
pub(crate) fn ruleset() -> Result<Ruleset, Report> {
    let text = |name: &str| Files::get(name).map_or_else(String::new, |file| String::from_utf8_lossy(&file.data).into_owned());
    let files: Vec<SourceFile> = Files::iter().map(|name| SourceFile { text: text(&name), name: name.into_owned() }).collect();
    rasid_rules::compile(&files)
}
