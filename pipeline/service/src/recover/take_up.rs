//! What a start finds in the data folder, and how it is taken up: the log, the outbox, the newest whole snapshot.

use std::sync::Arc;

use rasid_connectors::Disposition;
use rasid_connectors::alerts::{self, AlertStore};
use rasid_connectors::bundle::BundleStore;
use rasid_connectors::log::{self, Block, Control, DeadLetterLog, Entry, LogConfig, LogReader, LogWriter, Opened};
use rasid_connectors::outbox::{self, Outbox};
use rasid_connectors::seal::Keyring;
use rasid_connectors::snapshot::{self, SnapshotStore};
use rasid_connectors::storage::Storage;
use rasid_engine::{Engine, Part, RestoreError};

use crate::decide::comparison::{Committed, ENGINE};
use crate::decide::engine_setup::EngineSetup;
use crate::decide::route::Routes;
use crate::decide::worker::{Rulesets, Worker};
use crate::recover::layout;
use crate::recover::rulesets::KnownRulesets;

/// Why the data folder cannot be taken up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The log cannot be opened.
    #[error("cannot open the log")]
    Log(#[from] log::Error),
    /// The day keys cannot be opened.
    #[error("cannot open the day keys")]
    Keys(#[from] rasid_connectors::seal::Error),
    /// The outbox cannot be opened.
    #[error("cannot open the outbox")]
    Outbox(#[from] outbox::Error),
    /// The snapshots cannot be looked through.
    #[error("cannot look through the snapshots")]
    Snapshot(#[from] snapshot::Error),
    /// The outbox has committed what the log does not hold.
    #[error(
        "the log ends at position {last}, but position {committed} was committed: the log has lost records, or is not the one that belongs to this outbox"
    )]
    LogShort {
        /// The log's newest position.
        last: u64,
        /// The committed position.
        committed: u64,
    },
    /// The alert store cannot be used.
    #[error("cannot use the alert store")]
    Alerts(#[from] alerts::Error),
    /// The alert store has what the log does not hold.
    #[error(
        "the log ends at position {last}, but the alert store is filled up to position {stored}: it belongs to another log; move {} away to begin a new one",
        layout::ALERTS
    )]
    StoreAhead {
        /// The log's newest position.
        last: u64,
        /// The store's position.
        stored: u64,
    },
    /// Nothing to start from: the beginning of the log is retired and no snapshot is whole.
    #[error("the log begins at position {first} and there is no whole snapshot to start from")]
    NoBeginning {
        /// The log's oldest position.
        first: u64,
    },
    /// The log needs records that are retired.
    #[error("the newest usable snapshot stands at position {snapshot}, but the log begins at {first}")]
    Hole {
        /// The snapshot's position.
        snapshot: u64,
        /// The log's oldest position.
        first: u64,
    },
}

impl RecoverError {
    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Log(error) => error.disposition(),
            Self::Keys(error) => error.disposition(),
            Self::Outbox(error) => error.disposition(),
            Self::Snapshot(error) => error.disposition(),
            Self::Alerts(error) => error.disposition(),
            Self::LogShort { .. } | Self::StoreAhead { .. } | Self::NoBeginning { .. } | Self::Hole { .. } => Disposition::Halt,
        }
    }

    /// Whether it is damage, which `rasid log check` explains.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Log(error) => error.is_damage(),
            Self::Keys(error) => matches!(error, rasid_connectors::seal::Error::Damaged { .. }),
            Self::LogShort { .. } => true,
            _ => false,
        }
    }
}

