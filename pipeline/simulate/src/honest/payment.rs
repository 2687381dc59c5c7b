//! Money: authorisations, captures, cash, tips, refunds with the staff who approve them, chargebacks, weekly payouts of what was
//! earned with the provider's errors, and the ledger's entries, which balance.

use crate::Config;
use crate::clock::{DAY, HOUR, MINUTE, SECOND, busy_instant, rfc3339};
use crate::honest::books::{payable, post, receivable};
use crate::honest::{auth, day_number, ops};
use crate::payload::{AdminAction, Payment};
use crate::people::{Person, Population};
use crate::random::{Random, mix};
use crate::wire::Outbox;

/// The marketplace's share, percent.
pub(crate) const COMMISSION: i64 = 12;
/// The least that is paid out, piastres.
const LEAST_PAYOUT: i64 = 5_000;

/// Opens the day's books, before anything of it is written.
pub(crate) fn open(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    if day_start == config.start_ms {
        brought_forward(config, population, out);
    }
    out.books.fold(day_start - DAY);
}

/// The day's payouts, chargebacks and settlement: last of all, because payouts are of what was earned before.
pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    let number = day_number(day_start);
    for person in population.taskers.iter().chain(&population.drivers) {
        // Everybody is paid once a week, a seventh of the people each day.
        if pay_day(person, number) {
            let random = &mut Random::of(config.seed, "payouts", person.number, number);
            let at = busy_instant(random, day_start);
            if out.troubles.is_shut_out(person, at) {
                continue;
            }
            let available = standing(person, at, out);
            // Most take everything, some a round sum, some leave a part for later.
            let amount = match random.weighted(&[60, 22, 18]) {
                0 => available,
                1 => available / 10_000 * 10_000,
                _ => available * random.between(4, 8) / 10 / 500 * 500,
            };
            if amount >= LEAST_PAYOUT {
                asked_for_code(person, at, random, out);
                payout(person, amount, random, at, out);
            }
        }
    }
    let random = &mut Random::of(config.seed, "chargebacks", number, 0);
    for _ in 0..random.about(f64::from(config.clients) * 0.0004) {
        let client = random.pick(&population.clients);
        let original = random.id("p_");
        chargeback(client, &original, price(random), "not_recognised", busy_instant(random, day_start), random, out);
    }
    settlement(config, day_start, out);
}

/// What could be paid out, and is not taken by what is known of the next two days.
pub(crate) fn standing(person: &Person, at: i64, out: &Outbox) -> i64 {
    [0, DAY, 2 * DAY].map(|later| out.books.available(person, at + later).0).into_iter().min().unwrap_or(0)
}

/// Whether it is the day of the week on which somebody is paid.
pub(crate) fn pay_day(person: &Person, day_number: u64) -> bool {
    person.number % 7 == day_number % 7
}

/// What somebody was owed when the simulation began, piastres: what they had earned since their last payout, and what they had
/// left standing. Assumption: 240 EGP a day for taskers, 330 for drivers, as they earn here.
pub(crate) fn opening(config: &Config, person: &Person) -> i64 {
    let random = &mut Random::of(config.seed, "opening", person.number, 0);
    let today = day_number(config.start_ms);
    let since = (1..=7).find(|days| pay_day(person, today.saturating_sub(*days))).unwrap_or(7);
    let age = (config.start_ms - person.created_at).max(0) / DAY;
    let days = i64::try_from(since).unwrap_or(7).min(age);
    let a_day = if person.role == crate::people::Role::Driver { 33_000 } else { 24_000 };
    // Assumption: a fifth leave something standing, and a few have saved for months.
    let left = match random.weighted(&[77, 20, 3]) {
        1 if age > 14 => random.between(50, 900) * 100,
        2 if age > 60 => random.between(2_000, 12_000) * 100,
        _ => 0,
    };
    days * a_day * random.between(30, 170) / 100 + left
}

