//! Real tracks with labelled attacks and honest oddities put into them, through the shipped rules of `gps/`, each alert on every hit.
//!
//! An attack is caught by an alert between its first fix and 90 s after its last. Alerts of one driver that lie at most ten minutes apart
//! are one episode: right where one of them lies in an attack, else false, about an oddity or about a clean track.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::event::Data;
use rasid_detectors::event::envelope::{Decoded, Limits, decode};
use rasid_detectors::event::position::Position;
use rasid_detectors::event::time::parse_rfc3339;
use rasid_detectors::kernel::great_circle;
use rasid_engine::{Config, Engine, Pseudonymizer, Record};
use serde::Deserialize;

use crate::tally::Share;

/// Alerts that lie farther apart are two episodes, ms.
const EPISODE_MS: i64 = 600_000;
/// So long after its end an attack may be seen, ms.
const SLACK_MS: i64 = 90_000;
/// A longer silence is no way that anybody measured, ms.
const SILENCE_MS: i64 = 300_000;
/// Where the part about them begins on the page.
const HEADING: &str = "## Attacks on bus tracks\n";
/// Nobody here is a person.
const SECRET: &[u8] = b"tracks with attacks, of nobody here";

/// What was done to a driver's track.
#[derive(Deserialize)]
struct Label {
    entity_id: String,
    /// By the event clock.
    from_ts: String,
    to_ts: String,
    attack: String,
    fraud: bool,
    #[serde(default)]
    params: serde_json::Value,
}

/// The same with instants, Unix ms.
pub(crate) struct Span {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    label: Label,
}

impl Span {
    /// What was done.
    pub(crate) fn attack(&self) -> &str {
        &self.label.attack
    }

    /// To whom.
    pub(crate) fn driver(&self) -> &str {
        &self.label.entity_id
    }

    /// How, in words.
    pub(crate) fn params(&self) -> String {
        self.label.params.to_string().replace(['{', '}', '"'], "").replace(':', " ").replace(',', ", ")
    }

    fn holds(&self, at_ms: i64) -> bool {
        (self.from_ms..=self.to_ms + SLACK_MS).contains(&at_ms)
    }
}

/// A fix as it arrived.
pub(crate) struct Fix {
    pub(crate) driver: String,
    /// By the device's clock and by the event clock, Unix ms.
    pub(crate) device_ms: i64,
    pub(crate) clock_ms: i64,
    pub(crate) position: Position,
}

/// Fixes with attacks and oddities among them.
pub(crate) struct Tracks {
    /// A record of each, as it arrived.
    lines: Vec<String>,
    pub(crate) fixes: Vec<Fix>,
    /// What was done, by driver.
    spans: BTreeMap<String, Vec<Span>>,
}

/// What alerts came to.
#[derive(Default)]
pub(crate) struct Verdicts {
    /// Attacks, and whether they were caught.
    attacks: BTreeMap<String, Share>,
    /// Honest oddities, and whether they were taken for attacks.
    oddities: BTreeMap<String, Share>,
    /// What was caught by which rules.
    seen_by: BTreeMap<String, BTreeMap<String, u64>>,
    right: u64,
    about_oddities: u64,
    about_clean: u64,
    /// False episodes in which a rule had a part.
    wrong: BTreeMap<String, u64>,
    clean_km: f64,
    fixes: usize,
    /// A line for each miss and each false episode.
    pub(crate) list: String,
    /// When which rules alerted, by driver.
    pub(crate) alerts: BTreeMap<String, Vec<(i64, String)>>,
}

impl Tracks {
    /// Reads events of a file, one a line as they arrived, and the labels of another.
    pub(crate) fn read(events: &Path, labels: &Path) -> Result<Self> {
        let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        let lines: Vec<String> = read(events)?.lines().map(str::to_owned).collect();
        let spans = spans(&read(labels)?).with_context(|| labels.display().to_string())?;
        let fixes = lines.iter().zip(1..).map(|(line, number)| fix(line).with_context(|| format!("{}, line {number}", events.display())));
        Ok(Self { fixes: fixes.collect::<Result<_>>()?, lines, spans })
    }

    /// What was done to anybody, driver by driver.
    pub(crate) fn attacks(&self) -> impl Iterator<Item = &Span> {
        self.spans.values().flatten().filter(|span| span.label.fraud)
    }

