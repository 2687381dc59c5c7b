//! What a list holds, packed so that a million entries are found in a search and take some 24 bytes each.
//!
//! ```text
//! phones, phone prefixes   ranges of numbers: what begins with a prefix lies between two of them
//! addresses, networks      ranges of addresses, IPv4 and IPv6 apart
//! all else                 words by their hash
//! ```
//!
//! Ranges overlap where a network lies in another. They are cut into ranges that do not, each with the latest end of those around
//! it, so that one search tells whether an unexpired entry anywhere around a value holds it.

use std::hash::Hasher as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rasid_detectors::entity::{self, EntityKind};
use sha2::{Digest as _, Sha256};
use siphasher::sip::SipHasher13;

/// An end that never comes.
const NEVER: i64 = i64::MAX;
/// Most digits of a number that are told apart; E.164 has fifteen.
const DIGITS_MAX: usize = 18;

/// The entries of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Members {
    Words(Words),
    Phones(Ranges<u64>),
    Networks { v4: Ranges<u32>, v6: Ranges<u128> },
}

impl Default for Members {
    fn default() -> Self {
        Self::Words(Words::default())
    }
}

impl Members {
    /// No entries yet of a kind.
    pub(crate) fn of(kind: Option<EntityKind>) -> Self {
        match kind {
            Some(EntityKind::Phone | EntityKind::PhonePrefix) => Self::Phones(Ranges::default()),
            Some(EntityKind::Ip | EntityKind::IpPrefix) => Self::Networks { v4: Ranges::default(), v6: Ranges::default() },
            _ => Self::default(),
        }
    }

    /// Takes an entry as [`super::normalised`] writes it, which has a form that its kind can have; [`Members::pack`] ends this.
    pub(crate) fn push(&mut self, kind: Option<EntityKind>, value: &str, ends: Option<i64>) {
        let ends = ends.unwrap_or(NEVER);
        match self {
            Self::Words(words) => words.push(value, ends),
            Self::Phones(phones) => {
                if let Some((first, last)) = numbers(value) {
                    phones.push(first, if kind == Some(EntityKind::PhonePrefix) { last } else { first }, ends);
                }
            }
            Self::Networks { v4, v6 } => match network(value) {
                Some((IpAddr::V4(address), bits)) => {
                    let (first, last) = (address.to_bits(), address.to_bits() | u32::MAX.checked_shr(bits).unwrap_or(0));
                    v4.push(first, last, ends);
                }
                Some((IpAddr::V6(address), bits)) => {
                    let (first, last) = (address.to_bits(), address.to_bits() | u128::MAX.checked_shr(bits).unwrap_or(0));
                    v6.push(first, last, ends);
                }
                None => {}
            },
        }
    }

    /// Puts what was taken in order, so that it is found.
    pub(crate) fn pack(&mut self) {
        match self {
            Self::Words(words) => words.pack(),
            Self::Phones(phones) => phones.pack(),
            Self::Networks { v4, v6 } => {
                v4.pack();
                v6.pack();
            }
        }
    }

    /// Whether an entry that has not ended holds a value of an event.
    #[inline]
    pub(crate) fn holds(&self, kind: Option<EntityKind>, value: &str, at_ms: i64) -> bool {
        match (self, kind) {
            (Self::Words(words), None) => words.holds(value, at_ms),
            (Self::Words(words), Some(kind)) => words.holds(&kind.normalise(value), at_ms),
            (Self::Phones(phones), kind) => {
                let number = entity::e164(value);
                // What is not certainly a whole number begins with no prefix: nothing is shown of it either.
                let whole =
                    if kind == Some(EntityKind::PhonePrefix) { entity::is_whole_number(&number) } else { number.len() <= DIGITS_MAX + 1 };
                whole && numbers(&number).is_some_and(|(first, _)| phones.holds(first, at_ms))
            }
            (Self::Networks { v4, v6 }, kind) => {
                let holds = |address: IpAddr| match address.to_canonical() {
                    IpAddr::V4(address) => v4.holds(address.to_bits(), at_ms),
                    IpAddr::V6(address) => v6.holds(address.to_bits(), at_ms),
                };
                match value.parse::<IpAddr>() {
                    Ok(address) => holds(address),
                    // A prefix as alerts show it.
                    Err(_) if kind == Some(EntityKind::IpPrefix) => {
                        let address = value.split_once('/').map_or("", |(address, _)| address);
                        EntityKind::IpPrefix.normalise(address) == value && address.parse().is_ok_and(holds)
                    }
                    Err(_) => false,
                }
            }
        }
    }

