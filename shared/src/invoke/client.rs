//! How the function `dialpad` is invoked.

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_lambda::{Client, config::Builder, error::SdkError, primitives::Blob};
use serde::de::DeserializeOwned;

use super::{Action, Answer, Authorization, Connection, Hidden, Refusal, RefusalKind, Request, Tokens};
use crate::domain::ids::AppId;

/// How long an invocation may take: less than what asks for it has.
const TIMEOUT: Duration = Duration::from_secs(9);

/// The function `dialpad`, to be asked.
#[derive(Clone, Debug)]
pub struct Invoker {
    client: Client,
    function: String,
}

/// It was not done, or nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The function says why.
    #[error("have Dialpad do it: {0}")]
    Refused(Refusal),
    /// Lambda did not take the invocation, so nothing was done.
    #[error("invoke the function for Dialpad")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The function failed, or took too long: nobody knows what was done.
    #[error("get an answer of the function for Dialpad: {0}")]
    Failed(String),
    /// A message between the functions cannot be written or read.
    #[error("speak with the function for Dialpad")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// Why it was refused, if it was.
    #[must_use]
    pub fn kind(&self) -> Option<RefusalKind> {
        if let Self::Refused(refusal) = self { Some(refusal.kind) } else { None }
    }

    /// Whether it may have been done all the same.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.kind == RefusalKind::Unknown,
            Self::Failed(_) | Self::Json(_) => true,
            Self::Away(_) => false,
        }
    }
}

impl Invoker {
    /// The function of this name or ARN.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, function: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT).build();
        // Never twice: an invocation that seems lost may have dialled.
        let config =
            Builder::from(config).timeout_config(timeouts).retry_config(RetryConfig::disabled()).build();
        Self { client: Client::from_conf(config), function: function.to_owned() }
    }

    /// Where a person grants access.
    pub async fn authorize(
        &self,
        app_id: AppId,
        redirect_uri: String,
        state: String,
    ) -> Result<Authorization, Error> {
        self.ask(app_id, Action::Authorize { redirect_uri, state }).await
    }

    /// Tokens for the code of a granted access.
    pub async fn exchange(
        &self,
        app_id: AppId,
        code: Hidden,
        verifier: Hidden,
        redirect_uri: String,
    ) -> Result<Connection, Error> {
        self.ask(app_id, Action::Exchange { code, verifier, redirect_uri }).await
    }

    /// A connection by an API key.
    pub async fn adopt_key(&self, app_id: AppId, api_key: Hidden) -> Result<Connection, Error> {
        self.ask(app_id, Action::AdoptKey { api_key }).await
    }

    /// A new pair of tokens.
    pub async fn refresh(&self, app_id: AppId, tokens: Hidden) -> Result<Tokens, Error> {
        self.ask(app_id, Action::Refresh { tokens }).await
    }

    /// Has something done; the answer to each action is said there.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, app_id: AppId, action: Action) -> Result<T, Error> {
        let request = serde_json::to_vec(&Request { app_id, action })?;
        let invocation =
            self.client.invoke().function_name(&self.function).payload(Blob::new(request)).send().await;
        let answer = match invocation {
            Ok(answer) => answer,
            // What was sent may have arrived.
            Err(SdkError::TimeoutError(_) | SdkError::ResponseError(_)) => {
                return Err(Error::Failed("it did not answer in time".to_owned()));
            }
            Err(error) => return Err(Error::Away(Box::new(error))),
        };
        if let Some(error) = answer.function_error {
            return Err(Error::Failed(error));
        }
        let payload = answer.payload.unwrap_or_else(|| Blob::new(Vec::new()));
        match serde_json::from_slice(payload.as_ref())? {
            Answer::Done(done) => Ok(done),
            Answer::Refused(refusal) => Err(Error::Refused(refusal)),
        }
    }
}
