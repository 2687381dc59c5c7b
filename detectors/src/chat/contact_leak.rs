//! Contact leak: contact details slipped into the chat, so that a deal can be made past the marketplace.
//!
//! ```text
//! Input    chat.message                                       Key  user(sender_id), alone or with conversation
//! Method   glyphs folded, words looked up (normalise, lexicon); digits and number words to groups (numbers), less those
//!          that are something else by their form (ordinary); whole groups that the numbering plan takes for a number
//!          (phone), also over messages (split); addresses and names by their grammar (address, handle); proposals, and
//!          one-time codes asked for, by what their clauses' words do (intent, speech), and by how the whole sounds (wording)
//! Fires    on the strongest find of a kind in `kinds` with strength ≥ strength_min (0.5)
//! Strength by form: email 0.95 (worded 0.85, provider alone 0.75), messenger link 0.95, profile 0.85, shortener 0.75,
//!          own site 0.6; mobile 0.9, with +20 0.95, foreign or +20 landline 0.85, over messages 0.85, words between
//!          or from right to left 0.75, without 0 0.7, landline 0.65, ±0.05 for a disguise; handle 0.65–0.9; code 0.8;
//!          intent 0.55, by its wording alone 0.5
//! State    112 bytes: the last digit pieces of the sender and where they stood, how often he was found, no text; event-time TTL
//!          split_s_max (15 min)
//! Misses   pictures and voice notes; local numbers of other countries; landlines, bare 20 and missing zeros in groups where
//!          nobody speaks of calling; pieces in an order that neither time nor the number's beginning tells; number words
//!          with two slips in one; names of letters alone of which nothing says that they are names; every fourth proposal
//!          in new words, and those in the midst of long honest talk; what is refused in jest
//! Alarms   wrongly on identifiers of 11 digits that begin with 010, 011, 012 or 015, on other people's handles, and on what
//!          somebody retells without saying whose words they are
//! Source   numbering plan of Egypt (libphonenumber 9.0.43, region EG); UTS 39 look-alikes; obfuscation of numbers in
//!          advertisements: Chambers et al., W-NUT 2019 (D19-5507)
//! ```
//!
//! Whether a leak matters, before a booking or after it, is for rules to say: `data.booking_status` stands beside the
//! signal. Pieces join in the order of their event time, whatever order they arrive in.

mod address;
mod code;
mod data;
mod explain;
mod glyphs;
mod handle;
mod intent;
mod lexicon;
mod mask;
mod normalise;
mod numbers;
mod ordinary;
mod phone;
mod plan;
mod speech;
mod split;
mod trail;
mod tricks;
mod wording;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use self::address::Address;
use self::intent::{Direction, Proposal};
use self::lexicon::LOWER;
use self::normalise::{Span, Text};
use self::phone::Phone;
use crate::event::{Data, Event, EventType};
use crate::operator::{Fact, Feeds, Operator, Setup, Yields};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

pub use self::explain::{Candidate, Reading, Test, Verdict, explain};
pub use self::split::Pieces;
pub use self::wording::wording;

/// Decimals of a find's strength, wherever it leaves.
const STRENGTH_DECIMALS: u8 = 2;

/// See the module's header.
pub struct ContactLeak;

/// What can leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeakKind {
    /// A telephone number, whole or over several messages.
    Phone,
    /// An e-mail address.
    Email,
    /// A link that leads to a person.
    Link,
    /// A name on a messenger or a social network.
    Handle,
    /// No address yet: a number asked for or offered, or a proposal to go on elsewhere.
    Intent,
    /// A one-time code that the other was sent is asked for: whoever has it has his account.
    Code,
}

impl LeakKind {
    /// Its name, as rules have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Link => "link",
            Self::Handle => "handle",
            Self::Intent => "intent",
            Self::Code => "code",
        }
    }
}

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// What to look for. All by default; `intent` goes by words alone, and is the first to leave out where an alert must show an
    /// address. `code` is no leak but a theft: a rule of its own takes it alone.
    pub kinds: Vec<LeakKind>,
    /// Weakest find that fires, 0 to 1. 0.5: everything found. 0.7 leaves out landlines, own sites, names without
    /// figures and intent; higher misses more.
    #[schemars(range(min = 0.0, max = 1.0), example = 0.5)]
    pub strength_min: f64,
    /// Longest time over which pieces of one number are put together, s; 0 judges each message alone. 900: 15 minutes,
    /// past the slowest dictation seen. Longer joins unrelated digits and keeps them in memory longer.
    #[schemars(range(min = 0, max = 43_200), example = 900)]
    pub split_s_max: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            kinds: vec![LeakKind::Phone, LeakKind::Email, LeakKind::Link, LeakKind::Handle, LeakKind::Intent, LeakKind::Code],
            strength_min: 0.5,
            split_s_max: 900,
        }
    }
}

