//! `rasid explain-text`: why a chat message was, or was not, taken for a contact that leaks.

use std::fmt::Write as _;
use std::io::Read as _;

use rasid_detectors::reading::{Candidate, Params, Reading, Verdict, explain};

use super::{Command, Failure, OutputFormat, print_block, print_json};

/// Bytes of stdin that are read: some hundred messages of the longest.
const INPUT_BYTES_MAX: u64 = 1 << 20;

/// Show what the chat detector makes of a message, step by step and masked
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  echo \"on 12/05 call 01000000042\" | rasid explain-text\n  \
    printf '010 00\\n000 042\\n' | rasid explain-text --output json\n  rasid explain-text --whole < complaint.txt\n\n\
    Reads stdin: each line is a message of one sender, all written within a second. For whoever gets a complaint: every number,\n\
    address, name and proposal that could have been one, and what each was taken for. Nothing is kept or logged, and what is\n\
    printed is masked as alerts are. It needs no configuration: the detector is as it is without parameters in a rule.")]
pub(crate) struct Args {
    /// Take all of stdin for one message, line breaks and all
    #[arg(long)]
    whole: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    output: OutputFormat,
}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let read = std::io::stdin().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| Failure::Outside(Box::new(error)))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > INPUT_BYTES_MAX) {
            return Err(Failure::Configuration("there is more than 1 MiB on stdin".to_owned()));
        }
        // What is no UTF-8 is not shown, as nothing of the text is.
        let text = String::from_utf8(bytes).map_err(|_| Failure::Configuration("what is on stdin is no UTF-8".to_owned()))?;
        let messages: Vec<&str> = if self.whole { vec![text.trim_end_matches(['\r', '\n'])] } else { text.lines().collect() };
        if messages.iter().all(|message| message.trim().is_empty()) {
            return Err(Failure::Configuration("there is no message on stdin".to_owned()));
        }
        let readings = explain(&Params::default(), &messages);
        match self.output {
            OutputFormat::Text => print_block(&written(&readings), false),
            OutputFormat::Json => print_json(&readings),
        }
    }
}

/// Readings for people.
fn written(readings: &[Reading]) -> String {
    let mut lines = Vec::new();
    for (number, reading) in (1..).zip(readings) {
        lines.push(format!("message {number}: {}", reading.verdict.as_ref().map_or_else(|| "nothing is told".to_owned(), told)));
        if reading.cut {
            lines.push("  only its first 4 KiB are looked at".to_owned());
        }
        for candidate in &reading.candidates {
            lines.push(format!("  {}", headed(candidate)));
            lines.extend(candidate.tests.iter().map(|test| format!("      {} {}", if test.passed { "yes:" } else { "no: " }, test.why)));
        }
        if reading.shortened {
            lines.push("  and more: the first 200 tests are shown".to_owned());
        }
    }
    lines.join("\n")
}

fn told(verdict: &Verdict) -> String {
    let mut text = format!("{} ({}), {}", verdict.kind.name(), verdict.direction, verdict.evidence);
    let mut add = |part: std::fmt::Arguments<'_>| text.write_fmt(part).is_ok();
    add(format_args!(", strength {:.2}, at {}+{}", verdict.strength, verdict.start_char, verdict.length_chars));
    if verdict.messages > 1 {
        add(format_args!(" of the first of {} messages", verdict.messages));
    }
    if !verdict.tricks.is_empty() {
        add(format_args!(", hidden by {}", verdict.tricks));
    }
    if verdict.tries > 1 {
        add(format_args!(", find {} in a row", verdict.tries));
    }
    text
}

fn headed(candidate: &Candidate) -> String {
    let mut text = format!("{}+{}  {}  {}", candidate.start_char, candidate.length_chars, candidate.kind.name(), candidate.masked);
    let mut add = |part: std::fmt::Arguments<'_>| text.write_fmt(part).is_ok();
    if let Some(strength) = candidate.strength {
        add(format_args!("  strength {strength:.2}"));
    }
    if let Some(direction) = candidate.direction {
        add(format_args!("  {direction}"));
    }
    if !candidate.tricks.is_empty() {
        add(format_args!("  hidden by {}", candidate.tricks));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_written_line_by_line() {
        let readings = explain(&Params::default(), &["on 12/05 call 01000000042", "first 010", "00000042", "ok"]);
        let text = written(&readings);
        for part in [
            "message 1: phone (gives), +20 10•• ••• •42, strength 0.90, at 14+11\n",
            "  14+11  phone  +20 10•• ••• •42  strength 0.90  gives\n      yes: a mobile number of Egypt",
            "message 2: nothing is told\n",
            "of the first of 2 messages, hidden by pieces, find 2 in a row\n",
            "message 4: nothing is told",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
