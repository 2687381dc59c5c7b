//! A booking from the first question to the review, with the chat, the payment and, sometimes, the end that nobody wanted: a
//! tasker who does not come, a job that nobody takes, a bad place at the end, a quarrel, a report that is answered.
//!
//! Assumptions, none from a source: a third of the jobs are for another day, a quarter go to the tasker of the last time, one
//! of a hundred taskers does not come, one of twelve bookings has a promotion's code,
//! one job of a hundred ends in a report.

use crate::Config;
use crate::campaign::CAST;
use crate::clock::{DAY, HOUR, MINUTE, SECOND, busy_instant, cairo_hour, rfc3339};
use crate::honest::payment::{Paid, price};
use crate::honest::{chat, day_number, ops};
use crate::payload::{Booking, Location, PromoRedeemed, Proof, Report, Review};
use crate::people::{Person, Population};
use crate::places::{CITIES, Point};
use crate::random::Random;
use crate::wire::{Outbox, Story, one_digit};

pub(crate) fn day(config: &Config, population: &Population, day_start: i64, out: &mut Outbox) {
    let number = day_number(day_start);
    let by_city: Vec<Vec<&Person>> =
        (0..CITIES.len()).map(|city| population.taskers.iter().filter(|tasker| tasker.city == city).collect()).collect();
    let plan = &mut Random::of(config.seed, "bookings", number, 0);
    for story in 0..plan.about(f64::from(config.clients) * 0.22) {
        let random = &mut Random::of(config.seed, "booking", number, story);
        let Some((client, tasker)) = pair(population, &by_city, random) else { return };
        let at = busy_instant(random, day_start);
        if out.troubles.is_shut_out(client, at) || out.troubles.is_shut_out(tasker, at) {
            continue;
        }
        if random.chance(0.22) {
            chat::enquiry(client, tasker, random, at, out);
        } else {
            Deal::new(client, tasker, random).run(random, at, out);
        }
    }
}

