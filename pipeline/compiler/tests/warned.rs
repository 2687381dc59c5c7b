//! Golden warnings: each file of `warned/` compiles, has one warning, and is shown as its snapshot says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{Code, Report, SourceFile, compile};
use rstest::rstest;

/// When they are asked for: 2026-11-21.
const NOW_MS: i64 = 1_795_219_200_000;

/// A file of `warned/`, with the lists and shared bindings of the folder of its name.
fn compiled(path: &Path) -> Ruleset {
    let read = |path: &Path, folder: &str| SourceFile {
        name: format!("{folder}{}", path.file_name().and_then(|name| name.to_str()).expect("a name")),
        text: std::fs::read_to_string(path).expect("readable"),
    };
    let mut files = vec![read(path, "")];
    for entry in std::fs::read_dir(path.with_extension("").join("lists")).into_iter().flatten() {
        files.push(read(&entry.expect("an entry").path(), "lists/"));
    }
    let shared = path.with_extension("").join("shared.yaml");
    files.extend(shared.exists().then(|| read(&shared, "")));
    compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

fn warned(path: &Path) -> Report {
    compiled(path).warnings_at(NOW_MS).expect("a warning")
}

#[rstest]
fn each_file_has_one_warning(#[files("tests/warned/*.yaml")] path: PathBuf) {
    let report = warned(&path);
    let rendered = report.render(false);
    let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("warned_{name}"), rendered);
    });
    assert_eq!(report.faults.len(), 1, "{rendered}");
    assert!(report.faults.iter().all(|found| found.code.is_warning() && found.help.is_some()), "{rendered}");
}

/// Those that `warned/` has a file for; a term that no test covers is found in the engine.
#[test]
fn every_code_has_a_file_and_stands_in_the_docs() {
    let mut seen = BTreeSet::from([Code::NotCovered]);
    for entry in std::fs::read_dir("tests/warned").expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            seen.extend(warned(&path).faults.into_iter().map(|found| found.code));
        }
    }
    let page = std::fs::read_to_string("../../docs/rules.md").expect("the page");
    let warnings: Vec<&Code> = Code::ALL.iter().filter(|code| code.is_warning()).collect();
    assert!(warnings.len() >= 8 && warnings.iter().all(|code| seen.contains(code)), "no file in tests/warned for one of {warnings:?}");
    let missing: Vec<&&Code> = warnings.iter().filter(|code| !page.contains(&format!("| `{code}` |"))).collect();
    assert!(missing.is_empty(), "docs/rules.md says nothing of {missing:?}");
}

/// What ends in a list is another day's.
#[test]
fn nothing_is_odd_about_the_shipped_rules() {
    let ruleset = rasid_compiler::load(Path::new("../../rules")).expect("the shipped rules");
    let report = Report { faults: ruleset.warnings, sources: ruleset.sources, dir: None };
    assert!(report.faults.is_empty(), "{}", report.render(false));
    assert!(ruleset.rules.len() > 10);
}

/// What ends is in a list until it ends.
#[test]
fn an_entry_is_expired_from_its_end_on() {
    let ruleset = compiled(Path::new("tests/warned/expired.yaml"));
    let at = |now_ms| ruleset.warnings_at(now_ms).map_or(0, |report| report.faults.len());
    let (first_ms, second_ms) = (1_767_225_600_000, 1_798_761_600_000);
    assert_eq!([first_ms - 1, first_ms, second_ms - 1, second_ms].map(at), [0, 1, 1, 2]);
}

/// A rule with a fault is told that first, and a ruleset with warnings is in force all the same.
#[test]
fn warnings_refuse_nothing_and_faults_come_first() {
    let file = |text: &str| SourceFile { name: "a/b.yaml".to_owned(), text: text.to_owned() };
    let rule = "rule: a.b\ntitle: T\non: chat.message\nentity: user(sender_id)\nwhen: size(data.text) < 0\nexplain: E\n";
    let codes: Vec<Code> = compile(&[file(rule)]).expect("no fault").warnings.into_iter().map(|found| found.code).collect();
    assert_eq!(codes, [Code::NoRunbook, Code::NoAlertTested, Code::NeverTrue]);
    let report = compile(&[file(&rule.replace("title: T\n", ""))]).expect_err("a fault");
    assert!(report.faults.iter().all(|fault| !fault.code.is_warning()), "{report}");
}

