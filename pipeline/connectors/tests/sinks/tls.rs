//! TLS to every receiver: who is believed, who is not, and who we are.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rasid_connectors::sink::redis::{Config as RedisConfig, Place, read_score};
use rasid_connectors::sink::tls::ClientFiles;
use rasid_connectors::sink::{AlertmanagerSink, Answer, Batch, CoreApiSink, Reach, RedisSink, Sink as _, TlsFiles, alertmanager, core_api};
use rasid_connectors::webhook::Webhook;
use rasid_testbed::{Alertmanager, Authority, CoreApi, Issued, LOOPBACK, RedisServer, TlsFront};
use rstest::rstest;
use tokio::time::timeout;

use super::{alert, change, now_ms};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATIENCE: Duration = Duration::from_secs(30);

fn believe(authority: &Authority) -> TlsFiles {
    TlsFiles { ca: Some(authority.certificate()), client: None }
}

fn and_show(files: TlsFiles, issued: &Issued) -> TlsFiles {
    let client = Some(ClientFiles { certificate: issued.certificate.clone(), key: issued.key.clone() });
    TlsFiles { client, ..files }
}

fn reach(tls: TlsFiles) -> Reach {
    Reach { tls, ..Reach::within(PATIENCE, PATIENCE) }
}

fn core(url: String, tls: TlsFiles) -> CoreApiSink {
    let config = core_api::Config { url, reach: reach(tls), ..core_api::Config::default() };
    CoreApiSink::new("sink", &config, Webhook::new(&[SECRET]).expect("a secret")).expect("good files")
}

async fn deliver(sink: &mut CoreApiSink) -> Answer {
    let items = [alert(1, "auth.otp_flood", 0)];
    timeout(PATIENCE, sink.deliver(&Batch { id: "dl_1", now_ms: now_ms(), items: &items })).await.expect("an answer")
}

/// Whom to believe, for which name and of what age: what comes of it at core and at Redis.
#[rstest]
#[case::by_its_authority(LOOPBACK, true, "127.0.0.1", None)]
#[case::by_its_name(LOOPBACK, true, "localhost", None)]
#[case::another_authority(LOOPBACK, false, "127.0.0.1", Some("UnknownIssuer"))]
#[case::another_name("DNS:core.internal", true, "localhost", Some("not valid for name"))]
#[case::another_address("DNS:localhost", true, "127.0.0.1", Some("not valid for name"))]
#[tokio::test]
async fn a_receiver_is_believed_by_its_certificate_alone(
    #[case] names: &str,
    #[case] ours: bool,
    #[case] host: &str,
    #[case] refused: Option<&str>,
) {
    let (authority, other) = (Authority::new(), Authority::new());
    let issued = if ours { &authority } else { &other }.issue("server", names, 30);
    let receiver = CoreApi::start(SECRET).await;
    let front = TlsFront::before(receiver.port(), &issued, None).await;
    let answer = deliver(&mut core(format!("https://{host}:{}", front.port()), believe(&authority))).await;
    let server = RedisServer::start_tls(&issued, None).await;
    let redis = RedisConfig { place: Place::Server(server.tls_url(host)), tls: believe(&authority), ..RedisConfig::default() };
    let written = RedisSink::new("sink", redis).expect("good files").write(&[change("user:u_1", 1, 50, now_ms())]).await;
    match refused {
        None => {
            assert_eq!(answer, Answer::TAKEN);
            assert_eq!(written.expect("it is believed").written, 1);
        }
        Some(why) => {
            let port = front.port().to_string();
            assert!(matches!(&answer, Answer::Unavailable { error, .. } if error.contains(why) && error.contains(&port)), "{answer:?}");
            let error = written.expect_err("it is not believed");
            assert!(error.to_string().contains(why) && error.to_string().contains(host), "{error}");
            assert!(matches!(Answer::from(error), Answer::Unavailable { .. }), "nothing was written");
            assert_eq!(receiver.requests().len(), 0);
        }
    }
}

#[tokio::test]
async fn one_that_has_expired_is_not_believed() {
    let authority = Authority::new();
    let receiver = CoreApi::start(SECRET).await;
    let front = TlsFront::before(receiver.port(), &authority.issue("server", LOOPBACK, 0), None).await;
    let mut answer = Answer::TAKEN;
    let expired = async {
        while answer == Answer::TAKEN {
            // It is good for the rest of the second in which it was issued; each sink makes a connection of its own.
            answer = deliver(&mut core(format!("https://127.0.0.1:{}", front.port()), believe(&authority))).await;
        }
    };
    timeout(PATIENCE, expired).await.expect("it expires");
    assert!(matches!(&answer, Answer::Unavailable { error, .. } if error.contains("expired")), "{answer:?}");
}

