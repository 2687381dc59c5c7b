//! E-mail addresses and links, also where their marks are written as words.
//!
//! ```text
//! e-mail   name, @ or "at", provider or labels joined by dots or "dot" that end in a known last label; a provider may be in two
//!          pieces, or mistyped by one letter, and a comma stand for its dot
//! link     a host that leads to a person (messengers, profiles, shorteners, link pages), or a site that is
//!          called the writer's own; other hosts are shops, maps and pictures
//! ```

use std::sync::LazyLock;

use super::LeakKind;
use super::data;
use super::handle::wallet;
use super::lexicon::{ASK, AT, CALL, CHANNEL, DOT, FIND, MAIL, MINE, SITE, SLASH, TALK, TLD};
use super::mask;
use super::normalise::{Kind, Span, Sym, Text, Token};
use super::speech::{self, PLACE};
use super::tricks;

/// What was found, ready for the signal.
pub(super) struct Address {
    pub(super) strength: f64,
    pub(super) disguise: &'static str,
    pub(super) evidence: String,
    pub(super) span: Span,
    /// Bits of [`tricks`], but for those of the characters.
    pub(super) tricks: u16,
}

/// How a host leads to a person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    Messenger(&'static str),
    /// A profile, when something but a single post follows.
    Profile(&'static str),
    Shortener,
    Page,
}

/// A host by its last two labels.
struct Listed {
    name: &'static str,
    last: &'static str,
    host: Host,
    /// Whether a path must follow.
    needs_path: bool,
}

static HOSTS: LazyLock<Vec<Listed>> = LazyLock::new(|| {
    data::HOSTS.each(|[host, kind, service, needs]| {
        let (name, last) = host.split_once('.').ok_or_else(|| format!("found the host {host}, expected two labels"))?;
        let host = match (kind, data::some(service)) {
            ("messenger", Some(service)) => Host::Messenger(service),
            ("profile", Some(service)) => Host::Profile(service),
            ("shortener", None) => Host::Shortener,
            ("page", None) => Host::Page,
            _ => return Err(format!("found {kind} and {service}, expected messenger or profile and a service, shortener or page and -")),
        };
        let needs_path = match needs {
            "path" => true,
            "-" => false,
            _ => return Err(format!("found {needs}, expected path or -")),
        };
        Ok(Listed { name: data::word(name)?, last: data::word(last)?, host, needs_path })
    })
});

/// First path segments under a profile host that lead to one post or a shop, not to a person.
static POSTS: LazyLock<Vec<&str>> = LazyLock::new(|| data::POSTS.each(|[segment]| data::word(segment)));

/// A bracket of any width.
fn bracket(c: char) -> bool {
    matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '（' | '）' | '［' | '］' | '｛' | '｝' | '＜' | '＞')
}

/// Whether a token is a space, a bracket or a quotation mark, which may stand between the parts of an address.
fn loose(token: &Token) -> bool {
    match token.kind {
        Kind::Space => true,
        Kind::Mark(c) => bracket(c) || matches!(c, '"' | '\'' | '*' | '«' | '»'),
        _ => false,
    }
}

pub(super) struct Scan<'a> {
    pub(super) text: &'a Text,
}

impl Scan<'_> {
    pub(super) fn at(&self, index: usize) -> Option<&Token> {
        self.text.token(index)
    }

    pub(super) fn is_mark(&self, index: usize, mark: char) -> bool {
        self.at(index).is_some_and(|token| token.kind == Kind::Mark(mark))
    }

    pub(super) fn is_word(&self, index: usize) -> bool {
        self.at(index).is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Mixed | Kind::Digits))
    }

    pub(super) fn syms(&self, index: usize) -> &[Sym] {
        self.at(index).map_or(&[], |token| self.text.syms(token))
    }

    pub(super) fn chars(&self, index: usize) -> impl Iterator<Item = char> + Clone {
        self.syms(index).iter().map(|sym| sym.c)
    }

    pub(super) fn is(&self, index: usize, word: &str) -> bool {
        self.chars(index).eq(word.chars())
    }

    /// The next token from `index` that is neither space nor bracket nor quote.
    pub(super) fn solid(&self, mut index: usize) -> usize {
        while self.at(index).is_some_and(loose) {
            index += 1;
        }
        index
    }

    /// The token before `index` that is neither space nor bracket nor quote.
    pub(super) fn solid_before(&self, index: usize) -> Option<usize> {
        (0..index).rev().find(|at| !self.at(*at).is_some_and(loose))
    }

    /// A dot at `index`, as a mark or a word; whether it is a word.
    pub(super) fn dot(&self, index: usize) -> Option<bool> {
        let token = self.at(index)?;
        if token.kind == Kind::Mark('.') { Some(false) } else { token.lex.is(DOT).then_some(true) }
    }

    pub(super) fn is_bracket(&self, index: usize) -> bool {
        self.at(index).is_some_and(|token| matches!(token.kind, Kind::Mark(c) if bracket(c)))
    }

    pub(super) fn is_lex(&self, index: usize, class: u32) -> bool {
        self.at(index).is_some_and(|token| token.lex.is(class))
    }
}

