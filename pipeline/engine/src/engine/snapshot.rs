//! All of the engine's state as bytes, and an engine out of them.
//!
//! ```text
//! 16 parts of postcard, each: header {format, part, records, clock}
//!   part 0      what there is once, as JSON: counters, producers, rules, bindings with operator, version and birth, and how
//!               the memory bound is dealt
//!   every part  16 shards: each binding's table in the order of part 0's bindings, length u64 and entries by key
//!   parts 1–5   duplicates (gps.*, all else), suppression, issued alerts, scores
//!   part 5      ends with the former names of scores, (key, name) by key, and the advice that stands, by key
//!   part 6      what there is for all keys: the open minute and each binding's state, in the order of part 0's bindings
//! and lasting parts, by name: what was delivered, in generations that are closed
//! ```
//!
//! What stands there has a name: a binding its canonical text, its operator name and version, a counter its own. So a
//! field, a kind or an operator that comes between changes nothing that was saved; what a snapshot lacks, or has of
//! another version of its operator, starts anew ([`Engine::started_anew`]).
//!
//! A lasting part never changes, so one that is written already need not be written again (`duplicates/saved.rs`).
//! Equal state gives equal bytes, however it came about. Taking a snapshot shares the state: while it is
//! held, the engine copies each entry that it changes (`entries.rs`).

use std::collections::BTreeMap;

use rasid_compiler::ruleset::{Binding, Rule, Ruleset};
use rasid_detectors::operator::OperatorSpec;
use serde::{Deserialize, Serialize};

use super::{Config, Engine, EngineError};
use crate::brake::{Brake, SavedBrake};
use crate::counters::{Counters, FirstCounters, FirstRuleCounters, RuleCounters};
use crate::duplicates::{self, Kind, LoadError};
use crate::memory::SavedMemory;
use crate::population::Populations;
use crate::producers::{ProducerCounters, Producers};
use crate::pseudonym::Pseudonymizer;
use crate::scatter::SHARDS;
use crate::scores::Scores;
use crate::shard::{GoesOn, Shard};
use crate::suppress::{Issued, Suppression};
use crate::warming::Warming;

