//! Money: authorisations, captures, cash, refunds with the staff who approve them, chargebacks, weekly payouts with the
//! provider's errors, and the ledger's entries, which balance.

use crate::Config;
use crate::clock::{MINUTE, SECOND, busy_instant, rfc3339};
use crate::honest::day_number;
use crate::people::{Person, Population};
use crate::random::Random;
use crate::wire::{AdminAction, Ledger, LedgerLine, Outbox, Payment};

/// Staff who approve refunds.
const SUPPORT: [&str; 4] = ["a_support_1", "a_support_2", "a_support_3", "a_support_4"];
/// The marketplace's share, percent.
const COMMISSION: i64 = 12;

pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    let number = day_number(day_start);
    for person in population.taskers.iter().chain(&population.drivers) {
        // Everybody is paid once a week, a seventh of the people each day.
        if person.number % 7 == number % 7 {
            let random = &mut Random::of(config.seed, "payouts", person.number, number);
            let at = busy_instant(random, day_start);
            payout(person, random.between(40, 400) * 1_000, random, at, out);
        }
    }
    let random = &mut Random::of(config.seed, "chargebacks", number, 0);
    for _ in 0..random.about(f64::from(config.clients) * 0.0004) {
        let client = random.pick(&population.clients);
        let (id, original) = (random.id("p_"), random.id("p_"));
        let chargeback =
            Payment { original_payment_id: Some(&original), reason: Some("not_recognised"), ..payment(client, &id, price(random), "card") };
        out.send("payment.chargeback", busy_instant(random, day_start), Some(client.subject()), &chargeback);
    }
}

/// A job's price, piastres: whole fives of pounds, 150 to 2,000.
pub(crate) fn price(random: &mut Random) -> i64 {
    (random.between(30, 120) + if random.chance(0.25) { random.between(40, 280) } else { 0 }) * 500
}

/// What every payment of that person's says.
pub(crate) fn payment<'a>(payer: &'a Person, id: &'a str, amount: i64, method: &'static str) -> Payment<'a> {
    Payment {
        payment_id: id,
        user_id: &payer.id,
        amount,
        currency: "EGP",
        method,
        instrument_id: (method != "cash").then_some(payer.card.as_str()),
        device_id: Some(payer.device()),
        account_created_at: Some(rfc3339(payer.created_at)),
        provider: (method != "cash").then_some("wallet_eg"),
        ..Payment::default()
    }
}

/// One payment of a booking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paid<'a> {
    pub(crate) client: &'a Person,
    pub(crate) tasker: &'a Person,
    pub(crate) booking: &'a str,
    pub(crate) id: &'a str,
    pub(crate) amount: i64,
    pub(crate) method: &'static str,
}

impl<'a> Paid<'a> {
    fn payment(&self) -> Payment<'a> {
        Payment {
            counterparty_id: Some(&self.tasker.id),
            booking_id: Some(self.booking),
            ..payment(self.client, self.id, self.amount, self.method)
        }
    }

    /// The amount is set aside. Cards are refused sometimes, and tried again.
    pub(crate) fn authorize(&self, at: i64, random: &mut Random, out: &mut Outbox) {
        if random.chance(0.05) {
            let failed = Payment { reason: Some("declined"), ..self.payment() };
            out.send("payment.failed", at - random.between(30 * SECOND, 4 * MINUTE), Some(self.client.subject()), &failed);
        }
        out.send("payment.authorized", at, Some(self.client.subject()), &self.payment());
    }

    /// The amount is taken, or both sides confirm that cash changed hands; the ledger follows.
    pub(crate) fn settle(&self, at: i64, random: &mut Random, out: &mut Outbox) {
        if self.method == "cash" {
            let confirmed = Payment { receipt_signature_valid: Some(true), ..self.payment() };
            out.send("payment.cash_confirmed", at, Some(self.client.subject()), &confirmed);
        } else {
            out.send("payment.captured", at, Some(self.client.subject()), &self.payment());
        }
        let commission = self.amount * COMMISSION / 100;
        let line = |account, amount| LedgerLine { account, amount, currency: "EGP" };
        let cash = [line("tasker_receivable", commission), line("commission", -commission)];
        let clearing =
            [line("provider_clearing", self.amount), line("commission", -commission), line("tasker_payable", commission - self.amount)];
        let lines: &[LedgerLine<'_>] = if self.method == "cash" { &cash } else { &clearing };
        let entry = Ledger { entry_id: random.id("le_"), lines, booking_id: Some(self.booking) };
        out.send("ledger.posted", at + random.between(100, 2_000), None, &entry);
    }

    /// The client wants money back; support approves with a ticket, and it goes back.
    pub(crate) fn refund(&self, amount: i64, reason: &'static str, at: i64, random: &mut Random, out: &mut Outbox) -> i64 {
        let admin = *random.pick(&SUPPORT);
        let id = random.id("p_");
        let mut refund = Payment { original_payment_id: Some(self.id), reason: Some(reason), amount, payment_id: &id, ..self.payment() };
        out.send("payment.refund_requested", at, Some(self.client.subject()), &refund);
        let approved = at + random.between(3 * MINUTE, 25 * MINUTE);
        let action = AdminAction {
            actor_id: admin,
            action: "refund_approve",
            target: self.booking,
            ip: "198.19.0.250",
            mfa: true,
            reason_code: Some("client_claim"),
            ticket: Some(format!("T-{}", random.between(10_000, 99_999))),
            amount: Some(amount),
        };
        out.send("admin.action", approved, Some(format!("admin:{admin}")), &action);
        refund.approved_by = Some(admin);
        let issued = approved + random.between(2 * SECOND, 40 * SECOND);
        out.send("payment.refund_issued", issued, Some(self.client.subject()), &refund);
        issued
    }
}

/// Somebody asks for their earnings. The provider fails now and then, and people try again.
pub(crate) fn payout(payee: &Person, amount: i64, random: &mut Random, at: i64, out: &mut Outbox) {
    let mut at = at;
    for attempt in 0..5 {
        let id = random.id("p_");
        let mut request = payment(payee, &id, amount, "wallet");
        request.instrument_id = Some(&payee.payout_account);
        out.send("payment.payout_requested", at, Some(payee.subject()), &request);
        if random.chance(if attempt == 0 { 0.06 } else { 0.2 }) {
            request.reason = Some("provider_timeout");
            out.send("payment.failed", at + random.between(5 * SECOND, 40 * SECOND), Some(payee.subject()), &request);
            at += random.between(2 * MINUTE, 20 * MINUTE);
        } else {
            out.send("payment.payout_paid", at + random.between(2 * MINUTE, 50 * MINUTE), Some(payee.subject()), &request);
            return;
        }
    }
}
