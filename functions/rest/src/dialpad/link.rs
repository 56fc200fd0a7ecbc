//! Connecting a company: a link for its administrator, the way to Dialpad, and the way back.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY},
    },
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    auth::{generate_secret, secret_hash},
    domain::{ids::AppId, time::Timestamp},
    http::request_id,
    invoke::{Connection, Hidden},
    store::{
        apps, audit,
        dialpad_authorizations::{self, Begun},
        dialpad_connections,
    },
};
use utoipa::ToSchema;

use super::{invoker, page};
use crate::{
    Deps,
    auth::{Operator, PublicUrl},
    error::{Error, Result},
    extract::{NoParameters, Path, Query},
};

/// How long a link is good, and how long a person may take at Dialpad.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// A link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectLink {
    /// Always true.
    success: bool,
    /// What an administrator of the company opens in a browser.
    url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Makes a link at which an administrator of a company connects it; good for ten minutes.
#[utoipa::path(post, operation_id = "make_connect_link", path = "/internal/apps/{app_id}/dialpad/connect-link", tag = "Dialpad",
    params(("app_id" = Uuid, Path)), security(("operator" = [])), responses((status = 201, body = ConnectLink)))]
pub(crate) async fn make_link(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    PublicUrl(url): PublicUrl,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<Response> {
    invoker(&deps)?;
    let now = deps.clock.now();
    let token = generate_secret().map_err(|error| Error::Randomness(Box::new(error)))?;
    let expires_at = now + LIFETIME;
    let tx = deps.store.app(app_id).await?;
    apps::find(&*tx, app_id).await?.ok_or(Error::NotFound("app"))?;
    dialpad_authorizations::insert_link(&*tx, app_id, &secret_hash(token.expose()), expires_at, now).await?;
    audit::record(&*tx, app_id, "dialpad.link_made", &json!({}), &operator.request_id, now).await?;
    tx.commit().await?;
    tracing::info!(component = "Dialpad", %app_id, request_id = operator.request_id, "link made");
    let url = format!("{url}/auth/dialpad/connect?app_id={app_id}&token={}", token.expose());
    let link = ConnectLink { success: true, url, expires_at: expires_at.into() };
    Ok((StatusCode::CREATED, axum::Json(link)).into_response())
}

/// What a link says.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectQuery {
    /// The app.
    #[param(value_type = Uuid)]
    app_id: AppId,
    /// What proves that an operator made the link.
    token: String,
}

/// Sends the person who opened a link to Dialpad.
#[utoipa::path(get, operation_id = "connect_dialpad", path = "/auth/dialpad/connect", tag = "Dialpad", params(ConnectQuery),
    responses((status = 302, description = "To Dialpad."), (status = 403, description = "The link is not valid, or too old.")))]
pub(crate) async fn connect(
    State(deps): State<Arc<Deps>>,
    headers: HeaderMap,
    url: PublicUrl,
    query: Result<Query<ConnectQuery>>,
) -> Response {
    let outcome = match query {
        Ok(Query(query)) => send_to_dialpad(&deps, &url, &query).await,
        Err(error) => Err(error),
    };
    private(outcome.unwrap_or_else(|error| page::refusal(error, &headers, &request_id(&headers))))
}

async fn send_to_dialpad(deps: &Deps, PublicUrl(url): &PublicUrl, query: &ConnectQuery) -> Result<Response> {
    let (now, app_id) = (deps.clock.now(), query.app_id);
    let is_link = {
        let db = deps.store.app(app_id).await?;
        dialpad_authorizations::is_link(&*db, app_id, &secret_hash(&query.token), now).await?
    };
    if !is_link {
        return Err(Error::LinkInvalid);
    }
    let state = generate_secret().map_err(|error| Error::Randomness(Box::new(error)))?;
    let redirect_uri = format!("{url}/auth/dialpad/callback");
    let authorization =
        invoker(deps)?.authorize(app_id, redirect_uri.clone(), state.expose().to_owned()).await?;
    let begun = Begun { app_id, sealed_verifier: authorization.verifier, redirect_uri };
    let db = deps.store.app(app_id).await?;
    let hash = secret_hash(state.expose());
    db.commit_with(dialpad_authorizations::begin(&*db, &begun, &hash, now + LIFETIME, now)).await?;
    tracing::info!(component = "Dialpad", %app_id, "a person was sent to Dialpad");
    Ok((StatusCode::FOUND, [(LOCATION, authorization.url)]).into_response())
}

