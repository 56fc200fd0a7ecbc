//! `@connections`: how functions reach clients.
//!
//! Requests are signed by the SDK; the signature is not checked here.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::connection::{Connection, Refused};
use super::{Gateway, body, ids};
use crate::{
    faults::Kind,
    timing::{self, Point},
};

type Target = Path<(String, String)>;

/// The routes, with `@` plain and percent-encoded; the SDKs differ.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/{stage}/@connections/{id}", methods())
        .route("/{stage}/%40connections/{id}", methods())
        .with_state(gateway)
}

fn methods() -> MethodRouter<Arc<Gateway>> {
    get(find).post(post).delete(close)
}

/// An answer other than success, as the SDK knows it.
enum Exception {
    /// The stage is not this API's.
    Forbidden,
    /// There is no such connection, not yet or no more.
    Gone,
    /// The client has too much unread.
    LimitExceeded,
    /// There are too many posts.
    Throttled,
    /// Nothing came of it.
    NoAnswer,
    /// The message is too large.
    PayloadTooLarge,
    /// The message is no text.
    BadRequest,
}

impl IntoResponse for Exception {
    fn into_response(self) -> Response {
        let (status, name, message) = match self {
            Self::Forbidden => (StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden"),
            Self::Gone => (StatusCode::GONE, "GoneException", "Gone"),
            Self::LimitExceeded => {
                (StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", "The client's buffer is full")
            }
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", "Rate exceeded"),
            Self::NoAnswer => (StatusCode::GATEWAY_TIMEOUT, "InternalServerException", "No answer"),
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", "The message is too large")
            }
            Self::BadRequest => (StatusCode::BAD_REQUEST, "BadRequestException", "The message is not UTF-8"),
        };
        let mut response = answer(status, Body::from(json!({ "message": message }).to_string()));
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(name));
        response
    }
}

async fn post(
    State(gateway): State<Arc<Gateway>>,
    Path((stage, id)): Target,
    message: Body,
) -> Result<Response, Exception> {
    check(&gateway, &stage)?;
    let message = read(&gateway, message).await?;
    timing::note(Point::Posted, &stage);
    hinder(&gateway).await?;
    let connection = gateway.connections.find(&id).ok_or(Exception::Gone)?;
    connection.post(message, gateway.clock.now()).map_err(|refused| match refused {
        Refused::Full => Exception::LimitExceeded,
        Refused::Gone => Exception::Gone,
    })?;
    Ok(answer(StatusCode::OK, Body::empty()))
}

/// What may come between a post and its client.
async fn hinder(gateway: &Gateway) -> Result<(), Exception> {
    let faults = &gateway.faults;
    if !faults.admits(Kind::PostRate, Instant::now()) || faults.strike(Kind::PostThrottle, "").is_some() {
        return Err(Exception::Throttled);
    }
    if faults.strike(Kind::PostGone, "").is_some() {
        return Err(Exception::Gone);
    }
    if let Some(strike) = faults.strike(Kind::PostHang, "") {
        tokio::time::sleep(strike.lasting).await;
        return Err(Exception::NoAnswer);
    }
    Ok(())
}

async fn find(State(gateway): State<Arc<Gateway>>, Path((stage, id)): Target) -> Result<Response, Exception> {
    check(&gateway, &stage)?;
    let connection = gateway.connections.find(&id).ok_or(Exception::Gone)?;
    Ok(answer(StatusCode::OK, Body::from(description(&connection))))
}

async fn close(
    State(gateway): State<Arc<Gateway>>,
    Path((stage, id)): Target,
) -> Result<Response, Exception> {
    check(&gateway, &stage)?;
    let connection = gateway.connections.remove(&id).ok_or(Exception::Gone)?;
    connection.close();
    Ok(answer(StatusCode::NO_CONTENT, Body::empty()))
}

fn check(gateway: &Gateway, stage: &str) -> Result<(), Exception> {
    if stage == gateway.websocket.stage { Ok(()) } else { Err(Exception::Forbidden) }
}

async fn read(gateway: &Gateway, message: Body) -> Result<Utf8Bytes, Exception> {
    let message: Bytes =
        body::read(message, gateway.limits.message_bytes).await.map_err(|error| match error {
            body::Unreadable::TooLarge => Exception::PayloadTooLarge,
            body::Unreadable::Broken => Exception::BadRequest,
        })?;
    Utf8Bytes::try_from(message).map_err(|_error| Exception::BadRequest)
}

fn description(connection: &Connection) -> String {
    json!({
        "connectedAt": iso(connection.connected_at),
        "identity": { "sourceIp": connection.source_ip.to_string(), "userAgent": connection.user_agent },
        "lastActiveAt": iso(connection.last_active_at()),
    })
    .to_string()
}

fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn answer(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(request_id) = HeaderValue::from_str(&ids::opaque()) {
        response.headers_mut().insert("x-amzn-requestid", request_id);
    }
    response
}
