//! Answers over HTTP, and the ids a request goes by.
//!
//! Bodies are text, so that any server or Lambda adapter can send them.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use crate::{domain::ids::new_id, problem::Problem, telemetry::TraceId};

/// The header that carries the request's id, in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header that carries the trace of a request; API Gateway writes it.
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// What an answer in JSON is.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a problem is (RFC 9457).
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// The id of a request: the client's own if it is at most 128 visible ASCII characters, else a new one.
#[must_use]
pub fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        })
        .map_or_else(|| new_id().to_string(), str::to_owned)
}

/// The trace that API Gateway put a request into.
#[must_use]
pub fn trace_id(headers: &HeaderMap) -> Option<TraceId> {
    headers.get(TRACE_ID)?.to_str().ok()?.parse().ok()
}

/// An answer in JSON. It is nobody's business but the caller's, so nothing on the way keeps it.
#[must_use]
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<String> {
    match serde_json::to_string(value) {
        Ok(body) => answer(status, JSON, body),
        Err(error) => {
            tracing::error!(component = "Rest", %error, "an answer cannot be written as JSON");
            problem(&Problem::new(500, "internal", "Something went wrong on our side."))
        }
    }
}

/// A refused request.
#[must_use]
pub fn problem(problem: &Problem) -> Response<String> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // It is made of text and numbers: writing it cannot fail.
    let body = serde_json::to_string(problem).unwrap_or_default();
    let mut response = answer(status, PROBLEM_JSON, body);
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Ok(id) = HeaderValue::from_str(&problem.request_id)
        && !id.is_empty()
    {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn answer(status: StatusCode, content_type: HeaderValue, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(value: &[u8]) -> String {
        let value = HeaderValue::from_bytes(value).unwrap();
        request_id(&HeaderMap::from_iter([(REQUEST_ID, value)]))
    }

    #[test]
    fn a_request_id_of_the_client_is_kept() {
        assert_eq!(id_for(b"order-17/a"), "order-17/a");
        assert_eq!(id_for(&[b'x'; 128]).len(), 128);
    }

    #[test]
    fn a_request_id_that_is_long_or_not_visible_is_replaced() {
        for value in [b"".as_slice(), b"two words", b"tab\there", b"caf\xe9", &[b'x'; 129]] {
            let id = id_for(value);
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
        }
    }

    #[test]
    fn a_problem_says_what_it_is_and_when_to_come_back() {
        let response = problem(&Problem::new(503, "database_unavailable", "Later.").at("/x", "r1"));
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert_eq!(response.headers()[REQUEST_ID], "r1");
        let body: serde_json::Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!((&body["code"], &body["instance"]), (&"database_unavailable".into(), &"/x".into()));
        assert_eq!((&body["success"], &body["message"]), (&false.into(), &"Later.".into()));
    }
}
