//! The REST API: what a CRM reads, and what an operator manages.
//!
//! [`router`] lists the routes. What all of them have in common is done once: in `conventions` for answers, in `extract`
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
use utoipa::OpenApi as _;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

use crate::{documents::Documents, error::Error};

/// The largest body, but for a batch.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// 10,000 mappings with the longest ids, and less than a Lambda function is given.
const MAX_BATCH_BYTES: usize = 5 * 1024 * 1024;

/// Answers one event of the HTTP API.
pub async fn handle(router: Router, request: lambda_http::Request) -> Result<Response<Body>, Infallible> {
    router.oneshot(request.map(|body| Body::from(body.to_vec()))).await
}

/// All routes, with the document that is generated from them.
pub fn router(deps: Deps) -> Router {
    let deps = Arc::new(deps);
    let cors = cors(&deps.config.cors_origins);
    let service = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(health::running))
        .routes(routes!(health::health))
        .routes(routes!(documents::openapi))
        .routes(routes!(documents::asyncapi))
        .routes(routes!(documents::docs))
        .routes(routes!(dialpad::link::connect))
        .routes(routes!(dialpad::link::callback));
    let app = OpenApiRouter::new()
        .routes(routes!(calls::list))
        .routes(routes!(calls::active))
        .routes(routes!(calls::show))
        .routes(routes!(timeline::timeline))
        .routes(routes!(call_requests::request))
        .routes(routes!(call_requests::show))
        .routes(routes!(lookup::lookup))
        .routes(routes!(messages::list))
        .routes(routes!(messages::show))
        .routes(routes!(agents::list))
        .routes(routes!(events::list))
        .routes(routes!(tickets::issue))
        .routes(routes!(voicemails::list))
        .routes(routes!(voicemails::unread_count))
        .routes(routes!(voicemails::show, voicemails::change, voicemails::delete));
    let operator = OpenApiRouter::new()
        .routes(routes!(apps::create, apps::list))
        .routes(routes!(apps::show, apps::change))
        .routes(routes!(apps::audit))
        .routes(routes!(diagnostics::diagnose))
        .routes(routes!(dialpad::webhook_secret::rotate))
        .routes(routes!(dialpad::link::make_link))
        .routes(routes!(dialpad::manage::adopt_key))
        .routes(routes!(dialpad::manage::disconnect))
        .routes(routes!(dialpad::manage::disconnect_by_old_path))
        .routes(routes!(dialpad::state::show))
        .routes(routes!(dialpad::provision::provision))
        .routes(routes!(dialpad::provision::deprovision))
        .routes(routes!(dialpad::reconcile::reconcile))
        .routes(routes!(api_keys::rotate))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(api_keys::status))
        .routes(routes!(api_keys::audit))
        .routes(routes!(voicemails::list_of_app))
        .routes(routes!(voicemails::show_of_app, voicemails::delete_of_app))
        .routes(routes!(mappings::map))
        .routes(routes!(mappings::batch_map).layer(DefaultBodyLimit::max(MAX_BATCH_BYTES)))
        .routes(routes!(mappings::list))
        .routes(routes!(mappings::delete))
        .routes(routes!(mappings::of_dialpad_user, mappings::delete_of_dialpad_user))
        .routes(routes!(mappings::of_crm_user))
        .routes(routes!(erasures::create))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::replay))
        .routes(routes!(deliveries::redrive))
        .routes(routes!(deliveries::queue))
        .routes(routes!(sockets::stats));

    // No browser calls `/internal`, so that part is without CORS.
    let open_to_browsers = service.merge(app);
    let open_to_browsers = match cors {
        Some(cors) => open_to_browsers.layer(cors),
        None => open_to_browsers,
    };
    let (router, document) = open_to_browsers.merge(operator).split_for_parts();
    let router = router
        .fallback(no_route)
        .layer(Extension(Documents::new(document)))
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
