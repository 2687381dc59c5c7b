use axum::body::Body;
use axum::http::Request as HttpRequest;
use futures_util::StreamExt as _;
use rasid_connectors::ingest::Wire;
use rasid_connectors::tokens::Lock;
use rasid_service::health::hindrance::Hindrances;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::super::tests::Double;
use super::super::{Connections, Shared, Times, router};
use super::*;

/// A service with a token for each scope, one for none, and one that has expired.
struct Site {
    router: Router,
    service: Arc<Double>,
    tokens: Vec<(Option<Scope>, String)>,
    expired: String,
    _folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = Lock::take(folder.path()).expect("ours");
        let mut tokens = lock.read().expect("none yet");
        let mut make = |scopes: &[Scope], expires: Option<i64>| {
            let (_, text) = tokens.create("amal", scopes, 0, expires).expect("random bytes");
            text.reveal().to_owned()
        };
        let mut texts: Vec<(Option<Scope>, String)> = Scope::ALL.map(|scope| (Some(scope), make(&[scope], None))).into();
        texts.push((None, make(&[], None)));
        let expired = make(&Scope::ALL, Some(1));
        lock.write(&tokens).expect("written");
        let service = Arc::new(Double::default());
        let shared = Shared::new(1, Connections::new(16, Times::default()), Hindrances::default());
        let control = Arc::clone(&service) as Arc<dyn Control>;
        shared.up(control, Access::of(folder.path()), None);
        Self { router: router(shared), service, tokens: texts, expired, _folder: folder }
    }

    fn token(&self, scope: Scope) -> &str {
        self.tokens.iter().find(|(of, _)| *of == Some(scope)).map(|(_, text)| text.as_str()).expect("one of each")
    }

    async fn ask(&self, way: Way, path: &str, token: Option<&str>, wire: Wire, body: &str) -> (u16, Response) {
        let method = if way == Way::Get { "GET" } else { "POST" };
        let mut request = HttpRequest::builder().method(method).uri(path).extension(wire);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_owned())).expect("a request")).await.expect("an answer");
        (response.status().as_u16(), response)
    }

    async fn json(&self, way: Way, path: &str, scope: Scope, body: &str) -> (u16, Value) {
        let (status, response) = self.ask(way, path, Some(self.token(scope)), Wire::Private, body).await;
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }
}

