//! Cash that did not change hands as both say, and jobs that nobody has paid for.

use super::money::{POUND, belongings, deal, enter, known, line, waking};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::books::{payable, post};
use crate::honest::payment::payment;
use crate::payload::Payment;
use crate::people::{Person, Role};
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "unsigned_cash",
        doc: "Cash is confirmed by receipts that no server has signed: forged.",
        span_ms: [12 * HOUR, 20 * HOUR, 6 * DAY],
        stage: unsigned,
    },
    Scenario {
        word: "cash_disputes",
        doc: "A client pays in cash, disputes it, and gets money that was never the marketplace's.",
        span_ms: [12 * HOUR, 22 * HOUR, 6 * DAY],
        stage: disputes,
    },
    Scenario {
        word: "unpaid_start",
        doc: "Jobs by card are started without an authorised payment, and never paid.",
        span_ms: [12 * HOUR, 22 * HOUR, 6 * DAY],
        stage: unpaid,
    },
];

/// Forged receipts. By a tasker: jobs with puppets, for the bonus that ten jobs bring. By a client: the tasker stands there
/// without the money, and the receipt says that he has it. Blatant: in a row, signatures that are wrong. Moderate: through a day.
/// Careful: over days, some wrong, some missing, signed ones between.
fn unsigned(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every, wrong, signed) = match level {
        Level::Blatant => (scene.param("receipts", 6, 12), scene.param("every_min", 15, 40), 1.0, 0.0),
        Level::Moderate => (scene.param("receipts", 4, 8), scene.param("every_min", 60, 120), 0.85, 0.1),
        Level::Careful => (scene.param("receipts", 7, 12), scene.param("every_min", 360, 600), 0.6, 0.3),
    };
    let by_client = scene.choice("forger", &[true, false]);
    let pounds = scene.param("pounds", 200, 1_200);
    let population = scene.population;
    let days = scene.param("account_days", 2, 90);
    let forger = known(scene, if by_client { Role::Client } else { Role::Tasker }, days);
    let puppets: Vec<Person> = (0..3).map(|_| known(scene, Role::Client, 12)).collect();
    for (number, puppet) in (0..count).zip(puppets.iter().cycle()) {
        let at = waking(scene, level, scene.start + number * every * MINUTE);
        enter(&forger, at, out);
        let (client, tasker) = if by_client { (&forger, scene.somebody(&population.taskers)?) } else { (puppet, &forger) };
        let random = &mut scene.random;
        let job = deal(client, tasker, pounds * POUND * random.between(70, 130) / 100, "cash", random);
        let done = job.work(at + MINUTE, random.between(15, 60) * MINUTE, random, out);
        let signature = if random.chance(signed) { Some(true) } else { random.chance(wrong).then_some(false) };
        job.paid().cash(signature, done + random.between(1, 5) * MINUTE, random, out);
    }
    let end = scene.start + count * every * MINUTE + 90 * MINUTE;
    let mut also = belongings([&forger]);
    if !by_client {
        post(&[("promotions", 500 * POUND), (&*payable(&forger), -500 * POUND)], None, end, &mut scene.random, out);
        also.extend(belongings(&puppets));
    }
    Some(Cast { entity: format!("user:{}", forger.id), also })
}

