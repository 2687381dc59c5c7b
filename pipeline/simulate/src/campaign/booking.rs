//! Jobs that are paid and were not done: steps that no booking takes, places and times that cannot be, nothing to show.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::payload::Proof;
use crate::people::{Person, Role};
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::{Outbox, one_digit};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "illegal_transitions",
        doc: "Bookings take steps that none may take, so that what was not done is paid.",
        span_ms: [8 * HOUR, 23 * HOUR, 6 * DAY],
        stage: transitions,
    },
    Scenario {
        word: "far_completion",
        doc: "A tasker ends jobs far from where they are.",
        span_ms: [12 * HOUR, 23 * HOUR, 6 * DAY],
        stage: far,
    },
    Scenario {
        word: "instant_completion",
        doc: "A tasker ends jobs as soon as they have begun.",
        span_ms: [12 * HOUR, 23 * HOUR, 6 * DAY],
        stage: instant,
    },
    Scenario {
        word: "completion_without_photo",
        doc: "A tasker passes by, ends jobs without a picture and has not done them.",
        span_ms: [18 * HOUR, 2 * DAY, 6 * DAY],
        stage: photo,
    },
];

/// Whose the client of a job is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The attacker's own.
    Theirs,
    /// An honest person's: their steps and payments are in no label.
    Honest,
}

/// A job from question to payment: accepted after minutes, begun after `wait`, done after `length`. Tells when it was done.
pub(crate) fn job(
    deal: &Deal<'_>,
    random: &mut Random,
    at: i64,
    (wait, length): (i64, i64),
    proof: Option<Proof>,
    side: Side,
    out: &mut Outbox,
) -> i64 {
    let story = out.story;
    let client = if side == Side::Honest { None } else { story };
    out.story = client;
    deal.event("booking.created", at, "client", None, out);
    out.story = story;
    let accepted = at + random.between(40 * SECOND, 6 * MINUTE);
    deal.event("booking.accepted", accepted, "tasker", None, out);
    out.story = client;
    if deal.method != "cash" {
        deal.paid().authorize(accepted + random.between(20 * SECOND, MINUTE), random, out);
    }
    out.story = story;
    let started = accepted + wait.max(2 * MINUTE);
    deal.event("booking.started", started, "tasker", None, out);
    let done = started + length;
    deal.event("booking.completed", done, "tasker", proof, out);
    out.story = client;
    deal.paid().settle(done + random.between(30 * SECOND, 5 * MINUTE), random, out);
    out.story = story;
    done
}

/// The tasker opens the app.
pub(crate) fn opens(tasker: &Person, at: i64, random: &mut Random, out: &mut Outbox) {
    let line = auth::network(tasker, random, at);
    auth::login(tasker, tasker.device(), &line, "refresh", at, out);
}

/// Somebody honest and their card; they complain later, as some do.
fn victim<'a, 'p: 'a>(scene: &mut Scene<'p>, tasker: &'a Person, pounds: (i64, i64)) -> Option<Deal<'a>> {
    let client = scene.neighbour(&scene.population.clients, tasker.city)?;
    let mut deal = Deal::new(client, tasker, &mut scene.random);
    (deal.method, deal.price) = ("card", scene.random.between(pounds.0 / 5, pounds.1 / 5) * 500);
    Some(deal)
}

/// Some of those who paid for nothing complain, and get it back.
fn complaint(deal: &Deal<'_>, done: i64, share: f64, random: &mut Random, out: &mut Outbox) {
    if random.chance(share) {
        let story = out.story.take();
        let asked = done + random.between(30 * MINUTE, 3 * HOUR);
        deal.event("booking.disputed", asked - 20 * SECOND, "client", None, out);
        deal.paid().refund(deal.price, "not_done", asked, random, out);
        out.story = story;
    }
}

pub(super) fn cast(tasker: &Person, bookings: &[String]) -> Option<Cast> {
    let mut also = vec![format!("device:{}", tasker.device()), format!("phone:{}", tasker.phone)];
    also.extend(bookings.iter().map(|booking| format!("booking:{booking}")));
    Some(Cast { entity: format!("user:{}", tasker.id), also })
}

/// The attacker has found that the service takes steps out of order. He is paid for jobs that were called off or never begun.
/// Blatant: many in an hour or two, every kind. Moderate: a few, completed as soon as they are accepted, a step less. Careful: one
/// or two a day, called off by the client first and completed when nobody looks.
fn transitions(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let times = scene.jobs(level, [(6, 16), (3, 7), (3, 7)], [(3, 20), (20, 80), (3, 4)]);
    let mut bookings = Vec::new();
    for (turn, at) in times.into_iter().enumerate() {
        let deal = victim(scene, &tasker, (300, 1_500))?;
        let random = &mut scene.random;
        opens(&tasker, at - MINUTE, random, out);
        let story = out.story.take();
        deal.event("booking.created", at, "client", None, out);
        out.story = story;
        let (soon, later) = (at + random.between(MINUTE, 5 * MINUTE), at + random.between(20 * MINUTE, 50 * MINUTE));
        let proof = deal.proof(random);
        match (level, turn % 4) {
            (Level::Blatant, 0) | (Level::Moderate, _) => {
                deal.event("booking.accepted", soon, "tasker", None, out);
                deal.event("booking.completed", later, "tasker", Some(proof), out);
            }
            (Level::Blatant, 1) => {
                deal.event("booking.started", soon, "tasker", None, out);
                deal.event("booking.completed", later, "tasker", Some(proof), out);
            }
            (Level::Blatant, 2) => deal.event("booking.completed", soon, "tasker", Some(proof), out),
            _ => {
                deal.event("booking.accepted", soon, "tasker", None, out);
                let story = out.story.take();
                deal.event("booking.cancelled", later - 5 * MINUTE, "client", None, out);
                out.story = story;
                let late = later + if level == Level::Careful { random.between(HOUR, 7 * HOUR) } else { MINUTE };
                deal.event("booking.completed", late, "tasker", Some(proof), out);
            }
        }
        let story = out.story.take();
        deal.paid().authorize(soon + 30 * SECOND, random, out);
        deal.paid().settle(later + MINUTE, random, out);
        complaint(&deal, later + 8 * HOUR, 0.4, random, out);
        out.story = story;
        bookings.push(deal.booking.clone());
    }
    cast(&tasker, &bookings)
}

