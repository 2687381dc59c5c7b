use std::path::Path;

use rstest::rstest;

use super::*;
use crate::storage::Memory;

const OTHER: &str = "sha256:00000000000000000000000000000000000000000000000000000000000000ff";

fn shipped() -> Ruleset {
    rasid_compiler::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules"))).unwrap()
}

fn store(disk: &Memory) -> BundleStore {
    BundleStore::open(Arc::new(disk.clone()), "rulesets", "0.3.0")
}

fn path(hash: &str) -> String {
    format!("rulesets/{}.json", hash.strip_prefix(PREFIX).unwrap())
}

#[test]
fn a_ruleset_comes_back_as_it_was() {
    let (disk, ruleset) = (Memory::new(), shipped());
    store(&disk).save(&ruleset).unwrap();
    let loaded = store(&disk).load(&ruleset.hash).unwrap();
    assert_eq!((&loaded.hash, &loaded.sources), (&ruleset.hash, &ruleset.sources));
    assert_eq!(loaded.rules.len(), ruleset.rules.len());
    let operations = disk.operations();
    BundleStore::open(Arc::new(disk.clone()), "rulesets", "0.4.0").save(&ruleset).unwrap();
    assert_eq!(disk.operations(), operations, "what is kept whole is not written again");
    disk.replace(&path(&ruleset.hash), b"{}").unwrap();
    store(&disk).save(&ruleset).unwrap();
    store(&disk).load(&ruleset.hash).unwrap();
}

#[test]
fn only_named_rulesets_are_kept() {
    let (disk, ruleset) = (Memory::new(), shipped());
    store(&disk).save(&ruleset).unwrap();
    disk.replace(&path(OTHER), b"{}").unwrap();
    disk.replace("rulesets/README.json", b"not ours").unwrap();
    assert_eq!(store(&disk).kept().unwrap(), [OTHER.to_owned(), ruleset.hash.clone()]);
    assert_eq!(store(&disk).keep_only(&BTreeSet::from([ruleset.hash.clone()])).unwrap(), [OTHER]);
    assert_eq!(store(&disk).kept().unwrap(), [ruleset.hash]);
    assert!(disk.paths().contains(&"rulesets/README.json".to_owned()));
}

#[rstest]
#[case::no_prefix("9b1f")]
#[case::another_folder("sha256:../../../../../../../../../../../../../../../../../../../../etc/passwd")]
#[case::capitals("sha256:00000000000000000000000000000000000000000000000000000000000000FF")]
#[case::too_short("sha256:ff")]
fn what_is_no_hash_names_no_file(#[case] hash: &str) {
    assert!(matches!(store(&Memory::new()).load(hash), Err(Error::NoHash { .. })));
}

#[test]
fn a_bundle_that_is_not_what_it_says_is_told() {
    let (disk, ruleset) = (Memory::new(), shipped());
    let load = |hash: &str| store(&disk).load(hash).unwrap_err();
    assert_eq!(load(OTHER).to_string(), format!("ruleset {OTHER} is not kept: there is no {}", path(OTHER)));

    disk.replace(&path(OTHER), b"{").unwrap();
    assert_eq!(load(OTHER).to_string(), format!("{} is no bundle of rule files", path(OTHER)));

    store(&disk).save(&ruleset).unwrap();
    disk.replace(&path(OTHER), &disk.read(&path(&ruleset.hash)).unwrap()).unwrap();
    let found = format!("{} does not hold ruleset {OTHER}: its files make {}", path(OTHER), ruleset.hash);
    assert_eq!(load(OTHER).to_string(), found);

    let broken = Bundle {
        ruleset: OTHER.to_owned(),
        engine: "0.2.0".to_owned(),
        files: vec![BundledFile { name: "auth/old.yaml".to_owned(), text: "rule: auth.old\nwhere: x\n".to_owned() }],
    };
    disk.replace(&path(OTHER), &broken.json()).unwrap();
    let error = load(OTHER);
    assert!(matches!(error, Error::Faults { .. }));
    assert!(
        error.to_string().starts_with(&format!("ruleset {OTHER}, written by engine 0.2.0, does not compile with this one: auth/old.yaml:")),
        "{error}"
    );
    assert_eq!(error.disposition(), Disposition::Halt);
}
