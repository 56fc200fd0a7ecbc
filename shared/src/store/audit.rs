//! `audit_log` and `api_key_audit_log`: who changed what in the administration of an app.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{
    GenericClient, Row,
    types::{Json, Type},
};
use uuid::Uuid;

use super::{
    Result,
    page::{Listing, Page, Request},
};
use crate::domain::ids::{AppId, new_id};

/// A change. Its detail names things by id; never a phone number, a transcript or a secret.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its row.
    pub id: Uuid,
    /// What was done, as `thing.done`.
    pub action: String,
    /// To what.
    pub detail: serde_json::Value,
    /// By whom.
    pub actor: String,
    /// In which request.
    pub request_id: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Notes a change.
pub async fn record(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    action: &str,
    detail: &(impl Serialize + std::fmt::Debug + Sync),
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- audit.record
         INSERT INTO audit_log (id, app_id, action, detail, request_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            (&new_id(), Type::UUID),
            (&app_id.0, Type::UUID),
            (&action, Type::TEXT),
            (&Json(detail), Type::JSONB),
            (&request_id, Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Every administrative change of an app, its keys included, newest first. `None`: there is no such app.
pub async fn list(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    action: Option<&str>,
    request: &Request,
) -> Result<Option<Page<Entry>>> {
    const ENTRIES: &str = "(
        SELECT id, action, detail, actor, request_id, created_at FROM audit_log WHERE app_id = $1
        UNION ALL
        SELECT id, 'api_key.' || action,
               jsonb_strip_nulls(jsonb_build_object('old_key_hint', old_key_hint, 'new_key_hint', new_key_hint)),
               actor, request_id, performed_at
        FROM api_key_audit_log WHERE app_id = $1)";
    let listing = Listing {
        name: "audit.list",
        columns: "*",
        table: (ENTRIES, "e"),
        joins: "",
        place: ("created_at", "id"),
        matches: "($7::text IS NULL OR action = $7)",
        beside: None,
        texts: None,
    };
    let entry = |row: &Row| {
        Ok(Entry {
            id: row.get("id"),
            action: row.get("action"),
            detail: row.get("detail"),
            actor: row.get("actor"),
            request_id: row.get("request_id"),
            created_at: row.get("created_at"),
        })
    };
    listing.page(db, app_id, request, &[(&action, Type::TEXT)], entry).await
}

/// A change of an app's keys.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    /// Its row.
    pub id: Uuid,
    /// `created`, `rotated` or `revoked`.
    pub action: String,
    /// What may be shown of the key before.
    pub old_key_hint: Option<String>,
    /// What may be shown of the key after.
    pub new_key_hint: Option<String>,
    /// By whom.
    pub actor: String,
    /// In which request.
    pub request_id: Option<String>,
    /// When it was done.
    pub performed_at: DateTime<Utc>,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
}

impl From<&Row> for KeyEntry {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            action: row.get("action"),
            old_key_hint: row.get("old_key_hint"),
            new_key_hint: row.get("new_key_hint"),
            actor: row.get("actor"),
            request_id: row.get("request_id"),
            performed_at: row.get("performed_at"),
            created_at: row.get("written_at"),
        }
    }
}

/// What was done with an app's keys, newest first. `None`: there is no such app.
pub async fn keys(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    request: &Request,
) -> Result<Option<Page<KeyEntry>>> {
    let listing = Listing {
        name: "audit.keys",
        columns: "id, action, old_key_hint, new_key_hint, actor, request_id, performed_at, performed_at AS created_at,
            created_at AS written_at",
        table: ("api_key_audit_log", "e"),
        joins: "",
        place: ("performed_at", "id"),
        matches: "app_id = $1",
        beside: None,
        texts: None,
    };
    listing.page(db, app_id, request, &[], |row| Ok(KeyEntry::from(row))).await
}
