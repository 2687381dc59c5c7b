//! What the generators share: running the detector, drawing, the split into two parts, the tables.

use std::collections::BTreeMap;

use rasid_detectors::chat::contact_leak::{ContactLeak, Params, Pieces};
use rasid_detectors::entity::KeyHasher;
use rasid_detectors::event::chat::ChatMessage;
use rasid_detectors::event::text::{ConversationId, FreeText, UserId};
use rasid_detectors::event::units::Timestamp;
use rasid_detectors::event::{Data, Event};
use rasid_detectors::operator::{Fact, Operator, Setup};
use rasid_detectors::value::OwnedValue;

/// What the detector says of one message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) kind: String,
    pub(crate) strength: f64,
    pub(crate) disguise: String,
    pub(crate) messages: i64,
    pub(crate) evidence: String,
    pub(crate) direction: String,
    pub(crate) start: usize,
    pub(crate) length: usize,
    pub(crate) tricks: String,
    pub(crate) tries: i64,
    pub(crate) cut: bool,
}

impl Found {
    /// The characters of a message that were found.
    pub(crate) fn of(&self, text: &str) -> String {
        text.chars().skip(self.start).take(self.length).collect()
    }
}

/// Runs the detector on messages of one key.
pub(crate) struct Sender {
    setup: Setup<Params>,
    hasher: KeyHasher,
    state: Pieces,
}

impl Sender {
    pub(crate) fn new() -> Self {
        let setup = Setup { window_ms: 0, offset_ms: 0, of: None, params: Params::default() };
        Self { setup, hasher: KeyHasher::new([7; 16]), state: Pieces::default() }
    }

    /// What is said of its next message, written `at_s` seconds after some instant.
    pub(crate) fn writes(&mut self, text: &str, at_s: i64) -> Option<Found> {
        let event = Event {
            id: "1".into(),
            source: "s".into(),
            time: Timestamp::from_millis(1_700_000_000_000 + at_s * 1000),
            received: None,
            data: Data::ChatMessage(Box::new(ChatMessage {
                conversation_id: ConversationId::new("c_1"),
                sender_id: UserId::new("u_1"),
                recipient_id: UserId::new("u_2"),
                text: FreeText::new(text).into(),
                booking_id: None,
                booking_status: None,
                media: None,
            })),
        };
        let fact = Fact {
            event: &event,
            at_ms: event.clock(),
            clock_ms: event.clock(),
            record: &[],
            identity: 0,
            of: None,
            amount: None,
            known_key: None,
            firing: None,
            above: false,
            below: false,
            steps: 0,
            hasher: &self.hasher,
        };
        let signal = ContactLeak::feed(&self.setup, &fact, &mut self.state)?;
        let text = |index| match signal.get(index) {
            Some(OwnedValue::Str(text)) => text.to_string(),
            other => panic!("unexpected {other:?}"),
        };
        let number = |index| match signal.get(index) {
            Some(OwnedValue::Int(number)) => *number,
            other => panic!("unexpected {other:?}"),
        };
        let (Some(OwnedValue::Double(strength)), Some(OwnedValue::Bool(cut))) = (signal.get(1), signal.get(10)) else {
            panic!("unexpected {signal:?}")
        };
        let place = |index| usize::try_from(number(index)).expect("a place in the text");
        Some(Found {
            kind: text(0),
            strength: *strength,
            disguise: text(2),
            messages: number(3),
            evidence: text(4),
            direction: text(5),
            start: place(6),
            length: place(7),
            tricks: text(8),
            tries: number(9),
            cut: *cut,
        })
    }
}

/// What is said of one message alone.
pub(crate) fn found(text: &str) -> Option<Found> {
    Sender::new().writes(text, 0)
}

/// A stable hash of a text: FNV-1a with a last mixing.
pub(crate) fn hash(text: &str) -> u64 {
    let hash = text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    mixed(hash)
}

/// Whether one of `parts` texts is kept out of tuning.
pub(crate) fn kept_out(text: &str, parts: u64) -> bool {
    hash(text).is_multiple_of(parts)
}

