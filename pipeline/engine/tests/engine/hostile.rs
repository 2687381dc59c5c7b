//! Rule files that nobody means well with: each ends soon, in a ruleset or in faults that say where.

#![expect(clippy::indexing_slicing, clippy::string_slice, reason = "what is out of range fails the test")]
#![expect(clippy::disallowed_methods, reason = "that it ends soon is what is tested")]

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rasid_compiler::{Report, SourceFile, compile};
use rasid_engine::run_tests;
use rstest::rstest;

/// Far more than any takes, in the tests' profile beside other tests.
const LONG: Duration = Duration::from_secs(20);

/// Compiles a rule file and runs its tests; what is wrong with it, where it is wrong.
fn checked(name: &str, text: &str) -> Option<Report> {
    let start = Instant::now();
    let files = [SourceFile { name: name.to_owned(), text: text.to_owned() }];
    let report = match compile(&files) {
        Ok(ruleset) => {
            let outcome = run_tests(&ruleset).expect("an engine");
            outcome.failures.or_else(|| ruleset.warnings_at(0))
        }
        Err(report) => {
            assert!(!report.faults.is_empty());
            Some(report)
        }
    };
    assert!(start.elapsed() < LONG, "{:?} for {} bytes: {}…", start.elapsed(), text.len(), text.chars().take(400).collect::<String>());
    if let Some(report) = &report {
        for fault in &report.faults {
            let (line, column) = report.position(fault);
            assert!(line >= 1 && column >= 1 && fault.span.end <= text.len() && fault.span.start <= fault.span.end, "{fault:?}");
            assert!(text.is_char_boundary(fault.span.start) && text.is_char_boundary(fault.span.end), "{fault:?}");
            assert!(!fault.message.is_empty());
        }
        let shown = report.render(false);
        assert!(shown.contains(&format!("{name}:")), "{shown}");
    }
    report
}

fn shipped() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut found = Vec::new();
    for area in ["auth", "chat", "gps", "payment"] {
        for entry in std::fs::read_dir(root.join(area)).expect("the shipped rules") {
            let path = entry.expect("an entry").path();
            let name = format!("{area}/{}", path.file_name().and_then(|name| name.to_str()).expect("a name"));
            found.push((name, std::fs::read_to_string(&path).expect("a rule")));
        }
    }
    found.sort();
    found
}

const HEAD: &str = "rule: auth.x\ntitle: t\nentity: phone\n";

/// So many lines.
fn times(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).map(of).collect::<Vec<_>>().concat()
}

