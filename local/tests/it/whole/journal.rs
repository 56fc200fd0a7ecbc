//! What `serve` shows of what happens.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

use local::{
    child::Addresses,
    client::{App, Client},
    simulate::Scenario,
};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};

use super::server::PATIENCE;

/// A server that shows everything as JSON.
struct Shown {
    server: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    addresses: Addresses,
    seen: Vec<Value>,
}

impl Shown {
    fn start() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_local"))
            .args(["serve", "--ephemeral", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        Self { server, lines, addresses: serde_json::from_str(&first).unwrap(), seen: Vec::new() }
    }

    /// A line with these members: one that was seen, else reads on until there is one.
    fn sees(&mut self, wanted: &Value) -> &Value {
        match self.seen.iter().position(|line| fits(line, wanted)) {
            Some(place) => &self.seen[place],
            None => self.until(wanted),
        }
    }

    /// Reads on until there is a line with these members.
    fn until(&mut self, wanted: &Value) -> &Value {
        loop {
            let Some(line) = self.lines.next() else { panic!("no {wanted} in {:#?}", self.seen) };
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            self.seen.push(line);
            if fits(self.seen.last().unwrap(), wanted) {
                return self.seen.last().unwrap();
            }
        }
    }
}

fn fits(line: &Value, wanted: &Value) -> bool {
    wanted.as_object().unwrap().iter().all(|(name, value)| line.get(name) == Some(value))
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_a_request_and_event_shows_no_number_name_or_key() {
    let mut shown = Shown::start();
    let client = Client::new(&shown.addresses.edge, None).unwrap();
    let App { app_id, api_key, webhook_secret } = client.make_app("Shown Ltd").await.unwrap();
    let app = App { app_id, api_key: api_key.clone(), webhook_secret };
    shown.until(&json!({"component": "HTTP", "method": "POST", "path": "/internal/apps", "status": 201}));

    let mut socket = client.connect(&format!("api_key={api_key}&user_id=user_abc")).await.unwrap();
    let connected = shown.until(&json!({"component": "WebSocket", "message": "connected", "kind": "user"}));
    assert!(connected["duration_ms"].is_number(), "{connected}");

    let payloads = Scenario::InboundAnswered.payloads(SystemClock.now());
    client.deliver(&app, &payloads[0]).await.unwrap();
    socket.next(PATIENCE).await.unwrap();
    shown.until(&json!({"component": "HTTP", "method": "POST", "status": 200}));
    shown.until(&json!({"component": "Queue", "function": "broadcaster", "messages": 1}));

    let path = format!("/internal/apps/{app_id}/users/map");
    let mapping = json!({"dialpad_user_id": 987_654, "crm_user_id": "user_abc"}).to_string();
    let headers = [("content-type", "application/json")];
    client.send(axum::http::Method::POST, &path, &headers, mapping).await.unwrap();
    shown.until(&json!({"component": "UserMapping", "app_id": app_id}));

    let path = format!("/internal/apps/{app_id}/api-key");
    client.send(axum::http::Method::POST, &path, &[], "").await.unwrap();
    shown.until(&json!({"component": "APIKey", "app_id": app_id}));
    let path = "/api/calls?number=%2B14155550160";
    client.send(axum::http::Method::GET, path, &[("x-app-api-key", &api_key)], "").await.unwrap();
    shown.until(&json!({"component": "HTTP", "method": "GET", "path": "/api/calls", "status": 401}));

    // The key was rotated, so the socket that was opened with it is closed; who closes it and who sees it end are two.
    let closed = shown.sees(&json!({"component": "WebSocket", "message": "closed", "app_id": app_id}));
    assert_eq!(closed["reason"], "key_revoked", "{closed}");
    drop(socket);
    let disconnected = shown.sees(&json!({"component": "WebSocket", "message": "disconnected"}));
    assert!(disconnected["code"].is_number(), "{disconnected}");

    let all = Value::from(shown.seen.clone()).to_string();
    let secret = api_key.rsplit('_').next().unwrap();
    let call = &payloads[0];
    let numbers = ["external_number", "internal_number"].map(|name| call[name].as_str().unwrap_or_default());
    let name = call["contact"]["name"].as_str().unwrap_or_default();
    for kept in [secret, "Shown Ltd", "user_abc", "4155550160", name, numbers[0], numbers[1]] {
        assert!(!kept.is_empty());
        assert!(!all.contains(kept), "{kept} is in {all}");
    }
}
