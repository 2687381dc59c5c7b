//! Golden diagnostics: each file of `broken/` has one fault, and is shown as its snapshot says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rasid_compiler::{Code, Report, SourceFile, compile};
use rstest::rstest;

/// The faults of a file of `broken/`, together with its twin (`.yml`) and what rules share, in the folder of its name.
fn broken(path: &Path) -> Report {
    let read = |path: &Path, folder: &str| SourceFile {
        name: format!("{folder}{}", path.file_name().and_then(|name| name.to_str()).expect("a name")),
        text: std::fs::read_to_string(path).expect("readable"),
    };
    let mut files = vec![read(path, "")];
    let twin = path.with_extension("yml");
    if twin.exists() {
        files.push(read(&twin, ""));
    }
    let beside = path.with_extension("");
    for (folder, prefix) in [(beside.clone(), ""), (beside.join("lists"), "lists/")] {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.expect("an entry").path();
            if entry.is_file() {
                files.push(read(&entry, prefix));
            }
        }
    }
    compile(&files).expect_err("a fault")
}

#[rstest]
fn each_broken_file_has_one_fault(#[files("tests/broken/*.yaml")] path: PathBuf) {
    let report = broken(&path);
    let rendered = report.render(false);
    let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, rendered);
    });
    assert_eq!(report.faults.len(), 1, "{rendered}");
    assert!(
        report.faults.iter().all(|fault| fault.help.is_some() || matches!(fault.code, Code::OutOfRange | Code::WrongType)),
        "no help: {rendered}"
    );
}

#[test]
fn every_code_has_a_file() {
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir("tests/broken").expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            seen.extend(broken(&path).faults.into_iter().map(|fault| fault.code));
        }
    }
    // A test fails, and a mutant survives, in the engine, what is wrong with a folder is in folder.rs, and with a map in zones.rs.
    let elsewhere =
        [Code::TestFailed, Code::Survives, Code::BadZone, Code::NotUtf8, Code::Unreadable, Code::NoFile, Code::TooMuch, Code::ReachedTwice];
    let faults = Code::ALL.iter().filter(|code| !code.is_warning());
    let missing: Vec<&Code> = faults.filter(|code| !seen.contains(code) && !elsewhere.contains(code)).collect();
    assert!(missing.is_empty(), "no file in tests/broken for {missing:?}");
}

#[test]
fn every_fault_of_every_file_is_found_in_one_pass() {
    let file = |name: &str, text: &str| SourceFile { name: name.to_owned(), text: text.to_owned() };
    let report = compile(&[
        file("auth/b.yaml", "rule: auth.c\nseverity: SEV9\non: [auth.nothing, auth.otp_requested]\nentity: fone\nwhen: data.a > 1 && data.b > 2 || sends\nrisk: 200\n"),
        file("auth/a.yaml", "rule: [\n"),
    ])
    .expect_err("faults");
    let found: Vec<(&str, Code)> = report.faults.iter().map(|fault| (report.sources[fault.file].name.as_str(), fault.code)).collect();
    assert_eq!(
        found,
        [
            ("auth/a.yaml", Code::BadYaml),
            ("auth/b.yaml", Code::MissingKey), // title
            ("auth/b.yaml", Code::MissingKey), // explain
            ("auth/b.yaml", Code::BadId),
            ("auth/b.yaml", Code::UnknownWord),
            ("auth/b.yaml", Code::UnknownEventType),
            ("auth/b.yaml", Code::UnknownKind),
            ("auth/b.yaml", Code::UnknownField),
            ("auth/b.yaml", Code::UnknownField),
            ("auth/b.yaml", Code::UnknownName),
            ("auth/b.yaml", Code::OutOfRange),
        ]
    );
    assert!(report.to_string().contains("auth/b.yaml:1:7: "), "{report}");
    assert!(report.render(true).contains('\u{1b}') && !report.render(false).contains('\u{1b}'));
}
