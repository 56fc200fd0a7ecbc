//! `webhook_events` as they come in and are worked off.

use chrono::{DateTime, Utc};
use tokio_postgres::{
    GenericClient, Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::{
    delivery::Delivery,
    ids::{AppId, DialpadId, new_id},
};

/// A delivery to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// Whose it is.
    pub app_id: AppId,
    /// What it says.
    pub delivery: &'a Delivery,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

impl NewEvent<'_> {
    /// `$1` to `$7` of a statement that stores it: the row's id, app, type, payload as text, key, arrival, and hash.
    pub(super) fn parameters<'p>(&'p self, id: &'p Uuid) -> [(&'p (dyn ToSql + Sync), Type); 7] {
        let Self { app_id, delivery, received_at } = self;
        [
            (id, Type::UUID),
            (&app_id.0, Type::UUID),
            (&delivery.event_type, Type::TEXT),
            (&delivery.json, Type::TEXT),
            (&delivery.dedupe_key, Type::BYTEA),
            (received_at, Type::TIMESTAMPTZ),
            (&delivery.payload_hash, Type::BYTEA),
        ]
    }
}

/// How an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Dialpad delivered it.
    Delivered,
    /// It is made of what Dialpad answered when it was asked.
    Reconciled,
}

impl Source {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Reconciled => "reconciled",
        }
    }

    /// Reads it back.
    pub(super) fn read(row: &Row) -> Self {
        if row.get::<_, &str>("source") == Self::Reconciled.as_str() {
            Self::Reconciled
        } else {
            Self::Delivered
        }
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored, in this row.
    New(Uuid),
    /// It is kept aside, in this row: an earlier one has its key and says something else.
    Conflicting(Uuid),
    /// It was stored before.
    Duplicate,
}

/// The constraint that a delivery for an app that is gone violates.
pub const APP_EXISTS: &str = "webhook_events_app_id_fkey";

/// How a payload is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As what it says. Postgres refuses what jsonb cannot hold: nested too deep, a number too large.
    Json,
    /// As one string.
    Text,
}

impl Form {
    /// How a statement writes the payload, its fourth parameter.
    const fn payload(self) -> &'static str {
        match self {
            Self::Json => "$4::jsonb",
            Self::Text => "to_jsonb($4)",
        }
    }
}

/// Stores a delivery once. A payload that is refused in the form of JSON is to be stored as text; a duplicate may be a
/// conflict, which [`keep_aside`] tells.
pub async fn accept(db: &(impl GenericClient + Sync), event: NewEvent<'_>, form: Form) -> Result<Accepted> {
    let (id, payload) = (new_id(), form.payload());
    let inserted = db
        .execute_typed(
            &format!(
                "-- inbox.accept
                 INSERT INTO webhook_events (id, app_id, event_type, payload, dedupe_key, received_at, due_at,
                     payload_hash, source)
                 VALUES ($1, $2, $3, {payload}, $5, $6, $6, $7, 'delivered')
                 ON CONFLICT (app_id, dedupe_key) DO NOTHING"
            ),
            &event.parameters(&id),
        )
        .await?;
    Ok(if inserted == 1 { Accepted::New(id) } else { Accepted::Duplicate })
}

/// Keeps a delivery aside that was no new one to [`accept`], once, if it says something else than the one that is stored:
/// then one of them is wrong, nobody can tell which, and what clients were told stays true. Texts that differ only in the
/// order of their members or in white space say the same.
///
/// A statement of its own, and after the other: it sees what the other found, even if that was stored at the same moment.
pub async fn keep_aside(
    db: &(impl GenericClient + Sync),
    event: NewEvent<'_>,
    form: Form,
) -> Result<Accepted> {
    let (id, payload) = (new_id(), form.payload());
    let inserted = db
        .execute_typed(
            &format!(
                "-- inbox.keep_aside
                 INSERT INTO webhook_events (id, app_id, event_type, payload, dedupe_key, received_at, due_at,
                     payload_hash, source, conflicts_with)
                 SELECT $1, $2, $3, {payload}, sha256($5 || $7), $6, $6, $7, 'delivered', e.id FROM webhook_events e
                 WHERE e.app_id = $2 AND e.dedupe_key = $5 AND e.payload_hash <> $7 AND e.payload <> {payload}
                 ON CONFLICT (app_id, dedupe_key) DO NOTHING"
            ),
            &event.parameters(&id),
        )
        .await?;
    Ok(if inserted == 1 { Accepted::Conflicting(id) } else { Accepted::Duplicate })
}

