use std::time::Duration;

use rasid_connectors::courier::{Courier, Next};
use rasid_connectors::effect::{Body, Fate, Item, Settled};
use rasid_connectors::sink::core_api::Config;
use rasid_connectors::sink::{Answer, Batch, CoreApiSink, Reach, Sink as _};
use rasid_connectors::webhook::Webhook;
use rasid_testbed::{CoreApi, Fault};
use rstest::rstest;
use tokio::time::timeout;

use super::{alert, carry, change, courier, delivered, due, item, now_ms, retracted};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// Long enough for a loaded machine to answer, short enough to be waited for.
const TIMEOUT: Duration = Duration::from_secs(5);

fn sink(core: &CoreApi, secrets: &[&str]) -> CoreApiSink {
    let config = Config { url: core.url(), reach: Reach::within(TIMEOUT, TIMEOUT), ..Config::default() };
    CoreApiSink::new("sink", &config, Webhook::new(secrets).expect("good secrets")).expect("an address")
}

fn filled(items: impl IntoIterator<Item = Item>, batch_max: usize) -> (Courier, Vec<Item>) {
    let mut courier = courier(batch_max);
    let items: Vec<Item> = items.into_iter().collect();
    for item in &items {
        assert!(courier.offer(item.clone()));
    }
    (courier, items)
}

