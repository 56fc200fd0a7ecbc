//! The WebSocket API's handshake, and a connection's life from there.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection::{Connection, Outgoing};
use super::socket::{self, Closed};
use super::{Failure, Gateway, event, messages, websocket_event};
use crate::faults::Kind;
use crate::journal::{TARGET, milliseconds};
use crate::lambda::InvokeError;

/// How many messages of a connection wait for the one before them; then the client's sending is held up.
const WAITING_MESSAGES: usize = 32;

/// What a connection's lines in the journal begin with.
const COMPONENT: &str = "WebSocket";

/// Whether a request asks for a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Answers an upgrade request, once the `$connect` integration has answered.
///
/// Everything after the checks runs in a task of the connection's own, which a client that leaves during `$connect`
/// cannot stop: the function then gets its `$disconnect`, and keeps no connection that never was.
pub(super) async fn connect(gateway: Arc<Gateway>, mut request: Request) -> Response {
    let path = request.uri().path().trim_matches('/');
    if path != gateway.websocket.stage {
        return empty(StatusCode::FORBIDDEN);
    }
    if *gateway.stopping.borrow() {
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    }
    if !gateway.faults.admits(Kind::ConnectRate, Instant::now()) {
        return empty(StatusCode::TOO_MANY_REQUESTS);
    }
    let Some(accept) = accept_key(&request) else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (request, _body) = request.into_parts();
    let (answer, answered) = oneshot::channel();
    tokio::spawn(live(gateway, request, accept, answer, upgrade));
    answered.await.unwrap_or_else(|_panicked| empty(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Who connects, as far as the address tells: a ticket keeps to itself whether it is a user's.
fn kind(request: &Parts) -> &'static str {
    let names: Vec<_> = event::query(&request.uri).into_iter().map(|(name, _value)| name).collect();
    let is_given = |name: &str| names.iter().any(|given| given == name);
    match (is_given("ticket"), is_given("user_id")) {
        (true, _) => "ticket",
        (false, true) => "user",
        (false, false) => "app",
    }
}

/// What the request's key is answered with, or `None` when the request is not a WebSocket handshake.
fn accept_key(request: &Request) -> Option<HeaderValue> {
    let headers = request.headers();
    let is_connection_upgrade = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let is_version_13 = headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if request.method() != Method::GET || !is_connection_upgrade || !is_version_13 {
        return None;
    }
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

async fn live(
    gateway: Arc<Gateway>,
    request: Parts,
    accept: HeaderValue,
    answer: oneshot::Sender<Response>,
    upgrade: OnUpgrade,
) {
    // Held to the end: `Edge::shut_down` waits for it.
    let stopping = gateway.stopping.subscribe();
    let (connection, frames) = Connection::new(&gateway, &request);
    let asked = Instant::now();
    let kind = kind(&request);
    let subprotocol = match ask(&gateway, &connection, &request).await {
        Ok(subprotocol) => subprotocol,
        Err(status) => {
            let duration_ms = milliseconds(asked.elapsed());
            tracing::info!(target: TARGET, component = COMPONENT, status = status.as_u16(), duration_ms, "refused");
            // A send that fails has no client left to tell.
            let _ = answer.send(empty(status));
            return;
        }
    };
    drop(request);

    // Open before the client hears of it: a post that it causes right away finds the connection.
    let connection = Arc::new(connection);
    gateway.connections.insert(Arc::clone(&connection));
    let duration_ms = milliseconds(asked.elapsed());
    tracing::info!(target: TARGET, component = COMPONENT, connection_id = connection.id, kind, duration_ms, "connected");
    let _ = answer.send(switching(accept, subprotocol));
    let closed = match upgrade.await {
        Ok(upgraded) => carry(&gateway, &connection, TokioIo::new(upgraded), frames).await,
        Err(_client_left) => Closed::lost(),
    };
    gateway.connections.remove(&connection.id);

    tracing::info!(
        target: TARGET,
        component = COMPONENT,
        connection_id = connection.id,
        kind,
        code = closed.code,
        open_seconds = asked.elapsed().as_secs(),
        "disconnected"
    );
    let is_dropped = gateway.faults.strike(Kind::DisconnectDrop, "").is_some();
    if let Some(route) = gateway.websocket.routes.get("$disconnect").filter(|_| !is_dropped) {
        let event = websocket_event::disconnect(&gateway, &connection, &closed);
        if let Err(failure) = gateway.invoke(&route.function, route.timeout, event).await {
            failure.log(&route.function, "$disconnect");
        }
    }
    drop(stopping);
}

/// Invokes `$connect`: the subprotocol it chose, or the status the client is refused with.
async fn ask(
    gateway: &Gateway,
    connection: &Connection,
    request: &Parts,
) -> Result<Option<HeaderValue>, StatusCode> {
    let Some(route) = gateway.websocket.routes.get("$connect") else {
        return Ok(None);
    };
    let event = websocket_event::connect(gateway, connection, request);
    let answer = gateway.invoke(&route.function, route.timeout, event).await.map_err(|failure| {
        failure.log(&route.function, "$connect");
        match failure {
            Failure::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Failure::Function(InvokeError::UnknownFunction) => StatusCode::INTERNAL_SERVER_ERROR,
            Failure::Function(
                InvokeError::Failed { .. } | InvokeError::TimedOut | InvokeError::Unavailable(_),
            ) => StatusCode::BAD_GATEWAY,
        }
    })?;
    let status = answer.get("statusCode").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    match status.and_then(|code| StatusCode::from_u16(code).ok()) {
        Some(status) if status.is_success() => Ok(subprotocol(&answer)),
        Some(status) if !status.is_informational() => Err(status),
        Some(_) | None => {
            tracing::error!(function = route.function, "the answer to $connect has no usable statusCode");
            Err(StatusCode::BAD_GATEWAY)
        }
    }
}

fn subprotocol(answer: &Value) -> Option<HeaderValue> {
    let headers = answer.get("headers")?.as_object()?;
    let name = SEC_WEBSOCKET_PROTOCOL.as_str();
    let (_name, value) = headers.iter().find(|(header, _value)| header.eq_ignore_ascii_case(name))?;
    HeaderValue::from_str(value.as_str()?).ok()
}

/// Runs the socket and, beside it, the invocations of its messages, until both are done.
///
/// What the client sent before it closed is still invoked, and `$disconnect` comes after that.
async fn carry(
    gateway: &Gateway,
    connection: &Connection,
    io: socket::Io,
    frames: mpsc::UnboundedReceiver<Outgoing>,
) -> Closed {
    let (incoming, received) = mpsc::channel(WAITING_MESSAGES);
    let (closed, ()) = tokio::join!(
        socket::run(gateway, connection, io, frames, incoming),
        messages::deliver(gateway, connection, received),
    );
    closed
}

fn switching(accept: HeaderValue, subprotocol: Option<HeaderValue>) -> Response {
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(subprotocol) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
