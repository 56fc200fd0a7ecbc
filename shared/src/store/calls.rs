//! `calls` as they are read: conversations, newest first, and one conversation with its legs.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::{
    Error, Result,
    page::{Listing, Page, Parameter, Request},
    words::{nullable_word, word},
};
use crate::domain::{
    call::{Direction, Outcome, Status},
    ids::{AppId, DialpadId},
};

/// A leg of a call, as stored, and whose it is in the CRM at this moment.
#[derive(Clone, Debug)]
pub struct Call {
    /// Our id.
    pub id: Uuid,
    /// Dialpad's id.
    pub dialpad_call_id: DialpadId,
    /// The leg of the conversation that started first; its own id if that is this one.
    pub parent_call_id: Uuid,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// The number that called.
    pub from_number: Option<String>,
    /// The number that was called.
    pub to_number: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
    /// The Dialpad user it is for.
    pub dialpad_user_id: Option<DialpadId>,
    /// The CRM user that Dialpad user is mapped to now.
    pub crm_user_id: Option<String>,
    /// The group it is for.
    pub group_name: Option<String>,
    /// The name of the party outside.
    pub contact_name: Option<String>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was answered.
    pub connected_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Time spent talking, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Where to hear the recording.
    pub recording_url: Option<String>,
    /// Whether a message was left.
    pub is_voicemail: bool,
    /// How many events the conversation rests on.
    pub version: i64,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

const TABLE: &str = "calls";

const COLUMNS: &str = "c.id, c.dialpad_call_id, c.parent_call_id, c.direction, c.from_number, c.to_number, c.status,
    c.outcome, c.dialpad_user_id, m.crm_user_id, c.group_name, c.contact_name, c.started_at, c.connected_at, c.ended_at,
    c.duration_ms, c.recording_url, c.is_voicemail, c.version, c.created_at, c.updated_at";

const CRM_USER: &str =
    "LEFT JOIN dialpad_user_mappings m ON m.app_id = c.app_id AND m.dialpad_user_id = c.dialpad_user_id";

impl TryFrom<&Row> for Call {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id"),
            dialpad_call_id: DialpadId(row.get("dialpad_call_id")),
            parent_call_id: row.get("parent_call_id"),
            direction: nullable_word(row, TABLE, "direction")?,
            from_number: row.get("from_number"),
            to_number: row.get("to_number"),
            status: word(row, TABLE, "status")?,
            outcome: nullable_word(row, TABLE, "outcome")?,
            dialpad_user_id: row.get::<_, Option<i64>>("dialpad_user_id").map(DialpadId),
            crm_user_id: row.get("crm_user_id"),
            group_name: row.get("group_name"),
            contact_name: row.get("contact_name"),
            started_at: row.get("started_at"),
            connected_at: row.get("connected_at"),
            ended_at: row.get("ended_at"),
            duration_ms: row.get("duration_ms"),
            recording_url: row.get("recording_url"),
            is_voicemail: row.get("is_voicemail"),
            version: row.get("version"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
        })
    }
}

/// Which conversations are wanted; what is not set does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only where a leg rings, is talked on or is held.
    pub in_progress: bool,
    /// Where it stands.
    pub status: Option<Status>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// The number that called.
    pub from_number: Option<String>,
    /// The number that was called.
    pub to_number: Option<String>,
    /// A number on either side.
    pub number: Option<String>,
    /// A leg is for this Dialpad user.
    pub dialpad_user_id: Option<DialpadId>,
    /// A leg is for a Dialpad user of this CRM user.
    pub crm_user_id: Option<String>,
    /// It began then or later.
    pub started_after: Option<DateTime<Utc>>,
    /// It began before.
    pub started_before: Option<DateTime<Utc>>,
    /// It was changed then or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Whether a leg was recorded.
    pub has_recording: Option<bool>,
    /// Whether a message was left on a leg.
    pub has_voicemail: Option<bool>,
}

/// The conditions of a [`Filter`], after the five parameters of a page. A parameter that is null drops out when the
/// statement is planned, which happens anew for each execution of an unnamed statement.
const MATCHES: &str = "c.app_id = $1 AND c.is_first_leg
    AND ($7::text IS NULL OR c.status = $7)
    AND ($8::text IS NULL OR c.direction = $8)
    AND ($9::text IS NULL OR c.from_number = $9)
    AND ($10::text IS NULL OR c.to_number = $10)
    AND ($11::text IS NULL OR c.from_number = $11 OR c.to_number = $11)
    AND ($14::timestamptz IS NULL OR c.started_at >= $14)
    AND ($15::timestamptz IS NULL OR c.started_at < $15)
    AND ($16::timestamptz IS NULL OR c.updated_at >= $16)
    AND ($17::boolean IS NULL OR $17 = EXISTS (
        SELECT FROM calls l WHERE l.app_id = $1 AND l.parent_call_id = c.id AND l.recording_url IS NOT NULL))
    AND ($18::boolean IS NULL OR $18 = EXISTS (
        SELECT FROM calls l WHERE l.app_id = $1 AND l.parent_call_id = c.id AND l.is_voicemail))";

/// Conditions on any leg of a conversation. They stand in a statement only when they are asked for: so the planner can
/// begin at the legs, which are few, rather than ask for the legs of each conversation.
const IN_PROGRESS: &str = "
    AND c.id IN (
    SELECT l.parent_call_id FROM calls l WHERE l.app_id = $1 AND l.status IN ('ringing', 'active', 'held'))";
const OF_DIALPAD_USER: &str = "
    AND c.id IN (
    SELECT l.parent_call_id FROM calls l WHERE l.app_id = $1 AND l.dialpad_user_id = $12)";
