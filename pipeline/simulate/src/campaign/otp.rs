//! Codes to one phone: floods, drips and guesses.

use crate::campaign::kit::{Kit, change, enter, pace, say};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth::{self, otp, otp_to};
use crate::people::Person;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { word: "otp_flood", doc: "One phone is sent code after code.", span_ms: [40 * MINUTE, 2 * HOUR, 5 * HOUR], stage: flood },
    Scenario { word: "otp_drip", doc: "One phone is sent codes for a day, or for days.", span_ms: [DAY, DAY, 6 * DAY], stage: drip },
    Scenario {
        word: "otp_guessing",
        doc: "Codes are guessed until one is right, or a few for each of many accounts.",
        span_ms: [4 * HOUR, 12 * HOUR, 3 * DAY],
        stage: guessing,
    },
];

/// One phone is bombed. Blatant: every few seconds, from one server, at a number that need be nobody's: a grudge, paid by the
/// hour. Moderate: from two home lines and devices. Careful: a handful every quarter of an hour, each from another line and a
/// made-up device, while a caller from "support" asks for the code: in the end the victim reads one out, and the account is his.
fn flood(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (codes, minutes) = match level {
        Level::Blatant => (scene.param("codes", 25, 90), scene.param("minutes", 4, 30)),
        Level::Moderate => (scene.param("codes", 14, 36), scene.param("minutes", 18, 75)),
        Level::Careful => (scene.param("codes", 12, 30), scene.param("minutes", 75, 240)),
    };
    let victim = scene.somebody(&scene.population.clients)?;
    let phone = if level == Level::Blatant { scene.phone() } else { victim.phone.clone() };
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 1, 1),
        Level::Moderate => Kit::proxies(random, 2, 2),
        Level::Careful => Kit::proxies(random, 12, 0),
    };
    let times = pace(random, scene.start, minutes * MINUTE, codes);
    for at in &times {
        let (line, device) = (kit.line(random), kit.device(random));
        let mut otp = otp_to(&phone, &device, line, "login");
        if level != Level::Blatant && random.chance(0.5) {
            otp.user_id = Some(&victim.id);
        }
        if level == Level::Careful {
            otp.channel = Some(*random.pick(&["sms", "sms", "whatsapp", "voice"]));
        }
        say("auth.otp_requested", *at, &otp, out);
        if level == Level::Moderate && random.chance(0.15) {
            say("auth.otp_failed", *at + 20 * SECOND, &otp, out);
        }
    }
    let mut also = kit.names();
    if level == Level::Careful {
        let (line, device) = (kit.line(random).clone(), random.id("d_"));
        let read = times.last()? + random.between(40 * SECOND, 3 * MINUTE);
        say("auth.otp_requested", read - 30 * SECOND, &otp(victim, &device, &line, "login"), out);
        say("auth.otp_verified", read, &otp(victim, &device, &line, "login"), out);
        enter(victim, (&device, "otp"), (false, false), &line, read + SECOND, out);
        change(victim, &device, "phone", &line, read + random.between(2 * MINUTE, 9 * MINUTE), out);
        also.push(format!("device:{device}"));
    }
    also.extend((level != Level::Blatant).then(|| victim.subject()));
    Some(Cast { entity: format!("phone:{phone}"), also })
}

/// A drip. Blatant: every two minutes or so for nearly a day. Moderate: every ten or twenty minutes, from a few home lines.
/// Careful: a few a day for days at hours when people are awake, from other lines and other devices, by every channel. Text
/// messages cost the marketplace and the victim leaves it: a competitor pays for that, per victim and day.
fn drip(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (codes, hours, days) = match level {
        Level::Blatant => (scene.param("codes", 280, 900), scene.param("hours", 16, 23), 1),
        Level::Moderate => (scene.param("codes", 60, 180), scene.param("hours", 14, 23), 1),
        Level::Careful => (scene.param("codes", 14, 30), scene.param("hours", 12, 16), scene.param("days", 3, 5)),
    };
    let victim = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 2, 1),
        Level::Moderate => Kit::proxies(random, 5, 3),
        Level::Careful => Kit::proxies(random, 40, 0),
    };
    for day in 0..days {
        for at in pace(random, scene.start + day * DAY, hours * HOUR, codes) {
            let (line, device) = (kit.line(random), kit.device(random));
            let mut otp = otp_to(&victim.phone, &device, line, random.pick::<&str>(&["login", "login", "reset"]));
            otp.user_id = random.chance(0.5).then_some(&victim.id);
            if level == Level::Careful {
                otp.channel = Some(*random.pick(&["sms", "whatsapp"]));
            }
            say("auth.otp_requested", at, &otp, out);
        }
    }
    // The victim logs in for himself meanwhile: his success is no excuse for the others.
    scene.aside(out, |scene, out| {
        let at = scene.start + scene.random.between(HOUR, 12 * HOUR);
        if let Some(read) = auth::code(victim, victim.device(), &victim.home_line, "login", &mut scene.random, at, out) {
            auth::login(victim, victim.device(), &victim.home_line, "otp", read + SECOND, out);
        }
    });
    let mut also = kit.names();
    also.push(format!("user:{}", victim.id));
    Some(Cast { entity: format!("phone:{}", victim.phone), also })
}

