//! How each app's deliveries are authenticated, remembered between invocations, and used stale while the database is away.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use shared::{domain::ids::AppId, store::apps::WebhookSecrets};

/// How long they are taken to be true without looking.
const FRESH: TimeDelta = TimeDelta::seconds(60);

/// What this function knows of the apps.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Mutex<HashMap<AppId, (WebhookSecrets, DateTime<Utc>)>>);

/// What is remembered of one app.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    /// How its deliveries are authenticated.
    pub(crate) secrets: WebhookSecrets,
    /// Whether that was read lately.
    pub(crate) is_fresh: bool,
    /// Whether it was read for an earlier delivery: then it is read again when a signature does not fit, since a refusal is
    /// never repeated, and the secret may just have been rotated.
    pub(crate) may_be_outdated: bool,
}

impl Secrets {
    pub(crate) fn recall(&self, app_id: AppId, now: DateTime<Utc>) -> Option<Remembered> {
        let apps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (secrets, read_at) = apps.get(&app_id)?;
        Some(Remembered { secrets: secrets.clone(), is_fresh: now - *read_at < FRESH, may_be_outdated: true })
    }

    pub(crate) fn remember(&self, secrets: WebhookSecrets, now: DateTime<Utc>) {
        let mut apps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        apps.insert(secrets.app_id, (secrets, now));
    }
}
