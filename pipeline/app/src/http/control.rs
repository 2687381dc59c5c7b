//! The control socket: HTTP on `control.sock` in the data folder, for whoever may open that file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State, rejection::QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use rasid_service::control::{Control, ControlError, DeadLetterFilter, ParkedFilter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;

use super::Problem;

/// The socket's name in the data folder.
pub(crate) const SOCKET: &str = "control.sock";

/// Listens on the socket of a data folder that this process holds the lock of: what stands there is left over.
///
/// # Errors
/// The system's answer.
pub(crate) fn bind(data: &Path) -> std::io::Result<UnixListener> {
    let path = data.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// What is served there.
pub(crate) fn router(control: Arc<dyn Control>) -> Router {
    Router::new()
        .route("/retract", post(retract))
        .route("/dead-letters", get(dead_letters))
        .route("/dead-letters/retry", post(retry))
        .route("/parked", get(parked))
        .route("/parked/retry", post(unpark))
        .route("/page/test", post(page_test))
        .route("/status", get(status))
        .method_not_allowed_fallback(super::not_allowed)
        .fallback(|| async { super::not_found() })
        .with_state(control)
}

type Answer = Result<Response, Problem>;
type Asked = State<Arc<dyn Control>>;

async fn retract(State(control): Asked, body: Bytes) -> Answer {
    answer(control.retract(parsed(&body)?).await)
}

async fn dead_letters(State(control): Asked, filter: Result<Query<DeadLetterFilter>, QueryRejection>) -> Answer {
    answer(control.dead_letters(query(filter)?).await)
}

async fn retry(State(control): Asked, body: Bytes) -> Answer {
    answer(control.retry(parsed(&body)?).await)
}

async fn parked(State(control): Asked, filter: Result<Query<ParkedFilter>, QueryRejection>) -> Answer {
    answer(control.parked(query(filter)?).await)
}

async fn unpark(State(control): Asked, body: Bytes) -> Answer {
    answer(control.unpark(parsed(&body)?).await)
}

async fn page_test(State(control): Asked, body: Bytes) -> Answer {
    answer(control.page_test(parsed(&body)?).await)
}

async fn status(State(control): Asked) -> Answer {
    answer(Ok(control.status()))
}

fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")))
}

fn query<T>(filter: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    filter.map(|Query(filter)| filter).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))
}

fn answer<T: Serialize>(result: Result<T, ControlError>) -> Answer {
    let value = result.map_err(|error| match error {
        ControlError::Refused(why) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why),
        error @ ControlError::NotNow(_) => Problem::unavailable(error.to_string()),
        error => Problem::internal(error.to_string()),
    })?;
    let body = serde_json::to_string(&value).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
