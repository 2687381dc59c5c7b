//! Logins, codes, new devices, new SIM cards, newcomers; and what makes honest people look strange: carriers' gateways,
//! flights, VPNs, a relative abroad, offices behind one address, codes that come late.

use crate::Config;
use crate::clock::{DAY, MINUTE, SECOND, busy_instant, cairo_hour, rfc3339};
use crate::honest::day_number;
use crate::people::{Person, Population, Role, Whereabouts, phone};
use crate::places::Network;
use crate::random::Random;
use crate::wire::{CredentialChanged, DeviceBound, Login, LoginFailed, Otp, Outbox, Registered, SimChanged, TokenRejected, Webhook};

pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    let number = day_number(day_start);
    for person in population.everybody() {
        let random = &mut Random::of(config.seed, "logins", person.number, number);
        logins(person, random, day_start, out);
        if random.chance(0.004) {
            new_device(person, random, day_start, out);
        }
        if random.chance(0.001) {
            new_sim(person, random, day_start, out);
        }
    }
    let random = &mut Random::of(config.seed, "newcomers", number, 0);
    let newcomers = random.about(f64::from(config.clients) * 0.008);
    for newcomer in 0..newcomers {
        // Numbers above 2³² are nobody's in the population.
        let role = if newcomer % 6 == 5 { Role::Tasker } else { Role::Client };
        let mut person = Person::new(config, (1 << 32) + number * 100_000 + newcomer, role, &population.offices);
        person.trip = None;
        person.phone = phone(config.seed, 120_000 + number % 120 * 1_000 + newcomer % 1_000);
        sign_up(&person, random, day_start, out);
    }
    webhooks(config, random, day_start, out);
}

/// The network that somebody at home in Egypt uses at that time.
pub(crate) fn network(person: &Person, random: &mut Random, at: i64) -> Network {
    if let Some((vpn, share)) = &person.vpn
        && random.chance(*share)
    {
        return vpn.clone();
    }
    match &person.office {
        Some(office) if (9..17).contains(&cairo_hour(at)) && random.chance(0.7) => office.clone(),
        _ if random.chance(person.mobile_share) => Network::carrier(random, person.carrier, person.city),
        _ => person.home_line.clone(),
    }
}

fn logins(person: &Person, random: &mut Random, day_start: i64, out: &mut Outbox) {
    let mean = match person.role {
        Role::Client | Role::Driver => 1.2,
        Role::Tasker => 2.4,
    };
    for _ in 0..random.about(mean) {
        let at = busy_instant(random, day_start);
        session(person, random, at, out);
        // Opened again minutes later, often on the other network: a carrier's gateway may be in another city.
        if random.chance(0.25) {
            let at = at + random.between(MINUTE, 25 * MINUTE);
            session(person, random, at, out);
        }
    }
    if let Some((device, line)) = &person.relative
        && random.chance(0.6)
    {
        login(person, device, line, "refresh", busy_instant(random, day_start), out);
    }
    if let Some(trip) = &person.trip {
        // Airports: one last look before, one on landing.
        let flight = trip.to.flight_min * MINUTE;
        for departure in [trip.departs, trip.returns] {
            let (before, after) =
                (departure - random.between(40 * MINUTE, 90 * MINUTE), departure + flight + random.between(21 * MINUTE, 50 * MINUTE));
            for at in [before, after] {
                if (day_start..day_start + DAY).contains(&at) {
                    session(person, random, at, out);
                }
            }
        }
    }
}

/// Somebody opens the app. Mostly the token is refreshed; sometimes a code is asked for.
fn session(person: &Person, random: &mut Random, at: i64, out: &mut Outbox) {
    let network = match person.whereabouts(at) {
        Whereabouts::InTheAir => return,
        Whereabouts::Abroad(place) => Network::abroad(random, place),
        Whereabouts::Home => network(person, random, at),
    };
    let device = random.pick(&person.devices).clone();
    if random.chance(0.02) {
        let rejected = TokenRejected { reason: "expired", ip: &network.ip, subject: Some(&person.id) };
        out.send("token.rejected", at - 2 * SECOND, None, &rejected);
    }
    if random.chance(0.18) {
        if let Some(verified) = code(person, &device, &network, "login", random, at, out) {
            login(person, &device, &network, "otp", verified + SECOND, out);
        }
        return;
    }
    if random.chance(0.015) {
        let failed = LoginFailed {
            user_id: &person.id,
            device_id: &device,
            ip: &network.ip,
            location: Some(network.location),
            country: Some(network.country),
            asn_type: Some(network.asn),
            reason: Some("wrong_password"),
        };
        out.send("auth.login_failed", at - 20 * SECOND, Some(person.subject()), &failed);
    }
    let method = if random.chance(0.1) { "password" } else { "refresh" };
    login(person, &device, &network, method, at, out);
}

/// Somebody is let in.
pub(crate) fn login(person: &Person, device: &str, network: &Network, method: &'static str, at: i64, out: &mut Outbox) {
    let login = Login {
        user_id: &person.id,
        device_id: device,
        ip: &network.ip,
        location: Some(network.location),
        country: Some(network.country),
        asn_type: Some(network.asn),
        method: Some(method),
    };
    out.send("auth.login_succeeded", at, Some(person.subject()), &login);
}

/// What is said of a code of that person's.
pub(crate) fn otp<'a>(person: &'a Person, device: &'a str, network: &'a Network, purpose: &'static str) -> Otp<'a> {
    let user_id = (purpose != "signup").then_some(person.id.as_str());
    Otp { user_id, ..otp_to(&person.phone, device, network, purpose) }
}

