//! The secret that Dialpad signs an app's deliveries with.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use shared::{
    auth::generate_secret,
    config::Secret,
    domain::{
        ids::{AppId, DialpadId},
        time::Timestamp,
    },
    invoke::Hidden,
    store::{apps, audit, dialpad_webhooks},
    telemetry::Chain,
};
use utoipa::ToSchema;

use super::dialpad;
use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
    extract::{NoParameters, Path, Query},
};

/// How long the secret before goes on working: long enough to tell Dialpad the new one, and for its last repeats.
pub(super) const GRACE: TimeDelta = TimeDelta::hours(24);

/// How long it goes on working while Dialpad could not be told the new one: until it can.
const UNTIL_TOLD: TimeDelta = TimeDelta::days(3650);

/// A new secret, shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RotatedSecret {
    success: bool,
    message: &'static str,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    /// The secret: shown only here.
    webhook_secret: String,
    #[schema(value_type = String, format = DateTime)]
    rotated_at: Timestamp,
    /// Until when deliveries signed with the secret before are taken.
    #[schema(value_type = String, format = DateTime)]
    previous_secret_expires_at: Timestamp,
    /// Whether Dialpad's webhook signs with it: `updated`; `pending` when Dialpad could not be told (repeat the request);
    /// `not_provisioned` when the webhook was not made by this server.
    #[schema(example = "updated")]
    dialpad: &'static str,
}

/// Puts a new webhook secret in place, here and, where the app is provisioned, at Dialpad. The one before is accepted for
/// another 24 hours, and for as long as Dialpad does not sign with the new one. Repeated while Dialpad could not be told,
/// it tells Dialpad the same secret again instead of making a third.
#[utoipa::path(post, operation_id = "rotate_webhook_secret", path = "/internal/apps/{app_id}/webhook-secret", tag = "Apps",
    params(("app_id" = Uuid, Path)), security(("operator" = [])), responses((status = 200, body = RotatedSecret)))]
pub(crate) async fn rotate(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<RotatedSecret>> {
    let now = deps.clock.now();
    let (secret, webhook_id) = put_in_place(&deps, app_id, &operator.request_id, now).await?;
    tracing::info!(component = "APIKey", %app_id, request_id = operator.request_id, "webhook secret rotated");
    let (dialpad, message, grace) = match webhook_id {
        None => {
            let message = "Webhook secret rotated. Give it to Dialpad's webhook now: it is shown only once.";
            ("not_provisioned", message, GRACE)
        }
        Some(webhook_id) if tell(&deps, app_id, webhook_id, &secret, now).await? => {
            ("updated", "Webhook secret rotated, here and at Dialpad.", GRACE)
        }
        Some(_) => {
            let message = "Webhook secret rotated here; Dialpad could not be told. Until it is, both are accepted: repeat the request.";
            ("pending", message, UNTIL_TOLD)
        }
    };
    Ok(axum::Json(RotatedSecret {
        success: true,
        message,
        app_id,
        webhook_secret: secret.expose().to_owned(),
        rotated_at: now.into(),
        previous_secret_expires_at: (now + grace).into(),
        dialpad,
    }))
}

/// Stores a new secret before Dialpad hears of it. Gives the secret, and the webhook that has to be told.
async fn put_in_place(
    deps: &Deps,
    app_id: AppId,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<(Secret, Option<DialpadId>)> {
    let tx = deps.store.app(app_id).await?;
    apps::lock(&*tx, app_id).await?.ok_or(Error::NotFound("app"))?;
    let webhook = dialpad_webhooks::find(&*tx, app_id).await?;
    if let Some(webhook) = webhook.as_ref().filter(|webhook| !webhook.has_current_secret) {
        // A third secret would push out the one that Dialpad still signs with.
        let secrets = apps::webhook_secrets(&*tx, app_id, now).await?;
        if let Some(secret) = secrets.as_ref().and_then(apps::WebhookSecrets::current) {
            return Ok((secret.clone(), Some(webhook.webhook_id)));
        }
    }
    let secret = generate_secret().map_err(|error| Error::Randomness(Box::new(error)))?;
    let grace = if webhook.is_some() { UNTIL_TOLD } else { GRACE };
    apps::rotate_webhook_secret(&*tx, app_id, &secret, now + grace, now).await?;
    dialpad_webhooks::mark_secret(&*tx, app_id, false, now).await?;
    audit::record(&*tx, app_id, "webhook_secret.rotated", &serde_json::json!({}), request_id, now).await?;
    tx.commit().await?;
    Ok((secret, webhook.map(|webhook| webhook.webhook_id)))
}

/// Tells Dialpad, and says whether that was possible.
async fn tell(
    deps: &Deps,
    app_id: AppId,
    webhook_id: DialpadId,
    secret: &Secret,
    now: DateTime<Utc>,
) -> Result<bool> {
    let secret = Hidden::new(secret.expose());
    let told = match dialpad(deps) {
        Ok(dialpad) => dialpad.set_secret(app_id, webhook_id, &secret).await.map_err(Error::from),
        Err(error) => Err(error),
    };
    match told {
        Ok(()) => {
            let tx = deps.store.app(app_id).await?;
            dialpad_webhooks::mark_secret(&*tx, app_id, true, now).await?;
            apps::expire_previous_secret(&*tx, app_id, now + GRACE).await?;
            tx.commit().await?;
            Ok(true)
        }
        Err(Error::Database(error)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(component = "Dialpad", %app_id, error = %Chain(&error), "Dialpad could not be told the new secret");
            Ok(false)
        }
    }
}
