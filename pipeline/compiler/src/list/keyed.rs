//! A list by the keys of what it holds, for events out of an archive, which have no value but what stands for it.
//!
//! ```text
//! words, phones          the key of each entry, as operators key what it names
//! addresses, networks    whole prefixes (/24, /48) by the prefix that a stand-in shows, what is left by the key of each address
//! phone prefixes         by the prefix that a stand-in shows, a number less its last four digits: of entries that are no longer than the
//!                        shortest of those
//! ```
//!
//! The answer is the one that the value itself would give, or there is none ([`List::takes_stand_ins`]).

use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use rasid_detectors::entity::{self, EntityKind, KeyHasher};
use rasid_detectors::event::columns::StandIn;

use super::members::{self, Members, Point, Ranges};
use crate::expression::List;

/// Most addresses that are keyed one by one.
const ADDRESSES_MAX: usize = 1 << 16;
/// Most digits of an entry of a list of phone prefixes: the shortest number has seven, and shows all but four.
const PREFIX_DIGITS_MAX: usize = 3;
/// Bits that addresses of one prefix do not share.
const V4_REST: u32 = 8;
const V6_REST: u32 = 80;

/// What of a list can be told by stand-ins: found once, when the list is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Reach {
    /// Most digits of a phone prefix.
    digits: usize,
    /// Addresses that lie in no whole prefix, [`ADDRESSES_MAX`] and one more at the most.
    alone: usize,
}

impl Reach {
    pub(crate) fn of(kind: Option<EntityKind>, members: &Members) -> Self {
        match members {
            Members::Phones(phones) if kind == Some(EntityKind::PhonePrefix) => {
                Self { digits: phones.iter().map(|(first, _, _)| digits(first)).max().unwrap_or(0), alone: 0 }
            }
            Members::Networks { v4, v6 } => {
                let all = v4.iter().map(alone).chain(v6.iter().map(alone)).fold(0, u128::saturating_add);
                Self { digits: 0, alone: usize::try_from(all).unwrap_or(usize::MAX).min(ADDRESSES_MAX + 1) }
            }
            Members::Words(_) | Members::Phones(_) => Self::default(),
        }
    }
}

/// See the module.
#[derive(Clone)]
pub struct Keyed {
    kind: EntityKind,
    /// The end of each entry, ms since the Unix epoch, by its key.
    keys: HashMap<u64, i64>,
    /// What is found by what a stand-in shows.
    shown: Members,
}

/// How many keys there are, never which: they stand for what is listed.
impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("kind", &self.kind).field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl List {
    /// Whether what stands for a value of a field that names those kinds is found in it as the value would be.
    pub fn takes_stand_ins(&self, kinds: &[EntityKind]) -> bool {
        let has = |kind| kinds.contains(&kind);
        let Some(kind) = self.kind else { return false };
        match &self.members {
            Members::Words(_) => has(kind),
            Members::Phones(_) if kind == EntityKind::Phone => has(kind),
            Members::Phones(_) => has(EntityKind::PhonePrefix) && self.reach.digits <= PREFIX_DIGITS_MAX,
            Members::Networks { .. } => {
                has(EntityKind::IpPrefix) && (self.reach.alone == 0 || has(EntityKind::Ip) && self.reach.alone <= ADDRESSES_MAX)
            }
        }
    }

    /// The same list by keys; nothing where it takes no stand-ins.
    pub fn keyed(&self, hasher: &KeyHasher) -> Option<Keyed> {
        let kind = self.kind.filter(|_| self.takes_stand_ins(&EntityKind::ALL))?;
        let (mut keys, mut shown) = (HashMap::new(), Members::default());
        let mut put = |kind, value: &str, ends| {
            keys.insert(hasher.key_of_normalised(kind, value), ends);
        };
        match &self.members {
            Members::Words(_) => self.members.each(Some(kind), |word, ends| put(kind, word, ends)),
            Members::Phones(_) if kind == EntityKind::Phone => self.members.each(Some(kind), |number, ends| put(kind, number, ends)),
            Members::Phones(_) => shown = self.members.clone(),
            Members::Networks { v4, v6 } => {
                for range in v4.iter() {
                    apart(range).1.for_each(|bits| put(EntityKind::Ip, &Ipv4Addr::from_bits(bits).to_string(), range.2));
                }
                for range in v6.iter() {
                    apart(range).1.for_each(|bits| put(EntityKind::Ip, &Ipv6Addr::from_bits(bits).to_string(), range.2));
                }
                shown = Members::Networks { v4: whole(v4), v6: whole(v6) };
            }
        }
        Some(Keyed { kind, keys, shown })
    }
}

