//! Deliveries that the database did not take when they came.

use shared::{
    config::Secret,
    dialpad::{jws::Jws, payload},
    queue::SpilledDelivery,
    store::{
        self, apps,
        inbox::{self, Accepted, Form, NewEvent, Source},
    },
    telemetry::{Metric, TraceId},
};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{error::Error, worker::Processor};

/// Stores a spilled delivery, and verifies it first where that could not be done when it came. What is refused now would
/// have been refused then. An error means that the database is still away. Gives the row, if there is a new one.
pub(crate) async fn store(processor: &Processor, spilled: &SpilledDelivery) -> Result<Option<Uuid>, Error> {
    let (app_id, trace_id) = (spilled.app_id, spilled.trace_id.as_ref().map(TraceId::as_str));
    let reject = |reason: &'static str| {
        processor.metrics.count(Metric::Rejected, reason);
        warn!(component = "Webhook", %app_id, trace_id, reason, "spilled delivery rejected");
        Ok(None)
    };
    let app = {
        let db = processor.store.app(app_id).await?;
        apps::webhook_secrets(&*db, app_id, spilled.received_at).await?
    };
    let Some(app) = app else {
        return reject("app_not_found");
    };
    let Some(json) = open(spilled, &app.secrets) else {
        return reject("bad_signature");
    };
    let Ok(delivery) = payload::inspect(&json) else {
        return reject("not_an_object");
    };
    let event = NewEvent {
        app_id,
        event_type: &delivery.event_type,
        json: &delivery.json,
        dedupe_key: &delivery.dedupe_key,
        received_at: spilled.received_at,
        source: Source::Delivered,
    };
    let accepted = match accept(processor, event, Form::Json).await {
        Err(error) if error.is_refused_value() => accept(processor, event, Form::Text).await?,
        outcome => outcome?,
    };
    match accepted {
        Accepted::New(event_id) => {
            info!(component = "Webhook", %app_id, %event_id, trace_id, "stored");
            Ok(Some(event_id))
        }
        Accepted::Duplicate => {
            info!(component = "Webhook", %app_id, trace_id, "repeated");
            Ok(None)
        }
    }
}

async fn accept(processor: &Processor, event: NewEvent<'_>, form: Form) -> store::Result<Accepted> {
    let db = processor.store.app(event.app_id).await?;
    db.commit_with(inbox::accept(&*db, event, form)).await
}

fn open(spilled: &SpilledDelivery, secrets: &[Secret]) -> Option<String> {
    if spilled.verified {
        return Some(spilled.body.clone());
    }
    let payload = Jws::parse(&spilled.body).ok()?.verify(secrets).ok()?;
    String::from_utf8(payload).ok()
}
