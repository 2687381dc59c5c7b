//! What was asked and what was answered, paired: each request waits for an answer of its own for as long as is granted, and then
//! counts once, answered or not.
//!
//! An answer is taken by the newest request of its pair that it does not come before and that has none yet; one that came before its
//! request was known, by the first such request. Of a key that is asked much at once some pairs are looked at in place of all: those
//! whose hash ends in so many zero bits, each for as many as it stands for. Answers and requests of a pair are looked at or left out
//! together, so a share over them stays the same.

use serde::{Deserialize, Serialize};

use crate::operator::HeapBounds;

/// Requests and answers kept at once. 512: 12 KiB a key.
pub const OPEN_MAX: usize = 512;

/// Requests that are not old enough, and answers that no request has taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// In order of time.
    open: Vec<Open>,
    /// Of two to the power of this many pairs one is looked at.
    thinned: u8,
    /// Those that are older are counted, or were never known, ms.
    settled_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    at_ms: i64,
    pair: u64,
    sort: Sort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Sort {
    Asked,
    Answered,
    /// An answer that came before its request was known.
    Answer,
}

/// A request that has had its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// When it was made, ms.
    pub at_ms: i64,
    /// Whether an answer of its own came in time.
    pub answered: bool,
    /// For how many it stands.
    pub weight: i64,
}

impl Pairs {
    /// Takes in a request of a pair; one that is older than what has been counted is not.
    pub fn ask(&mut self, at_ms: i64, pair: u64, settle_ms: i64) {
        if self.is_left_out(at_ms, pair) {
            return;
        }
        let answers = |open: &Open| open.sort == Sort::Answer && open.pair == pair && near(at_ms, open.at_ms, settle_ms);
        // One of its own instant keeps its place among what is as old.
        let sort = match self.open.iter().position(answers).map(|index| (index, self.open.remove(index))) {
            Some((index, answer)) if answer.at_ms == at_ms => {
                self.open.insert(index, Open { sort: Sort::Answered, ..answer });
                return;
            }
            Some(_) => Sort::Answered,
            None => Sort::Asked,
        };
        self.put(Open { at_ms, pair, sort });
    }

    /// Takes in an answer.
    pub fn answer(&mut self, at_ms: i64, pair: u64, settle_ms: i64) {
        if self.is_left_out(at_ms, pair) {
            return;
        }
        let asks = |open: &&mut Open| open.sort == Sort::Asked && open.pair == pair && near(open.at_ms, at_ms, settle_ms);
        if let Some(asked) = self.open.iter_mut().rev().find(asks) {
            asked.sort = Sort::Answered;
        } else {
            self.put(Open { at_ms, pair, sort: Sort::Answer });
        }
    }

    /// Takes out what was asked up to `until_ms`, and forgets answers that nothing can take any more.
    pub fn settle(&mut self, until_ms: i64, mut each: impl FnMut(Settled)) {
        self.settled_ms = self.settled_ms.max(Some(until_ms));
        let ready = self.open.partition_point(|open| open.at_ms <= until_ms);
        let weight = self.weight();
        self.open.drain(..ready).filter_map(|open| open.settled(weight)).for_each(&mut each);
        if self.open.is_empty() {
            self.thinned = 0;
        }
    }

    /// What of it would be taken out by then.
    pub fn ready(&self, until_ms: i64) -> impl Iterator<Item = Settled> {
        let weight = self.weight();
        self.open.iter().take_while(move |open| open.at_ms <= until_ms).filter_map(move |open| open.settled(weight))
    }

    /// For how many each now stands.
    pub fn weight(&self) -> i64 {
        1 << self.thinned.min(62)
    }

    /// Memory, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.open.len() * size_of::<Open>()
    }

    fn is_left_out(&self, at_ms: i64, pair: u64) -> bool {
        self.settled_ms.is_some_and(|settled_ms| at_ms <= settled_ms) || !self.looks_at(pair)
    }

    fn looks_at(&self, pair: u64) -> bool {
        pair.trailing_zeros() >= self.thinned.into()
    }

    /// Puts one in its place, behind those of the same time, and keeps within the bound.
    fn put(&mut self, one: Open) {
        // It is almost always the newest, so the place is looked for from the end.
        let after = self.open.iter().rposition(|open| open.at_ms <= one.at_ms);
        self.open.insert(after.map_or(0, |index| index + 1), one);
        while self.open.len() > OPEN_MAX && self.thinned < 62 {
            self.thinned += 1;
            let thinned = self.thinned;
            self.open.retain(|open| open.pair.trailing_zeros() >= thinned.into());
        }
        // One pair alone that is asked so often.
        let over = self.open.len().saturating_sub(OPEN_MAX);
        self.open.drain(..over);
    }
}

