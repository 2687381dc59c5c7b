//! What every shipped rule has, beside what every rule must: somebody who answers for it, where its threat stands, whom it wrongs, what it
//! does not see, a runbook that names it, and tests of what it must see and what it must leave alone.

use std::path::{Path, PathBuf};

use rasid_compiler::ruleset::Rule;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What lacks of one rule.
fn faults(rule: &Rule, file: &str, threats: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for key in ["description", "severity", "owner", "references", "runbook", "false_positives", "known_gaps"] {
        if !file.lines().any(|line| line.starts_with(&format!("{key}:"))) {
            faults.push(format!("has no `{key}`"));
        }
    }
    if rule.tests.len() < 3 || rule.tests.iter().all(|test| test.alerts.is_empty()) || rule.tests.iter().all(|test| !test.alerts.is_empty())
    {
        faults.push("has not three tests, with an alert and without".to_owned());
    }
    let page = rule.runbook.as_deref().and_then(|runbook| std::fs::read_to_string(root().join(runbook.split('#').next()?)).ok());
    match page {
        None => faults.push(format!("its runbook {:?} is not there", rule.runbook)),
        Some(page) if !page.contains(&rule.id) => faults.push("its runbook does not name it".to_owned()),
        Some(_) => {}
    }
    // `### OTP flooding` is `#otp-flooding`.
    let anchor = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    for reference in file.split("docs/threats.md#").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '-').next())
    {
        if !threats.lines().any(|line| line.starts_with('#') && anchor(line) == reference) {
            faults.push(format!("docs/threats.md has no `{reference}`"));
        }
    }
    faults
}

#[test]
fn every_shipped_rule_has_what_people_need_of_it() {
    let ruleset = rasid_compiler::load(&root().join("rules")).unwrap_or_else(|report| panic!("{report}"));
    let threats = std::fs::read_to_string(root().join("docs/threats.md")).expect("the page");
    let mut all = Vec::new();
    for rule in &ruleset.rules {
        let file = ruleset.sources.get(rule.source).expect("its file");
        all.extend(faults(rule, &file.text, &threats).into_iter().map(|fault| format!("{} {fault}", rule.id)));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// `area.name` that a page shows, of the areas that only rules have.
#[test]
fn pages_name_no_rule_that_is_gone() {
    let ruleset = rasid_compiler::load(&root().join("rules")).unwrap_or_else(|report| panic!("{report}"));
    let folder = std::fs::read_dir(root().join("docs/runbooks")).expect("the runbooks").map(|entry| entry.expect("an entry").path());
    let mut gone = Vec::new();
    for path in folder.chain([root().join("docs/threats.md")]) {
        let page = std::fs::read_to_string(&path).expect("a page");
        let named = page.split('`').skip(1).step_by(2).filter(|text| {
            ["ops.", "wave.", "safety.", "gateway."].iter().any(|area| text.starts_with(area)) && !text.contains([' ', '<', '/', ':'])
        });
        let is_there = |name: &str| match name.strip_suffix('*') {
            Some(start) => ruleset.rules.iter().any(|rule| rule.id.starts_with(start)),
            None => ruleset.rules.iter().any(|rule| rule.id == name),
        };
        gone.extend(named.filter(|name| !is_there(name)).map(|name| format!("{}: {name}", path.display())));
    }
    assert!(gone.is_empty(), "{}", gone.join("\n"));
}
