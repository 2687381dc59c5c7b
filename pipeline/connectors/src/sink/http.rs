//! What the sinks that speak HTTP share: a client with limits on everything, and how a status is judged.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::tls::{Certificate, Identity, Version};
use reqwest::{Client, Proxy, RequestBuilder, StatusCode, Url, redirect};
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::tls::{ClientMaterial, Material, Stamp, TlsError, TlsFiles, install_tls};
use crate::sink::Answer;

/// Longest answer that is read, bytes: a full batch of refusals fits.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Longest part of an answer that is kept and shown, characters.
const SHOWN_CHARS_MAX: usize = 500;

/// Why a sink that speaks HTTP cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not one.
    #[error("{url:?} is not an http:// or https:// address")]
    Address {
        /// As given.
        url: String,
    },
    /// The proxy's address is not one.
    #[error("the proxy {url:?} is not an http:// or https:// address")]
    Proxy {
        /// As given.
        url: String,
    },
    /// TLS cannot be set up, most often because the system has no certificates.
    #[error("cannot set up the HTTP client")]
    Client {
        /// The library's answer.
        #[source]
        source: reqwest::Error,
    },
    /// A certificate or key is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The secrets are unusable.
    #[error(transparent)]
    Secret(#[from] crate::webhook::SecretError),
}

/// How a receiver is reached, beside its address.
#[derive(Clone, Debug)]
pub struct Reach {
    /// For a connection.
    pub connect_timeout: Duration,
    /// For one request from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// `http://host:port` of the proxy that everything goes through. `None` is none: what `HTTP_PROXY` and its kin say is not
    /// heeded, or a variable that was set for another program would hand alerts to whoever it names.
    pub proxy: Option<String>,
    /// For `https://`: whom to believe, and who we are.
    pub tls: TlsFiles,
}

/// Beginnings of addresses.
pub(super) const SCHEMES: [&str; 2] = ["http://", "https://"];
/// Time for a connection, whatever the time for an answer.
const CONNECT: Duration = Duration::from_secs(3);

impl Reach {
    /// As options say it: the time for an answer in ms, the proxy, the files for TLS.
    pub(super) fn of_options(timeout_ms: u32, proxy: Option<&str>, tls: TlsFiles) -> Self {
        Self { proxy: proxy.map(str::to_owned), tls, ..Self::within(CONNECT, Duration::from_millis(timeout_ms.into())) }
    }

    /// Within these times and without a proxy.
    pub const fn within(connect_timeout: Duration, timeout: Duration) -> Self {
        Self { connect_timeout, timeout, proxy: None, tls: TlsFiles { ca: None, client: None } }
    }
}

/// One receiver: its address, and a client for it.
#[derive(Debug)]
pub(super) struct Receiver {
    base: Url,
    reach: Reach,
    current: Mutex<Current>,
}

/// The client, and the files that it was made from.
#[derive(Debug)]
struct Current {
    client: Client,
    files: Stamp,
}

impl Receiver {
    pub(super) fn new(url: &str, reach: &Reach) -> Result<Self, HttpError> {
        install_tls();
        let address = || HttpError::Address { url: url.to_owned() };
        // It ends in a slash, so that paths can be joined to it.
        let base = Url::parse(&format!("{}/", url.trim_end_matches('/'))).map_err(|_| address())?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(address());
        }
        let files = reach.tls.stamp();
        let current = Mutex::new(Current { client: client(&base, reach)?, files });
        Ok(Self { base, reach: reach.clone(), current })
    }

    /// What is below its address.
    pub(super) fn below(&self, path: &str) -> Result<Url, HttpError> {
        self.base.join(path).map_err(|_| HttpError::Address { url: self.base.to_string() })
    }

    /// A question to it, by certificates as they are now.
    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.client().get(url)
    }

    /// A request to it, by certificates as they are now.
    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.client().post(url)
    }

    fn client(&self) -> Client {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let files = self.reach.tls.stamp();
        if files != current.files {
            match client(&self.base, &self.reach) {
                Ok(client) => {
                    info!(receiver = %self.base, "certificates were replaced");
                    current.client = client;
                }
                // The key may come a moment after its certificate; then the stamp is another.
                Err(error) => {
                    warn!(receiver = %self.base, error = %error, "certificates were replaced by unusable ones, which are not used");
                }
            }
            current.files = files;
        }
        current.client.clone()
    }
}

