//! Logins, codes, new devices, new SIM cards, newcomers; and what makes honest people look strange: carriers' gateways,
//! flights, VPNs, a relative abroad, offices behind one address, codes that come late.

use crate::Config;
use crate::clock::{DAY, HOUR, MINUTE, SECOND, busy_instant, cairo_hour};
use crate::honest::{day_number, ops};
use crate::payload::{
    CredentialChanged, DeviceBound, KycChanged, Login, LoginFailed, Otp, PromoRedeemed, Registered, SimChanged, TokenRejected,
};
use crate::people::{Person, Population, Role, Whereabouts, phone};
use crate::places::Network;
use crate::random::Random;
use crate::wire::Outbox;

pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) -> Vec<(u64, String)> {
    let number = day_number(day_start);
    let mut bought = Vec::new();
    for person in population.everybody() {
        let random = &mut Random::of(config.seed, "logins", person.number, number);
        logins(person, random, day_start, out);
        if random.chance(0.004) {
            bought.extend(new_device(person, random, day_start, out).map(|device| (person.number, device)));
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
        person.phone = phone(config.seed, 120_000 + number % 120 * 1_000 + newcomer % 500);
        sign_up(&person, random, day_start, out);
    }
    bought
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
    if let Some(back) = out.troubles.back(person).filter(|back| (day_start..day_start + DAY).contains(back)) {
        // Support has made sure who asks, and the owner comes back.
        ops::contact(person, random, back - HOUR, out);
        if let Some(verified) = code(person, person.device(), &person.home_line, "reset", random, back, out) {
            login(person, person.device(), &person.home_line, "otp", verified + SECOND, out);
        }
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
    if out.troubles.is_shut_out(person, at) {
        // Whoever took the account has changed what opens it, and that closed the owner's session.
        let rejected = TokenRejected { reason: "revoked", ip: &network.ip, subject: Some(&person.id) };
        out.send("token.rejected", at - 2 * SECOND, None, &rejected);
        refused((Some(&person.id), Some(&device)), &network, "wrong_password", at + random.between(5 * SECOND, 40 * SECOND), out);
        return;
    }
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
        let device = random.chance(0.9).then_some(device.as_str());
        refused((Some(&person.id), device), &network, "wrong_password", at - 20 * SECOND, out);
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
        ..Login::default()
    };
    out.send("auth.login_succeeded", at, Some(person.subject()), &login);
}

/// Somebody is not let in; without `user` where the name that was tried is nobody's.
pub(crate) fn refused((user, device): (Option<&str>, Option<&str>), network: &Network, reason: &'static str, at: i64, out: &mut Outbox) {
    let failed = LoginFailed {
        ip: &network.ip,
        user_id: user,
        device_id: device,
        location: Some(network.location),
        country: Some(network.country),
        asn_type: Some(network.asn),
        reason: Some(reason),
    };
    out.send("auth.login_failed", at, user.map(|user| format!("user:{user}")), &failed);
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
    // Assumption: one in 25 asks from the web, which names no device, and a database does not know one address in 30.
    if random.chance(0.04) {
        otp.device_id = None;
    }
    if random.chance(0.03) {
        otp.location = None;
    }
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
    // A fingerprint is a phone's, not its owner's: another phone has another.
    let fingerprint = device.replacen("d_", "f_", 1);
    // The web and old apps do not say what they run on (assumption: one in sixteen).
    let is_told = emulator || !device.ends_with(['0', '1']);
    let bound = DeviceBound {
        user_id: &person.id,
        device_id: device,
        fingerprint: Some(&fingerprint),
        emulator: is_told.then_some(emulator),
        rooted: is_told.then_some(emulator),
    };
    out.send("auth.device_bound", at, Some(person.subject()), &bound);
}

/// A new phone: a code, a login, the device is bound, and for some a new password. Tells which, where it was tied to the account: from
/// the next day on it is what they use first of all.
fn new_device(person: &Person, random: &mut Random, day_start: i64, out: &mut Outbox) -> Option<String> {
    let at = busy_instant(random, day_start);
    if !matches!(person.whereabouts(at), Whereabouts::Home) || out.troubles.is_shut_out(person, at) {
        return None;
    }
    let (device, network) = (random.id("d_"), network(person, random, at));
    let verified = code(person, &device, &network, "login", random, at, out)?;
    bind(person, &device, false, verified + SECOND, out);
    login(person, &device, &network, "otp", verified + 2 * SECOND, out);
    if random.chance(0.3) {
        let changed = CredentialChanged { user_id: &person.id, device_id: &device, what: "password", ip: Some(&network.ip) };
        out.send("auth.credential_changed", verified + random.between(MINUTE, 20 * MINUTE), Some(person.subject()), &changed);
    }
    Some(device)
}

/// Another card has that person's number: the telco's feed tells of it, or the app on the phone (assumption: four of five by the feed).
pub(crate) fn sim_changed(person: &Person, at: i64, random: &mut Random, out: &mut Outbox) {
    let reported_by = if random.chance(0.8) { "telco" } else { "device" };
    sim_told(person, reported_by, at, random, out);
}

/// The same, as one of them tells it. The feed knows numbers alone; whose account it is, is looked up where that is quick.
pub(crate) fn sim_told(person: &Person, reported_by: &'static str, at: i64, random: &mut Random, out: &mut Outbox) {
    let is_known = reported_by == "device" || random.chance(0.5);
    let changed = SimChanged { phone: &person.phone, reported_by, user_id: is_known.then_some(&person.id) };
    out.send("auth.sim_changed", at, Some(format!("phone:{}", person.phone)), &changed);
}

/// A lost or broken SIM card is replaced in a shop; the account is used at home as before.
fn new_sim(person: &Person, random: &mut Random, day_start: i64, out: &mut Outbox) {
    let at = busy_instant(random, day_start);
    if !matches!(person.whereabouts(at), Whereabouts::Home) {
        return;
    }
    sim_changed(person, at, random, out);
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
        // Assumption: two newcomers in five take the welcome promotion, and half of them use it within the day.
        let promo = (person.role == Role::Client && random.chance(0.4)).then_some("AHLAN");
        register_by(person, &network, (None, promo), verified + SECOND, out);
        bind(person, person.device(), false, verified + 2 * SECOND, out);
        login(person, person.device(), &network, "otp", verified + 3 * SECOND, out);
        if let Some(promo_code) = promo.filter(|_| random.chance(0.5)) {
            let redeemed = PromoRedeemed {
                user_id: &person.id,
                promo_code,
                amount: Some(*random.pick(&[5_000, 7_500, 10_000])),
                device_id: Some(person.device()),
                ip: Some(&network.ip),
                ..PromoRedeemed::default()
            };
            let at = verified + random.between(5 * MINUTE, 18 * HOUR);
            out.send("promo.redeemed", at, Some(person.subject()), &redeemed);
        }
        if person.role == Role::Tasker {
            // Papers are shown before the first job (assumption: within half a day).
            let document = random.id("h_");
            let at = verified + random.between(10 * MINUTE, 12 * HOUR);
            ops::papers(person, at, random, out);
            prove(person, &document, "full", at, out);
        }
    }
}

/// Somebody has shown an identity card or passport, and is known to that level.
pub(crate) fn prove(person: &Person, document: &str, level: &'static str, at: i64, out: &mut Outbox) {
    let changed = KycChanged { user_id: &person.id, level, document_hash: Some(document) };
    out.send("account.kyc_changed", at, Some(person.subject()), &changed);
}

/// An account is made and tied to its first device.
pub(crate) fn register(person: &Person, network: &Network, at: i64, out: &mut Outbox) {
    register_by(person, network, (None, None), at, out);
    bind(person, person.device(), false, at + SECOND, out);
}

/// An account is made: by itself, sent by somebody or drawn by a promotion.
pub(crate) fn register_by(
    person: &Person,
    network: &Network,
    (referrer_id, promo_code): (Option<&str>, Option<&str>),
    at: i64,
    out: &mut Outbox,
) {
    let registered = Registered {
        referrer_id,
        promo_code,
        user_id: &person.id,
        role: person.role.word(),
        phone: &person.phone,
        device_id: Some(person.device()),
        ip: Some(&network.ip),
        ..Registered::default()
    };
    out.send("account.registered", at, Some(person.subject()), &registered);
}
