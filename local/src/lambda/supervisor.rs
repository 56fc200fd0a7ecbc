//! Starts and watches one process of a function, and kills it when an invocation takes too long.

use std::{process::Stdio, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    process::{Child, Command},
};

use super::{
    logs,
    process::{Ended, INIT_LIMIT, Process},
    runtime_api,
    work::Work,
};

/// How long an invocation that someone waits for may go on when the stack stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Runs one process from start to end.
pub(super) async fn supervise(work: Arc<Work>, delay: Duration) -> Ended {
    let process = Arc::new(Process::new(Arc::clone(&work)));
    let reason = tokio::select! {
        () = work.stopped() => "the local stack is stopping".to_owned(),
        () = tokio::time::sleep(delay) => match run(&work, &process).await {
            Ok(reason) => reason,
            Err(error) => format!("cannot start {}: {error}", work.function.program.path.display()),
        },
    };
    process.end(reason)
}

/// Runs the process; the answer says why it ended.
async fn run(work: &Work, process: &Arc<Process>) -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let name = &work.function.name;
    let mut child = command(work, &address.to_string()).spawn()?;
    let id = child.id().unwrap_or_default();
    tracing::debug!(function = %name, process.id = id, "process started");
    if let Some(output) = child.stdout.take() {
        tokio::spawn(logs::follow(name.clone(), output, work.journal.clone(), logs::Unmarked::Hidden));
    }
    if let Some(output) = child.stderr.take() {
        tokio::spawn(logs::follow(name.clone(), output, work.journal.clone(), logs::Unmarked::Shown));
    }
    let server = tokio::spawn(runtime_api::serve(listener, Arc::clone(process)));
    let reason = watch(work, process, &mut child).await;
    server.abort();
    reason
}

fn command(work: &Work, address: &str) -> Command {
    let function = &work.function;
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
    work.group.admit(&mut command);
    command
}

async fn watch(work: &Work, process: &Process, child: &mut Child) -> std::io::Result<String> {
    let name = &work.function.name;
    tokio::select! {
        status = child.wait() => {
            let reason = format!("Runtime exited with error: {}", status?);
            tracing::warn!(function = %name, reason, "process ended");
            Ok(reason)
        }
        () = process.overdue() => {
            let timeout = work.function.timeout;
            tracing::error!(function = %name, "task timed out after {:.2} seconds", timeout.as_secs_f64());
            process.time_out();
            child.kill().await?;
            Ok("it was killed after a timeout".to_owned())
        }
        () = process.init_overdue() => {
            child.kill().await?;
            Ok(format!("it did not ask for work within {} s", INIT_LIMIT.as_secs()))
        }
        () = work.killed() => {
            process.doom();
            kill(child).await
        }
        () = process.doomed() => kill(child).await,
        () = work.stopped() => {
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
