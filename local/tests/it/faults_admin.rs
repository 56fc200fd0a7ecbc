//! `/_local/faults`: what tests and a person at the terminal change while the stack runs.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Method, Request},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use local::{
    admin::{Actors, router},
    faults::{Faults, Kind, Proxy},
    lambda::Lambda,
};
use serde_json::{Value, json};
use shared::testing::Database;
use tokio::net::TcpListener;

use crate::{
    edge_stack::Reply,
    function::{NAME, function, lambda},
};

/// The routes on a port of their own.
struct Stack {
    url: String,
    faults: Faults,
    lambda: Lambda,
}

impl Stack {
    async fn start(lambda: Lambda, database: Option<Proxy>) -> Self {
        let faults = Faults::default();
        let actors = Actors { faults: faults.clone(), lambda: lambda.clone(), database };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/_local/faults", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router(actors)).await.unwrap() });
        Self { url, faults, lambda }
    }

    async fn with_processes(database: Option<Proxy>) -> Self {
        Self::start(lambda(function()), database).await
    }

    async fn send(&self, method: Method, path: &str, body: impl ToString) -> (u16, Value) {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let reply = Reply::read(response.map(Body::new)).await;
        (reply.status, reply.json())
    }

    /// What is said of each field of a request that is refused.
    async fn refused(&self, method: Method, path: &str, body: Value) -> Vec<(String, String)> {
        let (status, problem) = self.send(method, path, &body).await;
        assert_eq!((status, &problem["code"]), (422, &json!("wrong_fault")), "{body}: {problem}");
        let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
        let errors = problem["errors"].as_array().unwrap();
        errors.iter().map(|error| (text(error, "pointer"), text(error, "detail"))).collect()
    }
}

#[tokio::test]
async fn what_is_in_force_can_be_replaced_and_read_back() {
    let stack = Stack::with_processes(None).await;
    let nothing = json!({ "seed": 0, "faults": {}, "injected": {}, "database": null });
    assert_eq!(stack.send(Method::GET, "", "").await, (200, nothing));
    let faults = json!({ "post-gone": 0.1, "queue-delay": "0.05:60s", "connect-rate": 500 });
    let shown = json!({ "post-gone": "0.1", "queue-delay": "0.05:60000ms", "connect-rate": "500" });
    let (status, answer) = stack.send(Method::PUT, "", json!({ "seed": 7, "faults": faults })).await;
    assert_eq!((status, &answer["seed"], &answer["faults"]), (200, &json!(7), &shown));
    while stack.faults.strike(Kind::PostGone, "").is_none() {}
    let (_, answer) = stack.send(Method::PUT, "", json!({ "faults": {} })).await;
    assert_eq!((&answer["seed"], &answer["injected"]), (&json!(7), &json!({ "post-gone": 1 })));
    assert!(stack.faults.strike(Kind::PostGone, "").is_none());
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let stack = Stack::with_processes(None).await;
    let faults = json!({
        "post-gone": 2, "post-lost": 1, "queue-delay": "0.1:soon", "kill-after": [], "database-hang": 0.1,
        "post-hang": 0.5,
    });
    let errors = stack.refused(Method::PUT, "", json!({ "seed": -1, "sead": 1, "faults": faults })).await;
    let errors: BTreeMap<_, _> = errors.into_iter().collect();
    for (pointer, detail) in [
        ("/seed", "expected a whole number"),
        ("/sead", "unknown; there are seed, faults"),
        ("/faults/post-gone", "expected a share from 0 to 1, not \"2\""),
        ("/faults/post-lost", "there is no fault \"post-lost\"; there are"),
        ("/faults/queue-delay", "expected a time from 1ms to 60m"),
        ("/faults/kill-after", "expected a number, or a text as in the flag"),
        (
            "/faults/database-hang",
            "the functions reach the database directly: start the server with --database-proxy",
        ),
    ] {
        assert!(errors[pointer].starts_with(detail), "{pointer}: {}", errors[pointer]);
    }
    assert_eq!(errors.len(), 7, "what is right is not complained of");
    assert_eq!(stack.faults.in_force(), BTreeMap::new());
    assert_eq!(stack.refused(Method::PUT, "", json!({ "seed": 1 })).await[0].0, "/faults");
    assert_eq!(stack.refused(Method::PUT, "", json!("text")).await[0].0, "");
}

#[tokio::test]
async fn acts_are_done_at_once_or_refused() {
    let database = Database::new().await;
    let proxy = Proxy::start(database.url(), Faults::default()).await.unwrap();
    let stack = Stack::with_processes(Some(proxy.clone())).await;
    let act = |body: Value| stack.send(Method::POST, "/acts", body);
    stack.lambda.invoke(NAME, json!({})).await.unwrap();
    assert_eq!(act(json!({ "act": "kill", "function": NAME })).await, (200, json!({ "killed": 1 })));
    for access in ["refuse", "hang", "open"] {
        let answer = act(json!({ "act": "database", "access": access })).await;
        assert_eq!(answer, (200, json!({ "database": access })));
        assert_eq!(proxy.access().name(), access);
        assert_eq!(stack.send(Method::GET, "", "").await.1["database"], access);
    }
    for (body, pointer) in [
        (json!({ "act": "dance" }), "/act"),
        (json!({}), "/act"),
        (json!({ "act": "kill", "function": "nobody" }), "/function"),
        (json!({ "act": "kill", "function": NAME, "signal": 9 }), "/signal"),
        (json!({ "act": "database", "access": "away" }), "/access"),
    ] {
        assert_eq!(stack.refused(Method::POST, "/acts", body).await[0].0, pointer);
    }
    stack.lambda.shut_down().await;
}

#[tokio::test]
async fn what_other_programs_own_cannot_be_killed_from_here() {
    let stack = Stack::start(Lambda::remote("http://127.0.0.1:9", BTreeMap::new()).unwrap(), None).await;
    let refused = stack.refused(Method::PUT, "", json!({ "faults": { "kill-before": 0.5 } })).await;
    assert!(refused[0].1.contains("--lambda"), "{refused:?}");
    let refused = stack.refused(Method::POST, "/acts", json!({ "act": "kill", "function": "rest" })).await;
    assert_eq!(refused[0].0, "/act");
    let refused = stack.refused(Method::POST, "/acts", json!({ "act": "database", "access": "hang" })).await;
    assert!(refused[0].1.contains("--database-proxy"), "{refused:?}");
}
