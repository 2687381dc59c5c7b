//! Cash and the ledger: receipts of old phones and of places without a network, debts, and what finance puts right. How often:
//! assumptions, so that an ordinary week has some of each.

use super::Often::{ADay, PerThousand};
use super::Tale;
use super::money::{POUND, accused, client_of, deal, enter, neighbours, price};
use crate::clock::{HOUR, MINUTE, SECOND};
use crate::honest::books::{payable, post, receivable};
use crate::honest::payment::{COMMISSION, payment};
use crate::payload::Payment;
use crate::people::Person;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "offline_receipts",
        doc: "A tasker works where there is no network: signed receipts come hours late, all at once.",
        often: PerThousand(0.5), // Assumption.
        stage: offline,
    },
    Tale {
        word: "old_app_receipts",
        doc: "A tasker's old app signs with a key that has run out, or not at all; the clients have paid.",
        often: PerThousand(0.5), // Assumption: one tasker in two hundred has not updated.
        stage: old_app,
    },
    Tale {
        word: "cash_quarrel",
        doc: "Client and tasker each remember another sum; support looks at it, and the client gets a part back.",
        often: PerThousand(0.5), // Assumption: cash disputes are common here.
        stage: quarrel,
    },
    Tale {
        word: "commission_debt",
        doc: "A tasker of cash jobs pays the commission that is owed with a card of his own.",
        often: PerThousand(0.6), // Assumption.
        stage: debt,
    },
    Tale {
        word: "finance_closing",
        doc: "Finance closes the month or the week: many adjustments in a row, each of which balances.",
        often: ADay(0.25), // Assumption: the month's end and weekly reconciliations.
        stage: closing,
    },
    Tale {
        word: "correction",
        doc: "A wrong entry is turned round and posted as it should be: three entries for one booking, which balance.",
        often: PerThousand(0.4), // Assumption.
        stage: correction,
    },
    Tale {
        word: "slow_ledger",
        doc: "The ledger was down: captures are posted an hour or two late, all at once.",
        often: ADay(0.3), // Assumption: twice a week.
        stage: slow_ledger,
    },
    Tale {
        word: "split_entry",
        doc: "Commission and pay of one job are posted as two entries, minutes apart, each of which balances.",
        often: PerThousand(0.5), // Assumption.
        stage: split_entry,
    },
];

fn offline(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let tasker = scene.somebody(&population.taskers)?;
    let count = scene.random.between(2, 4);
    let online = scene.start + (count * 90 + scene.random.between(20, 200)) * MINUTE;
    let mut clients: Vec<&Person> = Vec::new();
    for job in 0..count {
        let client = client_of(scene, tasker)?;
        let random = &mut scene.random;
        let one = deal(client, tasker, price(random), "cash", random);
        let done = one.work(scene.start + job * 85 * MINUTE, random.between(25, 60) * MINUTE, random, out);
        let confirmed = Payment { receipt_signature_valid: Some(true), ..one.paid().payment() };
        let received = online + random.between(0, 20 * SECOND);
        out.relay("payment.cash_confirmed", done + random.between(MINUTE, 4 * MINUTE), received, Some(client.subject()), &confirmed);
        let commission = one.price * COMMISSION / 100;
        let lines = [(&*receivable(tasker), commission), ("commission", -commission)];
        post(&lines, Some(&one.booking), received + SECOND, random, out);
        clients.push(client);
    }
    Some(accused(tasker, clients))
}

fn old_app(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let tasker = scene.somebody(&population.taskers)?;
    let signature = scene.random.chance(0.5).then_some(false);
    let mut clients: Vec<&Person> = Vec::new();
    for job in 0..scene.random.between(1, 4) {
        let client = client_of(scene, tasker)?;
        let random = &mut scene.random;
        let one = deal(client, tasker, price(random), "cash", random);
        let done = one.work(scene.start + job * 110 * MINUTE, random.between(25, 80) * MINUTE, random, out);
        one.paid().cash(signature, done + random.between(MINUTE, 9 * MINUTE), random, out);
        clients.push(client);
    }
    Some(accused(tasker, clients))
}

fn quarrel(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let job = deal(client, tasker, price(random), "cash", random);
    let done = job.play(scene.start, random.between(30, 120) * MINUTE, random, out);
    let asked = done + random.between(10 * MINUTE, 4 * HOUR);
    enter(client, asked - 2 * MINUTE, out);
    job.take("booking.disputed", asked - 20 * SECOND, "client", None, out);
    job.paid().refund(job.price * random.between(1, 6) / 10, "overcharged", asked, random, out);
    Some(accused(client, [tasker]))
}

