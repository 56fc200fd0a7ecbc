//! Calls, as an app reads them.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use shared::{
    domain::{
        call::{Direction, Outcome, Status},
        ids::DialpadId,
        time::{Timestamp, seconds},
    },
    store::{
        calls::{self, Filter, Name},
        page::Request,
    },
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps,
    auth::AppCaller,
    error::{Error, Result},
    extract::{CrmUserId, DialpadUserId, Moment, NoParameters, Path, PhoneNumber, Query},
    numbers,
    page::{List, Pagination, list_query},
    reply::Data,
    schema,
};

/// A call: a conversation shows its first leg.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Call {
    id: Uuid,
    /// Dialpad's id of the leg.
    #[schema(value_type = String)]
    dialpad_call_id: DialpadId,
    #[schema(schema_with = schema::nullable_direction)]
    direction: Option<Direction>,
    /// The number that called.
    #[schema(required)]
    from_number: Option<String>,
    /// The number that was called.
    #[schema(required)]
    to_number: Option<String>,
    #[schema(schema_with = schema::status)]
    status: Status,
    #[schema(schema_with = schema::nullable_outcome)]
    outcome: Option<Outcome>,
    #[schema(value_type = Option<String>, required)]
    dialpad_user_id: Option<DialpadId>,
    /// The CRM user that Dialpad user is mapped to now.
    #[schema(required)]
    crm_user_id: Option<String>,
    /// The name of the party outside.
    #[schema(required)]
    contact_name: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    connected_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    ended_at: Option<Timestamp>,
    /// Time spent talking.
    #[schema(required)]
    duration_seconds: Option<i64>,
    #[schema(required)]
    recording_url: Option<String>,
    is_voicemail: bool,
    /// The leg of the conversation that started first, which may be this one.
    parent_call_id: Uuid,
    /// All legs of the conversation, this one included, in the order in which they began; only on a single call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, nullable = false)]
    legs: Option<Vec<Call>>,
    /// Only grows; of two states of a conversation the one with the greater version is newer.
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<calls::Call> for Call {
    fn from(call: calls::Call) -> Self {
        Self {
            id: call.id,
            dialpad_call_id: call.dialpad_call_id,
            direction: call.direction,
            from_number: call.from_number,
            to_number: call.to_number,
            status: call.status,
            outcome: call.outcome,
            dialpad_user_id: call.dialpad_user_id,
            crm_user_id: call.crm_user_id,
            contact_name: call.contact_name,
            started_at: call.started_at.map(Timestamp),
            connected_at: call.connected_at.map(Timestamp),
            ended_at: call.ended_at.map(Timestamp),
            duration_seconds: call.duration_ms.map(seconds),
            recording_url: call.recording_url,
            is_voicemail: call.is_voicemail,
            parent_call_id: call.parent_call_id,
            legs: None,
            version: call.version,
            created_at: call.created_at.into(),
            updated_at: call.updated_at.into(),
        }
    }
}

impl Call {
    /// The name that came with it, and since when it is known.
    pub(crate) fn name(&self) -> Option<(Timestamp, &str)> {
        Some((self.created_at, self.contact_name.as_deref()?))
    }
}

list_query! {
    /// Which calls.
    CallsQuery {
        #[param(value_type = Option<schema::CallStatus>, inline)]
        status: Status,
        #[param(value_type = Option<schema::CallDirection>, inline)]
        direction: Direction,
        /// The number that called. Written in any way; without its country's code it is one of the app's default region.
        #[param(value_type = Option<schema::Number>, inline)]
        from: PhoneNumber,
        /// The number that was called.
        #[param(value_type = Option<schema::Number>, inline)]
        to: PhoneNumber,
        /// A number on either side.
        #[param(value_type = Option<schema::Number>, inline)]
        number: PhoneNumber,
        /// A leg is for this Dialpad user.
        #[param(value_type = Option<schema::DialpadUserId>, inline)]
        dialpad_user_id: DialpadUserId,
        /// A leg is for a Dialpad user of this CRM user.
        #[param(value_type = Option<schema::CrmUserId>, inline)]
        crm_user_id: CrmUserId,
        /// It began then or later.
        #[param(value_type = Option<String>, format = DateTime)]
        started_after: Moment,
        /// It began before.
        #[param(value_type = Option<String>, format = DateTime)]
        started_before: Moment,
        /// It was changed then or later.
        #[param(value_type = Option<String>, format = DateTime)]
        updated_after: Moment,
        /// Whether a leg was recorded.
        has_recording: bool,
        /// Whether a message was left.
        has_voicemail: bool,
    }
}

