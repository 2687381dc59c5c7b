//! New phones, new SIM cards, shared devices and other changes in the lives of accounts, all of them honest. How often each happens is an assumption:
//! nobody publishes it.

use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth;
use crate::honest::payment::payout;
use crate::look_alike::{Often, Tale};
use crate::payload::{CredentialChanged, DeviceBound};
use crate::people::{Person, Role};
use crate::places::Network;
use crate::random::Random;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "new_phone_payday",
        doc: "A tasker buys a phone and asks for his earnings on it the same day.",
        often: Often::PerThousand(0.7), // Assumption: a phone in two or three years, paid weekly.
        stage: new_phone,
    },
    Tale {
        word: "new_sim_payday",
        doc: "A lost SIM card is replaced in a shop; the earnings are asked for hours later, on the old phone.",
        often: Often::PerThousand(0.5), // Assumption.
        stage: new_sim,
    },
    Tale {
        word: "stolen_phone",
        doc: "A phone was stolen: a new card, a new phone, a new password, and some days a new wallet.",
        often: Often::PerThousand(0.4), // Assumption: half as often as a card alone.
        stage: stolen,
    },
    Tale {
        word: "new_number",
        doc: "Somebody takes another operator's number and tells the account of it.",
        often: Often::PerThousand(0.7), // Assumption: one in four people a year.
        stage: new_number,
    },
    Tale {
        word: "own_new_wallet",
        doc: "A tasker moves to another wallet from his own phone at home, and is paid there.",
        often: Often::PerThousand(0.6), // Assumption: one in five taskers a year.
        stage: new_wallet,
    },
    Tale {
        word: "family_device",
        doc: "A family's accounts share a tablet.",
        often: Often::PerThousand(0.8), // Assumption.
        stage: |scene, out| Some(family(scene, out)),
    },
    Tale {
        word: "rooted_hobbyist",
        doc: "Somebody runs a system of his own on his phone, and a new one each week.",
        often: Often::PerThousand(0.8), // Assumption: one in a hundred people.
        stage: |scene, out| Some(hobbyist(scene, out)),
    },
    Tale {
        word: "system_update",
        doc: "An update of the system gives a phone another fingerprint.",
        often: Often::PerThousand(2.0), // Assumption.
        stage: update,
    },
    Tale {
        word: "returning_old_account",
        doc: "Somebody comes back after a year: another phone, a forgotten password, and something left to be paid.",
        often: Often::PerThousand(1.0), // Assumption.
        stage: returning,
    },
    Tale {
        word: "moved_city",
        doc: "A tasker moved: another city, another line, perhaps another phone, for good.",
        often: Often::PerThousand(0.4), // Assumption: one in ten a year.
        stage: moved,
    },
    Tale {
        word: "second_hand_phone",
        doc: "A phone is sold; the buyer's account is bound to it after the seller's.",
        often: Often::PerThousand(0.6), // Assumption.
        stage: second_hand,
    },
    Tale {
        word: "many_own_devices",
        doc: "Work phone, private phone, tablet and the web: one person sets all of them up.",
        often: Often::PerThousand(0.5), // Assumption.
        stage: gadgets,
    },
    Tale {
        word: "number_of_somebody_before",
        doc: "The new owner of a recycled number lands in a stranger's account, leaves it and makes his own with another.",
        often: Often::PerThousand(0.15), // Assumption: operators sell numbers again after months.
        stage: recycled,
    },
];

pub(super) fn cast(person: &Person, also: Vec<String>) -> Cast {
    let own = [format!("phone:{}", person.phone), format!("device:{}", person.device())];
    Cast { entity: person.subject(), also: own.into_iter().chain(also).collect() }
}

/// Somebody who has been here for a while.
pub(super) fn known(scene: &mut Scene<'_>, role: Role, days: (i64, i64)) -> Person {
    let mut person = scene.hire(role);
    person.created_at = scene.start - scene.random.between(days.0, days.1) * DAY;
    person
}

/// In by code on a device that is bound then; tells when.
pub(super) fn arrive(person: &Person, device: &str, line: &Network, random: &mut Random, at: i64, out: &mut Outbox) -> Option<i64> {
    let read = auth::code(person, device, line, "login", random, at, out)?;
    auth::bind(person, device, false, read + SECOND, out);
    auth::login(person, device, line, "otp", read + 2 * SECOND, out);
    Some(read + 2 * SECOND)
}

pub(super) fn changed(person: &Person, device: &str, what: &'static str, line: &Network, at: i64, out: &mut Outbox) {
    let changed = CredentialChanged { user_id: &person.id, device_id: device, what, ip: Some(&line.ip) };
    out.send("auth.credential_changed", at, Some(person.subject()), &changed);
}

/// Earnings, asked for on that device, with a code where the app wants one.
pub(super) fn payday(person: &Person, device: &str, line: &Network, random: &mut Random, at: i64, out: &mut Outbox) {
    let payee = Person { devices: vec![device.to_owned()], ..person.clone() };
    let is_asked = random.chance(0.6);
    let read = if is_asked { auth::code(&payee, device, line, "payout", random, at, out) } else { Some(at) };
    if let Some(read) = read {
        payout(&payee, random.between(40, 400) * 1_000, random, read + 5 * SECOND, out);
    }
}

