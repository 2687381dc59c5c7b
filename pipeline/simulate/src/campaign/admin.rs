//! Fraud from inside: somebody of the staff, or somebody with their session. Each has days of ordinary work of their own before it,
//! where the level has the time for it.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::clock::{DAY, HOUR, MINUTE, SECOND, cairo_hour};
use crate::honest::ops::{self, Post, Team};
use crate::payload::AdminAction;
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { word: "admin_no_mfa", doc: "A stolen session works without the second factor.", span_ms: SPANS, stage: no_mfa },
    Scenario { word: "admin_no_reason", doc: "People's records are read and changed without a reason.", span_ms: SPANS, stage: no_reason },
    Scenario {
        word: "admin_bulk_read",
        doc: "People's records are read by the thousand, at once or creeping.",
        span_ms: SPANS,
        stage: bulk,
    },
    Scenario { word: "admin_self_approval", doc: "Somebody is their own second pair of eyes.", span_ms: SPANS, stage: own_approval },
    Scenario { word: "admin_two_person", doc: "What needs two people is done by one.", span_ms: SPANS, stage: alone },
    Scenario {
        word: "admin_off_hours",
        doc: "Records are read at hours that are not theirs.",
        span_ms: [2 * DAY, 3 * DAY, 6 * DAY],
        stage: night,
    },
    Scenario { word: "admin_new_place", doc: "Somebody else works with their account, elsewhere.", span_ms: SPANS, stage: elsewhere },
    Scenario { word: "admin_stalking", doc: "One person is read again and again.", span_ms: SPANS, stage: stalking },
    Scenario { word: "many_admins_one_person", doc: "A person of interest is read by half the house.", span_ms: SPANS, stage: curiosity },
];

/// A shift and what is left of the day; a day of work and the next; four days and what they start after.
pub(super) const SPANS: [i64; 3] = [20 * HOUR, 2 * DAY + 20 * HOUR, 6 * DAY];

/// Somebody of the staff with an ordinary life before it, and the instants of what they do: blatant in one go, two hours into a shift,
/// moderate in the shift after one of work, careful in shifts of some days.
pub(super) fn insider(scene: &mut Scene<'_>, level: Level, (team, count): (Team, i64), out: &mut Outbox) -> (Post, Vec<i64>) {
    let from = if level == Level::Blatant { cairo_hour(scene.start) } else { *scene.random.pick(&[8, 9, 9, 10]) };
    let post = Post::hired(team, from, [7, 7], &mut scene.random);
    let shift = if level == Level::Blatant { scene.start } else { post.begins(scene.start) };
    let days = match level {
        Level::Blatant => 0,
        Level::Moderate => 1,
        Level::Careful => 4,
    };
    let until = shift + days * DAY + 8 * HOUR;
    let people = &scene.population.clients;
    scene.aside(out, |scene, out| ops::routine(&post, people, (shift, until), &mut scene.random, out));
    let times = match level {
        Level::Blatant => {
            let apart = scene.param("seconds apart", 8, 240);
            (0..count).map(|turn| shift + 2 * HOUR + turn * apart * SECOND).collect()
        }
        Level::Moderate => {
            let mut all: Vec<i64> = (0..count).map(|_| shift + DAY + scene.random.between(10 * MINUTE, 7 * HOUR + 40 * MINUTE)).collect();
            all.sort_unstable();
            all
        }
        Level::Careful => {
            let mut all: Vec<i64> = (0..count)
                .map(|turn| shift + (1 + turn * 4 / count.max(1)) * DAY + scene.random.between(10 * MINUTE, 7 * HOUR + 40 * MINUTE))
                .collect();
            all.sort_unstable();
            all
        }
    };
    (post, times)
}

/// What is left to say of one action.
pub(super) struct Said {
    pub(super) reason: bool,
    pub(super) ticket: bool,
    pub(super) records: Option<i64>,
    pub(super) amount: Option<i64>,
}

impl Said {
    pub(super) const READ: Self = Self { reason: true, ticket: true, records: Some(1), amount: None };

    #[expect(clippy::needless_pass_by_value, reason = "what is said is said of one action")]
    pub(super) fn of<'a>(self, action: AdminAction<'a>, random: &mut Random) -> AdminAction<'a> {
        // The words that an honest one of the team would give.
        let (reason, case) = match action.actor_id.split('_').nth(1) {
            Some("platform") => (*random.pick(&["access_request", "change_request"]), "ACC"),
            Some("finance") => (*random.pick(&["daily_close", "weekly_payouts", "finance_report"]), "T"),
            Some("ops") => ("supply", "T"),
            _ => (*random.pick(&["customer_request", "booking_issue", "payment_question", "account_help"]), "T"),
        };
        AdminAction {
            reason_code: self.reason.then_some(reason),
            ticket: self.ticket.then(|| format!("{case}-{}", random.between(10_000, 99_999))),
            records_read: self.records,
            amount: self.amount,
            ..action
        }
    }
}

