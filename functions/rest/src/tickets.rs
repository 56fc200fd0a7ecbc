//! Tickets, with which a browser opens a socket while the API key stays in the backend.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use shared::{
    auth::Ticket,
    domain::socket::Seq,
    store::tickets::{self, NewTicket},
};
use utoipa::ToSchema;

use crate::{
    Config, Deps,
    auth::{AppCaller, PublicUrl},
    error::{Error, Result},
    extract::{CrmUserId, NoParameters, OptionalJson, Query},
    schema,
};

/// How long a ticket is good.
const LIFETIME_SECONDS: i64 = 60;

/// For whom a ticket is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketRequest {
    /// The CRM user whose socket it opens; without it, an app socket, which sees everything of the app.
    #[schema(schema_with = schema::crm_user_id_or_null, required = false)]
    crm_user_id: Option<CrmUserId>,
    /// The last event that the client has seen: the answer then has the frame that asks for what came after.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    after: Option<Seq>,
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuedTicket {
    /// Always true.
    success: bool,
    /// Good for one socket.
    ticket: String,
    /// Seconds within which it is to be used.
    expires_in: i64,
    /// Where to open the socket.
    url: String,
    /// What to send when the socket is open, where `after` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resume: Option<Resume>,
}

/// The frame that asks for what was missed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resume {
    #[schema(example = "resume")]
    action: &'static str,
    after: i64,
}

/// Issues a ticket for one socket, good for 60 seconds.
#[utoipa::path(post, operation_id = "issue_ticket", path = "/api/ws-tickets", tag = "Events",
    request_body(content = Option<TicketRequest>, description = "May be left out."), security(("app_key" = [])),
    responses((status = 201, body = IssuedTicket)))]
pub(crate) async fn issue(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    url: PublicUrl,
    _: Query<NoParameters>,
    OptionalJson(TicketRequest { crm_user_id, after }): OptionalJson<TicketRequest>,
) -> Result<Response> {
    let now = deps.clock.now();
    let ticket = Ticket::generate().map_err(|error| Error::Randomness(Box::new(error)))?;
    let new = NewTicket {
        app_id: caller.app_id,
        api_key_id: caller.key,
        crm_user_id: crm_user_id.as_ref().map(|id| id.0.as_str()),
        hash: &ticket.hash(),
        expires_at: now + TimeDelta::seconds(LIFETIME_SECONDS),
    };
    let db = deps.store.tenant(caller.app_id).await?;
    db.commit_with(tickets::insert(&*db, new, now)).await?;
    let (app_id, request_id) = (caller.app_id, caller.request_id);
    tracing::info!(component = "WebSocket", %app_id, request_id, of_a_user = crm_user_id.is_some(), "ticket issued");
    let socket = socket_url(&deps.config, &url);
    let issued = IssuedTicket {
        success: true,
        url: format!("{socket}?ticket={}", ticket.expose()),
        ticket: ticket.expose().to_owned(),
        expires_in: LIFETIME_SECONDS,
        resume: after.map(|Seq(after)| Resume { action: "resume", after }),
    };
    Ok((StatusCode::CREATED, axum::Json(issued)).into_response())
}

/// Where sockets are opened.
pub(crate) fn socket_url(config: &Config, http: &PublicUrl) -> String {
    config.public_ws_url.clone().unwrap_or_else(|| beside(http))
}

/// Where sockets are when both APIs have one address, as on the local server.
fn beside(PublicUrl(url): &PublicUrl) -> String {
    let address = url.strip_prefix("http").map_or_else(|| format!("s://{url}"), str::to_owned);
    format!("ws{address}/ws")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_beside_the_http_api() {
        assert_eq!(beside(&PublicUrl("http://localhost:4000".to_owned())), "ws://localhost:4000/ws");
        assert_eq!(beside(&PublicUrl("https://cti.example".to_owned())), "wss://cti.example/ws");
    }
}
