//! Every kind of function dies before, during and after an invocation, and Postgres under them, while calls come in; in the
//! end each delivery is stored once and applied once, and each client holds exactly the log of its audience.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;
use shared::postgres::{self, Options};
use tokio::time::{Instant, sleep};

use super::{
    folder::Folder,
    server::{PATIENCE, Server},
    trial::Trial,
};

const FUNCTIONS: [&str; 5] = ["webhook", "processor", "broadcaster", "websocket", "rest"];
const MOMENTS: [&str; 3] = ["before", "during", "after"];

/// Delivers calls, and asks the REST API, until a fault of that kind has struck once more.
async fn until_struck(trial: &mut Trial, kind: &str, before: u64) {
    let end = Instant::now() + PATIENCE;
    while trial.injected(kind).await == before {
        assert!(Instant::now() < end, "waited in vain for {kind}");
        trial.calls(1).await;
        // Its own process may be the one that dies.
        let headers = [("x-app-api-key", trial.app.api_key.as_str())];
        let _ = trial.client.send(Method::GET, "/api/calls", &headers, "").await;
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_whichever_process_is_killed_and_when() {
    let mut trial = Trial::start().await;
    trial.calls(1).await;
    for function in FUNCTIONS {
        for moment in MOMENTS {
            let kind = format!("kill-{moment}");
            let before = trial.injected(&kind).await;
            trial.act(json!({ "act": "kill", "function": function, "moment": moment })).await;
            until_struck(&mut trial, &kind, before).await;
        }
        // All processes of the function at once, whatever they are at.
        trial.act(json!({ "act": "kill", "function": function })).await;
        trial.calls(1).await;
    }
    for moment in MOMENTS {
        let struck = trial.injected(&format!("kill-{moment}")).await;
        assert_eq!(struck, FUNCTIONS.len() as u64, "{moment}: each function once");
    }
    trial.recovered().await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_postgres_stops_at_once_and_comes_back() {
    let folder = Folder::new("kills");
    let start = |port| {
        let data_dir = Some(folder.0.clone());
        let options = Options { data_dir, durable: true, port, ..shared::testing::server_options() };
        tokio::task::spawn_blocking(move || postgres::Server::start(options).unwrap())
    };
    let mut database = start(None).await.unwrap();
    let (url, port) = (database.url("postgres"), database.port());
    let server = Server::start(&["--database-url", &url, "--visibility-seconds", "2"]);
    let mut trial = Trial::on(server).await;
    for away in [0, 1500] {
        trial.calls(2).await;
        tokio::task::spawn_blocking(move || database.crash().unwrap()).await.unwrap();
        if away > 0 {
            trial.calls(2).await;
            sleep(Duration::from_millis(away)).await;
        }
        database = start(Some(port)).await.unwrap();
        trial.calls(2).await;
    }
    trial.recovered().await;
    drop(trial);
    tokio::task::spawn_blocking(move || drop(database)).await.unwrap();
}
