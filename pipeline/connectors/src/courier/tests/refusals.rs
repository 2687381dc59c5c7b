//! A receiver that refuses everything is told from items that are at fault.

use rasid_compiler::ruleset::Severity;

use super::*;
use crate::effect::AlertItem;

fn alert(seq: u64, entity: u64, rule: &str) -> Item {
    let body = Body::Alert(AlertItem {
        id: format!("al_{seq}"),
        rule: rule.to_owned(),
        severity: Severity::Sev2,
        entity: format!("user:u_{entity}"),
        opened_at_ms: 0,
        title: String::new(),
        explanation: String::new(),
        runbook: None,
        json: "{}".to_owned(),
    });
    Item { sink: "core".to_owned(), seq, position: seq, committed_ms: 0, body }
}

fn of_alerts(batch_items_max: usize, items: u64) -> Courier {
    let mut courier = courier(batch_items_max);
    for seq in 1..=items {
        assert!(courier.offer(alert(seq, seq, "a.b")));
    }
    courier
}

fn refused() -> Answer {
    Answer::Refused { answer: "422".to_owned() }
}

/// Refuses each item by itself, in an answer of 200.
fn refused_each(parcel: &Parcel) -> Answer {
    Answer::Taken { refused: (0..parcel.items().len()).map(|index| (index, format!("no {index}"))).collect() }
}

#[derive(Default)]
struct Outcome {
    tries: Vec<Vec<u64>>,
    delivered: Vec<u64>,
    parked: Vec<u64>,
}

/// Carries until the courier waits or has nothing to do; when it waits until.
fn carry(courier: &mut Courier, now_ms: i64, outcome: &mut Outcome, mut answer: impl FnMut(&Parcel) -> Answer) -> Option<i64> {
    loop {
        match courier.next(now_ms) {
            Next::Send(parcel) => {
                outcome.tries.push(seqs(&parcel));
                assert!(outcome.tries.len() < 10_000, "it does not end");
                for settled in courier.answered(now_ms, answer(&parcel)) {
                    let list = if settled.fate == Fate::Delivered { &mut outcome.delivered } else { &mut outcome.parked };
                    list.push(settled.seq);
                }
            }
            Next::Wait { until_ms } => return Some(until_ms),
            Next::Idle => return None,
        }
    }
}

#[test]
fn a_receiver_that_refuses_everything_is_sent_no_more_and_gets_it_all_when_it_is_mended() {
    for each in [false, true] {
        let mut courier = of_alerts(256, 2_000);
        let mut outcome = Outcome::default();
        let answer = |parcel: &Parcel| if each { refused_each(parcel) } else { refused() };
        let mut now = 0;
        for round in 0..10 {
            let until_ms = carry(&mut courier, now, &mut outcome, answer).expect("the circuit is open");
            assert_eq!((courier.state(), courier.is_refused(), courier.is_halving()), (State::Open, true, false));
            assert!((10_000..=15_000).contains(&(until_ms - now)), "{}", until_ms - now);
            assert_eq!((outcome.parked.clone(), outcome.delivered.len()), (vec![1, 2, 3, 4, 5], 0), "round {round}");
            now = until_ms;
        }
        assert_eq!(courier.trouble().map(|(_, error)| error), Some(if each { "no 0" } else { "422" }));
        assert!(outcome.tries.len() < 60, "{} requests", outcome.tries.len());
        // Each round is one batch, and a few others that might be taken.
        let [.., probe, farthest, second, third] = outcome.tries.as_slice() else { panic!("a round") };
        assert_eq!((probe.clone(), farthest.clone()), ((6..=261).collect(), vec![2_000]));
        assert_eq!((second.len(), third.len()), (1, 1));
        assert_eq!(carry(&mut courier, now, &mut outcome, |_| Answer::TAKEN), None);
        assert_eq!(outcome.delivered, (6..=2_000).collect::<Vec<_>>());
        assert_eq!((outcome.parked.len(), courier.state(), courier.is_refused()), (5, State::Closed, false));
    }
}

