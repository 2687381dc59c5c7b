use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rasid_engine::ScoreChange;

use super::*;
use crate::effect::{Body, RetractedItem};

mod refusals;

fn score(seq: u64, entity: u64) -> Item {
    let change = ScoreChange {
        position: seq,
        entity: format!("user:u_{entity}"),
        version: i64::try_from(seq).expect("small"),
        score: None,
        live_until: 0,
    };
    Item { sink: "core".to_owned(), seq, position: seq, committed_ms: 0, body: Body::Score(change) }
}

fn retracted(seq: u64) -> Item {
    let body = Body::Retracted(RetractedItem { id: format!("retract_{seq}"), rule: "a.b".to_owned(), since_ms: 0 });
    Item { sink: "core".to_owned(), seq, position: seq, committed_ms: 0, body }
}

fn courier(batch_items_max: usize) -> Courier {
    Courier::new("core", Config { batch_items_max, ..Config::default() }, 7)
}

fn filled(batch_items_max: usize, items: u64) -> Courier {
    let mut courier = courier(batch_items_max);
    for seq in 1..=items {
        assert!(courier.offer(score(seq, seq)));
    }
    courier
}

fn sent(courier: &mut Courier, now_ms: i64) -> Parcel {
    match courier.next(now_ms) {
        Next::Send(parcel) => parcel,
        other => panic!("expected a batch, found {other:?}"),
    }
}

fn seqs(parcel: &Parcel) -> Vec<u64> {
    parcel.items().iter().map(|item| item.seq).collect()
}

fn unavailable(retry_after_ms: Option<u64>) -> Answer {
    Answer::Unavailable { retry_after_ms, error: "503".to_owned() }
}

/// Fails once and says how long it then waits, ms.
fn wait_after_failure(courier: &mut Courier, now_ms: i64, answer: Answer) -> i64 {
    sent(courier, now_ms);
    assert!(courier.answered(now_ms, answer).is_empty());
    match courier.next(now_ms) {
        Next::Wait { until_ms } => until_ms - now_ms,
        Next::Send(_) => {
            courier.in_flight = false;
            0
        }
        Next::Idle => panic!("something is to be sent again"),
    }
}

#[test]
fn one_batch_is_out_at_a_time_and_nothing_is_done_without_need() {
    let mut courier = courier(2);
    assert!(matches!(courier.next(0), Next::Idle));
    assert!(courier.answered(0, Answer::TAKEN).is_empty(), "nothing was out");
    for seq in 1..=3 {
        assert!(courier.offer(score(seq, seq)));
    }
    assert_eq!(seqs(&sent(&mut courier, 0)), [1, 2]);
    assert!(matches!(courier.next(0), Next::Idle), "one is out");
    assert_eq!(courier.depth(), 3);
    let settled = courier.answered(0, Answer::Taken { refused: vec![(1, "unknown entity".to_owned())] });
    let fates: Vec<_> = settled.into_iter().map(|settled| (settled.seq, settled.fate)).collect();
    assert_eq!(fates, [(1, Fate::Delivered), (2, Fate::Parked { answer: "unknown entity".to_owned() })]);
    assert_eq!(seqs(&sent(&mut courier, 0)), [3]);
    assert_eq!(courier.answered(0, Answer::TAKEN).len(), 1);
    assert_eq!((courier.depth(), courier.bytes(), courier.offered()), (0, 0, 3));
}

#[test]
fn a_batch_holds_one_kind_and_keeps_the_order_of_kinds() {
    let mut courier = courier(10);
    for item in [score(1, 1), score(2, 2), retracted(3), score(4, 1)] {
        assert!(courier.offer(item));
    }
    for expected in [vec![1, 2], vec![3], vec![4]] {
        assert_eq!(seqs(&sent(&mut courier, 0)), expected);
        courier.answered(0, Answer::TAKEN);
    }
}

#[test]
fn the_queue_is_bounded_by_number_and_by_bytes() {
    let mut few = Courier::new("core", Config { queue_items_max: 2, ..Config::default() }, 0);
    assert!(few.offer(score(1, 1)) && few.offer(score(2, 2)) && !few.offer(score(3, 3)));
    assert_eq!((few.room(), few.offered()), (0, 2));
    sent(&mut few, 0);
    assert!(!few.offer(score(3, 3)), "what is in flight counts");
    few.answered(0, Answer::TAKEN);
    assert!(few.offer(score(3, 3)));
    let mut small = Courier::new("core", Config { queue_bytes_max: 1, ..Config::default() }, 0);
    assert!(small.offer(score(1, 1)), "one alone is always taken");
    assert!(!small.offer(score(2, 2)));
    let mut narrow = Courier::new("core", Config { batch_bytes_max: 1, ..Config::default() }, 0);
    assert!(narrow.offer(score(1, 1)) && narrow.offer(score(2, 2)));
    assert_eq!(seqs(&sent(&mut narrow, 0)), [1]);
}

