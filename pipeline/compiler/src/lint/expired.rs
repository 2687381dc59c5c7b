//! Entries of lists that have ended.

use rasid_detectors::event::time;

use crate::SourceFile;
use crate::diagnostic::{Code, Fault};
use crate::list;
use crate::yaml::{self, NodeValue};

/// A warning of each entry of a list that has expired by that instant, Unix ms; none of a file that is no list.
pub(super) fn of(source: &SourceFile, now_ms: i64) -> Vec<Fault> {
    if !list::is_list(&source.name) {
        return Vec::new();
    }
    // It compiled, so what cannot be read is none of ours.
    let Ok(root) = yaml::parse_list(&source.text) else { return Vec::new() };
    let member = |value: &NodeValue, name: &str| match value {
        NodeValue::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node.clone()),
        _ => None,
    };
    let entries = member(&root.value, "entries").map(|node| node.value);
    let items = if let Some(NodeValue::Seq(items)) = entries { items } else { Vec::new() };
    let ended = items.iter().filter_map(|item| {
        let node = member(&item.value, "expires")?;
        let ends_ms = list::instant(&node, "expires", &mut Vec::new()).filter(|ends_ms| *ends_ms <= now_ms)?;
        let fault = Fault::new(Code::Expired, node.span, format!("an entry that ended at {}", time::format_rfc3339(ends_ms)));
        Some(fault.help("nobody is in the list by it any more: remove it, or give it another end"))
    });
    ended.collect()
}
