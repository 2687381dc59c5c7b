//! The stage on which a story is played: a campaign, or honest life that looks like one.

use std::fmt::Debug;

use crate::Config;
use crate::clock::{DAY, HOUR, MINUTE, cairo_hour};
use crate::label::Label;
use crate::people::{Person, Population, Role, phone};
use crate::random::Random;
use crate::scenario::{Half, Level};
use crate::wire::{Outbox, Story};

/// One story in the making.
pub(crate) struct Scene<'a> {
    pub(crate) config: &'a Config,
    pub(crate) population: &'a Population,
    /// Whose label it will be.
    pub(crate) story: Story,
    /// Its word, and at campaigns its level: the name of its parameters.
    name: String,
    /// When it begins, Unix ms.
    pub(crate) start: i64,
    /// Draws of what does not matter: identifiers, seconds, which of many.
    pub(crate) random: Random,
    /// Numbers above this are the story's people.
    first_person: u64,
    hired: u64,
    numbers: Numbers,
    phones: u64,
}

/// A story's numbers in the numbering plan.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbers {
    /// So many from one on are its own; where it needs more, they lie between the population's and the newcomers'.
    Block { first: u64, count: u64 },
    /// The numbers that newcomers leave free, from that row of four on, one of each row: as many as are needed.
    Rows { first: u64 },
}

/// Rows of four numbers that newcomers leave free: the upper 500 of each of their 120 thousands.
const FREE_ROWS: u64 = 120 * 125;

/// Who plays the attacker's part; of honest life, who might be taken for one.
pub(crate) struct Cast {
    /// Whom an alert should name, `kind:id`.
    pub(crate) entity: String,
    /// Everything else of theirs.
    pub(crate) also: Vec<String>,
}

impl<'a> Scene<'a> {
    /// A stage; `first_person` and `numbers` are the story's alone.
    pub(crate) fn new(
        (config, population): (&'a Config, &'a Population),
        story: Story,
        name: String,
        (start, random): (i64, Random),
        (first_person, numbers): (u64, Numbers),
    ) -> Self {
        Self { config, population, story, name, start, random, first_person, hired: 0, numbers, phones: 0 }
    }

    /// A parameter of the story, `low` to `high`, both included: how many, how far apart, how much. Campaigns draw it from the
    /// half of the range that the simulation is of.
    pub(crate) fn param(&mut self, name: &str, low: i64, high: i64) -> i64 {
        let middle = low + (high - low) / 2;
        match self.upper(name) {
            Some(true) => self.random.between((middle + 1).min(high), high),
            Some(false) => self.random.between(low, middle),
            None => self.random.between(low, high),
        }
    }

    /// A parameter of the story that is one of some; in a half of the range, one of half of them.
    pub(crate) fn choice<T: Copy + Debug>(&mut self, name: &str, from: &[T]) -> T {
        let last = i64::try_from(from.len()).unwrap_or(i64::MAX) - 1;
        let index = usize::try_from(self.param(name, 0, last)).unwrap_or_default();
        *from.get(index).expect("a choice is among some")
    }

    /// Whether the parameter is drawn from the upper half of its range; None for the whole of it.
    fn upper(&self, name: &str) -> Option<bool> {
        let half = self.config.half.filter(|_| matches!(self.story, Story::Campaign(_)))?;
        let tuned_is_upper = Random::of(0, &format!("{}.{name}", self.name), 0, 0).chance(0.5);
        Some(tuned_is_upper == (half == Half::Tuned))
    }

    /// Somebody who is in no other story.
    pub(crate) fn hire(&mut self, role: Role) -> Person {
        self.hired += 1;
        let mut person = Person::new(self.config, self.first_person + self.hired, role, &[]);
        (person.vpn, person.trip, person.relative) = (None, None, None);
        person.phone = self.phone();
        person
    }

    /// A number that is nobody else's: one operator's for the whole story, as long as the story's own numbers last.
    pub(crate) fn phone(&mut self) -> String {
        self.phones += 1;
        let (first, count) = match self.numbers {
            Numbers::Block { first, count } => (first, count),
            Numbers::Rows { first } => {
                let row = (first + self.phones - 1) % FREE_ROWS;
                return phone(self.config.seed, 120_000 + row / 125 * 1_000 + 500 + row % 125 * 4 + first % 4);
            }
        };
        if let Some(beyond) = (self.phones * 4).checked_sub(count).filter(|_| self.phones * 4 >= count) {
            // Between the population's numbers and the newcomers': a row for each story, of all four operators.
            let row = (first / 16).wrapping_mul(1_301) + beyond / 4;
            return phone(self.config.seed, 20_000 + row * 4 % 100_000 + self.random.below(4));
        }
        phone(self.config.seed, first - first % 4 + self.phones * 4 % count + first / 4 % 4)
    }

    /// How many numbers it has taken so far.
    pub(crate) fn phones(&self) -> u64 {
        self.phones
    }

