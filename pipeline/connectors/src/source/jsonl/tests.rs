use std::io::{Cursor, Write as _};
use std::sync::mpsc::sync_channel;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const SMALL: Limits = Limits { bytes_max: 64, lines_max: 3, line_bytes_max: 1000 };

/// Gives its bytes in pieces of the given lengths, over and over.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    lengths: Vec<usize>,
    next: usize,
}

impl Read for Pieces {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let piece = self.lengths[self.next % self.lengths.len()].min(room.len());
        self.next += 1;
        if self.next.is_multiple_of(7) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.bytes.read(&mut room[..piece])
    }
}

type Lines = Vec<(Vec<u8>, Option<u64>)>;

fn drain(mut source: JsonLines) -> Result<Lines, (Lines, Error)> {
    let (mut lines, mut batch) = (Vec::new(), Batch::new());
    loop {
        match source.next_batch(&mut batch) {
            Ok(true) => {
                assert!(!batch.is_empty());
                assert!(batch.len() <= source.limits.lines_max.max(1));
                assert_eq!(batch.iter().count(), batch.lines().len());
                lines.extend((0..batch.len()).map(|index| (batch.get(index).expect("counted").to_vec(), batch.cut(index))));
            }
            Ok(false) => {
                assert!(batch.is_empty() && batch.bytes().is_empty());
                assert!(matches!(source.next_batch(&mut batch), Ok(false)), "the end stays the end");
                return Ok(lines);
            }
            Err(error) => {
                assert!(matches!(source.next_batch(&mut batch), Ok(false)), "an error is the end");
                return Err((lines, error));
            }
        }
    }
}

fn lines_of(bytes: &[u8], limits: Limits) -> Lines {
    drain(JsonLines::new("memory", Cursor::new(bytes.to_vec()), limits)).expect("memory does not fail")
}

fn whole_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = lines_of(bytes, SMALL);
    assert!(lines.iter().all(|(_, cut)| cut.is_none()));
    lines.into_iter().map(|(line, _)| line).collect()
}

/// What the module's header says, in the plainest way.
fn expected(bytes: &[u8], line_bytes_max: usize) -> Lines {
    let mut rest = bytes;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let line = match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                let line = &rest[..end];
                rest = &rest[end + 1..];
                line.strip_suffix(b"\r").unwrap_or(line)
            }
            None => std::mem::take(&mut rest),
        };
        let cut = (line.len() > line_bytes_max).then_some(line.len() as u64);
        lines.push((line[..line.len().min(line_bytes_max)].to_vec(), cut));
    }
    lines
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

#[rstest]
#[case::empty_input(b"", b"")]
#[case::one_line(b"a\n", b"a|")]
#[case::no_final_newline(b"a\nb", b"a|b|")]
#[case::one_byte(b"a", b"a|")]
#[case::an_empty_line_is_a_record(b"\n", b"|")]
#[case::empty_lines_between(b"a\n\n\nb\n", b"a|||b|")]
#[case::windows_line_ends(b"a\r\nb\r\n", b"a|b|")]
#[case::an_empty_windows_line(b"\r\n", b"|")]
#[case::a_carriage_return_elsewhere_stays(b"a\rb\r\r\nc\r", b"a\rb\r|c\r|")]
#[case::nul(b"\0\n\0\0\na\0b\n", b"\0|\0\0|a\0b|")]
#[case::byte_order_mark_goes(b"\xEF\xBB\xBF{}\n\xEF\xBB\xBF{}\n", b"{}|\xEF\xBB\xBF{}|")]
#[case::half_a_mark_stays(b"\xEF\xBB{}\n", b"\xEF\xBB{}|")]
#[case::a_mark_alone(b"\xEF\xBB\xBF", b"")]
#[case::almost_refused(b"BZip\nPKZ\n\xfd7\n", b"BZip|PKZ|\xfd7|")]
#[case::no_utf8(b"\xFF\xFE\n\x1f\n", b"\xFF\xFE|\x1f|")]
#[case::almost_compressed(b"\x28\xb5\n\x2f", b"\x28\xb5|\x2f|")]
fn lines(#[case] bytes: &[u8], #[case] each_ended_by_a_bar: &[u8]) {
    let lines: Vec<u8> = whole_lines(bytes).into_iter().flat_map(|line| [line, b"|".to_vec()].concat()).collect();
    assert_eq!(lines, each_ended_by_a_bar);
}

