//! Answers that say what is wrong: problem documents, RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Invalid { why: String },
    Unauthorized { why: String },
    TooSlow,
    TooLarge { what: &'static str, max: usize },
    MediaType,
    Limited { retry_after_s: u64 },
    Busy { why: &'static str, retry_after_s: u64 },
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid-body",
            Self::Unauthorized { .. } => "not-signed",
            Self::TooSlow => "body-too-slow",
            Self::TooLarge { .. } => "too-large",
            Self::MediaType => "media-type",
            Self::Limited { .. } => "rate-limited",
            Self::Busy { .. } => "busy",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Invalid { why } | Self::Unauthorized { why } => why.clone(),
            Self::TooSlow => "the body did not come in time".to_owned(),
            Self::TooLarge { what, max } => {
                format!("expected {max} {what} at most: send it in smaller pieces, each with its own webhook-id")
            }
            Self::MediaType => {
                "expected application/cloudevents+json, application/cloudevents-batch+json or application/x-ndjson, not compressed"
                    .to_owned()
            }
            Self::Limited { retry_after_s } => format!("more events than agreed; try again in {retry_after_s} s"),
            Self::Busy { why, retry_after_s } => format!("{why}; try again in {retry_after_s} s with the same webhook-id"),
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Limited { retry_after_s } | Self::Busy { retry_after_s, .. } => Some(*retry_after_s),
            _ => None,
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
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
