//! What an operator asks about alerts that are kept, and says about them.

use rasid_connectors::alerts::{AlertStore, Cursor, Error, Filter, KeptAlert, State};
use rasid_connectors::audit::without_phones;
use rasid_connectors::log::{Act, Feedback};
use serde::Deserialize;

use crate::operate::control::{AlertFilter, AlertInfo, AlertList, AlertShown, ControlError, Who};

/// Most alerts of one page.
const LIST_MAX: usize = 1_000;
/// Most alerts that something is said about at once.
const IDS_MAX: usize = 1_000;
/// Longest reason and longest name, characters: they are kept with every alert.
const WHY_MAX: usize = 1_000;
const NAME_MAX: usize = 64;
/// Ids that are shown of those that a beginning could mean.
const SHOWN_MAX: usize = 5;

pub(crate) fn outside(error: Error) -> ControlError {
    ControlError::Outside(Box::new(error))
}

/// A page of the alerts that are as the filter says.
pub(crate) fn list(store: &AlertStore, filter: AlertFilter) -> Result<AlertList, ControlError> {
    let AlertFilter { rule, area, entity, severity, status, mode, verdict, judged, retracted, since_ms, until_ms, cursor, limit } = filter;
    let cursor: Option<Cursor> = cursor
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| ControlError::Refused("found another `cursor`, expected the `next` of the page before".to_owned()))?;
    let (severity, status) = (severity.0, status.0);
    let filter = Filter { rule, area, entity, severity, status, mode, verdict, judged, retracted, since_ms, until_ms };
    let page = store.list(&filter, cursor.as_ref(), limit.clamp(1, LIST_MAX)).map_err(outside)?;
    let alerts: Result<Vec<AlertInfo>, ControlError> = page.alerts.into_iter().map(|kept| Ok(shown(kept)?.info)).collect();
    Ok(AlertList { alerts: alerts?, next: page.next.map(|next| next.to_string()) })
}

/// The alert whose id begins so.
pub(crate) fn show(store: &AlertStore, id: &str) -> Result<AlertShown, ControlError> {
    let id = whole(store, id)?;
    match store.get(&id).map_err(outside)? {
        Some(kept) => shown(kept),
        None => Err(unknown(&id)),
    }
}

/// The whole ids of those that begin so, each once, in the order given.
pub(crate) fn resolve(store: &AlertStore, ids: Vec<String>) -> Result<Vec<String>, ControlError> {
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(ControlError::Refused(format!("found {} ids, expected 1 to {IDS_MAX}", ids.len())));
    }
    let mut found: Vec<String> = Vec::with_capacity(ids.len());
    for id in ids {
        let id = whole(store, &id)?;
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

fn whole(store: &AlertStore, begins: &str) -> Result<String, ControlError> {
    let ids = store.begin_with(begins, SHOWN_MAX).map_err(outside)?;
    match ids.as_slice() {
        _ if begins.is_empty() => Err(ControlError::Refused("name an alert: an empty id could be any".to_owned())),
        [] => Err(unknown(begins)),
        [id, ..] if id == begins => Ok(begins.to_owned()),
        [id] => Ok(id.clone()),
        several => Err(ControlError::Refused(format!("`{begins}` could be {}: write more of it", several.join(", ")))),
    }
}

fn unknown(id: &str) -> ControlError {
    ControlError::Unknown(format!("no alert `{id}` is kept"))
}

/// What is shown of an alert that its state does not say.
#[derive(Deserialize)]
struct Told {
    ruleset: String,
    title: String,
    explanation: String,
    risk: u8,
}

/// As it is shown.
pub(crate) fn shown(kept: KeptAlert) -> Result<AlertShown, ControlError> {
    let KeptAlert { id, json, state, retracted } = kept;
    let State { position, opened_at_ms, rule, entity, severity, mode, status, assignee, acknowledged, closed, verdict, history, forgotten } =
        state;
    let Told { ruleset, title, explanation, risk } = serde_json::from_str(&json).map_err(|error| ControlError::Outside(Box::new(error)))?;
    let (verdict, judged) = verdict.unzip();
    let info = AlertInfo {
        id,
        rule,
        ruleset,
        severity,
        mode,
        entity,
        opened_at_ms,
        position,
        title,
        explanation,
        risk,
        status,
        assignee,
        acknowledged,
        closed,
        verdict,
        judged,
        retracted,
    };
    Ok(AlertShown { info, json, history, forgotten })
}

/// As the audit calls it.
pub(crate) fn action(act: &Act) -> &'static str {
    match act {
        Act::Acknowledge { .. } => "acknowledge alerts",
        Act::Close => "close alerts",
        Act::Verdict(_) => "give a verdict",
    }
}

/// Refuses what is said without a reason.
pub(crate) fn needed(why: &str) -> Result<(), ControlError> {
    if why.trim().is_empty() { Err(ControlError::Refused("say why: somebody reads it in a year".to_owned())) } else { Ok(()) }
}

/// A reason as it is kept: nothing that may be a phone number is in it.
pub(crate) fn reason(why: &str) -> Result<String, ControlError> {
    words("reason", why, WHY_MAX)
}