#[rstest]
#[case::just_below(9, "\n", None)]
#[case::at_the_bound(10, "\n", None)]
#[case::just_above(11, "\n", Some(11))]
#[case::far_above(5_000, "\n", Some(5_000))]
#[case::at_the_bound_windows(10, "\r\n", None)]
#[case::just_above_windows(11, "\r\n", Some(11))]
#[case::far_above_windows(5_000, "\r\n", Some(5_000))]
#[case::at_the_bound_unended(10, "", None)]
#[case::just_above_unended(11, "", Some(11))]
#[case::far_above_unended(5_000, "", Some(5_000))]
fn a_line_is_cut_at_the_bound(#[case] length: usize, #[case] end: &str, #[case] cut: Option<u64>) {
    let limits = Limits { line_bytes_max: 10, ..SMALL };
    let line = "x".repeat(length);
    let next = if end.is_empty() { "" } else { "next\n" };
    let mut expected = vec![(vec![b'x'; length.min(10)], cut)];
    expected.extend((!next.is_empty()).then(|| (b"next".to_vec(), None)));
    assert_eq!(lines_of(format!("{line}{end}{next}").as_bytes(), limits), expected);
}

#[test]
fn a_line_of_20_mb_costs_no_more_than_the_bound() {
    let mut bytes = b"before\n".to_vec();
    bytes.resize(bytes.len() + 20_000_000, b'x');
    bytes.extend_from_slice(b"\nafter\n");
    let mut source = JsonLines::new("memory", Cursor::new(bytes), Limits::default());
    let mut batch = Batch::new();
    let mut seen = Vec::new();
    while source.next_batch(&mut batch).expect("memory does not fail") {
        seen.extend((0..batch.len()).map(|index| (batch.get(index).map(<[u8]>::len), batch.cut(index))));
        assert!(batch.bytes.len() <= (16 << 20) + (2 << 20), "{} bytes held", batch.bytes.len());
        assert!(source.rest.len() <= 1 << 20);
    }
    assert_eq!(seen, [(Some(6), None), (Some(16 << 20), Some(20_000_000)), (Some(5), None)]);
}

#[rstest]
#[case::plain(<[u8]>::to_vec)]
#[case::gz(gzip)]
#[case::zst(zstandard)]
fn compression_changes_nothing(#[case] pack: fn(&[u8]) -> Vec<u8>) {
    let text: Vec<u8> = (0..20_000).flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes()).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("misleading.txt"); // the name tells nothing
    std::fs::write(&path, pack(&text)).expect("writable");
    let source = JsonLines::open(path.to_str().expect("UTF-8")).expect("it is there");
    assert_eq!(drain(source).expect("whole"), expected(&text, usize::MAX));
    let empty = JsonLines::new("memory", Cursor::new(pack(b"")), SMALL);
    assert_eq!(drain(empty).expect("whole"), []);
}

#[rstest]
#[case::gz(gzip, vec![])]
#[case::zst(zstandard, vec![])]
#[case::behind_a_skippable_frame(zstandard, vec![0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4])]
fn several_members_are_one_input(#[case] pack: fn(&[u8]) -> Vec<u8>, #[case] mut bytes: Vec<u8>) {
    bytes.extend(pack(b"a\nb"));
    bytes.extend(pack(b"c\n"));
    bytes.extend(pack(b""));
    bytes.extend(pack(b"d"));
    assert_eq!(whole_lines(&bytes), [b"a".to_vec(), b"bc".to_vec(), b"d".to_vec()]);
}

