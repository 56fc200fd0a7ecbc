//! What call-centre agents are doing, as an app reads it.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use shared::{
    domain::{ids::DialpadId, time::Timestamp},
    store::agents::{self, Filter},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps,
    auth::AppCaller,
    error::{Error, Result},
    extract::{CrmUserId, DialpadUserId, Query},
    page::{List, list_query},
    schema,
};

/// A call-centre agent, by the newest that Dialpad said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Agent {
    id: Uuid,
    #[schema(value_type = String)]
    dialpad_user_id: DialpadId,
    /// The CRM user that Dialpad user is mapped to now.
    #[schema(required)]
    crm_user_id: Option<String>,
    #[schema(required)]
    name: Option<String>,
    /// In Dialpad's words: `available`, `unavailable`, `occupied`, `wrapup`, `busy`.
    #[schema(required)]
    status: Option<String>,
    /// Why, where the agent said so.
    #[schema(required)]
    reason: Option<String>,
    /// Whether calls reach the agent, in Dialpad's words.
    #[schema(required)]
    availability: Option<String>,
    /// The call centres the agent works for.
    call_center_ids: Vec<String>,
    /// When Dialpad said so.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<agents::Agent> for Agent {
    fn from(agent: agents::Agent) -> Self {
        Self {
            id: agent.id,
            dialpad_user_id: agent.last.user_id,
            crm_user_id: agent.crm_user_id,
            name: agent.last.name,
            status: agent.last.status,
            reason: agent.last.reason,
            availability: agent.last.availability,
            call_center_ids: agent.last.call_center_ids,
            since: agent.last.at.into(),
            created_at: agent.created_at.into(),
            updated_at: agent.updated_at.into(),
        }
    }
}

list_query! {
    /// Which agents.
    AgentsQuery {
        /// In Dialpad's words.
        status: String,
        #[param(value_type = Option<schema::DialpadUserId>, inline)]
        dialpad_user_id: DialpadUserId,
        /// Who is this CRM user.
        #[param(value_type = Option<schema::CrmUserId>, inline)]
        crm_user_id: CrmUserId,
        /// Who works for this call centre.
        call_center_id: String,
    }
}

/// Lists the app's call-centre agents, and what they are doing.
#[utoipa::path(get, operation_id = "list_agents", path = "/api/agents", tag = "Agents", params(AgentsQuery),
    security(("app_key" = [])), responses((status = 200, body = List<Agent>)))]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Query(query): Query<AgentsQuery>,
) -> Result<axum::Json<List<Agent>>> {
    let request = query.page()?;
    let filter = Filter {
        status: query.status,
        dialpad_user_id: query.dialpad_user_id.map(|id| id.0),
        crm_user_id: query.crm_user_id.map(|id| id.0),
        call_center_id: query.call_center_id,
    };
    let db = deps.store.tenant(caller.app_id).await?;
    let page = agents::list(&*db, caller.app_id, &filter, &request).await?.ok_or(Error::NotFound("app"))?;
    Ok(axum::Json(List::new(page, &request, Agent::from)))
}
