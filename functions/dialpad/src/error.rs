//! Why Dialpad did not do something, as far as that can be told.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use shared::invoke::{Refusal, RefusalKind};

use crate::seal::Broken;

/// How much of Dialpad's words is passed on.
const MOST_WORDS: usize = 300;

/// Something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stack lacks a setting.
    #[error("work without {0}")]
    NotConfigured(&'static str),
    /// Tokens cannot be opened or sealed.
    #[error(transparent)]
    Sealing(#[from] Broken),
    /// Dialpad refused.
    #[error("have Dialpad do it: it answered {status}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its words, for the person who asked; not for logs.
        detail: String,
        /// When it may be tried again.
        retry_after: Option<Duration>,
    },
    /// Dialpad refused the code or the refresh token.
    #[error("exchange a grant that Dialpad does not accept")]
    Grant,
    /// The request did not get there.
    #[error("reach Dialpad")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There was no answer in time, or it broke off.
    #[error("get an answer of Dialpad")]
    NoAnswer,
    /// The answer cannot be read.
    #[error("read the answer of Dialpad")]
    Unreadable(#[source] serde_json::Error),
}

impl Error {
    /// An answer that is no success.
    pub(crate) fn refused(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> Self {
        Self::Refused { status, detail: words(body), retry_after }
    }

    /// The status, if it is Dialpad's answer.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        if let Self::Refused { status, .. } = self { Some(*status) } else { None }
    }

    /// The same for who asked.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let refusal = |kind, detail: &str| Refusal { kind, detail: detail.to_owned(), retry_after: None };
        match self {
            Self::NotConfigured(setting) => refusal(
                RefusalKind::NotConfigured,
                &format!("This stack cannot speak with Dialpad: {setting} is not set."),
            ),
            Self::Sealing(_) => refusal(
                RefusalKind::GrantExpired,
                "The stored tokens cannot be opened with the keys of this stack; connect the company again.",
            ),
            Self::Grant => refusal(
                RefusalKind::GrantExpired,
                "Dialpad does not accept the grant; connect the company again.",
            ),
            Self::Unreachable(_) => {
                refusal(RefusalKind::Unavailable, "Dialpad cannot be reached; try again.")
            }
            Self::NoAnswer | Self::Unreadable(_) => refusal(
                RefusalKind::Unknown,
                "Dialpad gave no answer that can be read; whether it was done is not known.",
            ),
            Self::Refused { status, detail, retry_after } => Refusal {
                kind: kind(*status),
                detail: detail.clone(),
                retry_after: retry_after.map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1)),
            },
        }
    }
}

fn kind(status: StatusCode) -> RefusalKind {
    match status.as_u16() {
        401 => RefusalKind::Unauthorized,
        403 => RefusalKind::Forbidden,
        404 => RefusalKind::NotFound,
        429 => RefusalKind::RateLimited,
        503 => RefusalKind::Unavailable,
        // Whatever stands before Dialpad may answer so while Dialpad does it.
        500..=599 => RefusalKind::Unknown,
        _ => RefusalKind::Invalid,
    }
}

/// What Dialpad says, which it puts in one of several places.
fn words(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let found = [&json["error"]["message"], &json["message"], &json["error_description"], &json["error"]]
        .into_iter()
        .find_map(Value::as_str);
    match found {
        Some(words) => format!("Dialpad says: {}", words.chars().take(MOST_WORDS).collect::<String>()),
        None => "Dialpad does not say why.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialpads_words_are_found_where_they_may_be() {
        for body in [
            r#"{"error":{"code":400,"message":"no such number"}}"#,
            r#"{"message":"no such number"}"#,
            r#"{"error":"invalid","error_description":"no such number"}"#,
            r#"{"error":"no such number"}"#,
        ] {
            let refusal = Error::refused(StatusCode::BAD_REQUEST, body.as_bytes(), None).refusal();
            assert_eq!(
                (refusal.kind, refusal.detail.as_str()),
                (RefusalKind::Invalid, "Dialpad says: no such number")
            );
        }
        let refusal = Error::refused(StatusCode::FORBIDDEN, b"<html>", None).refusal();
        assert_eq!(
            (refusal.kind, refusal.detail.as_str()),
            (RefusalKind::Forbidden, "Dialpad does not say why.")
        );
    }

    #[test]
    fn a_limit_says_when_to_come_back() {
        let wait = Some(Duration::from_millis(200));
        let refusal = Error::refused(StatusCode::TOO_MANY_REQUESTS, b"", wait).refusal();
        assert_eq!((refusal.kind, refusal.retry_after), (RefusalKind::RateLimited, Some(1)));
    }
}
