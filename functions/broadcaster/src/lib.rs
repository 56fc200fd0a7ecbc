//! Pushes client events to the sockets they are for.
//!
//! Delivery is at least once and almost always in order; the log is the truth. So a frame that cannot be delivered costs
//! its socket, which reconnects and resumes, and never the event.

mod config;
mod delivery;

pub use config::Config;
pub use delivery::Broadcaster;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use futures_util::{StreamExt as _, stream};
use shared::{
    domain::ids::{AppId, by_app},
    queue::PushMessage,
    telemetry::Chain,
};
use tracing::{error, warn};

/// How many apps are served at once.
const APPS_AT_ONCE: usize = 8;

/// Delivers a batch of the push queue. Messages of one app go one after the other, in the order they stand in the batch;
/// apps go side by side. A message whose app's connections cannot be listed comes back.
pub async fn handle(broadcaster: &Broadcaster, event: SqsEvent) -> SqsBatchResponse {
    let mut messages = Vec::new();
    for record in event.records {
        let (id, body) = (record.message_id.unwrap_or_default(), record.body.unwrap_or_default());
        match serde_json::from_str::<PushMessage>(&body) {
            Ok(message) => messages.push((message.app_id, (id, message))),
            Err(cause) => error!(
                component = "Push",
                message_id = id,
                line = cause.line(),
                "dropped an unreadable message"
            ),
        }
    }
    let failed = stream::iter(by_app(messages))
        .map(|(app_id, messages)| deliver(broadcaster, app_id, messages))
        .buffer_unordered(APPS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut response = SqsBatchResponse::default();
    for id in failed.into_iter().flatten() {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        response.batch_item_failures.push(failure);
    }
    broadcaster.flush();
    response
}

/// Delivers messages of one app; gives back the ids of those that are to come again.
async fn deliver(
    broadcaster: &Broadcaster,
    app_id: AppId,
    messages: Vec<(String, PushMessage)>,
) -> Vec<String> {
    let (ids, messages): (Vec<String>, Vec<PushMessage>) = messages.into_iter().unzip();
    let (events, closings): (Vec<_>, Vec<_>) =
        messages.into_iter().map(|message| (message.events, message.close)).unzip();
    let (events, closings) = (events.concat(), closings.into_iter().flatten().collect::<Vec<_>>());
    match broadcaster.deliver(app_id, &events, &closings).await {
        Ok(()) => Vec::new(),
        Err(cause) => {
            warn!(component = "Push", %app_id, error = %Chain(&cause), "connections unknown, the messages come again");
            ids
        }
    }
}
