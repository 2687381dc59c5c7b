//! The weights by which `contact_leak` hears what a message sounds like, made from labelled messages; and how it does on
//! messages that were kept out of that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rasid_detectors::reading::{Params, explain, wording};

/// Messages and what they are, from the repository's root.
const FOLDER: &str = "fixtures/chat/wording";
/// What the weights are written to.
const FILE: &str = "detectors/src/chat/contact_leak/data/wording.tsv";
/// Files of this beginning are kept out.
const UNSEEN: &str = "unseen";

/// Messages in which a piece must stand to have a weight: what stands in fewer says who wrote them.
const MESSAGES_MIN: usize = 6;
/// Pieces that every message is taken to have beside its own, as the detector takes it.
const SMOOTHING: f64 = 20.0;
/// What a message on the wrong side of its margin costs; 0.3 to 3 give the same within a point.
const COST: f64 = 1.0;
/// The most rounds over all messages, and how little a round has to change to be the last.
const ROUNDS_MAX: usize = 400;
const CHANGE_MIN: f64 = 1e-3;
/// Weights are kept in sixteenths.
const UNIT: f64 = 16.0;

/// One message.
struct Labelled {
    /// The file that it is from.
    file: String,
    language: String,
    proposes: bool,
    text: String,
}

/// A piece of a message, as the file of weights names it.
type Piece = (&'static str, String);

/// Every message of the folder, in the order of the files' names.
fn messages(root: &Path) -> Result<Vec<Labelled>> {
    let mut files: Vec<_> = fs::read_dir(root.join(FOLDER)).with_context(|| format!("cannot read {FOLDER}"))?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut messages = Vec::new();
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(file.path()).with_context(|| format!("cannot read {FOLDER}/{name}"))?;
        for (line, row) in (1..).zip(text.lines()).filter(|(_, row)| !row.starts_with('#')) {
            let [language, label @ ("proposal" | "honest"), text] = row.split('\t').collect::<Vec<_>>()[..] else {
                bail!("{FOLDER}/{name}:{line}: expected a language, proposal or honest, and a message, a tab between them");
            };
            let (file, language, text) = (name.clone(), language.to_owned(), text.to_owned());
            messages.push(Labelled { file, language, proposes: label == "proposal", text });
        }
    }
    Ok(messages)
}

/// The file of weights that the messages give.
///
/// # Errors
/// Files that cannot be read.
pub(crate) fn weights(root: &Path) -> Result<String> {
    let messages: Vec<Labelled> = messages(root)?.into_iter().filter(|message| !message.file.starts_with(UNSEEN)).collect();
    let pieces: Vec<Vec<Piece>> = messages.iter().map(|message| wording(&message.text)).collect();
    let mut stands = BTreeMap::<&Piece, usize>::new();
    for of in &pieces {
        for piece in of.iter().collect::<BTreeSet<_>>() {
            *stands.entry(piece).or_default() += 1;
        }
    }
    let kept: Vec<&Piece> = stands.iter().filter(|(_, messages)| **messages >= MESSAGES_MIN).map(|(piece, _)| *piece).collect();
    let number: HashMap<&Piece, usize> = (0..).zip(&kept).map(|(number, piece)| (*piece, number)).collect();
    let rows: Vec<Row> = pieces.iter().map(|of| Row::of(of, &number)).collect();
    let sides: Vec<f64> = messages.iter().map(|message| if message.proposes { 1.0 } else { -1.0 }).collect();
    let (weights, bias) = machine(&rows, &sides, kept.len());

    let mut file = format!(
        "\
# What pieces of a message speak for: a proposal, or honest talk.
#
# kind      letters: three or four in a row of a word, < and > its ends; does: what a word does (speech.rs), or is (is_…: lexicon.rs);
#           pair: what one does, and one at most four words behind it; mark: a question mark; digits: a number of so many, 5 of more;
#           bias: what every message has
# piece     the letters as the detector folds them, or the names of classes
# weight    in sixteenths; above zero for a proposal
#
# Origin:  `cargo run -p rasid-quality -- --wording`, from the {} messages of {FOLDER} that are not called {UNSEEN}: do not edit.
# Licence: Apache-2.0, as the rest of the repository.
",
        messages.len()
    );
    let rounded = |weight: f64| (weight * UNIT).round().clamp(-127.0, 127.0);
    writeln!(file, "bias\t-\t{}", rounded(bias))?;
    for ((kind, piece), weight) in kept.iter().zip(&weights).filter(|(_, weight)| rounded(**weight) != 0.0) {
        writeln!(file, "{kind}\t{piece}\t{}", rounded(*weight))?;
    }
    Ok(file)
}

