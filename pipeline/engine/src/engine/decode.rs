//! The first door: records, or an archive's columns, to a batch of typed events. What is decoded once, several engines may
//! take.

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::columns::{Columns, ColumnsEvent};
use rayon::prelude::*;

use super::Engine;
use super::stages::SPARE_MAX;
use crate::batch::{Batch, ColumnsRecord, Opened, Record, Row, Stretch, with_opened};

impl Engine {
    /// Decodes records, for any engine that has the same secret and the same bounds on one record: old and new rules, or
    /// many parameters over one log. What had to be opened lies in `opened`, of which each batch has its own.
    ///
    /// # Panics
    /// When another batch has used `opened`.
    pub fn decode<'a>(&mut self, records: &'a [Record<'a>], opened: &'a Opened) -> Batch<'a> {
        let mut stretches = self.stretches(records);
        let mut records = std::borrow::Cow::Borrowed(records);
        // Rare, and then worth a second decoding: everything else is read from records as they came.
        let found: Vec<_> = stretches.iter_mut().flat_map(|stretch| std::mem::take(&mut stretch.opened)).collect();
        if !found.is_empty() {
            assert!(opened.0.set(found).is_ok(), "a batch has what it opened to itself");
            self.spare_rows.extend(stretches.into_iter().map(Stretch::into_spare));
            records = with_opened(&records, opened.0.get().map_or(&[], Vec::as_slice)).into();
            stretches = self.stretches(&records);
        }
        Batch { records, stretches, seed: self.pseudonymizer.seed() }
    }

    /// Makes a batch of what an archive's columns hold, in the order of the log. What needs raw values is fed none of it, and
    /// rules that read such are not asked: [`Engine::rules_that_need_raw`]. A condition that looks into a personal value gives
    /// no value; keys, counts of different ones, and whether two are the same go by stand-ins.
    pub fn columns<'a>(&self, records: &'a [ColumnsRecord]) -> Batch<'a> {
        let record = |record: &ColumnsRecord| Record { position: record.position, arrival_ms: record.arrival_ms, bytes: &[] };
        let stretches = match &self.pool {
            None => vec![Stretch::of_columns(records, 0, &self.hasher)],
            Some(pool) => {
                let size = records.len().div_ceil(pool.current_num_threads() * 4).max(1);
                let stretch = |(number, part)| Stretch::of_columns(part, number * size, &self.hasher);
                pool.install(|| records.par_chunks(size).enumerate().map(stretch).collect())
            }
        };
        Batch { records: records.iter().map(record).collect(), stretches, seed: self.pseudonymizer.seed() }
    }

    /// What an archive may keep of a batch, event by event in the order of the log: nothing raw is in it. Fields outside the
    /// vocabulary are added by whoever reads them.
    pub fn archived(&self, batch: &Batch<'_>) -> Vec<ColumnsRecord> {
        let leave = |kind: EntityKind, raw: &str| self.pseudonymizer.leave(kind, raw);
        let leave_id = |raw: &str| self.pseudonymizer.leave_id(raw).into_owned();
        let archived = |row: &Row<'_>| {
            let columns = Columns::of(&row.event.data, &self.hasher, leave, leave_id);
            let (id, source) = (leave_id(&row.event.id).into(), leave_id(&row.event.source).into());
            let Record { position, arrival_ms, .. } = batch.records[row.record];
            ColumnsRecord { position, arrival_ms, event: ColumnsEvent { id, source, ..ColumnsEvent::of(&row.event, columns) } }
        };
        let of = |stretch: &Stretch<'_>| stretch.rows.iter().filter(|row| !row.is_part()).map(archived).collect::<Vec<_>>();
        match &self.pool {
            None => batch.stretches.iter().flat_map(of).collect(),
            Some(pool) => pool.install(|| batch.stretches.par_iter().map(of).collect::<Vec<_>>()).into_iter().flatten().collect(),
        }
    }

    /// Whether events of that type out of columns change or ask anything: of others only their place in the stream matters.
    pub fn reads_columns_of(&self, event: EventType) -> bool {
        self.plan.of(event).reads_columns()
    }

    /// The rules that a batch out of columns says nothing about, as something that they read looks into raw values.
    pub fn rules_that_need_raw(&self) -> impl Iterator<Item = &str> {
        self.plan.ruleset.rules.iter().filter(|rule| self.plan.needs_raw(rule)).map(|rule| rule.id.as_str())
    }

    /// Takes a batch's memory back, for the next one.
    pub fn recycle(&mut self, batch: Batch<'_>) {
        self.spare_rows.extend(batch.stretches.into_iter().map(Stretch::into_spare));
        self.spare_rows.truncate(SPARE_MAX);
    }

    /// Records to events and faults, stretch by stretch.
    fn stretches<'a>(&mut self, records: &[Record<'a>]) -> Vec<Stretch<'a>> {
        let (limits, hasher) = (&self.config.limits, &self.hasher);
        match &self.pool {
            None => vec![Stretch::decode(records, 0, limits, hasher, self.spare_rows.pop().unwrap_or_default())],
            Some(pool) => {
                // Several stretches a thread, so that one of long records does not hold up the rest.
                let size = records.len().div_ceil(pool.current_num_threads() * 4).max(1);
                self.spare_rows.resize_with(records.len().div_ceil(size), Vec::new);
                let spare = std::mem::take(&mut self.spare_rows);
                pool.install(|| {
                    let parts = records.par_chunks(size).enumerate().zip(spare);
                    parts.map(|((number, part), rows)| Stretch::decode(part, number * size, limits, hasher, rows)).collect()
                })
            }
        }
    }
}
