//! Ingesters that others push to: `POST /v1/events`.
//!
//! A request is signed as [Standard Webhooks](https://www.standardwebhooks.com) says, with a secret of its sender, or shows a bearer
//! token ([`tokens`](crate::tokens)), where nobody else can read it; its body may be
//! lines, one event, an array, or the data of an event whose attributes are headers, packed or not. Its
//! events become records of the stream `http:<sender>`. The answer is 202, without a body, once all of them are durable
//! in the log. The same `webhook-id` with the same events is answered the same and appended never again; while the first
//! is still under way the second waits for it. With other events it is refused: an id stands for one body.
//!
//! | answer | when | send it again |
//! |---|---|---|
//! | 202 | durable, now or before | no |
//! | 400 | the body is not what its content type says | no |
//! | 401 | a header is missing, the signature does not fit, the timestamp is more than 5 min off, the token is none | signed anew |
//! | 403 | the token is not for events, or came over a connection that others can read | no |
//! | 408 | the body did not come in time | yes |
//! | 409 | the id came before with other events | under an id of its own |
//! | 404, 405 | another path, another method | no |
//! | 413 | the body is too large, as it comes or unpacked, or has too many events | in smaller pieces |
//! | 415 | another content type, charset or content encoding | no |
//! | 429 | the sender's rate is used up | after `Retry-After` |
//! | 503 | no room, the log does not keep up or cannot be written, the outbox is full, or the service is stopping | after `Retry-After`; same id |
//!
//! Every refusal is counted by producer and reason ([`Ingest::refused`](http::Ingest::refused)). Every error is a problem document (RFC 9457). An id is remembered for [`REMEMBERED_MS`], which covers every moment at
//! which its signature is accepted. After a restart ids are remembered from the tail of the log: the origin offset of
//! each record is a hash of the id, its lowest bit marks the last record of its request, and what the id stands for is a
//! hash of the records ([`Ingest::remember`](http::Ingest::remember)). Each producer's ids have room of their own.

mod binary;
mod bodies;
mod body;
mod bucket;
mod deliveries;
pub mod drain;
mod head;
pub mod http;
mod media;
mod problem;
mod proof;
mod refusals;
mod unpack;

pub use deliveries::{REMEMBERED_MS, delivery_offset};
pub use head::{Several, bearer};
pub use problem::ENDPOINT;
pub use proof::{Proof, Wire};
pub use refusals::UNKNOWN;

/// A path that is served, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Of a request, in small letters.
    pub method: &'static str,
    /// Of a request's URL.
    pub path: &'static str,
    /// What it does, for the reference.
    pub about: &'static str,
}
