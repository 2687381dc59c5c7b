//! Codes to many phones: from one place over a list of numbers, and to numbers that pay for being called.

use crate::campaign::kit::{Kit, pace, say};
use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::honest::auth::otp_to;
use crate::places::{self, LAIRS, Network};
use crate::random::Random;
use crate::scenario::{Level, Scenario};
use crate::scene::{Cast, Scene};
use crate::wire::Outbox;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        word: "otp_fanout",
        doc: "One address or device asks for codes to many phones.",
        span_ms: [2 * HOUR, 8 * HOUR, DAY],
        stage: fanout,
    },
    Scenario {
        word: "otp_prefix_fanout",
        doc: "The addresses of one /64 or /24 ask for codes to many phones, each for one or two.",
        span_ms: [3 * HOUR, 10 * HOUR, DAY],
        stage: prefix_fanout,
    },
    Scenario {
        word: "otp_pumping",
        doc: "Codes go to a range of numbers whose operator shares the price of the messages.",
        span_ms: [4 * HOUR, 12 * HOUR, 2 * DAY],
        stage: pumping,
    },
    Scenario {
        word: "otp_pumping_world",
        doc: "Codes go to numbers of many countries, a few each.",
        span_ms: [4 * HOUR, 12 * HOUR, 2 * DAY],
        stage: |scene, level, out| Some(pumping_world(scene, level, out)),
    },
    Scenario {
        word: "otp_region",
        doc: "Many addresses of one region ask for codes, each for a few.",
        span_ms: [4 * HOUR, 8 * HOUR, DAY],
        stage: region,
    },
    Scenario {
        word: "otp_channel",
        doc: "Codes are read out by voice or sent by WhatsApp, which costs many times a text message.",
        span_ms: [4 * HOUR, 10 * HOUR, 2 * DAY],
        stage: channel,
    },
];

/// Countries that attackers are paid for: the country's code, and how many digits stand behind a 0. It is the trunk prefix or unused
/// there: no subscriber's number begins with it, so that none of these is anybody's.
const COUNTRIES: [(&str, u32); 22] = [
    ("+880", 9),
    ("+93", 8),
    ("+94", 8),
    ("+95", 8),
    ("+62", 9),
    ("+234", 9),
    ("+213", 8),
    ("+212", 8),
    ("+216", 7),
    ("+218", 8),
    ("+249", 8),
    ("+963", 8),
    ("+964", 9),
    ("+967", 8),
    ("+970", 8),
    ("+232", 7),
    ("+224", 8),
    ("+251", 8),
    ("+996", 8),
    ("+998", 8),
    ("+92", 9),
    ("+84", 8),
];

/// Numbers asked in turn.
struct Blast<'a> {
    kit: &'a Kit,
    span: i64,
    purposes: &'a [&'static str],
    channels: &'a [&'static str],
    /// The share that is typed in: by whoever owns the number and wants it to look used.
    verified: f64,
    /// Whether the client's part is filled in: device, country, kind of network.
    is_frank: bool,
}

impl Blast<'_> {
    fn run(&self, scene: &mut Scene<'_>, numbers: &[String], out: &mut Outbox) {
        let random = &mut scene.random;
        let times = pace(random, scene.start, self.span, i64::try_from(numbers.len()).unwrap_or_default());
        for (number, at) in numbers.iter().zip(times) {
            let (line, device) = (self.kit.line(random), self.kit.device(random));
            let purpose = *random.pick(self.purposes);
            let mut otp = otp_to(number, &device, line, purpose);
            otp.channel = Some(*random.pick(self.channels));
            if !self.is_frank {
                (otp.device_id, otp.location) = (None, None);
            }
            say("auth.otp_requested", at, &otp, out);
            if random.chance(self.verified) {
                say("auth.otp_verified", at + random.between(8 * SECOND, 70 * SECOND), &otp, out);
            }
        }
    }
}

/// The ranges of the numbers, as alerts may call them: operator's range, prefix, country.
fn ranges(numbers: &[String], country: usize) -> Vec<String> {
    let prefix = |number: &String| number.get(..number.len() - 4).map(|prefix| format!("phone_prefix:{prefix}"));
    let range = |number: &String| {
        let (code, rest) = number.split_at_checked(country)?;
        Some(format!("carrier:{code} {}", rest.get(..2)?))
    };
    let code = |number: &String| number.get(..country).map(|code| format!("phone_country:{code}"));
    numbers.iter().flat_map(|number| [prefix(number), range(number), code(number)]).flatten().collect()
}

