//! Who lives in the marketplace. People are made once from the seed; what they do on a day is drawn anew from the seed,
//! the person and the day, so that days can be made one after another and forgotten.

use crate::Config;
use crate::clock::{DAY, HOUR, MINUTE};
use crate::places::{self, Abroad, DESTINATIONS, Network, Point, city_at};
use crate::random::Random;

/// What somebody is in the marketplace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Tasker,
    Driver,
}

impl Role {
    /// The word of the contract.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Tasker => "tasker",
            Self::Driver => "driver",
        }
    }
}

/// What somebody writes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Arabic,
    Franco,
    English,
}

/// A journey abroad.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    pub(crate) to: &'static Abroad,
    pub(crate) departs: i64,
    pub(crate) returns: i64,
}

/// Where somebody is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whereabouts {
    Home,
    InTheAir,
    Abroad(&'static Abroad),
}

/// One person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// Number in the population, the name of their random streams.
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) role: Role,
    pub(crate) phone: String,
    pub(crate) city: usize,
    pub(crate) home: Point,
    pub(crate) home_line: Network,
    pub(crate) carrier: u64,
    pub(crate) devices: Vec<String>,
    pub(crate) language: Language,
    pub(crate) created_at: i64,
    pub(crate) card: String,
    /// Where a tasker's earnings go.
    pub(crate) payout_account: String,
    /// A VPN, used for that share of their logins.
    pub(crate) vpn: Option<(Network, f64)>,
    /// The office where they work.
    pub(crate) office: Option<Network>,
    /// Somebody of the family uses the same account abroad.
    pub(crate) relative: Option<(String, Network)>,
    pub(crate) trip: Option<Trip>,
    /// Share of logins on the carrier's network.
    pub(crate) mobile_share: f64,
}

impl Person {
    /// Somebody; `number` is theirs alone.
    pub(crate) fn new(config: &Config, number: u64, role: Role, offices: &[(usize, Network)]) -> Self {
        let random = &mut Random::of(config.seed, "person", number, 0);
        let city = places::draw_city(random);
        let vpn = random.chance(0.05).then(|| (Network::vpn(random), random.real(0.2, 0.7)));
        let office = offices.iter().filter(|(at, _)| *at == city && role == Role::Client).map(|(_, line)| line.clone()).collect::<Vec<_>>();
        let relative = (role == Role::Client && random.chance(0.002)).then(|| {
            let place = random.pick(&DESTINATIONS);
            (random.id("d_"), Network::abroad_home(random, place))
        });
        let trip = (role == Role::Client && random.chance(0.04)).then(|| {
            let departs = config.start_ms + random.between(-4 * DAY, 20 * DAY);
            Trip { to: random.pick(&DESTINATIONS), departs, returns: departs + random.between(2 * DAY, 9 * DAY) }
        });
        let language = [Language::Arabic, Language::Franco, Language::English];
        Self {
            number,
            id: random.id("u_"),
            role,
            phone: phone(config.seed, number),
            city,
            home: city_at(city).centre.near(random, city_at(city).radius_m),
            home_line: Network::home(random, city),
            carrier: random.below(4),
            devices: (0..=random.weighted(&[72, 24, 4])).map(|_| random.id("d_")).collect(),
            language: language.get(random.weighted(&[62, 26, 12])).copied().unwrap_or(Language::Arabic),
            created_at: config.start_ms - random.between(3 * DAY, 700 * DAY),
            card: random.id("card_"),
            payout_account: random.id("wallet_"),
            vpn,
            office: (!office.is_empty() && random.chance(0.3)).then(|| random.pick(&office).clone()),
            relative,
            trip,
            mobile_share: random.real(0.3, 0.85),
        }
    }

    /// The device they use first of all.
    pub(crate) fn device(&self) -> &str {
        self.devices.first().map_or("", String::as_str)
    }

    /// `user:id`.
    pub(crate) fn subject(&self) -> String {
        format!("user:{}", self.id)
    }

    /// Where they are. An hour on each side of a flight is spent offline.
    pub(crate) fn whereabouts(&self, at: i64) -> Whereabouts {
        let Some(trip) = &self.trip else { return Whereabouts::Home };
        let flight = trip.to.flight_min * MINUTE;
        let landed = trip.departs + flight;
        let home_again = trip.returns + flight;
        match at {
            _ if at < trip.departs - HOUR / 2 || at >= home_again + 20 * MINUTE => Whereabouts::Home,
            _ if at < landed + 20 * MINUTE || at >= trip.returns - HOUR / 2 => Whereabouts::InTheAir,
            _ => Whereabouts::Abroad(trip.to),
        }
    }
}

/// A number of the blocks kept for made-up people, `+201[0125]000xxxxx`; 400,000 before the first comes again:
/// the population has the first, newcomers those from 120,000, campaigns those from 240,000.
pub(crate) fn phone(seed: u64, number: u64) -> String {
    let block = ["10", "11", "12", "15"].get(usize::try_from(number % 4).unwrap_or_default()).copied().unwrap_or("10");
    let first = Random::of(seed, "phones", 0, 0).below(100_000);
    // 7 919 is prime to 100,000: neighbours in the population are strangers in the numbering plan.
    format!("+20{block}000{:05}", (first + number / 4 * 7_919) % 100_000)
}

/// Everybody.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) clients: Vec<Person>,
    pub(crate) taskers: Vec<Person>,
    pub(crate) drivers: Vec<Person>,
    pub(crate) offices: Vec<(usize, Network)>,
}

impl Population {
    pub(crate) fn new(config: &Config) -> Self {
        let office_count = usize::try_from(config.clients / 100 + 1).unwrap_or(1);
        let offices: Vec<_> = (0..office_count.min(200))
            .map(|office| {
                let random = &mut Random::of(config.seed, "office", office as u64, 0);
                let city = places::draw_city(random);
                (city, Network::office(random, office, city))
            })
            .collect();
        let people = |first: u64, count: u32, role| {
            (first..first + u64::from(count)).map(|number| Person::new(config, number, role, &offices)).collect::<Vec<_>>()
        };
        let (clients, taskers) = (u64::from(config.clients), u64::from(config.taskers));
        Self {
            clients: people(0, config.clients, Role::Client),
            taskers: people(clients, config.taskers, Role::Tasker),
            drivers: people(clients + taskers, config.drivers, Role::Driver),
            offices,
        }
    }

    /// New phones, by their owners' numbers, are from now on what those use first of all.
    pub(crate) fn own(&mut self, bought: Vec<(u64, String)>) {
        for (number, device) in bought {
            let everybody = self.clients.iter_mut().chain(&mut self.taskers).chain(&mut self.drivers);
            for person in everybody.filter(|person| person.number == number) {
                person.devices.splice(..1, [device.clone()]);
            }
        }
    }

    /// Everybody who logs in.
    pub(crate) fn everybody(&self) -> impl Iterator<Item = &Person> {
        self.clients.iter().chain(&self.taskers).chain(&self.drivers)
    }
}
