//! `voicemails` as they are read, marked and deleted.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::{
    Result,
    page::{Listing, Page, Parameter, Request},
};
use crate::domain::ids::{AppId, DialpadId, new_id};

/// A voicemail, as stored, and whose it is in the CRM at this moment.
#[derive(Clone, Debug)]
pub struct Voicemail {
    /// Our id.
    pub id: Uuid,
    /// Dialpad's id of the leg it was left on.
    pub dialpad_call_id: Option<DialpadId>,
    /// Our id of that leg, if it is known.
    pub call_id: Option<Uuid>,
    /// The Dialpad user it was left to.
    pub dialpad_user_id: Option<DialpadId>,
    /// The CRM user that Dialpad user is mapped to now.
    pub crm_user_id: Option<String>,
    /// The group it was left to.
    pub group_name: Option<String>,
    /// The number that called.
    pub from_number: Option<String>,
    /// The number that was called.
    pub to_number: Option<String>,
    /// The name of the caller.
    pub contact_name: Option<String>,
    /// Where to hear it.
    pub recording_url: Option<String>,
    /// What it says.
    pub transcript: Option<String>,
    /// Its length in milliseconds.
    pub duration_ms: Option<f64>,
    /// `unread`, `read` or `archived`.
    pub status: String,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "v.id, v.dialpad_call_id, c.id AS call_id, v.dialpad_user_id, m.crm_user_id, v.group_name,
    v.from_number, v.to_number, v.contact_name, v.recording_url, v.transcript, v.duration_ms, v.status, v.created_at,
    v.updated_at";

const CALL_AND_CRM_USER: &str =
    "LEFT JOIN calls c ON c.app_id = v.app_id AND c.dialpad_call_id = v.dialpad_call_id
    LEFT JOIN dialpad_user_mappings m ON m.app_id = v.app_id AND m.dialpad_user_id = v.dialpad_user_id";

impl From<&Row> for Voicemail {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            dialpad_call_id: row.get::<_, Option<i64>>("dialpad_call_id").map(DialpadId),
            call_id: row.get("call_id"),
            dialpad_user_id: row.get::<_, Option<i64>>("dialpad_user_id").map(DialpadId),
            crm_user_id: row.get("crm_user_id"),
            group_name: row.get("group_name"),
            from_number: row.get("from_number"),
            to_number: row.get("to_number"),
            contact_name: row.get("contact_name"),
            recording_url: row.get("recording_url"),
            transcript: row.get("transcript"),
            duration_ms: row.get("duration_ms"),
            status: row.get("status"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
        }
    }
}

/// Which voicemails are wanted; what is not set does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Left to this Dialpad user.
    pub dialpad_user_id: Option<DialpadId>,
    /// Stored then or later.
    pub received_after: Option<DateTime<Utc>>,
    /// Stored before.
    pub received_before: Option<DateTime<Utc>>,
    /// `unread`, `read` or `archived`.
    pub status: Option<&'static str>,
    /// A number on either side.
    pub number: Option<String>,
}

/// The conditions of a [`Filter`], after the five parameters of a page.
const MATCHES: &str = "v.app_id = $1 AND v.deleted_at IS NULL
    AND ($7::bigint IS NULL OR v.dialpad_user_id = $7)
    AND ($8::timestamptz IS NULL OR v.created_at >= $8)
    AND ($9::timestamptz IS NULL OR v.created_at < $9)
    AND ($10::text IS NULL OR v.status = $10)
    AND ($11::text IS NULL OR v.from_number = $11 OR v.to_number = $11)";

/// Voicemails, newest first. A page ends early when its transcripts become too long. `None`: there is no such app.
pub async fn list(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    filter: &Filter,
    request: &Request,
) -> Result<Option<Page<Voicemail>>> {
    let user = filter.dialpad_user_id.map(|id| id.0);
    let filters: [Parameter<'_>; 5] = [
        (&user, Type::INT8),
        (&filter.received_after, Type::TIMESTAMPTZ),
        (&filter.received_before, Type::TIMESTAMPTZ),
        (&filter.status, Type::TEXT),
        (&filter.number, Type::TEXT),
    ];
    let listing = Listing {
        name: "voicemails.list",
        columns: COLUMNS,
        table: ("voicemails", "v"),
        joins: CALL_AND_CRM_USER,
        place: ("v.created_at", "v.id"),
        matches: MATCHES,
        beside: None,
        texts: Some("transcript"),
    };
    listing.page(db, app_id, request, &filters, |row| Ok(Voicemail::from(row))).await
}

/// One voicemail.
pub async fn find(db: &(impl GenericClient + Sync), app_id: AppId, id: Uuid) -> Result<Option<Voicemail>> {
    let row = db
        .query_typed_opt(
            &format!(
                "-- voicemails.find
                 SELECT {COLUMNS} FROM voicemails v {CALL_AND_CRM_USER}
                 WHERE v.app_id = $1 AND v.id = $2 AND v.deleted_at IS NULL"
            ),
            &[(&app_id.0, Type::UUID), (&id, Type::UUID)],
        )
        .await?;
    Ok(row.as_ref().map(Voicemail::from))
}

/// Marks a voicemail as `unread`, `read` or `archived`. `None`: there is no such voicemail.
pub async fn set_status(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    id: Uuid,
    status: &str,
    now: DateTime<Utc>,
) -> Result<Option<Voicemail>> {
    let row = db
        .query_typed_opt(
            &format!(
                "-- voicemails.set_status
                 WITH v AS (
                     UPDATE voicemails SET status = $3, updated_at = CASE WHEN status = $3 THEN updated_at ELSE $4 END
                     WHERE app_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING *)
                 SELECT {COLUMNS} FROM v {CALL_AND_CRM_USER}"
            ),
            &[
                (&app_id.0, Type::UUID),
                (&id, Type::UUID),
                (&status, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(row.as_ref().map(Voicemail::from))
}

/// Deletes a voicemail, with a note in the audit trail; says whether there was one. The row stays, hidden, so that a
/// transcript which comes later does not bring it back.
pub async fn delete(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    id: Uuid,
    actor: &str,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let deleted = db
        .execute_typed(
            "-- voicemails.delete
             WITH gone AS (
                 UPDATE voicemails SET deleted_at = $3, updated_at = $3, transcript = NULL, recording_url = NULL
                 WHERE app_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING id)
             INSERT INTO audit_log (id, app_id, action, detail, actor, request_id, created_at)
             SELECT $4, $1, 'voicemail.deleted', jsonb_build_object('voicemail_id', id), $5, $6, $3 FROM gone",
            &[
                (&app_id.0, Type::UUID),
                (&id, Type::UUID),
                (&now, Type::TIMESTAMPTZ),
                (&new_id(), Type::UUID),
                (&actor, Type::TEXT),
                (&request_id, Type::TEXT),
            ],
        )
        .await?;
    Ok(deleted == 1)
}

/// How many voicemails of an app are unread, of one Dialpad user or of all.
pub async fn unread(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    dialpad_user_id: Option<DialpadId>,
) -> Result<i64> {
    let user = dialpad_user_id.map(|id| id.0);
    let row = db
        .query_typed_one(
            "-- voicemails.unread
             SELECT count(*) AS unread FROM voicemails
             WHERE app_id = $1 AND status = 'unread' AND deleted_at IS NULL
               AND ($2::bigint IS NULL OR dialpad_user_id = $2)",
            &[(&app_id.0, Type::UUID), (&user, Type::INT8)],
        )
        .await?;
    Ok(row.get("unread"))
}