    /// See [`super::List::each`].
    pub(crate) fn each(&self, kind: Option<EntityKind>, mut take: impl FnMut(&str, i64)) {
        match self {
            Self::Words(words) => words.index.iter().for_each(|word| take(said(&words.text, word), word.ends)),
            Self::Phones(_) if kind == Some(EntityKind::PhonePrefix) => {}
            Self::Phones(phones) => {
                for (first, last, ends) in &phones.0 {
                    (*first..=*last).filter_map(number).for_each(|number| take(&number, *ends));
                }
            }
            Self::Networks { v4, v6 } => {
                for (first, last, ends) in &v4.0 {
                    (*first..=*last).for_each(|bits| take(&Ipv4Addr::from_bits(bits).to_string(), *ends));
                }
                for (first, last, ends) in &v6.0 {
                    (*first..=*last).for_each(|bits| take(&Ipv6Addr::from_bits(bits).to_string(), *ends));
                }
            }
        }
    }

    /// See [`super::List::addresses`].
    pub(crate) fn addresses(&self) -> u128 {
        let Self::Networks { v4, v6 } = self else { return 0 };
        let of_v4 = v4.0.iter().map(|(first, last, _)| u128::from(last - first) + 1);
        of_v4.chain(v6.0.iter().map(|(first, last, _)| (last - first).saturating_add(1))).fold(0, u128::saturating_add)
    }

    /// How many entries there are, those that lie in others with as late an end left out.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Words(words) => words.index.len(),
            Self::Phones(phones) => phones.0.len(),
            Self::Networks { v4, v6 } => v4.0.len() + v6.0.len(),
        }
    }

    /// The same entries, the same digest, in whatever order and words they were written.
    pub(crate) fn digest(&self, hasher: &mut Sha256) {
        match self {
            Self::Words(words) => words.digest(hasher),
            Self::Phones(phones) => phones.digest(hasher),
            Self::Networks { v4, v6 } => {
                v4.digest(hasher);
                v6.digest(hasher);
            }
        }
    }
}

/// The first and the last of the numbers that begin with a number's digits; `None` where it has none, or too many for one.
///
/// A number is read as a fraction of base 11, in which 0 is the end of a number and each digit one more than it is: `+20` comes before all
/// that begins with it, and `+200` is another number.
pub(crate) fn numbers(e164: &str) -> Option<(u64, u64)> {
    let digits = e164.strip_prefix('+').filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let mut taken = digits.bytes().take(DIGITS_MAX);
    let (mut first, mut span) = (0_u64, 1_u64);
    for _ in 0..DIGITS_MAX {
        // 11^18 is less than 2^63.
        if let Some(digit) = taken.next() {
            first = first * 11 + u64::from(digit - b'0') + 1;
        } else {
            first *= 11;
            span *= 11;
        }
    }
    Some((first, first + span - 1))
}

/// The number that [`numbers`] reads so; `None` where there is none.
pub(super) fn number(mut first: u64) -> Option<String> {
    let mut digits = Vec::new();
    while first > 0 {
        digits.push(u8::try_from(first % 11).ok()?);
        first /= 11;
    }
    // What follows the end of a number is its end, too.
    let shown: Vec<u8> = digits.into_iter().rev().collect();
    let end = shown.iter().position(|digit| *digit == 0).unwrap_or(shown.len());
    let (number, rest) = shown.split_at_checked(end)?;
    let is_one = !number.is_empty() && shown.len() == DIGITS_MAX && rest.iter().all(|digit| *digit == 0);
    is_one.then(|| std::iter::once('+').chain(number.iter().map(|digit| char::from(b'0' + digit - 1))).collect())
}

/// Whether so many digits can be an entry.
pub(crate) fn fits(e164: &str) -> bool {
    e164.len() <= DIGITS_MAX + 1
}

/// The first address of a network and the bits that its addresses share; an address by itself shares all. `None`: neither.
/// What is IPv4 in the dress of IPv6 is IPv4.
pub(crate) fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => most,
        Some(bits) if !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
            bits.parse::<u32>().ok().filter(|bits| *bits <= most)?
        }
        Some(_) => return None,
    };
    let (address, bits) = match address.to_canonical() {
        IpAddr::V4(v4) if address.is_ipv6() && bits >= 96 => (IpAddr::V4(v4), bits - 96),
        // A network around all that is mapped holds no IPv4: `::/8`, of which no address is given out, is not everybody.
        _ => (address, bits),
    };
    Some((
        match address {
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & !u32::MAX.checked_shr(bits).unwrap_or(0)).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::MAX.checked_shr(bits).unwrap_or(0)).into()),
        },
        bits,
    ))
}

/// What ranges are made of.
pub(crate) trait Point: Copy + Ord {
    fn after(self) -> Option<Self>;
    fn before(self) -> Option<Self>;
    fn feed(self, hasher: &mut Sha256);
}

macro_rules! points {
    ($($number:ty),*) => {$(
        impl Point for $number {
            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }
            fn feed(self, hasher: &mut Sha256) {
                hasher.update(self.to_le_bytes());
            }
        }
    )*};
}
points!(u32, u64, u128);

