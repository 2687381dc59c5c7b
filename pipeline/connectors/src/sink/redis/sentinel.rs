//! The master that sentinels name.
//!
//! They are asked for each connection, in order: one may be away, or have slept through a failover and name a server that
//! is a replica by now. So the server is asked, too. A failover closes the connections of the old master's clients.
//! → <https://redis.io/docs/latest/develop/reference/sentinel-clients/>

use ::redis::{Value, cmd, from_redis_value};

use super::config::{Config, Sentinels};
use super::connection::{Connected, Error, address, beside, connect, open, parse};

/// A connection to the master.
pub(super) async fn master(config: &Config, sentinels: &Sentinels) -> Result<Connected, Error> {
    let mut reasons = Vec::new();
    for url in &sentinels.urls {
        match by(config, sentinels, url).await {
            Ok(connected) => return Ok(connected),
            Err(Error::Sentinel { reason, .. }) => reasons.push(reason),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(Error::Sentinel { master: sentinels.master.clone(), reason: reasons.join("; ") })
}

async fn by(config: &Config, sentinels: &Sentinels, url: &str) -> Result<Connected, Error> {
    let sentinel = parse(url)?;
    let says = |reason: String| Error::Sentinel { master: sentinels.master.clone(), reason };
    let mut to = open(config, &sentinel, &sentinels.login).await?;
    let named: Option<(String, u16)> =
        cmd("SENTINEL").arg("get-master-addr-by-name").arg(&sentinels.master).query_async(&mut to).await.map_err(Error::Command)?;
    let Some((host, port)) = named else { return Err(says(format!("{} does not know it", address(&sentinel)))) };
    let mut master = connect(config, &beside(&sentinel, &host, port)).await?;
    let role: Vec<Value> = cmd("ROLE").query_async(&mut master.to).await.map_err(Error::Command)?;
    let role: String = role.into_iter().next().and_then(|role| from_redis_value(role).ok()).unwrap_or_default();
    if role == "master" { Ok(master) } else { Err(says(format!("{} names {host}:{port}, which is a {role}", address(&sentinel)))) }
}
