//! `tail`: follows an app, goes on where it stopped, and says what to do when it cannot.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use local::simulate::Scenario;
use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};

use super::server::{Stage, server};

/// A `tail` that prints JSON, with its lines.
struct Tail {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Tail {
    fn start(stage: &Stage, after: &str) -> Self {
        let mut process = command(server().edge(), &stage.app.api_key)
            .args(["--json", "--after", after])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn events(&mut self, count: usize) -> Vec<String> {
        let frames = self.lines.by_ref().take(count);
        let frames = frames.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        frames.map(|frame| format!("{} {}", frame["seq"], frame["event"].as_str().unwrap())).collect()
    }

    /// Ends it as Ctrl-C does, and gives back what it said besides.
    fn end(self) -> String {
        assert!(
            Command::new("kill")
                .args(["-s", "INT", &self.process.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let output = self.process.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

fn command(url: &str, key: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.args(["tail", "--url", url, "--api-key", key]);
    command
}

fn said(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_and_goes_on_where_it_stopped() {
    let stage = Stage::new("tail").await;
    let payloads = Scenario::Outbound.payloads(SystemClock.now());
    let (first, rest) = payloads.split_first().unwrap();
    stage.deliver(first).await;
    let mut tail = Tail::start(&stage, "0");
    assert_eq!(tail.events(1), ["1 call.ring"]);
    // At most as far as is certain: a frame that came by itself is settled by the next ping.
    assert!(tail.end().contains("to go on from here: --after"));

    for payload in rest {
        stage.deliver(payload).await;
    }
    let mut tail = Tail::start(&stage, "1");
    // What was missed comes with the first answer, and what happens meanwhile may come before it.
    let mut events = tail.events(2);
    events.sort();
    assert_eq!(events, ["2 call.started", "3 call.ended"]);
    tail.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_missing_server_end_it_with_advice() {
    let key = "app_000000000000_00000000000000000000000000000000000000";
    let refused = said(&command(server().edge(), key).output().unwrap());
    assert!(refused.contains("401") && refused.contains("/api-key"), "{refused}");
    let missing = said(&command("http://127.0.0.1:1", key).output().unwrap());
    assert!(
        missing.contains("nothing answers at http://127.0.0.1:1") && missing.contains("cargo run -p local")
    );
    assert!(!refused.contains(key) && !missing.contains(key));
}
