//! Who cannot sign: tokens made, listed and revoked by `rasid token` while the service runs, what docs/producers says to copy, and a
//! server with TLS.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rasid_testbed::{Authority, LOOPBACK};
use serde_json::Value;

use crate::producers_page::root;
use crate::receiver::{Receiver, events, refused, stream};
use crate::service::Service;
use crate::site::Site;

/// A producer without a secret, in the configuration's last section.
const VECTOR: &str = "[sources.http.producers.vector]\n";

fn said(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What a command of the site prints, where it ends well.
fn printed(site: &Site, arguments: &[&str]) -> String {
    let output = site.rasid(arguments).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// The snippet of that name on a page.
fn snippet(page: &str, name: &str, language: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs").join(page)).expect("the page");
    let found = page.split(&format!("`{name}`:\n\n```{language}\n")).nth(1).unwrap_or_else(|| panic!("the page shows no {name}"));
    found.split("\n```").next().expect("it ends").to_owned() + "\n"
}

/// Sends a file with curl as the page has it; the status of the answer.
fn ship(folder: &Path, url: &str, token: &str, more: &[(&str, &str)]) -> String {
    std::fs::write(folder.join("ship.sh"), snippet("producers/tokens.md", "ship.sh", "sh")).expect("a writable folder");
    let mut command = Command::new("sh");
    command.args(["ship.sh", "few.jsonl"]).current_dir(folder).env("RASID_URL", url).env("RASID_TOKEN", token).env("NO_PROXY", "*");
    let output = command.envs(more.iter().copied()).output().expect("it starts");
    assert!(output.stderr.is_empty(), "{}", said(&output));
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipper_sends_with_a_token_until_it_is_revoked() {
    let site = Site::new(VECTOR).await;
    let mut receiver = Receiver::start(&site, 1_024).await;
    receiver.service.heard("a producer has neither a secret nor a token: nothing that it sends is taken", Duration::from_secs(30)).await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("few.jsonl"), events(1, 20)).expect("a writable folder");

    let token = printed(&site, &["token", "create", "--producer", "vector", "--expires", "90d", "--reason", "the test's shipper"]);
    assert!(token.starts_with("rsd_") && token.len() == 68, "the token alone, for a file");
    assert_eq!(ship(folder.path(), &receiver.url, &token, &[]), "202");
    let status = site.status().expect("it answers");
    assert_eq!(stream(&status, "http:vector").get("records_total").and_then(Value::as_u64), Some(20));

    let second: Value =
        serde_json::from_str(&printed(&site, &["token", "create", "--producer", "vector", "--output", "json"])).expect("JSON");
    let listed: Value = serde_json::from_str(&printed(&site, &["token", "list", "--output", "json"])).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    let first = listed[0]["id"].as_str().expect("a name");
    assert!(printed(&site, &["token", "revoke", first]).contains(first));
    assert_eq!(ship(folder.path(), &receiver.url, &token, &[]), "401");
    std::fs::write(folder.path().join("few.jsonl"), events(2, 20)).expect("a writable folder");
    assert_eq!(ship(folder.path(), &receiver.url, second["token"].as_str().expect("shown once"), &[]), "202");
    let status = site.status().expect("it answers");
    assert_eq!(stream(&status, "http:vector").get("records_total").and_then(Value::as_u64), Some(40));
    assert_eq!(refused(&status, "http:unknown", "token"), 1);

    let nobody = site.rasid(&["token", "create", "--producer", "nosuch"]).output().expect("it starts");
    assert!(nobody.status.code() == Some(2) && said(&nobody).contains("no producer is called nosuch"), "{}", said(&nobody));
    let gone = site.rasid(&["token", "revoke", first]).output().expect("it starts");
    assert_eq!(gone.status.code(), Some(1), "{}", said(&gone));

    // What was done stands in the audit; the tokens stand nowhere.
    let data = site.path("data");
    let audit = std::fs::read_to_string(data.join("audit.jsonl")).expect("an audit");
    let actions: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |action: &str| actions.iter().filter(|line| line["action"] == action).count();
    assert_eq!((of("token create"), of("token revoke")), (2, 1), "{audit}");
    assert!(audit.contains("the test's shipper") && audit.contains(first));
    let file = data.join("tokens.json");
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let secret = token.strip_prefix("rsd_").expect("it begins so");
    for text in [&audit, &std::fs::read_to_string(&file).expect("ours")] {
        assert!(!text.contains(secret) && !text.contains(second["token"].as_str().expect("text")), "{text}");
    }

    // One that cannot be read is told, and what was read before goes on.
    std::fs::write(&file, "{").expect("ours");
    std::fs::write(folder.path().join("few.jsonl"), events(3, 20)).expect("a writable folder");
    assert_eq!(ship(folder.path(), &receiver.url, second["token"].as_str().expect("text"), &[]), "202");
    receiver.service.heard("the file of tokens is unusable; those that were read before stay in force", Duration::from_secs(30)).await;
    let metrics = receiver.get("/metrics").await.1;
    assert!(metrics.lines().any(|line| line == "rasid_tokens_unusable 1.0"), "{metrics}");
    assert!(receiver.service.drain().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_tls_takes_tokens_and_shows_a_renewed_certificate() {
    let site = Site::new(VECTOR).await;
    let (authority, renewed) = (Authority::new(), Authority::new());
    let put = |authority: &Authority| {
        let issued = authority.issue("rasid", LOOPBACK, 2);
        for (from, to) in [(&issued.certificate, "cert.pem"), (&issued.key, "key.pem")] {
            let beside = site.path("beside");
            std::fs::copy(from, &beside).expect("copied");
            std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).expect("ours");
            std::fs::rename(&beside, site.path(to)).expect("one folder");
        }
    };
    put(&authority);
    let files = [("CERT", "cert.pem"), ("KEY", "key.pem")].map(|(name, file)| (format!("RASID_SERVER__TLS__{name}_FILE"), site.path(file)));
    let mut service = Service::start(site.rasid(&["run"]).envs(files), None);
    service.heard("up", Duration::from_mins(1)).await;
    let url = format!("https://127.0.0.1:{}", site.port());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("few.jsonl"), events(1, 20)).expect("a writable folder");
    let token = printed(&site, &["token", "create", "--producer", "vector"]);
    let by = |authority: &Authority| authority.certificate().display().to_string();
    assert_eq!(ship(folder.path(), &url, &token, &[("CURL_CA_BUNDLE", &by(&authority))]), "202");
    put(&renewed);
    std::fs::write(folder.path().join("few.jsonl"), events(2, 20)).expect("a writable folder");
    assert_eq!(ship(folder.path(), &url, &token, &[("CURL_CA_BUNDLE", &by(&renewed))]), "202");
    let status = site.status().expect("it answers, over its socket");
    assert_eq!(stream(&status, "http:vector").get("records_total").and_then(Value::as_u64), Some(40));
    assert!(service.drain().await.success());
}
