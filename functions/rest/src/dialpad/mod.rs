//! An app's connection to Dialpad: connected by a person, provisioned and watched by operators.
//!
//! Everything that Dialpad is asked goes through the function for Dialpad, with tokens that are sealed here.

pub(crate) mod link;
pub(crate) mod manage;
mod page;
pub(crate) mod provision;
pub(crate) mod state;

use shared::{
    connection::{self, Dialpad},
    domain::ids::AppId,
    invoke::{self, Invoker, RefusalKind},
    problem::Problem,
};

use crate::{
    Deps,
    auth::PublicUrl,
    error::{Error, Result},
};

/// Who speaks with Dialpad.
pub(crate) fn invoker(deps: &Deps) -> Result<&Invoker> {
    deps.dialpad.as_ref().ok_or(Error::NoDialpad)
}

/// Dialpad, to be asked for an app.
pub(crate) fn dialpad(deps: &Deps) -> Result<Dialpad<'_>> {
    Ok(Dialpad { store: &deps.store, invoker: invoker(deps)?, clock: &*deps.clock })
}

/// Where Dialpad is to deliver an app's events.
pub(crate) fn hook_url(PublicUrl(url): &PublicUrl, app_id: AppId) -> String {
    format!("{url}/webhooks/dialpad/{app_id}")
}

/// The stack has no function for Dialpad, or that function lacks a setting.
pub(crate) fn not_configured() -> Problem {
    let detail = "This stack cannot speak with Dialpad: DIALPAD_FUNCTION is not set.";
    Problem::new(503, "dialpad_not_configured", detail).with_retry_after(60)
}

/// How a refusal of Dialpad's is answered.
pub(crate) fn problem(error: &connection::Error) -> Problem {
    let not_connected = || {
        let detail = "No company is connected with this app, or Dialpad does not accept its tokens any more; connect it again.";
        Problem::new(409, "dialpad_not_connected", detail)
    };
    let unknown = || {
        let detail = "There was no answer, so nobody knows whether it was done; look before you repeat it.";
        Problem::new(503, "dialpad_outcome_unknown", detail)
    };
    let away = || {
        Problem::new(503, "dialpad_unavailable", "Dialpad cannot be reached; try again.").with_retry_after(5)
    };
    let refusal = match error {
        connection::Error::NotConnected => return not_connected(),
        connection::Error::Busy | connection::Error::Invoke(invoke::Error::Away(_)) => return away(),
        connection::Error::Invoke(invoke::Error::Failed(_) | invoke::Error::Json(_)) => return unknown(),
        connection::Error::Store(_) => return Problem::new(503, "database_unavailable", "Try again."),
        connection::Error::Invoke(invoke::Error::Refused(refusal)) => refusal,
    };
    let detail = &refusal.detail;
    match refusal.kind {
        RefusalKind::NotConfigured => {
            Problem::new(503, "dialpad_not_configured", detail).with_retry_after(60)
        }
        RefusalKind::Unauthorized | RefusalKind::GrantExpired => not_connected(),
        RefusalKind::Forbidden => Problem::new(409, "dialpad_forbidden", detail),
        RefusalKind::NotFound | RefusalKind::Invalid => Problem::new(422, "dialpad_refused", detail),
        RefusalKind::RateLimited => {
            let wait = refusal.retry_after.unwrap_or(60);
            Problem::new(429, "dialpad_rate_limited", "Dialpad's limit is reached; try again later.")
                .with_retry_after(wait)
        }
        RefusalKind::Unavailable => away(),
        RefusalKind::Unknown => unknown(),
    }
}
