//! `lists/<name>.yaml`: values with reasons, some of which expire, and the plain file beside it that may hold a million more.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use rasid_detectors::entity::{self, EntityKind};
use rasid_detectors::event::time;
use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Code, Fault, suggest};
use crate::expression::List;
use crate::reader::{self, MapReader};
use crate::yaml::{Node, NodeValue};
use crate::zone;

pub(crate) mod keyed;
pub(crate) mod lines;
pub(crate) mod members;

use members::Members;

/// The folder that lists lie in.
pub(crate) const FOLDER: &str = "lists/";

/// Every list by its name; `None`: its file has a fault of its own.
pub(crate) type Lists = BTreeMap<String, Option<Arc<List>>>;

/// Whether a file of that name is a list.
pub(crate) fn is_list(file: &str) -> bool {
    file.starts_with(FOLDER) && !lines::is_entries(file) && !zone::is_zone(file)
}

/// Whether conditions can name it.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The name of the list that a file is to hold.
pub(crate) fn stem(file: &str) -> &str {
    let name = file.strip_prefix(FOLDER).unwrap_or(file);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A list before the plain file that it takes entries from has been read.
pub(crate) struct Draft {
    name: String,
    kind: Option<EntityKind>,
    entries: BTreeMap<String, Option<i64>>,
    from: Option<(String, Range<usize>)>,
}

impl Draft {
    /// The file that it takes entries from, and where it is named.
    pub(crate) fn from(&self) -> Option<(&str, &Range<usize>)> {
        self.from.as_ref().map(|(file, span)| (file.as_str(), span))
    }

    /// The list, with the entries of that file's text; `None` where they have a fault.
    pub(crate) fn with(self, text: Option<&str>, faults: &mut Vec<Fault>) -> Option<List> {
        let before = faults.len();
        let mut members = Members::of(self.kind);
        for (value, ends) in &self.entries {
            members.push(self.kind, value, *ends);
        }
        if let Some(text) = text {
            lines::read(text, self.kind, &mut members, faults);
        }
        members.pack();
        let mut hasher = Sha256::new();
        for (value, ends) in &self.entries {
            hasher.update((value.len() as u64).to_le_bytes());
            hasher.update(value.as_bytes());
            hasher.update(format!("{ends:?};").as_bytes());
        }
        if text.is_some() {
            members.digest(&mut hasher);
        }
        let reach = keyed::Reach::of(self.kind, &members);
        (faults.len() == before).then(|| List { name: self.name, kind: self.kind, digest: hasher.finalize().into(), reach, members })
    }
}

/// Lowers one list; `file` is its path below the rules directory. `None` where it has a fault.
pub(crate) fn lower(file: &str, root: &Node, faults: &mut Vec<Fault>) -> Option<Draft> {
    let before = faults.len();
    let mut map = MapReader::new(root, "a list", faults)?;
    let name = map.required("list", faults).and_then(|node| name(file, node, faults));
    let kind = map.optional("kind").map_or(Some(None), |node| kind(node, faults));
    let from = map.optional("entries_from");
    let entries = if from.is_some() { map.optional("entries") } else { map.required("entries", faults) };
    let reason = if from.is_some() { map.required("reason", faults) } else { map.optional("reason") };
    for (node, what) in [(map.optional("description"), "`description`"), (reason, "`reason`")] {
        node.map(|node| reader::text(node, what, faults));
    }
    map.finish(faults);
    let from = from.and_then(|node| entries_from(node, faults));
    let (name, kind) = (name?, kind?);
    let entries = entries.map_or_else(|| Some(BTreeMap::new()), |node| read_entries(node, kind, reason.is_some(), faults))?;
    (faults.len() == before).then_some(Draft { name, kind, entries, from })
}

/// The path of the file that a list takes entries from, and where it is named.
fn entries_from(node: &Node, faults: &mut Vec<Fault>) -> Option<(String, Range<usize>)> {
    let text = reader::text(node, "`entries_from`", faults)?;
    if !lines::is_name(text) {
        let fault = Fault::new(Code::BadName, node.span.clone(), format!("`{text}` is no file beside the list"));
        faults.push(fault.help("name a file of the folder lists that ends in .txt or .csv: blocked_ips.txt"));
        return None;
    }
    Some((format!("{FOLDER}{text}"), node.span.clone()))
}

fn name(file: &str, node: &Node, faults: &mut Vec<Fault>) -> Option<String> {
    let text = reader::text(node, "`list`", faults)?;
    if !is_name(text) {
        let fault = Fault::new(Code::BadId, node.span.clone(), format!("`{text}` is no name of a list"));
        faults.push(fault.help("names are a lower-case letter, then lower-case letters, digits and `_`: trusted_phones"));
        return None;
    }
    if stem(file) != text {
        let fault = Fault::new(Code::BadId, node.span.clone(), format!("the list `{text}` stands in the file `{file}`"));
        faults.push(fault.help(format!("move it to {FOLDER}{text}.yaml")));
        return None;
    }
    Some(text.to_owned())
}

/// `text`, or a kind of entity.
#[expect(clippy::option_option, reason = "outside: whether it could be read; inside: the kind, which plain text has none of")]
fn kind(node: &Node, faults: &mut Vec<Fault>) -> Option<Option<EntityKind>> {
    let text = reader::text(node, "`kind`", faults)?;
    if text == "text" {
        return Some(None);
    }
    let kind = EntityKind::from_name(text).filter(|kind| *kind != EntityKind::All);
    if kind.is_none() {
        let fault = Fault::new(Code::UnknownKind, node.span.clone(), format!("there is no kind of entity `{text}`"));
        faults.push(fault.help(suggest(text, listed_kinds().chain(["text"]))));
    }
    kind.map(Some)
}

fn read_entries(node: &Node, kind: Option<EntityKind>, has_reason: bool, faults: &mut Vec<Fault>) -> Option<BTreeMap<String, Option<i64>>> {
    let NodeValue::Seq(items) = &node.value else {
        faults.push(reader::wrong(node, "`entries`", "a list of entries").help("- {value: …, reason: …}, or [] for none"));
        return None;
    };
    let mut entries = BTreeMap::new();
    let mut places: BTreeMap<String, Range<usize>> = BTreeMap::new();
    for item in items {
        let Some(mut map) = MapReader::new(item, "an entry", faults) else { continue };
        let value = map.required("value", faults).and_then(|node| Some((node, reader::text(node, "`value`", faults)?)));
        // The list's own is that of all which have none.
        let reason = if has_reason { map.optional("reason") } else { map.required("reason", faults) };
        if let Some(node) = reason {
            reader::text(node, "`reason`", faults);
        }
        let expires = map.optional("expires").and_then(|node| instant(node, "expires", faults));
        map.finish(faults);
        let Some((node, text)) = value else { continue };
        let Some(value) = normalised(kind, text) else {
            let shown = if kind.is_some_and(EntityKind::is_personal) { "this".to_owned() } else { format!("`{text}`") };
            faults.push(never_so(kind, &shown, node.span.clone()));
            continue;
        };
        match places.entry(value.clone()) {
            Entry::Occupied(first) => {
                // Messages go to logs, where no phone and no device belongs; the file's own line shows which it is.
                let shown = if kind.is_some_and(|kind| kind.hides(&value)) { "this".to_owned() } else { format!("`{value}`") };
                let fault = Fault::new(Code::DuplicateKey, node.span.clone(), format!("{shown} is in the list already"));
                faults.push(fault.also(first.get().clone(), "first here").help("remove one of the two"));
            }
            Entry::Vacant(place) => {
                place.insert(node.span.clone());
                entries.insert(value, expires);
            }
        }
    }
    Some(entries)
}

/// What may be listed: everybody is not.
pub(crate) fn listed_kinds() -> impl Iterator<Item = &'static str> {
    EntityKind::ALL.into_iter().filter(|kind| *kind != EntityKind::All).map(EntityKind::name)
}

