//! What of a folder of segments is whole, and what is damaged. It only reads, file by file, and goes on behind damage at the
//! next block that is whole: a block's head says where it belongs, and its checksum and seal that it is what was written.

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;

use super::entry::{self, decode};
use super::format::{self, BLOCK_FIXED, BlockHead, Format, NoSegment, Parsed, SEGMENT_FIXED, SegmentHead};
use super::segments::list;
use super::{Control, Entry, Error, Known, Letter};
use crate::seal::{self, Keyring};
use crate::storage::Storage;

/// Positions, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Positions {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Positions {
    /// Those before `end`; `None` where there are none.
    pub(super) fn until(first: u64, end: u64) -> Option<Self> {
        (first < end).then(|| Self { first, last: end - 1 })
    }

    /// How many.
    pub fn count(self) -> u64 {
        self.last - self.first + 1
    }
}

/// A place in a file that is not what was written there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where it begins.
    pub offset: u64,
    /// How many bytes cannot be read there; 0 where some are missing.
    pub bytes: u64,
    /// The positions that were there: those between the whole blocks before and behind it. `None`: nothing is lost by it.
    pub positions: Option<Positions>,
    /// What is wrong.
    pub reason: String,
}

/// Bytes behind the last whole block of the newest segment: what a crash tore, never acknowledged; the next start cuts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TornTail {
    /// Where they begin.
    pub offset: u64,
    /// How many.
    pub bytes: u64,
}

/// A segment, gone through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// The file.
    pub path: String,
    /// There is no such file, though its neighbours say that there was.
    pub missing: bool,
    /// Its length.
    pub bytes: u64,
    /// The positions in it, lost ones included; `None`: none yet.
    pub positions: Option<Positions>,
    /// What is damaged, in order.
    pub damage: Vec<Damage>,
    /// What a crash left at its end.
    pub torn_tail: Option<TornTail>,
    /// Entries that were lost and mended before.
    pub lost_before: u64,
}

impl Segment {
    /// Whether nothing needs mending.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty() && !self.missing
    }

    /// The positions that are lost in it.
    pub fn lost(&self) -> impl Iterator<Item = Positions> + '_ {
        self.damage.iter().filter_map(|damage| damage.positions)
    }
}

/// What a log of some kind holds, as far as mending must know.
pub(super) trait Content {
    /// Takes a header's summary.
    fn summary(&mut self, bytes: &[u8]) -> Result<(), &'static str>;
    /// Takes a block; how many of its entries are placeholders of lost ones.
    fn block(&mut self, head: &BlockHead, plain: &[u8]) -> Result<u64, &'static str>;
    /// The summary of all that was taken.
    fn stored(&self) -> Result<Vec<u8>, Error>;
    /// So many placeholders.
    fn lost(&self, count: u32) -> Result<Vec<u8>, Error>;
    /// Hashes of the rulesets that are named.
    fn rulesets(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

/// Of the log.
#[derive(Default)]
pub(super) struct LogContent {
    known: Known,
    rulesets: BTreeSet<String>,
}

impl Content for LogContent {
    fn summary(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.known = Known::read(bytes).map_err(|_| "the summary does not decode")?;
        self.rulesets.extend(self.known.ruleset.as_ref().map(|switched| switched.ruleset.clone()));
        Ok(())
    }

    fn block(&mut self, head: &BlockHead, plain: &[u8]) -> Result<u64, &'static str> {
        if decode::<Entry<'_>>(plain).count() != head.count as usize {
            return Err("an entry does not decode");
        }
        let mut lost = 0;
        for (position, entry) in (head.first..).zip(decode::<Entry<'_>>(plain)) {
            lost += u64::from(matches!(entry, Entry::Control(Control::Lost)));
            if let Entry::Control(Control::Switch { ruleset, .. }) = &entry {
                self.rulesets.insert(ruleset.clone());
            }
            self.known.take(position, &entry);
        }
        Ok(lost)
    }

    fn stored(&self) -> Result<Vec<u8>, Error> {
        self.known.stored()
    }

    fn lost(&self, count: u32) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        (0..count).try_for_each(|_| entry::encode(&Entry::Control(Control::Lost), &mut plain))?;
        Ok(plain)
    }

    fn rulesets(&self) -> BTreeSet<String> {
        self.rulesets.clone()
    }
}

/// Of the dead letters: the newest position that was set aside.
#[derive(Default)]
pub(super) struct LetterContent(u64);

impl Content for LetterContent {
    fn summary(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.0 = postcard::from_bytes(bytes).map_err(|_| "the summary does not decode")?;
        Ok(())
    }

