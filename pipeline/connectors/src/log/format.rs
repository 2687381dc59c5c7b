//! The bytes of a segment; the drawing is in [`super`].

use twox_hash::XxHash3_64;

use crate::seal::{Day, Kind, Nonce, TAG_BYTES};

pub(super) const VERSION: u32 = 1;
const BLOCK_MAGIC: &[u8; 4] = b"RBLK";
const CHECKSUM_BYTES: usize = 8;
/// The clear part of a segment's header.
pub(super) const SEGMENT_FIXED: usize = 52;
/// The clear part of a block.
pub(super) const BLOCK_FIXED: usize = 48;
/// Most bytes of a block's entries. No batch comes near it; it keeps every length within 32 bits.
pub(super) const PLAIN_MAX: usize = 1 << 30;
const SUFFIX: &str = ".seg";
const NAME_DIGITS: usize = 20;

/// Which log a segment belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) magic: [u8; 8],
    /// As messages call it.
    pub(super) name: &'static str,
}

pub(super) const LOG: Format = Format { magic: *b"RASIDLOG", name: "the log" };
pub(super) const DEAD_LETTERS: Format = Format { magic: *b"RASIDDLQ", name: "the dead letters" };

/// The file of the segment that begins with `first`.
pub(super) fn path(dir: &str, first: u64) -> String {
    format!("{dir}/{first:0NAME_DIGITS$}{SUFFIX}")
}

/// First position of the segment with that file name.
pub(super) fn first_of(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX).filter(|digits| digits.len() == NAME_DIGITS)?.parse().ok()
}

/// The clear part of a segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHead {
    pub(super) first: u64,
    /// First position of the segment before it; 0: there was none.
    pub(super) previous: u64,
    pub(super) created_ms: i64,
    pub(super) day: Day,
    /// Length of the sealed part.
    pub(super) sealed: u32,
}

/// The clear part of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHead {
    /// Length of the sealed part.
    pub(super) sealed: u32,
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) day: Day,
    /// When it was appended, Unix ms.
    pub(super) at_ms: i64,
    /// All of the segment before this byte was durable when the block was written.
    pub(super) durable: u64,
}

/// What bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<T> {
    /// Whole and unchanged; so many bytes in all.
    Whole(T, usize),
    /// So far right, but more bytes are needed: so many in all.
    Short(usize),
    /// None.
    Wrong(&'static str),
}

/// Why a file is no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSegment {
    Foreign,
    Newer(u32),
    /// It ends within the header; so many bytes are needed.
    Short(usize),
    Damaged(&'static str),
}

impl SegmentHead {
    /// The bytes that the sealed part is bound to: all of the clear part but the checksum.
    pub(super) fn bound(&self, format: Format) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_FIXED);
        bytes.extend_from_slice(&format.magic);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.previous.to_le_bytes());
        bytes.extend_from_slice(&self.created_ms.to_le_bytes());
        bytes.extend_from_slice(&self.day.0.to_le_bytes());
        bytes.extend_from_slice(&self.sealed.to_le_bytes());
        bytes
    }

    pub(super) fn nonce(&self) -> Nonce {
        Nonce::new(Kind::Header, self.first, 0)
    }

    /// Reads the header of a segment, and how long it is with its sealed part.
    pub(super) fn parse(bytes: &[u8], format: Format) -> Result<(Self, usize), NoSegment> {
        let mut fields = Fields(bytes);
        let Some(magic) = fields.take::<8>() else {
            let begins = format.magic.starts_with(bytes);
            return Err(if begins { NoSegment::Short(SEGMENT_FIXED) } else { NoSegment::Foreign });
        };
        if magic != format.magic {
            return Err(NoSegment::Foreign);
        }
        // Before anything else is believed: a newer version may have another header.
        let version = fields.u32().ok_or(NoSegment::Short(SEGMENT_FIXED))?;
        if version > VERSION {
            return Err(NoSegment::Newer(version));
        }
        let head = (|| {
            let (first, previous) = (fields.u64()?, fields.u64()?);
            let (created_ms, day) = (i64::from_le_bytes(fields.take()?), Day(i32::from_le_bytes(fields.take()?)));
            Some(Self { first, previous, created_ms, day, sealed: fields.u32()? })
        })();
        let (Some(head), Some(checksum)) = (head, fields.u64()) else { return Err(NoSegment::Short(SEGMENT_FIXED)) };
        let length = SEGMENT_FIXED + head.sealed as usize;
        let sealed = bytes.get(SEGMENT_FIXED..length).ok_or(NoSegment::Short(length))?;
        if checksum != checksum_of(bytes.get(..SEGMENT_FIXED - CHECKSUM_BYTES).unwrap_or_default(), sealed) {
            return Err(NoSegment::Damaged("the header does not match its checksum"));
        }
        Ok((head, length))
    }
}