list_query! {
    /// Which page of the calls in progress.
    ActiveCallsQuery {}
}

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallList {
    /// Always true.
    success: bool,
    data: Vec<Call>,
    pagination: Pagination,
    /// The last entry of the app's event log before the list was read: following the log from there misses nothing.
    event_cursor: i64,
}

/// Lists the app's calls, newest first.
#[utoipa::path(get, operation_id = "list_calls", path = "/api/calls", tag = "Calls", params(CallsQuery), security(("app_key" = [])),
    responses((status = 200, body = CallList)))]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Query(query): Query<CallsQuery>,
) -> Result<axum::Json<CallList>> {
    let request = query.page()?;
    let [from_number, to_number, number] = numbers::spelled(
        &deps,
        caller.app_id,
        [("from", query.from), ("to", query.to), ("number", query.number)],
    )
    .await?;
    let filter = Filter {
        in_progress: false,
        status: query.status,
        direction: query.direction,
        from_number,
        to_number,
        number,
        dialpad_user_id: query.dialpad_user_id.map(|id| id.0),
        crm_user_id: query.crm_user_id.map(|id| id.0),
        started_after: query.started_after.map(|moment| moment.0),
        started_before: query.started_before.map(|moment| moment.0),
        updated_after: query.updated_after.map(|moment| moment.0),
        has_recording: query.has_recording,
        has_voicemail: query.has_voicemail,
    };
    read(&deps, &caller, &filter, &request).await
}

/// Lists the app's calls that ring, are talked on or are held, newest first.
#[utoipa::path(get, operation_id = "list_active_calls", path = "/api/calls/active", tag = "Calls", params(ActiveCallsQuery), security(("app_key" = [])),
    responses((status = 200, body = CallList)))]
pub(crate) async fn active(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Query(query): Query<ActiveCallsQuery>,
) -> Result<axum::Json<CallList>> {
    let request = query.page()?;
    read(&deps, &caller, &Filter { in_progress: true, ..Filter::default() }, &request).await
}

async fn read(
    deps: &Deps,
    caller: &AppCaller,
    filter: &Filter,
    request: &Request,
) -> Result<axum::Json<CallList>> {
    let db = deps.store.tenant(caller.app_id).await?;
    let list = calls::list(&*db, caller.app_id, filter, request).await?.ok_or(Error::NotFound("app"))?;
    let (data, pagination) = List::new(list.page, request, Call::from).into_parts();
    Ok(axum::Json(CallList { success: true, data, pagination, event_cursor: list.event_cursor }))
}

/// Shows a call with its legs.
#[utoipa::path(get, operation_id = "show_call", path = "/api/calls/{id}", tag = "Calls", security(("app_key" = [])),
    params(("id" = String, Path, description = "Our id of the call, or Dialpad's.")),
    responses((status = 200, body = Data<Call>)))]
pub(crate) async fn show(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Path(id): Path<String>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Data<Call>>> {
    let name = name(&id).ok_or(Error::NotFound("call"))?;
    let db = deps.store.tenant(caller.app_id).await?;
    let conversation = calls::find(&*db, caller.app_id, name).await?.ok_or(Error::NotFound("call"))?;
    let legs = conversation.legs.into_iter().map(Call::from).collect();
    Ok(Data::json(Call { legs: Some(legs), ..Call::from(conversation.call) }))
}

/// What an id in the path names: digits are Dialpad's id, anything else is ours.
pub(crate) fn name(id: &str) -> Option<Name> {
    if let Ok(id) = id.parse() {
        return Some(Name::Dialpad(DialpadId(id)));
    }
    Uuid::try_parse(id).ok().map(Name::Own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_by_our_id_or_by_dialpads() {
        let id = Uuid::now_v7();
        assert_eq!(name(&id.to_string()), Some(Name::Own(id)));
        assert_eq!(name("9007199254740993"), Some(Name::Dialpad(DialpadId(9_007_199_254_740_993))));
        assert_eq!(name("99999999999999999999"), None);
        assert_eq!(name("active?"), None);
    }
}
