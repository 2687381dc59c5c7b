//! From text to verdict, for people: every candidate, each test of it, and what is told in the end. It is the detector that detects,
//! with a trail; all that leaves is masked as in alerts, and nothing is kept.

use serde::Serialize;

use super::normalise::{Span, Text};
use super::trail::{Note, REFUSED};
use super::{Find, LeakKind, Params, Pieces, STRENGTH_DECIMALS, judge, mask, tricks};
use crate::signal::round_to;

/// How one message was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// What is told of it; nothing where nothing was found that is strong enough.
    pub verdict: Option<Verdict>,
    /// What could have been a find, in the order of where it begins.
    pub candidates: Vec<Candidate>,
    /// Whether it is longer than the 4 KiB that are looked at.
    pub cut: bool,
    /// Whether more was tested than is listed: 200 tests are.
    pub shortened: bool,
}

/// What a signal carries: see the detector's fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the signal's, and documented there")]
pub struct Verdict {
    pub kind: LeakKind,
    pub strength: f64,
    pub disguise: &'static str,
    pub messages: usize,
    pub evidence: String,
    pub direction: &'static str,
    pub start_char: u16,
    pub length_chars: u16,
    pub tricks: String,
    pub tries: u16,
}

/// A part of a message that could have been a find.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// What it could be.
    pub kind: LeakKind,
    /// Where it begins in the message, in characters from 0.
    pub start_char: u16,
    /// How many characters it takes from there.
    pub length_chars: u16,
    /// What was found, masked as in alerts; of what was not, its outline: a dot a digit, three rings a word.
    pub masked: String,
    /// How it was hidden, as in signals.
    pub tricks: String,
    /// What was tested, in that order.
    pub tests: Vec<Test>,
    /// How sure the find is, 0 to 1, by its form; nothing where it is none.
    pub strength: Option<f64>,
    /// What the writer does by it: gives, asks, proposes, agrees; refuses.
    pub direction: Option<&'static str>,
}

/// One test of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Test {
    /// Whether it speaks for the candidate.
    pub passed: bool,
    /// What it is taken for, and why.
    pub why: &'static str,
}

/// How the messages of one sender are read, as if he had written them in this order within a second.
pub fn explain(params: &Params, messages: &[&str]) -> Vec<Reading> {
    let mut state = Pieces::default();
    messages.iter().map(|raw| read(params, raw, &mut state)).collect()
}

fn read(params: &Params, raw: &str, state: &mut Pieces) -> Reading {
    let mut text = Text::traced(raw);
    let verdict = judge(params, &text, 0, state).map(|(find, tries)| Verdict {
        kind: find.kind,
        strength: round_to(find.strength, STRENGTH_DECIMALS),
        disguise: find.disguise,
        messages: find.messages,
        evidence: find.evidence,
        direction: find.direction.name(),
        start_char: find.span.start,
        length_chars: find.span.length(),
        tricks: tricks::names(find.tricks),
        tries,
    });
    let (notes, finds, shortened) = text.trail.take().unwrap_or_default().into_parts();
    let mut places: Vec<(Span, LeakKind)> = notes.iter().map(|note| (note.span, note.kind)).collect();
    // A number in pieces stands in another message.
    places.extend(finds.iter().filter(|find| find.messages == 1).map(|find| (find.span, find.kind)));
    places.sort_unstable_by_key(|(span, kind)| (*span, kind.name()));
    places.dedup();
    let candidates = places.into_iter().map(|(span, kind)| candidate(&text, span, kind, &notes, &finds)).collect();
    Reading { verdict, candidates, cut: text.cut, shortened }
}

