//! Alerts together: counted by rule, looked through by entity, and what of them changed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use rasid_compiler::ruleset::Severity;
use rasid_connectors::alerts::{AlertStore, Changes, Filter, KeptAlert, State, Status};

use crate::operate::control::{
    AlertChange, AlertChanges, AlertGroup, AlertGroups, ChangesRequest, ControlError, GroupBy, GroupFilter, RetractionInfo,
};
use crate::operate::kept::{self, outside};

/// Most groups of one answer.
const GROUPS_MAX: usize = 200;
/// Most alerts that are looked at for one answer; those are the newest. Some 50 ms.
const LOOK_MAX: usize = 20_000;
/// Most pages that are looked through for one group's newest alert.
const PAGES_MAX: usize = 5;
/// Most alerts of one answer that says what changed.
const CHANGES_MAX: usize = 1_000;
/// Between two alerts of a rule that are further apart one storm ends and another begins, ms.
const CALM_MS: i64 = 30 * 60_000;
/// Stretches of a sparkline.
const STRETCHES: i64 = 24;
const HOUR_MS: i64 = 3_600_000;

/// The period that an answer is about, in whole hours, and its stretches.
struct Period {
    /// From there to before there, Unix ms.
    since_ms: i64,
    until_ms: i64,
    /// How long a stretch is, ms.
    stretch_length: i64,
}

impl Period {
    /// As asked for; what is left out is the day up to the newest alert.
    fn of(store: &AlertStore, since_ms: Option<i64>, until_ms: Option<i64>) -> Result<Self, ControlError> {
        let until_ms = match until_ms {
            Some(until_ms) => until_ms,
            None => newest_ms(store)?.map_or(0, |newest_ms| newest_ms.saturating_add(1)),
        };
        let whole = until_ms.saturating_add(HOUR_MS - 1).div_euclid(HOUR_MS).saturating_mul(HOUR_MS);
        let since_ms = since_ms.unwrap_or(whole.saturating_sub(STRETCHES * HOUR_MS)).div_euclid(HOUR_MS).saturating_mul(HOUR_MS);
        if since_ms >= until_ms && until_ms > 0 {
            return Err(ControlError::Refused(format!(
                "found a period from {since_ms} to {until_ms}, expected one that does not end before it begins"
            )));
        }
        let hours = whole.saturating_sub(since_ms).div_euclid(HOUR_MS);
        let stretch_length = hours.saturating_add(STRETCHES - 1).div_euclid(STRETCHES).max(1).saturating_mul(HOUR_MS);
        // Alerts are counted by the hour, and listed as they are counted.
        Ok(Self { since_ms, until_ms: whole, stretch_length })
    }

    fn stretch(&self, at_ms: i64) -> usize {
        let stretch = at_ms.saturating_sub(self.since_ms).div_euclid(self.stretch_length).clamp(0, STRETCHES - 1);
        usize::try_from(stretch).unwrap_or(0)
    }
}

/// When the newest alert opened.
pub(crate) fn newest_ms(store: &AlertStore) -> Result<Option<i64>, ControlError> {
    let mut newest = None;
    store.look(&Filter::default(), 1, |_, state| newest = Some(state.opened_at_ms)).map_err(outside)?;
    Ok(newest)
}

/// One group as it is counted.
struct Counted {
    /// The rule, of a group by rule and of a storm.
    rule: Option<String>,
    alerts: u64,
    open: u64,
    acknowledged: u64,
    severity: Severity,
    first_ms: i64,
    oldest_open_ms: Option<i64>,
    spark: Vec<u64>,
}

impl Counted {
    fn new(rule: Option<&str>, severity: Severity, first_ms: i64) -> Self {
        let spark = vec![0; usize::try_from(STRETCHES).unwrap_or_default()];
        let rule = rule.map(str::to_owned);
        Self { rule, alerts: 0, open: 0, acknowledged: 0, severity, first_ms, oldest_open_ms: None, spark }
    }

