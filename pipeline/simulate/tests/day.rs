//! What every simulation keeps to, read back from its lines by the decoder of the event contract.

use std::collections::{BTreeMap, BTreeSet};

use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::event::time::parse_rfc3339;
use rasid_simulate::{Config, Half, Kind, Level, Record, simulate};

fn config(seed: u64, hours: u32) -> Config {
    Config { seed, hours, ..Config::default() }
}

/// The text between `before` and the next quotation mark.
fn field<'a>(line: &'a str, before: &str) -> &'a str {
    line.split_once(before).and_then(|(_, rest)| rest.split_once('"')).map_or("", |(text, _)| text)
}

fn id(record: &Record) -> &str {
    field(&record.line, "\"id\":\"")
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let lines = |seed| simulate(&config(seed, 3)).map(|record| record.line).collect::<Vec<_>>();
    assert_eq!(lines(5), lines(5));
    assert_ne!(lines(5), lines(6));
}

/// The bytes of one simulation as they were when this was written: FNV-1a over lines and labels. A change here changes every
/// recorded figure: say so in the changelog, and measure again.
#[test]
fn the_bytes_of_a_seed_are_known() {
    let mut simulation = simulate(&config(42, 24));
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |text: &str| {
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    simulation.by_ref().for_each(|record| add(&record.line));
    simulation.labels().iter().for_each(|label| add(&label.to_json()));
    assert_eq!(format!("{hash:016x}"), "08af9f379e277584");
}

#[test]
fn every_line_decodes_and_arrives_in_order() {
    let mut simulation = simulate(&config(7, 24));
    let (mut count, mut last) = (0_u32, i64::MIN);
    let mut types = BTreeSet::new();
    for record in simulation.by_ref() {
        match decode(record.line.as_bytes(), &Limits::default()) {
            Ok(Decoded::Event(event)) => assert!(event.clock() <= record.arrival_ms, "{}", record.line),
            Ok(Decoded::Garbled { bad, .. }) => panic!("{bad:?}: {}", record.line),
            Ok(Decoded::UnknownType | Decoded::Encoded) => panic!("no type of the vocabulary, or encoded: {}", record.line),
            Err(fault) => panic!("{fault:?}: {}", record.line),
        }
        assert!(record.arrival_ms >= last, "{}", record.line);
        last = record.arrival_ms;
        types.insert(field(&record.line, "\"type\":\"").to_owned());
        count += 1;
    }
    assert!((30_000..120_000).contains(&count), "{count} events in a day");
    assert!(types.len() >= 28, "{types:?}");
}

#[test]
fn labels_name_the_events_of_campaigns_and_no_others() {
    let mut simulation = simulate(&config(3, 48));
    let mut seen: BTreeMap<String, (Option<u32>, i64)> = BTreeMap::new();
    for record in simulation.by_ref() {
        let at = match decode(record.line.as_bytes(), &Limits::default()) {
            Ok(Decoded::Event(event)) => event.clock(),
            other => panic!("{other:?}"),
        };
        let before = seen.insert(id(&record).to_owned(), (record.campaign, at));
        assert!(before.is_none_or(|(campaign, _)| campaign == record.campaign), "a duplicate belongs to the same campaign");
    }
    let labels = simulation.labels();
    // Those that end within two days; the last minutes are for slow deliveries.
    let fits = |kind: &Kind| Level::ALL.iter().filter(|level| kind.span_ms(**level) <= (48 * 60 - 8) * 60_000).count();
    assert_eq!(labels.len(), Kind::all().iter().map(fits).sum::<usize>());
    let mut labelled = 0;
    for (number, label) in labels.iter().enumerate() {
        let (from, to) = (parse_rfc3339(&label.label.from).expect("an instant"), parse_rfc3339(&label.label.to).expect("an instant"));
        assert!(from <= to && !label.label.event_ids.is_empty());
        for event in &label.label.event_ids {
            let (campaign, at) = seen.get(event).expect("an event of the records");
            assert_eq!(campaign.map(|campaign| campaign as usize), Some(number));
            assert!((from..=to).contains(at), "{event} of {} is outside its window", label.campaign);
        }
        labelled += label.label.event_ids.len();
    }
    assert_eq!(seen.values().filter(|(campaign, _)| campaign.is_some()).count(), labelled);
    let names: BTreeSet<&str> = labels.iter().map(|label| label.campaign.as_str()).collect();
    assert_eq!(names.len(), labels.len());
}

#[test]
fn without_campaigns_a_shorter_simulation_begins_a_longer_one() {
    let honest = |hours| Config { kinds: Vec::new(), ..config(11, hours) };
    let long: Vec<Record> = simulate(&honest(27)).collect();
    for hours in [1, 2, 24] {
        let short: Vec<Record> = simulate(&honest(hours)).collect();
        assert!(short.len() <= long.len(), "{hours} h");
        for (short, long) in short.iter().zip(&long) {
            // A story that goes on after the end is in no label of the shorter one.
            assert_eq!((short.arrival_ms, &short.line), (long.arrival_ms, &long.line), "{hours} h");
            assert!(short.look_alike.is_none() || long.look_alike.is_some(), "{hours} h: {}", short.line);
        }
    }
    assert!(long.iter().all(|record| record.campaign.is_none()));
}

/// The ids with that prefix that a line names.
fn ids<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    line.match_indices(prefix).filter_map(|(at, _)| line.get(at..at + 12)).collect()
}

