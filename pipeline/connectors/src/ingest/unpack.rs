//! Compressed bodies of known senders, unpacked piece by piece so that no bomb takes more than it may.

use std::io::{ErrorKind, Read};

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::media::Encoding;
use super::problem::Problem;

/// Bytes that are unpacked before room for more is asked for.
const PIECE: usize = 64 << 10;
/// Largest window of a zstd frame, as a power of two: 8 MiB, which RFC 9659 has for HTTP. It is memory beside the body.
const WINDOW_LOG_MAX: u32 = 23;

/// What a body holds. `room` is asked before more bytes are kept, and refuses where there is none.
pub(super) fn unpacked(
    encoding: Encoding,
    packed: &[u8],
    bytes_max: usize,
    mut room: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Vec<u8>, Problem> {
    let invalid = || Problem::Invalid { why: format!("the body cannot be unpacked as {}", encoding.name()) };
    let mut reader: Box<dyn Read> = match encoding {
        Encoding::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Encoding::Zstd => {
            let mut decoder = ZstdDecoder::with_buffer(packed).map_err(|_| invalid())?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(|_| invalid())?;
            Box::new(decoder)
        }
    };
    let (mut bytes, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        let read = match reader.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(invalid()),
        };
        if bytes.len() + read > bytes_max {
            return Err(Problem::TooLarge { what: "bytes when unpacked", max: bytes_max });
        }
        room(read)?;
        bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::ingest::problem::Busy;
    use rstest::rstest;

    fn packed(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                encoder.write_all(bytes).expect("in memory");
                encoder.finish().expect("in memory")
            }
            Encoding::Zstd => zstd::encode_all(bytes, 3).expect("in memory"),
        }
    }

    #[rstest]
    fn what_was_packed_comes_out_and_takes_room(#[values(Encoding::Gzip, Encoding::Zstd)] encoding: Encoding) {
        let text = "an event\n".repeat(30_000).into_bytes();
        let mut taken = 0;
        let found = unpacked(encoding, &packed(encoding, &text), text.len(), |more| {
            assert!(more <= PIECE);
            taken += more;
            Ok(())
        });
        assert!(found.as_ref() == Ok(&text), "all of it");
        assert_eq!(taken, text.len());
        // Several members or frames are one text.
        let parts = [packed(encoding, b"one\n"), packed(encoding, b""), packed(encoding, b"two\n")].concat();
        assert_eq!(unpacked(encoding, &parts, 100, |_| Ok(())), Ok(b"one\ntwo\n".to_vec()));
    }

    #[rstest]
    fn a_bomb_is_left_where_it_is_too_large(#[values(Encoding::Gzip, Encoding::Zstd)] encoding: Encoding) {
        let bomb = packed(encoding, &vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        let mut taken = 0;
        let found = unpacked(encoding, &bomb, 1 << 20, |more| {
            taken += more;
            Ok(())
        });
        assert_eq!(found, Err(Problem::TooLarge { what: "bytes when unpacked", max: 1 << 20 }));
        assert!(taken <= 1 << 20);
        let full = || Err(Problem::Busy(Busy::Memory));
        assert_eq!(unpacked(encoding, &bomb, usize::MAX, |_| full()), Err(Problem::Busy(Busy::Memory)), "no room");
    }

    #[rstest]
    fn what_is_cut_or_is_something_else_is_refused(#[values(Encoding::Gzip, Encoding::Zstd)] encoding: Encoding) {
        let whole = packed(encoding, "an event\n".repeat(1000).as_bytes());
        let other = if encoding == Encoding::Gzip { Encoding::Zstd } else { Encoding::Gzip };
        for bad in [&whole[..whole.len() - 3], &whole[..5], b"{}", &packed(other, b"{}"), &[&whole[..], b"and more"].concat()] {
            let found = unpacked(encoding, bad, 1 << 20, |_| Ok(()));
            assert!(matches!(found, Err(Problem::Invalid { .. })), "{found:?}");
        }
    }

    /// A frame of a few bytes may ask for a window of gigabytes.
    #[test]
    fn a_window_is_bounded() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("in memory");
        encoder.window_log(27).expect("a window");
        encoder.write_all(&[b'x'; 1000]).expect("in memory");
        let frame = encoder.finish().expect("in memory");
        let found = unpacked(Encoding::Zstd, &frame, 1 << 20, |_| Ok(()));
        assert!(matches!(found, Err(Problem::Invalid { .. })), "{:?}", found.map(|bytes| bytes.len()));
    }
}
