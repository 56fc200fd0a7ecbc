//! After an outage: the calls that Dialpad concluded meanwhile are listed, and what was missed of them becomes events.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    dialpad::{
        payload,
        reconciled::{self, Known},
    },
    domain::{
        ids::{AppId, DialpadId},
        time::Timestamp,
    },
    invoke::Span,
    store::{
        apps, audit,
        inbox::{Accepted, NewEvent},
        reconciling::{self, KnownLeg},
    },
    telemetry::{Chain, Metric},
};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::dialpad;
use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
    extract::{Json, Moment, NoParameters, Path, Query},
    reply::Data,
};

/// The most pages of Dialpad's list that one request reads.
const MOST_PAGES: usize = 40;
/// No page is asked for after this time: a request may take ten seconds.
const BEGIN_WITHIN: Duration = Duration::from_secs(4);

/// Which calls: those that began after the one time, and before the other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reconciliation {
    /// They began after that.
    #[schema(value_type = String, format = DateTime)]
    started_after: Moment,
    /// They began before that; without it, until now.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_before: Option<Moment>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reconciled {
    /// Legs that Dialpad showed.
    seen: usize,
    /// Those of them of which something was missed; clients are told within seconds.
    stored: usize,
    /// Those of which the end was known.
    known: usize,
    /// Whether all of them were looked at. If not, repeat the request with `started_before` as it is here.
    complete: bool,
    /// How far it came: calls that began before then were not looked at. Newest first, as Dialpad lists them.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    started_before: Option<Timestamp>,
}

/// Looks through the calls that Dialpad has concluded, newest first, and stores what was not delivered of them. It goes on
/// for some seconds and says how far it came. It may be repeated: what is known is left alone. The connection needs the
/// scope `calls:list`, and a company administrator.
#[utoipa::path(post, operation_id = "reconcile_calls", path = "/internal/apps/{app_id}/dialpad/reconcile", tag = "Dialpad",
    params(("app_id" = Uuid, Path)), request_body = Reconciliation, security(("operator" = [])),
    responses((status = 200, body = Data<Reconciled>), (status = 409, description = "No company is connected, or Dialpad forbids it: is the scope calls:list there?"),
        (status = 429, description = "Dialpad's limit is reached.")))]
pub(crate) async fn reconcile(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    Json(Reconciliation { started_after, started_before }): Json<Reconciliation>,
) -> Result<axum::Json<Data<Reconciled>>> {
    let (started_after, started_before) = (started_after.0, started_before.map(|moment| moment.0));
    if started_before.unwrap_or_else(|| deps.clock.now()) <= started_after {
        return Err(Error::invalid("/started_after", "must be before started_before, and before now"));
    }
    {
        let db = deps.store.app(app_id).await?;
        apps::find(&*db, app_id).await?.ok_or(Error::NotFound("app"))?;
    }
    let span = Span { started_after, started_before };
    let found = look_through(&deps, app_id, span).await?;

    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    let detail = json!({
        "started_after": Timestamp(started_after), "started_before": started_before.map(Timestamp),
        "seen": found.seen, "stored": found.stored, "complete": found.complete,
    });
    audit::record(&*tx, app_id, "dialpad.reconciled", &detail, &operator.request_id, now).await?;
    tx.commit().await?;
    let request_id = operator.request_id;
    tracing::info!(component = "Dialpad", %app_id, request_id, seen = found.seen, stored = found.stored, complete = found.complete, "calls reconciled");
    Ok(Data::json(found))
}

/// Reads page after page. Once something was found, a refusal ends it like the time does.
async fn look_through(deps: &Deps, app_id: AppId, span: Span) -> Result<Reconciled> {
    let dialpad = dialpad(deps)?;
    let begin_until = Instant::now() + BEGIN_WITHIN;
    let mut found = Reconciled { seen: 0, stored: 0, known: 0, complete: false, started_before: None };
    let (mut cursor, mut oldest) = (None, None);
    for page_number in 0..MOST_PAGES {
        if Instant::now() > begin_until {
            break;
        }
        let page = match dialpad.list_calls(app_id, span, cursor.as_deref()).await {
            Ok(page) => page,
            Err(error) if page_number > 0 => {
                tracing::warn!(component = "Dialpad", %app_id, error = %Chain(&error), "calls listed in part");
                break;
            }
            Err(error) => return Err(error.into()),
        };
        store(deps, app_id, &page.calls, &mut found).await?;
        let began_at = page.calls.iter().filter_map(began_at).min();
        oldest = [oldest, began_at].into_iter().flatten().min();
        cursor = page.cursor;
        if cursor.is_none() {
            found.complete = true;
            break;
        }
    }
    if !found.complete {
        // Others may have begun in the same millisecond; what is known by then is left alone.
        found.started_before = oldest.map(|oldest| Timestamp(oldest + TimeDelta::milliseconds(1)));
    }
    Ok(found)
}

/// Stores what was missed of these calls.
async fn store(deps: &Deps, app_id: AppId, calls: &[Value], found: &mut Reconciled) -> Result<()> {
    let ids: Vec<DialpadId> = calls.iter().filter_map(reconciled::call_id).collect();
    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    let legs: HashMap<DialpadId, KnownLeg> = reconciling::known(&*tx, app_id, &ids).await?;
    for call in calls {
        let Some(call_id) = reconciled::call_id(call) else { continue };
        found.seen += 1;
        let leg = legs.get(&call_id);
        if leg.is_some_and(KnownLeg::is_over) {
            found.known += 1;
            continue;
        }
        let known =
            Known { call_id, status: leg.map(|leg| leg.status), last_at: leg.and_then(|leg| leg.last_at) };
        let mut is_stored = false;
        for payload in reconciled::missed(&known, Some(call)) {
            // What is made of an answer is an object.
            let Ok(delivery) = payload::inspect(&payload.to_string()) else { continue };
            let event = NewEvent { app_id, delivery: &delivery, received_at: now };
            let known_at = leg.map(|leg| leg.updated_at);
            if let Accepted::New(event_id) =
                reconciling::accept_unless_told(&*tx, event, call_id, known_at).await?
            {
                is_stored = true;
                deps.metrics.add(Metric::Reconciled, 1);
                tracing::info!(component = "Dialpad", %app_id, %event_id, %call_id, state = delivery.event_type, "reconciled");
            }
        }
        found.stored += usize::from(is_stored);
    }
    Ok(tx.commit().await?)
}

/// When a call began, by Dialpad's clock.
fn began_at(call: &Value) -> Option<DateTime<Utc>> {
    let began_at = &call["date_started"];
    let milliseconds = began_at.as_i64().or_else(|| began_at.as_str()?.trim().parse().ok())?;
    DateTime::from_timestamp_millis(milliseconds)
}
