//! Names on messengers, social networks and payment services.
//!
//! ```text
//! @name     beside a platform, a word for looking, or in a shape that no word has
//! shaped    a platform and a name with dots, underscores or figures inside
//! lettered  a platform and a name of letters alone, which something must show to be a name: whose it is, a word for looking, its
//!           being the only Latin word, its length
//! payment   name@instapay, "my instapay is name"
//! ```

use super::LeakKind;
use super::address::{Address, Scan, identifier, local_start};
use super::lexicon::{
    ASK, AT, CALL, CHANNEL, DEAL, FILLER, FIND, JOB, MAIL, MINE, NEG, NUMBER, OUTSIDE, PHONE, TALK, UNDERSCORE, USER, YOURS,
};
use super::mask;
use super::normalise::{Kind, Span, Text, Token, UPPER};
use super::speech::{self, HIRE, MIND, SOMEBODY};
use super::trail::REFUSED;
use super::tricks;

/// Names of ways to pay by a name.
const WALLETS: [&str; 5] = ["instapay", "insta-pay", "ipa", "انستاباي", "انستابي"];

pub(super) fn wallet(scan: &Scan<'_>, index: usize) -> bool {
    WALLETS.iter().any(|name| scan.is(index, name))
        || (scan.is(index, "insta") || scan.is(index, "انستا"))
            && scan.at(index + 1).is_some_and(|token| token.kind == Kind::Space)
            && (scan.is(index + 2, "pay") || scan.is(index + 2, "باي"))
}

/// A name that takes money: `name@instapay`, "my instapay is name".
fn payment(scan: &Scan<'_>) -> Option<Address> {
    let count = scan.text.tokens.len();
    (0..count).filter(|index| scan.is_lex(*index, USER | CHANNEL) && wallet(scan, *index)).find_map(|index| {
        let sign = scan.solid_before(index).filter(|before| scan.is_mark(*before, '@') || scan.is_lex(*before, AT));
        let before = sign.and_then(|sign| scan.solid_before(sign)).filter(|before| scan.is_word(*before));
        let spoken = sign.is_some_and(|sign| !scan.is_mark(sign, '@'));
        let behind = || {
            (index + 1..count.min(index + 12)).find(|index| identifier(scan, *index).is_some() && !scan.is_mark(index.wrapping_sub(1), '/'))
        };
        let (name, last) = match before {
            Some(before) => (local_start(scan, before), index),
            None => behind().map(|name| (name, identifier(scan, name).unwrap_or(name)))?,
        };
        let found = Address { strength: 0.85, disguise: "none", ..named(scan, name, last) };
        Some(if spoken { Address { tricks: tricks::MARKS_IN_WORDS, ..found } } else { found })
    })
}

/// What the name from the token `first` to `last` is shown as.
fn named(scan: &Scan<'_>, first: usize, last: usize) -> Address {
    let evidence = format!("@{}", mask::name(scan.chars(first).next()));
    Address { strength: 0.65, disguise: "none", evidence, span: scan.text.span(first, last), tricks: 0 }
}

/// Platforms whose short names are words of their own: a name must touch them, or somebody be told to look there.
const ORDINARY: [&str; 7] = ["tele", "face", "signal", "snap", "line", "twitter", "messenger"];

/// Words of networks that have a name and are nobody.
const NETWORKS: [&str; 9] = ["wifi", "wi", "router", "network", "ssid", "واي", "شبكه", "راوتر", "shabaket"];

