//! Deliveries that the database did not take when they came.

use shared::{
    config::Secret,
    dialpad::{jws::Jws, payload},
    queue::SpilledDelivery,
    store::{
        self, apps,
        inbox::{self, Accepted, Form, NewEvent},
    },
};
use tracing::warn;

use crate::{error::Error, worker::Processor};

/// Stores a spilled delivery, and verifies it first where that could not be done when it came. What is refused now would
/// have been refused then. An error means that the database is still away.
pub(crate) async fn store(processor: &Processor, spilled: &SpilledDelivery) -> Result<(), Error> {
    let app_id = spilled.app_id;
    let app = {
        let db = processor.store.app(app_id).await?;
        apps::webhook_secrets(&*db, app_id, spilled.received_at).await?
    };
    let Some(app) = app else {
        warn!(component = "Webhook", %app_id, "spilled delivery refused: there is no such app");
        return Ok(());
    };
    let Some(json) = open(spilled, &app.secrets) else {
        warn!(component = "Webhook", %app_id, "spilled delivery refused: its signature is not the app's");
        return Ok(());
    };
    let Ok(delivery) = payload::inspect(&json) else {
        warn!(component = "Webhook", %app_id, "spilled delivery refused: it is not a JSON object");
        return Ok(());
    };
    let event = NewEvent {
        app_id,
        event_type: &delivery.event_type,
        json: &delivery.json,
        dedupe_key: &delivery.dedupe_key,
        received_at: spilled.received_at,
    };
    match accept(processor, event, Form::Json).await {
        Err(error) if error.is_refused_value() => accept(processor, event, Form::Text).await?,
        outcome => outcome?,
    };
    Ok(())
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
