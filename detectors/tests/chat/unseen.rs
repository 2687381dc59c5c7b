//! Proposals and honest messages that were written before the detector was looked at: what it does on them at first sight is in
//! docs/detection-quality.md, what it does now is held here.

use crate::support::{Table, found};

/// Both sets, and the fewest proposals of sixty that are seen in each by now.
const SETS: [(&str, &str, u32); 2] =
    [("first", include_str!("unseen_1.tsv"), FIRST_SEEN_MIN), ("second", include_str!("unseen_2.tsv"), SECOND_SEEN_MIN)];
const FIRST_SEEN_MIN: u32 = 47;
const SECOND_SEEN_MIN: u32 = 24;
/// Most honest messages of sixty that are accused in a set.
const ACCUSED_MAX: u32 = 3;

#[test]
fn what_others_write_is_read_as_well_as_it_was() {
    for (name, file, seen_min) in SETS {
        let (mut table, mut seen, mut accused) = (Table::default(), 0, 0);
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [language, kind @ ("proposal" | "honest"), text] = columns[..] else { panic!("three columns: {line}") };
            let hit = found(text).is_some();
            *(if kind == "proposal" { &mut seen } else { &mut accused }) += u32::from(hit);
            table.count(&format!("{kind} {language}"), false, hit, hit != (kind == "proposal"), || text.to_owned());
        }
        table.print(name, 0);
        assert!(seen >= seen_min && accused <= ACCUSED_MAX, "{name}: {seen} seen, {accused} accused");
    }
}
