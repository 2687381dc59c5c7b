//! One simulated week through the rules, and what its alerts came to.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, ensure};
use rasid_compiler::ruleset::{Mode, Ruleset, Severity};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::time::parse_rfc3339;
use rasid_engine::{Alert, Engine, Pseudonymizer, Record};
use rasid_simulate::{Campaign, Config, Truth, Verdict as Truths, simulate};

/// Records that the engine takes at once.
const BATCH: usize = 4_096;
/// Nobody here exists.
const SECRET: &[u8] = b"simulated weeks, nobody here exists";

/// What became of a week.
pub(crate) struct Week {
    /// Its campaigns.
    pub(crate) campaigns: Vec<Campaign>,
    /// What was seen of each, in order.
    pub(crate) seen: Vec<Vec<Sight>>,
    /// How often each honest look-alike happened.
    pub(crate) look_alikes: BTreeMap<&'static str, u64>,
    /// Every alert that was delivered.
    pub(crate) alerts: Vec<Judged>,
    /// Events that were processed.
    pub(crate) events: u64,
}

/// An alert about a campaign.
pub(crate) struct Sight {
    pub(crate) rule: String,
    /// From the campaign's first event to the alert, ms.
    pub(crate) after_ms: i64,
}

/// An alert, and whether it was right.
pub(crate) struct Judged {
    pub(crate) rule: String,
    pub(crate) severity: Severity,
    pub(crate) entity: String,
    pub(crate) opened_at: String,
    pub(crate) explanation: String,
    /// It tells how the platform fares, and accuses nobody.
    pub(crate) operational: bool,
    pub(crate) verdict: Verdict,
}

/// What an alert is about, by the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A campaign.
    Right,
    /// Honest people; which look-alike, where it is one.
    Wrong { look_alike: Option<&'static str> },
    /// How the platform fares, and no campaign's event opened it. It accuses nobody.
    Operational,
}

/// Whether an alert tells how the platform fares, and accuses nobody.
fn is_operational(alert: &Alert) -> bool {
    let kind = alert.entity.split(':').next().unwrap_or_default();
    alert.rule.starts_with("ops.")
        || alert.rule.starts_with("wave.")
        || matches!(kind, "all" | "region" | "provider" | "phone_country" | "carrier" | "email_domain")
}

/// Runs a week through the rules.
pub(crate) fn run(config: &Config, ruleset: Ruleset) -> Result<Week> {
    let pseudonymizer = || Pseudonymizer::new(SECRET, 0).map_err(|error| anyhow!("{error}"));
    let mut engine = Engine::new(ruleset, rasid_engine::Config::default(), pseudonymizer()?)?;
    let mut simulation = simulate(config);
    let (mut alerts, mut position) = (Vec::new(), 0_u64);
    loop {
        let records: Vec<rasid_simulate::Record> = simulation.by_ref().take(BATCH).collect();
        if records.is_empty() {
            break;
        }
        let batch: Vec<Record<'_>> = (position + 1..)
            .zip(&records)
            .map(|(position, record)| Record { position, arrival_ms: record.arrival_ms, bytes: record.line.as_bytes() })
            .collect();
        position += batch.len() as u64;
        let output = engine.process(&batch);
        ensure!(
            output.dead_letters.is_empty(),
            "the simulation breaks the contract: {:?}",
            output.dead_letters.first().map(|letter| &letter.reason)
        );
        alerts.extend(output.alerts);
    }
    let names = pseudonymizer()?;
    let leave = |kind: &str, id: &str| EntityKind::from_name(kind).map_or_else(|| id.to_owned(), |kind| names.leave(kind, id));
    let truth = Truth::new(simulation.labels(), simulation.look_alikes(), leave);
    let mut week = Week {
        campaigns: simulation.labels().to_vec(),
        seen: simulation.labels().iter().map(|_| Vec::new()).collect(),
        look_alikes: BTreeMap::new(),
        alerts: Vec::new(),
        events: engine.counters().events,
    };
    for look_alike in simulation.look_alikes() {
        *week.look_alikes.entry(look_alike.look_alike).or_default() += 1;
    }
    for alert in alerts.into_iter().filter(|alert| alert.mode == Mode::Active) {
        week.judge(alert, &truth)?;
    }
    Ok(week)
}

impl Week {
    fn judge(&mut self, alert: Alert, truth: &Truth) -> Result<()> {
        let opened = parse_rfc3339(&alert.opened_at).with_context(|| format!("{} is no instant", alert.opened_at))?;
        let operational = is_operational(&alert);
        let verdict = match (truth.of(&alert.event.id, &alert.entity, opened), operational) {
            (Truths::Campaigns(about), _) => {
                for number in about {
                    if let Some(seen) = self.seen.get_mut(number) {
                        seen.push(Sight { rule: alert.rule.clone(), after_ms: truth.since(number, opened) });
                    }
                }
                Verdict::Right
            }
            (Truths::Honest { .. }, true) => Verdict::Operational,
            (Truths::Honest { look_alike }, false) => Verdict::Wrong { look_alike },
        };
        let Alert { rule, severity, entity, opened_at, explanation, .. } = alert;
        self.alerts.push(Judged { rule, severity, entity, opened_at, explanation, operational, verdict });
        Ok(())
    }
}
