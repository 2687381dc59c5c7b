//! What rows go through, stage by stage: put in order, scattered to the shards, gathered, judged.

use rayon::prelude::*;

use super::{DeadLetter, Engine, Output};
use crate::batch::{Batch, Begins, Cell, Chunk, Mark, Record, Row};
use crate::condition::{Verdicts, evaluate};
use crate::duplicates::{Delivery, Kind};
use crate::plan::{Plan, Stage};
use crate::scatter::{ByShard, Scattered, scatter};
use crate::shard::{Gathered, Shard};
use crate::trace::{Trace, trace};

/// Chunks whose memory is kept for the next batch: four a thread is what most have.
pub(super) const SPARE_MAX: usize = 64;
/// Rows whose identities are looked for together.
const PREFETCH: usize = 32;

impl Engine {
    /// What comes of rows that are in order.
    pub(super) fn judge(&mut self, mut chunks: Vec<Chunk<'_, '_>>, output: &mut Output, traces: Option<&mut Vec<Trace>>) {
        for stage in Stage::all(&self.plan) {
            let scattered = self.scatter(&mut chunks, stage, traces.is_some());
            self.looking(|look, around| look.count(&chunks, stage, scattered.all(), around));
            self.apply(&mut chunks, stage, &scattered);
        }
        for chunk in &mut chunks {
            leave_answered(chunk, &self.plan);
        }
        self.looking(|look, around| chunks.iter().for_each(|chunk| look.seek(chunk, around)));
        let verdicts = self.evaluate(&chunks);
        let mut seen = traces.is_some().then(|| -> Vec<Trace> {
            chunks.iter().flat_map(|chunk| trace(chunk, &self.plan, &self.populations, &self.pseudonymizer)).collect()
        });
        self.conclude(&chunks, &verdicts, output, seen.as_mut());
        if let (Some(traces), Some(mut seen)) = (traces, seen) {
            // Those that read scores come after the others of their event.
            seen.sort_by_key(|trace| trace.position);
            traces.append(&mut seen);
        }
        self.spare.extend(chunks.into_iter().map(Chunk::into_spare));
        self.spare.truncate(SPARE_MAX);
    }

    /// What is counted of a batch in whatever order, and what cannot be read of it.
    pub(super) fn tally(&mut self, batch: &Batch<'_>, output: &mut Output) {
        let records = &batch.records;
        let Self { counters, producers, .. } = self;
        counters.records += records.len() as u64;
        for stretch in &batch.stretches {
            counters.unknown_types += stretch.unknown_types;
            counters.oversized_ids += stretch.oversized_ids;
            counters.bad_events += stretch.tally.bad_events();
            producers.add(&stretch.tally);
            output.dead_letters.extend(stretch.faults.iter().map(|(record, fault)| DeadLetter {
                record: *record,
                position: records[*record].position,
                field: fault.field.clone(),
                reason: fault.reason.clone(),
            }));
        }
    }

