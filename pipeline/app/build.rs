//! Writes lists of the files that are inside the binary: the shipped rules with their lists, the console, the runbooks. (Some dozen lines, and not rust-embed: its
//! filter by name compiles a second regular expression engine, an eighth of a minute of every cold build.)

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Files in folders of these names are no part of what is shipped.
const LEFT_OUT: [&str; 2] = ["tests", "node_modules"];

fn main() -> io::Result<()> {
    list("shipped_rules.rs", "../../rules", &["yaml", "txt", "csv", "geojson"], "include_str")?;
    list("console_files.rs", "../../dashboards/console", &["html", "js", "css", "svg"], "include_bytes")?;
    list("runbooks.rs", "../../docs/runbooks", &["md"], "include_str")
}

/// Writes pairs of a file's name below the folder and what is in it.
fn list(list: &str, folder: &str, extensions: &[&str], include: &str) -> io::Result<()> {
    let folder = fs::canonicalize(folder)?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    find(&folder, extensions, &mut files)?;
    files.sort();
    let mut text = String::from("[\n");
    for file in &files {
        let name = file.strip_prefix(&folder).expect("found below it").to_string_lossy().into_owned();
        writeln!(text, "    ({name:?}, {include}!({:?})),", file.to_string_lossy()).expect("a string takes all");
    }
    text.push(']');
    fs::write(PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join(list), text)
}

fn find(folder: &Path, extensions: &[&str], files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !LEFT_OUT.iter().any(|left_out| path.ends_with(left_out)) {
                find(&path, extensions, files)?;
            }
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known)) {
            files.push(path);
        }
    }
    Ok(())
}
