//! Opinions that are bought, exchanged, forced or made up.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::booking::{Side, job, opens};
use crate::campaign::collusion::newcomer;
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::chat::Talk;
use crate::honest::ops;
use crate::payload::{Report, Review};
use crate::people::{Person, Role};
use crate::places::Network;
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "review_bombing",
        doc: "A rival has a tasker rated down by many accounts.",
        span_ms: [8 * HOUR, 23 * HOUR, 6 * DAY],
        stage: bombing,
    },
    Scenario { word: "review_reciprocal", doc: "Accounts praise each other.", span_ms: [8 * HOUR, 23 * HOUR, 6 * DAY], stage: reciprocal },
    Scenario {
        word: "review_unverified",
        doc: "A tasker has friends praise jobs that were never booked.",
        span_ms: [8 * HOUR, 23 * HOUR, 6 * DAY],
        stage: unverified,
    },
    Scenario {
        word: "review_coercion",
        doc: "A tasker threatens clients until they give five stars.",
        span_ms: [18 * HOUR, 2 * DAY, 6 * DAY],
        stage: coercion,
    },
    Scenario {
        word: "review_farm",
        doc: "Five stars are bought from accounts that do nothing else.",
        span_ms: [12 * HOUR, 23 * HOUR, 6 * DAY],
        stage: farm,
    },
];

/// Somebody's opinion, as their app tells it; the careful leave out what they may.
struct Opinion<'a> {
    by: &'a Person,
    about: &'a str,
    rating: i64,
    booking: Option<&'a str>,
    verified: bool,
    told: Option<(&'a str, &'a str)>,
}

fn review(opinion: &Opinion<'_>, at: i64, random: &mut Random, out: &mut Outbox) {
    let review = Review {
        review_id: random.id("r_"),
        reviewer_id: &opinion.by.id,
        reviewee_id: opinion.about,
        rating: opinion.rating,
        verified_booking: opinion.verified,
        booking_id: opinion.booking,
        device_id: opinion.told.map(|told| told.0),
        ip: opinion.told.map(|told| told.1),
    };
    out.send("review.submitted", at, Some(opinion.by.subject()), &review);
}

/// Accounts of one hand: on one phone, on some phones of one line, or each on its own.
fn accounts(scene: &mut Scene<'_>, count: i64, devices: i64, line: &Network) -> Vec<Person> {
    let pool: Vec<String> = (0..devices).map(|_| scene.random.id("d_")).collect();
    (0..count)
        .map(|turn| {
            let mut person = scene.hire(Role::Client);
            if let Some(device) = pool.get(usize::try_from(turn % devices.max(1)).unwrap_or_default()) {
                person.devices = vec![device.clone()];
                person.home_line = line.clone();
            }
            person
        })
        .collect()
}

fn name(people: &[Person], also: &mut Vec<String>) {
    also.extend(people.iter().flat_map(|person| {
        let devices = person.devices.iter().map(|device| format!("device:{device}"));
        [format!("user:{}", person.id), format!("phone:{}", person.phone)].into_iter().chain(devices)
    }));
}

/// When each of so many opinions is given.
fn times(scene: &mut Scene<'_>, level: Level, count: i64) -> Vec<i64> {
    match level {
        Level::Blatant => {
            let apart = scene.param("seconds apart", 20, 400);
            let first = scene.start + 90 * MINUTE;
            (0..count).map(|turn| first + turn * apart * SECOND).collect()
        }
        Level::Moderate => {
            let (apart, first) = (scene.param("minutes apart", 8, 30), scene.waking() + 90 * MINUTE);
            (0..count).map(|turn| first + turn * apart * MINUTE).collect()
        }
        Level::Careful => {
            let days = scene.param("days", 3, 4);
            scene.spread(count, days)
        }
    }
}