/// A line without its event's identifier: one event more changes all that are given after it.
fn said(line: &str) -> String {
    let id = field(line, "\"id\":\"");
    line.replacen(id, "", 1)
}

#[test]
fn honest_life_is_the_same_but_for_whom_campaigns_shut_out_rob_or_keep_from_paying() {
    let all: Vec<Record> = simulate(&config(4, 24)).collect();
    let everything: BTreeSet<String> = all.iter().filter(|record| record.campaign.is_none()).map(|record| said(&record.line)).collect();
    let touched: BTreeSet<&str> =
        all.iter().filter(|record| record.campaign.is_some()).flat_map(|record| ids(&record.line, "u_")).collect();
    let alone: Vec<Record> = simulate(&Config { kinds: Vec::new(), ..config(4, 24) }).collect();
    let names_touched = |line: &str| ids(line, "u_").iter().any(|user| touched.contains(user));
    // A job of somebody who is shut out does not happen for the other one either.
    let jobs: BTreeSet<&str> =
        alone.iter().filter(|record| names_touched(&record.line)).flat_map(|record| ids(&record.line, "b_")).collect();
    let mut others = 0;
    for record in alone.iter().filter(|record| !everything.contains(&said(&record.line))) {
        let is_touched = names_touched(&record.line) || ids(&record.line, "b_").iter().any(|job| jobs.contains(job));
        // The provider that was down, and what the ledger, which names no payer, says of its payments.
        let is_late = record.line.contains("wallet_eg") || record.line.contains("ledger.posted");
        assert!(is_touched || is_late, "{}", record.line);
        others += 1;
    }
    assert!((1..all.len() / 50).contains(&others), "{others} of {} differ", all.len());
}

#[test]
fn an_owner_who_is_shut_out_is_let_in_again() {
    let kinds = vec!["takeover_new_device".parse().expect("a kind")];
    let mut simulation = simulate(&Config { kinds, levels: vec![Level::Moderate], campaigns: 12, ..config(5, 96) });
    let records: Vec<Record> = simulation.by_ref().collect();
    let is = |record: &Record, kind: &str| record.campaign.is_none() && record.line.contains(kind);
    let refused = |user: &str| {
        records
            .iter()
            .filter(|record| is(record, "token.rejected") && record.line.contains("\"reason\":\"revoked\"") && record.line.contains(user))
            .count()
    };
    let (mut shut_out, mut back) = (0, 0);
    for label in simulation.labels() {
        let user = label.label.entity.split_once(':').expect("a kind and an id").1;
        shut_out += usize::from(refused(user) > 0);
        back += usize::from(records.iter().any(|record| {
            let late = field(&record.line, "\"time\":\"") > label.label.to.as_str();
            late && is(record, "auth.login_succeeded") && record.line.contains(user)
        }));
    }
    assert!(shut_out >= 6 && back >= 6, "{shut_out} shut out, {back} back, of {}", simulation.labels().len());
}

#[test]
fn everyday_payments_fail_while_their_provider_is_down() {
    let kinds = vec!["provider_outage".parse().expect("a kind")];
    let mut simulation = simulate(&Config { kinds, levels: vec![Level::Blatant], campaigns: 4, ..config(6, 48) });
    let records: Vec<Record> = simulation.by_ref().collect();
    let during = |record: &&Record| {
        let at = field(&record.line, "\"time\":\"");
        simulation.labels().iter().any(|label| label.label.from.as_str() < at && at < label.label.to.as_str())
    };
    let failed = records.iter().filter(|record| record.campaign.is_none() && record.line.contains("payment.failed"));
    let failed = failed.filter(|record| record.line.contains("wallet_eg")).filter(during).count();
    assert!(failed >= 8, "{failed} honest payments failed");
}

#[test]
fn a_new_phone_is_used_from_the_next_day_on() {
    let records: Vec<Record> = simulate(&Config { kinds: Vec::new(), ..config(7, 96) }).collect();
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.look_alike.is_none() && record.line.contains("\"device_id\":\"")) {
        let day = field(&record.line, "\"time\":\"").get(..10).expect("a date");
        uses.entry(field(&record.line, "\"device_id\":\"")).or_default().insert(day);
    }
    let bound = records.iter().filter(|record| record.look_alike.is_none() && record.line.contains("auth.device_bound"));
    // Newcomers' first devices are bound too: those whose owners are known from before are new phones.
    let bought: Vec<&str> = bound.map(|record| field(&record.line, "\"device_id\":\"")).collect();
    let kept = bought.iter().filter(|device| uses.get(*device).is_some_and(|days| days.len() > 1)).count();
    assert!(kept >= 12, "{kept} of {} devices are used on another day", bought.len());
}

