//! Who writes what the contract does not say: events and bad fields by producer. Functions of the log, whatever threads and
//! batches; of bounded size, whoever writes: the first producers of the log have names, and each of them so many fields.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::HashTable;
use rasid_detectors::entity::personal::reads_as_personal;
use rasid_detectors::event::EventType;
use rasid_detectors::event::salvage::BadField;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// Producers that are counted by name. 32: a marketplace has a dozen services.
const NAMED_MAX: usize = 32;
/// Pairs of type and field that are counted of one of them; further ones count as `other` of their type. 96: all fields of
/// five types.
const FIELDS_MAX: usize = 96;
/// What everything else counts as.
const OTHER: &str = "other";

/// Counts of one producer: the events of one `source`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerCounters {
    /// Its `source`; `other` are those beyond the first 32 of the log, and those whose name may not leave.
    pub producer: String,
    /// Events read, each delivery.
    pub events: u64,
    /// Among them, those with a field that was not as the contract says.
    pub bad_events: u64,
    /// By type and field, in their order.
    pub bad_fields: Vec<FieldCounter>,
}

/// How often one field was not as the contract says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCounter {
    /// The events' type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The field or attribute, `location.lat`; `other` is what the contract does not know.
    pub field: String,
    /// Events in which it was not.
    pub events: u64,
}

/// What one producer sent in one chunk.
struct Sent<'a> {
    source: Cow<'a, str>,
    events: u64,
    bad_events: u64,
    /// In the order in which they first came.
    bad: Vec<(EventType, BadField, u64)>,
}

/// Counts of one chunk of the log, by producer in the order in which they first came.
pub(crate) struct Tally<'a> {
    sent: Vec<Sent<'a>>,
    by_source: HashTable<u32>,
    /// Where the newest producers are, by type: most types come from one of them.
    newest: [u32; EventType::ALL.len()],
}

impl Default for Tally<'_> {
    fn default() -> Self {
        Self { sent: Vec::new(), by_source: HashTable::new(), newest: [0; EventType::ALL.len()] }
    }
}

impl<'a> Tally<'a> {
    /// Counts one event.
    #[inline]
    #[expect(clippy::ptr_arg, reason = "a producer that is new keeps the name as it lies in the record")]
    pub(crate) fn count(&mut self, source: &Cow<'a, str>, event_type: EventType, bad: &[BadField]) {
        let guess = self.newest[event_type as usize] as usize;
        let index = match self.sent.get(guess) {
            Some(sent) if sent.source == *source => guess,
            _ => {
                let index = self.find(source);
                self.newest[event_type as usize] = index;
                index as usize
            }
        };
        let sent = &mut self.sent[index];
        sent.events += 1;
        if !bad.is_empty() {
            sent.bad_events += 1;
            for field in bad {
                match sent.bad.iter_mut().find(|(of, known, _)| (*of, *known) == (event_type, *field)) {
                    Some((_, _, count)) => *count += 1,
                    None => sent.bad.push((event_type, *field, 1)),
                }
            }
        }
    }

    /// Events with a bad field.
    pub(crate) fn bad_events(&self) -> u64 {
        self.sent.iter().map(|sent| sent.bad_events).sum()
    }

    #[cold]
    #[expect(clippy::ptr_arg, reason = "a producer that is new keeps the name as it lies in the record")]
    fn find(&mut self, source: &Cow<'a, str>) -> u32 {
        let Self { sent, by_source, .. } = self;
        let hash = |source: &str| XxHash3_64::oneshot(source.as_bytes());
        let entry =
            by_source.entry(hash(source), |index| sent[*index as usize].source == *source, |index| hash(&sent[*index as usize].source));
        let next = u32::try_from(sent.len()).expect("a batch has far fewer than 2^32 records");
        let index = *entry.or_insert(next).get();
        if index == next {
            sent.push(Sent { source: source.clone(), events: 0, bad_events: 0, bad: Vec::new() });
        }
        index
    }
}

#[derive(Clone, Default)]
struct Counted {
    events: u64,
    bad_events: u64,
    bad: BTreeMap<(String, String), u64>,
}

/// Counts of the whole log.
#[derive(Clone, Default)]
pub(crate) struct Producers {
    /// In the order in which they first came.
    named: Vec<(String, Counted)>,
    other: Counted,
}

impl Producers {
    /// Adds what the next chunk of the log holds.
    pub(crate) fn add(&mut self, tally: &Tally<'_>) {
        for sent in &tally.sent {
            let (counted, bounded) = self.of(&sent.source);
            counted.events += sent.events;
            counted.bad_events += sent.bad_events;
            for (event_type, field, count) in &sent.bad {
                let mut key = (event_type.name().to_owned(), field.name(*event_type).into_owned());
                if bounded && counted.bad.len() >= FIELDS_MAX && !counted.bad.contains_key(&key) {
                    OTHER.clone_into(&mut key.1);
                }
                *counted.bad.entry(key).or_default() += count;
            }
        }
    }

    /// A producer's counts, and whether they are bounded: those of `other` are by the vocabulary, so that it is nothing to them
    /// in which order several producers came.
    fn of(&mut self, source: &str) -> (&mut Counted, bool) {
        match self.named.iter().position(|(name, _)| name == source) {
            Some(index) => (&mut self.named[index].1, true),
            None if self.named.len() < NAMED_MAX && source != OTHER && !reads_as_personal(source) => {
                self.named.push((source.to_owned(), Counted::default()));
                let index = self.named.len() - 1;
                (&mut self.named[index].1, true)
            }
            None => (&mut self.other, false),
        }
    }

