//! Evidence that names nobody: enough for an analyst to recognise a case, too little to ring anybody up.

use super::numbers::Digits;

const DOT: char = '•';

/// A number in E.164 digits, masked: `+20 10•• ••• •42`, the country and carrier prefix and the last two digits.
pub(super) fn phone(e164: &Digits, country_len: usize, prefix_len: usize) -> String {
    let mut masked = String::from("+");
    let national = e164.len().saturating_sub(country_len);
    for (index, digit) in e164.iter().enumerate() {
        let place = index.checked_sub(country_len);
        if place == Some(0) || place.is_some_and(|place| place == 4 || (place > 4 && (place - 4) % 3 == 0)) {
            masked.push(' ');
        }
        let shown = place.is_none_or(|place| place < prefix_len || place + 2 >= national);
        masked.push(if shown { char::from(b'0' + digit) } else { DOT });
    }
    masked
}

/// A name or a local part: its first letter.
pub(super) fn name(first: Option<char>) -> String {
    let mut masked = String::new();
    masked.push(first.filter(|c| c.is_alphabetic()).unwrap_or(DOT));
    masked.extend([DOT; 3]);
    masked
}

/// How folded characters were put: digits and letters covered, pictures too, spaces and marks as they are.
pub(super) fn outline(chars: impl Iterator<Item = char>) -> String {
    const LONGEST: usize = 48;
    let mut outline = String::new();
    let mut lettered = false;
    for (count, c) in chars.enumerate() {
        if count == LONGEST {
            outline.push('…');
            break;
        }
        let letter = c.is_alphabetic();
        match c {
            _ if letter && lettered => {}
            // A word is as long as any other.
            _ if letter => outline.push_str("◦◦◦"),
            _ if c.is_numeric() => outline.push(DOT),
            _ if c.is_whitespace() => outline.push(' '),
            _ if c.is_ascii_punctuation() => outline.push(c),
            _ => outline.push('▫'),
        }
        lettered = letter;
    }
    outline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_the_prefix_and_two_digits() {
        let digits = |text: &str| text.bytes().map(|byte| byte - b'0').collect::<Digits>();
        assert_eq!(phone(&digits("201012345642"), 2, 2), "+20 10•• ••• •42");
        assert_eq!(phone(&digits("966501112233"), 3, 0), "+966 •••• ••• 33");
        assert_eq!(phone(&digits("20223456789"), 2, 1), "+20 2••• ••• 89");
    }

    #[test]
    fn an_outline_shows_marks_alone() {
        assert_eq!(outline("12/05 zero-one 🥇 واحد".chars()), "••/•• ◦◦◦-◦◦◦ ▫ ◦◦◦");
        assert_eq!(outline("1".repeat(60).chars()), format!("{}…", "•".repeat(48)));
    }

    #[test]
    fn a_name_is_its_first_letter() {
        assert_eq!(name(Some('d')), "d•••");
        assert_eq!(name(Some('7')), "••••");
        assert_eq!(name(None), "••••");
    }
}
