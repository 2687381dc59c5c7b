//! docs/producers.md is true: what it says to copy sends events, its answers are those that come, and the defaults hold
//! what it promises.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::receiver::{CHECKOUT, Receiver, client, events, refused, send, stream};
use crate::site::Site;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The programs on the page, by their file names, put into a folder.
fn write_snippets(folder: &Path) {
    let page = std::fs::read_to_string(root().join("docs/producers.md")).expect("the page");
    for (name, language) in [("send.sh", "sh"), ("send.py", "python"), ("send.mjs", "js"), ("Send.java", "java"), ("send.go", "go")] {
        let said = page.split(&format!("`{name}`:\n\n```{language}\n")).nth(1).unwrap_or_else(|| panic!("the page shows no {name}"));
        let program = said.split("\n```").next().expect("it ends");
        std::fs::write(folder.join(name), format!("{program}\n")).expect("a writable folder");
    }
}

fn run(receiver: &Receiver, folder: &Path, program: &[&str], events: &Path) -> Output {
    let (name, arguments) = program.split_first().expect("a program");
    let mut command = Command::new(name);
    command.args(arguments).arg(events).current_dir(folder).env("RASID_URL", &receiver.url).env("RASID_SECRET", CHECKOUT);
    command.output().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn said(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn taken(site: &Site) -> u64 {
    let status = site.status().expect("it answers");
    stream(&status, "http:checkout").get("records_total").and_then(Value::as_u64).expect("a count")
}

/// Whether a program is on this machine.
pub(crate) fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_page_says_to_copy_sends_events_and_the_defaults_let_them_through() {
    let site = Site::new("").await;
    let receiver = Receiver::start(&site, 1_024).await;
    let folder = tempfile::tempdir().expect("a folder");
    write_snippets(folder.path());
    let few = folder.path().join("few.jsonl");
    std::fs::write(&few, events(1, 20)).expect("a writable folder");
    let mut expected = 20;
    let by_hand = run(&receiver, folder.path(), &["sh", "send.sh"], &few);
    assert_eq!(String::from_utf8_lossy(&by_hand.stdout), "202\n", "{}", said(&by_hand));
    assert_eq!(taken(&site), expected);

    // More than a request holds, so that each has to cut it.
    let many = folder.path().join("many.jsonl");
    std::fs::write(&many, events(2, 2_100)).expect("a writable folder");
    let python = &["python3", "send.py"][..];
    // Go would first be compiled for minutes, its library with it.
    let others: [(&str, &[&str]); 2] = [("node", &["node", "send.mjs"]), ("javac", &["java", "Send.java"])];
    let programs = [python].into_iter().chain(others.into_iter().filter(|(name, _)| is_there(name)).map(|(_, program)| program));
    for program in programs {
        let sent = run(&receiver, folder.path(), program, &many);
        assert!(sent.status.success(), "{program:?}: {}", said(&sent));
        expected += 2_100;
        assert_eq!(taken(&site), expected, "{program:?}");
    }

    // What the README makes, as fast as a simple client is: the fixture and a simulated day.
    let day = folder.path().join("day.jsonl");
    let made = site.rasid(&["simulate", "--seed", "1", "--hours", "24", "--events"]).arg(&day).output().expect("it starts");
    assert!(made.status.success(), "{}", said(&made));
    for file in [root().join("fixtures/sample.jsonl"), day] {
        let lines = std::fs::read_to_string(&file).expect("events").lines().count() as u64;
        let began = tokio::time::Instant::now();
        let sent = run(&receiver, folder.path(), python, &file);
        assert!(sent.status.success(), "{}", said(&sent));
        eprintln!("{}: {lines} events in {:?}", file.display(), began.elapsed());
        expected += lines;
        assert_eq!(taken(&site), expected, "{}", file.display());
    }
    let status = site.status().expect("it answers");
    let reasons = stream(&status, "http:checkout").get("refused").and_then(Value::as_object).expect("reasons");
    assert!(reasons.values().all(|count| count == 0), "the defaults refused something: {reasons:?}");
}

/// One id, two bodies: across a kill as well, because the log is what remembers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_stands_for_its_body_after_a_kill_too() {
    let site = Site::new("").await;
    let mut receiver = Receiver::start(&site, 1_024).await;
    let sender = client();
    let (first, other) = (events(1, 3), events(2, 3));
    assert_eq!(send(&sender, &receiver.url, "same", &first).await.0, 202);
    assert_eq!(send(&sender, &receiver.url, "same", &other).await.0, 409);
    receiver.service.kill().await;
    let receiver = Receiver::start(&site, 1_024).await;
    assert_eq!(send(&sender, &receiver.url, "same", &first).await.0, 202, "as the first was answered");
    let (status, problem) = send(&sender, &receiver.url, "same", &other).await;
    assert_eq!(status, 409);
    assert!(problem.contains("urn:rasid:problem:webhook-id-reused"), "{problem}");
    let figures = site.status().expect("it answers");
    assert_eq!(refused(&figures, "http:checkout", "id_reused"), 1);
    let metrics = receiver.get("/metrics").await.1;
    let line = "rasid_source_refused_total{stream=\"http:checkout\",reason=\"id_reused\"} 1";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    receiver.service.heard("a request was refused", std::time::Duration::from_secs(10)).await;
    assert_eq!(figures.pointer("/stats/log/events_total").and_then(Value::as_u64), Some(0), "nothing since the start");
}
