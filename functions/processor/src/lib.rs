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
mod numbers;
mod outbox;
mod plan;
mod records;
mod retention;
mod spill;
mod sweep;
mod told;
mod traces;
mod worker;

pub use config::Config;
pub use error::Error;
pub use worker::{CONNECTIONS, Processor, Queues};

use aws_lambda_events::sqs::SqsBatchResponse;
use serde_json::Value;
use tokio::time::Instant;

/// Serves one invocation: a batch of the event queue or the spill queue, the schedule, or an operator who does not wait for
/// the schedule to ask Dialpad for silent legs (`heal`), or to delete what is due (`forget`).
pub async fn handle(processor: &Processor, event: Value) -> Result<SqsBatchResponse, Error> {
    // Boxed: together they are deeper than the compiler goes.
    let outcome = if event.get("Records").is_some() {
        Ok(Box::pin(records::take(processor, serde_json::from_value(event)?)).await)
    } else if event.get("action").is_some_and(|action| action == "heal") {
        Box::pin(healing::heal(processor)).await;
        Ok(SqsBatchResponse::default())
    } else if event.get("action").is_some_and(|action| action == "forget") {
        Box::pin(retention::delete_until(processor, Instant::now() + retention::REQUEST)).await;
        Ok(SqsBatchResponse::default())
    } else {
        Box::pin(sweep::sweep(processor)).await.map(|()| SqsBatchResponse::default())
    };
    processor.metrics.flush(processor.clock.now());
    outcome
}
