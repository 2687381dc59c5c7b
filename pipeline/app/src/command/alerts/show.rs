//! One alert with all that is known of it.

use rasid_detectors::event::time::format_rfc3339;
use rasid_service::operate::control::{Act, AlertShown, Happened, Said};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::{Failure, OutputFormat, print_json, print_line, span};
use super::list::standing;
use crate::clock::now_ms;

/// An alert for programs.
#[derive(Serialize)]
struct Whole<'a> {
    /// As the engine wrote it.
    alert: &'a RawValue,
    kept: &'a rasid_service::operate::control::AlertInfo,
    history: &'a [Happened],
    forgotten: u64,
}

pub(super) fn show(shown: &AlertShown, output: OutputFormat) -> Result<(), Failure> {
    let AlertShown { info, json, history, forgotten } = shown;
    if output == OutputFormat::Json {
        let alert: &RawValue = serde_json::from_str(json).map_err(|error| Failure::Outside(Box::new(error)))?;
        return print_json(&Whole { alert, kept: info, history, forgotten: *forgotten });
    }
    lines(shown, now_ms()).iter().try_for_each(|line| print_line(line))
}

/// By whom, and whom they say they are.
fn who(said: &Said) -> String {
    if said.claimed.is_empty() { said.who.clone() } else { format!("{} ({})", said.who, said.claimed) }
}

fn why(said: &Said) -> String {
    if said.why.is_empty() { String::new() } else { format!(": {}", said.why) }
}

fn act(act: &Act) -> String {
    match act {
        Act::Acknowledge { assignee: None } => "acknowledged".to_owned(),
        Act::Acknowledge { assignee: Some(assignee) } => format!("acknowledged, for {assignee}"),
        Act::Close => "closed".to_owned(),
        Act::Verdict(verdict) => verdict.name().to_owned(),
    }
}

fn since(from_ms: i64, to_ms: i64) -> String {
    span(to_ms.saturating_sub(from_ms).max(0).unsigned_abs())
}

fn lines(shown: &AlertShown, now_ms: i64) -> Vec<String> {
    let AlertShown { info, json, history, forgotten } = shown;
    let severity = serde_json::to_value(info.severity).ok().and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default();
    let mut lines = vec![
        format!("{}  {severity}  {}  {}", info.id, info.rule, standing(info)),
        format!("  {}", info.title),
        format!("  {}", info.explanation),
        format!("  entity        {}", info.entity),
        format!(
            "  opened        {}, {} ago, at position {} of the log",
            format_rfc3339(info.opened_at_ms),
            since(info.opened_at_ms, now_ms),
            info.position
        ),
    ];
    if let Some(position) = info.retracted {
        lines.push(format!("  taken back    with its rule's others, at position {position} of the log"));
    }
    lines.extend(info.assignee.as_ref().map(|assignee| format!("  assignee      {assignee}")));
    if let Some(said) = &info.acknowledged {
        lines.push(format!("  acknowledged  after {} by {}", since(info.opened_at_ms, said.at_ms), who(said)));
    }
    if let Some(said) = &info.closed {
        lines.push(format!("  closed        after {} by {}{}", since(info.opened_at_ms, said.at_ms), who(said), why(said)));
    }
    if let (Some(verdict), Some(said)) = (info.verdict, &info.judged) {
        lines.push(format!("  verdict       {} by {}{}", verdict.name(), who(said), why(said)));
    }
    if *forgotten > 0 {
        lines.push(format!("  history       {forgotten} older entries are not kept"));
    }
    for Happened { act: what, said } in history {
        lines.push(format!("  {}  {}  {}{}", format_rfc3339(said.at_ms), who(said), act(what), why(said)));
    }
    lines.push(format!("  {json}"));
    lines
}

#[cfg(test)]
mod tests {
    use rasid_service::operate::control::{AlertInfo, AlertStatus, Verdict};

    use super::super::list::tests::{alert, said};
    use super::*;

    #[test]
    fn all_that_is_known_is_shown() {
        let acknowledged = Said { claimed: String::new(), ..said(1_060_000, "") };
        let info = AlertInfo {
            status: AlertStatus::Closed,
            assignee: Some("dana".to_owned()),
            acknowledged: Some(acknowledged.clone()),
            closed: Some(said(8_300_000, "done")),
            verdict: Some(Verdict::TruePositive),
            judged: Some(said(8_300_000, "confirmed")),
            retracted: Some(12),
            ..alert("al_5f0c")
        };
        let assigned = Act::Acknowledge { assignee: Some("dana".to_owned()) };
        let history = vec![
            Happened { act: assigned, said: acknowledged },
            Happened { act: Act::Verdict(Verdict::TruePositive), said: said(8_300_000, "confirmed") },
        ];
        let shown = AlertShown { info, json: r#"{"id":"al_5f0c"}"#.to_owned(), history, forgotten: 3 };
        assert_eq!(
            lines(&shown, 8_400_000),
            [
                "al_5f0c  SEV2  auth.otp_flood  closed, taken back, true_positive",
                "  One phone is sent too many codes",
                "  6 codes in 10 min, 0 of them used, limit 5",
                "  entity        phone:p1_6q3m",
                "  opened        1970-01-01T00:16:40.000Z, 2 h ago, at position 7 of the log",
                "  taken back    with its rule's others, at position 12 of the log",
                "  assignee      dana",
                "  acknowledged  after 1 min by rasid",
                "  closed        after 2 h by rasid (noor): done",
                "  verdict       true_positive by rasid (noor): confirmed",
                "  history       3 older entries are not kept",
                "  1970-01-01T00:17:40.000Z  rasid  acknowledged, for dana",
                "  1970-01-01T02:18:20.000Z  rasid (noor)  true_positive: confirmed",
                r#"  {"id":"al_5f0c"}"#,
            ]
        );
    }
}
