//! Jobs that look wrong and are not. How often each happens is an assumption; why that often stands beside it.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::booking::{Side, job, opens};
use crate::campaign::route::{drive, plan, way};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::chat::Talk;
use crate::honest::ops::{self, Team};
use crate::look_alike::{Often, Tale};
use crate::payload::{AdminAction, Proof};
use crate::people::{Person, Role};
use crate::random::Random;
use crate::scene::{Cast, Scene};
use crate::wire::{Outbox, one_digit};

pub(super) const TALES: &[Tale] = &[
    // A wedding or a move in a week for each 5,000 people.
    Tale {
        word: "wedding_organiser",
        doc: "One client books many people for one day, and calls some off.",
        often: Often::PerThousand(0.03),
        stage: wedding,
    },
    // Two small offices or shops among 1,000 clients have a cleaner or porter who comes every day.
    Tale {
        word: "business_regular",
        doc: "An office books the same tasker every day and praises them.",
        often: Often::PerThousand(0.06),
        stage: regular,
    },
    // A gardener's or a cleaner's usual day; one of 250 taskers has one on a day.
    Tale { word: "compound_gate", doc: "Many doors behind one gate, one tasker, one place.", often: Often::PerThousand(0.1), stage: gate },
    // One job of 250 ends where a receiver sees only the next street.
    Tale { word: "tower_block", doc: "A phone between high houses is wrong by streets.", often: Often::PerThousand(0.5), stage: tower },
    // One of 400 jobs: forgotten, and ended from the microbus.
    Tale {
        word: "ended_on_the_way",
        doc: "The tasker remembers on the way home to end the job.",
        often: Often::PerThousand(0.35),
        stage: late_end,
    },
    Tale { word: "short_job", doc: "A key is handed over, a parcel taken up: minutes.", often: Often::PerThousand(0.35), stage: short },
    // One of 600 jobs is in a cellar; the app sends what it kept when it is above ground.
    Tale {
        word: "basement_job",
        doc: "Start and end of a job are told at once, after it.",
        often: Often::PerThousand(0.2),
        stage: basement,
    },
    // One request of 2,000 is sent again by an app that heard no answer.
    Tale { word: "tapped_twice", doc: "The app sends the same step again.", often: Often::PerThousand(0.1), stage: twice },
    // One of 80 bookings, as taxi and delivery platforms tell of late cancellations.
    Tale {
        word: "last_minute_cancel",
        doc: "Ill, or the guests come: off minutes before.",
        often: Often::PerThousand(0.9),
        stage: called_off,
    },
    Tale {
        word: "broken_car",
        doc: "A tasker's car breaks down, and the day's jobs are off.",
        often: Often::PerThousand(0.05),
        stage: broken_down,
    },
    // Beauticians and those who clean where women live alone: one tasker of 100, every other day.
    Tale { word: "no_photo_privacy", doc: "Nobody wants a picture of their bedroom.", often: Often::PerThousand(0.06), stage: private },
    Tale { word: "siblings", doc: "A tasker works for a sister who uses the same line.", often: Often::PerThousand(0.05), stage: siblings },
    Tale {
        word: "colleagues",
        doc: "A painter books a plumber, and he books the painter.",
        often: Often::PerThousand(0.05),
        stage: colleagues,
    },
    // One call to support of 60 is of a job that the tasker cannot end.
    Tale {
        word: "ended_by_staff",
        doc: "Support ends a job whose tasker lost the phone.",
        often: Often::PerThousand(0.1),
        stage: by_staff,
    },
    // One card payment of 60: the bank's question is answered when the tasker is there already.
    Tale {
        word: "late_authorization",
        doc: "The bank asks, and the client answers after the start.",
        often: Often::PerThousand(0.3),
        stage: asked,
    },
    // A tenth of the drivers on a day: closed roads, wrong addresses.
    Tale { word: "rerouted", doc: "A road is closed, or the address was wrong.", often: Often::PerThousand(1.2), stage: rerouted },
];

/// A client and a tasker of one town.
pub(super) fn two<'p>(scene: &mut Scene<'p>) -> Option<(&'p Person, &'p Person)> {
    let client = scene.somebody(&scene.population.clients)?;
    Some((client, scene.neighbour(&scene.population.taskers, client.city)?))
}

/// They are looked at, whoever they are.
pub(super) fn seen(person: &Person, others: Vec<String>) -> Option<Cast> {
    let mut also = others;
    also.extend([format!("device:{}", person.device()), format!("phone:{}", person.phone)]);
    Some(Cast { entity: format!("user:{}", person.id), also })
}

