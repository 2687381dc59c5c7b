//! A connection as hyper sees it: it tells when bytes come, and gives the answers that hyper makes itself a body.
//!
//! What is no HTTP, or has a head that is too long, hyper answers on its own, with a bare status. Whoever reads it learns no more
//! from that than that something was wrong, and often not even that: most of the request is still on its way, and a connection that
//! closes then is reset before its answer is read. So the answer becomes a problem document, and the rest is read for a while.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::super::connections::State;
use super::super::problem::Problem;

/// How long the rest of what hyper refused is read.
const LINGER: Duration = Duration::from_secs(2);
/// What hyper's own answers say of their body, and in whose place the document is announced.
const BARE: &[u8] = b"content-length: 0\r\n";

/// The connection.
pub(super) struct Watched<Io> {
    io: Io,
    state: Arc<State>,
    refusal: Option<Refusal>,
}

/// An answer in the place of one of hyper's.
struct Refusal {
    bytes: Vec<u8>,
    written: usize,
    until: Pin<Box<Sleep>>,
}

impl<Io> Watched<Io> {
    pub(super) fn new(io: Io, state: Arc<State>) -> Self {
        Self { io, state, refusal: None }
    }
}

/// What to write in the place of these bytes, where they are a bare refusal: none of our own is without a body.
fn refusal(bytes: &[u8]) -> Option<Vec<u8>> {
    let problem = match bytes.strip_prefix(b"HTTP/1.1 ")?.first_chunk::<3>()? {
        b"400" => Problem::new(StatusCode::BAD_REQUEST, "the request is not HTTP/1.1 as RFC 9112 has it"),
        b"414" => Problem::new(StatusCode::URI_TOO_LONG, "expected a path of 64 KiB at most"),
        b"431" => Problem::head_too_long(),
        _ => return None,
    };
    let at = bytes.windows(BARE.len()).position(|window| window == BARE)?;
    let (head, rest) = bytes.split_at(at);
    let rest = rest.strip_prefix(BARE)?;
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let document = serde_json::to_string(&problem).ok()?;
    let announced = format!("content-type: application/problem+json\r\ncontent-length: {}\r\n", document.len());
    Some([head, announced.as_bytes(), rest, document.as_bytes()].concat())
}

impl<Io: AsyncRead + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.state.read();
        }
        read
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { io, state, refusal: ours } = &mut *self;
        if ours.is_none()
            && let Some(bytes) = refusal(bytes)
        {
            state.draining();
            *ours = Some(Refusal { bytes, written: 0, until: Box::pin(sleep(LINGER)) });
        }
        let Some(ours) = ours else { return Pin::new(io).poll_write(context, bytes) };
        while let Some(rest) = ours.bytes.get(ours.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *io).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => ours.written += written,
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, refusal, .. } = &mut *self;
        ready!(Pin::new(&mut *io).poll_shutdown(context))?;
        let Some(refusal) = refusal else { return Poll::Ready(Ok(())) };
        let mut spare = [0; 8192];
        while refusal.until.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut spare);
            match ready!(Pin::new(&mut *io).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => break, // the other side has closed as well, or has gone
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match slices {
            // hyper's own answers have no body, and so are one piece.
            [one] => self.poll_write(context, one),
            _ => Pin::new(&mut self.io).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
