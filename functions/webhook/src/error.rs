//! Why a delivery is refused, and how that is answered.
//!
//! Dialpad retries 5xx only, so once the app is known and the body is a signed object within the limit, nothing here is a
//! 4xx; and never 429.

use shared::{dialpad::jws, problem::Problem, queue, store};

/// A refused delivery.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is larger than 1 MiB.
    #[error("take a delivery of more than 1 MiB")]
    TooLarge,
    /// The path names no app.
    #[error("find the app")]
    UnknownApp,
    /// The path does not say which of the apps.
    #[error("tell which app the delivery is for")]
    AppRequired,
    /// The signature is not the app's.
    #[error("authenticate the delivery")]
    Unauthenticated(#[source] jws::Error),
    /// It has no signature, and the app does not take such deliveries.
    #[error("take a delivery without a signature")]
    Unsigned,
    /// What was delivered is not a JSON object.
    #[error("read the delivery as a JSON object")]
    NotAnObject,
    /// Neither the database nor the queue took it: Dialpad is to send it again.
    #[error("keep the delivery anywhere")]
    NotKept(#[source] queue::Error),
    /// The database is away, and without it the delivery cannot even be put aside.
    #[error("look the delivery's app up")]
    Unavailable(#[source] store::Error),
}

impl Error {
    /// Stable name: in the answer, in the log line, and of the metric.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::UnknownApp => "app_not_found",
            Self::AppRequired => "app_required",
            Self::Unauthenticated(_) => "bad_signature",
            Self::Unsigned => "signature_required",
            Self::NotAnObject => "not_an_object",
            Self::NotKept(_) | Self::Unavailable(_) => "unavailable",
        }
    }

    /// The answer.
    pub(crate) fn problem(&self) -> Problem {
        let (status, detail) = match self {
            Self::TooLarge => (413, "a delivery holds at most 1 MiB"),
            Self::UnknownApp => {
                (404, "there is no such app; register the URL that POST /internal/apps answered")
            }
            Self::AppRequired => (
                404,
                "this stack serves several apps, or none: register /webhooks/dialpad/{app_id}, the URL of one app",
            ),
            Self::Unauthenticated(_) => {
                (401, "the delivery is not signed (HS256) with the app's webhook secret")
            }
            Self::Unsigned => (401, "the delivery is not signed, and this app takes signed deliveries only"),
            Self::NotAnObject => (400, "the delivery is not a JSON object"),
            Self::NotKept(_) | Self::Unavailable(_) => {
                (503, "the delivery could not be stored; send it again")
            }
        };
        Problem::new(status, self.code(), detail)
    }
}
