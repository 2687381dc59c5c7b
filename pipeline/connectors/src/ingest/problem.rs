//! Answers that say what is wrong: problem documents, RFC 9457.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Endpoint;
use super::media::{ENCODINGS, TYPES, Unfit};
use crate::webhook::VerifyError;

/// Says which types of content a path takes (<https://www.w3.org/TR/ldp/#header-accept-post>).
pub(super) const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Invalid {
        why: String,
    },
    Header {
        name: &'static str,
    },
    /// Some of the headers of one signature and some of another.
    Mixed,
    Unverified(VerifyError),
    TooSlow,
    OtherBody,
    TooLarge {
        what: &'static str,
        max: usize,
    },
    MediaType(Unfit),
    Limited {
        retry_after_s: u64,
    },
    Busy(Busy),
    Token(Unusable),
    /// The token is for something else.
    Scope,
    /// It would have to be believed what others could have read, or changed.
    Unprotected(Exposed),
    /// The path is another; with a slash at its end it is nearly this one.
    Path {
        slash: bool,
    },
    Method,
}

/// What may be shown in place of a signature, RFC 6750.
const BEARER: &str = "Bearer realm=\"rasid\"";
const BEARER_INVALID: &str = "Bearer realm=\"rasid\", error=\"invalid_token\"";
/// Where events are taken.
pub(super) const PATH: &str = ENDPOINT.path;
/// The same, for the reference.
pub const ENDPOINT: Endpoint = Endpoint {
    method: "post",
    path: "/v1/events",
    about: "Takes events of producers that sign or show a token: [producers.md](producers.md). Where `sources.http.enabled` is off, 404.",
};
/// The methods that the path takes.
pub(super) const METHODS: &str = "POST, OPTIONS";

/// Why a token is good for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is none, or none any more.
    Unknown,
    Expired,
    /// The configuration does not have its producer.
    Unconfigured,
}

/// What lay open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposed {
    Token,
    /// The attributes of an event, which no signature covers.
    Attributes,
}

/// What there is too much of, or too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// Others needed the room that this body took, and it was the longest on its way.
    Shed,
    /// Bodies of verified requests take all the room that there is.
    Memory,
    /// Too many verified requests are under way.
    Requests,
    /// It is not durable within the time for that.
    Log,
    /// Something outside holds the log up, which says what.
    Hindered(&'static str),
    /// The sender's ids cannot be remembered.
    Ids,
    /// A drain has begun.
    Stopping,
}

/// One label for each way to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reason(usize);

impl Reason {
    pub(super) const NAMES: [&'static str; 21] = [
        "invalid_body",
        "header",
        "timestamp",
        "signature",
        "too_slow",
        "id_reused",
        "too_large",
        "media_type",
        "rate",
        "shed",
        "memory",
        "requests",
        "log",
        "hindered",
        "ids",
        "stopping",
        "path",
        "method",
        "token",
        "scope",
        "unprotected",
    ];

    pub(super) fn name(self) -> &'static str {
        Self::NAMES.get(self.0).copied().unwrap_or_default()
    }

    pub(super) fn index(self) -> usize {
        self.0
    }
}

