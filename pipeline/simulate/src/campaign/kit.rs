//! What attackers work with: lines to the internet, devices, patience, and a way out with the money.

use crate::clock::{MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::payment::{pay, payment};
use crate::payload::{CredentialChanged, DeviceBound, Otp};
use crate::people::Person;
use crate::places::{Network, draw_city};
use crate::random::Random;
use crate::scene::Scene;
use crate::wire::Outbox;

/// Lines and devices, taken at random for each step.
pub(super) struct Kit {
    pub(super) lines: Vec<Network>,
    /// Empty: another one, made up, for each step.
    pub(super) devices: Vec<String>,
}

impl Kit {
    fn new(random: &mut Random, lines: Vec<Network>, devices: i64) -> Self {
        Self { lines, devices: (0..devices).map(|_| random.id("d_")).collect() }
    }

    /// Rented servers, all in one /24.
    pub(super) fn servers(random: &mut Random, lines: i64, devices: i64) -> Self {
        let first = Network::hosting(random);
        let lines = (0..lines).map(|line| first.beside(line * 7)).collect();
        Self::new(random, lines, devices)
    }

    /// Other people's home lines, rented by the gigabyte: each in another street, all over the country.
    pub(super) fn proxies(random: &mut Random, lines: i64, devices: i64) -> Self {
        let lines = (0..lines)
            .map(|_| {
                let city = draw_city(random);
                Network::home(random, city)
            })
            .collect();
        Self::new(random, lines, devices)
    }

    /// The attacker's own phone at his own line at home.
    pub(super) fn own(random: &mut Random, devices: i64) -> Self {
        Self::proxies(random, 1, devices)
    }

    pub(super) fn line(&self, random: &mut Random) -> &Network {
        random.pick(&self.lines)
    }

    pub(super) fn device(&self, random: &mut Random) -> String {
        if self.devices.is_empty() { random.id("d_") } else { random.pick(&self.devices).clone() }
    }

    /// What an alert may call it. A carrier's address is everybody's.
    pub(super) fn names(&self) -> Vec<String> {
        let lines = self.lines.iter().filter(|line| line.asn != "mobile");
        let mut names: Vec<String> = lines.flat_map(|line| [format!("ip:{}", line.ip), format!("ip_prefix:{}", line.prefix())]).collect();
        names.extend(self.devices.iter().flat_map(|device| [format!("device:{device}"), fingerprint(device)]));
        names
    }
}

/// The name of that device's fingerprint.
pub(super) fn fingerprint(device: &str) -> String {
    format!("fingerprint:{}", print_of(device))
}

fn print_of(device: &str) -> String {
    device.replacen("d_", "f_", 1)
}

/// As many instants in a span, in order, each somewhere in its share of it.
pub(super) fn pace(random: &mut Random, start: i64, span: i64, times: i64) -> Vec<i64> {
    let share = span / times.max(1);
    (0..times).map(|time| start + time * share + random.between(0, share - 1)).collect()
}

/// Says something of a code.
pub(super) fn say(kind: &'static str, at: i64, otp: &Otp<'_>, out: &mut Outbox) {
    out.send(kind, at, Some(format!("phone:{}", otp.phone)), otp);
}

/// The attacker has a code for the victim's account and types it in; tells when it was right.
pub(super) fn code(
    victim: &Person,
    device: &str,
    line: &Network,
    purpose: &'static str,
    random: &mut Random,
    at: i64,
    out: &mut Outbox,
) -> i64 {
    let otp = auth::otp(victim, device, line, purpose);
    say("auth.otp_requested", at, &otp, out);
    let read = at + random.between(9 * SECOND, 40 * SECOND);
    say("auth.otp_verified", read, &otp, out);
    read
}

/// The attacker's device is tied to the account, and let in.
pub(super) fn enter(
    victim: &Person,
    (device, method): (&str, &'static str),
    (emulator, rooted): (bool, bool),
    line: &Network,
    at: i64,
    out: &mut Outbox,
) {
    let print = print_of(device);
    let bound =
        DeviceBound { user_id: &victim.id, device_id: device, fingerprint: Some(&print), emulator: Some(emulator), rooted: Some(rooted) };
    auth::login(victim, device, line, method, at, out);
    out.send("auth.device_bound", at + SECOND, Some(victim.subject()), &bound);
}

/// A credential is changed from the attacker's device.
pub(super) fn change(victim: &Person, device: &str, what: &'static str, line: &Network, at: i64, out: &mut Outbox) {
    let changed = CredentialChanged { user_id: &victim.id, device_id: device, what, ip: Some(&line.ip) };
    out.send("auth.credential_changed", at, Some(victim.subject()), &changed);
    if what != "payout_account" {
        out.brought.shut_out(victim, at);
    }
}

/// Money that is sent out of an account.
pub(super) struct CashOut<'a> {
    pub(super) device: &'a str,
    pub(super) line: &'a Network,
    /// Where it goes.
    pub(super) wallet: &'a str,
    /// In how many payments.
    pub(super) pieces: i64,
    /// Altogether, pounds.
    pub(super) pounds: i64,
    /// From one to the next, ms.
    pub(super) every: i64,
    /// Whether he reads the codes that the app asks for when it is in doubt; without them he goes on until it is not.
    pub(super) reads_codes: bool,
}

impl CashOut<'_> {
    /// Tells when the last was paid.
    pub(super) fn run(&self, victim: &Person, scene: &mut Scene<'_>, at: i64, out: &mut Outbox) -> i64 {
        let random = &mut scene.random;
        let (mut at, mut paid) = (at, at);
        for _ in 0..self.pieces {
            let is_asked = self.reads_codes && random.chance(0.6);
            let read = if is_asked { code(victim, self.device, self.line, "payout", random, at, out) } else { at };
            let id = random.id("p_");
            let share = self.pounds * 100 / self.pieces * random.between(85, 115) / 100;
            let mut payout = payment(victim, &id, share / 500 * 500, "wallet");
            payout.instrument_id = Some(self.wallet);
            payout.device_id = Some(self.device);
            payout.ip = random.chance(0.6).then_some(&self.line.ip);
            out.send("payment.payout_requested", read + 5 * SECOND, Some(victim.subject()), &payout);
            paid = read + random.between(MINUTE, 6 * MINUTE);
            pay(victim, &payout, paid, out);
            at += self.every + random.between(0, self.every / 5);
        }
        paid
    }
}
