//! The Lambda Runtime API, as one process of a function sees it.
//!
//! Every process has its own listener, so a request's origin is known without a header.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use super::{InvokeError, PAYLOAD_LIMIT_BYTES, process::Process};
use crate::template::ACCOUNT;

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");

/// Room for an answer over the limit, so that it is refused with a reason and not with a cut connection.
const BODY_LIMIT_BYTES: usize = 4 * PAYLOAD_LIMIT_BYTES;

/// What a runtime reports when it, or the function, fails.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Report {
    error_type: String,
    error_message: String,
}

/// Serves one process until the task is aborted.
pub(super) async fn serve(listener: TcpListener, process: Arc<Process>) {
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    // Serving ends only with the task: an error of one connection is that connection's.
    let _ = axum::serve(listener, router(process)).await;
}

fn router(process: Arc<Process>) -> Router {
    let api = Router::new()
        .route("/runtime/invocation/next", get(next))
        .route("/runtime/invocation/{id}/response", post(response))
        .route("/runtime/invocation/{id}/error", post(error))
        .route("/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(process);
    Router::new().nest("/2018-06-01", api)
}

async fn next(State(process): State<Arc<Process>>) -> Response {
    let Some(job) = process.next().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = epoch_milliseconds(SystemTime::now() + job.timeout);
    let region = process.region();
    let headers = [
        (FUNCTION_ARN, format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{}", process.function_name())),
        (TRACE_ID, trace_id(&job.id, deadline)),
        (DEADLINE, deadline.to_string()),
        (REQUEST_ID, job.id),
        (axum::http::header::CONTENT_TYPE, "application/json".to_owned()),
    ];
    (headers, job.event).into_response()
}

async fn response(State(process): State<Arc<Process>>, Path(id): Path<String>, body: Bytes) -> Response {
    if body.len() > PAYLOAD_LIMIT_BYTES {
        let message = format!("the answer has {} bytes, {PAYLOAD_LIMIT_BYTES} are allowed", body.len());
        let error_type = "Function.ResponseSizeTooLarge".to_owned();
        process.answer(&id, Err(InvokeError::Failed { error_type, message }));
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    accepted(process.answer(&id, Ok(body)))
}

async fn error(State(process): State<Arc<Process>>, Path(id): Path<String>, body: Bytes) -> Response {
    let Report { error_type, error_message: message } = report(&body);
    tracing::warn!(function = process.function_name(), error_type, message, "function failed");
    accepted(process.answer(&id, Err(InvokeError::Failed { error_type, message })))
}

async fn init_error(State(process): State<Arc<Process>>, body: Bytes) -> Response {
    let report = report(&body);
    process.note_init_error(format!("{}: {}", report.error_type, report.error_message));
    accepted(true)
}

fn report(body: &[u8]) -> Report {
    serde_json::from_slice(body).unwrap_or_else(|_| Report {
        error_type: "Runtime.Unknown".to_owned(),
        error_message: String::from_utf8_lossy(body).into_owned(),
    })
}

fn accepted(is_known: bool) -> Response {
    if is_known {
        (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
    } else {
        let body = json!({ "errorType": "InvalidRequestID", "errorMessage": "Invalid request ID" });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}

fn epoch_milliseconds(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

/// A trace id in X-Ray's form, made from the request id.
fn trace_id(request_id: &str, milliseconds: u128) -> String {
    let digits: String = request_id.chars().filter(char::is_ascii_hexdigit).take(24).collect();
    format!("Root=1-{:08x}-{digits:0<24};Sampled=0", milliseconds / 1_000)
}
