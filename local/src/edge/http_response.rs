//! A function's answer as an HTTP response.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::event::is_of_the_connection;

/// What is wrong with an answer.
#[derive(Debug)]
pub(super) struct Malformed(pub(super) &'static str);

/// An answer of the gateway itself.
pub(super) fn message(status: StatusCode, text: &str) -> Response {
    respond(status, HeaderMap::from_iter([json_type()]), Body::from(json!({ "message": text }).to_string()))
}

/// Turns an answer into a response: in payload format 2.0, or, without a `statusCode`, any JSON as a 200.
pub(super) fn from_answer(answer: &Value) -> Result<Response, Malformed> {
    match answer {
        Value::Object(fields) if fields.contains_key("statusCode") => proxied(fields),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            let body = Body::from(answer.to_string());
            Ok(respond(StatusCode::OK, HeaderMap::from_iter([json_type()]), body))
        }
    }
}

fn proxied(fields: &Map<String, Value>) -> Result<Response, Malformed> {
    let status = fields["statusCode"]
        .as_u64()
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (200..=599).contains(code))
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(Malformed("statusCode is not a final HTTP status"))?;

    let mut headers = HeaderMap::new();
    match fields.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Object(named)) => {
            for (name, value) in named {
                insert(&mut headers, name, value)?;
            }
        }
        Some(_) => return Err(Malformed("headers is not an object")),
    }
    match fields.get("cookies") {
        None | Some(Value::Null) => {}
        Some(Value::Array(cookies)) => {
            for cookie in cookies {
                let cookie = cookie.as_str().and_then(|cookie| HeaderValue::from_str(cookie).ok());
                headers.append(SET_COOKIE, cookie.ok_or(Malformed("a cookie is not a header value"))?);
            }
        }
        Some(_) => return Err(Malformed("cookies is not a list")),
    }

    let is_base64_encoded = fields.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or_default();
    let body = match fields.get("body") {
        None | Some(Value::Null) => Body::empty(),
        Some(Value::String(text)) if is_base64_encoded => {
            Body::from(STANDARD.decode(text).map_err(|_error| Malformed("body is not base64"))?)
        }
        Some(Value::String(text)) => Body::from(text.clone()),
        Some(_) => return Err(Malformed("body is not a text")),
    };
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Ok(respond(status, headers, body))
}

fn insert(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), Malformed> {
    let name = HeaderName::try_from(name).map_err(|_error| Malformed("a header's name is not one"))?;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Null => return Ok(()),
        Value::Array(_) | Value::Object(_) => return Err(Malformed("a header's value is not a text")),
    };
    let value = HeaderValue::from_str(&text).map_err(|_error| Malformed("a header's value is not one"))?;
    if !is_of_the_connection(&name) && name != CONTENT_LENGTH {
        headers.insert(name, value);
    }
    Ok(())
}

fn json_type() -> (HeaderName, HeaderValue) {
    (CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