pub(super) fn cast(post: &Post, others: impl IntoIterator<Item = String>) -> Option<Cast> {
    Some(Cast { entity: format!("admin:{}", post.id), also: others.into_iter().collect() })
}

/// A session was taken from a browser: it gives credits to wallets of theirs and sells what it reads. Blatant: from a rented server,
/// as fast as it goes. Moderate: through the office's line. Careful: a credit among the owner's own actions, now and then.
fn no_mfa(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("actions", 8, 40),
        Level::Moderate => scene.param("actions", 4, 14),
        Level::Careful => scene.param("actions", 3, 7),
    };
    let (post, times) = insider(scene, level, (Team::Support, count), out);
    let server = crate::places::Network::hosting(&mut scene.random);
    for (turn, at) in times.into_iter().enumerate() {
        let target = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let credit = level == Level::Careful || turn % 4 == 3;
        let (word, amount) = if credit { ("goodwill_credit", Some(random.between(4, 30) * 1_000)) } else { ("user_view", None) };
        let said = Said { amount, records: (!credit).then_some(random.between(1, 6)), ..Said::READ };
        let mut action = AdminAction { mfa: false, ..said.of(post.action(word, &target.id, at), random) };
        if level == Level::Blatant {
            (action.ip, action.location) = (&server.ip, Some(server.location));
        }
        ops::send(&action, at, out);
    }
    cast(&post, (level == Level::Blatant).then(|| format!("ip:{}", server.ip)))
}

/// Addresses and numbers are sold one by one, and favours done. Blatant: neither reason nor ticket, dozens. Moderate: changes
/// without a reason, under tickets that are somebody's. Careful: a reason, no ticket, a change or two a day.
fn no_reason(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("actions", 12, 50),
        Level::Moderate => scene.param("actions", 6, 18),
        Level::Careful => scene.param("actions", 4, 9),
    };
    let (post, times) = insider(scene, level, (Team::Support, count), out);
    for at in times {
        let target = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let word = match level {
            Level::Blatant => *random.pick(&["user_view", "address_reveal", "location_view", "account_unlock"]),
            Level::Moderate => *random.pick(&["phone_change", "account_unlock", "goodwill_credit"]),
            Level::Careful => *random.pick(&["goodwill_credit", "phone_change"]),
        };
        let amount = (word == "goodwill_credit").then(|| random.between(5, 40) * 1_000);
        let records = matches!(word, "user_view" | "address_reveal" | "location_view").then_some(1);
        let said = Said { reason: level == Level::Careful, ticket: level == Level::Moderate, records, amount };
        ops::send(&said.of(post.action(word, &target.id, at), random), at, out);
    }
    cast(&post, None)
}

/// A list of people is worth money. Blatant: one file, or a few, of everybody. Moderate: search after search in one shift. Careful:
/// each day half as many again, from what others read to many times that, under real tickets.
fn bulk(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, records) = match level {
        Level::Blatant => (scene.param("files", 1, 6), scene.param("records", 2_500, 90_000)),
        Level::Moderate => (scene.param("searches", 10, 32), scene.param("records", 120, 700)),
        Level::Careful => (scene.param("searches", 36, 90), scene.param("records", 10, 40)),
    };
    let (post, times) = insider(scene, level, (Team::Support, count), out);
    let first = times.first().copied()?;
    for at in times {
        let target = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let (word, object, size) = match level {
            Level::Blatant => ("report.export", "export:clients", records),
            Level::Moderate => ("user_search", "search:phone", records * random.between(70, 130) / 100),
            Level::Careful => {
                let days = (at - first) / DAY;
                let grown = (0..days).fold(records, |size, _| size * 3 / 2);
                ("user_search", target.id.as_str(), grown * random.between(70, 130) / 100)
            }
        };
        let said = Said { records: Some(size), reason: level != Level::Blatant, ticket: level == Level::Careful, amount: None };
        ops::send(&said.of(post.action(word, object, at), random), at, out);
    }
    cast(&post, None)
}

