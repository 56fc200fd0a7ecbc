//! A number that was erased comes again: in a delivery that waited in a queue, or in a late one about an erased call.

use chrono::{DateTime, Utc};
use serde_json::Value;
use shared::{
    dialpad::erasure::{self, Number},
    domain::ids::AppId,
    store::{
        Client, Result,
        erasures::{self, Text},
        inbox::PendingEvent,
    },
};

/// Takes erased numbers out of deliveries about what began before the erasure. A call that begins later is a new one.
pub(crate) async fn without_erased(
    tx: &Client,
    app_id: AppId,
    mut pending: Vec<PendingEvent>,
) -> Result<Vec<PendingEvent>> {
    let numbers: Vec<Vec<Number>> = pending.iter().map(|event| erasure::numbers(&event.payload)).collect();
    let hashes: Vec<Vec<u8>> = numbers.iter().flatten().map(|number| number.hash(app_id)).collect();
    let erased = erasures::remembered(tx, app_id, &hashes).await?;
    let mut changed = Vec::new();
    for (event, numbers) in pending.iter_mut().zip(&numbers) {
        let began_at = began_at(event);
        let is_erased = |number: &&Number| {
            let hash = number.hash(app_id);
            erased.iter().any(|(erased, at)| *erased == hash && began_at < *at)
        };
        let without = |json: Option<String>, number: &Number| {
            erasure::erase(json.as_deref().unwrap_or(&event.payload), number).or(json)
        };
        if let Some(json) = numbers.iter().filter(is_erased).fold(None, without) {
            event.payload.clone_from(&json);
            changed.push(Text { id: event.id, json });
        }
    }
    if !changed.is_empty() {
        erasures::replace_payloads(tx, app_id, &changed).await?;
    }
    Ok(pending)
}

/// When began what the delivery is about, by Dialpad's clock; else when it came.
fn began_at(event: &PendingEvent) -> DateTime<Utc> {
    let payload: Value = serde_json::from_str(&event.payload).unwrap_or_default();
    let times = ["date_started", "created_date", "event_timestamp"].iter().filter_map(|name| {
        let value = &payload[*name];
        value.as_i64().or_else(|| value.as_str()?.parse().ok()).and_then(DateTime::from_timestamp_millis)
    });
    times.min().unwrap_or(event.received_at)
}
