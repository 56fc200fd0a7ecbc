//! `rate_limits`: how often a credential was used within the current minute. One row a credential, written in place.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};
use uuid::Uuid;

use super::Result;

/// The beginning and the end of a statement that counts; between them stands what gives id, minute and 1. A clock that is
/// a little behind does not begin the minute anew.
pub(super) const COUNT: &str = "INSERT INTO rate_limits AS r (credential_id, minute, requests)";
pub(super) const COUNT_ON: &str = "ON CONFLICT (credential_id) DO UPDATE SET
        minute = greatest(r.minute, excluded.minute),
        requests = CASE WHEN r.minute >= excluded.minute THEN r.requests + 1 ELSE 1 END
    RETURNING requests";

/// Counts a request of a credential that is not an API key (those are counted by [`super::keys::present`]); gives the
/// number within this minute, this one included.
pub async fn count(db: &(impl GenericClient + Sync), credential_id: Uuid, now: DateTime<Utc>) -> Result<i32> {
    let row = db
        .query_typed_one(
            &format!("-- limits.count\n{COUNT} VALUES ($1, date_trunc('minute', $2), 1) {COUNT_ON}"),
            &[(&credential_id, Type::UUID), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(row.get("requests"))
}
