//! What a server does when its memory is full. Under any policy but `noeviction` it takes keys away without a word, and a
//! score that is away reads as "no known risk".

use std::collections::{BTreeMap, BTreeSet};

use ::redis::aio::MultiplexedConnection;
use ::redis::{ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, cmd};

use super::connection::{Connected, Error};

/// The policies that there are; what a server calls otherwise is `other`.
const POLICIES: [&str; 8] =
    ["noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"];
/// The one under which nothing is taken away.
pub const KEEPS: &str = "noeviction";
/// The policy of a server that does not say.
pub const UNKNOWN: &str = "unknown";

/// The `maxmemory-policy` of a server: one of Redis' eight, `other`, or [`UNKNOWN`].
pub type Policy = &'static str;

/// What the servers that we are connected to say, each once.
pub(super) fn all<'a>(servers: impl Iterator<Item = &'a Connected>) -> BTreeSet<Policy> {
    servers.filter_map(|server| server.policy).collect()
}

/// Asks a server that has not been asked, and with `anew` any.
pub(super) async fn ask(server: &mut Connected, anew: bool) -> Result<(), Error> {
    if anew || server.policy.is_none() {
        server.policy = Some(policy(&mut server.to).await.map_err(Error::Command)?);
    }
    Ok(())
}

async fn policy(to: &mut MultiplexedConnection) -> RedisResult<Policy> {
    let about: Option<String> = permitted(cmd("INFO").arg("memory").query_async(to).await)?;
    let said = about.as_deref().unwrap_or_default().lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
    if let Some(said) = said {
        return Ok(known(said.trim()));
    }
    // Who may not use it, or has it called otherwise, does not say.
    let set: Option<BTreeMap<String, String>> = permitted(cmd("CONFIG").arg("GET").arg("maxmemory-policy").query_async(to).await)?;
    Ok(set.and_then(|set| set.get("maxmemory-policy").map(|said| known(said))).unwrap_or(UNKNOWN))
}

/// An answer; `None` where the server does not give one to us.
fn permitted<T: FromRedisValue>(answer: RedisResult<T>) -> RedisResult<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if matches!(error.kind(), ErrorKind::Server(kind) if kind != ServerErrorKind::BusyLoading) => Ok(None),
        // `CONFIG` that is not there, and answers of another shape.
        Err(error) if matches!(error.kind(), ErrorKind::Extension | ErrorKind::UnexpectedReturnType | ErrorKind::Parse) => Ok(None),
        Err(error) => Err(error),
    }
}

fn known(said: &str) -> Policy {
    POLICIES.iter().find(|policy| **policy == said).copied().unwrap_or("other")
}
