//! One process of a function: started, watched, and killed when an invocation takes too long.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    InvokeError, logs,
    pool::{Job, Outcome, Pool},
    runtime_api,
};
use crate::{
    faults::Kind,
    timing::{self, Point},
};

/// How long a process may take until it asks for work. Lambda gives 10 seconds, on a machine that does nothing else.
const INIT_LIMIT: Duration = Duration::from_secs(30);

/// How long an invocation that someone waits for may go on when the stack stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What a process is at.
#[derive(Debug)]
pub(super) struct Process {
    pool: Pool,
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

/// Runs one process from start to end and tells the pool when it has ended.
pub(super) async fn supervise(pool: Pool, delay: Duration) {
    let process = Arc::new(Process {
        pool: pool.clone(),
        state: Mutex::default(),
        taken: Notify::new(),
        answered: Notify::new(),
        doomed: Notify::new(),
    });
    let reason = tokio::select! {
        () = pool.stopped() => "the local stack is stopping".to_owned(),
        () = tokio::time::sleep(delay) => match run(&process).await {
            Ok(reason) => reason,
            Err(error) => format!("cannot start {}: {error}", pool.function().program.path.display()),
        },
    };
    let (had_asked, is_doomed, running, init_error) = {
        let mut state = process.lock();
        (state.has_asked, state.is_doomed, state.running.take(), state.init_error.take())
    };
    let reason = init_error.unwrap_or(reason);
    if let Some(running) = running {
        let _ = running.reply.send(Err(InvokeError::Unavailable(reason.clone())));
    }
    pool.note_end(had_asked, is_doomed, &reason);
}

/// Runs the process; the answer says why it ended.
async fn run(process: &Arc<Process>) -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let pool = &process.pool;
    let name = &pool.function().name;
    let mut child = command(pool, &address.to_string()).spawn()?;
    let id = child.id().unwrap_or_default();
    tracing::debug!(function = %name, process.id = id, "process started");
    if let Some(output) = child.stdout.take() {
        tokio::spawn(logs::follow(name.clone(), output, pool.journal(), logs::Unmarked::Hidden));
    }
    if let Some(output) = child.stderr.take() {
        tokio::spawn(logs::follow(name.clone(), output, pool.journal(), logs::Unmarked::Shown));
    }
    let server = tokio::spawn(runtime_api::serve(listener, Arc::clone(process)));
    let reason = watch(process, &mut child).await;
    server.abort();
    reason
}

fn command(pool: &Pool, address: &str) -> Command {
    let function = pool.function();
    let mut command = Command::new(&function.program.path);
    command
        .args(&function.program.arguments)
        .env_clear()
        .envs(&function.environment)
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_megabytes.to_string())
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
        .env("_HANDLER", "bootstrap")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    pool.group().admit(&mut command);
    command
}

async fn watch(process: &Process, child: &mut Child) -> std::io::Result<String> {
    let name = &process.pool.function().name;
    tokio::select! {
        status = child.wait() => {
            let reason = format!("Runtime exited with error: {}", status?);
            tracing::warn!(function = %name, reason, "process ended");
            Ok(reason)
        }
        () = process.overdue() => {
            let timeout = process.pool.function().timeout;
            tracing::error!(function = %name, "task timed out after {:.2} seconds", timeout.as_secs_f64());
            if let Some(running) = process.lock().running.take() {
                let _ = running.reply.send(Err(InvokeError::TimedOut));
            }
            child.kill().await?;
            Ok("it was killed after a timeout".to_owned())
        }
        () = process.init_overdue() => {
            child.kill().await?;
            Ok(format!("it did not ask for work within {} s", INIT_LIMIT.as_secs()))
        }
        () = process.pool.killed() => {
            process.lock().is_doomed = true;
            kill(child).await
        }
        () = process.doomed.notified() => kill(child).await,
        () = process.pool.stopped() => {
            let _ = tokio::time::timeout(STOP_GRACE, process.unattended()).await;
            child.kill().await?;
            Ok("the local stack is stopping".to_owned())
        }
    }
}

async fn kill(child: &mut Child) -> std::io::Result<String> {
    child.kill().await?;
    Ok("Runtime exited with error: signal: killed, as it was asked to be".to_owned())
}

impl Process {
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
        let Job { id, event, reply } = self.pool.next_job(is_first).await?;
        let timeout = self.pool.function().timeout;
        self.lock().running = Some(Running { id: id.clone(), deadline: Instant::now() + timeout, reply });
        self.taken.notify_one();
        let (faults, name) = (self.pool.faults(), self.function_name());
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
            self.pool.faults().note(Kind::KillDuring.name());
            self.doom();
        }
    }

    fn doom(&self) {
        self.lock().is_doomed = true;
        self.doomed.notify_one();
    }

    pub(super) fn function_name(&self) -> &str {
        &self.pool.function().name
    }

    pub(super) fn region(&self) -> &str {
        self.pool.function().environment.get("AWS_REGION").map_or("us-east-1", String::as_str)
    }

    /// Passes the outcome of the invocation `id` on; false when the process is not at that one.
    pub(super) fn answer(&self, id: &str, outcome: Outcome) -> bool {
        let Some(running) = self.lock().running.take_if(|running| running.id == id) else { return false };
        timing::note(Point::Answered, self.function_name());
        if self.pool.faults().strike(Kind::KillAfter, self.function_name()).is_some() {
            // The work is done and nobody hears of it.
            self.lock().running = Some(running);
            self.doom();
            return true;
        }
        let _ = running.reply.send(outcome);
        self.pool.note_answer();
        self.answered.notify_one();
        true
    }

    pub(super) fn note_init_error(&self, message: String) {
        self.lock().init_error = Some(message);
    }

    /// Resolves when an invocation has passed its deadline.
    async fn overdue(&self) {
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

    async fn init_overdue(&self) {
        tokio::time::sleep(INIT_LIMIT).await;
        if self.lock().has_asked {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when nobody waits for an answer of this process.
    async fn unattended(&self) {
        while self.lock().running.as_ref().is_some_and(|running| !running.reply.is_closed()) {
            self.answered.notified().await;
        }
    }

    /// No code panics while it holds the lock, so a poisoned one cannot happen.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