/// Whether two tokens touch.
fn touch(left: usize, right: usize) -> bool {
    left + 1 == right
}

/// The first e-mail address of a message.
pub(super) fn email(text: &Text) -> Option<Address> {
    let scan = Scan { text };
    (0..text.tokens.len()).find_map(|index| {
        let sign = scan.is_mark(index, '@');
        if !sign && !scan.is_lex(index, AT) {
            return None;
        }
        let before = scan.solid_before(index).filter(|before| scan.is_word(*before) && !scan.is_lex(*before, CHANNEL))?;
        let start = scan.solid(index + 1);
        if !scan.is_word(start) || wallet(&scan, start) {
            text.note(LeakKind::Email, false, "no host behind it", || text.span(before, start));
            return None;
        }
        // "(at)": nobody brackets the word.
        let sign = sign || index.checked_sub(1).is_some_and(|left| scan.is_bracket(left)) && scan.is_bracket(index + 1);
        let host = provider(&scan, start, sign || identifier(&scan, local_start(&scan, before)).is_some());
        let touches = touch(before, index) && touch(index, start);
        // Labels of the domain: the last must be a known one, unless a plain address leaves no doubt.
        let (mut last, mut dots, mut spoken, mut loose) = (host.unwrap_or(start), 0, false, false);
        loop {
            while scan.is_mark(last + 1, '-') && scan.is_word(last + 2) {
                last += 2;
            }
            let dot = scan.solid(last + 1);
            // Behind a provider, a comma is a dot that slipped.
            let slip = host.is_some() && matches!(scan.at(dot).map(|token| token.kind), Some(Kind::Mark(',' | ';' | '،' | '，')));
            let Some(word) = scan.dot(dot).or_else(|| slip.then_some(false)) else { break };
            let label = scan.solid(dot + 1);
            let touching = touch(last, dot) && touch(dot, label);
            // Past a space, a full stop ends the sentence unless a known label follows.
            if !scan.is_word(label) || (!touching && !scan.is_lex(label, TLD)) {
                break;
            }
            loose |= !touching;
            spoken |= word;
            last = label;
            dots += 1;
        }
        let provider = host.is_some();
        let known = dots > 0 && scan.is_lex(last, TLD);
        let lettered = scan.chars(last).count() >= 2 && scan.chars(last).all(char::is_alphabetic);
        let plain = sign && dots > 0 && !loose && lettered && touches;
        let found = if sign {
            provider || known || plain
        } else {
            (provider && (dots > 0 || identifier(&scan, local_start(&scan, before)).is_some() || text.classes & (TALK | ASK) != 0))
                || (known && spoken)
        };
        let local = local_start(&scan, before);
        if found || sign || dots > 0 {
            let why = if found { "a name, @ or \"at\", and a host" } else { "what follows is no host that mailboxes have" };
            text.note(LeakKind::Email, found, why, || text.span(local, last));
        }
        let apart = !touches || loose || host.is_some_and(|host| host > start);
        let slipped = host == Some(start) && !scan.is_lex(start, MAIL);
        found.then(|| Address {
            strength: if sign { 0.95 } else { 0.85 },
            disguise: match (spoken || !sign, touches) {
                (true, _) => "words",
                (false, true) => "none",
                (false, false) => "separators",
            },
            evidence: format!("{}@•••", mask::name(scan.chars(local).next())),
            span: text.span(local, last),
            tricks: when(spoken || !sign, tricks::MARKS_IN_WORDS)
                | when(apart && !spoken && sign, tricks::SEPARATORS)
                | when(slipped, tricks::MISSPELT),
        })
    })
}

/// A trick where it was used.
fn when(used: bool, trick: u16) -> u16 {
    if used { trick } else { 0 }
}

