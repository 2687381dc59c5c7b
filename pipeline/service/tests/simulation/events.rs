//! What comes in: four partitions of bursts, everyday events, repetitions, late ones, ones from the future and rubbish,
//! and the rulesets that make something of it.

use rasid_compiler::SourceFile;
use rasid_compiler::ruleset::Ruleset;
use rasid_detectors::event::time::format_rfc3339;

use super::random::Random;

/// 1 October 2026, 14:30 UTC.
pub(crate) const START_MS: i64 = 1_790_865_000_000;
/// How long the events take.
const SPAN_MS: i64 = 40 * 60_000;

const FLOOD: &str = r#"
rule: auth.otp_flood
title: One phone is sent too many codes
severity: SEV2
on: auth.otp_requested
entity: phone
params: {sends_max: MAX}
let:
  sends: {count: auth.otp_requested, by: phone, window: 10m}
  verified: {count: auth.otp_verified, by: phone, window: 10m}
when: sends > params.sends_max && verified == 0
risk: 60
half_life: 6h
suppress: 2m
explain: "{sends} codes to {data.phone}"
"#;
const FANOUT: &str = r#"
rule: auth.otp_fanout
title: One address asks for codes to many phones
on: auth.otp_requested
entity: ip
let:
  phones: {distinct: auth.otp_requested, of: phone, by: ip, window: 15m}
when: phones > 3
risk: 30
half_life: 10m
suppress: 0s
explain: "{phones} phones"
"#;
const REFUNDS: &str = r#"
rule: payment.refunds
title: Too much money goes back
mode: MODE
on: payment.refund_issued
entity: user(user_id)
let:
  total: {sum: payment.refund_issued, of: amount, by: user(user_id), window: 1h}
when: total > 30000
risk: 20
half_life: 1h
suppress: 1m
explain: "{total} piastres"
"#;
const SPEED: &str = r#"
rule: gps.speed
title: Faster than a car
on: gps.position
entity: driver
let:
  move: {detector: impossible_speed, by: driver, radius_factor: 0, tolerance_s: 0}
when: move.fired
risk: 40
suppress: 3m
explain: "{move.speed_mps} m/s"
"#;

/// How many rulesets there are.
pub(crate) const RULESETS: usize = 3;
/// Rules of all of them.
pub(crate) const RULES: [&str; 4] = ["auth.otp_flood", "auth.otp_fanout", "payment.refunds", "gps.speed"];

/// The ruleset of that number.
pub(crate) fn ruleset(number: usize) -> Ruleset {
    let file = |name: &str, text: String| SourceFile { name: name.to_owned(), text };
    let flood = |max: u8| file("auth/otp_flood.yaml", FLOOD.replace("MAX", &max.to_string()));
    let fanout = || file("auth/otp_fanout.yaml", FANOUT.to_owned());
    let refunds = |mode: &str| file("payment/refunds.yaml", REFUNDS.replace("MODE", mode));
    let speed = || file("gps/speed.yaml", SPEED.to_owned());
    let files = match number {
        0 => vec![flood(3), fanout(), refunds("active"), speed()],
        1 => vec![flood(2), fanout(), refunds("shadow")],
        _ => vec![flood(3), refunds("active"), speed()],
    };
    rasid_compiler::compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

/// A partition of a source.
pub(crate) struct Partition {
    pub(crate) stream: String,
    /// How long after it happened an event can be read here, ms.
    pub(crate) lag_ms: i64,
    /// Offset, when it happened, bytes; offsets rise, in one partition with gaps.
    pub(crate) records: Vec<(u64, i64, Vec<u8>)>,
}

impl Partition {
    /// Index of the first record after that offset.
    pub(crate) fn after(&self, offset: Option<u64>) -> usize {
        offset.map_or(0, |offset| self.records.partition_point(|(at, ..)| *at <= offset))
    }
}

/// All partitions of a seed.
pub(crate) fn partitions(random: &mut Random) -> Vec<Partition> {
    let count = 60 + random.index(140);
    let mut past: Vec<Vec<u8>> = Vec::new();
    (0..4_usize)
        .map(|number| {
            let lag_ms = if random.one_in(2) { random.ms(2_000) } else { random.ms(300_000) };
            let mut at_ms = 0;
            let mut records = Vec::new();
            let mut offset = random.below(3);
            while records.len() < count {
                at_ms += random.ms(2 * SPAN_MS / i64::try_from(count).expect("few"));
                let burst = if random.one_in(6) { 3 + random.index(6) } else { 1 };
                let (who, from) = (random.below(10), random.below(4));
                for _ in 0..burst {
                    let id = format!("p{number}-{}", records.len());
                    let record = record(random, number, &id, at_ms, (who, from), &mut past);
                    records.push((offset, at_ms, record));
                    offset += if number == 2 { 1 + random.below(5) } else { 1 };
                    at_ms += random.ms(3_000);
                }
            }
            Partition { stream: format!("sim:{number}/0"), lag_ms, records }
        })
        .collect()
}

fn record(random: &mut Random, partition: usize, id: &str, at_ms: i64, about: (u64, u64), past: &mut Vec<Vec<u8>>) -> Vec<u8> {
    let odd = random.below(60);
    if odd < 3 && !past.is_empty() {
        return past[random.index(past.len())].clone(); // the transport has delivered it again
    }
    let at_ms = match odd {
        4 | 5 => at_ms - random.ms(1_800_000), // late
        6 => at_ms + 3_600_000 + random.ms(3_600_000),
        _ => at_ms,
    };
    let (who, from) = about;
    let phone = format!("+2010000000{who:02}");
    let (kind, data) = match (partition, random.below(8)) {
        (0 | 3, 0) => ("auth.otp_verified", format!(r#"{{"phone":"{phone}","ip":"192.0.2.{from}","purpose":"login"}}"#)),
        (0 | 1, _) => {
            let phone = if who > 6 { format!("+2010000001{:02}", random.below(20)) } else { phone };
            ("auth.otp_requested", format!(r#"{{"phone":"{phone}","ip":"192.0.2.{from}","purpose":"login"}}"#))
        }
        (2, _) => {
            let amount = 1_000 + random.below(12_000);
            let user = who % 5;
            let data = format!(
                r#"{{"payment_id":"{id}","user_id":"u_{user}","counterparty_id":"u_9","amount":{amount},"currency":"EGP","method":"card"}}"#
            );
            ("payment.refund_issued", data)
        }
        _ => ("gps.position", format!(r#"{{"entity_id":"t_{}","lat":30.{},"lon":31.2}}"#, who % 4, random.below(900))),
    };
    let time = format_rfc3339(START_MS + at_ms);
    let id = if odd == 7 { format!("p{partition}-0") } else { id.to_owned() }; // odd: another event under a used id
    let line = format!(r#"{{"specversion":"1.0","id":"{id}","source":"/sim","type":"{kind}","time":"{time}","data":{data}}}"#).into_bytes();
    match odd {
        8 => line[..line.len() / 2].to_vec(),
        9 => vec![0xFF, 0x00, 0xFE],
        10 => String::from_utf8_lossy(&line).replace("192.0.2.", "nowhere-").into_bytes(),
        _ => {
            past.push(line.clone());
            line
        }
    }
}