/// A job as it should be, with its proof.
pub(super) fn usual(deal: &Deal<'_>, at: i64, wait: i64, minutes: i64, random: &mut Random, out: &mut Outbox) -> i64 {
    let proof = deal.proof(random);
    job(deal, random, at, (wait, minutes * MINUTE), Some(proof), Side::Theirs, out)
}

fn wedding(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let client = scene.somebody(&scene.population.clients)?;
    let due = scene.start - scene.start.rem_euclid(DAY) + DAY + 12 * HOUR;
    let mut others = Vec::new();
    for turn in 0..scene.random.between(7, 18) {
        let tasker = scene.neighbour(&scene.population.taskers, client.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        (deal.method, deal.scheduled) = ("card", Some(due + random.between(0, 5) * HOUR));
        let at = scene.start + turn * random.between(3, 12) * MINUTE;
        deal.event("booking.created", at, "client", None, out);
        deal.event("booking.accepted", at + random.between(MINUTE, 9 * MINUTE), "tasker", None, out);
        deal.paid().authorize(at + 10 * MINUTE, random, out);
        if random.chance(0.2) {
            deal.event("booking.cancelled", at + random.between(20, 200) * MINUTE, "client", None, out);
            continue;
        }
        let start = deal.scheduled.unwrap_or(due) + random.between(-20, 15) * MINUTE;
        deal.event("booking.started", start, "tasker", None, out);
        let done = start + random.between(40, 240) * MINUTE;
        deal.event("booking.completed", done, "tasker", Some(deal.proof(random)), out);
        deal.paid().settle(done + 4 * MINUTE, random, out);
        if random.chance(0.6) {
            deal.review(true, random.between(4, 5), done + random.between(2, 9) * HOUR, random, out);
        }
        others.push(format!("user:{}", tasker.id));
    }
    seen(client, others)
}

fn regular(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    for day in 0..random.between(3, 5) {
        let at = scene.start + day * DAY + random.between(0, 40 * MINUTE);
        let mut deal = Deal::new(client, tasker, random);
        (deal.method, deal.price) = (*random.pick(&["card", "cash"]), 45_000);
        let minutes = random.between(80, 150);
        let done = usual(&deal, at, 15 * MINUTE, minutes, random, out);
        if random.chance(0.7) {
            deal.review(true, 5, done + random.between(5, 90) * MINUTE, random, out);
        }
        if random.chance(0.4) {
            deal.review(false, 5, done + random.between(5, 90) * MINUTE, random, out);
        }
    }
    seen(tasker, vec![format!("user:{}", client.id)])
}

fn gate(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (first, tasker) = two(scene)?;
    let (place, mut at, mut others) = (first.home, scene.start, Vec::new());
    for _ in 0..scene.random.between(5, 9) {
        let client = scene.neighbour(&scene.population.clients, first.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        // Houses up to 400 m from the gate; the phone was left with the guard.
        deal.place = place.offset(random.real(-280.0, 280.0), random.real(-280.0, 280.0));
        let gate = place.offset(random.normal() * 8.0, random.normal() * 8.0);
        let proof = Proof { lat: gate.lat, lon: gate.lon, accuracy_m: one_digit(random.real(6.0, 18.0)), photo: random.chance(0.8) };
        let minutes = random.between(12, 35);
        at = job(&deal, random, at, (6 * MINUTE, minutes * MINUTE), Some(proof), Side::Theirs, out) + 6 * MINUTE;
        others.push(format!("user:{}", client.id));
    }
    seen(tasker, others)
}

/// The end of a job so far from it, with so bad a fix.
fn ends(scene: &mut Scene<'_>, metres: (f64, f64), accuracy: (f64, f64), later: i64, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let (far, turn) = (random.real(metres.0, metres.1), random.real(0.0, core::f64::consts::TAU));
    let place = deal.place.offset(far * libm::cos(turn), far * libm::sin(turn));
    let accuracy_m = one_digit(random.real(accuracy.0, accuracy.1));
    let proof = Proof { lat: place.lat, lon: place.lon, accuracy_m, photo: random.chance(0.85) };
    let length = random.between(40, 150) * MINUTE + later;
    job(&deal, random, scene.start, (20 * MINUTE, length), Some(proof), Side::Theirs, out);
    seen(tasker, vec![format!("booking:{}", deal.booking)])
}

fn tower(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    ends(scene, (250.0, 1_600.0), (120.0, 1_900.0), 0, out)
}

fn late_end(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let later = scene.random.between(20, 70) * MINUTE;
    ends(scene, (900.0, 9_000.0), (5.0, 60.0), later, out)
}

fn short(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let mut deal = Deal::new(client, tasker, random);
    deal.price = random.between(20, 40) * 500;
    let length = random.between(50, 420) * SECOND;
    let proof = deal.proof(random);
    job(&deal, random, scene.start, (18 * MINUTE, length), Some(proof), Side::Theirs, out);
    seen(tasker, vec![format!("booking:{}", deal.booking)])
}

fn basement(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let (length, wait) = (random.between(2, 15) * SECOND, random.between(60, 190) * MINUTE);
    let proof = deal.proof(random);
    job(&deal, random, scene.start, (wait, length), Some(proof), Side::Theirs, out);
    seen(tasker, vec![format!("booking:{}", deal.booking)])
}

fn twice(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let which = random.below(3);
    let mut at = scene.start;
    for (turn, (kind, role)) in
        [("booking.created", "client"), ("booking.accepted", "tasker"), ("booking.started", "tasker"), ("booking.completed", "tasker")]
            .into_iter()
            .enumerate()
    {
        let proof = (turn == 3).then(|| deal.proof(random));
        deal.event(kind, at, role, proof, out);
        if u64::try_from(turn).unwrap_or_default() == which + 1 {
            deal.event(kind, at + random.between(1, 20) * SECOND, role, proof, out);
        }
        if turn == 1 && deal.method != "cash" {
            deal.paid().authorize(at + random.between(30, 150) * SECOND, random, out);
        }
        at += random.between(6, 60) * MINUTE;
    }
    deal.paid().settle(at, random, out);
    seen(tasker, vec![format!("booking:{}", deal.booking)])
}

fn asked(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let mut deal = Deal::new(client, tasker, random);
    deal.method = "card";
    let at = scene.start;
    deal.event("booking.created", at, "client", None, out);
    deal.event("booking.accepted", at + 4 * MINUTE, "tasker", None, out);
    let started = at + random.between(15, 40) * MINUTE;
    deal.event("booking.started", started, "tasker", None, out);
    deal.paid().refused("declined", started - 2 * MINUTE, out);
    deal.paid().authorize(started + random.between(1, 12) * MINUTE, random, out);
    let done = started + random.between(40, 150) * MINUTE;
    deal.event("booking.completed", done, "tasker", Some(deal.proof(random)), out);
    deal.paid().settle(done + 3 * MINUTE, random, out);
    seen(tasker, vec![format!("booking:{}", deal.booking)])
}

fn called_off(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let mut deal = Deal::new(client, tasker, random);
    let due = scene.start + random.between(70, 300) * MINUTE;
    deal.scheduled = Some(due);
    deal.event("booking.created", scene.start, "client", None, out);
    deal.event("booking.accepted", scene.start + 5 * MINUTE, "tasker", None, out);
    let mut talk = Talk::new(&deal, "confirmed");
    talk.exchange(scene.start + 8 * MINUTE, 2..=4, random, out);
    if random.chance(0.4) {
        let local: String = tasker.phone.chars().skip(2).collect();
        talk.send(false, format!("لو في حاجة كلمني {local}"), None, scene.start + 30 * MINUTE, out);
    }
    let off = due + random.between(-40, 12) * MINUTE;
    let text = *random.pick(&["معلش تعبان مش هقدر النهارده", "sorry, my guests came early, another day", "ma3lesh ana ta3ban, yom tany"]);
    talk.status = "confirmed";
    talk.send(true, text.to_owned(), None, off - MINUTE, out);
    deal.event("booking.cancelled", off, "client", None, out);
    seen(tasker, vec![format!("user:{}", client.id), format!("booking:{}", deal.booking)])
}

fn broken_down(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, tasker) = two(scene)?;
    let off = scene.start + 3 * HOUR;
    for turn in 0..scene.random.between(3, 5) {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        deal.scheduled = Some(off + (turn * 100 - 40) * MINUTE);
        let at = scene.start + turn * 12 * MINUTE;
        deal.event("booking.created", at, "client", None, out);
        deal.event("booking.accepted", at + 4 * MINUTE, "tasker", None, out);
        let talk = Talk::new(&deal, "confirmed");
        talk.send(false, "معلش العربية عطلت، مش هقدر اجي النهارده".to_owned(), None, off + turn * MINUTE, out);
        let role = if turn == 0 { "client" } else { "tasker" };
        deal.event("booking.cancelled", off + turn * 2 * MINUTE + random.between(0, MINUTE), role, None, out);
    }
    seen(tasker, Vec::new())
}

fn private(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, tasker) = two(scene)?;
    let mut at = scene.start;
    for _ in 0..scene.random.between(3, 6) {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let deal = Deal::new(client, tasker, random);
        let proof = Proof { photo: false, ..deal.proof(random) };
        let minutes = random.between(45, 100);
        at = job(&deal, random, at, (12 * MINUTE, minutes * MINUTE), Some(proof), Side::Theirs, out) + 20 * MINUTE;
        if random.chance(0.5) {
            deal.review(true, 5, at, random, out);
        }
    }
    seen(tasker, Vec::new())
}

