//! Codes that one person asks for again and again, types in wrongly or has sent to odd places. How often each happens is an assumption:
//! nobody publishes it.

use crate::clock::{MINUTE, SECOND};
use crate::honest::auth::{self, otp, otp_to};
use crate::look_alike::{Often, Tale};
use crate::payload::Otp;
use crate::people::{Person, Role};
use crate::places::{DESTINATIONS, Network};
use crate::random::Random;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "late_sms",
        doc: "Messages are late; somebody asks again and again, and types in one that has run out.",
        // Assumption: beside everyday's repeats, one in 700 a day waits that long.
        often: Often::PerThousand(1.5),
        stage: late,
    },
    Tale {
        word: "wrong_digits",
        doc: "Somebody reads badly: wrong codes by the handful, then the right one.",
        often: Often::PerThousand(1.0), // Assumption: one in a thousand people a day.
        stage: digits,
    },
    Tale {
        word: "mistyped_number",
        doc: "Somebody mistypes the number: codes go to a stranger, and then to the right phone.",
        often: Often::PerThousand(2.0), // Assumption: one login by code in a hundred.
        stage: mistyped,
    },
    Tale {
        word: "voice_user",
        doc: "Somebody who cannot read messages has each code read out.",
        often: Often::PerThousand(0.8), // Assumption: about one in a hundred people, some days.
        stage: voice,
    },
    Tale {
        word: "expatriate",
        doc: "An Egyptian in the Gulf books a cleaner for his parents, with a number of there.",
        often: Often::PerThousand(1.2), // Assumption: millions live there; few book here.
        stage: expatriate,
    },
    Tale {
        word: "address_of_the_hour",
        doc: "A home line has IPv6, and each device takes another address of its /64 every hour.",
        often: Often::PerThousand(2.0), // Assumption: few of the home lines have it.
        stage: |scene, out| Some(six(scene, out)),
    },
    Tale {
        word: "code_monitor",
        doc: "The marketplace's own monitor asks for a code to its test phone every quarter of an hour.",
        often: Often::ADay(0.3), // Assumption: two days a week, before releases.
        stage: |scene, out| Some(monitor(scene, out)),
    },
];

pub(super) fn ask(kind: &'static str, at: i64, otp: &Otp<'_>, out: &mut Outbox) {
    out.send(kind, at, Some(format!("phone:{}", otp.phone)), otp);
}

/// What might be taken for an attacker: a person and what is theirs.
fn cast(person: &Person) -> Cast {
    Cast { entity: person.subject(), also: vec![format!("phone:{}", person.phone), format!("device:{}", person.device())] }
}

pub(super) fn names_of(person: &Person) -> [String; 2] {
    [person.subject(), format!("phone:{}", person.phone)]
}

fn late(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let network = auth::network(person, random, scene.start);
    let mut code = otp(person, person.device(), &network, random.pick::<&str>(&["login", "login", "reset"]));
    let mut at = scene.start;
    for time in 0..random.between(5, 11) {
        code.channel = Some(if time > 2 { *random.pick(&["sms", "sms", "whatsapp", "voice"]) } else { "sms" });
        ask("auth.otp_requested", at, &code, out);
        if time > 3 && random.chance(0.3) {
            ask("auth.otp_failed", at + random.between(8, 30) * SECOND, &code, out);
        }
        at += random.between(45, 420) * SECOND;
    }
    if random.chance(0.75) {
        ask("auth.otp_verified", at, &code, out);
        auth::login(person, person.device(), &network, "otp", at + SECOND, out);
    }
    Some(cast(person))
}

fn digits(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let network = auth::network(person, random, scene.start);
    let code = otp(person, person.device(), &network, "login");
    let mut at = scene.start;
    for time in 0..random.between(4, 11) {
        if time % 3 == 0 {
            ask("auth.otp_requested", at, &code, out);
            at += random.between(15, 50) * SECOND;
        }
        ask("auth.otp_failed", at, &code, out);
        at += random.between(15, 90) * SECOND;
    }
    if random.chance(0.85) {
        ask("auth.otp_verified", at, &code, out);
        auth::login(person, person.device(), &network, "otp", at + SECOND, out);
    }
    Some(cast(person))
}

