//! TLS to receivers: whom to believe, and how to show who we are, by files that may be replaced while the service runs.
//!
//! A receiver's certificate is verified against the system's store, or against `ca_file` in its place, for the name or
//! address that it is reached by; from TLS 1.2 on. There is no way to leave that out. Files are read anew for each
//! connection, so that a certificate that was renewed needs no restart.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use zeroize::Zeroizing;

/// Names ring as the process's TLS library. Called by every sink that needs it; again is harmless.
pub fn install_tls() {
    // An error says that there is one already, ours or the program's choice.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// Whom to believe, and who we are. The default is the system's store, and nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities that are believed, PEM, in place of the system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate.
    pub client: Option<ClientFiles>,
}

/// Our own certificate, for receivers that ask for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// The certificate and what leads from it to an authority, PEM, in that order.
    pub certificate: PathBuf,
    /// Its private key, PEM, not encrypted.
    pub key: PathBuf,
}

/// What is wrong with a file. None of its content is shown.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: std::io::Error,
    },
    /// There is no certificate in it.
    #[error("{} holds no certificate, expected PEM: BEGIN CERTIFICATE", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Something that calls itself a certificate is none.
    #[error("{}: the {number}. certificate is none", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Which of them, from 1.
        number: usize,
    },
    /// There is no private key in it that can be used.
    #[error("{} holds no private key that can be used, expected PEM, RSA or ECDSA or Ed25519, not encrypted", path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The two are not a pair.
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// What the files hold, found whole.
#[derive(Debug)]
pub(super) struct Material {
    pub(super) ca: Option<Vec<u8>>,
    pub(super) client: Option<ClientMaterial>,
}

pub(super) struct ClientMaterial {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for ClientMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// By what it is seen that a file was replaced: when it was changed, how long it is, which file it is.
pub type Stamp = Vec<Option<(SystemTime, u64, u64)>>;

impl TlsFiles {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.ca.is_none() && self.client.is_none()
    }

    /// Reads and checks them.
    ///
    /// # Errors
    /// [`TlsError`] where one is not what it should be.
    pub fn check(&self) -> Result<(), TlsError> {
        self.read().map(drop)
    }

    pub(super) fn read(&self) -> Result<Material, TlsError> {
        let ca = self.ca.as_deref().map(authorities).transpose()?;
        let client = self.client.as_ref().map(client).transpose()?;
        Ok(Material { ca, client })
    }

    /// How the files stand now.
    pub fn stamp(&self) -> Stamp {
        let client = self.client.as_ref();
        let files = [self.ca.as_ref(), client.map(|client| &client.certificate), client.map(|client| &client.key)];
        let stamp = |path: &PathBuf| {
            let about = fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len(), about.ino()))
        };
        files.into_iter().flatten().map(stamp).collect()
    }
}

fn authorities(path: &Path) -> Result<Vec<u8>, TlsError> {
    let bytes = read(path)?;
    let mut store = RootCertStore::empty();
    for (number, certificate) in (1..).zip(certificates(path, &bytes)?) {
        store.add(certificate).map_err(|_| TlsError::Certificate { path: path.to_owned(), number })?;
    }
    Ok(bytes)
}

fn client(files: &ClientFiles) -> Result<ClientMaterial, TlsError> {
    let (certificate, key) = (read(&files.certificate)?, Zeroizing::new(read(&files.key)?));
    pair(files, &certificate, &key)?;
    Ok(ClientMaterial { certificate, key })
}

/// A certificate with its key, found to be a pair: for whoever shows it, a server as well.
///
/// # Errors
/// [`TlsError`] where one is not what it should be.
pub fn certified(files: &ClientFiles) -> Result<CertifiedKey, TlsError> {
    let (certificate, key) = (read(&files.certificate)?, Zeroizing::new(read(&files.key)?));
    pair(files, &certificate, &key)
}

fn pair(files: &ClientFiles, certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(&files.certificate, certificate)?;
    let unusable = || TlsError::Key { path: files.key.clone() };
    let parsed = PrivateKeyDer::from_pem_slice(key).map_err(|_| unusable())?;
    match CertifiedKey::from_der(chain, parsed, &rustls::crypto::ring::default_provider()) {
        Ok(certified) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone() })
        }
        Err(rustls::Error::InvalidCertificate(_)) => Err(TlsError::Certificate { path: files.certificate.clone(), number: 1 }),
        Err(_) => Err(unusable()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Read { path: path.to_owned(), error })
}

fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) | Err(_) => Err(TlsError::NoCertificate { path: path.to_owned() }),
    }
}
