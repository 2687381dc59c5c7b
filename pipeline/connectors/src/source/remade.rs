//! Whether a partition's topic is still the one that was read: it may be deleted, and made again with offsets from 0.
//! Sans-IO: it is told what the controller says and says where reading goes on.
//!
//! Fluvio gives a topic no identity beyond its name, so there are two signs. The controller did not know the topic for a
//! while; or it knows of fewer records than were read, and not only because it lags behind: for [`CERTAIN`]. A topic that
//! was made again while nobody looked and by now has more records than were read of the old one shows neither.

use std::time::Duration;

use tokio::time::Instant;

use super::contiguity::Missing;
use super::generation::parts_of;

/// How long the controller must know of fewer records than were read. It hears of new ones within a second or two.
pub(super) const CERTAIN: Duration = Duration::from_secs(10);

/// What a topic comes to, by the controller's word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Life {
    /// Why none of its partitions may be read.
    stopped: Option<String>,
    /// Whether that is because there is no such topic.
    absent: bool,
    /// How often it was there after it had not been.
    made: u64,
}

/// The controller's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It can be read without loss, and has so many partitions.
    Fit(u32),
    /// It cannot, because.
    Unfit(String),
    /// There is none; what to do about it.
    Absent(String),
}

/// What is to be told about a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is not read from now on, because.
    Stopped(String),
    /// It is read again.
    Resumed,
}

impl Life {
    /// The controller was asked.
    pub(super) fn hears(&mut self, word: &Word) -> Option<News> {
        let before = self.stopped.take();
        match word {
            Word::Fit(_) => {
                self.made += u64::from(std::mem::take(&mut self.absent));
                return before.map(|_| News::Resumed);
            }
            Word::Unfit(why) => self.stopped = Some(why.clone()),
            Word::Absent(why) => {
                self.absent = true;
                self.stopped = Some(why.clone());
            }
        }
        let now = self.stopped.clone()?;
        (before.as_ref() != Some(&now)).then_some(News::Stopped(now))
    }

    /// Why its partitions may not be read.
    pub(super) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }
}

/// Where reading goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) generation: u64,
    /// Behind this position; `None`: at the beginning.
    pub(super) after: Option<u64>,
    /// It begins again: what is to be told.
    pub(super) again: Option<Again>,
}

/// A partition begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Again {
    /// The position that it was read to.
    pub(super) read: u64,
    /// What is known to have stood behind that.
    pub(super) lost: Option<Missing>,
}

/// What is known of one partition over all its openings.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// [`Life::made`] as of the last opening.
    made: u64,
    /// The generation that reading goes on in, if a new one has begun.
    generation: u64,
    /// The highest end known in this generation.
    end: u64,
    /// Since when fewer records are known than were read.
    short_since: Option<Instant>,
}

impl Course {
    /// It is to be opened behind offset `after`; the controller knows of records up to before `end`.
    pub(super) fn open(&mut self, after: Option<u64>, life: &Life, end: Option<u64>, now: Instant) -> Start {
        let made = std::mem::replace(&mut self.made, life.made);
        let Some((generation, position)) = after.map(parts_of) else {
            return Start { generation: self.generation, after: None, again: None };
        };
        if generation < self.generation {
            return Start { generation: self.generation, after: None, again: None }; // nothing came of the new one yet
        }
        self.generation = generation;
        if life.made > made || self.is_short(position, end, now) {
            return Start { generation: generation + 1, after: None, again: Some(self.begin_again(position)) };
        }
        Start { generation, after: Some(position), again: None }
    }

    /// The controller knows of records up to before `end`, and those up to `position` were read. Whether that shows another
    /// topic: then it is to be opened again, as [`Course::open`] will say.
    pub(super) fn is_short(&mut self, position: u64, end: Option<u64>, now: Instant) -> bool {
        let Some(end) = end else { return false };
        if end > position {
            self.end = self.end.max(end);
            self.short_since = None;
            return false;
        }
        now.duration_since(*self.short_since.get_or_insert(now)) >= CERTAIN
    }

