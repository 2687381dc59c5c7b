//! A real redis-server.

use std::process::Command;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, cmd};
use tempfile::TempDir;

use crate::certificates::{Authority, Issued};
use crate::process::{PATIENCE, Port, Server};

/// A redis-server on a loopback port of its own, without persistence: what is killed has forgotten everything.
#[derive(Debug)]
pub struct RedisServer {
    port: Port,
    /// Port of TLS, and the arguments that make it so.
    tls: Option<(Port, Vec<String>)>,
    folder: TempDir,
    server: Option<Server>,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Panics
    /// Where redis-server is not installed or does not start.
    pub async fn start() -> Self {
        let mut new = Self { port: Port::new(), tls: None, folder: tempfile::tempdir().expect("a temporary folder"), server: None };
        new.restart().await;
        new
    }

    /// Starts one that can be reached by TLS, too, with that certificate; there it asks clients for one by `clients`, where
    /// that is an authority.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    pub async fn start_tls(issued: &Issued, clients: Option<&Authority>) -> Self {
        let mut new = Self::start().await;
        let path = |path: &std::path::Path| path.display().to_string();
        let mut words = vec!["--tls-cert-file".to_owned(), path(&issued.certificate), "--tls-key-file".to_owned(), path(&issued.key)];
        match clients {
            None => words.extend(["--tls-auth-clients", "no"].map(str::to_owned)),
            Some(authority) => words.extend(["--tls-ca-cert-file".to_owned(), path(&authority.certificate())]),
        }
        let port = Port::new();
        words.extend(["--tls-port".to_owned(), port.number().to_string()]);
        new.tls = Some((port, words));
        new.restart().await;
        new
    }

    /// `rediss://<host>:<port>/`
    ///
    /// # Panics
    /// Where it is not reached by TLS.
    pub fn tls_url(&self, host: &str) -> String {
        format!("rediss://{host}:{}/", self.tls.as_ref().expect("started with TLS").0.number())
    }

    /// `redis://127.0.0.1:<port>/`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port.number())
    }

    /// The port it is or was on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::id)
    }

    /// Ends it at once. Connections break and new ones are refused.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Starts it again on the same port, empty; kills it first where it still runs.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn restart(&mut self) {
        self.kill();
        let mut command = command(self.port(), &self.folder);
        command.args(self.tls.iter().flat_map(|(_, words)| words));
        self.server = Some(Server::start(&mut command, "redis-server", &self.port).await);
    }

    /// Runs one command, on a connection of its own.
    ///
    /// # Panics
    /// Where it fails.
    pub async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.connect().await;
        let (name, arguments) = words.split_first().expect("a command");
        cmd(name).arg(arguments).query_async(&mut connection).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    async fn connect(&self) -> MultiplexedConnection {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let client = Client::open(self.url()).expect("an address");
        client.get_multiplexed_async_connection_with_config(&config).await.expect("it runs")
    }
}

fn command(port: u16, folder: &TempDir) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
    command.args(["--daemonize", "no", "--dir"]).arg(folder.path());
    command
}
