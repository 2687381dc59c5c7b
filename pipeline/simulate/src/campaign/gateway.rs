//! The doors to providers: messages that are told again, made up, old or far too many; and a provider that is down, which is
//! nobody's fraud.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::clock::{DAY, HOUR, MINUTE, SECOND, rfc3339};
use crate::honest::booking::Deal;
use crate::honest::gateway::PROVIDERS;
use crate::honest::payment::payment;
use crate::payload::{Payment, Webhook};
use crate::people::Person;
use crate::places::Network;
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::trouble::Outage;
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "webhook_replay",
        doc: "A provider's message of a payment is told again, to be credited again.",
        span_ms: [8 * HOUR, 23 * HOUR, 5 * DAY],
        stage: replay,
    },
    Scenario {
        word: "webhook_forged",
        doc: "Somebody makes up a provider's messages.",
        span_ms: [2 * HOUR, 10 * HOUR, 6 * DAY],
        stage: forged,
    },
    Scenario {
        word: "webhook_stale",
        doc: "Old messages, kept back or copied, are told as if they were new.",
        span_ms: [3 * HOUR, 20 * HOUR, 6 * DAY],
        stage: stale,
    },
    Scenario {
        word: "webhook_flood",
        doc: "The door for providers' messages is run over.",
        span_ms: [HOUR, 2 * HOUR, 6 * HOUR],
        stage: flood,
    },
    Scenario {
        word: "provider_outage",
        doc: "A provider fails: nobody's fraud, and somebody must be called.",
        span_ms: [3 * HOUR, 4 * HOUR, 7 * HOUR],
        stage: outage,
    },
];

/// A message of a provider, as whoever it is sends it.
struct Message<'a> {
    provider: &'a str,
    delivery: &'a str,
    nonce: &'a str,
    signed: i64,
    valid: bool,
    ip: &'a str,
}

impl Message<'_> {
    fn send(&self, at: i64, out: &mut Outbox) {
        let webhook = Webhook {
            provider: self.provider,
            delivery_id: self.delivery,
            nonce: self.nonce.to_owned(),
            signed_at: rfc3339(self.signed),
            signature_valid: self.valid,
            ip: self.ip,
        };
        out.send("webhook.received", at, None, &webhook);
    }
}

fn cast(provider: &str, lines: &[String]) -> Option<Cast> {
    let also = lines.iter().flat_map(|ip| {
        let prefix = ip.rsplit_once('.').map_or("", |(prefix, _)| prefix);
        [format!("ip:{ip}"), format!("ip_prefix:{prefix}.0/24")]
    });
    Some(Cast { entity: format!("provider:{provider}"), also: also.collect() })
}

/// Addresses that the messages come from.
fn lines(scene: &mut Scene<'_>, count: i64) -> Vec<String> {
    (0..count).map(|_| Network::hosting(&mut scene.random).ip).collect()
}

