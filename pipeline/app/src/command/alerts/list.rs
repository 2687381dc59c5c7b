//! A table that is read at three in the morning.

use rasid_service::operate::control::{AlertFilter, AlertInfo, AlertList};

use super::super::{Failure, OutputFormat, print_json, print_line, say, span};
use crate::clock::now_ms;
use crate::http::Client;

/// Characters of an id that are shown: 40 bits of a hash, which tell a million alerts apart.
const ID_CHARS: usize = 11;
/// Widest that a column may be.
const COLUMN_MAX: usize = 34;
/// Characters of the explanation.
const EXPLANATION_MAX: usize = 72;

/// Page after page, until there are as many as were asked for.
pub(super) fn list(client: &Client, mut filter: AlertFilter, output: OutputFormat) -> Result<(), Failure> {
    let wanted = filter.limit;
    let mut list = AlertList::default();
    loop {
        filter.limit = wanted - list.alerts.len();
        let page = client.ask(&filter)?;
        list.alerts.extend(page.alerts);
        list.next = page.next;
        if list.next.is_none() || list.alerts.len() >= wanted {
            break;
        }
        filter.cursor.clone_from(&list.next);
    }
    if output == OutputFormat::Json {
        return print_json(&list);
    }
    table(&list.alerts, now_ms()).iter().try_for_each(|line| print_line(line))?;
    match list.next {
        Some(next) => say(format_args!("{} alerts, and there are more: --after {next}", list.alerts.len())),
        None => say(format_args!("{} alerts", list.alerts.len())),
    }
    Ok(())
}

/// How far people have come with it, in a word or two.
pub(super) fn standing(alert: &AlertInfo) -> String {
    let mut words = vec![alert.status.name()];
    words.extend(alert.retracted.map(|_| "taken back"));
    words.extend(alert.verdict.map(rasid_service::operate::control::Verdict::name));
    words.join(", ")
}

/// At most so many characters, with a sign where some are left off.
fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max { text.to_owned() } else { text.chars().take(max - 1).chain(['…']).collect() }
}

fn table(alerts: &[AlertInfo], now_ms: i64) -> Vec<String> {
    const HEAD: [&str; 8] = ["AGE", "SEVERITY", "RULE", "ENTITY", "STATUS", "ASSIGNEE", "ID", "EXPLANATION"];
    if alerts.is_empty() {
        return Vec::new();
    }
    let row = |alert: &AlertInfo| {
        let severity = serde_json::to_value(alert.severity).ok().and_then(|name| Some(name.as_str()?.to_owned()));
        [
            span(now_ms.saturating_sub(alert.opened_at_ms).max(0).unsigned_abs()),
            severity.unwrap_or_default(),
            cut(&alert.rule, COLUMN_MAX),
            cut(&alert.entity, COLUMN_MAX),
            standing(alert),
            cut(alert.assignee.as_deref().unwrap_or("-"), COLUMN_MAX),
            alert.id.chars().take(ID_CHARS).collect(),
            cut(&alert.explanation, EXPLANATION_MAX),
        ]
    };
    let rows: Vec<[String; 8]> = std::iter::once(HEAD.map(str::to_owned)).chain(alerts.iter().map(row)).collect();
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 8]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use rasid_compiler::ruleset::{Mode, Severity};
    use rasid_service::operate::control::{AlertStatus, Said, Verdict};

    use super::*;

    pub(in super::super) fn alert(id: &str) -> AlertInfo {
        AlertInfo {
            id: id.to_owned(),
            rule: "auth.otp_flood".to_owned(),
            ruleset: "sha256:aa".to_owned(),
            severity: Severity::Sev2,
            mode: Mode::Active,
            entity: "phone:p1_6q3m".to_owned(),
            opened_at_ms: 1_000_000,
            position: 7,
            title: "One phone is sent too many codes".to_owned(),
            explanation: "6 codes in 10 min, 0 of them used, limit 5".to_owned(),
            risk: 25,
            status: AlertStatus::Open,
            assignee: None,
            acknowledged: None,
            closed: None,
            verdict: None,
            judged: None,
            retracted: None,
        }
    }

    pub(in super::super) fn said(at_ms: i64, why: &str) -> Said {
        Said { position: 9, at_ms, who: "rasid".to_owned(), claimed: "noor".to_owned(), why: why.to_owned() }
    }

    #[test]
    fn a_table_has_a_line_an_alert_and_straight_columns() {
        let second = AlertInfo {
            severity: Severity::Sev1,
            status: AlertStatus::Closed,
            assignee: Some("dana".to_owned()),
            verdict: Some(Verdict::FalsePositive),
            judged: Some(said(5, "ours")),
            retracted: Some(12),
            explanation: "x".repeat(200),
            rule: "a".repeat(60),
            ..alert("al_7zq1aaaaaaaaaaaaaaaaaaaaaa")
        };
        let lines = table(&[alert("al_5f0c2k3mqqqqqqqqqqqqqqqqqq"), second], 1_000_000 + 130_000);
        let wide = format!("{}…", "a".repeat(33));
        assert_eq!(
            lines,
            [
                format!(
                    "AGE    SEVERITY  {:<34}  ENTITY         STATUS                              ASSIGNEE  ID           EXPLANATION",
                    "RULE"
                ),
                format!(
                    "2 min  SEV2      {:<34}  phone:p1_6q3m  open                                -         al_5f0c2k3m  6 codes in 10 min, 0 of them used, limit 5",
                    "auth.otp_flood"
                ),
                format!(
                    "2 min  SEV1      {wide}  phone:p1_6q3m  closed, taken back, false_positive  dana      al_7zq1aaaa  {}…",
                    "x".repeat(71)
                ),
            ]
        );
        assert_eq!(table(&[], 0), [""; 0]);
        // An alert of a clock that is ahead is new, and no age overflows.
        assert!(table(&[AlertInfo { opened_at_ms: i64::MAX, ..alert("al_1") }], i64::MIN)[1].starts_with("0 ms"));
    }
}
