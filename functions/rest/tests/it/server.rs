//! The router as a service, on a database of its own.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE},
};
use rest::{Config, Deps, router};
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    config::Env,
    store::{Settings, Store},
    testing::{Database, ManualClock},
};
use tower::ServiceExt;
use uuid::Uuid;

/// The operator's secret of the tests.
pub(crate) const SECRET: &str = "operator-secret";

/// A server with one operator.
pub(crate) struct Server {
    pub(crate) database: Database,
    pub(crate) clock: ManualClock,
    pub(crate) router: Router,
}

/// An app and its key.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) id: Uuid,
    pub(crate) key: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The JSON of an answer that must have this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// A refusal: its code and the names of what is wrong.
    pub(crate) fn refusal(&self, status: u16) -> (String, Vec<String>) {
        let problem = self.json();
        assert_eq!(self.status.as_u16(), status, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], json!(status));
        assert_eq!(problem["success"], json!(false));
        assert_eq!((&problem["error"], &problem["message"]), (&problem["title"], &problem["detail"]));
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let pointers = errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
        (problem["code"].as_str().unwrap().to_owned(), pointers)
    }
}

/// What a config for this database is, with more settings.
pub(crate) fn config(url: &str, more: &[(&str, &str)]) -> Config {
    let pairs =
        [("DATABASE_URL", url), ("INTERNAL_API_SECRET", SECRET), ("PUBLIC_HTTP_URL", "https://cti.example")];
    let mut all: std::collections::HashMap<&str, &str> = pairs.into();
    all.extend(more.iter().copied());
    let value = |name: &str| all.get(name).copied().unwrap_or_default();
    // The clock of the tests stands still, so that their minute never ends.
    let limit = |name: &str| all.get(name).copied().unwrap_or("0");
    Config::from_env(&Env::from([
        ("DATABASE_URL", value("DATABASE_URL")),
        ("INTERNAL_API_SECRET", value("INTERNAL_API_SECRET")),
        ("INTERNAL_AUTHORIZATION", value("INTERNAL_AUTHORIZATION")),
        ("ALLOW_OPEN_INTERNAL", value("ALLOW_OPEN_INTERNAL")),
        ("API_REQUESTS_PER_MINUTE", limit("API_REQUESTS_PER_MINUTE")),
        ("INTERNAL_REQUESTS_PER_MINUTE", limit("INTERNAL_REQUESTS_PER_MINUTE")),
        ("CORS_ALLOWED_ORIGINS", value("CORS_ALLOWED_ORIGINS")),
        ("PUBLIC_HTTP_URL", value("PUBLIC_HTTP_URL")),
        ("STACK_NAME", "test"),
    ]))
    .unwrap()
}

/// A router on this database; connections are many, since tests ask for several things at once.
pub(crate) fn service(url: &str, clock: &(impl Clock + Clone + 'static), more: &[(&str, &str)]) -> Router {
    let config = config(url, more);
    let mut settings = Settings::new(config.database_url.expose()).with_connections(4);
    // As if the function were frozen between any two requests.
    settings.trusted_for = std::time::Duration::ZERO;
    let store = Store::new(&settings).unwrap();
    router(Deps {
        store,
        registry: None,
        dialpad: None,
        clock: Arc::new(clock.clone()),
        config,
        metrics: Arc::default(),
    })
}

impl Server {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(more: &[(&str, &str)]) -> Self {
        let (database, clock) = (Database::new().await, ManualClock::default());
        let router = service(database.url(), &clock, more);
        Self { database, clock, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        send(&self.router, request).await
    }

    /// A request of an operator.
    pub(crate) async fn operator(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {SECRET}"));
        self.send(with_json(request, body)).await
    }

    /// A request of an app.
    pub(crate) async fn call(&self, app: &App, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request = Request::builder().method(method).uri(path).header("x-app-api-key", &app.key);
        self.send(with_json(request, body)).await
    }

    pub(crate) async fn get(&self, app: &App, path: &str) -> Reply {
        self.call(app, Method::GET, path, None).await
    }

    pub(crate) async fn operator_get(&self, path: &str) -> Reply {
        self.operator(Method::GET, path, None).await
    }

    /// A new app.
    pub(crate) async fn app(&self, name: &str) -> App {
        let made =
            self.operator(Method::POST, "/internal/apps", Some(json!({ "name": name }))).await.expect(201);
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        App { id: text("app_id").parse().unwrap(), key: text("api_key") }
    }

    /// Runs SQL as the owner of the database.
    pub(crate) async fn sql(&self, sql: &str) {
        self.database.client().await.batch_execute(sql).await.unwrap();
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Reply {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Reply { status: parts.status, headers: parts.headers, body }
}

fn with_json(request: axum::http::request::Builder, body: Option<Value>) -> Request<Body> {
    match body {
        None => request.body(Body::empty()).unwrap(),
        Some(body) => {
            request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
        }
    }
}
