//! Legs that fell silent, and what Dialpad answered when it was asked for them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tokio_postgres::{
    GenericClient, Row,
    types::{ToSql, Type},
};

use super::{
    Error, Result,
    inbox::{Accepted, NewEvent},
    words::word,
};
use crate::domain::{
    call::Status,
    ids::{AppId, DialpadId, new_id},
};

/// A leg that is not over, of an app whose company is connected, and of which nothing was heard for a while.
#[derive(Clone, Debug)]
pub struct SilentLeg {
    /// Whose it is.
    pub app_id: AppId,
    /// What Dialpad's limits are counted by: the company, which several apps may be connected with.
    pub company: String,
    /// How often the company was asked for a leg within the last minute.
    pub spent: i64,
    /// Dialpad's id of the leg.
    pub call_id: DialpadId,
    /// Where it stands.
    pub status: Status,
    /// When it was last heard of, by Dialpad's clock.
    pub last_at: DateTime<Utc>,
    /// When the last event of its conversation was applied.
    pub updated_at: DateTime<Utc>,
    /// When Dialpad was last asked for it.
    pub asked_at: Option<DateTime<Utc>>,
    /// Before when it is not asked again.
    pub ask_again_at: Option<DateTime<Utc>>,
}

/// The longest silent legs that are due: of which nothing was heard since `silent_since`, or for a minute if they are a user's
/// and came in through a group's leg that ended; at most `of_each` of an app and `limit` in all.
pub async fn silent(
    db: &(impl GenericClient + Sync),
    silent_since: DateTime<Utc>,
    now: DateTime<Utc>,
    of_each: i64,
    limit: i64,
) -> Result<Vec<SilentLeg>> {
    let rows = db
        .query_typed(
            "-- reconciling.silent
             WITH connected AS (
                 SELECT d.app_id, coalesce(d.company_id::text, d.app_id::text) AS company
                 FROM dialpad_connections d JOIN apps a ON a.id = d.app_id AND a.is_active
                 WHERE d.status = 'connected'),
             asked AS (
                 SELECT company, count(*) AS times FROM connected JOIN calls USING (app_id)
                 WHERE asked_at > $2 - interval '1 minute' GROUP BY company)
             SELECT o.app_id, o.company, coalesce(asked.times, 0) AS spent, c.*
             FROM connected o LEFT JOIN asked USING (company) CROSS JOIN LATERAL (
                 SELECT c.dialpad_call_id, c.status, c.updated_at, c.asked_at, c.ask_again_at,
                        coalesce((SELECT max(e.event_timestamp) FROM webhook_events e
                                  WHERE e.app_id = c.app_id AND e.call_id = c.dialpad_call_id), c.updated_at) AS last_at
                 FROM calls c
                 WHERE c.app_id = o.app_id AND c.status IN ('queued', 'ringing', 'active', 'held')
                     AND (c.updated_at <= $1
                         OR c.updated_at <= $2 - interval '1 minute' AND c.dialpad_user_id IS NOT NULL AND EXISTS (
                             SELECT FROM calls g
                             WHERE g.app_id = c.app_id AND g.parent_call_id = c.parent_call_id
                                 AND g.dialpad_user_id IS NULL AND g.ended_at <= $2 - interval '1 minute'))
                     AND (c.ask_again_at IS NULL OR c.ask_again_at <= $2)
                 ORDER BY coalesce(c.ask_again_at, c.updated_at), c.id LIMIT $3) AS c
             ORDER BY coalesce(c.ask_again_at, c.updated_at) LIMIT $4",
            &[
                (&silent_since, Type::TIMESTAMPTZ),
                (&now, Type::TIMESTAMPTZ),
                (&of_each, Type::INT8),
                (&limit, Type::INT8),
            ],
        )
        .await?;
    rows.iter().map(SilentLeg::try_from).collect()
}

impl TryFrom<&Row> for SilentLeg {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        Ok(Self {
            app_id: AppId(row.get("app_id")),
            company: row.get("company"),
            spent: row.get("spent"),
            call_id: DialpadId(row.get("dialpad_call_id")),
            status: word(row, "calls", "status")?,
            last_at: row.get("last_at"),
            updated_at: row.get("updated_at"),
            asked_at: row.get("asked_at"),
            ask_again_at: row.get("ask_again_at"),
        })
    }
}

