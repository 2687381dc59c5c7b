//! Which terms of a condition a rule's tests make true and make false.

use rasid_compiler::{Code, Diagnostic, SourceFile, compile};
use rasid_engine::{Coverage, RuleCoverage, cover, run_tests};

const RULE: &str = r#"rule: a.b
title: T
on: chat.message
entity: user(sender_id)
params: {most: 2}
overrides: [{if: data.recipient_id == "vip", params: {most: 1}}]
except: [friends]
let:
  n: {count: chat.message, by: user(sender_id), window: 1h}
when: n > params.most && (data.conversation_id == "c" || data.recipient_id == "r") && !(data.text in ["hi", "ho"])
suppress: 0s
explain: "{n}"
tests:
"#;

fn test(name: &str, count: usize, (conversation, sender, recipient, text): (&str, &str, &str, &str), alerts: &str) -> String {
    format!(
        "  - name: {name}\n    events: [{{at: 0s, every: 1s, times: {count}, type: chat.message, data: {{conversation_id: {conversation}, sender_id: {sender}, recipient_id: {recipient}, text: {text}}}}}]\n    alerts: [{alerts}]\n"
    )
}

/// What is covered, and each gap as it stands with what is said of it.
fn covered(tests: &[String]) -> (Coverage, Vec<(String, String)>) {
    let file = |name: &str, text: String| SourceFile { name: name.to_owned(), text };
    let list = "list: friends\nkind: user\nentries: [{value: friend, reason: R}]\n".to_owned();
    let ruleset = compile(&[file("a/b.yaml", format!("{RULE}{}", tests.concat())), file("lists/friends.yaml", list)])
        .unwrap_or_else(|report| panic!("{}", report.render(false)));
    let failures = run_tests(&ruleset).expect("an engine").failures;
    assert!(failures.is_none(), "{}", failures.map(|report| report.render(false)).unwrap_or_default());
    let coverage = cover(&ruleset).expect("an engine");
    let gaps = coverage.gaps.iter().flat_map(|report| {
        assert!(report.faults.iter().all(|gap| gap.code == Code::NotCovered && gap.help.is_some()));
        let text = |gap: &Diagnostic| report.sources.get(gap.file)?.text.get(gap.span.clone()).map(str::to_owned);
        report.faults.iter().map(move |gap| (text(gap).expect("a place in a file"), gap.message.clone()))
    });
    let gaps = gaps.collect();
    (coverage, gaps)
}

fn pairs(gaps: &[(&str, &str)]) -> Vec<(String, String)> {
    gaps.iter().map(|(text, message)| ((*text).to_owned(), (*message).to_owned())).collect()
}

const IF: &str = r#"data.recipient_id == "vip""#;
const EITHER: &str = r#"data.conversation_id == "c" || data.recipient_id == "r""#;
const GREETING: &str = r#"data.text in ["hi", "ho"]"#;

#[test]
fn what_no_test_makes_true_or_false_is_told_at_its_place() {
    let (coverage, gaps) = covered(&[test("few", 2, ("c", "u", "r", "x"), "")]);
    let never_asked = "no test asks this: what stands before it has always decided";
    let true_never = "no test makes this true";
    assert_eq!(
        gaps,
        pairs(&[
            (IF, true_never),
            ("n > params.most", true_never),
            (EITHER, never_asked),
            (r#"data.conversation_id == "c""#, never_asked),
            (r#"data.recipient_id == "r""#, never_asked),
            (GREETING, never_asked),
        ])
    );
    assert_eq!(coverage.rules, [RuleCoverage { rule: "a.b".to_owned(), tests: 1, terms: 6, covered: 0 }]);
}

#[test]
fn a_term_is_covered_once_it_was_both() {
    let mut tests = vec![test("three", 3, ("c", "u", "q", "x"), "{at: 2s, entity: user}")];
    let (coverage, gaps) = covered(&tests);
    assert_eq!(
        gaps,
        pairs(&[
            (IF, "no test makes this true"),
            (EITHER, "no test makes this false"),
            (r#"data.conversation_id == "c""#, "no test makes this false"),
            (r#"data.recipient_id == "r""#, "no test asks this: what stands before it has always decided"),
            (GREETING, "no test makes this true"),
        ])
    );
    assert_eq!((coverage.rules[0].terms, coverage.rules[0].covered), (6, 1));
    // One who is spared is not asked anything.
    tests.push(test("a friend", 3, ("d", "friend", "vip", "hi"), ""));
    let (_, gaps) = covered(&tests);
    assert!(!gaps.iter().any(|(text, _)| text == IF) && gaps.len() == 4, "{gaps:?}");
    tests.push(test("elsewhere", 3, ("d", "u", "q", "x"), ""));
    tests.push(test("to r", 3, ("d", "u", "r", "x"), "{at: 2s, entity: user}"));
    tests.push(test("greetings", 3, ("c", "u", "r", "hi"), ""));
    let (coverage, gaps) = covered(&tests);
    assert_eq!(gaps, []);
    assert_eq!(coverage.rules, [RuleCoverage { rule: "a.b".to_owned(), tests: 5, terms: 6, covered: 6 }]);
    assert!(coverage.gaps.is_none());
}

/// A rule without tests has a warning of its own.
#[test]
fn a_rule_without_tests_is_not_looked_at() {
    let text = RULE.replace("except: [friends]\n", "").replace("tests:\n", "");
    let ruleset = compile(&[SourceFile { name: "a/b.yaml".to_owned(), text }]).expect("no fault");
    let coverage = cover(&ruleset).expect("an engine");
    assert!(coverage.rules.is_empty() && coverage.gaps.is_none());
}
