//! A real Redis Cluster, and a real Sentinel with its servers.

use std::process::Command;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisResult, Value, cmd};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::process::{PATIENCE, Port, Server};

const POLL: Duration = Duration::from_millis(50);
/// A master that has not been heard for this long is taken for dead, ms: long enough for a loaded machine.
const DEAD_MS: u32 = 2_500;

/// A redis-server among others.
#[derive(Debug)]
pub struct Node {
    port: Port,
    _folder: TempDir,
    server: Option<Server>,
}

impl Node {
    async fn start(arguments: &str) -> Self {
        let (port, folder) = (Port::new(), tempfile::tempdir().expect("a temporary folder"));
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.number().to_string(), "--save", "", "--appendonly", "no"]);
        command.args(["--daemonize", "no", "--dir"]).arg(folder.path()).args(arguments.split(' '));
        let server = Server::start(&mut command, "redis-server", &port).await;
        Self { port, _folder: folder, server: Some(server) }
    }

    /// `redis://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port.number())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Runs one command, on a connection of its own.
    ///
    /// # Panics
    /// Where it fails.
    pub async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_command(words).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same of one that may be refused.
    ///
    /// # Errors
    /// What it answered instead, or that it does not.
    ///
    /// # Panics
    /// Without a word.
    pub async fn try_command<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let (name, arguments) = words.split_first().expect("a command");
        cmd(name).arg(arguments).query_async(&mut self.connect().await?).await
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        Client::open(self.url())?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Waits until `INFO section` has that line.
    ///
    /// # Panics
    /// Where it never has.
    pub async fn says(&self, section: &str, line: &str) {
        let said = async {
            loop {
                let about: RedisResult<String> = self.try_command(&["INFO", section]).await;
                if about.is_ok_and(|about| about.lines().any(|found| found == line)) {
                    return;
                }
                sleep(POLL).await;
            }
        };
        timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("port {} does not say {line}", self.port()));
    }
}

/// Three masters with a replica each, on loopback, that fail over by themselves.
#[derive(Debug)]
pub struct RedisCluster {
    /// By which the nodes talk to one another.
    buses: Vec<Port>,
    /// The masters, in order of their slots, and then the replica of each.
    pub nodes: Vec<Node>,
}

impl RedisCluster {
    /// Masters at the beginning.
    pub const MASTERS: usize = 3;

    /// Starts one, and waits until it is whole.
    ///
    /// # Panics
    /// Where redis-server is not installed, or they do not come together.
    pub async fn start() -> Self {
        let mut new = Self { buses: Vec::new(), nodes: Vec::new() };
        for _ in 0..2 * Self::MASTERS {
            let bus = Port::new();
            let arguments = format!(
                "--cluster-enabled yes --cluster-port {} --cluster-node-timeout {DEAD_MS} --cluster-replica-validity-factor 0 \
                 --repl-diskless-sync-delay 0",
                bus.number()
            );
            new.nodes.push(Node::start(&arguments).await);
            new.buses.push(bus);
        }
        new.come_together().await;
        new
    }

