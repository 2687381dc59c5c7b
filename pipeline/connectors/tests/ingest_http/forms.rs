//! The forms in which events come: lines, arrays, one by one, binary mode, base64, packed; and what is none of them.

#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "what is out of range fails the test")]

use std::io::Write as _;

use data_encoding::BASE64;
use proptest::prelude::*;
use rasid_connectors::ingest::http::IngestConfig;
use rasid_detectors::event::encoded::open;
use rasid_detectors::event::envelope::Limits;
use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};

use super::service::{BATCH, Book, EVENT, LINES, NOW_MS, Service, config, header, problem, webhook};

const JSON: &str = "application/json";
/// The attributes of an event as headers.
const ATTRIBUTES: [(&str, &str); 5] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/khidma/%D9%85"),
    ("ce-type", "auth.sim_changed"),
    ("ce-time", "2026-11-21T10:00:00Z"),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("in memory")
}

fn said(response: &Response, name: &str) -> String {
    header(response, name).to_owned()
}

#[rstest]
#[case::object(JSON, "{\"id\":\n\"1\"}", &["{\"id\": \"1\"}"])]
#[case::array("application/json; charset=utf-8", "[{\"id\":\"1\"}, {\"id\":\"2\"}]", &["{\"id\":\"1\"}", "{\"id\":\"2\"}"])]
#[case::lines_by_another_name("application/jsonl", "{\"id\":\"1\"}\n{\"id\":\"2\"}", &["{\"id\":\"1\"}", "{\"id\":\"2\"}"])]
#[case::with_a_byte_order_mark(LINES, "\u{FEFF}{\"id\":\"1\"}\n", &["{\"id\":\"1\"}"])]
#[tokio::test]
async fn other_forms_are_the_same_records(#[case] content_type: &str, #[case] body: &str, #[case] expected: &[&str]) {
    let service = Service::start(config(), Book::open()).await;
    assert_eq!(service.send(1, "msg_1", content_type, body).await.status(), 202);
    assert_eq!(service.book.texts(), expected);
}

#[tokio::test]
async fn an_event_in_binary_mode_is_one_record() {
    let service = Service::start(config(), Book::open()).await;
    let with = |content_type| [&ATTRIBUTES[..], &[("content-type", content_type)]].concat();
    assert_eq!(service.post("msg_1", &with("application/json; charset=utf-8"), "{\"phone\":\n\"+201\"}").await.status(), 202);
    let record = service.book.texts().pop().expect("one");
    let event: Value = serde_json::from_str(&record).expect("JSON");
    let expected = json!({
        "specversion": "1.0", "id": "1", "source": "/khidma/م", "type": "auth.sim_changed", "time": "2026-11-21T10:00:00Z",
        "datacontenttype": "application/json; charset=utf-8", "data": {"phone": "+201"}
    });
    assert_eq!(event, expected);
    assert!(!record.contains('\n'));
    assert_eq!(service.post("msg_2", &ATTRIBUTES, "{}").await.status(), 202, "data without a type is JSON");
    for (headers, body, status) in [
        (with("application/xml"), "<phone/>", 415),
        (with(LINES), "{}", 415),
        (with(JSON), "{}{}", 400),
        (with(JSON), "{},\"id\":\"other\"", 400),
        (with(JSON)[1..].to_vec(), "{}", 400),
        ([&with(JSON)[..], &[("ce-id", "2")]].concat(), "{}", 400),
        ([&with(JSON)[..], &[("ce-subject", "%FF")]].concat(), "{}", 400),
    ] {
        let id = format!("bad {headers:?} {body}").replace(|c: char| !c.is_ascii_alphanumeric(), "");
        problem(service.post(&id[..id.len().min(200)], &headers, body).await, status).await;
    }
    assert_eq!(service.book.texts().len(), 2);
}

