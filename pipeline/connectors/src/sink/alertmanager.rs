//! On-call: Prometheus Alertmanager's API v2, and PagerDuty, Slack and mail behind it.
//!
//! Labels are bounded (rule, severity, area): Alertmanager groups and silences by them and keeps one alert for each set,
//! so a rule that fires for a thousand users is one page. Whom it is about is in the annotations, of the newest alert.
//! Each alert ends at `endsAt`, which further alerts of the rule put off, so that what has stopped resolves by itself even
//! if nobody tells it. What stands is posted again until then, since Alertmanager forgets it when it restarts. What is old news at delivery (after an outage, say) comes as one summary instead of a storm.
//! → <https://github.com/prometheus/alertmanager>, api/v2/openapi.yaml

mod catch_up;
mod options;
mod standing;
mod test_page;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rasid_compiler::ruleset::Severity;
use rasid_detectors::event::time::format_rfc3339;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use self::catch_up::CatchUp;
pub use self::options::Options;
use self::standing::Pages;
pub use self::test_page::{PageShown, TEST_PAGE};
use super::http::{self, HttpError, Reach, Receiver};
use crate::effect::{AlertItem, Body, Page, RetractedItem, Standing};
use crate::sink::{Answer, Batch, Sink};

/// `alertname` of the summary of what is old news.
pub const CATCH_UP: &str = "rasid.catch_up";
/// `area` of alerts about the service itself.
const OWN_AREA: &str = "rasid";
/// Where an alert leads that no page explains: the service's figures, below the address that people reach it by.
pub const FIGURES: &str = "metrics";
/// A rule may have changed its severity since its alerts were posted.
const SEVERITIES: [Severity; 4] = [Severity::Sev0, Severity::Sev1, Severity::Sev2, Severity::Sev3];

/// Where Alertmanager is, and what it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// What `/api/v2/alerts` is appended to.
    pub url: String,
    /// How it is reached.
    pub reach: Reach,
    /// Most items of one request.
    pub batch_max: usize,
    /// How long an alert stands after the rule's newest hit.
    pub hold: Duration,
    /// Older than that at delivery, by the event clock, is old news.
    pub catch_up_after: Duration,
    /// Where people reach this service, for the link from an alert that no runbook page explains.
    pub external_url: Option<String>,
    /// What a runbook's path is appended to.
    pub runbook_url: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            reach: Reach::within(Duration::from_secs(3), Duration::from_secs(10)),
            batch_max: 256,
            hold: Duration::from_hours(1),
            catch_up_after: Duration::from_mins(15),
            external_url: None,
            runbook_url: None,
        }
    }
}

/// An alert about the service itself: a ruleset refused, a gap in a stream, a replay that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpsAlert {
    /// One of a few names, `rasid.ruleset_refused`: it becomes a label.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line, with nothing personal in it.
    pub summary: String,
    /// The page that says what to do.
    pub runbook: Option<String>,
}

/// Alertmanager.
#[derive(Clone, Debug)]
pub struct AlertmanagerSink {
    name: String,
    receiver: Arc<Receiver>,
    alerts: Url,
    config: Config,
    pages: Pages,
    /// Old news that the standing summary counts, and until when it stands, Unix ms.
    catch_up: Option<(i64, CatchUp)>,
}

impl AlertmanagerSink {
    /// Prepares; nothing is sent yet. A second one (it is cheap to clone) can post operational alerts beside the first.
    pub fn new(name: &str, config: Config) -> Result<Self, HttpError> {
        let receiver = Arc::new(Receiver::new(&config.url, &config.reach)?);
        let alerts = receiver.below("api/v2/alerts")?;
        Ok(Self { name: name.to_owned(), receiver, alerts, config, pages: Pages::default(), catch_up: None })
    }

    /// Raises alerts about the service itself. They stand for `hold`; while the trouble lasts, raise them again before.
    pub async fn raise(&mut self, now_ms: i64, alerts: &[OpsAlert]) -> Answer {
        let alerts = alerts.iter().map(|alert| self.own(now_ms, alert)).collect();
        self.tell(now_ms, alerts).await
    }

    fn own(&self, now_ms: i64, alert: &OpsAlert) -> Value {
        let mut annotations = json!({"summary": alert.summary});
        self.add_runbook(&mut annotations, alert.runbook.as_deref());
        let mut page = json!({
            "labels": labels(&alert.name, OWN_AREA, alert.severity),
            "annotations": annotations,
            "startsAt": format_rfc3339(now_ms),
            "endsAt": self.ends_at(now_ms),
        });
        self.add_link(&mut page, alert.runbook.as_deref());
        page
    }

