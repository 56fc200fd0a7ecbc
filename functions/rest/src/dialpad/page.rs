//! What a person sees who connects a company in a browser.

use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

use crate::error::Error;

/// Whether the client is a browser, by what it takes.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// A page with a heading and a text.
pub(super) fn page(status: StatusCode, heading: &str, text: &str) -> Response {
    let (heading, text) = (escaped(heading), escaped(text));
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{heading}</title><style>body{{font:16px/1.5 system-ui,sans-serif;\
         max-width:36em;margin:4em auto;padding:0 1em}}</style><h1>{heading}</h1><p>{text}</p></html>"
    );
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'")),
    ];
    (status, headers, html).into_response()
}

/// A refusal, for whoever asked: a page in a browser, else a problem document.
pub(super) fn refusal(error: Error, headers: &HeaderMap, request_id: &str) -> Response {
    if !is_wanted(headers) {
        return error.into_response();
    }
    let problem = error.problem();
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_server_error() {
        tracing::error!(component = "Dialpad", request_id, code = problem.code, error = %shared::telemetry::Chain(&error), "failed");
    }
    let text = format!("{} (request {request_id})", problem.detail);
    page(status, "The company was not connected", &text)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text_and_no_markup() {
        assert_eq!(escaped("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}
