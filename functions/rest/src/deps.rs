//! What the handlers work with, opened once by whoever composes.

use std::{fmt, sync::Arc};

use shared::{clock::Clock, invoke::Invoker, registry::Registry, store::Store, telemetry::Metrics};

use crate::Config;

/// What the handlers work with.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub store: Store,
    /// Who is connected, where that is configured.
    pub registry: Option<Registry>,
    /// Who speaks with Dialpad, where that is configured.
    pub dialpad: Option<Invoker>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub config: Config,
    /// What happened.
    pub metrics: Arc<Metrics>,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps").field("config", &self.config).finish_non_exhaustive()
    }
}
