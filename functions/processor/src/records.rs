//! A batch of messages: of the event queue, which says that there is work, or of the spill queue, which is the work.

use std::{collections::BTreeMap, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use shared::{domain::ids::AppId, queue::EventMessage};
use tracing::error;

use crate::{
    spill::{self, Spilled},
    traces::Traces,
    worker::Processor,
};

/// How long a message has its app worked on. An app whose events come faster than they are applied would else keep an
/// invocation until Lambda ends it, with the messages behind it; those that follow bring the app its next turn.
const TURN: Duration = Duration::from_secs(1);

/// How long apps are worked on behind deliveries that were stored only now: a batch of each. More deliveries wait, and
/// while the database is back they are to be stored rather than applied one app after the other.
const SPILLS_TURN: Duration = Duration::ZERO;

/// How long an invocation is kept back that could not reach the database. The next one comes at once, for as long as
/// messages wait: a database that is starting again is not to be asked hundreds of times a second whether it is there.
const HELD_BACK: Duration = Duration::from_millis(500);

/// Stores what was spilled, and works on the apps that the messages name. Only deliveries that could not be stored come
/// again: a wake-up that is lost costs seconds, since the sweep finds the work. Without a connection nothing else is
/// tried, since each try would take its time.
pub(crate) async fn take(processor: &Processor, event: SqsEvent) -> SqsBatchResponse {
    let (mut apps, spilled) = sort(event);
    let turn = if spilled.is_empty() { TURN } else { SPILLS_TURN };
    let stored = spill::store_all(processor, spilled, &mut apps).await;
    if stored.is_away {
        tokio::time::sleep(HELD_BACK).await;
    } else {
        processor.work_on_each(apps, turn).await;
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = stored.waiting.into_iter().map(failure).collect();
    response
}

/// The apps that wake-ups name, and the deliveries. The queues are told apart by what is in them: a release that spilled
/// into the event queue may have left something there.
fn sort(event: SqsEvent) -> (BTreeMap<AppId, Traces>, Vec<Spilled>) {
    let (mut apps, mut spilled) = (BTreeMap::<AppId, Traces>::new(), Vec::new());
    for record in event.records {
        match serde_json::from_str(record.body.as_deref().unwrap_or_default()) {
            Ok(EventMessage::Stored { app_id, event_id, trace_id }) => {
                apps.entry(app_id).or_default().note(event_id, trace_id);
            }
            Ok(EventMessage::Spilled(delivery)) => {
                let message_id = record.message_id.unwrap_or_default();
                let receipt = record.receipt_handle.unwrap_or_default();
                spilled.push(Spilled { message_id, receipt, delivery });
            }
            Err(cause) => error!(
                component = "Processor",
                message_id = record.message_id,
                line = cause.line(),
                "dropped an unreadable message"
            ),
        }
    }
    (apps, spilled)
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
