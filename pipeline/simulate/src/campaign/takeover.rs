//! Other people's accounts are entered, re-bound and paid out.

use crate::campaign::kit::{CashOut, Kit, change, code, enter, fingerprint};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::payload::DeviceBound;
use crate::places::{LAIRS, Network};
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "sim_swap_takeover",
        doc: "A number is moved to another SIM card, the account entered, re-bound and paid out.",
        span_ms: [6 * HOUR, 14 * HOUR, 3 * DAY],
        stage: sim_swap,
    },
    Scenario {
        word: "takeover_payout",
        doc: "A stolen account's payout account is changed, and the balance sent there in pieces.",
        span_ms: [5 * HOUR, 16 * HOUR, 5 * DAY],
        stage: payout,
    },
    Scenario {
        word: "takeover_new_device",
        doc: "An account is entered on a new device, and something risky done at once.",
        span_ms: [3 * HOUR, 8 * HOUR, 2 * DAY],
        stage: new_device,
    },
    Scenario {
        word: "device_cloned",
        doc: "Another phone says that it is the victim's, with a stolen token, and pays out.",
        span_ms: [3 * HOUR, 8 * HOUR, 2 * DAY],
        stage: cloned,
    },
    Scenario {
        word: "takeover_wave",
        doc: "Many accounts are taken over one after another by the same hand.",
        span_ms: [8 * HOUR, 20 * HOUR, 5 * DAY],
        stage: wave,
    },
];

