//! What a switch of rulesets adds, changes and takes away, in the words of a log line.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use rasid_compiler::ruleset::Ruleset;

/// Names that a line of the log says; of the others how many.
const NAMES_MAX: usize = 20;

/// A ruleset by what stands in its files, for comparing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Hash of each rule's file, by the rule's id.
    rules: BTreeMap<String, u64>,
    /// The same of lists and shared bindings, by the file.
    shared: BTreeMap<String, u64>,
}

impl Listing {
    pub(crate) fn of(ruleset: &Ruleset) -> Self {
        let hash = |text: &str| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        };
        let source = |index: usize| ruleset.sources.get(index).map_or(0, |source| hash(&source.text));
        let rules = ruleset.rules.iter().map(|rule| (rule.id.clone(), source(rule.source))).collect();
        Self { rules, shared: ruleset.shared_files().map(|source| (source.name.clone(), hash(&source.text))).collect() }
    }

    /// What is new in `self` beside what was there before.
    pub(crate) fn since(&self, before: &Self) -> Changes {
        let other = |now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>| -> Names {
            Names(
                now.iter().filter(|(name, hash)| then.get(*name).is_some_and(|then| then != *hash)).map(|(name, _)| name.clone()).collect(),
            )
        };
        let missing = |here: &BTreeMap<String, u64>, there: &BTreeMap<String, u64>| -> Vec<String> {
            here.keys().filter(|name| !there.contains_key(*name)).cloned().collect()
        };
        let mut shared = other(&self.shared, &before.shared);
        shared.0.extend(missing(&self.shared, &before.shared));
        shared.0.extend(missing(&before.shared, &self.shared));
        shared.0.sort();
        Changes {
            added: Names(missing(&self.rules, &before.rules)),
            changed: other(&self.rules, &before.rules),
            removed: Names(missing(&before.rules, &self.rules)),
            shared,
        }
    }
}

/// By the ids of rules; `shared` by files, which may change what any rule does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: Names,
    pub(crate) changed: Names,
    pub(crate) removed: Names,
    /// Lists and shared bindings that are new, other, or gone.
    pub(crate) shared: Names,
}

/// Names, sorted. Shown, the first twenty.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.0.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", "))?;
        match self.0.len().saturating_sub(NAMES_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rasid_compiler::{SourceFile, compile};

    use super::*;

    fn listing(rules: &[(&str, u8)], lists: &[(&str, &str)]) -> Listing {
        let rule = |(name, risk): &(&str, u8)| SourceFile {
            name: format!("auth/{name}.yaml"),
            text: format!(
                "rule: auth.{name}\ntitle: t\non: auth.login_succeeded\nentity: user\nwhen: has(data.method)\nrisk: {risk}\nexplain: e\n"
            ),
        };
        let list = |(name, reason): &(&str, &str)| SourceFile {
            name: format!("lists/{name}.yaml"),
            text: format!("list: {name}\nentries: [{{value: a, reason: {reason}}}]\n"),
        };
        let files: Vec<SourceFile> = rules.iter().map(rule).chain(lists.iter().map(list)).collect();
        Listing::of(&compile(&files).expect("good rules"))
    }

    #[test]
    fn a_switch_names_what_is_new_other_and_gone() {
        let before = listing(&[("a", 1), ("b", 1), ("c", 1)], &[("l", "x"), ("m", "x")]);
        let after = listing(&[("b", 2), ("c", 1), ("d", 1)], &[("l", "y"), ("n", "x")]);
        let Changes { added, changed, removed, shared } = after.since(&before);
        let shown = [added, changed, removed, shared].map(|names| names.to_string());
        assert_eq!(shown, ["auth.d", "auth.b", "auth.a", "lists/l.yaml, lists/m.yaml, lists/n.yaml"]);
        assert_eq!(before.since(&before).changed.to_string(), "none");
        assert_eq!(before.since(&Listing::default()).added.to_string(), "auth.a, auth.b, auth.c");
    }

    #[test]
    fn a_long_line_ends_with_a_count() {
        let names = Names((0..25).map(|number| format!("r{number}")).collect());
        assert!(names.to_string().ends_with("r19 and 5 more"), "{names}");
    }
}
