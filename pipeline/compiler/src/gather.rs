//! Some rules of some rulesets as one ruleset: what differs in what one rule says is tried side by side, over state that is kept once.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::ruleset::Ruleset;

/// A rule of a ruleset, and the id that it has among those that are gathered.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The ruleset that it stands in.
    pub ruleset: &'a Ruleset,
    /// Its place among [`Ruleset::rules`].
    pub rule: usize,
    /// What it is called now; of all that are gathered each has its own.
    pub id: &'a str,
}

/// The chosen rules, with the bindings that they read and no others; bindings that are equal are one, whichever ruleset they come from:
/// the rulesets have the same lists, zones and rates. The hash is of the rulesets' hashes and the ids. Tests and places in files stay those of the rulesets that the rules come from, so
/// that [`Rule::source`](crate::ruleset::Rule::source) means nothing here and there are no [`Ruleset::sources`].
///
/// A rule sees what it saw in its own ruleset, unless it reads what other rules opened: `score`, or `rasid.alert`. What it reads then is
/// that of the rules that are gathered.
///
/// A rule that its ruleset does not have is left out.
pub fn gather<'a>(chosen: impl IntoIterator<Item = Chosen<'a>>) -> Ruleset {
    let mut all = Ruleset { rules: Vec::new(), bindings: Vec::new(), hash: String::new(), sources: Vec::new(), warnings: Vec::new() };
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut hasher = Sha256::new();
    for Chosen { ruleset, rule, id } in chosen {
        let Some(mut rule) = ruleset.rules.get(rule).cloned() else { continue };
        hasher.update(format!("{} {} {id}\n", ruleset.hash, rule.id));
        let read = rule.triggers.iter().flat_map(|trigger| &trigger.reads).map(|read| read.binding);
        // What fires stands before what is fed by it, as it does in the ruleset.
        let needed = ruleset.with_sources(read);
        let mut renumbered: BTreeMap<usize, usize> = BTreeMap::new();
        for number in needed {
            let Some(mut binding) = ruleset.bindings.get(number).cloned() else { continue };
            for feed in &mut binding.feeds {
                feed.firings_of = feed.firings_of.and_then(|source| renumbered.get(&source).copied());
            }
            let next = all.bindings.len();
            let at = *numbers.entry(binding.canonical.clone()).or_insert(next);
            if at == next {
                all.bindings.push(binding);
            }
            renumbered.insert(number, at);
        }
        for read in rule.triggers.iter_mut().flat_map(|trigger| &mut trigger.reads) {
            // What is read was gathered.
            read.binding = renumbered.get(&read.binding).copied().unwrap_or(read.binding);
        }
        id.clone_into(&mut rule.id);
        all.rules.push(rule);
    }
    all.rules.sort_by(|a, b| a.id.cmp(&b.id));
    all.hash = hasher.finalize().iter().fold(String::from("sha256:"), |hex, byte| hex + &format!("{byte:02x}"));
    all
}