#[tokio::test]
async fn the_system_s_store_is_asked_where_no_authority_is_named() {
    let authority = Authority::new();
    let receiver = CoreApi::start(SECRET).await;
    let front = TlsFront::before(receiver.port(), &authority.issue("server", LOOPBACK, 30), None).await;
    let config = core_api::Config {
        url: format!("https://127.0.0.1:{}", front.port()),
        reach: reach(TlsFiles::default()),
        ..core_api::Config::default()
    };
    // A machine without any certificates is told so at once, one with them does not find this one among them.
    match CoreApiSink::new("sink", &config, Webhook::new(&[SECRET]).expect("a secret")) {
        Ok(mut sink) => assert!(matches!(deliver(&mut sink).await, Answer::Unavailable { .. })),
        Err(error) => assert!(error.to_string().contains("HTTP client"), "{error}"),
    }
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn who_asks_for_our_certificate_is_shown_it_and_a_renewed_one_is_taken_up() {
    let (authority, other) = (Authority::new(), Authority::new());
    let receiver = CoreApi::start(SECRET).await;
    let front = TlsFront::before(receiver.port(), &authority.issue("server", LOOPBACK, 30), Some(&authority)).await;
    let url = format!("https://127.0.0.1:{}", front.port());
    let without = deliver(&mut core(url.clone(), believe(&authority))).await;
    assert!(!matches!(without, Answer::Taken { .. }), "{without:?}");

    // One that is not known there, replaced while the sink is in use: first the certificate, then its key.
    let shown = other.issue("rasid", "DNS:rasid", 30);
    let renewed = authority.issue("rasid", "DNS:rasid", 30);
    let mut sink = core(url, and_show(believe(&authority), &shown));
    let unknown = deliver(&mut sink).await;
    assert!(!matches!(unknown, Answer::Taken { .. }), "{unknown:?}");
    fs::copy(&renewed.certificate, &shown.certificate).expect("a writable folder");
    let halfway = deliver(&mut sink).await;
    assert!(!matches!(halfway, Answer::Taken { .. }), "{halfway:?}");
    fs::copy(&renewed.key, &shown.key).expect("a writable folder");
    assert_eq!(deliver(&mut sink).await, Answer::TAKEN);
    assert_eq!(receiver.accepted().len(), 1);
}

#[tokio::test]
async fn redis_that_asks_for_our_certificate_is_shown_it_by_writer_and_reader() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = RedisServer::start_tls(&authority.issue("server", LOOPBACK, 30), Some(&authority)).await;
    let config = |tls| RedisConfig { place: Place::Server(server.tls_url("127.0.0.1")), tls, ..RedisConfig::default() };
    let score = change("user:u_1", 1, 50, now_ms());
    let mut without = RedisSink::new("sink", config(believe(&authority))).expect("good files");
    without.write(std::slice::from_ref(&score)).await.expect_err("it is not told who we are");
    let shown = other.issue("rasid", "DNS:rasid", 30);
    let config = config(and_show(believe(&authority), &shown));
    let mut sink = RedisSink::new("sink", config.clone()).expect("good files");
    sink.write(std::slice::from_ref(&score)).await.expect_err("nobody it knows");
    let renewed = authority.issue("rasid", "DNS:rasid", 30);
    fs::copy(&renewed.certificate, &shown.certificate).expect("a writable folder");
    let error = sink.write(std::slice::from_ref(&score)).await.expect_err("no pair");
    assert!(error.to_string().contains("rasid.key") && error.to_string().contains("rasid.pem"), "{error}");
    fs::copy(&renewed.key, &shown.key).expect("a writable folder");
    assert_eq!(sink.write(std::slice::from_ref(&score)).await.expect("it knows us").written, 1);
    assert_eq!(read_score(&config, "user:u_1").await.expect("it knows us").score, score.score);
}

#[tokio::test]
async fn alertmanager_is_reached_by_tls() {
    let authority = Authority::new();
    let alertmanager = Alertmanager::start().await;
    let front = TlsFront::before(alertmanager.port(), &authority.issue("server", LOOPBACK, 30), None).await;
    let sink = |tls| {
        let url = format!("https://127.0.0.1:{}", front.port());
        AlertmanagerSink::new("oncall", alertmanager::Config { url, reach: reach(tls), ..alertmanager::Config::default() })
            .expect("good files")
    };
    let items = [alert(1, "auth.otp_flood", now_ms())];
    let batch = Batch { id: "dl_1", now_ms: now_ms(), items: &items };
    let refused = sink(believe(&Authority::new())).deliver(&batch).await;
    assert!(matches!(refused, Answer::Unavailable { .. }), "{refused:?}");
    assert_eq!(sink(believe(&authority)).deliver(&batch).await, Answer::TAKEN);
    assert_eq!(alertmanager.alerts().await.len(), 1);
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a writable folder");
        path
    };
    let authority = Authority::new();
    let (one, two) = (authority.issue("one", LOOPBACK, 30), authority.issue("two", LOOPBACK, 30));
    let text = file("hello.pem", "hello");
    let garbled = file("garbled.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
    let client = |certificate: &PathBuf, key: &PathBuf| {
        let client = Some(ClientFiles { certificate: certificate.clone(), key: key.clone() });
        TlsFiles { ca: None, client }
    };
    let ca = |path: PathBuf| TlsFiles { ca: Some(path), client: None };
    for (files, expected) in [
        (ca(folder.path().join("absent.pem")), "cannot read"),
        (ca(text.clone()), "hello.pem holds no certificate"),
        (ca(one.key.clone()), "one.key holds no certificate"),
        (ca(garbled.clone()), "garbled.pem: the 1. certificate is none"),
        (client(&garbled, &one.key), "garbled.pem: the 1. certificate is none"),
        (client(&one.certificate, &text), "hello.pem holds no private key"),
        (client(&one.certificate, &one.certificate), "one.pem holds no private key"),
        (client(&one.certificate, &two.key), "two.key is not that of the certificate in"),
    ] {
        let error = files.check().expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        let config = core_api::Config { url: "https://core".to_owned(), reach: reach(files), ..core_api::Config::default() };
        let sink = CoreApiSink::new("sink", &config, Webhook::new(&[SECRET]).expect("a secret"));
        assert_eq!(sink.expect_err("the same").to_string(), error);
    }
    client(&one.certificate, &one.key).check().expect("a pair");
}