/// The accounts of the new month are opened with what stood on them: an entry for each earner. Payouts of the first week are of
/// earnings that no event of the simulation tells of.
fn brought_forward(config: &Config, population: &Population, out: &mut Outbox) {
    for person in population.taskers.iter().chain(&population.drivers) {
        let random = &mut Random::of(config.seed, "brought forward", person.number, 0);
        let owed = opening(config, person);
        if owed > 0 {
            let at = config.start_ms + random.between(SECOND, 4 * MINUTE);
            post(&[("brought_forward", owed), (&payable(person), -owed)], None, at, random, out);
        }
    }
}

/// The provider hands over in the morning what it took the day before, less what it paid out and back.
fn settlement(config: &Config, day_start: i64, out: &mut Outbox) {
    let random = &mut Random::of(config.seed, "settlement", day_number(day_start), 0);
    let at = day_start + 7 * HOUR + random.between(0, HOUR);
    let held = out.books.balance("provider_clearing", day_start);
    if held != 0 {
        post(&[("bank", held), ("provider_clearing", -held)], None, at, random, out);
    }
}

/// A job's price, piastres: whole fives of pounds, 150 to 2,000.
pub(crate) fn price(random: &mut Random) -> i64 {
    (random.between(30, 120) + if random.chance(0.25) { random.between(40, 280) } else { 0 }) * 500
}