/// The parts of the data folder, opened.
pub struct Recovered {
    /// The log, ready to be written on.
    pub log: LogWriter,
    /// What opening it found.
    pub opened: Opened,
    /// Reads the log from behind the worker's position.
    pub reader: LogReader,
    /// The engine as the snapshot has it, or at the beginning.
    pub worker: Worker,
    /// The outbox.
    pub outbox: Arc<Outbox>,
    /// The alert store, which the worker gives what it lacks.
    pub store: Arc<AlertStore>,
    /// Dead letters.
    pub dead_letters: DeadLetterLog,
    /// Snapshots.
    pub snapshots: SnapshotStore,
    /// Rulesets by hash.
    pub rulesets: KnownRulesets,
    /// Position of the snapshot that is used.
    pub snapshot: Option<u64>,
    /// Snapshots that were passed over, and why.
    pub refused: Vec<String>,
    /// Rules that read what the snapshot lacked; that starts anew.
    pub anew: Vec<String>,
    /// Entries whose replay cannot be compared: the outbox knows no more which alerts came of them.
    pub uncompared: u64,
}

/// How the data folder is opened.
pub struct Layout {
    /// The disk.
    pub storage: Arc<dyn Storage>,
    /// Seals the log, the dead letters and the snapshots.
    pub keys: Keyring,
    /// The log.
    pub log: LogConfig,
    /// The dead letters.
    pub dead_letters: LogConfig,
    /// Snapshots that are kept.
    pub snapshots_keep: usize,
    /// Who runs the engine.
    pub setup: EngineSetup,
    /// The sinks.
    pub routes: Routes,
}

/// Opens everything but the outbox and the alert store, which the caller has opened, and finds where to go on: from the
/// newest whole snapshot that is ahead of neither.
///
/// # Errors
/// [`RecoverError`], in words for a person.
pub fn recover(layout: Layout, outbox: Arc<Outbox>, store: Arc<AlertStore>) -> Result<Recovered, RecoverError> {
    let Layout { storage, keys, log: log_config, dead_letters, snapshots_keep, setup, routes } = layout;
    let committed = outbox.position();
    let (log, mut opened) = LogWriter::open_behind(Arc::clone(&storage), layout::LOG, keys.clone(), log_config, committed)?;
    if committed >= opened.next {
        return Err(RecoverError::LogShort { last: opened.next - 1, committed });
    }
    let (dead_letters, _) = DeadLetterLog::open(Arc::clone(&storage), layout::DEAD_LETTERS, &keys, dead_letters)?;
    let bundles = Arc::new(BundleStore::open(Arc::clone(&storage), layout::RULESETS, ENGINE));
    let rulesets = KnownRulesets::new(bundles);
    let snapshots = SnapshotStore::open(Arc::clone(&storage), layout::SNAPSHOTS, &keys, ENGINE, snapshots_keep);
    let stored = stored(&store, committed, opened.next - 1)?;
    let search = Search { snapshots: &snapshots, setup: &setup, rulesets: &rulesets, committed };
    let mut found = search.newest(stored)?;
    // Nothing is old enough for a store that lags: it goes on without what lies between, and says so.
    if found.from() < opened.first {
        let newer = search.newest(u64::MAX)?;
        let last = newer.from() - 1;
        if last > stored && newer.from() >= opened.first {
            store.skip(last)?;
            tracing::error!(
                first = stored + 1,
                last,
                "the alert store lacks what was opened at these positions: they cannot be gone through again"
            );
        }
        found = newer;
    }
    let Taken { engine, refused } = found;
    let mut worker = Worker::new(setup.clone(), Box::new(rulesets.clone()), routes).storing_behind(store.position().unwrap_or(0));
    let snapshot = engine.as_ref().map(|(position, ..)| *position);
    let mut anew = Vec::new();
    if let Some((position, engine, settings)) = engine {
        anew = engine.started_anew().map(str::to_owned).collect();
        worker = worker.restored(position, engine, settings);
    }
    let from = worker.position() + 1;
    match snapshot {
        None if opened.first > 1 => return Err(RecoverError::NoBeginning { first: opened.first }),
        Some(snapshot) if from < opened.first => return Err(RecoverError::Hole { snapshot, first: opened.first }),
        _ => {}
    }
    let alerts_from = outbox.alerts_from();
    let known = Committed {
        position: committed,
        alerts_from,
        alerts: outbox.alerts_between(from.max(alerts_from), committed)?,
        engines: outbox.engines()?,
    };
    outbox.commits_by(ENGINE)?;
    let worker = worker.replaying(known);
    let uncompared = alerts_from.min(committed + 1).saturating_sub(from);
    let reader = LogReader::open(Arc::clone(&storage), layout::LOG, keys.clone(), from)?;
    // The newest switch may be among what was lost to damage, and then is in force for nobody who goes through the log.
    if let Some(switched) = opened.ruleset.as_ref().filter(|switched| switched.position >= from)
        && is_lost(LogReader::open(storage, layout::LOG, keys, switched.position)?)?
    {
        opened.ruleset = None;
    }
    Ok(Recovered { log, opened, reader, worker, outbox, store, dead_letters, snapshots, rulesets, snapshot, refused, anew, uncompared })
}

