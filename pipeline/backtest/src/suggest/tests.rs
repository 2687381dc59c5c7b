use rasid_compiler::compile;
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::Record;

use super::*;

const START_MS: i64 = 1_767_225_600_000;
const WEEK_MS: i64 = 7 * 86_400_000;
const RULE: &str = "rule: auth.t
title: t
on: auth.otp_requested
entity: phone
params: {most: 2, span: 10m}    # the limits
let: {n: {count: auth.otp_requested, by: phone, window: params.span}}
when: n > params.most && data.purpose == \"login\"
suppress: 1h
explain: '{n}'
";

fn pseudonymizer() -> Pseudonymizer {
    Pseudonymizer::new(b"a secret that is long enough", 0).expect("long enough")
}

/// In each of three weeks two honest phones with four codes and a thief with nine.
fn events() -> Vec<String> {
    let mut lines = Vec::new();
    for week in 0..3_i64 {
        for (phone, count) in [("+201000000001", 4_i64), ("+201000000002", 4), ("+201000000009", 9)] {
            for code in 0..count {
                let time = format_rfc3339(START_MS + week * WEEK_MS + code * 10_000);
                let number = lines.len();
                lines.push(format!(
                    r#"{{"specversion":"1.0","id":"e{number}","source":"/t","time":"{time}","type":"auth.otp_requested","data":{{"phone":"{phone}","ip":"192.0.2.1","purpose":"login"}}}}"#
                ));
            }
        }
    }
    // The clock goes on to the end of the third week.
    let time = format_rfc3339(START_MS + 3 * WEEK_MS - 1_000);
    lines.push(format!(
        r#"{{"specversion":"1.0","id":"last","source":"/t","time":"{time}","type":"auth.otp_requested","data":{{"phone":"+201000000003","ip":"192.0.2.1","purpose":"login"}}}}"#
    ));
    lines
}

fn suggested(labels: &str) -> Suggested {
    let ruleset = compile(&[SourceFile { name: "auth/t.yaml".to_owned(), text: RULE.to_owned() }])
        .unwrap_or_else(|report| panic!("{}", report.render(false)));
    let (config, pseudonymizer) = (Config::default(), pseudonymizer());
    let mut lines = events();
    lines.sort_by_key(|line| line.split("\"time\":\"").nth(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
    let records: Vec<Record<'_>> =
        (1..).zip(&lines).map(|(position, line)| Record { position, arrival_ms: i64::MAX, bytes: line.as_bytes() }).collect();
    let labels = Labels::read(labels.as_bytes(), &pseudonymizer, false).expect("labels");
    let mut looking = Looking::new(ruleset, "auth.t", &config, &pseudonymizer, Period::ALL).unwrap_or_else(|error| panic!("{error}"));
    records.chunks(7).for_each(|part| looking.step(Taken::Records(part)));
    let mut trying = looking.finish(labels, &config, &pseudonymizer).unwrap_or_else(|error| panic!("{error}"));
    records.chunks(7).for_each(|part| trying.step(Taken::Records(part)));
    trying.finish()
}

/// Every alert opens at three codes, and hits go on: the limit is one that alerts went to.
#[test]
fn the_limit_that_spares_most_is_found_among_those_that_alerts_went_to() {
    let harm = |week: i64| {
        let (from, to) = (format_rfc3339(START_MS + week * WEEK_MS), format_rfc3339(START_MS + week * WEEK_MS + 60_000));
        format!("{{\"label\":\"harm\",\"entity\":\"phone:+201000000009\",\"from\":\"{from}\",\"to\":\"{to}\"}}\n")
    };
    let honest = "{\"label\":\"honest\",\"entity\":\"phone:+201000000001\"}\n{\"label\":\"honest\",\"entity\":\"phone:+201000000002\"}\n";
    let labels = format!("{honest}{}{}{}", harm(0), harm(1), harm(2));
    let suggested = suggested(&labels);
    assert_eq!((suggested.alerts, suggested.precision), (9, crate::share::Share { hits: 3, of: 9 }));
    let best = suggested.suggestions.first().expect("one is better");
    assert_eq!((best.param.as_str(), best.from.as_str(), best.to.as_str()), ("most", "2", "4"));
    assert_eq!((best.spared.hits, best.spared.of, best.kept.hits, best.kept.of), (6, 6, 3, 3));
    let held = best.held.as_ref().expect("three weeks");
    assert_eq!(
        (held.weeks, held.spared.hits, held.kept, held.chosen.as_slice()),
        (3, 6, crate::share::Share { hits: 3, of: 3 }, ["4".to_owned()].as_slice())
    );
    let edit = best.edit.as_ref().expect("it stands in the file");
    assert_eq!((edit.line, edit.new.as_str()), (5, "params: {most: 4, span: 10m}    # the limits"));
    let text = suggested.text();
    assert!(
        text.contains("not enough labels: 9 of its alerts") && text.contains("+ params: {most: 4") && !text.contains("1000000"),
        "{text}"
    );
}

#[test]
fn where_nothing_is_known_nothing_is_suggested() {
    let suggested = suggested("");
    assert!(suggested.suggestions.is_empty() && suggested.text().contains("none of its alerts has one"), "{}", suggested.text());
}

#[test]
fn numbers_are_written_as_the_file_has_them() {
    assert_eq!(number_of("\"10m\""), Some((10.0, "m")));
    assert_eq!((number_of("login"), number_of("10 m"), number_of("nan")), (None, None, None));
    let as_in = |number: f64, like: &str| written_as(number, like).expect("a number");
    assert_eq!((as_in(7.6, "2"), as_in(0.25, "0.5"), as_in(15.0, "10m")), ("8".to_owned(), "0.25".to_owned(), "15m".to_owned()));
    let names = |text: &'static str| names(text).collect::<Vec<_>>();
    assert_eq!((names("n - m > params.most_of * 2"), names("params.a < params.b")), (vec!["most_of"], vec!["a", "b"]));
    assert!(Ordered::of(-1.0) < Ordered::of(-0.5) && Ordered::of(-0.5) < Ordered::of(0.0) && Ordered::of(2.0) < Ordered::of(10.0));
}
