//! `dialpad_webhooks`: the webhook that was made for an app at Dialpad.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};

use super::Result;
use crate::domain::{
    company::Scope,
    ids::{AppId, DialpadId},
};

/// The webhook of an app.
#[derive(Clone, Debug)]
pub struct StoredWebhook {
    /// Dialpad's id of it.
    pub webhook_id: DialpadId,
    /// Where it delivers.
    pub hook_url: String,
    /// Whose events.
    pub scope: Scope,
    /// Whether it signs with the app's current secret.
    pub has_current_secret: bool,
}

/// The webhook of an app, if one was made.
pub async fn find(db: &(impl GenericClient + Sync), app_id: AppId) -> Result<Option<StoredWebhook>> {
    let row = db
        .query_typed_opt(
            "-- dialpad_webhooks.find
             SELECT webhook_id, hook_url, office_id, has_current_secret FROM dialpad_webhooks WHERE app_id = $1",
            &[(&app_id.0, Type::UUID)],
        )
        .await?;
    Ok(row.map(|row| StoredWebhook {
        webhook_id: DialpadId(row.get("webhook_id")),
        hook_url: row.get("hook_url"),
        scope: row
            .get::<_, Option<i64>>("office_id")
            .map_or(Scope::Company, |id| Scope::Office(DialpadId(id))),
        has_current_secret: row.get("has_current_secret"),
    }))
}

/// Notes what was made.
pub async fn save(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    webhook: &StoredWebhook,
    now: DateTime<Utc>,
) -> Result<()> {
    let office = if let Scope::Office(id) = webhook.scope { Some(id.0) } else { None };
    db.execute_typed(
        "-- dialpad_webhooks.save
         INSERT INTO dialpad_webhooks (app_id, webhook_id, hook_url, office_id, has_current_secret, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)
         ON CONFLICT (app_id) DO UPDATE SET
             webhook_id = excluded.webhook_id, hook_url = excluded.hook_url, office_id = excluded.office_id,
             has_current_secret = excluded.has_current_secret, updated_at = excluded.updated_at",
        &[
            (&app_id.0, Type::UUID),
            (&webhook.webhook_id.0, Type::INT8),
            (&webhook.hook_url, Type::TEXT),
            (&office, Type::INT8),
            (&webhook.has_current_secret, Type::BOOL),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Notes whether the webhook signs with the app's current secret.
pub async fn mark_secret(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    is_current: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- dialpad_webhooks.mark_secret
         UPDATE dialpad_webhooks SET has_current_secret = $2, updated_at = $3 WHERE app_id = $1",
        &[(&app_id.0, Type::UUID), (&is_current, Type::BOOL), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}

/// Forgets it.
pub async fn delete(db: &(impl GenericClient + Sync), app_id: AppId) -> Result<()> {
    db.execute_typed(
        "-- dialpad_webhooks.delete\nDELETE FROM dialpad_webhooks WHERE app_id = $1",
        &[(&app_id.0, Type::UUID)],
    )
    .await?;
    Ok(())
}
