//! The control socket: HTTP on `control.sock` in the data folder, for whoever may open that file. Who asks is whom the
//! kernel names at the other end of the connection; what a request says of it is kept beside that, as a claim.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Query, State, rejection::QueryRejection};
use axum::http::{Extensions, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use rasid_service::operate::control::{
    Control, ControlError, DeadLetterFilter, PageTestRequest, ParkedFilter, RetractRequest, RetryRequest, UnparkRequest, Who,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};

use super::Problem;

/// The socket's name in the data folder.
pub(crate) const SOCKET: &str = rasid_service::recover::take_up::layout::CONTROL;
/// Folder in which it is made.
const MAKING: &str = "control.new";

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
    // Made where nobody else can reach it: a socket's mode is the umask's until it is set.
    let making = data.join(MAKING);
    match std::fs::remove_dir_all(&making) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::DirBuilder::new().mode(0o700).create(&making)?;
    let inside = making.join("s");
    let listener = UnixListener::bind(&inside)?;
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&inside, &path)?;
    std::fs::remove_dir(&making)?;
    Ok(listener)
}

/// The user at the other end of a connection, as the kernel says (`SO_PEERCRED`); `None` where it does not.
#[derive(Clone, Copy, Debug)]
struct Caller(Option<u32>);

/// Tells the handlers who is at the other end.
pub(crate) fn introduce(stream: &UnixStream) -> Extensions {
    let mut known = Extensions::new();
    known.insert(Caller(stream.peer_cred().ok().map(|credentials| credentials.uid())));
    known
}

impl Caller {
    /// By name, `uid:1000` where the user has none.
    fn user(self) -> Option<String> {
        let uid = self.0?;
        Some(crate::user::named_or_numbered(uid))
    }
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
type Peer = Option<Extension<Caller>>;

/// Puts down who asks. Where nobody knows it stays empty, and whoever keeps the audit refuses.
async fn sign(who: &mut Who, from: Peer) {
    let Some(Extension(caller)) = from else { return };
    let user = tokio::task::spawn_blocking(move || caller.user()).await;
    who.user = user.ok().flatten().unwrap_or_default();
}

async fn retract(State(control): Asked, from: Peer, body: Bytes) -> Answer {
    let mut request: RetractRequest = parsed(&body)?;
    sign(&mut request.who, from).await;
    answer(control.retract(request).await)
}

async fn dead_letters(State(control): Asked, filter: Result<Query<DeadLetterFilter>, QueryRejection>) -> Answer {
    answer(control.dead_letters(query(filter)?).await)
}

async fn retry(State(control): Asked, from: Peer, body: Bytes) -> Answer {
    let mut request: RetryRequest = parsed(&body)?;
    sign(&mut request.who, from).await;
    answer(control.retry(request).await)
}

async fn parked(State(control): Asked, filter: Result<Query<ParkedFilter>, QueryRejection>) -> Answer {
    answer(control.parked(query(filter)?).await)
}

async fn unpark(State(control): Asked, from: Peer, body: Bytes) -> Answer {
    let mut request: UnparkRequest = parsed(&body)?;
    sign(&mut request.who, from).await;
    answer(control.unpark(request).await)
}

async fn page_test(State(control): Asked, from: Peer, body: Bytes) -> Answer {
    let mut request: PageTestRequest = parsed(&body)?;
    sign(&mut request.who, from).await;
    answer(control.page_test(request).await)
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
