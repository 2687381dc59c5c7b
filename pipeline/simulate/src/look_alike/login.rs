//! Logins from odd places, wrong passwords, dead tokens and refused requests, of people and of programs that mean no harm. How often
//! each happens is an assumption: nobody publishes it.

use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth::{self, refused};
use crate::look_alike::{Often, Tale};
use crate::payload::{ApiThrottled, AuthzDenied, CredentialChanged, TokenRejected};
use crate::people::{Person, Role};
use crate::places::{DESTINATIONS, Network};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "carrier_jump",
        doc: "A ride through town: the carrier's gateway is in another city at each login.",
        often: Often::PerThousand(3.0), // Assumption: beside what everyday logins bring.
        stage: jump,
    },
    Tale {
        word: "vpn_on",
        doc: "A VPN is switched on and off: minutes lie between Cairo and Amsterdam.",
        often: Often::PerThousand(4.0), // Assumption: one in twenty has one; some switch each day.
        stage: vpn,
    },
    Tale {
        word: "flight",
        doc: "A login at the gate and one after landing abroad, on a network that was never used.",
        often: Often::PerThousand(1.2), // Assumption: one trip a person in two years.
        stage: |scene, out| Some(flight(scene, out)),
    },
    Tale {
        word: "forgotten_password",
        doc: "Wrong passwords, then a reset by code, a new password and the login.",
        often: Often::PerThousand(4.0), // Assumption: a tenth of the people log in by password, and forget it twice a year.
        stage: forgotten,
    },
    Tale {
        word: "stale_password",
        doc: "An app of before the change goes on with the old password by itself.",
        often: Often::PerThousand(0.7), // Assumption: an old phone or tablet that lies in a drawer.
        stage: stale,
    },
    Tale {
        word: "which_name",
        doc: "Somebody does not remember the name of the account: no such user, a few times.",
        often: Often::PerThousand(2.0), // Assumption.
        stage: which,
    },
    Tale {
        word: "office_monday",
        doc: "A company asked its people for new passwords: a morning of wrong ones behind one address.",
        often: Often::ADay(0.3), // Assumption: two a week among the companies.
        stage: office,
    },
    Tale {
        word: "release_expires_tokens",
        doc: "After a release old apps go on with tokens that have expired, all at once.",
        often: Often::ADay(0.14), // Assumption: a release a week.
        stage: |scene, out| Some(release(scene, out)),
    },
    Tale {
        word: "revoked_integration",
        doc: "A business customer's program goes on with a token that was revoked.",
        often: Often::ADay(0.3), // Assumption: two a week, until somebody tells them.
        stage: integration,
    },
    Tale {
        word: "page_asks_too_much",
        doc: "A page of a new version asks for what its reader may not see, each time it is shown.",
        often: Often::PerThousand(0.8), // Assumption: one release in a few has such a fault, in one role.
        stage: page,
    },
    Tale {
        word: "eager_app",
        doc: "An app in a bad network tries again without a pause, and is throttled.",
        often: Often::PerThousand(0.8), // Assumption.
        stage: eager,
    },
    Tale {
        word: "busy_office",
        doc: "A company's booking desk refreshes all day, and is throttled at its busy hours.",
        often: Often::ADay(0.8), // Assumption: a few companies book so much.
        stage: desk,
    },
];

fn cast(person: &Person) -> Cast {
    Cast { entity: person.subject(), also: vec![format!("phone:{}", person.phone), format!("device:{}", person.device())] }
}

fn jump(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let mut at = scene.start;
    let random = &mut scene.random;
    for _ in 0..random.between(3, 6) {
        let network = Network::carrier(random, person.carrier, person.city);
        auth::login(person, person.device(), &network, "refresh", at, out);
        at += random.between(4, 25) * MINUTE;
    }
    Some(cast(person))
}

