//! A page that proves the way from here to the phone: posted, then looked up in Alertmanager's own words. What lies behind
//! Alertmanager it does not tell; a person looks at the phone.

use std::time::Duration;

use granit_parser::{Event, Parser};
use rasid_compiler::ruleset::Severity;
use rasid_detectors::event::time::{format_rfc3339, parse_rfc3339};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{AlertmanagerSink, OWN_AREA, label, labels, millis};
use crate::sink::Answer;
use crate::sink::http;

/// `alertname` of a test page.
pub const TEST_PAGE: &str = "rasid_page_test";
/// How long one stands: long enough for a route that waits and groups, and for a person to look.
const STANDS: Duration = Duration::from_mins(10);
/// An alert shows a moment after it was taken.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(200);

/// What Alertmanager says of a test page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageShown {
    /// `active`, or `suppressed`.
    pub state: String,
    /// When it ends by itself, Unix ms.
    pub ends_ms: i64,
    /// Receivers that its route leads to.
    pub receivers: Vec<String>,
    /// Those of them that tell nobody: without mail, webhook or anything else behind the name.
    pub deaf: Vec<String>,
    /// Silences that hold it back, by id.
    pub silenced_by: Vec<String>,
    /// Alerts that hold it back, by fingerprint.
    pub inhibited_by: Vec<String>,
    /// Time intervals that hold it back, by name, where this Alertmanager says so.
    pub muted_by: Vec<String>,
}

