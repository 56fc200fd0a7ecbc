//! What the processor reads and writes when it folds events into calls and voicemails, and what it reads for text
//! messages (`messages` writes those). All of it happens with the app's stream locked, so nothing here races.
//!
//! What is looked up by many ids is looked up id by id (`unnest … LATERAL (… OFFSET 0)`, which Postgres neither flattens nor
//! reorders): how many rows a tenant has is a guess (`migrations/017`), and where that is too low a plain `= ANY` reads all
//! of them, once for each batch.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{GenericClient, types::Type};
use uuid::Uuid;

use super::Result;
use crate::domain::{
    call::{Direction, Leg, Outcome},
    ids::{AppId, DialpadId},
};

/// A stored event of a call or a message.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Dialpad's state, or what a person wrote there.
    pub event_type: String,
    /// The claims, as JSON text.
    pub payload: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// Every known leg id of the conversations that any of `ids` belongs to, with the conversation it is in.
pub async fn links(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    ids: &[DialpadId],
) -> Result<HashMap<DialpadId, i64>> {
    let rows = db
        .query_typed(
            "-- folding.links
             SELECT l.dialpad_call_id, l.conversation FROM (
                 SELECT DISTINCT k.conversation FROM unnest($2::bigint[]) AS u (id), LATERAL (
                     SELECT conversation FROM call_links WHERE app_id = $1 AND dialpad_call_id = u.id OFFSET 0) AS k
             ) AS c, LATERAL (
                 SELECT dialpad_call_id, conversation FROM call_links
                 WHERE app_id = $1 AND conversation = c.conversation OFFSET 0) AS l",
            &[(&app_id.0, Type::UUID), (&numbers(ids), Type::INT8_ARRAY)],
        )
        .await?;
    Ok(rows.iter().map(|row| (DialpadId(row.get("dialpad_call_id")), row.get("conversation"))).collect())
}

/// Records which conversation each id is in.
pub async fn save_links(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    links: &[(DialpadId, i64)],
) -> Result<()> {
    let (ids, conversations): (Vec<i64>, Vec<i64>) =
        links.iter().map(|(id, conversation)| (id.0, *conversation)).unzip();
    db.execute_typed(
        "-- folding.save_links
         INSERT INTO call_links (app_id, dialpad_call_id, conversation)
         SELECT $1, l.id, l.conversation FROM unnest($2::bigint[], $3::bigint[]) AS l (id, conversation)
         ON CONFLICT (app_id, dialpad_call_id) DO UPDATE SET conversation = excluded.conversation",
        &[(&app_id.0, Type::UUID), (&ids, Type::INT8_ARRAY), (&conversations, Type::INT8_ARRAY)],
    )
    .await?;
    Ok(())
}

/// The events of these legs, and of these messages, that were applied before.
pub async fn applied_events(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    legs: &[DialpadId],
    messages: &[DialpadId],
) -> Result<Vec<StoredEvent>> {
    let rows = db
        .query_typed(
            "-- folding.applied_events
             SELECT e.* FROM unnest($2::bigint[]) AS u (id), LATERAL (
                 SELECT event_type, payload::text AS payload, received_at FROM webhook_events
                 WHERE app_id = $1 AND call_id = u.id AND processed_at IS NOT NULL OFFSET 0) AS e
             UNION ALL
             SELECT e.* FROM unnest($3::bigint[]) AS u (id), LATERAL (
                 SELECT event_type, payload::text, received_at FROM webhook_events
                 WHERE app_id = $1 AND message_id = u.id AND processed_at IS NOT NULL OFFSET 0) AS e",
            &[
                (&app_id.0, Type::UUID),
                (&numbers(legs), Type::INT8_ARRAY),
                (&numbers(messages), Type::INT8_ARRAY),
            ],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| StoredEvent {
            event_type: row.get("event_type"),
            payload: row.get("payload"),
            received_at: row.get("received_at"),
        })
        .collect())
}

/// What a frame needs besides the fold: our ids of the legs, voicemails and messages that exist, and who the users are in
/// the CRM.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Our id of each leg.
    pub calls: HashMap<DialpadId, Uuid>,
    /// Our id of the voicemail of each leg.
    pub voicemails: HashMap<DialpadId, Uuid>,
    /// Our id of each message.
    pub messages: HashMap<DialpadId, Uuid>,
    /// The CRM user of each Dialpad user.
    pub crm_users: HashMap<DialpadId, String>,
}

