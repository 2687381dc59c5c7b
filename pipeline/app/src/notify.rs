//! Tells systemd that the service is up, and that it stops (`Type=notify`, `sd_notify(3)`); nothing where nobody asked.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The service is up.
pub(crate) fn ready() {
    tell(b"READY=1");
}

/// The service stops.
pub(crate) fn stopping() {
    tell(b"STOPPING=1");
}

fn tell(state: &[u8]) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&socket),
    };
    let told = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state, &address));
    if let Err(error) = told {
        tracing::warn!(error = %error, "the supervisor could not be told");
    }
}
