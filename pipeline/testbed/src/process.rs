//! A server process that ends with the value that holds it, and the port it listens on.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// Long enough for a loaded machine, short enough that a hanging test is seen.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(10);

/// A port on loopback that is the holder's own, from before a server listens on it until after it has ended, and while it
/// is started again.
///
/// The port is bound here and not listened on: so the kernel gives it to nobody who asks for any port, and to no connection
/// that goes out. A server may listen on it beside this, since both say `SO_REUSEADDR`, as servers do.
#[derive(Debug)]
pub struct Port {
    /// Keeps it.
    _bound: TcpSocket,
    number: u16,
}

impl Port {
    /// A new one.
    ///
    /// # Panics
    /// Where loopback has no free port.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a descriptor");
        socket.set_reuseaddr(true).expect("a socket of ours");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback has free ports");
        let number = socket.local_addr().expect("it is bound").port();
        Self { _bound: socket, number }
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Default for Port {
    fn default() -> Self {
        Self::new()
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server(Child);

impl Server {
    /// Starts `command`, whose program Debian's `package` brings, and waits until it takes connections on `port`.
    pub(crate) async fn start(command: &mut Command, package: &str, port: &Port) -> Self {
        let name = command.get_program().display().to_string();
        let mut said = tempfile::tempfile().expect("a temporary file");
        let output = |said: &File| Stdio::from(said.try_clone().expect("a descriptor"));
        let child = match command.stdin(Stdio::null()).stdout(output(&said)).stderr(output(&said)).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("{name} is not installed: apt-get install {package}, or cargo xtask test")
            }
            Err(error) => panic!("cannot start {name}: {error}"),
        };
        let mut server = Self(child);
        let ready = timeout(PATIENCE, async {
            loop {
                if let Some(status) = server.0.try_wait().expect("a child of ours") {
                    return Err(format!("it ended with {status}"));
                }
                if TcpStream::connect(("127.0.0.1", port.number())).await.is_ok() {
                    return Ok(());
                }
                sleep(POLL).await;
            }
        });
        let ready = ready.await.unwrap_or_else(|_| Err(format!("it takes no connections after {PATIENCE:?}")));
        if let Err(why) = ready {
            let mut text = String::new();
            said.rewind().and_then(|()| said.read_to_string(&mut text)).expect("a file of ours");
            panic!("{name} on port {}: {why}, and said:\n{text}", port.number());
        }
        server
    }

    /// Ends it at once, as a crash or a lost machine would: nothing is saved.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    fn end(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_port_is_its_holders_whether_a_server_listens_or_not() {
        let port = Port::new();
        for _ in 0..2 {
            let server = tokio::net::TcpListener::bind(("127.0.0.1", port.number())).await.expect("beside the one who holds it");
            TcpStream::connect(("127.0.0.1", port.number())).await.expect("it listens");
            drop(server);
            // Whoever asks for any port gets another one, though this one is listened on no more.
            let others: Vec<TcpListener> = (0..200).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a port")).collect();
            assert!(others.iter().all(|other| other.local_addr().expect("bound").port() != port.number()));
        }
        assert!(TcpStream::connect(("127.0.0.1", port.number())).await.is_err(), "nobody listens");
        assert_ne!(Port::new().number(), port.number());
    }
}
