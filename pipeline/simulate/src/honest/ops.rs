//! Staff at work: support, finance, safety, operations and platform, each with tools and habits; reports that are answered,
//! newcomers whose papers are looked at.
//!
//! Assumptions, none from a source: about 12 people of 1,000 write to support on a day; reports are answered within the
//! quarter of an hour (panic), two hours (harassment, violence, coercion) or a day (the rest).

use crate::Config;
use crate::clock::{HOUR, MINUTE, SECOND, busy_instant};
use crate::honest::day_number;
pub(crate) use crate::honest::staff::{OFFICE, Post, ROSTER, Team, colleague, on_duty, send, ticket};
use crate::payload::{AdminAction, ReportHandled};
use crate::people::{Person, Population};
use crate::random::Random;
use crate::wire::Outbox;

pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    let everybody: Vec<&Person> = population.everybody().collect();
    if everybody.is_empty() {
        return;
    }
    let number = day_number(day_start);
    let people = f64::from(config.honest_users());
    let random = &mut Random::of(config.seed, "support", number, 0);
    for _ in 0..random.about(people * 0.012) {
        let at = busy_instant(random, day_start);
        let person = *random.pick(&everybody);
        contact(person, random, at, out);
    }
    let random = &mut Random::of(config.seed, "back office", number, 0);
    finance(random, day_start, out);
    operations(&everybody, random, day_start, out);
    platform(random, day_start, out);
}

/// Somebody writes to support, and is helped by whoever is on duty.
pub(crate) fn contact(person: &Person, random: &mut Random, asked: i64, out: &mut Outbox) {
    let at = asked + random.between(2 * MINUTE, 25 * MINUTE);
    help(on_duty(Team::Support, at, random), person, at, random, out);
}

/// What somebody of the staff does all day from one time to another: a case each half hour or so, at their own desk.
pub(crate) fn routine(post: &Post, people: &[Person], (from, until): (i64, i64), random: &mut Random, out: &mut Outbox) {
    let mut at = from + random.between(MINUTE, 30 * MINUTE);
    while at < until && !people.is_empty() {
        if post.at_work(at) {
            let person = random.pick(people);
            match post.team {
                Team::Support | Team::Safety => help(post, person, at, random, out),
                Team::Finance => {
                    let details = random.chance(0.3);
                    let records = Some(if details { random.between(1, 20) } else { random.between(20, 260) });
                    let (word, target) =
                        if details { ("payout_details_view", person.id.as_str()) } else { ("ledger.view", "account:tasker_payable") };
                    let read = AdminAction { reason_code: Some("daily_close"), records_read: records, ..post.action(word, target, at) };
                    send(&read, at, out);
                }
                Team::Ops | Team::Platform => {
                    let records = Some(random.between(1, 30));
                    let read = AdminAction {
                        reason_code: Some("supply"),
                        records_read: records,
                        ..post.action("TaskerProfile.open", &person.id, at)
                    };
                    send(&read, at, out);
                }
            }
        }
        at += random.between(12 * MINUTE, 55 * MINUTE);
    }
}

