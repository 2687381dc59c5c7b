//! `rasid demo`: the main job with nothing installed. A simulated marketplace streams through the shipped rules, alerts
//! scroll by, and a table says what was caught, what was missed and who was wrongly accused.

mod console;

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::time::Duration;

use rasid_compiler::ruleset::Severity;
use rasid_connectors::sink::redis::level_name;
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Alert, Config, Engine, Pseudonymizer, Record, Score};
use rasid_simulate::{Campaign, Level, Truth, Verdict, simulate};

use super::simulate::World;
use super::{Command, Failure, print_block};
use crate::clock::Stopwatch;
use crate::key::DEMO_KEY;
use crate::shipped;

/// Records that the engine takes at once.
const BATCH: usize = 512;
/// How many of the highest scores are shown.
const TOP_SCORES: usize = 8;

/// The main job with nothing installed: a simulated day through the shipped rules
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rasid demo --seed 7\n  rasid demo --console")]
pub(crate) struct Args {
    #[command(flatten)]
    world: World,
    /// Start the service over it and print where its console is, in place of the table
    #[arg(long)]
    console: bool,
    /// Where the console is served
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7878", requires = "console")]
    listen: String,
    /// How long it takes to run by, in seconds
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=3600), requires = "console")]
    seconds: u16,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let config = self.world.config()?;
        if self.console {
            return console::run(config, &self.listen, Duration::from_secs(self.seconds.into()));
        }
        let ruleset = shipped::ruleset().map_err(|report| Failure::Configuration(report.to_string()))?;
        let rules = ruleset.rules.len();
        let pseudonymizer = Pseudonymizer::new(DEMO_KEY.as_bytes(), 0).map_err(|error| Failure::Configuration(error.to_string()))?;
        let mut engine = Engine::new(ruleset, Config::default(), pseudonymizer).map_err(|error| Failure::Outside(Box::new(error)))?;
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());

        let heading = format!(
            "A marketplace of {} people in Egypt, {} h from seed {}, through {rules} rules.\n",
            config.honest_users(),
            config.hours,
            config.seed
        );
        print_block(&heading, colour)?;
        let watch = Stopwatch::start();
        let mut simulation = simulate(&config);
        let names = Pseudonymizer::new(DEMO_KEY.as_bytes(), 0).map_err(|error| Failure::Configuration(error.to_string()))?;
        let leave = |kind: &str, id: &str| EntityKind::from_name(kind).map_or_else(|| id.to_owned(), |kind| names.leave(kind, id));
        let (mut tally, mut truth, mut known) = (Tally::default(), Truth::default(), 0);
        let mut position = 0_u64;
        loop {
            let records: Vec<rasid_simulate::Record> = simulation.by_ref().take(BATCH).collect();
            if records.is_empty() {
                break;
            }
            let batch: Vec<Record<'_>> = records
                .iter()
                .map(|record| {
                    position += 1;
                    Record { position, arrival_ms: record.arrival_ms, bytes: record.line.as_bytes() }
                })
                .collect();
            if simulation.labels().len() > known {
                known = simulation.labels().len();
                truth = Truth::new(simulation.labels(), simulation.look_alikes(), leave);
            }
            for alert in engine.process(&batch).alerts {
                let about = truth.of(&alert.event.id, &alert.entity, parse_rfc3339(&alert.opened_at).unwrap_or_default());
                // Once by rule and campaign: a flood makes many.
                if tally.add(&alert, &about) {
                    print_block(&line(&alert, matches!(about, Verdict::Campaigns(_)), colour), colour)?;
                }
            }
        }
        let counters = engine.counters();
        let seconds = watch.elapsed().as_secs_f64();
        let end = format!("\n{} events in {seconds:.1} s, simulation included; {} alerts.", counters.events, counters.alerts);
        print_block(&end, colour)?;
        print_block(&tally.campaigns(simulation.labels()), colour)?;
        print_block(&tally.false_alarms(config.honest_users(), config.hours), colour)?;
        print_block(&top_scores(&engine.scores()), colour)
    }
}

/// One alert as it goes by: when, how bad, which rule, whom, why. A false alarm is marked, because here the truth is known.
fn line(alert: &Alert, in_campaign: bool, colour: bool) -> String {
    let time = alert.opened_at.get(11..19).unwrap_or(&alert.opened_at);
    let severity = match alert.severity {
        Severity::Sev0 => "SEV0",
        Severity::Sev1 => "SEV1",
        Severity::Sev2 => "SEV2",
        Severity::Sev3 => "SEV3",
    };
    let (on, off) = match (colour, in_campaign, alert.severity) {
        (false, ..) => ("", ""),
        (true, false, _) => ("\u{1b}[2m", "\u{1b}[0m"),
        (true, true, Severity::Sev0 | Severity::Sev1) => ("\u{1b}[31m", "\u{1b}[0m"),
        (true, true, _) => ("\u{1b}[33m", "\u{1b}[0m"),
    };
    let mark = if in_campaign { " " } else { "?" };
    let (kind, id) = alert.entity.split_once(':').unwrap_or(("", &alert.entity));
    let entity = format!("{kind}:{}", shortened(id));
    format!("{on}{time} {severity} {mark} {:<32} {entity:<22} {}{off}", alert.rule, alert.explanation)
}

