//! Connecting by an API key, and disconnecting.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    connection,
    domain::ids::AppId,
    invoke::Hidden,
    store::{apps, audit, dialpad_connections},
    telemetry::Chain,
};
use utoipa::ToSchema;

use super::{dialpad, invoker, link};
use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
    extract::{Json, NoParameters, Path, Query},
    reply::Done,
    schema,
};

/// The longest key of Dialpad's that is tried.
const MOST_LETTERS: usize = 4096;

/// A key of Dialpad's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DialpadKey {
    /// A company administrator's API key; it is kept encrypted, and never shown.
    #[schema(schema_with = schema::pasted)]
    api_key: String,
}

/// Connects a company by an API key that its administrator made, without OAuth.
#[utoipa::path(post, operation_id = "connect_dialpad_by_key", path = "/internal/apps/{app_id}/dialpad/api-key", tag = "Dialpad",
    params(("app_id" = Uuid, Path)), request_body = DialpadKey, security(("operator" = [])),
    responses((status = 200, body = Done), (status = 409, description = "Dialpad does not accept the key.")))]
pub(crate) async fn adopt_key(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    Json(DialpadKey { api_key }): Json<DialpadKey>,
) -> Result<axum::Json<Done>> {
    // A key is pasted, often with the end of its line.
    let key = api_key.trim();
    let is_graphic = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_graphic || api_key.chars().count() > MOST_LETTERS {
        return Err(Error::invalid(
            "/api_key",
            format!("must be 1 to {MOST_LETTERS} letters of ASCII without spaces between them"),
        ));
    }
    {
        let db = deps.store.app(app_id).await?;
        apps::find(&*db, app_id).await?.ok_or(Error::NotFound("app"))?;
    }
    let connection = invoker(&deps)?.adopt_key(app_id, Hidden::new(key)).await?;
    link::save(&deps, app_id, "api_key", &connection, &operator.request_id).await?;
    Ok(Done::json("The company is connected. Provision it next."))
}

/// An app that was disconnected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Disconnected {
    /// Always true.
    success: bool,
    message: &'static str,
    /// Whether Dialpad has revoked the tokens. They are forgotten here in any case.
    revoked: bool,
}

/// Revokes the tokens at Dialpad and forgets them. Webhook and subscriptions stay: deprovision first.
#[utoipa::path(post, operation_id = "disconnect_dialpad", path = "/internal/apps/{app_id}/dialpad/disconnect", tag = "Dialpad",
    params(("app_id" = Uuid, Path)), security(("operator" = [])), responses((status = 200, body = Disconnected)))]
pub(crate) async fn disconnect(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Disconnected>> {
    revoke(&deps, app_id, &operator.request_id).await
}

/// The same at the path of older clients.
#[utoipa::path(post, operation_id = "disconnect_dialpad_by_old_path", path = "/auth/dialpad/disconnect/{app_id}", tag = "Dialpad",
    params(("app_id" = Uuid, Path)), security(("operator" = [])), responses((status = 200, body = Disconnected)))]
pub(crate) async fn disconnect_by_old_path(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Disconnected>> {
    revoke(&deps, app_id, &operator.request_id).await
}

async fn revoke(deps: &Deps, app_id: AppId, request_id: &str) -> Result<axum::Json<Disconnected>> {
    {
        let db = deps.store.app(app_id).await?;
        apps::find(&*db, app_id).await?.ok_or(Error::NotFound("app"))?;
    }
    let revoked = match dialpad(deps)?.disconnect(app_id).await {
        // Tokens that Dialpad does not know are worth nothing.
        Ok(()) | Err(connection::Error::NotConnected) => true,
        Err(connection::Error::Store(error)) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(component = "Dialpad", %app_id, request_id, error = %Chain(&error), "tokens not revoked");
            false
        }
    };
    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    if dialpad_connections::disconnect(&*tx, app_id, now).await? {
        audit::record(&*tx, app_id, "dialpad.disconnected", &json!({ "revoked": revoked }), request_id, now)
            .await?;
    }
    tx.commit().await?;
    tracing::info!(component = "Dialpad", %app_id, request_id, revoked, "company disconnected");
    let message = if revoked {
        "The company is disconnected."
    } else {
        "The tokens are forgotten here, but Dialpad did not confirm that it revoked them: remove the app in Dialpad, too."
    };
    Ok(axum::Json(Disconnected { success: true, message, revoked }))
}
