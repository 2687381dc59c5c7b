//! Time stands still here while there is anything to do, so that no answer depends on how busy the machine is.

mod script;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;
use tokio::time::timeout;

use super::*;
use crate::source::SourceRecord;
use script::{Book, Heard, Scripted, Step, clocks, event};

const SOON: Duration = Duration::from_secs(20);

/// Waits for a stream that is catching up as long as a test may take, and for one that opens as well.
fn patient() -> MergeConfig {
    MergeConfig {
        patience: SOON,
        opening: SOON,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(5),
        ..MergeConfig::default()
    }
}

struct Run {
    book: Book,
    heard: Heard,
    result: Result<Merged, Error>,
    lags: Vec<Lag>,
}

async fn run_with(config: MergeConfig, offsets: BTreeMap<String, u64>, book: Book, streams: Vec<Scripted>) -> Run {
    let heard = Heard::default();
    let (merge, handle) = Merge::new(config, offsets, Arc::new(heard.clone()));
    for stream in streams {
        assert!(handle.add(Arc::new(stream)).await);
    }
    let lags = handle.lags().clone();
    drop(handle);
    let merging = merge.run(book.clone(), std::future::pending());
    let result = timeout(SOON, merging).await.expect("the merge ends");
    Run { book, heard, result, lags: lags.each() }
}

async fn run(config: MergeConfig, streams: Vec<Scripted>) -> Run {
    run_with(config, BTreeMap::new(), Book::default(), streams).await
}

#[tokio::test(start_paused = true)]
async fn unequal_lag_comes_out_in_the_order_of_time() {
    let behind = Scripted::new("behind", vec![clocks((0..3000).map(|n| n * 10))]);
    let middle = Scripted::new("middle", vec![clocks((0..900).map(|n| 15_000 + n * 10 + 3)), clocks([24_003, 24_013])]);
    let ahead = Scripted::new("ahead", vec![Step::Pause(30), clocks((0..50).map(|n| 29_000 + n * 7 + 1))]);
    let run = run(patient(), vec![ahead, behind, middle]).await;
    assert_eq!(run.result.expect("it ends"), Merged { records: 3952, given_up: Vec::new() });
    let order = run.book.clocks();
    assert_eq!(order.len(), 3952);
    assert!(order.is_sorted(), "oldest first");
    assert!(run.lags.iter().all(|lag| lag.state == State::Ended && lag.read == lag.durable && lag.durable.is_some()));
}

