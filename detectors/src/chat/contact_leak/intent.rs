//! Proposals without an address: to go on, deal or pay elsewhere, to pass a contact on, and a one-time code asked for.
//!
//! A message is read as its clauses, and a clause as what its words do (`speech`), not as a phrase. What could not be read is heard as a
//! whole (`wording`).
//!
//! ```text
//! silent   a clause that refuses, that retells what somebody else said, or that speaks of what is allowed; quotations; and
//!          the whole message where it asks what is allowed, or warns. A refusal of *this* place ("not here", "no need for the app",
//!          "don't pay the commission") speaks for the other
//! speaks   the other clauses together: a messenger, a number, a way to pay, "outside the app", and an act between the two
//! ```

use super::lexicon::{
    APP as PLATFORM, CALL, CHANNEL, DEAL as LEXICON_DEAL, DIRECT as LEXICON_DIRECT, FILLER, HERE as PLACE_HERE, JOB as PLATFORM_JOB, LOWER,
    MAIL, MINE as OF_MINE, NEG as LEXICON_NEG, NUMBER, OUTSIDE, PHONE, UNIT, USER, YOURS as OF_YOURS,
};
use super::normalise::{Kind, Span, Text, Token};
use super::speech::{
    self, AGREE, APP, ASK, ASKED, AUX, AVOID, BETTER, BOOKING, BUT, CAME, CANCEL, CASH, CODE, CONTACT, DEAL, DIRECT, DONT, EXCHANGE, FEE,
    FIND, FROMME, GIVE, HAVE, HERE, HIRE, IF, IN, IT, JOB, MIND, MINE, NAME, NEED, NEG, OUT, PAY, PHOTO, POLITE, REACH, RETOLD, RULE, SAME,
    SAYS, SELF, SOMEBODY, STAY, SUPPOSE, TALK, THEM, THEY, THING, TOME, TOYOU, WALLET, WARN, WE, WHEN, WHY, WRITTEN, YOURS,
};
use super::trail::REFUSED;
use super::{LeakKind, code, wording};

/// What is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    /// A one-time code is asked for.
    pub(super) code: bool,
    pub(super) direction: Direction,
    /// What is spoken of, in words that name nobody.
    pub(super) evidence: &'static str,
    /// The clauses that speak, from the first word to the last.
    pub(super) span: Span,
    /// It was read, and not only heard.
    pub(super) sure: bool,
}

/// Who would give, and who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The writer gives a contact, or says where it is to be had.
    Gives,
    /// He asks for one, or for a code.
    Asks,
    /// He would go on, deal or pay elsewhere.
    Proposes,
    /// The same, and he says yes to it.
    Agrees,
}

impl Direction {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gives => "gives",
            Self::Asks => "asks",
            Self::Proposes => "proposes",
            Self::Agrees => "agrees",
        }
    }
}

/// Words that are looked at: a proposal stands at the beginning of what is longer, or is none.
const WORDS_MAX: usize = 160;
/// Words between a negation, or an "outside", and what it is of.
const REACH_OUT: usize = 4;

/// A word of the message.
#[derive(Clone, Copy)]
pub(super) struct Word {
    /// What it does: classes of [`speech`].
    acts: u64,
    /// What it is: classes of the lexicon.
    class: u32,
    pub(super) clause: u8,
    quoted: bool,
    token: u16,
}

impl Word {
    pub(super) fn does(self, acts: u64) -> bool {
        self.acts & acts != 0
    }

    pub(super) fn is(self, class: u32) -> bool {
        self.class & class != 0
    }

    /// A messenger, a number, a way to pay: what a refusal refuses.
    fn is_contact(self) -> bool {
        self.is(CHANNEL | NUMBER | PHONE | MAIL) || self.does(WALLET | CASH | OUT | CONTACT)
    }
}

type Words = smallvec::SmallVec<[Word; 48]>;

/// The words of a message, and how it ends its sentences.
pub(super) struct Message<'t> {
    text: &'t Text,
    words: Words,
    asks: bool,
    /// The tokens that may be a code: four to eight digits.
    values: smallvec::SmallVec<[u16; 4]>,
}

