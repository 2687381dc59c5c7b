//! `--cost`: what the rules take, for people and for programs.

use rasid_engine::{Bytes, Cost, EventCost};
use serde::Serialize;

use super::found::counted;
use crate::command::{Failure, print_line};

/// Keys of one sort of which a sum is told.
const KEYS: usize = 1_000_000;
/// Events of different types that a line of a rule names; the dearest.
const EVENTS_SHOWN: usize = 4;

/// Tells it: each rule with what it reads, then all together.
pub(super) fn show(cost: &Cost) -> Result<(), Failure> {
    for rule in &cost.rules {
        print_line(&format!("{}: {} an entity", rule.rule, between(cost.bytes_of(rule))))?;
        let wide = rule.reads.iter().map(|read| read.name.chars().count()).max().unwrap_or(0);
        for read in &rule.reads {
            let Some(binding) = cost.bindings.get(read.binding) else { continue };
            let over = if binding.window_ms > 0 { format!(" over {}", span(binding.window_ms)) } else { String::new() };
            let by = if binding.by.is_empty() { ", one state for all".to_owned() } else { format!(" by {}", binding.by) };
            let others: Vec<&str> = binding.rules.iter().filter(|other| **other != rule.rule).map(String::as_str).collect();
            let shared = if others.is_empty() { String::new() } else { format!(", shared with {}", others.join(", ")) };
            let added = if read.of_override { ", added by an override" } else { "" };
            print_line(&format!("  {:wide$}  {}{over}{by}: {}{added}{shared}", read.name, binding.operator, between(binding.bytes)))?;
        }
        print_line(&format!("  an event: {}", events(&rule.events, EVENTS_SHOWN)))?;
    }
    let all = cost.bytes();
    print_line(&format!("together, what is shared counted once: {} an entity", between(all)))?;
    for (by, bytes) in cost.bytes_by() {
        print_line(&format!("  by {by}: {}; one million would be {}", between(bytes), between(bytes.times(KEYS))))?;
    }
    print_line(&format!("an event, reading it included: {}", events(&cost.events, cost.events.len())))?;
    print_line(
        "memory as the bound on it counts it: from an entity with one event in each window to the busiest; instructions are an estimate from the benchmarks on record",
    )
}

/// The same for programs.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    /// Each once, however many rules read it.
    bindings: Vec<Binding<'a>>,
    rules: Vec<Taken<'a>>,
    /// Bytes an entity, what is shared counted once.
    bytes_first: usize,
    bytes_most: usize,
    /// Instructions for an event, reading the record included: an estimate.
    instructions: Vec<Instructions>,
}

#[derive(Serialize)]
struct Binding<'a> {
    operator: &'a str,
    window_ms: i64,
    by: &'a str,
    bytes_first: usize,
    bytes_most: usize,
    rules: &'a [String],
}

#[derive(Serialize)]
struct Taken<'a> {
    rule: &'a str,
    reads: Vec<Read<'a>>,
    bytes_first: usize,
    bytes_most: usize,
    instructions: Vec<Instructions>,
}

#[derive(Serialize)]
struct Read<'a> {
    name: &'a str,
    /// Its place among the bindings.
    binding: usize,
    of_override: bool,
}

#[derive(Serialize)]
struct Instructions {
    event: &'static str,
    instructions: u64,
}

impl<'a> From<&'a Cost> for Shown<'a> {
    fn from(cost: &'a Cost) -> Self {
        let bindings = cost.bindings.iter().map(|binding| Binding {
            operator: binding.operator,
            window_ms: binding.window_ms,
            by: &binding.by,
            bytes_first: binding.bytes.first,
            bytes_most: binding.bytes.most,
            rules: &binding.rules,
        });
        let rules = cost.rules.iter().map(|rule| {
            let reads = rule.reads.iter().map(|read| Read { name: &read.name, binding: read.binding, of_override: read.of_override });
            let Bytes { first, most } = cost.bytes_of(rule);
            Taken { rule: &rule.rule, reads: reads.collect(), bytes_first: first, bytes_most: most, instructions: of_types(&rule.events) }
        });
        let Bytes { first, most } = cost.bytes();
        Self {
            bindings: bindings.collect(),
            rules: rules.collect(),
            bytes_first: first,
            bytes_most: most,
            instructions: of_types(&cost.events),
        }
    }
}

fn of_types(events: &[EventCost]) -> Vec<Instructions> {
    events.iter().map(|cost| Instructions { event: cost.event.name(), instructions: cost.instructions }).collect()
}

/// `auth.otp_requested about 1100 instructions`, the dearest first.
fn events(costs: &[EventCost], most: usize) -> String {
    let mut costs = costs.to_vec();
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.instructions));
    let said: Vec<String> = costs.iter().take(most).map(|cost| format!("{} {}", cost.event.name(), rounded(cost.instructions))).collect();
    let beyond = costs.len().saturating_sub(most);
    let more = if beyond == 0 { String::new() } else { format!(", and {} that cost less", counted(beyond, "type")) };
    if said.is_empty() { "none is looked at".to_owned() } else { format!("about {} instructions{more}", said.join(", ")) }
}

/// To two digits: more would say that it is no estimate.
fn rounded(count: u64) -> u64 {
    let unit = 10_u64.pow(count.checked_ilog10().unwrap_or(0).saturating_sub(1));
    count.saturating_add(unit / 2) / unit * unit
}

fn between(bytes: Bytes) -> String {
    if bytes.first == bytes.most { size(bytes.most as u64) } else { format!("{} to {}", size(bytes.first as u64), size(bytes.most as u64)) }
}

/// `160 B`, `4.2 KiB`, `153 MiB`.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((unit, name)) if bytes / unit >= 10 => format!("{} {name}", (bytes + unit / 2) / unit),
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
    }
}

/// A span of time as rule files write it: `10m`, `7d`.
fn span(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    units.into_iter().find(|(unit, _)| ms % unit == 0).map_or_else(|| format!("{ms}ms"), |(unit, name)| format!("{}{name}", ms / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_spans_and_estimates_are_readable() {
        for (bytes, text) in
            [(0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (4_300, "4.1 KiB"), (20_000, "20 KiB"), (160_000_000, "153 MiB")]
        {
            assert_eq!(size(bytes), text);
        }
        for (ms, text) in [(600_000, "10m"), (5_400_000, "90m"), (604_800_000, "7d"), (86_400_000, "1d"), (1_500, "1500ms")] {
            assert_eq!(span(ms), text);
        }
        for (count, text) in [(0, 0), (7, 7), (99, 99), (123, 120), (1_150, 1_200), (21_317, 21_000)] {
            assert_eq!(rounded(count), text);
        }
        assert_eq!(between(Bytes { first: 160, most: 4_400 }), "160 B to 4.2 KiB");
        assert_eq!(between(Bytes { first: 96, most: 96 }), "96 B");
    }
}
