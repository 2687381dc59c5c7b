use super::*;
use serde_json::Value;

/// Every option and section in the schema, with its schema.
fn options<'a>(root: &'a Value, schema: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| root.pointer(reference.trim_start_matches('#')));
    let target = target.unwrap_or(schema);
    for (key, below) in target.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = tree::joined(path, key);
        found.push((path.clone(), below));
        options(root, below, &path, found);
    }
}

#[test]
fn every_option_is_documented_bounded_and_named_with_its_unit() {
    let root = schema();
    let mut found = Vec::new();
    options(&root, &root, "", &mut found);
    assert!(found.len() > 50, "{}", found.len());
    let units = ["_s", "_ms", "_h", "_d", "_bytes", "_max", "_number", "_s_max", "keep", "threads"];
    for (path, schema) in found {
        assert!(schema.get("description").is_some_and(|text| text.as_str().is_some_and(|text| text.len() > 10)), "{path} says nothing");
        if schema.get("type") == Some(&Value::from("integer")) {
            assert!(schema.get("minimum").is_some() && schema.get("maximum").is_some(), "{path} has no range");
            assert!(units.iter().any(|unit| path.ends_with(unit)), "{path} does not end in its unit");
            let (low, high, default) = (&schema["minimum"], &schema["maximum"], &schema["default"]);
            let default = default.as_i64().unwrap_or_else(|| panic!("{path} has no default"));
            assert!(low.as_i64().expect("whole") <= default && default <= high.as_i64().expect("whole"), "{path}: default out of range");
        }
    }
}

fn layers(file: &Path, set: &[&str]) -> Layers {
    let set = set.iter().map(|text| (*text).to_owned()).collect();
    Layers { config: Some(file.to_owned()), rules: None, data: None, listen: None, memory: None, set }
}

fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_command_line_is_over_the_environment_is_over_the_file_is_over_the_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rasid.toml");
    std::fs::write(&file, "[engine]\nthreads = 2\nlateness_s = 60\nfuture_s = 61\n").expect("a file");
    let environment = variables(&[
        ("RASID_ENGINE__THREADS", "3"),
        ("RASID_ENGINE__LATENESS_S", "62"),
        ("RASID_SOURCES__JSONL__FILES", "a.jsonl, b.jsonl"),
        ("RASID_LOG", "debug"),
        ("OTHER__NAME", "1"),
    ]);
    let loaded = layers(&file, &["engine.threads=4"]).load_with(environment).expect("good");
    let engine = &loaded.config.engine;
    assert_eq!((engine.threads, engine.lateness_s, engine.future_s, engine.memory_bytes_max), (4, 62, 61, 4 << 30));
    assert_eq!(loaded.config.sources.jsonl.files, ["a.jsonl", "b.jsonl"]);
    let origins: Vec<String> = ["threads", "lateness_s", "future_s", "memory_bytes_max"]
        .iter()
        .map(|option| loaded.origin(&format!("engine.{option}")).to_string().replace(&*folder.path().to_string_lossy(), ""))
        .collect();
    assert_eq!(origins, ["--set engine.threads", "RASID_ENGINE__LATENESS_S", "/rasid.toml:4", "default"]);
}

#[test]
fn memory_has_an_option_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rasid.toml");
    std::fs::write(&file, "[engine]\nmemory_bytes_max = 17000000\n").expect("a file");
    let loaded = Layers { memory: Some(1 << 30), ..layers(&file, &[]) }.load_with(Vec::new()).expect("good");
    assert_eq!(loaded.config.engine.memory_bytes_max, 1 << 30);
    assert_eq!(loaded.origin("engine.memory_bytes_max").to_string(), "--memory");
}