impl<'t> Message<'t> {
    pub(super) fn new(text: &'t Text) -> Self {
        let mut message = Self { text, words: Words::new(), asks: false, values: smallvec::SmallVec::new() };
        let (mut clause, mut quoted, mut ended) = (0_u8, false, false);
        for (at, token) in (0..).zip(&text.tokens) {
            match token.kind {
                Kind::Mark('?' | '؟') => {
                    message.asks = true;
                    ended = true;
                }
                Kind::Mark('.' | '!' | ',' | '،' | ';' | '؛' | '…') => ended = true,
                Kind::Space => ended |= text.syms(token).iter().any(|sym| sym.c == '\n'),
                Kind::Mark('"' | '«' | '»' | '“' | '”' | '„') => quoted = !quoted,
                Kind::Word | Kind::Mixed => {
                    let word = word(text, token);
                    if ended || word.does(BUT) {
                        clause = clause.saturating_add(1);
                        ended = false;
                    }
                    message.words.push(Word { clause, quoted, token: at, ..word });
                    if message.words.len() == WORDS_MAX {
                        break;
                    }
                }
                Kind::Digits if (4..=8).contains(&(token.end - token.start)) && message.values.len() < WORDS_MAX => message.values.push(at),
                _ => {}
            }
        }
        message.idioms();
        // A mark that is never closed quotes nothing.
        if quoted {
            for word in &mut message.words {
                word.quoted = false;
            }
        }
        message
    }
}

impl Message<'_> {
    /// What it was read from.
    pub(super) fn text(&self) -> &Text {
        self.text
    }

    /// Its words, for who looks at their letters, too.
    pub(super) fn words(&self) -> impl Iterator<Item = Spoken<'_>> {
        self.words.iter().map(|word| Spoken { text: self.text, word: *word })
    }

    /// Takes away what a word is not, given the one behind it: "no problem" denies nothing, "whats the" is no messenger.
    fn idioms(&mut self) {
        let mut suggestion = None;
        for at in 0..self.words.len() {
            const COURTESY: usize = 4;
            // "If you don't mind": a condition of nothing.
            let rest = self.words.get_mut(at..).unwrap_or_default();
            if rest.first().is_some_and(|word| word.does(IF))
                && let Some(end) = rest.iter().take(COURTESY).position(|word| word.does(POLITE | MIND))
            {
                for word in rest.iter_mut().take(end + 1) {
                    word.acts &= POLITE | MIND;
                    word.class = 0;
                }
            }
            let behind = |steps: usize| self.words.get(at + steps).copied();
            let mind = (1..=2).any(|steps| behind(steps).is_some_and(|word| word.does(MIND)));
            let opens = at.checked_sub(1).and_then(|before| self.words.get(before)).is_none_or(|before| {
                before.does(AGREE | POLITE)
                    || before.acts == 0 && before.class == 0
                    || self.words.get(at).is_some_and(|word| word.clause != before.clause)
            });
            // "Why don't you …" proposes.
            let suggested = behind(1).is_some_and(|word| word.does(DONT)) && behind(2).is_some_and(|word| word.does(TOYOU | WE));
            let asked = behind(1).is_some_and(|next| next.is(FILLER) || next.does(YOURS));
            if let Some(word) = self.words.get_mut(at) {
                if suggested && word.does(WHY) {
                    word.acts &= !WHY;
                    suggestion = Some(at + 1);
                }
                if mind || suggestion == Some(at) {
                    word.acts &= !NEG;
                    word.class &= !LEXICON_NEG;
                }
                if asked && opens && word.does(ASK) {
                    word.class &= !CHANNEL;
                }
            }
        }
    }
}

/// A word with its letters.
#[derive(Clone, Copy)]
pub(super) struct Spoken<'t> {
    text: &'t Text,
    word: Word,
}

