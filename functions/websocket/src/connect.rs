//! `$connect`: who is it, and may they? The upgrade waits for the answer, and its status is the handshake's.

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use shared::{
    auth::ApiKey,
    registry::Connection,
    store::keys::{self, StoredKey},
    telemetry::Chain,
};
use tracing::{info, warn};

use crate::{Sockets, error::Error};

/// Longest CRM user id, as in the user mappings.
const MAX_USER_ID: usize = 255;

/// Authenticates and registers a connection; gives the handshake's status.
pub(crate) async fn connect(
    sockets: &Sockets,
    connection_id: &str,
    event: &ApiGatewayWebsocketProxyRequest,
) -> i64 {
    match register(sockets, connection_id, event).await {
        Ok(connection) => {
            info!(
                component = "WebSocket",
                app_id = %connection.app_id,
                connection_id,
                of_a_user = connection.crm_user_id.is_some(),
                "connected"
            );
            200
        }
        Err(error) => {
            warn!(component = "WebSocket", connection_id, status = error.status(), reason = %Chain(&error), "handshake refused");
            error.status()
        }
    }
}

async fn register(
    sockets: &Sockets,
    connection_id: &str,
    event: &ApiGatewayWebsocketProxyRequest,
) -> Result<Connection, Error> {
    let crm_user_id = user_id(event)?;
    let key = authenticate(sockets, event).await?;
    let connection = Connection {
        id: connection_id.to_owned(),
        app_id: key.app_id,
        crm_user_id,
        key_id: key.id.to_string(),
        opened_at: sockets.clock.now(),
    };
    sockets.registry.insert(&connection).await?;
    Ok(connection)
}

async fn authenticate(
    sockets: &Sockets,
    event: &ApiGatewayWebsocketProxyRequest,
) -> Result<StoredKey, Error> {
    let header = event.headers.get("x-app-api-key").and_then(|value| value.to_str().ok());
    let query =
        sockets.allow_api_key_in_url.then(|| event.query_string_parameters.first("api_key")).flatten();
    let text = header.or(query).filter(|text| !text.is_empty()).ok_or(Error::Missing)?;
    let key = ApiKey::parse(text).map_err(|_| {
        Error::Rejected(if text.starts_with(['"', '\'']) { "it is quoted" } else { "it is not a key" })
    })?;
    let now = sockets.clock.now();
    let db = sockets.store.connection().await?;
    let stored = keys::find(&*db, key.id(), now).await?.ok_or(Error::Rejected("it is unknown"))?;
    if !key.hash().matches(&stored.key_hash) {
        return Err(Error::Rejected("its secret is wrong"));
    }
    if stored.is_dead {
        return Err(Error::Rejected("it is revoked or expired"));
    }
    if !stored.app_is_active {
        return Err(Error::Inactive);
    }
    if let Err(error) = keys::touch(&*db, stored.id, now).await {
        warn!(component = "APIKey", app_id = %stored.app_id, error = %Chain(&error), "could not note the key's use");
    }
    Ok(stored)
}

/// The CRM user the connection is for, if it names one.
fn user_id(event: &ApiGatewayWebsocketProxyRequest) -> Result<Option<String>, Error> {
    match event.query_string_parameters.first("user_id") {
        None | Some("") => Ok(None),
        // "-" is how the registry writes "no user".
        Some(user) if user == "-" || user.chars().count() > MAX_USER_ID || user.contains('\0') => {
            Err(Error::UserId)
        }
        Some(user) => Ok(Some(user.to_owned())),
    }
}
