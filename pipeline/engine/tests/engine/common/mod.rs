//! Rules of every shape, and generated streams for them.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses some of it")]
#![allow(clippy::indexing_slicing, reason = "what is out of range fails the test")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rasid_compiler::SourceFile;
use rasid_compiler::ruleset::Ruleset;
use rasid_engine::{BoxError, Config, Engine, Part, Pseudonymizer, Snapshot};

pub const START_MS: i64 = 1_790_000_000_000;
pub const ARRIVAL_MS: i64 = START_MS + 30 * 86_400_000;

/// One rule of each shape: counts by one and by two kinds, distinct, sum, last and previous, both detectors.
pub const RULES: &[(&str, &str)] = &[
    (
        "auth/otp_flood.yaml",
        r#"
rule: auth.otp_flood
title: One phone is sent too many codes
on: auth.otp_requested
entity: phone
params: {sends_max: 3}
let:
  sends: {count: auth.otp_requested, by: phone, window: 10m}
  verified: {count: auth.otp_verified, by: phone, window: 10m}
when: sends > params.sends_max && verified == 0
risk: 60
half_life: 6h
suppress: 5m
explain: "{sends} codes to {data.phone}"
"#,
    ),
    (
        "auth/otp_fanout.yaml",
        r#"
rule: auth.otp_fanout
title: One address asks for codes to many phones
on: auth.otp_requested
entity: ip
let:
  phones: {distinct: auth.otp_requested, of: phone, by: ip, window: 1h}
  pair: {count: auth.otp_requested, by: [ip, phone], window: 1h, where: data.purpose == "login"}
when: phones > 2 || pair > 4
risk: 30
suppress: 0s
explain: "{phones} phones, {pair} codes to this one"
"#,
    ),
    (
        "payment/refunds.yaml",
        r#"
rule: payment.refunds
title: Too much money goes back
on: payment.refund_issued
entity: user(user_id)
let:
  total: {sum: payment.refund_issued, of: amount, by: user(user_id), window: 24h}
  method: {previous: payment.refund_issued, of: method, by: user(user_id), window: 24h}
when: total > 50000 && method != data.method
risk: 20
half_life: 1h
suppress: 30m
explain: "{total} piastres, {method} before"
"#,
    ),
    (
        "gps/speed.yaml",
        r#"
rule: gps.speed
title: Faster than a car
on: gps.position
entity: driver
let:
  move: {detector: impossible_speed, by: driver, radius_factor: 0, tolerance_s: 0}
when: move.fired
risk: 40
suppress: 10m
explain: "{move.speed_mps} m/s"
"#,
    ),
];

/// The other aggregates, an override and a shared binding.
pub const MORE_RULES: &[(&str, &str)] = &[
    (
        "payment/odd_refund.yaml",
        r#"
rule: payment.odd_refund
title: A refund unlike the others
on: payment.refund_issued
entity: user(user_id)
params: {factor: 2.0}
overrides:
  - {if: data.method == "card", params: {factor: 1.5}}
let:
  mean: {avg: payment.refund_issued, of: amount, by: user(user_id), window: 2h}
  least: {min: payment.refund_issued, of: amount, by: user(user_id), window: 2h}
  most: {max: payment.refund_issued, of: amount, by: user(user_id), window: 2h}
  first: {first_seen: payment.refund_issued, by: user(user_id), window: 24h}
  carded: {ratio: payment.refund_issued, by: user(user_id), window: 6h, where: data.method == "card"}
when: data.amount > mean * params.factor && most > least && time - first > duration("1m") && carded < 0.9
risk: 20
suppress: 10m
explain: "{data.amount} against {mean}, {least} to {most} since {first}; {carded} by card"
"#,
    ),
    (
        "gps/north.yaml",
        r#"
rule: gps.north
title: The northernmost fix
on: gps.position
entity: driver
let:
  north: {max: gps.position, of: lat, by: driver, window: 1h}
  middle: {avg: gps.position, of: lat, by: driver, window: 1h}
when: data.lat >= north && north > middle
risk: 10
suppress: 0s
explain: "the northernmost fix"
"#,
    ),
];

