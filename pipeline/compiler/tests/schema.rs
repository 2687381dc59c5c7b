//! The JSON Schema and the compiler know the same keys.

use std::collections::BTreeSet;

use rasid_compiler::{Code, SourceFile, compile, rule_schema};
use rasid_detectors::operator::{OPERATORS, aggregates, detectors};
use rstest::rstest;
use serde_json::Value;

/// The keys that the compiler says it takes where it finds one that it does not.
fn taken(text: &str, code: Code) -> BTreeSet<String> {
    taken_in("x.yaml", text, code)
}

fn taken_in(name: &str, text: &str, code: Code) -> BTreeSet<String> {
    let report = compile(&[SourceFile { name: name.to_owned(), text: text.to_owned() }]).expect_err("an unknown key");
    let fault = report
        .faults
        .iter()
        .find(|fault| fault.code == code && fault.message.contains("`zzz`"))
        .unwrap_or_else(|| panic!("{}", report.render(false)));
    let help = fault.help.as_deref().expect("a list of keys");
    help.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn keys(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn a_rule_has_the_keys_of_its_schema() {
    let schema = rule_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(taken("zzz: 1\n", Code::UnknownKey), keys(&schema));
    let required: BTreeSet<&str> = schema["required"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(required, BTreeSet::from(["rule", "title", "on", "entity", "when", "explain"]));
    let report = compile(&[SourceFile { name: "x.yaml".to_owned(), text: "owner: me\n".to_owned() }]).expect_err("keys are missing");
    let missing: BTreeSet<&str> = report.faults.iter().filter_map(|fault| fault.message.split('`').nth(1)).collect();
    assert_eq!(missing, required);
    for (name, property) in schema["properties"].as_object().expect("an object") {
        assert!(property.get("description").is_some(), "`{name}` is not described");
    }
}

#[test]
fn a_binding_has_the_keys_of_its_schema() {
    let schema = rule_schema();
    let forms = schema["$defs"]["Binding"]["anyOf"].as_array().expect("the forms");
    for (form, spec) in forms.iter().zip(aggregates()) {
        let name = spec.name;
        assert!(form["required"].as_array().is_some_and(|required| required.contains(&name.into())), "{form}");
        let mut expected = keys(form);
        expected.remove(name); // it is there
        assert_eq!(taken(&format!("let:\n  a: {{{name}: auth.otp_requested, zzz: 1}}\n"), Code::UnknownKey), expected, "{name}");
    }
    for (form, spec) in forms.iter().skip(aggregates().count()).zip(detectors()) {
        let mut expected = keys(form);
        expected.remove("detector");
        expected.remove("by");
        assert!(!expected.is_empty());
        let name = spec.name;
        assert_eq!(taken(&format!("let:\n  a: {{detector: {name}, by: user, zzz: 1}}\n"), Code::UnknownParameter), expected, "{name}");
    }
    assert_eq!(forms.len(), OPERATORS.len());
}

#[rstest]
#[case("OverrideFile", "x.yaml", "overrides: [{zzz: 1}]\n")]
#[case("TestFile", "x.yaml", "tests: [{zzz: 1}]\n")]
#[case("EventFile", "x.yaml", "tests: [{events: [{zzz: 1}]}]\n")]
#[case("AlertFile", "x.yaml", "tests: [{alerts: [{zzz: 1}]}]\n")]
#[case("ListFile", "lists/x.yaml", "zzz: 1\n")]
#[case("EntryFile", "lists/x.yaml", "list: x\nentries: [{zzz: 1}]\n")]
#[case("SharedFile", "shared.yaml", "zzz: 1\n")]
#[case("RatesFile", "rates.yaml", "zzz: 1\n")]
#[case("RateFile", "rates.yaml", "base: EGP\nrates: [{zzz: 1}]\n")]
fn a_part_has_the_keys_of_its_schema(#[case] part: &str, #[case] file: &str, #[case] text: &str) {
    let schema = rule_schema();
    let form = &schema["$defs"][part];
    let help = taken_in(file, text, Code::UnknownKey);
    assert_eq!(help, keys(form), "{part}");
    for (name, property) in form["properties"].as_object().expect("an object") {
        assert!(property.get("description").is_some() || property.get("$ref").is_some(), "`{name}` of {part} is not described");
    }
}

#[test]
fn the_committed_schema_is_the_one_in_force() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules/rule.schema.json");
    let mut text = serde_json::to_string_pretty(&rule_schema()).expect("a schema");
    text.push('\n');
    if std::env::var_os("RASID_BLESS").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    assert!(
        std::fs::read_to_string(path).is_ok_and(|committed| committed == text),
        "rules/rule.schema.json is stale: run the tests with RASID_BLESS=1"
    );
}
