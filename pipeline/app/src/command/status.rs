//! `rasid status`: where a running service stands.

use std::collections::BTreeMap;

use rasid_detectors::event::time::format_rfc3339;
use rasid_service::health::stats::RedisStats;
use rasid_service::operate::control::StatusRequest;
use serde_json::Value;

use super::{Command, Failure, OutputFormat, print_json, print_line, span};
use crate::config::Layers;
use crate::http::Client;

/// What is always to be known of events that come again, s.
const ALWAYS_S: u64 = 1_800;

/// Where a running service stands
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rasid status\n  rasid status --data /var/lib/rasid --output json")]
pub(crate) struct Args {
    #[command(flatten)]
    layers: Layers,
    /// How it is written; JSON holds every figure
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let status: Value = Client::of(&self.layers)?.ask_as(&StatusRequest {})?;
        match self.output {
            OutputFormat::Json => print_json(&status),
            OutputFormat::Text => lines(&status).iter().try_for_each(|line| print_line(line)),
        }
    }
}

/// The few lines that a person wants to see first.
fn lines(status: &Value) -> Vec<String> {
    let at = |pointer: &str| status.pointer(pointer);
    let number = |pointer: &str| at(pointer).and_then(Value::as_u64).unwrap_or_default();
    let text = |pointer: &str| at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let up = span(number("/up_ms"));
    let state = match text("/stats/readiness/state").as_str() {
        "ready" => "ready".to_owned(),
        _ => format!("not ready: {}", text("/stats/readiness/why")),
    };
    let mut lines = vec![
        format!("{} {}, up {up}, {state}", text("/instance"), text("/version")),
        format!("  ruleset  {} with {} rules", text("/stats/ruleset/hash"), number("/stats/ruleset/rules")),
        match (number("/stats/log/first"), number("/stats/log/next")) {
            (first, next) if next <= first => "  log      empty".to_owned(),
            (first, next) => format!("  log      positions {first} to {}", next - 1),
        },
        match number("/stats/worker/lag_records") {
            0 => format!("  worker   at {}, all of the log decided", number("/stats/worker/position")),
            lag => format!(
                "  worker   at {}, {lag} behind, the oldest for {}",
                number("/stats/worker/position"),
                span(number("/stats/worker/lag_ms"))
            ),
        },
        match (at("/stats/snapshot/position").and_then(Value::as_u64), at("/stats/snapshot/written_ms").and_then(Value::as_i64)) {
            (None, _) => "  snapshot none yet".to_owned(),
            (Some(position), None) => format!("  snapshot at {position}, of before this start"),
            (Some(position), Some(written_ms)) => format!("  snapshot at {position}, of {}", format_rfc3339(written_ms)),
        },
    ];
    let why = text("/stats/freshness/why");
    if !why.is_empty() {
        lines.push(format!("  scores   {} old: {why}", span(number("/stats/freshness/lag_ms"))));
    }
    lines.extend(sources(at("/stats/sources")));
    at("/stats/sinks").and_then(Value::as_array).into_iter().flatten().for_each(|one| sink(one, &mut lines));
    lines.extend(forgotten(at("/stats/redis")));
    if at("/stats/outbox/full").and_then(Value::as_bool) == Some(true) {
        lines.push("  FULL     the outbox: nothing is taken until a sink takes something; docs/runbooks/sink_down.md".to_owned());
    }
    lines.extend(pages(status));
    if at("/stats/ruleset/refused").and_then(Value::as_bool) == Some(true) {
        lines.push(
            "  REFUSED  the rules folder as it is now: what is in force is the ruleset before; docs/runbooks/ruleset_refused.md".to_owned(),
        );
    }
    for rule in at("/stats/engine/warming").and_then(Value::as_array).into_iter().flatten() {
        let (name, until_ms) = (rule.get("rule").and_then(Value::as_str), rule.get("until_ms").and_then(Value::as_i64));
        let until = format_rfc3339(until_ms.unwrap_or_default());
        lines.push(format!("  WARMING  {} alerts in shadow alone until {until}: its windows are not whole yet", name.unwrap_or_default()));
    }
    for rule in at("/stats/engine/braked").and_then(Value::as_array).into_iter().flatten() {
        let name = rule.get("rule").and_then(Value::as_str).unwrap_or_default();
        let is_shadow = rule.get("shadow").and_then(Value::as_bool).unwrap_or_default();
        let what = if is_shadow {
            "was too loud after its change, and is in shadow until it is changed again"
        } else {
            "is too loud: people are told of one alert an hour"
        };
        lines.push(format!("  BRAKED   {name} {what}; docs/runbooks/rule_braked.md"));
    }
    let ahead_ms = at("/stats/clock/ahead_ms").and_then(Value::as_i64).unwrap_or_default();
    if ahead_ms != 0 {
        let (by, way) = (span(ahead_ms.unsigned_abs()), if ahead_ms > 0 { "ahead" } else { "back" });
        lines.push(format!("  CLOCK    the wall clock was set {by} {way} just now and is not believed yet: docs/runbooks/clock_jump.md"));
    }
    let set_aside = number("/stats/worker/set_aside_total");
    if set_aside > 0 {
        lines.push(format!("  ASIDE    {set_aside} dead letters since the start: rasid dead-letters list"));
    }
    let unknown = number("/stats/engine/counters/unknown_types");
    if unknown > 0 {
        lines.push(format!("  UNKNOWN  {unknown} records of the log have a type that no rule can name: rasid schema events"));
    }
    lines.extend(forgotten_duplicates(at("/stats/engine/duplicate_reach_s")));
    let lost = number("/stats/worker/lost_total");
    if lost > 0 {
        let excused = number("/stats/worker/excused_total");
        lines.push(format!(
            "  LOST     {lost} entries of the log to damage, and {excused} outputs differ for it: docs/runbooks/log_damaged.md"
        ));
    }
    for gap in at("/stats/alerts/gaps").and_then(Value::as_array).into_iter().flatten() {
        let place = |index: usize| gap.get(index).and_then(Value::as_u64).unwrap_or_default();
        lines.push(format!("  LACKING  what was opened at positions {} to {} is not among the alerts that are kept", place(0), place(1)));
    }
    let divergence = number("/stats/worker/divergence_total");
    if divergence > 0 {
        lines.push(format!("  REPLAY   {divergence} outputs differ from those before the restart: docs/runbooks/replay_divergence.md"));
    }
    lines
}