impl<'t> Spoken<'t> {
    /// As they were folded.
    pub(super) fn letters(self) -> impl Iterator<Item = char> + use<'t> {
        let syms = self.text.token(self.word.token.into()).map_or(&[][..], |token| self.text.syms(token));
        syms.iter().map(|sym| sym.c)
    }

    /// Classes of [`speech`], and of the lexicon.
    pub(super) fn does_and_is(self) -> (u64, u32) {
        (self.word.acts, self.word.class)
    }
}

fn word(text: &Text, token: &Token) -> Word {
    let syms = text.syms(token);
    let acts = speech::of(syms);
    let class = if acts & NEG != 0 { token.lex.class & !NUMBER } else { token.lex.class };
    Word { acts, class, clause: 0, quoted: false, token: 0 }
}

/// What the clauses that speak say together.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "what is said of a message, each for itself")]
pub(super) struct Said {
    pub(super) words: Words,
    acts: u64,
    class: u32,
    /// Something is to be done outside, or without, the app.
    out: bool,
    /// This place is refused.
    pub(super) against: bool,
    /// The marketplace's share is to be saved.
    saved: bool,
    /// Some clause, also a silent one, is about work on telephones or networks.
    job: bool,
    /// A clause refuses a contact, or another place.
    refuses: bool,
    /// Clauses in which a code stands, or that speak of one that came to the writer.
    told: smallvec::SmallVec<[u8; 4]>,
}

impl Said {
    pub(super) fn does(&self, acts: u64) -> bool {
        self.acts & acts != 0
    }

    pub(super) fn is(&self, class: u32) -> bool {
        self.class & class != 0
    }

    /// Whether the code of a clause is not the other's secret: it stands there, or it came to the writer.
    pub(super) fn is_told(&self, clause: u8) -> bool {
        self.told.contains(&clause)
    }

    fn at(&self, index: usize) -> Option<Word> {
        self.words.get(index).copied()
    }

    /// From the first word to the last.
    fn span(&self, text: &Text) -> Span {
        match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => text.span(first.token.into(), last.token.into()),
            _ => Span::default(),
        }
    }

    /// Whether one of the words within `before` in front of `index` and `behind` after it meets the test.
    fn near(&self, index: usize, before: usize, behind: usize, test: impl Fn(Word) -> bool) -> bool {
        let from = index.saturating_sub(before);
        (from..=index + behind).filter(|at| *at != index).any(|at| self.at(at).is_some_and(&test))
    }
}

/// Classes of the lexicon of which every proposal has one, but for "not here".
const ANY: u32 = CHANNEL | NUMBER | PHONE | OUTSIDE | PLATFORM | USER | MAIL | LEXICON_DEAL | LEXICON_DIRECT;

/// What a message proposes. `intent`: whether anything but a code is asked for.
pub(super) fn proposal(text: &Text, intent: bool) -> Option<Proposal> {
    let not_here = text.classes & PLACE_HERE != 0 && text.classes & LEXICON_NEG != 0;
    let spoken_of = text.classes & ANY != 0 || not_here;
    if !spoken_of && !intent {
        return None;
    }
    let message = Message::new(text);
    let said = said(&message, text)?;
    let read = if spoken_of { read(&said, &message) } else { None };
    if intent { read.or_else(|| heard(&said, &message)) } else { read }
}

/// What the clauses say that speak.
fn read(said: &Said, message: &Message<'_>) -> Option<Proposal> {
    let text = message.text;
    let span = said.span(text);
    let Some((code, direction, evidence)) = meant(said, message) else {
        let work = said.job || hires(said);
        let why = if work { "telephones, networks or pages are the work" } else { "what these clauses say together proposes nothing" };
        if !said.words.is_empty() {
            text.note(LeakKind::Intent, false, why, || span);
        }
        return None;
    };
    text.note(if code { LeakKind::Code } else { LeakKind::Intent }, true, "what these clauses say together", || span);
    Some(Proposal { code, direction, evidence, span, sure: true })
}

