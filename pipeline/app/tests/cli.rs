//! The command line as a person meets it: exit statuses, messages, and what is never destroyed.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rasid(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rasid")).args(arguments).current_dir(folder).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const RULE: &str = "rule: probe.chat\ntitle: Any message\non: chat.message\nentity: user(sender_id)\nwhen: size(data.text) > 0\nsuppress: 0s\nexplain: \"a message\"\n";
const MESSAGE: &str = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\",\"type\":\"chat.message\",\"time\":\"2026-11-01T10:00:00Z\",\"data\":{\"conversation_id\":\"c\",\"sender_id\":\"a\",\"recipient_id\":\"b\",\"text\":\"hi\"}}\n";

/// A folder with one rule and one event.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("rules/probe")).expect("a folder");
    std::fs::write(folder.path().join("rules/probe/chat.yaml"), RULE).expect("a file");
    std::fs::write(folder.path().join("events.jsonl"), MESSAGE).expect("a file");
    folder
}

#[test]
fn a_faulty_rule_is_shown_underlined_and_ends_with_2() {
    let folder = folder();
    std::fs::write(folder.path().join("rules/probe/chat.yaml"), RULE.replace("data.text", "data.txt")).expect("a file");
    let output = rasid(folder.path(), &["detect", "events.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
    for part in ["rules/probe/chat.yaml:5:12", "size(data.txt)", "^^^^^^^^", "did you mean `text`?"] {
        assert!(said(&output).contains(part), "{part} in\n{}", said(&output));
    }
    assert!(!said(&output).contains('\u{1b}'), "no colour into a pipe");
}

#[test]
fn what_is_missing_is_named_and_ends_with_2_or_3() {
    let folder = folder();
    for (arguments, status, part) in [
        (&["detect", "nosuch.jsonl"][..], 3, "cannot open nosuch.jsonl"),
        (&["detect", "events.jsonl", "nosuch.jsonl"][..], 3, "cannot open nosuch.jsonl"),
        (&["detect", "events.jsonl", "--rules", "nosuch"][..], 2, "nosuch"),
        (&["detect", "--memory", "1MiB"][..], 2, "expected 16MiB to 1024GiB"),
        (&["detect", "--memory", "4GB"][..], 2, "expected KiB, MiB, GiB"),
        (&["run", "--memory", "1.5GiB"][..], 2, "expected a number of bytes"),
        (&["detect", "--now", "yesterday"][..], 2, "expected RFC 3339 with a zone"),
        (&["detect", "events.jsonl", "--alerts", "no/such/folder"][..], 3, "cannot create no/such/folder"),
    ] {
        let output = rasid(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(part), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "nothing was begun");
    }
}

#[test]
fn no_output_overwrites_an_input_or_another_output() {
    let folder = folder();
    for (arguments, part) in [
        (&["detect", "events.jsonl", "--alerts", "./events.jsonl"][..], "--alerts ./events.jsonl would overwrite input events.jsonl"),
        (&["detect", "events.jsonl", "--alerts", "x", "--scores", "x"][..], ""),
    ] {
        std::fs::write(folder.path().join("x"), "").expect("a file");
        let output = rasid(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(part), "{}", said(&output));
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("events.jsonl")).expect("still there"), MESSAGE);
}

/// Time ends with the last event: who waits for what no event came after is told how much was left open.
#[test]
fn waits_that_are_open_at_the_end_are_told() {
    const UNUSED: &str = "rule: probe.chat\ntitle: A code that nobody used\non: auth.otp_requested\nentity: phone\nlet:\n  unused: {absence: \
        auth.otp_verified, after: auth.otp_requested, by: phone, window: 1h}\nwhen: unused.fired\nexplain: unused\n";
    let folder = folder();
    std::fs::write(folder.path().join("rules/probe/chat.yaml"), UNUSED).expect("a file");
    let event = |minute: u32, what: &str| {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{minute}\",\"source\":\"/t\",\"type\":\"auth.otp_{what}\",\"time\":\"2026-11-01T10:{minute:02}:00Z\",\
            \"data\":{{\"phone\":\"+201000000001\",\"ip\":\"192.0.2.1\",\"purpose\":\"login\"}}}}\n"
        )
    };
    for (events, open, told) in [
        (vec![event(0, "requested")], 1, Some("1 wait was still open at the end of the input: no alert is opened after the last event")),
        (vec![event(0, "requested"), event(1, "requested")], 2, Some("2 waits were still open at the end of the input")),
        (vec![event(0, "requested"), event(2, "verified")], 0, None),
    ] {
        std::fs::write(folder.path().join("events.jsonl"), events.concat()).expect("a file");
        let summary = said(&rasid(folder.path(), &["detect", "events.jsonl", "--output", "json"]));
        // What was to be noted stands before it.
        let last = summary.trim().lines().last().unwrap_or_default();
        let summary: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {summary}"));
        assert_eq!(summary["waits_open"], open, "{summary}");
        let shown = said(&rasid(folder.path(), &["detect", "events.jsonl"]));
        let last = shown.trim_end().lines().last().unwrap_or_default();
        assert_eq!(shown.contains("still open"), told.is_some(), "{shown}");
        assert!(told.is_none_or(|told| last.starts_with(told)), "{shown}");
    }
}