/// A look at the person and their bookings, an answer, sometimes a change.
pub(crate) fn help(agent: &Post, person: &Person, from: i64, random: &mut Random, out: &mut Outbox) {
    let mut at = from + 30 * SECOND;
    let case = ticket(random);
    let reason = *random.pick(&["customer_request", "booking_issue", "payment_question", "account_help", "client_claim"]);
    let mut step = |action: &str, target: &str, records: Option<i64>, amount: Option<i64>, random: &mut Random, out: &mut Outbox| {
        let action = AdminAction {
            reason_code: Some(reason),
            ticket: Some(case.clone()),
            records_read: records,
            amount,
            ..agent.action(action, target, at)
        };
        send(&action, at, out);
        at += random.between(20 * SECOND, 5 * MINUTE);
        at
    };
    if random.chance(0.04) {
        // The wrong line of a list, closed again: nobody's ticket.
        let wrong = random.id("u_");
        send(&AdminAction { records_read: Some(1), ..agent.action("user_view", &wrong, from) }, from, out);
    }
    if random.chance(0.2) {
        let records = random.between(2, 25);
        step("user_search", "search:phone", Some(records), None, random, out);
    }
    step("user_view", &person.id, Some(1), None, random, out);
    if random.chance(0.12) {
        let word = *random.pick(&["address_reveal", "location_view"]);
        step(word, &person.id, Some(1), None, random, out);
    }
    if random.chance(0.7) {
        let records = random.between(1, 14);
        step("bookings_list", &person.id, Some(records), None, random, out);
    }
    if random.chance(0.25) {
        let records = random.between(4, 60);
        step("chat_read", &person.id, Some(records), None, random, out);
    }
    let end = step("ticket_reply", &person.id, None, None, random, out);
    match random.below(100) {
        0..=5 => {
            let credit = random.between(2, 20) * 1_000;
            step("goodwill_credit", &person.id, None, Some(credit), random, out);
        }
        6..=9 => {
            step("account_unlock", &person.id, None, None, random, out);
        }
        10 => {
            step("phone_change", &person.id, None, None, random, out);
        }
        11 => {
            let second = colleague(agent, Team::Finance, random);
            let change = AdminAction {
                reason_code: Some("customer_request"),
                ticket: Some(ticket(random)),
                approver_id: Some(&second.id),
                ..agent.action("payout_account_change", &person.id, end)
            };
            send(&change, end + MINUTE, out);
        }
        _ => {}
    }
    if random.chance(0.3) {
        // The queue is looked over before the next one; nobody's ticket.
        let list = AdminAction { records_read: Some(random.between(8, 40)), ..agent.action("queue_list", "queue:support", end) };
        send(&list, end + 2 * MINUTE, out);
    }
}

/// The day of those who count: settlements against the ledger, the day's payouts with a second pair of eyes, lists.
fn finance(random: &mut Random, day_start: i64, out: &mut Outbox) {
    for post in ROSTER.iter().filter(|post| post.team == Team::Finance) {
        if post.today(random, day_start).is_none() {
            continue;
        }
        for (word, target, records) in [
            ("settlement.reconcile", "settlement:wallet_eg", random.between(120, 420)),
            ("settlement.reconcile", "settlement:cards_mea", random.between(80, 300)),
            ("ledger.view", "account:tasker_payable", random.between(20, 180)),
            ("payout_details_list", "list:taskers", random.between(20, 120)),
            ("payout_details_view", "list:failed_payouts", random.between(1, 12)),
        ] {
            let at = post.instant(random, day_start);
            let action = AdminAction { reason_code: Some("daily_close"), records_read: Some(records), ..post.action(word, target, at) };
            send(&action, at, out);
        }
        if random.chance(0.5) {
            let (at, batch) = (post.instant(random, day_start), random.id("batch_"));
            let second = colleague(post, Team::Finance, random);
            let action = AdminAction {
                reason_code: Some("weekly_payouts"),
                ticket: Some(ticket(random)),
                approver_id: Some(&second.id),
                amount: Some(random.between(200, 900) * 10_000),
                ..post.action("payouts.batch.approve", &batch, at)
            };
            send(&action, at, out);
        }
        if random.chance(0.25) {
            let at = post.instant(random, day_start);
            let action = AdminAction {
                reason_code: Some("finance_report"),
                ticket: Some(ticket(random)),
                records_read: Some(random.between(200, 800)),
                ..post.action("report.export", "report:commissions", at)
            };
            send(&action, at, out);
        }
    }
}

/// The day of those who look after taskers: searches, lists by city, prices and promotions.
fn operations(everybody: &[&Person], random: &mut Random, day_start: i64, out: &mut Outbox) {
    for post in ROSTER.iter().filter(|post| post.team == Team::Ops) {
        if post.today(random, day_start).is_none() {
            continue;
        }
        for _ in 0..random.between(4, 12) {
            let at = post.instant(random, day_start);
            let person = random.pick(everybody);
            let list = random.chance(0.3);
            let (word, target) = if list { ("TaskerSearch", "city:cairo") } else { ("TaskerProfile.open", person.id.as_str()) };
            let records = if list { random.between(15, 110) } else { 1 };
            let action = AdminAction { reason_code: Some("supply"), records_read: Some(records), ..post.action(word, target, at) };
            send(&action, at, out);
        }
        if random.chance(0.15) {
            let at = post.instant(random, day_start);
            let word = *random.pick(&["PromoCode.create", "PriceBand.update", "Category.edit"]);
            let second = colleague(post, Team::Ops, random);
            let action = AdminAction {
                reason_code: Some("campaign"),
                ticket: Some(ticket(random)),
                approver_id: Some(&second.id),
                ..post.action(word, "catalogue", at)
            };
            send(&action, at, out);
        }
    }
}

