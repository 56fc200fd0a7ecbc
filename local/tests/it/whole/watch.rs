//! The main job with the functions behind the real `cargo lambda watch`, and a handler that is edited meanwhile.
//!
//! The edit is made in a copy of the workspace. The copy has a version of its own: so it shares the target folder, and
//! what is compiled there of dependencies, and never a binary that cargo would take for the checkout's.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use axum::http::Method;
use local::{
    child::{self, LIFELINE},
    client::Client,
    settings::root,
    simulate::Scenario,
};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use tokio_postgres::NoTls;

use super::{
    folder::Folder,
    server::{PATIENCE, eventually},
};

/// The handler of `GET /`, what it says, and what it is made to say.
const HANDLER: &str = "functions/rest/src/health.rs";
const BEFORE: &str = "CTI Server is running";
const AFTER: &str = "CTI Server is edited";

/// How long it may take until an edited handler is compiled.
const COMPILE: Duration = Duration::from_mins(3);

/// What of the checkout is no part of the workspace.
const LEFT_OUT: [&str; 5] = ["target", ".git", ".local", ".env", ".aws-sam"];

/// A copy of the workspace in the target folder.
struct Copy {
    folder: Folder,
    target: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_local"));
        let target = program.ancestors().nth(2).unwrap().to_owned();
        let folder = Folder(target.join("watch"));
        let _ = fs::remove_dir_all(&folder.0);
        copy(&root(), &folder.0);
        let manifest = folder.0.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        let version = "[workspace.package]\nversion = \"";
        assert!(text.contains(version));
        fs::write(manifest, text.replacen(version, &format!("{version}9"), 1)).unwrap();
        Self { folder, target }
    }

    /// A command in it. What cargo told this test about itself would have everything compiled again.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder.0);
        for (name, _) in std::env::vars_os() {
            let is_cargos_own = |name: &str| name.starts_with("CARGO") && name != "CARGO_HOME";
            if name.to_str().is_some_and(is_cargos_own) {
                command.env_remove(name);
            }
        }
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    fn edit(&self) {
        let file = self.folder.0.join(HANDLER);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(BEFORE));
        fs::write(file, text.replace(BEFORE, AFTER)).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name();
        let is_left_out = LEFT_OUT.iter().any(|left_out| name == *left_out);
        match entry.file_type().unwrap() {
            _ if is_left_out => {}
            kind if kind.is_dir() => copy(&entry.path(), &to.join(name)),
            _ => drop(fs::copy(entry.path(), to.join(name)).unwrap()),
        }
    }
}

/// The tool, which ends with this value or with this process.
struct Watch {
    lifeline: Option<ChildStdin>,
    shell: Child,
}

impl Watch {
    fn start(copy: &Copy, port: u16, environment: &Path) -> Self {
        let mut shell = copy
            .command("/bin/sh")
            .args(["-c", LIFELINE, "lifeline", "cargo", "lambda", "watch", "-A", "127.0.0.1", "-P"])
            .args([&port.to_string(), "--concurrency", "4", "--env-file"])
            .arg(environment)
            .stdin(Stdio::piped())
            // The functions' log.
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { lifeline: shell.stdin.take(), shell }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.shell.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`.ci/run watch` runs it, which has the tool"]
async fn cargo_lambda_watch_serves_the_main_job_and_an_edited_handler() {
    let copy = Copy::new();
    // The tool compiles a function within its first invocation, which API Gateway does not wait for.
    assert!(copy.command("cargo").arg("build").status().unwrap().success());

    let data = Folder::new("watch");
    let environment = data.0.join("functions.env");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (url, folder) = (format!("http://127.0.0.1:{port}"), data.0.to_str().unwrap().to_owned());
    let starting = tokio::task::spawn_blocking(move || {
        child::Server::start(env!("CARGO_BIN_EXE_local"), &["--lambda", &url, "--data", &folder]).unwrap()
    });
    eventually("the functions' environment is written", async || environment.exists()).await;
    let watch = Watch::start(&copy, port, &environment);
    let server = starting.await.unwrap();
    let client = Client::new(&server.addresses.edge, None).unwrap();

    walk(&client, &server.addresses.database_url).await;

    let said = async || client.send(Method::GET, "/", &[], "").await.unwrap().body["message"].clone();
    assert_eq!(said().await, BEFORE);
    copy.edit();
    let compiled = async {
        // Until the tool has seen the edit the old handler answers; while it compiles, nobody.
        while said().await != AFTER {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(COMPILE, compiled).await.unwrap();

    drop(server);
    tokio::task::spawn_blocking(move || drop(watch)).await.unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "the tool still listens");
}

/// Delivery to frame, REST, sockets with resume, and the sweep.
async fn walk(client: &Client, database_url: &str) {
    let app = client.make_app("watched").await.unwrap();
    let mut socket = client.connect(&format!("api_key={}", app.api_key)).await.unwrap();
    let payloads = Scenario::InboundAnswered.payloads(SystemClock.now());
    let mut frames = Vec::new();
    for payload in &payloads {
        let answer = client.deliver(&app, payload).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body), (200, json!({"received": true})));
        frames.push(socket.next(PATIENCE).await.unwrap());
    }
    let events: Vec<_> = frames.iter().map(|frame| &frame["event"]).collect();
    assert_eq!(events, ["call.ring", "call.started", "call.held", "call.resumed", "call.ended"]);

    let key = [("x-app-api-key", app.api_key.as_str())];
    let calls = client.send(Method::GET, "/api/calls", &key, "").await.unwrap().body;
    assert_eq!(calls["data"][0]["status"], "ended", "{calls}");

    // Nobody announces a row that a person inserts: only the sweep, one pass every five seconds, finds it.
    let (database, connection) = tokio_postgres::connect(database_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let app_id = app.app_id.0;
    let payload = &Scenario::Outbound.payloads(SystemClock.now())[0];
    let sql = "INSERT INTO webhook_events (app_id, event_type, payload) VALUES ($1, 'calling', $2)";
    database.execute(sql, &[&app_id, payload]).await.unwrap();
    let swept = socket.next(PATIENCE).await.unwrap();
    assert_eq!((&swept["event"], &swept["direction"]), (&json!("call.ring"), &json!("outbound")));

    socket.close().await.unwrap();
    let mut socket = client.connect(&format!("api_key={}", app.api_key)).await.unwrap();
    socket.say(&json!({"action": "resume", "after": 0})).await.unwrap();
    let replay = socket.next(PATIENCE).await.unwrap();
    let replayed = replay["events"].as_array().map_or(0, Vec::len);
    assert_eq!((&replay["event"], replayed), (&Value::from("replay"), frames.len() + 1), "{replay}");
    socket.close().await.unwrap();
}
