//! The REST API: what a CRM reads, and what an operator manages.
//!
//! `operations` lists the routes. What all of them have in common is done once: in `conventions` for answers, in `extract`
//! for what is taken out of a request, in `auth` for who is asking, and in `error` for the status of each refusal.

mod agents;
mod api_keys;
mod apps;
mod auth;
mod call_requests;
mod calls;
mod config;
mod conventions;
mod deliveries;
mod deps;
mod diagnostics;
mod dialpad;
mod documents;
mod erasures;
mod error;
mod events;
mod extract;
mod health;
mod limits;
mod lookup;
mod mappings;
mod messages;
mod numbers;
mod openapi;
mod operations;
mod page;
mod reply;
mod schema;
mod sockets;
mod tickets;
mod timeline;
mod voicemails;

pub use config::{Config, Origins};
pub use deps::Deps;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension, Router,
    body::Body,
    extract::DefaultBodyLimit,
    http::{
        HeaderName, Method, Response, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER},
    },
    middleware::{from_fn, from_fn_with_state},
};
use lambda_http::tower::ServiceExt as _;
use shared::http::REQUEST_ID;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{documents::Documents, error::Error};

/// The largest body, but for a batch.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// 10,000 mappings with the longest ids, and less than a Lambda function is given.
const MAX_BATCH_BYTES: usize = 5 * 1024 * 1024;

/// Answers one event of the HTTP API.
pub async fn handle(router: Router, request: lambda_http::Request) -> Result<Response<Body>, Infallible> {
    router.oneshot(request.map(|body| Body::from(body.to_vec()))).await
}

/// All routes, with what they have in common.
pub fn router(deps: Deps) -> Router {
    let deps = Arc::new(deps);
    let cors = cors(&deps.config.cors_origins);
    // No browser calls `/internal`, so that part is without CORS.
    let open_to_browsers = operations::of_the_service().merge(operations::of_an_app());
    let open_to_browsers = match cors {
        Some(cors) => open_to_browsers.layer(cors),
        None => open_to_browsers,
    };
    let router = open_to_browsers
        .merge(operations::of_an_operator())
        .merge(operations::in_bulk().layer(DefaultBodyLimit::max(MAX_BATCH_BYTES)))
        .fallback(no_route)
        .layer(Extension(Arc::new(Documents::new(operations::described))))
        .layer(from_fn(conventions::note_route))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::clone(&deps));
    // Around the router, not in it: a router sets `Allow` after its own layers.
    Router::new().fallback_service(router).layer(from_fn_with_state(deps, conventions::apply))
}

async fn no_route(uri: Uri) -> Error {
    Error::NoRoute(match uri.path() {
        "/internal/users/map" => "Mappings belong to an app: the path is /internal/apps/{app_id}/users/map.",
        "/internal/users/batch-map" => {
            "Mappings belong to an app: the path is /internal/apps/{app_id}/users/batch-map."
        }
        _ => "No route has this path; /openapi.json lists them all.",
    })
}

/// Who may call from a browser, or nothing if nobody may.
fn cors(origins: &Origins) -> Option<CorsLayer> {
    let allowed = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::These(origins) if origins.is_empty() => return None,
        Origins::These(origins) => AllowOrigin::list(origins.clone()),
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            HeaderName::from_static("x-app-api-key"),
            HeaderName::from_static("idempotency-key"),
            AUTHORIZATION,
            CONTENT_TYPE,
            REQUEST_ID,
        ])
        .expose_headers([REQUEST_ID, LOCATION, RETRY_AFTER, limits::LIMIT, limits::REMAINING, limits::RESET])
        .max_age(std::time::Duration::from_mins(10));
    Some(layer)
}
