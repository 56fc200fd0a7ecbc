//! The only caller of Dialpad's API.
//!
//! It is invoked by other functions, has no database and stands outside any network of the stack. It alone has the
//! client secret and the key that tokens are sealed with: they come sealed with each request and leave sealed.

mod api;
mod config;
mod desired;
mod error;
mod http_client;
mod members;
mod oauth;
mod provisioning;
mod seal;
mod tokens;

pub use api::Dialpad;
pub use config::{Config, OauthClient};
pub use error::Error;
pub use seal::{Keys, Purpose};

use serde::Serialize;
use serde_json::Value;
use shared::{
    domain::ids::AppId,
    invoke::{Action, Answer, Request},
    telemetry::Chain,
};

/// Does what a request asks for. A refusal is an answer; only a request that cannot be read fails the invocation.
pub async fn handle(dialpad: &Dialpad, event: Value) -> Result<Value, serde_json::Error> {
    let Request { app_id, action } = serde_json::from_value(event)?;
    let name = name(&action);
    match act(dialpad, app_id, action).await {
        Ok(done) => serde_json::to_value(Answer::Done(done)),
        Err(error) => {
            tracing::warn!(component = "Dialpad", %app_id, action = name, error = %Chain(&error), "refused");
            serde_json::to_value(Answer::<()>::Refused(error.refusal()))
        }
    }
}

async fn act(dialpad: &Dialpad, app_id: AppId, action: Action) -> Result<Value, Error> {
    match action {
        Action::Authorize { redirect_uri, state } => {
            json(&dialpad.authorize(app_id, &redirect_uri, &state)?)
        }
        Action::Exchange { code, verifier, redirect_uri } => {
            json(&dialpad.exchange(app_id, &code, &verifier, &redirect_uri).await?)
        }
        Action::AdoptKey { api_key } => json(&dialpad.adopt_key(app_id, &api_key).await?),
        Action::Refresh { tokens } => json(&dialpad.refresh(app_id, &tokens).await?),
        Action::Disconnect { tokens } => json(&dialpad.disconnect(app_id, &tokens).await?),
        Action::Provision { tokens, endpoint } => {
            json(&dialpad.provision(&dialpad.open(app_id, &tokens)?, &endpoint).await?)
        }
        Action::Inspect { tokens, endpoint } => {
            json(&dialpad.inspect(&dialpad.open(app_id, &tokens)?, &endpoint).await?)
        }
        Action::Deprovision { tokens, endpoint } => {
            json(&dialpad.deprovision(&dialpad.open(app_id, &tokens)?, &endpoint).await?)
        }
        Action::SetSecret { tokens, webhook_id, secret } => {
            json(&dialpad.set_secret(&dialpad.open(app_id, &tokens)?, webhook_id, &secret).await?)
        }
        Action::Call { tokens, call } => json(&dialpad.call(&dialpad.open(app_id, &tokens)?, &call).await?),
        Action::ListCalls { tokens, span, cursor } => {
            json(&dialpad.list_calls(&dialpad.open(app_id, &tokens)?, span, cursor.as_deref()).await?)
        }
        Action::ShowCall { tokens, call_id } => {
            json(&dialpad.show_call(&dialpad.open(app_id, &tokens)?, call_id).await?)
        }
    }
}

fn json(done: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(done).map_err(Error::Unreadable)
}

/// What the log calls a request.
fn name(action: &Action) -> &'static str {
    match action {
        Action::Authorize { .. } => "authorize",
        Action::Exchange { .. } => "exchange",
        Action::AdoptKey { .. } => "adopt_key",
        Action::Refresh { .. } => "refresh",
        Action::Disconnect { .. } => "disconnect",
        Action::Provision { .. } => "provision",
        Action::Inspect { .. } => "inspect",
        Action::Deprovision { .. } => "deprovision",
        Action::SetSecret { .. } => "set_secret",
        Action::Call { .. } => "call",
        Action::ListCalls { .. } => "list_calls",
        Action::ShowCall { .. } => "show_call",
    }
}