impl Open {
    fn settled(self, weight: i64) -> Option<Settled> {
        let answered = match self.sort {
            Sort::Asked => false,
            Sort::Answered => true,
            Sort::Answer => return None,
        };
        Some(Settled { at_ms: self.at_ms, answered, weight })
    }
}

/// Whether an answer came in time.
fn near(asked_ms: i64, answered_ms: i64, settle_ms: i64) -> bool {
    asked_ms <= answered_ms && answered_ms.saturating_sub(asked_ms) <= settle_ms
}

/// What one key takes.
pub const HEAP: HeapBounds = HeapBounds { first: size_of::<Open>(), most: OPEN_MAX * size_of::<Open>() };

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTLE: i64 = 100;

    fn settled(pairs: &mut Pairs, until_ms: i64) -> Vec<(i64, bool)> {
        let mut out = Vec::new();
        pairs.settle(until_ms, |settled| out.push((settled.at_ms, settled.answered)));
        out
    }

    #[test]
    fn each_request_counts_once_by_its_own_answer() {
        let mut pairs = Pairs::default();
        pairs.ask(0, 1, SETTLE);
        pairs.ask(10, 1, SETTLE);
        pairs.ask(20, 2, SETTLE);
        pairs.answer(30, 1, SETTLE);
        pairs.answer(121, 2, SETTLE); // too late
        assert_eq!(settled(&mut pairs, 20), [(0, false), (10, true), (20, false)]);
        pairs.ask(15, 1, SETTLE);
        assert_eq!(settled(&mut pairs, 200), [], "what is older than what was counted is not");
    }

    #[test]
    fn an_answer_may_come_before_its_request_is_known() {
        let mut pairs = Pairs::default();
        pairs.answer(30, 1, SETTLE);
        pairs.ask(40, 1, SETTLE);
        pairs.ask(20, 1, SETTLE);
        assert_eq!(settled(&mut pairs, 200), [(20, true), (40, false)]);
    }

    #[test]
    fn many_at_once_are_looked_at_in_part_and_the_share_stays() {
        let (mut pairs, mut all, mut answered) = (Pairs::default(), 0, 0);
        let hash = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        for number in 0..100_000_u64 {
            let at_ms = i64::try_from(number / 1_000).expect("small");
            pairs.ask(at_ms, hash(number), SETTLE);
            if number % 4 == 0 {
                pairs.answer(at_ms, hash(number), SETTLE);
            }
            assert!(pairs.open.len() <= OPEN_MAX);
        }
        pairs.settle(1_000, |settled| {
            all += settled.weight;
            answered += if settled.answered { settled.weight } else { 0 };
        });
        assert!((70_000..130_000).contains(&all), "{all}");
        assert!((15..35).contains(&(100 * answered / all)), "{answered} of {all}");
    }

    proptest! {
        /// In order, whatever is asked and answered: the newest open request takes an answer.
        #[test]
        fn it_agrees_with_a_list(events in proptest::collection::vec((1_i64..40, 0_u64..4, any::<bool>()), 1..200)) {
            let (mut pairs, mut now, mut asked) = (Pairs::default(), 0, Vec::<(i64, u64, bool)>::new());
            for (step, pair, is_answer) in events {
                now += step;
                if is_answer {
                    pairs.answer(now, pair, SETTLE);
                    if let Some(found) = asked.iter_mut().rev().find(|(at, of, answered)| *of == pair && !answered && now - at <= SETTLE) {
                        found.2 = true;
                    }
                } else {
                    pairs.ask(now, pair, SETTLE);
                    asked.push((now, pair, false));
                }
            }
            // Answers that nobody took can be taken by nothing that comes later.
            let expected: Vec<(i64, bool)> = asked.iter().map(|(at, _, answered)| (*at, *answered)).collect();
            prop_assert_eq!(settled(&mut pairs, i64::MAX), expected);
        }

        /// In any order: no request counts twice, none is answered without an answer of its own.
        #[test]
        fn never_more_answers_than_there_were(events in proptest::collection::vec((0_i64..500, 0_u64..4, any::<bool>()), 1..200)) {
            let mut pairs = Pairs::default();
            for (at, pair, is_answer) in &events {
                if *is_answer { pairs.answer(*at, *pair, SETTLE) } else { pairs.ask(*at, *pair, SETTLE) }
            }
            let out = settled(&mut pairs, i64::MAX);
            let of = |answers: bool| events.iter().filter(|(.., is_answer)| *is_answer == answers).count();
            prop_assert_eq!(out.len(), of(false));
            prop_assert!(out.iter().filter(|(_, answered)| *answered).count() <= of(true));
        }
    }
}
