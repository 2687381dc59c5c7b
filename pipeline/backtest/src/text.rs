//! Reports for a terminal.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::compare::{Change, Comparison, Counts, Difference};
use crate::measure::{Measures, OfRule};
use crate::report::Report;
use crate::saw::{Saw, Why};
use crate::share::Share;
use crate::sweep::{Curve, Point};

/// Differences of one rule that are told one by one; of the others how many there are.
const DIFFERENCES_MAX: usize = 5;
/// Rules that did nothing, and stories that nobody saw, that are named.
const NAMES_MAX: usize = 12;
/// Width of a line of days.
const DAYS_WIDTH: usize = 31;

/// Everything, in lines.
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    let measures = &report.measures;
    let days = measures.extent.days();
    line(
        &mut out,
        &format!(
            "{} to {}, {} days and {} events, by {}",
            report.from,
            report.to,
            number(days),
            grouped(measures.extent.events),
            short(&report.ruleset)
        ),
    );
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let a_day = measures.alerts as f64 / days;
    line(
        &mut out,
        &format!(
            "{} alerts, {} a day, about {} entities  {}",
            grouped(measures.alerts),
            number(a_day),
            grouped(measures.entities),
            spark(&measures.over_time)
        ),
    );
    if measures.precision.of > 0 || measures.recall.of > 0 {
        line(
            &mut out,
            &format!(
                "right {}; harm seen {}; {} until the first alert, the median",
                share(measures.precision),
                share(measures.recall),
                seconds(measures.seconds_to_detect)
            ),
        );
    }
    if let Some((caught, whole)) = measures.amount {
        line(&mut out, &format!("at stake {}, of it in what was seen {}", money(whole), money(caught)));
    }
    for note in &report.notes {
        line(&mut out, &format!("note: {note}"));
    }
    out.push('\n');
    out.push_str(&rules(measures));
    if !report.silent.is_empty() {
        line(&mut out, &format!("\nno alert by {}", names(&report.silent)));
    }
    if !measures.missed.is_empty() {
        line(&mut out, &format!("harm that no rule saw: {}", names(&measures.missed)));
    }
    if let Some(comparison) = &report.comparison {
        out.push('\n');
        out.push_str(&comparison_text(comparison));
    }
    for curve in &report.sweeps {
        out.push('\n');
        out.push_str(&curve_text(curve));
    }
    if !report.gates.is_empty() {
        out.push('\n');
        for outcome in &report.gates {
            let value = outcome.value.map_or_else(|| "has no value here".to_owned(), |value| format!("is {}", number(value)));
            let verdict = if outcome.failed { "REFUSED" } else { "passed" };
            line(&mut out, &format!("{verdict:8} {}: it {value}", outcome.gate));
        }
    }
    out
}

fn rules(measures: &Measures) -> String {
    let labelled = measures.precision.of > 0 || measures.recall.of > 0;
    let mut header = vec!["rule", "", "alerts", "a day", "entities", "alone", "most often beside", "over time"];
    if labelled {
        header.extend(["right", "95 %", "harm", "only it", "until"]);
    }
    let mut table = table(&header);
    for rule in &measures.rules {
        let beside = rule.beside.first().map_or_else(String::new, |(other, count)| format!("{other} {}", grouped(*count)));
        let severity = format!("{:?}", rule.severity).to_uppercase();
        let mut row = vec![
            rule.rule.clone(),
            if rule.active { severity } else { format!("{severity} shadow") },
            grouped(rule.alerts),
            number(rule.alerts_per_day),
            grouped(rule.entities),
            grouped(rule.alone),
            beside,
            spark(&rule.over_time),
        ];
        if labelled {
            row.extend(labels(rule));
        }
        table.add_row(row);
    }
    align(&mut table, &[2, 3, 4, 5, 8, 9, 10, 11, 12]);
    written(&table)
}