/// Credits and refunds to friends need a second name. Blatant: their own. Moderate: their own, between others'. Careful: another
/// account that they have as well, from the same desk or the same home, for every second one.
fn own_approval(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("actions", 4, 14),
        Level::Moderate => scene.param("actions", 3, 8),
        Level::Careful => scene.param("actions", 5, 10),
    };
    let (post, times) = insider(scene, level, (Team::Finance, count), out);
    let second = Post::hired(Team::Finance, 9, [7, 7], &mut scene.random);
    for (turn, at) in times.into_iter().enumerate() {
        let target = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let amount = Some(random.between(20, 180) * 1_000);
        let word = *random.pick(&["goodwill_credit", "refund_approve", "ledger.adjust"]);
        // The careful one asks as the other and approves as themself, and the other way round.
        let (by, eyes) = match level {
            Level::Careful if turn % 2 == 0 => (&second, &post.id),
            Level::Careful => (&post, if turn % 4 == 1 { &post.id } else { &second.id }),
            _ => (&post, &post.id),
        };
        let said = Said { amount, records: None, ..Said::READ };
        let mut action = AdminAction { approver_id: Some(eyes), ..said.of(by.action(word, &target.id, at), random) };
        action.ip = post.home();
        ops::send(&action, at, out);
    }
    let others = (level == Level::Careful).then(|| format!("admin:{}", second.id));
    cast(&post, others.into_iter().chain([format!("ip:{}", post.home())]))
}

/// Nobody else was asked. Blatant: batches of payouts. Moderate: adjustments and payout accounts. Careful: one or two a day of what
/// is just as dangerous and looks smaller, with ticket and reason.
fn alone(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("actions", 2, 9),
        Level::Moderate => scene.param("actions", 2, 7),
        Level::Careful => scene.param("actions", 3, 7),
    };
    let (post, times) = insider(scene, level, (Team::Finance, count), out);
    for at in times {
        let tasker = scene.somebody(&scene.population.taskers)?;
        let random = &mut scene.random;
        let batch = random.id("batch_");
        let (word, target, amount) = match level {
            Level::Blatant => ("payouts.batch.approve", batch.as_str(), random.between(100, 900) * 10_000),
            Level::Moderate => match random.below(3) {
                0 => ("payouts.batch.approve", batch.as_str(), random.between(50, 300) * 10_000),
                1 => ("ledger.adjust", "account:tasker_payable", random.between(100, 600) * 1_000),
                _ => ("payout_account_change", tasker.id.as_str(), 0),
            },
            Level::Careful => match random.below(2) {
                0 => ("ledger.adjust", "account:tasker_payable", random.between(60, 190) * 1_000),
                _ => ("payouts.batch.approve", batch.as_str(), random.between(10, 40) * 10_000),
            },
        };
        let said = Said { amount: (amount > 0).then_some(amount), records: None, ..Said::READ };
        ops::send(&said.of(post.action(word, target, at), random), at, out);
    }
    cast(&post, None)
}

/// Nobody is there to see. Blatant: all night, files too. Moderate: an hour or two after midnight, from the office's line. Careful:
/// late in three nights from home, a few records, with tickets.
fn night(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("actions", 20, 70),
        Level::Moderate => scene.param("actions", 8, 24),
        Level::Careful => scene.param("actions", 9, 21),
    };
    // Days of nine to five before it, which no other night worker has.
    let post = Post::hired(Team::Finance, 9, [7, 7], &mut scene.random);
    let (shift, nights) = (post.begins(scene.start), if level == Level::Careful { 3 } else { 1 });
    let (before, people) = (if level == Level::Blatant { 0 } else { DAY }, &scene.population.clients);
    let until = shift + before + (nights - 1) * DAY + 8 * HOUR;
    scene.aside(out, |scene, out| ops::routine(&post, people, (shift, until), &mut scene.random, out));
    // One in the morning.
    let midnight = shift + before + 16 * HOUR;
    for turn in 0..count {
        let tasker = scene.somebody(&scene.population.taskers)?;
        let random = &mut scene.random;
        let length = if level == Level::Blatant { 2 * HOUR } else { 80 * MINUTE };
        let at = midnight + turn * nights / count * DAY + random.between(0, length);
        let file = level == Level::Blatant && turn % 9 == 8;
        let (word, target, records) = match level {
            _ if file => ("report.export", "report:payouts", random.between(400, 2_500)),
            Level::Careful => ("payout_details_view", tasker.id.as_str(), random.between(1, 4)),
            _ => ("payout_details_view", tasker.id.as_str(), random.between(1, 25)),
        };
        let said = Said { records: Some(records), ticket: level == Level::Careful, reason: level != Level::Blatant, amount: None };
        let mut action = said.of(post.action(word, target, at), random);
        action.ip = if level == Level::Moderate { ops::OFFICE } else { post.home() };
        ops::send(&action, at, out);
    }
    cast(&post, [format!("ip:{}", post.home())].into_iter().filter(|_| level != Level::Moderate))
}

