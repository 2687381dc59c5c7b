//! The rest of a body that nobody wants. A request is often refused by its head alone; whoever is still writing then would find
//! the connection reset, and never see why. So the answer goes out at once and what still comes is read and forgotten, for
//! a while: most clients write all of a body before they look for an answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

/// How many bytes are read for nobody. The most that a body may be allowed to have, so that whoever was told a larger bound
/// than the one in force sees that; reading costs a copy, and no memory.
const BYTES_MAX: usize = 64 << 20;
/// How long that may take.
const TIME: Duration = Duration::from_secs(10);
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(2);

/// The answer to a request. Where it comes before the request's body was read to its end, the connection closes after it, once the
/// rest has been read or has taken too long; `begins` is told so.
pub async fn answered<F: Future<Output = Response>>(request: Request, serve: impl FnOnce(Request) -> F, begins: impl FnOnce()) -> Response {
    // Who asks before sending has not begun to.
    let asks = request.headers().contains_key(header::EXPECT);
    let back = Arc::new(Mutex::new(None));
    let lend = |body| Body::new(Lent { body: Some(body), is_sent: !asks, back: Arc::clone(&back) });
    let mut response = serve(request.map(lend)).await;
    let rest = back.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((rest, is_sent)) = rest {
        begins();
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        if is_sent {
            tokio::spawn(drain(rest));
        }
    }
    response
}

async fn drain(mut body: Body) {
    let (end, mut left) = (Instant::now() + TIME, BYTES_MAX);
    while left > 0 {
        let due = end.min(Instant::now() + SILENCE);
        let frame = timeout_at(due, std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context))).await;
        // Its end, its sender's, or its time is over: who is slower does not see why.
        let Ok(Some(Ok(frame))) = frame else { return };
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
    }
}

/// A body that comes back where it is dropped before its end.
struct Lent {
    body: Option<Body>,
    /// Its sender does not wait to be asked for it, or was.
    is_sent: bool,
    back: Arc<Mutex<Option<(Body, bool)>>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_sent = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.back.lock().unwrap_or_else(PoisonError::into_inner) = Some((body, self.is_sent));
        }
    }
}
