//! Staff who work at odd hours, from odd places, on odd numbers of records, and may.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::clock::{DAY, HOUR, MINUTE, SECOND, cairo_hour};
use crate::honest::booking::Deal;
use crate::honest::ops::{self, Post, ROSTER, Team};
use crate::look_alike::jobs::usual;
use crate::look_alike::{Often, Tale};
use crate::payload::{AdminAction, AuthzDenied, Location};
use crate::places::{DESTINATIONS, Network, Point, city_at};
use crate::random::Random;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

/// How often: assumptions for a house of twenty, whose marketplace has some thousand people.
pub(super) const TALES: &[Tale] = &[
    // Two nights of a week.
    Tale { word: "on_call", doc: "Somebody is called at night, and has a ticket for it.", often: Often::ADay(0.3), stage: on_call },
    Tale { word: "overtime", doc: "A busy evening; an agent stays for hours.", often: Often::ADay(0.35), stage: overtime },
    // The first week of a month has most of it; the simulated week is one.
    Tale { word: "month_end", doc: "Finance closes the month until late, with large lists.", often: Often::ADay(0.4), stage: month_end },
    Tale {
        word: "approved_export",
        doc: "An authority, an auditor or a move of systems needs a list.",
        often: Often::ADay(0.15),
        stage: export,
    },
    // Somebody new once in two weeks.
    Tale { word: "new_admin", doc: "Somebody new is given rights, and reads a lot to learn.", often: Often::ADay(0.08), stage: new_admin },
    Tale { word: "admin_travels", doc: "Somebody works from another town or country for days.", often: Often::ADay(0.12), stage: travels },
    Tale { word: "works_from_cafe", doc: "The line at home is down.", often: Often::ADay(0.15), stage: cafe },
    Tale { word: "popular_case", doc: "A case goes from desk to desk, and each reads it.", often: Often::ADay(0.2), stage: popular },
    Tale { word: "safety_watch", doc: "The safety team works on one person for days.", often: Often::ADay(0.15), stage: watch },
    Tale { word: "refund_desk", doc: "One agent has the refunds of the day.", often: Often::ADay(0.25), stage: desk },
    Tale {
        word: "account_manager",
        doc: "A business client's refunds go through its own agent.",
        often: Often::ADay(0.08),
        stage: manager,
    },
    Tale { word: "lead_approves", doc: "One lead is the second pair of eyes for everybody.", often: Often::ADay(0.3), stage: lead },
    // A provider of wallets closes, or changes its numbers.
    Tale { word: "wallets_move", doc: "Taskers move to another wallet, with support's help.", often: Often::ADay(0.07), stage: wallets },
    Tale {
        word: "rights_missing",
        doc: "A door is shut after a change of team, and is opened properly.",
        often: Often::ADay(0.12),
        stage: rights,
    },
    Tale {
        word: "trouble_caller",
        doc: "One client calls again and again, and is read each time.",
        often: Often::ADay(0.3),
        stage: caller,
    },
];

/// Somebody of the team who is at work some time of the next day from then on, and when.
fn worker(team: Team, from: i64, random: &mut Random) -> (&'static Post, i64) {
    let at = (0..48).map(|step| from + step * HOUR / 2).find(|at| ROSTER.iter().any(|post| post.team == team && post.at_work(*at)));
    let at = at.unwrap_or(from);
    (ops::on_duty(team, at, random), at)
}

fn seen(post: &Post, others: Vec<String>) -> Option<Cast> {
    Some(Cast { entity: format!("admin:{}", post.id), also: others })
}

/// What a case has on every step.
#[expect(clippy::needless_pass_by_value, reason = "what is said is said of one action")]
fn case<'a>(action: AdminAction<'a>, reason: &'static str, ticket: &str, records: Option<i64>) -> AdminAction<'a> {
    AdminAction { reason_code: Some(reason), ticket: Some(ticket.to_owned()), records_read: records, ..action }
}

