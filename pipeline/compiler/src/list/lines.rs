//! A plain file of a list's entries: `value`, `value,expires` or `value,expires,reason`, one a line.

use std::borrow::Cow;
use std::ops::Range;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::shown::is_unseen;

use super::members::Members;
use crate::diagnostic::{Code, Fault};

/// Longest file, bytes.
pub(crate) const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most entries of one file.
const ENTRIES_MAX: usize = 2_000_000;
/// Longest line, bytes.
const LINE_BYTES_MAX: usize = 4_096;
/// Faults of one file that are told; a file of another kind has one in every line.
const FAULTS_MAX: usize = 20;

/// Whether a file beside the lists holds entries of one.
pub(crate) fn is_entries(file: &str) -> bool {
    file.strip_prefix(super::FOLDER).is_some_and(is_name)
}

/// Whether a file may be named so: one beside the list.
pub(super) fn is_name(name: &str) -> bool {
    !name.starts_with('.') && !name.contains('/') && matches!(name.rsplit_once('.'), Some((_, "txt" | "csv")))
}

/// Takes the entries of a file, equal ones once. Faults never quote a line: what is meant for another list may be personal.
pub(super) fn read(text: &str, kind: Option<EntityKind>, members: &mut Members, faults: &mut Vec<Fault>) {
    let (mut at, mut entries) = (0, 0_usize);
    for (number, raw) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += raw.len();
        let line = raw.strip_suffix('\n').map_or(raw, |line| line.strip_suffix('\r').unwrap_or(line));
        let (start, line) = match line.strip_prefix('\u{FEFF}').filter(|_| number == 0) {
            Some(rest) => (start + '\u{FEFF}'.len_utf8(), rest),
            None => (start, line),
        };
        let found = entry(line, start, kind);
        let found = found.and_then(|entry| {
            entries += usize::from(entry.is_some());
            if entries <= ENTRIES_MAX {
                return Ok(entry);
            }
            let fault = Fault::new(Code::TooMuch, start..start + line.len(), format!("more than {ENTRIES_MAX} entries in one file"));
            Err(fault.help("split the list into two"))
        });
        match found {
            Ok(None) => {}
            Ok(Some((value, ends))) => members.push(kind, &value, ends),
            Err(fault) => {
                let ends_here = fault.code == Code::TooMuch;
                faults.push(fault);
                if ends_here || faults.len() >= FAULTS_MAX {
                    return;
                }
            }
        }
    }
}

/// The entry of a line, and when it ends; `None` where there is none.
type Entry = Option<(String, Option<i64>)>;

fn entry(line: &str, start: usize, kind: Option<EntityKind>) -> Result<Entry, Fault> {
    if line.len() > LINE_BYTES_MAX {
        let fault = Fault::new(Code::TooMuch, start..start, format!("a line of more than {LINE_BYTES_MAX} bytes"));
        return Err(fault.help("write one entry a line"));
    }
    if let Some((place, c)) = line.char_indices().find(|(_, c)| *c != '\t' && is_unseen(*c)) {
        let (from, code) = (start + place, u32::from(c));
        let fault = Fault::new(Code::BadEntry, from..from + c.len_utf8(), format!("a character that is not seen, U+{code:04X}"));
        return Err(fault.help("remove it; a list is lines of UTF-8 text"));
    }
    let (value, rest, span) = match cells(line) {
        Ok(Some(cells)) => cells,
        Ok(None) => return Ok(None),
        Err(message) => {
            let fault = Fault::new(Code::BadEntry, start..start + line.len(), message);
            return Err(fault.help("a value with commas stands in quotes, quotes in it twice: \"a, b\",2026-12-31,why"));
        }
    };
    let place = |span: Range<usize>| start + span.start..start + span.end;
    let expires = rest.split(',').next().unwrap_or_default().trim();
    let ends = if expires.is_empty() {
        None
    } else {
        let from = span.end + line.get(span.end..).and_then(|rest| rest.find(expires)).unwrap_or_default();
        let millis = super::millis(expires);
        Some(millis.ok_or_else(|| {
            let fault = Fault::new(Code::BadInstant, place(from..from + expires.len()), "no date and no instant");
            fault.help("value,expires,reason: 2026-12-31, which ends as that day begins in UTC, or 2026-12-31T18:00:00+02:00, or nothing")
        })?)
    };
    match super::normalised(kind, &value) {
        Some(value) if !value.is_empty() => Ok(Some((value, ends))),
        _ => Err(super::never_so(kind, "this", place(span))),
    }
}

/// The value, what stands behind its comma, and the value's place.
type Cells<'a> = (Cow<'a, str>, &'a str, Range<usize>);

fn cells(line: &str) -> Result<Option<Cells<'_>>, &'static str> {
    let indent = line.len() - line.trim_start().len();
    let inside = line.get(indent..).unwrap_or_default();
    let Some(quoted) = inside.strip_prefix('"') else {
        let plain = uncommented(inside);
        if plain.is_empty() {
            return Ok(None);
        }
        let (value, rest) = plain.split_once(',').unwrap_or((plain, ""));
        let value = value.trim_end();
        return if value.contains('"') {
            Err("a quote inside a value")
        } else {
            Ok(Some((Cow::Borrowed(value), rest, indent..indent + value.len())))
        };
    };
    let mut value = String::new();
    let mut left = quoted;
    loop {
        let (part, behind) = left.split_once('"').ok_or("a quote that is not closed")?;
        value.push_str(part);
        if let Some(more) = behind.strip_prefix('"') {
            value.push('"');
            left = more;
            continue;
        }
        let span = indent..line.len() - behind.len();
        let rest = uncommented(behind.trim_start());
        return match (rest, rest.strip_prefix(',')) {
            ("", _) => Ok(Some((value.into(), "", span))),
            (_, Some(rest)) => Ok(Some((value.into(), rest, span))),
            _ => Err("something between the closing quote and the comma"),
        };
    }
}

/// A line less its comment, which begins with `#` at its beginning or behind a blank, as in YAML.
fn uncommented(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| line.get(..*at).is_none_or(|before| before.is_empty() || before.ends_with([' ', '\t']));
    let end = line.match_indices('#').find(begins).map_or(line.len(), |(at, _)| at);
    line.get(..end).unwrap_or_default().trim_end()
}