/// A number that is always the same for a text.
fn hash(text: &str) -> u64 {
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// First digits of cards of Egyptian banks and of others. Made up: ISO/IEC 7812-1 leaves numbers that begin with 9 to national
/// use, behind the country's number, and no card scheme's begin so. Some banks have many more customers than others.
pub(crate) const RANGES: [(&str, &str, u64); 16] = [
    ("98180012", "EG", 22),
    ("98180040", "EG", 16),
    ("981801", "EG", 13),
    ("981802", "EG", 10),
    ("98180377", "EG", 8),
    ("981804", "EG", 7),
    ("981805", "EG", 5),
    ("98180610", "EG", 4),
    ("981807", "EG", 3),
    ("981808", "EG", 3),
    ("981809", "EG", 2),
    ("981810", "EG", 2),
    ("978401", "AE", 2),
    ("968202", "SA", 1),
    ("941401", "KW", 1),
    ("979201", "TR", 1),
];

/// The first digits and the country of a card: always the same for a card.
pub(crate) fn card_range(card: &str) -> (&'static str, &'static str) {
    let mut left = hash(card) % 100;
    for (range, country, weight) in RANGES {
        match left.checked_sub(weight) {
            Some(rest) => left = rest,
            None => return (range, country),
        }
    }
    ("98180012", "EG")
}

/// What every payment of that person's says. Producers leave out what they do not know: the account's age of a cached profile,
/// the device of what a server does.
pub(crate) fn payment<'a>(payer: &'a Person, id: &'a str, amount: i64, method: &'static str) -> Payment<'a> {
    let known = hash(id);
    let range = (method == "card" && !known.is_multiple_of(50)).then(|| card_range(&payer.card));
    Payment {
        payment_id: id,
        user_id: &payer.id,
        amount,
        currency: "EGP",
        method,
        instrument_id: match method {
            "card" => Some(payer.card.as_str()),
            "wallet" => Some(payer.payout_account.as_str()),
            _ => None,
        },
        ip: (known % 5 < 3).then_some(payer.home_line.ip.as_str()),
        device_id: (!known.is_multiple_of(31)).then(|| payer.device()),
        account_created_at: (!known.is_multiple_of(17)).then(|| rfc3339(payer.created_at)),
        provider: match method {
            "cash" => None,
            "card" => Some("card_eg"),
            _ => Some("wallet_eg"),
        },
        card_range: range.map(|(digits, _)| digits),
        card_country: range.map(|(_, country)| country),
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
    pub(crate) fn payment(&self) -> Payment<'a> {
        Payment {
            counterparty_id: Some(&self.tasker.id),
            booking_id: Some(self.booking),
            ..payment(self.client, self.id, self.amount, self.method)
        }
    }

    /// The amount is set aside. Cards are refused sometimes, and tried again.
    pub(crate) fn authorize(&self, at: i64, random: &mut Random, out: &mut Outbox) {
        let mut at = at;
        if random.chance(0.05) {
            let reason = ["declined", "insufficient_funds", "authentication_failed"].get(random.weighted(&[5, 3, 2]));
            self.refused(reason.copied().unwrap_or("declined"), at, out);
            at += random.between(15 * SECOND, 80 * SECOND);
        }
        let at = through(&self.payment(), "authorize", at, out);
        out.send("payment.authorized", at, Some(self.client.subject()), &self.payment());
    }

    /// The bank says no.
    pub(crate) fn refused(&self, reason: &'static str, at: i64, out: &mut Outbox) {
        let failed = Payment { reason: Some(reason), operation: Some("authorize"), ..self.payment() };
        out.send("payment.failed", at, Some(self.client.subject()), &failed);
    }

    /// The amount is taken, or both sides confirm that cash changed hands; the ledger follows.
    pub(crate) fn settle(&self, at: i64, random: &mut Random, out: &mut Outbox) {
        if self.method == "cash" {
            // Assumption: one receipt in seventy comes without a signature, or with one that does not hold.
            let signed = if random.chance(0.01) { None } else { Some(!random.chance(0.004)) };
            self.cash(signed, at, random, out);
        } else {
            let mut at = at;
            if random.chance(0.015) {
                let reason = *random.pick(&["provider_timeout", "provider_declined", "insufficient_funds"]);
                let failed = Payment { reason: Some(reason), operation: Some("capture"), ..self.payment() };
                out.send("payment.failed", at - random.between(5 * SECOND, 50 * SECOND), Some(self.client.subject()), &failed);
                at += random.between(SECOND, 40 * SECOND);
            }
            let at = through(&self.payment(), "capture", at, out);
            self.capture(at, out);
            self.book(at + random.between(100, 2_000), random, out);
        }
    }

    /// The amount is taken.
    pub(crate) fn capture(&self, at: i64, out: &mut Outbox) {
        out.send("payment.captured", at, Some(self.client.subject()), &self.payment());
    }

    /// The ledger's entry of what was taken: most of it is the tasker's.
    pub(crate) fn book(&self, at: i64, random: &mut Random, out: &mut Outbox) {
        let commission = self.amount * COMMISSION / 100;
        let lines = [("provider_clearing", self.amount), ("commission", -commission), (&*payable(self.tasker), commission - self.amount)];
        post(&lines, Some(self.booking), at, random, out);
    }

    /// Both sides confirm that cash changed hands, with a receipt that is signed or not; the tasker owes the commission.
    pub(crate) fn cash(&self, signed: Option<bool>, at: i64, random: &mut Random, out: &mut Outbox) {
        let confirmed = Payment { receipt_signature_valid: signed, ..self.payment() };
        out.send("payment.cash_confirmed", at, Some(self.client.subject()), &confirmed);
        let commission = self.amount * COMMISSION / 100;
        let lines = [(&*receivable(self.tasker), commission), ("commission", -commission)];
        post(&lines, Some(self.booking), at + random.between(100, 2_000), random, out);
    }

    /// Something on top for the tasker alone, paid by its own payment.
    pub(crate) fn tip(&self, amount: i64, at: i64, random: &mut Random, out: &mut Outbox) {
        let id = random.id("p_");
        let tip = Payment { reason: Some("tip"), ..Paid { id: &id, amount, ..*self }.payment() };
        out.send("payment.captured", at, Some(self.client.subject()), &tip);
        let lines = [("provider_clearing", amount), (&*payable(self.tasker), -amount)];
        post(&lines, Some(self.booking), at + random.between(100, 2_000), random, out);
    }

    /// The client wants money back; support approves with a ticket, and it goes back. What was paid in cash comes to the client's wallet.
    pub(crate) fn refund(&self, amount: i64, reason: &'static str, at: i64, random: &mut Random, out: &mut Outbox) -> i64 {
        let approved = at + random.between(3 * MINUTE, 25 * MINUTE);
        let agent = ops::on_duty(ops::Team::Support, approved, random);
        self.refund_by(agent, (amount, reason), (at, approved), random, out)
    }

    /// The same, approved by that one of the staff at the second of the times; tells when it was issued.
    pub(crate) fn refund_by(
        &self,
        agent: &ops::Post,
        (amount, reason): (i64, &'static str),
        (at, approved): (i64, i64),
        random: &mut Random,
        out: &mut Outbox,
    ) -> i64 {
        let id = random.id("p_");
        let back = if self.method == "cash" { "wallet" } else { self.method };
        let paid = Paid { id: &id, amount, method: back, ..*self };
        let mut refund = Payment { original_payment_id: Some(self.id), reason: Some(reason), ..paid.payment() };
        out.send("payment.refund_requested", at, Some(self.client.subject()), &refund);
        let action = AdminAction {
            reason_code: Some(if reason == "cancelled" { "cancellation" } else { "client_claim" }),
            ticket: Some(format!("T-{}", random.between(10_000, 99_999))),
            amount: Some(amount),
            ..agent.action("refund_approve", self.booking, approved)
        };
        ops::send(&action, approved, out);
        (refund.approved_by, refund.device_id) = (Some(&*agent.id), None);
        let issued = through(&refund, "refund", approved + random.between(2 * SECOND, 40 * SECOND), out);
        out.send("payment.refund_issued", issued, Some(self.client.subject()), &refund);
        self.unbook(amount, issued + random.between(100, 2_000), random, out);
        issued
    }

    /// A refund that a service gives by itself: no person approves it.
    pub(crate) fn refund_auto(&self, amount: i64, reason: &'static str, at: i64, random: &mut Random, out: &mut Outbox) {
        let id = random.id("p_");
        let paid = Paid { id: &id, amount, ..*self };
        let refund = Payment { original_payment_id: Some(self.id), reason: Some(reason), device_id: None, ..paid.payment() };
        out.send("payment.refund_requested", at, Some(self.client.subject()), &refund);
        let issued = through(&refund, "refund", at + random.between(2 * SECOND, 90 * SECOND), out);
        out.send("payment.refund_issued", issued, Some(self.client.subject()), &refund);
        self.unbook(amount, issued + random.between(100, 2_000), random, out);
    }

    /// A refund as another desk tells of it: it names the payment, and no booking, person or counterparty.
    pub(crate) fn refund_bare(&self, amount: i64, reason: &'static str, at: i64, random: &mut Random, out: &mut Outbox) {
        let id = random.id("p_");
        let paid = Paid { id: &id, amount, ..*self };
        let refund = Payment {
            original_payment_id: Some(self.id),
            reason: Some(reason),
            device_id: None,
            counterparty_id: None,
            booking_id: None,
            ..paid.payment()
        };
        out.send("payment.refund_requested", at, Some(self.client.subject()), &refund);
        let issued = at + random.between(MINUTE, 20 * MINUTE);
        out.send("payment.refund_issued", issued, Some(self.client.subject()), &refund);
        self.unbook(amount, issued + random.between(100, 2_000), random, out);
    }

    /// The ledger's entry of what went back. The tasker gives up the pay, the marketplace its commission.
    pub(crate) fn unbook(&self, amount: i64, at: i64, random: &mut Random, out: &mut Outbox) {
        let commission = amount * COMMISSION / 100;
        let lines = [("provider_clearing", -amount), ("commission", commission), (&*payable(self.tasker), amount - commission)];
        post(&lines, Some(self.booking), at, random, out);
    }
}

