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
#[case::plain("my number is 01012345642", (13, 11), "")]
#[case::separators("رقمي 0-1.0/1*2_3~4|5 6\n4 2", (5, 21), "separators")]
#[case::plus("on (+20) 10 1234 5642.", (4, 17), "")]
#[case::plus_behind("رقمي 5642 1234 10 20+", (5, 16), "reversed")]
#[case::words("one moment: zero one zero one two three four five six four two ok", (12, 50), "digits_in_words")]
#[case::letters("call O1O12345642", (5, 11), "letters_for_digits")]
#[case::script("０１０12345642", (0, 11), "look_alike_glyphs")]
#[case::both("call ٠١٠ 1234 5642", (5, 13), "mixed_digits")]
#[case::hidden("call 0\u{200b}1\u{200b}012345642", (5, 13), "invisible_characters")]
#[case::pictures("⭕🥇0️⃣ 🥇✌️🥉🕓 ✋🕕🕓✌️", (0, 16), "look_alike_glyphs,pictures")]
#[case::misspelt("call zero wan zero one tow tree for fiv siks four two", (5, 48), "digits_in_words,misspelt")]
#[case::between("block 010 unit 1234 door 5642", (6, 23), "words_between")]
#[case::glued("callme01012345642please", (6, 11), "glued")]
#[case::reversed("بالعكس 24654321010", (7, 11), "reversed")]
#[case::e_mail("to some.body@gmail.com please", (3, 19), "")]
#[case::worded("somebody at gmail dot com", (0, 25), "marks_in_words")]
#[case::slip("some.body77@gmial.com", (0, 21), "misspelt")]
#[case::spelled("n a m e @ g m a i l . c o m", (0, 27), "separators,spelled_out")]
#[case::link("look: https://wa.me/201012345642 ok", (6, 26), "")]
#[case::spaced_link("t . me / somebody", (0, 17), "separators")]
#[case::handle("insta: some_body7 yes", (7, 10), "")]
#[case::intent("hello. send me your number. ok", (0, 30), "")]
fn a_signal_says_where_and_every_trick(#[case] text: &str, #[case] place: (i64, i64), #[case] tricks: &str) {
    let signal = ContactLeak::observe(&Params::default(), &message(text, 0), &mut Pieces::default()).expect("a find");
    let number = |index| if let Some(OwnedValue::Int(number)) = signal.get(index) { *number } else { panic!("{signal:?}") };
    let Some(OwnedValue::Str(told)) = signal.get(8) else { panic!("{signal:?}") };
    assert_eq!(((number(6), number(7)), &**told), (place, tricks));
}

/// What one sender's signals say from the field of that index on.
fn said_from(index: usize, texts: &[(&str, i64)]) -> Vec<Vec<OwnedValue>> {
    let mut state = Pieces::default();
    let signals = texts.iter().filter_map(|(text, at_s)| ContactLeak::observe(&Params::default(), &message(text, *at_s), &mut state));
    signals.map(|signal| (index..FIELDS.len()).filter_map(|index| signal.get(index).cloned()).collect()).collect()
}

#[test]
fn a_number_in_pieces_stands_where_its_first_piece_does() {
    let texts = [("first part 01012", 0), ("is it still hot there", 10), ("and then 345642", 20)];
    let expected =
        vec![OwnedValue::Int(11), OwnedValue::Int(5), OwnedValue::Str("pieces".into()), OwnedValue::Int(1), OwnedValue::Bool(false)];
    assert_eq!(said_from(6, &texts), [expected]);
}

#[test]
fn tries_are_counted_while_they_follow_each_other() {
    let tries = |texts: &[(&str, i64)]| said_from(9, texts).into_iter().map(|mut said| said.remove(0)).collect::<Vec<_>>();
    let number = "01012345642";
    assert_eq!(
        tries(&[(number, 0), ("ok", 60), ("send me your number", 900), ("010", 960), ("12345642", 1_000)]),
        [1, 2, 3].map(OwnedValue::Int)
    );
    assert_eq!(tries(&[(number, 0), (number, 901), (number, 902)]), [1, 1, 2].map(OwnedValue::Int));
    // One that comes late is one of those around it, or stands alone.
    assert_eq!(tries(&[(number, 2_000), (number, 1_500), (number, 0), (number, 2_100)]), [1, 2, 1, 3].map(OwnedValue::Int));
    let weak = Params { strength_min: 0.9, ..Params::default() };
    let mut state = Pieces::default();
    assert_eq!(ContactLeak::observe(&weak, &message("send me your number", 0), &mut state), None);
    let signal = ContactLeak::observe(&weak, &message(number, 1), &mut state).expect("a number");
    assert_eq!(signal.get(9), Some(&OwnedValue::Int(1)));
}

#[test]
fn what_hides_behind_four_kilobytes_is_told_to_be_there() {
    let cut = |text: &str| said_from(10, &[(text, 0)]).concat();
    assert_eq!(cut("01012345642"), [OwnedValue::Bool(false)]);
    assert_eq!(cut(&format!("01012345642 {}", "و".repeat(2_050))), [OwnedValue::Bool(true)]);
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
