//! Groups of digits that are something else than a telephone number, told by their form: coordinates, decimals, addresses of machines,
//! dates and clock times, counting, cards, national ids.
//!
//! A form counts only when it explains a whole run of groups, or nearly: `01.01.2345678` begins as a date does and is none.

use super::numbers::{Digits, Group};

/// What a run of groups, nothing but marks and spaces between them, is from end to end, if it is something else.
pub(super) fn explains(run: &[Group]) -> Option<&'static str> {
    type Form = fn(&[Group]) -> bool;
    let forms: [(Form, &str); 5] = [
        (are_decimals, "decimals side by side: a place on the map, columns of a table"),
        (is_machine, "the address of a machine"),
        (is_calendar, CALENDAR),
        (is_card, "four groups of four, as on a card"),
        (is_national_id, "a national id"),
    ];
    if run.len() < 2 {
        return None;
    }
    forms.iter().find(|(is, _)| is(run)).map(|(_, what)| *what)
}

/// What dates and clock times are called.
pub(super) const CALENDAR: &str = "looks like dates or clock times";

/// The number that digits write, as far as 18 of them go.
pub(super) fn value(digits: &[u8]) -> u64 {
    digits.iter().take(18).fold(0, |value, digit| value * 10 + u64::from(*digit))
}

/// Whether digits are a date without marks, year first.
pub(super) fn is_date(digits: &[u8]) -> bool {
    let [_, _, _, _, m1, m2, d1, d2] = digits else { return false };
    digits.get(..4).is_some_and(is_year) && (1..=12).contains(&(m1 * 10 + m2)) && (1..=31).contains(&(d1 * 10 + d2))
}

pub(super) fn is_year(digits: &[u8]) -> bool {
    digits.len() == 4 && (1900..2100).contains(&value(digits))
}

/// Whether a group is tied to the one before it by that mark alone.
fn tied(group: &Group, mark: impl Fn(char) -> bool) -> bool {
    group.gap.soft == 1 && !group.gap.spaced && mark(group.gap.mark)
}

/// A decimal number: its whole part as people write one, then a point and what follows it.
fn is_decimal(whole: &Group, part: &Group) -> bool {
    tied(part, |mark| matches!(mark, '.' | '٫'))
        && (1..=3).contains(&whole.digits.len())
        && (whole.digits.len() == 1 || !whole.digits.starts_with(&[0]))
}

/// Two or more decimals side by side, the marks between them others than the point: columns of a table, latitude and longitude.
fn are_decimals(run: &[Group]) -> bool {
    run.len() >= 4
        && run.len().is_multiple_of(2)
        && run.chunks_exact(2).all(|pair| matches!(pair, [whole, part] if is_decimal(whole, part)))
        && run.iter().skip(2).step_by(2).all(|whole| !tied(whole, |mark| matches!(mark, '.' | '٫')))
}

/// An address of IPv4, and what follows it.
fn is_machine(run: &[Group]) -> bool {
    let part = |group: &Group| value(&group.digits) < 256 && (group.digits.len() == 1 || !group.digits.starts_with(&[0]));
    let [first, second, third, fourth, rest @ ..] = run else { return false };
    if rest.first().is_some_and(|next| tied(next, |mark| mark == '.')) {
        return false;
    }
    [second, third, fourth].iter().all(|group| tied(group, |mark| mark == '.'))
        && [first, second, third, fourth].iter().all(|group| part(group))
}

/// Four groups of four.
fn is_card(run: &[Group]) -> bool {
    run.len() == 4
        && run.iter().all(|group| group.digits.len() == 4)
        && run.first().is_some_and(|first| !first.gap.plus && (!first.digits.starts_with(&[0, 0]) || first.digits.starts_with(&[0, 0, 0])))
}

/// How many groups a date or a clock time takes that begins a run, and whether it could be nothing else.
fn calendar_item(run: &[Group]) -> Option<(usize, bool)> {
    let part = |at: usize| run.get(at).map(|group| (value(&group.digits), group.digits.len(), group.gap.mark));
    let mark = |at: usize| run.get(at).filter(|group| tied(group, |mark| matches!(mark, '/' | '-' | '.')));
    let (first, first_len, _) = part(0)?;
    let day_month = |day, month| (1..=31).contains(&day) && (1..=12).contains(&month);
    let either = |a, b| day_month(a, b) || day_month(b, a);
    let year = |at: usize| run.get(at).is_some_and(|group| is_year(&group.digits));
    let short = |length: usize| length <= 2;
    let clock = |at: usize| part(at).is_some_and(|(minutes, length, mark)| mark == ':' && length == 2 && minutes < 60);
    if first < 24 && short(first_len) && clock(1) {
        return Some((if clock(2) { 3 } else { 2 }, true));
    }
    let (second, second_len, second_mark) = part(1)?;
    if let Some((third, third_len, third_mark)) = part(2)
        && second_mark == third_mark
        && run.get(1).map(|group| group.gap.spaced) == run.get(2).map(|group| group.gap.spaced)
        && short(second_len)
        && matches!(second_mark, '/' | '-' | '.' | ' ')
    {
        let ends = year(2) || short(third_len) && third_len == 2 && second_mark != ' ';
        if short(first_len) && ends && either(first, second) || year(0) && short(third_len) && day_month(third, second) {
            return Some((3, year(0) || year(2)));
        }
    }
    mark(1)?;
    let month = |value: u64, length: usize| (1..=12).contains(&value) && short(length);
    if month(first, first_len) && year(1) || year(0) && month(second, second_len) {
        return Some((2, true));
    }
    (short(first_len) && short(second_len) && either(first, second)).then_some((2, false))
}

/// Whether a run is dates, months and clock times; days without a year only where there are two at least, set apart from each other
/// otherwise than in themselves. Something else may follow at the end.
pub(super) fn is_calendar(run: &[Group]) -> bool {
    if run.first().is_some_and(|first| first.gap.plus) {
        return false;
    }
    let (mut at, mut items, mut sure) = (0, 0, 0);
    while let Some(rest) = run.get(at..).filter(|rest| !rest.is_empty()) {
        let Some((taken, certain)) = calendar_item(rest) else {
            // A price, a year, the day of a range.
            return rest.len() == 1 && items >= 2 && rest.first().is_some_and(|last| last.digits.len() <= 4);
        };
        let inside = rest.get(1).map(|group| group.gap.mark);
        if at > 0 && !certain && rest.first().is_some_and(|first| !first.gap.spaced && Some(first.gap.mark) == inside) {
            return false;
        }
        at += taken;
        items += 1;
        sure += usize::from(certain);
    }
    sure > 0 || items >= 2 || run.len() == 3
}

/// Whether a window counts up or down in steps of one: "1 2 3 4 …".
pub(super) fn is_counting(window: &[Group]) -> bool {
    let values = || window.iter().map(|group| value(&group.digits));
    let steps = |up: bool| values().zip(values().skip(1)).all(|(a, b)| if up { b == a + 1 } else { a == b + 1 });
    window.len() >= 4 && (steps(true) || steps(false))
}

/// Whether a run is the 14 digits of a national id, century, birthday and governorate first, written in several groups.
fn is_national_id(run: &[Group]) -> bool {
    let digits: Digits = run.iter().flat_map(|group| group.digits.iter().copied()).take(15).collect();
    match digits.as_slice() {
        [2 | 3, _, _, m1, m2, d1, d2, ..] if digits.len() == 14 => {
            (1..=12).contains(&(m1 * 10 + m2)) && (1..=31).contains(&(d1 * 10 + d2)) && !matches!(run, [_, only] if only.digits.len() == 11)
        }
        _ => false,
    }
}
