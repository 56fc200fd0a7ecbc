//! One running server for all tests of this folder; each test makes its own app.

use std::{fs::File, path::Path, sync::OnceLock, time::Duration};

use local::{
    child::{self, Addresses},
    client::{App, Client, Socket},
};
use serde_json::{Value, json};
use shared::testing::Database;
use tokio_postgres::NoTls;

use super::privacy::Printed;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running server.
pub(crate) struct Server {
    addresses: Addresses,
    /// There until this is dropped.
    process: Option<child::Server>,
    /// What its functions print, unless the test looks at it itself.
    printed: Option<Printed>,
    /// The database, if it did not start one itself.
    given: Option<Database>,
}

/// The server that the tests share. With `TEST_THROUGH_PGBOUNCER` set, its functions reach their database through a pooler.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        if std::env::var_os("TEST_THROUGH_PGBOUNCER").is_none() {
            return Server::start(&[]);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Beside the runtime of the test that happens to be the first.
        let made = std::thread::spawn(move || runtime.block_on(Database::new()));
        Server::on(made.join().unwrap())
    })
}

impl Server {
    /// Starts one of its own, with these arguments besides.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let printed = Printed::new();
        let arguments = [&["--function-logs", printed.path()], arguments].concat();
        let process = child::Server::start(env!("CARGO_BIN_EXE_local"), &arguments).unwrap();
        printed.unlink();
        Self::of(process, Some(printed))
    }

    fn of(process: child::Server, printed: Option<Printed>) -> Self {
        Self { addresses: process.addresses.clone(), process: Some(process), printed, given: None }
    }

    /// Starts one on this database.
    fn on(database: Database) -> Self {
        let mut started = Self::start(&["--database-url", database.url()]);
        started.given = Some(database);
        started
    }

    /// The same with these variables in its environment, everything that it shows in one file, and what the functions
    /// print in another.
    pub(crate) fn logging(environment: &[(&str, &str)], shown: &Path, printed: &Path) -> Self {
        let program = env!("CARGO_BIN_EXE_local");
        let arguments = ["--verbose", "--function-logs", printed.to_str().unwrap()];
        let shown = File::create(shown).unwrap().into();
        Self::of(child::Server::start_with(program, &arguments, environment, shown).unwrap(), None)
    }

    /// The URL of its HTTP API.
    pub(crate) fn edge(&self) -> &str {
        &self.addresses.edge
    }

    /// The URL of the AWS services.
    pub(crate) fn aws(&self) -> &str {
        &self.addresses.aws
    }

    /// The URL of its WebSocket API.
    pub(crate) fn ws(&self) -> &str {
        &self.addresses.ws
    }

    /// The URL of the fake Dialpad.
    pub(crate) fn dialpad(&self) -> &str {
        self.addresses.dialpad.as_deref().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.edge(), None).unwrap()
    }

    pub(crate) async fn database(&self) -> tokio_postgres::Client {
        let url = self.given.as_ref().map_or(&*self.addresses.database_url, Database::direct_url);
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.take());
        self.printed.iter().for_each(Printed::look_through);
    }
}

/// An app of this test's own, with a socket that sees everything of it.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) app: App,
    pub(crate) socket: Socket,
}

impl Stage {
    pub(crate) async fn new(name: &str) -> Self {
        let client = server().client();
        let app = client.make_app(name).await.unwrap();
        let socket = client.connect(&format!("api_key={}", app.api_key)).await.unwrap();
        Self { client, app, socket }
    }

    /// Delivers a payload; Dialpad is answered 200.
    pub(crate) async fn deliver(&self, payload: &Value) {
        let answer = self.client.deliver(&self.app, payload).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body), (200, json!({"received": true})));
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Value {
        self.socket.next(PATIENCE).await.unwrap()
    }

    /// Waits until no stored event of the app is left to be applied.
    pub(crate) async fn settled(&self) {
        let database = server().database().await;
        let app_id = self.app.app_id.0;
        eventually("all events are applied", async || {
            let sql = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL AND dead_at IS NULL";
            database.query_one(sql, &[&app_id]).await.unwrap().get::<_, i64>(0) == 0
        })
        .await;
    }

    /// Every frame that was caused so far: asks for the count, then reads that many.
    pub(crate) async fn frames(&mut self) -> Vec<Value> {
        self.settled().await;
        self.socket.say(&json!({"action": "ping", "after": 0})).await.unwrap();
        let (mut frames, mut count) = (Vec::new(), None);
        while count.is_none_or(|count| frames.len() < count) {
            let frame = self.frame().await;
            if frame["event"] == "pong" {
                count = Some(usize::try_from(frame["count"].as_i64().unwrap()).unwrap());
            } else {
                frames.push(frame);
            }
        }
        frames.sort_by_key(|frame| frame["seq"].as_i64());
        frames.dedup_by_key(|frame| frame["id"].clone());
        frames
    }

    /// Asks the REST API with the app's key.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self
            .client
            .send(axum::http::Method::GET, path, &[("x-app-api-key", &self.app.api_key)], "")
            .await
            .unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
        answer.body
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        server().printed.iter().for_each(Printed::look_through);
    }
}

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    within(PATIENCE, what, condition).await;
}

/// Waits so long for a condition.
pub(crate) async fn within(patience: Duration, what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(patience, wait).await.is_ok(), "waited in vain until {what}");
}
