//! Messages from clients: which route takes them, and what goes back.

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::connection::Connection;
use super::{Failure, Gateway, ids, websocket_event};
use crate::template::WebSocketRoute;

/// Invokes a function for each message of a connection, one at a time and in the order they came.
///
/// API Gateway promises no order and may run the messages of one connection in parallel. Keeping them apart here
/// makes a local run repeatable; a function must not rely on it.
pub(super) async fn deliver(
    gateway: &Gateway,
    connection: &Connection,
    mut received: mpsc::Receiver<Utf8Bytes>,
) {
    while let Some(text) = received.recv().await {
        let request_id = ids::opaque();
        if let Some(reply) = answer(gateway, connection, &request_id, &text).await {
            // Nobody is there any more to read it.
            let _ = connection.reply(Utf8Bytes::from(reply), gateway.clock.now()).await;
        }
    }
}

/// What goes back to the client, if anything.
async fn answer(gateway: &Gateway, connection: &Connection, request_id: &str, text: &str) -> Option<String> {
    let Some((key, route)) = select(gateway, text) else {
        return Some(complaint("Forbidden", connection, request_id));
    };
    let event = websocket_event::message(gateway, connection, key, request_id, text);
    match gateway.invoke(&route.function, route.timeout, event).await {
        Ok(_one_way) if !route.has_route_response => None,
        Ok(answer) => match answer.get("body") {
            Some(Value::String(body)) if body.len() <= gateway.limits.message_bytes => {
                Some(body.clone()).filter(|body| !body.is_empty())
            }
            None | Some(Value::Null) => None,
            Some(_) => {
                tracing::error!(
                    function = route.function,
                    "the answer's body is not a text of at most 128 KiB"
                );
                Some(complaint("Internal server error", connection, request_id))
            }
        },
        Err(failure) => {
            failure.log(&route.function, key);
            let complained = match failure {
                Failure::TimedOut => "Endpoint request timed out",
                Failure::Function(_) => "Internal server error",
            };
            Some(complaint(complained, connection, request_id))
        }
    }
}

/// The frame the gateway itself sends.
fn complaint(message: &str, connection: &Connection, request_id: &str) -> String {
    json!({ "message": message, "connectionId": connection.id, "requestId": request_id }).to_string()
}

/// The route for a message: the one the selection expression names, else `$default`.
///
/// A client cannot name `$connect` or `$disconnect`: those stand for what the gateway saw, not for what it was told.
fn select<'a>(gateway: &'a Gateway, text: &str) -> Option<(&'a str, &'a WebSocketRoute)> {
    let routes = &gateway.websocket.routes;
    chosen(&gateway.websocket.selection_expression, text)
        .filter(|name| !name.starts_with('$'))
        .and_then(|name| routes.get_key_value(&name))
        .or_else(|| routes.get_key_value("$default"))
        .map(|(key, route)| (key.as_str(), route))
}

/// What the expression selects in a message; `None` for one that is no JSON object or has no such text.
fn chosen(expression: &str, text: &str) -> Option<String> {
    let inner = expression.strip_prefix('$')?;
    let inner = inner.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(inner);
    let path = inner.strip_prefix("request.body.")?;
    let message: Value = serde_json::from_str(text).ok()?;
    let selected = path.split('.').try_fold(&message, |value, name| value.as_object()?.get(name))?;
    selected.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_selects_a_text_in_a_json_object() {
        let chosen = |text| chosen("$request.body.action", text);
        assert_eq!(chosen(r#"{"action":"ping"}"#).as_deref(), Some("ping"));
        for other in [r#"{"action":1}"#, r#"{"other":"ping"}"#, r#"["action"]"#, "\"ping\"", "not json", ""] {
            assert_eq!(chosen(other), None, "{other}");
        }
    }

    #[test]
    fn an_expression_may_be_braced_and_may_go_deeper() {
        assert_eq!(chosen("${request.body.a.b}", r#"{"a":{"b":"c"}}"#).as_deref(), Some("c"));
        assert_eq!(chosen("$request.header.a", r#"{"a":"b"}"#), None);
    }
}
