//! An app's connection to Dialpad: connected by a person, provisioned and watched by operators.
//!
//! Everything that Dialpad is asked goes through the function for Dialpad, with tokens that are sealed here.

pub(crate) mod link;
pub(crate) mod manage;
mod page;
pub(crate) mod provision;
pub(crate) mod reconcile;
pub(crate) mod state;
pub(crate) mod webhook_secret;

use shared::{connection::Dialpad, domain::ids::AppId, invoke::Invoker};

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
