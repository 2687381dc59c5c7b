//! A bad field hides nothing: whatever is written into one field, every shipped rule that does not read it still fires.
//!
//! Which fields a rule reads is taken from what it compiles to. Each rule's first test that opens an alert is run again with one
//! field garbled in every event of one type; a field without which there is no event (a number, a time or a place that the type
//! requires) is left alone, as it makes a dead letter.

#![allow(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use rasid_compiler::SourceFile;
use rasid_compiler::ruleset::{EntityField, Format, KeyPart, Mode, Piece, Rule, Ruleset, Scenario, ScenarioEvent};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath, FieldSpec, FieldType};
use rasid_engine::{Config, Counters, Engine, Pseudonymizer, Record};
use serde_json::{Value, json};

const START_MS: i64 = 1_767_225_600_000;
/// Stands for what is to be garbled, in the JSON that a test's event becomes.
const HOLE: &str = "\u{1}hole\u{1}";

/// What clients, old libraries and those who read this code write. `@` is the value that was there.
const GARBAGE: &[&str] = &[
    r#""d\ud83d""#,
    r#""\ude00\ud83d""#,
    r#""""#,
    r#""another word""#,
    r#""+201000000042\u0000""#,
    "42",
    "-1",
    "91.5",
    "1e2",
    "1e400",
    "9223372036854775808",
    "100000000000000000000000000000000000000000000000000000000000000",
    "true",
    "null",
    "[]",
    "{}",
    r#"{"lat":91,"lon":0}"#,
    r#"[{"a":[null]}]"#,
    r#"@,"NAME":"twice""#,
    r#"{},"NAME":@,"NAME":[1]"#,
    r#""\ud83d","NAM\u0045":null"#,
];