#[rstest]
#[case::gz("gzip", gzip)]
#[case::zst("zstd", zstandard)]
fn a_file_cut_off_gives_its_whole_lines_and_then_the_error(#[case] name: &str, #[case] pack: fn(&[u8]) -> Vec<u8>) {
    // Digits that do not compress, so that half of the bytes is about half of the lines.
    let text: Vec<u8> = (0..200_000_u64).flat_map(|n| format!("{}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into_bytes()).collect();
    let mut bytes = pack(&text);
    bytes.truncate(bytes.len() / 2);
    let (lines, error) = drain(JsonLines::new("memory", Cursor::new(bytes), Limits::default())).expect_err("it is cut off");
    assert!(matches!(error, Error::Corrupt { format, .. } if format == name), "{error:?}");
    assert_eq!(error.disposition(), crate::Disposition::Halt);
    assert!(lines.len() > 50_000, "{}", lines.len());
    assert_eq!(lines, expected(&text, usize::MAX)[..lines.len()]);
}

#[test]
fn faults_of_the_system_name_the_file() {
    let error = JsonLines::open("/nowhere/events.jsonl").err().expect("it is not there");
    assert_eq!(error.to_string(), "cannot open /nowhere/events.jsonl");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = JsonLines::open(folder.path().to_str().expect("UTF-8")).expect("folders open");
    let (lines, error) = drain(source).expect_err("but are not read");
    assert!(lines.is_empty() && matches!(error, Error::Read { .. }), "{error:?}");
}

#[test]
fn a_lone_line_does_not_wait_for_more() {
    /// A pipe: blocks until there is something, and ends when the sender goes.
    struct Pipe(std::sync::mpsc::Receiver<Vec<u8>>, Vec<u8>);
    impl Read for Pipe {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if self.1.is_empty() {
                let Ok(bytes) = self.0.recv() else { return Ok(0) };
                self.1 = bytes;
            }
            let length = room.len().min(self.1.len());
            room[..length].copy_from_slice(&self.1[..length]);
            self.1.drain(..length);
            Ok(length)
        }
    }
    let (sender, receiver) = sync_channel(8);
    let mut source = JsonLines::new("pipe", Pipe(receiver, Vec::new()), Limits::default());
    let mut batch = Batch::new();
    // The sender stays here, so that waiting for more than was sent would wait for ever.
    for line in ["\n", "{\"lone\":1}\n", "P\n"] {
        sender.send(line.as_bytes().to_vec()).expect("the source listens");
        assert!(source.next_batch(&mut batch).expect("a pipe does not fail"));
        assert_eq!(batch.iter().collect::<Vec<_>>(), [line.trim_end().as_bytes()]);
    }
    sender.send(b"{\"half\"".to_vec()).expect("the source listens");
    sender.send(b":1}\nx".to_vec()).expect("the source listens");
    assert!(source.next_batch(&mut batch).expect("a pipe does not fail"));
    assert_eq!(batch.iter().collect::<Vec<_>>(), [b"{\"half\":1}".as_slice()]);
    drop(sender);
    assert!(source.next_batch(&mut batch).expect("a pipe does not fail"));
    assert_eq!(batch.iter().collect::<Vec<_>>(), [b"x".as_slice()]);
    assert!(!source.next_batch(&mut batch).expect("a pipe does not fail"));
}

/// Text in which line ends of every kind, and the bounds around them, are frequent.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\n".to_vec()),
        3 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\0".to_vec()),
        4 => prop::collection::vec(b'a'..=b'c', 0..12),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(Just(b'x'), 60..200),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn however_reads_fall_the_lines_are_the_same(
        text in text(),
        lengths in prop::collection::vec(1_usize..50, 1..8),
        bytes_max in 1_usize..200,
        lines_max in 1_usize..10,
        line_bytes_max in 1_usize..100,
    ) {
        // Text that would pass for compressed is another test's matter.
        prop_assume!(text.first().is_none_or(|byte| !matches!(byte, 0x1f | 0x28 | 0x50..=0x5f)));
        let limits = Limits { bytes_max, lines_max, line_bytes_max };
        let want = expected(&text, line_bytes_max);
        for bytes in [text.clone(), gzip(&text), zstandard(&text)] {
            let pieces = Pieces { bytes: Cursor::new(bytes), lengths: lengths.clone(), next: 0 };
            let got = drain(JsonLines::new("pieces", pieces, limits)).map_err(|(_, error)| error);
            prop_assert_eq!(got.expect("memory does not fail"), want.clone());
        }
    }
}

#[test]
fn nul_bytes_behind_a_gzip_member_are_its_end() {
    let padded = |between: &[u8], zeros: usize| [gzip(b"\xEF\xBB\xBFa\nb\n"), between.to_vec(), vec![0; zeros]].concat();
    for zeros in [0, 1, 512, 300_000] {
        assert_eq!(whole_lines(&padded(&gzip(b"c\n"), zeros)), [b"a", b"b", b"c"], "{zeros}");
    }
    let (lines, error) =
        drain(JsonLines::new("memory", Cursor::new([padded(b"", 20), gzip(b"c\n")].concat()), SMALL)).expect_err("an error");
    assert_eq!(lines.len(), 2);
    assert!(matches!(error, Error::Corrupt { format: "gzip", .. }), "{error}");
}

#[rstest]
#[case::xz(b"\xfd7zXZ\0\0\x04", "it is xz data")]
#[case::bzip2(b"BZh91AY&SY", "it is bzip2 data")]
#[case::zip(b"PK\x03\x04\x14\0", "it is zip data")]
fn what_is_compressed_otherwise_is_refused_by_name(#[case] bytes: &[u8], #[case] part: &str) {
    let (lines, error) = drain(JsonLines::new("memory", Cursor::new(bytes.to_vec()), SMALL)).expect_err("an error");
    let Error::Read { source, .. } = error else { panic!("{error}") };
    assert!(lines.is_empty() && source.to_string().starts_with(part), "{source}");
}