fn on_call(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.taskers)?;
    let mut at = scene.start;
    while cairo_hour(at) != 2 {
        at += HOUR / 2;
    }
    let random = &mut scene.random;
    let team = *random.pick(&[Team::Platform, Team::Platform, Team::Finance, Team::Ops]);
    let post = *random.pick(&ROSTER.iter().filter(|post| post.team == team).collect::<Vec<_>>());
    let ticket = format!("INC-{}", random.between(1_000, 9_999));
    at += random.between(0, 100 * MINUTE);
    for turn in 0..random.between(6, 20) {
        let (word, target, records) = match (team, turn % 3) {
            (Team::Platform, 0) => ("job.rerun", "job:settlement", None),
            (Team::Platform, _) => ("db.query", "table:payments", Some(random.between(5, 120))),
            (Team::Finance, _) => ("ledger.view", "account:provider_clearing", Some(random.between(20, 150))),
            _ => ("TaskerProfile.open", person.id.as_str(), Some(1)),
        };
        let action = AdminAction { ip: post.home(), ..case(post.action(word, target, at), "incident", &ticket, records) };
        ops::send(&action, at, out);
        at += random.between(40, 400) * SECOND;
    }
    seen(post, vec![format!("ip:{}", post.home())])
}

fn overtime(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (post, mut at) = worker(Team::Support, scene.start, &mut scene.random);
    for _ in 0..40 {
        if !post.at_work(at) {
            break;
        }
        at += HOUR / 4;
    }
    for _ in 0..scene.random.between(8, 22) {
        let person = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        ops::help(post, person, at, random, out);
        at += random.between(5, 16) * MINUTE;
    }
    seen(post, Vec::new())
}

fn month_end(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (post, from) = worker(Team::Finance, scene.start, random);
    let second = ops::colleague(post, Team::Finance, random);
    let (ticket, mut at) = (format!("CLOSE-{}", random.between(100, 999)), from);
    // Until about eleven in the evening.
    while cairo_hour(at) != 23 && at < from + 15 * HOUR {
        let large = random.chance(0.25);
        let (word, target) = *random.pick(&[
            ("report.export", "report:month"),
            ("settlement.reconcile", "settlement:wallet_eg"),
            ("settlement.reconcile", "settlement:cards_mea"),
            ("ledger.view", "account:tasker_payable"),
            ("ledger.adjust", "account:provider_clearing"),
        ]);
        let records = (word != "ledger.adjust").then(|| if large { random.between(1_500, 9_000) } else { random.between(100, 900) });
        let amount = (word == "ledger.adjust").then(|| random.between(5, 90) * 1_000);
        let approver_id = (large || amount.is_some()).then_some(second.id.as_ref());
        let action = AdminAction { approver_id, amount, ..case(post.action(word, target, at), "month_end_close", &ticket, records) };
        ops::send(&action, at, out);
        at += random.between(8, 40) * MINUTE;
    }
    seen(post, Vec::new())
}

fn export(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let team = *random.pick(&[Team::Finance, Team::Platform, Team::Safety]);
    let (post, at) = worker(team, scene.start, random);
    let second = ops::colleague(post, team, random);
    let ticket = format!("LEGAL-{}", random.between(100, 999));
    let reason = *random.pick(&["regulator_request", "audit", "migration", "court_order"]);
    for file in 0..random.between(1, 3) {
        let then = at + file * random.between(3, 20) * MINUTE;
        let records = Some(random.between(3_000, 60_000));
        let action = case(post.action("report.export", "export:clients", then), reason, &ticket, records);
        ops::send(&AdminAction { approver_id: Some(&second.id), ..action }, then, out);
    }
    seen(post, vec![format!("admin:{}", second.id)])
}

fn new_admin(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let random = &mut scene.random;
    let (lead, at) = worker(Team::Platform, scene.start, random);
    let second = ops::colleague(lead, Team::Platform, random);
    let post = Post::hired(Team::Support, 9, [5, 6], random);
    let ticket = format!("ACC-{}", random.between(1_000, 9_999));
    let grant = case(lead.action("iam.role.grant", &post.id, at), "joiner", &ticket, None);
    ops::send(&AdminAction { approver_id: Some(&second.id), ..grant }, at, out);
    let (from, until) = (at + HOUR, at + 3 * DAY);
    let mut then = from;
    while then < until {
        if post.at_work(then) {
            let person = scene.somebody(&scene.population.clients)?;
            let random = &mut scene.random;
            ops::help(&post, person, then, random, out);
            // Old cases, to learn from.
            let old = case(post.action("case_history", &person.id, then), "training", &ticket, Some(random.between(10, 90)));
            ops::send(&old, then + 4 * MINUTE, out);
        }
        then += scene.random.between(8, 30) * MINUTE;
    }
    seen(&post, vec![format!("admin:{}", lead.id)])
}

