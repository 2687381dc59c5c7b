//! What the honest stories of money have in common: earners who have something to be paid, and their payouts.

use crate::clock::{DAY, MINUTE};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::honest::day_number;
use crate::honest::payment::{asked_for_code, pay, pay_day, request, standing};
use crate::payload::KycChanged;
use crate::people::{Person, Role};
use crate::random::Random;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

/// Piastres in a pound.
pub(super) const POUND: i64 = 100;

/// Somebody who is owed that much at least and is not paid today or tomorrow anyway; and how much can be paid out.
pub(super) fn earner<'p>(scene: &mut Scene<'p>, least: i64, out: &Outbox) -> Option<(&'p Person, i64)> {
    let population = scene.population;
    let today = day_number(scene.start - (scene.start - scene.config.start_ms).rem_euclid(DAY));
    let earners: Vec<&Person> = population.taskers.iter().chain(&population.drivers).collect();
    if earners.is_empty() {
        return None;
    }
    (0..80).find_map(|_| {
        let person = *scene.random.pick(&earners);
        let owed = standing(person, scene.start, out);
        (owed >= least && !pay_day(person, today) && !pay_day(person, today + 1)).then_some((person, owed))
    })
}

/// A payout that is asked for, and paid within the hour; tells when.
pub(super) fn paid_out(payee: &Person, amount: i64, at: i64, random: &mut Random, out: &mut Outbox) -> i64 {
    let id = random.id("p_");
    let (owed, _) = out.books.available(payee, at);
    let amount = amount.min(owed.max(10 * POUND));
    asked_for_code(payee, at, random, out);
    let asked = request(payee, &id, amount, at, out);
    out.send("payment.payout_requested", at, Some(payee.subject()), &asked);
    let paid = at + random.between(2 * MINUTE, 40 * MINUTE);
    pay(payee, &asked, paid, out);
    paid
}

/// Opens the app at home.
pub(super) fn enter(person: &Person, at: i64, out: &mut Outbox) {
    auth::login(person, person.device(), &person.home_line, "refresh", at, out);
}

/// A newcomer of the day, whose account is made now.
pub(super) fn newcomer(scene: &mut Scene<'_>, role: Role, out: &mut Outbox) -> Person {
    let mut person = scene.hire(role);
    person.created_at = scene.start;
    let line = person.home_line.clone();
    let otp = auth::otp(&person, person.device(), &line, "signup");
    let phone = || Some(format!("phone:{}", person.phone));
    out.send("auth.otp_requested", scene.start - MINUTE, phone(), &otp);
    out.send("auth.otp_verified", scene.start - MINUTE / 2, phone(), &otp);
    auth::register(&person, &line, scene.start, out);
    auth::login(&person, person.device(), &line, "otp", scene.start + 2_000, out);
    person
}

/// The papers of a newcomer are looked at.
pub(super) fn papers(person: &Person, level: &'static str, document: &str, at: i64, out: &mut Outbox) {
    let changed = KycChanged { user_id: &person.id, level, document_hash: Some(document) };
    out.send("account.kyc_changed", at, Some(person.subject()), &changed);
}

/// A job of two people with that price, in whole fives of pounds.
pub(super) fn deal<'a>(client: &'a Person, tasker: &'a Person, price: i64, method: &'static str, random: &mut Random) -> Deal<'a> {
    let mut deal = Deal::new(client, tasker, random);
    (deal.price, deal.method) = (price / 500 * 500, method);
    deal
}

/// A tasker, and a client of the same city.
pub(super) fn neighbours<'p>(scene: &mut Scene<'p>) -> Option<(&'p Person, &'p Person)> {
    let population = scene.population;
    let tasker = scene.somebody(&population.taskers)?;
    let client = client_of(scene, tasker)?;
    Some((client, tasker))
}

/// A client of a tasker's city.
pub(super) fn client_of<'p>(scene: &mut Scene<'p>, tasker: &Person) -> Option<&'p Person> {
    let population = scene.population;
    (0..40).find_map(|_| scene.somebody(&population.clients).filter(|client| client.city == tasker.city))
}

/// A price as jobs have it.
pub(super) fn price(random: &mut Random) -> i64 {
    crate::honest::payment::price(random)
}

/// Who might be accused: one person, and what is theirs.
pub(super) fn accused<'p>(first: &Person, others: impl IntoIterator<Item = &'p Person>) -> Cast {
    let of = |person: &Person| {
        vec![
            format!("user:{}", person.id),
            format!("device:{}", person.device()),
            format!("instrument:{}", person.card),
            format!("instrument:{}", person.payout_account),
        ]
    };
    let also = of(first).into_iter().chain(others.into_iter().flat_map(of)).collect();
    Cast { entity: format!("user:{}", first.id), also }
}