fn vpn(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let exit = Network::vpn(random);
    let mut at = scene.start;
    for turn in 0..random.between(2, 6) {
        let network = if turn % 2 == 0 { &person.home_line } else { &exit };
        auth::login(person, person.device(), network, random.pick::<&str>(&["refresh", "refresh", "password"]), at, out);
        at += random.between(3, 50) * MINUTE;
    }
    Some(cast(person))
}

fn flight(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let mut person = scene.hire(Role::Client);
    let random = &mut scene.random;
    person.created_at = scene.start - random.between(30, 700) * DAY;
    let place = random.pick(&DESTINATIONS);
    let gate = Network::carrier(random, person.carrier, person.city);
    auth::login(&person, person.device(), &gate, "refresh", scene.start, out);
    let mut at = scene.start + random.between(40, 80) * MINUTE + place.flight_min * MINUTE + random.between(15, 45) * MINUTE;
    for _ in 0..random.between(1, 4) {
        let network = Network::abroad(random, place);
        if random.chance(0.3) {
            if let Some(read) = auth::code(&person, person.device(), &network, "login", random, at, out) {
                auth::login(&person, person.device(), &network, "otp", read + SECOND, out);
            }
        } else {
            auth::login(&person, person.device(), &network, "refresh", at, out);
        }
        at += random.between(30, 300) * MINUTE;
    }
    cast(&person)
}

fn forgotten(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let people = if scene.random.chance(0.8) { &scene.population.clients } else { &scene.population.taskers };
    let person = scene.somebody(people)?;
    let random = &mut scene.random;
    let network = auth::network(person, random, scene.start);
    let mut at = scene.start;
    for _ in 0..random.between(2, 8) {
        refused((Some(&person.id), Some(person.device())), &network, "wrong_password", at, out);
        at += random.between(8, 60) * SECOND;
    }
    let read = auth::code(person, person.device(), &network, "reset", random, at, out)?;
    let changed = CredentialChanged { user_id: &person.id, device_id: person.device(), what: "password", ip: Some(&network.ip) };
    out.send("auth.credential_changed", read + random.between(20, 90) * SECOND, Some(person.subject()), &changed);
    auth::login(person, person.device(), &network, "password", read + random.between(95, 200) * SECOND, out);
    Some(cast(person))
}

fn stale(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let (old, mut at) = (random.id("d_"), scene.start);
    for _ in 0..random.between(8, 30) {
        refused((Some(&person.id), Some(&old)), &person.home_line, "wrong_password", at, out);
        at += random.between(2, 20) * MINUTE;
    }
    Some(Cast { entity: person.subject(), also: vec![format!("device:{old}"), format!("ip:{}", person.home_line.ip)] })
}

fn which(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let network = auth::network(person, random, scene.start);
    let mut at = scene.start;
    for _ in 0..random.between(2, 7) {
        refused((None, Some(person.device())), &network, "unknown_user", at, out);
        at += random.between(10, 70) * SECOND;
    }
    auth::login(person, person.device(), &network, "password", at, out);
    let mut cast = cast(person);
    cast.also.push(format!("ip:{}", network.ip));
    Some(cast)
}

fn office(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (_, line) = scene.population.offices.first().map(|_| scene.random.pick(&scene.population.offices).clone())?;
    let colleagues: Vec<&Person> =
        scene.population.clients.iter().filter(|client| client.office.as_ref().is_some_and(|office| office.ip == line.ip)).collect();
    let random = &mut scene.random;
    let mut also = vec![format!("ip_prefix:{}", line.prefix())];
    for person in colleagues {
        also.push(person.subject());
        let mut at = scene.start + random.between(0, 90) * MINUTE;
        for _ in 0..random.between(1, 4) {
            refused((Some(&person.id), Some(person.device())), &line, "wrong_password", at, out);
            at += random.between(10, 60) * SECOND;
        }
        auth::login(person, person.device(), &line, "password", at, out);
    }
    Some(Cast { entity: format!("ip:{}", line.ip), also })
}