fn new_phone(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let (device, line) = (random.id("d_"), auth::network(person, random, scene.start));
    let at = arrive(person, &device, &line, random, scene.start, out)?;
    if random.chance(0.3) {
        changed(person, &device, "password", &line, at + random.between(2, 20) * MINUTE, out);
    }
    let asked = at + random.between(25, 500) * MINUTE;
    payday(person, &device, &line, random, asked, out);
    Some(cast(person, vec![format!("device:{device}"), format!("instrument:{}", person.payout_account)]))
}

fn new_sim(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    auth::sim_changed(person, scene.start, random, out);
    let back = scene.start + random.between(15, 200) * MINUTE;
    let line = auth::network(person, random, back);
    let read = auth::code(person, person.device(), &line, "login", random, back, out)?;
    auth::login(person, person.device(), &line, "otp", read + SECOND, out);
    let asked = read + random.between(30, 500) * MINUTE;
    payday(person, person.device(), &line, random, asked, out);
    Some(cast(person, vec![format!("instrument:{}", person.payout_account)]))
}

fn stolen(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    // He has no other phone meanwhile: a person of his own, whose old phone says nothing more.
    let person = known(scene, Role::Tasker, (30, 600));
    let random = &mut scene.random;
    auth::sim_changed(&person, scene.start, random, out);
    let bought = scene.start + random.between(30, 360) * MINUTE;
    let (device, line) = (random.id("d_"), auth::network(&person, random, bought));
    let at = arrive(&person, &device, &line, random, bought, out)?;
    let asked = at + random.between(MINUTE, 15 * MINUTE);
    let read = auth::code(&person, &device, &line, "reset", random, asked, out)?;
    changed(&person, &device, "password", &line, read + 30 * SECOND, out);
    let mut payee = person.clone();
    // A wallet hangs on the SIM card's number; some open another.
    if random.chance(0.35) {
        payee.payout_account = random.id("wallet_");
        changed(&person, &device, "payout_account", &line, read + random.between(3, 40) * MINUTE, out);
    }
    let asked = read + random.between(50, 1_200) * MINUTE;
    payday(&payee, &device, &line, random, asked, out);
    Some(cast(&person, vec![format!("device:{device}"), format!("instrument:{}", payee.payout_account)]))
}

fn new_number(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let role = if scene.random.chance(0.7) { Role::Client } else { Role::Tasker };
    let mut person = known(scene, role, (30, 700));
    let old = person.phone.clone();
    let random = &mut scene.random;
    let line = auth::network(&person, random, scene.start);
    auth::login(&person, person.device(), &line, "refresh", scene.start, out);
    person.phone = scene.phone();
    let random = &mut scene.random;
    let asked = scene.start + random.between(1, 8) * MINUTE;
    let read = auth::code(&person, person.device(), &line, "change_phone", random, asked, out)?;
    changed(&person, person.device(), "phone", &line, read + 5 * SECOND, out);
    if role == Role::Tasker && random.chance(0.4) {
        let asked = read + random.between(40, 700) * MINUTE;
        payday(&person, person.device(), &line, random, asked, out);
    }
    Some(cast(&person, vec![format!("phone:{old}")]))
}

fn new_wallet(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.taskers)?;
    let random = &mut scene.random;
    let line = auth::network(person, random, scene.start);
    auth::login(person, person.device(), &line, "refresh", scene.start, out);
    changed(person, person.device(), "payout_account", &line, scene.start + random.between(1, 10) * MINUTE, out);
    let payee = Person { payout_account: random.id("wallet_"), ..person.clone() };
    let mut asked = scene.start + random.between(15, 900) * MINUTE;
    for _ in 0..random.between(1, 2) {
        payday(&payee, person.device(), &line, random, asked, out);
        asked += random.between(30, 300) * MINUTE;
    }
    Some(cast(person, vec![format!("instrument:{}", payee.payout_account)]))
}

fn family(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let first = known(scene, Role::Client, (20, 600));
    let tablet = scene.random.id("d_");
    let mut also = vec![format!("ip:{}", first.home_line.ip)];
    for _ in 0..scene.param("members", 3, 6) {
        let member = known(scene, Role::Client, (5, 600));
        let random = &mut scene.random;
        let at = scene.start + random.between(0, 6 * HOUR);
        arrive(&member, &tablet, &first.home_line, random, at, out);
        also.push(member.subject());
    }
    Cast { entity: format!("device:{tablet}"), also }
}

fn hobbyist(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let person = known(scene, Role::Client, (60, 700));
    let random = &mut scene.random;
    let mut at = scene.start;
    let mut also = Vec::new();
    for _ in 0..random.between(1, 3) {
        let print = random.id("f_");
        if let Some(read) = auth::code(&person, person.device(), &person.home_line, "login", random, at, out) {
            let bound = DeviceBound {
                user_id: &person.id,
                device_id: person.device(),
                fingerprint: Some(&print),
                emulator: Some(false),
                rooted: Some(true),
            };
            out.send("auth.device_bound", read + SECOND, Some(person.subject()), &bound);
            auth::login(&person, person.device(), &person.home_line, "otp", read + 2 * SECOND, out);
        }
        also.push(format!("fingerprint:{print}"));
        at += random.between(3, 30) * HOUR;
    }
    cast(&person, also)
}