#[test]
fn only_what_is_asked_for_is_staged() {
    let spoof: Kind = "gps_spoof".parse().expect("a kind");
    let mut simulation = simulate(&Config { kinds: vec![spoof], levels: vec![Level::Careful], campaigns: 3, ..config(9, 24) });
    simulation.by_ref().for_each(drop);
    assert_eq!(simulation.labels().len(), 3);
    assert!(simulation.labels().iter().all(|label| label.kind == spoof && label.level == Level::Careful));
    let entities: BTreeSet<&str> = simulation.labels().iter().map(|label| label.label.entity.as_str()).collect();
    assert_eq!(entities.len(), 3);
}

#[test]
fn one_in_a_hundred_is_delivered_twice_and_some_come_late() {
    let records: Vec<Record> = simulate(&config(2, 24)).collect();
    let distinct: BTreeSet<&str> = records.iter().map(id).collect();
    let twice = records.len() - distinct.len();
    assert!((records.len() / 200..records.len() / 50).contains(&twice), "{twice} of {}", records.len());
    let clocks: Vec<i64> = records.iter().map(|record| parse_rfc3339(field(&record.line, "\"time\":\"")).expect("an instant")).collect();
    let disorder = clocks.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(disorder > records.len() / 100, "{disorder}");
}

#[test]
fn broken_records_are_broken_and_only_on_request() {
    let records = simulate(&Config { malformed_per_million: 20_000, ..config(8, 6) });
    let (mut bad, mut all) = (0, 0);
    for record in records {
        all += 1;
        bad += usize::from(!matches!(decode(record.line.as_bytes(), &Limits::default()), Ok(Decoded::Event(_))));
    }
    assert!((all / 100..all / 25).contains(&bad), "{bad} of {all}");
}

#[test]
fn nobody_is_real() {
    let outside = |line: &str, field: &str, allowed: &[&str]| {
        line.match_indices(field).any(|(at, _)| {
            let rest = line.get(at + field.len()..).unwrap_or_default();
            !allowed.iter().any(|prefix| rest.starts_with(prefix))
        })
    };
    let egypt = ["10", "11", "12", "15"].map(|block| format!("+20{block}000"));
    // Behind these codes no subscriber's number begins with a 0: it is the trunk prefix, or unused.
    let abroad = [
        "880", "93", "94", "95", "62", "234", "213", "212", "216", "218", "249", "963", "964", "967", "970", "232", "224", "251", "996",
        "998", "92", "84", "971", "966", "90", "965", "44", "49", "33", "7", "86", "31", "48", "34",
    ];
    let abroad = abroad.map(|code| format!("+{code}0"));
    let phones: Vec<&str> = egypt.iter().chain(&abroad).map(String::as_str).collect();
    let addresses = ["100.6", "198.18.", "198.19.", "203.0.113.", "192.0.2.", "198.51.100.", "2001:db8:"];
    for record in simulate(&Config { clients: 400, taskers: 80, drivers: 2, ..config(12, 168) }) {
        let line = &record.line;
        assert!(!outside(line, "\"phone\":\"", &phones), "{line}");
        assert!(!outside(line, "\"ip\":\"", &addresses), "{line}");
    }
}

#[test]
fn a_marketplace_without_people_has_no_events() {
    let empty = Config { clients: 0, taskers: 0, drivers: 0, kinds: Vec::new(), ..config(1, 24) };
    assert_eq!(simulate(&empty).count(), 0);
    // Nobody to be a victim: campaigns that need one do not happen.
    let mut lonely = simulate(&Config { kinds: Kind::all(), ..empty });
    lonely.by_ref().for_each(drop);
    assert!(lonely.labels().iter().all(|label| label.kind.word() != "sim_swap_takeover"));
}

#[test]
fn every_campaign_is_played_within_its_span() {
    for (seed, half) in [(21, None), (22, Some(Half::Tuned)), (22, Some(Half::Untuned))] {
        let mut simulation = simulate(&Config { clients: 800, taskers: 160, drivers: 8, half, ..config(seed, 168) });
        simulation.by_ref().for_each(drop);
        assert_eq!(simulation.labels().len(), Kind::all().len() * Level::ALL.len());
        for label in simulation.labels() {
            let (from, to) = (parse_rfc3339(&label.label.from).expect("an instant"), parse_rfc3339(&label.label.to).expect("an instant"));
            assert!(to - from <= label.kind.span_ms(label.level), "{} {}: {from} to {to}", label.kind, label.level);
        }
    }
}
