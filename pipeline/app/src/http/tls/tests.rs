use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use rasid_testbed::{Authority, LOOPBACK};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;
use crate::http::{Connections, Times, serve};

const PATIENCE: Duration = Duration::from_mins(1);

/// Certificate and key where a service would have them.
struct Files {
    folder: tempfile::TempDir,
    files: ClientFiles,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ClientFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        Self { folder, files }
    }

    /// Puts a pair in the place of what is there, as a renewal does.
    fn put(&self, certificate: &std::path::Path, key: &std::path::Path) {
        for (from, to) in [(certificate, &self.files.certificate), (key, &self.files.key)] {
            let beside = self.folder.path().join("beside");
            std::fs::copy(from, &beside).expect("copied");
            std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).expect("ours");
            std::fs::rename(&beside, to).expect("one folder");
        }
    }
}

/// Asks over TLS who else can read it, believing that authority alone.
async fn ask(address: SocketAddr, authority: &Authority) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls::pki_types::CertificateDer::pem_file_iter(authority.certificate()).expect("a file") {
        roots.add(certificate.expect("a certificate")).expect("an authority");
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().expect("versions");
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let asked = async {
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let mut stream = connector.connect(name, TcpStream::connect(address).await?).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: rasid\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("in time")
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_bad_one_changes_nothing() {
    let (first, second, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new();
    let put = |authority: &Authority| {
        let issued = authority.issue("server", LOOPBACK, 2);
        files.put(&issued.certificate, &issued.key);
    };
    put(&first);
    let tls = Arc::new(ServerTls::new(files.files.clone(), false).expect("a pair"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let router = Router::new().route("/", get(|Extension(wire): Extension<Wire>| async move { format!("{wire:?}") }));
    let connections = Connections::new(4, Times { head: Duration::from_secs(1), ..Times::default() });
    tokio::spawn(serve("http", Secured { listener, tls: Arc::clone(&tls) }, router, connections.clone(), over_tls));
    assert!(ask(address, &first).await.expect("an answer").ends_with("Private"));
    assert!(ask(address, &stranger).await.is_err());

    put(&second);
    assert!(ask(address, &second).await.expect("an answer").ends_with("Private"));
    assert!(ask(address, &first).await.is_err());
    for bad in ["", "no certificate"] {
        std::fs::write(&files.files.certificate, bad).expect("ours");
        assert!(ask(address, &second).await.is_ok(), "the former stays");
        assert!(tls.is_unusable());
    }
    put(&first);
    assert!(ask(address, &first).await.is_ok() && !tls.is_unusable());
    let issued = second.issue("server2", LOOPBACK, 2);
    std::fs::copy(&issued.certificate, &files.files.certificate).expect("copied");
    std::fs::copy(&issued.key, &files.files.key).expect("copied");
    std::fs::set_permissions(&files.files.key, std::fs::Permissions::from_mode(0o644)).expect("ours");
    assert!(ask(address, &first).await.is_ok(), "a key that others may read is not taken up");
    assert!(tls.is_unusable());

    // Who begins no handshake, or none that is one, is closed as who sends no head.
    let mut silent = TcpStream::connect(address).await.expect("connected");
    let mut plain = TcpStream::connect(address).await.expect("connected");
    plain.write_all(b"GET / HTTP/1.1\r\nhost: rasid\r\n\r\n").await.expect("written");
    for stream in [&mut silent, &mut plain] {
        let mut bytes = Vec::new();
        drop(tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("closed"));
        assert!(!String::from_utf8_lossy(&bytes).contains("HTTP"), "nothing is served in the clear");
    }
    let closed = connections.stats().closed_total;
    assert!(closed.iter().any(|(why, times)| *why == "head_timeout" && *times == 1), "{closed:?}");
}

#[test]
fn a_pair_that_is_none_is_refused_with_its_reason() {
    let (authority, files) = (Authority::new(), Files::new());
    let (one, other) = (authority.issue("one", LOOPBACK, 2), authority.issue("other", LOOPBACK, 2));
    files.put(&one.certificate, &other.key);
    let said = |shared| ServerTls::new(files.files.clone(), shared).expect_err("refused");
    assert!(said(false).0.contains("is not that of the certificate"), "{:?}", said(false));
    files.put(&one.certificate, &one.key);
    std::fs::set_permissions(&files.files.key, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let (message, help) = said(false);
    assert!(message.contains("can be read by others") && help.is_some_and(|help| help.contains("chmod")), "{message}");
    assert!(ServerTls::new(files.files.clone(), true).is_ok(), "unless that is meant");
    std::fs::remove_file(&files.files.key).expect("there");
    assert!(said(false).0.contains("cannot read"));
}

#[test]
fn what_comes_from_this_machine_is_known() {
    for (address, expected) in [
        ("127.0.0.1:1", true),
        ("127.9.9.9:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("192.0.2.1:1", false),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
    ] {
        assert_eq!(is_this_machine(address.parse().expect("an address")), expected, "{address}");
    }
}
