//! How fast it is: `cargo test -p rasid-connectors --lib log::tests::throughput -- --ignored --nocapture`.

use std::time::Instant;

use super::*;
use crate::storage::Disk;

/// As long as an event of the contract.
const RECORD: &[u8] = br#"{"specversion":"1.0","id":"01JD8Z6Q1V9G","source":"/khidma/auth","type":"auth.otp_requested","time":"2026-11-21T10:00:00.123Z","subject":"user:u_42","data":{"user_id":"u_42","phone":"+201000000042","device_id":"d_9","ip":"156.160.1.9","purpose":"login","channel":"sms"}}"#;

#[test]
#[ignore = "measures; says nothing about right or wrong"]
#[expect(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "a stopwatch for the figures")]
fn figures() {
    for (size, total, sync) in [(100, 500_000, false), (1, 200_000, false), (100, 50_000, true), (1, 1_000, true)] {
        // Beside the build's output, since the temporary folder may be in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a temporary folder");
        let disk: Arc<dyn Storage> = Arc::new(Disk::open(folder.path()).expect("writable"));
        let keys = Keyring::open(Arc::clone(&disk), "keys", SECRET).expect("no keys yet");
        let (mut log, _) = LogWriter::open(Arc::clone(&disk), "log", keys.clone(), LogConfig::default()).expect("empty");
        let entries: Vec<Entry<'_>> = (0..size).map(|offset| event("fluvio:auth/0", offset, RECORD)).collect();
        let started = Instant::now();
        for _ in 0..total / size {
            log.append(NOW, &entries).expect("room");
            if sync {
                log.sync().expect("takes it");
            }
        }
        let wrote = started.elapsed();
        let started = Instant::now();
        let (mut reader, mut block, mut read) = (LogReader::open(disk, "log", keys, 1).expect("there"), Block::new(), 0);
        while reader.next(&mut block).expect("whole") {
            read += block.entries().filter(|(_, entry)| matches!(entry, Entry::Event { bytes, .. } if bytes.len() == RECORD.len())).count();
        }
        let took = started.elapsed();
        assert_eq!(read as u64, total);
        let rate = |elapsed: std::time::Duration| total as f64 / elapsed.as_secs_f64();
        eprintln!(
            "blocks of {size}, {}: appended {:.0}/s, read {:.0}/s, {} bytes an entry",
            if sync { "each synced" } else { "not synced" },
            rate(wrote),
            rate(took),
            log.bytes() / total
        );
    }
}