/// Where the local part begins whose last token is `before`.
pub(super) fn local_start(scan: &Scan<'_>, before: usize) -> usize {
    let mut start = before;
    while start >= 1
        && (scan.is_word(start - 1) || matches!(scan.at(start - 1).map(|token| token.kind), Some(Kind::Mark('.' | '_' | '-' | '+'))))
    {
        start -= 1;
    }
    start
}

/// Providers whose names are mistyped most.
const PROVIDERS: [&str; 6] = ["gmail", "yahoo", "hotmail", "outlook", "icloud", "live"];

/// The last token of a provider's name that begins at `start`: as it is, in two pieces, or, behind what can only be an address, with one
/// slip of the hand.
fn provider(scan: &Scan<'_>, start: usize, sure: bool) -> Option<usize> {
    if scan.is_lex(start, MAIL) {
        return Some(start);
    }
    let behind = scan.solid(start + 1);
    let pieces = PROVIDERS.iter().any(|name| scan.chars(start).chain(scan.chars(behind)).eq(name.chars()));
    if pieces && scan.is_word(behind) && scan.chars(start).next().is_some() {
        return Some(behind);
    }
    let slipped = sure && PROVIDERS.iter().any(|name| name.len() > 4 && one_slip(scan.chars(start), name));
    slipped.then_some(start)
}

/// Whether a word is a name with one letter too many, missing, another, or two changed about (Damerau–Levenshtein distance 1), a run of
/// one letter counted once.
fn one_slip(word: impl Iterator<Item = char>, name: &str) -> bool {
    let single = |chars: &mut dyn Iterator<Item = char>| {
        let mut letters: smallvec::SmallVec<[char; 16]> = chars.take(16).collect();
        letters.dedup();
        letters
    };
    let (word, name) = (single(&mut { word }), single(&mut name.chars()));
    let same = word.iter().zip(&name).take_while(|(a, b)| a == b).count();
    let (word, name) = (word.get(same..).unwrap_or(&[]), name.get(same..).unwrap_or(&[]));
    match (word, name) {
        ([a, b, word @ ..], [c, d, name @ ..]) if a == d && b == c && word == name => true,
        ([_, word @ ..], [_, rest @ ..]) if word == rest || word == name => true,
        ([_, word @ ..], _) if word == name => true,
        (_, [_, rest @ ..]) => word == rest,
        _ => word.is_empty(),
    }
}

/// A mailbox named by its provider alone: "my gmail is first.last77".
pub(super) fn mailbox(text: &Text) -> Option<Address> {
    let scan = Scan { text };
    let provider = (0..text.tokens.len()).find(|index| scan.is_lex(*index, MAIL) && !scan.is_mark(index + 1, '.'))?;
    let name = (provider + 1..text.tokens.len().min(provider + 12)).find(|index| identifier(&scan, *index).is_some())?;
    let last = identifier(&scan, name).unwrap_or(name);
    let evidence = format!("{}@•••", mask::name(scan.chars(name).next()));
    Some(Address { strength: 0.75, disguise: "words", evidence, span: text.span(name, last), tricks: 0 })
}

/// The first link that leads to a person.
pub(super) fn link(text: &Text) -> Option<Address> {
    let scan = Scan { text };
    (0..text.tokens.len()).find_map(|index| scheme(&scan, index).or_else(|| host(&scan, index)))
}

/// Schemes whose links an app opens, each with what must follow its colon: `//`, or anything that touches.
const SCHEMES: [(&str, &str, bool); 14] = [
    ("tg", "telegram link", false),
    ("whatsapp", "whatsapp link", true),
    ("viber", "viber link", true),
    ("skype", "skype link", false),
    ("fb", "facebook link", true),
    ("messenger", "messenger link", true),
    ("instagram", "instagram link", true),
    ("snapchat", "snapchat link", true),
    ("twitter", "twitter link", true),
    ("sgnl", "signal link", false),
    ("imo", "imo link", true),
    ("line", "line link", true),
    ("tiktok", "tiktok link", true),
    ("mailto", "mail link", false),
];

fn scheme(scan: &Scan<'_>, index: usize) -> Option<Address> {
    if !scan.is_mark(index + 1, ':') {
        return None;
    }
    let digits = scan.at(index + 2).is_some_and(|token| matches!(token.kind, Kind::Digits | Kind::Mark('+' | '/')));
    let slashes = scan.is_mark(index + 2, '/') && scan.is_mark(index + 3, '/');
    let service = if scan.is(index, "tel") && digits {
        "tel link"
    } else if scan.is(index, "sms") && digits {
        "sms link"
    } else {
        let opens = |behind: bool| slashes || !behind && scan.is_word(index + 2);
        SCHEMES.iter().find(|(scheme, _, slashed)| scan.is(index, scheme) && opens(*slashed)).map(|(_, service, _)| *service)?
    };
    Some(Address { strength: 0.95, disguise: "none", evidence: service.to_owned(), span: unbroken(scan, index, index), tricks: 0 })
}

