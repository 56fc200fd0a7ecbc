//! `ws_tickets`: short-lived tickets with which a browser opens one socket, so that the key stays with the backend.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::AppId;

/// A ticket to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewTicket<'a> {
    /// The app.
    pub app_id: AppId,
    /// The key that asks for it.
    pub api_key_id: Uuid,
    /// The CRM user whose socket it opens; none: an app socket.
    pub crm_user_id: Option<&'a str>,
    /// SHA-256 of the ticket.
    pub hash: &'a [u8],
    /// When it can no longer be used.
    pub expires_at: DateTime<Utc>,
}

/// A ticket that was just used.
#[derive(Clone, Debug)]
pub struct Redeemed {
    /// The app.
    pub app_id: AppId,
    /// Whether that app is active.
    pub app_is_active: bool,
    /// The key that asked for it.
    pub api_key_id: Uuid,
    /// The CRM user; none: an app socket.
    pub crm_user_id: Option<String>,
}

/// Stores a ticket.
pub async fn insert(
    db: &(impl GenericClient + Sync),
    ticket: NewTicket<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- tickets.insert
         INSERT INTO ws_tickets (ticket_hash, app_id, api_key_id, crm_user_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            (&ticket.hash, Type::BYTEA),
            (&ticket.app_id.0, Type::UUID),
            (&ticket.api_key_id, Type::UUID),
            (&ticket.crm_user_id, Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
            (&ticket.expires_at, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Uses a ticket up, if it is good: of two who try at once, one gets it.
pub async fn redeem(
    db: &(impl GenericClient + Sync),
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Redeemed>> {
    let row = db
        .query_typed_opt(
            "-- tickets.redeem
             UPDATE ws_tickets t SET used_at = $2 FROM apps a, api_keys k
             WHERE t.ticket_hash = $1 AND t.used_at IS NULL AND t.expires_at > $2
               AND a.id = t.app_id AND k.id = t.api_key_id AND k.revoked_at IS NULL
               AND (k.expires_at IS NULL OR k.expires_at > $2)
             RETURNING t.app_id, a.is_active, t.api_key_id, t.crm_user_id",
            &[(&hash, Type::BYTEA), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(row.map(|row| Redeemed {
        app_id: AppId(row.get("app_id")),
        app_is_active: row.get("is_active"),
        api_key_id: row.get("api_key_id"),
        crm_user_id: row.get("crm_user_id"),
    }))
}
