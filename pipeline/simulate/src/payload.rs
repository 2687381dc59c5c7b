//! The payloads of the event contract.
//!
//! Fields are written in the order of these types. A map would be written in an order that another crate's features may
//! change (`serde_json/preserve_order`), and the same seed must give the same bytes in any build.

use serde::Serialize;

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

payload!(KycChanged<'a> { user_id: &'a str, level: &'a str, } { document_hash: &'a str, });
payload!(PromoRedeemed<'a> { user_id: &'a str, promo_code: &'a str, }
    { referrer_id: &'a str, booking_id: &'a str, amount: i64, device_id: &'a str, ip: &'a str, });
payload!(ReportHandled<'a> { report_id: &'a str, actor_id: &'a str, outcome: &'static str, });
payload!(AuthzDenied<'a> { actor_id: &'a str, actor_role: &'static str, resource: &'a str, ip: &'a str, });
payload!(ApiThrottled<'a> { route: &'static str, ip: &'a str, count: i64, } { user_id: &'a str, });
payload!(Login<'a> { user_id: &'a str, device_id: &'a str, ip: &'a str, }
    { location: Location, country: &'static str, asn: u32, asn_type: &'static str, method: &'static str, });
payload!(LoginFailed<'a> { ip: &'a str, }
    { user_id: &'a str, device_id: &'a str, location: Location, country: &'static str, asn_type: &'static str, reason: &'static str, });
payload!(Otp<'a> { phone: &'a str, }
    { user_id: &'a str, device_id: &'a str, ip: &'a str, location: Location, purpose: &'static str, country: &'static str,
      asn_type: &'static str, channel: &'static str, });
payload!(DeviceBound<'a> { user_id: &'a str, device_id: &'a str, } { fingerprint: &'a str, emulator: bool, rooted: bool, });
payload!(SimChanged<'a> { phone: &'a str, reported_by: &'static str, } { user_id: &'a str, });
payload!(CredentialChanged<'a> { user_id: &'a str, device_id: &'a str, what: &'static str, } { ip: &'a str, });
payload!(Payment<'a> { payment_id: &'a str, user_id: &'a str, amount: i64, currency: &'static str, method: &'static str, }
    { counterparty_id: &'a str, booking_id: &'a str, instrument_id: &'a str, device_id: &'a str, ip: &'a str,
      account_created_at: String, receipt_signature_valid: bool, approved_by: &'a str, provider: &'a str,
      original_payment_id: &'a str, reason: &'static str, balance_after: i64, operation: &'static str, card_range: &'a str, card_country: &'static str, });
payload!(Ledger<'a> { entry_id: String, lines: &'a [LedgerLine<'a>], } { booking_id: &'a str, });
payload!(Chat<'a> { conversation_id: &'a str, sender_id: &'a str, recipient_id: &'a str, text: String, }
    { booking_id: &'a str, booking_status: &'static str, media: &'static str, });
payload!(Gps<'a> { entity_id: &'a str, lat: f64, lon: f64, }
    { accuracy_m: f64, speed_mps: f64, heading_deg: f64, mock: bool, provider: &'static str, device_id: &'a str, task_id: &'a str, });
payload!(Route<'a> { route_id: String, entity_id: &'a str, task_id: &'a str, points: Vec<(f64, f64)>, } { corridor_m: f64, });
payload!(Booking<'a> { booking_id: &'a str, client_id: &'a str, }
    { tasker_id: &'a str, location: Location, scheduled_at: String, price: i64, currency: &'static str, promo_code: &'a str, proof: Proof, client_device_id: &'a str,
      tasker_device_id: &'a str, actor_id: &'a str, actor_role: &'static str, });
payload!(Review<'a> { review_id: String, reviewer_id: &'a str, reviewee_id: &'a str, rating: i64, verified_booking: bool, }
    { booking_id: &'a str, device_id: &'a str, ip: &'a str, });
payload!(Report<'a> { report_id: String, reporter_id: &'a str, reported_id: &'a str, category: &'static str, } { booking_id: &'a str, });
payload!(AdminAction<'a> { actor_id: &'a str, action: &'a str, target: &'a str, ip: &'a str, mfa: bool, }
    { location: Location, reason_code: &'static str, ticket: String, approver_id: &'a str, records_read: i64, amount: i64, });
payload!(Registered<'a> { user_id: &'a str, role: &'static str, phone: &'a str, }
    { email: &'a str, device_id: &'a str, ip: &'a str, referrer_id: &'a str, promo_code: &'a str, });
payload!(TokenRejected<'a> { reason: &'static str, ip: &'a str, } { subject: &'a str, });
payload!(Webhook<'a> { provider: &'a str, delivery_id: &'a str, nonce: String, signed_at: String, signature_valid: bool, ip: &'a str, });
