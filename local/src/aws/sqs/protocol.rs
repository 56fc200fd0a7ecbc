//! The AWS JSON protocol of SQS: requests in, answers and errors out.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Sqs,
    queue::{Queue, md5_hex},
};

/// The most entries of a batch.
const BATCH_LIMIT: usize = 10;
/// The most bytes of a batch.
const BATCH_BYTES: usize = 1_048_576;
/// The longest delay of a message.
const DELAY_LIMIT_SECONDS: u64 = 900;
/// The longest time out of sight: twelve hours.
const VISIBILITY_LIMIT_SECONDS: u64 = 43_200;

/// An error as the protocol names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Error {
    code: &'static str,
    message: String,
}

impl Error {
    pub(super) fn body(&self) -> Value {
        json!({ "__type": format!("com.amazonaws.sqs#{}", self.code), "message": self.message })
    }

    pub(super) fn status(&self) -> StatusCode {
        match self.code {
            "ServiceUnavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The error's code in the older query protocol, by which the SDKs still know errors.
    pub(super) fn query_header(&self) -> String {
        let code = match self.code {
            "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
            "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            "BatchRequestTooLong" => "AWS.SimpleQueueService.BatchRequestTooLong",
            "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest",
            "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            "UnsupportedOperation" => "AWS.SimpleQueueService.UnsupportedOperation",
            code => code,
        };
        format!("{code};Sender")
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    #[serde(default)]
    queue_url: String,
    #[serde(default)]
    queue_name: String,
    #[serde(default)]
    entries: Vec<Entry>,
    max_number_of_messages: Option<usize>,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    id: String,
    message_body: Option<String>,
    delay_seconds: Option<u64>,
    #[serde(default)]
    message_attributes: Map<String, Value>,
    #[serde(default)]
    receipt_handle: String,
    visibility_timeout: Option<u64>,
}

/// Answers one request.
pub(super) fn call(sqs: &Sqs, action: &str, body: &[u8]) -> Result<Value, Error> {
    let request: Request = serde_json::from_slice(body)
        .map_err(|error| Error { code: "InvalidParameterValue", message: error.to_string() })?;
    if action == "GetQueueUrl" {
        let queue = sqs.named(&request.queue_name).ok_or_else(no_such_queue)?;
        return Ok(json!({ "QueueUrl": queue.definition().url }));
    }
    let name = request.queue_url.rsplit('/').next().unwrap_or_default();
    let queue = sqs.named(name).ok_or_else(no_such_queue)?;
    if action.starts_with("SendMessage") && queue.refuses() {
        let message = "the queue is away, as it was asked to be".to_owned();
        return Err(Error { code: "ServiceUnavailable", message });
    }
    match action {
        "SendMessage" => send(queue, &request.entry),
        "SendMessageBatch" => send_batch(queue, &request.entries),
        "ReceiveMessage" => Ok(receive(sqs, queue, request.max_number_of_messages.unwrap_or(1))),
        "DeleteMessage" => {
            queue.delete(&request.entry.receipt_handle);
            Ok(json!({}))
        }
        "DeleteMessageBatch" => each(&request.entries, |entry| {
            queue.delete(&entry.receipt_handle);
            Ok(json!({}))
        }),
        "ChangeMessageVisibility" => change_visibility(queue, &request.entry).map(|()| json!({})),
        "ChangeMessageVisibilityBatch" => {
            each(&request.entries, |entry| change_visibility(queue, entry).map(|()| json!({})))
        }
        "PurgeQueue" => {
            queue.purge();
            Ok(json!({}))
        }
        "GetQueueAttributes" => Ok(attributes(queue)),
        _ => Err(Error {
            code: "UnsupportedOperation",
            message: format!("{action} is not part of the local SQS"),
        }),
    }
}

fn send(queue: &Queue, entry: &Entry) -> Result<Value, Error> {
    let body = entry.message_body.as_deref().unwrap_or_default();
    if body.is_empty() {
        return Err(Error {
            code: "MissingParameter",
            message: "MessageBody is missing or empty".to_owned(),
        });
    }
    if body.len() > queue.definition().maximum_bytes {
        let message = format!("a message may have {} bytes", queue.definition().maximum_bytes);
        return Err(Error { code: "InvalidParameterValue", message });
    }
    if entry.delay_seconds.is_some_and(|seconds| seconds > DELAY_LIMIT_SECONDS) {
        let message = format!("DelaySeconds may be at most {DELAY_LIMIT_SECONDS}");
        return Err(Error { code: "InvalidParameterValue", message });
    }
    if !entry.message_attributes.is_empty() {
        let message = "message attributes are not part of the local SQS".to_owned();
        return Err(Error { code: "UnsupportedOperation", message });
    }
    let id = queue.send(body, entry.delay_seconds.map(Duration::from_secs));
    Ok(json!({ "MessageId": id, "MD5OfMessageBody": md5_hex(body) }))
}

fn send_batch(queue: &Queue, entries: &[Entry]) -> Result<Value, Error> {
    let bytes: usize = entries.iter().map(|entry| entry.message_body.as_ref().map_or(0, String::len)).sum();
    if bytes > BATCH_BYTES {
        let message = format!("a batch may have {BATCH_BYTES} bytes");
        return Err(Error { code: "BatchRequestTooLong", message });
    }
    each(entries, |entry| send(queue, entry))
}

fn change_visibility(queue: &Queue, entry: &Entry) -> Result<(), Error> {
    let seconds = entry.visibility_timeout.unwrap_or(0);
    if seconds > VISIBILITY_LIMIT_SECONDS {
        let message = format!("VisibilityTimeout may be at most {VISIBILITY_LIMIT_SECONDS}");
        return Err(Error { code: "InvalidParameterValue", message });
    }
    if queue.change_visibility(&entry.receipt_handle, Duration::from_secs(seconds)) {
        Ok(())
    } else {
        let message = "the message is not in flight".to_owned();
        Err(Error { code: "ReceiptHandleIsInvalid", message })
    }
}

/// Does what a batch asks for, entry by entry: one that fails leaves the others alone.
fn each(entries: &[Entry], act: impl Fn(&Entry) -> Result<Value, Error>) -> Result<Value, Error> {
    if entries.is_empty() {
        return Err(Error { code: "EmptyBatchRequest", message: "the batch has no entries".to_owned() });
    }
    if entries.len() > BATCH_LIMIT {
        let message = format!("a batch may have {BATCH_LIMIT} entries");
        return Err(Error { code: "TooManyEntriesInBatchRequest", message });
    }
    let is_repeated = |index: usize| entries[..index].iter().any(|earlier| earlier.id == entries[index].id);
    if (0..entries.len()).any(is_repeated) {
        return Err(Error {
            code: "BatchEntryIdsNotDistinct",
            message: "an entry's id is repeated".to_owned(),
        });
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match act(entry) {
            Ok(mut answer) => {
                answer["Id"] = json!(entry.id);
                successful.push(answer);
            }
            Err(Error { code, message }) => {
                failed.push(json!({ "Id": entry.id, "Code": code, "Message": message, "SenderFault": true }));
            }
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

fn receive(sqs: &Sqs, queue: &Queue, count: usize) -> Value {
    let messages: Vec<_> = sqs
        .receive(queue, count.clamp(1, BATCH_LIMIT), BATCH_BYTES)
        .into_iter()
        .map(|message| {
            json!({
                "MessageId": message.id,
                "ReceiptHandle": message.receipt,
                "MD5OfBody": message.md5_of_body,
                "Body": &*message.body,
                "Attributes": {
                    "ApproximateReceiveCount": message.receive_count.to_string(),
                    "SentTimestamp": message.sent_milliseconds.to_string(),
                    "ApproximateFirstReceiveTimestamp": message.first_received_milliseconds.to_string(),
                },
            })
        })
        .collect();
    json!({ "Messages": messages })
}

fn attributes(queue: &Queue) -> Value {
    let (counts, definition) = (queue.counts(), queue.definition());
    json!({ "Attributes": {
        "QueueArn": definition.arn,
        "ApproximateNumberOfMessages": counts.visible.to_string(),
        "ApproximateNumberOfMessagesNotVisible": counts.in_flight.to_string(),
        "ApproximateNumberOfMessagesDelayed": counts.delayed.to_string(),
        "VisibilityTimeout": definition.visibility.as_secs().to_string(),
        "MessageRetentionPeriod": definition.retention.as_secs().to_string(),
    }})
}

fn no_such_queue() -> Error {
    Error { code: "QueueDoesNotExist", message: "The specified queue does not exist.".to_owned() }
}