/// An entry as values are compared with it; `None` where none can be equal.
fn normalised(kind: Option<EntityKind>, text: &str) -> Option<String> {
    let Some(kind) = kind else { return Some(text.to_owned()) };
    let text = text.trim();
    let dialled = |text: &str| text.strip_prefix('+').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    let value = match kind {
        // A prefix as alerts show it; normalising takes a whole number and would shorten it once more.
        EntityKind::PhonePrefix | EntityKind::PhoneCountry => entity::e164(text),
        // Of these too what is listed is what is derived.
        EntityKind::Carrier => text.into(),
        EntityKind::EmailDomain => kind.normalise(&format!("@{}", text.trim_start_matches('@'))).into_owned().into(),
        EntityKind::Ip if text.contains('/') => match members::network(text)? {
            (address, bits) if bits == if address.is_ipv4() { 32 } else { 128 } => address.to_string().into(),
            (address, bits) => format!("{address}/{bits}").into(),
        },
        _ => kind.normalise(text),
    };
    let can_be_met = match kind {
        EntityKind::Phone | EntityKind::PhonePrefix => dialled(&value) && members::fits(&value),
        EntityKind::PhoneCountry => dialled(&value),
        EntityKind::Carrier => value.split_once(' ').is_some_and(|(country, range)| {
            let whole = format!("{country}{range}0000000");
            dialled(&whole) && EntityKind::Carrier.normalise(&whole) == value
        }),
        // A host below a domain is none: the entry would be the whole domain's, which nobody wrote.
        EntityKind::EmailDomain => value.contains('.') && *value == *text.trim_start_matches('@').trim_end_matches('.').to_lowercase(),
        EntityKind::Ip => members::network(&value).is_some(),
        EntityKind::IpPrefix => {
            value.split_once('/').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok() && kind.normalise(address) == value)
        }
        _ => true,
    };
    can_be_met.then(|| value.into_owned())
}