/// Many phones from one place: which numbers have accounts here, and messages in the marketplace's name before a phishing call.
/// Blatant: one server. Moderate: one home line and a few devices. Careful: some servers in one network, an app that is
/// reinstalled now and then, all day.
fn fanout(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (phones, minutes) = match level {
        Level::Blatant => (scene.param("phones", 50, 300), scene.param("minutes", 15, 100)),
        Level::Moderate => (scene.param("phones", 24, 90), scene.param("minutes", 50, 420)),
        Level::Careful => (scene.param("phones", 60, 160), scene.param("minutes", 480, 1_380)),
    };
    let numbers = scene.list_of_numbers(phones);
    let lines = if level == Level::Careful { scene.param("lines", 4, 10) } else { 1 };
    let devices = if level == Level::Blatant { 1 } else { scene.param("devices", 2, 4) };
    let random = &mut scene.random;
    let kit = if level == Level::Moderate { Kit::proxies(random, lines, devices) } else { Kit::servers(random, lines, devices) };
    let blast = Blast {
        kit: &kit,
        span: minutes * MINUTE,
        purposes: &["signup", "signup", "login"],
        channels: &["sms"],
        verified: 0.0,
        is_frank: true,
    };
    blast.run(scene, &numbers, out);
    // One address at the lower levels; the careful one's common trait is the device.
    let entity = match level {
        Level::Careful => format!("device:{}", kit.devices.first()?),
        Level::Blatant | Level::Moderate => format!("ip:{}", kit.lines.first()?.ip),
    };
    Some(Cast { entity, also: kit.names() })
}

/// Each address of a network asks for one code or two: limits by address see nothing. Blatant: hundreds within the hour or two.
/// Moderate: over hours. Careful: a day, no device named.
fn prefix_fanout(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (codes, minutes) = match level {
        Level::Blatant => (scene.param("codes", 120, 400), scene.param("minutes", 20, 150)),
        Level::Moderate => (scene.param("codes", 80, 240), scene.param("minutes", 120, 540)),
        Level::Careful => (scene.param("codes", 60, 150), scene.param("minutes", 900, 1_380)),
    };
    let numbers = scene.list_of_numbers(codes);
    let random = &mut scene.random;
    let (is_six, first) = (random.chance(0.5), Network::hosting(random));
    let subnet = u32::try_from(random.between(0x0100_0001, 0x0fff_ffff)).unwrap_or(0x0100_0001) | 0x0001_0001;
    let lines = (0..codes).map(|line| if is_six { first.six(random, subnet) } else { first.beside(line) }).collect();
    let kit = Kit { lines, devices: Vec::new() };
    let blast = Blast {
        kit: &kit,
        span: minutes * MINUTE,
        purposes: &["login", "signup"],
        channels: &["sms"],
        verified: 0.0,
        is_frank: level == Level::Blatant,
    };
    blast.run(scene, &numbers, out);
    Some(Cast { entity: format!("ip_prefix:{}", kit.lines.first()?.prefix()), also: kit.names() })
}

/// An operator's share of each message. Blatant: neighbours, one after another, from a few servers. Moderate: a range of a
/// thousand, from home lines. Careful: a whole block at random over a day or longer, each by another line and device, and a tenth
/// to a quarter of the codes typed in, which is what a healthy range looks like.
fn pumping(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (codes, within, minutes) = match level {
        Level::Blatant => (scene.param("codes", 120, 500), 1, scene.param("minutes", 30, 220)),
        Level::Moderate => (scene.param("codes", 80, 260), 1_000, scene.param("minutes", 150, 660)),
        Level::Careful => (scene.param("codes", 90, 240), 10_000, scene.param("minutes", 1_080, 2_700)),
    };
    let verified = if level == Level::Careful { scene.param("typed_in_percent", 8, 26) } else { 0 };
    let mut numbers = scene.range(codes, within);
    if level == Level::Blatant {
        numbers.sort_unstable();
    }
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 3, 2),
        Level::Moderate => Kit::proxies(random, 12, 5),
        Level::Careful => Kit::proxies(random, codes, 0),
    };
    let blast = Blast {
        kit: &kit,
        span: minutes * MINUTE,
        purposes: &["signup", "login"],
        channels: &["sms"],
        verified: percent(verified),
        is_frank: level != Level::Blatant,
    };
    blast.run(scene, &numbers, out);
    let also = kit.names().into_iter().chain(ranges(&numbers, 3)).collect();
    let first = numbers.first()?;
    Some(Cast { entity: format!("phone_prefix:{}", first.get(..first.len() - 4)?), also })
}

fn percent(share: i64) -> f64 {
    f64::from(i32::try_from(share).unwrap_or_default()) / 100.0
}