fn garbage() -> Vec<String> {
    let long = format!("\"{}\"", "x".repeat(300_000));
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let deeper = format!("{}{}", r#"{"a":"#.repeat(50_000), "0".to_owned() + &"}".repeat(50_000));
    GARBAGE.iter().map(|text| (*text).to_owned()).chain([long, deep, deeper]).collect()
}

fn path(event: EventType, name: &str) -> Option<FieldPath> {
    field::find(event.fields(), name).map(|(path, _)| path)
}

/// The fields of one event type that a rule reads, by itself or through what it binds; of one that has parts, what it reads of these.
fn reads(ruleset: &Ruleset, rule: &Rule, event: EventType) -> BTreeSet<FieldPath> {
    let mut found = reads_itself(ruleset, rule, event);
    for part in EventType::ALL.iter().filter(|part| part.whole() == Some(event)) {
        for read in reads_itself(ruleset, rule, *part) {
            let name = field::at(part.fields(), FieldPath { child: None, ..read }).expect("a field").name;
            found.extend([name, "lines"].into_iter().filter_map(|name| path(event, name)));
        }
    }
    found
}

fn reads_itself(ruleset: &Ruleset, rule: &Rule, event: EventType) -> BTreeSet<FieldPath> {
    let mut found = BTreeSet::new();
    let entity = |entity: &EntityField, found: &mut BTreeSet<FieldPath>| match entity.path {
        Some(path) => found.extend([path]),
        None => found.extend(["location", "lat", "lon"].into_iter().filter_map(|name| path(event, name))),
    };
    let key = |part: &KeyPart, found: &mut BTreeSet<FieldPath>| match part {
        KeyPart::Entity(of) => entity(of, found),
        KeyPart::Value(path) => found.extend([*path]),
    };
    for trigger in &rule.triggers {
        if trigger.event == event {
            entity(&trigger.entity, &mut found);
            trigger.reads.iter().flat_map(|read| &read.key).flatten().for_each(|part| key(part, &mut found));
            for program in &trigger.programs {
                let shown = program.shown.iter().map(|shown| &shown.value);
                for expr in program.applies.iter().chain([&program.when]).chain(shown) {
                    expr.fields(&mut found);
                }
                // An amount of money is said with its currency.
                let formats =
                    program.explain.iter().filter_map(|piece| if let Piece::Value(_, format) = piece { Some(format) } else { None });
                found.extend(formats.filter_map(|format| if let Format::Money(currency) = format { Some(*currency) } else { None }));
            }
        }
        for binding in ruleset.with_sources(trigger.reads.iter().map(|read| read.binding)).into_iter().map(|index| &ruleset.bindings[index])
        {
            for feed in binding.feeds.iter().filter(|feed| feed.event == event) {
                feed.key.iter().for_each(|part| key(part, &mut found));
                feed.filters().for_each(|filter| filter.fields(&mut found));
                found.extend(feed.of.and_then(|of| of.path()));
                found.extend(feed.exchange.as_ref().map(|(_, currency)| *currency));
            }
            found.extend(binding.operator.spec().reads().iter().filter_map(|name| path(event, name)));
            // What is read under a key is fed by whom and what an event names.
            let kinds = binding.operator.kinds();
            let named = event.fields().iter().filter(|field| field.entities.iter().any(|kind| kinds.contains(kind)));
            found.extend(named.filter_map(|field| path(event, field.name)));
        }
    }
    // An accuracy may say that the place beside it is none.
    for (place, accuracy) in [("lat", "accuracy_m"), ("lon", "accuracy_m")] {
        if path(event, place).is_some_and(|place| found.contains(&place)) {
            found.extend(path(event, accuracy));
        }
    }
    found
}

/// Whether there is no event without it.
fn is_vital(spec: &FieldSpec) -> bool {
    !spec.optional && matches!(spec.ty, FieldType::Int | FieldType::Double | FieldType::Time | FieldType::List)
}

/// The fields of a type that may be garbled without a rule that reads `read` noticing: (object, name).
fn free(event: EventType, read: &BTreeSet<FieldPath>) -> Vec<(Option<&'static str>, &'static str)> {
    let mut free = vec![(None, "unheard_of")];
    for spec in event.fields() {
        let whole = path(event, spec.name).expect("a field");
        let of_it = |read: &FieldPath| read.field == whole.field;
        if !is_vital(spec) && !read.iter().any(of_it) {
            free.push((None, spec.name));
        }
        if !read.contains(&whole) {
            let children = spec.children.iter().filter(|child| {
                let child = path(event, &format!("{}.{}", spec.name, child.name));
                child.is_some_and(|child| !read.contains(&child)) && !read.iter().any(of_it)
            });
            free.extend(children.map(|child| (Some(spec.name), child.name)));
        }
    }
    free
}

/// So many rules have the garbage among them.
const GARBAGE_TURNS: usize = 8;
/// A silence in which every wait of a rule comes due, ms.
const SILENCE_MS: i64 = 400 * 86_400_000;

struct Shipped {
    ruleset: Ruleset,
    pseudonymizer: Pseudonymizer,
}

/// What was opened: which rule, about whom, where in the stream, in which words.
type Opened = Vec<(String, String, u64, String)>;

impl Shipped {
    fn load() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
        let mut ruleset = rasid_compiler::load(&folder).unwrap_or_else(|error| panic!("{error}"));
        for rule in &mut ruleset.rules {
            rule.mode = Mode::Active;
        }
        Self { ruleset, pseudonymizer: Pseudonymizer::new(b"the key of the garbled", 1).expect("long enough") }
    }

    /// A ruleset of that rule alone, and the first of its tests in which it fires.
    fn alone<'a>(&self, rule: &'a Rule) -> (Ruleset, &'a Scenario) {
        let fires = rule.tests.iter().find(|test| !test.alerts.is_empty()).unwrap_or_else(|| panic!("{} fires in a test", rule.id));
        let sources = self.ruleset.sources.iter().enumerate();
        let beside = |name: &str| name.starts_with("lists/") || !name.contains('/');
        let its_own: Vec<SourceFile> = sources
            .filter(|(number, source)| *number == rule.source || beside(&source.name))
            .map(|(_, source)| SourceFile { name: source.name.clone(), text: source.text.clone() })
            .collect();
        let mut alone = rasid_compiler::compile(&its_own).unwrap_or_else(|report| panic!("{}", report.render(false)));
        for rule in &mut alone.rules {
            rule.mode = Mode::Active;
        }
        (alone, fires)
    }

    /// What comes of a test's lines, where others have made that score of everybody.
    fn run(&self, ruleset: &Ruleset, lines: &[String], score: u8) -> (Opened, Counters) {
        let mut engine = Engine::new(ruleset.clone(), Config::default(), self.pseudonymizer.clone()).expect("one thread");
        engine.assume(score);
        let records: Vec<Record<'_>> =
            (1..).zip(lines).map(|(position, line)| Record { position, arrival_ms: i64::MAX, bytes: line.as_bytes() }).collect();
        let output = engine.process(&records);
        assert!(output.dead_letters.is_empty(), "{:?}", output.dead_letters);
        // What waits comes due in the silence after the last event.
        let due = engine.tick(lines.len() as u64, START_MS + SILENCE_MS).alerts;
        let opened =
            output.alerts.into_iter().chain(due).map(|alert| (alert.rule, alert.entity, alert.position, alert.explanation)).collect();
        (opened, engine.counters())
    }
}

