//! Jobs that are taken away from the marketplace or from others: taskers who do not come, who leave with the client, clients who
//! take the tasker's steps, payments that were never set aside.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::booking::{Side, cast, job, opens};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::honest::chat::Talk;
use crate::payload::AuthzDenied;
use crate::people::Role;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "no_show",
        doc: "A tasker takes every job and comes to none, or to those that pay best.",
        span_ms: [23 * HOUR, 2 * DAY, 6 * DAY],
        stage: no_show,
    },
    Scenario {
        word: "cancel_after_contact",
        doc: "Client and tasker meet, the booking is called off, the job is done outside.",
        span_ms: [18 * HOUR, 2 * DAY, 6 * DAY],
        stage: outside,
    },
    Scenario {
        word: "client_as_tasker",
        doc: "A client takes the tasker's steps in their own bookings.",
        span_ms: [6 * HOUR, 23 * HOUR, 6 * DAY],
        stage: other_side,
    },
    Scenario {
        word: "job_without_authorization",
        doc: "Jobs are begun and paid for whose payment was never set aside.",
        span_ms: [12 * HOUR, 23 * HOUR, 6 * DAY],
        stage: unpaid,
    },
];

/// He keeps others from jobs, asks for a part in cash beforehand, or waits for a better one. Blatant: all of a day. Moderate: most
/// of two days. Careful: some of a week, and he calls some off himself minutes before.
fn no_show(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let (missed, kept, days) = match level {
        Level::Blatant => (scene.param("missed", 5, 12), 0, 0),
        Level::Moderate => (scene.param("missed", 4, 8), scene.param("kept", 1, 3), 1),
        Level::Careful => (scene.param("missed", 4, 8), scene.param("kept", 3, 8), scene.param("days", 3, 4)),
    };
    let times = if days == 0 {
        let (first, apart) = (scene.waking(), scene.param("minutes apart", 10, 35));
        (0..missed).map(|turn| first + turn * apart * MINUTE).collect()
    } else {
        scene.spread(missed + kept, days)
    };
    let mut bookings = Vec::new();
    for (turn, at) in times.into_iter().enumerate() {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, &tasker, random);
        opens(&tasker, at - MINUTE, random, out);
        let keeps = i64::try_from(turn).unwrap_or_default() * (kept + 1) % (missed + kept).max(1) < kept;
        if keeps && kept > 0 {
            let proof = deal.proof(random);
            let story = out.story.take();
            job(&deal, random, at, (30 * MINUTE, 80 * MINUTE), Some(proof), Side::Honest, out);
            out.story = story;
            continue;
        }
        deal.scheduled = Some(at + random.between(50, 180) * MINUTE);
        let due = deal.scheduled.unwrap_or(at);
        let story = out.story.take();
        deal.event("booking.created", at, "client", None, out);
        out.story = story;
        deal.event("booking.accepted", at + random.between(MINUTE, 8 * MINUTE), "tasker", None, out);
        // The end of the booking is his doing, whoever presses the button.
        let (end, role) = match (level, random.below(4)) {
            (Level::Careful, 0 | 1) => (due - random.between(2, 15) * MINUTE, "tasker"),
            (_, 2) => (due + HOUR, "system"),
            _ => (due + random.between(30, 150) * MINUTE, "client"),
        };
        deal.event("booking.cancelled", end, role, None, out);
        bookings.push(deal.booking.clone());
    }
    cast(&tasker, &bookings)
}

/// The marketplace's share is saved: client and tasker know each other's number, and the booking is called off. Blatant: the
/// number before anything is agreed, off within minutes, one client after another. Moderate: the number once it is agreed, as
/// is allowed, off at the hour of the job. Careful: not a number in the chat, off at the door by the client, between kept jobs.
fn outside(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let (count, times) = match level {
        Level::Blatant => {
            let (count, apart) = (scene.param("jobs", 5, 11), scene.param("minutes apart", 20, 60));
            (count, (0..count).map(|turn| scene.start + turn * apart * MINUTE).collect())
        }
        Level::Moderate => {
            let count = scene.param("jobs", 5, 9);
            (count, scene.spread(count, 1))
        }
        Level::Careful => {
            let (count, days) = (scene.param("jobs", 6, 11), scene.param("days", 3, 4));
            (count, scene.spread(count, days))
        }
    };
    let local: String = tasker.phone.chars().skip(2).collect();
    let (mut bookings, mut others) = (Vec::with_capacity(usize::try_from(count).unwrap_or_default()), Vec::new());
    for (turn, at) in times.into_iter().enumerate() {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, &tasker, random);
        opens(&tasker, at - 2 * MINUTE, random, out);
        if level == Level::Careful && turn % 3 == 2 {
            let proof = deal.proof(random);
            let story = out.story.take();
            job(&deal, random, at, (25 * MINUTE, 70 * MINUTE), Some(proof), Side::Honest, out);
            out.story = story;
            continue;
        }
        deal.scheduled = (level != Level::Blatant).then(|| at + random.between(50, 150) * MINUTE);
        deal.event("booking.created", at, "client", None, out);
        let accepted = at + random.between(3, 9) * MINUTE;
        let mut talk = Talk::new(&deal, "pending");
        let story = out.story.take();
        let said = talk.exchange(at + MINUTE, 1..=2, random, out);
        out.story = story;
        let off = deal.scheduled.map_or(accepted + random.between(2, 12) * MINUTE, |due| due + random.between(-25, 15) * MINUTE);
        if level == Level::Blatant {
            talk.send(false, format!("كلمني {local} ونلغي من هنا، ارخص ليك"), None, said.min(accepted - 10 * SECOND), out);
        }
        deal.event("booking.accepted", accepted, "tasker", None, out);
        talk.status = "confirmed";
        let words = match level {
            Level::Blatant => "تمام هلغي",
            Level::Moderate => random.pick::<&'static str>(&["وصلت كلمني", "call me when you come", "kalemny lama tewsal"]),
            Level::Careful => random.pick::<&'static str>(&["انا تحت البيت", "ana 2odam el bab", "I am at the door"]),
        };
        if level == Level::Moderate {
            talk.send(false, format!("رقمي {local}"), None, accepted + 4 * MINUTE, out);
        }
        talk.send(level != Level::Careful, words.to_owned(), None, off - random.between(1, 6) * MINUTE, out);
        let role = if level == Level::Blatant && random.chance(0.5) { "tasker" } else { "client" };
        deal.event("booking.cancelled", off, role, None, out);
        bookings.push(deal.booking.clone());
        others.extend([format!("user:{}", client.id), format!("conversation:{}", deal.conversation)]);
    }
    let mut cast = cast(&tasker, &bookings)?;
    cast.also.append(&mut others);
    Some(cast)
}

