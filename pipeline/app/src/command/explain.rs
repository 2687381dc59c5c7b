//! `rasid explain`: why an alert was opened.

use std::path::{Path, PathBuf};

use rasid_backtest::explain::{Everything, Explained, Known, NEIGHBOUR_MS, Neighbour, Pass, Replayed, Search, Searched, nearest};
use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::event::time::format_rfc3339;
use rasid_service::operate::control::{AlertFilter, AlertInfo, AlertRequest};
use rasid_service::recover::layout::is_data_folder;
use rasid_service::recover::past::Past as Log;
use rasid_service::recover::replay::{Replay, ReplayError};
use serde::Serialize;
use serde_json::json;

use super::past_options::WalkOptions;
use super::{Command, Failure, OutputFormat, Progress, print_block, print_json, print_line, say};
use crate::config::{self, Key, Layers};
use crate::http::Client;
use crate::past::{Again, failure};
use crate::rulesets::Place;

/// Alerts about one entity that are asked for; the nearest of them are shown.
const NEIGHBOURS_ASKED: usize = 1_000;

/// Why an alert was opened: its condition with every value, what was counted, and what else was said of the same entity
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rasid explain al_5f0c2k3m /var/lib/rasid\n  rasid explain al_5f0c2k3m day.jsonl --rules rules\n  \
    rasid explain al_5f0c2k3m /var/lib/rasid --replay\n\n\
    The alert is named by its id or a beginning of it that no other has. The service that runs on the data folder is asked for it;\n\
    else all rules go over the events until it opens. Then its rule goes over them by itself, twice: to what its condition saw, and\n\
    to what was counted. People are named as in alerts, places are told in metres from the first one, messages masked.\n\
    Exit status 1: there is no such alert in what was looked through, or --replay does not make the same.")]
pub(crate) struct Args {
    /// The alert, by its id or a beginning of it that no other has
    #[arg(value_name = "ALERT_ID")]
    id: String,
    /// Events, one JSON object a line, also .gz and .zst; - is stdin. Or the data folder of a service, alone [default: data.dir of
    /// the configuration]
    #[arg(value_name = "EVENTS")]
    events: Vec<String>,
    /// The rules: a folder, git:REVISION or git:REVISION:FOLDER [default: of a data folder those that opened the alert, else rules]
    #[arg(long, value_name = "RULES")]
    rules: Option<Place>,
    /// Open the alert once more, and hold it byte for byte against the one that is kept
    #[arg(long)]
    replay: bool,
    #[command(flatten)]
    walk: WalkOptions,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

/// What was looked through and does not have it.
#[derive(Serialize)]
struct NotFound<'a> {
    alert: &'a str,
    found: bool,
    from: Option<String>,
    to: Option<String>,
    alerts: u64,
}

/// An alert that a service keeps.
struct Kept {
    alert: Known,
    neighbours: Vec<Neighbour>,
}

type Period = Option<(i64, i64)>;

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        if self.id.is_empty() {
            return Err(Failure::Configuration("name an alert: an empty id could be any".to_owned()));
        }
        let events = self.events()?;
        let folder = match events.as_slice() {
            [dir] if is_data_folder(Path::new(dir)) => Some(PathBuf::from(dir)),
            _ => None,
        };
        let kept = folder.as_deref().and_then(|dir| self.kept(dir));
        let again = self.walk.again(&events)?;
        let searched = if kept.is_none() || self.replay { Some(self.search(folder.as_deref(), &again, kept.as_ref())?) } else { None };
        let replayed = searched.as_ref().filter(|_| self.replay).map(|(searched, _)| {
            let opened = searched.found.first().map(|alert| alert.json.as_str());
            Replayed::of(kept.as_ref().map(|kept| kept.alert.json.as_str()), opened)
        });
        let (alert, neighbours) = match (kept, searched) {
            (Some(Kept { alert, neighbours }), _) => (alert, neighbours),
            (None, Some((searched, period))) => match searched.found.as_slice() {
                [] => return self.not_found(period, searched.alerts),
                [alert] => (alert.clone(), searched.neighbours),
                several => {
                    let ids: Vec<&str> = several.iter().take(5).map(|alert| alert.id.as_str()).collect();
                    return Err(Failure::Configuration(format!("`{}` could be {}: write more of it", self.id, ids.join(", "))));
                }
            },
            (None, None) => return self.not_found(None, 0),
        };
        let ruleset = self.ruleset(folder.as_deref(), &alert)?;
        let Some(seen) = self.look(&ruleset, &alert, &again)? else { return Err(Failure::Said(1)) };
        let Some(rule) = ruleset.place(&alert.rule).and_then(|place| ruleset.rules.get(place)) else { return Err(unknown(&alert)) };
        let mut explained = Explained::of(&alert, &ruleset, rule, seen, neighbours).map_err(|error| Failure::Outside(Box::new(error)))?;
        let is_other = replayed.as_ref().is_some_and(|replayed| !replayed.opened || replayed.same == Some(false));
        explained.replayed = replayed;
        match self.output {
            OutputFormat::Json => print_json(&explained)?,
            OutputFormat::Text => print_block(&explained.lines().join("\n"), false)?,
        }
        if is_other { Err(Failure::Said(1)) } else { Ok(()) }
    }
}