fn siblings(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let mut brother = scene.hire(Role::Tasker);
    let mut sister = scene.hire(Role::Client);
    (sister.city, sister.home, sister.home_line) = (brother.city, brother.home, brother.home_line.clone());
    (sister.mobile_share, brother.mobile_share) = (0.2, 0.2);
    for day in 0..scene.random.between(1, 3) {
        let random = &mut scene.random;
        let at = scene.start + day * 2 * DAY + 3 * MINUTE;
        opens(&sister, at - 2 * MINUTE, random, out);
        opens(&brother, at - MINUTE, random, out);
        let deal = Deal::new(&sister, &brother, random);
        let done = usual(&deal, at, 10 * MINUTE, 60, random, out);
        deal.review(true, 5, done + random.between(5, 60) * MINUTE, random, out);
    }
    seen(&brother, vec![format!("user:{}", sister.id), format!("ip:{}", brother.home_line.ip)])
}

fn colleagues(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, one) = two(scene)?;
    let two = scene.neighbour(&scene.population.taskers, one.city).filter(|two| two.id != one.id)?;
    for (turn, (client, tasker)) in [(one, two), (two, one)].into_iter().enumerate() {
        let random = &mut scene.random;
        let at = scene.start + i64::try_from(turn).unwrap_or_default() * random.between(26, 60) * HOUR;
        let deal = Deal::new(client, tasker, random);
        let minutes = random.between(50, 200);
        let done = usual(&deal, at, 30 * MINUTE, minutes, random, out);
        deal.review(true, 5, done + random.between(5, 200) * MINUTE, random, out);
    }
    seen(one, vec![format!("user:{}", two.id)])
}

