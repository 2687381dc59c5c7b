//! Cards of others: stolen ones tried, numbers guessed, and the chargebacks that their owners send.

use super::money::{POUND, belongings, deal, enter, join, known, line, waking};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::payment::{RANGES, card_range, chargeback, payment};
use crate::payload::Payment;
use crate::people::{Person, Role};
use crate::places::Network;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "card_testing",
        doc: "Many stolen cards are tried with small sums, to learn which still work.",
        span_ms: [3 * HOUR, 10 * HOUR, 3 * DAY],
        stage: testing,
    },
    Scenario {
        word: "bin_attack",
        doc: "Card numbers of one range are guessed until some are good.",
        span_ms: [2 * HOUR, 14 * HOUR, 3 * DAY],
        stage: guessing,
    },
    Scenario {
        word: "chargebacks",
        doc: "Jobs are bought with others' cards, whose owners take the money back.",
        span_ms: [20 * HOUR, 22 * HOUR, 6 * DAY],
        stage: taken_back,
    },
];

/// One try of a card.
struct Try<'a> {
    who: &'a Person,
    line: &'a Network,
    card: &'a str,
    range: (&'static str, &'static str),
    amount: i64,
    good: bool,
    reason: &'static str,
}

impl Try<'_> {
    fn send(&self, id: &str, at: i64, out: &mut Outbox) {
        let asked = Payment {
            instrument_id: Some(self.card),
            card_range: Some(self.range.0),
            card_country: Some(self.range.1),
            ip: Some(&self.line.ip),
            device_id: Some(self.who.device()),
            ..payment(self.who, id, self.amount, "card")
        };
        if self.good {
            out.send("payment.authorized", at, Some(self.who.subject()), &asked);
        } else {
            let failed = Payment { reason: Some(self.reason), operation: Some("authorize"), ..asked };
            out.send("payment.failed", at, Some(self.who.subject()), &failed);
        }
    }
}

/// Accounts for tries, on that many devices, each with its line; the accounts begin minutes apart.
fn testers(scene: &mut Scene<'_>, (accounts, devices): (i64, i64), level: Level, out: &mut Outbox) -> Vec<(Person, Network)> {
    let devices: Vec<String> = (0..devices.max(1)).map(|_| scene.random.id("d_")).collect();
    let mut all = Vec::new();
    for (number, device) in (0..accounts).zip(devices.iter().cycle()) {
        let line = match level {
            Level::Blatant => Network::hosting(&mut scene.random),
            Level::Moderate => line(scene),
            Level::Careful => {
                let (carrier, city) = (scene.random.below(4), crate::places::draw_city(&mut scene.random));
                Network::carrier(&mut scene.random, carrier, city)
            }
        };
        let at = scene.start + number * 90 * SECOND;
        all.push((join(scene, Role::Client, Some(device), &line, at, out), line));
    }
    all
}

/// Stolen cards, most of them dead: what is worth something is the list of those that live. Blatant: one account, a card each
/// half minute. Moderate: some accounts on one device, hours. Careful: many accounts on a few devices through carriers, a few
/// cards each, sums as of tips, over days; a dozen good cards at the end.
fn testing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (cards, every, accounts, devices, pounds) = match level {
        Level::Blatant => (scene.param("cards", 35, 110), scene.param("every_s", 12, 60), 1, 1, (5, 20)),
        Level::Moderate => (scene.param("cards", 22, 50), scene.param("every_s", 200, 600), scene.param("accounts", 2, 4), 1, (5, 50)),
        Level::Careful => {
            let (cards, accounts) = (scene.param("cards", 22, 44), scene.param("accounts", 6, 12));
            (cards, scene.param("every_s", 2_400, 4_800), accounts, scene.param("devices", 2, 5), (15, 90))
        }
    };
    let alive = scene.param("alive_percent", 10, 30);
    let people = testers(scene, (accounts, devices), level, out);
    let mut at = scene.start + accounts * 90 * SECOND + 2 * MINUTE;
    let mut also = belongings(people.iter().map(|(person, _)| person));
    for (_, (who, line)) in (0..cards).zip(people.iter().cycle()) {
        let random = &mut scene.random;
        let (card, id) = (random.id("card_"), random.id("p_"));
        let reason = *random.pick(&["do_not_honor", "stolen_card", "insufficient_funds", "expired_card", "invalid_cvv"]);
        let amount = random.between(pounds.0, pounds.1) * POUND;
        let good = random.chance(f64::from(u32::try_from(alive).unwrap_or_default()) / 100.0);
        let one = Try { who, line, card: &card, range: card_range(&card), amount, good, reason };
        one.send(&id, at, out);
        also.push(format!("instrument:{card}"));
        at += every * SECOND * random.between(60, 140) / 100;
    }
    also.extend(people.iter().filter(|_| level != Level::Careful).map(|(_, line)| format!("ip:{}", line.ip)));
    let first = people.first()?.0.clone();
    let entity = if accounts == 1 { format!("user:{}", first.id) } else { format!("device:{}", first.device()) };
    Some(Cast { entity, also })
}

