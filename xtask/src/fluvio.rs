//! `cargo xtask fluvio`: the Fluvio source against a real cluster. The server is in no registry; it builds from its
//! public repository (fluvio-community/fluvio) with crates.io alone: `cargo build -p fluvio-run --no-default-features`.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::step;

/// Of the catch-up in which the cluster's processes are killed.
const RECORDS: u64 = 2_000_000;

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    endpoint: String,
    run_dir: Option<PathBuf>,
    records: Option<u64>,
}

impl Options {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(&name) = rest.next() {
            let value = *rest.next().with_context(|| format!("`{name}` has no value"))?;
            match name {
                "--endpoint" => value.clone_into(&mut options.endpoint),
                "--run-dir" => options.run_dir = Some(value.into()),
                "--records" => options.records = Some(value.parse().context("expected a number of records")?),
                _ => bail!("no option `{name}`; expected --endpoint HOST:PORT [--run-dir DIR] [--records N]"),
            }
        }
        ensure!(!options.endpoint.is_empty(), "expected --endpoint HOST:PORT, the controller's public address");
        Ok(options)
    }

    fn records(&self) -> u64 {
        self.records.unwrap_or(if self.run_dir.is_some() { RECORDS } else { RECORDS / 10 })
    }
}

/// Runs the port's contract and the Fluvio tests against the cluster at `--endpoint`. With `--run-dir`, the folder with
/// the cluster's process ids, a unit is killed twice and the controller once while two million records are read.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    answers(&options.endpoint)?;
    let mut tests = step::cargo(["test", "--package", "rasid-connectors", "--features", "fluvio"]);
    tests.args(["--test", "port_contract", "--test", "fluvio", "--", "--nocapture", "--test-threads", "1"]);
    tests.env("FLUVIO_ENDPOINT", &options.endpoint).env("FLUVIO_RECORDS", options.records().to_string()).env("FLV_SOCKET_WAIT", "5");
    tests.env_remove("FLUVIO_RUN_DIR");
    if let Some(run_dir) = &options.run_dir {
        tests.env("FLUVIO_RUN_DIR", cluster(run_dir)?);
    }
    step::run("fluvio", tests)
}

/// The folder, if it is a cluster's.
fn cluster(run_dir: &Path) -> Result<PathBuf> {
    let run_dir = run_dir.canonicalize().with_context(|| format!("no folder {}", run_dir.display()))?;
    ensure!(run_dir.join("sc.pid").is_file(), "{} holds no sc.pid: it is not the folder of a running cluster", run_dir.display());
    Ok(run_dir)
}

/// Tests that find nobody would be skipped; whoever names a cluster wants them run.
fn answers(endpoint: &str) -> Result<()> {
    let addresses: Vec<SocketAddr> = endpoint.to_socket_addrs().with_context(|| format!("`{endpoint}` is no HOST:PORT"))?.collect();
    let reached = addresses.iter().any(|address| TcpStream::connect_timeout(address, Duration::from_secs(5)).is_ok());
    ensure!(reached, "nobody answers at {endpoint}; is the cluster running?");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let parsed = Options::parse(&["--run-dir", "/tmp/f", "--endpoint", "h:1"]).expect("good");
        assert_eq!(parsed, Options { endpoint: "h:1".to_owned(), run_dir: Some("/tmp/f".into()), records: None });
        assert_eq!(parsed.records(), 2_000_000);
        assert_eq!(Options::parse(&["--endpoint", "h:1"]).expect("good").records(), 200_000);
        assert_eq!(Options::parse(&["--endpoint", "h:1", "--records", "5"]).expect("good").records(), 5);
        for bad in [&[][..], &["--endpoint"], &["--endpoint", "h:1", "--what", "x"], &["--endpoint", "h:1", "--records", "many"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }
}
