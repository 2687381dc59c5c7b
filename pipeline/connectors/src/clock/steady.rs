//! What is believed of a wall clock that may be set at any moment, by an hour and back again.

use super::{CONFIRM_MS, JUMP_MS, SETTLE_MS, age_ms};

/// One reading of the wall clock, with the monotonic clock before and after it: whoever was held up in between has not
/// seen a jump.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "a unit is no postfix")]
pub(super) struct Look {
    pub(super) before_ms: i64,
    pub(super) wall_ms: i64,
    pub(super) after_ms: i64,
}

impl Look {
    /// The offset (wall minus monotonic) that this look allows and that is nearest to `offset_ms`.
    fn nearest(self, offset_ms: i64) -> i64 {
        let least = self.wall_ms.saturating_sub(self.after_ms);
        let most = self.wall_ms.saturating_sub(self.before_ms).max(least);
        offset_ms.clamp(least, most)
    }

    /// The same, if it is so near that the clock has not been set by more than it may drift.
    fn near(self, offset_ms: i64) -> Option<i64> {
        Some(self.nearest(offset_ms)).filter(|near| near.abs_diff(offset_ms) <= JUMP_MS.unsigned_abs())
    }
}

/// What a look has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The wall clock was set, or its machine stood still.
    Jumped {
        /// What it would have said, Unix ms.
        from_ms: i64,
        /// What it says, Unix ms.
        to_ms: i64,
    },
    /// What it says since a while is believed from now on.
    Believed {
        /// What was believed, Unix ms.
        from_ms: i64,
        /// What is, Unix ms.
        to_ms: i64,
    },
}

/// Offsets (wall minus monotonic), ms, and since when they stand, by the monotonic clock.
#[derive(Clone, Debug)]
pub(super) struct Steady {
    /// At the last look.
    seen_ms: i64,
    believed_ms: i64,
    /// Since when it is, and what was before.
    before: Option<(i64, i64)>,
    /// Since when nothing contradicts it, while it is not yet confirmed: no other was confirmed before it.
    unconfirmed_since_ms: Option<i64>,
    /// What the clock says instead, and since when.
    other: Option<(i64, i64)>,
    settled_ms: i64,
    /// The lowest that was believed since the time beside it, always above what is settled.
    rising: Option<(i64, i64)>,
    pub(super) jumps: u64,
}

impl Steady {
    /// The first look is believed; there is nothing else.
    pub(super) fn new(look: Look) -> Self {
        let offset_ms = look.wall_ms.saturating_sub(look.after_ms);
        Self {
            seen_ms: offset_ms,
            believed_ms: offset_ms,
            before: None,
            unconfirmed_since_ms: Some(look.after_ms),
            other: None,
            settled_ms: i64::MIN,
            rising: Some((offset_ms, look.after_ms)),
            jumps: 0,
        }
    }

    /// Takes a look.
    pub(super) fn look(&mut self, look: Look) -> Option<News> {
        let mut news = None;
        let seen_ms = look.nearest(self.seen_ms);
        if look.near(self.seen_ms).is_none() {
            self.jumps += 1;
            news = Some(News::Jumped { from_ms: look.after_ms.saturating_add(self.seen_ms), to_ms: look.wall_ms });
        }
        self.seen_ms = seen_ms;
        match (look.near(self.believed_ms), self.unconfirmed_since_ms) {
            (Some(near), since_ms) => {
                (self.believed_ms, self.other) = (near, None);
                if since_ms.is_some_and(|since_ms| look.after_ms.saturating_sub(since_ms) >= CONFIRM_MS) {
                    self.unconfirmed_since_ms = None;
                }
            }
            // Nothing was confirmed yet that would speak against it.
            (None, Some(_)) => {
                self.believe(seen_ms, look.after_ms);
                self.unconfirmed_since_ms = Some(look.after_ms);
            }
            (None, None) => {
                let other = self.other.and_then(|(other_ms, since_ms)| Some((look.near(other_ms)?, since_ms)));
                let (other_ms, since_ms) = other.unwrap_or((seen_ms, look.after_ms));
                self.other = Some((other_ms, since_ms));
                if look.after_ms.saturating_sub(since_ms) >= CONFIRM_MS {
                    news = Some(News::Believed {
                        from_ms: look.after_ms.saturating_add(self.believed_ms),
                        to_ms: look.after_ms.saturating_add(other_ms),
                    });
                    self.believe(other_ms, look.after_ms);
                }
            }
        }
        self.settle(look.after_ms);
        news
    }

