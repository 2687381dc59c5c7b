use proptest::prelude::*;
use rstest::rstest;

use super::*;

const TRIES: NonZeroU32 = NonZeroU32::new(2).expect("not zero");

fn take() -> Verdict {
    Verdict::Take { closed: None, lost: None }
}

fn missing(from: u64, to: u64) -> Missing {
    Missing { from, to }
}

#[rstest]
#[case::in_order(Some(6), vec![(7, take()), (8, take())])]
#[case::nothing_before(None, vec![(40, take()), (41, take()), (40, Verdict::Repeat)])]
#[case::repeats(Some(6), vec![(6, Verdict::Repeat), (0, Verdict::Repeat), (7, take()), (7, Verdict::Repeat)])]
#[case::gap_that_closes(Some(6), vec![
    (9, Verdict::Reopen { missing: missing(7, 8) }),
    (7, Verdict::Take { closed: Some(missing(7, 8)), lost: None }),
    (8, take()),
    (9, take()),
])]
#[case::gap_that_stays(Some(6), vec![
    (9, Verdict::Reopen { missing: missing(7, 8) }),
    (9, Verdict::Reopen { missing: missing(7, 8) }),
    (9, Verdict::Take { closed: None, lost: Some(missing(7, 8)) }),
    (10, take()),
])]
#[case::gap_that_shrinks(Some(6), vec![
    (9, Verdict::Reopen { missing: missing(7, 8) }),
    (8, Verdict::Reopen { missing: missing(7, 7) }),
    (8, Verdict::Take { closed: None, lost: Some(missing(7, 7)) }),
])]
#[case::a_new_gap_is_tried_anew(Some(6), vec![
    (9, Verdict::Reopen { missing: missing(7, 8) }),
    (7, Verdict::Take { closed: Some(missing(7, 8)), lost: None }),
    (9, Verdict::Reopen { missing: missing(8, 8) }),
    (9, Verdict::Reopen { missing: missing(8, 8) }),
    (9, Verdict::Take { closed: None, lost: Some(missing(8, 8)) }),
])]
#[case::repeats_do_not_use_up_tries(Some(6), vec![
    (9, Verdict::Reopen { missing: missing(7, 8) }),
    (6, Verdict::Repeat),
    (9, Verdict::Reopen { missing: missing(7, 8) }),
    (7, Verdict::Take { closed: Some(missing(7, 8)), lost: None }),
])]
fn what_to_do(#[case] after: Option<u64>, #[case] steps: Vec<(u64, Verdict)>) {
    let mut contiguity = Contiguity::new(after, TRIES);
    for (offset, expected) in steps {
        assert_eq!(contiguity.observe(offset), expected, "offset {offset}");
    }
}

#[rstest]
#[case::ahead(Some(6), 9, Some(missing(7, 8)), Some(9))]
#[case::just_there(Some(6), 7, None, Some(7))]
#[case::behind(Some(6), 3, None, Some(7))]
#[case::nothing_was_promised(None, 9, None, None)]
fn evicted(#[case] after: Option<u64>, #[case] available: u64, #[case] lost: Option<Missing>, #[case] expected: Option<u64>) {
    let mut contiguity = Contiguity::new(after, TRIES);
    assert_eq!(contiguity.evicted(available), lost);
    assert_eq!(contiguity.expected(), expected);
}

#[test]
fn a_gap_counts_both_its_ends() {
    assert_eq!(missing(7, 8).records(), 2);
    assert_eq!(missing(7, 7).records(), 1);
}

/// A server that keeps `first..end` less `holes`, and cuts what it sends: each time it is opened it leaves out the
/// offsets that the next of `cuts` names, then is whole.
struct Server {
    first: u64,
    end: u64,
    holes: Vec<u64>,
    cuts: Vec<Vec<u64>>,
}

impl Server {
    fn open(&mut self, from: Option<u64>) -> Vec<u64> {
        let left_out = if self.cuts.is_empty() { Vec::new() } else { self.cuts.remove(0) };
        // Openings give a little of what came before, too, as a batch does that is entered in its middle.
        let from = from.map_or(self.first, |from| from.saturating_sub(3).max(self.first));
        (from..self.end).filter(|offset| !self.holes.contains(offset) && !left_out.contains(offset)).collect()
    }
}

proptest! {
    /// Every offset behind the start is handed over once, in order, or said to be lost once; never both, never neither.
    #[test]
    fn nothing_is_lost_in_silence(
        after in prop::option::of(0_u64..20),
        kept in 0_u64..30,
        holes in prop::collection::vec(0_u64..60, 0..6),
        cuts in prop::collection::vec(prop::collection::vec(0_u64..60, 0..20), 0..12),
        tries in 1_u32..16,
    ) {
        let end = 60;
        let mut server = Server { first: kept, end, holes: holes.clone(), cuts };
        let mut contiguity = Contiguity::new(after, NonZeroU32::new(tries).expect("not zero"));
        let (mut taken, mut lost) = (Vec::new(), Vec::new());
        let mut openings = 0;
        'open: loop {
            openings += 1;
            prop_assert!(openings < 1000, "it ends");
            if contiguity.expected().is_some_and(|expected| expected < server.first) {
                lost.extend(contiguity.evicted(server.first));
            }
            for offset in server.open(contiguity.expected()) {
                match contiguity.observe(offset) {
                    Verdict::Take { closed, lost: gone } => {
                        prop_assert!(closed.is_none() || gone.is_none());
                        lost.extend(gone);
                        taken.push(offset);
                    }
                    Verdict::Repeat => {}
                    Verdict::Reopen { missing } => {
                        prop_assert_eq!(Some(missing.from), contiguity.expected());
                        prop_assert!(missing.from <= missing.to && missing.to < offset);
                        continue 'open;
                    }
                }
            }
            break;
        }
        prop_assert!(taken.windows(2).all(|pair| pair[0] < pair[1]), "in order, once: {:?}", taken);
        let begin = after.map_or_else(|| taken.first().copied().unwrap_or(end), |after| after + 1);
        for offset in begin..taken.last().map_or(begin, |last| last + 1) {
            let told = lost.iter().filter(|missing| (missing.from..=missing.to).contains(&offset)).count();
            let handed = taken.iter().filter(|taken| **taken == offset).count();
            prop_assert_eq!(told + handed, 1, "offset {}", offset);
        }
        // With more tries than the server has cuts, only what it does not keep is said to be lost.
        for missing in &lost {
            let gone = (missing.from..=missing.to).all(|offset| offset < kept || holes.contains(&offset));
            prop_assert!(gone || tries < 12, "{:?}", missing);
        }
    }
}
