//! More files in a folder than the service may have open.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::receiver::{Receiver, events};
use crate::service::PATIENCE;
use crate::site::Site;

const FILES: u64 = 1_100;
/// What a service gets where nobody has said otherwise.
const DESCRIPTORS: u32 = 1_024;

/// Seconds of processor time that a process has taken.
fn processor_s(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|field| fields.get(*field).expect("a field").parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(10 * ticks).as_secs_f64() // to programs Linux always speaks of 100 ticks a second
}

/// Each is read, once, and then they cost next to nothing: they are closed, and looked for where they lie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_files_than_descriptors_are_all_read_and_then_rest() {
    let site = Site::new("").await;
    let write = |number: u64, count: u64| {
        fs::write(site.path("events").join(format!("{number:04}.jsonl")), events(number, count)).expect("a writable folder");
    };
    (0..FILES).for_each(|number| write(number, 1));
    let mut receiver = Receiver::start(&site, DESCRIPTORS).await;
    site.settle(PATIENCE).await;
    let counted = |status: &Value| status.pointer("/stats/engine/counters/events").and_then(Value::as_u64);
    assert_eq!(counted(&site.status().expect("it answers")), Some(FILES));
    let id = receiver.service.id();
    let open = || fs::read_dir(format!("/proc/{id}/fd")).expect("it runs").count();
    // What has been read is closed after a minute at the latest; the load of a test machine is no fault of the service's.
    let closed = tokio::time::timeout(PATIENCE, async {
        while open() > 128 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    assert!(closed.await.is_ok(), "{} descriptors are open", open());
    let (before, seconds) = (processor_s(id), 5.0);
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let share = (processor_s(id) - before) / seconds;
    assert!(share < 0.3, "{:.0} % of a core for files that rest", share * 100.0);
    // One that has rested is read on.
    let mut file = OpenOptions::new().append(true).open(site.path("events/0007.jsonl")).expect("it is there");
    file.write_all(events(FILES, 1).as_bytes()).expect("a writable folder");
    let read_on = tokio::time::timeout(PATIENCE, async {
        while site.status().and_then(|status| counted(&status)) != Some(FILES + 1) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    assert!(read_on.await.is_ok(), "{:?}", site.status().and_then(|status| counted(&status)));
    assert!(receiver.service.drain().await.success());
}
