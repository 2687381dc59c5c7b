//! What happens at the door, and who the first clients are. How often is an assumption; why that often stands beside it.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::booking::opens;
use crate::campaign::collusion::newcomer;
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::honest::chat::Talk;
use crate::look_alike::jobs::{seen, two, usual};
use crate::look_alike::{Often, Tale};
use crate::people::Role;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    // A battery is empty at one job of 1,000.
    Tale {
        word: "borrowed_phone",
        doc: "The tasker's phone is dead; the client's ends the job.",
        often: Often::PerThousand(0.12),
        stage: borrowed,
    },
    // One of 300 bookings, as delivery platforms tell of closed doors.
    Tale { word: "nobody_home", doc: "The tasker rings, nobody opens, and the job is off.", often: Often::PerThousand(0.3), stage: nobody },
    // One newcomer of ten brings the street along.
    Tale {
        word: "neighbours_first",
        doc: "A new tasker's first clients are neighbours who join for it.",
        often: Often::PerThousand(0.04),
        stage: street,
    },
    Tale {
        word: "second_visit",
        doc: "Something is missing, and the tasker comes again the same day.",
        often: Often::PerThousand(0.3),
        stage: again,
    },
];

fn borrowed(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let deal = Deal::new(client, tasker, random);
    let at = scene.start;
    deal.event("booking.created", at, "client", None, out);
    deal.event("booking.accepted", at + 4 * MINUTE, "tasker", None, out);
    deal.event("booking.started", at + 30 * MINUTE, "tasker", None, out);
    let entered = at + random.between(90, 200) * MINUTE;
    let device = client.device().to_owned();
    let verified = auth::code(tasker, &device, &client.home_line, "login", random, entered, out)?;
    auth::login(tasker, &device, &client.home_line, "otp", verified + SECOND, out);
    let done = verified + random.between(20, 90) * SECOND;
    let mut step = deal.step("booking.completed", "tasker");
    (step.tasker_device_id, step.proof) = (Some(client.device()), Some(deal.proof(random)));
    out.send("booking.completed", done, Some(format!("booking:{}", deal.booking)), &step);
    if deal.method != "cash" {
        deal.paid().authorize(at + 5 * MINUTE, random, out);
    }
    deal.paid().settle(done + 2 * MINUTE, random, out);
    seen(tasker, vec![format!("user:{}", client.id), format!("device:{device}"), format!("booking:{}", deal.booking)])
}

fn nobody(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let mut deal = Deal::new(client, tasker, random);
    let due = scene.start + random.between(60, 200) * MINUTE;
    deal.scheduled = Some(due);
    deal.event("booking.created", scene.start, "client", None, out);
    deal.event("booking.accepted", scene.start + 6 * MINUTE, "tasker", None, out);
    let talk = Talk::new(&deal, "confirmed");
    talk.send(false, "انا قدام الباب ومحدش بيفتح".to_owned(), None, due + random.between(0, 8) * MINUTE, out);
    if random.chance(0.5) {
        let local: String = tasker.phone.chars().skip(2).collect();
        talk.send(false, format!("كلمني {local} انا تحت"), None, due + random.between(9, 15) * MINUTE, out);
    }
    deal.event("booking.cancelled", due + random.between(18, 45) * MINUTE, "tasker", None, out);
    seen(tasker, vec![format!("user:{}", client.id), format!("booking:{}", deal.booking)])
}

fn street(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let line = tasker.home_line.clone();
    let tasker = newcomer(scene, tasker, &line, scene.start + MINUTE, out);
    let mut others = Vec::new();
    for turn in 0..scene.random.between(3, 6) {
        let mut client = scene.hire(Role::Client);
        client.city = tasker.city;
        client.home = tasker.home.near(&mut scene.random, 600.0);
        let line = client.home_line.clone();
        let at = scene.start + (2 + turn * 13) * HOUR;
        let client = newcomer(scene, client, &line, at, out);
        let random = &mut scene.random;
        let mut deal = Deal::new(&client, &tasker, random);
        deal.promo = Some("WELCOME50");
        let at = at + random.between(20, 200) * MINUTE;
        deal.redeem(at + 5 * SECOND, out);
        opens(&tasker, at, random, out);
        let minutes = random.between(40, 130);
        let done = usual(&deal, at, 15 * MINUTE, minutes, random, out);
        if random.chance(0.7) {
            deal.review(true, 5, done + random.between(5, 200) * MINUTE, random, out);
        }
        others.push(format!("user:{}", client.id));
    }
    seen(&tasker, others)
}

fn again(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = two(scene)?;
    let random = &mut scene.random;
    let mut at = scene.start;
    for _ in 0..random.between(2, 3) {
        let deal = Deal::new(client, tasker, random);
        let minutes = random.between(15, 70);
        at = usual(&deal, at, 10 * MINUTE, minutes, random, out) + random.between(30, 120) * MINUTE;
    }
    debug_assert!(at < scene.start + DAY);
    seen(tasker, vec![format!("user:{}", client.id)])
}