impl Args {
    /// What is gone through.
    fn events(&self) -> Result<Vec<String>, Failure> {
        if !self.events.is_empty() {
            return Ok(self.events.clone());
        }
        let dir = Layers::surrounding().load()?.config.data.dir;
        if is_data_folder(Path::new(&dir)) {
            return Ok(vec![dir]);
        }
        Err(Failure::Configuration(format!("{dir} is no data folder of a service: name events, or such a folder, behind the alert's id")))
    }

    /// The alert as the service that runs on a data folder keeps it; where none answers, or it keeps none, the log is searched.
    fn kept(&self, dir: &Path) -> Option<Kept> {
        let asked = Client::new(dir).and_then(|client| {
            let shown = client.ask(&AlertRequest { id: self.id.clone() })?;
            let AlertInfo { id, rule, ruleset, entity, opened_at_ms, .. } = shown.info;
            let filter = AlertFilter {
                entity: Some(entity.clone()),
                since_ms: Some(opened_at_ms.saturating_sub(NEIGHBOUR_MS)),
                until_ms: Some(opened_at_ms.saturating_add(NEIGHBOUR_MS + 1)),
                limit: NEIGHBOURS_ASKED,
                ..AlertFilter::default()
            };
            let others = client.ask(&filter)?.alerts.into_iter().map(neighbour).collect();
            let neighbours = nearest(others, &id, opened_at_ms);
            Ok(Kept { alert: Known { id, rule, entity, opened_at_ms, ruleset, json: shown.json }, neighbours })
        });
        match asked {
            Ok(kept) => Some(kept),
            Err(error) => {
                say(format_args!("note: {error}; the log is searched for the alert"));
                None
            }
        }
    }

    /// All rules over the past, until its end: other alerts about the entity may come behind.
    fn search(&self, folder: Option<&Path>, again: &Again<'_>, kept: Option<&Kept>) -> Result<(Searched, Period), Failure> {
        let mut search = Search::new(kept.map_or(self.id.as_str(), |kept| kept.alert.id.as_str()));
        let wrong = |error: serde_json::Error| Failure::Outside(Box::new(error));
        if let Some(dir) = folder
            && let Some(mut replay) = self.replay(dir)?
        {
            let mut progress = Progress::start();
            let mut period: Period = None;
            while let Some(step) = replay.step().map_err(failure)? {
                step.alerts.iter().try_for_each(|alert| search.take(&alert.json)).map_err(wrong)?;
                let clock_ms = replay.engine().map(rasid_engine::Engine::clock_ms).filter(|clock_ms| *clock_ms > i64::MIN);
                period = clock_ms.map(|clock_ms| (period.map_or(clock_ms, |(from_ms, _)| from_ms), clock_ms));
                progress.show(step.position);
            }
            progress.end();
            return Ok((search.finish(), period));
        }
        let ruleset = match kept {
            Some(kept) => self.ruleset(folder, &kept.alert)?,
            None => self.rules.as_ref().unwrap_or(&usual()).load(Path::new("rules"))?,
        };
        let past = again.open()?;
        let everything = Everything::new(ruleset, &self.walk.config(), past.pseudonymizer());
        let mut everything = everything.map_err(|error| Failure::Outside(Box::new(error)))?;
        let mut fault = None;
        past.read_while(
            |_| true,
            |taken| {
                let done = everything.step(taken).and_then(|alerts| alerts.iter().try_for_each(|alert| search.take(alert)));
                fault = done.err();
                fault.is_none()
            },
        )?;
        match fault {
            Some(error) => Err(wrong(error)),
            None => Ok((search.finish(), everything.period_ms())),
        }
    }

