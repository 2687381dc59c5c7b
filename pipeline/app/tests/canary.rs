//! Invariant P1: nothing raw leaves. Canaries stand in every personal field, in text and in records that are refused; none
//! may show up in alerts, scores, the summary or a log at its most talkative.

use std::process::Command;

const RULES: &str = r#"
rule: probe.everything
title: Fires on everything and shows all it may
on: [auth.otp_requested]
entity: phone
let:
  sends: {count: auth.otp_requested, by: phone, window: 10m}
  devices: {distinct: auth.otp_requested, of: device_id, by: ip, window: 10m}
  device: {last: auth.otp_requested, of: device_id, by: phone, window: 10m}
  address: {previous: auth.otp_requested, of: ip, by: phone, window: 10m}
when: sends > 0 && devices > 0 && data.phone != "" && data.ip != "" && device != "" && (!("nickname" in data) || data["nickname"] != "x")
risk: 50
suppress: 0s
explain: "{sends} to {data.phone} from {data.ip} on {device}, before from {address}"
"#;

const CHAT_RULE: &str = r#"
rule: probe.chat
title: Fires on every message
on: chat.message
entity: user(sender_id)
when: size(data.text) > 0
risk: 50
suppress: 0s
explain: "a message in {data.conversation_id}"
"#;

const LEAK_RULE: &str = r#"
rule: probe.leak
title: Shows what a chat detector found
on: chat.message
entity: user(sender_id)
let:
  leak: {detector: contact_leak, by: user(sender_id)}
when: leak.fired
risk: 50
suppress: 0s
explain: "{leak.kind}: {leak.evidence}"
"#;

const PAYMENT_RULE: &str = r#"
rule: probe.payment
title: Fires on every payment
on: payment.captured
entity: instrument
when: data.amount >= 0 && (!has(data.reason) || data.reason != "x")
risk: 50
suppress: 0s
explain: "{data.amount} by {data.instrument_id}"
"#;

const PREFIX_RULE: &str = r#"
rule: probe.prefix
title: Fires on every code, by the range of the number
on: auth.otp_verified
entity: phone_prefix
when: data.purpose == "login"
risk: 50
suppress: 0s
explain: "a code"
"#;

const GPS_RULE: &str = r#"
rule: probe.gps
title: Fires on every fix
on: gps.position
entity: driver
when: data.lat > 0.0
risk: 50
suppress: 0s
explain: "a fix of {data.entity_id}"
"#;

/// What must never be seen again.
const CANARIES: &[&str] = &[
    "1055577701",
    "198.51.100.77",
    "canarydevice",
    "canarytoken",
    "canaryword",
    "canarynick",
    "canaryprint",
    "canarywhy",
    "canaryaddress",
    "10555777012",
    "29.97531",
    "31.13762",
    "canarybroken",
    "canarydocument",
];

