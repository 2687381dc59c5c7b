//! The slowest speed at which somebody can have come from one fix to another, given how uncertain both are.
//!
//! ```text
//! d_lb = max(0, d − k·(r₁ + r₂))        v_lb = d_lb / (|Δt| + τ)
//! ```
//!
//! with d the great-circle distance, rᵢ the 68 % radii, k the radius factor and τ the clock tolerance. Monotone in the
//! evidence: a wider radius or more clock doubt can only make it smaller. k = 0, τ = 0 is the naive speed that other
//! systems use, blind to the radius that geo-IP and receivers report.

use serde::{Deserialize, Serialize};

use super::great_circle;
use crate::event::position::Position;
use crate::signal::{Signal, SignalField, SignalType};
use crate::value::OwnedValue;

/// A place at a time, with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// Where.
    pub position: Position,
    /// 68 % radius, m.
    pub radius_m: f64,
    /// When, ms since the Unix epoch.
    pub time_ms: i64,
}

/// What is allowed between two fixes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Fastest credible speed, m/s.
    pub speed_mps_max: f64,
    /// Jumps up to this are never judged, m.
    pub distance_m_min: f64,
    /// k: how many radii to take off the distance.
    pub radius_factor: f64,
    /// τ: how far the two clocks may disagree, s.
    pub tolerance_s: f64,
    /// Widest radius that is believed, m; a wider claim counts as this one. Who may claim any radius explains any jump.
    pub radius_m_max: f64,
}

/// How two fixes break the bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excess {
    /// `d_lb`, m.
    pub distance_m: f64,
    /// r₁ + r₂, as they are reported, m.
    pub radius_m: f64,
    /// |Δt| + τ, s.
    pub elapsed_s: f64,
    /// `v_lb`, m/s; 0 elapsed gives the distance itself, as if it had taken a second.
    pub speed_mps: f64,
    /// `1 − speed_mps_max · elapsed / d_lb`, in 0..1: how far past the bound.
    pub strength: f64,
}

/// Whether `to` cannot be reached from `from`: `d_lb > distance_m_min` and `d_lb > speed_mps_max · (|Δt| + τ)`. Never
/// divides by the time, so equal timestamps are judged like any others.
pub fn excess(from: &Fix, to: &Fix, bounds: &Bounds) -> Option<Excess> {
    if great_circle::distance_m_at_most(from.position, to.position) <= bounds.distance_m_min {
        return None;
    }
    let doubt_m = doubt_m(from, bounds) + doubt_m(to, bounds);
    let distance_m = (great_circle::distance_m(from.position, to.position) - doubt_m).max(0.0);
    let elapsed_s = elapsed_s(from, to) + bounds.tolerance_s;
    let reachable_m = bounds.speed_mps_max * elapsed_s;
    (distance_m > bounds.distance_m_min && distance_m > reachable_m).then(|| Excess {
        distance_m,
        radius_m: from.radius_m + to.radius_m,
        elapsed_s,
        speed_mps: if elapsed_s > 0.0 { distance_m / elapsed_s } else { distance_m },
        strength: 1.0 - reachable_m / distance_m,
    })
}

/// The fields of [`Excess::signal`].
pub const FIELDS: &[SignalField] = &[
    SignalField { name: "distance_m", ty: SignalType::Double { decimals: 0 }, doc: "distance less the radii, m" },
    SignalField { name: "radius_m", ty: SignalType::Double { decimals: 0 }, doc: "the radii of both, m" },
    SignalField { name: "elapsed_s", ty: SignalType::Double { decimals: 3 }, doc: "time between the two and the tolerance, s" },
    SignalField { name: "speed_mps", ty: SignalType::Double { decimals: 1 }, doc: "slowest speed that explains both, m/s" },
    SignalField { name: "strength", ty: SignalType::Double { decimals: 3 }, doc: "how far past the bound, 0 to 1" },
];

impl Excess {
    /// The numbers, as a detector says them.
    pub fn signal(&self) -> Signal {
        Signal::new(FIELDS, [self.distance_m, self.radius_m, self.elapsed_s, self.speed_mps, self.strength].map(OwnedValue::Double))
    }
}

