//! Who asks: the token that a request shows, and what it may.

use std::path::Path;

use axum::http::{Extensions, HeaderMap, StatusCode};
use rasid_connectors::ingest::{Proof, Wire, bearer};
use rasid_connectors::tokens::{Scope, TokenFile};
use rasid_service::operate::control::{Door, Who};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::stream::STREAMS_MAX;
use crate::clock::now_ms;
use crate::http::Problem;

/// The tokens that there are, and what they share.
pub(crate) struct Access {
    tokens: TokenFile,
    /// Consoles that listen at once.
    pub(super) streams: std::sync::Arc<Semaphore>,
}

/// Whose token a request has shown.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    token: String,
    owner: String,
    scopes: Vec<Scope>,
}

/// Whose a token is, and what it may ask.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Me {
    /// The token's name.
    token: String,
    /// Whose it is.
    owner: String,
    /// What it may ask.
    scopes: Vec<&'static str>,
    /// Of the service.
    version: &'static str,
    /// The service's clock, Unix ms.
    now_ms: i64,
    /// The event clock: the newest that events have said, Unix ms.
    event_ms: i64,
}

impl Access {
    /// By the tokens in a data folder, as they are when a request comes.
    pub(crate) fn of(data: &Path) -> Self {
        Self { tokens: TokenFile::of(data), streams: std::sync::Arc::new(Semaphore::new(STREAMS_MAX)) }
    }

    /// Whose token a request shows; a problem where it shows none, or one that may not ask this.
    pub(super) fn admit(&self, headers: &HeaderMap, about: &Extensions, scope: Option<Scope>) -> Result<Caller, Problem> {
        let unknown = |why: &str| Problem::new(StatusCode::UNAUTHORIZED, why);
        let shown = bearer(headers).map_err(|error| unknown(&error.to_string()))?;
        let Some(text) = shown else {
            return Err(unknown("no token is shown, expected the header `authorization: Bearer rsd_…`; `rasid token create` makes one"));
        };
        if about.get::<Wire>().copied().unwrap_or_default() == Wire::Open {
            let why = "a token came over a connection that others can read: expected TLS, or a client on this machine; revoke it";
            return Err(Problem::new(StatusCode::FORBIDDEN, why));
        }
        let tokens = self.tokens.current();
        let Some(token) = tokens.find(&text) else { return Err(unknown("the token is none, or was revoked")) };
        if token.is_expired(now_ms()) {
            return Err(unknown("the token has expired"));
        }
        // Good, whatever it is good for: its connection is none of a stranger's.
        about.get::<Proof>().into_iter().for_each(Proof::give);
        if let Some(scope) = scope.filter(|scope| !token.allows(*scope)) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!("the token is not for this: expected one with the scope {}", scope.name()),
            ));
        }
        Ok(Caller { token: token.id.clone(), owner: token.owner.clone(), scopes: token.scopes.clone() })
    }
}

impl Caller {
    /// Whether its token has that scope.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// For the audit.
    pub(super) fn who(&self) -> Who {
        Who { user: self.owner.clone(), claimed: String::new(), door: Door::Http { token: self.token.clone() } }
    }

    pub(super) fn me(self, event_ms: i64) -> Me {
        let Self { token, owner, scopes } = self;
        Me {
            token,
            owner,
            scopes: scopes.into_iter().map(Scope::name).collect(),
            version: env!("CARGO_PKG_VERSION"),
            now_ms: now_ms(),
            event_ms,
        }
    }
}