    /// Runs them through the rules, and judges what these said by the labels.
    pub(crate) fn run(&self, ruleset: Ruleset) -> Result<Verdicts> {
        let mut alerts: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
        for (number, rule) in self.hits(ruleset)? {
            if let Some(fix) = self.fixes.get(number) {
                alerts.entry(fix.driver.clone()).or_default().push((fix.clock_ms, rule));
            }
        }
        for alerts in alerts.values_mut() {
            alerts.sort();
        }
        let mut verdicts = Verdicts { clean_km: self.clean_km(), fixes: self.fixes.len(), ..Verdicts::default() };
        for (driver, spans) in &self.spans {
            let alerts = alerts.get(driver).map(Vec::as_slice).unwrap_or_default();
            for span in spans {
                verdicts.attack(span, alerts);
            }
        }
        for (driver, alerts) in &alerts {
            let spans = self.spans.get(driver).map(Vec::as_slice).unwrap_or_default();
            for episode in alerts.chunk_by(|one, next| next.0 - one.0 <= EPISODE_MS) {
                verdicts.episode(driver, spans, episode);
            }
        }
        verdicts.alerts = alerts;
        Ok(verdicts)
    }

    /// Which rules of `gps/` alert at which of the lines.
    fn hits(&self, ruleset: Ruleset) -> Result<Vec<(usize, String)>> {
        let pseudonymizer = Pseudonymizer::new(SECRET, 0).map_err(|error| anyhow!("{error}"))?;
        let mut engine = Engine::new(ruleset, Config { suppress: false, ..Config::default() }, pseudonymizer)?;
        let mut found = Vec::new();
        let records = self.lines.iter().zip(&self.fixes).zip(1..);
        let records: Vec<Record<'_>> =
            records.map(|((line, fix), position)| Record { position, arrival_ms: fix.clock_ms, bytes: line.as_bytes() }).collect();
        for batch in records.chunks(4_096) {
            let output = engine.process(batch);
            ensure!(output.dead_letters.is_empty(), "events that the engine sets aside");
            for alert in output.alerts.into_iter().filter(|alert| alert.rule.starts_with("gps.") && alert.entity.starts_with("driver:")) {
                found.push((usize::try_from(alert.position.saturating_sub(1))?, alert.rule));
            }
        }
        Ok(found)
    }

    /// The ways between fixes to which nothing was done, km.
    fn clean_km(&self) -> f64 {
        let mut tracks: BTreeMap<&str, Vec<&Fix>> = BTreeMap::new();
        for fix in &self.fixes {
            let is_touched = self.spans.get(&fix.driver).is_some_and(|spans| spans.iter().any(|span| span.holds(fix.clock_ms)));
            if !is_touched {
                tracks.entry(&fix.driver).or_default().push(fix);
            }
        }
        let mut metres = 0.0;
        for track in tracks.values_mut() {
            track.sort_by_key(|fix| fix.device_ms);
            for (from, to) in track.iter().zip(track.iter().skip(1)) {
                if to.device_ms - from.device_ms <= SILENCE_MS {
                    metres += great_circle::distance_m(from.position, to.position);
                }
            }
        }
        metres / 1_000.0
    }
}

fn spans(text: &str) -> Result<BTreeMap<String, Vec<Span>>> {
    let mut spans: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        let label: Label = serde_json::from_str(line).with_context(|| format!("line {number}"))?;
        let instant = |text: &str| parse_rfc3339(text).with_context(|| format!("line {number}: {text} is no instant"));
        let (from_ms, to_ms) = (instant(&label.from_ts)?, instant(&label.to_ts)?);
        spans.entry(label.entity_id.clone()).or_default().push(Span { from_ms, to_ms, label });
    }
    Ok(spans)
}

fn fix(line: &str) -> Result<Fix> {
    let event = match decode(line.as_bytes(), &Limits::default()) {
        Ok(Decoded::Event(event)) => event,
        other => bail!("an event as the contract has it was expected, found {other:?}"),
    };
    let (device_ms, clock_ms) = (event.time.millis(), event.clock());
    let Data::GpsPosition(ping) = event.data else { bail!("a gps.position was expected") };
    Ok(Fix { driver: ping.entity_id.expose().to_owned(), device_ms, clock_ms, position: Position::new(ping.lat, ping.lon) })
}