/// A client, and a tasker of the same city: for some the one of the last time.
fn pair<'a>(population: &'a Population, by_city: &[Vec<&'a Person>], random: &mut Random) -> Option<(&'a Person, &'a Person)> {
    if population.clients.is_empty() {
        return None;
    }
    (0..40).find_map(|_| {
        let client = random.pick(&population.clients);
        let taskers = by_city.get(client.city).filter(|all| !all.is_empty())?;
        let usual = taskers.get(usize::try_from(client.number).unwrap_or_default() * 7 % taskers.len())?;
        Some((client, if random.chance(0.25) { *usual } else { *random.pick(taskers) }))
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
    /// Where it is to be done.
    pub(crate) place: Point,
    /// When it is to be done, where that was said.
    pub(crate) scheduled: Option<i64>,
    pub(crate) promo: Option<&'static str>,
}

impl<'a> Deal<'a> {
    pub(crate) fn new(client: &'a Person, tasker: &'a Person, random: &mut Random) -> Self {
        let method = ["cash", "card", "wallet"].get(random.weighted(&[52, 32, 16])).copied().unwrap_or("cash");
        let (booking, payment, conversation) = (random.id("b_"), random.id("p_"), random.id("c_"));
        let price = price(random);
        Self { client, tasker, booking, payment, conversation, price, method, place: client.home, scheduled: None, promo: None }
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

    /// What every step of the booking says.
    pub(crate) fn step(&self, kind: &'static str, role: &'static str) -> Booking<'_> {
        let tasker = kind != "booking.created";
        // Old apps and the web do not say all (assumption: one booking in 25).
        let is_new = !Random::of(0, &self.booking, 0, 0).chance(0.04);
        let actor = match role {
            "client" => Some(self.client.id.as_str()),
            "tasker" => Some(self.tasker.id.as_str()),
            _ => None,
        };
        Booking {
            booking_id: &self.booking,
            client_id: &self.client.id,
            tasker_id: tasker.then_some(self.tasker.id.as_str()),
            location: Some(Location { lat: self.place.lat, lon: self.place.lon, accuracy_km: None, source: None }),
            // Appointments are at the quarter of an hour.
            scheduled_at: self.scheduled.map(|at| rfc3339(at - at.rem_euclid(15 * MINUTE))),
            price: Some(self.price),
            currency: Some("EGP"),
            promo_code: self.promo,
            client_device_id: is_new.then_some(self.client.device()),
            tasker_device_id: (tasker && is_new).then_some(self.tasker.device()),
            actor_id: actor,
            actor_role: (is_new || role == "system").then_some(role),
            ..Booking::default()
        }
    }

    /// One step of the booking, and who took it.
    pub(crate) fn event(&self, kind: &'static str, at: i64, role: &'static str, proof: Option<Proof>, out: &mut Outbox) {
        let booking = Booking { proof, ..self.step(kind, role) };
        out.send(kind, at, Some(format!("booking:{}", self.booking)), &booking);
    }

    /// One step of the booking, taken in a story: what people of the marketplace do is no part of a campaign.
    pub(crate) fn take(&self, kind: &'static str, at: i64, role: &'static str, proof: Option<Proof>, out: &mut Outbox) {
        let actor = if role == "client" { self.client } else { self.tasker };
        let story = out.story;
        if matches!(story, Some(Story::Campaign(_))) && actor.number < CAST {
            out.story = None;
        }
        self.event(kind, at, role, proof, out);
        out.story = story;
    }

    /// The job up to its completion, in a story: a quarter of an hour to the start, then the work. Tells when it was completed.
    pub(crate) fn work(&self, created: i64, work: i64, random: &mut Random, out: &mut Outbox) -> i64 {
        self.take("booking.created", created, "client", None, out);
        let accepted = created + random.between(MINUTE, 6 * MINUTE);
        self.take("booking.accepted", accepted, "tasker", None, out);
        if self.method != "cash" {
            self.paid().authorize(accepted + random.between(20 * SECOND, 80 * SECOND), random, out);
        }
        let start = created + random.between(10 * MINUTE, 16 * MINUTE);
        self.take("booking.started", start, "tasker", None, out);
        let proof = self.proof(random);
        self.take("booking.completed", start + work, "tasker", Some(proof), out);
        start + work
    }

    /// The job from the question to the payment, in a story; tells when it was completed.
    pub(crate) fn play(&self, created: i64, work: i64, random: &mut Random, out: &mut Outbox) -> i64 {
        let done = self.work(created, work, random, out);
        self.paid().settle(done + random.between(MINUTE, 4 * MINUTE), random, out);
        done
    }

    /// What the tasker's phone says at the door when the job is done: mostly the place, seldom only the quarter.
    pub(crate) fn proof(&self, random: &mut Random) -> Proof {
        let accuracy = if random.chance(0.02) { random.real(120.0, 600.0) } else { random.real(5.0, 40.0) };
        let spread = accuracy.max(25.0);
        let place = self.place.offset(random.normal() * spread, random.normal() * spread);
        Proof { lat: place.lat, lon: place.lon, accuracy_m: one_digit(accuracy), photo: random.chance(0.9) }
    }

    /// A job as it should be, from the question to the settlement, in three hours at most.
    pub(crate) fn whole(&self, random: &mut Random, at: i64, out: &mut Outbox) {
        self.event("booking.created", at, "client", None, out);
        let accepted = at + random.between(2, 9) * MINUTE;
        self.event("booking.accepted", accepted, "tasker", None, out);
        if self.method != "cash" {
            let authorized = accepted + random.between(30 * SECOND, 3 * MINUTE);
            self.paid().authorize(authorized, random, out);
        }
        let started = accepted + random.between(12, 40) * MINUTE;
        self.event("booking.started", started, "tasker", None, out);
        let done = started + random.between(25, 100) * MINUTE;
        let proof = self.proof(random);
        self.event("booking.completed", done, "tasker", Some(proof), out);
        let settled = done + random.between(MINUTE, 12 * MINUTE);
        self.paid().settle(settled, random, out);
    }

    fn run(mut self, random: &mut Random, created: i64, out: &mut Outbox) {
        if random.chance(0.08) {
            self.promo = Some(*random.pick(&["NOV15", "NOV15", "FRIDAY20", "CLEAN10", "WELCOME50"]));
        }
        // For another day, at an hour when people let somebody in.
        let later = random.chance(0.32).then(|| {
            let day = created - created.rem_euclid(DAY) + random.between(1, 3) * DAY;
            (0..20).map(|_| busy_instant(random, day)).find(|at| (8..21).contains(&cairo_hour(*at)))
        });
        self.scheduled = later.flatten().map(|at| at - at.rem_euclid(30 * MINUTE));
        let this = &self;
        this.event("booking.created", created, "client", None, out);
        if random.chance(0.03) {
            // Nobody takes it.
            this.event("booking.cancelled", created + 45 * MINUTE, "system", None, out);
            return;
        }
        let mut talk = chat::Talk::new(this, "pending");
        let mut at = talk.exchange(created + random.between(MINUTE, 8 * MINUTE), 2..=6, random, out);
        if random.chance(0.12) {
            let by = if random.chance(0.7) { "client" } else { "tasker" };
            this.event("booking.cancelled", at + random.between(MINUTE, 40 * MINUTE), by, None, out);
            return;
        }
        at += random.between(MINUTE, 10 * MINUTE);
        this.event("booking.accepted", at, "tasker", None, out);
        this.redeem(at + 5 * SECOND, out);
        if this.method != "cash" {
            this.paid().authorize(at + random.between(20 * SECOND, 4 * MINUTE), random, out);
        }
        talk.status = "confirmed";
        at = talk.exchange(at + random.between(5 * MINUTE, 20 * MINUTE), 2..=7, random, out);
        if random.chance(0.05) {
            let off = at + random.between(5 * MINUTE, 90 * MINUTE);
            this.event("booking.cancelled", off, "client", None, out);
            return; // what was authorised and never captured falls back by itself
        }
        let soon = at + random.between(10 * MINUTE, 4 * HOUR);
        let start = this.scheduled.map_or(soon, |due| due.max(at) + random.between(-10 * MINUTE, 45 * MINUTE)).max(at + 5 * MINUTE);
        if random.chance(0.012) {
            // The tasker does not come, and the client waits for a while.
            this.event("booking.cancelled", start + random.between(40 * MINUTE, 150 * MINUTE), "client", None, out);
            return;
        }
        this.event("booking.started", start, "tasker", None, out);
        let done = start + random.between(25 * MINUTE, 4 * HOUR);
        // Assumption: one proof of 40 is lost on its way.
        let proof = Some(this.proof(random)).filter(|_| !random.chance(0.025));
        this.event("booking.completed", done, "tasker", proof, out);
        let settled = done + random.between(MINUTE, 12 * MINUTE);
        this.paid().settle(settled, random, out);
        if this.method != "cash" && random.chance(0.06) {
            this.paid().tip(random.between(2, 20) * 500, settled + random.between(MINUTE, 2 * HOUR), random, out);
        }
        talk.status = "completed";
        let end = talk.exchange(done + random.between(2 * MINUTE, 30 * MINUTE), 0..=3, random, out);
        this.afterwards(random, done, end, out);
    }

    /// The promotion's code is used up.
    pub(crate) fn redeem(&self, at: i64, out: &mut Outbox) {
        if let Some(promo_code) = self.promo {
            let redeemed = PromoRedeemed {
                user_id: &self.client.id,
                promo_code,
                referrer_id: None,
                booking_id: Some(&self.booking),
                amount: Some(self.price / 10),
                device_id: Some(self.client.device()),
                ip: Some(&self.client.home_line.ip),
            };
            out.send("promo.redeemed", at, Some(self.client.subject()), &redeemed);
        }
    }

    /// Somebody's opinion of the other: by the client's own device and line, or the tasker's.
    pub(crate) fn review(&self, by_client: bool, rating: i64, at: i64, random: &mut Random, out: &mut Outbox) {
        let (by, about) = if by_client { (self.client, self.tasker) } else { (self.tasker, self.client) };
        // From the web, and by a link in a message (assumption: one of twelve), without device and address.
        let is_app = !random.chance(0.08);
        let review = Review {
            review_id: random.id("r_"),
            reviewer_id: &by.id,
            reviewee_id: &about.id,
            rating,
            verified_booking: true,
            booking_id: Some(&self.booking),
            device_id: is_app.then_some(by.device()),
            ip: is_app.then_some(&by.home_line.ip),
        };
        out.send("review.submitted", at, Some(by.subject()), &review);
    }

    /// Somebody tells on the other; the report is answered.
    pub(crate) fn report(&self, by_client: bool, category: &'static str, at: i64, random: &mut Random, out: &mut Outbox) {
        let (by, about) = if by_client { (self.client, self.tasker) } else { (self.tasker, self.client) };
        let report_id = random.id("rp_");
        let report =
            Report { report_id: report_id.clone(), reporter_id: &by.id, reported_id: &about.id, category, booking_id: Some(&self.booking) };
        out.send("report.filed", at, Some(about.subject()), &report);
        ops::answer(&report_id, &about.id, category, at, random, out);
    }

    /// Reviews; and now and then a dispute, a refund or a report.
    fn afterwards(&self, random: &mut Random, done: i64, end: i64, out: &mut Outbox) {
        if random.chance(0.4) {
            let rating = i64::try_from(random.weighted(&[3, 3, 8, 26, 60])).unwrap_or(4) + 1;
            self.review(true, rating, end + random.between(MINUTE, 5 * HOUR), random, out);
        }
        if random.chance(0.15) {
            let rating = i64::try_from(random.weighted(&[2, 2, 6, 20, 70])).unwrap_or(4) + 1;
            self.review(false, rating, end + random.between(MINUTE, 8 * HOUR), random, out);
        }
        if random.chance(0.025) {
            let asked = done + random.between(20 * MINUTE, 5 * HOUR);
            self.event("booking.disputed", asked - 10 * SECOND, "client", None, out);
            let part = self.price * random.between(3, 10) / 10;
            self.paid().refund(part, "not_as_agreed", asked, random, out);
        }
        if random.chance(0.01) {
            let category = *random.pick(&["harassment", "spam", "spam", "theft", "theft", "violence"]);
            let by_client = random.chance(0.75);
            self.report(by_client, category, end + random.between(MINUTE, 3 * HOUR), random, out);
        }
    }
}