/// An event that waits to be applied.
#[derive(Clone, Debug)]
pub struct PendingEvent {
    /// Its row.
    pub id: Uuid,
    /// Dialpad's state, or the family; what a person wrote there when the row was made by hand.
    pub event_type: String,
    /// The claims, as JSON text.
    pub payload: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Since when it waits: later than its arrival once it was put off or is tried again.
    pub due_at: DateTime<Utc>,
    /// How often it failed.
    pub attempts: i32,
    /// Whether it is kept aside: an earlier one has its key and says something else.
    pub is_conflicting: bool,
}

impl PendingEvent {
    /// Since when it has waited without a break: since it arrived, or since somebody had it tried again.
    #[must_use]
    pub fn waits_since(&self) -> DateTime<Utc> {
        if self.attempts == 0 { self.received_at.max(self.due_at) } else { self.received_at }
    }
}

/// Locks an app's stream until the end of the transaction, and gives the last number of its event log. `None`: somebody else
/// works on it, or there is no such app. Whoever works on it looks again after its commit, so skipping is safe.
///
/// Under load most looks find it locked, so this one asks for nothing else.
pub async fn lock_stream(db: &(impl GenericClient + Sync), app_id: AppId) -> Result<Option<i64>> {
    let row = db
        .query_typed_opt(
            "-- inbox.lock_stream
             SELECT last_seq FROM app_streams WHERE app_id = $1 FOR UPDATE SKIP LOCKED",
            &[(&app_id.0, Type::UUID)],
        )
        .await?;
    Ok(row.map(|row| row.get("last_seq")))
}

/// What it depends on how an app's events are applied.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Whether its events are pushed; an inactive app's are only kept.
    pub is_active: bool,
    /// The country of its national numbers (ISO 3166-1 alpha-2).
    pub default_region: Option<String>,
    /// Whether it was ever asked to forget a number.
    pub has_erasures: bool,
}

/// Reads them; there is an app wherever there is a stream.
pub async fn terms(db: &(impl GenericClient + Sync), app_id: AppId) -> Result<Terms> {
    let row = db
        .query_typed_one(
            "-- inbox.terms
             SELECT is_active, default_region,
                 EXISTS (SELECT FROM erasures e WHERE e.app_id = a.id) AS has_erasures
             FROM apps a WHERE id = $1",
            &[(&app_id.0, Type::UUID)],
        )
        .await?;
    Ok(Terms {
        is_active: row.get("is_active"),
        default_region: row.get("default_region"),
        has_erasures: row.get("has_erasures"),
    })
}

/// The oldest events of an app that are due.
pub async fn pending(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<PendingEvent>> {
    let rows = db
        .query_typed(
            "-- inbox.pending
             SELECT id, event_type, payload::text AS payload, received_at, due_at, attempts,
                    conflicts_with IS NOT NULL AS is_conflicting
             FROM webhook_events
             WHERE app_id = $1 AND processed_at IS NULL AND dead_at IS NULL AND due_at <= $2
             ORDER BY received_at, id LIMIT $3",
            &[(&app_id.0, Type::UUID), (&now, Type::TIMESTAMPTZ), (&limit, Type::INT8)],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| PendingEvent {
            id: row.get("id"),
            event_type: row.get("event_type"),
            payload: row.get("payload"),
            received_at: row.get("received_at"),
            due_at: row.get("due_at"),
            attempts: row.get("attempts"),
            is_conflicting: row.get("is_conflicting"),
        })
        .collect())
}