/// Whether a header is whole once it says our version.
pub(super) fn is_ours_but_for_the_version(bytes: &[u8], format: Format) -> bool {
    let mut ours = bytes.to_vec();
    let Some(version) = ours.get_mut(format.magic.len()..).and_then(<[u8]>::first_chunk_mut) else { return false };
    *version = VERSION.to_le_bytes();
    SegmentHead::parse(&ours, format).is_ok()
}

impl BlockHead {
    /// The bytes that the sealed part is bound to: all of the clear part but the checksum.
    pub(super) fn bound(&self) -> [u8; BLOCK_FIXED - CHECKSUM_BYTES] {
        let mut bytes = [0; BLOCK_FIXED - CHECKSUM_BYTES];
        let fields = BLOCK_MAGIC
            .iter()
            .copied()
            .chain(self.sealed.to_le_bytes())
            .chain(self.first.to_le_bytes())
            .chain(self.count.to_le_bytes())
            .chain(self.day.0.to_le_bytes())
            .chain(self.at_ms.to_le_bytes())
            .chain(self.durable.to_le_bytes());
        bytes.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = byte);
        bytes
    }

    pub(super) fn nonce(&self) -> Nonce {
        Nonce::new(Kind::Block, self.first, 0)
    }

    /// The position after its last entry.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    /// Reads the block that `bytes` begins with.
    pub(super) fn parse(bytes: &[u8]) -> Parsed<Self> {
        let mut fields = Fields(bytes);
        let magic = fields.take::<4>();
        if magic.is_some_and(|magic| magic != *BLOCK_MAGIC) {
            return Parsed::Wrong("no block begins here");
        }
        let head = (|| {
            let (sealed, first, count) = (fields.u32()?, fields.u64()?, fields.u32()?);
            let (day, at_ms) = (Day(i32::from_le_bytes(fields.take()?)), i64::from_le_bytes(fields.take()?));
            Some(Self { sealed, first, count, day, at_ms, durable: fields.u64()? })
        })();
        let (Some(head), Some(checksum)) = (head, fields.u64()) else { return Parsed::Short(BLOCK_FIXED) };
        if head.sealed as usize > PLAIN_MAX + TAG_BYTES {
            return Parsed::Wrong("the block's length is impossible");
        }
        let length = BLOCK_FIXED + head.sealed as usize;
        let Some(sealed) = bytes.get(BLOCK_FIXED..length) else { return Parsed::Short(length) };
        if checksum != checksum_of(bytes.get(..BLOCK_FIXED - CHECKSUM_BYTES).unwrap_or_default(), sealed) {
            return Parsed::Wrong("the block does not match its checksum");
        }
        Parsed::Whole(head, length)
    }
}

/// XXH3-64 of the sealed part, seeded with that of the clear part, so that neither need be copied beside the other.
pub(super) fn checksum_of(bound: &[u8], sealed: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(bound), sealed)
}

/// Whether bytes that begin at `offset` of a segment, and not with a whole block, were durable once: a whole block
/// follows that was written when they were. A crash tears only what was not, though it may do so in the middle.
pub(super) fn was_durable(bytes: &[u8], offset: u64) -> bool {
    memchr::memmem::find_iter(bytes, BLOCK_MAGIC).any(|at| {
        matches!(BlockHead::parse(bytes.get(at..).unwrap_or_default()),
            Parsed::Whole(head, _) if at > 0 && head.durable > offset)
    })
}

/// Where blocks may begin in `bytes`.
pub(super) fn block_begins(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr::memmem::find_iter(bytes, BLOCK_MAGIC)
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
