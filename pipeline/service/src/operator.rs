//! What an operator asks of the running service, answered from its parts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rasid_connectors::audit::{self, Audit};
use rasid_connectors::log::{Control as ControlRecord, DeadLetterReader, Letter, LetterBlock};
use rasid_connectors::outbox::Outbox;
use rasid_connectors::seal::Keyring;
use rasid_connectors::source::{Appender as _, Incoming};
use rasid_connectors::storage::Storage;
use tokio::sync::Notify;

use crate::clock::{Clock, Now, age_ms};
use crate::control::{
    Control, ControlError, DeadLetterFilter, DeadLetterInfo, DeadLetterList, Parked, ParkedFilter, Restored, RetractRequest, Retracted,
    Retried, RetryRequest, Status, UnparkRequest, Unparked,
};
use crate::engine_thread::EngineFigures;
use crate::log_writer::LogAppender;
use crate::recover::layout;
use crate::stats::Stats;
use crate::tally::Tally;

/// Most dead letters given at once.
const LIST_MAX: usize = 10_000;
/// The stream that retried dead letters come from; their offset is the position that they had.
pub(crate) const RETRY_STREAM: &str = "dead-letters";

/// The parts that an operator's questions are answered from.
pub(crate) struct Operator {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) keys: Keyring,
    pub(crate) log: LogAppender,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) audit: Mutex<Audit>,
    pub(crate) figures: Arc<Mutex<EngineFigures>>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) sinks: Vec<Arc<Notify>>,
    pub(crate) instance: String,
    pub(crate) started: Now,
    pub(crate) restored: Restored,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) clock: Clock,
}

impl Operator {
    fn check_open(&self) -> Result<(), ControlError> {
        if self.draining.load(Ordering::Relaxed) { Err(ControlError::NotNow("draining")) } else { Ok(()) }
    }

    fn audit(&self, who: &str, action: &str, why: &str, details: BTreeMap<&str, String>) -> Result<(), ControlError> {
        if who.trim().is_empty() || why.trim().is_empty() {
            return Err(ControlError::Refused("say who asks and why: both go to the audit".to_owned()));
        }
        let entry = audit::Entry { at_ms: self.clock.wall_ms(), who, from: "control socket", action, why, details };
        self.audit.lock().unwrap_or_else(PoisonError::into_inner).append(&entry).map_err(|error| ControlError::Outside(Box::new(error)))
    }

    /// Reads the dead letters until `each` has enough. They may be a gigabyte: the tasks of this thread go elsewhere meanwhile.
    fn letters(&self, each: impl FnMut(&Letter<'_>) -> bool) -> Result<(), ControlError> {
        tokio::task::block_in_place(|| self.read_letters(each))
    }

    fn read_letters(&self, mut each: impl FnMut(&Letter<'_>) -> bool) -> Result<(), ControlError> {
        let outside = |error: rasid_connectors::log::Error| ControlError::Outside(Box::new(error));
        let mut reader = DeadLetterReader::open(Arc::clone(&self.storage), layout::DEAD_LETTERS, &self.keys).map_err(outside)?;
        let mut block = LetterBlock::new();
        while reader.next(&mut block).map_err(outside)? {
            for letter in block.letters() {
                if !each(&letter) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Control for Operator {
    async fn retract(&self, request: RetractRequest) -> Result<Retracted, ControlError> {
        self.check_open()?;
        let RetractRequest { rule, since_ms, who, why } = request;
        let known = self.figures.lock().unwrap_or_else(PoisonError::into_inner).rules.iter().any(|counts| counts.rule == rule);
        if !known {
            return Err(ControlError::Refused(format!("no rule `{rule}` has been in force since the log's beginning")));
        }
        self.audit(&who, "retract", &why, BTreeMap::from([("rule", rule.clone()), ("since_ms", since_ms.to_string())]))?;
        let record = ControlRecord::Retract { rule, since_ms };
        let position = self.log.control(record).await.map_err(|error| ControlError::Outside(Box::new(error)))?;
        Ok(Retracted { position, id: format!("retract_{position}") })
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<DeadLetterList, ControlError> {
        let limit = filter.limit.min(LIST_MAX);
        let mut list = DeadLetterList::default();
        self.letters(|letter| {
            let wanted = letter.position > filter.after
                && filter.since_ms.is_none_or(|since_ms| letter.arrival_ms >= since_ms)
                && filter.field.as_deref().is_none_or(|field| letter.field == Some(field));
            if !wanted {
                return true;
            }
            if list.dead_letters.len() == limit {
                list.next_after = list.dead_letters.last().map(|last| last.position);
                return false;
            }
            list.dead_letters.push(DeadLetterInfo {
                position: letter.position,
                field: letter.field.map(str::to_owned),
                reason: letter.reason.to_owned(),
                arrival_ms: letter.arrival_ms,
                stream: letter.stream.to_owned(),
                bytes: letter.record.len() as u64,
            });
            true
        })?;
        Ok(list)
    }

    async fn retry(&self, request: RetryRequest) -> Result<Retried, ControlError> {
        self.check_open()?;
        let RetryRequest { mut positions, who, why } = request;
        positions.sort_unstable();
        positions.dedup();
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        self.letters(|letter| {
            if positions.binary_search(&letter.position).is_ok() {
                found.push((letter.position, letter.record.to_vec()));
            }
            found.len() < positions.len()
        })?;
        let listed = found.iter().map(|(position, _)| position.to_string()).collect::<Vec<_>>().join(",");
        self.audit(&who, "retry dead letters", &why, BTreeMap::from([("positions", listed)]))?;
        let mut retried = Retried::default();
        for (position, bytes) in found {
            let record = Incoming { stream: RETRY_STREAM.into(), offset: position, bytes };
            let new = self.log.append(vec![record]).await.map_err(|error| ControlError::Outside(Box::new(error)))?;
            retried.appended.push((position, new));
        }
        retried.missing = positions.into_iter().filter(|position| retried.appended.iter().all(|(old, _)| old != position)).collect();
        Ok(retried)
    }

    async fn parked(&self, filter: ParkedFilter) -> Result<Vec<Parked>, ControlError> {
        let parked = self.outbox.parked(filter.sink.as_deref(), filter.limit.min(LIST_MAX));
        let parked = parked.map_err(|error| ControlError::Outside(Box::new(error)))?;
        Ok(parked
            .into_iter()
            .map(|parked| Parked {
                id: parked.item.body.id(),
                sink: parked.item.sink,
                seq: parked.item.seq,
                committed_ms: parked.item.committed_ms,
                answer: parked.answer,
            })
            .collect())
    }

    async fn unpark(&self, request: UnparkRequest) -> Result<Unparked, ControlError> {
        self.check_open()?;
        let UnparkRequest { sink, seqs, who, why } = request;
        let listed = seqs.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        self.audit(&who, "unpark", &why, BTreeMap::from([("sink", sink.clone()), ("seqs", listed)]))?;
        let mut unparked = Unparked::default();
        for seq in seqs {
            match self.outbox.unpark(&sink, seq).map_err(|error| ControlError::Outside(Box::new(error)))? {
                Some(_) => unparked.offered.push(seq),
                None => unparked.missing.push(seq),
            }
        }
        self.sinks.iter().for_each(|sink| sink.notify_one());
        Ok(unparked)
    }

    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance.clone(),
            started_ms: self.started.wall_ms,
            up_ms: age_ms(self.clock.monotonic_ms(), self.started.monotonic_ms),
            restored: self.restored.clone(),
            stats: self.stats(),
        }
    }

    fn stats(&self) -> Stats {
        self.tally.stats(&self.clock)
    }
}
