//! Parts bytes into lines with the offset behind each. Sans-IO.

use super::SourceRecord;
use super::jsonl::MARK;

/// Lines of one stream of bytes, however it is cut into pieces.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come yet, cut at `line_bytes_max` and one.
    carry: Vec<u8>,
    /// How long that line is so far.
    length: u64,
    /// Its last byte so far, kept or not.
    last: Option<u8>,
    /// The offset behind all that came.
    offset: u64,
    /// No line of the text has ended yet: a byte order mark may stand before it.
    first: bool,
    line_bytes_max: usize,
}

/// A line that is longer than a line may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutLine {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Lines {
    /// The first byte to come lies at `offset`.
    pub(crate) fn new(offset: u64, line_bytes_max: usize) -> Self {
        Self { carry: Vec::new(), length: 0, last: None, offset, first: offset == 0, line_bytes_max }
    }

    /// The same, and a text begins there, whatever the offset.
    pub(crate) fn of_text(offset: u64, line_bytes_max: usize) -> Self {
        Self { first: true, ..Self::new(offset, line_bytes_max) }
    }

    /// The offset behind all that came, whole lines or not.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next bytes; adds the lines that they end to `records` and those among them that were cut to `cuts`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], records: &mut Vec<SourceRecord>, cuts: &mut Vec<CutLine>) {
        while let Some(newline) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(newline);
            bytes = rest.get(1..).unwrap_or_default();
            self.extend(line);
            self.offset += 1;
            records.push(self.end(cuts));
        }
        self.extend(bytes);
    }

    /// There is nothing more: what came of a last line without its end is a record too.
    pub(crate) fn finish(&mut self, cuts: &mut Vec<CutLine>) -> Option<SourceRecord> {
        (self.length > 0).then(|| {
            self.last = None; // a `\r` is a line end only before a `\n`
            self.end(cuts)
        })
    }

    fn extend(&mut self, bytes: &[u8]) {
        // One more than may stay, which may turn out to be the `\r` of the line end.
        let room = (self.line_bytes_max + 1).saturating_sub(self.carry.len());
        self.carry.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        self.length += bytes.len() as u64;
        self.offset += bytes.len() as u64;
        self.last = bytes.last().copied().or(self.last);
    }

    fn end(&mut self, cuts: &mut Vec<CutLine>) -> SourceRecord {
        let mut bytes = std::mem::take(&mut self.carry);
        let mut length = std::mem::take(&mut self.length);
        if self.last.take() == Some(b'\r') {
            length -= 1;
        }
        if std::mem::take(&mut self.first) && bytes.starts_with(MARK) {
            bytes.drain(..MARK.len());
            length -= MARK.len() as u64;
        }
        let kept = length.min(self.line_bytes_max as u64);
        bytes.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        if kept < length {
            cuts.push(CutLine { offset: self.offset, length });
        }
        SourceRecord { offset: self.offset, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8], line_bytes_max: usize) -> (Vec<(u64, Vec<u8>)>, Vec<CutLine>) {
        let (mut offset, mut lines, mut cuts) = (0_u64, Vec::new(), Vec::new());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            offset += line.len() as u64;
            let text = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            if text.len() > line_bytes_max {
                cuts.push(CutLine { offset, length: text.len() as u64 });
            }
            lines.push((offset, text[..text.len().min(line_bytes_max)].to_vec()));
        }
        (lines, cuts)
    }

    #[test]
    fn a_byte_order_mark_before_the_text_is_none_of_it() {
        let mut lines = Lines::of_text(1000, 100);
        let (mut records, mut cuts) = (Vec::new(), Vec::new());
        lines.feed(b"\xEF\xBB\xBF{}\n\xEF\xBB\xBF{}\n", &mut records, &mut cuts);
        let found: Vec<_> = records.into_iter().map(|record| (record.offset, record.bytes)).collect();
        assert_eq!(found, [(1006, b"{}".to_vec()), (1012, b"\xEF\xBB\xBF{}".to_vec())]);
        lines = Lines::new(6, 100);
        lines.feed(b"\xEF\xBB\xBF{}\n", &mut Vec::new(), &mut cuts);
        assert_eq!(lines.offset(), 12);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            bytes in prop::collection::vec(prop::sample::select(b"a\r\n".to_vec()), 0..60),
            pieces in prop::collection::vec(1_usize..7, 1..8),
            line_bytes_max in 1_usize..6,
        ) {
            let mut lines = Lines::new(0, line_bytes_max);
            let (mut records, mut cuts, mut rest) = (Vec::new(), Vec::new(), &bytes[..]);
            for piece in pieces.iter().cycle() {
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                lines.feed(now, &mut records, &mut cuts);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            records.extend(lines.finish(&mut cuts));
            prop_assert!(lines.finish(&mut cuts).is_none());
            prop_assert_eq!(lines.offset(), bytes.len() as u64);
            let found: Vec<_> = records.into_iter().map(|record| (record.offset, record.bytes)).collect();
            prop_assert_eq!((found, cuts), whole(&bytes, line_bytes_max));
        }
    }
}
