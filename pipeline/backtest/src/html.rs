//! A report as one page: no script, nothing fetched, light and dark, and it prints.

mod chart;

use askama::Template;

use crate::compare::{Counts, Difference};
use crate::found::Found;
use crate::gate::Outcome;
use crate::measure::OfRule;
use crate::report::Report;
use crate::sweep::Curve;
use crate::text::{self, grouped, number, percent, seconds, short};

/// Alerts on the page; nobody reads more.
const HITS_MAX: usize = 200;
/// Differences on the page.
const DIFFERENCES_MAX: usize = 50;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    days: String,
    events: String,
    ruleset: &'a str,
    baseline: Option<&'a str>,
    tiles: Vec<Tile>,
    gates: Vec<GateRow>,
    volume: String,
    labelled: bool,
    rules: Vec<RuleRow<'a>>,
    differing: Vec<(&'a String, &'a Counts)>,
    differences: Vec<DifferenceRow<'a>>,
    more_differences: usize,
    curves: Vec<CurveRow<'a>>,
    hits: Vec<Hit<'a>>,
    more_hits: usize,
}

struct Tile {
    value: String,
    name: &'static str,
    more: String,
}

struct GateRow {
    written: String,
    value: String,
    failed: bool,
}

struct RuleRow<'a> {
    of: &'a OfRule,
    beside: Vec<(&'a str, String)>,
    severity: String,
    days: String,
    right: String,
    interval: String,
}

struct DifferenceRow<'a> {
    of: &'a Difference,
    word: &'static str,
    lines: Vec<String>,
}

struct CurveRow<'a> {
    of: &'a Curve,
    names: Vec<&'a str>,
    volume: String,
    quality: String,
    has_knee: bool,
}

struct Hit<'a> {
    of: &'a Found,
    severity: String,
}

/// The page of a report and of the alerts that it speaks of.
///
/// # Errors
/// None that the template can have.
pub fn page(report: &Report, found: &[Found]) -> Result<String, askama::Error> {
    let measures = &report.measures;
    let labelled = measures.precision.of > 0 || measures.recall.of > 0;
    let rules = measures.rules.iter().map(|of| RuleRow {
        of,
        beside: of.beside.iter().map(|(other, count)| (other.as_str(), grouped(*count))).collect(),
        severity: severity(of.severity, of.active),
        days: chart::spark(&of.over_time, &format!("alerts of {} over time", of.rule)),
        right: of.precision.share().map_or_else(|| "–".to_owned(), percent),
        interval: of.precision.interval().map_or_else(String::new, |(low, high)| format!("{} to {}", percent(low), percent(high))),
    });
    let comparison = report.comparison.as_ref();
    let all = comparison.map(|comparison| comparison.differences.as_slice()).unwrap_or_default();
    let differing = comparison.into_iter().flat_map(|comparison| &comparison.rules);
    let difference = |of: &'_ Difference| text::why_lines(of);
    let page = Page {
        report,
        days: number(measures.extent.days()),
        events: grouped(measures.extent.events),
        ruleset: short(&report.ruleset),
        baseline: report.baseline.as_deref().map(short),
        tiles: tiles(report, labelled),
        gates: report.gates.iter().map(gate).collect(),
        volume: chart::over_time(&measures.over_time, measures.extent),
        labelled,
        rules: rules.collect(),
        differing: differing.filter(|(_, counts)| counts.same != counts.old || counts.same != counts.new).collect(),
        differences: all
            .iter()
            .take(DIFFERENCES_MAX)
            .map(|of| DifferenceRow { of, word: of.change.name(), lines: difference(of) })
            .collect(),
        more_differences: all.len().saturating_sub(DIFFERENCES_MAX),
        curves: report.sweeps.iter().map(curve).collect(),
        hits: found.iter().take(HITS_MAX).map(|of| Hit { of, severity: severity(of.severity, true) }).collect(),
        more_hits: found.len().saturating_sub(HITS_MAX),
    };
    page.render()
}

fn gate(outcome: &Outcome) -> GateRow {
    let value = outcome.value.map_or_else(|| "none".to_owned(), number);
    GateRow { written: outcome.gate.to_string(), value, failed: outcome.failed }
}