/// What Dialpad sends a person back with; it may send more.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct CallbackQuery {
    /// What the person was sent with.
    state: Option<String>,
    /// What is exchanged for tokens.
    code: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// A company that was connected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connected {
    /// Always true.
    success: bool,
    message: &'static str,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    #[schema(required)]
    company_name: Option<String>,
}

/// Where Dialpad sends the person back to: connects the company. No user is mapped.
#[utoipa::path(get, operation_id = "finish_connecting_dialpad", path = "/auth/dialpad/callback", tag = "Dialpad", params(CallbackQuery),
    responses((status = 200, body = Connected), (status = 403, description = "The state is unknown, used or too old, or access was not granted."),
        (status = 409, description = "Dialpad does not accept the code.")))]
pub(crate) async fn callback(State(deps): State<Arc<Deps>>, headers: HeaderMap, uri: Uri) -> Response {
    let request_id = request_id(&headers);
    let query: CallbackQuery =
        serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    private(match finish(&deps, query, &request_id).await {
        Ok(connected) if page::is_wanted(&headers) => {
            let company = connected.company_name.as_deref().unwrap_or("The company");
            page::page(StatusCode::OK, &format!("{company} is connected"), "You can close this window.")
        }
        Ok(connected) => axum::Json(connected).into_response(),
        Err(error) => page::refusal(error, &headers, &request_id),
    })
}

async fn finish(deps: &Deps, query: CallbackQuery, request_id: &str) -> Result<Connected> {
    let state = query.state.filter(|state| !state.is_empty()).ok_or(Error::StateInvalid)?;
    let begun = {
        let db = deps.store.system().await?;
        let hash = secret_hash(&state);
        db.commit_with(dialpad_authorizations::redeem(&*db, &hash, deps.clock.now()))
            .await?
            .ok_or(Error::StateInvalid)?
    };
    let app_id = begun.app_id;
    let code = match (query.error, query.code) {
        (None, Some(code)) if !code.is_empty() => Hidden::new(code),
        _ => {
            tracing::warn!(component = "Dialpad", %app_id, request_id, "access was not granted");
            return Err(Error::AccessDenied);
        }
    };
    let connection = invoker(deps)?.exchange(app_id, code, begun.sealed_verifier, begun.redirect_uri).await?;
    save(deps, app_id, "oauth", &connection, request_id).await?;
    Ok(Connected {
        success: true,
        message: "The company is connected. Provision it next.",
        app_id,
        company_name: connection.company.company_name,
    })
}

/// Keeps a connection, and who made it.
pub(super) async fn save(
    deps: &Deps,
    app_id: AppId,
    kind: &str,
    connection: &Connection,
    request_id: &str,
) -> Result<()> {
    let now = deps.clock.now();
    let company = &connection.company;
    let detail =
        json!({ "kind": kind, "company_id": company.company_id, "dialpad_user_id": company.dialpad_user_id });
    let tx = deps.store.app(app_id).await?;
    dialpad_connections::save(&*tx, app_id, kind, connection, now).await?;
    audit::record(&*tx, app_id, "dialpad.connected", &detail, request_id, now).await?;
    tx.commit().await?;
    tracing::info!(component = "Dialpad", %app_id, request_id, kind, "company connected");
    Ok(())
}

/// Keeps the address, which has a secret in it, from caches and other sites.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