fn mixed(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// The seed of a run: `RASID_SEED`, else a fixed one.
pub(crate) fn seed() -> u64 {
    std::env::var("RASID_SEED").map_or(1, |text| text.parse().expect("RASID_SEED is a number"))
}

/// Draws: `SplitMix64`.
pub(crate) struct Rng(u64);

impl Rng {
    /// One stream a seed and name.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ hash(name))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// 0 to `bound` − 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).expect("a small bound")).expect("below a usize")
    }

    /// `first` to `last`.
    pub(crate) fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// The same, of what is copied.
    pub(crate) fn one<T: Copy>(&mut self, from: &[T]) -> T {
        *self.pick(from)
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// So many random digits.
    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).expect("a digit"))).collect()
    }
}

/// A sentence with a `{}`.
pub(crate) struct Carrier {
    pub(crate) language: &'static str,
    pub(crate) text: &'static str,
    /// Not looked at in tuning.
    pub(crate) kept_out: bool,
}

impl Carrier {
    pub(crate) fn with(&self, what: &str) -> String {
        self.text.replace("\\n", "\n").replace("{}", what)
    }
}

/// The sentences of a file of two columns, language and text; lines that begin with `#` say what it is.
pub(crate) fn carriers(file: &'static str) -> Vec<Carrier> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let carriers: Vec<Carrier> = lines
        .map(|line| {
            let (language, text) = line.split_once('\t').unwrap_or_else(|| panic!("no tab in {line}"));
            assert!(matches!(language, "arabic" | "franco" | "english") && text.contains("{}"), "{line}");
            Carrier { language, text, kept_out: kept_out(text, 3) }
        })
        .collect();
    for language in ["arabic", "franco", "english"] {
        assert!(carriers.iter().any(|carrier| carrier.language == language && carrier.kept_out), "none of {language} is kept out");
    }
    carriers
}

/// Hits of tries, of both parts.
#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<String, [(u32, u32); 2]>,
    failures: Vec<String>,
}

impl Table {
    /// Counts one try; of the part that tuning may look at, a try that went wrong is kept to be shown.
    pub(crate) fn count(&mut self, row: &str, kept_out: bool, hit: bool, wrong: bool, shown: impl FnOnce() -> String) {
        let (hits, tries) = &mut self.rows.entry(row.to_owned()).or_default()[usize::from(kept_out)];
        *tries += 1;
        *hits += u32::from(hit);
        if wrong && !kept_out {
            self.failures.push(format!("{row}: {}", shown()));
        }
    }

    /// Per cent of hits of a part, and how many tries it had.
    pub(crate) fn share(&self, row: &str, kept_out: bool) -> (f64, u32) {
        let (hits, tries) = self.rows.get(row).map_or((0, 0), |parts| parts[usize::from(kept_out)]);
        (100.0 * f64::from(hits) / f64::from(tries.max(1)), tries)
    }

    /// The same of both parts together.
    pub(crate) fn of_both(&self, row: &str) -> f64 {
        let parts = self.rows.get(row).copied().unwrap_or_default();
        let (hits, tries) = (parts[0].0 + parts[1].0, parts[0].1 + parts[1].1);
        100.0 * f64::from(hits) / f64::from(tries.max(1))
    }

    /// The same over all rows.
    pub(crate) fn total(&self, kept_out: bool) -> (f64, u32) {
        let parts = self.rows.values().map(|parts| parts[usize::from(kept_out)]);
        let (hits, tries) = parts.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        (100.0 * f64::from(hits) / f64::from(tries.max(1)), tries)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// Prints both parts of every row, and some of what went wrong in tuning.
    pub(crate) fn print(&self, name: &str, failures_a_row: usize) {
        println!("{name}: per cent of tries, tuning and kept out");
        for row in self.rows.keys() {
            let ((tuned, n), (kept, m)) = (self.share(row, false), self.share(row, true));
            println!("  {row:32} {tuned:6.2} of {n:5}   {kept:6.2} of {m:5}");
        }
        let ((tuned, n), (kept, m)) = (self.total(false), self.total(true));
        println!("  {:32} {tuned:6.2} of {n:5}   {kept:6.2} of {m:5}", "all");
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        for failure in &self.failures {
            let count = shown.entry(failure.split(':').next().unwrap_or_default()).or_default();
            *count += 1;
            if *count <= failures_a_row {
                println!("    {failure}");
            }
        }
    }
}

#[test]
fn the_detector_is_the_one_that_is_meant() {
    assert_eq!(found("my number is 01012345642").map(|found| found.evidence).as_deref(), Some("+20 10•• ••• •42"));
    assert_eq!(found("see you at ten"), None);
}
