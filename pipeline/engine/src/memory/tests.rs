use super::*;
use proptest::prelude::*;

fn shares(memory_max: usize, events_per_s: u32) -> Shares {
    Shares::of(&Config { memory_max, events_per_s, ..Config::default() })
}

#[test]
fn the_default_rate_costs_nothing_beyond_the_eighth_of_the_default_bound() {
    let eighth = (4 << 30) / 8;
    assert_eq!(Shares::of(&Config::default()), Shares { duplicates: eighth, each: eighth, keyed: 4 * eighth });
    assert_eq!(Shares::of(&Config::default()), shares(4 << 30, 0));
}

#[test]
fn what_duplicates_are_owed_is_taken_before_anything_else_is_dealt() {
    for (memory_max, events_per_s) in [(1 << 30, 5_000), (4 << 30, 40_000), (16 << 20, 0), (1 << 40, 1_000_000), (16 << 20, 5_000)] {
        let Shares { duplicates, each, keyed } = shares(memory_max, events_per_s);
        let owed = usize::try_from(reserved_bytes(events_per_s)).expect("64 bits");
        assert_eq!(duplicates, owed.min(memory_max / 2).max(memory_max / 8));
        let dealt = duplicates + 3 * each + keyed;
        assert!(dealt <= memory_max && dealt + 7 > memory_max, "{memory_max} {events_per_s}: {dealt}");
    }
}

#[test]
fn the_highest_rate_is_the_last_that_leaves_half() {
    for memory_max in [16 << 20, 1 << 30, 4 << 30, 1 << 40] {
        let most = events_per_s_max(memory_max);
        assert!(reserved_bytes(most) <= memory_max / 2 && reserved_bytes(most + 1) > memory_max / 2, "{memory_max}: {most}");
    }
}

/// Shares of 100 of duplicates, 400 of the first stage, 100 each of the others, of a bound of 1,000 with a stage that there
/// is not.
const DEALT: Bytes = Bytes([100, 400, 100, 0, 100, 100, 100, 100]);

fn quotas(used: [usize; PARTIES]) -> [usize; PARTIES] {
    deal(1_000, DEALT, Bytes(used)).0
}

#[test]
fn what_nobody_uses_is_lent_to_whom_wants_it_and_comes_back() {
    // The first stage is full, and the others keep an eighth of their shares to grow into; duplicates what they may grow by.
    let full = quotas([0, 400, 0, 0, 0, 0, 0, 0]);
    assert!(full[1] > 500 && full[2] >= 12 && full[3] == 0, "{full:?}");
    assert_eq!(quotas([0, 800, 0, 0, 0, 0, 0, 0]), [100, 840, 12, 0, 12, 12, 12, 12], "all that the others do not use");
    // Another wants its own back, and has it at once, with what it grows by.
    let back = quotas([0, 840, 80, 0, 0, 0, 0, 0]);
    assert_eq!((back[1], back[2]), (752, 100));
    // Duplicates have what nobody else wants, and no more.
    assert_eq!(quotas([500, 500, 0, 0, 0, 0, 0, 0])[..2], [315, 625]);
    assert_eq!(quotas([100, 800, 100, 0, 100, 100, 100, 100]), [100, 400, 100, 0, 100, 100, 100, 100]);
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    proptest::array::uniform8(prop_oneof![Just(0), 0..most]).prop_map(Bytes)
}

proptest! {
    #[test]
    fn all_quotas_are_within_the_bound_and_each_party_has_what_it_uses_of_its_share(
        shares in bytes(1 << 40), more in 0..100_usize, used in bytes(1 << 41),
    ) {
        let bound = shares.sum() + more;
        let quotas = deal(bound, shares, used);
        prop_assert!(quotas.sum() <= bound);
        // Whole, but for what does not divide.
        prop_assert!(shares.sum() == 0 || quotas.sum() + 3 * PARTIES >= bound, "{} of {bound}", quotas.sum());
        for party in Party::ALL {
            let (share, used) = (shares.of(party), used.of(party));
            prop_assert!(quotas.of(party) >= share.min(used.saturating_add(share / SHARE_PART)), "{party:?}");
        }
        // What fits together fits, with room to grow: nobody is made to forget for what nobody wants.
        let grows = |party: Party| (used.of(party) / USE_PART).max(shares.of(party) / SHARE_PART);
        let wanted = Party::ALL.iter().map(|party| used.of(*party) + grows(*party)).sum::<usize>() + DUPLICATES_ROOM;
        for party in Party::ALL.into_iter().filter(|party| wanted <= bound && shares.of(*party) > 0) {
            prop_assert!(quotas.of(party) + PARTIES >= used.of(party) + grows(party), "{party:?}");
        }
    }

    /// Two parties that forget nothing by themselves and want all that they can get settle on what their shares give them.
    #[test]
    fn quotas_settle(shares in bytes(1 << 30), grows in bytes(1 << 28)) {
        let bound = shares.sum();
        let (mut quotas, mut used) = (shares, Bytes::default());
        for _ in 0..200 {
            for party in Party::ALL {
                used.set(party, (used.of(party) + grows.of(party)).min(quotas.of(party)));
            }
            quotas = deal(bound, shares, used);
            prop_assert!(quotas.sum() <= bound);
        }
        let again = deal(bound, shares, Bytes(std::array::from_fn(|party| (used.0[party] + grows.0[party]).min(quotas.0[party]))));
        for party in Party::ALL {
            prop_assert!(again.of(party).abs_diff(quotas.of(party)) <= bound / 50 + 100, "{party:?}: {} and {}", quotas.of(party), again.of(party));
        }
    }
}
