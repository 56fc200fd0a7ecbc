//! The HTTP API: a request in, an invocation, a response out.

use std::time::Instant;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use percent_encoding::percent_decode_str;

use super::body::{self, Unreadable};
use super::http_event::{self, Received};
use super::http_response::{self, message};
use super::routes::Matched;
use super::{Failure, Gateway, ids};
use crate::journal::{TARGET, milliseconds, shape};
use crate::lambda::{InvokeError, TOO_LARGE};

const REQUEST_ID_HEADER: &str = "apigw-requestid";

/// Answers a request as an HTTP API with payload format 2.0 does.
pub(super) async fn handle(gateway: &Gateway, request: Request) -> Response {
    let started = Instant::now();
    let request_id = ids::opaque();
    let (parts, body) = request.into_parts();

    let path = decoded_path(&parts);
    let mut response = match &path {
        None => message(StatusCode::BAD_REQUEST, "Bad Request"),
        Some(path) => match gateway.routes.find(parts.method.as_str(), path) {
            None => message(StatusCode::NOT_FOUND, "Not Found"),
            Some(route) => match body::read(body, gateway.limits.body_bytes).await {
                Ok(body) => integrate(gateway, &request_id, &parts, path, &route, &body).await,
                Err(Unreadable::TooLarge) => {
                    message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
                }
                Err(Unreadable::Broken) => message(StatusCode::BAD_REQUEST, "Bad Request"),
            },
        },
    };
    tracing::info!(
        target: TARGET,
        component = "HTTP",
        method = %parts.method,
        path = shape(path.as_deref().unwrap_or_default()),
        status = response.status().as_u16(),
        duration_ms = milliseconds(started.elapsed()),
        request_id
    );

    if let Ok(request_id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, request_id);
    }
    response
}

/// The path as functions see it. HTTP APIs decode it, and what follows a decoded `?` is lost.
fn decoded_path(request: &Parts) -> Option<String> {
    let decoded = percent_decode_str(request.uri.path()).decode_utf8().ok()?;
    Some(decoded.split('?').next().unwrap_or_default().to_owned())
}

async fn integrate(
    gateway: &Gateway,
    request_id: &str,
    request: &Parts,
    path: &str,
    route: &Matched<'_>,
    body: &Bytes,
) -> Response {
    let received = Received { request, path, route, body, request_id, at: gateway.clock.now() };
    let event = http_event::build(&received, &gateway.domain);
    match gateway.invoke(route.function, route.timeout, event).await {
        Ok(answer) => http_response::from_answer(&answer).unwrap_or_else(|malformed| {
            tracing::error!(
                function = route.function,
                reason = malformed.0,
                "the function's answer is malformed"
            );
            message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }),
        Err(failure) => {
            failure.log(route.function, route.key);
            match failure {
                Failure::TimedOut => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
                // Below the limit of an HTTP request and above Lambda's: in base64, a body of 4.5 MB is too large.
                Failure::Function(InvokeError::Failed { error_type, .. }) if error_type == TOO_LARGE => {
                    message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
                }
                Failure::Function(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            }
        }
    }
}
