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
mod healing;
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

use std::{collections::BTreeMap, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use shared::{domain::ids::AppId, queue::EventMessage, telemetry::Chain};
use tokio::time::Instant;
use tracing::{error, warn};

use crate::traces::Traces;

/// How many apps are worked on at once: one for each connection.
pub(crate) const APPS_AT_ONCE: usize = 2;

/// How long a message has its app worked on. An app whose events come faster than they are applied would else keep an
/// invocation until Lambda ends it, with the messages behind it; those that follow bring the app its next turn.
const TURN: Duration = Duration::from_secs(1);

/// Serves one invocation: a batch of the event queue, the schedule, or an operator who does not wait for the schedule to
/// ask Dialpad for silent legs.
pub async fn handle(processor: &Processor, event: Value) -> Result<SqsBatchResponse, Error> {
    // Boxed: together they are deeper than the compiler goes.
    let outcome = if event.get("Records").is_some() {
        Ok(Box::pin(messages(processor, serde_json::from_value(event)?)).await)
    } else if event.get("action").is_some_and(|action| action == "heal") {
        Box::pin(healing::heal(processor)).await;
        Ok(SqsBatchResponse::default())
    } else {
        Box::pin(sweep::sweep(processor)).await.map(|()| SqsBatchResponse::default())
    };
    processor.metrics.flush(processor.clock.now());
    outcome
}

/// Works on the apps that a batch of messages names. Only deliveries that could not be stored come again: a wake-up that
/// is lost costs seconds, since the sweep finds the work. Without a connection nothing else is tried, since each try
/// would take its time.
async fn messages(processor: &Processor, event: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    let mut apps = BTreeMap::<AppId, Traces>::new();
    let mut is_away = false;
    let wait_on = |id| {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        failure
    };
    for record in event.records {
        let (id, body) = (record.message_id.unwrap_or_default(), record.body.unwrap_or_default());
        match serde_json::from_str(&body) {
            Ok(EventMessage::Stored { app_id, event_id, trace_id }) => {
                apps.entry(app_id).or_default().note(event_id, trace_id);
            }
            Ok(EventMessage::Spilled(_)) if is_away => response.batch_item_failures.push(wait_on(id)),
            Ok(EventMessage::Spilled(delivery)) => match spill::store(processor, &delivery).await {
                Ok(event_id) => {
                    apps.entry(delivery.app_id).or_default().note(event_id, delivery.trace_id);
                }
                Err(cause) => {
                    warn!(component = "Processor", app_id = %delivery.app_id, error = %Chain(&cause), "spilled delivery waits on");
                    is_away = cause.is_unreachable();
                    response.batch_item_failures.push(wait_on(id));
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
    if !is_away {
        work_on(processor, apps, TURN).await;
    }
    response
}

/// Works on apps side by side, each for its turn; says whether work is left. A failure of one is logged and leaves the
/// others alone; the sweep tries again.
pub(crate) async fn work_on(
    processor: &Processor,
    apps: impl IntoIterator<Item = (AppId, Traces)>,
    turn: Duration,
) -> bool {
    stream::iter(apps)
        .map(|(app_id, traces)| async move {
            processor.work_on(app_id, &traces, Instant::now() + turn).await.unwrap_or_else(|cause| {
                warn!(component = "Processor", %app_id, error = %Chain(&cause), "app left for the sweep");
                false
            })
        })
        .buffer_unordered(APPS_AT_ONCE)
        .fold(false, |is_left, of_app| async move { is_left || of_app })
        .await
}