/// Each of the questions with a token of each scope, of none, an expired one, a made-up one, none at all, and over an open wire.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_is_answered() {
    let site = Site::new();
    let mut asked = 0;
    for operation in operations() {
        let (way, path) = (operation.way, operation.path.replace(['{', '}'], ""));
        for (scope, token) in &site.tokens {
            let (status, response) = site.ask(way, &path, Some(token), Wire::Private, "{}").await;
            let may = operation.scope.is_none() || operation.scope == *scope;
            assert_eq!(status != 403, may, "{path} with {scope:?}: {status}");
            assert_ne!(status, 401, "{path}");
            assert_eq!(
                response.headers()["cache-control"],
                if status == 200 && path.ends_with("stream") { "no-cache" } else { "no-store" }
            );
            let (status, _) = site.ask(way, &path, Some(token), Wire::Open, "{}").await;
            assert_eq!(status, 403, "{path} where others can read the token");
            asked += 1;
        }
        let made_up = format!("rsd_{}", "0".repeat(64));
        for token in [None, Some(site.expired.as_str()), Some(made_up.as_str()), Some("")] {
            let (status, response) = site.ask(way, &path, token, Wire::Private, "{}").await;
            assert_eq!(
                (status, &response.headers()["www-authenticate"]),
                (401, &HeaderValue::from_static("Bearer realm=\"rasid\"")),
                "{path}"
            );
        }
    }
    assert_eq!(asked, operations().len() * 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_is_said_by_the_tokens_owner() {
    let site = Site::new();
    let post = async |path: &'static str, body: &'static str| site.json(Way::Post, path, Scope::WriteFeedback, body).await;
    let (status, answer) = post("/v1/alerts/al_1/ack", "").await;
    assert_eq!((status, &answer["alerts"]), (200, &serde_json::json!(["al_1"])));
    let (status, answer) = post("/v1/alerts/ack", r#"{"ids": ["al_1", "al_2"]}"#).await;
    assert_eq!((status, &answer["alerts"]), (200, &serde_json::json!(["al_1", "al_2"])));
    let (status, answer) = post("/v1/alerts/al_1/close", r#"{"why": "seen"}"#).await;
    assert_eq!((status, &answer["detail"]), (422, &Value::from("closed by ")), "nobody claims to be another");
    for (body, what) in [
        (r#"{"ids": ["al_2"], "why": "x", "verdict": "unsure"}"#, "names an alert, and so does"),
        (r#"{"verdict": "maybe", "why": "x"}"#, "true_positive"),
        (r#"{"verdict": "unsure", "why": "x", "who": "somebody"}"#, "the token says who asks"),
        ("{", "EOF"),
        (r#"{"verdict": "unsure", "why": "x", "colour": "red"}"#, "colour"),
    ] {
        let (status, answer) = post("/v1/alerts/al_1/feedback", body).await;
        assert!(status == 400 && answer["detail"].as_str().is_some_and(|detail| detail.contains(what)), "{body}: {answer}");
    }
    let (status, me) = site.json(Way::Get, "/v1/me", Scope::WriteFeedback, "").await;
    assert_eq!((status, &me["owner"], &me["scopes"]), (200, &Value::from("amal"), &serde_json::json!(["write:feedback"])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_something_gets_it_or_why_not() {
    let site = Site::new();
    let get = async |path: &'static str, scope| site.json(Way::Get, path, scope, "").await;
    assert_eq!(get("/v1/risk/user/u_1", Scope::ReadRisk).await.1["score"], 73);
    assert_eq!(get("/v1/risk/user/u_2", Scope::ReadRisk).await.0, 404);
    let shown = get("/v1/entities/user:u_1", Scope::ReadAlerts).await.1;
    assert_eq!((&shown["entity"], &shown["risk"]), (&Value::from("user:u_1"), &Value::Null), "risk takes a scope of its own");
    assert_eq!(get("/v1/alerts/groups?by=entity&limit=7", Scope::ReadAlerts).await.1["bucket_ms"], 7);
    let (status, problem) = get("/v1/alerts?status=shut", Scope::ReadAlerts).await;
    assert!(status == 400 && problem["detail"].as_str().is_some_and(|detail| detail.contains("acknowledged")), "{problem}");
    let (status, problem) = get("/v1/rules/auth.none", Scope::ReadAlerts).await;
    assert_eq!((status, &problem["detail"]), (404, &Value::from("no rule `auth.none` is in force")));
}

/// Whoever was away hears what he has missed, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_where_it_was_left() {
    let site = Site::new();
    site.service.known.send_replace(5);
    let read = async |query: &str, wanted: usize| {
        let (status, response) =
            site.ask(Way::Get, &format!("/v1/alerts/stream{query}"), Some(site.token(Scope::ReadAlerts)), Wire::Private, "").await;
        assert_eq!(status, 200);
        let mut body = response.into_body().into_data_stream();
        let mut text = String::new();
        while text.matches("\n\n").count() < wanted {
            text.push_str(std::str::from_utf8(&body.next().await.expect("more").expect("whole")).expect("text"));
        }
        text
    };
    let first = read("?after=3", 3).await;
    let positions = |text: &str| text.matches("event: retraction").count();
    assert!(positions(&first) == 2 && first.contains("event: here") && first.trim_end().ends_with("id: 5"), "{first}");
    let soon = async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        site.service.known.send_replace(6);
    };
    let (second, ()) = tokio::join!(read("", 2), soon);
    assert!(positions(&second) == 1 && second.trim_end().ends_with("id: 6"), "{second}");
    let (status, _) = site.ask(Way::Get, "/v1/alerts/stream?after=x", Some(site.token(Scope::ReadAlerts)), Wire::Private, "").await;
    assert_eq!(status, 400);
}

/// The document says of every question what the table does, and every schema that it names is in it.
#[test]
fn the_document_is_whole() {
    let document = document();
    let text = document.to_string();
    for operation in operations() {
        let method = if operation.way == Way::Get { "get" } else { "post" };
        let described = &document["paths"][operation.path][method];
        assert!(described["description"].as_str().is_some_and(|about| about.len() > 20), "{}", operation.path);
        assert!(described["responses"]["200"].is_object(), "{}", operation.path);
        let body = &described["requestBody"]["content"]["application/json"]["schema"]["properties"];
        assert!(body["who"].is_null() && (operation.way == Way::Get || body["why"].is_object()), "the token says who asks: {body}");
    }
    for named in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"][named].is_object(), "{named}");
    }
    let query = document["paths"]["/v1/alerts"]["get"]["parameters"].as_array().expect("filters");
    assert!(query.iter().any(|parameter| parameter["name"] == "status"), "{query:?}");
}
