//! What a rule binds or sets and nothing reads.

use std::collections::BTreeSet;

use crate::binding::Shape;
use crate::diagnostic::{Code, Fault};
use crate::names::Mentions;
use crate::program::Programs;
use crate::yaml::{Key, Node};

impl Programs<'_> {
    /// The faults of that, after those that the rule has by then. `mentioned`: what the condition and the explanation read.
    pub(crate) fn unused(&self, mentioned: &Mentions, faults: &mut Vec<Fault>) {
        let feeds = self.lets.iter().filter_map(|draft| draft.binding.as_ref()).flat_map(|(binding, _)| &binding.feeds);
        let counted: BTreeSet<usize> = feeds.filter_map(|feed| feed.firings_of).collect();
        // What has a fault of its own may be what counts a detector's firings.
        let doubtful = self.lets.iter().take(self.own).any(|draft| draft.binding.is_none());
        let mut found = Vec::new();
        for (index, draft) in self.lets.iter().enumerate().take(self.own) {
            if doubtful && matches!(draft.binding, Some((_, Shape::Signal(_)))) {
                continue;
            }
            let is_read = mentioned.lets.contains(&index) || counted.contains(&index) || self.may_be_meant(&draft.name, faults);
            if draft.binding.is_some() && !is_read {
                let fault = Fault::new(Code::Unused, draft.name.span.clone(), format!("nothing reads `{}`", draft.name.name));
                found.push(fault.help("name it in `when` or `explain`, or remove it: a binding costs memory"));
            }
        }
        let made_with: BTreeSet<usize> = self.lets.iter().flat_map(|draft| &draft.params).copied().collect();
        for (index, (key, _)) in self.params.iter().enumerate() {
            if !mentioned.params.contains(&index) && !made_with.contains(&index) && !self.may_be_meant(key, faults) {
                let fault = Fault::new(Code::Unused, key.span.clone(), format!("nothing reads the parameter `{}`", key.name));
                found.push(fault.help(format!("name it as params.{} in `when` or `explain`, or remove it", key.name)));
            }
        }
        faults.append(&mut found);
    }

    /// Whether another fault may be why nothing reads it: one that names it as what was meant, or one in what mentions it.
    fn may_be_meant(&self, key: &Key, faults: &[Fault]) -> bool {
        let name = key.name.as_str();
        let is_proposed = |fault: &Fault| {
            let help = fault.help.as_deref().unwrap_or_default();
            help.split('`').skip(1).step_by(2).any(|word| word.strip_prefix("params.").unwrap_or(word) == name)
        };
        let is_there = |Node { span, .. }: &Node| {
            let text = self.text.get(span.clone()).unwrap_or_default();
            text.match_indices(name).any(|(at, _)| span.start + at != key.span.start && is_word(text, at, name.len()))
        };
        let mut readers = ["let", "overrides", "when", "explain"].into_iter().filter_map(|key| self.root.member(key));
        !faults.is_empty() && (faults.iter().any(is_proposed) || readers.any(is_there))
    }
}

/// Whether what stands there is a word by itself.
fn is_word(text: &str, at: usize, len: usize) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + len..).unwrap_or_default());
    !before.ends_with(is_part) && !after.starts_with(is_part)
}
