//! The `admin` and `authz` families: what the marketplace's own staff do, and what somebody was not allowed to.

use super::booking::ActorRole;
use super::field::Due;
use super::position::Location;
use super::text::{AdminId, IpAddress, OpaqueId};
use super::units::{AmountMinor, Count};
use crate::record;

record! {
    /// `admin.action`.
    pub struct AdminAction<'a> {
        /// Who acts.
        pub actor_id: AdminId<'a>,
        /// What is done.
        pub action: OpaqueId<'a>,
        /// To whom or what.
        pub target: OpaqueId<'a>,
        /// The address it was done from.
        pub ip: IpAddress<'a>,
        /// Where that seems to be.
        pub location: Option<Location>,
        /// Whether a second factor was shown.
        pub mfa: Due<bool>,
        /// The reason, as a code.
        pub reason_code: Option<OpaqueId<'a>>,
        /// The ticket it belongs to.
        pub ticket: Option<OpaqueId<'a>>,
        /// Who approved it.
        pub approver_id: Option<AdminId<'a>>,
        /// How many records were read by it.
        pub records_read: Option<Count>,
        /// How much money it moves.
        pub amount: Option<AmountMinor>,
    }
}

record! {
    /// `authz.denied`: somebody was refused.
    pub struct AuthzDenied<'a> {
        /// Who.
        pub actor_id: AdminId<'a>,
        /// In which role.
        pub actor_role: Due<ActorRole>,
        /// What they asked for.
        pub resource: OpaqueId<'a>,
        /// The address they asked from.
        pub ip: IpAddress<'a>,
    }
}
