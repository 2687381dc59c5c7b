//! What the other commands ask a running service, over its control socket.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Problem, SOCKET};
use crate::command::Failure;

/// An answer comes once what it says is durable; a disk that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the service that runs on a data folder.
pub(crate) struct Client {
    data: PathBuf,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    pub(crate) fn new(data: &Path) -> Result<Self, Failure> {
        // The client is made for TLS too, and wants to know whose; an earlier choice stands.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().unix_socket(data.join(SOCKET)).timeout(PATIENCE).no_proxy().build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outside = |error: Box<dyn std::error::Error + Send + Sync>| Failure::Outside(error);
        let (http, runtime) = (http.map_err(|error| outside(error.into()))?, runtime.map_err(|error| outside(error.into()))?);
        Ok(Self { data: data.to_owned(), http, runtime })
    }

    /// Asks for what is at a path.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Failure> {
        let mut url = Self::url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.ask(Method::GET, url, None)
    }

    /// Asks for something to be done.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::Outside(Box::new(error)))?;
        self.ask(Method::POST, Self::url(path)?, Some(body))
    }

    /// The host is never looked up: the socket is the host.
    fn url(path: &str) -> Result<Url, Failure> {
        Url::parse(&format!("http://rasid{path}")).map_err(|error| Failure::Outside(Box::new(error)))
    }

    fn ask<T: DeserializeOwned>(&self, method: Method, url: Url, body: Option<Vec<u8>>) -> Result<T, Failure> {
        let (status, text) = self
            .runtime
            .block_on(async {
                let response = self.http.request(method, url).body(body.unwrap_or_default()).send().await?;
                let status = response.status();
                Ok::<_, reqwest::Error>((status, response.bytes().await?))
            })
            .map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return serde_json::from_slice(&text)
                .map_err(|error| Failure::Outside(format!("cannot read the service's answer: {error}").into()));
        }
        let detail =
            serde_json::from_slice::<Problem>(&text).map_or_else(|_| format!("the service answered {status}"), |problem| problem.detail);
        Err(match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Failure::Configuration(detail),
            _ => Failure::Outside(detail.into()),
        })
    }

    /// No service, or one that does not answer.
    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let data = self.data.display();
        if error.is_timeout() {
            return Failure::Outside(format!("the service on data folder {data} did not answer within {} s", PATIENCE.as_secs()).into());
        }
        if !error.is_connect() {
            return Failure::Outside(
                format!("the service on data folder {data} went away before it had answered: it may have done it or not").into(),
            );
        }
        let mut cause: Option<&dyn std::error::Error> = error.source();
        let mut kind = None;
        while let Some(inner) = cause {
            kind = inner.downcast_ref::<std::io::Error>().map(std::io::Error::kind).or(kind);
            cause = inner.source();
        }
        let text = match kind {
            Some(std::io::ErrorKind::PermissionDenied) => {
                format!("{data}/{SOCKET} belongs to another user: ask as the user that the service runs as")
            }
            _ => format!("no service runs on data folder {data}; name another with --data, or start one with `rasid run --data {data}`"),
        };
        Failure::Outside(text.into())
    }
}
