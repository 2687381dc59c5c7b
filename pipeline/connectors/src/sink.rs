//! Sinks: the ports by which effects leave.
//!
//! What every [`Sink`] guarantees:
//!
//! - **Order.** A batch is taken in its order, and batches in theirs: one at a time is in flight. (Of a receiver that refuses
//!   much, an item may be tried before its turn, which changes no entity's order; it comes again in its turn.)
//! - **Again is harmless.** A batch may come a second time, whole or cut otherwise, because nobody knows what became of
//!   the first try. Receivers know each item by its id ([`Body::id`](crate::effect::Body::id)): alert id, or entity and version.
//! - **An answer in bounded time.** Every wait has its limit, and so has what is read of an answer.
//! - **No silent loss.** [`Answer::Taken`] means that the receiver has it and said so.
//!
//! Backing off, halving, parking and the circuit breaker are the [`Courier`](crate::courier::Courier)'s, so a sink tries
//! once and says what happened. [`JsonLinesSink`] and [`RawLines`] are what `detect` writes with: files of a run that can
//! simply be run again.

pub mod alertmanager;
pub mod core_api;
pub mod declared;
mod http;
pub mod jsonl;
pub mod redis;
pub mod tls;

use async_trait::async_trait;
use declared::{Declared, MakeError, Report, Section, Told, sinks};
use rasid_detectors::shown::beginning;

pub use alertmanager::AlertmanagerSink;
pub use core_api::CoreApiSink;
pub use http::Reach;
pub use jsonl::{AlertsFile, DeadLetter, JsonLinesSink, RawLines};
pub use redis::RedisSink;
pub use tls::{TlsFiles, install_tls};

use crate::effect::{Item, Page, Standing};

// The list: the section `[sinks]`, its schema and page, what is routed, queued, measured and shown are made from it.
sinks! {
    /// The core marketplace API: alerts and scores.
    core: core_api::Options,
    /// Risk scores, for services that ask at every login and payment.
    redis: redis::Options,
    /// The person on call, through Alertmanager.
    alertmanager: alertmanager::Options,
    /// A file, for trying things out and for archives.
    jsonl: jsonl::Options,
}

/// Longest part of what a receiver says that is kept and shown, characters.
const ANSWER_CHARS_MAX: usize = 500;

/// A receiver of effects.
#[async_trait]
pub trait Sink: Send {
    /// What configuration, metrics and the outbox call it.
    fn name(&self) -> &str;

    /// Most items of one batch.
    fn batch_max(&self) -> usize;

    /// Tries to hand the batch over, once, and says how that went.
    async fn deliver(&mut self, batch: &Batch<'_>) -> Answer;

    /// Takes up what stood at the receiver when the service last ran, by key.
    fn take_up(&mut self, _pages: Vec<(String, Page)>) {}

    /// Says again what stands at the receiver, for one that has forgotten it; `None` where nothing does. To be called
    /// every minute or so, by whoever calls [`Sink::deliver`]: what is taken back must not come again.
    async fn say_again(&mut self, _now_ms: i64) -> Option<Answer> {
        None
    }

    /// What has changed since the last call of what stands there, to be committed with the acknowledgements of the items
    /// that changed it.
    fn take_standing(&mut self) -> Vec<Standing> {
        Vec::new()
    }

    /// How much stands there.
    fn standing(&self) -> usize {
        0
    }
}

/// Items that are sent together. All bodies are of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Names the delivery; the same when it is sent again.
    pub id: &'a str,
    /// Wall clock, Unix ms.
    pub now_ms: i64,
    /// What is sent, in order; never empty.
    pub items: &'a [Item],
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver has the batch, but for the items refused: index in the batch, and why.
    Taken {
        /// Refused ones, with what the receiver said.
        refused: Vec<(usize, String)>,
    },
    /// The receiver understood and will not have the batch as it is: a plain 4xx. Parts of it may be fine.
    Refused {
        /// What the receiver said.
        answer: String,
    },
    /// It was not taken, and the batch is not the reason: no connection, overload, wrong address or credentials.
    Unavailable {
        /// How long the receiver asked to be left alone, ms.
        retry_after_ms: Option<u64>,
        /// What happened.
        error: String,
    },
    /// It may have been taken or not: timed out, connection lost, an answer that nobody can read.
    Unknown {
        /// What happened.
        error: String,
    },
}

impl Answer {
    /// All of it was taken.
    pub const TAKEN: Self = Self::Taken { refused: Vec::new() };

    /// The same with every text of the receiver's fit to be kept and shown: its beginning, in one line.
    #[must_use]
    pub fn bounded(self) -> Self {
        let said = |text: &str| beginning(text, ANSWER_CHARS_MAX).into_owned();
        match self {
            Self::Taken { refused } => Self::Taken { refused: refused.into_iter().map(|(index, why)| (index, said(&why))).collect() },
            Self::Refused { answer } => Self::Refused { answer: said(&answer) },
            Self::Unavailable { retry_after_ms, error } => Self::Unavailable { retry_after_ms, error: said(&error) },
            Self::Unknown { error } => Self::Unknown { error: said(&error) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sink_is_called_as_its_section() {
        let names: Vec<&str> = SINKS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, SECTIONS);
        assert_eq!(Sinks::default().on().count(), 0, "off unless it is said where it is");
    }

    #[test]
    fn what_a_receiver_says_is_kept_in_one_short_line() {
        let hostile = format!("no\n\u{1b}[2J{}", "x".repeat(100_000));
        let shown = format!("no\\n\\u{{1b}}[2J{}…", "x".repeat(ANSWER_CHARS_MAX - 7));
        for (answer, expected) in [
            (Answer::Refused { answer: hostile.clone() }, Answer::Refused { answer: shown.clone() }),
            (Answer::Unknown { error: hostile.clone() }, Answer::Unknown { error: shown.clone() }),
            (
                Answer::Unavailable { retry_after_ms: Some(1), error: hostile.clone() },
                Answer::Unavailable { retry_after_ms: Some(1), error: shown.clone() },
            ),
            (Answer::Taken { refused: vec![(3, hostile)] }, Answer::Taken { refused: vec![(3, shown)] }),
        ] {
            assert_eq!(answer.bounded(), expected);
        }
    }
}