/// The first handle of a message.
pub(super) fn handle(text: &Text) -> Option<Address> {
    let scan = Scan { text };
    if let Some(found) = payment(&scan) {
        return Some(found);
    }
    let count = text.tokens.len();
    let service = (0..count).find(|index| scan.is_lex(*index, CHANNEL));
    let directed = text.classes & (FIND | USER | CHANNEL) != 0;
    // @name
    for index in 0..count {
        if !scan.is_mark(index, '@') || (index > 0 && scan.is_word(index - 1)) || !scan.is_word(index + 1) {
            continue;
        }
        let word = scan.at(index + 1).is_some_and(|token| token.lex.class != 0 && service.is_none());
        let lettered = scan.chars(index + 1).any(char::is_alphabetic) && scan.chars(index + 1).count() >= 3 && !word;
        let strong = identifier(&scan, index + 1).is_some();
        if lettered && !(strong || directed) {
            text.note(LeakKind::Handle, false, "nothing says where this name is", || text.span(index, index + 1));
        }
        if lettered && (strong || directed) {
            let strength = if service.is_some() { 0.9 } else { 0.7 };
            let name = named(&scan, index + 1, identifier(&scan, index + 1).unwrap_or(index + 1));
            return Some(Address { strength, span: Span { start: text.span(index, index).start, ..name.span }, ..name });
        }
    }
    let platform = service.or_else(|| (0..count).find(|index| scan.is_lex(*index, USER)))?;
    let reject = |why| text.note(LeakKind::Handle, false, why, || text.span(platform, platform));
    if service.is_none() && (0..count).any(|index| NETWORKS.iter().any(|name| scan.is(index, name))) {
        reject("the name of a network");
        return None;
    }
    let found = |strength, disguise, name: usize| {
        let last = identifier(&scan, name).unwrap_or(name);
        Some(Address { strength, disguise, ..named(&scan, name, last) })
    };
    // A name with dots, underscores or figures in it, near the platform
    let mut near = platform.saturating_sub(8)..count.min(platform + 16);
    let cued = text.classes & (TALK | FIND | USER | MINE) != 0;
    let ordinary = service.is_some_and(|service| ORDINARY.iter().any(|name| scan.is(service, name)));
    let nothing_between = |name: usize| {
        let (from, to) = (platform.min(name) + 1, platform.max(name));
        (from..to).all(|index| {
            !scan.is_word(index) || scan.is_lex(index, FILLER | USER | MINE) || scan.is_mark(index - 1, '_') || scan.is_mark(index - 1, '.')
        })
    };
    if let Some(name) =
        near.find(|index| *index != platform && identifier(&scan, *index).is_some() && !scan.is_mark(index.wrapping_sub(1), '/'))
    {
        let trusted = service.is_some() || text.classes & (TALK | FIND) != 0;
        if trusted && (!ordinary || cued || nothing_between(name)) {
            return found(0.85, "none", name);
        }
    }
    service?;
    // "No problem" denies nothing.
    let denied = |index: usize| {
        let next = (index + 1..count).find(|index| scan.is_word(*index));
        scan.is_lex(index, NEG) && next.is_none_or(|next| speech::of(scan.syms(next)) & MIND == 0)
    };
    if text.classes & JOB != 0 {
        reject("the platform is the work");
        return None;
    }
    if text.classes & NEG != 0 && (0..count).any(denied) {
        reject(REFUSED);
        return None;
    }
    // An underscore that is spelled out
    if let Some(mark) = (0..count).find(|index| scan.is_lex(*index, UNDERSCORE)) {
        let name = scan.solid(mark + 1);
        let first = scan.solid_before(mark).filter(|before| scan.is_word(*before)).unwrap_or(mark);
        let around = text.span(first, name);
        return Some(Address {
            strength: 0.8,
            disguise: "words",
            span: around,
            tricks: tricks::MARKS_IN_WORDS,
            ..named(&scan, name, name)
        });
    }
    // "insta: name", or a platform with a cue and a name behind both
    let colon = (platform + 1..count.min(platform + 6))
        .find(|index| scan.is_mark(*index, ':') || scan.is_mark(*index, '=') || scan.is_mark(*index, '>'));
    if let Some(colon) = colon {
        let between = (platform + 1..colon).all(|index| !scan.is_word(index) || scan.is_lex(index, FILLER | USER | MINE));
        let name = scan.solid(colon + 1);
        let alone = (name + 1..count).filter(|index| scan.is_word(*index)).count() <= 1;
        if between && alone && scan.at(name).is_some_and(|token| names_somebody(&scan, name, token)) {
            return found(0.7, "none", name);
        }
    }
    if let Some(name) = lettered(&scan, platform) {
        return found(0.65, "none", name);
    }
    reject("a platform, and no word beside it that must be a name");
    let cue = (0..count).find(|index| scan.is_lex(*index, USER | FIND) && !scan.is_lex(*index, YOURS))?;
    if text.classes & YOURS != 0 || text.classes & (FIND | MINE) == 0 && !scan.at(cue).is_some_and(|token| token.lex.is(USER)) {
        return None;
    }
    let said = |index: &usize| scan.is_word(*index) && !scan.is_lex(*index, KNOWN);
    let name = (platform.max(cue) + 1..count.min(platform.max(cue) + 10)).find(said)?;
    if !scan.at(name).is_some_and(|token| names_somebody(&scan, name, token)) {
        return None;
    }
    found(0.65, "words", name)
}

