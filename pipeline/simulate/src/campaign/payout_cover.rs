//! Money moved under a cover: many accounts for one wallet, accounts that only pass it on, sums just under a limit, cards that pay
//! only one's own tasker.

use super::money::{POUND, available, belongings, cash_out, deal, enter, fund, join, known, line, papers, waking};
use crate::clock::{DAY, HOUR, MINUTE};
use crate::honest::books::{payable, post};
use crate::people::{Person, Role};
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "shared_wallet",
        doc: "Many accounts are paid out to one wallet.",
        span_ms: [8 * HOUR, 20 * HOUR, 6 * DAY],
        stage: shared_wallet,
    },
    Scenario {
        word: "mule_mirror",
        doc: "What others' cards pay in goes out again within hours, nearly to the pound.",
        span_ms: [8 * HOUR, 20 * HOUR, 6 * DAY],
        stage: mirror,
    },
    Scenario {
        word: "structuring",
        doc: "Payouts stay just under a limit, again and again.",
        span_ms: [12 * HOUR, 20 * HOUR, 6 * DAY],
        stage: structuring,
    },
    Scenario {
        word: "self_payment",
        doc: "Cards pay for jobs of one's own tasker alone, which nobody does, and he is paid out.",
        span_ms: [10 * HOUR, 20 * HOUR, 6 * DAY],
        stage: own_tasker,
    },
];

/// Many accounts, one wallet: newcomers' bonuses and single fake jobs are gathered. Blatant: accounts of one device, made and
/// emptied in hours. Moderate: devices of their own, within a day. Careful: older accounts over days, a few hundred pounds each.
fn shared_wallet(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, every, pounds) = match level {
        Level::Blatant => (scene.param("accounts", 7, 14), scene.param("every_min", 8, 24), scene.param("pounds", 200, 700)),
        Level::Moderate => (scene.param("accounts", 5, 9), scene.param("every_min", 50, 110), scene.param("pounds", 300, 1_000)),
        Level::Careful => (scene.param("accounts", 4, 7), scene.param("every_min", 700, 1_050), scene.param("pounds", 400, 1_400)),
    };
    let wallet = scene.random.id("wallet_");
    let mut people: Vec<Person> = Vec::new();
    for account in 0..accounts {
        let at = waking(scene, level, scene.start + account * every * MINUTE);
        let home = people.first().filter(|_| level == Level::Blatant).map(|first| first.home_line.clone());
        let home = home.unwrap_or_else(|| line(scene));
        let mut payee = if level == Level::Careful {
            let mut payee = known(scene, Role::Tasker, 40);
            payee.home_line = home;
            enter(&payee, at, out);
            payee
        } else {
            let device = people.first().filter(|_| level == Level::Blatant).map(|first| first.device().to_owned());
            let payee = join(scene, Role::Tasker, device.as_deref(), &home, at, out);
            if level == Level::Moderate {
                papers(scene, &payee, "full", at + 4 * MINUTE, out);
            }
            payee
        };
        payee.payout_account.clone_from(&wallet);
        let amount = pounds * POUND * scene.random.between(80, 120) / 100 / 100 * 100;
        let ready = if level == Level::Blatant {
            // A newcomer's bonus.
            let lines = [("promotions", amount), (&*payable(&payee), -amount)];
            post(&lines, None, at + 6 * MINUTE, &mut scene.random, out);
            at + 10 * MINUTE
        } else {
            let payers = [known(scene, Role::Client, 20)];
            let ready = fund(scene, &payee, &payers, (1, amount), (at + 5 * MINUTE, HOUR, 30 * MINUTE), out);
            people.extend(payers);
            ready + 20 * MINUTE
        };
        let owed = available(&payee, ready, out) / 100 * 100;
        let told = scene.random.chance(0.6).then_some(0);
        cash_out(&payee, owed, told, ready, &mut scene.random, out);
        people.push(payee);
    }
    Some(Cast { entity: format!("instrument:{wallet}"), also: belongings(&people) })
}

/// In and out: stolen cards pay the mule, and the money leaves. Blatant: minutes after each. Moderate: within two hours, a part
/// kept. Careful: two or three mules, half a day between, a tenth kept as a wage; tens of thousands pass in a week.
fn mirror(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (mules, rounds, every, after, kept) = match level {
        Level::Blatant => (1, scene.param("rounds", 4, 8), scene.param("every_min", 30, 50), scene.param("after_min", 2, 15), 0),
        Level::Moderate => (
            1,
            scene.param("rounds", 3, 6),
            scene.param("every_min", 90, 160),
            scene.param("after_min", 20, 120),
            scene.param("kept", 0, 4),
        ),
        Level::Careful => {
            let rounds = scene.param("rounds", 5, 9);
            (scene.param("mules", 1, 3), rounds, scene.param("every_min", 560, 800), scene.param("after_min", 150, 500), 9)
        }
    };
    let pounds = scene.param("pounds", 1_200, 5_000);
    let days = scene.param("account_days", 10, 300);
    let mut people: Vec<Person> = Vec::new();
    for _ in 0..mules {
        let mut mule = known(scene, Role::Tasker, days);
        mule.home_line = line(scene);
        people.push(mule);
    }
    let mut payers: Vec<Person> = Vec::new();
    for (round, mule) in (0..rounds).zip(people.iter().cycle()) {
        let at = waking(scene, level, scene.start + round * every * MINUTE);
        enter(mule, at, out);
        let payer = [known(scene, Role::Client, 3)];
        let amount = pounds * POUND * scene.random.between(70, 130) / 100;
        let work = if level == Level::Careful { scene.random.between(30, 70) } else { 8 } * MINUTE;
        let paid = fund(scene, mule, &payer, (1, amount), (at + MINUTE, HOUR, work), out);
        payers.extend(payer);
        let gone = paid + after * MINUTE * scene.random.between(80, 120) / 100;
        let owed = available(mule, gone, out);
        let goes = owed * (100 - kept) / 100 / 500 * 500;
        let told = scene.random.chance(0.7).then_some(owed - goes);
        cash_out(mule, goes, told, gone, &mut scene.random, out);
    }
    let entity = format!("user:{}", people.first()?.id);
    Some(Cast { entity, also: belongings(people.iter().chain(&payers)) })
}