/// The detectors that keep more than a fix.
pub const DETECTOR_RULES: &[(&str, &str)] = &[
    (
        "auth/travel.yaml",
        r#"
rule: auth.travel
title: From one place to another sooner than people travel
on: auth.login_succeeded
entity: user
let:
  travel: {detector: impossible_travel, by: user, distance_m_min: 1000}
when: travel.fired
risk: 40
suppress: 10m
explain: "{travel.distance_m} m, {travel.device} device, {travel.place} place, {travel.suspicion}"
"#,
    ),
    (
        "chat/leak.yaml",
        r#"
rule: chat.leak
title: A number is passed on
on: chat.message
entity: user(sender_id)
let:
  leak: {detector: contact_leak, by: [conversation, user(sender_id)]}
when: leak.fired
risk: 15
suppress: 1m
explain: "{leak.evidence} over {leak.messages} message(s)"
"#,
    ),
];

/// What counts a detector's firings: under a key of its own, filtered by the signal, over a field of either, and read where the
/// detector looks at nothing.
pub const SECOND_RULES: &[(&str, &str)] = &[
    (
        "chat/leaks.yaml",
        r#"
rule: chat.leaks
title: Somebody passes on numbers in several chats
on: chat.message
entity: user(sender_id)
let:
  leak: {detector: contact_leak, by: [conversation, user(sender_id)]}
  leaks: {count: leak, by: user(sender_id), window: 10m}
  sure: {count: leak, by: user(sender_id), window: 1h, where: leak.strength > 0.8 && data.recipient_id != "u_1"}
  chats: {distinct: leak, of: conversation_id, by: user(sender_id), window: 1h}
  surest: {max: leak, of: strength, by: user(sender_id), window: 1h}
when: leaks >= 0 || (leaks < 0 && surest > 2.0)
risk: 5
suppress: 0s
explain: "{leaks} leaks, {sure} of them sure, in {chats} chats"
"#,
    ),
    (
        "payment/refund_of_traveller.yaml",
        r#"
rule: payment.refund_of_traveller
title: Money goes back to somebody who logged in from two places at once
on: payment.refund_issued
entity: user(user_id)
let:
  jump: {detector: impossible_travel, by: user, distance_m_min: 1000}
  jumps: {count: jump, by: user(user_id), window: 2h}
when: jumps > 0
risk: 10
suppress: 1m
explain: "{jumps} jumps"
"#,
    ),
];

/// How accounts hang together, and the list that they may be near.
pub const RING_RULES: [(&str, &str); 2] = [
    (
        "auth/ring.yaml",
        r#"
rule: auth.ring
title: Somebody hangs together with others, or with somebody who is watched
on: [auth.login_succeeded, payment.refund_issued]
entity: user(user_id)
let:
  ring: {component: [auth.login_succeeded, payment.refund_issued], links: [device, ip], degree_max: 3, near: list.watched, by: user(user_id), window: 6h}
when: ring > 3 || ring.distance < 5
risk: 6
suppress: 0s
explain: "{ring}, of them {ring.accounts} accounts, {ring.inside} inside, {ring.distance} away"
"#,
    ),
    (
        "lists/watched.yaml",
        "list: watched\nkind: user\nentries: [{value: u_1, reason: r}, {value: u_70, reason: r, expires: 2026-09-21T15:00:00Z}]\n",
    ),
];