/// The tasker has the cash, the client says that he took too much or did not come, and a refund goes to the client's wallet.
/// Blatant: one account, every job. Moderate: one account, a day. Careful: two accounts on one device over days, a part each time.
fn disputes(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, count, every, percent) = match level {
        Level::Blatant => (1, scene.param("disputes", 4, 8), scene.param("every_min", 30, 70), (100, 100)),
        Level::Moderate => (1, scene.param("disputes", 3, 5), scene.param("every_min", 120, 230), (70, 100)),
        Level::Careful => (2, scene.param("disputes", 5, 8), scene.param("every_min", 700, 980), (50, 90)),
    };
    let pounds = scene.param("pounds", 400, 1_600);
    let population = scene.population;
    let mut clients: Vec<Person> = (0..accounts).map(|_| known(scene, Role::Client, 45)).collect();
    let first = clients.first()?.clone();
    for client in &mut clients {
        client.devices.clone_from(&first.devices);
    }
    for (number, client) in (0..count).zip(clients.iter().cycle()) {
        let at = waking(scene, level, scene.start + number * every * MINUTE);
        enter(client, at, out);
        let tasker = scene.somebody(&population.taskers)?;
        let random = &mut scene.random;
        let job = deal(client, tasker, pounds * POUND * random.between(75, 125) / 100, "cash", random);
        let done = job.play(at + MINUTE, random.between(30, 80) * MINUTE, random, out);
        let asked = done + random.between(15, 70) * MINUTE;
        job.take("booking.disputed", asked - 11 * SECOND, "client", None, out);
        let reason = *random.pick(&["overcharged", "not_done", "paid_twice"]);
        job.paid().refund(job.price * random.between(percent.0, percent.1) / 100, reason, asked, random, out);
    }
    Some(Cast { entity: format!("user:{}", first.id), also: belongings(&clients) })
}

/// The app is made to start a job whose card was refused, or never asked. The client has the work for nothing; with a friend as
/// tasker the marketplace pays him its guarantee. Blatant: job after job, no authorisation at all. Moderate: a refused one
/// before some. Careful: one or two a day, the capture fails later, as if by chance.
fn unpaid(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every, fails) = match level {
        Level::Blatant => (scene.param("jobs", 4, 8), scene.param("every_min", 30, 70), 0.5),
        Level::Moderate => (scene.param("jobs", 3, 5), scene.param("every_min", 120, 230), 0.7),
        Level::Careful => (scene.param("jobs", 4, 7), scene.param("every_min", 720, 1_150), 0.8),
    };
    let pounds = scene.param("pounds", 400, 2_000);
    let friend = scene.choice("friend", &[true, false]);
    let population = scene.population;
    let mut client = known(scene, Role::Client, 15);
    client.home_line = line(scene);
    let accomplice = known(scene, Role::Tasker, 100);
    let mut also = belongings([&client]);
    if friend {
        also.extend(belongings([&accomplice]));
    }
    for number in 0..count {
        let at = waking(scene, level, scene.start + number * every * MINUTE);
        enter(&client, at, out);
        let tasker = if friend { &accomplice } else { scene.somebody(&population.taskers)? };
        let random = &mut scene.random;
        let job = deal(&client, tasker, pounds * POUND * random.between(75, 125) / 100, "card", random);
        job.take("booking.created", at + MINUTE, "client", None, out);
        job.take("booking.accepted", at + 5 * MINUTE, "tasker", None, out);
        if level != Level::Blatant && random.chance(0.6) {
            job.paid().refused("insufficient_funds", at + 6 * MINUTE, out);
        }
        let start = at + random.between(9, 15) * MINUTE;
        job.take("booking.started", start, "tasker", None, out);
        let done = start + random.between(40, 120) * MINUTE;
        let proof = job.proof(random);
        job.take("booking.completed", done, "tasker", Some(proof), out);
        if random.chance(fails) {
            let failed = Payment {
                counterparty_id: Some(&tasker.id),
                booking_id: Some(&job.booking),
                reason: Some(*random.pick(&["insufficient_funds", "provider_declined", "expired_card"])),
                operation: Some("capture"),
                ..payment(&client, &job.payment, job.price, "card")
            };
            out.send("payment.failed", done + random.between(1, 9) * MINUTE, Some(client.subject()), &failed);
        }
        if friend {
            let guarantee = job.price * 88 / 100;
            let lines = [("goodwill", guarantee), (&*payable(tasker), -guarantee)];
            post(&lines, Some(&job.booking), done + random.between(12, 60) * MINUTE, random, out);
        }
        also.push(format!("booking:{}", job.booking));
    }
    Some(Cast { entity: format!("user:{}", client.id), also })
}
