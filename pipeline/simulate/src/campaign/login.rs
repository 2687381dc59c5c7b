//! Ways in without a code: passwords that leaked elsewhere, passwords that everybody has, and stolen or forged tokens; and what
//! looks around once inside.

use crate::campaign::kit::{CashOut, Kit, change, enter, pace};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth::{self, refused};
use crate::payload::{ApiThrottled, AuthzDenied, TokenRejected};
use crate::people::{Person, Role};
use crate::places::{LAIRS, Network};
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "credential_stuffing",
        doc: "Names and passwords that leaked elsewhere are tried here, and those that fit are used.",
        span_ms: [5 * HOUR, 14 * HOUR, 3 * DAY],
        stage: stuffing,
    },
    Scenario {
        word: "password_spraying",
        doc: "A few common passwords are tried at many real accounts.",
        span_ms: [5 * HOUR, 14 * HOUR, 4 * DAY],
        stage: |scene, level, out| Some(spraying(scene, level, out)),
    },
    Scenario {
        word: "account_guessing",
        doc: "One account's password is guessed.",
        span_ms: [6 * HOUR, 14 * HOUR, 5 * DAY],
        stage: guessing,
    },
    Scenario {
        word: "token_forging",
        doc: "Tokens are forged, altered, or used after they were revoked.",
        span_ms: [2 * HOUR, 8 * HOUR, 2 * DAY],
        stage: tokens,
    },
    Scenario {
        word: "access_probing",
        doc: "An account asks for one thing of other people's after another.",
        span_ms: [2 * HOUR, 6 * HOUR, 4 * DAY],
        stage: |scene, level, out| Some(probing(scene, level, out)),
    },
    Scenario {
        word: "api_scraping",
        doc: "Profiles and prices are copied as fast as the gateway lets them.",
        span_ms: [3 * HOUR, 10 * HOUR, 2 * DAY],
        stage: |scene, level, out| Some(scraping(scene, level, out)),
    },
];

/// Leaked pairs: most names are nobody's here, some are somebody's with another password, and one in a hundred fits. Blatant: one
/// server. Moderate: a network of them, hours. Careful: a line and a made-up device for each try, for days. What fits is entered
/// and, at the lower levels, emptied at once; the careful one sells it: he logs in once, to show that it is worth its price.
fn stuffing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (tries, minutes) = match level {
        Level::Blatant => (scene.param("tries", 200, 700), scene.param("minutes", 20, 180)),
        Level::Moderate => (scene.param("tries", 90, 300), scene.param("minutes", 150, 660)),
        Level::Careful => (scene.param("tries", 120, 300), scene.param("minutes", 1_400, 3_600)),
    };
    let (known, fits) = (scene.param("known_percent", 8, 35), scene.param("fits", 1, 4));
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 1, 1),
        Level::Moderate => Kit::servers(random, 6, 3),
        Level::Careful => Kit::proxies(random, tries, 0),
    };
    for at in pace(&mut scene.random, scene.start, minutes * MINUTE, tries) {
        let victim = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let (line, device) = (kit.line(random), kit.device(random));
        let is_known = random.between(1, 100) <= known;
        let (user, reason) = if is_known { (Some(victim.id.as_str()), "wrong_password") } else { (None, "unknown_user") };
        refused((user, (level != Level::Blatant).then_some(&device)), line, reason, at, out);
    }
    let end = scene.start + minutes * MINUTE;
    let victims = scene.several(&scene.population.clients, fits);
    Some(harvest(scene, level, (&kit, end), &victims, out))
}

/// What was found is used, and who it was; the last try was at `end`.
fn harvest(scene: &mut Scene<'_>, level: Level, (kit, end): (&Kit, i64), victims: &[&Person], out: &mut Outbox) -> Cast {
    let mut also = kit.names();
    for (place, victim) in (1..).zip(victims) {
        let random = &mut scene.random;
        let (line, device) = (kit.line(random).clone(), kit.device(random));
        let at = end - random.between(0, 20) * MINUTE + place * 4 * MINUTE;
        enter(victim, (&device, "password"), (false, false), &line, at, out);
        if level != Level::Careful {
            change(victim, &device, "phone", &line, at + random.between(MINUTE, 10 * MINUTE), out);
        }
        also.extend([format!("user:{}", victim.id), format!("device:{device}")]);
    }
    also.push("all:all".to_owned());
    let entity = match (level, kit.lines.first(), victims.first()) {
        (Level::Blatant, Some(line), _) => format!("ip:{}", line.ip),
        (Level::Moderate, Some(line), _) => format!("ip_prefix:{}", line.prefix()),
        (_, _, Some(victim)) => format!("user:{}", victim.id),
        _ => "all:all".to_owned(),
    };
    Cast { entity, also }
}

