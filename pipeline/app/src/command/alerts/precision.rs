//! How often rules were right, by what people found out.

use std::collections::BTreeMap;

use rasid_backtest::share::Share;
use rasid_backtest::text::{percent, short};
use rasid_service::operate::control::{AlertFilter, AlertInfo, Verdict};
use serde::Serialize;

use super::super::{Failure, OutputFormat, print_json, print_line, say};
use crate::config::Layers;
use crate::http::Client;

/// Alerts of one page.
const PAGE: usize = 1_000;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Of this rule
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// A line for each ruleset in which the rule opened alerts
    #[arg(long)]
    by_ruleset: bool,
    /// Of alerts that opened from then on, by their event's time, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = super::super::instant)]
    since: Option<i64>,
    /// Of alerts that opened before then, by their event's time, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = super::super::instant)]
    until: Option<i64>,
    #[command(flatten)]
    layers: Layers,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

/// What verdicts say of some alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Judged {
    /// True ones of those that are true or false.
    precision: Share,
    unsure: u64,
}

impl Judged {
    fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::TruePositive => self.precision.add(true),
            Verdict::FalsePositive => self.precision.add(false),
            Verdict::Unsure => self.unsure += 1,
        }
    }
}

/// A rule, and the same in each ruleset in which it opened alerts, in the order of their first ones.
#[derive(Debug, Default, PartialEq, Serialize)]
struct OfRule {
    rule: String,
    #[serde(flatten)]
    all: Judged,
    rulesets: Vec<OfRuleset>,
}

#[derive(Debug, PartialEq, Serialize)]
struct OfRuleset {
    ruleset: String,
    #[serde(flatten)]
    judged: Judged,
    #[serde(skip)]
    first_ms: i64,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = Client::of(&args.layers)?;
    let mut filter = AlertFilter {
        rule: args.rule.clone(),
        judged: Some(true),
        since_ms: args.since,
        until_ms: args.until,
        limit: PAGE,
        ..AlertFilter::default()
    };
    let mut rules = BTreeMap::new();
    loop {
        let page = client.ask(&filter)?;
        page.alerts.iter().for_each(|alert| add(&mut rules, alert));
        let Some(next) = page.next else { break };
        filter.cursor = Some(next);
    }
    let rules = sorted(rules);
    if args.output == OutputFormat::Json {
        return print_json(&rules);
    }
    lines(&rules, args.by_ruleset).iter().try_for_each(|line| print_line(line))?;
    if rules.is_empty() {
        say(format_args!("no alert has a verdict: `rasid alerts verdict` gives one"));
    }
    Ok(())
}

fn add(rules: &mut BTreeMap<String, OfRule>, alert: &AlertInfo) {
    let Some(verdict) = alert.verdict else { return };
    let of = rules.entry(alert.rule.clone()).or_insert_with(|| OfRule { rule: alert.rule.clone(), ..OfRule::default() });
    of.all.add(verdict);
    if let Some(known) = of.rulesets.iter_mut().find(|known| known.ruleset == alert.ruleset) {
        known.judged.add(verdict);
        known.first_ms = known.first_ms.min(alert.opened_at_ms);
    } else {
        let mut judged = Judged::default();
        judged.add(verdict);
        of.rulesets.push(OfRuleset { ruleset: alert.ruleset.clone(), judged, first_ms: alert.opened_at_ms });
    }
}

/// Those that are most often wrong first.
fn sorted(rules: BTreeMap<String, OfRule>) -> Vec<OfRule> {
    let mut rules: Vec<OfRule> = rules.into_values().collect();
    for rule in &mut rules {
        rule.rulesets.sort_by_key(|of| of.first_ms);
    }
    rules.sort_by_key(|of| std::cmp::Reverse(of.all.precision.of - of.all.precision.hits));
    rules
}

fn lines(rules: &[OfRule], by_ruleset: bool) -> Vec<String> {
    const HEAD: [&str; 7] = ["RULE", "TRUE", "FALSE", "UNSURE", "RIGHT", "95 %", ""];
    if rules.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    for rule in rules {
        rows.push(row(rule.rule.clone(), rule.all));
        if by_ruleset {
            rows.extend(rule.rulesets.iter().map(|of| row(format!("  {}", short(&of.ruleset)), of.judged)));
        }
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 7]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row(name: String, Judged { precision, unsure }: Judged) -> [String; 7] {
    let interval = precision.interval().map_or_else(String::new, |(low, high)| format!("{} to {}", percent(low), percent(high)));
    let few = if precision.is_thin() { "few" } else { "" };
    [
        name,
        precision.hits.to_string(),
        (precision.of - precision.hits).to_string(),
        unsure.to_string(),
        precision.share().map_or_else(|| "–".to_owned(), percent),
        interval,
        few.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::alert;
    use super::*;

    #[test]
    fn a_rule_is_as_right_as_its_verdicts_say_and_few_say_so() {
        let mut rules = BTreeMap::new();
        let judged = |verdict, ruleset: &str, at_ms| AlertInfo {
            verdict: Some(verdict),
            ruleset: ruleset.to_owned(),
            opened_at_ms: at_ms,
            ..alert("al_1")
        };
        for alert in [
            judged(Verdict::TruePositive, "sha256:bb", 9),
            judged(Verdict::FalsePositive, "sha256:aa", 5),
            judged(Verdict::Unsure, "sha256:aa", 4),
            AlertInfo { verdict: None, ..alert("al_2") },
        ] {
            add(&mut rules, &alert);
        }
        let rules = sorted(rules);
        assert_eq!(
            lines(&rules, true),
            [
                "RULE            TRUE  FALSE  UNSURE  RIGHT    95 %",
                "auth.otp_flood  1     1      1       50.0 %   9.5 % to 90.5 %    few",
                "  sha256:aa     0     1      1       0.0 %    0.0 % to 79.3 %    few",
                "  sha256:bb     1     0      0       100.0 %  20.7 % to 100.0 %  few",
            ]
        );
        assert_eq!(lines(&[], true), [""; 0]);
    }
}
