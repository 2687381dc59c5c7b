//! What may lie in a rules folder besides rules: each thing has its fault, and none hides another's or keeps a walk from its
//! end.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rasid_compiler::{Code, LoadError, Look, Report, load, load_some, place_of};
use rstest::{Context, rstest};

const RULE: &str = "rule: auth.any
title: Any login
on: auth.login_succeeded
entity: user
when: has(data.method)
explain: a login
";

fn rule(name: &str) -> String {
    RULE.replace("auth.any", &format!("auth.{name}"))
}

/// A folder with one good rule and a list.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("auth")).expect("a folder");
    fs::create_dir_all(folder.path().join("lists")).expect("a folder");
    fs::write(folder.path().join("auth/any.yaml"), RULE).expect("a file");
    fs::write(folder.path().join("lists/words.yaml"), "list: words\nkind: user\nentries: [{value: a, reason: b}]\n").expect("a file");
    folder
}

fn faults(dir: &Path) -> Report {
    match load(dir) {
        Err(LoadError::Faults(report)) => report,
        other => panic!("{:?}", other.map(|ruleset| ruleset.rules.len())),
    }
}

/// Name and code of each.
fn found(report: &Report) -> Vec<(&str, &str)> {
    let name = |file: usize| report.sources.get(file).map_or("", |source| source.name.as_str());
    report.faults.iter().map(|fault| (name(fault.file), fault.code.as_str())).collect()
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo is there").success());
}

/// Makes one thing in the folder that is wrong.
type Make = fn(&Path);

#[rstest]
#[case::windows_1256(|dir: &Path| fs::write(dir.join("auth/x.yaml"), b"rule: auth.x\ntitle: \xD1\xDE\xE3 \xE5\xC7\xCA\xDD\n").expect("a file"))]
#[case::utf_16(|dir: &Path| fs::write(dir.join("auth/x.yaml"), b"\xFF\xFEr\0u\0l\0e\0").expect("a file"))]
#[case::dangling_link(|dir: &Path| symlink("../gone/x.yaml", dir.join("auth/x.yaml")).expect("a link"))]
#[case::dangling_folder(|dir: &Path| symlink("/nowhere/payment", dir.join("payment")).expect("a link"))]
#[case::link_to_itself(|dir: &Path| symlink("x.yaml", dir.join("auth/x.yaml")).expect("a link"))]
#[case::named_pipe(|dir: &Path| pipe(&dir.join("auth/x.yaml")))]
#[case::socket(|dir: &Path| drop(UnixListener::bind(dir.join("auth/x.yaml")).expect("a socket")))]
#[case::device(|dir: &Path| symlink("/dev/zero", dir.join("auth/x.yaml")).expect("a link"))]
#[case::link_to_the_folder(|dir: &Path| symlink(".", dir.join("again")).expect("a link"))]
#[case::same_file(|dir: &Path| symlink("../auth/any.yaml", dir.join("lists/x.yaml")).expect("a link"))]
#[case::rule_too_long(|dir: &Path| fs::write(dir.join("auth/x.yaml"), "#".repeat(300_000)).expect("a file"))]
#[case::list_too_long(|dir: &Path| fs::write(dir.join("lists/x.yaml"), "#".repeat(4_200_000)).expect("a file"))]
#[case::too_deep(|dir: &Path| fs::create_dir_all(dir.join("a/b/c/d/e/f/g/h/i/j")).expect("folders"))]
fn each_thing_that_is_no_rule_file_is_one_fault(#[context] context: Context, #[case] make: Make) {
    let folder = folder();
    make(folder.path());
    let report = Report { dir: None, ..faults(folder.path()) };
    let rendered = report.render(false);
    assert_eq!(report.faults.len(), 1, "{rendered}");
    assert!(report.faults[0].help.is_some(), "{rendered}");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("folder_{}", context.description.expect("named")), rendered);
    });
}

#[test]
fn every_code_of_a_folder_is_shown_above() {
    // Each has its case there, and so its snapshot; the others have a file in tests/broken.
    for code in [Code::NotUtf8, Code::Unreadable, Code::NoFile, Code::TooMuch, Code::ReachedTwice] {
        let shown = fs::read_dir("tests/snapshots").expect("the folder").map(|entry| entry.expect("an entry").path());
        let mut shown = shown.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("folder_")));
        assert!(shown.any(|path| fs::read_to_string(path).expect("text").contains(code.as_str())), "{code}");
    }
}

