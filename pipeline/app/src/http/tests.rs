use std::sync::Mutex;

use async_trait::async_trait;
use axum::body::Body;
use axum::routing::post;
use rasid_engine::Score;
use rasid_service::operate::control::{
    AckRequest, AlertChanges, AlertFilter, AlertGroups, AlertList, AlertRequest, AlertShown, AlertsChanged, ChangesRequest, CloseRequest,
    ControlError, DeadLetterFilter, DeadLetterInfo, DeadLetterList, Door, EntityRequest, EntityShown, GroupFilter, PageTestRequest,
    PageTested, Parked, ParkedFilter, Question, RetractRequest, Retracted, RetractionInfo, Retried, RetryRequest, RiskRequest, RuleList,
    RuleRequest, RuleShown, RulesRequest, Status, StatusRequest, UnparkRequest, Unparked, VerdictRequest, Visitor, Way, Who, each,
};
use serde_json::Value;
use tokio::sync::watch;

use super::*;

/// A service of the test's own figures.
#[derive(Default)]
pub(super) struct Double {
    stats: Mutex<Stats>,
    retracted: Mutex<Vec<RetractRequest>>,
    pub(super) known: watch::Sender<u64>,
}

#[async_trait]
impl Control for Double {
    async fn retract(&self, request: RetractRequest) -> Result<Retracted, ControlError> {
        if request.rule != "auth.otp_flood" {
            return Err(ControlError::Refused(format!("no rule `{}` in the ruleset", request.rule)));
        }
        self.retracted.lock().expect("whole").push(request);
        Ok(Retracted { position: 7, id: "retract_7".to_owned(), in_force: true })
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<DeadLetterList, ControlError> {
        let letter = DeadLetterInfo {
            position: filter.after + 1,
            field: filter.field,
            reason: "not a number".to_owned(),
            arrival_ms: 0,
            stream: "jsonl:a".to_owned(),
            bytes: 12,
        };
        Ok(DeadLetterList { dead_letters: vec![letter], next_after: None })
    }

    async fn retry(&self, _: RetryRequest) -> Result<Retried, ControlError> {
        Err(ControlError::NotNow("draining"))
    }

    async fn parked(&self, _: ParkedFilter) -> Result<Vec<Parked>, ControlError> {
        Ok(Vec::new())
    }

    async fn unpark(&self, _: UnparkRequest) -> Result<Unparked, ControlError> {
        Err(ControlError::Outside("the disk is full".into()))
    }

    async fn alerts(&self, filter: AlertFilter) -> Result<AlertList, ControlError> {
        Ok(AlertList { alerts: Vec::new(), next: Some(format!("{filter:?}")) })
    }

    async fn alert(&self, request: AlertRequest) -> Result<AlertShown, ControlError> {
        Err(ControlError::Refused(format!("no alert `{}` is kept", request.id)))
    }

    async fn acknowledge(&self, request: AckRequest) -> Result<AlertsChanged, ControlError> {
        Ok(AlertsChanged { position: 8, alerts: request.ids })
    }

    async fn close(&self, request: CloseRequest) -> Result<AlertsChanged, ControlError> {
        Err(ControlError::Refused(format!("closed by {}", request.who.claimed)))
    }

    async fn judge(&self, request: VerdictRequest) -> Result<AlertsChanged, ControlError> {
        Err(ControlError::Refused(format!("{} for {}", request.verdict.name(), request.why)))
    }

    async fn groups(&self, filter: GroupFilter) -> Result<AlertGroups, ControlError> {
        Ok(AlertGroups { bucket_ms: filter.limit.try_into().expect("few"), ..AlertGroups::default() })
    }

    async fn changes(&self, request: ChangesRequest) -> Result<AlertChanges, ControlError> {
        let upto = *self.known.borrow();
        let retraction = |position| RetractionInfo { position, rule: "auth.otp_flood".to_owned(), since_ms: 0 };
        let retractions = (request.after + 1..=upto).map(retraction).collect();
        Ok(AlertChanges { retractions, upto, ..AlertChanges::default() })
    }

    async fn rules(&self, _: RulesRequest) -> Result<RuleList, ControlError> {
        Ok(RuleList::default())
    }

    async fn rule(&self, request: RuleRequest) -> Result<RuleShown, ControlError> {
        Err(ControlError::Unknown(format!("no rule `{}` is in force", request.id)))
    }

    async fn entity(&self, request: EntityRequest) -> Result<EntityShown, ControlError> {
        Ok(EntityShown { entity: request.entity, risk: Some(Score::default()), ..EntityShown::default() })
    }

    async fn risk(&self, request: RiskRequest) -> Result<Option<Score>, ControlError> {
        let known = (request.entity == "user:u_1").then(|| Score { entity: request.entity, score: 73, ..Score::default() });
        Ok(known)
    }

    async fn page_test(&self, _: PageTestRequest) -> Result<PageTested, ControlError> {
        Err(ControlError::Refused("nobody is on call".to_owned()))
    }

    async fn status(&self, _: StatusRequest) -> Result<Status, ControlError> {
        Ok(Status::default())
    }

    fn stats(&self) -> Stats {
        self.stats.lock().expect("whole").clone()
    }

    fn known(&self) -> watch::Receiver<u64> {
        self.known.subscribe()
    }
}

/// No token is good.
fn nobody() -> Access {
    Access::of(std::path::Path::new("/nonexistent"))
}

fn connections() -> Connections {
    Connections::new(16, Times::default())
}

async fn ask(router: &Router, method: &str, uri: &str, body: &'static str) -> (u16, String, Value) {
    let request = Request::builder().method(method).uri(uri).body(Body::from(body)).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let status = response.status().as_u16();
    let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().expect("text").to_owned()).unwrap_or_default();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    (status, kind, serde_json::from_slice(&bytes).unwrap_or(Value::String(String::from_utf8_lossy(&bytes).into_owned())))
}

