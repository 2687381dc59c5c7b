//! How bad a rule says it is.

use crate::diagnostic::{Code, Fault};
use crate::reader;
use crate::ruleset::Severity;
use crate::yaml::{Node, NodeValue};

/// The words, the worst first, and what each means.
const SEVERITIES: [(&str, Severity, &str); 4] = [
    ("SEV0", Severity::Sev0, "funds or a breach"),
    ("SEV1", Severity::Sev1, "a wave of takeovers"),
    ("SEV2", Severity::Sev2, "abuse of one place or person"),
    ("SEV3", Severity::Sev3, "a notice"),
];
/// The words of other scales, and the one that is nearest in meaning.
const NEAREST: [(&[&str], &str); 4] = [
    (&["critical", "emergency", "fatal", "blocker"], "SEV0"),
    (&["high", "major", "severe", "urgent", "error"], "SEV1"),
    (&["medium", "moderate", "normal", "default", "warning", "warn"], "SEV2"),
    (&["low", "minor", "info", "informational", "notice", "debug"], "SEV3"),
];

/// Reads one.
pub(crate) fn read(node: &Node, faults: &mut Vec<Fault>) -> Option<Severity> {
    let text = match &node.value {
        NodeValue::Int(number) => number.to_string(),
        _ => reader::text(node, "`severity`", faults)?.to_owned(),
    };
    let found = SEVERITIES.iter().find(|(word, ..)| *word == text).map(|(_, severity, _)| *severity);
    if found.is_none() {
        let words: Vec<String> = SEVERITIES.iter().map(|(word, _, means)| format!("`{word}` is {means}")).collect();
        let meant = nearest(&text).map(|word| format!("; `{text}` is nearest to `{word}`")).unwrap_or_default();
        let fault = Fault::new(Code::UnknownWord, node.span.clone(), format!("`severity` is never `{text}`"));
        faults.push(fault.help(format!("{}{meant}", words.join(", "))));
    }
    found
}

/// The word that is meant by one of another scale: `high`, `sev1`, `P1`, `1`.
fn nearest(text: &str) -> Option<&'static str> {
    let text = text.trim().to_ascii_lowercase();
    let of_scale = NEAREST.iter().find(|(words, _)| words.contains(&text.as_str())).map(|(_, word)| *word);
    let number = ["severity", "sev", "p", "s", ""].into_iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or_default();
    of_scale.or_else(|| {
        let number = number.trim_start_matches([' ', '-', '_']);
        SEVERITIES.iter().map(|(word, ..)| *word).find(|word| word.strip_prefix("SEV") == Some(number))
    })
}
