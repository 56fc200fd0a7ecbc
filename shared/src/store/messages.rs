//! `messages` as they are read, and as the processor writes them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::{
    Error, Result,
    page::{Listing, Page, Parameter, Request},
    words::nullable_word,
};
use crate::domain::{
    call::Direction,
    ids::{AppId, DialpadId},
    message::{self, Status},
};

/// A text message, as stored, and whose it is in the CRM at this moment.
#[derive(Clone, Debug)]
pub struct Message {
    /// Our id.
    pub id: Uuid,
    /// Dialpad's id.
    pub dialpad_message_id: DialpadId,
    /// What all messages between the same two numbers have in common; none where a number is missing.
    pub thread_id: Option<Uuid>,
    /// Who wrote to whom.
    pub direction: Option<Direction>,
    /// The number that wrote.
    pub from_number: Option<String>,
    /// The number that was written to.
    pub to_number: Option<String>,
    /// What it says.
    pub text: Option<String>,
    /// Whether something is attached.
    pub mms: bool,
    /// What is attached.
    pub mms_url: Option<String>,
    /// How far it got, in Dialpad's words.
    pub status: Option<String>,
    /// Why it got no further.
    pub delivery_result: Option<String>,
    /// The Dialpad user who wrote or got it.
    pub dialpad_user_id: Option<DialpadId>,
    /// The CRM user that Dialpad user is mapped to now.
    pub crm_user_id: Option<String>,
    /// The group whose number it was written from, or to.
    pub group_name: Option<String>,
    /// The name of the party outside.
    pub contact_name: Option<String>,
    /// When it was sent.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

const TABLE: &str = "messages";

const COLUMNS: &str =
    "t.id, t.dialpad_message_id, t.thread_id, t.direction, t.from_number, t.to_number, t.text, t.mms, t.mms_url,
    t.status, t.delivery_result, t.dialpad_user_id, m.crm_user_id, t.group_name, t.contact_name, t.sent_at, t.created_at, t.updated_at";

const CRM_USER: &str =
    "LEFT JOIN dialpad_user_mappings m ON m.app_id = t.app_id AND m.dialpad_user_id = t.dialpad_user_id";

impl TryFrom<&Row> for Message {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id"),
            dialpad_message_id: DialpadId(row.get("dialpad_message_id")),
            thread_id: row.get("thread_id"),
            direction: nullable_word(row, TABLE, "direction")?,
            from_number: row.get("from_number"),
            to_number: row.get("to_number"),
            text: row.get("text"),
            mms: row.get("mms"),
            mms_url: row.get("mms_url"),
            status: row.get("status"),
            delivery_result: row.get("delivery_result"),
            dialpad_user_id: row.get::<_, Option<i64>>("dialpad_user_id").map(DialpadId),
            crm_user_id: row.get("crm_user_id"),
            group_name: row.get("group_name"),
            contact_name: row.get("contact_name"),
            sent_at: row.get("sent_at"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
        })
    }
}

/// Which messages are wanted; what is not set does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this thread.
    pub thread_id: Option<Uuid>,
    /// Who wrote to whom.
    pub direction: Option<Direction>,
    /// The number that wrote.
    pub from_number: Option<String>,
    /// The number that was written to.
    pub to_number: Option<String>,
    /// A number on either side.
    pub number: Option<String>,
    /// Of this Dialpad user.
    pub dialpad_user_id: Option<DialpadId>,
    /// Of a Dialpad user of this CRM user.
    pub crm_user_id: Option<String>,
    /// How far it got.
    pub status: Option<String>,
    /// Sent then or later.
    pub sent_after: Option<DateTime<Utc>>,
    /// Sent before.
    pub sent_before: Option<DateTime<Utc>>,
}

/// The conditions of a [`Filter`], after the five parameters of a page.
const MATCHES: &str = "t.app_id = $1
    AND ($7::text IS NULL OR t.direction = $7)
    AND ($8::text IS NULL OR t.from_number = $8)
    AND ($9::text IS NULL OR t.to_number = $9)
    AND ($10::text IS NULL OR t.from_number = $10 OR t.to_number = $10)
    AND ($11::bigint IS NULL OR t.dialpad_user_id = $11)
    AND ($12::text IS NULL OR t.dialpad_user_id IN (
        SELECT u.dialpad_user_id FROM dialpad_user_mappings u WHERE u.app_id = $1 AND u.crm_user_id = $12))
    AND ($13::text IS NULL OR t.status = $13)
    AND ($14::timestamptz IS NULL OR t.sent_at >= $14)
    AND ($15::timestamptz IS NULL OR t.sent_at < $15)
    AND ($16::uuid IS NULL OR t.thread_id = $16)";

