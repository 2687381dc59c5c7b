//! Four partitions that grow while the service runs, each behind the clock by a time of its own, with all that real ones
//! bring: bursts, half lines, duplicates, records that are no events, files that are rotated.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rasid_detectors::event::time::format_rfc3339;
use tokio::task::JoinHandle;

use crate::service::{PATIENCE, POLL};

/// How far behind the clock each partition's events are, ms.
const LAGS_MS: [i64; 4] = [0, 300, 1_500, 8_000];
/// The partition that is written only now and then, and after how many rounds.
const BURSTS: (usize, u64) = (2, 35);
const ROUND: Duration = Duration::from_millis(20);
/// Where files are rotated, after how many rounds a partition goes on in another file, on average.
const ROTATION: u64 = 400;

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// The wall clock, Unix ms: the service stamps arrivals by its own.
#[expect(clippy::disallowed_methods, reason = "the events of a live service are of now")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}

/// Writers at work.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    /// How many rounds may be written.
    allowed: Arc<AtomicU64>,
    task: JoinHandle<u64>,
}

impl Traffic {
    /// Begins to write to the four files in `dir`. `world` keeps the entities of one traffic apart from another's.
    pub(crate) fn start(dir: &Path, seed: u64, world: &'static str) -> Self {
        Self::start_with(dir, seed, world, false)
    }

    /// The same, and now and then a partition goes on in a new file, which is moved into the folder.
    pub(crate) fn start_rotating(dir: &Path, seed: u64, world: &'static str) -> Self {
        Self::start_with(dir, seed, world, true)
    }

    fn start_with(dir: &Path, seed: u64, world: &'static str, rotates: bool) -> Self {
        let mut partitions: Vec<Partition> =
            LAGS_MS.iter().enumerate().map(|(number, lag_ms)| Partition::open(dir, number, *lag_ms, world)).collect();
        let mut random = Random(seed);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let rounds = Arc::new(AtomicU64::new(0));
        let written = Arc::clone(&rounds);
        let allowed = Arc::new(AtomicU64::new(u64::MAX));
        let end = Arc::clone(&allowed);
        let task = tokio::spawn(async move {
            let mut round = 0;
            while !stopped.load(Ordering::Relaxed) {
                if round >= end.load(Ordering::Relaxed) {
                    tokio::time::sleep(ROUND).await;
                    continue;
                }
                for partition in &mut partitions {
                    if rotates && random.once_in(ROTATION) {
                        partition.rotate(&mut random);
                    }
                    partition.write(round, &mut random);
                }
                round += 1;
                written.store(round, Ordering::Relaxed);
                tokio::time::sleep(ROUND).await;
            }
            partitions.into_iter().map(Partition::close).sum()
        });
        Self { stop, rounds, allowed, task }
    }

    /// Writes no more than `more` rounds from now, so that what is to be judged does not grow with the time that a busy
    /// machine takes.
    pub(crate) fn allow(&self, more: u64) {
        self.allowed.store(self.rounds.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    /// Waits until so many rounds are written, of some four lines each; at best 50 a second.
    pub(crate) async fn rounds(&self, count: u64) {
        let written = tokio::time::timeout(PATIENCE, async {
            while self.rounds.load(Ordering::Relaxed) < count {
                tokio::time::sleep(POLL).await;
            }
        });
        assert!(written.await.is_ok(), "{count} rounds are not written in {PATIENCE:?}");
    }

    /// Ends it, with whole lines; how many there are.
    pub(crate) async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("it does not panic")
    }
}

struct Partition {
    dir: PathBuf,
    /// Files before this one.
    rotated: u32,
    file: File,
    lines: Lines,
    /// Written, but not yet in the file.
    held_back: String,
}

impl Partition {
    fn open(dir: &Path, number: usize, lag_ms: i64, world: &'static str) -> Self {
        let path = dir.join(format!("partition-{number}.jsonl"));
        let file = OpenOptions::new().create(true).append(true).open(path).expect("a writable folder");
        Self { dir: dir.to_owned(), rotated: 0, file, lines: Lines::new(number, lag_ms, world), held_back: String::new() }
    }

