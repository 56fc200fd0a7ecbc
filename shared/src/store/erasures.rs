//! Taking a person out of an app: the number, the names and what was said, in every table and in stored payloads and
//! frames. What a payload or a frame is without the person, the caller says.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{GenericClient, types::Type};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::AppId;

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

/// A stored text that may name the person: a payload or a frame.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its row.
    pub id: Uuid,
    /// The JSON.
    pub json: String,
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

/// The payloads that may name the person: of the conversations and messages with the number, and those of neither, applied
/// or not, in which its last nine digits stand: numbers are written with and without their country. With them those that
/// were kept aside because they contradict one of them.
pub async fn payloads(db: &(impl GenericClient + Sync), app_id: AppId, digits: &str) -> Result<Vec<Text>> {
    let rows = db
        .query_typed(
            "-- erasures.payloads
             WITH legs AS (
                 SELECT dialpad_call_id FROM calls WHERE app_id = $1 AND parent_call_id IN (
                     SELECT parent_call_id FROM calls
                     WHERE app_id = $1 AND (from_number IN ($2, '+' || $2) OR to_number IN ($2, '+' || $2)))),
             texts AS (
                 SELECT dialpad_message_id FROM messages
                 WHERE app_id = $1 AND (from_number IN ($2, '+' || $2) OR to_number IN ($2, '+' || $2))),
             found AS (
                 SELECT id, payload::text AS json FROM webhook_events
                 WHERE app_id = $1 AND call_id IN (SELECT dialpad_call_id FROM legs)
                 UNION
                 SELECT id, payload::text FROM webhook_events
                 WHERE app_id = $1 AND message_id IN (SELECT dialpad_message_id FROM texts)
                 UNION
                 SELECT id, payload::text FROM webhook_events
                 WHERE app_id = $1 AND call_id IS NULL AND message_id IS NULL
                   AND payload::text ~ $3)
             SELECT id, json FROM found
             UNION
             SELECT id, payload::text FROM webhook_events
             WHERE app_id = $1 AND conflicts_with IN (SELECT id FROM found)",
            &[(&app_id.0, Type::UUID), (&digits, Type::TEXT), (&however_spelled(digits), Type::TEXT)],
        )
        .await?;
    Ok(rows.iter().map(|row| Text { id: row.get("id"), json: row.get("json") }).collect())
}

/// The frames that may name the person, by the last nine digits of the number.
pub async fn frames(db: &(impl GenericClient + Sync), app_id: AppId, digits: &str) -> Result<Vec<Text>> {
    let rows = db
        .query_typed(
            "-- erasures.frames
             SELECT id, frame AS json FROM client_events
             WHERE app_id = $1 AND frame ~ $2",
            &[(&app_id.0, Type::UUID), (&however_spelled(digits), Type::TEXT)],
        )
        .await?;
    Ok(rows.iter().map(|row| Text { id: row.get("id"), json: row.get("json") }).collect())
}

/// An expression for the last nine digits of a number with anything between them that is no digit. No index serves it: a
/// frame may name a number in any text of any call. But Postgres decides on it while it reads a text once, and without
/// writing another, so that a week of a busy app's log stays within the time of a statement.
fn however_spelled(digits: &str) -> String {
    let last = &digits[digits.len().saturating_sub(9)..];
    last.split("").filter(|digit| !digit.is_empty()).collect::<Vec<_>>().join("[^0-9]*")
}

/// Puts payloads in the place of those that named the person. Nor does a hash stay by which one could try names and numbers.
pub async fn replace_payloads(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    texts: &[Text],
) -> Result<u64> {
    let (ids, texts) = unzipped(texts);
    Ok(db
        .execute_typed(
            "-- erasures.replace_payloads
             UPDATE webhook_events e SET payload = t.json::jsonb, payload_hash = NULL
             FROM unnest($2::uuid[], $3::text[]) AS t (id, json) WHERE e.app_id = $1 AND e.id = t.id",
            &[(&app_id.0, Type::UUID), (&ids, Type::UUID_ARRAY), (&texts, Type::TEXT_ARRAY)],
        )
        .await?)
}

