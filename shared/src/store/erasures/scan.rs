//! Payloads that belong to no call and no message with the number, and the event log: read one after the other, since a
//! number may stand in any text of them. A page at a time, so that a log of any length is read in steps of some
//! milliseconds, each of which knows where the last one stopped.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_postgres::{GenericClient, types::Type};
use uuid::Uuid;

use super::{Result, Text};
use crate::domain::ids::AppId;

/// How many payloads one page holds.
const PAYLOADS: i64 = 5_000;
/// How many places of the log one page holds.
const ENTRIES: i64 = 10_000;

/// Where the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Among deliveries of this kind, after the one that came then and has this id.
    Deliveries(Kind, DateTime<Utc>, Uuid),
    /// In the event log, after this `seq`.
    Log(i64),
}

/// Deliveries that are looked at whatever they belong to. Each kind has an index of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// They are still to be applied.
    Pending,
    /// They were given up.
    Dead,
    /// They were applied, and no row is made of them.
    Unrelated,
}

impl Kind {
    const fn condition(self) -> &'static str {
        match self {
            Self::Pending => "processed_at IS NULL AND dead_at IS NULL",
            Self::Dead => "dead_at IS NOT NULL",
            Self::Unrelated => "processed_at IS NOT NULL AND call_id IS NULL AND message_id IS NULL",
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::Pending => Some(Self::Dead),
            Self::Dead => Some(Self::Unrelated),
            Self::Unrelated => None,
        }
    }
}

impl Place {
    /// Where the first page begins.
    pub const FIRST: Self = Self::beginning_of(Kind::Pending);

    const fn beginning_of(kind: Kind) -> Self {
        // Before anything of ours, and a time that Postgres and its driver can hold.
        Self::Deliveries(kind, DateTime::UNIX_EPOCH, Uuid::nil())
    }
}

/// An entry of the event log that may name the person.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its place in the log.
    pub seq: i64,
    /// The JSON.
    pub json: String,
}

/// The payloads of a page that may name the person, by the last nine digits of the number (numbers are written with and
/// without their country), and where the next page begins.
pub async fn payloads(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    digits: &str,
    (kind, received_at, id): (Kind, DateTime<Utc>, Uuid),
) -> Result<(Vec<Text>, Place)> {
    let condition = kind.condition();
    let rows = db
        .query_typed(
            &format!(
                "-- erasures.scan.payloads
                 WITH page AS MATERIALIZED (
                     SELECT id, received_at, payload::text AS json FROM webhook_events
                     WHERE app_id = $1 AND {condition} AND (received_at, id) > ($3, $4)
                     ORDER BY received_at, id LIMIT $5)
                 SELECT id, received_at, CASE WHEN json ~ $2 THEN json END AS json FROM page ORDER BY received_at, id"
            ),
            &[
                (&app_id.0, Type::UUID),
                (&however_spelled(digits), Type::TEXT),
                (&received_at, Type::TIMESTAMPTZ),
                (&id, Type::UUID),
                (&PAYLOADS, Type::INT8),
            ],
        )
        .await?;
    let is_full = i64::try_from(rows.len()) == Ok(PAYLOADS);
    let next = match rows.last() {
        Some(last) if is_full => Place::Deliveries(kind, last.get("received_at"), last.get("id")),
        _ => kind.next().map_or(Place::Log(0), Place::beginning_of),
    };
    let named = rows
        .iter()
        .filter_map(|row| row.get::<_, Option<String>>("json").map(|json| Text { id: row.get("id"), json }));
    Ok((named.collect(), next))
}

/// The frames of a page that may name the person, locked, and where the next page begins; none: the log ends here.
pub async fn frames(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    digits: &str,
    after: i64,
) -> Result<(Vec<Frame>, Option<Place>)> {
    let log = db
        .query_typed_one(
            "-- erasures.scan.log
             SELECT (SELECT min(seq) FROM client_events WHERE app_id = $1) AS oldest,
                    (SELECT last_seq FROM app_streams WHERE app_id = $1) AS head",
            &[(&app_id.0, Type::UUID)],
        )
        .await?;
    let (oldest, head): (Option<i64>, Option<i64>) = (log.get("oldest"), log.get("head"));
    let Some((oldest, head)) = oldest.zip(head) else { return Ok((Vec::new(), None)) };
    let after = after.max(oldest - 1);
    let last = after + ENTRIES;
    let rows = db
        .query_typed(
            "-- erasures.scan.frames
             SELECT seq, frame AS json FROM client_events
             WHERE app_id = $1 AND seq > $2 AND seq <= $3 AND frame ~ $4 ORDER BY seq FOR UPDATE",
            &[
                (&app_id.0, Type::UUID),
                (&after, Type::INT8),
                (&last, Type::INT8),
                (&however_spelled(digits), Type::TEXT),
            ],
        )
        .await?;
    let named = rows.iter().map(|row| Frame { seq: row.get("seq"), json: row.get("json") });
    Ok((named.collect(), (last < head).then_some(Place::Log(last))))
}

/// Puts frames in the place of those that named the person.
pub async fn replace_frames(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    frames: &[Frame],
) -> Result<u64> {
    if frames.is_empty() {
        return Ok(0);
    }
    let (seqs, frames): (Vec<i64>, Vec<&str>) =
        frames.iter().map(|frame| (frame.seq, frame.json.as_str())).unzip();
    Ok(db
        .execute_typed(
            "-- erasures.scan.replace_frames
             UPDATE client_events e SET frame = t.json
             FROM unnest($2::bigint[], $3::text[]) AS t (seq, json) WHERE e.app_id = $1 AND e.seq = t.seq",
            &[(&app_id.0, Type::UUID), (&seqs, Type::INT8_ARRAY), (&frames, Type::TEXT_ARRAY)],
        )
        .await?)
}

/// An expression for the last nine digits of a number with anything between them that is no digit. No index serves it, but
/// Postgres decides on it while it reads a text once, and without writing another.
fn however_spelled(digits: &str) -> String {
    let last = &digits[digits.len().saturating_sub(9)..];
    last.split("").filter(|digit| !digit.is_empty()).collect::<Vec<_>>().join("[^0-9]*")
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

    #[test]
    fn a_place_is_read_back_as_it_was_written() {
        let places = [
            Place::FIRST,
            Place::Deliveries(Kind::Unrelated, DateTime::UNIX_EPOCH, Uuid::max()),
            Place::Log(7),
        ];
        for place in places {
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<Place>(&json).unwrap(), place, "{json}");
        }
    }
}
