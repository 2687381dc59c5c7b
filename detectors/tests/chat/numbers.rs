//! Any number under any chain of one to three tricks, in any sentence: it must be found, and be the number.

use std::collections::BTreeMap;

use crate::support::{Carrier, Rng, Sender, Table, carriers, kept_out, seed};
use crate::tricks::{SLOTS, makes_sense, write};

/// Tries of each trick, over all chains that it stands in.
const TRIES: usize = 240;

/// Every chain of one to three tricks.
fn chains() -> Vec<Vec<&'static str>> {
    let mut chains: Vec<Vec<&str>> = vec![Vec::new()];
    for slot in SLOTS {
        let longer: Vec<Vec<&str>> = chains
            .iter()
            .filter(|chain| chain.len() < 3)
            .flat_map(|chain| slot.iter().map(|trick| chain.iter().chain([trick]).copied().collect()))
            .collect();
        chains.extend(longer);
    }
    chains.retain(|chain| !chain.is_empty() && makes_sense(chain));
    chains
}

/// The messages of a number and when each was written, s, in the order in which they arrive.
fn messages(rng: &mut Rng, chain: &[&str], carrier: &Carrier, pieces: &[String]) -> Vec<(String, i64)> {
    let [only] = pieces else {
        let told = ["first part ", "then ", "and then ", "last part "];
        let arabic = ["اول جزء ", "بعده ", "وبعدين ", "اخر جزء "];
        let mut sent: Vec<(String, i64)> = pieces
            .iter()
            .zip(0..)
            .map(|(piece, at)| {
                let text = if chain.contains(&"split.called_price") {
                    let price = [
                        ("السعر ", " جنيه"),
                        ("", " egp"),
                        ("total ", ""),
                        ("", " geneh"),
                        ("المقاس ", " سم"),
                        ("", " متر"),
                        ("order ", ""),
                    ];
                    let (before, behind) = rng.one(&price);
                    format!("{before}{piece}{behind}")
                } else if chain.contains(&"split.told_order") {
                    let last = usize::try_from(at + 1).expect("few") == pieces.len();
                    let words = if carrier.language == "english" { &told } else { &arabic };
                    let at = usize::try_from(at).expect("few");
                    format!("{}{piece}", words[if last { 3 } else { at.min(2) }])
                } else {
                    piece.clone()
                };
                (text, 20 * i64::from(at))
            })
            .collect();
        if chain.contains(&"split.told_order") && sent.len() == 2 {
            sent.swap(0, 1);
            let (first, second) = (sent[0].1, sent[1].1);
            (sent[0].1, sent[1].1) = (second, first);
        }
        if chain.contains(&"split.late") {
            let turn = rng.between(1, sent.len() - 1);
            sent.rotate_left(turn);
        }
        return sent;
    };
    vec![(carrier.with(only), 0)]
}

fn table(seed: u64) -> Table {
    let open = carriers(include_str!("numbers.tsv"));
    let pretexts = carriers(include_str!("pretexts.tsv"));
    let mut rng = Rng::new(seed, "numbers");
    let mut by_trick: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for chain in chains() {
        for trick in &chain {
            by_trick.entry(trick).or_default().push(chain.clone());
        }
    }
    let mut table = Table::default();
    for (trick, chains) in &by_trick {
        for _ in 0..TRIES {
            let chain = rng.pick(chains);
            let carrier = rng.pick(if chain.contains(&"pretext") { &pretexts } else { &open });
            let written = write(&mut rng, chain);
            let sent = messages(&mut rng, chain, carrier, &written.pieces);
            let mut sender = Sender::new();
            let said: Vec<_> = sent.iter().map(|(text, at_s)| sender.writes(text, *at_s)).collect();
            let expected = written.number.masked();
            // A national number may be whole before the country's code comes.
            let hit = said.iter().flatten().any(|found| found.evidence == expected);
            let found = said.last().and_then(Option::as_ref);
            let name = chain.join("+");
            let part = kept_out(&name, 2) || carrier.kept_out;
            table.count(trick, part, hit, !hit, || {
                format!("[{name}] {sent:?} is {:?}, {expected} expected", found.map(|found| &found.evidence))
            });
        }
    }
    table
}

#[test]
fn numbers_are_found_under_every_trick() {
    let table = table(seed());
    table.print("recall of numbers by trick", 6);
    let rows: Vec<String> = table.rows().map(str::to_owned).collect();
    assert_eq!(rows.len(), SLOTS.iter().map(|slot| slot.len()).sum::<usize>());
    for row in rows {
        let found = table.of_both(&row);
        assert!(found >= ROW_MIN, "{found:.2} % of numbers under {row} were found");
    }
    let ((tuned, _), (kept, _)) = (table.total(false), table.total(true));
    assert!(tuned.min(kept) >= TOTAL_MIN && (tuned - kept).abs() <= 2.0, "{tuned:.2} and {kept:.2} % of numbers were found");
}

/// Per cent of the tries of one trick that must be found, with the number recovered: what fresh seeds hold with room to spare.
const ROW_MIN: f64 = 91.0;
/// The same of all tries.
const TOTAL_MIN: f64 = 98.5;
