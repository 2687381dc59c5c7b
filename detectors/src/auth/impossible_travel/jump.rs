//! Two places that no travel connects.

use super::Params;
use crate::kernel::great_circle::distance_m;
use crate::kernel::lower_bound_speed::{Bounds, Fix, excess};

/// A jump that no travel explains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jump {
    /// Distance less the radii, m.
    pub(super) distance_m: f64,
    /// Time between the two and the tolerance, s.
    pub(super) elapsed_s: f64,
    /// Slowest speed that explains both, m/s.
    pub(super) speed_mps: f64,
    pub(super) strength: f64,
    /// Distance between the two places, m.
    pub(super) apart_m: f64,
    pub(super) radii_m: f64,
}

impl Jump {
    /// Whether somebody can have come from one place to the other neither on the ground nor by a flight.
    pub(super) fn between(params: &Params, from: &Fix, to: &Fix) -> Option<Self> {
        let is_naive = params.radius_factor <= 0.0;
        let flight_s = if is_naive { 0.0 } else { params.flight_s };
        let bounds = Bounds {
            speed_mps_max: params.speed_mps_max,
            distance_m_min: params.distance_m_min,
            radius_factor: params.radius_factor,
            tolerance_s: params.tolerance_s,
            radius_m_max: f64::INFINITY,
        };
        let by_air = excess(from, to, &Bounds { tolerance_s: params.tolerance_s - flight_s, ..bounds })?;
        let ground_mps = if is_naive { params.speed_mps_max } else { params.ground_mps_max.min(params.speed_mps_max) };
        let on_ground = excess(from, to, &Bounds { speed_mps_max: ground_mps, ..bounds })?;
        let apart_m = distance_m(from.position, to.position);
        Some(Self {
            distance_m: on_ground.distance_m,
            elapsed_s: on_ground.elapsed_s,
            speed_mps: on_ground.speed_mps,
            strength: on_ground.strength.min(by_air.strength),
            apart_m,
            radii_m: apart_m - on_ground.distance_m,
        })
    }
}

/// What told the place that a login is set against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Address,
    Device,
    Exit,
}

impl From {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Device => "device",
            Self::Exit => "exit",
        }
    }
}