/// The same of what is said with it.
pub(crate) fn masked(act: Act) -> Result<Act, ControlError> {
    Ok(match act {
        Act::Acknowledge { assignee: Some(assignee) } if assignee.trim().is_empty() => {
            return Err(ControlError::Refused("the assignee has no name".to_owned()));
        }
        Act::Acknowledge { assignee: Some(assignee) } => Act::Acknowledge { assignee: Some(words("assignee", &assignee, NAME_MAX)?) },
        act => act,
    })
}

fn words(what: &str, text: &str, max: usize) -> Result<String, ControlError> {
    let text = text.trim();
    let count = text.chars().count();
    if count > max || text.chars().any(char::is_control) {
        return Err(ControlError::Refused(format!("found {count} characters as {what}, expected one line of {max} at most")));
    }
    Ok(without_phones(text))
}

/// The record of what somebody says.
pub(crate) fn feedback(alerts: &[String], act: Act, who: Who, why: String, at_ms: i64) -> Feedback {
    let Who { user, claimed, door: _ } = who;
    // Whoever may open the socket may claim any name.
    let claimed = if claimed == user { String::new() } else { without_phones(&claimed).replace(char::is_control, " ") };
    Feedback { alerts: alerts.to_vec(), act, who: user, claimed, why, at_ms }
}

#[cfg(test)]
mod tests {
    use crate::operate::control::Door;
    use rasid_compiler::ruleset::{Mode, Severity};
    use rasid_connectors::alerts::{Change, Changed, Opened, Retention};
    use rasid_connectors::outbox::backend::Memory;

    use super::*;

    fn store(ids: &[&str]) -> AlertStore {
        let store = AlertStore::with_backend(Memory::new().backend(), Retention { age_ms: i64::MAX, count_max: 99 }).expect("memory");
        store.begin(0).expect("memory");
        let changes: Vec<Changed> = (1..).zip(ids).map(|(position, id)| Changed { position, change: Change::Opened(opened(id)) }).collect();
        store.apply(ids.len() as u64, &changes).expect("memory");
        store
    }

    fn opened(id: &str) -> Opened {
        let json = format!(r#"{{"id":"{id}","ruleset":"sha256:aa","title":"A title","explanation":"6 codes","risk":25}}"#);
        let (rule, entity) = ("auth.otp_flood".to_owned(), "user:u_1".to_owned());
        Opened { id: id.to_owned(), rule, severity: Severity::Sev2, mode: Mode::Active, entity, opened_at_ms: 7, json }
    }

    fn refused<T: std::fmt::Debug>(result: Result<T, ControlError>) -> String {
        match result {
            Err(ControlError::Refused(why) | ControlError::Unknown(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ids_are_given_by_a_beginning_that_no_other_has() {
        let store = store(&["al_aa", "al_aab", "al_b"]);
        let named = |ids: &[&str]| resolve(&store, ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(named(&["al_b", "al_aab", "al_b"]).expect("known"), ["al_b", "al_aab"], "each once");
        assert_eq!(named(&["al_aa"]).expect("known"), ["al_aa"], "a whole id is meant, though another begins so");
        assert_eq!(refused(named(&["al_a"])), "`al_a` could be al_aa, al_aab: write more of it");
        assert_eq!(refused(named(&["al_b", "al_c"])), "no alert `al_c` is kept");
        assert_eq!(refused(named(&[""])), "name an alert: an empty id could be any");
        assert_eq!(refused(named(&[])), "found 0 ids, expected 1 to 1000");
        assert_eq!(refused(named(&["al_b"; 1_001])), "found 1001 ids, expected 1 to 1000");
        let shown = show(&store, "al_b").expect("known");
        assert_eq!((shown.info.explanation.as_str(), shown.info.position), ("6 codes", 3));
        let other = AlertFilter { cursor: Some("x".to_owned()), ..AlertFilter::default() };
        assert_eq!(refused(list(&store, other)), "found another `cursor`, expected the `next` of the page before");
    }

    #[test]
    fn what_people_write_is_bounded_and_holds_no_phone() {
        assert_eq!(reason("  called +20 100 000 0001 ").expect("a reason"), "called +•• ••• ••• ••••");
        assert!(refused(reason("two\nlines")).contains("one line"));
        assert!(refused(reason(&"x".repeat(1_001))).contains("found 1001 characters"));
        let assigned = |name: &str| masked(Act::Acknowledge { assignee: Some(name.to_owned()) });
        assert_eq!(assigned("noor").expect("a name"), Act::Acknowledge { assignee: Some("noor".to_owned()) });
        assert_eq!(refused(assigned(" ")), "the assignee has no name");
        assert!(refused(assigned(&"x".repeat(65))).contains("assignee"));
        assert!(refused(needed(" ")).contains("say why"));
    }

    #[test]
    fn whoever_somebody_claims_to_be_is_no_phone_and_no_terminal_command() {
        let who = Who {
            user: "rasid".to_owned(),
            claimed: "+20 100 000 0001\u{1b}[2J".to_owned(),
            door: Door::Http { token: "tk_1".to_owned() },
        };
        let claimed = feedback(&[], Act::Close, who, String::new(), 0).claimed;
        assert!(!claimed.chars().any(char::is_control) && !claimed.contains("0001") && claimed.contains('•'), "{claimed}");
    }
}