impl Verdicts {
    /// The rules that saw it, in the order of their alerts.
    pub(crate) fn seen_by(&self, span: &Span) -> Vec<&str> {
        let alerts = self.alerts.get(span.driver()).map(Vec::as_slice).unwrap_or_default();
        let mut rules = Vec::new();
        for (_, rule) in alerts.iter().filter(|(at_ms, _)| span.holds(*at_ms)) {
            if !rules.contains(&rule.as_str()) {
                rules.push(rule.as_str());
            }
        }
        rules
    }

    fn attack(&mut self, span: &Span, alerts: &[(i64, String)]) {
        let rules: BTreeSet<&str> = alerts.iter().filter(|(at_ms, _)| span.holds(*at_ms)).map(|(_, rule)| rule.as_str()).collect();
        let Label { attack, fraud, entity_id, from_ts, params, .. } = &span.label;
        let shares = if *fraud { &mut self.attacks } else { &mut self.oddities };
        shares.entry(attack.clone()).or_default().add(!rules.is_empty());
        if *fraud && rules.is_empty() {
            let _infallible = writeln!(self.list, "missed: {attack} of {entity_id} at {from_ts}, {params}");
        }
        let by = self.seen_by.entry(attack.clone()).or_default();
        for rule in rules {
            *by.entry(rule.to_owned()).or_default() += 1;
        }
    }

    fn episode(&mut self, driver: &str, spans: &[Span], episode: &[(i64, String)]) {
        let touches = |span: &&Span| episode.iter().any(|(at_ms, _)| span.holds(*at_ms));
        if spans.iter().filter(touches).any(|span| span.label.fraud) {
            self.right += 1;
            return;
        }
        let oddity = spans.iter().find(touches);
        let count = if oddity.is_some() { &mut self.about_oddities } else { &mut self.about_clean };
        *count += 1;
        let rules: BTreeSet<&str> = episode.iter().map(|(_, rule)| rule.as_str()).collect();
        for rule in &rules {
            *self.wrong.entry((*rule).to_owned()).or_default() += 1;
        }
        let about = oddity.map_or("a clean track", |span| &span.label.attack);
        let at_ms = episode.first().map_or(0, |(at_ms, _)| *at_ms);
        let rules: Vec<&str> = rules.into_iter().collect();
        let _infallible =
            writeln!(self.list, "wrong: {} of {driver} about {about}, at {at_ms}, {} alerts", rules.join(", "), episode.len());
    }

    /// Tables of it.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    pub(crate) fn tables(&self) -> String {
        let wrong = self.about_oddities + self.about_clean;
        let all = self.attacks.values().fold(Share::default(), |sum, share| Share { hits: sum.hits + share.hits, of: sum.of + share.of });
        let mut text = format!(
            "{HEADING}\nBy `cargo xtask quality tracks`: {} fixes, {:.0} clean km. Of {} episodes {} are right: precision **{:.3}**; {} are false about clean tracks, **{:.2}** in 1 000 km, and \
             {} about oddities. Of {} attacks **{:.3}** are caught.\n\n",
            self.fixes,
            self.clean_km,
            self.right + wrong,
            self.right,
            self.right as f64 / (self.right + wrong).max(1) as f64,
            self.about_clean,
            self.about_clean as f64 / self.clean_km.max(1.0) * 1_000.0,
            self.about_oddities,
            all.of,
            all.share().unwrap_or(0.0),
        );
        text.push_str("| | caught of | share | by |\n|---|---|---|---|\n");
        for (kinds, oddity) in [(&self.attacks, ""), (&self.oddities, "honest: ")] {
            for (kind, share) in kinds {
                let by: Vec<String> = self.seen_by.get(kind).into_iter().flatten().map(|(rule, count)| format!("{rule} {count}")).collect();
                let _infallible = writeln!(
                    text,
                    "| {oddity}{kind} | {} of {} | {:.3} | {} |",
                    share.hits,
                    share.of,
                    share.share().unwrap_or(0.0),
                    by.join(", ")
                );
            }
        }
        let wrong: Vec<String> = self.wrong.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
        let _infallible =
            writeln!(text, "\nFalse episodes by rule: {}.", if wrong.is_empty() { "none".to_owned() } else { wrong.join(", ") });
        text
    }
}
