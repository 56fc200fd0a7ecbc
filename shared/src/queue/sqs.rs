//! SQS: how a message is sent, and how one that was received is put off.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::{
    Client,
    config::Builder,
    error::SdkError,
    operation::{
        change_message_visibility_batch::ChangeMessageVisibilityBatchError, send_message::SendMessageError,
    },
    types::ChangeMessageVisibilityBatchRequestEntry,
};
use serde::Serialize;

/// The most one message may hold, in bytes: SQS takes 1 MiB.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// How long one attempt to send may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long all attempts together may take; Dialpad waits five seconds, of which the database may have had 1.5.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// A queue to send to.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is larger than SQS takes.
    #[error("fit the message into the queue")]
    TooLarge,
    /// It cannot be written as JSON.
    #[error("write the message as JSON")]
    Json(#[from] serde_json::Error),
    /// SQS refused it, or is away.
    #[error("send a message")]
    Send(#[source] Box<SdkError<SendMessageError>>),
    /// SQS refused to put messages off, or is away.
    #[error("put messages off")]
    PutOff(#[source] Box<SdkError<ChangeMessageVisibilityBatchError>>),
}

impl Queue {
    /// The queue of this URL.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, url: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(SEND_TIMEOUT)
            .build();
        let config = Builder::from(config).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), url: url.to_owned() }
    }

    /// Sends one message.
    pub async fn send(&self, message: &impl Serialize) -> Result<(), Error> {
        let body = serde_json::to_string(message)?;
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(Error::TooLarge);
        }
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await
            .map(drop)
            .map_err(|error| Error::Send(Box::new(error)))
    }

    /// Has messages, by their receipt handles, come again after so long each instead of after the queue's visibility
    /// time-out; SQS knows whole seconds, and more are made of less. At most ten, as many as it hands out at once.
    pub async fn put_off(&self, messages: &[(String, Duration)]) -> Result<(), Error> {
        let entries = messages.iter().enumerate().filter_map(|(index, (receipt, pause))| {
            let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(i32::try_from(seconds).unwrap_or(i32::MAX))
                .build()
                .ok()
        });
        self.client
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .map(drop)
            .map_err(|error| Error::PutOff(Box::new(error)))
    }
}