/// A message as its pieces, each by number and how often it stands there over the root of how many there are, as the detector's score has it.
struct Row(Vec<(usize, f64)>);

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "a message has few pieces")]
    fn of(pieces: &[Piece], number: &HashMap<&Piece, usize>) -> Self {
        let mut times = BTreeMap::<usize, usize>::new();
        for number in pieces.iter().filter_map(|piece| number.get(piece)) {
            *times.entry(*number).or_default() += 1;
        }
        let root = (pieces.len() as f64 + SMOOTHING).sqrt();
        Self(times.into_iter().map(|(number, times)| (number, times as f64 / root)).collect())
    }

    fn dot(&self, weights: &[f64]) -> f64 {
        self.0.iter().filter_map(|(number, value)| Some(weights.get(*number)? * value)).sum()
    }
}

/// Weights and bias of a linear support vector machine with squared hinge loss, by dual coordinate descent (Hsieh et al. 2008,
/// algorithm 1 with L2 loss: D = 1/2C, U = ∞). The bias is the weight of a one that every row has.
fn machine(rows: &[Row], sides: &[f64], pieces: usize) -> (Vec<f64>, f64) {
    let diagonal = 1.0 / (2.0 * COST);
    let (mut weights, mut bias) = (vec![0.0; pieces], 0.0);
    let mut alphas = vec![0.0; rows.len()];
    let norms: Vec<f64> = rows.iter().map(|row| row.0.iter().map(|(_, value)| value * value).sum::<f64>() + 1.0 + diagonal).collect();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..ROUNDS_MAX {
        for place in (1..order.len()).rev() {
            // xorshift64: Marsaglia, Journal of Statistical Software 8 (14), 2003.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            order.swap(place, usize::try_from(random % (place as u64 + 1)).unwrap_or(0));
        }
        let mut most = 0.0_f64;
        for at in &order {
            let (Some(row), Some(side), Some(alpha), Some(norm)) = (rows.get(*at), sides.get(*at), alphas.get_mut(*at), norms.get(*at))
            else {
                continue;
            };
            let gradient = side * (row.dot(&weights) + bias) - 1.0 + diagonal * *alpha;
            let projected = if *alpha == 0.0 { gradient.min(0.0) } else { gradient };
            if projected == 0.0 {
                continue;
            }
            most = most.max(projected.abs());
            let before = std::mem::replace(alpha, (*alpha - gradient / norm).max(0.0));
            let step = (*alpha - before) * side;
            bias += step;
            for (number, value) in &row.0 {
                if let Some(weight) = weights.get_mut(*number) {
                    *weight += step * value;
                }
            }
        }
        if most < CHANGE_MIN {
            break;
        }
    }
    (weights, bias)
}

/// Makes the weights anew, and says how the detector as it is now does on what was kept out.
///
/// # Errors
/// Files that cannot be read or written.
pub(crate) fn run(root: &Path) -> Result<String> {
    let weights = weights(root)?;
    fs::write(root.join(FILE), &weights).with_context(|| format!("cannot write {FILE}"))?;
    let mut said =
        format!("{FILE}: {} weights; build again to hear by them\n", weights.lines().filter(|line| !line.starts_with('#')).count());
    said.push_str(&table(root)?);
    Ok(said)
}

/// How the detector does on each file that was kept out, by language.
pub(crate) fn table(root: &Path) -> Result<String> {
    let mut found = BTreeMap::<(String, String), [u32; 4]>::new();
    for message in messages(root)?.into_iter().filter(|message| message.file.starts_with(UNSEEN)) {
        let hit = explain(&Params::default(), &[&message.text]).iter().any(|reading| reading.verdict.is_some());
        for language in [message.language.as_str(), "all"] {
            let row = found.entry((message.file.clone(), language.to_owned())).or_default();
            let [seen, proposals, accused, honest] = row;
            let (counted, all) = if message.proposes { (seen, proposals) } else { (accused, honest) };
            *counted += u32::from(hit);
            *all += 1;
        }
    }
    let mut table = "| messages | language | proposals seen | honest accused |\n|---|---|---|---|\n".to_owned();
    let share = |part: u32, all: u32| format!("{part} of {all}, {:.1} %", f64::from(part) * 100.0 / f64::from(all.max(1)));
    for ((file, language), [seen, proposals, accused, honest]) in &found {
        writeln!(table, "| {file} | {language} | {} | {} |", share(*seen, *proposals), share(*accused, *honest))?;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn the_weights_are_those_that_the_messages_give() {
        let there = fs::read_to_string(root().join(FILE)).expect("it is there");
        assert!(weights(&root()).expect("readable") == there, "run `cargo run -p rasid-quality -- --wording`");
    }

    #[test]
    fn what_can_be_told_apart_is() {
        let rows = [vec![(0, 1.0)], vec![(1, 1.0)], vec![(0, 0.7), (2, 0.7)], vec![(1, 0.7), (2, 0.7)]].map(Row);
        let (weights, bias) = machine(&rows, &[1.0, -1.0, 1.0, -1.0], 3);
        let sides: Vec<bool> = rows.iter().map(|row| row.dot(&weights) + bias > 0.0).collect();
        assert_eq!(sides, [true, false, true, false], "{weights:?} {bias}");
        assert!(weights[2].abs() < 0.1, "what stands on both sides speaks for none: {weights:?}");
    }
}
