//! Which parked items an operator means.

use rasid_connectors::effect::{Body, Item};
use rasid_connectors::outbox::{Error, Outbox, Parked};

use crate::operate::control::UnparkAll;

/// Items of one page: so many are offered again in one transaction.
const PAGE: usize = 1_000;

/// A page of the parked items that are as `all` says, by their places; and the next page, where there may be one.
pub(crate) fn choose(outbox: &Outbox, sink: &str, all: UnparkAll) -> Result<(Vec<u64>, Option<UnparkAll>), Error> {
    let upto = match all.upto {
        Some(upto) => upto,
        None => outbox.parked_newest(sink)?,
    };
    let wanted = |parked: &Parked| parked.item.seq <= upto && is_as(&parked.item, all.rule.as_deref(), all.since_ms);
    let found = outbox.parked_where(Some(sink), all.after, PAGE, wanted)?;
    let seqs: Vec<u64> = found.iter().map(|parked| parked.item.seq).collect();
    let last = seqs.last().copied().filter(|last| seqs.len() == PAGE && *last < upto);
    Ok((seqs, last.map(|after| UnparkAll { after, upto: Some(upto), ..all })))
}

/// At how many of these places, which are in order, something is parked.
pub(crate) fn count(outbox: &Outbox, sink: &str, seqs: &[u64]) -> Result<usize, Error> {
    let Some(first) = seqs.first() else { return Ok(0) };
    let wanted = |parked: &Parked| seqs.binary_search(&parked.item.seq).is_ok();
    Ok(outbox.parked_where(Some(sink), first.saturating_sub(1), seqs.len(), wanted)?.len())
}

/// The rule of an alert and of a retraction.
pub(crate) fn rule_of(item: &Item) -> Option<&str> {
    match &item.body {
        Body::Alert(alert) => Some(&alert.rule),
        Body::Retracted(retracted) => Some(&retracted.rule),
        Body::Score(_) => None,
    }
}

/// Whether it is of that rule, and was committed from then on.
pub(crate) fn is_as(item: &Item, rule: Option<&str>, since_ms: Option<i64>) -> bool {
    rule.is_none_or(|rule| rule_of(item) == Some(rule)) && since_ms.is_none_or(|since_ms| item.committed_ms >= since_ms)
}

#[cfg(test)]
mod tests {
    use rasid_connectors::effect::{Fate, RetractedItem, Settled};
    use rasid_connectors::outbox::Commit;
    use rasid_connectors::outbox::backend::Memory;

    use super::*;

    fn park(outbox: &Outbox, count: u64) {
        let item = |n: u64| {
            let rule = if n.is_multiple_of(3) { "a.third" } else { "a.other" };
            let body = Body::Retracted(RetractedItem { id: format!("retract_{n}"), rule: rule.to_owned(), since_ms: 0 });
            Item { sink: "core".to_owned(), seq: 0, position: 1, committed_ms: i64::try_from(n).expect("small"), body }
        };
        let items: Vec<Item> = (1..=count).map(item).collect();
        let queued = outbox.commit(Commit { position: 1, items: &items, ..Commit::default() }).expect("memory");
        let parked = |item: &Item| Settled { sink: "core".to_owned(), seq: item.seq, fate: Fate::Parked { answer: "422".to_owned() } };
        let settled: Vec<Settled> = queued.iter().map(parked).collect();
        outbox.commit(Commit { position: 1, settled: &settled, ..Commit::default() }).expect("memory");
    }

    /// All pages, each offered again, and parked again at once by a receiver that still refuses.
    fn retry(outbox: &Outbox, mut all: UnparkAll) -> Vec<Vec<u64>> {
        let mut pages = Vec::new();
        loop {
            let (seqs, next) = choose(outbox, "core", all).expect("memory");
            assert_eq!(outbox.unpark_all("core", &seqs).expect("memory"), seqs);
            let pending = outbox.pending("core", 0, usize::MAX).expect("memory");
            let parked = |item: Item| Settled { sink: "core".to_owned(), seq: item.seq, fate: Fate::Parked { answer: "422".to_owned() } };
            let settled: Vec<Settled> = pending.into_iter().map(parked).collect();
            outbox.commit(Commit { position: 1, settled: &settled, ..Commit::default() }).expect("memory");
            pages.push(seqs);
            let Some(next) = next else { return pages };
            all = next;
        }
    }

    #[test]
    fn pages_cover_what_is_meant_once_though_it_is_parked_again_meanwhile() {
        let outbox = Outbox::with_backend(Memory::new().backend()).expect("memory");
        park(&outbox, 2_500);
        let pages = retry(&outbox, UnparkAll::default());
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        assert_eq!(pages.concat(), (1..=2_500).collect::<Vec<_>>());
        let of = |rule: Option<&str>, since_ms| UnparkAll { rule: rule.map(str::to_owned), since_ms, ..UnparkAll::default() };
        assert_eq!(retry(&outbox, of(Some("a.third"), None)).concat().len(), 833);
        assert_eq!(retry(&outbox, of(None, Some(2_401))).concat().len(), 100);
        assert_eq!(retry(&outbox, of(Some("a.third"), Some(2_401))).concat().len(), 33);
        assert_eq!(retry(&outbox, of(Some("no.such"), None)), [Vec::<u64>::new()]);
        assert_eq!(outbox.parked(None, usize::MAX).expect("memory").len(), 2_500);
    }

    #[test]
    fn of_places_that_are_named_those_count_at_which_something_is_parked() {
        let outbox = Outbox::with_backend(Memory::new().backend()).expect("memory");
        park(&outbox, 3);
        for (seqs, expected) in [(&[1, 2, 3][..], 3), (&[2, 17], 1), (&[17], 0), (&[0, 3], 1), (&[], 0)] {
            assert_eq!(count(&outbox, "core", seqs).expect("memory"), expected, "{seqs:?}");
        }
        assert_eq!(count(&outbox, "redis", &[1]).expect("memory"), 0, "another sink's");
    }

    #[test]
    fn exactly_a_page_is_one_page() {
        let outbox = Outbox::with_backend(Memory::new().backend()).expect("memory");
        park(&outbox, 1_000);
        assert_eq!(retry(&outbox, UnparkAll::default()).iter().map(Vec::len).collect::<Vec<_>>(), [1_000]);
    }
}