/// Judges `fix` against the anchor, the fix that says most about where they are now, and then makes it the anchor
/// unless it says less: because it is older (what is delivered late is judged but cannot drag the anchor back), or
/// because its doubt is wider than the anchor's has become by travelling at full speed since. Otherwise one vague fix
/// between two sharp ones would excuse any jump. Of equal times and doubts, the one delivered last is the anchor.
pub fn judge(anchor: &mut Option<Fix>, fix: Fix, bounds: &Bounds) -> Option<Excess> {
    let Some(before) = *anchor else {
        *anchor = Some(fix);
        return None;
    };
    let grown_m = doubt_m(&before, bounds) + bounds.speed_mps_max * elapsed_s(&before, &fix);
    if fix.time_ms >= before.time_ms && doubt_m(&fix, bounds) <= grown_m {
        *anchor = Some(fix);
    }
    excess(&before, &fix, bounds)
}

/// What a fix's radius takes off a distance, m. With a factor of 0 the radius is not looked at.
fn doubt_m(fix: &Fix, bounds: &Bounds) -> f64 {
    bounds.radius_factor * fix.radius_m.min(bounds.radius_m_max)
}

/// |Δt|, s.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years are below 2^53")]
fn elapsed_s(from: &Fix, to: &Fix) -> f64 {
    to.time_ms.abs_diff(from.time_ms) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::units::{Latitude, Longitude};
    use proptest::prelude::*;

    fn fix(lat: f64, lon: f64, radius_m: f64, time_ms: i64) -> Fix {
        let position = Position::new(Latitude::try_from(lat).expect("in range"), Longitude::try_from(lon).expect("in range"));
        Fix { position, radius_m, time_ms }
    }

    const NAIVE: Bounds =
        Bounds { speed_mps_max: 250.0, distance_m_min: 100_000.0, radius_factor: 0.0, tolerance_s: 0.0, radius_m_max: 500_000.0 };

    #[test]
    fn simultaneous_fixes_far_apart_are_impossible() {
        let found = excess(&fix(30.0, 31.0, 0.0, 0), &fix(25.0, 55.0, 0.0, 0), &NAIVE).expect("an excess");
        assert!(found.speed_mps.is_finite() && (found.strength - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_radius_explains_a_carriers_jump() {
        let (cairo, alexandria) = (fix(30.04, 31.24, 100_000.0, 0), fix(31.2, 29.92, 100_000.0, 60_000));
        assert!(excess(&cairo, &alexandria, &NAIVE).is_some());
        assert!(excess(&cairo, &alexandria, &Bounds { radius_factor: 1.0, ..NAIVE }).is_none());
    }

    #[test]
    fn a_vague_fix_between_two_sharp_ones_excuses_nothing() {
        let bounds = Bounds { radius_factor: 1.0, ..NAIVE };
        for radius_m in [400_000.0, 20_000_000.0, f64::MAX, f64::INFINITY] {
            let mut anchor = None;
            let (cairo, dubai) = (fix(30.04, 31.24, 10_000.0, 0), fix(25.2, 55.27, 10_000.0, 120_000));
            assert!(judge(&mut anchor, cairo, &bounds).is_none());
            let _ = judge(&mut anchor, Fix { radius_m, time_ms: 60_000, ..dubai }, &bounds);
            assert!(judge(&mut anchor, dubai, &bounds).is_some(), "{radius_m}");
        }
    }

    #[test]
    fn a_radius_that_is_no_number_of_metres_changes_nothing_for_the_naive_form() {
        let (cairo, dubai) = (fix(30.04, 31.24, f64::INFINITY, 0), fix(25.2, 55.27, f64::INFINITY, 60_000));
        assert!(excess(&cairo, &dubai, &NAIVE).is_some());
    }

    proptest! {
        #[test]
        fn more_doubt_never_accuses(
            a in (-80.0..80.0, -179.0..179.0), b in (-80.0..80.0, -179.0..179.0), dt in 0_i64..10_000_000,
            radius in 0.0..500_000.0, more in 0.0..500_000.0, tau in 0.0..600.0, factor in 0.0..3.0,
        ) {
            let bounds = Bounds { radius_factor: factor, tolerance_s: tau, ..NAIVE };
            let sure = excess(&fix(a.0, a.1, radius, 0), &fix(b.0, b.1, radius, dt), &bounds);
            let wider = excess(&fix(a.0, a.1, radius + more, 0), &fix(b.0, b.1, radius, dt), &bounds);
            let looser = excess(&fix(a.0, a.1, radius, 0), &fix(b.0, b.1, radius, dt), &Bounds { tolerance_s: tau + 1.0, ..bounds });
            prop_assert!(wider.is_none() || sure.is_some());
            prop_assert!(looser.is_none() || sure.is_some());
            if let (Some(sure), Some(wider)) = (sure, wider) { prop_assert!(wider.speed_mps <= sure.speed_mps); }
        }
    }
}
