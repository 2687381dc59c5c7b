//! Jobs among accounts of one hand: a tasker whose clients are made up, and accounts that book each other.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::booking::{Side, job, opens};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::{auth, payment};
use crate::people::{Person, Role};
use crate::places::Network;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "fake_bookings",
        doc: "A tasker books jobs as clients who do not exist, and is paid out.",
        span_ms: [12 * HOUR, 2 * DAY, 6 * DAY],
        stage: fake,
    },
    Scenario {
        word: "booking_ring",
        doc: "Accounts book each other round and round.",
        span_ms: [12 * HOUR, 2 * DAY, 6 * DAY],
        stage: ring,
    },
];

/// A new account: a code, a registration, a first login.
pub(crate) fn newcomer(scene: &mut Scene<'_>, mut person: Person, line: &Network, at: i64, out: &mut Outbox) -> Person {
    let random = &mut scene.random;
    person.created_at = at;
    let otp = auth::otp(&person, person.device(), line, "signup");
    let subject = || Some(format!("phone:{}", person.phone));
    out.send("auth.otp_requested", at - 40 * SECOND, subject(), &otp);
    out.send("auth.otp_verified", at - random.between(8, 30) * SECOND, subject(), &otp);
    auth::register(&person, line, at, out);
    auth::login(&person, person.device(), line, "otp", at + 3 * SECOND, out);
    if person.role == Role::Tasker {
        let document = random.id("h_");
        auth::prove(&person, &document, "full", at + random.between(10, 40) * MINUTE, out);
    }
    person
}

/// Everything of theirs that an alert could name.
fn things(people: &[Person], also: &mut Vec<String>) {
    for person in people {
        also.push(format!("user:{}", person.id));
        also.push(format!("phone:{}", person.phone));
        also.extend(person.devices.iter().map(|device| format!("fingerprint:{}", device.replacen("d_", "f_", 1))));
        also.push(format!("instrument:{}", person.card));
        also.push(format!("instrument:{}", person.payout_account));
        also.extend(person.devices.iter().map(|device| format!("device:{device}")));
    }
}

/// A promotion's money, or the money of cards that are not his, comes out as earnings. Blatant: the clients are the tasker's own
/// phone and one card, dozens of jobs of minutes. Moderate: their own phones, two of them shared, one line at home. Careful: each
/// with phone, card and carrier, a first-time promotion each, few jobs of believable length at two or three doors, over days.
fn fake(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let (accounts, jobs) = match level {
        Level::Blatant => (scene.param("accounts", 2, 6), scene.param("jobs", 8, 22)),
        Level::Moderate => (scene.param("accounts", 3, 8), scene.param("jobs", 8, 16)),
        Level::Careful => (scene.param("accounts", 6, 11), scene.param("jobs", 9, 18)),
    };
    let line = Network::home(&mut scene.random, tasker.city);
    let mut clients: Vec<Person> = Vec::new();
    let begin = if level == Level::Blatant { scene.start } else { scene.waking() };
    for turn in 0..accounts {
        let mut client = scene.hire(Role::Client);
        let first = clients.first().map(|one| (one.devices.clone(), one.card.clone()));
        match (level, first) {
            (Level::Blatant, _) => (client.devices, client.card) = (tasker.devices.clone(), tasker.card.clone()),
            (Level::Moderate, Some((devices, card))) if turn % 2 == 0 => (client.devices, client.card) = (devices, card),
            _ => {}
        }
        if level == Level::Careful {
            // Two or three doors of friends.
            client.home = tasker.home.offset(f64::from(i32::try_from(turn % 3).unwrap_or_default()) * 900.0 + 400.0, 300.0);
        }
        (client.city, client.home_line) = (tasker.city, line.clone());
        let at = begin + MINUTE + turn * scene.random.between(2, 9) * MINUTE;
        let via = if level == Level::Careful { Network::carrier(&mut scene.random, client.carrier, client.city) } else { line.clone() };
        clients.push(newcomer(scene, client, &via, at, out));
    }
    let first = begin + HOUR + 40 * MINUTE;
    let times: Vec<i64> = match level {
        Level::Blatant => (0..jobs).map(|turn| first + turn * 16 * MINUTE).collect(),
        Level::Moderate => (0..jobs).map(|turn| first + turn * scene.random.between(48, 60) * MINUTE).collect(),
        Level::Careful => {
            let days = scene.param("days", 3, 4);
            scene.spread(jobs, days).into_iter().map(|at| at.max(first)).collect()
        }
    };
    let (mut last, mut earned) = (first, 0);
    for (turn, at) in times.into_iter().enumerate() {
        let client = clients.get(turn % clients.len())?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, &tasker, random);
        deal.method = "card";
        deal.price = random.between(60, 180) * 500;
        let (length, promo) = match level {
            Level::Blatant => (random.between(1, 6) * MINUTE, None),
            Level::Moderate => (random.between(12, 30) * MINUTE, None),
            Level::Careful => (random.between(40, 130) * MINUTE, (turn < clients.len()).then_some("WELCOME50")),
        };
        deal.promo = promo;
        deal.redeem(at + 5 * SECOND, out);
        opens(&tasker, at - MINUTE, random, out);
        let proof = deal.proof(random);
        last = job(&deal, random, at, (4 * MINUTE, length), Some(proof), Side::Theirs, out).max(last);
        earned += deal.price * 88 / 100;
        if level != Level::Moderate || random.chance(0.5) {
            deal.review(true, 5, last + 8 * MINUTE, random, out);
        }
    }
    let random = &mut scene.random;
    for part in 1..=2 {
        let at = last + part * random.between(20, 50) * MINUTE;
        payment::payout(&tasker, earned / 2, random, at, out);
    }
    let mut also = vec![format!("ip:{}", line.ip)];
    also.retain(|_| level != Level::Careful);
    things(&clients, &mut also);
    things(std::slice::from_ref(&tasker), &mut also);
    Some(Cast { entity: format!("user:{}", tasker.id), also })
}

