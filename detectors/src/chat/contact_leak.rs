//! Contact leak: contact details slipped into the chat, so that a deal can be made past the marketplace.
//!
//! ```text
//! Input    chat.message                                       Key  user(sender_id), alone or with conversation
//! Method   glyphs folded, words looked up (normalise, lexicon); digits and number words to groups (numbers); whole
//!          groups that the numbering plan takes for a number (phone), also over messages (split); addresses by their
//!          grammar (address); proposals by the classes of their words (intent)
//! Fires    on the strongest find of a kind in `kinds` with strength ≥ strength_min (0.5)
//! Strength by form: email 0.95 (worded 0.85, provider alone 0.75), messenger link 0.95, profile 0.85, shortener 0.75,
//!          own site 0.6; mobile 0.9, with +20 0.95, foreign or +20 landline 0.85, over messages 0.85, words between
//!          0.75, without 0 0.7, landline 0.65, ±0.05 for a disguise; handle 0.65–0.9; intent 0.55
//! State    64 bytes: the last digit pieces of the sender, no text; event-time TTL split_s_max (15 min)
//! Misses   pictures and voice notes; local numbers of other countries; landlines in unlabelled lists; pieces in
//!          another order or called a price or a measure; misspelt number words beyond drawn-out letters
//! Alarms   wrongly on identifiers of 11 digits that begin with 010, 011, 012 or 015, and on other people's handles
//! Source   numbering plan of Egypt (libphonenumber 9.0.43, region EG); UTS 39 look-alikes; obfuscation of numbers in
//!          advertisements: Chambers et al., W-NUT 2019 (D19-5507)
//! ```
//!
//! Whether a leak matters, before a booking or after it, is for rules to say: `data.booking_status` stands beside the
//! signal. Order of arrival joins pieces; a piece that is older than the newest counts as written together with it.

mod address;
mod intent;
mod lexicon;
mod mask;
mod normalise;
mod numbers;
mod phone;
mod split;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::address::Address;
use self::normalise::Text;
use self::phone::Phone;
use crate::detector::Detector;
use crate::event::{Data, Event, EventType};
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

pub use self::split::Pieces;

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
}

impl LeakKind {
    fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Link => "link",
            Self::Handle => "handle",
            Self::Intent => "intent",
        }
    }
}

/// What an analyst may set.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// What to look for. All by default; `intent` is the one that goes by words alone, and the first to leave out
    /// where an alert must show an address.
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
            kinds: vec![LeakKind::Phone, LeakKind::Email, LeakKind::Link, LeakKind::Handle, LeakKind::Intent],
            strength_min: 0.5,
            split_s_max: 900,
        }
    }
}

/// One observation, before it becomes a signal.
struct Find {
    kind: LeakKind,
    strength: f64,
    disguise: &'static str,
    messages: usize,
    evidence: String,
}

impl Detector for ContactLeak {
    const NAME: &'static str = "contact_leak";
    const INPUTS: &'static [EventType] = &[EventType::ChatMessage];
    const FIELDS: &'static [SignalField] = &[
        SignalField { name: "kind", ty: SignalType::Text, doc: "What leaked: phone, email, link, handle or intent" },
        SignalField { name: "strength", ty: SignalType::Double { decimals: 2 }, doc: "How sure the find is, 0 to 1, by its form" },
        SignalField {
            name: "disguise",
            ty: SignalType::Text,
            doc: "How it was hidden: none, separators, script, words, letters, reversed or split",
        },
        SignalField { name: "messages", ty: SignalType::Int, doc: "Messages that it was spread over" },
        SignalField { name: "evidence", ty: SignalType::Text, doc: "What was found, masked: +20 10•• ••• •42, a•••@•••, whatsapp link" },
    ];
    type Params = Params;
    type State = Pieces;

    fn ttl_ms(params: &Params) -> i64 {
        i64::from(params.split_s_max.max(1)) * 1000
    }

    fn observe(params: &Params, event: &Event<'_>, state: &mut Pieces) -> Option<Signal> {
        let Data::ChatMessage(message) = &event.data else { return None };
        let found = look(params, message.text.expose(), event.clock(), state)?;
        if found.strength < params.strength_min {
            return None;
        }
        Some(Signal::new(
            Self::FIELDS,
            [
                OwnedValue::Str(found.kind.name().into()),
                OwnedValue::Double(found.strength),
                OwnedValue::Str(found.disguise.into()),
                OwnedValue::Int(i64::try_from(found.messages).unwrap_or(i64::MAX)),
                OwnedValue::Str(found.evidence.into()),
            ],
        ))
    }
}

fn look(params: &Params, raw: &str, at_ms: i64, state: &mut Pieces) -> Option<Find> {
    let text = Text::new(raw);
    let wanted = |kind: LeakKind| params.kinds.contains(&kind);
    let mut finds = [
        link_if(wanted(LeakKind::Link) && text.may_hold_address(), LeakKind::Link, || address::link(&text)),
        link_if(wanted(LeakKind::Email) && text.may_hold_address(), LeakKind::Email, || {
            address::email(&text).or_else(|| address::mailbox(&text))
        }),
        wanted(LeakKind::Phone).then(|| phone(params, &text, at_ms, state)).flatten(),
        link_if(wanted(LeakKind::Handle) && text.may_hold_address(), LeakKind::Handle, || address::handle(&text)),
    ];
    // The first of equals: a link to a number is a link.
    let best = finds.iter_mut().filter_map(Option::take).reduce(|best, next| if next.strength > best.strength { next } else { best });
    best.or_else(|| {
        let proposal = if wanted(LeakKind::Intent) { intent::proposal(&text) } else { None };
        proposal.map(|evidence| Find { kind: LeakKind::Intent, strength: 0.55, disguise: "none", messages: 1, evidence: evidence.to_owned() })
    })
}

fn link_if(wanted: bool, kind: LeakKind, find: impl FnOnce() -> Option<Address>) -> Option<Find> {
    let Address { strength, disguise, evidence } = if wanted { find()? } else { return None };
    Some(Find { kind, strength, disguise, messages: 1, evidence })
}

fn phone(params: &Params, text: &Text, at_ms: i64, state: &mut Pieces) -> Option<Find> {
    if !text.has_digits && !text.has_numbers {
        return None;
    }
    let found = |phone: Phone, messages| Find {
        kind: LeakKind::Phone,
        strength: phone.strength,
        disguise: phone.disguise.name(),
        messages,
        evidence: mask::phone(&phone.e164, phone.country_len, phone.prefix_len),
    };
    if let Some(phone) = phone::find(text) {
        state.clear();
        return Some(found(phone, 1));
    }
    if params.split_s_max == 0 {
        return None;
    }
    let piece = split::piece(text)?;
    state.add(&piece, at_ms, params.split_s_max).map(|(phone, messages)| found(phone, messages))
}
