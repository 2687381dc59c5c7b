//! Nothing raw leaves the raw zone, and nothing in it is unsealed (invariant P1): canaries go through a service that says
//! all it can, and are looked for in everything that it said, sent and kept.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::service::{PATIENCE, Service};
use crate::site::Site;
use crate::traffic::now_ms;

/// A phone in two spellings, a device, an address, a message, a record that is no event.
const CANARIES: [&str; 6] = ["1277788899", "canary-device-4711", "197.55.44.33", "canary text رسالة", "canary-broken", "canary-unknown"];

fn event(number: i64, kind: &str, data: &Value) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(now_ms());
    json!({"specversion": "1.0", "id": format!("k{number}"), "source": "/khidma", "type": kind, "time": time, "data": data}).to_string()
}

fn stream() -> String {
    let mut lines: Vec<String> = (0..6)
        .map(|number| {
            let phone = if number % 2 == 0 { "+201277788899" } else { "01277788899" };
            let data = json!({"phone": phone, "device_id": "canary-device-4711", "ip": "197.55.44.33", "purpose": "login", "note": "canary-unknown"});
            event(number, "auth.otp_requested", &data)
        })
        .collect();
    let chat = json!({"conversation_id": "c_1", "sender_id": "u_1", "recipient_id": "u_2", "text": "canary text رسالة 01277788899"});
    lines.push(event(7, "chat.message", &chat));
    lines.push("{\"canary-broken 01277788899".to_owned());
    lines.push(event(8, "auth.otp_requested", &json!({"phone": 1_277_788_899, "ip": "197.55.44.33", "purpose": "login"})));
    lines.join("\n") + "\n"
}

/// Which canaries lie in the bytes.
fn found(bytes: &[u8]) -> Vec<&'static str> {
    let lies_in = |canary: &&str| bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
    CANARIES.into_iter().filter(lies_in).collect()
}

/// Every file below a folder.
fn files(folder: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files(&path, all);
        } else if let Ok(bytes) = fs::read(&path) {
            all.push((path.display().to_string(), bytes)); // a socket cannot be read, and holds nothing
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_is_found_outside_the_seals() {
    let site = Site::new("").await;
    let mut service = Service::start(site.rasid(&["run"]).env("RASID_LOG", "trace"), None);
    service.heard("up", PATIENCE).await;
    let stream = stream();
    assert_eq!(found(stream.as_bytes()), CANARIES, "the search finds them where they are");
    let beside = site.path("beside");
    fs::write(&beside, &stream).expect("a writable folder");
    fs::rename(beside, site.path("events/canary.jsonl")).expect("one folder");
    site.settle(PATIENCE).await;
    service.heard("snapshot written", PATIENCE).await;

    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    for arguments in [&["status", "--output", "json"][..], &["dead-letters", "list", "--output", "json"], &["dead-letters", "list"]] {
        let output = site.rasid(arguments).output().expect("it starts");
        assert!(output.status.success());
        places.push((arguments.join(" "), [output.stdout, output.stderr].concat()));
    }
    assert!(places.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("\"reason\"")), "there are dead letters");
    assert!(service.drain().await.success());
    let said: Vec<String> = service.lines().iter().map(|line| format!("{} {}", line.message, line.fields)).collect();
    let said = said.join("\n");
    assert!(said.contains("acknowledged"), "it said all it can");
    places.push(("the log of the service".to_owned(), said.into_bytes()));
    let accepted = site.core.accepted();
    assert!(accepted.iter().any(|event| event.kind == "rasid.alert.opened"), "an alert came out");
    places.extend(accepted.into_iter().map(|event| (event.id, [event.subject.into_bytes(), event.data].concat())));
    let keys: Vec<String> = site.redis.command(&["KEYS", "*"]).await;
    assert!(keys.iter().any(|key| key.contains("phone:p1_")), "a score was written: {keys:?}");
    for key in keys {
        let held = match site.redis.command::<String>(&["TYPE", &key]).await.as_str() {
            "stream" => format!("{:?}", site.redis.command::<Vec<(String, Vec<String>)>>(&["XRANGE", &key, "-", "+"]).await),
            _ => format!("{:?}", site.redis.command::<Vec<String>>(&["HGETALL", &key]).await),
        };
        places.push((key.clone(), format!("{key} {held}").into_bytes()));
    }
    files(&site.path("data"), &mut places);
    places.push(("the file of alerts".to_owned(), fs::read(site.path("alerts.jsonl")).expect("it is there")));
    assert!(places.len() > 20, "segments, keys, snapshots, outbox and the rest were looked through");
    for (place, bytes) in places {
        assert_eq!(found(&bytes), Vec::<&str>::new(), "in {place}");
    }
}
