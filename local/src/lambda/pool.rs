//! The processes of one function, and the invocations that wait for one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use tokio::{
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
};
use uuid::Uuid;

use super::{Function, InvokeError, group::Group, process};
use crate::{faults::Faults, journal::Journal};

/// The wait before a process is started again after `n` failures in a row is this, doubled `n - 1` times.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// The outcome of one invocation.
pub(super) type Outcome = Result<Bytes, InvokeError>;

/// One invocation on its way to a process.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) event: Bytes,
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// The processes of one function. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    function: Function,
    group: Arc<Group>,
    journal: Journal,
    faults: Faults,
    state: Mutex<State>,
    phase: watch::Sender<Phase>,
    /// Told when all processes are to be killed.
    kill: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Invocations that no process has taken yet, oldest first.
    waiting: VecDeque<Job>,
    /// Processes that ask for work, the one that asked last on top: it is the warmest.
    idle: Vec<oneshot::Sender<Job>>,
    /// Processes that run or are being started.
    processes: usize,
    /// Those of them that have not asked for work yet.
    starting: usize,
    /// Processes that ended since the last invocation that was answered.
    failures: u32,
    supervisors: Vec<JoinHandle<()>>,
}

/// Where the pool is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Cold,
    /// A process has asked for work.
    Warm,
    /// The last process ended before it asked for work.
    Broken(String),
    Stopping,
}

impl Pool {
    pub(super) fn new(function: Function, group: Arc<Group>, journal: Journal, faults: Faults) -> Self {
        let shared = Shared {
            function,
            group,
            journal,
            faults,
            state: Mutex::default(),
            phase: watch::Sender::new(Phase::Cold),
            kill: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn function(&self) -> &Function {
        &self.shared.function
    }

    pub(super) fn group(&self) -> &Group {
        &self.shared.group
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    pub(super) fn journal(&self) -> Journal {
        self.shared.journal.clone()
    }

    /// Starts a process if the function is a warm one and has none.
    pub(super) fn start_warm(&self) {
        let mut state = self.lock();
        if self.shared.function.is_warm && state.processes == 0 {
            self.start_process(&mut state);
        }
    }

    /// Waits until a warm function's first process asks for work.
    pub(super) async fn wait_until_warm(&self) -> Result<(), InvokeError> {
        if !self.shared.function.is_warm {
            return Ok(());
        }
        let mut phase = self.shared.phase.subscribe();
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
        let mut state = self.lock();
        if self.is_stopping() {
            return Err(stopping());
        }
        while let Some(idle) = state.idle.pop() {
            match idle.send(job) {
                Ok(()) => return Ok(()),
                Err(returned) => job = returned,
            }
        }
        state.waiting.push_back(job);
        if state.waiting.len() > state.starting && state.processes < self.shared.function.max_processes {
            self.start_process(&mut state);
        }
        Ok(())
    }

    /// The next job for a process; `None` when the pool stops.
    ///
    /// `is_first` is true when the process asks for the first time.
    pub(super) async fn next_job(&self, is_first: bool) -> Option<Job> {
        let job = {
            let mut state = self.lock();
            if is_first {
                state.starting -= 1;
                self.shared.phase.send_if_modified(|phase| {
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

    /// Notes that a process ended, and starts another where one is needed. One that was killed on purpose was well.
    ///
    /// Jobs fail with the reason when no process came up to take them, as in Lambda when the init phase fails.
    pub(super) fn note_end(&self, had_asked: bool, is_doomed: bool, reason: &str) {
        let mut state = self.lock();
        state.processes -= 1;
        state.idle.retain(|idle| !idle.is_closed());
        if !is_doomed {
            state.failures = state.failures.saturating_add(1);
        }
        if !had_asked {
            state.starting -= 1;
            if state.processes == 0 {
                for job in state.waiting.drain(..) {
                    let _ = job.reply.send(Err(InvokeError::Unavailable(reason.to_owned())));
                }
            }
        }
        if self.is_stopping() {
            return;
        }
        if !had_asked {
            self.shared.phase.send_if_modified(|phase| {
                let is_change = *phase == Phase::Cold;
                if is_change {
                    *phase = Phase::Broken(reason.to_owned());
                }
                is_change
            });
        }
        let is_needed =
            state.waiting.len() > state.starting || (self.shared.function.is_warm && state.processes == 0);
        if is_needed {
            self.start_process(&mut state);
        }
    }

    /// Kills all processes, at once; the answer is how many there were.
    pub(super) fn kill(&self) -> usize {
        self.shared.kill.notify_waiters();
        let killed = self.lock().processes;
        (0..killed).for_each(|_| self.shared.faults.note("kill"));
        killed
    }

    /// Resolves when all processes are to be killed.
    pub(super) async fn killed(&self) {
        self.shared.kill.notified().await;
    }

    /// Resolves when the pool stops.
    pub(super) async fn stopped(&self) {
        let mut phase = self.shared.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
    }

    /// Takes no more invocations and fails those that no process has taken.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        self.shared.phase.send_replace(Phase::Stopping);
        for job in state.waiting.drain(..) {
            let _ = job.reply.send(Err(stopping()));
        }
    }

    pub(super) async fn wait_until_stopped(&self) {
        let supervisors = std::mem::take(&mut self.lock().supervisors);
        for supervisor in supervisors {
            let _ = supervisor.await;
        }
    }

    fn is_stopping(&self) -> bool {
        *self.shared.phase.borrow() == Phase::Stopping
    }

    fn start_process(&self, state: &mut State) {
        state.processes += 1;
        state.starting += 1;
        let delay = match state.failures {
            0 => Duration::ZERO,
            n => FIRST_BACKOFF.saturating_mul(1 << (n - 1).min(16)).min(LONGEST_BACKOFF),
        };
        state.supervisors.retain(|supervisor| !supervisor.is_finished());
        state.supervisors.push(tokio::spawn(process::supervise(self.clone(), delay)));
    }

    /// No code panics while it holds the lock, so a poisoned one cannot happen.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopping() -> InvokeError {
    InvokeError::Unavailable("the local stack is stopping".to_owned())
}
