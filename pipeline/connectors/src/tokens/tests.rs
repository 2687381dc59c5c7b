use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;

use super::*;

const NOW_MS: i64 = 1_795_255_200_000;

fn one(producer: &str, expires_ms: Option<i64>) -> (Tokens, Token, TokenText) {
    let mut tokens = Tokens::default();
    let (token, text) = tokens.create(producer, &[Scope::WriteEvents], NOW_MS, expires_ms).expect("random bytes");
    (tokens, token, text)
}

#[test]
fn a_token_is_found_by_its_text_alone() {
    let (mut tokens, token, text) = one("vector", None);
    let (other, second) = tokens.create("vector", &[Scope::ReadRisk, Scope::Admin], NOW_MS, Some(NOW_MS + 1)).expect("random bytes");
    assert_eq!(text.reveal().len(), PREFIX.len() + 64);
    assert_eq!((tokens.find(text.reveal()), tokens.find(second.reveal())), (Some(&token), Some(&other)));
    for wrong in
        ["", PREFIX, text.reveal().trim_start_matches(PREFIX), &text.reveal().to_uppercase(), &format!("{} ", text.reveal()), &token.id]
    {
        assert_eq!(tokens.find(wrong), None, "{wrong}");
    }
    assert!(token.allows(Scope::WriteEvents) && !token.allows(Scope::Admin) && !other.allows(Scope::WriteEvents));
    assert_eq!((token.is_expired(i64::MAX), other.is_expired(NOW_MS), other.is_expired(NOW_MS + 1)), (false, false, true));
    assert_eq!(tokens.revoke(|found| found.id == token.id), [token]);
    assert_eq!(tokens.find(text.reveal()), None);
    assert_eq!(tokens.find(second.reveal()), Some(&other));
}

#[test]
fn what_is_written_is_read_and_holds_no_token() {
    let (mut tokens, _, text) = one("vector", Some(NOW_MS + 5));
    drop(tokens.create("telco", &Scope::ALL, NOW_MS, None).expect("random bytes"));
    let bytes = tokens.to_json();
    assert_eq!(Tokens::from_json(&bytes).as_ref(), Ok(&tokens));
    let secret = text.reveal().strip_prefix(PREFIX).expect("it begins so");
    let shown = format!("{tokens:?} {text:?} {}", String::from_utf8(bytes).expect("text"));
    assert!(!shown.contains(secret), "{shown}");
}

#[test]
fn there_are_not_more_than_may_be() {
    let mut tokens = Tokens::default();
    for _ in 0..TOKENS_MAX {
        drop(tokens.create("vector", &[], NOW_MS, None).expect("room"));
    }
    assert!(matches!(tokens.create("vector", &[], NOW_MS, None), Err(TokensError::Full)));
}

#[rstest]
#[case::nothing("", "line 1")]
#[case::no_json("rsd_0123456789abcdef", "line 1")]
#[case::another_version(r#"{"version":2,"tokens":[]}"#, "version 2, expected 1")]
#[case::another_scope(r#"{"version":1,"tokens":[{"id":"a","producer":"b","scopes":["secretscope"],"sha256":"","created":""}]}"#, "line 1")]
#[case::no_hash(
    r#"{"version":1,"tokens":[{"id":"a","producer":"b","scopes":[],"sha256":"abcd","created":"2026-11-28T04:00:00Z"}]}"#,
    "`sha256` of token 1"
)]
#[case::no_time(
    r#"{"version":1,"tokens":[{"id":"a","producer":"b","scopes":[],"sha256":"0000000000000000000000000000000000000000000000000000000000000000","created":"now"}]}"#,
    "`created` of token 1"
)]
#[case::more(r#"{"version":1,"tokens":[],"more":"secretscope"}"#, "line 1")]
fn what_is_no_file_of_tokens_is_said_without_its_content(#[case] text: &str, #[case] part: &str) {
    let why = Tokens::from_json(text.as_bytes()).expect_err("not in form");
    assert!(why.contains(part) && !why.contains("secretscope") && !why.contains("0123"), "{why}");
}

/// As a running service sees the file.
#[test]
fn a_new_file_is_taken_up_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (live, path) = (TokenFile::of(folder.path()), folder.path().join("tokens.json"));
    assert!(live.current().is_empty() && !live.is_unusable(), "no file is no tokens");
    let (tokens, token, text) = one("vector", None);
    Lock::take(folder.path()).and_then(|lock| lock.write(&tokens)).expect("written");
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(live.current().find(text.reveal()), Some(&token));
    for bad in ["", "{", r#"{"version":1,"tokens":[{}]}"#] {
        std::fs::write(&path, bad).expect("ours");
        assert_eq!(live.current().find(text.reveal()), Some(&token), "the former stays");
        assert!(live.is_unusable());
        assert!(Lock::take(folder.path()).and_then(|lock| lock.read()).is_err(), "and is not written over");
    }
    let lock = Lock::take(folder.path()).expect("free");
    lock.write(&tokens).expect("written");
    assert!(live.current().find(text.reveal()).is_some() && !live.is_unusable());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).expect("ours");
    assert!(matches!(lock.read(), Err(TokensError::Open { mode: 0o620, .. })));
    assert!(live.current().find(text.reveal()).is_some() && live.is_unusable(), "somebody else may have written it");
    lock.write(&Tokens::default()).expect("written");
    assert_eq!(live.current().find(text.reveal()), None, "revoked");
    assert!(!live.is_unusable());
}