    /// What depends on the order of the whole stream: the event clock, lateness, the future, duplicates. Gives what is made of
    /// the rows, which follow each other in stretches.
    pub(super) fn order(&mut self, records: &[Record<'_>], stretches: &[&[Row<'_>]], output: &mut Output) -> Vec<Vec<Mark>> {
        let Self { config, counters, duplicates, clock_ms, spare, brake, .. } = self;
        let mut dead_letter = |record: usize, field: Option<String>, reason: String| {
            output.dead_letters.push(DeadLetter { record, position: records[record].position, field, reason });
        };
        let mut all = Vec::with_capacity(stretches.len());
        for (number, rows) in stretches.iter().enumerate() {
            let mut marks = spare.get_mut(number).map(|spare| std::mem::take(&mut spare.marks)).unwrap_or_default();
            marks.reserve(rows.len());
            for rows in rows.chunks(PREFETCH) {
                duplicates.prefetch(rows.iter().map(|row| row.identity));
                for row in rows {
                    if row.is_part() {
                        // What becomes of the whole becomes of it.
                        let mark = marks.last().copied();
                        if let Some(mark) = mark.filter(|mark| mark.live) {
                            brake.count(row.event.data.event_type(), mark.clock_ms);
                        }
                        marks.extend(mark);
                        continue;
                    }
                    let dead = Mark { clock_ms: *clock_ms, begins: Begins::default(), late: false, live: false, due: None };
                    if row.at_ms > records[row.record].arrival_ms.saturating_add(config.future_ms) {
                        let field = if row.event.received.is_some() { "receivedtime" } else { "time" };
                        let reason = format!("future: more than {} s ahead of its arrival", config.future_ms / 1000);
                        dead_letter(row.record, Some(field.to_owned()), reason);
                        marks.push(dead);
                        continue;
                    }
                    match duplicates.check(Kind::of(row.event.data.event_type()), row.identity, row.content, row.at_ms) {
                        Delivery::First => {}
                        delivery => {
                            counters.duplicates += 1;
                            counters.duplicate_conflicts += u64::from(delivery == Delivery::Conflict);
                            marks.push(dead);
                            continue;
                        }
                    }
                    let late = row.at_ms < clock_ms.saturating_sub(config.lateness_ms);
                    *clock_ms = (*clock_ms).max(row.at_ms);
                    marks.push(Mark { clock_ms: *clock_ms, begins: Begins::default(), late, live: true, due: None });
                    counters.events += 1;
                    brake.count(row.event.data.event_type(), *clock_ms);
                    counters.late += u64::from(late);
                }
            }
            all.push(marks);
        }
        all
    }

    /// Finds which state each row touches.
    fn scatter(&mut self, chunks: &mut [Chunk<'_, '_>], stage: Stage, is_traced: bool) -> ByShard {
        let (plan, hasher, populations) = (&self.plan, &self.hasher, &self.populations);
        let run = |(number, chunk): (usize, &mut Chunk<'_, '_>)| scatter(chunk, number, stage, plan, populations, hasher, is_traced);
        let scattered: Vec<Scattered> = match &self.pool {
            None => chunks.iter_mut().enumerate().map(run).collect(),
            Some(pool) => pool.install(|| chunks.par_iter_mut().enumerate().map(run).collect()),
        };
        self.counters.filter_errors += scattered.iter().map(|part| part.filter_errors).sum::<u64>();
        ByShard::new(&scattered)
    }

    /// Applies each shard's share in stream order, then gathers the values into their rows.
    fn apply(&mut self, chunks: &mut [Chunk<'_, '_>], stage: Stage, items: &ByShard) {
        let (plan, hasher) = (&self.plan, &self.hasher);
        let gathered: Vec<Gathered> = {
            let chunks = &*chunks;
            let run =
                |number: usize, shard: &mut Shard, out: &mut Vec<Gathered>| shard.apply(items.of(number), stage, chunks, plan, hasher, out);
            match &self.pool {
                None => {
                    let mut out = Vec::new();
                    self.shards.iter_mut().enumerate().for_each(|(number, shard)| run(number, shard, &mut out));
                    out
                }
                Some(pool) => pool.install(|| {
                    self.shards
                        .par_iter_mut()
                        .enumerate()
                        .fold(Vec::new, |mut out, (number, shard)| {
                            run(number, shard, &mut out);
                            out
                        })
                        .flatten_iter()
                        .collect()
                }),
            }
        };
        // Each cell is written by one shard, so the order of writing says nothing.
        for Gathered { chunk, cell, value } in gathered {
            chunks[chunk as usize].laid.cells[cell] = value;
        }
    }

    /// Runs the conditions.
    fn evaluate(&self, chunks: &[Chunk<'_, '_>]) -> Vec<Verdicts> {
        let plan = &self.plan;
        match &self.pool {
            None => chunks.iter().map(|chunk| evaluate(chunk, plan)).collect(),
            Some(pool) => pool.install(|| chunks.par_iter().map(|chunk| evaluate(chunk, plan)).collect()),
        }
    }
}

/// An event that a timer was to bring back is left alone where its wait was answered before it was over.
fn leave_answered(chunk: &mut Chunk<'_, '_>, plan: &Plan) {
    for (row, mark) in chunk.rows.iter().zip(&mut chunk.marks) {
        if let Some(binding) = mark.due {
            let cell = plan.of(row.event.data.event_type()).cell_of(usize::from(binding));
            mark.live = cell.is_some_and(|cell| matches!(chunk.laid.cells[mark.begins.cells + cell], Cell::Signal(_)));
        }
    }
}
