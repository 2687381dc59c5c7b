//! Accounts that come into other hands: with a recycled number, for rent, or bought after a long sleep.

use crate::campaign::kit::{CashOut, Kit, change, code, enter, fingerprint, pace};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::people::{Person, Role};
use crate::places::{Network, city_at};
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "recycled_number",
        doc: "A number that the operator has sold again brings its old owner's account back, in other hands.",
        span_ms: [10 * HOUR, 20 * HOUR, 4 * DAY],
        stage: recycled,
    },
    Scenario {
        word: "rented_account",
        doc: "A verified tasker lets somebody else work under his name.",
        span_ms: [2 * DAY, 4 * DAY, 6 * DAY],
        stage: rented,
    },
    Scenario {
        word: "dormant_awake",
        doc: "Accounts that slept for a year were bought, and are emptied.",
        span_ms: [5 * HOUR, 14 * HOUR, 5 * DAY],
        stage: dormant,
    },
];

/// Somebody who has not been here for long.
fn sleeper(scene: &mut Scene<'_>, role: Role) -> Person {
    let mut person = scene.hire(role);
    person.created_at = scene.start - scene.random.between(280, 900) * DAY;
    person
}

/// SIM cards with recycled numbers are bought by the dozen and tried: where a code opens an old account, what is left in it is his.
/// Blatant: a row of them on one phone. Moderate: a few, on two phones. Careful: one or two accounts, each on its own phone, a day after the card was
/// activated, and the leftover in one payment of ordinary size.
fn recycled(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, every, wait) = match level {
        Level::Blatant => (scene.param("accounts", 6, 20), scene.param("every_minutes", 5, 24), 20),
        Level::Moderate => (scene.param("accounts", 2, 6), scene.param("every_minutes", 25, 120), 60),
        Level::Careful => {
            (scene.param("accounts", 1, 2), scene.param("every_minutes", 300, 1_200), scene.param("wait_minutes", 300, 1_800))
        }
    };
    let pounds = scene.param("pounds", 200, 2_400);
    let random = &mut scene.random;
    let is_told = random.chance(0.5);
    let kit = match level {
        Level::Blatant => Kit::own(random, 1),
        Level::Moderate => Kit::proxies(random, 2, 2),
        Level::Careful => Kit::proxies(random, 3, 0),
    };
    let wallet = random.id("wallet_");
    let mut also = kit.names();
    also.push(format!("instrument:{wallet}"));
    let mut first = None;
    for place in 0..accounts {
        let old = sleeper(scene, Role::Tasker);
        let random = &mut scene.random;
        let at = scene.start + place * every * MINUTE;
        let (line, device) = (kit.line(random).clone(), kit.device(random));
        if is_told {
            auth::sim_told(&old, "telco", at, random, out);
        }
        let read = code(&old, &device, &line, "login", random, at + wait * MINUTE, out);
        enter(&old, (&device, "otp"), (false, false), &line, read + SECOND, out);
        let changed = read + random.between(3, 20) * MINUTE;
        change(&old, &device, "payout_account", &line, changed, out);
        let cash = CashOut { device: &device, line: &line, wallet: &wallet, pieces: 1, pounds, every: MINUTE, reads_codes: true };
        cash.run(&old, scene, changed + 30 * MINUTE, out);
        also.extend([old.subject(), format!("device:{device}"), fingerprint(&device), format!("phone:{}", old.phone)]);
        first.get_or_insert(old.subject());
    }
    let entity = if level == Level::Blatant { format!("device:{}", kit.devices.first()?) } else { first? };
    Some(Cast { entity, also })
}

