//! An archive is written, read and held to what it was made of.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rasid_archive::{Control, Error, MANIFEST, Manifest, Options, Origin, Reader, Said, Stretch, Writer, verify};
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::{ColumnsRecord, Config, Engine, Opened, Pseudonymizer, Record};
use serde_json::Value;

const START_MS: i64 = 1_793_577_600_000;

fn pseudonymizer() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough")
}

/// An engine that decodes and has no rules.
fn decoder() -> Engine {
    Engine::new(rasid_compiler::compile(&[]).expect("no rules, no faults"), Config::default(), pseudonymizer()).expect("one thread")
}

fn archived(engine: &mut Engine, lines: &[(i64, String)], from: u64) -> Vec<ColumnsRecord> {
    let records: Vec<Record<'_>> = (from..)
        .zip(lines)
        .map(|(position, (arrival_ms, line))| Record { position, arrival_ms: *arrival_ms, bytes: line.as_bytes() })
        .collect();
    let opened = Opened::default();
    let batch = engine.decode(&records, &opened);
    engine.archived(&batch)
}

/// Some hours of a marketplace with so many people.
fn simulated(hours: u32, clients: u32) -> Vec<(i64, String)> {
    let start_ms = START_MS + 14 * 3_600_000;
    let config = rasid_simulate::Config {
        hours,
        start_ms,
        clients,
        taskers: clients / 5,
        drivers: 3,
        campaigns: 3,
        malformed_per_million: 5_000,
        ..Default::default()
    };
    rasid_simulate::simulate(&config).map(|record| (record.arrival_ms, record.line)).collect()
}

fn write(folder: &Path, lines: &[(i64, String)], options: Options) -> Manifest {
    let mut writer = Writer::create(folder, &pseudonymizer(), Origin::Lines, 1, options).expect("an empty folder");
    let mut engine = decoder();
    for (from, part) in (1_u64..).step_by(500).zip(lines.chunks(500)) {
        for record in &archived(&mut engine, part, from) {
            writer.event(record).expect("written");
        }
        writer.reach(from + part.len() as u64 - 1);
    }
    writer.finish().expect("written").0
}

fn read(reader: &mut Reader) -> Result<Vec<ColumnsRecord>, Error> {
    let mut all = Vec::new();
    while let Some(stretch) = reader.stretch()? {
        let Stretch::Events(events) = stretch else { panic!("no service wrote it: {stretch:?}") };
        all.extend(events);
    }
    Ok(all)
}

fn opened(folder: &Path) -> Result<Vec<ColumnsRecord>, Error> {
    read(&mut Reader::open(folder, &pseudonymizer())?)
}

fn is_same(one: &ColumnsRecord, other: &ColumnsRecord) -> bool {
    (one.position, one.arrival_ms) == (other.position, other.arrival_ms) && one.event == other.event
}

/// What rules that need nothing raw open out of an archive is, byte for byte, what they open out of the records.
#[test]
fn rules_open_out_of_an_archive_what_they_open_out_of_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = simulated(3, 600);
    let manifest = write(&folder.path().join("a"), &lines, Options { rows: 300, ..Options::default() });
    assert!(manifest.hours.len() >= 3 && manifest.next() == lines.len() as u64 + 1, "{manifest:?}");

    let rules = rasid_compiler::load(Path::new("../../rules")).unwrap_or_else(|error| panic!("{error}"));
    let engine = || Engine::new(rules.clone(), Config::default(), pseudonymizer()).expect("one thread");
    let (mut of_records, mut of_columns) = (engine(), engine());
    let mut beyond: BTreeSet<String> = of_records.rules_that_need_raw().map(str::to_owned).collect();
    beyond.extend(rules.rules.iter().filter(|rule| rule.reads_others()).map(|rule| rule.id.clone()));

    let records: Vec<Record<'_>> = (1..)
        .zip(&lines)
        .map(|(position, (arrival_ms, line))| Record { position, arrival_ms: *arrival_ms, bytes: line.as_bytes() })
        .collect();
    let alerts = of_records.process(&records).alerts.into_iter().filter(|alert| !beyond.contains(&alert.rule));
    let expected: Vec<String> = alerts.map(|alert| serde_json::to_string(&alert).expect("plain data")).collect();
    let mut reader =
        Reader::open(&folder.path().join("a"), &pseudonymizer()).expect("whole").of_types(|event| of_columns.reads_columns_of(event));
    let mut found = Vec::new();
    while let Some(stretch) = reader.stretch().expect("whole") {
        let Stretch::Events(events) = stretch else { panic!("no service wrote it") };
        let batch = of_columns.columns(&events);
        let alerts = of_columns.step(&batch).alerts.into_iter().filter(|alert| !beyond.contains(&alert.rule));
        found.extend(alerts.map(|alert| serde_json::to_string(&alert).expect("plain data")));
    }
    assert!(expected.len() > 5, "{} alerts", expected.len());
    assert_eq!(found, expected);
    assert_eq!(
        (of_columns.counters().events, of_columns.counters().duplicates),
        (of_records.counters().events, of_records.counters().duplicates)
    );
}