/// A few days of ordinary work through another line.
fn away(scene: &mut Scene<'_>, days: i64, line: &Network, out: &mut Outbox) -> Option<Cast> {
    let (post, from) = worker(Team::Support, scene.start, &mut scene.random);
    let mut at = from;
    while at < from + days * DAY {
        if post.at_work(at) {
            let person = scene.somebody(&scene.population.clients)?;
            let random = &mut scene.random;
            let ticket = ops::ticket(random);
            for word in ["user_view", "bookings_list", "ticket_reply"] {
                let records = (word != "ticket_reply").then(|| random.between(1, 12));
                let action = case(post.action(word, &person.id, at), "customer_request", &ticket, records);
                ops::send(&AdminAction { ip: &line.ip, location: Some(line.location), ..action }, at, out);
                at += random.between(20, 150) * SECOND;
            }
        }
        at += scene.random.between(15, 70) * MINUTE;
    }
    seen(post, vec![format!("ip:{}", line.ip)])
}

fn travels(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let random = &mut scene.random;
    let line = if random.chance(0.5) { Network::abroad_home(random, random.clone().pick(&DESTINATIONS)) } else { Network::home(random, 2) };
    let days = random.between(2, 4);
    away(scene, days, &line, out)
}

fn cafe(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let random = &mut scene.random;
    let Point { lat, lon } = city_at(0).centre;
    let location = Location { lat, lon, accuracy_km: Some(100), source: Some("geoip") };
    let line = Network { location, ..Network::carrier(random, random.clone().below(4), 0) };
    away(scene, 1, &line, out)
}

fn popular(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.taskers)?;
    let ticket = format!("SAFE-{}", scene.random.between(1_000, 9_999));
    let (mut at, mut also) = (scene.start, Vec::new());
    let desks = [Team::Support, Team::Support, Team::Safety, Team::Safety, Team::Finance, Team::Ops, Team::Safety, Team::Support];
    for team in desks.into_iter().take(usize::try_from(scene.random.between(5, 8)).unwrap_or(5)) {
        let random = &mut scene.random;
        let (post, then) = worker(team, at, random);
        for word in ["case.read", "user_view"] {
            let action = case(post.action(word, &person.id, then), "escalation", &ticket, Some(random.between(1, 20)));
            ops::send(&action, then + random.between(0, 5 * MINUTE), out);
        }
        also.push(format!("admin:{}", post.id));
        at = then + random.between(20, 150) * MINUTE;
    }
    Some(Cast { entity: format!("user:{}", person.id), also })
}

fn watch(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let (post, from) = worker(Team::Safety, scene.start, random);
    let ticket = format!("SAFE-{}", random.between(1_000, 9_999));
    for day in 0..random.between(2, 3) {
        let mut at = from + day * DAY;
        for _ in 0..random.between(8, 20) {
            let word = *random.pick(&["case.read", "chat.read", "evidence.view", "user_view", "location_view"]);
            let action = case(post.action(word, &person.id, at), "safety_investigation", &ticket, Some(random.between(1, 60)));
            ops::send(&action, at, out);
            at += random.between(2, 14) * MINUTE;
        }
    }
    seen(post, vec![format!("user:{}", person.id)])
}

