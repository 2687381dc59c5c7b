//! The books themselves: payments taken twice, entries that do not balance, entries posted again, entries that never come.

use super::money::{POUND, available, belongings, cash_out, deal, known, waking};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::books::{payable, post, post_as};
use crate::honest::payment::COMMISSION;
use crate::people::{Person, Role};
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "double_capture",
        doc: "A booking's payment is taken from the client twice, and the tasker paid twice.",
        span_ms: [9 * HOUR, 20 * HOUR, 6 * DAY],
        stage: twice,
    },
    Scenario {
        word: "ledger_imbalance",
        doc: "Entries give an account more than they take: alone, over a booking, or in crumbs over many.",
        span_ms: [9 * HOUR, 20 * HOUR, 6 * DAY],
        stage: imbalance,
    },
    Scenario {
        word: "ledger_reposted",
        doc: "Entries are posted again, and an earner is owed the same pay twice.",
        span_ms: [9 * HOUR, 20 * HOUR, 6 * DAY],
        stage: reposted,
    },
    Scenario {
        word: "missing_posting",
        doc: "Money is taken and no entry says so: it goes elsewhere.",
        span_ms: [9 * HOUR, 20 * HOUR, 6 * DAY],
        stage: missing,
    },
];

/// Whom and what an alert about that tasker's books may name.
fn names(payee: &Person) -> Vec<String> {
    [format!("account:payable:{}", payee.id)].into_iter().chain(belongings([payee])).collect()
}

/// The payment endpoint takes a request again where its key is left out; the tasker's app sends it again. Blatant: the same
/// payment two or three times within minutes. Moderate: once more, hours later, or under a new number. Careful: a day or two
/// later under a new number; each is another job's pay for nothing.
fn twice(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every, after, again) = match level {
        Level::Blatant => (scene.param("jobs", 3, 7), scene.param("every_min", 20, 50), scene.param("after_min", 1, 8), (1, 2)),
        Level::Moderate => (scene.param("jobs", 3, 5), scene.param("every_min", 90, 180), scene.param("after_min", 15, 240), (1, 1)),
        Level::Careful => (scene.param("jobs", 3, 5), scene.param("every_min", 700, 1_000), scene.param("after_min", 600, 2_400), (1, 1)),
    };
    let pounds = scene.param("pounds", 300, 1_500);
    let payee = known(scene, Role::Tasker, 80);
    let mut also = names(&payee);
    for number in 0..count {
        let at = waking(scene, level, scene.start + number * every * MINUTE);
        let population = scene.population;
        let client = scene.somebody(&population.clients)?;
        let random = &mut scene.random;
        let job = deal(client, &payee, pounds * POUND * random.between(70, 130) / 100, "card", random);
        let work = random.between(25, 80) * MINUTE;
        let done = scene.aside(out, |scene, out| job.play(at, work, &mut scene.random, out)) + 4 * MINUTE;
        let random = &mut scene.random;
        for time in 1..=random.between(again.0, again.1) {
            let at = done + time * after * MINUTE + random.between(0, 40 * SECOND);
            let other = random.id("p_");
            let mut paid = job.paid();
            if level == Level::Careful || (level == Level::Moderate && random.chance(0.5)) {
                paid.id = &other;
                also.push(format!("payment:{other}"));
            }
            paid.capture(at, out);
            paid.book(at + random.between(100, 2_000), random, out);
        }
        also.extend([format!("booking:{}", job.booking), format!("payment:{}", job.payment)]);
    }
    let end = scene.start + (count * every + 100 + after * again.1) * MINUTE;
    cash_out_all(&payee, end, scene, out);
    Some(Cast { entity: format!("user:{}", payee.id), also })
}

/// All that somebody may take, to the pound, at once.
fn cash_out_all(payee: &Person, at: i64, scene: &mut Scene<'_>, out: &mut Outbox) {
    let owed = available(payee, at, out) / 100 * 100;
    cash_out(payee, owed, Some(0), at, &mut scene.random, out);
}

/// Entries written past the service. Blatant: an entry gives hundreds that nothing gives up. Moderate: crumbs, each entry off by a
/// few pounds or in another currency, on one account over many. Careful: each entry balances; over the booking more goes to the tasker
/// than the client paid, out of an account that nobody reads.
fn imbalance(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every, pounds) = match level {
        Level::Blatant => (scene.param("entries", 3, 7), scene.param("every_min", 10, 50), scene.param("pounds", 300, 4_000)),
        Level::Moderate => (scene.param("entries", 8, 14), scene.param("every_min", 30, 70), scene.param("pounds", 5, 60)),
        Level::Careful => (scene.param("entries", 4, 7), scene.param("every_min", 600, 980), scene.param("pounds", 300, 1_200)),
    };
    let foreign = level == Level::Moderate && scene.choice("how", &[true, false]);
    let payee = known(scene, Role::Tasker, 150);
    let mut also = names(&payee);
    for number in 0..count {
        let at = waking(scene, level, scene.start + number * every * MINUTE);
        let population = scene.population;
        let client = scene.somebody(&population.clients)?;
        let random = &mut scene.random;
        let job = deal(client, &payee, random.between(200, 900) * POUND, "card", random);
        let work = random.between(20, 50) * MINUTE;
        let extra = pounds * POUND * random.between(70, 130) / 100;
        let (amount, commission) = (job.price, job.price * COMMISSION / 100);
        let done = scene.aside(out, |scene, out| {
            let done = job.work(at, work, &mut scene.random, out) + 2 * MINUTE;
            job.paid().capture(done, out);
            done
        });
        let random = &mut scene.random;
        let owed = payable(&payee);
        let posted = done + random.between(100, 2_000);
        let whole = [("provider_clearing", amount), ("commission", -commission), (&*owed, commission - amount)];
        match level {
            Level::Moderate if foreign => {
                let id = random.id("le_");
                crate::honest::books::post_in(id, ("USD", extra / 10), &whole, Some(&job.booking), posted, out);
            }
            Level::Blatant | Level::Moderate => {
                let lines = [("provider_clearing", amount), ("commission", -commission), (&*owed, commission - amount - extra)];
                post(&lines, Some(&job.booking), posted, random, out);
            }
            Level::Careful => {
                scene.aside(out, |scene, out| post(&whole, Some(&job.booking), posted, &mut scene.random, out));
                let random = &mut scene.random;
                let later = posted + random.between(30, 400) * MINUTE;
                post(&[("suspense", extra), (&*owed, -extra)], Some(&job.booking), later, random, out);
            }
        }
        also.push(format!("booking:{}", job.booking));
    }
    let end = scene.start + (count * every + if level == Level::Careful { 480 } else { 90 }) * MINUTE;
    cash_out_all(&payee, end, scene, out);
    also.extend(["account:suspense", "account:provider_clearing"].map(str::to_owned));
    Some(Cast { entity: format!("account:payable:{}", payee.id), also })
}