const OF_CRM_USER: &str = "
    AND c.id IN (
    SELECT l.parent_call_id FROM dialpad_user_mappings u
    JOIN calls l ON l.app_id = $1 AND l.dialpad_user_id = u.dialpad_user_id
    WHERE u.app_id = $1 AND u.crm_user_id = $13)";

impl Filter {
    fn conditions(&self) -> String {
        let any_leg = [
            (self.in_progress, IN_PROGRESS),
            (self.dialpad_user_id.is_some(), OF_DIALPAD_USER),
            (self.crm_user_id.is_some(), OF_CRM_USER),
        ];
        let mut conditions = MATCHES.to_owned();
        for (_, condition) in any_leg.into_iter().filter(|(wanted, _)| *wanted) {
            conditions.push_str(condition);
        }
        conditions
    }
}

/// A page of conversations, and the app's head when it was read: whoever follows the event log from there misses nothing.
#[derive(Clone, Debug)]
pub struct List {
    /// The first leg of each conversation.
    pub page: Page<Call>,
    /// The last entry of the app's event log.
    pub event_cursor: i64,
}

/// Conversations, newest first. `None`: there is no such app.
pub async fn list(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    filter: &Filter,
    request: &Request,
) -> Result<Option<List>> {
    let status = filter.status.map(Status::as_str);
    let direction = filter.direction.map(Direction::as_str);
    let user = filter.dialpad_user_id.map(|id| id.0);
    let filters: [Parameter<'_>; 12] = [
        (&status, Type::TEXT),
        (&direction, Type::TEXT),
        (&filter.from_number, Type::TEXT),
        (&filter.to_number, Type::TEXT),
        (&filter.number, Type::TEXT),
        (&user, Type::INT8),
        (&filter.crm_user_id, Type::TEXT),
        (&filter.started_after, Type::TIMESTAMPTZ),
        (&filter.started_before, Type::TIMESTAMPTZ),
        (&filter.updated_after, Type::TIMESTAMPTZ),
        (&filter.has_recording, Type::BOOL),
        (&filter.has_voicemail, Type::BOOL),
    ];
    let listing = Listing {
        name: "calls.list",
        columns: COLUMNS,
        table: (TABLE, "c"),
        joins: CRM_USER,
        place: ("c.created_at", "c.id"),
        matches: &filter.conditions(),
        beside: Some("coalesce((SELECT last_seq FROM app_streams WHERE app_id = $1), 0) AS event_cursor"),
        texts: None,
    };
    let rows = listing.rows(db, app_id, request, &filters).await?;
    let event_cursor = rows.first().map_or(0, |row| row.get("event_cursor"));
    let page = listing.read(&rows, request, |row| Call::try_from(row))?;
    Ok(page.map(|page| List { page, event_cursor }))
}

/// What names a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Our id.
    Own(Uuid),
    /// Dialpad's id.
    Dialpad(DialpadId),
}

/// A leg and all legs of its conversation, itself included, in the order in which they began.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The leg that was asked for.
    pub call: Call,
    /// All of them.
    pub legs: Vec<Call>,
}

/// One call with the legs of its conversation.
pub async fn find(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    name: Name,
) -> Result<Option<Conversation>> {
    let (own, dialpad) = match name {
        Name::Own(id) => (Some(id), None),
        Name::Dialpad(id) => (None, Some(id.0)),
    };
    let rows = db
        .query_typed(
            &format!(
                "-- calls.find
                 SELECT {COLUMNS} FROM calls c {CRM_USER}
                 WHERE c.app_id = $1 AND c.parent_call_id = (
                     SELECT parent_call_id FROM calls WHERE app_id = $1 AND (id = $2 OR dialpad_call_id = $3))
                 ORDER BY c.started_at NULLS LAST, c.created_at, c.id"
            ),
            &[(&app_id.0, Type::UUID), (&own, Type::UUID), (&dialpad, Type::INT8)],
        )
        .await?;
    let legs = rows.iter().map(Call::try_from).collect::<Result<Vec<_>>>()?;
    let asked_for = |leg: &&Call| Some(leg.id) == own || Some(leg.dialpad_call_id.0) == dialpad;
    Ok(legs.iter().find(asked_for).cloned().map(|call| Conversation { call, legs }))
}

/// Who spoke last with a number.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The Dialpad user.
    pub dialpad_user_id: DialpadId,
    /// The CRM user that Dialpad user is mapped to now.
    pub crm_user_id: Option<String>,
    /// When they began to speak.
    pub connected_at: DateTime<Utc>,
}

/// The user of the last answered leg with this number on either side.
pub async fn owner(db: &(impl GenericClient + Sync), app_id: AppId, number: &str) -> Result<Option<Owner>> {
    let row = db
        .query_typed_opt(
            &format!(
                "-- calls.owner
                 SELECT c.dialpad_user_id, m.crm_user_id, c.connected_at FROM calls c {CRM_USER}
                 WHERE c.app_id = $1 AND (c.from_number = $2 OR c.to_number = $2)
                   AND c.dialpad_user_id IS NOT NULL AND c.connected_at IS NOT NULL
                 ORDER BY c.connected_at DESC, c.id DESC LIMIT 1"
            ),
            &[(&app_id.0, Type::UUID), (&number, Type::TEXT)],
        )
        .await?;
    Ok(row.map(|row| Owner {
        dialpad_user_id: DialpadId(row.get("dialpad_user_id")),
        crm_user_id: row.get("crm_user_id"),
        connected_at: row.get("connected_at"),
    }))
}
