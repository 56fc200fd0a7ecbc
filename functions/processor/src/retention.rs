//! What has had its time is deleted, a little at a time.

use std::time::Duration;

use chrono::TimeDelta;
use shared::{
    store::{self, retention},
    telemetry::Chain,
};
use tokio::time::Instant;
use tracing::warn;

use crate::worker::Processor;

/// How long a ticket, or a link to Dialpad, is kept after its time.
const TICKETS: TimeDelta = TimeDelta::hours(1);
/// How long a count of requests is kept after its minute.
const COUNTERS: TimeDelta = TimeDelta::hours(1);
/// How many batches of each kind a run deletes that only looks once.
const BATCHES: usize = 20;
/// How long an operator's request goes on, who does not wait for the schedule: the function ends after a minute.
pub(crate) const REQUEST: Duration = Duration::from_secs(50);

/// What is deleted.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Log,
    Deliveries,
    Tickets,
    Authorizations,
    Counters,
}

/// Deletes what is due until nothing is, or the time is over. A failure is no reason not to process events.
pub(crate) async fn delete_until(processor: &Processor, end: Instant) {
    match delete(processor, end).await {
        Ok(true) => {}
        Ok(false) => warn!(component = "Retention", "more is due than one run deletes, the next goes on"),
        Err(error) => warn!(component = "Retention", error = %Chain(&error), "could not delete what is due"),
    }
}

/// Says whether nothing is left.
async fn delete(processor: &Processor, end: Instant) -> store::Result<bool> {
    let mut left = vec![Kind::Log, Kind::Deliveries, Kind::Tickets, Kind::Authorizations, Kind::Counters];
    let looks_once = Instant::now() >= end;
    for round in 1.. {
        let begun = Instant::now();
        let mut still_left = Vec::new();
        for kind in left {
            if batch(processor, kind).await? {
                still_left.push(kind);
            }
        }
        left = still_left;
        let is_over = if looks_once { round >= BATCHES } else { Instant::now() >= end };
        if left.is_empty() || is_over {
            break;
        }
        // Events are applied meanwhile, and have half of the time for themselves.
        tokio::time::sleep(begun.elapsed()).await;
    }
    Ok(left.is_empty())
}

/// Deletes a batch, in a transaction of its own, so that none holds its locks for long; says whether there may be more.
async fn batch(processor: &Processor, kind: Kind) -> store::Result<bool> {
    let (now, config) = (processor.clock.now(), &processor.config);
    let db = processor.store.system().await?;
    match kind {
        Kind::Log => {
            db.commit_with(retention::delete_client_events(&*db, now - config.event_log_retention)).await
        }
        Kind::Deliveries => {
            db.commit_with(retention::delete_deliveries(&*db, now - config.delivery_retention)).await
        }
        Kind::Tickets => db.commit_with(retention::delete_tickets(&*db, now - TICKETS)).await,
        Kind::Authorizations => db.commit_with(retention::delete_authorizations(&*db, now - TICKETS)).await,
        Kind::Counters => db.commit_with(retention::delete_counters(&*db, now - COUNTERS)).await,
    }
}
