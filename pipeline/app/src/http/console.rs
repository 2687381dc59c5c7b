//! The console's files, and the runbooks that it shows: they are in the program, so that there is nothing to install and nothing that
//! could be of another version.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use twox_hash::XxHash3_64;

use super::api::Parts;
use super::{Problem, Shared, not_found};

/// The files' names below `dashboards/console`, and what is in them, as `build.rs` found them.
const FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/console_files.rs"));

/// The runbooks' names below `docs/runbooks`, and their texts.
const RUNBOOKS: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/runbooks.rs"));

/// What the page may do: run and show what came with it, and ask this service. Nothing of it is written in line, so nothing that is
/// is run; no other site can put it into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What each file has beside its type.
const OF_EVERY_FILE: [(header::HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// The routes of all files but the page itself.
pub(super) fn routes() -> Router<Shared> {
    let names = FILES.iter().map(|(name, _)| *name).filter(|name| *name != "index.html");
    names.fold(Router::new(), |router, name| {
        router.route(&format!("/{name}"), get(move |headers: HeaderMap| async move { file(name, &headers) }).fallback(super::not_allowed))
    })
}

/// A file, or that it is still what the browser has.
pub(super) fn file(name: &str, headers: &HeaderMap) -> Response {
    let Some((_, bytes)) = FILES.iter().find(|(other, _)| *other == name) else { return not_found() };
    let tag = format!("\"{:016x}\"", XxHash3_64::oneshot(bytes));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { whole(name, bytes) };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    for (name, value) in OF_EVERY_FILE {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

fn whole(name: &str, bytes: &'static [u8]) -> Response {
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}

/// `GET /v1/runbooks/{name}`.
pub(super) async fn runbook(Parts(parts): Parts) -> Result<Response, Problem> {
    let name = parts.concat();
    let found = RUNBOOKS.iter().find(|(file, _)| file.strip_suffix(".md") == Some(name.as_str()));
    let (_, text) = found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no runbook of that name came with this service"))?;
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], *text).into_response())
}
