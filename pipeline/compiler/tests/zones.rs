//! Areas in `GeoJSON`, and conditions that ask whether a place lies in them.

use rasid_compiler::expression::Expr;
use rasid_compiler::{Code, Report, SourceFile, compile};
use rstest::rstest;

const AIRPORT: &str =
    r#"{"type": "Polygon", "coordinates": [[[31.38, 30.09], [31.44, 30.09], [31.44, 30.14], [31.38, 30.14], [31.38, 30.09]]]}"#;

fn files(on: &str, when: &str, zone: &str) -> Vec<SourceFile> {
    let file = |name: &str, text: String| SourceFile { name: name.to_owned(), text };
    let rule = format!("rule: gps.any\ntitle: T\non: {on}\nentity: all\nwhen: {when:?}\nexplain: hit\n");
    vec![file("gps/any.yaml", rule), file("lists/airport.geojson", zone.to_owned())]
}

fn bad(on: &str, when: &str, zone: &str) -> Report {
    compile(&files(on, when, zone)).expect_err("a fault")
}

#[rstest]
#[case::own_fields("gps.position", "place in zone.airport")]
#[case::the_location("auth.login_succeeded", "has(data.location) && place in zone.airport")]
#[case::another_place("booking.completed", "has(data.proof) && data.proof in zone.airport")]
#[case::the_event("gps.position", "data in zone.airport")]
#[case::a_point("gps.route_planned", "data.points.exists(point, point in zone.airport)")]
#[case::written_out("gps.position", "[30.1, 31.4] in zone.airport")]
#[case::how_far("gps.position", "distance_m(place, [30.1, 31.4]) < 5.0")]
fn a_place_is_asked_for(#[case] on: &str, #[case] when: &str) {
    let ruleset = compile(&files(on, when, AIRPORT)).unwrap_or_else(|report| panic!("{}", report.render(false)));
    assert_eq!(ruleset.warnings.iter().filter(|warning| warning.code == Code::NeverTrue).count(), 0);
}

#[rstest]
#[case::absent("auth.login_succeeded", "place in zone.airport", Code::MayBeAbsent, "location")]
#[case::none("payment.captured", "place in zone.airport", Code::UnknownName, "no place of its own")]
#[case::unknown("gps.position", "place in zone.airprot", Code::UnknownList, "there is no zone `airprot`")]
#[case::no_place("gps.position", "data.entity_id in zone.airport", Code::TypeMismatch, "in")]
#[case::alone("gps.position", "zone.airport", Code::NotInSubset, "a zone by itself")]
#[case::place_alone("gps.position", "place == place", Code::UnknownName, "there is no `place`")]
fn what_is_no_question_is_told(#[case] on: &str, #[case] when: &str, #[case] code: Code, #[case] expected: &str) {
    let report = bad(on, when, AIRPORT);
    assert!(report.faults.iter().any(|fault| fault.code == code && fault.message.contains(expected)), "{}", report.render(false));
}

#[test]
fn a_zone_with_a_fault_has_line_and_column_and_nothing_else_is_said_of_it() {
    let open = "{\n  \"type\": \"Polygon\",\n  \"coordinates\": [[[31.38, 30.09], [31.44, 30.09], [31.44, 30.14]]]\n}";
    let report = bad("gps.position", "place in zone.airport", open);
    let fault = &report.faults[0];
    assert_eq!((report.faults.len(), fault.code, report.position(fault)), (1, Code::BadZone, (3, 19)), "{}", report.render(false));
    assert!(report.path(fault).ends_with("lists/airport.geojson") && fault.help.is_some());
}

/// What is counted in one area is not what is counted in another.
#[test]
fn a_zone_that_is_drawn_anew_is_another_binding() {
    let canonical = |zone: &str| {
        let rule = "rule: gps.any\ntitle: T\non: gps.position\nentity: driver\nlet:\n  fixes: {count: gps.position, by: driver, window: 1h, where: place in zone.airport}\nwhen: fixes > 3\nexplain: hit\n";
        let file = |name: &str, text: &str| SourceFile { name: name.to_owned(), text: text.to_owned() };
        let ruleset = compile(&[file("gps/any.yaml", rule), file("lists/airport.geojson", zone)])
            .unwrap_or_else(|report| panic!("{}", report.render(false)));
        (ruleset.bindings[0].canonical.clone(), ruleset.hash)
    };
    let (one, other) = (canonical(AIRPORT), canonical(&AIRPORT.replace("30.14", "30.15")));
    assert!(one.0 != other.0 && one.1 != other.1 && one == canonical(AIRPORT));
}

#[test]
fn a_condition_holds_inside_alone() {
    let ruleset = compile(&files("gps.position", "place in zone.airport", AIRPORT)).expect("it compiles");
    let when = ruleset.rules[0].triggers[0].programs.first().map(|program| program.when.clone());
    let Some(Expr::InZone(_, zone)) = when else { panic!("{when:?}") };
    assert!(zone.holds(30.1, 31.4) && !zone.holds(31.4, 30.1));
}
