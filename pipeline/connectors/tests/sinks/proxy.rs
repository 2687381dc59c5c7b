//! Through which proxy alerts go: the one that is configured, and none that the environment names.

use std::process::Command;
use std::time::Duration;

use rasid_connectors::sink::core_api::Config;
use rasid_connectors::sink::{Answer, Batch, CoreApiSink, Reach, Sink as _};
use rasid_connectors::webhook::Webhook;
use rasid_testbed::CoreApi;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{alert, now_ms};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Where the child delivers to.
const CORE_URL: &str = "RASID_TEST_CORE_URL";
const PATIENCE: Duration = Duration::from_secs(30);

async fn deliver(url: &str, proxy: Option<String>) -> Answer {
    let reach = Reach { proxy, ..Reach::within(PATIENCE, PATIENCE) };
    let config = Config { url: url.to_owned(), reach, ..Config::default() };
    let mut sink = CoreApiSink::new("sink", &config, Webhook::new(&[SECRET]).expect("a secret")).expect("an address");
    let items = [alert(1, "auth.otp_flood", 0)];
    sink.deliver(&Batch { id: "dl_1", now_ms: now_ms(), items: &items }).await
}

/// Listens as a proxy would, and takes whatever is asked of it; the first line of the request.
async fn proxy() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has free ports");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody comes");
        let mut request = vec![0; 64 << 10];
        let length = stream.read(&mut request).await.expect("it asks");
        let answer = b"HTTP/1.1 200 Test\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{\"refused\":[]}";
        stream.write_all(answer).await.expect("it listens");
        String::from_utf8_lossy(request.get(..length).unwrap_or_default()).lines().next().unwrap_or_default().to_owned()
    });
    (url, asked)
}

#[tokio::test]
async fn a_proxy_that_is_configured_is_used() {
    let (url, asked) = proxy().await;
    let answer = timeout(PATIENCE, deliver("http://core.invalid/rasid", Some(url))).await.expect("an answer");
    assert_eq!(answer, Answer::TAKEN);
    assert_eq!(asked.await.expect("it does not panic"), "POST http://core.invalid/rasid/alerts HTTP/1.1");
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_not() {
    let core = CoreApi::start(SECRET).await;
    let (url, asked) = proxy().await;
    // The environment is the process's own and read once, so another process delivers: this program, with one test.
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "proxy::delivers_as_its_environment_says", "--ignored"]).env(CORE_URL, core.url());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, &url).env(name.to_lowercase(), &url).env_remove("NO_PROXY").env_remove("no_proxy");
    }
    let output = tokio::task::spawn_blocking(move || child.output()).await.expect("it does not panic").expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(core.accepted().len(), 1, "it went straight to core");
    assert!(!asked.is_finished(), "nothing came to the proxy");
}

#[tokio::test]
#[ignore = "run by the test above, in an environment of its own"]
async fn delivers_as_its_environment_says() {
    let core = std::env::var(CORE_URL).expect("run by the test above");
    assert_eq!(timeout(PATIENCE, deliver(&core, None)).await.expect("an answer"), Answer::TAKEN);
}
