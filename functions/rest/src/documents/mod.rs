//! What the APIs are, for programs and for people: OpenAPI, `AsyncAPI`, and a page that renders both.

mod asyncapi;
mod examples;
mod page;
mod sample;

use std::sync::{Arc, OnceLock};

use axum::{
    Extension,
    extract::State,
    http::{
        HeaderName,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::{
    Deps,
    auth::PublicUrl,
    extract::{NoParameters, Query},
    openapi::completed,
    tickets::socket_url,
};

/// The documents, each made when it is first asked for: a cold start need not wait for them.
pub(crate) struct Documents {
    described: fn() -> OpenApi,
    openapi: OnceLock<OpenApi>,
    asyncapi: OnceLock<Value>,
    page: OnceLock<page::Page>,
}

impl Documents {
    /// With what is to say what the operations are.
    pub(crate) fn new(described: fn() -> OpenApi) -> Self {
        Self { described, openapi: OnceLock::new(), asyncapi: OnceLock::new(), page: OnceLock::new() }
    }

    fn openapi(&self) -> &OpenApi {
        self.openapi.get_or_init(|| completed((self.described)()))
    }

    fn asyncapi(&self) -> &Value {
        self.asyncapi.get_or_init(asyncapi::document)
    }

    fn page(&self) -> &page::Page {
        self.page.get_or_init(|| {
            // A document is made of maps with texts as keys: it can always be written.
            let openapi = serde_json::to_value(self.openapi()).unwrap_or_default();
            page::render(&openapi, self.asyncapi())
        })
    }
}

type Made = Extension<Arc<Documents>>;

/// Gives this document: the HTTP API in OpenAPI 3.1.
#[utoipa::path(get, operation_id = "show_openapi", path = "/openapi.json", tag = "Service",
    responses((status = 200, description = "An OpenAPI document.", body = Object)))]
pub(crate) async fn openapi(Extension(made): Made, _: Query<NoParameters>) -> Response {
    axum::Json(made.openapi()).into_response()
}

/// Gives the document of the socket: its frames, in `AsyncAPI` 3.
#[utoipa::path(get, operation_id = "show_asyncapi", path = "/asyncapi.json", tag = "Service",
    responses((status = 200, description = "An AsyncAPI document.", body = Object)))]
pub(crate) async fn asyncapi(
    State(deps): State<Arc<Deps>>,
    Extension(made): Made,
    url: PublicUrl,
    _: Query<NoParameters>,
) -> axum::Json<Value> {
    let mut document = made.asyncapi().clone();
    document["servers"]["socket"] = asyncapi::server(&socket_url(&deps.config, &url));
    axum::Json(document)
}

/// Renders both documents for people. The page needs neither scripts nor any other host.
#[utoipa::path(get, operation_id = "show_docs", path = "/docs", tag = "Service",
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")))]
pub(crate) async fn docs(Extension(made): Made, _: Query<NoParameters>) -> Response {
    let page = made.page();
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, &page.policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, page.html.clone()).into_response()
}
