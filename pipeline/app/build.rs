//! Writes the list of the shipped rules' files, those of their lists among them, so that they are inside the binary. (A dozen lines, and not rust-embed: its filter by
//! name compiles a second regular expression engine, an eighth of a minute of every cold build.)

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = fs::canonicalize("../../rules")?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    rule_files(&folder, &mut files)?;
    files.sort();
    let mut list = String::from("[\n");
    for file in &files {
        let name = file.strip_prefix(&folder).expect("found below it").to_string_lossy().into_owned();
        writeln!(list, "    ({name:?}, include_str!({:?})),", file.to_string_lossy()).expect("a string takes all");
    }
    list.push(']');
    fs::write(PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("shipped_rules.rs"), list)
}

fn rule_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rule_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| ["yaml", "txt", "csv", "geojson"].iter().any(|known| extension == *known)) {
            files.push(path);
        }
    }
    Ok(())
}