/// The rival falls in the list. Blatant: accounts made for it, on one phone, no booking. Moderate: some phones on one line, over
/// hours. Careful: accounts with their own phones who book small jobs in cash, have them done, and give one or two stars, over days.
fn bombing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let target = scene.somebody(&scene.population.taskers)?;
    let line = Network::home(&mut scene.random, target.city);
    let (count, devices) = match level {
        Level::Blatant => (scene.param("accounts", 7, 25), 1),
        Level::Moderate => (scene.param("accounts", 6, 13), scene.param("phones", 2, 4)),
        Level::Careful => (scene.param("accounts", 5, 10), 0),
    };
    let people = accounts(scene, count, devices, &line);
    let moments = times(scene, level, count);
    let mut known = Vec::new();
    for (turn, (person, at)) in people.into_iter().zip(moments).enumerate() {
        let early = i64::try_from(turn).unwrap_or_default() * MINUTE;
        let person = match level {
            Level::Blatant => newcomer(scene, person, &line, scene.start + 2 * MINUTE + early, out),
            Level::Moderate if turn % 2 == 0 => {
                let first = scene.waking() + 2 * MINUTE + early;
                newcomer(scene, person, &line, first, out)
            }
            _ => person,
        };
        let random = &mut scene.random;
        opens(&person, at - 2 * MINUTE, random, out);
        let (rating, ip) = (i64::from(random.chance(0.2)) + 1, person.home_line.ip.clone());
        if level == Level::Careful {
            let mut deal = Deal::new(&person, target, random);
            (deal.method, deal.price) = ("cash", random.between(30, 45) * 500);
            let proof = deal.proof(random);
            let story = out.story.take();
            let done = job(&deal, random, at, (30 * MINUTE, 40 * MINUTE), Some(proof), Side::Honest, out);
            out.story = story;
            let told = random.chance(0.5).then(|| (person.device(), ip.as_str()));
            let opinion = Opinion { by: &person, about: &target.id, rating, booking: Some(&deal.booking), verified: true, told };
            review(&opinion, done + random.between(5, 90) * MINUTE, random, out);
        } else {
            let told = Some((person.device(), ip.as_str()));
            let opinion = Opinion { by: &person, about: &target.id, rating: 1, booking: None, verified: false, told };
            review(&opinion, at, random, out);
        }
        known.push(person);
    }
    let mut also = vec![format!("ip:{}", line.ip)];
    also.retain(|_| level != Level::Careful);
    name(&known, &mut also);
    Some(Cast { entity: format!("user:{}", target.id), also })
}

/// Taskers help each other up the list. Blatant: two of them, again and again, without a job. Moderate: three or four in turn,
/// some on one line. Careful: small jobs in cash that each books with the other, a few a day.
fn reciprocal(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (members, rounds) = match level {
        Level::Blatant => (2, scene.param("rounds", 5, 15)),
        Level::Moderate => (scene.param("members", 2, 4), scene.param("rounds", 4, 9)),
        Level::Careful => (scene.param("members", 2, 4), scene.param("rounds", 4, 8)),
    };
    let line = Network::home(&mut scene.random, 0);
    let mut people: Vec<Person> = (0..members).map(|_| scene.hire(Role::Tasker)).collect();
    for person in &mut people {
        person.city = 0;
        if level != Level::Careful {
            person.home_line = line.clone();
        }
    }
    let moments = times(scene, level, rounds);
    for (turn, at) in moments.into_iter().enumerate() {
        let (one, two) = (people.get(turn % people.len())?, people.get((turn + 1) % people.len())?);
        let random = &mut scene.random;
        opens(one, at - 3 * MINUTE, random, out);
        opens(two, at - 2 * MINUTE, random, out);
        let mut deal = Deal::new(one, two, random);
        (deal.method, deal.price) = ("cash", random.between(30, 40) * 500);
        let (booked, end) = if level == Level::Careful {
            let proof = deal.proof(random);
            let length = random.between(20, 50) * MINUTE;
            (true, job(&deal, random, at, (5 * MINUTE, length), Some(proof), Side::Theirs, out))
        } else {
            (false, at)
        };
        for (by, about) in [(one, two), (two, one)] {
            let booking = booked.then_some(deal.booking.as_str());
            let told = Some((by.device(), by.home_line.ip.as_str()));
            let opinion = Opinion { by, about: &about.id, rating: 5, booking, verified: booked, told };
            review(&opinion, end + random.between(20, 700) * SECOND, random, out);
        }
    }
    let mut also = vec![format!("ip:{}", line.ip)];
    also.retain(|_| level != Level::Careful);
    name(&people, &mut also);
    Some(Cast { entity: format!("user:{}", people.first()?.id), also })
}

