//! Conditions over what only whole events have: lines, points, places, hours of the day; through the engine.

use rasid_compiler::{SourceFile, compile};
use rasid_engine::{Config, Record};

use crate::common::{ARRIVAL_MS, engine};

const RULES: [(&str, &str); 3] = [
    (
        "ledger/split.yaml",
        "rule: ledger.split\ntitle: A gain in many small lines\non: ledger.posted\nentity: booking\nwhen: data.lines.filter(l, l.account.startsWith(\"cash\") && l.amount > 0).size() > 2\nexplain: many small lines\n",
    ),
    (
        "auth/night.yaml",
        "rule: auth.night\ntitle: A login at night, far from the office\non: auth.login_succeeded\nentity: user\nparams: {office: [30.0444, 31.2357], far_m: 50000.0}\nwhen: time.getHours(\"Africa/Cairo\") < 5 && has(data.location) && distance_m(data.location, params.office) > params.far_m\nexplain: \"a login of {data.user_id}\"\n",
    ),
    (
        "gps/loop.yaml",
        "rule: gps.loop\ntitle: A route that ends where it begins\non: gps.route_planned\nentity: driver\nwhen: distance_m(data.points[0], data.points[data.points.size() - 1]) < 10.0 && data.points.exists(p, distance_m(p, data.points[0]) > 1000.0)\nexplain: a loop\n",
    ),
];

fn record(id: &str, kind: &str, time: &str, data: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/t","type":"{kind}","time":"{time}","data":{data}}}"#)
}

#[test]
fn lists_places_and_hours_are_read_from_events() {
    let line = |account: &str, amount: i64| format!(r#"{{"account":"{account}","amount":{amount},"currency":"EGP"}}"#);
    let lines = |lines: &[String]| format!(r#"{{"entry_id":"l","booking_id":"b_1","lines":[{}]}}"#, lines.join(","));
    let login = |lat: f64| format!(r#"{{"user_id":"u_1","device_id":"d","ip":"192.0.2.1","location":{{"lat":{lat},"lon":31.2357}}}}"#);
    let route = |last: &str| format!(r#"{{"route_id":"r","entity_id":"d_1","task_id":"b","points":[[30.0,31.0],[30.1,31.1],{last}]}}"#);
    let log = [
        record("two", "ledger.posted", "2026-06-30T20:00:00Z", &lines(&[line("cash_1", 5), line("cash_2", 5), line("fees", -10)])),
        record(
            "three",
            "ledger.posted",
            "2026-06-30T20:00:01Z",
            &lines(&[line("cash_1", 5), line("cash_2", 5), line("cash_3", 1), line("fees", -11)]),
        ),
        record("open", "gps.route_planned", "2026-06-30T20:00:02Z", &route("[30.2,31.2]")),
        record("closed", "gps.route_planned", "2026-06-30T20:00:03Z", &route("[30.0,31.0]")),
        record("near", "auth.login_succeeded", "2026-07-01T22:30:00Z", &login(30.1)),
        record("far", "auth.login_succeeded", "2026-07-01T22:30:01Z", &login(31.9876)),
        record("day", "auth.login_succeeded", "2026-07-02T09:00:00Z", &login(31.9876)),
    ];
    let mut engine = engine(&RULES, Config::default());
    let records: Vec<Record<'_>> =
        (1..).zip(&log).map(|(position, text)| Record { position, arrival_ms: ARRIVAL_MS, bytes: text.as_bytes() }).collect();
    let alerts = engine.process(&records).alerts;
    let opened: Vec<(&str, &str)> = alerts.iter().map(|alert| (alert.rule.as_str(), alert.event.id.as_str())).collect();
    assert_eq!(opened, [("ledger.split", "three"), ("gps.loop", "closed"), ("auth.night", "far")]);
    // A place is compared, and never shown.
    let shown = alerts.iter().map(|alert| serde_json::to_string(alert).expect("plain data")).collect::<String>();
    assert!(!shown.contains("31.9876") && !shown.contains("location"), "{shown}");
}

/// What is made of lines, points and places is not to be had outside the raw zone.
#[test]
fn what_reads_elements_and_places_needs_the_raw_event() {
    let files: Vec<SourceFile> =
        RULES.iter().map(|(name, text)| SourceFile { name: (*name).to_owned(), text: (*text).to_owned() }).collect();
    let ruleset = compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)));
    let raw: Vec<bool> = ruleset.rules.iter().map(|rule| rule.triggers.iter().all(|trigger| ruleset.needs_raw(trigger))).collect();
    assert_eq!(raw, [true, true, true]);
}
