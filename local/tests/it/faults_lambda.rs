//! Faults of processes: killed before, during and after an invocation.

use std::{collections::BTreeMap, time::Duration};

use local::{
    faults::Faults,
    journal::Journal,
    lambda::{Function, InvokeError, Lambda},
};
use serde_json::json;

use crate::{
    edge_stack::soon,
    faults_edge::faults,
    function::{Hold, NAME, function},
};

fn lambda(faults: &Faults) -> Lambda {
    let function = Function { max_processes: 1, ..function() };
    Lambda::processes(vec![function], BTreeMap::new(), &Journal::quiet(), faults).unwrap()
}

/// The invocation fails because its process was killed.
fn assert_killed(outcome: &Result<serde_json::Value, InvokeError>) {
    match outcome {
        Err(InvokeError::Unavailable(reason)) => assert!(reason.contains("signal: killed"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_process_killed_before_an_invocation_never_sees_it() {
    let faults = faults(&["kill-before=1"], 1);
    let lambda = lambda(&faults);
    let hold = Hold::new();
    let killed = soon("the kill", lambda.invoke(NAME, json!({ "do": "release", "path": hold.path() }))).await;
    assert_killed(&killed);
    assert!(!hold.path().exists(), "the function has done nothing");
    faults.set(BTreeMap::new(), None);
    assert!(soon("the next process", lambda.invoke(NAME, json!({}))).await.is_ok());
    assert_eq!(faults.injected(), BTreeMap::from([("kill-before", 1)]));
    lambda.shut_down().await;
}

#[tokio::test]
async fn a_process_killed_during_an_invocation_leaves_it_half_done() {
    let faults = faults(&["kill-during=1:20ms"], 1);
    let lambda = lambda(&faults);
    let hold = Hold::new();
    // It waits for a file that nobody makes.
    let killed = soon("the kill", lambda.invoke(NAME, json!({ "do": "wait", "path": hold.path() }))).await;
    assert_killed(&killed);
    faults.set(BTreeMap::new(), None);
    assert!(soon("the next process", lambda.invoke(NAME, json!({}))).await.is_ok());
    assert_eq!(faults.injected(), BTreeMap::from([("kill-during", 1)]));
    lambda.shut_down().await;
}

#[tokio::test]
async fn a_process_killed_after_an_invocation_has_done_its_work() {
    let faults = faults(&["kill-after=1"], 1);
    let lambda = lambda(&faults);
    let hold = Hold::new();
    let killed = soon("the kill", lambda.invoke(NAME, json!({ "do": "release", "path": hold.path() }))).await;
    assert_killed(&killed);
    assert!(hold.path().exists(), "the work is done");
    faults.set(BTreeMap::new(), None);
    assert!(soon("the next process", lambda.invoke(NAME, json!({}))).await.is_ok());
    assert_eq!(faults.injected(), BTreeMap::from([("kill-after", 1)]));
    lambda.shut_down().await;
}

#[tokio::test]
async fn the_seed_repeats_which_invocations_die() {
    let run = async |seed| {
        let faults = faults(&["kill-before=0.2", "kill-after=0.2"], seed);
        let lambda = lambda(&faults);
        let mut outcomes = Vec::new();
        for _ in 0..12 {
            outcomes.push(soon("an answer", lambda.invoke(NAME, json!({}))).await.is_ok());
        }
        lambda.shut_down().await;
        (outcomes, faults.injected())
    };
    let first = run(3).await;
    assert!(first.0.contains(&true) && first.0.contains(&false), "{first:?}");
    assert_eq!(first, run(3).await);
}

#[tokio::test]
async fn all_processes_of_a_function_can_be_killed_at_once() {
    let faults = Faults::default();
    let lambda = lambda(&faults);
    let hold = Hold::new();
    let call = lambda.invoke(NAME, json!({ "do": "wait", "path": hold.path() }));
    let kill = async {
        hold.pid().await;
        lambda.kill(NAME)
    };
    let (call, killed) = soon("the kill", async { tokio::join!(call, kill) }).await;
    assert_killed(&call);
    assert_eq!(killed, 1);
    assert_eq!(lambda.kill("nobody"), 0);
    assert!(soon("the next process", lambda.invoke(NAME, json!({}))).await.is_ok());
    assert_eq!(faults.injected(), BTreeMap::from([("kill", 1)]));
    lambda.shut_down().await;
}

#[tokio::test]
async fn processes_that_are_killed_on_purpose_are_replaced_without_a_wait() {
    let faults = faults(&["kill-before=1"], 1);
    let lambda = lambda(&faults);
    let start = std::time::Instant::now();
    for _ in 0..8 {
        assert_killed(&soon("the kill", lambda.invoke(NAME, json!({}))).await);
    }
    // With the waits of a function that does not start this would be 25 s.
    assert!(start.elapsed() < Duration::from_secs(20));
    lambda.shut_down().await;
}
