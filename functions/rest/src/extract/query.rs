//! Parameters in the query. Unknown ones are wrong too: a misspelt filter must not give everything.

use std::{collections::HashSet, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use shared::problem::FieldError;

use super::shortened;
use crate::{
    Deps,
    error::{Error, Result},
};

/// The parameters of the query, as a struct that denies unknown fields.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// The query of a route that knows no parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Deps>> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Deps>) -> Result<Self> {
        parse(parts.uri.query().unwrap_or_default()).map(Self).map_err(Error::Invalid)
    }
}

/// Reads a query; all that is wrong with it is told at once.
fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Vec<FieldError>> {
    let mut wrong = Vec::new();
    let mut seen = HashSet::new();
    let mut pairs = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if value.contains('\0') || name.contains('\0') {
            wrong.push(error(&name.replace('\0', "\u{fffd}"), "must not contain U+0000"));
        } else if !seen.insert(name.clone()) {
            wrong.push(error(&name, "is given more than once"));
        } else {
            pairs.push((name, value));
        }
    }
    loop {
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let parameters = serde_urlencoded::Deserializer::new(form_urlencoded::parse(encoded.as_bytes()));
        let failure = match serde_path_to_error::deserialize::<_, T>(parameters) {
            Ok(parameters) if wrong.is_empty() => return Ok(parameters),
            Ok(_) => return Err(wrong),
            Err(failure) => failure,
        };
        let (name, message) = (failure.path().to_string(), failure.inner().to_string());
        let count = pairs.len();
        pairs.retain(|(present, _)| *present != name);
        if pairs.len() == count {
            // It is not in the query: a required parameter is missing, which serde says in its message only.
            let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            // One that was there and wrong has been named already.
            if missing.is_none_or(|name| !wrong.iter().any(|error| error.pointer == name)) {
                let detail = if missing.is_some() { "is required" } else { &message };
                wrong.push(error(missing.unwrap_or_default(), detail));
            }
            return Err(wrong);
        }
        wrong.push(error(&name, &message));
    }
}

fn error(name: &str, detail: &str) -> FieldError {
    FieldError { pointer: shortened(name), detail: shortened(detail) }
}

#[cfg(test)]
mod tests {
    use shared::domain::{call::Status, ids::DialpadId};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Eq)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        status: Option<Status>,
        user: Option<DialpadId>,
        recorded: Option<bool>,
        text: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Needed {
        #[expect(dead_code, reason = "only what is refused matters here")]
        number: u8,
    }

    fn names<T: DeserializeOwned + std::fmt::Debug>(query: &str) -> Vec<String> {
        parse::<T>(query).unwrap_err().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn known_parameters_are_read() {
        let filter: Filter = parse("status=ringing&user=9007199254740993&recorded=true&text=a%20b").unwrap();
        assert_eq!(filter.status, Some(Status::Ringing));
        assert_eq!(filter.user, Some(DialpadId(9_007_199_254_740_993)));
        assert_eq!((filter.recorded, filter.text.as_deref()), (Some(true), Some("a b")));
        assert_eq!(parse::<Filter>("").unwrap().text, None);
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let wrong = names::<Filter>("status=loud&user=1e3&recorded=yes&limt=5&text=a&text=b");
        assert_eq!(wrong, ["text", "status", "user", "recorded", "limt"]);
        assert_eq!(names::<Filter>("user=99999999999999999999"), ["user"]);
        assert_eq!(names::<NoParameters>("a=1"), ["a"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(names::<Needed>(""), ["number"]);
        assert_eq!(names::<Needed>("number=x"), ["number"]);
    }

    #[test]
    fn values_may_be_long_but_hold_no_nul() {
        let long = "x".repeat(10_000);
        assert_eq!(parse::<Filter>(&format!("text={long}")).unwrap().text, Some(long.clone()));
        assert_eq!(names::<Filter>("text=a%00b"), ["text"]);
        let wrong = parse::<Filter>(&format!("status={long}")).unwrap_err();
        assert!(wrong[0].detail.len() < 400);
    }
}