/// A card's owner takes a payment back through the bank; the marketplace bears it.
pub(crate) fn chargeback(
    client: &Person,
    original: &str,
    amount: i64,
    reason: &'static str,
    at: i64,
    random: &mut Random,
    out: &mut Outbox,
) {
    let id = random.id("p_");
    let chargeback =
        Payment { original_payment_id: Some(original), reason: Some(reason), device_id: None, ..payment(client, &id, amount, "card") };
    out.send("payment.chargeback", at, Some(client.subject()), &chargeback);
    post(&[("chargebacks", amount), ("provider_clearing", -amount)], None, at + random.between(SECOND, MINUTE), random, out);
}

/// Somebody asks for their earnings, or for what is left of them. The provider fails now and then, and people try again.
pub(crate) fn payout(payee: &Person, amount: i64, random: &mut Random, at: i64, out: &mut Outbox) {
    let mut at = at;
    let mut owed = standing(payee, at, out);
    if owed < amount && payee.number >= 1 << 32 {
        // Somebody of a story, from before the simulation: the balance is brought forward when the account is opened again.
        let opened = at - random.between(MINUTE, 9 * MINUTE);
        post(&[("brought_forward", amount - owed), (&payable(payee), owed - amount)], None, opened, random, out);
        owed = amount;
    }
    let amount = amount.min(owed);
    if amount < LEAST_PAYOUT {
        return;
    }
    let mut id = random.id("p_");
    for attempt in 0..5 {
        let request = request(payee, &id, amount, at, out);
        out.send("payment.payout_requested", at, Some(payee.subject()), &request);
        if random.chance(if attempt == 0 { 0.06 } else { 0.2 }) {
            let failed = Payment { reason: Some("provider_timeout"), operation: Some("payout"), balance_after: None, ..request };
            out.send("payment.failed", at + random.between(5 * SECOND, 40 * SECOND), Some(payee.subject()), &failed);
            at += random.between(2 * MINUTE, 20 * MINUTE);
            // The app repeats its request; people ask anew.
            if random.chance(0.5) {
                id = random.id("p_");
            }
        } else {
            let paid = through(&request, "payout", at + random.between(2 * MINUTE, 50 * MINUTE), out);
            pay(payee, &request, paid, out);
            return;
        }
    }
}

