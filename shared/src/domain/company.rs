//! A company that is connected: what is kept of it, and of the access that it granted.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::DialpadId;

/// A text that travels between functions and never shows in a log: a sealed token, a webhook's secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one who needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

/// Sealed tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tokens {
    /// Access token and refresh token, or the API key.
    pub sealed: Hidden,
    /// When the access token expires; none: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A company that granted access.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Connection {
    /// Its tokens.
    pub tokens: Tokens,
    /// Who it is.
    pub company: Company,
}

/// Who granted access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Company {
    /// The company.
    pub company_id: Option<DialpadId>,
    /// Its name, where the person may see it.
    pub company_name: Option<String>,
    /// The office of the person.
    pub office_id: Option<DialpadId>,
    /// The person.
    pub dialpad_user_id: Option<DialpadId>,
}

/// Whose events are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everybody's.
    Company,
    /// Those of one office.
    Office(DialpadId),
}
