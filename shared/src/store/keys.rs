//! `api_keys`: who may act for an app, and the audit trail of it.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::{AppId, new_id};

/// A key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Its row.
    pub id: Uuid,
    /// Whose it is.
    pub app_id: AppId,
    /// Whether that app is active.
    pub app_is_active: bool,
    /// SHA-256 of the whole key.
    pub key_hash: Vec<u8>,
    /// Whether it was revoked, or its grace period is over.
    pub is_dead: bool,
}

/// Finds a key by its public id: one indexed look-up whatever the number of apps.
pub async fn find(db: &(impl GenericClient + Sync), key_id: &str, now: DateTime<Utc>) -> Result<Option<StoredKey>> {
    let row = db
        .query_typed_opt(
            "-- keys.find
             SELECT k.id, k.app_id, a.is_active, k.key_hash,
                    (k.revoked_at IS NOT NULL OR coalesce(k.expires_at <= $2, false)) AS is_dead
             FROM api_keys k JOIN apps a ON a.id = k.app_id WHERE k.key_id = $1",
            &[(&key_id, Type::TEXT), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(row.map(|row| StoredKey {
        id: row.get("id"),
        app_id: AppId(row.get("app_id")),
        app_is_active: row.get("is_active"),
        key_hash: row.get("key_hash"),
        is_dead: row.get("is_dead"),
    }))
}

/// Notes that a key was used, at most once a minute.
pub async fn touch(db: &(impl GenericClient + Sync), id: Uuid, now: DateTime<Utc>) -> Result<()> {
    db.execute_typed(
        "-- keys.touch
         UPDATE api_keys SET last_used_at = $2
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2 - interval '1 minute')",
        &[(&id, Type::UUID), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}

/// A key to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// The public part of it.
    pub key_id: &'a str,
    /// SHA-256 of the whole.
    pub key_hash: &'a [u8],
    /// What may be shown of it.
    pub key_hint: &'a str,
}

/// What a rotation did.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The row of the new key.
    pub id: Uuid,
    /// Whether a key was live before; else the new one is the first, or the first after a revocation.
    pub replaced: bool,
}

/// Puts a new key in place of the app's live ones, which die at `previous_expire_at`, and writes the audit trail. Call it
/// with the app locked ([`super::apps::lock`]).
pub async fn rotate(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    key: NewKey<'_>,
    previous_expire_at: DateTime<Utc>,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<Rotation> {
    let id = new_id();
    let row = db
        .query_typed_one(
            "-- keys.rotate
             WITH previous AS (
                 UPDATE api_keys SET expires_at = least(coalesce(expires_at, $6), $6)
                 WHERE app_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $8)
                 RETURNING key_hint, created_at),
             last AS (SELECT key_hint FROM previous ORDER BY created_at DESC LIMIT 1),
             added AS (
                 INSERT INTO api_keys (id, app_id, key_id, key_hash, key_hint, created_at) VALUES ($2, $1, $3, $4, $5, $8)),
             app AS (UPDATE apps SET api_key_rotated_at = $8, updated_at = $8 WHERE id = $1),
             audit AS (
                 INSERT INTO api_key_audit_log
                     (id, app_id, action, old_key_hint, new_key_hint, request_id, performed_at, created_at)
                 SELECT $9, $1, CASE WHEN EXISTS (SELECT FROM last) THEN 'rotated' ELSE 'created' END,
                        (SELECT key_hint FROM last), $5, $7, $8, $8)
             SELECT EXISTS (SELECT FROM last) AS replaced",
            &[
                (&app_id.0, Type::UUID),
                (&id, Type::UUID),
                (&key.key_id, Type::TEXT),
                (&key.key_hash, Type::BYTEA),
                (&key.key_hint, Type::TEXT),
                (&previous_expire_at, Type::TIMESTAMPTZ),
                (&request_id, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
                (&new_id(), Type::UUID),
            ],
        )
        .await?;
    Ok(Rotation { id, replaced: row.get("replaced") })
}
