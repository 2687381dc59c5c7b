//! Hits of one rule and entity close to an alert are counted, not alerted again; and no alert is given twice.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::keyed_state::{Keyed, Table};

/// How long the count of suppressed hits is kept after an alert opened at the least, ms: the next alert carries it.
const REMEMBER_MS: i64 = 7 * 86_400_000;

/// Alerts of one rule and entity whose instants are remembered, of those in shadow as many again. 8: a rule that alerts each
/// hour for a shift. More are more memory for each entity of an alert, fewer count more of a backlog that lies behind them all.
const OPENED_MAX: usize = 8;

/// An alert that opened.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Opened {
    at_ms: i64,
    /// It was in shadow: nobody was told.
    shadow: bool,
}

/// What is remembered of one rule and entity.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Open {
    /// The newest alerts, oldest first.
    opened: SmallVec<[Opened; 1]>,
    suppressed: u64,
}

impl Open {
    fn of(&self, shadow: bool) -> impl Iterator<Item = i64> {
        self.opened.iter().filter(move |opened| opened.shadow == shadow).map(|opened| opened.at_ms)
    }

    /// Whether alerts that were delivered, or those in shadow, leave no room for one at `at_ms`. Where as many are remembered
    /// as may be, there may have been others before the oldest: what lies there opens nothing.
    fn is_told(&self, shadow: bool, at_ms: i64, suppress_ms: i64) -> bool {
        let full = self.of(shadow).count() >= OPENED_MAX;
        let near = |opened_ms: i64| opened_ms.abs_diff(at_ms) < suppress_ms.unsigned_abs();
        self.of(shadow).any(near) || (full && self.of(shadow).next().is_some_and(|oldest_ms| at_ms < oldest_ms))
    }

    /// Remembers an alert, and forgets the oldest of its kind where there would be too many.
    fn open(&mut self, at_ms: i64, shadow: bool) {
        if self.of(shadow).count() >= OPENED_MAX
            && let Some(oldest) = self.opened.iter().position(|opened| opened.shadow == shadow)
        {
            self.opened.remove(oldest);
        }
        let place = self.opened.partition_point(|opened| opened.at_ms <= at_ms);
        self.opened.insert(place, Opened { at_ms, shadow });
    }
}

impl Keyed for Open {
    fn cells(&self) -> usize {
        if self.opened.len() > 1 { self.opened.len() } else { 0 }
    }
}

/// What was remembered up to format 4 of snapshots: the newest alert alone.
#[derive(Deserialize)]
struct FormerOpen {
    opened_ms: i64,
    alerted: bool,
    shadow: bool,
    suppressed: u64,
}

impl FormerOpen {
    fn today(self) -> Open {
        let opened = self.alerted.then_some(Opened { at_ms: self.opened_ms, shadow: self.shadow });
        Open { opened: opened.into_iter().collect(), suppressed: self.suppressed }
    }
}

/// The newest alerts of each rule and entity.
pub(crate) struct Suppression {
    open: Table<Open>,
}

/// What becomes of a hit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It opens an alert; so many hits were suppressed since the one before.
    Opens { suppressed_before: u64 },
    /// It is only counted.
    Suppressed,
}

impl Suppression {
    /// For rules that suppress for `suppress_ms_max` at the most.
    pub(crate) fn new(suppress_ms_max: i64, lateness_ms: i64, bytes_max: usize) -> Self {
        Self { open: Table::new(ttl_ms(suppress_ms_max, lateness_ms), bytes_max) }
    }

    /// A hit at `at_ms`. It is suppressed when it lies less than `suppress_ms` from an alert, on either side: a late hit belongs
    /// to the story of its time. Hits never extend the time. An alert in shadow, which nobody was told of, suppresses no hit of
    /// a rule that is active by now.
    ///
    /// So no two alerts lie closer than `suppress_ms`, in whatever order their hits come, and therefore no order opens more
    /// of them than that of time: there each opens as soon as it may, and nothing fits more in. Fewer may open, as an
    /// alert in the middle takes room on both sides, and as what lies behind the [`OPENED_MAX`] newest is only counted.
    /// Both hold as long as the entity is remembered: a week of event clock without a hit, or a full memory, ends that.
    pub(crate) fn hit(&mut self, key: u64, at_ms: i64, clock_ms: i64, suppress_ms: i64, shadow: bool) -> Verdict {
        self.open.update(key, clock_ms, |open| {
            if open.is_told(false, at_ms, suppress_ms) || (shadow && open.is_told(true, at_ms, suppress_ms)) {
                open.suppressed += 1;
                return Verdict::Suppressed;
            }
            open.open(at_ms, shadow);
            Verdict::Opens { suppressed_before: std::mem::take(&mut open.suppressed) }
        })
    }

