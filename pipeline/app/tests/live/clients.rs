//! The clients that producers have send events and meet refusals: `fixtures/clients`, as their makers ship them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::receiver::{CHECKOUT, Receiver, stream};
use crate::site::Site;

/// What becomes of each case: its status, its problem's type, and how many events it brings.
const CASES: [(&str, u16, &str, u64); 13] = [
    ("object", 202, "-", 1),
    ("array", 202, "-", 2),
    ("structured", 202, "-", 1),
    ("batch", 202, "-", 2),
    ("lines", 202, "-", 2),
    ("binary", 202, "-", 1),
    ("gzip", 202, "-", 2),
    ("svix", 202, "-", 1),
    // Refused before their bodies are read, and the answer is read all the same.
    ("large", 413, "urn:rasid:problem:too-large", 0),
    ("unsigned", 401, "urn:rasid:problem:not-signed", 0),
    ("text", 415, "urn:rasid:problem:media-type", 0),
    ("put", 405, "urn:rasid:problem:method", 0),
    ("elsewhere", 404, "about:blank", 0),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/clients")
}

/// Where `cargo xtask test` puts what the clients are made of.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients")
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs one client; how many events it brought.
fn run(receiver: &Receiver, program: &[&str]) -> u64 {
    let (name, arguments) = program.split_first().expect("a program");
    let mut command = Command::new(name);
    command.args(arguments).current_dir(fixtures()).env("RASID_URL", &receiver.url).env("RASID_SECRET", CHECKOUT);
    command.env("PYTHONPATH", installed().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap_or_else(|error| panic!("{name}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{program:?}: {}{}", said, String::from_utf8_lossy(&output.stderr));
    let found: Vec<&str> = said.lines().collect();
    let mut brought = 0;
    for line in &found {
        let name = line.split(' ').next().expect("a name");
        let (_, status, problem, events) = CASES.iter().find(|case| case.0 == name).unwrap_or_else(|| panic!("{program:?}: {line}"));
        let expected = format!("{name} {status} {problem}");
        assert_eq!(*line, expected, "{program:?}: {found:#?}");
        brought += events;
    }
    assert!(brought > 0, "{program:?} has sent nothing");
    brought
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_that_producers_have_are_understood_and_understand() {
    let site = Site::new("").await;
    let receiver = Receiver::start(&site, 1_024).await;
    let mut programs = vec![["python3", "requests_client.py"]];
    if is_there("node") {
        let modules = installed().join("node");
        assert!(modules.join("node_modules").is_dir(), "`cargo xtask test` installs what is missing in {}", modules.display());
        // Node looks for modules where the program lies.
        for file in ["cases.mjs", "fetch.mjs", "axios.mjs", "cloudevents.mjs"] {
            std::fs::copy(fixtures().join(file), modules.join(file)).expect("a writable folder");
        }
    }
    let of_node: Vec<String> =
        ["fetch", "axios", "cloudevents"].iter().map(|name| installed().join(format!("node/{name}.mjs")).display().to_string()).collect();
    if is_there("node") {
        programs.extend(of_node.iter().map(|program| ["node", program.as_str()]));
    }
    if is_there("javac") {
        programs.push(["java", "Client.java"]);
    }
    let mut expected = 0;
    for program in &programs {
        expected += run(&receiver, program);
        let status = site.status().expect("it answers");
        let taken = stream(&status, "http:checkout").get("records_total").and_then(Value::as_u64);
        assert_eq!(taken, Some(expected), "{program:?}");
    }
    site.settle(crate::service::PATIENCE).await;
    let status = site.status().expect("it answers");
    let counter = |name: &str| status.pointer(&format!("/stats/engine/counters/{name}")).and_then(Value::as_u64);
    assert_eq!((counter("events"), counter("dead_letters")), (Some(expected), Some(0)), "what was taken was understood");
}
