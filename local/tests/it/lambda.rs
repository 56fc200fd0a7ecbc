//! Functions as processes behind the Runtime API.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use local::lambda::{InvokeError, PAYLOAD_LIMIT_BYTES};
use serde_json::json;

use crate::{
    edge_stack::soon,
    function::{Hold, NAME, function, lambda, stack},
};

/// Sends a signal; signal 0 only asks whether the process is there.
fn signal(pid: &str, signal: &str) -> bool {
    Command::new("kill").args([signal, pid]).output().unwrap().status.success()
}

/// Waits until the process has ended; one that nobody has collected yet has, too.
async fn gone(pid: &str) {
    let is_zombie = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
    };
    soon("the end of the process", async {
        while signal(pid, "-0") && !is_zombie() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_invocation_gets_the_event_its_context_and_an_answer() {
    let lambda = lambda(function());
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let answer = lambda.invoke(NAME, json!({ "a": 1 })).await.unwrap();
    assert_eq!(answer["event"], json!({ "a": 1 }));
    assert_eq!(answer["name"], NAME);
    assert_eq!(answer["memory"], 128);
    assert_eq!(answer["arn"], "arn:aws:lambda:eu-central-1:000000000000:function:double");
    assert!(uuid::Uuid::parse_str(answer["request_id"].as_str().unwrap()).is_ok());
    assert!(u128::from(answer["deadline"].as_u64().unwrap()) >= before + 30_000);
    lambda.shut_down().await;
}

#[tokio::test]
async fn a_function_is_known_by_its_logical_id_too() {
    let lambda = lambda(function());
    assert!(lambda.invoke("DoubleFunction", json!({})).await.is_ok());
    assert_eq!(lambda.invoke("other", json!({})).await, Err(InvokeError::UnknownFunction));
    lambda.shut_down().await;
}

#[tokio::test]
async fn a_slow_invocation_does_not_hold_up_another() {
    let lambda = lambda(function());
    let files = Hold::new();
    let slow = lambda.invoke(NAME, json!({ "do": "wait", "path": files.path() }));
    let fast = async {
        files.pid().await;
        lambda.invoke(NAME, json!({ "do": "release", "path": files.path() })).await
    };
    let (slow, fast) = soon("the slow invocation", async { tokio::join!(slow, fast) }).await;
    assert_ne!(slow.unwrap()["pid"], fast.unwrap()["pid"]);
    lambda.shut_down().await;
}

#[tokio::test]
async fn no_more_processes_run_than_the_limit_allows() {
    let lambda = lambda(local::lambda::Function { max_processes: 2, ..function() });
    let calls = (0..40).map(|number| lambda.invoke(NAME, json!({ "number": number })));
    let answers = soon("forty invocations", futures_util::future::join_all(calls)).await;
    let mut pids: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap()["pid"].as_u64()).collect();
    pids.sort_unstable();
    pids.dedup();
    assert!(pids.len() <= 2, "{pids:?}");
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.as_ref().unwrap()["event"]["number"], number);
    }
    lambda.shut_down().await;
}