/// Just under a limit, whatever it is: the second look that a larger sum would get is what is avoided. Blatant: in a row, the same
/// sum. Moderate: through a day, a little different. Careful: two or three accounts for one purse, a payout or two a day.
fn structuring(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, count, every, under) = match level {
        Level::Blatant => (1, scene.param("payouts", 6, 12), scene.param("every_min", 6, 30), (1, 2)),
        Level::Moderate => (1, scene.param("payouts", 4, 7), scene.param("every_min", 60, 130), (1, scene.param("under_permille", 8, 40))),
        Level::Careful => {
            let (accounts, payouts) = (scene.param("accounts", 2, 3), scene.param("payouts", 6, 10));
            (accounts, payouts, scene.param("every_min", 480, 700), (4, scene.param("under_permille", 20, 80)))
        }
    };
    let limit = scene.choice("limit", &[1_000, 2_000, 2_500, 3_000, 5_000]) * POUND;
    let wallet = scene.random.id("wallet_");
    let clients: Vec<Person> = (0..6).map(|_| known(scene, Role::Client, 120)).collect();
    let mut payees: Vec<Person> = Vec::new();
    let mut ready = scene.start;
    for _ in 0..accounts {
        let mut payee = known(scene, Role::Tasker, 90);
        payee.home_line = line(scene);
        if level == Level::Careful {
            payee.payout_account.clone_from(&wallet);
        }
        enter(&payee, scene.start, out);
        let jobs = count / accounts + 2;
        let take = (count / accounts + 1) * limit;
        ready = ready.max(fund(scene, &payee, &clients, (jobs, take), (scene.start + MINUTE, 12 * MINUTE, 40 * MINUTE), out));
        payees.push(payee);
    }
    for (number, payee) in (0..count).zip(payees.iter().cycle()) {
        let random = &mut scene.random;
        let at = ready + (number * every + random.between(0, every / 3)) * MINUTE;
        let amount = limit - (limit * random.between(under.0, under.1) / 1_000).max(POUND) / 100 * 100;
        let told = random.chance(0.7).then(|| available(payee, at, out) - amount);
        cash_out(payee, amount, told, at, random, out);
    }
    let also = belongings(payees.iter().chain(&clients));
    Some(Cast { entity: format!("user:{}", payees.first()?.id), also })
}

/// Stolen cards become cash: they pay one's own tasker, nobody works, he is paid out. Blatant: one client, one card, one device,
/// jobs of minutes. Moderate: two or three clients on his line. Careful: clients, devices and lines of their own, jobs as long and
/// dear as others', payouts twice in a week.
fn own_tasker(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (socks, jobs, every, work, pounds) = match level {
        Level::Blatant => (1, scene.param("jobs", 5, 10), scene.param("every_min", 20, 40), (4, 12), scene.param("pounds", 400, 1_500)),
        Level::Moderate => (
            scene.param("socks", 2, 3),
            scene.param("jobs", 5, 8),
            scene.param("every_min", 60, 120),
            (8, 30),
            scene.param("pounds", 500, 1_800),
        ),
        Level::Careful => (
            scene.param("socks", 3, 5),
            scene.param("jobs", 7, 11),
            scene.param("every_min", 560, 680),
            (50, 150),
            scene.param("pounds", 500, 1_400),
        ),
    };
    let home = line(scene);
    let days = scene.param("tasker_days", 2, 60);
    let mut payee = known(scene, Role::Tasker, days);
    payee.home_line = home.clone();
    let card = scene.random.id("card_");
    let mut clients: Vec<Person> = Vec::new();
    for sock in 0..socks {
        let device = (level == Level::Blatant).then(|| payee.device().to_owned());
        let theirs = if level == Level::Careful { line(scene) } else { home.clone() };
        let mut client = join(scene, Role::Client, device.as_deref(), &theirs, scene.start + sock * 2 * MINUTE, out);
        if level != Level::Careful || sock % 2 == 0 {
            client.card.clone_from(&card);
        }
        clients.push(client);
    }
    let mut at = scene.start + 15 * MINUTE;
    for (number, client) in (0..jobs).zip(clients.iter().cycle()) {
        let random = &mut scene.random;
        let price = pounds * POUND * random.between(75, 130) / 100;
        let job = deal(client, &payee, price, "card", random);
        let done = job.play(at, random.between(work.0, work.1) * MINUTE, random, out);
        let taken = match level {
            Level::Blatant => number % 3 == 2,
            Level::Moderate | Level::Careful => number + 1 == jobs || number == jobs / 2,
        };
        if taken {
            let when = done + random.between(12, 50) * MINUTE;
            let owed = available(&payee, when, out) / 100 * 100;
            enter(&payee, when - MINUTE, out);
            cash_out(&payee, owed, random.chance(0.7).then_some(0), when, random, out);
        }
        at += every * MINUTE * random.between(85, 110) / 100;
    }
    let also = belongings(clients.iter().chain([&payee]));
    Some(Cast { entity: format!("user:{}", payee.id), also })
}
