//! All operations: what answers each, and what the document says of it.
//!
//! The router is needed at once, and what describes the operations only by who asks for the document: to put that
//! together takes longer than all else that a cold start does.

use std::sync::Arc;

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, on},
};
use utoipa::{
    OpenApi, Path,
    openapi::{self, HttpMethod},
};

use crate::{
    Deps, agents, api_keys, apps, call_requests, calls, deliveries, diagnostics,
    dialpad::{link, manage, provision, reconcile, state, webhook_secret},
    documents, erasures, events, health, lookup, mappings, messages, sockets, tickets, timeline, voicemails,
};

/// Makes a router of each group, and one description of all. What [`utoipa::path`] says of a handler stands in a type
/// that is named after it.
macro_rules! operations {
    ($($(#[$doc:meta])* $group:ident { $($module:ident: $($handler:ident),+;)+ })+) => {
        #[derive(OpenApi)]
        #[openapi(paths($($($($module::$handler),+),+),+))]
        struct Described;

        pastey::paste! {$(
            $(#[$doc])*
            pub(crate) fn $group() -> Router<Arc<Deps>> {
                let router = Router::new();
                $($(let router = with::<$module::[<__path_ $handler>], _, _>(router, &$module::$handler);)+)+
                router
            }
        )+}
    };
}

operations! {
    /// For everybody.
    of_the_service {
        health: running, health;
        documents: openapi, asyncapi, docs;
        link: connect, callback;
    }

    /// For an app, with its API key.
    of_an_app {
        calls: list, active, show;
        timeline: timeline;
        call_requests: request, show;
        lookup: lookup;
        messages: list, show;
        agents: list;
        events: list;
        tickets: issue;
        voicemails: list, unread_count, show, change, delete;
    }

    /// For an operator.
    of_an_operator {
        apps: create, list, show, change, audit;
        diagnostics: diagnose;
        webhook_secret: rotate;
        link: make_link;
        manage: adopt_key, disconnect, disconnect_by_old_path;
        state: show;
        provision: provision, deprovision;
        reconcile: reconcile;
        api_keys: rotate, revoke, status, audit;
        voicemails: list_of_app, show_of_app, delete_of_app;
        mappings: map, list, delete, of_dialpad_user, delete_of_dialpad_user, of_crm_user;
        erasures: create;
        deliveries: list, replay, redrive, queue;
        sockets: stats;
    }

    /// For an operator, with a larger body.
    in_bulk {
        mappings: batch_map;
    }
}

/// What the document says of all of them.
pub(crate) fn described() -> openapi::OpenApi {
    Described::openapi()
}

/// The router, and with it what answers an operation.
fn with<D, H, T>(router: Router<Arc<Deps>>, handler: &H) -> Router<Arc<Deps>>
where
    D: Path,
    H: Handler<T, Arc<Deps>>,
    T: 'static,
{
    D::methods()
        .into_iter()
        .fold(router, |router, method| router.route(&D::path(), on(filter(&method), handler.clone())))
}

const fn filter(method: &HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Options => MethodFilter::OPTIONS,
        HttpMethod::Head => MethodFilter::HEAD,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Trace => MethodFilter::TRACE,
    }
}