impl PageShown {
    /// Whether Alertmanager tells somebody.
    pub fn is_heard(&self) -> bool {
        let held_back = !(self.silenced_by.is_empty() && self.inhibited_by.is_empty() && self.muted_by.is_empty());
        self.state == "active" && !held_back && self.receivers.len() > self.deaf.len()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gettable {
    ends_at: String,
    receivers: Vec<Named>,
    status: Status,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    #[serde(default)]
    silenced_by: Vec<String>,
    #[serde(default)]
    inhibited_by: Vec<String>,
    #[serde(default)]
    muted_by: Vec<String>,
}

#[derive(Deserialize)]
struct Running {
    config: Original,
}

#[derive(Deserialize)]
struct Original {
    original: String,
}

impl AlertmanagerSink {
    /// Posts a test page of that severity.
    pub async fn test(&self, now_ms: i64, severity: Severity, summary: &str) -> Answer {
        let page = json!({
            "labels": labels(TEST_PAGE, OWN_AREA, severity),
            "annotations": {"summary": summary},
            "startsAt": format_rfc3339(now_ms),
            "endsAt": format_rfc3339(now_ms.saturating_add(millis(STANDS))),
        });
        self.post(now_ms, Value::Array(vec![page]).to_string()).await
    }

    /// Ends the test pages that Alertmanager has, of whatever severity, with what was said of them.
    pub async fn end_test(&self, now_ms: i64) -> Answer {
        let standing: Vec<Value> = match self.get(self.test_pages()).await {
            Ok(standing) => standing,
            Err(error) => return Answer::Unavailable { error, retry_after_ms: None },
        };
        let end = |page: &Value| {
            let field = |name: &str| page.get(name).cloned().unwrap_or_default();
            json!({
                "labels": field("labels"),
                "annotations": field("annotations"),
                "startsAt": field("startsAt"),
                "endsAt": format_rfc3339(now_ms),
            })
        };
        let ends: Vec<Value> = standing.iter().map(end).collect();
        if ends.is_empty() { Answer::TAKEN } else { self.post(now_ms, Value::Array(ends).to_string()).await }
    }

    fn test_pages(&self) -> Url {
        let mut url = self.alerts.clone();
        url.query_pairs_mut().append_pair("filter", &format!("alertname=\"{TEST_PAGE}\""));
        url
    }

    /// What has become of a test page that was posted; `None` where Alertmanager does not show it within ten seconds.
    ///
    /// # Errors
    /// What it answered instead, or that it did not.
    pub async fn look_up_test(&self, severity: Severity) -> Result<Option<PageShown>, String> {
        let mut url = self.test_pages();
        url.query_pairs_mut().append_pair("filter", &format!("severity=\"{}\"", label(severity)));
        let found = timeout(PATIENCE, async {
            loop {
                let alerts: Vec<Gettable> = self.get(url.clone()).await?;
                if let Some(alert) = alerts.into_iter().next() {
                    return Ok::<_, String>(alert);
                }
                sleep(POLL).await;
            }
        });
        let Ok(found) = found.await else { return Ok(None) };
        let Gettable { ends_at, receivers, status } = found?;
        let url = self.receiver.below("api/v2/status").map_err(|error| error.to_string())?;
        let running: Running = self.get(url).await?;
        let manned = manned(&running.config.original)?;
        let receivers: Vec<String> = receivers.into_iter().map(|receiver| receiver.name).collect();
        let Status { state, silenced_by, inhibited_by, muted_by } = status;
        let deaf = receivers.iter().filter(|receiver| !manned.contains(receiver)).cloned().collect();
        let ends_ms = parse_rfc3339(&ends_at).unwrap_or_default();
        Ok(Some(PageShown { state, ends_ms, receivers, deaf, silenced_by, inhibited_by, muted_by }))
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: Url) -> Result<T, String> {
        let said = match http::send(self.receiver.get(url)).await {
            Ok(said) => said,
            Err(Answer::Unavailable { error, .. } | Answer::Unknown { error }) => return Err(error),
            Err(Answer::Taken { .. } | Answer::Refused { .. }) => return Err("no answer".to_owned()),
        };
        if !said.status.is_success() {
            return Err(format!("{} {}", said.status.as_u16(), http::shown(&said.body)));
        }
        serde_json::from_slice(&said.body).map_err(|error| format!("the answer is not what API v2 answers: {error}"))
    }
}

/// Receivers of an Alertmanager's configuration that have somebody behind them: `receivers: [{name, …_configs: […]}]`, of
/// which no list may be empty.
fn manned(configuration: &str) -> Result<Vec<String>, String> {
    let mut walk = Walk { parser: Parser::new_from_str(configuration) };
    walk.manned().map_err(|error| format!("the configuration that it runs with cannot be read: {error}"))
}

struct Walk<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
}

impl<'a> Walk<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.info()),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn manned(&mut self) -> Result<Vec<String>, String> {
        while !matches!(self.next()?, Event::MappingStart(..)) {}
        let mut manned = Vec::new();
        loop {
            match self.next()? {
                Event::Scalar(key, ..) if key == "receivers" => {
                    let Event::SequenceStart(..) = self.next()? else { return Err("`receivers` is no list".to_owned()) };
                    loop {
                        match self.next()? {
                            Event::MappingStart(..) => manned.extend(self.receiver()?),
                            Event::SequenceEnd => break,
                            other => self.skip(&other)?,
                        }
                    }
                }
                Event::MappingEnd => return Ok(manned),
                _ => {
                    let value = self.next()?;
                    self.skip(&value)?;
                }
            }
        }
    }

    /// The name of a receiver, if it has a list of something that is not empty. Its mapping has begun.
    fn receiver(&mut self) -> Result<Option<String>, String> {
        let (mut name, mut manned) = (None, false);
        loop {
            match self.next()? {
                Event::MappingEnd => return Ok(name.filter(|_| manned)),
                Event::Scalar(key, ..) => match self.next()? {
                    Event::Scalar(value, ..) => {
                        if key == "name" {
                            name = Some(value.into_owned());
                        }
                    }
                    Event::SequenceStart(..) => loop {
                        match self.next()? {
                            Event::SequenceEnd => break,
                            first => {
                                manned |= key.ends_with("_configs");
                                self.skip(&first)?;
                            }
                        }
                    },
                    other => self.skip(&other)?,
                },
                other => self.skip(&other)?,
            }
        }
    }

    /// Passes over the rest of what begins with that event.
    fn skip(&mut self, first: &Event<'_>) -> Result<(), String> {
        let mut depth = usize::from(matches!(first, Event::MappingStart(..) | Event::SequenceStart(..)));
        while depth > 0 {
            match self.next()? {
                Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
                Event::MappingEnd | Event::SequenceEnd => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_with_nobody_behind_them_are_told_from_the_others() {
        let configuration = "\
global: {resolve_timeout: 5m, smtp_hello: localhost}
route:
  receiver: nobody
  routes: [{receiver: pager, matchers: ['severity=\"SEV1\"']}]
receivers:
- name: nobody
- name: 'empty'
  webhook_configs: []
- webhook_configs:
  - send_resolved: true
    http_config: {follow_redirects: true}
    url: <secret>
  name: pager
- name: mail
  email_configs: [{to: a@example.org, headers: {x_configs: [1]}}, {to: b@example.org}]
templates: []
";
        assert_eq!(manned(configuration), Ok(vec!["pager".to_owned(), "mail".to_owned()]));
        assert_eq!(manned("route: {receiver: a}"), Ok(Vec::new()));
        for bad in ["", "receivers: {a: b}", "receivers: [", "- a"] {
            assert!(manned(bad).is_err(), "{bad:?}");
        }
    }
}
