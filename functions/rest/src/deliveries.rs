//! Dialpad's deliveries, as operators see them: what became of each, another try, and how the work goes.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use shared::{
    domain::{
        ids::{AppId, DialpadId},
        time::Timestamp,
    },
    store::{apps, deliveries, inbox::Source},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
    extract::{Moment, NoParameters, OptionalJson, Path, Query},
    page::{List, list_query},
    reply::{Data, Done},
};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    /// It waits, perhaps for another try.
    Pending,
    /// It was applied.
    Processed,
    /// It can never be applied.
    Dead,
    /// It is kept aside, not applied: an earlier one is of the same state at the same time and says something else.
    Conflicting,
}

impl From<DeliveryState> for deliveries::State {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::Processed => Self::Processed,
            DeliveryState::Dead => Self::Dead,
            DeliveryState::Conflicting => Self::Conflicting,
        }
    }
}

/// How an event came.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventSource {
    /// Dialpad delivered it.
    Delivered,
    /// It was missed, and is made of what Dialpad answered when it was asked for the call.
    Reconciled,
}

impl From<Source> for EventSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Delivered => Self::Delivered,
            Source::Reconciled => Self::Reconciled,
        }
    }
}

/// A delivery of Dialpad's, or what stands for one that was missed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivery {
    id: Uuid,
    /// Dialpad's state of the call, or the family of the event.
    event_type: String,
    #[schema(value_type = DeliveryState)]
    state: &'static str,
    /// The leg it belongs to, once it was applied; of one that is kept aside, the leg of the other.
    #[schema(value_type = Option<String>, required)]
    dialpad_call_id: Option<DialpadId>,
    /// When it happened, by Dialpad's clock; known once it was applied.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    occurred_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    source: EventSource,
    /// When it was applied, or left aside.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    processed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    dead_at: Option<Timestamp>,
    /// How often it failed.
    attempts: i32,
    /// When it is tried next, while it waits.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    due_at: Option<Timestamp>,
    /// Why it failed last.
    #[schema(required)]
    last_error: Option<String>,
    /// Of one that is kept aside: the earlier one, which was applied.
    #[schema(required)]
    conflicts_with: Option<Uuid>,
}

impl From<deliveries::Delivery> for Delivery {
    fn from(delivery: deliveries::Delivery) -> Self {
        let waits = delivery.state == deliveries::State::Pending;
        Self {
            id: delivery.id,
            event_type: delivery.event_type,
            state: delivery.state.as_str(),
            dialpad_call_id: delivery.call_id,
            occurred_at: delivery.event_timestamp.map(Timestamp),
            received_at: delivery.received_at.into(),
            source: delivery.source.into(),
            processed_at: delivery.processed_at.map(Timestamp),
            dead_at: delivery.dead_at.map(Timestamp),
            attempts: delivery.attempts,
            due_at: waits.then_some(Timestamp(delivery.due_at)),
            last_error: delivery.last_error,
            conflicts_with: delivery.conflicts_with,
        }
    }
}

list_query! {
    /// Which deliveries.
    DeliveriesQuery {
        #[param(inline)]
        state: DeliveryState,
    }
}

/// Lists the deliveries of an app, newest first, without what they say.
#[utoipa::path(get, operation_id = "list_webhook_events", path = "/internal/apps/{app_id}/webhook-events",
    tag = "Deliveries", params(("app_id" = Uuid, Path), DeliveriesQuery), security(("operator" = [])),
    responses((status = 200, body = List<Delivery>)))]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path(app_id): Path<AppId>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<axum::Json<List<Delivery>>> {
    let request = query.page()?;
    let state = query.state.map(deliveries::State::from);
    let db = deps.store.app(app_id).await?;
    let page = deliveries::list(&*db, app_id, state, &request).await?.ok_or(Error::NotFound("app"))?;
    Ok(axum::Json(List::new(page, &request, Delivery::from)))
}

