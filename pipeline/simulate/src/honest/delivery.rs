//! Deliveries: what drivers are paid for. A driver's way with a task is a booking of somebody of the city, from the order to the
//! payment; its place is where the way ends.

use crate::clock::{MINUTE, SECOND};
use crate::honest::booking::Deal;
use crate::honest::gps::Run;
use crate::people::{Person, Population};
use crate::random::Random;
use crate::wire::Outbox;

/// Writes the booking of a way that was driven.
pub(crate) fn booked(driver: &Person, run: &Run, population: &Population, random: &mut Random, out: &mut Outbox) {
    if population.clients.is_empty() {
        return;
    }
    let Some(client) = (0..40).map(|_| random.pick(&population.clients)).find(|client| client.city == driver.city) else { return };
    let mut deal = Deal::new(client, driver, random);
    (deal.booking, deal.place) = (run.task.clone(), run.goal);
    deal.price = random.between(5, 18) * 500;
    let created = run.from - random.between(5 * MINUTE, 12 * MINUTE);
    let accepted = created + random.between(20 * SECOND, 2 * MINUTE);
    deal.event("booking.created", created, "client", None, out);
    deal.event("booking.accepted", accepted, "tasker", None, out);
    if deal.method != "cash" {
        deal.paid().authorize(accepted + random.between(2 * SECOND, 90 * SECOND), random, out);
    }
    deal.event("booking.started", run.from, "tasker", None, out);
    let proof = deal.proof(random);
    let done = run.to + random.between(30 * SECOND, 2 * MINUTE);
    deal.event("booking.completed", done, "tasker", Some(proof), out);
    deal.paid().settle(done + random.between(10 * SECOND, 3 * MINUTE), random, out);
    if deal.method != "cash" && random.chance(0.05) {
        deal.paid().tip(random.between(1, 4) * 500, done + random.between(4 * MINUTE, 20 * MINUTE), random, out);
    }
}
