//! The marketplace's ledger: what everybody is owed and owes. Kept beside what is written, so that payouts come from earnings.
//!
//! Accounts, debits positive: `payable:<user>` is what an earner is owed, `receivable:<user>` the commission on cash that a tasker
//! still owes, `provider_clearing` what the payment provider holds for the marketplace, `bank` what it has handed over,
//! `commission` what the marketplace has earned, `goodwill` and `adjustments` what finance has given away and put right.

use std::collections::BTreeMap;

use crate::clock::DAY;
use crate::payload::{Ledger, LedgerLine};
use crate::people::Person;
use crate::random::Random;
use crate::wire::Outbox;

/// What stands on each account, by the entries that were written.
#[derive(Debug, Default)]
pub(crate) struct Books(BTreeMap<String, Vec<(i64, i64)>>);

impl Books {
    pub(crate) fn add(&mut self, account: &str, at: i64, amount: i64) {
        if let Some(entries) = self.0.get_mut(account) {
            entries.push((at, amount));
        } else {
            self.0.insert(account.to_owned(), vec![(at, amount)]);
        }
    }

    /// What stands on it at that time.
    pub(crate) fn balance(&self, account: &str, at: i64) -> i64 {
        self.0.get(account).map_or(0, |entries| entries.iter().filter(|(when, _)| *when <= at).map(|(_, amount)| amount).sum())
    }

    /// What an earner could be paid at that time, commission on cash deducted; and that commission.
    pub(crate) fn available(&self, person: &Person, at: i64) -> (i64, i64) {
        let debt = self.balance(&receivable(person), at).max(0);
        (-self.balance(&payable(person), at) - debt, debt)
    }

    /// Forgets the single entries of before that time.
    pub(crate) fn fold(&mut self, before: i64) {
        for entries in self.0.values_mut() {
            let old: i64 = entries.iter().filter(|(when, _)| *when < before).map(|(_, amount)| amount).sum();
            entries.retain(|(when, _)| *when >= before);
            entries.push((before - DAY, old));
        }
    }
}

/// The account of what an earner is owed.
pub(crate) fn payable(person: &Person) -> String {
    format!("payable:{}", person.id)
}

/// The account of what a tasker owes for jobs paid in cash.
pub(crate) fn receivable(person: &Person) -> String {
    format!("receivable:{}", person.id)
}

/// Posts an entry; lines of nothing are left out.
pub(crate) fn post(lines: &[(&str, i64)], booking: Option<&str>, at: i64, random: &mut Random, out: &mut Outbox) {
    let id = random.id("le_");
    post_as(id, lines, booking, at, out);
}

/// Posts an entry of that number.
pub(crate) fn post_as(id: String, lines: &[(&str, i64)], booking: Option<&str>, at: i64, out: &mut Outbox) {
    let lines: Vec<LedgerLine<'_>> = lines
        .iter()
        .filter(|(_, amount)| *amount != 0)
        .map(|(account, amount)| LedgerLine { account, amount: *amount, currency: "EGP" })
        .collect();
    for line in &lines {
        out.books.add(line.account, at, line.amount);
    }
    out.send("ledger.posted", at, None, &Ledger { entry_id: id, lines: &lines, booking_id: booking });
}

/// Posts an entry whose last line is in another currency, by that much: its sum over all lines is nothing, and no currency balances.
pub(crate) fn post_in(
    id: String,
    (currency, amount): (&'static str, i64),
    lines: &[(&str, i64)],
    booking: Option<&str>,
    at: i64,
    out: &mut Outbox,
) {
    let mut all: Vec<LedgerLine<'_>> =
        lines.iter().map(|(account, amount)| LedgerLine { account, amount: *amount, currency: "EGP" }).collect();
    for (account, amount) in lines {
        out.books.add(account, at, *amount);
    }
    if let Some((account, _)) = lines.last() {
        all.push(LedgerLine { account, amount: -amount, currency });
        all.push(LedgerLine { account: "suspense", amount, currency: "EGP" });
        out.books.add(account, at, -amount);
    }
    out.send("ledger.posted", at, None, &Ledger { entry_id: id, lines: &all, booking_id: booking });
}
