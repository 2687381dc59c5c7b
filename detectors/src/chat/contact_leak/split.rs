//! Numbers handed over piece by piece, in several messages of one sender.
//!
//! ```text
//! State    112 bytes a key: up to 28 digits as nibbles, and for each of up to 12 pieces its length, its age, where it stood in its
//!          message, whether a plus stood before it and whether it is in doubt; how many finds there were, and when the last was.
//!          Nothing else of any message is kept.
//! Admit    a message with one run of 1–10 digits and few words; where one of them is a measure, a price or an order, it is
//!          in doubt, and admitted only beside a piece that begins as mobile numbers do
//! Join     whole pieces in the order in which they were written, or the beginning of a number before what was written
//!          first, when together they are exactly one number; those in doubt only behind such a beginning
//! ```

use serde::{Deserialize, Serialize};

use super::LeakKind;
use super::lexicon::{LOWER, UNIT};
use super::normalise::{Kind, Span, Text};
use super::numbers::{self, Digits, Group, LETTERS, Reading};
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
    /// Length in the low nibble, doubt in bit 6, plus sign in bit 7.
    lengths: [u8; PIECES_MAX],
    /// Seconds before `newest_ms`.
    ages_s: [u16; PIECES_MAX],
    /// The character of its message where each begins.
    starts: [u16; PIECES_MAX],
    /// Characters of each there, 255 for more.
    widths: [u8; PIECES_MAX],
    count: u8,
    /// Finds of which none came longer after the one before it than pieces are kept.
    finds: u16,
    /// The last of them.
    found_ms: i64,
}

/// As version 1 kept them, which knew neither where a piece stood nor how many finds there were.
#[derive(Deserialize)]
pub(super) struct Former {
    newest_ms: i64,
    nibbles: [u8; DIGITS_MAX / 2],
    lengths: [u8; PIECES_MAX],
    ages_s: [u16; PIECES_MAX],
    count: u8,
}

impl From<Former> for Pieces {
    fn from(former: Former) -> Self {
        let Former { newest_ms, nibbles, lengths, ages_s, count } = former;
        Self { newest_ms, nibbles, lengths, ages_s, count, ..Self::default() }
    }
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
    /// It is called a price, a measure or an order.
    doubtful: bool,
    pub(super) span: Span,
}

