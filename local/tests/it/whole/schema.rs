//! The schema of the database under the running server: made with psql, or of an earlier release.

use std::time::{Duration, Instant};

use axum::http::Method;
use local::{
    client::{App, Client},
    simulate::Scenario,
};
use serde_json::{Value, json};
use shared::{
    clock::{Clock as _, SystemClock},
    testing::{Database, migrations},
};

use super::server::{PATIENCE, Server, eventually};

/// A server on a database of this test's own.
struct Stage {
    server: Server,
    database: Database,
    client: Client,
    aws: Client,
}

impl Stage {
    /// On a database that psql made: the server brings it up to date, as it does with every database, and so adopts it.
    async fn made_with_psql() -> Self {
        let database = Database::empty().await;
        for file in migrations() {
            database.run_file(&file).await;
        }
        let server = Server::start(&["--database-url", database.url(), "--visibility-seconds", "1"]);
        let (client, aws) = (server.client(), Client::new(server.aws(), None).unwrap());
        Self { server, database, client, aws }
    }

    /// Changes the schema; the functions, whose sessions end, see it as it is now.
    async fn change(&self, sql: &str) {
        let database = self.database.client().await;
        database.batch_execute(sql).await.unwrap();
        let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        database.query(others, &[]).await.unwrap();
    }

    /// Invokes the migrator as a deployment does.
    async fn migrator(&self, action: &str) -> Value {
        let path = "/2015-03-31/functions/MigratorFunction/invocations";
        let event = json!({ "action": action }).to_string();
        self.aws.send(Method::POST, path, &[], event).await.unwrap().body
    }

    /// Delivers a call; each answer is 200, and comes while Dialpad still waits for it.
    async fn call(&self, app: &App, ago: Duration) {
        let begun = SystemClock.now() - ago;
        for payload in Scenario::Outbound.payloads(begun) {
            let sent = Instant::now();
            let answer = self.client.deliver(app, &payload).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.body), (200, json!({"received": true})));
            assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
        }
    }

    /// The calls of an app, or the refusal, as a client reads them.
    async fn calls(&self, app: &App) -> (u16, Value) {
        let headers = [("x-app-api-key", app.api_key.as_str())];
        let answer = self.client.send(Method::GET, "/api/calls", &headers, "").await.unwrap();
        (answer.status.as_u16(), answer.body)
    }

    /// Waits until an app has this many calls that are over.
    async fn ended(&self, app: &App, count: usize) {
        eventually("the calls are over", async || {
            let (status, body) = self.calls(app).await;
            let calls = body["data"].as_array().map_or(&[][..], Vec::as_slice);
            status == 200 && calls.iter().filter(|call| call["status"] == "ended").count() == count
        })
        .await;
    }
}

fn names() -> Vec<String> {
    migrations().iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_database_that_psql_made_is_served_and_adopted_by_the_migrator() {
    let stage = Stage::made_with_psql().await;
    let app = stage.client.make_app("by hand").await.unwrap();
    stage.change("DROP TABLE schema_migrations").await;
    let mut socket = stage.client.connect(&format!("api_key={}", app.api_key)).await.unwrap();
    stage.call(&app, Duration::from_mins(1)).await;
    stage.ended(&app, 1).await;
    while socket.next(PATIENCE).await.unwrap()["event"] != "call.ended" {}

    assert_eq!(stage.migrator("plan").await["pending"], json!(names()));
    assert_eq!(stage.calls(&app).await.0, 200);
    assert_eq!(stage.migrator("apply").await["applied"], json!(names()));
    assert_eq!(stage.migrator("verify").await["present"], json!(names()));

    stage.change("").await;
    stage.call(&app, Duration::ZERO).await;
    stage.ended(&app, 2).await;
    while socket.next(PATIENCE).await.unwrap()["event"] != "call.ended" {}
    drop(stage.server);
}

/// Deliveries while the database is of an earlier release, for an app whose secrets the functions know and for one that
/// none of them has met.
async fn spilled_until_the_migration(to_earlier: &str) {
    let stage = Stage::made_with_psql().await;
    let known = stage.client.make_app("known").await.unwrap();
    let unknown = stage.client.make_app("unknown").await.unwrap();
    let mut socket = stage.client.connect(&format!("api_key={}", known.api_key)).await.unwrap();
    stage.call(&known, Duration::from_mins(1)).await;
    stage.ended(&known, 1).await;

    stage.change(to_earlier).await;
    for app in [&known, &unknown] {
        stage.call(app, Duration::ZERO).await;
    }
    let rows = stage.database.client().await;
    let stored = async || -> i64 {
        let row = rows.query_one("SELECT count(*) FROM webhook_events", &[]).await.unwrap();
        row.get(0)
    };
    let before = i64::try_from(Scenario::Outbound.payloads(SystemClock.now()).len()).unwrap();
    assert_eq!(stored().await, before, "they wait in the queue");

    assert!(stage.migrator("apply").await["applied"].as_array().is_some_and(|files| !files.is_empty()));
    stage.ended(&known, 2).await;
    stage.ended(&unknown, 1).await;
    // Each comes again in its own time, the end of a call perhaps before its beginning.
    eventually("all are stored", async || stored().await >= 3 * before).await;
    assert_eq!(stored().await, 3 * before, "each is stored once");
    for _ in 0..2 {
        while socket.next(PATIENCE).await.unwrap()["event"] != "call.ended" {}
    }
    drop(stage.server);
}

#[tokio::test]
async fn deliveries_that_meet_the_schema_of_an_earlier_release_are_stored_after_the_migration() {
    spilled_until_the_migration(
        "DELETE FROM schema_migrations WHERE version >= 19; ALTER TABLE webhook_events DROP COLUMN source",
    )
    .await;
}

#[tokio::test]
async fn so_are_those_that_meet_an_earlier_schema_that_psql_made() {
    spilled_until_the_migration(
        "DROP TABLE schema_migrations; ALTER TABLE webhook_events DROP COLUMN source",
    )
    .await;
}
