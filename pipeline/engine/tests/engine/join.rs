//! What two people have counted between them: one state, changed under one key and read under another.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rasid_engine::{Alert, Config, Record};

use crate::common::{ARRIVAL_MS, Draw, JOIN_RULES, Kept, START_MS, draws_of, engine, json};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

fn alerts(rules: &[(&str, &str)], log: &[String], cut: usize) -> Vec<Alert> {
    let records: Vec<Record<'_>> =
        (1..).zip(log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    let mut engine = engine(rules, Config::default());
    records.chunks(cut).flat_map(|batch| engine.process(batch).alerts).collect()
}

/// Money from one to the other, or a login of the first.
fn event(id: usize, draw: &Draw) -> String {
    json(id, &Draw { who: draw.who % 4, how: draw.how % 4, ..*draw })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Against plain lists, over disordered and delayed streams and any cut into batches: what the other side did, whoever
    /// reads it, and the event's own share of it where both sides are one person.
    #[test]
    fn each_side_reads_what_the_other_did(
        draws in draws_of(4, 150), delays in proptest::collection::vec(prop_oneof![4 => Just(0_i64), 1 => 0..90 * MINUTE_MS], 150), cut in 1_usize..60,
    ) {
        let draws: Vec<Draw> = draws.into_iter().zip(delays).map(|(draw, delay)| {
            Draw { at_ms: draw.at_ms * 3 - delay, kind: if draw.kind == 3 { 4 } else { 2 }, ..draw }
        }).collect();
        let log: Vec<String> = draws.iter().enumerate().map(|(id, draw)| event(id, draw)).collect();
        let found: BTreeMap<u64, serde_json::Value> = alerts(&JOIN_RULES[..1], &log, cut)
            .iter()
            .map(|alert| (alert.position, serde_json::to_value(alert).expect("JSON")["values"].clone()))
            .collect();

        let mut pairs: BTreeMap<(u8, u8), Kept<()>> = BTreeMap::new();
        let (mut to, mut logins): (BTreeMap<u8, Kept<i64>>, BTreeMap<u8, Kept<()>>) = Default::default();
        let (mut alike, mut all): (BTreeMap<u8, Kept<()>>, Kept<()>) = Default::default();
        let mut clock_ms = i64::MIN;
        for (position, draw) in (1_u64..).zip(&draws) {
            let (at_ms, who, how) = (START_MS + draw.at_ms, draw.who % 4, draw.how % 4);
            clock_ms = clock_ms.max(at_ms);
            if draw.kind == 4 {
                logins.entry(who).or_default().visit(at_ms, clock_ms, 3 * HOUR_MS, Some(()));
                continue;
            }
            let mut of_pair = |pair: (u8, u8), brings| pairs.entry(pair).or_default().visit(at_ms, clock_ms, 2 * HOUR_MS, brings);
            let forth = of_pair((who, how), Some(())).map(|found| found.len());
            let back = of_pair((how, who), None).map(|found| found.len());
            to.entry(how).or_default().visit(at_ms, clock_ms, HOUR_MS, Some(i64::from(how) * 500));
            let came = to.entry(who).or_default().visit(at_ms, clock_ms, HOUR_MS, None).map(|found| found.iter().sum::<i64>());
            let same = alike.entry(how % 2).or_default().visit(at_ms, clock_ms, 30 * MINUTE_MS, Some(())).map(|found| found.len());
            let of_all = all.visit(at_ms, clock_ms, 10 * MINUTE_MS, Some(())).map(|found| found.len());
            let seen = logins.entry(how).or_default().visit(at_ms, clock_ms, 3 * HOUR_MS, None).map(|found| found.len());
            let Some(values) = found.get(&position) else {
                prop_assert!(back.is_none(), "{} opens nothing", position);
                continue;
            };
            let expected = serde_json::json!({ "forth": forth, "came": came, "same": same, "all": of_all, "logins": seen });
            let opened = serde_json::json!({
                "forth": values["forth"], "came": values["came"], "same": values["same"], "all": values["all"], "logins": values["logins"],
            });
            prop_assert_eq!(opened, expected, "{}", position);
            prop_assert_eq!(&values["back"], &serde_json::json!(back), "{}", position);
        }
    }
}

/// Every event of a review, from one to the other.
fn review(id: usize, from: &str, to: &str) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS + i64::try_from(id).expect("few") * MINUTE_MS);
    format!(
        r#"{{"specversion":"1.0","id":"r{id}","source":"/test","type":"review.submitted","time":"{time}","data":{{"review_id":"r{id}","reviewer_id":"{from}","reviewee_id":"{to}","rating":5,"verified_booking":true}}}}"#
    )
}

const REVIEWS: (&str, &str) = (
    "review/mutual.yaml",
    r#"
rule: review.mutual
title: Two people review each other
on: review.submitted
entity: user(reviewer_id)
let:
  back: {count: review.submitted, match: {reviewer_id: reviewee_id, reviewee_id: reviewer_id}, window: 30d}
  stars: {previous: review.submitted, of: rating, match: {reviewer_id: reviewee_id}, window: 30d}
when: back > 0
suppress: 0s
explain: "{back} back, {stars} stars before"
"#,
);

