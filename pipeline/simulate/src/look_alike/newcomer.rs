//! Many newcomers at once, on one device, by one code, with one paper or one range of numbers, all of them honest. How often each happens
//! is an assumption: nobody publishes it.

use crate::clock::{HOUR, MINUTE, SECOND};
use crate::honest::auth::{self, prove};
use crate::honest::booking::Deal;
use crate::look_alike::account::{arrive, cast, known};
use crate::look_alike::{Often, Tale};
use crate::payload::{DeviceBound, PromoRedeemed};
use crate::people::{Person, Role};
use crate::places::Network;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "onboarding_device",
        doc: "A field agent signs up new taskers in a hall, all on his tablet, and photographs their papers.",
        often: Often::ADay(0.35), // Assumption: two or three days a week.
        stage: |scene, out| Some(onboarding(scene, out)),
    },
    Tale {
        word: "qa_emulator",
        doc: "The marketplace's testers make accounts on emulators in its office.",
        often: Often::ADay(0.4), // Assumption: before each release.
        stage: |scene, out| Some(qa(scene, out)),
    },
    Tale {
        word: "papers_again",
        doc: "A photo of the card was blurred and is sent again, or a lost account's owner shows the card for his second.",
        often: Often::PerThousand(0.7), // Assumption: one newcomer in ten.
        stage: papers,
    },
    Tale {
        word: "real_friends",
        doc: "Somebody's friends sign up with his code, each at home on their own phone.",
        often: Often::PerThousand(0.7), // Assumption.
        stage: friends,
    },
    Tale {
        word: "known_face",
        doc: "Somebody with followers puts the code on a page: friends by the dozen in an evening.",
        often: Often::ADay(0.12), // Assumption: one in eight days.
        stage: famous,
    },
    Tale {
        word: "family_promo",
        doc: "A family uses a promotion, each with an account, behind one line and partly on one tablet.",
        often: Often::PerThousand(0.6), // Assumption.
        stage: |scene, out| Some(family_promo(scene, out)),
    },
    Tale {
        word: "popular_tasker",
        doc: "A good tasker's neighbours all sign up with the welcome promotion and book him.",
        often: Often::ADay(0.4), // Assumption: word of mouth, in some street each week.
        stage: popular,
    },
    Tale {
        word: "company_numbers",
        doc: "A company gives its people phones with neighbouring numbers, and they sign up in one afternoon.",
        often: Often::ADay(0.25), // Assumption: two a week, where offices book cleaning.
        stage: company,
    },
];

fn onboarding(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let people = scene.param("people", 8, 28);
    let random = &mut scene.random;
    let (tablet, mut at) = (random.id("d_"), scene.start);
    let hall = Network::carrier(random, 1, 0);
    let mut also = Vec::new();
    for _ in 0..people {
        let mut person = scene.hire(Role::Tasker);
        let random = &mut scene.random;
        person.created_at = at;
        // They live where the hall is.
        (person.city, person.home_line) = (0, Network::home(random, 0));
        person.devices.insert(0, tablet.clone());
        if let Some(read) = auth::code(&person, &tablet, &hall, "signup", random, at, out) {
            auth::register(&person, &hall, read + SECOND, out);
            let document = random.id("h_");
            prove(&person, &document, "full", read + random.between(2, 6) * MINUTE, out);
            // At home, on his own phone.
            let own = person.devices.last().cloned().unwrap_or_default();
            let evening = read + random.between(60, 600) * MINUTE;
            arrive(&person, &own, &person.home_line, random, evening, out);
        }
        also.push(person.subject());
        at += scene.random.between(3, 12) * MINUTE;
    }
    Cast { entity: format!("device:{tablet}"), also }
}

fn qa(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let office = Network::office(&mut scene.random, 252, 0);
    let devices: Vec<String> = (0..scene.param("emulators", 2, 5)).map(|_| scene.random.id("d_")).collect();
    let print = scene.random.id("f_");
    let mut also = vec![format!("ip:{}", office.ip), format!("ip_prefix:{}", office.prefix())];
    let mut at = scene.start;
    for _ in 0..scene.param("accounts", 4, 14) {
        let mut person = scene.hire(Role::Client);
        let random = &mut scene.random;
        person.devices = vec![random.pick(&devices).clone()];
        if let Some(read) = auth::code(&person, person.device(), &office, "signup", random, at, out) {
            auth::register_by(&person, &office, (None, None), read + SECOND, out);
            let bound = DeviceBound {
                user_id: &person.id,
                device_id: person.device(),
                fingerprint: Some(&print),
                emulator: Some(true),
                rooted: Some(true),
            };
            out.send("auth.device_bound", read + 3 * SECOND, Some(person.subject()), &bound);
            auth::login(&person, person.device(), &office, "otp", read + 4 * SECOND, out);
        }
        also.extend([person.subject(), format!("device:{}", person.device())]);
        at += random.between(6, 50) * MINUTE;
    }
    Cast { entity: format!("fingerprint:{print}"), also }
}

