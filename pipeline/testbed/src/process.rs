//! A server process that ends with the value that holds it.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Long enough for a loaded machine, short enough that a hanging test is seen.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server(Child);

impl Server {
    /// Starts `command`, whose program Debian's `package` brings, and waits until it takes connections on `port`.
    /// `None` where it ended before that: somebody else may have taken the port.
    pub(crate) async fn start(command: &mut Command, package: &str, port: u16) -> Option<Self> {
        let child = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("{} is not installed: apt-get install {package}, or cargo xtask test", command.get_program().display())
            }
            Err(error) => panic!("cannot start {}: {error}", command.get_program().display()),
        };
        let mut server = Self(child);
        let ready = timeout(PATIENCE, async {
            loop {
                if server.0.try_wait().expect("a child of ours").is_some() {
                    return false;
                }
                if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    return true;
                }
                sleep(POLL).await;
            }
        });
        let ready = ready
            .await
            .unwrap_or_else(|_| panic!("{} takes no connections on port {port} after {PATIENCE:?}", command.get_program().display()));
        ready.then_some(server)
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

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}