/// The lines of a test, in the order of time; in the events of one type, one field is what `garbage` says.
fn lines(scenario: &Scenario, garbled: Option<(EventType, Option<&str>, &str, &str)>) -> Vec<String> {
    let mut events: Vec<_> = scenario.events.iter().collect();
    events.sort_by_key(|event| event.at_ms);
    let line = |(number, event): (usize, &&ScenarioEvent)| {
        let Some((_, object, name, garbage)) = garbled.filter(|(of, ..)| *of == event.event) else { return event.record(START_MS, number) };
        let mut data: Value = serde_json::from_str(&event.data).expect("JSON");
        let mut holder = &mut data;
        if let Some(object) = object {
            if holder.get(object).is_none_or(|inner| !inner.is_object()) {
                holder[object] = json!({ "lat": 30.0, "lon": 31.0, "photo": true });
            }
            holder = &mut holder[object];
        }
        let before = std::mem::replace(&mut holder[name], Value::String(HOLE.to_owned()));
        let hole = Value::String(HOLE.to_owned()).to_string();
        let filled = garbage.replace('@', &before.to_string()).replace("NAME", name).replace("NAM\\u0045", &escaped(name));
        let changed = ScenarioEvent { data: data.to_string().into(), ..(*event).clone() };
        changed.record(START_MS, number).replace(&hole, &filled)
    };
    events.iter().enumerate().map(line).collect()
}

/// A name with its last letter as an escape, which is the same name.
fn escaped(name: &str) -> String {
    let (head, last) = name.split_at(name.len() - 1);
    format!("{head}\\u{:04x}", last.as_bytes()[0])
}

/// Every second event with its data as base64, as libraries write data that they were given as bytes.
#[test]
fn data_as_base64_decides_as_data_does() {
    let shipped = Shipped::load();
    for rule in &shipped.ruleset.rules {
        let (alone, scenario) = shipped.alone(rule);
        let plain = lines(scenario, None);
        let encoded = plain.iter().enumerate().map(|(number, line)| {
            let mut event: Value = serde_json::from_str(line).expect("JSON");
            if number % 2 == 0 {
                let data = event.as_object_mut().and_then(|members| members.remove("data")).expect("data").to_string();
                event["data_base64"] = data_encoding::BASE64.encode(data.as_bytes()).into();
                event["datacontenttype"] = "application/json".into();
            }
            event.to_string()
        });
        let encoded: Vec<String> = encoded.collect();
        let ((expected, before), (found, after)) =
            (shipped.run(&alone, &plain, scenario.score), shipped.run(&alone, &encoded, scenario.score));
        assert_eq!(found, expected, "{}", rule.id);
        assert_eq!((after.records, after.events), (before.records, before.events), "{}", rule.id);
    }
}