/// When a payment goes through that its provider gets at `at`; each try that fails before is told.
fn through(payment: &Payment<'_>, operation: &'static str, at: i64, out: &mut Outbox) -> i64 {
    let (failed, through) = out.troubles.tries(payment.provider, payment.payment_id, at);
    for (turn, at) in (0..).zip(failed) {
        let reasons = ["provider_timeout", "provider_timeout", "provider_error", "provider_unavailable"];
        let reason = Some(*Random::of(0, payment.payment_id, 2, turn).pick(&reasons));
        let told = Payment { reason, operation: Some(operation), balance_after: None, ..payment.clone() };
        out.send("payment.failed", at, Some(format!("user:{}", payment.user_id)), &told);
    }
    through
}

/// Who has asked for it is sent a code at each payout, which a text message brings (assumption: four people in ten).
pub(crate) fn asked_for_code(payee: &Person, at: i64, random: &mut Random, out: &mut Outbox) {
    if hash(&payee.id) % 10 < 4 {
        code_for_payout(payee, at, random, out);
    }
}

/// Four payouts in ten are asked for with a code.
pub(crate) fn stepped_up(payee: &Person, at: i64, random: &mut Random, out: &mut Outbox) {
    if random.chance(0.4) {
        code_for_payout(payee, at, random, out);
    }
}

fn code_for_payout(payee: &Person, at: i64, random: &mut Random, out: &mut Outbox) {
    let otp = auth::otp(payee, payee.device(), &payee.home_line, "payout");
    let phone = || Some(format!("phone:{}", payee.phone));
    let verified = at - random.between(SECOND, 9 * SECOND);
    out.send("auth.otp_requested", verified - random.between(9 * SECOND, 45 * SECOND), phone(), &otp);
    out.send("auth.otp_verified", verified, phone(), &otp);
}

/// What a request for a payout to the payee's own account says, with what will be left as the service sees it.
pub(crate) fn request<'a>(payee: &'a Person, id: &'a str, amount: i64, at: i64, out: &Outbox) -> Payment<'a> {
    let (available, _) = out.books.available(payee, at);
    Payment {
        instrument_id: Some(&payee.payout_account),
        balance_after: (!hash(id).is_multiple_of(6)).then_some((available - amount).max(0)),
        ..payment(payee, id, amount, "wallet")
    }
}

/// The provider has paid: the ledger follows, and commission on cash is deducted from what is left.
pub(crate) fn pay(payee: &Person, request: &Payment<'_>, at: i64, out: &mut Outbox) {
    out.send("payment.payout_paid", at, Some(payee.subject()), request);
    let (_, debt) = out.books.available(payee, at);
    let lines = [(&*payable(payee), request.amount + debt), (&*receivable(payee), -debt), ("provider_clearing", -request.amount)];
    let random = &mut Random::of(0, request.payment_id, 0, 0);
    post(&lines, None, at + random.between(100, 2_000), random, out);
}
