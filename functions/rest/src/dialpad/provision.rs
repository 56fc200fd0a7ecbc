//! Having Dialpad deliver: webhook and subscriptions made as they should be, or deleted.

use std::sync::Arc;

use axum::extract::State;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;
use shared::{
    auth::generate_secret,
    domain::ids::AppId,
    invoke::Scope,
    store::{
        apps, audit, dialpad_connections,
        dialpad_webhooks::{self, StoredWebhook},
    },
};
use utoipa::ToSchema;

use super::{
    dialpad, hook_url,
    state::{Found, Known},
    webhook_secret,
};
use crate::{
    Deps,
    auth::{Operator, PublicUrl},
    error::{Error, Result},
    extract::{DialpadUserId, NoParameters, OptionalJson, Path, Query},
    reply::Data,
    schema,
};

/// How long one provisioning keeps another away: longer than a request may take.
const LEASE: TimeDelta = TimeDelta::seconds(15);

/// Whose events are to be delivered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whose {
    /// Everybody's.
    Company,
    /// Those of the connected person's office, or of `office_id`.
    Office,
}

/// What is to be provisioned; without it, what was before, else the whole company.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provisioning {
    /// Whose events.
    scope: Option<Whose>,
    /// The office, where it is another than the connected person's.
    #[schema(schema_with = schema::dialpad_id_or_null, required = false)]
    office_id: Option<DialpadUserId>,
}

/// Makes the webhook and the subscriptions at Dialpad as they should be. What is right is left alone, so it may be
/// repeated at any time, and mends what `drift` names.
#[utoipa::path(post, operation_id = "provision_dialpad", path = "/internal/apps/{app_id}/dialpad/provision", tag = "Dialpad",
    params(("app_id" = Uuid, Path)), request_body(content = Option<Provisioning>, description = "May be left out."), security(("operator" = [])),
    responses((status = 200, body = Data<Found>), (status = 409, description = "No company is connected, Dialpad forbids it, or it is being done."),
        (status = 429, description = "Dialpad's limit is reached.")))]
pub(crate) async fn provision(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    url: PublicUrl,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    OptionalJson(wanted): OptionalJson<Provisioning>,
) -> Result<axum::Json<Data<Found>>> {
    let known = Known::read(&deps, app_id).await?;
    let office = known.connection.as_ref().and_then(|connection| connection.company.office_id);
    let wanted_office = wanted.office_id.map(|id| id.0);
    let scope = match (wanted.scope, wanted_office.or(office)) {
        (Some(Whose::Company), _) if wanted_office.is_some() => {
            return Err(Error::invalid("/office_id", "belongs to the scope office"));
        }
        (Some(Whose::Company), _) => Some(Scope::Company),
        (Some(Whose::Office), Some(office)) => Some(Scope::Office(office)),
        (Some(Whose::Office), None) if known.connection.is_none() => {
            return Err(shared::connection::Error::NotConnected.into());
        }
        (Some(Whose::Office), None) => {
            return Err(Error::invalid(
                "/office_id",
                "is required: the office of the connection is not known",
            ));
        }
        (None, _) => wanted_office.map(Scope::Office),
    };
    lease(&deps, app_id).await?;
    let outcome = make(&deps, app_id, &operator.request_id, hook_url(&url, app_id), scope).await;
    release(&deps, app_id).await?;
    Ok(Data::json(outcome?))
}

async fn make(
    deps: &Deps,
    app_id: AppId,
    request_id: &str,
    hook_url: String,
    scope: Option<Scope>,
) -> Result<Found> {
    let mut known = Known::read(deps, app_id).await?;
    if known.endpoint(String::new(), None).is_none() {
        // The secret is stored before Dialpad hears of it: the first delivery may come before the answer.
        let secret = generate_secret().map_err(|error| Error::Randomness(Box::new(error)))?;
        let now = deps.clock.now();
        let db = deps.store.app(app_id).await?;
        db.commit_with(apps::rotate_webhook_secret(&*db, app_id, &secret, now, now)).await?;
        known = Known::read(deps, app_id).await?;
    }
    let endpoint = known.endpoint(hook_url, scope).ok_or(Error::NotFound("app"))?;
    let found = dialpad(deps)?.provision(app_id, &endpoint).await?;

    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    if let Some(webhook_id) = found.webhook_id {
        let webhook = StoredWebhook {
            webhook_id,
            hook_url: endpoint.hook_url.clone(),
            scope: endpoint.scope,
            has_current_secret: true,
        };
        dialpad_webhooks::save(&*tx, app_id, &webhook, now).await?;
        // From now on Dialpad signs with the current one.
        apps::expire_previous_secret(&*tx, app_id, now + webhook_secret::GRACE).await?;
    }
    let detail =
        json!({ "changes": found.changes, "webhook_id": found.webhook_id, "drift": found.drift.len() });
    audit::record(&*tx, app_id, "dialpad.provisioned", &detail, request_id, now).await?;
    tx.commit().await?;
    tracing::info!(component = "Dialpad", %app_id, request_id, changes = found.changes.len(), drift = found.drift.len(), "provisioned");
    Ok(found.into())
}

/// Deletes the webhook and the subscriptions of an app at Dialpad.
#[utoipa::path(post, operation_id = "deprovision_dialpad", path = "/internal/apps/{app_id}/dialpad/deprovision", tag = "Dialpad",
    params(("app_id" = Uuid, Path)), security(("operator" = [])),
    responses((status = 200, body = Data<Found>), (status = 409, description = "No company is connected, or it is being done.")))]
pub(crate) async fn deprovision(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    url: PublicUrl,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Data<Found>>> {
    let known = Known::read(&deps, app_id).await?;
    lease(&deps, app_id).await?;
    let outcome = delete(&deps, app_id, &operator.request_id, &known, hook_url(&url, app_id)).await;
    release(&deps, app_id).await?;
    Ok(Data::json(outcome?))
}

async fn delete(
    deps: &Deps,
    app_id: AppId,
    request_id: &str,
    known: &Known,
    hook_url: String,
) -> Result<Found> {
    let endpoint = known.endpoint(hook_url, None).ok_or(Error::NotFound("webhook of the app"))?;
    let found = dialpad(deps)?.deprovision(app_id, &endpoint).await?;
    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    dialpad_webhooks::delete(&*tx, app_id).await?;
    let detail = json!({ "changes": found.changes });
    audit::record(&*tx, app_id, "dialpad.deprovisioned", &detail, request_id, now).await?;
    tx.commit().await?;
    tracing::info!(component = "Dialpad", %app_id, request_id, changes = found.changes.len(), "deprovisioned");
    Ok(found.into())
}

async fn lease(deps: &Deps, app_id: AppId) -> Result<()> {
    let now = deps.clock.now();
    let db = deps.store.app(app_id).await?;
    let is_connected = dialpad_connections::find(&*db, app_id).await?.is_some();
    if db.commit_with(dialpad_connections::lease_provisioning(&*db, app_id, now + LEASE, now)).await? {
        return Ok(());
    }
    Err(if is_connected { Error::BeingProvisioned } else { shared::connection::Error::NotConnected.into() })
}

async fn release(deps: &Deps, app_id: AppId) -> Result<()> {
    let db = deps.store.app(app_id).await?;
    Ok(db.commit_with(dialpad_connections::release_provisioning(&*db, app_id)).await?)
}