/// The strings and numbers of personal fields, wherever they stand in an event.
fn personal(value: &Value, texts: &mut BTreeSet<String>, places: &mut BTreeSet<[u8; 8]>) {
    let names = ["phone", "ip", "device_id", "instrument_id", "fingerprint", "email", "text", "comment", "document_hash"];
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        match value {
            Value::String(text) if names.contains(&name.as_str()) && text.len() > 5 => {
                texts.insert(text.clone());
            }
            Value::Number(number) if ["lat", "lon"].contains(&name.as_str()) => {
                places.extend(number.as_f64().map(f64::to_le_bytes));
            }
            value => personal(value, texts, places),
        }
    }
}

#[test]
fn nothing_raw_is_in_what_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = simulated(1, 1_500);
    let manifest = write(folder.path(), &lines, Options { compressed: false, ..Options::default() });
    let (mut texts, mut places) = (BTreeSet::new(), BTreeSet::new());
    for event in lines.iter().filter_map(|(_, line)| serde_json::from_str::<Value>(line).ok()) {
        personal(&event["data"], &mut texts, &mut places);
    }
    assert!(texts.len() > 100 && places.len() > 100, "{} texts, {} places", texts.len(), places.len());
    let mut rows = 0;
    for part in manifest.hours.iter().flat_map(|hour| &hour.parts) {
        rows += part.rows;
        let bytes = fs::read(folder.path().join(&part.file)).expect("a part");
        let shown = String::from_utf8_lossy(&bytes);
        assert!(shown.contains("e_") || shown.contains("/khidma"), "what is clear stands there as it is: {}", part.file);
        for text in texts.iter().step_by(texts.len().div_ceil(250)) {
            assert!(!shown.contains(text.as_str()), "{text} in {}", part.file);
        }
        let found = bytes.windows(8).find(|window| places.contains(*window));
        assert_eq!(found, None, "a place in {}", part.file);
    }
    assert!(rows > 500, "{rows}");
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copied(&entry.path(), &target) } else { fs::copy(entry.path(), target).map(drop).expect("copied") }
    }
}

