//! The database goes away under the running server, and comes back.

use std::time::{Duration, Instant};

use axum::http::Method;
use local::simulate::Scenario;
use serde_json::json;
use shared::{
    clock::{Clock as _, SystemClock},
    config::Secret,
    dialpad::jws,
    postgres::{self, Options},
};

use super::{
    folder::Folder,
    server::{PATIENCE, Server, eventually},
    trial::Trial,
};

#[tokio::test]
async fn a_delivery_that_neither_database_nor_queue_takes_is_answered_503_and_taken_when_it_comes_again() {
    let mut trial = Trial::start().await;
    trial.calls(1).await;
    trial.faults(json!({ "queue-refuse": 1 })).await;
    trial.act(json!({ "act": "database", "access": "refuse" })).await;
    let payload = &Scenario::Outbound.payloads(SystemClock.now())[0];
    let sent = Instant::now();
    let answer = trial.client.deliver(&trial.app, payload).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (503, &json!("unavailable")),
        "{}",
        answer.body
    );
    assert!(sent.elapsed() < Duration::from_secs(5), "Dialpad waits no longer: {:?}", sent.elapsed());
    trial.act(json!({ "act": "database", "access": "open" })).await;
    trial.deliver(payload).await;
    trial.delivered += 1;
    // Its wake-up was refused too: the sweep finds it.
    trial.recovered().await;
}

#[tokio::test]
async fn deliveries_of_an_outage_are_answered_at_once_and_pushed_after_it() {
    let folder = Folder::new("outage");
    let start = |port| {
        let options = Options { data_dir: Some(folder.0.clone()), port, ..shared::testing::server_options() };
        tokio::task::spawn_blocking(move || postgres::Server::start(options).unwrap())
    };
    let database = start(None).await.unwrap();
    let (url, port) = (database.url("postgres"), database.port());
    let server = Server::start(&["--database-url", &url, "--visibility-seconds", "1"]);
    let client = server.client();
    let app = client.make_app("outage").await.unwrap();
    // No function knows this one's secrets when the database goes away, as if all of them had been started after that.
    let unknown = client.make_app("unknown").await.unwrap();
    let mut socket = client.connect(&format!("api_key={}", app.api_key)).await.unwrap();

    let now = SystemClock.now();
    let mut calls = (0..5).map(|n| Scenario::Outbound.payloads(now + chrono::TimeDelta::seconds(n)));
    for payload in calls.next().unwrap() {
        assert_eq!(client.deliver(&app, &payload).await.unwrap().status.as_u16(), 200);
    }
    // Its secret is another by the time of the outage, and those who know it know the old one.
    let mut rotated = client.make_app("rotated").await.unwrap();
    let of_rotated = Scenario::Outbound.payloads(now - chrono::TimeDelta::seconds(18));
    assert_eq!(client.deliver(&rotated, &of_rotated[0]).await.unwrap().status.as_u16(), 200);
    let path = format!("/internal/apps/{}/webhook-secret", rotated.app_id);
    let secret = client.send(Method::POST, &path, &[], "").await.unwrap().body["webhook_secret"].clone();
    rotated.webhook_secret = Secret::new(secret.as_str().unwrap());
    tokio::task::spawn_blocking(move || drop(database)).await.unwrap();

    let of_unknown = Scenario::Outbound.payloads(now - chrono::TimeDelta::seconds(9));
    let during = calls.flatten().map(|payload| (&app, payload));
    let of_others = of_unknown.into_iter().map(|payload| (&unknown, payload));
    let of_others = of_others.chain(of_rotated.into_iter().map(|payload| (&rotated, payload)));
    for (app, payload) in during.chain(of_others) {
        let sent = Instant::now();
        let answer = client.deliver(app, &payload).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body), (200, json!({"received": true})));
        // Dialpad gives up after five seconds, and the database gets 1.5 of them.
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
    }
    // The one address of the stack, and a key that says whose it is.
    for payload in Scenario::Outbound.payloads(now - chrono::TimeDelta::seconds(27)) {
        let body = jws::sign(&payload.to_string(), &app.webhook_secret);
        let headers = [("x-app-api-key", app.api_key.as_str())];
        let answer = client.send(Method::POST, "/webhooks/dialpad", &headers, body).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body), (200, json!({"received": true})));
    }
    let health = client.send(Method::GET, "/health", &[], "").await.unwrap();
    assert_eq!(health.status.as_u16(), 503);

    let database = start(Some(port)).await.unwrap();
    let rows = server.database().await;
    eventually("every delivery is stored and applied", async || {
        let sql = "SELECT count(*) FROM webhook_events WHERE processed_at IS NOT NULL";
        rows.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 24
    })
    .await;
    let mut ended = 0;
    while ended < 6 {
        ended += usize::from(socket.next(PATIENCE).await.unwrap()["event"] == "call.ended");
    }
    drop(rows);
    drop(server);
    tokio::task::spawn_blocking(move || drop(database)).await.unwrap();
}
