//! Asking Dialpad on behalf of an app: with tokens that are good, exchanged for new ones by one at a time.
//!
//! Dialpad gives a new refresh token with every new access token and forgets the old one, so two who exchange at once
//! would leave one of them, and soon the app, with tokens that are worth nothing. Whoever finds the access token expired
//! takes a lease in the database; everybody else waits for what comes of it.

use std::{fmt, time::Duration};

use chrono::TimeDelta;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::{
    clock::Clock,
    domain::ids::{AppId, DialpadId},
    invoke::{
        self, Action, CallPage, Endpoint, FoundCall, Hidden, Inspection, Invoker, NewCall, RefusalKind, Span,
        Tokens,
    },
    store::{self, Store, dialpad_connections},
};

/// An access token that has less than this to live is exchanged at once.
const MARGIN: TimeDelta = TimeDelta::seconds(60);
/// How long the lease is: longer than an exchange may take.
const LEASE: TimeDelta = TimeDelta::seconds(12);
/// How long somebody waits for the exchange of another.
const PATIENCE: Duration = Duration::from_secs(6);
/// How often they look.
const LOOK: Duration = Duration::from_millis(40);

/// An app's connection to Dialpad could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No company is connected, or it is not any more.
    #[error("use a connection that there is not")]
    NotConnected,
    /// Somebody else is exchanging the tokens, and it takes too long.
    #[error("wait for new tokens")]
    Busy,
    /// The function for Dialpad did not do it.
    #[error(transparent)]
    Invoke(#[from] invoke::Error),
    /// The database failed or is away.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Tokens and what they are called.
struct Held {
    tokens: Tokens,
    generation: i64,
}

/// Dialpad, asked with the tokens of whichever app it is for.
#[derive(Clone, Copy)]
pub struct Dialpad<'a> {
    /// Where the tokens are.
    pub store: &'a Store,
    /// Who can use them.
    pub invoker: &'a Invoker,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl fmt::Debug for Dialpad<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialpad(..)")
    }
}

impl Dialpad<'_> {
    /// Revokes the tokens.
    pub async fn disconnect(&self, app_id: AppId) -> Result<(), Error> {
        self.ask(app_id, |tokens| Action::Disconnect { tokens }).await
    }

    /// Makes webhook and subscriptions as they should be.
    pub async fn provision(&self, app_id: AppId, endpoint: &Endpoint) -> Result<Inspection, Error> {
        self.ask(app_id, |tokens| Action::Provision { tokens, endpoint: endpoint.clone() }).await
    }

    /// Compares webhook and subscriptions with what they should be.
    pub async fn inspect(&self, app_id: AppId, endpoint: &Endpoint) -> Result<Inspection, Error> {
        self.ask(app_id, |tokens| Action::Inspect { tokens, endpoint: endpoint.clone() }).await
    }

    /// Deletes webhook and subscriptions.
    pub async fn deprovision(&self, app_id: AppId, endpoint: &Endpoint) -> Result<Inspection, Error> {
        self.ask(app_id, |tokens| Action::Deprovision { tokens, endpoint: endpoint.clone() }).await
    }

    /// Has the webhook sign with another secret.
    pub async fn set_secret(
        &self,
        app_id: AppId,
        webhook_id: DialpadId,
        secret: &Hidden,
    ) -> Result<(), Error> {
        self.ask(app_id, |tokens| Action::SetSecret { tokens, webhook_id, secret: secret.clone() }).await
    }

    /// Has a user's application dial.
    pub async fn call(&self, app_id: AppId, call: &NewCall) -> Result<(), Error> {
        self.ask(app_id, |tokens| Action::Call { tokens, call: call.clone() }).await
    }

    /// How a call stands.
    pub async fn show_call(&self, app_id: AppId, call_id: DialpadId) -> Result<FoundCall, Error> {
        self.ask(app_id, |tokens| Action::ShowCall { tokens, call_id }).await
    }

    /// A page of the calls that are over.
    pub async fn list_calls(
        &self,
        app_id: AppId,
        span: Span,
        cursor: Option<&str>,
    ) -> Result<CallPage, Error> {
        self.ask(app_id, |tokens| Action::ListCalls { tokens, span, cursor: cursor.map(str::to_owned) }).await
    }

    /// Has something done with the app's tokens. When Dialpad does not accept them, it is done once more with new ones.
    async fn ask<T: DeserializeOwned>(
        &self,
        app_id: AppId,
        action: impl Fn(Hidden) -> Action + Send + Sync,
    ) -> Result<T, Error> {
        let held = self.hold(app_id, None).await?;
        match self.invoker.ask(app_id, action(held.tokens.sealed)).await {
            Err(error) if error.kind() == Some(RefusalKind::Unauthorized) => {
                let held = self.hold(app_id, Some(held.generation)).await?;
                Ok(self.invoker.ask(app_id, action(held.tokens.sealed)).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Tokens that are good, and not of the generation that Dialpad refused.
    async fn hold(&self, app_id: AppId, refused: Option<i64>) -> Result<Held, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.clock.now();
            let leased = {
                // Not held while waiting: a function has one connection.
                let db = self.store.app(app_id).await?;
                let connection = dialpad_connections::find(&*db, app_id).await?.ok_or(Error::NotConnected)?;
                let tokens = connection.usable().ok_or(Error::NotConnected)?.clone();
                let generation = connection.generation;
                let is_fresh = tokens.expires_at.is_none_or(|expires_at| expires_at - now > MARGIN);
                if is_fresh && refused != Some(generation) {
                    return Ok(Held { tokens, generation });
                }
                if connection.kind != "oauth" {
                    // An API key cannot be exchanged: somebody has deleted it.
                    db.commit_with(dialpad_connections::broken(&*db, app_id, generation, now)).await?;
                    return Err(Error::NotConnected);
                }
                let lease = dialpad_connections::lease_refresh(&*db, app_id, generation, now + LEASE, now);
                db.commit_with(lease).await?.then_some(Held { tokens, generation })
            };
            match leased {
                Some(held) => self.refresh(app_id, held).await?,
                None if Instant::now() > deadline => return Err(Error::Busy),
                None => sleep(LOOK).await,
            }
        }
    }

    async fn refresh(&self, app_id: AppId, held: Held) -> Result<(), Error> {
        let generation = held.generation;
        let outcome = self.invoker.refresh(app_id, held.tokens.sealed).await;
        let db = self.store.app(app_id).await?;
        match outcome {
            Ok(tokens) => {
                db.commit_with(dialpad_connections::refreshed(
                    &*db,
                    app_id,
                    generation,
                    &tokens,
                    self.clock.now(),
                ))
                .await?;
                tracing::info!(component = "Dialpad", %app_id, generation = generation + 1, "tokens exchanged");
                Ok(())
            }
            Err(error) if error.kind() == Some(RefusalKind::GrantExpired) => {
                db.commit_with(dialpad_connections::broken(&*db, app_id, generation, self.clock.now()))
                    .await?;
                tracing::warn!(component = "Dialpad", %app_id, "the grant is over: the company has to be connected again");
                Err(Error::NotConnected)
            }
            Err(error) => {
                db.commit_with(dialpad_connections::release_refresh(&*db, app_id, generation)).await?;
                Err(error.into())
            }
        }
    }
}
