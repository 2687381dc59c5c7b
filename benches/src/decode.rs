//! Bytes to typed events, by event type: records as the contract says, and such as make the slow reading necessary.

use rasid_detectors::event::EventType;
use rasid_detectors::event::envelope::{Decoded, Limits, decode};

use crate::{Case, keep, sample};

/// Records in one run.
const RECORDS: usize = rasid_engine::RECORDS_COUNTED;

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    EventType::PRODUCED.iter().flat_map(|event_type| [false, true].into_iter().filter_map(|garbled| case(*event_type, garbled)))
}

fn case(event_type: EventType, garbled: bool) -> Option<Case> {
    let records: &'static [String] = keep(sample::records(event_type, RECORDS, garbled)?);
    let decoded = move || -> Vec<Decoded<'static>> {
        let limits = Limits::default();
        records.iter().map(|record| decode(record.as_bytes(), &limits).expect("every sample is an event")).collect()
    };
    assert!(
        decoded().iter().all(|decoded| matches!(decoded, Decoded::Garbled { .. }) == garbled),
        "samples of {} are garbled where they should be",
        event_type.name()
    );
    let id = format!("decode/{}/{}", event_type.name(), if garbled { "garbled" } else { "clean" });
    Some(Case::new(id, records.len(), move || decoded))
}