const EVENTS: &str = r#"{"specversion":"1.0","id":"1","source":"/t","type":"auth.otp_requested","time":"2026-11-01T10:00:00Z","subject":"phone:+201055577701","data":{"phone":"+201055577701","user_id":"u_1","device_id":"canarydevice","ip":"198.51.100.77","location":{"lat":29.97531,"lon":31.13762},"purpose":"login","nickname":"canarynick"}}
{"specversion":"1.0","id":"2","source":"/t","type":"auth.otp_requested","time":"2026-11-01T10:00:01Z","data":{"phone":"01055577701","device_id":"canarydevice","ip":"198.51.100.77","purpose":"login"}}
{"specversion":"1.0","id":"3","source":"/t","type":"chat.message","time":"2026-11-01T10:00:02Z","data":{"conversation_id":"c_1","sender_id":"u_1","recipient_id":"u_2","text":"canaryword 01055577701"}}
{"specversion":"1.0","id":"4","source":"/t","type":"payment.captured","time":"2026-11-01T10:00:03Z","data":{"payment_id":"p_1","user_id":"u_1","amount":100,"currency":"EGP","method":"card","instrument_id":"canarytoken","reason":"canarywhy 01055577701","device_id":"canarydevice","ip":"198.51.100.77"}}
{"specversion":"1.0","id":"5","source":"/t","type":"gps.position","time":"2026-11-01T10:00:04Z","data":{"entity_id":"t_1","lat":29.97531,"lon":31.13762,"device_id":"canarydevice"}}
{"specversion":"1.0","id":"6","source":"/t","type":"auth.device_bound","time":"2026-11-01T10:00:05Z","data":{"user_id":"u_1","device_id":"canarydevice","fingerprint":"canaryprint"}}
{"specversion":"1.0","id":"7","source":"/t","type":"auth.otp_requested","time":"2026-11-01T10:00:06Z","data":{"phone":["canarybroken"],"ip":"198.51.100.77","purpose":"login"}}
{"specversion":"1.0","id":"8","source":"/t","type":"auth.otp_requested","time":"2026-11-01T10:00:06Z","data":{"phone":"+201055577701","ip":"198.51.100.77.canarybroken","purpose":"canarybroken"}}
{"specversion":"1.0","id":"9","source":"/t","type":"auth.otp_verified","time":"2026-11-01T10:00:07Z","data":{"phone":"+20 105 557 7701 ext 9","ip":"198.51.100.77","purpose":"login"}}
{"specversion":"1.0","id":"10","source":"/t","type":"auth.otp_verified","time":"2026-11-01T10:00:08Z","data":{"phone":"canaryaddress@example.com","ip":"198.51.100.77","purpose":"login"}}
{"specversion":"1.0","id":"11","source":"/t","type":"auth.otp_verified","time":"2026-11-01T10:00:09Z","data":{"phone":"+20105557770123","ip":"198.51.100.77","purpose":"login"}}
{"specversion":"1.0","id":"12","source":"/t","type":"account.kyc_changed","time":"2026-11-01T10:00:10Z","data":{"user_id":"u_1","level":"full","document_hash":"canarydocument"}}
canarybroken
"#;

#[test]
fn p1_nothing_raw_leaves() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(path("rules/probe")).expect("a folder");
    for (name, text) in [
        ("everything", RULES),
        ("chat", CHAT_RULE),
        ("leak", LEAK_RULE),
        ("payment", PAYMENT_RULE),
        ("gps", GPS_RULE),
        ("prefix", PREFIX_RULE),
    ] {
        std::fs::write(path(&format!("rules/probe/{name}.yaml")), text).expect("a file");
    }
    std::fs::write(path("events.jsonl"), EVENTS).expect("a file");

    for threads in ["1", "2"] {
        let output = Command::new(env!("CARGO_BIN_EXE_rasid"))
            .args([
                "detect",
                "events.jsonl",
                "--rules",
                "rules",
                "--scores",
                "scores.jsonl",
                "--dead-letters",
                "refused.jsonl",
                "--threads",
                threads,
            ])
            .env("RASID_LOG", "trace")
            .env("RASID_KEY", "a secret only for this test")
            .current_dir(dir.path())
            .output()
            .expect("it runs");
        let (alerts, talk) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(output.status.success(), "{talk}");
        let scores = std::fs::read_to_string(path("scores.jsonl")).expect("scores");
        assert_eq!(alerts.lines().count(), 9, "every rule fired: {alerts}");
        assert_eq!(std::fs::read_to_string(path("refused.jsonl")).expect("dead letters").lines().count(), 1);
        assert!(talk.contains("batch processed"), "the log was on: {talk}");
        for canary in CANARIES {
            for (door, text) in [("alerts", &alerts), ("scores", &scores), ("stderr", &talk)] {
                assert!(!text.contains(canary), "{canary} left by {door}:\n{text}");
            }
        }
        assert!(alerts.contains("+20 10•• ••• •01"), "masked evidence: {alerts}");
        assert!(alerts.contains("\"phone:p1_") && alerts.contains("instrument:p1_"), "pseudonyms instead: {alerts}");
        if threads == "1" {
            explained(dir.path(), &alerts);
        }
    }
}