/// Whether an app has due events.
pub async fn has_pending(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let row = db
        .query_typed_one(
            "-- inbox.has_pending
             SELECT EXISTS (
                 SELECT FROM webhook_events
                 WHERE app_id = $1 AND processed_at IS NULL AND dead_at IS NULL AND due_at <= $2) AS pending",
            &[(&app_id.0, Type::UUID), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(row.get("pending"))
}

/// The apps that have due events. Apps that were inserted by hand get their stream first.
pub async fn apps_with_pending(db: &(impl GenericClient + Sync), now: DateTime<Utc>) -> Result<Vec<AppId>> {
    let rows = db
        .query_typed(
            "-- inbox.apps_with_pending
             WITH missing AS (
                 INSERT INTO app_streams (app_id)
                 SELECT id FROM apps a WHERE NOT EXISTS (SELECT FROM app_streams s WHERE s.app_id = a.id)
                 ON CONFLICT DO NOTHING)
             SELECT id FROM apps a WHERE EXISTS (
                 SELECT FROM webhook_events e WHERE e.app_id = a.id
                 AND e.processed_at IS NULL AND e.dead_at IS NULL AND e.due_at <= $1)
             ORDER BY id",
            &[(&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(rows.iter().map(|row| AppId(row.get("id"))).collect())
}

/// An event that was applied, and what it belongs to.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its row.
    pub id: Uuid,
    /// The leg, if it is of a call.
    pub call_id: Option<DialpadId>,
    /// The text message, if it is of one.
    pub message_id: Option<DialpadId>,
    /// Dialpad's time of it.
    pub event_timestamp: Option<DateTime<Utc>>,
}

/// Marks events as applied.
pub async fn finish(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    events: &[Finished],
    now: DateTime<Utc>,
) -> Result<()> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let calls: Vec<Option<i64>> = events.iter().map(|event| event.call_id.map(|id| id.0)).collect();
    let messages: Vec<Option<i64>> = events.iter().map(|event| event.message_id.map(|id| id.0)).collect();
    let times: Vec<Option<DateTime<Utc>>> = events.iter().map(|event| event.event_timestamp).collect();
    let updated = db
        .execute_typed(
            "-- inbox.finish
             UPDATE webhook_events e SET processed_at = $6, call_id = f.call_id, message_id = f.message_id,
                 event_timestamp = f.event_timestamp
             FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[])
                 AS f (id, call_id, message_id, event_timestamp),
                 -- Row by row, whatever the planner believes the tenant to have (see `folding`).
                 LATERAL (SELECT ctid, app_id FROM webhook_events WHERE id = f.id OFFSET 0) AS w
             WHERE e.ctid = w.ctid AND w.app_id = $1",
            &[
                (&app_id.0, Type::UUID),
                (&ids, Type::UUID_ARRAY),
                (&calls, Type::INT8_ARRAY),
                (&messages, Type::INT8_ARRAY),
                (&times, Type::TIMESTAMPTZ_ARRAY),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    if usize::try_from(updated) == Ok(events.len()) {
        Ok(())
    } else {
        Err(Error::Inconsistent { table: "webhook_events", column: "processed_at" })
    }
}

/// Marks events as done with that are not applied, since they are kept aside.
pub async fn leave_aside(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    events: &[Uuid],
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- inbox.leave_aside
         UPDATE webhook_events e SET processed_at = $3
         FROM unnest($2::uuid[]) AS f (id),
             LATERAL (SELECT ctid, app_id FROM webhook_events WHERE id = f.id OFFSET 0) AS w
         WHERE e.ctid = w.ctid AND w.app_id = $1",
        &[(&app_id.0, Type::UUID), (&events, Type::UUID_ARRAY), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}

/// Sets events aside that can never be applied, with the reason of each.
pub async fn give_up(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    events: &[(Uuid, String)],
    now: DateTime<Utc>,
) -> Result<()> {
    let (ids, reasons): (Vec<Uuid>, Vec<&str>) =
        events.iter().map(|(id, reason)| (*id, reason.as_str())).unzip();
    db.execute_typed(
        "-- inbox.give_up
         UPDATE webhook_events e SET dead_at = $4, attempts = e.attempts + 1, last_error = f.reason
         FROM unnest($2::uuid[], $3::text[]) AS f (id, reason),
             LATERAL (SELECT ctid, app_id FROM webhook_events WHERE id = f.id OFFSET 0) AS w
         WHERE e.ctid = w.ctid AND w.app_id = $1",
        &[
            (&app_id.0, Type::UUID),
            (&ids, Type::UUID_ARRAY),
            (&reasons, Type::TEXT_ARRAY),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Puts an event off after a failure that may pass.
pub async fn retry_later(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    event: Uuid,
    reason: &str,
    due_at: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- inbox.retry_later
         UPDATE webhook_events SET attempts = attempts + 1, last_error = $3, due_at = $4 WHERE app_id = $1 AND id = $2",
        &[
            (&app_id.0, Type::UUID),
            (&event, Type::UUID),
            (&reason, Type::TEXT),
            (&due_at, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// How much waits, over all apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Events not yet applied.
    pub pending: i64,
    /// Age of the oldest, in seconds.
    pub oldest_seconds: i64,
}

/// Measures the backlog.
pub async fn backlog(db: &(impl GenericClient + Sync), now: DateTime<Utc>) -> Result<Backlog> {
    let row = db
        .query_typed_one(
            "-- inbox.backlog
             SELECT count(*) AS pending, coalesce(extract(epoch FROM $1 - min(received_at)), 0)::bigint AS oldest
             FROM webhook_events WHERE processed_at IS NULL AND dead_at IS NULL",
            &[(&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(Backlog { pending: row.get("pending"), oldest_seconds: row.get::<_, i64>("oldest").max(0) })
}
