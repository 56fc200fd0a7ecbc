//! Settings of the webhook.

use shared::config::{Env, Error, Secret};

/// What the webhook is told.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `EVENT_QUEUE_URL`.
    pub event_queue_url: String,
    /// `SPILL_QUEUE_URL`.
    pub spill_queue_url: String,
    /// `DIALPAD_WEBHOOK_SECRET`: the one secret of `POST /webhooks/dialpad`, for a stack with one app.
    pub stack_secret: Option<Secret>,
    /// `ALLOW_UNSIGNED_WEBHOOKS`: whether every app takes deliveries without a signature. For development only.
    pub allow_unsigned: bool,
    /// `STACK_NAME`: whose metrics these are.
    pub stack_name: String,
}

impl Config {
    /// Reads them.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            database_url: Secret::new(env.required("DATABASE_URL")?),
            event_queue_url: env.required("EVENT_QUEUE_URL")?.to_owned(),
            spill_queue_url: env.required("SPILL_QUEUE_URL")?.to_owned(),
            stack_secret: env.secret("DIALPAD_WEBHOOK_SECRET"),
            allow_unsigned: env.parsed("ALLOW_UNSIGNED_WEBHOOKS", false)?,
            stack_name: env.required("STACK_NAME")?.to_owned(),
        })
    }
}