fn desk(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (post, from) = worker(Team::Support, scene.start, &mut scene.random);
    let count = scene.random.between(5, 11);
    for turn in 0..count {
        let client = scene.somebody(&scene.population.clients)?;
        let tasker = scene.neighbour(&scene.population.taskers, client.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        deal.method = "card";
        let done = usual(&deal, from + turn * random.between(4, 12) * MINUTE, 10 * MINUTE, 50, random, out);
        let asked = done + random.between(10, 60) * MINUTE;
        deal.event("booking.disputed", asked - 20 * SECOND, "client", None, out);
        let part = deal.price * random.between(3, 10) / 10;
        let approved = asked + random.between(3, 20) * MINUTE;
        deal.paid().refund_by(post, (part, "not_as_agreed"), (asked, approved), random, out);
    }
    seen(post, Vec::new())
}

fn manager(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let client = scene.somebody(&scene.population.clients)?;
    let (post, from) = worker(Team::Support, scene.start, &mut scene.random);
    for turn in 0..scene.random.between(2, 4) {
        let tasker = scene.neighbour(&scene.population.taskers, client.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        deal.method = "card";
        let done = usual(&deal, from + turn * 23 * HOUR, 10 * MINUTE, 60, random, out);
        let asked = done + random.between(20, 90) * MINUTE;
        let approved = asked + random.between(5, 40) * MINUTE;
        deal.paid().refund_by(post, (deal.price / 3, "contract_discount"), (asked, approved), random, out);
    }
    seen(post, vec![format!("user:{}", client.id)])
}

fn lead(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let random = &mut scene.random;
    let (second, from) = worker(Team::Finance, scene.start, random);
    for turn in 0..random.between(5, 10) {
        let client = scene.somebody(&scene.population.clients)?;
        let random = &mut scene.random;
        let at = from + turn * random.between(5, 14) * MINUTE;
        let agent = ops::on_duty(Team::Support, at, random);
        let (ticket, amount) = (ops::ticket(random), Some(random.between(20, 60) * 1_000));
        let action = case(agent.action("goodwill_credit", &client.id, at), "client_claim", &ticket, None);
        ops::send(&AdminAction { approver_id: Some(&second.id), amount, ..action }, at, out);
    }
    seen(second, Vec::new())
}

fn wallets(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (post, from) = worker(Team::Support, scene.start, &mut scene.random);
    for turn in 0..scene.random.between(3, 7) {
        let tasker = scene.somebody(&scene.population.taskers)?;
        let random = &mut scene.random;
        let at = from + turn * random.between(9, 25) * MINUTE;
        let (ticket, second) = (ops::ticket(random), ops::colleague(post, Team::Finance, random));
        let view = case(post.action("user_view", &tasker.id, at), "wallet_closed", &ticket, Some(1));
        ops::send(&view, at - 20 * SECOND, out);
        let change = case(post.action("payout_account_change", &tasker.id, at), "wallet_closed", &ticket, None);
        ops::send(&AdminAction { approver_id: Some(&second.id), ..change }, at + 2 * MINUTE, out);
    }
    seen(post, Vec::new())
}

fn rights(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (post, at) = worker(Team::Ops, scene.start, random);
    for turn in 0..random.between(4, 9) {
        let resource = *random.pick(&["report/supply", "users/search", "payouts/list"]);
        let denied = AuthzDenied { actor_id: &post.id, actor_role: "ops", resource, ip: post.ip(at) };
        out.send("authz.denied", at + turn * random.between(20, 200) * SECOND, None, &denied);
    }
    let (lead, then) = worker(Team::Platform, at + 40 * MINUTE, random);
    let (ticket, second) = (format!("ACC-{}", random.between(1_000, 9_999)), ops::colleague(lead, Team::Platform, random));
    let grant = case(lead.action("iam.role.grant", &post.id, then), "team_change", &ticket, None);
    ops::send(&AdminAction { approver_id: Some(&second.id), ..grant }, then, out);
    seen(post, vec![format!("admin:{}", lead.id)])
}

fn caller(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let client = scene.somebody(&scene.population.clients)?;
    let mut also = Vec::new();
    for turn in 0..scene.random.between(4, 7) {
        let random = &mut scene.random;
        let at = scene.start + turn * random.between(30, 90) * MINUTE;
        let agent = ops::on_duty(Team::Support, at, random);
        ops::help(agent, client, at, random, out);
        also.push(format!("admin:{}", agent.id));
    }
    Some(Cast { entity: format!("user:{}", client.id), also })
}