/// What a receiver has, and what is in its way.
fn sink(sink: &Value, lines: &mut Vec<String>) {
    let field = |name: &str| sink.get(name).and_then(Value::as_u64).unwrap_or_default();
    let word = |name: &str| sink.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let breaker = if word("breaker") == "closed" { String::new() } else { format!(", breaker {}", word("breaker").replace('_', " ")) };
    let oldest = if field("depth") == 0 { String::new() } else { format!(", the oldest for {}", span(field("oldest_ms"))) };
    let standing = if field("standing") > 0 { format!(", {} pages stand", field("standing")) } else { String::new() };
    let (name, depth, parked) = (word("name"), field("depth"), field("parked"));
    let trouble = sink.get("trouble").and_then(trouble).map_or_else(String::new, |trouble| format!(", {trouble}"));
    lines.push(format!("  sink     {name} with {depth} waiting{oldest}, {parked} parked{standing}{trouble}{breaker}"));
    if sink.get("refusing").and_then(Value::as_bool) == Some(true) {
        lines.push(format!("  REFUSED  whatever {name} is sent, no more is parked: docs/runbooks/sink_refusing.md"));
    }
}

/// Why a receiver takes nothing.
fn trouble(trouble: &Value) -> Option<String> {
    let why = trouble.get("why")?.as_str()?;
    let lasts = span(trouble.get("for_ms")?.as_u64()?);
    Some(if why.starts_with("last answer") { format!("{why} for {lasts}") } else { format!("{} for {lasts}", why.to_uppercase()) })
}

/// Of which kinds of events one that comes again is not known for as long as it always should be.
fn forgotten_duplicates(reach: Option<&Value>) -> Vec<String> {
    let of = |(kind, named): (&str, &str)| {
        let reach_s = reach?.get(kind)?.as_u64().filter(|reach_s| *reach_s < ALWAYS_S)?;
        let reach = span(reach_s * 1000);
        Some(format!("  REACH    {named} that come again are known for {reach} alone: docs/runbooks/duplicates_forgotten.md"))
    };
    [("gps", "gps.*"), ("other", "other events")].into_iter().filter_map(of).collect()
}

/// What Redis has lost, may lose, and does not let us write.
fn forgotten(redis: Option<&Value>) -> Vec<String> {
    let redis: RedisStats = redis.and_then(|redis| serde_json::from_value(redis.clone()).ok()).unwrap_or_default();
    let mut lines: Vec<String> =
        redis.may_forget().into_iter().map(|why| format!("  FORGETS  {why}: docs/runbooks/redis_forgets.md")).collect();
    if redis.missing_total > 0 {
        let RedisStats { missing_total, round_s, .. } = redis;
        lines.push(format!(
            "  FORGOT   {missing_total} scores were gone from redis and were published again; each is looked for every {round_s} s: docs/runbooks/redis_forgets.md"
        ));
    }
    if redis.foreign_keys > 0 {
        let keys = redis.foreign_keys;
        lines.push(format!(
            "  FOREIGN  {keys} keys in redis hold somebody else's values, and are not written: docs/runbooks/redis_forgets.md"
        ));
    }
    lines
}

