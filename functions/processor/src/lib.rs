//! Folds stored events into calls and voicemails, and tells the clients.
//!
//! The unit of work is the app: one worker at a time takes its due events, applies them in one transaction, and looks
//! again until there are none. The event queue makes that happen at once; the schedule makes sure that it happens.

mod batch;
mod closings;
mod config;
mod erased;
mod error;
mod frames;
mod numbers;
mod outbox;
mod plan;
mod retention;
mod spill;
mod sweep;
mod told;
mod traces;
mod worker;

pub use config::Config;
pub use error::Error;
pub use worker::Processor;

use std::collections::BTreeMap;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use shared::{domain::ids::AppId, queue::EventMessage, telemetry::Chain};
use tracing::{error, warn};

use crate::traces::Traces;

/// How many apps are worked on at once: one for each connection.
pub(crate) const APPS_AT_ONCE: usize = 2;

/// Serves one invocation: a batch of the event queue, or the schedule.
pub async fn handle(processor: &Processor, event: Value) -> Result<SqsBatchResponse, Error> {
    let outcome = if event.get("Records").is_some() {
        Ok(messages(processor, serde_json::from_value(event)?).await)
    } else {
        sweep::sweep(processor).await.map(|()| SqsBatchResponse::default())
    };
    processor.metrics.flush(processor.clock.now());
    outcome
}

/// Works on the apps that a batch of messages names. Only deliveries that could not be stored come again: a wake-up that
/// is lost costs seconds, since the sweep finds the work.
async fn messages(processor: &Processor, event: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    let mut apps = BTreeMap::<AppId, Traces>::new();
    for record in event.records {
        let (id, body) = (record.message_id.unwrap_or_default(), record.body.unwrap_or_default());
        match serde_json::from_str(&body) {
            Ok(EventMessage::Stored { app_id, event_id, trace_id }) => {
                apps.entry(app_id).or_default().note(event_id, trace_id);
            }
            Ok(EventMessage::Spilled(delivery)) => match spill::store(processor, &delivery).await {
                Ok(event_id) => {
                    apps.entry(delivery.app_id).or_default().note(event_id, delivery.trace_id);
                }
                Err(cause) => {
                    warn!(component = "Processor", app_id = %delivery.app_id, error = %Chain(&cause), "spilled delivery waits on");
                    let mut failure = BatchItemFailure::default();
                    failure.item_identifier = id;
                    response.batch_item_failures.push(failure);
                }
            },
            Err(cause) => error!(
                component = "Processor",
                message_id = id,
                line = cause.line(),
                "dropped an unreadable message"
            ),
        }
    }
    work_on(processor, apps).await;
    response
}

/// Works on apps side by side. A failure of one is logged and leaves the others alone; the sweep tries again.
pub(crate) async fn work_on(processor: &Processor, apps: impl IntoIterator<Item = (AppId, Traces)>) {
    stream::iter(apps)
        .for_each_concurrent(APPS_AT_ONCE, |(app_id, traces)| async move {
            if let Err(cause) = processor.work_on(app_id, &traces).await {
                warn!(component = "Processor", %app_id, error = %Chain(&cause), "app left for the sweep");
            }
        })
        .await;
}
