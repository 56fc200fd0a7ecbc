//! The Invoke API of another Lambda emulator: `cargo lambda watch`, `sam local start-lambda`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, Uri, header::CONTENT_TYPE},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{net::TcpStream, sync::Semaphore};

use super::{InvokeError, PAYLOAD_LIMIT_BYTES};

/// `cargo lambda watch` hangs for good when more than about 100 invocations of a function are under way.
const MAX_UNDER_WAY: usize = 64;

/// How long an invocation may take: `cargo lambda watch` compiles the function within the first one.
const PATIENCE: Duration = Duration::from_mins(10);

/// How often it is looked whether the emulator is there yet.
const LOOK: Duration = Duration::from_millis(100);

/// An Invoke API elsewhere. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    base: String,
    authority: String,
    client: Client<HttpConnector, Body>,
    /// The logical id of each binary: SAM knows functions by it, cargo lambda by the binary.
    logical_ids: BTreeMap<String, String>,
    under_way: Semaphore,
}

impl Remote {
    pub(super) fn new(url: &str, aliases: &BTreeMap<String, String>) -> Result<Self, InvokeError> {
        let base = url.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|error| InvokeError::Unavailable(format!("{url}: {error}")))?;
        let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(InvokeError::Unavailable(format!("{url}: only http:// addresses are supported")));
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            shared: Arc::new(Shared {
                authority: format!("{host}:{}", uri.port_u16().unwrap_or(80)),
                base,
                client: Client::builder(TokioExecutor::new()).build(connector),
                logical_ids: aliases.iter().map(|(id, binary)| (binary.clone(), id.clone())).collect(),
                under_way: Semaphore::new(MAX_UNDER_WAY),
            }),
        })
    }

    /// Waits until somebody listens there.
    pub(super) async fn wait_until_there(&self) {
        while TcpStream::connect(&self.shared.authority).await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Invokes a function. The invocation keeps its place until it is answered, also when nobody waits for it any more:
    /// the emulator goes on with it, and what counts is how many it is at.
    pub(super) async fn invoke(&self, name: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        let (shared, name) = (Arc::clone(&self.shared), name.to_owned());
        let invocation = tokio::spawn(async move {
            let _place = shared.under_way.acquire().await.map_err(unavailable)?;
            tokio::time::timeout(PATIENCE, shared.call(&name, event)).await.unwrap_or_else(|_elapsed| {
                let (base, minutes) = (&shared.base, PATIENCE.as_secs() / 60);
                let message = format!("{base} has not answered for {minutes} minutes: start it anew");
                Err(InvokeError::Unavailable(message))
            })
        });
        invocation.await.map_err(unavailable)?
    }
}

impl Shared {
    async fn call(&self, name: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        let (status, is_error, body) = self.post(name, event.clone()).await?;
        let (status, is_error, body) = match self.logical_ids.get(name) {
            Some(id) if status == StatusCode::NOT_FOUND => self.post(id, event).await?,
            _ => (status, is_error, body),
        };
        if status == StatusCode::NOT_FOUND {
            return Err(InvokeError::UnknownFunction);
        }
        let reported =
            || serde_json::from_slice::<Value>(&body).ok().filter(|report| report["errorType"].is_string());
        if is_error || !status.is_success() {
            let Some(report) = reported() else {
                return Err(InvokeError::Unavailable(format!("{} answered {status}", self.base)));
            };
            let text = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
            return Err(InvokeError::Failed { error_type: text("errorType"), message: text("errorMessage") });
        }
        Ok(body)
    }

    /// The status, whether the function itself failed, and the body.
    async fn post(&self, name: &str, event: Bytes) -> Result<(StatusCode, bool, Bytes), InvokeError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/2015-03-31/functions/{name}/invocations", self.base))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(event))
            .map_err(unavailable)?;
        let answer = self.client.request(request).await.map_err(unavailable)?;
        let status = answer.status();
        let is_error = answer.headers().contains_key("x-amz-function-error");
        let body = axum::body::to_bytes(Body::new(answer.into_body()), PAYLOAD_LIMIT_BYTES).await;
        Ok((status, is_error, body.map_err(unavailable)?))
    }
}

fn unavailable(error: impl std::error::Error) -> InvokeError {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    InvokeError::Unavailable(message)
}
