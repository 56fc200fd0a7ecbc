//! The scheduled run: whatever the queue did not bring about, this does.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use shared::{
    domain::ids::AppId,
    store::{
        deliveries,
        event_log::{self, LoggedEvent},
        inbox,
    },
    telemetry::{Chain, Metric},
};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{closings, error::Error, outbox, retention, traces::Traces, work_on, worker::Processor};

/// How long an entry of the log may wait to be handed over before it counts as forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::seconds(10);
/// How many forgotten entries one look sends.
const AT_ONCE: i64 = 1000;

/// Looks for work every poll interval, for as long as a scheduled run may take. A look that fails does not end the run:
/// the database may be back at the next.
pub(crate) async fn sweep(processor: &Processor) -> Result<(), Error> {
    let end = Instant::now() + processor.config.sweep;
    if let Err(error) = measure(processor).await {
        warn!(component = "Processor", error = %Chain(&error), "backlog not measured");
    }
    retention::delete_what_is_due(processor).await;
    loop {
        let outcome = look(processor).await;
        processor.metrics.flush(processor.clock.now());
        let next = Instant::now() + processor.config.poll_interval;
        if next > end {
            return outcome;
        }
        if let Err(error) = outcome {
            warn!(component = "Processor", error = %Chain(&error), "sweep failed, looking again");
        }
        // A revoked key must not see more than a few seconds of events, so sockets are looked at twice as often.
        tokio::time::sleep_until(next - processor.config.poll_interval / 2).await;
        if let Err(error) = closings::close_sockets(processor).await {
            warn!(component = "Processor", error = %Chain(&error), "sockets not closed, looking again");
        }
        tokio::time::sleep_until(next).await;
    }
}

/// Says how much waits and how much was given up, by the query of the monitoring endpoint.
async fn measure(processor: &Processor) -> Result<(), Error> {
    let db = processor.store.system().await?;
    let progress = deliveries::progress(&*db, processor.clock.now()).await?;
    processor.metrics.add(Metric::Pending, progress.pending);
    processor.metrics.add(Metric::OldestPendingSeconds, progress.oldest_seconds);
    processor.metrics.add(Metric::DeadEvents, progress.dead);
    Ok(())
}

async fn look(processor: &Processor) -> Result<(), Error> {
    let now = processor.clock.now();
    let (apps, forgotten) = {
        let db = processor.store.system().await?;
        let forgotten = event_log::not_handed_over(&*db, now - FORGOTTEN, AT_ONCE).await?;
        // Committed, since it makes the streams of apps that were inserted by hand.
        (db.commit_with(inbox::apps_with_pending(&*db, now)).await?, forgotten)
    };
    closings::close_sockets(processor).await?;
    work_on(processor, apps.into_iter().map(|app_id| (app_id, Traces::default()))).await;
    send_again(processor, forgotten).await
}

async fn send_again(processor: &Processor, forgotten: Vec<(AppId, LoggedEvent)>) -> Result<(), Error> {
    for (app_id, log) in by_app(forgotten) {
        info!(component = "Processor", %app_id, client_events = log.len(), "sending forgotten events again");
        let sent = outbox::send(&processor.push_queue, app_id, log).await;
        let db = processor.store.app(app_id).await?;
        db.commit_with(event_log::mark_handed_over(&*db, app_id, &sent, processor.clock.now())).await?;
    }
    Ok(())
}

pub(crate) fn by_app<T>(items: Vec<(AppId, T)>) -> BTreeMap<AppId, Vec<T>> {
    let mut by_app: BTreeMap<AppId, Vec<T>> = BTreeMap::new();
    for (app_id, item) in items {
        by_app.entry(app_id).or_default().push(item);
    }
    by_app
}
