//! Payouts that look wrong and are not: people are paid what they have earned, in their own way. How often: assumptions, so that an
//! ordinary week has a few of each.

use super::Often::{ADay, PerThousand};
use super::Tale;
use super::money::{POUND, accused, client_of, deal, earner, enter, newcomer, paid_out, papers, price};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::books::{payable, post};
use crate::honest::payment::{asked_for_code, pay, request};
use crate::payload::{CredentialChanged, Payment};
use crate::people::Role;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "split_payout",
        doc: "Earnings are taken in pieces of one sum: a mobile wallet takes only so much at once.",
        often: PerThousand(0.6), // Assumption: a tasker in forty a month.
        stage: split,
    },
    Tale {
        word: "month_end_payouts",
        doc: "Finance pays many earners within minutes, at the month's end and before feasts.",
        often: ADay(0.3), // Assumption: twice a week.
        stage: batch,
    },
    Tale {
        word: "own_payout_account",
        doc: "An owner enters a new payout account on the usual phone and line, and is paid the same day.",
        often: PerThousand(0.5), // Assumption: every earner once in ten months.
        stage: own_account,
    },
    Tale {
        word: "new_phone_new_wallet",
        doc: "A new phone comes with a new wallet: the owner logs in with a code at home, enters it, and is paid.",
        often: PerThousand(0.2), // Assumption: phones last for years, and one in ten changes of wallet is with one.
        stage: new_phone,
    },
    Tale {
        word: "full_withdrawal",
        doc: "Somebody takes everything to the piastre, outside the weekly day: rent, a wedding, the last day here.",
        often: PerThousand(0.6), // Assumption.
        stage: everything,
    },
    Tale {
        word: "good_newcomer",
        doc: "A newcomer with a trade and many friends earns thousands in the first days, and takes them.",
        often: PerThousand(0.4), // Assumption: five a week.
        stage: good_newcomer,
    },
    Tale {
        word: "good_week",
        doc: "A tasker whom everybody recommends works from morning to night for three days, and takes what it brought.",
        often: PerThousand(0.4), // Assumption: five a week.
        stage: good_week,
    },
    Tale {
        word: "payout_retries",
        doc: "The provider times out again and again; the app and its owner ask anew, and one payout is paid.",
        often: PerThousand(0.6), // Assumption: the provider's bad evenings.
        stage: retries,
    },
    Tale {
        word: "double_tap",
        doc: "A payout is asked for twice in a second; the second is refused as a duplicate.",
        often: PerThousand(0.5), // Assumption.
        stage: double_tap,
    },
    Tale {
        word: "payout_told_twice",
        doc: "The provider tells twice of one payout, under one payment's number.",
        often: PerThousand(0.4), // Assumption.
        stage: told_twice,
    },
    Tale {
        word: "daily_cash_out",
        doc: "Somebody who lives from day to day takes each evening what the day has brought.",
        often: PerThousand(0.8), // Assumption: common among drivers.
        stage: daily,
    },
    Tale {
        word: "bonus_payout",
        doc: "Marketing's bonus or a settled claim is paid out: more than the jobs have brought.",
        often: PerThousand(0.5), // Assumption.
        stage: bonus,
    },
    Tale {
        word: "family_wallet",
        doc: "Brothers who work here have one wallet, or a village its kiosk's.",
        often: PerThousand(0.3), // Assumption.
        stage: family_wallet,
    },
    Tale {
        word: "kyc_then_payout",
        doc: "A newcomer of a basic check shows the missing paper, and then takes what had to wait.",
        often: PerThousand(0.25), // Assumption.
        stage: checked,
    },
    Tale {
        word: "dear_job_paid_out",
        doc: "A renovation of several thousand pounds is paid by card and taken out the same evening.",
        often: PerThousand(0.4), // Assumption: one job in some hundred.
        stage: dear_job,
    },
];

