//! Honest life that looks like fraud, a family a file: what detectors are most easily wrong about. Each story has a label, so that a
//! false alert can be laid to what it was about. How often each happens is an assumption, and says so.

#![allow(clippy::unnecessary_wraps, reason = "a stage may have nobody to play it on: all return an option")]

mod account;
mod books;
mod card;
mod crowd;
mod doors;
mod gateway;
mod inside;
mod jobs;
mod login;
mod money;
mod newcomer;
mod opinions;
mod otp;
mod payout;
mod refund;
mod talk;

use crate::Config;
use crate::clock::{DAY, HOUR, MINUTE, SECOND, busy_instant};
use crate::honest::day_number;
use crate::label::LookAlike;
use crate::people::Population;
use crate::random::Random;
use crate::scene::{Cast, Numbers, Scene, play};
use crate::wire::{Outbox, Story};

/// Every family's stories.
const FAMILIES: &[&[Tale]] = &[
    refund::TALES, // before all with payouts: what is paid out has been earned, and not given back
    card::TALES,
    books::TALES,
    otp::TALES,
    crowd::TALES,
    login::TALES,
    account::TALES,
    newcomer::TALES,
    jobs::TALES,
    doors::TALES,
    opinions::TALES,
    talk::TALES,
    inside::TALES,
    gateway::TALES,
    payout::TALES,
];

/// Numbers above this are the people of these stories; each has room for 1,023, each day for 4,096 stories.
const CAST: u64 = 1 << 41;

/// One kind of story.
pub(crate) struct Tale {
    /// Its word in labels.
    pub(crate) word: &'static str,
    /// What happens, and why it is honest, in a line.
    #[expect(dead_code, reason = "it is read where the lists are")]
    pub(crate) doc: &'static str,
    /// How often: an assumption, where its text names no source.
    pub(crate) often: Often,
    /// Plays it. None where the marketplace has nobody to play it.
    pub(crate) stage: fn(&mut Scene<'_>, &mut Outbox) -> Option<Cast>,
}

/// How often something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Often {
    /// Times a day for each 1,000 people of the marketplace.
    PerThousand(f64),
    /// Times a day in the whole marketplace, however large.
    ADay(f64),
}

/// Writes the stories that begin on the day, and their labels, where all of the story is within the simulation. `phones` are the rows of
/// the numbering plan that these stories have taken since the simulation began: no two have a number in common before 15,000 are.
pub(crate) fn day(
    config: &Config,
    population: &Population,
    day_start: i64,
    out: &mut Outbox,
    labels: &mut Vec<LookAlike>,
    phones: &mut u64,
) {
    // Where nobody lives, nothing happens.
    if config.honest_users() == 0 {
        return;
    }
    let end = config.start_ms + i64::from(config.hours) * HOUR - 3 * MINUTE;
    let number = day_number(day_start);
    let mut stories = 0_u64;
    for tale in FAMILIES.iter().copied().flatten() {
        let plan = &mut Random::of(config.seed, tale.word, number, 0);
        let times = match tale.often {
            Often::PerThousand(mean) => plan.about(mean * f64::from(config.honest_users()) / 1_000.0),
            Often::ADay(mean) => plan.about(mean),
        };
        for time in 1..=times {
            let mut random = Random::of(config.seed, tale.word, number, time);
            // What comes minutes before a start is of the same day.
            let start = busy_instant(&mut random, day_start).max(day_start + 150 * SECOND);
            stories += 1;
            let place = u32::try_from(labels.len()).unwrap_or(u32::MAX);
            let own = (CAST + (number << 22) + (stories << 10), Numbers::Rows { first: *phones });
            let mut scene = Scene::new((config, population), Story::LookAlike(place), tale.word.to_owned(), (start, random), own);
            let written = out.drafts.len();
            let label = play(&mut scene, out, tale.stage);
            *phones += scene.phones();
            if let Some(label) = label {
                // What goes on after the end is played, so that a shorter simulation begins a longer one, and is in no label.
                if out.drafts.iter().skip(written).all(|draft| draft.arrival < end) {
                    labels.push(LookAlike { look_alike: tale.word, label });
                } else {
                    out.drafts.iter_mut().skip(written).for_each(|draft| draft.story = None);
                }
            }
        }
    }
    debug_assert!(stories < 4_096 && day_start % DAY == config.start_ms % DAY);
}
