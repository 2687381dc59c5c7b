//! The commands that go through the past, as their page shows them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

const CODES: &str = "rule: auth.codes\ntitle: t\non: auth.otp_requested\nentity: phone\nparams: {most: 2}\nlet: {n: {count: auth.otp_requested, by: phone, window: 10m}}\nwhen: n > params.most\nexplain: '{n}'\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What a shell line gives on stdout, in a folder where `rasid` is this build.
fn shell(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let binary = Path::new(env!("CARGO_BIN_EXE_rasid")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("RASID_KEY")
        .env_remove("RASID_KEY_FILE")
        .env_remove("RASID_CONFIG")
        .env_remove("RASID_LOG")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Every command of the tutorial is run, in its order, and gives what stands below it. `RASID_BLESS=1` writes that anew.
#[test]
fn the_page_is_true() {
    let place = root().join("docs/backtesting.md");
    let page = std::fs::read_to_string(&place).unwrap();
    let (before, rest) = page.split_once("## From a burst").unwrap();
    let (tutorial, after) = rest.split_once("## Labels").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rule = tutorial.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for (name, text) in [("tight", rule.to_owned()), ("better", rule.replace("sends_max: 2", "sends_max: 5"))] {
        std::fs::create_dir_all(folder.path().join(name).join("auth")).unwrap();
        std::fs::write(folder.path().join(name).join("auth/codes.yaml"), text).unwrap();
    }
    let mut written = String::new();
    let mut parts = tutorial.split("```text\n$ ");
    written.push_str(parts.next().unwrap());
    let mut commands = 0;
    for part in parts {
        let (block, text) = part.split_once("```").unwrap();
        let (line, _) = block.split_once('\n').unwrap();
        let (status, said, complained) = shell(folder.path(), line);
        let refused = said.contains("REFUSED");
        let expected = i32::from(line.starts_with("rasid diff") || refused);
        assert_eq!(status, Some(expected), "{line}\n{said}\n{complained}");
        written.extend(["```text\n$ ", line, "\n", said.as_str(), "```", text]);
        commands += 1;
    }
    assert!(commands >= 6, "the page has its commands");
    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("<svg") && html.contains("auth.codes") && !html.contains("<script") && !html.contains("+20"));
    let now = format!("{before}## From a burst{written}## Labels{after}");
    if std::env::var_os("RASID_BLESS").is_some() {
        std::fs::write(&place, &now).unwrap();
        return;
    }
    assert!(now == page, "docs/backtesting.md does not say what the commands say; RASID_BLESS=1 writes it anew:\n{written}");
}

/// A pipe gives what it holds once, so nobody looks into it before.
#[test]
fn a_pipe_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("rules/auth")).unwrap();
    std::fs::write(folder.path().join("rules/auth/codes.yaml"), CODES).unwrap();
    let event = |number: u32| {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{number}\",\"source\":\"/t\",\"type\":\"auth.otp_requested\",\"time\":\"2026-11-01T10:00:0{number}Z\",\"data\":{{\"phone\":\"+201000000001\",\"ip\":\"192.0.2.1\",\"purpose\":\"login\"}}}}\n"
        )
    };
    std::fs::write(folder.path().join("events.jsonl"), (0..5).map(event).collect::<String>()).unwrap();
    let (status, said, complained) = shell(folder.path(), "mkfifo pipe && { cat events.jsonl > pipe & timeout 20 rasid backtest pipe; }");
    assert_eq!(status, Some(0), "{complained}");
    assert!(said.contains(" 5 events, by ") && said.contains("1 alerts, "), "{said}");
}

/// Faults of what is asked are named, and end with 2.
#[test]
fn what_cannot_be_answered_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("rules/auth")).unwrap();
    std::fs::write(folder.path().join("rules/auth/codes.yaml"), CODES).unwrap();
    std::fs::write(folder.path().join("events.jsonl"), "").unwrap();
    std::fs::write(folder.path().join("labels.jsonl"), "{\"label\":\"harm\",\"entity\":\"+201000000001\"}\n").unwrap();
    for (line, status, part) in [
        ("rasid backtest events.jsonl", 0, ""),
        ("rasid diff rules rules events.jsonl", 0, ""),
        ("rasid backtest nowhere.jsonl", 3, "nowhere.jsonl"),
        ("rasid backtest events.jsonl --labels labels.jsonl", 2, "labels.jsonl: line 1: an entity is not of the form kind:id"),
        ("rasid backtest events.jsonl --sweep auth.codes.least=1..3:1", 2, "has no parameter `least`: it has most"),
        ("rasid backtest events.jsonl --sweep auth.codes.most=1..3", 2, "auth.otp_flood.sends_max=5..12:1"),
        ("rasid backtest events.jsonl --fail-if 'new.all > 0'", 2, "add --baseline"),
        ("rasid backtest events.jsonl --fail-if 'alerts.all >= 0'", 2, "is no number"),
        ("rasid backtest events.jsonl --since 2026-01-02T00:00:00Z --until 2026-01-01T00:00:00Z", 2, "--until is not after --since"),
        ("rasid diff elsewhere rules events.jsonl", 2, "elsewhere"),
        ("GIT_CEILING_DIRECTORIES=/ rasid diff git:HEAD rules events.jsonl", 2, "git rev-parse"),
    ] {
        let (found, _, said) = shell(folder.path(), line);
        assert_eq!(found, Some(status), "{line}: {said}");
        assert!(said.contains(part) && !said.contains("1000000001"), "{line}: {said}");
    }
}
