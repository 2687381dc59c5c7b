//! From a request's body to records.

use crate::source::jsonl::MARK;
use crate::source::scan::{Scan, elements};

use super::media::Format;
use super::problem::Problem;

/// The records of a body. Whether each is an event is for the engine to say; here it only has to be one piece.
pub(super) fn records(format: &Format, body: &[u8], events_max: usize) -> Result<Vec<Vec<u8>>, Problem> {
    let body = body.strip_prefix(MARK).unwrap_or(body);
    let pieces: Vec<&[u8]> = match format {
        Format::Event => vec![object(body).ok_or_else(|| invalid("the body is not one JSON object"))?],
        Format::Batch => objects(body, events_max)?.ok_or_else(|| invalid("the body is not a JSON array"))?,
        Format::Json => match objects(body, events_max)? {
            Some(objects) => objects,
            None => vec![object(body).ok_or_else(|| invalid("the body is neither one JSON object nor an array of them"))?],
        },
        Format::Lines => {
            let lines = body.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            lines.filter(|line| !line.is_empty()).take(events_max.saturating_add(1)).collect()
        }
        Format::Data(attributes) => {
            let data = body.trim_ascii();
            if !data.is_empty() {
                value(data).ok_or_else(|| invalid("the body is not one JSON value: the event's data"))?;
            }
            return Ok(vec![on_one_line(&attributes.with(data))]);
        }
    };
    if pieces.len() > events_max {
        return Err(Problem::TooLarge { what: "events", max: events_max });
    }
    Ok(pieces.into_iter().map(on_one_line).collect())
}

/// The elements of an array, of `max` and more one more than that; `None` where the text is no array.
fn objects(text: &[u8], max: usize) -> Result<Option<Vec<&[u8]>>, Problem> {
    let Some(parts) = elements(text, max.saturating_add(1)) else { return Ok(None) };
    let objects = parts.into_iter().map(object).collect::<Option<_>>();
    objects.map(Some).ok_or_else(|| invalid("an element of the array is not a JSON object"))
}

fn invalid(why: &str) -> Problem {
    Problem::Invalid { why: why.to_owned() }
}

/// The text, if it is one object and nothing else.
fn object(text: &[u8]) -> Option<&[u8]> {
    value(text).filter(|value| value.first() == Some(&b'{'))
}

/// The text, if it is one value and nothing else.
fn value(text: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan::new(text);
    let value = scan.value()?;
    scan.peek().is_none().then_some(value)
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
    #[case::json_object(Format::Json, " {\"a\":1}", Ok(vec!["{\"a\":1}"]))]
    #[case::json_array(Format::Json, "[{\"a\":1},{\"b\":2}]", Ok(vec!["{\"a\":1}", "{\"b\":2}"]))]
    #[case::json_nothing(Format::Json, "[]", Ok(vec![]))]
    #[case::json_of_others(Format::Json, "[{},[]]", Err(400))]
    #[case::json_scalar(Format::Json, "1", Err(400))]
    #[case::json_one_after_another(Format::Json, "{}\n{}", Err(400))]
    #[case::json_empty(Format::Json, "", Err(400))]
    #[case::json_too_many(Format::Json, "[{},{},{},{}]", Err(413))]
    #[case::a_mark_goes(Format::Event, "\u{FEFF}{}", Ok(vec!["{}"]))]
    #[case::a_mark_goes_from_lines(Format::Lines, "\u{FEFF}{}\n{}", Ok(vec!["{}", "{}"]))]
    #[case::lines(Format::Lines, "{\"a\":1}\r\n\n{\"b\":2}", Ok(vec!["{\"a\":1}", "{\"b\":2}"]))]
    #[case::lines_as_they_are(Format::Lines, "no event\n", Ok(vec!["no event"]))]
    #[case::too_many_lines(Format::Lines, "1\n2\n3\n4\n", Err(413))]
    fn of_a_body(#[case] format: Format, #[case] body: &str, #[case] expected: Result<Vec<&str>, u16>) {
        let found = records(&format, body.as_bytes(), 3);
        let found = found.map_err(|problem| if matches!(problem, Problem::TooLarge { .. }) { 413 } else { 400 });
        assert_eq!(found, expected.map(|all| all.into_iter().map(|one| one.as_bytes().to_vec()).collect()));
    }
}