    fn add(&mut self, period: &Period, at_ms: i64, status: Status, severity: Severity, alerts: u64) {
        self.alerts += alerts;
        match status {
            Status::Open => {
                self.open += alerts;
                self.oldest_open_ms = Some(self.oldest_open_ms.map_or(at_ms, |oldest_ms| oldest_ms.min(at_ms)));
            }
            Status::Acknowledged => self.acknowledged += alerts,
            Status::Closed => {}
        }
        self.severity = self.severity.min(severity);
        self.first_ms = self.first_ms.min(at_ms);
        if let Some(stretch) = self.spark.get_mut(period.stretch(at_ms)) {
            *stretch += alerts;
        }
    }
}

/// Groups of alerts.
pub(crate) fn groups(store: &AlertStore, filter: GroupFilter) -> Result<AlertGroups, ControlError> {
    let period = Period::of(store, filter.since_ms, filter.until_ms)?;
    let by = filter.by;
    let limit = filter.limit.clamp(1, GROUPS_MAX);
    let (counted, mut cut) = match by {
        GroupBy::Rule if filter.entity.is_none() => (by_count(store, &filter, &period)?, false),
        _ => by_look(store, &filter, &period)?,
    };
    let wanted = looked_for(filter, &period);
    let mut groups = Vec::with_capacity(counted.len());
    for (key, counted) in counted {
        let Counted { rule, alerts, open, acknowledged, severity, first_ms, oldest_open_ms, spark } = counted;
        let mut of_group = Filter { since_ms: Some(first_ms), ..wanted.clone() };
        match &rule {
            Some(rule) => of_group.rule = Some(rule.clone()),
            None => of_group.entity = Some(key.0.clone()),
        }
        if by == GroupBy::Storm {
            of_group.until_ms = Some(key.1.saturating_add(1));
        }
        // It may have gone since it was counted, or lie behind very many that are not asked for.
        let Some(newest) = newest(store, &of_group)? else {
            cut = true;
            continue;
        };
        let newest = kept::shown(newest)?.info;
        let key = if by == GroupBy::Storm { format!("{}@{first_ms}", key.0) } else { key.0 };
        let last_ms = newest.opened_at_ms;
        groups.push(AlertGroup { key, rule, alerts, open, acknowledged, severity, first_ms, last_ms, spark, oldest_open_ms, newest });
    }
    groups.sort_by(|a, b| b.last_ms.cmp(&a.last_ms).then_with(|| a.key.cmp(&b.key)));
    cut |= groups.len() > limit;
    groups.truncate(limit);
    let Period { since_ms, until_ms, stretch_length: bucket_ms } = period;
    Ok(AlertGroups { groups, since_ms, until_ms, bucket_ms, cut })
}