#[tokio::test]
async fn a_packed_body_is_signed_as_it_is_sent_and_bounded_unpacked() {
    let service = Service::start(IngestConfig { unpacked_bytes_max: 3000, ..config() }, Book::open()).await;
    let lines = "{\"id\":\"1\"}\n".repeat(10);
    for (encoding, packed) in [("gzip", gzip(lines.as_bytes())), ("x-gzip", gzip(lines.as_bytes())), ("zstd", zstd(lines.as_bytes()))] {
        let headers = [("content-type", LINES), ("content-encoding", encoding)];
        assert_eq!(service.post(encoding, &headers, packed.clone()).await.status(), 202, "{encoding}");
        // Signed before it was packed: somebody else's, as far as we can see.
        let signature = webhook(1).sign("before", NOW_MS / 1000, lines.as_bytes());
        let request = service.client.post(&service.url).header("webhook-id", "before").header("webhook-timestamp", NOW_MS / 1000);
        let request = request.header("webhook-signature", signature).header("content-type", LINES).header("content-encoding", encoding);
        problem(request.body(packed).send().await.expect("an answer"), 401).await;
    }
    assert_eq!(service.book.texts().len(), 30);
    let bomb = vec![b' '; 100_000];
    for (encoding, packed) in [("gzip", gzip(&bomb)), ("zstd", zstd(&bomb))] {
        let headers = [("content-type", LINES), ("content-encoding", encoding)];
        assert!(packed.len() < 2000, "small enough as it comes");
        let document = problem(service.post(&format!("bomb-{encoding}"), &headers, packed).await, 413).await;
        assert_eq!(document["type"], "urn:rasid:problem:too-large", "{document}");
        problem(service.post(&format!("no-{encoding}"), &headers, "{}").await, 400).await;
    }
    let refused = service.refused();
    let checkout: Vec<_> = refused.iter().filter(|(stream, ..)| stream == "http:checkout").map(|(_, why, count)| (*why, *count)).collect();
    assert_eq!(checkout, [("invalid_body", 2), ("too_large", 2)], "{refused:?}");
    assert_eq!(service.ingest.bodies_bytes().0, 0, "nothing is held of any of them");
}

/// Two known senders unpack more than there is room for together: one of them is asked to come again, and nothing breaks.
#[tokio::test]
async fn what_is_unpacked_takes_room_that_is_bounded() {
    let bounds = IngestConfig { unpacked_bytes_max: 1 << 20, bodies_bytes_max: 1 << 19, ..config() };
    let service = Service::start(bounds, Book::open()).await;
    let headers = [("content-type", LINES), ("content-encoding", "zstd")];
    let response = service.post("msg_1", &headers, zstd(&vec![b'\n'; 1 << 20])).await;
    assert_eq!(header(&response, "retry-after"), "1");
    problem(response, 503).await;
    assert_eq!(service.refused(), [("http:checkout".to_owned(), "memory", 1)]);
    assert_eq!(service.post("msg_1", &headers, zstd(&vec![b'\n'; 1 << 18])).await.status(), 202);
}

#[rstest]
#[case::type_of_a_form("application/x-www-form-urlencoded", None)]
#[case::charset("application/json; charset=utf-16", None)]
#[case::no_type("", None)]
#[case::encoding(JSON, Some("br"))]
#[case::packed_twice(JSON, Some("gzip, gzip"))]
#[tokio::test]
async fn a_415_says_what_is_taken(#[case] content_type: &str, #[case] encoding: Option<&str>) {
    let service = Service::start(config(), Book::open()).await;
    let mut headers = vec![];
    headers.extend((!content_type.is_empty()).then_some(("content-type", content_type)));
    headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
    let response = service.post("msg_1", &headers, "{}").await;
    let (types, encodings) = (said(&response, "accept-post"), said(&response, "accept-encoding"));
    let document = problem(response, 415).await;
    for part in [JSON, LINES, EVENT, BATCH] {
        assert!(types.split(", ").any(|known| known == part), "{part} in {types}");
    }
    assert_eq!(encodings, if encoding.is_some() { "gzip, zstd" } else { "" }, "{document}");
    assert_eq!(service.refused(), [("http:unknown".to_owned(), "media_type", 1)]);
}