fn labels(rule: &OfRule) -> [String; 5] {
    let interval = rule.precision.interval().map_or_else(String::new, |(low, high)| format!("{} to {}", percent(low), percent(high)));
    let thin = if rule.precision.of > 0 && rule.precision.is_thin() { " few" } else { "" };
    [
        rule.precision.share().map_or_else(|| "–".to_owned(), percent),
        format!("{interval}{thin}"),
        grouped(rule.harms),
        grouped(rule.harms_alone),
        seconds(rule.seconds_to_detect),
    ]
}

/// What differs, rule by rule and then alert by alert.
pub fn comparison_text(comparison: &Comparison) -> String {
    let mut out = String::new();
    let total = comparison.total();
    if comparison.is_same() {
        line(&mut out, &format!("both rulesets open the same {} alerts, word for word", grouped(total.same)));
    }
    for (rule, direction) in &comparison.directions {
        line(&mut out, &format!("{rule}: {}", direction.says()));
    }
    if comparison.is_same() {
        return out;
    }
    line(&mut out, &format!("{} alerts before, {} after: {}", grouped(total.old), grouped(total.new), counted(total)));
    out.push('\n');
    let differing = comparison.rules.iter().filter(|(_, counts)| counts.same != counts.old || counts.same != counts.new);
    let mut table = table(&["rule", "before", "after", "the same", "new", "gone", "moved", "changed"]);
    for (rule, Counts { old, new, same, added, gone, moved, changed }) in differing {
        let counts = [old, new, same, added, gone, moved, changed].map(|count| grouped(*count));
        table.add_row(std::iter::once(rule.clone()).chain(counts));
    }
    align(&mut table, &[1, 2, 3, 4, 5, 6, 7]);
    out.push_str(&written(&table));
    let mut told = 0;
    let mut of: Option<&str> = None;
    for difference in &comparison.differences {
        if of != Some(difference.rule.as_str()) {
            of = Some(&difference.rule);
            told = 0;
            line(&mut out, &format!("\n{}", difference.rule));
        }
        told += 1;
        if told <= DIFFERENCES_MAX {
            out.push_str(&difference_text(difference));
        } else if told == DIFFERENCES_MAX + 1 {
            let all = comparison.differences.iter().filter(|other| other.rule == difference.rule).count();
            line(&mut out, &format!("  … and {} more (--output json has all)", grouped((all - DIFFERENCES_MAX) as u64)));
        }
    }
    out
}

fn counted(counts: Counts) -> String {
    let told = [(counts.added, Change::New), (counts.gone, Change::Gone), (counts.moved, Change::Moved), (counts.changed, Change::Changed)];
    told.map(|(count, change)| format!("{} {}", grouped(count), change.name())).join(", ")
}

fn difference_text(difference: &Difference) -> String {
    let mut out = String::new();
    let found = difference.found();
    let opened = match (&difference.old, &difference.new) {
        (Some(old), Some(new)) if old.opened_at != new.opened_at => format!("{} → {}", old.opened_at, new.opened_at),
        _ => found.opened_at.clone(),
    };
    line(&mut out, &format!("  {:7} {opened}  {}  {}", difference.change.name(), found.entity, found.explanation));
    for said in why_lines(difference) {
        line(&mut out, &format!("          {said}"));
    }
    out
}

/// What made the difference, in lines.
pub fn why_lines(difference: &Difference) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(old), Some(new)) = (&difference.old, &difference.new) {
        let mut said = Vec::new();
        if old.severity != new.severity {
            said.push(format!("{:?} → {:?}", old.severity, new.severity).to_uppercase());
        }
        if old.risk != new.risk {
            said.push(format!("risk {} → {}", old.risk, new.risk));
        }
        if old.mode != new.mode {
            said.push(format!("{:?} → {:?}", old.mode, new.mode).to_lowercase());
        }
        // Those of one that has moved are of two events; what both saw at the first stands below.
        if difference.why.is_none() {
            said.extend(values(Some(&old.values.0), Some(&new.values.0)));
        }
        if !said.is_empty() {
            lines.push(said.join(", "));
        }
    }
    if let Some(why) = &difference.why {
        lines.extend(of_why(why));
    }
    lines
}

