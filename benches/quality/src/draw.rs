//! Attacks on tracks as pictures: the fixes that were sent, in metres, north up.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use rasid_detectors::kernel::track::offset_m;

use crate::tracks::{Fix, Span, Tracks, Verdicts};

/// Of which kinds one that was caught is drawn, and one that was missed.
const CAUGHT: [&str; 3] = ["teleport_stay", "line", "frozen"];
const MISSED: [&str; 3] = ["hop", "drift", "fast"];
/// So much of the honest way before and after is drawn, ms.
const AROUND_MS: i64 = 300_000;
/// A picture's side, and the edge that is left free, px.
const SIDE: f64 = 420.0;
const EDGE: f64 = 24.0;

/// Draws them into a folder; the part of the page that shows them.
pub(crate) fn all(tracks: &Tracks, verdicts: &Verdicts, folder: &Path) -> Result<String> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut text =
        "\nGrey is the way that was driven, red what was sent in its place; a ring is an alert. Metres, north up.\n\n".to_owned();
    for (word, kinds) in [("caught", CAUGHT), ("missed", MISSED)] {
        for kind in kinds {
            let of = |span: &&Span| span.attack() == kind && verdicts.seen_by(span).is_empty() == (word == "missed");
            let Some(span) = tracks.attacks().find(of) else { continue };
            let name = format!("{word}_{kind}.svg");
            let alerts = verdicts.alerts.get(span.driver()).map(Vec::as_slice).unwrap_or_default();
            fs::write(folder.join(&name), picture(tracks, span, alerts)).with_context(|| format!("cannot write {name}"))?;
            let rules = verdicts.seen_by(span).join(", ");
            let by = if rules.is_empty() { String::new() } else { format!(", by {rules}") };
            let place = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let _infallible = writeln!(text, "![{kind}, {word}]({place}/{name})\n\n*{word}: {kind} ({}){by}*\n", span.params());
        }
    }
    Ok(text)
}

fn picture(tracks: &Tracks, span: &Span, alerts: &[(i64, String)]) -> String {
    let near = span.from_ms - AROUND_MS..=span.to_ms + AROUND_MS;
    let mut fixes: Vec<&Fix> = tracks.fixes.iter().filter(|fix| fix.driver == span.driver() && near.contains(&fix.clock_ms)).collect();
    fixes.sort_by_key(|fix| fix.clock_ms);
    let Some(first) = fixes.first() else { return String::new() };
    let places: Vec<(f64, f64)> = fixes.iter().map(|fix| offset_m(first.position, fix.position)).collect();
    let (north, east) = (bounds(places.iter().map(|place| place.0)), bounds(places.iter().map(|place| place.1)));
    let scale = (SIDE - 2.0 * EDGE) / (north.1 - north.0).max(east.1 - east.0).max(1.0);
    let at = |place: &(f64, f64)| (EDGE + (place.1 - east.0) * scale, SIDE - EDGE - (place.0 - north.0) * scale);
    let colour = |fix: &Fix| if (span.from_ms..=span.to_ms).contains(&fix.clock_ms) { "#c0392b" } else { "#888" };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIDE} {SIDE}\" width=\"{SIDE}\" height=\"{SIDE}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{SIDE}\" height=\"{SIDE}\" fill=\"#fff\"/>\n"
    );
    for ((from, to), here) in places.iter().zip(places.iter().skip(1)).zip(fixes.iter().skip(1)) {
        let ((x1, y1), (x2, y2), colour) = (at(from), at(to), colour(here));
        let _infallible = writeln!(svg, "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{colour}\" fill=\"none\"/>");
    }
    for (fix, place) in fixes.iter().zip(&places) {
        let ((x, y), colour) = (at(place), colour(fix));
        let _infallible = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\" fill=\"{colour}\"/>");
        if alerts.iter().any(|(at_ms, _)| *at_ms == fix.clock_ms) {
            let _infallible = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\" stroke=\"#000\" fill=\"none\"/>");
        }
    }
    let bar_m = bar(SIDE / scale / 4.0);
    let (x, y, text) = (EDGE, SIDE - 8.0, if bar_m >= 1_000.0 { format!("{} km", bar_m / 1_000.0) } else { format!("{bar_m} m") });
    let _infallible = writeln!(
        svg,
        "<path d=\"M{x} {y}H{:.1}\" stroke=\"#000\"/><text x=\"{:.1}\" y=\"{y}\">{text}</text>\n</svg>",
        x + bar_m * scale,
        x + bar_m * scale + 6.0
    );
    svg
}

fn bounds(numbers: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    (numbers.clone().fold(f64::INFINITY, f64::min), numbers.fold(f64::NEG_INFINITY, f64::max))
}

/// The longest of 1, 2 and 5 times a power of ten that is no longer.
fn bar(metres: f64) -> f64 {
    let power = 10_f64.powf(metres.max(1.0).log10().floor());
    [5.0, 2.0, 1.0].map(|times| times * power).into_iter().find(|length| *length <= metres).unwrap_or(power)
}
