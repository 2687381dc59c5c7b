//! Refunds and chargebacks that look like fraud and are what they say. How often: assumptions, so that an ordinary week has some.

use super::Often::{ADay, PerThousand};
use super::Tale;
use super::money::{POUND, accused, client_of, deal, enter, neighbours, price};
use crate::clock::{HOUR, MINUTE, SECOND};
use crate::honest::ops;
use crate::honest::payment::{Paid, chargeback};
use crate::payload::{AdminAction, Payment};
use crate::people::Person;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "service_defect",
        doc: "A tasker has a bad day, or a broken machine: many of the day's clients are refunded the same evening.",
        often: ADay(0.6), // Assumption: four a week in the marketplace.
        stage: defect,
    },
    Tale {
        word: "app_fault",
        doc: "A fault of the app has charged too much: all whom it met get the difference back, by itself or by one agent.",
        often: ADay(0.25), // Assumption: twice in eight days.
        stage: app_fault,
    },
    Tale {
        word: "outage_refunds",
        doc: "The provider was down: jobs that fell through are refunded in a row by the agent on duty.",
        often: ADay(0.2), // Assumption.
        stage: outage,
    },
    Tale {
        word: "parcel_refunds",
        doc: "A sender's parcels came late or broken, some of one tour, and each is refunded.",
        often: PerThousand(0.5), // Assumption: five a week.
        stage: parcels,
    },
    Tale {
        word: "honest_dispute",
        doc: "The job was not done as agreed, the client says so at once and gets all the money back.",
        often: PerThousand(1.2), // Assumption: one job in a hundred.
        stage: dispute,
    },
    Tale {
        word: "refund_in_parts",
        doc: "A refund, and after a second look the rest of it: never more than was paid.",
        often: PerThousand(0.4), // Assumption.
        stage: parts,
    },
    Tale {
        word: "refund_told_twice",
        doc: "The provider tells twice or thrice of one refund, under one payment's number.",
        often: PerThousand(0.4), // Assumption.
        stage: told_twice,
    },
    Tale {
        word: "wedding_off",
        doc: "Somebody who plans a feast pays several bookings, calls them off and gets all the money back.",
        often: PerThousand(0.12), // Assumption: one in five days.
        stage: wedding,
    },
    Tale {
        word: "goodwill_shift",
        doc: "An agent on the telephone gives back small sums at once, without a dispute, with a ticket each.",
        often: ADay(0.4), // Assumption: three shifts a week.
        stage: goodwill,
    },
    Tale {
        word: "same_pair_refund",
        doc: "A client and the regular tasker: the machine failed, and he came again for nothing; both visits are given back.",
        often: PerThousand(0.2), // Assumption.
        stage: regulars,
    },
    Tale {
        word: "lone_chargeback",
        doc: "A son booked with his father's card, or the bank's text was not understood: one chargeback, one job.",
        often: PerThousand(0.4), // Assumption.
        stage: lone_chargeback,
    },
    Tale {
        word: "lost_card_chargebacks",
        doc: "A card was lost and its owner's bank takes back all payments of the last days, the owner's own among them.",
        often: PerThousand(0.08), // Assumption: one a week.
        stage: lost_card,
    },
];

fn defect(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let tasker = scene.somebody(&population.taskers)?;
    let count = scene.random.between(3, 7);
    let mut clients: Vec<&Person> = Vec::new();
    let evening = scene.start + count * 75 * MINUTE + 2 * HOUR;
    for job in 0..count {
        let client = client_of(scene, tasker)?;
        let random = &mut scene.random;
        let method = *random.pick(&["card", "wallet", "card", "cash"]);
        let one = deal(client, tasker, price(random), method, random);
        one.play(scene.start + job * 75 * MINUTE, random.between(30, 60) * MINUTE, random, out);
        let asked = evening + random.between(0, 3 * HOUR);
        one.take("booking.disputed", asked - 20 * SECOND, "client", None, out);
        let part = one.price * random.between(5, 10) / 10;
        one.paid().refund(part, "service_defect", asked, random, out);
        clients.push(client);
    }
    Some(accused(tasker, clients))
}

fn app_fault(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let by_itself = scene.random.chance(0.5);
    let agent = ops::on_duty(ops::Team::Support, scene.start, &mut scene.random);
    let mut people: Vec<&Person> = Vec::new();
    for _ in 0..scene.random.between(6, 18) {
        let (client, tasker) = neighbours(scene)?;
        let random = &mut scene.random;
        let job = deal(client, tasker, price(random), "card", random);
        job.play(scene.start + random.between(0, 90 * MINUTE), random.between(30, 80) * MINUTE, random, out);
        let at = scene.start + 5 * HOUR + random.between(0, 40 * MINUTE);
        let extra = job.price / 10;
        if by_itself {
            job.paid().refund_auto(extra, "app_fault", at, random, out);
        } else {
            job.paid().refund_by(agent, (extra, "app_fault"), (at, at + random.between(3 * MINUTE, 25 * MINUTE)), random, out);
        }
        people.push(client);
    }
    let first = *people.first()?;
    let mut cast = accused(first, people);
    cast.also.push(format!("admin:{}", agent.id));
    Some(cast)
}

