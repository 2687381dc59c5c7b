//! The configuration as a person meets it: every fault at once with its place, every value with its origin, no secret
//! shown, and no start with a key that everybody knows.

use std::path::Path;
use std::process::{Command, Output};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs the program in a folder, with no variable of ours but those given.
fn rasid(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rasid"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RASID_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied()).current_dir(folder).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file that holds a secret.
fn secret(folder: &Path, name: &str, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
}

fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rasid.toml"), config).expect("a file");
    folder
}

#[test]
fn every_fault_is_named_with_its_place_at_once() {
    let folder = folder(
        "threads = 2\n\n[engine]\nthreads = \"four\"\nlatenes_s = 5\nfuture_s = -1\n\n[sinks.redis]\nurl = \"redis://127.0.0.1:6379\"\n\
         password = \"hunter2\"\n\n[sources]\njsonl.files = \"events.jsonl\"\n\n[telemetry]\nlog_format = \"xml\"\n\n[server]\nlisten = {port = 1}\n",
    );
    let output = rasid(
        folder.path(),
        &[("RASID_SNAPSHOT__KEEP", "0"), ("RASID_SNAPSHOT__KEP", "2")],
        &["config", "show", "--set", "log.retention_h=soon"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        said(&output),
        "error: rasid.toml:6:1: engine.future_s: found -1, expected a whole number from 0 to 86400\n\
         error: rasid.toml:5:1: engine.latenes_s: no such option\n  = help: did you mean `lateness_s`?\n\
         error: rasid.toml:4:1: engine.threads: found \"four\", expected a whole number from 1 to 256\n\
         error: --set log.retention_h: log.retention_h: found \"soon\", expected a whole number from 1 to 8760\n\
         error: rasid.toml:19:1: server.listen: found a table, expected a string\n\
         error: rasid.toml:10:1: sinks.redis.password: a secret must not stand in the configuration file, which others can read\n  \
         = help: put it into a file and name that as `sinks.redis.password_file`, or into the variable RASID_SINKS__REDIS__PASSWORD\n\
         error: RASID_SNAPSHOT__KEEP: snapshot.keep: found 0, expected a whole number from 1 to 100\n\
         error: RASID_SNAPSHOT__KEP: snapshot.kep: no such option\n  = help: did you mean `keep`?\n\
         error: rasid.toml:13:7: sources.jsonl.files: found \"events.jsonl\", expected a list of strings\n\
         error: rasid.toml:16:1: telemetry.log_format: found \"xml\", expected \"text\" or \"json\"\n\
         error: rasid.toml:1:1: threads: no such option\n  = help: did you mean `engine.threads`?\n\
         11 faults in the configuration\n"
    );
}

#[test]
fn what_one_option_cannot_know_is_found_too() {
    for (config, expected) in [
        ("engine = 5\n", "error: rasid.toml:1:1: engine: found a value, expected a table of options\n"),
        ("[engine\n", "error: rasid.toml:1:8: no TOML: "),
        (
            "sinks.redis.url = \"redis://:hunter2@host:6379\"\n",
            "error: rasid.toml:1:13: sinks.redis.url: a user or password must not stand in the address\n  = help: use `sinks.redis.username` and `sinks.redis.password_file`\n",
        ),
        (
            "sinks.core.url = \"core.internal\"\n",
            "sinks.core.url: found \"core.internal\", expected http://host:port or https://host:port\n",
        ),
        ("sinks.redis.url = \"rediss://host:6379/#insecure\"\n", "expected redis://host:port or rediss://host:port\n"),
        ("sinks.redis.cluster = [\"redis://a:1\", \"rediss://b:1\"]\n", "found redis:// and rediss://, expected one of them for all\n"),
        ("sinks.redis.cluster = [\"redis://a:1/2\"]\n", "found \"redis://a:1/2\", expected redis://host:port or rediss://host:port\n"),
        (
            "[sinks.redis]\nurl = \"redis://a:1\"\ncluster = [\"redis://a:1\"]\n",
            "sinks.redis.cluster: `sinks.redis.url` is set, too: scores are in one place\n",
        ),
        (
            "sinks.redis.sentinels = [\"redis://a:1\"]\n",
            "sinks.redis.sentinel_master: sentinels are set, and not what they call the master\n",
        ),
        ("sinks.redis.sentinel_master = \"scores\"\n", "sinks.redis.sentinel_master: a master without `sinks.redis.sentinels`\n"),
        (
            "sinks.redis.sentinels = [\"redis://x@a:1\"]\n",
            "  = help: use `sinks.redis.sentinel_username` and `sinks.redis.sentinel_password_file`\n",
        ),
        (
            "sinks.core = {url = \"http://core\", ca_file = \"ca.pem\"}\n",
            "sinks.core.ca_file: is of use with https:// only, and `sinks.core` has no such address\n",
        ),
        (
            "sinks.redis = {url = \"rediss://a:1\", client_cert_file = \"rasid.pem\"}\n",
            "sinks.redis.client_key_file: a certificate needs its key\n",
        ),
        (
            "sinks.alertmanager.proxy = \"http://u:p@proxy\"\n",
            "sinks.alertmanager.proxy: a user or password must not stand in the address\n",
        ),
        ("server.listen = \"localhost:8480\"\n", "server.listen: found \"localhost:8480\", expected address:port\n"),
        ("server.tls.cert_file = \"a.pem\"\n", "server.tls.cert_file: `server.tls.cert_file` without `server.tls.key_file`\n"),
        ("server.tls.key_file = \"a.key\"\n", "server.tls.key_file: `server.tls.key_file` without `server.tls.cert_file`\n"),
        (
            "sources.http.unpacked_bytes_max = 67108864\n",
            "sources.http.bodies_bytes_max: found 67108864, expected twice `sources.http.unpacked_bytes_max` (67108864) or more\n",
        ),
        ("sources.fluvio.topics = [\"auth\"]\n", "sources.fluvio.topics: topics without `sources.fluvio.endpoint`\n"),
        ("log.bytes_max = 67108864\n", "log.bytes_max: found 67108864, expected twice `log.segment_bytes` (67108864) or more\n"),
        (
            "[engine]\nmemory_bytes_max = 1073741824\nevents_per_s = 20000\n",
            "engine.events_per_s: found 20000, expected 13048 at most: 30 minutes of it take 822857280 bytes, over half of \
             `engine.memory_bytes_max` (1073741824)\n",
        ),
        (
            "engine.memory_bytes_max = 16777216\n",
            "  = help: raise `engine.memory_bytes_max` to 411428800 or more, or lower the rate to what comes at most\n",
        ),
        ("[sources.http.producers.\"Check out\"]\nsecret_file = \"x\"\n", "no name for a producer\n"),
        ("telemetry.log_filter = \"loud=very=much\"\n", "telemetry.log_filter: found \"loud=very=much\": "),
    ] {
        let folder = folder(config);
        let output = rasid(folder.path(), &[], &["config", "show"]);
        assert_eq!(output.status.code(), Some(2), "{config}");
        assert!(said(&output).contains(expected), "{config}{}", said(&output));
        assert!(!said(&output).contains("hunter2"), "{}", said(&output));
    }
    let folder = folder("");
    let output = rasid(folder.path(), &[], &["config", "show", "--config", "nosuch.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("nosuch.toml:1:1: cannot read it"), "{}", said(&output));
    let output = rasid(folder.path(), &[], &["config", "show", "--set", "sinks.core.secret=hunter2"]);
    assert!(said(&output).contains("must not stand in the command line") && !said(&output).contains("hunter2"), "{}", said(&output));
}

#[test]
fn every_value_is_shown_with_its_origin_and_no_secret() {
    let folder = folder(
        "[engine]\nthreads = 2\nlateness_s = 60\n\n[sinks]\nredis.url = \"redis://10.0.0.5\"\n\n[sources.http.producers.checkout]\nsecret_file = \"checkout\"\n",
    );
    let variables =
        [("RASID_ENGINE__LATENESS_S", "61"), ("RASID_SINKS__REDIS__PASSWORD", "hunter2"), ("RASID_KEY", "a secret that is long")];
    let arguments = ["config", "show", "--data", "here", "--set", "rules.poll_s=7"];
    let output = rasid(folder.path(), &variables, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let shown: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "engine.threads = 2 rasid.toml:2",
        "engine.lateness_s = 61 RASID_ENGINE__LATENESS_S",
        "engine.future_s = 300 default",
        "data.dir = \"here\" --data",
        "rules.poll_s = 7 --set rules.poll_s",
        "sinks.redis.url = \"redis://10.0.0.5\" rasid.toml:6",
        "sinks.redis.password = [set] RASID_SINKS__REDIS__PASSWORD",
        "sinks.redis.username = (not set) default",
        "pseudonyms.key = [set] RASID_KEY",
        "sources.http.producers.checkout.secret_file = \"checkout\" rasid.toml:9",
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected} in\n{text}");
    }
    assert!(!text.contains("hunter2") && !text.contains("a secret that is long"), "{text}");

    let output = rasid(folder.path(), &variables, &[&arguments[..], &["--output", "json"]].concat());
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let find = |option: &str| shown.as_array().expect("a list").iter().find(|shown| shown["option"] == option).expect("there").clone();
    assert_eq!(find("engine.threads")["origin"], serde_json::json!({"kind": "file", "file": "rasid.toml", "line": 2, "column": 1}));
    assert_eq!(find("rules.poll_s")["origin"], serde_json::json!({"kind": "flag", "name": "--set rules.poll_s"}));
    assert_eq!(find("engine.future_s")["origin"]["kind"], "default");
    assert_eq!(find("pseudonyms.key")["value"], "[set]");
}

#[test]
fn run_refuses_the_development_key_and_what_is_not_complete() {
    let folder = folder("sources.jsonl.stdin = true\n");
    secret(folder.path(), "empty", "\n", 0o600);
    secret(folder.path(), "open", "a secret of my own\n", 0o644);
    secret(folder.path(), "loose", "a secret of my own\n", 0o620);
    let development = "rasid development key, not a secret";
    let key = ("RASID_KEY", "a secret of my own");
    for (variables, set, part) in [
        (&[][..], "", "no secret is set, and `run` does not work with the development key, which everybody knows"),
        (&[("RASID_KEY", development)], "", "RASID_KEY: pseudonyms.key: this is the development key"),
        (&[("RASID_KEY", "short")], "", "the pseudonym secret has 5 bytes, expected 16 or more"),
        (&[("RASID_KEY_FILE", "nosuch")], "", "RASID_KEY_FILE: pseudonyms.key_file: cannot read nosuch"),
        (&[("RASID_KEY_FILE", "empty")], "", "empty is empty"),
        (&[("RASID_KEY_FILE", "open")], "", "open can be read by others than its owner (mode 0644)\n  = help: chmod 400 "),
        (&[("RASID_KEY_FILE", "loose")], "secrets.shared_files=true", "loose can be changed by others than its owner (mode 0620)"),
        (
            &[("RASID_KEY_FILE", "open"), ("RASID_SOURCES__JSONL__STDIN", "false")],
            "secrets.shared_files=true",
            "\n1 fault in the configuration",
        ),
        (&[key], "pseudonyms.former_key_file=open", "pseudonyms.former_key_number: a former secret without its number"),
        (&[key], "sources.jsonl.stdin=false", "no source is on\n  = help: set `sources.fluvio.endpoint`"),
        (
            &[key],
            "sinks.core.url=http://localhost:1",
            "sinks.core.secret: `sinks.core.url` needs a secret\n  = help: set `sinks.core.secret_file`, or the variable RASID_SINKS__CORE__SECRET",
        ),
        (&[key], "sources.http.enabled=true", "HTTP is on and nobody may send"),
        (&[key], "sinks.redis.password_file=nosuch", ""),
    ] {
        let mut arguments = vec!["run"];
        if !set.is_empty() {
            arguments.extend(["--set", set]);
        }
        if set.contains("password_file") {
            arguments.extend(["--set", "sinks.redis.url=redis://localhost"]);
        }
        let output = rasid(folder.path(), variables, &arguments);
        assert_eq!(output.status.code(), Some(2), "{variables:?} {set}: {}", said(&output));
        assert!(said(&output).contains(part), "{variables:?} {set}: {}", said(&output));
        assert!(!folder.path().join("data").exists(), "nothing was begun");
    }
    let help = said(&rasid(folder.path(), &[], &["run"]));
    assert!(help.contains("openssl rand -base64 32"), "{help}");
}

#[test]
fn without_a_service_the_commands_say_so() {
    let folder = folder("");
    for arguments in [
        &["status"][..],
        &["retract", "auth.otp_flood", "--reason", "test"],
        &["dead-letters", "list"],
        &["dead-letters", "retry", "5", "--reason", "test"],
        &["parked", "list"],
        &["alerts", "list"],
        &["alerts", "list", "--export", "labels.jsonl"],
        &["alerts", "show", "al_1"],
        &["alerts", "ack", "al_1", "al_2"],
        &["alerts", "close", "al_1", "--why", "test"],
        &["alerts", "verdict", "al_1", "al_2", "unsure", "--why", "test"],
    ] {
        let output = rasid(folder.path(), &[], arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {}", said(&output));
        let expected = "error: no service runs on data folder data; name another with --data, or start one with `rasid run --data data`\n";
        assert_eq!(said(&output), expected, "{arguments:?}");
    }
    for (arguments, part) in [
        (&["retract", "auth.otp_flood"][..], "--reason"),
        (&["retract", "auth.otp_flood", "--reason", " "], "it goes into the audit"),
        (&["retract", "auth.otp_flood", "--reason", "x", "--since", "monday"], "expected RFC 3339"),
        (&["alerts", "ack"], "<ID>..."),
        (&["alerts", "close", "al_1"], "--why"),
        (&["alerts", "close", "al_1", "--why", " "], "it goes into the audit"),
        (&["alerts", "verdict", "al_1", "maybe", "--why", "x"], "possible values: true_positive, false_positive, unsure"),
        (&["alerts", "verdict", "al_1", "--why", "x"], "VERDICT"),
        (&["alerts", "list", "--status", "asleep"], "possible values: open, acknowledged, closed"),
        (&["alerts", "list", "--export", "x", "--limit", "5"], "cannot be used with"),
        (&["score", "get", "user:u_42"], "set sinks.redis.url"),
        (&["score", "get", "person:u_42"], "the kinds are user, device"),
        (&["pseudonym", "person", "x"], "the kinds are user, device"),
        (&["dead-letters", "retry", "--reason", "x"], "<POSITION>"),
    ] {
        let output = rasid(folder.path(), &[], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(part), "{arguments:?}: {}", said(&output));
    }
    let away = rasid(folder.path(), &[("RASID_SINKS__REDIS__URL", "redis://127.0.0.1:1")], &["score", "get", "user:u_42"]);
    assert_eq!(away.status.code(), Some(3), "{}", said(&away));
    assert!(said(&away).contains("cannot connect to Redis at 127.0.0.1:1: "), "{}", said(&away));
}

/// As `any_language_computes_the_same_pseudonym` in the engine.
#[test]
fn a_pseudonym_is_that_of_the_configured_secret() {
    let folder = folder("pseudonyms.key_file = \"key\"\n");
    secret(folder.path(), "key", "0123456789abcdef\n", 0o400);
    let printed = |variables: &[(&str, &str)], arguments: &[&str]| {
        String::from_utf8_lossy(&rasid(folder.path(), variables, arguments).stdout).into_owned()
    };
    assert_eq!(printed(&[], &["pseudonym", "phone", "0100 000 0042"]), "phone:p1_iqf6wulxc4yrfrrk77l3g4ks7u\n");
    assert_eq!(printed(&[], &["pseudonym", "user", "u_42"]), "user:u_42\n");
    let second = ("RASID_PSEUDONYMS__KEY_NUMBER", "2");
    assert!(printed(&[second], &["pseudonym", "phone", "0100 000 0042"]).starts_with("phone:p2_"), "the number is the configured one");
    let other = printed(&[("RASID_KEY", "fedcba9876543210")], &["pseudonym", "phone", "01000000042"]);
    assert!(other.starts_with("phone:p1_") && !other.contains("iqf6wulxc4"), "the environment is over the file: {other}");
    let nowhere = rasid(tempfile::tempdir().expect("a folder").path(), &[], &["pseudonym", "phone", "01000000042"]);
    assert!(nowhere.status.success() && nowhere.stdout.starts_with(b"phone:p0_"), "{nowhere:?}");
    assert!(said(&nowhere).starts_with("WARNING: no pseudonym secret is configured"), "{}", said(&nowhere));
}

#[test]
fn every_command_of_the_service_has_an_example() {
    for arguments in [
        &["run"][..],
        &["config", "show"],
        &["status"],
        &["dead-letters", "list"],
        &["dead-letters", "retry"],
        &["parked", "list"],
        &["parked", "retry"],
        &["score", "get"],
        &["pseudonym"],
        &["retract"],
    ] {
        let output = rasid(&root(), &[], &[arguments, &["--help"]].concat());
        assert!(output.status.success(), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Example"), "{arguments:?}");
    }
    let completions = rasid(&root(), &[], &["completions", "bash"]);
    let text = String::from_utf8_lossy(&completions.stdout).into_owned();
    for command in ["dead-letters", "retract", "pseudonym", "config"] {
        assert!(text.contains(command), "{command}");
    }
}

/// The configuration of docs/operations.md is one that is taken.
#[test]
fn the_configuration_of_the_docs_is_good() {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).expect("the page");
    let config = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a configuration");
    let folder = folder(config);
    let output = rasid(folder.path(), &[], &["config", "show"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

/// Alert rules say who is woken, why, and what to do; a page exists for each.
#[test]
fn alert_rules_are_whole() {
    let text = std::fs::read_to_string(root().join("dashboards/prometheus/rasid.rules.yml")).expect("the file");
    let mut alerts = 0;
    for rule in text.split("      - alert: ").skip(1) {
        alerts += 1;
        let field =
            |name: &str| rule.lines().find_map(|line| line.trim().strip_prefix(name)).map_or_else(|| panic!("{name} in {rule}"), str::trim);
        let expression = field("expr:");
        for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
            assert_eq!(expression.matches(open).count(), expression.matches(close).count(), "{expression}");
        }
        assert!(["{severity: SEV1}", "{severity: SEV3}"].contains(&field("labels:")), "{rule}");
        assert!(field("summary:").len() > 10);
        assert!(root().join(field("runbook:")).is_file(), "{rule}");
    }
    assert!(alerts > 8, "{alerts}");
    for event in granit_parser::Parser::new_from_str(&text) {
        event.expect("it is YAML");
    }
}

#[test]
fn certificates_are_looked_at_before_anything_starts() {
    let folder = folder(
        "sources.jsonl.stdin = true\n[sinks]\nredis = {url = \"rediss://127.0.0.1:1\", ca_file = \"absent.pem\"}\n\
         alertmanager = {url = \"https://127.0.0.1:1\", ca_file = \"hello.pem\"}\n",
    );
    std::fs::write(folder.path().join("hello.pem"), "hello").expect("a file");
    let output = rasid(folder.path(), &[("RASID_KEY", "long enough for a test of it")], &["run"]);
    assert_eq!(output.status.code(), Some(2));
    let text = said(&output);
    assert!(text.contains("rasid.toml:3:") && text.contains("sinks.redis.ca_file: cannot read absent.pem: No such file"), "{text}");
    assert!(text.contains("sinks.alertmanager.ca_file: hello.pem holds no certificate, expected PEM"), "{text}");
}

#[test]
fn the_key_of_our_own_certificate_is_a_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let authority = rasid_testbed::Authority::new();
    let own = authority.issue("rasid", rasid_testbed::LOOPBACK, 1);
    let (certificate, key) = (own.certificate.display(), own.key.display());
    let folder = folder(&format!(
        "sources.jsonl.stdin = true\n\
         [sinks.redis]\nurl = \"rediss://127.0.0.1:1\"\nclient_cert_file = \"{certificate}\"\nclient_key_file = \"{key}\"\n\
         [sinks.core]\nurl = \"https://127.0.0.1:1\"\nclient_cert_file = \"{certificate}\"\nclient_key_file = \"{key}\"\n\
         [sinks.alertmanager]\nurl = \"https://127.0.0.1:1\"\nclient_cert_file = \"{certificate}\"\nclient_key_file = \"{key}\"\n"
    ));
    // It does not start, for want of a pseudonym secret: what else is wrong is said with that.
    let text = |mode: u32, more: &[&str]| {
        std::fs::set_permissions(&own.key, std::fs::Permissions::from_mode(mode)).expect("ours");
        let output = rasid(folder.path(), &[], &[&["run"], more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
    };
    for (mode, more, refused) in [
        (0o600, &[][..], None),
        (0o400, &[], None),
        (0o640, &[], Some("can be read by others than its owner (mode 0640)")),
        (0o644, &[], Some("can be read by others than its owner (mode 0644)")),
        (0o644, &["--set", "secrets.shared_files=true"], None),
        (0o622, &["--set", "secrets.shared_files=true"], Some("can be changed by others than its owner (mode 0622)")),
    ] {
        let text = text(mode, more);
        assert!(text.contains("no secret is set"), "{text}");
        assert_eq!(text.matches("client_key_file").count(), if refused.is_some() { 3 } else { 0 }, "{mode:o} {more:?}: {text}");
        for sink in ["redis", "core", "alertmanager"] {
            let said =
                refused.is_none_or(|what| text.contains(&format!("sinks.{sink}.client_key_file: {key} {what}\n  = help: chmod 400 ")));
            assert!(said, "{mode:o} {more:?}: {text}");
        }
    }
}
