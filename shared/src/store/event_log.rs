//! `client_events`: the log of what clients were told.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::Result;
use crate::{domain::ids::AppId, telemetry::TraceId};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its place: without a gap within the app.
    pub seq: i64,
    /// Its stable id.
    pub id: Uuid,
    /// The CRM user it is for; none: everybody.
    pub audience: Option<String>,
    /// The frame exactly as it is sent.
    pub frame: String,
    /// The trace of the delivery that caused it, while that is known: it is not stored.
    pub trace_id: Option<TraceId>,
}

impl From<&Row> for LoggedEvent {
    fn from(row: &Row) -> Self {
        Self {
            seq: row.get("seq"),
            id: row.get("id"),
            audience: row.get("audience"),
            frame: row.get("frame"),
            trace_id: None,
        }
    }
}

/// Writes entries and moves the app's head to the last of them. Call it with the stream locked; the entries follow one
/// another from the head on.
pub async fn append(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    events: &[LoggedEvent],
    now: DateTime<Utc>,
) -> Result<()> {
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let audiences: Vec<Option<&str>> = events.iter().map(|event| event.audience.as_deref()).collect();
    let frames: Vec<&str> = events.iter().map(|event| event.frame.as_str()).collect();
    db.execute_typed(
        "-- event_log.append
         WITH head AS (UPDATE app_streams SET last_seq = (SELECT max(seq) FROM unnest($2::bigint[]) AS n (seq)) WHERE app_id = $1)
         INSERT INTO client_events (app_id, seq, id, audience, frame, created_at)
         SELECT $1, e.seq, e.id, e.audience, e.frame, $6
         FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[]) AS e (seq, id, audience, frame)",
        &[
            (&app_id.0, Type::UUID),
            (&seqs, Type::INT8_ARRAY),
            (&ids, Type::UUID_ARRAY),
            (&audiences, Type::TEXT_ARRAY),
            (&frames, Type::TEXT_ARRAY),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Notes that entries were handed to the push queue.
///
/// The index of those that were not yet is full of such that have been: told the range, Postgres passes them by.
pub async fn mark_handed_over(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    seqs: &[i64],
    now: DateTime<Utc>,
) -> Result<()> {
    let (first, last) = (seqs.iter().min(), seqs.iter().max());
    db.execute_typed(
        "-- event_log.mark_handed_over
         UPDATE client_events SET handed_over_at = $5
         WHERE app_id = $1 AND seq BETWEEN $2 AND $3 AND seq = ANY ($4) AND handed_over_at IS NULL",
        &[
            (&app_id.0, Type::UUID),
            (&first, Type::INT8),
            (&last, Type::INT8),
            (&seqs, Type::INT8_ARRAY),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Entries of active apps that were written before `before` and never handed over, oldest first.
pub async fn not_handed_over(
    db: &(impl GenericClient + Sync),
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(AppId, LoggedEvent)>> {
    let rows = db
        .query_typed(
            "-- event_log.not_handed_over
             SELECT e.app_id, e.seq, e.id, e.audience, e.frame FROM client_events e
             JOIN apps a ON a.id = e.app_id AND a.is_active
             WHERE e.handed_over_at IS NULL AND e.created_at < $1 ORDER BY e.app_id, e.seq LIMIT $2",
            &[(&before, Type::TIMESTAMPTZ), (&limit, Type::INT8)],
        )
        .await?;
    Ok(rows.iter().map(|row| (AppId(row.get("app_id")), LoggedEvent::from(row))).collect())
}

/// Who asks for events: a user's connection sees what is for that user or for everybody, an app's connection sees all.
#[derive(Clone, Copy, Debug)]
pub enum Audience<'a> {
    /// An app connection.
    App,
    /// A connection of this CRM user.
    User(&'a str),
}

/// A stretch of the log.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The app's last entry.
    pub head: i64,
    /// The oldest entry still kept; none when the log is empty.
    pub oldest: Option<i64>,
    /// What was asked for, oldest first.
    pub events: Vec<LoggedEvent>,
}

/// The entries after `after` that this audience may see, and where the log begins and ends, all from one snapshot.
pub async fn read(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    audience: Audience<'_>,
    after: i64,
    limit: i64,
) -> Result<Stretch> {
    let user = match audience {
        Audience::App => None,
        Audience::User(user) => Some(user),
    };
    let rows = db
        .query_typed(
            "-- event_log.read
             SELECT s.last_seq, (SELECT min(seq) FROM client_events WHERE app_id = $1) AS oldest,
                    e.seq, e.id, e.audience, e.frame
             FROM app_streams s LEFT JOIN LATERAL (
                 SELECT * FROM client_events
                 WHERE app_id = $1 AND seq > $3 AND seq <= s.last_seq
                   AND ($2::text IS NULL OR audience IS NULL OR audience = $2)
                 ORDER BY seq LIMIT $4) e ON true
             WHERE s.app_id = $1 ORDER BY e.seq",
            &[(&app_id.0, Type::UUID), (&user, Type::TEXT), (&after, Type::INT8), (&limit, Type::INT8)],
        )
        .await?;
    Ok(Stretch {
        head: rows.first().map_or(0, |row| row.get("last_seq")),
        oldest: rows.first().and_then(|row| row.get("oldest")),
        events: rows
            .iter()
            .filter(|row| row.get::<_, Option<i64>>("seq").is_some())
            .map(LoggedEvent::from)
            .collect(),
    })
}

/// The app's head, and how many entries after `after` this audience may see.
pub async fn count(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    audience: Audience<'_>,
    after: i64,
) -> Result<(i64, i64)> {
    let user = match audience {
        Audience::App => None,
        Audience::User(user) => Some(user),
    };
    let row = db
        .query_typed_opt(
            "-- event_log.count
             SELECT s.last_seq, (
                 SELECT count(*) FROM client_events WHERE app_id = $1 AND seq > $3 AND seq <= s.last_seq
                   AND ($2::text IS NULL OR audience IS NULL OR audience = $2)) AS count
             FROM app_streams s WHERE s.app_id = $1",
            &[(&app_id.0, Type::UUID), (&user, Type::TEXT), (&after, Type::INT8)],
        )
        .await?;
    Ok(row.map_or((0, 0), |row| (row.get("last_seq"), row.get("count"))))
}
