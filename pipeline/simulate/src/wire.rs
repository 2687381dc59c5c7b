//! What goes over the wire: the outbox that writes payloads as CloudEvents.

use serde::Serialize;

use crate::clock::{SECOND, rfc3339};
use crate::honest::books::Books;
use crate::random::{Random, mix};
use crate::trouble::Troubles;

#[derive(Serialize)]
struct Envelope<'a, D> {
    specversion: &'static str,
    id: &'a str,
    source: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    receivedtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    data: &'a D,
}

/// One written record on its way to the log.
#[derive(Debug)]
pub(crate) struct Draft {
    /// When it reaches the log, Unix ms.
    pub(crate) arrival: i64,
    /// When it happened, by the service's clock.
    pub(crate) at: i64,
    /// Order of writing, for records that arrive in the same millisecond.
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) line: String,
    /// The story whose label it belongs to.
    pub(crate) story: Option<Story>,
}

/// A story that has a label: the number of the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    Campaign(u32),
    LookAlike(u32),
}

/// How often and how late the log's transport delivers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub(crate) duplicates_per_million: u32,
    pub(crate) malformed_per_million: u32,
}

/// Writes events and remembers them until the log has passed their arrival.
#[derive(Debug)]
pub(crate) struct Outbox {
    seed: u64,
    sequence: u64,
    delivery: Delivery,
    transport: Random,
    /// What is written from now on belongs to this story.
    pub(crate) story: Option<Story>,
    pub(crate) drafts: Vec<Draft>,
    /// The ledger of what is written here.
    pub(crate) books: Books,
    /// What the people of whom this tells suffer.
    pub(crate) troubles: Troubles,
    /// What the people of whom this tells bring upon others.
    pub(crate) brought: Troubles,
}

impl Outbox {
    /// `first` keeps the identifiers of several outboxes of one seed apart.
    pub(crate) fn new(seed: u64, first: u64, delivery: Delivery) -> Self {
        Self {
            seed,
            sequence: first,
            delivery,
            transport: Random::of(seed, "transport", first, 0),
            story: None,
            drafts: Vec::new(),
            books: Books::default(),
            troubles: Troubles::default(),
            brought: Troubles::default(),
        }
    }

    /// Writes what a service saw at `at`. Most records take a moment to the log, some half a minute: the log is out of order.
    pub(crate) fn send<D: Serialize>(&mut self, kind: &'static str, at: i64, subject: Option<String>, data: &D) {
        let slow = self.transport.chance(0.03);
        let delay = if slow { self.transport.between(2 * SECOND, 50 * SECOND) } else { 20 + self.transport.wait(250).min(5 * SECOND) };
        self.write(kind, at, None, at + delay, subject, data);
    }

    /// Writes what a device saw at `time`, by its own clock, and the gateway had at `received`.
    pub(crate) fn relay<D: Serialize>(&mut self, kind: &'static str, time: i64, received: i64, subject: Option<String>, data: &D) {
        let delay = 10 + self.transport.wait(80).min(3 * SECOND);
        self.write(kind, time, Some(received), received + delay, subject, data);
    }

    fn write<D: Serialize>(
        &mut self,
        kind: &'static str,
        time: i64,
        received: Option<i64>,
        arrival: i64,
        subject: Option<String>,
        data: &D,
    ) {
        self.sequence += 1;
        // A bijection of the sequence: unique, and it tells nothing of who made the event or when.
        let id = format!("01K{}", base32(mix(self.sequence.wrapping_mul(2).wrapping_add(1) ^ mix(self.seed)), 13));
        let envelope = Envelope {
            specversion: "1.0",
            id: &id,
            source: source(kind),
            kind,
            time: rfc3339(time),
            receivedtime: received.map(rfc3339),
            subject,
            data,
        };
        let line = serde_json::to_string(&envelope).expect("payloads have text keys and finite numbers");
        let (story, sequence, at) = (self.story, self.sequence, received.unwrap_or(time));
        if self.transport.below(1_000_000) < u64::from(self.delivery.duplicates_per_million) {
            let again = arrival + self.transport.between(50, 55 * SECOND);
            self.drafts.push(Draft { arrival: again, at, sequence, id: id.clone(), line: line.clone(), story });
        }
        if self.transport.below(1_000_000) < u64::from(self.delivery.malformed_per_million) {
            let line = malformed(&line, &mut self.transport);
            self.drafts.push(Draft { arrival: arrival + 1, at, sequence, id: String::new(), line, story: None });
        }
        self.drafts.push(Draft { arrival, at, sequence, id, line, story });
    }
}

/// A copy of a good record with one of the faults that broken producers make. The good record is delivered as well.
fn malformed(line: &str, random: &mut Random) -> String {
    match random.below(4) {
        0 => line.chars().take(line.chars().count() / 2).collect(),
        1 => line.replacen("\"specversion\":\"1.0\",", "", 1),
        2 => line.replacen("\"time\":\"2", "\"time\":\"yesterday, 2", 1),
        _ => format!("{line}}}"),
    }
}

/// The service that publishes a type.
fn source(kind: &str) -> &'static str {
    match kind.split('.').next().unwrap_or_default() {
        "auth" => "/khidma/auth",
        "payment" | "webhook" => "/khidma/payments",
        "ledger" => "/khidma/ledger",
        "chat" => "/khidma/chat",
        "gps" => "/khidma/tracking",
        "booking" => "/khidma/bookings",
        "review" | "report" => "/khidma/trust",
        "admin" => "/khidma/ops",
        "account" | "promo" => "/khidma/accounts",
        _ => "/khidma/gateway",
    }
}

/// The last `digits` digits of a number in Crockford's base 32.
pub(crate) fn base32(number: u64, digits: u32) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..digits)
        .rev()
        .map(|place| {
            let digit = number.checked_shr(place * 5).unwrap_or_default() & 31;
            usize::try_from(digit).ok().and_then(|digit| ALPHABET.get(digit)).map_or('0', |byte| char::from(*byte))
        })
        .collect()
}

/// Degrees as receivers and databases report them: six digits after the point, about 0.1 m.
pub(crate) fn six_digits(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

/// One digit after the point.
pub(crate) fn one_digit(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