fn split(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let pieces = scene.random.between(2, 4);
    let (payee, owed) = earner(scene, 900 * POUND, out)?;
    let random = &mut scene.random;
    // Whole hundreds, less the wallet's fee: often just under a round sum.
    let piece = owed / pieces / 10_000 * 10_000 - if random.chance(0.5) { random.between(1, 10) * 100 } else { 0 };
    let mut at = scene.start;
    enter(payee, at - MINUTE, out);
    for _ in 0..pieces {
        at = paid_out(payee, piece, at, random, out) + random.between(MINUTE, 90 * MINUTE);
    }
    Some(accused(payee, []))
}

fn batch(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let mut people = Vec::new();
    for _ in 0..scene.random.between(8, 25) {
        let Some((payee, owed)) = earner(scene, 100 * POUND, out) else { continue };
        if people.iter().any(|(other, _): &(&crate::people::Person, i64)| other.number == payee.number) {
            continue;
        }
        let at = scene.start + scene.random.between(0, 8 * MINUTE);
        paid_out(payee, owed, at, &mut scene.random, out);
        people.push((payee, owed));
    }
    let (first, _) = *people.first()?;
    Some(accused(first, people.iter().map(|(person, _)| *person)))
}

fn own_account(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, owed) = earner(scene, 300 * POUND, out)?;
    let random = &mut scene.random;
    let mut owner = payee.clone();
    owner.payout_account = random.id("wallet_");
    let at = scene.start;
    enter(payee, at - 2 * MINUTE, out);
    let changed =
        CredentialChanged { user_id: &payee.id, device_id: payee.device(), what: "payout_account", ip: Some(&payee.home_line.ip) };
    out.send("auth.credential_changed", at, Some(payee.subject()), &changed);
    let later = at + random.between(10 * MINUTE, 5 * HOUR);
    paid_out(&owner, owed / 500 * 500, later, random, out);
    Some(accused(&owner, [payee]))
}

fn new_phone(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, owed) = earner(scene, 300 * POUND, out)?;
    let random = &mut scene.random;
    let mut owner = payee.clone();
    (owner.payout_account, owner.devices) = (random.id("wallet_"), vec![random.id("d_")]);
    let at = scene.start;
    let otp = auth::otp(&owner, owner.device(), &owner.home_line, "login");
    out.send("auth.otp_requested", at, Some(format!("phone:{}", owner.phone)), &otp);
    out.send("auth.otp_verified", at + 20 * SECOND, Some(format!("phone:{}", owner.phone)), &otp);
    auth::bind(&owner, owner.device(), false, at + 21 * SECOND, out);
    auth::login(&owner, owner.device(), &owner.home_line, "otp", at + 22 * SECOND, out);
    let changed =
        CredentialChanged { user_id: &owner.id, device_id: owner.device(), what: "payout_account", ip: Some(&owner.home_line.ip) };
    let entered = at + random.between(3 * MINUTE, 90 * MINUTE);
    out.send("auth.credential_changed", entered, Some(owner.subject()), &changed);
    let later = entered + random.between(10 * MINUTE, 8 * HOUR);
    paid_out(&owner, owed / 500 * 500, later, random, out);
    Some(accused(&owner, [payee]))
}

fn everything(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, owed) = earner(scene, 600 * POUND, out)?;
    enter(payee, scene.start - MINUTE, out);
    paid_out(payee, owed, scene.start, &mut scene.random, out);
    Some(accused(payee, []))
}

fn good_newcomer(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let payee = newcomer(scene, Role::Tasker, out);
    let document = scene.random.id("doc_");
    papers(&payee, "full", &document, scene.start + scene.random.between(10, 90) * MINUTE, out);
    if scene.random.chance(0.3) {
        // Assumption: marketing welcomes three newcomers in ten.
        let (at, gift) = (scene.start + 3 * HOUR, scene.random.between(4, 12) * 5_000);
        post(&[("promotions", gift), (&*payable(&payee), -gift)], None, at, &mut scene.random, out);
    }
    let days = scene.random.between(1, 3);
    let mut last = scene.start;
    for day in 0..=days {
        for job in 0..scene.random.between(1, 3) {
            let client = client_of(scene, &payee)?;
            let random = &mut scene.random;
            let at = scene.start + day * DAY + (2 + job * 3) * HOUR + random.between(0, HOUR);
            let method = *random.pick(&["card", "card", "wallet", "cash"]);
            let price = price(random) + random.between(0, 100) * 500;
            let work = random.between(40 * MINUTE, 2 * HOUR);
            last = last.max(deal(client, &payee, price, method, random).play(at, work, random, out));
        }
    }
    let at = last + scene.random.between(30 * MINUTE, 10 * HOUR);
    let (owed, _) = out.books.available(&payee, at);
    if owed < 100 * POUND {
        return None;
    }
    enter(&payee, at - MINUTE, out);
    let random = &mut scene.random;
    if random.chance(0.4) {
        let later = at + random.between(HOUR, 6 * HOUR);
        paid_out(&payee, owed / 2, at, random, out);
        paid_out(&payee, owed - owed / 2, later, random, out);
    } else {
        paid_out(&payee, owed, at, random, out);
    }
    Some(accused(&payee, []))
}

