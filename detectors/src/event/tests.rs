//! Records in, events or faults out.

use proptest::prelude::*;
use rstest::rstest;

use super::envelope::{Decoded, Limits, check, decode, unknown_field};
use super::fault::Fault;
use super::field::FieldValue as _;
use super::salvage::BadField;
use super::*;
use crate::value::OwnedValue;

const LOGIN: &str = r#"{"specversion":"1.0","id":"1","source":"/khidma/auth","type":"auth.login_succeeded","time":"2026-11-21T10:00:00Z","data":{"user_id":"u_1","device_id":"d_1","ip":"192.0.2.1","location":{"lat":30.0,"lon":31.2,"accuracy_km":20}}}"#;

const BOOKING: &str = r#"{"booking_id":"b","client_id":"u","tasker_id":"t","location":{"lat":30,"lon":31},"price":100,"currency":"EGP","proof":{"lat":30,"lon":31,"accuracy_m":5,"photo":true},"actor_role":"tasker"}"#;
const PAYMENT: &str = r#"{"payment_id":"p","user_id":"u","counterparty_id":"t","amount":5,"currency":"EGP","method":"cash","balance_after":-3,"operation":"payout","card_range":"507803","card_country":"EG","account_created_at":"2026-01-01T00:00:00+02:00"}"#;
const OTP: &str = r#"{"phone":"+201000000001","ip":"2001:db8::1","purpose":"change_phone","channel":"whatsapp"}"#;

fn record_of(event_type: EventType, data: &str) -> String {
    let event_type = event_type.name();
    format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"{event_type}","time":"2026-11-21T10:00:00Z","data":{data}}}"#)
}

fn fault_of(record: &str) -> Fault {
    decode(record.as_bytes(), &Limits::default()).expect_err("a dead letter")
}

fn event_of(record: &str) -> Event<'_> {
    match decode(record.as_bytes(), &Limits::default()) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("expected an event, got {other:?}"),
    }
}

/// An event with bad fields, and their names.
fn garbled(record: &str) -> (Event<'_>, Vec<String>) {
    match decode(record.as_bytes(), &Limits::default()) {
        Ok(Decoded::Garbled { event, bad }) => {
            let names = bad.iter().map(|field| field.name(event.data.event_type()).into_owned()).collect();
            (event, names)
        }
        other => panic!("expected an event with a bad field, got {other:?}"),
    }
}

/// A field's value, as conditions see it.
fn value(event: &Event<'_>, name: &str) -> OwnedValue {
    let (path, _) = field::find(event.data.event_type().fields(), name).expect("a field");
    event.data.get(path).to_owned()
}

fn text(text: &str) -> OwnedValue {
    OwnedValue::Str(text.into())
}

#[test]
fn a_good_record_is_an_event() {
    let event = event_of(LOGIN);
    assert_eq!(event.data.event_type(), EventType::LoginSucceeded);
    assert_eq!(event.clock(), 1_795_255_200_000);
    let (path, spec) = field::find(EventType::LoginSucceeded.fields(), "location.accuracy_km").expect("a field");
    assert!(spec.optional);
    assert_eq!(event.data.get(path), Value::Double(20.0));
}

