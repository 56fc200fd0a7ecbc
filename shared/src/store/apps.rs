//! `apps`: the tenants.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::{
    Result,
    page::{Page, Request},
};
use crate::{config::Secret, domain::ids::AppId};

/// A tenant.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// What operators call it.
    pub name: String,
    /// Whether its keys are honoured and its events pushed.
    pub is_active: bool,
    /// The country its numbers belong to that come without their country's code (ISO 3166-1 alpha-2).
    pub default_region: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
    /// When a key was last made or rotated.
    pub api_key_rotated_at: Option<DateTime<Utc>>,
}

impl From<&Row> for App {
    fn from(row: &Row) -> Self {
        Self {
            id: AppId(row.get("id")),
            name: row.get("name"),
            is_active: row.get("is_active"),
            default_region: row.get("default_region"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
            api_key_rotated_at: row.get("api_key_rotated_at"),
        }
    }
}

/// How an app's deliveries are authenticated.
#[derive(Clone, Debug)]
pub struct WebhookSecrets {
    /// The app.
    pub app_id: AppId,
    /// The secrets that are honoured now, the current one first. During a rotation there are two.
    pub secrets: Vec<Secret>,
    current: Option<Secret>,
    /// Whether a delivery without a signature is taken.
    pub allow_unsigned: bool,
}

impl WebhookSecrets {
    /// The one that Dialpad is to sign with; none where the app was made by hand without one.
    #[must_use]
    pub fn current(&self) -> Option<&Secret> {
        self.current.as_ref()
    }
}

const COLUMNS: &str = "id, name, is_active, default_region, created_at, updated_at, api_key_rotated_at";

/// Adds a tenant with its webhook secret.
pub async fn insert(
    db: &(impl GenericClient + Sync),
    id: AppId,
    name: &str,
    webhook_secret: &Secret,
    default_region: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- apps.insert
         WITH app AS (
             INSERT INTO apps (id, name, webhook_secret, created_at, updated_at, default_region)
             VALUES ($1, $2, $3, $4, $4, $5) RETURNING id)
         INSERT INTO app_streams (app_id) SELECT id FROM app",
        &[
            (&id.0, Type::UUID),
            (&name, Type::TEXT),
            (&webhook_secret.expose(), Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
            (&default_region, Type::TEXT),
        ],
    )
    .await?;
    Ok(())
}

/// The country that an app's numbers belong to which come without their country's code, if it was said.
pub async fn default_region(db: &(impl GenericClient + Sync), id: AppId) -> Result<Option<String>> {
    let row = db
        .query_typed_opt(
            "-- apps.default_region\nSELECT default_region FROM apps WHERE id = $1",
            &[(&id.0, Type::UUID)],
        )
        .await?;
    Ok(row.and_then(|row| row.get("default_region")))
}

/// One tenant.
pub async fn find(db: &(impl GenericClient + Sync), id: AppId) -> Result<Option<App>> {
    let row = db
        .query_typed_opt(
            &format!("-- apps.find\nSELECT {COLUMNS} FROM apps WHERE id = $1"),
            &[(&id.0, Type::UUID)],
        )
        .await?;
    Ok(row.as_ref().map(App::from))
}

/// One tenant, locked until the end of the transaction, so that two changes of its keys or mappings come one after the
/// other. Deliveries are stored meanwhile: a foreign key's check does not wait for this lock.
pub async fn lock(db: &(impl GenericClient + Sync), id: AppId) -> Result<Option<App>> {
    let row = db
        .query_typed_opt(
            &format!("-- apps.lock\nSELECT {COLUMNS} FROM apps WHERE id = $1 FOR NO KEY UPDATE"),
            &[(&id.0, Type::UUID)],
        )
        .await?;
    Ok(row.as_ref().map(App::from))
}

/// How the deliveries of one app are authenticated; inactive apps too, their deliveries are still stored.
pub async fn webhook_secrets(
    db: &(impl GenericClient + Sync),
    id: AppId,
    now: DateTime<Utc>,
) -> Result<Option<WebhookSecrets>> {
    let row = db
        .query_typed_opt(
            "-- apps.webhook_secrets
             SELECT webhook_secret, allow_unsigned_webhooks,
                    CASE WHEN previous_webhook_secret_expires_at > $2 THEN previous_webhook_secret END AS previous
             FROM apps WHERE id = $1",
            &[(&id.0, Type::UUID), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(row.map(|row| {
        let secrets: [Option<String>; 2] = [row.get("webhook_secret"), row.get("previous")];
        WebhookSecrets {
            app_id: id,
            current: secrets[0].clone().map(Secret::new),
            secrets: secrets.into_iter().flatten().map(Secret::new).collect(),
            allow_unsigned: row.get("allow_unsigned_webhooks"),
        }
    }))
}

/// Puts a new webhook secret in place; the one before is accepted until `previous_expires_at`. False: there is no such app.
pub async fn rotate_webhook_secret(
    db: &(impl GenericClient + Sync),
    id: AppId,
    secret: &Secret,
    previous_expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = db
        .execute_typed(
            "-- apps.rotate_webhook_secret
             UPDATE apps SET previous_webhook_secret = webhook_secret, previous_webhook_secret_expires_at = $3,
                 webhook_secret = $2, updated_at = $4
             WHERE id = $1",
            &[
                (&id.0, Type::UUID),
                (&secret.expose(), Type::TEXT),
                (&previous_expires_at, Type::TIMESTAMPTZ),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Says anew until when the webhook secret before the current one is accepted.
pub async fn expire_previous_secret(
    db: &(impl GenericClient + Sync),
    id: AppId,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- apps.expire_previous_secret
         UPDATE apps SET previous_webhook_secret_expires_at = $2
         WHERE id = $1 AND previous_webhook_secret IS NOT NULL AND previous_webhook_secret_expires_at > $2",
        &[(&id.0, Type::UUID), (&expires_at, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}

/// The only active app, if there is exactly one: then a delivery needs not say whose it is.
pub async fn only_active(db: &(impl GenericClient + Sync)) -> Result<Option<AppId>> {
    let rows =
        db.query_typed("-- apps.only_active\nSELECT id FROM apps WHERE is_active LIMIT 2", &[]).await?;
    Ok(if let [row] = rows.as_slice() { Some(AppId(row.get("id"))) } else { None })
}

/// The tenants, newest first.
pub async fn list(db: &(impl GenericClient + Sync), request: &Request) -> Result<Page<App>> {
    let window = request.window();
    let [after, id, rows, offset, with_total] = window.parameters();
    let rows = db
        .query_typed(
            &format!(
                "-- apps.list
                 WITH page AS (
                     SELECT {COLUMNS} FROM apps WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2)
                     ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4)
                 SELECT CASE WHEN $5 THEN (SELECT count(*) FROM apps) END AS total, page.*
                 FROM (SELECT) AS one LEFT JOIN page ON true ORDER BY page.created_at DESC, page.id DESC"
            ),
            &[after, id, rows, offset, with_total],
        )
        .await?;
    let page = Page::read(&rows, request.limit, |row| Ok(App::from(row)))?;
    Ok(page.unwrap_or(Page { rows: Vec::new(), has_more: false, total: None }))
}

/// What is to be changed of a tenant; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change<'a> {
    /// What operators call it.
    pub name: Option<&'a str>,
    /// Whether its keys are honoured and its events pushed.
    pub is_active: Option<bool>,
    /// The country of its national numbers; an empty text takes it away.
    pub default_region: Option<&'a str>,
}

/// Changes a tenant. `None`: there is no such tenant.
pub async fn update(
    db: &(impl GenericClient + Sync),
    id: AppId,
    Change { name, is_active, default_region }: Change<'_>,
    now: DateTime<Utc>,
) -> Result<Option<App>> {
    let row = db
        .query_typed_opt(
            &format!(
                "-- apps.update
                 UPDATE apps SET name = coalesce($2, name), is_active = coalesce($3, is_active), updated_at = $4,
                     default_region = nullif(coalesce($5, default_region), ''),
                     sockets_closed_at = CASE WHEN $3 IS NULL THEN sockets_closed_at END
                 WHERE id = $1 RETURNING {COLUMNS}"
            ),
            &[
                (&id.0, Type::UUID),
                (&name, Type::TEXT),
                (&is_active, Type::BOOL),
                (&now, Type::TIMESTAMPTZ),
                (&default_region, Type::TEXT),
            ],
        )
        .await?;
    Ok(row.as_ref().map(App::from))
}

/// What operators call these tenants.
pub async fn names(db: &(impl GenericClient + Sync), ids: &[AppId]) -> Result<HashMap<AppId, String>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = db
        .query_typed(
            "-- apps.names\nSELECT id, name FROM apps WHERE id = ANY ($1)",
            &[(&ids, Type::UUID_ARRAY)],
        )
        .await?;
    Ok(rows.iter().map(|row| (AppId(row.get("id")), row.get("name"))).collect())
}
