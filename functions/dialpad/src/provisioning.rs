//! The webhook and the subscriptions of an app: made, compared and deleted at Dialpad.

use http::StatusCode;
use serde_json::json;
use shared::{
    domain::ids::DialpadId,
    invoke::{Change, Drift, Endpoint, Inspection},
};

use crate::{
    api::Dialpad,
    desired::{Comparison, Kind, Listed, Step, Webhook, compare},
    error::Error,
    members,
    tokens::Tokens,
};

impl Dialpad {
    /// What is there, compared with what should be.
    pub(crate) async fn inspect(&self, tokens: &Tokens, endpoint: &Endpoint) -> Result<Inspection, Error> {
        let comparison = self.compare(tokens, endpoint).await?;
        Ok(inspection(comparison, Vec::new()))
    }

    /// Makes it as it should be, and looks again. What is right is not touched, so it may be repeated at any time.
    pub(crate) async fn provision(&self, tokens: &Tokens, endpoint: &Endpoint) -> Result<Inspection, Error> {
        let before = self.compare(tokens, endpoint).await?;
        let mut changes = Vec::new();
        let webhook_id = self.provide_webhook(tokens, endpoint, &before, &mut changes).await?;
        let mut forbidden = Vec::new();
        for step in &before.steps {
            match self.take(tokens, endpoint, webhook_id, step).await {
                Ok(change) => changes.push(change),
                // Only a company administrator may subscribe to agents; the rest is worth having without them.
                Err(Error::Refused { status: StatusCode::FORBIDDEN, detail, .. }) => {
                    forbidden.push(Drift {
                        what: kind(step).as_str().to_owned(),
                        code: "forbidden".to_owned(),
                        detail,
                        id: None,
                    });
                }
                Err(error) => return Err(error),
            }
        }
        for id in &before.superfluous {
            self.delete(tokens, "webhooks.delete", &format!("/webhooks/{id}")).await?;
            changes.push(change("webhook", "deleted", *id));
        }
        let made = Endpoint { webhook_id: Some(webhook_id), ..endpoint.clone() };
        let mut after = self.compare(tokens, &made).await?;
        after.drift.extend(forbidden);
        Ok(inspection(after, changes))
    }

    async fn provide_webhook(
        &self,
        tokens: &Tokens,
        endpoint: &Endpoint,
        before: &Comparison,
        changes: &mut Vec<Change>,
    ) -> Result<DialpadId, Error> {
        let body = json!({ "hook_url": endpoint.hook_url, "secret": endpoint.secret.expose() });
        match &before.webhook {
            None => {
                let made = self.post(tokens, "webhooks.create", "/webhooks", body).await?;
                let id = id(&made)?;
                changes.push(change("webhook", "created", id));
                Ok(id)
            }
            Some(webhook) => {
                if before.webhook_differs {
                    let path = format!("/webhooks/{}", webhook.id);
                    self.patch(tokens, "webhook.update", &path, body).await?;
                    changes.push(change("webhook", "updated", webhook.id));
                }
                Ok(webhook.id)
            }
        }
    }

    async fn take(
        &self,
        tokens: &Tokens,
        endpoint: &Endpoint,
        webhook_id: DialpadId,
        step: &Step,
    ) -> Result<Change, Error> {
        let kind = kind(step);
        let path = format!("/subscriptions/{}", kind.as_str());
        let wanted = kind.wanted(webhook_id, endpoint.scope);
        match step {
            Step::Create(_) => {
                let made = self.post(tokens, "subscriptions.create", &path, wanted).await?;
                Ok(change(kind.as_str(), "created", id(&made)?))
            }
            Step::Update(_, id) => {
                self.patch(tokens, "subscriptions.update", &format!("{path}/{id}"), wanted).await?;
                Ok(change(kind.as_str(), "updated", *id))
            }
            Step::Delete(_, id) => {
                self.delete(tokens, "subscriptions.delete", &format!("{path}/{id}")).await?;
                Ok(change(kind.as_str(), "deleted", *id))
            }
        }
    }

    /// Deletes what delivers to the app's address, subscriptions first.
    pub(crate) async fn deprovision(
        &self,
        tokens: &Tokens,
        endpoint: &Endpoint,
    ) -> Result<Inspection, Error> {
        let before = self.compare(tokens, endpoint).await?;
        let mut changes = Vec::new();
        for subscription in &before.subscriptions {
            let path = format!("/subscriptions/{}/{}", subscription.kind, subscription.id);
            self.delete(tokens, "subscriptions.delete", &path).await?;
            changes.push(change(&subscription.kind, "deleted", subscription.id));
        }
        let own = before.webhook.as_ref().map(|webhook| webhook.id);
        for id in own.iter().chain(&before.superfluous) {
            self.delete(tokens, "webhooks.delete", &format!("/webhooks/{id}")).await?;
            changes.push(change("webhook", "deleted", *id));
        }
        Ok(inspection(Comparison::default(), changes))
    }

    async fn compare(&self, tokens: &Tokens, endpoint: &Endpoint) -> Result<Comparison, Error> {
        let webhooks = self.list(tokens, "webhooks.list", "/webhooks").await?;
        let webhooks: Vec<Webhook> = webhooks.iter().filter_map(Webhook::read).collect();
        let mut listed = Vec::new();
        for kind in Kind::ALL {
            let path = format!("/subscriptions/{}", kind.as_str());
            match self.list(tokens, "subscriptions.list", &path).await {
                Ok(found) => listed.extend(found.into_iter().filter_map(|value| Listed::read(kind, value))),
                // Who may not see agents has no subscription to them.
                Err(Error::Refused { status: StatusCode::FORBIDDEN, .. }) if kind == Kind::AgentStatus => {}
                Err(error) => return Err(error),
            }
        }
        Ok(compare(endpoint, &webhooks, &listed))
    }
}

fn kind(step: &Step) -> Kind {
    match step {
        Step::Create(kind) | Step::Update(kind, _) | Step::Delete(kind, _) => *kind,
    }
}

fn id(made: &serde_json::Value) -> Result<DialpadId, Error> {
    members::id(&made["id"]).ok_or(Error::NoAnswer)
}

fn change(what: &str, change: &str, id: DialpadId) -> Change {
    Change { what: what.to_owned(), change: change.to_owned(), id }
}

fn inspection(comparison: Comparison, changes: Vec<Change>) -> Inspection {
    Inspection {
        webhook_id: comparison.webhook.map(|webhook| webhook.id),
        subscriptions: comparison.subscriptions,
        changes,
        drift: comparison.drift,
    }
}
