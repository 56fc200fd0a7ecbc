//! The event log of an app, for a backend that reads it instead of holding a socket, or that was away.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;
use shared::store::{
    self,
    event_log::{self, Audience, LoggedEvent, Stretch},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Deps,
    auth::AppCaller,
    error::{Error, Result},
    extract::Query,
    page::Limit,
};

/// A place in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seq(i64);

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let seq = text.parse().ok().filter(|seq| *seq >= 0).map(Self);
        seq.ok_or_else(|| D::Error::custom("must be the seq of an event, or 0"))
    }
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Begin after this `seq`; without it, at the oldest event that is kept.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<Seq>,
    /// How many events, 50 without it.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    limit: Option<Limit>,
}

/// A stretch of the log, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Events {
    /// Always true.
    success: bool,
    /// The frames, exactly as sockets get them.
    #[schema(value_type = Vec<Object>)]
    data: Vec<Box<RawValue>>,
    /// Ask again after this one.
    seq: i64,
    /// The last entry of the log.
    head: i64,
    /// Whether there are more after these.
    has_more: bool,
}

/// Reads the app's event log, oldest first. Events are kept for 7 days.
#[utoipa::path(get, operation_id = "list_events", path = "/api/events", tag = "Events", params(EventsQuery), security(("app_key" = [])),
    responses(
        (status = 200, body = Events),
        (status = 410, description = "The events after this one are no longer kept.",
            body = crate::openapi::ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Query(query): Query<EventsQuery>,
) -> Result<axum::Json<Events>> {
    let limit = Limit::or_default(query.limit);
    let after = query.after.map_or(0, |after| after.0);
    let db = deps.store.tenant(caller.app_id).await?;
    let stretch = event_log::read(&*db, caller.app_id, Audience::App, after, limit).await?;
    if query.after.is_some() && !reaches_back(&stretch, after) {
        return Err(Error::CursorExpired);
    }
    let seq = stretch.events.last().map_or(after.max(stretch.head), |event| event.seq);
    Ok(axum::Json(Events {
        success: true,
        seq,
        head: stretch.head,
        has_more: seq < stretch.head,
        data: stretch.events.into_iter().map(frame).collect::<Result<_, _>>()?,
    }))
}

/// Whether everything after `after` is still there.
fn reaches_back(stretch: &Stretch, after: i64) -> bool {
    match stretch.oldest {
        Some(oldest) => after >= oldest - 1,
        None => after >= stretch.head,
    }
}

fn frame(event: LoggedEvent) -> Result<Box<RawValue>, store::Error> {
    RawValue::from_string(event.frame)
        .map_err(|_| store::Error::Inconsistent { table: "client_events", column: "frame" })
}