#[test]
fn every_rule_that_does_not_read_a_field_fires_without_it() {
    let (shipped, garbage) = (Shipped::load(), garbage());
    let (mut runs, mut bad) = (0, 0);
    // What looks at alerts looks at nothing that anybody could garble.
    let looks_at_alerts = |rule: &&Rule| rule.triggers.iter().any(|trigger| trigger.event.is_alert());
    for (number, rule) in shipped.ruleset.rules.iter().filter(|rule| !looks_at_alerts(rule)).enumerate() {
        let (alone, scenario) = shipped.alone(rule);
        let (expected, _) = shipped.run(&alone, &lines(scenario, None), scenario.score);
        assert!(!expected.is_empty(), "{} fires", rule.id);
        let types: BTreeSet<EventType> = scenario.events.iter().map(|event| event.event).collect();
        for event in types {
            for (object, name) in free(event, &reads(&shipped.ruleset, rule, event)) {
                // By turns: each field has all of it in some of the rules.
                for text in garbage.iter().skip(number % GARBAGE_TURNS).step_by(GARBAGE_TURNS) {
                    let garbled = lines(scenario, Some((event, object, name, text)));
                    let (opened, counters) = shipped.run(&alone, &garbled, scenario.score);
                    let shown: String = text.chars().take(60).collect();
                    assert_eq!(opened, expected, "{} with {object:?} {name} of {} as {shown}", rule.id, event.name());
                    runs += 1;
                    bad += u32::from(counters.bad_events > 0);
                }
            }
        }
    }
    assert!(runs > 1_500 && bad > 750, "{runs} runs, {bad} of them with bad fields");
}

/// Any JSON, as text: half pairs, huge numbers, names given twice, nesting.
fn any_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("false".to_owned()),
        r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,5})?",
        r#""([a-z +./:-]|é|م|😀|\\n|\\"|\\\\|\\u0000|\\ud83d|\\ude00|\\u0645){0,12}""#,
    ];
    scalar.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((r#""(lat|lon|accuracy_km|a|\\ud83d)""#, inner), 0..4).prop_map(|members| {
                let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_into_a_field(
        rule in any::<prop::sample::Index>(), of in any::<prop::sample::Index>(), field in any::<prop::sample::Index>(), text in any_json(), twice in any::<bool>(),
    ) {
        thread_local! {
            static SHIPPED: Shipped = Shipped::load();
        }
        SHIPPED.with(|shipped| {
            let rule = rule.get(&shipped.ruleset.rules);
            let (alone, scenario) = shipped.alone(rule);
            let types: Vec<EventType> = scenario.events.iter().map(|event| event.event).collect::<BTreeSet<_>>().into_iter().collect();
            let event = *of.get(&types);
            let free = free(event, &reads(&shipped.ruleset, rule, event));
            let (object, name) = *field.get(&free);
            let text = if twice { format!("{text},\"NAME\":@") } else { text };
            let opened = shipped.run(&alone, &lines(scenario, Some((event, object, name, &text))), scenario.score).0;
            prop_assert_eq!(opened, shipped.run(&alone, &lines(scenario, None), scenario.score).0, "{} with {:?} {}", rule.id, object, name);
            Ok(())
        })?;
    }
}

/// What other pipelines set aside: twelve codes to one phone, each with half a surrogate pair; an emoji cut in half.
#[test]
fn the_rules_fire_on_what_real_clients_write() {
    let shipped = Shipped::load();
    for (file, rule, alerts) in [("one_bad_field_otp.jsonl", "auth.otp_flood", 1), ("half_emoji_chat.jsonl", "chat.contact_leak", 1)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/field").join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (opened, counters) = shipped.run(&shipped.ruleset, &lines, 0);
        assert_eq!(opened.iter().filter(|(opened, ..)| opened == rule).count(), alerts, "{file}: {opened:?}");
        assert_eq!(counters.bad_events, lines.len() as u64, "{file}");
    }
}