/// Looks up what is [`Known`] of these legs, messages and users.
pub async fn known(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    legs: &[DialpadId],
    messages: &[DialpadId],
    users: &[DialpadId],
) -> Result<Known> {
    let rows = db
        .query_typed(
            "-- folding.known
             SELECT 'call' AS kind, u.id AS dialpad_id, k.id, NULL AS crm_user_id FROM unnest($2::bigint[]) AS u (id), LATERAL (
                 SELECT id FROM calls WHERE app_id = $1 AND dialpad_call_id = u.id OFFSET 0) AS k
             UNION ALL
             SELECT 'voicemail', u.id, k.id, NULL FROM unnest($2::bigint[]) AS u (id), LATERAL (
                 SELECT id FROM voicemails WHERE app_id = $1 AND dialpad_call_id = u.id OFFSET 0) AS k
             UNION ALL
             SELECT 'message', u.id, k.id, NULL FROM unnest($3::bigint[]) AS u (id), LATERAL (
                 SELECT id FROM messages WHERE app_id = $1 AND dialpad_message_id = u.id OFFSET 0) AS k
             UNION ALL
             SELECT 'user', u.id, NULL, k.crm_user_id FROM unnest($4::bigint[]) AS u (id), LATERAL (
                 SELECT crm_user_id FROM dialpad_user_mappings WHERE app_id = $1 AND dialpad_user_id = u.id OFFSET 0) AS k",
            &[
                (&app_id.0, Type::UUID),
                (&numbers(legs), Type::INT8_ARRAY),
                (&numbers(messages), Type::INT8_ARRAY),
                (&numbers(users), Type::INT8_ARRAY),
            ],
        )
        .await?;
    let mut known = Known::default();
    for row in &rows {
        let dialpad_id = DialpadId(row.get("dialpad_id"));
        match row.get::<_, &str>("kind") {
            "call" => drop(known.calls.insert(dialpad_id, row.get("id"))),
            "voicemail" => drop(known.voicemails.insert(dialpad_id, row.get("id"))),
            "message" => drop(known.messages.insert(dialpad_id, row.get("id"))),
            _ => drop(known.crm_users.insert(dialpad_id, row.get("crm_user_id"))),
        }
    }
    Ok(known)
}

/// A leg as it is to stand in `calls`.
#[derive(Clone, Debug)]
pub struct CallRow<'a> {
    /// Our id.
    pub id: Uuid,
    /// Our id of the conversation's first leg.
    pub parent_call_id: Uuid,
    /// How many events the conversation rests on.
    pub version: i64,
    /// The leg itself.
    pub leg: &'a Leg,
}

#[derive(Debug, Serialize)]
struct CallRecord<'a> {
    id: Uuid,
    parent_call_id: Uuid,
    version: i64,
    dialpad_call_id: i64,
    direction: Option<&'static str>,
    from_number: Option<&'a str>,
    to_number: Option<&'a str>,
    status: &'static str,
    outcome: Option<&'static str>,
    dialpad_user_id: Option<i64>,
    group_name: Option<&'a str>,
    contact_name: Option<&'a str>,
    started_at: Option<DateTime<Utc>>,
    connected_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    duration_ms: Option<f64>,
    recording_url: Option<&'a str>,
    is_voicemail: bool,
    custom_data: Option<&'a str>,
}

