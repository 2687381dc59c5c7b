//! Payments that look like stolen cards, fake jobs and double charges, and are everyday business. How often: assumptions, so that
//! an ordinary week has some of each.

use super::Often::{ADay, PerThousand};
use super::Tale;
use super::money::{POUND, accused, client_of, deal, enter, neighbours, price};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::payment::{RANGES, card_range, payment};
use crate::payload::Payment;
use crate::people::{Person, Role};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "card_tried_again",
        doc: "A card is refused, tried again, then another of the same person's: the salary is late.",
        often: PerThousand(1.0), // Assumption.
        stage: tried_again,
    },
    Tale {
        word: "cards_added",
        doc: "Somebody enters new cards, each checked with a pound, and mistypes one.",
        often: PerThousand(0.6), // Assumption.
        stage: cards_added,
    },
    Tale {
        word: "kiosk",
        doc: "A phone shop books for customers who have no app: many cards and small jobs on its one device and account.",
        often: PerThousand(0.15), // Assumption: two a week.
        stage: kiosk,
    },
    Tale {
        word: "bank_outage",
        doc: "One bank refuses all of its cards for an hour: many people, one range, nearly all failed.",
        often: ADay(0.2), // Assumption: a bad bank hour in five days.
        stage: bank_outage,
    },
    Tale {
        word: "bank_promotion",
        doc: "A bank gives its customers a tenth back, and many pay by its cards within hours, newcomers among them.",
        often: ADay(0.15), // Assumption: once a week.
        stage: bank_promotion,
    },
    Tale {
        word: "family_card",
        doc: "A card of the family pays on several accounts, for several taskers.",
        often: PerThousand(0.6), // Assumption.
        stage: family_card,
    },
    Tale {
        word: "business_pair",
        doc: "A company's account pays one cleaner for its floors, several times a day.",
        often: PerThousand(0.5), // Assumption.
        stage: business,
    },
    Tale {
        word: "regular_pair",
        doc: "A client whose card has never paid anybody but the one tasker whom the family trusts, day after day.",
        often: PerThousand(0.3), // Assumption.
        stage: regular,
    },
    Tale {
        word: "instalments",
        doc: "A renovation is paid in a deposit and instalments: several captures of one sum for one booking.",
        often: PerThousand(0.5), // Assumption.
        stage: instalments,
    },
    Tale {
        word: "capture_told_twice",
        doc: "The provider tells twice of one capture, under one payment's number; the ledger has it once.",
        often: PerThousand(0.6), // Assumption.
        stage: told_twice,
    },
    Tale {
        word: "generous_tips",
        doc: "Tips and round sums, on top of the price and sometimes as high.",
        often: PerThousand(0.8), // Assumption.
        stage: tips,
    },
    Tale {
        word: "paid_at_the_door",
        doc: "Cash was agreed, nobody had it, and the client pays by card when all is done: nothing was authorised at the start.",
        often: PerThousand(0.8), // Assumption.
        stage: at_the_door,
    },
    Tale {
        word: "authorised_late",
        doc: "The authorisation came while the provider was slow: the job began before it, and it is paid.",
        often: PerThousand(0.5), // Assumption.
        stage: authorised_late,
    },
];

fn tried_again(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let mut owner = client.clone();
    let job = deal(client, tasker, price(random), "card", random);
    job.take("booking.created", scene.start, "client", None, out);
    job.take("booking.accepted", scene.start + 3 * MINUTE, "tasker", None, out);
    let mut at = scene.start + 4 * MINUTE;
    let mut also = Vec::new();
    for try_number in 0..random.between(2, 6) {
        if try_number % 2 == 1 {
            owner.card = random.id("card_");
            also.push(format!("instrument:{}", owner.card));
        }
        let reason = *random.pick(&["insufficient_funds", "declined", "limit_exceeded", "expired_card"]);
        crate::honest::payment::Paid { client: &owner, ..job.paid() }.refused(reason, at, out);
        at += random.between(20 * SECOND, 3 * MINUTE);
    }
    let last = crate::honest::payment::Paid { client: &owner, ..job.paid() };
    out.send("payment.authorized", at, Some(owner.subject()), &last.payment());
    job.take("booking.started", at + 10 * MINUTE, "tasker", None, out);
    let proof = job.proof(random);
    job.take("booking.completed", at + 80 * MINUTE, "tasker", Some(proof), out);
    last.settle(at + 83 * MINUTE, random, out);
    let mut cast = accused(client, []);
    cast.also.extend(also);
    Some(cast)
}

