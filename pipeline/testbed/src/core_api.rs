//! The marketplace's core API as a double: it does what docs/core-api.md asks of a receiver, and fails on command.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::http::{self, Request};
use crate::json;
use crate::process::Port;

/// Between two bytes of a slow answer.
const DRIP: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// That status, and nothing is taken.
    Status(u16),
    /// 429 with that Retry-After, and nothing is taken.
    TooMany {
        /// Seconds.
        retry_after_s: u64,
    },
    /// Never an answer; nothing is taken.
    Silence,
    /// The connection is reset while the body comes in; nothing is taken.
    ResetInRequest,
    /// Taken, and the connection is reset in the midst of the answer.
    ResetInAnswer,
    /// Taken, and the connection is reset without an answer.
    LostAck,
    /// Taken, and the answer comes a byte at a time, five a second.
    SlowDrip,
    /// 200, taken, with an answer without end.
    Endless,
    /// 200 with a page that is no receipt; nothing is taken.
    Page,
}

/// An event that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Where it was posted.
    pub path: String,
    /// The CloudEvent's id.
    pub id: String,
    /// The CloudEvent's type.
    pub kind: String,
    /// The CloudEvent's subject: the entity.
    pub subject: String,
    /// Its data, byte for byte.
    pub data: Vec<u8>,
    /// The delivery that brought it.
    pub webhook_id: String,
}

type Predicate = Box<dyn Fn(&Accepted) -> bool + Send>;

#[derive(Default)]
struct State {
    accepted: Vec<Accepted>,
    /// Where in `accepted` an id is.
    seen: HashMap<String, usize>,
    duplicates: Vec<String>,
    requests: Vec<String>,
    complaints: Vec<String>,
    standing: Option<Fault>,
    script: VecDeque<Fault>,
    mix: Option<Mix>,
    refuses: Option<Predicate>,
    poisoned: Option<Predicate>,
}

struct Mix {
    random: u64,
    percent: u64,
    faults: Vec<Fault>,
}

/// The double.
pub struct CoreApi {
    port: Port,
    state: Arc<Mutex<State>>,
    secret: Arc<[u8]>,
    task: Option<JoinHandle<()>>,
}

impl CoreApi {
    /// Starts one that knows the sender by that secret (`whsec_…`).
    ///
    /// # Panics
    /// Where the secret is none or loopback has no port.
    pub async fn start(secret: &str) -> Self {
        let key = BASE64.decode(secret.strip_prefix("whsec_").expect("whsec_").as_bytes()).expect("base64");
        let mut new = Self { port: Port::new(), state: Arc::default(), secret: key.into(), task: None };
        new.listen().await;
        new
    }