/// Codes are guessed. Blatant: hundreds of guesses at one account. Moderate: some dozens with pauses, a new code every few, and
/// then the right one (codes of four digits are found by luck or by an oracle). Careful: three guesses at each of many accounts,
/// a few minutes apart, from other lines, one of which hits and is entered: an account of a few hundred is enough for him.
fn guessing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    match level {
        Level::Careful => guess_widely(scene, out),
        Level::Blatant | Level::Moderate => guess_at_one(scene, level, out),
    }
}

fn guess_at_one(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (guesses, minutes, for_each_code) = match level {
        Level::Blatant => (scene.param("guesses", 120, 400), scene.param("minutes", 30, 180), 60),
        Level::Moderate | Level::Careful => {
            (scene.param("guesses", 24, 70), scene.param("minutes", 90, 600), scene.param("for_each_code", 4, 12))
        }
    };
    let victim = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let kit = if level == Level::Blatant { Kit::servers(random, 1, 1) } else { Kit::proxies(random, 3, 2) };
    let mut last = scene.start;
    for (guess, at) in (0..).zip(pace(random, scene.start, minutes * MINUTE, guesses)) {
        let (line, device) = (kit.line(random), kit.device(random));
        let otp = otp(victim, &device, line, "login");
        if guess % for_each_code == 0 {
            say("auth.otp_requested", at - random.between(2, 7) * SECOND, &otp, out);
        }
        say("auth.otp_failed", at, &otp, out);
        last = at;
    }
    if level == Level::Moderate {
        take(scene, victim, &kit, last + 20 * SECOND, out);
    }
    let mut also = kit.names();
    also.push(format!("phone:{}", victim.phone));
    Some(Cast { entity: format!("user:{}", victim.id), also })
}

fn guess_widely(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (accounts, hours) = (scene.param("accounts", 60, 180), scene.param("hours", 18, 60));
    let (each, devices) = (scene.param("guesses_each", 2, 4), scene.param("devices", 3, 10));
    let victims = scene.several(&scene.population.clients, accounts);
    let kit = Kit::proxies(&mut scene.random, devices * 6, devices);
    let mut also = kit.names();
    let lucky = *victims.last()?;
    let count = i64::try_from(victims.len()).unwrap_or_default();
    let times = pace(&mut scene.random, scene.start, hours * HOUR, count);
    for (victim, at) in victims.iter().zip(&times) {
        let random = &mut scene.random;
        let (line, device) = (kit.line(random), kit.device(random));
        let otp = otp(victim, &device, line, "login");
        say("auth.otp_requested", *at, &otp, out);
        for guess in 1..=each {
            say("auth.otp_failed", *at + guess * random.between(6, 25) * SECOND, &otp, out);
        }
        also.extend([format!("phone:{}", victim.phone), format!("user:{}", victim.id)]);
    }
    take(scene, lucky, &kit, *times.last()? + 4 * MINUTE, out);
    also.push("all:all".to_owned());
    Some(Cast { entity: format!("user:{}", lucky.id), also })
}

/// The guess was right: in, and the owner out.
fn take(scene: &mut Scene<'_>, victim: &Person, kit: &Kit, at: i64, out: &mut Outbox) {
    let random = &mut scene.random;
    let (line, device) = (kit.line(random), kit.device(random));
    say("auth.otp_verified", at, &otp(victim, &device, line, "login"), out);
    enter(victim, (&device, "otp"), (false, false), line, at + SECOND, out);
    change(victim, &device, "phone", line, at + random.between(MINUTE, 8 * MINUTE), out);
}
