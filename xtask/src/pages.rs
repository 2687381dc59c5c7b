//! `cargo xtask pages`: pages of the documentation that are made from the code, committed, and checked: the rule reference
//! from the rule files' JSON Schema, the detectors' page from the headers of their files.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use crate::step;

/// The aggregates, in the order in which people meet them.
const AGGREGATES: [&str; 10] = ["Count", "Sum", "Avg", "Min", "Max", "Distinct", "Ratio", "Last", "Previous", "FirstSeen"];
/// What stands beside a rule's own keys.
const PARTS: [(&str, &str); 6] = [
    ("OverrideFile", "An override"),
    ("TestFile", "A test"),
    ("EventFile", "An event of a test"),
    ("AlertFile", "An alert that a test expects"),
    ("ListFile", "A list: `lists/<name>.yaml`"),
    ("EntryFile", "An entry of a list"),
];
/// The detectors' files.
const DETECTORS: [(&str, &str); 3] = [
    ("impossible_travel", "detectors/src/auth/impossible_travel.rs"),
    ("impossible_speed", "detectors/src/gps/impossible_speed.rs"),
    ("contact_leak", "detectors/src/chat/contact_leak.rs"),
];

pub(crate) fn run(check: bool) -> Result<()> {
    step::timed("pages", || {
        let mut stale = false;
        for (file, text) in [("docs/rule-reference.md", rule_reference()?), ("docs/detectors.md", detectors()?)] {
            let path = step::root().join(file);
            if !check {
                fs::write(&path, text).with_context(|| format!("cannot write {file}"))?;
                eprintln!("wrote {file}");
            } else if fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n") != text {
                stale = true;
                eprintln!("{file} is not what the code says; `cargo xtask pages` writes it");
            }
        }
        if stale { Err(step::Failed::new("pages --check", 1).into()) } else { Ok(()) }
    })
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(step::root().join(file)).with_context(|| format!("cannot read {file}"))
}

fn rule_reference() -> Result<String> {
    let schema: Value = serde_json::from_str(&read("rules/rule.schema.json")?).context("rules/rule.schema.json")?;
    let nothing = Map::new();
    let defs = schema.get("$defs").and_then(Value::as_object).unwrap_or(&nothing);
    let mut page = "# Rule reference\n\nMade from the types by `cargo xtask pages`; [first-rule.md](first-rule.md) is the way in. Spans of time are whole \
        numbers with\nms, s, m, h or d: `90s`, `10m`, `1h30m`.\n\n## A rule\n\n"
        .to_owned();
    table(&mut page, &schema)?;
    page.push_str("\n## What `let` binds\n\nEach is a map; its first key says what it computes. Windows are open at their start and include the event itself.\n");
    for name in AGGREGATES {
        section(&mut page, defs.get(name), &name.to_lowercase().replace("firstseen", "first_seen"))?;
    }
    page.push_str("\nDetectors are bound as `{detector: name, by: kind, …}`: [detectors.md](detectors.md).\n");
    for (name, title) in PARTS {
        section(&mut page, defs.get(name), title)?;
    }
    Ok(page)
}

fn section(page: &mut String, def: Option<&Value>, title: &str) -> Result<()> {
    let Some(def) = def else { return Ok(()) };
    writeln!(page, "\n### {title}\n\n{}\n", text(def))?;
    table(page, def)
}

/// The keys of an object: name, whether it must be there, what it is.
fn table(page: &mut String, object: &Value) -> Result<()> {
    let Some(properties) = object.get("properties").and_then(Value::as_object) else { return Ok(()) };
    let required: Vec<&str> = object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    page.push_str("| key | | what it is |\n|---|---|---|\n");
    let (first, rest): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| required.contains(&name.as_str()));
    for (name, property) in first.into_iter().chain(rest) {
        let must = if required.contains(&name.as_str()) { "required" } else { "" };
        writeln!(page, "| `{name}` | {must} | {} |", text(property).replace('|', "\\|"))?;
    }
    Ok(())
}

/// A description on one line, with the bounds and the default that the schema knows.
fn text(property: &Value) -> String {
    let mut text = property.get("description").and_then(Value::as_str).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let number = |key: &str| property.get(key).map(Value::to_string);
    if let (Some(low), Some(high)) = (number("minimum"), number("maximum")) {
        text = format!("{text} From {low} to {high}.");
    }
    match property.get("default") {
        None | Some(Value::Null) => {}
        Some(_) if text.contains("Default") => {}
        Some(default) => text = format!("{text} Default `{}`.", default.to_string().trim_matches('"')),
    }
    text
}

fn detectors() -> Result<String> {
    let schema: Value = serde_json::from_str(&read("rules/rule.schema.json")?).context("rules/rule.schema.json")?;
    let mut page =
        "# Detectors\n\nMade from the headers of their files and from their parameters by `cargo xtask pages`. A rule binds one as\n\
        `name: {detector: …, by: kind, …parameters}` and then reads `name.fired` and the fields of its signal.\n"
            .to_owned();
    for (name, file) in DETECTORS {
        let source = read(file)?;
        let header: Vec<&str> =
            source.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        writeln!(page, "\n## {name}\n\n{}\n", header.join("\n"))?;
        if let Some(params) = find(&schema, name) {
            table(&mut page, params)?;
        }
        writeln!(page, "\nCode: [{file}](../{file})")?;
    }
    Ok(page)
}

/// The schema of the binding of that detector, wherever it stands.
fn find<'a>(schema: &'a Value, detector: &str) -> Option<&'a Value> {
    let named = schema.pointer("/properties/detector/const").and_then(Value::as_str) == Some(detector);
    if named {
        return Some(schema);
    }
    match schema {
        Value::Object(map) => map.values().find_map(|value| find(value, detector)),
        Value::Array(list) => list.iter().find_map(|value| find(value, detector)),
        _ => None,
    }
}
