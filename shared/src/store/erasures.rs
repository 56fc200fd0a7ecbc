//! Taking a person out of an app: the number, the names and what was said, in every table and in stored payloads and
//! frames. What a payload or a frame is without the person, the caller says.
//!
//! It goes step by step, each a transaction of its own: however much an app has, none holds its stream for long, and what is
//! done stays done. What has the number in a column is found by it; payloads and frames that belong to nothing of that kind
//! are read one after the other ([`scan`]).

pub mod scan;

use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{
    GenericClient, Row,
    types::{Json, Type},
};
use uuid::Uuid;

use self::scan::Place;
use super::Result;
use crate::domain::ids::{AppId, DialpadId};

/// How many rows of each table were changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Calls that a CRM asked for.
    pub call_requests: u64,
    /// Legs of calls.
    pub calls: u64,
    /// Voicemails.
    pub voicemails: u64,
    /// Text messages.
    pub messages: u64,
    /// Payloads of deliveries.
    pub webhook_events: u64,
    /// Frames of the event log.
    pub client_events: u64,
}

impl AddAssign for Erased {
    fn add_assign(&mut self, more: Self) {
        let Self { call_requests, calls, voicemails, messages, webhook_events, client_events } = more;
        self.call_requests += call_requests;
        self.calls += calls;
        self.voicemails += voicemails;
        self.messages += messages;
        self.webhook_events += webhook_events;
        self.client_events += client_events;
    }
}

/// A stored payload that may name the person.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its row.
    pub id: Uuid,
    /// The JSON.
    pub json: String,
}

impl From<&Row> for Text {
    fn from(row: &Row) -> Self {
        Self { id: row.get("id"), json: row.get("json") }
    }
}

/// Waits for the app's stream, so that no delivery is applied meanwhile. Says whether there is such an app.
pub async fn lock(db: &(impl GenericClient + Sync), app_id: AppId) -> Result<bool> {
    let row = db
        .query_typed_opt(
            "-- erasures.lock
             SELECT app_id FROM app_streams WHERE app_id = $1 FOR UPDATE",
            &[(&app_id.0, Type::UUID)],
        )
        .await?;
    Ok(row.is_some())
}

