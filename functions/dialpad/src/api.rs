//! Dialpad's management API, as far as it is used.

use std::fmt;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    domain::ids::{AppId, DialpadId},
    invoke::{CallPage, FoundCall, Hidden, NewCall, Span},
};

use crate::{
    Config, Keys, OauthClient,
    error::Error,
    http_client::{Call, Http},
    tokens::Tokens,
};

/// The most pages of a list that are read: Dialpad allows 100 subscriptions of a kind in a company.
const MOST_PAGES: usize = 20;

/// Dialpad, as this stack may use it; lives as long as the function is warm.
pub struct Dialpad {
    pub(crate) config: Config,
    pub(crate) http: Http,
    pub(crate) clock: Box<dyn Clock>,
}

impl fmt::Debug for Dialpad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialpad").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Dialpad {
    /// Puts it together.
    pub fn new(config: Config, clock: Box<dyn Clock>) -> Result<Self, rustls::Error> {
        Ok(Self { http: Http::new(config.timeout)?, config, clock })
    }

    pub(crate) fn client(&self) -> Result<&OauthClient, Error> {
        self.config.client.as_ref().ok_or(Error::NotConfigured("DIALPAD_CLIENT_ID"))
    }

    pub(crate) fn keys(&self) -> Result<&Keys, Error> {
        self.config.keys.as_ref().ok_or(Error::NotConfigured("TOKEN_ENCRYPTION_KEY"))
    }

    /// The tokens of a request in clear.
    pub(crate) fn open(&self, app_id: AppId, sealed: &Hidden) -> Result<Tokens, Error> {
        Tokens::open(self.keys()?, app_id, sealed)
    }

    pub(crate) async fn get(&self, tokens: &Tokens, name: &'static str, path: &str) -> Result<Value, Error> {
        self.request(tokens, name, Method::GET, path, None).await
    }

    pub(crate) async fn post(
        &self,
        tokens: &Tokens,
        name: &'static str,
        path: &str,
        body: Value,
    ) -> Result<Value, Error> {
        self.request(tokens, name, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(
        &self,
        tokens: &Tokens,
        name: &'static str,
        path: &str,
        body: Value,
    ) -> Result<Value, Error> {
        self.request(tokens, name, Method::PATCH, path, Some(body)).await
    }

    /// Deletes something; what is not there is deleted.
    pub(crate) async fn delete(&self, tokens: &Tokens, name: &'static str, path: &str) -> Result<(), Error> {
        match self.request(tokens, name, Method::DELETE, path, None).await {
            Ok(_) | Err(Error::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All pages of a list. An empty page is `{}`.
    pub(crate) async fn list(
        &self,
        tokens: &Tokens,
        name: &'static str,
        path: &str,
    ) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        let mut page = path.to_owned();
        for _ in 0..MOST_PAGES {
            let mut answer = self.get(tokens, name, &page).await?;
            if let Value::Array(found) = answer["items"].take() {
                items.extend(found);
            }
            let Some(cursor) = answer["cursor"].as_str().filter(|cursor| !cursor.is_empty()) else { break };
            let query =
                form_urlencoded::Serializer::new(String::new()).append_pair("cursor", cursor).finish();
            page = format!("{path}?{query}");
        }
        Ok(items)
    }

    async fn request(
        &self,
        tokens: &Tokens,
        name: &'static str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Error> {
        let bearer = tokens.bearer();
        let call = Call {
            name,
            // Twice a POST may be two webhooks, or two calls.
            may_repeat: method != Method::POST,
            method,
            url: format!("{}{path}", self.config.api_url),
            bearer: Some(&bearer),
            body,
        };
        self.http.send(&call).await
    }

    /// Has the webhook sign with another secret.
    pub(crate) async fn set_secret(
        &self,
        tokens: &Tokens,
        webhook_id: DialpadId,
        secret: &Hidden,
    ) -> Result<(), Error> {
        let body = json!({ "secret": secret.expose() });
        self.patch(tokens, "webhook.update", &format!("/webhooks/{webhook_id}"), body).await.map(drop)
    }

    /// Has a user's own application dial.
    pub(crate) async fn call(&self, tokens: &Tokens, call: &NewCall) -> Result<(), Error> {
        let body = json!({ "phone_number": call.to.expose(), "custom_data": call.custom_data });
        let path = format!("/users/{}/initiate_call", call.user_id);
        self.post(tokens, "users.initiate_call", &path, body).await.map(drop)
    }

    /// How a call stands.
    pub(crate) async fn show_call(&self, tokens: &Tokens, call_id: DialpadId) -> Result<FoundCall, Error> {
        match self.get(tokens, "call.get_call_info", &format!("/call/{call_id}")).await {
            Ok(call) => Ok(FoundCall { call: Some(call) }),
            Err(Error::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(FoundCall { call: None }),
            Err(error) => Err(error),
        }
    }

    /// A page of the calls that are over.
    pub(crate) async fn list_calls(
        &self,
        tokens: &Tokens,
        span: Span,
        cursor: Option<&str>,
    ) -> Result<CallPage, Error> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("started_after", &span.started_after.timestamp_millis().to_string());
        if let Some(started_before) = span.started_before {
            query.append_pair("started_before", &started_before.timestamp_millis().to_string());
        }
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        let mut answer = self.get(tokens, "call.list", &format!("/call?{}", query.finish())).await?;
        let calls = if let Value::Array(calls) = answer["items"].take() { calls } else { Vec::new() };
        let cursor = answer["cursor"].as_str().filter(|cursor| !cursor.is_empty()).map(str::to_owned);
        Ok(CallPage { calls, cursor })
    }
}
