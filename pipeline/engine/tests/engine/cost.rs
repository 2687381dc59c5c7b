//! What is said beforehand of what rules cost is what they then do.

use std::fmt::Write as _;

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{Report, SourceFile, compile};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{FieldSpec, FieldType};
use rasid_detectors::event::time::format_rfc3339;
use rasid_detectors::operator::{Form, OPERATORS, OfField, OperatorSpec, is_scalar};
use rasid_engine::{Config, Cost, Engine, Pseudonymizer, Record, cost};
use serde_json::{Map, Value, json};

fn compiled(rules: &[(&str, &str)]) -> Result<Ruleset, Report> {
    let files: Vec<SourceFile> = rules
        .iter()
        .map(|(id, rest)| SourceFile { name: format!("{}.yaml", id.replace('.', "/")), text: format!("rule: {id}\ntitle: T\n{rest}") })
        .collect();
    compile(&files)
}

fn ruleset(rules: &[(&str, &str)]) -> Ruleset {
    compiled(rules).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

/// A rule that binds an operator under its defaults, and the type of events that feed it.
fn rule_of(spec: &OperatorSpec, window: &str) -> (EventType, String) {
    let event = spec.inputs().first().copied().unwrap_or(EventType::PaymentCaptured);
    let (kind, named) = event.fields().iter().find_map(|field| Some((field.entities.first()?, field.name))).expect("a key");
    let key = format!("{}({named})", kind.name());
    let mut binding = match spec.named() {
        None => format!("detector: {}", spec.name),
        // Of two sorts of events the second is what happens.
        Some(keys) if keys.steps => format!("{}: [{event}, {event}]", spec.name, event = event.name()),
        Some(keys) if keys.second.is_some() => format!("{}: {}", spec.name, EventType::PaymentFailed.name()),
        Some(_) => format!("{}: {}", spec.name, event.name()),
    };
    if let Some(keys) = spec.named() {
        if let OfField::Of { .. } = keys.of {
            let mut fields = event.fields().iter().filter(|field| field.name != named);
            let field = fields.find(|field| is_scalar(field.ty) && spec.yields.takes(field.ty)).expect("a field that it takes");
            write!(binding, ", of: {}", field.name).expect("a String takes all");
        }
        if let Some(second) = keys.second {
            write!(binding, ", {}: {}", second.key, event.name()).expect("a String takes all");
        }
        write!(binding, ", window: {window}").expect("a String takes all");
    }
    if spec.form != Form::Population {
        // Of what knows some kinds alone one that it knows.
        let by = if spec.form == Form::Graph { "user(user_id)" } else { &key };
        write!(binding, ", by: {by}").expect("a String takes all");
    }
    let (when, explain) = if spec.yields.fires() { ("b.fired", "{b.fired}") } else { ("has(values.b)", "{b}") };
    let rule = format!("on: {}\nentity: {key}\nlet:\n  b: {{{binding}}}\nwhen: {when}\nexplain: \"{explain}\"\n", event.name());
    (event, rule)
}

/// An event with every field that is no list: the first that names somebody is the same in all, every other differs.
fn record(event: EventType, number: u64) -> String {
    let time = format_rfc3339(1_795_219_200_000 + i64::try_from(number).expect("few") * 1_000);
    let mut data = Map::new();
    for field in event.fields() {
        let is_key = data.is_empty() && !field.entities.is_empty();
        let number = if is_key { 0 } else { number };
        data.extend(value(field, number, &time).map(|value| (field.name.to_owned(), value)));
    }
    let record = json!({ "specversion": "1.0", "id": format!("e{number}"), "source": "/t", "type": event.name(), "time": time, "receivedtime": time, "data": data });
    record.to_string()
}

fn value(field: &FieldSpec, number: u64, time: &str) -> Option<Value> {
    let text = || match field.entities.first() {
        Some(EntityKind::Phone) => format!("+2010{:08}", number % 100_000_000),
        Some(EntityKind::Ip) => format!("192.0.{}.{}", number / 250 % 250, number % 250),
        Some(_) => format!("id_{number:012}"),
        None => format!("my number is 0101{:07}", number % 10_000_000),
    };
    Some(match field.ty {
        FieldType::Bool => true.into(),
        FieldType::Int => (100 + number * 7_919 % 1_000_000).into(),
        #[expect(clippy::cast_precision_loss, reason = "few")]
        FieldType::Double => (30.0 + (number % 50) as f64 * 0.1).into(),
        FieldType::String if field.name == "currency" => "EGP".into(),
        FieldType::String if field.name.ends_with("country") => "EG".into(),
        FieldType::String if field.name == "card_range" => "507803".into(),
        FieldType::String => text().into(),
        FieldType::Enum(words) => (*words.first()?).into(),
        FieldType::Time => time.into(),
        FieldType::Object => {
            let children = field.children.iter().filter_map(|child| Some((child.name.to_owned(), value(child, number, time)?)));
            Value::Object(children.collect())
        }
        FieldType::List => return None,
    })
}

/// State bytes after each number of events of one key.
fn state_bytes(ruleset: &Ruleset, event: EventType, after: &[u64]) -> Vec<usize> {
    let pseudonymizer = Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough");
    let mut engine = Engine::new(ruleset.clone(), Config::default(), pseudonymizer).expect("an engine");
    let (mut done, mut found) = (0, Vec::new());
    for until in after {
        let lines: Vec<String> = (done..*until).map(|number| record(event, number)).collect();
        let records: Vec<Record<'_>> =
            (done + 1..).zip(&lines).map(|(position, line)| Record { position, arrival_ms: i64::MAX, bytes: line.as_bytes() }).collect();
        let output = engine.process(&records);
        assert!(output.dead_letters.is_empty(), "{:?}", output.dead_letters.first());
        done = *until;
        found.push(engine.state_bytes());
    }
    found
}

#[test]
fn a_state_takes_what_is_said_of_it() {
    for spec in OPERATORS {
        // What needs weeks of history is refused over an hour.
        let compiles = |window: &&str| compiled(&[("a.b", &rule_of(spec, window).1)]).is_ok();
        let window = ["1h", "28d"].into_iter().find(compiles).unwrap_or("1h");
        let (name, (event, rule)) = (spec.name, rule_of(spec, window));
        let ruleset = ruleset(&[("a.b", &rule)]);
        let said = cost(&ruleset).bindings[0].bytes;
        let found = state_bytes(&ruleset, event, &[1, 30, 300, 3_000, 20_000]);
        let (first, most) = (found[0], found.iter().max().copied().unwrap_or(0));
        assert!(most <= said.most && said.first <= said.most, "{name}: {found:?}, said {said:?}");
        // What all keys have together is there when a minute is over; a record or an identifier may be shorter or longer than is usual.
        assert!(spec.form.is_of_all() || first.abs_diff(said.first) <= 512, "{name}: {first}, said {said:?}");
    }
}

/// A count and a sum are as large as they are said to be, to the byte: one cell, and 256 of them.
#[test]
fn a_busy_count_is_as_large_as_is_said() {
    let rule = "on: payment.captured\nentity: user(user_id)\nlet:\n  n: {count: payment.captured, by: payment(payment_id), window: 1h}\nwhen: n > 5\nexplain: \"{n}\"\n";
    let ruleset = ruleset(&[("a.b", rule)]);
    let said = cost(&ruleset).bindings[0].bytes;
    assert_eq!(state_bytes(&ruleset, EventType::PaymentCaptured, &[1, 256]), [said.first, said.most]);
}

const FLOOD: &str = "on: auth.otp_requested\nentity: phone\nparams: {span: 10m, most: 5}\noverrides:\n  - {if: data.purpose == 'payout', params: {span: 1h}}\n  - {if: data.purpose == 'reset', params: {most: 3}}\nlet:\n  sends: {count: auth.otp_requested, by: phone, window: params.span}\n  used: {count: auth.otp_verified, by: phone, window: 10m}\nwhen: sends > params.most && used == 0\nexplain: \"{sends} {used}\"\n";
const OTHER: &str = "on: auth.otp_requested\nentity: phone\nlet:\n  codes: {count: auth.otp_requested, by: phone, window: 10m}\nwhen: codes > 100\nexplain: \"{codes}\"\n";

fn names(cost: &Cost, rule: usize) -> Vec<(&str, i64, bool)> {
    let reads = cost.rules.get(rule).into_iter().flat_map(|rule| &rule.reads);
    reads.filter_map(|read| Some((read.name.as_str(), cost.bindings.get(read.binding)?.window_ms, read.of_override))).collect()
}

#[test]
fn what_is_shared_is_there_once_and_what_an_override_adds_is_told() {
    let cost_of = |rules: &[(&str, &str)]| cost(&ruleset(rules));
    let both = cost_of(&[("auth.flood", FLOOD), ("auth.other", OTHER)]);
    assert_eq!(names(&both, 0), [("sends", 600_000, false), ("used", 600_000, false), ("sends", 3_600_000, true)]);
    assert_eq!(names(&both, 1), [("codes", 600_000, false)]);
    assert_eq!(both.bindings.len(), 3);
    let shared = &both.bindings[both.rules[1].reads[0].binding];
    assert_eq!((shared.rules.as_slice(), shared.by.as_str()), (["auth.flood".to_owned(), "auth.other".to_owned()].as_slice(), "phone"));
    // Together they take what the flood takes alone.
    let alone = cost_of(&[("auth.flood", FLOOD)]);
    assert_eq!((both.bytes(), both.bytes()), (alone.bytes(), both.bytes_of(&both.rules[0])));
    assert_eq!(both.bytes_of(&both.rules[1]).first * 3, both.bytes().first);
    assert_eq!(both.bytes_by().into_iter().collect::<Vec<_>>(), [("phone", both.bytes())]);
    // What is off costs nothing.
    let off = cost_of(&[("auth.flood", &format!("mode: off\n{FLOOD}")), ("auth.other", OTHER)]);
    assert_eq!((off.rules.len(), off.bindings.len()), (1, 1));
}

#[test]
fn instructions_are_by_event_type_and_add_up() {
    let both = cost(&ruleset(&[("auth.flood", FLOOD), ("auth.other", OTHER)]));
    let types = |events: &[rasid_engine::EventCost]| events.iter().map(|cost| cost.event.name()).collect::<Vec<_>>();
    assert_eq!(types(&both.rules[0].events), ["auth.otp_requested", "auth.otp_verified"]);
    assert_eq!(types(&both.rules[1].events), ["auth.otp_requested"]);
    assert_eq!(types(&both.events), ["auth.otp_requested", "auth.otp_verified"]);
    let at = |events: &[rasid_engine::EventCost], index: usize| events[index].instructions;
    let (all, one, other) = (at(&both.events, 0), at(&both.rules[0].events, 0), at(&both.rules[1].events, 0));
    // Reading the record is in the sum alone, and what they share is in it once.
    assert!(all > one + other && one > other && other > 100, "{all} {one} {other}");
    assert!(at(&both.rules[0].events, 1) < one);
}