/// One observation, before it becomes a signal.
#[derive(Clone)]
struct Find {
    kind: LeakKind,
    strength: f64,
    disguise: &'static str,
    messages: usize,
    evidence: String,
    direction: Direction,
    span: Span,
    tricks: u16,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField {
        name: "kind",
        ty: SignalType::Text,
        doc: "What leaked: phone, email, link, handle or intent; code: a one-time code is asked for",
    },
    SignalField {
        name: "strength",
        ty: SignalType::Double { decimals: STRENGTH_DECIMALS },
        doc: "How sure the find is, 0 to 1, by its form",
    },
    SignalField {
        name: "disguise",
        ty: SignalType::Text,
        doc: "How it was hidden: none, separators, script, words, letters, reversed or split",
    },
    SignalField { name: "messages", ty: SignalType::Int, doc: "Messages that it was spread over" },
    SignalField {
        name: "evidence", ty: SignalType::Text, doc: "What was found, masked: +20 10•• ••• •42, a•••@•••, whatsapp link"
    },
    SignalField {
        name: "direction",
        ty: SignalType::Text,
        doc: "What the writer does: gives a contact, asks for one or for a code, proposes to go elsewhere, or agrees to that",
    },
    SignalField {
        name: "start_char",
        ty: SignalType::Int,
        doc: "Where it begins in the message, in characters from 0; of a number in pieces, where its first piece begins in the message of that piece; \
              of a proposal, where its clauses begin",
    },
    SignalField { name: "length_chars", ty: SignalType::Int, doc: "How many characters it takes from there" },
    SignalField {
        name: "tricks",
        ty: SignalType::Text,
        doc: "Every way in which it was hidden, a comma between them, empty for none: digits_in_words, letters_for_digits, look_alike_glyphs, \
              mixed_digits, invisible_characters, pictures, misspelt, separators, words_between, glued, reversed, pieces, marks_in_words, spelled_out; \
              of a number in pieces, those of the last message",
    },
    SignalField {
        name: "tries",
        ty: SignalType::Int,
        doc: "Finds of this key so far, this one among them, none more than split_s_max after the one before it",
    },
    SignalField {
        name: "cut",
        ty: SignalType::Bool,
        doc: "Whether the message is longer than the 4 KiB that are looked at: what it says behind them is not known",
    },
];

impl Operator for ContactLeak {
    const NAME: &'static str = "contact_leak";
    const VERSION: u16 = 3;
    const FORMER_VERSION: Option<u16> = Some(1);
    const GIVES: &'static str =
        "A way to reach somebody outside the platform: a number, an address, a link, a name, or the proposal to go there.";
    const FEEDS: Feeds = Feeds::Fixed { inputs: &[EventType::ChatMessage], reads: &["text"] };
    const YIELDS: Yields = Yields::Signal(FIELDS);
    const NEEDS_RAW: bool = true;
    type Params = Params;
    type State = Pieces;

    fn ttl_ms(setup: &Setup<Params>) -> i64 {
        i64::from(setup.params.split_s_max.max(1)) * 1000
    }

    fn former<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pieces, D::Error> {
        split::Former::deserialize(deserializer).map(Pieces::from)
    }

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut Pieces) -> Option<Signal> {
        Self::observe(&setup.params, fact.event, state)
    }
}

impl ContactLeak {
    /// Looks at one event of the key that `state` belongs to.
    fn observe(params: &Params, event: &Event<'_>, state: &mut Pieces) -> Option<Signal> {
        let Data::ChatMessage(message) = &event.data else { return None };
        let text = Text::new(message.text.get()?.expose());
        let (found, tries) = judge(params, &text, event.clock(), state)?;
        Some(Signal::new(
            FIELDS,
            [
                OwnedValue::Str(found.kind.name().into()),
                OwnedValue::Double(found.strength),
                OwnedValue::Str(found.disguise.into()),
                OwnedValue::Int(i64::try_from(found.messages).unwrap_or(i64::MAX)),
                OwnedValue::Str(found.evidence.into()),
                OwnedValue::Str(found.direction.name().into()),
                OwnedValue::Int(found.span.start.into()),
                OwnedValue::Int(found.span.length().into()),
                OwnedValue::Str(tricks::names(found.tricks).into()),
                OwnedValue::Int(tries.into()),
                OwnedValue::Bool(text.cut),
            ],
        ))
    }
}