/// The terms of one condition that are never (`N`) or always (`A`) true, as they stand.
fn constant(condition: &str) -> Vec<String> {
    let text = format!(
        "rule: a.b\ntitle: T\non: payment.captured\nentity: user(user_id)\nparams: {{none: [], off: false, five: 5}}\nlet:\n  n: {{count: payment.captured, by: user(user_id), window: 1h}}\n  s: {{sum: payment.captured, of: amount, by: user(user_id), window: 1h}}\n  r: {{ratio: payment.failed, per: payment.captured, by: user(user_id), window: 1h}}\nwhen: '{condition}'\nexplain: \"{{n}} {{s}} {{r}} {{params.none}} {{params.off}} {{params.five}}\"\n"
    );
    let found = compile(&[SourceFile { name: "a/b.yaml".to_owned(), text: text.clone() }]);
    let found = found.unwrap_or_else(|report| panic!("{}", report.render(false))).warnings;
    let constant = found.into_iter().filter_map(|found| {
        let text = text.get(found.span)?;
        match found.code {
            Code::NeverTrue => Some(format!("N {text}")),
            Code::AlwaysTrue => Some(format!("A {text}")),
            _ => None,
        }
    });
    constant.collect()
}

#[rstest]
#[case("n > 5 && n < 3", &["N n > 5 && n < 3"])]
#[case("n >= 0", &["A n >= 0"])]
#[case("n > -1 || s > 5", &["A n > -1"])]
#[case("n < 0 || s > 5", &["N n < 0"])]
#[case("0 <= n && s > 5", &["A 0 <= n"])]
#[case("!(n >= 0) || s > 5", &["A n >= 0"])]
#[case("n > 5 && (n == 3 || n == 4)", &["N n > 5 && (n == 3 || n == 4)"])]
#[case("n > 5 && (n == 3 || n == 6)", &[])]
#[case("(n == 3 || n == 4) && n > 5", &["N (n == 3 || n == 4) && n > 5"])]
#[case("n > 2.5 && n < 3", &["N n > 2.5 && n < 3"])]
#[case("r > 2.0 && r < 3.0", &[])]
#[case("r >= 2.0 && r < 2.0", &["N r >= 2.0 && r < 2.0"])]
#[case("r >= 0.0 && s > 5", &["A r >= 0.0"])]
#[case("s >= 0", &[])]
#[case("n > 5 || n <= 5", &["A n > 5 || n <= 5"])]
#[case("n != 3 || n != 4", &["A n != 3 || n != 4"])]
#[case("data.amount > 5 && data.amount < 6", &["N data.amount > 5 && data.amount < 6"])]
#[case("data.currency == \"EGP\" && data.currency == \"USD\"", &["N data.currency == \"EGP\" && data.currency == \"USD\""])]
#[case("data.currency != \"EGP\" || data.currency != \"USD\"", &["A data.currency != \"EGP\" || data.currency != \"USD\""])]
#[case("data.method in [\"card\", \"cash\"] && data.method == \"bank\"", &["N data.method in [\"card\", \"cash\"] && data.method == \"bank\""])]
#[case("data.method in params.none || n > 3", &["N data.method in params.none"])]
#[case("has(data.ip) && !has(data.ip)", &["N has(data.ip) && !has(data.ip)"])]
#[case("size(data.user_id) < 0 || n > 3", &["N size(data.user_id) < 0"])]
#[case("score > 100", &["N score > 100"])]
#[case("score <= 100 && n > 3", &["A score <= 100"])]
#[case("n > 5 ? n < 3 : n > 9", &["N n > 5 ? n < 3 : n > 9"])]
#[case("n > 5 ? n < 9 : n > 2", &[])]
#[case("n + s > 5 && n + s < 5", &["N n + s > 5 && n + s < 5"])]
#[case("n > params.five && n < 5", &["N n > params.five && n < 5"])]
#[case("time - timestamp(\"2026-01-01T00:00:00Z\") < duration(\"5m\") && time - timestamp(\"2026-01-01T00:00:00Z\") > duration(\"1h\")", &["N time - timestamp(\"2026-01-01T00:00:00Z\") < duration(\"5m\") && time - timestamp(\"2026-01-01T00:00:00Z\") > duration(\"1h\")"])]
#[case("data[\"x\"] > 5 && data[\"x\"] < 3", &[])]
#[case("n > 9223372036854775807", &["N n > 9223372036854775807"])]
#[case("true", &[])]
#[case("5 > 3 && n > 3", &[])]
#[case("params.off && n > 3", &["N params.off && n > 3"])]
fn what_is_never_or_always_true_is_told(#[case] condition: &str, #[case] expected: &[&str]) {
    assert_eq!(constant(condition), expected, "{condition}");
}

