//! What stands at Alertmanager. It keeps no alerts over a restart and counts on its clients to post again, all the time,
//! what still fires; so each page is kept here, and in the outbox, until it ends or is taken back.
//!
//! What is posted is noted before (an end takes effect at once: it may have arrived though nobody says so, and must not be
//! undone) and after it was taken (only what Alertmanager has had stands there).

use std::collections::{BTreeMap, BTreeSet};

use rasid_detectors::event::time::{format_rfc3339, parse_rfc3339};
use serde_json::Value;

use super::set;
use crate::effect::{Page, Standing};

/// Most pages that are kept: one a rule and severity, so more is a ruleset of thousands. Those that end first go first.
const PAGES_MAX: usize = 10_000;

/// What stands there.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    standing: BTreeMap<String, Page>,
    /// What an end was posted for, until it was taken, as it was posted.
    ending: BTreeMap<String, String>,
    /// Keys whose page has changed since it was last asked for.
    changed: BTreeSet<String>,
}

impl Pages {
    /// Those of before.
    pub(super) fn take_up(&mut self, pages: Vec<(String, Page)>) {
        self.standing.extend(pages);
    }

    pub(super) fn len(&self) -> usize {
        self.standing.len()
    }

    /// `alertname` of each.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.standing.keys().map(|key| name_of(key).to_owned()).collect()
    }

    /// The end, now, of all that stands under a name, or whose end was not taken yet.
    pub(super) fn ends(&self, now_ms: i64, name: &str) -> Vec<Value> {
        let standing = self.standing.iter().map(|(key, page)| (key, &page.json)).chain(&self.ending);
        let end = |json: &str| {
            let mut alert: Value = serde_json::from_str(json).ok()?;
            set(&mut alert, "endsAt", &format_rfc3339(now_ms));
            Some(alert)
        };
        standing.filter(|(key, _)| name_of(key) == name).filter_map(|(_, json)| end(json)).collect()
    }

    /// What is about to be posted. One that stands goes on: since when it did, and at least as long as it was to.
    pub(super) fn post(&mut self, now_ms: i64, alerts: &mut [Value]) {
        for alert in alerts {
            let Some((key, _, ends_ms)) = read(alert) else { continue };
            if ends_ms <= now_ms {
                if let Some(page) = self.remove(&key) {
                    self.ending.insert(key, page.json);
                }
                continue;
            }
            let Some(page) = self.standing.get(&key).filter(|page| page.ends_ms > now_ms) else { continue };
            if let Some(starts_ms) = starts_ms(alert) {
                set(alert, "startsAt", &format_rfc3339(starts_ms.min(page.starts_ms)));
            }
            set(alert, "endsAt", &format_rfc3339(ends_ms.max(page.ends_ms)));
        }
    }

    /// What was posted is there.
    pub(super) fn posted(&mut self, now_ms: i64, alerts: &[Value]) {
        for alert in alerts {
            let Some((key, starts_ms, ends_ms)) = read(alert) else { continue };
            self.ending.remove(&key);
            if ends_ms <= now_ms {
                continue;
            }
            self.changed.insert(key.clone());
            self.standing.insert(key, Page { starts_ms, ends_ms, json: alert.to_string() });
        }
        while self.standing.len() > PAGES_MAX {
            let Some(first) = self.standing.iter().min_by_key(|(_, page)| page.ends_ms).map(|(key, _)| key.clone()) else { return };
            tracing::warn!(pages = PAGES_MAX, "more pages stand than are kept; the one that ends first is not posted again");
            self.remove(&first);
        }
    }

    /// What has not ended, as it was posted.
    pub(super) fn again(&mut self, now_ms: i64) -> Vec<String> {
        let ended: Vec<String> = self.standing.iter().filter(|(_, page)| page.ends_ms <= now_ms).map(|(key, _)| key.clone()).collect();
        for key in &ended {
            self.remove(key);
        }
        self.standing.values().map(|page| page.json.clone()).collect()
    }

    /// The changes since the last call.
    pub(super) fn take_changes(&mut self, sink: &str) -> Vec<Standing> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed.map(|key| Standing { sink: sink.to_owned(), page: self.standing.get(&key).cloned(), key }).collect()
    }

    fn remove(&mut self, key: &str) -> Option<Page> {
        let page = self.standing.remove(key)?;
        self.changed.insert(key.to_owned());
        Some(page)
    }
}

/// Key, start and end of an alert as it is posted: Alertmanager knows it by its labels, which name and severity determine.
fn read(alert: &Value) -> Option<(String, i64, i64)> {
    let label = |name: &str| alert.get("labels")?.get(name)?.as_str();
    let key = format!("{} {}", label("alertname")?, label("severity")?);
    let ends_ms = parse_rfc3339(alert.get("endsAt")?.as_str()?)?;
    Some((key, starts_ms(alert).unwrap_or(ends_ms), ends_ms))
}

/// `alertname` in a key.
fn name_of(key: &str) -> &str {
    key.split_once(' ').map_or(key, |(name, _)| name)
}

fn starts_ms(alert: &Value) -> Option<i64> {
    parse_rfc3339(alert.get("startsAt")?.as_str()?)
}