/// Writes legs: the fold's result, whatever stood there before.
pub async fn save_calls(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    rows: &[CallRow<'_>],
    now: DateTime<Utc>,
) -> Result<()> {
    let records: Vec<_> = rows.iter().map(CallRecord::from).collect();
    db.execute_typed(
        "-- folding.save_calls
         INSERT INTO calls (app_id, id, parent_call_id, version, dialpad_call_id, direction, from_number, to_number, status,
             outcome, dialpad_user_id, group_name, contact_name, started_at, connected_at, ended_at, duration_ms,
             recording_url, is_voicemail, custom_data, created_at, updated_at)
         SELECT $1, r.id, r.parent_call_id, r.version, r.dialpad_call_id, r.direction, r.from_number, r.to_number, r.status,
             r.outcome, r.dialpad_user_id, r.group_name, r.contact_name, r.started_at, r.connected_at, r.ended_at,
             r.duration_ms, r.recording_url, r.is_voicemail, r.custom_data, $3, $3
         FROM jsonb_to_recordset($2) AS r (id uuid, parent_call_id uuid, version bigint, dialpad_call_id bigint,
             direction text, from_number text, to_number text, status text, outcome text, dialpad_user_id bigint,
             group_name text, contact_name text, started_at timestamptz, connected_at timestamptz, ended_at timestamptz,
             duration_ms double precision, recording_url text, is_voicemail boolean, custom_data text)
         ON CONFLICT (app_id, dialpad_call_id) DO UPDATE SET
             parent_call_id = excluded.parent_call_id, version = excluded.version, direction = excluded.direction,
             from_number = excluded.from_number, to_number = excluded.to_number, status = excluded.status,
             outcome = excluded.outcome, dialpad_user_id = excluded.dialpad_user_id, group_name = excluded.group_name,
             contact_name = excluded.contact_name, started_at = excluded.started_at,
             connected_at = excluded.connected_at, ended_at = excluded.ended_at, duration_ms = excluded.duration_ms,
             recording_url = excluded.recording_url, is_voicemail = excluded.is_voicemail,
             custom_data = excluded.custom_data, updated_at = excluded.updated_at",
        &[
            (&app_id.0, Type::UUID),
            (&tokio_postgres::types::Json(&records), Type::JSONB),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

impl<'a> From<&CallRow<'a>> for CallRecord<'a> {
    fn from(row: &CallRow<'a>) -> Self {
        let leg = row.leg;
        Self {
            id: row.id,
            parent_call_id: row.parent_call_id,
            version: row.version,
            dialpad_call_id: leg.call_id.0,
            direction: leg.direction.map(Direction::as_str),
            from_number: leg.from_number.as_deref(),
            to_number: leg.to_number.as_deref(),
            status: leg.status.as_str(),
            outcome: leg.outcome.map(Outcome::as_str),
            dialpad_user_id: leg.user_id.map(|id| id.0),
            group_name: leg.group_name.as_deref(),
            contact_name: leg.contact_name.as_deref(),
            started_at: leg.started_at,
            connected_at: leg.connected_at,
            ended_at: leg.ended_at,
            duration_ms: leg.duration_ms,
            recording_url: leg.recording_url.as_deref(),
            is_voicemail: leg.voicemail.is_some(),
            custom_data: leg.custom_data.as_deref(),
        }
    }
}

#[derive(Debug, Serialize)]
struct VoicemailRecord<'a> {
    id: Uuid,
    dialpad_call_id: i64,
    dialpad_user_id: Option<i64>,
    group_name: Option<&'a str>,
    from_number: Option<&'a str>,
    to_number: Option<&'a str>,
    contact_name: Option<&'a str>,
    recording_url: Option<&'a str>,
    transcript: Option<&'a str>,
    duration_ms: Option<f64>,
}

/// Writes the voicemails of these legs, each under our id of it. What the CRM did with one (read, archived, deleted)
/// stays as it is, and what was deleted
/// does not come back.
pub async fn save_voicemails(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    legs: &[(Uuid, &Leg)],
    now: DateTime<Utc>,
) -> Result<()> {
    let records: Vec<_> = legs
        .iter()
        .filter_map(|(id, leg)| {
            let voicemail = leg.voicemail.as_ref()?;
            Some(VoicemailRecord {
                id: *id,
                dialpad_call_id: leg.call_id.0,
                dialpad_user_id: leg.user_id.map(|id| id.0),
                group_name: leg.group_name.as_deref(),
                from_number: leg.from_number.as_deref(),
                to_number: leg.to_number.as_deref(),
                contact_name: leg.contact_name.as_deref(),
                recording_url: voicemail.recording_url.as_deref(),
                transcript: voicemail.transcript.as_deref(),
                duration_ms: voicemail.duration_ms,
            })
        })
        .collect();
    db.execute_typed(
        "-- folding.save_voicemails
         INSERT INTO voicemails (app_id, id, dialpad_call_id, dialpad_user_id, group_name, from_number, to_number,
             contact_name, recording_url, transcript, duration_ms, created_at, updated_at)
         SELECT $1, r.id, r.dialpad_call_id, r.dialpad_user_id, r.group_name, r.from_number, r.to_number,
             r.contact_name, r.recording_url, r.transcript, r.duration_ms, $3, $3
         FROM jsonb_to_recordset($2) AS r (id uuid, dialpad_call_id bigint, dialpad_user_id bigint, group_name text,
             from_number text, to_number text, contact_name text, recording_url text, transcript text,
             duration_ms double precision)
         ON CONFLICT (app_id, dialpad_call_id) DO UPDATE SET
             dialpad_user_id = excluded.dialpad_user_id, group_name = excluded.group_name,
             from_number = excluded.from_number, to_number = excluded.to_number, contact_name = excluded.contact_name,
             recording_url = excluded.recording_url, transcript = excluded.transcript,
             duration_ms = excluded.duration_ms, updated_at = excluded.updated_at
         WHERE voicemails.deleted_at IS NULL
             AND (voicemails.dialpad_user_id, voicemails.group_name, voicemails.from_number, voicemails.to_number,
                voicemails.contact_name, voicemails.recording_url, voicemails.transcript, voicemails.duration_ms)
             IS DISTINCT FROM (excluded.dialpad_user_id, excluded.group_name, excluded.from_number, excluded.to_number,
                excluded.contact_name, excluded.recording_url, excluded.transcript, excluded.duration_ms)",
        &[
            (&app_id.0, Type::UUID),
            (&tokio_postgres::types::Json(&records), Type::JSONB),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

fn numbers(ids: &[DialpadId]) -> Vec<i64> {
    ids.iter().map(|id| id.0).collect()
}
