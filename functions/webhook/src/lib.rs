//! Takes Dialpad's deliveries: verify, store once, tell the queue, answer. No business logic.
//!
//! Dialpad waits 5 seconds, retries a call's event for 14, and never retries a 4xx. So a delivery that the database does
//! not take in time goes to the event queue, and the answer is still 200.

mod config;
mod delivery;
mod error;
mod intake;
mod secrets;

pub use config::Config;
pub use intake::Intake;

use lambda_http::{Body, Request, Response};
use shared::{http, telemetry::Chain};
use tracing::{error, warn};

/// Answers one request.
pub async fn handle(intake: &Intake, request: Request) -> Response<Body> {
    let request_id = http::request_id(request.headers());
    let path = request.uri().path().to_owned();
    let response = match intake.take(request, &request_id).await {
        Ok(()) => http::json(lambda_http::http::StatusCode::OK, &serde_json::json!({ "received": true })),
        Err(refusal) => {
            let problem = refusal.problem().at(&path, &request_id);
            if problem.status >= 500 {
                error!(component = "Webhook", request_id, code = refusal.code(), error = %Chain(&refusal), "delivery not kept");
            } else {
                warn!(component = "Webhook", request_id, code = refusal.code(), error = %Chain(&refusal), "delivery refused");
            }
            http::problem(&problem)
        }
    };
    let mut response = response.map(Body::Text);
    if let Ok(id) = request_id.parse() {
        response.headers_mut().insert(http::REQUEST_ID, id);
    }
    response
}
