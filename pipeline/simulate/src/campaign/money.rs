//! What the families of money have in common: attackers' accounts, the jobs that fill them, and the payouts that empty them.

use crate::campaign::CAST;
use crate::clock::{DAY, HOUR, MINUTE, SECOND, cairo_hour};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::honest::payment::{pay, request, stepped_up};
use crate::payload::KycChanged;
use crate::people::{Person, Role};
use crate::places::Network;
use crate::random::Random;
use crate::scenario::Level;
use crate::scene::Scene;
use crate::wire::Outbox;

/// Piastres in a pound.
pub(super) const POUND: i64 = 100;

/// An account that the attacker made so many days before, or bought.
pub(super) fn known(scene: &mut Scene<'_>, role: Role, days: i64) -> Person {
    let mut person = scene.hire(role);
    person.created_at = scene.start - days * DAY - scene.random.between(0, DAY - 1);
    person
}

/// An account that the attacker makes now: a code, the account, its device, a first login. Takes half a minute.
pub(super) fn join(scene: &mut Scene<'_>, role: Role, device: Option<&str>, line: &Network, at: i64, out: &mut Outbox) -> Person {
    let mut person = scene.hire(role);
    if let Some(device) = device {
        person.devices = vec![device.to_owned()];
    }
    person.home_line = line.clone();
    let verified = at + scene.random.between(9 * SECOND, 25 * SECOND);
    person.created_at = verified + SECOND;
    let otp = auth::otp(&person, person.device(), line, "signup");
    out.send("auth.otp_requested", at, Some(format!("phone:{}", person.phone)), &otp);
    out.send("auth.otp_verified", verified, Some(format!("phone:{}", person.phone)), &otp);
    auth::register(&person, line, verified + SECOND, out);
    auth::login(&person, person.device(), line, "otp", verified + 3 * SECOND, out);
    person
}

/// Papers, bought or made, that pass the check.
pub(super) fn papers(scene: &mut Scene<'_>, person: &Person, level: &'static str, at: i64, out: &mut Outbox) {
    let document = scene.random.id("doc_");
    let changed = KycChanged { user_id: &person.id, level, document_hash: Some(&document) };
    out.send("account.kyc_changed", at, Some(person.subject()), &changed);
}

/// A home line in one of the cities.
pub(super) fn line(scene: &mut Scene<'_>) -> Network {
    let city = crate::places::draw_city(&mut scene.random);
    Network::home(&mut scene.random, city)
}

/// Opens the app at home.
pub(super) fn enter(person: &Person, at: i64, out: &mut Outbox) {
    auth::login(person, person.device(), &person.home_line, "refresh", at, out);
}

/// Careful people are awake when others are: what would be between one and eight in the morning, Cairo's time, is after it.
pub(super) fn waking(scene: &mut Scene<'_>, level: Level, at: i64) -> i64 {
    let hour = cairo_hour(at);
    if level != Level::Careful || !(1..8).contains(&hour) {
        return at;
    }
    at + (8 - hour) * HOUR + scene.random.between(0, 2 * HOUR)
}

/// A job of two people with that price, in whole fives of pounds.
pub(super) fn deal<'a>(client: &'a Person, tasker: &'a Person, price: i64, method: &'static str, random: &mut Random) -> Deal<'a> {
    let mut deal = Deal::new(client, tasker, random);
    (deal.price, deal.method) = ((price / 500 * 500).max(500), method);
    deal
}

/// Everything of those people that an alert may name.
pub(super) fn belongings<'p>(people: impl IntoIterator<Item = &'p Person>) -> Vec<String> {
    let of = |person: &Person| {
        let devices = person.devices.iter().map(|device| format!("device:{device}"));
        let instruments = [&person.card, &person.payout_account].map(|one| format!("instrument:{one}"));
        [format!("user:{}", person.id)].into_iter().chain(devices).chain(instruments).collect::<Vec<_>>()
    };
    people.into_iter().flat_map(of).collect()
}

/// Jobs for the payee that nobody does, by turns paid by those clients; `take` is what they bring together after the commission.
/// Each takes a quarter of an hour and the work. Tells when the last is paid.
pub(super) fn fund(
    scene: &mut Scene<'_>,
    payee: &Person,
    clients: &[Person],
    (count, take): (i64, i64),
    (at, every, work): (i64, i64, i64),
    out: &mut Outbox,
) -> i64 {
    let mut end = at;
    let mut paid = 0;
    for (number, client) in (0..count).zip(clients.iter().cycle()) {
        let random = &mut scene.random;
        let created = at + number * every + random.between(0, every / 4);
        let left = (take - paid) / (count - number);
        let price = if number + 1 == count { left } else { left * random.between(80, 120) / 100 } * 100 / 88 + 500;
        let job = deal(client, payee, price, "card", random);
        paid += job.price * 88 / 100;
        end = end.max(job.play(created, work, random, out) + 5 * MINUTE);
    }
    end
}

/// A payout that is asked for and paid within three minutes. `left` is what the service says is left, where it says so.
pub(super) fn cash_out(payee: &Person, amount: i64, left: Option<i64>, at: i64, random: &mut Random, out: &mut Outbox) -> String {
    let id = random.id("p_");
    let mut asked = request(payee, &id, amount, at, out);
    if payee.number > CAST {
        stepped_up(payee, at, random, out); // whoever took somebody else's account has no code
    }
    asked.balance_after = left;
    asked.device_id = Some(payee.device());
    out.send("payment.payout_requested", at, Some(payee.subject()), &asked);
    pay(payee, &asked, at + random.between(MINUTE, 3 * MINUTE), out);
    id
}

/// What could be paid out to them at that time.
pub(super) fn available(payee: &Person, at: i64, out: &Outbox) -> i64 {
    out.books.available(payee, at).0
}