/// "123456" and "Ahly1907" at every account of a list that was scraped before. Blatant: one server. Moderate: ten addresses of a
/// /24, hours. Careful: once an account and day, from home lines and an app that names no device.
fn spraying(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Cast {
    let (accounts, minutes, rounds) = match level {
        Level::Blatant => (scene.param("accounts", 120, 420), scene.param("minutes", 20, 200), 1),
        Level::Moderate => (scene.param("accounts", 60, 220), scene.param("minutes", 120, 600), 1),
        Level::Careful => (scene.param("accounts", 60, 160), scene.param("minutes", 600, 1_200), scene.param("days", 1, 3)),
    };
    let fits = scene.param("fits", 1, 3);
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 1, 1),
        Level::Moderate => Kit::servers(random, 10, 4),
        Level::Careful => Kit::proxies(random, 80, 0),
    };
    let everybody = scene.several(&scene.population.clients, accounts);
    let count = i64::try_from(everybody.len()).unwrap_or_default();
    for round in 0..rounds {
        let times = pace(&mut scene.random, scene.start + round * DAY, minutes * MINUTE, count);
        for (victim, at) in everybody.iter().zip(times) {
            let random = &mut scene.random;
            let (line, device) = (kit.line(random), kit.device(random));
            refused((Some(&victim.id), (level == Level::Moderate).then_some(&device)), line, "wrong_password", at, out);
        }
    }
    let end = scene.start + (rounds - 1) * DAY + minutes * MINUTE;
    let victims: Vec<&Person> = everybody.iter().copied().take(usize::try_from(fits).unwrap_or(1)).collect();
    harvest(scene, level, (&kit, end), &victims, out)
}

/// One tasker's password, by somebody who knows that the account is worth it. Blatant: hundreds of guesses from one line. Moderate:
/// dozens over hours. Careful: fewer a day than lock an account, for days, then in, the wallet changed and the week's earnings gone.
fn guessing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (guesses, minutes, days) = match level {
        Level::Blatant => (scene.param("guesses", 80, 320), scene.param("minutes", 20, 240), 1),
        Level::Moderate => (scene.param("guesses", 20, 70), scene.param("minutes", 120, 600), 1),
        Level::Careful => (scene.param("guesses", 4, 9), scene.param("minutes", 300, 900), scene.param("days", 3, 4)),
    };
    let pounds = scene.param("pounds", 800, 4_000);
    let victim = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 1, 1),
        Level::Moderate => Kit::proxies(random, 3, 2),
        Level::Careful => Kit::proxies(random, 20, 1),
    };
    let mut last = scene.start;
    for day in 0..days {
        for at in pace(random, scene.start + day * DAY, minutes * MINUTE, guesses) {
            let device = kit.device(random);
            refused((Some(&victim.id), (level != Level::Careful).then_some(&device)), kit.line(random), "wrong_password", at, out);
            last = at;
        }
    }
    let (line, device, wallet) = (kit.line(random).clone(), kit.device(random), random.id("wallet_"));
    let at = last + random.between(20 * SECOND, 2 * MINUTE);
    enter(victim, (&device, "password"), (false, false), &line, at, out);
    let at = at + random.between(2 * MINUTE, 12 * MINUTE);
    change(victim, &device, "payout_account", &line, at, out);
    let cash = CashOut { device: &device, line: &line, wallet: &wallet, pieces: 1, pounds, every: MINUTE, reads_codes: false };
    cash.run(victim, scene, at + 15 * MINUTE, out);
    let mut also = kit.names();
    also.push(format!("instrument:{wallet}"));
    Some(Cast { entity: format!("user:{}", victim.id), also })
}

/// Blatant: a tool that forges signatures runs through its list from one server. Moderate: tokens of another service, altered, for
/// some named accounts. Careful: refresh tokens stolen from phones, tried a few an hour from other lines; half are revoked by
/// then, and with the others he reads what the accounts show and comes back for them.
fn tokens(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (tokens, minutes) = match level {
        Level::Blatant => (scene.param("tokens", 80, 400), scene.param("minutes", 4, 90)),
        Level::Moderate => (scene.param("tokens", 20, 80), scene.param("minutes", 40, 420)),
        Level::Careful => (scene.param("tokens", 10, 30), scene.param("minutes", 420, 2_000)),
    };
    let lines = if level == Level::Careful { scene.param("lines", 2, 6) } else { 1 };
    let random = &mut scene.random;
    let kit = match level {
        Level::Careful => {
            let lair = random.pick(&LAIRS);
            Kit { lines: (0..lines).map(|_| Network::abroad_home(random, lair)).collect(), devices: Vec::new() }
        }
        Level::Blatant | Level::Moderate => Kit::servers(random, 1, 0),
    };
    let victims = scene.several(&scene.population.clients, tokens / 2);
    if victims.is_empty() {
        return None;
    }
    let random = &mut scene.random;
    let mut also = kit.names();
    for at in pace(random, scene.start, minutes * MINUTE, tokens) {
        let (line, victim) = (kit.line(random), *random.pick(&victims));
        let reason = match level {
            Level::Blatant => "signature",
            Level::Moderate => *random.pick(&["audience", "signature", "audience"]),
            Level::Careful => "revoked",
        };
        if level == Level::Careful && random.chance(0.45) {
            auth::login(victim, victim.device(), line, "refresh", at, out);
            also.push(format!("user:{}", victim.id));
            continue;
        }
        // Of a token whose signature is wrong nothing is believed.
        let subject = (reason != "signature").then_some(victim.id.as_str());
        out.send("token.rejected", at, None, &TokenRejected { reason, ip: &line.ip, subject });
    }
    Some(Cast { entity: format!("ip:{}", kit.lines.first()?.ip), also })
}