#[test]
fn a_plain_4xx_is_halved_down_to_the_item_at_fault_and_later_ones_still_go() {
    let mut courier = filled(4, 6);
    let mut parked = Vec::new();
    let mut delivered = Vec::new();
    let mut tries = Vec::new();
    while let Next::Send(parcel) = courier.next(0) {
        tries.push(seqs(&parcel));
        let answer = if seqs(&parcel).contains(&3) { Answer::Refused { answer: "422".to_owned() } } else { Answer::TAKEN };
        for settled in courier.answered(0, answer) {
            if settled.fate == Fate::Delivered { delivered.push(settled.seq) } else { parked.push(settled.seq) }
        }
    }
    assert_eq!(tries, [vec![1, 2, 3, 4], vec![1, 2], vec![3, 4], vec![3], vec![4], vec![5, 6]]);
    assert_eq!((delivered, parked), (vec![1, 2, 4, 5, 6], vec![3]));
}

#[test]
fn the_same_batch_goes_again_under_the_same_name_and_another_has_another() {
    let mut courier = filled(2, 4);
    let first = sent(&mut courier, 0);
    courier.answered(0, Answer::Unknown { error: "timed out".to_owned() });
    assert_eq!(courier.trouble(), Some((1, "timed out")));
    assert!(courier.offer(score(5, 5)), "offers go on meanwhile");
    let again = sent(&mut courier, 1_000);
    assert_eq!((first.id(), seqs(&first)), (again.id(), seqs(&again)));
    courier.answered(1_000, Answer::TAKEN);
    assert_eq!(courier.trouble(), None);
    let second = sent(&mut courier, 1_000);
    assert_ne!(first.id(), second.id());
    assert_eq!(sent(&mut filled(2, 4), 0).id(), first.id(), "after a crash too");
}

#[test]
fn waits_grow_within_their_bounds_and_follow_the_seed() {
    let waits = |seed| -> Vec<i64> {
        let config = Config { backoff_min_ms: 100, backoff_max_ms: 1_000, open_after: u32::MAX, ..Config::default() };
        let mut courier = Courier::new("core", config, seed);
        assert!(courier.offer(score(1, 1)));
        (0..70).map(|n| wait_after_failure(&mut courier, n * 1_000_000, unavailable(None))).collect()
    };
    for seed in 0..50 {
        for (failure, wait) in waits(seed).into_iter().enumerate() {
            let most = if failure < 4 { 100 << failure } else { 1_000 };
            assert!((0..=most).contains(&wait), "failure {failure} waits {wait} ms, at most {most}");
        }
    }
    assert_eq!(waits(1), waits(1));
    assert_ne!(waits(1), waits(2));
    assert!(waits(3).iter().any(|wait| *wait > 500), "the jitter is over the whole range");
}

#[test]
fn retry_after_is_honoured_but_not_without_end() {
    let mut courier = filled(1, 1);
    assert_eq!(wait_after_failure(&mut courier, 0, unavailable(Some(90_000))), 90_000);
    assert_eq!(wait_after_failure(&mut courier, 1_000_000, unavailable(Some(u64::MAX))), 3_600_000);
}

#[test]
fn the_circuit_opens_lets_one_probe_through_and_closes() {
    let mut courier = filled(1, 2);
    let mut now = 0;
    for failure in 1..=5 {
        assert_eq!(courier.state(), State::Closed, "before failure {failure}");
        now += 1_000_000;
        sent(&mut courier, now);
        courier.answered(now, unavailable(None));
    }
    for _ in 0..3 {
        assert_eq!(courier.state(), State::Open);
        let Next::Wait { until_ms } = courier.next(now) else { panic!("the circuit is open") };
        assert!((10_000..=15_000).contains(&(until_ms - now)), "{}", until_ms - now);
        assert!(matches!(courier.next(until_ms - 1), Next::Wait { .. }));
        now = until_ms;
        assert_eq!(seqs(&sent(&mut courier, now)), [1]);
        assert_eq!(courier.state(), State::HalfOpen);
        assert!(matches!(courier.next(now), Next::Idle), "one probe alone");
        courier.answered(now, unavailable(None));
    }
    let Next::Wait { until_ms } = courier.next(now) else { panic!("the circuit is open") };
    sent(&mut courier, until_ms);
    assert_eq!(courier.answered(until_ms, Answer::TAKEN).len(), 1);
    assert_eq!(courier.state(), State::Closed);
    assert_eq!(seqs(&sent(&mut courier, until_ms)), [2], "at once");
}

/// What the receiver does with a request. After the script it is honest.
#[derive(Clone, Debug)]
enum Act {
    Honest,
    RefuseSome(u64),
    RefuseAll,
    Unavailable(Option<u64>),
    LostBefore,
    LostAfter,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Honest),
        1 => any::<u64>().prop_map(Act::RefuseSome),
        1 => Just(Act::RefuseAll),
        2 => proptest::option::of(0_u64..100_000).prop_map(Act::Unavailable),
        1 => Just(Act::LostBefore),
        2 => Just(Act::LostAfter),
    ]
}