/// From, to, and the end, ms since the Unix epoch.
pub(super) type Range<K> = (K, K, i64);

/// Ranges that do not overlap, in order. What goes in lies one in another or apart, as prefixes do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ranges<K>(Vec<Range<K>>);

impl<K> Default for Ranges<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Point> Ranges<K> {
    pub(super) fn push(&mut self, first: K, last: K, ends: i64) {
        self.0.push((first, last, ends));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Range<K>> {
        self.0.iter().copied()
    }

    fn pack(&mut self) {
        let mut given = std::mem::take(&mut self.0);
        given.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)));
        // Those around the place where the sweep is, the widest first; each ends later than those around it.
        let mut around: Vec<(K, i64)> = Vec::new();
        let mut open: Option<K> = None;
        for (first, last, ends) in given {
            open = self.close(&mut around, open, Some(first));
            if let Some((_, outer)) = around.last().copied() {
                if ends <= outer {
                    continue;
                }
                if let (Some(from), Some(to)) = (open, first.before()) {
                    self.emit(from, to, outer);
                }
            }
            open = Some(first);
            around.push((last, ends));
        }
        self.close(&mut around, open, None);
        self.0.shrink_to_fit();
    }

    /// Gives out what ends before a place, or all; where what is left goes on.
    fn close(&mut self, around: &mut Vec<(K, i64)>, mut open: Option<K>, before: Option<K>) -> Option<K> {
        while let Some((last, ends)) = around.pop_if(|(last, _)| before.is_none_or(|before| *last < before)) {
            if let Some(from) = open {
                self.emit(from, last, ends);
            }
            open = last.after();
        }
        open
    }

    fn emit(&mut self, first: K, last: K, ends: i64) {
        if first > last {
            return;
        }
        match self.0.last_mut() {
            Some((_, to, before)) if *before == ends && to.after() == Some(first) => *to = last,
            _ => self.0.push((first, last, ends)),
        }
    }

    #[inline]
    pub(super) fn holds(&self, point: K, at_ms: i64) -> bool {
        let behind = self.0.partition_point(|(first, ..)| *first <= point);
        let found = behind.checked_sub(1).and_then(|index| self.0.get(index));
        found.is_some_and(|(_, last, ends)| point <= *last && at_ms < *ends)
    }

    fn digest(&self, hasher: &mut Sha256) {
        hasher.update((self.0.len() as u64).to_le_bytes());
        for (first, last, ends) in &self.0 {
            first.feed(hasher);
            last.feed(hasher);
            hasher.update(ends.to_le_bytes());
        }
    }
}

/// Texts, one behind the other, and where each stands, ordered by hash.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Words {
    text: String,
    index: Vec<Word>,
}

#[derive(Clone, Copy, PartialEq)]
struct Word {
    hash: u64,
    start: u32,
    end: u32,
    ends: i64,
}

impl Words {
    fn push(&mut self, word: &str, ends: i64) {
        let place = |at: usize| u32::try_from(at).expect("files are bounded far below 4 GiB");
        let start = place(self.text.len());
        self.text.push_str(word);
        self.index.push(Word { hash: hash(word), start, end: place(self.text.len()), ends });
    }

    fn pack(&mut self) {
        let text = &self.text;
        self.index
            .sort_unstable_by(|a, b| a.hash.cmp(&b.hash).then_with(|| said(text, a).cmp(said(text, b))).then_with(|| b.ends.cmp(&a.ends)));
        // Of those that are equal the one that ends last is first.
        self.index.dedup_by(|next, first| next.hash == first.hash && said(text, next) == said(text, first));
        self.index.shrink_to_fit();
        self.text.shrink_to_fit();
    }

    #[inline]
    fn holds(&self, word: &str, at_ms: i64) -> bool {
        let wanted = hash(word);
        let from = self.index.partition_point(|other| other.hash < wanted);
        let mut found = self.index.iter().skip(from).take_while(|other| other.hash == wanted);
        found.any(|other| at_ms < other.ends && said(&self.text, other) == word)
    }

    fn digest(&self, hasher: &mut Sha256) {
        for word in &self.index {
            hasher.update((u64::from(word.end) - u64::from(word.start)).to_le_bytes());
            hasher.update(said(&self.text, word).as_bytes());
            hasher.update(word.ends.to_le_bytes());
        }
    }
}

/// How many, never which: they may be personal.
impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Words({})", self.index.len())
    }
}

fn said<'a>(text: &'a str, word: &Word) -> &'a str {
    text.get(word.start as usize..word.end as usize).unwrap_or_default()
}

/// The same on every machine and of every version: the order of the words goes into the list's digest.
fn hash(word: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(word.as_bytes());
    hasher.finish()
}
