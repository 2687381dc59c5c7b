//! What a request's head says of whose it is: a signature's three headers, or a bearer token.

use axum::http::HeaderMap;
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::media::{Encoding, Format};
use super::problem::{Busy, Problem};
use crate::webhook::{self, Claimed};

/// Where a token is shown.
const AUTHORIZATION: &str = "authorization";
/// What a delivery is called by those who do not sign it.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// What a request says before its body.
pub(super) struct Announced<'h> {
    pub(super) format: Format,
    pub(super) encoding: Option<Encoding>,
    pub(super) whose: Whose<'h>,
}

/// Whose a request says to be, and what its delivery is called.
pub(super) enum Whose<'h> {
    /// Of a secret that its body has to be held to.
    Signed(Claimed<'h>),
    /// Of a token, which was good.
    Shown { index: usize, id: String },
}

/// The value of a header that there must be once.
fn only<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().and_then(|value| value.to_str().ok()).filter(|_| values.next().is_none());
    value.ok_or(Problem::Header { name })
}

/// The bearer token that a request shows; `None` where it shows none. Another scheme is somebody else's, such as a proxy's.
///
/// # Errors
/// It shows a token among several credentials.
pub fn bearer(headers: &HeaderMap) -> Result<Option<Zeroizing<String>>, Several> {
    let mut values = headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok()?.split_once(' '));
    let Some((_, token)) = values.find(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else { return Ok(None) };
    if headers.get_all(AUTHORIZATION).iter().count() > 1 {
        return Err(Several);
    }
    Ok(Some(Zeroizing::new(token.trim().to_owned())))
}

/// A request has more than one `authorization` header, one of them with a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are several `authorization` headers, expected one")]
pub struct Several;

impl From<Several> for Problem {
    fn from(_: Several) -> Self {
        Self::Header { name: "authorization" }
    }
}

/// What a signature's headers claim.
pub(super) fn claimed(headers: &HeaderMap, wall_ms: i64) -> Result<Claimed<'_>, Problem> {
    let there = |names: [&'static str; 3]| names.into_iter().any(|name| headers.contains_key(name));
    let [id, timestamp, signature] = match (there(webhook::HEADERS), there(webhook::SVIX_HEADERS)) {
        (true, true) => return Err(Problem::Mixed),
        (false, true) => webhook::SVIX_HEADERS,
        _ => webhook::HEADERS,
    };
    Claimed::new(only(headers, id)?, only(headers, timestamp)?, only(headers, signature)?, wall_ms).map_err(Problem::Unverified)
}

/// What a delivery is called that needs no name; one of its own where it has none.
pub(super) fn delivery(headers: &HeaderMap) -> Result<String, Problem> {
    let named = [webhook::ID, webhook::SVIX_HEADERS[0], IDEMPOTENCY_KEY].into_iter().find(|name| headers.contains_key(*name));
    let Some(name) = named else {
        let mut random = [0; 16];
        // Without random bytes it cannot be told from others; the system then has other worries, and asking again is harmless.
        getrandom::fill(&mut random).map_err(|_| Problem::Busy(Busy::Requests))?;
        return Ok(HEXLOWER.encode(&random));
    };
    let value = only(headers, name)?;
    // The draft of that header has its value in quotes.
    let id = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    webhook::check_id(id).map_err(Problem::Unverified)?;
    Ok(id.to_owned())
}
