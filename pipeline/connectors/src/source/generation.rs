//! Offsets of streams that may begin again: a followed file that is rotated or cut, a topic that is made again. Positions
//! begin at 0 then while offsets rise, so the higher bits count how often that happened:
//!
//! ```text
//! offset   63 ─ 44  generation: 0 at first, one more for each new beginning
//!          43 ─ 0   position: bytes of a file (16 TiB at most), offset in a partition
//! ```

const POSITION_BITS: u32 = 44;

pub(super) fn offset_of(generation: u64, position: u64) -> u64 {
    (generation << POSITION_BITS) | position
}

/// Generation and position.
pub(super) fn parts_of(offset: u64) -> (u64, u64) {
    (offset >> POSITION_BITS, offset & ((1 << POSITION_BITS) - 1))
}