    /// Takes an alert about the service itself back.
    pub async fn resolve(&mut self, now_ms: i64, name: &str) -> Answer {
        self.tell(now_ms, self.ends(now_ms, name, OWN_AREA)).await
    }

    /// `alertname` of what stands there.
    pub fn standing_names(&self) -> BTreeSet<String> {
        self.pages.names()
    }

    /// Posts, and keeps what stands then.
    async fn tell(&mut self, now_ms: i64, mut alerts: Vec<Value>) -> Answer {
        self.pages.post(now_ms, &mut alerts);
        let answer = self.post(now_ms, Value::Array(alerts.clone()).to_string()).await;
        if let Answer::Taken { .. } = &answer {
            self.pages.posted(now_ms, &alerts);
        }
        answer
    }

    async fn post(&self, now_ms: i64, body: String) -> Answer {
        let request = self.receiver.post(self.alerts.clone()).header(CONTENT_TYPE, "application/json").body(body);
        match http::send(request).await {
            Ok(said) if said.status.is_success() => Answer::TAKEN,
            Ok(said) => said.judge(now_ms),
            Err(answer) => answer,
        }
    }

    /// The end of what stands under that name, with what was said of it: who reads "resolved" shall read of what. Where
    /// nothing is known to stand, every severity that it may have been posted with.
    fn ends(&self, now_ms: i64, name: &str, area: &str) -> Vec<Value> {
        let known = self.pages.ends(now_ms, name);
        if known.is_empty() { resolved(now_ms, name, area) } else { known }
    }

    /// What a batch comes to, but for old news: one alert a rule and severity, and retractions.
    fn alerts(&self, batch: &Batch<'_>) -> Vec<Value> {
        let mut news: Vec<Group<'_>> = Vec::new();
        let mut out = Vec::new();
        for item in batch.items {
            match &item.body {
                Body::Alert(alert) if !self.is_old(batch.now_ms, alert) => match news.iter_mut().find(|group| group.is_of(alert)) {
                    Some(group) => group.add(alert),
                    None => news.push(Group { newest: alert, since_ms: alert.opened_at_ms, count: 1 }),
                },
                Body::Retracted(RetractedItem { rule, .. }) => {
                    news.retain(|group| group.newest.rule != *rule);
                    out.extend(self.ends(batch.now_ms, rule, area(rule)));
                }
                Body::Alert(_) | Body::Score(_) => {}
            }
        }
        out.extend(news.iter().map(|group| self.news(batch.now_ms, group)));
        out
    }

    fn is_old(&self, now_ms: i64, alert: &AlertItem) -> bool {
        now_ms.saturating_sub(alert.opened_at_ms) > millis(self.config.catch_up_after)
    }

    /// Old news so far and of this batch; `None` where the batch has none.
    fn old_news(&self, batch: &Batch<'_>) -> Option<CatchUp> {
        let mut old = batch
            .items
            .iter()
            .filter_map(|item| if let Body::Alert(alert) = &item.body { Some(alert) } else { None })
            .filter(|alert| self.is_old(batch.now_ms, alert))
            .peekable();
        old.peek()?;
        let standing = self.catch_up.as_ref().filter(|(until_ms, _)| batch.now_ms <= *until_ms);
        let mut total = standing.map_or_else(CatchUp::new, |(_, total)| total.clone());
        old.for_each(|alert| total.add(alert));
        Some(total)
    }

    fn news(&self, now_ms: i64, group: &Group<'_>) -> Value {
        let Group { newest, since_ms, count } = group;
        let mut annotations = json!({
            "summary": newest.title,
            "description": newest.explanation,
            "entity": newest.entity,
            "alert_id": newest.id,
        });
        if *count > 1 {
            set(&mut annotations, "alerts", &format!("{count} in this delivery, this is the newest"));
        }
        self.add_runbook(&mut annotations, newest.runbook.as_deref());
        let mut alert = json!({
            "labels": labels(&newest.rule, area(&newest.rule), newest.severity),
            "annotations": annotations,
            // An event clock may be ahead of the wall clock; Alertmanager wants the start before the end.
            "startsAt": format_rfc3339((*since_ms).min(now_ms)),
            "endsAt": self.ends_at(now_ms),
        });
        self.add_link(&mut alert, newest.runbook.as_deref());
        alert
    }

    /// The summary of all old news so far, in place of the one before.
    fn summary(&self, now_ms: i64, total: &CatchUp) -> Vec<Value> {
        let labels = |severity: &str| json!({"alertname": CATCH_UP, "rule": CATCH_UP, "area": OWN_AREA, "severity": severity});
        let minutes = self.config.catch_up_after.as_secs() / 60;
        let mut summary = json!({
            "labels": labels(total.worst),
            "annotations": total.annotations(minutes),
            "startsAt": format_rfc3339(now_ms),
            "endsAt": self.ends_at(now_ms),
        });
        self.add_link(&mut summary, None);
        let mut alerts = vec![summary];
        if let Some((_, before)) = self.catch_up.as_ref().filter(|(_, before)| before.worst != total.worst) {
            alerts.push(json!({
                "labels": labels(before.worst),
                "annotations": before.annotations(minutes),
                "endsAt": format_rfc3339(now_ms),
            }));
        }
        alerts
    }

