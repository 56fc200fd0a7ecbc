//! The invocations of one function on their way to its processes, and how both fare.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Bytes;
use tokio::{
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
};

use super::{Function, InvokeError, group::Group};
use crate::{faults::Faults, journal::Journal};

/// The outcome of one invocation.
pub(super) type Outcome = Result<Bytes, InvokeError>;

/// One invocation on its way to a process.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) event: Bytes,
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// What the pool of a function and its processes work on together.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) function: Function,
    pub(super) group: Arc<Group>,
    pub(super) journal: Journal,
    pub(super) faults: Faults,
    state: Mutex<State>,
    pub(super) phase: watch::Sender<Phase>,
    /// Told when all processes are to be killed.
    pub(super) kill: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Invocations that no process has taken yet, oldest first.
    pub(super) waiting: VecDeque<Job>,
    /// Processes that ask for work, the one that asked last on top: it is the warmest.
    pub(super) idle: Vec<oneshot::Sender<Job>>,
    /// Processes that run or are being started.
    pub(super) processes: usize,
    /// Those of them that have not asked for work yet.
    pub(super) starting: usize,
    /// Processes that ended since the last invocation that was answered.
    pub(super) failures: u32,
    pub(super) supervisors: Vec<JoinHandle<()>>,
}

/// Where the pool is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Cold,
    /// A process has asked for work.
    Warm,
    /// The last process ended before it asked for work.
    Broken(String),
    Stopping,
}

impl Work {
    pub(super) fn new(function: Function, group: Arc<Group>, journal: Journal, faults: Faults) -> Self {
        Self {
            function,
            group,
            journal,
            faults,
            state: Mutex::default(),
            phase: watch::Sender::new(Phase::Cold),
            kill: Notify::new(),
        }
    }

    /// The next job for a process; `None` when the pool stops.
    ///
    /// `is_first` is true when the process asks for the first time.
    pub(super) async fn next_job(&self, is_first: bool) -> Option<Job> {
        let job = {
            let mut state = self.lock();
            if is_first {
                state.starting -= 1;
                self.phase.send_if_modified(|phase| {
                    let is_change = matches!(phase, Phase::Cold | Phase::Broken(_));
                    if is_change {
                        *phase = Phase::Warm;
                    }
                    is_change
                });
            }
            // Whoever asked for an abandoned job is gone, so nobody would see its answer.
            while state.waiting.front().is_some_and(|job| job.reply.is_closed()) {
                state.waiting.pop_front();
            }
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            let (sender, job) = oneshot::channel();
            state.idle.push(sender);
            job
        };
        job.await.ok()
    }

    /// Notes that an invocation was answered: the function is well.
    pub(super) fn note_answer(&self) {
        self.lock().failures = 0;
    }

    /// Resolves when all processes are to be killed.
    pub(super) async fn killed(&self) {
        self.kill.notified().await;
    }

    /// Resolves when the pool stops.
    pub(super) async fn stopped(&self) {
        let mut phase = self.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.phase.borrow() == Phase::Stopping
    }

    /// No code panics while it holds the lock, so a poisoned one cannot happen.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
