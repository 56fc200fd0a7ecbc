//! Lambda on one machine: invoking a function by name.
//!
//! Functions run as the real binaries, each process behind its own Runtime API, one request at a time per process
//! and as many processes as the load asks up to a limit. With `--lambda` another Invoke API runs them instead
//! (`cargo lambda watch`, `sam local start-lambda`).

mod group;
mod logs;
mod pool;
mod process;
mod remote;
mod runtime_api;
mod supervisor;
mod work;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use axum::body::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;

use self::{group::Group, pool::Pool, remote::Remote};
use crate::{faults::Faults, journal::Journal};

/// The largest event and the largest answer of a synchronous invocation, as in AWS.
pub const PAYLOAD_LIMIT_BYTES: usize = 6 * 1024 * 1024;

/// The error of an event above that limit.
pub const TOO_LARGE: &str = "RequestTooLarge";

/// The program of a function.
#[derive(Debug, Clone)]
pub struct Program {
    /// The file to run.
    pub path: PathBuf,
    /// Its arguments; a function's binary needs none.
    pub arguments: Vec<OsString>,
}

/// A function to run as processes.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name, which is that of its binary.
    pub name: String,
    /// What to run.
    pub program: Program,
    /// The whole environment of its processes, apart from what the Runtime API adds.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take before the process is killed.
    pub timeout: Duration,
    /// The memory the process is told it has.
    pub memory_megabytes: u64,
    /// The most processes at once.
    pub max_processes: usize,
    /// Whether one process is started before the first call, and replaced when it dies.
    pub is_warm: bool,
}

/// Calls a function by name and waits for its answer.
pub trait Invoke: Send + Sync + 'static {
    /// Invokes `function` with `event`.
    ///
    /// Whoever gives up waiting must not drop the future: as in the cloud, a function that nobody waits for any more
    /// still runs to its end.
    fn invoke(&self, function: &str, event: Value) -> BoxFuture<'_, Result<Value, InvokeError>>;
}

/// The functions of the stack. Clones share the processes.
#[derive(Debug, Clone)]
pub struct Lambda {
    shared: Arc<Shared>,
}

/// Why an invocation brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// There is no such function.
    #[error("there is no such function")]
    UnknownFunction,
    /// The function answered with an error.
    #[error("the function failed with {error_type}: {message}")]
    Failed {
        /// The kind of error the function named.
        error_type: String,
        /// What it said.
        message: String,
    },
    /// The function did not answer in its time; its process was killed.
    #[error("the function timed out")]
    TimedOut,
    /// The function's process could not be started, or died.
    #[error("the function is unavailable: {0}")]
    Unavailable(String),
}

#[derive(Debug)]
struct Shared {
    functions: Functions,
    /// Other names of the functions, such as their logical ids, with the binary each stands for.
    aliases: BTreeMap<String, String>,
}

#[derive(Debug)]
enum Functions {
    Processes(BTreeMap<String, Pool>),
    Remote(Remote),
}

impl Lambda {
    /// Runs the functions as processes; none is started yet.
    ///
    /// `aliases` maps other names of a function to its own. What the processes print goes to `journal`.
    pub fn processes(
        functions: Vec<Function>,
        aliases: BTreeMap<String, String>,
        journal: &Journal,
        faults: &Faults,
    ) -> std::io::Result<Self> {
        let group = Arc::new(Group::start()?);
        let pool = |function: Function| {
            (function.name.clone(), Pool::new(function, Arc::clone(&group), journal.clone(), faults.clone()))
        };
        let pools = functions.into_iter().map(pool).collect();
        Ok(Self { shared: Arc::new(Shared { functions: Functions::Processes(pools), aliases }) })
    }

    /// Calls the functions through the Invoke API at `url`.
    pub fn remote(url: &str, aliases: BTreeMap<String, String>) -> Result<Self, InvokeError> {
        let remote = Remote::new(url, &aliases)?;
        Ok(Self { shared: Arc::new(Shared { functions: Functions::Remote(remote), aliases }) })
    }

    /// Starts one process of each warm function and waits until all ask for work; or waits for the other Invoke API.
    ///
    /// The error names the first function that does not start, and why.
    pub async fn warm_up(&self) -> Result<(), (String, InvokeError)> {
        let pools = match &self.shared.functions {
            Functions::Processes(pools) => pools,
            Functions::Remote(remote) => {
                remote.wait_until_there().await;
                return Ok(());
            }
        };
        for pool in pools.values() {
            pool.start_warm();
        }
        for (name, pool) in pools {
            pool.wait_until_warm().await.map_err(|error| (name.clone(), error))?;
        }
        Ok(())
    }

    /// Invokes a function and waits for its answer.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, InvokeError> {
        let answer = self.invoke_bytes(function, Bytes::from(event.to_string())).await?;
        serde_json::from_slice(&answer).map_err(|error| InvokeError::Failed {
            error_type: "Runtime.MarshalError".to_owned(),
            message: format!("the answer is no JSON: {error}"),
        })
    }

    /// Invokes a function with an event that is JSON already.
    pub async fn invoke_bytes(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        if event.len() > PAYLOAD_LIMIT_BYTES {
            return Err(InvokeError::Failed {
                error_type: TOO_LARGE.to_owned(),
                message: format!("the event has {} bytes, {PAYLOAD_LIMIT_BYTES} are allowed", event.len()),
            });
        }
        let name = self.shared.aliases.get(function).map_or(function, String::as_str);
        match &self.shared.functions {
            Functions::Processes(pools) => {
                pools.get(name).ok_or(InvokeError::UnknownFunction)?.invoke(event).await
            }
            Functions::Remote(remote) => remote.invoke(name, event).await,
        }
    }

    /// Whether there is a function of that name. Another Invoke API is not asked; it is taken to know all names.
    #[must_use]
    pub fn knows(&self, function: &str) -> bool {
        let name = self.shared.aliases.get(function).map_or(function, String::as_str);
        match &self.shared.functions {
            Functions::Processes(pools) => pools.contains_key(name),
            Functions::Remote(_) => true,
        }
    }

    /// Whether the functions are processes of this program.
    #[must_use]
    pub fn has_processes(&self) -> bool {
        matches!(self.shared.functions, Functions::Processes(_))
    }

    /// Kills all processes of a function, at once; the answer is how many there were.
    #[must_use]
    pub fn kill(&self, function: &str) -> usize {
        let name = self.shared.aliases.get(function).map_or(function, String::as_str);
        match &self.shared.functions {
            Functions::Processes(pools) => pools.get(name).map_or(0, Pool::kill),
            Functions::Remote(_) => 0,
        }
    }

    /// Ends all processes, after a short time for what they are at.
    pub async fn shut_down(&self) {
        if let Functions::Processes(pools) = &self.shared.functions {
            for pool in pools.values() {
                pool.stop();
            }
            for pool in pools.values() {
                pool.wait_until_stopped().await;
            }
        }
    }
}

impl Invoke for Lambda {
    fn invoke(&self, function: &str, event: Value) -> BoxFuture<'_, Result<Value, InvokeError>> {
        let function = function.to_owned();
        Box::pin(async move { Self::invoke(self, &function, event).await })
    }
}
