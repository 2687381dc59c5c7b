//! `rasid run`: the live service until it is stopped.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rasid_connectors::of_io;
use rasid_connectors::tokens::TokenFile;
use rasid_service::health::hindrance::{Area, Hindrances};
use rasid_service::operate::control::Restored;
use rasid_service::settings::Settings;
use rasid_service::{BoxError, Chain, LogAppender, Running, Service, StartError};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Command, Failure, colour, say_block};
use crate::config::{self, Layers, Server};
use crate::http::{self, Connections, Shared, Times, descriptors};
use crate::{clock, memory, notify, telemetry};

/// What shells say of a program that a signal ended: 128 and the signal's number.
const ENDED_BY_SIGNAL: u8 = 128;
/// Most connections to the control socket: operators and their scripts, a question each.
const CONTROL_CONNECTIONS_MAX: usize = 32;
/// How long tasks may take to let go of what they hold, when all is drained.
const TASKS_PATIENCE: Duration = Duration::from_secs(2);
/// How long answers that are on their way when a drain ends may take to be written.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The live service, until it is stopped
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  RASID_KEY_FILE=key rasid run --config rasid.toml\n  \
    rasid run --rules rules --data data --set sources.jsonl.follow_dirs=events --set sinks.jsonl.file=out.jsonl\n\n\
    SIGTERM and SIGINT drain: nothing new is taken, what is in the log is processed, effects get a last turn, a snapshot is\n\
    written, exit status 0. A second signal stops at once, which loses nothing and makes the next start replay.\n\
    docs/operations.md says how to run and watch it, `rasid config show` what it would run with.")]
pub(crate) struct Args {
    #[command(flatten)]
    layers: Layers,
}

/// Most threads that wait for the disk at once. Each keeps some 4 MB that it has allocated and freed, so that tokio's 512 would
/// take 2 GB where a folder has very many files.
const BLOCKING_THREADS_MAX: usize = 32;

impl Command for Args {
    const LOGS_AS_CONFIGURED: bool = true;

    fn run(&self) -> Result<(), Failure> {
        let loaded = self.layers.load()?;
        let (settings, server) = config::service(&loaded)?;
        telemetry::init_service(loaded.config.telemetry.log_format, &loaded.config.telemetry.log_filter);
        let file = loaded.file.as_deref().unwrap_or("none");
        tracing::info!(version = env!("CARGO_PKG_VERSION"), config = file, data = %settings.data_dir.display(), "starting");
        if settings.sinks.on().next().is_none() {
            tracing::warn!("no sink is on: alerts and scores go nowhere");
        }
        if let Some(have) = memory::short_of(settings.engine.memory_bytes_max) {
            let bound = settings.engine.memory_bytes_max;
            tracing::warn!(
                memory_bytes = have,
                memory_bytes_max = bound,
                "the bound on state is over half of the memory here: lower engine.memory_bytes_max"
            );
        }
        serve(settings, &server, async |_| std::future::pending().await)
    }
}

/// A service that is up.
pub(super) struct Up {
    /// Appends to its log.
    pub(super) appender: LogAppender,
    /// Where it listens.
    pub(super) listen: SocketAddr,
}

/// The service until it is stopped, or until what runs beside it ends, which says why.
pub(super) fn serve(settings: Settings, server: &Server, beside: impl AsyncFnOnce(Up) -> Failure) -> Result<(), Failure> {
    // A file that is no plain one may hold a thread for as long as nothing comes.
    let blocking = BLOCKING_THREADS_MAX + settings.sources.jsonl.files.len() + usize::from(settings.sources.jsonl.stdin);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(blocking).build();
    let runtime = runtime.map_err(|error| Failure::Outside(Box::new(error)))?;
    let outcome = runtime.block_on(live(settings, server, beside));
    if outcome.is_ok() {
        // The last that holds the outbox closes it, so that the next start need not check it.
        runtime.shutdown_timeout(TASKS_PATIENCE);
    } else {
        // What still runs holds nothing that must be kept: it is as good as crashed.
        runtime.shutdown_background();
    }
    outcome
}