fn severity(severity: rasid_compiler::ruleset::Severity, active: bool) -> String {
    let word = format!("{severity:?}").to_uppercase();
    if active { word } else { format!("{word} shadow") }
}

fn tiles(report: &Report, labelled: bool) -> Vec<Tile> {
    let measures = &report.measures;
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let a_day = measures.alerts as f64 / measures.extent.days();
    let mut tiles = vec![
        Tile { value: grouped(measures.alerts), name: "alerts", more: format!("{} a day", number(a_day)) },
        Tile {
            value: grouped(measures.entities),
            name: "entities",
            more: format!("{} rules spoke, {} did not", measures.rules.len(), report.silent.len()),
        },
    ];
    if let Some(comparison) = &report.comparison {
        let total = comparison.total();
        let more = format!("{} gone, {} moved, {} changed", grouped(total.gone), grouped(total.moved), grouped(total.changed));
        tiles.push(Tile { value: grouped(total.added), name: "new beside the baseline", more });
    }
    if labelled {
        let of = |share: crate::share::Share| share.share().map_or_else(|| "–".to_owned(), percent);
        let interval = |share: crate::share::Share| {
            share.interval().map_or_else(String::new, |(low, high)| {
                format!("{} to {}, {} of {}", percent(low), percent(high), grouped(share.hits), grouped(share.of))
            })
        };
        tiles.push(Tile { value: of(measures.precision), name: "right, of those with a label", more: interval(measures.precision) });
        tiles.push(Tile { value: of(measures.recall), name: "of the harm seen", more: interval(measures.recall) });
        tiles.push(Tile { value: seconds(measures.seconds_to_detect), name: "until the first alert", more: "the median".to_owned() });
    }
    if let Some((caught, whole)) = measures.amount {
        tiles.push(Tile { value: format!("{caught:.2}"), name: "at stake in what was seen", more: format!("of {whole:.2}") });
    }
    tiles
}

fn curve(of: &Curve) -> CurveRow<'_> {
    let names: Vec<&str> =
        of.points.first().map(|point| point.variant.values.iter().map(|(name, _)| name.as_str()).collect()).unwrap_or_default();
    let is_line = names.len() == 1 && of.points.len() > 1;
    let labelled = of.points.iter().any(|point| point.precision.of > 0 || point.recall.of > 0);
    CurveRow {
        of,
        names,
        volume: if is_line { chart::volume(of) } else { String::new() },
        quality: if is_line && labelled { chart::quality(of) } else { String::new() },
        has_knee: of.points.iter().any(|point| point.knee),
    }
}

/// Numbers for people, by reference, as the template hands them on.
mod show {
    use std::borrow::Borrow;

    use crate::share::Share;
    use crate::text;

    pub(super) fn number(number: impl Borrow<f64>) -> String {
        text::number(*number.borrow())
    }

    pub(super) fn grouped(number: impl Borrow<u64>) -> String {
        text::grouped(*number.borrow())
    }

    pub(super) fn seconds(seconds: impl Borrow<Option<i64>>) -> String {
        text::seconds(*seconds.borrow())
    }

    pub(super) fn share(share: impl Borrow<Share>) -> String {
        text::share(*share.borrow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{compare, tests::found};
    use crate::label::Labels;
    use crate::measure::{Extent, measure};

    #[test]
    fn nothing_in_a_report_is_taken_for_markup() {
        let alerts = vec![Found { explanation: "<script>alert(1)</script>".to_owned(), ..found("a.b", "user:<b>", 1_000) }];
        let measures = measure(&alerts, &Labels::default(), Extent { events: 10, from_ms: 0, to_ms: 3 * 86_400_000 });
        let report = Report { measures, comparison: Some(compare(Vec::new(), alerts.clone(), |_| 0)), ..Report::default() };
        let page = page(&report, &alerts).expect("a page");
        assert!(!page.contains("<script>") && !page.contains("user:<b>") && page.contains("&#60;script&#62;"), "{page}");
        assert!(!page.contains("http://") && !page.contains("https://"), "it fetches nothing");
    }
}