/// What is told of why an alert was opened: the events behind it, its message, its places.
fn explained(dir: &std::path::Path, alerts: &str) {
    let mut told = String::new();
    for alert in alerts.lines() {
        let id = alert.split('"').nth(3).expect("an id");
        for output in ["text", "json"] {
            let explained = Command::new(env!("CARGO_BIN_EXE_rasid"))
                .args(["explain", id, "events.jsonl", "--rules", "rules", "--output", output])
                .env("RASID_LOG", "trace")
                .env("RASID_KEY", "a secret only for this test")
                .current_dir(dir)
                .output()
                .expect("it runs");
            told += &String::from_utf8_lossy(&explained.stderr);
            assert!(explained.status.success(), "{alert}: {told}");
            told += &String::from_utf8_lossy(&explained.stdout);
        }
    }
    assert!(told.contains("why: the condition held") && told.contains("the message holds phone"), "{told}");
    for canary in CANARIES {
        assert!(!told.contains(canary), "{canary} left by an explanation:\n{told}");
    }
}

const IDS_CHAT_RULE: &str = r#"
rule: probe.ids_chat
title: Shows every id of a message
on: chat.message
entity: conversation
let:
  last: {last: chat.message, of: sender_id, by: conversation, window: 1h}
when: data.sender_id != "" && data.recipient_id != "" && last != ""
risk: 50
suppress: 0s
explain: "{data.sender_id} to {data.recipient_id} in {data.conversation_id}, last {last}"
"#;

const IDS_PAYMENT_RULE: &str = r#"
rule: probe.ids_payment
title: Shows every id of a payment
on: payment.captured
entity: booking
when: data.amount >= 0 && data.payment_id != "" && has(data.approved_by) && has(data.counterparty_id)
risk: 50
suppress: 0s
explain: "{data.payment_id} by {data.user_id} to {data.counterparty_id}, {data.approved_by}, {data.provider}"
"#;

const IDS_GPS_RULE: &str = r#"
rule: probe.ids_gps
title: Shows a driver
on: gps.position
entity: driver
when: data.lat > 0.0
risk: 50
suppress: 0s
explain: "{data.entity_id} at {data.task_id}"
"#;

/// Ids that are phones, e-mail addresses, IP addresses and cards themselves: in every field that names an opaque kind, in the
/// event's own id, source and subject.
const IDS: &str = r#"{"specversion":"1.0","id":"+201066688801","source":"mailto:canary1@example.com","type":"chat.message","time":"2026-11-01T10:00:00Z","subject":"user:01066688802","data":{"conversation_id":"canary2@example.com","sender_id":"01066688802","recipient_id":"٠١٠٦٦٦٨٨٨٠٣","text":"hi"}}
{"specversion":"1.0","id":"00201066688804","source":"198.51.100.88","type":"payment.captured","time":"2026-11-01T10:00:01Z","data":{"payment_id":"tel:+20-106-668-8805","user_id":"+20 106 668 8806","counterparty_id":"2001:db8:77::88","booking_id":"canary3@example.com","amount":100,"currency":"EGP","method":"card","approved_by":"canary4@example.com","provider":"4111 1111 1111 1111"}}
{"specversion":"1.0","id":"e3","source":"/t","type":"gps.position","time":"2026-11-01T10:00:02Z","data":{"entity_id":"201066688807","lat":30.0,"lon":31.0,"task_id":"canary5%40example.com"}}
"#;

const IDS_CANARIES: &[&str] = &["66688", "٦٦٦٨٨", "668 88", "668-88", "canary", "198.51.100.88", "db8:77", "4111 1111", "4111111111111111"];

