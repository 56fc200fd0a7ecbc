//! Event source mappings: from a queue to a function, as Lambda's pollers do it.
//!
//! Messages go out as soon as they arrive, in batches, several at a time. What a function took is deleted; what it
//! did not take stays in flight until the queue's visibility timeout passes, and comes again.

use std::{collections::HashSet, sync::Arc};

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use super::sqs::{Queue, Received, Sqs};
use crate::{
    journal::{TARGET, milliseconds},
    lambda::Lambda,
    template::QueueMapping,
};

/// The most bytes of messages in one event: its other members and JSON's escapes need room below Lambda's limit.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A mapping at work.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// What the template says of it.
    pub definition: QueueMapping,
    /// The most invocations at once.
    pub concurrency: usize,
    /// The region that the events name.
    pub region: String,
}

/// The part of a function's answer that names the messages it did not take.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BatchAnswer {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

/// Delivers messages until `stop` turns true; deliveries under way go on.
pub async fn run(mapping: Mapping, sqs: Sqs, lambda: Lambda, mut stop: watch::Receiver<bool>) {
    let Some(queue) = sqs.queue(&mapping.definition.queue).cloned() else { return };
    let mapping = Arc::new(mapping);
    let places = Arc::new(Semaphore::new(mapping.concurrency));
    loop {
        let batch = async {
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, next_batch(&sqs, &queue, &mapping.definition).await)
        };
        let (place, batch) = tokio::select! {
            next = batch => next,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (mapping, queue, lambda) = (Arc::clone(&mapping), queue.clone(), lambda.clone());
        tokio::spawn(async move {
            deliver(&mapping, &queue, &lambda, &batch).await;
            drop(place);
        });
    }
}

async fn next_batch(sqs: &Sqs, queue: &Queue, definition: &QueueMapping) -> Vec<Received> {
    loop {
        fill(queue, definition).await;
        let batch = sqs.receive(queue, definition.batch_size, BATCH_BYTES);
        if !batch.is_empty() {
            return batch;
        }
        queue.changed().await;
    }
}

/// Waits for a full batch once there is a message, at most as long as the mapping's window.
async fn fill(queue: &Queue, definition: &QueueMapping) {
    let until = Instant::now() + definition.batch_window;
    let is_filling = || (1..definition.batch_size).contains(&queue.counts().visible);
    while is_filling() && Instant::now() < until {
        let _ = tokio::time::timeout_at(until, queue.changed()).await;
    }
}

async fn deliver(mapping: &Mapping, queue: &Queue, lambda: &Lambda, batch: &[Received]) {
    let definition = &mapping.definition;
    let event = event(queue, &mapping.region, batch);
    let started = Instant::now();
    let outcome = lambda.invoke_bytes(&definition.function, Bytes::from(event.to_string())).await;
    let failed = match outcome {
        Ok(answer) if definition.report_batch_item_failures => failures(&answer, batch),
        Ok(_) => Some(HashSet::new()),
        Err(error) => {
            let messages = batch.len();
            tracing::warn!(function = definition.function, messages, %error, "a batch failed and will come again");
            None
        }
    };
    let Some(failed) = failed else { return };
    tracing::info!(
        target: TARGET,
        component = "Queue",
        queue = definition.queue,
        function = definition.function,
        messages = batch.len(),
        failed = Some(failed.len()).filter(|failed| *failed > 0),
        duration_ms = milliseconds(started.elapsed())
    );
    for message in batch {
        if !failed.contains(&message.id) {
            queue.delete(&message.receipt);
        }
    }
}

/// The ids of the messages that failed; `None` means all, as when the answer makes no sense.
fn failures(answer: &[u8], batch: &[Received]) -> Option<HashSet<String>> {
    let answer: Option<BatchAnswer> = serde_json::from_slice(answer).ok()?;
    let failed: HashSet<_> = answer
        .unwrap_or_default()
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect();
    let is_known = |id: &String| batch.iter().any(|message| message.id == *id);
    failed.iter().all(is_known).then_some(failed)
}

/// The event as Lambda writes it.
fn event(queue: &Queue, region: &str, batch: &[Received]) -> Value {
    let records: Vec<_> = batch
        .iter()
        .map(|message| {
            json!({
                "messageId": message.id,
                "receiptHandle": message.receipt,
                "body": &*message.body,
                "attributes": {
                    "ApproximateReceiveCount": message.receive_count.to_string(),
                    "SentTimestamp": message.sent_milliseconds.to_string(),
                    "SenderId": "local",
                    "ApproximateFirstReceiveTimestamp": message.first_received_milliseconds.to_string(),
                },
                "messageAttributes": {},
                "md5OfBody": message.md5_of_body,
                "eventSource": "aws:sqs",
                "eventSourceARN": queue.definition().arn,
                "awsRegion": region,
            })
        })
        .collect();
    json!({ "Records": records })
}