    fn begin_again(&mut self, read: u64) -> Again {
        let lost = (self.end > read + 1).then(|| Missing { from: read + 1, to: self.end - 1 });
        self.generation += 1;
        (self.end, self.short_since) = (0, None);
        Again { read, lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::generation::offset_of;

    const ABSENT: &str = "there is no such topic";
    const UNFIT: &str = "its segments are too large";

    fn absent() -> Word {
        Word::Absent(ABSENT.to_owned())
    }

    fn start(generation: u64, after: Option<u64>, again: Option<Again>) -> Start {
        Start { generation, after, again }
    }

    #[test]
    fn a_topic_is_stopped_once_for_each_reason_and_taken_up_again() {
        let mut life = Life::default();
        let unfit = Word::Unfit(UNFIT.to_owned());
        let stopped = |why: &str| Some(News::Stopped(why.to_owned()));
        for (word, news, made) in [
            (Word::Fit(2), None, 0),
            (absent(), stopped(ABSENT), 0),
            (absent(), None, 0),
            (unfit.clone(), stopped(UNFIT), 0),
            (Word::Fit(2), Some(News::Resumed), 1),
            (Word::Fit(2), None, 1),
            (unfit.clone(), stopped(UNFIT), 1),
            (unfit, None, 1),
            (Word::Fit(3), Some(News::Resumed), 1),
            (absent(), stopped(ABSENT), 1),
            (Word::Fit(1), Some(News::Resumed), 2),
        ] {
            assert_eq!((life.hears(&word), life.made), (news, made), "{word:?}");
            assert_eq!(life.stopped().is_some(), !matches!(word, Word::Fit(_)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_made_again_is_read_from_its_beginning_once() {
        let (mut life, mut course, now) = (Life::default(), Course::default(), Instant::now());
        assert_eq!(course.open(None, &life, Some(7), now), start(0, None, None));
        assert!(!course.is_short(4, Some(10), now));
        assert_eq!(course.open(Some(4), &life, Some(10), now), start(0, Some(4), None), "an outage");
        life.hears(&absent());
        life.hears(&Word::Fit(1));
        // Of the new topic 20 records are there by now, more than were read of the old one: 5 of 10.
        let again = Some(Again { read: 4, lost: Some(Missing { from: 5, to: 9 }) });
        assert_eq!(course.open(Some(4), &life, Some(20), now), start(1, None, again));
        assert_eq!(course.open(Some(4), &life, Some(20), now), start(1, None, None), "told once, also where nothing came of it yet");
        let read = offset_of(1, 2);
        assert_eq!(course.open(Some(read), &life, Some(20), now), start(1, Some(2), None));
        // The next process: it begins behind what the log has, in that generation.
        let (life, mut course) = (Life::default(), Course::default());
        assert_eq!(course.open(Some(read), &life, Some(20), now), start(1, Some(2), None));
    }

    #[tokio::test(start_paused = true)]
    async fn fewer_records_than_were_read_show_another_topic_when_it_lasts() {
        let (life, mut course) = (Life::default(), Course::default());
        let now = Instant::now();
        let at = |after: Duration| now + after;
        assert_eq!(course.open(Some(99), &life, None, now), start(0, Some(99), None), "nothing is known yet");
        assert_eq!(course.open(Some(99), &life, Some(100), now), start(0, Some(99), None));
        assert!(!course.is_short(105, Some(100), at(Duration::ZERO)), "the controller is behind");
        assert!(!course.is_short(105, Some(106), at(CERTAIN)), "and hears of it");
        assert!(!course.is_short(105, Some(3), at(CERTAIN)));
        assert!(!course.is_short(105, None, at(CERTAIN * 2)), "what it does not know says nothing");
        assert!(!course.is_short(105, Some(3), at(CERTAIN + Duration::from_millis(9_999))));
        assert!(course.is_short(105, Some(4), at(CERTAIN * 2)));
        let again = Some(Again { read: 105, lost: None });
        assert_eq!(course.open(Some(105), &life, Some(4), at(CERTAIN * 2)), start(1, None, again), "all of the old one was read");
        assert_eq!(course.open(Some(105), &life, Some(4), at(CERTAIN * 9)), start(1, None, None), "told once");
        assert!(!course.is_short(3, Some(4), at(CERTAIN * 9)));
    }

    /// The service was down while the topic was deleted: it is not there when it starts.
    #[tokio::test(start_paused = true)]
    async fn a_topic_that_was_absent_at_the_start_is_another_one() {
        let (mut life, mut course, now) = (Life::default(), Course::default(), Instant::now());
        life.hears(&absent());
        life.hears(&Word::Fit(1));
        let again = Some(Again { read: 41, lost: None });
        assert_eq!(course.open(Some(41), &life, Some(1_000), now), start(1, None, again));
        let mut new = Course::default();
        assert_eq!(new.open(None, &life, Some(1_000), now), start(0, None, None), "nothing was read of it, so nothing is told");
    }
}
