//! The edge: the HTTP API and the WebSocket API as API Gateway serves them.
//!
//! Requests become Lambda events (payload format 2.0, WebSocket proxy events), answers become HTTP responses and
//! frames. What API Gateway does, where that is known from, and which test holds it, is a table in `docs/local.md`.
//! The functions behind it are reached through [`Invoke`], so that the edge can be run without any of them.

mod body;
mod clock;
mod connection;
mod connections;
mod event;
mod http;
mod http_event;
mod http_response;
mod ids;
mod management;
mod messages;
mod routes;
mod socket;
mod websocket;
mod websocket_event;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use self::clock::Clock;
use self::connections::Connections;
use self::routes::Routes;
use crate::faults::Faults;
use crate::lambda::{Invoke, InvokeError};
use crate::template::{HttpRoute, WebSocketApi};
use crate::urls::PublicUrls;

/// API Gateway's limits, which tests make smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long the edge waits for a function, unless the template says otherwise.
    pub integration_timeout: Duration,
    /// The largest body of an HTTP request.
    pub body_bytes: usize,
    /// The largest WebSocket message, in either direction.
    pub message_bytes: usize,
    /// The largest frame a client may send.
    pub frame_bytes: usize,
    /// How long a connection may go without a message either way.
    pub idle: Duration,
    /// How old a connection may get.
    pub age: Duration,
    /// How much may wait for one client to read it; a post beyond that is refused with 429.
    pub buffered_bytes: usize,
    /// How long a client may leave a frame unread before its connection is given up.
    pub write_timeout: Duration,
    /// How long a client may take to answer a close frame.
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            integration_timeout: Duration::from_secs(29),
            body_bytes: 10 * 1024 * 1024,
            message_bytes: 128 * 1024,
            frame_bytes: 32 * 1024,
            idle: Duration::from_mins(10),
            age: Duration::from_hours(2),
            buffered_bytes: 1024 * 1024,
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(1),
        }
    }
}

/// The HTTP API and the WebSocket API, side by side on one port.
#[derive(Clone)]
pub struct Edge {
    gateway: Arc<Gateway>,
}

impl Edge {
    /// Makes an edge for these routes in front of these functions, with API Gateway's limits and the real time.
    #[must_use]
    pub fn new(
        http_routes: &[HttpRoute],
        websocket: WebSocketApi,
        functions: Arc<dyn Invoke>,
        public: &PublicUrls,
        faults: Faults,
    ) -> Self {
        Self::with(http_routes, websocket, functions, public, Limits::default(), Clock::new(), faults)
    }

    /// Makes an edge with other limits and a clock of the caller's.
    #[must_use]
    pub fn with(
        http_routes: &[HttpRoute],
        websocket: WebSocketApi,
        functions: Arc<dyn Invoke>,
        public: &PublicUrls,
        limits: Limits,
        clock: Clock,
        faults: Faults,
    ) -> Self {
        let gateway = Gateway {
            routes: Routes::new(http_routes),
            websocket,
            functions,
            domain: event::authority(&public.http).to_owned(),
            limits,
            clock,
            faults,
            connections: Connections::default(),
            stopping: watch::Sender::new(false),
        };
        Self { gateway: Arc::new(gateway) }
    }

    /// The public side: the HTTP API at `/`, the WebSocket API at `/{stage}`.
    pub fn router(&self) -> Router {
        Router::new().fallback(dispatch).with_state(Arc::clone(&self.gateway))
    }

    /// The side for the functions: `/{stage}/@connections/{id}`, for the AWS endpoint.
    pub fn connections_router(&self) -> Router {
        management::router(Arc::clone(&self.gateway))
    }

    /// How many WebSocket connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.gateway.connections.len()
    }

    /// Closes every connection with 1001, lets their `$disconnect` run, and takes no new one.
    pub async fn shut_down(&self) {
        self.gateway.stopping.send_replace(true);
        let grace = self.gateway.limits.close_timeout + Duration::from_secs(4);
        if tokio::time::timeout(grace, self.gateway.stopping.closed()).await.is_err() {
            tracing::warn!("some $disconnect invocations did not finish");
        }
    }
}

/// Serves a router of the edge until `stop` resolves, with what API Gateway's front has: client addresses and no
/// delay for small writes.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not switch off Nagle's algorithm");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

async fn dispatch(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    if websocket::is_upgrade(request.headers()) {
        websocket::connect(gateway, request).await
    } else {
        http::handle(&gateway, request).await
    }
}

/// Everything the parts of the edge share.
struct Gateway {
    routes: Routes,
    websocket: WebSocketApi,
    functions: Arc<dyn Invoke>,
    /// The host and port clients are told, for a request that names no host.
    domain: String,
    limits: Limits,
    clock: Clock,
    faults: Faults,
    connections: Connections,
    /// Turns true once; every connection's task holds a receiver, so `closed` waits for the last of them.
    stopping: watch::Sender<bool>,
}

/// Why an integration gave no answer.
enum Failure {
    /// It took longer than the integration time-out.
    TimedOut,
    /// It was invoked and failed, or could not be invoked.
    Function(InvokeError),
}

impl Failure {
    fn log(&self, function: &str, route: &str) {
        match self {
            Self::TimedOut => {
                tracing::error!(function, route, "the function took longer than the integration may");
            }
            Self::Function(error) => {
                let error = error as &dyn std::error::Error;
                tracing::error!(function, route, error, "the function failed");
            }
        }
    }
}

impl Gateway {
    /// Invokes a function and waits for it as long as this integration, or else any, may take.
    async fn invoke(
        &self,
        function: &str,
        timeout: Option<Duration>,
        event: Value,
    ) -> Result<Value, Failure> {
        let functions = Arc::clone(&self.functions);
        let name = function.to_owned();
        // A task of its own: neither the time-out nor a client that leaves stops what has begun.
        let invocation = tokio::spawn(async move { functions.invoke(&name, event).await });
        let timeout = timeout.unwrap_or(self.limits.integration_timeout);
        match tokio::time::timeout(timeout, invocation).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(Failure::Function(error)),
            Ok(Err(panic)) => Err(Failure::Function(InvokeError::Unavailable(panic.to_string()))),
            Err(_elapsed) => Err(Failure::TimedOut),
        }
    }
}
