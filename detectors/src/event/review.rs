//! The `review` and `report` families: what people say of each other, to everybody and to the marketplace.

use super::field::Due;
use super::text::{AdminId, BookingId, DeviceId, IpAddress, OpaqueId, UserId};
use super::units::Rating;
use crate::{choice, record};

record! {
    /// `review.submitted`.
    pub struct Review<'a> {
        /// The review.
        pub review_id: OpaqueId<'a>,
        /// The booking it is about.
        pub booking_id: Option<BookingId<'a>>,
        /// Who wrote it.
        pub reviewer_id: UserId<'a>,
        /// Whom it is about.
        pub reviewee_id: UserId<'a>,
        /// One to five stars.
        pub rating: Rating,
        /// Whether the two really met over a booking.
        pub verified_booking: Due<bool>,
        /// The device it was written on.
        pub device_id: Option<DeviceId<'a>>,
        /// The address it was written from.
        pub ip: Option<IpAddress<'a>>,
    }
}

choice! {
    /// What is reported.
    pub enum ReportCategory {
        /// Harassment.
        Harassment = "harassment",
        /// Theft.
        Theft = "theft",
        /// Violence.
        Violence = "violence",
        /// Spam.
        Spam = "spam",
        /// Being pressed into something, such as a review.
        Coercion = "coercion",
        /// The panic button.
        Panic = "panic",
    }
}

record! {
    /// `report.filed`.
    pub struct Report<'a> {
        /// The report.
        pub report_id: OpaqueId<'a>,
        /// Who reports.
        pub reporter_id: UserId<'a>,
        /// Who is reported.
        pub reported_id: UserId<'a>,
        /// What for.
        pub category: Due<ReportCategory>,
        /// The booking it happened on.
        pub booking_id: Option<BookingId<'a>>,
    }
}

record! {
    /// `report.handled`: somebody looked at a report.
    pub struct ReportHandled<'a> {
        /// The report.
        pub report_id: OpaqueId<'a>,
        /// Who looked.
        pub actor_id: AdminId<'a>,
        /// What came of it.
        pub outcome: OpaqueId<'a>,
    }
}
