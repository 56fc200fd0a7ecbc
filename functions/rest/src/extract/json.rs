//! Bodies in JSON.
//!
//! A body is read in two steps, so that each mistake gets its status: text that is no JSON is 400, JSON that is not what
//! the route takes is 422 and names the field.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use shared::problem::FieldError;

use super::shortened;
use crate::{
    Deps,
    error::{Error, Result},
};

/// A body that must be there.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Deps>> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, deps: &Arc<Deps>) -> Result<Self> {
        let value = receive(request, deps).await?.ok_or(Error::BodyMissing)?;
        read(&value, "").map(Self).map_err(|error| Error::Invalid(vec![error]))
    }
}

/// A body that may be missing, or `null`: then it is the default.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<Deps>> for OptionalJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, deps: &Arc<Deps>) -> Result<Self> {
        match receive(request, deps).await? {
            None | Some(Value::Null) => Ok(Self(T::default())),
            Some(value) => read(&value, "").map(Self).map_err(|error| Error::Invalid(vec![error])),
        }
    }
}

/// The body as JSON, or nothing if it is empty.
async fn receive(request: Request, deps: &Arc<Deps>) -> Result<Option<Value>> {
    let acceptable = is_json(request.headers());
    let bytes = Bytes::from_request(request, deps).await.map_err(refused)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !acceptable {
        return Err(Error::UnsupportedMediaType);
    }
    let mut value: Value = serde_json::from_slice(&bytes).map_err(Error::MalformedJson)?;
    make_integral(&mut value);
    let mut wrong = Vec::new();
    find_nul(&value, &mut String::new(), &mut wrong);
    if wrong.is_empty() { Ok(Some(value)) } else { Err(Error::Invalid(wrong)) }
}

fn refused(rejection: BytesRejection) -> Error {
    if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
        Error::BodyTooLarge
    } else {
        Error::BodyUnreadable
    }
}

/// Whether a body of these headers may be JSON; one that does not say what it is may.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return true };
    let media_type = content_type
        .to_str()
        .unwrap_or("?")
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Writes 60.0 as 60: to JSON Schema both are the same integer.
fn make_integral(value: &mut Value) {
    /// Up to here every integer is a float, and none is two of them.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)
            {
                #[expect(clippy::cast_possible_truncation, reason = "it is an integer within these bounds")]
                let integer = float as i64;
                *value = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_integral),
        Value::Object(members) => members.values_mut().for_each(make_integral),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Postgres cannot hold U+0000 in a text, so no text may have it.
fn find_nul(value: &Value, pointer: &mut String, wrong: &mut Vec<FieldError>) {
    let length = pointer.len();
    match value {
        Value::String(text) if text.contains('\0') => {
            wrong.push(FieldError { pointer: pointer.clone(), detail: "must not contain U+0000".to_owned() });
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                push(pointer, &index.to_string());
                find_nul(item, pointer, wrong);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                push(pointer, name);
                find_nul(member, pointer, wrong);
                pointer.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reads a value as what is wanted, a struct, or says which field is wrong. `at` is the pointer of the value itself.
pub(crate) fn read<T: DeserializeOwned>(value: &Value, at: &str) -> Result<T, FieldError> {
    // serde would take the members of a struct out of an array, in their order.
    if !value.is_object() {
        return Err(FieldError { pointer: at.to_owned(), detail: "must be an object".to_owned() });
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut pointer = at.to_owned();
        append(&mut pointer, error.path());
        let message = error.inner().to_string();
        // serde names a missing field in its message only.
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        if let Some(field) = missing {
            push(&mut pointer, field);
            return FieldError { pointer, detail: "is required".to_owned() };
        }
        FieldError { pointer, detail: shortened(&message) }
    })
}

fn append(pointer: &mut String, path: &Path) {
    for segment in path {
        match segment {
            Segment::Seq { index } => push(pointer, &index.to_string()),
            Segment::Map { key } => push(pointer, key),
            Segment::Enum { variant } => push(pointer, variant),
            Segment::Unknown => {}
        }
    }
}

/// Adds one step to a JSON pointer (RFC 6901).
fn push(pointer: &mut String, step: &str) {
    pointer.push('/');
    pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only what is refused matters here")]
        items: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only what is refused matters here")]
        number: u8,
    }

    fn pointer(value: &Value) -> String {
        read::<Outer>(value, "").unwrap_err().pointer
    }

    #[test]
    fn the_wrong_field_is_named_wherever_it_is() {
        assert_eq!(pointer(&json!({"items": [{"number": 1}, {"number": "x"}]})), "/items/1/number");
        assert_eq!(pointer(&json!({"items": [{"number": 300}]})), "/items/0/number");
        assert_eq!(pointer(&json!({"items": [{}]})), "/items/0/number");
        assert_eq!(pointer(&json!({"items": [{"number": 1, "a/b": 2}]})), "/items/0/a~1b");
        assert_eq!(pointer(&json!({})), "/items");
        assert_eq!(pointer(&json!([1])), "");
        assert_eq!(pointer(&json!("text")), "");
    }

    #[test]
    fn a_body_is_json_unless_it_says_otherwise() {
        let headers = |value: &'static str| HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]);
        assert!(is_json(&HeaderMap::new()));
        assert!(is_json(&headers("Application/JSON; charset=utf-8")));
        assert!(is_json(&headers("application/merge-patch+json")));
        assert!(!is_json(&headers("application/x-www-form-urlencoded")));
        assert!(!is_json(&headers("text/plain")));
        assert!(!is_json(&headers("")));
    }

    #[test]
    fn text_that_the_database_cannot_hold_is_found() {
        let mut wrong = Vec::new();
        find_nul(&json!({"a": ["fine", "b\0d"], "c": "\0"}), &mut String::new(), &mut wrong);
        let pointers: Vec<_> = wrong.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a/1", "/c"]);
    }

    #[test]
    fn an_integer_may_be_written_with_a_point() {
        let mut value = json!({"a": [60.0, 1.5, -3.0, 1e300], "b": 7});
        make_integral(&mut value);
        assert_eq!(value.to_string(), r#"{"a":[60,1.5,-3,1e+300],"b":7}"#);
    }
}