/// The same, heard: what sounds like a proposal may be one that could not be read. What was read stands, whatever is written around it.
fn heard(said: &Said, message: &Message<'_>) -> Option<Proposal> {
    let text = message.text;
    if said.refuses || said.job || hires(said) || said.words.is_empty() || wording::score(message) < wording::SOUNDS {
        return None;
    }
    let span = said.span(text);
    text.note(LeakKind::Intent, true, "it sounds like a proposal", || span);
    let answer = said.at(0).is_some_and(|word| word.does(AGREE));
    let direction = if answer { Direction::Agrees } else { Direction::Proposes };
    Some(Proposal { code: false, direction, evidence: "the wording", span, sure: false })
}

/// Whether a code is asked for, who does what, and what is spoken of.
fn meant(said: &Said, message: &Message<'_>) -> Option<(bool, Direction, &'static str)> {
    let answer = said.at(0).is_some_and(|word| word.does(AGREE));
    let proposes = if answer { Direction::Agrees } else { Direction::Proposes };
    let found = |direction, evidence| Some((false, direction, evidence));
    if code::is_asked(said) {
        return Some((true, Direction::Asks, "a one-time code"));
    }
    if outside(said) {
        return found(proposes, "outside the app");
    }
    let brief = said.saved && said.words.len() <= 3 && !message.asks;
    if brief
        || said.does(FEE) && said.does(DIRECT) && said.does(DEAL | PAY | TOME | WE | BETTER)
        || said.does(FEE) && (said.does(CASH) && said.does(PAY) && said.does(TOME) || said.does(OUT) && said.does(WE | STAY))
        || said.saved && said.does(DEAL | PAY | WE | CASH | DIRECT | CANCEL | AVOID)
    {
        return found(proposes, "without the fee");
    }
    if paid_elsewhere(said) {
        return found(proposes, "a payment elsewhere");
    }
    if said.job || hires(said) {
        return None;
    }
    if gives_number(said) {
        return found(Direction::Gives, "my number");
    }
    if same_name(said) {
        return found(Direction::Gives, "the same name elsewhere");
    }
    if asks_number(said, message) {
        return found(Direction::Asks, "your number");
    }
    if messenger(said, message) {
        return found(proposes, "messenger");
    }
    let called = said.words.iter().any(|word| word.is(CALL) && word.does(TALK));
    let spoken = said.is(PHONE) && said.does(TALK) && (said.against || said.does(BETTER) || said.does(WE) && !said.does(APP | HERE));
    if spoken
        || called
            && (said.is(PHONE) || said.does(DIRECT))
            && (said.does(BETTER) || said.against || !said.does(APP | HERE))
            && said.does(TOME)
    {
        return found(proposes, "a call");
    }
    None
}

