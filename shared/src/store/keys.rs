//! `api_keys`: who may act for an app, and the audit trail of it.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::{
    Result,
    limits::{COUNT, COUNT_ON},
};
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

/// Whose key it is, while it works: one indexed look-up whatever the number of apps. What the time of the comparison tells
/// of a hash tells nothing of the key.
pub async fn holder(
    db: &(impl GenericClient + Sync),
    key_id: &str,
    key_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<AppId>> {
    let row = db
        .query_typed_opt(
            &format!("-- keys.holder\n{FOUND}"),
            &[(&key_id, Type::TEXT), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    let stored = row.as_ref().map(StoredKey::from);
    Ok(stored.filter(|stored| stored.key_hash == key_hash && !stored.is_dead).map(|stored| stored.app_id))
}

/// A key of this id, with whether it works at the time `$2`.
const FOUND: &str = "SELECT k.id, k.app_id, a.is_active, k.key_hash,
           (k.revoked_at IS NOT NULL OR coalesce(k.expires_at <= $2, false)) AS is_dead
    FROM api_keys k JOIN apps a ON a.id = k.app_id WHERE k.key_id = $1";

impl From<&Row> for StoredKey {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            app_id: AppId(row.get("app_id")),
            app_is_active: row.get("is_active"),
            key_hash: row.get("key_hash"),
            is_dead: row.get("is_dead"),
        }
    }
}

/// A key that somebody shows.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The public part of it.
    pub key_id: &'a str,
    /// SHA-256 of the whole.
    pub key_hash: &'a [u8],
    /// Whether the request counts against the limit of the key.
    pub is_counted: bool,
}

/// Finds a key, and if it is a good one, notes that it was used (at most once a minute) and counts the request, all in one
/// statement. Gives the number of requests within this minute, this one included.
///
/// Only the holder of a key uses up its limit. What is compared here decides no more than that: whether the key is right
/// is for the caller to say. A key that somebody is changing is not waited for.
pub async fn present(
    db: &(impl GenericClient + Sync),
    key: Presented<'_>,
    now: DateTime<Utc>,
) -> Result<Option<(StoredKey, Option<i32>)>> {
    let row = db
        .query_typed_opt(
            &format!(
                "-- keys.present
                 WITH found AS ({FOUND}),
                 good AS (SELECT id FROM found WHERE key_hash = $3 AND is_active AND NOT is_dead),
                 used AS (
                     UPDATE api_keys SET last_used_at = $2 WHERE id = (
                         SELECT k.id FROM api_keys k JOIN good ON good.id = k.id
                         WHERE k.last_used_at IS NULL OR k.last_used_at <= $2 - interval '1 minute'
                         FOR NO KEY UPDATE OF k SKIP LOCKED)),
                 counted AS (
                     {COUNT} SELECT id, date_trunc('minute', $2), 1 FROM good WHERE $4 {COUNT_ON})
                 SELECT found.*, (SELECT requests FROM counted) AS requests FROM found"
            ),
            &[
                (&key.key_id, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
                (&key.key_hash, Type::BYTEA),
                (&key.is_counted, Type::BOOL),
            ],
        )
        .await?;
    Ok(row.as_ref().map(|row| (StoredKey::from(row), row.get("requests"))))
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

/// Revokes all keys of an app that still work, with a line each in the audit trail; says how many. Call it with the app
/// locked ([`super::apps::lock`]).
pub async fn revoke_all(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<u64> {
    let revoked = db
        .execute_typed(
            "-- keys.revoke_all
             WITH revoked AS (
                 UPDATE api_keys SET revoked_at = $2
                 WHERE app_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
                 RETURNING key_hint)
             INSERT INTO api_key_audit_log (app_id, action, old_key_hint, request_id, performed_at, created_at)
             SELECT $1, 'revoked', key_hint, $3, $2, $2 FROM revoked",
            &[(&app_id.0, Type::UUID), (&now, Type::TIMESTAMPTZ), (&request_id, Type::TEXT)],
        )
        .await?;
    Ok(revoked)
}

/// What may be shown of a key.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    /// Its public id.
    pub key_id: String,
    /// Its first and last characters.
    pub key_hint: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its grace period ends, or ended.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl KeyInfo {
    /// Whether it works at this moment.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

/// The newest keys of an app, dead ones too.
pub async fn newest(db: &(impl GenericClient + Sync), app_id: AppId, limit: i64) -> Result<Vec<KeyInfo>> {
    let rows = db
        .query_typed(
            "-- keys.newest
             SELECT key_id, key_hint, created_at, expires_at, revoked_at, last_used_at
             FROM api_keys WHERE app_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
            &[(&app_id.0, Type::UUID), (&limit, Type::INT8)],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| KeyInfo {
            key_id: row.get("key_id"),
            key_hint: row.get("key_hint"),
            created_at: row.get("created_at"),
            expires_at: row.get("expires_at"),
            revoked_at: row.get("revoked_at"),
            last_used_at: row.get("last_used_at"),
        })
        .collect())
}