/// What core has is what was offered, in order, byte for byte.
fn assert_all_there(core: &CoreApi, items: &[Item]) {
    let accepted: Vec<(String, String)> =
        core.accepted().into_iter().map(|event| (event.id, String::from_utf8(event.data).expect("UTF-8"))).collect();
    let offered: Vec<(String, String)> = items
        .iter()
        .map(|item| match &item.body {
            Body::Alert(alert) => (alert.id.clone(), alert.json.clone()),
            other => panic!("only alerts are compared: {other:?}"),
        })
        .collect();
    assert_eq!(accepted, offered);
    assert_eq!(core.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn every_kind_goes_to_its_place_and_order_is_kept() {
    let core = CoreApi::start(SECRET).await;
    let now = now_ms();
    let gone = rasid_engine::ScoreChange { score: None, version: 9, ..change("user:u_2", 9, 50, now) };
    let (mut courier, items) = filled(
        [
            alert(1, "auth.otp_flood", now),
            alert(2, "auth.otp_flood", now),
            item(3, Body::Score(change("user:u_1", 8, 70, now))),
            item(4, Body::Score(gone)),
            retracted(5, "auth.otp_flood"),
            alert(6, "auth.otp_flood", now),
        ],
        10,
    );
    let settled = carry(&mut courier, &mut sink(&core, &[SECRET]), &mut now_ms(), 4).await;
    assert_eq!(delivered(&settled), [1, 2, 3, 4, 5, 6]);
    let accepted = core.accepted();
    let places: Vec<(&str, &str)> = accepted.iter().map(|event| (event.path.as_str(), event.id.as_str())).collect();
    assert_eq!(
        places,
        [
            ("/alerts", "al_1"),
            ("/alerts", "al_2"),
            ("/risk-scores", "user:u_1#8"),
            ("/risk-scores", "user:u_2#9"),
            ("/alerts/retracted", "retract_5"),
            ("/alerts", "al_6"),
        ]
    );
    let Body::Alert(first) = &items[0].body else { panic!("an alert") };
    assert_eq!(accepted[0].data, first.json.as_bytes());
    let score: rasid_engine::Score = serde_json::from_slice(&accepted[2].data).expect("a score");
    assert_eq!(Some(score), change("user:u_1", 8, 70, now).score);
    assert_eq!(core.complaints(), Vec::<String>::new());
}

#[rstest]
#[case::server_error(Fault::Status(500), false)]
#[case::bad_gateway(Fault::Status(502), false)]
#[case::moved(Fault::Status(301), false)]
#[case::unauthorized(Fault::Status(401), false)]
#[case::forbidden(Fault::Status(403), false)]
#[case::not_found(Fault::Status(404), false)]
#[case::request_timeout(Fault::Status(408), false)]
#[case::too_early(Fault::Status(425), false)]
#[case::too_many(Fault::TooMany { retry_after_s: 7 }, false)]
#[case::accepted_but_no_receipt(Fault::Status(202), false)]
#[case::silence(Fault::Silence, false)]
#[case::reset_in_the_request(Fault::ResetInRequest, false)]
#[case::reset_in_the_answer(Fault::ResetInAnswer, true)]
#[case::lost_ack(Fault::LostAck, true)]
#[case::slow_drip(Fault::SlowDrip, true)]
#[case::endless(Fault::Endless, true)]
#[case::a_page(Fault::Page, false)]
#[tokio::test]
async fn trouble_that_passes_loses_nothing_and_parks_nothing(#[case] fault: Fault, #[case] taken: bool) {
    let core = CoreApi::start(SECRET).await;
    let (mut courier, items) = filled((1..=6).map(|seq| alert(seq, "auth.otp_flood", 0)), 4);
    core.script([fault.clone(), Fault::None, fault.clone(), fault.clone()]);
    let mut now = now_ms();
    let begun = now;
    let mut sink = sink(&core, &[SECRET]);
    let all = carry(&mut courier, &mut sink, &mut now, 5);
    let settled = timeout(Duration::from_mins(2), all).await.expect("an answer in bounded time");
    assert_eq!(delivered(&settled), [1, 2, 3, 4, 5, 6]);
    assert_all_there(&core, &items);
    let requests = core.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests[0] == requests[1] && requests[1] != requests[2] && requests[2] == requests[4], "{requests:?}");
    // The first batch was taken twice; the second three times.
    assert_eq!(core.duplicates().len(), if taken { 4 + 2 * 2 } else { 0 });
    assert!(!matches!(fault, Fault::TooMany { .. }) || now >= begun + 3 * 7_000, "Retry-After is kept to");
}

#[tokio::test]
async fn retry_after_is_heard() {
    let core = CoreApi::start(SECRET).await;
    core.fail(Fault::TooMany { retry_after_s: 7 });
    let items = [alert(1, "auth.otp_flood", 0)];
    let answer = sink(&core, &[SECRET]).deliver(&Batch { id: "dl_1", now_ms: now_ms(), items: &items }).await;
    assert_eq!(answer, Answer::Unavailable { retry_after_ms: Some(7_000), error: "429 slow down".to_owned() });
    let (mut courier, _) = filled(items, 1);
    let Next::Send(_) = courier.next(0) else { panic!("something to send") };
    courier.answered(0, answer);
    assert!(matches!(courier.next(0), Next::Wait { until_ms: 7_000.. }));
}

#[tokio::test]
async fn items_at_fault_are_parked_with_the_answer_and_later_ones_still_go() {
    let core = CoreApi::start(SECRET).await;
    core.poison_if(|event| event.id == "al_3" || event.id == "al_7");
    core.refuse_if(|event| event.id == "al_5");
    let (mut courier, items) = filled((1..=20).map(|seq| alert(seq, "auth.otp_flood", 0)), 8);
    let settled = carry(&mut courier, &mut sink(&core, &[SECRET]), &mut now_ms(), 30).await;
    let parked: Vec<(u64, &str)> = settled
        .iter()
        .filter_map(|settled| if let Fate::Parked { answer } = &settled.fate { Some((settled.seq, answer.as_str())) } else { None })
        .collect();
    let poisoned = r#"422 {"title":"poisoned by the test"}"#;
    assert_eq!(parked, [(3, poisoned), (5, "refused by the test"), (7, poisoned)]);
    let fine: Vec<Item> = items.into_iter().filter(|item| ![3, 5, 7].contains(&item.seq)).collect();
    assert_all_there(&core, &fine);
    assert_eq!(core.duplicates(), Vec::<String>::new());
}

#[tokio::test]
async fn a_receiver_that_is_away_gets_everything_when_it_is_back() {
    let mut core = CoreApi::start(SECRET).await;
    let mut sink = sink(&core, &[SECRET]);
    let (mut courier, items) = filled((1..=50).map(|seq| alert(seq, "auth.otp_flood", 0)), 8);
    let mut now = now_ms();
    let mut settled: Vec<Settled> = Vec::new();
    for attempt in 0..8 {
        if attempt == 1 {
            core.stop().await;
        }
        if attempt == 7 {
            core.restart().await;
        }
        let parcel = due(&mut courier, &mut now);
        let answer = sink.deliver(&parcel.batch(now)).await;
        assert_eq!(matches!(answer, Answer::Taken { .. }), attempt == 0 || attempt == 7, "{answer:?}");
        settled.extend(courier.answered(now, answer));
    }
    settled.extend(carry(&mut courier, &mut sink, &mut now, 6).await);
    assert_eq!(delivered(&settled), (1..=50).collect::<Vec<_>>());
    assert_all_there(&core, &items);
}

#[rstest]
#[tokio::test]
async fn whatever_mix_of_faults_each_alert_is_there_once_and_in_order(#[values(1, 2, 3, 4)] seed: u64) {
    let core = CoreApi::start(SECRET).await;
    let faults =
        [Fault::Status(503), Fault::TooMany { retry_after_s: 1 }, Fault::ResetInRequest, Fault::ResetInAnswer, Fault::LostAck, Fault::Page];
    core.mix(seed, 60, &faults);
    let (mut courier, items) = filled((1..=60).map(|seq| alert(seq, "auth.otp_flood", 0)), 3);
    let settled = carry(&mut courier, &mut sink(&core, &[SECRET]), &mut now_ms(), 500).await;
    assert_eq!(delivered(&settled).len(), 60, "seed {seed}");
    assert_all_there(&core, &items);
    assert!(core.requests().len() > 30, "faults did happen");
}

#[tokio::test]
async fn signatures_fit_while_secrets_are_changed_and_a_wrong_one_is_waited_out() {
    let core = CoreApi::start(OTHER).await;
    let items = [alert(1, "auth.otp_flood", 0)];
    let batch = Batch { id: "dl_1", now_ms: now_ms(), items: &items };
    assert_eq!(sink(&core, &[SECRET, OTHER]).deliver(&batch).await, Answer::TAKEN);
    let answer = sink(&core, &[SECRET]).deliver(&batch).await;
    assert!(matches!(&answer, Answer::Unavailable { error, .. } if error.starts_with("401")), "{answer:?}");
    assert_eq!(core.complaints(), ["/alerts: the signature does not fit"]);
}

#[tokio::test]
async fn nobody_there_is_told_from_nobody_knows() {
    let mut core = CoreApi::start(SECRET).await;
    let mut sink = sink(&core, &[SECRET]);
    let items = [alert(1, "auth.otp_flood", 0)];
    let batch = Batch { id: "dl_1", now_ms: now_ms(), items: &items };
    core.stop().await;
    assert!(matches!(sink.deliver(&batch).await, Answer::Unavailable { .. }));
    core.restart().await;
    core.script([Fault::Silence, Fault::LostAck]);
    for _ in 0..2 {
        assert!(matches!(sink.deliver(&batch).await, Answer::Unknown { .. }));
    }
}

#[rstest]
#[case::whole_batches(false)]
#[case::one_by_one_in_the_answer(true)]
#[tokio::test]
async fn a_core_that_refuses_everything_parks_five_and_gets_the_rest_when_it_is_mended(#[case] each: bool) {
    let core = CoreApi::start(SECRET).await;
    let (mut courier, items) = filled((1..=600).map(|seq| alert(seq, "auth.otp_flood", 0)), 256);
    if each {
        core.refuse_if(|_| true);
    } else {
        core.fail(Fault::Status(422));
    }
    let mut sink = sink(&core, &[SECRET]);
    let mut now = now_ms();
    let mut settled = Vec::new();
    for _ in 0..5 {
        while let Next::Send(parcel) = courier.next(now) {
            let answer = sink.deliver(&parcel.batch(now)).await;
            settled.extend(courier.answered(now, answer));
        }
        let Next::Wait { until_ms } = courier.next(now) else { panic!("the circuit is open") };
        now = until_ms;
    }
    assert!(courier.is_refused() && core.requests().len() < 40, "{} requests", core.requests().len());
    assert_eq!(settled.iter().map(|settled| settled.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    core.heal();
    settled.extend(carry(&mut courier, &mut sink, &mut now, 10).await);
    assert_eq!(delivered(&settled), (6..=600).collect::<Vec<_>>());
    assert_all_there(&core, &items[5..]);
    assert!(!courier.is_refused());
}