/// Which rules wake a person, where there is one to be woken.
fn pages(status: &Value) -> Option<String> {
    let sinks = status.pointer("/stats/sinks")?.as_array()?;
    let oncall = |sink: &Value| sink.get("name").and_then(Value::as_str) == Some(rasid_service::decide::route::ONCALL);
    if !sinks.iter().any(oncall) {
        return None;
    }
    let rules: Vec<&str> = status.pointer("/stats/ruleset/pages")?.as_array()?.iter().filter_map(Value::as_str).collect();
    Some(match rules.as_slice() {
        [] => "  pages    NO RULE PAGES; the service's own troubles do: docs/operations.md says how a rule does".to_owned(),
        rules => format!("  pages    {} of the rules: {}", rules.len(), rules.join(", ")),
    })
}

/// Most files of one folder that have a line each.
const FILES_SHOWN: usize = 20;

/// A line a source; of folders with very many files one for all of them, and one for each that has lost something.
fn sources(sources: Option<&Value>) -> Vec<String> {
    let all = || sources.and_then(Value::as_array).into_iter().flatten();
    let number = |source: &Value, name: &str| source.get(name).and_then(Value::as_u64);
    let mut folders: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for source in all() {
        if let Some(folder) = source.get("folder").and_then(Value::as_str) {
            folders.entry(folder).or_default().push(source);
        }
    }
    folders.retain(|_, files| files.len() > FILES_SHOWN);
    let lines_of_folders = folders.iter().map(|(folder, files)| {
        let sum = |name: &str| files.iter().filter_map(|file| number(file, name)).sum::<u64>();
        let (records, behind) = (sum("records_total"), sum("lag_records"));
        format!("  source   {folder} {} files, {records} records since the start, {behind} behind", files.len())
    });
    let mut lines: Vec<String> = lines_of_folders.collect();
    for source in all() {
        let folded = source.get("folder").and_then(Value::as_str).is_some_and(|folder| folders.contains_key(folder));
        if !folded || number(source, "gaps_total") > Some(0) || source.get("stopped").is_some_and(|why| !why.is_null()) {
            lines.push(one_source(source));
        }
    }
    lines
}