/// The `if` of an override is a condition too.
#[test]
fn an_override_that_never_applies_is_told() {
    let found = |condition: &str| {
        let text = format!(
            "rule: a.b\ntitle: T\non: payment.captured\nentity: user(user_id)\nparams: {{most: 5}}\noverrides: [{{if: {condition}, params: {{most: 3}}}}]\nwhen: data.amount > params.most\nexplain: E\n"
        );
        let found = compile(&[SourceFile { name: "a/b.yaml".to_owned(), text: text.clone() }]).unwrap_or_else(|report| panic!("{report}"));
        let found = found.warnings.into_iter().filter(|found| matches!(found.code, Code::NeverTrue | Code::AlwaysTrue));
        found.map(|found| (text.get(found.span).unwrap_or_default().to_owned(), found.message)).collect::<Vec<_>>()
    };
    let never = "data.amount > 9 && data.amount < 5";
    assert_eq!(found(never), [(never.to_owned(), "this is never true, so the override never applies".to_owned())]);
    assert_eq!(found("has(data.ip) || !has(data.ip)"), [("has(data.ip) || !has(data.ip)".to_owned(), "this is always true".to_owned())]);
    assert_eq!(found("data.amount > 9"), []);
}

/// Another program of the rule may be why a term is asked.
#[test]
fn what_an_override_makes_otherwise_is_not_told() {
    let rule = |overrides: &str| {
        let text = format!(
            "rule: a.b\ntitle: T\non: payment.captured\nentity: user(user_id)\nparams: {{least: 0}}\n{overrides}let:\n  n: {{count: payment.captured, by: user(user_id), window: 1h}}\nwhen: n >= params.least && data.amount > 5\nexplain: \"{{n}}\"\n"
        );
        let found = compile(&[SourceFile { name: "a/b.yaml".to_owned(), text }]).unwrap_or_else(|report| panic!("{report}")).warnings;
        found.iter().filter(|found| found.code == Code::AlwaysTrue).count()
    };
    assert_eq!([rule(""), rule("overrides: [{if: data.method == 'cash', params: {least: 3}}]\n")], [1, 0]);
}

#[test]
fn a_gap_that_the_rule_names_is_known() {
    let text = "rule: auth.x\ntitle: T\non: auth.otp_requested\nentity: phone\nlet:\n  n: {count: auth.otp_requested, by: device, window: 1h}\nwhen: n > 3\nexplain: e\n";
    let codes = |gaps: &str| {
        let file = SourceFile { name: "auth/x.yaml".to_owned(), text: format!("{text}{gaps}") };
        let ruleset = compile(&[file]).unwrap_or_else(|report| panic!("{}", report.render(false)));
        ruleset.warnings_at(0).map(|report| report.faults.iter().any(|fault| fault.code == Code::Hides))
    };
    assert_eq!(codes(""), Some(true));
    assert_eq!(codes("known_gaps: Whoever hides his device (no `device_id`) is seen by auth.otp_flood.\n"), Some(false));
    assert_eq!(codes("known_gaps: Slow drips, and client_device_id.\n"), Some(true));
}