fn rule(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

fn of_codes(when: &str) -> String {
    rule(&format!(
        "on: auth.otp_requested\nlet:\n  n: {{count: auth.otp_requested, by: phone, window: 90d}}\nwhen: {when}\nexplain: '{{n}}'\n"
    ))
}

#[rstest]
#[case::empty(String::new())]
#[case::blanks(" \n\t\n".to_owned())]
#[case::a_word("x".to_owned())]
#[case::nul("rule: \0\n".to_owned())]
#[case::only_brackets("[".repeat(100_000))]
#[case::only_braces("{".repeat(100_000))]
#[case::nested_blocks(times(2_000, |depth| format!("{}a:\n", " ".repeat(depth))))]
#[case::nested_items("- ".repeat(100_000))]
#[case::one_long_key(format!("{}: 1\n", "k".repeat(200_000)))]
#[case::one_long_text(format!("title: {}\n", "t".repeat(250_000)))]
#[case::too_long("#".repeat(300_000))]
#[case::anchors(format!("a: &a [x]\n{}", times(1_000, |n| format!("b{n}: [*a, *a]\n"))))]
#[case::quotes("\"".repeat(10_001))]
#[case::marks_that_turn_text_round(rule("on: auth.otp_requested\nwhen: \"\u{202e}true\u{2066}\"\nexplain: '\u{202e}'\n"))]
#[case::parentheses(of_codes(&format!("{}n{} > 1", "(".repeat(2_000), ")".repeat(2_000))))]
#[case::not_not(of_codes(&format!("{}(n > 1)", "!".repeat(4_000))))]
#[case::minus_minus(of_codes(&format!("{}n > 1", "-".repeat(4_000))))]
#[case::a_long_sum(of_codes(&format!("{}n > 1", "n+".repeat(2_000))))]
#[case::many_ors(of_codes(&(0..400).map(|n| format!("n=={n}")).collect::<Vec<_>>().join("||")))]
#[case::questions(of_codes(&format!("{}n > 1", "n>1?true:".repeat(400))))]
#[case::a_pattern_that_runs_away(of_codes("n > 1 && data.purpose.matches('(((a+)+)+)+$')"))]
#[case::a_pattern_that_is_huge(of_codes("n > 1 && data.purpose.matches('((a{1000}){1000}){1000}')"))]
#[case::numbers_beyond_all(of_codes(&format!("n > {}", "9".repeat(400))))]
#[case::a_number_of_a_thousand_powers(of_codes("double(n) > 1e999"))]
#[case::a_list_of_lists(of_codes(&format!("{}1{}.exists(x, true)", "[".repeat(300), "]".repeat(300))))]
#[case::loops_in_loops(rule(&format!(
    "on: auth.otp_requested\nparams: {{l: [{}]}}\nwhen: {}\nexplain: e\ntests:\n  - {{name: a, events: [{{at: 0s, type: auth.otp_requested, data: {{phone: '1', ip: 192.0.2.1, purpose: login}}}}], alerts: []}}\n",
    (0..400).map(|n| n.to_string()).collect::<Vec<_>>().join(","),
    "params.l.all(a, params.l.all(b, params.l.all(c, params.l.all(d, a + b + c + d >= 0))))"
)))]
#[case::braces_without_end(rule(&format!("on: auth.otp_requested\nwhen: 'true'\nexplain: '{}'\n", "{".repeat(20_000))))]
#[case::a_name_many_times_over(rule(&format!("on: auth.otp_requested\nwhen: 'true'\nexplain: '{}'\n", "{data.phone}".repeat(10_000))))]
#[case::events_without_number(rule(&format!(
    "on: auth.otp_requested\nwhen: 'true'\nsuppress: 0s\nexplain: e\ntests:\n{}",
    times(200, |n| format!("  - {{name: t{n}, events: [{{at: 0s, every: 1ms, times: 100000, type: auth.otp_requested, data: {{phone: '1', ip: 192.0.2.1, purpose: login}}}}], alerts: []}}\n"))
)))]
#[case::every_type_every_override(every_type_every_override())]
#[case::overrides_that_each_make_states(states_of_overrides())]
fn what_is_hostile_ends_soon(#[case] text: String) {
    checked("auth/x.yaml", &text);
}

#[rstest]
#[case::many("base: EGP\nrates:\n".to_owned() + &times(40_000, |n| format!("  - {{currency: USD, per_unit: 1, since: {n}}}\n")))]
#[case::all_alike("base: EGP\nrates:\n".to_owned() + &"  - {currency: USD, per_unit: 47.85}\n".repeat(20_000))]
#[case::long("base: EGP\nrates: [{currency: USD, per_unit: 4".to_owned() + &"7".repeat(1_000_000) + "}]\n")]
#[case::fine("base: EGP\nrates: [{currency: USD, per_unit: 0.".to_owned() + &"0".repeat(1_000_000) + "1}]\n")]
#[case::no_number("base: EGP\nrates: [{currency: USD, per_unit: .nan}, {currency: AED, per_unit: -.inf}, {currency: KWD, per_unit: 0x10}]\n".to_owned())]
#[case::everywhen("base: EGP\nrates: [{currency: USD, per_unit: 1, since: 0000-01-01}, {currency: USD, per_unit: 2, since: 9999-12-31}]\n".to_owned())]
#[case::nested("base: ".to_owned() + &"[".repeat(100_000))]
fn rates_that_are_hostile_end_soon(#[case] text: String) {
    checked("rates.yaml", &text);
}

