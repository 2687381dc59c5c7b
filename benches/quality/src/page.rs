//! The tables of `docs/detection-quality.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use rasid_compiler::ruleset::Severity;
use rasid_simulate::Level;

use crate::tally::{Cell, Share, Tally};
use crate::why;

/// Where the part about the shipped rules begins.
const HEADING: &str = "## The shipped rules\n";

/// The page with one of its parts made anew: from the heading that `part` begins with to the next of its kind.
pub(crate) fn replaced(page: &str, part: &str) -> Result<String> {
    let heading = part.split_inclusive('\n').next().unwrap_or_default();
    let (before, rest) = page.split_once(heading).with_context(|| format!("there is no line `{}`", heading.trim_end()))?;
    let after = rest.find("\n## ").and_then(|next| rest.get(next..)).unwrap_or_default();
    Ok(format!("{before}{part}{after}"))
}

/// The part about the shipped rules.
pub(crate) fn tables(tally: &Tally) -> String {
    let mut text = HEADING.to_owned();
    let (all, low, high) = tally.rate(&tally.all_wrong());
    let accusing =
        tally.precision.values().fold(Share::default(), |sum, share| Share { hits: sum.hits + share.hits, of: sum.of + share.of });
    let _infallible = writeln!(
        text,
        "\n{} simulated weeks of 3 000 honest people, {} events, by `cargo xtask quality`: odd seeds draw campaigns' parameters from the half that \
         rules are tuned on, even ones from the half that is left out. Alerts about honest people: **{all:.2}** for each 1 000 of them and day \
         ({low:.2} to {high:.2}); precision **{}**. Intervals are of 95 %.\n",
        tally.weeks,
        tally.events,
        percent(accusing)
    );
    campaigns(tally, &mut text);
    misses(tally, &mut text);
    rules(tally, &mut text);
    severities(tally, &mut text);
    look_alikes(tally, &mut text);
    text
}

fn campaigns(tally: &Tally, text: &mut String) {
    text.push_str("### Campaigns\n\nCaught of played, tuned and untuned half; the median time from a campaign's first event to the first alert about it.\n\n");
    text.push_str("| campaign | blatant | moderate | careful | after | seen by |\n|---|---|---|---|---|---|\n");
    let mut sums: BTreeMap<_, (Share, Share)> = BTreeMap::new();
    let mut kinds: Vec<(&str, &str)> = tally.cells.keys().map(|(family, kind, _)| (*family, *kind)).collect();
    kinds.dedup();
    for (family, kind) in kinds {
        let mut delays = Vec::new();
        let cells: Vec<String> = Level::ALL
            .iter()
            .map(|level| match tally.cells.get(&(family, kind, *level)) {
                None => "–".to_owned(),
                Some(cell) => {
                    delays.extend(cell.delays.iter().copied());
                    let sum = sums.entry(*level).or_default();
                    (sum.0, sum.1) = (plus(sum.0, cell.tuned), plus(sum.1, cell.untuned));
                    halves(cell)
                }
            })
            .collect();
        let seen_by: Vec<&str> = tally.seen_by.get(kind).into_iter().flatten().map(String::as_str).collect();
        let _infallible = writeln!(text, "| {kind} | {} | {} | {} |", cells.join(" | "), median(delays), seen_by.join(", "));
    }
    let sums: Vec<String> = Level::ALL
        .iter()
        .map(|level| {
            let (tuned, untuned) = sums.get(level).copied().unwrap_or_default();
            format!("**{}**, **{}**", percent(tuned), percent(untuned))
        })
        .collect();
    let _infallible = writeln!(text, "| all | {} | | |\n", sums.join(" | "));
}

