//! Contact leak: contact details slipped into the chat, so that a deal can be made past the marketplace.
//!
//! ```text
//! Input    chat.message                                       Key  user(sender_id), alone or with conversation
//! Method   glyphs folded, words looked up (normalise, lexicon); digits and number words to groups (numbers), less those
//!          that are something else by their form (ordinary); whole groups that the numbering plan takes for a number
//!          (phone), also over messages (split); addresses and names by their grammar (address, handle); proposals, and
//!          one-time codes asked for, by what their clauses' words do (intent, speech)
//! Fires    on the strongest find of a kind in `kinds` with strength ≥ strength_min (0.5)
//! Strength by form: email 0.95 (worded 0.85, provider alone 0.75), messenger link 0.95, profile 0.85, shortener 0.75,
//!          own site 0.6; mobile 0.9, with +20 0.95, foreign or +20 landline 0.85, over messages 0.85, words between
//!          or from right to left 0.75, without 0 0.7, landline 0.65, ±0.05 for a disguise; handle 0.65–0.9; code 0.8;
//!          intent 0.55
//! State    64 bytes: the last digit pieces of the sender, no text; event-time TTL split_s_max (15 min)
//! Misses   pictures and voice notes; local numbers of other countries; landlines, bare 20 and missing zeros in groups where
//!          nobody speaks of calling; pieces in an order that neither time nor the number's beginning tells; number words
//!          with two slips in one; names of letters alone of which nothing says that they are names; proposals in words
//!          that no list has; what is refused in jest
//! Alarms   wrongly on identifiers of 11 digits that begin with 010, 011, 012 or 015, on other people's handles, and on what
//!          somebody retells without saying whose words they are
//! Source   numbering plan of Egypt (libphonenumber 9.0.43, region EG); UTS 39 look-alikes; obfuscation of numbers in
//!          advertisements: Chambers et al., W-NUT 2019 (D19-5507)
//! ```
//!
//! Whether a leak matters, before a booking or after it, is for rules to say: `data.booking_status` stands beside the
//! signal. Pieces join in the order of their event time, whatever order they arrive in.

mod address;
mod data;
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

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::address::Address;
use self::intent::{Direction, Proposal};
use self::lexicon::LOWER;
use self::normalise::Text;
use self::phone::Phone;
use crate::event::{Data, Event, EventType};
use crate::operator::{Fact, Feeds, Operator, Setup, Yields};
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
    /// A one-time code that the other was sent is asked for: whoever has it has his account.
    Code,
}

impl LeakKind {
    fn name(self) -> &'static str {
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
struct Find {
    kind: LeakKind,
    strength: f64,
    disguise: &'static str,
    messages: usize,
    evidence: String,
    direction: Direction,
}

/// What its signal carries.
const FIELDS: &[SignalField] = &[
    SignalField {
        name: "kind",
        ty: SignalType::Text,
        doc: "What leaked: phone, email, link, handle or intent; code: a one-time code is asked for",
    },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 2 }, doc: "How sure the find is, 0 to 1, by its form" },
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
];

impl Operator for ContactLeak {
    const NAME: &'static str = "contact_leak";
    const VERSION: u16 = 2;
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

    fn feed(setup: &Setup<Params>, fact: &Fact<'_, '_>, state: &mut Pieces) -> Option<Signal> {
        Self::observe(&setup.params, fact.event, state)
    }
}

impl ContactLeak {
    /// Looks at one event of the key that `state` belongs to.
    fn observe(params: &Params, event: &Event<'_>, state: &mut Pieces) -> Option<Signal> {
        let Data::ChatMessage(message) = &event.data else { return None };
        let found = look(params, message.text.get()?.expose(), event.clock(), state)?;
        if found.strength < params.strength_min {
            return None;
        }
        Some(Signal::new(
            FIELDS,
            [
                OwnedValue::Str(found.kind.name().into()),
                OwnedValue::Double(found.strength),
                OwnedValue::Str(found.disguise.into()),
                OwnedValue::Int(i64::try_from(found.messages).unwrap_or(i64::MAX)),
                OwnedValue::Str(found.evidence.into()),
                OwnedValue::Str(found.direction.name().into()),
            ],
        ))
    }
}

fn look(params: &Params, raw: &str, at_ms: i64, state: &mut Pieces) -> Option<Find> {
    let text = Text::new(raw);
    let wanted = |kind: LeakKind| params.kinds.contains(&kind);
    let mut finds = [
        address_if(wanted(LeakKind::Link) && text.may_hold_address(), LeakKind::Link, || address::link(&text)),
        address_if(wanted(LeakKind::Email) && text.may_hold_address(), LeakKind::Email, || {
            address::email(&text).or_else(|| address::mailbox(&text))
        }),
        wanted(LeakKind::Phone).then(|| phone(params, &text, at_ms, state)).flatten(),
        address_if(wanted(LeakKind::Handle) && text.may_hold_address(), LeakKind::Handle, || handle::handle(&text)),
    ];
    // The first of equals: a link to a number is a link.
    let best = finds.iter_mut().filter_map(Option::take).reduce(|best, next| if next.strength > best.strength { next } else { best });
    // A code is asked for, whatever else is said.
    let speaks = if wanted(LeakKind::Intent) && best.is_none() || wanted(LeakKind::Code) && text.classes & LOWER != 0 {
        intent::proposal(&text)
    } else {
        None
    };
    let proposal = speaks.filter(|proposal| if proposal.code { wanted(LeakKind::Code) } else { wanted(LeakKind::Intent) });
    match proposal {
        Some(Proposal { code, direction, evidence }) if code || best.is_none() => Some(Find {
            kind: if code { LeakKind::Code } else { LeakKind::Intent },
            strength: if code { 0.8 } else { 0.55 },
            disguise: "none",
            messages: 1,
            evidence: evidence.to_owned(),
            direction,
        }),
        _ => best,
    }
}

