//! Settings of the function for Dialpad.

use std::time::Duration;

use shared::config::{Env, Error, Secret};

use crate::seal::Keys;

/// What the function is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// `DIALPAD_API_URL`: the management API, `https://dialpad.com/api/v2`.
    pub api_url: String,
    /// `DIALPAD_OAUTH_URL`: where access is granted, `https://dialpad.com/oauth2`.
    pub oauth_url: String,
    /// `DIALPAD_CLIENT_ID` and `DIALPAD_CLIENT_SECRET`: this stack as an app of Dialpad's; without them only API keys
    /// connect.
    pub client: Option<OauthClient>,
    /// `DIALPAD_SCOPES`: what is asked for, separated by spaces.
    pub scopes: String,
    /// `TOKEN_ENCRYPTION_KEY`: what tokens are sealed with; without it nothing can be connected.
    pub keys: Option<Keys>,
    /// `DIALPAD_TIMEOUT_MILLISECONDS`: how long one request to Dialpad may take.
    pub timeout: Duration,
}

/// This stack as Dialpad knows it.
#[derive(Clone, Debug)]
pub struct OauthClient {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

impl Config {
    /// Reads them.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        let url = |name| env.required(name).map(|url| url.trim_end_matches('/').to_owned());
        let client = match (env.optional("DIALPAD_CLIENT_ID"), env.secret("DIALPAD_CLIENT_SECRET")) {
            (Some(id), Some(secret)) => Some(OauthClient { id: id.to_owned(), secret }),
            (None, None) => None,
            (Some(_), None) => return Err(Error::Missing("DIALPAD_CLIENT_SECRET")),
            (None, Some(_)) => return Err(Error::Missing("DIALPAD_CLIENT_ID")),
        };
        let keys = env.secret("TOKEN_ENCRYPTION_KEY").map(|keys| Keys::parse(&keys)).transpose();
        Ok(Self {
            api_url: url("DIALPAD_API_URL")?,
            oauth_url: url("DIALPAD_OAUTH_URL")?,
            client,
            scopes: env.optional("DIALPAD_SCOPES").unwrap_or("offline_access").to_owned(),
            keys: keys.map_err(|_| Error::Invalid("TOKEN_ENCRYPTION_KEY"))?,
            timeout: Duration::from_millis(env.parsed("DIALPAD_TIMEOUT_MILLISECONDS", 4000)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, value: &str) -> Result<Config, Error> {
        Config::from_env(&Env::from([
            ("DIALPAD_API_URL", "https://dialpad.com/api/v2/"),
            ("DIALPAD_OAUTH_URL", "https://dialpad.com/oauth2"),
            (name, value),
        ]))
    }

    #[test]
    fn half_of_a_client_is_named() {
        assert_eq!(config("DIALPAD_CLIENT_ID", "x").unwrap_err(), Error::Missing("DIALPAD_CLIENT_SECRET"));
        assert_eq!(config("DIALPAD_CLIENT_SECRET", "x").unwrap_err(), Error::Missing("DIALPAD_CLIENT_ID"));
        let config = config("DIALPAD_SCOPES", "").unwrap();
        assert!(config.client.is_none() && config.keys.is_none());
        assert_eq!(
            (config.api_url.as_str(), config.scopes.as_str()),
            ("https://dialpad.com/api/v2", "offline_access")
        );
    }

    #[test]
    fn a_key_of_the_wrong_length_is_named() {
        for wrong in ["k1", "k1:", "k1:AAAA", ":AAAA", "k1:????"] {
            let refused = config("TOKEN_ENCRYPTION_KEY", wrong).unwrap_err();
            assert_eq!(refused, Error::Invalid("TOKEN_ENCRYPTION_KEY"), "{wrong}");
        }
        let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        assert!(config("TOKEN_ENCRYPTION_KEY", &format!("k2:{key}, k1:{key}")).unwrap().keys.is_some());
    }
}