#[tokio::test]
async fn the_headers_may_be_called_as_svix_calls_them() {
    let service = Service::start(config(), Book::open()).await;
    let signature = webhook(1).sign("msg_1", NOW_MS / 1000, b"{}");
    let now = (NOW_MS / 1000).to_string();
    let send = async |headers: &[(&str, &str)]| {
        let request = service.client.post(&service.url).header("content-type", EVENT).body("{}");
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.expect("an answer")
    };
    let svix = [("svix-id", "msg_1"), ("svix-timestamp", now.as_str()), ("svix-signature", signature.as_str())];
    assert_eq!(send(&svix).await.status(), 202);
    let webhook = [("webhook-id", "msg_1"), ("webhook-timestamp", now.as_str()), ("webhook-signature", signature.as_str())];
    assert_eq!(send(&webhook).await.status(), 202, "the same delivery under either name");
    assert_eq!(service.book.texts(), ["{}"]);
    for mixed in [&[svix[0], webhook[1], webhook[2]][..], &[svix[0], svix[1], svix[2], webhook[0]]] {
        let document = problem(send(mixed).await, 401).await;
        assert!(document["detail"].as_str().is_some_and(|detail| detail.contains("svix-")), "{document}");
    }
    let document = problem(send(&svix[..2]).await, 401).await;
    assert_eq!(document["detail"], "expected one header svix-signature");
    assert_eq!(service.refused(), [("http:unknown".to_owned(), "header", 3)]);
}

#[tokio::test]
async fn other_methods_and_paths_are_told_where_events_go() {
    let service = Service::start(config(), Book::open()).await;
    let ask =
        async |method: Method, end: &str| service.client.request(method, format!("{}{end}", service.url)).send().await.expect("an answer");
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let response = ask(method, "").await;
        assert_eq!(said(&response, "allow"), "POST, OPTIONS");
        assert!(problem(response, 405).await["detail"].as_str().is_some_and(|detail| detail.contains("POST")));
    }
    let head = ask(Method::HEAD, "").await;
    assert_eq!((head.status().as_u16(), said(&head, "allow").as_str()), (405, "POST, OPTIONS"));
    let options = ask(Method::OPTIONS, "").await;
    assert_eq!((options.status().as_u16(), said(&options, "allow").as_str()), (204, "POST, OPTIONS"));
    assert!(said(&options, "accept-post").contains(JSON));
    let document = problem(ask(Method::POST, "/").await, 404).await;
    assert_eq!(document["detail"], "there is nothing at this path: events are taken at /v1/events, without a slash at its end");
    let document = problem(ask(Method::POST, "/more").await, 404).await;
    assert_eq!(document["detail"], "there is nothing at this path: events are taken at /v1/events");
    let unknown = |reason, count| ("http:unknown".to_owned(), reason, count);
    assert_eq!(service.refused(), [unknown("method", 5), unknown("path", 2)]);
}

/// The largest record that is read, among others, with the defaults.
#[tokio::test]
async fn the_largest_event_fits_into_a_batch() {
    let service = Service::start(IngestConfig::default(), Book::open()).await;
    let largest = format!("{{\"id\":\"{}\"}}", "x".repeat(Limits::default().record_bytes_max - 9));
    assert_eq!(largest.len(), Limits::default().record_bytes_max);
    let lines = format!("{{}}\n{largest}\n{{}}\n");
    assert_eq!(service.send(1, "msg_1", LINES, &lines).await.status(), 202);
    assert_eq!(service.book.texts()[1].len(), largest.len());
}

/// What parsers stumble over: nothing of it is answered with more than a refusal.
#[tokio::test]
async fn no_body_breaks_it() {
    let service = Service::start(IngestConfig { body_bytes_max: 1 << 20, ..config() }, Book::open()).await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000)).into_bytes();
    let bodies: Vec<Vec<u8>> = [
        &b""[..],
        b" ",
        b"\n\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b"[,]",
        b"[1,]",
        b"[{},]",
        b"[{}",
        b"{}]",
        b"[[]]",
        b"[{}][]",
        b"{\"a\":}",
        b"\"",
        b"\"\\",
        b"{\"",
        b"{\"a\\",
        b"[\"\\u",
        b"{\"a\":\"\xFF\"}",
        b"\xFF\xFE{\0}\0",
        b"\xEF\xBB\xBF",
        b"\xEF\xBB",
        b"\0",
        b"{\"a\":\0}",
        b"nul",
        b"-",
        b"1e999999",
        b"[1e999999]",
        b"{\"a\":1}{\"b\":2}",
        b"{\"a\":\"\t\"}",
        b"[{}}",
        b"{]",
        b"[}",
        b"{\"a\":[}]",
        b"{\"\\ud800\":\"\\udead\"}",
        b"/**/{}",
        b"{}//",
        b"'{}'",
        b"{a:1}",
        b"[NaN]",
        b"[Infinity]",
        b"\x0C{}",
        b"\xC2\xA0{}",
        b"{\"a\":1,\"a\":2}",
        b"{\"\":{\"\":{}}}",
        b"a\0b\r\n\r\r\n",
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .chain([deep("[", "]"), deep("{\"a\":", "}"), deep("[", ""), deep("", "]"), b"[".repeat(1 << 19), b"\"\\".repeat(1 << 18)])
    .collect();
    let with = |content_type| vec![("content-type", content_type)];
    let binary = [&ATTRIBUTES[..], &[("content-type", JSON)]].concat();
    for (form, headers) in [with(EVENT), with(BATCH), with(JSON), with(LINES), binary].into_iter().enumerate() {
        for (number, body) in bodies.iter().enumerate() {
            let response = service.post(&format!("{form}-{number}"), &headers, body.clone()).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            assert!(matches!(response.status().as_u16(), 202 | 400 | 413), "{:?} as {headers:?}: {}", shown, response.status());
        }
    }
    assert!(service.book.texts().iter().all(|record| !record.contains(['\n', '\r'])), "a record is one line");
    assert_eq!(service.ingest.bodies_bytes().0, 0);
}

