//! Providers that are slow, tell us twice, or change their keys.
#![allow(clippy::unnecessary_wraps, reason = "a stage may be None")]

use crate::campaign::gateway::failing;
use crate::clock::{HOUR, MINUTE, SECOND, rfc3339};
use crate::honest::gateway::{PROVIDERS, deliver};
use crate::look_alike::{Often, Tale};
use crate::payload::Webhook;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

/// How often: assumptions for three providers.
pub(super) const TALES: &[Tale] = &[
    // Each of our deployments that lasts longer than a provider waits.
    Tale { word: "resent_after_deploy", doc: "A provider tells again what we did not answer.", often: Often::ADay(0.3), stage: resent },
    Tale { word: "told_twice", doc: "A provider's two servers tell of the same delivery.", often: Often::ADay(3.0), stage: twins },
    Tale { word: "slow_webhooks", doc: "A provider's queue is late by the half hour.", often: Often::ADay(0.3), stage: slow },
    Tale { word: "settlement_batch", doc: "All settlements of the day are told within minutes.", often: Often::ADay(0.6), stage: batch },
    // Two or three times in a year for each provider; here once in a month or so.
    Tale { word: "key_rotation", doc: "A provider signs with its new key before we know it.", often: Often::ADay(0.05), stage: keys },
    Tale { word: "provider_hiccup", doc: "A provider fails for minutes, and people try again.", often: Often::ADay(0.25), stage: hiccup },
    Tale { word: "new_line", doc: "A provider moves to other addresses.", often: Often::ADay(0.08), stage: moved },
];

fn seen(provider: &str, ips: &[&str]) -> Option<Cast> {
    Some(Cast { entity: format!("provider:{provider}"), also: ips.iter().map(|ip| format!("ip:{ip}")).collect() })
}

fn resent(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (provider, ips, again) = *random.pick(&PROVIDERS);
    for _ in 0..random.between(15, 50) {
        let at = scene.start + random.between(0, 8 * MINUTE);
        let attempts = usize::try_from(random.between(2, 4)).unwrap_or(2);
        deliver(provider, ips[0], (at, attempts, again), random, out);
    }
    seen(provider, &ips)
}

/// One message with that delivery, signed then.
fn tell((provider, ip): (&str, &str), delivery: &str, (nonce, valid): (String, bool), (signed, at): (i64, i64), out: &mut Outbox) {
    let webhook = Webhook { provider, delivery_id: delivery, nonce, signed_at: rfc3339(signed), signature_valid: valid, ip };
    out.send("webhook.received", at, None, &webhook);
}

fn twins(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (provider, ips, _) = *random.pick(&PROVIDERS);
    let delivery = random.id("dl_");
    for (turn, ip) in (0..).zip(ips) {
        let at = scene.start + turn * random.between(40, 1_500);
        tell((provider, ip), &delivery, (random.id("n_"), true), (at - random.between(100, 600), at), out);
    }
    seen(provider, &ips)
}

fn slow(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (provider, ips, _) = *random.pick(&PROVIDERS);
    let worst = random.between(4, 28) * MINUTE;
    for _ in 0..random.between(10, 40) {
        let at = scene.start + random.between(0, HOUR);
        let (delivery, ip) = (random.id("dl_"), *random.pick(&ips));
        let late = random.between(MINUTE, worst);
        tell((provider, ip), &delivery, (random.id("n_"), true), (at - late, at), out);
    }
    seen(provider, &ips)
}

fn batch(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (provider, ips, again) = *random.pick(&PROVIDERS);
    let minutes = random.between(4, 12);
    for _ in 0..random.between(100, 320) {
        let at = scene.start + random.between(0, minutes * MINUTE);
        let ip = *random.pick(&ips);
        deliver(provider, ip, (at, 1, again), random, out);
    }
    seen(provider, &ips)
}

fn keys(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (provider, ips, _) = *random.pick(&PROVIDERS);
    for _ in 0..random.between(3, 9) {
        let at = scene.start + random.between(0, 12 * MINUTE);
        let (delivery, ip) = (random.id("dl_"), *random.pick(&ips));
        tell((provider, ip), &delivery, (random.id("n_"), false), (at - 300, at), out);
        let later = scene.start + random.between(14, 40) * MINUTE;
        tell((provider, ip), &delivery, (random.id("n_"), true), (later - 300, later), out);
    }
    seen(provider, &ips)
}

fn hiccup(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let people = (scene.population.clients.as_slice(), scene.population.taskers.as_slice());
    let random = &mut scene.random;
    let (minutes, tries, percent) = (random.between(4, 12), random.between(3, 8), random.between(30, 70));
    let who = failing(people, (scene.start + 10 * SECOND, minutes), (tries, percent), random, out);
    (!who.is_empty()).then(|| Cast { entity: "provider:wallet_eg".to_owned(), also: who })
}

fn moved(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (provider, _, again) = *random.pick(&PROVIDERS);
    let ip = format!("198.51.100.{}", random.between(90, 120));
    for _ in 0..random.between(20, 60) {
        let at = scene.start + random.between(0, 20 * HOUR);
        deliver(provider, &ip, (at, 1, again), random, out);
    }
    seen(provider, &[&ip])
}
