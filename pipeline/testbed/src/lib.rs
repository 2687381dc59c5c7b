//! What the tests stand the service between: real servers on loopback, and a core API that fails on command.
//!
//! - [`RedisServer`] and [`Alertmanager`] run the real programs, each on a free port with a folder of its own, and end
//!   with the value that holds them. A program that is not installed is a panic that names its package.
//! - [`CoreApi`] is the marketplace's side as docs/core-api.md has it, with faults from a script, a seed or a switch.
//! - [`Port`] is a port that stays its holder's while a server on it is killed and started again.
//! - [`RedisCluster`] and [`RedisSentinel`] are several of them, which fail over by themselves.
//! - [`Authority`] issues certificates, and [`TlsFront`] stands with one before a server that has none.
//! - [`Wire`] leads to a server and holds back what is on it.
//! - [`Pager`] is what stands behind Alertmanager.
//!
//! Everything here is for tests: what goes wrong panics and says what it was.

mod alertmanager;
mod certificates;
mod core_api;
mod http;
mod json;
mod process;
mod redis_cluster;
mod redis_server;
mod wire;

pub use alertmanager::{Alertmanager, Pager};
pub use certificates::{Authority, Issued, LOOPBACK, TlsFront};
pub use core_api::{Accepted, CoreApi, Fault};
pub use process::Port;
pub use redis_cluster::{Node, RedisCluster, RedisSentinel};
pub use redis_server::RedisServer;
pub use wire::Wire;
