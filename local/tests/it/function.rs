//! A function for the tests: this test binary, run again as a function's process with the real Lambda runtime.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use lambda_runtime::{LambdaEvent, service_fn};
use local::{
    faults::Faults,
    lambda::{Function, Lambda, Program},
};
use serde_json::{Value, json};

/// The function's name.
pub(crate) const NAME: &str = "double";

/// A description of the function, which tests then change.
pub(crate) fn function() -> Function {
    let arguments = ["function::process", "--exact", "--ignored", "--nocapture", "--quiet"];
    Function {
        name: NAME.to_owned(),
        program: Program {
            path: std::env::current_exe().unwrap(),
            arguments: arguments.iter().map(Into::into).collect(),
        },
        environment: BTreeMap::from([("AWS_REGION".to_owned(), "eu-central-1".to_owned())]),
        timeout: Duration::from_secs(30),
        memory_megabytes: 128,
        max_processes: 4,
        is_warm: false,
    }
}

/// A Lambda that runs this function, also under its logical id.
pub(crate) fn lambda(function: Function) -> Lambda {
    let aliases = BTreeMap::from([("DoubleFunction".to_owned(), NAME.to_owned())]);
    let journal = local::journal::Journal::quiet();
    Lambda::processes(vec![function], aliases, &journal, &Faults::default()).unwrap()
}

/// The files of an invocation that is held: the function makes the one with its process id, the test the other. They
/// are removed with this value.
pub(crate) struct Hold(PathBuf);

impl Hold {
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("local-it-{}", uuid::Uuid::new_v4())))
    }

    /// The file that ends the invocation.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The process that holds it, once it does.
    pub(crate) async fn pid(&self) -> String {
        content(&self.0.with_extension("pid")).await
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for path in [self.0.clone(), self.0.with_extension("pid")] {
            // One that was never made need not be removed.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The content of a file, once it is there.
async fn content(path: &Path) -> String {
    let look = async {
        loop {
            match std::fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.unwrap()
}

#[test]
#[ignore = "the local stack runs this as the process of a function"]
fn process() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    if std::env::var_os("REFUSE_TO_START").is_some() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"the configuration is wrong\n");
        std::process::exit(7);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ = runtime.block_on(lambda_runtime::run(service_fn(handle)));
}

/// A Lambda in a process of its own, which holds an invocation until it is killed.
pub(crate) fn stack(path: &Path) -> tokio::process::Child {
    tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["function::serve", "--exact", "--ignored", "--nocapture"])
        .env("HELD_INVOCATION", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "a test runs this as a server that it kills"]
fn serve() {
    let Some(path) = std::env::var_os("HELD_INVOCATION") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _ = lambda(function()).invoke(NAME, json!({ "do": "wait", "path": PathBuf::from(path) })).await;
    });
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, lambda_runtime::Error> {
    let (event, context) = event.into_parts();
    let path = PathBuf::from(event["path"].as_str().unwrap_or_default());
    match event["do"].as_str().unwrap_or_default() {
        "fail" => return Err("it went wrong".into()),
        "exit" => std::process::exit(3),
        // Announces itself, then stays until somebody else makes the file.
        "wait" => {
            std::fs::write(path.with_extension("pid"), format!("{}\n", std::process::id()))?;
            content(&path).await;
        }
        "release" => std::fs::write(&path, "\n")?,
        "pad" => {
            let length = usize::try_from(event["length"].as_u64().unwrap_or(0))?;
            return Ok(Value::String("x".repeat(length)));
        }
        _ => {}
    }
    Ok(json!({
        "event": event,
        "pid": std::process::id(),
        "request_id": context.request_id,
        "arn": context.invoked_function_arn,
        "name": context.env_config.function_name,
        "memory": context.env_config.memory,
        "deadline": context.deadline,
    }))
}