fn mistyped(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let wrong = scene.list_of_numbers(1);
    let random = &mut scene.random;
    let network = auth::network(person, random, scene.start);
    let mut at = scene.start;
    for _ in 0..random.between(1, 3) {
        let code = otp_to(wrong.first()?, person.device(), &network, random.pick::<&str>(&["login", "login", "signup"]));
        ask("auth.otp_requested", at, &code, out);
        at += random.between(40, 120) * SECOND;
    }
    if let Some(read) = auth::code(person, person.device(), &network, "login", random, at, out) {
        auth::login(person, person.device(), &network, "otp", read + SECOND, out);
    }
    Some(cast(person))
}

fn voice(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let network = auth::network(person, random, scene.start);
    let mut at = scene.start;
    for _ in 0..random.between(1, 4) {
        let mut code = otp(person, person.device(), &network, "login");
        code.channel = Some("voice");
        for _ in 0..random.between(1, 3) {
            ask("auth.otp_requested", at, &code, out);
            at += random.between(40, 100) * SECOND;
        }
        ask("auth.otp_verified", at, &code, out);
        auth::login(person, person.device(), &network, "otp", at + SECOND, out);
        at += random.between(40, 200) * MINUTE;
    }
    Some(cast(person))
}

/// A made-up number of there: behind the country's code stands a 0, with which no subscriber's number begins in these countries.
pub(super) fn foreign(code: &str, random: &mut Random) -> String {
    format!("{code}0{:08}", random.below(100_000_000))
}

fn expatriate(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let mut person = scene.hire(Role::Client);
    let random = &mut scene.random;
    let place = random.pick(&DESTINATIONS);
    let code = match place.country {
        "AE" => "+971",
        "SA" => "+966",
        "TR" => "+90",
        _ => "+965",
    };
    person.phone = foreign(code, random);
    let line = Network::abroad(random, place);
    let (mut at, is_new) = (scene.start, random.chance(0.4));
    if is_new {
        let read = auth::code(&person, person.device(), &line, "signup", random, at, out)?;
        auth::register(&person, &line, read + SECOND, out);
        at = read + random.between(1, 60) * MINUTE;
    }
    for _ in 0..random.between(1, 3) {
        if let Some(read) = auth::code(&person, person.device(), &line, "login", random, at, out) {
            auth::login(&person, person.device(), &line, "otp", read + SECOND, out);
        }
        at += random.between(60, 400) * MINUTE;
    }
    Some(cast(&person))
}

fn six(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let person = scene.hire(Role::Client);
    let random = &mut scene.random;
    let subnet = u32::try_from(random.between(0x1000_0001, 0x1fff_ffff)).unwrap_or(0x1000_0001) | 0x0001_0001;
    let mut at = scene.start;
    let mut prefix = String::new();
    for _ in 0..random.between(4, 12) {
        let line = person.home_line.six(random, subnet);
        prefix = line.prefix();
        if random.chance(0.3) {
            if let Some(read) = auth::code(&person, person.device(), &line, "login", random, at, out) {
                auth::login(&person, person.device(), &line, "otp", read + SECOND, out);
            }
        } else {
            auth::login(&person, person.device(), &line, "refresh", at, out);
        }
        at += random.between(15, 90) * MINUTE;
    }
    Cast { entity: format!("ip_prefix:{prefix}"), also: vec![person.subject(), format!("phone:{}", person.phone)] }
}

fn monitor(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let robot = scene.hire(Role::Client);
    let office = Network::office(&mut scene.random, 253, 0);
    for turn in 0..scene.param("turns", 20, 60) {
        let at = scene.start + turn * 15 * MINUTE;
        let code = otp(&robot, robot.device(), &office, "login");
        ask("auth.otp_requested", at, &code, out);
        ask("auth.otp_verified", at + 4 * SECOND, &code, out);
    }
    cast(&robot)
}