/// The clauses that speak; `None` where the whole message is silent.
fn said(message: &Message<'_>, text: &Text) -> Option<Said> {
    let mut said = Said::default();
    let words = message.words.as_slice();
    let app = words.iter().any(|word| word.does(APP));
    let mut rest = words;
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|word| word.clause == first.clause).count();
        let (clause, after) = rest.split_at(length);
        rest = after;
        let note = |passed, why| {
            let ends = [clause.first(), clause.last()].map(|word| word.map_or(0, |word| usize::from(word.token)));
            text.note(LeakKind::Intent, passed, why, || text.span(ends[0], ends[1]));
        };
        if clause.iter().any(|word| word.does(WARN)) {
            note(false, "a warning");
            return None;
        }
        said.job |= clause.iter().any(|word| word.does(JOB) || word.is(PLATFORM_JOB));
        let rule = clause.iter().any(|word| word.does(RULE));
        let supposed = clause.iter().any(|word| word.does(SUPPOSE)) && !clause.iter().any(|word| word.does(TOME));
        let when = clause.iter().zip(clause.iter().skip(1)).any(|(word, next)| word.does(WHEN) && next.does(AUX));
        let wonders = (when || clause.iter().any(|word| word.does(WHY))) && !clause.iter().any(|word| word.does(FEE));
        if rule && (message.asks || rest.is_empty() && said.words.is_empty()) {
            note(false, "of what is allowed");
            return None;
        }
        if retold(clause) {
            note(false, "somebody else's words, retold");
            return None;
        }
        // What the app does, it is asked.
        let of_app = clause.iter().enumerate().any(|(at, word)| {
            word.does(AUX) && !word.does(NEG) && clause.iter().skip(at + 1).take(2).any(|word| word.does(APP) && !word.does(TALK))
        });
        // "Is your number …" asks of it, and not for it.
        let of_it = clause.iter().enumerate().any(|(at, word)| {
            let opens = at.checked_sub(1).and_then(|before| clause.get(before)).is_none_or(|before| before.does(AGREE | POLITE));
            opens && word.does(AUX) && !word.does(ASK) && clause.get(at + 1).is_some_and(|next| next.does(YOURS))
        });
        let silent = [
            (rule, "of what is allowed"),
            (of_it, "asks of it, and not for it"),
            (supposed && !hires_in(clause), "of what anybody does, or what would be"),
            (wonders, "asks why or when"),
            (of_app, "asks what the app does"),
        ];
        if let Some((_, why)) = silent.iter().find(|(is, _)| *is) {
            note(false, why);
            continue;
        }
        match refusal(clause) {
            other @ (Refusal::There | Refusal::Other) => {
                note(false, REFUSED);
                said.refuses |= other == Refusal::There;
                continue;
            }
            Refusal::Here => {
                note(true, "this place, or its share, is refused");
                said.against = true;
                said.out |= clause.iter().any(|word| word.does(NEED)) && clause.iter().any(|word| word.does(APP));
                said.out |= clause.iter().any(|word| word.does(DONT))
                    && clause.iter().any(|word| word.does(APP | HERE))
                    && clause.iter().any(|word| word.does(BOOKING | PAY | DEAL));
            }
            Refusal::None => {}
        }
        if tells_code(clause, &message.values)
            && let Some(first) = clause.first()
        {
            note(false, "the code stands there, or came to the writer");
            said.told.push(first.clause);
        }
        said.out |= is_out(clause, app);
        said.saved |= is_saved(clause);
        for word in clause.iter().filter(|word| !word.quoted) {
            said.acts |= word.acts;
            said.class |= word.class;
            said.words.push(*word);
        }
    }
    Some(said)
}

/// Whether a clause says what a code is, or speaks of one that came to the writer.
fn tells_code(clause: &[Word], values: &[u16]) -> bool {
    /// Tokens between a code and what it is, spaces among them.
    const APART: u16 = 12;
    let codes = || clause.iter().filter(|word| word.does(CODE));
    if codes().next().is_none() {
        return false;
    }
    // "482913 is your code", and not "the code that came from 7726".
    let stated = |code: &Word| {
        values.iter().any(|value| {
            let (first, last) = (code.token.min(*value), code.token.max(*value));
            let between = clause.iter().filter(|word| (first + 1..last).contains(&word.token));
            last - first <= APART && !between.into_iter().any(|word| word.does(CAME | GIVE | IN))
        })
    };
    let other = clause.iter().any(|word| word.does(TOYOU | YOURS) && !word.does(GIVE));
    let own = clause.iter().enumerate().any(|(at, word)| {
        let before = clause.get(at.saturating_sub(2)..at).unwrap_or(&[]);
        let behind = clause.get(at + 1..clause.len().min(at + 3)).unwrap_or(&[]);
        word.does(CAME) && (word.does(TOME) || before.iter().any(|word| word.does(SELF)) || behind.iter().any(|word| word.does(TOME)))
    });
    codes().any(stated) || own && !other
}

/// Whether somebody else says it.
fn retold(clause: &[Word]) -> bool {
    let at = |index: usize| clause.get(index).copied();
    clause.iter().enumerate().any(|(index, word)| {
        let next = |acts| at(index + 1).is_some_and(|next| next.does(acts));
        word.does(RETOLD)
            || word.does(ASKED) && next(FROMME | RETOLD)
            || word.does(SAYS)
                && (next(TOME) || (index.saturating_sub(4)..index).any(|before| at(before).is_some_and(|word| word.does(SOMEBODY))))
    })
}