    /// As many distinct numbers of one range that is sold together: neighbours among the `within` numbers from its beginning,
    /// 10,000 at most, in any order.
    pub(crate) fn range(&mut self, count: i64, within: i64) -> Vec<String> {
        let block = *self.random.pick(&["10", "11", "12", "15"]);
        let within = within.clamp(count, 10_000);
        let first = self.random.between(0, 9) * 10_000 + self.random.between(0, 10_000 - within);
        let mut left: Vec<i64> = (0..within).collect();
        (0..count.min(within))
            .map(|_| {
                let place = usize::try_from(self.random.below(left.len() as u64)).unwrap_or_default();
                format!("+20{block}000{:05}", first + left.swap_remove(place))
            })
            .collect()
    }

    /// Numbers of the whole made-up plan, as a list that somebody has bought: nobody's, but for a few.
    pub(crate) fn list_of_numbers(&mut self, count: i64) -> Vec<String> {
        (0..count).map(|_| format!("+20{}000{:05}", self.random.pick(&["10", "11", "12", "15"]), self.random.between(0, 99_999))).collect()
    }

    /// Some honest people, each once; fewer where there are not as many.
    pub(crate) fn several<'p>(&mut self, people: &'p [Person], count: i64) -> Vec<&'p Person> {
        let count = usize::try_from(count).unwrap_or_default();
        let mut chosen: Vec<&Person> = Vec::new();
        for _ in 0..count * 3 {
            let Some(person) = self.somebody(people).filter(|_| chosen.len() < count) else { break };
            if chosen.iter().all(|other| other.number != person.number) {
                chosen.push(person);
            }
        }
        chosen
    }

    /// An honest person of the marketplace.
    pub(crate) fn somebody<'p>(&mut self, people: &'p [Person]) -> Option<&'p Person> {
        if people.is_empty() {
            return None;
        }
        // Whoever travels, or logs in through a VPN or from two countries, is no clear victim.
        (0..30).map(|_| self.random.pick(people)).find(|person| person.vpn.is_none() && person.trip.is_none() && person.relative.is_none())
    }

    /// Somebody honest of that city.
    pub(crate) fn neighbour<'p>(&mut self, people: &'p [Person], city: usize) -> Option<&'p Person> {
        (0..200).find_map(|_| self.somebody(people).filter(|person| person.city == city)).or_else(|| self.somebody(people))
    }

    /// The first instant from the start when people are up, 8 to 20 in Cairo: at most 12 hours later.
    pub(crate) fn waking(&self) -> i64 {
        let mut at = self.start;
        while !(8..20).contains(&cairo_hour(at)) {
            at += HOUR / 4;
        }
        at
    }

    /// That many instants in order, spread evenly over days, each between 9 and 18 in Cairo: all within a day of `days` after the start.
    pub(crate) fn spread(&mut self, count: i64, days: i64) -> Vec<i64> {
        let mut nine = self.start;
        while cairo_hour(nine) != 9 {
            nine += HOUR / 4;
        }
        let mut all: Vec<i64> = (0..count).map(|turn| nine + turn * days / count.max(1) * DAY + self.random.between(0, 8 * HOUR)).collect();
        all.sort_unstable();
        all
    }

    /// When the jobs of a story are, by level: so many, in a row so many minutes apart, from the start (blatant) or from when people are
    /// up (moderate), or spread over so many days (careful).
    pub(crate) fn jobs(&mut self, level: Level, jobs: [(i64, i64); 3], apart: [(i64, i64); 3]) -> Vec<i64> {
        let ([blatant, moderate, careful], [minutes, more_minutes, days]) = (jobs, apart);
        let (first, (low, high), (near, far)) = match level {
            Level::Blatant => (self.start, blatant, minutes),
            Level::Moderate => (self.waking(), moderate, more_minutes),
            Level::Careful => {
                let (count, days) = (self.param("jobs", careful.0, careful.1), self.param("days", days.0, days.1));
                return self.spread(count, days);
            }
        };
        let (count, apart) = (self.param("jobs", low, high), self.param("minutes apart", near, far));
        (0..count).map(|turn| first + turn * apart * MINUTE).collect()
    }

    /// An honest person of that city.
    pub(crate) fn local<'p>(&mut self, people: &'p [Person], city: usize) -> Option<&'p Person> {
        (0..200).find_map(|_| self.somebody(people).filter(|person| person.city == city))
    }

    /// Plays what honest people do around the story: it is in no label.
    pub(crate) fn aside<T>(&mut self, out: &mut Outbox, play: impl FnOnce(&mut Self, &mut Outbox) -> T) -> T {
        let story = out.story.take();
        let played = play(self, out);
        out.story = story;
        played
    }
}

/// Plays a story: what it wrote, and who played it. Half a story is none, and leaves nothing behind.
pub(crate) fn play(
    scene: &mut Scene<'_>,
    out: &mut Outbox,
    stage: impl FnOnce(&mut Scene<'_>, &mut Outbox) -> Option<Cast>,
) -> Option<Label> {
    let before = (out.drafts.len(), out.books.mark(), out.brought.clone());
    out.story = Some(scene.story);
    let cast = stage(scene, out);
    out.story = None;
    let label = cast.and_then(|cast| {
        let drafts = out.drafts.iter().skip(before.0).filter(|draft| draft.story == Some(scene.story));
        Label::of(cast, drafts)
    });
    if label.is_none() {
        out.drafts.truncate(before.0);
        out.books.undo(before.1);
        out.brought = before.2;
    }
    label
}
