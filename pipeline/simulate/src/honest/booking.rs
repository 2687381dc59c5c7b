//! A booking from the first question to the review, with the chat, the payment and, sometimes, the end that nobody wanted.

use crate::Config;
use crate::clock::{HOUR, MINUTE, SECOND, busy_instant};
use crate::honest::payment::{Paid, price};
use crate::honest::{chat, day_number};
use crate::people::{Person, Population};
use crate::places::CITIES;
use crate::random::Random;
use crate::wire::{Booking, Location, Outbox, Proof, Report, Review, one_digit};

pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    let number = day_number(day_start);
    let by_city: Vec<Vec<&Person>> =
        (0..CITIES.len()).map(|city| population.taskers.iter().filter(|tasker| tasker.city == city).collect()).collect();
    let plan = &mut Random::of(config.seed, "bookings", number, 0);
    for story in 0..plan.about(f64::from(config.clients) * 0.22) {
        let random = &mut Random::of(config.seed, "booking", number, story);
        let Some((client, tasker)) = pair(population, &by_city, random) else { return };
        let at = busy_instant(random, day_start);
        if random.chance(0.22) {
            chat::enquiry(client, tasker, random, at, out);
        } else {
            Deal::new(client, tasker, random).run(random, at, out);
        }
    }
    // A wedding is off: one client calls several bookings off and gets all the money back.
    let random = &mut Random::of(config.seed, "wedding", number, 0);
    if random.chance(0.1) {
        let Some((client, _)) = pair(population, &by_city, random) else { return };
        let at = busy_instant(random, day_start);
        for _ in 0..random.between(3, 5) {
            let tasker = by_city.get(client.city).filter(|all| !all.is_empty()).map(|all| *random.pick(all));
            let Some(tasker) = tasker else { return };
            let mut deal = Deal::new(client, tasker, random);
            (deal.method, deal.price) = ("card", random.between(160, 340) * 500);
            let asked = at + random.between(0, HOUR);
            deal.event("booking.created", asked, "client", None, out);
            deal.event("booking.accepted", asked + 10 * MINUTE, "tasker", None, out);
            deal.paid().authorize(asked + 12 * MINUTE, random, out);
            deal.paid().settle(asked + 14 * MINUTE, random, out);
            let off = at + 3 * HOUR + random.between(0, 40 * MINUTE);
            deal.event("booking.cancelled", off, "client", None, out);
            deal.paid().refund(deal.price, "cancelled", off + MINUTE, random, out);
        }
    }
}

/// A client, and a tasker of the same city.
fn pair<'a>(population: &'a Population, by_city: &[Vec<&'a Person>], random: &mut Random) -> Option<(&'a Person, &'a Person)> {
    if population.clients.is_empty() {
        return None;
    }
    (0..40).find_map(|_| {
        let client = random.pick(&population.clients);
        let taskers = by_city.get(client.city).filter(|all| !all.is_empty())?;
        Some((client, *random.pick(taskers)))
    })
}

/// Two people and a job.
pub(crate) struct Deal<'a> {
    pub(crate) client: &'a Person,
    pub(crate) tasker: &'a Person,
    pub(crate) booking: String,
    pub(crate) payment: String,
    pub(crate) conversation: String,
    pub(crate) price: i64,
    pub(crate) method: &'static str,
}

impl<'a> Deal<'a> {
    pub(crate) fn new(client: &'a Person, tasker: &'a Person, random: &mut Random) -> Self {
        let method = ["cash", "card", "wallet"].get(random.weighted(&[52, 32, 16])).copied().unwrap_or("cash");
        let (booking, payment, conversation) = (random.id("b_"), random.id("p_"), random.id("c_"));
        Self { client, tasker, booking, payment, conversation, price: price(random), method }
    }