/// The piece that a message hands over, if it looks like one.
pub(super) fn piece(text: &Text) -> Option<Piece> {
    let doubtful = text.classes & (LOWER | UNIT) != 0;
    let words = text.tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Mixed) && !token.lex.is_number()).count();
    if words > WORDS_MAX {
        text.note(LeakKind::Phone, false, "too many words for a piece of a number", || text.span(0, text.tokens.len().saturating_sub(1)));
        return None;
    }
    let mixed = text.tokens.iter().any(|token| {
        token.kind == Kind::Mixed && !token.lex.is_number()
            || token.kind == Kind::Word && text.syms(token).iter().all(|sym| matches!(sym.c, 'ا' | 'ه'))
    });
    let mut groups = numbers::groups(text, Reading { compounds: true, guess: text.has_pictures || text.has_numbers || mixed });
    // A word of letters that look like digits is a word.
    groups.retain(|group| group.origin != LETTERS);
    let mut best: Option<Piece> = None;
    let mut rest = groups.as_slice();
    let mut runs = 0;
    while let Some(first) = rest.first() {
        let length = 1 + rest.iter().skip(1).take_while(|group| group.gap.words == 0).count();
        let (run, after) = rest.split_at(length);
        rest = after;
        if is_measure(run) {
            text.note(LeakKind::Phone, false, "no piece of a number: a clock time, a size or a decimal", || {
                Span::around(run.iter().map(|group| group.span))
            });
            return None;
        }
        let digits: Digits = run.iter().flat_map(|group| group.digits.iter().copied()).take(PIECE_DIGITS_MAX + 1).collect();
        runs += usize::from(digits.len() > 1);
        if best.as_ref().is_none_or(|best| best.digits.len() < digits.len()) {
            best = Some(Piece { digits, plus: first.gap.plus, doubtful, span: Span::around(run.iter().map(|group| group.span)) });
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
        *self = Self { finds: self.finds, found_ms: self.found_ms, ..Self::default() };
    }

    /// Counts a find, and returns how many there are with it of which none came more than `span_s` after the one before it. One that
    /// lies so long before the last stands alone.
    pub(super) fn count_find(&mut self, at_ms: i64, span_s: u32) -> u16 {
        let kept_ms = i64::from(span_s) * 1000;
        let since_ms = at_ms.saturating_sub(self.found_ms);
        if self.finds > 0 && since_ms < -kept_ms {
            return 1;
        }
        self.finds = if self.finds > 0 && since_ms <= kept_ms { self.finds.saturating_add(1) } else { 1 };
        self.found_ms = if self.finds > 1 { self.found_ms.max(at_ms) } else { at_ms };
        self.finds
    }

    /// Adds a piece and returns the number that it completes, with the number of messages that it took.
    ///
    /// Pieces stand in the order in which they were written, to the second; within one second, in that of their arrival.
    pub(super) fn add(&mut self, piece: &Piece, at_ms: i64, span_s: u32) -> Option<(Phone, usize)> {
        let mut kept = self.read();
        let seconds = |ms: i64| u32::try_from(ms.max(0) / 1000).unwrap_or(u32::MAX);
        let elapsed_s = if kept.is_empty() { 0 } else { seconds(at_ms - self.newest_ms) };
        let age_s = if kept.is_empty() { 0 } else { seconds(self.newest_ms - at_ms) };
        if kept.is_empty() || at_ms > self.newest_ms {
            self.newest_ms = at_ms;
        }
        for old in &mut kept {
            old.age_s = old.age_s.saturating_add(elapsed_s);
        }
        kept.retain(|old| old.age_s <= span_s && u16::try_from(old.age_s).is_ok());
        let Span { start, .. } = piece.span;
        let width = u8::try_from(piece.span.length()).unwrap_or(u8::MAX);
        let new = Kept { digits: piece.digits.clone(), plus: piece.plus, doubtful: piece.doubtful, age_s, start, width };
        let begun = new.opens() || kept.iter().any(Kept::opens);
        if piece.doubtful && !begun || age_s > span_s || u16::try_from(age_s).is_err() {
            self.write(&kept);
            return None;
        }
        let mut place = kept.iter().take_while(|old| old.age_s >= age_s).count();
        kept.insert(place, new);
        while kept.len() > PIECES_MAX || kept.iter().map(|piece| piece.digits.len()).sum::<usize>() > DIGITS_MAX {
            kept.remove(0);
            place = place.saturating_sub(1);
        }
        let certain: Vec<&Kept> = kept.iter().filter(|kept| !kept.doubtful).collect();
        let all: Vec<&Kept> = kept.iter().collect();
        let among = kept.iter().take(place).filter(|kept| !kept.doubtful).count();
        let found = if piece.doubtful { None } else { complete(&certain, among) }.or_else(|| complete(&all, place));
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
        let places = self.starts.iter().zip(&self.widths);
        let pieces = self.lengths.iter().zip(&self.ages_s).zip(places).take(self.count.into());
        pieces
            .map(|((length, age_s), (start, width))| {
                let first = at;
                at += usize::from(length & 15);
                Kept {
                    digits: (first..at).map(nibble).collect(),
                    plus: length & 128 != 0,
                    doubtful: length & 64 != 0,
                    age_s: u32::from(*age_s),
                    start: *start,
                    width: *width,
                }
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
        let places = self.starts.iter_mut().zip(&mut self.widths);
        for (((piece, length), age_s), (start, width)) in kept.iter().zip(&mut self.lengths).zip(&mut self.ages_s).zip(places) {
            (*start, *width) = (piece.start, piece.width);
            *length =
                u8::try_from(piece.digits.len()).unwrap_or(0) | if piece.plus { 128 } else { 0 } | if piece.doubtful { 64 } else { 0 };
            *age_s = u16::try_from(piece.age_s).unwrap_or(u16::MAX);
            self.count += 1;
        }
    }
}

struct Kept {
    digits: Digits,
    plus: bool,
    doubtful: bool,
    age_s: u32,
    start: u16,
    width: u8,
}

impl Kept {
    /// Whether nothing can stand before it.
    fn is_begun(&self) -> bool {
        self.plus || phone::is_dialled_mobile(&self.digits) || self.digits.starts_with(&[0, 0, 2])
    }

    /// Whether it is how a number begins: no price, measure or order does.
    fn opens(&self) -> bool {
        self.plus || phone::is_dialled_mobile(&self.digits) || self.digits.starts_with(&[0, 0])
    }
}

/// The number that neighbours among `pieces` make, the one at `place` with them, and how many they are.
fn complete(pieces: &[&Kept], place: usize) -> Option<(Phone, usize)> {
    (0..=place).find_map(|start| {
        (place.max(start + 1)..pieces.len()).find_map(|end| {
            let window = pieces.get(start..=end)?;
            let length: usize = window.iter().map(|piece| piece.digits.len()).sum();
            if !phone::LENGTHS.contains(&length) {
                return None;
            }
            let joined = |order: &mut dyn Iterator<Item = &&Kept>| order.flat_map(|piece| piece.digits.iter().copied()).collect::<Digits>();
            let first = window.first()?;
            let plain = window.iter().all(|piece| !piece.doubtful);
            let found = (plain || first.opens()).then(|| phone::joined(&joined(&mut window.iter()), first.plus)).flatten();
            // The beginning was sent after the rest.
            let found = found.or_else(|| {
                let opening = window
                    .iter()
                    .position(|piece| piece.plus || phone::is_dialled_mobile(&piece.digits))
                    .filter(|opening| *opening > 0 && plain && !first.is_begun() && window.len() <= 4)?;
                let rest = window.iter().enumerate().filter(|(at, _)| *at != opening).map(|(_, piece)| piece);
                let first = window.get(opening)?;
                phone::joined(&joined(&mut std::iter::once(first).chain(rest)), first.plus)
            });
            let span = Span { start: first.start, end: first.start + u16::from(first.width) };
            found.map(|phone| (Phone { span, ..phone }, window.len()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_the_first_release_go_on() {
        let mut lengths = [0_u8; PIECES_MAX];
        lengths[0] = 3;
        let mut nibbles = [0_u8; DIGITS_MAX / 2];
        nibbles[..2].copy_from_slice(&[0x01, 0x00]);
        let bytes = postcard::to_allocvec(&(7_000_i64, nibbles, lengths, [0_u16; PIECES_MAX], 1_u8)).expect("bytes");
        let former: Former = postcard::from_bytes(&bytes).expect("a state");
        let mut pieces = Pieces::from(former);
        let piece = piece(&Text::new("12345678")).expect("a piece");
        let (phone, messages) = pieces.add(&piece, 8_000, 600).expect("a number");
        assert_eq!((messages, phone.span), (2, Span::default()));
    }

    #[test]
    fn the_state_is_small_and_shows_nothing() {
        assert!(size_of::<Pieces>() <= 112);
        let mut pieces = Pieces::default();
        let piece = piece(&Text::new("0105")).expect("a piece");
        assert!(pieces.add(&piece, 0, 600).is_none());
        assert_eq!(format!("{pieces:?}"), "Pieces { count: 1, .. }");
    }
}
