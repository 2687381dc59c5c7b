//! The traffic of the doors: providers' webhooks, and what is turned away every day.
//!
//! Assumptions: one message of twenty is told again; four of 1,000 people a day find a door shut, three ask too often.

use crate::Config;
use crate::clock::{MINUTE, SECOND, busy_instant, rfc3339};
use crate::honest::staff::ROSTER;
use crate::honest::{auth, day_number};
use crate::payload::{ApiThrottled, AuthzDenied, Webhook};
use crate::people::{Person, Population};
use crate::random::Random;
use crate::wire::Outbox;

pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    let everybody: Vec<&Person> = population.everybody().collect();
    if !everybody.is_empty() {
        let random = &mut Random::of(config.seed, "gateway", day_number(day_start), 0);
        webhooks(random, config, day_start, out);
        shut_doors(&everybody, random, day_start, out);
    }
}

/// A provider that tells us of settlements and messages: its name, its lines, and whether a re-send is signed again.
pub(crate) const PROVIDERS: [(&str, [&str; 2], bool); 3] = [
    ("wallet_eg", ["198.51.100.20", "198.51.100.21"], true),
    ("cards_mea", ["198.51.100.40", "198.51.100.41"], false),
    ("sms_gate", ["198.51.100.60", "198.51.100.60"], true),
];

/// Providers tell of settlements, and send one again when our answer was slow: the same delivery, a new nonce.
fn webhooks(random: &mut Random, config: &Config, day_start: i64, out: &mut Outbox) {
    for (share, (provider, lines, again)) in [0.10, 0.07, 0.12].into_iter().zip(PROVIDERS) {
        for _ in 0..random.about(f64::from(config.clients) * share) {
            let at = busy_instant(random, day_start);
            let ip = *random.pick(&lines);
            let attempts = 1 + random.weighted(&[950, 38, 9, 3]);
            deliver(provider, ip, (at, attempts, again), random, out);
        }
    }
}

/// One delivery, with its attempts: after half a minute, five minutes, half an hour.
pub(crate) fn deliver(provider: &str, ip: &str, (at, attempts, again): (i64, usize, bool), random: &mut Random, out: &mut Outbox) {
    let (delivery, signed) = (random.id("dl_"), at - random.between(100, 900));
    for wait in [0, 30 * SECOND, 5 * MINUTE, 30 * MINUTE].into_iter().take(attempts) {
        let at = at + wait + random.between(0, wait / 4);
        let webhook = Webhook {
            provider,
            delivery_id: &delivery,
            nonce: random.id("n_"),
            signed_at: rfc3339(if again { at - random.between(100, 900) } else { signed }),
            signature_valid: true,
            ip,
        };
        out.send("webhook.received", at, None, &webhook);
    }
}

/// Old links, a tab left open, an app that asks too often: what a gateway turns away every day.
fn shut_doors(everybody: &[&Person], random: &mut Random, day_start: i64, out: &mut Outbox) {
    let people = f64::from(u32::try_from(everybody.len()).unwrap_or(u32::MAX));
    for _ in 0..random.about(people * 0.004) {
        let (person, at) = (*random.pick(everybody), busy_instant(random, day_start));
        let network = auth::network(person, random, at);
        let resource = format!("booking/{}", random.id("b_"));
        for again in 0..=i64::from(random.chance(0.3)) {
            let denied = AuthzDenied { actor_id: &person.id, actor_role: person.role.word(), resource: &resource, ip: &network.ip };
            out.send("authz.denied", at + again * random.between(2 * SECOND, 40 * SECOND), None, &denied);
        }
    }
    for _ in 0..random.between(0, 3) {
        // Somebody of the staff opens a page of another team's.
        let post = random.pick(&ROSTER);
        let at = post.instant(random, day_start);
        let resource = *random.pick(&["report/commissions", "payouts/batch", "iam/roles", "case/safety"]);
        let denied = AuthzDenied { actor_id: &post.id, actor_role: "ops", resource, ip: post.ip(at) };
        out.send("authz.denied", at, None, &denied);
    }
    for _ in 0..random.about(people * 0.003) {
        let (person, at) = (*random.pick(everybody), busy_instant(random, day_start));
        let network = auth::network(person, random, at);
        let route = *random.pick(&["/v1/search", "/v1/search", "/v1/matching", "/v1/chat/typing", "/v1/bookings"]);
        let user_id = random.chance(0.7).then_some(person.id.as_str());
        let throttled = ApiThrottled { route, ip: &network.ip, count: random.between(1, 30), user_id };
        out.send("api.throttled", at, None, &throttled);
    }
}
