//! Money and rights from inside: refunds for friends, roles for oneself, other people's payout accounts.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::admin::{SPANS, Said, cast, insider};
use crate::campaign::booking::{Side, job};
use crate::clock::{HOUR, MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::ops::{self, Post, Team};
use crate::honest::payment::payment;
use crate::payload::{AdminAction, AuthzDenied};
use crate::people::{Person, Role};
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "admin_refund_favourites",
        doc: "One agent refunds a few clients again and again.",
        span_ms: SPANS,
        stage: favourites,
    },
    Scenario {
        word: "admin_role_grant",
        doc: "Somebody gives rights to themself or a friend, and uses them.",
        span_ms: SPANS,
        stage: roles,
    },
    Scenario {
        word: "admin_payout_change",
        doc: "Somebody inside turns taskers' earnings to wallets of theirs.",
        span_ms: SPANS,
        stage: payouts,
    },
    Scenario { word: "admin_probing", doc: "Somebody inside tries doors that are not theirs.", span_ms: SPANS, stage: probing },
];

/// Half of each refund comes back to the agent. Blatant: one friend, all day. Moderate: two or three friends, in a shift. Careful: four
/// or five, parts of a price, over days, between refunds of others.
fn favourites(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, friends) = match level {
        Level::Blatant => (scene.param("refunds", 7, 18), scene.param("friends", 1, 2)),
        Level::Moderate => (scene.param("refunds", 6, 12), scene.param("friends", 2, 3)),
        Level::Careful => (scene.param("refunds", 7, 14), scene.param("friends", 3, 5)),
    };
    let people: Vec<Person> = (0..friends).map(|_| scene.hire(Role::Client)).collect();
    let (post, times) = insider(scene, level, (Team::Support, count), out);
    for (turn, at) in times.into_iter().enumerate() {
        let client = people.get(turn % people.len())?;
        let tasker = scene.neighbour(&scene.population.taskers, client.city)?;
        let random = &mut scene.random;
        let mut deal = Deal::new(client, tasker, random);
        (deal.method, deal.price) = ("card", random.between(100, 380) * 500);
        let proof = deal.proof(random);
        let story = out.story.take();
        let length = random.between(30, 70) * MINUTE;
        let done = job(&deal, random, at, (8 * MINUTE, length), Some(proof), Side::Honest, out);
        out.story = story;
        let part = if level == Level::Careful { deal.price * random.between(35, 85) / 100 } else { deal.price };
        let asked = done + random.between(10, 50) * MINUTE;
        // Approved faster than anybody else's.
        deal.paid().refund_by(&post, (part, "not_as_agreed"), (asked, asked + random.between(20, 200) * SECOND), random, out);
        if level == Level::Careful && turn % 3 == 0 {
            let other = scene.somebody(&scene.population.clients)?;
            let random = &mut scene.random;
            let story = out.story.take();
            let mut deal = Deal::new(other, tasker, random);
            deal.method = "card";
            let proof = deal.proof(random);
            let done = job(&deal, random, at + 20 * MINUTE, (9 * MINUTE, 50 * MINUTE), Some(proof), Side::Honest, out);
            deal.paid().refund_by(&post, (deal.price / 2, "not_as_agreed"), (done + HOUR, done + 80 * MINUTE), random, out);
            out.story = story;
        }
    }
    let things = people
        .iter()
        .flat_map(|person| [format!("user:{}", person.id), format!("instrument:{}", person.card), format!("device:{}", person.device())]);
    cast(&post, things)
}

/// Rights are worth what can be read and paid with them. Blatant: to oneself, and the highest. Moderate: to an account that nobody has
/// seen before, which reads at once. Careful: for an hour, with a ticket and a friend's approval, taken back after use, day by day.
fn roles(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("grants", 1, 5),
        Level::Moderate => scene.param("grants", 1, 4),
        Level::Careful => scene.param("grants", 2, 5),
    };
    let (post, times) = insider(scene, level, (Team::Platform, count), out);
    let other = Post::hired(Team::Support, 9, [7, 7], &mut scene.random);
    let friend = Post::hired(Team::Platform, 9, [7, 7], &mut scene.random);
    for at in times {
        let random = &mut scene.random;
        let to = if level == Level::Blatant { &post } else { &other };
        let said = Said { ticket: level == Level::Careful, reason: level != Level::Blatant, records: None, amount: None };
        let grant = said.of(post.action("iam.role.grant", &to.id, at), random);
        let approver_id = (level == Level::Careful).then_some(friend.id.as_ref());
        ops::send(&AdminAction { approver_id, ..grant }, at, out);
        let (searches, records) = match level {
            Level::Blatant => (random.between(2, 6), (200, 2_000)),
            Level::Moderate => (random.between(3, 8), (60, 500)),
            Level::Careful => (random.between(3, 6), (20, 120)),
        };
        for turn in 1..=searches {
            let then = at + turn * random.between(2, 7) * MINUTE;
            let said = Said { ticket: false, records: Some(random.between(records.0, records.1)), reason: true, amount: None };
            ops::send(&said.of(to.action("payout_details_list", "list:taskers", then), random), then, out);
        }
        if level == Level::Careful {
            let back = at + random.between(50, 80) * MINUTE;
            let said = Said { records: None, ..Said::READ };
            ops::send(&said.of(post.action("iam.role.revoke", &to.id, back), random), back, out);
        }
    }
    let others = [&other, &friend].into_iter().filter(|_| level != Level::Blatant).map(|one| format!("admin:{}", one.id));
    cast(&post, others.collect::<Vec<_>>())
}

