//! Money taken out that is not one's own, or not there: accounts emptied, newcomers, more than was earned, more than the checks of
//! the person allow.

use super::money::{POUND, available, belongings, cash_out, enter, fund, join, known, line, papers};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::payload::CredentialChanged;
use crate::people::{Person, Role};
use crate::places::Network;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "payout_velocity",
        doc: "An account is emptied in many payouts.",
        span_ms: [5 * HOUR, 9 * HOUR, 2 * DAY],
        stage: velocity,
    },
    Scenario {
        word: "payout_new_tasker",
        doc: "A tasker of today is paid far more than a newcomer can have earned.",
        span_ms: [8 * HOUR, 20 * HOUR, 5 * DAY],
        stage: newcomer,
    },
    Scenario {
        word: "payout_above_earnings",
        doc: "An old account is paid more than it earned, by requests at one instant or a balance that was tampered with.",
        span_ms: [8 * HOUR, 20 * HOUR, 5 * DAY + 12 * HOUR],
        stage: above_earnings,
    },
    Scenario {
        word: "payout_above_kyc",
        doc: "An account with a basic check of the person is paid what only a full check allows.",
        span_ms: [10 * HOUR, 22 * HOUR, 5 * DAY + 12 * HOUR],
        stage: above_kyc,
    },
    Scenario {
        word: "wallet_drain",
        doc: "Somebody else's earnings go to a new account, nearly to the last pound.",
        span_ms: [2 * HOUR, 12 * HOUR, 4 * DAY],
        stage: drain,
    },
];

/// Payout after payout. Blatant: an account made an hour ago, filled by mules on the same device, emptied within the hour.
/// Moderate: an old account in other hands whose payout account has just been changed. Careful: on the owner's own phone, which was
/// stolen unlocked: small ones, each an hour or two after the last, for a day and a half.
fn velocity(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every) = match level {
        Level::Blatant => (scene.param("payouts", 7, 14), scene.param("every_s", 90, 420)),
        Level::Moderate => (scene.param("payouts", 5, 9), scene.param("every_s", 360, 2_400)),
        Level::Careful => (scene.param("payouts", 7, 14), scene.param("every_s", 3_400, 9_000)),
    };
    let pounds = scene.param("pounds", 250, 990);
    let home = line(scene);
    let start = scene.start;
    let (payee, mut also, mut at, mut left) = match level {
        Level::Blatant => {
            let payee = join(scene, Role::Tasker, None, &home, start, out);
            let mut mules: Vec<Person> = (0..3).map(|_| known(scene, Role::Client, 1)).collect();
            for mule in &mut mules {
                mule.devices.clone_from(&payee.devices);
            }
            let take = count * pounds * POUND;
            let at = fund(scene, &payee, &mules, (6, take), (start + 2 * MINUTE, 9 * MINUTE, 6 * MINUTE), out);
            let left = available(&payee, at, out);
            (payee, belongings(&mules), at, left)
        }
        Level::Moderate => {
            let population = scene.population;
            let payee = scene.somebody(&population.taskers)?.clone();
            let (payee, also) = taken(scene, payee, &home, start, out);
            (payee, also, start + 18 * MINUTE, count * pounds * POUND + 12_300)
        }
        Level::Careful => {
            let population = scene.population;
            let mut payee = scene.somebody(&population.taskers)?.clone();
            payee.home_line = home;
            enter(&payee, start, out);
            (payee, Vec::new(), start + 20 * MINUTE, count * pounds * POUND + 4_100)
        }
    };
    for _ in 0..count {
        let random = &mut scene.random;
        let amount = (pounds * POUND * random.between(60, 100) / 100).min(left);
        left -= amount;
        let told = random.chance(0.7).then_some(left);
        cash_out(&payee, amount, told, at, random, out);
        at += every * SECOND * random.between(85, 115) / 100;
    }
    also.extend(belongings([&payee]));
    Some(Cast { entity: format!("user:{}", payee.id), also })
}

/// The account is entered from the attacker's device, and its payout account changed, within seven minutes: the person as the
/// attacker is it now, and what he brought along.
fn taken(scene: &mut Scene<'_>, mut victim: Person, line: &Network, at: i64, out: &mut Outbox) -> (Person, Vec<String>) {
    let random = &mut scene.random;
    let device = random.id("d_");
    let account = random.id("wallet_");
    auth::login(&victim, &device, line, "password", at, out);
    auth::bind(&victim, &device, false, at + SECOND, out);
    let changed = CredentialChanged { user_id: &victim.id, device_id: &device, what: "payout_account", ip: Some(&line.ip) };
    out.send("auth.credential_changed", at + random.between(2 * MINUTE, 7 * MINUTE), Some(victim.subject()), &changed);
    let also = vec![format!("device:{device}"), format!("instrument:{account}"), format!("ip:{}", line.ip)];
    (victim.devices, victim.payout_account, victim.home_line) = (vec![device], account, line.clone());
    (victim, also)
}