/// Whoever failed the checks, or was banned, works under a name that passed them; the owner gets his share. Blatant: an agency with
/// several names on one phone and line. Moderate: one name, another city, the payout account changed too. Careful: another phone
/// in the same city, the payout account left as it is.
fn rented(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (names, days) = match level {
        Level::Blatant => (scene.param("names", 3, 7), 1),
        Level::Moderate => (1, scene.param("days", 2, 3)),
        Level::Careful => (1, scene.param("days", 3, 5)),
    };
    let jobs = scene.param("jobs_a_day", 1, 3);
    let random = &mut scene.random;
    let kit = Kit::own(random, 1);
    let (device, wallet) = (kit.device(random), random.id("wallet_"));
    let mut also = kit.names();
    let mut first = None;
    for _ in 0..names {
        let mut owner = scene.hire(Role::Tasker);
        owner.created_at = scene.start - scene.random.between(60, 500) * DAY;
        // The owner's own last hours at the account.
        scene.aside(out, |scene, out| {
            let at = scene.start + scene.random.between(0, 2) * HOUR;
            auth::login(&owner, owner.device(), &owner.home_line, "refresh", at, out);
        });
        let random = &mut scene.random;
        let city = if level == Level::Careful { owner.city } else { (owner.city + 3) % 8 };
        let mut line = Network::home(random, city);
        if level == Level::Blatant {
            line = kit.line(random).clone();
        }
        let handed = scene.start + random.between(3, 6) * HOUR;
        let read = code(&owner, &device, &line, "login", random, handed, out);
        enter(&owner, (&device, "otp"), (false, false), &line, read + SECOND, out);
        also.extend([owner.subject(), format!("phone:{}", owner.phone), format!("ip:{}", line.ip)]);
        if level != Level::Careful {
            change(&owner, &device, "payout_account", &line, read + 20 * MINUTE, out);
            also.push(format!("instrument:{wallet}"));
        }
        let mut renter =
            Person { city, home: city_at(city).centre, home_line: line.clone(), devices: vec![device.clone()], ..owner.clone() };
        if level != Level::Careful {
            renter.payout_account.clone_from(&wallet);
        }
        work(scene, &renter, (handed + HOUR, days, jobs), out);
        first.get_or_insert(owner.subject());
    }
    let entity = if level == Level::Blatant { format!("device:{device}") } else { first? };
    Some(Cast { entity, also })
}

/// Days of work for honest clients of the city.
fn work(scene: &mut Scene<'_>, worker: &Person, (from, days, jobs): (i64, i64, i64), out: &mut Outbox) {
    for day in 0..days {
        let at = from + day * DAY;
        auth::login(worker, worker.device(), &worker.home_line, "refresh", at, out);
        for job_of_day in 0..jobs {
            let clients: Vec<&Person> = scene.population.clients.iter().filter(|client| client.city == worker.city).collect();
            if clients.is_empty() {
                return;
            }
            let client = *scene.random.pick(&clients);
            let deal = Deal::new(client, worker, &mut scene.random);
            deal.whole(&mut scene.random, at + (10 + job_of_day * 230) * MINUTE, out);
        }
    }
}

/// Old accounts with a good name and something left in them. Blatant: a dozen on one device in hours. Moderate: a device for every
/// few. Careful: each on its own phone and line, a day apart, with a new password first and the money the day after.
fn dormant(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, hours, rest) = match level {
        Level::Blatant => (scene.param("accounts", 10, 30), scene.param("hours", 1, 4), 2),
        Level::Moderate => (scene.param("accounts", 5, 14), scene.param("hours", 3, 11), 30),
        Level::Careful => (scene.param("accounts", 4, 8), scene.param("hours", 40, 90), scene.param("rest_minutes", 400, 1_400)),
    };
    let pounds = scene.param("pounds", 250, 2_500);
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 1, 1),
        Level::Moderate => Kit::proxies(random, 3, 3),
        Level::Careful => Kit::proxies(random, accounts, 0),
    };
    let wallets = [random.id("wallet_"), random.id("wallet_")];
    let mut also = kit.names();
    also.extend(wallets.iter().map(|wallet| format!("instrument:{wallet}")));
    let mut first = None;
    for at in pace(&mut scene.random, scene.start, hours * HOUR, accounts) {
        let old = sleeper(scene, Role::Tasker);
        let random = &mut scene.random;
        let (line, device, wallet) = (kit.line(random).clone(), kit.device(random), random.pick(&wallets).clone());
        if random.chance(0.5) {
            auth::refused((Some(&old.id), Some(&device)), &line, "wrong_password", at - 30 * SECOND, out);
        }
        enter(&old, (&device, "password"), (false, false), &line, at, out);
        change(&old, &device, "password", &line, at + random.between(MINUTE, 6 * MINUTE), out);
        let changed = at + (rest + 8) * MINUTE;
        change(&old, &device, "payout_account", &line, changed, out);
        let cash = CashOut { device: &device, line: &line, wallet: &wallet, pieces: 1, pounds, every: MINUTE, reads_codes: false };
        cash.run(&old, scene, changed + 3 * MINUTE, out);
        also.extend([old.subject(), format!("device:{device}"), format!("phone:{}", old.phone)]);
        first.get_or_insert(old.subject());
    }
    let entity = match level {
        Level::Blatant => format!("device:{}", kit.devices.first()?),
        Level::Moderate => first?,
        Level::Careful => format!("instrument:{}", wallets.first()?),
    };
    Some(Cast { entity, also })
}