fn client(base: &Url, reach: &Reach) -> Result<Client, HttpError> {
    let mut builder = Client::builder()
        .user_agent(concat!("rasid/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .connect_timeout(reach.connect_timeout)
        // From the connection to the answer's last byte: one who drips is cut off like one who is silent.
        .timeout(reach.timeout)
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(1);
    let mut secure = base.scheme() == "https";
    if let Some(proxy) = &reach.proxy {
        let wrong = || HttpError::Proxy { url: proxy.clone() };
        let parsed = Url::parse(proxy).ok().filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host());
        let parsed = parsed.ok_or_else(wrong)?;
        secure |= parsed.scheme() == "https";
        builder = builder.proxy(Proxy::all(parsed).map_err(|_| wrong())?);
    }
    let unusable = |source| HttpError::Client { source };
    if secure {
        let Material { ca, client } = reach.tls.read()?;
        if let Some(ca) = ca {
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(&ca).map_err(unusable)?);
        }
        if let Some(ClientMaterial { certificate, key }) = client {
            let both = Zeroizing::new([certificate.as_slice(), b"\n", key.as_slice()].concat());
            builder = builder.identity(Identity::from_pem(&both).map_err(unusable)?);
        }
        builder = builder.tls_version_min(Version::TLS_1_2);
    } else {
        // The system's certificates are not needed, and may not be there.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(unusable)
}

/// What a receiver said.
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Sends a request and reads the whole answer.
pub(super) async fn send(request: RequestBuilder) -> Result<Said, Answer> {
    let mut response = request.send().await.map_err(|error| lost(&error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    // Of a refusal the status alone decides: it counts even if its text is cut off.
    let decided = !status.is_success();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Ok(Some(_)) | Err(_) if decided => break,
            Ok(Some(_)) => return Err(Answer::Unknown { error: format!("the answer is longer than {ANSWER_BYTES_MAX} bytes") }),
            Err(error) => return Err(lost(&error)),
        }
    }
    Ok(Said { status, headers, body })
}

/// A request that got no answer. Only where no connection came about is it certain that nothing was taken.
fn lost(error: &reqwest::Error) -> Answer {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    if error.is_connect() || error.is_builder() {
        Answer::Unavailable { retry_after_ms: None, error: text }
    } else {
        Answer::Unknown { error: text }
    }
}

impl Said {
    /// How a status other than success is meant. A plain 4xx is about what was sent. These are not: 401 and 403
    /// (credentials), 404 (address) wait for an operator; 408, 425, 429 and 5xx pass.
    pub(super) fn judge(&self, now_ms: i64) -> Answer {
        let said = format!("{} {}", self.status.as_u16(), shown(&self.body));
        let said = said.trim_end().to_owned();
        match self.status.as_u16() {
            401 | 403 | 404 | 408 | 425 | 429 => Answer::Unavailable { retry_after_ms: self.retry_after_ms(now_ms), error: said },
            400..=499 => Answer::Refused { answer: said },
            _ => Answer::Unavailable { retry_after_ms: self.retry_after_ms(now_ms), error: said },
        }
    }

    /// Seconds, or a date (RFC 9110, section 10.2.3).
    fn retry_after_ms(&self, now_ms: i64) -> Option<u64> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(seconds.saturating_mul(1000));
        }
        let at = DateTimeParser::new().parse_timestamp(text).ok()?;
        u64::try_from(at.as_millisecond().saturating_sub(now_ms).max(0)).ok()
    }
}

/// The beginning of an answer, fit for a log line.
pub(super) fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;
    use rstest::rstest;

    fn said(status: u16, retry_after: Option<&str>) -> Said {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from_str(value).expect("ASCII"));
        }
        Said { status: StatusCode::from_u16(status).expect("a status"), headers, body: b"why\n".to_vec() }
    }

    #[test]
    fn only_a_plain_4xx_is_about_what_was_sent() {
        for status in 300..600 {
            let plain = (400..500).contains(&status) && ![401, 403, 404, 408, 425, 429].contains(&status);
            let answer = said(status, None).judge(0);
            let text = format!("{status} why");
            let expected = if plain { Answer::Refused { answer: text } } else { Answer::Unavailable { retry_after_ms: None, error: text } };
            assert_eq!(answer, expected);
        }
    }

    #[rstest]
    #[case::seconds("120", Some(120_000))]
    #[case::date("Sun, 06 Nov 1994 08:49:37 GMT", Some(37_000))]
    #[case::past("Sun, 06 Nov 1994 08:48:00 GMT", Some(0))]
    #[case::neither("soon", None)]
    fn retry_after_is_seconds_or_a_date(#[case] value: &str, #[case] expected: Option<u64>) {
        let now_ms = 784_111_740_000; // 08:49:00
        assert_eq!(said(503, Some(value)).retry_after_ms(now_ms), expected);
    }

    #[test]
    fn addresses_are_checked_and_ready_to_be_joined() {
        let reach = Reach::within(Duration::from_secs(1), Duration::from_secs(1));
        let receiver = Receiver::new("http://127.0.0.1:1/rasid/", &reach).expect("an address");
        assert_eq!(receiver.below("alerts").expect("joins").as_str(), "http://127.0.0.1:1/rasid/alerts");
        for url in ["", "localhost", "ftp://localhost", "http://"] {
            assert!(matches!(Receiver::new(url, &reach), Err(HttpError::Address { .. })), "{url}");
        }
        for proxy in ["", "proxy:3128", "socks5://proxy", "http://"] {
            let reach = Reach { proxy: Some(proxy.to_owned()), ..reach.clone() };
            assert!(matches!(Receiver::new("http://core", &reach), Err(HttpError::Proxy { .. })), "{proxy}");
        }
    }

    #[test]
    fn what_is_shown_of_an_answer_is_one_short_line() {
        assert_eq!(shown(b"a\nb\x1b[31m"), "a b [31m");
        assert_eq!(shown("ا".repeat(1000).as_bytes()).chars().count(), 500);
    }
}
