//! Money taken back: refunds on jobs that were done, on jobs of one's own people, through a friend at the desk, and more than
//! was paid.

use super::money::{POUND, available, belongings, cash_out, deal, enter, known, waking};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::ops;
use crate::honest::payment::Paid;
use crate::payload::{AdminAction, Payment};
use crate::people::{Person, Role};
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "refund_velocity",
        doc: "A client gets refund after refund, from many taskers.",
        span_ms: [7 * HOUR, 19 * HOUR, 5 * DAY],
        stage: refunds,
    },
    Scenario {
        word: "refund_after_completion",
        doc: "A client says of jobs that were done, with photo and place, that they were not.",
        span_ms: [10 * HOUR, 22 * HOUR, 6 * DAY],
        stage: not_done,
    },
    Scenario {
        word: "refund_pair",
        doc: "A client and a tasker play jobs: he is paid out, then she is refunded.",
        span_ms: [12 * HOUR, 22 * HOUR, 6 * DAY],
        stage: pair,
    },
    Scenario {
        word: "refund_inside_lane",
        doc: "One agent approves refunds for friends' accounts that nobody else has seen.",
        span_ms: [9 * HOUR, 16 * HOUR, 6 * DAY],
        stage: inside,
    },
    Scenario {
        word: "partial_refunds",
        doc: "One booking is refunded in pieces that come to more than was paid.",
        span_ms: [5 * HOUR, 16 * HOUR, 5 * DAY],
        stage: pieces,
    },
];

/// An honest tasker's job for the client, of 30 to 90 minutes, up to the capture.
fn bought(scene: &mut Scene<'_>, client: &Person, price: i64, method: &'static str, at: i64, out: &mut Outbox) -> Option<(Owned, i64)> {
    let population = scene.population;
    let tasker = scene.somebody(&population.taskers)?;
    let random = &mut scene.random;
    let work = random.between(30 * MINUTE, 90 * MINUTE);
    let job = deal(client, tasker, price, method, random);
    let done = job.play(at, work, random, out);
    Some((Owned { tasker: tasker.clone(), booking: job.booking, payment: job.payment, price: job.price, method }, done))
}

/// A job without its client.
struct Owned {
    tasker: Person,
    booking: String,
    payment: String,
    price: i64,
    method: &'static str,
}

impl Owned {
    fn of<'a>(&'a self, client: &'a Person) -> Paid<'a> {
        Paid { client, tasker: &self.tasker, booking: &self.booking, id: &self.payment, amount: self.price, method: self.method }
    }

    fn disputed(&self, client: &Person, at: i64, random: &mut Random, out: &mut Outbox) {
        let mut job = Deal::new(client, &self.tasker, random);
        (job.booking, job.price) = (self.booking.clone(), self.price);
        job.take("booking.disputed", at, "client", None, out);
    }
}

/// Refund after refund: services for nothing. Blatant: one account, every few minutes. Moderate: one account, through a day.
/// Careful: accounts that share a device or a card, two or three each within days, every account under usual limits; still
/// ten thousand pounds of work for nothing.
fn refunds(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, rounds, every, pounds) = match level {
        Level::Blatant => (1, scene.param("rounds", 8, 14), scene.param("every_min", 5, 14), scene.param("pounds", 700, 1_600)),
        Level::Moderate => (1, scene.param("rounds", 5, 8), scene.param("every_min", 50, 110), scene.param("pounds", 800, 1_800)),
        Level::Careful => {
            let accounts = scene.param("accounts", 3, 5);
            let rounds = scene.param("rounds", 2, 3) * accounts;
            (accounts, rounds, scene.param("every_min", 240, 420), scene.param("pounds", 1_100, 2_300))
        }
    };
    let shared = if level == Level::Careful { scene.choice("shared", &["device", "card", "both"]) } else { "both" };
    let days = scene.param("account_days", 4, 60);
    let mut clients: Vec<Person> = (0..accounts).map(|_| known(scene, Role::Client, days)).collect();
    let first = clients.first()?.clone();
    for client in &mut clients {
        if shared != "card" {
            client.devices.clone_from(&first.devices);
        }
        if shared != "device" {
            client.card.clone_from(&first.card);
        }
    }
    for (round, client) in (0..rounds).zip(clients.iter().cycle()) {
        let at = waking(scene, level, scene.start + round * every * MINUTE);
        enter(client, at, out);
        let price = pounds * POUND * scene.random.between(80, 125) / 100;
        let (job, done) = bought(scene, client, price, "card", at + MINUTE, out)?;
        let random = &mut scene.random;
        let asked = done + random.between(12 * MINUTE, 60 * MINUTE);
        job.disputed(client, asked - 8 * SECOND, random, out);
        let reason = *random.pick(&["not_as_agreed", "damage", "late", "not_done"]);
        let part = job.price * if level == Level::Careful { random.between(70, 100) } else { 100 } / 100;
        job.of(client).refund(part, reason, asked, random, out);
    }
    Some(Cast { entity: format!("user:{}", first.id), also: belongings(&clients) })
}

