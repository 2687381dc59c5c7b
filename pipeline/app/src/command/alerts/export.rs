//! Verdicts as labels: what rules are held to.

use std::fs;

use rasid_detectors::event::time::format_rfc3339;
use rasid_service::operate::control::{AlertFilter, AlertInfo};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::{Failure, json_text, print_json, say};
use crate::http::Client;

/// Alerts of one page.
const PAGE: usize = 1_000;

/// One label, a line.
#[derive(Serialize)]
struct Label<'a> {
    alert: &'a str,
    rule: &'a str,
    ruleset: &'a str,
    entity: &'a str,
    opened_at: String,
    verdict: &'static str,
    who: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    claimed: &'a str,
    why: &'a str,
    at: String,
}

impl<'a> Label<'a> {
    /// `None` where there is no verdict.
    fn of(alert: &'a AlertInfo) -> Option<Self> {
        let (verdict, judged) = (alert.verdict?, alert.judged.as_ref()?);
        Some(Self {
            alert: &alert.id,
            rule: &alert.rule,
            ruleset: &alert.ruleset,
            entity: &alert.entity,
            opened_at: format_rfc3339(alert.opened_at_ms),
            verdict: verdict.name(),
            who: &judged.who,
            claimed: &judged.claimed,
            why: &judged.why,
            at: format_rfc3339(judged.at_ms),
        })
    }
}

/// The verdicts of the alerts that are as the filter says, one JSON object a line, and how many there are.
pub(in super::super) fn verdicts(client: &Client, mut filter: AlertFilter) -> Result<(String, u64), Failure> {
    // Asking for those without a verdict gives none.
    filter.judged.get_or_insert(true);
    (filter.cursor, filter.limit) = (None, PAGE);
    let (mut text, mut count) = (String::new(), 0_u64);
    loop {
        let page = client.ask(&filter)?;
        for label in page.alerts.iter().filter_map(Label::of) {
            count += 1;
            text.push_str(&json_text(&label)?);
            text.push('\n');
        }
        let Some(next) = page.next else { return Ok((text, count)) };
        filter.cursor = Some(next);
    }
}

/// Writes them. The file has all of them or is not touched.
pub(super) fn write(client: &Client, filter: AlertFilter, file: &str) -> Result<(), Failure> {
    let (text, count) = verdicts(client, filter)?;
    if file == "-" {
        for line in text.lines() {
            let label: &RawValue = serde_json::from_str(line).map_err(|error| Failure::Outside(Box::new(error)))?;
            print_json(&label)?;
        }
    } else {
        let failed = |error: std::io::Error| Failure::Outside(format!("cannot write {file}: {error}").into());
        // What is no file of its own (/dev/null, a pipe) has no name to be taken.
        if fs::metadata(file).is_ok_and(|meta| !meta.is_file()) {
            fs::write(file, text).map_err(failed)?;
        } else {
            let beside = format!("{file}.new");
            fs::write(&beside, text).and_then(|()| fs::rename(&beside, file)).map_err(failed)?;
        }
    }
    say(format_args!("{count} verdicts"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use rasid_service::operate::control::Verdict;

    use super::super::list::tests::{alert, said};
    use super::*;

    #[test]
    fn a_label_is_a_line_with_all_that_a_backtest_needs() {
        assert!(Label::of(&alert("al_1")).is_none());
        let judged = AlertInfo { verdict: Some(Verdict::Unsure), judged: Some(said(2_000_000, "who knows")), ..alert("al_1") };
        let expected = r#"{"alert":"al_1","rule":"auth.otp_flood","ruleset":"sha256:aa","entity":"phone:p1_6q3m","opened_at":"1970-01-01T00:16:40.000Z","verdict":"unsure","who":"rasid","claimed":"noor","why":"who knows","at":"1970-01-01T00:33:20.000Z"}"#;
        assert_eq!(json_text(&Label::of(&judged)).ok().as_deref(), Some(expected));
    }
}