/// He looks better than he is. Blatant: dozens from one phone. Moderate: friends with their own phones, in an evening. Careful:
/// friends who book and call off, and then praise the booking, one or two a day.
fn unverified(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let count = match level {
        Level::Blatant => scene.param("opinions", 8, 30),
        Level::Moderate => scene.param("opinions", 5, 12),
        Level::Careful => scene.param("opinions", 5, 10),
    };
    let line = tasker.home_line.clone();
    let mut people = accounts(scene, count, i64::from(level == Level::Blatant), &line);
    for person in &mut people {
        person.city = tasker.city;
    }
    let moments = times(scene, level, count);
    for (person, at) in people.iter().zip(moments) {
        let random = &mut scene.random;
        opens(person, at - 2 * MINUTE, random, out);
        let deal = Deal::new(person, &tasker, random);
        let mut then = at;
        if level == Level::Careful {
            deal.event("booking.created", at, "client", None, out);
            deal.event("booking.accepted", at + 4 * MINUTE, "tasker", None, out);
            deal.event("booking.cancelled", at + random.between(10, 40) * MINUTE, "client", None, out);
            then += random.between(60, 240) * MINUTE;
        }
        let booking = (level == Level::Careful).then_some(deal.booking.as_str());
        let rating = 5 - i64::from(level == Level::Careful && random.chance(0.3));
        let told = (level != Level::Careful || random.chance(0.5)).then(|| (person.device(), person.home_line.ip.as_str()));
        review(&Opinion { by: person, about: &tasker.id, rating, booking, verified: false, told }, then, random, out);
    }
    let mut also = vec![format!("ip:{}", line.ip), format!("device:{}", tasker.device())];
    name(&people, &mut also);
    Some(Cast { entity: format!("user:{}", tasker.id), also })
}

const THREATS: [&str; 5] = [
    "غير التقييم لخمس نجوم والا انا عارف بيتك فين",
    "شيل التقييم ده احسنلك",
    "8ayar el ta2yeem 5 negoom a7sanlak, ana 3aref el 3enwan",
    "change it to 5 stars or I come back to your door",
    "لو مفيش ٥ نجوم هتندم",
];
const VEILED: [&str; 5] = [
    "التقييم ده بيقطع عيشي، وانا جار كويس واعرف كل الناس في الشارع",
    "give 5 stars now please, I wait downstairs until I see it",
    "khaleha 5 negoom w ana amshy",
    "مش هسلم المفتاح غير لما اشوف الخمس نجوم",
    "الشقة حلوة ربنا يحفظها، متنساش النجوم الخمسة",
];

