//! Records in, events or faults out.

use proptest::prelude::*;
use rstest::rstest;

use super::envelope::{Decoded, Fault, Limits, decode, unknown_field};
use super::*;
use crate::value::OwnedValue;

const LOGIN: &str = r#"{"specversion":"1.0","id":"1","source":"/khidma/auth","type":"auth.login_succeeded","time":"2026-11-21T10:00:00Z","data":{"user_id":"u_1","device_id":"d_1","ip":"192.0.2.1","location":{"lat":30.0,"lon":31.2,"accuracy_km":20}}}"#;

fn fault_of(record: &str) -> Fault {
    decode(record.as_bytes(), &Limits::default()).expect_err("a dead letter")
}

fn event_of(record: &str) -> Event<'_> {
    match decode(record.as_bytes(), &Limits::default()) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("expected an event, got {other:?}"),
    }
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
    assert!(get(&login, EventType::LoginSucceeded, "device_id") == OwnedValue::Absent);
    assert!(get(&login, EventType::LoginSucceeded, "location.accuracy_km") == OwnedValue::Absent);
    let tor = LOGIN.replace(r#""ip":"#, r#""country":"T1","ip":"#);
    assert!(get(&tor, EventType::LoginSucceeded, "country") == OwnedValue::Str("T1".into()));
    let fix = r#"{"specversion":"1.0","id":"1","source":"s","type":"gps.position","time":"1969-01-01T00:00:00Z","receivedtime":"2026-11-21T10:00:00Z","data":{"entity_id":"t_1","lat":30,"lon":31,"accuracy_m":-1,"speed_mps":-1,"heading_deg":-1}}"#;
    for name in ["accuracy_m", "speed_mps", "heading_deg"] {
        assert!(get(fix, EventType::GpsPosition, name) == OwnedValue::Absent);
    }
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

#[rstest]
#[case::range(&LOGIN.replace("30.0", "95"), Some("data.location.lat"), "out of range, expected a latitude of -90 to 90 degrees")]
#[case::word(&LOGIN.replace("30.0", "\"ten\""), Some("data.location.lat"), "found a string, expected a number")]
#[case::missing(&LOGIN.replace(r#""user_id":"u_1","#, ""), Some("data.user_id"), "missing, but its type requires it")]
#[case::missing_deep(&LOGIN.replace(r#""lat":30.0,"#, ""), Some("data.location.lat"), "missing, but its type requires it")]
#[case::missing_attribute(&LOGIN.replace(r#""id":"1","#, ""), Some("id"), "missing, but its type requires it")]
#[case::empty_id(&LOGIN.replace(r#""id":"1""#, r#""id":"""#), Some("id"), "empty, expected at least one character")]
#[case::before_the_epoch(&LOGIN.replace("2026-11-21T", "1969-11-21T"), None, "event clock out of range, expected 1970 to 9999")]
#[case::data_in_a_list(&LOGIN.replace(r#"{"lat":30.0,"lon":31.2,"accuracy_km":20}"#, "[30.0,31.2,20,null]"), Some("data.location"), "found a list, expected an object")]
#[case::word_in_an_object(&LOGIN.replace(r#""ip":"#, r#""method":{"otp":null},"ip":"#), Some("data.method"), "found an object, expected a string")]
#[case::address(&LOGIN.replace("192.0.2.1", "192.0.2.999"), Some("data.ip"), "not an IPv4 or IPv6 address")]
#[case::time(&LOGIN.replace("2026-11-21T10:00:00Z", "yesterday"), Some("time"), "not a time, expected RFC 3339 with a zone")]
#[case::variant(&LOGIN.replace(r#""ip":"#, r#""method":"magic","ip":"#), Some("data.method"), "found another word, expected one of otp, password, refresh")]
#[case::twice(&LOGIN.replace(r#""ip":"#, r#""user_id":"u_2","ip":"#), Some("data"), "duplicate field `user_id`")]
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
#[case::surrogate(&LOGIN.replace("u_1", "\\ud800"), None, "not valid JSON at byte 140")]
fn a_fault_names_the_field_and_what_was_expected(#[case] record: &str, #[case] field: Option<&str>, #[case] reason: &str) {
    let fault = fault_of(record);
    assert_eq!((fault.field.as_deref(), fault.reason.as_str()), (field, reason));
}

#[test]
fn a_fault_never_quotes_the_record() {
    for (good, bad) in
        [("30.0", "\"canary\""), ("\"u_1\"", "{\"canary\":1}"), ("\"192.0.2.1\"", "\"canary\""), ("20}", "20,\"source\":\"canary\"}")]
    {
        let fault = fault_of(&LOGIN.replace(good, bad));
        assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
    }
}

#[test]
fn deep_nesting_is_refused_before_it_is_parsed() {
    let deep = LOGIN.replace("20}}", &format!("20}},\"x\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000)));
    let limits = Limits { record_bytes_max: usize::MAX, ..Limits::default() };
    let fault = decode(deep.as_bytes(), &limits).expect_err("a dead letter");
    assert_eq!(fault.reason, "nested too deep, expected 32 levels at most");
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
    let long = LOGIN.replace("u_1", &"x".repeat(1 << 20));
    assert_eq!(fault_of(&long).reason, format!("record of {} bytes, expected 262144 at most", long.len()));
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

const BOOKING: &str = r#"{"booking_id":"b","client_id":"u","tasker_id":"t","location":{"lat":30,"lon":31},"price":100,"currency":"EGP","proof":{"lat":30,"lon":31,"accuracy_m":5,"photo":true},"actor_role":"tasker"}"#;
const PAYMENT: &str = r#"{"payment_id":"p","user_id":"u","counterparty_id":"t","amount":5,"currency":"EGP","method":"cash","balance_after":-3,"account_created_at":"2026-01-01T00:00:00+02:00"}"#;
const OTP: &str = r#"{"phone":"+201000000001","ip":"2001:db8::1","purpose":"change_phone","channel":"whatsapp"}"#;

/// One good event of each type of the contract.
#[rstest]
#[case(
    EventType::LoginSucceeded,
    r#"{"user_id":"u","device_id":"d","ip":"192.0.2.1","country":"EG","asn_type":"mobile","method":"refresh"}"#
)]
#[case(EventType::LoginFailed, r#"{"ip":"192.0.2.1","reason":"bad password"}"#)]
#[case(EventType::OtpRequested, OTP)]
#[case(EventType::OtpVerified, OTP)]
#[case(EventType::OtpFailed, OTP)]
#[case(EventType::DeviceBound, r#"{"user_id":"u","device_id":"d","fingerprint":"f","emulator":false,"rooted":true}"#)]
#[case(EventType::SimChanged, r#"{"phone":"01000000001","reported_by":"device"}"#)]
#[case(EventType::CredentialChanged, r#"{"user_id":"u","device_id":"d","what":"payout_account"}"#)]
#[case(EventType::PaymentAuthorized, PAYMENT)]
#[case(EventType::PaymentCaptured, PAYMENT)]
#[case(EventType::PaymentFailed, PAYMENT)]
#[case(EventType::CashConfirmed, PAYMENT)]
#[case(EventType::Chargeback, PAYMENT)]
#[case(EventType::RefundRequested, PAYMENT)]
#[case(EventType::RefundIssued, PAYMENT)]
#[case(EventType::PayoutRequested, PAYMENT)]
#[case(EventType::PayoutPaid, PAYMENT)]
#[case(EventType::ChatMessage, r#"{"conversation_id":"c","sender_id":"u","recipient_id":"t","text":"","media":"voice"}"#)]
#[case(EventType::GpsPosition, r#"{"entity_id":"t","lat":-90,"lon":180,"mock":true,"provider":"network"}"#)]
#[case(EventType::RoutePlanned, r#"{"route_id":"r","entity_id":"t","task_id":"b","points":[[30,31],[30.1,31.1]],"corridor_m":50}"#)]
#[case(EventType::BookingCreated, BOOKING)]
#[case(EventType::BookingAccepted, BOOKING)]
#[case(EventType::BookingStarted, BOOKING)]
#[case(EventType::BookingCompleted, BOOKING)]
#[case(EventType::BookingCancelled, BOOKING)]
#[case(EventType::BookingDisputed, BOOKING)]
#[case(EventType::ReviewSubmitted, r#"{"review_id":"r","reviewer_id":"u","reviewee_id":"t","rating":5,"verified_booking":true}"#)]
#[case(EventType::ReportFiled, r#"{"report_id":"r","reporter_id":"u","reported_id":"t","category":"coercion"}"#)]
#[case(
    EventType::LedgerPosted,
    r#"{"entry_id":"e","lines":[{"account":"a","amount":-5,"currency":"EGP"},{"account":"b","amount":5,"currency":"EGP"}]}"#
)]
#[case(
    EventType::AdminAction,
    r#"{"actor_id":"a","action":"refund.approve","target":"user:u","ip":"192.0.2.1","mfa":true,"records_read":9,"amount":5}"#
)]
#[case(EventType::AuthzDenied, r#"{"actor_id":"a","actor_role":"client","resource":"/tasks/1","ip":"192.0.2.1"}"#)]
#[case(EventType::AccountRegistered, r#"{"user_id":"u","role":"driver","phone":"+201000000001"}"#)]
#[case(EventType::KycChanged, r#"{"user_id":"u","level":"full","document_hash":"h"}"#)]
#[case(EventType::TokenRejected, r#"{"reason":"audience","ip":"192.0.2.1"}"#)]
#[case(EventType::ApiThrottled, r#"{"route":"/otp","ip":"192.0.2.1","count":40}"#)]
#[case(
    EventType::WebhookReceived,
    r#"{"provider":"p","delivery_id":"d","nonce":"n","signed_at":"2026-01-01T00:00:00Z","signature_valid":true,"ip":"192.0.2.1"}"#
)]
fn every_type_of_the_contract_is_read(#[case] event_type: EventType, #[case] data: &str) {
    let record = format!(
        r#"{{"specversion":"1.0","id":"1","source":"s","type":"{}","time":"2026-11-21T10:00:00Z","data":{data}}}"#,
        event_type.name()
    );
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
#[case(EventType::BookingCompleted, r#"{"booking_id":"b","client_id":"u","proof":{"lat":30,"lon":31}}"#, "data.proof.photo")]
#[case(EventType::ApiThrottled, r#"{"route":"/otp","ip":"192.0.2.1","count":-1}"#, "data.count")]
fn what_is_wrong_with_the_other_families_is_named(#[case] event_type: EventType, #[case] data: &str, #[case] field: &str) {
    let record = format!(
        r#"{{"specversion":"1.0","id":"1","source":"s","type":"{}","time":"2026-11-21T10:00:00Z","data":{data}}}"#,
        event_type.name()
    );
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

    #[test]
    fn both_readers_agree(at in 0..LOGIN.len(), byte in any::<u8>()) {
        let mut record = LOGIN.as_bytes().to_vec();
        record[at] = byte;
        let fast = decode(&record, &Limits::default()).is_ok();
        let slow = serde_json::from_slice::<serde_json::Value>(&record).is_ok();
        prop_assert!(slow || !fast, "accepted what serde_json refuses: {:?}", String::from_utf8_lossy(&record));
    }
}
