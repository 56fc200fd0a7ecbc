//! The settings of the REST API.

use axum::http::HeaderValue;
use shared::config::{Env, Error, Secret};

/// What the REST API needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `CONNECTIONS_TABLE`: who is connected; without it, nobody can tell.
    pub connections_table: Option<String>,
    /// `INTERNAL_API_SECRET`: what operators show; without it `/internal` is closed.
    pub internal_api_secret: Option<Secret>,
    /// `INTERNAL_AUTHORIZATION`: whether API Gateway lets only signed requests of IAM principals through to `/internal`
    /// (`iam`), so that the secret is not looked at (`secret`).
    pub internal_needs_iam: bool,
    /// `ALLOW_OPEN_INTERNAL`: whether `/internal` is open while it has no secret. Only the local server sets it.
    pub allow_open_internal: bool,
    /// `API_REQUESTS_PER_MINUTE`: how many requests one API key may make; 0: any number.
    pub api_requests_per_minute: u32,
    /// `INTERNAL_REQUESTS_PER_MINUTE`: how many requests operators may make together; 0: any number.
    pub internal_requests_per_minute: u32,
    /// `CORS_ALLOWED_ORIGINS`: who may call `/api` from a browser.
    pub cors_origins: Origins,
    /// `DIALPAD_FUNCTION`: the function that speaks with Dialpad; without it, no company can be connected.
    pub dialpad_function: Option<String>,
    /// `PUBLIC_HTTP_URL`: where the HTTP API is reached; without it, where the request went.
    pub public_http_url: Option<String>,
    /// `PUBLIC_WS_URL`: where sockets are opened; without it, `/ws` beside the HTTP API.
    pub public_ws_url: Option<String>,
    /// `STACK_NAME`: whose metrics these are.
    pub stack_name: String,
}

/// Web origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All of them.
    Any,
    /// These, perhaps none.
    These(Vec<HeaderValue>),
}

impl Config {
    /// Reads the settings.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            database_url: Secret::new(env.required("DATABASE_URL")?),
            connections_table: env.optional("CONNECTIONS_TABLE").map(str::to_owned),
            internal_api_secret: env.secret("INTERNAL_API_SECRET"),
            internal_needs_iam: match env.optional("INTERNAL_AUTHORIZATION") {
                None | Some("secret") => false,
                Some("iam") => true,
                Some(_) => return Err(Error::Invalid("INTERNAL_AUTHORIZATION")),
            },
            allow_open_internal: env.parsed("ALLOW_OPEN_INTERNAL", false)?,
            api_requests_per_minute: env.parsed("API_REQUESTS_PER_MINUTE", 300)?,
            internal_requests_per_minute: env.parsed("INTERNAL_REQUESTS_PER_MINUTE", 100)?,
            cors_origins: origins(env.optional("CORS_ALLOWED_ORIGINS").unwrap_or_default())?,
            dialpad_function: env.optional("DIALPAD_FUNCTION").map(str::to_owned),
            public_http_url: url(env, "PUBLIC_HTTP_URL"),
            public_ws_url: url(env, "PUBLIC_WS_URL"),
            stack_name: env.required("STACK_NAME")?.to_owned(),
        })
    }
}

fn url(env: &Env, name: &str) -> Option<String> {
    env.optional(name).map(|url| url.trim_end_matches('/').to_owned())
}

fn origins(list: &str) -> Result<Origins, Error> {
    let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    if origins.clone().any(|origin| origin == "*") {
        return Ok(Origins::Any);
    }
    let origins = origins.map(HeaderValue::from_str).collect::<Result<_, _>>();
    origins.map(Origins::These).map_err(|_| Error::Invalid("CORS_ALLOWED_ORIGINS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, value: &str) -> Result<Config, Error> {
        let database = ("DATABASE_URL", "postgres://localhost");
        Config::from_env(&Env::from([database, ("STACK_NAME", "test"), (name, value)]))
    }

    #[test]
    fn without_settings_everything_is_closed() {
        let config = config("CORS_ALLOWED_ORIGINS", "").unwrap();
        assert_eq!(config.cors_origins, Origins::These(Vec::new()));
        assert!(config.internal_api_secret.is_none() && !config.allow_open_internal);
    }

    #[test]
    fn origins_are_a_list_or_a_star() {
        let two = config("CORS_ALLOWED_ORIGINS", "https://a.example, https://b.example").unwrap();
        let expected = ["https://a.example", "https://b.example"].map(HeaderValue::from_static);
        assert_eq!(two.cors_origins, Origins::These(expected.to_vec()));
        assert_eq!(config("CORS_ALLOWED_ORIGINS", "*").unwrap().cors_origins, Origins::Any);
        assert_eq!(
            config("CORS_ALLOWED_ORIGINS", "a\u{1}").unwrap_err(),
            Error::Invalid("CORS_ALLOWED_ORIGINS")
        );
    }

    #[test]
    fn operators_have_a_secret_unless_iam_decides() {
        assert!(!config("INTERNAL_AUTHORIZATION", "secret").unwrap().internal_needs_iam);
        assert!(config("INTERNAL_AUTHORIZATION", "iam").unwrap().internal_needs_iam);
        assert_eq!(
            config("INTERNAL_AUTHORIZATION", "IAM").unwrap_err(),
            Error::Invalid("INTERNAL_AUTHORIZATION")
        );
    }

    #[test]
    fn a_wrong_flag_is_named() {
        assert_eq!(config("ALLOW_OPEN_INTERNAL", "yes").unwrap_err(), Error::Invalid("ALLOW_OPEN_INTERNAL"));
    }
}
