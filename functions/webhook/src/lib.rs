//! Takes Dialpad's deliveries: verify, store once, tell the queue, answer. No business logic.
//!
//! Dialpad waits 5 seconds, retries a call's event for 14, and never retries a 4xx. So a delivery that the database does
//! not take in time goes to the spill queue, and the answer is still 200.

mod config;
mod delivery;
mod error;
mod intake;
mod patience;
mod secrets;

pub use config::Config;
pub use intake::Intake;

use lambda_http::{Body, Request, RequestExt as _, Response};
use shared::{
    http,
    telemetry::{Chain, Metric, TraceId},
};
use tracing::{error, warn};

use crate::{delivery::Recipient, intake::Told};

/// Answers one request.
pub async fn handle(intake: &Intake, request: Request) -> Response<Body> {
    let request_id = http::request_id(request.headers());
    let trace_id = trace_id(&request);
    let path = request.uri().path().to_owned();
    let told = Told { request_id: &request_id, trace_id: trace_id.as_ref() };
    let response = match intake.take(request, told).await {
        Ok(()) => http::json(lambda_http::http::StatusCode::OK, &serde_json::json!({ "received": true })),
        Err(refusal) => {
            let problem = refusal.problem().at(&path, &request_id);
            let (reason, app_id) = (refusal.code(), Recipient::app_of(&path).map(tracing::field::display));
            let trace_id = trace_id.as_ref().map(TraceId::as_str);
            if problem.status >= 500 {
                error!(component = "Webhook", request_id, app_id, trace_id, reason, error = %Chain(&refusal), "rejected");
            } else {
                warn!(component = "Webhook", request_id, app_id, trace_id, reason, error = %Chain(&refusal), "rejected");
            }
            intake.metrics().count(Metric::Rejected, reason);
            http::problem(&problem)
        }
    };
    let mut response = response.map(Body::Text);
    if let Ok(id) = request_id.parse() {
        response.headers_mut().insert(http::REQUEST_ID, id);
    }
    intake.flush();
    response
}

/// The trace that API Gateway put the request into, else the invocation's.
fn trace_id(request: &Request) -> Option<TraceId> {
    http::trace_id(request.headers())
        .or_else(|| request.lambda_context_ref()?.xray_trace_id.as_deref()?.parse().ok())
}
