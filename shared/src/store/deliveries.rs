//! `webhook_events` as operators see them: what came, what became of it, and another try. What a delivery says is not
//! shown, only what is known about it.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::{
    Result,
    inbox::Source,
    page::{Listing, Page, Request},
};
use crate::domain::ids::{AppId, DialpadId, new_id};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits, perhaps for another try.
    Pending,
    /// It was applied.
    Processed,
    /// It can never be applied.
    Dead,
    /// It is kept aside, not applied: an earlier one has its key and says something else.
    Conflicting,
}

impl State {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Dead => "dead",
            Self::Conflicting => "conflicting",
        }
    }
}

/// A delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its row.
    pub id: Uuid,
    /// Dialpad's state, or the family.
    pub event_type: String,
    /// What became of it.
    pub state: State,
    /// The leg it belongs to, once it was applied; of one that was kept aside, the leg of the other.
    pub call_id: Option<DialpadId>,
    /// Dialpad's time of it, once it was applied.
    pub event_timestamp: Option<DateTime<Utc>>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// How it came.
    pub source: Source,
    /// When it was applied, or left aside.
    pub processed_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub dead_at: Option<DateTime<Utc>>,
    /// How often it failed.
    pub attempts: i32,
    /// When it is tried next, while it waits.
    pub due_at: DateTime<Utc>,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// Of one that was kept aside: the row of the earlier one.
    pub conflicts_with: Option<Uuid>,
}

impl From<&Row> for Delivery {
    fn from(row: &Row) -> Self {
        let (processed_at, dead_at): (Option<DateTime<Utc>>, Option<DateTime<Utc>>) =
            (row.get("processed_at"), row.get("dead_at"));
        let conflicts_with: Option<Uuid> = row.get("conflicts_with");
        let state = match (processed_at, dead_at) {
            (Some(_), _) if conflicts_with.is_some() => State::Conflicting,
            (Some(_), _) => State::Processed,
            (None, Some(_)) => State::Dead,
            (None, None) => State::Pending,
        };
        Self {
            id: row.get("id"),
            event_type: row.get("event_type"),
            state,
            call_id: row.get::<_, Option<i64>>("call_id").map(DialpadId),
            event_timestamp: row.get("event_timestamp"),
            received_at: row.get("created_at"),
            source: Source::read(row),
            processed_at,
            dead_at,
            attempts: row.get("attempts"),
            due_at: row.get("due_at"),
            last_error: row.get("last_error"),
            conflicts_with,
        }
    }
}

/// Deliveries of an app, newest first. `None`: there is no such app.
pub async fn list(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    state: Option<State>,
    request: &Request,
) -> Result<Option<Page<Delivery>>> {
    const MATCHES: &str = "e.app_id = $1
        AND ($7::text IS NULL OR $7 = CASE
            WHEN e.processed_at IS NOT NULL AND e.conflicts_with IS NOT NULL THEN 'conflicting'
            WHEN e.processed_at IS NOT NULL THEN 'processed' WHEN e.dead_at IS NOT NULL THEN 'dead' ELSE 'pending' END)";
    let state = state.map(State::as_str);
    let listing = Listing {
        name: "deliveries.list",
        columns: "e.id, e.event_type, coalesce(e.call_id, o.call_id) AS call_id,
            coalesce(e.event_timestamp, o.event_timestamp) AS event_timestamp, e.received_at AS created_at, e.processed_at,
            e.dead_at, e.attempts, e.due_at, e.last_error, e.source, e.conflicts_with",
        table: ("webhook_events", "e"),
        joins: "LEFT JOIN webhook_events o ON o.app_id = e.app_id AND o.id = e.conflicts_with",
        place: ("e.received_at", "e.id"),
        matches: MATCHES,
        beside: None,
        texts: None,
    };
    listing.page(db, app_id, request, &[(&state, Type::TEXT)], |row| Ok(Delivery::from(row))).await
}

/// The statement that makes deliveries that were not applied pending again where `condition` holds, with a line in the audit trail.
fn again(name: &str, condition: &str, action: &str) -> String {
    format!(
        "-- {name}
         WITH again AS (
             UPDATE webhook_events
             SET processed_at = CASE WHEN conflicts_with IS NULL THEN processed_at END,
                 dead_at = NULL, attempts = 0, due_at = $2, last_error = NULL
             WHERE app_id = $1 AND {condition} RETURNING id),
         counted AS (SELECT count(*) AS n FROM again),
         audited AS (
             INSERT INTO audit_log (id, app_id, action, detail, request_id, created_at)
             SELECT $3, $1, '{action}', jsonb_build_object('count', n), $4, $2 FROM counted WHERE n > 0)
         SELECT n FROM counted"
    )
}

