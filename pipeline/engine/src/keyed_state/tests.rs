use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Default, Serialize, Deserialize)]
struct Seen {
    times: usize,
}

impl Keyed for Seen {
    fn cells(&self) -> usize {
        self.times
    }
}

fn see(table: &mut Table<Seen>, key: u64, at: i64) -> usize {
    table.update(key, at, |seen| {
        seen.times += 1;
        seen.times
    })
}

#[test]
fn an_expired_entry_reads_as_absent_whether_swept_or_not() {
    let mut table = Table::new(100, usize::MAX);
    assert_eq!(see(&mut table, 1, 0), 1);
    assert!(table.get(1, 99).is_some());
    assert!(table.get(1, 100).is_none());
    assert_eq!(see(&mut table, 1, 100), 1, "a fresh state");
}

#[test]
fn the_fewest_cells_and_then_the_oldest_leave_first() {
    let entry = size_of::<Entry<Seen>>();
    let mut table = Table::new(i64::MAX / 2, 8 * entry + 5 * CELL_BYTES);
    see(&mut table, 1, 5);
    see(&mut table, 2, 6);
    see(&mut table, 2, 7);
    see(&mut table, 3, 8);
    assert_eq!(table.evicted(), 0);
    see(&mut table, 4, 9);
    see(&mut table, 5, 10);
    assert!(table.evicted() > 0);
    assert!(table.get(1, 10).is_none() && table.get(2, 10).is_some());
}

#[test]
fn a_saved_table_lacks_nothing_and_damage_is_told() {
    let mut table = Table::new(100, usize::MAX);
    for key in 0..40 {
        see(&mut table, key * 7 % 41, 5);
    }
    let bytes = table.save(vec![9]);
    let mut restored = Table::<Seen>::new(100, usize::MAX);
    assert_eq!(restored.load(&bytes[1..]).expect("whole"), [0_u8; 0]);
    assert_eq!((restored.save(vec![9]), restored.cells), (bytes.clone(), table.cells));
    for cut in 1..bytes.len() {
        assert!(Table::<Seen>::new(100, usize::MAX).load(&bytes[1..cut]).is_err(), "{cut}");
    }
    let twice =
        Saved { sweep_at: 16, evicted: 0, version_lost: 0, entries: vec![Entry { key: 1, changed_ms: 0, state: Seen::default() }; 2] };
    let twice = postcard::to_allocvec(&twice).expect("plain data");
    assert!(Table::<Seen>::new(100, usize::MAX).load(&twice).is_err());
}

#[test]
fn a_smaller_bound_is_kept_at_once_and_a_longer_time_revives_nothing() {
    let mut table = Table::new(100, usize::MAX);
    for key in 0..20 {
        see(&mut table, key, 5);
    }
    table.set_ttl(1_000, 105);
    assert!(table.get(1, 105).is_none());
    for key in 0..20 {
        see(&mut table, key, 105);
    }
    table.set_share(8 * size_of::<Entry<Seen>>(), 105);
    assert!(table.bytes() <= 8 * size_of::<Entry<Seen>>() && table.evicted() > 0);
}

proptest! {
    #[test]
    fn memory_stays_under_its_bound_and_sums_are_right(events in proptest::collection::vec((0_u64..500, 0_i64..5), 1..2_000), bound in 500_usize..20_000) {
        let mut table = Table::new(300, bound);
        let mut now = 0;
        for (key, step) in events {
            now += step;
            see(&mut table, key, now);
            prop_assert!(table.bytes() <= bound.max(2 * size_of::<Entry<Seen>>() + 2_000 * CELL_BYTES));
            let sum: usize = table.entries.iter().map(|entry| entry.state.cells()).sum();
            prop_assert_eq!(sum, table.cells);
        }
    }

    #[test]
    fn without_a_bound_it_is_a_map_with_expiry(events in proptest::collection::vec((0_u64..50, 0_i64..40), 1..1_000)) {
        let mut table = Table::new(300, usize::MAX);
        let mut model: BTreeMap<u64, (i64, usize)> = BTreeMap::new();
        let mut now = 0;
        for (key, step) in events {
            now += step;
            let entry = model.entry(key).or_default();
            if entry.0 + 300 <= now { *entry = (0, 0); }
            *entry = (now, entry.1 + 1);
            prop_assert_eq!(see(&mut table, key, now), entry.1);
        }
    }
}
