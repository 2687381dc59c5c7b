//! Logs, on stderr: silent unless `RASID_LOG` asks (`info`, `debug`, `trace`, or a filter such as `rasid=debug`), and as the
//! configuration says under `run`. A log line is a constant message with fields; it never holds a record or any part of
//! one.

use std::io::{self, Write};

use rasid_detectors::shown::{json, line};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// The variable that sets the filter.
const VARIABLE: &str = "RASID_LOG";

/// Starts logging as `RASID_LOG` says.
pub(crate) fn init() {
    start(LogFormat::Text, "off");
}

/// Starts logging for the service: `filter` counts unless `RASID_LOG` is set.
pub(crate) fn init_service(format: LogFormat, filter: &str) {
    start(format, filter);
}

fn start(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(filter));
    let coloured = format == LogFormat::Text && crate::command::colour();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_target(true);
    let lines = lines.with_writer(move || Line { out: std::io::stderr(), format, coloured });
    match format {
        LogFormat::Text => lines.with_ansi(coloured).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
}

/// Where one line goes, which comes in one piece: a field may hold what a receiver answered or a file is called, and the
/// terminal of whoever reads along obeys none of it, nor does it make a second line.
struct Line<W> {
    out: W,
    format: LogFormat,
    coloured: bool,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
        let safe = match self.format {
            LogFormat::Text => line(text, self.coloured),
            LogFormat::Json => json(text),
        };
        self.out.write_all(format!("{safe}{end}").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The messages of warnings and errors in a folder's code, tests aside.
    fn messages(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder of code").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().unwrap_or_default();
            if entry.is_dir() && name != "tests" {
                messages(&entry, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
                let code = fs::read_to_string(&entry).expect("code");
                let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                for macro_name in ["warn!(", "error!("] {
                    let said = |(at, _): &(usize, &str)| {
                        !code.get(..*at).unwrap_or_default().ends_with(|before: char| before == '_' || before.is_alphanumeric())
                    };
                    found.extend(
                        code.match_indices(macro_name)
                            .filter(said)
                            .filter_map(|(at, _)| code.get(at + macro_name.len()..).and_then(last_text)),
                    );
                }
            }
        }
    }

    /// The last string before the parenthesis closes that was open.
    fn last_text(arguments: &str) -> Option<String> {
        let (mut depth, mut text, mut last) = (1, None::<String>, None);
        for letter in arguments.chars() {
            match (&mut text, letter) {
                (Some(_), '"') => last = text.take(),
                (Some(text), letter) => text.push(letter),
                (None, '"') => text = Some(String::new()),
                (None, '(') => depth += 1,
                (None, ')') => depth -= 1,
                (None, _) => {}
            }
            if depth == 0 {
                return last;
            }
        }
        None
    }

    #[test]
    fn every_warning_and_error_is_on_the_page_of_messages() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut said = BTreeSet::new();
        for part in ["app", "connectors", "service"] {
            messages(&root.join("pipeline").join(part).join("src"), &mut said);
        }
        let page = fs::read_to_string(root.join("docs/messages.md")).expect("the page");
        let row = |line: &str| Some(line.strip_prefix("| `")?.split_once("` |")?.0.to_owned());
        let explained: BTreeSet<String> = page.lines().filter_map(row).collect();
        assert!(said.len() > 30, "{said:?}");
        assert_eq!(said.difference(&explained).collect::<Vec<_>>(), Vec::<&String>::new(), "said, and not on the page");
        assert_eq!(explained.difference(&said).collect::<Vec<_>>(), Vec::<&String>::new(), "on the page, and not said");
    }

    #[test]
    fn a_line_is_one_line_and_moves_no_cursor() {
        let write = |format, coloured, text: &str| {
            let mut line = Line { out: Vec::new(), format, coloured };
            line.write_all(text.as_bytes()).expect("a vector");
            String::from_utf8(line.out).expect("text")
        };
        let hostile = "\u{1b}[2mWARN\u{1b}[0m sink answer=no\nERROR forged \u{202e}\u{9b}2J\u{1b}]0;title\u{7}\n";
        let shown = "WARN\u{1b}[0m sink answer=no\\nERROR forged \\u{202e}\\u{9b}2J\\u{1b}]0;title\\u{7}\n";
        assert_eq!(write(LogFormat::Text, true, hostile), format!("\u{1b}[2m{shown}"));
        assert_eq!(write(LogFormat::Text, false, "a\u{1b}[31mb\n"), "a\\u{1b}[31mb\n");
        let json = write(LogFormat::Json, false, "{\"answer\":\"\u{202e}\u{9b}\"}\n");
        assert_eq!(json, "{\"answer\":\"\\u202e\\u009b\"}\n");
    }
}
