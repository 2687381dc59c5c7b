//! What is synced survives every crash, nothing else appears, and no flipped bit goes unseen.

use super::*;
use proptest::prelude::*;

/// What the writer is told to do.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Sync,
    NextDay,
    /// With so many of the entries covered, percent.
    Retain(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(0_u8..120, 1..5).prop_map(Step::Append),
        3 => Just(Step::Sync),
        1 => Just(Step::NextDay),
        1 => (0_u64..=100).prop_map(Step::Retain),
    ]
}

/// A run over several crashes, and what must be found after each.
struct Run {
    disk: Memory,
    now_ms: i64,
    /// Text of every entry ever appended that may be there; entry i has position i + 1.
    appended: Vec<String>,
    /// How many of them must be.
    synced: usize,
    /// Ends of the blocks: a crash leaves whole blocks.
    ends: Vec<usize>,
    /// The least and most that retention may have dropped.
    covered: u64,
}

impl Run {
    /// Follows the steps until the power goes.
    fn steps(&mut self, log: &mut LogWriter, steps: &[Step]) -> Result<(), Error> {
        for step in steps {
            match step {
                Step::Append(lengths) => {
                    let from = self.appended.len();
                    let texts = lengths.iter().enumerate().map(|(index, length)| {
                        let text = format!("{} {}", from + index + 1, "x".repeat(usize::from(*length)));
                        text
                    });
                    self.appended.extend(texts);
                    self.ends.push(self.appended.len());
                    let entries: Vec<Entry<'_>> =
                        (from as u64 + 1..).zip(&self.appended[from..]).map(|(offset, text)| event("s", offset, text.as_bytes())).collect();
                    let positions = log.append(self.now_ms, &entries)?;
                    assert_eq!(positions, from as u64 + 1..self.appended.len() as u64 + 1);
                }
                Step::Sync => {
                    log.sync()?;
                    self.synced = self.appended.len();
                }
                Step::NextDay => self.now_ms += DAY_MS,
                Step::Retain(percent) => {
                    // Only what is durable is ever in a snapshot.
                    self.covered = self.covered.max(self.synced as u64 * percent / 100);
                    log.retain(self.now_ms, self.covered)?;
                }
            }
        }
        Ok(())
    }

    /// Opens after a crash, compares, and forgets what was lost.
    fn recover(&mut self, config: LogConfig) -> LogWriter {
        let (log, opened) = try_open(&self.disk, config).expect("no crash makes a log that is refused");
        let found = usize::try_from(opened.next).expect("small") - 1;
        assert!((self.synced..=self.appended.len()).contains(&found), "{found} of {} with {} synced", self.appended.len(), self.synced);
        assert!(found == 0 || self.ends.contains(&found), "{found} is inside of a block");
        assert!(opened.first <= self.covered + 1, "nothing uncovered is dropped");
        self.appended.truncate(found);
        self.ends.retain(|end| *end <= found);
        self.synced = found;
        let expected: Vec<_> = (1..).zip(self.appended.iter().cloned()).filter(|(position, _)| *position >= opened.first).collect();
        assert_eq!(read_all(&self.disk), expected);
        assert_eq!(opened.offsets.get("s").copied().unwrap_or(0), found as u64);
        log
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_synced_survives_every_crash_and_nothing_else_appears(
        rounds in proptest::collection::vec((proptest::collection::vec(step(), 1..25), 0_u64..60, any::<u64>()), 1..5),
    ) {
        let config = LogConfig { retention_ms: 2 * DAY_MS, ..SMALL };
        let mut run = Run { disk: Memory::new(), now_ms: NOW, appended: Vec::new(), synced: 0, ends: Vec::new(), covered: 0 };
        let mut log = run.recover(config);
        for (steps, after, seed) in &rounds {
            run.disk.inject(*after, Fault::Crash);
            let ended = run.steps(&mut log, steps);
            prop_assert!(ended.is_ok() || run.disk.is_down(), "{:?}", ended);
            drop(log);
            run.disk.crash(*seed);
            // Opening may be cut short too.
            run.disk.inject(seed % 4, Fault::Crash);
            let _unfinished = try_open(&run.disk, config).is_ok();
            run.disk.crash(seed.rotate_left(17));
            log = run.recover(config);
        }
    }
}

/// Three synced blocks in one segment, and where each begins; the last number is the file's length.
fn three_blocks() -> (Memory, Vec<u64>) {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, LogConfig::default());
    let mut ends = Vec::new();
    for text in ["one", "two", "three"] {
        put(&mut log, NOW, text);
        ends.push(disk.len(&segments(&disk)[0]).expect("listed"));
    }
    (disk, ends)
}

