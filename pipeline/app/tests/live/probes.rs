//! Probes while everything moves: whoever reads the figures holds up nobody who changes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::receiver::{Receiver, client, events, send};
use crate::site::Site;

/// How long it is probed. Two reads of one figure in one statement, with a commit in between, stopped the service in one of three
/// runs beside six busy loops, and in none of four on a quiet machine: a test that runs beside others sees it, in the end.
const LENGTH: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_read_as_often_as_one_likes_while_they_change() {
    let site = Site::new("").await;
    let receiver = Receiver::start(&site, 1_024).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut probing = JoinSet::new();
    for index in 0..8_usize {
        let (done, client) = (Arc::clone(&done), client());
        let url = format!("{}/{}", receiver.url, ["readyz", "metrics", "healthz?fresh"][index % 3]);
        probing.spawn(async move {
            let mut probes = 0_u64;
            while !done.load(Relaxed) {
                let answer = client.get(&url).send().await.expect("a probe gets through");
                assert!(answer.bytes().await.is_ok_and(|body| !body.is_empty()), "{url}");
                probes += 1;
            }
            probes
        });
    }
    // Small requests, one after the other: each is a commit of its own.
    let mut sending = JoinSet::new();
    for sender in 0..2_u64 {
        let (url, client, began) = (receiver.url.clone(), client(), Instant::now());
        sending.spawn(async move {
            let mut sent = 0_u64;
            while began.elapsed() < LENGTH {
                let (status, body) = send(&client, &url, &format!("probed-{sender}-{sent}"), &events(sender * 1_000_000 + sent, 1)).await;
                assert_eq!(status, 202, "{body}");
                sent += 1;
            }
            sent
        });
    }
    let sent: u64 = sending.join_all().await.into_iter().sum();
    done.store(true, Relaxed);
    let probes: u64 = probing.join_all().await.into_iter().sum();
    eprintln!("{probes} probes beside {sent} requests");
    assert!(sent > 20 && probes > 200, "{probes} probes beside {sent} requests");
    site.settle(Duration::from_mins(1)).await;
    let mut service = receiver.service;
    assert!(service.drain().await.success());
    service.assert_sound();
}