/// The fault of what no value can equal; `shown` says which, where that may be said.
fn never_so(kind: Option<EntityKind>, shown: &str, span: Range<usize>) -> Fault {
    let help = match kind {
        Some(EntityKind::Ip) => "an address or a network: 192.0.2.1, 203.0.113.0/24, 2001:db8::/32",
        Some(EntityKind::IpPrefix) => {
            "the prefix that alerts show, or one of its addresses: 192.0.2.0/24, 2001:db8:1::/48; other networks go into a list of the kind `ip`"
        }
        Some(EntityKind::PhoneCountry) => "a country code: +20",
        Some(EntityKind::Carrier) => "a country code and the first digits behind it, as alerts show them: +20 10, +1 415",
        Some(EntityKind::EmailDomain) => "the domain behind the @, without hosts below it: example.com",
        Some(EntityKind::PhonePrefix) => "the digits that numbers begin with: +20100000, +201",
        _ => "a telephone number: +201000000001",
    };
    let name = kind.map_or("text", EntityKind::name);
    Fault::new(Code::BadEntry, span, format!("{shown} is no identifier of the kind `{name}`")).help(help)
}

/// An instant, or a date, which is its beginning in UTC.
pub(crate) fn instant(node: &Node, key: &str, faults: &mut Vec<Fault>) -> Option<i64> {
    let text = match &node.value {
        NodeValue::Str(text) => text.trim(),
        _ => "",
    };
    let millis = millis(text);
    if millis.is_none() {
        let shown = if text.is_empty() { node.kind().to_owned() } else { format!("`{text}`") };
        let fault = Fault::new(Code::BadInstant, node.span.clone(), format!("`{key}` is {shown}, expected a date or an instant"));
        faults.push(fault.help("2026-12-31, which is the beginning of that day in UTC, or 2026-12-31T18:00:00+02:00"));
    }
    millis
}