/// Earnings go elsewhere before their owner looks. Blatant: one wallet for all, in an hour. Moderate: some wallets, with tickets,
/// nobody asked. Careful: one or two a day, with ticket, reason and a friend's approval; the payouts later, in two parts.
fn payouts(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("taskers", 4, 12),
        Level::Moderate => scene.param("taskers", 3, 7),
        Level::Careful => scene.param("taskers", 3, 6),
    };
    let (post, times) = insider(scene, level, (Team::Support, count), out);
    let friend = Post::hired(Team::Finance, 9, [7, 7], &mut scene.random);
    let wallets: Vec<String> = (0..if level == Level::Blatant { 1 } else { 2 }).map(|_| scene.random.id("wallet_")).collect();
    let mut also: Vec<String> = wallets.iter().map(|wallet| format!("instrument:{wallet}")).collect();
    for (turn, at) in times.into_iter().enumerate() {
        let tasker = scene.somebody(&scene.population.taskers)?;
        let random = &mut scene.random;
        let said = Said { ticket: level != Level::Blatant, reason: level != Level::Blatant, records: None, amount: None };
        let change = said.of(post.action("payout_account_change", &tasker.id, at), random);
        let approver_id = (level == Level::Careful).then_some(friend.id.as_ref());
        ops::send(&AdminAction { approver_id, ..change }, at, out);
        let parts = if level == Level::Careful { 2 } else { 1 };
        for part in 1..=parts {
            let then = at + part * random.between(20, 100) * MINUTE;
            let id = random.id("p_");
            let mut payout = payment(tasker, &id, random.between(80, 500) * 1_000 / parts, "wallet");
            payout.instrument_id = Some(wallets.get(turn % wallets.len())?);
            payout.device_id = None;
            out.send("payment.payout_requested", then, Some(tasker.subject()), &payout);
            out.send("payment.payout_paid", then + random.between(MINUTE, 6 * MINUTE), Some(tasker.subject()), &payout);
        }
        also.push(format!("user:{}", tasker.id));
    }
    also.extend((level == Level::Careful).then(|| format!("admin:{}", friend.id)));
    cast(&post, also)
}

/// What is behind the doors is worth more than one's own. Blatant: every page of the console, one after another, from home. Moderate:
/// a dozen in a shift. Careful: two or three a day, never the same twice, and the one that opens is read.
fn probing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let count = match level {
        Level::Blatant => scene.param("doors", 14, 60),
        Level::Moderate => scene.param("doors", 8, 20),
        Level::Careful => scene.param("doors", 7, 14),
    };
    let (post, times) = insider(scene, level, (Team::Support, count), out);
    let rooms =
        ["payouts/batch", "iam/roles", "iam/tokens", "report/commissions", "ledger/export", "kyc/documents", "case/safety", "config"];
    for (turn, at) in times.into_iter().enumerate() {
        let random = &mut scene.random;
        let room = rooms.get(turn % rooms.len())?;
        let resource = if turn < rooms.len() { (*room).to_owned() } else { format!("{room}/{}", random.between(1, 400)) };
        let ip = if level == Level::Blatant { post.home() } else { post.ip(at) };
        let denied = AuthzDenied { actor_id: &post.id, actor_role: "ops", resource: &resource, ip };
        out.send("authz.denied", at, None, &denied);
        if level == Level::Careful && turn % 4 == 3 {
            let then = at + random.between(3, 20) * MINUTE;
            let said = Said { ticket: false, records: Some(random.between(20, 90)), reason: true, amount: None };
            ops::send(&said.of(post.action("payout_details_list", "list:taskers", then), random), then, out);
        }
    }
    cast(&post, (level == Level::Blatant).then(|| format!("ip:{}", post.home())))
}
