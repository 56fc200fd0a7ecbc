//! `call_requests`: calls that a CRM asked for, each dialled at most once.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::{AppId, DialpadId};

/// How long an idempotency key is kept.
const KEY_LIFETIME: TimeDelta = TimeDelta::hours(24);
/// Dialpad lets a user dial so often...
const MOST: i64 = 5;
/// ...within this time.
const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// What is in flight for longer than any request takes was broken off: nobody knows what became of it.
const LONGEST_FLIGHT: TimeDelta = TimeDelta::seconds(60);

const COLUMNS: &str = "id, dialpad_user_id, to_number, custom_data, status, body_hash, created_at";

/// How Dialpad took a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is being asked.
    InFlight,
    /// It took it.
    Requested,
    /// It surely did not.
    Failed,
    /// Nobody knows.
    Unknown,
}

impl Status {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Requested => "requested",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    fn parse(word: &str) -> Self {
        [Self::InFlight, Self::Requested, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == word)
            .unwrap_or(Self::Unknown)
    }
}

/// A call that was asked for.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// Its id.
    pub id: Uuid,
    /// Whose application dials.
    pub dialpad_user_id: DialpadId,
    /// The number to dial; none when it was erased.
    pub to_number: Option<String>,
    /// What comes back with the call's events; none when it was erased.
    pub custom_data: Option<String>,
    /// How Dialpad took it.
    pub status: Status,
    /// SHA-256 of what was asked.
    pub body_hash: Vec<u8>,
    /// When it was asked.
    pub created_at: DateTime<Utc>,
}

impl From<&Row> for CallRequest {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            dialpad_user_id: DialpadId(row.get("dialpad_user_id")),
            to_number: row.get("to_number"),
            custom_data: row.get("custom_data"),
            status: Status::parse(row.get("status")),
            body_hash: row.get("body_hash"),
            created_at: row.get("created_at"),
        }
    }
}

/// The call that came of a request.
#[derive(Clone, Debug)]
pub struct ResultingCall {
    /// Our id.
    pub id: Uuid,
    /// Dialpad's.
    pub dialpad_call_id: DialpadId,
    /// Where it stands.
    pub status: String,
}

/// Whether a request may go to Dialpad.
#[derive(Clone, Debug)]
pub enum Begun {
    /// It may, and is noted.
    New,
    /// The same was asked before with this key.
    Repeated(CallRequest),
    /// Something else was asked with this key.
    OtherBody,
    /// The user has dialled too often.
    TooMany {
        /// Seconds after which it may be tried again.
        retry_after: u32,
    },
}

/// Notes a request that is to go to Dialpad, unless its key or the user's limit speaks against it. Requests of one app
/// come one after the other here, so that of two with one key, or of six in a minute, one is told.
pub async fn begin(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    request: &CallRequest,
    key: Option<&str>,
) -> Result<Begun> {
    let now = request.created_at;
    db.query_typed(
        "-- call_requests.begin: one at a time\nSELECT pg_advisory_xact_lock(hashtextextended($1::text, 5))",
        &[(&app_id.0.to_string(), Type::TEXT)],
    )
    .await?;
    if let Some(key) = key {
        db.execute_typed(
            "-- call_requests.begin: keys whose time is over
             UPDATE call_requests SET idempotency_key = NULL
             WHERE app_id = $1 AND idempotency_key = $2 AND created_at <= $3",
            &[(&app_id.0, Type::UUID), (&key, Type::TEXT), (&(now - KEY_LIFETIME), Type::TIMESTAMPTZ)],
        )
        .await?;
        let before = db
            .query_typed_opt(
                &format!(
                    "-- call_requests.begin: the same key
                     SELECT {COLUMNS} FROM call_requests WHERE app_id = $1 AND idempotency_key = $2"
                ),
                &[(&app_id.0, Type::UUID), (&key, Type::TEXT)],
            )
            .await?;
        if let Some(mut before) = before.as_ref().map(CallRequest::from) {
            if before.status == Status::InFlight && now - before.created_at > LONGEST_FLIGHT {
                before.status = Status::Unknown;
            }
            let is_same = before.body_hash == request.body_hash;
            return Ok(if is_same { Begun::Repeated(before) } else { Begun::OtherBody });
        }
    }
    let dialled = db
        .query_typed_one(
            "-- call_requests.begin: the user's limit
             SELECT count(*) AS dialled, min(created_at) AS first FROM (
                 SELECT created_at FROM call_requests
                 WHERE app_id = $1 AND dialpad_user_id = $2 AND created_at > $3 AND status <> 'failed'
                 ORDER BY created_at DESC LIMIT $4) AS lately",
            &[
                (&app_id.0, Type::UUID),
                (&request.dialpad_user_id.0, Type::INT8),
                (&(now - WINDOW), Type::TIMESTAMPTZ),
                (&MOST, Type::INT8),
            ],
        )
        .await?;
    if let (MOST.., Some(first)) =
        (dialled.get::<_, i64>("dialled"), dialled.get::<_, Option<DateTime<Utc>>>("first"))
    {
        let retry_after = u32::try_from((first + WINDOW - now).num_seconds()).unwrap_or(0) + 1;
        return Ok(Begun::TooMany { retry_after });
    }
    insert(db, app_id, request, key).await?;
    Ok(Begun::New)
}

async fn insert(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    request: &CallRequest,
    key: Option<&str>,
) -> Result<()> {
    db.execute_typed(
        "-- call_requests.insert
         INSERT INTO call_requests (id, app_id, dialpad_user_id, to_number, custom_data, status, idempotency_key, body_hash,
             created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'in_flight', $6, $7, $8, $8)",
        &[
            (&request.id, Type::UUID),
            (&app_id.0, Type::UUID),
            (&request.dialpad_user_id.0, Type::INT8),
            (&request.to_number, Type::TEXT),
            (&request.custom_data, Type::TEXT),
            (&key, Type::TEXT),
            (&request.body_hash, Type::BYTEA),
            (&request.created_at, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Notes how Dialpad took it. What surely failed gives its key back, so that a repeat acts.
pub async fn finish(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    id: Uuid,
    status: Status,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- call_requests.finish
         UPDATE call_requests SET status = $3, updated_at = $4,
             idempotency_key = CASE WHEN $3 = 'failed' THEN NULL ELSE idempotency_key END
         WHERE app_id = $1 AND id = $2",
        &[
            (&app_id.0, Type::UUID),
            (&id, Type::UUID),
            (&status.as_str(), Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// A request, and the call that came of it, if one has.
pub async fn find(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    id: Uuid,
) -> Result<Option<(CallRequest, Option<ResultingCall>)>> {
    let row = db
        .query_typed_opt(
            "-- call_requests.find
             SELECT r.id, r.dialpad_user_id, r.to_number, r.custom_data, r.status, r.body_hash, r.created_at,
                 c.id AS call, c.dialpad_call_id, c.status AS call_status
             FROM call_requests r
             LEFT JOIN calls c ON c.app_id = r.app_id AND md5(c.custom_data) = md5(r.custom_data)
                 AND c.custom_data = r.custom_data
             WHERE r.app_id = $1 AND r.id = $2
             ORDER BY c.started_at NULLS LAST, c.dialpad_call_id LIMIT 1",
            &[(&app_id.0, Type::UUID), (&id, Type::UUID)],
        )
        .await?;
    Ok(row.map(|row| {
        let call = row.get::<_, Option<Uuid>>("call").map(|id| ResultingCall {
            id,
            dialpad_call_id: DialpadId(row.get("dialpad_call_id")),
            status: row.get("call_status"),
        });
        (CallRequest::from(&row), call)
    }))
}
