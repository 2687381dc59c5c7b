//! The figures of streams as they are labelled: files come and go in a followed folder, and each would be a series for ever.

use std::collections::BTreeMap;

use rasid_service::health::stats::SourceStats;

/// The figures of one label: of a stream, or of all files of a followed folder together, of which there is no end.
#[derive(Default)]
pub(super) struct Labelled<'s> {
    pub(super) label: &'s str,
    /// Of a stream alone: files' offsets make no sum.
    pub(super) offset: Option<u64>,
    pub(super) lag_records: Option<u64>,
    pub(super) records: u64,
    pub(super) gaps: u64,
    pub(super) errors: u64,
    pub(super) stopped: bool,
}

pub(super) fn by_label(sources: &[SourceStats]) -> BTreeMap<&str, Labelled<'_>> {
    let mut all: BTreeMap<&str, Labelled<'_>> = BTreeMap::new();
    for of in sources {
        let label = of.folder.as_deref().unwrap_or(&of.stream);
        let sum = all.entry(label).or_insert_with(|| Labelled { label, ..Labelled::default() });
        sum.offset = of.offset.filter(|_| of.folder.is_none());
        sum.lag_records = of.lag_records.map(|lag| lag + sum.lag_records.unwrap_or(0)).or(sum.lag_records);
        sum.records += of.records_total;
        sum.gaps += of.gaps_total;
        sum.errors += of.errors_total;
        sum.stopped |= of.stopped.is_some();
    }
    all
}