fn cards_added(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let client = scene.somebody(&population.clients)?;
    let random = &mut scene.random;
    enter(client, scene.start - MINUTE, out);
    let mut at = scene.start;
    let mut owner = client.clone();
    let mut cast = accused(client, []);
    for _ in 0..random.between(2, 4) {
        owner.card = random.id("card_");
        cast.also.push(format!("instrument:{}", owner.card));
        for wrong in [true, false] {
            if wrong && !random.chance(0.4) {
                continue;
            }
            let id = random.id("p_");
            let check = payment(&owner, &id, POUND, "card");
            let reason = *random.pick(&["invalid_number", "invalid_cvv", "expired_card"]);
            if wrong {
                let failed = Payment { reason: Some(reason), operation: Some("authorize"), ..check };
                out.send("payment.failed", at, Some(client.subject()), &failed);
            } else {
                out.send("payment.authorized", at, Some(client.subject()), &check);
            }
            at += random.between(20 * SECOND, 3 * MINUTE);
        }
    }
    Some(cast)
}

fn kiosk(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let mut shop = scene.somebody(&population.clients)?.clone();
    let mut cast = accused(&shop, []);
    enter(&shop, scene.start - MINUTE, out);
    for customer in 0..scene.random.between(5, 14) {
        let tasker = scene.somebody(&population.taskers)?;
        let random = &mut scene.random;
        shop.card = random.id("card_");
        cast.also.push(format!("instrument:{}", shop.card));
        let at = scene.start + customer * random.between(20, 34) * MINUTE;
        let job = deal(&shop, tasker, random.between(30, 70) * 500, "card", random);
        if random.chance(0.2) {
            job.paid().refused("insufficient_funds", at - 30 * SECOND, out);
        }
        job.play(at, random.between(20, 60) * MINUTE, random, out);
    }
    Some(cast)
}

/// Clients whose cards are of that range.
fn customers<'p>(scene: &Scene<'p>, range: &str) -> Vec<&'p Person> {
    scene.population.clients.iter().filter(|client| card_range(&client.card).0 == range).collect()
}

fn bank_outage(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let large = RANGES.get(..6).unwrap_or_default();
    let (range, _, _) = *scene.random.pick(large);
    let customers = customers(scene, range);
    let population = scene.population;
    if customers.is_empty() || population.taskers.is_empty() {
        return None;
    }
    let random = &mut scene.random;
    let mut met: Vec<&Person> = Vec::new();
    for _ in 0..random.between(15, 45) {
        let client = *random.pick(&customers);
        let tasker = random.pick(&population.taskers);
        let job = deal(client, tasker, price(random), "card", random);
        let mut at = scene.start + random.between(0, 55 * MINUTE);
        job.take("booking.created", at, "client", None, out);
        at += random.between(MINUTE, 4 * MINUTE);
        job.take("booking.accepted", at, "tasker", None, out);
        for _ in 0..random.between(1, 4) {
            at += random.between(15 * SECOND, 2 * MINUTE);
            job.paid().refused("issuer_unavailable", at, out);
        }
        job.take("booking.cancelled", at + random.between(2 * MINUTE, 50 * MINUTE), "client", None, out);
        met.push(client);
    }
    let mut cast = accused(met.first()?, met.iter().copied());
    cast.also.extend(["provider:card_eg".to_owned(), "all:all".to_owned()]);
    Some(cast)
}

fn bank_promotion(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let large = RANGES.get(..6).unwrap_or_default();
    let (range, _, _) = *scene.random.pick(large);
    let customers = customers(scene, range);
    let population = scene.population;
    if customers.is_empty() || population.taskers.is_empty() {
        return None;
    }
    let random = &mut scene.random;
    let mut met: Vec<&Person> = Vec::new();
    for _ in 0..random.between(15, 40) {
        let client = *random.pick(&customers);
        let tasker = random.pick(&population.taskers);
        let job = deal(client, tasker, price(random), "card", random);
        let at = scene.start + random.between(0, 5 * HOUR);
        job.play(at, random.between(30, 90) * MINUTE, random, out);
        met.push(client);
    }
    Some(accused(met.first()?, met.iter().copied()))
}

fn family_card(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (parent, _) = neighbours(scene)?;
    let mut family = vec![parent.clone()];
    for _ in 0..scene.random.between(1, 3) {
        let mut child = scene.hire(Role::Client);
        (child.card, child.home, child.city) = (parent.card.clone(), parent.home, parent.city);
        child.home_line = parent.home_line.clone();
        family.push(child);
    }
    for (number, member) in family.iter().enumerate() {
        let population = scene.population;
        let tasker = scene.somebody(&population.taskers)?;
        let random = &mut scene.random;
        let at = scene.start + i64::try_from(number).unwrap_or_default() * random.between(20, 150) * MINUTE;
        enter(member, at - MINUTE, out);
        deal(member, tasker, price(random), "card", random).play(at, random.between(30, 100) * MINUTE, random, out);
    }
    let mut cast = accused(parent, &family);
    cast.entity = format!("instrument:{}", parent.card);
    Some(cast)
}