/// The newest alert that is as the filter says, looked for over some pages.
fn newest(store: &AlertStore, filter: &Filter) -> Result<Option<KeptAlert>, ControlError> {
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let mut page = store.list(filter, cursor.as_ref(), 1).map_err(outside)?;
        if let Some(found) = page.alerts.pop() {
            return Ok(Some(found));
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(None)
}

/// Groups by rule or entity, and of storms by when the newest alert opened.
type Groups = BTreeMap<(String, i64), Counted>;

/// What is asked of the store.
fn looked_for(filter: GroupFilter, period: &Period) -> Filter {
    let GroupFilter { by: _, rule, area, entity, severity, status, mode, since_ms: _, until_ms: _, limit: _ } = filter;
    let (severity, status) = (severity.0, status.0);
    let (since_ms, until_ms) = (Some(period.since_ms), Some(period.until_ms));
    Filter { rule, area, entity, severity, status, mode, since_ms, until_ms, ..Filter::default() }
}

/// By rule, without looking at alerts.
fn by_count(store: &AlertStore, filter: &GroupFilter, period: &Period) -> Result<Groups, ControlError> {
    let mut groups = Groups::new();
    for count in store.counts(period.since_ms, period.until_ms).map_err(outside)? {
        let area = count.rule.split('.').next();
        let (severities, statuses) = (&filter.severity.0, &filter.status.0);
        let wanted = filter.rule.as_ref().is_none_or(|rule| *rule == count.rule)
            && filter.area.as_deref().is_none_or(|wanted| area == Some(wanted))
            && (severities.is_empty() || severities.contains(&count.class.severity))
            && (statuses.is_empty() || statuses.contains(&count.class.status))
            && filter.mode.is_none_or(|mode| mode == count.class.mode);
        if wanted {
            let new = || Counted::new(Some(&count.rule), count.class.severity, count.hour_ms);
            let group = groups.entry((count.rule.clone(), 0)).or_insert_with(new);
            group.add(period, count.hour_ms, count.class.status, count.class.severity, count.alerts);
        }
    }
    Ok(groups)
}

/// By looking at the newest alerts, newest first.
fn by_look(store: &AlertStore, filter: &GroupFilter, period: &Period) -> Result<(Groups, bool), ControlError> {
    let by = filter.by;
    let mut groups = Groups::new();
    // Of each rule's storm that is looked at: its newest and its oldest alert so far.
    let mut storms: HashMap<String, (i64, i64)> = HashMap::new();
    let add = |_: &str, state: &State| {
        let at_ms = state.opened_at_ms;
        let (key, rule) = match by {
            GroupBy::Rule => ((state.rule.clone(), 0), Some(state.rule.as_str())),
            GroupBy::Entity => ((state.entity.clone(), 0), None),
            GroupBy::Storm => {
                let (newest_ms, oldest_ms) = storms.entry(state.rule.clone()).or_insert((at_ms, at_ms));
                if oldest_ms.saturating_sub(at_ms) > CALM_MS {
                    *newest_ms = at_ms;
                }
                *oldest_ms = at_ms;
                ((state.rule.clone(), *newest_ms), Some(state.rule.as_str()))
            }
        };
        let group = groups.entry(key).or_insert_with(|| Counted::new(rule, state.severity, at_ms));
        group.add(period, at_ms, state.status, state.severity, 1);
    };
    let cut = store.look(&looked_for(filter.clone(), period), LOOK_MAX, add).map_err(outside)?;
    let more = groups.len() > GROUPS_MAX;
    // The newest alert of each is looked up: of the largest groups, then.
    let mut largest: Vec<_> = groups.into_iter().collect();
    largest.sort_by_key(|(_, group)| Reverse(group.alerts));
    largest.truncate(GROUPS_MAX);
    Ok((largest.into_iter().collect(), cut || more))
}

/// What changed behind a position.
pub(crate) fn changes(store: &AlertStore, request: ChangesRequest) -> Result<AlertChanges, ControlError> {
    let Changes { alerts, retractions, upto, more } = store.changes(request.after, request.limit.clamp(1, CHANGES_MAX)).map_err(outside)?;
    let changed = alerts.into_iter().map(|kept| {
        let (position, opened) = (kept.state.changed(), kept.state.position > request.after);
        Ok(AlertChange { position, opened, alert: kept::shown(kept)?.info })
    });
    let alerts: Result<Vec<AlertChange>, ControlError> = changed.collect();
    let retractions = retractions.into_iter().map(|retraction| RetractionInfo {
        position: retraction.position,
        rule: retraction.rule,
        since_ms: retraction.since_ms,
    });
    Ok(AlertChanges { alerts: alerts?, retractions: retractions.collect(), upto, more })
}

#[cfg(test)]
mod tests {
    use rasid_compiler::ruleset::Mode;
    use rasid_connectors::alerts::{Change, Changed, Opened, Retention};
    use rasid_connectors::log::{Act, Feedback};
    use rasid_connectors::outbox::backend::Memory;

    use super::*;

    /// Alerts of the rule `auth.a` at those minutes, each by its position, and one of `chat.b` long before.
    fn store(minutes: &[i64]) -> AlertStore {
        let store = AlertStore::with_backend(Memory::new().backend(), Retention { age_ms: i64::MAX, count_max: u64::MAX }).expect("memory");
        store.begin(0).expect("memory");
        let opened = |position: u64, rule: &str, minute: i64| {
            let json = r#"{"ruleset":"sha256:a","title":"t","explanation":"e","risk":25,"related":["device:d_1"]}"#.to_owned();
            let (id, entity) = (format!("al_{position}"), format!("user:u_{}", position % 2));
            let severity = if position == 1 { Severity::Sev1 } else { Severity::Sev2 };
            let opened = Opened { id, rule: rule.to_owned(), severity, mode: Mode::Active, entity, opened_at_ms: minute * 60_000, json };
            Changed { position, change: Change::Opened(opened) }
        };
        let mut changes: Vec<Changed> = (1..).zip(minutes).map(|(position, minute)| opened(position, "auth.a", *minute)).collect();
        let last = changes.len() as u64 + 1;
        changes.push(opened(last, "chat.b", -100_000));
        store.apply(last, &changes).expect("memory");
        store
    }

    fn grouped(store: &AlertStore, by: GroupBy) -> Vec<(String, u64, u64)> {
        let groups = groups(store, GroupFilter { by, ..GroupFilter::default() }).expect("groups");
        groups.groups.into_iter().map(|group| (group.key, group.alerts, group.open)).collect()
    }

    #[test]
    fn alerts_are_grouped_by_rule_entity_and_storm() {
        let store = store(&[60, 70, 80, 200, 201]);
        let (act, who) = (Act::Close, "noor".to_owned());
        let closed = Feedback { alerts: vec!["al_1".to_owned()], act, who, claimed: String::new(), why: "seen".to_owned(), at_ms: 0 };
        store.apply(9, &[Changed { position: 9, change: Change::Feedback(closed) }]).expect("memory");
        assert_eq!(grouped(&store, GroupBy::Rule), [("auth.a".to_owned(), 5, 4)], "the other is older than a day");
        let hour = 60 * 60_000;
        let storms = [(format!("auth.a@{}", 200 * 60_000), 2, 2), (format!("auth.a@{hour}"), 3, 2)];
        assert_eq!(grouped(&store, GroupBy::Storm), storms);
        assert_eq!(grouped(&store, GroupBy::Entity), [("user:u_1".to_owned(), 3, 2), ("user:u_0".to_owned(), 2, 2)]);

        let all = groups(&store, GroupFilter { since_ms: Some(i64::MIN), until_ms: Some(i64::MAX), ..GroupFilter::default() });
        let all = all.expect("whatever the period");
        assert_eq!((all.groups.len(), all.cut), (2, false));
        let first = all.groups.first().expect("two");
        assert_eq!((first.severity, first.oldest_open_ms, first.spark.iter().sum::<u64>()), (Severity::Sev1, Some(hour), 5));
        let one = groups(&store, GroupFilter { since_ms: Some(i64::MIN), limit: 1, ..GroupFilter::default() }).expect("one");
        assert_eq!((one.groups.len(), one.cut), (1, true));
        assert!(groups(&store, GroupFilter { since_ms: Some(2), until_ms: Some(1), ..GroupFilter::default() }).is_ok(), "one hour");
        let none = groups(&store, GroupFilter { since_ms: Some(7_200_000), until_ms: Some(3_600_000), ..GroupFilter::default() });
        assert!(none.is_err_and(|error| error.to_string().contains("before it begins")));
    }

    /// Whoever was away hears of what he has missed as it is now, and that it was opened meanwhile.
    #[test]
    fn what_changed_is_told_from_a_position_on() {
        let store = store(&[60, 70]);
        let (act, who) = (Act::Close, "noor".to_owned());
        let closed = Feedback { alerts: vec!["al_1".to_owned()], act, who, claimed: String::new(), why: "seen".to_owned(), at_ms: 0 };
        store.apply(9, &[Changed { position: 9, change: Change::Feedback(closed) }]).expect("memory");
        let told = |after| {
            let changes = changes(&store, ChangesRequest { after, limit: 10 }).expect("changes");
            let told = changes.alerts.into_iter().map(|change| (change.alert.id, change.position, change.opened));
            (told.collect::<Vec<_>>(), changes.upto)
        };
        let closed = |opened| ("al_1".to_owned(), 9, opened);
        assert_eq!(told(0), (vec![("al_2".to_owned(), 2, true), ("al_3".to_owned(), 3, true), closed(true)], 9));
        assert_eq!(told(3), (vec![closed(false)], 9));
        assert_eq!(told(9), (vec![], 9));
    }
}
