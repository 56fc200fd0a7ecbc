//! Each fault strikes the whole while calls come in; afterwards every client holds exactly the log of its audience.

use std::time::Duration;

use axum::http::Method;
use local::{
    client::{App, Client},
    follow::witness::{Logged, Witness},
    simulate::Scenario,
};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use tokio::sync::watch;

use super::server::{PATIENCE, Server, eventually};

/// A server of its own, since its faults strike everybody, and clients of one app: two of the app, one of each user.
struct Trial {
    server: Server,
    client: Client,
    aws: Client,
    app: App,
    witnesses: Vec<Witness>,
    storm: watch::Sender<u64>,
    delivered: i64,
}

impl Trial {
    async fn start() -> Self {
        let server = Server::start(&["--database-proxy", "--visibility-seconds", "2"]);
        let client = server.client();
        let app = client.make_app("faults").await.unwrap();
        let mapping = json!({"dialpad_user_id": "5600000000000001", "crm_user_id": "ada"}).to_string();
        let path = format!("/internal/apps/{}/users/map", app.app_id);
        let headers = [("content-type", "application/json")];
        assert!(client.send(Method::POST, &path, &headers, mapping).await.unwrap().status.is_success());
        let storm = watch::Sender::new(0);
        let witnesses = [None, None, Some("ada"), Some("ben")].map(|user| {
            Witness::start(client.clone(), &app, user, Duration::from_millis(300), storm.subscribe())
        });
        let aws = Client::new(server.aws(), None).unwrap();
        Self { server, client, aws, app, witnesses: witnesses.into(), storm, delivered: 0 }
    }

    /// Puts these faults in force, and no others.
    async fn faults(&self, faults: Value) {
        let body = json!({ "seed": 11, "faults": faults }).to_string();
        let answer = self.aws.send(Method::PUT, "/_local/faults", &[], body).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    }

    async fn act(&self, act: Value) {
        let answer = self.aws.send(Method::POST, "/_local/faults/acts", &[], act.to_string()).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    }

    /// How often a fault has struck since they were put in force.
    async fn injected(&self, name: &str) -> u64 {
        let answer = self.aws.send(Method::GET, "/_local/faults", &[], "").await.unwrap();
        answer.body["injected"][name].as_u64().unwrap_or(0)
    }

    /// Delivers so many calls as Dialpad does: what is not answered 200 is delivered again.
    async fn calls(&mut self, count: usize) {
        for _ in 0..count {
            for mut payload in Scenario::InboundAnswered.payloads(SystemClock.now()) {
                if self.delivered % 3 == 0 {
                    // An agent that no CRM user is: everybody hears of it.
                    payload["target"]["id"] = json!(5_600_000_000_000_009_i64);
                }
                self.deliver(&payload).await;
                self.delivered += 1;
            }
        }
    }

    async fn deliver(&self, payload: &Value) {
        let deliver = async {
            loop {
                match self.client.deliver(&self.app, payload).await {
                    Ok(answer) if answer.status.is_success() => return,
                    Ok(answer) => assert!(answer.status.is_server_error(), "{}", answer.status),
                    Err(_) => {}
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, deliver).await.unwrap();
    }

    /// Ends the faults, waits until all is stored and applied once, and until every client holds its part of the log.
    async fn recovered(&self) {
        self.faults(json!({})).await;
        let database = self.server.database().await;
        let app_id: uuid::Uuid = self.app.app_id.parse().unwrap();
        let sql = "SELECT count(*) FILTER (WHERE processed_at IS NOT NULL), count(*) FROM webhook_events WHERE app_id = $1";
        eventually("every delivery is stored once and applied", async || {
            let row = database.query_one(sql, &[&app_id]).await.unwrap();
            (row.get::<_, i64>(0), row.get::<_, i64>(1)) == (self.delivered, self.delivered)
        })
        .await;
        let sql = "SELECT seq, audience, frame FROM client_events WHERE app_id = $1 ORDER BY seq";
        let rows = database.query(sql, &[&app_id]).await.unwrap();
        let log: Vec<_> = rows.iter().map(|row| Logged::new(row.get(0), row.get(1), row.get(2))).collect();
        let head = i64::try_from(log.len()).unwrap();
        assert!(log.iter().map(Logged::seq).eq(1..=head), "seq has a gap or a repeat");
        // What comes late, after what followed it, is no news any more; but most comes in time.
        assert!(head > self.delivered / 2, "clients are told what happens");
        eventually("every client holds its part of the log", async || {
            self.witnesses.iter().all(|witness| witness.difference(&log).is_none())
        })
        .await;
    }
}

#[tokio::test]
async fn clients_recover_from_posts_that_are_gone_throttled_or_never_answered() {
    let mut trial = Trial::start().await;
    trial.faults(json!({ "post-gone": 1 })).await;
    trial.calls(3).await;
    eventually("a post is struck", async || trial.injected("post-gone").await > 0).await;
    trial.recovered().await;
    trial.faults(json!({ "post-gone": 0.1, "post-throttle": 0.3, "post-hang": "0.02:60s" })).await;
    trial.calls(6).await;
    eventually("a post is struck", async || trial.injected("post-throttle").await > 0).await;
    trial.recovered().await;
}

#[tokio::test]
async fn clients_recover_from_messages_that_are_doubled_late_overtaken_or_refused() {
    let mut trial = Trial::start().await;
    let shares = json!({
        "queue-duplicate": 0.5, "queue-delay": "0.3:1s", "queue-reorder": "0.5:500ms", "queue-refuse": 0.2,
    });
    trial.faults(shares).await;
    trial.calls(8).await;
    for name in ["queue-duplicate", "queue-delay", "queue-reorder", "queue-refuse"] {
        assert!(trial.injected(name).await > 0, "{name}");
    }
    trial.recovered().await;
}

#[tokio::test]
async fn clients_recover_from_functions_that_are_killed_at_any_moment() {
    let mut trial = Trial::start().await;
    trial.faults(json!({ "kill-before": 0.05, "kill-during": "0.2:10ms", "kill-after": 0.1 })).await;
    trial.calls(5).await;
    for function in ["webhook", "processor", "broadcaster", "websocket"] {
        trial.act(json!({ "act": "kill", "function": function })).await;
        trial.calls(1).await;
    }
    for name in ["kill-before", "kill-during", "kill-after", "kill"] {
        assert!(trial.injected(name).await > 0, "{name}");
    }
    trial.recovered().await;
}

#[tokio::test]
async fn clients_recover_from_a_database_that_refuses_or_hangs() {
    let mut trial = Trial::start().await;
    trial.calls(1).await;
    trial.act(json!({ "act": "database", "access": "refuse" })).await;
    trial.calls(2).await;
    trial.act(json!({ "act": "database", "access": "open" })).await;
    trial.recovered().await;
    trial.act(json!({ "act": "database", "access": "hang" })).await;
    trial.calls(1).await;
    trial.act(json!({ "act": "database", "access": "open" })).await;
    trial.recovered().await;
}

#[tokio::test]
async fn clients_recover_from_storms_slow_sockets_and_lost_disconnects() {
    let mut trial = Trial::start().await;
    trial.faults(json!({ "disconnect-drop": 1, "socket-slow": "0.5:100ms", "connect-rate": 20 })).await;
    for _ in 0..4 {
        trial.storm.send_modify(|storm| *storm += 1);
        trial.calls(2).await;
    }
    for name in ["disconnect-drop", "socket-slow"] {
        assert!(trial.injected(name).await > 0, "{name}");
    }
    trial.recovered().await;
}
