//! The `@connections` API of API Gateway: how a frame reaches a socket.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::{
    Client,
    config::Builder,
    config::retry::RetryConfig,
    error::SdkError,
    operation::{delete_connection::DeleteConnectionError, post_to_connection::PostToConnectionError},
    primitives::Blob,
};

/// How long one post may take before the socket counts as stuck.
const POST_TIMEOUT: Duration = Duration::from_secs(5);

/// Posts frames.
#[derive(Clone, Debug)]
pub struct Pusher {
    client: Client,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// API Gateway took it.
    Delivered,
    /// There is no such connection any more (410).
    Gone,
    /// Too many posts, or the client does not read (429).
    Throttled,
}

/// A frame could not be posted, and the connection may well be there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// API Gateway refused it, or is away.
    #[error("post a frame")]
    Post(#[source] Box<SdkError<PostToConnectionError>>),
    /// The connection could not be closed.
    #[error("close a connection")]
    Close(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Pusher {
    /// Posts to the API and stage of this URL.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, endpoint: &str) -> Self {
        let config = Builder::from(config)
            .endpoint_url(endpoint)
            // We retry ourselves: only we know that a 429 may be one socket's full buffer.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(POST_TIMEOUT).build())
            .build();
        Self { client: Client::from_conf(config) }
    }

    /// Sends one frame to one socket.
    pub async fn post(&self, connection_id: &str, frame: &str) -> Result<Delivery, Error> {
        let sent = self
            .client
            .post_to_connection()
            .connection_id(connection_id)
            .data(Blob::new(frame.as_bytes()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Delivery::Delivered),
            Err(error) => match error.as_service_error() {
                Some(cause) if cause.is_gone_exception() => Ok(Delivery::Gone),
                Some(cause) if cause.is_limit_exceeded_exception() => Ok(Delivery::Throttled),
                _ => Err(Error::Post(Box::new(error))),
            },
        }
    }

    /// Closes a socket; one that is gone already is fine. The client sees code 1000 and reconnects.
    pub async fn close(&self, connection_id: &str) -> Result<(), Error> {
        match self.client.delete_connection().connection_id(connection_id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(DeleteConnectionError::is_gone_exception) => {
                Ok(())
            }
            Err(error) => Err(Error::Close(Box::new(error))),
        }
    }
}
