//! The `gps` family: what drivers' devices report and what they were asked to drive.

use super::field::Record as _;
use super::position::{Points, Position};
use super::text::{BookingId, DeviceId, DriverId, OpaqueId};
use super::units::{Heading, Latitude, Longitude, Metres, MetresPerSecond, Reported};
use crate::{choice, record};

choice! {
    /// Where a fix comes from.
    pub enum FixProvider {
        /// Satellites.
        Gps = "gps",
        /// Cell towers and Wi-Fi.
        Network = "network",
        /// Several together.
        Fused = "fused",
    }
}

record! {
    /// `gps.position`: where a driver's device says it is. The device's clock is in the envelope's `time`, which a
    /// cheat can set; the event clock is `receivedtime`.
    pub struct GpsPosition<'a> where accuracy_m hides [lat, lon] {
        /// The driver.
        pub entity_id: DriverId<'a>,
        /// Degrees north.
        pub lat: Latitude,
        /// Degrees east.
        pub lon: Longitude,
        /// 68 % radius, m; negative: the place is none.
        pub accuracy_m: Option<Reported<Metres>>,
        /// Speed as the device tells it.
        pub speed_mps: Option<Reported<MetresPerSecond>>,
        /// Direction of travel.
        pub heading_deg: Option<Reported<Heading>>,
        /// Whether the device admits a mock provider; its absence proves nothing.
        pub mock: Option<bool>,
        /// Where the fix comes from.
        pub provider: Option<FixProvider>,
        /// The device.
        pub device_id: Option<DeviceId<'a>>,
        /// The task being driven.
        pub task_id: Option<BookingId<'a>>,
    }
}

impl GpsPosition<'_> {
    /// Where the device is, unless its accuracy says that it does not know, or nobody can be there.
    #[inline]
    pub fn position(&self) -> Option<Position> {
        self.place().filter(|position| position.is_place())
    }
}

record! {
    /// `gps.route_planned`: the way a driver is expected to take.
    pub struct RoutePlanned<'a> {
        /// The route.
        pub route_id: OpaqueId<'a>,
        /// The driver.
        pub entity_id: DriverId<'a>,
        /// The task.
        pub task_id: BookingId<'a>,
        /// Two or more points.
        pub points: Points,
        /// Width of the corridor to either side, m.
        pub corridor_m: Option<Metres>,
    }
}
