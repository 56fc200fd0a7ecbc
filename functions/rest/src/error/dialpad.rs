//! How a refusal of Dialpad's is answered.

use shared::{
    connection,
    invoke::{self, RefusalKind},
    problem::Problem,
};

/// The stack has no function for Dialpad, or that function lacks a setting.
pub(super) fn not_configured() -> Problem {
    let detail = "This stack cannot speak with Dialpad: DIALPAD_FUNCTION is not set.";
    Problem::new(503, "dialpad_not_configured", detail).with_retry_after(60)
}

/// What came of asking Dialpad.
pub(super) fn problem(error: &connection::Error) -> Problem {
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