    /// Ends the file with a whole line, and goes on in the next, which is begun outside the folder and moved in.
    fn rotate(&mut self, random: &mut Random) {
        let rest = std::mem::take(&mut self.held_back);
        self.append(&rest);
        self.rotated += 1;
        let name = format!("partition-{}.{:04}.jsonl", self.lines.number, self.rotated);
        let beside = self.dir.with_file_name(&name);
        self.file = File::create_new(&beside).expect("a writable folder");
        for _ in 0..random.below(3) {
            let line = self.lines.next(random);
            self.append(&line);
        }
        fs::rename(beside, self.dir.join(name)).expect("one file system");
    }

    fn write(&mut self, round: u64, random: &mut Random) {
        let (partition, every) = BURSTS;
        let lines = match self.lines.number == partition {
            true if !round.is_multiple_of(every) => 0,
            true => every,
            false => random.below(3),
        };
        let mut text = std::mem::take(&mut self.held_back);
        for _ in 0..lines {
            text.push_str(&self.lines.next(random));
        }
        if !text.is_empty() && random.once_in(8) {
            // ASCII, so that it can be cut anywhere.
            let cut = usize::try_from(random.below(text.len() as u64)).expect("small");
            self.held_back = text.split_off(cut);
        }
        self.append(&text);
    }

    fn append(&mut self, text: &str) {
        self.file.write_all(text.as_bytes()).expect("a writable file");
    }

    fn close(mut self) -> u64 {
        let rest = std::mem::take(&mut self.held_back);
        self.append(&rest);
        self.lines.count
    }
}

/// What one of many writers has to say: events about the same few entities, each line with its line end.
pub(crate) struct Lines {
    number: usize,
    lag_ms: i64,
    world: &'static str,
    /// Tells these lines' ids from those of writers before: what has the same id is a duplicate, and fires nothing.
    run: u64,
    count: u64,
    /// For duplicates.
    last: String,
}

impl Lines {
    /// Those of one writer, `lag_ms` behind the clock.
    pub(crate) fn new(number: usize, lag_ms: i64, world: &'static str) -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        Self { number, lag_ms, world, run: RUNS.fetch_add(1, Ordering::Relaxed), count: 0, last: String::new() }
    }

    pub(crate) fn next(&mut self, random: &mut Random) -> String {
        self.count += 1;
        if random.once_in(40) && !self.last.is_empty() {
            return self.last.clone();
        }
        let Self { number, world, run, count, .. } = *self;
        if random.once_in(60) {
            return format!("{{\"no\": \"event\", \"number\": {count}}}\n");
        }
        let who = random.below(12);
        let (kind, data) = match number % LAGS_MS.len() {
            0 => ("auth.otp_requested", format!("\"phone\":\"+2010{world}00000{who:02}\",\"ip\":\"192.0.2.{who}\",\"purpose\":\"login\"")),
            1 => ("auth.login_failed", format!("\"user_id\":\"u_{world}_{who}\",\"ip\":\"192.0.2.{who}\"")),
            2 => (
                "chat.message",
                format!(
                    "\"conversation_id\":\"c_{who}\",\"sender_id\":\"u_{world}_{who}\",\"recipient_id\":\"u_0\",\"text\":\"hello there\""
                ),
            ),
            _ => (
                "payment.refund_requested",
                format!(
                    "\"payment_id\":\"p_{who}\",\"user_id\":\"u_{world}_{who}\",\"amount\":100,\"currency\":\"EGP\",\"method\":\"card\""
                ),
            ),
        };
        let kind = if random.once_in(60) { "marketplace.unheard_of" } else { kind };
        let time = format_rfc3339(now_ms() - self.lag_ms);
        self.last = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{world}-{run}-{count}\",\"source\":\"/live/{number}\",\"type\":\"{kind}\",\"time\":\"{time}\",\"data\":{{{data}}}}}\n"
        );
        self.last.clone()
    }
}
