//! Bodies on their way in, from senders whom nobody knows yet: a signature covers the body, so it tells nothing before its last byte.
//!
//! What is in the headers anyone can write who has read the specification, so nothing that honest senders need may hang on an
//! unverified body. It takes memory, and that is bounded in three ways:
//!
//! - **Pace.** Half of [`BodiesConfig::time`] for a body's first byte, and all of it from 1 MiB on; between them
//!   in proportion. One byte a second is cut off at the half, 1 MiB in 8 s is not.
//! - **Bytes altogether.** Bodies that come in and bodies of verified requests under way have one bound,
//!   [`BodiesConfig::bytes_max`]. Each takes what has come of it, not what it announces.
//! - **The slowest goes.** When a byte has no room, the body that has been on its way the longest is given up, whether that
//!   is the one that needs the room or another. An honest body is on its way for milliseconds; to have it given up,
//!   strangers must send all of the bound within those. Age is the measure because nothing improves it: a good pace can be had
//!   by sending fast at first, a good size by sending little.
//!
//! A verified body is never given up: [`Coming::keep`] takes it out of the order, its bytes stay counted until its request
//! has ended. Where those alone fill the bound, the log does not keep up, and newcomers are sent away.
//! Permits to be under way are for verified requests only; no stranger can take one.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::problem::{Busy, Problem};

/// A body of as many bytes has all of the time.
const PACED_BYTES: usize = 1 << 20;

/// What bodies may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BodiesConfig {
    /// Bytes of one.
    pub(super) body_bytes_max: usize,
    /// Bytes of all.
    pub(super) bytes_max: usize,
    /// How long the largest may take to come.
    pub(super) time: Duration,
}

/// All bodies that are held.
pub(super) struct Bodies {
    config: BodiesConfig,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    next: u64,
    /// Of all.
    bytes: usize,
    /// Those that may be given up, oldest first.
    coming: BTreeMap<u64, Room>,
    /// Bytes of those that may not.
    kept: BTreeMap<u64, usize>,
}

/// What one has taken so far, and where it is told that it is given up.
#[derive(Default)]
struct Room {
    bytes: usize,
    given_up: Arc<Notify>,
}

impl Bodies {
    pub(super) fn new(config: BodiesConfig) -> Arc<Self> {
        Arc::new(Self { config, held: Mutex::default() })
    }

    /// Bytes held now, and the most that may be.
    pub(super) fn bytes(&self) -> (usize, usize) {
        (self.held().bytes, self.config.bytes_max)
    }

    /// All of a body, if it comes in time, is no larger than it may be, and is not given up for others; `known` where its sender
    /// is, and it is not given up at all.
    pub(super) async fn whole(self: &Arc<Self>, mut body: Body, known: bool) -> Result<(Vec<u8>, Coming), Problem> {
        let coming = self.enter();
        if known {
            coming.keep();
        }
        let (begun, half) = (Instant::now(), self.config.time / 2);
        let mut bytes = Vec::new();
        loop {
            let due = begun + half + half.mul_f64(share(bytes.len(), self.config.body_bytes_max.min(PACED_BYTES)));
            let frame = tokio::select! {
                frame = timeout_at(due, poll_fn(|context| Pin::new(&mut body).poll_frame(context))) => frame,
                () = coming.given_up.notified() => return Err(Problem::Busy(Busy::Shed)),
            };
            let Some(frame) = frame.map_err(|_| Problem::TooSlow)? else { return Ok((bytes, coming)) };
            let frame = frame.map_err(|_| Problem::Invalid { why: "the body did not come whole".to_owned() })?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > self.config.body_bytes_max {
                return Err(self.too_large());
            }
            self.grow(coming.number, data.len())?;
            bytes.extend_from_slice(&data);
        }
    }

    pub(super) fn too_large(&self) -> Problem {
        Problem::TooLarge { what: "bytes", max: self.config.body_bytes_max }
    }

    fn enter(self: &Arc<Self>) -> Coming {
        let room = Room::default();
        let given_up = Arc::clone(&room.given_up);
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        held.coming.insert(number, room);
        Coming { bodies: Arc::clone(self), number, given_up }
    }

