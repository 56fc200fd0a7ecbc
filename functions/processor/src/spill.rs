//! Deliveries that the database did not take when they came.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use chrono::TimeDelta;
use futures_util::{StreamExt as _, stream};
use shared::{
    config::Secret,
    dialpad::{jws::Jws, payload},
    domain::ids::AppId,
    queue::SpilledDelivery,
    store::{
        self, apps,
        inbox::{self, Accepted, Form, NewEvent},
        keys,
    },
    telemetry::{Chain, Metric, TraceId},
};
use tracing::{field::display, info, warn};
use uuid::Uuid;

use crate::{
    backoff,
    error::Error,
    traces::Traces,
    worker::{CONNECTIONS, Processor},
};

/// What part of its age a delivery waits until it is tried again: so it is stored soon after the database is back, the
/// sooner the shorter that was away.
const PART_OF_AGE: i32 = 8;
/// The shortest and the longest that it waits. The queue hands it out 1,000 times: it has a day.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// A delivery, and the message that it came in.
pub(crate) struct Spilled {
    pub(crate) message_id: String,
    /// What the queue knows this receive of it by.
    pub(crate) receipt: String,
    pub(crate) delivery: SpilledDelivery,
}

/// What became of those of a batch.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The apps that have work by those that were stored.
    pub(crate) apps: BTreeMap<AppId, Traces>,
    /// The messages that wait on.
    pub(crate) waiting: Vec<String>,
    /// Whether the database does nothing that is asked of it.
    pub(crate) is_away: bool,
}

/// Stores what can be stored, side by side. What cannot be stored comes again sooner than the queue would hand it out.
pub(crate) async fn store_all(processor: &Processor, spilled: Vec<Spilled>) -> Outcome {
    let is_away = &AtomicBool::new(false);
    let mut tried = stream::iter(spilled)
        .map(|spilled| async move {
            if is_away.load(Relaxed) {
                return (spilled, None);
            }
            let stored = store(processor, &spilled.delivery).await;
            let stored = stored.map_err(|cause| {
                let app_id = spilled.delivery.app_id.map(display);
                warn!(component = "Processor", app_id, error = %Chain(&cause), "spilled delivery waits on");
                is_away.fetch_or(cause.is_unavailable(), Relaxed);
            });
            (spilled, stored.ok())
        })
        .buffered(CONNECTIONS);
    let (mut apps, mut waiting, mut put_off) = (BTreeMap::<_, Traces>::new(), Vec::new(), Vec::new());
    while let Some((Spilled { message_id, receipt, delivery }, stored)) = tried.next().await {
        if let Some(stored) = stored {
            if let Some((app_id, event_id)) = stored {
                apps.entry(app_id).or_default().note(Some(event_id), delivery.trace_id);
            }
        } else {
            put_off.push((receipt, pause(processor.clock.now() - delivery.received_at)));
            waiting.push(message_id);
        }
    }
    if !put_off.is_empty()
        && let Err(cause) = processor.queues.spills.put_off(&put_off).await
    {
        // They come again all the same, when the queue's own time is over.
        warn!(component = "Processor", error = %Chain(&cause), "spilled deliveries wait longer");
    }
    Outcome { apps, waiting, is_away: is_away.load(Relaxed) }
}

/// How long a delivery of this age waits until it is tried again.
fn pause(age: TimeDelta) -> Duration {
    let part = (age / PART_OF_AGE).to_std().unwrap_or_default();
    backoff::spread(part.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

/// Stores a spilled delivery, and finds out first what could not be known when it came: whose it is, and whether its
/// signature is good. What is refused now would have been refused then. An error means that the database is still away.
/// Gives the app and the row, if there is a new one.
async fn store(processor: &Processor, spilled: &SpilledDelivery) -> Result<Option<(AppId, Uuid)>, Error> {
    let trace_id = spilled.trace_id.as_ref().map(TraceId::as_str);
    let reject = |reason: &'static str| {
        let app_id = spilled.app_id.map(display);
        processor.metrics.count(Metric::Rejected, reason);
        warn!(component = "Webhook", app_id, trace_id, reason, "spilled delivery rejected");
        Ok(None)
    };
    let Some(app_id) = app_of(processor, spilled).await? else {
        return reject("app_required");
    };
    let json = if spilled.verified {
        Cow::Borrowed(&spilled.body)
    } else {
        let app = {
            let db = processor.store.app(app_id).await?;
            apps::webhook_secrets(&*db, app_id, spilled.received_at).await?
        };
        let Some(app) = app else {
            return reject("app_not_found");
        };
        let Some(json) = verified(&spilled.body, &app.secrets) else {
            return reject("bad_signature");
        };
        Cow::Owned(json)
    };
    let Ok(delivery) = payload::inspect(&json) else {
        return reject("not_an_object");
    };
    let event = NewEvent { app_id, delivery: &delivery, received_at: spilled.received_at };
    let accepted = match accept(processor, event, Form::Json).await {
        Err(error) if error.is_refused_value() => accept(processor, event, Form::Text).await?,
        // Whoever verified it found the app, which is gone since then.
        Err(error) if error.constraint() == Some(inbox::APP_EXISTS) => return reject("app_not_found"),
        outcome => outcome?,
    };
    match accepted {
        Accepted::Conflicting(event_id) => {
            warn!(component = "Webhook", %app_id, %event_id, trace_id, "conflicting");
            Ok(Some((app_id, event_id)))
        }
        Accepted::New(event_id) => {
            info!(component = "Webhook", %app_id, %event_id, trace_id, "stored");
            Ok(Some((app_id, event_id)))
        }
        Accepted::Duplicate => {
            info!(component = "Webhook", %app_id, trace_id, "repeated");
            Ok(None)
        }
    }
}

/// Whose it is.
async fn app_of(processor: &Processor, spilled: &SpilledDelivery) -> store::Result<Option<AppId>> {
    if spilled.app_id.is_some() {
        return Ok(spilled.app_id);
    }
    let db = processor.store.system().await?;
    match &spilled.key {
        Some(key) => keys::holder(&*db, &key.id, &key.hash, spilled.received_at).await,
        None => apps::only_active(&*db).await,
    }
}

async fn accept(processor: &Processor, event: NewEvent<'_>, form: Form) -> store::Result<Accepted> {
    let accepted = {
        let db = processor.store.app(event.app_id).await?;
        db.commit_with(inbox::accept(&*db, event, form)).await?
    };
    // The connection is given back before another is asked for: as many deliveries are stored at once as there are.
    match accepted {
        Accepted::Duplicate => {
            let db = processor.store.app(event.app_id).await?;
            db.commit_with(inbox::keep_aside(&*db, event, form)).await
        }
        Accepted::New(_) | Accepted::Conflicting(_) => Ok(accepted),
    }
}

fn verified(body: &str, secrets: &[Secret]) -> Option<String> {
    let payload = Jws::parse(body).ok()?.verify(secrets).ok()?;
    String::from_utf8(payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_waits_for_a_part_of_its_age() {
        for (age, longest) in [(-5, 1.0), (0, 1.0), (8, 1.0), (80, 10.0), (960, 120.0), (90_000, 120.0)] {
            let pause = pause(TimeDelta::seconds(age)).as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&pause), "{age} s: {pause}");
        }
    }
}