/// What is said of a code to a phone whose account is not known.
pub(crate) fn otp_to<'a>(phone: &'a str, device: &'a str, network: &'a Network, purpose: &'static str) -> Otp<'a> {
    Otp {
        phone,
        device_id: Some(device),
        ip: Some(&network.ip),
        location: Some(network.location),
        purpose: Some(purpose),
        country: Some(network.country),
        asn_type: Some(network.asn),
        channel: Some("sms"),
        ..Otp::default()
    }
}

/// Asks for a code, and again when it is late, and types it in, sometimes wrongly. Tells when it was right, or nothing where
/// the person gave up.
pub(crate) fn code(
    person: &Person,
    device: &str,
    network: &Network,
    purpose: &'static str,
    random: &mut Random,
    at: i64,
    out: &mut Outbox,
) -> Option<i64> {
    let mut otp = otp(person, device, network, purpose);
    let mut at = at;
    let subject = || Some(format!("phone:{}", person.phone));
    out.send("auth.otp_requested", at, subject(), &otp);
    // Text messages are late by the quarter of an hour on bad evenings, and people ask again, then by another channel.
    let mut again = 0;
    while again < 4 && random.chance(if again == 0 { 0.12 } else { 0.45 }) {
        at += random.between(32 * SECOND, 150 * SECOND);
        again += 1;
        otp.channel = Some(if again > 1 { *random.pick(&["sms", "whatsapp", "voice"]) } else { "sms" });
        out.send("auth.otp_requested", at, subject(), &otp);
    }
    if random.chance(if again > 2 { 0.3 } else { 0.03 }) {
        return None;
    }
    at += random.between(8 * SECOND, 45 * SECOND);
    if random.chance(0.06) {
        out.send("auth.otp_failed", at, subject(), &otp);
        at += random.between(9 * SECOND, 40 * SECOND);
    }
    out.send("auth.otp_verified", at, subject(), &otp);
    Some(at)
}

/// A device is tied to the account, as it is when somebody first logs in on it.
pub(crate) fn bind(person: &Person, device: &str, emulator: bool, at: i64, out: &mut Outbox) {
    let bound = DeviceBound {
        user_id: &person.id,
        device_id: device,
        fingerprint: Some(&person.fingerprint),
        emulator: Some(emulator),
        rooted: Some(emulator),
    };
    out.send("auth.device_bound", at, Some(person.subject()), &bound);
}

/// A new phone: a code, a login, the device is bound, and for some a new password.
fn new_device(person: &Person, random: &mut Random, day_start: i64, out: &mut Outbox) {
    let at = busy_instant(random, day_start);
    if !matches!(person.whereabouts(at), Whereabouts::Home) {
        return;
    }
    let (device, network) = (random.id("d_"), network(person, random, at));
    let Some(verified) = code(person, &device, &network, "login", random, at, out) else { return };
    bind(person, &device, false, verified + SECOND, out);
    login(person, &device, &network, "otp", verified + 2 * SECOND, out);
    if random.chance(0.3) {
        let changed = CredentialChanged { user_id: &person.id, device_id: &device, what: "password", ip: Some(&network.ip) };
        out.send("auth.credential_changed", verified + random.between(MINUTE, 20 * MINUTE), Some(person.subject()), &changed);
    }
}

/// A lost or broken SIM card is replaced in a shop; the account is used at home as before.
fn new_sim(person: &Person, random: &mut Random, day_start: i64, out: &mut Outbox) {
    let at = busy_instant(random, day_start);
    if !matches!(person.whereabouts(at), Whereabouts::Home) {
        return;
    }
    let changed = SimChanged { phone: &person.phone, reported_by: "telco", user_id: Some(&person.id) };
    out.send("auth.sim_changed", at, Some(format!("phone:{}", person.phone)), &changed);
    let (back, network) = (at + random.between(20 * MINUTE, 120 * MINUTE), Network::carrier(random, person.carrier, person.city));
    if let Some(verified) = code(person, person.device(), &network, "login", random, back, out) {
        login(person, person.device(), &network, "otp", verified + SECOND, out);
    }
}

/// A newcomer: a code, an account, a device, a first look around.
pub(crate) fn sign_up(person: &Person, random: &mut Random, day_start: i64, out: &mut Outbox) {
    let at = busy_instant(random, day_start);
    let network = network(person, random, at);
    if let Some(verified) = code(person, person.device(), &network, "signup", random, at, out) {
        register(person, &network, verified + SECOND, out);
        login(person, person.device(), &network, "otp", verified + 3 * SECOND, out);
    }
}

/// An account is made and tied to its first device.
pub(crate) fn register(person: &Person, network: &Network, at: i64, out: &mut Outbox) {
    let registered = Registered {
        user_id: &person.id,
        role: person.role.word(),
        phone: &person.phone,
        device_id: Some(person.device()),
        ip: Some(&network.ip),
    };
    out.send("account.registered", at, Some(person.subject()), &registered);
    bind(person, person.device(), false, at + SECOND, out);
}

/// The payment provider tells of settlements, and sends one again when our answer was slow: the same delivery, a new nonce.
fn webhooks(config: &Config, random: &mut Random, day_start: i64, out: &mut Outbox) {
    for _ in 0..random.about(f64::from(config.clients) * 0.03) {
        let at = busy_instant(random, day_start);
        let delivery = random.id("dl_");
        let attempts = if random.chance(0.05) { 2 } else { 1 };
        for attempt in 0..attempts {
            let at = at + attempt * random.between(20 * SECOND, 90 * SECOND);
            let webhook = Webhook {
                provider: "wallet_eg",
                delivery_id: &delivery,
                nonce: random.id("n_"),
                signed_at: rfc3339(at - random.between(100, 900)),
                signature_valid: true,
                ip: "198.51.100.20",
            };
            out.send("webhook.received", at, None, &webhook);
        }
    }
}
