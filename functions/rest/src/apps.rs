//! Apps, the tenants: made, listed, renamed and switched off by operators.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    auth::generate_secret,
    domain::{
        ids::{AppId, new_id},
        time::Timestamp,
    },
    store::{apps, audit},
    telemetry::Metric,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps, api_keys,
    auth::{Operator, PublicUrl},
    error::{Error, Result},
    extract::{AppName, DefaultRegion, Json, NoParameters, Path, Query},
    page::{List, list_query},
    reply::Data,
    schema,
};

/// An app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = App)]
pub(crate) struct AppView {
    #[schema(value_type = Uuid)]
    app_id: AppId,
    app_name: String,
    /// Whether its keys are honoured and its events pushed.
    is_active: bool,
    /// The country of numbers that come without their country's code (ISO 3166-1 alpha-2).
    #[schema(required)]
    default_region: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When a key was last made or rotated.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    api_key_rotated_at: Option<Timestamp>,
    /// Where Dialpad is to deliver the app's events.
    webhook_url: String,
}

impl AppView {
    fn new(app: apps::App, url: &PublicUrl) -> Self {
        Self {
            webhook_url: webhook_url(url, app.id),
            app_id: app.id,
            app_name: app.name,
            is_active: app.is_active,
            default_region: app.default_region,
            created_at: app.created_at.into(),
            updated_at: app.updated_at.into(),
            api_key_rotated_at: app.api_key_rotated_at.map(Timestamp),
        }
    }
}

fn webhook_url(PublicUrl(url): &PublicUrl, app_id: AppId) -> String {
    format!("{url}/webhooks/dialpad/{app_id}")
}

/// The app to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApp {
    /// What operators call it.
    #[schema(schema_with = schema::app_name)]
    name: AppName,
    /// The country of numbers that come without their country's code (ISO 3166-1 alpha-2). Only new events and filters use it.
    #[schema(schema_with = schema::default_region, required = false)]
    default_region: Option<DefaultRegion>,
}

/// A new app, with the secrets that are shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedApp {
    success: bool,
    message: &'static str,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    app_name: String,
    /// Its first API key: shown only here.
    api_key: String,
    /// The public part of the key.
    key_id: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Where Dialpad is to deliver the app's events.
    webhook_url: String,
    /// What Dialpad is to sign its deliveries with: shown only here.
    webhook_secret: String,
}

/// Makes an app, its first API key and the secret of its webhook.
#[utoipa::path(post, operation_id = "create_app", path = "/internal/apps", tag = "Apps", request_body = NewApp, security(("operator" = [])),
    responses((status = 201, body = CreatedApp, headers(("Location" = String, description = "The app.")))))]
pub(crate) async fn create(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    url: PublicUrl,
    _: Query<NoParameters>,
    Json(NewApp { name: AppName(name), default_region }): Json<NewApp>,
) -> Result<Response> {
    let (now, app_id) = (deps.clock.now(), AppId(new_id()));
    let region = default_region.and_then(|region| region.0).map(|region| region.to_string());
    let secret = generate_secret().map_err(|error| Error::Randomness(Box::new(error)))?;

    let tx = deps.store.system().await?;
    apps::insert(&*tx, app_id, &name, &secret, region.as_deref(), now).await?;
    let (key, _) = api_keys::issue(&tx, app_id, now, &operator.request_id, now).await?;
    let detail = serde_json::json!({ "name": name });
    audit::record(&*tx, app_id, "app.created", &detail, &operator.request_id, now).await?;
    tx.commit().await?;

    tracing::info!(component = "App", %app_id, request_id = operator.request_id, "created");
    tracing::info!(component = "APIKey", %app_id, request_id = operator.request_id, key_id = key.id(), "created");
    deps.metrics.add(Metric::ApiKeyCreated, 1);
    let app = CreatedApp {
        success: true,
        message: "App created. Store the API key and the webhook secret now: they are shown only once.",
        app_id,
        app_name: name,
        api_key: key.expose().to_owned(),
        key_id: key.id().to_owned(),
        created_at: now.into(),
        webhook_url: webhook_url(&url, app_id),
        webhook_secret: secret.expose().to_owned(),
    };
    let location = format!("/internal/apps/{app_id}");
    Ok((StatusCode::CREATED, [(LOCATION, location)], axum::Json(app)).into_response())
}

list_query! {
    /// Which page of the apps.
    AppsQuery {}
}

/// Lists the apps.
#[utoipa::path(get, operation_id = "list_apps", path = "/internal/apps", tag = "Apps", params(AppsQuery), security(("operator" = [])),
    responses((status = 200, body = List<AppView>)))]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    url: PublicUrl,
    Query(query): Query<AppsQuery>,
) -> Result<axum::Json<List<AppView>>> {
    let request = query.page()?;
    let db = deps.store.system().await?;
    let page = apps::list(&*db, &request).await?;
    Ok(axum::Json(List::new(page, &request, |app| AppView::new(app, &url))))
}

