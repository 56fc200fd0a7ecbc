//! API keys of an app: issued, rotated, revoked, and what was done with them.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use shared::{
    auth::ApiKey,
    domain::{ids::AppId, time::Timestamp},
    store::{
        Client, apps,
        audit::{self, KeyEntry},
        keys::{self, KeyInfo, NewKey, Rotation},
    },
    telemetry::Metric,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
    extract::{GraceSeconds, NoParameters, OptionalJson, Path, Query},
    page::{List, Pagination, list_query},
};

/// How many keys a status shows; older ones are in the audit trail.
const KEYS_SHOWN: i64 = 20;

/// Makes a key and puts it in place of the live ones, which die at `previous_expire_at`. The app is locked.
pub(crate) async fn issue(
    tx: &Client,
    app_id: AppId,
    previous_expire_at: DateTime<Utc>,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<(ApiKey, Rotation)> {
    let key = ApiKey::generate().map_err(|error| Error::Randomness(Box::new(error)))?;
    let (hash, hint) = (key.hash(), key.hint());
    let new = NewKey { key_id: key.id(), key_hash: hash.as_bytes(), key_hint: &hint };
    let rotation = keys::rotate(tx, app_id, new, previous_expire_at, request_id, now).await?;
    Ok((key, rotation))
}

/// How to rotate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationRequest {
    /// How long the keys before go on working; without it they die at once.
    #[schema(value_type = u32, maximum = 604_800, required = false)]
    #[serde(default)]
    grace_seconds: GraceSeconds,
}

/// A new key, shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuedKey {
    success: bool,
    message: &'static str,
    /// The key: shown only here.
    api_key: String,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    app_name: String,
    /// The public part of the key.
    key_id: String,
    #[schema(value_type = String, format = DateTime)]
    generated_at: Timestamp,
    /// Until when the keys before go on working, if they do.
    #[schema(value_type = String, format = DateTime, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_key_expires_at: Option<Timestamp>,
}

/// Issues an API key; the keys before die at once, or after a grace period.
#[utoipa::path(post, operation_id = "issue_api_key", path = "/internal/apps/{app_id}/api-key", tag = "API keys", params(("app_id" = Uuid, Path)),
    request_body(content = Option<RotationRequest>, description = "May be left out."), security(("operator" = [])),
    responses((status = 200, body = IssuedKey)))]
pub(crate) async fn rotate(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    OptionalJson(RotationRequest { grace_seconds: GraceSeconds(grace) }): OptionalJson<RotationRequest>,
) -> Result<axum::Json<IssuedKey>> {
    let now = deps.clock.now();
    let previous_expire_at = now + TimeDelta::seconds(i64::from(grace));

    let tx = deps.store.app(app_id).await?;
    let app = apps::lock(&*tx, app_id).await?.ok_or(Error::NotFound("app"))?;
    let (key, rotation) = issue(&tx, app_id, previous_expire_at, &operator.request_id, now).await?;
    tx.commit().await?;

    let action = if rotation.replaced { "rotated" } else { "created" };
    tracing::info!(component = "APIKey", %app_id, request_id = operator.request_id, key_id = key.id(), grace, "{action}");
    deps.metrics.add(if rotation.replaced { Metric::ApiKeyRotated } else { Metric::ApiKeyCreated }, 1);
    Ok(axum::Json(IssuedKey {
        success: true,
        message: if rotation.replaced {
            "API key rotated. Store it now: it is shown only once."
        } else {
            "API key created. Store it now: it is shown only once."
        },
        api_key: key.expose().to_owned(),
        app_id,
        app_name: app.name,
        key_id: key.id().to_owned(),
        generated_at: now.into(),
        previous_key_expires_at: (rotation.replaced && grace > 0).then_some(Timestamp(previous_expire_at)),
    }))
}

/// That an app has no key any more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevokedKeys {
    success: bool,
    message: &'static str,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    app_name: String,
    #[schema(value_type = String, format = DateTime)]
    revoked_at: Timestamp,
}

/// Revokes all keys of an app. Doing it again changes nothing.
#[utoipa::path(post, operation_id = "revoke_api_keys", path = "/internal/apps/{app_id}/api-key/revoke", tag = "API keys",
    params(("app_id" = Uuid, Path)), security(("operator" = [])), responses((status = 200, body = RevokedKeys)))]