#[test]
fn the_event_clock_is_the_gateways() {
    let record = LOGIN.replace(r#""data":"#, r#""receivedtime":"2026-11-21T10:00:05Z","data":"#);
    let event = event_of(&record);
    assert_eq!(event.clock() - event.time.millis(), 5_000);
}

#[test]
fn null_attributes_are_unset() {
    let record = LOGIN.replace(r#""data":"#, r#""receivedtime":null,"subject":null,"data":"#);
    assert_eq!(event_of(&record).received, None);
    assert_eq!(fault_of(&LOGIN.replace(r#""2026-11-21T10:00:00Z""#, "null")).field.as_deref(), Some("time"));
}

/// What clients and devices fill in must not be a way to have an event set aside.
#[test]
fn what_a_client_leaves_open_is_absent_and_no_fault() {
    let get = |record: &str, event_type: EventType, name| {
        let (path, _) = field::find(event_type.fields(), name).expect("a field");
        event_of(record).data.get(path).to_owned()
    };
    let login = LOGIN.replace(r#""d_1""#, r#""""#).replace(r#""accuracy_km":20"#, r#""accuracy_km":-1"#);
    assert!(event_of(&login).data.place().is_none(), "a negative accuracy says that the place is none");
    for name in ["device_id", "location", "location.lat", "location.lon", "location.accuracy_km", "location.source"] {
        assert!(get(&login, EventType::LoginSucceeded, name) == OwnedValue::Absent, "{name}");
    }
    let tor = LOGIN.replace(r#""ip":"#, r#""country":"T1","ip":"#);
    assert!(get(&tor, EventType::LoginSucceeded, "country") == OwnedValue::Str("T1".into()));
    let fix = r#"{"specversion":"1.0","id":"1","source":"s","type":"gps.position","time":"1969-01-01T00:00:00Z","receivedtime":"2026-11-21T10:00:00Z","data":{"entity_id":"t_1","lat":30,"lon":31,"accuracy_m":5,"speed_mps":-1,"heading_deg":-1}}"#;
    for name in ["speed_mps", "heading_deg"] {
        assert!(get(fix, EventType::GpsPosition, name) == OwnedValue::Absent);
    }
    assert!(event_of(fix).data.place().is_some());
    let fix = fix.replace(r#""accuracy_m":5"#, r#""accuracy_m":-1"#);
    assert!(event_of(&fix).data.place().is_none());
    for name in ["accuracy_m", "lat", "lon"] {
        assert!(get(&fix, EventType::GpsPosition, name) == OwnedValue::Absent);
    }
    assert!(get(&fix, EventType::GpsPosition, "entity_id") == text("t_1"));
    let booking = BOOKING.replace(r#""accuracy_m":5"#, r#""accuracy_m":-5"#);
    let booking = record_of(EventType::BookingCompleted, &booking);
    assert!(get(&booking, EventType::BookingCompleted, "proof.lat") == OwnedValue::Absent);
    assert!(get(&booking, EventType::BookingCompleted, "proof.photo") == OwnedValue::Bool(true));
}

#[test]
fn attributes_may_come_in_any_order() {
    let record = r#"{"data":{"phone":"+201000000001","user_id":null,"reported_by":"telco","new_field":{"a":[1]}},"time":"2026-11-21T10:00:00Z","traceparent":"00-x","type":"auth.sim_changed","source":"s","id":"1","specversion":"1.0"}"#;
    assert_eq!(event_of(record).data.event_type(), EventType::SimChanged);
}

#[test]
fn unknown_types_are_passed_over() {
    let record = LOGIN.replace("auth.login_succeeded", "auth.from_the_future");
    assert!(matches!(decode(record.as_bytes(), &Limits::default()), Ok(Decoded::UnknownType)));
    let data_first = r#"{"data":[{}],"specversion":"1.0","id":"1","source":"s","type":"x.y"}"#;
    assert!(matches!(decode(data_first.as_bytes(), &Limits::default()), Ok(Decoded::UnknownType)));
}

const FIX: &str = r#"{"specversion":"1.0","id":"1","source":"s","type":"gps.position","time":"2026-11-21T10:00:00Z","data":{"entity_id":"t_1","lat":30.0,"lon":31.2}}"#;

#[rstest]
#[case::range(&FIX.replace("30.0", "95"), Some("data.lat"), "out of range, expected a latitude of -90 to 90 degrees")]
#[case::word(&FIX.replace("30.0", "\"ten\""), Some("data.lat"), "found a string, expected a number")]
#[case::infinite(&FIX.replace("30.0", "1e400"), Some("data.lat"), "number out of range")]
#[case::null(&FIX.replace("30.0", "null"), Some("data.lat"), "found null, expected a number")]
#[case::missing(&FIX.replace(r#""lat":30.0,"#, ""), Some("data.lat"), "missing, but its type requires it")]
#[case::differs(&FIX.replace(r#""lat":30.0,"#, r#""lat":30.0,"lat":31.0,"#), Some("data.lat"), "given more than once, with different values")]
#[case::no_data_object(&LOGIN.replace(r#""data":"#, r#""data":[],"datum":"#), Some("data"), "found a list, expected an object")]
#[case::missing_attribute(&LOGIN.replace(r#""id":"1","#, ""), Some("id"), "missing, but its type requires it")]
#[case::empty_id(&LOGIN.replace(r#""id":"1""#, r#""id":"""#), Some("id"), "empty, expected at least one character")]
#[case::a_number_for_an_id(&LOGIN.replace(r#""id":"1""#, r#""id":1"#), Some("id"), "found a number, expected a string")]
#[case::attribute_twice(&LOGIN.replace(r#""id":"1""#, r#""id":"1","id":"1""#), Some("id"), "given more than once, expected once")]
#[case::before_the_epoch(&LOGIN.replace("2026-11-21T", "1969-11-21T"), None, "event clock out of range, expected 1970 to 9999")]
#[case::time(&LOGIN.replace("2026-11-21T10:00:00Z", "yesterday"), Some("time"), "not a time, expected RFC 3339 with a zone")]
#[case::time_offset(&LOGIN.replace("10:00:00Z", "10:00:00+24:00"), Some("time"), "not a time, expected RFC 3339 with a zone")]
#[case::version(&LOGIN.replace(r#""1.0""#, r#""0.3""#), Some("specversion"), "another version of CloudEvents, expected specversion 1.0")]
#[case::no_data(
    r#"{"specversion":"1.0","id":"1","source":"s","type":"chat.message","time":"2026-11-21T10:00:00Z"}"#,
    Some("data"),
    "missing, but its type requires it"
)]
#[case::empty("", None, "empty record, expected a JSON object")]
#[case::blank("  ", None, "empty record, expected a JSON object")]
#[case::list("[]", None, "found a list, expected a CloudEvents object")]
#[case::mark("\u{feff}{}", None, "byte-order mark, expected a JSON object")]
#[case::cut(LOGIN.split_at(90).0, None, "cut off at byte 90, expected more JSON")]
#[case::trailing(&format!("{LOGIN}x"), None, "not valid JSON at byte 227")]
#[case::trailing_bracket(&format!("{LOGIN}}}"), None, "not valid JSON at byte 227")]
#[case::two_objects(&format!("{LOGIN}{{}}"), None, "not valid JSON at byte 227")]
#[case::no_escape(&LOGIN.replace(r#""ip":"#, r#""x":"\uqqqq","ip":"#), None, "not valid JSON at byte 167")]
#[case::no_escape_in_a_field(&LOGIN.replace("u_1", "\\uqqqq"), None, "not valid JSON at byte 139")]
fn a_fault_names_the_field_and_what_was_expected(#[case] record: &str, #[case] field: Option<&str>, #[case] reason: &str) {
    let fault = fault_of(record);
    assert_eq!((fault.field.as_deref(), fault.reason.as_str()), (field, reason));
}

/// What `rasid check` says of an event in a rule's test, and no event of a stream is set aside for.
#[rstest]
#[case::range(&LOGIN.replace("30.0", "95"), "data.location", "out of range, expected a latitude of -90 to 90 degrees")]
#[case::missing(&LOGIN.replace(r#""user_id":"u_1","#, ""), "data.user_id", "missing, but its type requires it")]
#[case::missing_deep(&LOGIN.replace(r#""lat":30.0,"#, ""), "data.location", "missing, but its type requires it")]
#[case::data_in_a_list(&LOGIN.replace(r#"{"lat":30.0,"lon":31.2,"accuracy_km":20}"#, "[30.0,31.2,20,null]"), "data.location", "found a list, expected an object")]
#[case::word_in_an_object(&LOGIN.replace(r#""ip":"#, r#""method":{"otp":null},"ip":"#), "data.method", "found an object, expected a string")]
#[case::address(&LOGIN.replace("192.0.2.1", "192.0.2.999"), "data.ip", "not an IPv4 or IPv6 address")]
#[case::variant(&LOGIN.replace(r#""ip":"#, r#""method":"magic","ip":"#), "data.method", "found another word, expected one of otp, password, refresh")]
#[case::twice(&LOGIN.replace(r#""ip":"#, r#""user_id":"u_2","ip":"#), "data.user_id", "given more than once")]
#[case::surrogate(&LOGIN.replace("u_1", "\\ud800"), "data.user_id", "half a surrogate pair, expected a whole character")]
#[case::number(&LOGIN.replace(r#""u_1""#, "42"), "data.user_id", "found a number, expected a string")]
#[case::received(&LOGIN.replace(r#""data":"#, r#""receivedtime":"soon","data":"#), "receivedtime", "not a time, expected RFC 3339 with a zone")]
#[case::deep(&LOGIN.replace(r#""ip":"#, &format!(r#""x":{}1{},"ip":"#, "[".repeat(40), "]".repeat(40))), "data", "nested too deep, expected 32 levels at most")]
fn a_check_names_the_first_bad_field(#[case] record: &str, #[case] field: &str, #[case] reason: &str) {
    let fault = check(record.as_bytes(), &Limits::default()).expect_err("a bad field");
    assert_eq!((fault.field.as_deref(), fault.reason.as_str()), (Some(field), reason));
    assert!(garbled(record).1.len() == 1);
}

#[test]
fn a_fault_never_quotes_the_record() {
    let fault = fault_of(&FIX.replace("30.0", "\"canary\""));
    assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
    for (good, bad) in
        [("30.0", "\"canary\""), ("\"u_1\"", "{\"canary\":1}"), ("\"192.0.2.1\"", "\"canary\""), ("20}", "20,\"source\":\"canary\"}")]
    {
        let record = LOGIN.replace(good, bad);
        let fault = check(record.as_bytes(), &Limits::default()).expect_err("a bad field");
        assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
        assert!(!garbled(&record).1.concat().contains("canary"));
    }
}

/// The kinds of EVENTS.md: what becomes of a field that is not as it says. The event is there whatever it is.
#[rstest]
#[case::half_a_pair(&LOGIN.replace("d_1", "d\\ud83d"), "device_id", text("d\u{fffd}"))]
#[case::number_as_text(&LOGIN.replace("\"d_1\"", "1e2"), "device_id", text("1e2"))]
#[case::identifier_of_another_type(&LOGIN.replace("\"d_1\"", "true"), "device_id", OwnedValue::Absent)]
#[case::identifier_null(&LOGIN.replace("\"d_1\"", "null"), "device_id", OwnedValue::Absent)]
#[case::identifier_missing(&LOGIN.replace("\"device_id\"", "\"device\""), "device_id", OwnedValue::Absent)]
#[case::identifier_deep(&LOGIN.replace("\"d_1\"", &format!("{}1{}", "[".repeat(500), "]".repeat(500))), "device_id", OwnedValue::Absent)]
#[case::address(&LOGIN.replace("192.0.2.1", "localhost"), "ip", OwnedValue::Absent)]
#[case::latitude(&LOGIN.replace("30.0", "91"), "location", OwnedValue::Absent)]
#[case::country(&LOGIN.replace(r#""ip":"#, r#""country":"","ip":"#), "country", OwnedValue::Absent)]
#[case::new_word(&LOGIN.replace(r#""ip":"#, r#""method":"passkey","ip":"#), "method", text("unknown"))]
#[case::number_as_word(&LOGIN.replace(r#""ip":"#, r#""method":7,"ip":"#), "method", text("unknown"))]
#[case::word_of_another_type(&LOGIN.replace(r#""ip":"#, r#""method":["otp"],"ip":"#), "method", OwnedValue::Absent)]
#[case::accuracy(&LOGIN.replace("20}", "\"far\"}"), "location.accuracy_km", OwnedValue::Absent)]
#[case::no_place(&record_of(EventType::BookingCreated, &BOOKING.replace(r#"{"lat":30,"lon":31}"#, "{}")), "location", OwnedValue::Absent)]
#[case::optional_amount(&record_of(EventType::BookingCreated, &BOOKING.replace("100", "\"ten\"")), "price", OwnedValue::Absent)]
#[case::truth_within(&record_of(EventType::BookingCreated, &BOOKING.replace(r#","photo":true"#, "")), "proof.photo", OwnedValue::Absent)]
#[case::time(&record_of(EventType::PaymentCaptured, &PAYMENT.replace("\"2026-01-01T00:00:00+02:00\"", "1767225600")), "account_created_at", OwnedValue::Absent)]
#[case::currency(&record_of(EventType::PaymentCaptured, &PAYMENT.replace("EGP", "egp")), "currency", OwnedValue::Absent)]
#[case::required_word(&record_of(EventType::PaymentCaptured, &PAYMENT.replace("cash", "instapay")), "method", text("unknown"))]
#[case::required_word_missing(&record_of(EventType::PaymentCaptured, &PAYMENT.replace("\"method\"", "\"m\"")), "method", OwnedValue::Absent)]
#[case::text(&record_of(EventType::ChatMessage, r#"{"conversation_id":"c","sender_id":"u","recipient_id":"t"}"#), "text", OwnedValue::Absent)]
#[case::truth(&record_of(EventType::ReviewSubmitted, r#"{"review_id":"r","reviewer_id":"u","reviewee_id":"t","rating":5,"verified_booking":"yes"}"#), "verified_booking", OwnedValue::Absent)]
#[case::speed(&FIX.replace("31.2}", "31.2,\"speed_mps\":\"fast\"}"), "speed_mps", OwnedValue::Absent)]
#[case::heading(&FIX.replace("31.2}", "31.2,\"heading_deg\":361}"), "heading_deg", OwnedValue::Absent)]
fn a_bad_field_hides_nothing(#[case] record: &str, #[case] name: &str, #[case] expected: OwnedValue) {
    let (event, bad) = garbled(record);
    assert!(value(&event, name) == expected);
    assert_eq!(bad, [name]);
}

#[rstest]
#[case::as_it_was(r#""u_1","user_id":"u_1""#, "u_1")]
#[case::null_says_nothing(r#"null,"user_id":"u_1""#, "u_1")]
#[case::bad_then_good(r#"{},"user_id":"u_1""#, "u_1")]
#[case::good_then_bad(r#""u_1","user_id":[1]"#, "u_1")]
#[case::number_then_good(r#"42,"user_id":"u_1""#, "u_1")]
#[case::half_then_good(r#""\ud83d","user\u005fid":"u_1""#, "u_1")]
#[case::two_that_can_be_mended(r#"42,"user_id":43"#, "")]
#[case::two(r#""u_1","user_id":"u_2""#, "")]
#[case::thrice(r#""u_1","user_id":"u_1","user_id":"u_2""#, "")]
fn a_field_given_twice_says_what_is_not_in_doubt(#[case] given: &str, #[case] expected: &str) {
    let record = LOGIN.replace(r#""u_1""#, given);
    let (event, bad) = garbled(&record);
    assert!(value(&event, "user_id") == if expected.is_empty() { OwnedValue::Absent } else { text(expected) });
    assert_eq!(bad, ["user_id"]);
}

#[test]
fn what_the_contract_does_not_know_is_passed_over() {
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    for unknown in [deep.as_str(), r#""\ud83d""#, r#"{"\ude00":1}"#] {
        let record = LOGIN.replace(r#""ip":"#, &format!(r#""tier":"gold","x":{unknown},"ip":"#));
        let (event, bad) = garbled(&record);
        assert!(value(&event, "user_id") == text("u_1"));
        assert_eq!(bad, ["other"]);
        // What stands beside it stays available.
        assert!(unknown_field(record.as_bytes(), "tier") == text("gold"));
        assert!(unknown_field(record.as_bytes(), "missing") == OwnedValue::Absent);
        let of_type = LOGIN.replace("auth.login_succeeded", "x.y").replace(r#""data":"#, &format!(r#""x":{unknown},"data":"#));
        assert!(matches!(decode(of_type.as_bytes(), &Limits::default()), Ok(Decoded::UnknownType)));
    }
    let half = LOGIN.replace(r#""ip":"#, r#""tier":"go\ud83dld","tier":"gold","ip":"#);
    assert!(unknown_field(half.as_bytes(), "tier") == text("go\u{fffd}ld"));
    let key = LOGIN.replace(r#""user_id":"#, r#""user\ud83d_id":"x","user_id":"#);
    assert_eq!(garbled(&key).1, ["other"]);
}

#[test]
fn the_envelope_loses_what_it_can_do_without() {
    let with = |attributes: &str| LOGIN.replace(r#""data":"#, &format!(r#"{attributes},"data":"#));
    for received in [r#""soon""#, "5", r#""1969-01-01T00:00:00Z""#, "{}"] {
        let record = with(&format!(r#""receivedtime":{received}"#));
        let (event, bad) = garbled(&record);
        assert_eq!((event.clock(), bad), (1_795_255_200_000, vec!["receivedtime".to_owned()]));
    }
    assert_eq!(garbled(&with(r#""subject":{"a":1}"#)).1, ["subject"]);
    // Two ids that differ in half a pair alone are two ids.
    let ids = ["d83d", "d83e"].map(|half| LOGIN.replace(r#""id":"1""#, &format!(r#""id":"1\u{half}""#)));
    let [one, other] = [&ids[0], &ids[1]].map(|record| garbled(record));
    assert_ne!(one.0.id, other.0.id);
    assert_eq!(one.1, ["id"]);
}

/// What JSON writes otherwise is the same number, and no bad field.
#[rstest]
#[case("100.0", 100)]
#[case("1e2", 100)]
#[case("-0", 0)]
#[case("9223372036854775807.0", i64::MAX)]
fn an_amount_is_a_number_however_it_is_written(#[case] written: &str, #[case] expected: i64) {
    let record = record_of(EventType::PaymentCaptured, &PAYMENT.replace(r#""amount":5"#, &format!(r#""amount":{written}"#)));
    assert!(value(&event_of(&record), "amount") == OwnedValue::Int(expected));
}

#[rstest]
#[case("9223372036854775808", "out of range, expected a whole number of -9223372036854775808 to 9223372036854775807")]
#[case("1e99", "out of range, expected a whole number of -9223372036854775808 to 9223372036854775807")]
#[case("-1", "out of range, expected an amount in minor units of 0 or more")]
#[case("1.5", "found a number with a fraction, expected a whole number")]
#[case("\"5\"", "found a string, expected a whole number")]
fn what_is_no_amount_says_why(#[case] written: &str, #[case] reason: &str) {
    let record = record_of(EventType::PaymentCaptured, &PAYMENT.replace(r#""amount":5"#, &format!(r#""amount":{written}"#)));
    assert_eq!(fault_of(&record), Fault { field: Some("data.amount".to_owned()), reason: reason.to_owned() });
}

#[test]
fn a_bad_field_has_the_name_that_rules_know() {
    let of_lat = field::find(EventType::LoginSucceeded.fields(), "location.lat").expect("a field").0;
    assert_eq!(BadField::Known(of_lat).name(EventType::LoginSucceeded), "location.lat");
    assert_eq!(BadField::Other.name(EventType::LoginSucceeded), "other");
    assert_eq!(BadField::Attribute("receivedtime").name(EventType::LoginSucceeded), "receivedtime");
}

#[test]
fn a_bare_control_character_is_no_json_wherever_it_stands() {
    for place in [r#""x\u0041":1,"data":"#, r#""x":"y","data":"#, r#""x":{"z":1},"data":"#] {
        let record = LOGIN.replace(r#""data":"#, place);
        assert_eq!(event_of(&record).id, "1");
        for letter in ['x', 'y', 'z'] {
            let bad = record.replacen(&format!("{letter}\""), "\u{1}\"", 1).replacen("x\\u0041", "\u{1}\\u0041", 1);
            if bad != record {
                assert!(decode(bad.as_bytes(), &Limits::default()).is_err(), "{bad:?}");
            }
        }
    }
}

#[test]
fn brackets_in_text_are_not_nesting() {
    let record = LOGIN.replace("\"1\"", &format!("\"{}\"", "[{\\\"".repeat(80)));
    assert_eq!(event_of(&record).id.len(), 240);
}

#[test]
fn an_identity_that_is_too_long_is_none() {
    for (bytes, there) in [(256, true), (257, false)] {
        let record = LOGIN.replace("\"1\"", &format!("\"{}\"", "i".repeat(bytes)));
        if there {
            assert_eq!(event_of(&record).id.len(), bytes);
        } else {
            assert_eq!(fault_of(&record), Fault { field: Some("id".to_owned()), reason: "of 257 bytes, expected 256 at most".to_owned() });
        }
    }
}

#[test]
fn long_records_are_refused() {
    let padded = |bytes: usize| LOGIN.replace(r#""ip":"#, &format!(r#""padding":"{}","ip":"#, "x".repeat(bytes - LOGIN.len() - 13)));
    let long = padded((1 << 20) + 1);
    assert_eq!(fault_of(&long).reason, "record of 1048577 bytes, expected 1048576 at most");
    assert_eq!(event_of(&padded(1 << 20)).id, "1");
}

#[test]
fn unknown_fields_stay_available() {
    let record = LOGIN.replace(r#""ip":"#, r#""tier":"gold","score":7,"half":0.5,"beta":true,"nothing":null,"deep":{},"ip":"#);
    let of = |name| unknown_field(record.as_bytes(), name);
    assert!(of("tier") == OwnedValue::Str("gold".into()));
    assert!(of("score") == OwnedValue::Int(7));
    assert!(of("half") == OwnedValue::Double(0.5));
    assert!(of("beta") == OwnedValue::Bool(true));
    assert!(of("nothing") == OwnedValue::Absent);
    assert!(of("deep") == OwnedValue::Object);
    assert!(of("missing") == OwnedValue::Absent);
}

#[test]
fn an_event_shows_no_personal_value() {
    let shown = format!("{:?}", event_of(LOGIN));
    for raw in ["192.0.2.1", "d_1", "30.0", "31.2"] {
        assert!(!shown.contains(raw), "{shown}");
    }
}

/// Good data of each type of the contract.
fn good_data(event_type: EventType) -> &'static str {
    match event_type {
        EventType::LoginSucceeded => {
            r#"{"user_id":"u","device_id":"d","ip":"192.0.2.1","country":"EG","asn":24863,"asn_type":"mobile","method":"refresh"}"#
        }
        EventType::LoginFailed => r#"{"ip":"192.0.2.1","reason":"bad password"}"#,
        EventType::OtpRequested | EventType::OtpVerified | EventType::OtpFailed => OTP,
        EventType::DeviceBound => r#"{"user_id":"u","device_id":"d","fingerprint":"f","emulator":false,"rooted":true}"#,
        EventType::SimChanged => r#"{"phone":"01000000001","reported_by":"device"}"#,
        EventType::CredentialChanged => r#"{"user_id":"u","device_id":"d","what":"payout_account"}"#,
        EventType::PaymentAuthorized
        | EventType::PaymentCaptured
        | EventType::PaymentFailed
        | EventType::CashConfirmed
        | EventType::Chargeback
        | EventType::RefundRequested
        | EventType::RefundIssued
        | EventType::PayoutRequested
        | EventType::PayoutPaid => PAYMENT,
        EventType::ChatMessage => r#"{"conversation_id":"c","sender_id":"u","recipient_id":"t","text":"","media":"voice"}"#,
        EventType::GpsPosition => r#"{"entity_id":"t","lat":-90,"lon":180,"mock":true,"provider":"network"}"#,
        EventType::RoutePlanned => r#"{"route_id":"r","entity_id":"t","task_id":"b","points":[[30,31],[30.1,31.1]],"corridor_m":50}"#,
        EventType::BookingCreated
        | EventType::BookingAccepted
        | EventType::BookingStarted
        | EventType::BookingCompleted
        | EventType::BookingCancelled
        | EventType::BookingDisputed => BOOKING,
        EventType::ReviewSubmitted => r#"{"review_id":"r","reviewer_id":"u","reviewee_id":"t","rating":5,"verified_booking":true}"#,
        EventType::ReportFiled => r#"{"report_id":"r","reporter_id":"u","reported_id":"t","category":"coercion"}"#,
        EventType::LedgerPosted => {
            r#"{"entry_id":"e","lines":[{"account":"a","amount":-5,"currency":"EGP"},{"account":"b","amount":5,"currency":"EGP"}]}"#
        }
        EventType::AdminAction => {
            r#"{"actor_id":"a","action":"refund.approve","target":"user:u","ip":"192.0.2.1","mfa":true,"records_read":9,"amount":5}"#
        }
        EventType::AuthzDenied => r#"{"actor_id":"a","actor_role":"client","resource":"/tasks/1","ip":"192.0.2.1"}"#,
        EventType::AccountRegistered => {
            r#"{"user_id":"u","role":"driver","phone":"+201000000001","email":"a@b.example","referrer_id":"v","promo_code":"X"}"#
        }
        EventType::KycChanged => r#"{"user_id":"u","level":"full","document_hash":"h"}"#,
        EventType::TokenRejected => r#"{"reason":"audience","ip":"192.0.2.1"}"#,
        EventType::ApiThrottled => r#"{"route":"/otp","ip":"192.0.2.1","count":40}"#,
        EventType::WebhookReceived => {
            r#"{"provider":"p","delivery_id":"d","nonce":"n","signed_at":"2026-01-01T00:00:00Z","signature_valid":true,"ip":"192.0.2.1"}"#
        }
        EventType::PromoRedeemed => r#"{"user_id":"u","promo_code":"X","referrer_id":"v","amount":5000}"#,
        EventType::ReportHandled => r#"{"report_id":"r","actor_id":"a","outcome":"warned"}"#,
        EventType::AlertOpened => {
            r#"{"rule":"auth.otp_flood","severity":"SEV2","area":"auth","entity":"user:u","region":"853f5a53fffffff","advice":"hold"}"#
        }
        EventType::LedgerLine => r#"{"entry_id":"e","booking_id":"b","account":"cash","amount":-5,"currency":"EGP"}"#,
    }
}

#[test]
fn every_type_of_the_contract_is_read() {
    for event_type in EventType::PRODUCED {
        is_read(*event_type, good_data(*event_type));
    }
}

fn is_read(event_type: EventType, data: &str) {
    let record = record_of(event_type, data);
    let event = event_of(&record);
    assert_eq!(event.data.event_type(), event_type);
    // Each field of the data is there under its own name, and with the type it is declared with.
    let json: serde_json::Value = serde_json::from_str(data).expect("JSON");
    for (name, value) in json.as_object().expect("an object") {
        let (path, spec) = field::find(event_type.fields(), name).unwrap_or_else(|| panic!("{name} is no field"));
        let found = event.data.get(path);
        let fits = match spec.ty {
            field::FieldType::Bool => matches!(found, Value::Bool(_)),
            field::FieldType::Int => matches!(found, Value::Int(_)),
            field::FieldType::Double => matches!(found, Value::Double(_)),
            field::FieldType::String | field::FieldType::Enum(_) => matches!(found, Value::Str(_)),
            field::FieldType::Time => matches!(found, Value::Time(_)),
            field::FieldType::Object | field::FieldType::List => found == Value::Object,
        };
        assert!(fits, "{name}: {value} read as {found:?} for {:?}", spec.ty);
    }
}

#[test]
fn what_is_the_engines_own_is_read_in_tests_of_rules_alone() {
    let of = |data: &str, own| {
        let record = record_of(EventType::AlertOpened, data);
        format!("{:?}", decode(record.as_bytes(), &Limits { own, ..Limits::default() }))
    };
    let good = good_data(EventType::AlertOpened);
    assert_eq!(of(good, false), "Ok(UnknownType)");
    let read = of(good, true);
    assert!(read.starts_with("Ok(Event(") && read.contains("853f5a53fffffff"), "{read}");
    let garbled = of(&good.replace("SEV2", "SEV7"), true);
    assert!(garbled.starts_with("Ok(Garbled"), "{garbled}");
    // In any order of the attributes, and however it is spelt.
    let record = record_of(EventType::AlertOpened, good);
    for other in [record.replace("rasid.alert", "rasid\\u002ealert"), record.replacen('{', "{\"x\":\"\\ud83d\",", 1)] {
        assert!(matches!(decode(other.as_bytes(), &Limits::default()), Ok(Decoded::UnknownType)), "{other}");
    }
    assert!(!EventType::PRODUCED.contains(&EventType::AlertOpened) && EventType::AlertOpened.is_own());
    assert_eq!(EventType::PRODUCED.len() + 2, EventType::ALL.len());
}

#[test]
fn a_line_comes_with_its_entry_and_never_by_itself() {
    let line = record_of(EventType::LedgerLine, good_data(EventType::LedgerLine));
    for own in [false, true] {
        assert!(matches!(decode(line.as_bytes(), &Limits { own, ..Limits::default() }), Ok(Decoded::UnknownType)));
    }
    let entry = record_of(EventType::LedgerPosted, good_data(EventType::LedgerPosted));
    let entry = event_of(&entry);
    let Data::LedgerPosted(posted) = &entry.data else { panic!("an entry") };
    let parts: Vec<Event<'_>> = entry.parts().collect();
    assert_eq!(parts.len(), posted.lines.as_slice().len());
    for (part, line) in parts.iter().zip(posted.lines.as_slice()) {
        assert_eq!((&part.id, &part.source, part.clock()), (&entry.id, &entry.source, entry.clock()));
        let of = |name| part.data.get(field::find(EventType::LedgerLine.fields(), name).expect("a field").0);
        assert_eq!((of("entry_id"), of("account")), (posted.entry_id.value(), line.account.value()));
        assert!(matches!(of("amount"), Value::Int(_)) && part.parts().next().is_none());
    }
    for event_type in EventType::PRODUCED.iter().filter(|event_type| **event_type != EventType::LedgerPosted) {
        assert!(event_of(&record_of(*event_type, good_data(*event_type))).parts().next().is_none());
    }
}

#[test]
fn an_event_that_may_have_a_place_has_the_one_that_stands_in_it() {
    let place = |record: &str| event_of(record).data.place().map(|place| (place.lat(), place.lon()));
    let mut placed = 0;
    for event_type in EventType::PRODUCED {
        let mut data: serde_json::Value = serde_json::from_str(good_data(*event_type)).expect("JSON");
        let own = field::find(event_type.fields(), "lat").is_some();
        let at = if own { &mut data } else { &mut data["location"] };
        at["lat"] = 29.5.into();
        at["lon"] = 31.25.into();
        let expected = event_type.has_place().then_some((29.5, 31.25));
        assert_eq!(place(&record_of(*event_type, &data.to_string())), expected, "{}", event_type.name());
        placed += usize::from(expected.is_some());
    }
    assert!(placed >= 13, "{placed}");
}

#[rstest]
#[case(
    EventType::ReviewSubmitted,
    r#"{"review_id":"r","reviewer_id":"u","reviewee_id":"t","rating":6,"verified_booking":true}"#,
    "data.rating"
)]
#[case(EventType::LedgerPosted, r#"{"entry_id":"e","lines":[{"account":"a","amount":-5,"currency":"EGP"}]}"#, "data.lines")]
#[case(
    EventType::LedgerPosted,
    r#"{"entry_id":"e","lines":[{"account":"a","amount":-5,"currency":"EGP"},{"account":"b","currency":"EGP"}]}"#,
    "data.lines[1].amount"
)]
#[case(EventType::ApiThrottled, r#"{"route":"/otp","ip":"192.0.2.1","count":-1}"#, "data.count")]
fn what_is_wrong_with_the_other_families_is_named(#[case] event_type: EventType, #[case] data: &str, #[case] field: &str) {
    let record = record_of(event_type, data);
    assert_eq!(fault_of(&record).field.as_deref(), Some(field));
}

#[test]
fn every_type_has_a_name_and_fields() {
    for event_type in EventType::ALL {
        assert_eq!(EventType::from_name(event_type.name()), Some(*event_type));
        assert!(!event_type.fields().is_empty());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _outcome = decode(&bytes, &Limits::default());
    }

    #[test]
    fn a_cut_record_is_a_dead_letter(cut in 0..LOGIN.len() - 1) {
        prop_assert!(decode(&LOGIN.as_bytes()[..cut], &Limits::default()).is_err());
    }

    /// The fast reader and the slow one take the same records, and read the same in them.
    #[test]
    fn both_readers_agree(at in 0..LOGIN.len() + 80, bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\\'), Just(b'"'), Just(b'u'), Just(b'0'), Just(b',')], 1..4)) {
        let skipped = r#""x":{"a":["\u00e9\ud83d\ude00",-0.5e+3,true,null],"b\n":{}},"data":"#;
        let mut record = LOGIN.replace(r#""data":"#, skipped).into_bytes();
        let end = (at + bytes.len()).min(record.len());
        record.splice(at.min(end)..end, bytes);
        let limits = Limits::default();
        let slow = serde_json::from_slice::<&serde_json::value::RawValue>(&record).is_ok();
        match (decode(&record, &limits), envelope::decode_slowly(&record, &limits)) {
            (Ok(fast), Ok(found)) => {
                prop_assert!(slow, "accepted what serde_json refuses: {:?}", String::from_utf8_lossy(&record));
                prop_assert_eq!(format!("{fast:?}"), format!("{found:?}"));
            }
            (Err(fast), Err(found)) => prop_assert_eq!(fast, found),
            (fast, found) => prop_assert!(false, "{fast:?} and {found:?} of {:?}", String::from_utf8_lossy(&record)),
        }
    }
}
