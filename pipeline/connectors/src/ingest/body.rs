//! From a request's body to records.

use crate::source::scan::{Scan, elements};

use super::problem::Problem;

/// What a body holds, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/cloudevents+json`: one event.
    Event,
    /// `application/cloudevents-batch+json`: an array of events.
    Batch,
    /// `application/x-ndjson`: an event a line.
    Lines,
}

impl Format {
    /// Of the content type, its parameters aside.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let known = [
            ("application/cloudevents+json", Self::Event),
            ("application/cloudevents-batch+json", Self::Batch),
            ("application/x-ndjson", Self::Lines),
        ];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(media_type)).map(|(_, format)| format)
    }
}

/// The records of a body. Whether each is an event is for the engine to say; here it only has to be one piece.
pub(super) fn records(format: Format, body: &[u8], events_max: usize) -> Result<Vec<Vec<u8>>, Problem> {
    let pieces: Vec<&[u8]> = match format {
        Format::Event => vec![object(body).ok_or_else(|| invalid("the body is not one JSON object"))?],
        Format::Batch => {
            let parts = elements(body).ok_or_else(|| invalid("the body is not a JSON array"))?;
            let objects = parts.into_iter().map(object).collect::<Option<_>>();
            objects.ok_or_else(|| invalid("an element of the array is not a JSON object"))?
        }
        Format::Lines => {
            let lines = body.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            lines.filter(|line| !line.is_empty()).collect()
        }
    };
    if pieces.len() > events_max {
        return Err(Problem::TooLarge { what: "events", max: events_max });
    }
    Ok(pieces.into_iter().map(on_one_line).collect())
}

fn invalid(why: &str) -> Problem {
    Problem::Invalid { why: why.to_owned() }
}

/// The text, if it is one object and nothing else.
fn object(text: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan::new(text);
    (scan.peek()? == b'{').then_some(())?;
    let object = scan.value()?;
    scan.peek().is_none().then_some(object)
}

/// A record is one line everywhere. In JSON a line end lies between tokens, where a blank does as well.
fn on_one_line(piece: &[u8]) -> Vec<u8> {
    piece.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("application/cloudevents+json", Some(Format::Event))]
    #[case("application/cloudevents+json; charset=utf-8", Some(Format::Event))]
    #[case("Application/CloudEvents-Batch+JSON", Some(Format::Batch))]
    #[case("application/x-ndjson", Some(Format::Lines))]
    #[case("application/json", None)]
    #[case("", None)]
    fn of_a_content_type(#[case] content_type: &str, #[case] expected: Option<Format>) {
        assert_eq!(Format::of(content_type), expected);
    }

    #[rstest]
    #[case::event(Format::Event, " {\"a\":\n 1}\r\n", Ok(vec!["{\"a\":  1}"]))]
    #[case::two_events(Format::Event, "{}{}", Err(400))]
    #[case::an_array(Format::Event, "[{}]", Err(400))]
    #[case::nothing(Format::Event, "", Err(400))]
    #[case::cut(Format::Event, "{\"a\":", Err(400))]
    #[case::batch(Format::Batch, "[{\"a\":1},\n{\"b\":\"[,\"}]", Ok(vec!["{\"a\":1}", "{\"b\":\"[,\"}"]))]
    #[case::empty_batch(Format::Batch, "[]", Ok(vec![]))]
    #[case::batch_of_others(Format::Batch, "[1]", Err(400))]
    #[case::no_batch(Format::Batch, "{}", Err(400))]
    #[case::too_many(Format::Batch, "[{},{},{},{}]", Err(413))]
    #[case::lines(Format::Lines, "{\"a\":1}\r\n\n{\"b\":2}", Ok(vec!["{\"a\":1}", "{\"b\":2}"]))]
    #[case::lines_as_they_are(Format::Lines, "no event\n", Ok(vec!["no event"]))]
    #[case::too_many_lines(Format::Lines, "1\n2\n3\n4\n", Err(413))]
    fn of_a_body(#[case] format: Format, #[case] body: &str, #[case] expected: Result<Vec<&str>, u16>) {
        let found = records(format, body.as_bytes(), 3);
        let found = found.map_err(|problem| if matches!(problem, Problem::TooLarge { .. }) { 413 } else { 400 });
        assert_eq!(found, expected.map(|all| all.into_iter().map(|one| one.as_bytes().to_vec()).collect()));
    }
}