/// Takes the right to ask for a leg, until then. False: somebody else has it.
pub async fn claim(
    db: &(impl GenericClient + Sync),
    leg: &SilentLeg,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool> {
    let updated = db
        .execute_typed(
            "-- reconciling.claim
             UPDATE calls SET asked_at = $4, ask_again_at = $5
             WHERE app_id = $1 AND dialpad_call_id = $2 AND asked_at IS NOT DISTINCT FROM $3
                 AND ask_again_at IS NOT DISTINCT FROM $6",
            &[
                (&leg.app_id.0, Type::UUID),
                (&leg.call_id.0, Type::INT8),
                (&leg.asked_at, Type::TIMESTAMPTZ),
                (&now, Type::TIMESTAMPTZ),
                (&until, Type::TIMESTAMPTZ),
                (&leg.ask_again_at, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Notes when a leg that was asked for is to be asked for again, should it still not be over.
pub async fn answered(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    call_id: DialpadId,
    ask_again_at: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- reconciling.answered
         UPDATE calls SET ask_again_at = $3 WHERE app_id = $1 AND dialpad_call_id = $2",
        &[(&app_id.0, Type::UUID), (&call_id.0, Type::INT8), (&ask_again_at, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}

/// Stores an event that is made of an answer, unless Dialpad delivered something of the leg meanwhile: something that
/// waits, or that was applied after `known_at`. Then the answer may be old.
pub async fn accept_unless_told(
    db: &(impl GenericClient + Sync),
    event: NewEvent<'_>,
    call_id: DialpadId,
    known_at: Option<DateTime<Utc>>,
) -> Result<Accepted> {
    let (id, call_id_in_text) = (new_id(), call_id.to_string());
    let of_the_call: [(&(dyn ToSql + Sync), Type); 3] =
        [(&call_id.0, Type::INT8), (&known_at, Type::TIMESTAMPTZ), (&call_id_in_text, Type::TEXT)];
    let parameters: Vec<_> = event.parameters(&id).into_iter().chain(of_the_call).collect();
    let inserted = db
        .execute_typed(
            "-- reconciling.accept_unless_told
             INSERT INTO webhook_events (id, app_id, event_type, payload, dedupe_key, received_at, due_at,
                 payload_hash, source)
             SELECT $1, $2, $3, $4::jsonb, $5, $6, $6, $7, 'reconciled'
             WHERE NOT EXISTS (
                     SELECT FROM webhook_events e WHERE e.app_id = $2 AND e.call_id = $8 AND e.source = 'delivered'
                     AND ($9::timestamptz IS NULL OR e.processed_at > $9))
                 AND NOT EXISTS (
                     SELECT FROM webhook_events e WHERE e.app_id = $2 AND e.processed_at IS NULL AND e.dead_at IS NULL
                     AND e.source = 'delivered' AND e.payload ->> 'call_id' = $10)
             ON CONFLICT (app_id, dedupe_key) DO NOTHING",
            &parameters,
        )
        .await?;
    Ok(if inserted == 1 { Accepted::New(id) } else { Accepted::Duplicate })
}

/// A leg as it is known.
#[derive(Clone, Copy, Debug)]
pub struct KnownLeg {
    /// Where it stands.
    pub status: Status,
    /// When it was last heard of, by Dialpad's clock.
    pub last_at: Option<DateTime<Utc>>,
    /// When the last event of its conversation was applied.
    pub updated_at: DateTime<Utc>,
}

impl KnownLeg {
    /// Whether its end is known.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self.status {
            Status::Ended | Status::Missed | Status::Voicemail | Status::Rejected => true,
            Status::Queued | Status::Ringing | Status::Active | Status::Held => false,
        }
    }
}

/// Those of the legs that are known.
pub async fn known(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    call_ids: &[DialpadId],
) -> Result<HashMap<DialpadId, KnownLeg>> {
    let ids: Vec<i64> = call_ids.iter().map(|id| id.0).collect();
    let rows = db
        .query_typed(
            "-- reconciling.known
             SELECT c.dialpad_call_id, c.status, c.updated_at,
                    (SELECT max(e.event_timestamp) FROM webhook_events e
                     WHERE e.app_id = c.app_id AND e.call_id = c.dialpad_call_id) AS last_at
             FROM calls c WHERE c.app_id = $1 AND c.dialpad_call_id = ANY ($2)",
            &[(&app_id.0, Type::UUID), (&ids, Type::INT8_ARRAY)],
        )
        .await?;
    let leg = |row: &Row| {
        let leg = KnownLeg {
            status: word(row, "calls", "status")?,
            last_at: row.get("last_at"),
            updated_at: row.get("updated_at"),
        };
        Ok((DialpadId(row.get("dialpad_call_id")), leg))
    };
    rows.iter().map(leg).collect()
}
