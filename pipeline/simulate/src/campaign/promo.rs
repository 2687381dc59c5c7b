//! The marketplace's own presents, taken by the dozen: welcome promotions and rewards for friends who are none.

use crate::campaign::farm::SignUp;
use crate::campaign::kit::{Kit, pace};
use crate::clock::{DAY, HOUR, MINUTE};
use crate::honest::auth;
use crate::honest::booking::Deal;
use crate::payload::PromoRedeemed;
use crate::people::{Person, Role};
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "promo_farm",
        doc: "A welcome promotion is taken with account after account.",
        span_ms: [8 * HOUR, 20 * HOUR, 5 * DAY],
        stage: promo,
    },
    Scenario {
        word: "referral_farm",
        doc: "Somebody refers friends who are all himself, and takes the reward for each.",
        span_ms: [8 * HOUR, 20 * HOUR, 5 * DAY],
        stage: |scene, level, out| Some(referral(scene, level, out)),
    },
];

/// A promotion is used.
pub(super) struct Redeemed<'a> {
    pub(super) code: &'a str,
    pub(super) referrer: Option<&'a str>,
    pub(super) booking: Option<&'a str>,
    /// Piastres.
    pub(super) amount: i64,
    pub(super) device: Option<&'a str>,
    pub(super) ip: Option<&'a str>,
}

impl Redeemed<'_> {
    pub(super) fn send(&self, user: &Person, at: i64, out: &mut Outbox) {
        let redeemed = PromoRedeemed {
            user_id: &user.id,
            promo_code: self.code,
            referrer_id: self.referrer,
            booking_id: self.booking,
            amount: Some(self.amount),
            device_id: self.device,
            ip: self.ip,
        };
        out.send("promo.redeemed", at, Some(user.subject()), &redeemed);
    }
}

/// Each new account books the accomplice once with the promotion: the marketplace pays its part, the job is none. Blatant: one phone and
/// line. Moderate: a phone for every three. Careful: a phone and a line each and real-looking jobs, days; only the tasker and
/// the code are the same.
fn promo(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (accounts, hours) = match level {
        Level::Blatant => (scene.param("accounts", 12, 40), scene.param("hours", 1, 5)),
        Level::Moderate => (scene.param("accounts", 7, 20), scene.param("hours", 4, 14)),
        Level::Careful => (scene.param("accounts", 7, 16), scene.param("hours", 50, 108)),
    };
    let pounds = scene.choice("pounds", &[50, 75, 100, 150]);
    let mut friend = scene.hire(Role::Tasker);
    friend.created_at = scene.start - scene.random.between(10, 200) * DAY;
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::own(random, 1),
        Level::Moderate => Kit::proxies(random, 3, (accounts / 3).max(2)),
        Level::Careful => Kit::proxies(random, accounts, 0),
    };
    let card = random.id("card_");
    let mut also = kit.names();
    also.extend([friend.subject(), format!("device:{}", friend.device()), format!("instrument:{card}")]);
    auth::login(&friend, friend.device(), &friend.home_line, "refresh", scene.start, out);
    let times = pace(random, scene.start + MINUTE, hours * HOUR, accounts);
    for at in times {
        let mut person = scene.hire(Role::Client);
        person.created_at = at;
        (person.city, person.home) = (friend.city, friend.home.near(&mut scene.random, 3_000.0));
        let random = &mut scene.random;
        let (line, device) = (kit.line(random), kit.device(random));
        person.devices = vec![device.clone()];
        if level != Level::Careful {
            person.card.clone_from(&card);
        }
        let made = SignUp { promo: Some("AHLAN"), ..SignUp::new(&device, line) }.run(&person, random, at, out);
        let mut deal = Deal::new(&person, &friend, random);
        (deal.method, deal.price) = ("card", (pounds + random.between(4, 40) * 5) * 100);
        let booked = made + random.between(2, 12) * MINUTE;
        let redeemed = Redeemed {
            code: "AHLAN",
            referrer: None,
            booking: Some(&deal.booking),
            amount: pounds * 100,
            device: Some(&device),
            ip: Some(&line.ip),
        };
        redeemed.send(&person, booked + 10_000, out);
        deal.whole(random, booked, out);
        also.extend([person.subject(), format!("device:{device}"), format!("phone:{}", person.phone)]);
    }
    let entity = if level == Level::Blatant { format!("device:{}", kit.devices.first()?) } else { friend.subject() };
    Some(Cast { entity, also })
}

/// The reward comes when the friend has signed up and booked once. Blatant: friends by the dozen on the referrer's own phone and line.
/// Moderate: on some phones behind the same lines. Careful: a few a day on other people's lines, each with a short, real-looking
/// booking at the same two taskers.
fn referral(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Cast {
    let (friends, hours) = match level {
        Level::Blatant => (scene.param("friends", 15, 60), scene.param("hours", 1, 6)),
        Level::Moderate => (scene.param("friends", 8, 24), scene.param("hours", 4, 15)),
        Level::Careful => (scene.param("friends", 9, 20), scene.param("hours", 60, 108)),
    };
    let mut crook = scene.hire(Role::Client);
    crook.created_at = scene.start - scene.random.between(5, 150) * DAY;
    let taskers = scene.several(&scene.population.taskers, 2);
    let random = &mut scene.random;
    let mut kit = match level {
        Level::Blatant => Kit::own(random, 0),
        Level::Moderate => Kit::proxies(random, 2, 4),
        Level::Careful => Kit::proxies(random, friends, 0),
    };
    if level == Level::Blatant {
        kit.devices.push(crook.device().to_owned());
    }
    let mut also = kit.names();
    auth::login(&crook, crook.device(), kit.line(random), "refresh", scene.start, out);
    let times = pace(random, scene.start + MINUTE, hours * HOUR, friends);
    for at in times {
        let mut person = scene.hire(Role::Client);
        person.created_at = at;
        let random = &mut scene.random;
        let (line, device) = (kit.line(random), kit.device(random));
        person.devices = vec![device.clone()];
        let made = SignUp { referrer: Some(&crook.id), ..SignUp::new(&device, line) }.run(&person, random, at, out);
        let redeemed = Redeemed {
            code: "FRIEND50",
            referrer: Some(&crook.id),
            booking: None,
            amount: 5_000,
            device: (level != Level::Careful).then_some(&device),
            ip: Some(&line.ip),
        };
        redeemed.send(&person, made + random.between(2, 15) * MINUTE, out);
        if level == Level::Careful && !taskers.is_empty() {
            let tasker = *random.pick(&taskers);
            (person.city, person.home) = (tasker.city, tasker.home.near(random, 3_000.0));
            let mut deal = Deal::new(&person, tasker, random);
            (deal.method, deal.price) = ("cash", random.between(30, 50) * 500);
            let booked = made + random.between(20, 90) * MINUTE;
            deal.whole(random, booked, out);
        }
        also.extend([person.subject(), format!("device:{device}"), format!("phone:{}", person.phone)]);
    }
    also.push(format!("device:{}", crook.device()));
    Cast { entity: crook.subject(), also }
}