fn outage(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let agent = ops::on_duty(ops::Team::Support, scene.start, &mut scene.random);
    let mut people: Vec<&Person> = Vec::new();
    let mut desk = scene.start + 4 * HOUR;
    for _ in 0..scene.random.between(8, 22) {
        let (client, tasker) = neighbours(scene)?;
        let random = &mut scene.random;
        let job = deal(client, tasker, price(random), "wallet", random);
        let at = scene.start + random.between(0, 2 * HOUR);
        job.take("booking.created", at, "client", None, out);
        job.take("booking.accepted", at + 3 * MINUTE, "tasker", None, out);
        job.paid().authorize(at + 4 * MINUTE, random, out);
        job.paid().settle(at + 6 * MINUTE, random, out); // paid beforehand
        for _ in 0..random.between(0, 2) {
            let failed = Payment { reason: Some("provider_unavailable"), operation: Some("capture"), ..job.paid().payment() };
            out.send("payment.failed", at + random.between(20, 90) * MINUTE, Some(client.subject()), &failed);
        }
        job.take("booking.cancelled", at + random.between(70, 110) * MINUTE, "client", None, out);
        desk += random.between(40 * SECOND, 4 * MINUTE);
        job.paid().refund_by(agent, (job.price, "provider_outage"), (desk, desk + random.between(3 * MINUTE, 25 * MINUTE)), random, out);
        people.push(client);
    }
    let mut cast = accused(people.first()?, people.iter().copied());
    cast.entity = format!("admin:{}", agent.id);
    Some(cast)
}

fn parcels(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let driver = scene.somebody(&population.drivers)?;
    let client = client_of(scene, driver)?;
    let random = &mut scene.random;
    for parcel in 0..random.between(2, 4) {
        let mut job = deal(client, driver, random.between(6, 24) * 500, "card", random);
        job.place = client.home.near(random, 4_000.0);
        let done = job.play(scene.start + parcel * 12 * MINUTE, random.between(30, 90) * MINUTE, random, out);
        let asked = done + random.between(30 * MINUTE, 4 * HOUR);
        job.take("booking.disputed", asked - 15 * SECOND, "client", None, out);
        let reason = *random.pick(&["parcel_damaged", "parcel_late", "parcel_lost"]);
        job.paid().refund(job.price, reason, asked, random, out);
    }
    Some(accused(client, [driver]))
}

fn dispute(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let method = *random.pick(&["card", "wallet", "cash"]);
    let job = deal(client, tasker, price(random), method, random);
    let done = job.play(scene.start, random.between(10, 90) * MINUTE, random, out);
    let asked = done + random.between(5 * MINUTE, 2 * HOUR);
    enter(client, asked - MINUTE, out);
    job.take("booking.disputed", asked - 20 * SECOND, "client", None, out);
    let reason = *random.pick(&["not_done", "not_as_agreed", "damage", "overcharged"]);
    job.paid().refund(job.price, reason, asked, random, out);
    Some(accused(client, [tasker]))
}

fn parts(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let job = deal(client, tasker, price(random), "card", random);
    let done = job.play(scene.start, random.between(30, 120) * MINUTE, random, out);
    let mut at = done + random.between(30 * MINUTE, 2 * HOUR);
    job.take("booking.disputed", at - 20 * SECOND, "client", None, out);
    let (pieces, percent) = (random.between(2, 3), random.between(60, 100));
    for _ in 0..pieces {
        let part = job.price * percent / 100 / pieces;
        if random.chance(0.25) {
            job.paid().refund_bare(part, "not_as_agreed", at, random, out);
        } else {
            job.paid().refund(part, "not_as_agreed", at, random, out);
        }
        at += random.between(HOUR, 8 * HOUR);
    }
    let mut cast = accused(client, [tasker]);
    cast.also.push(format!("booking:{}", job.booking));
    Some(cast)
}

fn told_twice(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let job = deal(client, tasker, price(random), "card", random);
    let done = job.play(scene.start, random.between(30, 120) * MINUTE, random, out);
    let asked = done + random.between(20 * MINUTE, 3 * HOUR);
    job.take("booking.disputed", asked - 20 * SECOND, "client", None, out);
    let id = random.id("p_");
    let paid = Paid { id: &id, ..job.paid() };
    let agent = ops::on_duty(ops::Team::Support, scene.start, random);
    let mut refund = Payment { original_payment_id: Some(&job.payment), reason: Some("not_as_agreed"), ..paid.payment() };
    out.send("payment.refund_requested", asked, Some(client.subject()), &refund);
    let approved = asked + random.between(4 * MINUTE, 30 * MINUTE);
    let action = AdminAction {
        reason_code: Some("client_claim"),
        ticket: Some(format!("T-{}", random.between(10_000, 99_999))),
        amount: Some(job.price),
        ..agent.action("refund_approve", &job.booking, approved)
    };
    ops::send(&action, approved, out);
    (refund.approved_by, refund.device_id) = (Some(&*agent.id), None);
    let mut at = approved + random.between(5 * SECOND, 40 * SECOND);
    job.paid().unbook(job.price, at + SECOND, random, out);
    for _ in 0..random.between(2, 4) {
        out.send("payment.refund_issued", at, Some(client.subject()), &refund);
        at += random.between(30 * SECOND, 50 * MINUTE);
    }
    let mut cast = accused(client, [tasker]);
    cast.also.extend([format!("booking:{}", job.booking), format!("payment:{}", job.payment)]);
    Some(cast)
}

