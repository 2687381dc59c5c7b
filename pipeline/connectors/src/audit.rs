//! The audit: who did what to the service by hand, when, why and from where. One JSON object a line, only ever
//! appended to, durable before the act is answered.
//!
//! Who writes an entry keeps it free of personal data: entities by their pseudonyms, and no text of an event. `why` is
//! an operator's own words, so runs of digits in it that are long enough to be a phone number are masked.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use rasid_detectors::event::time::format_rfc3339;
use serde::Serialize;

use crate::Disposition;
use crate::storage::{AppendFile, Storage};

/// As many digits, blanks and dashes between them apart, are taken for a phone number.
const PHONE_DIGITS_MIN: usize = 8;

/// The audit cannot be written: what it was to record must not be done.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit {path}")]
pub struct Error {
    /// The file.
    pub path: String,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

impl Error {
    /// What to do about it, besides refusing the act.
    pub fn disposition(&self) -> Disposition {
        crate::of_io(&self.source)
    }
}

/// One act.
#[derive(Clone, Debug, Default)]
pub struct Entry<'a> {
    /// When, Unix ms.
    pub at_ms: i64,
    /// The user or token, by name, as it was proven: by the system, or by a secret.
    pub who: &'a str,
    /// Whom they say they are, which nobody checked; empty where they do not say: behind `sudo -u rasid` it is the person.
    pub claimed: &'a str,
    /// Where it came from: `control socket`, `http 127.0.0.1`, `rules folder`.
    pub from: &'a str,
    /// What: `reload`, `retract`, `reveal`, `dead-letters retry`.
    pub action: &'a str,
    /// The reason given.
    pub why: &'a str,
    /// What it was done to: `rule`, `ruleset`, `since`.
    pub details: BTreeMap<&'a str, String>,
}

/// As it stands in the file.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    who: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    claimed: &'a str,
    from: &'a str,
    action: &'a str,
    why: String,
    details: &'a BTreeMap<&'a str, String>,
}

/// The audit file, open.
pub struct Audit {
    file: Box<dyn AppendFile>,
    path: String,
    /// Whether the file may end inside a line, of a write that was cut short.
    torn: bool,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Audit {
    /// Opens the file for appending, made if it is not there. A line that was cut short stays, with a line to itself.
    pub fn open(storage: &Arc<dyn Storage>, path: &str) -> Result<Self, Error> {
        let failed = |source| Error { path: path.to_owned(), source };
        let file = storage.append(path).map_err(failed)?;
        let torn = match file.length().checked_sub(1) {
            None => false,
            Some(last) => {
                let mut end = [0];
                storage.read_at(path, last, &mut end).map_err(failed)? == 1 && end != *b"\n"
            }
        };
        Ok(Self { file, path: path.to_owned(), torn })
    }

    /// Writes one entry, durably.
    pub fn append(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        let mut bytes = if self.torn { b"\n".to_vec() } else { Vec::new() };
        bytes.extend(line(entry));
        self.torn = true; // until it is known to be whole
        let written = self.file.append(&bytes).and_then(|()| self.file.sync());
        written.map_err(|source| Error { path: self.path.clone(), source })?;
        self.torn = false;
        Ok(())
    }
}

fn line(entry: &Entry<'_>) -> Vec<u8> {
    let Entry { at_ms, who, claimed, from, action, why, details } = entry;
    let claimed = if claimed == who { String::new() } else { without_phones(claimed) };
    let line = Line { at: format_rfc3339(*at_ms), who, claimed: &claimed, from, action, why: without_phones(why), details };
    let mut bytes = serde_json::to_vec(&line).expect("text has a JSON form");
    bytes.push(b'\n');
    bytes
}

/// The text with `•` for the digits of what may be a phone number.
pub fn without_phones(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut run = String::new();
    for letter in text.chars() {
        let joins = !run.is_empty() && matches!(letter, ' ' | '-' | '(' | ')');
        if letter.is_numeric() || joins {
            run.push(letter);
        } else {
            end_run(&mut masked, &mut run);
            masked.push(letter);
        }
    }
    end_run(&mut masked, &mut run);
    masked
}

fn end_run(masked: &mut String, run: &mut String) {
    let is_phone = run.chars().filter(|letter| letter.is_numeric()).count() >= PHONE_DIGITS_MIN;
    masked.extend(run.drain(..).map(|letter| if is_phone && letter.is_numeric() { '•' } else { letter }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Fault, Memory};
    use rstest::rstest;

    const PATH: &str = "audit.jsonl";

    fn open(disk: &Memory) -> Audit {
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        Audit::open(&storage, PATH).unwrap()
    }

    fn entry(why: &str) -> Entry<'_> {
        let details = BTreeMap::from([("rule", "auth.otp_flood".to_owned())]);
        Entry { at_ms: 1_763_719_300_000, who: "rasid", claimed: "noor", from: "control socket", action: "retract", why, details }
    }

    fn lines(disk: &Memory) -> Vec<String> {
        String::from_utf8(disk.read(PATH).unwrap()).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_entry_is_a_line_that_outlives_a_crash() {
        let disk = Memory::new();
        open(&disk).append(&entry("two\nlines")).unwrap();
        disk.crash(1);
        open(&disk).append(&entry("b")).unwrap();
        disk.crash(2);
        let expected = r#"{"at":"2025-11-21T10:01:40.000Z","who":"rasid","claimed":"noor","from":"control socket","action":"retract","why":"two\nlines","details":{"rule":"auth.otp_flood"}}"#;
        assert_eq!(lines(&disk), [expected, &expected.replace(r"two\nlines", "b")]);
    }

    #[test]
    fn a_phone_that_somebody_claims_to_be_is_masked() {
        let disk = Memory::new();
        open(&disk).append(&Entry { claimed: "+201000000001", ..entry("a") }).unwrap();
        assert!(lines(&disk).iter().all(|line| !line.contains("1000000001") && line.contains("+••••••••••••")), "{:?}", lines(&disk));
    }

    #[test]
    fn a_line_cut_short_spoils_no_other() {
        let disk = Memory::new();
        let mut audit = open(&disk);
        audit.append(&entry("a")).unwrap();
        disk.inject(0, Fault::Full); // half of it is written
        let error = audit.append(&entry("b")).unwrap_err();
        assert_eq!((error.to_string(), error.disposition()), ("cannot write the audit audit.jsonl".to_owned(), Disposition::Retry));
        disk.heal();
        audit.append(&entry("c")).unwrap();
        let whole = |disk: &Memory| lines(disk).iter().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
        assert_eq!((whole(&disk), lines(&disk).len()), (2, 3));
        disk.append(PATH).unwrap().append(b"{\"at\":").unwrap();
        open(&disk).append(&entry("d")).unwrap();
        assert_eq!((whole(&disk), lines(&disk).len()), (3, 5));
    }

    #[rstest]
    #[case::phone("called +20 100-000 0001 twice", "called +•• •••-••• •••• twice")]
    #[case::arabic_digits("٠١٠٠٠٠٠٠٠٠١", "•••••••••••")]
    #[case::seven_digits("ticket 1234567", "ticket 1234567")]
    #[case::eight_digits("12345678 ", "•••••••• ")]
    #[case::ids("retract auth.otp_flood of u_42, INC-2041", "retract auth.otp_flood of u_42, INC-2041")]
    fn phones_are_masked(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(without_phones(text), expected);
    }
}
