//! Many at once or from one place: messages fail, the day is special, an address or a phone is shared. How often each happens is an
//! assumption: nobody publishes it.

use crate::clock::{HOUR, MINUTE, SECOND};
use crate::honest::auth::{self, otp, otp_to};
use crate::look_alike::account::{arrive, changed, known, payday};
use crate::look_alike::otp::{ask, foreign, names_of};
use crate::look_alike::{Often, Tale};
use crate::payload::{PromoRedeemed, TokenRejected};
use crate::people::{Person, Role};
use crate::places::{self, Network};
use crate::random::Random;
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const TALES: &[Tale] = &[
    Tale {
        word: "sms_outage",
        doc: "An operator delivers no messages for an hour or two: hundreds of codes, hardly a success.",
        // Assumption: an operator fails about once in eight days.
        often: Often::ADay(0.12),
        stage: outage,
    },
    Tale {
        word: "forced_relogin",
        doc: "Keys were changed and everybody must log in again, in the same hour or two.",
        // Assumption: once in ten days; more often than any marketplace would bear, to be seen at all.
        often: Often::ADay(0.1),
        stage: |scene, out| Some(relogin(scene, out)),
    },
    Tale {
        word: "promotion_evening",
        doc: "A promotion is on television: newcomers by the dozen, most of them with the same code.",
        // Assumption: one evening in eight.
        often: Often::ADay(0.12),
        stage: |scene, out| Some(promotion(scene, out)),
    },
    Tale {
        word: "campus",
        doc: "Students behind a university's few addresses log in on one morning.",
        often: Often::ADay(0.3), // Assumption: two days a week, at one of the universities.
        stage: |scene, out| Some(campus(scene, out)),
    },
    Tale {
        word: "compound",
        doc: "The people of a gated compound, behind one address, come home and log in.",
        often: Often::ADay(0.6), // Assumption: most have a line each; one compound in a few does not.
        stage: compound,
    },
    Tale {
        word: "carrier_gateway",
        doc: "Dozens ask for codes through one of a carrier's few addresses within the hour.",
        often: Often::ADay(0.7), // Assumption: what everyday life does not bring together by itself.
        stage: gateway,
    },
    Tale {
        word: "tourist_group",
        doc: "Guests of a hotel sign up with numbers of many countries, behind the hotel's address.",
        often: Often::ADay(0.25), // Assumption: two groups a week.
        stage: |scene, out| Some(tourists(scene, out)),
    },
    Tale {
        word: "network_is_back",
        doc: "A city's lines were down; everybody there opens the app when they are back.",
        often: Often::ADay(0.15), // Assumption: once a week, somewhere.
        stage: back,
    },
    Tale {
        word: "carrier_six",
        doc: "A carrier gives each phone a /64 of one /48: an evening's codes all come from there.",
        often: Often::ADay(0.5), // Assumption: one carrier in four has it, for some of its people.
        stage: carrier_six,
    },
    Tale {
        word: "operator_migration",
        doc: "An operator moves its people to new cards or eSIM, and its feed tells of each.",
        often: Often::ADay(0.15), // Assumption: a wave a week among four operators.
        stage: |scene, out| Some(migration(scene, out)),
    },
    Tale {
        word: "crew_phones",
        doc: "A cleaning company's taskers take one of its phones at the beginning of a shift.",
        often: Often::ADay(0.5), // Assumption: a few such companies.
        stage: crew,
    },
    Tale {
        word: "shop_day",
        doc: "A shop sells phones to taskers by instalment: new devices on its line all day, and some wallets of its bank.",
        often: Often::ADay(0.2), // Assumption.
        stage: |scene, out| Some(shop(scene, out)),
    },
    Tale {
        word: "internet_cafe",
        doc: "Strangers log in by code at one shared computer.",
        often: Often::ADay(0.4), // Assumption: cafés are rare by now.
        stage: cafe,
    },
];

/// Those people open the app by code between then and then, through the line that each is given; most succeed. Their names.
fn crowd(
    people: &[&Person],
    scene: &mut Scene<'_>,
    (from, span): (i64, i64),
    line: impl Fn(&Person, &mut Random) -> Network,
    out: &mut Outbox,
) -> Vec<String> {
    let mut names = Vec::new();
    for person in people {
        let random = &mut scene.random;
        let at = from + random.between(0, span);
        let network = line(person, random);
        if random.chance(0.06) {
            auth::refused((Some(&person.id), Some(person.device())), &network, "wrong_password", at - 15 * SECOND, out);
        }
        if let Some(read) = auth::code(person, person.device(), &network, "login", random, at, out) {
            auth::login(person, person.device(), &network, "otp", read + SECOND, out);
        }
        names.extend(names_of(person));
    }
    names
}