/// His stars stay high. Blatant: open threats to one client after another, most of whom tell. Moderate: some, and the second
/// opinion is written on his own phone. Careful: words that may be meant well, a voice note, every day one; few tell.
fn coercion(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.hire(Role::Tasker);
    let (count, told) = match level {
        Level::Blatant => (scene.param("clients", 4, 9), scene.param("percent who tell", 50, 90)),
        Level::Moderate => (scene.param("clients", 4, 8), scene.param("percent who tell", 35, 65)),
        Level::Careful => (scene.param("clients", 4, 7), scene.param("percent who tell", 20, 45)),
    };
    let share = f64::from(i32::try_from(told).unwrap_or(50)) / 100.0;
    let moments = match level {
        Level::Blatant => {
            let apart = scene.param("minutes apart", 25, 70);
            (0..count).map(|turn| scene.start + turn * apart * MINUTE).collect()
        }
        Level::Moderate => scene.spread(count, 1),
        Level::Careful => scene.spread(count, 4),
    };
    let mut also = vec![format!("device:{}", tasker.device()), format!("phone:{}", tasker.phone)];
    for (turn, at) in moments.into_iter().enumerate() {
        let client = scene.neighbour(&scene.population.clients, tasker.city)?;
        let random = &mut scene.random;
        let deal = Deal::new(client, &tasker, random);
        also.extend([format!("conversation:{}", deal.conversation), format!("booking:{}", deal.booking)]);
        let proof = deal.proof(random);
        let story = out.story.take();
        let done = job(&deal, random, at, (10 * MINUTE, 60 * MINUTE), Some(proof), Side::Honest, out);
        deal.review(true, random.between(1, 3), done + 10 * MINUTE, random, out);
        out.story = story;
        let talk = Talk::new(&deal, "completed");
        let words: &[&'static str] = if level == Level::Careful { &VEILED } else { &THREATS };
        let said = done + random.between(15, 40) * MINUTE;
        if level == Level::Careful && random.chance(0.3) {
            talk.send(false, String::new(), Some("voice"), said, out);
        }
        talk.send(false, (*random.pick(words)).to_owned(), None, said + 20 * SECOND, out);
        // What is written under a threat is his doing.
        let device = if level == Level::Moderate { tasker.device() } else { client.device() };
        let told = Some((device, client.home_line.ip.as_str()));
        let opinion = Opinion { by: client, about: &tasker.id, rating: 5, booking: Some(&deal.booking), verified: true, told };
        review(&opinion, said + random.between(2, 20) * MINUTE, random, out);
        if random.chance(share) || turn < 2 && level != Level::Blatant {
            let (id, filed) = (random.id("rp_"), said + random.between(25, 150) * MINUTE);
            let category = if level == Level::Careful && random.chance(0.3) { "harassment" } else { "coercion" };
            let report = Report {
                report_id: id.clone(),
                reporter_id: &client.id,
                reported_id: &tasker.id,
                category,
                booking_id: Some(&deal.booking),
            };
            out.send("report.filed", filed, Some(tasker.subject()), &report);
            let story = out.story.take();
            ops::answer(&id, &tasker.id, category, filed, random, out);
            out.story = story;
        }
    }
    Some(Cast { entity: format!("user:{}", tasker.id), also })
}

/// A seller's accounts praise whoever pays. Blatant: one phone, one buyer. Moderate: some phones of one line, two buyers. Careful:
/// a phone and address each, jobs that are booked, called done and paid in cash within half an hour, a few a day.
fn farm(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, devices, customers) = match level {
        Level::Blatant => (scene.param("opinions", 10, 40), 1, 1),
        Level::Moderate => (scene.param("opinions", 9, 18), scene.param("phones", 2, 5), 2),
        Level::Careful => (scene.param("opinions", 8, 14), 0, scene.param("buyers", 1, 3)),
    };
    let line = Network::home(&mut scene.random, 0);
    let buyers: Vec<Person> = (0..customers).map(|_| scene.hire(Role::Tasker)).collect();
    let mut people = accounts(scene, count, devices, &line);
    let prefix = line.ip.rsplit_once('.').map_or("198.18.9", |(prefix, _)| prefix).to_owned();
    for person in &mut people {
        person.city = buyers.first()?.city;
        if level == Level::Careful {
            // Neighbours in one block of a reseller's lines.
            person.home_line = Network { ip: format!("{prefix}.{}", scene.random.between(1, 254)), ..line.clone() };
        }
    }
    let moments = times(scene, level, count);
    for (turn, (person, at)) in people.iter().zip(moments).enumerate() {
        let buyer = buyers.get(turn % buyers.len())?;
        let random = &mut scene.random;
        opens(person, at - 2 * MINUTE, random, out);
        let mut deal = Deal::new(person, buyer, random);
        (deal.method, deal.price) = ("cash", random.between(30, 40) * 500);
        let (booked, end) = if level == Level::Blatant {
            (false, at)
        } else {
            let length = if level == Level::Moderate { random.between(1, 4) } else { random.between(12, 28) };
            let proof = deal.proof(random);
            (true, job(&deal, random, at, (3 * MINUTE, length * MINUTE), Some(proof), Side::Theirs, out))
        };
        let told = Some((person.device(), person.home_line.ip.as_str()));
        let booking = booked.then_some(deal.booking.as_str());
        let opinion = Opinion { by: person, about: &buyer.id, rating: 5, booking, verified: booked, told };
        review(&opinion, end + random.between(30, 400) * SECOND, random, out);
    }
    let mut also = vec![format!("ip:{}", line.ip), format!("ip_prefix:{prefix}.0/24")];
    also.extend(people.iter().map(|person| format!("ip:{}", person.home_line.ip)).filter(|_| level == Level::Careful));
    name(&people, &mut also);
    name(&buyers, &mut also);
    Some(Cast { entity: format!("user:{}", buyers.first()?.id), also })
}