#[tokio::test]
async fn probes_say_starting_ready_lagging() {
    let shared = Shared::new(10_000, connections(), Hindrances::default());
    let router = router(shared.clone());
    assert_eq!(ask(&router, "GET", "/healthz", "").await.0, 200, "alive while it starts");
    for uri in ["/readyz", "/healthz?fresh", "/v1/events"] {
        let (status, kind, body) = ask(&router, if uri == "/v1/events" { "POST" } else { "GET" }, uri, "").await;
        assert_eq!((status, kind.as_str()), (503, "application/problem+json"), "{uri}: {body}");
        assert!(body["detail"].as_str().expect("text").contains("starting"), "{uri}: {body}");
    }
    let service = Arc::new(Double::default());
    shared.up(Arc::clone(&service) as Arc<dyn Control>, nobody(), None);
    for (readiness, lag_ms, expected) in [
        (Readiness::Ready, 10_000, [200, 200, 200]),
        (Readiness::Ready, 10_001, [200, 503, 200]),
        (Readiness::NotReady("the outbox is full".to_owned()), 0, [200, 200, 503]),
    ] {
        let mut stats = Stats { readiness, ..Stats::default() };
        stats.freshness = Freshness { lag_ms, why: "3 scores wait for Redis".to_owned() };
        *service.stats.lock().expect("whole") = stats;
        for (uri, expected) in ["/healthz", "/healthz?fresh", "/readyz"].into_iter().zip(expected) {
            assert_eq!(ask(&router, "GET", uri, "").await.0, expected, "{uri} with a lag of {lag_ms} ms");
        }
    }
    service.stats.lock().expect("whole").freshness = Freshness { lag_ms: 10_001, why: "3 scores wait for Redis".to_owned() };
    let fresh = ask(&router, "GET", "/healthz?fresh", "").await.2;
    assert_eq!(fresh["detail"], "3 scores wait for Redis; 10000 ms is the bound");
    assert!(ask(&router, "GET", "/readyz", "").await.2["detail"].as_str().expect("text").contains("the outbox is full"));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document() {
    let shared = Shared::new(1, connections(), Hindrances::default());
    shared.up(Arc::new(Double::default()), nobody(), None);
    let router = router(shared);
    for (method, uri, status) in [
        ("GET", "/nosuch", 404),
        ("GET", "/healthz/", 404),
        ("POST", "/healthz", 405),
        ("OPTIONS", "/metrics", 405),
        ("POST", "/v1/events", 404),
        ("POST", "/v1/events/", 404),
    ] {
        let (found, kind, body) = ask(&router, method, uri, "").await;
        assert_eq!((found, kind.as_str()), (status, "application/problem+json"), "{method} {uri}");
        assert_eq!(body["status"], status);
    }
    for (method, status, allow) in [("HEAD", 200, None), ("POST", 405, Some("GET,HEAD"))] {
        let request = Request::builder().method(method).uri("/healthz").body(Body::empty()).expect("a request");
        let response = router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{method}");
        assert_eq!(response.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok()), allow, "{method}");
    }
    // What pages to the person on call link to.
    let figures = format!("/{}", rasid_connectors::sink::alertmanager::FIGURES);
    let (status, kind, text) = ask(&router, "GET", &figures, "").await;
    assert_eq!((status, kind.starts_with("application/openmetrics-text")), (200, true));
    assert!(text.as_str().expect("text").contains("rasid_replay_divergence_total 0"));
}

