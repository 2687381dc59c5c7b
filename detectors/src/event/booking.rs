//! The `booking` family: what clients ask taskers to do, and what becomes of it.
//!
//! A booking may go created → accepted → started → completed → disputed, and from created or accepted to cancelled.

use super::position::{Location, Proof};
use super::text::{BookingId, DeviceId, OpaqueId, UserId};
use super::units::{AmountMinor, Currency, Timestamp};
use crate::{choice, record};

choice! {
    /// In which role somebody acts.
    pub enum ActorRole {
        /// Who asks for the work.
        Client = "client",
        /// Who does it.
        Tasker = "tasker",
        /// The marketplace's staff.
        Ops = "ops",
        /// The marketplace itself.
        System = "system",
    }
}

record! {
    /// Every `booking.*` event.
    pub struct Booking<'a> {
        /// The booking.
        pub booking_id: BookingId<'a>,
        /// Who asks for the work.
        pub client_id: UserId<'a>,
        /// Who does it.
        pub tasker_id: Option<UserId<'a>>,
        /// Where it is to be done.
        pub location: Option<Location>,
        /// When it is to be done.
        pub scheduled_at: Option<Timestamp>,
        /// What was agreed.
        pub price: Option<AmountMinor>,
        /// In which currency.
        pub currency: Option<Currency>,
        /// The promotion that makes it cheaper.
        pub promo_code: Option<OpaqueId<'a>>,
        /// What shows that it was done.
        pub proof: Option<Proof>,
        /// The client's device.
        pub client_device_id: Option<DeviceId<'a>>,
        /// The tasker's device.
        pub tasker_device_id: Option<DeviceId<'a>>,
        /// Who did this step.
        pub actor_id: Option<OpaqueId<'a>>,
        /// In which role.
        pub actor_role: Option<ActorRole>,
    }
}