#[test]
fn a_tail_torn_at_any_byte_leaves_the_whole_blocks_before_it() {
    let (whole, ends) = three_blocks();
    let path = segments(&whole)[0].clone();
    let bytes = whole.read(&path).expect("listed");
    let header = ends[0] - (ends[1] - ends[0]);
    for length in 0..=ends[2] {
        for tail in [None, Some(0_u8), Some(0xa5)] {
            let disk = copy(&whole);
            let mut torn = bytes[..usize::try_from(length).expect("small")].to_vec();
            // A length that reached the disk before its bytes.
            torn.resize(torn.len() + tail.map_or(0, |_| 57), tail.unwrap_or(0));
            disk.replace(&path, &torn).expect("room");
            let before = ends.iter().filter(|end| **end <= length).count();
            let kept = if before == 0 { header } else { ends[before - 1] };
            if length < header && tail.is_some() {
                continue; // a header is put in place whole: no crash makes that, and it may be anybody's file
            }
            // Beside it nobody gets more, nor an error.
            if length >= header {
                let mut reader = reader(&disk, 1).expect("the header is whole");
                let mut block = Block::new();
                for _ in 0..before {
                    assert!(reader.next(&mut block).expect("whole"));
                }
                assert!(!reader.next(&mut block).expect("torn is not damaged"));
                assert_eq!(reader.rest().expect("readable"), torn.len() as u64 - kept);
            }
            let (mut log, opened) = open(&disk, LogConfig::default());
            assert_eq!(opened.next, before as u64 + 1, "cut at {length}");
            let cut = if length < header { torn.len() as u64 } else { torn.len() as u64 - kept };
            assert_eq!(opened.cut.as_ref().map_or(0, |cut| cut.bytes), cut, "cut at {length}");
            assert!(opened.cut.is_none_or(|cut| cut.position == opened.next && cut.path == path));
            assert_eq!(put(&mut log, NOW, "goes on"), opened.next);
            let texts: Vec<String> = read_all(&disk).into_iter().map(|(_, text)| text).collect();
            let expected: Vec<&str> = ["one", "two", "three"].into_iter().take(before).chain(["goes on"]).collect();
            assert_eq!(texts, expected, "cut at {length}");
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_told_and_nothing_wrong_is_read() {
    let whole = grown();
    let expected = read_all(&whole);
    let mut ways = BTreeMap::new();
    for path in whole.paths() {
        for offset in 0..whole.len(&path).expect("listed") {
            let disk = copy(&whole);
            assert!(disk.damage(&path, offset, 1 << (offset % 8)));
            let storage: Arc<dyn Storage> = Arc::new(disk.clone());
            let way = match Keyring::open(Arc::clone(&storage), "keys", SECRET) {
                Err(_) => "key",
                Ok(keys) => {
                    let (all, error) = match LogReader::oldest(Arc::clone(&storage), "log", keys.clone()) {
                        Ok(reader) => read(reader),
                        Err(error) => (Vec::new(), Some(error)),
                    };
                    assert!(expected.starts_with(&all), "{path} byte {offset}: what is read was written");
                    match (LogWriter::open(storage, "log", keys, SMALL), error) {
                        (Err(_), _) => "refused at opening",
                        (Ok((_, Opened { cut: Some(_), .. })), _) => "cut and told",
                        (Ok(_), Some(error)) => {
                            assert!(matches!(&error, Error::Damaged { path: told, .. } if *told == path), "{path} byte {offset}: {error}");
                            "refused at reading"
                        }
                        (Ok(_), None) => panic!("{path} byte {offset}: nobody says anything"),
                    }
                }
            };
            *ways.entry(way).or_insert(0) += 1;
        }
    }
    assert_eq!(ways.len(), 4, "{ways:?}");
}

#[test]
fn damage_that_a_whole_block_follows_is_refused_with_file_and_offset() {
    let (whole, ends) = three_blocks();
    let path = segments(&whole)[0].clone();
    let header = ends[0] - (ends[1] - ends[0]);
    for offset in header..ends[2] {
        let disk = copy(&whole);
        assert!(disk.damage(&path, offset, 0x10));
        let block = ends.iter().filter(|end| **end <= offset).count();
        let begins = if block == 0 { header } else { ends[block - 1] };
        match try_open(&disk, LogConfig::default()) {
            Err(Error::Damaged { path: told, offset: at, .. }) => assert_eq!((told, at), (path.clone(), begins), "byte {offset}"),
            Ok((_, opened)) => {
                assert_eq!((block, opened.cut.expect("told").offset), (2, begins), "only the last looks torn: byte {offset}");
            }
            Err(other) => panic!("byte {offset}: {other}"),
        }
    }
}

#[test]
fn blocks_that_were_never_durable_may_be_lost_in_the_middle() {
    let disk = Memory::new();
    let (mut log, _) = open(&disk, LogConfig::default());
    put(&mut log, NOW, "durable");
    let end = log.bytes();
    for text in ["torn", "whole, but after it"] {
        log.append(NOW, &[event("a", 0, text.as_bytes())]).expect("room");
    }
    // The second block's page was written back, the first one's was not.
    assert!(disk.damage(&segments(&disk)[0], end + 50, 0xff));
    assert_eq!(read(reader(&disk, 1).expect("there")).0.len(), 1);
    let (_, opened) = open(&disk, LogConfig::default());
    assert_eq!((opened.next, opened.cut.expect("told").offset), (2, end));
}

#[test]
fn what_a_killed_process_left_to_the_system_is_durable_once_opened() {
    for seed in 0..20 {
        let disk = Memory::new();
        let (mut log, _) = open(&disk, LogConfig::default());
        log.append(NOW, &[event("a", 7, b"written, not synced")]).expect("room");
        drop(log);
        assert_eq!(open(&disk, LogConfig::default()).1.offsets["a"], 7);
        disk.crash(seed);
        assert_eq!(read_all(&disk), [(1, "written, not synced".to_owned())], "seed {seed}");
    }
}