#[test]
fn bad_items_in_a_row_among_good_ones_are_parked_without_a_pause() {
    let mut courier = of_alerts(32, 100);
    let mut outcome = Outcome::default();
    let bad = 20..=40;
    let answer = |parcel: &Parcel| if seqs(parcel).iter().any(|seq| bad.contains(seq)) { refused() } else { Answer::TAKEN };
    assert_eq!(carry(&mut courier, 0, &mut outcome, answer), None);
    assert_eq!(outcome.parked, bad.collect::<Vec<_>>());
    assert_eq!(outcome.delivered.len(), 79);
    assert_eq!((courier.state(), courier.is_refused(), courier.depth()), (State::Closed, false, 0));
}

#[test]
fn a_rule_that_the_receiver_does_not_know_does_not_stop_the_others() {
    let mut courier = courier(64);
    for seq in 1..=300 {
        assert!(courier.offer(alert(seq, seq, if seq % 100 == 0 { "known.rule" } else { "new.rule" })));
    }
    let mut outcome = Outcome::default();
    let is_new = |item: &Item| matches!(&item.body, Body::Alert(alert) if alert.rule == "new.rule");
    let answer = |parcel: &Parcel| if parcel.items().iter().any(is_new) { refused() } else { Answer::TAKEN };
    // Until nothing of the known rule is left that could vouch.
    carry(&mut courier, 0, &mut outcome, answer);
    assert_eq!(outcome.delivered, [100, 200, 300]);
    assert_eq!(outcome.parked.len(), 297);
}

#[test]
fn alerts_may_be_refused_while_scores_are_taken() {
    let mut courier = courier(8);
    for seq in 1..=40 {
        assert!(courier.offer(if seq % 2 == 1 { alert(seq, seq, "a.b") } else { score(seq, seq) }));
    }
    let mut outcome = Outcome::default();
    let broken = |parcel: &Parcel| if matches!(parcel.items()[0].body, Body::Alert(_)) { refused() } else { Answer::TAKEN };
    let mut now = 0;
    for _ in 0..5 {
        now = carry(&mut courier, now, &mut outcome, broken).expect("alerts wait");
        assert!(courier.is_refused());
    }
    assert_eq!(outcome.parked, [1, 3, 5, 7, 9], "a score that is taken says nothing of alerts");
    assert_eq!(outcome.delivered, [2, 4, 6, 8, 10]);
    assert_eq!(carry(&mut courier, now, &mut outcome, |_| Answer::TAKEN), None);
    assert_eq!(outcome.delivered.len() + outcome.parked.len(), 40);
    assert!(!courier.is_refused());
}

#[test]
fn a_bad_item_at_the_front_of_a_mended_receiver_holds_nobody_up() {
    let mut courier = of_alerts(4, 20);
    let mut outcome = Outcome::default();
    let now = carry(&mut courier, 0, &mut outcome, |_| refused()).expect("the circuit is open");
    assert_eq!(outcome.parked, [1, 2, 3, 4, 5]);
    let answer = |parcel: &Parcel| if seqs(parcel).contains(&6) { refused() } else { Answer::TAKEN };
    assert_eq!(carry(&mut courier, now, &mut outcome, answer), None, "no further pause");
    assert_eq!(outcome.parked, [1, 2, 3, 4, 5, 6]);
    assert_eq!(outcome.delivered, (7..=20).collect::<Vec<_>>());
}

