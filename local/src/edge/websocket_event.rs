//! The events of the WebSocket API: CONNECT, MESSAGE, DISCONNECT.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use serde_json::{Value, json};

use super::connection::Connection;
use super::socket::Closed;
use super::{Gateway, event, ids};

/// The event of `$connect`: the only one that carries the request's headers and query.
///
/// Header names arrive in lower case here; on AWS they may be as the client wrote them. Case never matters.
pub(super) fn connect(gateway: &Gateway, connection: &Connection, request: &Parts) -> Value {
    let headers = event::forwarded_headers(request, &connection.domain, gateway.clock.now());
    let (single, multi) = single_and_multi(headers);
    let mut written = json!({
        "headers": single,
        "multiValueHeaders": multi,
        "requestContext": context(gateway, connection, "$connect", "CONNECT", &ids::opaque()),
        "isBase64Encoded": false,
    });
    let query = event::query(&request.uri);
    if !query.is_empty() {
        let (single, multi) = single_and_multi(query);
        written["queryStringParameters"] = json!(single);
        written["multiValueQueryStringParameters"] = json!(multi);
    }
    written
}

/// The event of a message.
pub(super) fn message(
    gateway: &Gateway,
    connection: &Connection,
    route: &str,
    request_id: &str,
    body: &str,
) -> Value {
    let mut context = context(gateway, connection, route, "MESSAGE", request_id);
    context["messageId"] = Value::from(ids::opaque());
    json!({ "requestContext": context, "body": body, "isBase64Encoded": false })
}

/// The event of `$disconnect`.
pub(super) fn disconnect(gateway: &Gateway, connection: &Connection, closed: &Closed) -> Value {
    let mut context = context(gateway, connection, "$disconnect", "DISCONNECT", &ids::opaque());
    context["disconnectStatusCode"] = Value::from(closed.code);
    context["disconnectReason"] = Value::from(closed.reason.as_str());
    let headers =
        [("Host", connection.domain.as_str()), ("x-api-key", ""), ("X-Forwarded-For", ""), ("x-restapi", "")];
    let (single, multi) = single_and_multi(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    json!({ "headers": single, "multiValueHeaders": multi, "requestContext": context, "isBase64Encoded": false })
}

fn context(gateway: &Gateway, connection: &Connection, route: &str, kind: &str, request_id: &str) -> Value {
    let now = gateway.clock.now();
    json!({
        "routeKey": route,
        "eventType": kind,
        "extendedRequestId": request_id,
        "requestTime": event::request_time(now),
        "messageDirection": "IN",
        "stage": gateway.websocket.stage,
        "connectedAt": connection.connected_at.timestamp_millis(),
        "requestTimeEpoch": now.timestamp_millis(),
        "identity": { "userAgent": connection.user_agent, "sourceIp": connection.source_ip.to_string() },
        "requestId": request_id,
        "domainName": connection.domain,
        "connectionId": connection.id,
        "apiId": gateway.websocket.id,
    })
}

/// The last value of each name, and all of them.
fn single_and_multi(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> (BTreeMap<String, String>, BTreeMap<String, Vec<String>>) {
    let mut single = BTreeMap::new();
    let mut multi: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        multi.entry(name.clone()).or_default().push(value.clone());
        single.insert(name, value);
    }
    (single, multi)
}
