//! Accounts by the dozen: on one phone, on emulators, on one identity card; and what they are made for.

use crate::campaign::kit::{Kit, enter, fingerprint, pace, say};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth::{self, otp};
use crate::payload::{DeviceBound, Registered};
use crate::people::{Person, Role};
use crate::places::Network;
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "device_farm",
        doc: "One phone makes account after account.",
        span_ms: [6 * HOUR, 16 * HOUR, 5 * DAY],
        stage: devices,
    },
    Scenario {
        word: "emulator_farm",
        doc: "Copies of one emulated phone make accounts.",
        span_ms: [5 * HOUR, 14 * HOUR, 4 * DAY],
        stage: emulators,
    },
    Scenario {
        word: "one_person_many_devices",
        doc: "One tasker's account is used on a row of phones at once, to be first at every job.",
        span_ms: [6 * HOUR, DAY, 5 * DAY],
        stage: |scene, level, out| Some(many_devices(scene, level, out)),
    },
    Scenario {
        word: "kyc_reuse",
        doc: "One identity card is shown for several accounts.",
        span_ms: [8 * HOUR, 20 * HOUR, 5 * DAY],
        stage: kyc,
    },
    Scenario {
        word: "mass_registration",
        doc: "Accounts are made by a program, to be used or sold later.",
        span_ms: [4 * HOUR, 12 * HOUR, 3 * DAY],
        stage: mass,
    },
];

/// How an account is made: where, and with what.
#[derive(Clone, Copy)]
pub(super) struct SignUp<'a> {
    pub(super) device: &'a str,
    pub(super) line: &'a Network,
    pub(super) referrer: Option<&'a str>,
    pub(super) promo: Option<&'a str>,
    /// What the app says of the phone.
    pub(super) fingerprint: Option<&'a str>,
    pub(super) emulator: Option<bool>,
}

impl<'a> SignUp<'a> {
    pub(super) fn new(device: &'a str, line: &'a Network) -> Self {
        Self { device, line, referrer: None, promo: None, fingerprint: None, emulator: Some(false) }
    }

    /// A code, the account, its device, the first look around; tells when it was done.
    pub(super) fn run(&self, person: &Person, random: &mut Random, at: i64, out: &mut Outbox) -> i64 {
        let code = otp(person, self.device, self.line, "signup");
        say("auth.otp_requested", at, &code, out);
        let read = at + random.between(9, 50) * SECOND;
        say("auth.otp_verified", read, &code, out);
        let registered = Registered {
            user_id: &person.id,
            role: person.role.word(),
            phone: &person.phone,
            device_id: Some(self.device),
            ip: Some(&self.line.ip),
            referrer_id: self.referrer,
            promo_code: self.promo,
            ..Registered::default()
        };
        out.send("account.registered", read + SECOND, Some(person.subject()), &registered);
        let own = self.device.replacen("d_", "f_", 1);
        let bound = DeviceBound {
            user_id: &person.id,
            device_id: self.device,
            fingerprint: Some(self.fingerprint.unwrap_or(&own)),
            emulator: self.emulator,
            rooted: self.emulator,
        };
        out.send("auth.device_bound", read + 2 * SECOND, Some(person.subject()), &bound);
        auth::login(person, self.device, self.line, "otp", read + 4 * SECOND, out);
        read + 4 * SECOND
    }
}

/// One phone, reset between accounts but for its identifier. The accounts are sold with their SIM cards. Blatant: a dozen and
/// more in an afternoon. Moderate: a few an hour. Careful: some phones in turn, a few accounts on each, over days.
fn devices(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, hours, phones) = match level {
        Level::Blatant => (scene.param("accounts", 14, 45), scene.param("hours", 1, 5), 1),
        Level::Moderate => (scene.param("accounts", 6, 16), scene.param("hours", 3, 14), 1),
        Level::Careful => (scene.param("accounts", 9, 20), scene.param("hours", 40, 100), scene.param("phones", 2, 4)),
    };
    let random = &mut scene.random;
    let mut kit = Kit::own(random, phones);
    if level == Level::Careful {
        kit.lines = Kit::proxies(random, 3, 0).lines;
    }
    let mut also = kit.names();
    for at in pace(random, scene.start, hours * HOUR, accounts) {
        let person = scene.hire(Role::Client);
        let random = &mut scene.random;
        let (line, device) = (kit.line(random), kit.device(random));
        let done = SignUp::new(&device, line).run(&person, random, at, out);
        if random.chance(0.5) {
            auth::login(&person, &device, line, "refresh", done + random.between(5, 40) * MINUTE, out);
        }
        also.extend([person.subject(), format!("phone:{}", person.phone)]);
    }
    Some(Cast { entity: format!("device:{}", kit.devices.first()?), also })
}

/// One image of an emulated phone, started again and again: another identifier each time, the same fingerprint. Blatant: it says
/// what it is. Moderate: two images. Careful: it says nothing of being one, a few images, over days, from home lines.
fn emulators(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, hours, images) = match level {
        Level::Blatant => (scene.param("accounts", 20, 70), scene.param("hours", 1, 4), 1),
        Level::Moderate => (scene.param("accounts", 10, 26), scene.param("hours", 3, 12), 2),
        Level::Careful => (scene.param("accounts", 12, 30), scene.param("hours", 30, 80), scene.param("images", 2, 4)),
    };
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 1, 0),
        Level::Moderate => Kit::servers(random, 4, 0),
        Level::Careful => Kit::proxies(random, 10, 0),
    };
    let prints: Vec<String> = (0..images).map(|_| random.id("f_")).collect();
    let emulator = match level {
        Level::Blatant | Level::Moderate => Some(true),
        Level::Careful => *random.pick(&[None, Some(false)]),
    };
    let mut also = kit.names();
    also.extend(prints.iter().map(|print| format!("fingerprint:{print}")));
    for at in pace(random, scene.start, hours * HOUR, accounts) {
        let person = scene.hire(Role::Client);
        let random = &mut scene.random;
        let (line, device) = (kit.line(random), kit.device(random));
        let print = random.pick(&prints).as_str();
        let made = SignUp { fingerprint: Some(print), emulator, ..SignUp::new(&device, line) };
        made.run(&person, random, at, out);
        also.extend([person.subject(), format!("device:{device}"), format!("phone:{}", person.phone)]);
    }
    Some(Cast { entity: format!("fingerprint:{}", prints.first()?), also })
}