#[test]
fn where_nothing_else_waits_the_circuit_opens_until_something_does() {
    let mut courier = of_alerts(4, 6);
    let mut outcome = Outcome::default();
    let bad = |parcel: &Parcel| if seqs(parcel).iter().any(|seq| *seq <= 6) { refused() } else { Answer::TAKEN };
    let now = carry(&mut courier, 0, &mut outcome, bad).expect("the circuit is open");
    let now = carry(&mut courier, now, &mut outcome, bad).expect("the circuit is open");
    assert_eq!((outcome.parked.clone(), courier.depth()), (vec![1, 2, 3, 4, 5], 1));
    assert!(courier.offer(alert(7, 6, "a.b")), "of the same entity: it may not go first");
    let now = carry(&mut courier, now, &mut outcome, bad).expect("the circuit is open");
    assert!(courier.offer(alert(8, 8, "a.b")));
    assert_eq!(carry(&mut courier, now, &mut outcome, bad), None);
    assert_eq!((outcome.parked, outcome.delivered), (vec![1, 2, 3, 4, 5, 6], vec![7, 8]));
}

#[test]
fn who_vouches_is_nobody_s_second_and_overtakes_no_retraction() {
    let queue = |items: Vec<Item>| VecDeque::from(items);
    let found = |queue: &VecDeque<Item>, refused: &Item, skip, draw: u64| {
        let mut doubt = Doubt::new(refused, skip);
        let asked: Vec<Option<u64>> = (0..4).map(|_| doubt.next(queue, |most| draw.min(most)).map(|item| item.seq)).collect();
        assert_eq!(asked[3], None, "enough were asked");
        (asked[0], asked[1])
    };
    let (of_alert, of_score) = (alert(0, 0, "a.b"), score(0, 0));
    let items = queue(vec![
        alert(1, 1, "a.b"),
        score(2, 1),
        alert(3, 1, "c.d"),
        alert(4, 2, "a.b"),
        alert(5, 3, "a.b"),
        retracted(6),
        alert(7, 4, "a.b"),
    ]);
    for (draw, expected) in [(0, 4), (1, 5), (9, 5)] {
        let found = found(&items, &of_alert, 1, draw);
        assert_eq!(found, (Some(5), Some(expected)), "3 is about the entity of 1, 7 is behind a retraction");
    }
    assert_eq!(found(&items, &of_alert, 0, 0), (Some(5), Some(1)));
    assert_eq!(found(&items, &of_score, 1, 0), (None, None), "2 is about the entity of 1");
    assert_eq!(found(&items, &retracted(0), 1, 0), (None, None));
    let items = queue(vec![alert(1, 1, "a.b"), alert(2, 2, "a.b"), alert(3, 3, "c.d"), alert(4, 4, "a.b")]);
    assert_eq!(found(&items, &of_alert, 1, 0), (Some(3), Some(3)), "rather of another rule");
}

/// How a receiver is for a while.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Well,
    RefusesAll,
    RefusesEach,
    RefusesAlerts,
    Away,
    LosesAnswers,
}

fn mood() -> impl Strategy<Value = (Mood, usize)> {
    let mood = prop_oneof![
        3 => Just(Mood::Well),
        2 => Just(Mood::RefusesAll),
        2 => Just(Mood::RefusesEach),
        2 => Just(Mood::RefusesAlerts),
        1 => Just(Mood::Away),
        1 => Just(Mood::LosesAnswers),
    ];
    (mood, 1_usize..30)
}