fn wedding(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let client = scene.somebody(&population.clients)?;
    let in_town: Vec<&Person> = population.taskers.iter().filter(|tasker| tasker.city == client.city).collect();
    if in_town.is_empty() {
        return None;
    }
    let random = &mut scene.random;
    enter(client, scene.start - MINUTE, out);
    for _ in 0..random.between(3, 6) {
        let tasker = *random.pick(&in_town);
        let job = deal(client, tasker, random.between(160, 500) * 500, "card", random);
        let asked = scene.start + random.between(0, HOUR);
        job.take("booking.created", asked, "client", None, out);
        job.take("booking.accepted", asked + 10 * MINUTE, "tasker", None, out);
        job.paid().authorize(asked + 12 * MINUTE, random, out);
        job.paid().settle(asked + 15 * MINUTE, random, out);
        let off = scene.start + 3 * HOUR + random.between(0, 40 * MINUTE);
        job.take("booking.cancelled", off, "client", None, out);
        job.paid().refund(job.price, "cancelled", off + MINUTE, random, out);
    }
    Some(accused(client, []))
}

fn goodwill(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let agent = ops::on_duty(ops::Team::Support, scene.start, &mut scene.random);
    let mut people: Vec<&Person> = Vec::new();
    for call in 0..scene.random.between(3, 8) {
        let (client, tasker) = neighbours(scene)?;
        let random = &mut scene.random;
        let job = deal(client, tasker, price(random), "card", random);
        let done = job.play(scene.start + call * 22 * MINUTE, random.between(25, 70) * MINUTE, random, out);
        let asked = done + random.between(15, 80) * MINUTE;
        let amount = (job.price / 10).max(20 * POUND);
        let id = random.id("p_");
        let paid = Paid { id: &id, amount, ..job.paid() };
        let mut refund = Payment { original_payment_id: Some(&job.payment), reason: Some("goodwill"), ..paid.payment() };
        out.send("payment.refund_requested", asked, Some(client.subject()), &refund);
        let approved = asked + random.between(15 * SECOND, 3 * MINUTE);
        let action = AdminAction {
            reason_code: Some("goodwill"),
            ticket: Some(format!("T-{}", random.between(10_000, 99_999))),
            amount: Some(amount),
            ..agent.action("refund_approve", &job.booking, approved)
        };
        ops::send(&action, approved, out);
        (refund.approved_by, refund.device_id) = (Some(&*agent.id), None);
        out.send("payment.refund_issued", approved + 5 * SECOND, Some(client.subject()), &refund);
        job.paid().unbook(amount, approved + 6 * SECOND, random, out);
        people.push(client);
    }
    let mut cast = accused(people.first()?, people.iter().copied());
    cast.entity = format!("admin:{}", agent.id);
    Some(cast)
}

fn regulars(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    for visit in 0..2 {
        let job = deal(client, tasker, price(random), "card", random);
        let done = job.play(scene.start + visit * 5 * HOUR, random.between(30, 90) * MINUTE, random, out);
        let asked = done + random.between(20 * MINUTE, 2 * HOUR);
        job.take("booking.disputed", asked - 20 * SECOND, "client", None, out);
        job.paid().refund(job.price, "service_defect", asked, random, out);
    }
    Some(accused(client, [tasker]))
}

fn lone_chargeback(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let job = deal(client, tasker, price(random), "card", random);
    let done = job.play(scene.start, random.between(30, 120) * MINUTE, random, out);
    let at = done + random.between(8 * HOUR, 60 * HOUR);
    chargeback(client, &job.payment, job.price, "not_recognised", at, random, out);
    let mut cast = accused(client, [tasker]);
    cast.also.push(format!("payment:{}", job.payment));
    Some(cast)
}

fn lost_card(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let client = scene.somebody(&population.clients)?;
    let random = &mut scene.random;
    for _ in 0..random.between(2, 3) {
        let (original, amount) = (random.id("p_"), price(random) / 500 * 500 + 10 * POUND);
        let at = scene.start + random.between(0, 30 * MINUTE);
        chargeback(client, &original, amount, "lost_card", at, random, out);
    }
    Some(accused(client, []))
}
