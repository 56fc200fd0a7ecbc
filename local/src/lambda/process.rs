//! What one process of a function is at: it asks for work, answers, and is in time or not.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    InvokeError,
    work::{Job, Outcome, Work},
};
use crate::{
    faults::Kind,
    timing::{self, Point},
};

/// How long a process may take until it asks for work. Lambda gives 10 seconds, on a machine that does nothing else.
pub(super) const INIT_LIMIT: Duration = Duration::from_secs(30);

/// What a process is at.
#[derive(Debug)]
pub(super) struct Process {
    work: Arc<Work>,
    state: Mutex<State>,
    /// A job was handed over.
    taken: Notify,
    /// A job was answered.
    answered: Notify,
    /// The process is to be killed.
    doomed: Notify,
}

#[derive(Debug, Default)]
struct State {
    has_asked: bool,
    running: Option<Running>,
    /// It is killed on purpose.
    is_doomed: bool,
    /// What the process reported as the reason it cannot start.
    init_error: Option<String>,
}

#[derive(Debug)]
struct Running {
    id: String,
    deadline: Instant,
    reply: oneshot::Sender<Outcome>,
}

/// A job as the process gets it.
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) event: Bytes,
    /// How long the process has for it.
    pub(super) timeout: Duration,
}

/// How a process ended.
pub(super) struct Ended {
    /// Whether it had asked for work.
    pub(super) had_asked: bool,
    /// Whether it was killed on purpose.
    pub(super) is_doomed: bool,
    pub(super) reason: String,
}

impl Process {
    pub(super) fn new(work: Arc<Work>) -> Self {
        Self {
            work,
            state: Mutex::default(),
            taken: Notify::new(),
            answered: Notify::new(),
            doomed: Notify::new(),
        }
    }

    /// The next job, once there is one; `None` when the stack stops.
    pub(super) async fn next(self: &Arc<Self>) -> Option<Taken> {
        if self.lock().is_doomed {
            // It gets no more work in the moment that it has left.
            std::future::pending::<()>().await;
        }
        let (is_first, unanswered) = {
            let mut state = self.lock();
            (!std::mem::replace(&mut state.has_asked, true), state.running.take())
        };
        if let Some(unanswered) = unanswered {
            let reason = "the process asked for work before it had answered".to_owned();
            let _ = unanswered.reply.send(Err(InvokeError::Unavailable(reason)));
        }
        let Job { id, event, reply } = self.work.next_job(is_first).await?;
        let timeout = self.work.function.timeout;
        self.lock().running = Some(Running { id: id.clone(), deadline: Instant::now() + timeout, reply });
        self.taken.notify_one();
        let (faults, name) = (&self.work.faults, self.function_name());
        if faults.strike(Kind::KillBefore, name).is_some() {
            self.doom();
            // The process dies while it waits for the event.
            std::future::pending::<()>().await;
        }
        if let Some(strike) = faults.draw(Kind::KillDuring, name) {
            tokio::spawn(Arc::clone(self).kill_during(id.clone(), strike.moment()));
        }
        timing::note(Point::Taken, self.function_name());
        Some(Taken { id, event, timeout })
    }

    /// Kills the process after a moment, if it is then still at this invocation.
    async fn kill_during(self: Arc<Self>, id: String, moment: Duration) {
        tokio::time::sleep(moment).await;
        if self.lock().running.as_ref().is_some_and(|running| running.id == id) {
            self.work.faults.note(Kind::KillDuring.name());
            self.doom();
        }
    }

    /// Has it killed on purpose.
    pub(super) fn doom(&self) {
        self.lock().is_doomed = true;
        self.doomed.notify_one();
    }

    /// Resolves when it is to be killed on purpose.
    pub(super) async fn doomed(&self) {
        self.doomed.notified().await;
    }

    pub(super) fn function_name(&self) -> &str {
        &self.work.function.name
    }

    pub(super) fn region(&self) -> &str {
        self.work.function.environment.get("AWS_REGION").map_or("us-east-1", String::as_str)
    }

    /// Passes the outcome of the invocation `id` on; false when the process is not at that one.
    pub(super) fn answer(&self, id: &str, outcome: Outcome) -> bool {
        let Some(running) = self.lock().running.take_if(|running| running.id == id) else { return false };
        timing::note(Point::Answered, self.function_name());
        if self.work.faults.strike(Kind::KillAfter, self.function_name()).is_some() {
            // The work is done and nobody hears of it.
            self.lock().running = Some(running);
            self.doom();
            return true;
        }
        let _ = running.reply.send(outcome);
        self.work.note_answer();
        self.answered.notify_one();
        true
    }

    pub(super) fn note_init_error(&self, message: String) {
        self.lock().init_error = Some(message);
    }

    /// Answers for it that it took too long.
    pub(super) fn time_out(&self) {
        if let Some(running) = self.lock().running.take() {
            let _ = running.reply.send(Err(InvokeError::TimedOut));
        }
    }

    /// Answers for it that it ended, with its own reason where it gave one.
    pub(super) fn end(&self, reason: String) -> Ended {
        let mut state = self.lock();
        let reason = state.init_error.take().unwrap_or(reason);
        if let Some(running) = state.running.take() {
            let _ = running.reply.send(Err(InvokeError::Unavailable(reason.clone())));
        }
        Ended { had_asked: state.has_asked, is_doomed: state.is_doomed, reason }
    }

    /// Resolves when an invocation has passed its deadline.
    pub(super) async fn overdue(&self) {
        loop {
            let deadline = self.lock().running.as_ref().map(|running| running.deadline);
            match deadline {
                // An earlier wake-up may be left over from an answered job; then this looks again.
                None => self.taken.notified().await,
                Some(deadline) if deadline <= Instant::now() => return,
                Some(deadline) => tokio::time::sleep_until(deadline).await,
            }
        }
    }

    /// Resolves when it should have asked for work and has not.
    pub(super) async fn init_overdue(&self) {
        tokio::time::sleep(INIT_LIMIT).await;
        if self.lock().has_asked {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when nobody waits for an answer of this process.
    pub(super) async fn unattended(&self) {
        while self.lock().running.as_ref().is_some_and(|running| !running.reply.is_closed()) {
            self.answered.notified().await;
        }
    }

    /// No code panics while it holds the lock, so a poisoned one cannot happen.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