/// What time alone makes fire, by events and by firings, and counted itself; and what all keys together are like.
pub const FORM_RULES: &[(&str, &str)] = &[
    (
        "auth/unused_code.yaml",
        r#"
rule: auth.unused_code
title: A code that nobody used
on: auth.otp_requested
entity: phone
let:
  unused: {absence: auth.otp_verified, after: auth.otp_requested, by: phone, window: 3m, where: data.purpose == "login"}
when: unused.fired
risk: 5
suppress: 0s
explain: "unused, and {unused.others} more"
"#,
    ),
    (
        "auth/unused_codes.yaml",
        r#"
rule: auth.unused_codes
title: One address asks for codes that nobody uses
on: auth.otp_requested
entity: ip
let:
  unused: {absence: auth.otp_verified, after: auth.otp_requested, by: phone, window: 3m, where: data.purpose == "login"}
  codes: {count: unused, by: ip, window: 30m}
  all: {count: auth.otp_requested, by: ip, window: 30m}
when: codes > 2
risk: 10
suppress: 1m
explain: "{codes} of {all}"
"#,
    ),
    (
        "auth/no_refund.yaml",
        r#"
rule: auth.no_refund
title: Somebody who logged in from two places at once, and asked for no money
on: auth.login_succeeded
entity: user(user_id)
let:
  jump: {detector: impossible_travel, by: user, distance_m_min: 1000}
  modest: {absence: payment.refund_issued, after: jump, by: user(user_id), window: 1m}
when: modest.fired
suppress: 0s
explain: "{modest.others}"
"#,
    ),
    (
        "payment/high_refund.yaml",
        r#"
rule: payment.high_refund
title: More money goes back than to nine of ten
on: payment.refund_issued
entity: user(user_id)
let:
  high: {quantile: payment.refund_issued, of: amount, window: 1h, q: 0.9, at_least: 5}
when: data.amount > high
risk: 7
suppress: 0s
explain: "{data.amount} against {high}"
"#,
    ),
    (
        "payment/unusual_refund.yaml",
        r#"
rule: payment.unusual_refund
title: Money goes back otherwise than it used to
on: payment.refund_issued
entity: user(user_id)
let:
  spread: {stddev: payment.refund_issued, of: amount, by: user(user_id), window: 1h, offset: 5m}
  off: {zscore: payment.refund_issued, of: amount, by: user(user_id), window: 1h, at_least: 2}
  more: {rate_of_change: payment.refund_issued, by: user(user_id), window: 10m}
  rising: {cusum: payment.refund_issued, by: user(user_id), window: 2m, warm_up: 2, half_life: 4}
  usual: {baseline: payment.refund_issued, by: user(user_id), window: 7d, warm_up_weeks: 1, at_least: 1, holidays: [2026-09-20]}
when: off > 0.5 || more.now > 3 || rising.count >= 0 || spread > 30000.0 || usual > 0.0
risk: 2
suppress: 0s
explain: "{spread} {off.zscore} of {off.count}, {more} to {more.now}, {rising} over {rising.expected}, {usual.count}"
"#,
    ),
    (
        "auth/codes_rise.yaml",
        r#"
rule: auth.codes_rise
title: One phone asks for more and more codes
on: auth.otp_verified
entity: phone
let:
  more: {rate_of_change: auth.otp_requested, by: phone, window: 20m, at_least: 0}
  rising: {cusum: auth.otp_requested, by: phone, window: 1m, warm_up: 1, k: 0.1}
  usual: {baseline: auth.otp_requested, by: phone, window: 8d, warm_up_weeks: 1, at_least: 0}
when: more > -2.0 || rising > 0.0 || usual.expected >= 0.0
risk: 1
suppress: 0s
explain: "{more} from {more.before}, {rising.cusum} with {rising.count}, {usual}"
"#,
    ),
    (
        "auth/code_in_a_costly_hour.yaml",
        r#"
rule: auth.code_in_a_costly_hour
title: A code is asked for while much money goes back
on: auth.otp_requested
entity: phone
let:
  high: {quantile: payment.refund_issued, of: amount, window: 1h, q: 0.9, at_least: 5}
when: high > 60000.0
suppress: 10m
explain: "{high}"
"#,
    ),
    (
        "payment/after_codes.yaml",
        r#"
rule: payment.after_codes
title: Codes for a payout, a login elsewhere, money back
on: [payment.refund_issued, auth.login_succeeded]
entity: user(user_id)
let:
  taken:
    sequence:
      - {on: auth.login_succeeded, where: has(data.country) && data.country == "AE", times: 2}
      - {on: [auth.login_succeeded, payment.refund_issued], within: 20m}
      - payment.refund_issued
    by: user(user_id)
    window: 40m
  often: {count: taken, by: user(user_id), window: 2h}
when: taken.fired
risk: 9
suppress: 0s
explain: "after {taken.span_s} s, {often} times"
"#,
    ),
    (
        "auth/pumped.yaml",
        r#"
rule: auth.pumped
title: Codes that hardly anybody of an address uses
on: [auth.otp_requested, auth.otp_verified]
entity: ip
let:
  used: {ratio: auth.otp_verified, per: auth.otp_requested, pair: phone, by: ip, window: 30m, settle: 3m, at_least: 3}
when: used.high < 0.95 && used.count > 2
suppress: 5m
explain: "{used:%} of {used.count}, at most {used.high:%}"
"#,
    ),
    (
        "auth/in_a_row.yaml",
        r#"
rule: auth.in_a_row
title: Codes in a row, and numbers one after the other
on: [auth.otp_requested, auth.otp_verified]
entity: phone
let:
  unused: {streak: auth.otp_requested, until: auth.otp_verified, by: phone, window: 20m, where: data.purpose == "login"}
  logins: {streak: auth.otp_requested, until: auth.otp_requested, by: phone, window: 20m, where: data.purpose == "login"}
  numbers: {sequential: auth.otp_requested, of: phone, by: ip, window: 10m, gap: 1}
when: unused > 2 || numbers > 1 || (logins > 0 && numbers.distinct > 2)
risk: 2
suppress: 0s
explain: "{unused} unused, {logins} for logins, {numbers} of {numbers.distinct} numbers"
"#,
    ),
    (
        "payment/unlike_before.yaml",
        r#"
rule: payment.unlike_before
title: Amounts alike, and ways that are new
on: [payment.refund_issued, auth.login_succeeded]
entity: user(user_id)
let:
  amounts: {last_n: payment.refund_issued, of: amount, by: user(user_id), window: 1h, n: 3}
  alike: {similar: payment.refund_issued, of: amount, by: user(user_id), window: 2h, within: 0.2}
  payee: {new: payment.refund_issued, of: counterparty_id, by: user(user_id), window: 1h}
  country: {new: auth.login_succeeded, of: country, by: user(user_id), window: 30m}
  device: {new: auth.login_succeeded, of: device_id, by: ip, window: 2h}
when: (amounts >= 3 && amounts.max - amounts.min < 20000) || alike > 1 || payee || country || (device && device.known > 1)
risk: 1
suppress: 0s
explain: "{amounts}: {amounts.first} to {amounts.last}, {amounts.mean} in the mean; {alike} like {alike.nearest}; {payee} {country.known} {device}"
"#,
    ),
    (
        "gps/stands.yaml",
        r#"
rule: gps.stands
title: A driver who hardly moves
on: gps.position
entity: driver
let:
  lats: {last_n: gps.position, of: lat, by: driver, window: 30m, n: 4}
  alike: {similar: gps.position, of: lat, by: driver, window: 10m, within: 0.0005}
when: lats > 3 && (lats.max - lats.min < 0.2 || lats.mean < lats.first) && alike > 0
suppress: 1m
explain: "he stands"
"#,
    ),
    RING_RULES[0],
    RING_RULES[1],
];