#[test]
fn nothing_hides_the_faults_of_the_rest() {
    let folder = folder();
    let dir = folder.path();
    fs::write(dir.join("auth/arabic.yaml"), b"rule: auth.arabic\ntitle: \xD1\xDE\xE3\n").expect("a file");
    symlink("nowhere", dir.join("auth/gone.yaml")).expect("a link");
    pipe(&dir.join("auth/pipe.yaml"));
    symlink("/dev/zero", dir.join("auth/zero.yaml")).expect("a link");
    symlink(".", dir.join("one")).expect("a link");
    symlink("..", dir.join("auth/two")).expect("a link");
    fs::write(dir.join("auth/plain.yaml"), rule("plain").replace("data.method", "data.methd")).expect("a file");
    let report = faults(dir);
    assert_eq!(
        found(&report),
        [
            ("auth/arabic.yaml", "R0041"),
            ("auth/gone.yaml", "R0042"),
            ("auth/pipe.yaml", "R0043"),
            ("auth/plain.yaml", "R0012"),
            ("auth/two", "R0045"),
            ("auth/zero.yaml", "R0043"),
            ("one", "R0045"),
        ]
    );
    assert_eq!(report.position(&report.faults[0]), (2, 8), "the line and column of the byte");
}

#[test]
fn a_list_that_cannot_be_read_is_one_fault_and_not_one_of_every_rule_that_names_it() {
    let folder = folder();
    fs::write(folder.path().join("lists/words.yaml"), b"list: words\n# \xC7\n").expect("a file");
    let naming = rule("naming").replace("has(data.method)", "data.user_id in list.words");
    fs::write(folder.path().join("auth/naming.yaml"), naming).expect("a file");
    assert_eq!(found(&faults(folder.path())), [("lists/words.yaml", "R0041")]);
}

/// Names the folder to a process of this program that does not belong to the superuser.
const FOLDER: &str = "RASID_TEST_FOLDER";
/// Nobody, on Debian and its kin.
const NOBODY: u32 = 65_534;

#[test]
fn a_file_that_must_not_be_read_is_told() {
    let told = |dir: &Path| {
        let report = faults(dir);
        assert_eq!(found(&report), [("auth/secret.yaml", "R0042")]);
        assert!(report.to_string().contains("permission denied"), "{report}");
    };
    if let Some(dir) = std::env::var_os(FOLDER) {
        return told(Path::new(&dir));
    }
    let folder = folder();
    let dir = folder.path();
    let secret = dir.join("auth/secret.yaml");
    fs::write(&secret, rule("secret")).expect("a file");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o0)).expect("ours");
    if fs::read(&secret).is_err() {
        return told(dir);
    }
    // The superuser reads everything, so nobody looks: by a copy, for this program may lie where nobody comes.
    let program = dir.join("program");
    fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy");
    let given = Command::new("chown").args(["-R", &NOBODY.to_string()]).arg(dir).status();
    assert!(given.expect("chown is there").success());
    let mut looks = Command::new(&program);
    looks.args(["--exact", "a_file_that_must_not_be_read_is_told"]).env(FOLDER, dir).current_dir(dir).uid(NOBODY).gid(NOBODY);
    let looked = looks.output().expect("it starts");
    let said = String::from_utf8_lossy(&looked.stdout);
    assert!(looked.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&looked.stderr));
}

#[test]
fn no_name_of_an_area_is_special() {
    let folder = tempfile::tempdir().expect("a folder");
    for area in ["src", "tests", "target"] {
        fs::create_dir(folder.path().join(area)).expect("a folder");
        fs::write(folder.path().join(area).join("any.yaml"), RULE.replace("auth.any", &format!("{area}.any"))).expect("a file");
    }
    let ruleset = load(folder.path()).expect("three good rules");
    assert_eq!(ruleset.rules.len(), 3);
}

#[test]
fn what_editors_leave_and_what_is_beside_rules_is_passed_over() {
    let folder = folder();
    let dir = folder.path();
    symlink("aya@host.1234", dir.join("auth/.#any.yaml")).expect("the lock of an editor, a link to nowhere");
    for name in
        ["auth/.any.yaml.swp", "auth/any.yaml~", "auth/#any.yaml#", "auth/any.yaml.orig", "auth/any.yml.bak", "README", "auth/.x.yaml"]
    {
        fs::write(dir.join(name), b"\xFF half").expect("a file");
    }
    pipe(&dir.join("auth/pipe"));
    let ruleset = load(dir).expect("one good rule");
    assert_eq!(ruleset.sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["auth/any.yaml", "lists/words.yaml"]);
}

