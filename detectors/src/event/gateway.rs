//! The `token`, `api` and `webhook` families: what the gateways see at the door.

use super::field::Due;
use super::text::{IpAddress, OpaqueId, ProviderId, UserId};
use super::units::{Count, Timestamp};
use crate::{choice, record};

choice! {
    /// What is wrong with a token.
    pub enum TokenFault {
        /// Its time is over.
        Expired = "expired",
        /// Its signature does not hold.
        Signature = "signature",
        /// It is meant for another service.
        Audience = "audience",
        /// It was taken back.
        Revoked = "revoked",
    }
}

record! {
    /// `token.rejected`.
    pub struct TokenRejected<'a> {
        /// Whom it names.
        pub subject: Option<OpaqueId<'a>>,
        /// What is wrong with it.
        pub reason: Due<TokenFault>,
        /// The address it came from.
        pub ip: IpAddress<'a>,
    }
}

record! {
    /// `api.throttled`: requests over a limit.
    pub struct ApiThrottled<'a> {
        /// Which route.
        pub route: OpaqueId<'a>,
        /// Who asks, where it is known.
        pub user_id: Option<UserId<'a>>,
        /// The address they come from.
        pub ip: IpAddress<'a>,
        /// How many were refused.
        pub count: Count,
    }
}

record! {
    /// `webhook.received`: a provider's message. An honest re-send has the same `delivery_id` and a new `nonce`; the same
    /// `nonce` under another event id is a replay.
    pub struct WebhookReceived<'a> {
        /// Who sends it.
        pub provider: ProviderId<'a>,
        /// Which message.
        pub delivery_id: OpaqueId<'a>,
        /// Used once.
        pub nonce: OpaqueId<'a>,
        /// When the provider signed it.
        pub signed_at: Timestamp,
        /// Whether the signature holds.
        pub signature_valid: Due<bool>,
        /// The address it came from.
        pub ip: IpAddress<'a>,
    }
}
