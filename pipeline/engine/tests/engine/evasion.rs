//! The adversary's page: ways round the shipped rules, each tried against all of them, and what it leaves who takes it.
//!
//! `fixtures/evasion/<family>.yaml` has the attempts of one family, `background.yaml` the honest life that some of them need around them.
//! `docs/evasion.md` is made from them; `RASID_BLESS=1` writes it.
//!
//! ```text
//! name        what he does, in some words
//! attack      what he wants; the attempts at one stand together, first the naive one, which is seen, then what is cheaper for him
//! trick       the kinds of trick (TRICKS); the naive form has none
//! background  a name in background.yaml
//! events      as in the tests of a rule file
//! caught_by   every rule of which an alert opens, whomever it is about
//! costs       what that leaves him, with numbers, and by which `rules` he is seen later
//! limits      the rules' parameters that those numbers follow from, by rule and name, with their values
//! ```

#![allow(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rasid_compiler::SourceFile;
use rasid_compiler::ruleset::{Mode, Ruleset, ScenarioEvent};
use rasid_engine::{Config, Engine, Pseudonymizer, Record};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// When every attempt begins: 2026-01-01T00:00:00Z, Unix ms.
const START_MS: i64 = 1_767_225_600_000;
/// How long time goes on after the last event: past the longest wait of any rule.
const AFTER_MS: i64 = 100 * 86_400_000;
/// The fewest attempts of one family.
const ATTEMPTS_MIN: usize = 4;
/// The families, in the order of the page, and what each is called there.
const FAMILIES: [(&str, &str); 15] = [
    ("otp", "One-time codes"),
    ("accounts", "Accounts"),
    ("payouts", "Payouts"),
    ("refunds", "Refunds"),
    ("cards", "Cards"),
    ("cash", "Cash"),
    ("ledger", "Ledger"),
    ("promotions", "Promotions"),
    ("jobs", "Jobs"),
    ("reviews", "Reviews"),
    ("safety", "Safety"),
    ("inside", "Inside"),
    ("gateway", "Gateway"),
    ("gps", "Location"),
    ("chat", "Chat"),
];
/// The kinds of trick, and what each is.
const TRICKS: [(&str, &str); 7] = [
    ("under the limit", "as much as a rule lets pass, and no more"),
    ("slower", "the same over a longer time"),
    ("split", "over several accounts, devices, addresses, phones, cards or purposes"),
    ("omitted", "optional fields are left out"),
    ("misspelt", "an identifier, a word or a number is written or claimed otherwise"),
    ("clock", "a moved clock; something told late, in another order, or again"),
    ("cover", "something honest beside it that looks like an excuse"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    family: String,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    name: String,
    attack: String,
    trick: Vec<String>,
    background: Option<String>,
    events: Vec<Value>,
    caught_by: BTreeSet<String>,
    costs: String,
    #[serde(default)]
    limits: BTreeMap<String, Value>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let file = format!("fixtures/evasion/{name}.yaml");
    let text = std::fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let data = rasid_compiler::data(&SourceFile { name: file.clone(), text }).unwrap_or_else(|report| panic!("{report}"));
    serde_json::from_value(data).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn families() -> Vec<Family> {
    FAMILIES.iter().map(|(family, _)| read(family)).collect()
}

fn shipped() -> Ruleset {
    rasid_compiler::load(&root().join("rules")).unwrap_or_else(|report| panic!("{report}"))
}

/// Lists of events, each written out as the tests of a rule file are: by a rule that has them as its tests.
fn written_out<'a>(file: &str, lists: impl Iterator<Item = (&'a str, Vec<&'a Value>)>) -> Vec<Vec<ScenarioEvent>> {
    let tests: Vec<Value> = lists.map(|(name, events)| json!({"name": name, "events": events, "alerts": []})).collect();
    // JSON is YAML.
    let rule = json!({
        "rule": format!("tests.{file}"), "title": "t", "on": "auth.login_succeeded", "entity": "all", "when": "data.user_id == \"\"",
        "explain": "e", "tests": tests,
    });
    let source = SourceFile { name: format!("tests/{file}.yaml"), text: rule.to_string() };
    let ruleset = rasid_compiler::compile(&[source]).unwrap_or_else(|report| panic!("{}", report.render(false)));
    ruleset.rules[0].tests.iter().map(|test| test.events.clone()).collect()
}

/// The rules of which alerts open at these events, each with what its first alert explains, and what is wrong with the events themselves.
fn seen_by(ruleset: &Ruleset, mut events: Vec<ScenarioEvent>) -> (BTreeMap<String, String>, Vec<String>) {
    events.sort_by_key(|event| event.at_ms);
    let lines: Vec<String> = events.iter().enumerate().map(|(number, event)| event.record(START_MS, number)).collect();
    // Each arrives when it happens, as in service, so that what claims to be from the future is refused.
    let records: Vec<Record<'_>> = (1..)
        .zip(events.iter().zip(&lines))
        .map(|(position, (event, line))| Record { position, arrival_ms: START_MS + event.at_ms, bytes: line.as_bytes() })
        .collect();
    let pseudonymizer = Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough");
    let mut engine = Engine::new(ruleset.clone(), Config::default(), pseudonymizer).expect("one thread");
    let mut output = engine.process(&records);
    let end_ms = START_MS + events.last().map_or(0, |event| event.at_ms) + AFTER_MS;
    output.alerts.extend(engine.tick(records.len() as u64 + 1, end_ms).alerts);
    let mut rules = BTreeMap::new();
    for alert in output.alerts.into_iter().filter(|alert| alert.mode == Mode::Active) {
        rules.entry(alert.rule).or_insert(alert.explanation);
    }
    let refused = output.dead_letters.iter().map(|letter| format!("event {} was refused: {}", letter.position, letter.reason)).collect();
    (rules, refused)
}

/// How what an attempt is seen by differs from what its file says.
fn difference(rules: &BTreeMap<String, String>, said: &BTreeSet<String>) -> String {
    let unsaid = rules.iter().filter(|(rule, _)| !said.contains(*rule)).map(|(rule, why)| format!("seen by {rule} ({why})"));
    let unseen = said.iter().filter(|rule| !rules.contains_key(*rule)).map(|rule| format!("not seen by {rule}"));
    unsaid.chain(unseen).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_attempt_is_seen_by_what_its_file_says() {
    let ruleset = shipped();
    let background: BTreeMap<String, Vec<Value>> = read("background");
    let mut faults = Vec::new();
    let lists = background.iter().map(|(name, events)| (name.as_str(), events.iter().collect()));
    for (name, events) in background.keys().zip(written_out("background", lists)) {
        let (rules, refused) = seen_by(&ruleset, events);
        if !rules.is_empty() || !refused.is_empty() {
            faults.push(format!("background.yaml, {name}: {} {refused:?}", difference(&rules, &BTreeSet::new())));
        }
    }
    for family in families() {
        let events = |attempt: &'_ Attempt| -> Vec<Value> {
            let around =
                attempt.background.iter().flat_map(|name| background.get(name).unwrap_or_else(|| panic!("no background `{name}`")));
            around.chain(&attempt.events).cloned().collect()
        };
        let lists: Vec<(&str, Vec<Value>)> = family.attempts.iter().map(|attempt| (attempt.name.as_str(), events(attempt))).collect();
        let lists = written_out(&family.family, lists.iter().map(|(name, events)| (*name, events.iter().collect())));
        for (attempt, events) in family.attempts.iter().zip(lists) {
            let (rules, refused) = seen_by(&ruleset, events);
            let difference = difference(&rules, &attempt.caught_by);
            if !difference.is_empty() || !refused.is_empty() {
                faults.push(format!("{}.yaml, {}: {difference} {refused:?}", family.family, attempt.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What lacks of the attempts at one family's attacks; `params` are those of all rules.
fn faults_of(family: &Family, named: &str, ruleset: &Ruleset, params: &BTreeMap<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    if family.family != named {
        faults.push(format!("calls itself {}", family.family));
    }
    if family.attempts.len() < ATTEMPTS_MIN {
        faults.push(format!("has {} attempts", family.attempts.len()));
    }
    let mut attacks: Vec<&str> = Vec::new();
    for (number, attempt) in family.attempts.iter().enumerate() {
        let is_first = number == 0 || family.attempts[number - 1].attack != attempt.attack;
        if is_first {
            if attacks.contains(&attempt.attack.as_str()) {
                faults.push(format!("the attempts at `{}` stand apart", attempt.attack));
            }
            attacks.push(&attempt.attack);
        }
        if is_first != attempt.trick.is_empty() || is_first && attempt.caught_by.is_empty() {
            faults.push(format!("{}: the first at each attack, and that alone, is the naive form, without a trick and seen", attempt.name));
        }
        let unknown = attempt.trick.iter().filter(|trick| TRICKS.iter().all(|(known, _)| known != trick));
        faults.extend(unknown.map(|trick| format!("{}: no trick is called `{trick}`", attempt.name)));
        let rules = attempt.costs.split('`').skip(1).step_by(2);
        let gone = rules.filter(|name| ruleset.rules.iter().all(|rule| rule.id != *name));
        faults.extend(gone.map(|name| format!("{}: there is no rule `{name}`", attempt.name)));
        let other = attempt.limits.iter().filter(|(name, value)| params.get(*name) != Some(value));
        faults.extend(other.map(|(name, value)| format!("{}: {name} is {:?} and not {value}", attempt.name, params.get(name))));
    }
    if family.attempts.iter().all(|attempt| !attempt.caught_by.is_empty()) {
        faults.push("has no attempt that passes".to_owned());
    }
    faults.into_iter().map(|fault| format!("{named}.yaml: {fault}")).collect()
}

/// Every parameter of every rule, as `rule.name`.
fn params(ruleset: &Ruleset) -> BTreeMap<String, Value> {
    let of_rule = |file: &SourceFile| {
        let rule = rasid_compiler::data(file).unwrap_or_else(|report| panic!("{report}"));
        let id = rule["rule"].as_str().unwrap_or_default().to_owned();
        let params = rule["params"].as_object().cloned().unwrap_or_default();
        params.into_iter().map(move |(name, value)| (format!("{id}.{name}"), value))
    };
    ruleset.rules.iter().flat_map(|rule| of_rule(&ruleset.sources[rule.source])).collect()
}

#[test]
fn every_family_trick_and_area_is_tried() {
    let ruleset = shipped();
    let (families, params) = (families(), params(&ruleset));
    let mut faults: Vec<String> =
        families.iter().zip(FAMILIES).flat_map(|(family, (named, _))| faults_of(family, named, &ruleset, &params)).collect();
    let attempts: Vec<&Attempt> = families.iter().flat_map(|family| &family.attempts).collect();
    let tried: BTreeSet<&str> = attempts.iter().flat_map(|attempt| attempt.trick.iter().map(String::as_str)).collect();
    faults.extend(TRICKS.iter().filter(|(trick, _)| !tried.contains(trick)).map(|(trick, _)| format!("`{trick}` is never tried")));
    let seeing: BTreeSet<&str> =
        attempts.iter().flat_map(|attempt| attempt.caught_by.iter().filter_map(|rule| rule.split('.').next())).collect();
    let areas: BTreeSet<&str> = ruleset.rules.iter().filter_map(|rule| rule.id.split('.').next()).collect();
    faults.extend(areas.difference(&seeing).map(|area| format!("no attempt is seen by a rule of {area}")));
    let together = attempts.iter().filter(|attempt| attempt.trick.len() > 1).count();
    if attempts.len() < 60 || together < 10 {
        faults.push(format!("{} attempts, {together} of them with several tricks", attempts.len()));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What stands behind the rules that see an attempt, where alerts of all of them tell how the platform fares.
const NAMES_NOBODY: &str = " (*nobody is named*)";

fn page(families: &[Family], ruleset: &Ruleset) -> String {
    let operational: BTreeSet<&str> =
        ruleset.rules.iter().filter(|rule| rule.entity.is_operational()).map(|rule| rule.id.as_str()).collect();
    let attempts: Vec<&Attempt> = families.iter().flat_map(|family| &family.attempts).collect();
    let passed = attempts.iter().filter(|attempt| attempt.caught_by.is_empty()).count();
    let mut page = format!(
        "# What it costs to get round the rules\n\nMade from [fixtures/evasion/](../fixtures/evasion/) by a test (`RASID_BLESS=1 cargo test -p rasid-engine --test engine evasion`), which runs each of the\n\
         {} attempts against all shipped rules and holds the page to what comes of it: {} are seen, {passed} pass. An attacker who has read the rules\n\
         stays under each limit; what counts is what that leaves him. Rules that a sentence names, as seeing him later by what he does next, are stated there and not tried.\n\n\
         For each attack the naive form stands first; of the others, **nothing** in the second column is a way round. Where the alerts that open are all\n\
         about the platform, a region, a carrier or the like, *nobody is named* stands behind them: people look, and no account is held. The third column says what it leaves him, and\n\
         from which parameters that follows: the test fails when one of them changes, until somebody has read the sentence again and written the new value beside it. Every kind of\n\
         trick is tried:\n\n",
        attempts.len(),
        attempts.len() - passed,
    );
    for (trick, what) in TRICKS {
        writeln!(page, "- *{trick}*: {what}").expect("a String takes all");
    }
    page.push_str(
        "\nAnother attempt is an item of the family's file: `attack`, `trick`, `events` as the tests of a rule file have them ([rules.md](rules.md)), `caught_by` with every rule\n\
         of which an alert opens, `costs`, and the `limits` that the numbers follow from. One that costs next to nothing and passes is a fault of a rule: mend that first.\n\
         What no event shows at all stands in [threats.md](threats.md#what-no-event-shows).\n",
    );
    for (family, (_, title)) in families.iter().zip(FAMILIES) {
        writeln!(page, "\n## {title}").expect("a String takes all");
        let mut attack = "";
        for attempt in &family.attempts {
            if attack != attempt.attack {
                attack = &attempt.attack;
                writeln!(page, "\n**{attack}.**\n\n| what he does | what sees it | what it leaves him |\n|---|---|---|")
                    .expect("a String takes all");
            }
            let trick = if attempt.trick.is_empty() { String::new() } else { format!(" *({})*", attempt.trick.join(", ")) };
            let seen: Vec<String> = attempt.caught_by.iter().map(|rule| format!("`{rule}`")).collect();
            let is_nameless = attempt.caught_by.iter().all(|rule| operational.contains(rule.as_str()));
            let seen = match seen.as_slice() {
                [] => "**nothing**".to_owned(),
                seen => format!("{}{}", seen.join(", "), if is_nameless { NAMES_NOBODY } else { "" }),
            };
            let limits: Vec<String> = attempt.limits.iter().map(|(name, value)| format!("`{name}` {}", plain(value))).collect();
            let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
            writeln!(page, "| {}{trick} | {seen} | {}{limits} |", capital(&attempt.name), attempt.costs).expect("a String takes all");
        }
    }
    page
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[test]
fn the_page_says_what_the_attempts_say() {
    let (path, text) = (root().join("docs/evasion.md"), page(&families(), &shipped()));
    if std::env::var_os("RASID_BLESS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(committed == text, "docs/evasion.md is stale: run the tests with RASID_BLESS=1");
}
