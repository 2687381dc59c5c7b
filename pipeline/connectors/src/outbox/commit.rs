//! What a transaction does to the tables.

use std::collections::HashSet;

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::tables::{ALERTS, Counters, ENGINES, META, NEWEST_SCORES, PARKED, PARKED_SCORES, QUEUE, SINKS, STANDING, decode, encode};
use super::{Commit, Error, Kept, Parked};
use crate::effect::{Body, Fate, Item, Settled};

pub(super) fn apply(write: &WriteTransaction, kept: &mut Kept, commit: Commit<'_>) -> Result<Vec<Item>, Error> {
    let committed = kept.position;
    if commit.position < committed {
        return Err(Error::PositionFell { committed, asked: commit.position });
    }
    // C1: an effect leaves once, by the commit of what made it.
    if let Some(item) = commit.items.iter().find(|item| item.position <= committed || item.position > commit.position) {
        return Err(Error::ItemOutside { position: item.position, after: committed, upto: commit.position });
    }
    write.open_table(META).map_err(Error::write)?.insert("position", commit.position).map_err(Error::write)?;
    kept.position = commit.position;
    keep_alerts(write, kept, committed, commit)?;
    let mut queues = Queues::open(write)?;
    // Answers first: they were given before the new items were known.
    for settled in commit.settled {
        queues.settle(kept, settled)?;
    }
    let mut pushed = Vec::with_capacity(commit.items.len());
    for item in commit.items {
        pushed.extend(queues.push(kept, item.clone())?);
    }
    // A score that a later one of the same commit has replaced is not pending any more.
    let mut seen = HashSet::new();
    let mut newest: Vec<Item> = pushed.into_iter().rev().filter(|item| !is_replaced(&mut seen, item)).collect();
    newest.reverse();
    queues.keep_counters(kept)?;
    keep_standing(write, commit)?;
    Ok(newest)
}

fn keep_standing(write: &WriteTransaction, commit: Commit<'_>) -> Result<(), Error> {
    if commit.standing.is_empty() {
        return Ok(());
    }
    let mut standing = write.open_table(STANDING).map_err(Error::write)?;
    for change in commit.standing {
        let key = (change.sink.as_str(), change.key.as_str());
        match &change.page {
            Some(page) => drop(standing.insert(key, encode(page).as_slice()).map_err(Error::write)?),
            None => drop(standing.remove(key).map_err(Error::write)?),
        }
    }
    Ok(())
}

/// Whether a score of the same sink and entity was `seen`; it is now.
fn is_replaced(seen: &mut HashSet<(String, String)>, item: &Item) -> bool {
    matches!(&item.body, Body::Score(change) if !seen.insert((item.sink.clone(), change.entity.clone())))
}

fn keep_alerts(write: &WriteTransaction, kept: &mut Kept, committed: u64, commit: Commit<'_>) -> Result<(), Error> {
    let mut alerts = write.open_table(ALERTS).map_err(Error::write)?;
    let mut before = (committed, 0);
    for alert in commit.alerts {
        let key = if alert.position == before.0 { (alert.position, before.1 + 1) } else { (alert.position, 0) };
        if key.0 <= committed || key.0 > commit.position || key < before {
            return Err(Error::AlertOutside { position: alert.position, after: committed, upto: commit.position });
        }
        let hash = blake3::hash(alert.json);
        let hash = hash.as_bytes().first_chunk::<16>().expect("a BLAKE3 hash has 32 bytes");
        alerts.insert(key, hash).map_err(Error::write)?;
        kept.alerts += 1;
        before = key;
    }
    Ok(())
}

pub(super) fn forget_alerts(write: &WriteTransaction, kept: &mut Kept, position: u64) -> Result<(), Error> {
    let mut alerts = write.open_table(ALERTS).map_err(Error::write)?;
    alerts.retain_in(..(position, 0), |_, _| false).map_err(Error::write)?;
    kept.alerts = alerts.len().map_err(Error::write)?;
    kept.alerts_from = kept.alerts_from.max(position);
    write.open_table(META).map_err(Error::write)?.insert("alerts_from", kept.alerts_from).map_err(Error::write)?;
    Ok(())
}

pub(super) fn commits_by(write: &WriteTransaction, kept: &Kept, engine: &str) -> Result<(), Error> {
    write.open_table(ENGINES).map_err(Error::write)?.insert(kept.position + 1, engine).map_err(Error::write)?;
    // Now that the file is written on anyway: what it holds begins where it was found to begin.
    write.open_table(META).map_err(Error::write)?.insert("alerts_from", kept.alerts_from).map_err(Error::write)?;
    Ok(())
}

pub(super) fn unpark(write: &WriteTransaction, kept: &mut Kept, sink: &str, seq: u64) -> Result<Option<Item>, Error> {
    let mut queues = Queues::open(write)?;
    let Some(parked) = queues.take_parked(kept, sink, seq)? else { return Ok(None) };
    let item = queues.push(kept, parked.item)?;
    queues.keep_counters(kept)?;
    Ok(item)
}

pub(super) fn unpark_all(write: &WriteTransaction, kept: &mut Kept, sink: &str, seqs: &[u64]) -> Result<Vec<u64>, Error> {
    let mut queues = Queues::open(write)?;
    let mut offered = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let Some(parked) = queues.take_parked(kept, sink, *seq)? else { continue };
        if queues.push(kept, parked.item)?.is_some() {
            offered.push(*seq);
        }
    }
    queues.keep_counters(kept)?;
    Ok(offered)
}