    /// Each producer's, the unnamed ones' last if there are any.
    pub(crate) fn counters(&self) -> Vec<ProducerCounters> {
        let other = (self.other.events > 0).then_some((OTHER, &self.other));
        let all = self.named.iter().map(|(name, counted)| (name.as_str(), counted)).chain(other);
        all.map(|(name, counted)| ProducerCounters {
            producer: name.to_owned(),
            events: counted.events,
            bad_events: counted.bad_events,
            bad_fields: counted
                .bad
                .iter()
                .map(|((event_type, field), events)| FieldCounter { event_type: event_type.clone(), field: field.clone(), events: *events })
                .collect(),
        })
        .collect()
    }

    /// The counts that [`Self::counters`] gave.
    pub(crate) fn of_counters(counters: Vec<ProducerCounters>) -> Self {
        let mut producers = Self::default();
        for ProducerCounters { producer, events, bad_events, bad_fields } in counters {
            let bad = bad_fields.into_iter().map(|FieldCounter { event_type, field, events }| ((event_type, field), events)).collect();
            let counted = Counted { events, bad_events, bad };
            if producer == OTHER { producers.other = counted } else { producers.named.push((producer, counted)) }
        }
        producers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rasid_detectors::event::field::FieldPath;

    const KNOWN: BadField = BadField::Known(FieldPath { field: 0, child: None });

    fn counted<'a>(events: impl Iterator<Item = (&'a str, EventType, &'a [BadField])>, cut: usize) -> Vec<ProducerCounters> {
        let events: Vec<_> = events.collect();
        let mut producers = Producers::default();
        for chunk in events.chunks(cut) {
            let mut tally = Tally::default();
            for (source, event_type, bad) in chunk {
                tally.count(&Cow::Borrowed(source), *event_type, bad);
            }
            producers.add(&tally);
        }
        let counters = producers.counters();
        assert_eq!(Producers::of_counters(counters.clone()).counters(), counters);
        counters
    }

    #[test]
    fn bad_fields_count_by_producer_type_and_field() {
        let path = |name| BadField::Known(rasid_detectors::event::field::find(EventType::OtpRequested.fields(), name).expect("a field").0);
        let (phone, lat) = (path("phone"), path("location.lat"));
        let both = [phone, lat];
        let events = [
            ("/a", EventType::OtpRequested, &both[..]),
            ("/b", EventType::OtpRequested, &[BadField::Other][..]),
            ("/a", EventType::OtpRequested, &both[..1]),
            ("/a", EventType::ChatMessage, &[][..]),
        ];
        let counters = counted(events.into_iter(), 2);
        let [a, b] = counters.as_slice() else { panic!("two producers") };
        assert_eq!((a.producer.as_str(), a.events, a.bad_events), ("/a", 3, 2));
        let fields: Vec<_> = a.bad_fields.iter().map(|of| (of.event_type.as_str(), of.field.as_str(), of.events)).collect();
        assert_eq!(fields, [("auth.otp_requested", "location.lat", 1), ("auth.otp_requested", "phone", 2)]);
        assert_eq!((b.producer.as_str(), b.bad_fields[0].field.as_str()), ("/b", "other"));
    }

    #[test]
    fn a_name_that_is_personal_is_none() {
        let counters = counted([("+201000000042", EventType::ChatMessage, &[KNOWN][..])].into_iter(), 1);
        assert_eq!(counters[0].producer, "other");
    }

    /// Whoever writes, the series are bounded.
    #[test]
    fn names_and_fields_are_bounded() {
        let sources: Vec<String> = (0..1_000).map(|n| format!("/{n}")).collect();
        let paths: Vec<BadField> = (0..30).map(|field| BadField::Known(FieldPath { field, child: None })).collect();
        let events = sources.iter().flat_map(|source| EventType::PRODUCED.iter().map(|of| (source.as_str(), *of, paths.as_slice())));
        let counters = counted(events, 5_000);
        assert_eq!(counters.len(), NAMED_MAX + 1);
        assert!(counters[..NAMED_MAX].iter().all(|of| of.bad_fields.len() <= FIELDS_MAX + EventType::PRODUCED.len()));
        assert_eq!(counters.iter().map(|of| of.events).sum::<u64>(), 1_000 * EventType::PRODUCED.len() as u64);
        assert_eq!(counters.last().map(|of| of.producer.as_str()), Some("other"));
    }

    proptest! {
        #[test]
        fn however_the_log_is_cut(
            events in proptest::collection::vec((0..60_usize, 0..EventType::PRODUCED.len(), proptest::option::of(0..20_u8)), 0..600),
            cut in 1..600_usize,
        ) {
            let sources: Vec<String> = (0..60).map(|n| format!("/service/{n}")).collect();
            let bad: Vec<Vec<BadField>> =
                events.iter().map(|(_, _, bad)| bad.iter().map(|field| BadField::Known(FieldPath { field: *field, child: None })).collect()).collect();
            let events = || events.iter().zip(&bad).map(|((source, of, _), bad)| (sources[*source].as_str(), EventType::PRODUCED[*of], bad.as_slice()));
            prop_assert_eq!(counted(events(), cut), counted(events(), usize::MAX));
        }
    }
}