/// The client ends bookings themself, for the promotion's money on a completed job that nobody did and a tasker who hears of it
/// too late. Blatant: refused first, then with the role said openly. Moderate: the tasker's role under the client's name. Careful:
/// the role left out, the client's phone in the tasker's place, a booking a day.
fn other_side(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let client = scene.hire(Role::Client);
    let times = scene.jobs(level, [(3, 9), (2, 6), (3, 5)], [(8, 30), (40, 90), (3, 4)]);
    let mut also = vec![format!("device:{}", client.device()), format!("phone:{}", client.phone)];
    for at in times {
        let tasker = scene.neighbour(&scene.population.taskers, client.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(&client, tasker, random);
        (deal.promo, deal.method) = (Some("NOV15"), "cash");
        opens(&client, at - MINUTE, random, out);
        deal.event("booking.created", at, "client", None, out);
        deal.redeem(at + 5 * SECOND, out);
        let line = auth::network(&client, random, at);
        if level == Level::Blatant {
            let resource = format!("booking/{}/complete", deal.booking);
            let denied = AuthzDenied { actor_id: &client.id, actor_role: "client", resource: &resource, ip: &line.ip };
            out.send("authz.denied", at + MINUTE, None, &denied);
            also.push(format!("admin:{}", client.id)); // the contract's kind for whoever is refused
        }
        let mut then = at + 2 * MINUTE;
        for kind in ["booking.accepted", "booking.started", "booking.completed"] {
            let mut step = deal.step(kind, if level == Level::Blatant { "client" } else { "tasker" });
            step.actor_id = Some(&client.id);
            step.tasker_device_id = Some(client.device()).filter(|_| level != Level::Blatant);
            if level == Level::Careful {
                (step.actor_role, step.client_device_id) = (None, None);
            }
            step.proof = (kind == "booking.completed").then(|| deal.proof(random));
            out.send(kind, then, Some(format!("booking:{}", deal.booking)), &step);
            then += random.between(10, 40) * MINUTE;
        }
        also.push(format!("booking:{}", deal.booking));
    }
    Some(Cast { entity: format!("user:{}", client.id), also })
}

/// His clients' cards would not hold: he has the jobs done and captured all the same, and is paid out before they bounce. Blatant:
/// none is set aside. Moderate: refused, and begun a minute later. Careful: set aside for a part of the price, or once it is done.
fn unpaid(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let times = scene.jobs(level, [(4, 10), (3, 7), (4, 8)], [(20, 50), (40, 80), (3, 4)]);
    let (mut bookings, mut clients) = (Vec::new(), Vec::new());
    for (turn, at) in times.into_iter().enumerate() {
        let mut client = scene.hire(Role::Client);
        client.city = tasker.city;
        let random = &mut scene.random;
        let mut deal = Deal::new(&client, &tasker, random);
        (deal.method, deal.price) = ("card", random.between(120, 380) * 500);
        opens(&tasker, at - MINUTE, random, out);
        deal.event("booking.created", at, "client", None, out);
        deal.event("booking.accepted", at + 3 * MINUTE, "tasker", None, out);
        let (started, done) = (at + 9 * MINUTE, at + random.between(30, 80) * MINUTE);
        let mut part = deal.paid();
        match level {
            Level::Blatant => {}
            Level::Moderate => part.refused("declined", started - MINUTE, out),
            Level::Careful if turn % 2 == 0 => {
                part.amount = deal.price / 20;
                part.authorize(at + 4 * MINUTE, random, out);
            }
            Level::Careful => part.authorize(done + 20 * SECOND, random, out),
        }
        deal.event("booking.started", started, "tasker", None, out);
        deal.event("booking.completed", done, "tasker", Some(deal.proof(random)), out);
        deal.paid().settle(done + 2 * MINUTE, random, out);
        bookings.push(deal.booking.clone());
        clients.push(format!("user:{}", client.id));
    }
    let mut cast = cast(&tasker, &bookings)?;
    cast.also.append(&mut clients);
    Some(cast)
}