/// Values that differ between both sides.
fn values(old: Option<&[(String, serde_json::Value)]>, new: Option<&[(String, serde_json::Value)]>) -> Vec<String> {
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let of =
        |values: &[(String, serde_json::Value)], name: &str| values.iter().find(|(other, _)| other == name).map(|(_, value)| plain(value));
    let mut said = Vec::new();
    for (name, value) in new {
        match of(old, name) {
            Some(before) if before != plain(value) => said.push(format!("{name} {before} → {}", plain(value))),
            Some(_) => {}
            None => said.push(format!("{name} {}", plain(value))),
        }
    }
    said.extend(old.iter().filter(|(name, _)| of(new, name).is_none()).map(|(name, value)| format!("{name} was {}", plain(value))));
    said
}

fn of_why(why: &Why) -> Vec<String> {
    let mut lines = Vec::new();
    let (old, new) = (why.old.as_ref(), why.new.as_ref());
    let same = |name: &str| {
        let of =
            |saw: Option<&Saw>| saw.and_then(|saw| saw.values.0.iter().find(|(other, _)| other == name).map(|(_, value)| plain(value)));
        of(old).is_some_and(|value| of(new).is_none_or(|other| other == value))
    };
    let mut said = values(old.map(|saw| saw.values.0.as_slice()), new.map(|saw| saw.values.0.as_slice()));
    let kept = old.into_iter().flat_map(|saw| &saw.values.0).filter(|(name, _)| new.is_some() && same(name));
    said.extend(kept.map(|(name, value)| format!("{name} {}", plain(value))));
    if !said.is_empty() {
        lines.push(said.join(", "));
    }
    match (old, new) {
        (Some(old), Some(new)) if old.is_hit() && new.is_hit() => {
            lines.push("both hold: the other one's hit was only counted, as an alert of the rule about the same stood".to_owned());
        }
        (Some(old), Some(new)) => {
            lines.push(format!("before: {}; after: {}", came(old), came(new)));
        }
        (Some(old), None) => lines.push(format!("before: {}; after: there is no such rule", came(old))),
        (None, Some(new)) => lines.push(format!("before: there was no such rule; after: {}", came(new))),
        (None, None) => {}
    }
    lines
}

/// What decided: of a hit the terms that held, else those that did not.
fn came(saw: &Saw) -> String {
    let decided = |came: &str| if saw.is_hit() { came == "true" } else { came != "true" };
    let terms: Vec<String> =
        saw.terms.iter().filter(|term| decided(&term.came)).map(|term| format!("`{}` {}", term.text, term.came)).collect();
    if terms.is_empty() { saw.came.clone() } else { format!("{} ({})", saw.came, terms.join(", ")) }
}

fn curve_text(curve: &Curve) -> String {
    let mut out = String::new();
    line(&mut out, &curve.rule);
    if !curve.overridden.is_empty() {
        line(
            &mut out,
            &format!("note: an override sets {} too; where it applies, these values change nothing", curve.overridden.join(", ")),
        );
    }
    let labelled = curve.points.iter().any(|point| point.precision.of > 0 || point.recall.of > 0);
    let names: Vec<&str> =
        curve.points.first().map(|point| point.variant.values.iter().map(|(name, _)| name.as_str()).collect()).unwrap_or_default();
    let mut header = names.clone();
    header.extend(["alerts", "a day", "entities", ""]);
    if labelled {
        header.extend(["right", "harm seen", "F1"]);
    }
    header.push("");
    let most = curve.points.iter().map(|point| point.alerts).max().unwrap_or(0);
    let mut table = table(&header);
    for point in &curve.points {
        let mut row: Vec<String> = point.variant.values.iter().map(|(_, value)| value.clone()).collect();
        row.extend([grouped(point.alerts), number(point.alerts_per_day), grouped(point.entities), bar(point.alerts, most)]);
        if labelled {
            row.extend(of_labels(point));
        }
        row.push(
            [(point.variant.current, "now"), (point.knee, "knee")]
                .into_iter()
                .filter(|(is, _)| *is)
                .map(|(_, word)| word)
                .collect::<Vec<_>>()
                .join(", "),
        );
        table.add_row(row);
    }
    let first = names.len();
    align(&mut table, &[0, first, first + 1, first + 2]);
    out.push_str(&written(&table));
    for week in &curve.weeks {
        let values: Vec<String> = week.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let f1 = |f1: Option<f64>| f1.map_or_else(|| "–".to_owned(), number);
        line(
            &mut out,
            &format!(
                "week of {}: the other weeks choose {}, F1 {} here, where {} is the best",
                week.from,
                values.join(", "),
                f1(week.f1),
                f1(week.best_f1)
            ),
        );
    }
    out
}

