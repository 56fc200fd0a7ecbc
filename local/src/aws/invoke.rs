//! The Lambda Invoke API: `POST /2015-03-31/functions/{name}/invocations`.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::json;

use crate::lambda::{InvokeError, Lambda, PAYLOAD_LIMIT_BYTES};

/// The router of the Invoke API.
pub(super) fn router(lambda: Lambda) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::max(PAYLOAD_LIMIT_BYTES))
        .with_state(lambda)
}

/// `name` is the binary, the logical id, or an ARN or part of one that ends in either.
async fn invoke(
    State(lambda): State<Lambda>,
    Path(name): Path<String>,
    headers: HeaderMap,
    event: Bytes,
) -> Response {
    let name = name.rsplit_once("function:").map_or(name.as_str(), |(_, rest)| rest);
    let name = name.split(':').next().unwrap_or_default().to_owned();
    let event = if event.is_empty() { Bytes::from_static(b"{}") } else { event };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&event) {
        return failure(StatusCode::BAD_REQUEST, "InvalidRequestContentException", &error.to_string());
    }
    match headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok()) {
        Some("Event") => start(lambda, name, event),
        Some("DryRun") => StatusCode::NO_CONTENT.into_response(),
        _ => answer(lambda.invoke_bytes(&name, event).await),
    }
}

/// Runs the function once, without anybody waiting; AWS would run a failed one twice more.
fn start(lambda: Lambda, name: String, event: Bytes) -> Response {
    if !lambda.knows(&name) {
        return answer(Err(InvokeError::UnknownFunction));
    }
    tokio::spawn(async move {
        if let Err(error) = lambda.invoke_bytes(&name, event).await {
            tracing::warn!(function = name, %error, "an asynchronous invocation failed");
        }
    });
    StatusCode::ACCEPTED.into_response()
}

fn answer(outcome: Result<Bytes, InvokeError>) -> Response {
    let (error_type, message) = match outcome {
        Ok(body) => {
            return (
                [("content-type", "application/json"), ("x-amz-executed-version", "$LATEST")],
                Body::from(body),
            )
                .into_response();
        }
        Err(InvokeError::UnknownFunction) => {
            return failure(StatusCode::NOT_FOUND, "ResourceNotFoundException", "Function not found");
        }
        Err(InvokeError::Failed { error_type, message }) => (error_type, message),
        Err(InvokeError::TimedOut) => ("Sandbox.Timedout".to_owned(), "Task timed out".to_owned()),
        Err(InvokeError::Unavailable(reason)) => ("Runtime.ExitError".to_owned(), reason),
    };
    let body = Json(json!({ "errorType": error_type, "errorMessage": message }));
    ([("x-amz-function-error", "Unhandled"), ("x-amz-executed-version", "$LATEST")], body).into_response()
}

fn failure(status: StatusCode, kind: &'static str, message: &str) -> Response {
    let body = Json(json!({ "Type": "User", "Message": message }));
    (status, [("x-amzn-errortype", kind)], body).into_response()
}