fn millis(text: &str) -> Option<i64> {
    if text.len() == 10 { time::parse_rfc3339(&format!("{text}T00:00:00Z")) } else { time::parse_rfc3339(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, "Any text ", Some("Any text "))]
    #[case(Some(EntityKind::User), " u-1 ", Some("u-1"))]
    #[case(Some(EntityKind::Phone), "0100 000 0042", Some("+201000000042"))]
    #[case(Some(EntityKind::Phone), "hotline", None)]
    #[case(Some(EntityKind::PhonePrefix), "+20100000", Some("+20100000"))]
    #[case(Some(EntityKind::PhonePrefix), "none", None)]
    #[case(Some(EntityKind::PhoneCountry), "+20", Some("+20"))]
    #[case(Some(EntityKind::Carrier), "+20 10", Some("+20 10"))]
    #[case(Some(EntityKind::Carrier), "+2010", None)]
    #[case(Some(EntityKind::Carrier), "+20 100", None)]
    #[case(Some(EntityKind::EmailDomain), "@Example.com", Some("example.com"))]
    #[case(Some(EntityKind::EmailDomain), "a@example.com", None)]
    #[case(Some(EntityKind::EmailDomain), "call.01012345678", None)]
    #[case(Some(EntityKind::EmailDomain), "x.example.com", None)]
    #[case(Some(EntityKind::EmailDomain), "farm.com.eg", Some("farm.com.eg"))]
    #[case(Some(EntityKind::EmailDomain), "Example.com.", Some("example.com"))]
    #[case(Some(EntityKind::Ip), "::ffff:192.0.2.1", Some("192.0.2.1"))]
    #[case(Some(EntityKind::Ip), "192.0.2.0/24", Some("192.0.2.0/24"))]
    #[case(Some(EntityKind::Ip), "203.0.113.0/22", Some("203.0.112.0/22"))]
    #[case(Some(EntityKind::Ip), "::ffff:192.0.2.0/120", Some("192.0.2.0/24"))]
    #[case(Some(EntityKind::Ip), "::ffff:192.0.2.0/95", Some("::fffe:0:0/95"))]
    #[case(Some(EntityKind::Ip), "2001:DB8::1/128", Some("2001:db8::1"))]
    #[case(Some(EntityKind::Ip), "192.0.2.0/33", None)]
    #[case(Some(EntityKind::Ip), "192.0.2.0/+8", None)]
    #[case(Some(EntityKind::Ip), "192.0.2.0/", None)]
    #[case(Some(EntityKind::Ip), "192.0.2/24", None)]
    #[case(Some(EntityKind::Phone), "+1234567890123456789", None)]
    #[case(Some(EntityKind::IpPrefix), "192.0.2.7", Some("192.0.2.0/24"))]
    #[case(Some(EntityKind::IpPrefix), "192.0.2.0/24", Some("192.0.2.0/24"))]
    #[case(Some(EntityKind::IpPrefix), "192.0.2.7/24", None)]
    #[case(Some(EntityKind::IpPrefix), "192.0.2.0/16", None)]
    fn entries_are_written_as_values_are(#[case] kind: Option<EntityKind>, #[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(normalised(kind, text).as_deref(), expected);
    }

    #[rstest]
    #[case("2026-11-21", Some(1_795_219_200_000))]
    #[case("2026-11-21T00:00:00Z", Some(1_795_219_200_000))]
    #[case("2026-11-21T02:00:00+02:00", Some(1_795_219_200_000))]
    #[case("2026-11-31", None)]
    #[case("2026", None)]
    #[case("tomorrow", None)]
    #[case("2026-11-21T00:00:00", None)]
    fn an_expiry_is_a_date_or_an_instant(#[case] text: &str, #[case] expected: Option<i64>) {
        let mut faults = Vec::new();
        assert_eq!(instant(&Node { span: 0..0, value: NodeValue::Str(text.to_owned()) }, "expires", &mut faults), expected);
        assert!(faults.iter().all(|fault| fault.code == Code::BadInstant));
        assert_eq!(faults.is_empty(), expected.is_some());
    }
}