/// What joins fields that differ, reads one state under two keys, and is kept by no entity.
pub const JOIN_RULES: &[(&str, &str)] = &[
    (
        "payment/mutual.yaml",
        r#"
rule: payment.mutual
title: Two people send each other money
on: payment.refund_issued
entity: user(user_id)
let:
  back: {count: payment.refund_issued, match: {user_id: counterparty_id, counterparty_id: user_id}, window: 2h}
  forth: {count: payment.refund_issued, by: [user(user_id), user(counterparty_id)], window: 2h}
  came: {sum: payment.refund_issued, of: amount, match: {counterparty_id: user_id}, window: 1h}
  theirs: {previous: payment.refund_issued, of: method, match: {user_id: counterparty_id}, window: 24h}
  same: {count: payment.refund_issued, by: data.method, window: 30m}
  all: {count: payment.refund_issued, by: all, window: 10m}
  logins: {count: auth.login_succeeded, match: {user_id: counterparty_id}, window: 3h}
  before: {sum: payment.refund_issued, of: amount, match: {user_id: counterparty_id}, window: 1h, offset: 20m}
when: back >= 0 || theirs == "card"
risk: 3
suppress: 0s
explain: "{back} back, {forth} forth, {came} came, {theirs} before, {same} alike of {all}, {logins} logins, {before:money} before"
"#,
    ),
    (
        "auth/payee.yaml",
        r#"
rule: auth.payee
title: Somebody logs in to whom money went
on: auth.login_succeeded
entity: user
let:
  came: {sum: payment.refund_issued, of: amount, match: {payment.refund_issued: {counterparty_id: user_id}}, window: 1h}
when: came > 20000
suppress: 1m
advice: watch
advice_for: 5m
overrides:
  - {if: has(data.device_id), advice: challenge}
explain: "{came}"
"#,
    ),
    (
        "payment/doubtful.yaml",
        r#"
rule: payment.doubtful
title: Money goes back to somebody of whom there is doubt
on: payment.refund_issued
entity: user(user_id)
let:
  came: {sum: payment.refund_issued, of: amount, match: {counterparty_id: user_id}, window: 1h}
when: score > 5 && (came > 10000 || data.method == "card")
risk: 12
suppress: 30s
advice: block
explain: "{score}, {came}"
"#,
    ),
];