/// The work is done, with photo and place, and the client says that nobody came. Blatant: minutes after, the whole price.
/// Moderate: within the hour, jobs that are let stand between. Careful: hours after, nearly the whole price, a job in two over
/// days; three or four jobs of a thousand pounds for nothing.
fn not_done(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (claims, every, after) = match level {
        Level::Blatant => (scene.param("claims", 3, 5), scene.param("every_min", 40, 100), (2, scene.param("after_min", 3, 12))),
        Level::Moderate => (scene.param("claims", 3, 4), scene.param("every_min", 150, 320), (10, scene.param("after_min", 15, 45))),
        Level::Careful => (scene.param("claims", 3, 4), scene.param("every_min", 1_200, 2_100), (40, scene.param("after_min", 60, 240))),
    };
    let pounds = scene.param("pounds", 500, 1_500);
    let days = scene.param("account_days", 2, 120);
    let client = known(scene, Role::Client, days);
    for claim in 0..claims {
        let at = waking(scene, level, scene.start + claim * every * MINUTE);
        enter(&client, at, out);
        let price = pounds * POUND * scene.random.between(85, 120) / 100;
        let (job, done) = bought(scene, &client, price, "card", at + 2 * MINUTE, out)?;
        let random = &mut scene.random;
        let asked = done + random.between(after.0, after.1) * MINUTE + 4 * MINUTE;
        job.disputed(&client, asked - 15 * SECOND, random, out);
        let part = if level == Level::Careful { job.price * random.between(80, 100) / 100 } else { job.price };
        job.of(&client).refund(part, "not_done", asked, random, out);
        if level != Level::Blatant && scene.random.chance(0.5) {
            // One that is let stand, and paid.
            let price = scene.random.between(150, 300) * POUND;
            bought(scene, &client, price, "wallet", at + every * MINUTE / 2 - 40 * MINUTE, out)?;
        }
    }
    Some(Cast { entity: format!("user:{}", client.id), also: belongings([&client]) })
}

/// Jobs that nobody does: the tasker is paid out at once, then the client gets the whole price back, and the marketplace has
/// paid. Blatant: one pair on one device. Moderate: one pair, hours. Careful: two clients and two taskers crosswise, over days.
fn pair(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (sides, rounds, every) = match level {
        Level::Blatant => (1, scene.param("rounds", 4, 7), scene.param("every_min", 30, 70)),
        Level::Moderate => (1, scene.param("rounds", 3, 5), scene.param("every_min", 110, 220)),
        Level::Careful => (2, scene.param("rounds", 4, 7), scene.param("every_min", 600, 1_000)),
    };
    let pounds = scene.param("pounds", 800, 2_200);
    let days = scene.param("account_days", 5, 200);
    let mut clients: Vec<Person> = (0..sides).map(|_| known(scene, Role::Client, days)).collect();
    let taskers: Vec<Person> = (0..sides).map(|_| known(scene, Role::Tasker, days)).collect();
    if level == Level::Blatant {
        for (client, tasker) in clients.iter_mut().zip(&taskers) {
            client.devices.clone_from(&tasker.devices);
        }
    }
    for round in 0..rounds {
        let turn = usize::try_from(round).unwrap_or_default();
        let (client, tasker) = (clients.iter().cycle().nth(turn)?, taskers.iter().cycle().nth(turn / 2 + turn % 2)?);
        let at = waking(scene, level, scene.start + round * every * MINUTE);
        enter(client, at, out);
        let random = &mut scene.random;
        let work = random.between(6, if level == Level::Careful { 80 } else { 20 }) * MINUTE;
        let job = deal(client, tasker, pounds * POUND * random.between(85, 115) / 100, "card", random);
        let done = job.play(at + MINUTE, work, random, out);
        let asked = done + random.between(25, if level == Level::Careful { 200 } else { 70 }) * MINUTE;
        let out_at = done + 8 * MINUTE;
        let owed = available(tasker, out_at, out);
        if owed > 200 * POUND {
            cash_out(tasker, owed, Some(0), out_at, random, out);
        }
        job.take("booking.disputed", asked - 9 * SECOND, "client", None, out);
        let reason = *random.pick(&["not_done", "not_as_agreed", "damage"]);
        job.paid().refund(job.price, reason, asked, random, out);
    }
    let also = belongings(clients.iter().chain(&taskers));
    Some(Cast { entity: format!("user:{}", clients.first()?.id), also })
}

