//! Numbers handed over piece by piece, in several messages of one sender.
//!
//! ```text
//! State    64 bytes a key: up to 28 digits as nibbles, and for each of up to 12 pieces its length, its age and
//!          whether a plus stood before it. Nothing else of any message is kept.
//! Admit    a message with one run of 1–10 digits, few words, none of them a measure, a price or an order
//! Join     whole pieces, newest backwards, when together they are exactly one number
//! ```

use serde::{Deserialize, Serialize};

use super::lexicon::{LOWER, UNIT};
use super::normalise::{Kind, Text};
use super::numbers::{self, Digits, Group, Reading};
use super::phone::{self, Phone};

const PIECES_MAX: usize = 12;
const DIGITS_MAX: usize = 28;
/// Words of a message that hands over a piece.
const WORDS_MAX: usize = 7;
/// Digits of one piece: with more it is a number of its own.
const PIECE_DIGITS_MAX: usize = 10;

/// The pieces that a sender has written lately.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Pieces {
    newest_ms: i64,
    /// Two digits a byte, oldest piece first.
    nibbles: [u8; DIGITS_MAX / 2],
    /// Length in the low nibble, plus sign in bit 7.
    lengths: [u8; PIECES_MAX],
    /// Seconds before `newest_ms`.
    ages_s: [u16; PIECES_MAX],
    count: u8,
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Digits of one message that may belong to a longer number.
pub(super) struct Piece {
    digits: Digits,
    plus: bool,
}

/// The piece that a message hands over, if it looks like one.
pub(super) fn piece(text: &Text) -> Option<Piece> {
    if text.classes & (LOWER | UNIT) != 0 {
        return None;
    }
    let words = text.tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Mixed) && !token.lex.is_number()).count();
    if words > WORDS_MAX {
        return None;
    }
    let groups = numbers::groups(text, Reading { compounds: true, letters: false });
    let mut best: Option<Piece> = None;
    let mut rest = groups.as_slice();
    let mut runs = 0;
    while let Some(first) = rest.first() {
        let length = 1 + rest.iter().skip(1).take_while(|group| group.gap.words == 0).count();
        let (run, after) = rest.split_at(length);
        rest = after;
        if is_measure(run) {
            return None;
        }
        let digits: Digits = run.iter().flat_map(|group| group.digits.iter().copied()).take(PIECE_DIGITS_MAX + 1).collect();
        runs += usize::from(digits.len() > 1);
        if best.as_ref().is_none_or(|best| best.digits.len() < digits.len()) {
            best = Some(Piece { digits, plus: first.gap.plus });
        }
    }
    best.filter(|piece| runs <= 1 && piece.digits.len() <= PIECE_DIGITS_MAX)
}

/// Clock times, sizes, decimals, ranges with a slash: things that are measured.
fn is_measure(run: &[Group]) -> bool {
    matches!(run, [_, second] if second.gap.soft == 1 && matches!(second.gap.mark, ':' | '*' | '/' | '.' | ',' | '٫' | '٬'))
}

impl Pieces {
    /// Forgets all pieces.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds a piece and returns the number that it completes, with the number of messages that it took.
    ///
    /// A piece older than the newest counts as written together with it, in order of arrival: order is all that
    /// joining needs.
    pub(super) fn add(&mut self, piece: &Piece, at_ms: i64, span_s: u32) -> Option<(Phone, usize)> {
        let mut kept = self.read();
        let elapsed_s = u32::try_from((at_ms - self.newest_ms).max(0) / 1000).unwrap_or(u32::MAX);
        if kept.is_empty() || at_ms > self.newest_ms {
            self.newest_ms = at_ms;
        }
        for old in &mut kept {
            old.age_s = old.age_s.saturating_add(elapsed_s);
        }
        kept.retain(|old| old.age_s <= span_s && u16::try_from(old.age_s).is_ok());
        kept.push(Kept { digits: piece.digits.clone(), plus: piece.plus, age_s: 0 });
        while kept.len() > PIECES_MAX || kept.iter().map(|piece| piece.digits.len()).sum::<usize>() > DIGITS_MAX {
            kept.remove(0);
        }
        let found = (0..kept.len().saturating_sub(1)).find_map(|start| {
            let pieces = kept.get(start..)?;
            let digits: Digits = pieces.iter().flat_map(|piece| piece.digits.iter().copied()).collect();
            phone::joined(&digits, pieces.first()?.plus).map(|phone| (phone, pieces.len()))
        });
        if found.is_some() {
            self.clear();
        } else {
            self.write(&kept);
        }
        found
    }

    fn read(&self) -> Vec<Kept> {
        let nibble = |at: usize| self.nibbles.get(at / 2).map_or(0, |byte| if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 });
        let mut at = 0;
        let pieces = self.lengths.iter().zip(&self.ages_s).take(self.count.into());
        pieces
            .map(|(length, age_s)| {
                let start = at;
                at += usize::from(length & 15);
                Kept { digits: (start..at).map(nibble).collect(), plus: length & 128 != 0, age_s: u32::from(*age_s) }
            })
            .collect()
    }

    fn write(&mut self, kept: &[Kept]) {
        self.nibbles = [0; DIGITS_MAX / 2];
        for (at, digit) in kept.iter().flat_map(|piece| piece.digits.iter()).enumerate() {
            if let Some(byte) = self.nibbles.get_mut(at / 2) {
                *byte |= if at % 2 == 0 { digit << 4 } else { *digit };
            }
        }
        self.count = 0;
        for ((piece, length), age_s) in kept.iter().zip(&mut self.lengths).zip(&mut self.ages_s) {
            *length = u8::try_from(piece.digits.len()).unwrap_or(0) | if piece.plus { 128 } else { 0 };
            *age_s = u16::try_from(piece.age_s).unwrap_or(u16::MAX);
            self.count += 1;
        }
    }
}

struct Kept {
    digits: Digits,
    plus: bool,
    age_s: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_small_and_shows_nothing() {
        assert!(size_of::<Pieces>() <= 64);
        let mut pieces = Pieces::default();
        let piece = piece(&Text::new("0105")).expect("a piece");
        assert!(pieces.add(&piece, 0, 600).is_none());
        assert_eq!(format!("{pieces:?}"), "Pieces { count: 1, .. }");
    }
}