fn address_if(wanted: bool, kind: LeakKind, find: impl FnOnce() -> Option<Address>) -> Option<Find> {
    let Address { strength, disguise, evidence } = if wanted { find()? } else { return None };
    Some(Find { kind, strength, disguise, messages: 1, evidence, direction: Direction::Gives })
}

fn phone(params: &Params, text: &Text, at_ms: i64, state: &mut Pieces) -> Option<Find> {
    if !text.has_digits && !text.has_numbers && !text.has_pictures {
        return None;
    }
    let found = |phone: Phone, messages| Find {
        kind: LeakKind::Phone,
        strength: phone.strength,
        disguise: phone.disguise.name(),
        messages,
        evidence: mask::phone(&phone.e164, phone.country_len, phone.prefix_len),
        direction: Direction::Gives,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::chat::ChatMessage;
    use crate::event::text::{ConversationId, FreeText, UserId};
    use crate::event::units::Timestamp;
    use proptest::prelude::*;
    use rstest::rstest;

    fn message(text: &str, at_s: i64) -> Event<'_> {
        Event {
            id: "1".into(),
            source: "s".into(),
            time: Timestamp::from_millis(1_700_000_000_000 + at_s * 1000),
            received: None,
            data: Data::ChatMessage(Box::new(ChatMessage {
                conversation_id: ConversationId::new("c_1"),
                sender_id: UserId::new("u_1"),
                recipient_id: UserId::new("u_2"),
                text: FreeText::new(text).into(),
                booking_id: None,
                booking_status: None,
                media: None,
            })),
        }
    }

    /// The signals of messages that come 20 s apart, each as `kind disguise messages evidence`.
    fn signals(params: &Params, texts: &[&str], gap_s: i64) -> Vec<Option<String>> {
        let mut state = Pieces::default();
        let times = (0..).map(|n| n * gap_s);
        let signals = texts.iter().zip(times).map(|(text, at_s)| ContactLeak::observe(params, &message(text, at_s), &mut state));
        signals.map(|signal| signal.map(|signal| shown(&signal))).collect()
    }

    fn shown(signal: &Signal) -> String {
        let field = |index| match signal.get(index) {
            Some(OwnedValue::Str(text)) => text.to_string(),
            Some(OwnedValue::Int(number)) => number.to_string(),
            other => panic!("unexpected {other:?}"),
        };
        format!("{} {} {} {}", field(0), field(2), field(3), field(4))
    }

    fn one(text: &str) -> Option<String> {
        signals(&Params::default(), &[text], 0).remove(0)
    }

    #[rstest]
    #[case::phone("my number is 01012345642", "phone none 1 +20 10•• ••• •42")]
    #[case::separators("0.1.0.1.2.3.4.5.6.4.2", "phone separators 1 +20 10•• ••• •42")]
    #[case::script("０１０12345642", "phone script 1 +20 10•• ••• •42")]
    #[case::eastern_is_usual("٠١٠١٢٣٤٥٦٤٢", "phone none 1 +20 10•• ••• •42")]
    #[case::words("صفر واحد صفر واحد اتنين تلاتة اربعة خمسة ستة اربعة اتنين", "phone words 1 +20 10•• ••• •42")]
    #[case::letters("O1O12345642", "phone letters 1 +20 10•• ••• •42")]
    #[case::reversed("بالعكس 24654321010", "phone reversed 1 +20 10•• ••• •42")]
    #[case::link("wa.me/201012345642", "link none 1 whatsapp link")]
    #[case::email("somebody@gmail.com", "email none 1 s•••@•••")]
    #[case::handle("insta some_body7", "handle none 1 @s•••")]
    #[case::intent("send me your number", "intent none 1 your number")]
    fn a_signal_says_what_and_how_and_names_nobody(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(one(text).as_deref(), Some(expected));
    }

    #[rstest]
    #[case::pieces(&["010", "1234", "5642"])]
    #[case::digit_by_digit(&["0", "1", "0", "1", "2", "3", "4", "5", "6", "4", "2"])]
    #[case::words(&["صفر واحد صفر", "one two three four", "5 6 4 2"])]
    #[case::with_country(&["+20", "10123", "45642"])]
    #[case::with_talk(&["first part 01012", "is it still hot there", "and then 345642"])]
    #[case::after_an_unrelated_digit(&["5", "010", "1234", "5642"])]
    #[case::around_a_measure(&["010", "10 meters", "1234", "5642"])]
    fn a_number_over_several_messages_is_seen_when_it_is_complete(#[case] texts: &[&str]) {
        let signals = signals(&Params::default(), texts, 20);
        let (last, before) = signals.split_last().expect("messages");
        assert!(before.iter().all(Option::is_none));
        let last = last.as_deref().expect("complete");
        assert!(last.starts_with("phone split ") && last.ends_with("+20 10•• ••• •42"), "{last}");
    }

    #[rstest]
    #[case::prices(&["1200", "or 1500", "make it 1350"])]
    #[case::address(&["building 10", "12", "floor 3"])]
    #[case::times(&["at 10", "11?", "12 is better", "ok 12:30"])]
    #[case::sizes(&["60x90", "80x120", "100x150"])]
    #[case::sums_to_too_many(&["010", "1234", "56420"])]
    fn numbers_of_ordinary_talk_are_not_joined(#[case] texts: &[&str]) {
        assert!(signals(&Params::default(), texts, 20).iter().all(Option::is_none));
    }

    #[test]
    fn pieces_are_forgotten_after_the_span() {
        let texts = ["01012345", "642"];
        let fires = |gap_s| signals(&Params::default(), &texts, gap_s).pop().flatten().is_some();
        assert!(fires(0) && fires(900) && !fires(901));
        // A piece that comes late stands where it was written; the beginning of a number goes before the rest of it.
        assert!(fires(-60));
        let alone = Params { split_s_max: 0, ..Params::default() };
        assert!(signals(&alone, &texts, 1).iter().all(Option::is_none));
    }

    #[test]
    fn a_whole_number_clears_the_pieces() {
        let texts = ["010", "01112345678", "12345642"];
        assert_eq!(signals(&Params::default(), &texts, 10).iter().filter(|signal| signal.is_some()).count(), 1);
    }

    #[test]
    fn only_the_kinds_asked_for_are_told() {
        let params = Params { kinds: vec![LeakKind::Email], ..Params::default() };
        assert_eq!(signals(&params, &["01012345642", "send me your number"], 1), [None, None]);
        let strong = Params { strength_min: 0.9, ..Params::default() };
        assert_eq!(signals(&strong, &["landline 034567800", "send me your number"], 1), [None, None]);
    }

    #[rstest]
    #[case("tamam, see you at 10")]
    #[case("شارع ٩ عمارة ١٥ شقة ١٢")]
    #[case("3ayez 7ad ysala7 el takyeef bokra")]
    #[case("order 8845120 is late, hotline 19123 does not answer")]
    #[case("")]
    fn ordinary_talk_is_quiet(#[case] text: &str) {
        assert_eq!(one(text), None);
    }

    /// A mobile number.
    fn mobile() -> impl Strategy<Value = String> {
        ("01[0125]", "[0-9]{8}").prop_map(|(prefix, rest)| prefix + &rest)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_text_panics_and_no_evidence_is_raw(texts in proptest::collection::vec("\\PC{0,60}|[0-9olIS@.+ wa/me]{0,60}", 1..6)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for signal in signals(&Params::default(), &texts, 5).into_iter().flatten() {
                let evidence = signal.splitn(4, ' ').last().unwrap_or_default();
                let longest = evidence.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
                prop_assert!(longest < Some(5), "{}", evidence);
            }
        }

        #[test]
        fn invisible_marks_and_other_digits_change_no_verdict(
            text in "[a-z]{0,6} ?[0-9+ -]{0,14}( [a-z]{0,6})?", mark in prop::sample::select(vec!['\u{200b}', '\u{200e}', '\u{2060}', '\u{feff}', 'ـ']),
            zero in prop::sample::select(vec!['٠', '۰', '０', '०', '𝟎', '𝟬']),
        ) {
            let plain = one(&text).is_some();
            let marked: String = text.chars().flat_map(|c| [c, mark]).collect();
            prop_assert_eq!(one(&marked).is_some(), plain);
            // Digits that touch letters may be letters of Franco.
            let apart = text.replace(|c: char| c.is_ascii_lowercase(), "-");
            let other: String = apart.chars().map(|c| c.to_digit(10).and_then(|digit| char::from_u32(u32::from(zero) + digit)).unwrap_or(c)).collect();
            prop_assert_eq!(one(&other).is_some(), one(&apart).is_some());
        }

        #[test]
        fn any_number_is_found_under_any_separator_and_cut(number in mobile(), mark in prop::sample::select(vec![" ", "-", ".", "/", "*", " 🌸 ", "\n"]), cut in 1_usize..10) {
            let spaced: Vec<String> = number.chars().map(String::from).collect();
            // Digit by digit, a number that counts up could be a count.
            prop_assert!(one(&spaced.join(mark)).is_some() || number.contains("0123456789"));
            let (left, right) = number.split_at(cut);
            let together = format!("{left}{mark}{right}");
            prop_assert!(one(&together).is_some(), "{}", together);
            prop_assert!(signals(&Params::default(), &[left, right], 9).iter().all(Option::is_some) || signals(&Params::default(), &[left, right], 9)[1].is_some());
        }
    }
}
