//! The AWS endpoint that the functions call: one port, several services.
//!
//! `DynamoDB` and SQS share the root path and are told apart by `X-Amz-Target`; Lambda Invoke and `@connections` have
//! paths of their own.

pub mod dynamodb;
pub mod invoke;
pub mod mapping;
pub mod sqs;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};

use self::{dynamodb::DynamoDb, sqs::Sqs};
use crate::lambda::Lambda;

/// `DynamoDB` takes the largest requests.
const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// The services behind the endpoint.
#[derive(Clone)]
struct Services {
    dynamodb: Arc<DynamoDb>,
    sqs: Sqs,
}

/// The router of the AWS endpoint; `connections` serves `/{stage}/@connections/{id}`.
pub fn router(dynamodb: DynamoDb, sqs: Sqs, lambda: Lambda, connections: Router) -> Router {
    Router::new()
        .route("/", post(root))
        .with_state(Services { dynamodb: Arc::new(dynamodb), sqs })
        .merge(invoke::router(lambda))
        .merge(connections)
}

async fn root(State(services): State<Services>, headers: HeaderMap, request: Request) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    if let Some(action) = target.strip_prefix("AmazonSQS.") {
        match axum::body::to_bytes(request.into_body(), BODY_LIMIT_BYTES).await {
            Ok(body) => services.sqs.call(action, &body),
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        }
    } else if target.starts_with("DynamoDB") {
        services.dynamodb.forward(request).await
    } else {
        let body = r#"{"__type":"UnknownOperationException","message":"SQS and DynamoDB are served here"}"#;
        (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body).into_response()
    }
}