/// Blatant: minutes after the victim's own login, from a line far abroad on an emulator, all in an hour or two. Moderate: within
/// hours, from another city's line, one credential, the money in two. Careful: from the victim's own country through a carrier, a
/// night after the swap, the telco's feed often silent, one payout account, and the money in pieces the day after.
fn sim_swap(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let feeds: &[&'static str] = if level == Level::Careful { &["telco", "none", "device", "none"] } else { &["telco", "device", "telco"] };
    let feed = scene.choice("feed", feeds);
    let (wait, rest) = match level {
        Level::Blatant => (scene.param("wait_minutes", 4, 40), scene.param("rest_minutes", 1, 20)),
        Level::Moderate => (scene.param("wait_minutes", 20, 240), scene.param("rest_minutes", 5, 120)),
        Level::Careful => (scene.param("wait_minutes", 180, 1_200), scene.param("rest_minutes", 120, 1_300)),
    };
    let (pieces, pounds) = match level {
        Level::Blatant => (scene.param("pieces", 1, 5), scene.param("pounds", 1_000, 8_000)),
        Level::Moderate => (scene.param("pieces", 1, 3), scene.param("pounds", 800, 5_000)),
        Level::Careful => (scene.param("pieces", 2, 4), scene.param("pounds", 600, 3_000)),
    };
    let victim = scene.somebody(&scene.population.taskers)?;
    // The victim is at home and has just been let in: honest, and what makes the next login impossible.
    scene.aside(out, |scene, out| auth::login(victim, victim.device(), &victim.home_line, "refresh", scene.start, out));

    let random = &mut scene.random;
    let (device, wallet) = (random.id("d_"), random.id("wallet_"));
    let line = match level {
        Level::Blatant => {
            let lair = random.pick(&LAIRS);
            Network::abroad_home(random, lair)
        }
        Level::Moderate => Network::home(random, (victim.city + 3) % 8),
        Level::Careful => Network::carrier(random, victim.carrier + 1, victim.city),
    };
    let swapped = scene.start + random.between(2, 9) * MINUTE;
    if feed != "none" {
        auth::sim_told(victim, feed, swapped, random, out);
    }
    let read = code(victim, &device, &line, "login", random, swapped + wait * MINUTE, out);
    enter(victim, (&device, "otp"), (level == Level::Blatant, level != Level::Careful), &line, read + SECOND, out);
    let mut at = read + rest * MINUTE;
    if level == Level::Blatant {
        let read = code(victim, &device, &line, "reset", random, at, out);
        change(victim, &device, "password", &line, read + 20 * SECOND, out);
        at = read + MINUTE;
    }
    change(victim, &device, "payout_account", &line, at, out);
    at += random.between(3, 15) * MINUTE;
    let every = match level {
        Level::Blatant => 6 * MINUTE,
        Level::Moderate => 40 * MINUTE,
        Level::Careful => 3 * HOUR,
    };
    CashOut { device: &device, line: &line, wallet: &wallet, pieces, pounds, every, reads_codes: true }.run(victim, scene, at, out);
    let mut also =
        vec![format!("device:{device}"), fingerprint(&device), format!("phone:{}", victim.phone), format!("instrument:{wallet}")];
    // A carrier's address is everybody's.
    also.extend((level != Level::Careful).then(|| format!("ip:{}", line.ip)));
    Some(Cast { entity: format!("user:{}", victim.id), also })
}

/// The password was phished. Blatant: in, the payout account changed, and five or eight payouts in an hour. Moderate: with pauses.
/// Careful: a day or two pass after the change, then a piece or two a day, each no more than the tasker's own.
fn payout(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (rest, pieces, every) = match level {
        Level::Blatant => (scene.param("rest_minutes", 1, 15), scene.param("pieces", 3, 9), scene.param("every_minutes", 2, 12)),
        Level::Moderate => (scene.param("rest_minutes", 20, 240), scene.param("pieces", 2, 6), scene.param("every_minutes", 15, 90)),
        Level::Careful => (scene.param("rest_minutes", 900, 2_800), scene.param("pieces", 2, 5), scene.param("every_minutes", 240, 600)),
    };
    let pounds = scene.param("pounds", 1_200, 6_000);
    let victim = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let (device, wallet) = (random.id("d_"), random.id("wallet_"));
    let line = match level {
        Level::Blatant => Network::hosting(random),
        Level::Moderate => Network::home(random, (victim.city + 2) % 8),
        Level::Careful => Network::home(random, victim.city),
    };
    enter(victim, (&device, "password"), (false, false), &line, scene.start, out);
    let at = scene.start + random.between(1, 9) * MINUTE;
    change(victim, &device, "payout_account", &line, at, out);
    CashOut { device: &device, line: &line, wallet: &wallet, pieces, pounds, every: every * MINUTE, reads_codes: false }.run(
        victim,
        scene,
        at + rest * MINUTE,
        out,
    );
    let also = vec![format!("device:{device}"), fingerprint(&device), format!("instrument:{wallet}"), format!("ip:{}", line.ip)];
    Some(Cast { entity: format!("user:{}", victim.id), also })
}

/// The victim read a code out to a caller. Blatant: from abroad, the whole balance within minutes to a wallet that the account has
/// never paid. Moderate: from another city, the number changed and then paid out. Careful: from the victim's own city and a carrier,
/// hours later, one payout of ordinary size.
fn new_device(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (rest, pounds) = match level {
        Level::Blatant => (scene.param("rest_minutes", 1, 20), scene.param("pounds", 2_000, 9_000)),
        Level::Moderate => (scene.param("rest_minutes", 10, 180), scene.param("pounds", 1_000, 6_000)),
        Level::Careful => (scene.param("rest_minutes", 300, 1_300), scene.param("pounds", 900, 3_500)),
    };
    let victim = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let (device, wallet) = (random.id("d_"), random.id("wallet_"));
    let line = match level {
        Level::Blatant => {
            let lair = random.pick(&LAIRS);
            Network::abroad_home(random, lair)
        }
        Level::Moderate => Network::home(random, (victim.city + 5) % 8),
        Level::Careful => Network::carrier(random, victim.carrier, victim.city),
    };
    let read = code(victim, &device, &line, "login", random, scene.start, out);
    enter(victim, (&device, "otp"), (false, false), &line, read + SECOND, out);
    if level == Level::Moderate {
        let second = code(victim, &device, &line, "change_phone", random, read + 2 * MINUTE, out);
        change(victim, &device, "phone", &line, second + 5 * SECOND, out);
    }
    let cash = CashOut { device: &device, line: &line, wallet: &wallet, pieces: 1, pounds, every: MINUTE, reads_codes: true };
    cash.run(victim, scene, read + (rest + 4) * MINUTE, out);
    let mut also =
        vec![format!("device:{device}"), fingerprint(&device), format!("instrument:{wallet}"), format!("phone:{}", victim.phone)];
    also.extend((level != Level::Careful).then(|| format!("ip:{}", line.ip)));
    Some(Cast { entity: format!("user:{}", victim.id), also })
}

/// Malware took the token and the device's identifier from the victim's phone: no code, no new device, but the fingerprint is another.
/// Blatant: an emulator on a server. Moderate: a rooted phone in another city. Careful: it says nothing of what it is, stands in the
/// victim's city, and asks for the money after a night.
fn cloned(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (rest, pounds) = match level {
        Level::Blatant => (scene.param("rest_minutes", 1, 30), scene.param("pounds", 1_500, 8_000)),
        Level::Moderate => (scene.param("rest_minutes", 15, 240), scene.param("pounds", 1_000, 5_000)),
        Level::Careful => (scene.param("rest_minutes", 400, 1_400), scene.param("pounds", 800, 3_000)),
    };
    let victim = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let (print, wallet) = (random.id("f_"), random.id("wallet_"));
    let line = match level {
        Level::Blatant => Network::hosting(random),
        Level::Moderate => Network::home(random, (victim.city + 4) % 8),
        Level::Careful => Network::home(random, victim.city),
    };
    auth::login(victim, victim.device(), &line, "refresh", scene.start, out);
    let bound = DeviceBound {
        user_id: &victim.id,
        device_id: victim.device(),
        fingerprint: Some(&print),
        emulator: (level != Level::Careful).then_some(level == Level::Blatant),
        rooted: (level != Level::Careful).then_some(true),
    };
    out.send("auth.device_bound", scene.start + SECOND, Some(victim.subject()), &bound);
    let at = scene.start + random.between(1, 8) * MINUTE;
    change(victim, victim.device(), "payout_account", &line, at, out);
    let cash = CashOut { device: victim.device(), line: &line, wallet: &wallet, pieces: 1, pounds, every: MINUTE, reads_codes: false };
    cash.run(victim, scene, at + rest * MINUTE, out);
    let own =
        [format!("fingerprint:{print}"), format!("instrument:{wallet}"), format!("ip:{}", line.ip), format!("phone:{}", victim.phone)];
    let also = own.into_iter().chain([format!("device:{}", victim.device())]).collect();
    Some(Cast { entity: victim.subject(), also })
}

/// A kit that phishes. Blatant: one device and server, an account every few minutes. Moderate: three devices, some lines, half a day.
/// Careful: a device and a home line for each account, two wallets, days.
fn wave(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, every) = match level {
        Level::Blatant => (scene.param("accounts", 10, 30), scene.param("every_minutes", 3, 12)),
        Level::Moderate => (scene.param("accounts", 8, 20), scene.param("every_minutes", 15, 50)),
        Level::Careful => (scene.param("accounts", 8, 16), scene.param("every_minutes", 150, 400)),
    };
    let pounds = scene.param("pounds", 600, 3_000);
    let victims = scene.several(&scene.population.taskers, accounts);
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 1, 1),
        Level::Moderate => Kit::proxies(random, 5, 3),
        Level::Careful => Kit::proxies(random, accounts, 0),
    };
    let wallets = [random.id("wallet_"), random.id("wallet_")];
    let mut also = kit.names();
    also.extend(wallets.iter().map(|wallet| format!("instrument:{wallet}")));
    for (place, victim) in (0..).zip(&victims) {
        let random = &mut scene.random;
        let at = scene.start + place * every * MINUTE + random.between(0, every * MINUTE / 3);
        let (line, device, wallet) = (kit.line(random).clone(), kit.device(random), random.pick(&wallets).clone());
        let read = code(victim, &device, &line, "login", random, at, out);
        enter(victim, (&device, "otp"), (false, false), &line, read + SECOND, out);
        let changed = read + random.between(2, 10) * MINUTE;
        change(victim, &device, "payout_account", &line, changed, out);
        let pieces = if level == Level::Blatant { 1 } else { 2 };
        let cash = CashOut { device: &device, line: &line, wallet: &wallet, pieces, pounds, every: 25 * MINUTE, reads_codes: true };
        cash.run(victim, scene, changed + 5 * MINUTE, out);
        also.extend([format!("user:{}", victim.id), format!("device:{device}"), format!("phone:{}", victim.phone)]);
    }
    also.push("all:all".to_owned());
    let entity =
        if level == Level::Blatant { format!("device:{}", kit.devices.first()?) } else { format!("instrument:{}", wallets.first()?) };
    victims.first()?;
    Some(Cast { entity, also })
}
