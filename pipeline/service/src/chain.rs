//! How errors are said.

use rasid_detectors::shown::beginning;

/// Characters of each cause that are said: a server's own words may be of any length.
const CAUSE_CHARS_MAX: usize = 2_000;

/// An error with its causes, in one line, whatever they quote.
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&beginning(&self.0.to_string(), CAUSE_CHARS_MAX))?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {}", beginning(&cause.to_string(), CAUSE_CHARS_MAX))?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write\nfoo")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_is_one_line_of_bounded_length() {
        let inner = std::io::Error::other(format!("said\r\n\u{1b}]0;t\u{7}{}", "x".repeat(100_000)));
        let said = Chain(&Outer(inner)).to_string();
        assert!(said.starts_with(r"cannot write\nfoo: said\r\n\u{1b}]0;t\u{7}xxx") && said.ends_with("x…"), "{said}");
        assert!(said.chars().count() < 2_100 && !said.chars().any(char::is_control));
    }
}