/// What was missed of each kind, and why.
fn misses(tally: &Tally, text: &mut String) {
    text.push_str("### Missed campaigns\n\nHow many of how many of both halves, and why.\n\n| campaign | missed | why |\n|---|---|---|\n");
    for (kind, levels) in why::missed(tally) {
        let missed: Vec<String> = levels.into_iter().map(|(level, share)| format!("{level} {} of {}", share.hits, share.of)).collect();
        let _infallible = writeln!(text, "| {kind} | {} | {} |", missed.join(", "), why::of(kind).unwrap_or("?"));
    }
    text.push('\n');
}

fn plus(a: Share, b: Share) -> Share {
    Share { hits: a.hits + b.hits, of: a.of + b.of }
}

fn halves(cell: &Cell) -> String {
    format!("{}/{}, {}/{}", cell.tuned.hits, cell.tuned.of, cell.untuned.hits, cell.untuned.of)
}

fn rules(tally: &Tally, text: &mut String) {
    text.push_str("### Rules\n\nAlerts about campaigns and about honest people, these for each 1 000 and day, and what they were about. Operational alerts accuse nobody; those that no campaign's event opened stand apart.\n\n");
    text.push_str("| rule | right | wrong | for each 1 000 and day | about | operational |\n|---|---|---|---|---|---|\n");
    for (name, rule) in &tally.rules {
        let (mean, low, high) = tally.rate(&rule.wrong);
        let rate = if rule.wrong.is_empty() { "0".to_owned() } else { format!("{mean:.3} ({low:.3} to {high:.3})") };
        let mut about: Vec<(&&str, &u64)> = rule.about.iter().collect();
        about.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), **name));
        let about: Vec<String> = about.into_iter().take(4).map(|(name, count)| format!("{name} {count}")).collect();
        let _infallible =
            writeln!(text, "| {name} | {} | {} | {rate} | {} | {} |", rule.right, rule.wrong(), about.join(", "), rule.operational);
    }
    text.push('\n');
}

fn severities(tally: &Tally, text: &mut String) {
    text.push_str("### Precision by severity\n\n| severity | right of accusing alerts | precision |\n|---|---|---|\n");
    for (severity, share) in &tally.precision {
        let Some((low, high)) = share.interval() else { continue };
        let name = match severity {
            Severity::Sev0 => "SEV0",
            Severity::Sev1 => "SEV1",
            Severity::Sev2 => "SEV2",
            Severity::Sev3 => "SEV3",
        };
        let _infallible = writeln!(
            text,
            "| {name} | {} of {} | {} ({:.1} to {:.1} %) |",
            share.hits,
            share.of,
            percent(*share),
            low * 100.0,
            high * 100.0
        );
    }
    text.push('\n');
}

fn look_alikes(tally: &Tally, text: &mut String) {
    text.push_str("### Honest look-alikes\n\nStories that look like fraud and are none, how often each happened, and alerts about those who lived them.\n\n| story | times | wrong alerts |\n|---|---|---|\n");
    for (name, (wrong, times)) in &tally.look_alikes {
        let _infallible = writeln!(text, "| {name} | {times} | {wrong} |");
    }
}

fn percent(share: Share) -> String {
    format!("{:.1} %", share.share().unwrap_or(0.0) * 100.0)
}

/// The median of waits, as people say it.
fn median(mut delays: Vec<i64>) -> String {
    delays.sort_unstable();
    let Some(middle) = delays.get(delays.len() / 2) else { return "–".to_owned() };
    let minutes = middle / 60_000;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_that_heading_is_replaced() {
        let page = "# Quality\n\nBefore.\n\n## The shipped rules\n\nold\n\n### More\n\n## After\n\nas it was\n";
        let made = replaced(page, "## The shipped rules\n\nnew\n").expect("it has the heading");
        assert_eq!(made, "# Quality\n\nBefore.\n\n## The shipped rules\n\nnew\n\n## After\n\nas it was\n");
        assert_eq!(
            replaced(&made, "## After\n\nlast\n").expect("the last one"),
            "# Quality\n\nBefore.\n\n## The shipped rules\n\nnew\n\n## After\n\nlast\n"
        );
        replaced("# Quality\n", "## After\n").expect_err("a page without the heading");
    }
}