/// The people of one city.
fn locals(people: &[Person], city: usize) -> Vec<&Person> {
    people.iter().filter(|person| person.city == city && person.vpn.is_none() && person.trip.is_none()).collect()
}

fn some<'p>(people: &[&'p Person], count: i64, random: &mut Random) -> Vec<&'p Person> {
    let share = u64::try_from(count).unwrap_or_default();
    people.iter().copied().filter(|_| random.below(people.len() as u64) < share).collect()
}

fn outage(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let block = *scene.random.pick(&["+2010", "+2011", "+2012", "+2015"]);
    let span = scene.param("minutes", 40, 150) * MINUTE;
    let (tries, share) = (scene.param("tries", 2, 4), scene.random.real(0.12, 0.35));
    let mut also = vec!["all:all".to_owned(), "phone_country:+20".to_owned()];
    let customers = scene.population.clients.iter().filter(|client| client.phone.starts_with(block));
    for person in customers {
        let random = &mut scene.random;
        if !random.chance(share) {
            continue;
        }
        let mut at = scene.start + random.between(0, span);
        let network = auth::network(person, random, at);
        let mut code = otp(person, person.device(), &network, random.pick::<&str>(&["login", "login", "login", "payout"]));
        for time in 0..random.between(1, tries) {
            code.channel = Some(if time > 1 { *random.pick(&["sms", "whatsapp"]) } else { "sms" });
            ask("auth.otp_requested", at, &code, out);
            at += random.between(35, 400) * SECOND;
        }
        if code.channel == Some("whatsapp") || random.chance(0.05) {
            ask("auth.otp_verified", at, &code, out);
        }
        also.extend(person.phone.get(..person.phone.len() - 4).map(|prefix| format!("phone_prefix:{prefix}")));
        also.extend(names_of(person));
    }
    Some(Cast { entity: format!("carrier:{} {}", block.get(..3)?, block.get(3..)?), also })
}

fn relogin(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let span = scene.param("minutes", 45, 180) * MINUTE;
    let share = scene.random.real(0.15, 0.5);
    let mut also = Vec::new();
    for person in &scene.population.clients {
        let random = &mut scene.random;
        if !random.chance(share) {
            continue;
        }
        let at = scene.start + random.wait(span / 3).min(span);
        let network = auth::network(person, random, at);
        for again in 0..random.between(1, 3) {
            let reason = *random.pick(&["revoked", "signature", "revoked"]);
            // Of a token whose signature is wrong nothing is believed.
            let subject = (reason != "signature").then_some(person.id.as_str());
            let rejected = TokenRejected { reason, ip: &network.ip, subject };
            out.send("token.rejected", at + again * random.between(1, 20) * SECOND, None, &rejected);
        }
        let asked = at + random.between(70, 200) * SECOND;
        if let Some(read) = auth::code(person, person.device(), &network, "login", random, asked, out) {
            auth::login(person, person.device(), &network, "otp", read + SECOND, out);
        }
        also.push(format!("ip:{}", network.ip));
        also.extend(names_of(person));
    }
    Cast { entity: "all:all".to_owned(), also }
}

fn promotion(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let newcomers = (i64::from(scene.config.clients) * scene.param("percent", 2, 7) / 100).min(900);
    let span = scene.param("minutes", 60, 240) * MINUTE;
    let mut also = Vec::new();
    for _ in 0..newcomers {
        let mut person = scene.hire(Role::Client);
        let random = &mut scene.random;
        let at = scene.start + random.wait(span / 3).min(span);
        person.created_at = at;
        let network = auth::network(&person, random, at);
        let Some(read) = auth::code(&person, person.device(), &network, "signup", random, at, out) else { continue };
        let promo_code = random.chance(0.8).then_some("TV100");
        auth::register_by(&person, &network, (None, promo_code), read + SECOND, out);
        auth::bind(&person, person.device(), false, read + 2 * SECOND, out);
        auth::login(&person, person.device(), &network, "otp", read + 3 * SECOND, out);
        if promo_code.is_some() && random.chance(0.5) {
            let redeemed = PromoRedeemed {
                user_id: &person.id,
                promo_code: "TV100",
                amount: Some(10_000),
                device_id: Some(person.device()),
                ip: Some(&network.ip),
                ..PromoRedeemed::default()
            };
            out.send("promo.redeemed", read + random.between(3, 90) * MINUTE, Some(person.subject()), &redeemed);
        }
        also.push(format!("ip:{}", network.ip));
        also.extend(names_of(&person));
    }
    Cast { entity: "all:all".to_owned(), also }
}