fn update(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (print, line) = (random.id("f_"), auth::network(person, random, scene.start));
    let bound = DeviceBound {
        user_id: &person.id,
        device_id: person.device(),
        fingerprint: Some(&print),
        emulator: Some(false),
        rooted: Some(false),
    };
    auth::login(person, person.device(), &line, "refresh", scene.start, out);
    out.send("auth.device_bound", scene.start + SECOND, Some(person.subject()), &bound);
    Some(cast(person, vec![format!("fingerprint:{print}")]))
}

fn returning(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let role = if scene.random.chance(0.5) { Role::Tasker } else { Role::Client };
    let person = known(scene, role, (280, 900));
    let random = &mut scene.random;
    let (device, line) = (random.id("d_"), auth::network(&person, random, scene.start));
    let mut at = scene.start;
    for _ in 0..random.between(0, 5) {
        auth::refused((Some(&person.id), Some(&device)), &line, "wrong_password", at, out);
        at += random.between(10, 60) * SECOND;
    }
    let read = auth::code(&person, &device, &line, "reset", random, at, out)?;
    changed(&person, &device, "password", &line, read + 40 * SECOND, out);
    auth::bind(&person, &device, false, read + 50 * SECOND, out);
    auth::login(&person, &device, &line, "password", read + 52 * SECOND, out);
    if role == Role::Tasker {
        let mut payee = person.clone();
        if random.chance(0.3) {
            payee.payout_account = random.id("wallet_");
            changed(&person, &device, "payout_account", &line, read + random.between(3, 40) * MINUTE, out);
        }
        let asked = read + random.between(45, 900) * MINUTE;
        payday(&payee, &device, &line, random, asked, out);
    }
    Some(cast(&person, vec![format!("device:{device}")]))
}

fn moved(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = known(scene, Role::Tasker, (60, 600));
    let random = &mut scene.random;
    auth::login(&person, person.device(), &person.home_line, "refresh", scene.start, out);
    let (city, mut at) = ((person.city + 3) % 8, scene.start + random.between(5, 20) * HOUR);
    let line = Network::home(random, city);
    let mut device = person.device().to_owned();
    if random.chance(0.3) {
        device = random.id("d_");
        arrive(&person, &device, &line, random, at, out)?;
    }
    for _ in 0..random.between(3, 8) {
        let network = if random.chance(0.5) { line.clone() } else { Network::carrier(random, person.carrier, city) };
        auth::login(&person, &device, &network, "refresh", at + MINUTE, out);
        at += random.between(2, 14) * HOUR;
    }
    payday(&person, &device, &line, random, at, out);
    Some(cast(&person, vec![format!("device:{device}"), format!("ip:{}", line.ip)]))
}

fn second_hand(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (seller, buyer) = (known(scene, Role::Client, (60, 600)), known(scene, Role::Client, (10, 600)));
    let random = &mut scene.random;
    auth::login(&seller, seller.device(), &seller.home_line, "refresh", scene.start, out);
    let at = scene.start + random.between(3, 30) * HOUR;
    arrive(&buyer, seller.device(), &buyer.home_line, random, at, out)?;
    Some(Cast { entity: format!("device:{}", seller.device()), also: vec![buyer.subject(), seller.subject()] })
}

fn gadgets(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let people = if scene.random.chance(0.6) { &scene.population.taskers } else { &scene.population.clients };
    let person = scene.somebody(people)?;
    let random = &mut scene.random;
    let (mut at, mut also) = (scene.start, Vec::new());
    for _ in 0..random.between(2, 5) {
        let (device, line) = (random.id("d_"), auth::network(person, random, at));
        arrive(person, &device, &line, random, at, out);
        also.push(format!("device:{device}"));
        at += random.between(10, 500) * MINUTE;
    }
    Some(cast(person, also))
}

fn recycled(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let old = known(scene, Role::Client, (280, 900));
    let mut newcomer = scene.hire(Role::Client);
    let random = &mut scene.random;
    if random.chance(0.6) {
        auth::sim_told(&old, "telco", scene.start, random, out);
    }
    let at = scene.start + random.between(20, 400) * MINUTE;
    let device = newcomer.device().to_owned();
    let inside = arrive(&old, &device, &newcomer.home_line, random, at, out)?;
    let next = inside + random.between(5, 50) * MINUTE;
    newcomer.created_at = next;
    if let Some(read) = auth::code(&newcomer, &device, &newcomer.home_line, "signup", random, next, out) {
        auth::register(&newcomer, &newcomer.home_line, read + SECOND, out);
        auth::login(&newcomer, &device, &newcomer.home_line, "otp", read + 3 * SECOND, out);
    }
    Some(cast(&old, vec![newcomer.subject(), format!("device:{device}"), format!("phone:{}", newcomer.phone)]))
}