/// Raised when what is written changes its meaning. 1: part 0 ends with its shards, part 5 with its scores; 2: part 0 ends with
/// what format 1 did not count; 3: parts 1 and 2 hold this generation of duplicates and the one before; 4: part 0 holds
/// postcard instead of JSON, bindings are named by numbers of fields, tables have no lengths, part 3 holds the newest alert
/// alone of each rule and entity; 5: part 5 has no advice; 6: part 0 does not say how the memory bound is dealt, and what it has
/// cost is one number. All are read still.
const FORMAT: u32 = 7;
/// The part of the scores.
const SCORES: usize = 5;
/// The part of what there is for all keys.
const POPULATIONS: usize = 6;
/// Shards in one part.
const SHARDS_A_PART: usize = SHARDS / Snapshot::PARTS;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an engine could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A part could not be had.
    #[error("cannot read part {part} of the snapshot")]
    Read {
        /// Its number.
        part: usize,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A part is not what a snapshot holds.
    #[error("part {part} of the snapshot does not decode, in its {place}")]
    Decode {
        /// Its number.
        part: usize,
        /// Where in it.
        place: &'static str,
        /// What is wrong.
        #[source]
        source: postcard::Error,
    },
    /// A part belongs to another snapshot, or to another place in this one.
    #[error("part {part} of the snapshot is {why}")]
    Foreign {
        /// Its number.
        part: usize,
        /// What it is.
        why: String,
    },
    /// A lasting part could not be had.
    #[error("cannot read the lasting part {name} of the snapshot")]
    ReadLasting {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A lasting part is another than the one that the snapshot names.
    #[error("the lasting part {name} is not what the snapshot names by it")]
    ForeignLasting {
        /// Its name.
        name: String,
    },
    /// The snapshot was taken under another ruleset.
    #[error("the snapshot is of ruleset {saved}, not of {given}")]
    Ruleset {
        /// The hash of the snapshot's.
        saved: String,
        /// The hash of the one given.
        given: String,
    },
    /// A snapshot of an older format has a table of an operator that nothing in the ruleset binds, and so that cannot be passed over.
    #[error("the snapshot has a table that nothing in the ruleset can read: {canonical}")]
    Binding {
        /// Whose it is.
        canonical: String,
    },
    /// What there is once is not what a snapshot holds.
    #[error("part 0 of the snapshot does not decode, in its counters")]
    Once(#[source] serde_json::Error),
    /// The keys of the state were made with another secret.
    #[error("the snapshot was taken with another pseudonym secret")]
    Secret,
    /// An engine cannot be set up at all.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

#[derive(Serialize, Deserialize, PartialEq)]
struct Header {
    format: u32,
    part: u32,
    /// Records so far; with the clock it tells snapshots of one log apart.
    records: u64,
    clock_ms: i64,
}

/// What there is once.
#[derive(Clone, Serialize, Deserialize)]
struct Once {
    ruleset: String,
    /// A hash by the state's key.
    secret: u64,
    counters: Counters,
    producers: Vec<ProducerCounters>,
    rules: Vec<RuleCounters>,
    former_rules: Vec<RuleCounters>,
    /// Up to format 6: what the memory bound had cost tables that are gone.
    #[serde(default, skip_serializing)]
    evicted_before: u64,
    /// The same by operator.
    #[serde(default)]
    evicted: BTreeMap<String, u64>,
    /// None up to format 6.
    #[serde(default)]
    memory: Option<SavedMemory>,
    bindings: Vec<SavedBinding>,
    /// Nothing where none was known yet.
    #[serde(default)]
    brake: SavedBrake,
}

impl Once {
    fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data under names")
    }
}

/// What says whose a table is.
#[derive(Clone, Serialize, Deserialize)]
struct SavedBinding {
    canonical: String,
    operator: String,
    version: u16,
    born_ms: Option<i64>,
}

/// The same up to format 4.
#[derive(Deserialize)]
struct FirstOnce {
    ruleset: String,
    #[serde(with = "postcard::fixint::le")]
    secret: u64,
    counters: FirstCounters,
    rules: Vec<FirstRuleCounters>,
    former_rules: Vec<FirstRuleCounters>,
    evicted_before: u64,
    /// (canonical text, birth).
    bindings: Vec<(String, Option<i64>)>,
}

impl FirstOnce {
    /// What it is today, and for each of its tables a binding whose operator reads it: where the ruleset has the table's own
    /// otherwise, as an operator has other parameters since, one of the same operator.
    fn today(self, given: &Ruleset) -> Result<(Once, Vec<usize>), RestoreError> {
        let (mut bindings, mut readers) = (Vec::new(), Vec::new());
        for (former, born_ms) in self.bindings {
            let own = given.bindings.iter().position(|binding| binding.former == former);
            let operator = former.strip_prefix("detector ").unwrap_or(&former).split(' ').next();
            let of_operator = || given.bindings.iter().position(|binding| Some(binding.operator.spec().name) == operator);
            let Some(reader) = own.or_else(of_operator) else { return Err(RestoreError::Binding { canonical: former }) };
            let binding = &given.bindings[reader];
            let canonical = if own.is_some() { binding.canonical.clone() } else { former };
            // All were of their first version then.
            bindings.push(SavedBinding { canonical, born_ms, version: 1, ..saved(binding) });
            readers.push(reader);
        }
        let once = Once {
            ruleset: self.ruleset,
            secret: self.secret,
            counters: Counters::of_first(self.counters),
            producers: Vec::new(),
            rules: self.rules.into_iter().map(RuleCounters::of_first).collect(),
            former_rules: self.former_rules.into_iter().map(RuleCounters::of_first).collect(),
            evicted_before: self.evicted_before,
            evicted: BTreeMap::new(),
            memory: None,
            bindings,
            brake: SavedBrake::default(),
        };
        Ok((once, readers))
    }
}

/// Whether that binding goes on with one of the tables.
fn goes_on_with(order: &[Option<GoesOn>], binding: usize) -> bool {
    order.iter().flatten().any(|of| of.binding == binding)
}

/// Whose a binding's table is.
fn saved(binding: &Binding) -> SavedBinding {
    let spec = binding.operator.spec();
    SavedBinding { canonical: binding.canonical.clone(), operator: spec.name.to_owned(), version: spec.version, born_ms: None }
}

/// What a restore asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A part of the snapshot alone, 0 to 15.
    Numbered(usize),
    /// What [`Snapshot::write_lasting`] gave under that name, for this snapshot or one before.
    Lasting(&'a str),
}

/// All of an engine's state at one place in the log. It does not change while the engine goes on.
pub struct Snapshot {
    clock_ms: i64,
    once: Once,
    shards: Vec<Shard>,
    populations: Populations,
    duplicates: duplicates::Shared,
    suppression: Suppression,
    issued: Issued,
    scores: Scores,
}

impl Snapshot {
    /// Into how many parts it is written.
    pub const PARTS: usize = 16;

    /// The bytes of one part, 0 to 15; parts may be written in any order and at the same time. A part beyond has a
    /// header and nothing else.
    pub fn write(&self, part: usize) -> Vec<u8> {
        let out = plain(&self.header(part), Vec::new());
        let out = if part == 0 { plain(&self.once.json(), out) } else { out };
        let shards = self.shards.iter().skip(part * SHARDS_A_PART).take(SHARDS_A_PART);
        let out = shards.fold(out, |out, shard| shard.save(out));
        match part {
            1 => self.duplicates.save(Kind::Gps, out),
            2 => self.duplicates.save(Kind::Other, out),
            3 => self.suppression.save(out),
            4 => self.issued.save(out),
            SCORES => self.scores.save_advices(self.scores.save_former_names(self.scores.save(out))),
            POPULATIONS => self.populations.save(out),
            _ => out,
        }
    }

    /// Names of the lasting parts that belong to it, of letters, digits and hyphens. Two of one name are equal, whichever
    /// snapshot they are of.
    pub fn lasting(&self) -> impl Iterator<Item = &str> {
        self.duplicates.lasting()
    }

    /// The bytes of the lasting part of that name; `None` where it is none of this snapshot's.
    pub fn write_lasting(&self, name: &str) -> Option<Vec<u8>> {
        self.duplicates.lasting_bytes(name)
    }

    fn header(&self, part: usize) -> Header {
        let part = u32::try_from(part).unwrap_or(u32::MAX);
        Header { format: FORMAT, part, records: self.once.counters.records, clock_ms: self.clock_ms }
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("records", &self.once.counters.records).field("clock_ms", &self.clock_ms).finish_non_exhaustive()
    }
}

fn plain<T: Serialize>(value: &T, out: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(value, out).expect("plain data, into a vector that grows")
}

impl Engine {
    /// All of its state as it is now. Cheap: it is shared, and an entry is copied when the engine goes on to change it
    /// while the snapshot is held. The one before must be gone by then, or what has changed since is copied at once.
    pub fn snapshot(&mut self) -> Snapshot {
        let births = self.warming.births().iter();
        let once = Once {
            ruleset: self.plan.ruleset.hash.clone(),
            secret: self.secret(),
            counters: self.counters.clone(),
            producers: self.producers.counters(),
            rules: self.rules.clone(),
            former_rules: self.former_rules.values().cloned().collect(),
            evicted_before: 0,
            evicted: self.evicted_before.clone(),
            memory: Some(self.memory.save()),
            brake: self.brake.save(&self.plan.ruleset),
            bindings: self
                .plan
                .ruleset
                .bindings
                .iter()
                .zip(births)
                .map(|(of, born)| SavedBinding { born_ms: *born, ..saved(of) })
                .collect(),
        };
        Snapshot {
            clock_ms: self.clock_ms,
            once,
            shards: self.shards.iter_mut().map(Shard::share).collect(),
            populations: self.populations.share(),
            duplicates: self.duplicates.share(),
            suppression: self.suppression.share(),
            issued: self.issued.share(),
            scores: self.scores.share(),
        }
    }

    /// An engine with the state of a snapshot, whose parts, also the lasting ones, `part` gives: from here on it does what the one did that the
    /// snapshot was taken of. The ruleset must be the one that was in force, the secret the same; the rest of `config` but
    /// `threads` is part of what the log means, and should be.
    ///
    /// # Errors
    /// [`RestoreError`]; it says which part is wrong, and why.
    pub fn restore(
        ruleset: Ruleset,
        config: Config,
        pseudonymizer: Pseudonymizer,
        part: &mut dyn FnMut(Part<'_>) -> Result<Vec<u8>, BoxError>,
    ) -> Result<Self, RestoreError> {
        let mut engine = Self::new(ruleset, config, pseudonymizer)?;
        let (mut order, mut readers) = (Vec::new(), Vec::new());
        for number in 0..Snapshot::PARTS {
            let bytes = part(Part::Numbered(number)).map_err(|source| RestoreError::Read { part: number, source })?;
            let place = |place: &'static str| move |source| RestoreError::Decode { part: number, place, source };
            let (header, mut rest) = postcard::take_from_bytes::<Header>(&bytes).map_err(place("header"))?;
            if number == 0 {
                engine.counters.records = header.records;
                engine.clock_ms = header.clock_ms;
            }
            engine.check(number, &header)?;
            if number == 0 {
                let once;
                (once, rest) = if header.format < 5 {
                    let (first, rest) = postcard::take_from_bytes::<FirstOnce>(rest).map_err(place("counters"))?;
                    let (once, of_tables) = first.today(&engine.plan.ruleset)?;
                    readers = of_tables;
                    (once, rest)
                } else {
                    let (json, rest) = postcard::take_from_bytes::<&[u8]>(rest).map_err(place("counters"))?;
                    (serde_json::from_slice(json).map_err(RestoreError::Once)?, rest)
                };
                order = engine.set(once)?;
            }
            for shard in engine.shards.iter_mut().skip(number * SHARDS_A_PART).take(SHARDS_A_PART) {
                let loaded = if header.format < 5 { shard.load_former(rest, &order, &readers) } else { shard.load(rest, &order) };
                rest = loaded.map_err(place("keyed state"))?;
            }
            rest = match number {
                0 if (2..5).contains(&header.format) => {
                    let (oversized_ids, rest) = postcard::take_from_bytes(rest).map_err(place("counters"))?;
                    engine.counters.oversized_ids = oversized_ids;
                    if header.format > 2 {
                        let (counted, rest) = postcard::take_from_bytes(rest).map_err(place("producers"))?;
                        let (bad_events, producers) = counted;
                        engine.counters.bad_events = bad_events;
                        engine.producers = Producers::of_counters(producers);
                        rest
                    } else {
                        rest
                    }
                }
                1 | 2 if header.format < 4 => {
                    let clock_ms = engine.clock_ms;
                    engine.duplicates.load_former(number == 2, rest, clock_ms).map_err(place("duplicates"))?
                }
                1 | 2 => {
                    let kind = if number == 1 { Kind::Gps } else { Kind::Other };
                    let loaded = engine.duplicates.load(kind, rest, &mut |name| part(Part::Lasting(name)));
                    loaded.map_err(|error| error.of_part(number))?
                }
                3 if header.format < 5 => engine.suppression.load_former(rest).map_err(place("suppression"))?,
                3 => engine.suppression.load(rest).map_err(place("suppression"))?,
                4 => engine.issued.load(rest).map_err(place("issued alerts"))?,
                SCORES => engine.scores.load(rest).map_err(place("scores"))?,
                POPULATIONS if header.format > 4 => engine.populations.load(rest, &order).map_err(place("populations"))?,
                _ => rest,
            };
            if number == SCORES && header.format > 1 {
                rest = engine.scores.load_former_names(rest).map_err(place("former names"))?;
            }
            if number == SCORES && header.format > 5 {
                rest = engine.scores.load_advices(rest).map_err(place("advice"))?;
            }
            if !rest.is_empty() {
                return Err(RestoreError::Foreign { part: number, why: format!("longer than its contents, by {} bytes", rest.len()) });
            }
        }
        engine.duplicates.loaded();
        engine.rule_numbers = engine.plan.ruleset.rules.iter().map(|rule| engine.scores.number(&rule.id)).collect();
        engine.score_readers = super::score_readers(&engine.plan.ruleset, &mut engine.scores);
        Ok(engine)
    }

    /// Whether a part is of the snapshot that part 0 began.
    fn check(&self, part: usize, header: &Header) -> Result<(), RestoreError> {
        let foreign = |why: String| Err(RestoreError::Foreign { part, why });
        if !(1..=FORMAT).contains(&header.format) {
            return foreign(format!("of format {}, and this engine reads {FORMAT}", header.format));
        }
        if header.part as usize != part {
            return foreign(format!("its part {}", header.part));
        }
        if (header.records, header.clock_ms) != (self.counters.records, self.clock_ms) {
            return foreign("of another snapshot than part 0".to_owned());
        }
        Ok(())
    }

    /// Takes over what there is once; gives for each of the snapshot's tables the binding that goes on with it.
    fn set(&mut self, once: Once) -> Result<Vec<Option<GoesOn>>, RestoreError> {
        let given = &self.plan.ruleset;
        if once.ruleset != given.hash {
            return Err(RestoreError::Ruleset { saved: once.ruleset, given: given.hash.clone() });
        }
        if once.secret != self.secret() {
            return Err(RestoreError::Secret);
        }
        let now = (self.clock_ms != i64::MIN).then_some(self.clock_ms);
        let mut births = vec![now; given.bindings.len()];
        let mut order: Vec<Option<GoesOn>> = Vec::new();
        for of in once.bindings {
            let is_read =
                |spec: &OperatorSpec| spec.name == of.operator && [Some(spec.version), spec.former_version].contains(&Some(of.version));
            let same = |binding: &Binding| binding.canonical == of.canonical && is_read(binding.operator.spec());
            let number = given.bindings.iter().position(same).filter(|number| !goes_on_with(&order, *number));
            let goes_on = number.map(|binding| GoesOn { binding, former: given.bindings[binding].operator.spec().version != of.version });
            if let Some(number) = number {
                births[number] = of.born_ms;
            }
            order.push(goes_on);
        }
        // What counts the firings of a detector that starts anew would go on with those of another.
        let goes_on = |number: usize, order: &[Option<GoesOn>]| {
            given.bindings[number].feeds.iter().filter_map(|feed| feed.firings_of).all(|source| goes_on_with(order, source))
        };
        for place in 0..order.len() {
            if let Some(GoesOn { binding, .. }) = order[place].filter(|of| !goes_on(of.binding, &order)) {
                order[place] = None;
                births[binding] = now;
            }
        }
        self.anew = (0..given.bindings.len()).filter(|number| !goes_on_with(&order, *number)).collect();
        self.warming = Warming::new(given, births);
        self.brake = Brake::load(given, once.brake);
        self.counters = once.counters;
        self.producers = Producers::of_counters(once.producers);
        let saved = |id: &str| once.rules.iter().find(|counters| counters.rule == id).cloned();
        for counters in &mut self.rules {
            *counters = saved(&counters.rule).unwrap_or_else(|| std::mem::take(counters));
        }
        self.former_rules = once.former_rules.into_iter().map(|counters| (counters.rule.clone(), counters)).collect();
        self.set_evicted_before(once.evicted, once.evicted_before);
        if let Some(memory) = once.memory {
            self.memory.load(&memory);
            self.keep_to_quotas();
        }
        Ok(order)
    }

    /// The rules that read what the snapshot lacked, or had of another version of its operator, when the engine was restored
    /// from it: that has started anew, and they run in shadow until it is as old as its window.
    pub fn started_anew(&self) -> impl Iterator<Item = &str> {
        let reads = |rule: &&Rule| rule.triggers.iter().flat_map(|trigger| &trigger.reads).any(|read| self.anew.contains(&read.binding));
        self.plan.ruleset.rules.iter().filter(reads).map(|rule| rule.id.as_str())
    }

    /// A hash that only the same secret gives.
    fn secret(&self) -> u64 {
        self.hasher.hash(&[b"snapshot"])
    }
}

impl LoadError<BoxError> {
    fn of_part(self, part: usize) -> RestoreError {
        match self {
            Self::Decode(source) => RestoreError::Decode { part, place: "duplicates", source },
            Self::Lasting { name, source } => RestoreError::ReadLasting { name, source },
            Self::Foreign(why) => RestoreError::Foreign { part, why },
            Self::ForeignLasting(name) => RestoreError::ForeignLasting { name },
        }
    }
}
