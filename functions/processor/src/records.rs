//! A batch of messages: of the event queue, which says that there is work, or of the spill queue, which is the work.

use std::{collections::BTreeMap, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use shared::{domain::ids::AppId, queue::EventMessage, telemetry::Chain};
use tracing::{error, warn};

use crate::{
    spill::{self, Spilled},
    traces::Traces,
    worker::Processor,
};

/// How long a message has its app worked on. An app whose events come faster than they are applied would else keep an
/// invocation until Lambda ends it, with the messages behind it. Its own message comes again, behind those of others, and
/// brings the app its next turn.
const TURN: Duration = Duration::from_secs(1);

/// How long apps are worked on behind deliveries that were stored only now: a batch of each. Others may wait.
const SPILLS_TURN: Duration = Duration::ZERO;

/// Behind so many spilled deliveries, as many as an invocation brings, more of them wait. They are to be stored first: a
/// batch of each app for every ten would cost more than storing them does, and the sweep, seconds later, takes fifty at once.
const MANY_SPILLED: usize = 10;

/// How long an invocation is kept back that could not reach the database. The next one comes at once, for as long as
/// messages wait: a database that is starting again is not to be asked hundreds of times a second whether it is there.
const HELD_BACK: Duration = Duration::from_millis(500);

/// What the messages of a batch say.
#[derive(Default)]
struct Sorted {
    /// The apps that have work.
    apps: BTreeMap<AppId, Traces>,
    /// A message of each app that a wake-up names.
    wake_ups: BTreeMap<AppId, Record>,
    /// The deliveries.
    spilled: Vec<Spilled>,
}

/// A message, by its id and by what the queue knows this receive of it by.
struct Record {
    message_id: String,
    receipt: String,
}

/// Stores what was spilled, and works on the apps that the messages name. What comes again are deliveries that could not be
/// stored, and a wake-up of an app whose turn ended before its work. Otherwise a wake-up that is lost costs seconds, since
/// the sweep finds the work. Without a connection nothing else is tried, since each try would take its time.
pub(crate) async fn take(processor: &Processor, event: SqsEvent) -> SqsBatchResponse {
    let Sorted { mut apps, mut wake_ups, spilled } = sort(event);
    let turn = if spilled.is_empty() { TURN } else { SPILLS_TURN };
    let more_wait = spilled.len() >= MANY_SPILLED;
    let stored = spill::store_all(processor, spilled).await;
    if !more_wait {
        apps.extend(stored.apps);
    }
    let mut waiting = stored.waiting;
    if stored.is_away {
        tokio::time::sleep(HELD_BACK).await;
    } else {
        let left = processor.work_on_each(apps, turn).await;
        let again = left.iter().filter_map(|app_id| wake_ups.remove(app_id)).collect();
        waiting.extend(at_once(processor, again).await);
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = waiting.into_iter().map(failure).collect();
    response
}

/// Has wake-ups come again at once, behind what waits already; gives their ids. A message of our own instead would be a loop
/// to Lambda, which ends one after sixteen times.
async fn at_once(processor: &Processor, again: Vec<Record>) -> Vec<String> {
    let (ids, receipts): (Vec<_>, Vec<_>) = again
        .into_iter()
        .map(|Record { message_id, receipt }| (message_id, (receipt, Duration::ZERO)))
        .unzip();
    if !receipts.is_empty()
        && let Err(cause) = processor.queues.events.put_off(&receipts).await
    {
        warn!(component = "Processor", error = %Chain(&cause), "apps left for the sweep");
    }
    ids
}

/// The apps that wake-ups name, and the deliveries. The queues are told apart by what is in them: a release that spilled
/// into the event queue may have left something there.
fn sort(event: SqsEvent) -> Sorted {
    let mut sorted = Sorted::default();
    for record in event.records {
        let message_id = record.message_id.unwrap_or_default();
        let receipt = record.receipt_handle.unwrap_or_default();
        match serde_json::from_str(record.body.as_deref().unwrap_or_default()) {
            Ok(EventMessage::Stored { app_id, event_id, trace_id }) => {
                sorted.apps.entry(app_id).or_default().note(event_id, trace_id);
                sorted.wake_ups.insert(app_id, Record { message_id, receipt });
            }
            Ok(EventMessage::Spilled(delivery)) => {
                sorted.spilled.push(Spilled { message_id, receipt, delivery });
            }
            Err(cause) => error!(
                component = "Processor",
                message_id,
                line = cause.line(),
                "dropped an unreadable message"
            ),
        }
    }
    sorted
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
