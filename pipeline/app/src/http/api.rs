//! What may be asked over HTTP with a token: the questions of the control socket that a program or a console beyond this machine
//! needs, each with the scope that a token must have for it.
//!
//! Everything is in one table, [`operations`]: the routes are made from it, the `OpenAPI` document, `docs/http.md`, and the test
//! that asks each of them with each scope and with none.

mod auth;
mod openapi;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, FromRequestParts, Path, Query, Request, State, rejection::QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use rasid_connectors::tokens::Scope;
use rasid_engine::Score;
use rasid_service::operate::control::{
    AckRequest, AlertFilter, AlertInfo, AlertRequest, AlertShown, ChangesRequest, CloseRequest, Control, ControlError, DeadLetterFilter,
    EntityRequest, EntityShown, GroupFilter, Happened, ParkedFilter, Question, RetractRequest, RiskRequest, RuleRequest, RulesRequest,
    StatusRequest, VerdictRequest, Way,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Problem, Shared, console, control};
pub(crate) use auth::Access;
use auth::Caller;
pub(crate) use openapi::document;

/// What each answer has: it is nobody else's, and it is what it says it is.
const OF_EVERY_ANSWER: [(header::HeaderName, &str); 3] =
    [(header::CACHE_CONTROL, "no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "no-referrer")];

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One thing that may be asked.
pub(crate) struct Operation {
    pub(crate) way: Way,
    /// With `{name}` for each part that the question is made of.
    pub(crate) path: &'static str,
    /// What the token must have; `None`: any token will do.
    pub(crate) scope: Option<Scope>,
    /// What it does.
    pub(crate) about: &'static str,
    route: MethodRouter<Shared>,
    /// The question, of which the path may have a part.
    question: Option<SchemaOf>,
    answer: Answered,
}

/// What comes back.
#[derive(Clone, Copy)]
enum Answered {
    Json(SchemaOf),
    /// Server-sent events, each of which has such a value.
    Events(SchemaOf),
    Markdown,
}

/// A question that the path asks alone.
trait Named: Question {
    fn named(parts: Vec<String>) -> Self;
}

impl Named for AlertRequest {
    fn named(parts: Vec<String>) -> Self {
        Self { id: parts.concat() }
    }
}

impl Named for RuleRequest {
    fn named(parts: Vec<String>) -> Self {
        Self { id: parts.concat() }
    }
}

impl Named for EntityRequest {
    fn named(parts: Vec<String>) -> Self {
        Self { entity: parts.join(":") }
    }
}

impl Named for RiskRequest {
    fn named(parts: Vec<String>) -> Self {
        Self { entity: parts.join(":") }
    }
}

/// All of them. What a person at the console needs to look asks for `read:alerts`, so that one token does.
pub(crate) fn operations() -> Vec<Operation> {
    use Scope::{Admin, ReadAlerts, ReadRisk, WriteFeedback};
    vec![
        Operation {
            way: Way::Get,
            path: "/v1/me",
            scope: None,
            about: "Whose the token is, and what it may ask.",
            route: get(me),
            question: None,
            answer: Answered::Json(SchemaGenerator::subschema_for::<auth::Me>),
        },
        looks::<AlertFilter>("/v1/alerts", ReadAlerts),
        looks::<GroupFilter>("/v1/alerts/groups", ReadAlerts),
        looks::<ChangesRequest>("/v1/alerts/changes", ReadAlerts),
        Operation {
            way: Way::Get,
            path: "/v1/alerts/stream",
            scope: Some(ReadAlerts),
            about: stream::ABOUT,
            route: get(stream::stream),
            question: Some(SchemaGenerator::subschema_for::<stream::After>),
            answer: Answered::Events(SchemaGenerator::subschema_for::<rasid_service::operate::control::AlertInfo>),
        },
        Operation {
            route: get(alert),
            answer: Answered::Json(SchemaGenerator::subschema_for::<AlertDocument>),
            ..names::<AlertRequest>("/v1/alerts/{id}", ReadAlerts)
        },
        says::<AckRequest>("/v1/alerts/ack", WriteFeedback),
        says::<CloseRequest>("/v1/alerts/close", WriteFeedback),
        says::<VerdictRequest>("/v1/alerts/feedback", WriteFeedback),
        says::<AckRequest>("/v1/alerts/{id}/ack", WriteFeedback),
        says::<CloseRequest>("/v1/alerts/{id}/close", WriteFeedback),
        says::<VerdictRequest>("/v1/alerts/{id}/feedback", WriteFeedback),
        looks::<RulesRequest>("/v1/rules", ReadAlerts),
        names::<RuleRequest>("/v1/rules/{id}", ReadAlerts),
        Operation {
            way: Way::Get,
            path: "/v1/runbooks/{name}",
            scope: Some(ReadAlerts),
            about: "A runbook, as Markdown: the name is that of its file in docs/runbooks, without `.md`.",
            route: get(console::runbook),
            question: None,
            answer: Answered::Markdown,
        },
        Operation { route: get(entity), ..names::<EntityRequest>("/v1/entities/{entity}", ReadAlerts) },
        Operation {
            route: get(risk),
            answer: Answered::Json(SchemaGenerator::subschema_for::<Score>),
            ..names::<RiskRequest>("/v1/risk/{kind}/{id}", ReadRisk)
        },
        looks::<StatusRequest>("/v1/status", ReadAlerts),
        looks::<DeadLetterFilter>("/v1/dead-letters", Admin),
        looks::<ParkedFilter>("/v1/parked", Admin),
        says::<RetractRequest>("/v1/retract", Admin),
    ]
}

fn looks<Q: Question + JsonSchema>(path: &'static str, scope: Scope) -> Operation
where
    Q::Answer: JsonSchema,
{
    operation::<Q>(Way::Get, path, scope, get(looked_at::<Q>))
}

fn names<Q: Named + JsonSchema>(path: &'static str, scope: Scope) -> Operation
where
    Q::Answer: JsonSchema,
{
    operation::<Q>(Way::Get, path, scope, get(named::<Q>))
}

fn says<Q: Question + JsonSchema>(path: &'static str, scope: Scope) -> Operation
where
    Q::Answer: JsonSchema,
{
    operation::<Q>(Way::Post, path, scope, post(said::<Q>))
}

fn operation<Q: Question + JsonSchema>(way: Way, path: &'static str, scope: Scope, route: MethodRouter<Shared>) -> Operation
where
    Q::Answer: JsonSchema,
{
    Operation {
        way,
        path,
        scope: Some(scope),
        about: Q::ABOUT.trim(),
        route,
        question: Some(SchemaGenerator::subschema_for::<Q>),
        answer: Answered::Json(SchemaGenerator::subschema_for::<Q::Answer>),
    }
}

/// The routes, each behind what asks for a token.
pub(super) fn routes(shared: &Shared) -> Router<Shared> {
    operations().into_iter().fold(Router::new(), |router, operation| {
        let Operation { path, scope, route, .. } = operation;
        let asks = middleware::from_fn_with_state(shared.clone(), move |State(shared): State<Shared>, request: Request, next: Next| {
            admitted(shared, scope, request, next)
        });
        router.route(path, route.route_layer(asks).fallback(super::not_allowed))
    })
}

/// Lets a request pass whose token may ask.
async fn admitted(shared: Shared, scope: Option<Scope>, mut request: Request, next: Next) -> Response {
    let admitted = match shared.access() {
        Some(access) => access.admit(request.headers(), request.extensions(), scope),
        None => Err(Problem::unavailable(shared.starting())),
    };
    let mut response = match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    for (name, value) in OF_EVERY_ANSWER {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rasid\""));
    }
    response
}

type Answer = Result<Response, Problem>;

async fn me(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Answer {
    control::answer(Ok(caller.me(shared.control()?.stats().engine.event_clock_ms)))
}

async fn looked_at<Q: Question>(State(shared): State<Shared>, question: Result<Query<Q>, QueryRejection>) -> Answer {
    let Query(question) = question.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    control::answer(question.ask(shared.control()?.as_ref()).await)
}

async fn named<Q: Named>(State(shared): State<Shared>, Parts(parts): Parts) -> Answer {
    control::answer(Q::named(parts).ask(shared.control()?.as_ref()).await)
}

/// An alert as it was opened, and what was said about it.
#[derive(Serialize, JsonSchema)]
struct AlertDocument {
    /// What is known of it.
    info: AlertInfo,
    /// The alert as it was opened: `docs/schema/alerts.json`.
    alert: Value,
    /// What was said about it, oldest first.
    history: Vec<Happened>,
    /// Entries of the history that are no longer kept: they were the oldest.
    forgotten: u64,
}

async fn alert(State(shared): State<Shared>, Parts(parts): Parts) -> Answer {
    let shown = AlertRequest::named(parts).ask(shared.control()?.as_ref()).await;
    control::answer(shown.and_then(|AlertShown { info, json, history, forgotten }| {
        let alert = serde_json::from_str(&json).map_err(|error| ControlError::Outside(Box::new(error)))?;
        Ok(AlertDocument { info, alert, history, forgotten })
    }))
}

/// Its risk is for tokens that may ask for that.
async fn entity(State(shared): State<Shared>, Extension(caller): Extension<Caller>, Parts(parts): Parts) -> Answer {
    let shown = EntityRequest::named(parts).ask(shared.control()?.as_ref()).await;
    control::answer(shown.map(|shown| if caller.may(Scope::ReadRisk) { shown } else { EntityShown { risk: None, ..shown } }))
}

async fn risk(State(shared): State<Shared>, Parts(parts): Parts) -> Answer {
    match RiskRequest::named(parts).ask(shared.control()?.as_ref()).await {
        Ok(None) => Err(Problem::new(StatusCode::NOT_FOUND, "no risk is known of this entity")),
        found => control::answer(found),
    }
}

async fn said<Q: Question>(State(shared): State<Shared>, Extension(caller): Extension<Caller>, Parts(parts): Parts, body: Bytes) -> Answer {
    let mut question: Q = read(parts, &body)?;
    if let Some(who) = question.who() {
        *who = caller.who();
    }
    control::answer(question.ask(shared.control()?.as_ref()).await)
}

/// A question out of a body, with the alert that the path names.
fn read<Q: DeserializeOwned>(parts: Vec<String>, body: &[u8]) -> Result<Q, Problem> {
    let unread = |what: String| Problem::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {what}"));
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let mut body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| unread(error.to_string()))?;
    if !parts.is_empty() && body.insert("ids".to_owned(), parts.into()).is_some() {
        return Err(unread("the path names an alert, and so does `ids`".to_owned()));
    }
    if body.insert("who".to_owned(), Value::from("")).is_some() {
        return Err(unread("the token says who asks, expected no `who`".to_owned()));
    }
    serde_json::from_value(Value::Object(body)).map_err(|error| unread(error.to_string()))
}

/// The parts of the path that have names, in order.
pub(super) struct Parts(pub(super) Vec<String>);

impl<S: Send + Sync> FromRequestParts<S> for Parts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<Path<Vec<(String, String)>>, _> = Path::from_request_parts(parts, state).await;
        let Path(parts) = path.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
        Ok(Self(parts.into_iter().map(|(_, value)| value).collect()))
    }
}

impl Shared {
    fn control(&self) -> Result<Arc<dyn Control>, Problem> {
        let live = self.0.live.get().ok_or_else(|| Problem::unavailable(self.starting()))?;
        Ok(Arc::clone(&live.control))
    }

    fn access(&self) -> Option<&Access> {
        self.0.live.get().map(|live| &live.access)
    }
}

#[cfg(test)]
mod tests;
