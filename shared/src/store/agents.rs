//! `agents`: what call-centre agents are doing, one row each.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::{
    Result,
    page::{Listing, Page, Parameter, Request},
};
use crate::domain::{
    agent::AgentEvent,
    ids::{AppId, DialpadId},
};

/// An agent as stored, and who it is in the CRM at this moment.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Our id.
    pub id: Uuid,
    /// The newest that Dialpad said.
    pub last: AgentEvent,
    /// The CRM user that Dialpad user is mapped to now.
    pub crm_user_id: Option<String>,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

impl From<&Row> for Agent {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            last: last(row),
            crm_user_id: row.get("crm_user_id"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
        }
    }
}

fn last(row: &Row) -> AgentEvent {
    AgentEvent {
        user_id: DialpadId(row.get("dialpad_user_id")),
        at: row.get("since"),
        status: row.get("status"),
        reason: row.get("reason"),
        availability: row.get("availability"),
        call_center_ids: row.get("call_center_ids"),
        name: row.get("name"),
    }
}

/// Which agents are wanted; what is not set does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this status.
    pub status: Option<String>,
    /// This Dialpad user.
    pub dialpad_user_id: Option<DialpadId>,
    /// Who is this CRM user.
    pub crm_user_id: Option<String>,
    /// Working for this call centre.
    pub call_center_id: Option<String>,
}

/// The conditions of a [`Filter`], after the five parameters of a page.
const MATCHES: &str = "t.app_id = $1
    AND ($7::text IS NULL OR t.status = $7)
    AND ($8::bigint IS NULL OR t.dialpad_user_id = $8)
    AND ($9::text IS NULL OR t.dialpad_user_id IN (
        SELECT u.dialpad_user_id FROM dialpad_user_mappings u WHERE u.app_id = $1 AND u.crm_user_id = $9))
    AND ($10::text IS NULL OR $10 = ANY (t.call_center_ids))";

/// Agents, those first whose first event came last. `None`: there is no such app.
pub async fn list(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    filter: &Filter,
    request: &Request,
) -> Result<Option<Page<Agent>>> {
    let user = filter.dialpad_user_id.map(|id| id.0);
    let filters: [Parameter<'_>; 4] = [
        (&filter.status, Type::TEXT),
        (&user, Type::INT8),
        (&filter.crm_user_id, Type::TEXT),
        (&filter.call_center_id, Type::TEXT),
    ];
    let listing = Listing {
        name: "agents.list",
        columns: "t.*, m.crm_user_id",
        table: ("agents", "t"),
        joins: "LEFT JOIN dialpad_user_mappings m ON m.app_id = t.app_id AND m.dialpad_user_id = t.dialpad_user_id",
        place: ("t.created_at", "t.id"),
        matches: MATCHES,
        beside: None,
        texts: None,
    };
    listing.page(db, app_id, request, &filters, |row| Ok(Agent::from(row))).await
}

/// What is known of these agents.
pub async fn known(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    users: &[DialpadId],
) -> Result<Vec<AgentEvent>> {
    let users: Vec<i64> = users.iter().map(|id| id.0).collect();
    let rows = db
        .query_typed(
            "-- agents.known
             SELECT dialpad_user_id, since, status, reason, availability, call_center_ids, name FROM agents
             WHERE app_id = $1 AND dialpad_user_id = ANY ($2)",
            &[(&app_id.0, Type::UUID), (&users, Type::INT8_ARRAY)],
        )
        .await?;
    Ok(rows.iter().map(last).collect())
}

#[derive(Debug, Serialize)]
struct Record<'a> {
    dialpad_user_id: i64,
    since: DateTime<Utc>,
    status: Option<&'a str>,
    reason: Option<&'a str>,
    availability: Option<&'a str>,
    call_center_ids: &'a [String],
    name: Option<&'a str>,
}

/// Writes what agents are doing now, each once, whatever stood there before.
pub async fn save(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    agents: &[&AgentEvent],
    now: DateTime<Utc>,
) -> Result<()> {
    let records: Vec<_> = agents
        .iter()
        .map(|agent| Record {
            dialpad_user_id: agent.user_id.0,
            since: agent.at,
            status: agent.status.as_deref(),
            reason: agent.reason.as_deref(),
            availability: agent.availability.as_deref(),
            call_center_ids: &agent.call_center_ids,
            name: agent.name.as_deref(),
        })
        .collect();
    db.execute_typed(
        "-- agents.save
         INSERT INTO agents (app_id, dialpad_user_id, since, status, reason, availability, call_center_ids, name,
             created_at, updated_at)
         SELECT $1, r.dialpad_user_id, r.since, r.status, r.reason, r.availability, r.call_center_ids, r.name, $3, $3
         FROM jsonb_to_recordset($2) AS r (dialpad_user_id bigint, since timestamptz, status text, reason text,
             availability text, call_center_ids text[], name text)
         ON CONFLICT (app_id, dialpad_user_id) DO UPDATE SET
             since = excluded.since, status = excluded.status, reason = excluded.reason,
             availability = excluded.availability, call_center_ids = excluded.call_center_ids, name = excluded.name,
             updated_at = excluded.updated_at",
        &[
            (&app_id.0, Type::UUID),
            (&tokio_postgres::types::Json(&records), Type::JSONB),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}