/// A newcomer takes out what he never earned: a bonus claimed again and again, a balance that a fault shows. Blatant: no job at
/// all, thousands within hours of joining. Moderate: a job or two, many times their worth the same day. Careful: some jobs over
/// three days, twice their worth in pieces.
fn newcomer(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (jobs, pounds, times, count, every) = match level {
        Level::Blatant => (0, scene.param("pounds", 4_000, 14_000), 0, scene.param("payouts", 3, 8), scene.param("every_min", 5, 30)),
        Level::Moderate => (2, 900, scene.param("times", 3, 8), scene.param("payouts", 3, 6), scene.param("every_min", 40, 110)),
        Level::Careful => (6, 2_600, scene.param("times_half", 3, 5), scene.param("payouts", 4, 7), scene.param("every_min", 240, 420)),
    };
    let home = line(scene);
    let payee = join(scene, Role::Tasker, None, &home, scene.start, out);
    let mut also = belongings([&payee]);
    let mut at = scene.start + scene.random.between(20, 60) * MINUTE;
    papers(scene, &payee, "full", at - 5 * MINUTE, out);
    let mut total = pounds * POUND;
    if jobs > 0 {
        let clients: Vec<Person> = (0..jobs).map(|_| known(scene, Role::Client, 90)).collect();
        let every = if level == Level::Careful { 9 * HOUR } else { 2 * HOUR };
        at = fund(scene, &payee, &clients, (jobs, total), (at, every, 50 * MINUTE), out) + 30 * MINUTE;
        total = total * times / if level == Level::Careful { 2 } else { 1 };
        also.extend(belongings(&clients));
    }
    for _ in 0..count {
        let random = &mut scene.random;
        let amount = total / count * random.between(85, 115) / 100 / 100 * 100;
        let told = random.chance(0.4).then(|| random.between(0, 30) * 1_000);
        cash_out(&payee, amount, told, at, random, out);
        at += every * MINUTE * random.between(80, 120) / 100;
    }
    Some(Cast { entity: format!("user:{}", payee.id), also })
}

/// More than was earned. Blatant: the balance goes below nothing, and the service says so. Moderate: the whole balance is asked for
/// several times in one instant, before any of them counts. Careful: each day's earnings are taken twice, for days, and the
/// service tells no balance.
fn above_earnings(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let home = line(scene);
    let days = scene.param("account_days", 40, 500);
    let mut payee = known(scene, Role::Tasker, days);
    payee.home_line = home;
    let clients: Vec<Person> = (0..5).map(|_| known(scene, Role::Client, 150)).collect();
    let pounds = scene.param("earned", 700, 2_200);
    let rounds = if level == Level::Careful { scene.param("rounds", 3, 4) } else { 1 };
    let start = scene.start;
    for round in 0..rounds {
        let at = start + round * 28 * HOUR;
        enter(&payee, at, out);
        let jobs = if level == Level::Careful { 2 } else { 3 };
        let earned = fund(scene, &payee, &clients, (jobs, pounds * POUND), (at + MINUTE, 80 * MINUTE, 50 * MINUTE), out);
        let whole = available(&payee, earned, out).max(pounds * POUND * 8 / 10);
        let from = earned + scene.random.between(15, 60) * MINUTE;
        match level {
            Level::Blatant => {
                for piece in 0..scene.param("payouts", 3, 6) {
                    let random = &mut scene.random;
                    let at = from + piece * 12 * MINUTE;
                    let left = available(&payee, at, out) - whole;
                    cash_out(&payee, whole, Some(left), at, random, out);
                }
            }
            Level::Moderate => {
                let within = scene.param("within_ms", 40, 1_500);
                for _ in 0..scene.param("at_once", 3, 6) {
                    let random = &mut scene.random;
                    let at = from + random.between(0, within);
                    cash_out(&payee, whole, Some(0), at, random, out);
                }
            }
            Level::Careful => {
                let times = scene.param("percent", 160, 230);
                let again = from + scene.param("again_min", 60, 400) * MINUTE;
                let random = &mut scene.random;
                cash_out(&payee, whole, None, from, random, out);
                cash_out(&payee, whole * (times - 100) / 100, None, again, random, out);
            }
        }
    }
    let mut also = belongings(clients.iter().chain([&payee]));
    also.push(format!("account:payable:{}", payee.id));
    Some(Cast { entity: format!("user:{}", payee.id), also })
}

