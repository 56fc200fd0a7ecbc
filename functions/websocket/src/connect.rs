//! `$connect`: who is it, and may they? The upgrade waits for the answer, and its status is the handshake's.

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use shared::{
    auth::{ApiKey, Ticket},
    domain::handshake::Reason,
    http::trace_id,
    registry::Connection,
    store::{
        keys::{self, Presented, StoredKey},
        tickets::{self, Redeemed},
    },
    telemetry::{Chain, Metric, TraceId},
};
use tracing::{info, warn};

use crate::{error::Error, refusal, sockets::Sockets};

/// The header of a handshake with which a client offers subprotocols, and gets one back.
pub(crate) const SUBPROTOCOLS: &str = "sec-websocket-protocol";
/// The header of a key.
const KEY: &str = "x-app-api-key";
/// What we speak.
const SUBPROTOCOL: &str = "cti.v1";
/// Longest CRM user id, as in the user mappings.
const MAX_USER_ID: usize = 255;

/// Authenticates and registers a connection; gives the handshake's status.
pub(crate) async fn connect(
    sockets: &Sockets,
    connection_id: &str,
    event: &ApiGatewayWebsocketProxyRequest,
) -> i64 {
    let request_id = event.request_context.request_id.as_deref();
    let trace_id = trace_id(&event.headers);
    let trace_id = trace_id.as_ref().map(TraceId::as_str);
    match register(sockets, connection_id, event).await {
        Ok(connection) => {
            info!(
                component = "WebSocket",
                request_id,
                app_id = %connection.app_id,
                connection_id,
                trace_id,
                of_a_user = connection.crm_user_id.is_some(),
                "opened"
            );
            sockets.metrics.add(Metric::Opened, 1);
            200
        }
        Err(error) => {
            let (status, reason) = (error.status(), error.reason());
            warn!(component = "WebSocket", request_id, connection_id, trace_id, status, reason, error = %Chain(&error), "refused");
            sockets.metrics.count(Metric::Refused, reason);
            if status == 401 {
                sockets.metrics.count(Metric::AuthFailures, "websocket");
            }
            refusal::note(sockets, presented(event), &error).await;
            status
        }
    }
}

/// The text of a key, wherever a handshake has one.
fn presented(event: &ApiGatewayWebsocketProxyRequest) -> Option<&str> {
    header(event, KEY).or_else(|| query(event, "api_key"))
}

fn header<'a>(event: &'a ApiGatewayWebsocketProxyRequest, name: &str) -> Option<&'a str> {
    event.headers.get(name).and_then(|value| value.to_str().ok())
}

fn query<'a>(event: &'a ApiGatewayWebsocketProxyRequest, name: &str) -> Option<&'a str> {
    event.query_string_parameters.first(name).filter(|text| !text.is_empty())
}

async fn register(
    sockets: &Sockets,
    connection_id: &str,
    event: &ApiGatewayWebsocketProxyRequest,
) -> Result<Connection, Error> {
    let user_id = user_id(event)?;
    let (app_id, key_id, crm_user_id) = match Credential::of(sockets, event)? {
        Credential::Key(key) => {
            let stored = with_key(sockets, &key).await?;
            (stored.app_id, stored.id, user_id)
        }
        Credential::Ticket(ticket) => {
            let redeemed = with_ticket(sockets, &ticket).await?;
            if user_id.is_some() && user_id != redeemed.crm_user_id {
                return Err(Error::OtherUser);
            }
            (redeemed.app_id, redeemed.api_key_id, redeemed.crm_user_id)
        }
    };
    let connection = Connection {
        id: connection_id.to_owned(),
        app_id,
        crm_user_id,
        key_id: key_id.to_string(),
        opened_at: sockets.clock.now(),
    };
    sockets.registry.insert(&connection).await?;
    Ok(connection)
}

/// A credential of a handshake, in a form that may be good.
enum Credential {
    Key(ApiKey),
    Ticket(Ticket),
}

impl Credential {
    /// Looks where each may be: a key in its header, a ticket among the subprotocols, either in the query.
    fn of(sockets: &Sockets, event: &ApiGatewayWebsocketProxyRequest) -> Result<Self, Error> {
        if let Some(text) = header(event, KEY) {
            return Self::key(text);
        }
        let mut offered = header(event, SUBPROTOCOLS).into_iter().flat_map(|offer| offer.split(','));
        let ticket = offered.find_map(|protocol| protocol.trim().strip_prefix("ticket."));
        if let Some(text) = ticket.or_else(|| query(event, "ticket")) {
            return Ticket::parse(text).map(Self::Ticket).map_err(|_| Error::Ticket);
        }
        let text = query(event, "api_key").ok_or(Error::Missing)?;
        if sockets.config.allow_api_key_in_url { Self::key(text) } else { Err(Error::Key(Reason::KeyInUrl)) }
    }

    fn key(text: &str) -> Result<Self, Error> {
        let is_quoted = text.trim().starts_with(['"', '\'', '`']) || text.trim().ends_with(['"', '\'', '`']);
        let reason = if is_quoted { Reason::QuotedKey } else { Reason::MalformedKey };
        ApiKey::parse(text).map(Self::Key).map_err(|_| Error::Key(reason))
    }
}

async fn with_key(sockets: &Sockets, key: &ApiKey) -> Result<StoredKey, Error> {
    let now = sockets.clock.now();
    let hash = key.hash();
    let presented = Presented { key_id: key.id(), key_hash: hash.as_bytes(), is_counted: false };
    let db = sockets.store.system().await?;
    let found = db.commit_with(keys::present(&*db, presented, now)).await?;
    let (stored, _) = found.ok_or(Error::UnknownKey)?;
    if !hash.matches(&stored.key_hash) {
        return Err(Error::Key(Reason::WrongKey));
    }
    if stored.is_dead {
        return Err(Error::Key(Reason::DeadKey));
    }
    if !stored.app_is_active {
        return Err(Error::Inactive);
    }
    Ok(stored)
}

async fn with_ticket(sockets: &Sockets, ticket: &Ticket) -> Result<Redeemed, Error> {
    let db = sockets.store.system().await?;
    let redeemed = db.commit_with(tickets::redeem(&*db, &ticket.hash(), sockets.clock.now())).await?;
    let redeemed = redeemed.ok_or(Error::Ticket)?;
    if redeemed.app_is_active { Ok(redeemed) } else { Err(Error::Inactive) }
}

/// The subprotocol that is ours; a client that offers any must be answered one of them (RFC 6455, 4.2.2).
pub(crate) fn subprotocol(event: &ApiGatewayWebsocketProxyRequest) -> Option<&'static str> {
    header(event, SUBPROTOCOLS)?
        .split(',')
        .any(|protocol| protocol.trim() == SUBPROTOCOL)
        .then_some(SUBPROTOCOL)
}

/// The CRM user the connection is for, if it names one.
fn user_id(event: &ApiGatewayWebsocketProxyRequest) -> Result<Option<String>, Error> {
    match query(event, "user_id") {
        None => Ok(None),
        // "-" is how the registry writes "no user".
        Some(user) if user == "-" || user.chars().count() > MAX_USER_ID || user.contains('\0') => {
            Err(Error::UserId)
        }
        Some(user) => Ok(Some(user.to_owned())),
    }
}