/// Other people's bookings, one number after another: addresses, phones, when a flat is empty. Blatant: a script. Moderate: by hand
/// and by script, with pauses. Careful: a tasker who asks for a few more each day than are his, for days, beside his work.
fn probing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Cast {
    let (asked, minutes, days) = match level {
        Level::Blatant => (scene.param("asked", 90, 420), scene.param("minutes", 5, 80), 1),
        Level::Moderate => (scene.param("asked", 25, 90), scene.param("minutes", 60, 300), 1),
        Level::Careful => (scene.param("asked", 8, 24), scene.param("minutes", 240, 700), scene.param("days", 2, 4)),
    };
    let mut crook = scene.hire(if level == Level::Blatant { Role::Client } else { Role::Tasker });
    crook.created_at = scene.start - scene.param("age_days", 5, 200) * DAY;
    let random = &mut scene.random;
    let line = Network::home(random, crook.city);
    for day in 0..days {
        let from = scene.start + day * DAY;
        auth::login(&crook, crook.device(), &line, "refresh", from, out);
        for at in pace(random, from + MINUTE, minutes * MINUTE, asked) {
            let kind = *random.pick(&["bookings", "bookings", "users", "tasks"]);
            let resource = format!("/{kind}/{}", random.id("").trim_start_matches('0'));
            let denied = AuthzDenied { actor_id: &crook.id, actor_role: crook.role.word(), resource: &resource, ip: &line.ip };
            out.send("authz.denied", at, Some(crook.subject()), &denied);
        }
    }
    let also = vec![format!("admin:{}", crook.id), format!("ip:{}", line.ip), format!("device:{}", crook.device())];
    Cast { entity: crook.subject(), also }
}

/// A competitor copies taskers, prices and free hours. Blatant: one server runs into the limit all the time. Moderate: some servers
/// and an account. Careful: accounts on home lines that are throttled only now and then, for a day or two.
fn scraping(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Cast {
    let (times, minutes, accounts, lines) = match level {
        Level::Blatant => (scene.param("times", 40, 160), scene.param("minutes", 20, 120), 0, 1),
        Level::Moderate => (scene.param("times", 24, 90), scene.param("minutes", 90, 480), 1, scene.param("lines", 3, 8)),
        Level::Careful => (scene.param("times", 40, 120), scene.param("minutes", 900, 2_400), scene.param("accounts", 3, 8), 24),
    };
    let busy = match level {
        Level::Blatant => (400, 4_000),
        Level::Moderate => (120, 900),
        Level::Careful => (20, 120),
    };
    let crooks: Vec<Person> = (0..accounts).map(|_| scene.hire(Role::Client)).collect();
    let random = &mut scene.random;
    let kit = if level == Level::Careful { Kit::proxies(random, lines, 0) } else { Kit::servers(random, lines, 0) };
    for crook in &crooks {
        auth::login(crook, crook.device(), kit.line(random), "password", scene.start + random.between(0, MINUTE), out);
    }
    for at in pace(random, scene.start + MINUTE, minutes * MINUTE, times) {
        let route = *random.pick(&["/v1/taskers", "/v1/taskers", "/v1/search", "/v1/prices"]);
        let user = if crooks.is_empty() { None } else { Some(random.pick(&crooks).id.as_str()) };
        let count = random.between(busy.0, busy.1);
        out.send("api.throttled", at, None, &ApiThrottled { route, ip: &kit.line(random).ip, count, user_id: user });
    }
    let mut also = kit.names();
    also.extend(crooks.iter().map(Person::subject));
    also.push("all:all".to_owned());
    let entity = crooks.first().map_or_else(|| format!("ip:{}", kit.lines.first().map_or("", |line| &line.ip)), Person::subject);
    Cast { entity, also }
}
