//! A real Prometheus Alertmanager, and what it pages.

use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::http;
use crate::process::{PATIENCE, Port, Server};

const POLL: Duration = Duration::from_millis(20);

/// A prometheus-alertmanager on a loopback port of its own, without a cluster.
#[derive(Debug)]
pub struct Alertmanager {
    port: Port,
    folder: TempDir,
    server: Option<Server>,
}

impl Alertmanager {
    /// Starts one that tells nobody.
    ///
    /// # Panics
    /// Where prometheus-alertmanager is not installed or does not start.
    pub async fn start() -> Self {
        Self::with("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n".to_owned()).await
    }

    /// Starts one that posts its notifications to that address, at once, resolved ones too.
    ///
    /// # Panics
    /// As [`Alertmanager::start`].
    pub async fn start_paging(url: &str) -> Self {
        Self::with(format!(
            "route: {{receiver: pager, group_by: [alertname, severity], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: pager, webhook_configs: [{{url: '{url}', send_resolved: true}}]}}]\n"
        ))
        .await
    }

    /// Starts one with that configuration file.
    ///
    /// # Panics
    /// As [`Alertmanager::start`].
    pub async fn with(configuration: String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("alertmanager.yml"), configuration).expect("a writable folder");
        let mut new = Self { port: Port::new(), folder, server: None };
        new.restart().await;
        new
    }

    async fn launch(&mut self) {
        let port = self.port.number();
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", self.folder.path().join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", self.folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=");
        self.server = Some(Server::start(&mut command, "prometheus-alertmanager", &self.port).await);
        let ready = timeout(PATIENCE, async {
            while !matches!(http::get(port, "/-/ready").await, Ok((200, _))) {
                sleep(POLL).await;
            }
        });
        ready.await.unwrap_or_else(|_| panic!("prometheus-alertmanager is not ready after {PATIENCE:?}"));
    }

    /// `http://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Starts it again on the same port; kills it first where it still runs.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn restart(&mut self) {
        self.kill();
        self.launch().await;
    }

    /// The same after its folder was lost: it knows no alert, no silence, and nobody whom it has told.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn restart_empty(&mut self) {
        self.kill();
        match std::fs::remove_dir_all(self.folder.path().join("data")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("the folder cannot be emptied: {error}"),
            _ => {}
        }
        self.restart().await;
    }

    /// Silences an alert between two instants, RFC 3339; the silence's id.
    ///
    /// # Panics
    /// Where it does not take the silence.
    pub async fn silence(&self, alertname: &str, starts_at: &str, ends_at: &str) -> String {
        let matcher = json!({"name": "alertname", "value": alertname, "isRegex": false, "isEqual": true});
        let silence = json!({
            "matchers": [matcher], "startsAt": starts_at, "endsAt": ends_at, "createdBy": "a test", "comment": "a test",
        });
        let (status, body) = http::post(self.port.number(), "/api/v2/silences", &silence.to_string()).await.expect("it runs");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        answer.get("silenceID").and_then(Value::as_str).expect("an id").to_owned()
    }

    /// The alerts that stand, resolved ones left out, by `alertname` and severity.
    ///
    /// # Panics
    /// Where it does not answer.
    pub async fn alerts(&self) -> Vec<Value> {
        let (status, body) = http::get(self.port.number(), "/api/v2/alerts").await.expect("it runs");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let mut alerts: Vec<Value> = serde_json::from_slice(&body).expect("JSON");
        let label = |alert: &Value, name: &str| alert.pointer(&format!("/labels/{name}")).map(Value::to_string);
        alerts.sort_by_key(|alert| (label(alert, "alertname"), label(alert, "severity")));
        alerts
    }
}

/// What stands behind Alertmanager: keeps every notification.
#[derive(Debug)]
pub struct Pager {
    port: u16,
    pages: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Pager {
    /// Starts one.
    ///
    /// # Panics
    /// Where loopback has no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let pages = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&pages);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Ok(Some(head)) = http::read_head(&mut stream).await else { continue };
                let mut request = head.request;
                if http::read_body(&mut stream, &mut request, head.body_bytes).await.is_err() {
                    continue;
                }
                if let Ok(page) = serde_json::from_slice(&request.body) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(page);
                }
                let close = [("connection", "close".to_owned())];
                drop(stream.write_all(&http::answer(200, &close, b"")).await); // it will page again
            }
        });
        Self { port, pages, task }
    }

    /// Where to page.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Every notification so far, as Alertmanager's webhook has them.
    pub fn pages(&self) -> Vec<Value> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.task.abort();
    }
}
