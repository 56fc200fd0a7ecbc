//! A Dialpad of one's own: OAuth, webhooks, subscriptions and calls over real HTTP, for tests and for developers without
//! an account.
//!
//! Every request is checked against Dialpad's published OpenAPI document (`contract`), limits and rotated tokens are as
//! documented, and events are delivered as Dialpad delivers them: signed with the webhook's secret. Below `/fake` stands
//! what Dialpad does not have: trouble on demand, and a look at what was asked.
//!
//! It consents at once to whoever asks for access, and each consent is that of a new company.

mod contract;
mod control;
mod deliver;
mod limits;
mod management;
mod oauth;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

pub use self::oauth::{CLIENT_ID, CLIENT_SECRET};
use self::{
    contract::{Contract, Operation},
    deliver::Deliverer,
    state::{State as Memory, Trouble},
};

/// The most that a request may hold.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// A running Dialpad.
#[derive(Clone)]
pub struct Fake(Arc<Inner>);

struct Inner {
    contract: Contract,
    memory: Mutex<Memory>,
    deliverer: Deliverer,
}

/// A request that is in Dialpad's document.
struct Asked {
    operation: Operation,
    /// Parameters of the path and of the query.
    parameters: Vec<(String, String)>,
    body: Value,
    bearer: Option<String>,
}

impl Asked {
    fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// The id in the path.
    fn id(&self) -> i64 {
        self.parameter("id").parse().unwrap_or_default()
    }
}

impl Default for Fake {
    fn default() -> Self {
        Self(Arc::new(Inner {
            contract: Contract::published(),
            memory: Mutex::default(),
            deliverer: Deliverer::default(),
        }))
    }
}

impl Fake {
    /// Serves it.
    pub fn router(&self) -> Router {
        Router::new()
            .nest("/fake", control::router(self.clone()))
            .fallback(documented)
            .with_state(self.clone())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whatever Dialpad's document knows.
async fn documented(State(fake): State<Fake>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT_BYTES).await else {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.");
    };
    let asked = match fake.0.contract.read(&head, &body) {
        Ok(asked) => asked,
        Err(violation) => {
            let said = refused(StatusCode::BAD_REQUEST, &violation);
            fake.memory().violations.push(violation);
            return said;
        }
    };
    let trouble = {
        let mut memory = fake.memory();
        let company = oauth::company(&memory, &asked);
        memory.note(&asked.operation.id, company)
    };
    match trouble {
        Some(Trouble::Hang { milliseconds }) => {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        }
        Some(Trouble::Status { status, retry_after }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return limits::with_retry_after(refused(status, "Trouble was asked for."), retry_after);
        }
        None => {}
    }
    if asked.operation.path.starts_with("/oauth2") {
        return oauth::answer(&fake, &asked);
    }
    management::answer(&fake, &asked)
}

fn refused(status: StatusCode, message: &str) -> Response {
    let body = json!({ "error": { "code": status.as_u16(), "message": message } });
    (status, [("content-type", "application/json")], Body::from(body.to_string())).into_response()
}