/// The whole prefixes of ranges.
fn whole<K: Address>(ranges: &Ranges<K>) -> Ranges<K> {
    let mut whole = Ranges::default();
    for range in ranges.iter() {
        if let Some((first, last)) = apart(range).0 {
            whole.push(first, last, range.2);
        }
    }
    whole
}

impl Keyed {
    /// Whether an entry that has not ended holds the value; `None` where that cannot be told.
    pub fn holds(&self, stand_in: &StandIn, at_ms: i64) -> Option<bool> {
        let by_key = |kind| stand_in.key(kind).map(|key| self.keys.get(&key).is_some_and(|ends| at_ms < *ends));
        match &self.shown {
            Members::Words(_) => by_key(self.kind),
            Members::Phones(phones) => {
                stand_in.key(EntityKind::PhonePrefix)?;
                // What is shown of a number lacks four digits, whichever; what is no whole number shows none.
                let whole = format!("{}1111", stand_in.shown(EntityKind::PhonePrefix));
                let number = members::numbers(&whole).filter(|_| entity::is_whole_number(&whole));
                Some(number.is_some_and(|(first, _)| phones.holds(first, at_ms)))
            }
            Members::Networks { .. } => {
                stand_in.key(EntityKind::IpPrefix)?;
                let shown = stand_in.shown(EntityKind::IpPrefix);
                members::network(shown)?;
                let by_prefix = self.shown.holds(Some(EntityKind::IpPrefix), shown, at_ms);
                Some(by_prefix || !self.keys.is_empty() && by_key(EntityKind::Ip)?)
            }
        }
    }
}

/// How many digits the number has that a range of numbers begins with.
fn digits(first: u64) -> usize {
    members::number(first).map_or(0, |number| number.len() - 1)
}

/// What addresses are made of.
trait Address: Point {
    /// Bits that addresses of one prefix do not share.
    const REST: u32;
    fn bits(self) -> u128;
    fn of(bits: u128) -> Self;
}

impl Address for u32 {
    const REST: u32 = V4_REST;
    fn bits(self) -> u128 {
        self.into()
    }
    fn of(bits: u128) -> Self {
        Self::try_from(bits).unwrap_or(Self::MAX)
    }
}

impl Address for u128 {
    const REST: u32 = V6_REST;
    fn bits(self) -> u128 {
        self
    }
    fn of(bits: u128) -> Self {
        bits
    }
}

/// The whole prefixes of a range, from the first address to the last, and the addresses before and behind them.
fn apart<K: Address>((first, last, _): (K, K, i64)) -> (Option<(K, K)>, impl Iterator<Item = K>) {
    let (from, to) = (first.bits(), last.bits());
    let rest = (1_u128 << K::REST) - 1;
    let begin = from.checked_add(rest).map(|up| up & !rest);
    let end = if to & rest == rest { Some(to) } else { (to & !rest).checked_sub(1) };
    let whole = begin.zip(end).filter(|(begin, end)| begin < end);
    // Up to the last address, which may be the last that there is.
    let closed = |first: u128, last: u128| (first..last).chain((first <= last).then_some(last));
    let none = || closed(1, 0);
    let alone = match whole {
        None => closed(from, to).chain(none()),
        Some((begin, end)) => {
            let head = if from < begin { closed(from, begin - 1) } else { none() };
            let tail = end.checked_add(1).filter(|next| *next <= to);
            head.chain(tail.map_or_else(none, |next| closed(next, to)))
        }
    };
    (whole.map(|(begin, end)| (K::of(begin), K::of(end))), alone.map(K::of))
}

