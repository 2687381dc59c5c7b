//! Whom and what an event names, and which of the two belong together.

use std::sync::LazyLock;

use smallvec::SmallVec;

use super::Thing;
use crate::entity::{EntityKind, KeyHasher};
use crate::event::field::{FieldPath, FieldSpec};
use crate::event::{Event, EventType};

/// Where events of each type name accounts and things.
static PLACES: LazyLock<Vec<Places>> = LazyLock::new(|| EventType::ALL.iter().map(|event| Places::of(event.fields())).collect());

/// Where events of a type name accounts and things.
struct Places {
    /// The event's own account first.
    accounts: Vec<FieldPath>,
    things: Vec<ThingPlace>,
}

/// Where a thing is named.
struct ThingPlace {
    path: FieldPath,
    thing: Thing,
    /// Whose it is, by its place among the accounts.
    of: usize,
}

impl Places {
    fn of(fields: &[FieldSpec]) -> Self {
        let path = |place: usize| u8::try_from(place).ok().map(|field| FieldPath { field, child: None });
        let numbered = || fields.iter().enumerate().filter_map(|(place, field)| Some((path(place)?, field)));
        let mut accounts: Vec<(FieldPath, &str)> =
            numbered().filter(|(_, field)| field.entities.contains(&EntityKind::User)).map(|(path, field)| (path, field.name)).collect();
        accounts.sort_by_key(|(_, name)| *name != "user_id");
        let whose = |name: &str| accounts.iter().position(|(_, other)| first_word(other) == first_word(name)).unwrap_or(0);
        let things = numbered().filter_map(|(path, field)| {
            let thing = Thing::ALL.into_iter().find(|thing| field.entities.contains(&thing.kind()))?;
            Some(ThingPlace { path, thing, of: whose(field.name) })
        });
        let things = things.collect();
        Self { things, accounts: accounts.into_iter().map(|(path, _)| path).collect() }
    }
}

/// `tasker` of `tasker_device_id`.
fn first_word(name: &str) -> &str {
    name.split('_').next().unwrap_or(name)
}

/// Keys of whom and what an event names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamedBy {
    /// Its own account, where it names that, and then the others.
    own: Option<u64>,
    others: SmallVec<[u64; 2]>,
    /// (account, its thing).
    pub(super) links: SmallVec<[(u64, u64); 4]>,
}

/// Whom and what an event names, of those things.
pub(super) fn named(event: &Event<'_>, things: &[Thing], hasher: &KeyHasher) -> NamedBy {
    let Some(places) = PLACES.get(event.data.event_type() as usize) else { return NamedBy::default() };
    let key = |path: FieldPath, kind: EntityKind| event.data.get(path).key(kind, hasher);
    let accounts: SmallVec<[Option<u64>; 3]> = places.accounts.iter().map(|path| key(*path, EntityKind::User)).collect();
    let links = places.things.iter().filter(|place| things.contains(&place.thing)).filter_map(|place| {
        let account = accounts.get(place.of).copied().flatten()?;
        Some((account, key(place.path, place.thing.kind())?))
    });
    let links = links.collect();
    let mut accounts = accounts.into_iter();
    NamedBy { own: accounts.next().flatten(), others: accounts.flatten().collect(), links }
}

impl NamedBy {
    /// The pairs of its own account and each other one.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u64, u64)> {
        let own = self.own;
        self.others.iter().filter_map(move |other| own.filter(|own| own != other).map(|own| (own, *other)))
    }

    /// The account that is the key or whose thing is, with its things; `None` where the event links nothing of it.
    pub(super) fn around(&self, key: u64) -> Option<(u64, SmallVec<[u64; 4]>)> {
        let (account, _) = self.links.iter().find(|(account, thing)| *account == key || *thing == key)?;
        Some((*account, self.links.iter().filter(|(other, _)| other == account).map(|(_, thing)| *thing).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::envelope::{Decoded, Limits, decode};

    type Pairs = Vec<(String, String)>;

    /// (account, thing) and pairs, as words.
    fn of(event_type: &str, data: &str) -> (Pairs, Pairs) {
        let record =
            format!(r#"{{"specversion":"1.0","id":"e","source":"/t","type":"{event_type}","time":"2026-11-21T00:00:00Z","data":{data}}}"#);
        let Ok(Decoded::Event(event)) = decode(record.as_bytes(), &Limits::default()) else { panic!("{record}") };
        let hasher = KeyHasher::new([7; 16]);
        let found = named(&event, &Thing::ALL, &hasher);
        let words = ["u_1", "u_2", "d_1", "d_2", "c_1", "+201000000001", "192.0.2.1"];
        let kinds = [EntityKind::User, EntityKind::Device, EntityKind::Instrument, EntityKind::Phone, EntityKind::Ip];
        let word = |key: u64| {
            words
                .iter()
                .find(|word| kinds.iter().any(|kind| hasher.key(*kind, word) == key))
                .map_or_else(|| "?".to_owned(), |word| (*word).to_owned())
        };
        let both = |(one, other): (u64, u64)| (word(one), word(other));
        (found.links.iter().copied().map(both).collect(), found.pairs().map(both).collect())
    }

    fn pairs(of: &[(&str, &str)]) -> Pairs {
        of.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
    }

    #[test]
    fn a_thing_belongs_to_the_account_of_its_event() {
        let payment = r#"{"payment_id":"p","counterparty_id":"u_2","user_id":"u_1","amount":1,"currency":"EGP","method":"card","instrument_id":"c_1","device_id":"d_1","ip":"192.0.2.1"}"#;
        let (links, met) = of("payment.captured", payment);
        assert_eq!(links, pairs(&[("u_1", "c_1"), ("u_1", "d_1"), ("u_1", "192.0.2.1")]));
        assert_eq!(met, pairs(&[("u_1", "u_2")]));
        let code = r#"{"phone":"0100 000 0001","user_id":"u_1","ip":"192.0.2.1","purpose":"login"}"#;
        assert_eq!(of("auth.otp_verified", code).0, pairs(&[("u_1", "+201000000001"), ("u_1", "192.0.2.1")]));
        assert_eq!(of("auth.otp_verified", &code.replace(r#""user_id":"u_1","#, "")), (pairs(&[]), pairs(&[])), "nobody's");
    }

    #[test]
    fn two_people_of_a_booking_have_a_device_each() {
        let booking = r#"{"booking_id":"b","client_id":"u_1","tasker_id":"u_2","client_device_id":"d_1","tasker_device_id":"d_2"}"#;
        assert_eq!(of("booking.created", booking), (pairs(&[("u_1", "d_1"), ("u_2", "d_2")]), pairs(&[("u_1", "u_2")])));
        let alone = booking.replace(r#""tasker_id":"u_2","#, "");
        assert_eq!(of("booking.created", &alone), (pairs(&[("u_1", "d_1")]), pairs(&[])), "the tasker's device is not the client's");
        let himself = booking.replace("u_2", "u_1");
        assert_eq!(of("booking.created", &himself).1, pairs(&[]), "nobody meets himself");
    }
}