/// Remembers from now on that a number was erased, so that it is known when a delivery about something earlier brings it
/// again. Gives back where the last erasure of it stopped, if that did not come to its end.
pub async fn begin(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    number_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Place>> {
    let row = db
        .query_typed_one(
            "-- erasures.begin
             INSERT INTO erasures (app_id, number_hash, erased_at) VALUES ($1, $2, $3)
             ON CONFLICT (app_id, number_hash) DO UPDATE SET erased_at = excluded.erased_at RETURNING place",
            &[(&app_id.0, Type::UUID), (&number_hash, Type::BYTEA), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    // A place that another release wrote and this one cannot read: then everything is read again.
    Ok(row.try_get::<_, Option<Json<Place>>>("place").ok().flatten().map(|Json(place)| place))
}

/// Notes where an erasure stands; none: it came to its end.
pub async fn keep_place(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    number_hash: &[u8],
    place: Option<Place>,
) -> Result<()> {
    db.execute_typed(
        "-- erasures.keep_place
         UPDATE erasures SET place = $3 WHERE app_id = $1 AND number_hash = $2",
        &[(&app_id.0, Type::UUID), (&number_hash, Type::BYTEA), (&place.map(Json), Type::JSONB)],
    )
    .await?;
    Ok(())
}

/// The legs of at most so many conversations with the number. Numbers are compared as they are stored, here and below, with
/// and without the plus sign.
pub async fn legs(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    digits: &str,
    conversations: i64,
) -> Result<Vec<DialpadId>> {
    let rows = db
        .query_typed(
            "-- erasures.legs
             SELECT dialpad_call_id FROM calls WHERE app_id = $1 AND parent_call_id IN (
                 SELECT parent_call_id FROM calls
                 WHERE app_id = $1 AND (from_number IN ($2, '+' || $2) OR to_number IN ($2, '+' || $2)) LIMIT $3)",
            &[(&app_id.0, Type::UUID), (&digits, Type::TEXT), (&conversations, Type::INT8)],
        )
        .await?;
    Ok(rows.iter().map(|row| DialpadId(row.get(0))).collect())
}

/// The payloads of these legs.
pub async fn payloads_of_calls(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    legs: &[DialpadId],
) -> Result<Vec<Text>> {
    let rows = db
        .query_typed(
            "-- erasures.payloads_of_calls
             SELECT id, payload::text AS json FROM webhook_events WHERE app_id = $1 AND call_id = ANY ($2)",
            &[(&app_id.0, Type::UUID), (&numbers(legs), Type::INT8_ARRAY)],
        )
        .await?;
    Ok(rows.iter().map(Text::from).collect())
}

/// The payloads that were kept aside because each contradicts one of these.
pub async fn kept_aside(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    contradicted: &[Text],
) -> Result<Vec<Text>> {
    if contradicted.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = contradicted.iter().map(|text| text.id).collect();
    let rows = db
        .query_typed(
            "-- erasures.kept_aside
             SELECT id, payload::text AS json FROM webhook_events WHERE app_id = $1 AND conflicts_with = ANY ($2)",
            &[(&app_id.0, Type::UUID), (&ids, Type::UUID_ARRAY)],
        )
        .await?;
    Ok(rows.iter().map(Text::from).collect())
}

/// Takes the person out of these legs and their voicemails.
pub async fn calls(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    digits: &str,
    legs: &[DialpadId],
) -> Result<Erased> {
    let row = db
        .query_typed_one(
            "-- erasures.calls
             WITH v AS (
                 UPDATE voicemails SET
                     from_number = CASE WHEN from_number IN ($2, '+' || $2) THEN NULL ELSE from_number END,
                     to_number = CASE WHEN to_number IN ($2, '+' || $2) THEN NULL ELSE to_number END,
                     contact_name = NULL, recording_url = NULL, transcript = NULL
                 WHERE app_id = $1 AND dialpad_call_id = ANY ($3)
                 RETURNING 1),
             c AS (
                 UPDATE calls SET
                     from_number = CASE WHEN from_number IN ($2, '+' || $2) THEN NULL ELSE from_number END,
                     to_number = CASE WHEN to_number IN ($2, '+' || $2) THEN NULL ELSE to_number END,
                     contact_name = NULL, recording_url = NULL, custom_data = NULL
                 WHERE app_id = $1 AND dialpad_call_id = ANY ($3)
                 RETURNING 1)
             SELECT (SELECT count(*) FROM c) AS calls, (SELECT count(*) FROM v) AS voicemails",
            &[(&app_id.0, Type::UUID), (&digits, Type::TEXT), (&numbers(legs), Type::INT8_ARRAY)],
        )
        .await?;
    Ok(Erased { calls: count(&row, "calls"), voicemails: count(&row, "voicemails"), ..Erased::default() })
}

/// At most so many text messages with the number.
pub async fn texts(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    digits: &str,
    messages: i64,
) -> Result<Vec<DialpadId>> {
    let rows = db
        .query_typed(
            "-- erasures.texts
             SELECT dialpad_message_id FROM messages
             WHERE app_id = $1 AND (from_number IN ($2, '+' || $2) OR to_number IN ($2, '+' || $2)) LIMIT $3",
            &[(&app_id.0, Type::UUID), (&digits, Type::TEXT), (&messages, Type::INT8)],
        )
        .await?;
    Ok(rows.iter().map(|row| DialpadId(row.get(0))).collect())
}

/// The payloads of these text messages.
pub async fn payloads_of_texts(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    texts: &[DialpadId],
) -> Result<Vec<Text>> {
    let rows = db
        .query_typed(
            "-- erasures.payloads_of_texts
             SELECT id, payload::text AS json FROM webhook_events WHERE app_id = $1 AND message_id = ANY ($2)",
            &[(&app_id.0, Type::UUID), (&numbers(texts), Type::INT8_ARRAY)],
        )
        .await?;
    Ok(rows.iter().map(Text::from).collect())
}

/// Takes the person out of these text messages.
pub async fn messages(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    digits: &str,
    texts: &[DialpadId],
) -> Result<Erased> {
    let messages = db
        .execute_typed(
            "-- erasures.messages
             UPDATE messages SET
                 from_number = CASE WHEN from_number IN ($2, '+' || $2) THEN NULL ELSE from_number END,
                 to_number = CASE WHEN to_number IN ($2, '+' || $2) THEN NULL ELSE to_number END,
                 contact_name = NULL, text = NULL, mms_url = NULL
             WHERE app_id = $1 AND dialpad_message_id = ANY ($3)",
            &[(&app_id.0, Type::UUID), (&digits, Type::TEXT), (&numbers(texts), Type::INT8_ARRAY)],
        )
        .await?;
    Ok(Erased { messages, ..Erased::default() })
}

/// Takes the person out of at most so many voicemails whose call has not the number, and calls that a CRM asked for.
pub async fn others(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    digits: &str,
    rows: i64,
) -> Result<Erased> {
    let row = db
        .query_typed_one(
            "-- erasures.others
             WITH v AS (
                 UPDATE voicemails SET
                     from_number = CASE WHEN from_number IN ($2, '+' || $2) THEN NULL ELSE from_number END,
                     to_number = CASE WHEN to_number IN ($2, '+' || $2) THEN NULL ELSE to_number END,
                     contact_name = NULL, recording_url = NULL, transcript = NULL
                 WHERE app_id = $1 AND id = ANY (ARRAY (
                     SELECT id FROM voicemails
                     WHERE app_id = $1 AND (from_number IN ($2, '+' || $2) OR to_number IN ($2, '+' || $2)) LIMIT $3))
                 RETURNING 1),
             r AS (
                 UPDATE call_requests SET to_number = NULL, custom_data = NULL
                 WHERE app_id = $1 AND id = ANY (ARRAY (
                     SELECT id FROM call_requests WHERE app_id = $1 AND to_number IN ($2, '+' || $2) LIMIT $3))
                 RETURNING 1)
             SELECT (SELECT count(*) FROM v) AS voicemails, (SELECT count(*) FROM r) AS call_requests",
            &[(&app_id.0, Type::UUID), (&digits, Type::TEXT), (&rows, Type::INT8)],
        )
        .await?;
    Ok(Erased {
        voicemails: count(&row, "voicemails"),
        call_requests: count(&row, "call_requests"),
        ..Erased::default()
    })
}

/// Puts payloads in the place of those that named the person. Nor does a hash stay by which one could try names and numbers.
pub async fn replace_payloads(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    texts: &[Text],
) -> Result<u64> {
    if texts.is_empty() {
        return Ok(0);
    }
    let (ids, texts): (Vec<Uuid>, Vec<&str>) = texts.iter().map(|text| (text.id, text.json.as_str())).unzip();
    Ok(db
        .execute_typed(
            "-- erasures.replace_payloads
             UPDATE webhook_events e SET payload = t.json::jsonb, payload_hash = NULL
             FROM unnest($2::uuid[], $3::text[]) AS t (id, json) WHERE e.app_id = $1 AND e.id = t.id",
            &[(&app_id.0, Type::UUID), (&ids, Type::UUID_ARRAY), (&texts, Type::TEXT_ARRAY)],
        )
        .await?)
}

/// When each of these numbers was erased, of those that were.
pub async fn remembered(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    number_hashes: &[Vec<u8>],
) -> Result<Vec<(Vec<u8>, DateTime<Utc>)>> {
    let rows = db
        .query_typed(
            "-- erasures.remembered
             SELECT number_hash, erased_at FROM erasures WHERE app_id = $1 AND number_hash = ANY ($2)",
            &[(&app_id.0, Type::UUID), (&number_hashes, Type::BYTEA_ARRAY)],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get("number_hash"), row.get("erased_at"))).collect())
}

fn numbers(ids: &[DialpadId]) -> Vec<i64> {
    ids.iter().map(|id| id.0).collect()
}

fn count(row: &Row, name: &str) -> u64 {
    row.get::<_, i64>(name).unsigned_abs()
}