fn business(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let price = random.between(40, 160) * 500;
    for floor in 0..random.between(3, 6) {
        let at = scene.start + floor * random.between(70, 90) * MINUTE;
        deal(client, tasker, price, "card", random).play(at, random.between(30, 50) * MINUTE, random, out);
    }
    Some(accused(client, [tasker]))
}

fn regular(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let tasker = scene.somebody(&population.taskers)?;
    let mut client = scene.hire(Role::Client);
    (client.city, client.home) = (tasker.city, tasker.home.near(&mut scene.random, 3_000.0));
    let random = &mut scene.random;
    for day in 0..random.between(3, 5) {
        let at = scene.start + day * DAY + random.between(0, HOUR);
        enter(&client, at - MINUTE, out);
        deal(&client, tasker, random.between(50, 130) * 500, "card", random).play(at, random.between(60, 150) * MINUTE, random, out);
    }
    Some(accused(tasker, [&client]))
}

fn instalments(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let parts = random.between(2, 4);
    let amount = random.between(100, 400) * 500;
    let mut job = deal(client, tasker, amount * parts, "card", random);
    let end = scene.start + random.between(4, 9) * HOUR;
    job.take("booking.created", scene.start, "client", None, out);
    job.take("booking.accepted", scene.start + 5 * MINUTE, "tasker", None, out);
    job.paid().authorize(scene.start + 6 * MINUTE, random, out);
    job.take("booking.started", scene.start + 30 * MINUTE, "tasker", None, out);
    let proof = job.proof(random);
    job.take("booking.completed", end, "tasker", Some(proof), out);
    job.price = amount;
    for part in 0..parts {
        let id = random.id("p_");
        let one = crate::honest::payment::Paid { id: &id, ..job.paid() };
        let at = scene.start + 8 * MINUTE + (end - scene.start) * part / (parts - 1).max(1);
        let paid = Payment { reason: Some("instalment"), ..one.payment() };
        out.send("payment.captured", at, Some(client.subject()), &paid);
        one.book(at + random.between(100, 2_000), random, out);
    }
    let mut cast = accused(client, [tasker]);
    cast.also.push(format!("booking:{}", job.booking));
    Some(cast)
}

fn told_twice(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let job = deal(client, tasker, price(random), "wallet", random);
    let done = job.work(scene.start, random.between(30, 90) * MINUTE, random, out) + 2 * MINUTE;
    job.paid().settle(done, random, out);
    for _ in 0..random.between(1, 2) {
        job.paid().capture(done + random.between(10 * SECOND, 70 * MINUTE), out);
    }
    let mut cast = accused(tasker, [client]);
    cast.also.extend([format!("booking:{}", job.booking), format!("payment:{}", job.payment)]);
    Some(cast)
}

fn tips(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let job = deal(client, tasker, random.between(2, 8) * 50 * POUND, "card", random);
    let done = job.play(scene.start, random.between(30, 90) * MINUTE, random, out);
    let whole = if random.chance(0.3) { job.price } else { random.between(1, 4) * 50 * POUND };
    job.paid().tip(whole, done + random.between(5, 40) * MINUTE, random, out);
    if random.chance(0.4) {
        job.paid().tip(whole, done + random.between(41, 90) * MINUTE, random, out);
    }
    let mut cast = accused(tasker, [client]);
    cast.also.push(format!("booking:{}", job.booking));
    Some(cast)
}

fn at_the_door(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let mut job = deal(client, tasker, price(random), "cash", random);
    let done = job.work(scene.start, random.between(30, 90) * MINUTE, random, out);
    job.method = *random.pick(&["card", "wallet"]);
    let at = done + random.between(MINUTE, 12 * MINUTE);
    if random.chance(0.2) {
        job.paid().refused("insufficient_funds", at - 40 * SECOND, out);
    }
    out.send("payment.authorized", at, Some(client.subject()), &job.paid().payment());
    job.paid().settle(at + random.between(2 * SECOND, 40 * SECOND), random, out);
    let mut cast = accused(client, [tasker]);
    cast.also.push(format!("booking:{}", job.booking));
    Some(cast)
}

fn authorised_late(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let tasker = scene.somebody(&population.taskers)?;
    let client = client_of(scene, tasker)?;
    let random = &mut scene.random;
    let mut job = deal(client, tasker, price(random), "cash", random);
    let done = job.work(scene.start, random.between(50, 120) * MINUTE, random, out);
    job.method = "wallet";
    // Some minutes after the start.
    job.paid().authorize(scene.start + random.between(20, 45) * MINUTE, random, out);
    job.paid().settle(done + random.between(MINUTE, 5 * MINUTE), random, out);
    let mut cast = accused(client, [tasker]);
    cast.also.push(format!("booking:{}", job.booking));
    Some(cast)
}
