//! The event of an HTTP request: payload format 2.0.

use axum::body::Bytes;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::event;
use super::routes::Matched;
use crate::template::ACCOUNT;

/// A request that found its route.
pub(super) struct Received<'a> {
    pub(super) request: &'a Parts,
    pub(super) path: &'a str,
    pub(super) route: &'a Matched<'a>,
    pub(super) body: &'a Bytes,
    pub(super) request_id: &'a str,
    pub(super) at: DateTime<Utc>,
}

/// Writes the event the function gets.
pub(super) fn build(received: &Received<'_>, default_domain: &str) -> Value {
    let request = received.request;
    let domain = event::domain(&request.headers, default_domain);
    let mut written = json!({
        "version": "2.0",
        "routeKey": received.route.key,
        "rawPath": received.path,
        "rawQueryString": request.uri.query().unwrap_or_default(),
        "headers": headers(received, &domain),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": domain.split(['.', ':']).next(),
            "http": {
                "method": request.method.as_str(),
                "path": received.path,
                "protocol": format!("{:?}", request.version),
                "sourceIp": event::source_ip(request).to_string(),
                "userAgent": event::user_agent(&request.headers),
            },
            "requestId": received.request_id,
            "routeKey": received.route.key,
            "stage": "$default",
            "time": event::request_time(received.at),
            "timeEpoch": received.at.timestamp_millis(),
        },
        "isBase64Encoded": false,
    });
    let cookies = cookies(&request.headers);
    if !cookies.is_empty() {
        written["cookies"] = Value::from(cookies);
    }
    let query = joined(event::query(&request.uri));
    if !query.is_empty() {
        written["queryStringParameters"] = Value::Object(query);
    }
    if !received.route.parameters.is_empty() {
        let parameters = received.route.parameters.iter();
        written["pathParameters"] =
            parameters.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    }
    if !received.body.is_empty() {
        let (body, is_base64_encoded) = encoded(&request.headers, received.body);
        written["body"] = Value::from(body);
        written["isBase64Encoded"] = Value::from(is_base64_encoded);
    }
    written
}

/// The headers; cookies stand in a list of their own.
fn headers(received: &Received<'_>, domain: &str) -> Map<String, Value> {
    let mut forwarded = event::forwarded_headers(received.request, domain, received.at);
    forwarded.retain(|(name, _value)| name != COOKIE.as_str() && name != CONTENT_LENGTH.as_str());
    let mut headers = joined(forwarded);
    headers.insert(CONTENT_LENGTH.as_str().to_owned(), Value::from(received.body.len().to_string()));
    headers
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values =
        headers.get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    values
        .flat_map(|value| value.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// One text per name, several values joined by a comma.
fn joined(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut joined = Map::new();
    for (name, value) in pairs {
        match joined.get_mut(&name) {
            Some(Value::String(present)) => {
                present.push(',');
                present.push_str(&value);
            }
            Some(_) | None => {
                joined.insert(name, Value::String(value));
            }
        }
    }
    joined
}

/// The body, and whether it is base64.
///
/// Bytes that are not UTF-8 are base64 even when the type says text, because nothing else keeps them.
fn encoded(headers: &HeaderMap, body: &Bytes) -> (String, bool) {
    if is_text(headers)
        && let Ok(text) = std::str::from_utf8(body)
    {
        return (text.to_owned(), false);
    }
    (STANDARD.encode(body), true)
}

/// Whether API Gateway hands a body of this type on as text.
///
/// Measured on AWS, not documented: `text/*` and these three. Forms, JSON Web Tokens and a missing type are binary.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&media_type.as_str())
}