fn one_source(source: &Value) -> String {
    let field = |name: &str| source.get(name).and_then(Value::as_u64);
    let name = source.get("stream").and_then(Value::as_str).unwrap_or_default();
    if let Some(why) = source.get("stopped").and_then(Value::as_str) {
        return format!("  STOPPED  {why}: docs/runbooks/stream_stopped.md");
    }
    let refused = source.get("refused").and_then(Value::as_object).into_iter().flat_map(|reasons| reasons.values());
    let refused = refused.filter_map(Value::as_u64).sum::<u64>();
    let records = field("records_total").unwrap_or_default();
    let mut parts = Vec::new();
    match field("offset") {
        Some(offset) => parts.push(format!("at {offset}, {records} records since the start")),
        // Who sends keeps its own place; what came of it is counted.
        None if records > 0 => parts.push(format!("{records} records since the start")),
        None if refused > 0 => {}
        None => parts.push("nothing read yet".to_owned()),
    }
    parts.extend(field("lag_records").map(|lag| format!("{lag} behind")));
    parts.extend(field("gaps_total").filter(|gaps| *gaps > 0).map(|gaps| format!("{gaps} GAPS")));
    parts.extend((refused > 0).then(|| format!("{refused} requests refused since the start")));
    format!("  source   {name} {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rasid_engine::BrakedRule;
    use rasid_service::health::stats::{Breaker, Readiness, SinkStats, SourceStats, Trouble, WarmingRule};
    use rasid_service::operate::control::Status;

    #[test]
    fn what_matters_is_said_in_a_few_lines() {
        let mut status = Status { instance: "rasid-1".to_owned(), version: "0.1.0".to_owned(), up_ms: 60_000, ..Status::default() };
        status.stats.readiness = Readiness::NotReady("the outbox is full".to_owned());
        (status.stats.log.first, status.stats.log.next) = (1, 12);
        status.stats.outbox.full = true;
        (status.stats.freshness.lag_ms, status.stats.freshness.why) = (12_000, "4 scores wait for Redis".to_owned());
        (status.stats.worker.divergence_total, status.stats.worker.set_aside_total) = (2, 5);
        status.stats.engine.counters.unknown_types = 3;
        status.stats.engine.duplicate_reach_s = [("gps", 720), ("other", 1_800)].into();
        status.stats.ruleset.refused = true;
        status.stats.clock.ahead_ms = -3_600_000;
        status.stats.sources.push(SourceStats { stream: "jsonl:events".to_owned(), offset: Some(3), ..SourceStats::default() });
        let received = |stream: &str, records_total| SourceStats { stream: stream.to_owned(), records_total, ..SourceStats::default() };
        let why = Some("fluvio:auth cannot be read: there is no such topic".to_owned());
        status.stats.sources.push(SourceStats { stream: "fluvio:auth".to_owned(), stopped: why, ..SourceStats::default() });
        let refused = [("rate", 4), ("id_reused", 1)].into();
        status.stats.sources.push(SourceStats { refused, ..received("http:payments", 50_000) });
        status.stats.sources.push(SourceStats { refused: [("signature", 9)].into(), ..received("http:unknown", 0) });
        status.stats.sources.push(received("jsonl:new", 0));
        status.stats.sources.extend((0..1_100).map(|number| SourceStats {
            folder: Some("jsonl:/in".to_owned()),
            gaps_total: u64::from(number == 7),
            lag_records: Some(2),
            ..received(&format!("jsonl:/in/{number}.jsonl"), 3)
        }));
        let warming = |rule: &str| WarmingRule { rule: rule.to_owned(), until_ms: 1_795_000_000_000 };
        status.stats.engine.warming = vec![warming("booking.spree")];
        let braked = |rule: &str, shadow| BrakedRule { rule: rule.to_owned(), shadow };
        status.stats.engine.braked = vec![braked("auth.otp_flood", false), braked("chat.flood", true)];
        let breaker = Breaker::HalfOpen;
        let trouble = |why: &str, for_ms| Some(Trouble { why: why.to_owned(), for_ms, ..Trouble::default() });
        let unauthorised = trouble("last answer 401", 90_000);
        let core =
            SinkStats { name: "core".to_owned(), depth: 4, oldest_ms: 90_000, breaker, trouble: unauthorised, ..SinkStats::default() };
        status.stats.sinks.push(core);
        let away = trouble("not reached", 14_000);
        status.stats.sinks.push(SinkStats { name: "redis".to_owned(), trouble: away, ..SinkStats::default() });
        status.stats.sinks.push(SinkStats { name: "alertmanager".to_owned(), refusing: true, standing: 2, ..SinkStats::default() });
        let policies = vec!["noeviction".to_owned(), "volatile-lru".to_owned()];
        status.stats.redis = Some(RedisStats { policies, missing_total: 40, foreign_keys: 1, round_s: 2, ..RedisStats::default() });
        let said = |status: &Status| lines(&serde_json::to_value(status).expect("JSON")).join("\n");
        assert!(said(&status).contains("NO RULE PAGES"), "{}", said(&status));
        status.stats.ruleset.pages = vec!["auth.guess".to_owned(), "payment.refunds".to_owned()];
        let lines = said(&status);
        assert!(!lines.contains("REACH    other"), "{lines}");
        for part in [
            "pages    2 of the rules: auth.guess, payment.refunds",
            "alertmanager with 0 waiting, 0 parked, 2 pages stand",
            "BRAKED   auth.otp_flood is too loud: people are told of one alert an hour",
            "BRAKED   chat.flood was too loud after its change, and is in shadow",
            "REFUSED  whatever alertmanager is sent",
            "rasid-1 0.1.0, up 1 min, not ready: the outbox is full",
            "positions 1 to 11",
            "worker   at 0, all of the log decided",
            "snapshot none yet",
            "scores   12.0 s old: 4 scores wait for Redis",
            "jsonl:events at 3, 0 records since the start",
            "http:payments 50000 records since the start, 5 requests refused since the start",
            "http:unknown 9 requests refused since the start",
            "jsonl:new nothing read yet",
            "source   jsonl:/in 1100 files, 3300 records since the start, 2200 behind",
            "source   jsonl:/in/7.jsonl 3 records since the start, 2 behind, 1 GAPS",
            "core with 4 waiting, the oldest for 1 min, 0 parked, last answer 401 for 1 min, breaker half open",
            "redis with 0 waiting, 0 parked, NOT REACHED for 14.0 s",
            "ASIDE    5 dead letters since the start: rasid dead-letters list",
            "UNKNOWN  3 records of the log have a type that no rule can name: rasid schema events",
            "FULL     the outbox",
            "FORGETS  redis may take scores away: its maxmemory-policy is volatile-lru: docs",
            "FORGOT   40 scores were gone from redis and were published again; each is looked for every 2 s",
            "FOREIGN  1 keys in redis",
            "STOPPED  fluvio:auth cannot be read: there is no such topic: docs/runbooks/stream_stopped.md",
            "2 outputs differ",
            "REFUSED",
            "set 60 min back just now",
            "REACH    gps.* that come again are known for 12 min alone",
            "WARMING  booking.spree alerts in shadow alone until 2026-11-18T",
        ] {
            assert!(lines.contains(part), "{part} in\n{lines}");
        }
        assert!(!lines.contains("/in/8.jsonl"), "{lines}");
    }
}