/// Each override's condition is checked at each type.
fn every_type_every_override() -> String {
    let types: Vec<&str> = rasid_detectors::event::EventType::PRODUCED.iter().map(|event| event.name()).collect();
    let term = "(n > params.a && n < params.b || n == params.a)";
    let overrides = times(1_500, |n| format!("  - {{if: time.getHours() > {n}, params: {{a: {n}}}}}\n"));
    format!(
        "rule: auth.x\ntitle: t\nentity: all\non: [{}]\nparams: {{a: 1, b: 2}}\noverrides:\n{overrides}let:\n  n: {{count: [{}], by: all, window: 90d}}\nwhen: {}\nexplain: '{{n}}'\n",
        types.join(", "),
        types.join(", "),
        vec![term; 70].join(" && ")
    )
}

/// Each override has a value of its own in each binding's filter.
fn states_of_overrides() -> String {
    let bindings: String =
        times(40, |n| format!("  b{n}: {{count: auth.otp_requested, by: phone, window: {}s, where: time.getHours() > params.a}}\n", n + 1));
    let names: Vec<String> = (0..40).map(|n| format!("b{n} > 0")).collect();
    let overrides: String = times(500, |n| format!("  - {{if: time.getMinutes() == {n}, params: {{a: {n}}}}}\n"));
    rule(&format!(
        "on: auth.otp_requested\nparams: {{a: 1}}\noverrides:\n{overrides}let:\n{bindings}when: {}\nexplain: e\n",
        names.join(" || ")
    ))
}

/// Pieces that mean something to YAML, to CEL or to neither.
const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "&a ",
    "*a",
    "!x ",
    "|",
    ">",
    "'",
    "\"",
    "#",
    "\n",
    "\n  ",
    "\t",
    "\r\n",
    "- ",
    "---\n",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "9999999999999999999",
    "1e999",
    "-1",
    "null",
    "true",
    "params.",
    "data.",
    "data[\"x\"]",
    "(",
    ")",
    "&&",
    "||",
    "? 1 : ",
    ".exists(x, x > 1)",
    "window: 90d",
    "{n}",
];

#[derive(Clone, Debug)]
enum Change {
    Insert(prop::sample::Index, usize),
    Delete(prop::sample::Index, usize),
    /// A line in the place of another.
    Line(prop::sample::Index, prop::sample::Index),
    /// A line, so many times.
    Repeat(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        3 => (place(), 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        2 => (place(), 1_usize..40).prop_map(|(at, length)| Change::Delete(at, length)),
        1 => (place(), place()).prop_map(|(at, from)| Change::Line(at, from)),
        1 => (place(), 2_usize..300).prop_map(|(at, times)| Change::Repeat(at, times)),
    ]
}

fn changed(text: &str, change: &Change) -> String {
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    match change {
        Change::Insert(at, piece) => {
            let at = floor(at.index(text.len() + 1));
            format!("{}{}{}", &text[..at], PIECES[*piece], &text[at..])
        }
        Change::Delete(at, length) => {
            let from = floor(at.index(text.len() + 1));
            let to = floor((from + length).min(text.len())).max(from);
            format!("{}{}", &text[..from], &text[to..])
        }
        Change::Line(at, from) => {
            let mut lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                let (at, from) = (at.index(lines.len()), from.index(lines.len()));
                lines[at] = lines[from];
            }
            lines.join("\n")
        }
        Change::Repeat(at, times) => {
            let lines: Vec<&str> = text.lines().collect();
            let which = if lines.is_empty() { 0 } else { at.index(lines.len()) };
            let times_of = |number: usize| if number == which { *times } else { 1 };
            lines.iter().enumerate().flat_map(|(number, line)| std::iter::repeat_n(*line, times_of(number))).collect::<Vec<_>>().join("\n")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_into_a_rule_ends_in_faults_that_say_where(
        which in any::<prop::sample::Index>(), changes in proptest::collection::vec(change(), 1..5),
    ) {
        let shipped = shipped();
        let (name, text) = &shipped[which.index(shipped.len())];
        let text = changes.iter().fold(text.clone(), |text, change| changed(&text, change));
        checked(name, &text);
    }
}