/// What looks at the lines of ledger entries: accounts, several of them in one event, what counts them under another key, and a
/// wait that a line begins.
pub const LEDGER_RULES: &[(&str, &str)] = &[
    (
        "ledger/balance.yaml",
        r#"
rule: ledger.balance
title: An account gives more than it gets
on: ledger.line
entity: account
let:
  balance: {sum: ledger.line, of: amount, by: [account, data.currency], window: 1h}
  losses: {count: ledger.line, by: account, window: 20m, where: data.amount < 0}
  accounts: {distinct: ledger.line, of: account, by: booking, window: 2h}
when: data.amount != 7 && (balance != 3 || has(values.accounts))
risk: 4
suppress: 0s
explain: "{balance}, {losses} losses, {accounts} accounts of {data.booking_id} by {data.entry_id}"
"#,
    ),
    (
        "ledger/silent.yaml",
        r#"
rule: ledger.silent
title: Money is booked, and none goes back
on: ledger.line
entity: account
let:
  silent: {absence: payment.refund_issued, after: ledger.line, by: data.currency, window: 2m}
  often: {count: silent, by: account, window: 30m}
when: silent.fired && often < 9
suppress: 0s
explain: "{silent.others} {often} of {data.account}"
"#,
    ),
    (
        "ledger/entry.yaml",
        r#"
rule: ledger.entry
title: A booking has moved much money
on: ledger.posted
entity: booking
let:
  moved: {sum: ledger.line, of: amount, by: booking, window: 1h, where: data.amount > 0}
when: moved > 1500
suppress: 1m
explain: "{moved} before this entry"
"#,
    ),
];

/// What looks at alerts: everywhere, and where they are.
pub const ALERT_RULES: &[(&str, &str)] = &[
    (
        "ops/wave.yaml",
        r#"
rule: ops.wave
title: Alerts come in a wave
on: rasid.alert
entity: all
let:
  of_all: {count: rasid.alert, by: all, window: 20m}
  of_rule: {count: rasid.alert, by: data.rule, window: 20m}
  people: {distinct: rasid.alert, of: entity, by: data.area, window: 1h, where: data.severity != "SEV3"}
  before: {previous: rasid.alert, of: rule, by: data.entity, window: 2h}
when: of_all > 0
severity: SEV3
suppress: 0s
explain: "{of_all} alerts, {of_rule} of {data.rule}, {people} in {data.area}; {data.entity} had {before} before; {data.advice}"
"#,
    ),
    (
        "ops/hot_region.yaml",
        r#"
rule: ops.hot_region
title: Several alerts in one place
on: rasid.alert
entity: region
let:
  near: {count: rasid.alert, by: region, window: 30m}
  first: {first_seen: rasid.alert, by: region, window: 1d}
when: near > 1
suppress: 2m
explain: "{near} near {data.region} since {first}"
"#,
    ),
];

/// What a binding keeps of one key, as a plain list.
#[derive(Debug)]
pub struct Kept<T> {
    kept: Vec<(i64, T)>,
    /// The log's clock at the newest change: all is forgotten a window and the allowed lateness later.
    changed_ms: i64,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), changed_ms: 0 }
    }
}

impl<T: Copy> Kept<T> {
    /// What the window holds at an event, with what that brings; `None` where it is behind.
    pub fn visit(&mut self, at_ms: i64, clock_ms: i64, window_ms: i64, brings: Option<T>) -> Option<Vec<T>> {
        if self.changed_ms + window_ms + Config::default().lateness_ms <= clock_ms {
            self.kept.clear();
        }
        if let Some(what) = brings {
            self.kept.push((at_ms, what));
            self.changed_ms = clock_ms;
        }
        let newest = self.kept.iter().map(|(at_ms, _)| *at_ms).max();
        if newest.is_some_and(|newest| at_ms <= newest - window_ms) {
            return None;
        }
        let start = newest.unwrap_or(at_ms).max(at_ms) - window_ms;
        Some(self.kept.iter().filter(|(at_ms, _)| *at_ms > start).map(|(_, what)| *what).collect())
    }
}

pub fn all_rules() -> Vec<(&'static str, &'static str)> {
    RULES.iter().chain(MORE_RULES).copied().collect()
}