    fn believe(&mut self, offset_ms: i64, monotonic_ms: i64) {
        self.before = Some((monotonic_ms, self.believed_ms));
        (self.believed_ms, self.other) = (offset_ms, None);
    }

    fn settle(&mut self, monotonic_ms: i64) {
        if self.believed_ms <= self.settled_ms {
            (self.settled_ms, self.rising) = (self.believed_ms, None);
            return;
        }
        let (low_ms, since_ms) = self.rising.unwrap_or((self.believed_ms, monotonic_ms));
        let low_ms = low_ms.min(self.believed_ms);
        self.rising = Some((low_ms, since_ms));
        if monotonic_ms.saturating_sub(since_ms) >= SETTLE_MS {
            (self.settled_ms, self.rising) = (low_ms, None);
        }
    }

    /// It was `newest_ms` already when that was written down: no later than then can be settled without waiting.
    pub(super) fn was(&mut self, newest_ms: i64, monotonic_ms: i64) {
        let known_ms = newest_ms.saturating_sub(monotonic_ms).min(self.believed_ms);
        self.settled_ms = self.settled_ms.max(known_ms);
    }

    /// What is believed, Unix ms.
    pub(super) fn wall_ms(&self, monotonic_ms: i64) -> i64 {
        monotonic_ms.saturating_add(self.believed_ms)
    }

    /// How long ago something was stamped with what was believed then, ms; 0 for what lies ahead.
    pub(super) fn age_ms(&self, stamp_ms: i64, monotonic_ms: i64) -> u64 {
        let by = |offset_ms: i64| age_ms(monotonic_ms.saturating_add(offset_ms), stamp_ms);
        let ahead = stamp_ms > self.wall_ms(monotonic_ms);
        match self.before {
            // It was stamped before the newest step, if the one before puts it there and what is believed now does not
            // put it behind the step.
            Some((since_ms, before_ms)) if ahead || by(self.believed_ms) > age_ms(monotonic_ms, since_ms) => {
                let before = by(before_ms);
                if before >= age_ms(monotonic_ms, since_ms) { before } else { by(self.believed_ms) }
            }
            _ => by(self.believed_ms),
        }
    }

    /// What has stood for long, Unix ms.
    pub(super) fn settled_ms(&self, monotonic_ms: i64) -> i64 {
        monotonic_ms.saturating_add(self.settled_ms)
    }

    /// How far the wall clock is ahead of what is believed, ms.
    pub(super) fn ahead_ms(&self) -> i64 {
        self.seen_ms.saturating_sub(self.believed_ms)
    }