proptest! {
    /// Whatever the receiver does: each item is settled once, in order, and what counts as delivered is there.
    #[test]
    fn nothing_is_lost_doubled_or_reordered(
        items in 1_u64..60, batch in 1_usize..9, room in 1_usize..20, seed in any::<u64>(), entities in 1_u64..6,
        kinds in any::<u64>(), bad in proptest::collection::btree_set(1_u64..60, 0..6), script in proptest::collection::vec(act(), 0..60),
    ) {
        // Receivers that refuse everything are `refusals.rs`.
        let config = Config { batch_items_max: batch, queue_items_max: room, refused_max: u32::MAX, ..Config::default() };
        let mut courier = Courier::new("core", config, seed);
        let mut script = script.into_iter();
        let mut now = 0_i64;
        let mut offered = 0_u64;
        let mut settled: Vec<Settled> = Vec::new();
        let mut received: BTreeSet<u64> = BTreeSet::new();
        let mut newest_of_entity: BTreeMap<u64, u64> = BTreeMap::new();
        let mut must_repeat: Option<(String, Vec<u64>)> = None;
        let mut scripted_refusals: BTreeSet<u64> = BTreeSet::new();
        for _ in 0..2_000 {
            while offered < items {
                let seq = offered + 1;
                let item = if kinds >> (seq % 64) & 1 == 1 { score(seq, seq % entities) } else { retracted(seq) };
                if !courier.offer(item) {
                    prop_assert_eq!(courier.depth(), room, "refused only when full");
                    break;
                }
                offered = seq;
            }
            prop_assert!(courier.depth() <= room);
            let parcel = match courier.next(now) {
                Next::Idle => break,
                Next::Wait { until_ms } => {
                    prop_assert!(until_ms > now && until_ms - now <= 100_000);
                    now = until_ms;
                    continue;
                }
                Next::Send(parcel) => parcel,
            };
            let seqs = seqs(&parcel);
            prop_assert!(!seqs.is_empty() && seqs.len() <= batch);
            prop_assert!(matches!(courier.next(i64::MAX), Next::Idle));
            if let Some((id, same)) = must_repeat.take() {
                prop_assert_eq!((parcel.id(), &seqs), (id.as_str(), &same));
            }
            let receive = |received: &mut BTreeSet<u64>, newest: &mut BTreeMap<u64, u64>, seq: u64| {
                if received.insert(seq) {
                    let before = newest.insert(seq % entities, seq);
                    assert!(before < Some(seq), "{seq} came after {before:?}");
                }
            };
            let at_fault = seqs.iter().any(|seq| bad.contains(seq));
            let answer = match script.next().unwrap_or(Act::Honest) {
                Act::Honest | Act::LostAfter | Act::RefuseSome(_) if at_fault => Answer::Refused { answer: "422".to_owned() },
                Act::Honest => {
                    for seq in &seqs { receive(&mut received, &mut newest_of_entity, *seq); }
                    Answer::TAKEN
                }
                Act::RefuseSome(mask) => {
                    let mut refused = Vec::new();
                    for (index, seq) in seqs.iter().enumerate() {
                        if mask >> (index % 64) & 1 == 1 {
                            refused.push((index, "no".to_owned()));
                            scripted_refusals.insert(*seq);
                        } else {
                            receive(&mut received, &mut newest_of_entity, *seq);
                        }
                    }
                    Answer::Taken { refused }
                }
                Act::RefuseAll => {
                    if let [seq] = seqs[..] {
                        scripted_refusals.insert(seq);
                    }
                    Answer::Refused { answer: "400".to_owned() }
                }
                Act::Unavailable(retry_after_ms) => unavailable(retry_after_ms),
                Act::LostBefore => Answer::Unknown { error: "reset".to_owned() },
                Act::LostAfter => {
                    for seq in &seqs { receive(&mut received, &mut newest_of_entity, *seq); }
                    Answer::Unknown { error: "reset".to_owned() }
                }
            };
            if matches!(answer, Answer::Unavailable { .. } | Answer::Unknown { .. }) {
                must_repeat = Some((parcel.id().to_owned(), seqs));
            }
            settled.extend(courier.answered(now, answer));
        }
        let order: Vec<u64> = settled.iter().map(|settled| settled.seq).collect();
        prop_assert_eq!(order, (1..=items).collect::<Vec<_>>(), "each once, in order");
        for Settled { seq, fate, .. } in settled {
            match fate {
                Fate::Delivered => prop_assert!(received.contains(&seq)),
                Fate::Parked { .. } => prop_assert!(bad.contains(&seq) || scripted_refusals.contains(&seq)),
            }
        }
        prop_assert_eq!((courier.depth(), courier.bytes()), (0, 0));
    }
}
