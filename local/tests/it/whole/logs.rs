//! What the functions log: every decision, as the cloud gets it, and nothing of what people say or are.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use axum::http::Method;
use local::{
    client::{App, Client},
    simulate::Scenario,
};
use serde_json::{Value, json};
use shared::{
    clock::{Clock as _, SystemClock},
    config::Secret,
    dialpad::jws,
    telemetry::{COMPONENTS, Metric},
};

use super::{
    privacy::{leak, samples},
    server::{PATIENCE, Server, eventually},
};

const OPERATOR: &str = "operator-secret-that-nobody-may-see";
/// Everything that happens to such a server: deliveries good and bad, reads, changes, sockets opened, refused and closed.
struct Traffic {
    client: Client,
    app: App,
    secrets: BTreeSet<String>,
}

impl Traffic {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.client.send(method, path, &headers, body).await.unwrap();
        (answer.status.as_u16(), answer.body)
    }

    async fn operate(&self, method: Method, path: &str, body: &Value) -> Value {
        let path = format!("/internal/apps/{}{path}", self.app.app_id);
        let (status, answer) = self.ask(method, &path, &[], body).await;
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    async fn read(&self, path: &str) -> Value {
        self.ask(Method::GET, path, &[("x-app-api-key", &self.app.api_key)], &Value::Null).await.1
    }

    async fn good_and_bad_deliveries(&self) {
        let now = SystemClock.now();
        let calls = [Scenario::InboundAnswered, Scenario::Voicemail, Scenario::Outbound];
        let simulated = calls
            .into_iter()
            .zip(1..)
            .flat_map(|(call, n)| call.payloads(now - chrono::TimeDelta::minutes(n)));
        let dead = json!({"state": "ringing", "call_id": "not a number", "external_number": "+14155550177"});
        for payload in simulated.chain(samples()).chain([dead]) {
            assert_eq!(self.client.deliver(&self.app, &payload).await.unwrap().status.as_u16(), 200);
        }
        let repeated = Scenario::Outbound.payloads(now - chrono::TimeDelta::minutes(3)).remove(0);
        assert_eq!(self.client.deliver(&self.app, &repeated).await.unwrap().status.as_u16(), 200);

        let path = format!("/webhooks/dialpad/{}", self.app.app_id);
        let payload = repeated.to_string();
        let forged = jws::sign(&payload, &Secret::new("forged"));
        let no_object = jws::sign("\"+14155550177\"", &self.app.webhook_secret);
        for (body, status) in [(forged, 401), (payload, 401), (no_object, 400)] {
            let answer = self.client.send(Method::POST, &path, &[], body).await.unwrap();
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        }
    }

    async fn sockets(&mut self) {
        let key = self.app.api_key.clone();
        let mut socket = self.client.connect(&format!("api_key={key}&user_id=crm_of_ada")).await.unwrap();
        for message in [
            json!({"action": "resume", "after": 0}),
            json!({"action": "resume", "after": 999}),
            json!("+14155550177"),
        ] {
            socket.say(&message).await.unwrap();
            socket.next(PATIENCE).await.unwrap();
        }
        let headers = [("x-app-api-key", key.as_str())];
        let (status, ticket) = self.ask(Method::POST, "/api/ws-tickets", &headers, &json!({})).await;
        assert_eq!(status, 201);
        let ticket = ticket["ticket"].as_str().unwrap().to_owned();
        self.client.connect(&format!("ticket={ticket}")).await.unwrap().close().await.unwrap();
        for query in [format!("ticket={ticket}"), "api_key=app_guessed".to_owned(), String::new()] {
            assert!(self.client.connect(&query).await.is_err(), "{query}");
        }
        self.secrets.insert(ticket);
        socket.close().await.unwrap();
    }

    async fn reads_and_changes(&mut self) {
        let user = json!({"dialpad_user_id": "5600000000000001", "crm_user_id": "crm_of_ada"});
        self.operate(Method::POST, "/users/map", &user).await;
        self.operate(Method::DELETE, "/users/mappings/dialpad/5600000000000001", &Value::Null).await;
        for path in ["/api/calls?number=%2B14155559876", "/api/lookup?number=%2B14155559876", "/api/messages"]
        {
            self.read(path).await;
        }
        assert_eq!(self.read("/api/calls?wrong=%2B14155559876").await["status"], 422);
        let voicemails = self.read("/api/voicemails").await;
        let id = voicemails["data"][0]["id"].as_str().unwrap().to_owned();
        self.operate(Method::DELETE, &format!("/voicemails/{id}"), &Value::Null).await;
        let dead = self.operate(Method::GET, "/webhook-events?state=dead", &Value::Null).await;
        let id = dead["data"][0]["id"].as_str().unwrap().to_owned();
        self.operate(Method::POST, &format!("/webhook-events/{id}/replay"), &Value::Null).await;
        self.operate(
            Method::POST,
            "/dead-letters/redrive",
            &json!({"received_after": "2026-01-01T00:00:00Z"}),
        )
        .await;
        let twice = json!({"mappings": [user, user]});
        let path = format!("/internal/apps/{}/users/batch-map", self.app.app_id);
        assert_eq!(self.ask(Method::POST, &path, &[], &twice).await.0, 422);
        let key = [("x-app-api-key", self.app.api_key.as_str())];
        let call = json!({"dialpad_user_id": "7", "to": "+14155550177", "custom_data": "for Robin Caller"});
        assert_eq!(self.ask(Method::POST, "/api/call-requests", &key, &call).await.0, 409);
        let erased = self.operate(Method::POST, "/erasures", &json!({"number": "+14155550150"})).await;
        assert_eq!(erased["data"]["complete"], true, "{erased}");
        assert!(erased["data"]["client_events"].as_i64().unwrap() > 0, "{erased}");
        self.operate(Method::GET, "/diagnostics", &Value::Null).await;
        self.operate(Method::PATCH, "", &json!({"name": "renamed"})).await;

        let wrong = [("x-app-api-key", "app_wrong"), ("authorization", "Bearer wrong")];
        assert_eq!(self.ask(Method::GET, "/api/calls", &wrong, &Value::Null).await.0, 401);
        let guess = Client::new(&self.client.base(), None).unwrap();
        let path = format!("/internal/apps/{}/api-key", self.app.app_id);
        let answer = guess.send(Method::POST, &path, &wrong, "").await.unwrap();
        assert_eq!(answer.status.as_u16(), 401);

        let issued = self.operate(Method::POST, "/api-key", &Value::Null).await;
        let secret = self.operate(Method::POST, "/webhook-secret", &Value::Null).await;
        self.secrets.extend(
            [&issued["api_key"], &secret["webhook_secret"]].map(|text| text.as_str().unwrap().to_owned()),
        );
        self.operate(Method::POST, "/api-key/revoke", &Value::Null).await;
    }
}