#[test]
fn stdin_to_stdout_and_a_reader_that_leaves() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rasid"))
        .arg("detect")
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(MESSAGE.as_bytes()).expect("it reads");
    // The alert comes while the input is still open.
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("it writes");
    assert!(line.contains("\"rule\":\"probe.chat\""), "{line}");
    drop(stdout);
    for n in 2..5_000 {
        if stdin.write_all(MESSAGE.replace("\"id\":\"1\"", &format!("\"id\":\"{n}\"")).as_bytes()).is_err() {
            break;
        }
    }
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "quietly, as before `head`");
}

#[test]
fn a_short_key_is_refused_and_the_development_key_named() {
    let folder = folder();
    let run = |key: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rasid"));
        command.args(["detect", "events.jsonl"]).current_dir(folder.path()).env_remove("RASID_KEY");
        if let Some(key) = key {
            command.env("RASID_KEY", key);
        }
        command.output().expect("it runs")
    };
    assert_eq!(run(Some("short")).status.code(), Some(2));
    assert!(said(&run(None)).contains("development key"));
    assert!(!said(&run(Some("a secret that is long enough"))).contains("development key"));
}

#[test]
fn every_command_has_help_with_an_example() {
    for arguments in
        [&["--help"][..], &["detect", "--help"][..], &["schema", "--help"][..], &["check", "--help"][..], &["completions", "--help"][..]]
    {
        let output = rasid(&root(), arguments);
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("Example"), "{arguments:?}");
    }
}