/// From the token `first` to `last`, and what touches them.
fn unbroken(scan: &Scan<'_>, first: usize, last: usize) -> Span {
    let solid = |index: usize| scan.at(index).is_some_and(|token| token.kind != Kind::Space);
    let first = (0..first).rev().take_while(|index| solid(*index)).last().unwrap_or(first);
    let last = (last + 1..scan.text.tokens.len()).take_while(|index| solid(*index)).last().unwrap_or(last);
    scan.text.span(first, last)
}

/// A host whose last dot follows the token at `index`.
fn host(scan: &Scan<'_>, index: usize) -> Option<Address> {
    if !scan.is_word(index) {
        return None;
    }
    let dot = scan.solid(index + 1);
    let slip = matches!(scan.at(dot).map(|token| token.kind), Some(Kind::Mark(',' | '،' | '，')));
    let spoken = scan.dot(dot).or_else(|| slip.then_some(false))?;
    let label = scan.solid(dot + 1);
    if !scan.is_word(label) || scan.is_mark(label + 1, '@') || scan.is_mark(index.wrapping_sub(1), '@') {
        return None;
    }
    let touching = touch(index, dot) && touch(dot, label);
    let after = scan.solid(label + 1);
    let slash = scan.is_mark(after, '/') || scan.is_lex(after, SLASH);
    if slip && !slash {
        return None;
    }
    let path =
        slash.then(|| scan.solid(after + 1)).filter(|path| scan.is_word(*path) || scan.is_mark(*path, '@') || scan.is_mark(*path, '+'));
    let listed = HOSTS.iter().find(|listed| scan.is(index, listed.name) && scan.is(label, listed.last));
    let parent = index.checked_sub(2).filter(|_| scan.is_mark(index - 1, '.'));
    let disguise = if spoken {
        "words"
    } else if touching {
        "none"
    } else {
        "separators"
    };
    let found = |strength, service: &str| {
        let evidence = format!("{service} link");
        let tricks =
            when(spoken || slash && !scan.is_mark(after, '/'), tricks::MARKS_IN_WORDS) | when(!touching && !spoken, tricks::SEPARATORS);
        Some(Address { strength, disguise, evidence, span: unbroken(scan, index, path.unwrap_or(label)), tricks })
    };
    if slip && (listed.is_none() || path.is_none()) {
        return None;
    }
    let Some(Listed { host, needs_path, .. }) = listed else {
        // Other hosts are shops and pictures; a site is a contact when the writer calls it so, and gives no deep path.
        let classes = scan.text.classes;
        let own = (classes & MINE != 0 && classes & SITE != 0) || (classes & CALL != 0 && classes & TALK != 0);
        let named = scan.chars(index).count() >= 3 && scan.chars(index).any(char::is_alphabetic) && !scan.is_lex(index, MAIL | CHANNEL);
        let deep = slash && scan.at(after + 1).is_some_and(|next| next.kind != Kind::Space);
        let whole = scan.is_lex(label, TLD) && touching && !deep && !scan.is_mark(label + 1, '.');
        if scan.is_lex(label, TLD) && touching {
            let why = if own && named && whole {
                "a site that is called the writer's own"
            } else {
                "a site, and nothing says that it is the writer's"
            };
            scan.text.note(LeakKind::Link, own && named && whole, why, || unbroken(scan, index, label));
        }
        return if own && named && whole { found(0.6, "website") } else { None };
    };
    let note = |passed, why| scan.text.note(LeakKind::Link, passed, why, || unbroken(scan, index, path.unwrap_or(label)));
    if (*needs_path || !touching) && path.is_none() {
        note(false, "a service, and nobody's name behind it");
        return None;
    }
    // maps.app.goo.gl and its like point at places.
    // vm.tiktok.com at one video.
    if parent.is_some_and(|parent| ["app", "maps", "vm", "vt"].iter().any(|name| scan.is(parent, name))) {
        note(false, "leads to a place or to one video");
        return None;
    }
    match host {
        Host::Profile(_) => {
            let post = path.is_some_and(|path| POSTS.iter().any(|post| scan.is(path, post)));
            if post || place(scan.text) {
                note(false, "leads to one post, or to the page of a place");
                return None;
            }
        }
        Host::Shortener => {
            let map = path.is_some_and(|path| scan.is(path, "maps"));
            if map {
                note(false, "leads to a place");
                return None;
            }
        }
        Host::Messenger(_) | Host::Page => {}
    }
    note(true, "leads to a person, or hides where it leads");
    match host {
        Host::Messenger(service) => found(0.95, service),
        Host::Profile(service) => found(0.85, service),
        Host::Shortener => found(0.75, "short"),
        Host::Page => found(0.85, "profile page"),
    }
}

