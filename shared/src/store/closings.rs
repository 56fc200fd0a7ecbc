//! Sockets that are to be closed: those of keys that died, and of apps that are not active any more.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::AppId;

/// Keys that were revoked, or whose time is over, and whose sockets nobody closed yet.
pub async fn of_dead_keys(
    db: &(impl GenericClient + Sync),
    now: DateTime<Utc>,
) -> Result<Vec<(AppId, Uuid)>> {
    let rows = db
        .query_typed(
            "-- closings.of_dead_keys
             SELECT app_id, id FROM api_keys
             WHERE sockets_closed_at IS NULL AND (revoked_at IS NOT NULL OR expires_at <= $1)
             ORDER BY app_id, id LIMIT 1000",
            &[(&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(rows.iter().map(|row| (AppId(row.get("app_id")), row.get("id"))).collect())
}

/// Notes that the sockets of these keys are being closed.
pub async fn mark_keys(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    keys: &[Uuid],
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- closings.mark_keys
         UPDATE api_keys SET sockets_closed_at = $3 WHERE app_id = $1 AND id = ANY ($2)",
        &[(&app_id.0, Type::UUID), (&keys, Type::UUID_ARRAY), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}

/// Apps that are not active, and whose sockets nobody closed since.
pub async fn of_inactive_apps(db: &(impl GenericClient + Sync)) -> Result<Vec<AppId>> {
    let rows = db
        .query_typed(
            "-- closings.of_inactive_apps
             SELECT id FROM apps WHERE NOT is_active AND sockets_closed_at IS NULL ORDER BY id LIMIT 1000",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| AppId(row.get("id"))).collect())
}

/// Notes that the sockets of an app are being closed that has been inactive since `now` at least: one that was switched on
/// and off again meanwhile may have new ones.
pub async fn mark_app(db: &(impl GenericClient + Sync), app_id: AppId, now: DateTime<Utc>) -> Result<()> {
    db.execute_typed(
        "-- closings.mark_app\nUPDATE apps SET sockets_closed_at = $2 WHERE id = $1 AND NOT is_active AND updated_at <= $2",
        &[(&app_id.0, Type::UUID), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}