/// A password and a second factor were fished. Blatant: from another continent. Moderate: a server in Europe, in the owner's hours.
/// Careful: a line in another Egyptian town, in the owner's hours, a few reads and a credit a day; no place is told.
fn elsewhere(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("actions", 8, 36),
        Level::Moderate => scene.param("actions", 6, 20),
        Level::Careful => scene.param("actions", 8, 20),
    };
    let team = if level == Level::Moderate { Team::Ops } else { Team::Support };
    let (post, times) = insider(scene, level, (team, count), out);
    let random = &mut scene.random;
    let network = match level {
        Level::Blatant => crate::places::Network::abroad_home(random, random.clone().pick(&crate::places::LAIRS)),
        Level::Moderate => crate::places::Network::hosting(random),
        Level::Careful => crate::places::Network::home(random, 5),
    };
    for (turn, at) in times.into_iter().enumerate() {
        let target = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let credit = turn % 5 == 4;
        let (word, amount) = if credit { ("goodwill_credit", Some(random.between(5, 40) * 1_000)) } else { ("user_view", None) };
        let said = Said { amount, records: (!credit).then_some(random.between(1, 12)), ..Said::READ };
        let mut action = said.of(post.action(word, &target.id, at), random);
        (action.ip, action.location) = (&network.ip, (level != Level::Careful).then_some(network.location));
        ops::send(&action, at, out);
    }
    cast(&post, [format!("ip:{}", network.ip)])
}

/// Somebody is watched by one who once knew them. Blatant: all day. Moderate: a dozen times in a shift, tickets made up. Careful: two
/// or three times a day for days, between other cases, by another page each time.
fn stalking(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let target = scene.somebody(&scene.population.clients)?;
    let count = match level {
        Level::Blatant => scene.param("reads", 14, 50),
        Level::Moderate => scene.param("reads", 8, 18),
        Level::Careful => scene.param("reads", 9, 18),
    };
    let (post, times) = insider(scene, level, (Team::Support, count), out);
    for at in times {
        let random = &mut scene.random;
        let word = match level {
            Level::Blatant => "user_view",
            _ => *random.pick(&["user_view", "bookings_list", "chat_read", "address_reveal", "location_view"]),
        };
        let said =
            Said { ticket: level != Level::Blatant, reason: level != Level::Blatant, records: Some(random.between(1, 9)), amount: None };
        ops::send(&said.of(post.action(word, &target.id, at), random), at, out);
    }
    cast(&post, [format!("user:{}", target.id)])
}

/// Somebody known from television has booked, and their address is passed round. Blatant: half of the house in an hour or two. Moderate: in
/// a day, without tickets. Careful: in days, some with tickets that are of nothing.
fn curiosity(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let target = scene.somebody(&scene.population.clients)?;
    let (count, span) = match level {
        Level::Blatant => (scene.param("admins", 8, 16), 100 * MINUTE),
        Level::Moderate => (scene.param("admins", 7, 12), 16 * HOUR),
        Level::Careful => (scene.param("admins", 6, 10), 4 * DAY),
    };
    let (mut also, skip) = (Vec::new(), scene.random.between(0, 20));
    let turn = usize::try_from(skip).unwrap_or_default();
    for (index, post) in (0..count).zip(ops::ROSTER.iter().cycle().skip(turn)) {
        let random = &mut scene.random;
        let mut at = scene.start + span * index / count + random.between(0, span / count.max(1));
        if level != Level::Blatant {
            // At their own hour, where it is not too far.
            at = (0..16).map(|hour| at + hour * HOUR).find(|at| post.at_work(*at)).unwrap_or(at);
        }
        let word = *random.pick(&["user_view", "bookings_list", "chat_read", "address_reveal"]);
        let ticket = level == Level::Careful && random.chance(0.4);
        let said = Said { ticket, reason: ticket, records: Some(random.between(1, 6)), amount: None };
        ops::send(&said.of(post.action(word, &target.id, at), random), at, out);
        also.push(format!("admin:{}", post.id));
    }
    Some(Cast { entity: format!("user:{}", target.id), also })
}