/// The level of a check that lets people be paid small sums alone, and what the levels allow by assumption: up to 3,000 pounds a
/// week at `basic`, any sum at `full`.
const BASIC: &str = "basic";

/// Sums that need a full check go to an account with a basic one, or with none. Filled by cards of others. Blatant: tens of
/// thousands in an afternoon. Moderate: ten thousand within a day. Careful: twice the limit over days, in ordinary sums.
fn above_kyc(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (pounds, jobs, every_job, count, every) = match level {
        Level::Blatant => (scene.param("pounds", 14_000, 40_000), 8, 12, scene.param("payouts", 2, 6), scene.param("every_min", 8, 40)),
        Level::Moderate => (scene.param("pounds", 7_000, 14_000), 7, 60, scene.param("payouts", 3, 6), scene.param("every_min", 50, 120)),
        Level::Careful => (scene.param("pounds", 5_000, 8_000), 9, 480, scene.param("payouts", 4, 7), scene.param("every_min", 400, 620)),
    };
    let home = line(scene);
    let payee = join(scene, Role::Tasker, None, &home, scene.start, out);
    if level == Level::Careful || scene.random.chance(0.7) {
        let at = scene.start + scene.random.between(5, 40) * MINUTE;
        papers(scene, &payee, BASIC, at, out);
    }
    let clients: Vec<Person> = (0..6).map(|_| known(scene, Role::Client, 30)).collect();
    let begin = scene.start + 45 * MINUTE;
    let end = fund(scene, &payee, &clients, (jobs, pounds * POUND), (begin, every_job * MINUTE, 25 * MINUTE), out);
    // Careful payouts go along with the earnings.
    let mut at = if level == Level::Careful { begin + 20 * HOUR } else { end + 20 * MINUTE };
    for piece in 0..count {
        let random = &mut scene.random;
        let owed = available(&payee, at, out);
        let amount = if piece + 1 == count { owed } else { owed.min(pounds * POUND / count * random.between(85, 115) / 100) } / 100 * 100;
        if amount >= 50 * POUND {
            let told = random.chance(0.7).then_some(owed - amount);
            cash_out(&payee, amount, told, at, random, out);
        }
        at += every * MINUTE * random.between(85, 115) / 100;
    }
    let also = belongings(clients.iter().chain([&payee]));
    Some(Cast { entity: format!("user:{}", payee.id), also })
}

/// Somebody else's earnings. Blatant: from a server, all within minutes. Moderate: from a home line, an hour or two after the payout
/// account was changed. Careful: the new account rests for a day or two, the money goes in two or three pieces.
fn drain(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let population = scene.population;
    let earners = if scene.random.chance(0.8) { &population.taskers } else { &population.drivers };
    let victim = scene.somebody(earners)?.clone();
    let (count, rest, every) = match level {
        Level::Blatant => (1, scene.param("rest_min", 2, 15), 5),
        Level::Moderate => (scene.param("payouts", 1, 2), scene.param("rest_min", 40, 300), 30),
        Level::Careful => (scene.param("payouts", 2, 3), scene.param("rest_min", 1_300, 2_900), scene.param("every_min", 300, 900)),
    };
    let balance = scene.param("balance", 900, 5_200) * POUND + scene.random.between(0, 99) * 50;
    let from = if level == Level::Blatant { Network::hosting(&mut scene.random) } else { line(scene) };
    let (payee, mut also) = taken(scene, victim, &from, scene.start, out);
    let mut at = scene.start + (8 + rest) * MINUTE;
    let mut left = balance;
    for piece in 0..count {
        let random = &mut scene.random;
        if piece > 0 || level == Level::Careful {
            enter(&payee, at - random.between(20 * SECOND, 2 * MINUTE), out);
        }
        let amount = if piece + 1 == count { left - random.between(0, 50) * 50 } else { balance / count / 500 * 500 };
        left -= amount;
        let told = (level != Level::Careful || random.chance(0.6)).then_some(left);
        cash_out(&payee, amount, told, at, random, out);
        at += every * MINUTE * random.between(80, 120) / 100;
    }
    also.push(format!("user:{}", payee.id));
    Some(Cast { entity: format!("user:{}", payee.id), also })
}
