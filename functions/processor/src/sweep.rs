//! The scheduled run: whatever the queue did not bring about, this does.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join;
use shared::{
    domain::ids::{AppId, by_app},
    store::{
        deliveries,
        event_log::{self, LoggedEvent},
        inbox,
    },
    telemetry::{Chain, Metric},
};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{closings, error::Error, healing, outbox, retention, traces::Traces, worker::Processor};

/// How long an entry of the log may wait to be handed over before it counts as forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::seconds(10);
/// How many forgotten entries one look sends.
const AT_ONCE: i64 = 1000;
/// How long one app is worked on before others get their turn.
const TURN: Duration = Duration::from_secs(4);

/// Looks for work, and beside that asks Dialpad for legs that fell silent.
pub(crate) async fn sweep(processor: &Processor) -> Result<(), Error> {
    // Side by side: a Dialpad that does not answer holds nobody up.
    let (looked, ()) = join(look_until_the_end(processor), Box::pin(healing::heal(processor))).await;
    looked
}

/// Looks for work every poll interval, for as long as a scheduled run may take. A look that fails does not end the run:
/// the database may be back at the next.
async fn look_until_the_end(processor: &Processor) -> Result<(), Error> {
    let end = Instant::now() + processor.config.sweep;
    if let Err(error) = measure(processor).await {
        warn!(component = "Processor", error = %Chain(&error), "backlog not measured");
    }
    let others = join(close_sockets_until(processor, end), retention::delete_until(processor, end));
    let (outcome, _) = join(look_until(processor, end), others).await;
    outcome
}

/// Looks, and at once again while work is left. What a look takes is bounded, since there are looks to come.
async fn look_until(processor: &Processor, end: Instant) -> Result<(), Error> {
    let mut last = None;
    loop {
        let now = Instant::now();
        let next = now + processor.config.poll_interval;
        // The last look ends with the run; one that only looks once takes its time.
        let until = if end > now { next.min(end) } else { next };
        let outcome = look(processor, &mut last, until).await;
        processor.metrics.flush(processor.clock.now());
        let next = if matches!(outcome, Ok(true)) { now } else { next };
        if next.max(Instant::now()) > end {
            return outcome.map(drop);
        }
        if let Err(error) = outcome {
            warn!(component = "Processor", error = %Chain(&error), "sweep failed, looking again");
        }
        tokio::time::sleep_until(next).await;
    }
}

/// A revoked key must not see more than a few seconds of events, so sockets are looked at twice as often as events, and
/// whatever there is to be applied.
async fn close_sockets_until(processor: &Processor, end: Instant) {
    loop {
        if let Err(error) = closings::close_sockets(processor).await {
            warn!(component = "Processor", error = %Chain(&error), "sockets not closed, looking again");
        }
        let next = Instant::now() + processor.config.poll_interval / 2;
        if next > end {
            return;
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

/// Does what there is to do until that time, beginning behind the app that had the last turn, so that none always comes
/// after the others. Says whether events are left.
async fn look(processor: &Processor, last: &mut Option<AppId>, until: Instant) -> Result<bool, Error> {
    let now = processor.clock.now();
    let (mut apps, forgotten) = {
        let db = processor.store.system().await?;
        let forgotten = event_log::not_handed_over(&*db, now - FORGOTTEN, AT_ONCE).await?;
        // Committed, since it makes the streams of apps that were inserted by hand.
        (db.commit_with(inbox::apps_with_pending(&*db, now)).await?, forgotten)
    };
    send_again(processor, forgotten).await?;
    // They are sorted by their ids.
    let behind = apps.partition_point(|app_id| Some(*app_id) <= *last);
    apps.rotate_left(behind);
    let mut begun = 0;
    let turns = apps.iter().take_while(|_| Instant::now() < until).inspect(|_| begun += 1);
    let left = processor.work_on_each(turns.map(|app_id| (*app_id, Traces::default())), TURN).await;
    *last = apps[..begun].last().copied().or(*last);
    Ok(!left.is_empty() || begun < apps.len())
}

/// A queue that does not take all of one app is not tried with those of others, which would take the time of the look.
async fn send_again(processor: &Processor, forgotten: Vec<(AppId, LoggedEvent)>) -> Result<(), Error> {
    for (app_id, log) in by_app(forgotten) {
        let all = log.len();
        info!(component = "Processor", %app_id, client_events = all, "sending forgotten events again");
        let sent = outbox::send(&processor.queues.pushes, app_id, log).await;
        let db = processor.store.app(app_id).await?;
        db.commit_with(event_log::mark_handed_over(&*db, app_id, &sent, processor.clock.now())).await?;
        if sent.len() < all {
            break;
        }
    }
    Ok(())
}