/// Puts frames in the place of those that named the person.
pub async fn replace_frames(db: &(impl GenericClient + Sync), app_id: AppId, texts: &[Text]) -> Result<u64> {
    let (ids, texts) = unzipped(texts);
    Ok(db
        .execute_typed(
            "-- erasures.replace_frames
             UPDATE client_events e SET frame = t.json
             FROM unnest($2::uuid[], $3::text[]) AS t (id, json) WHERE e.app_id = $1 AND e.id = t.id",
            &[(&app_id.0, Type::UUID), (&ids, Type::UUID_ARRAY), (&texts, Type::TEXT_ARRAY)],
        )
        .await?)
}

fn unzipped(texts: &[Text]) -> (Vec<Uuid>, Vec<&str>) {
    texts.iter().map(|text| (text.id, text.json.as_str())).unzip()
}

/// Takes the person out of the rows. Numbers are compared as they are stored, with and without the plus sign.
pub async fn rows(db: &(impl GenericClient + Sync), app_id: AppId, digits: &str) -> Result<Erased> {
    let row = db
        .query_typed_one(
            "-- erasures.rows
             WITH legs AS (
                 SELECT id, dialpad_call_id FROM calls WHERE app_id = $1 AND parent_call_id IN (
                     SELECT parent_call_id FROM calls
                     WHERE app_id = $1 AND (from_number IN ($2, '+' || $2) OR to_number IN ($2, '+' || $2)))),
             v AS (
                 UPDATE voicemails v SET
                     from_number = CASE WHEN from_number IN ($2, '+' || $2) THEN NULL ELSE from_number END,
                     to_number = CASE WHEN to_number IN ($2, '+' || $2) THEN NULL ELSE to_number END,
                     contact_name = NULL, recording_url = NULL, transcript = NULL
                 WHERE app_id = $1 AND (from_number IN ($2, '+' || $2) OR to_number IN ($2, '+' || $2)
                     OR dialpad_call_id IN (SELECT dialpad_call_id FROM legs))
                 RETURNING 1),
             m AS (
                 UPDATE messages m SET
                     from_number = CASE WHEN from_number IN ($2, '+' || $2) THEN NULL ELSE from_number END,
                     to_number = CASE WHEN to_number IN ($2, '+' || $2) THEN NULL ELSE to_number END,
                     contact_name = NULL, text = NULL, mms_url = NULL
                 WHERE app_id = $1 AND (from_number IN ($2, '+' || $2) OR to_number IN ($2, '+' || $2))
                 RETURNING 1),
             c AS (
                 UPDATE calls c SET
                     from_number = CASE WHEN from_number IN ($2, '+' || $2) THEN NULL ELSE from_number END,
                     to_number = CASE WHEN to_number IN ($2, '+' || $2) THEN NULL ELSE to_number END,
                     contact_name = NULL, recording_url = NULL, custom_data = NULL
                 WHERE app_id = $1 AND id IN (SELECT id FROM legs)
                 RETURNING 1),
             r AS (
                 UPDATE call_requests SET to_number = NULL, custom_data = NULL
                 WHERE app_id = $1 AND to_number IN ($2, '+' || $2)
                 RETURNING 1)
             SELECT (SELECT count(*) FROM r) AS call_requests, (SELECT count(*) FROM c) AS calls, (SELECT count(*) FROM v) AS voicemails,
                    (SELECT count(*) FROM m) AS messages",
            &[(&app_id.0, Type::UUID), (&digits, Type::TEXT)],
        )
        .await?;
    let count = |name: &str| row.get::<_, i64>(name).unsigned_abs();
    Ok(Erased {
        call_requests: count("call_requests"),
        calls: count("calls"),
        voicemails: count("voicemails"),
        messages: count("messages"),
        ..Erased::default()
    })
}

/// Remembers that a number was erased, so that it is known when a delivery about something earlier brings it again.
pub async fn remember(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    number_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- erasures.remember
         INSERT INTO erasures (app_id, number_hash, erased_at) VALUES ($1, $2, $3)
         ON CONFLICT (app_id, number_hash) DO UPDATE SET erased_at = excluded.erased_at",
        &[(&app_id.0, Type::UUID), (&number_hash, Type::BYTEA), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_looked_for_by_its_last_digits_however_they_are_spelled() {
        assert_eq!(
            however_spelled("14155550160"),
            "1[^0-9]*5[^0-9]*5[^0-9]*5[^0-9]*5[^0-9]*0[^0-9]*1[^0-9]*6[^0-9]*0"
        );
        assert_eq!(however_spelled("1234567").matches("[^0-9]*").count(), 6);
    }
}
