//! One app's events, batch after batch, until none is due.

use std::time::Duration;

use futures_util::{StreamExt as _, future::try_join, stream};
use shared::{
    clock::Clock,
    domain::ids::AppId,
    invoke::Invoker,
    queue::Queue,
    store::{self, Store, event_log, inbox},
    telemetry::{Chain, Metric, Metrics},
};
use tokio::time::Instant;
use tracing::warn;

use crate::{
    Config, backoff,
    batch::{self, Applied, Batch},
    error::Error,
    outbox,
    traces::Traces,
};

/// The longest that an event is put off after a failure.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How many connections it has: so much is done at once.
pub const CONNECTIONS: usize = 2;

/// The queues that it works with.
#[derive(Debug)]
pub struct Queues {
    /// Which apps have work: its messages are put off.
    pub events: Queue,
    /// Deliveries that could not be stored: its messages are put off.
    pub spills: Queue,
    /// What clients are to be told: it is sent to.
    pub pushes: Queue,
}

/// What processing needs; lives as long as the function is warm.
pub struct Processor {
    pub(crate) store: Store,
    pub(crate) queues: Queues,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    /// Who speaks with Dialpad; none: silent legs stay as they are.
    pub(crate) dialpad: Option<Invoker>,
}

impl Processor {
    /// Puts it together.
    #[must_use]
    pub fn new(store: Store, queues: Queues, clock: Box<dyn Clock>, config: Config) -> Self {
        Self { store, queues, clock, config, metrics: Metrics::default(), dialpad: None }
    }

    /// Asks Dialpad for legs that fell silent, unless the settings say never.
    #[must_use]
    pub fn with_dialpad(self, dialpad: Option<Invoker>) -> Self {
        Self { dialpad, ..self }
    }

    /// Counts into these instead of into some that nobody reads.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// What happened since they were written.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Works on apps side by side, each for its turn; gives those whose turn ended before their work. A failure of one is
    /// logged and leaves the others alone; the sweep tries again.
    pub(crate) async fn work_on_each(
        &self,
        apps: impl IntoIterator<Item = (AppId, Traces)>,
        turn: Duration,
    ) -> Vec<AppId> {
        stream::iter(apps)
            .map(|(app_id, traces)| async move {
                let worked = self.work_on(app_id, &traces, Instant::now() + turn).await;
                let is_left = worked.unwrap_or_else(|cause| {
                    warn!(component = "Processor", %app_id, error = %Chain(&cause), "app left for the sweep");
                    false
                });
                is_left.then_some(app_id)
            })
            .buffer_unordered(CONNECTIONS)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// Applies the app's due events until there are none, somebody else does it, or its turn is over at `end`. Says
    /// whether events are left.
    ///
    /// Whoever finds the app locked leaves it: its event was committed before the lock was released, and the worker that
    /// had the lock looks again after that. So the last look is one without the lock; a look within the transaction could
    /// miss an event that is committed while the transaction ends.
    pub(crate) async fn work_on(&self, app_id: AppId, traces: &Traces, end: Instant) -> Result<bool, Error> {
        loop {
            let handed_over = match self.batch(app_id, self.config.batch_size, traces).await {
                Ok(Batch::Applied(applied)) => self.hand_over(app_id, applied, traces).await,
                Ok(Batch::NothingDue) => Vec::new(),
                Ok(Batch::Busy) => return Ok(false),
                Err(error) if error.is_unavailable() => return Err(error.into()),
                Err(error) => {
                    warn!(component = "Processor", %app_id, error = %Chain(&error), "batch failed, its events go one by one");
                    self.one_by_one(app_id, traces).await?;
                    Vec::new()
                }
            };
            let is_pending = self.mark_and_look(app_id, &handed_over).await?;
            if !is_pending || Instant::now() >= end {
                return Ok(is_pending);
            }
        }
    }

    /// Applies as many events as a batch holds, each in a transaction of its own, and puts off the one that fails.
    async fn one_by_one(&self, app_id: AppId, traces: &Traces) -> Result<(), Error> {
        for _ in 0..self.config.batch_size {
            match self.batch(app_id, 1, traces).await {
                Ok(Batch::Applied(applied)) => {
                    let handed_over = self.hand_over(app_id, applied, traces).await;
                    self.mark_and_look(app_id, &handed_over).await?;
                }
                Ok(Batch::NothingDue | Batch::Busy) => break,
                Err(error) if error.is_unavailable() => return Err(error.into()),
                Err(error) => self.put_off_oldest(app_id, &error).await?,
            }
        }
        Ok(())
    }

    /// Marks what was handed to the push queue, and says whether more events are due.
    async fn mark_and_look(&self, app_id: AppId, handed_over: &[i64]) -> Result<bool, Error> {
        let now = self.clock.now();
        let db = self.store.app(app_id).await?;
        if handed_over.is_empty() {
            return Ok(inbox::has_pending(&*db, app_id, now).await?);
        }
        let mark = event_log::mark_handed_over(&*db, app_id, handed_over, now);
        let look = inbox::has_pending(&*db, app_id, now);
        let ((), is_pending) = db.commit_with(try_join(mark, look)).await?;
        Ok(is_pending)
    }

    /// Puts off the event that stands first, after it failed alone.
    async fn put_off_oldest(&self, app_id: AppId, cause: &store::Error) -> Result<(), Error> {
        let now = self.clock.now();
        let db = self.store.app(app_id).await?;
        if let Some(event) = inbox::pending(&*db, app_id, now, 1).await?.first() {
            let due_at = now + backoff::doubled(event.attempts.unsigned_abs(), LONGEST_PAUSE);
            warn!(component = "Processor", %app_id, event_id = %event.id, attempts = event.attempts + 1, error = %Chain(cause), "event put off");
            let reason = Chain(cause).to_string();
            db.commit_with(inbox::retry_later(&*db, app_id, event.id, &reason, due_at)).await?;
            self.metrics.add(Metric::Retried, 1);
        }
        Ok(())
    }

    async fn batch(&self, app_id: AppId, limit: i64, traces: &Traces) -> store::Result<Batch> {
        let tx = self.store.app(app_id).await?;
        match batch::apply(&tx, app_id, limit, traces, self.clock.now()).await {
            // Nothing was done or locked, and the end of nothing need not be awaited.
            Ok(Batch::Busy) => Ok(Batch::Busy),
            Ok(batch) => tx.commit().await.map(|()| batch),
            Err(error) => {
                if error.is_unavailable() {
                    tx.discard();
                }
                Err(error)
            }
        }
    }

    /// Hands client events to the push queue; gives back the places of those that arrived there. The others stay
    /// unmarked, and the sweep sends them.
    async fn hand_over(&self, app_id: AppId, applied: Applied, traces: &Traces) -> Vec<i64> {
        let Applied { deliveries, written, is_active } = applied;
        deliveries.tell(app_id, traces, &self.metrics, self.clock.now());
        written.notes.iter().for_each(|note| note.tell(app_id));
        if is_active {
            outbox::send(&self.queues.pushes, app_id, written.events).await
        } else {
            written.events.iter().map(|event| event.seq).collect()
        }
    }
}