/// The beginning of a long id: enough for the eye.
fn shortened(id: &str) -> String {
    if id.chars().count() <= 14 { id.to_owned() } else { format!("{}…", id.chars().take(13).collect::<String>()) }
}

/// What was caught of one family's campaigns.
#[derive(Default)]
struct Family<'a> {
    name: &'a str,
    /// Caught, and of how many, by level.
    levels: [(u32, u32); 3],
    seen_by: BTreeSet<&'a str>,
}

/// What the alerts came to.
#[derive(Default)]
struct Tally {
    /// By campaign: the rules that saw it.
    caught: BTreeMap<usize, BTreeSet<String>>,
    /// Alerts of how the platform fares that are about no campaign, by rule.
    operational: BTreeMap<String, u64>,
    /// By rule: alerts about honest people.
    false_alarms: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts an alert; whether it is the first of its rule about a campaign, or about honest people.
    fn add(&mut self, alert: &Alert, about: &Verdict) -> bool {
        match about {
            Verdict::Campaigns(numbers) => {
                let mut is_first = false;
                for number in numbers {
                    is_first |= self.caught.entry(*number).or_default().insert(alert.rule.clone());
                }
                is_first
            }
            Verdict::Honest { .. } => {
                let is_operational =
                    alert.entity.split_once(':').and_then(|(kind, _)| EntityKind::from_name(kind)).is_some_and(EntityKind::is_operational);
                let counts = if is_operational { &mut self.operational } else { &mut self.false_alarms };
                *counts.entry(alert.rule.clone()).or_default() += 1;
                true
            }
        }
    }

    /// Campaigns caught by family and level; those that were missed, by name.
    fn campaigns(&self, labels: &[Campaign]) -> String {
        let mut families: Vec<Family<'_>> = Vec::new();
        let mut missed = Vec::new();
        for (number, campaign) in (0..).zip(labels) {
            let name = campaign.kind.family();
            if families.iter().all(|family| family.name != name) {
                families.push(Family { name, ..Family::default() });
            }
            let Some(family) = families.iter_mut().find(|family| family.name == name) else { continue };
            let rules = self.caught.get(&number);
            if rules.is_none() {
                missed.push(format!("{} {}", campaign.level, campaign.kind));
            }
            family.seen_by.extend(rules.into_iter().flatten().map(String::as_str));
            let index = Level::ALL.iter().position(|level| *level == campaign.level);
            if let Some((caught, of)) = index.and_then(|index| family.levels.get_mut(index)) {
                *caught += u32::from(rules.is_some());
                *of += 1;
            }
        }
        let mut lines =
            vec![String::new(), format!("{:<20}{:>10}{:>10}{:>10}   seen by", "campaigns caught", "blatant", "moderate", "careful")];
        lines.extend(families.into_iter().map(|Family { name, levels, seen_by }| {
            let cells = levels.map(|(caught, of)| format!("{:>10}", if of == 0 { "–".to_owned() } else { format!("{caught} of {of}") }));
            let rules = if seen_by.len() == 1 { "rule" } else { "rules" };
            format!("{name:<20}{}   {} {rules}", cells.concat(), seen_by.len())
        }));
        if !missed.is_empty() {
            lines.push(format!("missed: {}", missed.join(", ")));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Alerts about honest people, by rule, and for each thousand of them a day.
    fn false_alarms(&self, honest: u32, hours: u32) -> String {
        let total: u64 = self.false_alarms.values().sum();
        let thousands_of_days = f64::from(honest) / 1000.0 * f64::from(hours) / 24.0;
        #[expect(clippy::cast_precision_loss, reason = "a handful of alerts")]
        let rate = |alerts: u64| alerts as f64 / thousands_of_days;
        let mut lines = vec![format!("{:<28}{total:>8}{:>28}", "alerts about honest people", "per 1 000 honest and day")];
        lines.extend(self.false_alarms.iter().map(|(rule, alerts)| format!("  {rule:<26}{alerts:>8}{:>28.2}", rate(*alerts))));
        let operational: Vec<String> = self.operational.iter().map(|(rule, alerts)| format!("{rule} {alerts}")).collect();
        if !operational.is_empty() {
            lines.push(format!("of how the platform fares, accusing nobody: {}", operational.join(", ")));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// The highest scores at the end.
fn top_scores(scores: &[Score]) -> String {
    let mut scores: Vec<&Score> = scores.iter().collect();
    scores.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.entity.cmp(&b.entity)));
    let mut lines = vec!["highest scores at the end".to_owned()];
    lines.extend(scores.into_iter().take(TOP_SCORES).map(|score| {
        let reasons: Vec<&str> = score.reasons.iter().map(|reason| reason.rule.as_str()).collect();
        let (kind, id) = score.entity.split_once(':').unwrap_or(("", &score.entity));
        let level = score.level.map_or("", level_name);
        let entity = format!("{kind}:{}", shortened(id));
        format!("  {:>3} {level:<9} {entity:<24} {}", score.score, reasons.join(", "))
    }));
    lines.join("\n")
}
