//! Records that were set aside since the start: counted, and said, so that nobody finds out from a rule that stays silent.
//! A stream that brings nothing else says one line a minute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::decide::worker::SetAside;

/// How often a stream's are said at most, ms.
const SAID_EVERY_MS: i64 = 60_000;

/// Counts them, and remembers what was said.
#[derive(Default)]
pub(crate) struct SetAsides {
    total: Arc<AtomicU64>,
    by_stream: BTreeMap<String, Said>,
}

/// What was said of a stream.
struct Said {
    /// When last, ms by the monotonic clock.
    at_ms: i64,
    /// Set aside since.
    unsaid: u64,
}

impl SetAsides {
    /// None so far; `total` grows by each.
    pub(crate) fn counted_in(total: Arc<AtomicU64>) -> Self {
        Self { total, by_stream: BTreeMap::new() }
    }

    /// They were set aside; a line for each stream of which none was said within the last minute.
    pub(crate) fn came<'a>(&mut self, letters: impl Iterator<Item = &'a SetAside>, now_ms: i64) {
        let mut counts = BTreeMap::<&str, u64>::new();
        for letter in letters {
            *counts.entry(&letter.stream).or_default() += 1;
        }
        self.total.fetch_add(counts.values().sum(), Ordering::Relaxed);
        for (stream, records) in counts {
            if let Some(records) = self.due(stream, records, now_ms) {
                tracing::warn!(stream, records, "records were set aside");
            }
        }
        // Whoever has nothing left to say is as good as new.
        self.by_stream.retain(|_, said| said.unsaid > 0 || now_ms - said.at_ms < SAID_EVERY_MS);
    }

    /// How many to say of a stream now, those included that were not said before; `None` where it is too soon.
    fn due(&mut self, stream: &str, records: u64, now_ms: i64) -> Option<u64> {
        match self.by_stream.get_mut(stream) {
            Some(said) if now_ms - said.at_ms < SAID_EVERY_MS => {
                said.unsaid += records;
                None
            }
            Some(said) => {
                said.at_ms = now_ms;
                Some(std::mem::take(&mut said.unsaid) + records)
            }
            None => {
                self.by_stream.insert(stream.to_owned(), Said { at_ms: now_ms, unsaid: 0 });
                Some(records)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_says_a_line_a_minute_and_none_is_left_out() {
        let mut aside = SetAsides::default();
        let said = [("a", 2, 0), ("a", 3, 59_999), ("b", 1, 59_999), ("a", 1, 60_000), ("a", 1, 60_001)]
            .map(|(stream, records, now_ms)| aside.due(stream, records, now_ms));
        assert_eq!(said, [Some(2), None, Some(1), Some(4), None]);
    }

    #[test]
    fn what_came_is_counted() {
        let mut aside = SetAsides::default();
        let letter = |stream: &str| SetAside {
            position: 1,
            arrival_ms: 0,
            field: None,
            reason: "no JSON".to_owned(),
            stream: stream.to_owned(),
            record: Vec::new(),
        };
        let letters = ["http:a", "http:b", "http:a"].map(letter);
        aside.came(letters.iter(), 0);
        aside.came(letters.iter().take(1), 120_000);
        assert_eq!(aside.total.load(Ordering::Relaxed), 4);
        assert_eq!(aside.by_stream.keys().collect::<Vec<_>>(), ["http:a"], "what is long past is forgotten");
    }
}