#[tokio::test]
async fn every_decision_is_logged_and_nothing_private_ever_is() {
    let file = |name: &str| std::env::temp_dir().join(format!("{name}-{}.log", uuid::Uuid::new_v4()));
    let (shown, printed) = (file("shown"), file("printed"));
    let server = Server::logging(&[("INTERNAL_API_SECRET", OPERATOR)], &shown, &printed);
    let client = Client::new(server.edge(), Some(Secret::new(OPERATOR))).unwrap();
    let app = client.make_app("logs").await.unwrap();
    let secrets = [&app.api_key, app.webhook_secret.expose(), OPERATOR].map(str::to_owned).into();
    let mut traffic = Traffic { client, app, secrets };

    let key = traffic.app.api_key.clone();
    let mut watcher = traffic.client.connect(&format!("api_key={key}")).await.unwrap();
    traffic.good_and_bad_deliveries().await;
    let database = server.database().await;
    eventually("every delivery is applied", async || {
        let sql = "SELECT count(*) FROM webhook_events WHERE processed_at IS NULL AND dead_at IS NULL";
        database.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    traffic.sockets().await;
    traffic.reads_and_changes().await;
    // The key is dead, so its socket is closed; that is the last that happens.
    let deadline = Instant::now() + PATIENCE;
    while watcher.next(PATIENCE).await.is_ok() {
        assert!(Instant::now() < deadline, "the socket of the revoked key is still open");
    }
    drop((watcher, database, server));

    let [shown, printed] = [shown, printed].map(|file| {
        let log = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        log
    });
    nothing_private(&shown, &traffic.secrets);
    nothing_private(&printed, &traffic.secrets);
    let lines = of_functions(&printed);
    every_decision(&lines);
    metrics(&lines);
    one_trace(&lines);
}

fn nothing_private(log: &str, secrets: &BTreeSet<String>) {
    for line in log.lines() {
        assert_eq!(leak(line), None, "{line}");
        assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
    }
}

/// What each function printed, as JSON; a line that is none is a failure.
fn of_functions(log: &str) -> Vec<(&str, Value)> {
    let functions = ["webhook", "processor", "broadcaster", "websocket", "rest"];
    let lines: Vec<_> = log
        .lines()
        .filter_map(|line| line.strip_prefix('[')?.split_once("] "))
        .filter(|(name, _)| functions.contains(name))
        .map(|(name, line)| {
            (name, serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON from {name}: {line}")))
        })
        .collect();
    for function in functions {
        assert!(lines.iter().any(|(name, _)| *name == function), "{function} said nothing");
    }
    lines
}

fn every_decision(lines: &[(&str, Value)]) {
    let listed: BTreeSet<&str> = COMPONENTS.iter().map(|(name, _)| *name).collect();
    let mut seen = BTreeSet::new();
    for (name, line) in lines.iter().filter(|(_, line)| line.get("_aws").is_none()) {
        let component = line["component"].as_str().unwrap_or_default();
        assert!(listed.contains(component), "{name}: {line}");
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{name}: {line}");
        seen.insert((component, line["message"].as_str().unwrap()));
        if matches!((*name, component), ("webhook" | "rest", _) | (_, "WebSocket")) && *name != "broadcaster"
        {
            let is_known = line["request_id"].is_string() || line["connection_id"].is_string();
            assert!(is_known, "{name}: {line}");
        }
    }
    for decision in [
        ("Webhook", "stored"),
        ("Webhook", "repeated"),
        ("Webhook", "rejected"),
        ("Processor", "applied"),
        ("Processor", "dead"),
        ("Call", "told"),
        ("Voicemail", "created"),
        ("Voicemail", "updated"),
        ("Voicemail", "deleted"),
        ("Message", "told"),
        ("Agent", "told"),
        ("Push", "pushed"),
        ("WebSocket", "opened"),
        ("WebSocket", "refused"),
        ("WebSocket", "closed"),
        ("WebSocket", "disconnected"),
        ("WebSocket", "resumed"),
        ("APIKey", "created"),
        ("APIKey", "rotated"),
        ("APIKey", "revoked"),
        ("UserMapping", "mapped"),
        ("App", "created"),
        ("App", "delivery replayed"),
        ("App", "dead deliveries redriven"),
        ("Retention", "number erased"),
        ("Rest", "answered"),
    ] {
        assert!(seen.contains(&decision), "{decision:?} is not among {seen:?}");
    }
}

fn metrics(lines: &[(&str, Value)]) {
    let mut totals: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, line) in lines.iter().filter(|(_, line)| line.get("_aws").is_some()) {
        for metric in Metric::ALL {
            let value = &line[metric.name()];
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            *totals.entry(metric.name()).or_default() += values.iter().filter_map(Value::as_i64).sum::<i64>();
        }
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "CTI");
        let sets: Vec<Value> = directive["Dimensions"].as_array().unwrap().clone();
        assert!(!sets.is_empty() && sets.iter().all(|names| names[0] == "Stack"), "{line}");
        assert_eq!(line["Stack"], "local");
    }
    for metric in [
        Metric::Received,
        Metric::Rejected,
        Metric::ReceivedToLoggedMs,
        Metric::Applied,
        Metric::Dead,
        Metric::Pushed,
        Metric::Opened,
        Metric::Refused,
        Metric::Resumed,
        Metric::AuthFailures,
        Metric::ApiKeyCreated,
        Metric::ApiKeyRotated,
        Metric::ApiKeyRevoked,
        Metric::ApiKeyRefused,
    ] {
        assert!(totals[metric.name()] > 0, "{} is not among {totals:?}", metric.name());
    }
    assert_eq!(totals["Rejected"], 3, "{totals:?}");
    assert_eq!((totals["ApiKeyRotated"], totals["ApiKeyRefused"]), (1, 1), "{totals:?}");
}

/// A delivery can be followed by its trace from the webhook to the frame.
fn one_trace(lines: &[(&str, Value)]) {
    let of = |component: &str, message: &str| {
        let (component, message) = (component.to_owned(), message.to_owned());
        let lines = lines.iter().filter(move |(_, line)| {
            line["component"] == component.as_str() && line["message"] == message.as_str()
        });
        lines.filter_map(|(_, line)| line["trace_id"].as_str()).collect::<BTreeSet<_>>()
    };
    let (stored, pushed) = (of("Webhook", "stored"), of("Push", "pushed"));
    assert!(stored.len() > 30, "{stored:?}");
    assert!(pushed.iter().any(|trace| stored.contains(trace) && of("Processor", "applied").contains(trace)));
    assert!(pushed.is_subset(&stored));
}
