//! Deliveries to the webhook's `handle`, with the real database and queue, and no Lambda around it.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use lambda_http::{Body, Request, http::Method};
use serde::Deserialize;
use shared::{config::Secret, dialpad::jws};
use webhook::Intake;

use crate::Outcome;

/// Which deliveries.
#[derive(Debug, Deserialize)]
pub(crate) struct Order {
    app_id: String,
    secret: String,
    payloads: Vec<serde_json::Value>,
    /// How many are under way at once.
    at_once: usize,
}

/// Carries it out. Signing is the sender's work, and is done before the time runs.
pub(crate) async fn run(intake: &Intake, order: &Order) -> Outcome {
    let secret = Secret::new(&order.secret);
    let sign = |payload: &serde_json::Value| jws::sign(&payload.to_string(), &secret);
    let requests: Vec<_> =
        order.payloads.iter().map(|payload| request(&order.app_id, sign(payload))).collect();
    let started = Instant::now();
    let answers: Vec<bool> = stream::iter(requests)
        .map(async |request| webhook::handle(intake, request).await.status().is_success())
        .buffer_unordered(order.at_once)
        .collect()
        .await;
    let done = answers.iter().filter(|success| **success).count();
    Outcome { seconds: started.elapsed().as_secs_f64(), done, failed: answers.len() - done }
}

fn request(app_id: &str, body: String) -> Request {
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    // One that is no address is answered 404, and counted as failed.
    *request.uri_mut() = format!("/webhooks/dialpad/{app_id}").parse().unwrap_or_default();
    request
}
