//! Hits of one rule and entity soon after an alert are counted, not alerted again; and no alert is given twice.

use serde::{Deserialize, Serialize};

use crate::keyed_state::{Keyed, Table};

/// How long the count of suppressed hits is kept after an alert opened at the least, ms: the next alert carries it.
const REMEMBER_MS: i64 = 7 * 86_400_000;

#[derive(Clone, Default, Serialize, Deserialize)]
struct Open {
    opened_ms: i64,
    /// False until the first alert.
    alerted: bool,
    /// The newest alert was in shadow.
    shadow: bool,
    suppressed: u64,
}

impl Keyed for Open {
    fn cells(&self) -> usize {
        0
    }
}

/// The newest alert of each rule and entity.
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

    /// A hit at `at_ms`. It is suppressed when it lies less than `suppress_ms` from the newest alert, on either side: a
    /// late hit belongs to the same story. Hits never extend the time. An alert in shadow, which nobody was told of,
    /// suppresses no hit of a rule that is active by now.
    pub(crate) fn hit(&mut self, key: u64, at_ms: i64, clock_ms: i64, suppress_ms: i64, shadow: bool) -> Verdict {
        self.open.update(key, clock_ms, |open| {
            let known = open.alerted && (shadow || !open.shadow);
            if known && (at_ms - open.opened_ms).abs() < suppress_ms {
                open.suppressed += 1;
                return Verdict::Suppressed;
            }
            let suppressed_before = std::mem::take(&mut open.suppressed);
            open.opened_ms = if known { open.opened_ms.max(at_ms) } else { at_ms };
            (open.alerted, open.shadow) = (true, shadow);
            Verdict::Opens { suppressed_before }
        })
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
        assert_eq!(suppression.hit(1, 2 * HOUR + 1, 2 * HOUR + 1, HOUR, false), Verdict::Suppressed, "the newest alert counts");
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
    fn without_suppression_every_hit_opens() {
        let mut suppression = Suppression::new(0, 0, usize::MAX);
        for _ in 0..3 {
            assert_eq!(suppression.hit(1, 5, 5, 0, false), Verdict::Opens { suppressed_before: 0 });
        }
    }
}