#[test]
fn p1_an_id_that_is_personal_itself_leaves_as_a_pseudonym() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(path("rules/probe")).expect("a folder");
    for (name, text) in [("ids_chat", IDS_CHAT_RULE), ("ids_payment", IDS_PAYMENT_RULE), ("ids_gps", IDS_GPS_RULE)] {
        std::fs::write(path(&format!("rules/probe/{name}.yaml")), text).expect("a file");
    }
    std::fs::write(path("events.jsonl"), IDS).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_rasid"))
        .args(["detect", "events.jsonl", "--rules", "rules", "--scores", "scores.jsonl"])
        .env("RASID_LOG", "trace")
        .env("RASID_KEY", "a secret only for this test")
        .current_dir(dir.path())
        .output()
        .expect("it runs");
    let (alerts, talk) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{talk}");
    let scores = std::fs::read_to_string(path("scores.jsonl")).expect("scores");
    assert_eq!((alerts.lines().count(), scores.lines().count()), (3, 3), "every rule fired: {alerts}{talk}");
    for canary in IDS_CANARIES {
        for (door, text) in [("alerts", &alerts), ("scores", &scores), ("stderr", &talk)] {
            assert!(!text.contains(canary), "{canary} left by {door}:\n{text}");
        }
    }
    // One name at every door: whom the alert is about, its values, its words, who else is in it, and the score.
    let alerts: Vec<serde_json::Value> = alerts.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let text =
        |alert: &serde_json::Value, pointer: &str| alert.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let conversation = text(&alerts[0], "/values/data.conversation_id");
    assert!(conversation.starts_with("p1_") && text(&alerts[0], "/explanation").contains(&conversation));
    assert_eq!(text(&alerts[0], "/entity"), format!("conversation:{conversation}"));
    let sender = text(&alerts[0], "/values/data.sender_id");
    assert!(sender.starts_with("p1_") && alerts[0]["related"].to_string().contains(&format!("\"user:{sender}\"")), "{}", alerts[0]);
    assert_eq!(text(&alerts[0], "/values/last"), sender, "a binding's value too");
    assert!(text(&alerts[0], "/event/id").starts_with("p1_") && text(&alerts[0], "/event/source").starts_with("p1_"));
    assert_eq!((text(&alerts[2], "/event/id"), text(&alerts[2], "/event/source")), ("e3".to_owned(), "/t".to_owned()));
    assert!(scores.contains(&format!("\"conversation:{conversation}\"")), "{scores}");
    // And `rasid pseudonym` says it.
    let named = Command::new(env!("CARGO_BIN_EXE_rasid"))
        .args(["pseudonym", "conversation", "canary2@example.com"])
        .env("RASID_KEY", "a secret only for this test")
        .current_dir(dir.path())
        .output()
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&named.stdout).trim(), format!("conversation:{conversation}"));
}

#[test]
fn an_id_that_is_too_long_reads_as_absent_and_is_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(path("rules/probe")).expect("a folder");
    std::fs::write(path("rules/probe/ids_gps.yaml"), IDS_GPS_RULE).expect("a file");
    let event = |id: &str, driver: &str| {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/t\",\"type\":\"gps.position\",\"time\":\"2026-11-01T10:00:02Z\",\
             \"data\":{{\"entity_id\":\"{driver}\",\"lat\":30.0,\"lon\":31.0,\"task_id\":\"b\"}}}}\n"
        )
    };
    let (fits, too_long) = ("d".repeat(256), "d".repeat(257));
    let hostile = "d".repeat(200_000);
    let events =
        [event("1", &fits), event("2", &too_long), event("3", &hostile), event(&"i".repeat(256), "d_4"), event(&"i".repeat(257), "d_5")];
    std::fs::write(path("events.jsonl"), events.concat()).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_rasid"))
        .args(["detect", "events.jsonl", "--output", "json", "--scores", "scores.jsonl", "--dead-letters", "refused.jsonl"])
        .env("RASID_KEY", "a secret only for this test")
        .current_dir(dir.path())
        .output()
        .expect("it runs");
    let summary: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!((&summary["alerts"], &summary["oversized_ids"], &summary["dead_letters"]), (&2.into(), &2.into(), &1.into()), "{summary}");
    let refused: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path("refused.jsonl")).expect("a file")).expect("JSON");
    assert_eq!((refused["field"].as_str(), refused["reason"].as_str()), (Some("id"), Some("of 257 bytes, expected 256 at most")));
    let scores = std::fs::read_to_string(path("scores.jsonl")).expect("scores");
    assert!(scores.lines().count() == 2 && scores.len() < 2_000, "no name that is longer: {scores}");
}