fn candidate(text: &Text, span: Span, kind: LeakKind, notes: &[Note], finds: &[Find]) -> Candidate {
    let find = finds.iter().find(|find| find.messages == 1 && (find.span, find.kind) == (span, kind));
    let tests: Vec<Test> = notes
        .iter()
        .filter(|note| (note.span, note.kind) == (span, kind))
        .map(|note| Test { passed: note.passed, why: note.why })
        .collect();
    let refuses = tests.iter().any(|test| !test.passed && test.why == REFUSED);
    Candidate {
        kind,
        start_char: span.start,
        length_chars: span.length(),
        masked: find.map_or_else(|| mask::outline(text.written(span)), |find| find.evidence.clone()),
        tricks: tricks::names(find.map_or_else(|| text.tricks(span), |find| find.tricks)),
        tests,
        strength: find.map(|find| round_to(find.strength, STRENGTH_DECIMALS)),
        direction: find.map(|find| find.direction.name()).or(refuses.then_some("refuses")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn one(text: &str) -> Reading {
        explain(&Params::default(), &[text]).remove(0)
    }

    /// What is said of the candidates of a message: `kind masked: + why; - why`.
    fn said(reading: &Reading) -> Vec<String> {
        let test = |test: &Test| format!("{} {}", if test.passed { '+' } else { '-' }, test.why);
        let tests = |candidate: &Candidate| candidate.tests.iter().map(test).collect::<Vec<_>>().join("; ");
        reading.candidates.iter().map(|of| format!("{} {}: {}", of.kind.name(), of.masked, tests(of))).collect()
    }

    #[rstest]
    #[case::date("01.02.2026 - 15.02.2026", "looks like dates")]
    #[case::pin("30.0444, 31.2357", "a place on the map")]
    #[case::few("350 pounds", "too few digits")]
    #[case::longer("1 2 3 010 1234 5678 5 5 5 5", "part of a longer row")]
    #[case::link("https://shop.example/p/01112345678?v=2", "inside a link")]
    #[case::label("INV-0102-2026-001", "with a label")]
    #[case::zero_missing("order 1012345678", "its zero is missing")]
    #[case::plans("0101234567", "a numbering plan")]
    #[case::measure("at 10:30 ok", "a clock time")]
    #[case::mail("price @ 150 each", "no host")]
    #[case::shop("see https://www.instagram.com/p/Cx12", "one post")]
    #[case::site("look at ikea.com", "nothing says that it is the writer's")]
    #[case::job("12 instagram posts per month", "the platform is the work")]
    #[case::refused("sorry, I can't give you my number", "it is refused")]
    #[case::retold("he asked for my number", "retold")]
    #[case::allowed("are we allowed to talk on whatsapp?", "allowed")]
    #[case::warned("beware, he may send a code to your number", "a warning")]
    #[case::code("G-024334 is your verification code", "the code stands there")]
    fn what_is_none_is_said_to_be_something_else(#[case] text: &str, #[case] why: &str) {
        let reading = one(text);
        assert_eq!(reading.verdict, None);
        let tests = reading.candidates.iter().flat_map(|candidate| &candidate.tests);
        assert!(tests.filter(|test| !test.passed).any(|test| test.why.contains(why)), "{:#?}", said(&reading));
    }

    #[test]
    fn what_is_found_is_said_with_the_rest() {
        let reading = one("on 12/05 call 01012345642, not before 10:30");
        let verdict = reading.verdict.clone().expect("a number");
        assert_eq!((verdict.evidence.as_str(), verdict.start_char, verdict.length_chars), ("+20 10•• ••• •42", 14, 11));
        assert!(said(&reading).contains(&"phone +20 10•• ••• •42: + a mobile number of Egypt".to_owned()), "{:#?}", said(&reading));
        assert!(reading.candidates.is_sorted_by_key(|candidate| candidate.start_char) && reading.candidates.len() > 1);
    }

    #[test]
    fn how_sure_it_is_has_the_decimals_of_the_signal() {
        let verdict = one("o  l aa +5210000000 o  l aa").verdict.expect("a number of another country");
        assert_eq!(verdict.strength.to_string(), "0.8", "0.9 and a tenth less is 0.7999999999999999");
    }

    #[test]
    fn pieces_of_one_sender_are_put_together() {
        let readings = explain(&Params::default(), &["first 01012", "then 345642"]);
        assert_eq!(readings[0].verdict, None);
        assert!(readings[0].candidates.iter().flat_map(|of| &of.tests).any(|test| test.passed && test.why.contains("kept for a while")));
        let verdict = readings[1].verdict.as_ref().expect("a number");
        assert_eq!((verdict.messages, verdict.start_char, verdict.length_chars, verdict.tricks.as_str()), (2, 6, 5, "pieces"));
    }

    #[test]
    fn who_refuses_is_said_to() {
        let reading = one("no, I can't give you my number");
        assert!(reading.candidates.iter().any(|candidate| candidate.direction == Some("refuses")), "{reading:#?}");
    }

    #[test]
    fn a_long_list_of_tests_is_shortened() {
        let reading = one(&"a@1 b@2 ".repeat(400));
        assert!(reading.shortened && reading.candidates.len() <= 201, "{}", reading.candidates.len());
        assert!(!one("350 pounds").shortened);
    }

    /// Everything that somebody could see of a reading.
    fn shown(readings: &[Reading]) -> String {
        format!("{readings:?} {}", serde_json::to_string(readings).expect("JSON")).to_lowercase()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Canaries: a number and a name, written in several ways among other things.
        #[test]
        fn nothing_raw_is_in_a_reading(
            digits in "01[0125][0-9]{8}|[0-9]{5,24}|\\+[1-9][0-9]{6,14}", name in "[qxzjvk]{5,9}", figures in "[0-9]{2,7}",
            mark in prop::sample::select(vec!["", " ", "-", ".", "/", " call ", "\u{200b}", "🌸"]), talk in "\\PC{0,20}|[a-z ]{0,30}",
            way in 0_usize..9,
        ) {
            let spaced: Vec<String> = digits.chars().map(String::from).collect();
            let spaced = spaced.join(mark);
            let with = [
                format!("{talk} {spaced} {talk}"),
                format!("call {spaced}, my insta is {name}{figures}"),
                format!("{talk} {name}.{name}{figures}@gmail.com {spaced}"),
                format!("{name} at gmail dot com"),
                format!("https://t.me/{name} {talk} https://{name}.com/{name}/{digits}"),
                format!("@{name} on telegram {talk}"),
                format!("{name}_{figures} insta {spaced} can't give you my number"),
                format!("my snap is {name}, instapay {name}@instapay"),
                format!("add {name} underscore {name} on instagram"),
            ];
            let (left, right) = digits.split_at(digits.len() / 2);
            let shown = shown(&explain(&Params::default(), &[with[way].as_str(), left, right, "ok"]));
            let longest = shown.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            prop_assert!(longest < Some(5), "{}", shown);
            for start in 0..=name.len() - 5 {
                prop_assert!(!shown.contains(name.get(start..start + 5).expect("letters of ASCII")), "{}", shown);
            }
        }

        /// A trail changes no verdict.
        #[test]
        fn a_reading_says_what_the_detector_says(texts in prop::collection::vec("\\PC{0,60}|([0-9@./: ]|one |call |my insta |send me |zero |no ){0,30}", 1..5)) {
            let (mut silent, params) = (Pieces::default(), Params::default());
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for (text, reading) in texts.iter().zip(explain(&params, &texts)) {
                let judged = judge(&params, &Text::new(text), 0, &mut silent);
                let judged = judged.map(|(find, tries)| (find.kind, find.evidence, find.span.start, find.span.length(), tries));
                let told = reading.verdict.map(|of| (of.kind, of.evidence, of.start_char, of.length_chars, of.tries));
                prop_assert_eq!(told, judged);
            }
        }
    }
}
