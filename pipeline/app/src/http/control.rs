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
use rasid_service::operate::control::{Control, ControlError, Question, Visitor, Way, Who, each};
use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};

use super::Problem;

/// The socket's name in the data folder.
pub(crate) const SOCKET: &str = rasid_service::recover::layout::CONTROL;
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

/// What is served there: every question of the list.
pub(crate) fn router(control: Arc<dyn Control>) -> Router {
    let mut routes = Routes(Router::new());
    each(&mut routes);
    routes.0.method_not_allowed_fallback(super::not_allowed).fallback(|| async { super::not_found() }).with_state(control)
}

struct Routes(Router<Arc<dyn Control>>);

impl Visitor for Routes {
    fn question<Q: Question>(&mut self) {
        let route = match Q::WAY {
            Way::Get => get(looked_at::<Q>),
            Way::Post => post(done::<Q>),
        };
        self.0 = std::mem::take(&mut self.0).route(Q::PATH, route);
    }
}

type Answer = Result<Response, Problem>;
type Asked = State<Arc<dyn Control>>;
type Peer = Option<Extension<Caller>>;

async fn looked_at<Q: Question>(State(control): Asked, from: Peer, question: Result<Query<Q>, QueryRejection>) -> Answer {
    let Query(question) = question.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    ask(question, from, &control).await
}

async fn done<Q: Question>(State(control): Asked, from: Peer, body: Bytes) -> Answer {
    let question: Result<Q, _> = serde_json::from_slice(&body);
    let question = question.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")))?;
    ask(question, from, &control).await
}

async fn ask<Q: Question>(mut question: Q, from: Peer, control: &Arc<dyn Control>) -> Answer {
    if let Some(who) = question.who() {
        sign(who, from).await;
    }
    answer(question.ask(control.as_ref()).await)
}

/// Puts down who asks. Where nobody knows it stays empty, and whoever keeps the audit refuses.
async fn sign(who: &mut Who, from: Peer) {
    let Some(Extension(caller)) = from else { return };
    let user = tokio::task::spawn_blocking(move || caller.user()).await;
    who.user = user.ok().flatten().unwrap_or_default();
}

/// A value, or why there is none.
pub(super) fn answer<T: Serialize>(result: Result<T, ControlError>) -> Answer {
    let value = result.map_err(|error| match error {
        ControlError::Unknown(why) => Problem::new(StatusCode::NOT_FOUND, why),
        ControlError::Refused(why) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why),
        error @ ControlError::NotNow(_) => Problem::unavailable(error.to_string()),
        error => Problem::internal(error.to_string()),
    })?;
    let body = serde_json::to_string(&value).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
