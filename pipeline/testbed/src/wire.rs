//! A wire to a server that can hold back what is on it: bytes that a client has sent arrive late, whether the client is
//! still there or not.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Forwards connections on a loopback port of its own to a server on another.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    server: u16,
    /// Connections made before this one's number are held.
    held_below: watch::Sender<usize>,
    /// How often a server has answered what had been held.
    answered_late: watch::Sender<usize>,
}

impl Wire {
    /// Lays one to that port.
    ///
    /// # Panics
    /// Where loopback has no port.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State { server, held_below: watch::Sender::new(0), answered_late: watch::Sender::new(0) });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new(); // dropped with the task, and they with it
            let mut number = 0;
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, number, Arc::clone(&shared)));
                number += 1;
                while connections.try_join_next().is_some() {}
            }
        });
        Self { port, state, task }
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing of what the first `connections` connections send arrives; later ones are not held.
    pub fn hold_first(&self, connections: usize) {
        self.state.held_below.send_replace(connections);
    }

    /// Lets through what was held, and returns once the server has answered it.
    ///
    /// # Panics
    /// Never: the wire is there as long as this value.
    pub async fn release(&self) {
        let mut answered = self.state.answered_late.subscribe();
        self.state.held_below.send_replace(0);
        answered.wait_for(|times| *times > 0).await.expect("the wire is there");
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, number: usize, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", state.server)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let late = watch::Sender::new(false);
    let up = async {
        let mut bytes = vec![0; 64 << 10];
        let mut held = state.held_below.subscribe();
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            if *held.borrow_and_update() > number {
                late.send_replace(true);
                let released = held.wait_for(|below| *below <= number).await.is_ok();
                assert!(released, "the sender is here");
            }
            let sent = to_server.write_all(bytes.get(..count).unwrap_or_default()).await;
            if sent.is_err() {
                return;
            }
        }
        // The client has gone away; what it sent is answered all the same.
        if !*late.borrow() {
            drop(to_server.shutdown().await);
        }
    };
    let down = async {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            if *late.borrow() {
                state.answered_late.send_modify(|times| *times += 1);
            }
            drop(to_client.write_all(bytes.get(..count).unwrap_or_default()).await); // nobody may be there
        }
    };
    tokio::join!(up, down);
}
