//! The requests to the function `dialpad`, and its answers.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    company::{Hidden, Scope},
    ids::{AppId, DialpadId},
};

/// One request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The tenant it is for; what is sealed for one tenant opens for no other.
    pub app_id: AppId,
    /// What is to be done.
    #[serde(flatten)]
    pub action: Action,
}

/// What the function can be asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Make the address at which a person grants access. Answered with an [`Authorization`].
    Authorize {
        /// Where Dialpad sends the person back to.
        redirect_uri: String,
        /// What Dialpad gives back with the person.
        state: String,
    },
    /// Exchange the code of a granted access for tokens. Answered with a [`Connection`](super::Connection).
    Exchange {
        /// What Dialpad gave the person.
        code: Hidden,
        /// The verifier of the [`Authorization`].
        verifier: Hidden,
        /// The same as there.
        redirect_uri: String,
    },
    /// Check and seal an API key that an administrator of the company made. Answered with a [`Connection`](super::Connection).
    AdoptKey {
        /// The key in clear.
        api_key: Hidden,
    },
    /// Exchange the refresh token for a new pair. Answered with [`Tokens`](super::Tokens).
    Refresh {
        /// The pair.
        tokens: Hidden,
    },
    /// Revoke the tokens. Answered with null.
    Disconnect {
        /// The tokens.
        tokens: Hidden,
    },
    /// Make the webhook and the subscriptions as they should be. Answered with an [`Inspection`].
    Provision {
        /// The tokens.
        tokens: Hidden,
        /// How they should be.
        endpoint: Endpoint,
    },
    /// Compare the webhook and the subscriptions with what they should be. Answered with an [`Inspection`].
    Inspect {
        /// The tokens.
        tokens: Hidden,
        /// How they should be.
        endpoint: Endpoint,
    },
    /// Delete the webhook and its subscriptions. Answered with an [`Inspection`].
    Deprovision {
        /// The tokens.
        tokens: Hidden,
        /// How they should have been.
        endpoint: Endpoint,
    },
    /// Have the webhook sign with another secret. Answered with null.
    SetSecret {
        /// The tokens.
        tokens: Hidden,
        /// The webhook.
        webhook_id: DialpadId,
        /// The secret.
        secret: Hidden,
    },
    /// Have a user's application dial. Answered with null.
    Call {
        /// The tokens.
        tokens: Hidden,
        /// The call.
        call: NewCall,
    },
    /// Ask how a call stands. Answered with a [`FoundCall`].
    ShowCall {
        /// The tokens.
        tokens: Hidden,
        /// The leg.
        call_id: DialpadId,
    },
    /// List the calls that are over, newest first. Answered with a [`CallPage`].
    ListCalls {
        /// The tokens.
        tokens: Hidden,
        /// Which.
        span: Span,
        /// The page; none: the first.
        cursor: Option<String>,
    },
}

/// Calls by when they began.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Span {
    /// They began after that.
    pub started_after: DateTime<Utc>,
    /// They began before that; none: until now.
    pub started_before: Option<DateTime<Utc>>,
}

/// A page of calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallPage {
    /// The calls in Dialpad's form.
    pub calls: Vec<Value>,
    /// The next page, if there is one.
    pub cursor: Option<String>,
}

/// Where a person is to be sent, and what proves later that it was us who sent them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authorization {
    /// Dialpad's page.
    pub url: String,
    /// The PKCE verifier, sealed.
    pub verifier: Hidden,
}

/// Where Dialpad should deliver, and what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address.
    pub hook_url: String,
    /// What deliveries are signed with.
    pub secret: Hidden,
    /// The webhook that was made before.
    pub webhook_id: Option<DialpadId>,
    /// Whose events.
    pub scope: Scope,
}

/// The webhook and the subscriptions as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inspection {
    /// The webhook, if there is one.
    pub webhook_id: Option<DialpadId>,
    /// Its subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// What was changed just now.
    pub changes: Vec<Change>,
    /// What is not as it should be.
    pub drift: Vec<Drift>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// `call`, `sms` or `agent_status`.
    pub kind: String,
    /// Dialpad's id of it.
    pub id: DialpadId,
    /// Whether it delivers.
    pub enabled: bool,
}

/// Something that was made, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `webhook`, `call`, `sms` or `agent_status`.
    pub what: String,
    /// `created`, `updated` or `deleted`.
    pub change: String,
    /// Dialpad's id of it.
    pub id: DialpadId,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// `webhook`, `call`, `sms` or `agent_status`.
    pub what: String,
    /// Stable name of the difference, `states_missing` for example.
    pub code: String,
    /// The difference in words.
    pub detail: String,
    /// Dialpad's id of what differs, where there is something.
    pub id: Option<DialpadId>,
}

/// A call to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewCall {
    /// Whose application dials.
    pub user_id: DialpadId,
    /// The number to dial, E.164.
    pub to: Hidden,
    /// What comes back with the call's events.
    pub custom_data: String,
}

/// What Dialpad knows of a leg.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FoundCall {
    /// The call in Dialpad's form; none: it does not know the call.
    pub call: Option<Value>,
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// It was done.
    Done(T),
    /// It was not done.
    Refused(Refusal),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub kind: RefusalKind,
    /// The same in words, for the person who asked.
    pub detail: String,
    /// Seconds after which it may be tried again.
    pub retry_after: Option<u32>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the detail: Dialpad's words may repeat what it was sent.
        write!(f, "{:?}", self.kind)
    }
}

/// Kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The stack has no client id, client secret or encryption key.
    NotConfigured,
    /// Dialpad does not accept the access token.
    Unauthorized,
    /// The grant is over, or the tokens cannot be opened: a person has to connect again.
    GrantExpired,
    /// The token may not do it: a scope is missing, or the person is no administrator.
    Forbidden,
    /// Dialpad has none of it.
    NotFound,
    /// Dialpad refuses what was sent.
    Invalid,
    /// Dialpad's limit is reached.
    RateLimited,
    /// Dialpad is away, and surely did nothing.
    Unavailable,
    /// Dialpad did not answer in time: it may have been done.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back_and_shows_nothing() {
        let request = Request {
            app_id: AppId(crate::domain::ids::new_id()),
            action: Action::SetSecret {
                tokens: Hidden::new("sealed"),
                webhook_id: DialpadId(7),
                secret: Hidden::new("hunter2"),
            },
        };
        let json = serde_json::to_string(&request).unwrap();
        assert!(json.contains(r#""action":"set_secret""#) && json.contains(r#""webhook_id":"7""#), "{json}");
        let back: Request = serde_json::from_str(&json).unwrap();
        let shown = format!("{back:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("sealed"), "{shown}");
    }
}
