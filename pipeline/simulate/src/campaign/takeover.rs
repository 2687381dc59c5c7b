//! A number is moved to the attacker's SIM card, the account entered, re-bound and paid out.

use crate::Level;
use crate::campaign::{Cast, Scene};
use crate::clock::{HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::payment::payment;
use crate::people::Person;
use crate::places::{LAIRS, Network};
use crate::random::Random;
use crate::wire::{CredentialChanged, DeviceBound, Outbox, SimChanged};

/// Blatant: minutes after the victim's own login, from a line far abroad on an emulator, all in an hour. Moderate: within the
/// hour, from a home line abroad, one credential, payouts later. Careful: from the victim's own country through a carrier, hours
/// after the swap, one payout account, two payouts.
pub(super) fn takeover(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let victim = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let level = scene.level;
    // The victim is at home and has just been let in: honest, and what makes the next login impossible.
    out.campaign = None;
    auth::login(victim, victim.device(), &victim.home_line, "refresh", scene.start, out);
    out.campaign = Some(scene.number);

    let device = random.id("d_");
    let fingerprint = random.id("f_");
    let lair = *random.pick(&[0_usize, 1, 2, 3, 4]);
    let abroad = LAIRS.get(lair)?;
    let (network, swapped, entered) = match level {
        Level::Blatant => {
            (Network::abroad_home(random, abroad), random.between(2 * MINUTE, 5 * MINUTE), random.between(10 * MINUTE, 18 * MINUTE))
        }
        Level::Moderate => {
            (Network::abroad_home(random, abroad), random.between(5 * MINUTE, 15 * MINUTE), random.between(25 * MINUTE, 65 * MINUTE))
        }
        Level::Careful => (
            Network::carrier(random, victim.carrier + 1, victim.city),
            random.between(20 * MINUTE, HOUR),
            random.between(3 * HOUR, 4 * HOUR),
        ),
    };
    let (swapped, mut at) = (scene.start + swapped, scene.start + entered);
    let reported_by = if level == Level::Moderate { "device" } else { "telco" };
    let swap = SimChanged { phone: &victim.phone, reported_by, user_id: Some(&victim.id) };
    out.send("auth.sim_changed", swapped, Some(format!("phone:{}", victim.phone)), &swap);

    at = code(victim, &device, &network, "login", random, at, out);
    let emulator = level == Level::Blatant;
    let bound = DeviceBound {
        user_id: &victim.id,
        device_id: &device,
        fingerprint: Some(&fingerprint),
        emulator: Some(emulator),
        rooted: Some(level != Level::Careful),
    };
    auth::login(victim, &device, &network, "otp", at + SECOND, out);
    out.send("auth.device_bound", at + 2 * SECOND, Some(victim.subject()), &bound);

    let credentials: &[&'static str] = if level == Level::Blatant { &["password", "payout_account"] } else { &["payout_account"] };
    at += match level {
        Level::Blatant => random.between(MINUTE, 4 * MINUTE),
        Level::Moderate => random.between(5 * MINUTE, 20 * MINUTE),
        Level::Careful => random.between(HOUR, 2 * HOUR),
    };
    for what in credentials {
        let changed = CredentialChanged { user_id: &victim.id, device_id: &device, what, ip: Some(&network.ip) };
        out.send("auth.credential_changed", at, Some(victim.subject()), &changed);
        at += random.between(20 * SECOND, 90 * SECOND);
    }
    let (count, wait) = match level {
        Level::Blatant => (3, 4 * MINUTE),
        Level::Moderate => (2, 25 * MINUTE),
        Level::Careful => (2, 35 * MINUTE),
    };
    at += wait;
    let account = random.id("wallet_");
    for _ in 0..count {
        at = code(victim, &device, &network, "payout", random, at, out);
        let id = random.id("p_");
        let mut payout = payment(victim, &id, random.between(600, 2_400) * 500, "wallet");
        payout.instrument_id = Some(&account);
        payout.device_id = Some(&device);
        payout.ip = Some(&network.ip);
        out.send("payment.payout_requested", at + 5 * SECOND, Some(victim.subject()), &payout);
        out.send("payment.payout_paid", at + random.between(MINUTE, 6 * MINUTE), Some(victim.subject()), &payout);
        at += wait + random.between(0, 3 * MINUTE);
    }
    let also =
        vec![format!("device:{device}"), format!("phone:{}", victim.phone), format!("instrument:{account}"), format!("ip:{}", network.ip)];
    // A carrier's address is everybody's.
    let also = also.into_iter().filter(|one| level != Level::Careful || !one.starts_with("ip:")).collect();
    Some(Cast { entity: format!("user:{}", victim.id), also })
}

/// The attacker reads the code on the new card; tells when.
fn code(victim: &Person, device: &str, network: &Network, purpose: &'static str, random: &mut Random, at: i64, out: &mut Outbox) -> i64 {
    let otp = auth::otp(victim, device, network, purpose);
    let subject = || Some(format!("phone:{}", victim.phone));
    out.send("auth.otp_requested", at, subject(), &otp);
    let read = at + random.between(9 * SECOND, 30 * SECOND);
    out.send("auth.otp_verified", read, subject(), &otp);
    read
}