fn campus(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let city = places::draw_city(&mut scene.random);
    let (campus, count) = (scene.param("campus", 0, 14), scene.param("students", 20, 90));
    let people = locals(&scene.population.clients, city);
    let students = some(&people, count, &mut scene.random);
    let mut also = crowd(&students, scene, (scene.start, 3 * HOUR), |person, random| Network::campus(random, campus, person.city), out);
    also.extend((1..=3).map(|host| format!("ip:198.19.{}.{host}", 2 + campus)));
    Cast { entity: format!("ip_prefix:198.19.{}.0/24", 2 + campus), also }
}

fn compound(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let host = scene.somebody(&scene.population.clients)?;
    let count = scene.param("neighbours", 8, 40);
    let people = locals(&scene.population.clients, host.city);
    let neighbours = some(&people, count, &mut scene.random);
    let gate = Network::campus(&mut scene.random, 15 + i64::try_from(host.number % 15).unwrap_or_default(), host.city);
    let mut also = crowd(&neighbours, scene, (scene.start, 4 * HOUR), |_, _| gate.clone(), out);
    also.push(format!("ip_prefix:{}", gate.prefix()));
    Some(Cast { entity: format!("ip:{}", gate.ip), also })
}

fn gateway(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let count = scene.param("people", 20, 70);
    let people = scene.several(&scene.population.clients, count);
    let one = people.first()?;
    let gate = Network::carrier(&mut scene.random, one.carrier, one.city);
    let mut also = crowd(&people, scene, (scene.start, HOUR), |_, _| gate.clone(), out);
    also.push(format!("ip_prefix:{}", gate.prefix()));
    Some(Cast { entity: format!("ip:{}", gate.ip), also })
}

fn tourists(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let count = scene.param("guests", 8, 25);
    let city = *scene.random.pick(&[0_usize, 2, 7]);
    let line = Network::home(&mut scene.random, city);
    let mut also = vec!["all:all".to_owned()];
    for _ in 0..count {
        let mut person = scene.hire(Role::Client);
        let random = &mut scene.random;
        person.phone = foreign(random.pick::<&str>(&["+44", "+49", "+33", "+7", "+966", "+971", "+86", "+48", "+34"]), random);
        let at = scene.start + random.between(0, 2 * HOUR);
        person.created_at = at;
        let network = if random.chance(0.8) { line.clone() } else { Network::carrier(random, 1, city) };
        // Roaming messages are late, or never come.
        let read = if random.chance(0.25) {
            ask("auth.otp_requested", at, &otp_to(&person.phone, person.device(), &network, "signup"), out);
            None
        } else {
            auth::code(&person, person.device(), &network, "signup", random, at, out)
        };
        if let Some(read) = read {
            auth::register(&person, &network, read + SECOND, out);
            auth::login(&person, person.device(), &network, "otp", read + 3 * SECOND, out);
        }
        also.extend(names_of(&person));
    }
    Cast { entity: format!("ip:{}", line.ip), also }
}

fn back(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let city = places::draw_city(&mut scene.random);
    let count = scene.param("people", 20, 110);
    let people = locals(&scene.population.clients, city);
    let some = some(&people, count, &mut scene.random);
    let mut also = crowd(&some, scene, (scene.start, 40 * MINUTE), |person, _| person.home_line.clone(), out);
    let [centre, around @ ..] = places::cells(city) else { return None };
    also.extend(around.iter().map(|cell| format!("region:{cell}")));
    Some(Cast { entity: format!("region:{centre}"), also })
}