/// A name of letters alone beside a platform: "my snap is somebody", "add somebody on insta", انستا somebody. That it is a name and no
/// word shows by whose the platform is, by a word for looking, by its being the only Latin word among Arabic ones, or by its length
/// where nothing makes it a thing.
fn lettered(scan: &Scan<'_>, platform: usize) -> Option<usize> {
    let count = scan.text.tokens.len();
    // The platform is the job, or another's.
    let others = |index: usize| speech::of(scan.syms(index)) & (HIRE | speech::JOB | SOMEBODY) != 0;
    if scan.text.classes & YOURS != 0 || (0..count).any(|index| scan.is_word(index) && others(index)) {
        return None;
    }
    let words = |range: std::ops::Range<usize>| range.filter(|index| scan.is_word(*index));
    let joins = |index: usize| scan.is_lex(index, FILLER | USER | MINE | CHANNEL | FIND) && !is_name(scan, index);
    let behind = words(platform + 1..count.min(platform + 14)).find(|index| !joins(*index)).filter(|index| is_name(scan, *index));
    let before = (platform.saturating_sub(10)..platform)
        .rev()
        .filter(|index| scan.is_word(*index))
        .find(|index| !joins(*index))
        .filter(|index| is_name(scan, *index));
    let name = behind.or(before)?;
    let arabic = |index: usize| scan.chars(index).next().is_some_and(|c| !c.is_ascii());
    let article =
        scan.solid_before(name).is_some_and(|before| ["the", "a", "an", "el", "al", "some"].iter().any(|word| scan.is(before, word)));
    let letters = scan.chars(name).count();
    // "The facebook table": a thing, and a sentence goes on behind it.
    let thing =
        scan.solid_before(platform).is_some_and(|before| ["the", "this", "that", "a", "an"].iter().any(|word| scan.is(before, word)));
    let on = words(platform.max(name) + 1..count).count();
    let mine = |index: usize| scan.is_lex(index, MINE) && !scan.is_lex(index, NUMBER | PHONE);
    let next = words(platform + 1..count).next();
    let own = behind.is_some() && (mine(platform) || scan.solid_before(platform).is_some_and(mine) || next.is_some_and(mine));
    let looked_for = scan.text.classes & FIND != 0;
    let foreign = words(0..count).all(|index| index == name || arabic(index) || scan.is_lex(index, CHANNEL));
    let shown = own || looked_for || foreign;
    (!article && (shown && letters >= 5 || letters >= 8 && !thing && on <= 5)).then_some(name)
}

/// Endings of English words, which a name seldom has.
const ENDINGS: [&str; 14] = ["ing", "ings", "ers", "ment", "ments", "tion", "tions", "day", "able", "ness", "ally", "ures", "ture", "ted"];

/// A word of Latin letters that no list knows and that is not formed as a word of a sentence.
fn is_name(scan: &Scan<'_>, index: usize) -> bool {
    let Some(token) = scan.at(index) else { return false };
    let letters = scan.chars(index);
    let ends = |ending: &str| {
        let skip = scan.chars(index).count().checked_sub(ending.len());
        skip.is_some_and(|skip| scan.chars(index).skip(skip).eq(ending.chars()))
    };
    token.kind == Kind::Word
        && token.lex.class == 0
        && !token.lex.is_number()
        && letters.clone().count() >= 5
        && letters.clone().all(|c| c.is_ascii_lowercase())
        && speech::latin(scan.text.syms(token)) == 0
        && !ENDINGS.iter().any(|ending| ends(ending))
}

/// Words between a platform and a name on it.
const KNOWN: u32 = CHANNEL | USER | FIND | FILLER | TALK | ASK | CALL | MAIL | DEAL | OUTSIDE | NUMBER | MINE;

/// A word that no list knows, or one with a capital, long enough for a name.
fn names_somebody(scan: &Scan<'_>, index: usize, token: &Token) -> bool {
    matches!(token.kind, Kind::Word | Kind::Mixed)
        && !token.lex.is(KNOWN)
        && !token.lex.is_number()
        && scan.chars(index).count() >= 4
        && (speech::of(scan.syms(index)) == 0 || scan.syms(index).first().is_some_and(|sym| sym.flags & UPPER != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::at("telegram @some_body", true)]
    #[case::figures("snap: body77", true)]
    #[case::dots("my insta is some.body.eg", true)]
    #[case::cue("find me on facebook under Somebody Builder", true)]
    #[case::spelled_mark("يوزري انستا سامي اندرسكور نجار", true)]
    #[case::job("12 instagram posts per month", false)]
    #[case::repair("facebook does not open on my laptop", false)]
    #[case::asked("what is your instagram?", false)]
    #[case::franco("el facebook da 3ala 7alo", false)]
    fn handles(#[case] raw: &str, #[case] expected: bool) {
        assert_eq!(handle(&Text::new(raw)).is_some(), expected);
    }
}