    fn block(&mut self, head: &BlockHead, plain: &[u8]) -> Result<u64, &'static str> {
        if decode::<Letter<'_>>(plain).count() != head.count as usize {
            return Err("a letter does not decode");
        }
        self.0 = decode::<Letter<'_>>(plain).map(|letter| letter.position).fold(self.0, u64::max);
        Ok(decode::<Letter<'_>>(plain).filter(Letter::is_lost).count() as u64)
    }

    fn stored(&self) -> Result<Vec<u8>, Error> {
        postcard::to_stdvec(&self.0).map_err(Error::Encode)
    }

    fn lost(&self, count: u32) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        (0..count).try_for_each(|_| entry::encode(&Letter::LOST, &mut plain))?;
        Ok(plain)
    }
}

/// What a segment is made of, in the order of positions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece {
    /// A whole block, as so many bytes of the file.
    Whole { head: BlockHead, offset: usize, length: usize },
    /// Nothing that can be read.
    Lost(Positions),
}

/// A segment gone through, with what it takes to mend it.
pub(super) struct Scanned {
    pub(super) first: u64,
    pub(super) segment: Segment,
    /// Its header, where it is whole, and how long it is.
    pub(super) header: Option<(SegmentHead, usize)>,
    /// What the header should say of all before it.
    pub(super) summary: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
    /// The position after its last.
    pub(super) end: u64,
}

/// Goes through the folder. `committed`: a position that was there for certain.
pub(super) fn scan(
    storage: &dyn Storage,
    dir: &str,
    keys: &Keyring,
    format: Format,
    committed: u64,
    content: &mut dyn Content,
) -> Result<Vec<Scanned>, Error> {
    let firsts = list(storage, dir)?;
    let heads: Vec<Option<SegmentHead>> = firsts.iter().map(|first| clear_head(storage, dir, *first, format)).collect::<Result<_, _>>()?;
    let mut scanned: Vec<Scanned> = Vec::new();
    let mut scan = Scan { storage, dir, keys, format, committed, is_before_ours: false, content };
    for (index, first) in firsts.iter().enumerate() {
        scan.is_before_ours = heads.iter().skip(index + 1).any(Option::is_some);
        let next = firsts.get(index + 1).copied();
        let named = heads.get(index + 1).copied().flatten().map(|head| head.previous);
        // The next one may name a segment between the two that is gone.
        let missing = named.filter(|previous| previous > first && next.is_some_and(|next| *previous < next));
        let before = scanned.last().map(|before| before.first);
        let one = scan.segment(*first, before, missing.or(next))?;
        scanned.push(one);
        if let (Some(missing), Some(next)) = (missing, next) {
            let one = scan.missing(missing, next)?;
            scanned.push(one);
        }
    }
    Ok(scanned)
}

/// The clear part of a header, unless it is damaged.
fn clear_head(storage: &dyn Storage, dir: &str, first: u64, format: Format) -> Result<Option<SegmentHead>, Error> {
    match super::segments::read_head(storage, dir, first, format) {
        Ok((head, _)) => Ok(Some(head)),
        Err(Error::Storage { path, source }) => Err(Error::Storage { path, source }),
        Err(_) => Ok(None),
    }
}

struct Scan<'a> {
    storage: &'a dyn Storage,
    dir: &'a str,
    keys: &'a Keyring,
    format: Format,
    committed: u64,
    /// Behind the segment that is looked at comes one that this version, or one before it, wrote.
    is_before_ours: bool,
    content: &'a mut dyn Content,
}