    pub(crate) fn paid(&self) -> Paid<'_> {
        Paid {
            client: self.client,
            tasker: self.tasker,
            booking: &self.booking,
            id: &self.payment,
            amount: self.price,
            method: self.method,
        }
    }

    /// One step of the booking, and who took it.
    pub(crate) fn event(&self, kind: &'static str, at: i64, role: &'static str, proof: Option<Proof>, out: &mut Outbox) {
        let actor = if role == "client" { self.client } else { self.tasker };
        let home = self.client.home;
        let booking = Booking {
            booking_id: &self.booking,
            client_id: &self.client.id,
            tasker_id: (kind != "booking.created").then_some(self.tasker.id.as_str()),
            location: Some(Location { lat: home.lat, lon: home.lon, accuracy_km: None, source: None }),
            price: Some(self.price),
            currency: Some("EGP"),
            proof,
            client_device_id: Some(self.client.device()),
            tasker_device_id: (kind != "booking.created").then_some(self.tasker.device()),
            actor_id: Some(&actor.id),
            actor_role: Some(role),
        };
        out.send(kind, at, Some(format!("booking:{}", self.booking)), &booking);
    }

    /// What the tasker's phone says at the door when the job is done.
    pub(crate) fn proof(&self, random: &mut Random) -> Proof {
        let place = self.client.home.offset(random.normal() * 25.0, random.normal() * 25.0);
        Proof { lat: place.lat, lon: place.lon, accuracy_m: one_digit(random.real(5.0, 40.0)), photo: random.chance(0.9) }
    }

    fn run(&self, random: &mut Random, created: i64, out: &mut Outbox) {
        self.event("booking.created", created, "client", None, out);
        let mut talk = chat::Talk::new(self, "pending");
        let mut at = talk.exchange(created + random.between(MINUTE, 8 * MINUTE), 2..=6, random, out);
        if random.chance(0.14) {
            let by = if random.chance(0.7) { "client" } else { "tasker" };
            self.event("booking.cancelled", at + random.between(MINUTE, 40 * MINUTE), by, None, out);
            return;
        }
        at += random.between(MINUTE, 10 * MINUTE);
        self.event("booking.accepted", at, "tasker", None, out);
        if self.method != "cash" {
            self.paid().authorize(at + random.between(20 * SECOND, 4 * MINUTE), random, out);
        }
        talk.status = "confirmed";
        at = talk.exchange(at + random.between(5 * MINUTE, 20 * MINUTE), 2..=7, random, out);
        if random.chance(0.05) {
            let off = at + random.between(5 * MINUTE, 90 * MINUTE);
            self.event("booking.cancelled", off, "client", None, out);
            return; // what was authorised and never captured falls back by itself
        }
        let start = at + random.between(10 * MINUTE, 4 * HOUR);
        self.event("booking.started", start, "tasker", None, out);
        let done = start + random.between(25 * MINUTE, 4 * HOUR);
        let proof = self.proof(random);
        self.event("booking.completed", done, "tasker", Some(proof), out);
        self.paid().settle(done + random.between(MINUTE, 12 * MINUTE), random, out);
        talk.status = "completed";
        let end = talk.exchange(done + random.between(2 * MINUTE, 30 * MINUTE), 0..=3, random, out);
        self.afterwards(random, done, end, out);
    }

    /// Reviews; and now and then a dispute, a refund or a report.
    fn afterwards(&self, random: &mut Random, done: i64, end: i64, out: &mut Outbox) {
        if random.chance(0.4) {
            let review = Review {
                review_id: random.id("r_"),
                reviewer_id: &self.client.id,
                reviewee_id: &self.tasker.id,
                rating: i64::try_from(random.weighted(&[3, 3, 8, 26, 60])).unwrap_or(4) + 1,
                verified_booking: true,
                booking_id: Some(&self.booking),
                device_id: Some(self.client.device()),
                ip: Some(&self.client.home_line.ip),
            };
            out.send("review.submitted", end + random.between(MINUTE, 5 * HOUR), Some(self.client.subject()), &review);
        }
        if random.chance(0.025) {
            let asked = done + random.between(20 * MINUTE, 5 * HOUR);
            self.event("booking.disputed", asked - 10 * SECOND, "client", None, out);
            let part = self.price * random.between(3, 10) / 10;
            self.paid().refund(part, "not_as_agreed", asked, random, out);
        }
        if random.chance(0.004) {
            let category = *random.pick(&["harassment", "spam", "spam", "theft"]);
            let report = Report {
                report_id: random.id("rp_"),
                reporter_id: &self.client.id,
                reported_id: &self.tasker.id,
                category,
                booking_id: Some(&self.booking),
            };
            out.send("report.filed", end + random.between(MINUTE, 3 * HOUR), Some(self.tasker.subject()), &report);
        }
    }
}
