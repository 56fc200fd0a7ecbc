//! Why a request was refused, and the one table that says how each reason is answered.

mod calling;
mod dialpad;

use axum::{
    http::{
        HeaderValue,
        header::{ALLOW, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use shared::{
    connection, invoke,
    problem::{FieldError, Problem},
    registry, store,
    telemetry::Chain,
};

pub(crate) use calling::NotDialled;

/// What a handler gives.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that cannot be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The body is not JSON.
    #[error("read the body as JSON")]
    MalformedJson(#[source] serde_json::Error),
    /// There is no body where one is needed.
    #[error("read the body")]
    BodyMissing,
    /// The body could not be received.
    #[error("receive the body")]
    BodyUnreadable,
    /// The body is larger than is read.
    #[error("receive a body of this size")]
    BodyTooLarge,
    /// The body is in another format.
    #[error("read a body of this type")]
    UnsupportedMediaType,
    /// Fields or parameters are wrong.
    #[error("use the fields as they are")]
    Invalid(Vec<FieldError>),
    /// No, an unknown, a revoked or an expired app API key.
    #[error("recognise the app")]
    UnknownApp,
    /// The key is right, and its app is switched off.
    #[error("let an inactive app in")]
    AppInactive,
    /// The credential was used too often within this minute.
    #[error("serve more requests within this minute")]
    TooManyRequests {
        /// Seconds until the next.
        reset: u32,
    },
    /// No or a wrong operator's secret.
    #[error("recognise the operator")]
    UnknownOperator,
    /// No operator's secret is configured.
    #[error("let anybody in without a secret")]
    InternalClosed,
    /// There is none of this, or it is another tenant's.
    #[error("find the {0}")]
    NotFound(&'static str),
    /// No route has this path.
    #[error("find a route")]
    NoRoute(&'static str),
    /// The path does not know the method.
    #[error("find a method")]
    MethodNotAllowed,
    /// The events after this place are no longer kept.
    #[error("read events that are gone")]
    CursorExpired,
    /// The database failed or is away.
    #[error("ask the database")]
    Database(#[from] store::Error),
    /// Nothing tells who is connected.
    #[error("look connections up without a table")]
    NoRegistry,
    /// The table of connections does not answer.
    #[error("look connections up")]
    Registry(#[from] registry::Error),
    /// Nothing speaks with Dialpad.
    #[error("ask Dialpad without a function for it")]
    NoDialpad,
    /// Dialpad did not do it, or no company is connected.
    #[error("ask Dialpad")]
    Dialpad(#[source] connection::Error),
    /// Another request is making webhook and subscriptions.
    #[error("provision an app that is being provisioned")]
    BeingProvisioned,
    /// A call that was asked for is not dialled.
    #[error(transparent)]
    NotDialled(#[from] NotDialled),
    /// The link was not made by an operator, or is too old.
    #[error("follow a link")]
    LinkInvalid,
    /// Nobody was sent to Dialpad with this state, or somebody has come back with it, or it took too long.
    #[error("recognise who comes back from Dialpad")]
    StateInvalid,
    /// The person did not grant access.
    #[error("connect without being granted access")]
    AccessDenied,
    /// The system gives no random numbers.
    #[error("make a secret")]
    Randomness(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A handler panicked.
    #[error("finish the request")]
    Panicked,
}

impl From<connection::Error> for Error {
    fn from(error: connection::Error) -> Self {
        match error {
            connection::Error::Store(error) => Self::Database(error),
            error @ (connection::Error::NotConnected
            | connection::Error::Busy
            | connection::Error::Invoke(_)) => Self::Dialpad(error),
        }
    }
}

impl From<invoke::Error> for Error {
    fn from(error: invoke::Error) -> Self {
        Self::Dialpad(error.into())
    }
}

impl Error {
    /// One wrong field (a JSON pointer) or query parameter (its name).
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// How this is answered: the status table of the API.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::MalformedJson(error) => {
                Problem::new(400, "malformed_json", format!("The body is not valid JSON: {error}."))
            }
            Self::BodyMissing => Problem::new(400, "body_missing", "The body is empty; send a JSON object."),
            Self::BodyUnreadable => Problem::new(400, "body_unreadable", "The body could not be received."),
            Self::BodyTooLarge => {
                Problem::new(413, "body_too_large", "The body is larger than this route takes.")
            }
            Self::UnsupportedMediaType => {
                Problem::new(415, "unsupported_media_type", "Send the body as application/json.")
            }
            Self::Invalid(errors) => {
                Problem::new(422, "invalid", summary(errors)).with_errors(errors.clone())
            }
            Self::UnknownApp => {
                Problem::new(401, "unauthorized", "A valid API key is needed in the header x-app-api-key.")
            }
            Self::AppInactive => Problem::new(403, "app_inactive", "The app is not active."),
            Self::TooManyRequests { reset } => Problem::new(
                429,
                "too_many_requests",
                format!("The credential was used too often within this minute; go on in {reset} s."),
            )
            .with_retry_after(*reset),
            Self::UnknownOperator => {
                Problem::new(401, "unauthorized", "The operator's secret is needed as a bearer token.")
            }
            Self::InternalClosed => Problem::new(
                503,
                "internal_closed",
                "The internal API is closed: INTERNAL_API_SECRET is not set.",
            )
            .with_retry_after(60),
            Self::NotFound(what) => Problem::new(404, "not_found", format!("There is no such {what}.")),
            Self::NoRoute(detail) => Problem::new(404, "no_route", *detail),
            Self::MethodNotAllowed => Problem::new(
                405,
                "method_not_allowed",
                "This path does not know the method; see the header Allow.",
            ),
            Self::CursorExpired => Problem::new(
                410,
                "cursor_expired",
                "The events after this one are no longer kept; load the lists again and go on from their event_cursor.",
            ),
            Self::Database(error) if error.is_schema_too_old() => Problem::new(
                503,
                "schema_too_old",
                "The database lacks migrations of this release: invoke the migrator; try again afterwards.",
            )
            .with_retry_after(60),
            Self::Database(error) if error.is_unavailable() => {
                Problem::new(503, "database_unavailable", "The database does not answer; try again.")
            }
            Self::NoRegistry => Problem::new(
                503,
                "registry_unavailable",
                "Who is connected is not known: CONNECTIONS_TABLE is not set.",
            )
            .with_retry_after(60),
            Self::Registry(_) => Problem::new(
                503,
                "registry_unavailable",
                "The table of connections does not answer; try again.",
            ),
            Self::NoDialpad => dialpad::not_configured(),
            Self::Dialpad(error) => dialpad::problem(error),
            Self::BeingProvisioned => Problem::new(
                409,
                "being_provisioned",
                "Another request is provisioning this app; wait for it.",
            )
            .with_retry_after(5),
            Self::NotDialled(reason) => reason.problem(),
            Self::LinkInvalid => Problem::new(
                403,
                "link_invalid",
                "This link is not valid, or older than ten minutes. Ask for a new one.",
            ),
            Self::StateInvalid => Problem::new(
                403,
                "state_invalid",
                "This answer of Dialpad's was used before, took longer than ten minutes, or was not asked for. Open the link again.",
            ),
            Self::AccessDenied => Problem::new(
                403,
                "access_denied",
                "Access to Dialpad was not granted. Open the link again to retry.",
            ),
            // Everything that a client sends is checked before, so this is rare: a value that only Postgres refuses.
            Self::Database(error) if error.is_refused_value() => {
                Problem::new(422, "invalid", "A value cannot be stored.")
            }
            Self::Database(_) | Self::Randomness(_) | Self::Panicked => Problem::new(
                500,
                "internal",
                "Something went wrong on our side; the request id finds it in the log.",
            ),
        }
    }
}

fn summary(errors: &[FieldError]) -> String {
    match errors {
        [only] => format!("{}: {}", only.pointer, only.detail),
        several => format!("{} fields or parameters are wrong.", several.len()),
    }
}

/// A refusal on its way out. The answer is written where the path and the request's id are known: see
/// [`crate::conventions`].
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// What the client is told.
    pub(crate) problem: Problem,
    /// What the log is told of a failure of ours.
    pub(crate) cause: Option<String>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let mut response = Response::default();
        if problem.status == 401 {
            let operator = matches!(self, Self::UnknownOperator);
            let challenge = if operator { "Bearer" } else { "ApiKey header=\"x-app-api-key\"" };
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let cause = (problem.status >= 500).then(|| Chain(&self).to_string());
        response.extensions_mut().insert(Refusal { problem, cause });
        response
    }
}

/// The methods of a path, as the router names them.
pub(crate) fn allowed(response: &Response) -> HeaderValue {
    let known = response.headers().get(ALLOW).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let methods = known.split(',').map(str::trim).filter(|method| !method.is_empty()).chain(["OPTIONS"]);
    HeaderValue::from_str(&methods.collect::<Vec<_>>().join(", "))
        .unwrap_or(HeaderValue::from_static("OPTIONS"))
}