#[tokio::test(start_paused = true)]
async fn of_equal_clocks_the_stream_added_first_goes_first() {
    let run = run(patient(), vec![Scripted::new("b", vec![clocks([5, 6])]), Scripted::new("a", vec![clocks([5, 6])])]).await;
    assert_eq!(run.book.streams(), ["b", "a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_without_a_clock_goes_at_once() {
    let odd = Step::Records(vec![
        SourceRecord { offset: 1, bytes: event(9000) },
        SourceRecord { offset: 2, bytes: b"what is this".to_vec() },
        SourceRecord { offset: 3, bytes: event(9001) },
    ]);
    let run = run(patient(), vec![Scripted::new("odd", vec![odd]), Scripted::new("even", vec![clocks([9000, 9002])])]).await;
    assert_eq!(run.book.streams(), ["odd", "odd", "even", "odd", "even"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_at_its_head_is_not_waited_for() {
    let quiet = Scripted::new("quiet", vec![clocks([1]), Step::AtHead, Step::Pause(300), clocks([2])]);
    let busy = Scripted::new("busy", vec![clocks(100..400)]);
    let run = run(patient(), vec![quiet, busy]).await;
    assert_eq!(run.book.streams().last().map(String::as_str), Some("quiet"), "it came too late to be first");
    assert_eq!(run.book.clocks().len(), 302);
}

#[tokio::test(start_paused = true)]
async fn what_is_catching_up_is_waited_for() {
    let slow = Scripted::new("slow", vec![clocks([1]), Step::Pause(60), clocks([2]), Step::Pause(60), clocks([3])]);
    let fast = Scripted::new("fast", vec![clocks(10..400)]);
    let run = run(patient(), vec![fast, slow]).await;
    assert!(run.book.clocks().is_sorted());
}

#[tokio::test(start_paused = true)]
async fn patience_has_an_end() {
    let config = MergeConfig { patience: Duration::from_millis(40), opening: Duration::from_millis(40), ..patient() };
    let stuck = Scripted::new("stuck", vec![clocks([1]), Step::Pause(1500), clocks([2])]);
    let never = Scripted::new("opens late", vec![Step::Pause(1500), clocks([0])]);
    let run = run(config, vec![stuck, never, Scripted::new("other", vec![clocks(10..200)])]).await;
    let streams = run.book.streams();
    assert_eq!(streams.len(), 193);
    assert!(streams[191..].iter().all(|stream| stream != "other"), "the others went on without them");
}

#[tokio::test(start_paused = true)]
async fn what_fails_while_it_catches_up_is_waited_for() {
    let config = MergeConfig { backoff_min: Duration::from_millis(60), backoff_max: Duration::from_millis(60), ..patient() };
    let shaky = Scripted::new("shaky", vec![clocks([1]), Step::Fail, Step::Fail, clocks([2]), Step::AtHead, Step::Fail, clocks([3])]);
    let run = run(config, vec![Scripted::new("steady", vec![clocks(10..400)]), shaky]).await;
    let clocks = run.book.clocks();
    assert_eq!(clocks[..3], [1, 2, 10], "and not for what fails at its head");
    assert_eq!(clocks.last(), Some(&3));
}

#[rstest]
#[case::in_the_middle(Step::Fail, &["fault", "fault", "recovered", "fault", "recovered", "ended"])]
#[case::of_the_opening(Step::FailOpening, &["fault", "fault", "fault", "recovered", "fault", "fault", "recovered", "ended"])]
#[tokio::test(start_paused = true)]
async fn a_fault_stays_with_its_stream(#[case] fault: Step, #[case] kinds: &[&str]) {
    let steps = vec![clocks(0..50), fault.clone(), fault.clone(), clocks(50..80), fault, clocks(80..90)];
    let steady = Scripted::new("steady", vec![clocks(0..90)]);
    let run = run(patient(), vec![Scripted::new("shaky", steps), steady]).await;
    assert_eq!(run.result.expect("it goes on").records, 180);
    assert_eq!(run.book.offsets("shaky"), (1..=90).collect::<Vec<_>>());
    assert_eq!(run.book.offsets("steady"), (1..=90).collect::<Vec<_>>());
    assert_eq!(run.heard.kinds("shaky"), kinds);
    assert_eq!(run.lags[0].faults, kinds.iter().filter(|kind| **kind == "fault").count() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_lasting_fault_gives_up_its_stream_alone() {
    let run =
        run(patient(), vec![Scripted::new("broken", vec![clocks(0..5), Step::Break]), Scripted::new("steady", vec![clocks(0..90)])]).await;
    assert_eq!(run.result.expect("it goes on"), Merged { records: 95, given_up: vec!["broken".to_owned()] });
    assert_eq!(run.heard.alerts(), ["broken"]);
    assert_eq!(run.lags[0].state, State::GivenUp);
}

#[tokio::test(start_paused = true)]
async fn repeats_are_passed_over_and_counted() {
    let record = |offset| SourceRecord { offset, bytes: event(1) };
    let steps = vec![Step::Records(vec![record(1), record(2), record(2), record(1), record(3)]), Step::Records(vec![record(3), record(4)])];
    let run = run(patient(), vec![Scripted::new("stutters", steps)]).await;
    assert_eq!(run.book.offsets("stutters"), [1, 2, 3, 4]);
    assert_eq!(run.lags[0].repeated, 3);
    assert_eq!(run.heard.kinds("stutters"), ["repeated", "repeated", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_append_ends_it() {
    let book = Book::default().failing_at(3);
    let config = MergeConfig { batch_records: 10, ..patient() };
    let run = run_with(config, BTreeMap::new(), book, vec![Scripted::new("a", vec![clocks(0..200)])]).await;
    assert!(matches!(run.result, Err(Error::Append { .. })));
    assert_eq!(run.book.clocks().len(), 30);
}

#[tokio::test(start_paused = true)]
async fn batches_in_flight_are_few_and_keep_their_order() {
    let book = Book::default().taking(Duration::from_millis(2));
    let config = MergeConfig { batch_records: 10, in_flight: 3, ..patient() };
    let run = run_with(config, BTreeMap::new(), book, vec![Scripted::new("a", vec![clocks(0..500)])]).await;
    assert_eq!(run.book.offsets("a"), (1..=500).collect::<Vec<_>>());
    assert_eq!(run.book.most_in_flight(), 3, "it looks ahead, and no farther");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_stalls_holds_up_reading() {
    let book = Book::default().taking(Duration::from_hours(1));
    let config = MergeConfig { prefetch_records: 40, batch_records: 10, in_flight: 2, ..patient() };
    let source = Scripted::new("a", (0..100).map(|n| clocks(n * 10..n * 10 + 10)).collect());
    let read = source.read();
    let (merge, handle) = Merge::new(config, BTreeMap::new(), Arc::new(Heard::default()));
    assert!(handle.add(Arc::new(source)).await);
    let running = merge.run(book.clone(), std::future::pending());
    assert!(timeout(Duration::from_millis(300), running).await.is_err(), "it waits");
    // Two batches in flight, one made up; a buffer of 40 and the fetch that did not fit.
    assert!(read.load(std::sync::atomic::Ordering::Relaxed) <= 2 * 10 + 10 + 40 + 20, "read {read:?}");
    assert_eq!(book.clocks().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn stopped_and_resumed_nothing_is_lost_or_doubled() {
    let (book, mut rounds) = (Book::default().taking(Duration::from_millis(1)), 0);
    loop {
        rounds += 1;
        let streams = ["a", "b"].map(|name| Scripted::new(name, (0..50).map(|n| clocks(n * 20..n * 20 + 20)).collect()));
        let config = MergeConfig { batch_records: 30, ..patient() };
        let (merge, handle) = Merge::new(config, book.newest(), Arc::new(Heard::default()));
        for stream in streams {
            handle.add(Arc::new(stream)).await;
        }
        drop(handle);
        let before = book.clocks().len() as u64;
        let merged = merge.run(book.clone(), tokio::time::sleep(Duration::from_millis(rounds * 3))).await.expect("it stops");
        assert_eq!(merged.records, book.clocks().len() as u64 - before, "what was handed over was waited for");
        if merged.records == 0 && before == 2000 {
            break;
        }
    }
    assert!(rounds > 2, "it was stopped in the middle");
    assert_eq!(book.offsets("a"), (1..=1000).collect::<Vec<_>>());
    assert_eq!(book.offsets("b"), (1..=1000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_added_while_it_runs() {
    let (merge, handle) = Merge::new(patient(), BTreeMap::from([("late".to_owned(), 5)]), Arc::new(Heard::default()));
    let book = Book::default();
    let running = tokio::spawn(merge.run(book.clone(), std::future::pending()));
    handle.add(Arc::new(Scripted::new("early", vec![clocks(0..10)]))).await;
    while book.clocks().len() < 10 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    handle.add(Arc::new(Scripted::new("late", vec![clocks(0..10)]))).await;
    handle.add(Arc::new(Scripted::new("late", vec![clocks(0..10)]))).await;
    drop(handle);
    let merged = timeout(SOON, running).await.expect("it ends").expect("no panic").expect("no error");
    assert_eq!(merged.records, 15, "the log had half of it, and a name stands for one stream");
    assert_eq!(book.offsets("late"), [6, 7, 8, 9, 10]);
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_i64..1000, 1_i64..60).prop_map(|(from, count)| clocks(from..from + count)),
        1 => Just(Step::AtHead),
        1 => Just(Step::Fail),
        1 => Just(Step::FailOpening),
        1 => (0_u64..3).prop_map(Step::Pause),
    ];
    prop::collection::vec(step, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the streams do, each one's records are in the log once, in their order.
    #[test]
    fn every_record_once_and_in_order(streams in prop::collection::vec(steps(), 1..5), batch_records in 1_usize..50, prefetch_records in 1_usize..50) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let expected: Vec<u64> = streams.iter().map(|steps| script::count(steps)).collect();
        let config = MergeConfig { batch_records, prefetch_records, patience: Duration::from_millis(1), opening: Duration::from_millis(1), ..patient() };
        let streams = streams.into_iter().enumerate().map(|(index, steps)| Scripted::new(&format!("s{index}"), steps)).collect();
        let run = runtime.block_on(run(config, streams));
        prop_assert_eq!(run.result.expect("it ends").records, expected.iter().sum::<u64>());
        for (index, expected) in expected.into_iter().enumerate() {
            prop_assert_eq!(run.book.offsets(&format!("s{index}")), (1..=expected).collect::<Vec<_>>());
        }
    }
}
