//! What a commit costs, on the disk that `TMPDIR` is on:
//! `cargo test -p rasid-connectors --lib outbox::measure -- --ignored --nocapture`
//!
//! 2026-11-22, two busy cores, ext4, dev profile; as many items settled as put in, 100,000 more waiting:
//!
//! ```text
//! items a commit         1            100           1000    median (p99), ms
//! one phase       4.0 (14)       3.8 (12)        19 (46)    opened after a kill in 35 ms, 16 MiB
//! two phases      7.9 (14)       9.1 (20)        34 (74)    39 ms
//! quick repair    8.0 (17)        11 (18)        28 (58)    36 ms
//! ```

use std::fs;
use std::time::{Duration, Instant};

use super::tests::{alert, item, score};
use super::*;

#[expect(clippy::disallowed_methods, reason = "a measurement is of the clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = work();
    (start.elapsed(), value)
}

type Setting = fn(&mut redb::WriteTransaction);

fn median(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

#[test]
#[ignore = "a measurement: run by hand, on a quiet machine"]
fn commit_and_recovery() {
    let phases: [(&str, Setting); 3] = [
        ("one phase", |_| ()),
        ("two phases", |write| write.set_two_phase_commit(true)),
        ("quick repair", |write| write.set_quick_repair(true)),
    ];
    for waiting in [0_u64, 100_000] {
        for (name, phase) in phases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("outbox.redb");
            let outbox = Outbox::open(&path).unwrap();
            for start in (0..waiting).step_by(10_000) {
                let position = outbox.position() + 1;
                let items: Vec<_> = (start..start + 10_000).map(|n| item("core", position, alert(n))).collect();
                outbox.commit(Commit { position, items: &items, ..Commit::default() }).unwrap();
            }
            for size in [1_u64, 100, 1000] {
                let mut times = Vec::new();
                for _ in 0..100 {
                    let position = outbox.position() + 1;
                    let body = |n: u64| {
                        if n.is_multiple_of(2) { alert(n) } else { score(&format!("user:u_{n}"), i64::try_from(position).unwrap()) }
                    };
                    let items: Vec<_> = (0..size).map(|n| item("core", position, body(n))).collect();
                    let oldest: Vec<_> = outbox.pending("core", 0, items.len()).unwrap();
                    let settled: Vec<_> = oldest
                        .into_iter()
                        .map(|item| Settled { sink: item.sink, seq: item.seq, fate: crate::effect::Fate::Delivered })
                        .collect();
                    let commit = Commit { position, items: &items, settled: &settled, ..Commit::default() };
                    let (time, ()) = timed(|| {
                        let mut kept = outbox.kept();
                        let mut write = outbox.database().unwrap().begin_write().unwrap();
                        phase(&mut write);
                        commit::apply(&write, &mut kept, commit).unwrap();
                        write.commit().unwrap();
                        *outbox.kept.write().unwrap() = kept;
                    });
                    times.push(time);
                }
                let (median, p99) = median(times);
                eprintln!("{waiting:>7} waiting  {name:<12} {size:>5} items a commit  median {median:>9.2?}  p99 {p99:>9.2?}");
            }
            // As a process that was killed leaves it.
            let killed = folder.path().join("killed.redb");
            fs::copy(&path, &killed).unwrap();
            let length = fs::metadata(&killed).unwrap().len() >> 20;
            let (time, recovered) = timed(|| Outbox::open(&killed).unwrap());
            assert_eq!(recovered.position(), outbox.position());
            eprintln!("{waiting:>7} waiting  {name:<12} opened after a kill in {time:.2?}, {length} MiB");
        }
    }
}
