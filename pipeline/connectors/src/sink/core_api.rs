//! The marketplace's core API: alerts, score changes and retractions as signed batches of CloudEvents.
//!
//! ```text
//! POST {url}/alerts             rasid.alert.opened        id = the alert's id         data = the alert, byte for byte
//! POST {url}/alerts/retracted   rasid.alert.retracted     id = retract_<position>     data = {id, rule, since}
//! POST {url}/risk-scores        rasid.risk_score.changed  id = <entity>#<version>     data = the score
//!     content-type: application/cloudevents-batch+json; webhook-id, webhook-timestamp, webhook-signature
//! ←   200 {"refused":[{"id":"al_…","reason":"…"}]}
//! ```
//!
//! The receiver's side is docs/core-api.md.

mod options;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use rasid_detectors::event::time::format_rfc3339;
use rasid_engine::ScoreChange;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

pub use self::options::Options;
use super::http::{self, HttpError, Reach, Receiver};
use crate::effect::{Body, Item};
use crate::sink::{Answer, Batch, Sink};
use crate::webhook::{self, Webhook};

/// `source` of every CloudEvent; with `id` it names the event.
pub use rasid_engine::SOURCE;

/// Where the core API is and how long it may take.
#[derive(Clone, Debug)]
pub struct Config {
    /// What `/alerts` is appended to.
    pub url: String,
    /// How it is reached.
    pub reach: Reach,
    /// Most items of one request.
    pub batch_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: String::new(), reach: Reach::within(Duration::from_secs(3), Duration::from_secs(10)), batch_max: 256 }
    }
}

/// The core API.
#[derive(Debug)]
pub struct CoreApiSink {
    name: String,
    receiver: Receiver,
    webhook: Webhook,
    batch_max: usize,
}

/// What the receiver answers.
#[derive(Deserialize)]
struct Receipt {
    refused: Vec<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    id: String,
    #[serde(default)]
    reason: String,
}

impl CoreApiSink {
    /// Prepares; nothing is sent yet.
    pub fn new(name: &str, config: &Config, webhook: Webhook) -> Result<Self, HttpError> {
        let receiver = Receiver::new(&config.url, &config.reach)?;
        Ok(Self { name: name.to_owned(), receiver, webhook, batch_max: config.batch_max })
    }
}

#[async_trait]
impl Sink for CoreApiSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch_max(&self) -> usize {
        self.batch_max
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Answer {
        let Some(path) = batch.items.first().map(|item| path(&item.body)) else { return Answer::TAKEN };
        let Ok(url) = self.receiver.below(path) else {
            return Answer::Unavailable { retry_after_ms: None, error: format!("no address for {path}") };
        };
        let body = events(batch.items);
        let timestamp_s = batch.now_ms.div_euclid(1000);
        let signature = self.webhook.sign(batch.id, timestamp_s, &body);
        let request = self
            .receiver
            .post(url)
            .header(CONTENT_TYPE, "application/cloudevents-batch+json; charset=utf-8")
            .header(webhook::ID, batch.id)
            .header(webhook::TIMESTAMP, timestamp_s)
            .header(webhook::SIGNATURE, signature)
            .body(body);
        let said = match http::send(request).await {
            Ok(said) => said,
            Err(answer) => return answer,
        };
        if said.status == StatusCode::OK {
            return receipt(batch.items, &said.body);
        }
        if said.status.is_success() {
            return Answer::Unknown { error: format!("answered {}, expected 200 and what is refused", said.status.as_u16()) };
        }
        said.judge(batch.now_ms)
    }
}

/// What was taken and what not. Whatever else answers with 200 (a proxy's page, say) has not taken the batch.
fn receipt(items: &[Item], body: &[u8]) -> Answer {
    let Ok(receipt) = serde_json::from_slice::<Receipt>(body) else {
        return Answer::Unknown { error: format!("answered 200 without {{\"refused\":[…]}}: {}", http::shown(body)) };
    };
    if receipt.refused.is_empty() {
        return Answer::TAKEN;
    }
    let reasons: HashMap<&str, &str> = receipt.refused.iter().map(|refusal| (refusal.id.as_str(), refusal.reason.as_str())).collect();
    let refused =
        |(index, item): (usize, &Item)| reasons.get(item.body.id().as_str()).map(|reason| (index, http::shown(reason.as_bytes())));
    Answer::Taken { refused: items.iter().enumerate().filter_map(refused).collect() }
}

fn path(body: &Body) -> &'static str {
    match body {
        Body::Alert(_) => "alerts",
        Body::Score(_) => "risk-scores",
        Body::Retracted(_) => "alerts/retracted",
    }
}

/// The batch as a JSON array of CloudEvents, version 1.0.
fn events(items: &[Item]) -> Vec<u8> {
    let mut body = Vec::with_capacity(items.len() * 1024);
    for item in items {
        body.push(if body.is_empty() { b'[' } else { b',' });
        event(&mut body, item);
    }
    body.push(b']');
    body
}

