//! TLS of the server: a certificate and its key, by files that may be replaced while the service runs.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::Extensions;
use rasid_connectors::ingest::Wire;
use rasid_connectors::sink::tls::{ClientFiles, Stamp, TlsFiles, certified};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::sign::SingleCertAndKey;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::server::Listen;
use crate::config::secret_file;

/// The certificate that connections are shown, and the files that it is from.
#[derive(Debug)]
pub(crate) struct ServerTls {
    files: TlsFiles,
    /// Whether others may read the key.
    shared: bool,
    current: Mutex<(Stamp, Arc<ServerConfig>)>,
    unusable: AtomicBool,
}

impl ServerTls {
    /// By these files, the key one that others cannot read; `shared`: or may.
    ///
    /// # Errors
    /// What is wrong with them, and what helps.
    pub(crate) fn new(files: ClientFiles, shared: bool) -> Result<Self, (String, Option<String>)> {
        let files = TlsFiles { ca: None, client: Some(files) };
        let current = (files.stamp(), read(&files, shared)?);
        Ok(Self { files, shared, current: Mutex::new(current), unusable: AtomicBool::new(false) })
    }

    /// Whether the files as they are now are not what is in force.
    pub(crate) fn is_unusable(&self) -> bool {
        self.unusable.load(Relaxed)
    }

    /// For the next connection.
    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.files.stamp();
        if stamp != current.0 {
            match read(&self.files, self.shared) {
                Ok(config) => {
                    tracing::info!("the server's certificate was replaced");
                    current.1 = config;
                    self.unusable.store(false, Relaxed);
                }
                // The key may come a moment after its certificate; then the stamp is another.
                Err((error, _)) => {
                    tracing::warn!(error, "the server's certificate was replaced by an unusable one, which is not used");
                    self.unusable.store(true, Relaxed);
                }
            }
            current.0 = stamp;
        }
        Arc::clone(&current.1)
    }
}

fn read(files: &TlsFiles, shared: bool) -> Result<Arc<ServerConfig>, (String, Option<String>)> {
    let plain = |message: String| (message, None);
    let Some(both) = &files.client else { return Err(plain("no certificate is named".to_owned())) };
    secret_file::read(&both.key.display().to_string(), shared).map_err(|refused| (refused.message, refused.help))?;
    let certified = certified(both).map_err(|error| plain(error.to_string()))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| plain(error.to_string()))?.with_no_client_auth();
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A listener whose connections are TLS.
pub(crate) struct Secured {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Arc<ServerTls>,
}

impl Listen for Secured {
    type Raw = TcpStream;
    type Io = TlsStream<TcpStream>;

    async fn accept(&self) -> io::Result<TcpStream> {
        Listen::accept(&self.listener).await
    }

    fn open(&self, raw: TcpStream) -> impl Future<Output = io::Result<Self::Io>> + Send + 'static {
        TlsAcceptor::from(self.tls.config()).accept(raw)
    }
}

/// Whether only programs of this machine reach an address, or come from it.
pub(crate) fn is_this_machine(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// What the handlers may know of a connection that is plain.
pub(crate) fn over_tcp(stream: &TcpStream) -> Extensions {
    let is_ours = stream.peer_addr().is_ok_and(is_this_machine);
    wire(if is_ours { Wire::Private } else { Wire::Open })
}

/// What they may know of one that is not open before it is TLS.
pub(crate) fn over_tls(_: &TcpStream) -> Extensions {
    wire(Wire::Private)
}

fn wire(wire: Wire) -> Extensions {
    let mut known = Extensions::new();
    known.insert(wire);
    known
}

#[cfg(test)]
mod tests;
