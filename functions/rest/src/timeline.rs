//! What happened in a call, step by step.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use shared::{
    domain::{ids::DialpadId, time::Timestamp},
    store::{
        calls,
        deliveries::{self, Step},
    },
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps,
    auth::AppCaller,
    calls::name,
    deliveries::EventSource,
    error::{Error, Result},
    extract::{NoParameters, Path, Query},
    reply::Data,
};

/// The most steps that are shown; real calls have some dozens.
const SHOWN: i64 = 1_000;

/// A state of a leg: told by Dialpad, or found out when it was asked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineStep {
    /// Our id of the delivery.
    id: Uuid,
    /// Dialpad's name of the state; `gone` of a leg that it did not know any more.
    #[schema(example = "ringing")]
    state: String,
    /// Dialpad's id of the leg.
    #[schema(value_type = String)]
    dialpad_call_id: DialpadId,
    /// Our id of the leg.
    call_id: Uuid,
    /// When it happened, by Dialpad's clock.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    occurred_at: Option<Timestamp>,
    /// When we were told.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    source: EventSource,
}

impl From<Step> for TimelineStep {
    fn from(step: Step) -> Self {
        Self {
            id: step.id,
            state: step.event_type,
            dialpad_call_id: step.dialpad_call_id,
            call_id: step.call_id,
            occurred_at: step.occurred_at.map(Timestamp),
            received_at: step.received_at.into(),
            source: step.source.into(),
        }
    }
}

/// Lists every state of a call and its legs that Dialpad told, in the order in which they happened.
#[utoipa::path(get, operation_id = "list_call_timeline", path = "/api/calls/{id}/timeline", tag = "Calls",
    params(("id" = String, Path, description = "Our id of the call, or Dialpad's.")), security(("app_key" = [])),
    responses((status = 200, body = Data<Vec<TimelineStep>>)))]
pub(crate) async fn timeline(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Path(id): Path<String>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Data<Vec<TimelineStep>>>> {
    let name = name(&id).ok_or(Error::NotFound("call"))?;
    let db = deps.store.tenant(caller.app_id).await?;
    let found = calls::find(&*db, caller.app_id, name).await?.ok_or(Error::NotFound("call"))?;
    let steps = deliveries::timeline(&*db, caller.app_id, found.call.parent_call_id, SHOWN).await?;
    Ok(Data::json(steps.into_iter().map(TimelineStep::from).collect()))
}