/// Numbers of one bank's range, one after another: nearly all are nobody's. Blatant: a server, several a minute. Moderate: some
/// accounts, hours. Careful: many accounts on many devices through carriers, over days; each good number sells for its limit.
fn guessing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (numbers, every, accounts, devices) = match level {
        Level::Blatant => (scene.param("numbers", 80, 260), scene.param("every_s", 3, 18), scene.param("accounts", 1, 3), 1),
        Level::Moderate => {
            (scene.param("numbers", 50, 110), scene.param("every_s", 150, 400), scene.param("accounts", 4, 9), scene.param("devices", 2, 4))
        }
        Level::Careful => {
            let accounts = scene.param("accounts", 14, 26);
            (scene.param("numbers", 50, 90), scene.param("every_s", 1_200, 2_400), accounts, scene.param("devices", 7, 13))
        }
    };
    let range = *scene.random.pick(&RANGES);
    let people = testers(scene, (accounts, devices), level, out);
    let mut at = scene.start + accounts * 90 * SECOND + 2 * MINUTE;
    let mut also = belongings(people.iter().map(|(person, _)| person));
    for (_, (who, line)) in (0..numbers).zip(people.iter().cycle()) {
        let random = &mut scene.random;
        let (card, id) = (random.id("card_"), random.id("p_"));
        let reason = ["invalid_number", "do_not_honor", "invalid_cvv", "expired_card"].get(random.weighted(&[60, 15, 15, 10]))?;
        let amount = random.between(5, 60) * POUND;
        let good = random.chance(0.05);
        Try { who, line, card: &card, range: (range.0, range.1), amount, good, reason }.send(&id, at, out);
        also.push(format!("instrument:{card}"));
        at += every * SECOND * random.between(60, 140) / 100;
    }
    also.extend(people.iter().filter(|_| level != Level::Careful).map(|(_, line)| format!("ip:{}", line.ip)));
    also.extend(["provider:card_eg".to_owned(), "all:all".to_owned()]);
    let first = people.first()?.0.clone();
    let entity = if accounts == 1 { format!("user:{}", first.id) } else { format!("device:{}", first.device()) };
    Some(Cast { entity, also })
}

/// Others' cards buy real work, or a friend's pretence of it; their owners see it and take it back. Assumption: the fastest owners
/// do within a day, and the rest of the story is after the week. Blatant: one account, several cards, owners within hours.
/// Moderate: one account, one card after another, a day. Careful: some accounts with a device or a tasker in common, one or two each.
fn taken_back(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, jobs, every, wait) = match level {
        Level::Blatant => (1, scene.param("jobs", 4, 9), scene.param("every_min", 15, 60), scene.param("wait_min", 120, 480)),
        Level::Moderate => (1, scene.param("jobs", 3, 6), scene.param("every_min", 60, 110), scene.param("wait_min", 300, 560)),
        Level::Careful => {
            let jobs = scene.param("jobs", 4, 7);
            (scene.param("accounts", 3, 4), jobs, scene.param("every_min", 400, 700), scene.param("wait_min", 1_500, 3_000))
        }
    };
    let one_tasker = scene.choice("against", &[true, false]);
    let pounds = scene.param("pounds", 500, 2_000);
    let population = scene.population;
    let friend = known(scene, Role::Tasker, 60);
    let mut clients: Vec<Person> = (0..accounts).map(|_| known(scene, Role::Client, 6)).collect();
    let device = clients.first()?.devices.clone();
    if scene.random.chance(0.5) || !one_tasker {
        for client in &mut clients {
            client.devices.clone_from(&device);
        }
    }
    let mut also = belongings(&clients);
    if one_tasker {
        also.extend(belongings([&friend]));
    }
    for (job, client) in (0..jobs).zip(clients.iter().cycle()) {
        let at = waking(scene, level, scene.start + job * every * MINUTE);
        enter(client, at, out);
        let mut client = client.clone();
        if job >= accounts {
            client.card = scene.random.id("card_");
            also.push(format!("instrument:{}", client.card));
        }
        let tasker = if one_tasker { &friend } else { scene.somebody(&population.taskers)? };
        let random = &mut scene.random;
        let bought = deal(&client, tasker, pounds * POUND * random.between(75, 125) / 100, "card", random);
        let done = bought.play(at + MINUTE, random.between(20, 70) * MINUTE, random, out);
        if random.chance(0.85) {
            let reason = *random.pick(&["fraud", "not_recognised", "not_recognised", "service_not_received"]);
            let back = done + wait * MINUTE * random.between(80, 120) / 100;
            chargeback(&client, &bought.payment, bought.price, reason, back, random, out);
            also.push(format!("payment:{}", bought.payment));
        }
    }
    Some(Cast { entity: format!("user:{}", clients.first()?.id), also })
}
