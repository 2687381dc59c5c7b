//! The vocabulary: every event type of the contract, one family a file, units and ranges as types.
//!
//! [`envelope::decode`] turns a record into an [`Event`] or says why it cannot. [`EventType::fields`] describes the
//! data of a type to everybody who must know: the rule checker, the engine's keys, the JSON Schemas.

pub mod account;
pub mod admin;
pub mod alert;
pub mod auth;
pub mod booking;
pub mod chat;
pub mod columns;
pub mod compact;
pub mod encoded;
pub mod envelope;
pub mod fault;
pub mod field;
pub mod gateway;
pub mod gps;
mod json;
pub mod ledger;
pub mod object;
pub mod payment;
pub mod position;
pub mod review;
pub mod salvage;
pub mod schema;
pub mod text;
pub mod time;
pub mod units;

use std::borrow::Cow;

use serde::de::{Deserialize, DeserializeSeed, Deserializer};
use serde_json::value::RawValue;

use crate::value::Value;
use fault::Fault;
use field::{FieldPath, FieldSpec, Record};
use position::Position;
use salvage::{Notes, Salvage};
use units::Timestamp;

/// One validated fact. Borrowed from its record.
#[derive(Clone)]
pub struct Event<'a> {
    /// Unique within `source`.
    pub id: Cow<'a, str>,
    /// The producing service.
    pub source: Cow<'a, str>,
    /// When it happened; for `gps.*` the device's clock, which a cheat can set.
    pub time: Timestamp,
    /// When the gateway received it.
    pub received: Option<Timestamp>,
    /// What happened.
    pub data: Data<'a>,
}

impl Event<'_> {
    /// The event clock, ms: `receivedtime`, else `time`. It drives windows, lateness and scores.
    #[inline]
    pub fn clock(&self) -> i64 {
        self.received.unwrap_or(self.time).millis()
    }
}

impl std::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event").field("id", &self.id).field("source", &self.source).field("data", &self.data).finish_non_exhaustive()
    }
}