/// The same pay owed twice. Blatant: the same entry, minutes later, again and again. Moderate: once more, hours later. Careful: a
/// day later, under a new number.
fn reposted(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every, after, again) = match level {
        Level::Blatant => (scene.param("entries", 3, 7), scene.param("every_min", 15, 45), scene.param("after_min", 1, 10), (1, 3)),
        Level::Moderate => (scene.param("entries", 3, 5), scene.param("every_min", 60, 150), scene.param("after_min", 20, 300), (1, 1)),
        Level::Careful => {
            (scene.param("entries", 3, 5), scene.param("every_min", 600, 900), scene.param("after_min", 1_000, 2_600), (1, 1))
        }
    };
    let pounds = scene.param("pounds", 300, 1_500);
    let payee = known(scene, Role::Tasker, 200);
    let mut also = names(&payee);
    for number in 0..count {
        let at = waking(scene, level, scene.start + number * every * MINUTE);
        let population = scene.population;
        let client = scene.somebody(&population.clients)?;
        let random = &mut scene.random;
        let job = deal(client, &payee, pounds * POUND * random.between(70, 130) / 100, "card", random);
        let (entry, work) = (random.id("le_"), random.between(20, 60) * MINUTE);
        let commission = job.price * COMMISSION / 100;
        let owed = payable(&payee);
        let lines = [("provider_clearing", job.price), ("commission", -commission), (&*owed, commission - job.price)];
        let done = scene.aside(out, |scene, out| {
            let done = job.work(at, work, &mut scene.random, out) + 2 * MINUTE;
            job.paid().capture(done, out);
            post_as(entry.clone(), &lines, Some(&job.booking), done + SECOND, out);
            done
        });
        let random = &mut scene.random;
        for time in 1..=random.between(again.0, again.1) {
            let id = if level == Level::Careful { random.id("le_") } else { entry.clone() };
            post_as(id, &lines, Some(&job.booking), done + time * after * MINUTE, out);
        }
        also.extend([format!("booking:{}", job.booking), format!("payment:{}", job.payment)]);
    }
    let end = scene.start + (count * every + 90 + after * again.1) * MINUTE;
    cash_out_all(&payee, end, scene, out);
    Some(Cast { entity: format!("account:payable:{}", payee.id), also })
}

/// Captures that an insider at the ledger leaves out, so that the clearing account pays them elsewhere. Blatant: every job of an
/// evening. Moderate: some through a day. Careful: one or two a day, of clients and taskers who have nothing to do with each other.
fn missing(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (count, every) = match level {
        Level::Blatant => (scene.param("captures", 6, 14), scene.param("every_min", 10, 30)),
        Level::Moderate => (scene.param("captures", 4, 7), scene.param("every_min", 60, 140)),
        Level::Careful => (scene.param("captures", 4, 8), scene.param("every_min", 500, 860)),
    };
    let pounds = scene.param("pounds", 400, 2_500);
    let population = scene.population;
    let accomplice = known(scene, Role::Tasker, 70);
    let mut also = Vec::new();
    let mut first = None;
    for number in 0..count {
        let at = waking(scene, level, scene.start + number * every * MINUTE);
        let client = scene.somebody(&population.clients)?;
        let tasker = if level == Level::Careful { scene.somebody(&population.taskers)? } else { &accomplice };
        let random = &mut scene.random;
        let job = deal(client, tasker, pounds * POUND * random.between(70, 130) / 100, "card", random);
        let work = random.between(25, 80) * MINUTE;
        let done = scene.aside(out, |scene, out| job.work(at, work, &mut scene.random, out));
        job.paid().capture(done + scene.random.between(1, 4) * MINUTE, out);
        first.get_or_insert(format!("booking:{}", job.booking));
        also.extend([format!("booking:{}", job.booking), format!("payment:{}", job.payment)]);
    }
    if level != Level::Careful {
        also.extend(belongings([&accomplice]));
    }
    also.extend(["account:provider_clearing".to_owned(), "all:all".to_owned(), "provider:card_eg".to_owned()]);
    Some(Cast { entity: first?, also })
}