pub(crate) async fn revoke(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<RevokedKeys>> {
    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    let app = apps::lock(&*tx, app_id).await?.ok_or(Error::NotFound("app"))?;
    let revoked = keys::revoke_all(&*tx, app_id, &operator.request_id, now).await?;
    let last = keys::newest(&*tx, app_id, KEYS_SHOWN).await?.iter().filter_map(|key| key.revoked_at).max();
    tx.commit().await?;
    tracing::info!(component = "APIKey", %app_id, request_id = operator.request_id, keys = revoked, "revoked");
    deps.metrics.add(Metric::ApiKeyRevoked, revoked);
    Ok(axum::Json(RevokedKeys {
        success: true,
        message: "API keys revoked. The app cannot authenticate until a new key is issued.",
        app_id,
        app_name: app.name,
        revoked_at: last.unwrap_or(now).into(),
    }))
}

/// What may be shown of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    /// The public part.
    key_id: String,
    /// The first 8 and the last 4 characters.
    key_hint: String,
    /// Whether it works now.
    is_active: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    revoked_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_used_at: Option<Timestamp>,
}

impl KeyView {
    fn new(key: KeyInfo, now: DateTime<Utc>) -> Self {
        Self {
            is_active: key.is_live(now),
            key_id: key.key_id,
            key_hint: key.key_hint,
            created_at: key.created_at.into(),
            expires_at: key.expires_at.map(Timestamp),
            revoked_at: key.revoked_at.map(Timestamp),
            last_used_at: key.last_used_at.map(Timestamp),
        }
    }
}

/// How it stands with an app's keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyStatus {
    success: bool,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    app_name: String,
    has_active_key: bool,
    /// Of the newest key that works.
    #[schema(required)]
    key_hint: Option<String>,
    /// When a key was last made or rotated.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_rotated: Option<Timestamp>,
    /// When any of the keys was used last, to the minute.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_used_at: Option<Timestamp>,
    /// The newest keys, dead ones too.
    keys: Vec<KeyView>,
}

/// Tells how it stands with an app's keys, without showing one.
#[utoipa::path(get, operation_id = "show_api_key_status", path = "/internal/apps/{app_id}/api-key/status", tag = "API keys",
    params(("app_id" = Uuid, Path)), security(("operator" = [])), responses((status = 200, body = KeyStatus)))]
pub(crate) async fn status(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<KeyStatus>> {
    let now = deps.clock.now();
    let db = deps.store.app(app_id).await?;
    let app = apps::find(&*db, app_id).await?.ok_or(Error::NotFound("app"))?;
    let keys = keys::newest(&*db, app_id, KEYS_SHOWN).await?;
    let live = keys.iter().find(|key| key.is_live(now));
    Ok(axum::Json(KeyStatus {
        success: true,
        app_id,
        app_name: app.name,
        has_active_key: live.is_some(),
        key_hint: live.map(|key| key.key_hint.clone()),
        last_rotated: app.api_key_rotated_at.map(Timestamp),
        last_used_at: keys.iter().filter_map(|key| key.last_used_at).max().map(Timestamp),
        keys: keys.into_iter().map(|key| KeyView::new(key, now)).collect(),
    }))
}

list_query! {
    /// Which page of the audit trail of an app's keys.
    KeyAuditQuery {}
}

/// A change of an app's keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyChange {
    id: Uuid,
    /// `created`, `rotated` or `revoked`.
    #[schema(example = "rotated")]
    action: String,
    #[schema(required)]
    old_key_hint: Option<String>,
    #[schema(required)]
    new_key_hint: Option<String>,
    actor: String,
    #[schema(required)]
    request_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    performed_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<KeyEntry> for KeyChange {
    fn from(entry: KeyEntry) -> Self {
        Self {
            id: entry.id,
            action: entry.action,
            old_key_hint: entry.old_key_hint,
            new_key_hint: entry.new_key_hint,
            actor: entry.actor,
            request_id: entry.request_id,
            performed_at: entry.performed_at.into(),
            created_at: entry.created_at.into(),
        }
    }
}

/// What was done with an app's keys, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyAudit {
    success: bool,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    audit_log: Vec<KeyChange>,
    pagination: Pagination,
}

/// Lists what was done with an app's keys.
#[utoipa::path(get, operation_id = "list_api_key_audit", path = "/internal/apps/{app_id}/api-key/audit", tag = "API keys",
    params(("app_id" = Uuid, Path), KeyAuditQuery), security(("operator" = [])),
    responses((status = 200, body = KeyAudit)))]
pub(crate) async fn audit(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path(app_id): Path<AppId>,
    Query(query): Query<KeyAuditQuery>,
) -> Result<axum::Json<KeyAudit>> {
    let request = query.page()?;
    let db = deps.store.app(app_id).await?;
    let page = audit::keys(&*db, app_id, &request).await?.ok_or(Error::NotFound("app"))?;
    let (audit_log, pagination) = List::new(page, &request, KeyChange::from).into_parts();
    Ok(axum::Json(KeyAudit { success: true, app_id, audit_log, pagination }))
}