/// The position up to which the alert store has everything. One that was made just now begins where effects were committed.
fn stored(store: &AlertStore, committed: u64, last: u64) -> Result<u64, RecoverError> {
    let Some(stored) = store.position() else {
        store.begin(committed)?;
        if committed > 0 {
            tracing::warn!(from = committed + 1, "the alert store is new, and holds nothing that was opened before this position");
        }
        return Ok(committed);
    };
    if stored > last { Err(RecoverError::StoreAhead { last, stored }) } else { Ok(stored) }
}

/// How a snapshot is looked for.
struct Search<'a> {
    snapshots: &'a SnapshotStore,
    setup: &'a EngineSetup,
    rulesets: &'a KnownRulesets,
    committed: u64,
}

/// What was found.
struct Taken {
    /// Position, engine and settings of the newest that can be used.
    engine: Option<(u64, Engine, log::Settings)>,
    /// Those that were passed over, and why.
    refused: Vec<String>,
}

impl Taken {
    /// Where the replay begins.
    fn from(&self) -> u64 {
        self.engine.as_ref().map_or(0, |(position, ..)| *position) + 1
    }
}

impl Search<'_> {
    /// The newest at or before `upto`.
    fn newest(&self, upto: u64) -> Result<Taken, RecoverError> {
        let mut refused = Vec::new();
        let mut before = upto.saturating_add(1);
        loop {
            let (found, passed_over) = self.snapshots.newest_before(before)?;
            refused.extend(passed_over.iter().map(ToString::to_string));
            let Some(found) = found else { return Ok(Taken { engine: None, refused }) };
            before = found.position();
            match restore(&found, self.setup, self.rulesets, self.committed) {
                Ok(engine) => return Ok(Taken { engine: Some((before, engine, *found.settings())), refused }),
                Err(why) => refused.push(format!("snapshot {before:020} is not used: {why}")),
            }
        }
    }
}

/// Whether the entry that the reader stands at was given up.
fn is_lost(mut reader: LogReader) -> Result<bool, log::Error> {
    let mut block = Block::new();
    Ok(reader.next(&mut block)? && matches!(block.entries().next(), Some((_, Entry::Control(Control::Lost)))))
}

fn restore(found: &snapshot::Found, setup: &EngineSetup, rulesets: &KnownRulesets, committed: u64) -> Result<Engine, String> {
    if found.position() > committed {
        return Err(format!("the outbox has committed only {committed}: it belongs to another"));
    }
    let ruleset = rulesets.load(found.ruleset()).map_err(|error| error.to_string())?;
    let config = setup.config(found.settings());
    let mut part = |part: Part<'_>| match part {
        Part::Numbered(number) => found.part(number).map_err(Into::into),
        Part::Lasting(name) => found.lasting(name).map_err(Into::into),
    };
    let pseudonymizer = setup.pseudonymizer(found.settings());
    let pseudonymizer =
        pseudonymizer.ok_or_else(|| format!("its names are made with a secret that is not known: {:?}", found.settings().keys))?;
    Engine::restore(ruleset, config, pseudonymizer, &mut part).map_err(|error: RestoreError| error.to_string())
}