fn good_week(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, _) = earner(scene, 100 * POUND, out)?;
    let mut last = scene.start;
    for day in 0..scene.random.between(1, 3) {
        for job in 0..scene.random.between(3, 5) {
            let client = client_of(scene, payee)?;
            let random = &mut scene.random;
            let at = scene.start + day * DAY + job * 150 * MINUTE + random.between(0, 40 * MINUTE);
            let method = *random.pick(&["card", "wallet", "cash"]);
            let work = random.between(30 * MINUTE, 100 * MINUTE);
            last = last.max(deal(client, payee, price(random), method, random).play(at, work, random, out));
        }
    }
    // The same evening: what comes on a later day is the weekly payout's.
    if last < scene.start + 16 * HOUR {
        let at = last + scene.random.between(20 * MINUTE, 5 * HOUR);
        let (owed, _) = out.books.available(payee, at);
        enter(payee, at - MINUTE, out);
        paid_out(payee, owed, at, &mut scene.random, out);
    }
    Some(accused(payee, []))
}

fn retries(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, owed) = earner(scene, 400 * POUND, out)?;
    let random = &mut scene.random;
    let mut at = scene.start;
    enter(payee, at - MINUTE, out);
    asked_for_code(payee, at, random, out);
    let mut id = random.id("p_");
    for _ in 0..random.between(2, 7) {
        let asked = request(payee, &id, owed, at, out);
        out.send("payment.payout_requested", at, Some(payee.subject()), &asked);
        let reason = *random.pick(&["provider_timeout", "provider_timeout", "provider_unavailable", "wallet_limit"]);
        let failed = Payment { reason: Some(reason), operation: Some("payout"), balance_after: None, ..asked };
        out.send("payment.failed", at + random.between(4 * SECOND, 60 * SECOND), Some(payee.subject()), &failed);
        at += random.between(90 * SECOND, 25 * MINUTE);
        if random.chance(0.6) {
            id = random.id("p_");
        }
    }
    let asked = request(payee, &id, owed, at, out);
    out.send("payment.payout_requested", at, Some(payee.subject()), &asked);
    pay(payee, &asked, at + random.between(MINUTE, 30 * MINUTE), out);
    Some(accused(payee, []))
}

fn double_tap(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, owed) = earner(scene, 300 * POUND, out)?;
    let random = &mut scene.random;
    let at = scene.start;
    paid_out(payee, owed, at, random, out);
    let id = random.id("p_");
    let again = at + random.between(80, 1_400);
    let asked = Payment { balance_after: None, ..request(payee, &id, owed, at, out) };
    out.send("payment.payout_requested", again, Some(payee.subject()), &asked);
    let failed = Payment { reason: Some("duplicate"), operation: Some("payout"), ..asked };
    out.send("payment.failed", again + random.between(20, 900), Some(payee.subject()), &failed);
    Some(accused(payee, []))
}

fn told_twice(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, owed) = earner(scene, 300 * POUND, out)?;
    let random = &mut scene.random;
    let id = random.id("p_");
    asked_for_code(payee, scene.start, random, out);
    let asked = request(payee, &id, owed, scene.start, out);
    out.send("payment.payout_requested", scene.start, Some(payee.subject()), &asked);
    let paid = scene.start + random.between(2 * MINUTE, 20 * MINUTE);
    pay(payee, &asked, paid, out);
    for _ in 0..random.between(1, 2) {
        out.send("payment.payout_paid", paid + random.between(20 * SECOND, 50 * MINUTE), Some(payee.subject()), &asked);
    }
    Some(accused(payee, []))
}