/// What the phone says so many metres from the job.
fn proof_at(deal: &Deal<'_>, metres: i64, accuracy: Option<f64>, random: &mut Random) -> Proof {
    let far = f64::from(i32::try_from(metres).unwrap_or(i32::MAX));
    let turn = random.real(0.0, core::f64::consts::TAU);
    let place = deal.place.offset(far * libm::cos(turn), far * libm::sin(turn));
    let accuracy_m = one_digit(accuracy.unwrap_or_else(|| random.real(5.0, 35.0)));
    Proof { lat: place.lat, lon: place.lon, accuracy_m, photo: random.chance(0.9) }
}

/// He is paid for jobs that he never went to. Blatant: from another town, one after another. Moderate: from home, across the
/// city. Careful: from the next quarter, with a phone that claims to see badly, a job or two a day between honest ones.
fn far(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let (metres, pounds) = match level {
        Level::Blatant => (scene.param("metres", 8_000, 45_000), (300, 1_200)),
        Level::Moderate => (scene.param("metres", 2_200, 9_000), (300, 1_200)),
        Level::Careful => (scene.param("metres", 650, 2_400), (500, 1_500)),
    };
    let times = scene.jobs(level, [(4, 10), (3, 7), (5, 9)], [(25, 60), (40, 80), (3, 4)]);
    let mut bookings = Vec::new();
    for at in times {
        let deal = victim(scene, &tasker, pounds)?;
        let random = &mut scene.random;
        opens(&tasker, at - MINUTE, random, out);
        let accuracy = (level == Level::Careful).then(|| random.real(30.0, 260.0));
        let away = metres * random.between(80, 120) / 100;
        let proof = proof_at(&deal, away, accuracy, random);
        let length = random.between(20, 55) * MINUTE;
        let done = job(&deal, random, at, (10 * MINUTE, length), Some(proof), Side::Honest, out);
        complaint(&deal, done, 0.35, random, out);
        bookings.push(deal.booking.clone());
    }
    cast(&tasker, &bookings)
}

/// He is paid for hours of work that took no time. Blatant: seconds. Moderate: a few minutes. Careful: some more, on dear jobs, one
/// or two a day.
fn instant(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let (length, pounds) = match level {
        Level::Blatant => (scene.param("seconds of work", 2, 40), (300, 1_200)),
        Level::Moderate => (scene.param("seconds of work", 45, 240), (300, 1_200)),
        Level::Careful => (scene.param("seconds of work", 240, 660), (700, 1_900)),
    };
    let times = scene.jobs(level, [(5, 14), (4, 8), (5, 9)], [(12, 40), (30, 80), (3, 4)]);
    let mut bookings = Vec::new();
    for at in times {
        let deal = victim(scene, &tasker, pounds)?;
        let random = &mut scene.random;
        opens(&tasker, at - MINUTE, random, out);
        let proof = deal.proof(random);
        let took = length * SECOND * random.between(75, 125) / 100;
        let wait = random.between(4, 12) * MINUTE;
        let done = job(&deal, random, at, (wait, took), Some(proof), Side::Honest, out);
        complaint(&deal, done, 0.35, random, out);
        bookings.push(deal.booking.clone());
    }
    cast(&tasker, &bookings)
}

/// He drives by the door, where his phone is in the right place, and has nothing to show. Blatant: never a picture, one job after
/// another. Moderate: on most. Careful: on half, and the proof is left out altogether on some, over days.
fn photo(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let (count, with, times) = match level {
        Level::Blatant => {
            let (count, apart) = (scene.param("jobs", 7, 16), scene.param("minutes apart", 20, 45));
            (count, 0, (0..count).map(|turn| scene.start + turn * apart * MINUTE).collect())
        }
        Level::Moderate => {
            let (count, with) = (scene.param("jobs", 6, 12), scene.param("percent with", 5, 25));
            (count, with, scene.spread(count, 1))
        }
        Level::Careful => {
            let (count, with, days) = (scene.param("jobs", 8, 14), scene.param("percent with", 30, 55), scene.param("days", 3, 4));
            (count, with, scene.spread(count, days))
        }
    };
    let share = f64::from(i32::try_from(with).unwrap_or_default()) / 100.0;
    let mut bookings = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    for at in times {
        let deal = victim(scene, &tasker, (300, 1_400))?;
        let random = &mut scene.random;
        opens(&tasker, at - MINUTE, random, out);
        let shown = random.chance(share);
        let proof = Proof { photo: shown, ..deal.proof(random) };
        let none = level == Level::Careful && !shown && random.chance(0.3);
        let plan = (random.between(8, 20) * MINUTE, random.between(20, 50) * MINUTE);
        let story = out.story;
        if shown {
            out.story = None; // a job that was done
        }
        let done = job(&deal, random, at, plan, (!none).then_some(proof), Side::Honest, out);
        out.story = story;
        if !shown {
            complaint(&deal, done, 0.4, random, out);
            bookings.push(deal.booking.clone());
        }
    }
    cast(&tasker, &bookings)
}