proptest! {
    /// However a receiver refuses: each item is settled once, in order; no more than `most` of a kind are parked with none
    /// taken between; entities keep their order; and a receiver that is well again gets all but the items at fault.
    #[test]
    fn few_are_parked_in_a_row_and_the_rest_arrives(
        items in 20_u64..120, batch in 1_usize..20, seed in any::<u64>(), most in 1_u32..7, entities in 3_u64..40,
        kinds in any::<u64>(), bad in proptest::collection::btree_set(1_u64..120, 0..8), moods in proptest::collection::vec(mood(), 0..8),
    ) {
        // Room for all: of a queue that is full of a few entities' items none could vouch.
        let config = Config { batch_items_max: batch, refused_max: most, ..Config::default() };
        let mut courier = Courier::new("core", config, seed);
        let mut moods = moods.into_iter().flat_map(|(mood, requests)| std::iter::repeat_n(mood, requests));
        let (mut now, mut offered) = (0_i64, 0_u64);
        let mut settled: Vec<Settled> = Vec::new();
        let mut received: BTreeSet<u64> = BTreeSet::new();
        let mut newest_of_entity: BTreeMap<String, u64> = BTreeMap::new();
        let mut in_a_row: BTreeMap<bool, u32> = BTreeMap::new();
        let is_alert = |seq: u64| kinds >> (seq % 64) & 1 == 1;
        let mut all = items;
        for _ in 0..20_000 {
            while offered < all {
                let seq = offered + 1;
                // Beyond the items that the test is about, what somebody else brings.
                let entity = if seq > items { 1_000 + seq } else { seq % entities };
                let item = if is_alert(seq) { alert(seq, entity, "a.b") } else { score(seq, entity) };
                prop_assert!(courier.offer(item));
                offered = seq;
            }
            let parcel = match courier.next(now) {
                // The last ones were refused, and nobody can tell whether it is they: somebody else has something in the end.
                Next::Idle if courier.is_refused() && all < items + 400 => {
                    all += 1;
                    continue;
                }
                Next::Idle => break,
                Next::Wait { until_ms } => {
                    prop_assert!(until_ms > now && until_ms - now <= 15_000);
                    now = until_ms;
                    // The same, of what waits.
                    if courier.is_refused() && offered == all && all < items + 400 {
                        all += 1;
                    }
                    continue;
                }
                Next::Send(parcel) => parcel,
            };
            let sent = seqs(&parcel);
            prop_assert!(!sent.is_empty() && sent.len() <= batch);
            let mood = moods.next().unwrap_or(Mood::Well);
            let faulty = |seq: &u64| bad.contains(seq) && *seq <= items;
            let mut receive = || {
                for item in parcel.items() {
                    let entity = match &item.body {
                        Body::Alert(alert) => &alert.entity,
                        Body::Score(change) => &change.entity,
                        Body::Retracted(_) => unreachable!("none was offered"),
                    };
                    if received.insert(item.seq) {
                        let before = newest_of_entity.insert(entity.clone(), item.seq);
                        assert!(before < Some(item.seq), "{} came after {before:?}", item.seq);
                    }
                }
            };
            let answer = match mood {
                Mood::RefusesAll => refused(),
                Mood::RefusesAlerts if is_alert(sent[0]) => refused(),
                Mood::RefusesEach => refused_each(&parcel),
                Mood::Away => unavailable(None),
                _ if sent.iter().any(faulty) => refused(),
                Mood::LosesAnswers => {
                    receive();
                    Answer::Unknown { error: "reset".to_owned() }
                }
                Mood::Well | Mood::RefusesAlerts => {
                    receive();
                    Answer::TAKEN
                }
            };
            let taken = answer == Answer::TAKEN;
            let row = in_a_row.entry(is_alert(sent[0])).or_default();
            let done = courier.answered(now, answer);
            if taken {
                *row = 0;
            }
            *row += u32::try_from(done.iter().filter(|settled| settled.fate != Fate::Delivered).count()).expect("few");
            prop_assert!(*row <= most, "{row} were parked in a row");
            let refusing = matches!(mood, Mood::RefusesAll | Mood::RefusesEach | Mood::RefusesAlerts);
            let at_fault = |settled: &Settled| settled.fate == Fate::Delivered || refusing || faulty(&settled.seq);
            prop_assert!(done.iter().all(at_fault), "an item that is not at fault was parked");
            settled.extend(done);
        }
        let order: Vec<u64> = settled.iter().map(|settled| settled.seq).collect();
        prop_assert_eq!(order, (1..=all).collect::<Vec<_>>(), "each once, in order");
        for Settled { seq, fate, .. } in settled {
            prop_assert!(fate != Fate::Delivered || received.contains(&seq), "{} is not there", seq);
        }
        prop_assert_eq!((courier.depth(), courier.bytes(), courier.is_refused()), (0, 0, false));
    }
}