/// Whether a message speaks of a shop, a hall, a place, and not of the writer.
fn place(text: &Text) -> bool {
    text.classes & (MINE | TALK | FIND | CALL) == 0
        && text.tokens.iter().any(|token| token.kind == Kind::Word && speech::of(text.syms(token)) & PLACE != 0)
}

/// A name that nobody would write in a sentence: Latin letters with `_` or `.` inside, or figures at the end. Returns
/// its last token.
pub(super) fn identifier(scan: &Scan<'_>, start: usize) -> Option<usize> {
    let latin = |index: usize| scan.chars(index).any(|c| c.is_ascii_lowercase());
    if !latin(start)
        || scan.chars(start).next().is_some_and(|c| c.is_ascii_digit())
        || (start > 0 && matches!(scan.at(start - 1).map(|token| token.kind), Some(Kind::Mark('.' | '_'))))
    {
        return None;
    }
    let (mut last, mut joints) = (start, 0);
    while matches!(scan.at(last + 1).map(|token| token.kind), Some(Kind::Mark('.' | '_' | '#'))) && scan.is_word(last + 2) {
        joints += 1;
        last += 2;
    }
    // example.com is a host; "ok.thanks" is a missing space.
    let host = scan.is_lex(last, TLD) && (joints < 2 || scan.is(start, "www"));
    let underscore = (start + 1..last).any(|index| scan.is_mark(index, '_'));
    let length: usize = (start..=last).map(|index| scan.chars(index).count()).sum();
    let figures = scan.chars(last).fold(0, |run, c| if c.is_ascii_digit() { run + 1 } else { 0 }) >= 2;
    let letters = (start..=last).flat_map(|index| scan.chars(index)).filter(char::is_ascii_lowercase).count();
    let shaped =
        underscore || (joints >= 1 && !host && (joints >= 2 || figures || length >= 8)) || (joints == 0 && figures && letters >= 4);
    (shaped && length >= 5).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("mail a.name@host.example", Some("a•••@•••"))]
    #[case::brackets("name[@]host[.]com", Some("n•••@•••"))]
    #[case::words("name at gmail dot com", Some("n•••@•••"))]
    #[case::arabic_words("name ات ياهو دوت كوم", Some("n•••@•••"))]
    #[case::spelled("n a m e @ g m a i l . c o m", Some("n•••@•••"))]
    #[case::at_a_time("at seven dot, sharp", None)]
    #[case::at_a_price("2 pieces @ 150 each", None)]
    #[case::at_a_shop("I saw it at ikea.com", None)]
    fn e_mail(#[case] raw: &str, #[case] expected: Option<&str>) {
        assert_eq!(email(&Text::new(raw)).map(|found| found.evidence).as_deref(), expected);
    }

    #[rstest]
    #[case::messenger("wa.me/x", Some("whatsapp link"))]
    #[case::spaced("t . me / somebody", Some("telegram link"))]
    #[case::spoken("t dot me slash somebody", Some("telegram link"))]
    #[case::profile("https://www.instagram.com/some.body", Some("instagram link"))]
    #[case::one_post("https://www.instagram.com/p/Cx12", None)]
    #[case::shortener("bit.ly/abc", Some("short link"))]
    #[case::telephone("tel:+201012345678", Some("tel link"))]
    #[case::own_site("my website is somebody.com", Some("website link"))]
    #[case::shop("https://www.ikea.com/eg/en/p/shelf", None)]
    #[case::map("https://maps.app.goo.gl/abc", None)]
    #[case::full_stop("see you there.me too", None)]
    fn links(#[case] raw: &str, #[case] expected: Option<&str>) {
        assert_eq!(link(&Text::new(raw)).map(|found| found.evidence).as_deref(), expected);
    }
}