/// Tries a delivery again. One that was applied stays so: clients were told of it. Says whether there is one.
pub async fn replay(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    id: Uuid,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let row = db
        .query_typed_one(
            &again("deliveries.replay", "id = $5", "webhook_event.replayed"),
            &[
                (&app_id.0, Type::UUID),
                (&now, Type::TIMESTAMPTZ),
                (&new_id(), Type::UUID),
                (&request_id, Type::TEXT),
                (&id, Type::UUID),
            ],
        )
        .await?;
    Ok(row.get::<_, i64>("n") == 1)
}

/// Tries the dead deliveries of an app again that came within this time; says how many.
pub async fn redrive(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    received_after: Option<DateTime<Utc>>,
    received_before: Option<DateTime<Utc>>,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<i64> {
    let condition = "dead_at IS NOT NULL AND ($5::timestamptz IS NULL OR received_at >= $5)
        AND ($6::timestamptz IS NULL OR received_at < $6)";
    let row = db
        .query_typed_one(
            &again("deliveries.redrive", condition, "webhook_event.redriven"),
            &[
                (&app_id.0, Type::UUID),
                (&now, Type::TIMESTAMPTZ),
                (&new_id(), Type::UUID),
                (&request_id, Type::TEXT),
                (&received_after, Type::TIMESTAMPTZ),
                (&received_before, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(row.get("n"))
}

/// How the work on deliveries goes, over all apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Deliveries that wait.
    pub pending: i64,
    /// Age of the oldest of them, in seconds.
    pub oldest_seconds: i64,
    /// Those of them that failed at least once.
    pub retrying: i64,
    /// How often the worst of them failed.
    pub most_attempts: i32,
    /// Deliveries that can never be applied.
    pub dead: i64,
    /// Deliveries applied within the last minute.
    pub last_minute: i64,
}

/// Measures how the work goes.
pub async fn progress(db: &(impl GenericClient + Sync), now: DateTime<Utc>) -> Result<Progress> {
    let row = db
        .query_typed_one(
            "-- deliveries.progress
             SELECT waiting.*,
                    (SELECT count(*) FROM webhook_events WHERE dead_at IS NOT NULL) AS dead,
                    (SELECT count(*) FROM webhook_events
                     WHERE processed_at > $1 - interval '1 minute' AND conflicts_with IS NULL) AS last_minute
             FROM (
                 SELECT count(*) AS pending, count(*) FILTER (WHERE attempts > 0) AS retrying,
                        coalesce(max(attempts), 0) AS most_attempts,
                        greatest(coalesce(extract(epoch FROM $1 - min(received_at)), 0), 0)::bigint AS oldest
                 FROM webhook_events WHERE processed_at IS NULL AND dead_at IS NULL) AS waiting",
            &[(&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(Progress {
        pending: row.get("pending"),
        oldest_seconds: row.get("oldest"),
        retrying: row.get("retrying"),
        most_attempts: row.get("most_attempts"),
        dead: row.get("dead"),
        last_minute: row.get("last_minute"),
    })
}

/// A state of a call that Dialpad told.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its row.
    pub id: Uuid,
    /// Dialpad's state.
    pub event_type: String,
    /// Dialpad's id of the leg.
    pub dialpad_call_id: DialpadId,
    /// Our id of the leg.
    pub call_id: Uuid,
    /// When it happened, by Dialpad's clock.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// How it came.
    pub source: Source,
}

/// The first `limit` states of all legs of a conversation, in the order in which they happened.
pub async fn timeline(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    parent_call_id: Uuid,
    limit: i64,
) -> Result<Vec<Step>> {
    let rows = db
        .query_typed(
            "-- deliveries.timeline
             SELECT e.id, e.event_type, c.dialpad_call_id, c.id AS call_id, e.event_timestamp, e.received_at, e.source
             FROM calls c JOIN webhook_events e ON e.app_id = c.app_id AND e.call_id = c.dialpad_call_id
             WHERE c.app_id = $1 AND c.parent_call_id = $2
             ORDER BY e.event_timestamp NULLS LAST, e.received_at, e.id LIMIT $3",
            &[(&app_id.0, Type::UUID), (&parent_call_id, Type::UUID), (&limit, Type::INT8)],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Step {
            id: row.get("id"),
            event_type: row.get("event_type"),
            dialpad_call_id: DialpadId(row.get("dialpad_call_id")),
            call_id: row.get("call_id"),
            occurred_at: row.get("event_timestamp"),
            received_at: row.get("received_at"),
            source: Source::read(row),
        })
        .collect())
}