/// The same money goes round: stars, ranks and bonuses for jobs done grow with each turn, and dirty money comes out as earnings.
/// Blatant: three or four accounts on one phone, all of an afternoon. Moderate: one line at home, half a day. Careful: each with
/// phone and carrier, two or three jobs a day, no pair more than twice, over days.
fn ring(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (members, jobs) = match level {
        Level::Blatant => (scene.param("members", 3, 5), scene.param("jobs", 9, 20)),
        Level::Moderate => (scene.param("members", 3, 6), scene.param("jobs", 8, 15)),
        Level::Careful => (scene.param("members", 4, 8), scene.param("jobs", 10, 16)),
    };
    let line = Network::home(&mut scene.random, 0);
    let mut people: Vec<Person> = (0..members).map(|_| scene.hire(Role::Tasker)).collect();
    let devices = people.first()?.devices.clone();
    for person in &mut people {
        person.city = 0;
        person.home = line_home(&mut scene.random);
        if level != Level::Careful {
            person.home_line = line.clone();
            person.mobile_share = 0.1;
        }
        if level == Level::Blatant {
            person.devices.clone_from(&devices);
        }
    }
    let first = if level == Level::Blatant { scene.start } else { scene.waking() };
    let times: Vec<i64> = match level {
        Level::Blatant => (0..jobs).map(|turn| first + (5 + turn * 25) * MINUTE).collect(),
        Level::Moderate => (0..jobs).map(|turn| first + (5 + turn * 55) * MINUTE).collect(),
        Level::Careful => {
            let days = scene.param("days", 3, 4);
            scene.spread(jobs, days)
        }
    };
    for (turn, at) in times.into_iter().enumerate() {
        // Each books the next; the second time round, the one after.
        let step = 1 + turn / people.len() % (people.len() - 1).max(1);
        let (client, tasker) = (people.get(turn % people.len())?, people.get((turn + step) % people.len())?);
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        (deal.method, deal.price) = ("card", random.between(60, 200) * 500);
        opens(client, at - 2 * MINUTE, random, out);
        opens(tasker, at + MINUTE, random, out);
        let length = match level {
            Level::Blatant => random.between(2, 9),
            Level::Moderate => random.between(15, 35),
            Level::Careful => random.between(40, 140),
        };
        let proof = deal.proof(random);
        let done = job(&deal, random, at, (5 * MINUTE, length * MINUTE), Some(proof), Side::Theirs, out);
        deal.review(true, 5, done + random.between(2, 20) * MINUTE, random, out);
        if level != Level::Careful {
            deal.review(false, 5, done + random.between(21, 40) * MINUTE, random, out);
        }
    }
    let mut also = Vec::new();
    things(&people, &mut also);
    if level != Level::Careful {
        also.push(format!("ip:{}", line.ip));
    }
    Some(Cast { entity: format!("user:{}", people.first()?.id), also })
}

/// A home in the first city.
fn line_home(random: &mut crate::random::Random) -> crate::places::Point {
    crate::places::city_at(0).centre.near(random, 8_000.0)
}
