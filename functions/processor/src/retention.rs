//! What has had its time is deleted, a little at a time.

use chrono::TimeDelta;
use shared::{
    store::{self, dialpad_authorizations, retention},
    telemetry::Chain,
};
use tracing::warn;

use crate::worker::Processor;

/// How long a ticket, or a link to Dialpad, is kept after its time.
const TICKETS: TimeDelta = TimeDelta::hours(1);
/// How long a count of requests is kept after its minute.
const COUNTERS: TimeDelta = TimeDelta::hours(1);
/// The most batches of each kind in one run: the next is a minute away.
const BATCHES: usize = 20;

/// Deletes what is due. A failure is no reason not to process events.
pub(crate) async fn delete_what_is_due(processor: &Processor) {
    if let Err(error) = delete(processor).await {
        warn!(component = "Retention", error = %Chain(&error), "could not delete what is due");
    }
}

async fn delete(processor: &Processor) -> store::Result<()> {
    let (now, config) = (processor.clock.now(), &processor.config);
    let (log, deliveries) = (now - config.event_log_retention, now - config.delivery_retention);
    for _ in 0..BATCHES {
        let mut more = [false; 5];
        for (kind, more) in more.iter_mut().enumerate() {
            // Each batch is a transaction, so that none holds its locks for long.
            let db = processor.store.system().await?;
            *more = match kind {
                0 => db.commit_with(retention::delete_client_events(&*db, log)).await?,
                1 => db.commit_with(retention::delete_deliveries(&*db, deliveries)).await?,
                2 => db.commit_with(retention::delete_tickets(&*db, now - TICKETS)).await?,
                3 => db.commit_with(dialpad_authorizations::delete_expired(&*db, now - TICKETS)).await?,
                _ => db.commit_with(retention::delete_counters(&*db, now - COUNTERS)).await?,
            };
        }
        if !more.contains(&true) {
            break;
        }
    }
    Ok(())
}
