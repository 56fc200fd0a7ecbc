//! Keys that died and whose sockets may still be open.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::AppId;

/// Keys that were revoked, or whose time is over, and whose sockets nobody closed yet.
pub async fn with_open_sockets(
    db: &(impl GenericClient + Sync),
    now: DateTime<Utc>,
) -> Result<Vec<(AppId, Uuid)>> {
    let rows = db
        .query_typed(
            "-- dead_keys.with_open_sockets
             SELECT app_id, id FROM api_keys
             WHERE sockets_closed_at IS NULL AND (revoked_at IS NOT NULL OR expires_at <= $1)
             ORDER BY app_id, id LIMIT 1000",
            &[(&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(rows.iter().map(|row| (AppId(row.get("app_id")), row.get("id"))).collect())
}

/// Notes that the sockets of these keys are being closed.
pub async fn mark_closed(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    keys: &[Uuid],
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- dead_keys.mark_closed
         UPDATE api_keys SET sockets_closed_at = $3 WHERE app_id = $1 AND id = ANY ($2)",
        &[(&app_id.0, Type::UUID), (&keys, Type::UUID_ARRAY), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}