/// What a clause refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    None,
    /// This place, or its share: that speaks for another.
    Here,
    /// A contact, or another place.
    There,
    /// Anything else.
    Other,
}

fn refusal(clause: &[Word]) -> Refusal {
    let Some(negation) = clause.iter().position(|word| word.does(NEG)) else { return Refusal::None };
    // "no need": the word itself may be one of "without".
    let dont = clause.iter().any(|word| word.does(DONT)) && !clause.iter().any(|word| word.does(CANCEL));
    let here = if dont { APP | HERE | FEE | BOOKING } else { APP | HERE | FEE };
    let of =
        clause.iter().skip(negation).enumerate().find(|(at, word)| word.does(here) || (*at > 0 || !word.does(OUT)) && word.is_contact());
    match of {
        Some((_, word)) if word.does(here) => Refusal::Here,
        Some(_) => Refusal::There,
        None => Refusal::Other,
    }
}

/// Whether a clause says "outside the app", "skip the app", "without it".
fn is_out(clause: &[Word], app: bool) -> bool {
    clause.iter().enumerate().filter(|(_, word)| word.does(OUT)).any(|(index, _)| {
        let behind = clause.iter().skip(index + 1).take(REACH_OUT);
        behind.clone().any(|word| word.does(APP))
            || behind.clone().take(1).any(|word| word.does(THEM))
            || app && behind.take(1).any(|word| word.does(IT))
            || app && clause.get(index).is_some_and(|word| word.does(IT))
    })
}

/// Whether a clause saves the marketplace's share.
fn is_saved(clause: &[Word]) -> bool {
    let fee = clause.iter().position(|word| word.does(FEE));
    let before = |acts| clause.iter().take(fee.unwrap_or(0)).any(|word| word.does(acts));
    fee.is_some() && (before(AVOID | OUT | NEG) || before(WHY) && before(PAY))
}

fn outside(said: &Said) -> bool {
    let all = |acts: &[u64]| acts.iter().all(|acts| said.does(*acts));
    let act = said.does(DEAL | PAY | TALK | REACH | CASH | GIVE | DIRECT | CANCEL | WALLET | FIND | STAY | WE | NEED) || said.is(CHANNEL);
    let instead = said.does(DIRECT | WALLET) || all(&[CASH, GIVE | PAY]) || said.is(CHANNEL) && said.does(TALK) || all(&[NEED, DEAL]);
    let unbooked = said.words.iter().enumerate().any(|(index, word)| word.does(OUT) && said.near(index, 0, 2, |word| word.does(BOOKING)));
    said.out && (act || said.does(BETTER | TOME | TOYOU))
        || all(&[BETTER, DIRECT, TOME])
        || all(&[DIRECT, WE]) && said.does(DEAL | STAY) && !said.does(APP | HERE | BOOKING)
        || all(&[CANCEL, CASH, TOYOU])
        || said.against && instead
        || said.does(CANCEL) && (said.does(DIRECT) || all(&[DEAL, WE]) || said.words.iter().any(|word| word.does(DEAL) && word.does(TOYOU)))
        || unbooked && said.does(DIRECT | WE)
        || all(&[BOOKING, TOME, DIRECT | OUT])
        || said.against && said.does(PAY) && said.does(TOME | TOYOU)
        || all(&[PAY, CASH, OUT]) && said.does(TOYOU | TOME | WE)
}

fn paid_elsewhere(said: &Said) -> bool {
    let wallet = said.does(WALLET);
    let in_app = said.words.iter().enumerate().any(|(index, word)| word.does(APP) && said.near(index, 2, 0, |word| word.does(IN)));
    let both = said.does(TOME | TOYOU) || said.does(MINE);
    wallet && said.does(PAY | GIVE | BETTER) && (both || !in_app && !said.does(APP)) && (both || !said.does(ASK))
        || said.does(CASH) && said.does(PAY) && said.does(BETTER) && said.saved
        || said.does(PAY) && said.does(DIRECT) && said.does(TOME)
        || said.does(PAY) && owned(said, MINE, OF_MINE, NUMBER | PHONE).is_some()
}

