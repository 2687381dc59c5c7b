//! Proposals and honest messages that were written by others than who made the detector, and kept out of what it is made from: what it does
//! on them at first sight is in docs/detection-quality.md, what it does now is held here.

use crate::support::{Table, found};

/// A set, and what is held of it: the fewest proposals that are seen, the most honest messages that are accused.
struct Set {
    name: &'static str,
    file: &'static str,
    seen_min: u32,
    accused_max: u32,
}

const SETS: [Set; 5] = [
    // Sixty of each, the honest ones all in the words of proposals.
    Set { name: "first", file: include_str!("unseen_1.tsv"), seen_min: 53, accused_max: 4 },
    Set { name: "second", file: include_str!("unseen_2.tsv"), seen_min: 41, accused_max: 3 },
    // Fair samples: 170, 170 and 199 proposals, 230, 230 and 300 honest messages. By the first the score was chosen from which on a
    // message counts.
    Set { name: "chosen by", file: include_str!("../../../fixtures/chat/wording/unseen_1.tsv"), seen_min: 135, accused_max: 8 },
    Set { name: "third", file: include_str!("../../../fixtures/chat/wording/unseen_2.tsv"), seen_min: 121, accused_max: 4 },
    Set { name: "fourth", file: include_str!("../../../fixtures/chat/wording/unseen_3.tsv"), seen_min: 155, accused_max: 4 },
];

#[test]
fn what_others_write_is_read_as_well_as_it_was() {
    for Set { name, file, seen_min, accused_max } in SETS {
        let (mut table, mut seen, mut accused) = (Table::default(), 0, 0);
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [language, kind @ ("proposal" | "honest"), text] = columns[..] else { panic!("three columns: {line}") };
            let hit = found(text).is_some();
            *(if kind == "proposal" { &mut seen } else { &mut accused }) += u32::from(hit);
            table.count(&format!("{kind} {language}"), false, hit, hit != (kind == "proposal"), || text.to_owned());
        }
        table.print(name, 0);
        eprintln!("{name}: {seen} seen, {accused} accused");
        assert!(seen >= seen_min && accused <= accused_max, "{name}: {seen} seen, {accused} accused");
    }
}
