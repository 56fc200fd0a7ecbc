//! Folds stored events into calls and voicemails, and tells the clients.
//!
//! The unit of work is the app: one worker at a time takes its due events, applies them in one transaction, and looks
//! again until there are none. The event queue makes that happen at once; the schedule makes sure that it happens.

mod backoff;
mod batch;
mod closings;
mod config;
mod erased;
mod error;
mod frames;
mod healing;
mod messages;
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

use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use shared::{domain::ids::AppId, telemetry::Chain};
use tokio::time::Instant;
use tracing::warn;

use crate::traces::Traces;

/// How many apps are worked on at once: one for each connection.
pub(crate) const APPS_AT_ONCE: usize = 2;

/// Serves one invocation: a batch of the event queue or the spill queue, the schedule, or an operator who does not wait for the schedule to
/// ask Dialpad for silent legs.
pub async fn handle(processor: &Processor, event: Value) -> Result<SqsBatchResponse, Error> {
    // Boxed: together they are deeper than the compiler goes.
    let outcome = if event.get("Records").is_some() {
        Ok(Box::pin(messages::take(processor, serde_json::from_value(event)?)).await)
    } else if event.get("action").is_some_and(|action| action == "heal") {
        Box::pin(healing::heal(processor)).await;
        Ok(SqsBatchResponse::default())
    } else {
        Box::pin(sweep::sweep(processor)).await.map(|()| SqsBatchResponse::default())
    };
    processor.metrics.flush(processor.clock.now());
    outcome
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