/// "I need somebody to …": the platform is the job.
fn hires(said: &Said) -> bool {
    hires_in(&said.words)
}

fn hires_in(words: &[Word]) -> bool {
    words.iter().enumerate().any(|(index, word)| {
        word.does(HIRE) && (index.saturating_sub(3)..index).any(|before| words.get(before).is_some_and(|word| word.does(ASK | FIND | WE)))
    })
}

/// Whether the number at `index` is one that somebody is reached by, and not of an order or a flat.
fn reaches(said: &Said, index: usize) -> bool {
    !said.near(index, 2, 2, |word| word.is(LOWER | UNIT) && !word.is(PHONE) && !word.does(PAY) || word.does(THING))
        && said.at(index).is_some_and(|word| !word.does(NEG))
}

/// A number or telephone of the one whom `theirs` and `class` mean.
fn owned(said: &Said, theirs: u64, class: u32, things: u32) -> Option<usize> {
    said.words.iter().enumerate().position(|(index, word)| {
        (word.is(things) || word.does(CONTACT))
            && reaches(said, index)
            && (word.is(class) && word.is(things)
                || word.does(theirs)
                || said.near(index, 2, 3, |word| word.does(theirs) || word.is(class) && word.is(NUMBER | PHONE | CHANNEL)))
    })
}

fn gives_number(said: &Said) -> bool {
    let mine = owned(said, MINE, OF_MINE, NUMBER | PHONE);
    let shown = said.does(PHOTO) && said.words.iter().enumerate().any(|(index, word)| word.is(NUMBER) && reaches(said, index));
    let number = mine.is_some() && said.is(NUMBER) && said.does(GIVE | TALK | PHOTO | WRITTEN | TOYOU);
    // "Call me on my line", but not "my phone is dead, write here".
    let line = mine.is_some_and(|mine| {
        let rung = said.near(mine, 5, 0, |word| word.does(TOME)) && said.does(TALK | GIVE) || said.near(mine, 3, 0, |word| word.does(TALK));
        rung && !said.near(mine, 4, 4, |word| word.does(HERE) || word.does(APP) && !word.does(TALK))
    });
    let seen = mine.is_some() && said.does(PHOTO) && said.does(WRITTEN | IN);
    (number || line || seen) && !said.does(YOURS) || shown && (said.does(WRITTEN | IN) || mine.is_some())
}

fn same_name(said: &Said) -> bool {
    let named = said.words.iter().any(|word| word.does(NAME) && word.does(MINE));
    named && said.is(CHANNEL)
        || said.does(SAME)
            && (said.does(NAME) && (said.is(CHANNEL) || said.does(FIND | TALK)) || said.is(CHANNEL) && said.does(FIND | PHOTO))
}

fn messenger(said: &Said, message: &Message<'_>) -> bool {
    if !said.is(CHANNEL) {
        return false;
    }
    let there = said.words.iter().position(|word| word.is(CHANNEL)).unwrap_or(0);
    let here = said.words.iter().position(|word| word.does(APP | HERE));
    let better = said.words.iter().position(|word| word.does(BETTER));
    // "Here is better than there" keeps to the app.
    if let (Some(here), Some(better)) = (here, better)
        && here < better
        && better < there
    {
        return false;
    }
    let third = said.does(THEY) && !said.does(TOME | TOYOU | WE);
    let act = said.does(TALK | REACH | BETTER | DIRECT)
        || said.near(there, 0, 1, |word| word.does(TOME))
        || said.does(SELF) && said.near(there, 2, 0, |word| word.does(HAVE))
        || said.does(HAVE) && (said.does(TOYOU) || message.asks || said.words.len() <= 4 && !said.does(SELF))
        || said.does(FIND) && said.does(TOME | TOYOU)
        || said.does(GIVE) && said.does(TOME | TOYOU)
        || said.does(YOURS) && said.does(ASK | GIVE | NAME)
        || said.is(OF_YOURS) && said.does(ASK | GIVE)
        || said.does(ASK) && said.words.len() <= 5 && !third;
    let kept = said.does(STAY) && here.is_some() && !said.against;
    act && !third && !kept && (here.is_none() || said.against || said.does(BETTER | DIRECT | YOURS | OUT) || said.does(TOME | TOYOU | WE))
}

