use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rasid_compiler::ruleset::Severity;
use rasid_connectors::courier;
use rasid_connectors::effect::{AlertItem, Body, Item, Page, Standing};
use rasid_connectors::outbox::{Commit, Outbox};
use rasid_connectors::sink::Batch;

use super::*;

/// Is away twice, then takes everything.
struct Away(u32);

#[async_trait::async_trait]
impl Sink for Away {
    fn name(&self) -> &'static str {
        "core"
    }

    fn batch_max(&self) -> usize {
        10
    }

    async fn deliver(&mut self, _: &Batch<'_>) -> Answer {
        if self.0 == 0 {
            return Answer::TAKEN;
        }
        self.0 -= 1;
        Answer::Unavailable { retry_after_ms: Some(1_000), error: "away".to_owned() }
    }
}

fn item() -> Item {
    let body = Body::Alert(AlertItem {
        id: "al_1".to_owned(),
        rule: "a.b".to_owned(),
        severity: Severity::Sev2,
        entity: "user:u_1".to_owned(),
        opened_at_ms: 1,
        title: "t".to_owned(),
        explanation: "e".to_owned(),
        runbook: None,
        json: "{}".to_owned(),
    });
    Item { sink: "core".to_owned(), seq: 0, position: 1, committed_ms: 1, body }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_was_away_is_served_again_however_the_clock_falls() {
    // The clock moves at every look, so a pause ends between any two of them.
    for step_ms in [1, 100, 400, 999, 1_000, 2_500] {
        let memory = rasid_connectors::outbox::backend::Memory::new();
        let outbox = Arc::new(Outbox::with_backend(memory.backend()).expect("memory"));
        outbox.commit(Commit { position: 1, items: &[item()], ..Commit::default() }).expect("memory");
        let now = AtomicI64::new(0);
        let (commits, mut settled) = mpsc::channel(8);
        let (_draining, draining) = watch::channel(false);
        let delivery = Delivery {
            sink: Box::new(Away(2)),
            queue: Queue::new("core", outbox, courier::Config::default(), 1),
            more: Arc::default(),
            commits,
            stats: Arc::default(),
            clock: Clock::new(|| 0, move || now.fetch_add(step_ms, Ordering::Relaxed)),
            draining,
            until_ms: None,
            said: Said::default(),
        };
        let task = tokio::spawn(delivery.run());
        let answer = tokio::time::timeout(Duration::from_hours(24), settled.recv()).await.expect("in time");
        assert!(matches!(answer, Some(ToCommit::Settled(items, _)) if items.len() == 1), "{step_ms}");
        task.abort();
    }
}

/// Something stands at it, and is said again; what it answers is as the test has it.
#[derive(Clone)]
struct Keeper {
    said: Arc<AtomicU64>,
    answer: Arc<Mutex<Answer>>,
}

#[async_trait::async_trait]
impl Sink for Keeper {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn batch_max(&self) -> usize {
        10
    }

    async fn deliver(&mut self, _: &Batch<'_>) -> Answer {
        self.answer.lock().expect("whole").clone()
    }

    async fn say_again(&mut self, _: i64) -> Option<Answer> {
        self.said.fetch_add(1, Ordering::Relaxed);
        Some(self.answer.lock().expect("whole").clone())
    }

    fn take_standing(&mut self) -> Vec<Standing> {
        let page = Page { starts_ms: 1, ends_ms: 2, json: "{}".to_owned() };
        match self.said.load(Ordering::Relaxed) {
            1 => vec![Standing { sink: "alertmanager".to_owned(), key: "a.b SEV1".to_owned(), page: Some(page) }],
            _ => Vec::new(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_stands_is_said_again_every_minute_and_is_no_delivery() {
    let outbox = Arc::new(Outbox::with_backend(rasid_connectors::outbox::backend::Memory::new().backend()).expect("memory"));
    let (commits, mut settled) = mpsc::channel(64);
    let (_draining, draining) = watch::channel(false);
    let away = Answer::Unavailable { retry_after_ms: None, error: "away".to_owned() };
    let sink = Keeper { said: Arc::default(), answer: Arc::new(Mutex::new(Answer::TAKEN)) };
    let stats: Arc<Mutex<SinkStats>> = Arc::default();
    let begun = tokio::time::Instant::now();
    let delivery = Delivery {
        sink: Box::new(sink.clone()),
        queue: Queue::new("alertmanager", Arc::clone(&outbox), courier::Config::default(), 1),
        more: Arc::default(),
        commits,
        stats: Arc::clone(&stats),
        clock: Clock::new(|| 0, move || i64::try_from(begun.elapsed().as_millis()).expect("short")),
        draining,
        until_ms: None,
        said: Said::default(),
    };
    let task = tokio::spawn(delivery.run());
    let said = || sink.said.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(said(), 0, "not at once: what waits may take it back");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(said(), 1);
    assert!(matches!(settled.recv().await, Some(ToCommit::Settled(none, standing)) if none.is_empty() && standing.len() == 1));
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!((10..=11).contains(&said()), "{}", said());
    assert_eq!(*stats.lock().expect("whole"), SinkStats::default(), "nothing is counted, the breaker is not touched");

    // Soon again while it is not taken; not at all while the queue itself is left alone.
    let before = said();
    *sink.answer.lock().expect("whole") = away;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!((20..=30).contains(&(said() - before)), "{}", said() - before);
    assert_eq!(*stats.lock().expect("whole"), SinkStats::default());
    outbox
        .commit(Commit { position: 1, items: &[Item { sink: "alertmanager".to_owned(), ..item() }], ..Commit::default() })
        .expect("memory");
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_ne!(stats.lock().expect("whole").breaker, Breaker::Closed);
    let before = said();
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(said(), before, "its queue asks");
    *sink.answer.lock().expect("whole") = Answer::TAKEN;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(said() > before);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_does_not_take_is_a_figure_until_it_does() {
    let memory = rasid_connectors::outbox::backend::Memory::new();
    let outbox = Arc::new(Outbox::with_backend(memory.backend()).expect("memory"));
    outbox.commit(Commit { position: 1, items: &[item()], ..Commit::default() }).expect("memory");
    let now = Arc::new(AtomicI64::new(0));
    let (commits, _settled) = mpsc::channel(8);
    let (_draining, draining) = watch::channel(false);
    let (hand, stats) = (Arc::clone(&now), Arc::<Mutex<SinkStats>>::default());
    let mut delivery = Delivery {
        sink: Box::new(Away(2)),
        queue: Queue::new("core", outbox, courier::Config::default(), 1),
        more: Arc::default(),
        commits,
        stats: Arc::clone(&stats),
        clock: Clock::new(|| 0, move || hand.load(Ordering::Relaxed)),
        draining,
        until_ms: None,
        said: Said::default(),
    };
    let trouble = || stats.lock().expect("whole").trouble.clone().map(|trouble| (trouble.why, trouble.since_ms));
    delivery.queue.committed();
    for (at_ms, expected) in
        [(1_000, Some(("not reached".to_owned(), 1_000))), (20_000, Some(("not reached".to_owned(), 1_000))), (60_000, None)]
    {
        now.store(at_ms, Ordering::Relaxed);
        assert!(delivery.turn().await.expect("memory"), "a batch is sent at {at_ms}");
        assert_eq!(trouble(), expected, "{at_ms}");
    }
}