fn by_staff(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let at = scene.start;
    deal.event("booking.created", at, "client", None, out);
    deal.event("booking.accepted", at + 5 * MINUTE, "tasker", None, out);
    if deal.method != "cash" {
        deal.paid().authorize(at + 7 * MINUTE, random, out);
    }
    deal.event("booking.started", at + 40 * MINUTE, "tasker", None, out);
    let end = at + random.between(150, 400) * MINUTE;
    let agent = ops::on_duty(Team::Support, end, random);
    let action = AdminAction {
        reason_code: Some("tasker_phone_lost"),
        ticket: Some(ops::ticket(random)),
        ..agent.action("booking_complete", &deal.booking, end)
    };
    ops::send(&action, end, out);
    let mut step = deal.step("booking.completed", "ops");
    step.actor_id = Some(&agent.id);
    out.send("booking.completed", end + SECOND, Some(format!("booking:{}", deal.booking)), &step);
    deal.paid().settle(end + 2 * MINUTE, random, out);
    seen(tasker, vec![format!("booking:{}", deal.booking), format!("admin:{}", agent.id)])
}

fn rerouted(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let driver = scene.hire(Role::Driver);
    let random = &mut scene.random;
    let (task, from) = (random.id("b_"), driver.home);
    let goal = (random.real(1_500.0, 3_500.0), random.real(-3_000.0, 3_000.0));
    let (first, other) = (way(from, goal, 0.1), way(from, goal, random.real(0.2, 0.9)));
    plan(&driver, &task, &first, scene.start, random, out);
    let turned = scene.start + random.between(60, 200) * SECOND;
    plan(&driver, &task, &other, turned, random, out);
    drive(&driver, &task, &other, turned + 5 * SECOND, random, out);
    let others = vec![format!("driver:{}", driver.id), format!("booking:{task}")];
    seen(&driver, others)
}