/// From start to end.
async fn live(settings: Settings, server: &Server, beside: impl AsyncFnOnce(Up) -> Failure) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let limit = descriptors::raise();
    let connections = Connections::new(descriptors::connections(server.connections_max, limit), Times::default());
    let connections_max = connections.stats().max;
    if connections_max < server.connections_max as u64 {
        tracing::warn!(
            descriptors = limit,
            connections_max,
            wanted = server.connections_max,
            "the limit of open files leaves room for fewer connections than server.connections_max; raise LimitNOFILE"
        );
    }
    let listener = listen(server)?;
    let listen = listener.local_addr().unwrap_or(server.listen);
    let data = settings.data_dir.clone();
    if server.tls.is_none()
        && !http::is_this_machine(server.listen)
        && settings.sources.http.enabled
        && !TokenFile::of(&data).current().is_empty()
    {
        tracing::warn!("there are tokens, and none is taken from beyond this machine: that takes TLS");
    }
    let hindrances = Hindrances::within(&data);
    let shared = Shared::new(server.fresh_lag_ms_max, connections.clone(), hindrances.clone());
    let router = http::router(shared.clone());
    match &server.tls {
        None => drop(tokio::spawn(http::serve("http", listener, router, connections.clone(), http::over_tcp))),
        Some(tls) => {
            shared.secured_by(Arc::clone(tls));
            let secured = http::Secured { listener, tls: Arc::clone(tls) };
            tokio::spawn(http::serve("http", secured, router, connections.clone(), http::over_tls));
        }
    }
    let starting = async {
        let running = Service::start(settings, clock::clock(), hindrances.clone()).await.map_err(refused)?;
        Ok::<_, Failure>((running, bind_control(&data, &hindrances).await?))
    };
    let (mut running, socket) = tokio::select! {
        started = starting => started?,
        signal = signals.next() => {
            // What start-up does is what a start after a crash does: it can be left at any point.
            tracing::info!(signal, "stopped before the service was up");
            return Ok(());
        }
    };
    say_restored(running.restored());
    let operators = Connections::new(CONTROL_CONNECTIONS_MAX, Times::default());
    tokio::spawn(http::serve("control", socket, http::control_router(running.control()), operators.clone(), http::introduce));
    shared.up(running.control(), http::Access::of(&data), running.router());
    notify::ready();
    tracing::info!(%listen, "up");
    let beside = beside(Up { appender: running.appender(), listen });
    let signal = tokio::select! {
        failure = beside => return Err(failure),
        error = running.stopped() => {
            tracing::error!(error = %Chain(&*error), "the service cannot go on");
            return Err(Failure::Outside(error));
        }
        signal = signals.next() => signal,
    };
    tracing::info!(signal, drain_s_max = server.drain_max.as_secs(), "draining; a second signal stops at once");
    notify::stopping();
    let drained = drain(running, server, &mut signals).await;
    tokio::join!(connections.end(LAST_ANSWERS), operators.end(LAST_ANSWERS));
    drained
}

async fn bind_control(data: &Path, hindrances: &Hindrances) -> Result<UnixListener, Failure> {
    let bound = hindrances.until_done_async(Area::Start, of_io, async || http::bind_control(data)).await;
    bound.map_err(|error| Failure::Outside(format!("cannot listen at {}/{}: {error}", data.display(), http::SOCKET).into()))
}

async fn drain(running: Running, server: &Server, signals: &mut Signals) -> Result<(), Failure> {
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(server.drain_max, running.drain()) => outcome,
        signal = signals.next() => {
            tracing::warn!(signal, "stopped without draining; the next start replays");
            return Err(Failure::Said(ENDED_BY_SIGNAL + signal));
        }
    };
    match outcome {
        Ok(Ok(())) => {
            tracing::info!("drained");
            Ok(())
        }
        Ok(Err(error)) => {
            tracing::error!(error = %Chain(&*error), "the drain failed; the next start replays");
            Err(Failure::Outside(error))
        }
        Err(_) => {
            tracing::error!(drain_s_max = server.drain_max.as_secs(), "the drain took too long; the next start replays");
            Err(Failure::Said(3))
        }
    }
}

/// Says what a start took up and how far behind it is.
fn say_restored(restored: &Restored) {
    for refused in &restored.refused {
        tracing::warn!(snapshot = refused, "a snapshot was passed over");
    }
    if !restored.anew.is_empty() {
        let rules = restored.anew.join(", ");
        tracing::warn!(rules, "the snapshot lacks what rules read: it starts anew, and they run in shadow until it is whole");
    }
    if let Some(bytes) = restored.cut_bytes {
        tracing::warn!(bytes, "the log ended in a torn block, which was never acknowledged and was cut");
    }
    if restored.log_last == 0 {
        tracing::info!(ruleset = restored.ruleset, "nothing to restore: the log is empty");
        return;
    }
    tracing::info!(
        snapshot = restored.snapshot,
        log_last = restored.log_last,
        to_replay = restored.log_last.saturating_sub(restored.snapshot.unwrap_or(0)),
        committed = restored.committed,
        uncompared = restored.uncompared,
        pending = restored.pending,
        behind_ms = restored.behind_ms,
        ruleset = restored.ruleset,
        "restored"
    );
}

/// Why the service does not start, as the command ends with it.
fn refused(error: StartError) -> Failure {
    match error {
        StartError::Rules(error) => Failure::Rules(error),
        StartError::RuleTests(report) => {
            say_block(report.render(colour()).trim_end());
            Failure::Said(2)
        }
        StartError::Configuration(what) => Failure::Configuration(what),
        StartError::Outside(error) => Failure::Outside(error),
        other => Failure::Outside(Box::new(other)),
    }
}

fn listen(server: &Server) -> Result<TcpListener, Failure> {
    let address = server.listen;
    if !http::is_this_machine(address) && server.tls.is_none() {
        tracing::warn!(listen = %address, "listening beyond this machine, without TLS or login");
    }
    bound(address).map_err(|error| Failure::Outside(format!("cannot listen at {address} (server.listen): {error}").into()))
}

/// Connections that the system keeps until they are accepted. Where they are more, it drops what newcomers send, and these try again
/// only after a second, then after two and four: the usual 128 are filled by strangers who come all at once. As many as may be open;
/// the system has a bound of its own (`net.core.somaxconn`, 4,096 since Linux 5.4).
const BACKLOG: u32 = 1_024;

fn bound(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?; // a restart need not wait for the connections of the process before
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The signals that end the service.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let stream = |kind| signal(kind).map_err(|error| Failure::Outside(Box::new(error) as BoxError));
        Ok(Self { terminate: stream(SignalKind::terminate())?, interrupt: stream(SignalKind::interrupt())? })
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => 15,
            _ = self.interrupt.recv() => 2,
        }
    }
}
