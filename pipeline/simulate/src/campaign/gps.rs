//! A driver's position is made up: to be offered better jobs, or to be paid for ways never driven.

use crate::clock::{HOUR, MINUTE};
use crate::honest::gps::{Disguise, Honest, Metres, Shift};
use crate::people::Role;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::{Outbox, Story};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    word: "gps_spoof",
    doc: "A driver's position is made up.",
    span_ms: [100 * MINUTE, 110 * MINUTE, 2 * HOUR],
    stage: |scene, level, out| Some(spoof(scene, level, out)),
}];

/// Blatant: back and forth over the city, 6 to 20 km at a time. Moderate: hops of 2.5 to 4 km to busy corners, ten minutes each.
/// Careful: the report creeps away from the parked car at a cyclist's speed and creeps back.
struct Spoof {
    level: Level,
    story: Story,
    from: i64,
    to: i64,
    mock: bool,
    /// Where the lies lead, metres from the truth (careful, moderate) or from the city's centre (blatant).
    spots: Vec<Metres>,
}

impl Disguise for Spoof {
    fn displace(&self, at: i64, place: Metres) -> Option<Metres> {
        if !(self.from..self.to).contains(&at) {
            return None;
        }
        let turn = |every: i64| usize::try_from((at - self.from) / every).unwrap_or_default();
        let spot = |turn: usize| self.spots.get(turn % self.spots.len().max(1)).copied().unwrap_or_default();
        match self.level {
            Level::Blatant => {
                let spot = spot(turn(4 * MINUTE));
                Some((spot.0 - place.0, spot.1 - place.1))
            }
            // Every other ten minutes honest, for looks.
            Level::Moderate => turn(8 * MINUTE).is_multiple_of(2).then(|| spot(turn(16 * MINUTE))),
            Level::Careful => {
                let half = (self.to - self.from) / 2;
                let out = (half - (at - self.from - half).abs()) / 1_000;
                let seconds = f64::from(u32::try_from(out).unwrap_or_default());
                let (north, east) = spot(0);
                Some((north * seconds, east * seconds))
            }
        }
    }

    fn story(&self) -> Option<Story> {
        Some(self.story)
    }

    fn mock(&self) -> bool {
        self.mock
    }
}

/// A driver of the campaign's own, honest before and after.
fn spoof(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Cast {
    let driver = scene.hire(Role::Driver);
    let random = &mut scene.random;
    let (from, length) = match level {
        Level::Blatant => (scene.start + 25 * MINUTE, 50 * MINUTE),
        Level::Moderate => (scene.start + 25 * MINUTE, 62 * MINUTE),
        Level::Careful => (scene.start + 25 * MINUTE, 70 * MINUTE),
    };
    let side = |random: &mut crate::random::Random, low: f64, high: f64| {
        let far = random.real(low, high);
        if random.chance(0.5) { far } else { -far }
    };
    let spots = match level {
        Level::Blatant => vec![(4_000.0, -4_500.0), (-5_000.0, 5_000.0), (side(random, 7_000.0, 9_000.0), side(random, 7_000.0, 9_000.0))],
        Level::Moderate => (0..4).map(|_| (side(random, 1_900.0, 2_800.0), side(random, 1_900.0, 2_800.0))).collect(),
        Level::Careful => vec![(side(random, 0.8, 1.6), side(random, 0.8, 1.6))], // m/s north and east
    };
    let mock = level == Level::Blatant && random.chance(0.5);
    let spoof = Spoof { level, story: scene.story, from, to: from + length, mock, spots };
    out.story = None; // the shift sets it, fix by fix
    let mut shift = Shift::new(&driver, random, scene.start);
    if level == Level::Careful {
        shift.drive(random, from - 2 * MINUTE, &Honest, out);
        shift.park(random, length + 4 * MINUTE, from + length + 2 * MINUTE, &spoof, out);
    } else {
        shift.drive(random, from + length, &spoof, out);
    }
    shift.drive(random, from + length + 20 * MINUTE, &Honest, out);
    let also = vec![format!("device:{}", driver.device()), format!("user:{}", driver.id)];
    Cast { entity: format!("driver:{}", driver.id), also }
}