    /// Memory as the bound counts it.
    pub(crate) fn bytes(&self) -> usize {
        self.open.bytes()
    }

    /// Takes another share of memory.
    pub(crate) fn set_share(&mut self, bytes_max: usize, clock_ms: i64) {
        self.open.set_share(bytes_max, clock_ms);
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.open.evicted()
    }

    /// Goes on for other rules.
    pub(crate) fn switch(&mut self, suppress_ms_max: i64, lateness_ms: i64, clock_ms: i64) {
        self.open.set_ttl(ttl_ms(suppress_ms_max, lateness_ms), clock_ms);
    }

    /// The same for a snapshot.
    pub(crate) fn share(&mut self) -> Self {
        Self { open: self.open.share() }
    }

    pub(crate) fn save(&self, out: Vec<u8>) -> Vec<u8> {
        self.open.save(out)
    }

    pub(crate) fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        self.open.load(bytes)
    }

    /// The same of a snapshot up to format 4.
    pub(crate) fn load_former<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        self.open.load_former(bytes, FormerOpen::today)
    }
}

fn ttl_ms(suppress_ms_max: i64, lateness_ms: i64) -> i64 {
    suppress_ms_max.max(REMEMBER_MS).saturating_add(lateness_ms)
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Given;

impl Keyed for Given {
    fn cells(&self) -> usize {
        0
    }
}

/// Alerts that were given (invariant E2). An event that is delivered again after the horizon of duplicates, half an hour or three
/// days, is processed again; the alert that it opened is not, for a week.
pub(crate) struct Issued {
    given: Table<Given>,
}

impl Issued {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { given: Table::new(REMEMBER_MS, bytes_max) }
    }

    /// Whether the alert with that hash of its id has not been given yet; from now on it has.
    pub(crate) fn first(&mut self, alert: u64, clock_ms: i64) -> bool {
        let first = self.given.get(alert, clock_ms).is_none();
        if first {
            self.given.update(alert, clock_ms, |_| ());
        }
        first
    }

    /// Memory as the bound counts it.
    pub(crate) fn bytes(&self) -> usize {
        self.given.bytes()
    }

    /// Takes another share of memory.
    pub(crate) fn set_share(&mut self, bytes_max: usize, clock_ms: i64) {
        self.given.set_share(bytes_max, clock_ms);
    }

    /// Entries that the memory bound has cost so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.given.evicted()
    }

    /// The same for a snapshot.
    pub(crate) fn share(&mut self) -> Self {
        Self { given: self.given.share() }
    }

    pub(crate) fn save(&self, out: Vec<u8>) -> Vec<u8> {
        self.given.save(out)
    }

    pub(crate) fn load<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], postcard::Error> {
        self.given.load(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn hits_are_counted_from_the_alert_and_never_extend_it() {
        let mut suppression = Suppression::new(HOUR, 0, usize::MAX);
        let mut hit = |at| suppression.hit(1, at, at, HOUR, false);
        assert_eq!(hit(0), Verdict::Opens { suppressed_before: 0 });
        assert_eq!(hit(HOUR / 2), Verdict::Suppressed);
        assert_eq!(hit(HOUR - 1), Verdict::Suppressed);
        assert_eq!(hit(HOUR), Verdict::Opens { suppressed_before: 2 });
    }

    #[test]
    fn a_late_hit_of_the_same_story_is_suppressed() {
        let mut suppression = Suppression::new(HOUR, 0, usize::MAX);
        assert_eq!(suppression.hit(1, 2 * HOUR, 2 * HOUR, HOUR, false), Verdict::Opens { suppressed_before: 0 });
        assert_eq!(suppression.hit(1, HOUR + 1, 2 * HOUR, HOUR, false), Verdict::Suppressed);
        assert_eq!(suppression.hit(1, HOUR, 2 * HOUR, HOUR, false), Verdict::Opens { suppressed_before: 1 });
        assert_eq!(suppression.hit(1, 2 * HOUR + 1, 2 * HOUR + 1, HOUR, false), Verdict::Suppressed, "the newer alert counts");
        assert_eq!(suppression.hit(1, HOUR / 2, 2 * HOUR, HOUR, false), Verdict::Suppressed, "and the older");
    }

    #[test]
    fn what_nobody_was_told_of_suppresses_nothing_that_somebody_should_hear() {
        let mut suppression = Suppression::new(HOUR, 0, usize::MAX);
        assert_eq!(suppression.hit(1, 0, 0, HOUR, true), Verdict::Opens { suppressed_before: 0 });
        assert_eq!(suppression.hit(1, 1, 1, HOUR, true), Verdict::Suppressed);
        assert_eq!(suppression.hit(1, 2, 2, HOUR, false), Verdict::Opens { suppressed_before: 1 });
        assert_eq!(suppression.hit(1, HOUR, HOUR, HOUR, false), Verdict::Suppressed);
        assert_eq!(suppression.hit(1, HOUR + 1, HOUR + 1, HOUR, true), Verdict::Suppressed, "an alert was delivered");
    }

    #[test]
    fn what_lies_behind_all_that_is_remembered_is_counted() {
        let mut suppression = Suppression::new(HOUR, 0, usize::MAX);
        let mut opens = |hour: i64| suppression.hit(1, hour * HOUR, 100 * HOUR, HOUR, false) != Verdict::Suppressed;
        assert!((93..=100).rev().all(&mut opens), "as many as are remembered");
        assert!((0..93).rev().all(|hour| !opens(hour)), "a backlog that comes newest first");
        assert!(opens(101) && !opens(93), "the newest pushes the oldest out, and what lies there stays told");
    }

    #[test]
    fn a_backlog_among_the_alerts_opens_what_it_would_have_opened_in_order() {
        let mut suppression = Suppression::new(HOUR, 0, usize::MAX);
        let hours = std::iter::once(40).chain(0..40).chain(0..40);
        let opened = hours.filter(|hour| suppression.hit(1, hour * HOUR, 40 * HOUR, HOUR, false) != Verdict::Suppressed);
        assert_eq!(opened.count(), 41, "each hour once");
    }

    #[test]
    fn times_at_both_ends_of_what_there_is_are_far_from_each_other() {
        let mut suppression = Suppression::new(HOUR, 0, usize::MAX);
        for at in [i64::MIN, 0, i64::MAX] {
            assert_eq!(suppression.hit(1, at, 0, HOUR, false), Verdict::Opens { suppressed_before: 0 });
        }
    }

    #[test]
    fn without_suppression_every_hit_opens() {
        let mut suppression = Suppression::new(0, 0, usize::MAX);
        for _ in 0..3 {
            assert_eq!(suppression.hit(1, 5, 5, 0, false), Verdict::Opens { suppressed_before: 0 });
        }
    }

    /// What suppression is, with all alerts that ever opened at hand: (ms, in shadow).
    #[derive(Default)]
    struct Model {
        opened: Vec<(i64, bool)>,
        suppressed: u64,
    }

    impl Model {
        fn hit(&mut self, at_ms: i64, suppress_ms: i64, shadow: bool) -> Verdict {
            let told = |of_shadow: bool| {
                let mut opened: Vec<i64> = self.opened.iter().filter(|(_, shadow)| *shadow == of_shadow).map(|(at, _)| *at).collect();
                opened.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
                opened.iter().any(|opened| (at_ms - opened).abs() < suppress_ms)
                    || opened.get(OPENED_MAX - 1).is_some_and(|last| at_ms < *last)
            };
            if told(false) || (shadow && told(true)) {
                self.suppressed += 1;
                return Verdict::Suppressed;
            }
            self.opened.push((at_ms, shadow));
            Verdict::Opens { suppressed_before: std::mem::take(&mut self.suppressed) }
        }
    }

    proptest! {
        #[test]
        fn it_is_its_model_in_any_order_of_hits(
            hits in proptest::collection::vec((0_u64..3, 0_i64..3_000, 1_i64..200, any::<bool>()), 1..400), range in prop::sample::select(vec![100_i64, 1_000, 3_000]),
        ) {
            let mut suppression = Suppression::new(200, 0, usize::MAX);
            let mut models: [Model; 3] = Default::default();
            for (key, at, suppress, shadow) in hits {
                let (model, at) = (&mut models[usize::try_from(key).expect("small")], at % range);
                prop_assert_eq!(suppression.hit(key, at, 3_000, suppress, shadow), model.hit(at, suppress, shadow));
                let bytes = suppression.save(Vec::new());
                let mut restored = Suppression::new(200, 0, usize::MAX);
                restored.load(&bytes).expect("what was saved");
                suppression = restored;
            }
        }

        #[test]
        fn no_two_alerts_lie_closer_and_no_order_opens_more_than_that_of_time(
            mut hits in proptest::collection::vec(0_i64..20_000, 1..300), suppress in 1_i64..2_000,
        ) {
            let opened = |hits: &[i64]| {
                let mut suppression = Suppression::new(2_000, 0, usize::MAX);
                let mut opened: Vec<i64> = hits.iter().copied().filter(|at| suppression.hit(1, *at, 20_000, suppress, false) != Verdict::Suppressed).collect();
                opened.sort_unstable();
                opened
            };
            let arrived = opened(&hits);
            hits.sort_unstable();
            prop_assert!(arrived.windows(2).all(|pair| pair[1] - pair[0] >= suppress));
            prop_assert!(!arrived.is_empty() && arrived.len() <= opened(&hits).len());
        }
    }
}
