//! Praise, blame and reports that look arranged and are not.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::booking::{Side, job};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::honest::ops;
use crate::look_alike::jobs::{seen, two, usual};
use crate::look_alike::{Often, Tale};
use crate::people::Role;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    // One tasker of 300 has one in a week: ill, or with a bad helper.
    Tale {
        word: "bad_week",
        doc: "Clients of one tasker are cross, each for their own reason.",
        often: Often::PerThousand(0.06),
        stage: bad_week,
    },
    Tale {
        word: "regular_praise",
        doc: "A client and their usual tasker praise each other.",
        often: Often::PerThousand(0.1),
        stage: praise,
    },
    // One newcomer of four has it, and two newcomers of 1,000 people begin on a day.
    Tale {
        word: "good_first_week",
        doc: "A newcomer works hard and is praised by everybody.",
        often: Often::PerThousand(0.08),
        stage: newcomer,
    },
    Tale {
        word: "office_reviews",
        doc: "People of one office praise the same cleaner, from its line.",
        often: Often::PerThousand(0.05),
        stage: office,
    },
    Tale {
        word: "moved_house",
        doc: "A client praises all who helped with the move, on one evening.",
        often: Often::PerThousand(0.06),
        stage: moved,
    },
    Tale { word: "family_phone", doc: "Mother and daughter rate from one phone.", often: Often::PerThousand(0.06), stage: family },
    // Twice in a week for 5,000 people.
    Tale { word: "two_reports", doc: "Two clients tell of the same rude tasker.", often: Often::PerThousand(0.05), stage: two_reports },
    Tale {
        word: "unlucky_client",
        doc: "A client has trouble twice in a week, and says so.",
        often: Often::PerThousand(0.04),
        stage: unlucky,
    },
    // A child with the phone; once in a month for 3,000 people. The alarm is right, and nobody is guilty.
    Tale {
        word: "panic_by_mistake",
        doc: "The button is pressed by mistake, and the staff calls back.",
        often: Often::PerThousand(0.01),
        stage: mistake,
    },
    Tale {
        word: "opinion_without_job",
        doc: "Somebody rates a tasker whom a neighbour booked.",
        often: Often::PerThousand(0.15),
        stage: no_job,
    },
];

fn bad_week(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, tasker) = two(scene)?;
    let count = scene.random.between(4, 6);
    for turn in 0..count {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let at = scene.start + turn * 17 * HOUR + random.between(0, 2 * HOUR);
        let deal = Deal::new(client, tasker, random);
        let done = usual(&deal, at, 30 * MINUTE, 100, random, out);
        deal.review(true, random.between(1, 3), done + random.between(MINUTE, 5 * HOUR), random, out);
    }
    seen(tasker, Vec::new())
}

fn praise(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    for day in 0..random.between(2, 4) {
        let at = scene.start + day * DAY + random.between(0, 3 * HOUR);
        let deal = Deal::new(client, tasker, random);
        let done = usual(&deal, at, 25 * MINUTE, 90, random, out);
        deal.review(true, 5, done + random.between(3, 200) * MINUTE, random, out);
        deal.review(false, 5, done + random.between(3, 200) * MINUTE, random, out);
    }
    seen(tasker, vec![format!("user:{}", client.id)])
}

fn newcomer(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let mut tasker = scene.hire(Role::Tasker);
    tasker.created_at = scene.start;
    let line = tasker.home_line.clone();
    let random = &mut scene.random;
    let verified = auth::code(&tasker, tasker.device(), &line, "signup", random, scene.start, out)?;
    tasker.created_at = verified + SECOND;
    auth::register(&tasker, &line, verified + SECOND, out);
    let document = random.id("h_");
    let at = verified + random.between(3, 9) * HOUR;
    ops::papers(&tasker, at, random, out);
    auth::prove(&tasker, &document, "full", at, out);
    for turn in 0..scene.random.between(6, 11) {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let at = verified + (10 + turn * 9) * HOUR + random.between(0, HOUR);
        let deal = Deal::new(client, &tasker, random);
        let done = usual(&deal, at, 20 * MINUTE, 80, random, out);
        if random.chance(0.8) {
            deal.review(true, 5, done + random.between(3, 300) * MINUTE, random, out);
        }
    }
    seen(&tasker, Vec::new())
}