#[test]
fn a_secret_is_read_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rasid.toml");
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, "  from the file, long enough\n").expect("a file");
    std::fs::set_permissions(&key_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
    std::fs::write(&file, format!("pseudonyms.key_file = {:?}\nsources.jsonl.stdin = true\n", key_file.display().to_string()))
        .expect("a file");
    let loaded = layers(&file, &[]).load_with(Vec::new()).expect("good");
    assert_eq!(key(&loaded).expect("read").expect("set").secret.reveal(), b"from the file, long enough");
    let environment = variables(&[("RASID_KEY", "from the environment"), ("RASID_SINKS__REDIS__PASSWORD", "hunter2hunter2")]);
    let loaded = layers(&file, &["sinks.redis.url=redis://localhost"]).load_with(environment).expect("good");
    let (settings, _) = service(&loaded).expect("complete");
    assert_eq!(settings.secret.reveal(), b"from the environment");
    let redis = settings.sinks.redis.config().expect("on");
    assert_eq!(redis.login.password.as_deref(), Some("hunter2hunter2"));
    let shown = format!("{settings:?} {:?} {:?}", loaded.config, loaded.options());
    assert!(!shown.contains("hunter2") && !shown.contains("from the environment"), "{shown}");
    assert!(shown.contains("[set]"));
}

#[test]
fn the_development_key_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rasid.toml");
    std::fs::write(&file, "sources.jsonl.stdin = true\n").expect("a file");
    let development = std::str::from_utf8(crate::key::DEVELOPMENT_KEY).expect("text");
    for (environment, part) in [
        (variables(&[]), "does not work with the development key"),
        (variables(&[("RASID_KEY", "")]), "does not work with the development key"),
        (variables(&[("RASID_KEY", development)]), "this is the development key"),
        (variables(&[("RASID_KEY", "short")]), "has 5 bytes, expected 16"),
    ] {
        let loaded = layers(&file, &[]).load_with(environment).expect("good so far");
        let refused = service(&loaded).expect_err("refused").to_string();
        assert!(refused.contains(part) && refused.contains("openssl rand"), "{refused}");
    }
}

#[test]
fn a_list_is_given_with_commas_or_as_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rasid.toml");
    std::fs::write(&file, "").expect("a file");
    let load = |text: &str| layers(&file, &[&format!("sources.jsonl.files={text}")]).load_with(Vec::new());
    for (text, expected) in [
        ("a.jsonl", &["a.jsonl"][..]),
        ("a, b", &["a", "b"]),
        (r#"["a"]"#, &["a"]),
        (r#" ["a,b", "c"]"#, &["a,b", "c"]),
        ("[]", &[]),
        ("", &[]),
    ] {
        assert_eq!(load(text).expect("good").config.sources.jsonl.files, expected, "{text}");
    }
    for text in ["[a]", r#"["a""#, "[1]"] {
        let refused = load(text).err().expect("refused").to_string();
        assert!(refused.contains("expected a list of strings") && refused.contains("a comma stands between"), "{refused}");
    }
}

#[test]
fn a_webhook_secret_that_is_none_is_named_by_file_and_line_and_not_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
        path.display().to_string()
    };
    let checkout = write("checkout", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\nwhsec_hunter2\n");
    let core = write("core", "whsec_c2hvcnQ=\n");
    let file = folder.path().join("rasid.toml");
    let text = format!(
        "sinks.core.url = \"http://127.0.0.1:1\"\nsinks.core.secret_file = {core:?}\n[sources.http]\nenabled = true\n\
         producers.checkout.secret_file = {checkout:?}\n"
    );
    std::fs::write(&file, text).expect("a file");
    let loaded = layers(&file, &[]).load_with(variables(&[("RASID_KEY", "a key that is long enough")])).expect("good so far");
    let refused = service(&loaded).expect_err("refused").to_string();
    assert!(
        refused.contains(&format!("rasid.toml:5:20: sources.http.producers.checkout.secret_file: {checkout}:3: not `whsec_` and base64")),
        "{refused}"
    );
    assert!(
        refused.contains(&format!("rasid.toml:2:12: sinks.core.secret_file: {core}:1: the base64 is of 5 bytes, expected 24 to 64")),
        "{refused}"
    );
    assert!(refused.contains("openssl rand") && !refused.contains("hunter2") && !refused.contains("c2hvcnQ"), "{refused}");
    let loaded = layers(&file, &[]).load_with(variables(&[
        ("RASID_KEY", "a key that is long enough"),
        ("RASID_SOURCES__HTTP__PRODUCERS__CHECKOUT__SECRET", "no base64"),
    ]));
    let refused = service(&loaded.expect("good so far")).expect_err("refused").to_string();
    assert!(refused.contains("sources.http.producers.checkout.secret: line 1: not"), "{refused}");
}