fn release(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let (span, share) = (scene.param("minutes", 60, 300) * MINUTE, scene.random.real(0.1, 0.4));
    let mut also = Vec::new();
    for person in scene.population.clients.iter().chain(&scene.population.taskers) {
        let random = &mut scene.random;
        if !random.chance(share) {
            continue;
        }
        let mut at = scene.start + random.wait(span / 2).min(span);
        let network = auth::network(person, random, at);
        // Old apps loop until they are opened again.
        let most = if random.chance(0.1) { 40 } else { 6 };
        for _ in 0..random.between(1, most) {
            // Testers' builds stay on some phones: theirs are another service's tokens.
            let reason = if random.chance(0.02) { "audience" } else { "expired" };
            let subject = random.chance(0.9).then_some(person.id.as_str());
            let rejected = TokenRejected { reason, ip: &network.ip, subject };
            out.send("token.rejected", at, None, &rejected);
            at += random.between(1, 40) * SECOND;
        }
        auth::login(person, person.device(), &network, "refresh", at, out);
        also.extend([format!("ip:{}", network.ip), person.subject()]);
    }
    Cast { entity: "all:all".to_owned(), also }
}

fn integration(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let owner = scene.somebody(&scene.population.clients)?;
    let (turns, minutes) = (scene.param("turns", 30, 200), scene.choice("every_minutes", &[1, 5, 10]));
    let line = Network::office(&mut scene.random, 240, owner.city);
    for turn in 0..turns.min(600 / minutes) {
        let rejected = TokenRejected { reason: "revoked", ip: &line.ip, subject: Some(&owner.id) };
        out.send("token.rejected", scene.start + turn * minutes * MINUTE, None, &rejected);
    }
    Some(Cast { entity: format!("ip:{}", line.ip), also: vec![owner.subject(), format!("ip_prefix:{}", line.prefix())] })
}

fn page(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let people = if scene.random.chance(0.5) { &scene.population.clients } else { &scene.population.taskers };
    let person = scene.somebody(people)?;
    let random = &mut scene.random;
    let network = auth::network(person, random, scene.start);
    let resource = *random.pick(&["/wallet/limits", "/staff/notices", "/prices/internal"]);
    let mut at = scene.start;
    for _ in 0..random.between(4, 45) {
        let denied = AuthzDenied { actor_id: &person.id, actor_role: person.role.word(), resource, ip: &network.ip };
        out.send("authz.denied", at, Some(person.subject()), &denied);
        at += random.between(2, 400) * SECOND;
    }
    Some(Cast { entity: format!("admin:{}", person.id), also: vec![person.subject(), format!("ip:{}", network.ip)] })
}

fn eager(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let person = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let network = auth::network(person, random, scene.start);
    let route = *random.pick(&["/v1/chat", "/v1/bookings", "/v1/otp"]);
    let mut at = scene.start;
    for _ in 0..random.between(2, 14) {
        let throttled = ApiThrottled { route, ip: &network.ip, count: random.between(10, 400), user_id: Some(&person.id) };
        out.send("api.throttled", at, None, &throttled);
        at += random.between(20, 180) * SECOND;
    }
    let mut cast = cast(person);
    cast.also.push(format!("ip:{}", network.ip));
    Some(cast)
}

fn desk(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let clerk = scene.somebody(&scene.population.clients)?;
    let random = &mut scene.random;
    let office = usize::try_from(random.between(200, 230)).unwrap_or(200);
    let line = Network::office(random, office, clerk.city);
    auth::login(clerk, clerk.device(), &line, "refresh", scene.start, out);
    let mut at = scene.start + MINUTE;
    for _ in 0..random.between(6, 30) {
        let route = *random.pick(&["/v1/search", "/v1/bookings", "/v1/taskers", "/v1/prices"]);
        let throttled = ApiThrottled { route, ip: &line.ip, count: random.between(10, 150), user_id: Some(&clerk.id) };
        out.send("api.throttled", at, None, &throttled);
        at += random.between(5, 35) * MINUTE;
    }
    debug_assert!(at - scene.start < 24 * HOUR);
    Some(Cast { entity: format!("ip:{}", line.ip), also: vec![clerk.subject()] })
}