/// An agent gives refunds to friends: no dispute, no second look, half for him. Blatant: without tickets, one after another.
/// Moderate: with tickets, through a shift. Careful: with tickets and disputes, small sums, other clients each time, over days.
fn inside(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every, friends) = match level {
        Level::Blatant => (scene.param("refunds", 9, 18), scene.param("every_min", 4, 18), scene.param("friends", 3, 6)),
        Level::Moderate => (scene.param("refunds", 7, 12), scene.param("every_min", 30, 60), scene.param("friends", 4, 8)),
        Level::Careful => (scene.param("refunds", 8, 13), scene.param("every_min", 400, 560), scene.param("friends", 6, 12)),
    };
    let pounds = scene.param("pounds", 300, 1_100);
    let agent = ops::on_duty(ops::Team::Support, scene.start, &mut scene.random);
    let clients: Vec<Person> = (0..friends).map(|_| known(scene, Role::Client, 40)).collect();
    for (number, client) in (0..count).zip(clients.iter().cycle()) {
        let at = waking(scene, level, scene.start + number * every * MINUTE);
        let price = pounds * POUND * scene.random.between(70, 130) / 100;
        let (job, done) = bought(scene, client, price, "card", at, out)?;
        let random = &mut scene.random;
        let asked = done + random.between(15, 60) * MINUTE;
        if level == Level::Careful {
            job.disputed(client, asked - 12 * SECOND, random, out);
            job.of(client).refund_by(
                agent,
                (job.price, "not_as_agreed"),
                (asked, asked + random.between(3 * MINUTE, 25 * MINUTE)),
                random,
                out,
            );
            continue;
        }
        let id = random.id("p_");
        let paid = Paid { id: &id, ..job.of(client) };
        let mut refund = Payment { original_payment_id: Some(&job.payment), reason: Some("goodwill"), ..paid.payment() };
        out.send("payment.refund_requested", asked, Some(client.subject()), &refund);
        let approved = asked + random.between(8 * SECOND, 70 * SECOND);
        let action = AdminAction {
            reason_code: Some("goodwill"),
            ticket: (level == Level::Moderate).then(|| format!("T-{}", random.between(10_000, 99_999))),
            amount: Some(job.price),
            ..agent.action("refund_approve", &job.booking, approved)
        };
        ops::send(&action, approved, out);
        (refund.approved_by, refund.device_id) = (Some(&*agent.id), None);
        out.send("payment.refund_issued", approved + 5 * SECOND, Some(client.subject()), &refund);
        job.of(client).unbook(job.price, approved + 6 * SECOND, random, out);
    }
    Some(Cast { entity: format!("admin:{}", agent.id), also: belongings(&clients) })
}

/// A booking is refunded in pieces, each looked at alone. Blatant: within hours, twice the price. Moderate: through a day.
/// Careful: over days, other agents, some pieces that name the payment and not the booking, a fifth more than was paid, of dear jobs.
fn pieces(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every, percent, pounds) = match level {
        Level::Blatant => (scene.param("pieces", 5, 10), scene.param("every_min", 3, 12), scene.param("percent", 180, 400), 1_500),
        Level::Moderate => (scene.param("pieces", 4, 6), scene.param("every_min", 50, 130), scene.param("percent", 140, 220), 2_000),
        Level::Careful => (scene.param("pieces", 3, 6), scene.param("every_min", 700, 1_100), scene.param("percent", 120, 170), 3_500),
    };
    let days = scene.param("account_days", 10, 300);
    let client = known(scene, Role::Client, days);
    enter(&client, scene.start, out);
    let price = pounds * POUND * scene.random.between(80, 120) / 100;
    let (job, done) = bought(scene, &client, price, "card", scene.start + 2 * MINUTE, out)?;
    let mut at = done + 30 * MINUTE;
    job.disputed(&client, at - 12 * SECOND, &mut scene.random, out);
    let piece = job.price * percent / 100 / count;
    for _ in 0..count {
        let random = &mut scene.random;
        let reason = *random.pick(&["not_as_agreed", "damage", "late", "overcharged"]);
        let amount = piece * random.between(90, 110) / 100;
        if level == Level::Careful && random.chance(0.4) {
            job.of(&client).refund_bare(amount, reason, at, random, out);
        } else {
            job.of(&client).refund(amount, reason, at, random, out);
        }
        at += every * random.between(80, 120) * MINUTE / 100;
    }
    let mut also = belongings([&client]);
    also.extend([format!("payment:{}", job.payment), format!("booking:{}", job.booking)]);
    Some(Cast { entity: format!("user:{}", client.id), also })
}
