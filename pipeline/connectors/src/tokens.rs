//! Bearer tokens: secrets that a program shows with each request, for whoever cannot sign one. One store for everything that is
//! asked over HTTP; a token says by its scopes what may be asked.
//!
//! ```text
//! tokens.json    {"version": 1, "tokens": [{"id": "tk_5f0c…", "owner": "vector", "scopes": ["write:events"],
//!                 "sha256": "…", "created": "2026-11-28T04:00:00.000Z", "expires": "2027-02-26T04:00:00.000Z"}]}
//! ```
//!
//! A token is `rsd_` and 32 random bytes in hex. The file has its hash alone, so that reading the file gives nobody a token; what
//! is compared is hashes, all of them, in a time that does not depend on where they differ. Whoever makes and revokes tokens puts
//! a new file in the place of the old one; whoever asks sees that at the next question.

mod file;

use std::fmt;

use data_encoding::HEXLOWER;
use rasid_detectors::event::time::{format_rfc3339, parse_rfc3339};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub use file::{Lock, TokenFile};

/// What a token begins with, so that it is found where it does not belong.
pub const PREFIX: &str = "rsd_";
/// What the name of one begins with.
const ID_PREFIX: &str = "tk_";
/// The version of the file.
const VERSION: u32 = 1;
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Random bytes of its name.
const ID_BYTES: usize = 6;
/// Most tokens in the file: each costs a comparison for each request.
const TOKENS_MAX: usize = 1000;

/// What may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Risk scores.
    #[serde(rename = "read:risk")]
    ReadRisk,
    /// Alerts.
    #[serde(rename = "read:alerts")]
    ReadAlerts,
    /// What became of an alert, for the rules to learn from.
    #[serde(rename = "write:feedback")]
    WriteFeedback,
    /// Events.
    #[serde(rename = "write:events")]
    WriteEvents,
    /// All that an operator may.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::ReadRisk, Self::ReadAlerts, Self::WriteFeedback, Self::WriteEvents, Self::Admin];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadRisk => "read:risk",
            Self::ReadAlerts => "read:alerts",
            Self::WriteFeedback => "write:feedback",
            Self::WriteEvents => "write:events",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A file that holds no tokens. Nothing of one is shown.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read or written.
    #[error("cannot {what} {path}")]
    Io {
        /// `read`, `write` or `lock`.
        what: &'static str,
        /// The file.
        path: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may change it, or it is somebody else's.
    #[error("{path} can be changed by others (mode {mode:04o}, user {owner}), expected it to be its reader's or root's alone")]
    Open {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
        /// Whose it is.
        owner: u32,
    },
    /// It is not as such a file is written.
    #[error("{path} is no file of tokens: {why}")]
    Form {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// There are as many as there may be.
    #[error("there are {TOKENS_MAX} tokens, which is the most there may be: revoke some")]
    Full,
    /// The system gives no random bytes.
    #[error("cannot get random bytes: {0}")]
    Random(getrandom::Error),
}

/// One token, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Names it, for people; no secret.
    pub id: String,
    /// Who shows it.
    pub owner: String,
    /// What may be asked with it.
    pub scopes: Vec<Scope>,
    /// When it was made, Unix ms.
    pub created_ms: i64,
    /// From when on it is good no more, Unix ms; `None`: until it is revoked.
    pub expires_ms: Option<i64>,
    /// The hash of its text.
    digest: [u8; 32],
}

impl Token {
    /// Whether it is good no more.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|expires| now_ms >= expires)
    }

    /// Whether that may be asked with it.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// The text of a new token: shown once, and kept nowhere.
pub struct TokenText(Zeroizing<String>);

impl TokenText {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// All tokens of a file, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token of that text, good or expired.
    pub fn find(&self, text: &str) -> Option<&Token> {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        // All are compared, so that how long it takes says nothing of which.
        self.0.iter().fold(None, |found, token| if bool::from(token.digest.ct_eq(&digest)) { Some(token) } else { found })
    }

    /// Makes one more.
    pub fn create(
        &mut self,
        owner: &str,
        scopes: &[Scope],
        now_ms: i64,
        expires_ms: Option<i64>,
    ) -> Result<(Token, TokenText), TokensError> {
        if self.0.len() >= TOKENS_MAX {
            return Err(TokensError::Full);
        }
        let text = TokenText(Zeroizing::new(format!("{PREFIX}{}", random::<TOKEN_BYTES>()?.as_str())));
        let digest = Sha256::digest(text.reveal().as_bytes()).into();
        let id = format!("{ID_PREFIX}{}", random::<ID_BYTES>()?.as_str());
        let token = Token { id, owner: owner.to_owned(), scopes: scopes.to_vec(), created_ms: now_ms, expires_ms, digest };
        self.0.push(token.clone());
        Ok((token, text))
    }

    /// Takes those out that are meant, and returns them.
    pub fn revoke(&mut self, is_meant: impl Fn(&Token) -> bool) -> Vec<Token> {
        self.0.extract_if(.., |token| is_meant(token)).collect()
    }

    fn to_json(&self) -> Vec<u8> {
        let tokens = self.0.iter().map(|token| Stored {
            id: token.id.clone(),
            owner: token.owner.clone(),
            scopes: token.scopes.clone(),
            sha256: HEXLOWER.encode(&token.digest),
            created: format_rfc3339(token.created_ms),
            expires: token.expires_ms.map(format_rfc3339),
        });
        let mut bytes = serde_json::to_vec_pretty(&StoredAll { version: VERSION, tokens: tokens.collect() }).expect("text has a JSON form");
        bytes.push(b'\n');
        bytes
    }

    fn from_json(bytes: &[u8]) -> Result<Self, String> {
        // What serde says of a value may quote it, and none of this is for a log.
        let stored: StoredAll = serde_json::from_slice(bytes)
            .map_err(|error| format!("no JSON of the form that is written, at line {} column {}", error.line(), error.column()))?;
        if stored.version != VERSION {
            return Err(format!("version {}, expected {VERSION}", stored.version));
        }
        if stored.tokens.len() > TOKENS_MAX {
            return Err(format!("{} tokens, expected {TOKENS_MAX} at most", stored.tokens.len()));
        }
        let token = |(number, token): (usize, Stored)| {
            let wrong = |what: &str| format!("{what} of token {number} is not in form");
            let digest = HEXLOWER.decode(token.sha256.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
            let expires_ms = token.expires.map(|text| parse_rfc3339(&text).ok_or_else(|| wrong("`expires`"))).transpose()?;
            Ok(Token {
                digest: digest.ok_or_else(|| wrong("`sha256`"))?,
                created_ms: parse_rfc3339(&token.created).ok_or_else(|| wrong("`created`"))?,
                expires_ms,
                id: token.id,
                owner: token.owner,
                scopes: token.scopes,
            })
        };
        (1..).zip(stored.tokens).map(token).collect::<Result<_, _>>().map(Self)
    }
}

/// Random bytes as hex.
fn random<const BYTES: usize>() -> Result<Zeroizing<String>, TokensError> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(TokensError::Random)?;
    Ok(Zeroizing::new(HEXLOWER.encode(bytes.as_slice())))
}

/// As they stand in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAll {
    version: u32,
    tokens: Vec<Stored>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    id: String,
    /// As `producer` while only producers had tokens.
    #[serde(alias = "producer")]
    owner: String,
    scopes: Vec<Scope>,
    sha256: String,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

#[cfg(test)]
mod tests;