#[test]
fn the_shipped_rules_pass_their_own_tests() {
    let output = rasid(&root(), &["check", "rules", "--output", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((output.status.code(), &found["faults"]), (Some(0), &serde_json::json!([])), "{found}");
    // An entry of a list that ends does so on some day.
    assert!(found["warnings"].as_array().expect("a list").iter().all(|warning| warning["code"] == "W0003"), "{found}");
    let rules = std::fs::read_dir(root().join("rules")).expect("the rules").count();
    assert!(found["tests"].as_u64() >= Some(3) && rules > 3, "{found}");
}

/// The first page an analyst reads is run as it stands, and broken as it says.
#[test]
fn the_first_rule_of_the_docs_is_true() {
    let page = std::fs::read_to_string(root().join("docs/first-rule.md")).expect("the page");
    let rule = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the rule");
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("myrules/booking");
    std::fs::create_dir_all(&place).expect("a folder");
    let check = |text: &str| {
        std::fs::write(place.join("cancel_spree.yaml"), text).expect("a file");
        rasid(folder.path(), &["check", "myrules"])
    };
    let good = check(rule);
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    assert!(String::from_utf8_lossy(&good.stdout).starts_with("1 rule, 2 tests passed"));
    assert_eq!(said(&good), "", "nothing is odd about it");
    for (from, to, status) in [("when: cancels", "when: cancel", 2), ("cancels_max: 3", "cancels_max: 4", 1)] {
        let bad = check(&rule.replace(from, to));
        assert_eq!(bad.status.code(), Some(status));
        let text = said(&bad);
        let shown = text.split("\n\n").next().expect("the first fault");
        for line in shown.lines() {
            assert!(page.contains(line.trim()), "the page does not say: {line}");
        }
    }
}

/// Every rule of the cookbook is run as it stands, with a test that opens an alert, one just below and one of somebody honest.
#[test]
fn the_cookbook_is_true() {
    let page = std::fs::read_to_string(root().join("docs/rules.md")).expect("the page");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let rules: Vec<&str> = blocks.filter(|block| block.starts_with("rule: ")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let (_, cookbook) = page.split_once("## Cookbook").expect("a cookbook");
    let lists = cookbook.split("```yaml\nlist: ").skip(1).filter_map(|rest| rest.split("```").next());
    std::fs::create_dir_all(folder.path().join("rules/lists")).expect("a folder");
    for text in lists {
        let name = text.lines().next().expect("its name");
        std::fs::write(folder.path().join("rules/lists").join(name).with_extension("yaml"), format!("list: {text}")).expect("a file");
    }
    for text in &rules {
        let (area, name) = text.lines().next().and_then(|line| line.strip_prefix("rule: ")?.split_once('.')).expect("area.name");
        std::fs::create_dir_all(folder.path().join("rules").join(area)).expect("a folder");
        std::fs::write(folder.path().join("rules").join(area).join(format!("{name}.yaml")), text).expect("a file");
        let (tests, quiet) = (text.matches("\n  - name: ").count(), text.matches("alerts: []").count());
        assert!(tests >= 3 && quiet >= 2 && quiet < tests, "{area}.{name} has {tests} tests, {quiet} of them without an alert");
    }
    let checked = rasid(folder.path(), &["check", "rules", "--output", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("one JSON object");
    assert_eq!((checked.status.code(), &found["faults"]), (Some(0), &serde_json::json!([])), "{found}");
    assert!(rules.len() >= 8 && found["rules"] == rules.len(), "{found}");
}

/// R1: a rule whose tests fail is never active.
#[test]
fn a_rule_whose_tests_fail_does_not_run() {
    let folder = folder();
    let tests = "tests:\n  - name: never\n    events: [{at: 0s, type: chat.message, data: {conversation_id: c, sender_id: a, recipient_id: b, text: hi}}]\n    alerts: []\n";
    std::fs::write(folder.path().join("rules/probe/chat.yaml"), format!("{RULE}{tests}")).expect("a file");
    assert_eq!(rasid(folder.path(), &["check"]).status.code(), Some(1));
    let output = rasid(folder.path(), &["detect", "events.jsonl"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{}", said(&output));
}

const TRIED: &str = r#"rule: probe.tried
title: Many messages
on: chat.message
entity: user(sender_id)
params: {messages_max: 10}
let:
  messages: {count: chat.message, by: user(sender_id), window: 1h}
when: messages > params.messages_max && size(data.text) > 0
explain: "{messages} messages"
tests:
  - name: the eleventh
    events: [{at: 0s, every: 1s, times: 11, type: chat.message, data: {conversation_id: c, sender_id: a, recipient_id: b, text: hi}}]
    alerts: [{at: 10s, entity: user}]
"#;

#[test]
fn what_no_test_of_a_rule_notices_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("rules/probe");
    std::fs::create_dir_all(&place).expect("a folder");
    let check = |text: &str, arguments: &[&str]| {
        std::fs::write(place.join("tried.yaml"), text).expect("a file");
        rasid(folder.path(), &[&["check", "rules", "--mutate"][..], arguments].concat())
    };
    // One test, which says all of how many there are and nothing of how long they are.
    let found = check(TRIED, &["--output", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&found.stdout).expect("one JSON object");
    let places: Vec<(u64, u64, &str)> = json["faults"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|fault| (fault["line"].as_u64().unwrap_or(0), fault["column"].as_u64().unwrap_or(0), fault["code"].as_str().unwrap_or("")))
        .collect();
    assert_eq!((found.status.code(), &json["mutants"]), (Some(1), &serde_json::json!(7)), "{json}");
    assert_eq!(places, [(8, 57, "R0047"), (8, 59, "R0047"), (8, 59, "R0047")], "{json}");
    let shown = check(TRIED, &[]);
    assert!(said(&shown).contains("may as well be"), "{}", said(&shown));
    let github = check(TRIED, &["--output", "github"]);
    let lines = String::from_utf8_lossy(&github.stdout);
    let errors = lines.lines().filter(|line| line.starts_with("::error file=rules/probe/tried.yaml,line=")).count();
    let warnings = lines.lines().filter(|line| line.starts_with("::warning file=rules/probe/tried.yaml,line=1,")).count();
    assert!(errors == places.len() && warnings == 2 && lines.lines().count() == errors + warnings, "{lines}");

    let whole = TRIED.replace("tests:\n", "tests:\n  - name: short ones\n    events: [{at: 0s, every: 1s, times: 11, type: chat.message, data: {conversation_id: c, sender_id: a, recipient_id: b, text: h}}]\n    alerts: [{at: 10s, entity: user}]\n  - name: empty ones\n    events: [{at: 0s, every: 1s, times: 20, type: chat.message, data: {conversation_id: c, sender_id: a, recipient_id: b, text: ''}}]\n    alerts: []\n");
    let good = check(&whole, &[]);
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    assert!(String::from_utf8_lossy(&good.stdout).contains("a test notices each of 7 changes"));
}

/// A rule without runbook and tests, and a list with an entry that has ended.
#[test]
fn warnings_are_told_and_end_with_0() {
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("rules/lists")).expect("a folder");
    let list =
        "list: words\nentries: [{value: hi, reason: greeting, expires: 2026-01-01}, {value: yo, reason: the same, expires: 2226-01-01}]\n";
    std::fs::write(folder.path().join("rules/lists/words.yaml"), list).expect("a file");
    let text = rasid(folder.path(), &["check"]);
    assert_eq!(text.status.code(), Some(0));
    for part in [
        "warning[W0003]: an entry that ended at 2026-01-01T00:00:00",
        "--> rules/lists/words.yaml:2:",
        "warning[W0004]",
        "warning[W0005]",
        "3 warnings in 2 rule files",
    ] {
        assert!(said(&text).contains(part), "{part} in\n{}", said(&text));
    }
    assert!(String::from_utf8_lossy(&text.stdout).starts_with("1 rule, 0 tests passed"), "{}", said(&text));
    let json = rasid(folder.path(), &["check", "--output", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON object");
    let codes: Vec<&str> = found["warnings"].as_array().expect("a list").iter().filter_map(|found| found["code"].as_str()).collect();
    assert_eq!(
        (json.status.code(), codes.as_slice(), &found["faults"]),
        (Some(0), &["W0003", "W0004", "W0005"][..], &serde_json::json!([]))
    );
    let github = rasid(folder.path(), &["check", "--output", "github"]);
    let lines = String::from_utf8_lossy(&github.stdout).into_owned();
    assert!(
        github.status.success() && lines.lines().count() == 3 && lines.lines().all(|line| line.starts_with("::warning file=rules/")),
        "{lines}"
    );
    // They hinder nobody who runs the rules.
    let run = rasid(folder.path(), &["detect", "events.jsonl"]);
    assert!(run.status.success() && !said(&run).contains("W000"), "{}", said(&run));
}

/// What no test makes true or false is told at its place, warns, and is summed up by rule.
#[test]
fn what_no_test_covers_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("rules/probe");
    std::fs::create_dir_all(&place).expect("a folder");
    std::fs::write(place.join("tried.yaml"), TRIED).expect("a file");
    let text = rasid(folder.path(), &["check", "--coverage"]);
    assert_eq!(text.status.code(), Some(0), "{}", said(&text));
    for part in
        ["warning[W0008]: no test makes this false", "--> rules/probe/tried.yaml:8:41", "size(data.text) > 0", "^^^^^^^^^^^^^^^^^^^"]
    {
        assert!(said(&text).contains(part), "{part} in\n{}", said(&text));
    }
    assert!(String::from_utf8_lossy(&text.stdout).contains("probe.tried: 1 of 2 terms made true and made false by 1 test\n"));
    let json = rasid(folder.path(), &["check", "--coverage", "--output", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON object");
    assert_eq!(found["coverage"], serde_json::json!([{ "rule": "probe.tried", "tests": 1, "terms": 2, "covered": 1 }]));
    assert!(found["warnings"].as_array().expect("a list").iter().any(|found| found["code"] == "W0008" && found["line"] == 8), "{found}");
    assert!(!said(&rasid(folder.path(), &["check"])).contains("W0008"), "only where it is asked for");
}

#[test]
fn what_rules_take_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("rules/probe");
    std::fs::create_dir_all(&place).expect("a folder");
    std::fs::write(place.join("tried.yaml"), TRIED).expect("a file");
    std::fs::write(place.join("again.yaml"), TRIED.replace("probe.tried", "probe.again")).expect("a file");
    let text = rasid(folder.path(), &["check", "--cost"]);
    let out = String::from_utf8_lossy(&text.stdout).into_owned();
    assert_eq!(text.status.code(), Some(0), "{}", said(&text));
    for part in [
        "probe.tried: ",
        "  messages  count over 1h by user: ",
        ", shared with probe.again",
        "  an event: about chat.message ",
        "  by user: ",
        "; one million would be ",
        "an event, reading it included: about chat.message ",
        "estimate",
    ] {
        assert!(out.contains(part), "{part} in\n{out}");
    }
    let json = rasid(folder.path(), &["check", "--cost", "--output", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON object");
    let cost = &found["costs"][0];
    assert_eq!((cost["bindings"].as_array().map(Vec::len), cost["rules"].as_array().map(Vec::len)), (Some(1), Some(2)), "{found}");
    assert_eq!(cost["bytes_first"], cost["rules"][0]["bytes_first"], "what is shared is counted once: {found}");
}

/// Checked again after each change, until it is interrupted.
#[test]
fn a_folder_is_watched() {
    use std::io::BufRead as _;
    let folder = folder();
    let rule = folder.path().join("rules/probe/chat.yaml");
    let mut watched = Command::new(env!("CARGO_BIN_EXE_rasid"));
    watched.args(["check", "--watch"]).current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watched = watched.spawn().expect("it runs");
    // Each stream by itself: nothing orders the two.
    let lines_of = |stream: Box<dyn std::io::Read + Send>| {
        let (told, lines) = std::sync::mpsc::sync_channel(1_000);
        std::thread::spawn(move || std::io::BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        lines
    };
    let out = lines_of(Box::new(watched.stdout.take().expect("piped")));
    let err = lines_of(Box::new(watched.stderr.take().expect("piped")));
    let wait_for = |lines: &std::sync::mpsc::Receiver<String>, part: &str| {
        let next = || lines.recv_timeout(std::time::Duration::from_mins(1)).unwrap_or_else(|error| panic!("{part}: {error}"));
        while !next().contains(part) {}
    };
    wait_for(&out, "1 rule, 0 tests passed");
    wait_for(&err, "checked again when a file changes");
    std::fs::write(&rule, RULE.replace("data.text", "data.txt")).expect("a file");
    wait_for(&err, "did you mean `text`?");
    wait_for(&err, "checked again when a file changes");
    std::fs::write(&rule, RULE).expect("a file");
    wait_for(&out, "1 rule, 0 tests passed");
    std::fs::write(folder.path().join("rules/probe/more.yaml"), RULE.replace("probe.chat", "probe.more")).expect("a file");
    wait_for(&out, "2 rules, 0 tests passed");
    std::fs::remove_file(&rule).expect("removed");
    wait_for(&out, "1 rule, 0 tests passed");
    // The plain file of a list's entries is one of them.
    std::fs::create_dir(folder.path().join("rules/lists")).expect("a folder");
    std::fs::write(folder.path().join("rules/lists/words.txt"), "\"hi").expect("a file");
    let list = "list: words\nentries_from: words.txt\nreason: greetings\n";
    std::fs::write(folder.path().join("rules/lists/words.yaml"), list).expect("a file");
    wait_for(&err, "a quote that is not closed");
    wait_for(&err, "checked again when a file changes");
    std::fs::write(folder.path().join("rules/lists/words.txt"), "hi\n").expect("a file");
    wait_for(&out, "1 rule, 0 tests passed");
    assert!(Command::new("kill").args(["-INT", &watched.id().to_string()]).status().expect("kill is there").success());
    let status = watched.wait().expect("it ends");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2));
}

#[test]
fn single_files_are_checked_with_what_their_folder_shares() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("rules/lists")).expect("a folder");
    std::fs::write(at("rules/lists/words.yaml"), "list: words\nentries: [{value: hi, reason: greeting}]\n").expect("a file");
    let listed = RULE.replace("probe.chat", "probe.listed").replace("size(data.text) > 0", "data.text in list.words");
    std::fs::write(at("rules/probe/listed.yaml"), &listed).expect("a file");
    std::fs::write(at("rules/probe/broken.yaml"), "rule: [\n").expect("a file");
    for arguments in [
        &["check", "rules/probe/listed.yaml"][..],
        &["check", "./rules/probe/listed.yaml"],
        &["check", "rules/lists/words.yaml", "rules/probe/chat.yaml", "rules/probe/listed.yaml"],
    ] {
        let output = rasid(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    }
    let output = rasid(&at("rules/probe"), &["check", "listed.yaml", "chat.yaml"]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("2 rules, 0 tests passed"), "{}", said(&output));
    for (arguments, status, part) in [
        (&["check", "rules"][..], 2, "rules/probe/broken.yaml:"),
        (&["check", "rules/probe/broken.yaml", "rules/probe/listed.yaml"], 2, "rules/probe/broken.yaml:"),
        (&["check", "rules/probe/none.yaml"], 2, "R0042"),
        (&["check", "events.jsonl"], 2, "events.jsonl is no rule file"),
        (&["check", "nosuch"], 2, "nosuch"),
    ] {
        let output = rasid(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(part), "{arguments:?}: {}", said(&output));
    }
    // Faults of several folders are told in one pass, and a file of a folder that is checked whole is checked once.
    std::fs::create_dir_all(at("more/probe")).expect("a folder");
    std::fs::write(at("more/probe/chat.yaml"), RULE.replace("data.text", "data.txt")).expect("a file");
    let output = rasid(folder.path(), &["check", "rules", "rules/probe/broken.yaml", "more", "--output", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let files: Vec<&str> = found["faults"].as_array().expect("a list").iter().filter_map(|fault| fault["file"].as_str()).collect();
    assert_eq!(files, ["rules/probe/broken.yaml", "more/probe/chat.yaml"]);
}

#[test]
fn a_pipe_and_an_endless_file_keep_no_command_waiting() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(at("rules/probe/pipe.yaml")).status().expect("mkfifo is there").success());
    std::os::unix::fs::symlink("/dev/zero", at("rules/probe/zero.yaml")).expect("a link");
    std::os::unix::fs::symlink(".", at("rules/here")).expect("a link");
    std::os::unix::fs::symlink(".", at("rules/again")).expect("a link");
    for arguments in [&["check", "rules"][..], &["detect", "events.jsonl", "--rules", "rules"], &["check", "rules/probe/pipe.yaml"]] {
        let output = rasid(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("error[R0043]: a named pipe, expected a file"), "{}", said(&output));
    }
}

#[test]
fn what_is_printed_moves_no_cursor() {
    let folder = folder();
    let id = "\u{202E}u\u{9b}2J";
    std::fs::write(folder.path().join("events.jsonl"), MESSAGE.replace("\"a\"", &format!("\"{id}\\u001b[31m\""))).expect("a file");
    let hostile = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes).chars().filter(|c| *c != '\n' && rasid_detectors::shown::is_unseen(*c)).collect::<String>()
    };
    let strange = folder.path().join("no\u{1b}[2J\u{202E}such.jsonl");
    for arguments in [
        vec!["detect", strange.to_str().expect("text")],
        vec!["check", "no\u{1b}[31m\nsuch"],
        vec!["pseudonym", "user", id],
        vec!["config", "show", "--set", "instance=\u{202E}x\u{9b}"],
    ] {
        let output = rasid(folder.path(), &arguments);
        let printed = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        assert_eq!(hostile(&printed), "", "{arguments:?}: {:?}", String::from_utf8_lossy(&printed));
        assert!(!printed.is_empty());
    }
}

#[test]
fn more_files_than_may_be_open_at_once_are_gone_through() {
    let folder = folder();
    let names: Vec<String> = (0..300).map(|number| format!("many/{number:03}.jsonl")).collect();
    std::fs::create_dir(folder.path().join("many")).expect("a folder");
    for name in &names {
        std::fs::write(folder.path().join(name), MESSAGE.replace("\"id\":\"1\"", &format!("\"id\":\"{name}\""))).expect("a file");
    }
    let mut command = Command::new("prlimit");
    command.args(["--nofile=64:64", env!("CARGO_BIN_EXE_rasid"), "detect"]).args(&names).current_dir(folder.path());
    let output = command.output().expect("prlimit is there");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), names.len(), "{}", said(&output));
}

/// Records of which so many claim to be from 2030, and what the summary says of them with that time of arrival.
fn summary(ahead: usize, records: usize) -> String {
    let folder = folder();
    let line = |n: usize| {
        let text = MESSAGE.replace("\"id\":\"1\"", &format!("\"id\":\"{n}\""));
        if n < ahead { text.replace("2026-11-01", "2030-11-01") } else { text }
    };
    std::fs::write(folder.path().join("events.jsonl"), (0..records).map(line).collect::<String>()).expect("a file");
    let output = rasid(folder.path(), &["detect", "events.jsonl", "--now", "2026-11-02T00:00:00Z", "--alerts", "alerts.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    said(&output)
}

#[test]
fn a_summary_leads_with_what_was_set_aside_where_it_is_more_than_one_in_a_hundred() {
    let most = summary(150, 200);
    let lead = "150 of 200 records were set aside: no rule saw them\n  all of them: `time`: future: more than 300 s ahead of its arrival\n";
    let place = most.find(lead).unwrap_or_else(|| panic!("{most}"));
    assert!(most.find("records in").is_some_and(|counts| place < counts), "it leads:\n{most}");
    for option in ["--now TIME", "--dead-letters FILE"] {
        assert!(most.contains(option), "{option} in\n{most}");
    }
    let few = summary(2, 200);
    assert!(few.contains("2 dead letters") && !few.contains("set aside"), "{few}");
    assert!(summary(3, 200).contains("3 of 200 records were set aside"));
}
