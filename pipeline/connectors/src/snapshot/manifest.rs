//! The manifest: what a snapshot is and what its parts must be.

use serde::{Deserialize, Serialize};

use super::lasting::{self, COPIES};
use super::{Day, Settings, Why, part_name};

/// Of manifest and parts together. It rises when a reader of the old one would misread the new one.
/// 1: there are no lasting parts; it is read still.
const FORMAT: u64 = 2;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u64,
    pub(super) position: u64,
    pub(super) ruleset: String,
    pub(super) engine: String,
    pub(super) settings: Settings,
    /// Unix ms; the key of its day seals the parts.
    pub(super) written_ms: i64,
    /// Which copies of the lasting parts it refers to.
    #[serde(default, skip_serializing_if = "is_first")]
    pub(super) copy: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lasting: Vec<Lasting>,
    pub(super) parts: Vec<Part>,
    /// BLAKE3 of the manifest as compact JSON in this order with this empty.
    pub(super) blake3: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) blake3: String,
}

/// A part that snapshots share, which may have been written for one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lasting {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) blake3: String,
    /// Unix ms; the key of its day seals it.
    pub(super) written_ms: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_first(copy: &u8) -> bool {
    *copy == 0
}

impl Manifest {
    /// A manifest as it is before there are parts.
    pub(super) fn head(position: u64, ruleset: &str, engine: &str, settings: &Settings, now_ms: i64) -> Self {
        Self {
            format: FORMAT,
            position,
            ruleset: ruleset.to_owned(),
            engine: engine.to_owned(),
            settings: *settings,
            written_ms: now_ms,
            copy: 0,
            lasting: Vec::new(),
            parts: Vec::new(),
            blake3: String::new(),
        }
    }

    /// The day whose key the parts are sealed with.
    pub(super) fn day(&self) -> Day {
        Day::of_ms(self.written_ms)
    }

    pub(super) fn into_head(self) -> Self {
        Self { parts: Vec::new(), blake3: String::new(), ..self }
    }

    /// What ties a part to the head and to its place: the head's BLAKE3, how many parts there are, which one it is.
    pub(super) fn bound(&self, parts: usize, number: usize) -> Vec<u8> {
        let mut bound = blake3::hash(&self.json()).as_bytes().to_vec();
        bound.extend((parts as u64).to_le_bytes());
        bound.extend((number as u64).to_le_bytes());
        bound
    }

    /// The file.
    pub(super) fn sealed(&self) -> Vec<u8> {
        let mut sealed = self.clone();
        sealed.blake3 = self.digest();
        let mut json = serde_json::to_vec_pretty(&sealed).expect("a manifest is plain data");
        json.push(b'\n');
        json
    }

    /// Reads the file of the snapshot in the folder of `position`.
    pub(super) fn read(bytes: &[u8], position: u64) -> Result<Self, Why> {
        let foreign = |what: String| Why::Foreign { what };
        let json: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| foreign(format!("its manifest is not JSON ({error})")))?;
        match json.get("format").and_then(serde_json::Value::as_u64) {
            Some(1..=FORMAT) => {}
            Some(format) if format > FORMAT => return Err(Why::NewerFormat { format, ours: FORMAT }),
            _ => return Err(foreign("its manifest names no snapshot format of rasid".to_owned())),
        }
        let manifest: Self =
            serde_json::from_value(json).map_err(|error| foreign(format!("its manifest is not one of rasid's ({error})")))?;
        if manifest.blake3 != manifest.digest() {
            return Err(Why::Torn { what: "its manifest is not what was written (BLAKE3 differs)".to_owned() });
        }
        if manifest.position != position {
            return Err(foreign(format!("its manifest says position {}", manifest.position)));
        }
        if let Some((_, part)) = manifest.parts.iter().enumerate().find(|(number, part)| part.name != part_name(*number)) {
            return Err(foreign(format!("its manifest names a part {:?}", part.name)));
        }
        if manifest.copy >= COPIES {
            return Err(foreign(format!("its manifest names a copy {} of lasting parts", manifest.copy)));
        }
        if let Some(part) = manifest.lasting.iter().find(|part| !lasting::is_name(&part.name)) {
            return Err(foreign(format!("its manifest names a lasting part {:?}", part.name)));
        }
        Ok(manifest)
    }

    /// The oldest day whose key it needs.
    pub(super) fn oldest_day(&self) -> Day {
        self.lasting.iter().map(|part| Day::of_ms(part.written_ms)).chain([self.day()]).min().unwrap_or(self.day())
    }

    /// Bytes of all its parts.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).chain(self.lasting.iter().map(|part| part.bytes)).sum()
    }

    fn digest(&self) -> String {
        let empty = Self { blake3: String::new(), ..self.clone() };
        blake3::hash(&empty.json()).to_hex().to_string()
    }

    fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest is plain data")
    }
}

impl Part {
    pub(super) fn of(number: usize, sealed: &[u8]) -> Self {
        Self { name: part_name(number), bytes: sealed.len() as u64, blake3: blake3::hash(sealed).to_hex().to_string() }
    }

    /// Whether the file is what was written.
    pub(super) fn check(&self, sealed: &[u8]) -> Result<(), Why> {
        check(&self.name, self.bytes, &self.blake3, sealed)
    }
}

impl Lasting {
    pub(super) fn of(name: &str, sealed: &[u8], written_ms: i64) -> Self {
        let blake3 = blake3::hash(sealed).to_hex().to_string();
        Self { name: name.to_owned(), bytes: sealed.len() as u64, blake3, written_ms }
    }

    /// Whether the file `path` is what was written.
    pub(super) fn check(&self, path: &str, sealed: &[u8]) -> Result<(), Why> {
        check(path, self.bytes, &self.blake3, sealed)
    }
}

fn check(name: &str, bytes: u64, blake3: &str, sealed: &[u8]) -> Result<(), Why> {
    if sealed.len() as u64 != bytes {
        return Err(Why::Torn { what: format!("{name} has {} of {bytes} bytes", sealed.len()) });
    }
    if blake3::hash(sealed).to_hex().as_str() != blake3 {
        return Err(Why::Torn { what: format!("{name} is not what was written (BLAKE3 differs)") });
    }
    Ok(())
}