#[test]
fn a_folder_that_is_mounted_by_links_is_read() {
    // As a ConfigMap is: the files are links into a hidden folder, which is a link itself.
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    fs::create_dir_all(dir.join("..2026_11_27")).expect("a folder");
    fs::write(dir.join("..2026_11_27/any.yaml"), RULE).expect("a file");
    symlink("..2026_11_27", dir.join("..data")).expect("a link");
    symlink("..data/any.yaml", dir.join("any.yaml")).expect("a link");
    let before = Look::at(dir).expect("a folder");
    assert_eq!(load(dir).expect("good").rules.len(), 1);
    fs::create_dir_all(dir.join("..2026_11_28")).expect("a folder");
    fs::write(dir.join("..2026_11_28/any.yaml"), RULE).expect("a file");
    symlink("..2026_11_28", dir.join("..next")).expect("a link");
    fs::rename(dir.join("..next"), dir.join("..data")).expect("swapped");
    assert_ne!(Look::at(dir).expect("a folder"), before, "the swap is seen");
}

#[test]
fn a_walk_through_very_many_files_ends() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("many")).expect("a folder");
    for number in 0..10_010 {
        fs::write(folder.path().join(format!("many/r{number}.yaml")), "").expect("a file");
    }
    let report = faults(folder.path());
    assert!(report.faults.iter().any(|fault| fault.code == Code::TooMuch), "{}", report.faults.len());
    assert!(report.to_string().len() < 4_000 && report.to_string().contains(" more"), "a line of a log stays one");
    assert!(report.render(false).contains("of which 200 are shown"));
}

#[test]
fn what_a_report_shows_moves_no_cursor() {
    let folder = folder();
    let text = rule("esc").replace("title: Any login", "title: \"\\e[2J\\u202Ex\"\n\"k\\e]0;t\\a\\x9b\\nkey\": 1");
    fs::write(folder.path().join("auth/esc.yaml"), text).expect("a file");
    fs::write(folder.path().join("auth/\u{1b}[31m\n.yaml"), "rule: \u{9b}2J\u{202E}\n").expect("a file");
    let report = faults(folder.path());
    for shown in [report.to_string(), report.render(false)] {
        let obeyed = shown.chars().find(|c| *c != '\n' && rasid_detectors::shown::is_unseen(*c));
        assert_eq!(obeyed, None, "{shown:?}");
    }
    assert!(!report.to_string().contains('\n'), "one line: {report}");
}

#[test]
fn one_file_is_checked_with_what_its_folder_shares() {
    let folder = folder();
    let dir = folder.path();
    fs::write(dir.join("auth/naming.yaml"), rule("naming").replace("has(data.method)", "data.user_id in list.words")).expect("a file");
    fs::write(dir.join("auth/broken.yaml"), "rule: [\n").expect("a file");
    for (file, name) in [("auth/naming.yaml", "auth/naming.yaml"), ("lists/words.yaml", "lists/words.yaml"), ("shared.yaml", "shared.yaml")]
    {
        assert_eq!(place_of(&dir.join(file)), (dir.to_owned(), name.to_owned()), "{file}");
    }
    let ruleset = load_some(dir, &["auth/naming.yaml".to_owned()]).expect("the broken one is not asked about");
    assert_eq!(ruleset.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["auth.naming"]);
    let Err(LoadError::Faults(report)) = load_some(dir, &["auth/broken.yaml".to_owned(), "auth/none.yaml".to_owned()]) else {
        panic!("faults")
    };
    assert_eq!(found(&report), [("auth/broken.yaml", "R0001"), ("auth/none.yaml", "R0042")]);
    // Rates alone make a root, too, and come with each file of it.
    let abroad = tempfile::tempdir().expect("a folder");
    fs::create_dir(abroad.path().join("auth")).expect("a folder");
    fs::write(abroad.path().join("rates.yaml"), "base: EGP\nrates: [{currency: USD, per_unit: 47.85}]\n").expect("a file");
    let converted = rule("converted").replace("has(data.method)", "in_currency(5, \"USD\", \"EGP\") == 239");
    fs::write(abroad.path().join("auth/converted.yaml"), converted).expect("a file");
    let (dir, name) = place_of(&abroad.path().join("auth/converted.yaml"));
    assert_eq!((dir.as_path(), name.as_str()), (abroad.path(), "auth/converted.yaml"));
    assert_eq!(load_some(&dir, &[name]).expect("a rule and its rates").rules.len(), 1);
    assert_eq!(load_some(&dir, &["rates.yaml".to_owned()]).expect("rates alone").rules.len(), 0);
    // Without any of them anywhere, the file's own folder is its root.
    let lonely = tempfile::tempdir().expect("a folder");
    assert_eq!(place_of(&lonely.path().join("any.yaml")), (lonely.path().to_owned(), "any.yaml".to_owned()));
}