/// The day of those who keep it running: flags and settings, and the access of joiners and leavers.
fn platform(random: &mut Random, day_start: i64, out: &mut Outbox) {
    for post in ROSTER.iter().filter(|post| post.team == Team::Platform) {
        if post.today(random, day_start).is_none() {
            continue;
        }
        for _ in 0..random.between(0, 4) {
            let at = post.instant(random, day_start);
            let (word, target) = *random.pick(&[
                ("feature_flag.toggle", "flag:new_checkout"),
                ("config.update", "config:matching"),
                ("job.rerun", "job:settlement"),
                ("cache.purge", "cache:catalogue"),
            ]);
            let action = AdminAction {
                reason_code: Some("change_request"),
                ticket: Some(format!("CHG-{}", random.between(1_000, 9_999))),
                ..post.action(word, target, at)
            };
            send(&action, at, out);
        }
        if random.chance(0.12) {
            let at = post.instant(random, day_start);
            let joiner = random.pick(&ROSTER);
            let second = colleague(post, Team::Platform, random);
            let word = *random.pick(&["iam.role.grant", "iam.role.revoke"]);
            let action = AdminAction {
                reason_code: Some("access_request"),
                ticket: Some(format!("ACC-{}", random.between(1_000, 9_999))),
                approver_id: Some(&second.id),
                ..post.action(word, &joiner.id, at)
            };
            if joiner.id != post.id && joiner.id != second.id {
                send(&action, at, out);
            }
        }
    }
}

/// A report is read and answered, in the time that its category has.
pub(crate) fn answer(report: &str, reported: &str, category: &str, filed: i64, random: &mut Random, out: &mut Outbox) {
    let (soon, late) = match category {
        "panic" => (2 * MINUTE, 13 * MINUTE),
        "violence" | "harassment" | "coercion" => (10 * MINUTE, 110 * MINUTE),
        _ => (30 * MINUTE, 22 * HOUR),
    };
    let mut at = filed + random.between(soon, late);
    let agent = on_duty(Team::Safety, at, random);
    let case = format!("SAFE-{}", random.between(1_000, 9_999));
    for (word, records) in [("case.open", 1), ("case.read", random.between(2, 25)), ("chat.read", random.between(5, 60))] {
        let action = AdminAction {
            reason_code: Some("safety_report"),
            ticket: Some(case.clone()),
            records_read: Some(records),
            ..agent.action(word, reported, at)
        };
        let seen = at - random.between(20 * SECOND, 90 * SECOND);
        send(&action, seen.max(filed + 10 * SECOND), out);
        at += random.between(0, 40 * SECOND);
    }
    let outcomes: &[&'static str] = match category {
        "panic" | "violence" => &["escalated", "suspended", "police_informed", "no_action"],
        _ => &["warned", "no_action", "dismissed", "suspended", "warned"],
    };
    let handled = ReportHandled { report_id: report, actor_id: &agent.id, outcome: random.pick::<&'static str>(outcomes) };
    out.send("report.handled", at, Some(format!("admin:{}", agent.id)), &handled);
}

/// A newcomer's papers are looked at by somebody, where somebody is at work; what is found is told at `told`.
pub(crate) fn papers(person: &Person, told: i64, random: &mut Random, out: &mut Outbox) {
    let at = told - random.between(MINUTE, 6 * MINUTE);
    let post = on_duty(Team::Ops, at, random);
    let action = AdminAction { reason_code: Some("kyc"), records_read: Some(1), ..post.action("Kyc.review", &person.id, at) };
    if post.at_work(at) {
        send(&action, at, out);
    }
}
