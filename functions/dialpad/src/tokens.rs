//! Tokens in clear, for as long as a request takes.

use serde::{Deserialize, Serialize};
use shared::{
    config::Secret,
    domain::ids::AppId,
    invoke::{self, Hidden},
};

use crate::{
    error::Error,
    seal::{Keys, Purpose},
};

/// What is sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tokens {
    access: String,
    /// None: an API key, or a grant that cannot be renewed.
    refresh: Option<String>,
}

impl Tokens {
    pub(crate) fn new(access: String, refresh: Option<String>) -> Self {
        Self { access, refresh }
    }

    /// The token that requests carry.
    pub(crate) fn bearer(&self) -> Secret {
        Secret::new(&self.access)
    }

    /// The token that is exchanged for new ones.
    pub(crate) fn refresh(&self) -> Option<&str> {
        self.refresh.as_deref()
    }

    /// Opens what [`Self::seal`] sealed.
    pub(crate) fn open(keys: &Keys, app_id: AppId, sealed: &Hidden) -> Result<Self, Error> {
        let json = keys.open(app_id, Purpose::Tokens, sealed)?;
        serde_json::from_str(&json).map_err(Error::Unreadable)
    }

    /// Seals them for the tenant.
    pub(crate) fn seal(
        &self,
        keys: &Keys,
        app_id: AppId,
        expires_at: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Result<invoke::Tokens, Error> {
        let json = serde_json::to_string(self).map_err(Error::Unreadable)?;
        Ok(invoke::Tokens { sealed: keys.seal(app_id, Purpose::Tokens, &json)?, expires_at })
    }
}
