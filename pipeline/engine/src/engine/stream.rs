//! The stream that an engine sees: a batch's rows, timers that come due between them, and minutes that close.
//!
//! ```text
//! rows     ── 1 ── 2 ───────────── 3 ─── 4 ──     in order of the log; the clock never goes back
//! due            ── a ── b ──                     before the event that passed them, in order (due, operator, key)
//! segments [ 1 ─ 2 ─ a ][ b ][ 3 ─ 4 ]            none spans more than the shortest timer or, with a population, a minute
//! ```
//!
//! A timer that is armed in a segment is due after it, and what a population says is the same all through it. So what
//! comes due is known before a segment begins, and where the log is cut into batches changes nothing. Where more is due than
//! one segment may hold, it ends with the last that it may, and the next one begins with the rest.

use std::ops::Range;

use super::{Engine, Output};
use crate::batch::{Batch, Begins, Chunk, Laid, Mark, Record, Row, Spare};
use crate::memory::DEAL_EVERY;
use crate::plan::Span;
use crate::population::minute_of;
use crate::scatter::{SHARDS, key_at, shard_of};
use crate::timer::{Due, Turn};
use crate::trace::Trace;

/// What passes timers by.
#[derive(Clone, Copy)]
struct Passing {
    /// The log's clock at it, ms.
    clock_ms: i64,
    position: u64,
    arrival_ms: i64,
}

/// A piece of a segment.
enum Piece<'b, 'a> {
    Rows(Chunk<'b, 'a>),
    /// Of what is due, those, and what passes them.
    Due(Range<usize>, Passing),
}

/// The rows of a part of a batch, flat.
struct Rows<'b, 'a> {
    records: &'b [Record<'a>],
    stretches: &'b [&'b [Row<'a>]],
    marks: &'b [Vec<Mark>],
    /// (stretch, row) of the next one.
    next: (usize, usize),
}

impl<'b, 'a> Rows<'b, 'a> {
    /// What the next row is, where there is one.
    fn peek(&mut self) -> Option<Passing> {
        while self.marks.get(self.next.0).is_some_and(|marks| self.next.1 >= marks.len()) {
            self.next = (self.next.0 + 1, 0);
        }
        let (stretch, row) = self.next;
        let mark = self.marks.get(stretch)?.get(row)?;
        let record = &self.records[self.stretches[stretch][row].record];
        Some(Passing { clock_ms: mark.clock_ms, position: record.position, arrival_ms: record.arrival_ms })
    }

    /// The clock of the first row that lies beyond `last_ms`, else that of the last one: what is due before it is passed.
    fn passes(&self, last_ms: i64) -> Option<i64> {
        let rest = self
            .marks
            .iter()
            .enumerate()
            .skip(self.next.0)
            .map(|(stretch, marks)| &marks[if stretch == self.next.0 { self.next.1 } else { 0 }..]);
        let mut last = None;
        for marks in rest {
            if let Some(mark) = marks.get(marks.partition_point(|mark| mark.clock_ms <= last_ms)) {
                return Some(mark.clock_ms);
            }
            last = marks.last().map(|mark| mark.clock_ms).or(last);
        }
        last
    }

    /// Appends the rows whose clock is at `until_ms` at the most, as chunks.
    fn take(&mut self, until_ms: i64, spare: &mut Vec<Spare>, out: &mut Vec<Piece<'b, 'a>>) {
        while self.peek().is_some_and(|next| next.clock_ms <= until_ms) {
            let (stretch, from) = self.next;
            let marks = &self.marks[stretch];
            let to = from + marks[from..].partition_point(|mark| mark.clock_ms <= until_ms);
            let mut spare = spare.pop().unwrap_or_default();
            spare.marks.extend_from_slice(&marks[from..to]);
            let rows = &self.stretches[stretch][from..to];
            out.push(Piece::Rows(Chunk { records: self.records, rows, marks: spare.marks, laid: spare.laid }));
            self.next = (stretch, to);
        }
    }
}