#[tokio::test]
async fn the_ingester_is_mounted_at_its_paths_only() {
    let shared = Shared::new(1, connections(), Hindrances::default());
    let ingester = Router::new()
        .route("/v1/events", post(|body: String| async move { (StatusCode::ACCEPTED, body) }))
        .route("/healthz", get(|| async { "ingester" }));
    shared.up(Arc::new(Double::default()), nobody(), Some(ingester));
    let router = router(shared);
    let (status, _, body) = ask(&router, "POST", "/v1/events", "an event").await;
    assert_eq!((status, body), (202, Value::from("an event")));
    assert_eq!(ask(&router, "GET", "/healthz", "").await.2["status"], "alive");
}

#[tokio::test]
async fn operators_are_answered_refused_or_put_off() {
    let service = Arc::new(Double::default());
    let router = control_router(Arc::clone(&service) as Arc<dyn Control>);
    let good = r#"{"rule":"auth.otp_flood","since_ms":5,"who":"sam","why":"test"}"#;
    let (status, _, body) = ask(&router, "POST", "/retract", good).await;
    assert_eq!((status, body["id"].as_str()), (200, Some("retract_7")));
    assert_eq!(service.retracted.lock().expect("whole").first().map(|request| request.since_ms), Some(5));
    for (method, uri, body, status, part) in [
        ("POST", "/retract", r#"{"rule":"no.such","since_ms":0,"who":"sam","why":"test"}"#, 422, "no rule `no.such`"),
        ("POST", "/retract", "{", 400, "cannot be read"),
        ("POST", "/retract", r#"{"rule":"a.b","since_ms":0,"who":"sam","why":"test","more":1}"#, 400, "unknown field `more`"),
        ("GET", "/dead-letters?after=x", "", 400, "invalid digit"),
        ("GET", "/dead-letters?nosuch=1", "", 400, "unknown field"),
        ("POST", "/dead-letters/retry", r#"{"positions":[1],"who":"sam","why":"test"}"#, 503, "draining"),
        ("POST", "/parked/retry", r#"{"sink":"core","seqs":[1],"who":"sam","why":"test"}"#, 500, "the disk is full"),
        ("GET", "/alerts/show?id=al_1", "", 422, "no alert `al_1`"),
        ("GET", "/alerts?status=asleep", "", 400, "unknown variant"),
        ("GET", "/alerts?area=auth&more=1", "", 400, "unknown field"),
        ("POST", "/alerts/close", r#"{"ids":["al_1"],"who":"sam","why":"test"}"#, 422, "closed by sam"),
        ("POST", "/alerts/verdict", r#"{"ids":["al_1"],"verdict":"unsure","who":"sam","why":"test"}"#, 422, "unsure for test"),
        ("POST", "/alerts/verdict", r#"{"ids":["al_1"],"verdict":"maybe","who":"sam","why":"test"}"#, 400, "unknown variant"),
        ("GET", "/retract", "", 405, "method"),
        ("GET", "/nosuch", "", 404, "nothing"),
    ] {
        let (found, kind, answer) = ask(&router, method, uri, body).await;
        assert_eq!((found, kind.as_str()), (status, "application/problem+json"), "{method} {uri}: {answer}");
        assert!(answer["detail"].as_str().expect("text").contains(part), "{answer}");
    }
    let (_, _, page) = ask(&router, "GET", "/alerts?severity=SEV1&status=open&mode=shadow&judged=false&since_ms=5&limit=7", "").await;
    let asked = page["next"].as_str().expect("text");
    for part in
        ["severity: Any([Sev1])", "status: Any([Open])", "mode: Some(Shadow)", "judged: Some(false)", "since_ms: Some(5)", "limit: 7"]
    {
        assert!(asked.contains(part), "{asked}");
    }
    let (status, _, done) = ask(&router, "POST", "/alerts/ack", r#"{"ids":["al_1","al_2"],"who":"sam"}"#).await;
    assert_eq!((status, done["alerts"][1].as_str()), (200, Some("al_2")));
    let (_, _, list) = ask(&router, "GET", "/dead-letters?after=41&field=data.amount", "").await;
    assert_eq!((list["dead_letters"][0]["position"].as_u64(), list["dead_letters"][0]["field"].as_str()), (Some(42), Some("data.amount")));
}

/// Paths and methods, as a router is asked.
struct Asked(Vec<(&'static str, &'static str, bool)>);

impl Visitor for Asked {
    fn question<Q: Question>(&mut self) {
        let (method, signed) = match Q::WAY {
            Way::Get => ("GET", false),
            Way::Post => ("POST", true),
        };
        self.0.push((method, Q::PATH, signed));
    }
}

#[tokio::test]
async fn every_question_is_taken_at_its_path_in_its_way_alone() {
    let router = control_router(Arc::new(Double::default()));
    let mut asked = Asked(Vec::new());
    each(&mut asked);
    let paths: std::collections::BTreeSet<&str> = asked.0.iter().map(|(_, path, _)| *path).collect();
    assert!(paths.len() == asked.0.len() && paths.contains("/status"), "{paths:?}");
    for (method, path, in_body) in asked.0 {
        let (status, _, body) = ask(&router, method, path, if in_body { "[" } else { "" }).await;
        // What is looked at is shown, but where it must be named first.
        let is_named = body["detail"].as_str().is_some_and(|detail| detail.contains("missing field"));
        assert_eq!(status, if in_body || is_named { 400 } else { 200 }, "{method} {path}: {body}");
        let other = if in_body { "GET" } else { "POST" };
        assert_eq!(ask(&router, other, path, "").await.0, 405, "{other} {path}");
    }
}

#[tokio::test]
async fn every_endpoint_is_served() {
    let shared = Shared::new(1, connections(), Hindrances::default());
    shared.up(Arc::new(Double::default()), nobody(), None);
    let router = router(shared);
    for Endpoint { method, path, about } in endpoints() {
        let (status, _, body) = ask(&router, &method.to_uppercase(), path, "").await;
        let off = path == rasid_connectors::ingest::ENDPOINT.path;
        assert!(if off { body["detail"].to_string().contains("is off") } else { status < 300 || status == 503 }, "{path}: {status} {body}");
        assert!(!about.trim().is_empty(), "{path}");
    }
}

/// Over a real socket: who may open it, and what the other commands make of the answers.
#[test]
fn the_socket_is_its_owners_and_the_client_says_what_went_wrong() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let client = Client::new(folder.path()).expect("a client");
    let nobody = client.ask_as::<_, Value>(&StatusRequest {}).expect_err("nobody listens").to_string();
    assert!(nobody.contains("no service runs on data folder") && nobody.contains("rasid run --data"), "{nobody}");
    std::fs::write(folder.path().join(SOCKET), "left over").expect("a file");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let listener = {
        let _inside = runtime.enter();
        bind_control(folder.path()).expect("bound")
    };
    let mode = std::fs::metadata(folder.path().join(SOCKET)).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let double = Arc::new(Double::default());
    let service = Arc::clone(&double) as Arc<dyn Control>;
    runtime.spawn(serve("control", listener, control_router(service), connections(), introduce));
    let retract =
        |rule: &str| RetractRequest { rule: rule.to_owned(), since_ms: 0, who: Who::from("sam".to_owned()), why: "test".to_owned() };
    let done = client.ask(&retract("auth.otp_flood")).expect("done");
    assert_eq!(done.position, 7);
    let me = crate::user::name(crate::user::own()).expect("one of the list");
    let who = double.retracted.lock().expect("whole").last().expect("one").who.clone();
    assert_eq!(
        who,
        Who { user: me, claimed: "sam".to_owned(), door: Door::ControlSocket },
        "the kernel names the user, the request only claims"
    );
    let refused = client.ask(&retract("no.such")).expect_err("refused");
    assert_eq!(refused.exit_code(), std::process::ExitCode::from(2));
    assert!(refused.to_string().contains("no rule `no.such` in the ruleset"));
    let put_off = client.ask(&RetryRequest { positions: vec![1], who: Who::default(), why: String::new() });
    assert_eq!(put_off.expect_err("draining").exit_code(), std::process::ExitCode::from(3));
    let filter = DeadLetterFilter { after: 41, field: Some("data.price & more".to_owned()), ..DeadLetterFilter::default() };
    let letters = client.ask(&filter).expect("a list").dead_letters;
    let letters: Vec<_> = letters.into_iter().map(|letter| (letter.position, letter.field)).collect();
    assert_eq!(letters, [(42, filter.field)], "a question in the query arrives as it was asked");
}
