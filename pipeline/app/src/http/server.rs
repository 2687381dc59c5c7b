//! Accepts connections and serves HTTP/1.1 over them, for strangers as well as for friends.
//!
//! hyper reads, parses and writes; what it leaves to its user is here: how many connections there may be and how long each
//! may take ([`Connections`]), and what to do when the system has no descriptor or no memory for another one: wait, and
//! try again, since nothing of that is for ever.

mod watched;

use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::http::{Extensions, HeaderValue, Request, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rasid_connectors::ingest::drain::answered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::connections::{Connection, Connections, State};
use super::problem::Problem;
use watched::Watched;

/// Longest head of a request, bytes; a longer one is answered 431.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// About as many are read ahead for a connection: hyper looks only between two reads, so what it lets pass is measured again.
const BUFFER_BYTES_MAX: usize = HEAD_BYTES_MAX;
/// The first pause after the system had no connection to give.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest; each is twice the one before.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often strangers in a crowd, or a system without descriptors, are worth a line.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// Where connections come from.
pub(crate) trait Listen: Send + Sync + 'static {
    /// One of them, as it is accepted.
    type Raw: Send + 'static;
    /// The same, ready to be asked over.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Raw>> + Send;

    /// Makes it ready, which may take as long as the other side likes.
    fn open(&self, raw: Self::Raw) -> impl Future<Output = io::Result<Self::Io>> + Send + 'static;
}

impl Listen for TcpListener {
    type Raw = TcpStream;
    type Io = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        // An answer is one write: waiting for more to put into the packet only delays it. A socket that cannot is gone.
        drop(stream.set_nodelay(true));
        Ok(stream)
    }

    fn open(&self, raw: TcpStream) -> impl Future<Output = io::Result<TcpStream>> + Send + 'static {
        ready(Ok(raw))
    }
}

impl Listen for UnixListener {
    type Raw = UnixStream;
    type Io = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }

    fn open(&self, raw: UnixStream) -> impl Future<Output = io::Result<UnixStream>> + Send + 'static {
        ready(Ok(raw))
    }
}

/// Serves until `connections` are ended. `introduce` says of a connection what its requests' handlers may know of it.
pub(crate) async fn serve<L: Listen>(
    name: &'static str,
    listener: L,
    router: Router,
    connections: Connections,
    introduce: fn(&L::Raw) -> Extensions,
) {
    let (mut pause, mut said) = (PAUSE, Said::default());
    loop {
        let accepted = async {
            connections.room().await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            () = connections.ending() => return,
        };
        let io = match accepted {
            Ok(io) => io,
            // The other side has gone before it was accepted.
            Err(error) if is_of_the_peer(&error) => continue,
            Err(error) => {
                connections.refused();
                if let Some(unsaid) = said.due() {
                    let open = connections.stats().open;
                    tracing::error!(server = name, %error, open, unsaid, "no connection can be accepted; tried again");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
                continue;
            }
        };
        pause = PAUSE;
        // Here and not in its task: a crowd that is accepted before its tasks begin has to be counted.
        let entered = connections.enter();
        let known = introduce(&io);
        tokio::spawn(connection(name, listener.open(io), known, router.clone(), connections.clone(), entered));
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// When a line was last said that may be said only so often, and how many were not.
#[derive(Default)]
struct Said {
    last: Option<Instant>,
    unsaid: u64,
}

impl Said {
    /// Whether it is to be said, with how many were not said since the last.
    fn due(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now - last < SAID_EVERY) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

async fn connection<Io>(
    name: &'static str,
    opening: impl Future<Output = io::Result<Io>>,
    known: Extensions,
    router: Router,
    connections: Connections,
    connection: Connection,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let state = connection.state();
    // One that is not open has got nowhere, and is judged as that.
    let opened = tokio::select! {
        opened = opening => opened,
        why = connection.over() => {
            tracing::trace!(server = name, ?why, "a connection is closed");
            return;
        }
        () = connections.ending() => return,
    };
    let io = match opened {
        Ok(io) => io,
        Err(error) => {
            tracing::trace!(server = name, %error, "a connection did not open");
            return;
        }
    };
    let service = service_fn(|mut request: Request<Incoming>| {
        state.serving();
        request.extensions_mut().extend(known.clone());
        request.extensions_mut().insert(state.proof.clone());
        let (router, state) = (router.clone(), Arc::clone(&state));
        async move {
            let serve = |request| async {
                match router.oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            };
            let too_long = head_bytes(&request) > HEAD_BYTES_MAX;
            let request = request.map(AxumBody::new);
            let response = if too_long {
                answered(request, async |_| refused_head(), || state.draining()).await
            } else {
                answered(request, serve, || state.draining()).await
            };
            Ok::<_, Infallible>(response.map(|body| Answer { body, state }))
        }
    });
    let io = TokioIo::new(Watched::new(io, Arc::clone(&state)));
    // Its own time-out would count an idle connection and a slow head alike.
    let serving = http1::Builder::new().header_read_timeout(None).max_buf_size(BUFFER_BYTES_MAX).serve_connection(io, service);
    let (mut serving, mut over, mut ending) = (pin!(serving), pin!(connection.over()), pin!(connections.ending()));
    let mut ends = false;
    loop {
        tokio::select! {
            served = serving.as_mut() => {
                if let Err(error) = served {
                    tracing::trace!(server = name, %error, "a connection ended early");
                }
                return;
            }
            why = over.as_mut() => {
                tracing::trace!(server = name, ?why, "a connection is closed");
                return;
            }
            () = ending.as_mut(), if !ends => {
                serving.as_mut().graceful_shutdown();
                ends = true;
            }
        }
    }
}

/// The length of a request's head as it came, but for what a sender may leave out or put in between: `name: value`.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let line = request.method().as_str().len() + request.uri().to_string().len() + "  HTTP/1.1\r\n".len();
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    line + headers.sum::<usize>() + "\r\n".len()
}

/// As hyper answers the heads that it finds too long itself.
fn refused_head() -> Response {
    let mut response = Problem::head_too_long().into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer's body, which tells when it has been handed over for writing.
struct Answer {
    body: AxumBody,
    state: Arc<State>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.state.answered();
    }
}

#[cfg(test)]
mod tests;