/// One CloudEvent. `data` comes last and as it is: an alert's bytes are the engine's.
fn event(body: &mut Vec<u8>, item: &Item) {
    let (kind, subject, at_ms, data) = match &item.body {
        Body::Alert(alert) => ("rasid.alert.opened", &alert.entity, alert.opened_at_ms, alert.json.clone()),
        Body::Score(change) => {
            let at_ms = change.score.as_ref().map_or(item.committed_ms, |score| score.as_of);
            ("rasid.risk_score.changed", &change.entity, at_ms, score(change))
        }
        Body::Retracted(retracted) => {
            let data = json!({"id": retracted.id, "rule": retracted.rule, "since": format_rfc3339(retracted.since_ms)});
            ("rasid.alert.retracted", &retracted.rule, item.committed_ms, data.to_string())
        }
    };
    let attributes = [
        ("specversion", "1.0"),
        ("id", &item.body.id()),
        ("source", SOURCE),
        ("type", kind),
        ("subject", subject),
        ("time", &format_rfc3339(at_ms)),
        ("datacontenttype", "application/json"),
    ];
    for (index, (name, value)) in attributes.into_iter().enumerate() {
        body.extend_from_slice(if index == 0 { b"{\"" } else { b",\"" });
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":");
        body.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
    }
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(data.as_bytes());
    body.push(b'}');
}

/// A score as receivers get it; with nothing left of it, 0 and no level.
fn score(change: &ScoreChange) -> String {
    match &change.score {
        Some(score) => serde_json::to_string(score).expect("names and numbers have a JSON form"),
        None => json!({"entity": change.entity, "score": 0, "level": null, "reasons": [], "version": change.version}).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{AlertItem, RetractedItem};
    use rasid_compiler::ruleset::Severity;

    fn item(body: Body) -> Item {
        Item { sink: "core".to_owned(), seq: 1, position: 7, committed_ms: 1_000, body }
    }

    fn alert(id: &str, json: &str) -> Item {
        item(Body::Alert(AlertItem {
            id: id.to_owned(),
            rule: "auth.otp_flood".to_owned(),
            severity: Severity::Sev2,
            entity: "phone:p1_a".to_owned(),
            opened_at_ms: 0,
            title: "t".to_owned(),
            explanation: "e".to_owned(),
            runbook: None,
            json: json.to_owned(),
        }))
    }

    fn gone() -> Item {
        item(Body::Score(ScoreChange { position: 7, entity: "user:u_\"1".to_owned(), version: 9, score: None, live_until: 0 }))
    }

    #[test]
    fn alerts_are_sent_byte_for_byte() {
        let body = String::from_utf8(events(&[alert("al_1", "{\"n\":1.0, \"x\":[]}"), alert("al_2", "{}")])).expect("UTF-8");
        assert_eq!(
            body,
            concat!(
                r#"[{"specversion":"1.0","id":"al_1","source":"/rasid","type":"rasid.alert.opened","subject":"phone:p1_a","#,
                r#""time":"1970-01-01T00:00:00.000Z","datacontenttype":"application/json","data":{"n":1.0, "x":[]}},"#,
                r#"{"specversion":"1.0","id":"al_2","source":"/rasid","type":"rasid.alert.opened","subject":"phone:p1_a","#,
                r#""time":"1970-01-01T00:00:00.000Z","datacontenttype":"application/json","data":{}}]"#
            )
        );
    }

    #[test]
    fn every_body_is_json_of_its_kind() {
        let retracted = item(Body::Retracted(RetractedItem { id: "retract_7".to_owned(), rule: "a.b".to_owned(), since_ms: 0 }));
        for (item, kind, place) in [
            (alert("al_1", "{}"), "rasid.alert.opened", "alerts"),
            (gone(), "rasid.risk_score.changed", "risk-scores"),
            (retracted, "rasid.alert.retracted", "alerts/retracted"),
        ] {
            let events: serde_json::Value = serde_json::from_slice(&events(std::slice::from_ref(&item))).expect("JSON");
            assert_eq!((&events[0]["type"], &events[0]["id"]), (&json!(kind), &json!(item.body.id())));
            assert_eq!(path(&item.body), place);
        }
        let score: serde_json::Value = serde_json::from_slice(&events(&[gone()])).expect("JSON");
        assert_eq!(score[0]["data"], json!({"entity": "user:u_\"1", "score": 0, "level": null, "reasons": [], "version": 9}), "{score}");
    }

    #[test]
    fn only_a_receipt_is_an_answer() {
        let items = [alert("al_1", "{}"), alert("al_2", "{}")];
        assert_eq!(receipt(&items, br#"{"refused":[]}"#), Answer::TAKEN);
        assert_eq!(
            receipt(&items, br#"{"refused":[{"id":"al_2","reason":"no such\nuser"},{"id":"al_9"}],"more":1}"#),
            Answer::Taken { refused: vec![(1, "no such user".to_owned())] }
        );
        for other in [&b""[..], b"{}", b"OK", b"<html>", br#"{"refused":null}"#] {
            assert!(matches!(receipt(&items, other), Answer::Unknown { .. }));
        }
    }
}