/// Good events with whatever may stand in text.
fn events() -> impl Strategy<Value = Vec<String>> {
    let event = ("\\PC{1,12}", "\\PC{0,30}", any::<i32>()).prop_map(|(id, text, number)| {
        json!({
            "specversion": "1.0", "id": id, "source": "/s", "type": "auth.sim_changed", "time": "2026-11-21T10:00:00Z",
            "datacontenttype": JSON, "data": {"phone": text, "reported_by": "telco", "number": number, "more": [{}, [text]]}
        })
        .to_string()
    });
    prop::collection::vec(event, 1..8)
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

async fn same_records_in_each_form(events: Vec<String>) {
    let array = format!("[{}]", events.join(", \n"));
    let lines = events.join("\n");
    for (content_type, body) in [(LINES, &lines), (JSON, &array), (BATCH, &array)] {
        for (encoding, packed) in [("identity", body.as_bytes().to_vec()), ("gzip", gzip(body.as_bytes())), ("zstd", zstd(body.as_bytes()))]
        {
            let service = Service::start(IngestConfig::default(), Book::open()).await;
            let sent = service.post("id", &[("content-type", content_type), ("content-encoding", encoding)], packed).await;
            assert_eq!((sent.status().as_u16(), service.book.texts()), (202, events.clone()), "{content_type} {encoding}");
        }
    }
    let service = Service::start(IngestConfig::default(), Book::open()).await;
    for (number, event) in events.iter().enumerate() {
        for content_type in [EVENT, JSON] {
            let sent = service
                .post(&format!("{number}-{content_type}").replace('.', ""), &[("content-type", content_type)], event.as_bytes())
                .await;
            assert_eq!(sent.status(), 202);
            assert_eq!(service.book.texts().last(), Some(event));
        }
        let parsed: Value = serde_json::from_str(event).expect("JSON");
        let data = parsed["data"].to_string();
        let id = percent_encoded(parsed["id"].as_str().expect("text"));
        let attributes = ATTRIBUTES.map(|(name, value)| if name == "ce-id" { (name, id.as_str()) } else { (name, value) });
        let attributes = attributes.map(|(name, value)| if name == "ce-source" { (name, "/s") } else { (name, value) });
        let headers = [&attributes[..], &[("content-type", JSON), ("content-encoding", "gzip")]].concat();
        assert_eq!(service.post(&format!("{number}-binary"), &headers, gzip(data.as_bytes())).await.status(), 202);
        let binary: Value = serde_json::from_str(service.book.texts().last().expect("one")).expect("JSON");
        assert_eq!(binary, parsed);
        let mut encoded = parsed.clone();
        encoded["data_base64"] = BASE64.encode(encoded["data"].take().to_string().as_bytes()).into();
        encoded.as_object_mut().expect("an object").remove("data");
        let opened: Value = serde_json::from_slice(&open(encoded.to_string().as_bytes(), &Limits::default()).expect("JSON")).expect("JSON");
        assert_eq!((&opened["id"], &opened["data"]), (&parsed["id"], &parsed["data"]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// A batch is the same records in the log, in whichever form it was sent.
    #[test]
    fn the_form_changes_nothing(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(same_records_in_each_form(events));
    }
}
