//! Brings the database to the schema of this release.
//!
//! Invoked at deploy, or by hand, with `{"action": "plan" | "apply" | "verify"}`; without an action it applies. The
//! answer names the migrations by file. A failed invocation leaves the database as the last whole file made it.

mod config;
mod error;

pub use self::{config::Config, error::Error};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::migrate::{self, Report};

/// What is asked for. Unknown members are refused: a misspelt `plan` must not apply.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Event {
    action: Action,
}

/// What to do with the migrations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Say what would be applied.
    Plan,
    /// Apply what is missing.
    #[default]
    Apply,
    /// Fail unless nothing is missing.
    Verify,
}

/// What was done, and the state of the database by file name.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What was asked for.
    pub action: Action,
    /// What came of it.
    #[serde(flatten)]
    pub report: Report,
}

/// Does what the event asks for.
pub async fn handle(config: &Config, event: Value) -> Result<Answer, Error> {
    let event: Option<Event> = serde_json::from_value(event).map_err(Error::Event)?;
    let action = event.unwrap_or_default().action;
    let url = config.database_url.expose();
    let outcome = match action {
        Action::Plan => migrate::plan(url).await,
        Action::Apply => migrate::apply(url).await,
        Action::Verify => migrate::verify(url).await,
    };
    let report = outcome.map_err(Error::Migrate).inspect_err(Error::log)?;
    tracing::info!(
        component = "Migrator",
        ?action,
        applied = ?report.applied,
        pending = ?report.pending,
        newer = ?report.newer,
        present = report.present.len(),
        "done"
    );
    Ok(Answer { action, report })
}