    async fn come_together(&self) {
        let first = self.nodes.first().expect("some");
        for (number, (node, bus)) in self.nodes.iter().zip(&self.buses).enumerate() {
            node.command::<String>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
            if number < Self::MASTERS {
                let share = 16_384 / Self::MASTERS;
                let last = if number + 1 == Self::MASTERS { 16_383 } else { (number + 1) * share - 1 };
                node.command::<String>(&["CLUSTER", "ADDSLOTSRANGE", &(number * share).to_string(), &last.to_string()]).await;
            }
            if number == 0 {
                continue;
            }
            first.command::<String>(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), &bus.number().to_string()]).await;
        }
        for node in &self.nodes {
            self.knows(node, |known| known == 2 * Self::MASTERS).await;
        }
        for (master, replica) in self.nodes.iter().zip(self.nodes.iter().skip(Self::MASTERS)) {
            let id: String = master.command(&["CLUSTER", "MYID"]).await;
            replica.command::<String>(&["CLUSTER", "REPLICATE", &id]).await;
        }
        for replica in self.nodes.iter().skip(Self::MASTERS) {
            replica.says("replication", "master_link_status:up").await;
        }
        self.is_whole().await;
    }

    async fn knows(&self, node: &Node, enough: impl Fn(usize) -> bool) {
        let knows = async {
            loop {
                let about: String = node.command(&["CLUSTER", "NODES"]).await;
                if enough(about.lines().filter(|line| !line.contains("handshake")).count()) {
                    return;
                }
                sleep(POLL).await;
            }
        };
        timeout(PATIENCE, knows).await.expect("the nodes meet");
    }

    /// Waits until every node that runs says that every slot has a master.
    ///
    /// # Panics
    /// Where that does not come to be.
    pub async fn is_whole(&self) {
        for node in self.nodes.iter().filter(|node| node.server.is_some()) {
            let whole = async {
                while !node.command::<String>(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok") {
                    sleep(POLL).await;
                }
            };
            timeout(PATIENCE, whole).await.unwrap_or_else(|_| panic!("port {} does not find the cluster whole", node.port()));
        }
    }

    /// Addresses of the nodes, those that were killed among them.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Node::url).collect()
    }

    /// The slot of a key.
    ///
    /// # Panics
    /// Where nobody answers.
    pub async fn slot(&self, key: &str) -> usize {
        self.nodes.first().expect("some").command(&["CLUSTER", "KEYSLOT", key]).await
    }

    /// Which of the first masters had a slot at the beginning.
    pub fn master_of(slot: usize) -> usize {
        (slot / (16_384 / Self::MASTERS)).min(Self::MASTERS - 1)
    }

    /// Begins to move a slot from one master to another: keys that are not there are asked for at the other.
    pub async fn begin_to_move(&self, slot: usize, from: usize, to: usize) {
        let (slot, [from, to]) = (slot.to_string(), [self.node(from), self.node(to)]);
        let (old, new): (String, String) = (from.command(&["CLUSTER", "MYID"]).await, to.command(&["CLUSTER", "MYID"]).await);
        to.command::<String>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &old]).await;
        from.command::<String>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &new]).await;
    }

    /// Moves the keys, and the slot with them.
    pub async fn finish_moving(&self, slot: usize, from: usize, to: usize) {
        let (slot, [from, to]) = (slot.to_string(), [self.node(from), self.node(to)]);
        loop {
            let keys: Vec<String> = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]).await;
            if keys.is_empty() {
                break;
            }
            for key in keys {
                from.command::<Value>(&["MIGRATE", "127.0.0.1", &to.port().to_string(), &key, "0", "10000"]).await;
            }
        }
        let new: String = to.command(&["CLUSTER", "MYID"]).await;
        for node in [to, from] {
            node.command::<String>(&["CLUSTER", "SETSLOT", &slot, "NODE", &new]).await;
        }
    }

    fn node(&self, index: usize) -> &Node {
        self.nodes.get(index).expect("one of them")
    }
}

/// A master, a replica and a sentinel that watches them.
#[derive(Debug)]
pub struct RedisSentinel {
    /// The master at the beginning, and its replica.
    pub servers: [Node; 2],
    /// Who watches them.
    pub sentinel: Node,
}

impl RedisSentinel {
    /// What the sentinel calls the master.
    pub const MASTER: &str = "scores";

    /// Starts them, and waits until the sentinel knows both.
    ///
    /// # Panics
    /// Where redis-server is not installed, or they do not come together.
    pub async fn start() -> Self {
        let master = Node::start("--repl-diskless-sync-delay 0").await;
        let replica = Node::start(&format!("--replicaof 127.0.0.1 {}", master.port())).await;
        replica.says("replication", "master_link_status:up").await;
        let (port, folder) = (Port::new(), tempfile::tempdir().expect("a temporary folder"));
        let (file, name) = (folder.path().join("sentinel.conf"), Self::MASTER);
        let configuration = format!(
            "port {}\nbind 127.0.0.1\nsentinel monitor {name} 127.0.0.1 {} 1\nsentinel down-after-milliseconds {name} {DEAD_MS}\n\
             sentinel failover-timeout {name} 20000\n",
            port.number(),
            master.port()
        );
        std::fs::write(&file, configuration).expect("a writable folder");
        let server = Server::start(Command::new("redis-server").arg(&file).arg("--sentinel"), "redis-server", &port).await;
        let new = Self { servers: [master, replica], sentinel: Node { port, _folder: folder, server: Some(server) } };
        let known = async {
            while new.sentinel.command::<Vec<Value>>(&["SENTINEL", "REPLICAS", Self::MASTER]).await.is_empty() {
                sleep(POLL).await;
            }
        };
        timeout(PATIENCE, known).await.expect("the sentinel finds the replica");
        new
    }
}
