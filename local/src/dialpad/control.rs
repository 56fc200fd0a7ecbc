//! What Dialpad does not have: trouble on demand, and a look at what was asked.

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Fake, deliver, oauth, state::Trouble};

pub(super) fn router(fake: Fake) -> Router<Fake> {
    Router::new()
        .route("/asked", get(asked))
        .route("/trouble", post(trouble))
        .route("/settings", post(settings))
        .route("/token", post(token))
        .route("/company", post(company))
        .route("/expire", post(expire))
        .route("/calls", post(calls))
        .route("/deliver", post(deliver_event))
        .with_state(fake)
}

/// How often each operation was asked for, what was not in the document, and how often each company's tokens were
/// exchanged.
async fn asked(State(fake): State<Fake>) -> Json<Value> {
    let memory = fake.memory();
    let refreshes: serde_json::Map<String, Value> =
        memory.companies.iter().map(|(id, company)| (id.to_string(), company.refreshes.into())).collect();
    Json(json!({ "requests": memory.requests, "violations": memory.violations, "refreshes": refreshes }))
}

#[derive(Deserialize)]
struct Troubles {
    /// The company whose requests these are; without it, everybody's.
    company_id: Option<String>,
    /// The operation's name in the document, or `*`.
    operation: String,
    times: usize,
    #[serde(flatten)]
    trouble: Trouble,
}

/// The next requests of an operation meet trouble.
async fn trouble(State(fake): State<Fake>, Json(wanted): Json<Troubles>) -> Json<Value> {
    let company = wanted.company_id.as_deref().and_then(|id| id.parse().ok());
    let troubles = std::iter::repeat_n((company, wanted.operation, wanted.trouble), wanted.times);
    fake.memory().troubles.extend(troubles);
    Json(json!({}))
}

#[derive(Deserialize)]
struct Settings {
    expires_in: i64,
}

/// How long the access tokens are good that are given from now on.
async fn settings(State(fake): State<Fake>, Json(settings): Json<Settings>) -> Json<Value> {
    fake.memory().expires_in = settings.expires_in;
    Json(json!({}))
}

#[derive(Deserialize)]
struct Of {
    /// Digits, as Dialpad prints them.
    company_id: String,
}

impl Of {
    fn company(&self) -> i64 {
        self.company_id.parse().unwrap_or_default()
    }
}

/// Tokens of a company, for somebody else of it.
async fn token(State(fake): State<Fake>, Json(of): Json<Of>) -> Json<Value> {
    Json(oauth::pair(&mut fake.memory(), of.company()))
}

/// A new company, with an API key.
async fn company(State(fake): State<Fake>) -> Json<Value> {
    let company = fake.memory().company();
    Json(json!({ "company_id": company.to_string(), "api_key": format!("key-{company}") }))
}

/// Ends the access tokens of a company, whatever was said of their time.
async fn expire(State(fake): State<Fake>, Json(of): Json<Of>) -> Json<Value> {
    let now = Instant::now();
    for access in fake.memory().access.values_mut().filter(|access| access.company == of.company()) {
        access.expires_at = now;
    }
    Json(json!({}))
}

#[derive(Deserialize)]
struct KnownCall {
    #[serde(flatten)]
    of: Of,
    call_id: i64,
    /// What is known of it; null: nothing any more.
    call: Option<Value>,
}

/// What `GET /call/{id}` is to answer.
async fn calls(State(fake): State<Fake>, Json(call): Json<KnownCall>) -> Json<Value> {
    if let Some(company) = fake.memory().companies.get_mut(&call.of.company()) {
        match call.call {
            None => drop(company.calls.remove(&call.call_id)),
            Some(known) => drop(company.calls.insert(call.call_id, known)),
        }
    }
    Json(json!({}))
}

#[derive(Deserialize)]
struct Delivery {
    #[serde(flatten)]
    of: Of,
    payload: Value,
}

/// Delivers an event to whoever is subscribed to it.
async fn deliver_event(State(fake): State<Fake>, Json(delivery): Json<Delivery>) -> Json<Value> {
    Json(json!({ "statuses": deliver::deliver(&fake, delivery.of.company(), &delivery.payload).await }))
}
