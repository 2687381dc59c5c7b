//! What goes over the wire: the payloads of the event contract and the outbox that writes them as CloudEvents.
//!
//! Fields are written in the order of these types. A map would be written in an order that another crate's features may
//! change (`serde_json/preserve_order`), and the same seed must give the same bytes in any build.

use serde::Serialize;

use crate::clock::{SECOND, rfc3339};
use crate::random::{Random, mix};

macro_rules! payload {
    ($(#[$meta:meta])* $name:ident<$life:lifetime> { $($field:ident: $type:ty,)* } $({ $($optional:ident: $optional_type:ty,)* })?) => {
        $(#[$meta])*
        #[allow(clippy::struct_field_names, reason = "the contract's names")]
        #[derive(Clone, Debug, Default, Serialize)]
        pub(crate) struct $name<$life> {
            $(pub(crate) $field: $type,)*
            $($(#[serde(skip_serializing_if = "Option::is_none")] pub(crate) $optional: Option<$optional_type>,)*)?
        }
    };
}

/// Where a request seems to come from.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Location {
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accuracy_km: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<&'static str>,
}

/// Where a tasker says that the work was done.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Proof {
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    pub(crate) accuracy_m: f64,
    pub(crate) photo: bool,
}

/// One line of a ledger entry.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct LedgerLine<'a> {
    pub(crate) account: &'a str,
    pub(crate) amount: i64,
    pub(crate) currency: &'static str,
}

payload!(Login<'a> { user_id: &'a str, device_id: &'a str, ip: &'a str, }
    { location: Location, country: &'static str, asn_type: &'static str, method: &'static str, });
payload!(LoginFailed<'a> { user_id: &'a str, device_id: &'a str, ip: &'a str, }
    { location: Location, country: &'static str, asn_type: &'static str, reason: &'static str, });
payload!(Otp<'a> { phone: &'a str, }
    { user_id: &'a str, device_id: &'a str, ip: &'a str, location: Location, purpose: &'static str, country: &'static str,
      asn_type: &'static str, channel: &'static str, });
payload!(DeviceBound<'a> { user_id: &'a str, device_id: &'a str, } { fingerprint: &'a str, emulator: bool, rooted: bool, });
payload!(SimChanged<'a> { phone: &'a str, reported_by: &'static str, } { user_id: &'a str, });
payload!(CredentialChanged<'a> { user_id: &'a str, device_id: &'a str, what: &'static str, } { ip: &'a str, });
payload!(Payment<'a> { payment_id: &'a str, user_id: &'a str, amount: i64, currency: &'static str, method: &'static str, }
    { counterparty_id: &'a str, booking_id: &'a str, instrument_id: &'a str, device_id: &'a str, ip: &'a str,
      account_created_at: String, receipt_signature_valid: bool, approved_by: &'a str, provider: &'a str,
      original_payment_id: &'a str, reason: &'static str, balance_after: i64, });
payload!(Ledger<'a> { entry_id: String, lines: &'a [LedgerLine<'a>], } { booking_id: &'a str, });
payload!(Chat<'a> { conversation_id: &'a str, sender_id: &'a str, recipient_id: &'a str, text: String, }
    { booking_id: &'a str, booking_status: &'static str, media: &'static str, });
payload!(Gps<'a> { entity_id: &'a str, lat: f64, lon: f64, }
    { accuracy_m: f64, speed_mps: f64, heading_deg: f64, mock: bool, provider: &'static str, device_id: &'a str, task_id: &'a str, });
payload!(Route<'a> { route_id: String, entity_id: &'a str, task_id: &'a str, points: Vec<(f64, f64)>, } { corridor_m: f64, });
payload!(Booking<'a> { booking_id: &'a str, client_id: &'a str, }
    { tasker_id: &'a str, location: Location, price: i64, currency: &'static str, proof: Proof, client_device_id: &'a str,
      tasker_device_id: &'a str, actor_id: &'a str, actor_role: &'static str, });
payload!(Review<'a> { review_id: String, reviewer_id: &'a str, reviewee_id: &'a str, rating: i64, verified_booking: bool, }
    { booking_id: &'a str, device_id: &'a str, ip: &'a str, });
payload!(Report<'a> { report_id: String, reporter_id: &'a str, reported_id: &'a str, category: &'static str, } { booking_id: &'a str, });
payload!(AdminAction<'a> { actor_id: &'a str, action: &'static str, target: &'a str, ip: &'a str, mfa: bool, }
    { reason_code: &'static str, ticket: String, amount: i64, });
payload!(Registered<'a> { user_id: &'a str, role: &'static str, phone: &'a str, } { device_id: &'a str, ip: &'a str, });
payload!(TokenRejected<'a> { reason: &'static str, ip: &'a str, } { subject: &'a str, });
payload!(Webhook<'a> { provider: &'a str, delivery_id: &'a str, nonce: String, signed_at: String, signature_valid: bool, ip: &'a str, });

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
    /// The campaign it belongs to.
    pub(crate) campaign: Option<u32>,
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
    /// What is written from now on belongs to this campaign.
    pub(crate) campaign: Option<u32>,
    pub(crate) drafts: Vec<Draft>,
}

impl Outbox {
    /// `first` keeps the identifiers of several outboxes of one seed apart.
    pub(crate) fn new(seed: u64, first: u64, delivery: Delivery) -> Self {
        Self { seed, sequence: first, delivery, transport: Random::of(seed, "transport", first, 0), campaign: None, drafts: Vec::new() }
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
        let (campaign, sequence, at) = (self.campaign, self.sequence, received.unwrap_or(time));
        if self.transport.below(1_000_000) < u64::from(self.delivery.duplicates_per_million) {
            let again = arrival + self.transport.between(50, 55 * SECOND);
            self.drafts.push(Draft { arrival: again, at, sequence, id: id.clone(), line: line.clone(), campaign });
        }
        if self.transport.below(1_000_000) < u64::from(self.delivery.malformed_per_million) {
            let line = malformed(&line, &mut self.transport);
            self.drafts.push(Draft { arrival: arrival + 1, at, sequence, id: String::new(), line, campaign: None });
        }
        self.drafts.push(Draft { arrival, at, sequence, id, line, campaign });
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
        "account" => "/khidma/accounts",
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