fn of_labels(point: &Point) -> [String; 3] {
    let shown = |share: Share| share.share().map_or_else(|| "–".to_owned(), percent);
    [shown(point.precision), shown(point.recall), point.f1().map_or_else(|| "–".to_owned(), number)]
}

pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header.iter().copied());
    table
}

pub(crate) fn align(table: &mut Table, right: &[usize]) {
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Its lines, without the blanks at the ends of lines.
pub(crate) fn written(table: &Table) -> String {
    let mut out = String::new();
    table.lines().for_each(|row| line(&mut out, row.trim_end()));
    out
}

pub(crate) fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes all");
}

/// Counts as bars of eight heights, the highest full; a long row is put together, the largest of each part.
pub fn spark(counts: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let part = counts.len().div_ceil(DAYS_WIDTH).max(1);
    let parts: Vec<u64> = counts.chunks(part).map(|part| part.iter().copied().max().unwrap_or(0)).collect();
    let most = parts.iter().copied().max().unwrap_or(0).max(1);
    let height = |count: u64| usize::try_from((u128::from(count) * 7).div_ceil(u128::from(most))).unwrap_or(0);
    parts.into_iter().map(|count| if count == 0 { '·' } else { *BARS.get(height(count)).unwrap_or(&'█') }).collect()
}

fn bar(count: u64, most: u64) -> String {
    let width = usize::try_from(count.saturating_mul(20).div_ceil(most.max(1))).unwrap_or(20);
    "█".repeat(width.min(20))
}

fn names(all: &[String]) -> String {
    let shown = all.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A value as a person reads it; a dash where there is none.
pub(crate) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "–".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A share with its interval and its numbers.
pub fn share(share: Share) -> String {
    let Some((portion, (low, high))) = share.share().zip(share.interval()) else { return "not known".to_owned() };
    format!("{} ({} to {}; {} of {})", percent(portion), percent(low), percent(high), grouped(share.hits), grouped(share.of))
}

/// `0.987` → `98.7 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Of a duration the two largest units.
pub fn seconds(seconds: Option<i64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds @ ..60) => format!("{seconds} s"),
        Some(seconds @ ..3_600) => format!("{} min", seconds / 60),
        Some(seconds @ ..86_400) => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        Some(seconds) => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// To two places, or none where it is large.
pub fn number(number: f64) -> String {
    if number.abs() >= 100.0 || number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}

fn money(amount: f64) -> String {
    format!("{amount:.2}")
}

/// `1234567` → `1 234 567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// The beginning of a hash.
pub fn short(hash: &str) -> &str {
    hash.get(..15).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_bars() {
        assert_eq!(spark(&[0, 1, 50, 100]), "·▂▅█");
        assert_eq!((spark(&[]), spark(&[0]), spark(&[u64::MAX])), (String::new(), "·".to_owned(), "█".to_owned()));
        assert_eq!(spark(&[1; 100]).chars().count(), 25);
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!((grouped(0), grouped(999), grouped(1_000)), ("0".to_owned(), "999".to_owned(), "1 000".to_owned()));
        assert_eq!(
            (grouped(1_234_567), percent(0.987_4), number(3.0), number(0.25)),
            ("1 234 567".to_owned(), "98.7 %".to_owned(), "3".to_owned(), "0.25".to_owned())
        );
        assert_eq!(
            (seconds(Some(59)), seconds(Some(3_599)), seconds(Some(7_260)), seconds(None)),
            ("59 s".to_owned(), "59 min".to_owned(), "2 h 01 min".to_owned(), "–".to_owned())
        );
    }
}
