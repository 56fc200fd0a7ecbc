//! The processes of one function, and the invocations that wait for one.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Function, InvokeError,
    group::Group,
    process::Ended,
    supervisor,
    work::{Job, Outcome, Phase, State, Work},
};
use crate::{faults::Faults, journal::Journal};

/// The wait before a process is started again after `n` failures in a row is this, doubled `n - 1` times.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// The processes of one function. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    work: Arc<Work>,
}

impl Pool {
    pub(super) fn new(function: Function, group: Arc<Group>, journal: Journal, faults: Faults) -> Self {
        Self { work: Arc::new(Work::new(function, group, journal, faults)) }
    }

    /// Starts a process if the function is a warm one and has none.
    pub(super) fn start_warm(&self) {
        let mut state = self.work.lock();
        if self.work.function.is_warm && state.processes == 0 {
            self.start_process(&mut state);
        }
    }

    /// Waits until a warm function's first process asks for work.
    pub(super) async fn wait_until_warm(&self) -> Result<(), InvokeError> {
        if !self.work.function.is_warm {
            return Ok(());
        }
        let mut phase = self.work.phase.subscribe();
        match phase.wait_for(|phase| *phase != Phase::Cold).await.as_deref() {
            Ok(Phase::Broken(reason)) => Err(InvokeError::Unavailable(reason.clone())),
            Ok(Phase::Cold | Phase::Warm) => Ok(()),
            Ok(Phase::Stopping) | Err(_) => Err(stopping()),
        }
    }

    pub(super) async fn invoke(&self, event: Bytes) -> Outcome {
        loop {
            let (reply, outcome) = oneshot::channel();
            self.submit(Job { id: Uuid::new_v4().to_string(), event: event.clone(), reply })?;
            // A job is dropped without a reply only if its process went away before it was handed over, so that
            // submitting it again never runs an event twice.
            if let Ok(outcome) = outcome.await {
                return outcome;
            }
        }
    }

    /// Gives the job to an idle process, or queues it and starts a process if the limit allows one more.
    fn submit(&self, mut job: Job) -> Result<(), InvokeError> {
        let mut state = self.work.lock();
        if self.work.is_stopping() {
            return Err(stopping());
        }
        while let Some(idle) = state.idle.pop() {
            match idle.send(job) {
                Ok(()) => return Ok(()),
                Err(returned) => job = returned,
            }
        }
        state.waiting.push_back(job);
        if state.waiting.len() > state.starting && state.processes < self.work.function.max_processes {
            self.start_process(&mut state);
        }
        Ok(())
    }

    /// Notes that a process ended, and starts another where one is needed. One that was killed on purpose was well.
    ///
    /// Jobs fail with the reason when no process came up to take them, as in Lambda when the init phase fails.
    fn note_end(&self, ended: &Ended) {
        let mut state = self.work.lock();
        state.processes -= 1;
        state.idle.retain(|idle| !idle.is_closed());
        if !ended.is_doomed {
            state.failures = state.failures.saturating_add(1);
        }
        if !ended.had_asked {
            state.starting -= 1;
            if state.processes == 0 {
                for job in state.waiting.drain(..) {
                    let _ = job.reply.send(Err(InvokeError::Unavailable(ended.reason.clone())));
                }
            }
        }
        if self.work.is_stopping() {
            return;
        }
        if !ended.had_asked {
            self.work.phase.send_if_modified(|phase| {
                let is_change = *phase == Phase::Cold;
                if is_change {
                    *phase = Phase::Broken(ended.reason.clone());
                }
                is_change
            });
        }
        let is_needed =
            state.waiting.len() > state.starting || (self.work.function.is_warm && state.processes == 0);
        if is_needed {
            self.start_process(&mut state);
        }
    }

    /// Kills all processes, at once; the answer is how many there were.
    pub(super) fn kill(&self) -> usize {
        self.work.kill.notify_waiters();
        let killed = self.work.lock().processes;
        (0..killed).for_each(|_| self.work.faults.note("kill"));
        killed
    }

    /// Takes no more invocations and fails those that no process has taken.
    pub(super) fn stop(&self) {
        let mut state = self.work.lock();
        self.work.phase.send_replace(Phase::Stopping);
        for job in state.waiting.drain(..) {
            let _ = job.reply.send(Err(stopping()));
        }
    }

    pub(super) async fn wait_until_stopped(&self) {
        let supervisors = std::mem::take(&mut self.work.lock().supervisors);
        for supervisor in supervisors {
            let _ = supervisor.await;
        }
    }

    fn start_process(&self, state: &mut State) {
        state.processes += 1;
        state.starting += 1;
        let delay = match state.failures {
            0 => Duration::ZERO,
            n => FIRST_BACKOFF.saturating_mul(1 << (n - 1).min(16)).min(LONGEST_BACKOFF),
        };
        state.supervisors.retain(|supervisor| !supervisor.is_finished());
        state.supervisors.push(tokio::spawn(self.clone().supervise(delay)));
    }

    /// Runs one process from start to end.
    async fn supervise(self, delay: Duration) {
        let ended = supervisor::supervise(Arc::clone(&self.work), delay).await;
        self.note_end(&ended);
    }
}

fn stopping() -> InvokeError {
    InvokeError::Unavailable("the local stack is stopping".to_owned())
}