/// Fires on every one-time code that is verified, and shows what the windows hold then.
pub const PROBE: (&str, &str) = (
    "probe/windows.yaml",
    r#"
rule: probe.windows
title: What the windows hold
on: auth.otp_verified
entity: phone
let:
  sends: {count: auth.otp_requested, by: phone, window: 10m}
  by_purpose: {count: auth.otp_requested, by: phone, window: 1h, where: data.purpose == "login"}
  addresses: {distinct: auth.otp_requested, of: ip, by: phone, window: 30m}
  newest: {last: auth.otp_requested, of: purpose, by: phone, window: 2h}
  used: {ratio: auth.otp_requested, by: phone, window: 90m, where: data.purpose == "login"}
  first: {first_seen: auth.otp_requested, by: phone, window: 30d}
when: sends >= 0
risk: 0
suppress: 0s
explain: "{sends} {by_purpose} {addresses} {newest} {used} {first}"
"#,
);

/// A code that is asked for or used, so many minutes after the start, of one phone.
pub fn code_event(id: impl std::fmt::Display, kind: &str, purpose: &str, minute: i64) -> String {
    let time = rasid_detectors::event::time::format_rfc3339(START_MS + minute * 60_000);
    format!(
        r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"auth.{kind}","time":"{time}","data":{{"phone":"+201000000001","ip":"192.0.2.1","purpose":"{purpose}"}}}}"#
    )
}

pub fn ruleset(rules: &[(&str, &str)]) -> Ruleset {
    let files: Vec<SourceFile> =
        rules.iter().map(|(name, text)| SourceFile { name: (*name).to_owned(), text: (*text).to_owned() }).collect();
    rasid_compiler::compile(&files).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

pub fn engine(rules: &[(&str, &str)], config: Config) -> Engine {
    Engine::new(ruleset(rules), config, Pseudonymizer::new(b"a secret for the tests", 1).expect("long enough")).expect("threads")
}

/// All parts of a snapshot.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Saved {
    pub parts: Vec<Vec<u8>>,
    pub lasting: BTreeMap<String, Vec<u8>>,
}

impl Saved {
    pub fn of(snapshot: &Snapshot) -> Self {
        let lasting = snapshot.lasting().map(|name| (name.to_owned(), snapshot.write_lasting(name).expect("it names it")));
        Self { parts: (0..Snapshot::PARTS).map(|part| snapshot.write(part)).collect(), lasting: lasting.collect() }
    }

    pub fn get(&self, part: Part<'_>) -> Result<Vec<u8>, BoxError> {
        match part {
            Part::Numbered(number) => Ok(self.parts[number].clone()),
            Part::Lasting(name) => self.lasting.get(name).cloned().ok_or_else(|| "gone".into()),
        }
    }
}

/// An event of the streams below: (minutes and ms after the start, kind, who, how).
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    pub at_ms: i64,
    pub kind: u8,
    pub who: u8,
    pub how: u8,
}

