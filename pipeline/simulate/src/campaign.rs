//! Fraud, a family a file. Each campaign has people of its own or one chosen victim, a start drawn from the day, and a label
//! with all of its events. What honest people do around it (the victim's own login, the driver's shift) is in none.

mod chat;
mod gps;
mod otp;
mod payment;
mod takeover;

use crate::Config;
use crate::clock::MINUTE;
use crate::honest::day_number;
use crate::label::Label;
use crate::people::{Person, Population, Role, phone};
use crate::random::Random;
use crate::wire::Outbox;
use crate::{Kind, Level};

/// Numbers above this are campaigns' people.
const CAST: u64 = 1 << 40;

/// One campaign in the making.
struct Scene<'a> {
    config: &'a Config,
    population: &'a Population,
    level: Level,
    /// The place of its label.
    number: u32,
    start: i64,
    random: Random,
    hired: u64,
    phones: u64,
}

/// Who plays the attacker's part.
struct Cast {
    /// Whom an alert should name, `kind:id`.
    entity: String,
    /// Everything else of the attacker's.
    also: Vec<String>,
}

impl Scene<'_> {
    /// Somebody who is in no other story.
    fn hire(&mut self, role: Role) -> Person {
        self.hired += 1;
        // The day and the campaign are in the number: people of two days are two people.
        let number = CAST + (u64::from(self.number) << 12) + self.hired;
        let mut person = Person::new(self.config, number, role, &[]);
        (person.vpn, person.trip, person.relative) = (None, None, None);
        person.phone = self.phone();
        person
    }

    /// A number that is nobody else's: one operator's for the whole campaign, in a row as they are sold.
    fn phone(&mut self) -> String {
        self.phones += 1;
        let number = u64::from(self.number);
        phone(self.config.seed, 240_000 + number * 400 % 160_000 + self.phones % 100 * 4 + number % 4)
    }

    /// An honest person of the marketplace.
    fn somebody<'p>(&mut self, people: &'p [Person]) -> Option<&'p Person> {
        if people.is_empty() {
            return None;
        }
        // Whoever travels, or logs in through a VPN or from two countries, is no clear victim.
        (0..30).map(|_| self.random.pick(people)).find(|person| person.vpn.is_none() && person.trip.is_none() && person.relative.is_none())
    }
}

/// Writes the campaigns of one day and their labels.
pub(crate) fn day(config: &Config, population: &Population, day_start: i64, day_end: i64, out: &mut Outbox, labels: &mut Vec<Label>) {
    for kind in Kind::ALL.into_iter().filter(|kind| config.kinds.contains(kind)) {
        for level in Level::ALL.into_iter().filter(|level| config.levels.contains(level)) {
            for copy in 0..config.campaigns_a_day {
                let story = [kind as u64, level as u64, u64::from(copy)].iter().fold(0, |sum, part| sum * 4_096 + part);
                let mut random = Random::of(config.seed, "campaign", day_number(day_start), story);
                // Room at the end for the slowest delivery: what is labelled is in the records.
                let (first, last) = (day_start + 5 * MINUTE, day_end - 3 * MINUTE - kind.span_ms(level));
                if first > last {
                    continue;
                }
                let start = random.between(first, last);
                let number = u32::try_from(labels.len()).unwrap_or(u32::MAX);
                let scene = Scene { config, population, level, number, start, random, hired: 0, phones: 0 };
                let before = out.drafts.len();
                match stage(kind, scene, out) {
                    Some(label) => labels.push(label),
                    // Half a campaign is none: the next one gets its number.
                    None => out.drafts.truncate(before),
                }
            }
        }
    }
}

/// Plays one campaign. None where the marketplace has nobody to play it on.
fn stage(kind: Kind, mut scene: Scene<'_>, out: &mut Outbox) -> Option<Label> {
    let (number, level, before) = (scene.number, scene.level, out.drafts.len());
    out.campaign = Some(number);
    let cast = match kind {
        Kind::OtpFlood => otp::flood(&mut scene, out),
        Kind::OtpFanout => otp::fanout(&mut scene, out),
        Kind::SimSwapTakeover => takeover::takeover(&mut scene, out),
        Kind::GpsSpoof => Some(gps::spoof(&mut scene, out)),
        Kind::RefundVelocity => payment::refunds(&mut scene, out),
        Kind::PayoutVelocity => Some(payment::payouts(&mut scene, out)),
        Kind::ContactLeak => chat::leak(&mut scene, out),
    };
    out.campaign = None;
    let mut events: Vec<(i64, u64, &str)> = out
        .drafts
        .iter()
        .skip(before)
        .filter(|draft| draft.campaign == Some(number))
        .map(|draft| (draft.at, draft.sequence, draft.id.as_str()))
        .collect();
    events.sort_unstable();
    events.dedup(); // deliveries that came twice
    let (first, last) = (events.first()?.0, events.last()?.0);
    let (from, to) = Label::window(first, last);
    let Cast { entity, mut also } = cast?;
    also.sort_unstable();
    also.dedup();
    let event_ids = events.into_iter().map(|(_, _, id)| id.to_owned()).collect();
    Some(Label { campaign: format!("c{:02}", number + 1), kind, level, entity, also, from, to, event_ids })
}
