//! A server that is broken on purpose, and clients that keep account.

use std::time::Duration;

use axum::http::Method;
use local::{
    client::{App, Client},
    follow::witness::{Logged, Witness},
    simulate::Scenario,
    torture,
};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use tokio::sync::watch;

use super::server::{PATIENCE, Server, within};

/// What is left when a worker and the scheduled run beside it are both killed, the next scheduled run finds: it comes within
/// a minute, and looks for what is older than ten seconds.
const RECOVERY: Duration = Duration::from_secs(90);

/// A server of its own, since its faults strike everybody, and clients of one app: two of the app, one of each user.
pub(super) struct Trial {
    server: Server,
    pub(super) client: Client,
    aws: Client,
    pub(super) app: App,
    witnesses: Vec<Witness>,
    pub(super) storm: watch::Sender<u64>,
    pub(super) delivered: i64,
}

impl Trial {
    pub(super) async fn start() -> Self {
        Self::on(Server::start(&["--database-proxy", "--visibility-seconds", "2"])).await
    }

    pub(super) async fn on(server: Server) -> Self {
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
    pub(super) async fn faults(&self, faults: Value) {
        let body = json!({ "seed": 11, "faults": faults }).to_string();
        let answer = self.aws.send(Method::PUT, "/_local/faults", &[], body).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    }

    pub(super) async fn act(&self, act: Value) {
        let answer = self.aws.send(Method::POST, "/_local/faults/acts", &[], act.to_string()).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    }

    /// How often a fault has struck since they were put in force.
    pub(super) async fn injected(&self, name: &str) -> u64 {
        let answer = self.aws.send(Method::GET, "/_local/faults", &[], "").await.unwrap();
        answer.body["injected"][name].as_u64().unwrap_or(0)
    }

    /// Delivers so many calls as Dialpad does: what is not answered 200 is delivered again.
    pub(super) async fn calls(&mut self, count: usize) {
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

    pub(super) async fn deliver(&self, payload: &Value) {
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
    pub(super) async fn recovered(&self) {
        self.faults(json!({})).await;
        let database = self.server.database().await;
        let app_id = self.app.app_id.0;
        let sql = "SELECT count(*) FILTER (WHERE processed_at IS NOT NULL), count(*) FROM webhook_events WHERE app_id = $1";
        within(RECOVERY, "every delivery is stored once and applied", async || {
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
        for (name, sql) in torture::COUNTS {
            within(RECOVERY, &format!("there are no {name}"), async || {
                database.query_one(sql, &[&app_id]).await.unwrap().get::<_, i64>(0) == 0
            })
            .await;
        }
        within(RECOVERY, "every client holds its part of the log", async || {
            self.witnesses.iter().all(|witness| witness.difference(&log).is_none())
        })
        .await;
    }
}
