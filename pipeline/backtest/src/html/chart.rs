//! Charts as SVG: bars of days, and lines of a sweep. Every one says in words what it shows.

use std::fmt::Write as _;

use rasid_detectors::event::time::format_rfc3339;

use crate::measure::Extent;
use crate::sweep::{Curve, Point};
use crate::text::{grouped, number};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 48.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 12.0;
const DAY_MS: i64 = 86_400_000;

/// Text of ours or of a rule file, as it may stand in markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn open(width: f64, height: f64, says: &str) -> String {
    let says = escaped(says);
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{says}\"><title>{says}</title>"
    )
}

/// A row of small bars.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
pub(super) fn spark(counts: &[u64], says: &str) -> String {
    let (width, height) = (120.0, 22.0);
    let highest = counts.iter().copied().max().unwrap_or(0);
    let most = highest.max(1) as f64;
    let mut out = open(width, height, &format!("{says}: {} at the most", grouped(highest)));
    let step = width / counts.len().max(1) as f64;
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let tall = (*count as f64 / most * height).max(1.5);
        let (x, y, wide) = (at as f64 * step, height - tall, (step - 1.0).clamp(0.7, 14.0));
        write!(out, "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\"/>")
            .expect("a String takes all");
    }
    out + "</svg>"
}

/// Alerts in each part of the period, with the first and the last part named.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
pub(super) fn over_time(counts: &[u64], extent: Extent) -> String {
    let most = counts.iter().copied().max().unwrap_or(0);
    let unit = if extent.part_ms() < DAY_MS { "hours" } else { "days" };
    let mut out = open(WIDTH, HEIGHT, &format!("alerts in each of {} {unit}, {} at the most", counts.len(), grouped(most)));
    frame(&mut out, most as f64);
    let inner = WIDTH - LEFT - RIGHT;
    let step = inner / counts.len().max(1) as f64;
    for (at, count) in counts.iter().enumerate() {
        let tall = *count as f64 / most.max(1) as f64 * (HEIGHT - TOP - BOTTOM);
        let (x, y, wide) = (LEFT + at as f64 * step, HEIGHT - BOTTOM - tall, (step - 1.5).clamp(0.7, 60.0));
        let says = format!("{}: {}", part(extent, at), grouped(*count));
        write!(out, "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\"><title>{says}</title></rect>")
            .expect("a String takes all");
    }
    label(&mut out, LEFT, &part(extent, 0), "start");
    if counts.len() > 1 {
        label(&mut out, WIDTH - RIGHT, &part(extent, counts.len() - 1), "end");
    }
    out + "</svg>"
}

/// A day, or an hour of one.
fn part(extent: Extent, at: usize) -> String {
    let parts = i64::try_from(at).unwrap_or(0);
    let at_ms = extent.from_ms.saturating_add(parts.saturating_mul(extent.part_ms()));
    let time = format_rfc3339(at_ms);
    let length = if extent.part_ms() < DAY_MS { 13 } else { 10 };
    time.chars().take(length).map(|c| if c == 'T' { ' ' } else { c }).chain(if length == 13 { "h" } else { "" }.chars()).collect()
}

/// Alerts a day by value.
pub(super) fn volume(curve: &Curve) -> String {
    let most = curve.points.iter().map(|point| point.alerts_per_day).fold(0.0, f64::max);
    let mut out = open(WIDTH, HEIGHT, &format!("alerts a day of {} by value, {} at the most", curve.rule, number(most)));
    frame(&mut out, most);
    values(&mut out, curve);
    let height = |point: &Point| Some(point.alerts_per_day / if most > 0.0 { most } else { 1.0 });
    line(&mut out, curve, "one", "dot", height);
    let knee = curve.points.iter().enumerate().find(|(_, point)| point.knee);
    if let Some((at, point)) = knee {
        let (x, y) = place(curve, at, height(point).unwrap_or(0.0));
        write!(out, "<circle class=\"knee\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\"/>").expect("a String takes all");
    }
    out + "</svg>"
}

/// Precision and recall by value.
pub(super) fn quality(curve: &Curve) -> String {
    let mut out = open(WIDTH, HEIGHT, &format!("how often {} is right, and how much harm it sees, by value", curve.rule));
    frame(&mut out, 100.0);
    values(&mut out, curve);
    line(&mut out, curve, "two", "dot-two", |point| point.precision.share());
    line(&mut out, curve, "three", "", |point| point.recall.share());
    out + "</svg>"
}

/// Axes with the highest value, half of it, and 0.
fn frame(out: &mut String, most: f64) {
    for (share, value) in [(0.0, 0.0), (0.5, most / 2.0), (1.0, most)] {
        let y = HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
        write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            number(value)
        )
        .expect("a String takes all");
    }
}

fn label(out: &mut String, x: f64, text: &str, anchor: &str) {
    let y = HEIGHT - 6.0;
    write!(out, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>", escaped(text)).expect("a String takes all");
}

#[expect(clippy::cast_precision_loss, reason = "pixels")]
fn place(curve: &Curve, at: usize, height: f64) -> (f64, f64) {
    let last = curve.points.len().saturating_sub(1).max(1) as f64;
    (LEFT + at as f64 / last * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - height * (HEIGHT - TOP - BOTTOM))
}

/// The values along the axis, as many as there is room for, and where the rule stands now.
fn values(out: &mut String, curve: &Curve) {
    let every = curve.points.len().div_ceil(12).max(1);
    for (at, point) in curve.points.iter().enumerate() {
        let (x, _) = place(curve, at, 0.0);
        if point.variant.current {
            write!(out, "<line class=\"now\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{}\"/>", HEIGHT - BOTTOM)
                .expect("a String takes all");
        }
        if at % every == 0 {
            let value = point.variant.values.first().map_or("", |(_, value)| value.as_str());
            label(
                out,
                x,
                value,
                if at == 0 {
                    "start"
                } else if at + 1 == curve.points.len() {
                    "end"
                } else {
                    "middle"
                },
            );
        }
    }
}

/// A line through the points that have a value, and a dot at each.
fn line(out: &mut String, curve: &Curve, class: &str, dot: &str, height: impl Fn(&Point) -> Option<f64>) {
    let places: Vec<(f64, f64)> =
        curve.points.iter().enumerate().filter_map(|(at, point)| Some(place(curve, at, height(point)?))).collect();
    let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    write!(out, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" ")).expect("a String takes all");
    if !dot.is_empty() {
        for (x, y) in places {
            write!(out, "<circle class=\"{dot}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>").expect("a String takes all");
        }
    }
}
