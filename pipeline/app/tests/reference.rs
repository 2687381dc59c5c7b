//! The engine against a second opinion: the seven reference conditions computed again, slowly and plainly, from what
//! `benches/workload/oracle.py` says they mean. Nothing here is shared with the engine: every condition looks through
//! the whole history of its key at every event. The second opinion is itself held against the oracle.

#![expect(clippy::indexing_slicing, reason = "a test that looks for what is not there should fail")]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::{SplitMix64, detect, generate, root};

/// (the rule's name after `bench.`, the event's id)
type Hits = BTreeSet<(String, String)>;

// ── the slow recomputation ──────────────────────────────────────────────────────────────────────────────────────────

const SECOND_MS: i64 = 1000;
const HOUR_MS: i64 = 3600 * SECOND_MS;

/// Up to where the engine's windows and distinct counts are exact by design.
const EXACT_ENTRIES: usize = 256;
const EXACT_DISTINCT: usize = 32;

/// Everything that happened to one key, oldest first: when, and what the condition looks at.
type History<T> = HashMap<String, Vec<(i64, T)>>;

#[derive(Default)]
struct Recomputed {
    codes_by_phone: History<()>,
    phones_by_ip: History<String>,
    refunds_by_user: History<i64>,
    payouts_by_user: History<()>,
    logins_by_user: History<(f64, f64)>,
    positions_by_driver: History<(f64, f64)>,
    hits: Hits,
}

/// Adds to a key's history and gives what of it lies in (t − W, t].
fn window<T: Clone>(history: &mut History<T>, key: &str, now_ms: i64, value: T, window_ms: i64) -> Vec<T> {
    let all = history.entry(key.to_owned()).or_default();
    all.push((now_ms, value));
    let inside: Vec<T> = all.iter().filter(|(at, _)| *at > now_ms - window_ms && *at <= now_ms).map(|(_, value)| value.clone()).collect();
    assert!(inside.len() < EXACT_ENTRIES, "{} events of {key} in one window: more than the engine promises to count exactly", inside.len());
    inside
}

/// Adds a place to a key's history and says whether it lies over `metres_min` and over `mps` from the last one.
fn too_far(history: &mut History<(f64, f64)>, key: &str, now_ms: i64, place: (f64, f64), metres_min: f64, mps: f64) -> bool {
    let all = history.entry(key.to_owned()).or_default();
    let last = all.last().copied();
    all.push((now_ms, place));
    let Some((then_ms, there)) = last else { return false };
    let metres = haversine(there, place);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few days")]
    let reachable = mps * ((now_ms - then_ms) as f64 / 1000.0);
    for bound in [metres_min, reachable] {
        assert!((metres - bound).abs() > 1e-6, "{metres} m is too near to {bound} m for two ways of computing it to agree");
    }
    metres > metres_min && metres > reachable
}

fn haversine((lat1, lon1): (f64, f64), (lat2, lon2): (f64, f64)) -> f64 {
    let (p, q) = (lat1.to_radians(), lat2.to_radians());
    let h = ((q - p) / 2.0).sin().powi(2) + p.cos() * q.cos() * ((lon2 - lon1).to_radians() / 2.0).sin().powi(2);
    2.0 * 6_371_008.8 * h.sqrt().min(1.0).asin()
}

/// The country code and the leading zero are optional, so the text leaks a number wherever it holds 1, one of 0125, and
/// eight more ASCII digits.
fn names_a_number(text: &str) -> bool {
    text.as_bytes().windows(10).any(|w| matches!(w, [b'1', b'0' | b'1' | b'2' | b'5', rest @ ..] if rest.iter().all(u8::is_ascii_digit)))
}

