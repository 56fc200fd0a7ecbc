//! Whether the service lives: `GET /` and `GET /health`.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{store::inbox, telemetry::Chain};
use utoipa::ToSchema;

use crate::{
    Deps,
    extract::{NoParameters, Query},
};

/// That the server is there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Running {
    #[schema(example = "CTI Server is running")]
    message: &'static str,
}

/// Says that the server runs.
#[utoipa::path(get, path = "/", tag = "Service", responses((status = 200, body = Running)))]
pub(crate) async fn running(_: Query<NoParameters>) -> axum::Json<Running> {
    axum::Json(Running { message: "CTI Server is running" })
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy`, or `unavailable` while the database is away.
    #[schema(example = "healthy")]
    status: &'static str,
    /// The release.
    version: &'static str,
    database: DatabaseHealth,
    /// Null while the database is away.
    #[schema(required)]
    queue: Option<QueueHealth>,
}

/// How the database is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatabaseHealth {
    /// Whether it answered.
    ok: bool,
    /// How long that took, in milliseconds.
    latency_ms: f64,
}

/// What waits to be processed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueHealth {
    /// Deliveries not yet processed.
    pending: i64,
    /// Age of the oldest, in seconds.
    oldest_pending_seconds: i64,
}

/// Tells whether the database answers, and what waits to be processed.
#[utoipa::path(get, path = "/health", tag = "Service", responses(
    (status = 200, body = Health),
    (status = 503, description = "The database is away.", body = Health, content_type = "application/json"),
))]
pub(crate) async fn health(State(deps): State<Arc<Deps>>, _: Query<NoParameters>) -> Response {
    let started = Instant::now();
    let backlog = async {
        let db = deps.store.system().await?;
        inbox::backlog(&*db, deps.clock.now()).await
    };
    let backlog = backlog.await.inspect_err(|error| {
        tracing::error!(component = "Rest", error = %Chain(error), "the database does not answer");
    });
    let health = Health {
        status: if backlog.is_ok() { "healthy" } else { "unavailable" },
        version: env!("CARGO_PKG_VERSION"),
        database: DatabaseHealth {
            ok: backlog.is_ok(),
            latency_ms: started.elapsed().as_secs_f64() * 1000.0,
        },
        queue: backlog.ok().map(|backlog| QueueHealth {
            pending: backlog.pending,
            oldest_pending_seconds: backlog.oldest_seconds,
        }),
    };
    if health.database.ok {
        return axum::Json(health).into_response();
    }
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, axum::Json(health)).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