impl Scan<'_> {
    /// A segment that is not there.
    fn missing(&mut self, first: u64, end: u64) -> Result<Scanned, Error> {
        let positions = Positions::until(first, end);
        let reason = "the file is missing".to_owned();
        let segment = Segment {
            path: format::path(self.dir, first),
            missing: true,
            bytes: 0,
            positions,
            damage: vec![Damage { offset: 0, bytes: 0, positions, reason }],
            torn_tail: None,
            lost_before: 0,
        };
        let pieces = positions.into_iter().map(Piece::Lost).collect();
        Ok(Scanned { first, segment, header: None, summary: self.content.stored()?, pieces, end })
    }

    /// One that is there, whose positions end where the next one begins; the newest has no `until`.
    fn segment(&mut self, first: u64, before: Option<u64>, until: Option<u64>) -> Result<Scanned, Error> {
        let path = format::path(self.dir, first);
        let bytes = self.storage.read(&path).map_err(|source| Error::Storage { path: path.clone(), source })?;
        let summary = self.content.stored()?;
        let mut walk = Walk { next: first, until, ..Walk::default() };
        let header = match self.header(&bytes, first, before)? {
            Ok((head, length)) => {
                walk.offset = length;
                Some((head, length))
            }
            // The crash came while it was made: the next start makes it anew.
            Err(Unfit { cut_short: true, .. }) if until.is_none() && self.is_half_made(&bytes, first, before) => {
                let torn_tail = Some(TornTail { offset: 0, bytes: bytes.len() as u64 });
                let length = bytes.len() as u64;
                let segment =
                    Segment { path, missing: false, bytes: length, positions: None, damage: Vec::new(), torn_tail, lost_before: 0 };
                return Ok(Scanned { first, segment, header: None, summary, pieces: Vec::new(), end: first });
            }
            Err(Unfit { reason, .. }) => {
                let found = self.next_whole(&bytes, 0, &walk, false)?;
                // What is left of the header; blocks that are gone with it are found below, as a gap before the next one.
                walk.offset = found.map_or(bytes.len(), |(offset, ..)| offset);
                walk.damage.push(Damage { offset: 0, bytes: walk.offset as u64, positions: None, reason });
                None
            }
        };
        self.blocks(&bytes, &mut walk)?;
        let Walk { next, pieces, damage, torn_tail, lost_before, .. } = walk;
        let segment = Segment {
            path,
            missing: false,
            bytes: bytes.len() as u64,
            positions: Positions::until(first, next),
            damage,
            torn_tail,
            lost_before,
        };
        Ok(Scanned { first, segment, header, summary, pieces, end: next })
    }

    /// The newest, without a header and without a block that says that there was one.
    fn is_half_made(&self, bytes: &[u8], first: u64, before: Option<u64>) -> bool {
        !format::was_durable(bytes, 0) && self.committed < first && (first == 1 || before.is_some())
    }

    /// The header, with what it says of all before it taken; or what is wrong with it.
    fn header(&mut self, bytes: &[u8], first: u64, before: Option<u64>) -> Result<Result<(SegmentHead, usize), Unfit>, Error> {
        let unfit = |reason: String| Ok(Err(Unfit { reason, cut_short: false }));
        let (head, length) = match SegmentHead::parse(bytes, self.format) {
            Ok(parsed) => parsed,
            Err(NoSegment::Newer(version)) if !self.is_ours(bytes, first)? => {
                return Err(Error::Newer { path: format::path(self.dir, first), version, known: format::VERSION });
            }
            Err(NoSegment::Foreign) => return unfit(format!("it does not begin as {} does", self.format.name)),
            Err(NoSegment::Newer(version)) => return unfit(format!("its header says version {version}")),
            Err(NoSegment::Short(_)) => return Ok(Err(Unfit { reason: "it ends within its header".to_owned(), cut_short: true })),
            Err(NoSegment::Damaged(reason)) => return Ok(Err(Unfit { reason: reason.to_owned(), cut_short: true })),
        };
        if head.first != first {
            return unfit("the header names another position than the file".to_owned());
        }
        if before.is_some_and(|before| before != head.previous) {
            return unfit(format!("its header names {} as the segment before it", head.previous));
        }
        let mut plain = bytes.get(SEGMENT_FIXED..length).unwrap_or_default().to_vec();
        match self.keys.unseal(head.day, head.nonce(), &head.bound(self.format), &mut plain) {
            Ok(()) => match self.content.summary(&plain) {
                Ok(()) => Ok(Ok((head, length))),
                Err(reason) => unfit(reason.to_owned()),
            },
            Err(error) => unfit(unsealed(error)?),
        }
    }

    /// Whether a segment whose header says a newer version is not one: versions only rise, a newer one's checksum is over its
    /// own number, and no block of ours stands in it. Its header may be longer, and its blocks others.
    fn is_ours(&self, bytes: &[u8], first: u64) -> Result<bool, Error> {
        Ok(self.is_before_ours
            || format::is_ours_but_for_the_version(bytes, self.format)
            || self.next_whole(bytes, 0, &Walk { next: first, ..Walk::default() }, false)?.is_some())
    }

    fn blocks(&mut self, bytes: &[u8], walk: &mut Walk) -> Result<(), Error> {
        loop {
            let rest = bytes.get(walk.offset..).unwrap_or_default();
            let reason = match self.whole(rest, walk)? {
                Ok((head, length, lost)) => {
                    walk.lost_before += lost;
                    walk.pieces.push(Piece::Whole { head, offset: walk.offset, length });
                    (walk.offset, walk.next) = (walk.offset + length, head.end());
                    continue;
                }
                Err(reason) => reason,
            };
            let was_there = walk.until.is_some() || self.committed >= walk.next || matches!(BlockHead::parse(rest), Parsed::Whole(..));
            if !rest.is_empty() && !was_there && !format::was_durable(rest, walk.offset as u64) {
                walk.torn_tail = Some(TornTail { offset: walk.offset as u64, bytes: rest.len() as u64 });
                return Ok(());
            }
            let found = self.next_whole(bytes, walk.offset, walk, true)?;
            let (offset, first) = match found {
                Some((offset, head)) => (offset, head.first),
                None => (bytes.len(), walk.until.unwrap_or_else(|| named_end(rest).max(self.committed + 1)).max(walk.next)),
            };
            let positions = Positions::until(walk.next, first);
            if offset > walk.offset || positions.is_some() {
                let reason = if rest.is_empty() { "blocks are missing at its end".to_owned() } else { reason };
                walk.damage.push(Damage { offset: walk.offset as u64, bytes: (offset - walk.offset) as u64, positions, reason });
                walk.pieces.extend(positions.map(Piece::Lost));
            }
            (walk.offset, walk.next) = (offset, first);
            if found.is_none() {
                return Ok(());
            }
        }
    }

    /// The block that `rest` begins with, its length and how many placeholders are in it; or why it is not the next one.
    fn whole(&mut self, rest: &[u8], walk: &Walk) -> Result<Result<(BlockHead, usize, u64), String>, Error> {
        let (head, length) = match BlockHead::parse(rest) {
            Parsed::Whole(head, length) => (head, length),
            Parsed::Short(_) => return Ok(Err("the block does not end".to_owned())),
            Parsed::Wrong(reason) => return Ok(Err(reason.to_owned())),
        };
        if head.first != walk.next || walk.until.is_some_and(|until| head.end() > until) {
            return Ok(Err("the block belongs to another position".to_owned()));
        }
        match self.opened(rest, &head, length)? {
            Ok(plain) => Ok(self.content.block(&head, &plain).map(|lost| (head, length, lost)).map_err(str::to_owned)),
            Err(reason) => Ok(Err(reason)),
        }
    }

    fn opened(&self, rest: &[u8], head: &BlockHead, length: usize) -> Result<Result<Vec<u8>, String>, Error> {
        let mut plain = rest.get(BLOCK_FIXED..length).unwrap_or_default().to_vec();
        match self.keys.unseal(head.day, head.nonce(), &head.bound(), &mut plain) {
            Ok(()) => Ok(Ok(plain)),
            Err(error) => Ok(Err(unsealed(error)?)),
        }
    }

    /// The next whole block at or behind `from` that can stand in this segment, and can be opened. `refused`: the one at `from`
    /// is not it, if it is the one that was expected there.
    fn next_whole(&self, bytes: &[u8], from: usize, walk: &Walk, refused: bool) -> Result<Option<(usize, BlockHead)>, Error> {
        let rest = bytes.get(from..).unwrap_or_default();
        for at in format::block_begins(rest) {
            let candidate = rest.get(at..).unwrap_or_default();
            let Parsed::Whole(head, length) = BlockHead::parse(candidate) else { continue };
            let stands_here = head.first >= walk.next && head.count > 0 && walk.until.is_none_or(|until| head.end() <= until);
            let was_refused = refused && at == 0 && head.first == walk.next;
            if stands_here && !was_refused && self.opened(candidate, &head, length)?.is_ok() {
                return Ok(Some((from + at, head)));
            }
        }
        Ok(None)
    }
}

