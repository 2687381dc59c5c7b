//! A disk without room: what was asked for is done once there is some, and once only.

use proptest::prelude::*;

use super::tests::{alert, item};
use super::*;
use crate::effect::Fate;

/// Commits positions 1 to `last`, an item each, the first of them settled on the way, on a disk that is full from the write
/// `full_after` on for `refusals` tries.
fn commits_over_a_full_disk(last: u64, full_after: u64, refusals: u32) -> (Outbox, u32) {
    let disk = backend::Memory::new();
    let outbox = Outbox::with_backend(disk.backend()).unwrap();
    disk.fill_after(full_after);
    let mut refused = 0;
    for position in 1..=last {
        let json = format!("{{\"position\":{position}}}");
        let alerts = [CommittedAlert { position, json: json.as_bytes() }];
        let items = [item("core", position, alert(position))];
        let settled = [Settled { sink: "core".to_owned(), seq: position - 1, fate: Fate::Delivered }];
        let commit = Commit { position, alerts: &alerts, items: &items, settled: &settled, standing: &[] };
        while let Err(error) = outbox.commit(commit) {
            assert_eq!(error.disposition(), Disposition::Retry, "{error:?}");
            refused += 1;
            // Whoever only reads waits too, or reads what was committed.
            if let Ok(pending) = outbox.pending("core", 0, 10) {
                assert!(pending.len() <= 2, "{pending:?}");
            }
            if refused == refusals {
                disk.heal();
            }
        }
    }
    (outbox, refused)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn commits_that_had_no_room_are_there_once(full_after in 0_u64..90, refusals in 1_u32..4) {
        let (outbox, _) = commits_over_a_full_disk(12, full_after, refusals);
        prop_assert_eq!(outbox.position(), 12);
        let positions: Vec<u64> = outbox.alerts_between(1, 12).unwrap().into_iter().map(|(position, _)| position).collect();
        prop_assert_eq!(positions, (1..=12).collect::<Vec<_>>());
        let pending: Vec<u64> = outbox.pending("core", 0, 100).unwrap().into_iter().map(|item| item.position).collect();
        prop_assert_eq!(pending, vec![12], "all others were settled");
        prop_assert_eq!(outbox.depth("core"), 1);
    }
}

#[test]
fn a_full_disk_is_met_at_all() {
    assert!((0..60).step_by(7).all(|full_after| commits_over_a_full_disk(12, full_after, 2).1 == 2));
}

#[test]
fn a_commit_whose_end_is_not_known_is_durable_before_anybody_is_told() {
    // The last write of a commit is of the header, which makes it count: then the sync fails for want of room.
    for full_after in 0..60 {
        let disk = backend::Memory::new();
        let outbox = Outbox::with_backend(disk.backend()).unwrap();
        disk.fill_after(full_after);
        let (alerts, items) = ([CommittedAlert { position: 1, json: b"{}" }], [item("core", 1, alert(1))]);
        let commit = || outbox.commit(Commit { position: 1, alerts: &alerts, items: &items, settled: &[], standing: &[] });
        if commit().is_ok() {
            continue;
        }
        disk.heal();
        commit().unwrap();
        assert_eq!(outbox.pending("core", 0, 10).unwrap().len(), 1);
        disk.crash(full_after);
        drop(outbox);
        let outbox = Outbox::with_backend(disk.backend()).unwrap();
        assert_eq!((outbox.position(), outbox.pending("core", 0, 10).unwrap().len()), (1, 1));
    }
}