/// A row of phones under one name, each showing another part of the city: jobs are taken before others see them, and done by whoever
/// is near. Blatant: all bound in hours. Moderate: over the day. Careful: one or two a day, in different streets.
fn many_devices(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Cast {
    let (phones, hours) = match level {
        Level::Blatant => (scene.param("phones", 10, 30), scene.param("hours", 1, 5)),
        Level::Moderate => (scene.param("phones", 6, 14), scene.param("hours", 6, 20)),
        Level::Careful => (scene.param("phones", 5, 9), scene.param("hours", 60, 110)),
    };
    let mut crook = scene.hire(Role::Tasker);
    crook.created_at = scene.start - scene.random.between(30, 300) * DAY;
    let random = &mut scene.random;
    let mut also = Vec::new();
    for at in pace(random, scene.start, hours * HOUR, phones) {
        let (device, line) =
            (random.id("d_"), if level == Level::Blatant { crook.home_line.clone() } else { Network::home(random, crook.city) });
        let code = otp(&crook, &device, &line, "login");
        say("auth.otp_requested", at, &code, out);
        say("auth.otp_verified", at + 15 * SECOND, &code, out);
        enter(&crook, (&device, "otp"), (false, false), &line, at + 16 * SECOND, out);
        auth::login(&crook, &device, &line, "refresh", at + random.between(10, 50) * MINUTE, out);
        also.extend([format!("device:{device}"), fingerprint(&device), format!("ip:{}", line.ip)]);
    }
    also.push(format!("phone:{}", crook.phone));
    Cast { entity: crook.subject(), also }
}

/// A bought copy of an identity card, for taskers who were banned. Blatant: a dozen accounts in hours. Moderate: some in a day. Careful:
/// three or four over days, each on its own phone and line.
fn kyc(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, hours) = match level {
        Level::Blatant => (scene.param("accounts", 8, 25), scene.param("hours", 1, 6)),
        Level::Moderate => (scene.param("accounts", 4, 9), scene.param("hours", 4, 18)),
        Level::Careful => (scene.param("accounts", 3, 5), scene.param("hours", 50, 110)),
    };
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::own(random, 2),
        Level::Moderate => Kit::proxies(random, 3, 3),
        Level::Careful => Kit::proxies(random, accounts, 0),
    };
    let document = random.id("h_");
    let mut also = kit.names();
    let mut first = None;
    for at in pace(random, scene.start, hours * HOUR, accounts) {
        let person = scene.hire(Role::Tasker);
        let random = &mut scene.random;
        let (line, device) = (kit.line(random), kit.device(random));
        let done = SignUp::new(&device, line).run(&person, random, at, out);
        auth::prove(&person, &document, "full", done + random.between(10, 80) * MINUTE, out);
        also.extend([person.subject(), format!("device:{device}"), format!("phone:{}", person.phone)]);
        first.get_or_insert(person.subject());
    }
    Some(Cast { entity: first?, also })
}

/// Accounts for sale. Blatant: one server, one device. Moderate: a network of servers, a device each. Careful: a home line and a phone each,
/// neighbouring numbers of a box of SIM cards, days: only the numbers and the pace are alike.
fn mass(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, minutes) = match level {
        Level::Blatant => (scene.param("accounts", 60, 240), scene.param("minutes", 20, 200)),
        Level::Moderate => (scene.param("accounts", 30, 110), scene.param("minutes", 120, 640)),
        Level::Careful => (scene.param("accounts", 30, 90), scene.param("minutes", 1_200, 3_600)),
    };
    let numbers = scene.range(accounts, accounts * 4);
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 1, 2),
        Level::Moderate => Kit::servers(random, 12, 0),
        Level::Careful => Kit::proxies(random, accounts, 0),
    };
    let times = pace(random, scene.start, minutes * MINUTE, accounts);
    let mut also = kit.names();
    also.extend(numbers.iter().filter_map(|number| number.get(..number.len() - 4)).map(|prefix| format!("phone_prefix:{prefix}")));
    also.push("all:all".to_owned());
    let mut first = None;
    for (number, at) in numbers.iter().zip(times) {
        let mut person = scene.hire(Role::Client);
        person.phone.clone_from(number);
        let random = &mut scene.random;
        let (line, device) = (kit.line(random), kit.device(random));
        SignUp::new(&device, line).run(&person, random, at, out);
        also.extend([person.subject(), format!("device:{device}"), format!("phone:{number}")]);
        first.get_or_insert(format!("phone_prefix:{}", number.get(..number.len() - 4)?));
    }
    let entity = match level {
        Level::Blatant => format!("ip:{}", kit.lines.first()?.ip),
        Level::Moderate => format!("ip_prefix:{}", kit.lines.first()?.prefix()),
        Level::Careful => first?,
    };
    Some(Cast { entity, also })
}