#[test]
fn who_reviews_himself_is_read_with_it_and_what_came_before_without() {
    let log = [review(0, "a", "b"), review(1, "b", "c"), review(2, "b", "a"), review(3, "c", "c"), review(4, "c", "c")];
    let said: Vec<(u64, String)> = alerts(&[REVIEWS], &log, 2).into_iter().map(|alert| (alert.position, alert.explanation)).collect();
    assert_eq!(
        said,
        [(3, "1 back, 5 stars before".to_owned()), (4, "1 back, – stars before".to_owned()), (5, "2 back, 5 stars before".to_owned())]
    );
}

/// A rule that names an address beside a phone, as most that are about either do.
const EITHER: (&str, &str) = (
    "auth/either.yaml",
    r#"
rule: auth.either
title: Too many codes by phone or by device
on: auth.otp_requested
entity: phone
let:
  sends: {count: auth.otp_requested, by: phone, window: 10m}
  by_device: {count: auth.otp_requested, by: device, window: 10m}
when: sends > 2 || by_device > 1
suppress: 0s
explain: "{sends} by phone, {by_device} by device"
"#,
);

fn code(id: usize, phone: &str, device: Option<&str>) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS + i64::try_from(id).expect("few") * 1_000);
    let device = device.map(|device| format!(r#""device_id":"{device}","#)).unwrap_or_default();
    format!(
        r#"{{"specversion":"1.0","id":"c{id}","source":"/test","type":"auth.otp_requested","time":"{time}","data":{{{device}"phone":"{phone}","ip":"192.0.2.1","purpose":"login"}}}}"#
    )
}

#[test]
fn a_missing_key_is_a_missing_value_and_hides_nobody() {
    let phone = "+201000000001";
    let log = [
        code(0, phone, None),
        code(1, phone, Some("d")),
        code(2, phone, None),
        code(3, "", Some("d")),
        code(4, "+201000000002", Some("d")),
    ];
    let records: Vec<Record<'_>> =
        (1..).zip(&log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    let mut engine = engine(&[EITHER], Config::default());
    let said: Vec<(u64, String)> = engine.process(&records).alerts.into_iter().map(|alert| (alert.position, alert.explanation)).collect();
    assert_eq!(said, [(3, "3 by phone, – by device".to_owned()), (5, "1 by phone, 3 by device".to_owned())]);
    let counters = &engine.rule_counters()[0];
    assert_eq!(counters.key_missing, BTreeMap::from([("device_id".to_owned(), 1)]), "the first code: neither side says so");
    assert_eq!(counters.entity_missing, BTreeMap::from([("phone".to_owned(), 1)]));
}

#[test]
fn a_condition_may_ask_whether_there_is_a_value() {
    let asks = EITHER.1.replace("sends > 2 || by_device > 1", "has(values.by_device) == false");
    let phone = "+201000000001";
    let log = [code(0, phone, None), code(1, phone, Some("d"))];
    let opened: Vec<u64> = alerts(&[(EITHER.0, &asks)], &log, 1).into_iter().map(|alert| alert.position).collect();
    assert_eq!(opened, [1]);
}

const REGION: (&str, &str) = (
    "auth/region.yaml",
    r#"
rule: auth.region
title: Many logins in one part of the country
on: auth.login_succeeded
entity: region
let:
  near: {count: auth.login_succeeded, by: region, window: 24h}
  networks: {distinct: auth.login_succeeded, of: asn_type, by: [region, data.country], window: 24h}
when: near > 0
suppress: 0s
explain: "{near} near, {networks} networks"
"#,
);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// A burst on a border is not split: what a region has counted is what came in it and in the cells around it.
    #[test]
    fn a_region_has_neighbours(places in proptest::collection::vec((29.9..30.4_f64, 31.0..31.5_f64, 0_u8..2), 1..40), cut in 1_usize..9) {
        let login = |(id, (lat, lon, country)): (usize, &(f64, f64, u8))| {
            let time = rasid_detectors::event::time::format_rfc3339(START_MS + i64::try_from(id).expect("few") * 1_000);
            let country = ["EG", "AE"][usize::from(*country)];
            format!(
                r#"{{"specversion":"1.0","id":"l{id}","source":"/test","type":"auth.login_succeeded","time":"{time}","data":{{"user_id":"u","device_id":"d","ip":"192.0.2.1","location":{{"lat":{lat},"lon":{lon}}},"country":"{country}","asn_type":"mobile"}}}}"#
            )
        };
        let log: Vec<String> = places.iter().enumerate().map(login).collect();
        let cell = |(lat, lon, _): &(f64, f64, u8)| h3o::LatLng::new(*lat, *lon).expect("a place").to_cell(h3o::Resolution::Five);
        let opened = alerts(&[REGION], &log, cut);
        prop_assert_eq!(opened.len(), places.len());
        for (index, (alert, place)) in opened.iter().zip(&places).enumerate() {
            let is_near = |other: &&(f64, f64, u8)| cell(other).grid_distance(cell(place)).is_ok_and(|steps| steps <= 1);
            let near = places[..=index].iter().filter(is_near).count();
            let values = serde_json::to_value(alert).expect("JSON")["values"].clone();
            prop_assert_eq!(&values["near"], &serde_json::json!(near), "{}", index);
            prop_assert_eq!(&values["networks"], &serde_json::json!(1), "one network, whatever the country");
        }
    }
}
