//! What is deleted when its time is over. In small batches, so that no lock is held for long.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};

use super::Result;

/// The most rows that one statement deletes.
const BATCH: i64 = 1000;

/// Deletes a batch of the event log that was written before `before`; says whether there may be more.
pub async fn delete_client_events(db: &(impl GenericClient + Sync), before: DateTime<Utc>) -> Result<bool> {
    delete(
        db,
        "-- retention.delete_client_events
         DELETE FROM client_events WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM client_events WHERE created_at < $1 ORDER BY created_at LIMIT $2))",
        before,
    )
    .await
}

/// Deletes a batch of deliveries that were processed before `before` and that no row is folded from: those of calls and
/// messages live as long as these do.
pub async fn delete_deliveries(db: &(impl GenericClient + Sync), before: DateTime<Utc>) -> Result<bool> {
    delete(
        db,
        "-- retention.delete_deliveries
         DELETE FROM webhook_events WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM webhook_events
             WHERE processed_at < $1 AND call_id IS NULL AND message_id IS NULL LIMIT $2))",
        before,
    )
    .await
}

/// Deletes a batch of tickets whose time was over before `before`.
pub async fn delete_tickets(db: &(impl GenericClient + Sync), before: DateTime<Utc>) -> Result<bool> {
    delete(
        db,
        "-- retention.delete_tickets
         DELETE FROM ws_tickets WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM ws_tickets WHERE expires_at < $1 LIMIT $2))",
        before,
    )
    .await
}

/// Deletes a batch of links to Dialpad, and of states of persons who were sent there, whose time was over before `before`.
pub async fn delete_authorizations(db: &(impl GenericClient + Sync), before: DateTime<Utc>) -> Result<bool> {
    delete(
        db,
        "-- retention.delete_authorizations
         DELETE FROM dialpad_authorizations WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM dialpad_authorizations WHERE expires_at < $1 LIMIT $2))",
        before,
    )
    .await
}

/// Deletes a batch of counters of a minute before `before`.
pub async fn delete_counters(db: &(impl GenericClient + Sync), before: DateTime<Utc>) -> Result<bool> {
    delete(
        db,
        "-- retention.delete_counters
         DELETE FROM rate_limits WHERE ctid = ANY (ARRAY (SELECT ctid FROM rate_limits WHERE minute < $1 LIMIT $2))",
        before,
    )
    .await
}

async fn delete(db: &(impl GenericClient + Sync), statement: &str, before: DateTime<Utc>) -> Result<bool> {
    let deleted = db.execute_typed(statement, &[(&before, Type::TIMESTAMPTZ), (&BATCH, Type::INT8)]).await?;
    Ok(i64::try_from(deleted) == Ok(BATCH))
}
