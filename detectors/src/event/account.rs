//! The `account` family: people joining, and how well they are known.

use super::field::Due;
use super::text::{DeviceId, DocumentHash, IpAddress, OpaqueId, Phone, UserId};
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
        /// The device it was made on.
        pub device_id: Option<DeviceId<'a>>,
        /// The address it was made from.
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
