//! HTTP: probes and metrics, and the mount point of what receives events; on a socket of its own in the data folder, what
//! an operator may ask.

mod api;
mod client;
mod connections;
mod console;
mod control;
pub(crate) mod descriptors;
mod problem;
mod server;
mod tls;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rasid_connectors::ingest::Endpoint;
use rasid_service::health::hindrance::Hindrances;
use rasid_service::health::stats::{Freshness, Readiness, Stats};
use rasid_service::operate::control::Control;
use serde_json::json;
use tower::ServiceExt as _;

pub(crate) use api::{Access, document as openapi_document, operations};
pub(crate) use client::Client;
pub(crate) use connections::{Connections, ServerStats, Times};
pub(crate) use control::{SOCKET, bind as bind_control, introduce, router as control_router};
use problem::Problem;
pub(crate) use server::serve;
pub(crate) use tls::{Secured, ServerTls, is_this_machine, over_tcp, over_tls};

/// A service that is up.
struct Live {
    control: Arc<dyn Control>,
    /// Who may ask.
    access: api::Access,
    /// What receives events, where that is on.
    ingest: Option<Router>,
}

/// What the handlers share. The server answers before the service is up, so that probes tell starting from dead.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    live: OnceLock<Live>,
    fresh_lag_ms_max: u64,
    connections: Connections,
    tls: OnceLock<Arc<ServerTls>>,
    /// What a start waits for.
    hindrances: Hindrances,
}

impl Shared {
    /// `connections` are those over which the handlers are asked; `hindrances` what a start waits for.
    pub(crate) fn new(fresh_lag_ms_max: u64, connections: Connections, hindrances: Hindrances) -> Self {
        Self(Arc::new(Inner { live: OnceLock::new(), fresh_lag_ms_max, connections, tls: OnceLock::new(), hindrances }))
    }

    /// Its connections are secured by this; called once.
    pub(crate) fn secured_by(&self, tls: Arc<ServerTls>) {
        drop(self.0.tls.set(tls));
    }

    /// Why nothing is accepted before the service is up.
    fn starting(&self) -> String {
        match self.0.hindrances.blocking() {
            Some(words) => format!("starting; the disk has no room, {words}"),
            None => "starting".to_owned(),
        }
    }

    /// The service is up; called once.
    pub(crate) fn up(&self, control: Arc<dyn Control>, access: Access, ingest: Option<Router>) {
        drop(self.0.live.set(Live { control, access, ingest }));
    }

    fn stats(&self) -> Option<Stats> {
        self.0.live.get().map(|live| live.control.stats())
    }
}

macro_rules! endpoints {
    ($($(#[doc = $doc:literal])* $method:ident $path:literal: $handler:ident,)*) => {
        /// What is served beside events.
        const OWN: &[Endpoint] = &[$(Endpoint { method: stringify!($method), path: $path, about: concat!($($doc),*) },)*];

        /// The routes, and the reference of them in docs/http.md.
        fn routes() -> Router<Shared> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

endpoints! {
    /// 200 while the process answers, also while it restores. With `?fresh` 503 when an event waits for its decision, a score for Redis,
    /// or Redis for a heartbeat, for longer than `server.fresh_lag_ms_max`; `detail` says what waits.
    get "/healthz": healthz,
    /// 200 when events are accepted and will survive a crash; 503 while it restores or drains, while the outbox is full or the
    /// disk without room, and when producers are sent away for want of room; `detail` says which.
    get "/readyz": readyz,
    /// The figures, OpenMetrics.
    get "/metrics": metrics,
    /// The console: a page for a browser, with what it is made of. It asks with a token that its user pastes.
    get "/": page,
    /// What may be asked with a token, as an OpenAPI 3.1 document.
    get "/openapi.json": openapi,
}

/// Every path that is served at the configured address.
pub(crate) fn endpoints() -> impl Iterator<Item = Endpoint> {
    OWN.iter().copied().chain([rasid_connectors::ingest::ENDPOINT])
}

/// Everything that is served on the configured address.
pub(crate) fn router(shared: Shared) -> Router {
    routes()
        .merge(api::routes(&shared))
        .merge(console::routes())
        .method_not_allowed_fallback(not_allowed)
        .fallback(ingest)
        .with_state(shared)
}

fn ok(body: &serde_json::Value) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Alive; with `?fresh` also: the scores that readers have are no older than they may be.
async fn healthz(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let version = env!("CARGO_PKG_VERSION");
    let fresh = query.is_some_and(|query| query.split('&').any(|part| part == "fresh" || part.starts_with("fresh=")));
    if !fresh {
        return Ok(ok(&json!({"status": "alive", "version": version})));
    }
    let Some(stats) = shared.stats() else { return Err(Problem::unavailable("the service is starting")) };
    let (Freshness { lag_ms, why }, max) = (stats.freshness, shared.0.fresh_lag_ms_max);
    if lag_ms > max {
        return Err(Problem::unavailable(format!("{why}; {max} ms is the bound")));
    }
    Ok(ok(&json!({"status": "fresh", "version": version, "lag_ms": lag_ms})))
}

/// Accepts and persists.
async fn readyz(State(shared): State<Shared>) -> Result<Response, Problem> {
    match shared.stats().map_or_else(|| Readiness::NotReady(shared.starting()), |stats| stats.readiness) {
        Readiness::Ready => Ok(ok(&json!({"status": "ready"}))),
        Readiness::NotReady(why) => Err(Problem::unavailable(format!("the service does not accept events: {why}"))),
    }
}

async fn metrics(State(shared): State<Shared>) -> Result<Response, Problem> {
    let certificate_unusable = shared.0.tls.get().map(|tls| tls.is_unusable());
    let server = ServerStats { certificate_unusable, ..shared.0.connections.stats() };
    let text = crate::metrics::encode(shared.stats(), server).map_err(|_| Problem::internal("metrics cannot be written"))?;
    Ok(([(header::CONTENT_TYPE, crate::metrics::CONTENT_TYPE)], text).into_response())
}

async fn page(headers: HeaderMap) -> Response {
    console::file("index.html", &headers)
}

async fn openapi() -> Response {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| api::document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], document.as_str()).into_response()
}

/// What no path above is, the ingester may know.
async fn ingest(State(shared): State<Shared>, request: Request) -> Response {
    let events = request.uri().path().starts_with(rasid_connectors::ingest::ENDPOINT.path);
    let Some(live) = shared.0.live.get() else {
        return if events { Problem::unavailable("the service is starting").into_response() } else { not_found() };
    };
    match &live.ingest {
        Some(router) if events => match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None if events => {
            Problem::new(StatusCode::NOT_FOUND, "events are not taken over HTTP: `sources.http.enabled` is off").into_response()
        }
        _ => not_found(),
    }
}

fn not_found() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path").into_response()
}

async fn not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the path does not take this method")
}

#[cfg(test)]
mod tests;
