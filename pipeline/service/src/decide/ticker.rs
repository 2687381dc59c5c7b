//! Ticks, so that time passes in the log without events too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rasid_connectors::log::Control;

use crate::clock::{Clock, age_ms};
use crate::decide::figures::EngineFigures;
use crate::decide::log_thread::LogAppender;
use crate::held::held;

/// Silence after which a tick is appended, and how often it looks, ms.
const TICK_MS: u64 = 1_000;

/// Appends a tick for each second of silence. Not while a source is away or behind, nor when the events are old news
/// themselves (a file of last week): a tick would make all that follows late. For the same reason none goes by a time that
/// the wall clock has shown for some seconds only, and none comes before the clock has stood since the start.
pub(crate) struct Ticker<Q> {
    pub(crate) log: LogAppender,
    /// Whether every stream has given all it has.
    pub(crate) quiet: Q,
    pub(crate) figures: Arc<Mutex<EngineFigures>>,
    pub(crate) lateness_ms: i64,
    pub(crate) clock: Clock,
}

impl<Q: Fn() -> bool> Ticker<Q> {
    /// Runs until the log has ended.
    pub(crate) async fn run(self) {
        let mut interval = tokio::time::interval(Duration::from_millis(TICK_MS));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Some(at_ms) = self.due()
                && self.log.control(Control::Tick { at_ms }).await.is_err()
            {
                return;
            }
        }
    }

    /// The tick to be appended now, if any. Asked every second, it is also the look that finds a clock that was set.
    fn due(&self) -> Option<i64> {
        let at_ms = self.clock.confirmed_ms()?;
        let live = {
            let figures = held(&self.figures);
            figures.arrival_ms > 0 && figures.arrival_ms - figures.clock_ms <= self.lateness_ms
        };
        let silent = self.log.last_ms().is_none_or(|last_ms| age_ms(self.clock.monotonic_ms(), last_ms) >= TICK_MS);
        (silent && live && (self.quiet)()).then_some(at_ms)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use rasid_connectors::log::{LogConfig, LogWriter};
    use rasid_connectors::seal::Keyring;
    use rasid_connectors::storage::{Memory, Storage};
    use rstest::rstest;
    use tokio::sync::watch;

    use super::*;
    use crate::clock::CONFIRM_MS;
    use crate::decide::log_thread::log_thread;
    use crate::decide::progress::Progress;
    use crate::health::hindrance::Hindrances;

    const WALL: i64 = 1_795_255_200_000;
    const HOUR: i64 = 3_600_000;

    /// A ticker over an empty log, and the hands of its clock.
    fn ticker() -> (Ticker<impl Fn() -> bool>, Arc<[AtomicI64; 2]>) {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let keys = Keyring::open(Arc::clone(&storage), "keys", &[7; 32]).expect("a secret");
        let (writer, _) = LogWriter::open(storage, "log", keys, LogConfig::default()).expect("an empty folder");
        let hands = Arc::new([WALL, 0].map(AtomicI64::new));
        let (wall, monotonic) = (Arc::clone(&hands), Arc::clone(&hands));
        let clock = Clock::new(move || wall[0].load(Ordering::Relaxed), move || monotonic[1].load(Ordering::Relaxed));
        let (log, _) =
            log_thread(writer, Arc::new(Progress::new(0)), watch::channel(false).1, Arc::default(), Hindrances::default(), clock.clone());
        let figures = Arc::new(Mutex::new(EngineFigures { arrival_ms: WALL, clock_ms: WALL, ..EngineFigures::default() }));
        (Ticker { log, quiet: || true, figures, lateness_ms: 60_000, clock }, hands)
    }

    #[rstest]
    #[case::ahead(HOUR)]
    #[case::back(-HOUR)]
    fn a_tick_never_goes_by_what_the_clock_shows_for_seconds(#[case] by_ms: i64) {
        let (ticker, hands) = ticker();
        let mut seconds = 0_i64..;
        let mut next = |off_ms: i64| {
            let at_ms = seconds.next().expect("endless") * 1_000;
            hands[0].store(WALL + at_ms + off_ms, Ordering::Relaxed);
            hands[1].store(at_ms, Ordering::Relaxed);
            (WALL + at_ms, ticker.due())
        };
        for _ in 0..CONFIRM_MS / 1_000 {
            assert_eq!(next(0).1, None, "nothing stands yet");
        }
        for off_ms in [0, by_ms, 0, by_ms] {
            for _ in 0..CONFIRM_MS / 1_000 - 1 {
                let (right_ms, tick) = next(off_ms);
                assert_eq!(tick, Some(right_ms));
            }
        }
        next(by_ms);
        let (right_ms, tick) = next(by_ms);
        assert_eq!(tick, Some(right_ms + by_ms), "what stands is believed");
    }

    #[test]
    fn old_news_and_sources_that_are_behind_let_no_time_pass() {
        let (mut ticker, hands) = ticker();
        hands[0].store(WALL + CONFIRM_MS, Ordering::Relaxed);
        hands[1].store(CONFIRM_MS, Ordering::Relaxed);
        assert!(ticker.due().is_some());
        held(&ticker.figures).clock_ms = WALL - 60_001;
        assert_eq!(ticker.due(), None);
        held(&ticker.figures).clock_ms = WALL - 60_000;
        assert!(ticker.due().is_some());
        let behind = Ticker {
            quiet: || false,
            log: ticker.log.clone(),
            figures: Arc::clone(&ticker.figures),
            lateness_ms: 60_000,
            clock: ticker.clock.clone(),
        };
        assert_eq!(behind.due(), None);
        ticker.figures = Arc::default();
        assert_eq!(ticker.due(), None, "nothing has come yet");
    }
}