/// The strongest find of a message, if it is strong enough, and how many there are with it.
fn judge(params: &Params, text: &Text, at_ms: i64, state: &mut Pieces) -> Option<(Find, u16)> {
    let found = look(params, text, at_ms, state).filter(|found| found.strength >= params.strength_min)?;
    let tries = state.count_find(at_ms, params.split_s_max);
    Some((found, tries))
}

fn look(params: &Params, text: &Text, at_ms: i64, state: &mut Pieces) -> Option<Find> {
    let wanted = |kind: LeakKind| params.kinds.contains(&kind);
    let mut finds = [
        address_if(wanted(LeakKind::Link), LeakKind::Link, text, || address::link(text)),
        address_if(wanted(LeakKind::Email), LeakKind::Email, text, || address::email(text).or_else(|| address::mailbox(text))),
        wanted(LeakKind::Phone).then(|| phone(params, text, at_ms, state)).flatten(),
        address_if(wanted(LeakKind::Handle), LeakKind::Handle, text, || handle::handle(text)),
    ];
    for find in finds.iter().flatten() {
        text.note_find(find);
    }
    // The first of equals: a link to a number is a link.
    let best = finds.iter_mut().filter_map(Option::take).reduce(|best, next| if next.strength > best.strength { next } else { best });
    // A code is asked for, whatever else is said.
    let intent = wanted(LeakKind::Intent) && best.is_none();
    let speaks = if intent || wanted(LeakKind::Code) && text.classes & LOWER != 0 { intent::proposal(text, intent) } else { None };
    let proposal = speaks.filter(|proposal| if proposal.code { wanted(LeakKind::Code) } else { wanted(LeakKind::Intent) });
    let proposal = proposal.map(|proposal| of_proposal(proposal, text));
    if let Some(find) = &proposal {
        text.note_find(find);
    }
    match proposal {
        Some(proposal) if proposal.kind == LeakKind::Code || best.is_none() => Some(proposal),
        _ => best,
    }
}

fn of_proposal(proposal: Proposal, text: &Text) -> Find {
    let Proposal { code, direction, evidence, span, sure } = proposal;
    Find {
        kind: if code { LeakKind::Code } else { LeakKind::Intent },
        strength: match (code, sure) {
            (true, _) => 0.8,
            (false, true) => 0.55,
            (false, false) => 0.5,
        },
        disguise: "none",
        messages: 1,
        evidence: evidence.to_owned(),
        direction,
        span,
        tricks: text.tricks(span) & tricks::INVISIBLE_CHARACTERS,
    }
}

fn address_if(wanted: bool, kind: LeakKind, text: &Text, find: impl FnOnce() -> Option<Address>) -> Option<Find> {
    let Address { strength, disguise, evidence, span, tricks } = if wanted && text.may_hold_address() { find()? } else { return None };
    let tricks = tricks | text.tricks(span);
    Some(Find { kind, strength, disguise, messages: 1, evidence, direction: Direction::Gives, span, tricks })
}

fn phone(params: &Params, text: &Text, at_ms: i64, state: &mut Pieces) -> Option<Find> {
    if !text.has_digits && !text.has_numbers && !text.has_pictures {
        return None;
    }
    let found = |phone: Phone, messages, here: Span| Find {
        kind: LeakKind::Phone,
        strength: phone.strength,
        disguise: phone.disguise.name(),
        messages,
        evidence: mask::phone(&phone.e164, phone.country_len, phone.prefix_len),
        direction: Direction::Gives,
        span: phone.span,
        tricks: phone.tricks | text.tricks(here),
    };
    if let Some(phone) = phone::find(text) {
        state.clear();
        let here = phone.span;
        return Some(found(phone, 1, here));
    }
    if params.split_s_max == 0 {
        return None;
    }
    let piece = split::piece(text)?;
    let whole = state.add(&piece, at_ms, params.split_s_max);
    let why = if whole.is_some() { "with the pieces before it, a whole number" } else { "may be a piece of a number: kept for a while" };
    text.note(LeakKind::Phone, true, why, || piece.span);
    whole.map(|(phone, messages)| found(phone, messages, piece.span))
}

#[cfg(test)]
mod tests;