/// A wallet is filled again by each. Blatant: one message again and again from a rented server. Moderate: a few, each some times, an
/// hour after the first. Careful: one again each, hours later, of several days, from addresses that change.
fn replay(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (originals, again) = match level {
        Level::Blatant => (scene.param("messages", 1, 4), scene.param("times", 6, 25)),
        Level::Moderate => (scene.param("messages", 2, 5), scene.param("times", 1, 4)),
        Level::Careful => (scene.param("messages", 3, 7), 1),
    };
    let (provider, own, _) = *scene.random.pick(&PROVIDERS);
    let servers = lines(scene, if level == Level::Careful { originals } else { 1 });
    let times: Vec<i64> = match level {
        Level::Blatant => (0..originals).map(|turn| scene.start + turn * 10 * MINUTE).collect(),
        Level::Moderate => (0..originals).map(|turn| scene.start + turn * 90 * MINUTE).collect(),
        Level::Careful => scene.spread(originals, 3),
    };
    for (turn, at) in times.into_iter().enumerate() {
        let random = &mut scene.random;
        let (delivery, nonce) = (random.id("dl_"), random.id("n_"));
        let signed = at - random.between(100, 900);
        let mut message =
            Message { provider, delivery: &delivery, nonce: &nonce, signed, valid: true, ip: random.pick::<&'static str>(&own) };
        let story = out.story.take();
        message.send(at, out);
        out.story = story;
        message.ip = servers.get(turn % servers.len())?;
        let mut then = at;
        for _ in 0..again {
            then += match level {
                Level::Blatant => random.between(2, 90) * SECOND,
                Level::Moderate => random.between(15, 70) * MINUTE,
                Level::Careful => random.between(3, 20) * HOUR,
            };
            message.send(then, out);
        }
    }
    cast(provider, &servers)
}

/// Somebody has found the address and not the secret. Blatant: one after another. Moderate: some an hour, of two servers. Careful: one
/// or two a day, each from elsewhere, each for another provider's door or the same.
fn forged(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (provider, _, _) = *scene.random.pick(&PROVIDERS);
    let (count, servers) = match level {
        Level::Blatant => (scene.param("messages", 15, 80), 1),
        Level::Moderate => (scene.param("messages", 6, 16), 2),
        Level::Careful => (scene.param("messages", 4, 9), 6),
    };
    let times: Vec<i64> = match level {
        Level::Blatant => {
            let apart = scene.param("seconds apart", 3, 60);
            (0..count).map(|turn| scene.start + turn * apart * SECOND).collect()
        }
        Level::Moderate => {
            let apart = scene.param("minutes apart", 5, 30);
            (0..count).map(|turn| scene.start + turn * apart * MINUTE).collect()
        }
        Level::Careful => {
            let days = scene.param("days", 2, 4);
            scene.spread(count, days)
        }
    };
    let servers = lines(scene, servers);
    for (turn, at) in times.into_iter().enumerate() {
        let random = &mut scene.random;
        let (delivery, nonce) = (random.id("dl_"), random.id("n_"));
        let ip = servers.get(turn % servers.len())?;
        Message { provider, delivery: &delivery, nonce: &nonce, signed: at - random.between(50, 2_000), valid: false, ip }.send(at, out);
    }
    cast(provider, &servers)
}

/// Copies with a nonce of their own, where only the body is signed. Blatant: from days ago, one after another. Moderate: hours old.
/// Careful: half an hour to an hour old, one or two a day, as a slow provider's would be.
fn stale(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (provider, _, _) = *scene.random.pick(&PROVIDERS);
    let (count, age) = match level {
        Level::Blatant => (scene.param("messages", 8, 30), scene.param("minutes old", 400, 6_000)),
        Level::Moderate => (scene.param("messages", 4, 10), scene.param("minutes old", 60, 400)),
        Level::Careful => (scene.param("messages", 4, 9), scene.param("minutes old", 20, 75)),
    };
    let times: Vec<i64> = match level {
        Level::Blatant => (0..count).map(|turn| scene.start + turn * 4 * MINUTE).collect(),
        Level::Moderate => {
            let apart = scene.param("minutes apart", 20, 100);
            (0..count).map(|turn| scene.start + turn * apart * MINUTE).collect()
        }
        Level::Careful => {
            let days = scene.param("days", 2, 4);
            scene.spread(count, days)
        }
    };
    let servers = lines(scene, if level == Level::Careful { 4 } else { 1 });
    for (turn, at) in times.into_iter().enumerate() {
        let random = &mut scene.random;
        let (delivery, nonce) = (random.id("dl_"), random.id("n_"));
        let signed = at - age * MINUTE * random.between(80, 120) / 100;
        let ip = servers.get(turn % servers.len())?;
        Message { provider, delivery: &delivery, nonce: &nonce, signed, valid: true, ip }.send(at, out);
    }
    cast(provider, &servers)
}

/// So that real messages do not come through. Blatant: thousands within minutes, from one place. Moderate: from some addresses of one
/// block. Careful: for hours, from many addresses, no more than a few a minute from each.
fn flood(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (provider, _, _) = *scene.random.pick(&PROVIDERS);
    let (count, span) = match level {
        Level::Blatant => (scene.param("messages", 700, 2_500), scene.param("minutes", 3, 15)),
        Level::Moderate => (scene.param("messages", 250, 700), scene.param("minutes", 15, 60)),
        Level::Careful => (scene.param("messages", 400, 1_000), scene.param("minutes", 120, 330)),
    };
    let servers = match level {
        Level::Blatant => lines(scene, 1),
        Level::Moderate => {
            let (first, hosts) = (Network::hosting(&mut scene.random).ip, scene.param("addresses", 3, 9));
            let prefix = first.rsplit_once('.').map_or("198.19.200", |(prefix, _)| prefix);
            (0..hosts).map(|host| format!("{prefix}.{}", 10 + host * 23)).collect()
        }
        Level::Careful => {
            let many = scene.param("addresses", 12, 40);
            lines(scene, many)
        }
    };
    for _ in 0..count {
        let random = &mut scene.random;
        let at = scene.start + random.between(0, span * MINUTE);
        let (delivery, nonce) = (random.id("dl_"), random.id("n_"));
        let ip = random.pick(&servers);
        Message { provider, delivery: &delivery, nonce: &nonce, signed: at - random.between(50, 900), valid: false, ip }.send(at, out);
    }
    cast(provider, &servers)
}

/// What fails at a provider that is down, for so long and for so many of a hundred tries; and people try again.
pub(crate) fn failing(
    people: (&[Person], &[Person]),
    (from, minutes): (i64, i64),
    (tries, percent): (i64, i64),
    random: &mut Random,
    out: &mut Outbox,
) -> Vec<String> {
    let (clients, taskers) = people;
    let share = f64::from(i32::try_from(percent).unwrap_or(100)) / 100.0;
    let mut who = Vec::new();
    if clients.is_empty() || taskers.is_empty() {
        return who;
    }
    for _ in 0..tries {
        let mut at = from + random.between(0, minutes * MINUTE);
        let (client, tasker) = (random.pick(clients), random.pick(taskers));
        let deal = Deal::new(client, tasker, random);
        for _ in 0..4 {
            let payout = random.chance(0.2);
            let payer = if payout { tasker } else { client };
            let id = random.id("p_");
            let mut paid = payment(payer, &id, deal.price, "wallet");
            if payout {
                paid.instrument_id = Some(&payer.payout_account);
            } else {
                (paid.booking_id, paid.counterparty_id) = (Some(deal.booking.as_str()), Some(tasker.id.as_str()));
            }
            let (done, operation) = if payout { ("payment.payout_requested", "payout") } else { ("payment.authorized", "authorize") };
            if payout {
                out.send(done, at - 2 * SECOND, Some(payer.subject()), &paid);
            }
            if !random.chance(share) {
                if !payout {
                    out.send(done, at, Some(payer.subject()), &paid);
                }
                break;
            }
            let reason = Some(*random.pick(&["provider_timeout", "provider_timeout", "provider_error", "provider_unavailable"]));
            let failed = Payment { reason, operation: Some(operation), ..paid };
            out.send("payment.failed", at, Some(payer.subject()), &failed);
            who.push(format!("user:{}", payer.id));
            at += random.between(30, 400) * SECOND;
            if at > from + minutes * MINUTE {
                break;
            }
        }
    }
    who
}

/// Blatant: everything fails for an hour or so. Moderate: more than half. Careful: a quarter or more, for hours, as when one of four
/// servers is lost.
fn outage(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (tries, percent, minutes) = match level {
        Level::Blatant => (scene.param("payments", 20, 70), scene.param("percent", 92, 100), scene.param("minutes", 25, 100)),
        Level::Moderate => (scene.param("payments", 20, 60), scene.param("percent", 55, 85), scene.param("minutes", 40, 130)),
        Level::Careful => (scene.param("payments", 40, 100), scene.param("percent", 25, 50), scene.param("minutes", 120, 300)),
    };
    let people = (scene.population.clients.as_slice(), scene.population.taskers.as_slice());
    let from = scene.start + 10 * MINUTE;
    let who = failing(people, (from, minutes), (tries, percent), &mut scene.random, out);
    let share = f64::from(i32::try_from(percent).unwrap_or(100)) / 100.0;
    out.brought.outage(Outage { provider: "wallet_eg", from, until: from + minutes * MINUTE, share });
    // The people it happens to are nobody's suspects: an alert about one of them names the wrong thing.
    (!who.is_empty()).then(|| Cast { entity: "provider:wallet_eg".to_owned(), also: Vec::new() })
}
