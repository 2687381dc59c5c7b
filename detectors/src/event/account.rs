//! The `account` family: people joining, and how well they are known.

use super::field::Due;
use super::text::{BookingId, DeviceId, DocumentHash, EmailAddress, IpAddress, OpaqueId, Phone, UserId};
use super::units::AmountMinor;
use crate::{choice, record};

choice! {
    /// As what somebody joins.
    pub enum Role {
        /// To have work done.
        Client = "client",
        /// To do it.
        Tasker = "tasker",
        /// To deliver.
        Driver = "driver",
    }
}

record! {
    /// `account.registered`.
    pub struct Registered<'a> {
        /// The account.
        pub user_id: UserId<'a>,
        /// As what.
        pub role: Due<Role>,
        /// The number it is reached by.
        pub phone: Phone<'a>,
        /// The address that it is written to.
        pub email: Option<EmailAddress<'a>>,
        /// The device it was made on.
        pub device_id: Option<DeviceId<'a>>,
        /// The address it was made from.
        pub ip: Option<IpAddress<'a>>,
        /// Who brought them.
        pub referrer_id: Option<UserId<'a>>,
        /// The promotion that they came by.
        pub promo_code: Option<OpaqueId<'a>>,
    }
}

record! {
    /// `promo.redeemed`: somebody used a promotion.
    pub struct PromoRedeemed<'a> {
        /// Who.
        pub user_id: UserId<'a>,
        /// Which.
        pub promo_code: OpaqueId<'a>,
        /// Who brought them.
        pub referrer_id: Option<UserId<'a>>,
        /// For which booking.
        pub booking_id: Option<BookingId<'a>>,
        /// What it is worth.
        pub amount: Option<AmountMinor>,
        /// The device it was used on.
        pub device_id: Option<DeviceId<'a>>,
        /// The address it was used from.
        pub ip: Option<IpAddress<'a>>,
    }
}

record! {
    /// `account.kyc_changed`: how well the marketplace knows who somebody is.
    pub struct KycChanged<'a> {
        /// The account.
        pub user_id: UserId<'a>,
        /// The level reached.
        pub level: OpaqueId<'a>,
        /// A hash of the document that was shown.
        pub document_hash: Option<DocumentHash<'a>>,
    }
}