fn daily(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, owed) = earner(scene, 150 * POUND, out)?;
    let population = scene.population;
    let random = &mut scene.random;
    let mut last = scene.start;
    let mut earned = 0;
    for job in 0..random.between(1, 3) {
        let client = population.clients.iter().find(|client| client.city == payee.city && random.chance(0.05))?;
        let one = deal(client, payee, random.between(30, 160) * 500, "card", random);
        earned += one.price * 88 / 100;
        last = last.max(one.play(scene.start + job * 70 * MINUTE, random.between(20, 50) * MINUTE, random, out));
    }
    let at = last + random.between(15 * MINUTE, 3 * HOUR);
    enter(payee, at - MINUTE, out);
    let amount = if random.chance(0.5) { earned } else { earned + owed } / 100 * 100;
    paid_out(payee, amount, at, random, out);
    Some(accused(payee, []))
}

fn bonus(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, owed) = earner(scene, 200 * POUND, out)?;
    let random = &mut scene.random;
    let amount = random.between(5, 30) * 5_000;
    let from = *random.pick(&["promotions", "promotions", "goodwill", "adjustments"]);
    post(&[(from, amount), (&*payable(payee), -amount)], None, scene.start, random, out);
    let at = scene.start + random.between(20 * MINUTE, 5 * HOUR);
    enter(payee, at - MINUTE, out);
    paid_out(payee, owed + amount, at, random, out);
    Some(accused(payee, []))
}

fn family_wallet(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let wallet = scene.random.id("wallet_");
    let mut people: Vec<crate::people::Person> = Vec::new();
    for brother in 0..scene.random.between(2, 3) {
        let (payee, owed) = earner(scene, 150 * POUND, out)?;
        if people.iter().any(|other| other.number == payee.number) {
            continue;
        }
        let mut payee = payee.clone();
        payee.payout_account.clone_from(&wallet);
        let at = scene.start + brother * scene.random.between(10, 100) * MINUTE;
        paid_out(&payee, owed / 100 * 100, at, &mut scene.random, out);
        people.push(payee);
    }
    let mut cast = accused(people.first()?, &people);
    cast.entity = format!("instrument:{wallet}");
    Some(cast)
}

fn checked(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let payee = newcomer(scene, Role::Tasker, out);
    let document = scene.random.id("doc_");
    let basic = scene.start + scene.random.between(5, 60) * MINUTE;
    papers(&payee, "basic", &document, basic, out);
    let mut last = basic;
    for job in 0..scene.random.between(2, 4) {
        let client = client_of(scene, &payee)?;
        let random = &mut scene.random;
        let one = deal(client, &payee, random.between(200, 460) * 500, "card", random);
        last = one.play(scene.start + (2 + job * 4) * HOUR, random.between(40, 140) * MINUTE, random, out);
    }
    let random = &mut scene.random;
    if random.chance(0.5) {
        // A first part that the basic check allows.
        last = paid_out(&payee, random.between(2, 12) * 100 * POUND, last + 20 * MINUTE, random, out);
    }
    let full = last + random.between(30 * MINUTE, 8 * HOUR);
    papers(&payee, "full", &document, full, out);
    let at = full + random.between(5 * MINUTE, 2 * HOUR);
    let (owed, _) = out.books.available(&payee, at);
    paid_out(&payee, owed, at, random, out);
    Some(accused(&payee, []))
}

fn dear_job(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (payee, _) = earner(scene, 0, out)?;
    let client = client_of(scene, payee)?;
    let random = &mut scene.random;
    let job = deal(client, payee, random.between(500, 1_800) * 500, "card", random);
    let done = job.play(scene.start, random.between(3 * HOUR, 7 * HOUR), random, out);
    let at = done + random.between(20 * MINUTE, 4 * HOUR);
    enter(payee, at - MINUTE, out);
    paid_out(payee, job.price * 88 / 100 / 100 * 100, at, random, out);
    Some(accused(payee, []))
}
