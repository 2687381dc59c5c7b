//! Certificates made for a test, by `openssl`, and a server's end of TLS before a server that has none.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// The names that servers on loopback are reached by.
pub const LOOPBACK: &str = "IP:127.0.0.1,DNS:localhost";

/// An authority of a test's own, with a folder for what it issues.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
}

/// A certificate and its key, PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

impl Authority {
    /// Founds one.
    ///
    /// # Panics
    /// Where openssl is not installed.
    pub fn new() -> Self {
        let new = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        // No two have one name: a certificate of another's would be taken for a forged one of this.
        let name = format!("/CN=authority {}", new.folder.path().display().to_string().replace('/', " "));
        new.openssl(&["req", "-x509", "-nodes", "-days", "30", "-subj", &name, "-out", "ca.pem", "-keyout", "ca.key"]);
        new
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Issues one that is good for `days` days (0: for the rest of this second), for those names (`DNS:…,IP:…`).
    ///
    /// # Panics
    /// Where openssl does not make it.
    pub fn issue(&self, file: &str, names: &str, days: u32) -> Issued {
        let name = |end: &str| format!("{file}.{end}");
        let (days, extensions) = (days.to_string(), format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n"));
        std::fs::write(self.folder.path().join(name("ext")), extensions).expect("a writable folder");
        self.openssl(&["req", "-nodes", "-subj", &format!("/CN={file}"), "-out", &name("csr"), "-keyout", &name("key")]);
        let signed = ["x509", "-req", "-in", &name("csr"), "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        self.openssl(&[&signed[..], &["-days", &days, "-extfile", &name("ext"), "-out", &name("pem")]].concat());
        Issued { certificate: self.folder.path().join(name("pem")), key: self.folder.path().join(name("key")) }
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        if arguments.first() == Some(&"req") {
            command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        }
        let output = command.output().expect("openssl is installed: apt-get install openssl, or cargo xtask test");
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// TLS on a loopback port of its own, and behind it a server on another.
#[derive(Debug)]
pub struct TlsFront {
    port: u16,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Stands before `server` with that certificate; asks clients for one by `clients`, where that is an authority.
    ///
    /// # Panics
    /// Where a certificate is unusable or loopback has no port.
    pub async fn before(server: u16, issued: &Issued, clients: Option<&Authority>) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(configuration(issued, clients)));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new(); // dropped with the task, and they with it
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    let mut client = acceptor.accept(stream).await?;
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { port, task }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn configuration(issued: &Issued, clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().expect("ring has them");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(chain(&authority.certificate()));
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider).build();
            builder.with_client_cert_verifier(verifier.expect("an authority"))
        }
    };
    let key = PrivateKeyDer::from_pem_file(&issued.key).expect("a key");
    builder.with_single_cert(chain(&issued.certificate), key).expect("a pair")
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).expect("a file").map(|certificate| certificate.expect("a certificate")).collect()
}