/// Numbers in many countries, each range for a few codes only: no range, no country shows. Blatant: all within hours from servers.
/// Moderate: from lines abroad. Careful: a few an hour for a day or longer, some typed in.
fn pumping_world(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Cast {
    let (codes, minutes) = match level {
        Level::Blatant => (scene.param("codes", 200, 500), scene.param("minutes", 40, 220)),
        Level::Moderate => (scene.param("codes", 100, 300), scene.param("minutes", 200, 660)),
        Level::Careful => (scene.param("codes", 70, 180), scene.param("minutes", 1_080, 2_700)),
    };
    let countries = usize::try_from(scene.param("countries", 10, 22)).unwrap_or(10);
    let verified = if level == Level::Careful { scene.param("typed_in_percent", 5, 20) } else { 0 };
    let random = &mut scene.random;
    let chosen: Vec<(&str, u32)> = COUNTRIES.iter().copied().skip(random.weighted(&[1; 22])).chain(COUNTRIES).take(countries).collect();
    let mut also = Vec::new();
    let mut numbers = Vec::new();
    for _ in 0..codes {
        let (code, digits) = *random.pick(&chosen);
        let number = format!("{code}0{:0width$}", random.below(10_u64.pow(digits)), width = digits as usize);
        also.extend(ranges(std::slice::from_ref(&number), code.len()));
        numbers.push(number);
    }
    let kit = match level {
        Level::Blatant => Kit::servers(random, 4, 3),
        Level::Moderate => Kit { lines: (0..20).map(|_| abroad(random)).collect(), devices: (0..6).map(|_| random.id("d_")).collect() },
        Level::Careful => Kit { lines: (0..codes).map(|_| abroad(random)).collect(), devices: Vec::new() },
    };
    let blast = Blast {
        kit: &kit,
        span: minutes * MINUTE,
        purposes: &["signup", "signup", "login"],
        channels: &["sms"],
        verified: percent(verified),
        is_frank: level != Level::Blatant,
    };
    blast.run(scene, &numbers, out);
    also.extend(kit.names());
    Cast { entity: "all:all".to_owned(), also }
}

fn abroad(random: &mut Random) -> Network {
    let place = random.pick(&LAIRS);
    Network::abroad_home(random, place)
}

/// A botnet of home lines in one city: each address asks for two or three codes, of numbers all over. Rivals do so on a market day,
/// and who sells the bots. Blatant: within an hour or three. Moderate: half a day, each its own device. Careful: a day in
/// the busy hours' shadow, partly through the carrier's gateways.
fn region(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (lines, each, minutes) = match level {
        Level::Blatant => (scene.param("lines", 60, 180), 3, scene.param("minutes", 40, 200)),
        Level::Moderate => (scene.param("lines", 40, 120), 2, scene.param("minutes", 150, 420)),
        Level::Careful => (scene.param("lines", 40, 100), 1, scene.param("minutes", 600, 1_300)),
    };
    // One of the smaller cities: the capital's noise hides nothing that the others' would not.
    let city = usize::try_from(scene.param("city", 2, 7)).unwrap_or(2);
    let numbers = scene.list_of_numbers(lines * each);
    let random = &mut scene.random;
    let bots = (0..lines).map(|_| line_of(random, city)).collect();
    let kit = Kit { lines: bots, devices: Vec::new() };
    let blast = Blast {
        kit: &kit,
        span: minutes * MINUTE,
        purposes: &["login", "login", "signup"],
        channels: &["sms"],
        verified: 0.0,
        is_frank: true,
    };
    blast.run(scene, &numbers, out);
    let [centre, around @ ..] = places::cells(city) else { return None };
    let mut also: Vec<String> = around.iter().map(|cell| format!("region:{cell}")).collect();
    also.extend(kit.names());
    Some(Cast { entity: format!("region:{centre}"), also })
}

/// A home line that the database knows to be in that city: what a seller of "local" bots sells.
fn line_of(random: &mut Random, city: usize) -> Network {
    (0..30)
        .map(|_| Network::home(random, city))
        .find(|line| line.location.accuracy_km.is_some_and(|km| km <= 50))
        .unwrap_or_else(|| Network::home(random, city))
}

/// Calls and WhatsApp messages cost ten times a text message, and the called range gets its share. Blatant: voice alone.
/// Moderate: voice and WhatsApp from home lines. Careful: some an hour, after a text message first, as the app offers it.
fn channel(scene: &mut Scene<'_>, level: Level, out: &mut Outbox) -> Option<Cast> {
    let (codes, minutes) = match level {
        Level::Blatant => (scene.param("codes", 80, 300), scene.param("minutes", 30, 220)),
        Level::Moderate => (scene.param("codes", 50, 140), scene.param("minutes", 120, 540)),
        Level::Careful => (scene.param("codes", 40, 110), scene.param("minutes", 900, 2_400)),
    };
    let numbers = scene.range(codes, if level == Level::Careful { 10_000 } else { 300.max(codes) });
    let random = &mut scene.random;
    let kit = match level {
        Level::Blatant => Kit::servers(random, 2, 2),
        Level::Moderate => Kit::proxies(random, 8, 4),
        Level::Careful => Kit::proxies(random, 60, 0),
    };
    let channels: &[&'static str] = match level {
        Level::Blatant => &["voice"],
        Level::Moderate => &["voice", "voice", "whatsapp"],
        Level::Careful => &["voice", "voice", "sms"],
    };
    let blast = Blast {
        kit: &kit,
        span: minutes * MINUTE,
        purposes: &["login", "signup"],
        channels,
        verified: 0.0,
        is_frank: level != Level::Blatant,
    };
    blast.run(scene, &numbers, out);
    let mut also: Vec<String> = kit.names().into_iter().chain(ranges(&numbers, 3)).collect();
    also.push("all:all".to_owned());
    let first = numbers.first()?;
    Some(Cast { entity: format!("phone_prefix:{}", first.get(..first.len() - 4)?), also })
}