/// Tries a delivery again that was not applied. One that was stays as it is: clients would be told twice.
#[utoipa::path(post, operation_id = "replay_webhook_event",
    path = "/internal/apps/{app_id}/webhook-events/{event_id}/replay", tag = "Deliveries",
    params(("app_id" = Uuid, Path), ("event_id" = Uuid, Path)), security(("operator" = [])),
    responses((status = 202, body = Done)))]
pub(crate) async fn replay(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path((app_id, id)): Path<(AppId, Uuid)>,
    _: Query<NoParameters>,
) -> Result<(StatusCode, axum::Json<Done>)> {
    let db = deps.store.app(app_id).await?;
    let replay = deliveries::replay(&*db, app_id, id, &operator.request_id, deps.clock.now());
    if !db.commit_with(replay).await? {
        return Err(Error::NotFound("delivery"));
    }
    tracing::info!(component = "App", %app_id, event_id = %id, request_id = operator.request_id, "delivery replayed");
    Ok((
        StatusCode::ACCEPTED,
        Done::json("The delivery is processed with the next poll, unless it was already"),
    ))
}

/// Which dead deliveries are tried again; without a bound, all.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedriveRequest {
    /// They came then or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    received_after: Option<Moment>,
    /// They came before.
    #[schema(value_type = Option<String>, format = DateTime)]
    received_before: Option<Moment>,
}

/// How many deliveries are tried again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Redriven {
    /// Always true.
    success: bool,
    message: &'static str,
    count: i64,
}

/// Tries the dead deliveries of an app again.
#[utoipa::path(post, operation_id = "redrive_dead_letters", path = "/internal/apps/{app_id}/dead-letters/redrive",
    tag = "Deliveries", params(("app_id" = Uuid, Path)),
    request_body(content = Option<RedriveRequest>, description = "May be left out."), security(("operator" = [])),
    responses((status = 202, body = Redriven)))]
pub(crate) async fn redrive(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    OptionalJson(RedriveRequest { received_after, received_before }): OptionalJson<RedriveRequest>,
) -> Result<(StatusCode, axum::Json<Redriven>)> {
    let (after, before) = (received_after.map(|moment| moment.0), received_before.map(|moment| moment.0));
    let db = deps.store.app(app_id).await?;
    apps::find(&*db, app_id).await?.ok_or(Error::NotFound("app"))?;
    let count =
        deliveries::redrive(&*db, app_id, after, before, &operator.request_id, deps.clock.now()).await?;
    db.commit().await?;
    tracing::info!(component = "App", %app_id, request_id = operator.request_id, count, "dead deliveries redriven");
    let message = "The dead deliveries are processed again with the next poll";
    Ok((StatusCode::ACCEPTED, axum::Json(Redriven { success: true, message, count })))
}

/// How the work on deliveries goes, over all apps.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueState {
    /// Deliveries that wait.
    pending: i64,
    /// Age of the oldest of them.
    oldest_pending_seconds: i64,
    /// Those of them that failed at least once.
    retrying: i64,
    /// How often the worst of them failed.
    most_attempts: i32,
    /// Deliveries that can never be applied.
    dead: i64,
    /// Deliveries applied within the last minute.
    processed_last_minute: i64,
}

/// Tells how the work on deliveries goes.
#[utoipa::path(get, operation_id = "show_queue", path = "/internal/monitoring/queue", tag = "Deliveries",
    security(("operator" = [])), responses((status = 200, body = Data<QueueState>)))]
pub(crate) async fn queue(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    _: Query<NoParameters>,
) -> Result<axum::Json<Data<QueueState>>> {
    let db = deps.store.system().await?;
    let progress = deliveries::progress(&*db, deps.clock.now()).await?;
    Ok(Data::json(QueueState {
        pending: progress.pending,
        oldest_pending_seconds: progress.oldest_seconds,
        retrying: progress.retrying,
        most_attempts: progress.most_attempts,
        dead: progress.dead,
        processed_last_minute: progress.last_minute,
    }))
}