/// Writes the manifest anew, changed and with the hash that it should have.
fn remade(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join(MANIFEST);
    let mut sealed: Value = serde_json::from_slice(&fs::read(&path).expect("a manifest")).expect("JSON");
    change(sealed.get_mut("archive").expect("a manifest"));
    let archive = serde_json::to_string(sealed.get("archive").expect("a manifest")).expect("JSON");
    let hash = blake3::hash(archive.as_bytes()).to_hex();
    fs::write(path, format!(r#"{{"blake3":"{hash}","archive":{archive}}}"#)).expect("written");
}

/// A name, what is done to an archive, and what is said about it then.
type Wrong<'a> = (&'a str, Box<dyn Fn(&Path) + 'a>, Vec<String>);

/// What is missing or other than it was is named, by `verify` and by whoever reads.
#[test]
fn a_wrong_archive_is_named() {
    let root = tempfile::tempdir().expect("a folder");
    let whole = root.path().join("whole");
    let manifest = write(&whole, &simulated(3, 100), Options::default());
    assert!(verify(&whole, Some(&pseudonymizer())).faults.is_empty());
    let part = manifest.hours[1].parts[0].clone();
    let (first, last) = (manifest.hours[1].first, manifest.hours[1].last);
    let flip = |path: PathBuf, at: usize| {
        let mut bytes = fs::read(&path).expect("a file");
        bytes[at] ^= 4;
        fs::write(path, bytes).expect("written");
    };
    let wrongs: Vec<Wrong<'_>> = vec![
        (
            "a part that is gone",
            Box::new(|folder| fs::remove_file(folder.join(&part.file)).expect("there")),
            vec![part.file.clone(), format!("is missing: the manifest has {} rows", part.rows)],
        ),
        (
            "an hour that is gone",
            Box::new(|folder| remade(folder, |archive| drop(archive["hours"].as_array_mut().expect("hours").remove(1)))),
            vec![format!("positions {first} to {last} are missing")],
        ),
        (
            "a truncated part",
            Box::new(|folder| {
                let file = fs::OpenOptions::new().write(true).open(folder.join(&part.file)).expect("there");
                file.set_len(part.bytes - 9).expect("shorter");
            }),
            vec![part.file.clone(), format!("{} bytes, expected {}", part.bytes - 9, part.bytes)],
        ),
        (
            "a flipped bit",
            Box::new(|folder| flip(folder.join(&part.file), 200)),
            vec![part.file.clone(), "other bytes than were written".to_owned()],
        ),
        ("a flipped bit in the manifest", Box::new(|folder| flip(folder.join(MANIFEST), 400)), vec![MANIFEST.to_owned()]),
        (
            "a newer schema",
            Box::new(|folder| remade(folder, |archive| archive["schema"] = 2.into())),
            vec!["has schema 2, written by rasid".to_owned(), "up to schema 1".to_owned()],
        ),
        (
            "another secret",
            Box::new(|folder| remade(folder, |archive| archive["keys"] = "0123456789abcdef".into())),
            vec!["another pseudonym secret".to_owned()],
        ),
    ];
    for (number, (name, spoil, expected)) in wrongs.into_iter().enumerate() {
        let folder = root.path().join(format!("wrong{number}"));
        copied(&whole, &folder);
        spoil(&folder);
        let read = opened(&folder).expect_err(name).to_string();
        let faults: Vec<String> = verify(&folder, Some(&pseudonymizer())).faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        for words in expected {
            assert!(read.contains(&words) && faults[0].contains(&words), "{name}: {read}; {faults:?}");
        }
    }
    let stray = root.path().join("stray");
    copied(&whole, &stray);
    fs::copy(whole.join(&part.file), stray.join("auth/2026-01-01T00.parquet")).expect("copied");
    fs::copy(whole.join(&part.file), stray.join("auth/2026-01-01T01.part")).expect("copied");
    let faults = verify(&stray, None).faults;
    assert!(matches!(&faults[..], [Error::Stray { path }] if path.ends_with("auth/2026-01-01T00.parquet")), "{faults:?}");
    let other = Pseudonymizer::new(b"another secret, long enough", 0).expect("long enough");
    assert!(matches!(Reader::open(&whole, &other).err(), Some(Error::Secret { .. })));
    assert!(matches!(Writer::create(&whole, &pseudonymizer(), Origin::Lines, 1, Options::default()).err(), Some(Error::Exists { .. })));
}

/// What a log says next.
#[derive(Clone, Debug)]
enum Drawn {
    /// A code, a payment, a fix: at so many seconds, to so many behind, by one of some people, of whom some have odd names.
    Event {
        kind: u8,
        at_s: i64,
        behind_s: i64,
        who: u8,
    },
    /// No event at all.
    Broken,
    Said(Control),
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let event = (0_u8..4, 0_i64..14_400, prop_oneof![4 => Just(0), 1 => 0_i64..9_000, 1 => -400_000_i64..0], 0_u8..8)
        .prop_map(|(kind, at_s, behind_s, who)| Drawn::Event { kind, at_s, behind_s, who });
    let said = prop_oneof![
        (0_i64..14_400).prop_map(|at_s| Control::Tick(START_MS + at_s * 1_000)),
        Just(Control::Retract { rule: "auth.otp_flood".to_owned(), since_ms: START_MS }),
        Just(Control::Switch { ruleset: "sha256:00".to_owned(), engine: "0.3.0".to_owned() }),
        Just(Control::Feedback),
        Just(Control::Lost),
    ];
    prop::collection::vec(prop_oneof![8 => event, 1 => Just(Drawn::Broken), 2 => said.prop_map(Drawn::Said)], 1..80)
}

/// In order of their arrival; what a client claims may be late, early or far in the future.
fn line(number: usize, drawn: &Drawn) -> (i64, String) {
    let Drawn::Event { kind, at_s, behind_s, who } = drawn else { return (START_MS, "no event".to_owned()) };
    let arrival_ms = START_MS + at_s * 1_000;
    let time = format_rfc3339(arrival_ms - behind_s * 1_000);
    let name = ["u_1", "u_2", "01000000042", "a@b.eg"].into_iter().nth(usize::from(who % 4)).expect("four");
    let (event, data) = match kind {
        0 => (
            "auth.otp_requested",
            format!(r#"{{"phone":"+2010000000{who:02}","ip":"192.0.2.{who}","purpose":"login","user_id":"{name}","far":7,"note":"x"}}"#),
        ),
        1 => (
            "payment.captured",
            format!(
                r#"{{"payment_id":"p{number}","user_id":"{name}","amount":{}.5,"currency":"EGP","method":"card"}}"#,
                u32::from(*who) * 100
            ),
        ),
        2 => ("gps.position", format!(r#"{{"entity_id":"{name}","lat":30.0{who},"lon":31.2,"speed_mps":{who}.25,"mock":true}}"#)),
        _ => (
            "auth.login_succeeded",
            format!(
                r#"{{"user_id":"{name}","ip":"2001:db8::{who}","device_id":"d{who}","method":"password","location":{{"lat":30.1,"lon":31.{who},"accuracy_m":20}}}}"#
            ),
        ),
    };
    let id = if *who == 7 { "01000000042".to_owned() } else { format!("e{}", number / 2) };
    (arrival_ms, format!(r#"{{"specversion":"1.0","id":"{id}","source":"/t","type":"{event}","time":"{time}","data":{data}}}"#))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However often the writer is stopped and goes on, however small row groups are: what is read is what was given, in its order.
    #[test]
    fn what_is_read_is_what_was_given(all in drawn(), stops in prop::collection::vec(1_usize..60, 0..4), rows in 1_usize..20) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut engine = decoder();
        let lines: Vec<(i64, String)> = all.iter().enumerate().map(|(number, drawn)| line(number, drawn)).collect();
        let events = archived(&mut engine, &lines, 1);
        let last = all.len() as u64;
        let options = Options { rows, ..Options::default() };
        let mut stops = stops.into_iter();
        loop {
            let mut writer = Writer::resume(folder.path(), &pseudonymizer(), 1, last, options).expect("its own");
            let until = stops.next().map_or(last, |more| (writer.next() + more as u64 - 1).min(last));
            for position in writer.next()..=until {
                if let Some(record) = events.iter().find(|record| record.position == position) {
                    writer.event(record).expect("written");
                }
                if let Some(Drawn::Said(control)) = all.get(usize::try_from(position - 1).expect("few")) {
                    writer.said(&Said { position, control: control.clone() }, START_MS).expect("written");
                }
                writer.reach(position);
            }
            // Whoever stops here leaves parts that are not whole.
            if until == last && stops.len() == 0 {
                writer.finish().expect("written");
                break;
            }
        }
        prop_assert!(verify(folder.path(), Some(&pseudonymizer())).faults.is_empty());
        let mut reader = Reader::open(folder.path(), &pseudonymizer()).expect("whole");
        prop_assert_eq!(reader.manifest().next(), last + 1);
        let (mut found, mut said, mut order) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(stretch) = reader.stretch().expect("whole") {
            match stretch {
                Stretch::Events(events) => {
                    order.extend(events.iter().map(|record| record.position));
                    found.extend(events);
                }
                Stretch::Said(control) => {
                    order.push(control.position);
                    said.push(control);
                }
            }
        }
        prop_assert!(order.is_sorted());
        prop_assert!(found.len() == events.len() && found.iter().zip(&events).all(|(one, other)| is_same(one, other)));
        let expected: Vec<Said> = (1..).zip(&all).filter_map(|(position, drawn)| match drawn {
            Drawn::Said(control) => Some(Said { position, control: control.clone() }),
            _ => None,
        }).collect();
        prop_assert_eq!(said, expected);
    }
}

/// What is old goes whole, and the manifest says so; what is left is read, and positions that were lost before are told.
#[test]
fn what_is_old_goes_by_whole_hours_and_gaps_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = simulated(5, 100);
    let mut engine = decoder();
    let events = archived(&mut engine, &lines, 1);
    let last = lines.len() as u64;
    let mut writer = Writer::resume(folder.path(), &pseudonymizer(), 1, last, Options::default()).expect("an empty folder");
    for record in &events {
        writer.event(record).expect("written");
    }
    let before = writer.manifest().clone();
    assert_eq!(before.hours.len(), 4, "the fifth is not over");
    writer.retire(2 * 3_600_000 + 1).expect("removed");
    let after = writer.manifest().clone();
    assert_eq!(after.hours.len(), 3);
    let retired = after.retired.clone().expect("one went");
    assert_eq!((retired.last, retired.hours, retired.rows), (before.hours[0].last, 1, before.hours[0].rows()));
    let gone = &before.hours[0].parts[0].file;
    assert!(!folder.path().join(gone).exists());
    drop(writer);

    // The log has lost what came next.
    let from = after.next() + 10;
    let mut writer = Writer::resume(folder.path(), &pseudonymizer(), from, last, Options::default()).expect("its own");
    assert_eq!(writer.next(), from);
    events.iter().filter(|record| record.position >= from).for_each(|record| writer.event(record).expect("written"));
    writer.reach(last);
    let (manifest, _) = writer.finish().expect("written");
    assert_eq!(manifest.gaps.iter().map(|gap| (gap.first, gap.last)).collect::<Vec<_>>(), [(from - 10, from - 1)]);
    assert!(verify(folder.path(), None).faults.is_empty());
    let found = opened(folder.path()).expect("whole");
    let expected: Vec<&ColumnsRecord> =
        events.iter().filter(|record| record.position > retired.last && !(from - 10..from).contains(&record.position)).collect();
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(|(one, other)| is_same(one, other)));
    let shorter = Writer::resume(folder.path(), &pseudonymizer(), 1, 5, Options::default()).err().map(|error| error.to_string());
    assert!(shorter.is_some_and(|error| error.contains("the archive of another log")));
}
