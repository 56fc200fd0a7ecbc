//! Granting access: OAuth 2 with PKCE, and API keys.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use http::{Method, StatusCode};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::ids::AppId,
    invoke::{self, Authorization, Company, Connection, Hidden},
};

use crate::{
    api::Dialpad,
    error::Error,
    http_client::Call,
    members,
    seal::{Broken, Purpose},
    tokens::Tokens,
};

/// What Dialpad gives for a grant.
#[derive(Deserialize)]
struct Grant {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<Value>,
}

impl Dialpad {
    /// The page where a person grants access. The verifier is made here and leaves only sealed.
    pub(crate) fn authorize(
        &self,
        app_id: AppId,
        redirect_uri: &str,
        state: &str,
    ) -> Result<Authorization, Error> {
        let (client, keys) = (self.client()?, self.keys()?);
        let mut random = [0u8; 48];
        SystemRandom::new().fill(&mut random).map_err(|_| Broken)?;
        let verifier = URL_SAFE_NO_PAD.encode(random);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &client.id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &self.config.scopes)
            .append_pair("state", state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        Ok(Authorization {
            url: format!("{}/authorize?{query}", self.config.oauth_url),
            verifier: keys.seal(app_id, Purpose::Verifier, &verifier)?,
        })
    }

    /// Tokens for the code that a person came back with, and who that is.
    pub(crate) async fn exchange(
        &self,
        app_id: AppId,
        code: &Hidden,
        verifier: &Hidden,
        redirect_uri: &str,
    ) -> Result<Connection, Error> {
        let verifier = self.keys()?.open(app_id, Purpose::Verifier, verifier)?;
        let grant = json!({
            "grant_type": "authorization_code", "code": code.expose(), "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        });
        let (tokens, sealed) = self.redeem(app_id, grant).await?;
        let company = self.company(&tokens).await?;
        Ok(Connection { tokens: sealed, company })
    }

    /// New tokens for the refresh token.
    pub(crate) async fn refresh(&self, app_id: AppId, sealed: &Hidden) -> Result<invoke::Tokens, Error> {
        let tokens = Tokens::open(self.keys()?, app_id, sealed)?;
        let refresh = tokens.refresh().ok_or(Error::Grant)?;
        let grant = json!({ "grant_type": "refresh_token", "refresh_token": refresh });
        Ok(self.redeem(app_id, grant).await?.1)
    }

    async fn redeem(&self, app_id: AppId, mut grant: Value) -> Result<(Tokens, invoke::Tokens), Error> {
        let client = self.client()?;
        grant["client_id"] = client.id.as_str().into();
        grant["client_secret"] = client.secret.expose().into();
        let call = Call {
            name: "oauth2.token",
            method: Method::POST,
            url: format!("{}/token", self.config.oauth_url),
            bearer: None,
            body: Some(grant),
            // A token that was exchanged is gone, whether or not the answer arrived.
            may_repeat: false,
        };
        let answer = self.http.send(&call).await.map_err(|error| match error.status() {
            Some(StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED) => Error::Grant,
            _ => error,
        })?;
        let grant: Grant = serde_json::from_value(answer).map_err(Error::Unreadable)?;
        let seconds = grant.expires_in.as_ref().and_then(members::number);
        let expires_at =
            seconds.map(|seconds| self.clock.now() + TimeDelta::seconds(seconds.clamp(0, 31_536_000)));
        let tokens = Tokens::new(grant.access_token, grant.refresh_token);
        let sealed = tokens.seal(self.keys()?, app_id, expires_at)?;
        Ok((tokens, sealed))
    }

    /// A key that an administrator made, if it works.
    pub(crate) async fn adopt_key(&self, app_id: AppId, api_key: &Hidden) -> Result<Connection, Error> {
        let tokens = Tokens::new(api_key.expose().to_owned(), None);
        let sealed = tokens.seal(self.keys()?, app_id, None)?;
        Ok(Connection { company: self.company(&tokens).await?, tokens: sealed })
    }

    /// Who granted access. The tokens themselves do not say; and a key of a company has no person.
    async fn company(&self, tokens: &Tokens) -> Result<Company, Error> {
        let person = match self.get(tokens, "users.get", "/users/me").await {
            Ok(person) => person,
            Err(Error::Refused { status: StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, .. }) => {
                Value::Null
            }
            Err(error) => return Err(error),
        };
        // Only an administrator may see it.
        let company = match self.get(tokens, "company.get", "/company").await {
            Ok(company) => company,
            Err(Error::Refused { status: StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, .. }) => Value::Null,
            Err(error) => return Err(error),
        };
        Ok(Company {
            company_id: members::id(&person["company_id"]).or_else(|| members::id(&company["id"])),
            company_name: company["name"].as_str().map(str::to_owned),
            office_id: members::id(&person["office_id"]),
            dialpad_user_id: members::id(&person["id"]),
        })
    }

    /// Revokes the tokens of a person; an API key has nothing to revoke here. What Dialpad does not know any more is
    /// revoked.
    pub(crate) async fn disconnect(&self, app_id: AppId, sealed: &Hidden) -> Result<(), Error> {
        let tokens = Tokens::open(self.keys()?, app_id, sealed)?;
        if tokens.refresh().is_none() {
            return Ok(());
        }
        let bearer = tokens.bearer();
        let call = Call {
            name: "oauth2.deauthorize",
            method: Method::POST,
            url: format!("{}/deauthorize", self.config.oauth_url),
            bearer: Some(&bearer),
            body: None,
            may_repeat: true,
        };
        self.http.send(&call).await.map(drop)
    }
}
