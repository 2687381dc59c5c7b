//! The event clock of a record that nobody has decoded yet: `receivedtime`, else `time`, at the top level.

use rasid_detectors::event::time::parse_rfc3339;

use super::scan::Scan;

/// Unix ms; `None`: the record shows none that can be read. It decides only which record goes first: what the event
/// clock is, the engine says.
pub fn event_clock(record: &[u8]) -> Option<i64> {
    let mut scan = Scan::new(record);
    let mut time = None;
    scan.expect(b'{')?;
    loop {
        let name = scan.string()?;
        scan.expect(b':')?;
        match name {
            b"receivedtime" => return instant(scan.value()?),
            b"time" => time = instant(scan.value()?),
            _ => {
                scan.value()?;
            }
        }
        match scan.peek()? {
            b',' => scan.expect(b',')?,
            b'}' => return time,
            _ => return None,
        }
    }
}

fn instant(value: &[u8]) -> Option<i64> {
    let text = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    parse_rfc3339(std::str::from_utf8(text).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::time(r#"{"id":"1","time":"1970-01-01T00:00:01Z","data":{}}"#, Some(1000))]
    #[case::received_first(r#"{"receivedtime":"1970-01-01T00:00:02Z","time":"1970-01-01T00:00:01Z"}"#, Some(2000))]
    #[case::received_last(r#"{"time":"1970-01-01T00:00:01Z","data":{"a":[1,"]}"]},"receivedtime":"1970-01-01T00:00:02.5Z"}"#, Some(2500))]
    #[case::not_that_of_the_data(r#"{"data":{"time":"1970-01-01T00:00:09Z"},"time":"1970-01-01T00:00:01Z"}"#, Some(1000))]
    #[case::escapes(r#"{"a\"b":"x\\","time":"1970-01-01T00:00:01Z"}"#, Some(1000))]
    #[case::blanks(" { \"time\" :\t\"1970-01-01T00:00:01Z\" , \"n\" : -1.5e3 } ", Some(1000))]
    #[case::none(r#"{"id":"1"}"#, None)]
    #[case::received_unreadable(r#"{"time":"1970-01-01T00:00:01Z","receivedtime":"soon"}"#, None)]
    #[case::a_number(r#"{"time":1000}"#, None)]
    #[case::cut(r#"{"time":"1970-01-01T00:00:01Z","da"#, None)]
    #[case::no_object("[]", None)]
    #[case::empty("", None)]
    #[case::empty_object("{}", None)]
    fn of_a_record(#[case] record: &str, #[case] expected: Option<i64>) {
        assert_eq!(event_clock(record.as_bytes()), expected);
    }
}
