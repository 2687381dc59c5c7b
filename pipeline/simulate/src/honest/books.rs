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
pub(crate) struct Books {
    accounts: BTreeMap<String, Vec<Posting>>,
    /// How many postings there were.
    count: u64,
}

/// One amount on one account.
#[derive(Clone, Copy, Debug)]
struct Posting {
    /// Its place among all postings.
    number: u64,
    at: i64,
    amount: i64,
}

impl Books {
    pub(crate) fn add(&mut self, account: &str, at: i64, amount: i64) {
        self.count += 1;
        let posting = Posting { number: self.count, at, amount };
        if let Some(postings) = self.accounts.get_mut(account) {
            postings.push(posting);
        } else {
            self.accounts.insert(account.to_owned(), vec![posting]);
        }
    }

    /// Where the books stand, for [`Books::undo`] and [`Books::earners_since`].
    pub(crate) fn mark(&self) -> u64 {
        self.count
    }

    /// Takes back what was posted after a mark of the same day.
    pub(crate) fn undo(&mut self, mark: u64) {
        for postings in self.accounts.values_mut() {
            // The last are the newest: only a day's end puts others in their place.
            while postings.pop_if(|posting| posting.number > mark).is_some() {}
        }
    }

    /// What was posted after a mark of the same day on accounts of earners: account, time, amount.
    pub(crate) fn earners_since(&self, mark: u64) -> impl Iterator<Item = (&str, i64, i64)> {
        self.accounts.iter().filter(|(account, _)| account.starts_with(PAYABLE) || account.starts_with(RECEIVABLE)).flat_map(
            move |(account, postings)| {
                let new = postings.iter().filter(move |posting| posting.number > mark);
                new.map(|posting| (account.as_str(), posting.at, posting.amount))
            },
        )
    }

    /// What stands on it at that time.
    pub(crate) fn balance(&self, account: &str, at: i64) -> i64 {
        let postings = self.accounts.get(account).map_or(&[][..], Vec::as_slice);
        postings.iter().filter(|posting| posting.at <= at).map(|posting| posting.amount).sum()
    }

    /// What an earner could be paid at that time, commission on cash deducted; and that commission.
    pub(crate) fn available(&self, person: &Person, at: i64) -> (i64, i64) {
        let debt = self.balance(&receivable(person), at).max(0);
        (-self.balance(&payable(person), at) - debt, debt)
    }

    /// Forgets the single entries of before that time.
    pub(crate) fn fold(&mut self, before: i64) {
        for postings in self.accounts.values_mut() {
            let old = postings.iter().filter(|posting| posting.at < before).map(|posting| posting.amount).sum();
            postings.retain(|posting| posting.at >= before);
            postings.insert(0, Posting { number: 0, at: before - DAY, amount: old });
        }
    }
}

const PAYABLE: &str = "payable:";
const RECEIVABLE: &str = "receivable:";

/// The account of what an earner is owed.
pub(crate) fn payable(person: &Person) -> String {
    format!("{PAYABLE}{}", person.id)
}

/// The account of what a tasker owes for jobs paid in cash.
pub(crate) fn receivable(person: &Person) -> String {
    format!("{RECEIVABLE}{}", person.id)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_was_never_posted() {
        let mut books = Books::default();
        books.add("payable:u_1", DAY, -500);
        books.fold(2 * DAY);
        let mark = books.mark();
        books.add("payable:u_1", 3 * DAY, -70);
        books.add("bank", 3 * DAY, 70);
        let since: Vec<_> = books.earners_since(mark).collect();
        assert_eq!(since, [("payable:u_1", 3 * DAY, -70)], "the bank earns nothing");
        books.undo(mark);
        assert_eq!((books.balance("payable:u_1", 4 * DAY), books.balance("bank", 4 * DAY)), (-500, 0));
        assert_eq!(books.earners_since(mark).count(), 0);
    }
}