fn debt(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let debts = |person: &&Person| out.books.balance(&receivable(person), scene.start + 48 * HOUR) > 40 * POUND;
    let owing: Vec<&Person> = population.taskers.iter().filter(debts).collect();
    if owing.is_empty() {
        return None;
    }
    let random = &mut scene.random;
    let tasker = *random.pick(&owing);
    let owed = out.books.balance(&receivable(tasker), scene.start);
    if owed < 20 * POUND {
        return None;
    }
    enter(tasker, scene.start - MINUTE, out);
    let id = random.id("p_");
    let paid = Payment { reason: Some("commission_debt"), ..payment(tasker, &id, owed, "card") };
    out.send("payment.authorized", scene.start, Some(tasker.subject()), &paid);
    out.send("payment.captured", scene.start + 3 * SECOND, Some(tasker.subject()), &paid);
    post(&[("provider_clearing", owed), (&*receivable(tasker), -owed)], None, scene.start + 5 * SECOND, random, out);
    Some(accused(tasker, []))
}

fn closing(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    if population.taskers.is_empty() {
        return None;
    }
    let random = &mut scene.random;
    let mut at = scene.start;
    let mut accounts = Vec::new();
    for _ in 0..random.between(15, 60) {
        let amount = random.between(-900, 1_500) * 25;
        if amount == 0 {
            continue;
        }
        let person = population.taskers.get(usize::try_from(random.below(population.taskers.len() as u64)).unwrap_or_default());
        match (random.below(4), person) {
            (0, Some(person)) => {
                // A small claim is settled in the earner's favour.
                let amount = amount.abs();
                post(&[("adjustments", amount), (&*payable(person), -amount)], None, at, random, out);
                accounts.push(format!("account:payable:{}", person.id));
            }
            (1, _) => post(&[("commission", amount), ("adjustments", -amount)], None, at, random, out),
            (2, _) => {
                let tax = amount * 14 / 100;
                post(&[("commission", amount), ("tax_payable", -tax), ("adjustments", tax - amount)], None, at, random, out);
            }
            _ => post(&[("provider_fees", amount), ("adjustments", -amount)], None, at, random, out),
        }
        at += random.between(SECOND, 90 * SECOND);
    }
    accounts.extend(["account:commission".to_owned(), "account:provider_fees".to_owned(), "account:tax_payable".to_owned()]);
    Some(Cast { entity: "account:adjustments".to_owned(), also: accounts })
}

fn correction(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let job = deal(client, tasker, price(random), "card", random);
    let done = job.work(scene.start, random.between(30, 90) * MINUTE, random, out) + 2 * MINUTE;
    job.paid().capture(done, out);
    let owed = payable(tasker);
    let booking = Some(job.booking.as_str());
    let wrong = job.price * 20 / 100;
    let lines = |commission: i64| [("provider_clearing", job.price), ("commission", -commission), (&*owed, commission - job.price)];
    post(&lines(wrong), booking, done + SECOND, random, out);
    let later = done + random.between(HOUR, 9 * HOUR);
    post(&lines(wrong).map(|(account, amount)| (account, -amount)), booking, later, random, out);
    post(&lines(job.price * COMMISSION / 100), booking, later + random.between(SECOND, MINUTE), random, out);
    let mut cast = accused(tasker, [client]);
    cast.also.extend([format!("booking:{}", job.booking), format!("account:{owed}")]);
    Some(cast)
}

fn slow_ledger(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let mut people: Vec<&Person> = Vec::new();
    let mut also = Vec::new();
    let up = scene.start + scene.random.between(100, 200) * MINUTE;
    for _ in 0..scene.random.between(4, 12) {
        let (client, tasker) = neighbours(scene)?;
        let random = &mut scene.random;
        let job = deal(client, tasker, price(random), "card", random);
        let done = job.work(scene.start + random.between(0, 50 * MINUTE), random.between(20, 40) * MINUTE, random, out);
        job.paid().capture(done + MINUTE, out);
        job.paid().book(up.max(done + 2 * MINUTE) + random.between(0, 40 * SECOND), random, out);
        also.extend([format!("booking:{}", job.booking), format!("payment:{}", job.payment)]);
        people.push(tasker);
    }
    let mut cast = accused(people.first()?, people.iter().copied());
    cast.also.extend(also);
    Some(cast)
}

fn split_entry(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (client, tasker) = neighbours(scene)?;
    let random = &mut scene.random;
    let job = deal(client, tasker, price(random), "wallet", random);
    let done = job.work(scene.start, random.between(30, 90) * MINUTE, random, out) + 2 * MINUTE;
    job.paid().capture(done, out);
    let commission = job.price * COMMISSION / 100;
    let owed = payable(tasker);
    let booking = Some(job.booking.as_str());
    post(&[("provider_clearing", job.price), (&*owed, -job.price)], booking, done + SECOND, random, out);
    post(&[(&*owed, commission), ("commission", -commission)], booking, done + random.between(MINUTE, 30 * MINUTE), random, out);
    let mut cast = accused(tasker, [client]);
    cast.also.extend([format!("booking:{}", job.booking), format!("account:{owed}")]);
    Some(cast)
}
