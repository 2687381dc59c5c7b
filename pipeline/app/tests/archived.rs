//! `rasid archive`, and what goes over an archive.

#![cfg(feature = "archive")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::process::Command;

/// What a shell line gives, in a folder where `rasid` is this build.
fn shell(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let binary = Path::new(env!("CARGO_BIN_EXE_rasid")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).env("PATH", path).env("RASID_KEY", "a secret that is long enough");
    let output = command.env_remove("RASID_KEY_FILE").env_remove("RASID_CONFIG").env_remove("RASID_LOG").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const CODES: &str = "rule: auth.codes\ntitle: t\non: auth.otp_requested\nentity: phone\nparams: {most: MOST}\nlet: {n: {count: auth.otp_requested, by: phone, window: 1h}}\nwhen: n > params.most\nexplain: '{n}'\n";
const LEAK: &str = "rule: chat.said\ntitle: t\non: chat.message\nentity: user(sender_id)\nwhen: size(data.text) > 3\nexplain: said\n";

/// Whatever goes over events goes over their archive, with the same result; what an archive does not suffice for is named; what is wrong
/// with one too.
#[test]
fn an_archive_stands_wherever_events_may() {
    let folder = tempfile::tempdir().unwrap();
    for (name, most) in [("old", "2"), ("new", "3")] {
        for area in ["auth", "chat"] {
            std::fs::create_dir_all(folder.path().join(name).join(area)).unwrap();
        }
        std::fs::write(folder.path().join(name).join("auth/codes.yaml"), CODES.replace("MOST", most)).unwrap();
        std::fs::write(folder.path().join(name).join("chat/said.yaml"), LEAK).unwrap();
    }
    let run = |line: &str, status: i32| -> (String, String) {
        let (found, said, complained) = shell(folder.path(), line);
        assert_eq!(found, Some(status), "{line}\n{said}\n{complained}");
        (said, complained)
    };
    run("rasid simulate --seed 7 --hours 3 --scenario otp_flood > events.jsonl", 0);
    let (made, _) = run("cat events.jsonl | rasid archive - --out made", 0);
    assert!(made.contains(" rows in ") && made.contains("3 hours, 2026-11-02T00 to 2026-11-02T02"), "{made}");
    let (whole, _) = run("rasid archive verify made", 0);
    assert_eq!(whole, made);
    run("rasid backtest events.jsonl --rules old --alerts of_events", 0);
    let (report, complained) = run("rasid backtest made --rules old --alerts of_archive --threads 2", 0);
    assert!(report.contains("1 rules say nothing or too little here") && complained.contains("chat.said"), "{report}\n{complained}");
    let of = |name: &str| -> Vec<String> {
        let lines = std::fs::read_to_string(folder.path().join(name)).unwrap();
        lines.lines().filter(|line| !line.contains("chat.said")).map(str::to_owned).collect()
    };
    assert!(of("of_events") == of("of_archive") && of("of_events").len() > 1, "{:?}", of("of_events"));
    let (of_events, _) = run("rasid diff old new events.jsonl", 1);
    let (of_archive, complained) = run("rasid diff old new made", 1);
    let of_codes = |text: &str| text.split_once("\nauth.codes\n").unwrap().1.to_owned();
    assert!(of_codes(&of_events) == of_codes(&of_archive) && of_archive.contains("moved"), "{of_events}\n{of_archive}");
    assert!(complained.contains("chat.said"), "{complained}");
    let entity = of_archive.split_whitespace().find(|word| word.starts_with("phone:")).unwrap().to_owned();
    let why = |past: &str| run(&format!("rasid why-not {entity} auth.codes {past} --rules new"), 0).0;
    assert_eq!(why("events.jsonl"), why("made"));
    let (checked, _) = run("rasid check old", 0);
    assert!(checked.contains("1 of them need the sealed log for a backtest, an archive does for the others: chat.said"), "{checked}");

    for (line, status, part) in [
        ("rasid archive events.jsonl --out made", 2, "has an archive in it"),
        ("rasid archive made --out again", 2, "is an archive already"),
        ("rasid archive events.jsonl", 2, "--out"),
        ("rasid backtest made events.jsonl --rules old", 2, "read alone"),
        ("RASID_KEY='another secret, long enough' rasid backtest made --rules old", 2, "written under another pseudonym secret"),
        ("rm made/auth/2026-11-02T01.parquet; rasid backtest made --rules old", 3, "auth/2026-11-02T01.parquet is missing"),
    ] {
        let (_, complained) = run(line, status);
        assert!(complained.contains(part), "{line}: {complained}");
    }
    let (wrong, _) = run("rasid archive verify made", 1);
    assert!(wrong.contains("wrong: made/auth/2026-11-02T01.parquet is missing"), "{wrong}");
}