/// `2026-11-01T00:00:00.123Z` in milliseconds since 1970, by counting days.
fn milliseconds(time: &str) -> i64 {
    let numbers: Vec<i64> = time.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    let [year, month, day, hour, minute, second, ms] = numbers.as_slice() else { panic!("{time} is to the millisecond") };
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let of_month = |month: i64| match month {
        2 => 28 + i64::from(leap(*year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let days = (1970..*year).map(|year| 365 + i64::from(leap(year))).sum::<i64>() + (1..*month).map(of_month).sum::<i64>() + day - 1;
    (((days * 24 + hour) * 60 + minute) * 60 + second) * SECOND_MS + ms
}

impl Recomputed {
    fn hit(&mut self, rule: &str, id: &str, holds: bool) {
        if holds {
            assert!(self.hits.insert((rule.to_owned(), id.to_owned())), "event ids are unique");
        }
    }

    fn event(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let place = |value: &Value| (value["lat"].as_f64().expect("a number"), value["lon"].as_f64().expect("a number"));
        let (id, data, now) = (text(&event["id"]), &event["data"], milliseconds(&text(&event["time"])));
        match event["type"].as_str().expect("a string") {
            "auth.otp_requested" => {
                let (phone, ip) = (text(&data["phone"]), text(&data["ip"]));
                let codes = window(&mut self.codes_by_phone, &phone, now, (), 600 * SECOND_MS).len();
                self.hit("otp_flood", &id, codes > 5);
                let phones = window(&mut self.phones_by_ip, &ip, now, phone, HOUR_MS).into_iter().collect::<BTreeSet<_>>().len();
                assert!(phones <= EXACT_DISTINCT, "{phones} phones of {ip} in one window: more than the engine promises to count exactly");
                self.hit("otp_fanout", &id, phones > 10);
            }
            "payment.refund_issued" => {
                let amount = data["amount"].as_i64().expect("a whole number");
                let refunded: i64 = window(&mut self.refunds_by_user, &text(&data["user_id"]), now, amount, 24 * HOUR_MS).into_iter().sum();
                self.hit("refund_velocity", &id, refunded > 500_000);
            }
            "payment.payout_requested" => {
                let payouts = window(&mut self.payouts_by_user, &text(&data["user_id"]), now, (), HOUR_MS).len();
                self.hit("payout_velocity", &id, payouts > 3);
            }
            "auth.login_succeeded" => {
                let far = too_far(&mut self.logins_by_user, &text(&data["user_id"]), now, place(&data["location"]), 100_000.0, 250.0);
                self.hit("impossible_travel", &id, far);
            }
            "gps.position" => {
                let far = too_far(&mut self.positions_by_driver, &text(&data["entity_id"]), now, place(data), 500.0, 50.0);
                self.hit("max_speed", &id, far);
            }
            "chat.message" => self.hit("phone_leak", &id, names_a_number(data["text"].as_str().expect("a string"))),
            _ => {}
        }
    }
}

fn recompute(events: &str) -> Hits {
    let mut recomputed = Recomputed::default();
    for line in events.lines() {
        recomputed.event(&serde_json::from_str(line).expect("the workload is JSON"));
    }
    recomputed.hits
}

// ── comparing ───────────────────────────────────────────────────────────────────────────────────────────────────────

fn assert_same(what: &str, expected: &Hits, found: &Hits) {
    let show = |title: &str, differing: Vec<&(String, String)>| {
        let mut by_rule = BTreeMap::<&str, usize>::new();
        for (rule, _) in &differing {
            *by_rule.entry(rule).or_default() += 1;
        }
        let first: Vec<String> = differing.iter().take(10).map(|(rule, id)| format!("  {rule} at event {id}")).collect();
        format!("{} {title} {by_rule:?}\n{}\n", differing.len(), first.join("\n"))
    };
    assert!(
        expected == found,
        "{what}\n{}{}",
        show("missing", expected.difference(found).collect()),
        show("too many", found.difference(expected).collect())
    );
}

fn hits_of(alerts: &[Value]) -> Hits {
    let mut hits = Hits::new();
    for alert in alerts {
        let rule = alert["rule"].as_str().and_then(|rule| rule.strip_prefix("bench.")).expect("a reference rule");
        let id = alert["event"]["id"].as_str().expect("an alert names its event");
        assert!(hits.insert((rule.to_owned(), id.to_owned())), "two alerts of {rule} at event {id}");
    }
    hits
}

/// Runs the program over a file and holds its alerts against the recomputation.
fn assert_detects(folder: &Path, events: &Path) {
    let text = fs::read_to_string(events).expect("just written");
    let expected = recompute(&text);
    let run = detect(folder, events, &[]);
    assert_eq!(run.dead_letters.first(), None);
    assert_same(&events.display().to_string(), &expected, &hits_of(&run.alerts()));
    assert_eq!(run.count("records"), text.lines().count() as u64);
    assert_eq!(run.count("events"), run.count("records"), "{}", run.summary);
    assert_eq!(run.count("alerts"), expected.len() as u64);
}

// ── a workload of hard cases ────────────────────────────────────────────────────────────────────────────────────────

/// 2026-11-05T00:00:00Z
const BEGIN_MS: i64 = 1_793_836_800_000;

fn rfc3339(ms: i64) -> String {
    let (day, of_day) = ((ms - BEGIN_MS) / (24 * HOUR_MS), (ms - BEGIN_MS) % (24 * HOUR_MS));
    let (hour, minute, second) = (of_day / HOUR_MS, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("2026-11-{:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", 5 + day, of_day % 1000)
}

struct Workload {
    random: SplitMix64,
    /// Unordered; each with its type, and the data that matters.
    events: Vec<(i64, &'static str, Value)>,
}

impl Workload {
    /// Some instant of the first two days; every fourth on the full second, where others lie too.
    fn instant(&mut self) -> i64 {
        let at = BEGIN_MS + i64::try_from(self.random.below(48 * 3_600_000)).expect("two days of milliseconds");
        if self.random.below(4) == 0 { at / SECOND_MS * SECOND_MS } else { at }
    }

    fn milliseconds(&mut self, below: usize) -> i64 {
        i64::try_from(self.random.below(below)).expect("a short time")
    }

    fn code(&mut self, at: i64, phone: usize, ip: usize) {
        let data = json!({"phone": format!("+2010{phone:08}"), "ip": format!("198.18.{}.{}", ip / 256, ip % 256), "purpose": "login"});
        self.events.push((at, "auth.otp_requested", data));
    }

    fn pay(&mut self, at: i64, kind: &'static str, user: usize, amount: usize) {
        let payment = self.events.len();
        let data = json!({"payment_id": format!("p_{payment}"), "user_id": format!("u_{user}"), "counterparty_id": format!("u_{}", user + 1),
            "amount": amount, "currency": "EGP", "method": "wallet"});
        self.events.push((at, kind, data));
    }

    fn login(&mut self, at: i64, user: usize, (lat, lon): (f64, f64)) {
        let data = json!({"user_id": format!("u_{user}"), "device_id": "d_1", "ip": "192.0.2.1", "location": {"lat": lat, "lon": lon}});
        self.events.push((at, "auth.login_succeeded", data));
    }

    fn fix(&mut self, at: i64, driver: usize, (lat, lon): (f64, f64)) {
        self.events.push((at, "gps.position", json!({"entity_id": format!("t_{driver}"), "lat": lat, "lon": lon})));
    }

    /// A little off `place`, by up to about `metres` north and east; over the date line and never over a pole.
    fn near(&mut self, (lat, lon): (f64, f64), metres: usize) -> (f64, f64) {
        let mut degrees = || f64::from(u32::try_from(self.random.below(2 * metres + 1)).expect("metres")) / 111_195.0;
        let spread = f64::from(u32::try_from(metres).expect("metres")) / 111_195.0;
        let (lat, lon) = ((lat + degrees() - spread).clamp(-89.9, 89.9), lon + degrees() - spread);
        (
            lat,
            if lon > 180.0 {
                lon - 360.0
            } else if lon < -180.0 {
                lon + 360.0
            } else {
                lon
            },
        )
    }

    /// When events of one key come: alone, all in one millisecond, or each exactly at, just inside or just outside a
    /// window's length after the first.
    fn pattern(&mut self, window_ms: i64) -> Vec<i64> {
        let first = self.instant();
        let burst = 1 + self.random.below(9);
        let spaced = |gap_ms: i64, count: usize| (0_i64..).map(|n| first + n * gap_ms).take(count).collect::<Vec<_>>();
        match self.random.below(6) {
            0 => vec![first; burst],
            1 => spaced(997, burst),
            2 => [vec![first; burst], vec![first + window_ms; burst]].concat(),
            3 => [vec![first; burst], vec![first + window_ms - 1; burst]].concat(),
            4 => [vec![first; burst], vec![first + window_ms - 1, first + window_ms, first + window_ms + 1]].concat(),
            _ => spaced(window_ms / 6, 12),
        }
    }

    /// Many in one window, but fewer than are counted exactly.
    fn flood(&mut self, window_ms: i64) -> Vec<i64> {
        let first = self.instant();
        (0..200).map(|n| first + n * window_ms / 210).collect()
    }
}

fn hard_cases(seed: u64) -> String {
    const PLACES: [(f64, f64); 6] =
        [(30.0444, 31.2357), (31.2001, 29.9187), (25.2048, 55.2708), (-16.5, 179.95), (89.5, 12.0), (-54.8, -68.3)];
    const WORDS: [&str; 14] = [
        "tamam",
        "01000012345",
        "+201112345678",
        "1312345678",
        "010 0001 2345",
        "99901000012345999",
        "0100001234",
        "٠١٠٠٠٠١٢٣٤٥",
        "\n1512345678\n",
        "20101234567",
        "price 350",
        "1o00012345",
        "é12",
        "00201234567890",
    ];
    let mut workload = Workload { random: SplitMix64(seed), events: Vec::new() };
    for phone in 0..900 {
        for at in workload.pattern(600 * SECOND_MS) {
            let ip = 4_000 + workload.random.below(60_000); // so many that none meets many phones
            workload.code(at, phone, ip);
        }
    }
    for ip in 0..300 {
        // Twelve numbers of which each may come again: more than ten different ones, or just not.
        for (n, at) in workload.pattern(HOUR_MS).into_iter().enumerate() {
            let phone = 10_000 + ip * 40 + if ip % 3 == 0 { n } else { workload.random.below(13) };
            workload.code(at, phone, ip);
        }
    }
    for user in 0..700 {
        for at in workload.pattern(HOUR_MS) {
            workload.pay(at, "payment.payout_requested", user, 1);
        }
        for at in workload.pattern(24 * HOUR_MS) {
            let amount = *workload.random.pick(&[100_000, 125_000, 250_000, 500_000, 1, 0, 499_999]);
            workload.pay(at, "payment.refund_issued", user, amount);
        }
    }
    for (n, at) in workload.flood(600 * SECOND_MS).into_iter().enumerate() {
        workload.code(at, 90_000, 3_000 + n);
    }
    for at in workload.flood(24 * HOUR_MS) {
        workload.pay(at, "payment.refund_issued", 9_000, 2_500);
    }
    for user in 0..500 {
        let mut at = workload.instant();
        for _ in 0..workload.random.below(12) {
            // At one instant, within minutes, or so that 900 km/h is now enough and now not.
            at += match workload.random.below(4) {
                0 => 0,
                1 => workload.milliseconds(600_000),
                _ => workload.milliseconds(6 * 3_600_000),
            };
            let city = *workload.random.pick(&PLACES);
            let place = workload.near(city, 60_000);
            workload.login(at, user, place);
        }
    }
    for driver in 0..300 {
        let (mut at, mut place) = (workload.instant(), *workload.random.pick(&PLACES));
        for _ in 0..workload.random.below(60) {
            at += if workload.random.below(8) == 0 { 0 } else { workload.milliseconds(30_000) };
            let metres = *workload.random.pick(&[20, 200, 800, 2_000, 150_000]);
            place = workload.near(place, metres);
            workload.fix(at, driver, place);
        }
    }
    for n in 0..3_000 {
        let at = workload.instant();
        let text: Vec<&str> = (0..=workload.random.below(4)).map(|_| *workload.random.pick(&WORDS)).collect();
        let glue = *workload.random.pick(&[" ", "", ", "]);
        let data =
            json!({"conversation_id": format!("c_{n}"), "sender_id": format!("u_{n}"), "recipient_id": "u_0", "text": text.join(glue)});
        workload.events.push((at, "chat.message", data));
    }
    workload.events.sort_by_key(|(at, ..)| *at); // stable: what comes at one instant stays in the order it was made
    let lines = workload.events.iter().enumerate().map(|(n, (at, kind, data))| {
        let event = json!({"specversion": "1.0", "id": format!("{n:06}"), "source": "/khidma/test", "type": kind, "time": rfc3339(*at), "data": data});
        format!("{event}\n")
    });
    lines.collect()
}

// ── the tests ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_recomputation_agrees_with_the_oracle() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (events, ids) = (folder.path().join("events.jsonl"), folder.path().join("ids.tsv"));
    for hard in [false, true] {
        if hard {
            fs::write(&events, hard_cases(1)).expect("room");
        } else {
            generate(&events, 40_000, 7);
        }
        let oracle = Command::new("python3")
            .arg(root().join("benches/workload/oracle.py"))
            .arg(&ids)
            .stdin(File::open(&events).expect("just written"))
            .output()
            .expect("python3 is there");
        assert!(oracle.status.success(), "oracle.py: {}", String::from_utf8_lossy(&oracle.stderr));
        let ids = fs::read_to_string(&ids).expect("the oracle wrote it");
        let expected: Hits =
            ids.lines().map(|line| line.split_once('\t').expect("rule and id")).map(|(rule, id)| (rule.into(), id.into())).collect();
        assert_same("the recomputation", &expected, &recompute(&fs::read_to_string(&events).expect("just written")));
        let rules: BTreeSet<&str> = expected.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!(rules.len(), 7, "every condition is met: {rules:?}");
    }
}

#[test]
fn the_workload_of_the_benchmark() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let events = folder.path().join("events.jsonl");
    for (count, seed) in [(200_000, 7), (40_000, 11), (40_000, 1_234_567)] {
        generate(&events, count, seed);
        assert_detects(folder.path(), &events);
    }
}

#[test]
fn equal_times_bursts_and_the_very_ends_of_windows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let events = folder.path().join("events.jsonl");
    for seed in 1..=3 {
        fs::write(&events, hard_cases(seed)).expect("room");
        assert_detects(folder.path(), &events);
    }
}

#[test]
fn one_thread_and_three_write_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let events = folder.path().join("events.jsonl");
    fs::write(&events, hard_cases(4)).expect("room");
    let [one, three] = ["1", "3"].map(|threads| detect(folder.path(), &events, &["--threads", threads]));
    assert!(!one.alerts.is_empty());
    assert!(one.alerts == three.alerts, "the alerts of one and of three threads differ");
    assert_eq!((one.count("events"), one.count("late")), (three.count("events"), three.count("late")));
}

/// The bound is part of what the input means: under one bound the alerts are the same whatever the threads, and under a
/// smaller one states were forgotten.
#[test]
fn a_bound_on_memory_is_kept_to_whatever_the_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let events = folder.path().join("events.jsonl");
    // Twenty thousand phones, each asked for a code once, and one in sixteen of them six times more at the end.
    let phones = (0..20_000).chain((0..20_000).step_by(16).flat_map(|phone| [phone; 6]));
    let lines = phones.enumerate().map(|(n, phone)| {
        let at = format!("2026-11-01T10:00:{:02}.{:03}Z", n / 1_000, n % 1_000);
        let data = json!({"phone": format!("+2010{phone:08}"), "ip": format!("10.{}.{}.1", phone / 250, phone % 250), "purpose": "login"});
        let event =
            json!({"specversion": "1.0", "id": format!("{n:06}"), "source": "/t", "type": "auth.otp_requested", "time": at, "data": data});
        format!("{event}\n")
    });
    fs::write(&events, lines.collect::<String>()).expect("room");
    let runs = [&[][..], &["--memory", "16MiB"], &["--memory", "16777216", "--threads", "3"]];
    let [roomy, one, three] = runs.map(|arguments| detect(folder.path(), &events, arguments));
    assert_eq!((roomy.count("evicted"), roomy.count("alerts")), (0, 2_500), "the sixth code and the seventh");
    assert!(one.count("evicted") > 0 && one.count("alerts") < 2_500, "{}", one.summary);
    assert_eq!((one.count("evicted"), one.count("alerts")), (three.count("evicted"), three.count("alerts")));
    assert!(one.alerts == three.alerts, "the alerts of one and of three threads differ");
}
