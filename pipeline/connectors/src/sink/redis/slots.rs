//! Which node of a cluster has which key.
//!
//! A key belongs to one of 16 384 slots, by what stands between its first braces, and a slot to one master. What masters
//! say when they are asked for another's key (`MOVED`) is newer than any map.
//! → <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>

use std::collections::{BTreeMap, BTreeSet};

use ::redis::Value;

const SLOTS: u16 = 16_384;

/// The slot of a key.
pub(super) fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag).filter(|tag| !tag.is_empty());
    crc16(tag.unwrap_or(key).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

/// Masters, as `host:port`, by the slots that they have.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Last slot → first slot and master.
    ranges: BTreeMap<u16, (u16, String)>,
    moved: BTreeMap<u16, String>,
}

impl Slots {
    /// What `CLUSTER SLOTS` says; `from` is the host that was asked, which a node that does not know its own name leaves
    /// out. `None` where it is something else.
    ///
    /// ```text
    /// [[first, last, [host, port, id, …], replicas …], …]
    /// ```
    pub(super) fn parse(value: &Value, from: &str) -> Option<Self> {
        let mut ranges = BTreeMap::new();
        for entry in array(value)? {
            let [first, last, master, ..] = array(entry)? else { return None };
            let [host, port, ..] = array(master)? else { return None };
            let node = node(text(host).unwrap_or_default(), number(port)?, from);
            ranges.insert(number(last)?, (number(first)?, node));
        }
        Some(Self { ranges, moved: BTreeMap::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.moved.is_empty()
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&str> {
        let of_range = || self.ranges.range(slot..).next().filter(|(_, (first, _))| *first <= slot).map(|(_, (_, node))| node);
        self.moved.get(&slot).or_else(of_range).map(String::as_str)
    }

    pub(super) fn moved(&mut self, slot: u16, node: String) {
        self.moved.insert(slot, node);
    }

    /// Every master that has a slot.
    pub(super) fn masters(&self) -> BTreeSet<String> {
        self.ranges.values().map(|(_, node)| node).chain(self.moved.values()).cloned().collect()
    }
}

/// `host:port`; a host left out, or `?`, is the one that was asked.
pub(super) fn node(host: &str, port: u16, from: &str) -> String {
    let host = if host.is_empty() || host == "?" { from } else { host };
    format!("{host}:{port}")
}

/// Host and port of `host:port`, where the host may be an IPv6 address.
pub(super) fn split(node: &str) -> Option<(&str, u16)> {
    let (host, port) = node.rsplit_once(':')?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
}

fn array(value: &Value) -> Option<&[Value]> {
    if let Value::Array(values) = value { Some(values) } else { None }
}

fn number(value: &Value) -> Option<u16> {
    if let Value::Int(number) = value { u16::try_from(*number).ok() } else { None }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_checksum_is_the_specification_s() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
    }

    // Slots as `CLUSTER KEYSLOT` of Redis 7 says them.
    #[rstest]
    #[case::no_tag("foo", 12_182)]
    #[case::tag("x{foo}y", 12_182)]
    #[case::first_tag_only("{foo}{bar}", 12_182)]
    #[case::an_empty_tag_is_none("{}foo", 9_500)]
    #[case::unclosed("{foo", 13_308)]
    fn a_key_has_the_slot_of_its_tag(#[case] key: &str, #[case] expected: u16) {
        assert_eq!(slot(key), expected, "{key}");
    }

    #[test]
    fn a_map_names_masters_and_what_was_moved_goes_before_it() {
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())]);
        let range = |first, last, master, replica| Value::Array(vec![Value::Int(first), Value::Int(last), master, replica]);
        let host = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let value = Value::Array(vec![
            range(8000, 16_383, node(host("::1"), 2), node(host("b"), 9)),
            range(0, 5000, node(Value::Nil, 1), node(host("b"), 9)),
        ]);
        let mut slots = Slots::parse(&value, "asked").expect("a map");
        let owners = [0, 5000, 5001, 7999, 8000, 16_383].map(|slot| slots.owner(slot).map(str::to_owned));
        let (a, b) = (Some("asked:1".to_owned()), Some("::1:2".to_owned()));
        assert_eq!(owners, [a.clone(), a.clone(), None, None, b.clone(), b]);
        slots.moved(5000, "c:3".to_owned());
        assert_eq!((slots.owner(5000), slots.owner(4999)), (Some("c:3"), a.as_deref()));
        assert_eq!(slots.masters().len(), 3);
        assert_eq!(split("::1:2"), Some(("::1", 2)));
        assert!(Slots::parse(&Value::Okay, "asked").is_none());
    }
}