#[tokio::test]
async fn an_error_of_the_function_is_told_apart_from_a_dead_process() {
    let lambda = lambda(function());
    match lambda.invoke(NAME, json!({ "do": "fail" })).await {
        Err(InvokeError::Failed { message, .. }) => assert_eq!(message, "it went wrong"),
        other => panic!("{other:?}"),
    }
    match lambda.invoke(NAME, json!({ "do": "exit" })).await {
        Err(InvokeError::Unavailable(reason)) => assert!(reason.contains("exit status: 3"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(lambda.invoke(NAME, json!({})).await.is_ok());
    lambda.shut_down().await;
}

#[tokio::test]
async fn a_killed_process_fails_what_it_held_and_is_replaced() {
    let lambda = lambda(local::lambda::Function { max_processes: 1, is_warm: true, ..function() });
    lambda.warm_up().await.unwrap();
    let files = Hold::new();
    let held = lambda.invoke(NAME, json!({ "do": "wait", "path": files.path() }));
    let kill = async {
        let pid = files.pid().await;
        assert!(signal(&pid, "-9"));
        pid
    };
    let (held, pid) = soon("the death of the process", async { tokio::join!(held, kill) }).await;
    match held {
        Err(InvokeError::Unavailable(reason)) => assert!(reason.contains("signal: 9"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let answer = soon("the replacement", lambda.invoke(NAME, json!({}))).await.unwrap();
    assert_ne!(answer["pid"].to_string(), pid);
    lambda.shut_down().await;
}

#[tokio::test]
async fn a_process_killed_while_idle_loses_no_invocation() {
    let lambda = lambda(local::lambda::Function { max_processes: 1, ..function() });
    for _ in 0..5 {
        let pid = lambda.invoke(NAME, json!({})).await.unwrap()["pid"].to_string();
        assert!(signal(&pid, "-9"));
        let answer = soon("the next answer", lambda.invoke(NAME, json!({}))).await;
        // The event may have been handed over before the system noticed the death: then it fails, and is not lost.
        assert!(matches!(answer, Ok(_) | Err(InvokeError::Unavailable(_))), "{answer:?}");
    }
    lambda.shut_down().await;
}

#[tokio::test]
async fn an_invocation_past_its_time_is_ended_with_its_process() {
    let lambda = lambda(local::lambda::Function { timeout: Duration::from_millis(300), ..function() });
    let files = Hold::new();
    let late = soon("the timeout", lambda.invoke(NAME, json!({ "do": "wait", "path": files.path() }))).await;
    assert_eq!(late, Err(InvokeError::TimedOut));
    assert!(lambda.invoke(NAME, json!({})).await.is_ok());
    let pid = files.pid().await;
    gone(&pid).await;
    lambda.shut_down().await;
}

#[tokio::test]
async fn a_function_that_cannot_start_says_so_at_once() {
    let mut refusing = local::lambda::Function { is_warm: true, ..function() };
    refusing.environment.insert("REFUSE_TO_START".to_owned(), "1".to_owned());
    let refused = lambda(refusing);
    let (name, error) = refused.warm_up().await.unwrap_err();
    assert_eq!(name, NAME);
    assert!(error.to_string().contains("exit status: 7"), "{error}");
    assert!(matches!(refused.invoke(NAME, json!({})).await, Err(InvokeError::Unavailable(_))));
    refused.shut_down().await;

    let mut missing = local::lambda::Function { is_warm: true, ..function() };
    missing.program.path = PathBuf::from("/nonexistent/function");
    let missing = lambda(missing);
    let (_, error) = missing.warm_up().await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/function"), "{error}");
    missing.shut_down().await;
}

#[tokio::test]
async fn events_and_answers_have_lambdas_limit() {
    let lambda = lambda(function());
    let event = json!("x".repeat(PAYLOAD_LIMIT_BYTES));
    let too_large = lambda.invoke(NAME, event).await;
    assert!(
        matches!(too_large, Err(InvokeError::Failed { error_type, .. }) if error_type == "RequestTooLarge")
    );
    let fitting = lambda.invoke(NAME, json!({ "do": "pad", "length": PAYLOAD_LIMIT_BYTES - 2 })).await;
    assert!(fitting.is_ok());
    let too_large = lambda.invoke(NAME, json!({ "do": "pad", "length": PAYLOAD_LIMIT_BYTES })).await;
    assert!(
        matches!(&too_large, Err(InvokeError::Failed { error_type, .. }) if error_type == "Function.ResponseSizeTooLarge"),
        "{too_large:?}"
    );
    lambda.shut_down().await;
}

#[tokio::test]
async fn a_process_at_work_does_not_outlive_a_killed_server() {
    let files = Hold::new();
    let mut server = stack(files.path());
    let pid = files.pid().await;
    assert!(signal(&pid, "-0"));
    server.kill().await.unwrap();
    gone(&pid).await;
}

#[tokio::test]
async fn stopping_ends_the_processes_and_answers_who_waits() {
    let lambda = lambda(local::lambda::Function { max_processes: 1, ..function() });
    let files = Hold::new();
    let held = tokio::spawn({
        let (lambda, path) = (lambda.clone(), files.path().to_owned());
        async move { lambda.invoke(NAME, json!({ "do": "wait", "path": path })).await }
    });
    let pid = files.pid().await;
    let waiting = tokio::spawn({
        let lambda = lambda.clone();
        async move { lambda.invoke(NAME, json!({})).await }
    });
    soon("the end", lambda.shut_down()).await;
    assert!(!signal(&pid, "-0"));
    assert!(matches!(held.await.unwrap(), Err(InvokeError::Unavailable(_))));
    assert!(matches!(waiting.await.unwrap(), Err(InvokeError::Unavailable(_))));
    assert!(matches!(lambda.invoke(NAME, json!({})).await, Err(InvokeError::Unavailable(_))));
}
