//! What the other commands ask a running service, over its control socket.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rasid_service::operate::control::{Question, Way};
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;

use super::{Problem, SOCKET};
use crate::command::Failure;
use crate::config::Layers;

/// An answer comes once what it says is durable; a disk that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the service that runs on a data folder.
pub(crate) struct Client {
    data: PathBuf,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// Of the service on the data folder that the configuration names.
    pub(crate) fn of(layers: &Layers) -> Result<Self, Failure> {
        Self::new(Path::new(&layers.load()?.config.data.dir))
    }

    /// Of the service on that data folder.
    pub(crate) fn new(data: &Path) -> Result<Self, Failure> {
        // The client is made for TLS too, and wants to know whose; an earlier choice stands.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().unix_socket(data.join(SOCKET)).timeout(PATIENCE).no_proxy().build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outside = |error: Box<dyn std::error::Error + Send + Sync>| Failure::Outside(error);
        let (http, runtime) = (http.map_err(|error| outside(error.into()))?, runtime.map_err(|error| outside(error.into()))?);
        Ok(Self { data: data.to_owned(), http, runtime })
    }

    /// Asks.
    pub(crate) fn ask<Q: Question<Answer: DeserializeOwned>>(&self, question: &Q) -> Result<Q::Answer, Failure> {
        self.ask_as(question)
    }

    /// Asks, and reads the answer as something else than what it is.
    pub(crate) fn ask_as<Q: Question, T: DeserializeOwned>(&self, question: &Q) -> Result<T, Failure> {
        let outside = |error: Box<dyn std::error::Error + Send + Sync>| Failure::Outside(error);
        // The host is never looked up: the socket is the host.
        let mut url = Url::parse(&format!("http://rasid{}", Q::PATH)).map_err(|error| outside(error.into()))?;
        match Q::WAY {
            Way::Get => {
                let members = serde_json::to_value(question).map_err(|error| outside(error.into()))?;
                for (name, value) in members.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
                    url.query_pairs_mut().append_pair(name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                }
                self.send(Method::GET, url, Vec::new())
            }
            Way::Post => self.send(Method::POST, url, serde_json::to_vec(question).map_err(|error| outside(error.into()))?),
        }
    }

    fn send<T: DeserializeOwned>(&self, method: Method, url: Url, body: Vec<u8>) -> Result<T, Failure> {
        let (status, text) = self
            .runtime
            .block_on(async {
                let response = self.http.request(method, url).body(body).send().await?;
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
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => Failure::Configuration(detail),
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