fn carrier_six(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let count = scene.param("people", 25, 110);
    let people = scene.several(&scene.population.clients, count);
    let one = people.first()?;
    let gate = Network::carrier(&mut scene.random, one.carrier, one.city);
    let high = u32::try_from(0x2000 + one.carrier).unwrap_or(0x2000) << 16;
    let line = |_: &Person, random: &mut Random| {
        let own = u32::try_from(random.between(1, 0xffff)).unwrap_or(1);
        gate.six(random, high | own)
    };
    let mut also = crowd(&people, scene, (scene.start, 3 * HOUR), line, out);
    also.push("all:all".to_owned());
    Some(Cast { entity: format!("ip_prefix:{}", gate.six(&mut scene.random, high | 1).prefix()), also })
}

fn migration(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let count = scene.param("people", 15, 70);
    let mut also = Vec::new();
    for person in scene.several(&scene.population.taskers, count) {
        let random = &mut scene.random;
        let at = scene.start + random.between(0, 8 * HOUR);
        auth::sim_told(person, "telco", at, random, out);
        let back = at + random.between(5, 300) * MINUTE;
        let line = auth::network(person, random, back);
        if random.chance(0.5)
            && let Some(read) = auth::code(person, person.device(), &line, "login", random, back, out)
        {
            auth::login(person, person.device(), &line, "otp", read + SECOND, out);
            if random.chance(0.2) {
                let asked = read + random.between(10, 300) * MINUTE;
                payday(person, person.device(), &line, random, asked, out);
            }
        }
        also.extend([person.subject(), format!("phone:{}", person.phone)]);
    }
    Cast { entity: "all:all".to_owned(), also }
}

fn crew(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let (people, phones) = (scene.param("people", 4, 9), scene.param("phones", 2, 3));
    let phones: Vec<String> = (0..phones).map(|_| scene.random.id("d_")).collect();
    let mut also: Vec<String> = phones.iter().map(|phone| format!("device:{phone}")).collect();
    let city = scene.random.below(3);
    let depot = Network::home(&mut scene.random, usize::try_from(city).unwrap_or_default());
    for _ in 0..people {
        let person = known(scene, Role::Tasker, (20, 400));
        let random = &mut scene.random;
        let mut at = scene.start + random.between(0, 90) * MINUTE;
        for shift in 0..2 {
            let phone = random.pick(&phones);
            if shift == 0 {
                arrive(&person, phone, &depot, random, at, out);
            } else {
                auth::login(&person, phone, &depot, "password", at, out);
            }
            at += random.between(4, 8) * HOUR;
        }
        also.push(person.subject());
    }
    Some(Cast { entity: format!("device:{}", phones.first()?), also })
}

fn shop(scene: &mut Scene<'_>, out: &mut Outbox) -> Cast {
    let count = scene.param("buyers", 8, 22);
    let city = places::draw_city(&mut scene.random);
    let line = Network::home(&mut scene.random, city);
    let mut also = Vec::new();
    for _ in 0..count {
        let Some(buyer) = scene.local(&scene.population.taskers, city) else { continue };
        if also.contains(&buyer.subject()) {
            continue;
        }
        let random = &mut scene.random;
        let at = scene.start + random.between(0, 7 * HOUR);
        let device = random.id("d_");
        if let Some(inside) = arrive(buyer, &device, &line, random, at, out) {
            let mut payee = buyer.clone();
            if random.chance(0.35) {
                payee.payout_account = random.id("wallet_");
                changed(buyer, &device, "payout_account", &line, inside + random.between(5, 30) * MINUTE, out);
            }
            if random.chance(0.4) {
                let asked = inside + random.between(60, 900) * MINUTE;
                payday(&payee, &device, &buyer.home_line, random, asked, out);
            }
        }
        also.push(buyer.subject());
    }
    Cast { entity: format!("ip:{}", line.ip), also }
}

fn cafe(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let count = scene.param("guests", 4, 12);
    let host = scene.somebody(&scene.population.clients)?;
    let people = locals(&scene.population.clients, host.city);
    let guests = some(&people, count, &mut scene.random);
    let random = &mut scene.random;
    let (device, line) = (random.id("d_"), Network::home(random, host.city));
    let mut also = vec![format!("ip:{}", line.ip)];
    for guest in guests {
        let at = scene.start + random.between(0, 5 * HOUR);
        if let Some(read) = auth::code(guest, &device, &line, "login", random, at, out) {
            auth::bind(guest, &device, false, read + SECOND, out);
            auth::login(guest, &device, &line, "otp", read + 2 * SECOND, out);
        }
        also.extend(names_of(guest));
    }
    Some(Cast { entity: format!("device:{device}"), also })
}
