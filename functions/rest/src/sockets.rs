//! Who is connected.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use axum::extract::State;
use serde::Serialize;
use shared::{domain::ids::AppId, store::apps};
use utoipa::ToSchema;

use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
    extract::{NoParameters, Query},
};

/// Who is connected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SocketStats {
    /// Always true.
    success: bool,
    total_connections: usize,
    /// The apps with connections.
    apps: Vec<AppSockets>,
}

/// An app's connections.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppSockets {
    #[schema(value_type = Uuid)]
    app_id: AppId,
    /// Null for an app that was deleted while it was connected.
    #[schema(required)]
    app_name: Option<String>,
    connections: usize,
    /// How many CRM users have at least one of them.
    users: usize,
}

/// Tells how many sockets are open, by app. A socket that broke without a word counts until a post to it fails.
#[utoipa::path(get, operation_id = "show_socket_stats", path = "/internal/monitoring/websocket/stats", tag = "Sockets",
    security(("operator" = [])), responses((status = 200, body = SocketStats)))]
pub(crate) async fn stats(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    _: Query<NoParameters>,
) -> Result<axum::Json<SocketStats>> {
    let registry = deps.registry.as_ref().ok_or(Error::NoRegistry)?;
    let connections = registry.all(deps.clock.now()).await?;
    let mut by_app: BTreeMap<AppId, (usize, HashSet<&str>)> = BTreeMap::new();
    for connection in &connections {
        let (count, users) = by_app.entry(connection.app_id).or_default();
        *count += 1;
        users.extend(connection.crm_user_id.as_deref());
    }
    let ids: Vec<AppId> = by_app.keys().copied().collect();
    let db = deps.store.system().await?;
    let mut names = apps::names(&*db, &ids).await?;
    let apps = by_app.into_iter().map(|(app_id, (connections, users))| AppSockets {
        app_id,
        app_name: names.remove(&app_id),
        connections,
        users: users.len(),
    });
    Ok(axum::Json(SocketStats { success: true, total_connections: connections.len(), apps: apps.collect() }))
}