/// Where the blocks end whose heads can be read, though they cannot be opened; 0: there are none.
fn named_end(rest: &[u8]) -> u64 {
    let heads = format::block_begins(rest).filter_map(|at| match BlockHead::parse(rest.get(at..).unwrap_or_default()) {
        Parsed::Whole(head, _) => Some(head.end()),
        _ => None,
    });
    heads.max().unwrap_or(0)
}

/// Why a header is not one, and whether a crash may have cut it short.
struct Unfit {
    reason: String,
    cut_short: bool,
}

/// Where a walk along the blocks stands, and what it has found.
#[derive(Default)]
struct Walk {
    offset: usize,
    next: u64,
    until: Option<u64>,
    pieces: Vec<Piece>,
    damage: Vec<Damage>,
    torn_tail: Option<TornTail>,
    lost_before: u64,
}

/// Why something cannot be opened, where that is damage; another secret, or a disk that does not answer, is an error.
fn unsealed(error: seal::Error) -> Result<String, Error> {
    match error {
        seal::Error::Damaged { .. } | seal::Error::RetentionEnded { .. } | seal::Error::Unauthentic { .. } => Ok(error.to_string()),
        seal::Error::Storage { source, .. } if source.kind() == io::ErrorKind::NotFound => Ok("its day's key is gone".to_owned()),
        error => Err(Error::Seal(error)),
    }
}