/// Messages, newest first. A page ends early when its texts become too long. `None`: there is no such app.
pub async fn list(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    filter: &Filter,
    request: &Request,
) -> Result<Option<Page<Message>>> {
    let direction = filter.direction.map(Direction::as_str);
    let user = filter.dialpad_user_id.map(|id| id.0);
    let filters: [Parameter<'_>; 10] = [
        (&direction, Type::TEXT),
        (&filter.from_number, Type::TEXT),
        (&filter.to_number, Type::TEXT),
        (&filter.number, Type::TEXT),
        (&user, Type::INT8),
        (&filter.crm_user_id, Type::TEXT),
        (&filter.status, Type::TEXT),
        (&filter.sent_after, Type::TIMESTAMPTZ),
        (&filter.sent_before, Type::TIMESTAMPTZ),
        (&filter.thread_id, Type::UUID),
    ];
    let listing = Listing {
        name: "messages.list",
        columns: COLUMNS,
        table: (TABLE, "t"),
        joins: CRM_USER,
        place: ("t.created_at", "t.id"),
        matches: MATCHES,
        beside: None,
        texts: Some("text"),
    };
    listing.page(db, app_id, request, &filters, |row| Message::try_from(row)).await
}

/// One message, by our id or Dialpad's.
pub async fn find(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    own: Option<Uuid>,
    dialpad: Option<DialpadId>,
) -> Result<Option<Message>> {
    let row = db
        .query_typed_opt(
            &format!(
                "-- messages.find
                 SELECT {COLUMNS} FROM messages t {CRM_USER}
                 WHERE t.app_id = $1 AND (t.id = $2 OR t.dialpad_message_id = $3)"
            ),
            &[(&app_id.0, Type::UUID), (&own, Type::UUID), (&dialpad.map(|id| id.0), Type::INT8)],
        )
        .await?;
    row.as_ref().map(Message::try_from).transpose()
}

#[derive(Debug, Serialize)]
struct Record<'a> {
    id: Uuid,
    dialpad_message_id: i64,
    direction: Option<&'static str>,
    from_number: Option<&'a str>,
    to_number: Option<&'a str>,
    text: Option<&'a str>,
    mms: bool,
    mms_url: Option<&'a str>,
    status: Option<&'a str>,
    delivery_result: Option<&'a str>,
    dialpad_user_id: Option<i64>,
    group_name: Option<&'a str>,
    contact_name: Option<&'a str>,
    sent_at: Option<DateTime<Utc>>,
}

impl<'a> From<&(Uuid, &'a message::Message)> for Record<'a> {
    fn from((id, message): &(Uuid, &'a message::Message)) -> Self {
        Self {
            id: *id,
            dialpad_message_id: message.message_id.0,
            direction: message.direction.map(Direction::as_str),
            from_number: message.from_number.as_deref(),
            to_number: message.to_number.as_deref(),
            text: message.text.as_deref(),
            mms: message.mms,
            mms_url: message.mms_url.as_deref(),
            status: message.status.as_ref().map(Status::as_str),
            delivery_result: message.delivery_result.as_deref(),
            dialpad_user_id: message.user_id.map(|id| id.0),
            group_name: message.group_name.as_deref(),
            contact_name: message.contact_name.as_deref(),
            sent_at: message.sent_at,
        }
    }
}

/// Writes messages, each with our id: the fold's result, whatever stood there before. An equal row stays untouched.
pub async fn save(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    messages: &[(Uuid, &message::Message)],
    now: DateTime<Utc>,
) -> Result<()> {
    let records: Vec<_> = messages.iter().map(Record::from).collect();
    db.execute_typed(
        "-- messages.save
         INSERT INTO messages AS t (app_id, id, dialpad_message_id, direction, from_number, to_number, text, mms, mms_url,
             status, delivery_result, dialpad_user_id, group_name, contact_name, sent_at, created_at, updated_at)
         SELECT $1, r.id, r.dialpad_message_id, r.direction, r.from_number, r.to_number, r.text, r.mms, r.mms_url, r.status,
             r.delivery_result, r.dialpad_user_id, r.group_name, r.contact_name, r.sent_at, $3, $3
         FROM jsonb_to_recordset($2) AS r (id uuid, dialpad_message_id bigint, direction text, from_number text,
             to_number text, text text, mms boolean, mms_url text, status text, delivery_result text,
             dialpad_user_id bigint, group_name text, contact_name text, sent_at timestamptz)
         ON CONFLICT (app_id, dialpad_message_id) DO UPDATE SET
             direction = excluded.direction, from_number = excluded.from_number, to_number = excluded.to_number,
             text = excluded.text, mms = excluded.mms, mms_url = excluded.mms_url, status = excluded.status,
             delivery_result = excluded.delivery_result, dialpad_user_id = excluded.dialpad_user_id,
             group_name = excluded.group_name, contact_name = excluded.contact_name, sent_at = excluded.sent_at,
             updated_at = excluded.updated_at
         WHERE (t.direction, t.from_number, t.to_number, t.text, t.mms, t.mms_url, t.status, t.delivery_result,
                t.dialpad_user_id, t.group_name, t.contact_name, t.sent_at)
             IS DISTINCT FROM (excluded.direction, excluded.from_number, excluded.to_number, excluded.text, excluded.mms,
                excluded.mms_url, excluded.status, excluded.delivery_result, excluded.dialpad_user_id,
                excluded.group_name, excluded.contact_name, excluded.sent_at)",
        &[
            (&app_id.0, Type::UUID),
            (&tokio_postgres::types::Json(&records), Type::JSONB),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}