pub(super) fn forget_parked(write: &WriteTransaction, kept: &mut Kept, committed_ms: i64) -> Result<u64, Error> {
    let mut queues = Queues::open(write)?;
    let mut old = Vec::new();
    for entry in queues.parked.iter().map_err(Error::write)? {
        let (key, value) = entry.map_err(Error::write)?;
        let parked: Parked = decode("a parked item", value.value())?;
        if parked.item.committed_ms < committed_ms {
            old.push((parked.item.sink, key.value().1));
        }
    }
    for (sink, seq) in &old {
        queues.take_parked(kept, sink, *seq)?;
    }
    queues.keep_counters(kept)?;
    Ok(old.len() as u64)
}

/// The tables of items, open for writing.
struct Queues<'a> {
    sinks: Table<'a, &'static str, (u64, u64, u64, u64)>,
    queue: Table<'a, (&'static str, u64), &'static [u8]>,
    newest: Table<'a, (&'static str, &'static str), (u64, i64)>,
    parked: Table<'a, (&'static str, u64), &'static [u8]>,
    parked_scores: Table<'a, (&'static str, &'static str), u64>,
}

impl<'a> Queues<'a> {
    fn open(write: &'a WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            sinks: write.open_table(SINKS).map_err(Error::write)?,
            queue: write.open_table(QUEUE).map_err(Error::write)?,
            newest: write.open_table(NEWEST_SCORES).map_err(Error::write)?,
            parked: write.open_table(PARKED).map_err(Error::write)?,
            parked_scores: write.open_table(PARKED_SCORES).map_err(Error::write)?,
        })
    }

    /// Puts an item at the end of its queue, in place of an older score of the same entity; `None` where a newer one is
    /// there. The same version again is taken: whoever says it again wants it sent again.
    fn push(&mut self, kept: &mut Kept, mut item: Item) -> Result<Option<Item>, Error> {
        if let Body::Score(change) = &item.body {
            let entity = (item.sink.as_str(), change.entity.as_str());
            let older = self.newest.get(entity).map_err(Error::write)?.map(|value| value.value());
            if let Some((seq, version)) = older {
                if version > change.version {
                    return Ok(None);
                }
                self.take_pending(kept, &item.sink, seq)?;
            }
            let parked = self.parked_scores.get(entity).map_err(Error::write)?.map(|value| value.value());
            if let Some(seq) = parked {
                self.take_parked(kept, &item.sink, seq)?;
            }
        }
        let counters = kept.sinks.entry(item.sink.clone()).or_default();
        item.seq = counters.next;
        counters.next += 1;
        let bytes = encode(&item);
        counters.pending += 1;
        counters.bytes += bytes.len() as u64;
        self.queue.insert((item.sink.as_str(), item.seq), bytes.as_slice()).map_err(Error::write)?;
        if let Body::Score(change) = &item.body {
            let entity = (item.sink.as_str(), change.entity.as_str());
            self.newest.insert(entity, (item.seq, change.version)).map_err(Error::write)?;
        }
        Ok(Some(item))
    }

    /// What is no longer pending under that seq was replaced by a newer score, or settled before.
    fn settle(&mut self, kept: &mut Kept, settled: &Settled) -> Result<(), Error> {
        let Some(item) = self.take_pending(kept, &settled.sink, settled.seq)? else { return Ok(()) };
        let Fate::Parked { answer } = &settled.fate else { return Ok(()) };
        let parked = Parked { item, answer: answer.clone() };
        let bytes = encode(&parked);
        let counters = counters(kept, &settled.sink);
        counters.parked += 1;
        counters.bytes += bytes.len() as u64;
        self.parked.insert((settled.sink.as_str(), settled.seq), bytes.as_slice()).map_err(Error::write)?;
        if let Body::Score(change) = &parked.item.body {
            let entity = (settled.sink.as_str(), change.entity.as_str());
            self.parked_scores.insert(entity, settled.seq).map_err(Error::write)?;
        }
        Ok(())
    }

    fn take_pending(&mut self, kept: &mut Kept, sink: &str, seq: u64) -> Result<Option<Item>, Error> {
        let (item, bytes): (Item, u64) = {
            let Some(value) = self.queue.remove((sink, seq)).map_err(Error::write)? else { return Ok(None) };
            (decode("an item", value.value())?, value.value().len() as u64)
        };
        let counters = counters(kept, sink);
        counters.pending -= 1;
        counters.bytes -= bytes;
        if let Body::Score(change) = &item.body {
            self.newest.remove((sink, change.entity.as_str())).map_err(Error::write)?;
        }
        Ok(Some(item))
    }

    fn take_parked(&mut self, kept: &mut Kept, sink: &str, seq: u64) -> Result<Option<Parked>, Error> {
        let (parked, bytes): (Parked, u64) = {
            let Some(value) = self.parked.remove((sink, seq)).map_err(Error::write)? else { return Ok(None) };
            (decode("a parked item", value.value())?, value.value().len() as u64)
        };
        let counters = counters(kept, sink);
        counters.parked -= 1;
        counters.bytes -= bytes;
        if let Body::Score(change) = &parked.item.body {
            self.parked_scores.remove((sink, change.entity.as_str())).map_err(Error::write)?;
        }
        Ok(Some(parked))
    }

    fn keep_counters(&mut self, kept: &Kept) -> Result<(), Error> {
        for (sink, counters) in &kept.sinks {
            self.sinks.insert(sink.as_str(), <(u64, u64, u64, u64)>::from(*counters)).map_err(Error::write)?;
        }
        Ok(())
    }
}

fn counters<'a>(kept: &'a mut Kept, sink: &str) -> &'a mut Counters {
    kept.sinks.get_mut(sink).expect("a sink that has an item has counters")
}