/// How many addresses of a range are in no whole prefix of it.
fn alone<K: Address>(range: (K, K, i64)) -> u128 {
    let (first, last, _) = range;
    let all = (last.bits() - first.bits()).saturating_add(1);
    let whole = apart(range).0.map_or(0, |(begin, end)| (end.bits() - begin.bits()).saturating_add(1));
    all - whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rasid_detectors::event::EventType;
    use rasid_detectors::event::field;
    use rstest::rstest;

    use super::*;

    const PHONE: [EntityKind; 4] = [EntityKind::Phone, EntityKind::PhonePrefix, EntityKind::PhoneCountry, EntityKind::Carrier];
    const IP: [EntityKind; 2] = [EntityKind::Ip, EntityKind::IpPrefix];

    fn list(kind: EntityKind, entries: &[(String, Option<i64>)]) -> List {
        let mut members = Members::of(Some(kind));
        for (value, ends) in entries {
            members.push(Some(kind), value, *ends);
        }
        members.pack();
        List { name: "some".to_owned(), kind: Some(kind), digest: [0; 32], reach: Reach::of(Some(kind), &members), members }
    }

    /// What stands for a value, as a service makes it.
    fn stand_in(kinds: &[EntityKind], raw: &str, hasher: &KeyHasher) -> StandIn {
        let leave = |kind: EntityKind, raw: &str| if kind.is_coarse() { kind.normalise(raw).into_owned() } else { "p_hidden".to_owned() };
        StandIn::of(kinds, raw, hasher, leave).expect("it names a kind")
    }

    fn agree(list: &List, kinds: &[EntityKind], raw: &str, at_ms: i64) -> Result<(), TestCaseError> {
        let hasher = KeyHasher::new([7; 16]);
        let found = list.keyed(&hasher).and_then(|keyed| keyed.holds(&stand_in(kinds, raw, &hasher), at_ms));
        prop_assert_eq!(found, Some(list.holds(raw, at_ms)), "{} at {}", raw, at_ms);
        Ok(())
    }

    fn ends() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![Just(None), (0..20_i64).prop_map(Some)]
    }

    /// Few numbers, written in many ways, some of which are none.
    fn phone() -> impl Strategy<Value = String> {
        prop_oneof![
            (0..4_u32).prop_map(|number| format!("+2010000000{number:02}")),
            (0..4_u32).prop_map(|number| format!("010 0000 00{number:02}")),
            (0..3_u32).prop_map(|number| format!("+9715000{number}000")),
            "\\+(20|971|1|882)[0-9]{0,9}",
            "[0-9]{0,12}",
            // With the trunk's zero, once and twice.
            "\\+20000[0-9]{2,9}",
            "\\+9710[0-9]{4,9}",
            Just("nobody".to_owned()),
        ]
    }

    fn ip() -> impl Strategy<Value = String> {
        prop_oneof![
            (0..3_u8, any::<u8>()).prop_map(|(third, last)| format!("192.0.{third}.{last}")),
            (0..3_u8, 0..4_u8).prop_map(|(third, last)| format!("::ffff:192.0.{third}.{last}")),
            (0..3_u16, 0..4_u16).prop_map(|(third, last)| format!("2001:db8:{third:x}::{last:x}")),
            Just("255.255.255.255".to_owned()),
            Just("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".to_owned()),
        ]
    }

    /// Networks around and inside of prefixes, and addresses.
    fn network() -> impl Strategy<Value = String> {
        prop_oneof![
            (0..3_u8, any::<u8>()).prop_map(|(third, last)| format!("192.0.{third}.{last}")),
            (0..3_u8, any::<u8>(), 18..32_u32).prop_map(|(third, last, bits)| format!("192.0.{third}.{last}/{bits}")),
            (0..3_u16, 0..4_u16, 0..=128_u32).prop_map(|(third, last, bits)| format!("2001:db8:{third:x}::{last:x}/{bits}")),
            (0..3_u16, 0..4_u16).prop_map(|(third, last)| format!("2001:db8:{third:x}::{last:x}")),
            Just("255.255.255.0/24".to_owned()),
            Just("0.0.0.0/0".to_owned()),
            Just("::/0".to_owned()),
            Just("ff00::/8".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn phones_are_found_as_by_their_number(entries in proptest::collection::vec((phone(), ends()), 0..6), raw in phone(), at in 0..20_i64) {
            let entries: Vec<_> = entries.into_iter().map(|(phone, ends)| (EntityKind::Phone.normalise(&phone).into_owned(), ends)).collect();
            let list = list(EntityKind::Phone, &entries);
            prop_assert!(list.takes_stand_ins(&PHONE));
            agree(&list, &PHONE, &raw, at)?;
        }

        #[test]
        fn prefixes_are_found_as_by_the_number(
            entries in proptest::collection::vec((prop_oneof![Just("+20"), Just("+971"), Just("+1"), Just("+882")], ends()), 0..4),
            raw in phone(),
            at in 0..20_i64,
        ) {
            let entries: Vec<_> = entries.into_iter().map(|(prefix, ends)| (prefix.to_owned(), ends)).collect();
            let list = list(EntityKind::PhonePrefix, &entries);
            prop_assert!(list.takes_stand_ins(&PHONE));
            agree(&list, &PHONE, &raw, at)?;
        }

        #[test]
        fn addresses_are_found_as_by_themselves(entries in proptest::collection::vec((network(), ends()), 0..6), raw in ip(), at in 0..20_i64) {
            let list = list(EntityKind::Ip, &entries);
            prop_assume!(list.takes_stand_ins(&IP));
            agree(&list, &IP, &raw, at)?;
        }

        #[test]
        fn words_are_found_as_by_themselves(entries in proptest::collection::vec(("[ab]{1,2}", ends()), 0..6), raw in "[ab]{1,2}", at in 0..20_i64) {
            let list = list(EntityKind::Device, &entries);
            agree(&list, &[EntityKind::Device], &raw, at)?;
        }
    }

    #[rstest]
    #[case::networks_of_prefixes(EntityKind::Ip, &["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"], &IP, true)]
    #[case::one_address(EntityKind::Ip, &["192.0.2.7"], &IP, true)]
    #[case::part_of_a_prefix(EntityKind::Ip, &["192.0.2.0/26"], &IP, true)]
    #[case::all_addresses(EntityKind::Ip, &["::/0"], &IP, true)]
    #[case::the_last_prefixes(EntityKind::Ip, &["ff00::/8"], &IP, true)]
    #[case::too_many_addresses_apart(EntityKind::Ip, &["2001:db8::/64"], &IP, false)]
    #[case::country(EntityKind::PhonePrefix, &["+20"], &PHONE, true)]
    #[case::longer_than_what_is_shown(EntityKind::PhonePrefix, &["+20100"], &PHONE, false)]
    #[case::of_another_kind(EntityKind::User, &["u_1"], &[EntityKind::Device], false)]
    fn what_a_list_tells(#[case] kind: EntityKind, #[case] entries: &[&str], #[case] kinds: &[EntityKind], #[case] takes: bool) {
        let entries: Vec<_> = entries.iter().map(|entry| ((*entry).to_owned(), None)).collect();
        assert_eq!(list(kind, &entries).takes_stand_ins(kinds), takes);
    }

    /// The kinds above are those of the fields.
    #[test]
    fn fields_name_these_kinds() {
        let of = |event: EventType, name| field::find(event.fields(), name).expect("a field").1.entities;
        assert_eq!(of(EventType::OtpRequested, "phone"), PHONE);
        assert_eq!(of(EventType::LoginFailed, "ip"), IP);
    }
}
