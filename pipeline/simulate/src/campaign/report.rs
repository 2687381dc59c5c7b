//! Reports: against somebody honest, by somebody who lies, about somebody dangerous, and those that nobody answers.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::booking::{Side, job};
use crate::campaign::collusion::newcomer;
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::ops;
use crate::payload::{Report, ReportHandled};
use crate::people::{Person, Role};
use crate::places::Network;
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "report_brigade",
        doc: "Many accounts report one honest tasker, so that they are suspended.",
        span_ms: [6 * HOUR, 23 * HOUR, 6 * DAY],
        stage: brigade,
    },
    Scenario {
        word: "false_reporter",
        doc: "A client reports one tasker after another, and gets the money back.",
        span_ms: [20 * HOUR, 2 * DAY, 6 * DAY],
        stage: liar,
    },
    Scenario { word: "panic", doc: "Somebody is violent, and people call for help.", span_ms: [5 * HOUR, 2 * DAY, 6 * DAY], stage: panic },
    Scenario {
        word: "report_unanswered",
        doc: "Reports lie where nobody looks: a fault of the house, not of those who are named.",
        span_ms: [10 * HOUR, 32 * HOUR, 5 * DAY],
        stage: unanswered,
    },
];

/// A report; tells its id.
fn file(
    (by, about): (&str, &str),
    category: &'static str,
    booking: Option<&str>,
    at: i64,
    random: &mut Random,
    out: &mut Outbox,
) -> String {
    let report_id = random.id("rp_");
    let report = Report { report_id: report_id.clone(), reporter_id: by, reported_id: about, category, booking_id: booking };
    out.send("report.filed", at, Some(format!("user:{about}")), &report);
    report_id
}

/// A report that is answered in time by the staff.
fn heard((by, about): (&str, &str), category: &'static str, booking: Option<&str>, at: i64, random: &mut Random, out: &mut Outbox) {
    let id = file((by, about), category, booking, at, random, out);
    let story = out.story.take();
    ops::answer(&id, about, category, at, random, out);
    out.story = story;
}

/// A rival is suspended. Blatant: new accounts, one line, within the hour. Moderate: some hours, own phones. Careful: people with
/// a job behind them, each with another complaint, one or two a day.
fn brigade(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let target = scene.somebody(&scene.population.taskers)?;
    let line = Network::home(&mut scene.random, target.city);
    let (count, times) = match level {
        Level::Blatant => {
            let (count, apart) = (scene.param("reports", 6, 22), scene.param("seconds apart", 30, 300));
            let first = scene.start + HOUR;
            (count, (0..count).map(|turn| first + turn * apart * SECOND).collect())
        }
        Level::Moderate => {
            let (count, apart) = (scene.param("reports", 5, 11), scene.param("minutes apart", 10, 45));
            let first = scene.waking();
            (count, (0..count).map(|turn| first + turn * apart * MINUTE).collect())
        }
        Level::Careful => {
            let (count, days) = (scene.param("reports", 4, 9), scene.param("days", 3, 4));
            (count, scene.spread(count, days))
        }
    };
    let mut also = vec![format!("ip:{}", line.ip)];
    also.retain(|_| level == Level::Blatant);
    let mut people: Vec<Person> = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    for (turn, at) in times.into_iter().enumerate() {
        let mut person = scene.hire(Role::Client);
        if level == Level::Blatant {
            person.home_line = line.clone();
            let at = scene.start + MINUTE + i64::try_from(turn).unwrap_or_default() * MINUTE;
            person = newcomer(scene, person, &line, at, out);
        }
        let random = &mut scene.random;
        let pair = (person.id.as_str(), target.id.as_str());
        if level == Level::Careful {
            let mut deal = Deal::new(&person, target, random);
            deal.method = "cash";
            let proof = deal.proof(random);
            let story = out.story.take();
            let done = job(&deal, random, at, (20 * MINUTE, 45 * MINUTE), Some(proof), Side::Honest, out);
            out.story = story;
            let category = *random.pick(&["theft", "harassment", "coercion", "violence"]);
            heard(pair, category, Some(&deal.booking), done + random.between(20, 200) * MINUTE, random, out);
        } else {
            let category = *random.pick(&["theft", "theft", "harassment", "spam"]);
            heard(pair, category, None, at, random, out);
        }
        also.extend([format!("user:{}", person.id), format!("phone:{}", person.phone), format!("device:{}", person.device())]);
        people.push(person);
    }
    Some(Cast { entity: format!("user:{}", target.id), also })
}

