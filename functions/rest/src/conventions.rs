//! What every answer has in common, done once around all routes: the request's id, problem documents, 405 with the
//! methods there are, OPTIONS, a line in the log, and an answer even when a handler panics.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CACHE_CONTROL, CONTENT_LENGTH},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use shared::{
    domain::ids::AppId,
    http::{REQUEST_ID, problem, request_id, trace_id},
    problem::Problem,
    telemetry::{Metric, TraceId},
};

use crate::{
    Deps,
    error::{Error, Refusal, allowed},
    limits::Standing,
};

/// What is known of the request that is being answered.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Its id, as logged and as sent back.
    pub(crate) request_id: String,
    /// The tenant, once the caller is known.
    pub(crate) app_id: OnceLock<AppId>,
    /// How much of its limit the caller has used, once the caller is known and has one.
    pub(crate) standing: OnceLock<Standing>,
    route: OnceLock<MatchedPath>,
}

/// The layer around everything.
pub(crate) async fn apply(State(deps): State<Arc<Deps>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let context = Arc::new(Context { request_id: request_id(request.headers()), ..Context::default() });
    let trace_id = trace_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(Arc::clone(&context));
    let asks_for_methods =
        method == Method::OPTIONS && !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if asks_for_methods {
        // The CORS layer answers every OPTIONS as a preflight, so one that is none goes past it under a name that no
        // route has: the router's 405 then says which methods there are.
        *request.method_mut() = Method::TRACE;
    }

    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| Error::Panicked.into_response());
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let methods = allowed(&response);
        response = if asks_for_methods {
            StatusCode::NO_CONTENT.into_response()
        } else {
            Error::MethodNotAllowed.into_response()
        };
        response.headers_mut().insert(ALLOW, methods);
    }
    if let Some(Refusal { problem, cause }) = response.extensions_mut().remove::<Refusal>() {
        if let Some(error) = cause {
            tracing::error!(
                component = "Rest",
                request_id = context.request_id,
                code = problem.code,
                error,
                "failed"
            );
        }
        response = written(&response, &problem.at(&path, &context.request_id));
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
    }
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(standing) = context.standing.get() {
        standing.write(response.headers_mut());
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));

    tracing::info!(
        component = "Rest",
        request_id = context.request_id,
        app_id = context.app_id.get().map(tracing::field::display),
        trace_id = trace_id.as_ref().map(TraceId::as_str),
        %method,
        route = context.route.get().map(MatchedPath::as_str),
        status = response.status().as_u16(),
        duration_ms = started.elapsed().as_secs_f64() * 1000.0,
        "answered"
    );
    count_refusals(&deps, &context, &method, response.status());
    deps.metrics.flush(deps.clock.now());
    response
}

/// Counts credentials that were not accepted; whoever asks for a key without being allowed to is of interest by itself.
fn count_refusals(deps: &Deps, context: &Context, method: &Method, status: StatusCode) {
    let Some(route) = context.route.get().map(MatchedPath::as_str) else { return };
    if status == StatusCode::UNAUTHORIZED {
        let part = if route.starts_with("/internal") { "internal" } else { "api" };
        deps.metrics.count(Metric::AuthFailures, part);
    }
    let is_refused = status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN;
    if is_refused && *method == Method::POST && route == "/internal/apps/{app_id}/api-key" {
        deps.metrics.add(Metric::ApiKeyRefused, 1);
    }
}

/// Notes which route it is; paths themselves are not logged, since a stranger decides what is in them.
pub(crate) async fn note_route(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(context), Some(path)) = (extensions.get::<Arc<Context>>(), extensions.get::<MatchedPath>()) {
        let _ = context.route.set(path.clone());
    }
    next.run(request).await
}

/// A refusal in full; the headers it came with (CORS, Allow, a challenge) stay.
fn written(refused: &Response, refusal: &Problem) -> Response {
    let (parts, body) = problem(refusal).into_parts();
    let mut response = Response::from_parts(parts, Body::from(body));
    for (name, value) in refused.headers() {
        if name != CONTENT_LENGTH {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
