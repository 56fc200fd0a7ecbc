//! The client that the documents print: it is run as it stands there, against a server that misbehaves.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
};

use local::simulate::Scenario;
use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};

use super::server::{Server, eventually};

/// What goes wrong meanwhile.
const FAULTS: [&str; 16] = [
    "--seed",
    "6",
    "--visibility-seconds",
    "1",
    "--fault",
    "post-gone=0.1",
    "--fault",
    "post-throttle=0.3",
    "--fault",
    "queue-duplicate=0.2",
    "--fault",
    "queue-delay=0.2:300ms",
    "--fault",
    "kill-during=0.03",
    "--fault",
    "disconnect-drop=0.5",
];

/// Runs it, and prints what it is told.
const MAIN: &str = r#"import { follow } from "./follow.mjs";
const [url] = process.argv.slice(2);
follow(() => url, (event) => console.log(JSON.stringify(event)), { ping: 1000, pause: 100, reload: () => console.log("reload") });
"#;

/// The only JavaScript of the page.
fn documented() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```js\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Node with a `WebSocket` of its own (22, or 20 when it is asked to), or nothing on a machine that has none.
fn node() -> Option<Command> {
    let mut node = Command::new("node");
    node.arg("--experimental-websocket");
    let has_it = Command::new("node")
        .args(["--experimental-websocket", "-e", "WebSocket"])
        .stderr(Stdio::null())
        .status();
    has_it.is_ok_and(|status| status.success()).then_some(node)
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn the_documented_client_ends_with_exactly_the_log() {
    let code = documented();
    assert!(code.lines().count() < 60, "it is to be small");
    let Some(mut node) = node() else {
        // The rules themselves are tested with the same client in Rust; a machine without Node cannot run this one.
        assert!(std::env::var_os("CI").is_none(), "install Node 20.10 or later");
        return;
    };
    let folder = std::env::temp_dir().join(format!("documented-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("follow.mjs"), code).unwrap();
    std::fs::write(folder.join("main.mjs"), MAIN).unwrap();

    let server = Server::start(&FAULTS);
    let client = server.client();
    let app = client.make_app("documented").await.unwrap();
    let url = format!("{}/ws?api_key={}", server.edge().replacen("http", "ws", 1), app.api_key);
    let heard = folder.join("heard");
    let output = std::fs::File::create(&heard).unwrap();
    let _running = Running(node.arg(folder.join("main.mjs")).arg(&url).stdout(output).spawn().unwrap());

    let now = SystemClock.now();
    for call in 0..25 {
        for payload in Scenario::InboundAnswered.payloads(now - chrono::TimeDelta::seconds(call)) {
            // As Dialpad does, again and again while it is not taken.
            eventually("the delivery is taken", async || {
                client.deliver(&app, &payload).await.is_ok_and(|answer| answer.status.as_u16() == 200)
            })
            .await;
        }
    }
    let database = server.database().await;
    let log = async || {
        let rows = database.query("SELECT seq, frame FROM client_events ORDER BY seq", &[]).await.unwrap();
        rows.iter()
            .map(|row| (row.get("seq"), serde_json::from_str(row.get("frame")).unwrap()))
            .collect::<BTreeMap<i64, Value>>()
    };
    eventually("every call is over in the log", async || {
        log().await.values().filter(|frame| frame["event"] == "call.ended").count() == 25
    })
    .await;
    let log = log().await;
    assert_eq!(log.keys().copied().collect::<Vec<_>>(), (1..=125).collect::<Vec<i64>>());
    let told = || {
        let text = std::fs::read_to_string(&heard).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect::<Vec<Value>>()
    };
    eventually("the client was told all of it", async || told().len() >= log.len()).await;
    let told = told();
    assert_eq!(told.len(), log.len(), "nothing is told twice");
    let told: BTreeMap<i64, Value> =
        told.into_iter().map(|event| (event["seq"].as_i64().unwrap(), event)).collect();
    assert_eq!(told, log);
    drop(std::fs::remove_dir_all(&folder));
}