    fn ends_at(&self, now_ms: i64) -> String {
        format_rfc3339(now_ms.saturating_add(millis(self.config.hold)))
    }

    fn add_runbook(&self, annotations: &mut Value, runbook: Option<&str>) {
        match (runbook, self.page(runbook)) {
            (_, Some(url)) => set(annotations, "runbook_url", &url),
            (Some(path), None) => set(annotations, "runbook", path),
            (None, None) => {}
        }
    }

    /// Where the runbook can be read; `None` where nobody has said.
    fn page(&self, runbook: Option<&str>) -> Option<String> {
        match (runbook?, &self.config.runbook_url) {
            (url, _) if url.contains("://") => Some(url.to_owned()),
            (path, Some(base)) => Some(format!("{}/{path}", base.trim_end_matches('/'))),
            (_, None) => None,
        }
    }

    /// What Alertmanager links to as the alert's source: the page that explains it, else the service's figures. An alert has
    /// no page of its own.
    fn add_link(&self, alert: &mut Value, runbook: Option<&str>) {
        let figures = || Some(format!("{}/{FIGURES}", self.config.external_url.as_ref()?.trim_end_matches('/')));
        if let Some(url) = self.page(runbook).or_else(figures) {
            set(alert, "generatorURL", &url);
        }
    }
}

#[async_trait]
impl Sink for AlertmanagerSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch_max(&self) -> usize {
        self.config.batch_max
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Answer {
        let mut alerts = self.alerts(batch);
        let total = self.old_news(batch);
        if let Some(total) = &total {
            alerts.extend(self.summary(batch.now_ms, total));
        }
        if alerts.is_empty() {
            return Answer::TAKEN;
        }
        let answer = self.tell(batch.now_ms, alerts).await;
        // Counted once it is there: the same batch again must not count twice.
        if let (Answer::Taken { .. }, Some(total)) = (&answer, total) {
            self.catch_up = Some((batch.now_ms.saturating_add(millis(self.config.hold)), total));
        }
        answer
    }

    fn take_up(&mut self, pages: Vec<(String, Page)>) {
        self.pages.take_up(pages);
    }

    async fn say_again(&mut self, now_ms: i64) -> Option<Answer> {
        let pages = self.pages.again(now_ms);
        let mut answer = None;
        for some in pages.chunks(self.config.batch_max.max(1)) {
            let said = self.post(now_ms, format!("[{}]", some.join(","))).await;
            if said != Answer::TAKEN {
                return Some(said);
            }
            answer = Some(said);
        }
        answer
    }

    fn take_standing(&mut self) -> Vec<Standing> {
        self.pages.take_changes(&self.name)
    }

    fn standing(&self) -> usize {
        self.pages.len()
    }
}

/// Alerts with the same labels, so one to Alertmanager.
struct Group<'a> {
    newest: &'a AlertItem,
    since_ms: i64,
    count: usize,
}

impl<'a> Group<'a> {
    fn is_of(&self, alert: &AlertItem) -> bool {
        self.newest.rule == alert.rule && self.newest.severity == alert.severity
    }

    fn add(&mut self, alert: &'a AlertItem) {
        self.newest = alert;
        self.since_ms = self.since_ms.min(alert.opened_at_ms);
        self.count += 1;
    }
}

/// An end now, for every severity it may have been posted with. Of those that Alertmanager does not know nobody is told,
/// unless they are grouped with something else that stands.
fn resolved(now_ms: i64, rule: &str, area: &str) -> Vec<Value> {
    SEVERITIES.into_iter().map(|severity| json!({"labels": labels(rule, area, severity), "endsAt": format_rfc3339(now_ms)})).collect()
}

fn labels(rule: &str, area: &str, severity: Severity) -> Value {
    json!({"alertname": rule, "rule": rule, "area": area, "severity": label(severity)})
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Sev0 => "SEV0",
        Severity::Sev1 => "SEV1",
        Severity::Sev2 => "SEV2",
        Severity::Sev3 => "SEV3",
    }
}

/// The first part of a rule's id.
fn area(rule: &str) -> &str {
    rule.split_once('.').map_or(rule, |(area, _)| area)
}

fn set(object: &mut Value, name: &str, value: &str) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value.into());
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