    async fn listen(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port.number())).await.expect("the port is ours");
        let (state, secret) = (Arc::clone(&self.state), Arc::clone(&self.secret));
        self.task = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new(); // dropped with the task, and they with it
            while let Ok((stream, _)) = listener.accept().await {
                let (state, secret) = (Arc::clone(&state), Arc::clone(&secret));
                connections.spawn(async move {
                    drop(serve(stream, &state, &secret).await); // the sender has gone away
                });
                while connections.try_join_next().is_some() {}
            }
        }));
    }

    /// What `/alerts` is appended to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// The port it is or was on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Goes away: connections break and new ones are refused. What was taken is kept.
    pub async fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            drop(task.await); // it says that it was aborted
        }
    }

    /// Comes back on the same port.
    ///
    /// # Panics
    /// Where somebody has taken the port.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.listen().await;
    }

    /// From now on every request goes wrong like that, until told otherwise.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.state();
        (state.standing, state.mix) = (Some(fault), None);
        state.script.clear();
    }

    /// One request each goes wrong like that; then as before.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().script.extend(faults);
    }

    /// From now on that share of requests goes wrong, in ways drawn from `faults`, as the seed has it.
    ///
    /// # Panics
    /// Where there are no faults to draw from.
    pub fn mix(&self, seed: u64, percent: u8, faults: &[Fault]) {
        assert!(!faults.is_empty(), "a mix of something");
        let mut state = self.state();
        state.standing = None;
        state.mix = Some(Mix { random: seed, percent: percent.into(), faults: faults.to_vec() });
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        let mut state = self.state();
        (state.standing, state.mix, state.refuses, state.poisoned) = (None, None, None, None);
        state.script.clear();
    }

    /// Refuses events one by one, in the answer, with the reason `refused by the test`.
    pub fn refuse_if(&self, predicate: impl Fn(&Accepted) -> bool + Send + 'static) {
        self.state().refuses = Some(Box::new(predicate));
    }

    /// Answers 422 to every batch that holds such an event.
    pub fn poison_if(&self, predicate: impl Fn(&Accepted) -> bool + Send + 'static) {
        self.state().poisoned = Some(Box::new(predicate));
    }

    /// What was taken, each once, in order.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.state().accepted.clone()
    }

    /// Ids that came again after they were taken.
    pub fn duplicates(&self) -> Vec<String> {
        self.state().duplicates.clone()
    }

    /// The webhook-id of every request whose head came in.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// What was wrong with requests: signatures that do not fit, batches of two kinds, events that are none, which are
    /// answered with 401 or 400; and an id that came again with other data. Always a fault of the sender.
    pub fn complaints(&self) -> Vec<String> {
        self.state().complaints.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for CoreApi {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>, secret: &[u8]) -> io::Result<()> {
    while let Some(head) = http::read_head(&mut stream).await? {
        let mut request = head.request;
        let fault = {
            let mut state = lock(state);
            state.requests.push(request.headers.get("webhook-id").cloned().unwrap_or_default());
            state.fault()
        };
        if fault == Fault::ResetInRequest {
            http::read_body(&mut stream, &mut request, head.body_bytes / 2).await?;
            return stream.set_zero_linger();
        }
        http::read_body(&mut stream, &mut request, head.body_bytes).await?;
        let no = |status| http::answer(status, &[], br#"{"title":"as the test has it"}"#);
        match fault {
            Fault::Status(status) => stream.write_all(&no(status)).await?,
            Fault::TooMany { retry_after_s } => {
                stream.write_all(&http::answer(429, &[("retry-after", retry_after_s.to_string())], b"slow down")).await?;
            }
            Fault::Silence => {
                // Until the sender gives up, or this does.
                drop(timeout(PATIENCE, stream.readable()).await);
                return Ok(());
            }
            Fault::Page => stream.write_all(&http::answer(200, &[], b"<html>sign in</html>")).await?,
            Fault::None => {
                let answer = lock(state).take(&request, secret);
                stream.write_all(&answer).await?;
            }
            taken => {
                let answer = lock(state).take(&request, secret);
                return cut_short(stream, &taken, &answer).await;
            }
        }
    }
    Ok(())
}

/// Answers that do not arrive as they should.
async fn cut_short(mut stream: TcpStream, fault: &Fault, answer: &[u8]) -> io::Result<()> {
    match fault {
        Fault::ResetInAnswer => {
            stream.write_all(answer.get(..answer.len() - 5).unwrap_or_default()).await?;
            // Let it arrive: a reset overtakes what is still on its way.
            sleep(DRIP).await;
            stream.set_zero_linger()
        }
        Fault::SlowDrip => {
            for byte in answer.chunks(1) {
                stream.write_all(byte).await?;
                sleep(DRIP).await;
            }
            Ok(())
        }
        Fault::Endless => {
            stream.write_all(b"HTTP/1.1 200 Test\r\ncontent-length: 1000000000\r\n\r\n").await?;
            loop {
                stream.write_all(&[b' '; 8 * 1024]).await?;
            }
        }
        _ => stream.set_zero_linger(),
    }
}

impl State {
    fn fault(&mut self) -> Fault {
        if let Some(fault) = self.script.pop_front() {
            return fault;
        }
        if let Some(mix) = &mut self.mix {
            if mix.draw() % 100 < mix.percent {
                let place = usize::try_from(mix.draw() % mix.faults.len() as u64).unwrap_or(0);
                return mix.faults.get(place).cloned().unwrap_or(Fault::None);
            }
            return Fault::None;
        }
        self.standing.clone().unwrap_or(Fault::None)
    }

    /// Takes a batch as a good receiver does, and the answer to it.
    fn take(&mut self, request: &Request, secret: &[u8]) -> Vec<u8> {
        let events = match signed(request, secret).and_then(|()| events(request).ok_or("no batch of CloudEvents")) {
            Ok(events) => events,
            Err(complaint) => {
                self.complaints.push(format!("{}: {complaint}", request.path));
                let status = if complaint.contains("signature") { 401 } else { 400 };
                return http::answer(status, &[], complaint.as_bytes());
            }
        };
        if let Some(poisoned) = &self.poisoned
            && events.iter().any(poisoned)
        {
            return http::answer(422, &[], br#"{"title":"poisoned by the test"}"#);
        }
        let mut refused: Vec<Value> = Vec::new();
        for event in events {
            if self.refuses.as_ref().is_some_and(|refuses| refuses(&event)) {
                refused.push(json!({"id": event.id, "reason": "refused by the test"}));
            } else if let Some(first) = self.seen.get(&event.id).and_then(|place| self.accepted.get(*place)) {
                if first.data != event.data {
                    self.complaints.push(format!("{} came again with other data", event.id));
                }
                self.duplicates.push(event.id);
            } else {
                self.seen.insert(event.id.clone(), self.accepted.len());
                self.accepted.push(event);
            }
        }
        http::answer(200, &[], json!({"refused": refused}).to_string().as_bytes())
    }
}

impl Mix {
    /// `SplitMix64`.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

/// Whether the signature fits: by hand, so that a fault of the sender's code is not its own witness.
fn signed(request: &Request, secret: &[u8]) -> Result<(), &'static str> {
    let header = |name: &str| request.headers.get(name).map(String::as_str).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if id.is_empty() || timestamp.parse::<i64>().is_err() {
        return Err("no webhook-id or webhook-timestamp to the signature");
    }
    let fits = header("webhook-signature").split(' ').filter_map(|signature| signature.strip_prefix("v1,")).any(|signature| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length will do");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", &request.body] {
            mac.update(part);
        }
        BASE64.decode(signature.as_bytes()).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
    });
    if fits { Ok(()) } else { Err("the signature does not fit") }
}

/// The events of a batch; `None` where it is not one, or one of a kind that does not belong there.
fn events(request: &Request) -> Option<Vec<Accepted>> {
    let kind_of_path = match request.path.as_str() {
        "/alerts" => "rasid.alert.opened",
        "/alerts/retracted" => "rasid.alert.retracted",
        "/risk-scores" => "rasid.risk_score.changed",
        _ => return None,
    };
    if !request.headers.get("content-type")?.starts_with("application/cloudevents-batch+json") {
        return None;
    }
    let event = |event: &[u8]| {
        let text = |name: &str| json::member(event, name).and_then(|text| serde_json::from_slice::<String>(text).ok());
        let whole = text("specversion")? == "1.0" && text("type")? == kind_of_path && !text("source")?.is_empty();
        whole.then_some(Accepted {
            path: request.path.clone(),
            id: text("id")?,
            kind: text("type")?,
            subject: text("subject")?,
            data: json::member(event, "data")?.to_vec(),
            webhook_id: request.headers.get("webhook-id")?.clone(),
        })
    };
    json::elements(&request.body)?.into_iter().map(event).collect()
}