impl Problem {
    pub(super) fn reason(&self) -> Reason {
        Reason(match self {
            Self::Invalid { .. } => 0,
            Self::Header { .. } | Self::Mixed | Self::Unverified(VerifyError::Id | VerifyError::Form) => 1,
            Self::Unverified(VerifyError::Timestamp | VerifyError::TooOld | VerifyError::TooNew) => 2,
            Self::Unverified(VerifyError::Signature) => 3,
            Self::TooSlow => 4,
            Self::OtherBody => 5,
            Self::TooLarge { .. } => 6,
            Self::MediaType(_) => 7,
            Self::Limited { .. } => 8,
            Self::Busy(Busy::Shed) => 9,
            Self::Busy(Busy::Memory) => 10,
            Self::Busy(Busy::Requests) => 11,
            Self::Busy(Busy::Log) => 12,
            Self::Busy(Busy::Hindered(_)) => 13,
            Self::Busy(Busy::Ids) => 14,
            Self::Busy(Busy::Stopping) => 15,
            Self::Path { .. } => 16,
            Self::Method => 17,
            Self::Token(_) => 18,
            Self::Scope => 19,
            Self::Unprotected(_) => 20,
        })
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Header { .. } | Self::Mixed | Self::Unverified(_) | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Scope | Self::Unprotected(_) => StatusCode::FORBIDDEN,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::OtherBody => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Path { .. } => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid-body",
            Self::Header { .. } | Self::Mixed | Self::Unverified(_) => "not-signed",
            Self::TooSlow => "body-too-slow",
            Self::OtherBody => "webhook-id-reused",
            Self::TooLarge { .. } => "too-large",
            Self::MediaType(_) => "media-type",
            Self::Limited { .. } => "rate-limited",
            Self::Busy(_) => "busy",
            Self::Token(_) => "token",
            Self::Scope => "scope",
            Self::Unprotected(_) => "unprotected",
            Self::Path { .. } => "path",
            Self::Method => "method",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Invalid { why } => why.clone(),
            Self::Header { name } => format!("expected one header {name}"),
            Self::Mixed => "found webhook- and svix- headers, expected one set of three".to_owned(),
            Self::Unverified(error) => error.to_string(),
            Self::TooSlow => "the body did not come in time".to_owned(),
            Self::OtherBody => {
                "this webhook-id came before with other events, which stand: these are not taken; send them under an id of their own"
                    .to_owned()
            }
            Self::TooLarge { what, max } => {
                format!("expected {max} {what} at most: send it in smaller pieces, each with its own webhook-id")
            }
            Self::MediaType(Unfit::Type) => {
                format!("expected one content-type of {TYPES}; or with the headers of a CloudEvent, ce-id and its like, a type of JSON")
            }
            Self::MediaType(Unfit::Charset) => "expected UTF-8: no other charset is JSON's".to_owned(),
            Self::MediaType(Unfit::Data) => {
                "the headers are those of a CloudEvent: expected data of a type of JSON, such as application/json".to_owned()
            }
            Self::MediaType(Unfit::Encoding) => format!("expected a body that is packed once at most: {ENCODINGS}"),
            Self::Limited { retry_after_s } => format!("more events than agreed; try again in {retry_after_s} s"),
            Self::Busy(busy) => format!("{}; try again in {} s with the same webhook-id", busy.what(), busy.retry_after_s()),
            Self::Token(Unusable::Unknown) => "the bearer token is none, or was revoked".to_owned(),
            Self::Token(Unusable::Expired) => "the bearer token has expired".to_owned(),
            Self::Token(Unusable::Unconfigured) => "the bearer token is good, but its producer is not in the configuration".to_owned(),
            Self::Scope => "the bearer token is not for this: expected one with the scope write:events".to_owned(),
            Self::Unprotected(Exposed::Token) => {
                "a bearer token came over a connection that others can read: expected TLS, or a client on this machine; this token is to be revoked"
                    .to_owned()
            }
            Self::Unprotected(Exposed::Attributes) => {
                "a signature does not cover an event's attributes in headers: expected TLS, a client on this machine, or another content type"
                    .to_owned()
            }
            Self::Path { slash: true } => format!("there is nothing at this path: events are taken at {PATH}, without a slash at its end"),
            Self::Path { slash: false } => format!("there is nothing at this path: events are taken at {PATH}"),
            Self::Method => format!("events are sent by POST, expected one of {METHODS}"),
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Limited { retry_after_s } => Some(*retry_after_s),
            Self::Busy(busy) => Some(busy.retry_after_s()),
            _ => None,
        }
    }
}

impl Busy {
    /// In words, for the sender and for whoever asks whether the service is ready.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Shed => "too much is coming in at once, and this came slowest",
            Self::Memory => "the bodies of requests under way take all the room there is",
            Self::Requests => "too many requests are under way",
            Self::Log => "events that came over HTTP are not durable in time",
            Self::Hindered(why) => why,
            Self::Ids => "too many webhook-ids within a quarter of an hour",
            Self::Stopping => "the service is stopping",
        }
    }

    fn retry_after_s(self) -> u64 {
        match self {
            Self::Shed | Self::Memory | Self::Requests => 1,
            Self::Log | Self::Hindered(_) | Self::Stopping => 5,
            Self::Ids => 60,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let document = serde_json::json!({
            "type": format!("urn:rasid:problem:{}", self.name()),
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        let mut response = (status, document.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::MediaType(unfit) => {
                headers.insert(ACCEPT_POST, HeaderValue::from_static(TYPES));
                if unfit == Unfit::Encoding {
                    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
                }
            }
            Self::Token(_) => drop(headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(BEARER_INVALID))),
            Self::Header { .. } | Self::Mixed | Self::Unverified(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(BEARER));
            }
            Self::Method => drop(headers.insert(header::ALLOW, HeaderValue::from_static(METHODS))),
            _ => {}
        }
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