impl Engine {
    /// Takes the state over a batch.
    pub(super) fn take(&mut self, batch: &Batch<'_>, output: &mut Output, mut traces: Option<&mut Vec<Trace>>) {
        assert!(batch.seed == self.pseudonymizer.seed(), "a batch that was decoded under another secret");
        if batch.records.is_empty() {
            return;
        }
        self.tally(batch, output);
        let stretches = || batch.stretches.iter().map(|stretch| stretch.rows.as_slice());
        let position = |row: &Row<'_>| batch.records[row.record].position;
        let mut done = vec![0; batch.stretches.len()];
        // No part crosses a position at which memory is dealt.
        while let Some(first) = stretches().zip(&done).find_map(|(rows, done)| rows.get(*done)) {
            self.deal_at(position(first));
            let number = position(first) / DEAL_EVERY;
            let end = |(rows, done): (&[Row<'_>], &usize)| rows.partition_point(|row| position(row) / DEAL_EVERY <= number).max(*done);
            let ends: Vec<usize> = stretches().zip(&done).map(end).collect();
            let part: Vec<&[Row<'_>]> = stretches().zip(done.iter().zip(&ends)).map(|(rows, (done, end))| &rows[*done..*end]).collect();
            self.take_part(&batch.records, &part, output, traces.as_deref_mut());
            done = ends;
        }
        output.dead_letters.sort_by_key(|letter| letter.record);
        self.counters.dead_letters += output.dead_letters.len() as u64;
    }

    /// Takes the state over rows between two deals of memory.
    fn take_part(&mut self, records: &[Record<'_>], stretches: &[&[Row<'_>]], output: &mut Output, mut traces: Option<&mut Vec<Trace>>) {
        self.brake.forget();
        let marks = self.order(records, stretches, output);
        if !self.plan.cuts() {
            let spare = self.spare.drain(..).chain(std::iter::repeat_with(Spare::default));
            let chunks = stretches.iter().zip(marks).zip(spare);
            let chunks = chunks.map(|((rows, marks), spare)| Chunk { records, rows, marks, laid: spare.laid }).collect();
            self.judge(chunks, output, traces);
            return;
        }
        let mut rows = Rows { records, stretches, marks: &marks, next: (0, 0) };
        while let Some(next) = rows.peek() {
            self.segment(&mut rows, next, output, traces.as_deref_mut());
        }
    }

    /// Says that the wall clock has come to `at_ms`, Unix ms, while no event came: the event clock comes to the allowed
    /// lateness before it, and never goes back. So an event that is on time after a silence is not late by it, and what
    /// waits for a time is not held up by the silence: what comes out is what comes due by it.
    pub fn tick(&mut self, position: u64, at_ms: i64) -> Output {
        self.passed(position, at_ms, None)
    }

    /// Does the same, and says what every condition saw on the way.
    pub fn tick_traced(&mut self, position: u64, at_ms: i64) -> (Output, Vec<Trace>) {
        let mut traces = Vec::new();
        let output = self.passed(position, at_ms, Some(&mut traces));
        (output, traces)
    }

    fn passed(&mut self, position: u64, at_ms: i64, mut traces: Option<&mut Vec<Trace>>) -> Output {
        let mut output = Output::default();
        self.deal_at(position);
        self.clock_ms = self.clock_ms.max(at_ms.saturating_sub(self.config.lateness_ms));
        if self.plan.cuts() {
            let passing = Passing { clock_ms: self.clock_ms, position, arrival_ms: at_ms };
            let mut rows = Rows { records: &[], stretches: &[], marks: &[], next: (0, 0) };
            while self.next_due().is_some_and(|due_ms| due_ms < passing.clock_ms) {
                self.segment(&mut rows, passing, &mut output, traces.as_deref_mut());
            }
            self.populations.close(minute_of(passing.clock_ms), &mut self.shards);
        }
        output
    }

    /// Takes the state over the next segment: from the first timer that `next` passes, else from `next` itself.
    fn segment(&mut self, rows: &mut Rows<'_, '_>, next: Passing, output: &mut Output, traces: Option<&mut Vec<Trace>>) {
        let from_ms = self.next_due().map_or(next.clock_ms, |due_ms| due_ms.min(next.clock_ms));
        self.populations.close(minute_of(from_ms), &mut self.shards);
        let Span { last_ms, end_ms } = self.plan.span(from_ms);
        let passed_ms = rows.passes(last_ms).unwrap_or(next.clock_ms);
        let (due, left_ms) = self.due(end_ms.min(passed_ms));
        let again: Vec<Row<'_>> = due.iter().enumerate().map_while(|(number, due)| self.again(due, number)).collect();
        let (over, lost) = due.split_at(again.len());
        // What is left for the next segment, and what is lost, has its turn before the rows that pass it.
        let last_ms = lost.first().map(|due| due.turn.over_ms).or(left_ms).map_or(last_ms, |left_ms| left_ms.min(last_ms));

        let (mut pieces, mut done) = (Vec::new(), 0);
        loop {
            let row = rows.peek();
            let passing = row.unwrap_or(next);
            let passed = over[done..].partition_point(|due| due.turn.over_ms < passing.clock_ms);
            let (end, size) = (done + passed, self.due_chunk(passed));
            pieces.extend((done..end).step_by(size).map(|begin| Piece::Due(begin..end.min(begin + size), passing)));
            done = end;
            if row.is_none_or(|row| row.clock_ms > last_ms) {
                break;
            }
            let until_ms = over.get(done).map_or(last_ms, |due| due.turn.over_ms.min(last_ms));
            rows.take(until_ms, &mut self.spare, &mut pieces);
        }
        let mut records = Vec::with_capacity(over.len());
        for piece in &pieces {
            if let Piece::Due(range, Passing { position, arrival_ms, .. }) = piece {
                let (position, arrival_ms) = (*position, *arrival_ms);
                records.extend(over[range.clone()].iter().map(|due| Record { position, arrival_ms, bytes: due.record() }));
            }
        }
        let mark = |due: &Due| Mark {
            clock_ms: due.turn.over_ms,
            begins: Begins::default(),
            late: false,
            live: true,
            due: Some(due.turn.binding),
        };
        let chunks = pieces.into_iter().map(|piece| match piece {
            Piece::Rows(chunk) => chunk,
            Piece::Due(range, _) => {
                let marks = over[range.clone()].iter().map(mark).collect();
                Chunk { records: &records, rows: &again[range], marks, laid: Laid::default() }
            }
        });
        let chunks = chunks.collect();
        self.judge(chunks, output, traces);
        let passed_ms = rows.peek().map_or(next.clock_ms, |row| row.clock_ms);
        for due in lost.iter().take_while(|due| due.turn.over_ms < passed_ms) {
            if self.again(due, 0).is_some() {
                break; // the next segment begins with it
            }
            self.counters.waits_lost += u64::from(self.shards[shard_of(due.turn.key)].give_up(due));
        }
    }

    /// When the next timer is due, ms of the log's clock.
    pub(crate) fn next_due(&mut self) -> Option<i64> {
        let timers = &self.plan.timers;
        self.shards.iter_mut().filter_map(|shard| shard.next_due(timers)).min()
    }

    /// What is due before that instant, in order, as far as one segment may hold it; and from which instant on more is due,
    /// where there is more.
    fn due(&self, before_ms: i64) -> (Vec<Due>, Option<i64>) {
        // Keys are spread evenly, so twice a shard's share is seldom not enough; and where it is not, this takes fewer.
        let most = (self.due_max / SHARDS * 2).max(1);
        let (mut turns, mut left): (Vec<Turn>, Option<Turn>) = (Vec::new(), None);
        for shard in &self.shards {
            left = left.into_iter().chain(shard.turns(&self.plan.timers, before_ms, most, &mut turns)).min();
        }
        turns.sort_unstable();
        if let Some(left) = left {
            turns.truncate(turns.partition_point(|turn| *turn < left));
        }
        let left = turns.get(self.due_max).copied().or(left);
        turns.truncate(self.due_max);
        let due = turns.into_iter().filter_map(|turn| self.shards[shard_of(turn.key)].due(turn)).collect();
        (due, left.map(|turn| turn.over_ms))
    }

    /// Of so many waits that are over, how many are one thread's.
    fn due_chunk(&self, count: usize) -> usize {
        self.pool.as_ref().map_or(count, |pool| count.div_ceil(pool.current_num_threads() * 4)).max(1)
    }

    /// The event that armed a wait as it is seen once more, of that number; `None` where it cannot be read any more, as
    /// another version took it, or is read with another key or identity than it was armed with.
    fn again<'d>(&self, due: &'d Due, number: usize) -> Option<Row<'d>> {
        let Turn { over_ms, binding, key, .. } = due.turn;
        let row = Row::new(due.event(&self.config.limits)?, number, due.record(), &self.hasher);
        let parts: Vec<Row<'_>> = row.parts(&self.hasher).collect();
        let row = std::iter::once(row).chain(parts).find(|row| row.identity == due.identity)?;
        let is_its = key_at(&row.event, usize::from(binding), &self.plan, &self.hasher) == Some(key);
        is_its.then_some(Row { at_ms: over_ms, ..row })
    }
}

#[cfg(test)]
mod tests;
