//! `refused_handshakes`: why sockets of an app were refused. One row an app and reason, whatever is tried how often.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};

use super::Result;
use crate::domain::{handshake::Reason, ids::AppId};

/// Refusals of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusals {
    /// Why.
    pub reason: Reason,
    /// How many there were, since the last day without one.
    pub count: i64,
    /// When the last was.
    pub last_at: DateTime<Utc>,
}

/// Notes a refusal for the app whose key has this public id; a key that nobody has is nobody's refusal.
pub async fn note(
    db: &(impl GenericClient + Sync),
    key_id: &str,
    reason: Reason,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- refusals.note
         INSERT INTO refused_handshakes AS r (app_id, reason, refusals, last_at)
         SELECT app_id, $2, 1, $3 FROM api_keys WHERE key_id = $1
         ON CONFLICT (app_id, reason) DO UPDATE SET
             refusals = CASE WHEN r.last_at > $3 - interval '1 day' THEN r.refusals + 1 ELSE 1 END,
             last_at = greatest(r.last_at, $3)",
        &[(&key_id, Type::TEXT), (&reason.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}

/// The refusals of an app within the last day, the newest first.
pub async fn recent(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    now: DateTime<Utc>,
) -> Result<Vec<Refusals>> {
    let rows = db
        .query_typed(
            "-- refusals.recent
             SELECT reason, refusals, last_at FROM refused_handshakes
             WHERE app_id = $1 AND last_at > $2 - interval '1 day' ORDER BY last_at DESC, reason",
            &[(&app_id.0, Type::UUID), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    // A reason that this build does not know was written by a newer one.
    let read = |row: &tokio_postgres::Row| {
        let reason = Reason::of_word(row.get("reason"))?;
        Some(Refusals { reason, count: row.get("refusals"), last_at: row.get("last_at") })
    };
    Ok(rows.iter().filter_map(read).collect())
}
