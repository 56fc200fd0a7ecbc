//! The secret that Dialpad signs an app's deliveries with.

use std::sync::Arc;

use axum::extract::State;
use chrono::TimeDelta;
use serde::Serialize;
use shared::{
    auth::generate_secret,
    domain::{ids::AppId, time::Timestamp},
    store::{apps, audit},
};
use utoipa::ToSchema;

use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
    extract::{NoParameters, Path, Query},
};

/// How long the secret before goes on working: long enough to tell Dialpad the new one.
const GRACE: TimeDelta = TimeDelta::hours(24);

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
}

/// Puts a new webhook secret in place; the one before is accepted for another 24 hours.
#[utoipa::path(post, operation_id = "rotate_webhook_secret", path = "/internal/apps/{app_id}/webhook-secret", tag = "Apps",
    params(("app_id" = Uuid, Path)), security(("operator" = [])), responses((status = 200, body = RotatedSecret)))]
pub(crate) async fn rotate(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<RotatedSecret>> {
    let now = deps.clock.now();
    let secret = generate_secret().map_err(|error| Error::Randomness(Box::new(error)))?;

    let tx = deps.store.app(app_id).await?;
    if !apps::rotate_webhook_secret(&*tx, app_id, &secret, now + GRACE, now).await? {
        return Err(Error::NotFound("app"));
    }
    let detail = serde_json::json!({});
    audit::record(&*tx, app_id, "webhook_secret.rotated", &detail, &operator.request_id, now).await?;
    tx.commit().await?;

    tracing::info!(component = "APIKey", %app_id, request_id = operator.request_id, "webhook secret rotated");
    Ok(axum::Json(RotatedSecret {
        success: true,
        message: "Webhook secret rotated. Give it to Dialpad's webhook now: it is shown only once.",
        app_id,
        webhook_secret: secret.expose().to_owned(),
        rotated_at: now.into(),
        previous_secret_expires_at: (now + GRACE).into(),
    }))
}
