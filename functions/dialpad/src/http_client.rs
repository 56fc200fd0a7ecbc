//! One request to Dialpad at a time: with a limit on how long it takes, and patience with its limits.

use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderMap, Method, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde_json::Value;
use shared::config::Secret;
use tokio::time::{Instant, sleep, timeout};

use crate::error::Error;

/// The largest answer that is read.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How long it may take to be connected.
const CONNECT: Duration = Duration::from_secs(2);
/// How often a request that changes nothing when it comes twice is sent.
const TRIES: u32 = 3;
/// The longest wait that Dialpad may ask for before it is tried again here; whoever asked waits for longer ones.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Bytes of a request.
type Body = Full<std::io::Cursor<Vec<u8>>>;

/// A client of Dialpad.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    timeout: Duration,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// What the log calls it: no id and no number is in it.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) url: String,
    /// Whose it is; none for requests that carry the client's own secret.
    pub(crate) bearer: Option<&'a Secret>,
    pub(crate) body: Option<Value>,
    /// Whether it may be sent again when nobody knows what became of it.
    pub(crate) may_repeat: bool,
}

impl Http {
    /// A client that waits this long for each answer.
    pub(crate) fn new(timeout: Duration) -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), timeout })
    }

    /// Sends a request, again where that does no harm, and gives the answer's JSON; null where there is none.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Value, Error> {
        let started = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.once(call).await;
            let status = match &outcome {
                Ok(_) => Some(StatusCode::OK),
                Err(error) => error.status(),
            };
            tracing::info!(
                component = "Dialpad",
                call = call.name,
                tries,
                status = status.map(|status| status.as_u16()),
                duration_ms = started.elapsed().as_secs_f64() * 1000.0,
                "asked Dialpad"
            );
            match &outcome {
                Err(error) if tries < TRIES => match wait(error, call.may_repeat) {
                    Some(wait) => sleep(wait).await,
                    None => return outcome,
                },
                Ok(_) | Err(_) => return outcome,
            }
        }
    }

    async fn once(&self, call: &Call<'_>) -> Result<Value, Error> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(&call.url)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("cti-server/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = call.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                body.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        let request = request
            .body(Full::new(std::io::Cursor::new(body)))
            .map_err(|error| Error::Unreachable(Box::new(error)))?;
        timeout(self.timeout, self.exchange(request)).await.unwrap_or(Err(Error::NoAnswer))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Value, Error> {
        let answer = match self.client.request(request).await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Err(Error::Unreachable(Box::new(error))),
            Err(_) => return Err(Error::NoAnswer),
        };
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|_| Error::NoAnswer)?.to_bytes();
        if !head.status.is_success() {
            return Err(Error::refused(head.status, &body, retry_after(&head.headers)));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(Error::Unreadable)
    }
}

/// How long to wait before it is tried again; none: it is not.
fn wait(error: &Error, may_repeat: bool) -> Option<Duration> {
    const SHORT: Duration = Duration::from_millis(200);
    match error {
        // Dialpad's limit was reached, so it did nothing.
        Error::Refused { status: StatusCode::TOO_MANY_REQUESTS, retry_after, .. } => {
            retry_after.filter(|wait| *wait <= LONGEST_WAIT)
        }
        Error::Refused { status, .. } => (status.is_server_error() && may_repeat).then_some(SHORT),
        Error::Unreachable(_) => Some(SHORT),
        // What was not answered has already been waited for.
        Error::NoAnswer
        | Error::NotConfigured(_)
        | Error::Sealing(_)
        | Error::Grant
        | Error::Unreadable(_) => None,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