fn papers(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let mut person = scene.hire(Role::Tasker);
    let document = scene.random.id("h_");
    let mut at = scene.start;
    let mut also = Vec::new();
    // The lost account of before.
    if scene.random.chance(0.35) {
        let lost = known(scene, Role::Tasker, (30, 400));
        prove(&lost, &document, "full", at, out);
        also.push(lost.subject());
        at += scene.random.between(3, 40) * HOUR;
    }
    person.created_at = at;
    let random = &mut scene.random;
    let read = auth::code(&person, person.device(), &person.home_line, "signup", random, at, out)?;
    auth::register(&person, &person.home_line, read + SECOND, out);
    auth::login(&person, person.device(), &person.home_line, "otp", read + 3 * SECOND, out);
    let mut at = read;
    for _ in 0..random.between(1, 4) {
        at += random.between(5, 120) * MINUTE;
        prove(&person, &document, "full", at, out);
    }
    Some(cast(&person, also))
}

/// A newcomer signs up by a friend's code, or a promotion's, and uses what it gives.
fn joins(
    scene: &mut Scene<'_>,
    (referrer, promo): (Option<&str>, &'static str),
    (device, line): (Option<&str>, Option<&Network>),
    (tasker, at): (Option<&Person>, i64),
    out: &mut Outbox,
) -> String {
    let mut person = scene.hire(Role::Client);
    let tasker = tasker.or_else(|| scene.somebody(&scene.population.taskers));
    let random = &mut scene.random;
    person.created_at = at;
    // They book somebody near.
    if let Some(tasker) = tasker {
        (person.city, person.home) = (tasker.city, tasker.home.near(random, 4_000.0));
        person.home_line = Network::home(random, tasker.city);
    }
    if let Some(device) = device {
        person.devices = vec![device.to_owned()];
    }
    let network = line.cloned().unwrap_or_else(|| auth::network(&person, random, at));
    if let Some(read) = auth::code(&person, person.device(), &network, "signup", random, at, out) {
        auth::register_by(&person, &network, (referrer, Some(promo)), read + SECOND, out);
        auth::bind(&person, person.device(), false, read + 2 * SECOND, out);
        auth::login(&person, person.device(), &network, "otp", read + 3 * SECOND, out);
        if random.chance(0.7) {
            let used = read + random.between(3, 200) * MINUTE;
            let deal = tasker.map(|tasker| Deal::new(&person, tasker, random));
            let redeemed = PromoRedeemed {
                user_id: &person.id,
                promo_code: promo,
                referrer_id: referrer,
                booking_id: deal.as_ref().map(|deal| deal.booking.as_str()),
                amount: Some(5_000),
                device_id: Some(person.device()),
                ip: Some(&network.ip),
            };
            out.send("promo.redeemed", used, Some(person.subject()), &redeemed);
            if let Some(deal) = &deal {
                deal.whole(random, used - 20 * SECOND, out);
            }
        }
    }
    person.id.clone()
}

fn refer(scene: &mut Scene<'_>, (friends, span): (i64, i64), out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let mut also = Vec::new();
    for _ in 0..friends {
        // Friends live in the same city.
        let tasker = scene.local(&scene.population.taskers, person.city);
        let at = scene.start + scene.random.between(0, span);
        // Some friends are of the house.
        let line = scene.random.chance(0.15).then_some(&person.home_line);
        also.push(format!("user:{}", joins(scene, (Some(&person.id), "FRIEND50"), (None, line), (tasker, at), out)));
    }
    Some(cast(person, also))
}

fn friends(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let friends = scene.param("friends", 2, 7);
    refer(scene, (friends, 20 * HOUR), out)
}

fn famous(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let friends = scene.param("friends", 25, 120);
    refer(scene, (friends, 5 * HOUR), out)
}

fn family_promo(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let first = known(scene, Role::Client, (20, 600));
    let tablet = scene.random.id("d_");
    let mut also = vec![format!("ip:{}", first.home_line.ip)];
    for _ in 0..scene.param("members", 2, 5) {
        let tasker = scene.local(&scene.population.taskers, first.city);
        let random = &mut scene.random;
        let at = scene.start + random.between(0, 4 * HOUR);
        let device = random.chance(0.5).then_some(tablet.as_str());
        also.push(format!("user:{}", joins(scene, (None, "AHLAN"), (device, Some(&first.home_line)), (tasker, at), out)));
    }
    Cast { entity: format!("device:{tablet}"), also }
}

fn popular(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let tasker = scene.somebody(&scene.population.taskers)?;
    let mut also = Vec::new();
    for _ in 0..scene.param("neighbours", 5, 15) {
        let at = scene.start + scene.random.between(0, 50 * HOUR);
        also.push(format!("user:{}", joins(scene, (None, "AHLAN"), (None, None), (Some(tasker), at), out)));
    }
    Some(cast(tasker, also))
}

fn company(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let count = scene.param("people", 10, 40);
    let numbers = scene.range(count, count * 2);
    let office = Network::office(&mut scene.random, 235, 0);
    let mut also = vec![format!("ip:{}", office.ip)];
    for number in &numbers {
        let mut person = scene.hire(Role::Client);
        person.phone.clone_from(number);
        let random = &mut scene.random;
        let at = scene.start + random.between(0, 4 * HOUR);
        person.created_at = at;
        let line = if random.chance(0.6) { office.clone() } else { Network::carrier(random, 2, 0) };
        if let Some(read) = auth::code(&person, person.device(), &line, "signup", random, at, out) {
            auth::register(&person, &line, read + SECOND, out);
            auth::login(&person, person.device(), &line, "otp", read + 3 * SECOND, out);
        }
        also.push(person.subject());
    }
    let first = numbers.first()?;
    Some(Cast { entity: format!("phone_prefix:{}", first.get(..first.len() - 4)?), also })
}
