//! How an app's connection stands, and what at Dialpad is not as it should be.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::{
    domain::{
        ids::{AppId, DialpadId},
        time::Timestamp,
    },
    invoke::{self, Endpoint, Hidden, Inspection, Scope},
    store::{
        apps,
        dialpad_connections::{self, StoredConnection},
        dialpad_webhooks::{self, StoredWebhook},
    },
};
use utoipa::ToSchema;

use super::{dialpad, hook_url};
use crate::{
    Deps,
    auth::{Operator, PublicUrl},
    error::{Error, Result},
    extract::{Path, Query},
    reply::Data,
};

/// What to look at.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateQuery {
    /// Whether to ask Dialpad what is there; else only what is known here is shown.
    #[param(default = true)]
    inspect: Option<bool>,
}

/// The connection of an app.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DialpadState {
    /// `none`, `connected`, `broken` (Dialpad does not accept the tokens any more: connect again) or `disconnected`.
    #[schema(example = "connected")]
    status: String,
    /// `oauth` or `api_key`.
    #[schema(required)]
    kind: Option<String>,
    #[schema(value_type = Option<String>, required)]
    company_id: Option<DialpadId>,
    #[schema(required)]
    company_name: Option<String>,
    #[schema(value_type = Option<String>, required)]
    office_id: Option<DialpadId>,
    /// The person who granted access.
    #[schema(value_type = Option<String>, required)]
    dialpad_user_id: Option<DialpadId>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    connected_at: Option<Timestamp>,
    /// Where Dialpad is to deliver.
    hook_url: String,
    #[schema(required)]
    webhook: Option<Webhook>,
    /// What is at Dialpad; null where it was not asked, or did not answer.
    #[schema(required)]
    found: Option<Found>,
    /// Why there is nothing in `found`: the code of a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    not_found_because: Option<&'static str>,
}

/// The webhook that was made.
#[derive(Debug, Serialize, ToSchema)]
struct Webhook {
    #[serde(rename = "webhook_id")]
    #[schema(value_type = String)]
    id: DialpadId,
    /// The office whose events are delivered; null: the whole company's.
    #[schema(value_type = Option<String>, required)]
    office_id: Option<DialpadId>,
    /// Whether it signs with the app's current secret. False until a rotation has reached Dialpad; the secret before is
    /// accepted for as long.
    has_current_secret: bool,
}

/// What is at Dialpad.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    #[schema(value_type = Option<String>, required)]
    webhook_id: Option<DialpadId>,
    subscriptions: Vec<Subscription>,
    /// What was changed just now.
    changes: Vec<Change>,
    /// What is not as it should be; empty when all is well.
    drift: Vec<Drift>,
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DialpadSubscription)]
struct Subscription {
    /// `call`, `sms` or `agent_status`.
    kind: String,
    #[schema(value_type = String)]
    id: DialpadId,
    enabled: bool,
}

/// Something that was made, changed or deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DialpadChange)]
struct Change {
    /// `webhook`, `call`, `sms` or `agent_status`.
    what: String,
    /// `created`, `updated` or `deleted`.
    #[serde(rename = "change")]
    how: String,
    #[schema(value_type = String)]
    id: DialpadId,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
struct Drift {
    /// `webhook`, `call`, `sms` or `agent_status`.
    what: String,
    /// Stable name of the difference.
    #[schema(example = "states_missing")]
    code: String,
    /// The difference in words.
    detail: String,
    #[schema(value_type = Option<String>, required)]
    id: Option<DialpadId>,
}

impl From<Inspection> for Found {
    fn from(found: Inspection) -> Self {
        let subscription = |invoke::Subscription { kind, id, enabled }| Subscription { kind, id, enabled };
        let change = |invoke::Change { what, change, id }| Change { what, how: change, id };
        let drift = |invoke::Drift { what, code, detail, id }| Drift { what, code, detail, id };
        Self {
            webhook_id: found.webhook_id,
            subscriptions: found.subscriptions.into_iter().map(subscription).collect(),
            changes: found.changes.into_iter().map(change).collect(),
            drift: found.drift.into_iter().map(drift).collect(),
        }
    }
}

/// What is known of an app's connection.
pub(super) struct Known {
    pub(super) connection: Option<StoredConnection>,
    pub(super) webhook: Option<StoredWebhook>,
    secret: Option<Hidden>,
}

impl Known {
    /// Reads it; fails when there is no such app.
    pub(super) async fn read(deps: &Deps, app_id: AppId) -> Result<Self> {
        let db = deps.store.app(app_id).await?;
        let secrets =
            apps::webhook_secrets(&*db, app_id, deps.clock.now()).await?.ok_or(Error::NotFound("app"))?;
        Ok(Self {
            connection: dialpad_connections::find(&*db, app_id).await?,
            webhook: dialpad_webhooks::find(&*db, app_id).await?,
            secret: secrets.current().map(|secret| Hidden::new(secret.expose())),
        })
    }

