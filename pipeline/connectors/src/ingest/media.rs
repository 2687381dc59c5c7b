//! What a request says that its body is: content type and content encoding.

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use rasid_detectors::event::encoded::is_json;

use super::binary::{self, Attributes};
use super::problem::Problem;

/// What is taken, for `Accept-Post`.
pub(super) const TYPES: &str = "application/x-ndjson, application/json, application/cloudevents+json, application/cloudevents-batch+json";
/// What is taken, for `Accept-Encoding`.
pub(super) const ENCODINGS: &str = "gzip, zstd";

/// What a body holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/cloudevents+json`: one event.
    Event,
    /// `application/cloudevents-batch+json`: an array of events.
    Batch,
    /// `application/json`: one event, or an array of them.
    Json,
    /// `application/x-ndjson` and what else it is called: an event a line.
    Lines,
    /// The data of one event, whose attributes stood in headers.
    Data(Attributes),
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Zstd,
}

/// What of it is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The content type.
    Type,
    /// Its charset.
    Charset,
    /// The content type of one event's data.
    Data,
    /// The content encoding.
    Encoding,
}

/// What the headers say of the body, and how it is packed, where it is.
pub(super) fn announced(headers: &HeaderMap) -> Result<(Format, Option<Encoding>), Problem> {
    Ok((format(headers)?, encoding(headers)?))
}

fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let unfit = |what| Err(Problem::MediaType(what));
    let Some(content_type) = only(headers, &CONTENT_TYPE) else { return unfit(Unfit::Type) };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // RFC 8259: JSON is UTF-8. Who says that it is something else may be right.
    if charset(content_type).is_some_and(|name| !["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))) {
        return unfit(Unfit::Charset);
    }
    let is_cloudevents = essence.starts_with("application/cloudevents");
    if !is_cloudevents && binary::is_meant(headers) {
        if !essence.is_empty() && !is_json(&essence) {
            return unfit(Unfit::Data);
        }
        return Attributes::of(headers, content_type).map(Format::Data);
    }
    match essence.as_str() {
        "application/cloudevents+json" => Ok(Format::Event),
        "application/cloudevents-batch+json" => Ok(Format::Batch),
        "application/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => Ok(Format::Lines),
        _ => unfit(Unfit::Type),
    }
}

/// The value of a header that may be there once; empty where it is not, `None` where it is there twice or is no text.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map_or(Some(""), |value| value.to_str().ok());
    first.filter(|_| values.next().is_none())
}

fn charset(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let named = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    named.map(|(_, value)| value.trim().trim_matches('"')).next()
}

fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Problem> {
    let mut found = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().unwrap_or("?").split(',').map(|name| name.trim().to_ascii_lowercase()) {
            let encoding = match name.as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Encoding::Gzip,
                "zstd" => Encoding::Zstd,
                _ => return Err(Problem::MediaType(Unfit::Encoding)),
            };
            // Packed twice is a mistake, or a bomb.
            if found.replace(encoding).is_some() {
                return Err(Problem::MediaType(Unfit::Encoding));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use rstest::rstest;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[rstest]
    #[case("application/cloudevents+json", Ok(Format::Event))]
    #[case("application/cloudevents+json; charset=utf-8", Ok(Format::Event))]
    #[case("Application/CloudEvents-Batch+JSON;CHARSET=\"UTF-8\"", Ok(Format::Batch))]
    #[case("application/json", Ok(Format::Json))]
    #[case("application/json;charset=utf-8;x=y", Ok(Format::Json))]
    #[case("application/x-ndjson", Ok(Format::Lines))]
    #[case("application/jsonl; charset=us-ascii", Ok(Format::Lines))]
    #[case("application/x-jsonlines", Ok(Format::Lines))]
    #[case("application/json; charset=utf-16le", Err(Unfit::Charset))]
    #[case("application/cloudevents+avro", Err(Unfit::Type))]
    #[case("application/x-www-form-urlencoded", Err(Unfit::Type))]
    #[case("", Err(Unfit::Type))]
    fn of_a_content_type(#[case] content_type: &'static str, #[case] expected: Result<Format, Unfit>) {
        assert_eq!(format(&headers(&[("content-type", content_type)])), expected.map_err(Problem::MediaType));
    }

    #[test]
    fn one_type_or_none() {
        let twice = headers(&[("content-type", "application/json"), ("content-type", "application/json")]);
        assert_eq!(format(&twice), Err(Problem::MediaType(Unfit::Type)));
        assert_eq!(format(&HeaderMap::new()), Err(Problem::MediaType(Unfit::Type)));
        let attributes = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
        assert!(matches!(format(&headers(&attributes)), Ok(Format::Data(_))), "data without a type is JSON");
        let with = |content_type| format(&headers(&[&attributes[..], &[("content-type", content_type)]].concat()));
        assert!(matches!(with("application/vnd.khidma+json"), Ok(Format::Data(_))));
        assert_eq!(with("application/xml"), Err(Problem::MediaType(Unfit::Data)));
        assert_eq!(with("application/cloudevents+json"), Ok(Format::Event), "in structured mode the headers only repeat it");
    }

    #[rstest]
    #[case(&[], Ok(None))]
    #[case(&["identity"], Ok(None))]
    #[case(&["gzip"], Ok(Some(Encoding::Gzip)))]
    #[case(&["X-Gzip"], Ok(Some(Encoding::Gzip)))]
    #[case(&["zstd, identity"], Ok(Some(Encoding::Zstd)))]
    #[case(&["br"], Err(()))]
    #[case(&["deflate"], Err(()))]
    #[case(&["gzip, gzip"], Err(()))]
    #[case(&["gzip", "zstd"], Err(()))]
    fn of_a_content_encoding(#[case] values: &[&'static str], #[case] expected: Result<Option<Encoding>, ()>) {
        let all: Vec<_> = values.iter().map(|value| ("content-encoding", *value)).collect();
        assert_eq!(encoding(&headers(&all)), expected.map_err(|()| Problem::MediaType(Unfit::Encoding)));
    }
}