    /// Whether what is believed has stood for [`CONFIRM_MS`].
    pub(super) fn is_confirmed(&self) -> bool {
        self.unconfirmed_since_ms.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const WALL: i64 = 1_795_255_200_000;

    fn look(monotonic_ms: i64, wall_ms: i64) -> Look {
        Look { before_ms: monotonic_ms, wall_ms, after_ms: monotonic_ms }
    }

    /// A clock that was looked at each second until it was confirmed, and when that was.
    fn confirmed() -> (Steady, i64) {
        let mut steady = Steady::new(look(0, WALL));
        for at_ms in (1_000..=CONFIRM_MS).step_by(1_000) {
            assert!(!steady.is_confirmed(), "{at_ms}");
            assert_eq!(steady.look(look(at_ms, WALL + at_ms)), None);
        }
        assert!(steady.is_confirmed());
        (steady, CONFIRM_MS)
    }

    #[rstest]
    #[case::ahead(HOUR)]
    #[case::back(-HOUR)]
    #[case::days(-5 * 24 * HOUR)]
    #[case::just_a_jump(JUMP_MS + 1)]
    fn a_step_that_is_taken_back_is_never_believed(#[case] by_ms: i64) {
        let (mut steady, start_ms) = confirmed();
        for at_ms in (start_ms..start_ms + CONFIRM_MS).step_by(1_000) {
            steady.look(look(at_ms, WALL + at_ms + by_ms));
            assert_eq!((steady.wall_ms(at_ms), steady.ahead_ms()), (WALL + at_ms, by_ms));
        }
        let back_ms = start_ms + CONFIRM_MS;
        let news = steady.look(look(back_ms, WALL + back_ms));
        assert_eq!(news, Some(News::Jumped { from_ms: WALL + back_ms + by_ms, to_ms: WALL + back_ms }));
        assert_eq!((steady.wall_ms(back_ms), steady.ahead_ms(), steady.jumps), (WALL + back_ms, 0, 2));
    }

    #[rstest]
    #[case::ahead(HOUR)]
    #[case::back(-HOUR)]
    fn a_step_that_stays_is_believed_when_it_has_stood(#[case] by_ms: i64) {
        let (mut steady, start_ms) = confirmed();
        let since_ms = start_ms + 1_000;
        for at_ms in (since_ms..since_ms + CONFIRM_MS).step_by(1_000) {
            steady.look(look(at_ms, WALL + at_ms + by_ms));
            assert_eq!(steady.wall_ms(at_ms), WALL + at_ms);
        }
        let at_ms = since_ms + CONFIRM_MS;
        let believed = News::Believed { from_ms: WALL + at_ms, to_ms: WALL + at_ms + by_ms };
        assert_eq!(steady.look(look(at_ms, WALL + at_ms + by_ms)), Some(believed));
        assert_eq!((steady.wall_ms(at_ms), steady.jumps), (WALL + at_ms + by_ms, 1));
    }

    #[rstest]
    #[case::ahead(HOUR)]
    #[case::back(-HOUR)]
    fn a_step_makes_nothing_older_or_younger(#[case] by_ms: i64) {
        let (mut steady, start_ms) = confirmed();
        let mut stamps = Vec::new();
        for at_ms in (start_ms..start_ms + 4 * CONFIRM_MS).step_by(1_000) {
            steady.look(look(at_ms, WALL + at_ms + by_ms));
            stamps.push((at_ms, steady.wall_ms(at_ms)));
            for (stamped_at_ms, stamp_ms) in &stamps {
                assert_eq!(steady.age_ms(*stamp_ms, at_ms), u64::try_from(at_ms - stamped_at_ms).expect("it was before"));
            }
        }
        let at_ms = start_ms + 4 * CONFIRM_MS;
        assert_eq!(steady.age_ms(WALL - HOUR, at_ms), u64::try_from(HOUR + at_ms).expect("of a process before"));
        assert_eq!(steady.age_ms(WALL + 3 * HOUR, at_ms), 0, "stamped by a clock that is ahead");
    }

    #[test]
    fn until_something_is_confirmed_the_newest_look_is_believed() {
        let mut steady = Steady::new(look(0, WALL + HOUR));
        steady.look(look(5_000, WALL + 5_000));
        assert_eq!(steady.wall_ms(5_000), WALL + 5_000);
        steady.look(look(CONFIRM_MS + 4_999, WALL + CONFIRM_MS + 4_999));
        assert!(!steady.is_confirmed(), "it is wrong for five seconds, and not confirmed for so much longer");
        steady.look(look(CONFIRM_MS + 5_000, WALL + CONFIRM_MS + 5_000));
        assert!(steady.is_confirmed());
    }

    #[test]
    fn who_is_held_up_while_he_looks_sees_no_jump() {
        let (mut steady, start_ms) = confirmed();
        let held_up = Look { before_ms: start_ms, wall_ms: WALL + start_ms, after_ms: start_ms + 60_000 };
        assert_eq!(steady.look(held_up), None);
        assert_eq!(steady.look(look(start_ms + 60_000, WALL + start_ms + 60_000)), None);
        assert_eq!(steady.wall_ms(start_ms + 60_000), WALL + start_ms + 60_000);
    }

    #[test]
    fn a_small_step_is_followed() {
        let (mut steady, start_ms) = confirmed();
        assert_eq!(steady.look(look(start_ms, WALL + start_ms - JUMP_MS)), None);
        assert_eq!(steady.wall_ms(start_ms), WALL + start_ms - JUMP_MS);
    }

    #[test]
    fn what_cannot_be_taken_back_waits_for_an_hour() {
        let day = 24 * HOUR;
        let mut steady = Steady::new(look(0, WALL + 9 * day));
        assert!(steady.settled_ms(0) < 0, "nothing is over by a clock that was read once");
        steady.was(WALL, 0);
        assert_eq!(steady.settled_ms(0), WALL);
        for at_ms in (1_000..SETTLE_MS).step_by(1_000) {
            steady.look(look(at_ms, WALL + 9 * day + at_ms));
            assert_eq!(steady.settled_ms(at_ms), WALL + at_ms, "it was set nine days ahead");
        }
        steady.look(look(SETTLE_MS, WALL + 9 * day + SETTLE_MS));
        assert_eq!(steady.settled_ms(SETTLE_MS), WALL + 9 * day + SETTLE_MS);
        let mut back = steady.clone();
        for at_ms in (SETTLE_MS..SETTLE_MS + 2 * CONFIRM_MS).step_by(1_000) {
            back.look(look(at_ms, WALL + at_ms));
        }
        let at_ms = SETTLE_MS + 2 * CONFIRM_MS;
        assert_eq!(back.settled_ms(at_ms), WALL + at_ms, "what lies behind it is settled at once");
    }

    proptest! {
        /// Steps by anything, each taken back before it is confirmed, looked at every second.
        #[test]
        fn steps_of_seconds_leave_no_trace(steps in prop::collection::vec((-40_000_000_i64..40_000_000, 1_i64..CONFIRM_MS / 1_000, 1_i64..100), 1..20)) {
            let (mut steady, mut at_ms) = confirmed();
            for (by_ms, wrong_s, right_s) in steps {
                // What is no jump is followed: it is not a step that is to be left out.
                let by_ms = if by_ms.abs() <= 2 * JUMP_MS { HOUR } else { by_ms };
                for second in 0..wrong_s + right_s {
                    at_ms += 1_000;
                    let off_ms = if second < wrong_s { by_ms } else { 0 };
                    steady.look(look(at_ms, WALL + at_ms + off_ms));
                    prop_assert_eq!(steady.wall_ms(at_ms), WALL + at_ms);
                    prop_assert_eq!(steady.ahead_ms(), off_ms);
                    prop_assert!(steady.settled_ms(at_ms) <= WALL + at_ms);
                }
            }
        }

        /// Whatever the wall clock does: what is believed is what it said not long ago, and what is settled is never
        /// ahead of what is believed.
        #[test]
        fn what_is_believed_was_said(offsets in prop::collection::vec(-3 * HOUR..3 * HOUR, 1..60), stays in prop::collection::vec(1_i64..7_200, 60)) {
            let mut steady = Steady::new(look(0, WALL));
            let (mut at_ms, mut said) = (0, vec![0]);
            for (offset_ms, stay_s) in offsets.iter().zip(stays) {
                said.push(*offset_ms);
                for _ in 0..stay_s.min(100) {
                    at_ms += stay_s.max(100) * 10;
                    steady.look(look(at_ms, WALL + at_ms + offset_ms));
                    let believed_ms = steady.wall_ms(at_ms) - WALL - at_ms;
                    prop_assert!(said.iter().any(|said| said.abs_diff(believed_ms) <= JUMP_MS.unsigned_abs()));
                    prop_assert!(steady.settled_ms(at_ms) <= steady.wall_ms(at_ms));
                }
            }
        }
    }
}