pub fn json(id: usize, draw: &Draw) -> String {
    let Draw { at_ms, kind, who, how } = *draw;
    let time = rasid_detectors::event::time::format_rfc3339(START_MS + at_ms);
    let (name, data) = match kind {
        0 | 1 => (
            if kind == 0 { "auth.otp_requested" } else { "auth.otp_verified" },
            format!(
                r#"{{"phone":"+2010000000{:02}","ip":"192.0.2.{}","purpose":"{}"}}"#,
                who % 8,
                (who / 8) + how % 3,
                if how % 2 == 0 { "login" } else { "payout" }
            ),
        ),
        2 => (
            "payment.refund_issued",
            format!(
                r#"{{"payment_id":"p_{id}","user_id":"u_{}","counterparty_id":"u_{how}","amount":{},"currency":"EGP","method":"{}"}}"#,
                who % 4,
                i64::from(how) * 500,
                if how % 2 == 0 { "card" } else { "wallet" }
            ),
        ),
        4 => (
            "auth.login_succeeded",
            format!(
                r#"{{"user_id":"u_{}","device_id":"d_{}","ip":"192.0.2.{how}","location":{{"lat":{},"lon":{},"accuracy_km":20}},"country":"{}","asn_type":"{}"}}"#,
                who % 4,
                how % 9,
                20.0 + f64::from(how % 8),
                30.0 + f64::from(how % 5),
                if how % 3 == 0 { "EG" } else { "AE" },
                if how % 4 == 0 { "vpn" } else { "residential" }
            ),
        ),
        5 => (
            "chat.message",
            format!(
                r#"{{"conversation_id":"c_{}","sender_id":"u_{}","recipient_id":"u_9","text":"{}"}}"#,
                who % 3,
                who % 2,
                ["0100", "0000", "042", "call me on 01000000042", "at five"][usize::from(how % 5)]
            ),
        ),
        7 => (
            "ledger.posted",
            format!(
                r#"{{"entry_id":"l_{id}","booking_id":"b_{}","lines":[{}]}}"#,
                who % 3,
                lines(draw).map(|(account, amount)| line(account, amount)).join(",")
            ),
        ),
        _ => ("gps.position", format!(r#"{{"entity_id":"t_{}","lat":{},"lon":31.2}}"#, who % 4, 30.0 + f64::from(how) / 200.0)),
    };
    format!(r#"{{"specversion":"1.0","id":"e{id}","source":"/test","type":"{name}","time":"{time}","data":{data}}}"#)
}

/// The accounts and amounts of an entry's lines: two or three, and of one account twice.
pub fn lines(draw: &Draw) -> [(u8, i64); 3] {
    let amount = i64::from(draw.how) * 10;
    [(draw.who % 4, -amount), (draw.how % 5, amount - 7), (draw.who % 4, 7)]
}

fn line(account: u8, amount: i64) -> String {
    format!(r#"{{"account":"acc_{account}","amount":{amount},"currency":"EGP"}}"#)
}

/// What does not come in its order.
#[derive(Clone, Debug)]
pub enum Stray {
    /// So many events, from that one on, come so late, ms: a source catches up.
    Behind(prop::sample::Index, usize, i64),
    /// One claims to be of that time, Unix ms.
    Claims(prop::sample::Index, i64),
}

const HOUR_MS: i64 = 3_600_000;

/// Some hours, some days, and times that are nobody's: the first year and the last, and what the bound on the future just lets
/// through, which leaves all that follows a month behind.
pub fn strays() -> impl Strategy<Value = Vec<Stray>> {
    let place = any::<prop::sample::Index>;
    let behind = prop_oneof![0..2 * HOUR_MS, 0..7 * 24 * HOUR_MS];
    let behind = (place(), 1_usize..100, behind).prop_map(|(from, count, by_ms)| Stray::Behind(from, count, by_ms));
    let newest_ms = ARRIVAL_MS + Config::default().future_ms;
    let times = vec![-62_167_219_200_000, 0, START_MS + 24 * HOUR_MS, newest_ms, newest_ms + 1, 253_402_300_799_999];
    let claims = (place(), prop::sample::select(times)).prop_map(|(which, at_ms)| Stray::Claims(which, at_ms));
    proptest::collection::vec(prop_oneof![3 => behind, 1 => claims], 0..6)
}

/// The events with strays among them.
pub fn astray(mut draws: Vec<Draw>, strays: &[Stray]) -> Vec<Draw> {
    for stray in strays {
        match stray {
            Stray::Behind(from, count, by_ms) => {
                let from = from.index(draws.len());
                draws.iter_mut().skip(from).take(*count).for_each(|draw| draw.at_ms -= by_ms);
            }
            Stray::Claims(which, at_ms) => {
                let which = which.index(draws.len());
                draws[which].at_ms = at_ms - START_MS;
            }
        }
    }
    draws
}

/// Of an event of the streams, whether the bound on the future sets it aside.
pub fn is_ahead(draw: &Draw) -> bool {
    START_MS + draw.at_ms > ARRIVAL_MS + Config::default().future_ms
}

/// In order of time.
pub fn draws(count: usize) -> impl Strategy<Value = Vec<Draw>> {
    draws_of(4, count)
}

/// Of the first so many kinds of events.
pub fn draws_of(kinds: u8, count: usize) -> impl Strategy<Value = Vec<Draw>> {
    let draw = (0_i64..20_000, 0..kinds, 0_u8..32, 0_u8..200);
    proptest::collection::vec(draw, 1..count).prop_map(|drawn| {
        let mut at_ms = 0;
        drawn
            .into_iter()
            .map(|(step, kind, who, how)| {
                at_ms += step;
                Draw { at_ms, kind, who, how }
            })
            .collect()
    })
}
