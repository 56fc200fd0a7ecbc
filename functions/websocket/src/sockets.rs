//! What the routes need.

use shared::{clock::Clock, registry::Registry, store::Store, telemetry::Metrics};

use crate::{Config, allowance::Allowance};

/// What the routes need; lives as long as the function is warm.
pub struct Sockets {
    /// Keys and the event log.
    pub(crate) store: Store,
    /// Who is connected.
    pub(crate) registry: Registry,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) config: Config,
    /// How many refusals may still be written down.
    pub(crate) noted: Allowance,
    pub(crate) metrics: Metrics,
}

impl Sockets {
    /// Puts it together.
    #[must_use]
    pub fn new(store: Store, registry: Registry, clock: Box<dyn Clock>, config: Config) -> Self {
        let (noted, metrics) = (Allowance::default(), Metrics::default());
        Self { store, registry, clock, config, noted, metrics }
    }

    /// Counts into these instead of into some that nobody reads.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }
}