    /// The log of a data folder as the service went through it; `None` where its beginning is gone, or other rules are asked about.
    fn replay(&self, dir: &Path) -> Result<Option<Replay>, Failure> {
        if self.rules.is_some() {
            return Ok(None);
        }
        let Some(Key { secret, number, .. }) = config::key(&Layers::surrounding().load()?)? else { return Ok(None) };
        match Replay::open(dir, &secret, number, self.walk.threads().into()) {
            Ok(replay) => Ok(Some(replay)),
            Err(error @ ReplayError::NoBeginning { .. }) => {
                say(format_args!("note: {error}; what looks further back than the log sees less than live did"));
                Ok(None)
            }
            Err(error) => Err(failure(error)),
        }
    }

    /// The rules by which the alert is explained: those that are named, those that opened it, or those around here.
    fn ruleset(&self, folder: Option<&Path>, alert: &Known) -> Result<Ruleset, Failure> {
        if let (None, Some(dir)) = (&self.rules, folder) {
            match Log::ruleset(dir, &alert.ruleset) {
                Ok(ruleset) => return Ok(ruleset),
                Err(error) => say(format_args!("note: {error}; it is explained by the rules in {}", usual().shown())),
            }
        }
        self.rules.as_ref().unwrap_or(&usual()).load(Path::new("rules"))
    }

    /// What its condition saw, and what stood behind that; `None` where its event did not come, which is said.
    fn look(
        &self,
        ruleset: &Ruleset,
        alert: &Known,
        again: &Again<'_>,
    ) -> Result<Option<(rasid_engine::Moment, Vec<rasid_engine::Counted>)>, Failure> {
        let outside = |error: rasid_engine::EngineError| Failure::Outside(Box::new(error));
        let past = again.open()?;
        let looking = Pass::new(ruleset, alert, &self.walk.config(), past.pseudonymizer()).map_err(outside)?;
        let Some(mut looking) = looking else { return Err(unknown(alert)) };
        past.read_while(|_| true, |taken| looking.step(taken))?;
        let period = looking.period_ms();
        let Some(mut counting) = looking.again().map_err(outside)? else {
            self.not_found_event(alert, period)?;
            return Ok(None);
        };
        again.open()?.read_while(|_| true, |taken| counting.step(taken))?;
        Ok(counting.finish())
    }

    fn not_found(&self, period: Period, alerts: u64) -> Result<(), Failure> {
        let (from, to) = period.map(|(from_ms, to_ms)| (format_rfc3339(from_ms), format_rfc3339(to_ms))).unzip();
        match self.output {
            OutputFormat::Json => print_json(&NotFound { alert: &self.id, found: false, from, to, alerts })?,
            OutputFormat::Text => print_line(&format!("no alert {} among the {alerts} that were opened {}", self.id, shown(period)))?,
        }
        Err(Failure::Said(1))
    }

    fn not_found_event(&self, alert: &Known, period: Period) -> Result<(), Failure> {
        match self.output {
            OutputFormat::Json => {
                let (from, to) = period.map(|(from_ms, to_ms)| (format_rfc3339(from_ms), format_rfc3339(to_ms))).unzip();
                print_json(
                    &json!({"alert": alert.id, "found": false, "opened_at": format_rfc3339(alert.opened_at_ms), "from": from, "to": to}),
                )
            }
            OutputFormat::Text => print_line(&format!(
                "the event that opened {} at {} is not among those {}; under another pseudonym secret its id is another",
                alert.id,
                format_rfc3339(alert.opened_at_ms),
                shown(period)
            )),
        }
    }
}

fn usual() -> Place {
    Place::Folder(PathBuf::from("rules"))
}

fn unknown(alert: &Known) -> Failure {
    Failure::Configuration(format!("the alert is of the rule `{}`, which is not among the rules: name others with --rules", alert.rule))
}

/// A period in words.
fn shown(period: Period) -> String {
    match period {
        Some((from_ms, to_ms)) => format!("from {} to {}", format_rfc3339(from_ms), format_rfc3339(to_ms)),
        None => "in what was looked through, which holds no event".to_owned(),
    }
}

fn neighbour(alert: AlertInfo) -> (i64, Neighbour) {
    let AlertInfo { id, rule, severity, mode, opened_at_ms, explanation, .. } = alert;
    (opened_at_ms, Neighbour { id, rule, severity, mode, opened_at: format_rfc3339(opened_at_ms), explanation })
}