fn asks_number(said: &Said, message: &Message<'_>) -> bool {
    let numbers = said.words.iter().any(|word| word.is(NUMBER));
    let short = said.words.len() <= 5;
    let request =
        said.does(ASK | GIVE | EXCHANGE) || said.does(TALK) && said.does(TOME) || numbers && (said.does(TALK) || short) || message.asks;
    let contacts = said.does(EXCHANGE) && said.does(CONTACT);
    let theirs = contacts
        || owned(said, YOURS, OF_YOURS, NUMBER | PHONE | MAIL).is_some()
            && request
            && (numbers || said.does(ASK | GIVE) || said.does(TALK) && said.does(TOME));
    let any = said.words.iter().enumerate().any(|(index, word)| {
        word.is(NUMBER) && reaches(said, index) && said.near(index, 3, 5, |word| word.does(TALK | REACH | EXCHANGE) || word.is(CHANNEL))
    });
    theirs || any && said.does(ASK | GIVE | WE) && !said.does(MINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::messenger("shall we continue on telegram", Some("messenger"))]
    #[case::messenger_arabic("نكمل كلام على الواتساب", Some("messenger"))]
    #[case::number_asked("send me your mobile number", Some("your number"))]
    #[case::number_asked_franco("eb3atly nemretak", Some("your number"))]
    #[case::number_offered("رقمي مكتوب على الباب", Some("my number"))]
    #[case::same_name("nafs el esm 3ala insta", Some("the same name elsewhere"))]
    #[case::outside("ندفع بره التطبيق ونوفر", Some("outside the app"))]
    #[case::not_here("don't book here, pay me directly", Some("outside the app"))]
    #[case::fee("we save the fee between us", Some("without the fee"))]
    #[case::wallet("ابعتلي العربون فودافون كاش", Some("a payment elsewhere"))]
    #[case::code("read me the code you got by sms", Some("a one-time code"))]
    #[case::code_arabic("قولي كود التفعيل اللي وصلك", Some("a one-time code"))]
    #[case::polite("can I have your number if you don't mind", Some("your number"))]
    #[case::refusal("no whatsapp, sorry", None)]
    #[case::refusal_by_verb("مبديش رقمي لحد", None)]
    #[case::refusal_then_here("sorry, I can't share my number, write here", None)]
    #[case::allowed("are we allowed to talk on whatsapp?", None)]
    #[case::retold("he asked for my number", None)]
    #[case::retold_arabic("قالي ادفع بره التطبيق", None)]
    #[case::quoted("he wrote \"call me on whatsapp\"", None)]
    #[case::in_the_app("call me from the app", None)]
    #[case::order_number("what is your order number", None)]
    #[case::broken_phone("my phone is broken, repair it", None)]
    #[case::somebody_else("I will ring the landlord", None)]
    #[case::advert("I want ads on facebook", None)]
    #[case::gate_code("what is the code of the gate", None)]
    #[case::code_warned("never send anybody the code from the sms", None)]
    fn proposals(#[case] raw: &str, #[case] expected: Option<&str>) {
        assert_eq!(proposal(&Text::new(raw), true).map(|proposal| proposal.evidence), expected);
    }

    #[rstest]
    #[case::gives("I'll give you my number", Direction::Gives)]
    #[case::asks("ممكن رقمك", Direction::Asks)]
    #[case::proposes("let's talk on telegram", Direction::Proposes)]
    #[case::agrees("ok let's talk on telegram", Direction::Agrees)]
    fn who_does_what(#[case] raw: &str, #[case] expected: Direction) {
        assert_eq!(proposal(&Text::new(raw), true).map(|proposal| proposal.direction), Some(expected));
    }
}