/// Work for nothing. Blatant: every job of the day ends with a thief, and the money back. Moderate: most. Careful: two accounts on
/// one phone, other words each time, a part of the money, jobs without a word between.
fn liar(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let mut clients: Vec<Person> = (0..=i64::from(level == Level::Careful)).map(|_| scene.hire(Role::Client)).collect();
    let (devices, city) = clients.first().map(|one| (one.devices.clone(), one.city))?;
    for client in &mut clients {
        (client.devices, client.city) = (devices.clone(), city);
    }
    let (count, quiet, days) = match level {
        Level::Blatant => (scene.param("reports", 5, 12), 0, 0),
        Level::Moderate => (scene.param("reports", 4, 8), scene.param("quiet jobs", 0, 2), 1),
        Level::Careful => (scene.param("reports", 5, 9), scene.param("quiet jobs", 2, 5), 4),
    };
    let times: Vec<i64> =
        if days == 0 { (0..count).map(|turn| scene.start + turn * 70 * MINUTE).collect() } else { scene.spread(count + quiet, days) };
    for (turn, at) in times.into_iter().enumerate() {
        let client = clients.get(turn % clients.len())?;
        let tasker = scene.neighbour(&scene.population.taskers, city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        (deal.method, deal.price) = ("card", random.between(100, 320) * 500);
        let proof = deal.proof(random);
        let story = out.story.take();
        let done = job(&deal, random, at, (10 * MINUTE, 35 * MINUTE), Some(proof), Side::Honest, out);
        out.story = story;
        if i64::try_from(turn).unwrap_or_default() % (count + quiet) >= count {
            continue;
        }
        let category = match level {
            Level::Blatant => "theft",
            Level::Moderate => *random.pick(&["theft", "theft", "harassment"]),
            Level::Careful => *random.pick(&["theft", "harassment", "violence", "coercion", "spam"]),
        };
        let told = done + random.between(8, 40) * MINUTE;
        heard((&client.id, &tasker.id), category, Some(&deal.booking), told, random, out);
        let part = if level == Level::Careful { deal.price * random.between(40, 90) / 100 } else { deal.price };
        deal.event("booking.disputed", told + MINUTE, "client", None, out);
        deal.paid().refund(part, "safety_report", told + 2 * MINUTE, random, out);
    }
    let mut also: Vec<String> = devices.iter().map(|device| format!("device:{device}")).collect();
    for client in &clients {
        also.extend([format!("user:{}", client.id), format!("phone:{}", client.phone), format!("instrument:{}", client.card)]);
    }
    Some(Cast { entity: format!("user:{}", clients.first()?.id), also })
}

/// Somebody whom people must be kept from. Blatant: calls for help within minutes of each other. Moderate: a call for help after
/// complaints of others in two days. Careful, which is what those do who choose their victims: other people each, other words, days
/// apart, and the worst at the end.
fn panic(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    // Three of ten are clients whom taskers must be kept from.
    let is_client = scene.random.chance(0.3);
    let danger = scene.hire(if is_client { Role::Client } else { Role::Tasker });
    let others = if is_client { &scene.population.taskers } else { &scene.population.clients };
    let before = match level {
        Level::Blatant => scene.param("calls", 1, 3),
        Level::Moderate => scene.param("complaints", 1, 3),
        Level::Careful => scene.param("complaints", 3, 6),
    };
    let times = match level {
        Level::Blatant => vec![scene.start],
        Level::Moderate => scene.spread(before + 1, 1),
        Level::Careful => scene.spread(before + 1, 4),
    };
    let last = times.len().saturating_sub(1);
    let mut also = vec![format!("device:{}", danger.device()), format!("phone:{}", danger.phone)];
    for (turn, at) in times.into_iter().enumerate() {
        let other = scene.neighbour(others, danger.city)?;
        let random = &mut scene.random;
        let deal = if is_client { Deal::new(&danger, other, random) } else { Deal::new(other, &danger, random) };
        also.push(format!("booking:{}", deal.booking));
        let story = out.story.take();
        deal.event("booking.created", at, "client", None, out);
        deal.event("booking.accepted", at + 5 * MINUTE, "tasker", None, out);
        deal.event("booking.started", at + 30 * MINUTE, "tasker", None, out);
        out.story = story;
        let pair = (other.id.as_str(), danger.id.as_str());
        let seen = at + random.between(35, 60) * MINUTE;
        if turn == last {
            let calls = if level == Level::Blatant { before } else { 1 };
            for call in 0..calls {
                let at = seen + call * random.between(20, 200) * SECOND;
                heard(pair, "panic", Some(&deal.booking), at, random, out);
            }
            heard(pair, "violence", Some(&deal.booking), seen + random.between(6, 40) * MINUTE, random, out);
        } else {
            let category = *random.pick(&["harassment", "harassment", "coercion", "theft"]);
            heard(pair, category, Some(&deal.booking), seen + random.between(30, 200) * MINUTE, random, out);
        }
        let story = out.story.take();
        deal.event("booking.completed", seen + 90 * MINUTE, "tasker", Some(deal.proof(random)), out);
        out.story = story;
    }
    Some(Cast { entity: format!("user:{}", danger.id), also })
}

/// Nobody gains: people wait. Blatant: calls for help that wait for hours. Moderate: harassment and violence that wait for half a day
/// and more. Careful: theft and spam for days, opened once and left.
fn unanswered(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, minutes, categories): (i64, i64, &[&'static str]) = match level {
        Level::Blatant => (scene.param("reports", 1, 4), scene.param("minutes", 60, 360), &["panic", "panic", "violence"]),
        Level::Moderate => {
            (scene.param("reports", 1, 4), scene.param("minutes", 420, 1_440), &["violence", "harassment", "harassment", "coercion"])
        }
        Level::Careful => (scene.param("reports", 1, 4), scene.param("minutes", 2_160, 4_800), &["theft", "theft", "spam"]),
    };
    let (mut also, mut entity) = (vec!["all:all".to_owned()], None);
    for turn in 0..count {
        let client = scene.somebody(&scene.population.clients)?;
        let tasker = scene.neighbour(&scene.population.taskers, client.city)?;
        let random = &mut scene.random;
        let deal = Deal::new(client, tasker, random);
        let at = scene.start + turn * random.between(5, 40) * MINUTE + MINUTE;
        let category = *random.pick(categories);
        let id = file((&client.id, &tasker.id), category, Some(&deal.booking), at, random, out);
        let answered = at + minutes * MINUTE * random.between(90, 110) / 100;
        if level == Level::Careful {
            // Somebody of the staff looked, and left it.
            let story = out.story.take();
            let seen = at + random.between(20, 300) * MINUTE;
            let action = ops::on_duty(ops::Team::Safety, seen, random).action("case.open", &tasker.id, seen);
            ops::send(&action, seen, out);
            out.story = story;
        }
        let agent = ops::on_duty(ops::Team::Safety, answered, random);
        let handled = ReportHandled { report_id: &id, actor_id: &agent.id, outcome: "warned" };
        out.send("report.handled", answered, Some(format!("admin:{}", agent.id)), &handled);
        entity = entity.or(Some(format!("user:{}", tasker.id)));
        also.extend([format!("user:{}", tasker.id), format!("user:{}", client.id), format!("booking:{}", deal.booking)]);
    }
    Some(Cast { entity: entity?, also })
}