fn office(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (first, tasker) = two(scene)?;
    let (_, line) = scene.random.pick(&scene.population.offices).clone();
    let mut others = vec![format!("ip:{}", line.ip)];
    let mut at = scene.start;
    for _ in 0..scene.random.between(3, 6) {
        let mut client = scene.neighbour(&scene.population.clients, first.city)?.clone();
        client.home_line = line.clone();
        let random = &mut scene.random;
        let deal = Deal::new(&client, tasker, random);
        let done = usual(&deal, at, 8 * MINUTE, 40, random, out);
        deal.review(true, random.between(4, 5), done + random.between(3, 60) * MINUTE, random, out);
        others.push(format!("user:{}", client.id));
        at = done + 10 * MINUTE;
    }
    seen(tasker, others)
}

fn moved(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let client = scene.somebody(&scene.population.clients)?;
    let evening = scene.start + 7 * HOUR;
    for turn in 0..scene.random.between(4, 7) {
        let tasker = scene.neighbour(&scene.population.taskers, client.city)?;
        let random = &mut scene.random;
        let deal = Deal::new(client, tasker, random);
        usual(&deal, scene.start + turn * 25 * MINUTE, 15 * MINUTE, 120, random, out);
        deal.review(true, random.between(4, 5), evening + turn * random.between(40, 120) * SECOND, random, out);
    }
    seen(client, Vec::new())
}

fn family(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (mother, tasker) = two(scene)?;
    let mut daughter = scene.hire(Role::Client);
    (daughter.city, daughter.home, daughter.home_line) = (mother.city, mother.home, mother.home_line.clone());
    daughter.devices.clone_from(&mother.devices);
    let random = &mut scene.random;
    for (turn, client) in [(0, mother), (1, &daughter)] {
        let deal = Deal::new(client, tasker, random);
        let done = usual(&deal, scene.start + turn * 4 * HOUR, 20 * MINUTE, 70, random, out);
        deal.review(true, 5, done + random.between(3, 90) * MINUTE, random, out);
    }
    seen(tasker, vec![format!("user:{}", mother.id), format!("user:{}", daughter.id), format!("device:{}", mother.device())])
}

fn two_reports(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, tasker) = two(scene)?;
    for turn in 0..2 {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let deal = Deal::new(client, tasker, random);
        let done = usual(&deal, scene.start + turn * random.between(5, 30) * HOUR, 20 * MINUTE, 70, random, out);
        let category = *random.pick(&["harassment", "spam", "theft"]);
        deal.report(true, category, done + random.between(10, 300) * MINUTE, random, out);
    }
    seen(tasker, Vec::new())
}

fn unlucky(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let client = scene.somebody(&scene.population.clients)?;
    for turn in 0..2 {
        let tasker = scene.neighbour(&scene.population.taskers, client.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        deal.method = "card";
        let done = usual(&deal, scene.start + turn * random.between(20, 50) * HOUR, 20 * MINUTE, 70, random, out);
        let told = done + random.between(30, 300) * MINUTE;
        let category = *random.pick(&["theft", "harassment"]);
        deal.report(true, category, told, random, out);
        if turn == 0 {
            deal.event("booking.disputed", told + 5 * MINUTE, "client", None, out);
            deal.paid().refund(deal.price / 2, "not_as_agreed", told + 6 * MINUTE, random, out);
        }
    }
    seen(client, Vec::new())
}

fn mistake(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let proof = deal.proof(random);
    let done = job(&deal, random, scene.start, (20 * MINUTE, 90 * MINUTE), Some(proof), Side::Theirs, out);
    deal.report(true, "panic", done - 50 * MINUTE, random, out);
    seen(tasker, vec![format!("user:{}", client.id)])
}

fn no_job(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let review = crate::payload::Review {
        review_id: random.id("r_"),
        reviewer_id: &client.id,
        reviewee_id: &tasker.id,
        rating: if random.chance(0.25) { 1 } else { 5 },
        verified_booking: false,
        booking_id: None,
        device_id: Some(client.device()),
        ip: Some(&client.home_line.ip),
    };
    out.send("review.submitted", scene.start, Some(client.subject()), &review);
    seen(tasker, vec![format!("user:{}", client.id)])
}