macro_rules! vocabulary {
    ($($(#[$meta:meta])* $variant:ident = $name:literal => $data:ident in $family:ident,)*) => {
        /// A type of event of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum EventType { $($(#[$meta])* $variant,)* }

        impl EventType {
            /// Every type, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Those that producers send: all but those that the engine makes, which come last.
            pub const PRODUCED: &'static [Self] = Self::ALL.split_at(Self::ALL.len() - OWN.len()).0;

            /// Its name on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The type of that name.
            #[inline]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// The type of that name that a producer may send.
            #[inline]
            pub fn produced(name: &str) -> Option<Self> {
                Self::from_name(name).filter(|known| !known.is_own())
            }

            /// Whether the engine makes it itself, and no producer sends it.
            #[inline]
            pub fn is_own(self) -> bool {
                self as usize >= Self::PRODUCED.len()
            }

            /// The fields of its data.
            pub fn fields(self) -> &'static [FieldSpec] {
                match self { $(Self::$variant => <$family::$data<'static> as Record>::FIELDS,)* }
            }

            /// Whether events of this type may have a [`Data::place`].
            pub fn has_place(self) -> bool {
                match self { $(Self::$variant => <$family::$data<'static> as Record>::PLACED,)* }
            }

            /// The JSON Schema of its data.
            pub fn schema(self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                match self { $(Self::$variant => generator.subschema_for::<$family::$data<'static>>(),)* }
            }
        }

        /// The data of an event, by type. Boxed, because an event is moved several times on its way into a batch and the
        /// largest type has 300 bytes.
        #[derive(Clone, Debug)]
        pub enum Data<'a> {
            $($(#[$meta])* $variant(Box<$family::$data<'a>>),)*
            /// Of any type, out of an archive's columns: what needs raw values is not there.
            Columns(Box<columns::Columns>),
        }

        impl Data<'_> {
            /// Its type.
            #[inline]
            pub fn event_type(&self) -> EventType {
                match self { $(Self::$variant(_) => EventType::$variant,)* Self::Columns(columns) => columns.event_type(), }
            }

            /// The value at `path`, [`Value::Absent`] where there is none.
            #[inline]
            pub fn get(&self, path: FieldPath) -> Value<'_> {
                match self { $(Self::$variant(data) => data.get(path),)* Self::Columns(columns) => columns.get(path), }
            }

            /// How many elements the list at `path` has; `None` where there is none, or its elements are not at hand.
            pub fn count(&self, path: FieldPath) -> Option<usize> {
                match self { $(Self::$variant(data) => data.count(path),)* Self::Columns(_) => None, }
            }

            /// A field of the element at `index` of the list at `path`, [`Value::Absent`] where there is none.
            pub fn element(&self, path: FieldPath, index: usize, field: u8) -> Value<'_> {
                match self { $(Self::$variant(data) => data.element(path, index, field),)* Self::Columns(_) => Value::Absent, }
            }

            /// The event's place, for the location detectors.
            #[inline]
            pub fn place(&self) -> Option<Position> {
                match self { $(Self::$variant(data) => data.place(),)* Self::Columns(_) => None, }
            }

            /// How many of its identifiers are longer than one may be, and so read as absent.
            pub fn oversized(&self) -> u32 {
                match self { $(Self::$variant(data) => data.oversized(),)* Self::Columns(_) => 0, }
            }

            /// The fields that hold one.
            pub fn oversized_fields(&self) -> impl Iterator<Item = FieldPath> {
                let fields = match self { $(Self::$variant(data) => data.oversized_fields(),)* Self::Columns(_) => Vec::new(), };
                fields.into_iter().map(|field| FieldPath { field, child: None })
            }

            /// Reads the data of one type, field by field.
            pub(crate) fn salvage<'a>(event_type: EventType, raw: &'a RawValue, notes: &mut Notes) -> Result<Data<'a>, Fault> {
                match event_type { $(EventType::$variant => Salvage::salvage(raw, notes).map(|data| Data::$variant(Box::new(data))),)* }
            }
        }

        /// Reads the data of one type.
        pub(crate) struct DataSeed(pub(crate) EventType);

        impl<'de> DeserializeSeed<'de> for DataSeed {
            type Value = Data<'de>;

            #[inline]
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                match self.0 { $(EventType::$variant => Box::deserialize(deserializer).map(Data::$variant),)* }
            }
        }
    };
}

vocabulary! {
    /// Somebody was let in.
    LoginSucceeded = "auth.login_succeeded" => Login in auth,
    /// Somebody was not let in.
    LoginFailed = "auth.login_failed" => LoginFailed in auth,
    /// A one-time code was asked for.
    OtpRequested = "auth.otp_requested" => Otp in auth,
    /// A one-time code was right.
    OtpVerified = "auth.otp_verified" => Otp in auth,
    /// A one-time code was wrong.
    OtpFailed = "auth.otp_failed" => Otp in auth,
    /// An account was tied to a device.
    DeviceBound = "auth.device_bound" => DeviceBound in auth,
    /// A number is on another SIM card.
    SimChanged = "auth.sim_changed" => SimChanged in auth,
    /// A credential is another now.
    CredentialChanged = "auth.credential_changed" => CredentialChanged in auth,
    /// A payment was authorised.
    PaymentAuthorized = "payment.authorized" => Payment in payment,
    /// A payment was taken.
    PaymentCaptured = "payment.captured" => Payment in payment,
    /// A payment failed.
    PaymentFailed = "payment.failed" => Payment in payment,
    /// Both sides say that cash changed hands.
    CashConfirmed = "payment.cash_confirmed" => Payment in payment,
    /// The card's bank took the money back.
    Chargeback = "payment.chargeback" => Payment in payment,
    /// Somebody wants money back.
    RefundRequested = "payment.refund_requested" => Payment in payment,
    /// Money went back.
    RefundIssued = "payment.refund_issued" => Payment in payment,
    /// A tasker wants to be paid.
    PayoutRequested = "payment.payout_requested" => Payment in payment,
    /// A tasker was paid.
    PayoutPaid = "payment.payout_paid" => Payment in payment,
    /// Something was written.
    ChatMessage = "chat.message" => ChatMessage in chat,
    /// A driver's device says where it is.
    GpsPosition = "gps.position" => GpsPosition in gps,
    /// A driver was given a way to take.
    RoutePlanned = "gps.route_planned" => RoutePlanned in gps,
    /// Work was asked for.
    BookingCreated = "booking.created" => Booking in booking,
    /// A tasker will do it.
    BookingAccepted = "booking.accepted" => Booking in booking,
    /// It has begun.
    BookingStarted = "booking.started" => Booking in booking,
    /// It is done.
    BookingCompleted = "booking.completed" => Booking in booking,
    /// It was called off.
    BookingCancelled = "booking.cancelled" => Booking in booking,
    /// Somebody says that it was not done as agreed.
    BookingDisputed = "booking.disputed" => Booking in booking,
    /// Somebody was given stars.
    ReviewSubmitted = "review.submitted" => Review in review,
    /// Somebody was reported.
    ReportFiled = "report.filed" => Report in review,
    /// The ledger was written to.
    LedgerPosted = "ledger.posted" => LedgerPosted in ledger,
    /// Staff did something.
    AdminAction = "admin.action" => AdminAction in admin,
    /// Somebody was refused.
    AuthzDenied = "authz.denied" => AuthzDenied in admin,
    /// Somebody joined.
    AccountRegistered = "account.registered" => Registered in account,
    /// How well somebody is known changed.
    KycChanged = "account.kyc_changed" => KycChanged in account,
    /// A token was no good.
    TokenRejected = "token.rejected" => TokenRejected in gateway,
    /// Requests went over a limit.
    ApiThrottled = "api.throttled" => ApiThrottled in gateway,
    /// A provider's message came in.
    WebhookReceived = "webhook.received" => WebhookReceived in gateway,
    /// Somebody used a promotion.
    PromoRedeemed = "promo.redeemed" => PromoRedeemed in account,
    /// A report was looked at.
    ReportHandled = "report.handled" => ReportHandled in review,
    /// An alert was opened.
    AlertOpened = "rasid.alert" => Alert in alert,
    /// One line of what was written to the ledger.
    LedgerLine = "ledger.line" => LedgerLine in ledger,
}

/// The types that the engine makes itself, the last of all.
const OWN: [EventType; 2] = [EventType::AlertOpened, EventType::LedgerLine];

impl EventType {
    /// Whether it says that an alert was opened.
    #[inline]
    pub fn is_alert(self) -> bool {
        self == Self::AlertOpened
    }

    /// The type of what its events are parts of: they come with one of those, right after it ([`Event::parts`]).
    #[inline]
    pub fn whole(self) -> Option<Self> {
        match self {
            Self::LedgerLine => Some(Self::LedgerPosted),
            _ => None,
        }
    }
}

impl<'a> Event<'a> {
    /// Whether it is of a type that is made up of others.
    #[inline]
    pub fn has_parts(&self) -> bool {
        matches!(self.data, Data::LedgerPosted(_))
    }

    /// The events that it is made up of: of a `ledger.posted` its lines, in order. They have its identity and its clocks.
    pub fn parts(&self) -> impl Iterator<Item = Event<'a>> {
        let lines = match &self.data {
            Data::LedgerPosted(entry) => Some(entry.each()),
            _ => None,
        };
        let Self { id, source, time, received, .. } = self;
        let part = |line| Self {
            id: id.clone(),
            source: source.clone(),
            time: *time,
            received: *received,
            data: Data::LedgerLine(Box::new(line)),
        };
        lines.into_iter().flatten().map(part)
    }
}

impl Data<'_> {
    /// The H3 cell of the event's place, for the `region` entity kind.
    pub fn region(&self) -> Option<u64> {
        match self {
            Self::Columns(columns) => columns.region(),
            data => data.place().map(Position::region),
        }
    }
}

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
