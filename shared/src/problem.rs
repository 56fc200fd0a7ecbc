//! Problem details (RFC 9457), as every refused request is answered.

use serde::Serialize;

/// One field or parameter that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer of the field in the body (RFC 6901), or the name of the query parameter.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A problem document. `success`, `error` and `message` repeat it in the older shape, so that an old client still
/// reads it.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// A URI reference that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words; the same for every occurrence.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// This occurrence in words.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// Stable name to program against.
    pub code: &'static str,
    /// The request, as logged.
    pub request_id: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Always false.
    pub success: bool,
    /// The title again.
    pub error: &'static str,
    /// The detail again.
    pub message: String,
    /// Seconds after which to try again; sent as `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of this status, with the stable `code` and the text for this occurrence.
    #[must_use]
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let title = title(status);
        Self {
            kind: format!("/docs#problem-{code}"),
            title,
            status,
            message: detail.clone(),
            detail,
            instance: String::new(),
            code,
            request_id: String::new(),
            errors: Vec::new(),
            success: false,
            error: title,
            retry_after: (status == 503).then_some(1),
        }
    }

    /// Names the wrong fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Says where and in which request it happened.
    #[must_use]
    pub fn at(mut self, instance: &str, request_id: &str) -> Self {
        instance.clone_into(&mut self.instance);
        request_id.clone_into(&mut self.request_id);
        self
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