    /// How webhook and subscriptions should be; none while the app has no secret.
    pub(super) fn endpoint(&self, hook_url: String, scope: Option<Scope>) -> Option<Endpoint> {
        let stored = self.webhook.as_ref();
        Some(Endpoint {
            hook_url,
            secret: self.secret.clone()?,
            webhook_id: stored.map(|webhook| webhook.webhook_id),
            scope: scope.or(stored.map(|webhook| webhook.scope)).unwrap_or(Scope::Company),
        })
    }
}

/// Shows the connection of an app, and what at Dialpad is not as it should be.
#[utoipa::path(get, operation_id = "show_dialpad", path = "/internal/apps/{app_id}/dialpad", tag = "Dialpad",
    params(("app_id" = Uuid, Path), StateQuery), security(("operator" = [])), responses((status = 200, body = Data<DialpadState>)))]
pub(crate) async fn show(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    url: PublicUrl,
    Path(app_id): Path<AppId>,
    Query(query): Query<StateQuery>,
) -> Result<axum::Json<Data<DialpadState>>> {
    let known = Known::read(&deps, app_id).await?;
    let hook_url = hook_url(&url, app_id);
    let is_connected = known.connection.as_ref().is_some_and(|connection| connection.usable().is_some());
    let endpoint =
        known.endpoint(hook_url.clone(), None).filter(|_| is_connected && query.inspect != Some(false));
    let (found, because) = match endpoint {
        None => (None, None),
        Some(endpoint) => match dialpad(&deps)?.inspect(app_id, &endpoint).await.map_err(Error::from) {
            Ok(found) => (Some(Found::from(found)), None),
            Err(Error::Database(error)) => return Err(error.into()),
            Err(error) => (None, Some(error.problem().code)),
        },
    };
    Ok(Data::json(state(known, hook_url, found, because)))
}

fn state(
    known: Known,
    hook_url: String,
    found: Option<Found>,
    not_found_because: Option<&'static str>,
) -> DialpadState {
    let connection = known.connection;
    let company = connection.as_ref().map(|connection| connection.company.clone());
    let (company_id, company_name, office_id, dialpad_user_id) = company
        .map_or((None, None, None, None), |company| {
            (company.company_id, company.company_name, company.office_id, company.dialpad_user_id)
        });
    DialpadState {
        status: connection.as_ref().map_or("none", |connection| &connection.status).to_owned(),
        kind: connection.as_ref().map(|connection| connection.kind.clone()),
        company_id,
        company_name,
        office_id,
        dialpad_user_id,
        connected_at: connection.map(|connection| connection.connected_at.into()),
        hook_url,
        webhook: known.webhook.map(|webhook| Webhook {
            id: webhook.webhook_id,
            office_id: if let Scope::Office(id) = webhook.scope { Some(id) } else { None },
            has_current_secret: webhook.has_current_secret,
        }),
        found,
        not_found_because,
    }
}