/// Shows an app.
#[utoipa::path(get, operation_id = "show_app", path = "/internal/apps/{app_id}", tag = "Apps", params(("app_id" = Uuid, Path)),
    security(("operator" = [])), responses((status = 200, body = Data<AppView>)))]
pub(crate) async fn show(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    url: PublicUrl,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Data<AppView>>> {
    let db = deps.store.app(app_id).await?;
    let app = apps::find(&*db, app_id).await?.ok_or(Error::NotFound("app"))?;
    Ok(Data::json(AppView::new(app, &url)))
}

/// What is to be changed of an app; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppChange {
    /// What operators call it.
    #[schema(schema_with = schema::app_name, required = false)]
    #[serde(default, deserialize_with = "present")]
    name: Option<AppName>,
    /// Whether its keys are honoured and its events pushed. Its deliveries are stored in any case.
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "present")]
    is_active: Option<bool>,
    /// The country of numbers that come without their country's code (ISO 3166-1 alpha-2); null takes it away.
    #[schema(schema_with = schema::default_region, required = false)]
    #[serde(default, deserialize_with = "present")]
    default_region: Option<DefaultRegion>,
}

/// A member that may be left out, but not be null.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Renames an app, switches it on or off, or says where its national numbers belong.
#[utoipa::path(patch, operation_id = "change_app", path = "/internal/apps/{app_id}", tag = "Apps", params(("app_id" = Uuid, Path)),
    request_body = AppChange, security(("operator" = [])), responses((status = 200, body = Data<AppView>)))]
pub(crate) async fn change(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    url: PublicUrl,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    Json(AppChange { name, is_active, default_region }): Json<AppChange>,
) -> Result<axum::Json<Data<AppView>>> {
    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    let before = apps::lock(&*tx, app_id).await?.ok_or(Error::NotFound("app"))?;
    let name = name.map(|name| name.0).filter(|name| *name != before.name);
    let is_active = is_active.filter(|is_active| *is_active != before.is_active);
    let region = default_region.map(|region| region.0.map(|region| region.to_string()).unwrap_or_default());
    let region = region.filter(|region| region != before.default_region.as_deref().unwrap_or_default());
    let mut detail = Map::new();
    if let Some(name) = &name {
        detail.insert("name".to_owned(), Value::from(name.as_str()));
    }
    if let Some(is_active) = is_active {
        detail.insert("is_active".to_owned(), Value::from(is_active));
    }
    if let Some(region) = &region {
        let region = Some(region.as_str()).filter(|region| !region.is_empty());
        detail.insert("default_region".to_owned(), Value::from(region));
    }
    if detail.is_empty() {
        return Ok(Data::json(AppView::new(before, &url)));
    }
    let change = apps::Change { name: name.as_deref(), is_active, default_region: region.as_deref() };
    let app = apps::update(&*tx, app_id, change, now).await?.ok_or(Error::NotFound("app"))?;
    audit::record(&*tx, app_id, "app.changed", &detail, &operator.request_id, now).await?;
    tx.commit().await?;
    tracing::info!(component = "App", %app_id, request_id = operator.request_id, ?is_active, "changed");
    Ok(Data::json(AppView::new(app, &url)))
}

list_query! {
    /// Which page of an app's audit trail.
    AuditQuery {
        /// Only changes of this kind, `mapping.created` for example.
        #[param(value_type = Option<String>)]
        action: String,
    }
}

/// An administrative change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Change {
    id: Uuid,
    /// What was done, as `thing.done`.
    #[schema(example = "mapping.created")]
    action: String,
    /// To what, by id.
    #[schema(value_type = Object)]
    detail: Value,
    /// By whom: `operator` or `app`.
    actor: String,
    /// In which request.
    #[schema(required)]
    request_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<audit::Entry> for Change {
    fn from(entry: audit::Entry) -> Self {
        Self {
            id: entry.id,
            action: entry.action,
            detail: entry.detail,
            actor: entry.actor,
            request_id: entry.request_id,
            created_at: entry.created_at.into(),
        }
    }
}

/// Lists every administrative change of an app: itself, its keys, mappings, deleted voicemails.
#[utoipa::path(get, operation_id = "list_audit", path = "/internal/apps/{app_id}/audit", tag = "Apps", params(("app_id" = Uuid, Path), AuditQuery),
    security(("operator" = [])), responses((status = 200, body = List<Change>)))]
pub(crate) async fn audit(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path(app_id): Path<AppId>,
    Query(query): Query<AuditQuery>,
) -> Result<axum::Json<List<Change>>> {
    let request = query.page()?;
    let db = deps.store.app(app_id).await?;
    let page =
        audit::list(&*db, app_id, query.action.as_deref(), &request).await?.ok_or(Error::NotFound("app"))?;
    Ok(axum::Json(List::new(page, &request, Change::from)))
}