    /// More of a body has come: the oldest others are given up until there is room.
    fn grow(&self, number: u64, more: usize) -> Result<(), Problem> {
        let mut held = self.held();
        while held.bytes + more > self.config.bytes_max {
            let oldest = held.coming.iter().find(|(of, room)| **of == number || room.bytes > 0).map(|(of, _)| *of);
            if oldest.is_none_or(|oldest| oldest == number) {
                let verified_alone = held.coming.values().all(|room| room.bytes == 0);
                return Err(Problem::Busy(if verified_alone { Busy::Memory } else { Busy::Shed }));
            }
            if let Some(room) = oldest.and_then(|oldest| held.coming.remove(&oldest)) {
                held.bytes -= room.bytes;
                room.given_up.notify_one();
            }
        }
        let Held { coming, kept, bytes, .. } = &mut *held;
        let taken = coming.get_mut(&number).map(|room| &mut room.bytes).or_else(|| kept.get_mut(&number));
        *taken.ok_or(Problem::Busy(Busy::Shed))? += more;
        *bytes += more;
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of `all` there is, 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "sizes of bodies are far below 2^52 bytes")]
fn share(part: usize, all: usize) -> f64 {
    (part as f64 / all.max(1) as f64).min(1.0)
}

/// The room of one body, for as long as this is held.
pub(super) struct Coming {
    bodies: Arc<Bodies>,
    number: u64,
    given_up: Arc<Notify>,
}

impl Coming {
    /// Its sender is known: it is not given up any more. `false` where it was already.
    pub(super) fn keep(&self) -> bool {
        let mut held = self.bodies.held();
        let Some(room) = held.coming.remove(&self.number) else { return false };
        held.kept.insert(self.number, room.bytes);
        true
    }

    /// What is made of it takes as many bytes more.
    pub(super) fn more(&self, bytes: usize) -> Result<(), Problem> {
        self.bodies.grow(self.number, bytes)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let mut held = self.bodies.held();
        let coming = held.coming.remove(&self.number).map(|room| room.bytes);
        let kept = held.kept.remove(&self.number);
        held.bytes -= coming.or(kept).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(bytes_max: usize) -> Arc<Bodies> {
        Bodies::new(BodiesConfig { body_bytes_max: 100, bytes_max, time: Duration::from_secs(10) })
    }

    #[test]
    fn the_oldest_goes_for_one_that_needs_its_room() {
        let bodies = bodies(100);
        let (empty, slow, quick) = (bodies.enter(), bodies.enter(), bodies.enter());
        bodies.grow(slow.number, 60).expect("room");
        bodies.grow(quick.number, 40).expect("room");
        let newest = bodies.enter();
        bodies.grow(newest.number, 10).expect("the slow one's room");
        assert_eq!(bodies.bytes(), (50, 100));
        assert_eq!(bodies.grow(slow.number, 1), Err(Problem::Busy(Busy::Shed)), "it was given up");
        assert!(!slow.keep());
        assert_eq!(bodies.grow(empty.number, 60), Err(Problem::Busy(Busy::Shed)), "the oldest is itself");
        drop((slow, empty));
        assert_eq!(bodies.bytes().0, 50);
    }

    #[test]
    fn what_is_verified_stays_and_its_room_with_it() {
        let bodies = bodies(100);
        let kept = bodies.enter();
        bodies.grow(kept.number, 90).expect("room");
        assert!(kept.keep());
        let newcomer = bodies.enter();
        bodies.grow(newcomer.number, 10).expect("what is left");
        drop(newcomer);
        let newcomer = bodies.enter();
        assert_eq!(bodies.grow(newcomer.number, 11), Err(Problem::Busy(Busy::Memory)));
        assert_eq!(kept.more(11), Err(Problem::Busy(Busy::Memory)), "verified alone");
        kept.more(10).expect("what is left, for what is unpacked");
        let stranger = bodies.enter();
        assert_eq!(bodies.grow(stranger.number, 1), Err(Problem::Busy(Busy::Memory)));
        drop((kept, stranger));
        bodies.grow(newcomer.number, 100).expect("all of it");
        let known = bodies.enter();
        assert!(known.keep());
        known.more(60).expect("the newcomer's room");
        assert!(!newcomer.keep(), "given up for what a known one unpacks");
        drop((known, newcomer));
        assert_eq!(bodies.bytes().0, 0);
    }
}
