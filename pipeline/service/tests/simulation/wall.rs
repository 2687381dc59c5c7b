//! The clocks that the service is given: one that nobody sets, and a wall clock that is set wrong and right again, by a
//! random of its own, so that a run with it can be compared with one without.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rasid_service::clock::{CONFIRM_MS, Clock, Now};

use super::events::START_MS;
use super::random::Random;

/// How the wall clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Never.
    Right,
    /// Wrong for seconds, and right again before anybody believes it.
    Seconds,
    /// Wrong for as long as it happens to be.
    Stays,
}

#[derive(Debug, Default)]
struct Hands {
    wall_ms: AtomicI64,
    monotonic_ms: AtomicI64,
}

pub(crate) struct Wall {
    setting: Setting,
    random: Random,
    hands: Arc<Hands>,
    clock: Clock,
    off_ms: i64,
    until_ms: i64,
    /// How often it was set wrong.
    pub(crate) steps: u64,
}

impl Wall {
    pub(crate) fn new(setting: Setting, random: Random, now_ms: i64) -> Self {
        let hands: Arc<Hands> = Arc::default();
        let clock = clock(&hands);
        let mut this = Self { setting, random, hands, clock, off_ms: 0, until_ms: i64::MIN, steps: 0 };
        this.start(now_ms);
        this
    }

    /// A process starts: it has seen nothing of the clock yet. What it sees first is right, or it would have to be believed.
    pub(crate) fn start(&mut self, now_ms: i64) {
        if self.setting != Setting::Stays {
            self.until_ms = now_ms;
        }
        self.turn(now_ms);
        self.clock = clock(&self.hands);
    }

    fn turn(&self, now_ms: i64) {
        let off_ms = if now_ms < self.until_ms { self.off_ms } else { 0 };
        self.hands.wall_ms.store(now_ms + off_ms, Ordering::Relaxed);
        self.hands.monotonic_ms.store(now_ms - START_MS, Ordering::Relaxed);
    }

    /// The clock at that time.
    pub(crate) fn at(&self, now_ms: i64) -> &Clock {
        self.turn(now_ms);
        &self.clock
    }

    pub(crate) fn now(&self, now_ms: i64) -> Now {
        self.at(now_ms).now()
    }

    /// Looks at it, as the service does every second, and sets it now and then.
    pub(crate) fn step(&mut self, now_ms: i64) {
        let confirmed = self.at(now_ms).confirmed_ms().is_some();
        if self.setting == Setting::Right || now_ms < self.until_ms || !confirmed || !self.random.one_in(8) {
            return;
        }
        let most_ms = if self.random.one_in(3) { 3 * 86_400_000 } else { 3_600_000 };
        self.off_ms = (self.random.ms(most_ms) + 5_000) * if self.random.one_in(2) { 1 } else { -1 };
        let lasts_ms = match self.setting {
            Setting::Stays if self.random.one_in(2) => self.random.ms(2 * 3_600_000),
            _ => self.random.ms(CONFIRM_MS - 1),
        };
        self.until_ms = now_ms + 1 + lasts_ms;
        self.steps += 1;
        self.now(now_ms);
    }
}

fn clock(hands: &Arc<Hands>) -> Clock {
    let (wall, monotonic) = (Arc::clone(hands), Arc::clone(hands));
    Clock::new(move || wall.wall_ms.load(Ordering::Relaxed), move || monotonic.monotonic_ms.load(Ordering::Relaxed))
}
