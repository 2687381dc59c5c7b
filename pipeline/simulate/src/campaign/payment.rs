//! Money taken back or out: refunds on jobs that were done, and accounts emptied in many payouts.

use crate::Level;
use crate::campaign::{Cast, Scene};
use crate::clock::{DAY, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::honest::payment::payment;
use crate::people::{Person, Role};
use crate::places::Network;
use crate::random::Random;
use crate::wire::{CredentialChanged, Outbox};

/// Refund after refund. Blatant: ten in two hours by one client. Moderate: six in a working day. Careful: three accounts on one
/// device and card, two each, every account under the daily limit.
pub(super) fn refunds(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (accounts, rounds, every, pounds, wait) = match scene.level {
        Level::Blatant => (1, 10, 6 * MINUTE, (900, 1_500), (24, 34)),
        Level::Moderate => (1, 6, 60 * MINUTE, (1_000, 1_600), (40, 60)),
        Level::Careful => (3, 2, 85 * MINUTE, (1_500, 2_300), (40, 60)),
    };
    let mut clients: Vec<Person> = (0..accounts).map(|_| scene.hire(Role::Client)).collect();
    let (device, card) = (clients.first()?.devices.clone(), clients.first()?.card.clone());
    for client in &mut clients {
        (client.devices, client.card) = (device.clone(), card.clone());
        client.created_at = scene.start - scene.random.between(4 * DAY, 30 * DAY);
    }
    let mut at = scene.start;
    for _ in 0..rounds {
        for client in &clients {
            let tasker = scene.somebody(&scene.population.taskers)?;
            let random = &mut scene.random;
            let mut deal = Deal::new(client, tasker, random);
            (deal.method, deal.price) = ("card", random.between(pounds.0, pounds.1) / 5 * 500);
            done(&deal, random, at, out);
            let asked = at + random.between(wait.0, wait.1) * MINUTE;
            deal.event("booking.disputed", asked - 8 * SECOND, "client", None, out);
            deal.paid().refund(deal.price, "not_done", asked, random, out);
            at += every;
        }
    }
    let mut also: Vec<String> = clients.iter().skip(1).map(|client| format!("user:{}", client.id)).collect();
    also.extend([format!("instrument:{card}")]);
    also.extend(device.iter().map(|device| format!("device:{device}")));
    Some(Cast { entity: format!("user:{}", clients.first()?.id), also })
}

/// A booking from question to capture within twenty minutes.
fn done(deal: &Deal<'_>, random: &mut Random, at: i64, out: &mut Outbox) {
    deal.event("booking.created", at, "client", None, out);
    deal.event("booking.accepted", at + MINUTE, "tasker", None, out);
    deal.paid().authorize(at + 6 * MINUTE, random, out);
    deal.event("booking.started", at + 7 * MINUTE, "tasker", None, out);
    let proof = deal.proof(random);
    deal.event("booking.completed", at + 16 * MINUTE, "tasker", Some(proof), out);
    deal.paid().settle(at + 17 * MINUTE, random, out);
}

/// Payout after payout. Blatant: an account made an hour ago, paid by mules on the same device, emptied in eight. Moderate: an
/// old account whose payout account has just been changed, six in an hour. Careful: seven, each an hour after the last.
pub(super) fn payouts(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let mut payee = scene.hire(Role::Tasker);
    let line = Network::home(&mut scene.random, payee.city);
    let start = scene.start;
    payee.created_at = match scene.level {
        Level::Blatant => start,
        Level::Moderate => start - scene.random.between(100 * DAY, 400 * DAY),
        Level::Careful => start - 2 * DAY,
    };
    let (mut at, count, every) = match scene.level {
        Level::Blatant => (start + 48 * MINUTE, 8, (4 * MINUTE, 5 * MINUTE)),
        Level::Moderate => (start + 18 * MINUTE, 6, (7 * MINUTE, 9 * MINUTE)),
        Level::Careful => (start + 20 * MINUTE, 7, (58 * MINUTE, 66 * MINUTE)),
    };
    let mut also = vec![format!("device:{}", payee.device()), format!("instrument:{}", payee.payout_account)];
    match scene.level {
        Level::Blatant => {
            auth::register(&payee, &line, start, out);
            for mule in 0..3 {
                let mut client = scene.hire(Role::Client);
                client.devices.clone_from(&payee.devices);
                client.created_at = start - DAY;
                let random = &mut scene.random;
                let mut deal = Deal::new(&client, &payee, random);
                (deal.method, deal.price) = ("card", random.between(300, 600) * 500);
                done(&deal, random, start + (2 + mule * 8) * MINUTE, out);
                also.push(format!("user:{}", client.id));
            }
        }
        Level::Moderate => {
            let device = scene.random.id("d_");
            auth::bind(&payee, &device, false, start, out);
            auth::login(&payee, &device, &line, "password", start + SECOND, out);
            let changed = CredentialChanged { user_id: &payee.id, device_id: &device, what: "payout_account", ip: Some(&line.ip) };
            out.send("auth.credential_changed", start + 6 * MINUTE, Some(payee.subject()), &changed);
            also.push(format!("device:{device}"));
            payee.devices = vec![device];
        }
        Level::Careful => auth::login(&payee, payee.device(), &line, "refresh", start, out),
    }
    let random = &mut scene.random;
    for _ in 0..count {
        let id = random.id("p_");
        let mut payout = payment(&payee, &id, random.between(300, 990) * 100, "wallet");
        payout.instrument_id = Some(&payee.payout_account);
        payout.ip = Some(&line.ip);
        out.send("payment.payout_requested", at, Some(payee.subject()), &payout);
        out.send("payment.payout_paid", at + random.between(MINUTE, 3 * MINUTE), Some(payee.subject()), &payout);
        at += random.between(every.0, every.1);
    }
    Cast { entity: format!("user:{}", payee.id), also }
}
